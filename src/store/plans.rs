//! What a drain, or a policy's newest revision, would do to the pins on record; and the taking up of that revision.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::StoreError;
use crate::{
    model::{ContentId, PinId, ProviderId, RequestId, Timestamp},
    policy::{Unapplied, Undrained},
};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Everything leaves a provider.
    Drain { provider: ProviderId, allow_fewer: bool },
    /// Pins on older revisions of a policy follow the newest one.
    Apply { policy: String },
}

/// What it comes to, if every provider does what is asked of it; as far as it was looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where to go on; `None`: all was looked at.
    pub next: Option<ContentId>,
    /// Pins whose copies, or whose revision, change.
    pub pins: u64,
    /// Copies that are made.
    pub coming: BTreeMap<ProviderId, u64>,
    /// Copies that are asked for already, and must be seen there before it is done.
    pub awaited: BTreeMap<ProviderId, Awaited>,
    /// Copies that are let go, or on their way out already.
    pub going: BTreeMap<ProviderId, Going>,
    /// Of a drain's provider.
    pub leaving: Leaving,
    /// Pins that cannot have the copies that their policy asks for.
    pub short: u64,
    /// The first few of them, and why.
    pub first: Vec<(RequestId, String)>,
}

/// Copies at one provider that are not confirmed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Awaited {
    pub copies: u64,
    /// Those that have not been sent.
    pub unsent: u64,
}

/// Copies that are let go at one provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Going {
    pub copies: u64,
    /// Those that take a call: others were never sent, or are not ours to remove.
    pub calls: u64,
}

/// What becomes of the copies at a provider that is drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leaving {
    /// They go once another one is made, or confirmed.
    pub moving: u64,
    /// They go at once: there are enough elsewhere, or nothing of them was sent.
    pub spare: u64,
    /// They cannot go.
    pub staying: u64,
    /// They are being removed already.
    pub removing: u64,
}

impl Plan {
    /// Nothing was looked at yet.
    pub fn begin() -> Self {
        Self {
            next: Some(ContentId(0)),
            pins: 0,
            coming: BTreeMap::new(),
            awaited: BTreeMap::new(),
            going: BTreeMap::new(),
            leaving: Leaving::default(),
            short: 0,
            first: Vec::new(),
        }
    }
}

/// What a step of applying a policy did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// `None` once all pins were looked at.
    pub next: Option<PinId>,
    /// Pins that were changed, or settled.
    pub pins: u64,
    /// Those of them whose copies are not those yet that the policy asks for.
    pub unfit: u64,
}

/// The intentions about changes of many pins.
#[async_trait]
pub trait PlanStore: Send + Sync + 'static {
    /// Goes on with a plan, a bounded number of pins at a time. Writes nothing. [`StoreError::Unknown`]: no such provider
    /// or policy.
    async fn plan_step(&self, change: Change, so_far: Plan, now: Timestamp) -> Result<Plan, StoreError>;

    /// How many pins follow each revision of a policy, oldest first; none where there is no such policy.
    async fn revisions(&self, policy: &str) -> Result<Vec<(u32, u64)>, StoreError>;

    /// The names of all policies that ever were.
    async fn policies(&self) -> Result<Vec<String>, StoreError>;

    /// Has pins after one follow the newest revision of their policy, `limit` at most, and settles each: copies that it
    /// does not ask for go once they may (I8). A pin's end stays as it is. Background lane.
    async fn apply_step(
        &self,
        policy: String,
        after: PinId,
        limit: u32,
        now: Timestamp,
    ) -> Result<Applied, StoreError>;

    /// What is left at a provider that is drained.
    async fn undrained(&self, provider: ProviderId) -> Result<Undrained, StoreError>;

    /// What is left until the pins of a policy have the copies that its newest revision asks for, and those are gone that they
    /// let go; `older` pins follow older ones.
    async fn unapplied(&self, policy: &str, older: u64) -> Result<Unapplied, StoreError>;

    /// Settles up to `limit` such pins after one. Background lane.
    async fn settle_unfit(
        &self,
        policy: String,
        after: PinId,
        limit: u32,
        now: Timestamp,
    ) -> Result<Applied, StoreError>;
}
