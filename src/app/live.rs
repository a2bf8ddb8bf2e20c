//! What of a running gateway follows its config: taken up whole, or not at all.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::{
    Tuning,
    doors::{Doors, Materials},
    parts,
    upstream::Upstream,
};
use crate::{
    admin, api,
    auth::Gate,
    config::{Change, Settings},
    engine::{Exchange, Fleet, Standing},
    limits::Limits,
    model::{Clock, ProviderRecord},
    store::{Registered, SharedStore, StoreError},
    telemetry::{Metrics, Named},
};

/// The exchangeable parts, and the settings that they go by.
pub(super) struct Live {
    pub(super) store: SharedStore,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Metrics,
    pub(super) tuning: Tuning,
    pub(super) gate: Gate,
    pub(super) served: api::Served,
    pub(super) upstream: Upstream,
    pub(super) limits: Limits,
    pub(super) fleet: Fleet,
    pub(super) doors: Doors,
    /// Locked while another config is taken up: one at a time.
    pub(super) settings: Mutex<Settings>,
}

impl Live {
    /// Takes up another config; requests and calls under way end as they began. Returns what it changes, also what
    /// waits for a restart.
    ///
    /// # Errors
    /// Where the store refuses it, such as an account that vanished with its pins: then everything is as it was.
    pub(super) async fn take_up(&self, newer: Settings) -> anyhow::Result<Vec<Change>> {
        let mut in_force = self.settings.lock().await;
        let changes = in_force.changes(&newer);
        let (changed, redeclared) =
            (in_force.changed_providers(&newer), in_force.redeclared_providers(&newer));
        let materials = Materials::read(&newer).await?;
        let newer = in_force.taken_up(newer);
        let connections = parts::connections(&newer, &self.tuning, |entry| changed.contains(&entry.name))?;
        self.gate.check(newer.tokens.iter().map(|token| token.sha256))?;
        let registered = self.store.reregister(parts::registration(&newer), self.clock.now()).await?;
        let (accounts, tokens) = (parts::accounts(&newer, &registered)?, parts::tokens(&newer, &registered)?);
        let limits = parts::limits(&newer, &registered)?;
        let certificates = parts::certificates(&newer, &registered)?;
        let driven = parts::driven(connections, &self.upstream, &registered, &self.clock, &self.metrics)?;
        // From here on nothing fails. Accounts come before the tokens that let them in.
        self.served.replace(&accounts, parts::api(&newer));
        self.limits.replace(&limits);
        self.gate.declare(tokens);
        self.gate.declare_certificates(certificates);
        self.doors.take_up(materials);
        let gone = gone(&in_force, &registered);
        let is_declared = |record: &ProviderRecord| redeclared.contains(&record.name);
        let declared = registered.providers.into_iter().filter(is_declared).collect();
        self.fleet.exchange(Exchange { driven, declared, gone });
        self.metrics.keep(&named(&newer));
        *in_force = newer;
        Ok(changes)
    }
}

/// Whose series stay.
fn named(settings: &Settings) -> Named<'_> {
    Named {
        providers: settings.providers.iter().map(|entry| entry.name.as_str()).collect(),
        accounts: settings.accounts.iter().map(|account| account.name.as_str()).collect(),
        routes: settings.routes.as_slice().iter().map(|route| route.name.as_str()).collect(),
    }
}

/// The providers that were driven until now, and are absent from now on.
fn gone(in_force: &Settings, registered: &Registered) -> Vec<crate::model::ProviderId> {
    let driven = |name: &str| in_force.providers.iter().any(|entry| entry.name == name);
    let absent = registered.absent.iter().filter(|(record, _)| driven(&record.name));
    absent
        .map(|(record, copies)| {
            let provider = record.name.as_str();
            tracing::warn!(provider, copies, "a provider left the config; its copies stay on record");
            record.id
        })
        .collect()
}

#[async_trait]
impl admin::Providers for Live {
    async fn report(&self) -> Result<Vec<(ProviderRecord, Option<Standing>)>, StoreError> {
        let mut standings = self.fleet.standings(self.clock.now());
        let records = self.store.providers().await?;
        let joined = records.into_iter().map(|record| {
            let standing = standings.remove(&record.name);
            (record, standing)
        });
        Ok(joined.collect())
    }
}
