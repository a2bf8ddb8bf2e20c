//! Credentials that end, are reset, are renewed, or only seem to be wrong.

use super::world::*;
use crate::{
    model::{Health, Status},
    sim::{Fault, Route, Routes},
};

async fn all_are_pinned(world: &World, pins: &[crate::model::RequestId]) {
    for pin in pins {
        assert_eq!(world.status(*pin).await, Status::Pinned);
    }
}

#[tokio::test]
async fn after_a_reset_of_the_token_nothing_is_lost_and_the_new_one_is_taken_from_its_file() {
    let mut world = World::of(1).token_files().start().await;
    let mut pins = vec![world.add(1).await];
    world.settle().await;
    world.sims[0].reset_token("after-the-reset");
    for n in 2..20 {
        pins.push(world.add(n).await);
    }
    world.run_for(10 * MINUTE).await;
    assert_eq!((world.health(0).await, world.held(0)), (Health::AuthFailed, 1));
    world.put_token(0, "after-the-reset");
    // No wait for the next probe, and no restart.
    world.run_for(2 * SECOND).await;
    assert_eq!(world.health(0).await, Health::Healthy);
    world.run_for(HOUR).await;
    all_are_pinned(&world, &pins).await;
    world.end().await;
}

/// Decision 9, without a restart.
#[tokio::test]
async fn a_token_of_another_account_in_the_file_sends_nothing() {
    let mut world = World::of(1).token_files().start().await;
    world.add(1).await;
    world.settle().await;
    world.sims[0].reset_token("anothers");
    world.sims[0].forget(&content(1));
    world.sims[0].reset_stats();
    world.put_token(0, "anothers");
    world.add(2).await;
    world.run_for(10 * MINUTE).await;
    assert_eq!(world.health(0).await, Health::AuthFailed);
    assert_eq!((world.calls(0, Route::Add), world.calls(0, Route::Remove)), (0, 0));
    world.end().await;
}

#[tokio::test]
async fn a_token_of_another_account_never_seems_healthy_when_it_is_tried_again() {
    let mut world = World::of(1).token_files().start().await;
    world.add(1).await;
    world.settle().await;
    world.sims[0].reset_token("anothers");
    world.sims[0].forget(&content(1));
    world.put_token(0, "anothers");
    world.run_for(10 * MINUTE).await;
    world.sims[0].reset_stats();
    let healths = world.healths_from_now_on();
    world.run_for(HOUR).await;
    assert!(world.calls(0, Route::List) > 2);
    assert_eq!((healths(), world.health(0).await), (0, Health::AuthFailed));
    world.end().await;
}

/// As after a restore: since the backup the oldest ones ended, and were deleted there.
#[tokio::test]
async fn a_credential_is_not_condemned_because_the_oldest_copies_are_gone() {
    let mut world = World::of(1).exclusive().start().await;
    for n in 0..200 {
        world.add(n).await;
    }
    world.settle().await;
    for n in 0..5 {
        world.sims[0].forget(&content(n));
    }
    world.proven_by_another(0).await;
    world.restart().await;
    let pin = world.add(999).await;
    world.run_for(MINUTE).await;
    assert_eq!((world.health(0).await, world.status(pin).await), (Health::Healthy, Status::Pinned));
    world.end().await;
}

/// As Fula answers while its database is down.
#[tokio::test]
async fn passing_401s_are_not_believed_however_many_come_at_once() {
    let mut world = World::of(1).preset("fula").start().await;
    world.sims[0].faults().always(Routes::Any, Fault::UNAUTHORIZED);
    let mut pins = Vec::new();
    for n in 0..30 {
        pins.push(world.add(n).await);
    }
    world.run_for(8 * SECOND).await;
    assert_eq!(world.health(0).await, Health::Healthy);
    assert!(world.sims[0].counts().total() < 100, "{:?}", world.sims[0].counts());
    world.sims[0].faults().clear();
    world.run_for(HOUR).await;
    assert_eq!(world.health(0).await, Health::Healthy);
    all_are_pinned(&world, &pins).await;
    world.end().await;
}

/// Fifty pins while the token ends, by what it says of itself or unannounced.
async fn fifty_pins_while_the_token_ends(refresh: bool, announced: bool) {
    let mut world = World::of(1).preset("w3ipfs").logins(refresh).start().await;
    let mut pins = vec![world.add(0).await];
    world.settle().await;
    let before = (world.calls(0, Route::Login), world.calls(0, Route::Refresh));
    assert_eq!(before, (1, 0));
    if announced {
        world.run_for(DAY).await;
    } else {
        world.strike(0, 4, Route::Add, Fault::UNAUTHORIZED);
    }
    let before = (world.calls(0, Route::Login), world.calls(0, Route::Refresh));
    for n in 1..=50 {
        pins.push(world.add(n).await);
    }
    world.catch_up().await;
    let (login, refreshed) =
        (world.calls(0, Route::Login) - before.0, world.calls(0, Route::Refresh) - before.1);
    assert!(login + refreshed <= 1, "{login} logins and {refreshed} refreshes");
    if !announced {
        assert_eq!((login, refreshed), if refresh { (0, 1) } else { (1, 0) });
    }
    world.run_for(10 * MINUTE).await;
    assert_eq!((world.health(0).await, world.held(0)), (Health::Healthy, 51));
    all_are_pinned(&world, &pins).await;
    world.end().await;
}

#[tokio::test]
async fn fifty_pins_in_flight_when_the_token_ends_make_one_refresh() {
    fifty_pins_while_the_token_ends(true, false).await;
    fifty_pins_while_the_token_ends(true, true).await;
}

#[tokio::test]
async fn fifty_pins_in_flight_when_the_token_ends_make_one_login_where_none_can_refresh() {
    fifty_pins_while_the_token_ends(false, false).await;
    fifty_pins_while_the_token_ends(false, true).await;
}
