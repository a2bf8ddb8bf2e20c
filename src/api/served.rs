//! Whose pins are served, and how. A reload changes it while requests are under way: each keeps what it began with.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;

use super::{Account, Settings, errors::ApiError};
use crate::{
    model::{AccountId, Quota},
    telemetry::{AccountMetrics, Metrics},
};

/// A handle on what is served now; clones share it.
#[derive(Clone)]
pub struct Served {
    terms: Arc<ArcSwap<Terms>>,
    metrics: Metrics,
}

/// What one request goes by from its beginning to its end.
pub(super) struct Terms {
    pub(super) settings: Settings,
    accounts: HashMap<AccountId, Customer>,
}

struct Customer {
    policy: String,
    quota: Quota,
    metrics: AccountMetrics,
}

impl Served {
    pub fn new(accounts: &[Account], settings: Settings, metrics: &Metrics) -> Self {
        let terms = Terms::new(accounts, settings, metrics);
        Self { terms: Arc::new(ArcSwap::from_pointee(terms)), metrics: metrics.clone() }
    }

    /// Requests that come from now on are served so; bounds that are fixed at the start stay as they were.
    pub fn replace(&self, accounts: &[Account], settings: Settings) {
        self.terms.store(Arc::new(Terms::new(accounts, settings, &self.metrics)));
    }

    pub(super) fn now(&self) -> Arc<Terms> {
        self.terms.load_full()
    }
}

impl Terms {
    fn new(accounts: &[Account], settings: Settings, metrics: &Metrics) -> Self {
        let customer = |account: &Account| {
            let metrics = metrics.account(&account.name);
            metrics.quota(&account.quota);
            (account.id, Customer { policy: account.policy.clone(), quota: account.quota, metrics })
        };
        Self { settings, accounts: accounts.iter().map(customer).collect() }
    }

    /// The policy that places an account's pins.
    pub(super) fn policy_of(&self, account: AccountId) -> Result<&str, ApiError> {
        self.customer(account).map(|customer| customer.policy.as_str())
    }

    /// What an account may have.
    pub(super) fn quota_of(&self, account: AccountId) -> Result<Quota, ApiError> {
        self.customer(account).map(|customer| customer.quota)
    }

    fn customer(&self, account: AccountId) -> Result<&Customer, ApiError> {
        self.accounts.get(&account).ok_or(ApiError::Internal("a token's account is not served"))
    }

    pub(super) fn metrics_of(&self, account: AccountId) -> Option<&AccountMetrics> {
        self.accounts.get(&account).map(|customer| &customer.metrics)
    }
}
