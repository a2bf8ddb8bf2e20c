//! Counts for gauges: counters, heads of indexes, and bounded counts of what is due. Never a scan over pins.

use std::{collections::HashMap, io, path::Path};

use anyhow::anyhow;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    model::{
        Health, JobCounts, JobKind, JobState, Mode, Op, QuotaKind, ReplicaState, Status, Timestamp, Usage,
    },
    store::{ProviderStats, StoreError, StoreStats},
};

use super::{count::WIDTHS, errors::bad_code, files::beside};

/// What is counted one by one is counted up to here.
const CAP: i64 = 100_000;

/// pins_by_status: the widest buckets of an account that is in use, summed.
const PINS: &str = "SELECT a.name, (SELECT coalesce(sum(n), 0) FROM pin_counts c \
     WHERE c.account = a.id AND c.status = ?1 AND c.width = ?2) FROM accounts a WHERE a.retired_at IS NULL";
/// usage: of accounts in use.
const USED: &str = "SELECT name, pins, meta_bytes, day, accepted FROM accounts WHERE retired_at IS NULL";
/// replicas_by_state: the counter, 0 where there is none.
const REPLICAS: &str = "SELECT v.name, coalesce(c.n, 0) FROM providers v \
     LEFT JOIN replica_counts c ON c.provider = v.id AND c.state = ?1";
/// providers: as observed, and as operators want them.
const PROVIDERS: &str = "SELECT id, name, mode, health, orphans, swept_at FROM providers v";
/// jobs: some thousands at most, as those that ended are forgotten.
const JOBS: &str = "SELECT kind, state, count(*) FROM jobs j GROUP BY kind, state";
/// last_audits: of each provider the newest one that ended or asks; SQLite takes the row with the greatest id.
const AUDITS: &str = "SELECT provider, state, counts, max(id) FROM jobs j \
     WHERE kind = ?1 AND state IN (?2, ?3) AND provider IS NOT NULL GROUP BY provider";
/// audits_done: when the last one of each provider came to its end.
const AUDITED: &str = "SELECT provider, max(updated) FROM jobs j \
     WHERE kind = ?1 AND state = ?2 AND provider IS NOT NULL GROUP BY provider";
/// oldest_unsettled: the acceptance (wall clock) of the oldest pin of each account in one status.
const OLDEST: &str = "SELECT min(p.accepted) FROM accounts a CROSS JOIN pins p ON p.id = \
     (SELECT q.id FROM pins q INDEXED BY pins_list WHERE q.account = a.id AND q.status = ?1 \
      ORDER BY q.created LIMIT 1)";
/// oldest_short: the head of an index.
const SHORT_SINCE: &str = "SELECT min(short_since) FROM pins WHERE short_since IS NOT NULL";
/// The ranks of each provider's and account's line, by a seek for each.
macro_rules! ranks {
    () => {
        "WITH RECURSIVE ranks(provider, lane, rank) AS ( \
           SELECT v.id, a.id, (SELECT r.rank FROM replicas r INDEXED BY replicas_due \
             WHERE r.provider = v.id AND r.op = ?1 AND r.lane = a.id AND r.next_at IS NOT NULL \
             ORDER BY r.rank LIMIT 1) FROM providers v CROSS JOIN accounts a \
           UNION ALL \
           SELECT k.provider, k.lane, (SELECT r.rank FROM replicas r INDEXED BY replicas_due \
             WHERE r.provider = k.provider AND r.op = ?1 AND r.lane = k.lane AND r.rank > k.rank \
             AND r.next_at IS NOT NULL ORDER BY r.rank LIMIT 1) FROM ranks k WHERE k.rank IS NOT NULL) "
    };
}

