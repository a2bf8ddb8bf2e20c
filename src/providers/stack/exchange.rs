//! The bottom: one request, one answer, over the one client. Demands a permit.

use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use tower::Service;

use super::{
    super::classify::{Failure, Outcome, did_nothing},
    spend::Permitted,
};
use crate::http;

#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) client: http::Client,
}

impl Service<Permitted> for Exchange {
    type Response = ::http::Response<Bytes>;
    type Error = Failure;
    type Future = BoxFuture<'static, Outcome>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, permitted: Permitted) -> Self::Future {
        let client = self.client.clone();
        Box::pin(async move {
            let Permitted { call, permit } = permitted;
            let before = call.doubt.begin();
            let outcome = client.send(call.request, call.limit).await.map_err(Failure::from);
            if did_nothing(&outcome) {
                call.doubt.settle(before);
            }
            drop(permit);
            outcome
        })
    }
}
