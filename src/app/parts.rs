//! From the config's settings to those of each module.

use std::sync::Arc;

use anyhow::Context;

use super::{Tuning, upstream::Upstream, vault::FileVault};
use crate::{
    api, auth,
    config::{self, AccountTerms, LogFormat, LogSettings, OwnLimits, ProviderSettings, Settings, StoreUrl},
    engine::Driven,
    limits::{self, Caps},
    model::{AccountId, Clock, ProviderRecord, known},
    providers::{self, Endpoint, GatewaySettings},
    server,
    store::{Registered, Registration, sqlite::SqliteSettings},
    telemetry::{Metrics, logging},
};

/// The most connections of the admin listener.
const ADMIN_CONNECTIONS: usize = 512;
/// The most bytes that its clients leave untaken.
const ADMIN_UNREAD: usize = 32 << 20;

pub(super) fn logging(log: &LogSettings, no_color: bool) -> logging::Settings {
    let format = match log.format {
        LogFormat::Auto => logging::Format::Auto,
        LogFormat::Text => logging::Format::Text,
        LogFormat::Json => logging::Format::Json,
    };
    logging::Settings { format, filter: log.filter.clone(), no_color }
}

pub(super) fn sqlite(settings: &Settings) -> SqliteSettings {
    SqliteSettings { timing: settings.engine.clone(), ..SqliteSettings::default() }
}

pub(super) fn server(settings: &Settings) -> server::Settings {
    let config::ServerSettings { max_connections, max_connections_per_address, max_unread, timeouts, .. } =
        settings.server;
    server::Settings {
        max_connections,
        max_connections_per_address,
        max_unread: usize::try_from(max_unread).unwrap_or(usize::MAX),
        head_timeout: timeouts.head,
        idle_timeout: timeouts.idle,
        write_timeout: timeouts.write,
        ..server::Settings::default()
    }
}

/// Operators are few: what goes wrong at their door takes nothing from the other.
pub(super) fn admin_server(settings: &Settings) -> server::Settings {
    let bounds = server(settings);
    server::Settings {
        max_connections: bounds.max_connections.min(ADMIN_CONNECTIONS),
        max_unread: bounds.max_unread.min(ADMIN_UNREAD),
        ..bounds
    }
}

pub(super) fn api(settings: &Settings) -> api::Settings {
    api::Settings {
        accept_wait: settings.api.accept_wait,
        default_status: settings.api.default_status,
        fallback_delegates: settings.api.fallback_delegates.clone(),
        routes: settings.routes.clone(),
        body_timeout: settings.server.timeouts.body,
        ..api::Settings::default()
    }
}

pub(super) fn registration(settings: &Settings) -> Registration {
    Registration {
        accounts: settings.accounts.clone(),
        policies: settings.policies.clone(),
        providers: settings.providers.iter().map(ProviderSettings::decl).collect(),
    }
}

/// The accounts with the ids that the store gave them.
pub(super) fn accounts(settings: &Settings, registered: &Registered) -> anyhow::Result<Vec<api::Account>> {
    let account = |(declared, terms): (&crate::model::AccountDecl, &AccountTerms)| {
        let id = id_of(registered, &declared.name)?;
        let (name, policy) = (declared.name.clone(), declared.policy.clone());
        let AccountTerms { quota, meta_controls, .. } = *terms;
        Ok(api::Account { id, name, policy, meta_controls, quota })
    };
    settings.accounts.iter().zip(&settings.terms).map(account).collect()
}

/// Who may ask how much, by the ids that the store gave the accounts.
pub(super) fn limits(settings: &Settings, registered: &Registered) -> anyhow::Result<limits::Settings> {
    let each_token = settings.limits.each_token.over(Caps::default());
    let mut all = limits::Settings {
        shadow: settings.limits.shadow,
        each_token,
        failed_logins: settings.limits.failed_logins(),
        ..limits::Settings::default()
    };
    for terms in &settings.terms {
        let id = id_of(registered, &terms.account)?;
        if terms.limits != OwnLimits::default() {
            all.accounts.insert(id, terms.limits.over(Caps::default()));
        }
    }
    for token in settings.tokens.iter().filter(|token| token.limits != OwnLimits::default()) {
        if let Some(account) = &token.account {
            let key = (id_of(registered, account)?, token.name.as_str().into());
            all.tokens.insert(key, token.limits.over(each_token));
        }
    }
    Ok(all)
}

