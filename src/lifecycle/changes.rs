//! Tells a waiting request that its pin has changed on disk, and who follows events that there are new ones. Told
//! after the commit; nobody relies on it for truth.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::watch;

use super::{Activator, activator::Listener};
use crate::model::{RequestId, Status};

/// What a committed transaction made of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub status: Status,
    /// Every copy has been answered for, or will not be within a moment: waiting longer is no use.
    pub answered: bool,
}

/// The bus of committed changes, by requestid. Holds an entry only while somebody waits.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pins: Arc<DashMap<RequestId, watch::Sender<Option<Change>>>>,
    events: Activator,
}

impl Changes {
    /// Listens for changes of one pin; subscribe before the pin is accepted, so that none is missed.
    pub fn subscribe(&self, pin: RequestId) -> Subscription {
        let receiver = self.pins.entry(pin).or_insert_with(|| watch::Sender::new(None)).subscribe();
        Subscription { changes: self.clone(), pin, receiver }
    }

    /// Whether anybody waits for this pin: sparing the work of telling nobody.
    pub fn is_awaited(&self, pin: RequestId) -> bool {
        self.pins.contains_key(&pin)
    }

    pub fn publish(&self, pin: RequestId, change: Change) {
        if let Some(sender) = self.pins.get(&pin) {
            sender.send_replace(Some(change));
        }
    }

    /// Listens for new events; arm it before reading those that there are.
    pub fn follow_events(&self) -> Listener {
        self.events.listen()
    }

    /// There are new events.
    pub fn publish_events(&self) {
        self.events.poke();
    }
}

/// One waiter's place on the bus; leaving it is dropping it.
#[derive(Debug)]
pub struct Subscription {
    changes: Changes,
    pin: RequestId,
    receiver: watch::Receiver<Option<Change>>,
}

impl Subscription {
    /// Waits for a change that `enough` accepts. The caller bounds the wait.
    pub async fn until(&mut self, mut enough: impl FnMut(Change) -> bool) {
        // The guard that `wait_for` gives is let go before anything is awaited, so that waiters can be sent.
        let gone = self.receiver.wait_for(|change| change.is_some_and(&mut enough)).await.is_err();
        if gone {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // The map's own lock orders this against a new subscriber of the same pin.
        self.changes.pins.remove_if(&self.pin, |_, sender| sender.receiver_count() <= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[tokio::test]
    async fn a_change_published_before_the_wait_is_seen() {
        let changes = Changes::default();
        let pin = RequestId::mint(Timestamp::ZERO);
        let mut waiter = changes.subscribe(pin);
        changes.publish(pin, Change { status: Status::Pinned, answered: true });
        waiter.until(|change| change.status == Status::Pinned).await;
    }

    #[tokio::test]
    async fn nothing_is_kept_once_nobody_waits() {
        let changes = Changes::default();
        let pin = RequestId::mint(Timestamp::ZERO);
        let (one, two) = (changes.subscribe(pin), changes.subscribe(pin));
        drop(one);
        assert!(changes.is_awaited(pin));
        drop(two);
        assert!(!changes.is_awaited(pin));
        changes.publish(pin, Change { status: Status::Queued, answered: false });
        assert!(!changes.is_awaited(pin));
    }
}
