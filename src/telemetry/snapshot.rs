//! Gauges that are read from the database: every gateway on it shows the same, so aggregate by `max`.

use std::{
    collections::{BTreeMap, HashSet},
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus::{Gauge, IntGauge, IntGaugeVec};

use super::{
    accounts::OTHER,
    family::{Gauges as PerLabelGauges, Registrar},
    labels::{Label, TaskKind},
};
use crate::model::{QuotaKind, ReplicaState, Status, Timestamp};

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
    /// Pins with fewer pinned copies than their policy asks.
    pub under_replicated: u64,
    /// When the oldest queued or pinning pin was accepted.
    pub oldest_unsettled: Option<Timestamp>,
    /// Due and unclaimed tasks, with the oldest's due time; what is not named is 0.
    pub due: Vec<(TaskKind, u64, Option<Timestamp>)>,
    /// How far `created` runs ahead of the clock.
    pub created_ahead: Duration,
    /// The database's files, in bytes.
    pub size_bytes: u64,
}

pub(super) struct Gauges {
    pins: PerLabelGauges<Status>,
    account_pins: Named<Status>,
    account_used: Named<QuotaKind>,
    replicas: Named<ReplicaState>,
    under_replicated: IntGauge,
    oldest_unsettled: IntGauge,
    due: PerLabelGauges<TaskKind>,
    oldest_due: PerLabelGauges<TaskKind>,
    created_ahead: Gauge,
    size_bytes: IntGauge,
    refreshed: IntGauge,
}

impl Gauges {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        let per_status = registrar.gauges("pins", "Pins by status.", &["status"]);
        let due = registrar.gauges("tasks_due", "Tasks that are due and not claimed.", &["kind"]);
        let oldest_due = registrar.gauges(
            "tasks_oldest_due_timestamp_seconds",
            "Due time of the oldest task that is due; 0 = none.",
            &["kind"],
        );
        let gauges = Self {
            pins: PerLabelGauges::of(&per_status, &[]),
            account_pins: Named::new(registrar.gauges(
                "account_pins",
                "Pins by account and status.",
                &["account", "status"],
            )),
            account_used: Named::new(registrar.gauges(
                "account_quota_used",
                "What an account has used of what a quota may bound, whether it has that quota or not.",
                &["account", "quota"],
            )),
            replicas: Named::new(registrar.gauges(
                "replicas",
                "Copies by provider and state.",
                &["provider", "state"],
            )),
            under_replicated: registrar
                .gauge("pins_under_replicated", "Pins with fewer pinned copies than their policy asks."),
            oldest_unsettled: registrar.gauge(
                "pins_oldest_unsettled_timestamp_seconds",
                "When the oldest queued or pinning pin was accepted; 0 = none.",
            ),
            due: PerLabelGauges::of(&due, &[]),
            oldest_due: PerLabelGauges::of(&oldest_due, &[]),
            created_ahead: registrar.real_gauge(
                "created_ahead_seconds",
                "How far the newest pin's created runs ahead of the clock.",
            ),
            size_bytes: registrar
                .gauge("store_size_bytes", "Size of the database's files, its log included."),
            refreshed: registrar.gauge(
                "store_stats_last_refresh_timestamp_seconds",
                "When the gauges that come from the database were read; 0 = not yet.",
            ),
        };
        gauges.account(OTHER);
        gauges
    }

    /// Starts the series of an account.
    pub(super) fn account(&self, label: &str) {
        self.account_pins.know(label);
        self.account_used.know(label);
    }

    /// Starts the series of a provider.
    pub(super) fn provider(&self, name: &str) {
        self.replicas.know(name);
    }

    pub(super) fn set(&self, snapshot: &Snapshot, account_label: impl Fn(&str) -> Arc<str>) {
        for &status in Status::ALL.iter() {
            let of_status = snapshot.pins.iter().filter(|(_, other, _)| *other == status);
            self.pins.get(status).set(gauge(of_status.map(|(_, _, count)| count).sum()));
        }
        let accounts = snapshot.pins.iter().map(|(name, status, pins)| (account_label(name), *status, *pins));
        self.account_pins.set(accounts);
        let used = snapshot.used.iter().map(|(name, quota, used)| (account_label(name), *quota, *used));
        self.account_used.set(used);
        let replicas =
            snapshot.replicas.iter().map(|(name, state, count)| (name.as_str().into(), *state, *count));
        self.replicas.set(replicas);
        self.under_replicated.set(gauge(snapshot.under_replicated));
        self.oldest_unsettled.set(seconds(snapshot.oldest_unsettled));
        self.set_due(snapshot);
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

/// Gauges by a name that may come and go, and a closed label. Names that are gone leave no series behind, unless
/// they are known to this process.
struct Named<L> {
    family: IntGaugeVec,
    names: Mutex<Names>,
    label: PhantomData<L>,
}

#[derive(Default)]
struct Names {
    /// Never removed.
    known: HashSet<Arc<str>>,
    /// Shown now.
    shown: HashSet<Arc<str>>,
}

impl<L: Label> Named<L> {
    fn new(family: IntGaugeVec) -> Self {
        Self { family, names: Mutex::default(), label: PhantomData }
    }

    fn know(&self, name: &str) {
        let name: Arc<str> = name.into();
        let mut names = self.lock();
        if names.known.insert(Arc::clone(&name)) && names.shown.insert(Arc::clone(&name)) {
            PerLabelGauges::<L>::of(&self.family, &[&name]);
        }
    }

    fn set(&self, values: impl Iterator<Item = (Arc<str>, L, u64)>) {
        let mut names = self.lock();
        let mut sums: BTreeMap<Arc<str>, Vec<u64>> = BTreeMap::new();
        for name in &names.known {
            sums.insert(Arc::clone(name), vec![0; L::ALL.len()]);
        }
        for (name, label, value) in values {
            sums.entry(name).or_insert_with(|| vec![0; L::ALL.len()])[label.index()] += value;
        }
        for (name, values) in &sums {
            let gauges = PerLabelGauges::<L>::of(&self.family, &[name]);
            L::ALL.iter().for_each(|&label| gauges.get(label).set(gauge(values[label.index()])));
        }
        let gone: Vec<_> = names.shown.iter().filter(|name| !sums.contains_key(*name)).cloned().collect();
        gone.iter().for_each(|name| self.remove(name));
        names.shown = sums.into_keys().collect();
    }

    fn remove(&self, name: &str) {
        for &label in L::ALL {
            // An error says that the series is not there, which is what is wanted.
            let _absent = self.family.remove_label_values(&[name, label.as_str()]);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        // A panic cannot leave the sets half changed in a way that matters: the next refresh sets them anew.
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
