//! What a provider's answers teach of its limits, class by class: how long to keep away, and how much less to ask. All by
//! the ledger's time.

use std::{collections::VecDeque, time::Duration};

use ::http::Response;
use bytes::Bytes;

use super::refusal::{TooMuch, too_much};
use crate::{
    model::{BudgetClass, ByClass, Learned, LedgerTime, Lesson, Rate, Rates, Timestamp},
    providers::{breaker::Pause, retry_after},
};

/// The first wait after a refusal that names no time; doubles while they go on.
const UNTOLD_BASE: Duration = Duration::from_secs(1);
const UNTOLD_MAX: Duration = Duration::from_secs(60);
/// No learned limit is lower: it must let a look and what follows from it through.
const LEAST: u32 = 3;
/// A learned limit rises by a tenth of what it came from in each such span.
const RISES_EVERY: Duration = Duration::from_secs(300);
/// The window of a limit that is learned where none is configured.
const UNKNOWN_PER: Duration = Duration::from_secs(60);
/// A refusal while little had been let through is believed to be the limit's where another came before it within this.
const DOUBTED: Duration = RISES_EVERY;
/// Where no limit is known, so few calls in a window are little.
const LITTLE: u32 = 10;
/// No word of a provider is kept for longer.
const KEPT: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug)]
pub(super) struct Lessons {
    /// As configured, less the guard.
    planned: Rates,
    states: ByClass<State>,
}

#[derive(Debug, Default)]
struct State {
    learned: Option<Learned>,
    pause: Option<Pause>,
    /// Refusals in a row that named no time.
    untold: u32,
    /// The last refusal that came while little had been let through.
    doubted_at: Option<Timestamp>,
    /// What was heard or told last of it.
    known: Lesson,
    started: Started,
}

impl Lessons {
    pub(super) fn new(configured: &Rates) -> Self {
        let planned = Rates::from_fn(|class| configured[class].map(Rate::guarded));
        Self { planned, states: ByClass::default() }
    }

    /// Takes up what was learned elsewhere: before this start, or by others of the group.
    pub(super) fn hear(&mut self, told: &ByClass<Lesson>, now: Timestamp) {
        for (class, lesson) in told.iter() {
            let per = self.per(class);
            self.states[class].hear(*lesson, per, now);
        }
    }

    /// The limits that hold now.
    pub(super) fn rates(&self, now: Timestamp) -> Rates {
        Rates::from_fn(|class| {
            let (planned, learned) = (self.planned[class], self.learned_at(class, now));
            planned.into_iter().chain(learned).min_by_key(|rate| rate.calls)
        })
    }

    /// Until when calls of a class are to stay away; of `Any`: all calls.
    pub(super) fn blocked(&self, class: BudgetClass, now: Timestamp) -> Option<Timestamp> {
        let pauses = [class, BudgetClass::Any].map(|class| self.states[class].pause);
        let holding = pauses.into_iter().flatten().filter(|pause| pause.holds_at(now));
        holding.map(|pause| pause.until).max()
    }

    /// Calls of a class in its window until now.
    pub(super) fn started(&self, class: BudgetClass, now: Timestamp) -> u32 {
        self.states[class].started.within(self.per(class), now)
    }

    pub(super) fn start(&mut self, class: BudgetClass, now: Timestamp) {
        for class in counted(class) {
            let per = self.per(*class);
            self.states[*class].started.add(per, now);
        }
    }

    /// Learns from the answer to a call of a class that began at `began`; returns what is worth keeping.
    pub(super) fn learn(
        &mut self,
        class: BudgetClass,
        answer: &Response<Bytes>,
        began: Timestamp,
        at: LedgerTime,
    ) -> Vec<(BudgetClass, Lesson)> {
        let (now, asked) = (at.now, retry_after::asked_for(answer, at.wall()).map(|span| at.now.plus(span)));
        let too_much = too_much(answer);
        let scope = match too_much {
            Some(TooMuch::Queued) => class,
            // A service's limit on one class says nothing of the others; where no limit is known it may be on all.
            _ if !answer.status().is_server_error() && self.planned[class].is_some() => class,
            _ => BudgetClass::Any,
        };
        let untold = asked.is_none() && matches!(too_much, Some(TooMuch::Calls | TooMuch::Queued));
        let paused = self.states[scope].pause(asked, untold, now);
        let cut = (too_much == Some(TooMuch::Calls)).then(|| self.cut(class, began, now)).flatten();
        let mut changed: Vec<BudgetClass> = cut.into_iter().chain(paused.then_some(scope)).collect();
        changed.dedup();
        changed.into_iter().map(|class| (class, self.states[class].tell())).collect()
    }

