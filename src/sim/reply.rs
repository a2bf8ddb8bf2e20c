//! The answers of a simulated provider: pins as JSON with its quirks, errors in its shape.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Map, Value, json};

use crate::model::Timestamp;

use super::{
    behaviour::Behaviour,
    faults::RetryAfter,
    pins::{Held, Moment},
};

pub(super) type Answer = Response<Full<Bytes>>;

/// What becomes of a request.
pub(super) enum Reply {
    Answer(Answer),
    Reset,
    Hang,
}

pub(super) fn status_code(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn with_type(code: u16, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status_code(code);
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
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

/// 200 and a body that is cut off in the middle of something else.
pub(super) fn garbage() -> Answer {
    with_type(200, "application/json", r#"{"requestid":7,"status":["#)
}

/// An error: in the specification's shape, or a page of HTML.
pub(super) fn failure(html: bool, code: u16, details: &str) -> Answer {
    if html {
        let title = status_code(code);
        return with_type(code, "text/html", format!("<html><body><h1>{title}</h1></body></html>"));
    }
    json(code, &json!({ "error": { "reason": reason(code), "details": details } }))
}

fn reason(code: u16) -> &'static str {
    match code {
        400 => "BAD_REQUEST",
        401 => "UNAUTHORIZED",
        402 | 409 => "INSUFFICIENT_FUNDS",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        405 => "METHOD_NOT_ALLOWED",
        413 => "PAYLOAD_TOO_LARGE",
        429 => "TOO_MANY_REQUESTS",
        500..=599 => "INTERNAL_SERVER_ERROR",
        _ => "SIMULATED_FAULT",
    }
}

/// 429 that says when to come back in one of the three ways.
pub(super) fn too_many(html: bool, retry_after: RetryAfter, now: Timestamp) -> Answer {
    let later = |seconds: u32| now.plus(Duration::from_secs(seconds.into()));
    let said: Option<(HeaderName, String)> = match retry_after {
        RetryAfter::Unsaid => None,
        RetryAfter::Seconds(seconds) => Some((header::RETRY_AFTER, seconds.to_string())),
        RetryAfter::HttpDate(seconds) => Some((header::RETRY_AFTER, http_date(later(seconds)))),
        RetryAfter::RateLimitReset(seconds) => {
            Some((HeaderName::from_static("x-ratelimit-reset"), later(seconds).as_secs().to_string()))
        }
    };
    let mut answer = failure(html, 429, "too many requests: come back later");
    // The same clock as Retry-After's, which callers measure from this.
    answer
        .headers_mut()
        .extend(header::HeaderValue::from_str(&http_date(now)).ok().map(|date| (header::DATE, date)));
    if let Some((name, Ok(value))) = said.map(|(name, value)| (name, value.try_into())) {
        answer.headers_mut().insert(name, value);
    }
    answer
}

fn http_date(at: Timestamp) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + at.since(Timestamp::ZERO))
}

/// Where a PinStatus is shown: some providers tell more in the answer to a POST.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Posted,
    Read,
}

pub(super) fn pin_status(held: &Held, behaviour: &Behaviour, moment: Moment, shown: Shown) -> Value {
    let status = held.status(moment.pace, moment.now);
    let info = match status {
        crate::model::Status::Failed => {
            Some(json!({ "status_details": "failed on purpose by the simulator" }))
        }
        _ => None,
    };
    let delegates = match (behaviour.null_arrays, shown) {
        (true, Shown::Read) => Value::Null,
        _ => json!(behaviour.delegates),
    };
    let id = if behaviour.camel_case_ids { "requestId" } else { "requestid" };
    let mut fields = Map::new();
    fields.insert(id.to_owned(), json!(held.id));
    fields.insert("status".to_owned(), json!(status.as_str()));
    fields.insert("created".to_owned(), json!(held.created.to_string()));
    fields.insert("pin".to_owned(), pin(held, behaviour));
    fields.insert("delegates".to_owned(), delegates);
    put(&mut fields, "info", info, behaviour.null_arrays);
    Value::Object(fields)
}

fn pin(held: &Held, behaviour: &Behaviour) -> Value {
    let asked = &held.asked;
    let meta = asked.meta.as_ref().filter(|_| !behaviour.drop_meta);
    let meta = meta.map(|meta| meta.iter().map(|(key, value)| (key.to_owned(), json!(value))).collect());
    let origins = (!asked.origins.is_empty()).then(|| json!(asked.origins));
    let mut fields = Map::new();
    fields.insert("cid".to_owned(), json!(asked.cid.as_str()));
    put(&mut fields, "name", asked.name.as_ref().map(|name| json!(name)), false);
    put(&mut fields, "meta", meta.map(Value::Object), behaviour.null_arrays);
    put(&mut fields, "origins", origins, behaviour.null_arrays);
    Value::Object(fields)
}

fn put(fields: &mut Map<String, Value>, key: &str, value: Option<Value>, null: bool) {
    if let Some(value) = value.or(null.then_some(Value::Null)) {
        fields.insert(key.to_owned(), value);
    }
}
