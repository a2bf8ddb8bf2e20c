//! How many further tries a provider gets: a fifth of its calls, so that a sick one is not called twice as much.

use std::sync::{Mutex, PoisonError};

/// Calls that earn one further try.
const CALLS: u32 = 5;
/// Tries that are there at the start, and the most that are saved up: enough for calls that are rare.
const SAVED: u32 = 10;

/// Calls put in, further tries take out. Goes by no clock: what was not called has earned nothing.
#[derive(Debug)]
pub(super) struct Retries {
    /// In fifths of a try.
    saved: Mutex<u32>,
}

impl Default for Retries {
    fn default() -> Self {
        Self { saved: Mutex::new(SAVED * CALLS) }
    }
}

impl Retries {
    /// A call is made for the first time.
    pub(super) fn earn(&self) {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        *saved = (*saved + 1).min(SAVED * CALLS);
    }

    /// Whether it may be made once more.
    pub(super) fn spend(&self) -> bool {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left) = saved.checked_sub(CALLS) else { return false };
        *saved = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn over_any_run_of_calls_a_fifth_and_ten_more_are_tried_again(fails in proptest::collection::vec(0u32..4, 1..400)) {
            let retries = Retries::default();
            let mut tried: Vec<u32> = Vec::new();
            for wanted in fails {
                retries.earn();
                tried.push((0..wanted).map(|_| u32::from(retries.spend())).sum());
            }
            for from in 0..tried.len() {
                let run = &tried[from..];
                let calls = u32::try_from(run.len()).unwrap();
                prop_assert!(run.iter().sum::<u32>() <= SAVED + calls.div_ceil(CALLS));
            }
        }
    }

    #[test]
    fn a_provider_that_fails_each_time_is_called_a_fifth_more_in_the_long_run() {
        let retries = Retries::default();
        let mut tries = 0;
        for _ in 0..1000 {
            retries.earn();
            tries += u32::from(retries.spend()) + u32::from(retries.spend());
        }
        assert!((200..=210).contains(&tries), "{tries}");
    }
}
