//! What audits read and write: which copies a provider's list showed, which are to be looked at, what nobody knows.

use async_trait::async_trait;

use super::StoreError;
use crate::model::{Allowance, Content, ContentId, JobId, ProviderId, Timestamp, UpstreamId};

use std::time::Duration;

/// The most pins of one provider that nobody knows here that are kept by name; beyond that they are counted.
pub const ORPHANS: u32 = 10_000;

/// A pin as a provider's list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub upstream: UpstreamId,
    pub content: Content,
    pub pinned: bool,
    pub name: Option<String>,
    /// By the provider's clock.
    pub created: Option<Timestamp>,
}

/// What a page of a list was to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Our copies, whatever the list says of them.
    pub ours: u64,
    pub orphans: u64,
}

/// Which of a provider's copies are to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weigh {
    pub job: JobId,
    pub provider: ProviderId,
    /// Those only that are pinned since before this.
    pub began: Timestamp,
    pub after: ContentId,
    /// The most copies that are gone through.
    pub limit: u32,
}

/// What a step of that found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weighed {
    /// Copies that should be there.
    pub copies: u64,
    /// Those of them that the list did not show as pinned.
    pub suspects: u64,
    /// `None` at the end.
    pub next: Option<ContentId>,
}

/// What became of suspects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Not pinned there: sent again, where that is needed.
    pub lost: u64,
    pub found: u64,
    /// Not wanted any more.
    pub dropped: u64,
    /// Their looks keep failing: whether they are there shows once one of these is answered.
    pub unanswered: u64,
    /// Not looked at yet.
    pub left: u64,
}

/// A pin at a provider that nobody knows here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    pub upstream: UpstreamId,
    pub content: Content,
    pub name: Option<String>,
    /// By the provider's clock.
    pub created: Option<Timestamp>,
    pub seen_at: Timestamp,
}

/// The intentions of audits; each is atomic and, once it has returned `Ok`, on disk (I1). All may be done twice.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// Whether an audit may make a call at a provider without taking it from what is new; `Some`: not before this time
    /// has passed. `patient`: what is new waited for long though there were calls, so that it waits for something else.
    /// Background lane.
    async fn audit_waits(
        &self,
        provider: ProviderId,
        allowance: Option<Allowance>,
        patient: bool,
        now: Timestamp,
    ) -> Result<Option<Duration>, StoreError>;

    /// Copies that are on record as being at a provider, or on their way there.
    async fn copies_on_record(&self, provider: ProviderId) -> Result<u64, StoreError>;

    /// Notes that an audit began, or that there are to be audits from now on.
    async fn audit_begins(&self, provider: ProviderId, now: Timestamp) -> Result<(), StoreError>;

    /// Notes what a page of a provider's list showed. Background lane.
    async fn audit_page(
        &self,
        job: JobId,
        provider: ProviderId,
        pins: Vec<Listed>,
        now: Timestamp,
    ) -> Result<Met, StoreError>;

    /// Goes on through the copies of a provider, for those that are pinned by its word and were not met. Background lane.
    async fn audit_weigh(&self, weigh: Weigh) -> Result<Weighed, StoreError>;

    /// Has up to `limit` suspects looked at by the engine, and drops from them what was since `since`. Background lane.
    async fn audit_clear(
        &self,
        job: JobId,
        (began, since): (Timestamp, Timestamp),
        limit: u32,
        now: Timestamp,
    ) -> Result<Cleared, StoreError>;

    /// Notes that an audit ended well; with `swept`, that its sweep met the whole list, and so many orphans.
    async fn audit_ends(
        &self,
        job: JobId,
        provider: ProviderId,
        swept: Option<(Timestamp, u64)>,
    ) -> Result<(), StoreError>;

    /// Plans looks for pinned copies of a provider that lack them, after a content; so many are gone
    /// through. `None` at the end. Background lane.
    async fn plan_looks(
        &self,
        provider: ProviderId,
        after: ContentId,
        limit: u32,
        now: Timestamp,
    ) -> Result<Option<ContentId>, StoreError>;

    /// A page of the pins at a provider that nobody knows here, by their upstream ids.
    async fn orphans(
        &self,
        provider: ProviderId,
        after: Option<UpstreamId>,
        limit: u32,
    ) -> Result<Vec<Orphan>, StoreError>;
}
