//! How many fetches go on at once, the others in the order in which they came.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

pub(super) struct Slots {
    free: Semaphore,
    waiting: AtomicUsize,
}

/// Counts one who waits, also one who gives up.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slots {
    pub(super) fn new(slots: usize) -> Self {
        Self { free: Semaphore::new(slots), waiting: AtomicUsize::new(0) }
    }

    /// Waits for a slot, which is free again when it is dropped.
    pub(super) async fn take(&self) -> SemaphorePermit<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        // Holds: nobody closes the semaphore.
        let slot = self.free.acquire().await.expect("the semaphore is never closed");
        drop(waiting);
        slot
    }

    pub(super) fn are_free(&self) -> bool {
        self.free.available_permits() > 0
    }

    pub(super) fn are_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}
