//! What goes wrong on demand.

use super::*;

/// The outcome of one POST under a fault: its code, if any, and how many pins there are then.
async fn struck(fault: Fault) -> (Option<u16>, usize) {
    let (sim, caller) = correct().await;
    sim.faults().next(1, Route::Add, fault);
    let code = caller.try_add(1).await.map(|seen| seen.code);
    (code, sim.pins().len())
}

#[tokio::test]
async fn faults_without_an_answer_leave_the_call_done_or_not() {
    assert_eq!(struck(Fault::RESET_BEFORE).await, (None, 0));
    assert_eq!(struck(Fault::STORED_BUT_RESET).await, (None, 1));
}

#[tokio::test]
async fn a_reset_is_a_reset_and_no_mere_close() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (sim, _caller) = correct().await;
    sim.faults().always(Routes::Any, Fault::RESET_BEFORE);
    let mut stream = tokio::net::TcpStream::connect(sim.address()).await.unwrap();
    stream.write_all(b"GET /pins HTTP/1.1\r\nhost: sim\r\n\r\n").await.unwrap();
    let error = stream.read(&mut [0; 1]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn faults_with_a_code_leave_the_call_done_or_not() {
    assert_eq!(struck(Fault::status(503)).await, (Some(503), 0));
    assert_eq!(struck(Fault::STORED_BUT_500).await, (Some(500), 1));
    assert_eq!(struck(Fault::UNAUTHORIZED).await, (Some(401), 0));
    assert_eq!(struck(Fault::NO_FUNDS).await, (Some(402), 0));
    assert_eq!(struck(Fault::GARBAGE).await, (Some(200), 0));
    assert_eq!(struck(Fault::after(FaultKind::Garbage)).await, (Some(200), 1));
}

#[tokio::test]
async fn a_429_says_when_to_come_back_in_each_of_three_ways() {
    let (sim, caller) = correct().await;
    for (retry_after, header, expected) in [
        (RetryAfter::Seconds(5), "retry-after", Some("5")),
        (RetryAfter::HttpDate(5), "retry-after", Some("Tue, 14 Nov 2023 22:13:25 GMT")),
        (RetryAfter::RateLimitReset(5), "x-ratelimit-reset", Some("1700000005")),
        (RetryAfter::Unsaid, "retry-after", None),
    ] {
        sim.faults().next(1, Routes::Any, Fault::too_many(retry_after));
        let seen = caller.add(1).await;
        assert_eq!((seen.code, seen.header(header)), (429, expected));
    }
    assert!(sim.pins().is_empty());
}

#[tokio::test]
async fn hanging_calls_are_done_or_not_and_counted_at_once() {
    for (fault, pins) in [(Fault::HANG_BEFORE, 0), (Fault::HANG_AFTER, 1)] {
        let (sim, caller) = correct().await;
        sim.faults().always(Routes::Writes, fault);
        let call = tokio::spawn(async move { caller.try_add(1).await });
        until(|| sim.counts().ended(Route::Add, Outcome::Hung) == 1).await;
        assert_eq!(sim.pins().len(), pins);
        call.abort();
    }
}

#[tokio::test]
async fn a_slow_call_is_done_before_it_is_answered() {
    let (sim, caller) = correct().await;
    sim.faults().next(1, Route::Add, Fault::slow(Duration::from_secs(3600)));
    let slow = caller.clone();
    let call = tokio::spawn(async move { slow.try_add(1).await });
    until(|| sim.pins().len() == 1).await;
    call.abort();
    until(|| sim.counts().ended(Route::Add, Outcome::Abandoned) == 1).await;
    sim.faults().next(1, Route::Add, Fault::slow(Duration::from_millis(1)));
    assert_eq!(caller.add(2).await.code, 202);
}

#[tokio::test]
async fn a_fault_strikes_its_routes_so_many_times() {
    let (sim, caller) = correct().await;
    sim.faults().next(2, Routes::Reads, Fault::status(500));
    assert_eq!(caller.add(1).await.code, 202);
    let codes = [caller.list("").await.code, caller.get("/pins/x").await.code, caller.list("").await.code];
    assert_eq!(codes, [500, 500, 200]);
    sim.faults().always(Routes::Any, Fault::status(502));
    assert_eq!([caller.add(2).await.code, caller.add(2).await.code], [502, 502]);
    sim.faults().clear();
    assert_eq!(caller.add(2).await.code, 202);
}

#[tokio::test]
async fn down_resets_every_call_those_in_flight_too_until_it_is_up() {
    let (sim, caller) = correct().await;
    sim.faults().next(1, Route::Add, Fault::slow(Duration::from_secs(3600)));
    let slow = caller.clone();
    let call = tokio::spawn(async move { slow.try_add(1).await });
    until(|| sim.pins().len() == 1).await;
    sim.faults().down();
    assert!(call.await.unwrap().is_none());
    assert!(caller.try_add(2).await.is_none());
    assert_eq!(sim.counts().ended(Route::Add, Outcome::Reset), 2);
    sim.faults().up();
    assert_eq!(caller.list("").await.cids(), [cid(1).as_str()]);
}

#[tokio::test]
async fn a_rate_limit_refuses_what_is_over_it_and_counts_it() {
    let clock = standing_clock();
    let limit = "list:2/1m".parse().unwrap();
    let sim = Sim::builder(TOKEN).clock(clock.clone()).rate_limit(limit).start().await;
    let caller = Caller::of(&sim);
    let codes = [caller.list("").await.code, caller.list("").await.code];
    assert_eq!(codes, [200, 200]);
    clock.advance(Duration::from_millis(20_500));
    let refused = caller.list("").await;
    assert_eq!((refused.code, refused.header("retry-after")), (429, Some("40")));
    assert_eq!(caller.add(1).await.code, 202);
    clock.advance(Duration::from_secs(40));
    assert_eq!(caller.list("").await.code, 200);
    assert_eq!(sim.counts().violations(), 1);
}

#[tokio::test]
async fn calls_at_once_are_counted() {
    let (sim, caller) = correct().await;
    sim.faults().always(Routes::Any, Fault::slow(Duration::from_secs(3600)));
    let calls: Vec<_> = (0..3)
        .map(|n| {
            let caller = caller.clone();
            tokio::spawn(async move { caller.try_add(n).await })
        })
        .collect();
    until(|| sim.counts().max_concurrency() == 3).await;
    calls.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn the_remote_control_needs_no_token_and_answers_while_down() {
    let (sim, caller) = correct().await;
    caller.post("/pins", json!({ "cid": cid(1).as_str(), "meta": { "pinfold": "me/1" } })).await;
    let control = caller.clone().with_token("");
    let change = json!({
        "add": ["add:503*1"], "down": true, "rate_limits": ["list:30/1m"],
        "status": { cid(1).as_str(): "failed" },
    });
    assert_eq!(control.post("/_sim/faults", change).await.code, 200);
    assert!(caller.try_add(2).await.is_none());
    let faults = control.get("/_sim/faults").await.json();
    assert_eq!(faults, json!({ "add": ["add:503*1"], "down": true, "rate_limits": ["list:30/60s"] }));
    let pins = control.get("/_sim/pins").await.json();
    assert_eq!((&pins[0]["status"], &pins[0]["meta"]["pinfold"]), (&json!("failed"), &json!("me/1")));
    control.post("/_sim/faults", json!({ "clear": true, "forget": [cid(1).as_str()] })).await;
    assert_eq!(caller.add(2).await.code, 202);
    assert_eq!(sim.pins().by_content(), [(content(2), 1)].into());
}

#[tokio::test]
async fn the_remote_control_tells_what_was_seen() {
    let (_sim, caller) = correct().await;
    for _ in 0..2 {
        caller.post("/pins", json!({ "cid": cid(1).as_str(), "meta": { "pinfold": "me/1" } })).await;
    }
    let id = caller.add(2).await.id();
    caller.delete(&id).await;
    let stats = caller.get("/_sim/stats").await.json();
    assert_eq!(stats["calls"], json!({ "add": 3, "remove": 1 }));
    assert_eq!(stats["outcomes"]["add"], json!({ "202": 3 }));
    assert_eq!((&stats["pins"], &stats["statuses"]["pinned"]), (&json!(2), &json!(2)));
    assert_eq!(stats["made_twice"][cid(1).as_str()].as_array().unwrap().len(), 2);
    assert_eq!(stats["most_of_one_content"], 2);
    assert_eq!(caller.get("/_sim/deletes").await.json()[0]["requestid"], json!(id));
    assert_eq!(caller.get("/_sim/log").await.json().as_array().unwrap().len(), 4);
    caller.post("/_sim/reset_stats", json!({})).await;
    assert_eq!(caller.get("/_sim/stats").await.json()["total"], 0);
}

#[tokio::test]
async fn the_remote_control_changes_behaviour_and_refuses_what_it_does_not_know() {
    let (sim, caller) = correct().await;
    let changed = caller.post("/_sim/behaviour", json!({ "pin_after": "never", "max_queued": 3 })).await;
    assert_eq!((&changed.json()["pin_after"], &changed.json()["max_queued"]), (&json!("never"), &json!(3)));
    assert_eq!(caller.get("/_sim/behaviour").await.json(), changed.json());
    assert_eq!(caller.add(1).await.json()["status"], "queued");
    assert_eq!(caller.post("/_sim/behaviour", json!({ "latency": 5 })).await.code, 400);
    for wrong in [json!({ "ad": [] }), json!({ "down": true, "forget": ["nope"] })] {
        assert_eq!(caller.post("/_sim/faults", wrong).await.code, 400);
    }
    assert_eq!(caller.get("/_sim/nothing").await.code, 404);
    assert_eq!(sim.pins().len(), 1);
}
