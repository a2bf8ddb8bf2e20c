//! Copies that take longer than their policy waits.

use super::world::*;
use crate::{
    model::{ReplicaState, Status},
    policy::{Deadlines, Late, Policy},
};

fn hasty(policy: &mut Policy) {
    policy.deadlines = Deadlines { queued: Some(10 * MINUTE), pinning: Some(20 * MINUTE) };
}

fn hasty_and_tidy(policy: &mut Policy) {
    hasty(policy);
    policy.late = Late::Remove;
}

/// The first provider takes all, and is never done.
fn slow_first() -> Builder {
    World::of(2).exclusive().quirks(|n, sim| if n == 0 { sim.never_pins() } else { sim })
}

#[tokio::test]
async fn a_pin_goes_on_elsewhere_at_the_moment_its_copy_is_late() {
    let mut world = slow_first().policy(hasty).start().await;
    let pin = world.add(1).await;
    world.run_for(9 * MINUTE).await;
    assert_eq!((world.held(0), world.held(1)), (1, 0));
    world.run_for(30 * MINUTE).await;
    assert_eq!((world.status(pin).await, world.held(0), world.held(1)), (Status::Pinned, 1, 1));
    let copies = world.pin(pin).await.copies;
    assert!(copies.iter().any(|copy| copy.provider == "alpha" && copy.state != ReplicaState::Pinned));
    world.end().await;
}

#[tokio::test]
async fn a_late_copy_is_removed_once_its_pin_is_whole_without_it() {
    let mut world = slow_first().policy(hasty_and_tidy).start().await;
    let pin = world.add(1).await;
    world.run_for(HOUR).await;
    assert_eq!((world.status(pin).await, world.held(0), world.held(1)), (Status::Pinned, 0, 1));
    world.end().await;
}

#[tokio::test]
async fn copies_that_were_late_while_nothing_ran_are_taken_up_after_the_start() {
    let mut world = slow_first().policy(hasty).start().await;
    let pin = world.add(1).await;
    world.settle().await;
    world.stop().await;
    world.clock.set(START.plus(HOUR));
    world.start().await;
    world.settle().await;
    assert_eq!((world.status(pin).await, world.held(1)), (Status::Pinned, 1));
    world.end().await;
}
