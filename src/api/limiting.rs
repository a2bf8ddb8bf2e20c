//! Asks the limits before a request is served, and tells clients how they stand with them.

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::errors::ApiError;
use crate::{
    limits::{Admission, Class, Kind, Over, Standing},
    model::Timestamp,
    telemetry::{HttpMetrics, LimitKind, LimitOutcome, RequestClass},
};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Which purse a request is paid from.
pub fn class_of(method: &Method) -> Class {
    match *method {
        Method::GET | Method::HEAD => Class::Read,
        _ => Class::Write,
    }
}

/// Counts what is over a limit, and refuses it unless that is only watched.
pub fn enforce(admission: &Admission, metrics: &HttpMetrics) -> Result<(), ApiError> {
    let Some(over) = admission.over else { return Ok(()) };
    let refusal = admission.refusal();
    let outcome = if refusal.is_some() { LimitOutcome::Refused } else { LimitOutcome::Shadowed };
    metrics.over_limit(kind(over.kind), class(over.class), outcome);
    refusal.map_or(Ok(()), |over| Err(ApiError::TooMany(over)))
}

/// Says how a client stands with the tightest of its limits: how many at once, how many of them now, and from when on
/// all of them again, in seconds since 1970.
pub fn show(standing: Standing, now: Timestamp, response: &mut Response) {
    let full_at = now.plus(standing.full_in).as_millis();
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(LIMIT, HeaderValue::from(standing.limit));
    headers.insert(REMAINING, HeaderValue::from(standing.remaining));
    headers.insert(RESET, HeaderValue::from(-(-full_at).div_euclid(1000)));
}

/// What a client that was over a limit reads: which, and what to do.
pub fn details(over: &Over) -> String {
    let Over { kind, class, limit, .. } = over;
    let seconds = over.retry_after();
    let less = match class {
        Class::Read => "ask for many pins at a time, with limit up to 1000, and less often",
        Class::Write => "send less at a time",
    };
    let who = match kind {
        Kind::Token => "this token",
        Kind::Account => "all tokens of this account together",
        Kind::Login => {
            return format!(
                "the access token is missing or invalid, and too many such requests came from this address ({limit}): correct the header Authorization: Bearer TOKEN, and try again in {seconds} s"
            );
        }
    };
    format!(
        "{who} may send {class} requests at {limit}: try again in {seconds} s, {less}, or have the gateway's operator raise the limit"
    )
}

fn kind(kind: Kind) -> LimitKind {
    match kind {
        Kind::Token => LimitKind::Token,
        Kind::Account => LimitKind::Account,
        Kind::Login => LimitKind::Login,
    }
}

fn class(class: Class) -> RequestClass {
    match class {
        Class::Read => RequestClass::Read,
        Class::Write => RequestClass::Write,
    }
}

#[cfg(test)]
mod tests;