pub(super) fn tokens(settings: &Settings, registered: &Registered) -> anyhow::Result<auth::Tokens> {
    let tokens: anyhow::Result<Vec<_>> = settings
        .tokens
        .iter()
        .map(|token| {
            Ok(auth::TokenDecl {
                owner: owner(registered, token.account.as_ref())?,
                name: token.name.as_str().into(),
                sha256: token.sha256,
                scopes: token.scopes,
                expires: token.expires,
                policies: token.policies.clone(),
            })
        })
        .collect();
    let policies = settings.policies.iter().map(|policy| policy.name.clone()).collect();
    Ok(auth::Tokens::new(tokens?).among(&registered.accounts, policies))
}

pub(super) fn certificates(
    settings: &Settings,
    registered: &Registered,
) -> anyhow::Result<auth::Certificates> {
    let certificates: anyhow::Result<Vec<_>> = settings
        .certificates
        .iter()
        .map(|certificate| {
            Ok(auth::CertificateDecl {
                owner: owner(registered, certificate.account.as_ref())?,
                name: certificate.name.as_str().into(),
                mark: certificate.mark.clone(),
                scopes: certificate.scopes,
                policies: certificate.policies.clone(),
            })
        })
        .collect();
    Ok(auth::Certificates::new(certificates?))
}

fn owner(registered: &Registered, account: Option<&String>) -> anyhow::Result<Option<auth::Owner>> {
    let owner =
        |name: &String| id_of(registered, name).map(|id| auth::Owner { id, name: name.as_str().into() });
    account.map(owner).transpose()
}

fn id_of(registered: &Registered, account: &str) -> anyhow::Result<AccountId> {
    let known = registered.accounts.iter().find(|(name, _)| name == account);
    known.map(|(_, id)| *id).with_context(|| format!("account {account:?} was not registered"))
}

/// How the providers of the config that are `wanted` are called.
pub(super) fn connections(
    settings: &Settings,
    tuning: &Tuning,
    wanted: impl Fn(&ProviderSettings) -> bool,
) -> anyhow::Result<Vec<providers::Settings>> {
    let of = |entry: &ProviderSettings| {
        provider(entry, &settings.store, tuning).with_context(|| format!("provider {:?}", entry.name))
    };
    settings.providers.iter().filter(|entry| wanted(entry)).map(of).collect()
}

/// Providers, joined with what the store remembers of them.
pub(super) fn driven(
    connections: Vec<providers::Settings>,
    upstream: &Upstream,
    registered: &Registered,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
) -> anyhow::Result<Vec<Driven>> {
    let driven = |mut settings: providers::Settings| {
        settings.budget.ledger = Some(upstream.ledger.clone());
        let record = record_of(registered, &settings.name)?;
        let handle = metrics.provider(&settings.name);
        settings.peers = upstream.peers.clone();
        let client = upstream.client(&settings.http);
        Ok(Driven { provider: providers::connect(settings, client, clock.clone(), handle), record })
    };
    connections.into_iter().map(driven).collect()
}

fn record_of(registered: &Registered, provider: &str) -> anyhow::Result<ProviderRecord> {
    let known = registered.providers.iter().find(|record| record.name == provider);
    known.cloned().with_context(|| format!("provider {provider:?} was not registered"))
}

pub(super) fn provider(
    entry: &ProviderSettings,
    store: &StoreUrl,
    tuning: &Tuning,
) -> anyhow::Result<providers::Settings> {
    let endpoint = Endpoint::parse(&entry.endpoint)?;
    let mut settings = providers::Settings::of(
        entry.preset.clone(),
        &entry.name,
        endpoint.clone(),
        entry.credential.clone(),
    );
    let StoreUrl::Sqlite(path) = store;
    settings.vault = FileVault::beside(path, &entry.name, &endpoint, &entry.credential);
    settings.http = entry.way.http.clone();
    settings.exclusive = entry.exclusive;
    settings.concurrency = entry.budget.concurrency;
    settings.max_queued = entry.budget.max_queued;
    settings.budget.rates = entry.budget.rates;
    if let Some(group) = &entry.budget.group {
        settings.budget.group = format!("group/{group}").into();
    }
    settings.deadline = entry.deadline;
    settings.try_timeout = entry.preset.try_timeout().min(entry.deadline);
    settings.settle = tuning.settle.unwrap_or(entry.settle);
    if let Some(gateway) = &entry.gateway {
        settings.gateway = Some(GatewaySettings::new(Endpoint::parse(&gateway.url)?, gateway.http.clone()));
    }
    if let Some(deadline) = tuning.deadline {
        settings.deadline = deadline;
        settings.try_timeout = deadline / 2;
    }
    Ok(settings)
}

/// Told where the config has no provider of that name.
pub(super) fn no_provider(settings: &Settings, name: &str) -> String {
    let names: Vec<_> = settings.providers.iter().map(|entry| &entry.name).collect();
    format!("the config has no provider {name:?}: {}", known(&names))
}
