//! Replicas' rows: loading, stepping by the pure machine, and saving by compare-and-set on the attempt.

use rusqlite::{Connection, OptionalExtension, Row, params, types::ValueRef};

use super::{errors::bad_code, tx::Tx};
use crate::{
    model::{
        AccountId, Content, ContentId, Doubt, ErrorClass, Goal, Op, Owned, ProviderId, ReplicaId,
        ReplicaState, Timestamp, UpstreamId,
        replica::{Replica, ReplicaError},
    },
    policy::{
        CopyView,
        replica::{Event, Next},
    },
    store::StoreError,
};

/// The columns that [`decode`] reads, in its order.
macro_rules! columns {
    () => {
        "r.id, r.provider, r.content, r.goal, r.state, r.owned, r.attempt, r.doubt, r.doubt_until, r.op, \
         r.next_at, r.leased, r.tries, r.refusals, r.error, r.error_text, r.state_at, r.seen_at, \
         r.verified_at, r.upstream"
    };
}

pub(super) use columns as replica_columns;
/// How many columns [`replica_columns`] are.
pub(super) const WIDTH: usize = 20;

/// Reads one replica from a row that begins with the replica columns.
pub(super) fn decode(row: &Row<'_>) -> Result<Replica, StoreError> {
    let millis = |index: usize| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.get::<_, Option<i64>>(index)?.map(Timestamp::from_millis))
    };
    let (goal, state, owned, doubt): (i64, i64, i64, i64) =
        (row.get(3)?, row.get(4)?, row.get(5)?, row.get(7)?);
    let op: Option<i64> = row.get(9)?;
    let error: Option<i64> = row.get(14)?;
    let due = match (op, millis(10)?) {
        (Some(op), Some(at)) => Some((Op::from_code(op).ok_or_else(|| bad_code("op", op))?, at)),
        _ => None,
    };
    let error = match error {
        Some(class) => Some(ReplicaError {
            class: ErrorClass::from_code(class).ok_or_else(|| bad_code("error class", class))?,
            text: row.get::<_, Option<String>>(15)?.unwrap_or_default(),
        }),
        None => None,
    };
    Ok(Replica {
        id: ReplicaId(row.get(0)?),
        provider: ProviderId(row.get(1)?),
        content: ContentId(row.get(2)?),
        goal: Goal::from_code(goal).ok_or_else(|| bad_code("goal", goal))?,
        state: ReplicaState::from_code(state).ok_or_else(|| bad_code("state", state))?,
        owned: Owned::from_code(owned).ok_or_else(|| bad_code("owned", owned))?,
        attempt: row.get(6)?,
        doubt: Doubt::from_code(doubt).ok_or_else(|| bad_code("doubt", doubt))?,
        doubt_until: millis(8)?,
        due,
        leased: row.get(11)?,
        tries: row.get(12)?,
        refusals: row.get(13)?,
        error,
        state_at: millis(16)?.unwrap_or_default(),
        seen_at: millis(17)?,
        verified_at: millis(18)?,
        upstream: decode_upstream(row.get_ref(19)?)?,
    })
}

/// An upstream id as the tables keep it: mostly a UUID, and then 16 bytes if its text is the one that UUIDs print.
pub(super) fn upstream_value(id: &UpstreamId) -> rusqlite::types::Value {
    match uuid::Uuid::try_parse(id.as_str()) {
        Ok(uuid) if uuid.as_hyphenated().to_string() == id.as_str() => {
            rusqlite::types::Value::Blob(uuid.as_bytes().to_vec())
        }
        _ => rusqlite::types::Value::Text(id.as_str().to_owned()),
    }
}

pub(super) fn decode_upstream(value: ValueRef<'_>) -> Result<Option<UpstreamId>, StoreError> {
    let text = match value {
        ValueRef::Null => return Ok(None),
        ValueRef::Blob(bytes) => uuid::Uuid::from_slice(bytes)
            .map(|uuid| uuid.as_hyphenated().to_string())
            .map_err(|error| StoreError::Corrupt(error.into()))?,
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => return Err(bad_code("upstream id", 0)),
    };
    Ok(UpstreamId::new(text))
}

pub(super) fn load(tx: &Tx<'_>, id: ReplicaId) -> Result<Option<Replica>, StoreError> {
    // replica by id
    let found = tx
        .conn
        .prepare_cached(concat!("SELECT ", columns!(), " FROM replicas r WHERE r.id = ?1"))?
        .query_row([id.0], |row| Ok(decode(row)))
        .optional()?;
    found.transpose()
}

