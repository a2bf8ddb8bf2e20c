//! Takes a permit for every request that leaves, and learns from its answer how long to keep away.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use tower::{Layer, Service, ServiceExt};

use super::{
    super::{
        Permit,
        budget::{Budget, NoPermit},
        classify::{Failure, Outcome},
    },
    Call,
};
use crate::model::{Clock, Timestamp};

/// A call that may leave: there is no way to the client but with a permit.
pub(super) struct Permitted {
    pub(super) call: Call,
    pub(super) permit: Permit,
}

#[derive(Clone)]
pub(super) struct SpendLayer {
    pub(super) budget: Arc<Budget>,
    pub(super) clock: Arc<dyn Clock>,
}

#[derive(Clone)]
pub(super) struct Spend<S> {
    inner: S,
    layer: SpendLayer,
}

impl<S> Layer<S> for SpendLayer {
    type Service = Spend<S>;

    fn layer(&self, inner: S) -> Spend<S> {
        Spend { inner, layer: self.clone() }
    }
}

impl<S> Service<Call> for Spend<S>
where
    S: Service<Permitted, Response = ::http::Response<Bytes>, Error = Failure> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = Failure;
    type Future = BoxFuture<'static, Outcome>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let (inner, SpendLayer { budget, clock }) = (self.inner.clone(), self.layer.clone());
        Box::pin(async move {
            let permit = budget.permit(call.class()).await.map_err(|why| failure(why, clock.now()))?;
            let about = (permit.class, permit.began);
            let outcome = inner.oneshot(Permitted { call, permit }).await;
            if let Ok(answer) = &outcome {
                budget.learn(about, answer).await;
            }
            outcome
        })
    }
}

fn failure(why: NoPermit, now: Timestamp) -> Failure {
    match why {
        NoPermit::Throttled(span) => Failure::Throttled(now.plus(span)),
        NoPermit::Spent(span) => Failure::Spent(now.plus(span)),
        NoPermit::Uncounted => Failure::Uncounted,
    }
}
