//! A simulated provider over real sockets: the API, the quirks, the faults, what it tells of itself.

use std::{sync::Arc, time::Duration};

use http::Method;
use serde_json::json;

use crate::model::{ManualClock, Timestamp};

use super::*;

mod client;
mod faulty;
mod gateway;
mod presets;
mod quirks;

use client::{Caller, TOKEN, cid, content, numbered_cid, until};

const ALL: &str = "status=queued,pinning,pinned,failed";

fn standing_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)))
}

async fn correct() -> (Sim, Caller) {
    let sim = Sim::builder(TOKEN).clock(standing_clock()).start().await;
    let caller = Caller::of(&sim);
    (sim, caller)
}

#[tokio::test]
async fn a_pin_is_queued_then_pinning_then_pinned() {
    let clock = standing_clock();
    let sim = Sim::builder(TOKEN).clock(clock.clone()).pin_after(Duration::from_secs(10)).start().await;
    let caller = Caller::of(&sim);
    let posted = caller.add(1).await;
    assert_eq!(posted.code, 202);
    assert_eq!(posted.json()["created"], "2023-11-14T22:13:20.000Z");
    let mut seen = vec![posted.json()["status"].clone()];
    for _ in 0..2 {
        clock.advance(Duration::from_secs(5));
        seen.push(caller.get(&format!("/pins/{}", posted.id())).await.json()["status"].clone());
    }
    assert_eq!(seen, ["queued", "pinning", "pinned"]);
}

#[tokio::test]
async fn a_pin_echoes_what_was_asked_and_names_a_delegate() {
    let (_sim, caller) = correct().await;
    let asked = json!({
        "cid": cid(1).as_str(), "name": "one", "meta": { "app": "x" },
        "origins": ["/ip4/203.0.113.1/tcp/4001"],
    });
    let posted = caller.post("/pins", asked.clone()).await;
    let got = caller.get(&format!("/pins/{}", posted.id())).await;
    assert_eq!(got.json()["pin"], asked);
    assert_eq!(got.json()["delegates"], json!([Behaviour::DELEGATE]));
    assert!(crate::model::delegates::names_a_peer(Behaviour::DELEGATE));
}

#[tokio::test]
async fn a_call_without_the_token_is_401() {
    let (sim, caller) = correct().await;
    let stranger = caller.with_token("guess");
    assert_eq!(stranger.add(1).await.code, 401);
    assert_eq!(stranger.list("").await.json()["error"]["reason"], "UNAUTHORIZED");
    assert!(sim.pins().is_empty());
}

#[tokio::test]
async fn a_list_is_newest_first_with_strict_bounds_and_an_exact_count() {
    let (_sim, caller) = correct().await;
    for n in 1..=5 {
        caller.add(n).await;
    }
    let all = caller.list("limit=2").await;
    assert_eq!(all.cids(), [cid(5).as_str(), cid(4).as_str()]);
    assert_eq!(all.json()["count"], 5);
    let edge = all.json()["results"][1]["created"].as_str().unwrap().to_owned();
    let older = caller.list(&format!("before={edge}")).await;
    assert_eq!(older.cids(), [cid(3).as_str(), cid(2).as_str(), cid(1).as_str()]);
    assert_eq!(older.json()["count"], 3);
    let newer = caller.list(&format!("after={edge}")).await;
    assert_eq!(newer.cids(), [cid(5).as_str()]);
    assert_eq!(caller.list(&format!("after={edge}&before={edge}")).await.json()["count"], 0);
}

#[tokio::test]
async fn every_filter_narrows_the_list() {
    let (_sim, caller) = correct().await;
    for (n, name) in [(1, "Alpha"), (2, "alphabet"), (3, "beta")] {
        let meta = json!({ "app": name, "all": "yes" });
        caller.post("/pins", json!({ "cid": cid(n).as_str(), "name": name, "meta": meta })).await;
    }
    let found = |query: String| {
        let caller = caller.clone();
        async move { caller.list(&query).await.cids().len() }
    };
    assert_eq!(found(format!("cid={},{}", cid(1).as_str(), cid(3).as_str())).await, 2);
    assert_eq!(found(format!("cid={}", cid(9).as_str())).await, 0);
    assert_eq!(found("name=alpha".into()).await, 0);
    assert_eq!(found("name=alpha&match=iexact".into()).await, 1);
    assert_eq!(found("name=lpha&match=partial".into()).await, 2);
    assert_eq!(found("name=ALPHA&match=ipartial".into()).await, 2);
    assert_eq!(found("meta=%7B%22app%22%3A%22beta%22,%22all%22:%22yes%22%7D".into()).await, 1);
    assert_eq!(found("status=queued,failed".into()).await, 0);
    assert_eq!(found("limit=1".into()).await, 1);
}

#[tokio::test]
async fn a_cid_in_another_spelling_is_found() {
    let (_sim, caller) = correct().await;
    caller.post("/pins", json!({ "cid": "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n" })).await;
    let v1 = "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    assert_eq!(caller.list(&format!("cid={v1}")).await.json()["count"], 1);
}

