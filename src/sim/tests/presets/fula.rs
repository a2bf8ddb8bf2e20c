//! Functionland Fula.

use super::*;

#[tokio::test]
async fn a_second_post_is_200_with_the_old_pin_even_a_failed_one() {
    let played = Played::with("fula", |builder| builder.fail_cid(cid(1))).await;
    let first = played.add_named(1, "first").await;
    played.pass(10);
    let second = played.add_named(1, "second").await;
    assert_eq!((first.code, second.code, second.id()), (202, 200, first.id()));
    assert_eq!((second.json()["pin"]["name"].as_str(), second.status().as_str()), (Some("first"), "failed"));
    assert_eq!(second.json()["delegates"], json!([]));
    assert_eq!(played.sim.pins().len(), 1);
}

#[tokio::test]
async fn cids_are_compared_as_texts() {
    let played = Played::new("fula").await;
    assert_eq!((played.add_cid(V0).await.code, played.add_cid(V1_OF_V0).await.code), (202, 202));
    assert_eq!(played.caller.list(&format!("cid={V1_OF_V0}")).await.cids(), [V1_OF_V0]);
}

#[tokio::test]
async fn a_replace_deletes_first_and_loses_the_pin_where_there_is_no_credit() {
    let played = Played::new("fula").await;
    let old = played.caller.add(1).await.id();
    let same = played.replace(&old, cid(1).as_str()).await;
    assert_eq!(same.code, 202);
    assert_ne!(same.id(), old);
    played.sim.set(|is| is.account = Account::NoFunds);
    let refused = played.replace(&same.id(), cid(2).as_str()).await;
    assert_eq!((refused.code, refused.reason().as_str()), (402, "INSUFFICIENT_CREDITS"));
    assert!(played.sim.pins().is_empty());
}

#[tokio::test]
async fn a_replace_by_what_is_held_already_answers_that_pin() {
    let played = Played::new("fula").await;
    let (one, two) = (played.caller.add(1).await.id(), played.caller.add(2).await.id());
    let replaced = played.replace(&one, cid(2).as_str()).await;
    assert_eq!((replaced.code, replaced.id()), (200, two));
}

#[tokio::test]
async fn credit_is_asked_for_before_duplicates_are_looked_for() {
    let played = Played::new("fula").await;
    played.caller.add(1).await;
    played.sim.set(|is| is.account = Account::NoFunds);
    assert_eq!(played.caller.add(1).await.code, 402);
    assert_eq!(played.caller.list(ALL).await.code, 200);
}

