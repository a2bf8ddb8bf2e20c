//! What the breakers of all providers know of each other: whether any provider is left.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The providers of one gateway. Where all of several are ejected it may well be our own network that is sick: then each
/// is tried at a steady pace, so that work goes on as soon as anything does.
#[derive(Clone, Debug, Default)]
pub struct Peers(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: AtomicUsize,
    ejected: AtomicUsize,
}

impl Peers {
    /// Counts a provider for as long as the seat lives.
    pub(super) fn join(&self) -> Seat {
        self.0.all.fetch_add(1, Ordering::Relaxed);
        Seat { peers: self.clone(), is_ejected: false }
    }

    /// Whether there are several, and none of them is left.
    pub(super) fn none_is_left(&self) -> bool {
        let all = self.0.all.load(Ordering::Relaxed);
        all > 1 && self.0.ejected.load(Ordering::Relaxed) >= all
    }
}

/// One provider's place among its peers.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) peers: Peers,
    is_ejected: bool,
}

impl Seat {
    pub(super) fn eject(&mut self, ejected: bool) {
        match (self.is_ejected, ejected) {
            (false, true) => self.peers.0.ejected.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.peers.0.ejected.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
        self.is_ejected = ejected;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.eject(false);
        self.peers.0.all.fetch_sub(1, Ordering::Relaxed);
    }
}
