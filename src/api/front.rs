//! What every request passes on its way in and out, whatever it asks for.

use std::{any::Any, collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, request::Parts};
use tokio::sync::Semaphore;

use super::{Api, cors, errors::ApiError, pins, request_id, route::Route};
use crate::{
    auth::Principal,
    model::AccountId,
    telemetry::{AccountMetrics, HttpMetrics, Listener, Rejection, RequestLine},
};

/// The most headers that a request may have.
const MAX_HEADERS: usize = 100;

/// The API and what it counts.
pub struct Front {
    pub api: Api,
    /// Requests that may wait for copies.
    pub waiting: Semaphore,
    accounts: HashMap<AccountId, Served>,
    in_flight: Semaphore,
    metrics: HttpMetrics,
}

struct Served {
    policy: String,
    metrics: AccountMetrics,
}

impl Front {
    pub fn new(api: Api) -> Self {
        let served = api.accounts.iter().map(|account| {
            let metrics = api.metrics.account(&account.name);
            (account.id, Served { policy: account.policy.clone(), metrics })
        });
        Self {
            accounts: served.collect(),
            waiting: Semaphore::new(api.settings.max_in_flight / 4),
            in_flight: Semaphore::new(api.settings.max_in_flight.min(Semaphore::MAX_PERMITS)),
            metrics: api.metrics.http().clone(),
            api,
        }
    }

    /// The policy that places an account's pins.
    pub fn policy_of(&self, account: AccountId) -> Result<&str, ApiError> {
        let served = self.accounts.get(&account);
        served
            .map(|served| served.policy.as_str())
            .ok_or(ApiError::Internal("a token's account is not served"))
    }

    /// Lets a request in, within its bounds, and sees that it comes out again.
    async fn answer<'a>(
        &'a self,
        route: Route,
        head: &Parts,
        body: Body,
        caller: &mut Option<&'a Principal>,
    ) -> Result<Response, ApiError> {
        if head.method == Method::OPTIONS {
            return Ok(cors::preflight());
        }
        self.check_size(head)?;
        let _permit = self.in_flight.try_acquire().map_err(|_| ApiError::Overloaded)?;
        let handling = self.handle(route, head, body, caller);
        let caught = AssertUnwindSafe(handling).catch_unwind();
        let settings = &self.api.settings;
        match tokio::time::timeout(settings.request_timeout + settings.accept_wait, caught).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(ApiError::Panic(words(&*panic))),
            Err(_) => Err(ApiError::Slow),
        }
    }

    async fn handle<'a>(
        &'a self,
        route: Route,
        head: &Parts,
        body: Body,
        caller: &mut Option<&'a Principal>,
    ) -> Result<Response, ApiError> {
        let endpoint = pins::Endpoint::of(route, &head.method)?;
        let who = self.api.tokens.authenticate(&head.headers)?;
        *caller = Some(who);
        endpoint.handle(self, who, head, body).await
    }

    fn check_size(&self, head: &Parts) -> Result<(), ApiError> {
        let settings = &self.api.settings;
        let uri = head.uri.path_and_query().map_or(0, |address| address.as_str().len());
        if uri > settings.uri_limit {
            return Err(ApiError::UriTooLong(settings.uri_limit));
        }
        if head.headers.len() > MAX_HEADERS || size(&head.headers) > settings.header_limit {
            return Err(ApiError::HeadersTooLarge(settings.header_limit));
        }
        Ok(())
    }

    /// Tells operators of an error, as far as it is theirs.
    fn note_error(&self, error: &ApiError, request_id: &HeaderValue) {
        error.log(request_id);
        match error.status() {
            StatusCode::UNAUTHORIZED => self.metrics.rejected(Rejection::Unauthorized),
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::URI_TOO_LONG => {
                self.metrics.rejected(Rejection::TooLarge)
            }
            _ if matches!(error, ApiError::Overloaded) => self.metrics.rejected(Rejection::Overload),
            _ => {}
        }
    }

    fn count_for_account(&self, caller: Option<&Principal>, code: StatusCode) {
        if let Some(served) = caller.and_then(|who| self.accounts.get(&who.account)) {
            served.metrics.answered(code);
        }
    }
}

/// Answers a request: never fails, never leaves without its id and the headers that let pages read it.
pub async fn serve(State(front): State<Arc<Front>>, request: Request) -> Response {
    let started = Instant::now();
    let _in_flight = front.metrics.in_flight(Listener::Public);
    let (head, body) = request.into_parts();
    let route = Route::of(head.uri.path());
    let request_id = request_id::of(&head.headers);
    let mut caller = None;
    let outcome = front.answer(route, &head, body, &mut caller).await;
    let mut response = outcome.unwrap_or_else(|error| {
        front.note_error(&error, &request_id);
        error.into_response()
    });
    cors::open(response.headers_mut());
    response.headers_mut().insert(request_id::HEADER, request_id.clone());
    let (code, elapsed) = (response.status(), started.elapsed());
    front.metrics.answered(&head.method, route.label(), code, elapsed);
    front.count_for_account(caller, code);
    let line = RequestLine {
        request_id: request_id.to_str().unwrap_or_default(),
        method: &head.method,
        route: route.label(),
        code,
        elapsed,
        account: caller.map(|who| &*who.account_name),
        token: caller.map(|who| &*who.token_name),
    };
    line.log();
    response
}

/// What the headers take on the wire, about.
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without words").to_owned()
}
