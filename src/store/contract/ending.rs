//! Pins that go away by themselves.

use std::time::Duration;

use super::{Backend, house::*};
use crate::{model::*, policy::replica::Work, store::*};

fn until<B: Backend>(house: &House<B>, n: u64, end: Option<i64>) -> AcceptPin {
    AcceptPin { expires: end.map(t), ..house.request(0, "one", n, t(1)) }
}

async fn add_until<B: Backend>(house: &House<B>, n: u64, end: i64) -> RequestId {
    house.store().accept_pin(until(house, n, Some(end))).await.unwrap().requestid
}

async fn expire<B: Backend>(house: &House<B>, now: i64, limit: u32) -> (u64, Option<Timestamp>) {
    let Expired { pins, next } = house.store().expire_pins(t(now), limit).await.unwrap();
    (pins, next)
}

/// As by a client's delete: counters, meta, links and copies.
pub(in crate::store) async fn a_pin_whose_time_has_come_is_deleted_whole<B: Backend>() {
    let house = House::<B>::open().await;
    let mut request = until(&house, 1, Some(100));
    request.spec.meta = Meta::from_json(r#"{"a":"b"}"#);
    let pin = house.store().accept_pin(request).await.unwrap();
    assert_eq!(pin.expires, Some(t(100)));
    assert_eq!(house.list(0, StatusSet::ALL).await.pins[0].expires, Some(t(100)));
    house.serve(0, t(2), well).await;
    assert_eq!(expire(&house, 99, 10).await, (0, Some(t(100))));
    assert!(house.find(0, pin.requestid).await.is_some());
    assert_eq!(expire(&house, 100, 10).await, (1, None));
    assert!(house.find(0, pin.requestid).await.is_none());
    let events =
        house.store().events(EventQuery { limit: 100, ..EventQuery::default() }).await.unwrap().events;
    let ended = events.iter().find(|event| event.kind == EventKind::PinExpired).unwrap();
    assert_eq!(ended.subject, pin.requestid.to_string());
    assert_eq!(house.list(0, StatusSet::ALL).await.count, 0);
    let claims = house.claim(0, t(101)).await;
    assert!(matches!(claims[..], [Claim { work: Work::Delete(_), .. }]), "{claims:?}");
    house.say(&claims[0], Word::Removed, t(102)).await;
    house.backend.check().await;
}

pub(in crate::store) async fn pins_go_in_the_order_of_their_ends_a_limit_at_a_time<B: Backend>() {
    let house = House::<B>::open().await;
    let (second, first) = (add_until(&house, 1, 20).await, add_until(&house, 2, 10).await);
    let stays = house.add(0, "one", 3, t(1)).await;
    let later = add_until(&house, 4, 30).await;
    assert_eq!(expire(&house, 25, 1).await, (1, Some(t(20))), "more are left");
    assert!(house.find(0, first).await.is_none() && house.find(0, second).await.is_some());
    assert_eq!(expire(&house, 25, 1).await, (1, Some(t(30))));
    assert_eq!(expire(&house, 25, 1).await, (0, Some(t(30))));
    assert!(house.find(0, stays).await.is_some() && house.find(0, later).await.is_some());
    house.backend.check().await;
}

pub(in crate::store) async fn a_replace_sets_the_end_anew<B: Backend>() {
    let house = House::<B>::open().await;
    let old = add_until(&house, 1, 10).await;
    let mut request = until(&house, 1, Some(50));
    request.now = t(2);
    let new = house.store().replace_pin(old, request).await.unwrap().unwrap();
    assert_eq!(new.expires, Some(t(50)));
    assert_eq!(expire(&house, 20, 10).await, (0, Some(t(50))));
    let last = house.replace(new.requestid, "one", 1, t(21)).await;
    assert_eq!((last.expires, expire(&house, 100, 10).await), (None, (0, None)));
    house.backend.check().await;
}

/// A client may shorten what its policy gives, and not lengthen it.
pub(in crate::store) async fn the_sooner_of_what_client_and_policy_say_counts<B: Backend>() {
    let mut house = House::<B>::open().await;
    let mut brief = config();
    brief.policies[0].expire_after = Some(Duration::from_millis(50));
    house.register(brief, t(0)).await.unwrap();
    for (n, asked, end) in [(1, None, 51), (2, Some(20), 20), (3, Some(90), 51)] {
        let pin = house.store().accept_pin(until(&house, n, asked)).await.unwrap();
        assert_eq!(pin.expires, Some(t(end)), "asked for {asked:?}");
    }
    assert_eq!(expire(&house, 51, 10).await, (3, None));
    house.backend.check().await;
}

/// I3: `created` runs ahead of the clock in a burst, and no end with it.
pub(in crate::store) async fn an_end_is_counted_from_the_acceptance<B: Backend>() {
    let mut house = House::<B>::open().await;
    let mut brief = config();
    brief.policies[0].expire_after = Some(Duration::from_millis(50));
    house.register(brief, t(0)).await.unwrap();
    for n in 0..10 {
        let pin = house.store().accept_pin(until(&house, n, None)).await.unwrap();
        assert_eq!((pin.created, pin.expires), (t(1 + n.cast_signed()), Some(t(51))));
    }
}

/// I1: the end is as durable as the pin.
pub(in crate::store) async fn an_end_survives_a_crash<B: Backend>() {
    let mut house = House::<B>::open().await;
    let pin = add_until(&house, 1, 10).await;
    house.crash(t(5)).await;
    assert_eq!(house.pin(pin).await.expires, Some(t(10)));
    assert_eq!(expire(&house, 10, 10).await, (1, None));
    house.crash(t(11)).await;
    assert!(house.find(0, pin).await.is_none());
    house.backend.check().await;
}
