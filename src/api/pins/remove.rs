//! `DELETE /pins/{requestid}`: the pin is gone at once; its copies go in the background.

use axum::response::Response;
use http::StatusCode;

use super::{
    super::{errors::ApiError, front::Caller},
    WakeEngine, empty_response,
};
use crate::{model::RequestId, telemetry::PinRequest};

pub async fn handle(caller: &Caller<'_>, pin: RequestId) -> Result<Response, ApiError> {
    let api = caller.api;
    let deleted = {
        let _wake = WakeEngine(&api.activator);
        let commit = caller.trace.commit(PinRequest::Delete, pin);
        let (account, by) = (caller.who.account, caller.by.clone());
        let deleted = api.store.delete_pin(account, pin, by, api.clock.now()).await;
        commit.ended(&deleted);
        deleted?
    };
    if !deleted {
        return Err(ApiError::NoSuchPin);
    }
    api.metrics.pins().accepted(PinRequest::Delete);
    Ok(empty_response(StatusCode::ACCEPTED))
}

#[cfg(test)]
mod tests {
    use http::{Method, header};

    use crate::api::double::House;

    #[tokio::test]
    async fn a_delete_is_202_without_a_body_and_a_second_one_404() {
        let house = House::new();
        let path = format!("/pins/{}", house.add().await);
        let mut engine = house.activator.listen();
        let answer = house.ask(Method::DELETE, &path, "").await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (202, 0));
        assert!(!answer.headers.contains_key(header::CONTENT_TYPE));
        engine.woken().await;
        house.ask(Method::DELETE, &path, "").await.failure(404, "NOT_FOUND");
        house.get(&path).await.failure(404, "NOT_FOUND");
    }
}
