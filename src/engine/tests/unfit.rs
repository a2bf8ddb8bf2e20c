//! Pins of a codec that providers do not take: they fail with the reason where too few do, and only there.

use super::world::*;
use crate::{
    model::{Codec, Facts, RequestId, Status},
    policy::Policy,
    sim::Route,
    store::PinRecord,
};

const DAG_PB: Codec = Codec::new(0x70);

/// The first takes nothing of what tests pin, which is raw.
fn first_is_unfit(n: usize, facts: &mut Facts) {
    facts.codecs = (n == 0).then(|| vec![DAG_PB]);
}

fn none_is_fit(_: usize, facts: &mut Facts) {
    facts.codecs = Some(vec![DAG_PB]);
}

fn all_are_fit(_: usize, facts: &mut Facts) {
    facts.codecs = None;
}

fn only_the_first(policy: &mut Policy) {
    policy.providers = vec!["alpha".into()];
}

fn unfit(pin: &PinRecord) -> Vec<&str> {
    pin.unfit.iter().flat_map(|unfit| &unfit.providers).map(String::as_str).collect()
}

async fn status_and_unfit(world: &World, pin: RequestId) -> (Status, usize) {
    let pin = world.pin(pin).await;
    (pin.status, unfit(&pin).len())
}

#[tokio::test]
async fn a_pin_that_no_provider_ever_takes_fails_at_once_and_is_made_once_one_does() {
    let mut world = World::of(2).exclusive().facts(none_is_fit).start().await;
    let pin = world.add(1).await;
    assert_eq!(unfit(&world.pin(pin).await), ["alpha", "beta"]);
    assert_eq!(world.status(pin).await, Status::Failed);
    world.run_for(DAY).await;
    assert_eq!(world.status(pin).await, Status::Failed);
    assert_eq!((world.calls(0, Route::Add), world.calls(1, Route::Add)), (0, 0));
    world.declare_facts(all_are_fit).await;
    world.run_for(2 * HOUR).await;
    assert_eq!(status_and_unfit(&world, pin).await, (Status::Pinned, 0));
    world.end().await;
}

#[tokio::test]
async fn a_pin_that_failed_for_its_codec_is_made_where_a_newer_policy_says() {
    let world = World::of(2).exclusive().copies(1, 1).policy(only_the_first).facts(first_is_unfit);
    let mut world = world.start().await;
    let pin = world.add(1).await;
    assert_eq!(status_and_unfit(&world, pin).await, (Status::Failed, 1));
    world.declare(|policy| policy.providers = vec!["alpha".into(), "beta".into()]).await;
    world.apply().await;
    world.run_for(10 * MINUTE).await;
    assert_eq!((world.status(pin).await, world.held(1)), (Status::Pinned, 1));
    world.end().await;
}

fn all_end(_: usize, facts: &mut Facts) {
    facts.retention = Some(30 * DAY);
}

#[tokio::test]
async fn a_pin_without_an_end_fails_where_all_providers_end_pins() {
    let world = World::of(2).exclusive().facts(all_end).start().await;
    let pin = world.pin(world.add(1).await).await;
    let ending = pin.unfit.map(|unfit| unfit.ending).unwrap_or_default();
    assert_eq!((pin.status, ending), (Status::Failed, vec!["alpha".to_owned(), "beta".to_owned()]));
    world.end().await;
}

fn one_place(_: usize, facts: &mut Facts) {
    facts.max_pins = Some(1);
}

#[tokio::test]
async fn a_full_provider_has_room_for_what_it_has() {
    let mut world = World::of(1).exclusive().facts(one_place).start().await;
    let first = world.add(1).await;
    world.settle().await;
    let (second, other) = (world.add(1).await, world.add(2).await);
    assert_eq!(world.status(second).await, Status::Pinned);
    assert_eq!(world.status(other).await, Status::Queued);
    world.delete(first).await;
    world.settle().await;
    assert_eq!((world.status(second).await, world.calls(0, Route::Add)), (Status::Pinned, 1));
    world.end().await;
}

#[tokio::test]
async fn room_at_a_full_provider_is_taken_within_a_minute() {
    let mut world = World::of(1).exclusive().facts(one_place).start().await;
    let (first, second) = (world.add(1).await, world.add(2).await);
    world.run_for(10 * MINUTE).await;
    assert_eq!((world.status(first).await, world.held(0)), (Status::Pinned, 1));
    world.delete(first).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.status(second).await, Status::Pinned);
    let third = world.add(3).await;
    world.declare_facts(|_, facts| facts.max_pins = Some(2)).await;
    world.run_for(MINUTE).await;
    assert_eq!((world.status(third).await, world.held(0)), (Status::Pinned, 2));
    world.end().await;
}

/// What is held of the old pin would take the place for a week.
#[tokio::test]
async fn a_pin_is_replaced_at_a_full_provider() {
    let mut world = World::of(2)
        .exclusive()
        .copies(2, 2)
        .facts(|n, facts| facts.max_pins = (n == 0).then_some(1))
        .start()
        .await;
    let old = world.add(1).await;
    world.settle().await;
    assert_eq!(world.status(old).await, Status::Pinned);
    let new = world.replace(old, 2).await;
    world.run_for(5 * MINUTE).await;
    assert_eq!((world.status(new).await, world.held(0), world.held(1)), (Status::Pinned, 1, 1));
    world.end().await;
}

/// It had a place, and gives it to nobody but itself.
#[tokio::test]
async fn a_pin_that_is_replaced_at_a_full_provider_keeps_its_place_before_those_that_wait() {
    let mut world = World::of(1).exclusive().facts(one_place).start().await;
    let old = world.add(1).await;
    world.settle().await;
    let other = world.add(2).await;
    let middle = world.replace(old, 4).await;
    let new = world.replace(middle, 3).await;
    world.run_for(5 * MINUTE).await;
    assert_eq!((world.status(new).await, world.held(0)), (Status::Pinned, 1));
    assert_ne!(world.status(other).await, Status::Pinned);
    world.delete(new).await;
    world.run_for(MINUTE).await;
    assert_eq!(world.status(other).await, Status::Pinned);
    world.end().await;
}

/// Never failed while a placement remains.
#[tokio::test]
async fn a_pin_whose_only_taker_is_down_waits_for_it() {
    let mut world = World::of(2).exclusive().copies(1, 1).facts(first_is_unfit).start().await;
    world.sims[1].faults().down();
    let pin = world.add(1).await;
    assert_eq!(world.status(pin).await, Status::Queued);
    world.run_for(DAY).await;
    assert_eq!(world.status(pin).await, Status::Queued);
    world.sims[1].faults().up();
    world.run_for(HOUR).await;
    assert_eq!(world.status(pin).await, Status::Pinned);
    world.end().await;
}

/// One of two would not do.
#[tokio::test]
async fn a_pin_that_needs_more_copies_than_providers_take_it_fails() {
    let world = World::of(2).exclusive().copies(2, 2).facts(first_is_unfit).start().await;
    let pin = world.add(1).await;
    assert_eq!(status_and_unfit(&world, pin).await, (Status::Failed, 1));
    world.end().await;
}
