//! Events' rows: added with what they tell of, read by id, forgotten from the oldest on.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params, types::ValueRef};

use super::{SqliteStore, accounts, errors::bad_code, tx::Tx, writer::Lane};
use crate::{
    model::{AccountId, Event, EventBody, EventId, EventKind, NewEvent, RequestId, Status, Timestamp},
    store::{EventPage, EventQuery, EventStore, EventsFrom, StoreError},
    telemetry::StoreClass::{Read, Write},
};

/// Rows that one read looks at.
const SCAN: i64 = 100_000;
/// Rows that are forgotten in one step.
const STEP: i64 = 1000;

/// events: one more
const INSERT: &str = "INSERT INTO events(at, kind, account, subject, body) VALUES(?1, ?2, ?3, ?4, ?5)";
/// events: the ends
const ENDS: &str = "SELECT (SELECT min(id) FROM events), (SELECT max(id) FROM events)";
/// events: those that match, in their order
const PAGE: &str = "SELECT e.id, e.at, e.kind, a.name, e.subject, e.body
    FROM events e LEFT JOIN accounts a ON a.id = e.account
    WHERE e.id > ?1 AND e.id <= ?2 AND (?3 IS NULL OR e.account = ?3) AND (?4 >> e.kind) & 1
    ORDER BY e.id LIMIT ?5";
/// events: the one before the newest that match
const BEFORE_LAST: &str = "SELECT e.id FROM events e
    WHERE e.id > ?1 AND e.id <= ?2 AND (?3 IS NULL OR e.account = ?3) AND (?4 >> e.kind) & 1
    ORDER BY e.id DESC LIMIT 1 OFFSET ?5";
/// events: the oldest, as far as they are too old or too many
const TRIM: &str = "DELETE FROM events WHERE (id <= ?1 OR at < ?2)
    AND id IN (SELECT id FROM events WHERE id < ?3 ORDER BY id LIMIT ?4)";

#[async_trait::async_trait]
impl EventStore for SqliteStore {
    async fn events(&self, query: EventQuery) -> Result<EventPage, StoreError> {
        let began = std::time::Instant::now();
        let page = self.readers.events(query).await;
        self.noted(Read, began, page)
    }

    async fn note_event(&self, event: NewEvent, now: Timestamp) -> Result<(), StoreError> {
        self.write(Write, Lane::Request, move |tx| note(tx, &event, now)).await
    }

    async fn trim_events(&self, kept: Duration, most: u32, now: Timestamp) -> Result<bool, StoreError> {
        self.write(Write, Lane::Background, move |tx| trim(tx, now.minus(kept), most)).await
    }
}

/// Notes an event with the rest of the transaction.
pub(super) fn note(tx: &mut Tx<'_>, event: &NewEvent, now: Timestamp) -> Result<(), StoreError> {
    let body = serde_json::to_string(&event.body).map_err(|error| StoreError::Corrupt(error.into()))?;
    let account = event.account.map(|account| account.0);
    tx.conn.prepare_cached(INSERT)?.execute(params![
        now.as_millis(),
        event.kind.code(),
        account,
        event.subject,
        body
    ])?;
    tx.happened();
    Ok(())
}

/// Notes that a pin's merged status changed: the one event of which there are many, and so the shortest.
pub(super) fn pin_status(
    tx: &mut Tx<'_>,
    account: AccountId,
    pin: RequestId,
    (from, to): (Status, Status),
    now: Timestamp,
) -> Result<(), StoreError> {
    of_pin(tx, EventKind::PinStatus, account, pin, from.code() * 16 + to.code(), now)
}

/// Notes that a pin went away because its time was over.
pub(super) fn pin_expired(
    tx: &mut Tx<'_>,
    account: AccountId,
    pin: RequestId,
    now: Timestamp,
) -> Result<(), StoreError> {
    of_pin(tx, EventKind::PinExpired, account, pin, "{}", now)
}

fn of_pin(
    tx: &mut Tx<'_>,
    kind: EventKind,
    account: AccountId,
    pin: RequestId,
    body: impl ToSql,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = params![now.as_millis(), kind.code(), account.0, pin.as_bytes(), body];
    tx.conn.prepare_cached(INSERT)?.execute(row)?;
    tx.happened();
    Ok(())
}

/// Forgets a step's worth of what is too old or too much. Ids have no gaps but where a clock that was turned back left
/// some, so that the newest one tells how many there are.
fn trim(tx: &Tx<'_>, oldest: Timestamp, most: u32) -> Result<bool, StoreError> {
    let (_, Some(newest)) = ends(tx.conn)? else { return Ok(false) };
    let forgotten = tx.conn.prepare_cached(TRIM)?.execute(params![
        newest - i64::from(most),
        oldest.as_millis(),
        newest,
        STEP
    ])?;
    Ok(forgotten == STEP as usize)
}