#[tokio::test]
async fn a_page_of_more_than_ten_rows_shows_all_as_queued() {
    let played = Played::new("fula").await;
    played.add_many(11).await;
    played.pass(30);
    let statuses = async |limit: u8| -> Vec<String> {
        let rows = played.caller.list(&format!("limit={limit}")).await.json()["results"].clone();
        rows.as_array().unwrap().iter().map(|row| row["status"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(statuses(11).await, ["queued"; 11]);
    assert_eq!(statuses(10).await, ["pinned"; 10]);
}

#[tokio::test]
async fn a_short_page_shows_what_is_still_queued_as_failed() {
    let played = Played::new("fula").await;
    let id = played.caller.add(1).await.id();
    assert_eq!(played.caller.list("").await.json()["results"][0]["status"], "failed");
    assert_eq!(played.see(&id).await.status(), "queued");
}

#[tokio::test]
async fn the_status_filter_goes_by_what_the_last_get_by_id_saw() {
    let played = Played::new("fula").await;
    let id = played.caller.add(1).await.id();
    played.pass(10);
    let count =
        async |status: &str| played.caller.list(&format!("status={status}")).await.json()["count"].clone();
    assert_eq!((count("queued").await, count("pinned").await), (json!(1), json!(0)));
    assert_eq!(played.caller.list("status=queued").await.json()["results"][0]["status"], "pinned");
    assert_eq!(played.see(&id).await.status(), "pinned");
    assert_eq!((count("queued").await, count("pinned").await), (json!(0), json!(1)));
}

#[tokio::test]
async fn an_empty_list_has_null_for_results() {
    let played = Played::new("fula").await;
    assert_eq!(played.caller.list("").await.json(), json!({ "count": 0, "results": null }));
}

#[tokio::test]
async fn a_post_names_a_bare_peer_and_a_get_none() {
    let played = Played::new("fula").await;
    let posted = played.caller.add(1).await;
    let delegates = posted.json()["delegates"].clone();
    assert_eq!(delegates.as_array().unwrap().len(), 1);
    assert!(delegates[0].as_str().unwrap().starts_with("/p2p/"));
    assert_eq!(posted.json()["info"], json!({ "status_details": "Submitted to IPFS Cluster" }));
    let got = played.see(&posted.id()).await.json();
    assert!(got["delegates"].is_null() && got.get("info").is_none());
}

#[tokio::test]
async fn created_is_later_in_the_post_than_in_a_get() {
    let played = Played::new("fula").await;
    let posted = played.caller.add(1).await;
    let got = played.see(&posted.id()).await.json()["created"].as_str().unwrap().to_owned();
    let posted = posted.json()["created"].as_str().unwrap().to_owned();
    assert_eq!((digits(&posted), digits(&got)), (9, 6));
    assert!(posted > got, "{posted} {got}");
    assert_eq!(played.caller.list(&format!("before={posted}")).await.json()["count"], 1);
    assert_eq!(played.caller.list(&format!("before={got}")).await.json()["count"], 0);
}

#[tokio::test]
async fn meta_is_looked_at_after_the_page_was_cut() {
    let played = Played::new("fula").await;
    let tagged = json!({ "cid": cid(1).as_str(), "meta": { "app": "mine" } });
    played.caller.post("/pins", tagged).await;
    played.pass(1);
    played.caller.add(2).await;
    let meta = "meta=%7B%22app%22:%22mine%22%7D";
    assert_eq!(
        played.caller.list(&format!("{meta}&limit=1")).await.json(),
        json!({ "count": 2, "results": null })
    );
    let both = played.caller.list(meta).await;
    assert_eq!((both.json()["count"].clone(), both.cids().len()), (json!(2), 1));
}

#[tokio::test]
async fn an_unknown_match_drops_the_name_filter_and_an_unknown_status_is_400() {
    let played = Played::new("fula").await;
    played.add_named(1, "alpha").await;
    assert_eq!(played.caller.list("name=beta&match=fuzzy").await.json()["count"], 1);
    assert_eq!(played.caller.list("name=beta&match=partial").await.json()["count"], 0);
    for wrong in ["status=lost", "limit=0", "limit=1001"] {
        assert_eq!(played.caller.list(wrong).await.code, 400, "{wrong}");
    }
}

#[tokio::test]
async fn errors_are_in_its_own_words() {
    let played = Played::new("fula").await;
    let id = played.caller.add(1).await.id();
    let deleted = played.caller.delete(&id).await;
    let seen = (
        deleted.code,
        deleted.text.as_str(),
        deleted.header("content-type"),
        deleted.header("content-length"),
    );
    assert_eq!(seen, (202, "", Some("application/json"), Some("0")));
    assert_eq!(played.see(&id).await.json()["error"]["details"], "Pin not found");
    played.sim.faults().next(1, Routes::Any, Fault::UNAUTHORIZED);
    let passing = played.caller.list("").await;
    assert_eq!(
        (passing.code, passing.json()["error"]["details"].as_str()),
        (401, Some("Invalid or expired session"))
    );
    assert_eq!(played.caller.list("").await.code, 200);
}

#[tokio::test]
async fn its_errors_of_2024_were_bare_strings_and_repeated_the_token() {
    let played =
        Played::with("fula", |builder| builder.behaviour(|is| is.dialect.errors = Errors::Fula2024)).await;
    let missing = played.see("none").await;
    assert_eq!((missing.code, missing.text.as_str()), (404, "\"document not found\""));
    assert_eq!(played.caller.post("/pins", json!({})).await.code, 422);
    let refused = played.caller.with_token("s3cr3t").list("").await;
    assert!(refused.code == 401 && refused.text.contains("s3cr3t"));
}

#[tokio::test]
async fn a_login_gives_a_session_that_works() {
    let played = Played::new("fula").await;
    let nobody = played.caller.clone().with_authorization(None);
    let wrong = nobody.post("/auth/token", json!({ "username": USER, "password": "guess" })).await;
    assert_eq!(wrong.code, 401);
    let answer = nobody.post("/auth/token", json!({ "username": USER, "password": PASSWORD })).await;
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert!(looks_like(IdKind::Uuid, &token));
    played.pass(365 * 24 * 3600);
    assert_eq!(nobody.with_token(&token).list("").await.code, 200);
    assert_eq!(played.sim.counts().calls(Route::Login), 2);
}
