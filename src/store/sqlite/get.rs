//! One pin with its copies: a point read in one statement, so that pin and copies are of one snapshot.

use rusqlite::{Connection, params};

use crate::{
    model::{AccountId, RequestId},
    store::{PinRecord, StoreError},
};

use super::rows::{self, DelegateSets, copy_columns, pin_columns};

/// get_pin: a row for each of its own copies, or one without.
const GET: &str = concat!(
    "SELECT ",
    pin_columns!(),
    ", ",
    copy_columns!(),
    " FROM pins p LEFT JOIN pin_replicas l ON l.pin = p.id AND l.held_since IS NULL \
     LEFT JOIN replicas r ON r.id = l.replica LEFT JOIN providers v ON v.id = r.provider \
     WHERE p.requestid = ? AND p.account = ?"
);

/// Reads one pin of an account.
pub(super) fn get_pin(
    connection: &Connection,
    sets: &DelegateSets,
    account: AccountId,
    requestid: RequestId,
) -> Result<Option<PinRecord>, StoreError> {
    let mut statement = connection.prepare_cached(GET)?;
    let mut found = statement.query(params![requestid.as_bytes(), account.0])?;
    let Some(row) = found.next()? else { return Ok(None) };
    let (_, mut pin) = rows::pin(row)?;
    let mut copies = Vec::new();
    let mut next = Some(row);
    while let Some(row) = next {
        if row.get_ref(rows::PIN_WIDTH)? != rusqlite::types::ValueRef::Null {
            copies.push(rows::copy(row, rows::PIN_WIDTH)?);
        }
        next = found.next()?;
    }
    pin.delegates = sets.of_copies(connection, &copies)?;
    if pin.delegates.is_empty() {
        pin.delegates = sets.last_seen(connection)?;
    }
    pin.copies = copies.into_iter().map(|copy| copy.record).collect();
    Ok(Some(pin))
}