#[tokio::test]
async fn what_makes_no_sense_is_400() {
    let (sim, caller) = correct().await;
    for body in [json!({}), json!({ "cid": "nope" }), json!({ "cid": cid(1).as_str(), "meta": { "n": 1 } })] {
        assert_eq!(caller.post("/pins", body).await.code, 400);
    }
    let cids = vec![cid(1).as_str().to_owned(); 11].join(",");
    for query in [
        "limit=0",
        "limit=1001",
        "status=lost",
        "match=fuzzy",
        "before=now",
        "meta=x",
        &format!("cid={cids}"),
    ] {
        assert_eq!(caller.list(query).await.code, 400, "{query}");
    }
    assert!(sim.pins().is_empty());
}

#[tokio::test]
async fn replace_gives_a_new_id_and_ends_the_old_one() {
    let (sim, caller) = correct().await;
    let old = caller.add(1).await.id();
    let new = caller.post(&format!("/pins/{old}"), json!({ "cid": cid(2).as_str() })).await;
    assert_eq!(new.code, 202);
    assert_ne!(new.id(), old);
    assert_eq!(caller.get(&format!("/pins/{old}")).await.code, 404);
    assert_eq!(sim.pins().by_content(), [(content(2), 1)].into());
    assert_eq!(caller.post("/pins/none", json!({ "cid": cid(2).as_str() })).await.code, 404);
}

#[tokio::test]
async fn delete_removes_once_and_is_remembered() {
    let (sim, caller) = correct().await;
    let id = caller.add(1).await.id();
    let deleted = caller.delete(&id).await;
    assert_eq!((deleted.code, deleted.text.as_str()), (202, ""));
    assert_eq!(caller.delete(&id).await.code, 404);
    assert!(sim.pins().is_empty());
    let deletes = sim.deletes();
    assert_eq!((deletes.len(), &deletes[0].id, &deletes[0].content), (1, &id, &content(1)));
}

#[tokio::test]
async fn other_paths_are_404_and_other_methods_405() {
    let (_sim, caller) = correct().await;
    assert_eq!(caller.get("/").await.code, 404);
    assert_eq!(caller.get("/pins/a/b").await.code, 404);
    assert_eq!(caller.send(Method::PUT, "/pins", String::new()).await.unwrap().code, 405);
}

#[tokio::test]
async fn calls_are_counted_by_route_and_code_and_logged() {
    let (sim, caller) = correct().await;
    caller.add(1).await;
    caller.post("/pins", json!({})).await;
    caller.list(&format!("cid={}", cid(7).as_str())).await;
    let counts = sim.counts();
    assert_eq!((counts.calls(Route::Add), counts.calls(Route::List), counts.total()), (2, 1, 3));
    assert_eq!((counts.answered(Route::Add, 202), counts.answered(Route::Add, 400)), (1, 1));
    let log: Vec<_> = sim.log().into_iter().map(|entry| (entry.route, entry.content)).collect();
    assert_eq!(log, [(Route::Add, Some(content(1))), (Route::Add, None), (Route::List, Some(content(7)))]);
    sim.reset_stats();
    assert_eq!((sim.counts().total(), sim.log().len()), (0, 0));
}

#[tokio::test]
async fn pins_that_one_instance_made_twice_are_told() {
    let (sim, caller) = correct().await;
    for (n, tag) in [(1, "me/1"), (1, "me/2"), (1, "you/1"), (2, "me/1")] {
        caller.post("/pins", json!({ "cid": cid(n).as_str(), "meta": { "pinfold": tag } })).await;
    }
    let twice = sim.pins().made_twice();
    assert_eq!((twice.len(), &twice[0].0, twice[0].1.len()), (1, &content(1), 2));
    assert_eq!(sim.pins().by_tag()["me/1"], 2);
}

#[tokio::test]
async fn stopped_it_refuses_connections_and_started_again_it_has_its_pins() {
    let (sim, caller) = correct().await;
    let id = caller.add(1).await.id();
    sim.stop().await;
    assert!(tokio::net::TcpStream::connect(sim.address()).await.is_err());
    sim.start_again().await.unwrap();
    assert_eq!(caller.get(&format!("/pins/{id}")).await.code, 200);
}

#[tokio::test]
async fn dropping_it_ends_its_connections() {
    let sim = Sim::builder(TOKEN).start().await;
    sim.faults().always(Routes::Any, Fault::HANG_BEFORE);
    let caller = Caller::of(&sim);
    let call = tokio::spawn(async move { caller.try_add(1).await });
    until(|| sim.counts().ended(Route::Add, Outcome::Hung) == 1).await;
    drop(sim);
    assert!(call.await.unwrap().is_none());
}

#[tokio::test]
async fn a_hundred_thousand_pins_are_listed_by_cid_and_by_page() {
    let (sim, caller) = correct().await;
    for n in 0..100_000 {
        sim.plant(Asked { cid: numbered_cid(n), name: None, meta: None, origins: Vec::new() });
    }
    let one = caller.list(&format!("cid={}", numbered_cid(77).as_str())).await;
    assert_eq!(one.json()["count"], 1);
    let page = caller.list(&format!("limit=1000&{ALL}")).await;
    assert_eq!((page.json()["count"].as_u64(), page.cids().len()), (Some(100_000), 1000));
}
