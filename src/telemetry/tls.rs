//! TLS at the listeners: handshakes that failed, and how long certificates last.

use prometheus::{IntGauge, IntGaugeVec};

use super::{
    family::{Counters, PerLabel, Registrar},
    labels::{HandshakeFailure, Label, Listener},
};
use crate::model::Timestamp;

pub(super) struct Families {
    failures: PerLabel<Listener, Counters<HandshakeFailure>>,
    // Only of listeners with TLS: an end at 0 would be one that has passed.
    not_after: IntGaugeVec,
    successful: IntGaugeVec,
}

impl Families {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        let failures = registrar.counters(
            "tls_handshake_failures_total",
            "TLS handshakes with clients that failed.",
            &["listener", "reason"],
        );
        Self {
            failures: PerLabel::new(|door: Listener| Counters::of(&failures, &[door.as_str()])),
            not_after: registrar.gauges(
                "tls_certificate_not_after_timestamp_seconds",
                "When the certificate that is shown to clients expires.",
                &["listener"],
            ),
            successful: registrar.gauges(
                "tls_last_reload_successful",
                "Whether the files of TLS could be used when they were last read.",
                &["listener"],
            ),
        }
    }

    pub(super) fn of(&self, door: Listener) -> TlsMetrics {
        let labels = [door.as_str()];
        TlsMetrics {
            failures: self.failures.get(door).clone(),
            not_after: self.not_after.with_label_values(&labels),
            successful: self.successful.with_label_values(&labels),
        }
    }
}

/// Series of one listener's TLS. Clones share them.
#[derive(Clone)]
pub struct TlsMetrics {
    failures: Counters<HandshakeFailure>,
    not_after: IntGauge,
    successful: IntGauge,
}

impl TlsMetrics {
    pub fn failed(&self, why: HandshakeFailure) {
        self.failures.get(why).inc();
    }

    /// A certificate is shown from now on.
    pub fn taken_up(&self, not_after: Timestamp) {
        self.not_after.set(not_after.as_secs());
        self.successful.set(1);
    }

    /// New files could not be used.
    pub fn refused(&self) {
        self.successful.set(0);
    }
}
