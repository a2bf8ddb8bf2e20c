//! The calls that a provider allows (I9): no request leaves without a [`Permit`].
//!
//! So many at once; none while the provider wants to be left alone; and where there is a limit, none that was not counted
//! in the ledger before, a few at a time.

mod lessons;
mod pocket;
mod refusal;
mod slots;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use ::http::Response;
use bytes::Bytes;
use tokio::time::Instant;

use self::{
    lessons::Lessons,
    pocket::Pocket,
    refusal::{TooMuch, too_much},
    slots::{Slot, Slots},
};
use super::{BudgetSettings, Ledger, LedgerError, NoLedger};
use crate::{
    model::{
        Allowance, Ask, BudgetClass, ByClass, Clock, Costs, Granted, Learned, Rates, Reserved, Timestamp,
    },
    telemetry::ProviderMetrics,
};

/// A call waits in place for no longer; beyond that its work is put off.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it does so.
const WAITS: u32 = 3;
/// At most this part of a window is reserved at once for calls that are not planned.
const CHUNKS: u32 = 16;

/// The right to send one HTTP request, held until its answer is read. Only the budget makes one.
#[derive(Debug)]
pub struct Permit {
    _slot: Slot,
    pub(super) class: BudgetClass,
    /// By the ledger's time.
    pub(super) began: Timestamp,
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPermit {
    /// The provider asked to be left alone for so long.
    Throttled(Duration),
    /// What it allows is spent for so long.
    Spent(Duration),
    /// Calls cannot be counted.
    Uncounted,
}

/// One that waits for its turn to ask, until it has it or gives up.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn among(all: &'a AtomicU32) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(all)
    }

    /// How many waited until now, this one too.
    fn done(self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All in it goes by the ledger's time; callers are told spans.
pub(crate) struct Budget {
    slots: Arc<Slots>,
    lessons: Mutex<Lessons>,
    pocket: Mutex<Pocket>,
    /// One call at a time asks for those that wait with it.
    asking: tokio::sync::Mutex<()>,
    waiting: ByClass<AtomicU32>,
    /// How long counting took the last time, in ms.
    took: AtomicU64,
    group: Arc<str>,
    ledger: Arc<dyn Ledger>,
    #[cfg(test)]
    granted: AtomicU64,
    /// `None`: of calls that are none of the provider's own.
    metrics: Option<ProviderMetrics>,
}

impl Budget {
    pub(crate) fn new(
        concurrency: usize,
        settings: BudgetSettings,
        clock: &Arc<dyn Clock>,
        metrics: impl Into<Option<ProviderMetrics>>,
    ) -> Self {
        let BudgetSettings { group, rates, ledger } = settings;
        Self {
            slots: Slots::new(concurrency),
            lessons: Mutex::new(Lessons::new(&rates)),
            pocket: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            waiting: ByClass::from_fn(|_| AtomicU32::default()),
            took: AtomicU64::default(),
            group,
            ledger: ledger.unwrap_or_else(|| Arc::new(NoLedger::new(clock.clone()))),
            #[cfg(test)]
            granted: AtomicU64::default(),
            metrics: metrics.into(),
        }
    }

    /// The ledger's time.
    pub(super) fn now(&self) -> Timestamp {
        self.ledger.now().now
    }

    /// Waits for a free slot, and a little for the ledger; refuses at once while the provider wants to be left alone, which
    /// may have begun during a wait.
    pub(crate) async fn permit(&self, class: BudgetClass) -> Result<Permit, NoPermit> {
        let (waited, mut waits) = (Instant::now(), 0);
        loop {
            let slot = self.slots.acquire(self.now()).await;
            self.is_welcome(class)?;
            let spent = self.spend(class).await.map_err(|LedgerError| NoPermit::Uncounted)?;
            let Some(wait) = spent else {
                if let Some(metrics) = &self.metrics {
                    metrics.throttle_wait(waited.elapsed());
                }
                // What was counted for it meanwhile lapses.
                self.is_welcome(class)?;
                return Ok(self.start(slot, class));
            };
            // Others may have calls of another class to make meanwhile.
            drop(slot);
            if wait > PATIENCE || waits == WAITS {
                return Err(NoPermit::Spent(wait));
            }
            waits += 1;
            tokio::time::sleep(wait).await;
        }
    }

    fn is_welcome(&self, class: BudgetClass) -> Result<(), NoPermit> {
        self.blocked_for(class).map_or(Ok(()), |span| Err(NoPermit::Throttled(span)))
    }

    fn start(&self, slot: Slot, class: BudgetClass) -> Permit {
        let began = self.now();
        #[cfg(test)]
        self.granted.fetch_add(1, Ordering::Relaxed);
        let mut lessons = self.lessons(began);
        lessons.start(class, began);
        self.show(&lessons, began);
        Permit { _slot: slot, class, began }
    }

    /// Uses a call that was counted, or has some counted. `Some`: there are none before this time has passed.
    async fn spend(&self, class: BudgetClass) -> Result<Option<Duration>, LedgerError> {
        let rates = self.rates();
        let Some(chunk) = rates.bounds(class).map(|(_, rate)| rate.calls.div_ceil(CHUNKS)).min() else {
            return Ok(None);
        };
        if self.take(class) {
            return Ok(None);
        }
        let waits = Waiting::among(&self.waiting[class]);
        let turn = self.asking.lock().await;
        let waiting = waits.done();
        // Who had the turn before may have asked for this one, too.
        if self.take(class) {
            return Ok(None);
        }
        let granted = self.ask(class, rates, chunk.max(waiting)).await;
        drop(turn);
        match granted? {
            Granted::Wait(wait) => Ok(Some(wait)),
            Granted::Calls(reserved) => {
                self.pocket().put([reserved]);
                // Where counting took longer than they may be used, the next ones will last longer.
                Ok((!self.take(class)).then_some(Duration::ZERO))
            }
        }
    }

    async fn ask(&self, class: BudgetClass, rates: Rates, want: u32) -> Result<Granted, LedgerError> {
        let at = self.ledger.now();
        let unspent = self.pocket().lapsed(at.now);
        let (group, lasts) = (self.group.clone(), self.lasts());
        let ask = Ask { group, rates, class, want, unspent, at, lasts };
        let granted = self.ledger.reserve(ask).await;
        let took = self.ledger.now().now.since(at.now).as_millis();
        self.took.store(u64::try_from(took).unwrap_or(u64::MAX), Ordering::Relaxed);
        granted
    }

    /// Calls are of use for twice as long as it took to count the last ones.
    fn lasts(&self) -> Duration {
        Duration::from_millis(self.took.load(Ordering::Relaxed)).saturating_mul(2)
    }

    fn take(&self, class: BudgetClass) -> bool {
        self.pocket().take(class, self.now())
    }

    /// Calls that could start now, as far as others are under way.
    pub(crate) fn free(&self) -> usize {
        self.slots.free()
    }

    /// The calls that are planned with.
    pub(super) fn rates(&self) -> Rates {
        let now = self.now();
        self.lessons(now).rates(now)
    }

    /// What work may spend; `None`: as much as it likes.
    pub(crate) fn allowance(&self, costs: Costs) -> Option<Allowance> {
        let at = self.ledger.now();
        let (rates, shut) = {
            let now = at.now;
            let lessons = self.lessons(now);
            let shut = |class| lessons.blocked(class, now).map(|until| until.since(now)).unwrap_or_default();
            (lessons.rates(now), ByClass::from_fn(shut))
        };
        if rates.are_none() && shut == ByClass::default() {
            return None;
        }
        let unspent = self.pocket().lapsed(at.now);
        let (group, lasts) = (self.group.clone(), self.lasts());
        Some(Allowance { group, rates, costs, shut, unspent, at, lasts })
    }

    /// Takes calls that were counted for work.
    pub(crate) fn credit(&self, calls: Vec<Reserved>) {
        self.pocket().put(calls);
    }

    /// How many permits were ever given.
    #[cfg(test)]
    pub(super) fn granted(&self) -> u64 {
        self.granted.load(Ordering::Relaxed)
    }

    /// For how long calls of a class are to stay away; of `Any`: all calls.
    pub(crate) fn blocked_for(&self, class: BudgetClass) -> Option<Duration> {
        let now = self.now();
        self.lessons(now).blocked(class, now).map(|until| until.since(now))
    }

    /// Learns from an answer how long to keep away and how much to ask.
    pub(super) async fn learn(&self, (class, began): (BudgetClass, Timestamp), answer: &Response<Bytes>) {
        let at = self.ledger.now();
        if too_much(answer) == Some(TooMuch::AtOnce) {
            self.slots.lower(began, at.now);
        }
        let learned = self.lessons(at.now).learn(class, answer, began, at);
        for (class, lesson) in learned {
            if let Some(Learned { rate, .. }) = lesson.learned.filter(|learned| learned.at == at.now) {
                let (budget, class) = (&*self.group, class.as_str());
                tracing::warn!(budget, class, %rate, "calls were refused: fewer are planned from now on");
            }
            self.ledger.keep(&self.group, class, lesson).await;
        }
    }

    /// Shows operators what is used by now: less and less, while no call is made.
    pub(crate) fn refresh(&self) {
        let now = self.now();
        self.show(&self.lessons(now), now);
    }

    fn show(&self, lessons: &Lessons, now: Timestamp) {
        let Some(metrics) = &self.metrics else { return };
        let rates = lessons.rates(now);
        for (class, rate) in rates.iter() {
            metrics.budget(class, rate.map(|rate| rate.calls), lessons.started(class, now));
        }
    }

    /// What was learned until now, by others of the group too.
    fn lessons(&self, now: Timestamp) -> MutexGuard<'_, Lessons> {
        let mut lessons = self.lessons.lock().unwrap_or_else(PoisonError::into_inner);
        lessons.hear(&self.ledger.lessons(&self.group), now);
        lessons
    }

    fn pocket(&self) -> MutexGuard<'_, Pocket> {
        self.pocket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
