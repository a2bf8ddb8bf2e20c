//! What accounts ask. The first accounts have series of their own, all further ones share one.

use std::sync::Arc;

use ::http::StatusCode;
use dashmap::DashMap;
use prometheus::{IntCounter, IntCounterVec};

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
    requests: IntCounterVec,
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
        let other = AccountMetrics::new(&requests, OTHER);
        Self { requests, known: DashMap::new(), other }
    }

    pub(super) fn get(&self, name: &str) -> AccountMetrics {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        if self.known.len() >= MAX {
            return self.other.clone();
        }
        self.known.entry(name.to_owned()).or_insert_with(|| AccountMetrics::new(&self.requests, name)).clone()
    }
}

/// Series of one account. Clones share them.
#[derive(Clone)]
pub struct AccountMetrics(Arc<Inner>);

struct Inner {
    label: Arc<str>,
    requests: IntCounterVec,
    codes: PerLabel<Code, Lazy<IntCounter>>,
}

impl AccountMetrics {
    fn new(requests: &IntCounterVec, label: &str) -> Self {
        let inner =
            Inner { label: label.into(), requests: requests.clone(), codes: PerLabel::new(|_| Lazy::new()) };
        for code in Code::USUAL {
            inner.counter(code);
        }
        Self(Arc::new(inner))
    }

    /// The label that stands for the account.
    pub(super) fn label(&self) -> &Arc<str> {
        &self.0.label
    }

    /// Counts an answer to one of the account's requests.
    pub fn answered(&self, status: StatusCode) {
        self.0.counter(Code::of(status)).inc();
    }
}

impl Inner {
    fn counter(&self, code: Code) -> &IntCounter {
        let slot = self.codes.get(code);
        slot.get_or_init(|| self.requests.with_label_values(&[&*self.label, code.as_str()]))
    }
}
