//! Filebase.

use super::*;

#[tokio::test]
async fn created_is_of_whole_seconds_at_an_offset_and_two_pins_may_share_one() {
    let played = Played::new("filebase").await;
    let one = played.caller.add(1).await.json()["created"].clone();
    played.clock.advance(Duration::from_millis(900));
    let two = played.caller.add(2).await.json()["created"].clone();
    assert_eq!((one.as_str(), &two), (Some("2023-11-14T18:13:20-04:00"), &one));
    let edge = "2023-11-14T22:13:20Z";
    assert_eq!(played.caller.list(&format!("before={edge}")).await.json()["count"], 0);
    assert_eq!(played.caller.list(&format!("after={edge}")).await.json()["count"], 0);
    assert_eq!(played.caller.list("").await.cids(), [cid(2).as_str(), cid(1).as_str()]);
}

#[tokio::test]
async fn ids_have_padding_that_may_be_escaped_in_a_path() {
    let played = Played::new("filebase").await;
    let id = played.caller.add(1).await.id();
    assert!(id.ends_with('='), "{id}");
    assert_eq!(played.see(&id).await.code, 200);
    assert_eq!(played.see(&id.replace('=', "%3D")).await.id(), id);
}

#[tokio::test]
async fn codes_differ_by_call_and_names_and_sizes_are_made_up() {
    let played = Played::new("filebase").await;
    let posted = played.caller.add(1).await;
    assert_eq!(posted.json()["pin"]["name"], cid(1).as_str());
    assert_eq!(posted.json()["info"], json!({ "size": "0" }));
    assert_eq!(posted.json()["delegates"].as_array().unwrap().len(), 3);
    let replaced = played.replace(&posted.id(), cid(2).as_str()).await;
    let deleted = played.caller.delete(&replaced.id()).await;
    assert_eq!((posted.code, replaced.code, deleted.code, deleted.text.as_str()), (202, 200, 202, ""));
    assert_ne!(replaced.id(), posted.id());
}

#[tokio::test]
async fn a_wrong_token_and_a_missing_plan_are_told_in_its_own_words() {
    let played = Played::new("filebase").await;
    let wrong = played.caller.clone().with_token("guess").list("").await;
    assert_eq!((wrong.code, wrong.reason().as_str()), (401, "ERR_INVALID_TOKEN"));
    played.sim.set(|is| is.account = Account::Locked);
    let locked = played.caller.list("").await;
    assert_eq!((locked.code, locked.reason().as_str()), (403, "FORBIDDEN"));
    assert!(locked.text.contains("requires a paid account"));
}
