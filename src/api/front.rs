//! What every request passes on its way in and out, whatever it asks for.

use std::{
    net::{IpAddr, Ipv4Addr},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Instant,
};

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, request::Parts};
use tokio::sync::Semaphore;

use super::{
    Api, Settings, cors, errors::ApiError, limiting, pins, places::Places, route::Route, served::Terms,
};
use crate::{
    auth::{Principal, Unauthorized},
    limits::{Class, Standing},
    model::Peer,
    telemetry::{HttpMetrics, Label, Listener, Rejection, RequestLine, request_id, traces::Trace},
};

/// The most headers that a request may have.
const MAX_HEADERS: usize = 100;

/// The API and what it counts.
pub struct Front {
    api: Api,
    /// Requests that may wait for copies.
    waiting: Semaphore,
    places: Places,
    metrics: HttpMetrics,
}

/// Who asks, by what terms, and of whom: what every endpoint needs.
pub struct Caller<'a> {
    pub api: &'a Api,
    /// Requests that may wait for copies.
    pub waiting: &'a Semaphore,
    pub terms: &'a Terms,
    pub who: &'a Principal,
    /// The operator who asks in the account's stead.
    pub by: Option<Arc<str>>,
    pub trace: &'a Trace,
}

/// One request on its way: what it goes by, and who sent it once that is known.
struct Visit {
    terms: Arc<Terms>,
    who: Option<Arc<Principal>>,
    /// How it stands with its limits, once they were asked.
    standing: Option<Standing>,
    trace: Trace,
}

impl Front {
    pub fn new(api: Api) -> Self {
        let most = api.served.now().settings.max_in_flight.min(Semaphore::MAX_PERMITS);
        Self {
            waiting: Semaphore::new(most / 4),
            places: Places::new(most),
            metrics: api.metrics.http().clone(),
            api,
        }
    }

    /// Lets a request in, within its bounds, and sees that it comes out again.
    async fn answer(
        &self,
        route: Route,
        head: &Parts,
        body: Body,
        visit: &mut Visit,
    ) -> Result<Response, ApiError> {
        if head.method == Method::OPTIONS {
            return Ok(cors::preflight());
        }
        let settings = &visit.terms.clone().settings;
        check_size(head, settings)?;
        let _place = self.places.take().ok_or(ApiError::Overloaded)?;
        see_through(settings, self.handle(route, head, body, visit)).await
    }

    async fn handle(
        &self,
        route: Route,
        head: &Parts,
        body: Body,
        visit: &mut Visit,
    ) -> Result<Response, ApiError> {
        let endpoint = pins::Endpoint::of(route, &head.method)?;
        let who = self.let_in(head, visit)?;
        let _share = self.places.share(who.account).ok_or(ApiError::Crowded)?;
        endpoint.check_scope(who.scopes)?;
        let caller = Caller { trace: &visit.trace, ..self.caller(&visit.terms, &who) };
        endpoint.handle(&caller, head, body).await
    }

