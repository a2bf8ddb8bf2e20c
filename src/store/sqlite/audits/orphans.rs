//! Pins at a provider that nobody knows here: told from those that somebody does, kept by name up to a bound.

use rusqlite::{Connection, params, types::Value};

use crate::{
    model::{Content, ProviderId, ReplicaId, Timestamp, UpstreamId},
    store::{
        Listed, ORPHANS, Orphan, StoreError,
        sqlite::{
            replicas::{decode_upstream, upstream_value},
            tx::Tx,
        },
    },
};

/// Whose a listed pin is.
pub(super) enum Holder {
    Ours(ReplicaId),
    /// On its way to or from here, a double that is being removed, or another entry's.
    Known,
    Nobody,
}

pub(super) fn holder(tx: &Tx<'_>, provider: ProviderId, pin: &Listed) -> Result<Holder, StoreError> {
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

/// Keeps one by name, as long as there is room.
pub(super) fn note(
    tx: &Tx<'_>,
    provider: ProviderId,
    pin: &Listed,
    now: Timestamp,
) -> Result<(), StoreError> {
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

/// Forgets those that a sweep which began then did not meet.
pub(super) fn forget(tx: &Tx<'_>, provider: ProviderId, began: Timestamp) -> Result<(), StoreError> {
    // orphans: those that were not there any more
    tx.conn
        .prepare_cached("DELETE FROM orphans WHERE provider = ?1 AND seen_at < ?2")?
        .execute([provider.0, began.as_millis()])?;
    Ok(())
}

pub(super) fn page(
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
