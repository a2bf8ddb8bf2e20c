//! Gauges that are read from the database: every gateway on it shows the same, so aggregate by `max`.

mod named;

use std::{sync::Arc, time::Duration};

use prometheus::{Gauge, IntGauge};

use self::named::{Accounts, Providers};
use super::{
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
    /// Since when one of them is so that was pinned: the one that has been for longest.
    pub short_since: Option<Timestamp>,
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
    short_since: IntGauge,
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
                "Pins with fewer pinned copies that count than their policy's least.",
            ),
            short_since: registrar.shared_gauge(
                "pins_oldest_under_replicated_timestamp_seconds",
                "Since when the pin that has been short of copies for longest is so, of those that were pinned; 0 = none.",
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
        self.accounts.start(label);
    }

    /// Starts the series of a provider.
    pub(super) fn provider(&self, name: &str) {
        self.providers.start(name);
    }

    /// Lets the series of an account rest: nothing sets them again.
    pub(super) fn forget_account(&self, label: &str) {
        self.accounts.end(label);
    }

    /// Lets the series of a provider rest: nothing sets them again.
    pub(super) fn forget_provider(&self, name: &str) {
        self.providers.end(name);
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
        self.short_since.set(seconds(snapshot.short_since));
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