    pub fn caller<'a>(&'a self, terms: &'a Terms, who: &'a Principal) -> Caller<'a> {
        Caller { api: &self.api, waiting: &self.waiting, terms, who, by: None, trace: Trace::NONE }
    }

    pub fn api(&self) -> &Api {
        &self.api
    }

    /// What a request that begins now goes by.
    pub fn terms(&self) -> Arc<Terms> {
        self.api.served.now()
    }

    /// Finds out who asks, and whether they may ask so much. A good token is never held up by what others send from
    /// its address; see docs/limits.md.
    fn let_in(&self, head: &Parts, visit: &mut Visit) -> Result<Arc<Principal>, ApiError> {
        let peer = head.extensions.get::<Peer>();
        let class = limiting::class_of(&head.method);
        let who = match self.api.gate.authenticate(&head.headers, peer) {
            Ok(who) => who,
            // Its token was the right one, only not for pins: nobody guessed.
            Err(Unauthorized::NoAccount) => return Err(Unauthorized::NoAccount.into()),
            Err(unauthorized) => return Err(self.turn_away(unauthorized, peer, class, visit)),
        };
        visit.who = Some(who.clone());
        let admission = self.api.limits.admit(who.account, &who.token_name, class);
        visit.standing = admission.standing;
        limiting::enforce(&admission, &self.metrics)?;
        Ok(who)
    }

    /// Nobody is behind the request: 401, or 429 where that was said too often to its network.
    fn turn_away(
        &self,
        unauthorized: Unauthorized,
        peer: Option<&Peer>,
        class: Class,
        visit: &mut Visit,
    ) -> ApiError {
        let from = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address);
        let admission = self.api.limits.failed_login(from, class);
        match limiting::enforce(&admission, &self.metrics) {
            Ok(()) => unauthorized.into(),
            Err(too_many) => {
                visit.standing = admission.standing;
                too_many
            }
        }
    }

    /// Tells operators of an error, as far as it is theirs.
    fn note_error(&self, error: &ApiError, request_id: &HeaderValue) {
        error.log(request_id);
        if matches!(error, ApiError::Overloaded | ApiError::Crowded) {
            return self.metrics.rejected(Rejection::Overload);
        }
        match error.status() {
            StatusCode::UNAUTHORIZED => self.metrics.rejected(Rejection::Unauthorized),
            StatusCode::TOO_MANY_REQUESTS => self.metrics.rejected(Rejection::RateLimit),
            StatusCode::CONFLICT => self.metrics.rejected(Rejection::Quota),
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::URI_TOO_LONG => {
                self.metrics.rejected(Rejection::TooLarge)
            }
            StatusCode::FORBIDDEN => self.metrics.rejected(Rejection::Forbidden),
            _ => {}
        }
    }
}

impl Visit {
    fn count_for_account(&self, code: StatusCode) {
        if let Some(metrics) = self.who.as_ref().and_then(|who| self.terms.metrics_of(who.account)) {
            metrics.answered(code);
        }
    }
}

/// Waits for an answer, but not for ever, and takes a panic for one.
pub async fn see_through(
    settings: &Settings,
    handling: impl Future<Output = Result<Response, ApiError>>,
) -> Result<Response, ApiError> {
    let caught = AssertUnwindSafe(handling).catch_unwind();
    match tokio::time::timeout(settings.request_timeout + settings.accept_wait, caught).await {
        Ok(Ok(outcome)) => outcome,
        // It told of itself where it happened.
        Ok(Err(_)) => Err(ApiError::Panic),
        Err(_) => Err(ApiError::Slow),
    }
}

fn check_size(head: &Parts, settings: &Settings) -> Result<(), ApiError> {
    let uri = head.uri.path_and_query().map_or(0, |address| address.as_str().len());
    if uri > settings.uri_limit {
        return Err(ApiError::UriTooLong(settings.uri_limit));
    }
    if head.headers.len() > MAX_HEADERS || size(&head.headers) > settings.header_limit {
        return Err(ApiError::HeadersTooLarge(settings.header_limit));
    }
    Ok(())
}

/// Answers a request: never fails, never leaves without its id and the headers that let pages read it.
pub async fn serve(State(front): State<Arc<Front>>, request: Request) -> Response {
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let route = Route::of(head.uri.path());
    let request_id = request_id::of(&head.headers);
    let trace = front.api.traces.request(&head.headers);
    let mut visit = Visit { terms: front.terms(), who: None, standing: None, trace };
    let answering = front.answer(route, &head, body, &mut visit);
    let outcome = request_id::within(request_id.clone(), answering).await;
    let mut response = outcome.unwrap_or_else(|error| {
        front.note_error(&error, &request_id);
        error.into_response()
    });
    if let Some(standing) = visit.standing {
        limiting::show(standing, front.api.clock.now(), &mut response);
    }
    cors::open(response.headers_mut());
    response.headers_mut().insert(request_id::HEADER, request_id.clone());
    let (code, elapsed) = (response.status(), started.elapsed());
    front.metrics.answered(&head.method, route.label(), code, elapsed);
    visit.count_for_account(code);
    let caller = visit.who.as_deref();
    let line = RequestLine {
        listener: Listener::Public,
        request_id: request_id.to_str().unwrap_or_default(),
        method: &head.method,
        route: route.label().as_str(),
        code,
        elapsed,
        account: caller.map(|who| &*who.account_name),
        token: caller.map(|who| &*who.token_name),
        is_routine: false,
    };
    line.log();
    visit.trace.answered(&line);
    response
}

/// What the headers take on the wire, about.
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}
