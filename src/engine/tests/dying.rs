//! Providers that are gone for good, and some that come back after all.

use super::world::*;
use crate::model::{Facts, Health, Status};

/// The first one dies sooner.
fn frail(n: usize, facts: &mut Facts) {
    facts.declare_dead_after = (n == 0).then_some(DAY);
}

async fn pinned(world: &mut World) -> Vec<crate::model::RequestId> {
    let mut pins = Vec::new();
    for n in 0..20 {
        pins.push(world.add(n).await);
    }
    world.run_for(HOUR).await;
    assert_eq!((world.held(0), world.held(1), world.held(2)), (20, 20, 0));
    pins
}

#[tokio::test]
async fn what_a_dead_provider_held_is_made_elsewhere_and_counts_again_once_it_answers() {
    let mut world = World::of(3).exclusive().copies(2, 2).facts(frail).start().await;
    let pins = pinned(&mut world).await;
    world.sims[0].faults().down();
    let asked = world.add(20).await;
    world.run_for(DAY - HOUR).await;
    assert_eq!((world.health(0).await, world.held(2)), (Health::Down, 1), "the new one went there");
    world.run_for(2 * HOUR).await;
    assert_eq!((world.health(0).await, world.held(2)), (Health::Dead, 21));
    for pin in pins.iter().chain([&asked]) {
        assert_eq!((world.status(*pin).await, world.pin(*pin).await.have), (Status::Pinned, 2));
    }
    world.sims[0].faults().up();
    world.run_for(HOUR).await;
    assert_eq!(world.health(0).await, Health::Healthy, "it was asked now and then");
    assert_eq!(world.pin(pins[0]).await.have, 3);
    world.end().await;
}

#[tokio::test]
async fn a_death_is_noticed_though_nothing_is_asked_of_the_dead() {
    let mut world = World::of(3).exclusive().copies(2, 2).facts(frail).start().await;
    let pins = pinned(&mut world).await;
    world.sims[0].faults().down();
    world.run_for(2 * HOUR).await;
    assert_eq!(world.health(0).await, Health::Down);
    world.run_for(DAY).await;
    assert_eq!((world.health(0).await, world.held(2)), (Health::Dead, 20));
    for pin in &pins {
        assert_eq!((world.status(*pin).await, world.pin(*pin).await.have), (Status::Pinned, 2));
    }
    world.end().await;
}

/// I3.
#[tokio::test]
async fn i3_nobody_dies_by_a_clock_that_is_doubted() {
    let mut world = World::of(3).exclusive().copies(2, 2).facts(frail).start().await;
    pinned(&mut world).await;
    world.sims[0].faults().down();
    world.run_for(2 * HOUR).await;
    world.clock.turn(START.plus(300 * DAY));
    world.run_for(HOUR).await;
    assert_eq!((world.health(0).await, world.held(2)), (Health::Down, 0));
    // Nothing but tries of the one that is down would come between.
    for _ in 0..24 * 6 {
        world.clock.advance(10 * MINUTE);
        world.catch_up().await;
    }
    assert_eq!((world.health(0).await, world.held(2)), (Health::Dead, 20));
    world.end().await;
}

#[tokio::test]
async fn what_a_provider_held_that_left_the_config_is_made_elsewhere_in_time() {
    let mut world = World::of(3).exclusive().copies(2, 2).facts(frail).start().await;
    let pins = pinned(&mut world).await;
    world.named = vec!["beta", "gamma"];
    world.restart().await;
    world.run_for(DAY - HOUR).await;
    assert_eq!((world.held(2), world.pin(pins[0]).await.have), (0, 2));
    world.run_for(2 * HOUR).await;
    assert_eq!((world.health(0).await, world.held(2), world.pin(pins[0]).await.have), (Health::Dead, 20, 2));
    world.named = vec!["alpha", "beta", "gamma"];
    world.restart().await;
    world.settle().await;
    assert_eq!((world.health(0).await, world.pin(pins[0]).await.have), (Health::Healthy, 3));
    world.end().await;
}

#[tokio::test]
async fn while_nobody_answers_nobody_is_declared_dead() {
    let mut world = World::of(2).exclusive().copies(2, 1).facts(frail).start().await;
    world.add(1).await;
    world.settle().await;
    for sim in &world.sims {
        sim.faults().down();
    }
    world.add(2).await;
    world.run_for(DAY + 2 * HOUR).await;
    assert_eq!(world.health(0).await, Health::Down, "it may be our own way to them");
    world.sims[1].faults().up();
    world.run_for(2 * HOUR).await;
    assert_eq!((world.health(0).await, world.health(1).await), (Health::Dead, Health::Healthy));
    world.end().await;
}

#[tokio::test]
async fn one_that_was_down_before_a_start_is_tried_before_it_is_declared_dead() {
    let mut world = World::of(2).exclusive().copies(2, 1).facts(frail).start().await;
    world.add(1).await;
    world.settle().await;
    world.sims[0].faults().down();
    world.add(2).await;
    world.run_for(HOUR).await;
    assert_eq!(world.health(0).await, Health::Down);
    world.stop().await;
    world.sims[0].faults().up();
    world.clock.set(START.plus(10 * DAY));
    world.start().await;
    world.run_for(HOUR).await;
    assert_eq!((world.health(0).await, world.held(0)), (Health::Healthy, 2));
    world.end().await;
}
