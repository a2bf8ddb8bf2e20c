//! The embedded store: SQLite, one writer thread with group commit, readers beside it.

mod accept;
mod accounts;
mod adopt;
mod apply;
mod audits;
mod background;
mod budget;
mod claim;
mod comeback;
mod count;
mod delete;
mod errors;
mod events;
mod exchange;
mod explain;
mod export;
pub mod files;
mod forget;
#[cfg(test)]
pub(crate) mod founded;
mod get;
mod jobs;
mod lanes;
mod leave;
mod list;
mod means;
mod open;
mod outage;
mod outcome;
mod plans;
mod proofs;
mod providers;
mod readers;
mod rebind;
mod register;
mod replace;
mod replicas;
mod rows;
mod settle;
pub mod snapshot;
mod stats;
mod tokens;
mod tx;
mod unfit;
mod writer;

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use async_trait::async_trait;

pub use comeback::{CameBack, Comeback, Later};
pub use exchange::Place;
pub use export::{Exported, export};
pub use files::is_served;
pub use open::newest_version;
pub use readers::ReadSettings;

use self::{
    accept::Accepted,
    outage::Outage,
    readers::Readers,
    tx::Tx,
    writer::{Lane, Outlets, Writer},
};
use super::*;
use crate::{
    lifecycle::Changes,
    policy::Timing,
    telemetry::{
        Metrics, StoreClass,
        StoreClass::{Claim, Read, Write},
        StoreErrorKind, StoreMetrics,
    },
};

/// How the database is used.
#[derive(Clone, Debug, Default)]
pub struct SqliteSettings {
    pub reads: ReadSettings,
    /// The schedule of replicas.
    pub timing: Timing,
}

/// The version of SQLite that is built in.
pub fn library_version() -> &'static str {
    rusqlite::version()
}

/// A [`Store`] in one SQLite file, served by this process alone.
pub struct SqliteStore {
    instance: InstanceId,
    writer: Writer,
    readers: Readers,
    metrics: StoreMetrics,
    outage: Outage,
    room: Arc<AtomicBool>,
}

impl SqliteStore {
    /// Opens the file, making or migrating it; committed changes are told to `changes`.
    pub fn open(
        path: &Path,
        settings: &SqliteSettings,
        changes: Changes,
        metrics: &Metrics,
    ) -> Result<Self, StoreError> {
        let (conn, lock) = open::open_writer(path)?;
        let instance = open::instance(&conn)?;
        let readers = Readers::open(path, &settings.reads, metrics.store())?;
        let (store, pins, room) = (metrics.store().clone(), metrics.pins().clone(), Arc::default());
        let outlets = Outlets { changes, pins, store: store.clone(), room: Arc::clone(&room) };
        let writer = Writer::start(conn, settings.timing.clone(), outlets, lock)?;
        Ok(Self { instance, writer, readers, metrics: store, outage: Outage::default(), room })
    }

    /// Runs one intention inside the next transaction of its lane and returns once that is on disk.
    async fn write<T, F>(&self, class: StoreClass, lane: Lane, intention: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let began = Instant::now();
        let result = self.writer.write(lane, intention).await;
        self.noted(class, began, result)
    }

    /// Notes how long an operation took and how it failed.
    fn noted<T>(
        &self,
        class: StoreClass,
        began: Instant,
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.metrics.operation(class, began.elapsed());
        match result.as_ref().map_err(kind) {
            Err(Some(kind)) => {
                self.metrics.error(kind);
                self.outage.failed(kind, result.as_ref().err());
            }
            Ok(_) if class == Write => self.outage.wrote(),
            Ok(_) | Err(None) => {}
        }
        result
    }

    async fn accepted(&self, account: AccountId, accepted: Accepted) -> Result<PinRecord, StoreError> {
        let pin = self.readers.get_pin(account, accepted.pin.requestid)?;
        let mut pin = pin.ok_or_else(|| {
            StoreError::Corrupt(anyhow::anyhow!(
                "pin {} is not there after its commit",
                accepted.pin.requestid
            ))
        })?;
        pin.answered = accepted.answered;
        Ok(pin)
    }
}

/// What was refused was not a failure of the transaction: it left nothing to undo.
fn within<T>(asked: Result<T, OverQuota>) -> Result<T, StoreError> {
    asked.map_err(StoreError::OverQuota)
}

/// What went wrong; `None`: nothing, the caller was refused.
fn kind(error: &StoreError) -> Option<StoreErrorKind> {
    Some(match error {
        StoreError::Full(_) => StoreErrorKind::Full,
        StoreError::Timeout => StoreErrorKind::Timeout,
        StoreError::Busy => StoreErrorKind::Busy,
        StoreError::Unavailable(_)
        | StoreError::Newer { .. }
        | StoreError::Foreign { .. }
        | StoreError::Locked { .. } => StoreErrorKind::Connection,
        StoreError::Rebind { .. }
        | StoreError::StillUsed { .. }
        | StoreError::Unknown { .. }
        | StoreError::Taken { .. }
        | StoreError::OverQuota(_) => return None,
        StoreError::Corrupt(_) => StoreErrorKind::Corrupt,
    })
}

