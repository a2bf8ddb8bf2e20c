//! The operators' listener: health and metrics.
//!
//! It has no tokens yet, so it is for this machine only: see [`check_address`].

mod address;
mod config;
mod health;
mod refresh;

use std::sync::Arc;

use async_trait::async_trait;
use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header::CONTENT_TYPE};
use serde_json::json;

pub use address::{AdminAddressError, check_address};
pub use config::{Config, ConfigReport, Refused};
pub use refresh::refresh_metrics;

use crate::{
    lifecycle::Shutdown,
    model::Timestamp,
    store::{SharedStore, StoreError, StoreStats},
    telemetry::Metrics,
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

/// What the handlers share.
#[derive(Clone)]
struct Admin {
    store: Arc<dyn Vitals>,
    shutdown: Shutdown,
    metrics: Metrics,
}

/// The admin listener's routes: `/livez`, `/readyz`, `/metrics`.
pub fn router(store: impl Vitals, shutdown: &Shutdown, metrics: &Metrics) -> Router {
    let admin = Admin { store: Arc::new(store), shutdown: shutdown.clone(), metrics: metrics.clone() };
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics_text))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(admin)
}

/// Nothing is refreshed here, so that scraping costs the same however often it is done.
async fn metrics_text(State(admin): State<Admin>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], admin.metrics.render()).into_response()
}

async fn not_found() -> Response {
    let details = "the admin listener has /livez, /readyz and /metrics; pins are at the API's address";
    failure(StatusCode::NOT_FOUND, "NOT_FOUND", details)
}

async fn method_not_allowed() -> Response {
    failure(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "this address only answers GET")
}

fn failure(status: StatusCode, reason: &str, details: &str) -> Response {
    json_response(status, &json!({ "error": { "reason": reason, "details": details } }))
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests;
