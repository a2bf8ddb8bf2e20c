//! Copies come, are followed, are shared and go.

use std::time::Duration;

use super::world::{HOUR, Plan, cid};
use crate::{
    model::{ReplicaState, Status},
    sim::{Asked, Route},
};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_pin_gets_its_copies_and_is_followed_until_they_are_pinned() {
    let plan = Plan::new(2, 2).each(|sim| sim.pin_after(Duration::from_secs(5)));
    let mut world = plan.start().await;
    let pin = world.add(cid(1)).await;
    assert_eq!(world.status(pin).await, Status::Queued);
    world.run_for(MINUTE).await;
    assert_eq!(world.status(pin).await, Status::Pinned);
    assert!(world.copies(pin).await.iter().all(|(_, state)| *state == ReplicaState::Pinned));
    assert_eq!(world.sims.iter().map(|sim| sim.pins().len()).collect::<Vec<_>>(), [1, 1]);
    world.check();
}

#[tokio::test]
async fn i6_two_pins_of_one_content_share_a_copy_that_goes_with_the_last() {
    let mut world = Plan::new(1, 1).start().await;
    let (one, two) = (world.add(cid(1)).await, world.add(cid(1)).await);
    world.run_for(MINUTE).await;
    assert_eq!(world.sims[0].pins().len(), 1);
    world.delete(one).await;
    world.run_for(MINUTE).await;
    assert_eq!((world.sims[0].pins().len(), world.status(two).await), (1, Status::Pinned));
    world.delete(two).await;
    world.run_for(MINUTE).await;
    assert!(world.sims[0].pins().is_empty());
}

#[tokio::test]
async fn i13_what_the_user_pinned_there_is_found_and_never_deleted() {
    let mut world = Plan::new(1, 1).start().await;
    world.sims[0].plant(Asked { cid: cid(1), name: None, meta: None, origins: Vec::new() });
    let pin = world.add(cid(1)).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.status(pin).await, Status::Pinned);
    assert_eq!(world.sims[0].counts().calls(Route::Add), 0);
    world.delete(pin).await;
    world.run_for(HOUR).await;
    assert_eq!(world.sims[0].pins().len(), 1);
    assert!(world.sims[0].deletes().is_empty());
}

#[tokio::test]
async fn delete_while_queued_never_reaches_the_provider() {
    let mut world = Plan::new(1, 1).start().await;
    let pin = world.add(cid(1)).await;
    world.delete(pin).await;
    world.run_for(HOUR).await;
    assert_eq!(world.calls(0), 0);
}

#[tokio::test]
async fn i8_a_replaced_pins_copy_stays_until_the_new_one_is_pinned() {
    let mut world = Plan::new(1, 1).start().await;
    let old = world.add(cid(1)).await;
    world.run_for(MINUTE).await;
    world.sims[0].set(|is| is.pin_after = crate::sim::PinAfter::Never);
    world.sims[0].force(cid(1).content(), Some(Status::Pinned));
    let new = world.replace(old, cid(2)).await;
    world.run_for(HOUR).await;
    assert_eq!((world.status(new).await, world.sims[0].pins().len()), (Status::Queued, 2));
    world.sims[0].force(cid(2).content(), Some(Status::Pinned));
    world.run_for(HOUR).await;
    assert_eq!(world.status(new).await, Status::Pinned);
    let left = world.sims[0].pins().by_content();
    assert_eq!(left.keys().collect::<Vec<_>>(), [cid(2).content()]);
}

#[tokio::test]
async fn a_replace_by_the_same_content_calls_nobody() {
    let mut world = Plan::new(1, 1).start().await;
    let old = world.add(cid(1)).await;
    world.run_for(MINUTE).await;
    let before = world.calls(0);
    let new = world.replace(old, cid(1)).await;
    assert_eq!(world.status(new).await, Status::Pinned);
    world.run_for(MINUTE).await;
    assert_eq!(world.calls(0), before);
}

#[tokio::test]
async fn a_lost_copy_is_noticed_and_made_again() {
    let mut world = Plan::new(1, 1).start().await;
    let pin = world.add(cid(1)).await;
    world.run_for(HOUR).await;
    assert_eq!(world.sims[0].forget(cid(1).content()), 1);
    world.run_for(24 * 9 * HOUR).await;
    assert_eq!((world.status(pin).await, world.sims[0].pins().len()), (Status::Pinned, 1));
    assert_eq!(world.sims[0].counts().calls(Route::Add), 2);
}

#[tokio::test]
async fn many_pins_are_asked_for_in_few_calls() {
    let mut plan = Plan::new(1, 1).each(|sim| sim.pin_after(Duration::from_secs(2)));
    plan.exclusive = true;
    let mut world = plan.start().await;
    for n in 0..300 {
        world.add(cid(n)).await;
    }
    world.run_for(Duration::from_secs(20)).await;
    let calls = world.calls(0);
    assert_eq!(world.sims[0].pins().len(), 300);
    // The target of 1.3 calls a copy is for 10,000 pins, where a page of the list tells of a thousand at once.
    assert!(calls < 2 * 300, "{calls} calls for 300 copies");
    world.check();
}

#[tokio::test]
async fn a_pin_that_its_client_asks_about_is_looked_at_sooner() {
    let mut world = Plan::new(1, 1).each(|sim| sim.never_pins()).start().await;
    let pin = world.add(cid(1)).await;
    world.run_for(4 * HOUR).await;
    world.sims[0].force(cid(1).content(), Some(Status::Pinned));
    world.ask_about(pin);
    world.run_for(Duration::from_secs(3)).await;
    assert_eq!(world.status(pin).await, Status::Pinned);
}
