//! What operators send: JSON, of which unknown keys are refused rather than passed over.

use std::time::Duration;

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, Request},
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::Failure;

/// No request needs more.
const LIMIT: usize = 64 * 1024;

/// How long it may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// The body as JSON; an empty one is `{}`. Its content type does not matter: a write needs a token anyway.
pub struct Sent<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let body = timeout(PATIENCE, to_bytes(request.into_body(), LIMIT)).await;
        let body = body
            .map_err(|_| Failure::too_slow(format!("the body must come within {} s", PATIENCE.as_secs())))?
            .map_err(|_| Failure::too_large(format!("the body must come whole, in at most {LIMIT} bytes")))?;
        let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
        let read = serde_json::from_slice(&body);
        read.map(Self).map_err(|error| Failure::bad_request(format!("the body cannot be used: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, response::IntoResponse};
    use futures::stream;
    use http::StatusCode;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let silent = stream::pending::<Result<Bytes, std::io::Error>>();
        let request = Request::new(Body::from_stream(silent));
        let reading = Sent::<serde_json::Value>::from_request(request, &());
        let read = tokio::time::timeout(2 * PATIENCE, reading).await.expect("an end");
        assert_eq!(read.err().unwrap().into_response().status(), StatusCode::REQUEST_TIMEOUT);
    }
}
