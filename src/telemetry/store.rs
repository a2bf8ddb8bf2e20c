//! How long the store takes, and how it fails.

use std::{sync::Arc, time::Duration};

use super::{
    family::{Counters, Gauges, Histograms, Registrar},
    labels::{ConnectionState, StoreClass, StoreErrorKind},
};

const DURATIONS: [f64; 12] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// Series of the store. Clones share them.
#[derive(Clone)]
pub struct StoreMetrics(Arc<Inner>);

struct Inner {
    durations: Histograms<StoreClass>,
    errors: Counters<StoreErrorKind>,
    connections: Gauges<ConnectionState>,
}

/// Connections that are open for as long as it is held.
pub struct Opened {
    metrics: StoreMetrics,
    connections: i64,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.metrics.0.connections.get(ConnectionState::Idle).sub(self.connections);
    }
}

/// A connection at work for as long as it is held.
pub struct InUse(StoreMetrics);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.0.connections.get(ConnectionState::Used).dec();
        self.0.0.connections.get(ConnectionState::Idle).inc();
    }
}

impl StoreMetrics {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        let durations = registrar.histograms(
            "store_operation_duration_seconds",
            "Time that the store took, waiting for its turn included.",
            &["class"],
            &DURATIONS,
        );
        let errors = registrar.counters(
            "store_errors_total",
            "Operations of the store that failed, of requests and of the engine; of a transaction that failed, each. \
             What is refused, as over a quota, is none.",
            &["kind"],
        );
        let connections = registrar.gauges(
            "store_connections",
            "Connections to the database that are at work, and that are not.",
            &["state"],
        );
        Self(Arc::new(Inner {
            connections: Gauges::of(&connections, &[]),
            durations: Histograms::of(&durations, &[]),
            errors: Counters::of(&errors, &[]),
        }))
    }

    /// Counts one operation, whether it worked or not.
    pub fn operation(&self, class: StoreClass, elapsed: Duration) {
        self.0.durations.get(class).observe(elapsed.as_secs_f64());
    }

    pub fn error(&self, kind: StoreErrorKind) {
        self.0.errors.get(kind).inc();
    }

    /// So many more connections are open while the guard lives.
    pub fn opened(&self, connections: usize) -> Opened {
        let opened =
            Opened { metrics: self.clone(), connections: connections.try_into().unwrap_or(i64::MAX) };
        self.0.connections.get(ConnectionState::Idle).add(opened.connections);
        opened
    }

    /// Counts a connection as at work while the guard lives.
    pub fn in_use(&self) -> InUse {
        self.0.connections.get(ConnectionState::Idle).dec();
        self.0.connections.get(ConnectionState::Used).inc();
        InUse(self.clone())
    }
}
