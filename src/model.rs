//! The words of Pinfold: ids, time, content, pins, replicas, queries. Knows nothing of the rest of the house.

pub mod account;
pub mod block;
pub mod budget;
pub mod clock;
pub mod codec;
pub mod content;
pub mod delegates;
pub mod event;
pub mod expiry;
pub mod facts;
pub mod ids;
pub mod job;
pub mod known;
pub mod ledger;
pub mod name;
pub mod peer;
pub mod pin;
pub mod proof;
pub mod provider;
pub mod query;
pub mod quota;
pub mod rate;
pub mod replica;
pub mod scope;
pub mod span;
pub mod stamp;
pub mod status;
pub mod sure;
pub mod token;

pub use account::{AccountDecl, Weight};
pub use block::BLOCK_MAX;
pub use budget::{Allowance, Ask, BudgetClass, ByClass, Costs, Granted, Learned, Lesson, Rates, Reserved};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use codec::{Codec, NotACodec};
pub use content::{CidError, Content, PinCid};
pub use event::{Event, EventBody, EventKind, NewEvent};
pub use expiry::Expiry;
pub use facts::{Audit, AuditBy, Cost, Facts, Sampling};
pub use ids::{
    AccountId, ContentId, EventId, InstanceId, JobId, PinId, PolicyId, ProviderId, ReplicaId, RequestId,
    TokenId, UpstreamId,
};
pub use job::{Job, JobCommand, JobCounts, JobKind, JobProgress, JobState, NewJob};
pub use known::known;
pub use ledger::{LedgerClock, LedgerTime};
pub use peer::{Certificate, Peer};
pub use pin::{Meta, MetaError, Origins, PinSpec};
pub use proof::{ProofRecord, ProofState, Proved, Sampled};
pub use provider::{Fingerprint, Health, Mode, Operation, ProviderDecl, ProviderRecord};
pub use query::{ListQuery, NameFilter, NameMatch};
pub use quota::{Charge, OverQuota, Quota, QuotaKind, Usage};
pub use rate::Rate;
pub use replica::{Doubt, ErrorClass, Goal, Op, Owned, ReplicaState};
pub use scope::{Scope, Scopes};
pub use span::Span;
pub use stamp::Stamp;
pub use status::{Status, StatusSet};
pub use sure::{ClockDoubt, KeptTime, SureClock};
pub use token::{NotAHash, TokenHash};
