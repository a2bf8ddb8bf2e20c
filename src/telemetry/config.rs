//! Whether the config that is in force is the one on disk.

use prometheus::IntGauge;

use super::family::Registrar;
use crate::model::Timestamp;

/// Series of the config. Clones share them.
#[derive(Clone)]
pub struct ConfigMetrics {
    successful: IntGauge,
    loaded_at: IntGauge,
}

impl ConfigMetrics {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        Self {
            successful: registrar.gauge(
                "config_last_reload_successful",
                "Whether the config could be used when it was last read.",
            ),
            loaded_at: registrar.gauge(
                "config_last_reload_success_timestamp_seconds",
                "When the config was last read and found good; 0 = not yet.",
            ),
        }
    }

    pub fn taken_up(&self, at: Timestamp) {
        self.successful.set(1);
        self.loaded_at.set(at.as_secs());
    }

    pub fn refused(&self) {
        self.successful.set(0);
    }
}
