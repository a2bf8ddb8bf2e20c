//! Whose due replicas are claimed next: accounts share a provider by weight, in deficit round-robin.
//!
//! Each account has a lane. A lane's turn is as many replicas as its account weighs; a turn that a claim cuts short goes
//! on in the next one, so that the shares are right however little a claim takes. Inside a lane those that are ranked
//! lower go first: what has the fewest live copies, then what its policy puts first, then what is due the longest.

mod queue;

use std::cmp::min;

use rusqlite::{OptionalExtension, params};

use queue::Lane;

use super::tx::Tx;
use crate::{
    model::{Op, ReplicaId, Timestamp, Weight},
    store::{ClaimRequest, StoreError},
};

/// Ops that take turns with each other inside a lane; those of another line have a budget, or a rank, of their own.
pub(super) const LINES: [&[Op]; 3] = [&[Op::Remove, Op::Submit], &[Op::Poll], &[Op::Verify]];
/// So many removes of one account go before its next submit: deletes go first, but a mass delete ends no pinning.
const REMOVES_IN_A_ROW: u8 = 3;
/// The most accounts that are looked at for those that have something due: a seek each.
const LOOKED_AT: usize = 1024;
/// When to look at the accounts beyond those.
const LOOK_ON: std::time::Duration = std::time::Duration::from_secs(1);
/// The least that is read of a lane at once.
const READ: usize = 16;

/// Whose turn it is, and how much is left of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    lane: i64,
    left: u32,
}

/// What is to be claimed, and when there is more.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) replicas: Vec<ReplicaId>,
    pub(super) next: Option<Timestamp>,
}

