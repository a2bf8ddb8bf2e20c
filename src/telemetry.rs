//! What operators see: metrics with typed labels, logs, one line a request.
//!
//! Labels are closed enums or names from the config; never a CID, a token, a raw path or an error text, so the number
//! of series is bounded whatever clients send. Handles hold resolved series: recording is a few atomic additions.

mod accounts;
mod config;
mod engine;
mod family;
mod http;
pub mod labels;
pub mod logging;
mod pins;
mod process;
mod provider;
pub mod request_log;
mod routes;
mod snapshot;
mod store;
mod tls;

use std::{fmt, sync::Arc};

use prometheus::{Registry, TextEncoder};

pub use accounts::AccountMetrics;
pub use config::ConfigMetrics;
pub use engine::EngineMetrics;
pub use family::GaugeGuard;
pub use http::HttpMetrics;
pub use labels::{
    Audited, BreakerState, Label, LimitKind, LimitOutcome, Listener, PinRequest, Rejection, RequestClass,
    Route, Settled, StoreClass, StoreErrorKind, TaskKind, TaskOutcome, Turned,
};
pub use pins::PinMetrics;
pub use process::{LogMetrics, REVISION};
pub use provider::ProviderMetrics;
pub use request_log::RequestLine;
pub use routes::RouteMetrics;
pub use snapshot::Snapshot;
pub use store::StoreMetrics;
pub use tls::TlsMetrics;

use family::Registrar;

/// All metrics of one process. Clones share the same series.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    accounts: accounts::Accounts,
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
}

impl Metrics {
    /// A registry of its own, with every series whose labels are known at 0.
    pub fn new() -> Self {
        let registry = Registry::new();
        let registrar = Registrar::new(&registry);
        process::register(&registrar);
        Self(Arc::new(Inner {
            accounts: accounts::Accounts::new(&registrar),
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
            registry,
        }))
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

    /// Series of one provider, by its name in the config. Get it once and keep it.
    pub fn provider(&self, name: &str) -> ProviderMetrics {
        self.0.snapshot.provider(name);
        self.0.providers.get(name)
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

    /// Sets the gauges that are read from the database.
    pub fn refresh(&self, snapshot: &Snapshot) {
        self.0.snapshot.set(snapshot, |account| Arc::clone(self.0.accounts.get(account).label()));
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
