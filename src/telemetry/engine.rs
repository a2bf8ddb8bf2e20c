//! What the engine did.

use std::{sync::Arc, time::Duration};

use prometheus::{Histogram, IntGauge};

use super::{
    family::{Counters, Histograms, PerLabel, Registrar},
    labels::{Label, TaskKind, TaskOutcome},
};
use crate::model::Timestamp;

const DURATIONS: [f64; 12] = [0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
const WAITS: [f64; 11] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

/// Series of the engine. Clones share them.
#[derive(Clone)]
pub struct EngineMetrics(Arc<Inner>);

struct Inner {
    executions: PerLabel<TaskKind, Counters<TaskOutcome>>,
    durations: Histograms<TaskKind>,
    queue_wait: Histogram,
    last_tick: IntGauge,
}

impl EngineMetrics {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        let executions = registrar.counters(
            "task_executions_total",
            "Tasks of the engine that ended.",
            &["kind", "outcome"],
        );
        let durations = registrar.histograms(
            "task_duration_seconds",
            "Time from claiming a task to its outcome.",
            &["kind"],
            &DURATIONS,
        );
        Self(Arc::new(Inner {
            executions: PerLabel::new(|kind: TaskKind| Counters::of(&executions, &[kind.as_str()])),
            durations: Histograms::of(&durations, &[]),
            queue_wait: registrar.histogram(
                "task_queue_wait_seconds",
                "Time from a task's due time to its claim.",
                &WAITS,
            ),
            last_tick: registrar.gauge(
                "engine_last_tick_timestamp_seconds",
                "When this process's engine last looked for work; 0 = not yet.",
            ),
        }))
    }

    /// Counts one task that was claimed and ended.
    pub fn executed(&self, kind: TaskKind, outcome: TaskOutcome, elapsed: Duration) {
        self.0.executions.get(kind).get(outcome).inc();
        self.0.durations.get(kind).observe(elapsed.as_secs_f64());
    }

    /// Notes how long a task was due before it was claimed.
    pub fn queue_wait(&self, waited: Duration) {
        self.0.queue_wait.observe(waited.as_secs_f64());
    }

    pub fn ticked(&self, at: Timestamp) {
        self.0.last_tick.set(at.as_secs());
    }
}
