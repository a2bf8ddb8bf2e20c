//! Plans: what would become of pins, content by content, by the functions that settle them. Only reads.

mod sheet;

use std::time::Instant;

use rusqlite::{Connection, OptionalExtension, params};

use self::sheet::Sheet;
use super::{SqliteStore, apply, leave, writer::Lane};
use crate::{
    model::{Content, ContentId, PinId, PolicyId, ProviderId, Timestamp},
    policy::{Unapplied, Undrained},
    store::{Applied, Change, Plan, PlanStore, StoreError},
    telemetry::StoreClass::{Read, Write},
};

/// Contents looked at in one step.
const STEP: usize = 500;
/// Pins after which a step ends early.
const PINS: usize = 5000;

#[async_trait::async_trait]
impl PlanStore for SqliteStore {
    async fn plan_step(&self, change: Change, so_far: Plan, now: Timestamp) -> Result<Plan, StoreError> {
        let began = Instant::now();
        let planned = self.readers.long(move |conn| step(conn, &change, so_far, now)).await;
        self.noted(Read, began, planned)
    }

    async fn revisions(&self, policy: &str) -> Result<Vec<(u32, u64)>, StoreError> {
        // policy: its revisions, with the pins that follow each
        let conn = self.readers.point();
        let mut select = conn.prepare_cached(
            "SELECT p.rev, coalesce((SELECT n FROM tallies WHERE what = 'policy/' || p.id), 0)
             FROM policies p WHERE p.name = ?1 ORDER BY p.rev",
        )?;
        let rows = select.query_map([policy], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    async fn policies(&self) -> Result<Vec<String>, StoreError> {
        // policies: all names
        let conn = self.readers.point();
        let mut select = conn.prepare_cached("SELECT DISTINCT name FROM policies ORDER BY name")?;
        let names = select.query_map([], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    async fn apply_step(
        &self,
        policy: String,
        after: PinId,
        limit: u32,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        self.write(Write, Lane::Background, move |tx| apply::step(tx, &policy, after, limit, now)).await
    }

    async fn undrained(&self, provider: ProviderId) -> Result<Undrained, StoreError> {
        let counted = move |conn: &Connection| {
            // Dropped at the end, which rolls back a transaction that has only read.
            let _snapshot = conn.unchecked_transaction()?;
            leave::undrained(conn, provider, load(conn, provider.0)?)
        };
        self.readers.long(counted).await
    }

    async fn unapplied(&self, policy: &str, older: u64) -> Result<Unapplied, StoreError> {
        let policy = policy.to_owned();
        let (mut left, mut removals) =
            self.readers.long(move |conn| leave::unapplied(conn, &policy, older)).await?;
        while let Some(rest) = removals.take() {
            let counted = move |conn: &Connection| {
                let rest = rest.count(conn, &mut left)?;
                Ok((left, rest))
            };
            (left, removals) = self.readers.long(counted).await?;
        }
        Ok(left)
    }

    async fn settle_unfit(
        &self,
        policy: String,
        after: PinId,
        limit: u32,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        self.write(Write, Lane::Background, move |tx| apply::settle(tx, &policy, after, limit, now)).await
    }
}

/// A policy's revisions, oldest first.
pub(super) fn revisions(conn: &Connection, policy: &str) -> Result<Vec<PolicyId>, StoreError> {
    // policy: its revisions
    let mut select = conn.prepare_cached("SELECT id FROM policies WHERE name = ?1 ORDER BY rev")?;
    let rows = select.query_map([policy], |row| Ok(PolicyId(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn step(conn: &Connection, change: &Change, so_far: Plan, now: Timestamp) -> Result<Plan, StoreError> {
    let Some(after) = so_far.next else { return Ok(so_far) };
    // Dropped at the end, which rolls back a transaction that has only read.
    let _snapshot = conn.unchecked_transaction()?;
    let contents = contents(conn, change, after)?;
    let mut sheet = Sheet::open(conn, change, so_far, now)?;
    let mut pins = 0;
    for (id, content) in &contents {
        pins += sheet.add(*id, content)?;
        sheet.plan.next = Some(*id);
        if pins >= PINS {
            return Ok(sheet.plan);
        }
    }
    if contents.len() < STEP {
        sheet.plan.next = None;
    }
    Ok(sheet.plan)
}

/// The next ones that may have something to change.
fn contents(
    conn: &Connection,
    change: &Change,
    after: ContentId,
) -> Result<Vec<(ContentId, Content)>, StoreError> {
    let (provider, select) = match change {
        // replicas of a provider, by content
        Change::Drain { provider, .. } => (
            Some(provider.0),
            "SELECT r.content, c.key FROM replicas r JOIN contents c ON c.id = r.content
             WHERE r.provider = ?3 AND r.content > ?1 ORDER BY r.content LIMIT ?2",
        ),
        // contents by id
        Change::Apply { .. } => {
            (None, "SELECT id, key FROM contents WHERE id > ?1 AND ?3 IS NULL ORDER BY id LIMIT ?2")
        }
    };
    let mut select = conn.prepare_cached(select)?;
    let mut rows = select.query(params![after.0, STEP, provider])?;
    let mut contents = Vec::new();
    while let Some(row) = rows.next()? {
        let key: Vec<u8> = row.get(1)?;
        let content = Content::from_bytes(&key).map_err(|error| StoreError::Corrupt(error.into()))?;
        contents.push((ContentId(row.get(0)?), content));
    }
    Ok(contents)
}

/// Copies on record at a provider, whatever their state.
fn load(conn: &Connection, provider: i64) -> Result<u64, StoreError> {
    // replica_counts: all of a provider's
    let copies = conn
        .prepare_cached("SELECT coalesce(sum(n), 0) FROM replica_counts WHERE provider = ?1")?
        .query_row([provider], |row| row.get(0))
        .optional()?;
    Ok(copies.unwrap_or(0))
}
