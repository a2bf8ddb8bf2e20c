//! IPFS Cluster.

use super::*;

#[tokio::test]
async fn a_requestid_is_the_cid_and_a_second_post_changes_that_pin() {
    let played = Played::new("ipfs-cluster").await;
    let first = played.add_named(1, "first").await;
    let second = played.add_named(1, "second").await;
    assert_eq!((first.id().as_str(), second.id()), (cid(1).as_str(), first.id()));
    assert_eq!(played.see(&first.id()).await.json()["pin"]["name"], "second");
    assert_eq!(played.sim.pins().len(), 1);
}

#[tokio::test]
async fn a_replace_by_the_same_cid_unpins_it() {
    let played = Played::new("ipfs-cluster").await;
    let id = played.caller.add(1).await.id();
    assert_eq!(played.replace(&id, cid(1).as_str()).await.code, 200);
    assert!(played.sim.pins().is_empty());
}

#[tokio::test]
async fn a_pin_names_all_peers_be_they_more_than_twenty() {
    let played = Played::new("ipfs-cluster").await;
    let delegates = played.caller.add(1).await.json()["delegates"].clone();
    assert_eq!(delegates.as_array().unwrap().len(), 24);
}

#[tokio::test]
async fn a_list_has_no_order() {
    let played = Played::new("ipfs-cluster").await;
    let contents = [1, 3, 2];
    for n in contents {
        played.caller.add(n).await;
        played.pass(1);
    }
    let mut listed = contents.map(|n| cid(n).as_str().to_owned());
    listed.sort();
    assert_eq!(played.caller.list("").await.cids(), listed);
    assert_eq!(played.caller.list("limit=2").await.cids(), listed[..2]);
}

#[tokio::test]
async fn with_a_cid_all_other_filters_are_ignored() {
    let played = Played::new("ipfs-cluster").await;
    played.add_named(1, "alpha").await;
    let query = format!("cid={}&name=beta&status=failed&before=2000-01-01T00:00:00Z", cid(1).as_str());
    assert_eq!(played.caller.list(&query).await.json()["count"], 1);
    assert_eq!(played.caller.list("name=beta").await.json()["count"], 0);
}

#[tokio::test]
async fn unknown_states_are_ignored_and_bounds_are_inclusive() {
    let played = Played::new("ipfs-cluster").await;
    let created = played.caller.add(1).await.json()["created"].as_str().unwrap().to_owned();
    assert_eq!(played.caller.list("status=lost,queued").await.json()["count"], 1);
    assert_eq!(played.caller.list("status=lost,failed").await.json()["count"], 0);
    for bound in ["before", "after"] {
        assert_eq!(played.caller.list(&format!("{bound}={created}")).await.json()["count"], 1);
    }
}

#[tokio::test]
async fn reasons_are_sentences_and_what_is_wrong_with_a_list_is_500() {
    let played = Played::new("ipfs-cluster").await;
    let wrong = played.see("none").await;
    assert_eq!(wrong.code, 400);
    assert!(wrong.reason().contains(' '));
    assert_eq!(played.caller.list("limit=0").await.code, 500);
    assert_eq!(played.caller.list("limit=5000").await.code, 200);
    assert_eq!(played.see(cid(9).as_str()).await.code, 404);
}

#[tokio::test]
async fn basic_authentication_works_and_gets_a_token_without_an_end() {
    let played = Played::new("ipfs-cluster").await;
    let basic = played.caller.clone().with_basic(USER, PASSWORD);
    assert_eq!(basic.list("").await.code, 200);
    let token = basic.post("/token", json!({})).await.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(token.split('.').count(), 3);
    played.pass(365 * 24 * 3600);
    assert_eq!(basic.with_token(&token).list("").await.code, 200);
    assert_eq!(played.caller.with_basic(USER, "guess").post("/token", json!({})).await.code, 401);
}
