//! Gauges that are read from the database: every gateway on it shows the same, so aggregate by `max`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus::{Gauge, IntGauge, IntGaugeVec};

use super::{
    accounts::OTHER,
    family::{Gauges as PerLabel, PerLabel as Each, Registrar},
    labels::{Drift, Label, TaskKind},
};
use crate::model::{Health, JobKind, JobState, QuotaKind, ReplicaState, Status, Timestamp};

/// What the database says at one time.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When it was read.
    pub at: Timestamp,
    /// Pins by account name and status; what is not named is 0.
    pub pins: Vec<(String, Status, u64)>,
    /// What accounts have used of what a quota may bound; what is not named is 0.
    pub used: Vec<(String, QuotaKind, u64)>,
    /// Copies by provider name and state; what is not named is 0.
    pub replicas: Vec<(String, ReplicaState, u64)>,
    /// What else is on record of providers.
    pub providers: Vec<ProviderSnapshot>,
    /// Pins with fewer pinned copies than their policy asks.
    pub under_replicated: u64,
    /// When the oldest queued or pinning pin was accepted.
    pub oldest_unsettled: Option<Timestamp>,
    /// Due and unclaimed tasks, with the oldest's due time; what is not named is 0.
    pub due: Vec<(TaskKind, u64, Option<Timestamp>)>,
    /// Jobs on record; what is not named is 0.
    pub jobs: Vec<(JobKind, JobState, u64)>,
    /// How far `created` runs ahead of the clock.
    pub created_ahead: Duration,
    /// The database's files, in bytes.
    pub size_bytes: u64,
}

/// What the database says of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSnapshot {
    pub name: String,
    pub health: Health,
    pub is_draining: bool,
    /// When its last audit ended that came to its end.
    pub audited: Option<Timestamp>,
    /// What that one, or one that asks since, found; what is not named is 0.
    pub drifted: Vec<(Drift, u64)>,
}

pub(super) struct Gauges {
    pins: PerLabel<Status>,
    accounts: Accounts,
    providers: Providers,
    under_replicated: IntGauge,
    oldest_unsettled: IntGauge,
    due: PerLabel<TaskKind>,
    oldest_due: PerLabel<TaskKind>,
    jobs: Each<JobKind, PerLabel<JobState>>,
    created_ahead: Gauge,
    size_bytes: IntGauge,
    refreshed: IntGauge,
}

