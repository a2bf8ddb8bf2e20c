//! What became of pins.

use std::{sync::Arc, time::Duration};

use prometheus::IntCounter;

use super::{
    family::{Counters, Histograms, Registrar},
    labels::{PinRequest, Settled},
};
use crate::model::Status;

const SETTLING: [f64; 11] =
    [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0];

/// Series of pins. Clones share them.
#[derive(Clone)]
pub struct PinMetrics(Arc<Inner>);

struct Inner {
    accepted: Counters<PinRequest>,
    transitions: Counters<Status>,
    settling: Histograms<Settled>,
    expired: IntCounter,
    adopted: IntCounter,
}

impl PinMetrics {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        let accepted = registrar.counters(
            "pin_requests_accepted_total",
            "Changes that clients asked for and that are on disk.",
            &["operation"],
        );
        let transitions = registrar.counters(
            "pin_transitions_total",
            "Times that a pin came into a status, its first included.",
            &["to"],
        );
        let settling = registrar.histograms(
            "pin_settle_duration_seconds",
            "Time from a pin's acceptance until it was pinned or failed.",
            &["outcome"],
            &SETTLING,
        );
        let expired = registrar.counter("pins_expired_total", "Pins deleted because their time had come.");
        let adopted = registrar.counter("pins_adopted_total", "Pins made of what a provider held already.");
        Self(Arc::new(Inner {
            expired,
            adopted,
            accepted: Counters::of(&accepted, &[]),
            transitions: Counters::of(&transitions, &[]),
            settling: Histograms::of(&settling, &[]),
        }))
    }

    /// Counts a change that is on disk.
    pub fn accepted(&self, request: PinRequest) {
        self.0.accepted.get(request).inc();
    }

    /// Counts `count` pins that came into a status.
    pub fn transitions(&self, to: Status, count: u64) {
        self.0.transitions.get(to).inc_by(count);
    }

    /// Counts `count` pins whose time had come.
    pub fn expired(&self, count: u64) {
        self.0.expired.inc_by(count);
    }

    /// Counts `count` pins that were made of what a provider held.
    pub fn adopted(&self, count: u64) {
        self.0.adopted.inc_by(count);
    }

    /// Notes how long after its acceptance a pin settled.
    pub fn settled(&self, outcome: Settled, after: Duration) {
        self.0.settling.get(outcome).observe(after.as_secs_f64());
    }
}
