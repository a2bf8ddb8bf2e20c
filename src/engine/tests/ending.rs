//! Pins that go away by themselves.

use super::world::*;
use crate::model::{KeptTime, Status, Timestamp};

const IN_A_DAY: Timestamp = Timestamp::from_millis(START.as_millis() + 24 * 3_600_000);

#[tokio::test]
async fn a_pin_goes_at_its_end_and_its_copies_with_it() {
    let mut world = World::of(2).copies(2, 1).start().await;
    let (ends, stays) = (world.add_until(1, IN_A_DAY).await, world.add(2).await);
    world.run_for(DAY - MINUTE).await;
    assert_eq!((world.status(ends).await, world.held(0), world.held(1)), (Status::Pinned, 2, 2));
    world.run_for(MINUTE).await;
    assert!(!world.is_there(ends).await, "woken for it to the moment");
    world.settle().await;
    assert_eq!((world.status(stays).await, world.held(0), world.held(1)), (Status::Pinned, 1, 1));
    world.end().await;
}

#[tokio::test]
async fn a_copy_that_others_need_outlives_the_pin_that_ends() {
    let mut world = World::of(1).start().await;
    let (ends, stays) = (world.add_until(1, IN_A_DAY).await, world.add_for(1, 1).await);
    world.run_for(2 * DAY).await;
    assert!(!world.is_there(ends).await && stays != ends);
    assert_eq!(world.held(0), 1);
    world.end().await;
}

#[tokio::test]
async fn more_pins_than_a_step_takes_go_at_once() {
    let mut world = World::of(1).start().await;
    let mut pins = Vec::new();
    for n in 0..300 {
        pins.push(world.add_until(n, START.plus(SECOND)).await);
    }
    world.clock.set(START.plus(SECOND));
    assert_eq!(world.step().await.expired, 300);
    for pin in pins {
        assert!(!world.is_there(pin).await);
    }
    world.end().await;
}

#[tokio::test]
async fn a_clock_that_goes_back_ends_nothing_sooner() {
    let mut world = World::of(1).start().await;
    let pin = world.add_until(1, IN_A_DAY).await;
    world.run_for(HOUR).await;
    world.clock.turn(START.minus(DAY));
    world.run_for(2 * DAY - SECOND).await;
    assert!(world.is_there(pin).await);
    world.run_for(SECOND).await;
    assert!(!world.is_there(pin).await);
    world.end().await;
}

/// I3: what a clock that is wrong deletes does not come back when it is right again.
#[tokio::test]
async fn i3_a_clock_that_leaps_years_ahead_ends_nothing_before_it_is_believed() {
    let mut world = World::of(1).start().await;
    let year = 365 * DAY;
    let (soon, late) =
        (world.add_until(1, START.plus(3 * HOUR)).await, world.add_until(2, START.plus(year)).await);
    world.run_for(HOUR).await;
    let told = world.events().await;
    world.clock.turn(START.plus(3 * year));
    world.run_for(HOUR).await;
    assert!(world.is_there(soon).await && world.is_there(late).await);
    world.run_for(22 * HOUR).await;
    assert!(!world.is_there(soon).await, "time went on");
    assert_eq!((world.is_there(late).await, world.held(0)), (true, 1));
    assert!(world.events().await > told, "none was trimmed");
    world.clock.turn(START.plus(DAY));
    world.run_for(2 * DAY).await;
    assert!(world.is_there(late).await, "mended in time");
    world.clock.turn(START.plus(3 * year));
    world.run_for(DAY + HOUR).await;
    assert_eq!((world.is_there(late).await, world.held(0)), (false, 0), "it was not mended");
    world.end().await;
}

/// I3.
#[tokio::test]
async fn i3_what_ended_while_nothing_ran_goes_some_time_after_the_start() {
    let mut world = World::of(1).start().await;
    let pin = world.add_until(1, IN_A_DAY).await;
    world.run_for(2 * HOUR).await;
    let (sure, wall) = (world.now(), world.now());
    world.inside().store.keep_time(KeptTime { sure, wall, left: None }).await.unwrap();
    world.stop().await;
    world.clock.set(IN_A_DAY.plus(HOUR));
    world.start().await;
    world.settle().await;
    assert!(world.is_there(pin).await);
    world.run_for(8 * MINUTE).await;
    assert!(!world.is_there(pin).await);
    world.settle().await;
    assert_eq!(world.held(0), 0);
    world.end().await;
}
