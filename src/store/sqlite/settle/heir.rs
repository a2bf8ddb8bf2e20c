//! What nobody needs any more, while a pin of the content is short of copies, becomes that one's (I8): as soon as it is let
//! go, and, as pins come and copies are lost meanwhile, once more before it is deleted.

use rusqlite::params;

use super::{Ground, Pin, copies_of, insert_link, settle};
use crate::{
    model::{ContentId, Doubt, ReplicaId, ReplicaState, Timestamp, replica::Replica},
    policy::{CopyView, replica::Event},
    store::{
        StoreError,
        sqlite::{replicas, tx::Tx},
    },
};

/// Pins that are looked at for one copy.
const LOOKED: u32 = 256;

/// The pin that gets a pinned copy whose last pin lets it go.
pub(super) fn find(
    tx: &mut Tx<'_>,
    pin: &Pin,
    copy: &CopyView,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    if copy.state != ReplicaState::Pinned || !is_last(tx, pin, copy.replica)? {
        return Ok(None);
    }
    helped(tx, pin.content, Some(pin.id), copy, now)
}

/// Gives a copy that is about to be deleted to a pin that it helps; whether there is one. Where the pin's policy does not name
/// its provider it goes again once the pin is whole.
pub(in crate::store::sqlite) fn inherit(
    tx: &mut Tx<'_>,
    replica: &Replica,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if replica.state != ReplicaState::Pinned || replica.doubt != Doubt::None {
        return Ok(false);
    }
    let copy = CopyView::from(replica);
    let Some(heir) = helped(tx, replica.content, None, &copy, now)? else { return Ok(false) };
    replicas::step(tx, replica.clone(), Event::Wanted, now)?;
    insert_link(tx, heir, replica.id, None)?;
    settle(tx, heir, now)?;
    Ok(true)
}

/// A pin of the content that is short of copies, keeps this one, and has more by it. Any other would let it go in its turn,
/// perhaps to the one it came from.
fn helped(
    tx: &mut Tx<'_>,
    content: ContentId,
    but: Option<i64>,
    copy: &CopyView,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    // pins of a content that have fewer copies than they want, as far as is on record
    let others: Vec<i64> = tx
        .conn
        .prepare_cached(
            "SELECT id FROM pins INDEXED BY pins_content
             WHERE content = ?1 AND have < want AND id IS NOT ?2 ORDER BY id LIMIT ?3",
        )?
        .query_map(params![content.0, but, LOOKED], |row| row.get(0))?
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
    let Some(mut pin) = Pin::load(tx, pin)? else { return Ok(false) };
    let ground = Ground::of(tx, &pin, now)?;
    let is_named = ground.views.iter().any(|view| view.id == copy.provider && view.listed);
    pin.trim |= !is_named;
    let mut copies = copies_of(tx, &pin)?;
    let without = ground.settle(&pin, &copies);
    copies.push(*copy);
    let with = ground.settle(&pin, &copies);
    let helps = pin.is_short(&ground.policy, without.have)
        && with.have > without.have
        && !with.unlink.contains(&copy.replica);
    if helps && !is_named {
        // pin: lets go of what its policy does not name, in time
        tx.conn.prepare_cached("UPDATE pins SET trim = 1 WHERE id = ?1")?.execute([pin.id])?;
    }
    Ok(helps)
}