#[async_trait]
impl Store for SqliteStore {
    fn instance(&self) -> InstanceId {
        self.instance
    }

    async fn register(&self, config: Registration, now: Timestamp) -> Result<Registered, StoreError> {
        self.write(Write, Lane::Request, move |tx| register::register(tx, &config, now)).await
    }

    async fn reregister(&self, config: Registration, now: Timestamp) -> Result<Registered, StoreError> {
        self.write(Write, Lane::Request, move |tx| register::reregister(tx, &config, now)).await
    }

    async fn rebind_provider(
        &self,
        declared: crate::model::ProviderDecl,
        rebind: Rebind,
        now: Timestamp,
    ) -> Result<RebindReport, StoreError> {
        self.write(Write, Lane::Request, move |tx| rebind::rebind(tx, &declared, rebind, now)).await
    }

    async fn accept_pin(&self, request: AcceptPin) -> Result<PinRecord, StoreError> {
        let account = request.account;
        let accepted = self.write(Write, Lane::Request, move |tx| accept::add(tx, &request)).await?;
        self.accepted(account, within(accepted)?).await
    }

    async fn replace_pin(&self, old: RequestId, request: AcceptPin) -> Result<Option<PinRecord>, StoreError> {
        let account = request.account;
        let replaced =
            self.write(Write, Lane::Request, move |tx| replace::replace(tx, old, &request)).await?;
        match within(replaced)? {
            Some(accepted) => self.accepted(account, accepted).await.map(Some),
            None => Ok(None),
        }
    }

    async fn delete_pin(
        &self,
        account: AccountId,
        pin: RequestId,
        by: Option<Arc<str>>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(Write, Lane::Request, move |tx| delete::delete(tx, account, pin, by.as_deref(), now)).await
    }

    async fn get_pin(&self, account: AccountId, pin: RequestId) -> Result<Option<PinRecord>, StoreError> {
        let began = Instant::now();
        self.noted(Read, began, self.readers.get_pin(account, pin))
    }

    async fn list_pins(&self, account: AccountId, query: ListQuery) -> Result<PinPage, StoreError> {
        let began = Instant::now();
        let page = self.readers.list_pins(account, query).await;
        self.noted(Read, began, page)
    }

    async fn providers(&self) -> Result<Vec<ProviderRecord>, StoreError> {
        providers::load_providers(&self.readers.point())
    }

    async fn claim_due(&self, request: ClaimRequest) -> Result<Claimed, StoreError> {
        self.write(Claim, Lane::Request, move |tx| claim::claim_due(tx, &request)).await
    }

