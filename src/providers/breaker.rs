//! Leaves a provider that is sick alone for a while, then lets one call try.
//!
//! A pure machine in one lock: `closed -> open -> half-open -> closed | open`, each state with its own data. It goes by the
//! ledger's time, which no turn of the wall clock makes leap.

mod peers;
mod window;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use peers::Peers;

use self::{peers::Seat, window::Window};
use crate::{
    model::Timestamp,
    telemetry::{BreakerState, ProviderMetrics},
};

/// When a breaker opens, and for how long. Failures are calls without an answer and 5xx.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerSettings {
    /// Failures in a row that open it: soon enough for a dead service that is seldom called.
    pub in_a_row: u32,
    /// Over this span ...
    pub window: Duration,
    /// ... so many calls at least ...
    pub calls: u32,
    /// ... of which this share failed open it, too: a service that answers now and then is no better.
    pub ratio: f64,
    /// How long it stays open at first; doubles with each time, half of it is chance.
    pub base: Duration,
    pub max: Duration,
    /// After each such span of being closed the next time counts as one less.
    pub heal: Duration,
    /// The longest that it stays open while no other provider is known to be well ...
    pub alone: Duration,
    /// ... for so many times: what is sick for longer is no hiccup of our own network.
    pub alone_times: u32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            in_a_row: 5,
            window: Duration::from_secs(30),
            calls: 20,
            ratio: 0.5,
            base: Duration::from_secs(1),
            max: Duration::from_secs(30),
            heal: Duration::from_secs(60),
            alone: Duration::from_secs(5),
            alone_times: 24,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// `level`: how often it was open, less what it has healed by.
    Closed {
        in_a_row: u32,
        level: u32,
    },
    Open {
        pause: Pause,
        level: u32,
    },
    /// One call is out to try.
    HalfOpen {
        level: u32,
    },
}

/// A span of the ledger's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pause {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

impl Pause {
    pub(super) fn holds_at(self, now: Timestamp) -> bool {
        now < self.until
    }

    fn at_most(self, span: Duration) -> Self {
        Self { until: self.until.min(self.since.plus(span)), ..self }
    }
}

/// How a call ended, as far as the breaker cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The provider answered, if only to refuse.
    Answered,
    /// No answer, or a 5xx.
    Failed,
}

/// Whether calls may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// A call would be the one that tries.
    OneProbe,
    /// The breaker is open, or the call that tries is out.
    ShutUntil(Timestamp),
}

pub(super) struct Breaker {
    inner: Mutex<Inner>,
    settings: BreakerSettings,
    metrics: ProviderMetrics,
}

struct Inner {
    state: State,
    /// When it came into its state.
    since: Timestamp,
    window: Window,
    seat: Seat,
}

impl Breaker {
    pub(super) fn new(
        settings: BreakerSettings,
        peers: &Peers,
        metrics: ProviderMetrics,
        now: Timestamp,
    ) -> Self {
        metrics.breaker(BreakerState::Closed);
        let state = State::Closed { in_a_row: 0, level: 0 };
        let inner = Inner { state, since: now, window: Window::of(settings.window), seat: peers.join() };
        Self { inner: Mutex::new(inner), settings, metrics }
    }

    pub(super) fn gate(&self, now: Timestamp) -> Gate {
        let inner = self.lock();
        match inner.state {
            State::Closed { .. } => Gate::Open,
            State::Open { pause, level } => {
                let shut = self.shut(&inner, pause, level, now);
                if shut.holds_at(now) { Gate::ShutUntil(shut.until) } else { Gate::OneProbe }
            }
            State::HalfOpen { .. } => Gate::ShutUntil(self.tried_by(now)),
        }
    }

    /// Which state it is in, and since when.
    pub(super) fn state(&self) -> (BreakerState, Timestamp) {
        let inner = self.lock();
        (label(inner.state), inner.since)
    }

