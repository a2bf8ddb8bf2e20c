//! Copies that one provider will not or cannot make go to the next; pins that nobody takes fail.

use super::{Backend, house::*};
use crate::{model::*, store::*};

pub(in crate::store) async fn a_refused_copy_goes_to_the_next_provider<B: Backend>() {
    let house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(0)).await;
    for day in 1..=3 {
        assert_eq!(house.places(pin).await, ["x"]);
        house.serve(0, t(day * DAY), refusing).await;
    }
    assert_eq!(house.places(pin).await, ["x", "y"]);
    house.serve(1, t(3 * DAY), well).await;
    assert_eq!(house.status(pin).await, Status::Pinned);
    assert_eq!(house.places(pin).await, ["y"], "what was never sent is dropped");
    assert!(house.claim(0, t(30 * DAY)).await.is_empty());
    house.backend.check().await;
}

pub(in crate::store) async fn a_stalled_copy_goes_to_the_next_provider<B: Backend>() {
    let house = House::<B>::open().await;
    let pin = house.add(0, "two", 1, t(0)).await;
    for day in 1..=3 {
        house.serve(0, t(day * DAY), failing).await;
    }
    assert_eq!(house.places(pin).await, ["x", "y", "z"]);
    assert_eq!(house.status(pin).await, Status::Queued);
    for provider in [1, 2] {
        house.serve(provider, t(4 * DAY), well).await;
    }
    assert_eq!(house.places(pin).await, ["y", "z"]);
    house.backend.check().await;
}

pub(in crate::store) async fn copies_of_a_provider_that_is_down_go_to_the_next<B: Backend>() {
    let house = House::<B>::open().await;
    let mut pins = Vec::new();
    for n in 0..5 {
        pins.push(house.add(0, "one", n, t(0)).await);
    }
    house.note(0, Health::Down, t(1)).await;
    let (store, x) = (house.store(), house.providers[0]);
    let mut cursor = Some(ContentId(0));
    let mut steps = 0;
    while let Some(from) = cursor {
        cursor = store.respill(x, Respill::Unsettled, from, 2).await.unwrap().next;
        steps += 1;
    }
    assert_eq!(steps, 3);
    house.drain(t(2)).await;
    assert_eq!(house.places(pins[0]).await, ["x", "y"]);
    assert_eq!(house.serve(1, t(3), well).await, 5);
    assert_eq!(house.status(pins[4]).await, Status::Pinned);
    let later = house.add(0, "one", 9, t(4)).await;
    assert_eq!(house.places(later).await, ["y"]);
    house.note(0, Health::Healthy, t(5)).await;
    assert!(house.claim(0, t(DAY)).await.is_empty(), "nothing is owed to it any more");
    house.backend.check().await;
}

/// A copy that was claimed when the pin became whole is dropped as soon as its call is known not to have left.
pub(in crate::store) async fn what_was_never_sent_is_dropped_once_whole<B: Backend>() {
    let mut house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(0)).await;
    for day in 1..=3 {
        house.serve(0, t(day * DAY), failing).await;
    }
    let looks = ClaimRequest { exclusive: false, ..house.due(0, t(4 * DAY)) };
    let claims = house.store().claim_due(looks).await.unwrap().claims;
    assert_eq!(claims.len(), 1);
    house.serve(1, t(4 * DAY), well).await;
    assert_eq!(house.places(pin).await, ["x", "y"], "it is being called for");
    house.crash(t(4 * DAY + 1)).await;
    assert_eq!(house.places(pin).await, ["y"]);
    assert!(house.claim(0, t(9 * DAY)).await.is_empty());
    house.backend.check().await;
}

