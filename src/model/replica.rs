//! A replica (to users: a copy): one provider's hold of one content, shared by all pins that need it.

use std::fmt;

use super::{ContentId, ProviderId, ReplicaId, Status, Timestamp, UpstreamId, provider::codes};

codes! {
    /// What should become of a replica.
    Goal {
        Keep = 0 "keep",
        Remove = 1 "remove",
    }
}

codes! {
    /// What the provider last said. Any state may follow any other, by its word only.
    ReplicaState {
        /// Nothing is known to be there.
        None = 0 "none",
        Queued = 1 "queued",
        Pinning = 2 "pinning",
        Pinned = 3 "pinned",
        Failed = 4 "failed",
        /// It was there and is not any more.
        Lost = 5 "lost",
    }
}

impl From<Status> for ReplicaState {
    fn from(status: Status) -> Self {
        match status {
            Status::Queued => Self::Queued,
            Status::Pinning => Self::Pinning,
            Status::Pinned => Self::Pinned,
            Status::Failed => Self::Failed,
        }
    }
}

codes! {
    /// A call whose answer was not seen (I7).
    Doubt {
        None = 0 "none",
        Submit = 1 "submit",
        Remove = 2 "remove",
    }
}

codes! {
    /// What is due for a replica, in the order in which a provider's calls are spent.
    Op {
        Remove = 0 "remove",
        Submit = 1 "submit",
        Poll = 2 "poll",
        Verify = 3 "verify",
    }
}

codes! {
    /// Whose the upstream pin is (I13). Only what is made or adopted is ever deleted.
    Owned {
        Made = 0 "made",
        Adopted = 1 "adopted",
        Found = 2 "found",
    }
}

codes! {
    /// Why a call failed, as far as the engine needs to know.
    ErrorClass {
        /// May work next time: 5xx, timeout, reset, unreachable.
        Transient = 0 "transient",
        /// The provider's rate or concurrency limit.
        Throttled = 1 "throttled",
        /// This request will not be accepted as it is.
        Rejected = 2 "rejected",
        /// The credential is refused.
        Auth = 3 "auth",
        /// No credit, or the plan does not allow it.
        Funds = 4 "funds",
        /// An answer that makes no sense.
        Unknown = 5 "unknown",
    }
}

/// The whole state of one replica: what the store keeps and what the pure machine in
/// [`policy::replica`](crate::policy::replica) steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    pub id: ReplicaId,
    pub provider: ProviderId,
    pub content: ContentId,
    pub goal: Goal,
    pub state: ReplicaState,
    pub owned: Owned,
    pub doubt: Doubt,
    /// Until when the call in doubt may still take effect: its deadline and the settle time (wall clock).
    pub doubt_until: Option<Timestamp>,
    /// Counts claims; every outcome is compared with it and set by it.
    pub attempt: i64,
    /// What is due next, and when (wall clock). While leased: when the lease ends.
    pub due: Option<(Op, Timestamp)>,
    /// Whether a claim is out for it.
    pub leased: bool,
    /// Failed calls in a row.
    pub tries: u32,
    /// Refusals (rejected, or `failed` by the provider's word) since a pin last asked anew.
    pub refusals: u32,
    pub error: Option<ReplicaError>,
    pub state_at: Timestamp,
    /// When the provider last spoke of it.
    pub seen_at: Option<Timestamp>,
    /// When a GET or a list last said `pinned` (I8's "confirmed").
    pub verified_at: Option<Timestamp>,
    pub upstream: Option<UpstreamId>,
}

impl Replica {
    /// When it was last confirmed, by a look of its own or by the last whole sweep of its provider's list.
    pub fn verified(&self, swept_at: Option<Timestamp>) -> Option<Timestamp> {
        let was_there = |at: &Timestamp| self.state == ReplicaState::Pinned && self.state_at < *at;
        self.verified_at.max(swept_at.filter(was_there))
    }
}

/// The last thing that went wrong with a replica, for users to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaError {
    pub class: ErrorClass,
    pub text: String,
}
