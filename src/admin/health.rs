//! Whether requests should be sent here. Never depends on providers: their trouble is not ours (I5).

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Admin, json_response};
use crate::{store::StoreError, telemetry::Repeats};

/// A store that takes longer is not reachable.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why we are not ready.
enum Unready {
    Stopping,
    Store(StoreError),
    StoreSilent,
}

/// `GET /readyz`: 200, or 503 with the check that failed.
pub(super) async fn ready(State(admin): State<Admin>) -> Response {
    match check(&admin).await {
        Ok(()) => json_response(StatusCode::OK, &json!({ "ready": true })),
        Err(unready) => json_response(StatusCode::SERVICE_UNAVAILABLE, &unready.to_json()),
    }
}

async fn check(admin: &Admin) -> Result<(), Unready> {
    if admin.shutdown.has_begun() {
        return Err(Unready::Stopping);
    }
    let pinged = tokio::time::timeout(PATIENCE, admin.store.ping()).await;
    let pinged = pinged.map_err(|_| Unready::StoreSilent);
    let checked = pinged.and_then(|pinged| pinged.map_err(Unready::Store));
    tell(&admin.unready, checked.as_ref().err());
    checked
}

/// Probes come every few seconds: the log tells of the first that fails, and of the first that is well again.
fn tell(repeats: &Mutex<Repeats>, failure: Option<&Unready>) {
    let mut repeats = repeats.lock().unwrap_or_else(PoisonError::into_inner);
    match failure {
        None if repeats.worked() => tracing::info!("ready again"),
        Some(unready) if repeats.failed() => {
            let cause = match unready {
                Unready::Store(error) => Some(error as &dyn std::error::Error),
                Unready::Stopping | Unready::StoreSilent => None,
            };
            tracing::warn!(error = cause, "not ready: the store cannot be read");
        }
        None | Some(_) => {}
    }
}

impl Unready {
    fn to_json(&self) -> Value {
        let (failed, details) = match self {
            Self::Stopping => ("process", "stopping".to_owned()),
            Self::Store(error) => ("store", error.to_string()),
            Self::StoreSilent => ("store", format!("no answer within {} s", PATIENCE.as_secs())),
        };
        json!({ "ready": false, "failed": failed, "details": details })
    }
}
