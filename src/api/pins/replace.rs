//! `POST /pins/{requestid}`: a new pin in place of an old one, whose id is gone at once (I2).

use axum::{body::Body, response::Response};
use http::HeaderMap;

use super::{
    super::{body, errors::ApiError, front::Caller},
    WakeEngine, acceptance,
};
use crate::{model::RequestId, telemetry::PinRequest};

pub async fn handle(
    caller: &Caller<'_>,
    old: RequestId,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let api = caller.api;
    let spec = body::pin_spec(headers, body, &caller.terms.settings).await?;
    let (request, awaited) = acceptance::prepare(caller, spec)?;
    let replaced = {
        let _wake = WakeEngine(&api.activator);
        let commit = caller.trace.commit(PinRequest::Replace, request.requestid);
        let replaced = api.store.replace_pin(old, request).await;
        commit.ended(&replaced);
        replaced?
    };
    let accepted = replaced.ok_or(ApiError::NoSuchPin)?;
    api.metrics.pins().accepted(PinRequest::Replace);
    Ok(acceptance::finish(caller, accepted, awaited).await)
}