pub(super) fn load_at(
    tx: &Tx<'_>,
    provider: ProviderId,
    content: ContentId,
) -> Result<Option<Replica>, StoreError> {
    // replica by provider and content
    let found = tx
        .conn
        .prepare_cached(concat!(
            "SELECT ",
            columns!(),
            " FROM replicas r WHERE r.provider = ?1 AND r.content = ?2"
        ))?
        .query_row([provider.0, content.0], |row| Ok(decode(row)))
        .optional()?;
    found.transpose()
}

/// A pin's own copies.
pub(super) fn own_copies(tx: &Tx<'_>, pin: i64) -> Result<Vec<Replica>, StoreError> {
    // own copies of a pin
    let mut select = tx.conn.prepare_cached(concat!(
        "SELECT ",
        columns!(),
        " FROM pin_replicas l JOIN replicas r ON r.id = l.replica WHERE l.pin = ?1 AND l.held_since IS NULL"
    ))?;
    let rows = select.query_map([pin], |row| Ok(decode(row)))?;
    rows.map(|row| row?).collect()
}

/// The replica of a content at a provider, asked for by a pin: made where there is none.
pub(super) fn want(
    tx: &mut Tx<'_>,
    provider: ProviderId,
    content: ContentId,
    lane: AccountId,
    now: Timestamp,
) -> Result<Replica, StoreError> {
    match load_at(tx, provider, content)? {
        Some(known) => want_again(tx, known, now),
        None => make(tx, provider, content, lane, now),
    }
}

/// Whether a provider has a copy of a content, or is to have one.
pub(super) fn is_at(conn: &Connection, provider: ProviderId, content: ContentId) -> Result<bool, StoreError> {
    // replica of a content at a provider
    let mut select =
        conn.prepare_cached("SELECT EXISTS(SELECT 1 FROM replicas WHERE provider = ?1 AND content = ?2)")?;
    Ok(select.query_row([provider.0, content.0], |row| row.get(0))?)
}

/// One more pin asks for a replica. One that was refused is tried anew, which its other pins are to see.
pub(super) fn want_again(tx: &mut Tx<'_>, known: Replica, now: Timestamp) -> Result<Replica, StoreError> {
    let next = step(tx, known.clone(), Event::Wanted, now)?;
    if shows(&known, next.as_ref()) {
        leave_to_remerge(tx, known.id)?;
    }
    // Holds: a wanted replica is never forgotten; if it were, the one on record still stands.
    Ok(next.unwrap_or(known))
}

/// Leaves the pins of a replica to be settled in the background, all of them even if it was under way.
pub(super) fn leave_to_remerge(tx: &Tx<'_>, replica: ReplicaId) -> Result<(), StoreError> {
    // remerge: from the first pin on
    tx.conn
        .prepare_cached(
            "INSERT INTO remerge(replica, after_pin) VALUES(?1, 0) ON CONFLICT DO UPDATE SET after_pin = 0",
        )?
        .execute([replica.0])?;
    Ok(())
}

/// A replica that is not on record yet.
pub(super) fn make(
    tx: &mut Tx<'_>,
    provider: ProviderId,
    content: ContentId,
    lane: AccountId,
    now: Timestamp,
) -> Result<Replica, StoreError> {
    let mut replica = Replica::new(ReplicaId(0), provider, content, now);
    let (op, at) = replica.due.unzip();
    // replica: new, nothing sent
    replica.id = tx
        .conn
        .prepare_cached(
            "INSERT INTO replicas(provider, content, goal, state, owned, attempt, doubt, op, next_at, leased,
                                  lane, tries, refusals, state_at)
             VALUES(?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, 0, ?9, 0, 0, ?10) RETURNING id",
        )?
        .query_row(
            params![
                provider.0,
                content.0,
                replica.goal.code(),
                replica.state.code(),
                replica.owned.code(),
                replica.doubt.code(),
                op.map(Op::code),
                at.map(Timestamp::as_millis),
                lane.0,
                now.as_millis()
            ],
            |row| Ok(ReplicaId(row.get(0)?)),
        )?;
    tx.count_replica(provider.0, replica.state, 1);
    Ok(replica)
}

