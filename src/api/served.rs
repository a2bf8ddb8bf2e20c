//! Whose pins are served, and how. A reload changes it while requests are under way: each keeps what it began with.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;

use super::{Account, Settings, errors::ApiError};
use crate::{
    auth::Principal,
    model::{AccountId, Quota},
    policy::Sender,
    telemetry::{AccountMetrics, Metrics, RouteMetrics},
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
    /// Of the settings' routes, in their order.
    routes: Vec<RouteMetrics>,
}

struct Customer {
    name: String,
    policy: String,
    meta_controls: bool,
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

    /// The names of all accounts, in order.
    pub fn accounts(&self) -> Vec<String> {
        self.now().names()
    }

    /// An account by its name, and the name of its policy.
    pub fn account(&self, name: &str) -> Option<(AccountId, String)> {
        let terms = self.now();
        let id = terms.id_of(name)?;
        terms.accounts.get(&id).map(|customer| (id, customer.policy.clone()))
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
            let Account { name, policy, meta_controls, quota, .. } = account.clone();
            (account.id, Customer { name, policy, meta_controls, quota, metrics })
        };
        let routes = settings.routes.as_slice().iter().map(|route| metrics.route(&route.name)).collect();
        Self { settings, accounts: accounts.iter().map(customer).collect(), routes }
    }

    /// The names of all accounts, in order.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.accounts.values().map(|customer| customer.name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// An account by its name.
    pub(super) fn id_of(&self, name: &str) -> Option<AccountId> {
        self.accounts.iter().find(|(_, customer)| customer.name == name).map(|(id, _)| *id)
    }

    /// Who sends a pin, as choosing its policy sees them.
    pub(super) fn sender<'a>(&'a self, who: &'a Principal) -> Result<Sender<'a>, ApiError> {
        let customer = self.customer(who.account)?;
        Ok(Sender {
            account: &who.account_name,
            policy: &customer.policy,
            meta_controls: customer.meta_controls,
            token: Some(&who.token_name),
            policies: &who.policies,
        })
    }

    /// What an account may have.
    pub(super) fn quota_of(&self, account: AccountId) -> Result<Quota, ApiError> {
        self.customer(account).map(|customer| customer.quota)
    }

    fn customer(&self, account: AccountId) -> Result<&Customer, ApiError> {
        self.accounts.get(&account).ok_or(ApiError::Internal("a token's account is not served"))
    }

    pub(super) fn metrics_of_route(&self, at: usize) -> Option<RouteMetrics> {
        self.routes.get(at).cloned()
    }

    pub(super) fn metrics_of(&self, account: AccountId) -> Option<&AccountMetrics> {
        self.accounts.get(&account).map(|customer| &customer.metrics)
    }
}
