//! How calls ended within the last span, by slots of a tenth of it.

use std::time::Duration;

use crate::model::Timestamp;

const SLOTS: usize = 10;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Which tenth of a span since the epoch.
    at: i64,
    calls: u32,
    failed: u32,
}

/// A sliding window over calls, by the ledger's time.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// Of one slot, in ms.
    width: i64,
    slots: [Slot; SLOTS],
}

impl Window {
    pub(super) fn of(span: Duration) -> Self {
        let width = i64::try_from(span.as_millis() / SLOTS as u128).unwrap_or(i64::MAX).max(1);
        Self { width, slots: [Slot::default(); SLOTS] }
    }

    pub(super) fn note(&mut self, failed: bool, now: Timestamp) {
        let at = now.as_millis().div_euclid(self.width);
        // Holds: a remainder by SLOTS is an index.
        let slot = &mut self.slots[usize::try_from(at.rem_euclid(SLOTS as i64)).unwrap_or(0)];
        if slot.at != at {
            *slot = Slot { at, ..Slot::default() };
        }
        slot.calls += 1;
        slot.failed += u32::from(failed);
    }

    /// Calls of the last span, and how many of them failed.
    pub(super) fn sums(&self, now: Timestamp) -> (u32, u32) {
        let at = now.as_millis().div_euclid(self.width);
        let recent = self.slots.iter().filter(|slot| slot.at <= at && at - slot.at < SLOTS as i64);
        recent.fold((0, 0), |(calls, failed), slot| (calls + slot.calls, failed + slot.failed))
    }

    pub(super) fn clear(&mut self) {
        self.slots = [Slot::default(); SLOTS];
    }
}
