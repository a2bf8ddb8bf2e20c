//! What a provider holds already: staged, compared with what is on record, counted, and forgotten again.

mod make;

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::{SqliteStore, replicas::upstream_value, tx::Tx, writer::Lane};
use crate::{
    model::{ContentId, JobId, JobKind, Meta, Owned, ProviderId, Timestamp, UpstreamId},
    policy::Policy,
    store::{AdoptStore, Adopted, Adoption, Compared, ListedPin, Staged, StoreError},
    telemetry::StoreClass::Write,
};

/// How a staged pin stands. What comes before `BOTH` is still to be decided on.
const OPEN: i64 = 0;
/// Put off: a call for its content is under way.
const WAITING: i64 = 1;
const BOTH: i64 = 2;
const MADE: i64 = 3;
const HAD: i64 = 4;
const GONE: i64 = 5;
const INLINE: i64 = 6;

#[async_trait::async_trait]
impl AdoptStore for SqliteStore {
    async fn stage_pins(
        &self,
        adoption: Adoption,
        pins: Vec<ListedPin>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.write(Write, Lane::Background, move |tx| stage(tx, &adoption, &pins, now)).await
    }

    async fn compare_copies(
        &self,
        adoption: Adoption,
        cursor: ContentId,
        limit: u32,
    ) -> Result<Compared, StoreError> {
        compare(&self.readers.point(), &adoption, cursor, limit)
    }

    async fn adopt_pins(
        &self,
        adoption: Adoption,
        limit: u32,
        now: Timestamp,
    ) -> Result<Adopted, StoreError> {
        self.write(Write, Lane::Background, move |tx| make::step(tx, &adoption, limit, now)).await
    }

    async fn staged(&self, adoption: Adoption) -> Result<Staged, StoreError> {
        self.readers.staged(adoption).await
    }

    async fn clear_staged(&self, job: JobId, limit: u32) -> Result<u64, StoreError> {
        self.write(Write, Lane::Background, move |tx| {
            // adopting: some of a job
            let cleared = tx
                .conn
                .prepare_cached(
                    "DELETE FROM adopting WHERE (job, upstream) IN
                       (SELECT job, upstream FROM adopting WHERE job = ?1 LIMIT ?2)",
                )?
                .execute(params![job.0, limit])?;
            Ok(cleared as u64)
        })
        .await
    }
}

fn stage(tx: &Tx<'_>, adoption: &Adoption, pins: &[ListedPin], now: Timestamp) -> Result<u64, StoreError> {
    // adopting: one that was not seen yet
    let mut insert = tx.conn.prepare_cached(
        "INSERT OR IGNORE INTO adopting(job, upstream, content, state, status, created, seen, cid, name, meta, origins,
                                        cut)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    let mut staged = 0;
    for pin in pins {
        let content = pin.spec.cid.content();
        let state = match content.is_identity() {
            true => INLINE,
            false if is_on_record(tx, adoption.provider, content.as_bytes(), &pin.upstream)? => BOTH,
            false => OPEN,
        };
        staged += insert.execute(params![
            adoption.job.0,
            upstream_value(&pin.upstream),
            content.as_bytes(),
            state,
            pin.status.code(),
            pin.created.map(Timestamp::as_millis),
            now.as_millis(),
            pin.spec.cid.text_unless_canonical(),
            pin.spec.name,
            pin.spec.meta.as_ref().map(Meta::to_json),
            pin.spec.origins.to_json(),
            pin.is_cut
        ])?;
    }
    Ok(staged as u64)
}

/// Whether an upstream pin is one of ours: it stands for a replica, or is to be deleted beside one. What was only found
/// there is not ours yet (I13).
fn is_on_record(
    tx: &Tx<'_>,
    provider: ProviderId,
    content: &[u8],
    upstream: &UpstreamId,
) -> Result<bool, StoreError> {
    // replica and surplus by upstream id
    let known = tx
        .conn
        .prepare_cached(
            "SELECT EXISTS(SELECT 1 FROM replicas WHERE provider = ?1 AND upstream = ?3 AND owned <> ?4
                           AND content = (SELECT id FROM contents WHERE key = ?2))
                 OR EXISTS(SELECT 1 FROM surplus WHERE provider = ?1 AND upstream = ?3)",
        )?
        .query_row(params![provider.0, content, upstream_value(upstream), Owned::Found.code()], |row| {
            row.get(0)
        })?;
    Ok(known)
}

/// Notes that one is not there any more, for jobs that may have listed it or still may.
pub(super) fn gone(tx: &Tx<'_>, provider: ProviderId, upstream: &UpstreamId) -> Result<(), StoreError> {
    // adopting: not to be made any more
    tx.conn
        .prepare_cached(
            "INSERT INTO adopting(job, upstream, content, state, status, seen)
             SELECT id, ?2, x'', ?4, 0, 0 FROM jobs WHERE kind = ?3 AND provider = ?1 AND state < 3
             ON CONFLICT(job, upstream) DO UPDATE SET state = ?4 WHERE state <= ?5 AND NOT taken",
        )?
        .execute(params![provider.0, upstream_value(upstream), JobKind::Adopt.code(), GONE, WAITING])?;
    Ok(())
}

