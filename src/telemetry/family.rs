//! Families of series whose labels are known: resolved once, found by index.

use std::{cell::RefCell, collections::HashMap, marker::PhantomData, sync::OnceLock};

use prometheus::{
    CounterVec, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
    core::{Collector, MetricVec, MetricVecBuilder},
    process_collector::ProcessCollector,
};

use super::labels::Label;

/// Said of gauges that are read from the database.
const FROM_DATABASE: &str =
    " Read from the database every 30 s, the same on every gateway that shares it: take max, not sum.";

/// Makes families and registers them, all under one prefix.
pub(super) struct Registrar<'a> {
    registry: &'a Registry,
    families: RefCell<Vec<Box<dyn Shrinks>>>,
}

/// A family whose series can go.
pub(super) trait Shrinks: Send + Sync {
    /// Removes the series in which this label has this value.
    fn forget(&self, label: &str, value: &str);
}

impl<T: MetricVecBuilder> Shrinks for MetricVec<T> {
    fn forget(&self, label: &str, value: &str) {
        if !self.desc().iter().any(|desc| desc.variable_labels.iter().any(|known| known == label)) {
            return;
        }
        for series in self.collect().iter().flat_map(|family| family.get_metric()) {
            let labels: HashMap<_, _> =
                series.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
            if labels.get(label) == Some(&value) {
                // An error says that the series is not there, which is what is wanted.
                let _absent = self.remove(&labels);
            }
        }
    }
}

/// Holds because names, helps and labels are constants of this module, each used once; a test makes them all.
const VALID: &str = "the family's name and labels are valid and registered once";

impl<'a> Registrar<'a> {
    const PREFIX: &'static str = "pinfold";

    pub(super) fn new(registry: &'a Registry) -> Self {
        Self { registry, families: RefCell::default() }
    }

    /// All families with labels that were made.
    pub(super) fn into_families(self) -> Vec<Box<dyn Shrinks>> {
        self.families.into_inner()
    }

    fn opts(name: &str, help: &str) -> Opts {
        Opts::new(name, help).namespace(Self::PREFIX)
    }

    fn register<C: Collector + Clone + 'static>(&self, collector: C) -> C {
        self.registry.register(Box::new(collector.clone())).expect(VALID);
        collector
    }

    fn register_all<T: MetricVecBuilder + 'static>(&self, family: MetricVec<T>) -> MetricVec<T> {
        self.families.borrow_mut().push(Box::new(family.clone()));
        self.register(family)
    }

    /// As [`gauges`](Self::gauges), of what is read from the database.
    pub(super) fn shared_gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.gauges(name, &format!("{help}{FROM_DATABASE}"), labels)
    }

    /// As [`gauge`](Self::gauge), of what is read from the database.
    pub(super) fn shared_gauge(&self, name: &str, help: &str) -> IntGauge {
        self.gauge(name, &format!("{help}{FROM_DATABASE}"))
    }

    /// As [`real_gauge`](Self::real_gauge), of what is read from the database.
    pub(super) fn shared_real_gauge(&self, name: &str, help: &str) -> Gauge {
        self.real_gauge(name, &format!("{help}{FROM_DATABASE}"))
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register_all(IntCounterVec::new(Self::opts(name, help), labels).expect(VALID))
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::with_opts(Self::opts(name, help)).expect(VALID))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.register_all(IntGaugeVec::new(Self::opts(name, help), labels).expect(VALID))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::with_opts(Self::opts(name, help)).expect(VALID))
    }

    pub(super) fn real_gauge(&self, name: &str, help: &str) -> Gauge {
        self.register(Gauge::with_opts(Self::opts(name, help)).expect(VALID))
    }

    pub(super) fn real_counters(&self, name: &str, help: &str, labels: &[&str]) -> CounterVec {
        self.register_all(CounterVec::new(Self::opts(name, help), labels).expect(VALID))
    }

    /// The process's own series, under the names that Prometheus's libraries share.
    pub(super) fn register_process(&self, collector: ProcessCollector) {
        self.registry.register(Box::new(collector)).expect(VALID);
    }

    pub(super) fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> HistogramVec {
        let opts = HistogramOpts::from(Self::opts(name, help)).buckets(buckets.to_vec());
        self.register_all(HistogramVec::new(opts, labels).expect(VALID))
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

/// A counter of no family, for what nobody is to see.
pub(super) fn unseen() -> IntCounter {
    IntCounter::new("unseen", "Shown nowhere.").expect(VALID)
}

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