    /// Lowers the limit that was hit, to less than what was let through in the window before, but by half at most.
    fn cut(&mut self, class: BudgetClass, began: Timestamp, now: Timestamp) -> Option<BudgetClass> {
        let any = self.planned[class].is_none() && self.planned[BudgetClass::Any].is_some();
        let class = if any { BudgetClass::Any } else { class };
        // Those that left before the last cut tell nothing of what is left of it.
        if self.states[class].learned.is_some_and(|learned| began <= learned.at && learned.at <= now) {
            return None;
        }
        let per = self.per(class);
        let (current, through) = (self.rates(now)[class], self.started(class, now).saturating_sub(1));
        let little = through < current.map_or(LITTLE, |rate| rate.calls / 2);
        if little && self.states[class].is_stray(began, now) {
            return None;
        }
        let hit = match current {
            Some(rate) => rate.calls.min(through),
            None => Some(through).filter(|through| *through > 0)?,
        };
        let half = current.map_or(LEAST, |rate| rate.calls / 2);
        let from = self.planned[class].map_or(hit, |rate| rate.calls);
        let rate = Rate { calls: (hit / 10 * 7 + hit % 10 * 7 / 10).max(half).max(LEAST), per };
        if self.planned[class].is_some_and(|planned| planned.calls <= rate.calls) {
            return None;
        }
        self.states[class].learned = Some(Learned { rate, from: from.max(LEAST), at: now });
        Some(class)
    }

    /// A learned limit as it has risen since; gone where it is no lower than what is planned, or twice what it came from.
    fn learned_at(&self, class: BudgetClass, now: Timestamp) -> Option<Rate> {
        let Learned { rate, from, at } = self.states[class].learned.filter(|learned| learned.at <= now)?;
        let steps = now.since(at).as_millis() / RISES_EVERY.as_millis();
        let step = u128::from((from / 10).max(1));
        let calls = u32::try_from(u128::from(rate.calls) + steps * step).unwrap_or(u32::MAX);
        let end = self.planned[class].map_or(from.saturating_mul(2), |planned| planned.calls);
        (calls < end).then_some(Rate { calls, ..rate })
    }

    fn per(&self, class: BudgetClass) -> Duration {
        self.planned[class].map_or(UNKNOWN_PER, |rate| rate.per)
    }
}

fn counted(class: BudgetClass) -> &'static [BudgetClass] {
    match class {
        BudgetClass::List => &[BudgetClass::List, BudgetClass::Any],
        BudgetClass::Read => &[BudgetClass::Read, BudgetClass::Any],
        BudgetClass::Write => &[BudgetClass::Write, BudgetClass::Any],
        BudgetClass::Any => &[BudgetClass::Any],
    }
}

impl State {
    /// Whether it is to be left alone for longer than was known. A later time that is known already stays.
    fn pause(&mut self, asked: Option<Timestamp>, untold: bool, now: Timestamp) -> bool {
        self.untold = if untold { self.untold + 1 } else { 0 };
        let wait = UNTOLD_BASE.saturating_mul(1 << self.untold.saturating_sub(1).min(16)).min(UNTOLD_MAX);
        let Some(until) = asked.or_else(|| untold.then(|| now.plus(wait))) else { return false };
        self.pause_until(until, now)
    }

    fn pause_until(&mut self, until: Timestamp, now: Timestamp) -> bool {
        let known = self.pause.filter(|pause| pause.holds_at(now)).map_or(now, |pause| pause.until);
        self.pause = Some(Pause { since: now, until: until.max(known) });
        until > known
    }

    /// Whether a refusal while little had been let through stands alone: it was of somebody else's calls, or of the service's
    /// own trouble. Those that left together are one.
    fn is_stray(&mut self, began: Timestamp, now: Timestamp) -> bool {
        let before = self.doubted_at.filter(|at| *at <= now);
        if before.is_some_and(|at| began <= at) {
            return true;
        }
        self.doubted_at = Some(now);
        before.is_none_or(|at| began.since(at) > DOUBTED)
    }

    /// What is news is taken up once.
    fn hear(&mut self, lesson: Lesson, per: Duration, now: Timestamp) {
        if std::mem::replace(&mut self.known, lesson) == lesson {
            return;
        }
        self.learned = lesson.learned.filter(|learned| learned.rate.per == per).or(self.learned);
        if let Some(until) = lesson.blocked_until.filter(|until| until.since(now) <= KEPT) {
            self.pause_until(until, now);
        }
    }

    fn tell(&mut self) -> Lesson {
        self.known = Lesson { learned: self.learned, blocked_until: self.pause.map(|pause| pause.until) };
        self.known
    }
}

/// How many calls started lately, in slots of a window.
#[derive(Debug, Default)]
struct Started(VecDeque<(Timestamp, u32)>);

impl Started {
    fn add(&mut self, per: Duration, now: Timestamp) {
        let slot = per / 16;
        match self.0.back_mut() {
            Some((last, calls)) if now < last.plus(slot) => *calls += 1,
            _ => self.0.push_back((now, 1)),
        }
        while self.0.front().is_some_and(|(first, _)| first.plus(per + slot) <= now) {
            self.0.pop_front();
        }
    }

    fn within(&self, per: Duration, now: Timestamp) -> u32 {
        let counts = |slot: &&(Timestamp, u32)| slot.0.plus(per) > now && slot.0 <= now;
        self.0.iter().filter(counts).map(|(_, calls)| calls).sum()
    }
}

#[cfg(test)]
mod tests;
