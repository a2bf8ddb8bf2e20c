//! Crust.

use super::*;

#[tokio::test]
async fn an_id_is_in_camel_case() {
    let played = Played::new("crust").await;
    let posted = played.caller.add(1).await.json();
    assert!(posted["requestId"].is_string() && posted.get("requestid").is_none());
}

#[tokio::test]
async fn a_second_post_gives_a_new_id_queues_anew_and_ends_the_old_one() {
    let played = Played::new("crust").await;
    let old = played.caller.add(1).await.id();
    played.pass(10);
    assert_eq!(played.see(&old).await.status(), "pinned");
    let new = played.caller.add(1).await.id();
    assert_eq!((played.see(&old).await.code, played.see(&new).await.status().as_str()), (404, "queued"));
    assert_eq!(played.sim.pins().len(), 1);
}

#[tokio::test]
async fn a_delete_of_what_is_not_there_succeeds() {
    let played = Played::new("crust").await;
    assert_eq!(played.caller.delete("none").await.code, 202);
    assert!(played.sim.deletes().is_empty());
}

#[tokio::test]
async fn bounds_take_the_second_that_they_name() {
    let played = Played::new("crust").await;
    played.add_many(3).await;
    let second = "2023-11-14T22:13:21";
    assert_eq!(played.caller.list(&format!("before={second}.700Z")).await.json()["count"], 2);
    assert_eq!(played.caller.list(&format!("after={second}.700Z")).await.json()["count"], 2);
}

#[tokio::test]
async fn a_tenth_cid_is_refused() {
    let played = Played::new("crust").await;
    let cids = |n: u8| (1..=n).map(|n| cid(n).as_str().to_owned()).collect::<Vec<_>>().join(",");
    assert_eq!(played.caller.list(&format!("cid={}", cids(9))).await.code, 200);
    assert_eq!(played.caller.list(&format!("cid={}", cids(10))).await.code, 400);
}

#[tokio::test]
async fn names_are_compared_exactly_and_further_parameters_are_meta() {
    let played = Played::new("crust").await;
    let asked = json!({ "cid": cid(1).as_str(), "name": "alpha", "meta": { "app": "mine" } });
    played.caller.post("/pins", asked).await;
    let count = async |query: &str| played.caller.list(query).await.json()["count"].clone();
    assert_eq!(
        (count("name=alpha&match=ipartial").await, count("name=ALPHA&match=iexact").await),
        (json!(1), json!(0))
    );
    assert_eq!((count("app=mine").await, count("app=yours").await), (json!(1), json!(0)));
}

#[tokio::test]
async fn a_token_is_a_signature() {
    let played = Played::new("crust").await;
    let none = played.caller.clone().with_authorization(None).list("").await;
    assert_eq!((none.code, none.json()["error"]["details"].as_str()), (401, Some("Empty Signature")));
    let wrong = played.caller.with_token("guess").list("").await;
    assert_eq!(wrong.json()["error"]["details"], "Invalid Signature");
}

#[tokio::test]
async fn what_is_pinned_can_be_queued_again() {
    let played = Played::new("crust").await;
    let id = played.caller.add(1).await.id();
    played.pass(10);
    played.sim.force(&content(1), Some(Status::Queued));
    assert_eq!(played.see(&id).await.status(), "queued");
}