/// due_now: an unexpired lease ends later than now, so that what is claimed is not among them.
const DUE: &str = concat!(
    ranks!(),
    "SELECT count(*) FROM (SELECT 1 FROM ranks k CROSS JOIN replicas r INDEXED BY replicas_due \
     ON r.provider = k.provider AND r.op = ?1 AND r.lane = k.lane AND r.rank = k.rank \
     WHERE r.next_at <= ?2 LIMIT ?3)"
);
/// due_since: the head of each provider's, account's and rank's line.
const DUE_SINCE: &str = concat!(
    ranks!(),
    "SELECT min((SELECT r.next_at FROM replicas r INDEXED BY replicas_due WHERE r.provider = k.provider \
     AND r.op = ?1 AND r.lane = k.lane AND r.rank = k.rank AND r.next_at <= ?2 ORDER BY r.next_at LIMIT 1)) \
     FROM ranks k"
);
/// short_pins: a counter.
const SHORT: &str = "SELECT n FROM tallies WHERE what = 'short'";
/// remerge_queue: bounded.
const REMERGE: &str = "SELECT count(*) FROM (SELECT 1 FROM remerge LIMIT ?)";
/// newest_created: over accounts, not pins.
const NEWEST: &str = "SELECT coalesce(max(last_created), 0) FROM accounts";

/// Reads all of it, from one snapshot.
pub(super) fn stats(connection: &Connection, path: &Path, now: Timestamp) -> Result<StoreStats, StoreError> {
    let _snapshot = connection.unchecked_transaction()?;
    let newest: i64 = connection.query_row(NEWEST, [], |row| row.get(0))?;
    Ok(StoreStats {
        pins: pins(connection)?,
        used: used(connection, now)?,
        replicas: replicas(connection)?,
        providers: providers(connection)?,
        jobs: jobs(connection)?,
        under_replicated: connection.query_row(SHORT, [], |row| row.get(0)).optional()?.unwrap_or(0),
        short_since: short_since(connection)?,
        oldest_unsettled: oldest_unsettled(connection)?,
        due: Op::ALL.iter().map(|op| due(connection, *op, now)).collect::<Result<_, _>>()?,
        remerge: connection.query_row(REMERGE, [CAP], |row| row.get(0))?,
        created_ahead: Timestamp::from_millis(newest).since(now),
        size_bytes: size(path)?,
    })
}

fn pins(connection: &Connection) -> Result<Vec<(String, Status, u64)>, StoreError> {
    let mut all = Vec::new();
    let mut statement = connection.prepare_cached(PINS)?;
    for status in Status::ALL {
        let mut rows = statement.query(params![status.code(), WIDTHS[0]])?;
        while let Some(row) = rows.next()? {
            all.push((row.get(0)?, status, row.get(1)?));
        }
    }
    Ok(all)
}

fn used(connection: &Connection, now: Timestamp) -> Result<Vec<(String, QuotaKind, u64)>, StoreError> {
    let mut all = Vec::new();
    let mut statement = connection.prepare_cached(USED)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let used =
            Usage { pins: row.get(1)?, meta_bytes: row.get(2)?, day: row.get(3)?, accepted: row.get(4)? };
        for quota in QuotaKind::ALL {
            all.push((row.get(0)?, *quota, used.get(*quota, now)));
        }
    }
    Ok(all)
}

fn replicas(connection: &Connection) -> Result<Vec<(String, ReplicaState, u64)>, StoreError> {
    let mut all = Vec::new();
    let mut statement = connection.prepare_cached(REPLICAS)?;
    for state in ReplicaState::ALL {
        let mut rows = statement.query([state.code()])?;
        while let Some(row) = rows.next()? {
            all.push((row.get(0)?, *state, row.get(1)?));
        }
    }
    Ok(all)
}

fn providers(connection: &Connection) -> Result<Vec<ProviderStats>, StoreError> {
    let (mut audits, audited) = (audits(connection)?, audited(connection)?);
    let mut select = connection.prepare_cached(PROVIDERS)?;
    let rows = select.query_map([], |row| Ok(provider(row)))?;
    let joined = rows.map(|row| {
        let (id, mut stats) = row??;
        (stats.missing, stats.suspect) = audits.remove(&id).unwrap_or_default();
        stats.audited = stats.audited.max(audited.get(&id).copied());
        Ok(stats)
    });
    joined.collect()
}

