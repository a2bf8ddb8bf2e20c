//! Providers' rows: what the store remembers of them, and what the engine observed.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{errors::bad_code, events, proofs, replicas::decode_upstream, tx::Tx};
use crate::{
    model::{
        Content, Doubt, EventKind, Facts, Fingerprint, Health, Mode, NewEvent, ProviderId, ProviderRecord,
        ReplicaState, Timestamp, UpstreamId,
    },
    store::StoreError,
};

/// All providers ever registered, oldest first.
pub(super) fn load_providers(conn: &Connection) -> Result<Vec<ProviderRecord>, StoreError> {
    // providers: all
    let mut select = conn.prepare_cached(
        "SELECT id, name, fingerprint, mode, health, health_since, absent_since, blocked_until, proven,
                facts, allow_fewer, swept_at, audited_at, orphans, unplanned,
                proof, proof_at, proof_served, proof_failed, proof_unreached, proof_uncheckable, proof_why, gateway_down,
                audits_from
         FROM providers ORDER BY id",
    )?;
    let rows = select.query_map([], |row| Ok(provider(row)))?;
    rows.map(|row| row?).collect()
}

fn provider(row: &Row<'_>) -> Result<ProviderRecord, StoreError> {
    let millis = |index: usize| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.get::<_, Option<i64>>(index)?.map(Timestamp::from_millis))
    };
    let (mode, health): (i64, i64) = (row.get(3)?, row.get(4)?);
    let fingerprint: Vec<u8> = row.get(2)?;
    let proven: Option<Vec<u8>> = row.get(8)?;
    Ok(ProviderRecord {
        id: ProviderId(row.get(0)?),
        name: row.get(1)?,
        fingerprint: Fingerprint::from_bytes(&fingerprint).ok_or_else(|| bad_code("fingerprint", 0))?,
        mode: Mode::from_code(mode).ok_or_else(|| bad_code("mode", mode))?,
        health: Health::from_code(health).ok_or_else(|| bad_code("health", health))?,
        health_since: millis(5)?.unwrap_or_default(),
        absent_since: millis(6)?,
        blocked_until: millis(7)?,
        proven: proven.and_then(|hash| hash.try_into().ok()),
        facts: Arc::new(facts(&row.get::<_, String>(9)?)?),
        allow_fewer: row.get(10)?,
        swept_at: millis(11)?,
        audited_at: millis(12)?,
        orphans: row.get(13)?,
        unplanned: row.get(14)?,
        proof: proofs::record(row, 15)?,
        audits_from: millis(23)?,
    })
}

fn facts(body: &str) -> Result<Facts, StoreError> {
    serde_json::from_str(body).map_err(|error| StoreError::Corrupt(error.into()))
}

/// Copies on record at a provider, in any state but none, that is: known to be there.
pub(super) fn copies_on_record(conn: &Connection, provider: ProviderId) -> Result<u64, StoreError> {
    // replica_counts: copies that a provider is known to hold
    let copies: Option<i64> = conn
        .prepare_cached("SELECT sum(n) FROM replica_counts WHERE provider = ?1 AND state IN (1, 2, 3)")?
        .query_row([provider.0], |row| row.get(0))?;
    Ok(u64::try_from(copies.unwrap_or(0)).unwrap_or(0))
}

/// Whether pins of any provider are to be settled anew.
pub(super) fn resettles(conn: &Connection) -> Result<bool, StoreError> {
    // providers: any whose pins are to be settled anew
    let any = conn
        .prepare_cached("SELECT EXISTS(SELECT 1 FROM providers WHERE resettle_after IS NOT NULL)")?
        .query_row([], |row| row.get(0))?;
    Ok(any)
}

/// Has all pins of a provider's copies settled anew, from the beginning on if that was under way.
pub(super) fn resettle(tx: &Tx<'_>, provider: ProviderId) -> Result<(), StoreError> {
    // provider: its pins are to be settled anew
    tx.conn.prepare_cached("UPDATE providers SET resettle_after = 0 WHERE id = ?1")?.execute([provider.0])?;
    Ok(())
}

