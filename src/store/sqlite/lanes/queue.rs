//! What is due for one account, read as far as it is needed: by rank, of which there are few.

use std::collections::VecDeque;

use rusqlite::{OptionalExtension, params};

use super::{super::tx::Tx, earlier};
use crate::{
    model::{Op, ReplicaId, Timestamp},
    store::{ClaimRequest, StoreError},
};

/// One account's line.
pub(super) struct Lane {
    pub(super) id: i64,
    pub(super) queues: Vec<Queue>,
    pub(super) is_empty: bool,
}

impl Lane {
    pub(super) fn new(id: i64, line: &[Op], chunk: usize) -> Self {
        let queue =
            |op: &Op| Queue { op: *op, chunk, ready: VecDeque::new(), at: At::After(i64::MIN), later: None };
        Self { id, queues: line.iter().map(queue).collect(), is_empty: false }
    }

    /// When there is more than what was taken.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.queues.iter().filter_map(|queue| queue.next(now)).min()
    }
}

/// One account's due replicas of one op: by rank, of each rank the longest due first.
pub(super) struct Queue {
    op: Op,
    chunk: usize,
    ready: VecDeque<ReplicaId>,
    at: At,
    /// When something is due of the ranks that were read to their end.
    later: Option<Timestamp>,
}

/// How far it was read.
#[derive(Clone, Copy)]
enum At {
    /// More is due of this rank, beyond so many.
    Rank(i64, u64),
    /// Nothing more is due of this rank.
    After(i64),
    End,
}

impl Queue {
    pub(super) fn pop(
        &mut self,
        tx: &Tx<'_>,
        request: &ClaimRequest,
        lane: i64,
    ) -> Result<Option<ReplicaId>, StoreError> {
        if self.ready.is_empty() {
            self.seek(tx, request, lane)?;
            if let At::Rank(rank, read) = self.at {
                self.read(tx, request, lane, (rank, read))?;
                // Whoever asks when there is more is to know it.
                self.seek(tx, request, lane)?;
            }
        }
        Ok(self.ready.pop_front())
    }

    /// Goes on to the next rank that something is due of.
    fn seek(&mut self, tx: &Tx<'_>, request: &ClaimRequest, lane: i64) -> Result<(), StoreError> {
        while let At::After(rank) = self.at {
            self.at = match head(tx, request, self.op, lane, rank)? {
                None => At::End,
                Some((rank, next_at)) if next_at <= request.now => At::Rank(rank, 0),
                Some((rank, next_at)) => {
                    self.later = earlier(self.later, Some(next_at));
                    At::After(rank)
                }
            };
        }
        Ok(())
    }

    /// Reads up to a chunk of one rank.
    fn read(
        &mut self,
        tx: &Tx<'_>,
        request: &ClaimRequest,
        lane: i64,
        (rank, read): (i64, u64),
    ) -> Result<(), StoreError> {
        // replicas_due: one account's of one rank, oldest first
        let mut select = tx.conn.prepare_cached(
            "SELECT id, next_at FROM replicas INDEXED BY replicas_due
             WHERE provider = ?1 AND op = ?2 AND lane = ?3 AND rank = ?4 AND next_at IS NOT NULL
             ORDER BY next_at LIMIT ?5 OFFSET ?6",
        )?;
        let limit = self.chunk as u64 + 1;
        let mut rows = select.query(params![request.provider.0, self.op.code(), lane, rank, limit, read])?;
        self.at = At::After(rank);
        while let Some(row) = rows.next()? {
            let due = Timestamp::from_millis(row.get(1)?);
            if due > request.now {
                self.later = earlier(self.later, Some(due));
                break;
            }
            if self.ready.len() == self.chunk {
                self.at = At::Rank(rank, read + self.chunk as u64);
                break;
            }
            self.ready.push_back(ReplicaId(row.get(0)?));
        }
        Ok(())
    }

    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        match self.at {
            At::End if self.ready.is_empty() => self.later,
            _ => Some(now),
        }
    }
}

/// The first rank after `after` that something of an account's op is planned for, and when.
fn head(
    tx: &Tx<'_>,
    request: &ClaimRequest,
    op: Op,
    lane: i64,
    after: i64,
) -> Result<Option<(i64, Timestamp)>, StoreError> {
    // replicas_due: the head of the next rank of an account's line, by one seek
    let found = tx
        .conn
        .prepare_cached(
            "SELECT rank, next_at FROM replicas INDEXED BY replicas_due
             WHERE provider = ?1 AND op = ?2 AND lane = ?3 AND rank > ?4 AND next_at IS NOT NULL
             ORDER BY rank, next_at LIMIT 1",
        )?
        .query_row(params![request.provider.0, op.code(), lane, after], |row| {
            Ok((row.get(0)?, Timestamp::from_millis(row.get(1)?)))
        })
        .optional()?;
    Ok(found)
}

/// When something of an account's op is due: the first of its ranks that is due by now, else the soonest of all.
pub(super) fn first_due(
    tx: &Tx<'_>,
    request: &ClaimRequest,
    op: Op,
    lane: i64,
) -> Result<Option<Timestamp>, StoreError> {
    let (mut first, mut after) = (None, i64::MIN);
    while let Some((rank, next_at)) = head(tx, request, op, lane, after)? {
        first = earlier(first, Some(next_at));
        if next_at <= request.now {
            break;
        }
        after = rank;
    }
    Ok(first)
}
