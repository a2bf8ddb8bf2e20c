//! Every way in which a request can fail, and the one shape in which clients are told.

use std::time::Duration;

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use thiserror::Error;

use super::{body::BodyError, json, limiting, query::QueryError, route::Route};
use crate::{
    auth::{Scope, Unauthorized},
    limits::Over,
    model::{OverQuota, QuotaKind},
    policy::{NotAllowed, controls::BadEnd},
    store::StoreError,
};

/// A failed request. Its `Display` is what the client reads as `error.details`: never empty, and where the client
/// can do better it says what to send instead. Causes go to the log only.
#[derive(Debug, Error)]
pub enum ApiError {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Policy(#[from] NotAllowed),
    #[error(transparent)]
    End(#[from] BadEnd),
    #[error("the access token is missing or invalid: send the header Authorization: Bearer TOKEN")]
    Unauthorized(Unauthorized),
    #[error("this token may not do that: it lacks the scope {0}; use one that has it, or have one made")]
    Forbidden(Scope),
    #[error("there is no such pin: it was deleted or replaced, or it belongs to another account")]
    NoSuchPin,
    #[error(
        "there is nothing here: the API is at /pins and /pins/{{requestid}}; give clients the endpoint without /pins"
    )]
    NoSuchRoute,
    #[error("this method is not for this address: use one of {}", .0.allow())]
    Method(Route),
    #[error("the address is longer than {0} bytes: send fewer filters, or fewer CIDs at a time")]
    UriTooLong(usize),
    #[error("the headers are larger than {0} bytes, or more than 100: send fewer")]
    HeadersTooLarge(usize),
    #[error("too many requests are being served at this moment: try again in a second")]
    Overloaded,
    #[error(
        "too many requests of this account are being served at this moment: wait for the answers to some, then try again"
    )]
    Crowded,
    #[error(
        "the request took too long and was given up: if it was to change a pin, look whether it did before trying again"
    )]
    Slow,
    #[error("{}", limiting::details(.0))]
    TooMany(Over),
    #[error("{}", quota_details(.0))]
    OverQuota(OverQuota),
    #[error("{}", store_details(.0))]
    Store(#[source] StoreError),
    #[error("something went wrong inside the gateway; the log tells more under this request's x-request-id")]
    Internal(&'static str),
    #[error("something went wrong inside the gateway; the log tells more under this request's x-request-id")]
    Panic,
}

/// A token without an account is known, but none of the pins' scopes can be its own.
impl From<Unauthorized> for ApiError {
    fn from(why: Unauthorized) -> Self {
        match why {
            Unauthorized::NoAccount => Self::Forbidden(Scope::PinsRead),
            why => Self::Unauthorized(why),
        }
    }
}

/// What the account has is told as the store counted it in the transaction that refused the pin.
fn quota_details(over: &OverQuota) -> String {
    let OverQuota { quota, most, used } = over;
    match quota {
        QuotaKind::Pins => format!(
            "this account may have {most} pins and has {used}: delete pins that are not needed any more, or have the gateway's operator raise the quota"
        ),
        QuotaKind::PinsPerDay => format!(
            "this account may add or replace {most} pins a day and has done so {used} times since midnight UTC: go on tomorrow, or have the gateway's operator raise the quota"
        ),
        QuotaKind::MetaBytes => format!(
            "the meta of this account's pins may take {most} bytes in all and takes {used}, for which this pin's is too much: send less meta, delete pins that are not needed any more, or have the gateway's operator raise the quota"
        ),
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OverQuota(over) => Self::OverQuota(over),
            other => Self::Store(other),
        }
    }
}

fn store_details(error: &StoreError) -> &'static str {
    match error {
        StoreError::Full(_) => {
            "the gateway's disk is full: nothing was recorded; pins can be listed and read meanwhile"
        }
        StoreError::Unavailable(_) => {
            "the gateway's database is not available now: nothing was recorded; try again soon"
        }
        StoreError::Busy => {
            "the gateway's database has too much to do now: nothing was recorded; try again in a second"
        }
        StoreError::Timeout => {
            "searching took too long: narrow it by cid, status, before and after, or by a name with match=exact or iexact instead of partial"
        }
        StoreError::Unknown { what: "account", .. } => {
            "the account of this access token is served no more: ask the operator for another one"
        }
        _ => "something went wrong inside the gateway; the log tells more under this request's x-request-id",
    }
}

