//! Drains: everything leaves a provider, and no pin ever has fewer copies by our own hand (I8).

use super::world::*;
use crate::{
    engine::{Bill, Costed},
    model::{BudgetClass, Job, JobCommand, JobId, JobKind, JobState, NewJob, Rate, Status},
    sim::{Fault, Route},
    store::{Change, Leaving},
};

impl World {
    async fn drain(&self, n: usize, allow_fewer: bool) -> JobId {
        let provider = self.inside().store.providers().await.unwrap()[n].id;
        let terms = format!(r#"{{"allow_fewer":{allow_fewer}}}"#);
        let job = NewJob { kind: JobKind::Drain, provider: Some(provider), account: None, terms, by: None };
        self.inside().store.create_job(job, self.now()).await.unwrap().id
    }

    async fn plan_drain(&self, n: usize, allow_fewer: bool) -> Costed {
        self.plan(Change::Drain { provider: self.provider(n).await.id, allow_fewer }).await
    }

    /// As [`run_for`](Self::run_for); whenever something was done each content is pinned at `least` providers.
    pub(super) async fn run_safely(&mut self, span: std::time::Duration, least: usize) {
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
        for n in 0..World::PINS {
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
    let (mut world, pins) = World::with_two_copies_each().await;
    let job = world.drain(0, false).await;
    world.run_safely(10 * MINUTE, 2).await;
    let ended = world.job(job).await;
    assert_eq!((ended.state, ended.progress.done), (JobState::Done, World::PINS));
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
    let (mut world, _) = World::with_two_copies_each().await;
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
    let (mut world, _) = World::with_two_copies_each().await;
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
    for n in 0..World::PINS {
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
    let (mut world, _) = World::with_two_copies_each().await;
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
async fn a_drain_that_is_told_something_says_how_far_it_is_at_that_moment() {
    let (mut world, _) = World::with_two_copies_each().await;
    world.sims[0].faults().always(Route::Remove, Fault::status(503));
    let job = world.drain(0, false).await;
    let provider = world.provider(0).await.id;
    // Until something has happened since its last pass.
    for _ in 0..600 {
        world.run_safely(SECOND, 2).await;
        let left = world.inside().store.undrained(provider).await.unwrap();
        if world
            .job(job)
            .await
            .progress
            .counts
            .get("being_removed")
            .is_some_and(|told| *told != left.removing)
        {
            break;
        }
    }
    world.tell(job, JobCommand::Cancel).await;
    let Job { state, progress, .. } = world.job(job).await;
    let left = world.inside().store.undrained(provider).await.unwrap();
    assert_eq!((progress.counts["wanted"], progress.counts["being_removed"]), (left.wanted, left.removing));
    assert!(left.removing > 0 && left.wanted + left.removing == 30, "{left:?}");
    assert_eq!((state, progress.done), (JobState::Cancelled, 0), "what is let go is there still");
    assert!(progress.words.contains("are being removed there"), "{}", progress.words);
    assert!(!progress.words.contains("until"), "nothing is waited for: {}", progress.words);
    world.sims[0].faults().clear();
    world.run_safely(DAY, 2).await;
    world.end().await;
}

#[tokio::test]
async fn a_drain_of_what_left_the_config_makes_copies_elsewhere_and_waits_for_no_removal() {
    let (mut world, pins) = World::with_two_copies_each().await;
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

/// As [`start`], but eleven pins have a copy too many at the first provider, and the third one has room for 22 in all.
async fn start_mixed() -> World {
    let mut world = World::of(3)
        .exclusive()
        .copies(2, 1)
        .facts(|n, facts| {
            facts.max_pins = (n == 2).then_some(22);
            facts.declare_dead_after = (n == 0).then_some(HOUR);
        })
        .budget(|_, settings| {
            settings.budget.rates[BudgetClass::Write] = Some(Rate { calls: 20, per: MINUTE });
        })
        .start()
        .await;
    for n in 0..10 {
        world.add(n).await;
    }
    world.run_for(10 * MINUTE).await;
    world.sims[0].faults().down();
    // It is found out by this one. What was there is made elsewhere, until it comes back.
    world.add(10).await;
    world.run_for(2 * HOUR).await;
    world.sims[0].faults().up();
    world.run_for(HOUR).await;
    for n in 11..World::PINS {
        world.add(n).await;
    }
    world.run_for(HOUR).await;
    assert_eq!((world.held(0), world.held(1), world.held(2)), (30, 30, 11));
    world
}

fn bill<'a>(costed: &'a Costed, provider: &str) -> &'a Bill {
    costed.bills.iter().find(|bill| bill.provider == provider).unwrap()
}

#[tokio::test]
async fn what_a_drain_does_is_what_its_plan_says() {
    let mut world = start_mixed().await;
    let planned = world.plan_drain(0, false).await;
    assert_eq!(planned.plan.leaving, Leaving { moving: 11, spare: 11, staying: 8, removing: 0 });
    assert_eq!((planned.plan.pins, planned.plan.short), (30, 8));
    let (_, why) = &planned.plan.first[0];
    assert_eq!(why, "2 copies asked, 1 elsewhere: gamma has as many copies as it may have: 22");
    let (alpha, gamma) = (bill(&planned, "alpha"), bill(&planned, "gamma"));
    assert_eq!((alpha.coming, alpha.going, gamma.coming, gamma.going), (0, 22, 11, 0));
    assert_eq!(
        alpha.time,
        Some(MINUTE),
        "one call in twenty is kept back: three of these wait for another window"
    );
    assert_eq!(world.held(0), 30, "nothing was done");
    let (deletes, adds) = (world.calls(0, Route::Remove), world.calls(2, Route::Add));
    let job = world.drain(0, false).await;
    world.run_safely(2 * HOUR, 2).await;
    assert_eq!((world.held(0), world.held(1), world.held(2)), (8, 30, 22));
    assert_eq!(world.calls(0, Route::Remove) - deletes, alpha.calls[BudgetClass::Write]);
    assert_eq!(world.calls(2, Route::Add) - adds, gamma.calls[BudgetClass::Write]);
    let waits = world.job(job).await;
    assert_eq!((waits.state, waits.progress.counts["wanted"]), (JobState::Running, 8));
    let left = world.plan_drain(0, false).await;
    assert_eq!((left.plan.leaving, left.plan.short), (Leaving { staying: 8, ..Leaving::default() }, 8));
    world.end().await;
}

#[tokio::test]
async fn what_a_drain_does_that_may_leave_fewer_copies_is_what_its_plan_says() {
    let mut world = start_mixed().await;
    let planned = world.plan_drain(0, true).await;
    assert_eq!(planned.plan.leaving, Leaving { moving: 11, spare: 19, staying: 0, removing: 0 });
    assert_eq!((planned.plan.short, planned.plan.first.len()), (8, 8));
    let job = world.drain(0, true).await;
    world.run_safely(2 * HOUR, 1).await;
    assert_eq!((world.held(0), world.held(1), world.held(2)), (0, 30, 22));
    assert_eq!(world.job(job).await.state, JobState::Done);
    world.end().await;
}

/// Copies that are asked for, and not confirmed, are what a drain waits for; those on their way out still take their calls.
#[tokio::test]
async fn a_plan_of_a_drain_that_is_under_way_counts_what_is_still_to_come_and_to_go() {
    let slow = |n, sim: crate::sim::Builder| if n == 2 { sim.pin_after(HOUR) } else { sim };
    let mut world = World::of(3).exclusive().copies(2, 1).quirks(slow).start().await;
    for n in 0..World::PINS {
        world.add(n).await;
    }
    world.run_for(10 * MINUTE).await;
    let job = world.drain(0, false).await;
    world.run_for(MINUTE).await;
    assert_eq!((world.held(0), world.held(2)), (30, 30));
    let planned = world.plan_drain(0, false).await;
    assert_eq!(planned.plan.leaving, Leaving { moving: 30, ..Leaving::default() });
    let (alpha, gamma) = (bill(&planned, "alpha"), bill(&planned, "gamma"));
    assert_eq!((alpha.going, gamma.coming, gamma.calls[BudgetClass::Write]), (30, 30, 0));
    world.sims[0].faults().down();
    world.run_for(2 * HOUR).await;
    let planned = world.plan_drain(0, false).await;
    assert_eq!(planned.plan.leaving, Leaving { removing: 30, ..Leaving::default() });
    let alpha = bill(&planned, "alpha");
    assert_eq!((alpha.going, alpha.calls[BudgetClass::Write]), (30, 30));
    world.sims[0].faults().up();
    world.run_for(2 * HOUR).await;
    assert_eq!((world.job(job).await.state, world.held(0)), (JobState::Done, 0));
    world.end().await;
}

#[tokio::test]
async fn a_plan_counts_a_copy_that_many_pins_share_once() {
    let (mut world, _) = World::with_two_copies_each().await;
    for n in 0..World::PINS {
        world.add_for(1, n).await;
    }
    world.settle().await;
    let planned = world.plan_drain(0, false).await;
    assert_eq!((planned.plan.pins, planned.plan.leaving.moving), (60, 30));
    assert_eq!(planned.plan.coming.values().sum::<u64>(), 30);
    assert_eq!(bill(&planned, "gamma").time, None, "it has no budget");
    world.end().await;
}
