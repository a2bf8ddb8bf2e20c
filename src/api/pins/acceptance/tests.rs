use std::{sync::Arc, time::Duration};

use http::Method;

use crate::{
    api::{
        Settings,
        double::{ACCOUNT, Answer, Asked, CID, House, NOBODY, Script},
    },
    lifecycle::Change,
    model::{RequestId, Status},
    store::{PinRecord, StoreError},
};

const DELEGATE: &str = "/ip4/203.0.113.7/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

fn patient() -> House {
    House::with(Settings::default())
}

fn body() -> String {
    format!(r#"{{"cid":"{CID}","name":"photos","meta":{{"app":"x"}},"origins":["{DELEGATE}"]}}"#)
}

/// The id of the pin that an unanswered request has recorded.
fn accepted(house: &House) -> RequestId {
    match house.store.asked().last() {
        Some(Asked::Accept(id) | Asked::Replace(_, id)) => *id,
        other => panic!("{other:?} is no acceptance"),
    }
}

fn assert_accepted(answer: &Answer, status: &str) {
    assert_eq!(answer.status, 202);
    let json = answer.json();
    assert_eq!(json["status"], status);
    assert_eq!(json["pin"]["cid"], CID);
}

#[tokio::test]
async fn an_add_is_answered_202_with_all_that_was_sent() {
    let house = House::new();
    let answer = house.ask(Method::POST, "/pins", &body()).await;
    assert_accepted(&answer, "queued");
    let json = answer.json();
    assert_eq!(json["pin"]["name"], "photos");
    assert_eq!(json["pin"]["meta"]["app"], "x");
    assert_eq!(json["pin"]["origins"][0], DELEGATE);
    assert_eq!(house.store.asked(), [Asked::Accept(answer.requestid())]);
}

#[tokio::test(start_paused = true)]
async fn an_add_waits_until_its_pin_is_answered_for_and_shows_what_came_of_it() {
    let house = patient();
    let change = |status| Change { status, answered: status == Status::Pinning };
    for (status, word) in [(Status::Pinned, "pinned"), (Status::Pinning, "pinning")] {
        let text = body();
        let mut adding = Box::pin(house.ask(Method::POST, "/pins", &text));
        assert!(futures::poll!(&mut adding).is_pending());
        let id = accepted(&house);
        house.store.change(id, |pin| {
            pin.status = status;
            pin.delegates = Arc::new(vec![DELEGATE.into()]);
        });
        house.changes.publish(id, Change { status: Status::Queued, answered: false });
        assert!(futures::poll!(&mut adding).is_pending(), "one copy's word is not enough");
        house.changes.publish(id, change(status));
        let answer = adding.await;
        assert_accepted(&answer, word);
        assert_eq!(answer.json()["delegates"][0], DELEGATE);
        assert!(!house.changes.is_awaited(id));
    }
}

#[tokio::test(start_paused = true)]
async fn an_add_waits_no_longer_than_it_may() {
    let house = patient();
    let before = tokio::time::Instant::now();
    let answer = house.ask(Method::POST, "/pins", &body()).await;
    assert_accepted(&answer, "queued");
    assert_eq!(before.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_settled_or_answered_at_once_is_not_waited_for() {
    let changes: [fn(&mut PinRecord); 2] = [|pin| pin.answered = true, |pin| pin.status = Status::Pinned];
    for change in changes {
        let house = patient();
        *house.store.on_accept.lock().unwrap() = Some(change);
        let before = tokio::time::Instant::now();
        let answer = house.ask(Method::POST, "/pins", &body()).await;
        assert_eq!((answer.status.as_u16(), before.elapsed()), (202, Duration::ZERO));
        assert_eq!(house.store.asked().len(), 1, "nor read again");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_quarter_of_the_requests_may_wait() {
    let house = House::with(Settings { max_in_flight: 4, ..Settings::default() });
    let text = body();
    let mut waiting = Box::pin(house.ask(Method::POST, "/pins", &text));
    assert!(futures::poll!(&mut waiting).is_pending());
    let before = tokio::time::Instant::now();
    assert_accepted(&house.ask(Method::POST, "/pins", &text).await, "queued");
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_accepted(&waiting.await, "queued");
}

#[tokio::test(start_paused = true)]
async fn an_accepted_pin_is_202_whatever_comes_after() {
    let text = body();
    let scripts = [
        Script::Fail(|| StoreError::Busy),
        Script::Fail(|| StoreError::Unavailable(anyhow::anyhow!("gone"))),
    ];
    for script in scripts {
        let house = patient();
        let mut adding = Box::pin(house.ask(Method::POST, "/pins", &text));
        assert!(futures::poll!(&mut adding).is_pending());
        house.store.follow(script);
        assert_accepted(&adding.await, "queued");
    }
    let house = patient();
    let mut adding = Box::pin(house.ask(Method::POST, "/pins", &text));
    assert!(futures::poll!(&mut adding).is_pending());
    house.store.pins.lock().unwrap().clear();
    assert_accepted(&adding.await, "queued");
}

#[tokio::test(start_paused = true)]
async fn the_first_word_of_a_pin_is_never_failed() {
    let house = patient();
    let text = body();
    let mut adding = Box::pin(house.ask(Method::POST, "/pins", &text));
    assert!(futures::poll!(&mut adding).is_pending());
    house.store.change(accepted(&house), |pin| pin.status = Status::Failed);
    assert_accepted(&adding.await, "queued");
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_leaves_its_pin_and_nothing_else() {
    let house = patient();
    let text = body();
    let mut engine = house.activator.listen();
    let mut adding = Box::pin(house.ask(Method::POST, "/pins", &text));
    assert!(futures::poll!(&mut adding).is_pending());
    let id = accepted(&house);
    drop(adding);
    assert!(!house.changes.is_awaited(id));
    assert!(house.store.pins.lock().unwrap().contains_key(&(ACCOUNT, id)));
    engine.woken().await;
}

#[tokio::test]
async fn the_engine_is_woken_also_when_the_client_leaves_before_the_store_is_done() {
    let house = House::new();
    house.store.follow(Script::Hang);
    let text = body();
    let mut engine = house.activator.listen();
    let mut adding = Box::pin(house.ask(Method::POST, "/pins", &text));
    assert!(futures::poll!(&mut adding).is_pending());
    drop(adding);
    engine.woken().await;
}

#[tokio::test]
async fn a_replace_gives_a_new_id_and_the_old_one_is_gone() {
    let house = House::new();
    let old = house.add().await;
    let answer = house.ask(Method::POST, &format!("/pins/{old}"), &body()).await;
    assert_accepted(&answer, "queued");
    let new = answer.requestid();
    assert_ne!(new, old);
    assert_eq!(house.store.asked().last(), Some(&Asked::Replace(old, new)));
    house.get(&format!("/pins/{old}")).await.failure(404, "NOT_FOUND");
    assert_eq!(house.get(&format!("/pins/{new}")).await.json()["pin"]["name"], "photos");
}

#[tokio::test]
async fn a_replace_of_nothing_records_nothing() {
    let house = House::new();
    house.ask(Method::POST, &format!("/pins/{NOBODY}"), &body()).await.failure(404, "NOT_FOUND");
    assert!(house.store.pins.lock().unwrap().is_empty());
    house.ask(Method::POST, &format!("/pins/{NOBODY}"), "{}").await.failure(400, "BAD_REQUEST");
}

#[tokio::test]
async fn a_bad_pin_is_400_and_never_reaches_the_store() {
    let house = House::new();
    for (bad, words) in [
        ("{}", "cid is missing"),
        (r#"{"cid":"QmCIDToBePinned"}"#, "CIDv0"),
        (r#"{"cid":"bafkqaaa","name":"a\u0000b"}"#, "NUL"),
        (r#"{"cid":"bafkqaaa","meta":{"n":1}}"#, "\"n\""),
    ] {
        let details = house.ask(Method::POST, "/pins", bad).await.failure(400, "BAD_REQUEST");
        assert!(details.contains(words), "{details}");
    }
    assert!(house.store.asked().is_empty());
}
