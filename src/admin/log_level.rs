//! `/api/v1/log-level`: which messages are logged, which can be changed while the gateway serves.

use std::sync::Arc;

use axum::{Extension, Router, extract::State, response::Response, routing::get};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{Failure, Sent, json_response};
use crate::{
    auth::Operator,
    telemetry::logging::{Filter, LoggingError},
};

/// The route, below `/api/v1`.
pub fn log_routes(filter: Filter) -> Router {
    Router::new().route("/log-level", get(show).put(set)).with_state(filter)
}

/// What is left out stands for the configured one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    filter: Option<String>,
}

async fn show(State(filter): State<Filter>) -> Response {
    shown(&filter)
}

/// Holds until it is set again, or the process ends; a reload of the config leaves it alone.
async fn set(
    State(filter): State<Filter>,
    by: Option<Extension<Arc<Operator>>>,
    Sent(body): Sent<Body>,
) -> Result<Response, Failure> {
    let wanted = body.filter.as_deref().unwrap_or(filter.configured());
    let before = filter.set(wanted)?;
    let by = by.as_ref().map(|Extension(operator)| &*operator.token_name);
    // Nobody should wonder why messages end.
    tracing::warn!(filter = wanted, before, by, "the log filter was changed");
    Ok(shown(&filter))
}

fn shown(filter: &Filter) -> Response {
    let body = json!({ "filter": filter.current(), "configured": filter.configured() });
    json_response(StatusCode::OK, &body)
}

impl From<LoggingError> for Failure {
    fn from(error: LoggingError) -> Self {
        match error {
            LoggingError::Twice(_) | LoggingError::Gone(_) => Self::internal(error),
            _ => Self::bad_request(error),
        }
    }
}
