//! What we asked of providers, and how they answered.

use std::{sync::Arc, time::Duration};

use dashmap::DashMap;
use prometheus::{Counter, CounterVec, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::{
    family::{Counters, GaugeGuard, Gauges, Histograms, PerLabel, Registrar},
    labels::{Audited, BreakerState, CallOutcome, Label},
};
use crate::model::{BudgetClass, ErrorClass, Operation, ProofRecord, ProofState, Proved, Timestamp};

const DURATIONS: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0];

/// The families that have a `provider` label, and the handles given out.
pub(super) struct Providers {
    up: IntGaugeVec,
    requests: IntCounterVec,
    durations: HistogramVec,
    in_flight: IntGaugeVec,
    throttle_wait: CounterVec,
    budget_limit: IntGaugeVec,
    budget_used: IntGaugeVec,
    last_success: IntGaugeVec,
    token_ends: IntGaugeVec,
    breaker: IntGaugeVec,
    breaker_transitions: IntCounterVec,
    audited: IntCounterVec,
    audit_alarms: IntCounterVec,
    proofs: IntCounterVec,
    unproven: IntGaugeVec,
    gateway_down: IntGaugeVec,
    known: DashMap<String, ProviderMetrics>,
}

impl Providers {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        Self {
            up: registrar.gauges(
                "provider_up",
                "Whether the provider is healthy or degraded.",
                &["provider"],
            ),
            requests: registrar.counters(
                "provider_requests_total",
                "HTTP requests that were sent to the provider.",
                &["provider", "operation", "outcome"],
            ),
            durations: registrar.histograms(
                "provider_request_duration_seconds",
                "Time from sending a request to having read its answer.",
                &["provider", "operation"],
                &DURATIONS,
            ),
            in_flight: registrar.gauges(
                "provider_requests_in_flight",
                "Requests to the provider that are under way.",
                &["provider"],
            ),
            throttle_wait: registrar.real_counters(
                "provider_throttle_wait_seconds_total",
                "Time that calls waited for our own limit or the provider's Retry-After.",
                &["provider"],
            ),
            budget_limit: registrar.gauges(
                "provider_budget_limit",
                "Calls of a class that are planned in any window of the provider's limit; 0 = no limit.",
                &["provider", "class"],
            ),
            budget_used: registrar.gauges(
                "provider_budget_used",
                "Calls of a class that this process made in the window until now, as of the last look, at most 30 s ago.",
                &["provider", "class"],
            ),
            last_success: registrar.gauges(
                "provider_last_success_timestamp_seconds",
                "When the provider last answered as it should; 0 = not yet.",
                &["provider"],
            ),
            token_ends: registrar.gauges(
                "provider_token_expiry_timestamp_seconds",
                "When the token that an operator has to replace ends; 0 = not known to end.",
                &["provider"],
            ),
            breaker: registrar.gauges(
                "provider_breaker_state",
                "1 for the state that the provider's breaker is in, 0 for the others.",
                &["provider", "state"],
            ),
            breaker_transitions: registrar.counters(
                "provider_breaker_transitions_total",
                "Times that the provider's breaker came into a state.",
                &["provider", "to"],
            ),
            audited: registrar.counters(
                "provider_audited_copies_total",
                "Copies that audits found on the provider's list, or looked at because they were not there.",
                &["provider", "result"],
            ),
            audit_alarms: registrar.counters(
                "provider_audit_alarms_total",
                "Audits that missed so many copies that they asked before anything was sent again.",
                &["provider"],
            ),
            proofs: registrar.counters(
                "provider_proofs_total",
                "Copies that were asked for at the provider's gateway, or were to be, by what came of it.",
                &["provider", "outcome"],
            ),
            unproven: registrar.gauges(
                "provider_unproven",
                "Whether the provider did not serve most of what it says is pinned, in two samples or more.",
                &["provider"],
            ),
            gateway_down: registrar.gauges(
                "provider_gateway_down",
                "Whether the provider's gateway could not be asked for anything when it was last tried.",
                &["provider"],
            ),
            known: DashMap::new(),
        }
    }

    pub(super) fn get(&self, name: &str) -> ProviderMetrics {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        self.known.entry(name.to_owned()).or_insert_with(|| self.make(name)).clone()
    }

    /// Those of a provider that the config names.
    pub(super) fn find(&self, name: &str) -> Option<ProviderMetrics> {
        self.known.get(name).map(|known| known.clone())
    }

    /// Forgets all but these; returns the names of those that go.
    pub(super) fn keep(&self, is_kept: impl Fn(&str) -> bool) -> Vec<String> {
        let mut gone = Vec::new();
        self.known.retain(|name, _| {
            let stays = is_kept(name);
            if !stays {
                gone.push(name.clone());
            }
            stays
        });
        gone
    }

    fn make(&self, name: &str) -> ProviderMetrics {
        let breaker: Gauges<BreakerState> = Gauges::of(&self.breaker, &[name]);
        breaker.get(BreakerState::Closed).set(1);
        ProviderMetrics(Arc::new(Inner {
            up: self.up.with_label_values(&[name]),
            requests: PerLabel::new(|operation: Operation| {
                Counters::of(&self.requests, &[name, operation.as_str()])
            }),
            durations: Histograms::of(&self.durations, &[name]),
            in_flight: self.in_flight.with_label_values(&[name]),
            throttle_wait: self.throttle_wait.with_label_values(&[name]),
            budget_limit: Gauges::of(&self.budget_limit, &[name]),
            budget_used: Gauges::of(&self.budget_used, &[name]),
            last_success: self.last_success.with_label_values(&[name]),
            token_ends: self.token_ends.with_label_values(&[name]),
            breaker,
            breaker_transitions: Counters::of(&self.breaker_transitions, &[name]),
            audited: Counters::of(&self.audited, &[name]),
            audit_alarms: self.audit_alarms.with_label_values(&[name]),
            proofs: Counters::of(&self.proofs, &[name]),
            unproven: self.unproven.with_label_values(&[name]),
            gateway_down: self.gateway_down.with_label_values(&[name]),
        }))
    }
}