    /// Lets a call leave, or says until when none may.
    pub(super) fn admit(&self, now: Timestamp) -> Result<Admission<'_>, Timestamp> {
        let mut inner = self.lock();
        match inner.state {
            State::Closed { .. } => Ok(Admission { breaker: self, probe: false }),
            State::Open { pause, level } => {
                let shut = self.shut(&inner, pause, level, now);
                if shut.holds_at(now) {
                    return Err(shut.until);
                }
                self.enter(&mut inner, State::HalfOpen { level }, now);
                Ok(Admission { breaker: self, probe: true })
            }
            State::HalfOpen { .. } => Err(self.tried_by(now)),
        }
    }

    /// While no other provider is known to be well the pause is short, unless it was open for too many of them.
    fn shut(&self, inner: &Inner, pause: Pause, level: u32, now: Timestamp) -> Pause {
        let may_be_us = level < self.settings.alone_times && inner.seat.peers.none_is_left(now);
        if may_be_us { pause.at_most(self.settings.alone) } else { pause }
    }

    /// When to ask again how the call went that is out to try.
    fn tried_by(&self, now: Timestamp) -> Timestamp {
        now.plus(self.settings.base)
    }

    fn settle(&self, probe: bool, verdict: Verdict, now: Timestamp) {
        let mut inner = self.lock();
        match (inner.state, verdict) {
            (State::Closed { level, in_a_row }, _) => {
                let failed = verdict == Verdict::Failed;
                if !failed {
                    inner.seat.answered(now);
                }
                inner.window.note(failed, now);
                let in_a_row = if failed { in_a_row + 1 } else { 0 };
                if failed && self.is_too_much(in_a_row, &inner.window, now) {
                    let level = level.saturating_sub(self.healed(inner.since, now));
                    self.open(&mut inner, level, now);
                } else {
                    inner.state = State::Closed { in_a_row, level };
                }
            }
            (State::HalfOpen { level }, Verdict::Answered) if probe => {
                inner.window.clear();
                self.enter(&mut inner, State::Closed { in_a_row: 0, level: level + 1 }, now);
            }
            (State::HalfOpen { level }, Verdict::Failed) if probe => self.open(&mut inner, level + 1, now),
            // A call that left before the breaker opened: it tells of the past.
            (State::Open { .. } | State::HalfOpen { .. }, _) => {}
        }
    }

    fn is_too_much(&self, in_a_row: u32, window: &Window, now: Timestamp) -> bool {
        let (calls, failed) = window.sums(now);
        let too_many =
            calls >= self.settings.calls && f64::from(failed) >= self.settings.ratio * f64::from(calls);
        in_a_row >= self.settings.in_a_row || too_many
    }

    fn healed(&self, since: Timestamp, now: Timestamp) -> u32 {
        let spans = now.since(since).as_millis() / self.settings.heal.as_millis().max(1);
        u32::try_from(spans).unwrap_or(u32::MAX)
    }

    /// A call that nothing was learned from: another may try.
    fn abandon(&self, probe: bool) {
        let mut inner = self.lock();
        if let (State::HalfOpen { level }, true) = (inner.state, probe) {
            let (since, over) = (inner.since, Pause { since: Timestamp::ZERO, until: Timestamp::ZERO });
            self.enter(&mut inner, State::Open { pause: over, level }, since);
        }
    }

    /// For twice as long as the level before, up to the cap; half of it is chance.
    fn open(&self, inner: &mut Inner, level: u32, now: Timestamp) {
        let level = level.min(self.settings.alone_times);
        let wait = self.settings.base.saturating_mul(1 << level.min(16)).min(self.settings.max);
        let wait = wait.mul_f64(0.5 + rand::random::<f64>() / 2.0);
        self.enter(inner, State::Open { pause: Pause { since: now, until: now.plus(wait) }, level }, now);
    }

    fn enter(&self, inner: &mut Inner, next: State, now: Timestamp) {
        self.metrics.breaker(label(next));
        match next {
            State::Closed { .. } => inner.seat.answered(now),
            State::Open { .. } | State::HalfOpen { .. } => inner.seat.eject(),
        }
        (inner.state, inner.since) = (next, now);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn label(state: State) -> BreakerState {
    match state {
        State::Closed { .. } => BreakerState::Closed,
        State::Open { .. } => BreakerState::Open,
        State::HalfOpen { .. } => BreakerState::HalfOpen,
    }
}

/// One call that the breaker let through, until it tells how it ended; dropped untold, it told nothing.
#[must_use]
pub(super) struct Admission<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Admission<'_> {
    pub(super) fn settle(mut self, verdict: Verdict, now: Timestamp) {
        self.breaker.settle(self.probe, verdict, now);
        self.probe = false;
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.abandon(true);
        }
    }
}

#[cfg(test)]
mod tests;
