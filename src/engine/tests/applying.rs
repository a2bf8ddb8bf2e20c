//! Policies that change: existing pins follow the newest revision by a job, and none has fewer copies meanwhile (I8).

use super::world::*;
use crate::{
    model::{JobCommand, JobId, JobKind, JobState, NewJob, Status},
    policy::{Copies, Policy},
    sim::{Fault, Route},
    store::Change,
};

fn moves(policy: &mut Policy) {
    policy.providers = ["gamma", "beta"].map(String::from).to_vec();
}

fn asks_for_one(policy: &mut Policy) {
    policy.copies = Copies { min: 1, max: 1 };
}

fn asks_for_three(policy: &mut Policy) {
    policy.copies = Copies { min: 3, max: 3 };
    policy.need = 2;
}

fn applied() -> Change {
    Change::Apply { policy: "it".into() }
}

impl World {
    pub(super) async fn apply(&self) -> JobId {
        let terms = r#"{"policy":"it"}"#.to_owned();
        let job = NewJob { kind: JobKind::Apply, provider: None, account: None, terms, by: None };
        self.inside().store.create_job(job, self.now()).await.unwrap().id
    }
}

#[tokio::test]
async fn i8_pins_move_to_where_the_newest_revision_wants_them_as_planned() {
    let (mut world, pins) = World::with_two_copies_each().await;
    world.declare(moves).await;
    world.run_for(DAY).await;
    assert_eq!((world.held(0), world.held(2)), (30, 0), "a pin keeps the revision by which it came");
    let planned = world.plan(applied()).await;
    let bills: Vec<_> =
        planned.bills.iter().map(|bill| (bill.provider.as_str(), bill.coming, bill.going)).collect();
    assert_eq!(bills, [("alpha", 0, 30), ("gamma", 30, 0)]);
    assert_eq!((planned.plan.pins, planned.plan.short), (30, 0));
    let job = world.apply().await;
    world.run_safely(10 * MINUTE, 2).await;
    let ended = world.job(job).await;
    assert_eq!(
        (ended.state, ended.progress.done, ended.progress.total),
        (JobState::Done, World::PINS, Some(World::PINS))
    );
    assert_eq!((world.held(0), world.held(1), world.held(2)), (0, 30, 30));
    for pin in pins {
        assert_eq!((world.status(pin).await, world.pin(pin).await.have), (Status::Pinned, 2));
    }
    assert_eq!(world.plan(applied()).await.plan.pins, 0, "nothing is left to do");
    world.end().await;
}

#[tokio::test]
async fn copies_come_and_go_with_the_number_that_is_asked_for() {
    let (mut world, pins) = World::with_two_copies_each().await;
    world.declare(asks_for_three).await;
    world.apply().await;
    world.run_safely(10 * MINUTE, 2).await;
    assert_eq!((world.held(0), world.held(1), world.held(2)), (30, 30, 30));
    let pin = world.pin(pins[0]).await;
    assert_eq!((pin.want, pin.need, pin.have), (3, 2, 3));
    world.declare(asks_for_one).await;
    assert_eq!(world.plan(applied()).await.plan.going.values().map(|going| going.copies).sum::<u64>(), 60);
    let job = world.apply().await;
    world.run_safely(10 * MINUTE, 1).await;
    assert_eq!((world.held(0), world.held(1), world.held(2)), (30, 0, 0), "the most preferred one stays");
    assert_eq!(world.job(job).await.state, JobState::Done);
    world.end().await;
}

#[tokio::test]
async fn i8_an_apply_goes_on_after_a_kill_and_rests_when_it_is_told_to() {
    let (mut world, _) = World::with_two_copies_each().await;
    world.sims[2].faults().always(Route::Add, Fault::status(503));
    world.declare(moves).await;
    let job = world.apply().await;
    for _ in 0..4 {
        world.tick().await;
        world.restart().await;
        world.run_safely(5 * SECOND, 2).await;
    }
    world.run_safely(HOUR, 2).await;
    let waits = world.job(job).await;
    assert_eq!((waits.state, waits.progress.done, world.held(0)), (JobState::Running, 0, 30));
    assert!(waits.progress.words.starts_with("30 pins wait until"), "{}", waits.progress.words);
    let why = &world.plan(applied()).await.plan.first[0].1;
    assert!(why.contains("gamma"), "{why}");
    world.tell(job, JobCommand::Pause).await;
    world.settle().await;
    world.tell(job, JobCommand::Resume).await;
    world.sims[2].faults().clear();
    world.run_safely(3 * HOUR, 2).await;
    assert_eq!((world.job(job).await.state, world.held(0), world.held(2)), (JobState::Done, 0, 30));
    world.end().await;
}

#[tokio::test]
async fn a_revision_that_comes_while_another_is_applied_is_what_counts_in_the_end() {
    let (mut world, pins) = World::with_two_copies_each().await;
    world.declare(asks_for_three).await;
    let job = world.apply().await;
    world.tick().await;
    world.declare(moves).await;
    world.run_safely(HOUR, 2).await;
    assert_eq!((world.job(job).await.state, world.pin(pins[0]).await.want), (JobState::Done, 2));
    assert_eq!((world.held(0), world.held(1), world.held(2)), (0, 30, 30));
    world.end().await;
}

#[tokio::test]
async fn an_apply_is_done_once_what_goes_is_gone() {
    let (mut world, _) = World::with_two_copies_each().await;
    world.sims[0].faults().always(Route::Remove, Fault::status(503));
    world.declare(moves).await;
    let job = world.apply().await;
    world.run_safely(HOUR, 2).await;
    let waits = world.job(job).await;
    assert_eq!((waits.state, waits.progress.done, world.held(0)), (JobState::Running, World::PINS, 30));
    assert_eq!(waits.progress.words, "30 copies are being removed");
    world.tell(job, JobCommand::Pause).await;
    assert_eq!(world.job(job).await.progress, waits.progress);
    world.tell(job, JobCommand::Resume).await;
    world.sims[0].faults().clear();
    world.run_safely(DAY, 2).await;
    let ended = world.job(job).await;
    assert_eq!((ended.state, ended.progress.words.as_str(), world.held(0)), (JobState::Done, "", 0));
    world.end().await;
}

#[tokio::test]
async fn where_no_pin_follows_an_older_revision_an_apply_is_done_at_once() {
    let (mut world, _) = World::with_two_copies_each().await;
    let job = world.apply().await;
    world.settle().await;
    let ended = world.job(job).await;
    assert_eq!((ended.state, ended.progress.total), (JobState::Done, Some(0)));
    world.end().await;
}
