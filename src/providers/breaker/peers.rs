//! What the breakers of all providers know of each other: whether any provider is well.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::model::Timestamp;

/// Who answered within this is known to be well; of others nobody knows.
const LATELY: Duration = Duration::from_secs(300);

/// The providers of one gateway. While none but those that are ejected answered lately it may well be our own network
/// that is sick: then each is tried at a steady pace, so that work goes on as soon as anything does.
#[derive(Clone, Debug, Default)]
pub struct Peers(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Seats ever given.
    seats: u64,
    /// When those that are not ejected answered last.
    answered: BTreeMap<u64, Timestamp>,
}

impl Peers {
    /// A provider's place, for as long as the seat lives.
    pub(super) fn join(&self) -> Seat {
        let mut known = self.lock();
        known.seats += 1;
        Seat { peers: self.clone(), number: known.seats }
    }

    /// Whether none is known to be well.
    pub(super) fn none_is_left(&self, now: Timestamp) -> bool {
        // A time far ahead is from a clock that was turned back since.
        let lately = |at: &Timestamp| now.since(*at).max(at.since(now)) <= LATELY;
        !self.lock().answered.values().any(lately)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // What is known is whole at any moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One provider's place among its peers.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) peers: Peers,
    number: u64,
}

impl Seat {
    pub(super) fn answered(&self, now: Timestamp) {
        self.peers.lock().answered.insert(self.number, now);
    }

    pub(super) fn eject(&self) {
        self.peers.lock().answered.remove(&self.number);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.eject();
    }
}
