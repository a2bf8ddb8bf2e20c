//! What becomes of the spans that traces are made of.

use super::{
    family::{Counters, Registrar},
    labels::SpanOutcome,
};

/// Series of traces. Clones share them.
#[derive(Clone)]
pub struct TraceMetrics(Counters<SpanOutcome>);

impl TraceMetrics {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        let spans = registrar.counters(
            "trace_spans_total",
            "Recorded spans of traces, by what became of them.",
            &["outcome"],
        );
        Self(Counters::of(&spans, &[]))
    }

    /// Counts so many spans.
    pub fn spans(&self, outcome: SpanOutcome, spans: u64) {
        self.0.get(outcome).inc_by(spans);
    }
}

impl std::fmt::Debug for TraceMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TraceMetrics")
    }
}
