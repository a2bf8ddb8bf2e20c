//! What a provider holds already is made into pins, by a job over its real list.

use std::collections::BTreeSet;

use super::world::*;
use crate::{
    engine::AdoptTerms,
    model::*,
    presets::Precision,
    sim::{Asked, Fault, Route, Sim},
};

fn asked(n: u64) -> Asked {
    Asked { cid: cid(n), name: Some(format!("n{n}")), meta: None, origins: Vec::new() }
}

/// Short pages, so that few pins are many.
fn short_pages(_: usize, sim: crate::sim::Builder) -> crate::sim::Builder {
    sim.behaviour(|behaviour| behaviour.dialect.rows_at_most = 10)
}

/// As [`short_pages`], in whole seconds.
fn coarse(n: usize, sim: crate::sim::Builder) -> crate::sim::Builder {
    short_pages(n, sim).behaviour(|behaviour| behaviour.created.precision = Precision::Seconds)
}

fn plant(sim: &Sim, contents: std::ops::Range<u64>) {
    for n in contents {
        sim.plant(asked(n));
    }
}

impl World {
    async fn adopt(&self, dry_run: bool) -> JobId {
        let store = &self.inside().store;
        let provider = store.providers().await.unwrap()[0].id;
        let job = NewJob {
            kind: JobKind::Adopt,
            provider: Some(provider),
            account: Some(self.account(0)),
            terms: AdoptTerms { policy: "it".into(), dry_run }.to_json(),
            by: None,
        };
        store.create_job(job, self.now()).await.unwrap().id
    }

    async fn count_of(&self, id: JobId, what: &str) -> u64 {
        self.job(id).await.progress.counts.get(what).copied().unwrap_or_default()
    }

    async fn names(&self) -> BTreeSet<String> {
        let query = ListQuery { limit: 1000, ..ListQuery::with_statuses(StatusSet::ALL) };
        let page = self.inside().store.list_pins(self.account(0), query).await.unwrap();
        assert_eq!(page.count, page.pins.len() as u64);
        page.pins.into_iter().filter_map(|pin| pin.name).collect()
    }

    async fn statuses(&self) -> BTreeSet<Status> {
        let query = ListQuery { limit: 1000, ..ListQuery::with_statuses(StatusSet::ALL) };
        let page = self.inside().store.list_pins(self.account(0), query).await.unwrap();
        page.pins.into_iter().map(|pin| pin.status).collect()
    }
}

fn named(contents: std::ops::Range<u64>) -> BTreeSet<String> {
    contents.map(|n| format!("n{n}")).collect()
}

#[tokio::test]
async fn what_a_provider_holds_becomes_pins_that_the_engine_brings_up_to_their_policy() {
    let mut world = World::of(2).copies(2, 1).quirks(short_pages).start().await;
    plant(&world.sims[0], 0..35);
    world.sims[0].plant(Asked { name: Some("again".into()), ..asked(3) });
    let dry = world.adopt(true).await;
    world.catch_up().await;
    assert_eq!((world.count_of(dry, "pins").await, world.count_of(dry, "copies").await), (36, 35));
    assert!(world.names().await.is_empty());
    let job = world.adopt(false).await;
    world.settle().await;
    assert_eq!(world.job(job).await.state, JobState::Done);
    assert_eq!((world.count_of(job, "theirs_only").await, world.count_of(job, "both").await), (36, 0));
    assert_eq!(world.names().await.len(), 36);
    assert_eq!((world.held(0), world.held(1)), (35, 35), "the double is gone, the copies are made");
    assert_eq!(world.calls(0, Route::Add), 0);
    let again = world.adopt(false).await;
    world.settle().await;
    assert_eq!((world.count_of(again, "both").await, world.count_of(again, "pins").await), (35, 0));
    let words = world.job(again).await.progress.words;
    assert_eq!(words, "0 pins were made; 35 are on record already (35 for ada)", "it says why");
    assert_eq!(world.names().await.len(), 36);
    world.end().await;
}

#[tokio::test]
async fn an_adoption_by_a_policy_whose_pins_end_says_so() {
    let mut world = World::of(1).policy(|policy| policy.expire_after = Some(30 * DAY)).start().await;
    plant(&world.sims[0], 0..3);
    let dry = world.adopt(true).await;
    world.catch_up().await;
    let words = world.job(dry).await.progress.words;
    assert!(
        words.contains("they end 720h after their adoption, by expire_after of the policy it"),
        "{words}"
    );
    assert_eq!(world.count_of(dry, "ends_after_seconds").await, 30 * 24 * 3600);
    world.end().await;
}

#[tokio::test]
async fn a_list_that_moves_while_it_is_read_is_adopted_whole() {
    let mut world = World::of(1).quirks(short_pages).start().await;
    plant(&world.sims[0], 0..60);
    let job = world.adopt(false).await;
    for n in 60..75 {
        world.step().await;
        world.clock.advance(SECOND);
        plant(&world.sims[0], n..n + 1);
        world.sims[0].forget(&content(2 * (n - 60)));
    }
    world.settle().await;
    assert_eq!(world.job(job).await.state, JobState::Done);
    let names = world.names().await;
    assert!(named(31..60).is_subset(&names) && names.is_subset(&named(0..75)), "{names:?}");
    world.end().await;
}

#[tokio::test]
async fn pins_of_one_second_are_seen_where_pages_hold_as_many_and_told_of_where_they_do_not() {
    let mut world = World::of(1).quirks(coarse).start().await;
    for second in 0..4 {
        let few = if second == 2 { 20 } else { 7 };
        plant(&world.sims[0], 100 * second..100 * second + few);
        world.clock.advance(SECOND);
    }
    let job = world.adopt(false).await;
    world.settle().await;
    let names = world.names().await;
    for second in [0, 1, 3] {
        assert!(named(100 * second..100 * second + 7).is_subset(&names), "{names:?}");
    }
    assert_eq!(world.count_of(job, "crowded").await, 1);
    assert!(world.job(job).await.progress.words.contains("some may be missing"));
    world.end().await;
}

#[tokio::test]
async fn an_adoption_goes_on_after_restarts_and_outages() {
    let mut world = World::of(1).quirks(short_pages).start().await;
    plant(&world.sims[0], 0..300);
    let job = world.adopt(false).await;
    world.strike(0, 1, Route::List, Fault::status(503));
    for _ in 0..6 {
        for _ in 0..9 {
            world.step().await;
        }
        world.restart().await;
        world.clock.advance(MINUTE);
    }
    world.settle().await;
    assert_eq!(world.job(job).await.state, JobState::Done);
    assert_eq!((world.names().await, world.held(0)), (named(0..300), 300));
    assert_eq!(world.statuses().await, BTreeSet::from([Status::Pinned]));
    world.end().await;
}

#[tokio::test]
async fn a_cancelled_adoption_makes_nothing_more() {
    let mut world = World::of(1).quirks(short_pages).start().await;
    plant(&world.sims[0], 0..30);
    let job = world.adopt(false).await;
    world.step().await;
    world.inside().store.command_job(job, JobCommand::Cancel, None, world.now()).await.unwrap();
    world.settle().await;
    assert!(world.names().await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_list_in_no_order_is_not_adopted() {
    let mut world = World::of(1).preset("ipfs-cluster").start().await;
    let job = world.adopt(false).await;
    world.settle().await;
    let job = world.job(job).await;
    assert_eq!(job.state, JobState::Failed);
    assert!(job.progress.words.contains("in no order"), "{}", job.progress.words);
    world.end().await;
}
