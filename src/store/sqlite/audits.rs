//! Audits' rows: what a list showed, what is to be looked at, what nobody knows.

mod looks;
mod orphans;
mod sets;

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use self::{
    orphans::{Holder, holder},
    sets::{Sets, What},
};
use super::{SqliteStore, budget, providers, replicas, tx::Tx, writer::Lane};
use crate::{
    model::{
        Allowance, BudgetClass, ContentId, Doubt, Goal, JobId, Op, ProviderId, ReplicaId, ReplicaState,
        Timestamp, UpstreamId, replica::Replica,
    },
    policy::merge::STALLED,
    store::{AuditStore, Cleared, Listed, Met, Orphan, StoreError, Weigh, Weighed},
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
        patient: bool,
        now: Timestamp,
    ) -> Result<Option<Duration>, StoreError> {
        let Some(allowance) = allowance else {
            let news = !patient && has_news(&self.readers.point(), provider, now)?;
            return Ok(news.then_some(GIVE_WAY));
        };
        self.write(Read, Lane::Background, move |tx| waits(tx, provider, &allowance, patient, now)).await
    }

    async fn copies_on_record(&self, provider: ProviderId) -> Result<u64, StoreError> {
        providers::copies_on_record(&self.readers.point(), provider)
    }

    async fn audit_begins(&self, provider: ProviderId, now: Timestamp) -> Result<(), StoreError> {
        self.write(Write, Lane::Background, move |tx| {
            // provider: the next audit is counted from here
            tx.conn
                .prepare_cached("UPDATE providers SET audits_from = ?2 WHERE id = ?1")?
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
        self.write(Write, Lane::Background, move |tx| looks::plan(tx, provider, after, limit, now)).await
    }

    async fn orphans(
        &self,
        provider: ProviderId,
        after: Option<UpstreamId>,
        limit: u32,
    ) -> Result<Vec<Orphan>, StoreError> {
        orphans::page(&self.readers.point(), provider, after.as_ref(), limit)
    }
}

/// What is new goes first. Where it waits for something else than calls, a quarter of them is left for it.
fn waits(
    tx: &Tx<'_>,
    provider: ProviderId,
    allowance: &Allowance,
    patient: bool,
    now: Timestamp,
) -> Result<Option<Duration>, StoreError> {
    let rooms = budget::rooms(tx, allowance)?;
    let news = has_news(tx.conn, provider, now)?;
    let mut wait = (news && !patient).then_some(GIVE_WAY);
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
fn has_news(conn: &Connection, provider: ProviderId, now: Timestamp) -> Result<bool, StoreError> {
    // replicas_due: what is sent or polled, and waits for its turn
    let mut select = conn.prepare_cached(
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
                orphans::note(tx, provider, pin, now)?;
            }
        }
    }
    sets.save()?;
    Ok(met)
}

fn weigh(tx: &Tx<'_>, weigh: &Weigh) -> Result<Weighed, StoreError> {
    let Weigh { job, provider, began, after, limit } = *weigh;
    let (mut met, mut suspects) = (Sets::of(tx.conn, job, What::Met), Sets::of(tx.conn, job, What::Suspect));
    // replicas of a provider, by content: those that it said are pinned are told from others here
    let mut select = tx.conn.prepare_cached(
        "SELECT id, content, goal = ?4 AND state = ?5 AND state_at < ?6 AND upstream IS NOT NULL,
                verified_at IS NULL AND doubt = ?7 AND coalesce(seen_at, 0) < ?6
         FROM replicas WHERE provider = ?1 AND content > ?2 ORDER BY content LIMIT ?3",
    )?;
    let (keep, pinned, sure) = (Goal::Keep.code(), ReplicaState::Pinned.code(), Doubt::None.code());
    let mut rows =
        select.query(params![provider.0, after.0, limit, keep, pinned, began.as_millis(), sure])?;
    let (mut weighed, mut seen, mut confirmed, mut missing) = (Weighed::default(), 0, Vec::new(), Vec::new());
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
            missing.push(id);
        } else if row.get(3)? {
            confirmed.push(id);
        }
    }
    for replica in confirmed {
        confirm(tx, replica, began)?;
    }
    for replica in missing {
        looks::begin(tx, replica)?;
    }
    suspects.save()?;
    weighed.next = weighed.next.filter(|_| seen == limit);
    Ok(weighed)
}

/// What a list showed counts as confirmed (I8). After a restore nothing else would tell: such copies have no looks of their own.
fn confirm(tx: &Tx<'_>, replica: ReplicaId, began: Timestamp) -> Result<(), StoreError> {
    // replica: confirmed
    tx.conn
        .prepare_cached("UPDATE replicas SET verified_at = ?2 WHERE id = ?1")?
        .execute([replica.0, began.as_millis()])?;
    replicas::leave_to_remerge(tx, replica)
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
            Verdict::Unanswered => cleared.unanswered += 1,
            Verdict::Open => {
                looks::hasten(tx, id, now)?;
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
    /// It is looked at further, and nobody waits for that.
    Unanswered,
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
        Some(replica) if replica.tries >= STALLED => Verdict::Unanswered,
        Some(_) => Verdict::Open,
    }
}

fn ends(
    tx: &mut Tx<'_>,
    job: JobId,
    provider: ProviderId,
    swept: Option<(Timestamp, u64)>,
) -> Result<(), StoreError> {
    if let Some((began, orphans)) = swept {
        orphans::forget(tx, provider, began)?;
        // provider: its last whole sweep
        tx.conn
            .prepare_cached("UPDATE providers SET swept_at = ?2, orphans = ?3 WHERE id = ?1")?
            .execute(params![provider.0, began.as_millis(), orphans])?;
        tx.forget_config();
    }
    sets::forget(tx.conn, job)
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