/// I10: what one pin asks anew for, all pins of that content wait for again.
pub(in crate::store) async fn a_pin_that_nobody_takes_fails_and_is_tried_anew_by_the_next<B: Backend>() {
    let house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(0)).await;
    for day in 1..=9 {
        for provider in 0..3 {
            house.serve(provider, t(day * DAY), refusing).await;
        }
    }
    assert_eq!(house.status(pin).await, Status::Failed);
    let next = house.add(1, "one", 1, t(10 * DAY)).await;
    assert_eq!(house.find(1, next).await.unwrap().status, Status::Queued);
    house.drain(t(10 * DAY)).await;
    assert_eq!(house.status(pin).await, Status::Queued);
    house.serve(0, t(12 * DAY), well).await;
    assert_eq!(house.status(pin).await, Status::Pinned);
    house.backend.check().await;
}

/// The third provider was down when the first one stalled, and came back while nothing else changed.
pub(in crate::store) async fn a_given_up_copy_goes_on_asking_for_somewhere_to_go<B: Backend>() {
    let house = House::<B>::open().await;
    let pin = house.add(0, "two", 1, t(0)).await;
    house.serve(1, t(1), well).await;
    house.note(2, Health::Down, t(2)).await;
    for day in 1..=4 {
        house.serve(0, t(day * DAY), failing).await;
    }
    assert_eq!(house.places(pin).await, ["x", "y"]);
    house.note(2, Health::Healthy, t(5 * DAY)).await;
    house.serve(0, t(5 * DAY), failing).await;
    assert_eq!(house.places(pin).await, ["x", "y", "z"]);
}

/// I10: a pin that spills over to a copy which is there already counts it at once.
pub(in crate::store) async fn a_copy_that_is_there_already_counts_for_who_spills_over_to_it<B: Backend>() {
    let mut house = House::<B>::open().await;
    let mut other = config();
    other.policies[1].providers = vec!["y".into(), "z".into()];
    house.register(other, t(0)).await.unwrap();
    house.add(1, "two", 1, t(0)).await;
    house.serve(1, t(0), well).await;
    let pin = house.add(0, "one", 1, t(0)).await;
    for day in 1..=3 {
        house.serve(0, t(day * DAY), refusing).await;
    }
    assert_eq!((house.status(pin).await, house.pin(pin).await.have), (Status::Pinned, 1));
    house.backend.check().await;
}

/// Pins that a fan-out had passed saw the provider as it was before.
pub(in crate::store) async fn a_respill_during_a_fan_out_begins_it_anew<B: Backend>() {
    let house = House::<B>::open().await;
    let mut pins = Vec::new();
    for _ in 0..300 {
        pins.push(house.add(0, "one", 1, t(0)).await);
    }
    let claims = house.claim(0, t(1)).await;
    house.say(&claims[0], landed(&claims[0], Status::Queued), t(1)).await;
    assert!(house.store().remerge_step(t(2)).await.unwrap().more);
    house.note(0, Health::Down, t(3)).await;
    house.store().respill(house.providers[0], Respill::Unsettled, ContentId(0), 100).await.unwrap();
    house.drain(t(4)).await;
    assert_eq!(house.places(pins[0]).await, ["x", "y"]);
    assert_eq!(house.places(pins[299]).await, ["x", "y"]);
}

pub(in crate::store) async fn tags_that_change_have_a_providers_pins_settled_anew<B: Backend>() {
    let mut house = House::<B>::open().await;
    let spreading = |regions: [&str; 3]| {
        let mut config = config();
        config.policies[1].spread_by = Some("region".to_owned());
        for (provider, region) in config.providers.iter_mut().zip(regions) {
            provider.facts.tags.insert("region".to_owned(), region.to_owned());
        }
        config
    };
    house.register(spreading(["eu", "us", "ap"]), t(0)).await.unwrap();
    while house.store().resettle_step(10).await.unwrap().more {}
    let pin = house.add(0, "two", 1, t(1)).await;
    for provider in [0, 1] {
        house.serve(provider, t(2), well).await;
    }
    assert_eq!(house.pin(pin).await.have, 2);
    house.register(spreading(["eu", "eu", "ap"]), t(3)).await.unwrap();
    while house.store().resettle_step(10).await.unwrap().more {}
    house.drain(t(3)).await;
    assert_eq!(
        (house.pin(pin).await.have, house.places(pin).await),
        (1, vec!["x".into(), "y".into(), "z".into()])
    );
}
