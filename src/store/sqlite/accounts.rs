//! What an account's row says that every change of its pins changes: the newest `created`, and what it has used.

use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    model::{AccountId, Charge, Timestamp, Usage},
    store::StoreError,
};

use super::tx::Tx;

#[derive(Clone, Copy)]
pub(super) struct Account {
    /// In ms; of pins that were deleted, too.
    last_created: i64,
    pub(super) used: Usage,
    /// It left the config, and takes no more pins.
    pub(super) retired: bool,
}

impl Account {
    pub(super) fn read(conn: &Connection, id: AccountId) -> Result<Self, StoreError> {
        // account: newest created and usage
        let account = conn
            .prepare_cached(
                "SELECT last_created, pins, meta_bytes, day, accepted, retired_at IS NOT NULL FROM accounts
                 WHERE id = ?1",
            )?
            .query_row([id.0], |row| {
                let used = Usage {
                    pins: row.get(1)?,
                    meta_bytes: row.get(2)?,
                    day: row.get(3)?,
                    accepted: row.get(4)?,
                };
                Ok(Self { last_created: row.get(0)?, used, retired: row.get(5)? })
            })?;
        Ok(account)
    }

    pub(super) fn write(&self, conn: &Connection, id: AccountId) -> rusqlite::Result<()> {
        let Usage { pins, meta_bytes, day, accepted } = self.used;
        // account: newest created and usage
        conn.prepare_cached(
            "UPDATE accounts SET last_created = ?2, pins = ?3, meta_bytes = ?4, day = ?5, accepted = ?6
             WHERE id = ?1",
        )?
        .execute(params![id.0, self.last_created, pins, meta_bytes, day, accepted])?;
        Ok(())
    }

    /// Counts a new pin, and gives it the next `created` (I3): after all that were given out, also in this transaction.
    pub(super) fn accept(&mut self, meta: Option<&str>, now: Timestamp) -> Timestamp {
        self.used.accept(now);
        self.used.charge(Charge { pins: 1, meta_bytes: length(meta) });
        self.last_created = now.as_millis().max(self.last_created + 1);
        Timestamp::from_millis(self.last_created)
    }
}

/// An account that takes pins: one of the config.
pub(super) fn in_use<'t>(tx: &'t mut Tx<'_>, id: AccountId) -> Result<&'t mut Account, StoreError> {
    let account = tx.account(id)?;
    if account.retired {
        return Err(StoreError::Unknown { what: "account", name: id.to_string(), known: Vec::new() });
    }
    Ok(account)
}

/// Counts one pin that is gone, with its meta.
pub(super) fn give_back(tx: &mut Tx<'_>, id: AccountId, meta: Option<&str>) -> Result<(), StoreError> {
    tx.account(id)?.used.charge(Charge { pins: -1, meta_bytes: -length(meta) });
    Ok(())
}

/// The bytes that meta is charged for.
pub(super) fn length(meta: Option<&str>) -> i64 {
    // Holds: meta is bounded to some MB where it comes in.
    meta.map_or(0, |meta| i64::try_from(meta.len()).unwrap_or(i64::MAX))
}

/// An account by its name, also one that has left the config.
pub(super) fn by_name(conn: &Connection, name: &str) -> Result<i64, StoreError> {
    // account: by name
    let found = conn
        .prepare_cached("SELECT id FROM accounts WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    match found {
        Some(id) => Ok(id),
        None => Err(StoreError::Unknown { what: "account", name: name.to_owned(), known: names(conn)? }),
    }
}

fn names(conn: &Connection) -> Result<Vec<String>, StoreError> {
    // accounts: all names
    let mut select = conn.prepare_cached("SELECT name FROM accounts ORDER BY name")?;
    let names = select.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}
