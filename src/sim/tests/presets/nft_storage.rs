//! NFT.Storage.

use super::*;

#[tokio::test]
async fn a_requestid_is_the_cid_and_a_second_post_answers_the_same() {
    let played = Played::new("nft.storage").await;
    let first = played.add_cid(V0).await;
    let second = played.add_cid(V1_OF_V0).await;
    assert_eq!((first.code, first.id(), second.id()), (200, V0.to_owned(), V0.to_owned()));
    assert_eq!(played.sim.pins().len(), 1);
}

#[tokio::test]
async fn what_is_wrong_is_told_in_a_list() {
    let played = Played::new("nft.storage").await;
    let wrong = played.caller.list("limit=1001").await;
    assert_eq!((wrong.code, wrong.reason().as_str()), (400, "VALIDATION_ERROR"));
    assert!(wrong.json()["error"]["details"].is_array());
}

#[tokio::test]
async fn count_is_the_length_of_the_page_and_the_second_page_is_the_first() {
    let played = Played::new("nft.storage").await;
    played.add_many(3).await;
    played.pass(10);
    let first = played.caller.list("limit=2").await.json();
    assert_eq!(first["count"], 2);
    let before = first["results"][1]["created"].as_str().unwrap();
    assert_eq!(played.caller.list(&format!("limit=2&before={before}")).await.json(), first);
}

#[tokio::test]
async fn a_replace_by_the_same_cid_is_400() {
    let played = Played::new("nft.storage").await;
    let id = played.caller.add(1).await.id();
    assert_eq!(played.replace(&id, cid(1).as_str()).await.code, 400);
    let replaced = played.replace(&id, cid(2).as_str()).await;
    assert_eq!((replaced.code, replaced.id().as_str()), (200, cid(2).as_str()));
    assert_eq!(played.see(&id).await.code, 404);
}

#[tokio::test]
async fn values_of_meta_that_are_no_strings_are_dropped() {
    let played = Played::new("nft.storage").await;
    let asked = json!({ "cid": cid(1).as_str(), "meta": { "n": 1, "app": "mine" } });
    assert_eq!(played.caller.post("/pins", asked).await.json()["pin"]["meta"], json!({ "app": "mine" }));
}
