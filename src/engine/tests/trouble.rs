//! Providers on bad days.

use super::world::*;
use crate::{
    model::{Facts, Health, Status},
    sim::{Fault, RateLimit, RetryAfter, Route, Routes},
};

/// I9.
#[tokio::test]
async fn a_retry_after_is_obeyed_and_nothing_counts_as_tried() {
    let mut world = World::of(1).exclusive().start().await;
    world.strike(0, 1, Route::Add, Fault::too_many(RetryAfter::Seconds(600)));
    let pins = [world.add(1).await, world.add(2).await];
    world.catch_up().await;
    let calls = world.sims[0].counts().total();
    world.run_for(9 * MINUTE).await;
    assert_eq!(world.sims[0].counts().total(), calls);
    world.run_for(5 * MINUTE).await;
    for pin in pins {
        assert_eq!(world.status(pin).await, Status::Pinned);
    }
    world.end().await;
}

/// I9.
#[tokio::test]
async fn a_retry_after_is_obeyed_over_a_restart() {
    let mut world = World::of(1).exclusive().start().await;
    world.strike(0, 1, Route::Add, Fault::too_many(RetryAfter::Seconds(600)));
    let pin = world.add(1).await;
    world.catch_up().await;
    let calls = world.sims[0].counts().total();
    world.restart().await;
    let new = world.add(2).await;
    world.run_for(9 * MINUTE).await;
    assert_eq!(world.sims[0].counts().total(), calls);
    world.run_for(5 * MINUTE).await;
    assert_eq!((world.status(pin).await, world.status(new).await), (Status::Pinned, Status::Pinned));
    world.end().await;
}

#[tokio::test]
async fn pins_leave_a_provider_without_funds_though_the_store_failed_meanwhile() {
    let mut world = World::of(2).exclusive().start().await;
    world.sims[0].faults().always(Route::Add, Fault::status(402));
    for n in 0..100 {
        world.add(n).await;
    }
    world.step().await;
    assert_eq!(world.health(0).await, Health::NoFunds);
    world.refused_step("INSERT ON remerge").await;
    world.run_for(10 * MINUTE).await;
    assert_eq!(world.held(1), 100);
    world.end().await;
}

#[tokio::test]
async fn a_provider_that_is_well_again_is_known_so_though_the_store_failed_meanwhile() {
    let mut world = World::of(2).exclusive().start().await;
    world.sims[0].faults().down();
    world.add(1).await;
    world.run_for(HOUR).await;
    assert_eq!(world.health(0).await, Health::Down);
    world.sims[0].faults().up();
    world.refuse("UPDATE OF health ON providers");
    world.run_for(HOUR).await;
    assert_eq!(world.health(0).await, Health::Down, "it cannot be written down");
    world.refuse_no_more();
    world.run_for(2 * HOUR).await;
    assert_eq!(world.health(0).await, Health::Healthy);
    world.end().await;
}

#[tokio::test]
async fn pins_that_lack_a_copy_have_one_soon_after_a_provider_is_well_again() {
    let mut world = World::of(2).exclusive().copies(2, 1).start().await;
    world.sims[1].faults().always(Routes::Any, Fault::status(401));
    world.add(1).await;
    world.run_for(HOUR).await;
    assert_eq!((world.health(1).await, world.held(1)), (Health::AuthFailed, 0));
    let pin = world.add(2).await;
    world.settle().await;
    world.sims[1].faults().clear();
    while world.health(1).await != Health::Healthy {
        world.run_for(MINUTE).await;
    }
    world.run_for(2 * MINUTE).await;
    assert_eq!((world.pin(pin).await.have, world.held(1)), (2, 2));
    world.end().await;
}

#[tokio::test]
async fn a_provider_that_limits_calls_is_filled_in_time() {
    let limit = RateLimit { routes: Routes::Any, calls: 20, window: MINUTE };
    let mut world = World::of(1).exclusive().start().await;
    world.sims[0].faults().limit(&[limit]);
    for n in 0..60 {
        world.add(n).await;
    }
    world.run_for(HOUR).await;
    assert_eq!(world.held(0), 60);
    world.end().await;
}

#[tokio::test]
async fn while_one_of_two_is_down_the_other_makes_pins_pinned_and_the_sick_one_catches_up() {
    let mut world = World::of(2).copies(2, 1).start().await;
    world.sims[0].faults().down();
    let mut pins = Vec::new();
    for n in 0..30 {
        pins.push(world.add(n).await);
    }
    world.run_for(HOUR).await;
    assert_eq!(world.health(0).await, Health::Down);
    for pin in &pins {
        assert_eq!(world.pin(*pin).await.have, 1);
        assert_eq!(world.status(*pin).await, Status::Pinned);
    }
    world.sims[0].faults().up();
    world.run_for(30 * MINUTE).await;
    assert_eq!((world.health(0).await, world.held(0), world.held(1)), (Health::Healthy, 30, 30));
    world.end().await;
}