impl ApiError {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Query(_) | Self::Policy(_) | Self::End(_) => StatusCode::BAD_REQUEST,
            Self::Body(error) => error.status(),
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NoSuchPin | Self::NoSuchRoute => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::UriTooLong(_) => StatusCode::URI_TOO_LONG,
            Self::HeadersTooLarge(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooMany(_) | Self::Crowded => StatusCode::TOO_MANY_REQUESTS,
            Self::OverQuota(_) => StatusCode::CONFLICT,
            Self::Overloaded | Self::Slow => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(StoreError::Full(_)) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Store(StoreError::Unavailable(_) | StoreError::Busy | StoreError::Timeout) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            // Its account left the config while the request was under way.
            Self::Store(StoreError::Unknown { what: "account", .. }) => StatusCode::UNAUTHORIZED,
            Self::Store(_) | Self::Internal(_) | Self::Panic => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The word for machines.
    pub fn reason(&self) -> &'static str {
        match self.status() {
            StatusCode::BAD_REQUEST => "BAD_REQUEST",
            StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
            StatusCode::FORBIDDEN => "FORBIDDEN",
            StatusCode::NOT_FOUND => "NOT_FOUND",
            StatusCode::METHOD_NOT_ALLOWED => "METHOD_NOT_ALLOWED",
            StatusCode::REQUEST_TIMEOUT => "REQUEST_TIMEOUT",
            StatusCode::PAYLOAD_TOO_LARGE => "PAYLOAD_TOO_LARGE",
            StatusCode::URI_TOO_LONG => "URI_TOO_LONG",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "UNSUPPORTED_MEDIA_TYPE",
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "HEADERS_TOO_LARGE",
            StatusCode::TOO_MANY_REQUESTS => "TOO_MANY_REQUESTS",
            // As the API's specification calls it: what an account may use is used up.
            StatusCode::CONFLICT => "INSUFFICIENT_FUNDS",
            StatusCode::SERVICE_UNAVAILABLE => "SERVICE_UNAVAILABLE",
            StatusCode::INSUFFICIENT_STORAGE => "INSUFFICIENT_STORAGE",
            _ => "INTERNAL_SERVER_ERROR",
        }
    }

    /// How long a client should wait, where waiting helps.
    fn retry_after(&self) -> Option<Duration> {
        let seconds = match self {
            Self::TooMany(over) => over.retry_after(),
            Self::Overloaded | Self::Crowded | Self::Store(StoreError::Busy) => 1,
            Self::Slow | Self::Store(StoreError::Unavailable(_) | StoreError::Timeout) => 5,
            Self::Store(StoreError::Full(_)) => 60,
            _ => return None,
        };
        Some(Duration::from_secs(seconds))
    }

    /// Logs what an operator should know of, once, with all its causes; what clients do wrong is in the request log, and a
    /// panic told of itself.
    pub fn log(&self, request_id: &HeaderValue) {
        let request_id = request_id.to_str().unwrap_or_default();
        match self {
            Self::Store(StoreError::Busy | StoreError::Timeout) | Self::Overloaded | Self::Slow => {
                tracing::warn!(request_id, error = %self, "request not served");
            }
            // The store tells once that it is so; each request's line has the code.
            Self::Store(StoreError::Full(_) | StoreError::Unavailable(_)) => {
                tracing::debug!(request_id, error = %chain(self), "request not served");
            }
            Self::Store(error) => {
                tracing::error!(request_id, error = %chain(error), "request failed in the store");
            }
            Self::Internal(what) => tracing::error!(request_id, error = %what, "request failed"),
            _ => {}
        }
    }

    pub fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(json::failure(self.reason(), &self.to_string())));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, json::CONTENT_TYPE);
        if let Some(wait) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        match self {
            Self::Method(route) => {
                headers.insert(header::ALLOW, HeaderValue::from_static(route.allow()));
            }
            Self::Unauthorized(_) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}

/// An error and all its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
