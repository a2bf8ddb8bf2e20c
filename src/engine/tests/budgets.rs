//! I9: inside the budget, over restarts, by clocks that are turned, in groups, and while the store fails.

use super::world::*;
use crate::{
    model::{BudgetClass, Rate, Status},
    providers,
    sim::{Fault, RateLimit, RetryAfter, Route, Routes},
};

fn any(calls: u32, settings: &mut providers::Settings) {
    settings.budget.rates[BudgetClass::Any] = Some(Rate { calls, per: MINUTE });
}

/// The most calls that came in, at these providers together, in any window of a minute.
fn most_in_a_minute(world: &World, sims: &[usize]) -> usize {
    let mut at: Vec<_> = sims.iter().flat_map(|n| world.sims[*n].log()).map(|call| call.at).collect();
    at.sort();
    let inside = |from: &crate::model::Timestamp| {
        at.iter().filter(|at| *at >= from && **at < from.plus(MINUTE)).count()
    };
    at.iter().map(inside).max().unwrap_or(0)
}

#[tokio::test]
async fn i9_five_hundred_pins_at_a_service_with_few_calls_meet_no_refusal_over_a_restart() {
    let slow = |_, sim: crate::sim::Builder| sim.pin_after(20 * SECOND);
    let mut world = World::of(1).preset("pinata").played().quirks(slow).start().await;
    let mut pins = Vec::new();
    for n in 0..500 {
        pins.push(world.add(n).await);
    }
    world.run_for(4 * MINUTE + 7 * SECOND).await;
    assert!(world.held(0) > 100, "{} after four minutes", world.held(0));
    world.restart().await;
    world.run_for(26 * MINUTE).await;
    assert_eq!(world.held(0), 500);
    for pin in pins {
        assert_eq!(world.status(pin).await, Status::Pinned);
    }
    assert_eq!(world.sims[0].counts().violations(), 0);
    assert!(Route::ALL.iter().all(|route| world.sims[0].counts().answered(*route, 429) == 0));
    assert!(most_in_a_minute(&world, &[0]) <= 57);
    world.end().await;
}

#[tokio::test]
async fn i9_a_restart_inside_a_window_spends_nothing_twice() {
    let mut world = World::of(1).exclusive().budget(|_, settings| any(40, settings)).start().await;
    for n in 0..200 {
        world.add(n).await;
    }
    for _ in 0..6 {
        world.run_for(9 * SECOND).await;
        world.restart().await;
    }
    assert!(world.sims[0].counts().total() >= 30, "{}", world.sims[0].counts().total());
    assert!(most_in_a_minute(&world, &[0]) <= 38);
    world.run_for(20 * MINUTE).await;
    assert_eq!(world.held(0), 200);
    assert!(most_in_a_minute(&world, &[0]) <= 38);
    world.end().await;
}

#[tokio::test]
async fn i9_a_clock_that_is_turned_brings_no_call_sooner_and_holds_none_up() {
    let mut world = World::of(1).exclusive().budget(|_, settings| any(20, settings)).start().await;
    for n in 0..100 {
        world.add(n).await;
    }
    world.catch_up().await;
    assert_eq!(world.sims[0].counts().total(), 19);
    for turned in [START.plus(DAY), START.minus(DAY), START.minus(HOUR), START.plus(HOUR)] {
        world.clock.turn(turned);
        world.catch_up().await;
        assert_eq!(world.sims[0].counts().total(), 19, "at {turned}");
        world.restart().await;
        world.catch_up().await;
        assert_eq!(world.sims[0].counts().total(), 19, "after a restart at {turned}");
    }
    world.run_for(MINUTE + 5 * SECOND).await;
    assert!(world.sims[0].counts().total() > 19);
    world.run_for(HOUR).await;
    assert_eq!(world.held(0), 100);
    world.end().await;
}

#[tokio::test]
async fn i9_a_group_of_two_shares_one_budget() {
    let shared = |_, settings: &mut providers::Settings| {
        any(30, settings);
        settings.budget.group = "group/both".into();
    };
    let mut world = World::of(2).copies(2, 2).exclusive().budget(shared).start().await;
    for n in 0..50 {
        world.add(n).await;
    }
    world.run_for(20 * MINUTE).await;
    assert_eq!((world.held(0), world.held(1)), (50, 50));
    assert!(most_in_a_minute(&world, &[0, 1]) <= 29);
    world.end().await;
}

