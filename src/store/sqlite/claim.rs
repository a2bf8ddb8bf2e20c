//! Takes due replicas of one provider under a lease: removes, submits, polls, re-checks, in that order; accounts in
//! turn.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::{replicas, tx::Tx};
use crate::{
    model::{Content, Doubt, Goal, Op, Origins, Owned, ReplicaId, Timestamp, replica::Replica},
    policy::replica::{Event, Work},
    store::{Claim, ClaimKey, ClaimRequest, Claimed, StoreError},
};

/// The most accounts that are served in one claim of one op; the next claim goes on after them.
const SERVED: usize = 64;
/// Pins whose origins are sent.
const ASKED: i64 = 32;
/// The most accounts that are looked at for them: one seek each.
const LOOKED_AT: usize = 1024;
/// When to look at the accounts beyond those.
const LOOK_ON: Duration = Duration::from_secs(1);

pub(super) fn claim_due(tx: &mut Tx<'_>, request: &ClaimRequest) -> Result<Claimed, StoreError> {
    tx.saw(request.now);
    let mut claimed = Claimed::default();
    let mut singles = request.singles as usize;
    let mut looks = request.looks as usize;
    for op in [Op::Remove, Op::Submit, Op::Poll, Op::Verify] {
        let budget = match op {
            Op::Remove | Op::Submit => &mut singles,
            Op::Poll | Op::Verify => &mut looks,
        };
        let (due, next) = due(tx, request, op, *budget)?;
        claimed.next_due = earlier(claimed.next_due, next);
        for replica in due {
            if let Some(claim) = take(tx, request, replica)? {
                *budget = budget.saturating_sub(1);
                claimed.claims.push(claim);
            }
        }
    }
    Ok(claimed)
}

fn earlier(one: Option<Timestamp>, two: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(two).min()
}

/// Up to `budget` due replicas, shared out evenly among the accounts that have any, from the account after the one
/// served last; and when the first of the others is due.
fn due(
    tx: &mut Tx<'_>,
    request: &ClaimRequest,
    op: Op,
    budget: usize,
) -> Result<(Vec<ReplicaId>, Option<Timestamp>), StoreError> {
    let provider = request.provider;
    let turn = (provider.0, op.code());
    let last = tx.memory.turns.get(&turn).copied().unwrap_or(0);
    let round = round(tx, request, op, last)?;
    if let Some(reached) = round.cut_at {
        tx.memory.turns.insert(turn, reached);
    }
    let mut next = round.next;
    let mut lanes = Vec::new();
    for lane in round.due {
        let (ready, later) = ready(tx, request, op, lane, budget)?;
        next = earlier(next, later);
        if !ready.is_empty() {
            lanes.push((lane, ready.into_iter()));
        }
    }
    let mut taken = Vec::new();
    while taken.len() < budget && !lanes.is_empty() {
        for (lane, ready) in &mut lanes {
            if taken.len() < budget
                && let Some(replica) = ready.next()
            {
                tx.memory.turns.insert(turn, *lane);
                taken.push(replica);
            }
        }
        lanes.retain(|(_, ready)| ready.len() > 0);
    }
    if !lanes.is_empty() {
        next = Some(request.now);
    }
    Ok((taken, next))
}

/// What one look around the accounts found.
#[derive(Default)]
struct Round {
    /// Accounts with something due, in the order in which they are to be served.
    due: Vec<i64>,
    /// When something is due for another one of those that were looked at.
    next: Option<Timestamp>,
    /// The last one looked at, where none of many had anything due: the next look goes on from there.
    cut_at: Option<i64>,
}

