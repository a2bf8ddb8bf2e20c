//! The calls that a provider allows (I9): no request leaves without a [`Permit`].
//!
//! Today: so many at once, and none before the time that the provider asked for.

#[cfg(test)]
use std::sync::atomic::{AtomicU64, Ordering};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::http::{Response, StatusCode};
use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{breaker::Pause, retry_after};
use crate::{model::Timestamp, telemetry::ProviderMetrics};

/// The first wait after a 429 that names no time; doubles while they go on.
const UNTOLD_BASE: Duration = Duration::from_secs(1);
const UNTOLD_MAX: Duration = Duration::from_secs(60);

/// The right to send one HTTP request, held until its answer is read. Only the budget makes one.
#[derive(Debug)]
pub struct Permit {
    _slot: OwnedSemaphorePermit,
}

pub(super) struct Budget {
    slots: Arc<Semaphore>,
    throttle: Mutex<Throttle>,
    #[cfg(test)]
    granted: AtomicU64,
    metrics: ProviderMetrics,
}

#[derive(Default)]
struct Throttle {
    pause: Option<Pause>,
    /// Answers of 429 in a row that named no time.
    untold: u32,
}

impl Budget {
    pub(super) fn new(concurrency: usize, metrics: ProviderMetrics) -> Self {
        let slots = Arc::new(Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            slots,
            throttle: Mutex::default(),
            #[cfg(test)]
            granted: AtomicU64::default(),
            metrics,
        }
    }

    /// Waits for a free slot; refuses at once while the provider wants to be left alone. `now` is read after the
    /// wait, during which that may have begun.
    pub(super) async fn permit(&self, now: impl Fn() -> Timestamp) -> Result<Permit, Timestamp> {
        let began = Instant::now();
        // Holds: nobody closes the semaphore.
        let slot = self.slots.clone().acquire_owned().await.expect("the semaphore is never closed");
        self.metrics.throttle_wait(began.elapsed());
        if let Some(until) = self.blocked_at(now()) {
            return Err(until);
        }
        #[cfg(test)]
        self.granted.fetch_add(1, Ordering::Relaxed);
        Ok(Permit { _slot: slot })
    }

    /// Calls that could start now.
    pub(super) fn free(&self) -> usize {
        self.slots.available_permits()
    }

    /// How many permits were ever given.
    #[cfg(test)]
    pub(super) fn granted(&self) -> u64 {
        self.granted.load(Ordering::Relaxed)
    }

    pub(super) fn blocked_at(&self, now: Timestamp) -> Option<Timestamp> {
        let throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        throttle.pause.filter(|pause| pause.holds_at(now)).map(|pause| pause.until)
    }

    /// Learns from an answer how long to keep away. A later time that is known already stays.
    pub(super) fn learn(&self, answer: &Response<Bytes>, now: Timestamp) {
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = retry_after::asked_until(answer, now);
        let untold = answer.status() == StatusCode::TOO_MANY_REQUESTS && asked.is_none();
        throttle.untold = if untold { throttle.untold + 1 } else { 0 };
        let guess = || {
            let wait = UNTOLD_BASE.saturating_mul(1 << (throttle.untold - 1).min(16)).min(UNTOLD_MAX);
            now.plus(wait)
        };
        let Some(until) = asked.or_else(|| untold.then(guess)) else { return };
        let known = throttle.pause.filter(|pause| pause.holds_at(now)).map_or(now, |pause| pause.until);
        throttle.pause = Some(Pause { since: now, until: until.max(known) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn answer(status: u16, after: Option<&str>) -> Response<Bytes> {
        let answer = Response::builder().status(status);
        let answer = match after {
            Some(after) => answer.header("retry-after", after),
            None => answer,
        };
        answer.body(Bytes::new()).unwrap()
    }

    #[tokio::test]
    async fn a_caller_that_waited_hears_of_a_throttle_that_began_meanwhile() {
        let budget = Arc::new(Budget::new(1, Metrics::new().provider("alpha")));
        let first = budget.permit(|| NOW).await.unwrap();
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.permit(|| NOW).await.map(drop) }
        });
        budget.learn(&answer(429, Some("5")), NOW);
        drop(first);
        assert_eq!(waiting.await.unwrap(), Err(NOW.plus(Duration::from_secs(5))));
        assert_eq!(budget.granted(), 1);
        assert!(budget.permit(|| NOW.plus(Duration::from_secs(5))).await.is_ok());
    }

    #[test]
    fn a_shorter_word_does_not_end_a_longer_one() {
        let budget = Budget::new(1, Metrics::new().provider("alpha"));
        budget.learn(&answer(429, Some("60")), NOW);
        budget.learn(&answer(503, Some("1")), NOW);
        assert_eq!(budget.blocked_at(NOW), Some(NOW.plus(Duration::from_secs(60))));
        assert_eq!(budget.blocked_at(NOW.minus(Duration::from_secs(60))), None);
    }

    #[test]
    fn refusals_that_name_no_time_wait_longer_each_time() {
        let budget = Budget::new(1, Metrics::new().provider("alpha"));
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            budget.learn(&answer(429, None), NOW);
            assert_eq!(budget.blocked_at(NOW), Some(NOW.plus(Duration::from_secs(wait))));
        }
        budget.learn(&answer(503, None), NOW.plus(UNTOLD_MAX));
        assert_eq!(budget.blocked_at(NOW.plus(UNTOLD_MAX)), None);
    }
}
