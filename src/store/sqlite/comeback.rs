//! What a database that comes back from a backup must not believe any more: since then pins, copies, calls and tokens have
//! changed of which it knows nothing. See docs/backup.md and decision 13.

mod later;

use std::sync::Arc;

pub use later::Later;
use rusqlite::params;
use uuid::Uuid;

use super::{SqliteStore, budget, events, jobs, providers, register, replicas, tokens, tx::Tx, writer::Lane};
use crate::{
    model::{
        ContentId, Doubt, Goal, JobCommand, JobId, JobKind, KeptTime, NewEvent, Op, Rates, ReplicaState,
        Timestamp,
    },
    store::StoreError,
    telemetry::StoreClass::Write,
};

/// Events get ids that were certainly not given out since the backup, unless there were more than so many.
const EVENTS_SINCE: i64 = 500_000;

/// What is known when a database is put back.
#[derive(Clone, Debug, Default)]
pub struct Comeback {
    pub now: Timestamp,
    /// When the last calls of the process that ran before have taken effect, if they ever do.
    pub settled: Timestamp,
    /// Nothing is removed at providers before.
    pub removals_from: Timestamp,
    /// Providers whose credential nobody else uses.
    pub exclusive: Vec<String>,
    /// All limits of calls, by their group.
    pub budgets: Vec<(Arc<str>, Rates)>,
    /// No calls were made but those on record.
    pub nothing_was_sent: bool,
    pub revoke_tokens: bool,
    /// What the database knows whose place it takes; heeded if it went on from this one.
    pub later: Option<Later>,
}

/// What was done to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CameBack {
    /// Copies that are believed to be there, and will be looked at.
    pub believed: u64,
    /// Copies that were to be removed: left where they are.
    pub left: u64,
    pub jobs_stopped: u64,
    pub tokens_ended: u64,
    /// Stored tokens that let in.
    pub tokens_live: u64,
    /// What was known later was heeded.
    pub knew_later: bool,
    /// What the clock shows, where it is believed.
    pub clock: Option<Timestamp>,
}

impl SqliteStore {
    /// Takes a database that comes from a backup for what it is, before anybody serves it.
    ///
    /// # Errors
    /// As any intention: then it is as it was.
    pub async fn come_back(&self, from: Comeback) -> Result<CameBack, StoreError> {
        self.write(Write, Lane::Request, move |tx| come_back(tx, &from)).await
    }
}

fn come_back(tx: &mut Tx<'_>, from: &Comeback) -> Result<CameBack, StoreError> {
    // instance: its id
    let id: [u8; 16] = tx.conn.query_row("SELECT id FROM instance", [], |row| row.get(0))?;
    // A store that was made anew in the meantime knows nothing of the tokens and calls of this one.
    let later = from.later.as_ref().filter(|later| later.instance == id);
    let mut done = CameBack { left: leave_removals(tx)?, knew_later: later.is_some(), ..CameBack::default() };
    be_another(tx, from)?;
    doubt_what_was_not_seen(tx, from)?;
    done.believed = believe_nothing_confirmed(tx, from)?;
    done.jobs_stopped = stop_jobs(tx, from.now)?;
    count_calls(tx, from, later)?;
    raise_clocks(tx, from.now, later)?;
    done.clock = believe_the_clock(tx, from)?;
    (done.tokens_ended, done.tokens_live) = end_tokens(tx, from, later)?;
    tell(tx, from.now, later)?;
    tx.forget_config();
    tx.saw(from.now);
    Ok(done)
}

/// What this database does not know that it made is not its own (I13), though made by the same house: so it gets a new
/// id, by which its submits are marked.
fn be_another(tx: &Tx<'_>, from: &Comeback) -> Result<(), StoreError> {
    // instance: another one, that holds removals back
    tx.conn.execute(
        "UPDATE instance SET id = ?1, removals_from = ?2",
        params![Uuid::new_v4().into_bytes(), from.removals_from.as_millis()],
    )?;
    Ok(())
}