/// Looks at the accounts that something of this op is planned for, beginning after `last`, each at most once. One
/// that only waits takes no place of one that is due.
fn round(tx: &Tx<'_>, request: &ClaimRequest, op: Op, last: i64) -> Result<Round, StoreError> {
    // replicas_due: the head of the next account's line, by one seek
    let mut seek = tx.conn.prepare_cached(
        "SELECT lane, next_at FROM replicas INDEXED BY replicas_due
         WHERE provider = ?1 AND op = ?2 AND lane > ?3 AND next_at IS NOT NULL ORDER BY lane, next_at LIMIT 1",
    )?;
    let mut round = Round::default();
    let (mut at, mut wrapped) = (last, false);
    for _ in 0..LOOKED_AT {
        let head: Option<(i64, i64)> = seek
            .query_row(params![request.provider.0, op.code(), at], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match head {
            Some((lane, _)) if wrapped && lane > last => return Ok(round),
            Some((lane, next_at)) if next_at <= request.now.as_millis() => {
                at = lane;
                round.due.push(lane);
                if round.due.len() == SERVED {
                    break;
                }
            }
            Some((lane, next_at)) => {
                at = lane;
                round.next = earlier(round.next, Some(Timestamp::from_millis(next_at)));
            }
            None if wrapped || last == 0 => return Ok(round),
            None => (at, wrapped) = (0, true),
        }
    }
    round.next = earlier(round.next, Some(request.now.plus(LOOK_ON)));
    round.cut_at = round.due.is_empty().then_some(at);
    Ok(round)
}

/// One account's due replicas, the longest due first, and when its first one after those is due.
fn ready(
    tx: &Tx<'_>,
    request: &ClaimRequest,
    op: Op,
    lane: i64,
    budget: usize,
) -> Result<(Vec<ReplicaId>, Option<Timestamp>), StoreError> {
    // replicas_due: one account's, oldest first
    let mut select = tx.conn.prepare_cached(
        "SELECT id, next_at FROM replicas INDEXED BY replicas_due
         WHERE provider = ?1 AND op = ?2 AND lane = ?3 AND next_at IS NOT NULL ORDER BY next_at LIMIT ?4",
    )?;
    let limit = i64::try_from(budget).unwrap_or(i64::MAX - 1) + 1;
    let mut rows = select.query(params![request.provider.0, op.code(), lane, limit])?;
    let mut ready = Vec::new();
    while let Some(row) = rows.next()? {
        let due = Timestamp::from_millis(row.get(1)?);
        if due > request.now || ready.len() == budget {
            return Ok((ready, Some(due)));
        }
        ready.push(ReplicaId(row.get(0)?));
    }
    Ok((ready, None))
}

/// Claims one replica; `None` where there is nothing to call for.
fn take(tx: &mut Tx<'_>, request: &ClaimRequest, id: ReplicaId) -> Result<Option<Claim>, StoreError> {
    let Some(replica) = replicas::load(tx, id)? else { return Ok(None) };
    let due_at = replica.due.map_or(request.now, |(_, at)| at);
    let (op, work) = (replica.due.map_or(Op::Verify, |(op, _)| op), replica.work(request.exclusive));
    if work == Work::Forget {
        replicas::step(tx, replica, Event::Removed, request.now)?;
        return Ok(None);
    }
    let claimed = Event::Claimed { lease_until: request.lease_until };
    let Some(mut replica) = replicas::step(tx, replica, claimed, request.now)? else { return Ok(None) };
    let (doubt, doubt_until) = (replica.doubt, replica.doubt_until);
    if let Some(sends) = sends(&work) {
        let sending = Event::Sending { doubt: sends, until: request.doubt_until };
        let Some(sent) = replicas::step(tx, replica, sending, request.now)? else { return Ok(None) };
        replica = sent;
    }
    let (name, origins) = match replica.goal {
        Goal::Keep
            if op == Op::Submit
                || (op == Op::Poll && request.introduces && replica.owned != Owned::Found) =>
        {
            (name_of_first(tx, replica.id)?, origins_of_last(tx, replica.id)?)
        }
        _ => (None, Vec::new()),
    };
    Ok(Some(Claim {
        key: ClaimKey { replica: replica.id, attempt: replica.attempt },
        due_at,
        content: content(tx, &replica)?,
        goal: replica.goal,
        op,
        work,
        doubt,
        doubt_until,
        upstream: replica.upstream,
        state: replica.state,
        name,
        origins,
    }))
}

/// What is in doubt from the moment that this work's first call leaves.
fn sends(work: &Work) -> Option<Doubt> {
    match work {
        Work::Submit => Some(Doubt::Submit),
        Work::Delete(_) => Some(Doubt::Remove),
        Work::Look | Work::See(_) | Work::Forget => None,
    }
}

fn content(tx: &Tx<'_>, replica: &Replica) -> Result<Content, StoreError> {
    // content: key
    let key: Vec<u8> = tx
        .conn
        .prepare_cached("SELECT key FROM contents WHERE id = ?1")?
        .query_row([replica.content.0], |row| row.get(0))?;
    Content::from_bytes(&key).map_err(|error| StoreError::Corrupt(error.into()))
}

/// The name of the first pin that asks for a replica as its own; one that merely holds it names another content.
fn name_of_first(tx: &Tx<'_>, replica: ReplicaId) -> Result<Option<String>, StoreError> {
    // first pin that asks for a replica
    let found: Option<Option<String>> = tx
        .conn
        .prepare_cached(
            "SELECT p.name FROM pin_replicas r INDEXED BY pin_replicas_rev
             CROSS JOIN pin_replicas l ON l.pin = r.pin AND l.replica = r.replica
             CROSS JOIN pins p ON p.id = l.pin
             WHERE r.replica = ?1 AND l.held_since IS NULL ORDER BY r.pin LIMIT 1",
        )?
        .query_row([replica.0], |row| row.get(0))
        .optional()?;
    Ok(found.flatten())
}

/// Public origins of the pins that asked for a replica last: who came last is most likely to be there still.
fn origins_of_last(tx: &Tx<'_>, replica: ReplicaId) -> Result<Vec<String>, StoreError> {
    // last pins that ask for a replica
    let mut select = tx.conn.prepare_cached(
        "SELECT p.origins FROM pin_replicas r INDEXED BY pin_replicas_rev
         CROSS JOIN pin_replicas l ON l.pin = r.pin AND l.replica = r.replica
         CROSS JOIN pins p ON p.id = l.pin
         WHERE r.replica = ?1 AND l.held_since IS NULL ORDER BY r.pin DESC LIMIT ?2",
    )?;
    let mut rows = select.query(params![replica.0, ASKED])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let kept: Option<String> = row.get(0)?;
        let kept = kept.as_deref().and_then(Origins::from_json).unwrap_or_default();
        all.extend(kept.public());
    }
    Ok(Origins::keep_usable(all).public())
}

/// Commits the doubt of submits that are about to leave; returns those that may.
pub(super) fn begin_submits(
    tx: &mut Tx<'_>,
    claims: &[ClaimKey],
    doubt_until: Timestamp,
    asked_at: Timestamp,
    now: Timestamp,
) -> Result<Vec<ReplicaId>, StoreError> {
    let mut may_leave = Vec::new();
    for claim in claims {
        let Some(replica) = replicas::load(tx, claim.replica)? else { continue };
        let ours = replica.attempt == claim.attempt && replica.leased;
        let may_send =
            replica.goal == Goal::Keep && replica.upstream.is_none() && !replica.in_doubt_at(asked_at);
        if !(ours && may_send) {
            continue;
        }
        let sending = Event::Sending { doubt: Doubt::Submit, until: doubt_until };
        if replicas::step(tx, replica, sending, now)?.is_some() {
            may_leave.push(claim.replica);
        }
    }
    Ok(may_leave)
}