fn compare(
    conn: &Connection,
    adoption: &Adoption,
    cursor: ContentId,
    limit: u32,
) -> Result<Compared, StoreError> {
    // replicas of a provider by content, and whether they were listed
    let mut select = conn.prepare_cached(
        "SELECT r.content, r.upstream IS NOT NULL
                AND NOT EXISTS(SELECT 1 FROM adopting a WHERE a.job = ?4 AND a.upstream = r.upstream)
         FROM replicas r WHERE r.provider = ?1 AND r.content > ?2 ORDER BY r.content LIMIT ?3",
    )?;
    let mut rows = select.query(params![adoption.provider.0, cursor.0, limit, adoption.job.0])?;
    let (mut compared, mut seen) = (Compared::default(), 0);
    while let Some(row) = rows.next()? {
        compared.ours_only += u64::from(row.get::<_, bool>(1)?);
        (compared.next, seen) = (Some(ContentId(row.get(0)?)), seen + 1);
    }
    compared.next = compared.next.filter(|_| seen == limit);
    Ok(compared)
}

/// Reads all that a job has staged.
pub(super) fn staged(conn: &Connection, adoption: &Adoption) -> Result<Staged, StoreError> {
    let job = adoption.job;
    // adopting: by state
    let mut select = conn.prepare_cached(
        "SELECT state, count(*), sum(cut), sum(doubled), sum(copies) FROM adopting
         WHERE job = ?1 AND content <> x'' GROUP BY state",
    )?;
    let mut rows = select.query([job.0])?;
    let mut staged = Staged::default();
    while let Some(row) = rows.next()? {
        let count: u64 = row.get(1)?;
        match row.get(0)? {
            BOTH => staged.both = count,
            MADE => staged.made = count,
            HAD => staged.had = count,
            GONE => staged.gone = count,
            INLINE => staged.inline = count,
            _ => staged.open += count,
        }
        staged.cut += row.get::<_, u64>(2)?;
        staged.doubles += row.get::<_, u64>(3)?;
        staged.copies += row.get::<_, u64>(4)?;
    }
    if staged.both > 0 {
        staged.holders = holders(conn, job)?;
    }
    staged.ends_after = ends_after(conn, &adoption.policy)?;
    Ok(staged)
}

fn ends_after(conn: &Connection, policy: &str) -> Result<Option<Duration>, StoreError> {
    // policy: newest revision
    let body: Option<String> = conn
        .prepare_cached("SELECT body FROM policies WHERE name = ?1 ORDER BY rev DESC LIMIT 1")?
        .query_row([policy], |row| row.get(0))
        .optional()?;
    let policy = body.map(|body| serde_json::from_str::<Policy>(&body)).transpose();
    Ok(policy.map_err(|error| StoreError::Corrupt(error.into()))?.and_then(|policy| policy.expire_after))
}

/// Whose pins stand for what is on record already.
fn holders(conn: &Connection, job: JobId) -> Result<Vec<(String, u64)>, StoreError> {
    // adopting: those on record, by the accounts that have pins of the content
    let mut select = conn.prepare_cached(
        "SELECT a.name, count(DISTINCT x.upstream) FROM adopting x JOIN contents c ON c.key = x.content
         JOIN pins p INDEXED BY pins_content ON p.content = c.id JOIN accounts a ON a.id = p.account
         WHERE x.job = ?1 AND x.state = ?2 GROUP BY a.id ORDER BY 2 DESC, a.name",
    )?;
    let rows = select.query_map([job.0, BOTH], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets some of what jobs that have ended left behind.
pub(super) fn forget(tx: &Tx<'_>, limit: i64) -> Result<u64, StoreError> {
    // adopting: of jobs that were cancelled
    let gone = tx
        .conn
        .prepare_cached(
            "DELETE FROM adopting WHERE (job, upstream) IN
               (SELECT a.job, a.upstream FROM jobs j CROSS JOIN adopting a ON a.job = j.id
                WHERE j.kind = ?1 AND j.state >= 3 LIMIT ?2)",
        )?
        .execute(params![JobKind::Adopt.code(), limit])?;
    Ok(gone as u64)
}

/// The account's pin of the same content, name and meta, where it has one.
fn same_pin(
    tx: &Tx<'_>,
    adoption: &Adoption,
    content: ContentId,
    name: Option<&str>,
    meta: Option<&str>,
) -> Result<Option<i64>, StoreError> {
    // pins_content: one that asks for the same
    let found = tx
        .conn
        .prepare_cached(
            "SELECT id FROM pins INDEXED BY pins_content
             WHERE content = ?1 AND account = ?2 AND name IS ?3 AND meta IS ?4 ORDER BY created LIMIT 1",
        )?
        .query_row(params![content.0, adoption.account.0, name, meta], |row| row.get(0))
        .optional()?;
    Ok(found)
}
