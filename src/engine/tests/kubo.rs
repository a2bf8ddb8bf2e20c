//! A Kubo node: fetches that go on for hours, in memory only.

use std::time::Duration;

use super::world::*;
use crate::{
    model::{Meta, RequestId, Status},
    presets::Protocol,
    sim::{Asked, Outcome, Route},
};

fn node(_: usize, sim: crate::sim::Builder) -> crate::sim::Builder {
    sim.protocol(Protocol::Kubo)
}

fn slow(n: usize, sim: crate::sim::Builder) -> crate::sim::Builder {
    node(n, sim).pin_after(10 * HOUR)
}

/// Fetches go on in real time, polls by the clock of the test: lets some of it pass until the pin is there.
async fn until_status(world: &mut World, pin: RequestId, status: Status) {
    let steps = async {
        while world.status(pin).await != status {
            world.run_for(MINUTE).await;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), steps).await.expect("the status is reached");
}

async fn until_fetching(world: &World, times: u64) {
    let turns = async {
        while world.sims[0].counts().ended(Route::Add, Outcome::Answered(200)) < times {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), turns).await.expect("it fetches");
}

fn by_hand(n: u64, hold: Option<&str>) -> Asked {
    let meta = hold.map(|hold| Meta::try_new([("hold".to_owned(), hold.to_owned())].into()).unwrap());
    Asked { cid: cid(n), name: None, meta, origins: Vec::new() }
}

#[tokio::test]
async fn a_fetch_of_hours_is_begun_anew_after_a_restart() {
    let mut world = World::of(1).preset("kubo").quirks(slow).start().await;
    let pin = world.add(1).await;
    world.run_for(MINUTE).await;
    until_fetching(&world, 1).await;
    world.run_for(2 * HOUR).await;
    assert_eq!((world.status(pin).await, world.calls(0, Route::Add)), (Status::Pinning, 1));
    world.restart().await;
    // Not at its next poll, which may be an hour away.
    world.step().await;
    until_fetching(&world, 2).await;
    assert_eq!(world.status(pin).await, Status::Pinning);
    world.clock.advance(9 * HOUR);
    until_status(&mut world, pin, Status::Pinned).await;
    assert_eq!((world.held(0), world.calls(0, Route::Add)), (1, 2));
    world.end().await;
}

#[tokio::test]
async fn a_delete_in_mid_fetch_ends_it_and_leaves_nothing() {
    let mut world = World::of(1).preset("kubo").quirks(slow).start().await;
    let pin = world.add(1).await;
    world.run_for(MINUTE).await;
    until_fetching(&world, 1).await;
    world.delete(pin).await;
    world.settle().await;
    world.clock.advance(DAY);
    world.settle().await;
    assert_eq!((world.held(0), world.calls(0, Route::Add)), (0, 1));
    world.end().await;
}

#[tokio::test]
async fn a_delete_after_a_restart_in_mid_fetch_leaves_nothing() {
    let mut world = World::of(1).preset("kubo").quirks(slow).start().await;
    let pin = world.add(1).await;
    world.run_for(MINUTE).await;
    until_fetching(&world, 1).await;
    world.restart().await;
    world.delete(pin).await;
    world.settle().await;
    world.clock.advance(DAY);
    world.settle().await;
    assert_eq!((world.held(0), world.calls(0, Route::Add)), (0, 1));
    world.end().await;
}

#[tokio::test]
async fn what_was_pinned_by_hand_is_a_copy_and_is_never_unpinned() {
    let mut world = World::of(1).preset("kubo").quirks(node).start().await;
    world.sims[0].plant(by_hand(1, None));
    let pin = world.add(1).await;
    world.settle().await;
    assert_eq!((world.status(pin).await, world.calls(0, Route::Add)), (Status::Pinned, 0));
    world.delete(pin).await;
    world.settle().await;
    assert_eq!((world.held(0), world.calls(0, Route::Remove)), (1, 0));
    world.end().await;
}

#[tokio::test]
async fn a_direct_pin_made_by_hand_stays_and_the_copy_goes_elsewhere() {
    let first = |n, sim| if n == 0 { node(n, sim) } else { sim };
    let mut world = World::of(1).preset("kubo").quirks(first).start().await;
    world.sims[0].plant(by_hand(1, Some("direct")));
    let pin = world.add(1).await;
    world.run_for(HOUR).await;
    assert_eq!(world.status(pin).await, Status::Failed);
    world.delete(pin).await;
    world.settle().await;
    assert_eq!((world.held(0), world.calls(0, Route::Add), world.calls(0, Route::Remove)), (1, 0, 0));
    world.end().await;
}

#[tokio::test]
async fn a_node_that_is_down_gets_its_pin_when_it_is_back() {
    let mut world = World::of(1).preset("kubo").quirks(node).start().await;
    world.sims[0].faults().down();
    let pin = world.add(1).await;
    world.run_for(HOUR).await;
    assert_eq!(world.status(pin).await, Status::Queued);
    world.sims[0].faults().up();
    until_status(&mut world, pin, Status::Pinned).await;
    assert_eq!(world.held(0), 1);
    world.end().await;
}

#[tokio::test]
async fn a_node_that_restarts_in_mid_fetch_is_asked_again() {
    let mut world = World::of(1).preset("kubo").quirks(slow).start().await;
    let pin = world.add(1).await;
    world.run_for(MINUTE).await;
    until_fetching(&world, 1).await;
    world.sims[0].stop().await;
    world.run_for(HOUR).await;
    assert_eq!(world.status(pin).await, Status::Pinning);
    world.sims[0].start_again().await.unwrap();
    world.sims[0].set(|is| is.pin_after = "0s".parse().unwrap());
    until_status(&mut world, pin, Status::Pinned).await;
    assert_eq!(world.held(0), 1);
    world.end().await;
}

#[tokio::test]
async fn what_a_node_forgot_is_fetched_again() {
    let mut world = World::of(1).preset("kubo").quirks(node).start().await;
    let pin = world.add(1).await;
    until_status(&mut world, pin, Status::Pinned).await;
    world.run_for(DAY).await;
    world.sims[0].forget(&content(1));
    world.run_for(9 * DAY).await;
    until_fetching(&world, 2).await;
    until_status(&mut world, pin, Status::Pinned).await;
    assert_eq!(world.held(0), 1);
    world.end().await;
}
