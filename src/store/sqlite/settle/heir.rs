//! What a pin lets go, while another pin of the content is short of copies, becomes that one's (I8).

use rusqlite::params;

use super::{Ground, Pin, copies_of};
use crate::{
    model::{ReplicaId, ReplicaState, Timestamp},
    policy::CopyView,
    store::{StoreError, sqlite::tx::Tx},
};

/// Pins that are looked at for one copy.
const LOOKED: u32 = 256;

/// The pin that gets a pinned copy whose last pin lets it go: one that is short of copies, keeps it, and has more by it. Any
/// other would let it go in its turn, perhaps to the one it came from.
pub(super) fn find(
    tx: &mut Tx<'_>,
    pin: &Pin,
    copy: &CopyView,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    if copy.state != ReplicaState::Pinned || !is_last(tx, pin, copy.replica)? {
        return Ok(None);
    }
    // pins of a content that have fewer copies than they want, as far as is on record
    let others: Vec<i64> = tx
        .conn
        .prepare_cached(
            "SELECT id FROM pins INDEXED BY pins_content
             WHERE content = ?1 AND have < want AND id <> ?2 ORDER BY id LIMIT ?3",
        )?
        .query_map(params![pin.content.0, pin.id, LOOKED], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for other in others {
        if helps(tx, other, copy, now)? {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

fn is_last(tx: &Tx<'_>, pin: &Pin, replica: ReplicaId) -> Result<bool, StoreError> {
    // links: does nobody else need it
    let is_last = tx
        .conn
        .prepare_cached("SELECT NOT EXISTS(SELECT 1 FROM pin_replicas WHERE replica = ?1 AND pin <> ?2)")?
        .query_row([replica.0, pin.id], |row| row.get(0))?;
    Ok(is_last)
}

fn helps(tx: &mut Tx<'_>, pin: i64, copy: &CopyView, now: Timestamp) -> Result<bool, StoreError> {
    let Some(pin) = Pin::load(tx, pin)? else { return Ok(false) };
    let ground = Ground::of(tx, &pin, now)?;
    let mut copies = copies_of(tx, &pin)?;
    let without = ground.settle(&pin, &copies);
    copies.push(*copy);
    let with = ground.settle(&pin, &copies);
    Ok(pin.is_short(&ground.policy, without.have)
        && with.have > without.have
        && !with.unlink.contains(&copy.replica))
}
