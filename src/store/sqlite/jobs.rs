//! Jobs' rows: made by operators, moved on by the engine, told what to do by operators again.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{SqliteStore, adopt, audits, errors::bad_code, events, leave, providers, tx::Tx, writer::Lane};
use crate::{
    model::{
        AccountId, EventKind, Job, JobCommand, JobId, JobKind, JobProgress, JobState, Mode, NewEvent, NewJob,
        ProviderId, Timestamp,
    },
    store::{Checkpoint, JobStore, StoreError},
    telemetry::StoreClass::Write,
};

/// Rows that are forgotten in one step.
const STEP: i64 = 100;

/// jobs: with the account's name
const SELECT: &str =
    "SELECT j.id, j.kind, j.state, j.provider, j.provider_name, j.account, a.name, j.terms, j.cursor,
    j.done, j.total, j.counts, j.words, j.accepted, j.started_by, j.created, j.updated
    FROM jobs j LEFT JOIN accounts a ON a.id = j.account";

#[async_trait::async_trait]
impl JobStore for SqliteStore {
    async fn create_job(&self, job: NewJob, now: Timestamp) -> Result<Job, StoreError> {
        self.write(Write, Lane::Request, move |tx| create(tx, &job, now)).await
    }

    async fn jobs(&self, before: Option<JobId>, ended: bool, limit: u32) -> Result<Vec<Job>, StoreError> {
        page(&self.readers.point(), before, ended, limit)
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        find(&self.readers.point(), id)
    }

    async fn checkpoint_job(
        &self,
        id: JobId,
        checkpoint: Checkpoint,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(Write, Lane::Background, move |tx| save(tx, id, &checkpoint, now)).await
    }

    async fn command_job(
        &self,
        id: JobId,
        command: JobCommand,
        by: Option<String>,
        now: Timestamp,
    ) -> Result<Option<Job>, StoreError> {
        self.write(Write, Lane::Request, move |tx| tell(tx, id, command, by.as_deref(), now)).await
    }

    async fn drain(&self, job: JobId, allow_fewer: bool, now: Timestamp) -> Result<bool, StoreError> {
        self.write(Write, Lane::Background, move |tx| drain(tx, job, allow_fewer, now)).await
    }

    async fn forget_jobs(&self, ended_before: Timestamp) -> Result<u64, StoreError> {
        self.write(Write, Lane::Background, move |tx| {
            audits::forget_ended(tx.conn)?;
            // jobs: ended long ago
            let gone = tx.conn.prepare_cached(
                "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE state >= 3 AND updated < ?1 LIMIT ?2)",
            )?;
            let mut gone = gone;
            let jobs = gone.execute([ended_before.as_millis(), STEP])? as u64;
            Ok(jobs + adopt::forget(tx, STEP)?)
        })
        .await
    }
}

fn create(tx: &mut Tx<'_>, job: &NewJob, now: Timestamp) -> Result<Job, StoreError> {
    let provider = match job.provider {
        None => None,
        Some(id) => Some(name_of(tx, id)?),
    };
    // jobs: one that has not ended, of this kind and provider, or else of these terms
    let taken: Option<i64> = tx
        .conn
        .prepare_cached("SELECT id FROM jobs WHERE kind = ?1 AND provider IS ?2 AND state < 3 AND (provider IS NOT NULL OR terms = ?3) LIMIT 1")?
        .query_row(params![job.kind.code(), job.provider.map(|id| id.0), job.terms], |row| row.get(0))
        .optional()?;
    if let Some(id) = taken {
        return Err(StoreError::Taken { what: "job", name: format!("{} {id}", job.kind) });
    }
    // job: new
    let id: i64 = tx
        .conn
        .prepare_cached(
            "INSERT INTO jobs(kind, state, provider, provider_name, account, terms, started_by, created, updated)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) RETURNING id",
        )?
        .query_row(
            params![
                job.kind.code(),
                JobState::Running.code(),
                job.provider.map(|id| id.0),
                provider,
                job.account.map(|id| id.0),
                job.terms,
                job.by,
                now.as_millis()
            ],
            |row| row.get(0),
        )?;
    let made = find(tx.conn, JobId(id))?.ok_or(StoreError::Unknown {
        what: "job",
        name: id.to_string(),
        known: Vec::new(),
    })?;
    note(tx, &made, None, job.by.as_deref(), now)?;
    Ok(made)
}