#[tokio::test]
async fn i9_a_word_to_one_of_a_group_is_obeyed_by_all_of_it() {
    let shared = |_, settings: &mut providers::Settings| settings.budget.group = "group/both".into();
    let mut world = World::of(2).copies(2, 2).exclusive().budget(shared).start().await;
    world.strike(0, 1, Route::Add, Fault::too_many(RetryAfter::Seconds(600)));
    world.add(1).await;
    world.catch_up().await;
    let calls = world.sims[1].counts().total();
    let pin = world.add(2).await;
    world.run_for(9 * MINUTE).await;
    assert_eq!(world.sims[1].counts().total(), calls);
    world.run_for(5 * MINUTE).await;
    assert_eq!(world.status(pin).await, Status::Pinned);
    world.end().await;
}

#[tokio::test]
async fn i9_a_store_that_fails_lets_no_call_leave() {
    let mut world = World::of(1).exclusive().budget(|_, settings| any(20, settings)).start().await;
    world.add(1).await;
    world.refused_step("INSERT ON budget_use").await;
    assert_eq!(world.sims[0].counts().total(), 0);
    world.run_for(MINUTE).await;
    assert_eq!(world.held(0), 1);
    world.end().await;
}

#[tokio::test]
async fn i9_without_a_limit_nothing_is_counted() {
    let mut world = World::of(1).start().await;
    world.add(1).await;
    world.settle().await;
    assert_eq!(world.ledger_rows(), 0);
    world.end().await;
}

/// The service does not say that it takes 20 writes a minute.
#[tokio::test]
async fn i9_a_limit_that_nobody_told_of_is_learned_and_kept_over_a_restart() {
    let mut world = World::of(1).exclusive().start().await;
    world.sims[0].faults().limit(&[RateLimit { routes: Routes::Writes, calls: 20, window: MINUTE }]);
    for n in 0..200 {
        world.add(n).await;
    }
    world.run_for(2 * MINUTE).await;
    let learned = world.sims[0].counts().violations();
    assert!((1..=20).contains(&learned), "{learned} refusals");
    world.restart().await;
    world.run_for(4 * MINUTE).await;
    assert_eq!(world.sims[0].counts().violations(), learned);
    world.run_for(30 * MINUTE).await;
    assert_eq!(world.held(0), 200);
    let refusals = world.sims[0].counts().violations();
    assert!(refusals <= learned + 10, "{refusals} refusals, {learned} of them at first");
    world.end().await;
}

#[tokio::test]
async fn i9_a_refusal_of_lists_stops_no_submits_where_lists_have_a_limit_of_their_own() {
    let slow = |_, sim: crate::sim::Builder| sim.pin_after(10 * SECOND);
    let mut world = World::of(1).preset("pinata").played().exclusive().quirks(slow).start().await;
    for n in 0..20 {
        world.add(n).await;
    }
    world.catch_up().await;
    world.strike(0, 1, Route::List, Fault::too_many(RetryAfter::Seconds(600)));
    world.run_for(MINUTE).await;
    let lists = world.calls(0, Route::List);
    let late = world.add(20).await;
    world.run_for(5 * MINUTE).await;
    assert_eq!((world.calls(0, Route::List), world.held(0)), (lists, 21));
    world.run_for(HOUR).await;
    assert_eq!(world.status(late).await, Status::Pinned);
    world.end().await;
}

#[tokio::test]
async fn a_queue_takes_no_more_than_it_has_places_and_is_filled_again_as_they_get_free() {
    let full = |_, sim: crate::sim::Builder| sim.pin_after(30 * SECOND).max_queued(10);
    let places = |_, settings: &mut providers::Settings| settings.max_queued = Some(10);
    let mut world = World::of(1).quirks(full).budget(places).start().await;
    let mut pins = Vec::new();
    for n in 0..60 {
        pins.push(world.add(n).await);
    }
    world.run_for(10 * MINUTE).await;
    assert_eq!(world.sims[0].counts().answered(Route::Add, 429), 0);
    assert_eq!(world.sims[0].counts().answered(Route::Add, 202), 60);
    for pin in pins {
        assert_eq!(world.status(pin).await, Status::Pinned);
    }
    world.end().await;
}

#[tokio::test]
async fn a_425_puts_submits_off_ever_longer_and_stops_no_looks() {
    let mut world = World::of(1).start().await;
    world.sims[0].faults().always(Route::Add, Fault::status(425));
    let pin = world.add(1).await;
    world.run_for(HOUR).await;
    let adds = world.calls(0, Route::Add);
    assert!((30..150).contains(&adds), "{adds} in an hour");
    world.sims[0].faults().clear();
    world.run_for(5 * MINUTE).await;
    assert_eq!(world.status(pin).await, Status::Pinned);
    world.end().await;
}
