//! The operators' listener: health, metrics, and the admin API under `/api/v1`.
//!
//! What each request needs is said in one place: see [`Authority`].

mod access;
mod address;
mod adopt;
mod audit;
mod authority;
mod body;
mod bound;
mod config;
mod events;
mod explain;
mod failure;
mod health;
mod jobs;
mod log_level;
mod modes;
mod openapi;
mod pins;
mod plans;
mod policies;
mod providers;
mod refresh;
mod tokens;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::{
    Router,
    extract::State,
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header::CONTENT_TYPE};

pub use address::{AdminAddressError, check_address};
pub use adopt::{AdoptError, Adoptions, Wish, adopt_routes};
pub use audit::audit_routes;
pub use authority::{Authority, Exposure};
pub use body::Sent;
use bound::Bound;
pub use config::{Config, ConfigReport, Refused, config_routes};
pub use events::event_routes;
pub use failure::Failure;
pub use jobs::job_routes;
pub use log_level::log_routes;
pub use modes::mode_routes;
pub use pins::{PinErrand, Pins, pin_routes};
pub use policies::{
    ExplainError, Explained, Policies, ProviderConsidered, Question, RouteTried, policy_routes,
};
pub use providers::{Providers, provider_routes};
pub use refresh::refresh_metrics;
pub use tokens::tokens;

use crate::{
    lifecycle::Shutdown,
    model::Timestamp,
    store::{SharedStore, StoreError, StoreStats},
    telemetry::{Metrics, Repeats, Traces},
};

/// What operators ask of the store: the narrow part of [`Store`](crate::store::Store) that is used here.
#[async_trait]
pub trait Vitals: Send + Sync + 'static {
    async fn ping(&self) -> Result<(), StoreError>;

    async fn stats(&self, now: Timestamp) -> Result<StoreStats, StoreError>;
}

#[async_trait]
impl Vitals for SharedStore {
    async fn ping(&self) -> Result<(), StoreError> {
        (**self).ping().await
    }

    async fn stats(&self, now: Timestamp) -> Result<StoreStats, StoreError> {
        (**self).stats(now).await
    }
}

/// Requests that are answered at once, `/livez` aside; further ones are refused.
const IN_FLIGHT: usize = 64;

/// What the handlers share.
#[derive(Clone)]
struct Admin {
    store: Arc<dyn Vitals>,
    shutdown: Shutdown,
    metrics: Metrics,
    unready: Arc<Mutex<Repeats>>,
}

/// The admin listener's routes: `/livez` and `/readyz` are open to all who reach it, `/metrics` and `api`, whose
/// paths are below `/api/v1`, to whom `authority` admits.
pub fn router(
    store: impl Vitals,
    shutdown: &Shutdown,
    metrics: &Metrics,
    traces: &Traces,
    authority: Authority,
    api: Router,
) -> Router {
    let (shutdown, metrics) = (shutdown.clone(), metrics.clone());
    let admin = Admin { store: Arc::new(store), shutdown, metrics, unready: Arc::default() };
    let guarded = Router::new()
        .route("/metrics", get(metrics_text))
        .with_state(admin.clone())
        .nest("/api/v1", api.merge(openapi::openapi_routes()))
        .route_layer(middleware::from_fn_with_state(authority, authority::guard));
    Router::new()
        .route("/readyz", get(health::ready))
        .with_state(admin)
        .merge(guarded)
        .route_layer(middleware::from_fn_with_state(Bound::new(IN_FLIGHT), bound::admit))
        .route("/livez", get(|| async { "ok" }))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(traces.clone(), access::note))
}

/// Nothing is refreshed here, so that scraping costs the same however often it is done.
async fn metrics_text(State(admin): State<Admin>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], admin.metrics.render()).into_response()
}

async fn not_found() -> Failure {
    Failure::not_found(
        "the admin listener has /livez, /readyz, /metrics and the API under /api/v1; pins are at the gateway's own address",
    )
}

async fn method_not_allowed() -> Failure {
    Failure::method_not_allowed("this address does not take this method: the header allow says which it does")
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests;
