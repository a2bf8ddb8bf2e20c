//! How long the store takes, and how it fails.

use std::{sync::Arc, time::Duration};

use super::{
    family::{Counters, Histograms, Registrar},
    labels::{StoreClass, StoreErrorKind},
};

const DURATIONS: [f64; 12] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// Series of the store. Clones share them.
#[derive(Clone)]
pub struct StoreMetrics(Arc<Inner>);

struct Inner {
    durations: Histograms<StoreClass>,
    errors: Counters<StoreErrorKind>,
}

impl StoreMetrics {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        let durations = registrar.histograms(
            "store_operation_duration_seconds",
            "Time that the store took, waiting for its turn included.",
            &["class"],
            &DURATIONS,
        );
        let errors =
            registrar.counters("store_errors_total", "Operations of the store that failed.", &["kind"]);
        Self(Arc::new(Inner {
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
}
