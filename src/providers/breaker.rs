//! Leaves a provider that does not answer alone for a while, then lets one call try.
//!
//! A pure machine in one lock: `closed -> open -> probation -> closed | open`, each state with its own data.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    model::Timestamp,
    telemetry::{BreakerState, ProviderMetrics},
};

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) threshold: u32,
    pub(super) base: Duration,
    pub(super) max: Duration,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        pause: Pause,
        repeats: u32,
    },
    /// One call is out to try.
    Probation {
        repeats: u32,
    },
}

/// A span of wall-clock time; over as well when the clock was turned back before its beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pause {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

impl Pause {
    pub(super) fn holds_at(self, now: Timestamp) -> bool {
        self.since <= now && now < self.until
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
    /// The one that tries is out.
    Probing,
    ShutUntil(Timestamp),
}

pub(super) struct Breaker {
    state: Mutex<State>,
    limits: Limits,
    metrics: ProviderMetrics,
}

impl Breaker {
    pub(super) fn new(limits: Limits, metrics: ProviderMetrics) -> Self {
        metrics.breaker(BreakerState::Closed);
        Self { state: Mutex::new(State::Closed { failures: 0 }), limits, metrics }
    }

    pub(super) fn gate(&self, now: Timestamp) -> Gate {
        match *self.lock() {
            State::Closed { .. } => Gate::Open,
            State::Open { pause, .. } if pause.holds_at(now) => Gate::ShutUntil(pause.until),
            State::Open { .. } => Gate::OneProbe,
            State::Probation { .. } => Gate::Probing,
        }
    }

    /// Lets a call leave, or says until when none may.
    pub(super) fn admit(&self, now: Timestamp) -> Result<Admission<'_>, Timestamp> {
        let mut state = self.lock();
        match *state {
            State::Closed { .. } => Ok(Admission { breaker: self, probe: false }),
            State::Open { pause, .. } if pause.holds_at(now) => Err(pause.until),
            State::Open { repeats, .. } => {
                self.enter(&mut state, State::Probation { repeats });
                Ok(Admission { breaker: self, probe: true })
            }
            State::Probation { .. } => Err(now.plus(self.limits.base)),
        }
    }

    fn settle(&self, probe: bool, verdict: Verdict, now: Timestamp) {
        let mut state = self.lock();
        let next = match (*state, verdict) {
            (State::Closed { .. }, Verdict::Answered) => State::Closed { failures: 0 },
            (State::Closed { failures }, Verdict::Failed) if failures + 1 < self.limits.threshold => {
                State::Closed { failures: failures + 1 }
            }
            (State::Closed { .. }, Verdict::Failed) => self.open(0, now),
            (State::Probation { .. }, Verdict::Answered) if probe => State::Closed { failures: 0 },
            (State::Probation { repeats }, Verdict::Failed) if probe => self.open(repeats + 1, now),
            // A call that left before the breaker opened: it tells of the past.
            (State::Open { .. } | State::Probation { .. }, _) => return,
        };
        self.enter(&mut state, next);
    }

    /// A call that nothing was learned from: another may try.
    fn abandon(&self, probe: bool) {
        let mut state = self.lock();
        if let (State::Probation { repeats }, true) = (*state, probe) {
            let over = Pause { since: Timestamp::ZERO, until: Timestamp::ZERO };
            self.enter(&mut state, State::Open { pause: over, repeats });
        }
    }

    /// Doubles with each probe that failed, up to the cap; half of it is chance.
    fn open(&self, repeats: u32, now: Timestamp) -> State {
        let wait = self.limits.base.saturating_mul(1 << repeats.min(16)).min(self.limits.max);
        let wait = wait.mul_f64(0.5 + rand::random::<f64>() / 2.0);
        State::Open { pause: Pause { since: now, until: now.plus(wait) }, repeats }
    }

    fn enter(&self, state: &mut State, next: State) {
        self.metrics.breaker(match next {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::Probation { .. } => BreakerState::Probation,
        });
        *state = next;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn breaker() -> Breaker {
        let limits = Limits { threshold: 2, base: Duration::from_secs(1), max: Duration::from_secs(30) };
        Breaker::new(limits, Metrics::new().provider("alpha"))
    }

    fn end(breaker: &Breaker, verdict: Verdict, now: Timestamp) {
        let Ok(admission) = breaker.admit(now) else { panic!("the breaker is open at {now}") };
        admission.settle(verdict, now);
    }

    fn shut_until(breaker: &Breaker, now: Timestamp) -> Timestamp {
        let Gate::ShutUntil(until) = breaker.gate(now) else { panic!("not open: {:?}", breaker.gate(now)) };
        until
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_good_probe_closes_it() {
        let breaker = breaker();
        end(&breaker, Verdict::Failed, NOW);
        end(&breaker, Verdict::Answered, NOW);
        end(&breaker, Verdict::Failed, NOW);
        assert_eq!(breaker.gate(NOW), Gate::Open);
        end(&breaker, Verdict::Failed, NOW);
        let until = shut_until(&breaker, NOW);
        assert!(breaker.admit(NOW).is_err());
        assert_eq!(breaker.gate(until), Gate::OneProbe);
        let Ok(probe) = breaker.admit(until) else { panic!("no probe") };
        assert_eq!(breaker.gate(until), Gate::Probing);
        assert!(breaker.admit(until).is_err());
        probe.settle(Verdict::Answered, until);
        assert_eq!(breaker.gate(until), Gate::Open);
    }

    #[test]
    fn each_failed_probe_doubles_the_wait_up_to_the_cap() {
        let breaker = breaker();
        let mut now = NOW;
        end(&breaker, Verdict::Failed, now);
        for opened in 0..10u32 {
            end(&breaker, Verdict::Failed, now);
            let until = shut_until(&breaker, now);
            let whole = Duration::from_secs(1 << opened).min(Duration::from_secs(30));
            assert!(until.since(now) >= whole / 2 && until.since(now) <= whole);
            now = until;
        }
    }

    #[test]
    fn a_probe_given_up_lets_another_try() {
        let breaker = breaker();
        end(&breaker, Verdict::Failed, NOW);
        end(&breaker, Verdict::Failed, NOW);
        let until = shut_until(&breaker, NOW);
        drop(breaker.admit(until));
        assert_eq!(breaker.gate(until), Gate::OneProbe);
    }

    #[test]
    fn a_clock_turned_back_does_not_keep_it_open() {
        let breaker = breaker();
        end(&breaker, Verdict::Failed, NOW);
        end(&breaker, Verdict::Failed, NOW);
        assert_eq!(breaker.gate(NOW.minus(Duration::from_secs(3600))), Gate::OneProbe);
    }
}
