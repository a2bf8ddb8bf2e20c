//! Reads all pins of a database file, the oldest first, beside whoever serves it.

use std::path::Path;

use rusqlite::{Connection, Row, params};

use super::{accounts, snapshot};
use crate::{
    model::{Content, RequestId, Status, Timestamp},
    store::StoreError,
};

/// Pins that are read at once: a longer read would keep the database's log from being emptied.
const PAGE: u32 = 1000;

/// pins: after one, the oldest first
const SELECT: &str =
    "SELECT p.id, p.requestid, p.status, p.created, p.cid, p.name, p.meta, p.origins, c.key, a.name
    FROM pins p JOIN contents c ON c.id = p.content JOIN accounts a ON a.id = p.account
    WHERE p.id > ?1 AND (?2 IS NULL OR p.account = ?2) ORDER BY p.id LIMIT ?3";

/// A pin as its account had it made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    pub account: String,
    pub requestid: RequestId,
    pub status: Status,
    pub created: Timestamp,
    /// As it was sent.
    pub cid: String,
    pub name: Option<String>,
    /// A JSON object of strings.
    pub meta: Option<String>,
    /// A JSON array of multiaddrs.
    pub origins: Option<String>,
}

/// Hands each pin, of one account or of all, to `each` until that returns false. Pins that are there all the while come
/// exactly once; of one account they come in the order of `created`.
///
/// # Errors
/// Where the file is no database of ours, or there never was such an account.
pub fn export(
    file: &Path,
    account: Option<&str>,
    mut each: impl FnMut(Exported) -> bool,
) -> Result<(), StoreError> {
    snapshot::about(file)?;
    let conn = snapshot::read_only(file)?;
    let account = account.map(|name| accounts::by_name(&conn, name)).transpose()?;
    let mut after = 0;
    loop {
        let page = page(&conn, after, account)?;
        let whole = page.len() == PAGE as usize;
        for (id, pin) in page {
            after = id;
            if !each(pin) {
                return Ok(());
            }
        }
        if !whole {
            return Ok(());
        }
    }
}

fn page(conn: &Connection, after: i64, account: Option<i64>) -> Result<Vec<(i64, Exported)>, StoreError> {
    let mut select = conn.prepare_cached(SELECT)?;
    let rows = select.query_map(params![after, account, PAGE], |row| Ok(exported(row)))?;
    rows.map(|row| row?).collect()
}

fn exported(row: &Row<'_>) -> Result<(i64, Exported), StoreError> {
    let (status, cid): (i64, Option<String>) = (row.get(2)?, row.get(4)?);
    let cid = match cid {
        Some(cid) => cid,
        None => {
            let key: Vec<u8> = row.get(8)?;
            let content = Content::from_bytes(&key).map_err(|error| StoreError::Corrupt(error.into()))?;
            content.canonical()
        }
    };
    let pin = Exported {
        account: row.get(9)?,
        requestid: RequestId::from_bytes(row.get(1)?),
        status: Status::from_code(status).ok_or_else(|| super::errors::bad_code("status", status))?,
        created: Timestamp::from_millis(row.get(3)?),
        cid,
        name: row.get(5)?,
        meta: row.get(6)?,
        origins: row.get(7)?,
    };
    Ok((row.get(0)?, pin))
}
