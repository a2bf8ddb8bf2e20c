//! What accounts ask. The first accounts have series of their own, all further ones share one.

use std::sync::Arc;

use ::http::StatusCode;
use dashmap::DashMap;
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec};

use crate::model::{Quota, QuotaKind};

use super::{
    family::{Lazy, PerLabel, Registrar},
    labels::{Code, Label},
};

/// The most accounts with series of their own.
pub(super) const MAX: usize = 200;
/// What the others are called.
pub(super) const OTHER: &str = "other";

/// The families that have an `account` label, and the handles given out.
pub(super) struct Accounts {
    families: Families,
    known: DashMap<String, AccountMetrics>,
    other: AccountMetrics,
}

impl Accounts {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        let requests = registrar.counters(
            "account_requests_total",
            "Requests of an account that were answered.",
            &["account", "code"],
        );
        let quotas = registrar.gauges(
            "account_quota_limit",
            "What an account may have; no series where it has no such quota.",
            &["account", "quota"],
        );
        let families = Families { requests, quotas };
        let other = AccountMetrics::new(&families, OTHER);
        Self { families, known: DashMap::new(), other }
    }

    pub(super) fn get(&self, name: &str) -> AccountMetrics {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        if self.known.len() >= MAX {
            return self.other.clone();
        }
        self.known.entry(name.to_owned()).or_insert_with(|| AccountMetrics::new(&self.families, name)).clone()
    }
}

#[derive(Clone)]
struct Families {
    requests: IntCounterVec,
    quotas: IntGaugeVec,
}

/// Series of one account. Clones share them.
#[derive(Clone)]
pub struct AccountMetrics(Arc<Inner>);

struct Inner {
    label: Arc<str>,
    families: Families,
    codes: PerLabel<Code, Lazy<IntCounter>>,
}

impl AccountMetrics {
    fn new(families: &Families, label: &str) -> Self {
        let inner =
            Inner { label: label.into(), families: families.clone(), codes: PerLabel::new(|_| Lazy::new()) };
        for code in Code::USUAL {
            inner.counter(code);
        }
        Self(Arc::new(inner))
    }

    /// The label that stands for the account.
    pub(super) fn label(&self) -> &Arc<str> {
        &self.0.label
    }

    /// Shows what the account may have. Those that share a label have none shown: sums of quotas mean nothing.
    pub fn quota(&self, quota: &Quota) {
        let Inner { label, families, .. } = &*self.0;
        for kind in QuotaKind::ALL.iter().copied().filter(|_| **label != *OTHER) {
            let labels = [&**label, kind.as_str()];
            match quota.get(kind) {
                Some(most) => {
                    families.quotas.with_label_values(&labels).set(most.try_into().unwrap_or(i64::MAX))
                }
                // An error says that the series is not there, which is what is wanted.
                None => drop(families.quotas.remove_label_values(&labels)),
            }
        }
    }

    /// Counts an answer to one of the account's requests.
    pub fn answered(&self, status: StatusCode) {
        self.0.counter(Code::of(status)).inc();
    }
}

impl Inner {
    fn counter(&self, code: Code) -> &IntCounter {
        let slot = self.codes.get(code);
        slot.get_or_init(|| self.families.requests.with_label_values(&[&*self.label, code.as_str()]))
    }
}
