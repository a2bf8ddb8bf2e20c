//! What is done a little at a time, behind the requests: fan-out, spilling over, polls brought forward, pins that end,
//! held copies let go, doubles.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    adopt, delete, events,
    outcome::pins_after,
    providers::resettles,
    replicas::{decode_upstream, leave_to_remerge, upstream_value},
    settle::{self, Pin},
    tx::Tx,
};
use crate::{
    model::{ContentId, Goal, Op, ProviderId, ReplicaId, ReplicaState, RequestId, Timestamp, UpstreamId},
    store::{Expired, LateStep, RemergeReport, ResettleStep, Respill, Respilled, StoreError},
};

/// Pins settled in one step.
const STEP: usize = 256;
/// No call of any provider can take effect after this long. Wall clock.
const LONGEST_DOUBT: Duration = Duration::from_secs(3600);
/// For how long a replaced pin's copies are held at most. Wall clock.
const HOLD: Duration = Duration::from_secs(7 * 24 * 3600);

/// Settles pins of one replica after the other, so that many replicas of few pins each take few transactions, too.
pub(super) fn remerge_step(tx: &mut Tx<'_>, now: Timestamp) -> Result<RemergeReport, StoreError> {
    let mut settled = 0;
    while settled < STEP {
        // remerge: first
        let first: Option<(i64, i64)> = tx
            .conn
            .prepare_cached("SELECT replica, after_pin FROM remerge ORDER BY replica LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((replica, after)) = first else {
            return Ok(RemergeReport { pins: settled as u64, more: false });
        };
        settled += remerge(tx, replica, after, STEP - settled, now)?;
    }
    // remerge: anything left
    let more =
        tx.conn.prepare_cached("SELECT EXISTS(SELECT 1 FROM remerge)")?.query_row([], |row| row.get(0))?;
    Ok(RemergeReport { pins: settled as u64, more })
}

/// Settles up to `limit` pins of a replica. Returns how many.
fn remerge(
    tx: &mut Tx<'_>,
    replica: i64,
    after: i64,
    limit: usize,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let pins = pins_after(tx, ReplicaId(replica), after, limit)?;
    match pins.last() {
        // remerge: go on after these
        Some(last) if pins.len() == limit => tx
            .conn
            .prepare_cached("UPDATE remerge SET after_pin = ?2 WHERE replica = ?1")?
            .execute([replica, *last])?,
        // remerge: done
        _ => tx.conn.prepare_cached("DELETE FROM remerge WHERE replica = ?1")?.execute([replica])?,
    };
    for pin in &pins {
        settle::settle(tx, *pin, now)?;
    }
    Ok(pins.len())
}

pub(super) fn respill(
    tx: &Tx<'_>,
    provider: ProviderId,
    which: Respill,
    cursor: ContentId,
    limit: u32,
) -> Result<Respilled, StoreError> {
    // replicas of a provider, by content
    let mut select = tx.conn.prepare_cached(
        "SELECT id, content, state, goal FROM replicas WHERE provider = ?1 AND content > ?2
         ORDER BY content LIMIT ?3",
    )?;
    let mut rows = select.query(params![provider.0, cursor.0, limit])?;
    let (mut respilled, mut seen) = (Respilled::default(), 0);
    while let Some(row) = rows.next()? {
        let (id, content): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (state, goal): (i64, i64) = (row.get(2)?, row.get(3)?);
        let is_wanted = goal == Goal::Keep.code();
        if is_wanted && (which == Respill::All || state != ReplicaState::Pinned.code()) {
            leave_to_remerge(tx, ReplicaId(id))?;
        }
        (respilled.next, seen) = (Some(ContentId(content)), seen + 1);
    }
    respilled.next = respilled.next.filter(|_| seen == limit);
    Ok(respilled)
}