/// Steps a replica by one event and saves what became of it; `None` where it was forgotten.
pub(super) fn step(
    tx: &mut Tx<'_>,
    replica: Replica,
    event: Event,
    now: Timestamp,
) -> Result<Option<Replica>, StoreError> {
    let (id, provider, state, attempt) = (replica.id, replica.provider, replica.state, replica.attempt);
    let before = replica.clone();
    let moment = tx.moment(provider, now)?;
    match replica.step(event, moment) {
        Next::Keep(next) if *next == before => Ok(Some(before)),
        Next::Keep(next) => {
            save(tx, &next, attempt)?;
            if next.state != state {
                tx.count_replica(provider.0, state, -1);
                tx.count_replica(provider.0, next.state, 1);
            }
            Ok(Some(*next))
        }
        Next::Forget => {
            tx.leaves_place(provider)?;
            forget(tx, id, before.content)?;
            tx.count_replica(provider.0, state, -1);
            // places: that of a copy that is gone
            let heir = tx
                .conn
                .prepare_cached("DELETE FROM places WHERE replica = ?1 RETURNING pin")?
                .query_row([id.0], |row| row.get(0))
                .optional()?;
            tx.heirs.extend::<Option<i64>>(heir);
            Ok(None)
        }
    }
}

/// Saves a replica if its attempt still is `attempt`.
fn save(tx: &Tx<'_>, replica: &Replica, attempt: i64) -> Result<(), StoreError> {
    let (op, at) = replica.due.unzip();
    let (error, text) = match &replica.error {
        Some(error) => (Some(error.class.code()), Some(error.text.as_str())),
        None => (None, None),
    };
    // replica: compare-and-set on attempt
    let changed = tx
        .conn
        .prepare_cached(
            "UPDATE replicas SET goal = ?3, state = ?4, owned = ?5, attempt = ?6, doubt = ?7, doubt_until = ?8,
                    op = ?9, next_at = ?10, leased = ?11, tries = ?12, refusals = ?13, error = ?14,
                    error_text = ?15, state_at = ?16, seen_at = ?17, verified_at = ?18, upstream = ?19
             WHERE id = ?1 AND attempt = ?2",
        )?
        .execute(params![
            replica.id.0,
            attempt,
            replica.goal.code(),
            replica.state.code(),
            replica.owned.code(),
            replica.attempt,
            replica.doubt.code(),
            replica.doubt_until.map(Timestamp::as_millis),
            op.map(Op::code),
            at.map(Timestamp::as_millis),
            replica.leased,
            replica.tries,
            replica.refusals,
            error,
            text,
            replica.state_at.as_millis(),
            replica.seen_at.map(Timestamp::as_millis),
            replica.verified_at.map(Timestamp::as_millis),
            replica.upstream.as_ref().map(upstream_value),
        ])?;
    if changed == 1 {
        return Ok(());
    }
    Err(StoreError::Corrupt(anyhow::anyhow!("replica {} changed under its writer", replica.id)))
}

pub(super) fn forget(tx: &Tx<'_>, id: ReplicaId, content: ContentId) -> Result<(), StoreError> {
    // replica: gone
    tx.conn.prepare_cached("DELETE FROM replicas WHERE id = ?1")?.execute([id.0])?;
    // remerge: nothing left to settle for it
    tx.conn.prepare_cached("DELETE FROM remerge WHERE replica = ?1")?.execute([id.0])?;
    forget_content(tx, content)
}

pub(super) fn content(tx: &Tx<'_>, id: ContentId) -> Result<Content, StoreError> {
    // content: key
    let key: Vec<u8> = tx
        .conn
        .prepare_cached("SELECT key FROM contents WHERE id = ?1")?
        .query_row([id.0], |row| row.get(0))?;
    Content::from_bytes(&key).map_err(|error| StoreError::Corrupt(error.into()))
}

/// Drops a content's row once neither a pin nor a replica names it.
pub(super) fn forget_content(tx: &Tx<'_>, content: ContentId) -> Result<(), StoreError> {
    // content: nobody names it; replicas are found by provider, of which there are few, then by content
    tx.conn
        .prepare_cached(
            "DELETE FROM contents WHERE id = ?1
             AND NOT EXISTS(SELECT 1 FROM pins WHERE content = ?1)
             AND NOT EXISTS(SELECT 1 FROM providers v CROSS JOIN replicas r
                            ON r.provider = v.id AND r.content = ?1)",
        )?
        .execute([content.0])?;
    Ok(())
}

/// Whether a pin would see a difference between two states of a replica.
pub(super) fn shows(before: &Replica, after: Option<&Replica>) -> bool {
    let Some(after) = after else { return true };
    CopyView::from(before) != CopyView::from(after)
}
