//! Audits' rows: what a list showed, what is to be looked at, what nobody knows.

mod sets;

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params, types::Value};

use self::sets::{Sets, What};
use super::{
    SqliteStore, budget, providers,
    replicas::{self, decode_upstream, upstream_value},
    tx::Tx,
    writer::Lane,
};
use crate::{
    model::{
        Allowance, BudgetClass, Content, ContentId, Goal, JobId, Op, ProviderId, ReplicaId, ReplicaState,
        Timestamp, UpstreamId, replica::Replica,
    },
    store::{AuditStore, Cleared, Listed, Met, ORPHANS, Orphan, StoreError, Weigh, Weighed},
    telemetry::StoreClass::{Read, Write},
};

/// An audit that has to wait looks again after this.
const GIVE_WAY: Duration = Duration::from_secs(5);

#[async_trait::async_trait]
impl AuditStore for SqliteStore {
    async fn audit_waits(
        &self,
        provider: ProviderId,
        allowance: Option<Allowance>,
        now: Timestamp,
    ) -> Result<Option<Duration>, StoreError> {
        let Some(allowance) = allowance else { return Ok(None) };
        self.write(Read, Lane::Background, move |tx| waits(tx, provider, &allowance, now)).await
    }

    async fn copies_on_record(&self, provider: ProviderId) -> Result<u64, StoreError> {
        providers::copies_on_record(&self.readers.point(), provider)
    }

    async fn audit_begins(&self, provider: ProviderId, now: Timestamp) -> Result<(), StoreError> {
        self.write(Write, Lane::Background, move |tx| {
            // provider: its last audit
            tx.conn
                .prepare_cached("UPDATE providers SET audited_at = ?2 WHERE id = ?1")?
                .execute([provider.0, now.as_millis()])?;
            tx.forget_config();
            Ok(())
        })
        .await
    }

    async fn audit_page(
        &self,
        job: JobId,
        provider: ProviderId,
        pins: Vec<Listed>,
        now: Timestamp,
    ) -> Result<Met, StoreError> {
        self.write(Write, Lane::Background, move |tx| page(tx, job, provider, &pins, now)).await
    }

    async fn audit_weigh(&self, weigh: Weigh) -> Result<Weighed, StoreError> {
        self.write(Write, Lane::Background, move |tx| self::weigh(tx, &weigh)).await
    }

    async fn audit_clear(
        &self,
        job: JobId,
        (began, since): (Timestamp, Timestamp),
        limit: u32,
        now: Timestamp,
    ) -> Result<Cleared, StoreError> {
        self.write(Write, Lane::Background, move |tx| clear(tx, job, (began, since), limit, now)).await
    }

    async fn audit_ends(
        &self,
        job: JobId,
        provider: ProviderId,
        swept: Option<(Timestamp, u64)>,
    ) -> Result<(), StoreError> {
        self.write(Write, Lane::Background, move |tx| ends(tx, job, provider, swept)).await
    }

    async fn plan_looks(
        &self,
        provider: ProviderId,
        after: ContentId,
        limit: u32,
        now: Timestamp,
    ) -> Result<Option<ContentId>, StoreError> {
        self.write(Write, Lane::Background, move |tx| plan_looks(tx, provider, after, limit, now)).await
    }

    async fn orphans(
        &self,
        provider: ProviderId,
        after: Option<UpstreamId>,
        limit: u32,
    ) -> Result<Vec<Orphan>, StoreError> {
        orphans(&self.readers.point(), provider, after.as_ref(), limit)
    }
}

/// What is new goes first: while some of it waits, a quarter of what a limit allows is left alone.
fn waits(
    tx: &Tx<'_>,
    provider: ProviderId,
    allowance: &Allowance,
    now: Timestamp,
) -> Result<Option<Duration>, StoreError> {
    let rooms = budget::rooms(tx, allowance)?;
    let news = has_news(tx, provider, now)?;
    let mut wait = None;
    for class in [BudgetClass::List, BudgetClass::Any] {
        let room = rooms[class];
        let kept = allowance.rates[class].filter(|_| news).map_or(0, |rate| rate.calls.div_ceil(4));
        if room.free == 0 {
            wait = wait.max(Some(room.more_in));
        } else if room.free <= kept {
            wait = wait.max(Some(GIVE_WAY));
        }
    }
    Ok(wait)
}

