//! What a tick did, for tests to assert and operators to read.

use crate::model::Timestamp;

/// What one tick did, summed over its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TickReport {
    /// Replicas whose calls were started.
    pub claimed: u64,
    /// Replicas whose calls are under way, these included.
    pub outstanding: u64,
    /// Pins settled in the background.
    pub settled: u64,
    /// Replicas queued to be settled anew after their provider's health changed.
    pub respilled: u64,
    /// Replicas that became late.
    pub late: u64,
    /// Polls brought forward because a client asks.
    pub hastened: u64,
    /// Pins deleted because their time has come.
    pub expired: u64,
    /// When to tick next, if nothing wakes the engine before.
    pub next: Option<Timestamp>,
}

impl TickReport {
    pub fn add(&mut self, other: Self) {
        self.claimed += other.claimed;
        self.outstanding += other.outstanding;
        self.settled += other.settled;
        self.respilled += other.respilled;
        self.late += other.late;
        self.hastened += other.hastened;
        self.expired += other.expired;
        self.next = earlier(self.next, other.next);
    }

    /// Whether nothing was done and nothing is under way.
    pub fn is_idle(&self) -> bool {
        let Self { claimed, outstanding, settled, respilled, late, hastened, expired, next: _ } = *self;
        claimed + outstanding + settled + respilled + late + hastened + expired == 0
    }
}

pub(super) fn earlier(one: Option<Timestamp>, two: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(two).min()
}