fn provider(row: &Row<'_>) -> Result<(i64, ProviderStats), StoreError> {
    let (mode, health): (i64, i64) = (row.get(2)?, row.get(3)?);
    let stats = ProviderStats {
        name: row.get(1)?,
        mode: Mode::from_code(mode).ok_or_else(|| bad_code("mode", mode))?,
        health: Health::from_code(health).ok_or_else(|| bad_code("health", health))?,
        audited: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
        missing: 0,
        suspect: 0,
        orphans: row.get(4)?,
    };
    Ok((row.get(0)?, stats))
}

/// What is missing at providers, and what is only suspected, by their ids.
fn audits(connection: &Connection) -> Result<HashMap<i64, (u64, u64)>, StoreError> {
    let mut select = connection.prepare_cached(AUDITS)?;
    let of = params![JobKind::Audit.code(), JobState::Asking.code(), JobState::Done.code()];
    let (mut rows, mut all) = (select.query(of)?, HashMap::new());
    while let Some(row) = rows.next()? {
        let counts: String = row.get(2)?;
        let counts: JobCounts =
            serde_json::from_str(&counts).map_err(|error| StoreError::Corrupt(error.into()))?;
        let count = |name: &str| counts.get(name).copied().unwrap_or(0);
        let open = count("suspect").saturating_sub(count("lost") + count("found"));
        let asks = row.get::<_, i64>(1)? == JobState::Asking.code();
        all.insert(row.get(0)?, (count("lost"), if asks { open } else { 0 }));
    }
    Ok(all)
}

fn audited(connection: &Connection) -> Result<HashMap<i64, Timestamp>, StoreError> {
    let mut select = connection.prepare_cached(AUDITED)?;
    let done = params![JobKind::Audit.code(), JobState::Done.code()];
    let rows = select.query_map(done, |row| Ok((row.get(0)?, Timestamp::from_millis(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn jobs(connection: &Connection) -> Result<Vec<(JobKind, JobState, u64)>, StoreError> {
    let mut select = connection.prepare_cached(JOBS)?;
    let (mut rows, mut all) = (select.query([])?, Vec::new());
    while let Some(row) = rows.next()? {
        let (kind, state): (i64, i64) = (row.get(0)?, row.get(1)?);
        let kind = JobKind::from_code(kind).ok_or_else(|| bad_code("job kind", kind))?;
        let state = JobState::from_code(state).ok_or_else(|| bad_code("job state", state))?;
        all.push((kind, state, row.get(2)?));
    }
    Ok(all)
}

fn short_since(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let oldest: Option<i64> = connection.prepare_cached(SHORT_SINCE)?.query_row([], |row| row.get(0))?;
    Ok(oldest.map(Timestamp::from_millis))
}

fn oldest_unsettled(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let mut statement = connection.prepare_cached(OLDEST)?;
    let mut oldest: Option<i64> = None;
    for status in [Status::Queued, Status::Pinning] {
        let of_status: Option<i64> = statement.query_row([status.code()], |row| row.get(0))?;
        oldest = oldest.into_iter().chain(of_status).min();
    }
    Ok(oldest.map(Timestamp::from_millis))
}

fn due(connection: &Connection, op: Op, now: Timestamp) -> Result<(Op, u64, Option<Timestamp>), StoreError> {
    let of_op = params![op.code(), now.as_millis()];
    let since: Option<i64> = connection.prepare_cached(DUE_SINCE)?.query_row(of_op, |row| row.get(0))?;
    let capped = params![op.code(), now.as_millis(), CAP];
    let count = connection.prepare_cached(DUE)?.query_row(capped, |row| row.get(0))?;
    Ok((op, count, since.map(Timestamp::from_millis)))
}

fn size(path: &Path) -> Result<u64, StoreError> {
    let mut bytes = 0;
    for ending in ["", "-wal", "-shm"] {
        match std::fs::metadata(beside(path, ending)) {
            Ok(file) => bytes += file.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::Unavailable(anyhow!(error))),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
