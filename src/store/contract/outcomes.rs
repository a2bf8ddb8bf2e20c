//! What outcomes change: many pins at once, doubles, delegates, those who wait.

use std::time::Duration;

use super::{Backend, house::*};
use crate::{model::*, store::*};

/// More pins than one transaction settles.
const MANY: u64 = 600;

async fn many<B: Backend>(house: &House<B>) -> Recorded {
    let mut requests: Vec<_> = (0..MANY).map(|_| house.request(0, "one", 1, t(1))).collect();
    requests[1].account = house.accounts[1];
    let store = house.store();
    futures::future::join_all(requests.into_iter().map(|request| store.accept_pin(request))).await;
    let claims = house.claim(0, t(2)).await;
    house.say(&claims[0], landed(&claims[0], Status::Pinned), t(3)).await
}

async fn all_are_pinned<B: Backend>(house: &House<B>) -> bool {
    let pinned = StatusSet::EMPTY.with(Status::Pinned);
    let listed = house.list(0, pinned).await.count + house.list(1, pinned).await.count;
    let all = house.list(0, StatusSet::ALL).await;
    listed == MANY && all.pins.iter().all(|pin| (pin.status, pin.have) == (Status::Pinned, 1))
}

pub(in crate::store) async fn many_pins_of_one_copy_end_equal<B: Backend>() {
    let house = House::<B>::open().await;
    let recorded = many(&house).await;
    assert_eq!((recorded.fanned_out, recorded.settled), (1, 0));
    assert_eq!(house.store().stats(t(4)).await.unwrap().remerge, 1);
    let mut steps = Vec::new();
    loop {
        let step = house.store().remerge_step(t(4)).await.unwrap();
        steps.push(step.pins);
        if !step.more {
            break;
        }
    }
    assert_eq!(steps, [256, 256, 88]);
    assert!(all_are_pinned(&house).await);
    assert_eq!(house.store().stats(t(4)).await.unwrap().under_replicated, 0);
    house.backend.check().await;
}

/// I1.
pub(in crate::store) async fn a_fan_out_survives_a_crash<B: Backend>() {
    let mut house = House::<B>::open().await;
    many(&house).await;
    house.store().remerge_step(t(4)).await.unwrap();
    house.crash(t(5)).await;
    house.drain(t(6)).await;
    assert!(all_are_pinned(&house).await);
    house.backend.check().await;
}

pub(in crate::store) async fn polls_are_hastened_for_those_who_ask<B: Backend>() {
    let house = House::<B>::open().await;
    let (asked, other) = (house.add(0, "one", 1, t(1)).await, house.add(0, "one", 2, t(1)).await);
    let old = t(10 * DAY);
    house.serve(0, t(2), |claim| landed(claim, Status::Queued)).await;
    for claim in house.claim(0, old).await {
        house.say(&claim, Word::Seen { status: Status::Queued, delegates: vec![], why: None }, old).await;
    }
    let gap = Duration::from_secs(1);
    let soon = old.plus(gap);
    assert!(house.claim(0, soon).await.is_empty(), "an old copy is polled rarely");
    let store = house.store();
    let hasten = || store.hasten_polls(vec![asked], gap, old);
    assert_eq!((hasten().await.unwrap(), hasten().await.unwrap()), (1, 0));
    assert!(house.claim(0, old).await.is_empty(), "no sooner than the gap");
    let claims = house.claim(0, soon).await;
    assert_eq!(claims.iter().map(|claim| &claim.content).collect::<Vec<_>>(), [cid(1).content()]);
    assert_eq!(house.status(other).await, Status::Queued);
}

pub(in crate::store) async fn polls_of_one_provider_are_brought_forward_to_a_limit<B: Backend>() {
    let house = House::<B>::open().await;
    for n in 0..3 {
        house.add(0, "two", n, t(1)).await;
    }
    let old = t(10 * DAY);
    for provider in 0..2 {
        house.serve(provider, t(2), |claim| landed(claim, Status::Queued)).await;
        for claim in house.claim(provider, old).await {
            house.say(&claim, Word::Seen { status: Status::Queued, delegates: vec![], why: None }, old).await;
        }
    }
    let store = house.store();
    let resume = |limit| store.resume_polls(house.providers[0], limit, old);
    assert_eq!(resume(2).await.unwrap(), 2);
    assert_eq!((resume(10).await.unwrap(), resume(10).await.unwrap()), (1, 0));
    assert_eq!((house.claim(0, old).await.len(), house.claim(1, old).await.len()), (3, 0));
}

