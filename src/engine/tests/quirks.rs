//! What presets know of services, followed through the engine.

use super::world::*;
use crate::{
    model::{Origins, Status},
    sim::Route,
};

#[tokio::test]
async fn origins_of_a_later_pin_reach_a_service_that_collapses_duplicates_once() {
    let slow = |_, sim: crate::sim::Builder| sim.collapse_duplicates().pin_after(HOUR);
    let mut world = World::of(1).preset("ipfs-cluster").quirks(slow).start().await;
    world.add(1).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.calls(0, Route::Add), 1);
    let later = world.add_with(1, Origins::keep_usable(["/ip4/8.8.8.8/tcp/4001".to_owned()])).await;
    world.run_for(30 * MINUTE).await;
    assert_eq!((world.calls(0, Route::Add), world.held(0)), (2, 1));
    world.run_for(HOUR).await;
    assert_eq!((world.status(later).await, world.calls(0, Route::Add)), (Status::Pinned, 2));
    world.end().await;
}

#[tokio::test]
async fn a_pin_that_stays_queued_for_ever_is_made_anew_and_left_to_others_in_the_end() {
    let stuck = |n, sim: crate::sim::Builder| if n == 0 { sim.never_pins() } else { sim };
    let mut world = World::of(2).exclusive().preset("helia").quirks(stuck).start().await;
    let pin = world.add(1).await;
    world.run_for(10 * MINUTE).await;
    assert_eq!((world.status(pin).await, world.calls(0, Route::Remove)), (Status::Queued, 0));
    world.run_for(3 * HOUR).await;
    assert_eq!((world.status(pin).await, world.held(1)), (Status::Pinned, 1));
    assert!(world.calls(0, Route::Add) >= 3, "{}", world.calls(0, Route::Add));
    world.end().await;
}

#[tokio::test]
async fn a_pin_stuck_in_the_queue_recovers_once_it_is_made_anew() {
    let mut world = World::of(1).exclusive().preset("helia").quirks(|_, sim| sim.never_pins()).start().await;
    let pin = world.add(1).await;
    world.run_for(14 * MINUTE).await;
    world.sims[0].set(|is| is.pin_after = "1m".parse().unwrap());
    world.sims[0].force(&content(1), Some(Status::Queued));
    world.run_for(10 * MINUTE).await;
    assert_eq!((world.status(pin).await, world.held(0), world.calls(0, Route::Add)), (Status::Pinned, 1, 2));
    world.end().await;
}

#[tokio::test]
async fn polls_go_by_id_where_lists_do_not_tell() {
    let slow = |_, sim: crate::sim::Builder| sim.pin_after(HOUR);
    let mut world = World::of(1).exclusive().preset("fula").quirks(slow).start().await;
    for n in 0..150 {
        world.add(n).await;
    }
    world.run_for(MINUTE).await;
    assert_eq!(world.calls(0, Route::List), 0);
    assert!(world.calls(0, Route::Get) >= 150);
    world.end().await;
}

/// Fula's replace deletes first and IPFS Cluster's unpins what it has just pinned.
#[tokio::test]
async fn a_replace_is_never_sent_as_such() {
    for preset in ["fula", "ipfs-cluster", "helia", "generic"] {
        let mut world = World::of(1).preset(preset).start().await;
        let first = world.add(1).await;
        world.settle().await;
        let same = world.replace(first, 1).await;
        world.settle().await;
        let other = world.replace(same, 2).await;
        world.settle().await;
        assert_eq!((world.status(other).await, world.calls(0, Route::Replace)), (Status::Pinned, 0));
        assert_eq!((world.held(0), world.calls(0, Route::Add), world.calls(0, Route::Remove)), (1, 2, 1));
        world.end().await;
    }
}

#[tokio::test]
async fn why_a_provider_failed_reaches_the_owner_of_the_pin() {
    let failing = |_, sim: crate::sim::Builder| sim.fail_rate(1.0).pin_after(MINUTE);
    let mut world = World::of(1).quirks(failing).start().await;
    let pin = world.add(1).await;
    world.run_for(DAY / 24).await;
    let copies = world.pin(pin).await.copies;
    let (_, text) = copies[0].error.as_ref().expect("it failed");
    assert!(text.contains("failed on purpose by the simulator"), "{text}");
    world.end().await;
}