#[tokio::test]
async fn a_provider_that_is_down_is_not_called_much() {
    let mut world = World::of(1).start().await;
    world.sims[0].faults().down();
    for n in 0..100 {
        world.add(n).await;
    }
    world.run_for(HOUR).await;
    // The only one: once in five seconds for two minutes, then twice to four times a minute.
    assert!(world.sims[0].counts().total() < 300, "{:?}", world.sims[0].counts());
    world.end().await;
}

/// Whatever were sent beside it would be kept here, and put off for nothing.
#[tokio::test]
async fn one_that_was_left_alone_is_tried_with_one_copy_and_then_gets_all() {
    let mut world = World::of(1).exclusive().start().await;
    world.sims[0].faults().down();
    for n in 0..5 {
        world.add(n).await;
    }
    let until = world.catch_up().await.expect("it is left alone");
    world.sims[0].faults().up();
    for n in 5..25 {
        world.add(n).await;
    }
    world.clock.set(until);
    assert_eq!(world.step().await.claimed, 1);
    assert_eq!(world.held(0), 1);
    assert!(world.step().await.claimed > 10);
    // Those whose answers were lost are in doubt for a while.
    world.run_for(10 * MINUTE).await;
    assert_eq!((world.held(0), world.health(0).await), (25, Health::Healthy));
    world.end().await;
}

#[tokio::test]
async fn while_all_are_down_all_are_still_tried_and_work_goes_on_with_the_first_that_is_back() {
    let mut world = World::of(2).copies(2, 1).start().await;
    for sim in &world.sims {
        sim.faults().down();
    }
    let pin = world.add(1).await;
    world.run_for(HOUR).await;
    for sim in &world.sims {
        let calls = sim.counts().total();
        assert!((10..100).contains(&calls), "{calls} calls in an hour");
    }
    world.sims[1].faults().up();
    world.run_for(15 * MINUTE).await;
    assert_eq!(world.status(pin).await, Status::Pinned);
    world.sims[0].faults().up();
    world.run_for(15 * MINUTE).await;
    assert_eq!((world.held(0), world.held(1)), (1, 1));
    world.end().await;
}

#[tokio::test]
async fn a_third_provider_takes_what_a_sick_one_does_not() {
    let mut world = World::of(3).copies(2, 2).start().await;
    world.sims[0].faults().down();
    let pin = world.add(1).await;
    world.run_for(10 * MINUTE).await;
    assert_eq!(world.status(pin).await, Status::Pinned);
    assert_eq!((world.held(1), world.held(2)), (1, 1));
    world.sims[0].faults().up();
    world.run_for(HOUR).await;
    world.delete(pin).await;
    world.run_for(HOUR).await;
    assert_eq!((world.held(0), world.held(1), world.held(2)), (0, 0, 0));
    world.end().await;
}

#[tokio::test]
async fn a_refused_content_goes_elsewhere_and_is_never_failed_meanwhile() {
    let mut world = World::of(2).start().await;
    world.sims[0].faults().always(Route::Add, Fault::status(400));
    let pin = world.add(1).await;
    for _ in 0..20 {
        assert_ne!(world.status(pin).await, Status::Failed);
        world.run_for(SECOND).await;
    }
    world.run_for(10 * MINUTE).await;
    assert_eq!((world.status(pin).await, world.held(1)), (Status::Pinned, 1));
    world.end().await;
}

#[tokio::test]
async fn a_content_that_all_refuse_fails_and_is_tried_again_next_day() {
    let mut world = World::of(2).start().await;
    for sim in &world.sims {
        sim.faults().always(Route::Add, Fault::status(400));
    }
    let pin = world.add(1).await;
    world.run_for(HOUR).await;
    assert_eq!(world.status(pin).await, Status::Failed);
    assert_eq!((world.calls(0, Route::Add), world.calls(1, Route::Add)), (3, 3));
    for sim in &world.sims {
        sim.faults().clear();
    }
    world.run_for(2 * DAY).await;
    assert_eq!(world.status(pin).await, Status::Pinned);
    world.end().await;
}

