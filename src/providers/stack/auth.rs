//! Puts the credential on each try; where it is refused and can be renewed, tries once more with the new one.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use ::http::{HeaderValue, StatusCode, header::AUTHORIZATION};
use bytes::Bytes;
use futures::future::BoxFuture;
use tower::{Layer, Service, ServiceExt};

use super::{
    super::{
        classify::{Failure, Outcome},
        credential::Keeper,
    },
    Call,
};

#[derive(Clone)]
pub(super) struct AuthLayer {
    pub(super) keeper: Arc<Keeper>,
}

#[derive(Clone)]
pub(super) struct Auth<S> {
    inner: S,
    keeper: Arc<Keeper>,
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        Auth { inner, keeper: self.keeper.clone() }
    }
}

impl<S> Service<Call> for Auth<S>
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
        let (inner, keeper) = (self.inner.clone(), self.keeper.clone());
        Box::pin(async move {
            let header = keeper.header().await?;
            let answer = inner.clone().oneshot(with(call.clone(), header.as_ref())).await?;
            if answer.status() != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            // A 401 did nothing, so that a submit may be sent again as well.
            match keeper.instead_of(header.as_ref()).await? {
                Some(other) => inner.oneshot(with(call, Some(&other))).await,
                None => Ok(answer),
            }
        })
    }
}

fn with(mut call: Call, header: Option<&HeaderValue>) -> Call {
    if let Some(header) = header {
        call.request.headers_mut().insert(AUTHORIZATION, header.clone());
    }
    call
}