/// Series of one provider. Clones share them.
#[derive(Clone)]
pub struct ProviderMetrics(Arc<Inner>);

struct Inner {
    up: IntGauge,
    requests: PerLabel<Operation, Counters<CallOutcome>>,
    durations: Histograms<Operation>,
    in_flight: IntGauge,
    throttle_wait: Counter,
    budget_limit: Gauges<BudgetClass>,
    budget_used: Gauges<BudgetClass>,
    last_success: IntGauge,
    token_ends: IntGauge,
    breaker: Gauges<BreakerState>,
    breaker_transitions: Counters<BreakerState>,
    audited: Counters<Audited>,
    audit_alarms: IntCounter,
    proofs: Counters<Proved>,
    unproven: IntGauge,
    gateway_down: IntGauge,
}

impl ProviderMetrics {
    /// Counts one HTTP request that left, retries included.
    pub fn call(&self, operation: Operation, result: Result<(), ErrorClass>, elapsed: Duration) {
        self.0.requests.get(operation).get(result.into()).inc();
        self.0.durations.get(operation).observe(elapsed.as_secs_f64());
    }

    /// Counts a request as under way while the guard lives.
    pub fn in_flight(&self) -> GaugeGuard {
        GaugeGuard::enter(&self.0.in_flight)
    }

    /// Adds time that a call waited for a limit.
    pub fn throttle_wait(&self, waited: Duration) {
        self.0.throttle_wait.inc_by(waited.as_secs_f64());
    }

    /// Tells of the calls of a class: how many a window may hold, and how many the one until now does.
    pub fn budget(&self, class: BudgetClass, limit: Option<u32>, used: u32) {
        self.0.budget_limit.get(class).set(i64::from(limit.unwrap_or(0)));
        self.0.budget_used.get(class).set(i64::from(used));
    }

    /// Tells the breaker's state; a transition is counted where it is another than before.
    pub fn breaker(&self, state: BreakerState) {
        if self.0.breaker.get(state).get() == 1 {
            return;
        }
        for &other in BreakerState::ALL {
            self.0.breaker.get(other).set(i64::from(other == state));
        }
        self.0.breaker_transitions.get(state).inc();
    }

    pub fn last_success(&self, at: Timestamp) {
        self.0.last_success.set(at.as_secs());
    }

    pub fn token_ends(&self, at: Option<Timestamp>) {
        self.0.token_ends.set(at.map_or(0, Timestamp::as_secs));
    }

    /// Counts copies that an audit came upon.
    pub fn audited(&self, result: Audited, copies: u64) {
        self.0.audited.get(result).inc_by(copies);
    }

    /// Counts an audit that asks.
    pub fn audit_alarm(&self) {
        self.0.audit_alarms.inc();
    }

    /// Counts a copy that was asked for at the gateway.
    pub fn proved(&self, outcome: Proved) {
        self.0.proofs.get(outcome).inc();
    }

    /// Tells what is known of the gateway, and of the provider by it.
    pub fn proof(&self, record: &ProofRecord) {
        self.0.unproven.set(i64::from(record.state == ProofState::Unproven));
        self.0.gateway_down.set(i64::from(record.down_since.is_some()));
    }

    /// Tells whether new copies may be sent there.
    pub fn up(&self, up: bool) {
        self.0.up.set(i64::from(up));
    }
}