fn found(id: &str, doubles: &[&str]) -> Word {
    Word::Found {
        upstream: UpstreamId::new(id).unwrap(),
        status: Status::Pinned,
        delegates: vec![],
        ours: true,
        doubles: doubles.iter().map(|id| UpstreamId::new(*id).unwrap()).collect(),
    }
}

/// I6: a second pin of ours for one content is deleted.
pub(in crate::store) async fn doubles_are_deleted_later_and_stay_on_record_until_then<B: Backend>() {
    let mut house = House::<B>::open().await;
    house.add(0, "one", 1, t(1)).await;
    let claims = house.claim(0, t(2)).await;
    let uuid = "0190163d-8694-739b-aea5-966c26f8ad90";
    house.say(&claims[0], found("first", &["second", uuid]), t(3)).await;
    house.crash(t(4)).await;
    let (store, x) = (house.store(), house.providers[0]);
    let mut due = store.claim_surplus(x, 9, t(5), t(1000)).await.unwrap();
    due.sort_by_key(|id| id.as_str().to_owned());
    assert_eq!(due.iter().map(UpstreamId::as_str).collect::<Vec<_>>(), [uuid, "second"]);
    assert!(store.claim_surplus(x, 9, t(999), t(2000)).await.unwrap().is_empty());
    store.record_surplus(x, due.remove(0)).await.unwrap();
    assert_eq!(store.claim_surplus(x, 9, t(1000), t(2000)).await.unwrap(), due);
    assert!(store.claim_surplus(house.providers[1], 9, t(DAY), t(DAY)).await.unwrap().is_empty());
}

/// I8: the first one went away before its double was deleted.
pub(in crate::store) async fn a_double_that_is_all_there_is_left_is_kept<B: Backend>() {
    let house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    let claims = house.claim(0, t(2)).await;
    house.say(&claims[0], found("first", &["second"]), t(3)).await;
    let claims = house.claim(0, t(30 * DAY)).await;
    house.say(&claims[0], Word::Gone, t(30 * DAY)).await;
    let claims = house.claim(0, t(30 * DAY + 1)).await;
    house.say(&claims[0], found("second", &[]), t(30 * DAY + 2)).await;
    let due = house.store().claim_surplus(house.providers[0], 9, t(31 * DAY), t(32 * DAY)).await.unwrap();
    assert!(due.is_empty());
    assert_eq!(house.status(pin).await, Status::Pinned);
}

pub(in crate::store) async fn delegates_are_kept_for_later<B: Backend>() {
    let mut house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    let claims = house.claim(0, t(2)).await;
    let delegates = vec!["/dnsaddr/x.example".to_owned()];
    let word = Word::Landed {
        upstream: upstream(&claims[0]),
        status: Status::Pinning,
        delegates: delegates.clone(),
        existed: false,
    };
    house.say(&claims[0], word, t(3)).await;
    house.crash(t(4)).await;
    assert_eq!(*house.pin(pin).await.delegates, delegates);
    let next = house.add(0, "one", 2, t(5)).await;
    assert_eq!(*house.pin(next).await.delegates, delegates, "those last seen of its provider");
}

pub(in crate::store) async fn waiting_clients_are_answered_once_every_copy_is<B: Backend>() {
    let house = House::<B>::open().await;
    let accepted = house.store().accept_pin(house.request(0, "two", 1, t(1))).await.unwrap();
    assert!(!accepted.answered);
    for provider in 0..3 {
        house.note(provider, Health::Down, t(2)).await;
    }
    let hopeless = house.store().accept_pin(house.request(0, "two", 2, t(3))).await.unwrap();
    assert!(hopeless.answered, "nothing can be sent within a moment");
    assert_eq!((hopeless.status, hopeless.copies.len()), (Status::Queued, 2));
}
