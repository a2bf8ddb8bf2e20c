//! The body of `POST`: read within its bounds, then checked into a `PinSpec`.

#[cfg(test)]
mod tests;

use axum::body::Body;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use thiserror::Error;

use super::Settings;
use crate::model::{CidError, Meta, MetaError, Origins, PinCid, PinSpec, name};

/// Why a body is refused; the words say what to send instead.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    #[error("the content type is not JSON: send the header Content-Type: application/json")]
    ContentType,
    #[error("the content encoding is not supported: send the body uncompressed")]
    Encoding,
    #[error("the body is longer than {0} bytes: send less meta and fewer origins")]
    TooLarge(usize),
    #[error("the body did not arrive in time: send it again, at once")]
    Late,
    #[error("the body ended early or was garbled on its way: send it again")]
    Broken,
    #[error("the body is not JSON ({0}): send an object such as {{\"cid\":\"bafy...\",\"name\":\"photos\"}}")]
    Json(String),
    #[error("the body is not a JSON object: send one such as {{\"cid\":\"bafy...\",\"name\":\"photos\"}}")]
    NotAnObject,
    #[error("cid is missing: send {{\"cid\":\"bafy...\"}}")]
    NoCid,
    #[error("cid: {0}")]
    Cid(#[from] CidError),
    #[error("{0}: send {1}, or leave it out")]
    Type(&'static str, &'static str),
    #[error("name is longer than 255 characters: send a shorter one")]
    NameTooLong,
    #[error("{0} contains a NUL character: leave it out")]
    Nul(&'static str),
    #[error("the value of {0:?} in meta is not a string: send strings only, such as \"7\" for 7")]
    MetaValue(String),
    #[error(transparent)]
    Meta(#[from] MetaError),
}

impl BodyError {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::ContentType | Self::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Late => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads and checks the body of an add or a replace.
pub async fn pin_spec(headers: &HeaderMap, body: Body, settings: &Settings) -> Result<PinSpec, BodyError> {
    check_headers(headers)?;
    let reading = read(body, settings.body_limit);
    let bytes = tokio::time::timeout(settings.body_timeout, reading).await.map_err(|_| BodyError::Late)??;
    parse(&bytes)
}

fn check_headers(headers: &HeaderMap) -> Result<(), BodyError> {
    if headers.get(header::CONTENT_TYPE).is_some_and(|value| !is_json(value.as_bytes())) {
        return Err(BodyError::ContentType);
    }
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => Err(BodyError::Encoding),
        _ => Ok(()),
    }
}

/// Whether a content type is `application/json`, `text/json` or some `application/...+json`.
fn is_json(value: &[u8]) -> bool {
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = String::from_utf8_lossy(essence).trim().to_ascii_lowercase();
    matches!(essence.as_str(), "" | "application/json" | "text/json")
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// How many times the limit is read and dropped, so that a client that writes before it reads gets to its answer.
const DRAINED: usize = 4;

async fn read(mut body: Body, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut kept = Vec::new();
    let mut seen = 0usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen <= limit {
            kept.extend_from_slice(&data);
        } else if seen > limit.saturating_mul(DRAINED) {
            break;
        }
    }
    if seen > limit { Err(BodyError::TooLarge(limit)) } else { Ok(kept) }
}

/// Checks the JSON of a pin. Unknown keys are ignored; `null` is the same as absent.
pub fn parse(bytes: &[u8]) -> Result<PinSpec, BodyError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| BodyError::Json(error.to_string()))?;
    let Value::Object(mut fields) = value else { return Err(BodyError::NotAnObject) };
    Ok(PinSpec {
        cid: cid(take(&mut fields, "cid"))?,
        name: pin_name(take(&mut fields, "name"))?,
        meta: meta(take(&mut fields, "meta"))?,
        origins: origins(take(&mut fields, "origins"))?,
    })
}

fn take(fields: &mut Map<String, Value>, key: &str) -> Option<Value> {
    fields.remove(key).filter(|value| !value.is_null())
}

fn cid(value: Option<Value>) -> Result<PinCid, BodyError> {
    match value {
        Some(Value::String(text)) => Ok(PinCid::parse(&text)?),
        Some(_) => Err(BodyError::Cid(CidError::Syntax)),
        None => Err(BodyError::NoCid),
    }
}

fn pin_name(value: Option<Value>) -> Result<Option<String>, BodyError> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) if text.contains('\0') => Err(BodyError::Nul("name")),
        Some(Value::String(text)) if !name::fits(&text) => Err(BodyError::NameTooLong),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(BodyError::Type("name is not a string", "a string")),
    }
}

fn meta(value: Option<Value>) -> Result<Option<Meta>, BodyError> {
    let fields = match value {
        None => return Ok(None),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(BodyError::Type("meta is not an object", "an object of strings")),
    };
    let entries = fields.into_iter().map(meta_entry).collect::<Result<_, _>>()?;
    Ok(Some(Meta::try_new(entries)?))
}

fn meta_entry((key, value): (String, Value)) -> Result<(String, String), BodyError> {
    let Value::String(value) = value else { return Err(BodyError::MetaValue(key)) };
    if key.contains('\0') || value.contains('\0') {
        return Err(BodyError::Nul("meta"));
    }
    Ok((key, value))
}

/// What is no usable address is dropped: Kubo sends all that it has.
fn origins(value: Option<Value>) -> Result<Origins, BodyError> {
    const WANTED: BodyError = BodyError::Type("origins is not an array of strings", "multiaddrs as strings");
    let list = match value {
        None => return Ok(Origins::default()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(WANTED),
    };
    let texts = list.into_iter().map(|item| match item {
        Value::String(text) => Ok(text),
        _ => Err(WANTED),
    });
    Ok(Origins::keep_usable(texts.collect::<Result<Vec<_>, _>>()?))
}
