//! `GET /pins`: a page of the account's pins, newest first, with the exact count (I4).

use axum::response::Response;
use http::StatusCode;

use super::{
    super::{errors::ApiError, front::Caller, json, query},
    json_response,
};
use crate::store::PinPage;

pub async fn handle(caller: &Caller<'_>, filters: Option<&str>) -> Result<Response, ApiError> {
    let page = page(caller, filters).await?;
    let fallback = &caller.terms.settings.fallback_delegates;
    Ok(json_response(StatusCode::OK, json::pin_results(&page, fallback, caller.api.clock.now())))
}

/// As [`handle`], with `next`: what `before` must be to go on, where there is more.
pub async fn list_for_operators(caller: &Caller<'_>, filters: Option<&str>) -> Result<Response, ApiError> {
    let page = page(caller, filters).await?;
    let fallback = &caller.terms.settings.fallback_delegates;
    Ok(json_response(StatusCode::OK, json::pin_page(&page, fallback, caller.api.clock.now())))
}

async fn page(caller: &Caller<'_>, filters: Option<&str>) -> Result<PinPage, ApiError> {
    let query = query::parse(filters, caller.terms.settings.default_status)?;
    Ok(caller.api.store.list_pins(caller.who.account, query).await?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{
        api::{
            Settings,
            double::{Asked, House},
        },
        model::{ListQuery, Status, StatusSet},
    };

    #[tokio::test]
    async fn an_empty_list_is_200() {
        let answer = House::new().get("/pins").await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &br#"{"count":0,"results":[]}"#[..]));
    }

    #[tokio::test]
    async fn the_query_reaches_the_store_as_it_was_meant() {
        let house = House::new();
        house.get("/pins?limit=7&status=failed").await;
        let query = ListQuery { limit: 7, ..ListQuery::with_statuses(StatusSet::EMPTY.with(Status::Failed)) };
        assert_eq!(house.store.asked(), [Asked::List(query)]);
    }

    #[tokio::test]
    async fn without_a_status_the_configured_ones_are_asked_for() {
        let house = House::new();
        house.get("/pins").await;
        let all =
            Settings { default_status: StatusSet::ALL, accept_wait: Duration::ZERO, ..Settings::default() };
        let lenient = House::with(all);
        lenient.get("/pins").await;
        let asked = |house: &House| house.store.asked().pop();
        let query = |statuses| Some(Asked::List(ListQuery::with_statuses(statuses)));
        assert_eq!(asked(&house), query(StatusSet::EMPTY.with(Status::Pinned)));
        assert_eq!(asked(&lenient), query(StatusSet::ALL));
    }

    #[tokio::test]
    async fn pins_are_listed_newest_first_as_the_store_gave_them() {
        let house = House::new();
        for _ in 0..3 {
            house.add().await;
        }
        let json = house.get("/pins?status=queued").await.json();
        assert_eq!((json["count"].as_u64(), json["results"].as_array().map(Vec::len)), (Some(3), Some(3)));
    }

    #[tokio::test]
    async fn a_bad_filter_is_400_and_never_reaches_the_store() {
        let house = House::new();
        for (query, words) in [
            ("limit=0", "1 to 1000"),
            ("limit=abc", "1 to 1000"),
            ("status=done", "queued, pinning, pinned, failed"),
            ("match=fuzzy", "ipartial"),
            ("before=now", "RFC 3339"),
            ("cid=Qm", "CIDv0"),
            ("meta=map[a:b]", "JSON"),
            ("name=%00", "NUL"),
            ("name=%zz", "percent-encoded"),
        ] {
            let details = house.get(&format!("/pins?{query}")).await.failure(400, "BAD_REQUEST");
            assert!(details.contains(words), "{query}: {details}");
        }
        assert!(house.store.asked().is_empty());
    }
}
