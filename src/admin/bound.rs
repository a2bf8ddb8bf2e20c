//! The most requests of operators at once: what comes beyond is refused instead of kept waiting.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;

use super::Failure;

#[derive(Clone)]
pub(super) struct Bound(Arc<Semaphore>);

impl Bound {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }
}

pub(super) async fn admit(State(bound): State<Bound>, request: Request, next: Next) -> Response {
    match bound.0.try_acquire() {
        Ok(_permit) => next.run(request).await,
        Err(_) => Failure::overloaded().into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware, routing::get};
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn requests_beyond_the_bound_are_refused_until_one_is_answered() {
        let bound = Bound::new(1);
        let router = Router::new()
            .route("/", get(|| async { "ok" }))
            .route_layer(middleware::from_fn_with_state(bound.clone(), admit));
        let ask = || router.clone().oneshot(Request::get("/").body(Body::empty()).unwrap());
        let held = bound.0.clone().try_acquire_owned().unwrap();
        assert_eq!(ask().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(held);
        assert_eq!(ask().await.unwrap().status(), StatusCode::OK);
    }
}
