//! Helia's pinning service server.

use super::*;

#[tokio::test]
async fn the_cid_and_meta_filters_are_ignored() {
    let played = Played::new("helia").await;
    played.caller.add(1).await;
    let query = format!("cid={}&meta=%7B%22app%22:%22mine%22%7D", cid(2).as_str());
    assert_eq!(played.caller.list(&query).await.cids(), [cid(1).as_str()]);
}

#[tokio::test]
async fn a_second_pin_of_what_is_pinned_stays_queued_until_all_are_deleted() {
    let played = Played::new("helia").await;
    let first = played.caller.add(1).await.id();
    played.pass(10);
    let second = played.caller.add(1).await.id();
    played.pass(3600);
    assert_eq!(played.see(&second).await.status(), "queued");
    played.caller.delete(&first).await;
    let third = played.caller.add(1).await.id();
    played.pass(3600);
    assert_eq!(played.see(&third).await.status(), "queued");
    played.caller.delete(&second).await;
    played.caller.delete(&third).await;
    let fresh = played.caller.add(1).await.id();
    played.pass(10);
    assert_eq!(played.see(&fresh).await.status(), "pinned");
}

#[tokio::test]
async fn a_replace_by_the_same_cid_keeps_the_id() {
    let played = Played::new("helia").await;
    let id = played.caller.add(1).await.id();
    let changed = json!({ "cid": cid(1).as_str(), "name": "new" });
    assert_eq!(played.caller.post(&format!("/pins/{id}"), changed).await.id(), id);
    assert_eq!(played.see(&id).await.json()["pin"]["name"], "new");
    assert_ne!(played.replace(&id, cid(2).as_str()).await.id(), id);
}

#[tokio::test]
async fn a_bad_cid_is_a_page() {
    let played = Played::new("helia").await;
    let wrong = played.add_cid("nope").await;
    assert_eq!((wrong.code, wrong.header("content-type")), (400, Some("text/html")));
}
