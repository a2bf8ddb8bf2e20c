//! What accounts ask. The first accounts have series of their own, all further ones share one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ::http::StatusCode;
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec};

use crate::model::{Quota, QuotaKind};

use super::{
    family::{Lazy, PerLabel, Registrar, unseen},
    labels::{Code, Label},
};

/// The most accounts with series of their own.
pub(super) const MAX: usize = 200;
/// What the others are called.
pub(super) const OTHER: &str = "other";

/// The families that have an `account` label, and the handles given out.
pub(super) struct Accounts {
    families: Families,
    known: Mutex<Known>,
    other: AccountMetrics,
}

#[derive(Default)]
struct Known {
    /// Those that share a label, too.
    all: HashMap<String, AccountMetrics>,
    /// How many have one of their own.
    own: usize,
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
        Self { families, known: Mutex::default(), other }
    }

    pub(super) fn get(&self, name: &str) -> AccountMetrics {
        let mut known = self.lock();
        if let Some(account) = known.all.get(name) {
            return account.clone();
        }
        let has_own = known.own < MAX && name != OTHER;
        let account = if has_own { AccountMetrics::new(&self.families, name) } else { self.other.clone() };
        known.own += usize::from(has_own);
        known.all.insert(name.to_owned(), account.clone());
        account
    }

    /// The label that stands for an account of the config.
    pub(super) fn label_of(&self, name: &str) -> Option<Arc<str>> {
        self.lock().all.get(name).map(|account| account.label().clone())
    }

    /// Forgets all but these; returns the labels that are free.
    pub(super) fn keep(&self, is_kept: impl Fn(&str) -> bool) -> Vec<Arc<str>> {
        let mut known = self.lock();
        let gone = known.all.extract_if(|name, _| !is_kept(name)).map(|(_, account)| account);
        let gone: Vec<_> = gone.filter(|account| !account.is_shared()).collect();
        known.own -= gone.len();
        gone.iter().for_each(AccountMetrics::end);
        gone.iter().map(|account| account.label().clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // The map is whole at any moment.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// The account left the config: its requests that are under way make no series.
    ended: Mutex<bool>,
}

impl AccountMetrics {
    fn new(families: &Families, label: &str) -> Self {
        let (codes, ended) = (PerLabel::new(|_| Lazy::new()), Mutex::default());
        let inner = Inner { label: label.into(), families: families.clone(), codes, ended };
        for code in Code::USUAL {
            inner.counter(code);
        }
        Self(Arc::new(inner))
    }

    /// The label that stands for the account.
    pub(super) fn label(&self) -> &Arc<str> {
        &self.0.label
    }

    /// Whether further accounts have the same label.
    fn is_shared(&self) -> bool {
        *self.0.label == *OTHER
    }

    fn end(&self) {
        *self.0.ended() = true;
    }

    /// Shows what the account may have. Those that share a label have none shown: sums of quotas mean nothing.
    pub fn quota(&self, quota: &Quota) {
        let Inner { label, families, .. } = &*self.0;
        for kind in QuotaKind::ALL.iter().copied().filter(|_| !self.is_shared()) {
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
        self.codes.get(code).get_or_init(|| {
            let ended = self.ended();
            match *ended {
                false => self.families.requests.with_label_values(&[&*self.label, code.as_str()]),
                true => unseen(),
            }
        })
    }

    fn ended(&self) -> MutexGuard<'_, bool> {
        // A flag is whole at any moment.
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
