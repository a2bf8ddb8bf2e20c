//! One request's view of the running transaction: the connection, what is remembered between transactions, and
//! the effects that are written once for the whole batch.

use std::{collections::HashMap, sync::Arc, time::Duration};

use rusqlite::{Connection, OptionalExtension, params};

use super::{accounts::Account, count::WIDTHS, lanes::Turn, providers::load_providers, replicas};
use crate::{
    lifecycle::{Change, Changes},
    model::{
        AccountId, Audit, AuditBy, ContentId, PolicyId, ProviderId, ProviderRecord, ReplicaState, RequestId,
        Status, Timestamp, Weight,
    },
    policy::{Moment, Policy, ProviderView, Timing},
    store::StoreError,
    telemetry::{PinMetrics, Settled},
};

/// The tally of pins with fewer pinned copies than their policy's least.
const SHORT: &str = "short";

/// Reads that many requests repeat; dropped whenever a transaction fails, so that it never runs ahead of the disk.
#[derive(Default)]
pub(super) struct Memory {
    providers: Option<Arc<Vec<ProviderRecord>>>,
    policies: HashMap<PolicyId, Arc<Policy>>,
    current: HashMap<String, PolicyId>,
    pub(super) weights: HashMap<i64, Weight>,
    /// Accounts are served in turn: whose turn it is, by provider and line of ops.
    pub(super) turns: HashMap<(i64, i64), Turn>,
    /// Removes that an account had in a row, by provider.
    pub(super) removes: HashMap<(i64, i64), u8>,
}

/// What a transaction adds to counters, summed and written once, and whom it tells of changes after its commit.
#[derive(Default)]
pub(super) struct Effects {
    pins: HashMap<(i64, Status, i64), i64>,
    replicas: HashMap<(i64, ReplicaState), i64>,
    tallies: HashMap<String, i64>,
    accounts: HashMap<AccountId, Account>,
    now: Timestamp,
    changes: Vec<(RequestId, Change)>,
    /// Statuses that pins came into and, where that was what their clients wait for, how long after acceptance.
    entered: Vec<(Status, Option<Duration>)>,
    /// Whether there are new events.
    happened: bool,
    /// Whether a provider that was full is not any more.
    room: bool,
}

impl Effects {
    pub(super) fn absorb(&mut self, other: Self) {
        add_all(&mut self.pins, other.pins);
        add_all(&mut self.replicas, other.replicas);
        add_all(&mut self.tallies, other.tallies);
        self.accounts.extend(other.accounts);
        self.now = self.now.max(other.now);
        self.changes.extend(other.changes);
        self.entered.extend(other.entered);
        self.happened |= other.happened;
        self.room |= other.room;
    }

    /// Whether a provider that was full is not any more.
    pub(super) fn made_room(&self) -> bool {
        self.room
    }

    /// Tells who waits, and the operator, of what is on disk now.
    pub(super) fn tell(self, changes: &Changes, metrics: &PinMetrics) {
        for (pin, change) in self.changes {
            changes.publish(pin, change);
        }
        if self.happened {
            changes.publish_events();
        }
        for (status, after) in self.entered {
            metrics.transitions(status, 1);
            match (status, after) {
                (Status::Pinned, Some(after)) => metrics.settled(Settled::Pinned, after),
                (Status::Failed, Some(after)) => metrics.settled(Settled::Failed, after),
                _ => {}
            }
        }
    }

    pub(super) fn flush(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        self.flush_pin_counts(conn)?;
        self.flush_replica_counts(conn)?;
        self.flush_tallies(conn)?;
        for (id, account) in &self.accounts {
            account.write(conn, *id)?;
        }
        // instance: latest time, at most once a minute
        conn.prepare_cached("UPDATE instance SET clock_floor = ?1 WHERE clock_floor < ?1 - 60000")?
            .execute([self.now.as_millis()])?;
        Ok(())
    }

    fn flush_pin_counts(&self, conn: &Connection) -> rusqlite::Result<()> {
        let mut buckets: HashMap<(i64, i64, i64, i64), i64> = HashMap::new();
        for ((account, status, created), n) in &self.pins {
            for width in WIDTHS {
                let bucket = (*account, status.code(), width, created.div_euclid(width));
                *buckets.entry(bucket).or_default() += n;
            }
        }
        // pin_counts: add; a count of 0 is no row
        let mut add = conn.prepare_cached(
            "INSERT INTO pin_counts(account, status, width, bucket, n) VALUES(?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET n = n + excluded.n RETURNING n",
        )?;
        let mut drop = conn.prepare_cached(
            "DELETE FROM pin_counts WHERE account = ?1 AND status = ?2 AND width = ?3 AND bucket = ?4",
        )?;
        for ((account, status, width, bucket), n) in buckets {
            if n == 0 {
                continue;
            }
            let total: i64 = add.query_row(params![account, status, width, bucket, n], |row| row.get(0))?;
            if total == 0 {
                drop.execute(params![account, status, width, bucket])?;
            }
        }
        Ok(())
    }

