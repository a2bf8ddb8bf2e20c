//! How much of one provider's work is under way.

use std::sync::Arc;

use tokio::sync::watch;

use crate::lifecycle::Activator;

/// Replicas whose calls are under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    pub(super) singles: usize,
    pub(super) looks: usize,
}

/// Work that is under way; done when it is dropped, however it ended.
pub(super) struct Ticket {
    pub(super) load: Load,
    pub(super) sum: Arc<watch::Sender<Load>>,
    pub(super) done: Activator,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.sum.send_modify(|sum| {
            sum.singles -= self.load.singles;
            sum.looks -= self.load.looks;
        });
        self.done.poke();
    }
}