    async fn begin_submits(
        &self,
        claims: Vec<ClaimKey>,
        doubt_until: Timestamp,
        asked_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<ReplicaId>, StoreError> {
        self.write(Claim, Lane::Request, move |tx| {
            claim::begin_submits(tx, &claims, doubt_until, asked_at, now)
        })
        .await
    }

    async fn record_outcomes(&self, outcomes: Vec<Outcome>, now: Timestamp) -> Result<Recorded, StoreError> {
        self.write(Write, Lane::Request, move |tx| outcome::record(tx, outcomes, now)).await
    }

    async fn claim_surplus(
        &self,
        provider: ProviderId,
        limit: u32,
        now: Timestamp,
        retry_at: Timestamp,
    ) -> Result<Vec<UpstreamId>, StoreError> {
        if !background::has_surplus(&self.readers.point(), provider, now)? {
            return Ok(Vec::new());
        }
        let claim = move |tx: &mut Tx<'_>| background::claim_surplus(tx, provider, limit, now, retry_at);
        self.write(Claim, Lane::Background, claim).await
    }

    async fn record_surplus(&self, provider: ProviderId, gone: UpstreamId) -> Result<(), StoreError> {
        self.write(Write, Lane::Background, move |tx| background::record_surplus(tx, provider, &gone)).await
    }

    async fn remerge_step(&self, now: Timestamp) -> Result<RemergeReport, StoreError> {
        self.write(Write, Lane::Background, move |tx| background::remerge_step(tx, now)).await
    }

    async fn respill(
        &self,
        provider: ProviderId,
        which: Respill,
        cursor: ContentId,
        limit: u32,
    ) -> Result<Respilled, StoreError> {
        let respill = move |tx: &mut Tx<'_>| background::respill(tx, provider, which, cursor, limit);
        self.write(Write, Lane::Background, respill).await
    }

    async fn resettle_step(&self, limit: u32) -> Result<ResettleStep, StoreError> {
        if !providers::resettles(&self.readers.point())? {
            return Ok(ResettleStep::default());
        }
        self.write(Write, Lane::Background, move |tx| background::resettle_step(tx, limit)).await
    }

    async fn set_mode(
        &self,
        provider: ProviderId,
        mode: Mode,
        allow_fewer: bool,
        by: Option<String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let set =
            move |tx: &mut Tx<'_>| providers::set_mode(tx, provider, mode, allow_fewer, by.as_deref(), now);
        self.write(Write, Lane::Request, set).await
    }

    async fn forget_provider(
        &self,
        provider: ProviderId,
        by: Option<String>,
        now: Timestamp,
    ) -> Result<Forgotten, StoreError> {
        if let Some(why) = forget::refused(&self.readers.point(), provider)? {
            return Ok(why);
        }
        self.write(Write, Lane::Background, move |tx| forget::step(tx, provider, by.as_deref(), now)).await
    }

    async fn note_late(&self, now: Timestamp, limit: u32) -> Result<LateStep, StoreError> {
        let next = background::next_late(&self.readers.point())?;
        if next.is_none_or(|at| at > now) {
            return Ok(LateStep { replicas: 0, next });
        }
        self.write(Write, Lane::Background, move |tx| background::note_late(tx, now, limit)).await
    }

    async fn settle_missing(&self, after: PinId, limit: u32, now: Timestamp) -> Result<Missing, StoreError> {
        self.write(Write, Lane::Background, move |tx| settle::settle_missing(tx, after, limit, now)).await
    }

    fn takes_room(&self) -> bool {
        self.room.swap(false, Ordering::Relaxed)
    }

    async fn hasten_polls(
        &self,
        pins: Vec<RequestId>,
        gap: Duration,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.write(Write, Lane::Background, move |tx| background::hasten_polls(tx, &pins, gap, now)).await
    }

    async fn resume_polls(
        &self,
        provider: ProviderId,
        limit: u32,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.write(Write, Lane::Background, move |tx| background::resume_polls(tx, provider, limit, now))
            .await
    }

    async fn expire_pins(&self, now: Timestamp, limit: u32) -> Result<Expired, StoreError> {
        let next = background::next_end(&self.readers.point())?;
        if next.is_none_or(|end| end > now) {
            return Ok(Expired { pins: 0, next });
        }
        self.write(Write, Lane::Background, move |tx| background::expire_pins(tx, now, limit)).await
    }

    async fn expire_held(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.write(Write, Lane::Background, move |tx| background::expire_held(tx, now)).await
    }

    async fn keep_time(&self, time: KeptTime) -> Result<(), StoreError> {
        self.write(Write, Lane::Background, move |tx| register::keep_time(tx, time)).await
    }

    async fn mend_schedule(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.writer.write(Lane::Background, move |tx| background::mend_schedule(tx, now)).await
    }

    async fn note_provider(
        &self,
        provider: ProviderId,
        health: Health,
        blocked_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let note = move |tx: &mut Tx<'_>| providers::note(tx, provider, health, blocked_until, now);
        self.write(Write, Lane::Request, note).await
    }

    async fn sample_copies(
        &self,
        provider: ProviderId,
        dice: Vec<u32>,
    ) -> Result<Vec<(Content, UpstreamId)>, StoreError> {
        providers::sample(&self.readers.point(), provider, &dice)
    }

    async fn prove_credential(&self, provider: ProviderId, hash: [u8; 32]) -> Result<(), StoreError> {
        self.write(Write, Lane::Request, move |tx| providers::prove(tx, provider, hash)).await
    }

    async fn reserve_calls(&self, ask: Ask) -> Result<Granted, StoreError> {
        self.write(Claim, Lane::Request, move |tx| budget::reserve(tx, &ask)).await
    }

    async fn note_lesson(
        &self,
        group: Arc<str>,
        class: BudgetClass,
        lesson: Lesson,
    ) -> Result<(), StoreError> {
        self.write(Write, Lane::Request, move |tx| budget::learn(tx, &group, class, lesson)).await
    }

    async fn ledger(&self) -> Result<Ledger, StoreError> {
        budget::ledger(&self.readers.point())
    }

    async fn explain_pin(&self, pin: RequestId, now: Timestamp) -> Result<Option<PinStory>, StoreError> {
        let began = Instant::now();
        self.noted(Read, began, explain::explain(&self.readers.point(), pin, now))
    }

    async fn stats(&self, now: Timestamp) -> Result<StoreStats, StoreError> {
        self.readers.stats(now).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.readers.ping()
    }
}

#[cfg(test)]
mod contract;
