//! Clocks that jump.

use super::world::*;
use crate::model::{Status, Timestamp};

const IN_2038: Timestamp = Timestamp::from_millis(2_147_483_648_000);

#[tokio::test]
async fn a_clock_that_goes_back_an_hour_delays_nothing_by_more() {
    let mut world = World::of(1).quirks(|_, sim| sim.pin_after(10 * SECOND)).start().await;
    let (one, first) = {
        let pin = world.add(1).await;
        (pin, world.pin(pin).await.created)
    };
    world.step().await;
    world.clock.set(START.minus(HOUR));
    let two = world.add(2).await;
    assert!(world.pin(two).await.created > first, "I3");
    world.sims[0].force(&content(1), Some(Status::Pinned));
    world.run_for(HOUR + MINUTE).await;
    assert_eq!((world.status(one).await, world.status(two).await), (Status::Pinned, Status::Pinned));
    world.end().await;
}

#[tokio::test]
async fn plans_made_in_2038_are_for_today_once_the_clock_is_right_again() {
    let mut world = World::of(1).quirks(|_, sim| sim.pin_after(MINUTE)).start().await;
    let before = world.add(1).await;
    world.step().await;
    world.clock.set(IN_2038);
    let then = world.add(2).await;
    world.step().await;
    let created = world.pin(then).await.created;
    world.clock.set(START.plus(MINUTE));
    let after = world.add(3).await;
    assert!(world.pin(after).await.created > created, "I3");
    for n in 1..=2 {
        world.sims[0].force(&content(n), Some(Status::Pinned));
    }
    world.run_for(HOUR).await;
    for pin in [before, then, after] {
        assert_eq!(world.status(pin).await, Status::Pinned);
    }
    world.end().await;
}

#[tokio::test]
async fn a_restart_after_2038_plans_for_today_as_well() {
    let mut world = World::of(1).quirks(|_, sim| sim.pin_after(MINUTE)).start().await;
    world.clock.set(IN_2038);
    let then = world.add(1).await;
    world.step().await;
    world.stop().await;
    world.clock.set(START);
    let registered = world.start().await;
    assert!(registered.clock_behind.is_some());
    world.sims[0].force(&content(1), Some(Status::Pinned));
    world.run_for(HOUR).await;
    assert_eq!(world.status(then).await, Status::Pinned);
    world.end().await;
}

#[tokio::test]
async fn plans_made_in_2038_are_mended_though_the_store_failed_at_first() {
    let mut world = World::of(1).quirks(|_, sim| sim.pin_after(MINUTE)).start().await;
    world.clock.set(IN_2038);
    let then = world.add(1).await;
    world.step().await;
    world.clock.set(START.plus(MINUTE));
    world.refused_step("UPDATE ON replicas").await;
    world.sims[0].force(&content(1), Some(Status::Pinned));
    world.run_for(HOUR).await;
    assert_eq!(world.status(then).await, Status::Pinned);
    world.end().await;
}
