//! Operators at the API: its own endpoints, asked in an account's stead. Quotas hold for them as for the account; limits
//! on what clients ask do not.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::request::Parts;

use super::{
    errors::ApiError,
    front::{Caller, Front, see_through},
    pins::{self, Endpoint},
};
use crate::{
    auth::{Principal, Scopes},
    model::RequestId,
    telemetry::{request_id, traces},
};

/// What an operator may have done for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    List,
    Add,
    Remove(RequestId),
}

/// Who does it; clones share it.
#[derive(Clone)]
pub struct Agent(Arc<Front>);

impl Agent {
    pub(super) fn new(front: Arc<Front>) -> Self {
        Self(front)
    }

    /// The names of all accounts that are served, in order.
    pub fn accounts(&self) -> Vec<String> {
        self.0.terms().names()
    }

    /// Runs an errand for an account that is served, and answers as the API does. `by` is the operator's name.
    pub async fn run(
        &self,
        errand: Errand,
        account: &str,
        by: Option<Arc<str>>,
        head: &Parts,
        body: Body,
    ) -> Response {
        let handling = self.handle(errand, account, by, head, body);
        let outcome = see_through(&self.0.terms().settings, handling).await;
        outcome.unwrap_or_else(|error| {
            error.log(&request_id::of(&head.headers));
            error.into_response()
        })
    }

    async fn handle(
        &self,
        errand: Errand,
        account: &str,
        by: Option<Arc<str>>,
        head: &Parts,
        body: Body,
    ) -> Result<Response, ApiError> {
        let terms = self.0.terms();
        let id = terms.id_of(account).ok_or(ApiError::NoSuchPin)?;
        let who = Principal {
            account: id,
            account_name: account.into(),
            token_name: by.clone().unwrap_or_else(|| "operator".into()),
            scopes: Scopes::NONE,
            policies: Vec::new(),
        };
        let trace = traces::current();
        let caller = Caller { by, trace: &trace, ..self.0.caller(&terms, &who) };
        match errand {
            Errand::List => pins::list_for_operators(&caller, head.uri.query()).await,
            Errand::Add => Endpoint::Add.handle(&caller, head, body).await,
            Errand::Remove(pin) => Endpoint::Remove(Some(pin)).handle(&caller, head, body).await,
        }
    }

    /// Lets the engine look sooner at a pin that somebody waits for.
    pub fn ask_after(&self, pin: RequestId) {
        let api = self.0.api();
        if api.interest.note(pin) {
            api.activator.poke();
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{Method, Request};
    use http_body_util::BodyExt;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::double::{Asked, CID, House};

    async fn run(house: &House, errand: Errand, account: &str, query: &str, body: &Value) -> (u16, Value) {
        let request = Request::builder().method(Method::POST).uri(format!("/pins?{query}"));
        let (head, body) = request.body(Body::from(body.to_string())).unwrap().into_parts();
        let answer = house.agent.run(errand, account, Some("ops".into()), &head, body).await;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_pin_is_added_listed_and_removed_for_the_account_that_is_named() {
        let house = House::new();
        assert_eq!(house.agent.accounts(), ["one", "two"]);
        let (code, pin) = run(&house, Errand::Add, "two", "", &json!({ "cid": CID, "name": "n" })).await;
        assert_eq!((code, &pin["pin"]["name"]), (202, &json!("n")));
        let list = async |account| run(&house, Errand::List, account, "status=queued", &Value::Null).await.1;
        assert_eq!((&list("two").await["count"], &list("one").await["count"]), (&json!(1), &json!(0)));
        let id = RequestId::parse(pin["requestid"].as_str().unwrap()).unwrap();
        let remove = async |account| run(&house, Errand::Remove(id), account, "", &Value::Null).await.0;
        assert_eq!((remove("one").await, remove("two").await, remove("two").await), (404, 202, 404));
    }

    #[tokio::test]
    async fn a_page_that_is_not_the_last_says_where_the_next_one_begins() {
        let house = House::new();
        house.add().await;
        let (_, whole) = run(&house, Errand::List, "one", "status=queued", &Value::Null).await;
        assert_eq!(whole["next"], Value::Null);
        let last = whole["results"][0]["created"].clone();
        *house.store.hidden.lock().unwrap() = 3;
        let (_, page) = run(&house, Errand::List, "one", "status=queued", &Value::Null).await;
        assert_eq!((&page["count"], &page["next"]), (&json!(4), &last));
    }

    #[tokio::test]
    async fn mistakes_are_answered_as_clients_are() {
        let house = House::new();
        let (code, told) = run(&house, Errand::Add, "one", "", &json!({ "cid": "x" })).await;
        assert_eq!((code, &told["error"]["reason"]), (400, &json!("BAD_REQUEST")));
        let (code, _) = run(&house, Errand::List, "one", "limit=0", &Value::Null).await;
        assert_eq!(code, 400);
        assert_eq!(house.store.asked(), Vec::<Asked>::new());
    }

    #[tokio::test]
    async fn the_engine_is_told_of_a_pin_that_is_waited_for() {
        let house = House::new();
        let id = house.add().await;
        let mut engine = house.activator.listen();
        house.agent.ask_after(id);
        engine.woken().await;
        assert!(house.interest.take().contains(&id));
    }
}
