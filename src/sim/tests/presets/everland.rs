//! 4EVERLAND.

use super::*;

#[tokio::test]
async fn meta_is_dropped_and_a_pin_without_a_name_is_named_by_its_cid() {
    let played = Played::new("4everland").await;
    let asked = json!({ "cid": cid(1).as_str(), "meta": { "createdBy": "me" } });
    let posted = played.caller.post("/pins", asked).await.json();
    assert_eq!(posted["pin"]["name"], cid(1).as_str());
    assert!(posted["pin"].get("meta").is_none());
    assert_eq!(played.add_named(2, "mine").await.json()["pin"]["name"], "mine");
}

#[tokio::test]
async fn a_list_that_asks_for_no_status_shows_all() {
    let played = Played::new("4everland").await;
    played.caller.add(1).await;
    assert_eq!(played.caller.list("").await.json()["results"][0]["status"], "queued");
}

#[tokio::test]
async fn partial_names_match_nothing_and_ignored_ones_everything() {
    let played = Played::new("4everland").await;
    played.add_named(1, "alpha").await;
    played.add_named(2, "beta").await;
    let count = async |query: &str| played.caller.list(query).await.json()["count"].clone();
    assert_eq!(count("name=alpha").await, 1);
    assert_eq!(count("name=alp&match=partial").await, 0);
    assert_eq!(count("name=ALPHA&match=iexact").await, 2);
    assert_eq!(count("name=ALP&match=ipartial").await, 2);
}

#[tokio::test]
async fn info_always_tells_of_no_size_and_no_failure() {
    let played = Played::new("4everland").await;
    let info = played.caller.add(1).await.json()["info"].clone();
    assert_eq!(info, json!({ "dag_size": "0", "failed_reason": "", "failed_message": "" }));
}

#[tokio::test]
async fn a_delete_is_answered_with_an_empty_object_and_what_is_unknown_by_name() {
    let played = Played::new("4everland").await;
    let id = played.caller.add(1).await.id();
    assert_eq!(played.caller.delete(&id).await.text, "{}");
    let unknown = played.see(&id).await;
    assert_eq!((unknown.code, unknown.reason().as_str()), (404, "OBJECT_NOT_FOUND"));
}

#[tokio::test]
async fn count_honours_before() {
    let played = Played::new("4everland").await;
    played.add_many(15).await;
    let first = played.caller.list("").await.json();
    assert_eq!((first["count"].clone(), first["results"].as_array().unwrap().len()), (json!(15), 10));
    let before = first["results"][9]["created"].as_str().unwrap();
    assert_eq!(played.caller.list(&format!("before={before}")).await.json()["count"], 5);
}

#[tokio::test]
async fn after_a_reset_the_old_token_is_401_and_the_new_one_works() {
    let played = Played::new("4everland").await;
    played.sim.reset_token("new");
    let refused = played.caller.list("").await;
    assert_eq!((refused.code, refused.reason().as_str()), (401, "UNAUTHORIZED"));
    assert_eq!(played.caller.with_token("new").list("").await.code, 200);
}
