//! What clients asked of us, and how we answered.

use std::{sync::Arc, time::Duration};

use ::http::{Method as HttpMethod, StatusCode};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

use super::{
    family::{Counters, GaugeGuard, Gauges, Lazy, PerLabel, Registrar},
    labels::{
        Code, Label, LimitKind, LimitOutcome, Listener, Method, Rejection, RequestClass, Route, Turned,
    },
};

const DURATIONS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Series of the listeners. Clones share them.
#[derive(Clone)]
pub struct HttpMetrics(Arc<Inner>);

struct Inner {
    requests: IntCounterVec,
    durations: HistogramVec,
    by_route: PerLabel<Route, PerLabel<Method, Answers>>,
    in_flight: Gauges<Listener>,
    connections: Gauges<Listener>,
    rejections: Counters<Rejection>,
    over_limit: PerLabel<LimitKind, PerLabel<RequestClass, Counters<LimitOutcome>>>,
    turned_away: PerLabel<Listener, Counters<Turned>>,
    unread: Gauges<Listener>,
    given_up: Counters<Listener>,
}

/// The answers to one method on one route.
struct Answers {
    codes: PerLabel<Code, Lazy<IntCounter>>,
    duration: Lazy<Histogram>,
}

impl HttpMetrics {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        let listener = ["listener"];
        let turned_away = registrar.counters(
            "http_connections_refused_total",
            "Connections closed before their first request.",
            &["listener", "reason"],
        );
        let inner = Inner {
            turned_away: PerLabel::new(|door: Listener| Counters::of(&turned_away, &[door.as_str()])),
            requests: registrar.counters(
                "http_requests_total",
                "Requests to the pinning API that were answered.",
                &["method", "route", "code"],
            ),
            durations: registrar.histograms(
                "http_request_duration_seconds",
                "Time from a request's head to its answer's head.",
                &["method", "route"],
                &DURATIONS,
            ),
            by_route: PerLabel::new(|_| PerLabel::new(|_| Answers::new())),
            in_flight: Gauges::of(
                &registrar.gauges(
                    "http_requests_in_flight",
                    "Requests that are being answered now.",
                    &listener,
                ),
                &[],
            ),
            connections: Gauges::of(
                &registrar.gauges("http_connections", "Connections that are open now.", &listener),
                &[],
            ),
            rejections: Counters::of(
                &registrar.counters(
                    "http_rejections_total",
                    "Requests refused before the store was asked.",
                    &["reason"],
                ),
                &[],
            ),
            over_limit: over_limit(registrar),
            unread: Gauges::of(
                &registrar.gauges(
                    "http_unread_bytes",
                    "What is kept in memory of answers that are made and not taken yet, and of requests that wait behind them.",
                    &listener,
                ),
                &[],
            ),
            given_up: Counters::of(
                &registrar.counters(
                    "http_connections_given_up_total",
                    "Connections that took their answers too slowly while room for answers was short.",
                    &listener,
                ),
                &[],
            ),
        };
        inner.start_known();
        Self(Arc::new(inner))
    }

    /// Counts an answer of the public API. `elapsed` runs from the request's head to the answer's.
    pub fn answered(&self, method: &HttpMethod, route: Route, status: StatusCode, elapsed: Duration) {
        let method = Method::of(method);
        self.0.counter(method, route, Code::of(status)).inc();
        self.0.histogram(method, route).observe(elapsed.as_secs_f64());
    }

    /// Counts a request as in flight while the guard lives.
    pub fn in_flight(&self, listener: Listener) -> GaugeGuard {
        GaugeGuard::enter(self.0.in_flight.get(listener))
    }

    /// Counts a connection as open while the guard lives.
    pub fn connection(&self, listener: Listener) -> GaugeGuard {
        GaugeGuard::enter(self.0.connections.get(listener))
    }

    /// Counts a request that was over a limit, whether it was refused or only would have been.
    pub fn over_limit(&self, limit: LimitKind, class: RequestClass, outcome: LimitOutcome) {
        self.0.over_limit.get(limit).get(class).get(outcome).inc();
    }

    /// Counts a connection that was closed before its first request.
    pub fn turned_away(&self, listener: Listener, reason: Turned) {
        self.0.turned_away.get(listener).get(reason).inc();
    }

    /// Notes how many bytes are kept for clients now.
    pub fn unread(&self, listener: Listener, bytes: usize) {
        self.0.unread.get(listener).set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Counts a connection that was given up so that others have its room.
    pub fn given_up(&self, listener: Listener) {
        self.0.given_up.get(listener).inc();
    }

    /// Counts a request that was refused before the store was asked.
    pub fn rejected(&self, reason: Rejection) {
        self.0.rejections.get(reason).inc();
    }
}

fn over_limit(
    registrar: &Registrar<'_>,
) -> PerLabel<LimitKind, PerLabel<RequestClass, Counters<LimitOutcome>>> {
    let family = registrar.counters(
        "rate_limited_requests_total",
        "Requests over a limit, refused or, in shadow mode, let in.",
        &["limit", "class", "outcome"],
    );
    PerLabel::new(|limit: LimitKind| {
        PerLabel::new(|class: RequestClass| Counters::of(&family, &[limit.as_str(), class.as_str()]))
    })
}

impl Answers {
    fn new() -> Self {
        Self { codes: PerLabel::new(|_| Lazy::new()), duration: Lazy::new() }
    }
}

impl Inner {
    fn start_known(&self) {
        for &route in Route::ALL {
            for &method in route.methods() {
                self.histogram(method, route);
                for &code in Code::ALL {
                    self.counter(method, route, code);
                }
            }
        }
    }

    fn counter(&self, method: Method, route: Route, code: Code) -> &IntCounter {
        let labels = [method.as_str(), route.as_str(), code.as_str()];
        let slot = self.by_route.get(route).get(method).codes.get(code);
        slot.get_or_init(|| self.requests.with_label_values(&labels))
    }

    fn histogram(&self, method: Method, route: Route) -> &Histogram {
        let labels = [method.as_str(), route.as_str()];
        let slot = &self.by_route.get(route).get(method).duration;
        slot.get_or_init(|| self.durations.with_label_values(&labels))
    }
}
