//! The top: turns answers and failures into our own words, once.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use tower::{Layer, Service, ServiceExt};

use super::{
    super::{
        ProviderError, Settings,
        budget::Budget,
        classify::{self, Failure},
        secrets::Secrets,
        standing::Memory,
    },
    Answer, Call,
};
use crate::model::Clock;

#[derive(Clone)]
pub(super) struct EdgeLayer {
    pub(super) settings: Arc<Settings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) budget: Arc<Budget>,
    pub(super) errors: Arc<Memory>,
    pub(super) secrets: Arc<Secrets>,
}

#[derive(Clone)]
pub(super) struct Edge<S> {
    inner: S,
    layer: EdgeLayer,
}

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Edge<S> {
        Edge { inner, layer: self.clone() }
    }
}

impl<S> Service<Call> for Edge<S>
where
    S: Service<Call, Response = ::http::Response<Bytes>, Error = Failure> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Answer;
    type Error = ProviderError;
    type Future = BoxFuture<'static, Result<Answer, ProviderError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProviderError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let (inner, EdgeLayer { settings, clock, budget, errors, secrets }) =
            (self.inner.clone(), self.layer.clone());
        Box::pin(async move {
            let (operation, expect, class) = (call.operation, call.expect, call.class());
            let doubt = call.doubt.clone();
            let outcome = inner.oneshot(call).await;
            // What never left says nothing that the provider did.
            let was_called = doubt.has_left() || !classify::is_kept_back(&outcome);
            let context = || classify::Context {
                provider: &settings.name,
                operation,
                secrets: &secrets,
                was_called,
                maybe_done: doubt.get(),
                now: clock.now(),
            };
            let result = match outcome {
                Ok(answer) if classify::is_missing(expect, &answer) => Ok(Answer::Missing),
                Ok(answer) if answer.status().is_success() => {
                    Ok(Answer::Body { code: answer.status().as_u16(), body: answer.into_body() })
                }
                Ok(answer) => {
                    let blocked = budget.blocked_for(class).map(|span| clock.now().plus(span));
                    Err(context().refused(expect, &answer, blocked))
                }
                Err(failure) => Err(context().failed(&failure)),
            };
            if let (Err(error), true) = (&result, was_called) {
                errors.note(error, clock.now());
            }
            result
        })
    }
}
