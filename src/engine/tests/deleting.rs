//! Deletes, in every state.

use super::world::*;
use crate::{
    model::Status,
    sim::{Fault, Outcome, Route, Routes},
};

#[tokio::test]
async fn a_delete_before_anything_was_sent_makes_no_call() {
    let mut world = World::of(1).start().await;
    let pin = world.add(1).await;
    world.delete(pin).await;
    world.settle().await;
    assert_eq!(world.sims[0].counts().total(), 0);
    world.end().await;
}

#[tokio::test]
async fn a_delete_while_queued_pinning_or_pinned_removes_the_copy() {
    for wait in [SECOND, 7 * MINUTE, HOUR] {
        let mut world = World::of(1).quirks(|_, sim| sim.pin_after(10 * MINUTE)).start().await;
        let pin = world.add(1).await;
        world.run_for(wait).await;
        world.delete(pin).await;
        world.settle().await;
        assert_eq!((world.held(0), world.sims[0].deletes().len()), (0, 1));
        world.end().await;
    }
}

#[tokio::test]
async fn a_delete_while_the_provider_is_down_is_done_once_it_is_up() {
    let mut world = World::of(1).start().await;
    let pin = world.add(1).await;
    world.settle().await;
    world.sims[0].faults().down();
    world.delete(pin).await;
    world.run_for(HOUR).await;
    assert_eq!(world.held(0), 1);
    world.sims[0].faults().up();
    world.run_for(20 * MINUTE).await;
    assert_eq!(world.held(0), 0);
    world.end().await;
}

#[tokio::test]
async fn a_delete_whose_answer_was_not_seen_is_settled() {
    for fault in [Fault::STORED_BUT_500, Fault::STORED_BUT_RESET, Fault::RESET_BEFORE, Fault::HANG_AFTER] {
        let mut world = World::of(1).impatient().start().await;
        let pin = world.add(1).await;
        world.settle().await;
        world.strike(0, 1, Route::Remove, fault);
        world.delete(pin).await;
        world.run_for(10 * MINUTE).await;
        assert_eq!((world.held(0), world.sims[0].deletes().len()), (0, 1), "{fault}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_delete_while_a_submit_hangs_removes_what_the_submit_made() {
    for fault in [Fault::HANG_AFTER, Fault::HANG_BEFORE] {
        let mut world = World::of(1).impatient().start().await;
        world.strike(0, 1, Route::Add, fault);
        let pin = world.add(1).await;
        world.tick().await;
        world.delete(pin).await;
        world.run_for(10 * MINUTE).await;
        assert_eq!(world.held(0), 0, "{fault}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_pin_added_again_while_its_delete_is_under_way_is_pinned_in_the_end() {
    for fault in [Fault::HANG_AFTER, Fault::STORED_BUT_500, Fault::RESET_BEFORE] {
        let mut world = World::of(1).impatient().start().await;
        let old = world.add(1).await;
        world.settle().await;
        world.strike(0, 1, Route::Remove, fault);
        world.delete(old).await;
        world.tick().await;
        let new = world.add(1).await;
        world.run_for(20 * MINUTE).await;
        assert_eq!((world.status(new).await, world.held(0)), (Status::Pinned, 1), "{fault}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_pin_added_again_before_its_delete_left_keeps_its_copy() {
    let mut world = World::of(1).start().await;
    let old = world.add(1).await;
    world.settle().await;
    world.delete(old).await;
    let new = world.add(1).await;
    world.settle().await;
    assert_eq!((world.status(new).await, world.sims[0].deletes().len()), (Status::Pinned, 0));
    world.end().await;
}

#[tokio::test]
async fn a_delete_of_what_its_owner_removed_already_is_done() {
    let mut world = World::of(1).start().await;
    let pin = world.add(1).await;
    world.settle().await;
    world.sims[0].forget(&content(1));
    world.delete(pin).await;
    world.settle().await;
    assert_eq!(world.sims[0].counts().ended(Route::Remove, Outcome::Answered(404)), 1);
    world.sims[0].faults().always(Routes::Any, Fault::status(500));
    world.run_for(DAY).await;
    assert_eq!(world.calls(0, Route::Remove), 1);
    world.end().await;
}
