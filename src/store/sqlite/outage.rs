//! A disk that is full, or a database that cannot be written: told once, where each request would tell of it, and once more
//! when it is over.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    store::StoreError,
    telemetry::{Repeats, StoreErrorKind},
};

/// A full disk takes a small write now and then: it is over when none was refused for so long.
const QUIET: Duration = Duration::from_secs(10);

/// Whether it goes on.
#[derive(Default)]
pub(super) struct Outage(Mutex<State>);

#[derive(Default)]
struct State {
    repeats: Repeats,
    failed_at: Option<Instant>,
}

impl Outage {
    /// An operation failed.
    pub(super) fn failed(&self, kind: StoreErrorKind, error: Option<&StoreError>) {
        if !matches!(kind, StoreErrorKind::Full | StoreErrorKind::Connection) {
            return;
        }
        if self.with(|state| state.failed(Instant::now())) {
            let error = error.map(|error| error as &dyn std::error::Error);
            tracing::error!(error, "the store cannot be written: nothing new is taken until it can");
        }
    }

    /// Something was written.
    pub(super) fn wrote(&self) {
        if self.with(|state| state.wrote(Instant::now())) {
            tracing::info!("the store can be written again");
        }
    }

    fn with(&self, tell: impl FnOnce(&mut State) -> bool) -> bool {
        // A state is whole at any moment.
        tell(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// Returns whether that is news.
    fn failed(&mut self, now: Instant) -> bool {
        self.failed_at = Some(now);
        self.repeats.failed()
    }

    /// Returns whether that is the end of it.
    fn wrote(&mut self, now: Instant) -> bool {
        let is_over = self.failed_at.is_some_and(|at| now.duration_since(at) >= QUIET);
        if is_over {
            self.failed_at = None;
        }
        is_over && self.repeats.worked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_once_and_is_over_when_nothing_was_refused_for_a_while() {
        let (mut state, start) = (State::default(), Instant::now());
        assert!(!state.wrote(start), "nothing was amiss");
        assert_eq!([state.failed(start), state.failed(start + QUIET / 2)], [true, false]);
        assert!(!state.wrote(start + QUIET), "a small write got through");
        assert!(!state.failed(start + QUIET), "that is no news");
        assert!(state.wrote(start + 2 * QUIET) && !state.wrote(start + 3 * QUIET));
        assert!(state.failed(start + 4 * QUIET));
    }
}