/// Up to `budget` due replicas of a line, from the account on whose turn the last claim ended.
pub(super) fn due(
    tx: &mut Tx<'_>,
    request: &ClaimRequest,
    line: &'static [Op],
    budget: usize,
) -> Result<Due, StoreError> {
    let key = (request.provider.0, line[0].code());
    let turn = tx.memory.turns.get(&key).copied().unwrap_or_default();
    let round = round(tx, request, line, turn, budget)?;
    let mut serving =
        Serving { request, line, budget, turn, due: Due { replicas: Vec::new(), next: round.next } };
    let chunk = (budget / round.due.len().max(1)).max(READ).min(budget);
    serving.all(tx, round.due.into_iter().map(|id| Lane::new(id, line, chunk)).collect())?;
    if let Some(lane) = round.cut_at {
        serving.turn = Turn { lane, left: 0 };
    }
    tx.memory.turns.insert(key, serving.turn);
    Ok(serving.due)
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

/// Looks at the accounts that something of this line is planned for, beginning with whose turn it is, each at most once:
/// for one more than can be served. One that only waits takes no place of one that is due.
fn round(
    tx: &Tx<'_>,
    request: &ClaimRequest,
    line: &[Op],
    turn: Turn,
    budget: usize,
) -> Result<Round, StoreError> {
    let last = if turn.left > 0 { turn.lane - 1 } else { turn.lane };
    let mut round = Round::default();
    let (mut at, mut wrapped) = (last, false);
    for _ in 0..LOOKED_AT {
        match head(tx, request, line, at)? {
            Some((lane, _)) if wrapped && lane > last => return Ok(round),
            Some((lane, next_at)) if next_at <= request.now => {
                if round.due.len() == budget {
                    round.next = earlier(round.next, Some(request.now));
                    return Ok(round);
                }
                at = lane;
                round.due.push(lane);
            }
            Some((lane, next_at)) => {
                at = lane;
                round.next = earlier(round.next, Some(next_at));
            }
            None if wrapped || last <= 0 => return Ok(round),
            None => (at, wrapped) = (0, true),
        }
    }
    round.next = earlier(round.next, Some(request.now.plus(LOOK_ON)));
    round.cut_at = round.due.is_empty().then_some(at);
    Ok(round)
}

/// The first account after `after` that something of this line is planned for, and when.
fn head(
    tx: &Tx<'_>,
    request: &ClaimRequest,
    line: &[Op],
    after: i64,
) -> Result<Option<(i64, Timestamp)>, StoreError> {
    // replicas_due: the head of the next account's line, by one seek
    let mut seek = tx.conn.prepare_cached(
        "SELECT lane, next_at FROM replicas INDEXED BY replicas_due
         WHERE provider = ?1 AND op = ?2 AND lane > ?3 AND next_at IS NOT NULL
         ORDER BY lane, rank, next_at LIMIT 1",
    )?;
    let mut first: Option<(i64, Timestamp)> = None;
    for op in line {
        let found: Option<(i64, i64)> = seek
            .query_row(params![request.provider.0, op.code(), after], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((lane, next_at)) = found else { continue };
        let mut next_at = Timestamp::from_millis(next_at);
        if next_at > request.now {
            // What is less urgent may be due before.
            next_at = queue::first_due(tx, request, *op, lane)?.unwrap_or(next_at);
        }
        first = first.into_iter().chain([(lane, next_at)]).min();
    }
    Ok(first)
}

pub(super) fn earlier(one: Option<Timestamp>, two: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(two).min()
}

/// One claim's work on a line.
struct Serving<'a> {
    request: &'a ClaimRequest,
    line: &'static [Op],
    budget: usize,
    turn: Turn,
    due: Due,
}

impl Serving<'_> {
    /// Serves these lanes, the one whose turn it is first, until nothing is left of them or of the budget.
    fn all(&mut self, tx: &mut Tx<'_>, mut lanes: Vec<Lane>) -> Result<(), StoreError> {
        let is_their_turn = |lane: &&Lane| lane.id == self.turn.lane && self.turn.left > 0;
        let mut rest = lanes.first().filter(is_their_turn).map(|_| self.turn.left);
        while !lanes.is_empty() && self.is_hungry() {
            for lane in &mut lanes {
                if !self.is_hungry() {
                    break;
                }
                let whole = weight(tx, lane.id)?.get();
                self.one(tx, lane, rest.take().unwrap_or(whole))?;
            }
            lanes.retain(|lane| !lane.is_empty);
        }
        for lane in &lanes {
            self.due.next = earlier(self.due.next, lane.next(self.request.now));
        }
        Ok(())
    }

    fn is_hungry(&self) -> bool {
        self.due.replicas.len() < self.budget
    }

    fn one(&mut self, tx: &mut Tx<'_>, lane: &mut Lane, quantum: u32) -> Result<(), StoreError> {
        self.turn = Turn { lane: lane.id, left: quantum };
        while self.turn.left > 0 && self.is_hungry() {
            let Some(replica) = self.pop(tx, lane)? else {
                self.due.next = earlier(self.due.next, lane.next(self.request.now));
                (lane.is_empty, self.turn.left) = (true, 0);
                break;
            };
            self.due.replicas.push(replica);
            self.turn.left -= 1;
        }
        Ok(())
    }

    /// A lane's next: of the ops in their order, but the second one after so many of the first.
    fn pop(&self, tx: &mut Tx<'_>, lane: &mut Lane) -> Result<Option<ReplicaId>, StoreError> {
        let key = (self.request.provider.0, lane.id);
        let in_a_row = tx.memory.removes.get(&key).copied().unwrap_or(0);
        let is_over = self.line.len() > 1 && in_a_row >= REMOVES_IN_A_ROW;
        let order: &[usize] = if is_over { &[1, 0] } else { &[0, 1] };
        for which in order.iter().filter(|which| **which < self.line.len()) {
            if let Some(replica) = lane.queues[*which].pop(tx, self.request, lane.id)? {
                match which {
                    0 if self.line.len() > 1 => {
                        tx.memory.removes.insert(key, min(in_a_row + 1, REMOVES_IN_A_ROW))
                    }
                    _ => tx.memory.removes.remove(&key),
                };
                return Ok(Some(replica));
            }
        }
        Ok(None)
    }
}

/// An account's share; that of one which is gone is as small as any.
fn weight(tx: &mut Tx<'_>, account: i64) -> Result<Weight, StoreError> {
    if let Some(known) = tx.memory.weights.get(&account) {
        return Ok(*known);
    }
    // account: weight
    let weight: Option<u32> = tx
        .conn
        .prepare_cached("SELECT weight FROM accounts WHERE id = ?1")?
        .query_row([account], |row| row.get(0))
        .optional()?;
    let weight = weight.and_then(Weight::new).unwrap_or_default();
    tx.memory.weights.insert(account, weight);
    Ok(weight)
}
