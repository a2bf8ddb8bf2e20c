//! Whether requests should be sent here. Never depends on providers: their trouble is not ours (I5).

use std::time::Duration;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Admin, json_response};
use crate::store::StoreError;

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
    match tokio::time::timeout(PATIENCE, admin.store.ping()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready: the store cannot be read");
            Err(Unready::Store(error))
        }
        Err(_elapsed) => Err(Unready::StoreSilent),
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
