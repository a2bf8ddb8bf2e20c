//! Bad days: providers that fail, lie, refuse or vanish, a gateway that dies, a clock that jumps.

use std::time::Duration;

use super::world::{HOUR, Plan, cid};
use crate::{
    model::{Clock, Health, ReplicaState, Status, Timestamp},
    sim::{Fault, RetryAfter, Route, Routes},
};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn i7_a_submit_whose_answer_was_lost_is_found_and_not_sent_twice() {
    for fault in [Fault::STORED_BUT_500, Fault::STORED_BUT_RESET, Fault::HANG_AFTER] {
        for exclusive in [false, true] {
            let mut plan = Plan::new(1, 1);
            plan.exclusive = exclusive;
            let mut world = plan.start().await;
            world.sims[0].faults().next(1, Route::Add, fault.clone());
            let pin = world.add(cid(1)).await;
            world.run_for(10 * MINUTE).await;
            assert_eq!(world.status(pin).await, Status::Pinned, "{fault:?}");
            assert_eq!(world.sims[0].counts().calls(Route::Add), 1, "{fault:?}");
            world.check();
        }
    }
}

#[tokio::test]
async fn i7_a_submit_that_was_lost_on_its_way_is_sent_again() {
    for fault in [Fault::RESET_BEFORE, Fault::HANG_BEFORE, Fault::status(500)] {
        let mut world = Plan::new(1, 1).start().await;
        world.sims[0].faults().next(1, Route::Add, fault.clone());
        let pin = world.add(cid(1)).await;
        world.run_for(10 * MINUTE).await;
        assert_eq!(world.status(pin).await, Status::Pinned, "{fault:?}");
        assert_eq!(world.sims[0].pins().len(), 1);
    }
}

#[tokio::test]
async fn a_provider_that_was_down_for_an_hour_catches_up() {
    let mut world = Plan::new(2, 2).start().await;
    world.sims[0].stop().await;
    let pin = world.add(cid(1)).await;
    world.run_for(HOUR).await;
    assert_eq!(world.status(pin).await, Status::Pinned);
    assert_eq!(world.health(0).await, Health::Down);
    assert_eq!(world.pin(pin).await.have, 1);
    world.sims[0].start_again().await.unwrap();
    world.run_for(HOUR).await;
    assert_eq!((world.pin(pin).await.have, world.sims[0].pins().len()), (2, 1));
    assert_eq!(world.health(0).await, Health::Healthy);
}

#[tokio::test]
async fn a_copy_at_a_provider_that_is_down_goes_to_the_next() {
    let mut world = Plan::new(2, 3).start().await;
    world.sims[0].stop().await;
    let pin = world.add(cid(1)).await;
    world.run_for(HOUR).await;
    assert_eq!(world.pin(pin).await.have, 2);
    assert_eq!(world.sims[2].pins().len(), 1);
    world.sims[0].start_again().await.unwrap();
    world.run_for(HOUR).await;
    assert!(world.sims[0].pins().is_empty(), "the pin is whole without it");
}

#[tokio::test]
async fn i9_a_retry_after_is_obeyed_and_counts_as_no_try() {
    for wait in [RetryAfter::Seconds(120), RetryAfter::HttpDate(120), RetryAfter::RateLimitReset(120)] {
        let mut world = Plan::new(1, 1).start().await;
        world.sims[0].faults().next(1, Routes::Any, Fault::too_many(wait));
        let pin = world.add(cid(1)).await;
        world.run_for(Duration::from_secs(115)).await;
        assert_eq!(world.calls(0), 1, "{wait:?}");
        world.run_for(10 * MINUTE).await;
        assert_eq!(world.status(pin).await, Status::Pinned, "{wait:?}");
    }
}

#[tokio::test]
async fn a_refused_credential_stops_the_calls_and_mends_by_itself() {
    let mut world = Plan::new(1, 2).start().await;
    world.sims[0].faults().always(Routes::Any, Fault::UNAUTHORIZED);
    let pins = [world.add(cid(1)).await, world.add(cid(2)).await, world.add(cid(3)).await];
    world.run_for(HOUR).await;
    assert_eq!(world.health(0).await, Health::AuthFailed);
    assert!(world.calls(0) < 30, "{} calls in an hour", world.calls(0));
    for pin in pins {
        assert_eq!(world.status(pin).await, Status::Pinned, "the other provider took it");
    }
    world.sims[0].faults().clear();
    let late = world.add(cid(4)).await;
    world.run_for(HOUR).await;
    assert_eq!(world.status(late).await, Status::Pinned);
}

#[tokio::test]
async fn a_provider_without_funds_is_passed_over() {
    let mut world = Plan::new(1, 2).start().await;
    world.sims[0].faults().always(Route::Add, Fault::NO_FUNDS);
    let pin = world.add(cid(1)).await;
    world.run_for(HOUR).await;
    assert_eq!(world.status(pin).await, Status::Pinned);
    assert_eq!(world.health(0).await, Health::NoFunds);
}

