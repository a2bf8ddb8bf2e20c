//! `POST /pins`: records a pin and answers 202 once it is on disk (I1).

use axum::{body::Body, response::Response};
use http::HeaderMap;

use super::{
    super::{body, errors::ApiError, front::Front},
    WakeEngine, acceptance,
};
use crate::{auth::Principal, telemetry::PinRequest};

pub async fn handle(
    front: &Front,
    who: &Principal,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let api = &front.api;
    let spec = body::pin_spec(headers, body, &api.settings).await?;
    let (request, changes) = acceptance::prepare(front, who, spec)?;
    let accepted = {
        let _wake = WakeEngine(&api.activator);
        api.store.accept_pin(request).await?
    };
    api.metrics.pins().accepted(PinRequest::Add);
    Ok(acceptance::finish(front, who, accepted, changes).await)
}