/// What was to be removed then may have been asked for again since, under the same id: it stays where it is, as an orphan.
fn leave_removals(tx: &mut Tx<'_>) -> Result<u64, StoreError> {
    // replicas: on their way out
    let going: Vec<(i64, i64, i64, i64)> = tx
        .conn
        .prepare("SELECT id, content, provider, state FROM replicas WHERE goal = ?1")?
        .query_map([Goal::Remove.code()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    for (id, content, provider, state) in &going {
        replicas::forget(tx, crate::model::ReplicaId(*id), ContentId(*content))?;
        let state = ReplicaState::from_code(*state);
        let state = state.ok_or_else(|| super::errors::bad_code("replica state", 0))?;
        tx.count_replica(*provider, state, -1);
    }
    // surplus: a double may be what is kept by now
    let doubles = tx.conn.execute("DELETE FROM surplus", [])?;
    Ok((going.len() + doubles) as u64)
}

/// What was not sent yet, or not seen there, may have been sent since: it is looked for before anything is sent (I7).
fn doubt_what_was_not_seen(tx: &Tx<'_>, from: &Comeback) -> Result<(), StoreError> {
    let settled = from.settled.as_millis();
    // replicas: an old doubt may have been renewed
    tx.conn.execute(
        "UPDATE replicas SET doubt_until = max(coalesce(doubt_until, 0), ?1), next_at = max(coalesce(next_at, 0), ?1)
         WHERE doubt <> ?2",
        params![settled, Doubt::None.code()],
    )?;
    // replicas: sent without a first look where the credential is ours alone; elsewhere there is one
    let mut unsent = tx.conn.prepare(
        "UPDATE replicas SET doubt = ?2, doubt_until = ?1, op = ?3, next_at = max(coalesce(next_at, 0), ?1)
         WHERE doubt = ?4 AND upstream IS NULL AND provider = (SELECT id FROM providers WHERE name = ?5)",
    )?;
    for name in &from.exclusive {
        unsent.execute(params![
            settled,
            Doubt::Submit.code(),
            Op::Submit.code(),
            Doubt::None.code(),
            name
        ])?;
    }
    // replicas: one that had failed may be another by now, and is not cleared away before it is looked for
    tx.conn.execute(
        "UPDATE replicas SET doubt = ?2, doubt_until = ?1, op = ?3, next_at = max(coalesce(next_at, 0), ?1)
         WHERE doubt = ?4 AND upstream IS NOT NULL AND state NOT IN (?5, ?6, ?7)",
        params![
            settled,
            Doubt::Remove.code(),
            Op::Submit.code(),
            Doubt::None.code(),
            ReplicaState::Queued.code(),
            ReplicaState::Pinning.code(),
            ReplicaState::Pinned.code()
        ],
    )?;
    Ok(())
}

/// No copy is confirmed (I8) until a look or a sweep from now on says so; looks begin soon, about one a second.
fn believe_nothing_confirmed(tx: &Tx<'_>, from: &Comeback) -> Result<u64, StoreError> {
    // replicas: none is confirmed
    tx.conn.execute("UPDATE replicas SET verified_at = NULL WHERE verified_at IS NOT NULL", [])?;
    // providers: a sweep, and a proof of the credential, before anything is built on them
    tx.conn.execute(
        "UPDATE providers SET swept_at = NULL, audited_at = NULL, audits_from = 0, proven = NULL",
        [],
    )?;
    let mut believed = 0;
    for provider in providers::load_providers(tx.conn)? {
        let copies = providers::copies_on_record(tx.conn, provider.id)?;
        believed += copies;
        if provider.facts.is_swept() {
            // The sweep confirms what it meets, and has the others looked at.
            continue;
        }
        // replicas: pinned, to be looked at
        tx.conn.execute(
            "UPDATE replicas SET op = ?2, next_at = ?3 + (id % ?4) * 1000
             WHERE provider = ?1 AND state = ?5 AND doubt = ?6 AND upstream IS NOT NULL",
            params![
                provider.id.0,
                Op::Verify.code(),
                from.settled.as_millis(),
                copies.clamp(1, 86_400),
                ReplicaState::Pinned.code(),
                Doubt::None.code()
            ],
        )?;
    }
    Ok(believed)
}

/// Nothing long goes on by itself; audits begin anew, since they look at what is there now.
fn stop_jobs(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    // jobs: that have not ended
    let open: Vec<(i64, i64)> = tx
        .conn
        .prepare("SELECT id, kind FROM jobs WHERE state < 3")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, kind) in &open {
        let command = if *kind == JobKind::Audit.code() { JobCommand::Cancel } else { JobCommand::Pause };
        jobs::tell(tx, JobId(*id), command, Some("restore"), now)?;
    }
    Ok(open.len() as u64)
}

/// Calls since the backup count, too (I9): as the later ledger has them, else as many as there may have been.
fn count_calls(tx: &Tx<'_>, from: &Comeback, later: Option<&Later>) -> Result<(), StoreError> {
    if let Some(later) = later {
        return later.take_ledger(tx);
    }
    if from.nothing_was_sent {
        return Ok(());
    }
    // instance: ledger's time against the wall clock
    let ahead: i64 = tx.conn.query_row("SELECT ledger_ahead FROM instance", [], |row| row.get(0))?;
    let now = Timestamp::from_millis(from.now.as_millis().saturating_sub(ahead));
    for (group, rates) in &from.budgets {
        budget::fill(tx, group, rates, now)?;
    }
    Ok(())
}

/// No `created` is given out twice (I3).
fn raise_clocks(tx: &Tx<'_>, now: Timestamp, later: Option<&Later>) -> Result<(), StoreError> {
    let mut raise = tx
        .conn
        .prepare("UPDATE accounts SET last_created = max(last_created, ?1) WHERE name = ?2 OR ?2 IS NULL")?;
    raise.execute(params![now.as_millis(), None::<&str>])?;
    for (name, created) in later.iter().flat_map(|later| &later.created) {
        raise.execute(params![created, name])?;
    }
    Ok(())
}

/// Whoever puts a backup back knows how old it is: what passed since is no leap of the clock. One that was doubted on this
/// machine until now is doubted on: ends may be why there is a restore.
fn believe_the_clock(tx: &Tx<'_>, from: &Comeback) -> Result<Option<Timestamp>, StoreError> {
    let doubted = from.later.as_ref().map(|later| later.time).filter(|time| time.left.is_some());
    let time = doubted.unwrap_or(KeptTime { sure: from.now, wall: from.now, left: None });
    register::keep_time(tx, time)?;
    Ok(doubted.is_none().then_some(from.now))
}

/// Ends the tokens that have ended since, as far as that is known; returns how many, and how many let in.
fn end_tokens(tx: &mut Tx<'_>, from: &Comeback, later: Option<&Later>) -> Result<(u64, u64), StoreError> {
    let mut ended = 0;
    for id in tokens::live(tx.conn, from.now)? {
        let since = later.is_some_and(|later| later.has_ended(id.as_str(), from.now));
        if since || from.revoke_tokens {
            tokens::revoke(tx, id, Some("restore"), from.now)?;
            ended += 1;
        }
    }
    Ok((ended, tokens::live(tx.conn, from.now)?.len() as u64))
}

/// Notes it, under an id beyond those that were given out since.
fn tell(tx: &mut Tx<'_>, now: Timestamp, later: Option<&Later>) -> Result<(), StoreError> {
    events::note(tx, &NewEvent::act("store_restored", "store", None), now)?;
    let next = later.map(|later| later.newest_event + 1);
    // events: the newest one, further ahead
    tx.conn.execute(
        "UPDATE events SET id = max(id, coalesce(?1, id + ?2)) WHERE id = (SELECT max(id) FROM events)",
        params![next, EVENTS_SINCE],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
