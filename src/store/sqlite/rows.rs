//! From columns to records: what a point read and a page have in common.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::anyhow;
use rusqlite::{Connection, Row};

use crate::{
    model::{Content, ErrorClass, Health, Op, ReplicaState, RequestId, Status, Timestamp, delegates},
    policy::merge::REFUSALS,
    store::{CopyRecord, PinRecord, StoreError},
};

/// The columns of a pin `p`, for [`pin`]; the content is looked up only for pins without a text of their own.
macro_rules! pin_columns {
    () => {
        "p.id, p.requestid, p.status, p.created, p.cid, p.name, p.meta, p.origins, p.have, p.want, p.need, \
         iif(p.cid IS NULL, (SELECT key FROM contents WHERE id = p.content), NULL), p.expires_at, p.adopted_created"
    };
}
/// How many columns [`pin_columns`] are.
pub(super) const PIN_WIDTH: usize = 14;

/// The columns of a replica `r` at a provider `v`, for [`copy`]. One that a delete may still remove is shown as
/// merging counts it: as none.
macro_rules! copy_columns {
    () => {
        "iif(r.doubt = 2, 0, r.state), v.name, r.error, r.error_text, r.op, r.next_at, r.leased, r.refusals, r.delegates, v.delegates, v.health"
    };
}
pub(super) use {copy_columns, pin_columns};

/// copies_of_pin: a pin's own copies.
const COPIES: &str = concat!(
    "SELECT ",
    copy_columns!(),
    " FROM pin_replicas l CROSS JOIN replicas r ON r.id = l.replica CROSS JOIN providers v ON v.id = r.provider \
     WHERE l.pin = ? AND l.held_since IS NULL"
);
/// delegate_set: one interned set.
const DELEGATE_SET: &str = "SELECT body FROM delegate_sets WHERE id = ?";
/// last_seen_sets: what the providers last sent.
const LAST_SEEN: &str =
    "SELECT delegates FROM providers WHERE delegates IS NOT NULL AND absent_since IS NULL ORDER BY id";

/// Decodes a pin from [`pin_columns`], with its row id; copies and delegates are still to be filled in.
pub(super) fn pin(row: &Row<'_>) -> Result<(i64, PinRecord), StoreError> {
    let record = PinRecord {
        requestid: RequestId::from_bytes(row.get(1)?),
        status: code(row.get(2)?, Status::from_code, "status")?,
        created: Timestamp::from_millis(row.get(3)?),
        cid: match row.get(4)? {
            Some(text) => text,
            None => canonical(row)?,
        },
        name: row.get(5)?,
        meta: row.get(6)?,
        origins: row.get(7)?,
        have: row.get(8)?,
        want: row.get(9)?,
        need: row.get(10)?,
        copies: Vec::new(),
        unfit: None,
        answered: true,
        delegates: Arc::default(),
        expires: row.get::<_, Option<i64>>(12)?.map(Timestamp::from_millis),
        adopted: row.get::<_, Option<i64>>(13)?.map(Timestamp::from_millis),
    };
    Ok((row.get(0)?, record))
}

fn canonical(row: &Row<'_>) -> Result<String, StoreError> {
    let key = row.get_ref(11)?.as_blob().map_err(|error| StoreError::Corrupt(error.into()))?;
    let content = Content::from_bytes(key).map_err(|error| StoreError::Corrupt(error.into()))?;
    Ok(content.canonical())
}

/// A copy and the delegate sets that may speak for it: its own, and its provider's.
pub(super) struct CopyRow {
    pub(super) record: CopyRecord,
    own: Option<i64>,
    provider: Option<i64>,
}

/// Decodes a copy from [`copy_columns`] that begin at column `at`.
pub(super) fn copy(row: &Row<'_>, at: usize) -> Result<CopyRow, StoreError> {
    let error = match row.get(at + 2)? {
        Some(class) => {
            let text: Option<String> = row.get(at + 3)?;
            Some((code(class, ErrorClass::from_code, "error class")?, text.unwrap_or_default()))
        }
        None => None,
    };
    let record = CopyRecord {
        state: code(row.get(at)?, ReplicaState::from_code, "replica state")?,
        provider: row.get(at + 1)?,
        error,
        next: next_call(row, at)?,
        refused: row.get::<_, u32>(at + 7)? >= REFUSALS,
        is_dead: row.get::<_, i64>(at + 10)? == Health::Dead.code(),
    };
    Ok(CopyRow { record, own: row.get(at + 8)?, provider: row.get(at + 9)? })
}

