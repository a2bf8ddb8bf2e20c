//! Has pins follow the newest revision of their policy, and settles them by it.

use rusqlite::params;

use super::{
    settle::{self, Pin},
    tx::Tx,
};
use crate::{
    model::{PinId, PolicyId, Timestamp},
    policy::{PinView, Policy},
    store::{Applied, StoreError},
};

/// Pins looked at in one step, most of which may follow other policies.
const LOOK: usize = 4096;

/// A pin as it is once it follows a policy. One that needs no copies, as its CID holds the data, needs none by any.
pub(super) fn changed_over(pin: &PinView, policy: &Policy) -> PinView {
    match pin.want {
        0 => *pin,
        _ => PinView { need: policy.need, want: policy.copies.max, trim: true, ..*pin },
    }
}

pub(super) fn step(
    tx: &mut Tx<'_>,
    policy: &str,
    after: PinId,
    limit: u32,
    now: Timestamp,
) -> Result<Applied, StoreError> {
    let newest = tx.current_policy(policy)?;
    let mut applied = Applied::default();
    let pins = pins_after(tx, after)?;
    for (pin, of) in &pins {
        if *of != newest && tx.policy(*of)?.name == policy {
            change_over(tx, *pin, newest, now)?;
            applied.pins += 1;
            applied.unfit += u64::from(Pin::load(tx, *pin)?.is_some_and(|pin| pin.trim));
        }
        applied.next = Some(PinId(*pin));
        if applied.pins >= limit.into() {
            return Ok(applied);
        }
    }
    applied.next = applied.next.filter(|_| pins.len() == LOOK);
    Ok(applied)
}

fn pins_after(tx: &Tx<'_>, after: PinId) -> Result<Vec<(i64, PolicyId)>, StoreError> {
    // pins by id
    let mut select =
        tx.conn.prepare_cached("SELECT id, policy FROM pins WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let rows = select.query_map(params![after.0, LOOK], |row| Ok((row.get(0)?, PolicyId(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn change_over(tx: &mut Tx<'_>, id: i64, newest: PolicyId, now: Timestamp) -> Result<(), StoreError> {
    let Some(mut pin) = Pin::load(tx, id)? else { return Ok(()) };
    let (old, new) = (tx.policy(pin.policy)?, tx.policy(newest)?);
    let view = PinView { need: pin.need, want: pin.want, was_pinned: pin.was_pinned, trim: pin.trim };
    let view = changed_over(&view, &new);
    // pin: another revision
    tx.conn
        .prepare_cached("UPDATE pins SET policy = ?2, need = ?3, want = ?4, trim = ?5 WHERE id = ?1")?
        .execute(params![id, newest.0, view.need, view.want, view.trim])?;
    tx.count_policy(pin.policy, -1);
    tx.count_policy(newest, 1);
    let was_short = pin.is_short(&old, pin.have);
    pin.want = view.want;
    tx.count_short(i64::from(pin.is_short(&new, pin.have)) - i64::from(was_short));
    settle::settle(tx, id, now)?;
    Ok(())
}

/// Settles pins that follow the newest revision, and whose copies are not as it asks.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    policy: &str,
    after: PinId,
    limit: u32,
    now: Timestamp,
) -> Result<Applied, StoreError> {
    let newest = tx.current_policy(policy)?;
    // pins_trim: of a revision, after one
    let pins: Vec<i64> = tx
        .conn
        .prepare_cached(
            "SELECT id FROM pins INDEXED BY pins_trim WHERE trim AND policy = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        )?
        .query_map(params![newest.0, after.0, limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut unfit = 0;
    for pin in &pins {
        settle::settle(tx, *pin, now)?;
        unfit += u64::from(Pin::load(tx, *pin)?.is_some_and(|pin| pin.trim));
    }
    let next = pins.last().filter(|_| pins.len() == limit as usize).map(|last| PinId(*last));
    Ok(Applied { next, pins: pins.len() as u64, unfit })
}
