//! Pins as clients see them: accepted, read, deleted; whose they are; and what becomes of shared copies.

use std::collections::BTreeMap;

use super::{Backend, house::*};
use crate::{model::*, policy::replica::Work, store::*};

/// I6: the CID is echoed byte for byte.
pub(in crate::store) async fn accepted_pins_are_read_back_as_they_were_sent<B: Backend>() {
    let house = House::<B>::open().await;
    let sent = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
    let mut request = house.request(0, "two", 1, t(1));
    let meta: BTreeMap<_, _> =
        [("k".to_owned(), "v".to_owned()), ("long".to_owned(), "v".repeat(1000))].into();
    request.spec = PinSpec {
        cid: PinCid::parse(sent).unwrap(),
        name: Some("A name".into()),
        meta: Some(Meta::try_new(meta.clone()).unwrap()),
        origins: Origins::keep_usable(["/ip4/203.0.113.7/tcp/4001".to_owned()]),
    };
    let accepted = house.store().accept_pin(request.clone()).await.unwrap();
    let read = house.pin(request.requestid).await;
    assert_eq!(PinRecord { answered: accepted.answered, ..read.clone() }, accepted);
    assert_eq!((read.cid.as_str(), read.name.as_deref()), (sent, Some("A name")));
    assert_eq!(Meta::from_json(read.meta.as_deref().unwrap()), Some(Meta::try_new(meta).unwrap()));
    assert!(read.origins.unwrap().contains("203.0.113.7"));
    assert_eq!((read.status, read.have, read.want, read.need), (Status::Queued, 0, 2, 1));
    assert_eq!(house.places(request.requestid).await, ["x", "y"]);
    let page = house.list(0, StatusSet::ALL).await;
    assert_eq!((page.count, page.pins.len()), (1, 1));
    assert_eq!((page.pins[0].requestid, page.pins[0].cid.as_str()), (request.requestid, sent));
    assert!(house.delete(0, request.requestid, t(2)).await);
    house.backend.check().await;
}

pub(in crate::store) async fn a_pin_is_gone_at_once_and_only_once<B: Backend>() {
    let house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    assert!(house.delete(0, pin, t(2)).await);
    assert!(!house.delete(0, pin, t(2)).await);
    assert!(house.find(0, pin).await.is_none());
    assert_eq!(house.list(0, StatusSet::ALL).await.count, 0);
    assert!(house.claim(0, t(3)).await.is_empty(), "nothing was ever sent");
    house.backend.check().await;
}

/// I11.
pub(in crate::store) async fn accounts_do_not_see_each_other<B: Backend>() {
    let house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    assert!(house.find(1, pin).await.is_none());
    assert!(!house.delete(1, pin, t(2)).await);
    let request = house.request(1, "one", 2, t(2));
    assert!(house.store().replace_pin(pin, request).await.unwrap().is_none());
    assert_eq!(house.list(1, StatusSet::ALL).await.count, 0);
    assert_eq!(house.pin(pin).await.status, Status::Queued);
    house.backend.check().await;
}

/// I6.
pub(in crate::store) async fn shared_content_is_removed_upstream_with_its_last_pin<B: Backend>() {
    let house = House::<B>::open().await;
    let pins = [house.add(0, "one", 1, t(1)).await, house.add(0, "one", 1, t(1)).await];
    let theirs = house.add(1, "one", 1, t(1)).await;
    assert_eq!(house.serve(0, t(2), well).await, 1, "one copy for all");
    assert_eq!(house.pin(pins[1]).await.status, Status::Pinned);
    for (account, pin) in [(0, pins[0]), (1, theirs)] {
        assert!(house.delete(account, pin, t(3)).await);
        assert!(house.claim(0, t(3)).await.is_empty());
    }
    assert!(house.delete(0, pins[1], t(4)).await);
    let claims = house.claim(0, t(4)).await;
    assert!(matches!(claims[..], [Claim { work: Work::Delete(_), .. }]));
    house.say(&claims[0], Word::Removed, t(5)).await;
    assert!(house.claim(0, t(5 + DAY)).await.is_empty());
    house.backend.check().await;
}

/// I13.
pub(in crate::store) async fn found_copies_are_never_deleted<B: Backend>() {
    let house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    let look = ClaimRequest { exclusive: false, ..house.due(0, t(2)) };
    let claims = house.store().claim_due(look).await.unwrap().claims;
    assert_eq!(claims[0].work, Work::Look);
    let theirs = UpstreamId::new("theirs").unwrap();
    let found = Word::Found {
        upstream: theirs,
        status: Status::Pinned,
        delegates: vec![],
        ours: false,
        doubles: vec![],
    };
    house.say(&claims[0], found, t(3)).await;
    assert_eq!(house.status(pin).await, Status::Pinned);
    house.delete(0, pin, t(4)).await;
    assert!(house.claim(0, t(4 + DAY)).await.is_empty());
    house.backend.check().await;
}