/// When its next call is due; while one is under way `next_at` is the end of its lease, which is nobody's concern.
fn next_call(row: &Row<'_>, at: usize) -> Result<Option<(Op, Timestamp)>, StoreError> {
    let due: (Option<i64>, Option<i64>, bool) = (row.get(at + 4)?, row.get(at + 5)?, row.get(at + 6)?);
    match due {
        (Some(op), Some(at), false) => {
            Ok(Some((code(op, Op::from_code, "operation")?, Timestamp::from_millis(at))))
        }
        _ => Ok(None),
    }
}

/// Reads a pin's own copies.
pub(super) fn copies_of(connection: &Connection, pin: i64) -> Result<Vec<CopyRow>, StoreError> {
    let mut statement = connection.prepare_cached(COPIES)?;
    let mut rows = statement.query([pin])?;
    let mut copies = Vec::new();
    while let Some(row) = rows.next()? {
        copies.push(copy(row, 0)?);
    }
    Ok(copies)
}

fn code<T>(code: i64, from: impl Fn(i64) -> Option<T>, what: &str) -> Result<T, StoreError> {
    from(code).ok_or_else(|| StoreError::Corrupt(anyhow!("{code} is no {what}")))
}

/// The interned delegate sets that were read lately. Sets never change, so what is here stays true.
#[derive(Debug, Default)]
pub(super) struct DelegateSets(RwLock<HashMap<i64, Arc<Vec<String>>>>);

impl DelegateSets {
    /// Sets kept at most; a provider has one, or one a node.
    const KEPT: usize = 1024;

    /// Those of a pin's copies: each copy's own, else those that its provider last sent. May be empty.
    pub(super) fn of_copies(
        &self,
        connection: &Connection,
        copies: &[CopyRow],
    ) -> Result<Arc<Vec<String>>, StoreError> {
        let mut sets = Vec::with_capacity(copies.len());
        for copy in copies {
            for id in [copy.own, copy.provider].into_iter().flatten() {
                let set = self.set(connection, id)?;
                if !set.is_empty() {
                    sets.push(set);
                    break;
                }
            }
        }
        Ok(union(sets))
    }

    /// All that the providers last sent.
    pub(super) fn last_seen(&self, connection: &Connection) -> Result<Arc<Vec<String>>, StoreError> {
        let mut statement = connection.prepare_cached(LAST_SEEN)?;
        let mut rows = statement.query([])?;
        let mut sets = Vec::new();
        while let Some(row) = rows.next()? {
            sets.push(self.set(connection, row.get(0)?)?);
        }
        Ok(union(sets))
    }

    fn set(&self, connection: &Connection, id: i64) -> Result<Arc<Vec<String>>, StoreError> {
        if let Some(set) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(set.clone());
        }
        let body: String = connection.prepare_cached(DELEGATE_SET)?.query_row([id], |row| row.get(0))?;
        let set: Vec<String> =
            serde_json::from_str(&body).map_err(|error| StoreError::Corrupt(error.into()))?;
        let set = Arc::new(set);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::KEPT {
            known.clear();
        }
        known.insert(id, set.clone());
        Ok(set)
    }
}

/// Joins sets in order, without doubles, up to the most that a PinStatus may carry. One set is shared, not copied.
fn union(mut sets: Vec<Arc<Vec<String>>>) -> Arc<Vec<String>> {
    sets.retain(|set| !set.is_empty());
    sets.dedup_by(|later, earlier| Arc::ptr_eq(later, earlier));
    if let [only] = sets.as_slice()
        && only.len() <= delegates::MAX
    {
        return only.clone();
    }
    let mut joined: Vec<String> = Vec::new();
    for address in sets.iter().flat_map(|set| set.iter()) {
        if joined.len() < delegates::MAX && !joined.contains(address) {
            joined.push(address.clone());
        }
    }
    Arc::new(joined)
}
