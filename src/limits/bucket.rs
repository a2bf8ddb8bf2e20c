//! One token bucket: governor decides, and what it goes by stands with whom it is for.

use std::{
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    RateLimiter, clock::Clock, middleware::StateInformationMiddleware, nanos::Nanos, state::StateStore,
};

use super::{limit::Limit, ticks::Ticks};

/// A limit and its decisions; shared by all whom it holds for.
pub(super) struct Rule {
    limit: Limit,
    ticks: Ticks,
    /// No earlier than governor's own beginning of time, from which each [`Spent`] counts.
    began: Duration,
    limiter: RateLimiter<Spent, InPlace, Ticks, StateInformationMiddleware>,
}

impl Rule {
    pub(super) fn new(limit: Limit, ticks: &Ticks) -> Self {
        let limiter = RateLimiter::new(limit.quota(), InPlace, ticks.clone());
        Self { limit, ticks: ticks.clone(), began: ticks.elapsed(), limiter }
    }

    pub(super) fn limit(&self) -> Limit {
        self.limit
    }
}

/// What one caller has used of one rule.
pub(super) struct Bucket {
    rule: Arc<Rule>,
    spent: Spent,
}

/// How a bucket stands after it was asked.
#[derive(Clone, Copy)]
pub(super) struct Left {
    pub(super) limit: Limit,
    pub(super) remaining: u32,
    pub(super) full_in: Duration,
    /// `None`: it was let in.
    pub(super) retry_in: Option<Duration>,
}

impl Bucket {
    pub(super) fn new(rule: &Arc<Rule>) -> Self {
        Self { rule: rule.clone(), spent: Spent::default() }
    }

    pub(super) fn rule(&self) -> &Arc<Rule> {
        &self.rule
    }

    pub(super) fn follows(&self, rule: &Arc<Rule>) -> bool {
        Arc::ptr_eq(&self.rule, rule)
    }

    /// Takes one out, if there is one.
    pub(super) fn take(&self) -> Left {
        let Rule { limit, ticks, limiter, .. } = &*self.rule;
        let (remaining, retry_in) = match limiter.check_key(&self.spent) {
            Ok(snapshot) => (snapshot.remaining_burst_capacity(), None),
            Err(not_until) => (0, Some(not_until.wait_time_from(ticks.now()))),
        };
        let missing = limit.burst().saturating_sub(remaining);
        Left { limit: *limit, remaining, full_in: limit.interval() * missing, retry_in }
    }

    /// Whether nothing is missing: a new one would be the same.
    pub(super) fn is_full(&self, now: Duration) -> bool {
        let spent = Duration::from_nanos(self.spent.0.load(Ordering::Relaxed));
        self.rule.began.saturating_add(spent) <= now
    }
}

/// GCRA's theoretical arrival time: until when what was taken is paid back, in ns from the rule's beginning; 0 where
/// nothing ever was. To governor it is its own key.
#[derive(Debug, Default)]
struct Spent(AtomicU64);

impl Clone for Spent {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

impl PartialEq for Spent {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Spent {}

/// Nothing is looked up by it.
impl Hash for Spent {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Keeps nothing: the key is the state.
struct InPlace;

impl StateStore for InPlace {
    type Key = Spent;

    fn measure_and_replace<T, F, E>(&self, spent: &Spent, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut was = spent.0.load(Ordering::Acquire);
        loop {
            let (decision, then) = decide((was != 0).then(|| Nanos::new(was)))?;
            match spent.0.compare_exchange_weak(was, then.as_u64(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(decision),
                Err(other) => was = other,
            }
        }
    }
}