/// When the next replica is late.
pub(super) fn next_late(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    // replicas_late: first
    let first: Option<i64> = connection
        .prepare_cached(
            "SELECT min(late_at) FROM replicas INDEXED BY replicas_late WHERE late_at IS NOT NULL",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(first.map(Timestamp::from_millis))
}

pub(super) fn note_late(tx: &Tx<'_>, now: Timestamp, limit: u32) -> Result<LateStep, StoreError> {
    // replicas_late: those whose time has come
    let late: Vec<i64> = tx
        .conn
        .prepare_cached(
            "UPDATE replicas SET late_at = NULL WHERE id IN (
               SELECT id FROM replicas INDEXED BY replicas_late WHERE late_at <= ?1 ORDER BY late_at LIMIT ?2)
             RETURNING id",
        )?
        .query_map(params![now.as_millis(), limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for replica in &late {
        leave_to_remerge(tx, ReplicaId(*replica))?;
    }
    Ok(LateStep { replicas: late.len() as u64, next: next_late(tx.conn)? })
}

pub(super) fn resettle_step(tx: &Tx<'_>, limit: u32) -> Result<ResettleStep, StoreError> {
    // providers: the first one whose pins are to be settled anew
    let first: Option<(i64, i64)> = tx
        .conn
        .prepare_cached(
            "SELECT id, resettle_after FROM providers WHERE resettle_after IS NOT NULL ORDER BY id LIMIT 1",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((provider, after)) = first else { return Ok(ResettleStep::default()) };
    let step = respill(tx, ProviderId(provider), Respill::All, ContentId(after), limit)?;
    // provider: how far that is
    tx.conn
        .prepare_cached("UPDATE providers SET resettle_after = ?2 WHERE id = ?1")?
        .execute(params![provider, step.next.map(|next| next.0)])?;
    Ok(ResettleStep { taken: true, more: resettles(tx.conn)? })
}

pub(super) fn hasten_polls(
    tx: &Tx<'_>,
    pins: &[RequestId],
    gap: Duration,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let gap = i64::try_from(gap.as_millis()).unwrap_or(i64::MAX);
    // replicas of a pin: a poll that is planned for later comes sooner
    let mut update = tx.conn.prepare_cached(
        "UPDATE replicas SET next_at = max(?2, coalesce(seen_at, 0) + ?3)
         WHERE id IN (SELECT l.replica FROM pins p JOIN pin_replicas l ON l.pin = p.id WHERE p.requestid = ?1)
           AND op = ?4 AND NOT leased AND next_at > max(?2, coalesce(seen_at, 0) + ?3)",
    )?;
    let mut hastened = 0;
    for pin in pins {
        hastened += update.execute(params![pin.as_bytes(), now.as_millis(), gap, Op::Poll.code()])?;
    }
    Ok(hastened as u64)
}

pub(super) fn resume_polls(
    tx: &Tx<'_>,
    provider: ProviderId,
    limit: u32,
    now: Timestamp,
) -> Result<u64, StoreError> {
    // replicas_due: a provider's polls that are planned for later
    let resumed = tx
        .conn
        .prepare_cached(
            "UPDATE replicas SET next_at = ?3 WHERE id IN (
               SELECT id FROM replicas INDEXED BY replicas_due
               WHERE provider = ?1 AND op = ?2 AND next_at > ?3 AND NOT leased LIMIT ?4)",
        )?
        .execute(params![provider.0, Op::Poll.code(), now.as_millis(), limit])?;
    Ok(resumed as u64)
}

/// When the next pin goes.
pub(super) fn next_end(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    // pins_expiring: first
    let first: Option<i64> = connection
        .prepare_cached(
            "SELECT min(expires_at) FROM pins INDEXED BY pins_expiring WHERE expires_at IS NOT NULL",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(first.map(Timestamp::from_millis))
}

pub(super) fn expire_pins(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<Expired, StoreError> {
    // pins_expiring: those whose time has come
    let ended: Vec<i64> = tx
        .conn
        .prepare_cached(
            "SELECT id FROM pins INDEXED BY pins_expiring WHERE expires_at <= ?1 ORDER BY expires_at, id LIMIT ?2",
        )?
        .query_map(params![now.as_millis(), limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    tx.saw(now);
    let mut pins = 0;
    for id in ended {
        if let Some(pin) = Pin::load(tx, id)? {
            events::pin_expired(tx, pin.account, pin.requestid, now)?;
            delete::remove(tx, &pin, now)?;
            pins += 1;
        }
    }
    Ok(Expired { pins, next: next_end(tx.conn)? })
}

pub(super) fn expire_held(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    // links: held for too long
    let old: Vec<(i64, i64)> = tx
        .conn
        .prepare_cached("SELECT pin, replica FROM pin_replicas WHERE held_since < ?1 LIMIT 1000")?
        .query_map([now.minus(HOLD).as_millis()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (pin, replica) in &old {
        settle::unlink(tx, *pin, ReplicaId(*replica), now)?;
    }
    Ok(old.len() as u64)
}

pub(super) fn mend_schedule(tx: &Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    // replicas: due later than any schedule says
    let mended = tx
        .conn
        .prepare_cached("UPDATE replicas SET next_at = ?1 WHERE next_at > ?2 AND NOT leased")?
        .execute([now.as_millis(), now.plus(tx.longest_wait()).as_millis()])?;
    // replicas: late at a time of the wrong clock
    tx.conn
        .prepare_cached("UPDATE replicas SET late_at = ?1 WHERE late_at > ?2")?
        .execute([now.as_millis(), now.plus(tx.longest_wait()).as_millis()])?;
    // providers: in their state since a time that is still to come
    tx.conn
        .prepare_cached(
            "UPDATE providers SET health_since = min(health_since, ?1), absent_since = min(absent_since, ?1)
             WHERE health_since > ?1 OR absent_since > ?1",
        )?
        .execute([now.as_millis()])?;
    // replicas: in doubt for longer than any call can take
    tx.conn
        .prepare_cached("UPDATE replicas SET doubt_until = ?1 WHERE doubt_until > ?1")?
        .execute([now.plus(LONGEST_DOUBT).as_millis()])?;
    Ok(mended as u64)
}

/// Whether a provider has doubles that are due to be deleted.
pub(super) fn has_surplus(
    connection: &Connection,
    provider: ProviderId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    // surplus: any due one of a provider
    let any = connection
        .prepare_cached("SELECT EXISTS(SELECT 1 FROM surplus WHERE provider = ?1 AND next_at <= ?2)")?
        .query_row([provider.0, now.as_millis()], |row| row.get(0))?;
    Ok(any)
}

pub(super) fn claim_surplus(
    tx: &Tx<'_>,
    provider: ProviderId,
    limit: u32,
    now: Timestamp,
    retry_at: Timestamp,
) -> Result<Vec<UpstreamId>, StoreError> {
    // surplus: due ones of a provider, put off until their next try; never before the one that is kept is confirmed (I8)
    let mut select = tx.conn.prepare_cached(
        "UPDATE surplus SET next_at = ?4, tries = tries + 1
         WHERE (provider, upstream) IN
           (SELECT provider, upstream FROM surplus WHERE provider = ?1 AND next_at <= ?2
              AND NOT EXISTS(SELECT 1 FROM replicas r WHERE r.provider = ?1 AND r.content = surplus.content
                             AND r.goal = 0 AND (r.state <> 3 OR r.verified_at IS NULL OR r.doubt <> 0)) LIMIT ?3)
         RETURNING upstream",
    )?;
    let mut rows = select.query(params![provider.0, now.as_millis(), limit, retry_at.as_millis()])?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        due.extend(decode_upstream(row.get_ref(0)?)?);
    }
    Ok(due)
}

pub(super) fn record_surplus(tx: &Tx<'_>, provider: ProviderId, gone: &UpstreamId) -> Result<(), StoreError> {
    adopt::gone(tx, provider, gone)?;
    // surplus: deleted
    tx.conn
        .prepare_cached("DELETE FROM surplus WHERE provider = ?1 AND upstream = ?2")?
        .execute(params![provider.0, upstream_value(gone)])?;
    Ok(())
}
