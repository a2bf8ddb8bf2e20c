//! What is due for one account, read as far as it is needed.

use std::collections::VecDeque;

use rusqlite::params;

use super::super::tx::Tx;
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
        let queue = |op: &Op| Queue { op: *op, chunk, ready: VecDeque::new(), read: 0, after: After::Unread };
        Self { id, queues: line.iter().map(queue).collect(), is_empty: false }
    }

    /// When there is more than what was taken.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.queues.iter().filter_map(|queue| queue.next(now)).min()
    }
}

/// One account's due replicas of one op, the longest due first.
pub(super) struct Queue {
    op: Op,
    chunk: usize,
    ready: VecDeque<ReplicaId>,
    read: usize,
    after: After,
}

/// What comes after that which was read.
#[derive(Clone, Copy)]
enum After {
    Unread,
    Due,
    Later(Timestamp),
    Nothing,
}

impl Queue {
    pub(super) fn pop(
        &mut self,
        tx: &Tx<'_>,
        request: &ClaimRequest,
        lane: i64,
    ) -> Result<Option<ReplicaId>, StoreError> {
        if self.ready.is_empty() && matches!(self.after, After::Unread | After::Due) {
            self.read(tx, request, lane)?;
        }
        Ok(self.ready.pop_front())
    }

    fn read(&mut self, tx: &Tx<'_>, request: &ClaimRequest, lane: i64) -> Result<(), StoreError> {
        // replicas_due: one account's, oldest first
        let mut select = tx.conn.prepare_cached(
            "SELECT id, next_at FROM replicas INDEXED BY replicas_due
             WHERE provider = ?1 AND op = ?2 AND lane = ?3 AND next_at IS NOT NULL ORDER BY next_at LIMIT ?4 OFFSET ?5",
        )?;
        let (limit, offset) = (self.chunk as u64 + 1, self.read as u64);
        let mut rows = select.query(params![request.provider.0, self.op.code(), lane, limit, offset])?;
        self.after = After::Nothing;
        while let Some(row) = rows.next()? {
            let due = Timestamp::from_millis(row.get(1)?);
            if due > request.now || self.ready.len() == self.chunk {
                self.after = if due > request.now { After::Later(due) } else { After::Due };
                break;
            }
            self.ready.push_back(ReplicaId(row.get(0)?));
        }
        self.read += self.ready.len();
        Ok(())
    }

    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        match self.after {
            _ if !self.ready.is_empty() => Some(now),
            After::Unread | After::Due => Some(now),
            After::Later(at) => Some(at),
            After::Nothing => None,
        }
    }
}
