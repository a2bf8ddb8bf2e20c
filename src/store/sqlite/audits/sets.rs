//! Sets of replicas on disk: a bitmap for each 65,536 ids, of which a page of a list touches few.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    model::{JobId, ReplicaId},
    store::StoreError,
};

const PART: i64 = 1 << 16;

/// What a set is of.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Met = 0,
    Suspect = 1,
}

/// One set of a job; changes are written by [`save`](Self::save).
pub(super) struct Sets<'a> {
    conn: &'a Connection,
    job: JobId,
    what: What,
    /// Those that were read, and whether they were changed.
    parts: BTreeMap<i64, (RoaringBitmap, bool)>,
}

impl<'a> Sets<'a> {
    pub(super) fn of(conn: &'a Connection, job: JobId, what: What) -> Self {
        Self { conn, job, what, parts: BTreeMap::new() }
    }

    pub(super) fn insert(&mut self, id: ReplicaId) -> Result<(), StoreError> {
        let (part, rest) = split(id)?;
        let (set, changed) = self.part(part)?;
        *changed |= set.insert(rest);
        Ok(())
    }

    pub(super) fn remove(&mut self, id: ReplicaId) -> Result<(), StoreError> {
        let (part, rest) = split(id)?;
        let (set, changed) = self.part(part)?;
        *changed |= set.remove(rest);
        Ok(())
    }

    pub(super) fn contains(&mut self, id: ReplicaId) -> Result<bool, StoreError> {
        let (part, rest) = split(id)?;
        Ok(self.part(part)?.0.contains(rest))
    }

    /// The lowest ids that are on disk, `most` at most.
    pub(super) fn first(&mut self, most: usize) -> Result<Vec<ReplicaId>, StoreError> {
        let mut ids = Vec::new();
        for part in self.on_disk()? {
            let (set, _) = self.part(part)?;
            let room = most - ids.len();
            ids.extend(set.iter().take(room).map(|rest| ReplicaId(part * PART + i64::from(rest))));
            if ids.len() == most {
                break;
            }
        }
        Ok(ids)
    }

    /// How many are on disk.
    pub(super) fn count(&mut self) -> Result<u64, StoreError> {
        let mut count = 0;
        for part in self.on_disk()? {
            count += self.part(part)?.0.len();
        }
        Ok(count)
    }

    pub(super) fn save(&mut self) -> Result<(), StoreError> {
        for (part, (set, changed)) in &mut self.parts {
            if !std::mem::take(changed) {
                continue;
            }
            if set.is_empty() {
                // audit_sets: nothing left of a part
                self.conn
                    .prepare_cached("DELETE FROM audit_sets WHERE job = ?1 AND what = ?2 AND part = ?3")?
                    .execute(params![self.job.0, self.what as i64, part])?;
                continue;
            }
            set.optimize();
            let mut body = Vec::with_capacity(set.serialized_size());
            set.serialize_into(&mut body).map_err(broken)?;
            // audit_sets: put a part
            self.conn
                .prepare_cached(
                    "INSERT OR REPLACE INTO audit_sets(job, what, part, body) VALUES(?1, ?2, ?3, ?4)",
                )?
                .execute(params![self.job.0, self.what as i64, part, body])?;
        }
        Ok(())
    }

    fn on_disk(&self) -> Result<Vec<i64>, StoreError> {
        // audit_sets: the parts of a set
        let mut select = self
            .conn
            .prepare_cached("SELECT part FROM audit_sets WHERE job = ?1 AND what = ?2 ORDER BY part")?;
        let parts = select.query_map([self.job.0, self.what as i64], |row| row.get(0))?;
        Ok(parts.collect::<Result<_, _>>()?)
    }

    fn part(&mut self, part: i64) -> Result<&mut (RoaringBitmap, bool), StoreError> {
        if !self.parts.contains_key(&part) {
            let read = read(self.conn, self.job, self.what, part)?;
            self.parts.insert(part, (read, false));
        }
        // Holds: it was put there, where it was not there already.
        Ok(self.parts.get_mut(&part).expect("a part that was read"))
    }
}

fn read(conn: &Connection, job: JobId, what: What, part: i64) -> Result<RoaringBitmap, StoreError> {
    // audit_sets: one part
    let body: Option<Vec<u8>> = conn
        .prepare_cached("SELECT body FROM audit_sets WHERE job = ?1 AND what = ?2 AND part = ?3")?
        .query_row([job.0, what as i64, part], |row| row.get(0))
        .optional()?;
    body.map_or(Ok(RoaringBitmap::new()), |body| RoaringBitmap::deserialize_from(&body[..]).map_err(broken))
}

fn split(id: ReplicaId) -> Result<(i64, u32), StoreError> {
    let rest = u32::try_from(id.0.rem_euclid(PART)).map_err(broken)?;
    Ok((id.0.div_euclid(PART), rest))
}

fn broken(error: impl Into<anyhow::Error>) -> StoreError {
    StoreError::Corrupt(error.into())
}

/// Drops all sets of a job.
pub(super) fn forget(conn: &Connection, job: JobId) -> Result<(), StoreError> {
    // audit_sets: all of a job's
    conn.prepare_cached("DELETE FROM audit_sets WHERE job = ?1")?.execute([job.0])?;
    Ok(())
}
