//! Families of series whose labels are known: resolved once, found by index.

use std::{marker::PhantomData, sync::OnceLock};

use prometheus::{
    CounterVec, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
    core::{Collector, MetricVec, MetricVecBuilder},
    process_collector::ProcessCollector,
};

use super::labels::Label;

/// Makes families and registers them, all under one prefix.
pub(super) struct Registrar<'a>(&'a Registry);

/// Holds because names, helps and labels are constants of this module, each used once; a test makes them all.
const VALID: &str = "the family's name and labels are valid and registered once";

impl<'a> Registrar<'a> {
    const PREFIX: &'static str = "pinfold";

    pub(super) fn new(registry: &'a Registry) -> Self {
        Self(registry)
    }

    fn opts(name: &str, help: &str) -> Opts {
        Opts::new(name, help).namespace(Self::PREFIX)
    }

    fn register<C: Collector + Clone + 'static>(&self, collector: C) -> C {
        self.0.register(Box::new(collector.clone())).expect(VALID);
        collector
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(Self::opts(name, help), labels).expect(VALID))
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::with_opts(Self::opts(name, help)).expect(VALID))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.register(IntGaugeVec::new(Self::opts(name, help), labels).expect(VALID))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::with_opts(Self::opts(name, help)).expect(VALID))
    }

    pub(super) fn real_gauge(&self, name: &str, help: &str) -> Gauge {
        self.register(Gauge::with_opts(Self::opts(name, help)).expect(VALID))
    }

    pub(super) fn real_counters(&self, name: &str, help: &str, labels: &[&str]) -> CounterVec {
        self.register(CounterVec::new(Self::opts(name, help), labels).expect(VALID))
    }

    /// The process's own series, under the names that Prometheus's libraries share.
    pub(super) fn register_process(&self, collector: ProcessCollector) {
        self.0.register(Box::new(collector)).expect(VALID);
    }

    pub(super) fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> HistogramVec {
        let opts = HistogramOpts::from(Self::opts(name, help)).buckets(buckets.to_vec());
        self.register(HistogramVec::new(opts, labels).expect(VALID))
    }

    pub(super) fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let opts = HistogramOpts::from(Self::opts(name, help)).buckets(buckets.to_vec());
        self.register(Histogram::with_opts(opts).expect(VALID))
    }
}

/// One series for each value of a closed label.
#[derive(Clone)]
pub(super) struct PerLabel<L, M> {
    series: Box<[M]>,
    label: PhantomData<L>,
}

impl<L: Label, M> PerLabel<L, M> {
    pub(super) fn new(make: impl FnMut(L) -> M) -> Self {
        Self { series: L::ALL.iter().copied().map(make).collect(), label: PhantomData }
    }

    /// The series of a family whose last label is `L`, after the values of the labels before it.
    pub(super) fn of<T: MetricVecBuilder<M = M>>(family: &MetricVec<T>, before: &[&str]) -> Self
    where
        M: prometheus::core::Metric,
    {
        Self::new(|label| family.with_label_values(&[before, &[label.as_str()]].concat()))
    }

    pub(super) fn get(&self, label: L) -> &M {
        &self.series[label.index()]
    }
}

/// A counter that is made at its first use, for combinations that should not occur.
pub(super) type Lazy<M> = OnceLock<M>;

/// Counts one thing for as long as it is held.
#[derive(Debug)]
pub struct GaugeGuard(IntGauge);

impl GaugeGuard {
    pub(super) fn enter(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// One counter for each value of a closed label.
pub(super) type Counters<L> = PerLabel<L, IntCounter>;
/// One gauge for each value of a closed label.
pub(super) type Gauges<L> = PerLabel<L, IntGauge>;
/// One histogram for each value of a closed label.
pub(super) type Histograms<L> = PerLabel<L, Histogram>;