impl Gauges {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        let per_status = registrar.shared_gauges("pins", "Pins by status.", &["status"]);
        let due = registrar.shared_gauges("tasks_due", "Tasks that are due and not claimed.", &["kind"]);
        let oldest_due = registrar.shared_gauges(
            "tasks_oldest_due_timestamp_seconds",
            "Due time of the oldest task that is due; 0 = none.",
            &["kind"],
        );
        let jobs = registrar.shared_gauges(
            "jobs",
            "Jobs on record; those that ended are kept for 90 days.",
            &["kind", "state"],
        );
        Self {
            pins: PerLabel::of(&per_status, &[]),
            accounts: Accounts::new(registrar),
            providers: Providers::new(registrar),
            under_replicated: registrar.shared_gauge(
                "pins_under_replicated",
                "Pins with fewer pinned copies than their policy asks.",
            ),
            oldest_unsettled: registrar.shared_gauge(
                "pins_oldest_unsettled_timestamp_seconds",
                "When the oldest queued or pinning pin was accepted; 0 = none.",
            ),
            due: PerLabel::of(&due, &[]),
            oldest_due: PerLabel::of(&oldest_due, &[]),
            jobs: Each::new(|kind: JobKind| PerLabel::of(&jobs, &[kind.as_str()])),
            created_ahead: registrar.shared_real_gauge(
                "created_ahead_seconds",
                "How far the newest pin's created runs ahead of the clock.",
            ),
            size_bytes: registrar
                .shared_gauge("store_size_bytes", "Size of the database's files, its log included."),
            refreshed: registrar.gauge(
                "store_stats_last_refresh_timestamp_seconds",
                "When the gauges that come from the database were read; 0 = not yet.",
            ),
        }
    }

    /// Starts the series of an account.
    pub(super) fn account(&self, label: &str) {
        self.accounts.known.start(label, || self.accounts.make(label));
    }

    /// Starts the series of a provider.
    pub(super) fn provider(&self, name: &str) {
        self.providers.known.start(name, || self.providers.make(name));
    }

    /// Lets the series of an account rest: nothing sets them again.
    pub(super) fn forget_account(&self, label: &str) {
        self.accounts.known.lock().remove(label);
    }

    /// Lets the series of a provider rest: nothing sets them again.
    pub(super) fn forget_provider(&self, name: &str) {
        self.providers.known.lock().remove(name);
    }

    /// Sets all of them. An account without a label is not shown.
    pub(super) fn set(&self, snapshot: &Snapshot, label_of: impl Fn(&str) -> Option<Arc<str>>) {
        for &status in Status::ALL.iter() {
            let of_status = snapshot.pins.iter().filter(|(_, other, _)| *other == status);
            self.pins.get(status).set(gauge(of_status.map(|(_, _, count)| count).sum()));
        }
        self.accounts.set(snapshot, label_of);
        self.providers.set(snapshot);
        self.under_replicated.set(gauge(snapshot.under_replicated));
        self.oldest_unsettled.set(seconds(snapshot.oldest_unsettled));
        self.set_due(snapshot);
        for &kind in JobKind::ALL {
            let of_kind = snapshot.jobs.iter().filter(|(other, _, _)| *other == kind);
            set(self.jobs.get(kind), of_kind.map(|(_, state, count)| (*state, *count)));
        }
        self.created_ahead.set(snapshot.created_ahead.as_secs_f64());
        self.size_bytes.set(gauge(snapshot.size_bytes));
        self.refreshed.set(snapshot.at.as_secs());
    }

    fn set_due(&self, snapshot: &Snapshot) {
        for &kind in TaskKind::ALL {
            let due = snapshot.due.iter().find(|(other, _, _)| *other == kind);
            let (count, oldest) = due.map_or((0, None), |&(_, count, oldest)| (count, oldest));
            self.due.get(kind).set(gauge(count));
            self.oldest_due.get(kind).set(seconds(oldest));
        }
    }
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn seconds(at: Option<Timestamp>) -> i64 {
    at.map_or(0, Timestamp::as_secs)
}

/// Sets each to the sum of what is said of it.
fn set<L: Label + PartialEq>(gauges: &PerLabel<L>, values: impl Iterator<Item = (L, u64)>) {
    let values: Vec<_> = values.collect();
    for &label in L::ALL {
        let sum = values.iter().filter(|(other, _)| *other == label).map(|(_, value)| value).sum();
        gauges.get(label).set(gauge(sum));
    }
}

fn by_label<L: Label>(
    rows: &[(String, L, u64)],
    label_of: impl Fn(&str) -> Option<Arc<str>>,
) -> HashMap<Arc<str>, Vec<(L, u64)>> {
    let mut by_label: HashMap<_, Vec<_>> = HashMap::new();
    for (name, value, count) in rows {
        if let Some(label) = label_of(name) {
            by_label.entry(label).or_default().push((*value, *count));
        }
    }
    by_label
}

/// The series of those that the config names now. Their handles are resolved, so that none is made again for one
/// that left.
struct Known<G>(Mutex<HashMap<Arc<str>, G>>);

