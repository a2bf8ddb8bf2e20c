//! What goes into and comes out of the store: plain data, no SQL, no rows.

use std::{sync::Arc, time::Duration};

use crate::{
    model::{
        AccountDecl, AccountId, Allowance, BudgetClass, Codec, Content, ContentId, ErrorClass, Goal, Health,
        JobId, JobKind, JobState, KeptTime, Lesson, Mode, Op, PinId, PinSpec, ProviderDecl, ProviderId,
        ProviderRecord, Quota, QuotaKind, ReplicaId, ReplicaState, RequestId, Reserved, Status, Timestamp,
        UpstreamId,
    },
    policy::{
        Policy,
        replica::{CallError, Work},
    },
};

/// What the config declares.
#[derive(Clone, Debug, Default)]
pub struct Registration {
    pub accounts: Vec<AccountDecl>,
    pub policies: Vec<Policy>,
    pub providers: Vec<ProviderDecl>,
}

/// What became of a [`Registration`].
#[derive(Clone, Debug, Default)]
pub struct Registered {
    pub accounts: Vec<(String, AccountId)>,
    /// Those that the config names.
    pub providers: Vec<ProviderRecord>,
    /// Those that it does not name any more, with the copies that are on record there.
    pub absent: Vec<(ProviderRecord, u64)>,
    /// Policies that the config does not name any more, with the pins that still follow their last revision.
    pub orphaned_policies: Vec<(String, u64)>,
    /// Claims of a process that died, freed.
    pub recovered: u64,
    /// How far the clock is behind the last time on record, where it is.
    pub clock_behind: Option<Duration>,
    /// The time that the last process was sure of.
    pub time: KeptTime,
}

/// What a provider's new fingerprint means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebind {
    /// The same account at a new address: copies stay on record.
    SameAccount,
    /// Another account: nothing of ours is there.
    NewAccount,
}

/// What a rebind changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RebindReport {
    pub provider: ProviderId,
    /// Copies on record there.
    pub copies: u64,
}

/// A checked pin request, to be recorded.
#[derive(Clone, Debug)]
pub struct AcceptPin {
    pub account: AccountId,
    /// Minted by the caller, who may already listen for its changes.
    pub requestid: RequestId,
    pub spec: PinSpec,
    /// Name of the policy that places it.
    pub policy: String,
    /// What the account may have, this pin included.
    pub quota: Quota,
    /// When its client wants it to go away.
    pub expires: Option<Timestamp>,
    /// The operator who asks for it in the account's stead.
    pub by: Option<Arc<str>>,
    pub now: Timestamp,
}

/// One pin as clients see it, short of its JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct PinRecord {
    pub requestid: RequestId,
    pub status: Status,
    pub created: Timestamp,
    /// The CID as the client sent it.
    pub cid: String,
    pub name: Option<String>,
    /// The JSON object of strings that was accepted.
    pub meta: Option<String>,
    /// The JSON array of multiaddrs that was kept.
    pub origins: Option<String>,
    /// Copies that are pinned.
    pub have: u16,
    /// Copies that placement aims at.
    pub want: u16,
    /// Copies from which on it counts as pinned.
    pub need: u16,
    /// Its own copies; in lists only of pins that are not pinned.
    pub copies: Vec<CopyRecord>,
    /// Providers of its policy that can never take it, where it waits for copies or failed for want of them.
    pub unfit: Option<Unfit>,
    /// Whether every copy was answered for, or will not be within a moment.
    pub answered: bool,
    /// Where the client may send the data: the copies' own, else those last seen of providers. May be empty.
    pub delegates: Arc<Vec<String>>,
    /// When it goes away by itself.
    pub expires: Option<Timestamp>,
    /// When it was made at the provider that it was adopted from, by that provider's clock.
    pub adopted: Option<Timestamp>,
}

/// Providers that never can take a pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    pub codec: Codec,
    /// Those that take nothing of its codec.
    pub providers: Vec<String>,
    /// Those whose pins end, while it does not.
    pub ending: Vec<String>,
}

/// One copy as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyRecord {
    /// The provider's name in the config.
    pub provider: String,
    pub state: ReplicaState,
    pub error: Option<(ErrorClass, String)>,
    /// When its next call is due.
    pub next: Option<(Op, Timestamp)>,
    pub refused: bool,
    /// Its provider is declared dead: it is none of the pin's copies any more, whatever is on record.
    pub is_dead: bool,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct PinPage {
    /// All that match, whatever the limit.
    pub count: u64,
    pub pins: Vec<PinRecord>,
}

/// Whose due replicas to claim, and how many.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    pub provider: ProviderId,
    /// The most submits and removes (one call each).
    pub singles: u32,
    /// The most polls and re-checks (ten a call or better).
    pub looks: u32,
    pub now: Timestamp,
    /// Wall clock.
    pub lease_until: Timestamp,
    /// Until when a submit or delete sent under this lease may take effect. Wall clock.
    pub doubt_until: Timestamp,
    /// Whether the credential is used by Pinfold alone: no first look.
    pub exclusive: bool,
    /// Calls that the work may take, where there is a limit; reserved with the claim (I9).
    pub allowance: Option<Allowance>,
    /// The most copies that may be queued or pinning there by our own submits.
    pub max_queued: Option<u32>,
    /// Whether polls need name and origins, too.
    pub introduces: bool,
}

/// Which claim of a replica is meant: an outcome of an older one changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClaimKey {
    pub replica: ReplicaId,
    pub attempt: i64,
}

