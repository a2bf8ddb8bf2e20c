//! Gauges by names that come and go with the config.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus::{IntGauge, IntGaugeVec};

use super::{Snapshot, seconds, set};
use crate::{
    model::{Health, QuotaKind, ReplicaState, Status},
    telemetry::{
        accounts::OTHER,
        family::{Gauges as PerLabel, Registrar},
        labels::{Drift, Label},
    },
};

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

pub(super) struct Accounts {
    pins: IntGaugeVec,
    used: IntGaugeVec,
    known: Known<AccountGauges>,
}

struct AccountGauges {
    pins: PerLabel<Status>,
    used: PerLabel<QuotaKind>,
}

impl Accounts {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
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
        accounts.start(OTHER);
        accounts
    }

    pub(super) fn start(&self, label: &str) {
        self.known.start(label, || self.make(label));
    }

    pub(super) fn end(&self, label: &str) {
        self.known.lock().remove(label);
    }

    fn make(&self, label: &str) -> AccountGauges {
        AccountGauges { pins: PerLabel::of(&self.pins, &[label]), used: PerLabel::of(&self.used, &[label]) }
    }

    pub(super) fn set(&self, snapshot: &Snapshot, label_of: impl Fn(&str) -> Option<Arc<str>>) {
        let mut pins = by_label(&snapshot.pins, &label_of);
        let mut used = by_label(&snapshot.used, &label_of);
        for (label, gauges) in self.known.lock().iter() {
            set(&gauges.pins, pins.remove(label).into_iter().flatten());
            set(&gauges.used, used.remove(label).into_iter().flatten());
        }
    }
}

pub(super) struct Providers {
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
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
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

    pub(super) fn start(&self, name: &str) {
        self.known.start(name, || self.make(name));
    }

    pub(super) fn end(&self, name: &str) {
        self.known.lock().remove(name);
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

    pub(super) fn set(&self, snapshot: &Snapshot) {
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
