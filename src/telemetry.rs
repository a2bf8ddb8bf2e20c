//! What operators see: metrics with typed labels, logs, one line a request, traces.
//!
//! Labels are closed enums or names from the config; never a CID, a token, a raw path or an error text, so the number
//! of series is bounded whatever clients send. Handles hold resolved series: recording is a few atomic additions.

mod accounts;
mod clock;
mod config;
mod engine;
mod family;
mod http;
pub mod labels;
pub mod logging;
mod pins;
mod process;
mod provider;
mod repeats;
pub mod request_id;
pub mod request_log;
mod routes;
mod snapshot;
mod spans;
mod store;
mod tls;
pub mod traces;

use std::{collections::HashSet, fmt, sync::Arc};

use prometheus::{Registry, TextEncoder};

pub use accounts::AccountMetrics;
pub use clock::ClockMetrics;
pub use config::ConfigMetrics;
pub use engine::EngineMetrics;
pub use family::GaugeGuard;
pub use http::HttpMetrics;
pub use labels::{
    Audited, BreakerState, Drift, Label, LimitKind, LimitOutcome, Listener, PinRequest, Rejection,
    RequestClass, Route, Settled, SpanOutcome, StoreClass, StoreErrorKind, TaskKind, TaskOutcome, Turned,
};
pub use pins::PinMetrics;
pub use process::{LogMetrics, REVISION};
pub use provider::ProviderMetrics;
pub use repeats::Repeats;
pub use request_log::RequestLine;
pub use routes::RouteMetrics;
pub use snapshot::{ProviderSnapshot, Snapshot};
pub use spans::TraceMetrics;
pub use store::{InUse, Opened, StoreMetrics};
pub use tls::TlsMetrics;
pub use traces::Traces;

use family::{Registrar, Shrinks};

/// All metrics of one process. Clones share the same series.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    families: Vec<Box<dyn Shrinks>>,
    /// Of providers that the config does not name: nobody sees them.
    nowhere: ProviderMetrics,
    accounts: accounts::Accounts,
    clock: ClockMetrics,
    config: ConfigMetrics,
    engine: EngineMetrics,
    http: HttpMetrics,
    log: LogMetrics,
    pins: PinMetrics,
    providers: provider::Providers,
    routes: routes::Routes,
    snapshot: snapshot::Gauges,
    store: StoreMetrics,
    tls: tls::Families,
    traces: TraceMetrics,
}

/// What a config names; of all else no series stay.
#[derive(Clone, Debug, Default)]
pub struct Named<'a> {
    pub providers: HashSet<&'a str>,
    pub accounts: HashSet<&'a str>,
    pub routes: HashSet<&'a str>,
}

impl Metrics {
    /// A registry of its own, with every series whose labels are known at 0.
    pub fn new() -> Self {
        let registry = Registry::new();
        let registrar = Registrar::new(&registry);
        process::register(&registrar);
        let inner = Inner {
            accounts: accounts::Accounts::new(&registrar),
            nowhere: provider::Providers::new(&Registrar::new(&Registry::new())).get("nowhere"),
            clock: ClockMetrics::new(&registrar),
            config: ConfigMetrics::new(&registrar),
            engine: EngineMetrics::new(&registrar),
            http: HttpMetrics::new(&registrar),
            log: LogMetrics::new(&registrar),
            pins: PinMetrics::new(&registrar),
            providers: provider::Providers::new(&registrar),
            routes: routes::Routes::new(&registrar),
            snapshot: snapshot::Gauges::new(&registrar),
            store: StoreMetrics::new(&registrar),
            tls: tls::Families::new(&registrar),
            traces: TraceMetrics::new(&registrar),
            families: registrar.into_families(),
            registry,
        };
        Self(Arc::new(inner))
    }

    /// All series in Prometheus's text format, version 0.0.4.
    pub fn render(&self) -> String {
        // Holds: writing to a String cannot fail, and every family comes from the registry, which checked it.
        TextEncoder::new().encode_to_string(&self.0.registry.gather()).expect("gathered families are valid")
    }

    /// Series of one account, by its name in the config. Get it once and keep it.
    pub fn account(&self, name: &str) -> AccountMetrics {
        let account = self.0.accounts.get(name);
        self.0.snapshot.account(account.label());
        account
    }

    pub fn clock(&self) -> &ClockMetrics {
        &self.0.clock
    }

    pub fn config(&self) -> &ConfigMetrics {
        &self.0.config
    }

    pub fn engine(&self) -> &EngineMetrics {
        &self.0.engine
    }

    pub fn http(&self) -> &HttpMetrics {
        &self.0.http
    }

    pub fn log(&self) -> &LogMetrics {
        &self.0.log
    }

    pub fn pins(&self) -> &PinMetrics {
        &self.0.pins
    }

    /// Series of one provider that the config names, from now on. Get it once and keep it.
    pub fn provider(&self, name: &str) -> ProviderMetrics {
        self.0.snapshot.provider(name);
        self.0.providers.get(name)
    }

    /// Those of a provider that the config may not name any more: then what is counted is seen by nobody, rather than
    /// that its series come back.
    pub fn provider_if_named(&self, name: &str) -> ProviderMetrics {
        self.0.providers.find(name).unwrap_or_else(|| self.0.nowhere.clone())
    }

    /// Drops all series of providers, accounts and routes but these. Those that come back begin at 0.
    pub fn keep(&self, named: &Named<'_>) {
        let inner = &*self.0;
        for gone in inner.providers.keep(|name| named.providers.contains(name)) {
            inner.snapshot.forget_provider(&gone);
            inner.families.iter().for_each(|family| family.forget("provider", &gone));
        }
        for gone in inner.accounts.keep(|name| named.accounts.contains(name)) {
            inner.snapshot.forget_account(&gone);
            inner.families.iter().for_each(|family| family.forget("account", &gone));
        }
        inner.routes.keep(|name| named.routes.contains(name));
    }

    /// Series of one route, by its name in the config. Get it once and keep it.
    pub fn route(&self, name: &str) -> RouteMetrics {
        self.0.routes.get(name)
    }

    pub fn store(&self) -> &StoreMetrics {
        &self.0.store
    }

    /// Series of a listener that speaks TLS.
    pub fn tls(&self, door: Listener) -> TlsMetrics {
        self.0.tls.of(door)
    }

    pub fn traces(&self) -> &TraceMetrics {
        &self.0.traces
    }

    /// Sets the gauges that are read from the database.
    pub fn refresh(&self, snapshot: &Snapshot) {
        self.0.snapshot.set(snapshot, |account| self.0.accounts.label_of(account));
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests;
