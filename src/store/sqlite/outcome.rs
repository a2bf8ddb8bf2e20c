//! Records what became of claims, and settles the pins that see a difference.

use rusqlite::{OptionalExtension, params};

use super::{adopt, replicas, settle, tx::Tx};
use crate::{
    model::{ContentId, Op, ProviderId, ReplicaId, Timestamp, UpstreamId, replica::Replica},
    policy::{merge::STALLED, replica::Event},
    store::{Outcome, Recorded, StoreError, Word},
};

/// Up to this many pins are settled with the outcome; more are left to the background, so that no outcome stalls
/// the requests behind it.
const IN_PLACE: usize = 256;

pub(super) fn record(
    tx: &mut Tx<'_>,
    outcomes: Vec<Outcome>,
    now: Timestamp,
) -> Result<Recorded, StoreError> {
    tx.saw(now);
    let mut recorded = Recorded::default();
    for outcome in outcomes {
        match replicas::load(tx, outcome.key.replica)? {
            Some(replica) if replica.attempt == outcome.key.attempt && replica.leased => {
                apply(tx, replica, outcome.word, now, &mut recorded)?;
                recorded.applied += 1;
            }
            _ => recorded.stale += 1,
        }
        let (settled, relinked) = settle::settle_heirs(tx, now)?;
        recorded.settled += settled;
        recorded.relinked += relinked;
    }
    Ok(recorded)
}

fn apply(
    tx: &mut Tx<'_>,
    before: Replica,
    word: Word,
    now: Timestamp,
    recorded: &mut Recorded,
) -> Result<(), StoreError> {
    note_details(tx, &before, &word, now)?;
    let after = replicas::step(tx, before.clone(), event(word), now)?;
    let upstream = after.as_ref().and_then(|after| after.upstream.as_ref());
    if let Some(gone) = before.upstream.as_ref().filter(|before| Some(*before) != upstream) {
        adopt::gone(tx, before.provider, gone)?;
    }
    if let Some((Op::Remove | Op::Submit, _)) = after.as_ref().and_then(|after| after.due) {
        // Something is to be sent again, perhaps at once.
        recorded.relinked += 1;
    }
    // A copy that is given up for now keeps asking whether there is somewhere else to go.
    let spilled = after.as_ref().is_some_and(|after| after.refused() || after.tries >= STALLED);
    if spilled || replicas::shows(&before, after.as_ref()) {
        settle_pins(tx, before.id, now, recorded)?;
    }
    Ok(())
}

fn event(word: Word) -> Event {
    match word {
        Word::Deferred { until } => Event::Deferred { until },
        Word::Landed { upstream, status, existed, .. } => Event::Landed { upstream, status, existed },
        Word::Found { upstream, status, ours, .. } => Event::Found { upstream, status, ours },
        Word::NotFound { asked_at } => Event::NotFound { asked_at },
        Word::Seen { status, why, .. } => Event::Seen { status, why },
        Word::Gone => Event::Gone,
        Word::Removed => Event::Removed,
        Word::Erred { error, sending } => Event::Erred { error, sending },
    }
}

/// Keeps delegates and doubles that came with a word.
fn note_details(tx: &Tx<'_>, replica: &Replica, word: &Word, now: Timestamp) -> Result<(), StoreError> {
    match word {
        Word::Seen { delegates, .. } => note_delegates(tx, replica, delegates),
        Word::Landed { upstream, delegates, .. } => {
            note_delegates(tx, replica, delegates)?;
            is_no_double(tx, replica.provider, upstream)
        }
        Word::Found { upstream, delegates, doubles, .. } => {
            note_delegates(tx, replica, delegates)?;
            note_doubles(tx, replica.provider, replica.content, doubles, now)?;
            is_no_double(tx, replica.provider, upstream)
        }
        _ => Ok(()),
    }
}

fn note_delegates(tx: &Tx<'_>, replica: &Replica, delegates: &[String]) -> Result<(), StoreError> {
    if delegates.is_empty() {
        return Ok(());
    }
    // Holds: strings always serialise.
    let body = serde_json::to_string(delegates).expect("strings serialise");
    // delegate set by body
    let known: Option<i64> = tx
        .conn
        .prepare_cached("SELECT id FROM delegate_sets WHERE body = ?1")?
        .query_row([&body], |row| row.get(0))
        .optional()?;
    let set = match known {
        Some(set) => set,
        // delegate set: new
        None => tx
            .conn
            .prepare_cached("INSERT INTO delegate_sets(body) VALUES(?1) RETURNING id")?
            .query_row([&body], |row| row.get(0))?,
    };
    // replica and provider: the set last sent
    tx.conn
        .prepare_cached("UPDATE replicas SET delegates = ?2 WHERE id = ?1 AND delegates IS NOT ?2")?
        .execute([replica.id.0, set])?;
    tx.conn
        .prepare_cached("UPDATE providers SET delegates = ?2 WHERE id = ?1 AND delegates IS NOT ?2")?
        .execute([replica.provider.0, set])?;
    Ok(())
}

pub(super) fn note_doubles(
    tx: &Tx<'_>,
    provider: ProviderId,
    content: ContentId,
    doubles: &[UpstreamId],
    now: Timestamp,
) -> Result<(), StoreError> {
    for double in doubles {
        // surplus: one more of ours
        tx.conn
            .prepare_cached(
                "INSERT OR IGNORE INTO surplus(provider, upstream, content, next_at, tries) VALUES(?1, ?2, ?3, ?4, 0)",
            )?
            .execute(params![provider.0, replicas::upstream_value(double), content.0, now.as_millis()])?;
    }
    Ok(())
}

/// What was a double once may be the only one left: it is not deleted as a double any more (I8).
pub(super) fn is_no_double(
    tx: &Tx<'_>,
    provider: ProviderId,
    upstream: &UpstreamId,
) -> Result<(), StoreError> {
    // surplus: it counts now
    tx.conn
        .prepare_cached("DELETE FROM surplus WHERE provider = ?1 AND upstream = ?2")?
        .execute(params![provider.0, replicas::upstream_value(upstream)])?;
    Ok(())
}

/// Settles the pins of a replica in place, or leaves them to the background where they are many.
pub(super) fn settle_pins(
    tx: &mut Tx<'_>,
    replica: ReplicaId,
    now: Timestamp,
    recorded: &mut Recorded,
) -> Result<(), StoreError> {
    let pins = pins_after(tx, replica, 0, IN_PLACE + 1)?;
    if pins.len() > IN_PLACE {
        replicas::leave_to_remerge(tx, replica)?;
        recorded.fanned_out += 1;
        return Ok(());
    }
    for pin in pins {
        recorded.relinked += settle::settle(tx, pin, now)?;
        recorded.settled += 1;
    }
    Ok(())
}

/// The pins that are linked to a replica, after one of them.
pub(super) fn pins_after(
    tx: &Tx<'_>,
    replica: ReplicaId,
    after: i64,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    // links: pins of a replica, by the reverse index
    let pins = tx
        .conn
        .prepare_cached(
            "SELECT pin FROM pin_replicas INDEXED BY pin_replicas_rev WHERE replica = ?1 AND pin > ?2
             ORDER BY pin LIMIT ?3",
        )?
        .query_map(params![replica.0, after, i64::try_from(limit).unwrap_or(i64::MAX)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(pins)
}
