//! How many calls good days cost, and what is left alone.

use super::world::*;
use crate::{
    model::Status,
    sim::{Asked, Route},
};

#[tokio::test]
async fn a_pin_costs_one_submit_and_one_look_that_confirms_it() {
    let mut world = World::of(1).exclusive().start().await;
    let pin = world.add(1).await;
    world.settle().await;
    assert_eq!(world.status(pin).await, Status::Pinned);
    assert_eq!((world.calls(0, Route::Add), world.sims[0].counts().total()), (1, 2));
    world.end().await;
}

#[tokio::test]
async fn a_pin_that_takes_long_is_polled_ever_more_rarely() {
    let mut world = World::of(1).exclusive().quirks(|_, sim| sim.pin_after(HOUR)).start().await;
    let pin = world.add(1).await;
    world.run_for(2 * HOUR).await;
    assert_eq!(world.status(pin).await, Status::Pinned);
    assert!(world.sims[0].counts().total() < 60, "{:?}", world.sims[0].counts());
    world.end().await;
}

#[tokio::test]
async fn three_hundred_pins_cost_few_calls_a_copy() {
    let mut world = World::of(2).copies(2, 2).exclusive().start().await;
    for n in 0..300 {
        world.add(n).await;
    }
    world.settle().await;
    let calls: u64 = world.sims.iter().map(|sim| sim.counts().total()).sum();
    assert_eq!((world.held(0), world.held(1)), (300, 300));
    assert!(calls * 10 <= 600 * 13, "{calls} calls for 600 copies");
    world.end().await;
}

#[tokio::test]
async fn polls_are_asked_for_ten_at_a_time() {
    let mut world = World::of(1).exclusive().quirks(|_, sim| sim.pin_after(DAY)).start().await;
    for n in 0..40 {
        world.add(n).await;
    }
    world.catch_up().await;
    world.sims[0].reset_stats();
    world.clock.advance(HOUR);
    world.step().await;
    assert_eq!((world.calls(0, Route::List), world.calls(0, Route::Get)), (4, 0));
    world.end().await;
}

#[tokio::test]
async fn from_a_hundred_polls_on_the_list_is_swept() {
    let mut world = World::of(1).exclusive().quirks(|_, sim| sim.pin_after(DAY)).start().await;
    for n in 0..150 {
        world.add(n).await;
    }
    world.catch_up().await;
    world.sims[0].reset_stats();
    world.clock.advance(HOUR);
    world.step().await;
    assert_eq!((world.calls(0, Route::List), world.calls(0, Route::Get)), (1, 0));
    world.end().await;
}

#[tokio::test]
async fn a_clients_interest_brings_a_poll_forward() {
    let mut world = World::of(1).exclusive().quirks(|_, sim| sim.pin_after(DAY)).start().await;
    let pin = world.add(1).await;
    world.run_for(HOUR).await;
    world.sims[0].force(&content(1), Some(Status::Pinned));
    world.clock.advance(SECOND);
    world.step().await;
    assert_eq!(world.status(pin).await, Status::Queued);
    world.inside().interest.note(pin);
    world.catch_up().await;
    assert_eq!(world.status(pin).await, Status::Pinned);
    world.end().await;
}

/// I13.
#[tokio::test]
async fn a_pin_that_was_there_before_is_used_and_never_deleted() {
    let mut world = World::of(1).start().await;
    world.sims[0].plant(Asked { cid: cid(1), name: None, meta: None, origins: Vec::new() });
    let pin = world.add(1).await;
    world.settle().await;
    assert_eq!(world.status(pin).await, Status::Pinned);
    world.delete(pin).await;
    world.settle().await;
    assert_eq!((world.held(0), world.sims[0].deletes().len(), world.calls(0, Route::Add)), (1, 0, 0));
    world.end().await;
}

/// I6.
#[tokio::test]
async fn two_accounts_that_want_one_content_share_one_upstream_pin() {
    let mut world = World::of(1).start().await;
    let (ours, theirs) = (world.add_for(0, 1).await, world.add_for(1, 1).await);
    world.settle().await;
    assert_eq!(world.calls(0, Route::Add), 1);
    world.delete(ours).await;
    world.settle().await;
    assert_eq!(world.held(0), 1);
    world.delete_for(1, theirs).await;
    world.settle().await;
    assert_eq!(world.held(0), 0);
    world.end().await;
}

#[tokio::test]
async fn a_replacement_by_the_same_content_makes_no_call() {
    let mut world = World::of(1).start().await;
    let old = world.add(1).await;
    world.settle().await;
    world.sims[0].reset_stats();
    let new = world.replace(old, 1).await;
    world.settle().await;
    assert_eq!((world.status(new).await, world.sims[0].counts().total()), (Status::Pinned, 0));
    world.end().await;
}

/// I8.
#[tokio::test]
async fn what_was_replaced_stays_until_the_new_content_is_pinned() {
    let mut world = World::of(1).quirks(|_, sim| sim.pin_after(10 * MINUTE)).start().await;
    let old = world.add(1).await;
    world.run_for(HOUR).await;
    let new = world.replace(old, 2).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.sims[0].deletes().len(), 0);
    world.run_for(HOUR).await;
    assert_eq!(world.status(new).await, Status::Pinned);
    assert_eq!(world.sims[0].pins().by_content(), [(content(2), 1)].into());
    world.end().await;
}
