use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::{
    api::{
        Settings,
        double::{Answer, CHOOSER, CID, House, request},
    },
    policy::{Glob, Route, Routes, When},
};

fn house() -> House {
    let backups = Route {
        name: "backups".into(),
        when: When { names: vec![Glob::new("backup-*").unwrap()], ..When::default() },
        policy: "archive".into(),
    };
    let routes = Routes::new(vec![backups]).unwrap();
    House::with(Settings { routes, accept_wait: Duration::ZERO, ..Settings::default() })
}

async fn send(house: &House, path: &str, token: &str, body: Value) -> Answer {
    let body = json!({ "cid": CID, "name": body["name"], "meta": body["meta"] });
    house.send(request(Method::POST, path, token, &body.to_string())).await
}

/// The policy of the pin that such a request records.
async fn policy(house: &House, token: &str, body: Value) -> String {
    let answer = send(house, "/pins", token, body).await;
    assert_eq!(answer.status, 202);
    house.store.accepted.lock().unwrap().last().unwrap().policy.clone()
}

#[tokio::test]
async fn a_route_places_what_fits_it_and_is_counted_and_the_account_the_rest() {
    let house = house();
    assert_eq!(policy(&house, "one", json!({ "name": "backup-1" })).await, "archive");
    assert_eq!(policy(&house, "one", json!({ "name": "photo-1" })).await, "default");
    let series = "pinfold_route_pins_total{route=\"backups\"}";
    assert!(house.metrics.render().contains(&format!("{series} 1\n")));
}

#[tokio::test]
async fn a_replace_is_routed_as_an_add_is() {
    let house = house();
    let old = house.add().await;
    let answer = send(&house, &format!("/pins/{old}"), "one", json!({ "name": "backup-1" })).await;
    assert_eq!(answer.status, 202);
    assert_eq!(house.store.accepted.lock().unwrap().last().unwrap().policy, "archive");
}

#[tokio::test]
async fn a_client_chooses_from_its_tokens_list_where_its_account_lets_it() {
    let house = house();
    assert_eq!(policy(&house, CHOOSER, json!({})).await, "archive", "the first of its list");
    assert_eq!(policy(&house, CHOOSER, json!({ "meta": { "policy": "cold" } })).await, "cold");
    assert_eq!(policy(&house, "two", json!({ "meta": { "policy": "default" } })).await, "default");
    assert_eq!(policy(&house, "one", json!({ "meta": { "policy": "cold" } })).await, "default", "plain meta");
}

#[tokio::test]
async fn an_unknown_or_forbidden_policy_is_400_that_says_which_are_allowed() {
    let house = house();
    for wrong in ["default", "no-such", ""] {
        let answer = send(&house, "/pins", CHOOSER, json!({ "meta": { "policy": wrong } })).await;
        let details = answer.failure(400, "BAD_REQUEST");
        assert!(details.contains("send one of archive, cold"), "{details}");
    }
    let answer = send(&house, "/pins", "two", json!({ "meta": { "policy": "cold" } })).await;
    assert!(answer.failure(400, "BAD_REQUEST").contains("send one of default"));
    assert!(house.store.asked().is_empty(), "nothing of it reaches the store");
}

const LATER: &str = "2027-01-31T01:00:00+01:00";

#[tokio::test]
async fn a_client_may_say_when_its_pin_goes_and_is_shown_it() {
    let house = house();
    let answer = send(&house, "/pins", "two", json!({ "meta": { "expires_at": LATER } })).await;
    assert_eq!(answer.json()["info"]["pinned_until"], "2027-01-31T00:00:00.000Z");
    assert_eq!(answer.json()["pin"]["meta"]["expires_at"], LATER, "as it was sent");
    let list = house.send(request(Method::GET, "/pins?status=queued", "two", "")).await.json();
    assert_eq!(list["results"][0]["info"]["pinned_until"], "2027-01-31T00:00:00.000Z");
    let path = format!("/pins/{}", answer.requestid());
    let replaced = send(&house, &path, "two", json!({})).await.json();
    assert!(replaced["info"].get("pinned_until").is_none(), "set anew by each request");
}

#[tokio::test]
async fn an_end_that_is_no_time_to_come_is_400() {
    let house = house();
    for wrong in ["2023-11-14T22:13:20Z", "1999-12-31T00:00:00Z", "tomorrow", "2027-01-31", ""] {
        let answer = send(&house, "/pins", "two", json!({ "meta": { "expires_at": wrong } })).await;
        assert!(answer.failure(400, "BAD_REQUEST").contains("meta.expires_at is not"));
    }
    assert!(house.store.asked().is_empty());
}

#[tokio::test]
async fn without_meta_controls_an_end_in_meta_is_plain_meta() {
    let house = house();
    for text in [LATER, "tomorrow"] {
        let answer = send(&house, "/pins", "one", json!({ "meta": { "expires_at": text } })).await;
        assert_eq!(answer.status, 202);
        assert!(answer.json()["info"].get("pinned_until").is_none());
    }
}