pub(in crate::store) async fn identity_cids_are_pinned_at_once_and_placed_nowhere<B: Backend>() {
    let house = House::<B>::open().await;
    let mut request = house.request(0, "both", 1, t(1));
    request.spec.cid = PinCid::parse("bafkqaaa").unwrap();
    let pin = house.store().accept_pin(request).await.unwrap();
    assert_eq!((pin.status, pin.copies.len(), pin.answered), (Status::Pinned, 0, true));
    assert_eq!(house.store().stats(t(2)).await.unwrap().under_replicated, 0);
    let next = house.replace(pin.requestid, "one", 2, t(2)).await;
    assert_eq!(next.status, Status::Queued);
    house.backend.check().await;
}

/// A request of the same transaction that fails is undone alone, copies and counters included.
pub(in crate::store) async fn a_request_that_fails_leaves_the_others_intact<B: Backend>() {
    let house = House::<B>::open().await;
    let known = house.add(0, "one", 0, t(1)).await;
    let writes = (1..=60).map(|n| {
        let mut request = house.request(0, "one", n, t(2));
        match n % 3 {
            1 => request.requestid = known,
            2 => request.policy = "nobody's".into(),
            _ => {}
        }
        let store = [house.store(), house.other()][usize::from(n % 2 == 0)].clone();
        async move { (n, store.accept_pin(request).await) }
    });
    for (n, written) in futures::future::join_all(writes).await {
        assert_eq!(written.is_ok(), n % 3 == 0, "{written:?}");
    }
    assert_eq!(house.list(0, StatusSet::ALL).await.count, 21);
    assert_eq!(house.claim(0, t(3)).await.len(), 21);
    house.backend.check().await;
}

/// I1.
pub(in crate::store) async fn what_was_acknowledged_survives_a_crash<B: Backend>() {
    let mut house = House::<B>::open().await;
    let instance = house.store().instance();
    let kept = house.add(0, "two", 1, t(1)).await;
    let (deleted, replaced) = (house.add(0, "one", 2, t(1)).await, house.add(0, "one", 3, t(1)).await);
    house.serve(0, t(2), well).await;
    house.delete(0, deleted, t(3)).await;
    let new = house.replace(replaced, "one", 4, t(3)).await.requestid;
    let before = house.list(0, StatusSet::ALL).await;
    house.crash(t(4)).await;
    let after = house.list(0, StatusSet::ALL).await;
    assert_eq!((after.count, &after.pins), (2, &before.pins));
    assert!(house.find(0, deleted).await.is_none() && house.find(0, replaced).await.is_none());
    assert_eq!(house.status(kept).await, Status::Pinned);
    assert_eq!(house.status(new).await, Status::Queued);
    assert_eq!(house.store().instance(), instance);
    house.backend.check().await;
}

pub(in crate::store) async fn a_pin_wanted_again_while_it_is_removed_is_kept<B: Backend>() {
    let house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    house.serve(0, t(2), well).await;
    house.delete(0, pin, t(3)).await;
    let claims = house.claim(0, t(3)).await;
    let again = house.add(1, "one", 1, t(4)).await;
    house.say(&claims[0], Word::Removed, t(5)).await;
    assert_eq!(house.find(1, again).await.unwrap().status, Status::Queued);
    house.serve(0, t(6), well).await;
    assert_eq!(house.find(1, again).await.unwrap().status, Status::Pinned);
    house.backend.check().await;
}

pub(in crate::store) async fn origins_of_later_pins_reach_a_copy_of_ours_that_is_on_its_way<B: Backend>() {
    let house = House::<B>::open().await;
    let add = async |origin: &str, at| {
        let mut request = house.request(0, "one", 1, at);
        request.spec.origins = Origins::keep_usable([origin.to_owned()]);
        house.store().accept_pin(request).await.unwrap();
    };
    let (one, two) = ("/ip4/8.8.8.1/tcp/1", "/ip4/8.8.8.2/tcp/1");
    add(one, t(1)).await;
    let submit = house.claim(0, t(1)).await.remove(0);
    assert_eq!(submit.origins, [one]);
    house.say(&submit, landed(&submit, Status::Queued), t(1)).await;
    add(two, t(2)).await;
    let mut poll = house.claim(0, t(DAY)).await.remove(0);
    poll.origins.sort();
    assert_eq!((poll.op, poll.origins), (Op::Poll, vec![one.to_owned(), two.to_owned()]));
}

pub(in crate::store) async fn origins_never_reach_a_pin_that_is_not_ours<B: Backend>() {
    let house = House::<B>::open().await;
    let mut request = house.request(0, "one", 1, t(1));
    request.spec.origins = Origins::keep_usable(["/ip4/8.8.8.1/tcp/1".to_owned()]);
    house.store().accept_pin(request).await.unwrap();
    let submit = house.claim(0, t(1)).await.remove(0);
    let (upstream, status) = (upstream(&submit), Status::Queued);
    let theirs = Word::Landed { upstream, status, delegates: Vec::new(), existed: true };
    house.say(&submit, theirs, t(1)).await;
    assert!(house.claim(0, t(DAY)).await[0].origins.is_empty());
}
