//! The API's agent as the admin API knows it.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{body::Body, response::Response};
use http::request::Parts;

use crate::{
    admin::{PinErrand, Pins},
    api::{Agent, Errand},
    model::RequestId,
};

#[async_trait]
impl Pins for Agent {
    fn accounts(&self) -> Vec<String> {
        Agent::accounts(self)
    }

    async fn run(
        &self,
        errand: PinErrand,
        account: &str,
        by: Option<Arc<str>>,
        head: &Parts,
        body: Body,
    ) -> Response {
        let errand = match errand {
            PinErrand::List => Errand::List,
            PinErrand::Add => Errand::Add,
            PinErrand::Remove(pin) => Errand::Remove(pin),
        };
        Agent::run(self, errand, account, by, head, body).await
    }

    fn ask_after(&self, pin: RequestId) {
        Agent::ask_after(self, pin);
    }
}
