//! When, and from where, a token was last used.

use std::{
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use crate::model::{Peer, Timestamp};

/// A token's use is noted at most so often, so that a busy one costs no more than an idle one.
const NOTED_EVERY: i64 = 1000;

/// How a token was last used, as far as this process saw it.
#[derive(Default)]
pub(super) struct Usage {
    at: AtomicI64,
    /// Up to then the store knows.
    flushed: AtomicI64,
    from: Mutex<Option<IpAddr>>,
}

impl Usage {
    /// One load in most cases; one of those who come at the same time does the rest.
    pub(super) fn note(&self, now: Timestamp, peer: Option<&Peer>) {
        let Some(peer) = peer else { return };
        let last = self.at.load(Ordering::Relaxed);
        if now.as_millis() < last.saturating_add(NOTED_EVERY) {
            return;
        }
        let mine = self.at.compare_exchange(last, now.as_millis(), Ordering::Relaxed, Ordering::Relaxed);
        if mine.is_ok() {
            *self.from.lock().unwrap_or_else(PoisonError::into_inner) = Some(peer.address);
        }
    }

    pub(super) fn seen(&self) -> Option<(Timestamp, IpAddr)> {
        let from = (*self.from.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some((Timestamp::from_millis(self.at.load(Ordering::Relaxed)), from))
    }

    /// What the store does not know yet.
    pub(super) fn unflushed(&self) -> Option<(Timestamp, IpAddr)> {
        self.seen().filter(|(at, _)| self.flushed.load(Ordering::Relaxed) < at.as_millis())
    }

    pub(super) fn flushed(&self, up_to: Timestamp) {
        self.flushed.store(up_to.as_millis(), Ordering::Relaxed);
    }
}
