//! The bottom: one request, one answer, over the one client. Demands a permit.

use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
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
        let Self { client, dialect } = self.clone();
        Box::pin(async move {
            let Permitted { call, permit } = permitted;
            let (operation, doubt) = (call.operation, call.doubt.clone());
            let before = doubt.begin();
            let answer = send(&client, call).await.map_err(Failure::from);
            let outcome = answer.and_then(|answer| dialect.read(operation, answer));
            if did_nothing(&outcome) {
                doubt.settle(before);
            }
            drop(permit);
            outcome
        })
    }
}
