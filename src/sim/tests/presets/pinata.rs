//! Pinata.

use super::*;

#[tokio::test]
async fn no_token_is_400_and_a_wrong_one_401() {
    let played = Played::new("pinata").await;
    let none = played.caller.clone().with_authorization(None).list("").await;
    assert_eq!((none.code, none.reason().as_str()), (400, "KEYS_MUST_BE_STRINGS"));
    let wrong = played.caller.with_token("guess").list("").await;
    assert_eq!((wrong.code, wrong.reason().as_str()), (401, "INVALID_CREDENTIALS"));
}

#[tokio::test]
async fn a_delete_is_answered_with_a_word_that_is_no_json() {
    let played = Played::new("pinata").await;
    let id = played.caller.add(1).await.id();
    let deleted = played.caller.delete(&id).await;
    let seen = (deleted.code, deleted.text.as_str(), deleted.header("content-type"));
    assert_eq!(seen, (200, "OK", Some("text/plain")));
    assert_eq!(played.see(&id).await.reason(), "OBJECT_NOT_FOUND");
}

#[tokio::test]
async fn a_list_without_a_limit_is_everything_that_is_pinned() {
    let played = Played::new("pinata").await;
    played.add_many(12).await;
    assert_eq!(played.caller.list("").await.cids().len(), 3);
    played.pass(10);
    assert_eq!(played.caller.list("").await.cids().len(), 12);
}

#[tokio::test]
async fn count_is_one_more_than_the_results_where_there_are_more() {
    let played = Played::new("pinata").await;
    played.add_many(5).await;
    let count =
        async |limit: u8| played.caller.list(&format!("limit={limit}&{ALL}")).await.json()["count"].clone();
    assert_eq!((count(2).await, count(5).await), (json!(3), json!(5)));
}

#[tokio::test]
async fn lists_tell_of_counters_that_go_up_and_down_and_other_calls_of_none() {
    let played = Played::new("pinata").await;
    let mut remaining = Vec::new();
    for _ in 0..6 {
        let listed = played.caller.list("").await;
        assert_eq!(listed.header("x-ratelimit-limit"), Some("5"));
        let reset: i64 = listed.header("x-ratelimit-reset").unwrap().parse().unwrap();
        assert!((1_700_000_060..1_700_000_070).contains(&reset));
        remaining.push(listed.header("x-ratelimit-remaining").unwrap().to_owned());
        played.pass(1);
    }
    assert_eq!(remaining, ["4", "4", "3", "4", "2", "4"]);
    assert_eq!(played.caller.add(1).await.header("x-ratelimit-limit"), None);
}

#[tokio::test]
async fn the_thirty_first_list_in_a_minute_is_429_and_says_when_to_come_back() {
    let played = Played::new("pinata").await;
    for _ in 0..30 {
        assert_eq!(played.caller.list("").await.code, 200);
    }
    let refused = played.caller.list("").await;
    assert_eq!((refused.code, refused.header("x-ratelimit-reset")), (429, Some("1700000060")));
    assert_eq!(refused.header("retry-after"), None);
    played.pass(60);
    assert_eq!(played.caller.list("").await.code, 200);
}

#[tokio::test]
async fn the_queue_is_full_at_250() {
    let played = Played::with("pinata", |builder| builder.never_pins()).await;
    for n in 0..250 {
        let asked = Asked { cid: numbered_cid(n), name: None, meta: None, origins: Vec::new() };
        played.sim.plant(asked);
    }
    assert_eq!(played.caller.post("/pins", json!({ "cid": numbered_cid(250).as_str() })).await.code, 429);
}

#[tokio::test]
async fn info_tells_of_the_job() {
    let played = Played::with("pinata", |builder| builder.fail_cid(cid(2))).await;
    assert_eq!(played.caller.add(1).await.json()["info"], json!({ "pinata_pinjob_status": "searching" }));
    let failed = played.caller.add(2).await.id();
    played.pass(10);
    assert_eq!(played.see(&failed).await.json()["info"], json!({ "pinata_pinjob_status": "expired" }));
}

#[tokio::test]
async fn some_plans_do_not_pin_by_cid() {
    let played = Played::new("pinata").await;
    played.sim.set(|is| is.account = Account::NoPlan);
    let refused = played.caller.add(1).await;
    assert_eq!((refused.code, refused.reason().as_str()), (403, "PAID_FEATURE_ONLY"));
    assert_eq!(played.caller.list("").await.code, 200);
}