    fn flush_replica_counts(&self, conn: &Connection) -> rusqlite::Result<()> {
        for ((provider, state), n) in self.replicas.iter().filter(|(_, n)| **n != 0) {
            // replica_counts: add
            conn.prepare_cached(
                "INSERT INTO replica_counts(provider, state, n) VALUES(?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET n = n + excluded.n",
            )?
            .execute(params![provider, state.code(), n])?;
        }
        Ok(())
    }

    fn flush_tallies(&self, conn: &Connection) -> rusqlite::Result<()> {
        for (what, n) in self.tallies.iter().filter(|(_, n)| **n != 0) {
            // tallies: add
            conn.prepare_cached(
                "INSERT INTO tallies(what, n) VALUES(?1, ?2) ON CONFLICT DO UPDATE SET n = n + excluded.n",
            )?
            .execute(params![what, n])?;
        }
        Ok(())
    }
}

fn add_all<K: std::hash::Hash + Eq>(sums: &mut HashMap<K, i64>, more: HashMap<K, i64>) {
    for (key, n) in more {
        *sums.entry(key).or_default() += n;
    }
}

/// One request inside the running transaction.
pub(super) struct Tx<'a> {
    pub(super) conn: &'a Connection,
    timing: &'a Timing,
    pub(super) memory: &'a mut Memory,
    before: &'a Effects,
    effects: Effects,
    /// Pins that get the place of a copy which is gone.
    pub(super) heirs: Vec<i64>,
}

impl<'a> Tx<'a> {
    pub(super) fn new(
        conn: &'a Connection,
        timing: &'a Timing,
        memory: &'a mut Memory,
        before: &'a Effects,
    ) -> Self {
        Self { conn, timing, memory, before, effects: Effects::default(), heirs: Vec::new() }
    }

    pub(super) fn into_effects(self) -> Effects {
        self.effects
    }

    /// Notes the time of this request, for the clock's floor.
    pub(super) fn saw(&mut self, now: Timestamp) {
        self.effects.now = self.effects.now.max(now);
    }

    pub(super) fn count_pin(&mut self, account: i64, status: Status, created: Timestamp, n: i64) {
        *self.effects.pins.entry((account, status, created.as_millis())).or_default() += n;
    }

    pub(super) fn count_replica(&mut self, provider: i64, state: ReplicaState, n: i64) {
        *self.effects.replicas.entry((provider, state)).or_default() += n;
    }

    /// Copies in a state at a provider, this batch's changes included.
    pub(super) fn replicas_in(&self, provider: ProviderId, state: ReplicaState) -> Result<i64, StoreError> {
        // replica_counts: one
        let counted: Option<i64> = self
            .conn
            .prepare_cached("SELECT n FROM replica_counts WHERE provider = ?1 AND state = ?2")?
            .query_row(params![provider.0, state.code()], |row| row.get(0))
            .optional()?;
        let key = (provider.0, state);
        let pending =
            [self.before, &self.effects].map(|effects| effects.replicas.get(&key).copied().unwrap_or(0));
        Ok(counted.unwrap_or(0) + pending.iter().sum::<i64>())
    }

    /// How many pins follow a policy, this batch's changes included.
    pub(super) fn follow(&self, policy: PolicyId) -> Result<i64, StoreError> {
        let what = format!("policy/{policy}");
        // tallies: one
        let counted: Option<i64> = self
            .conn
            .prepare_cached("SELECT n FROM tallies WHERE what = ?1")?
            .query_row([&what], |row| row.get(0))
            .optional()?;
        let pending =
            [self.before, &self.effects].map(|effects| effects.tallies.get(&what).copied().unwrap_or(0));
        Ok(counted.unwrap_or(0) + pending.iter().sum::<i64>())
    }

    /// Counts pins that are short of copies.
    pub(super) fn count_short(&mut self, n: i64) {
        self.tally(SHORT.to_owned(), n);
    }

    /// Counts pins that follow a policy.
    pub(super) fn count_policy(&mut self, policy: PolicyId, n: i64) {
        self.tally(format!("policy/{policy}"), n);
    }

    fn tally(&mut self, what: String, n: i64) {
        *self.effects.tallies.entry(what).or_default() += n;
    }

    /// Notes that a pin came into a status, `after` its acceptance where it was not pinned before.
    pub(super) fn entered(&mut self, status: Status, after: Option<Duration>) {
        self.effects.entered.push((status, after));
    }

    /// Notes that there are new events.
    pub(super) fn happened(&mut self) {
        self.effects.happened = true;
    }

    /// Notes that a provider that was full is not any more.
    pub(super) fn made_room(&mut self) {
        self.effects.room = true;
    }