fn name_of(tx: &mut Tx<'_>, id: ProviderId) -> Result<String, StoreError> {
    let providers = tx.providers()?;
    let found = providers.iter().find(|provider| provider.id == id);
    let unknown = || StoreError::Unknown { what: "provider", name: id.to_string(), known: Vec::new() };
    found.map(|provider| provider.name.clone()).ok_or_else(unknown)
}

fn page(conn: &Connection, before: Option<JobId>, ended: bool, limit: u32) -> Result<Vec<Job>, StoreError> {
    let below = if ended { i64::MAX } else { JobState::Done.code() };
    let mut select = conn
        .prepare_cached(&format!("{SELECT} WHERE j.id < ?1 AND j.state < ?2 ORDER BY j.id DESC LIMIT ?3"))?;
    let before = before.map_or(i64::MAX, |id| id.0);
    let rows = select.query_map(params![before, below, limit], |row| Ok(decode(row)))?;
    rows.map(|row| row?).collect()
}

fn find(conn: &Connection, id: JobId) -> Result<Option<Job>, StoreError> {
    let mut select = conn.prepare_cached(&format!("{SELECT} WHERE j.id = ?1"))?;
    select.query_row([id.0], |row| Ok(decode(row))).optional()?.transpose()
}

fn decode(row: &Row<'_>) -> Result<Job, StoreError> {
    let (kind, state): (i64, i64) = (row.get(1)?, row.get(2)?);
    let provider: Option<i64> = row.get(3)?;
    let account: Option<i64> = row.get(5)?;
    let counts: String = row.get(11)?;
    let time =
        |index: usize| -> Result<Timestamp, StoreError> { Ok(Timestamp::from_millis(row.get(index)?)) };
    Ok(Job {
        id: JobId(row.get(0)?),
        kind: JobKind::from_code(kind).ok_or_else(|| bad_code("job kind", kind))?,
        state: JobState::from_code(state).ok_or_else(|| bad_code("job state", state))?,
        provider: provider.map(ProviderId).zip(row.get(4)?),
        account: account.map(AccountId).zip(row.get(6)?),
        terms: row.get(7)?,
        cursor: row.get(8)?,
        progress: JobProgress {
            done: row.get(9)?,
            total: row.get(10)?,
            counts: serde_json::from_str(&counts).map_err(|error| StoreError::Corrupt(error.into()))?,
            words: row.get(12)?,
        },
        accepted: row.get(13)?,
        by: row.get(14)?,
        created: time(15)?,
        updated: time(16)?,
    })
}

/// Saves a running job's checkpoint in the transaction that did what it tells of.
pub(super) fn save(
    tx: &mut Tx<'_>,
    id: JobId,
    checkpoint: &Checkpoint,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let counts = serde_json::to_string(&checkpoint.progress.counts)
        .map_err(|error| StoreError::Corrupt(error.into()))?;
    // job: further, if it still runs; what was accepted is accepted once
    let saved = tx
        .conn
        .prepare_cached(
            "UPDATE jobs SET state = ?2, cursor = ?3, done = ?4, total = ?5, counts = ?6, words = ?7, updated = ?8,
                    accepted = accepted AND ?2 = 0
             WHERE id = ?1 AND state = 0",
        )?
        .execute(params![
            id.0,
            checkpoint.state.code(),
            checkpoint.cursor,
            checkpoint.progress.done,
            checkpoint.progress.total,
            counts,
            checkpoint.progress.words,
            now.as_millis()
        ])?;
    if saved == 1
        && checkpoint.state != JobState::Running
        && let Some(job) = find(tx.conn, id)?
    {
        note(tx, &job, Some(JobState::Running), None, now)?;
        note_audited(tx, &job, now)?;
    }
    Ok(saved == 1)
}