async fn refused_account(fault: Fault, health: Health) {
    let mut world = World::of(2).start().await;
    world.sims[0].faults().always(Routes::Any, fault);
    let mut pins = Vec::new();
    for n in 0..5 {
        pins.push(world.add(n).await);
    }
    world.run_for(10 * MINUTE).await;
    assert_eq!(world.health(0).await, health);
    for pin in &pins {
        assert_eq!(world.status(*pin).await, Status::Pinned);
    }
    let before = world.sims[0].counts().total();
    world.run_for(HOUR).await;
    let probes = world.sims[0].counts().total() - before;
    assert!(probes <= 5, "{probes} probes in an hour");
    world.end().await;
}

#[tokio::test]
async fn three_401s_are_believed_and_others_take_over() {
    refused_account(Fault::UNAUTHORIZED, Health::AuthFailed).await;
}

#[tokio::test]
async fn a_402_is_believed_and_others_take_over() {
    refused_account(Fault::NO_FUNDS, Health::NoFunds).await;
}

#[tokio::test]
async fn a_mended_account_is_used_again_by_itself() {
    for (fault, health) in [(Fault::UNAUTHORIZED, Health::AuthFailed), (Fault::NO_FUNDS, Health::NoFunds)] {
        let mut world = World::of(1).start().await;
        world.sims[0].faults().always(Routes::Any, fault);
        let pins = [world.add(1).await, world.add(2).await, world.add(3).await];
        world.run_for(HOUR).await;
        assert_eq!(world.health(0).await, health);
        world.sims[0].faults().clear();
        world.run_for(HOUR).await;
        assert_eq!(world.health(0).await, Health::Healthy);
        for pin in pins {
            assert_eq!(world.status(pin).await, Status::Pinned);
        }
        world.end().await;
    }
}

/// Nothing waits to be sent to it that would show that it has funds again: pins that lacked a copy were short for ever.
#[tokio::test]
async fn one_without_funds_is_tried_again_though_nothing_waits_there() {
    let frail = |n: usize, facts: &mut Facts| facts.declare_dead_after = (n == 2).then_some(HOUR);
    let mut world = World::of(3).exclusive().copies(2, 1).facts(frail).start().await;
    world.sims[1].faults().always(Route::Add, Fault::NO_FUNDS);
    let gone = world.add(1).await;
    world.settle().await;
    world.delete(gone).await;
    let short = world.add(2).await;
    world.settle().await;
    assert_eq!((world.health(1).await, world.pin(short).await.have), (Health::NoFunds, 2));
    world.sims[1].faults().clear();
    world.sims[2].faults().down();
    world.add(3).await;
    world.run_for(3 * HOUR).await;
    let healths = (world.health(1).await, world.health(2).await);
    assert_eq!((healths, world.pin(short).await.have), ((Health::NoFunds, Health::Dead), 1));
    world.run_for(8 * HOUR).await;
    assert_eq!((world.health(1).await, world.pin(short).await.have), (Health::Healthy, 2));
    world.end().await;
}

#[tokio::test]
async fn a_credential_that_was_mended_over_there_is_found_out_though_nothing_waits_there() {
    let mut world = World::of(2).exclusive().copies(1, 1).start().await;
    world.sims[0].faults().always(Routes::Any, Fault::UNAUTHORIZED);
    let gone = world.add(1).await;
    world.settle().await;
    world.delete(gone).await;
    world.run_for(HOUR).await;
    assert_eq!(world.health(0).await, Health::AuthFailed);
    let before = world.sims[0].counts().total();
    world.run_for(HOUR).await;
    assert!(world.sims[0].counts().total() <= before + 4, "nobody is to be locked out for it");
    world.sims[0].faults().clear();
    world.run_for(30 * MINUTE).await;
    assert_eq!(world.health(0).await, Health::Healthy);
    world.end().await;
}

#[tokio::test]
async fn a_pin_that_failed_upstream_is_deleted_and_tried_three_times() {
    let mut world = World::of(1).quirks(|_, sim| sim.fail_rate(1.0)).start().await;
    let pin = world.add(1).await;
    world.run_for(HOUR).await;
    assert_eq!(world.status(pin).await, Status::Failed);
    assert_eq!(world.calls(0, Route::Add), 3);
    assert!(world.held(0) <= 1);
    world.delete(pin).await;
    world.settle().await;
    assert_eq!(world.held(0), 0);
    world.end().await;
}

#[tokio::test]
async fn a_pin_that_its_provider_forgot_is_noticed_and_made_again() {
    let mut world = World::of(1).start().await;
    let pin = world.add(1).await;
    world.settle().await;
    world.sims[0].forget(&content(1));
    world.run_for(9 * DAY).await;
    assert_eq!((world.status(pin).await, world.held(0)), (Status::Pinned, 1));
    world.end().await;
}