fn ends(conn: &Connection) -> Result<(Option<i64>, Option<i64>), StoreError> {
    Ok(conn.prepare_cached(ENDS)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// What of a query goes into its statement.
struct Filter {
    account: Option<i64>,
    kinds: i64,
}

impl Filter {
    fn of(conn: &Connection, query: &EventQuery) -> Result<Self, StoreError> {
        let account = query.account.as_deref().map(|name| accounts::by_name(conn, name)).transpose()?;
        let kinds: &[EventKind] = if query.kinds.is_empty() { EventKind::ALL } else { &query.kinds };
        Ok(Self { account, kinds: kinds.iter().fold(0, |set, kind| set | 1 << kind.code()) })
    }
}

/// Reads a page; of one snapshot.
pub(super) fn page(conn: &Connection, query: &EventQuery) -> Result<EventPage, StoreError> {
    // Dropped at the end, which rolls back a transaction that has only read.
    let _snapshot = conn.unchecked_transaction()?;
    let filter = Filter::of(conn, query)?;
    let (oldest, newest) = ends(conn)?;
    let (first, newest) = (oldest.map_or(1, |oldest| oldest.max(1)), newest.unwrap_or(0));
    let asked = match query.from {
        EventsFrom::Oldest => first - 1,
        EventsFrom::After(EventId(after)) => after,
        EventsFrom::Last(count) => before_last(conn, &filter, count, first, newest)?,
    };
    // A cursor beyond the newest is of another store, or of this one before it was restored.
    let missed = asked + 1 < first || asked > newest;
    let after = if asked > newest { first - 1 } else { asked.max(first - 1) };
    let until = newest.min(after.saturating_add(SCAN));
    let events = between(conn, &filter, (after, until), query.limit)?;
    let full = events.len() >= query.limit as usize;
    let next = events.last().filter(|_| full).map_or(EventId(until.max(after)), |last| last.id);
    Ok(EventPage { more: next.0 < newest, events, next, oldest: oldest.map(EventId), missed })
}

/// After which one the newest that match begin; of those that one read looks at.
fn before_last(
    conn: &Connection,
    filter: &Filter,
    count: u32,
    first: i64,
    newest: i64,
) -> Result<i64, StoreError> {
    if count == 0 {
        return Ok(newest);
    }
    let from = (first - 1).max(newest - SCAN);
    let before: Option<i64> = conn
        .prepare_cached(BEFORE_LAST)?
        .query_row(params![from, newest, filter.account, filter.kinds, count], |row| row.get(0))
        .optional()?;
    Ok(before.unwrap_or(from))
}

fn between(
    conn: &Connection,
    filter: &Filter,
    (after, until): (i64, i64),
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let mut select = conn.prepare_cached(PAGE)?;
    let rows =
        select.query_map(params![after, until, filter.account, filter.kinds, limit], |row| Ok(event(row)))?;
    rows.map(|row| row?).collect()
}

fn event(row: &Row<'_>) -> Result<Event, StoreError> {
    let kind: i64 = row.get(2)?;
    Ok(Event {
        id: EventId(row.get(0)?),
        at: Timestamp::from_millis(row.get(1)?),
        kind: EventKind::from_code(kind).ok_or_else(|| bad_code("kind of event", kind))?,
        account: row.get(3)?,
        subject: subject(row.get_ref(4)?)?,
        body: body(row.get_ref(5)?)?,
    })
}

fn subject(value: ValueRef<'_>) -> Result<String, StoreError> {
    match value {
        ValueRef::Blob(id) => {
            let id = id.try_into().map_err(|_| bad_code("requestid of an event", 0))?;
            Ok(RequestId::from_bytes(id).to_string())
        }
        text => Ok(text.as_str().map_err(|error| StoreError::Corrupt(error.into()))?.to_owned()),
    }
}

fn body(value: ValueRef<'_>) -> Result<EventBody, StoreError> {
    if let ValueRef::Integer(change) = value {
        let word = |code| Status::from_code(code).ok_or_else(|| bad_code("status of an event", change));
        let words = [("from", word(change >> 4)?), ("to", word(change & 15)?)];
        return Ok(words.map(|(key, status)| (key.to_owned(), status.as_str().to_owned())).into());
    }
    let text = value.as_str().map_err(|error| StoreError::Corrupt(error.into()))?;
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.into()))
}
