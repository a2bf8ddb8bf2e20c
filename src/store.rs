//! What is remembered: every intention is one durable transaction behind the object-safe trait [`Store`].

pub mod adopt;
pub mod audits;
pub mod error;
pub mod events;
pub mod jobs;
pub mod plans;
pub mod proofs;
pub mod records;
pub mod sqlite;
pub mod story;
pub mod tokens;

#[cfg(test)]
pub(crate) mod contract;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

pub use adopt::*;
pub use audits::*;
pub use error::StoreError;
pub use events::*;
pub use jobs::*;
pub use plans::*;
pub use proofs::*;
pub use records::*;
pub use story::*;
pub use tokens::*;

use crate::model::{
    AccountId, Ask, BudgetClass, Content, ContentId, Granted, Health, InstanceId, KeptTime, Lesson,
    ListQuery, Mode, OverQuota, PinId, ProviderId, ProviderRecord, ReplicaId, RequestId, Timestamp,
    UpstreamId,
};

/// A shared store.
pub type SharedStore = Arc<dyn Store>;

/// The intentions. Each is atomic and, once it has returned `Ok`, on disk (I1). Errors leave nothing behind.
#[async_trait]
pub trait Store:
    TokenStore + EventStore + JobStore + AuditStore + AdoptStore + PlanStore + ProofStore
{
    /// The id minted when this database was created.
    fn instance(&self) -> InstanceId;

    /// Makes the config's accounts, policies and providers known, marks what it no longer names as absent, and
    /// frees what a process that died had claimed. Refuses a provider whose fingerprint changed.
    async fn register(&self, config: Registration, now: Timestamp) -> Result<Registered, StoreError>;

    /// As [`register`](Self::register), for another config of the process that serves already: what is claimed stays so.
    async fn reregister(&self, config: Registration, now: Timestamp) -> Result<Registered, StoreError>;

    /// Keeps the time that is believed, for the next [`register`](Self::register) to tell. Background lane.
    async fn keep_time(&self, time: KeptTime) -> Result<(), StoreError>;

    /// Gives a provider a new fingerprint: the same account at a new address keeps its copies on record; a new
    /// account starts with none, and they are made again.
    async fn rebind_provider(
        &self,
        declared: crate::model::ProviderDecl,
        rebind: Rebind,
        now: Timestamp,
    ) -> Result<RebindReport, StoreError>;

    // ---- for clients

    /// Records a pin, its missing replicas and its links. `created` is strictly increasing per account (I3). Where the
    /// account would be over its quota, nothing is done; that is exact under any number of adds at once.
    async fn accept_pin(&self, request: AcceptPin) -> Result<PinRecord, StoreError>;

    /// As [`accept_pin`](Self::accept_pin), and the old pin is gone in the same transaction. `None`: the account has
    /// no such pin, and nothing was done.
    async fn replace_pin(&self, old: RequestId, request: AcceptPin) -> Result<Option<PinRecord>, StoreError>;

    /// Forgets a pin; copies that nobody needs any more are removed in the background. `false`: no such pin. `by`: the
    /// operator who does it in the account's stead.
    async fn delete_pin(
        &self,
        account: AccountId,
        pin: RequestId,
        by: Option<Arc<str>>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// One pin with its copies. Fast: a point read.
    async fn get_pin(&self, account: AccountId, pin: RequestId) -> Result<Option<PinRecord>, StoreError>;

    /// A page of an account's pins, newest first, with the exact count of all that match (I4).
    async fn list_pins(&self, account: AccountId, query: ListQuery) -> Result<PinPage, StoreError>;

    // ---- for the engine

    /// All providers that were ever registered, absent ones included.
    async fn providers(&self) -> Result<Vec<ProviderRecord>, StoreError>;

    /// Takes due replicas of one provider under a lease: accounts in turn by weight, of each its removes before its
    /// submits (but not for ever); polls before verifies. Commits attempt, lease and (where the first call is a submit or a delete) doubt before it returns.
    async fn claim_due(&self, request: ClaimRequest) -> Result<Claimed, StoreError>;

    /// Commits the doubt of submits that are about to leave, after a look that left at `asked_at` found nothing. Returns those
    /// that may leave; the others are not wanted any more.
    async fn begin_submits(
        &self,
        claims: Vec<ClaimKey>,
        doubt_until: Timestamp,
        asked_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<ReplicaId>, StoreError>;

    /// Records what became of claims, by compare-and-set on the attempt, and settles their pins.
    async fn record_outcomes(&self, outcomes: Vec<Outcome>, now: Timestamp) -> Result<Recorded, StoreError>;

    /// Takes doubles of ours that are to be deleted at this provider; they stay on record until
    /// [`record_surplus`](Self::record_surplus) says that they are gone.
    async fn claim_surplus(
        &self,
        provider: ProviderId,
        limit: u32,
        now: Timestamp,
        retry_at: Timestamp,
    ) -> Result<Vec<UpstreamId>, StoreError>;

    /// Forgets a double that was deleted.
    async fn record_surplus(&self, provider: ProviderId, gone: UpstreamId) -> Result<(), StoreError>;

    /// Settles up to 256 pins of the fan-out that outcomes left to do. Background lane.
    async fn remerge_step(&self, now: Timestamp) -> Result<RemergeReport, StoreError>;

    /// Queues the pins of replicas at one provider to be settled anew, after `cursor`, `limit` replicas at a time; for a
    /// provider whose health, or use, changed.
    async fn respill(
        &self,
        provider: ProviderId,
        which: Respill,
        cursor: ContentId,
        limit: u32,
    ) -> Result<Respilled, StoreError>;

    /// Queues the pins of up to `limit` replicas of a provider whose pinned copies count otherwise than before: it is
    /// dead, or not any more, or an operator wants something else of it. Nothing is written where there is none.
    async fn resettle_step(&self, limit: u32) -> Result<ResettleStep, StoreError>;

    /// Notes what an operator wants of a provider; with `allow_fewer` a drain may leave pins with fewer copies than their
    /// policies ask.
    async fn set_mode(
        &self,
        provider: ProviderId,
        mode: Mode,
        allow_fewer: bool,
        by: Option<String>,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Queues the pins of up to `limit` replicas to be settled anew, that are late by now. Nothing is written where there is none. Background lane.
    async fn note_late(&self, now: Timestamp, limit: u32) -> Result<LateStep, StoreError>;

    /// Forgets a provider that the config does not name, a bounded part of it in one step; nothing where pins need copies
    /// that are there, or a job is at it.
    async fn forget_provider(
        &self,
        provider: ProviderId,
        by: Option<String>,
        now: Timestamp,
    ) -> Result<Forgotten, StoreError>;
    /// Settles up to `limit` pins after one that want more copies than there were providers for. Background lane.
    async fn settle_missing(&self, after: PinId, limit: u32, now: Timestamp) -> Result<Missing, StoreError>;

    /// Whether a provider that was full (`max_pins`) is not any more since this was asked last. A hint: of this process only.
    fn takes_room(&self) -> bool;

    /// Brings the polls of these pins' replicas forward, to no sooner than `gap` after each was last seen.
    async fn hasten_polls(
        &self,
        pins: Vec<RequestId>,
        gap: Duration,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Brings the polls of up to `limit` replicas of a provider forward to now. Returns how many.
    async fn resume_polls(&self, provider: ProviderId, limit: u32, now: Timestamp)
    -> Result<u64, StoreError>;

    /// Deletes up to `limit` pins whose time has come, the oldest end first, each as its client would. Nothing is written
    /// where there is none. Background lane.
    async fn expire_pins(&self, now: Timestamp, limit: u32) -> Result<Expired, StoreError>;

    /// Lets go of copies that replaced pins have held for too long (7 days). Returns how many.
    async fn expire_held(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Brings forward whatever is planned further ahead than any schedule goes: what a clock that was wrong, and is
    /// right again, left behind. Looks at every replica: for that case only. Returns how many.
    async fn mend_schedule(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Notes what was observed of a provider. One that was declared dead stays so until it can be used again.
    async fn note_provider(
        &self,
        provider: ProviderId,
        health: Health,
        blocked_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Some copies that are on record as pinned at a provider, and in no doubt, to prove a new credential by: one for each of
    /// the `dice` at most, and none only where there are none.
    async fn sample_copies(
        &self,
        provider: ProviderId,
        dice: Vec<u32>,
    ) -> Result<Vec<(Content, UpstreamId)>, StoreError>;

    /// Notes that a provider's credential (its hash) reaches the copies on record.
    async fn prove_credential(&self, provider: ProviderId, hash: [u8; 32]) -> Result<(), StoreError>;

    // ---- for budgets

    /// Counts calls that are about to start, or says when there is room for some (I9).
    async fn reserve_calls(&self, ask: Ask) -> Result<Granted, StoreError>;

    /// Keeps what a provider's refusal taught of one of its limits.
    async fn note_lesson(
        &self,
        group: Arc<str>,
        class: BudgetClass,
        lesson: Lesson,
    ) -> Result<(), StoreError>;

    /// How the ledger of calls was left.
    async fn ledger(&self) -> Result<Ledger, StoreError>;

    // ---- for operators

    /// All there is to say of one pin, whoever's it is. Fast: point reads.
    async fn explain_pin(&self, pin: RequestId, now: Timestamp) -> Result<Option<PinStory>, StoreError>;

    /// Counts for gauges, from counters and bounded reads: never a scan over pins.
    async fn stats(&self, now: Timestamp) -> Result<StoreStats, StoreError>;

    /// Whether the store can be read.
    async fn ping(&self) -> Result<(), StoreError>;
}
