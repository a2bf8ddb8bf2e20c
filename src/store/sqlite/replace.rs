//! Replaces a pin: the new one is recorded, the old one is gone, and its copies are held until the new one has its
//! own.

use rusqlite::params;

use super::{
    accept::{self, Accepted},
    accounts, apply, delete, replicas,
    settle::{self, Pin, insert_link, room},
    tx::Tx,
};
use crate::{
    model::{Charge, OverQuota, ReplicaId, ReplicaState, RequestId, Timestamp, replica::Replica},
    policy::PinView,
    store::{AcceptPin, StoreError},
};

/// How many contents of replaced pins are held for a new one that is not pinned yet; the oldest go first.
const HELD_CONTENTS: usize = 4;

pub(super) fn replace(
    tx: &mut Tx<'_>,
    old: RequestId,
    request: &AcceptPin,
) -> Result<Result<Option<Accepted>, OverQuota>, StoreError> {
    let Some(old) = Pin::find(tx, request.account, old)? else { return Ok(Ok(None)) };
    let freed = Charge { pins: 1, meta_bytes: meta_bytes(tx, &old)? };
    if let Err(over) = accept::check_quota(tx, request, freed)? {
        return Ok(Err(over));
    }
    let same = content_of(tx, &old)? == request.spec.cid.content().as_bytes();
    let mut new = if same { rename(tx, &old, request)? } else { accept::accept(tx, request)? };
    if new.pin.have < new.pin.need {
        hold(tx, &old, &new.pin, request.now)?;
    }
    room::hand_on(tx, &old, &new.pin)?;
    delete::remove(tx, &old, request.now)?;
    if new.pin.missing > 0 {
        room::make(tx, &new.pin, request.now)?;
    }
    if new.lets_go {
        settle::settle(tx, new.pin.id, request.now)?;
        new.pin = Pin::load(tx, new.pin.id)?.unwrap_or(new.pin);
    }
    Ok(Ok(Some(new)))
}

/// What the account was charged for a pin's meta.
fn meta_bytes(tx: &Tx<'_>, pin: &Pin) -> Result<i64, StoreError> {
    // pin: meta
    let meta: Option<String> = tx
        .conn
        .prepare_cached("SELECT meta FROM pins WHERE id = ?1")?
        .query_row([pin.id], |row| row.get(0))?;
    Ok(accounts::length(meta.as_deref()))
}

fn content_of(tx: &Tx<'_>, pin: &Pin) -> Result<Vec<u8>, StoreError> {
    // content: key
    let key = tx
        .conn
        .prepare_cached("SELECT key FROM contents WHERE id = ?1")?
        .query_row([pin.content.0], |row| row.get(0))?;
    Ok(key)
}

/// The same content under a new name, meta or origins: its copies stay where they are. One that failed is tried
/// anew, as by any new pin. By another policy, or another revision of it, further ones are made as that asks, and those that
/// it does not ask for go once they are not needed (I8).
fn rename(tx: &mut Tx<'_>, old: &Pin, request: &AcceptPin) -> Result<Accepted, StoreError> {
    let policy = tx.current_policy(&request.policy)?;
    let revision = tx.policy(policy)?;
    let views = tx.views(&revision, Some(old.content), request.now)?;
    let asks = |copy: &Replica| views.iter().any(|view| view.id == copy.provider && view.listed);
    let mut copies = Vec::new();
    for copy in replicas::own_copies(tx, old.id)? {
        // What the pin lets go others may have been refused.
        copies.push(if asks(&copy) { replicas::want_again(tx, copy, request.now)? } else { copy });
    }
    let view = PinView { need: old.need, want: old.want, was_pinned: old.was_pinned, trim: old.trim };
    if old.policy == policy {
        return accept::record(tx, request, (policy, &revision), old.content, view, &copies);
    }
    let view = apply::changed_over(&view, &revision);
    accept::ask_for_more(tx, request, &revision, old.content, &view, &mut copies)?;
    accept::record(tx, request, (policy, &revision), old.content, view, &copies)
}

/// Holds the old pin's pinned copies, and what it held itself, for the new pin.
fn hold(tx: &Tx<'_>, old: &Pin, new: &Pin, now: Timestamp) -> Result<(), StoreError> {
    // links: what the old pin held, and its own pinned copies, newest content first; not what is the new one's own
    let mut select = tx.conn.prepare_cached(
        "SELECT l.replica, r.content, coalesce(l.held_since, ?2) AS since
         FROM pin_replicas l JOIN replicas r ON r.id = l.replica
         WHERE l.pin = ?1 AND (l.held_since IS NOT NULL OR r.state = ?3)
           AND NOT EXISTS(SELECT 1 FROM pin_replicas n WHERE n.pin = ?4 AND n.replica = l.replica)
         ORDER BY since DESC, r.content",
    )?;
    let rows = select
        .query_map(params![old.id, now.as_millis(), ReplicaState::Pinned.code(), new.id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let held: Vec<(i64, i64, i64)> = rows.collect::<Result<_, _>>()?;
    let mut contents: Vec<i64> = Vec::new();
    for (replica, content, since) in held {
        if !contents.contains(&content) {
            contents.push(content);
        }
        if contents.len() > HELD_CONTENTS {
            break;
        }
        insert_link(tx, new.id, ReplicaId(replica), Some(Timestamp::from_millis(since)))?;
    }
    Ok(())
}
