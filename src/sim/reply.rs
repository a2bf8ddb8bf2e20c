//! The answers of a simulated provider, as HTTP.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;

use crate::model::Timestamp;

use super::{
    dialect::Removed,
    errors::{Errors, Problem},
    faults::RetryAfter,
};

pub(super) type Answer = Response<Full<Bytes>>;

/// What becomes of a request.
pub(super) enum Reply {
    Answer(Answer),
    Reset,
    Hang,
}

pub(super) const RATE_LIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

fn status_code(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn with_type(code: u16, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status_code(code);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

pub(super) fn json(code: u16, body: &Value) -> Answer {
    with_type(code, "application/json", body.to_string())
}

pub(super) fn empty(code: u16) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status_code(code);
    answer
}

pub(super) fn removed(code: u16, body: Removed) -> Answer {
    match body {
        Removed::Empty => empty(code),
        Removed::EmptyJson => with_type(code, "application/json", ""),
        Removed::Object => with_type(code, "application/json", "{}"),
        Removed::Ok => with_type(code, "text/plain", "OK"),
    }
}

/// 200 and a body that is cut off in the middle of something else.
pub(super) fn garbage() -> Answer {
    with_type(200, "application/json", r#"{"requestid":7,"status":["#)
}

/// An error as a page of HTML.
pub(super) fn page(code: u16) -> Answer {
    let title = status_code(code);
    with_type(code, "text/html", format!("<html><body><h1>{title}</h1></body></html>"))
}

/// 429 that says when to come back in one of the three ways.
pub(super) fn too_many(errors: Errors, retry_after: RetryAfter, now: Timestamp) -> Answer {
    let later = |seconds: u32| now.plus(Duration::from_secs(seconds.into()));
    let said: Option<(HeaderName, String)> = match retry_after {
        RetryAfter::Unsaid => None,
        RetryAfter::Seconds(seconds) => Some((header::RETRY_AFTER, seconds.to_string())),
        RetryAfter::HttpDate(seconds) => Some((header::RETRY_AFTER, http_date(later(seconds)))),
        RetryAfter::RateLimitReset(seconds) => Some((RATE_LIMIT_RESET, later(seconds).as_secs().to_string())),
    };
    let mut answer = errors.answer(&Problem::TooMany);
    // The same clock as Retry-After's, which callers measure from this.
    answer.headers_mut().extend(HeaderValue::from_str(&http_date(now)).ok().map(|date| (header::DATE, date)));
    if let Some((name, Ok(value))) = said.map(|(name, value)| (name, value.try_into())) {
        answer.headers_mut().insert(name, value);
    }
    answer
}

fn http_date(at: Timestamp) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + at.since(Timestamp::ZERO))
}