impl<G> Known<G> {
    fn start(&self, name: &str, make: impl FnOnce() -> G) {
        self.lock().entry(name.into()).or_insert_with(make);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, G>> {
        // The map is whole at any moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Accounts {
    pins: IntGaugeVec,
    used: IntGaugeVec,
    known: Known<AccountGauges>,
}

struct AccountGauges {
    pins: PerLabel<Status>,
    used: PerLabel<QuotaKind>,
}

impl Accounts {
    fn new(registrar: &Registrar<'_>) -> Self {
        let accounts = Self {
            pins: registrar.shared_gauges(
                "account_pins",
                "Pins by account and status.",
                &["account", "status"],
            ),
            used: registrar.shared_gauges(
                "account_quota_used",
                "What an account has used of what a quota may bound, whether it has that quota or not.",
                &["account", "quota"],
            ),
            known: Known(Mutex::default()),
        };
        accounts.known.start(OTHER, || accounts.make(OTHER));
        accounts
    }

    fn make(&self, label: &str) -> AccountGauges {
        AccountGauges { pins: PerLabel::of(&self.pins, &[label]), used: PerLabel::of(&self.used, &[label]) }
    }

    fn set(&self, snapshot: &Snapshot, label_of: impl Fn(&str) -> Option<Arc<str>>) {
        let mut pins = by_label(&snapshot.pins, &label_of);
        let mut used = by_label(&snapshot.used, &label_of);
        for (label, gauges) in self.known.lock().iter() {
            set(&gauges.pins, pins.remove(label).into_iter().flatten());
            set(&gauges.used, used.remove(label).into_iter().flatten());
        }
    }
}

struct Providers {
    replicas: IntGaugeVec,
    health: IntGaugeVec,
    draining: IntGaugeVec,
    audited: IntGaugeVec,
    drifted: IntGaugeVec,
    known: Known<ProviderGauges>,
}

struct ProviderGauges {
    replicas: PerLabel<ReplicaState>,
    health: PerLabel<Health>,
    draining: IntGauge,
    audited: IntGauge,
    drifted: PerLabel<Drift>,
}

impl Providers {
    fn new(registrar: &Registrar<'_>) -> Self {
        Self {
            replicas: registrar.shared_gauges(
                "replicas",
                "Copies by provider and state.",
                &["provider", "state"],
            ),
            health: registrar.shared_gauges(
                "provider_health",
                "1 for what was last observed of the provider, 0 for the rest.",
                &["provider", "health"],
            ),
            draining: registrar.shared_gauges(
                "provider_draining",
                "Whether copies are being moved off the provider.",
                &["provider"],
            ),
            audited: registrar.shared_gauges(
                "provider_last_audit_timestamp_seconds",
                "When the provider's last audit that came to its end ended; 0 = none on record.",
                &["provider"],
            ),
            drifted: registrar.shared_gauges(
                "provider_drifted_replicas",
                "Copies that differ from what is on record, by the provider's last audit.",
                &["provider", "kind"],
            ),
            known: Known(Mutex::default()),
        }
    }

    fn make(&self, name: &str) -> ProviderGauges {
        ProviderGauges {
            replicas: PerLabel::of(&self.replicas, &[name]),
            health: PerLabel::of(&self.health, &[name]),
            draining: self.draining.with_label_values(&[name]),
            audited: self.audited.with_label_values(&[name]),
            drifted: PerLabel::of(&self.drifted, &[name]),
        }
    }

    fn set(&self, snapshot: &Snapshot) {
        for (name, gauges) in self.known.lock().iter() {
            let replicas = snapshot.replicas.iter().filter(|(other, _, _)| **other == **name);
            set(&gauges.replicas, replicas.map(|(_, state, copies)| (*state, *copies)));
            let record = snapshot.providers.iter().find(|record| *record.name == **name);
            set(&gauges.health, record.map(|record| (record.health, 1)).into_iter());
            gauges.draining.set(record.is_some_and(|record| record.is_draining).into());
            gauges.audited.set(seconds(record.and_then(|record| record.audited)));
            let drifted = record.iter().flat_map(|record| record.drifted.iter().copied());
            set(&gauges.drifted, drifted);
        }
    }
}