/// Keeps on its provider when an audit came to its end: jobs are forgotten.
fn note_audited(tx: &mut Tx<'_>, job: &Job, now: Timestamp) -> Result<(), StoreError> {
    let Some((provider, _)) = job.provider.as_ref().filter(|_| job.kind == JobKind::Audit) else {
        return Ok(());
    };
    if job.state == JobState::Done {
        // provider: its last audit
        tx.conn
            .prepare_cached("UPDATE providers SET audited_at = ?2 WHERE id = ?1")?
            .execute([provider.0, now.as_millis()])?;
        tx.forget_config();
    }
    Ok(())
}

pub(super) fn tell(
    tx: &mut Tx<'_>,
    id: JobId,
    command: JobCommand,
    by: Option<&str>,
    now: Timestamp,
) -> Result<Option<Job>, StoreError> {
    let Some(job) = find(tx.conn, id)? else { return Ok(None) };
    let Some(next) = command.step(job.state) else { return Ok(Some(job)) };
    let JobProgress { done, total, counts, words } = leave::told(tx, &job, next)?;
    let counts = serde_json::to_string(&counts).map_err(|error| StoreError::Corrupt(error.into()))?;
    let accepts = command == JobCommand::Accept;
    // job: as it was told, and how far it is now
    tx.conn
        .prepare_cached(
            "UPDATE jobs SET state = ?2, accepted = accepted OR ?3, updated = ?4, done = ?5, total = ?6, counts = ?7,
                    words = ?8 WHERE id = ?1",
        )?
        .execute(params![id.0, next.code(), accepts, now.as_millis(), done, total, counts, words])?;
    let told = find(tx.conn, id)?;
    if let Some(told) = &told {
        note(tx, told, Some(job.state), by, now)?;
        apply_to_provider(tx, told, by, now)?;
    }
    Ok(told)
}

fn drain(tx: &mut Tx<'_>, id: JobId, allow_fewer: bool, now: Timestamp) -> Result<bool, StoreError> {
    let running = find(tx.conn, id)?.filter(|job| job.state == JobState::Running);
    let Some((job, (provider, _))) = running.and_then(|job| job.provider.clone().map(|at| (job, at))) else {
        return Ok(false);
    };
    providers::set_mode(tx, provider, Mode::Draining, allow_fewer, job.by.as_deref(), now)?;
    Ok(true)
}

/// What a drain is told, its provider is: nothing leaves it while it is paused, and all is as before once it is cancelled.
fn apply_to_provider(tx: &mut Tx<'_>, job: &Job, by: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
    let mode = match job.state {
        JobState::Paused => Mode::Readonly,
        JobState::Cancelled => Mode::Active,
        _ => return Ok(()),
    };
    match &job.provider {
        Some((provider, _)) if job.kind == JobKind::Drain => {
            providers::set_mode(tx, *provider, mode, false, by, now)
        }
        _ => Ok(()),
    }
}

/// Tells of a job that began, which came `from` no state, ended, or was told something.
fn note(
    tx: &mut Tx<'_>,
    job: &Job,
    from: Option<JobState>,
    by: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut event = NewEvent::new(EventKind::Job, job.id.to_string())
        .with("kind", job.kind.as_str())
        .with("to", job.state.as_str())
        .of(job.account.as_ref().map(|(id, _)| *id));
    let words = Some(job.progress.words.as_str()).filter(|words| !words.is_empty());
    let provider = job.provider.as_ref().map(|(_, name)| name.as_str());
    let from = from.map(JobState::as_str);
    for (key, value) in [("from", from), ("provider", provider), ("words", words), ("by", by)] {
        if let Some(value) = value {
            event = event.with(key, value);
        }
    }
    events::note(tx, &event, now)
}
