//! A page of an account's pins, newest first, with the exact count of all that match (I4).

pub(super) mod plan;

use std::sync::Arc;

use rusqlite::{Connection, params, params_from_iter};

use crate::{
    model::{AccountId, ListQuery, Status},
    store::{PinPage, PinRecord, StoreError},
};

use super::{
    count,
    rows::{self, DelegateSets, pin_columns},
    unfit::Unfits,
};
use plan::{Driver, Plan};

/// Index entries that a query may read outside of the reader threads.
const SHORT: u32 = 500;
/// Meta entries of one query that are weighed against each other.
const WEIGHED: usize = 16;
/// weigh_meta: how many pins have an entry, up to a bound.
const WEIGH: &str = "SELECT count(*) FROM \
     (SELECT 1 FROM pin_meta WHERE account = ? AND key = ? AND value = ? LIMIT 10000)";

/// Where a query may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Anywhere, also in an async task: it reads no more than its page, or turns out to.
    Here,
    /// On a reader thread.
    Thread,
    /// On a reader thread, one at a time per account: it reads all of an account's pins.
    Scan,
}

impl Lane {
    /// The lane to try first. A page above 100 pins takes too long for an async task.
    pub(super) fn first(query: &ListQuery) -> Self {
        match query {
            _ if Driver::of(query).is_scan() => Self::Scan,
            _ if query.limit > 100 => Self::after(query),
            _ => Self::Here,
        }
    }

    /// The lane of a query that is too long to be answered here.
    pub(super) fn after(query: &ListQuery) -> Self {
        match Driver::of(query) {
            Driver::Status | Driver::Content | Driver::Name => Self::Thread,
            Driver::Meta | Driver::Names | Driver::FoldedNames => Self::Scan,
        }
    }
}

/// Answers a query that reads little beside its page; `None` where it turns out to read more.
pub(super) fn short(
    connection: &Connection,
    sets: &DelegateSets,
    account: AccountId,
    query: &ListQuery,
) -> Result<Option<PinPage>, StoreError> {
    // Dropped at the end, which rolls back a transaction that has only read.
    let _snapshot = connection.unchecked_transaction()?;
    let plan = Plan::new(account, query, rarest(connection, account, query)?);
    if plan.driver != Driver::Status && !count::is_short(connection, &plan, SHORT)? {
        return Ok(None);
    }
    answer(connection, sets, account, query, &plan).map(Some)
}

/// Answers any query, however long it takes.
pub(super) fn whole(
    connection: &Connection,
    sets: &DelegateSets,
    account: AccountId,
    query: &ListQuery,
) -> Result<PinPage, StoreError> {
    let _snapshot = connection.unchecked_transaction()?;
    let plan = Plan::new(account, query, rarest(connection, account, query)?);
    answer(connection, sets, account, query, &plan)
}

/// Count and page; the caller holds the one snapshot that both are of.
fn answer(
    connection: &Connection,
    sets: &DelegateSets,
    account: AccountId,
    query: &ListQuery,
    plan: &Plan,
) -> Result<PinPage, StoreError> {
    let count = match plan.driver {
        Driver::Status => count::counted(connection, account, query)?,
        _ => count::by_index(connection, plan)?,
    };
    let pins = match count {
        0 => Vec::new(),
        _ => page(connection, sets, plan, query.limit)?,
    };
    Ok(PinPage { count, pins })
}

/// Which meta entry the fewest pins have: that one drives.
fn rarest(connection: &Connection, account: AccountId, query: &ListQuery) -> Result<usize, StoreError> {
    if query.meta.len() < 2 || Driver::of(query) != Driver::Meta {
        return Ok(0);
    }
    let mut statement = connection.prepare_cached(WEIGH)?;
    let mut lightest = (u64::MAX, 0);
    for (at, (key, value)) in query.meta.iter().take(WEIGHED).enumerate() {
        let values = params![account.0, key, count::meta_key(value)];
        lightest = lightest.min((statement.query_row(values, |row| row.get(0))?, at));
    }
    Ok(lightest.1)
}

fn page(
    connection: &Connection,
    sets: &DelegateSets,
    plan: &Plan,
    limit: u16,
) -> Result<Vec<PinRecord>, StoreError> {
    let last_seen = sets.last_seen(connection)?;
    let (sql, values) = plan.page(pin_columns!(), limit);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(params_from_iter(values))?;
    let (mut pins, mut unfits) = (Vec::with_capacity(usize::from(limit)), Unfits::default());
    while let Some(row) = found.next()? {
        let (id, mut pin) = rows::pin(row)?;
        complete(connection, sets, id, &mut pin, &last_seen)?;
        unfits.fill(connection, id, &mut pin)?;
        pins.push(pin);
    }
    // They come in this order already, but a join does not promise it.
    pins.sort_by_key(|pin| std::cmp::Reverse(pin.created));
    Ok(pins)
}

/// Adds what the row itself does not have: copies and delegates.
fn complete(
    connection: &Connection,
    sets: &DelegateSets,
    id: i64,
    pin: &mut PinRecord,
    last_seen: &Arc<Vec<String>>,
) -> Result<(), StoreError> {
    pin.delegates = last_seen.clone();
    if pin.status == Status::Pinned {
        return Ok(());
    }
    let copies = rows::copies_of(connection, id)?;
    let own = sets.of_copies(connection, &copies)?;
    if !own.is_empty() {
        pin.delegates = own;
    }
    pin.copies = copies.into_iter().map(|copy| copy.record).collect();
    Ok(())
}

#[cfg(test)]
pub(super) mod seed;
#[cfg(test)]
mod tests;
