//! `/api/v1/pins`: pins of any account, as their own clients see and make them. One pin is explained instead: see
//! [`explain`](super::explain).

use std::sync::Arc;

use async_trait::async_trait;
use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, Request, State},
    response::Response,
    routing::{delete, get},
};
use http::{StatusCode, request::Parts};

use super::{Failure, explain::explained, json_response};
use crate::{
    auth::Operator,
    model::{Clock, RequestId, Status, known},
    store::SharedStore,
};

/// What an operator wants of an account's pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinErrand {
    List,
    Add,
    Remove(RequestId),
}

/// Who answers for pins: the API that their clients ask.
#[async_trait]
pub trait Pins: Send + Sync + 'static {
    /// The accounts that are served, in order.
    fn accounts(&self) -> Vec<String>;

    /// Does it for one of these accounts. Filters are in the head's address. `by` is the operator's name.
    async fn run(
        &self,
        errand: PinErrand,
        account: &str,
        by: Option<Arc<str>>,
        head: &Parts,
        body: Body,
    ) -> Response;

    /// Somebody waits for this pin.
    fn ask_after(&self, pin: RequestId);
}

/// All that it takes; clones share it.
#[derive(Clone)]
struct Desk {
    pins: Arc<dyn Pins>,
    store: SharedStore,
    clock: Arc<dyn Clock>,
}

/// The routes, below `/api/v1`.
pub fn pin_routes(pins: Arc<dyn Pins>, store: SharedStore, clock: Arc<dyn Clock>) -> Router {
    Router::new()
        .route("/pins", get(list).post(add))
        .route("/pins/{id}", delete(remove).get(explain))
        .with_state(Desk { pins, store, clock })
}

/// Who does it: the guard lets no write pass without a name.
type By = Option<Extension<Arc<Operator>>>;

async fn list(State(desk): State<Desk>, by: By, request: Request) -> Result<Response, Failure> {
    desk.run(PinErrand::List, by, request).await
}

async fn add(State(desk): State<Desk>, by: By, request: Request) -> Result<Response, Failure> {
    desk.run(PinErrand::Add, by, request).await
}

async fn remove(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    by: By,
    request: Request,
) -> Result<Response, Failure> {
    let id = RequestId::parse(&id).ok_or_else(no_such_pin)?;
    let now = desk.clock.now();
    let story = desk.store.explain_pin(id, now).await?.ok_or_else(no_such_pin)?;
    let (_, owner) = story.account;
    if asked_for(request.uri().query()).is_some_and(|account| account != owner) {
        return Err(no_such_pin());
    }
    desk.hand_over(PinErrand::Remove(id), &owner, by, request).await
}

async fn explain(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Response, Failure> {
    let id = RequestId::parse(&id).ok_or_else(no_such_pin)?;
    let now = desk.clock.now();
    let story = desk.store.explain_pin(id, now).await?.ok_or_else(no_such_pin)?;
    if matches!(story.pin.status, Status::Queued | Status::Pinning) {
        desk.pins.ask_after(id);
    }
    Ok(json_response(StatusCode::OK, &explained(&story, now)))
}

impl Desk {
    async fn run(&self, errand: PinErrand, by: By, request: Request) -> Result<Response, Failure> {
        let account = self.account(asked_for(request.uri().query()))?;
        self.hand_over(errand, &account, by, request).await
    }

    async fn hand_over(
        &self,
        errand: PinErrand,
        account: &str,
        by: By,
        request: Request,
    ) -> Result<Response, Failure> {
        let by = by.map(|Extension(operator)| operator.token_name.clone());
        let (head, body) = request.into_parts();
        Ok(self.pins.run(errand, account, by, &head, body).await)
    }

    /// The account that is meant: the one that is named, or the only one.
    fn account(&self, named: Option<&str>) -> Result<String, Failure> {
        let accounts = self.pins.accounts();
        let all = || known(&accounts);
        match (named, accounts.as_slice()) {
            (None, [only]) => Ok(only.clone()),
            (None, _) => {
                Err(Failure::bad_request(format!("say whose pins, by account= or --account: {}", all())))
            }
            (Some(named), known) if known.iter().any(|account| account == named) => Ok(named.to_owned()),
            (Some(named), _) => Err(Failure::not_found(format!("there is no account {named:?}: {}", all()))),
        }
    }
}

/// Names of accounts need no encoding, so that what does is none.
fn asked_for(query: Option<&str>) -> Option<&str> {
    let mut pairs = query.unwrap_or_default().split('&');
    pairs.find_map(|pair| pair.strip_prefix("account="))
}

fn no_such_pin() -> Failure {
    Failure::not_found("there is no such pin: it was deleted or replaced, or it never was")
}
