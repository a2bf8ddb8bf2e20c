//! What every request at the operators' listener passes: it gets its id, a span where it is recorded, and one line in the
//! log.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::HeaderValue;

use super::failure::Cause;
use crate::{
    auth::Operator,
    store::StoreError,
    telemetry::{
        Listener, RequestLine, Traces, request_id,
        traces::{self, Trace},
    },
};

/// What machines ask for every few seconds.
const ROUTINE: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// The layer around all routes.
pub(super) async fn note(State(traces): State<Traces>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (mut head, body) = request.into_parts();
    let id = request_id::of(&head.headers);
    // Whoever tells of the request further in calls it the same.
    head.headers.insert(request_id::HEADER, id.clone());
    let (method, path) = (head.method.clone(), head.extensions.get::<MatchedPath>().cloned());
    let route = path.as_ref().map_or("other", MatchedPath::as_str);
    let is_routine = ROUTINE.contains(&route);
    let trace = Arc::new(if is_routine { Trace::default() } else { traces.request(&head.headers) });
    let answering = traces::within(&trace, next.run(Request::from_parts(head, body)));
    let mut response = request_id::within(id.clone(), answering).await;
    response.headers_mut().insert(request_id::HEADER, id.clone());
    tell_cause(&response, &id);
    let operator = response.extensions().get::<Arc<Operator>>();
    let line = RequestLine {
        listener: Listener::Admin,
        request_id: id.to_str().unwrap_or_default(),
        method: &method,
        route,
        code: response.status(),
        elapsed: started.elapsed(),
        account: None,
        token: operator.map(|operator| &*operator.token_name),
        is_routine: is_routine && response.status().is_success(),
    };
    line.log();
    if let Some(trace) = Arc::into_inner(trace) {
        trace.answered(&line);
    }
    response
}

/// Here only, where it is known whose request it was.
fn tell_cause(response: &Response, id: &HeaderValue) {
    if let Some(Cause(error)) = response.extensions().get()
        // The store tells once that it is so.
        && !matches!(**error, StoreError::Full(_) | StoreError::Unavailable(_))
    {
        let (request_id, error) = (id.to_str().unwrap_or_default(), &**error as &dyn std::error::Error);
        tracing::error!(request_id, error, "an admin request failed in the store");
    }
}
