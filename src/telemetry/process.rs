//! The process itself: what was built, what it uses, what it complained of.

use prometheus::{IntGaugeVec, process_collector::ProcessCollector};

use super::{
    family::{Counters, Registrar},
    labels::LogLevel,
};

/// The commit that was built, where the build names it.
pub const REVISION: &str = match option_env!("PINFOLD_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

pub(super) fn register(registrar: &Registrar<'_>) {
    let build: IntGaugeVec =
        registrar.gauges("build_info", "What was built; always 1.", &["version", "revision"]);
    build.with_label_values(&[env!("CARGO_PKG_VERSION"), REVISION]).set(1);
    registrar.register_process(ProcessCollector::for_self());
}

/// Counts what was logged. Clones share the series.
#[derive(Clone)]
pub struct LogMetrics(Counters<LogLevel>);

impl LogMetrics {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        let messages =
            registrar.counters("log_messages_total", "Messages logged at these levels.", &["level"]);
        Self(Counters::of(&messages, &[]))
    }

    /// Counts one message.
    pub fn logged(&self, level: LogLevel) {
        self.0.get(level).inc();
    }
}