/// One due replica, taken.
#[derive(Clone, Debug)]
pub struct Claim {
    pub key: ClaimKey,
    /// Since when it was due.
    pub due_at: Timestamp,
    pub content: Content,
    pub goal: Goal,
    pub op: Op,
    /// Its first call.
    pub work: Work,
    /// Whether an earlier submit or delete is still in doubt, and until when it may take effect.
    pub doubt: crate::model::Doubt,
    pub doubt_until: Option<Timestamp>,
    pub upstream: Option<UpstreamId>,
    pub state: ReplicaState,
    /// To send with a submit: the name of the first pin that needs it, and public origins of those that came last.
    pub name: Option<String>,
    pub origins: Vec<String>,
}

/// What a claim took, and when to come again.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    pub claims: Vec<Claim>,
    /// When the next replica of this provider is due, as far as was looked; not before there are calls for it.
    pub next_due: Option<Timestamp>,
    /// What was reserved for the claims' calls.
    pub calls: Vec<Reserved>,
}

/// The ledger of calls, as a start finds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// How far the wall clock is ahead of the ledger's time, in ms.
    pub ahead: i64,
    /// What refusals taught, by budget group and class.
    pub lessons: Vec<(String, BudgetClass, Lesson)>,
}

/// What became of a claim.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub key: ClaimKey,
    pub word: Word,
}

/// The provider's word, or the lack of it.
#[derive(Clone, Debug)]
pub enum Word {
    /// Nothing was sent; look again then.
    Deferred { until: Timestamp },
    /// A submit was accepted. `existed`: by a pin that was there before and is not known to be ours (I13).
    Landed { upstream: UpstreamId, status: Status, delegates: Vec<String>, existed: bool },
    /// A look-up found it; `doubles` are further pins of it that carry our tag.
    Found {
        upstream: UpstreamId,
        status: Status,
        delegates: Vec<String>,
        ours: bool,
        doubles: Vec<UpstreamId>,
    },
    /// A look-up that left at `asked_at` found nothing.
    NotFound { asked_at: Timestamp },
    /// A poll or re-check was answered; `why` it failed, where it did.
    Seen { status: Status, delegates: Vec<String>, why: Option<String> },
    /// Our pin is not there any more, confirmed by a look-up.
    Gone,
    /// Our pin was removed, or never was there.
    Removed,
    /// A call failed. `sending`: it was the submit or delete itself.
    Erred { error: CallError, sending: bool },
}

/// What recording did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Outcomes that counted.
    pub applied: u64,
    /// Outcomes of claims that were lost to a newer one.
    pub stale: u64,
    /// Pins settled in place.
    pub settled: u64,
    /// Links made or dropped: something may be due elsewhere.
    pub relinked: u64,
    /// Replicas whose pins were left to [`remerge_step`](super::Store::remerge_step).
    pub fanned_out: u64,
}

/// What a step of expiry did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Pins that are gone.
    pub pins: u64,
    /// When the next one goes; not to come where more are left.
    pub next: Option<Timestamp>,
}

/// What a step of settling a provider's pins anew did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResettleStep {
    /// Whether there was one to take.
    pub taken: bool,
    pub more: bool,
}

/// What became of a provider that was to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgotten {
    Gone,
    /// Removals that nobody will make were dropped, and there are more.
    More,
    /// The config names it.
    Named,
    /// Pins need so many copies there.
    Needed(u64),
    /// This job has not ended.
    Busy(JobId),
}

/// What a look for late replicas found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LateStep {
    /// Replicas whose pins are to be settled.
    pub replicas: u64,
    /// When the next one's are; not to come where more are left.
    pub next: Option<Timestamp>,
}

/// What a remerge step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemergeReport {
    pub pins: u64,
    /// Whether more is left.
    pub more: bool,
}

/// Whose pins are settled anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Respill {
    /// Those of copies that are wanted and not pinned.
    Unsettled,
    /// Those of all copies: for a provider whose pinned copies count otherwise than before.
    All,
}

/// What a step of that did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Respilled {
    /// `None` once all are queued.
    pub next: Option<ContentId>,
}

/// What settling pins that wait for a provider did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// `None` once all were settled.
    pub next: Option<PinId>,
    /// Links made or dropped.
    pub relinked: u64,
}

/// Counts for gauges.
#[derive(Clone, Debug, Default)]
pub struct StoreStats {
    /// By account name and status.
    pub pins: Vec<(String, Status, u64)>,
    /// What each account has used of what a quota may bound, by account name.
    pub used: Vec<(String, QuotaKind, u64)>,
    /// By provider name and state.
    pub replicas: Vec<(String, ReplicaState, u64)>,
    /// Providers of the config, and those that left it.
    pub providers: Vec<ProviderStats>,
    /// Those on record.
    pub jobs: Vec<(JobKind, JobState, u64)>,
    /// Pins with fewer pinned copies than their policy asks.
    pub under_replicated: u64,
    /// Since when one of them is so that was pinned: the one that has been for longest.
    pub short_since: Option<Timestamp>,
    /// Acceptance time of the oldest queued or pinning pin.
    pub oldest_unsettled: Option<Timestamp>,
    /// Due and unclaimed, with the oldest's due time.
    pub due: Vec<(Op, u64, Option<Timestamp>)>,
    /// Replicas whose pins are still to be settled.
    pub remerge: u64,
    /// How far `created` runs ahead of the clock.
    pub created_ahead: Duration,
    /// The database's files, WAL included, in bytes.
    pub size_bytes: u64,
}

/// What is on record of a provider, for gauges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderStats {
    pub name: String,
    pub mode: Mode,
    pub health: Health,
    /// When its last audit ended that came to its end.
    pub audited: Option<Timestamp>,
    /// Copies that its last audit, if only one that asks, confirmed not to be there.
    pub missing: u64,
    /// Copies that an audit which asks did not find on its list.
    pub suspect: u64,
    /// Pins there that nobody knows here, by its last whole sweep.
    pub orphans: u64,
}
