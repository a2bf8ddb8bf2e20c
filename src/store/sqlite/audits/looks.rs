//! Looks at pinned copies: brought forward for an audit, and planned again where no list is swept any more.

use rusqlite::{OptionalExtension, params};

use crate::{
    model::{ContentId, Op, ProviderId, ReplicaId, ReplicaState, Timestamp},
    store::{StoreError, sqlite::tx::Tx},
};

/// Has an audit's look at a copy begin without the failures of those before.
pub(super) fn begin(tx: &Tx<'_>, replica: ReplicaId) -> Result<(), StoreError> {
    // replica: its looks failed, up to now
    tx.conn
        .prepare_cached(
            "UPDATE replicas SET tries = 0, error = NULL, error_text = NULL
             WHERE id = ?1 AND tries > 0 AND NOT leased AND coalesce(op, ?2) = ?2",
        )?
        .execute([replica.0, Op::Verify.code()])?;
    Ok(())
}

/// Has a pinned copy looked at, after whatever else is due. One whose look failed is looked at again when it is time.
pub(super) fn hasten(tx: &Tx<'_>, replica: ReplicaId, now: Timestamp) -> Result<(), StoreError> {
    // replica: its look is for now; one without any gets one
    tx.conn
        .prepare_cached(
            "UPDATE replicas SET op = ?2, next_at = ?3
             WHERE id = ?1 AND NOT leased AND coalesce(op, ?2) = ?2 AND coalesce(next_at, ?3 + 1) > ?3
                   AND (error IS NULL OR next_at IS NULL)",
        )?
        .execute([replica.0, Op::Verify.code(), now.as_millis()])?;
    Ok(())
}

/// Plans looks for pinned copies that lack them.
pub(super) fn plan(
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
