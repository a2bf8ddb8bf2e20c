//! Proofs' rows: a sample of a provider's copies by chance, and what came of asking for it.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{SqliteStore, errors::bad_code, events, providers, tx::Tx, writer::Lane};
use crate::{
    model::{
        Content, EventKind, NewEvent, ProofRecord, ProofState, Proved, ProviderId, ReplicaId, ReplicaState,
        Sampled, Timestamp,
    },
    policy,
    store::{Judged, ProofRound, ProofStore, StoreError},
    telemetry::StoreClass::Write,
};

/// Rows that are looked at from one die on, for one that will do.
pub(super) const NEAR: u32 = 64;

#[async_trait::async_trait]
impl ProofStore for SqliteStore {
    async fn proof_sample(
        &self,
        provider: ProviderId,
        dice: Vec<u32>,
        before: Timestamp,
    ) -> Result<Vec<(ReplicaId, Content)>, StoreError> {
        sample(&self.readers.point(), provider, &dice, before)
    }

    async fn note_proof(
        &self,
        provider: ProviderId,
        round: ProofRound,
        now: Timestamp,
    ) -> Result<Judged, StoreError> {
        self.write(Write, Lane::Background, move |tx| note(tx, provider, &round, now)).await
    }

    async fn forget_proof(&self, provider: ProviderId, now: Timestamp) -> Result<(), StoreError> {
        self.write(Write, Lane::Background, move |tx| forget(tx, provider, now)).await
    }
}

/// The columns of a provider that are read by [`record`], the first of them at `at`.
pub(super) fn record(row: &Row<'_>, at: usize) -> Result<ProofRecord, StoreError> {
    let state: i64 = row.get(at)?;
    let time =
        |at| -> Result<_, StoreError> { Ok(row.get::<_, Option<i64>>(at)?.map(Timestamp::from_millis)) };
    Ok(ProofRecord {
        state: ProofState::from_code(state).ok_or_else(|| bad_code("proof", state))?,
        at: time(at + 1)?,
        last: Sampled {
            served: row.get(at + 2)?,
            failed: row.get(at + 3)?,
            unreached: row.get(at + 4)?,
            uncheckable: row.get(at + 5)?,
        },
        why: row.get(at + 6)?,
        down_since: time(at + 7)?,
    })
}

fn sample(
    conn: &Connection,
    provider: ProviderId,
    dice: &[u32],
    before: Timestamp,
) -> Result<Vec<(ReplicaId, Content)>, StoreError> {
    let mut copies: Vec<(ReplicaId, Content)> = Vec::new();
    for from in strewn(conn, provider, dice)? {
        let found = near(conn, provider, from, before)?;
        copies.extend(found.filter(|(id, _)| copies.iter().all(|(known, _)| known != id)));
    }
    Ok(copies)
}

/// A content for each of the dice, by chance, from where on a provider's copies are to be sampled.
pub(super) fn strewn(conn: &Connection, provider: ProviderId, dice: &[u32]) -> Result<Vec<i64>, StoreError> {
    // replicas: the ends of a provider's
    let (first, last): (Option<i64>, Option<i64>) = conn
        .prepare_cached(
            "SELECT (SELECT min(content) FROM replicas WHERE provider = ?1),
                    (SELECT max(content) FROM replicas WHERE provider = ?1)",
        )?
        .query_row([provider.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first), Some(last)) = (first, last) else { return Ok(Vec::new()) };
    let span = u128::from((last - first).unsigned_abs()) + 1;
    let from = |die: &u32| first + i64::try_from((u128::from(*die) * span) >> 32).unwrap_or(0);
    Ok(dice.iter().map(from).collect())
}

/// The first copy from a content on that will do, and is not far.
fn near(
    conn: &Connection,
    provider: ProviderId,
    from: i64,
    before: Timestamp,
) -> Result<Option<(ReplicaId, Content)>, StoreError> {
    // replicas of a provider, by content: a few, of which the first that is confirmed
    let found: Option<(i64, Vec<u8>)> = conn
        .prepare_cached(
            "SELECT r.id, c.key FROM (
               SELECT id, content, state, verified_at, state_at FROM replicas
               WHERE provider = ?1 AND content >= ?2 ORDER BY content LIMIT ?5) r
             JOIN contents c ON c.id = r.content
             WHERE r.state = ?3 AND r.verified_at IS NOT NULL AND r.state_at <= ?4 ORDER BY r.content LIMIT 1",
        )?
        .query_row(
            params![provider.0, from, ReplicaState::Pinned.code(), before.as_millis(), NEAR],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((id, key)) = found else { return Ok(None) };
    let content = Content::from_bytes(&key).map_err(|error| StoreError::Corrupt(error.into()))?;
    Ok(Some((ReplicaId(id), content)))
}

