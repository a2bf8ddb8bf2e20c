//! Replacing a pin: a new id at once, and the old copies held until the new ones are there (I2, I8).

use super::{Backend, house::*};
use crate::{model::*, policy::replica::Work, store::*};

fn only_deletes(claims: &[Claim]) -> bool {
    claims.iter().all(|claim| matches!(claim.work, Work::Delete(_)))
}

/// I2: the old id is gone with the answer.
pub(in crate::store) async fn the_same_content_keeps_its_copies_under_a_new_id<B: Backend>() {
    let house = House::<B>::open().await;
    let old = house.add(0, "both", 1, t(1)).await;
    house.serve(0, t(2), well).await;
    let mut request = house.request(0, "both", 1, t(3));
    request.spec.name = Some("renamed".into());
    let new = house.store().replace_pin(old, request).await.unwrap().unwrap();
    assert_ne!(new.requestid, old);
    assert!(house.find(0, old).await.is_none());
    assert_eq!((new.status, new.have, new.name.as_deref()), (Status::Pinning, 1, Some("renamed")));
    assert!(house.claim(0, t(4)).await.is_empty(), "nothing to send again");
    house.serve(1, t(4), well).await;
    assert_eq!(house.status(new.requestid).await, Status::Pinned);
    house.backend.check().await;
}

/// I8.
pub(in crate::store) async fn another_content_holds_the_old_pinned_copies_until_the_new_need_is_met<
    B: Backend,
>() {
    let house = House::<B>::open().await;
    let old = house.add(0, "both", 1, t(1)).await;
    for provider in [0, 1] {
        house.serve(provider, t(2), well).await;
    }
    let new = house.replace(old, "both", 2, t(3)).await;
    assert_eq!((new.status, new.have), (Status::Queued, 0));
    for (provider, now) in [(0, t(4)), (1, t(5))] {
        let claims = house.claim(provider, now).await;
        assert!(matches!(claims[..], [Claim { work: Work::Submit, .. }]), "the old copy is held");
        house.say(&claims[0], well(&claims[0]), now).await;
    }
    assert_eq!(house.status(new.requestid).await, Status::Pinned);
    for provider in [0, 1] {
        let claims = house.claim(provider, t(6)).await;
        assert!(claims.len() == 1 && only_deletes(&claims), "{claims:?}");
        house.say(&claims[0], Word::Removed, t(6)).await;
    }
    house.backend.check().await;
}

/// The oldest of more than four go first.
pub(in crate::store) async fn a_chain_of_replaces_holds_four_contents<B: Backend>() {
    let house = House::<B>::open().await;
    let mut pin = house.add(0, "both", 0, t(0)).await;
    for n in 1..10_i64 {
        // One of two needed copies is made each time.
        house.serve(0, t(n * 1000), well).await;
        let new = house.replace(pin, "both", n.unsigned_abs(), t(n * 1000)).await;
        assert_eq!(new.have, 0);
        pin = new.requestid;
    }
    house.serve(0, t(10_000), well).await;
    assert!(house.delete(0, pin, t(20_000)).await);
    let gone = house.serve(0, t(20_000), well).await;
    assert_eq!(gone, 5, "its own copy and those of four contents");
    house.serve(1, t(20_000), well).await;
    house.backend.check().await;
}

pub(in crate::store) async fn held_copies_expire_after_seven_days<B: Backend>() {
    let house = House::<B>::open().await;
    let old = house.add(0, "one", 1, t(0)).await;
    house.serve(0, t(1), well).await;
    let first = house.replace(old, "one", 2, t(10)).await;
    let second = house.replace(first.requestid, "one", 3, t(5 * DAY)).await;
    let store = house.store();
    assert_eq!(store.expire_held(t(7 * DAY)).await.unwrap(), 0);
    assert_eq!(store.expire_held(t(7 * DAY + 11)).await.unwrap(), 1, "counted from when it was first held");
    assert_eq!(store.expire_held(t(7 * DAY + 11)).await.unwrap(), 0);
    let claims = house.claim(0, t(7 * DAY + 12)).await;
    assert_eq!(claims.iter().filter(|claim| only_deletes(std::slice::from_ref(claim))).count(), 1);
    assert_eq!(house.status(second.requestid).await, Status::Queued);
    house.backend.check().await;
}