#[tokio::test]
async fn i10_a_pin_fails_only_once_everybody_has_refused_it() {
    let mut world = Plan::new(1, 2).start().await;
    for sim in &world.sims {
        sim.faults().always(Route::Add, Fault::status(400));
    }
    let pin = world.add(cid(1)).await;
    assert_eq!(world.status(pin).await, Status::Queued);
    world.run_for(HOUR).await;
    assert_eq!(world.status(pin).await, Status::Failed);
    for sim in &world.sims {
        assert_eq!(sim.counts().calls(Route::Add), 3, "each is asked three times");
        sim.faults().clear();
    }
    world.run_for(30 * HOUR).await;
    assert_eq!(world.status(pin).await, Status::Pinned, "and once more a day later");
}

#[tokio::test]
async fn a_copy_that_failed_by_the_providers_word_is_removed_and_tried_again() {
    let mut world = Plan::new(1, 1).start().await;
    world.sims[0].force(cid(1).content(), Some(Status::Failed));
    let pin = world.add(cid(1)).await;
    world.run_for(HOUR).await;
    assert_eq!(world.status(pin).await, Status::Failed);
    world.sims[0].force(cid(1).content(), None);
    world.run_for(30 * HOUR).await;
    assert_eq!((world.status(pin).await, world.sims[0].pins().len()), (Status::Pinned, 1));
    world.check();
}

#[tokio::test]
async fn a_delete_while_the_provider_is_down_is_done_later() {
    let mut world = Plan::new(1, 1).start().await;
    let pin = world.add(cid(1)).await;
    world.run_for(MINUTE).await;
    world.sims[0].stop().await;
    world.delete(pin).await;
    world.run_for(HOUR).await;
    assert_eq!(world.sims[0].pins().len(), 1);
    world.sims[0].start_again().await.unwrap();
    world.run_for(HOUR).await;
    assert!(world.sims[0].pins().is_empty());
}

#[tokio::test]
async fn a_delete_while_a_submits_answer_is_lost_leaves_nothing_behind() {
    let mut world = Plan::new(1, 1).start().await;
    world.sims[0].faults().next(1, Route::Add, Fault::STORED_BUT_RESET);
    let pin = world.add(cid(1)).await;
    world.step().await;
    world.delete(pin).await;
    world.run_for(HOUR).await;
    assert!(world.sims[0].pins().is_empty());
}

#[tokio::test]
async fn i1_a_gateway_that_dies_goes_on_where_it_was() {
    let plan = Plan::new(2, 2).each(|sim| sim.pin_after(Duration::from_secs(5)));
    let mut world = plan.start().await;
    world.sims[0].faults().next(1, Route::Add, Fault::STORED_BUT_RESET);
    let (kept, gone) = (world.add(cid(1)).await, world.add(cid(2)).await);
    world.restart().await;
    world.step().await;
    world.delete(gone).await;
    world.restart().await;
    world.run_for(10 * MINUTE).await;
    assert_eq!((world.status(kept).await, world.pin(kept).await.have), (Status::Pinned, 2));
    for sim in &world.sims {
        assert_eq!(sim.pins().by_content().keys().collect::<Vec<_>>(), [cid(1).content()]);
    }
    world.check();
}

#[tokio::test]
async fn i3_created_rises_and_work_goes_on_when_the_clock_jumps_back_from_2038() {
    let mut world = Plan::new(1, 1).each(|sim| sim.pin_after(MINUTE)).start().await;
    let now = world.clock.now();
    let mut last = Timestamp::ZERO;
    for (n, clock) in
        [now, Timestamp::from_millis(2_147_483_647_000), now.minus(HOUR)].into_iter().enumerate()
    {
        world.clock.set(clock);
        let pin = world.add(cid(u32::try_from(n).unwrap())).await;
        let created = world.pin(pin).await.created;
        assert!(created > last);
        last = created;
        world.step().await;
        world.step().await;
        if n == 2 {
            world.run_for(10 * MINUTE).await;
            assert_eq!(world.status(pin).await, Status::Pinned);
        }
    }
    assert_eq!(world.sims[0].pins().len(), 3);
    let counts = world.sims[0].counts();
    assert!(counts.total() < 60, "{} calls: it neither spins nor sleeps", counts.total());
}

#[tokio::test]
async fn another_accounts_token_makes_no_copies_and_is_told() {
    let mut world = Plan::new(1, 1).start().await;
    let pin = world.add(cid(1)).await;
    world.run_for(HOUR).await;
    // As another account sees it: the token is taken, but nothing of ours is there.
    world.sims[0].forget(cid(1).content());
    world.sims[0].faults().clear();
    world.sims[0].set(|_| {});
    world.token = "secret ".into();
    world.restart().await;
    world.run_for(MINUTE).await;
    assert_eq!(world.health(0).await, Health::Healthy, "the same token, written with a space, is no other");
    assert_eq!(world.copies(pin).await[0].1, ReplicaState::Pinned);
}