fn note(
    tx: &mut Tx<'_>,
    provider: ProviderId,
    round: &ProofRound,
    now: Timestamp,
) -> Result<Judged, StoreError> {
    let sampled = round.sampled();
    let known = known(tx, provider)?;
    let (before, was_down) = (known.proof.state, known.proof.down_since.is_some());
    // One that holds nothing can show nothing, and would never be given anything again.
    let holds_none = round.copies.is_empty() && providers::copies_on_record(tx.conn, provider)? == 0;
    let after = if holds_none { ProofState::Unknown } else { policy::judge(before, &sampled) };
    let is_down = if sampled.judged() > 0 { false } else { was_down || sampled.is_down() };
    for (copy, proved) in &round.copies {
        note_copy(tx, *copy, *proved, now)?;
    }
    let down_since = known.proof.down_since.or(Some(now)).filter(|_| is_down);
    // provider: its last sample
    tx.conn
        .prepare_cached(
            "UPDATE providers SET proof = ?2, proof_at = ?3, proof_served = ?4, proof_failed = ?5,
                    proof_unreached = ?6, proof_uncheckable = ?7, proof_why = ?8, gateway_down = ?9 WHERE id = ?1",
        )?
        .execute(params![
            provider.0,
            after.code(),
            now.as_millis(),
            sampled.served,
            sampled.failed,
            sampled.unreached,
            sampled.uncheckable,
            round.why,
            down_since.map(Timestamp::as_millis)
        ])?;
    changed(tx, provider, &known.name, (before, after), now)?;
    Ok(Judged { before, after, down: (is_down != was_down).then_some(is_down) })
}

/// What was not asked for says nothing.
fn note_copy(tx: &Tx<'_>, copy: ReplicaId, proved: Proved, now: Timestamp) -> Result<(), StoreError> {
    if proved == Proved::PutOff {
        return Ok(());
    }
    // replica: what its gateway answered
    tx.conn
        .prepare_cached("UPDATE replicas SET proved = ?2, proved_at = ?3 WHERE id = ?1")?
        .execute(params![copy.0, proved.code(), now.as_millis()])?;
    Ok(())
}

fn forget(tx: &mut Tx<'_>, provider: ProviderId, now: Timestamp) -> Result<(), StoreError> {
    let known = known(tx, provider)?;
    if known.proof == ProofRecord::default() {
        return Ok(());
    }
    // provider: nothing is known of its gateway
    tx.conn
        .prepare_cached(
            "UPDATE providers SET proof = 0, proof_at = NULL, proof_served = 0, proof_failed = 0,
                    proof_unreached = 0, proof_uncheckable = 0, proof_why = NULL, gateway_down = NULL WHERE id = ?1",
        )?
        .execute([provider.0])?;
    changed(tx, provider, &known.name, (known.proof.state, ProofState::Unknown), now)
}

fn known(tx: &mut Tx<'_>, provider: ProviderId) -> Result<crate::model::ProviderRecord, StoreError> {
    let providers = tx.providers()?;
    let known = providers.iter().find(|known| known.id == provider).cloned();
    known.ok_or_else(|| StoreError::Unknown {
        what: "provider",
        name: provider.to_string(),
        known: Vec::new(),
    })
}

/// Tells of another state, and has all pins settled anew whose copies count otherwise than before.
fn changed(
    tx: &mut Tx<'_>,
    provider: ProviderId,
    name: &str,
    (before, after): (ProofState, ProofState),
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.forget_config();
    if before == after {
        return Ok(());
    }
    if before == ProofState::Unproven || after == ProofState::Unproven {
        providers::resettle(tx, provider)?;
    }
    let event = NewEvent::change(EventKind::ProviderProof, name, before.as_str(), after.as_str());
    events::note(tx, &event, now)
}
