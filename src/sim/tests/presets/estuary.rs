//! Estuary.

use super::*;

#[tokio::test]
async fn ids_are_numbers_and_another_id_is_500() {
    let played = Played::new("estuary").await;
    assert_eq!(played.caller.add(1).await.id(), "1");
    assert_eq!(played.see("99").await.code, 404);
    let wrong = played.see("none").await;
    assert_eq!(wrong.code, 500);
    assert!(wrong.text.contains("strconv.Atoi"));
}

#[tokio::test]
async fn what_is_empty_is_null_and_delegates_are_of_all_kinds() {
    let played = Played::new("estuary").await;
    assert!(played.caller.list("").await.json()["results"].is_null());
    let id = played.caller.add(1).await.id();
    let got = played.see(&id).await.json();
    for null in [&got["info"], &got["pin"]["meta"], &got["pin"]["origins"]] {
        assert!(null.is_null());
    }
    let delegates = got["delegates"].to_string();
    assert!(delegates.contains("/ip4/127.0.0.1/") && delegates.contains("/ip4/10."), "{delegates}");
}

#[tokio::test]
async fn created_has_nanoseconds_in_the_post_and_microseconds_later() {
    let played = Played::new("estuary").await;
    let posted = played.caller.add(1).await;
    let got = played.see(&posted.id()).await.json()["created"].as_str().unwrap().to_owned();
    let posted = posted.json()["created"].as_str().unwrap().to_owned();
    assert_eq!((digits(&posted), digits(&got)), (9, 6));
    assert!(posted.starts_with(got.trim_end_matches('Z')), "{posted} {got}");
}

#[tokio::test]
async fn before_takes_the_instant_that_it_names() {
    let played = Played::new("estuary").await;
    played.add_many(2).await;
    let edge = played.caller.list("").await.json()["results"][0]["created"].as_str().unwrap().to_owned();
    assert_eq!(played.caller.list(&format!("before={edge}")).await.json()["count"], 2);
}

#[tokio::test]
async fn a_post_that_was_500_may_have_made_a_pin_and_a_second_one_makes_another() {
    let played = Played::new("estuary").await;
    played.sim.faults().next(1, Route::Add, Fault::STORED_BUT_500);
    assert_eq!(played.caller.add(1).await.code, 500);
    assert_eq!(played.caller.list("").await.cids(), [cid(1).as_str()]);
    assert_eq!(played.caller.add(1).await.code, 202);
    assert_eq!(played.sim.pins().len(), 2);
}
