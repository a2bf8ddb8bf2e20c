//! Calls whose answers were not seen: never twice (I7).

use super::world::*;
use crate::{
    model::Status,
    sim::{Fault, Route},
};

async fn one_pin_in_spite_of(fault: Fault) {
    for exclusive in [false, true] {
        let builder = World::of(1).impatient();
        let builder = if exclusive { builder.exclusive() } else { builder };
        let mut world = builder.start().await;
        world.strike(0, 1, Route::Add, fault);
        let pin = world.add(1).await;
        world.run_for(10 * MINUTE).await;
        assert_eq!(world.status(pin).await, Status::Pinned);
        assert_eq!(world.held(0), 1);
        if fault.stored {
            assert_eq!(world.calls(0, Route::Add), 1);
        }
        world.delete(pin).await;
        world.settle().await;
        assert_eq!(world.held(0), 0, "what is left is ours");
        world.end().await;
    }
}

#[tokio::test]
async fn a_submit_that_was_stored_but_answered_500_makes_one_pin() {
    one_pin_in_spite_of(Fault::STORED_BUT_500).await;
}

#[tokio::test]
async fn a_submit_that_was_stored_but_reset_makes_one_pin() {
    one_pin_in_spite_of(Fault::STORED_BUT_RESET).await;
}

#[tokio::test]
async fn a_submit_that_was_stored_but_never_answered_makes_one_pin() {
    one_pin_in_spite_of(Fault::HANG_AFTER).await;
}

#[tokio::test]
async fn a_submit_that_was_not_stored_and_not_answered_is_sent_again() {
    one_pin_in_spite_of(Fault::RESET_BEFORE).await;
    one_pin_in_spite_of(Fault::HANG_BEFORE).await;
    one_pin_in_spite_of(Fault::status(503)).await;
}

#[tokio::test]
async fn an_unseen_submit_is_not_sent_again_before_it_can_not_land_any_more() {
    let mut world = World::of(1).start().await;
    world.strike(0, 1, Route::Add, Fault::RESET_BEFORE);
    world.add(1).await;
    world.run_for(2 * MINUTE).await;
    assert_eq!(world.calls(0, Route::Add), 1);
    world.run_for(2 * MINUTE).await;
    assert_eq!((world.calls(0, Route::Add), world.held(0)), (2, 1));
    world.end().await;
}

#[tokio::test]
async fn a_start_in_the_middle_of_a_submit_looks_before_it_sends() {
    let mut world = World::of(1).exclusive().start().await;
    world.strike(0, 1, Route::Add, Fault::HANG_AFTER);
    let pin = world.add(1).await;
    world.tick().await;
    until(|| world.held(0) == 1).await;
    let registered = world.restart().await;
    assert_eq!(registered.recovered, 1);
    world.run_for(10 * MINUTE).await;
    assert_eq!((world.status(pin).await, world.calls(0, Route::Add)), (Status::Pinned, 1));
    world.end().await;
}

#[tokio::test]
async fn a_start_in_the_middle_of_many_things_makes_nothing_twice() {
    let mut world = World::of(3).copies(2, 1).start().await;
    let mut pins = Vec::new();
    for n in 0..40 {
        pins.push(world.add(n).await);
    }
    for n in 0..6 {
        world.tick().await;
        until(|| world.sims[0].counts().total() > n).await;
        if n == 3 {
            world.delete(pins.pop().unwrap()).await;
        }
        world.restart().await;
    }
    world.run_for(HOUR).await;
    for pin in &pins {
        assert_eq!(world.pin(*pin).await.have, 2);
    }
    let held: usize = (0..3).map(|n| world.held(n)).sum();
    assert_eq!(held, 2 * pins.len());
    world.end().await;
}

/// Waits, in real time, for what a call that is under way brings about.
async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}
