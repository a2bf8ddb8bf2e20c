//! What operators send: JSON, of which unknown keys are refused rather than passed over.

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, Request},
};
use serde::de::DeserializeOwned;

use super::Failure;

/// No request needs more.
const LIMIT: usize = 64 * 1024;

/// The body as JSON; an empty one is `{}`. Its content type does not matter: a write needs a token anyway.
pub struct Sent<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let body = to_bytes(request.into_body(), LIMIT).await;
        let body = body
            .map_err(|_| Failure::too_large(format!("the body must come whole, in at most {LIMIT} bytes")))?;
        let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
        let read = serde_json::from_slice(&body);
        read.map(Self).map_err(|error| Failure::bad_request(format!("the body cannot be used: {error}")))
    }
}
