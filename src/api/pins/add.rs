//! `POST /pins`: records a pin and answers 202 once it is on disk (I1).

use axum::{body::Body, response::Response};
use http::HeaderMap;

use super::{
    super::{body, errors::ApiError, front::Caller},
    WakeEngine, acceptance,
};
use crate::telemetry::PinRequest;

pub async fn handle(caller: &Caller<'_>, headers: &HeaderMap, body: Body) -> Result<Response, ApiError> {
    let api = caller.api;
    let spec = body::pin_spec(headers, body, &caller.terms.settings).await?;
    let (request, awaited) = acceptance::prepare(caller, spec)?;
    let accepted = {
        let _wake = WakeEngine(&api.activator);
        let commit = caller.trace.commit(PinRequest::Add, request.requestid);
        let accepted = api.store.accept_pin(request).await;
        commit.ended(&accepted);
        accepted?
    };
    api.metrics.pins().accepted(PinRequest::Add);
    Ok(acceptance::finish(caller, accepted, awaited).await)
}
