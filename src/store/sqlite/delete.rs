//! Forgets a pin at once; copies that nobody needs any more are removed in the background.

use rusqlite::{OptionalExtension, params};

use super::{
    accounts,
    count::meta_key,
    events,
    replicas::forget_content,
    settle::{Pin, release_if_unneeded},
    tx::Tx,
};
use crate::{
    model::{AccountId, Meta, NewEvent, ReplicaId, RequestId, Timestamp},
    store::StoreError,
};

pub(super) fn delete(
    tx: &mut Tx<'_>,
    account: AccountId,
    requestid: RequestId,
    by: Option<&str>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(pin) = Pin::find(tx, account, requestid)? else { return Ok(false) };
    tx.saw(now);
    if by.is_some() {
        let act = NewEvent::act("pin_removed", requestid.to_string(), by).of(Some(account));
        events::note(tx, &act, now)?;
    }
    remove(tx, &pin, now)?;
    Ok(true)
}

/// Drops a pin's row and all that hangs on it.
pub(super) fn remove(tx: &mut Tx<'_>, pin: &Pin, now: Timestamp) -> Result<(), StoreError> {
    // pin: gone
    let meta: Option<Option<String>> = tx
        .conn
        .prepare_cached("DELETE FROM pins WHERE id = ?1 RETURNING meta")?
        .query_row([pin.id], |row| row.get(0))
        .optional()?;
    let meta = meta.flatten();
    if let Some(meta) = &meta {
        remove_meta(tx, pin, meta)?;
    }
    accounts::give_back(tx, pin.account, meta.as_deref())?;
    // links: a pin's
    let replicas: Vec<i64> = tx
        .conn
        .prepare_cached("DELETE FROM pin_replicas WHERE pin = ?1 RETURNING replica")?
        .query_map([pin.id], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for replica in replicas {
        release_if_unneeded(tx, ReplicaId(replica), now)?;
    }
    forget_content(tx, pin.content)?;
    tx.count_pin(pin.account.0, pin.status, pin.created, -1);
    tx.count_policy(pin.policy, -1);
    let policy = tx.policy(pin.policy)?;
    if pin.is_short(&policy, pin.have) {
        tx.count_short(-1);
    }
    Ok(())
}

fn remove_meta(tx: &Tx<'_>, pin: &Pin, meta: &str) -> Result<(), StoreError> {
    let meta = Meta::from_json(meta)
        .ok_or_else(|| StoreError::Corrupt(anyhow::anyhow!("pin {} has meta that is no JSON", pin.id)))?;
    // pin_meta: a pin's pairs
    let mut delete = tx
        .conn
        .prepare_cached("DELETE FROM pin_meta WHERE account = ?1 AND key = ?2 AND value = ?3 AND pin = ?4")?;
    for (key, value) in meta.iter() {
        delete.execute(params![pin.account.0, key, meta_key(value), pin.id])?;
    }
    Ok(())
}
