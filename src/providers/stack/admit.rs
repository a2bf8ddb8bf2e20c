//! Asks the breaker before a try, and tells it how the try ended.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use tower::{Layer, Service, ServiceExt};

use super::{
    super::{
        breaker::{Breaker, Verdict},
        budget::Budget,
        classify::{Failure, Outcome, is_sick},
    },
    Call,
};
use crate::model::{Clock, Timestamp};

#[derive(Clone)]
pub(super) struct AdmitLayer {
    pub(super) breaker: Arc<Breaker>,
    /// Whose time the breaker goes by.
    pub(super) budget: Arc<Budget>,
    pub(super) clock: Arc<dyn Clock>,
}

#[derive(Clone)]
pub(super) struct Admit<S> {
    inner: S,
    layer: AdmitLayer,
}

impl<S> Layer<S> for AdmitLayer {
    type Service = Admit<S>;

    fn layer(&self, inner: S) -> Admit<S> {
        Admit { inner, layer: self.clone() }
    }
}

impl<S> Service<Call> for Admit<S>
where
    S: Service<Call, Response = ::http::Response<bytes::Bytes>, Error = Failure> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = Failure;
    type Future = BoxFuture<'static, Outcome>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let (inner, AdmitLayer { breaker, budget, clock }) = (self.inner.clone(), self.layer.clone());
        Box::pin(async move {
            let began = budget.now();
            let shut = |until: Timestamp| Failure::Shut(clock.now().plus(until.since(began)));
            let admission = breaker.admit(began).map_err(shut)?;
            let outcome = inner.oneshot(call).await;
            match &outcome {
                // It never left, so nothing was learned.
                Err(Failure::Throttled(_) | Failure::Spent(_) | Failure::Uncounted) => drop(admission),
                _ if is_sick(&outcome, clock.now()) => admission.settle(Verdict::Failed, budget.now()),
                _ => admission.settle(Verdict::Answered, budget.now()),
            }
            outcome
        })
    }
}
