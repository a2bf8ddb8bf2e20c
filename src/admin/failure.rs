//! The one shape in which operators are told that something did not work: `{"error":{"reason","details"}}`.

use std::{fmt::Display, sync::Arc};

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::json;

use super::json_response;
use crate::{auth::Scope, limits::Over, store::StoreError};

/// A request that was not done. Details say what to do instead.
#[derive(Clone, Debug)]
pub struct Failure {
    status: StatusCode,
    reason: &'static str,
    details: String,
    /// In whole seconds.
    retry_after: Option<u64>,
    cause: Option<Cause>,
}

/// What failed, where that is for the log: it goes with the answer to [`access`](super::access), which knows whose
/// request it was.
#[derive(Clone, Debug)]
pub(super) struct Cause(pub(super) Arc<StoreError>);

impl Failure {
    fn new(status: StatusCode, reason: &'static str, details: impl Display) -> Self {
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self { status, reason, details: details.to_string(), retry_after, cause: None }
    }

    pub fn bad_request(details: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", details)
    }

    pub fn unauthorized(details: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", details)
    }

    /// As [`unauthorized`](Self::unauthorized), too often; good tokens are never told so.
    pub fn too_many_logins(over: &Over) -> Self {
        let seconds = over.retry_after();
        let details = format!(
            "the token is missing or invalid, and too many such requests came from this address ({}): correct the \
             header Authorization: Bearer TOKEN, and try again in {seconds} s",
            over.limit
        );
        let failure = Self::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", details);
        Self { retry_after: Some(seconds), ..failure }
    }

    /// The token is good, but not for this.
    pub fn lacks(needed: Scope) -> Self {
        let details = format!("this token may not do that: it lacks the scope {needed}");
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", details)
    }

    pub fn not_found(details: impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", details)
    }

    pub fn method_not_allowed(details: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", details)
    }

    pub fn conflict(details: impl Display) -> Self {
        Self::new(StatusCode::CONFLICT, "CONFLICT", details)
    }

    /// The configuration on disk; the one in force stays.
    pub fn bad_config(details: impl Display) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "BAD_CONFIG", details)
    }

    pub fn overloaded() -> Self {
        let details = "too many requests are being answered at this moment: try again in a second";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", details)
    }

    pub fn internal(details: impl Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", details)
    }

    pub fn too_slow(details: impl Display) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", details)
    }

    pub fn too_large(details: impl Display) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", details)
    }
}

/// Its causes go to the log, once; what was asked for and is not there is nobody's failure.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unknown { .. } => return Self::not_found(error),
            StoreError::Taken { .. } => return Self::conflict(error),
            _ => {}
        }
        let (status, reason) = match error {
            StoreError::Full(_) => (StatusCode::INSUFFICIENT_STORAGE, "INSUFFICIENT_STORAGE"),
            StoreError::Unavailable(_) | StoreError::Busy | StoreError::Timeout => {
                (StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE")
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR"),
        };
        let failure = Self::new(status, reason, &error);
        Self { cause: Some(Cause(Arc::new(error))), ..failure }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "reason": self.reason, "details": self.details } });
        let mut response = json_response(self.status, &body);
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}
