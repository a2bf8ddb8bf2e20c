//! When to try again: backoff with jitter, polls by age, and the rare re-checks. All spans are wall-clock time.

use std::time::Duration;

use crate::model::Timestamp;

/// The spans that a replica's schedule is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// The first wait after a failed call; doubles with each further one.
    pub retry_base: Duration,
    /// The longest wait after failed calls.
    pub retry_max: Duration,
    /// The wait before a provider that refused a content is asked once more.
    pub refused_retry: Duration,
    /// The soonest poll after a submit.
    pub poll_min: Duration,
    /// The longest wait between polls, however old the replica is.
    pub poll_max: Duration,
    /// The wait before a `pinned` that only the submit's own answer said is looked at.
    pub confirm_after: Duration,
    /// The wait between looks at a replica that is pinned.
    pub verify_every: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            retry_base: Duration::from_secs(1),
            retry_max: Duration::from_secs(600),
            refused_retry: Duration::from_secs(24 * 3600),
            poll_min: Duration::from_millis(250),
            poll_max: Duration::from_secs(3600),
            confirm_after: Duration::from_secs(30),
            verify_every: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

impl Timing {
    /// Further ahead than this nothing is ever planned, jitter included; a provider's own Retry-After goes up to a
    /// day.
    pub fn longest(&self) -> Duration {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let spans =
            [self.retry_max, self.refused_retry, self.poll_max, self.confirm_after, self.verify_every];
        spans.into_iter().max().unwrap_or_default().max(DAY).mul_f64(1.2)
    }
}

/// One call's view of time and chance: `jitter` in `0.0..1.0` is drawn by the caller, so that everything here is a
/// function of its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    pub now: Timestamp,
    pub jitter: f64,
    pub timing: &'a Timing,
    /// The wait between looks at a copy that is confirmed; `None`: its provider's list is swept instead.
    pub verify_every: Option<Duration>,
}

impl Moment<'_> {
    /// When to try again after `tries` failed calls in a row: doubling from the base to the cap, of which the last
    /// half is chance ("equal jitter"), so that never less than half of the wait is kept.
    pub fn retry(&self, tries: u32) -> Timestamp {
        let doublings = tries.saturating_sub(1).min(20);
        let wait = self.timing.retry_base.saturating_mul(1 << doublings).min(self.timing.retry_max);
        self.now.plus(wait.mul_f64(0.5 + self.jitter / 2.0))
    }

    /// When to look again at a replica that has been in its state for `age`: half its age, within bounds, so that
    /// the calls for one pin grow with the logarithm of its wait.
    pub fn poll(&self, age: Duration) -> Timestamp {
        let wait = (age / 2).clamp(self.timing.poll_min, self.timing.poll_max);
        self.now.plus(wait.mul_f64(1.0 + self.jitter / 10.0))
    }

    /// When to ask a provider again that refused.
    pub fn refused(&self) -> Timestamp {
        self.spread(self.timing.refused_retry)
    }

    /// When to look again at a pinned replica: soon where nobody but its own submit said so.
    pub fn verify(&self, confirmed: bool) -> Option<Timestamp> {
        let span = if confirmed { self.verify_every } else { Some(self.timing.confirm_after) };
        span.map(|span| self.spread(span))
    }

    /// `span` from now and up to a tenth more, so that what began together does not stay together.
    fn spread(&self, span: Duration) -> Timestamp {
        self.now.plus(span.mul_f64(1.0 + self.jitter / 10.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn retries_stay_between_half_and_whole_of_their_wait(tries in 1u32..200, jitter in 0.0f64..1.0) {
            let timing = Timing::default();
            let moment = Moment { now: Timestamp::ZERO, jitter, timing: &timing, verify_every: None };
            let wait = moment.retry(tries).since(Timestamp::ZERO);
            prop_assert!(wait >= timing.retry_base / 2);
            prop_assert!(wait <= timing.retry_max);
            prop_assert!(moment.retry(tries + 1) >= moment.retry(tries) || tries > 9);
        }

        #[test]
        fn polls_stay_within_their_bounds(age in 0u64..10_000_000_000, jitter in 0.0f64..1.0) {
            let timing = Timing::default();
            let moment = Moment { now: Timestamp::ZERO, jitter, timing: &timing, verify_every: None };
            let wait = moment.poll(Duration::from_millis(age)).since(Timestamp::ZERO);
            prop_assert!(wait >= timing.poll_min);
            prop_assert!(wait <= timing.poll_max.mul_f64(1.1));
        }
    }
}
