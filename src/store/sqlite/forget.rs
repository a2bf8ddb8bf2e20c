//! Forgets a provider that left for good: its record, and removals there that nobody will make.

use rusqlite::{Connection, OptionalExtension, params};

use super::{events, replicas, tx::Tx};
use crate::{
    model::{ContentId, EventKind, Goal, JobId, NewEvent, ProviderId, ReplicaId, ReplicaState, Timestamp},
    store::{Forgotten, StoreError},
};

/// Replicas dropped in one step.
const STEP: u32 = 1000;

/// Why it is not to be forgotten. Counts what pins need there: for whoever is not in the writer's way.
pub(super) fn refused(conn: &Connection, provider: ProviderId) -> Result<Option<Forgotten>, StoreError> {
    // provider: whether the config names it
    let named: Option<bool> = conn
        .prepare_cached("SELECT absent_since IS NULL FROM providers WHERE id = ?1")?
        .query_row([provider.0], |row| row.get(0))
        .optional()?;
    match named {
        None => {
            return Err(StoreError::Unknown {
                what: "provider",
                name: provider.to_string(),
                known: Vec::new(),
            });
        }
        Some(true) => return Ok(Some(Forgotten::Named)),
        Some(false) => {}
    }
    // jobs: one at a provider that has not ended
    let busy: Option<i64> = conn
        .prepare_cached("SELECT id FROM jobs WHERE provider = ?1 AND state < 3 LIMIT 1")?
        .query_row([provider.0], |row| row.get(0))
        .optional()?;
    if let Some(job) = busy {
        return Ok(Some(Forgotten::Busy(JobId(job))));
    }
    // replicas of a provider that pins need
    let needed: i64 = conn
        .prepare_cached("SELECT count(*) FROM replicas WHERE provider = ?1 AND goal = ?2")?
        .query_row(params![provider.0, Goal::Keep.code()], |row| row.get(0))?;
    Ok(u64::try_from(needed).ok().filter(|needed| *needed > 0).map(Forgotten::Needed))
}

/// Drops some of its removals; its record once none is left.
pub(super) fn step(
    tx: &mut Tx<'_>,
    provider: ProviderId,
    by: Option<&str>,
    now: Timestamp,
) -> Result<Forgotten, StoreError> {
    let known = tx.providers()?.iter().find(|known| known.id == provider).cloned();
    let unknown = || StoreError::Unknown { what: "provider", name: provider.to_string(), known: Vec::new() };
    let known = known.ok_or_else(unknown)?;
    if known.absent_since.is_none() {
        return Ok(Forgotten::Named);
    }
    if drop_removals(tx, provider)? {
        return Ok(Forgotten::More);
    }
    // replicas: any at a provider; a pin may have asked for one meanwhile
    let left: bool = tx.conn.query_row(
        "SELECT EXISTS(SELECT 1 FROM replicas WHERE provider = ?1)",
        [provider.0],
        |row| row.get(0),
    )?;
    if left {
        return Ok(Forgotten::Needed(1));
    }
    // orphans, surplus, provider: gone
    tx.conn.execute("DELETE FROM orphans WHERE provider = ?1", [provider.0])?;
    tx.conn.execute("DELETE FROM surplus WHERE provider = ?1", [provider.0])?;
    tx.conn.execute("DELETE FROM providers WHERE id = ?1", [provider.0])?;
    tx.forget_config();
    let gone = NewEvent::new(EventKind::ProviderMode, known.name.as_str());
    let gone = gone.with("from", known.mode.as_str()).with("to", "forgotten");
    events::note(tx, &by.map_or(gone.clone(), |by| gone.with("by", by)), now)?;
    Ok(Forgotten::Gone)
}

/// Whether there were any.
fn drop_removals(tx: &mut Tx<'_>, provider: ProviderId) -> Result<bool, StoreError> {
    // replicas of a provider that nobody needs
    let removals: Vec<(i64, i64, i64)> = tx
        .conn
        .prepare_cached("SELECT id, content, state FROM replicas WHERE provider = ?1 AND goal = ?2 LIMIT ?3")?
        .query_map(params![provider.0, Goal::Remove.code(), STEP], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    for (id, content, state) in &removals {
        replicas::forget(tx, ReplicaId(*id), ContentId(*content))?;
        if let Some(state) = ReplicaState::from_code(*state) {
            tx.count_replica(provider.0, state, -1);
        }
    }
    Ok(!removals.is_empty())
}