/// Whether anything but a look at what is pinned is due.
fn has_news(tx: &Tx<'_>, provider: ProviderId, now: Timestamp) -> Result<bool, StoreError> {
    // replicas_due: what is sent or polled, and waits for its turn
    let mut select = tx.conn.prepare_cached(
        "SELECT EXISTS(SELECT 1 FROM replicas INDEXED BY replicas_due
         WHERE provider = ?1 AND op = ?2 AND next_at <= ?3 AND NOT leased)",
    )?;
    for op in [Op::Remove, Op::Submit, Op::Poll] {
        if select.query_row([provider.0, op.code(), now.as_millis()], |row| row.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn page(
    tx: &Tx<'_>,
    job: JobId,
    provider: ProviderId,
    pins: &[Listed],
    now: Timestamp,
) -> Result<Met, StoreError> {
    let (mut sets, mut met) = (Sets::of(tx.conn, job, What::Met), Met::default());
    for pin in pins {
        match holder(tx, provider, pin)? {
            Holder::Ours(replica) => {
                met.ours += 1;
                if pin.pinned {
                    sets.insert(replica)?;
                }
            }
            Holder::Known => {}
            Holder::Nobody => {
                met.orphans += 1;
                note_orphan(tx, provider, pin, now)?;
            }
        }
    }
    sets.save()?;
    Ok(met)
}

/// Whose a listed pin is.
enum Holder {
    Ours(ReplicaId),
    /// On its way to or from here, a double that is being removed, or another entry's.
    Known,
    Nobody,
}

fn holder(tx: &Tx<'_>, provider: ProviderId, pin: &Listed) -> Result<Holder, StoreError> {
    let upstream = upstream_value(&pin.upstream);
    // replicas: of a content, at any provider
    let mut select = tx.conn.prepare_cached(
        "SELECT r.id, r.provider, r.upstream IS NULL, r.upstream IS ?2
         FROM contents c CROSS JOIN providers v CROSS JOIN replicas r ON r.provider = v.id AND r.content = c.id
         WHERE c.key = ?1",
    )?;
    let mut rows = select.query(params![pin.content.as_bytes(), upstream])?;
    let mut is_known = false;
    while let Some(row) = rows.next()? {
        let (is_here, is_on_its_way, is_it): (bool, bool, bool) =
            (row.get::<_, i64>(1)? == provider.0, row.get(2)?, row.get(3)?);
        if is_here && is_it {
            return Ok(Holder::Ours(ReplicaId(row.get(0)?)));
        }
        is_known |= is_it || is_here && is_on_its_way;
    }
    // surplus: a double of ours
    let is_double: bool = tx
        .conn
        .prepare_cached("SELECT EXISTS(SELECT 1 FROM surplus WHERE provider = ?1 AND upstream = ?2)")?
        .query_row(params![provider.0, upstream], |row| row.get(0))?;
    Ok(if is_known || is_double { Holder::Known } else { Holder::Nobody })
}

fn note_orphan(tx: &Tx<'_>, provider: ProviderId, pin: &Listed, now: Timestamp) -> Result<(), StoreError> {
    // orphans: seen again
    let known = tx
        .conn
        .prepare_cached("UPDATE orphans SET seen_at = ?3 WHERE provider = ?1 AND upstream = ?2")?
        .execute(params![provider.0, upstream_value(&pin.upstream), now.as_millis()])?;
    if known > 0 {
        return Ok(());
    }
    // orphans: new, as long as there is room
    tx.conn
        .prepare_cached(
            "INSERT INTO orphans(provider, upstream, content, name, created, seen_at)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6
             WHERE (SELECT count(*) FROM (SELECT 1 FROM orphans WHERE provider = ?1 LIMIT ?7)) < ?7",
        )?
        .execute(params![
            provider.0,
            upstream_value(&pin.upstream),
            pin.content.as_bytes(),
            pin.name,
            pin.created.map(Timestamp::as_millis),
            now.as_millis(),
            ORPHANS
        ])?;
    Ok(())
}

fn weigh(tx: &Tx<'_>, weigh: &Weigh) -> Result<Weighed, StoreError> {
    let Weigh { job, provider, began, after, limit } = *weigh;
    let (mut met, mut suspects) = (Sets::of(tx.conn, job, What::Met), Sets::of(tx.conn, job, What::Suspect));
    // replicas of a provider, by content: those that it said are pinned are told from others here
    let mut select = tx.conn.prepare_cached(
        "SELECT id, content, goal = ?4 AND state = ?5 AND state_at < ?6 AND upstream IS NOT NULL
         FROM replicas WHERE provider = ?1 AND content > ?2 ORDER BY content LIMIT ?3",
    )?;
    let (keep, pinned) = (Goal::Keep.code(), ReplicaState::Pinned.code());
    let mut rows = select.query(params![provider.0, after.0, limit, keep, pinned, began.as_millis()])?;
    let (mut weighed, mut seen) = (Weighed::default(), 0);
    while let Some(row) = rows.next()? {
        let id = ReplicaId(row.get(0)?);
        (weighed.next, seen) = (Some(ContentId(row.get(1)?)), seen + 1);
        if !row.get::<_, bool>(2)? {
            continue;
        }
        weighed.copies += 1;
        if !met.contains(id)? {
            weighed.suspects += 1;
            suspects.insert(id)?;
        }
    }
    suspects.save()?;
    weighed.next = weighed.next.filter(|_| seen == limit);
    Ok(weighed)
}

fn clear(
    tx: &Tx<'_>,
    job: JobId,
    (began, since): (Timestamp, Timestamp),
    limit: u32,
    now: Timestamp,
) -> Result<Cleared, StoreError> {
    let (mut suspects, mut cleared) = (Sets::of(tx.conn, job, What::Suspect), Cleared::default());
    for id in suspects.first(limit as usize)? {
        match verdict(replicas::load(tx, id)?.as_ref(), began, since) {
            Verdict::Lost => cleared.lost += 1,
            Verdict::Found => cleared.found += 1,
            Verdict::Dropped => cleared.dropped += 1,
            Verdict::Open => {
                hasten(tx, id, now)?;
                continue;
            }
        }
        suspects.remove(id)?;
    }
    suspects.save()?;
    cleared.left = suspects.count()?;
    Ok(cleared)
}

enum Verdict {
    Lost,
    Found,
    Dropped,
    Open,
}

/// What is known of a copy that was pinned since before `began`, by looks since `since`.
fn verdict(replica: Option<&Replica>, began: Timestamp, since: Timestamp) -> Verdict {
    match replica {
        None => Verdict::Dropped,
        Some(replica) if replica.goal == Goal::Remove => Verdict::Dropped,
        // It went out of that state, and may be back by now.
        Some(replica) if replica.state != ReplicaState::Pinned || replica.state_at >= began => Verdict::Lost,
        Some(replica) if replica.seen_at.is_some_and(|seen| seen >= since) => Verdict::Found,
        Some(_) => Verdict::Open,
    }
}

/// Has a pinned copy looked at, after whatever else is due.
fn hasten(tx: &Tx<'_>, replica: ReplicaId, now: Timestamp) -> Result<(), StoreError> {
    // replica: its look is for now; one without any gets one
    tx.conn
        .prepare_cached(
            "UPDATE replicas SET op = ?2, next_at = ?3
             WHERE id = ?1 AND NOT leased AND coalesce(op, ?2) = ?2 AND coalesce(next_at, ?3 + 1) > ?3",
        )?
        .execute([replica.0, Op::Verify.code(), now.as_millis()])?;
    Ok(())
}

fn ends(
    tx: &mut Tx<'_>,
    job: JobId,
    provider: ProviderId,
    swept: Option<(Timestamp, u64)>,
) -> Result<(), StoreError> {
    if let Some((began, orphans)) = swept {
        // orphans: those that were not there any more
        tx.conn
            .prepare_cached("DELETE FROM orphans WHERE provider = ?1 AND seen_at < ?2")?
            .execute([provider.0, began.as_millis()])?;
        // provider: its last whole sweep
        tx.conn
            .prepare_cached("UPDATE providers SET swept_at = ?2, orphans = ?3 WHERE id = ?1")?
            .execute(params![provider.0, began.as_millis(), orphans])?;
        tx.forget_config();
    }
    sets::forget(tx.conn, job)
}

fn plan_looks(
    tx: &mut Tx<'_>,
    provider: ProviderId,
    after: ContentId,
    limit: u32,
    now: Timestamp,
) -> Result<Option<ContentId>, StoreError> {
    // replicas of a provider, by content: where a step ends
    let last: Option<i64> = tx
        .conn
        .prepare_cached(
            "SELECT content FROM replicas WHERE provider = ?1 AND content > ?2 ORDER BY content LIMIT 1 OFFSET ?3",
        )?
        .query_row(params![provider.0, after.0, limit], |row| row.get(0))
        .optional()?;
    let span = tx.moment(provider, now)?.verify_every.map_or(1, |span| span.as_millis().max(1));
    // replicas: pinned, with nothing due
    tx.conn
        .prepare_cached(
            "UPDATE replicas SET op = ?4, next_at = ?5 + abs(random() % ?6)
             WHERE provider = ?1 AND content > ?2 AND content <= ?3 AND next_at IS NULL AND state = ?7
                   AND upstream IS NOT NULL",
        )?
        .execute(params![
            provider.0,
            after.0,
            last.unwrap_or(i64::MAX),
            Op::Verify.code(),
            now.as_millis(),
            i64::try_from(span).unwrap_or(i64::MAX),
            ReplicaState::Pinned.code()
        ])?;
    if last.is_none() {
        // provider: all of its copies have looks of their own
        tx.conn.prepare_cached("UPDATE providers SET unplanned = 0 WHERE id = ?1")?.execute([provider.0])?;
        tx.forget_config();
    }
    Ok(last.map(ContentId))
}

fn orphans(
    conn: &Connection,
    provider: ProviderId,
    after: Option<&UpstreamId>,
    limit: u32,
) -> Result<Vec<Orphan>, StoreError> {
    // Before all texts and blobs there is nothing.
    let after = after.map_or(Value::Integer(0), upstream_value);
    // orphans: a page of a provider's
    let mut select = conn.prepare_cached(
        "SELECT upstream, content, name, created, seen_at FROM orphans
         WHERE provider = ?1 AND upstream > ?2 ORDER BY upstream LIMIT ?3",
    )?;
    let mut rows = select.query(params![provider.0, after, limit])?;
    let mut orphans = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(upstream) = decode_upstream(row.get_ref(0)?)? else { continue };
        let key: Vec<u8> = row.get(1)?;
        orphans.push(Orphan {
            upstream,
            content: Content::from_bytes(&key).map_err(|error| StoreError::Corrupt(error.into()))?,
            name: row.get(2)?,
            created: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_millis),
            seen_at: Timestamp::from_millis(row.get(4)?),
        });
    }
    Ok(orphans)
}

/// Drops what jobs that are over have left; one that was cancelled does not do so itself.
pub(super) fn forget_ended(conn: &Connection) -> Result<(), StoreError> {
    // audit_sets: of jobs that are over
    let over: Option<i64> = conn
        .prepare_cached(
            "SELECT job FROM audit_sets WHERE job NOT IN (SELECT id FROM jobs WHERE state < 3) LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    over.map_or(Ok(()), |job| sets::forget(conn, JobId(job)))
}
