//! What a preset says, as settings of a simulator.

use http::Uri;
use secrecy::SecretString;

use crate::presets::{Duplicates, Limits, MetaRule, NameRule, Preset, Replace};

use super::{Route, Routes, Settings, behaviour::Behaviour, dialect::Dialect, faults::RateLimit};

impl Settings {
    /// The service of a preset, as its data and its dialect say, on a free port of the loopback, pinning at once.
    ///
    /// One that has ended is played as it was; [`Behaviour::retired`] ends it.
    pub fn playing(preset: &Preset, token: &str) -> Self {
        Self {
            protocol: preset.protocol,
            token: SecretString::from(token),
            behaviour: Behaviour::of(preset),
            rate_limits: rate_limits(&preset.limits),
            ..Self::new(token)
        }
    }
}

impl Behaviour {
    /// What is unknown of it is as the specification has it.
    fn of(preset: &Preset) -> Self {
        let delegates = delegates(&preset.name);
        let spec = Self::default();
        Self {
            base: preset.endpoint.as_deref().map(path).unwrap_or_default(),
            auth: preset.auth.clone(),
            login: preset.login.clone(),
            codes: preset.codes.unwrap_or_default(),
            default_status: preset.default_status.unwrap_or_default(),
            filters: preset.filters,
            max_cids: preset.max_cids.unwrap_or(spec.max_cids),
            bounds: preset.bounds.unwrap_or_default(),
            created: preset.created.unwrap_or_default(),
            count: preset.count.unwrap_or_default(),
            page: preset.page.unwrap_or(spec.page),
            ordered: preset.ordered.unwrap_or(true),
            true_rows: preset.true_rows,
            requestid: preset.requestid.unwrap_or_default(),
            duplicates: preset.duplicates.unwrap_or(Duplicates::New),
            existing_code: preset.existing_code,
            replace: preset.replace.unwrap_or(Replace::NewId),
            refresh_origins: preset.refresh_origins,
            meta: preset.meta.unwrap_or(MetaRule::Kept),
            names: preset.names.unwrap_or(NameRule::Kept),
            delegates_rule: preset.delegates.unwrap_or(spec.delegates_rule),
            delegates: if delegates.is_empty() { spec.delegates.clone() } else { delegates },
            max_queued: preset.max_queued.and_then(|max| usize::try_from(max).ok()),
            dialect: Dialect::of(&preset.name),
            ..spec
        }
    }
}

/// The path of an endpoint, without a slash at its end.
pub(super) fn path(url: &str) -> String {
    let uri: Option<Uri> = url.parse().ok();
    uri.map(|uri| uri.path().trim_end_matches('/').to_owned()).unwrap_or_default()
}

fn rate_limits(limits: &Limits) -> Vec<RateLimit> {
    let each = [
        (Routes::Only(Route::List), limits.list),
        (Routes::Only(Route::Get), limits.read),
        (Routes::Writes, limits.write),
        (Routes::Any, limits.any),
    ];
    let limit = |(routes, rate): (Routes, Option<crate::model::Rate>)| {
        let rate = rate?;
        Some(RateLimit { routes, calls: usize::try_from(rate.calls).ok()?, window: rate.per })
    };
    each.into_iter().filter_map(limit).collect()
}

/// The addresses that a service sends, in kind and number; none: one that is fit for use.
fn delegates(preset: &str) -> Vec<String> {
    const ID: &str = "/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    let addresses: Vec<String> = match preset {
        "web3.storage" | "filebase" => (1..=3).map(|n| format!("/dns4/peer-{n}.example/tcp/4001")).collect(),
        // All its peers, and it may have many.
        "ipfs-cluster" => (1..=24).map(|n| format!("/dns4/peer-{n}.example/tcp/4001")).collect(),
        "estuary" => ["/ip4/127.0.0.1", "/ip4/10.0.0.227", "/ip6/::1", "/dns4/peer.example"]
            .map(|host| format!("{host}/tcp/6744"))
            .into(),
        _ => Vec::new(),
    };
    addresses.iter().map(|address| format!("{address}{ID}")).collect()
}
