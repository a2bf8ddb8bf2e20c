//! `GET /pins/{requestid}`: one point read (I5).

use axum::response::Response;
use http::StatusCode;

use super::{
    super::{errors::ApiError, front::Caller, json},
    json_response,
};
use crate::model::{RequestId, Status};

pub async fn handle(caller: &Caller<'_>, id: RequestId) -> Result<Response, ApiError> {
    let api = caller.api;
    let pin = api.store.get_pin(caller.who.account, id).await?.ok_or(ApiError::NoSuchPin)?;
    let unsettled = matches!(pin.status, Status::Queued | Status::Pinning);
    // The engine looks sooner at what clients ask about; however often they ask, it is woken once a round.
    if unsettled && api.interest.note(id) {
        api.activator.poke();
    }
    let fallback = &caller.terms.settings.fallback_delegates;
    Ok(json_response(StatusCode::OK, json::pin_status(&pin, fallback, api.clock.now())))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::{
        api::double::{Asked, House, NOBODY},
        model::Status,
    };

    #[tokio::test]
    async fn a_pin_is_shown_by_one_read() {
        let house = House::new();
        let id = house.add().await;
        let answer = house.get(&format!("/pins/{id}")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["info"]["copies"], "0/2");
        assert_eq!(house.store.asked()[1..], [Asked::Get(id)]);
    }

    #[tokio::test]
    async fn asking_about_an_unsettled_pin_hastens_it_and_about_a_settled_one_does_not() {
        let house = House::new();
        let id = house.add().await;
        let path = format!("/pins/{id}");
        let mut engine = house.activator.listen();
        house.get(&path).await;
        engine.woken().await;
        house.get(&path).await;
        assert!(futures::poll!(Box::pin(engine.woken())).is_pending(), "once a round is enough");
        assert_eq!(house.interest.take(), HashSet::from([id]));
        for settled in [Status::Pinned, Status::Failed] {
            house.store.change(id, |pin| pin.status = settled);
            house.get(&path).await;
            assert!(house.interest.take().is_empty());
        }
    }

    #[tokio::test]
    async fn an_unknown_id_is_404_and_of_no_interest() {
        let house = House::new();
        house.get(&format!("/pins/{NOBODY}")).await.failure(404, "NOT_FOUND");
        assert!(house.interest.take().is_empty());
    }
}
