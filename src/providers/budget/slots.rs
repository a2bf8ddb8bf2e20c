//! How many calls are under way at once; fewer for a while where a provider says that they were too many.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{model::Timestamp, providers::breaker::Pause};

/// How long fewer are under way at first; then one more comes back each such time.
const LOWERED_FOR: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Slots {
    semaphore: Arc<Semaphore>,
    most: usize,
    lowered: Mutex<Lowered>,
}

#[derive(Debug, Default)]
struct Lowered {
    /// Slots out of use.
    away: usize,
    /// Slots in use that are not to be used again.
    owed: usize,
    pause: Option<Pause>,
}

/// One call under way.
#[derive(Debug)]
pub(super) struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    slots: Arc<Slots>,
}

impl Slots {
    pub(super) fn new(most: usize) -> Arc<Self> {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self { semaphore: Arc::new(Semaphore::new(most)), most, lowered: Mutex::default() })
    }

    pub(super) async fn acquire(self: &Arc<Self>, now: Timestamp) -> Slot {
        self.recover(now);
        // Holds: nobody closes the semaphore.
        let permit = self.semaphore.clone().acquire_owned().await.expect("the semaphore is never closed");
        Slot { permit: Some(permit), slots: self.clone() }
    }

    pub(super) fn free(&self) -> usize {
        self.semaphore.available_permits()
    }

    /// A call that began at `began` was one too many: from now on half as many as there were are under way.
    pub(super) fn lower(&self, began: Timestamp, now: Timestamp) {
        let mut lowered = self.lowered();
        // Those that left together are refused together: that is one refusal.
        if lowered.pause.is_some_and(|pause| began <= pause.since) {
            return;
        }
        let allowed = self.most - lowered.away - lowered.owed;
        let in_use = self.most - lowered.away - self.semaphore.available_permits();
        let wanted = (in_use.min(allowed) / 2).max(1);
        let gone = self.semaphore.forget_permits(allowed.saturating_sub(wanted));
        lowered.away += gone;
        lowered.owed += allowed.saturating_sub(wanted) - gone;
        lowered.pause = Some(Pause { since: now, until: now.plus(LOWERED_FOR) });
    }

    /// Takes slots back into use, one at a time.
    fn recover(&self, now: Timestamp) {
        let mut lowered = self.lowered();
        if lowered.pause.is_none_or(|pause| pause.holds_at(now)) {
            return;
        }
        if lowered.owed > 0 {
            lowered.owed -= 1;
        } else if lowered.away > 0 {
            lowered.away -= 1;
            self.semaphore.add_permits(1);
        }
        let is_low = lowered.owed + lowered.away > 0;
        lowered.pause = is_low.then(|| Pause { since: now, until: now.plus(LOWERED_FOR) });
    }

    fn lowered(&self) -> MutexGuard<'_, Lowered> {
        self.lowered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut lowered = self.slots.lowered();
        if lowered.owed > 0
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
            lowered.owed -= 1;
            lowered.away += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[tokio::test]
    async fn too_many_at_once_means_half_as_many_for_a_while_and_one_more_at_a_time_after_that() {
        let slots = Slots::new(8);
        let mut held = Vec::new();
        for _ in 0..6 {
            held.push(slots.acquire(NOW).await);
        }
        for _ in 0..6 {
            slots.lower(NOW, NOW);
        }
        assert_eq!(slots.free(), 0);
        held.clear();
        assert_eq!(slots.free(), 3);
        let mut now = NOW;
        for free in 4..=8 {
            now = now.plus(LOWERED_FOR);
            drop(slots.acquire(now).await);
            assert_eq!(slots.free(), free);
        }
        drop(slots.acquire(now.plus(LOWERED_FOR)).await);
        assert_eq!(slots.free(), 8);
    }

    #[tokio::test]
    async fn one_call_is_always_allowed() {
        let slots = Slots::new(1);
        let held = slots.acquire(NOW).await;
        slots.lower(NOW, NOW);
        drop(held);
        assert_eq!(slots.free(), 1);
    }
}