/// I8: the same content under another revision was let go of before it was anywhere else, or confirmed there.
pub(in crate::store) async fn what_is_replaced_by_another_policy_is_kept_until_it_has_moved<B: Backend>() {
    let mut house = House::<B>::open().await;
    let old = house.add(0, "one", 1, t(1)).await;
    house.serve(0, t(2), well).await;
    let mut moved = config();
    moved.policies[0].providers = vec!["y".into()];
    house.register(moved, t(3)).await.unwrap();
    let new = house.replace(old, "one", 1, t(4)).await;
    assert_eq!((new.status, house.places(new.requestid).await.join(" ")), (Status::Pinned, "x y".into()));
    house.serve(1, t(5), well).await;
    assert!(house.claim(0, t(6)).await.is_empty(), "no look has confirmed the other one");
    house.serve(1, t(DAY / 2), well).await;
    assert_eq!(house.places(new.requestid).await, ["y"]);
    let claims = house.claim(0, t(DAY / 2)).await;
    assert!(claims.len() == 1 && only_deletes(&claims));
    house.say(&claims[0], Word::Removed, t(DAY / 2)).await;
    house.backend.check().await;
}

/// I8: one of two confirmed copies went at once, and the other one was held to be enough.
pub(in crate::store) async fn a_replace_by_another_order_of_providers_takes_all_copies_along<B: Backend>() {
    let mut house = House::<B>::open().await;
    let old = house.add(0, "two", 1, t(1)).await;
    for now in [2, DAY / 2] {
        house.serve(0, t(now), well).await;
        house.serve(1, t(now), well).await;
    }
    let mut moved = config();
    moved.policies[1].providers = vec!["z".into(), "y".into()];
    house.register(moved, t(DAY)).await.unwrap();
    let new = house.replace(old, "two", 1, t(DAY)).await;
    assert_eq!((new.have, house.places(new.requestid).await.join(" ")), (2, "x y z".into()));
    assert!(house.claim(0, t(DAY)).await.is_empty());
    for now in [DAY, 2 * DAY] {
        house.serve(2, t(now), well).await;
    }
    assert_eq!(house.places(new.requestid).await, ["y", "z"], "it goes once the new one is confirmed");
    house.backend.check().await;
}

/// Of copies that are confirmed already nothing else would tell.
pub(in crate::store) async fn a_replace_by_a_policy_of_fewer_copies_lets_go_of_the_others<B: Backend>() {
    let house = House::<B>::open().await;
    let old = house.add(0, "two", 1, t(1)).await;
    for now in [2, DAY / 2] {
        house.serve(0, t(now), well).await;
        house.serve(1, t(now), well).await;
    }
    let new = house.replace(old, "one", 1, t(DAY)).await;
    assert_eq!((new.have, house.places(new.requestid).await.join(" ")), (1, "x".into()));
    let claims = house.claim(1, t(DAY)).await;
    assert!(claims.len() == 1 && only_deletes(&claims), "{claims:?}");
    house.backend.check().await;
}

pub(in crate::store) async fn a_pin_that_is_not_there_is_replaced_by_nothing<B: Backend>() {
    let house = House::<B>::open().await;
    let request = house.request(0, "one", 1, t(1));
    let new = request.requestid;
    assert!(house.store().replace_pin(RequestId::mint(t(1)), request).await.unwrap().is_none());
    assert!(house.find(0, new).await.is_none());
    house.backend.check().await;
}

pub(in crate::store) async fn a_held_copy_that_is_asked_for_again_is_own<B: Backend>() {
    let house = House::<B>::open().await;
    let first = house.add(0, "one", 1, t(1)).await;
    house.serve(0, t(2), well).await;
    let second = house.replace(first, "one", 2, t(3)).await;
    let third = house.replace(second.requestid, "one", 1, t(4)).await;
    assert_eq!((third.status, third.have), (Status::Pinned, 1));
    assert!(house.claim(0, t(5)).await.is_empty(), "nothing is sent and nothing removed");
    house.backend.check().await;
}
