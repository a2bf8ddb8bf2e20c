//! The bottom: one request, one answer, over the one client. Demands a permit.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::time::{Instant, timeout_at};
use tower::Service;

use super::{
    super::{
        classify::{Failure, Outcome, did_nothing},
        dialect::Dialect,
    },
    Call,
    spend::Permitted,
};
use crate::http;

#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) client: http::Client,
    pub(super) dialect: Dialect,
    /// Of one try: a hanging one must not use up the time of those after it.
    pub(super) timeout: Duration,
}

/// Reads the answer whole, or where it is streamed and good only its head.
async fn send(client: &http::Client, call: Call) -> Result<::http::Response<Bytes>, http::Error> {
    let Some(streamed) = call.streamed else { return client.send(call.request, call.limit).await };
    let (parts, lines) = client.open(call.request, call.limit).await?.into_parts();
    let body = if parts.status.is_success() {
        streamed.put(lines);
        Bytes::new()
    } else {
        lines.whole(http::Client::BODY_LIMIT).await?
    };
    Ok(::http::Response::from_parts(parts, body))
}

impl Service<Permitted> for Exchange {
    type Response = ::http::Response<Bytes>;
    type Error = Failure;
    type Future = BoxFuture<'static, Outcome>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, permitted: Permitted) -> Self::Future {
        let Self { client, dialect, timeout } = self.clone();
        Box::pin(async move {
            let Permitted { call, permit } = permitted;
            let (operation, doubt) = (call.operation, call.doubt.clone());
            let before = doubt.begin();
            let began = Instant::now();
            let ends = call.deadline.min(began + timeout);
            // A try that the deadline cuts off ends here, too, so that all above learn that there was no answer.
            let answer = match timeout_at(ends, send(&client, call)).await {
                Ok(answer) => answer.map_err(Failure::from),
                Err(_) => Err(Failure::TryTimeout(ends - began)),
            };
            let outcome = answer.and_then(|answer| dialect.read(operation, answer));
            if did_nothing(&outcome) {
                doubt.settle(before);
            }
            drop(permit);
            outcome
        })
    }
}
