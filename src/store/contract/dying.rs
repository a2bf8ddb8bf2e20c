//! Providers that are declared dead, and whose pins are then made whole first.

use super::{Backend, house::*};
use crate::{model::*, policy::Priority, store::*};

/// Settles all pins of providers that count otherwise than before.
async fn resettle<B: Backend>(house: &House<B>, now: Timestamp) {
    while house.store().resettle_step(3).await.unwrap().more {}
    house.drain(now).await;
}

async fn health<B: Backend>(house: &House<B>) -> Health {
    house.store().providers().await.unwrap()[0].health
}

/// Ten pins at `x` and `y`.
async fn both<B: Backend>(house: &House<B>) -> Vec<RequestId> {
    let mut pins = Vec::new();
    for n in 0..10 {
        pins.push(house.add(0, "both", n, t(0)).await);
    }
    for provider in [0, 1] {
        house.serve(provider, t(1), well).await;
    }
    pins
}

pub(in crate::store) async fn what_a_dead_provider_holds_is_asked_for_elsewhere<B: Backend>() {
    let house = House::<B>::open().await;
    let pins = both(&house).await;
    house.note(0, Health::Down, t(2)).await;
    assert!(!house.store().resettle_step(3).await.unwrap().taken, "what is pinned there counts still");
    house.note(0, Health::Dead, t(3)).await;
    resettle(&house, t(3)).await;
    for pin in &pins {
        assert_eq!(house.places(*pin).await, ["x", "y", "z"]);
        assert_eq!((house.status(*pin).await, house.pin(*pin).await.have), (Status::Pinned, 1));
    }
    house.serve(2, t(4), well).await;
    assert_eq!(house.pin(pins[9]).await.have, 2);
    house.backend.check().await;
}

pub(in crate::store) async fn the_dead_stay_so_until_they_can_be_used<B: Backend>() {
    let house = House::<B>::open().await;
    let pins = both(&house).await;
    house.note(0, Health::Dead, t(3)).await;
    for other in [Health::Down, Health::AuthFailed, Health::NoFunds] {
        house.note(0, other, t(4)).await;
        assert_eq!(health(&house).await, Health::Dead);
    }
    resettle(&house, t(4)).await;
    house.note(0, Health::Healthy, t(5)).await;
    resettle(&house, t(5)).await;
    assert_eq!((health(&house).await, house.pin(pins[0]).await.have), (Health::Healthy, 2));
}

pub(in crate::store) async fn one_that_comes_back_into_the_config_is_healthy<B: Backend>() {
    let mut house = House::<B>::open().await;
    let pins = both(&house).await;
    let mut without = config();
    without.providers.remove(0);
    house.register(without, t(2)).await.unwrap();
    house.store().note_provider(ProviderId(1), Health::Dead, None, t(3)).await.unwrap();
    resettle(&house, t(3)).await;
    assert_eq!(house.pin(pins[0]).await.have, 1);
    house.register(config(), t(4)).await.unwrap();
    resettle(&house, t(4)).await;
    assert_eq!((health(&house).await, house.pin(pins[0]).await.have), (Health::Healthy, 2));
}

pub(in crate::store) async fn one_that_was_down_when_it_left_the_config_has_its_time_anew<B: Backend>() {
    let mut house = House::<B>::open().await;
    house.note(0, Health::Down, t(1)).await;
    let mut without = config();
    without.providers.remove(0);
    house.register(without, t(2)).await.unwrap();
    house.register(config(), t(9 * DAY)).await.unwrap();
    let provider = house.store().providers().await.unwrap().remove(0);
    assert_eq!((provider.health, provider.health_since), (Health::Healthy, t(9 * DAY)));
}

pub(in crate::store) async fn settling_anew_survives_a_crash_and_begins_again_where_things_change<
    B: Backend,
>() {
    let mut house = House::<B>::open().await;
    let pins = both(&house).await;
    house.note(0, Health::Dead, t(2)).await;
    assert!(house.store().resettle_step(3).await.unwrap().more);
    house.drain(t(2)).await;
    house.note(0, Health::Healthy, t(3)).await;
    house.crash(t(4)).await;
    resettle(&house, t(4)).await;
    for pin in pins {
        assert_eq!(house.pin(pin).await.have, 2);
    }
    assert_eq!(house.store().resettle_step(3).await.unwrap(), ResettleStep::default());
}

pub(in crate::store) async fn fewest_live_copies_go_first_then_the_policys_priority_then_age<B: Backend>() {
    let mut house = House::<B>::open().await;
    let mut declared = config();
    let named = |name: &str, min, priority| {
        let mut named = policy(name, min, min, 1);
        named.priority = Priority::new(priority).unwrap();
        named
    };
    declared.policies.extend([named("soon", 2, 9), named("later", 2, 0), named("single", 1, 5)]);
    house.register(declared, t(0)).await.unwrap();
    house.store().set_mode(house.providers[2], Mode::Readonly, false, None, t(0)).await.unwrap();
    // Copies at `x` alone, at first.
    house.note(1, Health::Down, t(0)).await;
    for (n, name) in ["later", "both", "both", "soon", "single"].into_iter().enumerate() {
        house.add(0, name, n as u64, t(n.cast_signed() as i64)).await;
    }
    house
        .serve(0, t(10), |claim| match claim.content == *cid(4).content() {
            true => failing(claim),
            false => well(claim),
        })
        .await;
    house.note(1, Health::Healthy, t(11)).await;
    for day in 1..=3 {
        house
            .serve(0, t(day * DAY), |claim| match claim.content == *cid(4).content() {
                true => failing(claim),
                false => well(claim),
            })
            .await;
    }
    let contents: Vec<_> = house.claim(1, t(4 * DAY)).await.into_iter().map(|claim| claim.content).collect();
    let expected = [4, 3, 1, 2, 0].map(|n| cid(n).content().clone());
    assert_eq!(contents, expected);
}
