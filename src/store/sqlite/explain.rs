//! One pin with all that is on record of it, for operators; of one snapshot.

use rusqlite::{Connection, Row};

use super::{
    errors::bad_code,
    providers::load_providers,
    replicas::{self, replica_columns},
    rows::{self, PIN_WIDTH, pin_columns},
};
use crate::{
    model::{AccountId, Content, Proved, ProviderRecord, RequestId, Timestamp},
    policy::{Policy, ProviderView},
    store::{CopyStory, PinStory, StoreError},
};

/// pin: by requestid, whoever's it is, with its account and policy
const PIN: &str = concat!(
    "SELECT ",
    pin_columns!(),
    ", p.account, a.name, p.accepted, p.was_pinned, o.body, o.rev, \
     (SELECT max(rev) FROM policies WHERE name = o.name), c.key \
     FROM pins p JOIN accounts a ON a.id = p.account JOIN policies o ON o.id = p.policy \
     JOIN contents c ON c.id = p.content WHERE p.requestid = ?1"
);

/// copies: a pin's, own ones first
const COPIES: &str = concat!(
    "SELECT ",
    replica_columns!(),
    ", l.held_since, (SELECT count(*) FROM pin_replicas WHERE replica = r.id), r.proved, r.proved_at \
     FROM pin_replicas l JOIN replicas r ON r.id = l.replica WHERE l.pin = ?1 ORDER BY l.held_since, r.id"
);

pub(super) fn explain(
    conn: &Connection,
    requestid: RequestId,
    now: Timestamp,
) -> Result<Option<PinStory>, StoreError> {
    // Dropped at the end, which rolls back a transaction that has only read.
    let _snapshot = conn.unchecked_transaction()?;
    let mut select = conn.prepare_cached(PIN)?;
    let mut found = select.query([requestid.as_bytes()])?;
    let Some(row) = found.next()? else { return Ok(None) };
    let (id, pin) = rows::pin(row)?;
    let body: String = row.get(PIN_WIDTH + 4)?;
    let policy: Policy = serde_json::from_str(&body).map_err(|error| StoreError::Corrupt(error.into()))?;
    let key: Vec<u8> = row.get(PIN_WIDTH + 7)?;
    let providers = load_providers(conn)?;
    Ok(Some(PinStory {
        content: Content::from_bytes(&key).map_err(|error| StoreError::Corrupt(error.into()))?,
        views: views(conn, id, &policy, &providers, now)?,
        account: (AccountId(row.get(PIN_WIDTH)?), row.get(PIN_WIDTH + 1)?),
        pin,
        accepted: Timestamp::from_millis(row.get(PIN_WIDTH + 2)?),
        was_pinned: row.get(PIN_WIDTH + 3)?,
        policy,
        revision: row.get(PIN_WIDTH + 5)?,
        newest_revision: row.get(PIN_WIDTH + 6)?,
        copies: copies(conn, id)?,
        providers,
    }))
}

/// All providers; those of which it matters with how many copies there are.
fn views(
    conn: &Connection,
    pin: i64,
    policy: &Policy,
    providers: &[ProviderRecord],
    now: Timestamp,
) -> Result<Vec<ProviderView>, StoreError> {
    let mut views = policy.views(providers, now);
    for view in views.iter_mut().filter(|view| view.needs_load(policy)) {
        // replica_counts: all of a provider's
        let mut select =
            conn.prepare_cached("SELECT coalesce(sum(n), 0) FROM replica_counts WHERE provider = ?1")?;
        view.copies = select.query_row([view.id.0], |row| row.get(0))?;
        // replica of a pin's content at a provider
        let mut select = conn.prepare_cached(
            "SELECT EXISTS(SELECT 1 FROM pins p JOIN replicas r ON r.content = p.content
             WHERE p.id = ?1 AND r.provider = ?2)",
        )?;
        view.has_it = select.query_row([pin, view.id.0], |row| row.get(0))?;
    }
    Ok(views)
}

fn copies(conn: &Connection, pin: i64) -> Result<Vec<CopyStory>, StoreError> {
    let mut select = conn.prepare_cached(COPIES)?;
    let rows = select.query_map([pin], |row| Ok(copy(row)))?;
    rows.map(|row| row?).collect()
}

fn copy(row: &Row<'_>) -> Result<CopyStory, StoreError> {
    let held_since: Option<i64> = row.get(replicas::WIDTH)?;
    Ok(CopyStory {
        replica: replicas::decode(row)?,
        held_since: held_since.map(Timestamp::from_millis),
        pins: row.get(replicas::WIDTH + 1)?,
        proved: proved(row, replicas::WIDTH + 2)?,
    })
}

fn proved(row: &Row<'_>, at: usize) -> Result<Option<(Proved, Timestamp)>, StoreError> {
    let (code, when): (Option<i64>, Option<i64>) = (row.get(at)?, row.get(at + 1)?);
    let Some((code, when)) = code.zip(when) else { return Ok(None) };
    let proved = Proved::from_code(code).ok_or_else(|| bad_code("proof of a copy", code))?;
    Ok(Some((proved, Timestamp::from_millis(when))))
}
