//! Whether the clock is believed.

use std::time::Duration;

use prometheus::Gauge;

use super::family::Registrar;

/// The clock's series. Clones share it.
#[derive(Clone)]
pub struct ClockMetrics {
    doubted: Gauge,
}

impl ClockMetrics {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        let help = "How far the clock is ahead of the last time that is sure; 0 = it is believed.";
        Self { doubted: registrar.real_gauge("clock_doubted_seconds", help) }
    }

    /// `ahead`: zero where it is believed.
    pub fn doubted(&self, ahead: Duration) {
        self.doubted.set(ahead.as_secs_f64());
    }
}
