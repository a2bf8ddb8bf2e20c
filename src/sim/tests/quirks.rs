//! What a provider does differently all the time.

use super::*;
use crate::presets::{Codes, Count, DefaultStatus, NameRule};

async fn with(quirk: impl FnOnce(Builder) -> Builder) -> (Sim, Caller) {
    let sim = quirk(Sim::builder(TOKEN).clock(standing_clock())).start().await;
    let caller = Caller::of(&sim);
    (sim, caller)
}

#[tokio::test]
async fn pins_fail_by_cid_name_or_code() {
    let (sim, caller) = with(|builder| {
        builder.fail_cid(cid(1)).fail_name("bad-").fail_if(|asked| asked.name.as_deref() == Some("odd"))
    })
    .await;
    let status = async |n: u8, name: &str| {
        let posted = caller.post("/pins", json!({ "cid": cid(n).as_str(), "name": name })).await;
        posted.json()["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status(1, "good").await, "failed");
    assert_eq!(status(2, "bad-name").await, "failed");
    assert_eq!(status(3, "odd").await, "failed");
    assert_eq!(status(4, "good").await, "pinned");
    let failed = caller.list("status=failed&limit=1").await;
    assert!(failed.json()["results"][0]["info"]["status_details"].is_string());
    sim.set(|is| is.fail.clear());
    assert_eq!(status(1, "good").await, "pinned");
}

#[tokio::test]
async fn a_share_of_pins_fails() {
    let (sim, caller) = with(|builder| builder.fail_rate(0.5).seed(1)).await;
    for n in 0..64 {
        caller.add(n).await;
    }
    let failed = sim.pins().iter().filter(|pin| pin.status == Status::Failed).count();
    assert!((1..64).contains(&failed), "{failed}");
}

#[tokio::test]
async fn pins_are_forgotten_or_held_in_a_state() {
    let (sim, caller) = correct().await;
    let id = caller.add(1).await.id();
    sim.force(&content(1), Some(Status::Queued));
    assert_eq!(caller.get(&format!("/pins/{id}")).await.json()["status"], "queued");
    sim.force(&content(1), None);
    assert_eq!(caller.get(&format!("/pins/{id}")).await.json()["status"], "pinned");
    assert_eq!(sim.forget(&content(1)), 1);
    assert_eq!(caller.get(&format!("/pins/{id}")).await.code, 404);
    assert_eq!(caller.list(&format!("cid={}", cid(1).as_str())).await.json()["count"], 0);
    assert!(sim.deletes().is_empty());
}

#[tokio::test]
async fn a_provider_that_never_pins_can_be_told_to() {
    let (sim, caller) = with(Builder::never_pins).await;
    assert_eq!(caller.add(1).await.json()["status"], "queued");
    sim.set(|is| is.pin_after = PinAfter::default());
    assert_eq!(caller.list("").await.json()["count"], 1);
}

#[tokio::test]
async fn a_second_post_of_a_content_collapses_into_the_first() {
    let (sim, caller) = with(Builder::collapse_duplicates).await;
    let first = caller.add(1).await.id();
    assert_eq!(caller.add(1).await.id(), first);
    assert_eq!(sim.pins().len(), 1);
    let (sim, caller) = correct().await;
    assert_ne!(caller.add(1).await.id(), caller.add(1).await.id());
    assert_eq!(sim.pins().by_content(), [(content(1), 2)].into());
}

#[tokio::test]
async fn count_lies_in_each_of_three_ways() {
    let (sim, caller) = correct().await;
    for n in 1..=5 {
        caller.add(n).await;
    }
    let edge = caller.list("").await.json()["results"][1]["created"].as_str().unwrap().to_owned();
    for (mode, expected) in
        [(Count::Exact, 3), (Count::PageLength, 2), (Count::ResultsPlusOne, 3), (Count::IgnoringBefore, 5)]
    {
        sim.set(|is| is.count = mode);
        let listed = caller.list(&format!("limit=2&before={edge}")).await;
        assert_eq!(listed.json()["count"], expected, "{mode:?}");
    }
    sim.set(|is| is.count = Count::ResultsPlusOne);
    assert_eq!(caller.list("").await.json()["count"], 5);
}

#[tokio::test]
async fn errors_are_html_pages() {
    let (_sim, caller) = with(Builder::html_errors).await;
    let missing = caller.get("/pins/none").await;
    assert_eq!((missing.code, missing.header("content-type")), (404, Some("text/html")));
    assert!(missing.text.starts_with("<html>"));
}

#[tokio::test]
async fn dropped_meta_is_hidden_from_callers_and_shown_to_tests() {
    let (sim, caller) = with(Builder::drop_meta).await;
    let asked = json!({ "cid": cid(1).as_str(), "meta": { "pinfold": "me/1" } });
    let posted = caller.post("/pins", asked).await;
    assert!(posted.json()["pin"].get("meta").is_none());
    assert_eq!(caller.list("meta=%7B%22pinfold%22:%22me/1%22%7D").await.json()["count"], 0);
    assert_eq!(sim.pins().0[0].asked.tag(), Some("me/1"));
}

#[tokio::test]
async fn the_cid_filter_is_ignored() {
    let (_sim, caller) = with(Builder::ignore_cid_filter).await;
    caller.add(1).await;
    assert_eq!(caller.list(&format!("cid={}", cid(2).as_str())).await.cids(), [cid(1).as_str()]);
}

#[tokio::test]
async fn what_is_empty_is_null() {
    let (_sim, caller) = with(Builder::null_arrays).await;
    assert!(caller.list("").await.json()["results"].is_null());
    let posted = caller.add(1).await;
    assert!(posted.json()["delegates"].is_array());
    let got = caller.get(&format!("/pins/{}", posted.id())).await.json();
    for null in [&got["delegates"], &got["info"], &got["pin"]["meta"], &got["pin"]["origins"]] {
        assert!(null.is_null());
    }
    assert!(got["pin"].as_object().unwrap().contains_key("meta"));
}

#[tokio::test]
async fn ids_are_in_camel_case() {
    let (_sim, caller) = with(Builder::camel_case_ids).await;
    let posted = caller.add(1).await.json();
    assert!(posted["requestId"].is_string() && posted.get("requestid").is_none());
}

#[tokio::test]
async fn success_has_other_codes() {
    let codes = Codes { add: 200, replace: 201, remove: 204 };
    let (_sim, caller) = with(|builder| builder.success_codes(codes)).await;
    let posted = caller.add(1).await;
    let replaced = caller.post(&format!("/pins/{}", posted.id()), json!({ "cid": cid(2).as_str() })).await;
    let deleted = caller.delete(&replaced.id()).await;
    assert_eq!([posted.code, replaced.code, deleted.code], [200, 201, 204]);
}

#[tokio::test]
async fn a_list_that_asks_for_no_status_shows_pinned_ones_or_all() {
    let (sim, caller) = with(Builder::never_pins).await;
    caller.add(1).await;
    assert_eq!(caller.list("").await.json()["count"], 0);
    sim.set(|is| is.default_status = DefaultStatus::All);
    assert_eq!(caller.list("").await.json()["count"], 1);
}

#[tokio::test]
async fn delegates_are_those_that_were_set() {
    let (_sim, caller) = with(|builder| builder.delegates(["/ip4/127.0.0.1/tcp/4001"])).await;
    assert_eq!(caller.add(1).await.json()["delegates"], json!(["/ip4/127.0.0.1/tcp/4001"]));
}

#[tokio::test]
async fn a_full_queue_refuses_until_something_is_pinned() {
    let (sim, caller) = with(|builder| builder.never_pins().max_queued(1)).await;
    assert_eq!(caller.add(1).await.code, 202);
    let refused = caller.add(2).await;
    assert_eq!((refused.code, refused.json()["error"]["reason"].as_str()), (429, Some("QUEUE_FULL")));
    sim.force(&content(1), Some(Status::Pinned));
    assert_eq!(caller.add(2).await.code, 202);
}

#[tokio::test]
async fn a_caller_that_leaves_during_the_latency_has_asked_for_nothing() {
    let (sim, caller) = with(|builder| builder.latency(Duration::from_secs(3600))).await;
    let call = tokio::spawn(async move { caller.try_add(1).await });
    until(|| sim.counts().calls(Route::Add) == 1).await;
    call.abort();
    until(|| sim.counts().ended(Route::Add, Outcome::Abandoned) == 1).await;
    assert!(sim.pins().is_empty());
}

#[tokio::test]
async fn pages_of_more_rows_than_tell_show_all_as_queued() {
    let (sim, caller) = with(|builder| builder.behaviour(|is| is.true_rows = Some(1))).await;
    caller.add(1).await;
    caller.add(2).await;
    let first =
        async |limit: u8| caller.list(&format!("limit={limit}")).await.json()["results"][0]["status"].clone();
    assert_eq!((first(1).await, first(2).await), (json!("pinned"), json!("queued")));
    sim.set(|is| is.true_rows = Some(0));
    assert_eq!(first(1).await, "queued");
}

#[tokio::test]
async fn a_pin_without_a_name_is_refused_where_one_is_required() {
    let (_sim, caller) = with(|builder| builder.behaviour(|is| is.names = NameRule::Required)).await;
    assert_eq!(caller.add(1).await.code, 400);
    assert_eq!(caller.post("/pins", json!({ "cid": cid(1).as_str(), "name": "mine" })).await.code, 202);
}