/// Notes what was observed; `health_since` moves only when the health does. The dead stay so until they can be used.
pub(super) fn note(
    tx: &mut Tx<'_>,
    provider: ProviderId,
    health: Health,
    blocked_until: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let providers = tx.providers()?;
    let known = providers.iter().find(|known| known.id == provider);
    let is_dead = known.is_some_and(|known| known.health == Health::Dead);
    let health = if is_dead && !health.is_usable() { Health::Dead } else { health };
    if is_dead != (health == Health::Dead) {
        resettle(tx, provider)?;
    }
    if let Some(known) = known.filter(|known| known.health != health) {
        let (kind, name) = (EventKind::ProviderHealth, known.name.as_str());
        let change = NewEvent::change(kind, name, known.health.as_str(), health.as_str());
        events::note(tx, &change, now)?;
    }
    // provider: observed health
    tx.conn
        .prepare_cached(
            "UPDATE providers SET health_since = CASE WHEN health = ?2 THEN health_since ELSE ?4 END,
                    health = ?2, blocked_until = ?3 WHERE id = ?1",
        )?
        .execute(params![
            provider.0,
            health.code(),
            blocked_until.map(Timestamp::as_millis),
            now.as_millis()
        ])?;
    tx.forget_config();
    Ok(())
}

/// Copies by chance that are on record as pinned, and in no doubt. Not always the same ones: those may be gone for a reason
/// of their own, as the oldest are after a restore.
pub(super) fn sample(
    conn: &Connection,
    provider: ProviderId,
    dice: &[u32],
) -> Result<Vec<(Content, UpstreamId)>, StoreError> {
    let mut copies = Vec::new();
    for from in proofs::strewn(conn, provider, dice)? {
        let found = known_at(conn, provider, from, Some(proofs::NEAR))?;
        copies.extend(found.filter(|found| !copies.contains(found)));
    }
    if copies.is_empty() {
        copies.extend(known_at(conn, provider, 0, None)?);
    }
    Ok(copies)
}

/// The first copy from a content on that is surely there by what is on record, within so many rows.
fn known_at(
    conn: &Connection,
    provider: ProviderId,
    from: i64,
    within: Option<u32>,
) -> Result<Option<(Content, UpstreamId)>, StoreError> {
    // replicas of a provider, by content: the first that it said is pinned
    let mut select = conn.prepare_cached(
        "SELECT c.key, r.upstream FROM (
           SELECT content, state, doubt, upstream FROM replicas
           WHERE provider = ?1 AND content >= ?2 ORDER BY content LIMIT ?5) r
         JOIN contents c ON c.id = r.content
         WHERE r.state = ?3 AND r.doubt = ?4 AND r.upstream IS NOT NULL ORDER BY r.content LIMIT 1",
    )?;
    let (pinned, sure) = (ReplicaState::Pinned.code(), Doubt::None.code());
    let mut rows = select.query(params![provider.0, from, pinned, sure, within.map_or(-1, i64::from)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let key: Vec<u8> = row.get(0)?;
    let content = Content::from_bytes(&key).map_err(|error| StoreError::Corrupt(error.into()))?;
    Ok(decode_upstream(row.get_ref(1)?)?.map(|upstream| (content, upstream)))
}

/// Notes that a credential reaches the copies on record.
pub(super) fn prove(tx: &mut Tx<'_>, provider: ProviderId, hash: [u8; 32]) -> Result<(), StoreError> {
    // provider: proven credential
    tx.conn
        .prepare_cached("UPDATE providers SET proven = ?2 WHERE id = ?1")?
        .execute(params![provider.0, hash])?;
    tx.forget_config();
    Ok(())
}

/// The provider's row by its name.
pub(super) fn by_name(conn: &Connection, name: &str) -> Result<Option<ProviderRecord>, StoreError> {
    // provider by name
    let id: Option<i64> = conn
        .prepare_cached("SELECT id FROM providers WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(None) };
    Ok(load_providers(conn)?.into_iter().find(|provider| provider.id.0 == id))
}

/// Notes what an operator wants of a provider, and that they said so.
pub(super) fn set_mode(
    tx: &mut Tx<'_>,
    provider: ProviderId,
    mode: Mode,
    allow_fewer: bool,
    by: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let providers = tx.providers()?;
    let known = providers.iter().find(|known| known.id == provider);
    let known = known.ok_or_else(|| StoreError::Unknown {
        what: "provider",
        name: provider.to_string(),
        known: Vec::new(),
    })?;
    if (known.mode, known.allow_fewer) == (mode, allow_fewer) {
        return Ok(());
    }
    // provider: the operator's will
    tx.conn
        .prepare_cached("UPDATE providers SET mode = ?2, allow_fewer = ?3 WHERE id = ?1")?
        .execute(params![provider.0, mode.code(), allow_fewer])?;
    tx.forget_config();
    resettle(tx, provider)?;
    let (from, to) = (known.mode.as_str(), mode.as_str());
    let event = NewEvent::change(EventKind::ProviderMode, known.name.as_str(), from, to);
    let event = by.map_or(event.clone(), |by| event.with("by", by));
    events::note(tx, &event, now)
}
