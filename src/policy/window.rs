//! A sliding window kept in slots: of no window of a limit's length, wherever it begins, more calls start than planned
//! (I9).
//!
//! A call starts inside the slot that it was counted in. When calls are counted at some moment, every slot of which a
//! part lies in the window that ends then counts whole; so do slots that are yet to come. Take any window, and of the
//! calls that start in it those that were counted last: all others were counted by then, in slots that end after the
//! window begins, so that the sum was bounded with all of them in it.

use std::time::Duration;

use crate::model::{Rate, Timestamp};

/// So many to a window: what a slot takes stays counted for up to a sixteenth of the window longer than it must.
const SLOTS: u128 = 16;

/// Calls that were counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub begins: Timestamp,
    /// None of its calls starts then or later.
    pub ends: Timestamp,
    pub used: u32,
}

/// What may be counted at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub free: u32,
    /// Once that is taken: when there is more.
    pub more_in: Duration,
}

impl Slot {
    /// The slot of a limit's window that `now` is in, empty.
    pub fn at(per: Duration, now: Timestamp) -> Self {
        let width = i64::try_from((per.as_millis() / SLOTS).max(1)).unwrap_or(i64::MAX);
        let begins = now.as_millis().div_euclid(width).saturating_mul(width);
        let ends = Timestamp::from_millis(begins.saturating_add(width));
        Self { begins: Timestamp::from_millis(begins), ends, used: 0 }
    }

    /// Whether any window that ends at `now` or later may hold a call of it.
    pub fn counts(&self, per: Duration, now: Timestamp) -> bool {
        self.ends.plus(per) > now
    }
}

/// What `rate` leaves at `now`.
pub fn room(slots: &[Slot], rate: Rate, now: Timestamp) -> Room {
    let mut counting: Vec<Slot> =
        slots.iter().filter(|slot| slot.used > 0 && slot.counts(rate.per, now)).copied().collect();
    let sum = |slots: &[Slot]| slots.iter().fold(0, |sum: u32, slot| sum.saturating_add(slot.used));
    let free = rate.calls.saturating_sub(sum(&counting));
    counting.push(Slot { used: free, ..Slot::at(rate.per, now) });
    counting.retain(|slot| slot.used > 0);
    counting.sort_by_key(|slot| slot.ends);
    let lapsed = (1..=counting.len()).find(|lapsed| sum(&counting[*lapsed..]) < rate.calls);
    let last = lapsed.and_then(|lapsed| counting.get(lapsed - 1));
    Room { free, more_in: last.map_or(rate.per, |slot| slot.ends.plus(rate.per).since(now)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    /// Counts as the store does.
    fn take(slots: &mut Vec<Slot>, rate: Rate, now: Timestamp, want: u32) -> (u32, Timestamp) {
        let (granted, slot) = (room(slots, rate, now).free.min(want), Slot::at(rate.per, now));
        if granted > 0 {
            slots.push(Slot { used: granted, ..slot });
        }
        (granted, slot.ends)
    }

    proptest! {
        #[test]
        fn i9_no_window_holds_more_starts_than_planned(
            calls in 1u32..40, per in 1u64..4000, asks in prop::collection::vec((0u64..400, 0u32..12, 0u64..300), 1..80),
        ) {
            let rate = Rate { calls, per: Duration::from_millis(per) };
            let (mut slots, mut now, mut starts) = (Vec::new(), START, Vec::new());
            for (idle, want, late) in asks {
                now = now.plus(Duration::from_millis(idle));
                let (granted, ends) = take(&mut slots, rate, now, want);
                let start = now.plus(Duration::from_millis(late));
                // One that does not leave in time never does.
                starts.extend((0..granted).filter(|_| start < ends).map(|_| start));
            }
            for from in &starts {
                let inside = starts.iter().filter(|at| *at >= from && **at < from.plus(rate.per)).count();
                prop_assert!(inside <= calls as usize, "{inside} from {from}");
            }
        }

        #[test]
        fn there_is_more_when_it_says_and_not_before(
            calls in 1u32..20, asks in prop::collection::vec((0u64..3000, 1u32..8), 1..60),
        ) {
            let rate = Rate { calls, per: Duration::from_secs(10) };
            let (mut slots, mut now) = (Vec::new(), START);
            for (idle, want) in asks {
                now = now.plus(Duration::from_millis(idle));
                take(&mut slots, rate, now, want);
            }
            let Room { free, more_in } = room(&slots, rate, now);
            take(&mut slots, rate, now, free);
            let then = now.plus(more_in);
            prop_assert!(room(&slots, rate, then).free > 0);
            prop_assert_eq!(room(&slots, rate, then.minus(Duration::from_millis(1))).free, 0);
        }
    }

    #[test]
    fn nearly_all_of_a_limit_is_used_when_calls_never_cease() {
        let rate = Rate { calls: 57, per: Duration::from_secs(60) };
        let (mut slots, mut started) = (Vec::new(), 0);
        for n in 0..36_000 {
            started += take(&mut slots, rate, START.plus(Duration::from_millis(100 * n)), 2).0;
        }
        assert!(started >= 57 * 60 * 16 / 17 - 57, "{started} in an hour");
    }
}
