//! Events as data: noted in the transactions that make them, read by operators, bounded.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::model::{Event, EventId, EventKind, NewEvent, Timestamp};

/// Where a reader of events begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventsFrom {
    /// With the oldest that there is.
    #[default]
    Oldest,
    /// With the first after one that was seen, or after 0.
    After(EventId),
    /// With so many of the newest that match; with 0, with the next to come.
    Last(u32),
}

/// Which events to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventQuery {
    pub from: EventsFrom,
    pub limit: u32,
    /// The name of the account whose pins they are about; `None`: whatever they are about.
    pub account: Option<String>,
    /// None: all.
    pub kinds: Vec<EventKind>,
}

impl EventQuery {
    /// The most events of one page.
    pub const MAX_LIMIT: u32 = 1000;
}

/// Events in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    pub events: Vec<Event>,
    /// After which one to go on: all up to it were looked at.
    pub next: EventId,
    /// The oldest that is kept, whether it matches or not.
    pub oldest: Option<EventId>,
    /// Whether some of those that were asked for are gone, or the cursor is none of this store.
    pub missed: bool,
    /// Whether there are further ones, which may match.
    pub more: bool,
}

/// The intentions about events; each is atomic and, once it has returned `Ok`, on disk (I1).
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// A page of events. [`StoreError::Unknown`]: there never was an account of that name.
    async fn events(&self, query: EventQuery) -> Result<EventPage, StoreError>;

    /// Notes what no other intention does by itself.
    async fn note_event(&self, event: NewEvent, now: Timestamp) -> Result<(), StoreError>;

    /// Forgets some of the events that are older than `kept` or more than `most`; the newest one always stays.
    /// Returns whether there may be more to forget. Background lane.
    async fn trim_events(&self, kept: Duration, most: u32, now: Timestamp) -> Result<bool, StoreError>;
}
