//! web3.storage.

use super::*;
use crate::presets::DefaultStatus;

#[tokio::test]
async fn delegates_are_in_the_answer_to_a_post_only() {
    let played = Played::new("web3.storage").await;
    let posted = played.caller.add(1).await;
    assert_eq!(posted.json()["delegates"].as_array().unwrap().len(), 3);
    assert_eq!(played.see(&posted.id()).await.json()["delegates"], json!([]));
}

#[tokio::test]
async fn the_default_status_flips_from_required_to_pinned_to_all() {
    let played = Played::new("web3.storage").await;
    played.caller.add(1).await;
    assert_eq!(played.caller.list("").await.json()["count"], 1);
    played.sim.set(|is| is.default_status = DefaultStatus::Required);
    let refused = played.caller.list("").await;
    assert_eq!((refused.code, refused.reason().as_str()), (400, "PSA_REQUIRED_DATA"));
    assert_eq!(played.caller.list(ALL).await.code, 200);
    played.caller.post("/_sim/behaviour", json!({ "default_status": "pinned" })).await;
    assert_eq!(played.caller.list("").await.json()["count"], 0);
}

#[tokio::test]
async fn utc_is_an_offset_of_nothing_and_a_delete_is_answered_with_an_object() {
    let played = Played::new("web3.storage").await;
    let posted = played.caller.add(1).await;
    assert_eq!(posted.json()["created"], "2023-11-14T22:13:20.000+00:00");
    assert_eq!(played.caller.delete(&posted.id()).await.text, "{}");
}

#[tokio::test]
async fn a_500_has_no_reason() {
    let played = Played::new("web3.storage").await;
    played.sim.faults().next(1, Routes::Any, Fault::status(500));
    let broken = played.caller.list("").await;
    assert_eq!(broken.code, 500);
    assert!(broken.json()["error"].get("reason").is_none());
}
