//! What a change of many pins would cost: calls by class, and the time that these take within the budgets.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::{poll::SWEEP, roster::Roster};
use crate::{
    model::{BudgetClass, ByClass, Clock, ProviderId, Rate, Rates, Timestamp},
    providers::Traits,
    store::{Change, Plan, SharedStore, StoreError},
};

/// Makes plans, one at a time. Clones share that.
#[derive(Clone)]
pub struct Planner {
    store: SharedStore,
    clock: Arc<dyn Clock>,
    roster: Roster,
    turn: Arc<Semaphore>,
}

/// A plan and what it costs at each provider that has something to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Costed {
    pub plan: Plan,
    pub bills: Vec<Bill>,
}

/// What a plan comes to at one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    pub provider: String,
    /// Copies that are made there, those included that are asked for already and not confirmed yet.
    pub coming: u64,
    /// Copies that are let go there.
    pub going: u64,
    /// The least that takes; none where the provider is not called any more.
    pub calls: ByClass<u64>,
    /// `None`: unknown, as no budget says how fast these calls may leave.
    pub time: Option<Duration>,
}

impl Planner {
    pub(super) fn new(store: SharedStore, clock: Arc<dyn Clock>, roster: Roster) -> Self {
        Self { store, clock, roster, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Where no provider can be called.
    #[cfg(test)]
    pub fn alone(store: SharedStore, clock: Arc<dyn Clock>) -> Self {
        Self::new(store, clock, Roster::default())
    }

    /// # Errors
    /// [`StoreError::Unknown`]: no such provider or policy; [`StoreError::Busy`]: another plan is being made.
    pub async fn plan(&self, change: Change) -> Result<Costed, StoreError> {
        let _turn = self.turn.try_acquire().map_err(|_| StoreError::Busy)?;
        let now = self.clock.now();
        let mut plan = Plan::begin();
        while plan.next.is_some() {
            plan = self.store.plan_step(change.clone(), plan, now).await?;
        }
        let records = self.store.providers().await?;
        let bills = records.into_iter().filter_map(|record| self.bill(record.id, record.name, &plan, now));
        Ok(Costed { bills: bills.collect(), plan })
    }

    fn bill(&self, id: ProviderId, provider: String, plan: &Plan, now: Timestamp) -> Option<Bill> {
        let awaited = plan.awaited.get(&id).copied().unwrap_or_default();
        let new = plan.coming.get(&id).copied().unwrap_or_default();
        let (coming, sent) = (new + awaited.copies, awaited.copies - awaited.unsent);
        let going = plan.going.get(&id).copied().unwrap_or_default();
        if coming + going.copies == 0 {
            return None;
        }
        let called = self.roster.find(id);
        let costs = called.map(|called| {
            let calls = calls(called.traits(), coming - sent, sent, going.calls);
            (calls, time(&calls, &called.standing(now).rates))
        });
        let (calls, time) = costs.unwrap_or((ByClass::default(), Some(Duration::ZERO)));
        Some(Bill { provider, coming, going: going.copies, calls, time })
    }
}

/// Copies on one page of a list that is swept.
const PAGE: u64 = 1000;

/// A copy that comes is looked for where somebody else may have made it, sent, and seen once, many by one page; one that was
/// sent is only seen, and one that goes is removed.
fn calls(traits: &Traits, coming: u64, sent: u64, going: u64) -> ByClass<u64> {
    let lists = |copies: u64| copies.div_ceil(traits.batch.max(1) as u64);
    let mut calls = ByClass::default();
    calls[BudgetClass::Write] = coming + going;
    calls[BudgetClass::List] = if traits.exclusive { 0 } else { lists(coming) };
    let seen = coming + sent;
    if !traits.lists_tell {
        calls[BudgetClass::Read] = seen;
    } else if traits.sweeps && seen >= SWEEP as u64 {
        calls[BudgetClass::List] += seen.div_ceil(PAGE);
    } else {
        calls[BudgetClass::List] += lists(seen);
    }
    calls
}

/// How long the slowest class of calls takes at least.
fn time(calls: &ByClass<u64>, rates: &Rates) -> Option<Duration> {
    let all = calls.iter().map(|(_, calls)| calls).sum();
    if all == 0 {
        return Some(Duration::ZERO);
    }
    let own = calls.iter().filter(|(_, calls)| **calls > 0);
    let spans = own.filter_map(|(class, calls)| Some(span(*calls, rates[class]?)));
    spans.chain(rates[BudgetClass::Any].map(|rate| span(all, rate))).max()
}

/// The least time from the first of so many calls to the last one: each window may be spent at its very beginning, as the
/// first one is where nothing was called for before.
fn span(calls: u64, rate: Rate) -> Duration {
    let windows = calls.saturating_sub(1) / u64::from(rate.calls.max(1));
    let millis = rate.per.as_millis() * u128::from(windows);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::*;

    fn rates(of: impl Fn(BudgetClass) -> Option<u32>) -> Rates {
        ByClass::from_fn(|class| of(class).map(|calls| Rate { calls, per: Duration::from_secs(60) }))
    }

    fn traits() -> Traits {
        Traits {
            exclusive: false,
            batch: 10,
            deadline: Duration::from_secs(60),
            settle: Duration::from_secs(60),
            concurrency: 4,
            max_queued: None,
            lists_tell: true,
            sweeps: true,
            walks: true,
            resumes: false,
            introduces: false,
        }
    }

    #[test]
    fn copies_that_come_are_looked_for_sent_and_seen_and_those_that_go_are_removed() {
        let calls = calls(&traits(), 100, 0, 7);
        let by = |class: BudgetClass| calls[class];
        assert_eq!((by(BudgetClass::Write), by(BudgetClass::List), by(BudgetClass::Read)), (107, 11, 0));
        let alone = Traits { exclusive: true, lists_tell: false, ..traits() };
        let calls = super::calls(&alone, 100, 0, 0);
        assert_eq!((calls[BudgetClass::List], calls[BudgetClass::Read]), (0, 100));
        let sent = super::calls(&traits(), 5, 15, 0);
        assert_eq!((sent[BudgetClass::Write], sent[BudgetClass::List]), (5, 1 + 2));
    }

    #[test]
    fn the_slowest_class_says_how_long_it_takes() {
        let calls = calls(&traits(), 1000, 0, 0);
        let writes = rates(|class| (class == BudgetClass::Write).then_some(20));
        assert_eq!(time(&calls, &writes), Some(Duration::from_secs(60 * (999 / 20))));
        let both = rates(|class| (class != BudgetClass::Any).then_some(20));
        assert_eq!(time(&calls, &both), time(&calls, &writes));
        let all = rates(|class| (class == BudgetClass::Any).then_some(20));
        assert_eq!(time(&calls, &all), Some(Duration::from_secs(60 * (1100 / 20))));
    }

    #[test]
    fn what_fits_into_a_free_window_takes_no_time() {
        let calls = calls(&traits(), 0, 0, 20);
        assert_eq!(time(&calls, &rates(|_| Some(20))), Some(Duration::ZERO));
        assert_eq!(time(&calls, &rates(|_| Some(19))), Some(Duration::from_secs(60)));
    }

    proptest! {
        /// A limiter of windows that are free at first lets each call through at the first instant at which it may.
        #[test]
        fn the_least_time_is_what_a_window_that_is_free_needs(calls in 1..500u64, most in 1..60u32, per in 1..100_000u64) {
            let mut starts: Vec<u64> = Vec::new();
            for _ in 0..calls {
                let earlier = starts.len().checked_sub(most as usize).map(|nth| starts[nth] + per);
                let last = starts.last().copied().unwrap_or(0);
                starts.push(earlier.unwrap_or(0).max(last));
            }
            let rate = Rate { calls: most, per: Duration::from_millis(per) };
            prop_assert_eq!(span(calls, rate), Duration::from_millis(*starts.last().unwrap()));
        }
    }

    #[test]
    fn without_a_budget_nobody_knows_how_long_it_takes() {
        assert_eq!(time(&calls(&traits(), 1, 0, 0), &Rates::default()), None);
        assert_eq!(time(&calls(&traits(), 0, 0, 0), &Rates::default()), Some(Duration::ZERO));
    }
}
