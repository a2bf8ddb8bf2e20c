//! Pins that a provider holds already, on their way to be an account's: staged page by page, then made.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::model::{AccountId, ContentId, JobId, PinSpec, ProviderId, Status, Timestamp, UpstreamId};

/// A pin of a provider's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPin {
    pub upstream: UpstreamId,
    pub spec: PinSpec,
    /// Something of its name or meta did not fit.
    pub is_cut: bool,
    pub status: Status,
    /// The provider's own time.
    pub created: Option<Timestamp>,
}

/// For whom a job adopts, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    pub job: JobId,
    pub provider: ProviderId,
    pub account: AccountId,
    /// Name of the policy that the pins get.
    pub policy: String,
    /// Whether the list is believed on the states of pins.
    pub is_telling: bool,
    /// Make nothing: count what would be made.
    pub is_dry: bool,
}

/// What one step of making pins did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Staged pins that were decided on.
    pub decided: u64,
    /// Pins that were made of them.
    pub made: u64,
    /// Those put off, since a call for their content is under way: the next step takes them up again.
    pub waiting: u64,
    /// Pins upstream that are to be deleted, since another one stands for their content.
    pub doubles: u64,
}

/// The provider's copies that are on record, held against what was staged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// On record, and not in the list.
    pub ours_only: u64,
    /// Where to go on; `None` at the end.
    pub next: Option<ContentId>,
}

/// What became of all that was staged. A dry run counts what would be made as made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staged {
    /// To be decided on.
    pub open: u64,
    /// On record already, by their upstream ids.
    pub both: u64,
    /// Accounts that have pins of these, by name, with of how many.
    pub holders: Vec<(String, u64)>,
    /// Pins were made of them.
    pub made: u64,
    /// The account had a pin of the same content, name and meta.
    pub had: u64,
    /// Removed while the job went on.
    pub gone: u64,
    /// Their CIDs hold the data itself: there is nothing to keep.
    pub inline: u64,
    /// Something of their names or meta did not fit.
    pub cut: u64,
    /// Deleted upstream, since another one stands for the content.
    pub doubles: u64,
    /// Copies that a dry run counted elsewhere.
    pub copies: u64,
    /// So long after the adoption the pins end, by their policy as it is now.
    pub ends_after: Option<Duration>,
}

/// The intentions of adoptions; each is atomic, and may be done twice.
#[async_trait]
pub trait AdoptStore: Send + Sync + 'static {
    /// Keeps pins of a page that were not seen yet. Returns how many these are. Background lane.
    async fn stage_pins(
        &self,
        adoption: Adoption,
        pins: Vec<ListedPin>,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Counts copies on record that were not listed, after `cursor`, `limit` copies at a time.
    async fn compare_copies(
        &self,
        adoption: Adoption,
        cursor: ContentId,
        limit: u32,
    ) -> Result<Compared, StoreError>;

    /// Makes up to `limit` pins of what was staged, the oldest first, with their copies there as adopted (I13), and settles
    /// them. Background lane.
    async fn adopt_pins(&self, adoption: Adoption, limit: u32, now: Timestamp)
    -> Result<Adopted, StoreError>;

    /// Counts what became of all that was staged.
    async fn staged(&self, adoption: Adoption) -> Result<Staged, StoreError>;

    /// Forgets up to `limit` rows of what was staged. Returns how many. Background lane.
    async fn clear_staged(&self, job: JobId, limit: u32) -> Result<u64, StoreError>;
}
