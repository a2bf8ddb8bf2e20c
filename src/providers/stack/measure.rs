//! Counts, times and traces every request that leaves.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};

use super::{
    super::classify::{self, Failure, Outcome},
    spend::Permitted,
};
use crate::{
    model::Clock,
    telemetry::{ProviderMetrics, traces},
};

#[derive(Clone)]
pub(super) struct MeasureLayer {
    pub(super) name: Arc<str>,
    pub(super) metrics: ProviderMetrics,
    pub(super) clock: Arc<dyn Clock>,
}

#[derive(Clone)]
pub(super) struct Measure<S> {
    inner: S,
    layer: MeasureLayer,
}

impl<S> Layer<S> for MeasureLayer {
    type Service = Measure<S>;

    fn layer(&self, inner: S) -> Measure<S> {
        Measure { inner, layer: self.clone() }
    }
}

impl<S> Service<Permitted> for Measure<S>
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

    fn call(&mut self, mut permitted: Permitted) -> Self::Future {
        let (inner, MeasureLayer { name, metrics, clock }) = (self.inner.clone(), self.layer.clone());
        Box::pin(async move {
            let (operation, expect) = (permitted.call.operation, permitted.call.expect);
            let traced = traces::attempt(&name, operation, permitted.call.resent);
            permitted.call.request.headers_mut().extend(traced.header());
            let (began, _in_flight) = (Instant::now(), metrics.in_flight());
            let outcome = inner.oneshot(permitted).await;
            let class = classify::class(expect, &outcome, clock.now());
            metrics.call(operation, class, began.elapsed());
            traced.ended(class, outcome.as_ref().ok().map(|answer| answer.status()));
            if class.is_ok() {
                metrics.last_success(clock.now());
            }
            outcome
        })
    }
}
