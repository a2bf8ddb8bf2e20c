//! Ends a call when the operation that it is a part of has used up its time.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use tower::{Layer, Service, ServiceExt};

use super::{
    super::classify::{Failure, Outcome},
    Call,
};

#[derive(Clone)]
pub(super) struct DeadlineLayer {
    /// For the words of the error; the instant is the call's own.
    pub(super) total: Duration,
}

#[derive(Clone)]
pub(super) struct Deadline<S> {
    inner: S,
    total: Duration,
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline { inner, total: self.total }
    }
}

impl<S> Service<Call> for Deadline<S>
where
    S: Service<Call, Response = ::http::Response<Bytes>, Error = Failure> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = Failure;
    type Future = BoxFuture<'static, Outcome>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let (inner, total) = (self.inner.clone(), self.total);
        Box::pin(async move {
            let deadline = call.deadline;
            let ended = tokio::time::timeout_at(deadline, inner.oneshot(call)).await;
            ended.unwrap_or(Err(Failure::Deadline(total)))
        })
    }
}