    /// Notes the place that a copy leaves which is about to go off the record, where its provider was full.
    pub(super) fn leaves_place(&mut self, provider: ProviderId) -> Result<(), StoreError> {
        let providers = self.providers()?;
        let most = providers.iter().find(|known| known.id == provider).and_then(|known| known.facts.max_pins);
        if most.is_some() && most == Some(self.copies_at(provider)?) {
            self.made_room();
        }
        Ok(())
    }

    pub(super) fn tell(&mut self, pin: RequestId, change: Change) {
        self.effects.changes.push((pin, change));
    }

    /// An account as this transaction has left it so far; what is changed of it is written with the transaction.
    pub(super) fn account(&mut self, id: AccountId) -> Result<&mut Account, StoreError> {
        if !self.effects.accounts.contains_key(&id) {
            let known = match self.before.accounts.get(&id) {
                Some(known) => *known,
                None => Account::read(self.conn, id)?,
            };
            self.effects.accounts.insert(id, known);
        }
        // Holds: it was put there, where it was not there already.
        Ok(self.effects.accounts.get_mut(&id).expect("an account that was read"))
    }

    /// Further ahead than this nothing is ever planned.
    pub(super) fn longest_wait(&self) -> Duration {
        self.timing.longest()
    }

    /// A moment for the pure machine, with fresh jitter.
    pub(super) fn moment(&mut self, provider: ProviderId, now: Timestamp) -> Result<Moment<'a>, StoreError> {
        let providers = self.providers()?;
        let facts = providers.iter().find(|known| known.id == provider).map(|known| &known.facts);
        let verify_every = match facts.and_then(|facts| facts.audit) {
            None => Some(self.timing.verify_every),
            Some(Audit { by: AuditBy::Look, every }) => Some(every),
            Some(_) => None,
        };
        Ok(Moment { now, jitter: rand::random(), timing: self.timing, verify_every })
    }

    pub(super) fn providers(&mut self) -> Result<Arc<Vec<ProviderRecord>>, StoreError> {
        if let Some(known) = &self.memory.providers {
            return Ok(known.clone());
        }
        let loaded = Arc::new(load_providers(self.conn)?);
        self.memory.providers = Some(loaded.clone());
        Ok(loaded)
    }

    /// Makes the next look at providers and policies read them anew.
    pub(super) fn forget_config(&mut self) {
        self.memory.providers = None;
        self.memory.policies.clear();
        self.memory.current.clear();
        self.memory.weights.clear();
    }

    /// One revision of a policy.
    pub(super) fn policy(&mut self, id: PolicyId) -> Result<Arc<Policy>, StoreError> {
        if let Some(known) = self.memory.policies.get(&id) {
            return Ok(known.clone());
        }
        // policy by id
        let body: String = self
            .conn
            .prepare_cached("SELECT body FROM policies WHERE id = ?1")?
            .query_row([id.0], |row| row.get(0))?;
        let policy: Arc<Policy> =
            Arc::new(serde_json::from_str(&body).map_err(|error| StoreError::Corrupt(error.into()))?);
        self.memory.policies.insert(id, policy.clone());
        Ok(policy)
    }

    /// The newest revision of a policy.
    pub(super) fn current_policy(&mut self, name: &str) -> Result<PolicyId, StoreError> {
        if let Some(known) = self.memory.current.get(name) {
            return Ok(*known);
        }
        // policy: newest revision
        let id: Option<i64> = self
            .conn
            .prepare_cached("SELECT id FROM policies WHERE name = ?1 ORDER BY rev DESC LIMIT 1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        let id = PolicyId(id.ok_or_else(|| StoreError::Unknown {
            what: "policy",
            name: name.into(),
            known: Vec::new(),
        })?);
        self.memory.current.insert(name.to_owned(), id);
        Ok(id)
    }

    /// The providers as placement of a content by a policy sees them now.
    pub(super) fn views(
        &mut self,
        policy: &Policy,
        content: Option<ContentId>,
        now: Timestamp,
    ) -> Result<Vec<ProviderView>, StoreError> {
        let mut views = policy.views(&self.providers()?, now);
        for view in views.iter_mut().filter(|view| view.needs_load(policy)) {
            view.copies = self.copies_at(view.id)?;
            view.has_it = match content {
                Some(content) => replicas::is_at(self.conn, view.id, content)?,
                None => false,
            };
        }
        Ok(views)
    }

    /// Copies on record at a provider, whatever their state, this batch's changes included.
    pub(super) fn copies_at(&self, provider: ProviderId) -> Result<u64, StoreError> {
        let mut copies = 0;
        for state in ReplicaState::ALL {
            copies += self.replicas_in(provider, *state)?;
        }
        Ok(u64::try_from(copies).unwrap_or(0))
    }
}
