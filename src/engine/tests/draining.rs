//! Drains: everything leaves a provider, and no pin ever has fewer copies by our own hand (I8).

use super::world::*;
use crate::{
    model::{JobCommand, JobId, JobKind, JobState, NewJob, RequestId, Status},
    sim::{Fault, Route},
};

const PINS: u64 = 30;

/// Pins with two copies each: at the first two of three.
async fn start() -> (World, Vec<RequestId>) {
    let mut world = World::of(3).exclusive().copies(2, 1).start().await;
    let mut pins = Vec::new();
    for n in 0..PINS {
        pins.push(world.add(n).await);
    }
    world.run_for(10 * MINUTE).await;
    assert_eq!((world.held(0), world.held(1), world.held(2)), (30, 30, 0));
    (world, pins)
}

impl World {
    async fn drain(&self, n: usize, allow_fewer: bool) -> JobId {
        let provider = self.inside().store.providers().await.unwrap()[n].id;
        let terms = format!(r#"{{"allow_fewer":{allow_fewer}}}"#);
        let job = NewJob { kind: JobKind::Drain, provider: Some(provider), account: None, terms, by: None };
        self.inside().store.create_job(job, self.now()).await.unwrap().id
    }

    /// As [`run_for`](Self::run_for); whenever something was done each content is pinned at `least` providers.
    async fn run_safely(&mut self, span: std::time::Duration, least: usize) {
        let end = self.now().plus(span);
        while self.now() < end {
            let next = self.catch_up().await.unwrap_or(end);
            self.check_copies(least);
            self.clock.set(next.min(end));
        }
        self.catch_up().await;
        self.check_copies(least);
    }

    fn check_copies(&self, least: usize) {
        let held: Vec<_> = self.sims.iter().map(|sim| sim.pins().by_content()).collect();
        for n in 0..PINS {
            let copies: usize = held.iter().filter_map(|held| held.get(&content(n))).sum();
            assert!(copies >= least, "I8: content {n} has {copies} copies");
        }
    }

    /// As [`run_safely`](Self::run_safely) until the job is over, if that is within `span`.
    async fn run_to_end(&mut self, job: JobId, span: std::time::Duration, least: usize) {
        let end = self.now().plus(span);
        while self.now() < end && self.job(job).await.state == JobState::Running {
            self.run_safely(MINUTE, least).await;
        }
    }
}

#[tokio::test]
async fn i8_a_drain_moves_everything_and_each_pin_keeps_its_copies() {
    let (mut world, pins) = start().await;
    let job = world.drain(0, false).await;
    world.run_safely(10 * MINUTE, 2).await;
    let ended = world.job(job).await;
    assert_eq!((ended.state, ended.progress.done), (JobState::Done, PINS));
    assert_eq!((world.held(0), world.held(1), world.held(2)), (0, 30, 30));
    for pin in pins {
        assert_eq!((world.status(pin).await, world.pin(pin).await.have), (Status::Pinned, 2));
    }
    let new = world.add(99).await;
    world.settle().await;
    assert_eq!((world.status(new).await, world.held(0)), (Status::Pinned, 0), "it gets nothing new");
    world.end().await;
}

#[tokio::test]
async fn i8_a_drain_goes_on_after_a_kill() {
    let (mut world, _) = start().await;
    let job = world.drain(0, false).await;
    for _ in 0..6 {
        world.tick().await;
        world.restart().await;
        world.run_safely(5 * SECOND, 2).await;
    }
    world.run_safely(10 * MINUTE, 2).await;
    assert_eq!((world.job(job).await.state, world.held(0), world.held(2)), (JobState::Done, 0, 30));
    world.end().await;
}

#[tokio::test]
async fn i8_a_drain_waits_for_a_target_that_fails_and_says_for_how_many_copies() {
    let (mut world, _) = start().await;
    world.sims[2].faults().always(Route::Add, Fault::status(503));
    let job = world.drain(0, false).await;
    world.run_safely(20 * MINUTE, 2).await;
    let waits = world.job(job).await;
    assert_eq!((waits.state, world.held(0)), (JobState::Running, 30));
    assert!(waits.progress.words.starts_with("30 copies"), "{}", waits.progress.words);
    world.sims[2].faults().clear();
    world.run_to_end(job, 3 * HOUR, 2).await;
    assert_eq!((world.job(job).await.state, world.held(0), world.held(2)), (JobState::Done, 0, 30));
    world.end().await;
}

#[tokio::test]
async fn i8_a_drain_that_has_nowhere_to_go_waits_unless_fewer_copies_are_allowed() {
    let mut world = World::of(2).exclusive().copies(2, 1).start().await;
    for n in 0..PINS {
        world.add(n).await;
    }
    world.run_for(10 * MINUTE).await;
    let job = world.drain(0, false).await;
    world.run_safely(20 * MINUTE, 2).await;
    assert_eq!((world.job(job).await.state, world.held(0)), (JobState::Running, 30));
    world.tell(job, JobCommand::Cancel).await;
    let job = world.drain(0, true).await;
    world.run_to_end(job, HOUR, 1).await;
    assert_eq!((world.job(job).await.state, world.held(0), world.held(1)), (JobState::Done, 0, 30));
    world.end().await;
}

#[tokio::test]
async fn a_paused_drain_moves_nothing_and_a_cancelled_one_is_as_if_it_had_not_been() {
    let (mut world, _) = start().await;
    world.sims[2].faults().always(Route::Add, Fault::status(503));
    let job = world.drain(0, false).await;
    world.settle().await;
    world.tell(job, JobCommand::Pause).await;
    world.sims[2].faults().clear();
    world.run_safely(HOUR, 2).await;
    assert_eq!(world.held(0), 30);
    world.tell(job, JobCommand::Resume).await;
    world.run_to_end(job, 3 * HOUR, 2).await;
    assert_eq!((world.job(job).await.state, world.held(0)), (JobState::Done, 0));
    let back = world.drain(1, false).await;
    world.tell(back, JobCommand::Cancel).await;
    world.run_safely(HOUR, 2).await;
    assert_eq!(world.held(1), 30);
    world.end().await;
}

#[tokio::test]
async fn a_drain_of_what_left_the_config_makes_copies_elsewhere_and_waits_for_no_removal() {
    let (mut world, pins) = start().await;
    world.named = vec!["beta", "gamma"];
    world.restart().await;
    let job = world.drain(0, false).await;
    world.run_safely(HOUR, 2).await;
    let ended = world.job(job).await;
    assert_eq!((ended.state, world.held(2)), (JobState::Done, 30));
    assert!(ended.progress.words.contains("30 copies were let go"), "{}", ended.progress.words);
    assert_eq!(world.pin(pins[0]).await.have, 2);
    let provider = world.inside().store.providers().await.unwrap()[0].id;
    let store = world.inside().store.clone();
    while store.forget_provider(provider, None, world.now()).await.unwrap() == crate::store::Forgotten::More {
    }
    assert_eq!(store.providers().await.unwrap().len(), 2);
    drop(store);
    world.end().await;
}
