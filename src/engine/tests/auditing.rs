//! Audits over real simulators, whose lists lie, lack, repeat and fail.

use super::world::*;
use crate::{
    model::{AuditBy, Job, JobCommand, JobId, JobKind, JobState, NewJob, Origins, PinCid, RequestId, Status},
    sim::{Asked, Fault, Lists, RateLimit, Route, Routes},
    store::StoreError,
};

async fn with_pins(world: &mut World, count: u64) -> Vec<RequestId> {
    let mut pins = Vec::new();
    for n in 0..count {
        pins.push(world.add(n).await);
    }
    world.settle().await;
    world.sims[0].reset_stats();
    pins
}

fn count(job: &Job, name: &str) -> u64 {
    job.progress.counts[name]
}

async fn ended(world: &mut World, id: JobId) -> Job {
    world.run_for(10 * MINUTE).await;
    let job = world.job(id).await;
    assert_eq!(job.state, JobState::Done, "{job:?}");
    job
}

fn theirs(cid: PinCid) -> Asked {
    Asked { cid, name: Some("theirs".to_owned()), meta: None, origins: Vec::new() }
}

#[tokio::test]
async fn a_copy_that_a_provider_forgot_is_missed_and_made_again() {
    let mut world = World::of(1).start().await;
    let pins = with_pins(&mut world, 20).await;
    world.sims[0].forget(&content(3));
    let id = world.audit(0).await;
    let job = ended(&mut world, id).await;
    assert_eq!((count(&job, "copies"), count(&job, "listed"), count(&job, "lost")), (20, 19, 1));
    assert_eq!((world.held(0), world.status(pins[3]).await), (20, Status::Pinned));
    assert_eq!((world.calls(0, Route::Add), world.sims[0].deletes().len()), (1, 0));
    let record = world.provider(0).await;
    assert!(record.swept_at.is_some() && record.audited_at.is_some());
    world.end().await;
}

#[tokio::test]
async fn what_a_short_list_lacks_is_looked_at_and_not_sent_again() {
    let mut world = World::of(1).start().await;
    with_pins(&mut world, 20).await;
    world.sims[0].set(|sim| sim.lists = Lists::First(5));
    let id = world.audit(0).await;
    let job = ended(&mut world, id).await;
    assert_eq!((count(&job, "suspect"), count(&job, "found"), count(&job, "lost")), (15, 15, 0));
    assert_eq!((world.calls(0, Route::Add), world.held(0)), (0, 20));
    world.end().await;
}

#[tokio::test]
async fn an_empty_list_makes_an_audit_ask_before_anything_is_looked_at() {
    let mut world = World::of(1).start().await;
    with_pins(&mut world, 150).await;
    world.sims[0].set(|sim| sim.lists = Lists::First(0));
    let id = world.audit(0).await;
    world.run_for(HOUR).await;
    let job = world.job(id).await;
    assert_eq!((job.state, count(&job, "suspect")), (JobState::Asking, 150));
    assert!(job.progress.words.contains(&format!("pinfold job accept {id}")), "{}", job.progress.words);
    let counts = world.sims[0].counts();
    assert_eq!((counts.calls(Route::Add), counts.calls(Route::Get)), (0, 0));
    assert_eq!(world.provider(0).await.swept_at, None);
    world.restart().await;
    world.tell(id, JobCommand::Accept).await;
    assert_eq!(world.job(id).await.progress.words, "", "it asks nothing any more");
    let job = ended(&mut world, id).await;
    assert_eq!((count(&job, "found"), count(&job, "lost"), world.calls(0, Route::Add)), (150, 0, 0));
    world.end().await;
}

#[tokio::test]
async fn an_audit_that_asked_and_is_cancelled_leaves_everything_as_it_was() {
    let mut world = World::of(1).start().await;
    let pins = with_pins(&mut world, 150).await;
    for n in 0..150 {
        world.sims[0].forget(&content(n));
    }
    let id = world.audit(0).await;
    world.run_for(HOUR).await;
    world.tell(id, JobCommand::Cancel).await;
    world.run_for(HOUR).await;
    assert_eq!(world.job(id).await.state, JobState::Cancelled);
    assert_eq!((world.calls(0, Route::Add), world.status(pins[0]).await), (0, Status::Pinned));
    world.end().await;
}

#[tokio::test]
async fn rows_that_come_twice_count_once() {
    let mut world = World::of(1).start().await;
    with_pins(&mut world, 20).await;
    world.sims[0].plant(theirs(cid(99)));
    world.sims[0].set(|sim| sim.lists = Lists::Twice);
    let id = world.audit(0).await;
    let job = ended(&mut world, id).await;
    assert_eq!((count(&job, "listed"), count(&job, "suspect"), count(&job, "orphans")), (20, 0, 1));
    world.end().await;
}

#[tokio::test]
async fn a_list_that_fails_between_its_pages_is_read_on_over_a_restart() {
    let mut world = World::of(1).exclusive().start().await;
    with_pins(&mut world, 1050).await;
    world.sims[0].forget(&content(7));
    let id = world.audit(0).await;
    world.step().await;
    world.step().await;
    let listed = count(&world.job(id).await, "listed");
    assert!((900..1050).contains(&listed), "{listed}");
    world.strike(0, 3, Route::List, Fault::status(503));
    world.step().await;
    world.restart().await;
    assert_eq!(count(&world.job(id).await, "listed"), listed);
    let job = ended(&mut world, id).await;
    assert_eq!((count(&job, "listed"), count(&job, "lost"), world.held(0)), (1049, 1, 1050));
    world.end().await;
}

#[tokio::test]
async fn there_is_one_audit_of_a_provider_at_a_time() {
    let world = World::of(1).start().await;
    world.audit(0).await;
    assert!(matches!(world.try_audit(0).await, Err(StoreError::Taken { .. })));
    world.end().await;
}

/// I13.
#[tokio::test]
async fn orphans_are_told_of_and_never_removed() {
    let mut world = World::of(1).start().await;
    world.sims[0].plant(theirs(cid(1)));
    with_pins(&mut world, 3).await;
    for n in 50..53 {
        world.sims[0].plant(theirs(cid(n)));
    }
    let id = world.audit(0).await;
    let job = ended(&mut world, id).await;
    // The one that was found is used by us.
    assert_eq!((count(&job, "orphans"), count(&job, "listed")), (3, 3));
    let record = world.provider(0).await;
    let orphans = world.inside().store.orphans(record.id, None, 10).await.unwrap();
    let mut found: Vec<_> = orphans.iter().map(|orphan| orphan.content.clone()).collect();
    found.sort_by_key(|content| content.as_bytes().to_vec());
    assert_eq!(found, [content(50), content(51), content(52)]);
    assert!(orphans.iter().all(|orphan| orphan.name.as_deref() == Some("theirs")));
    assert_eq!((record.orphans, world.held(0), world.sims[0].deletes().len()), (3, 6, 0));
    world.sims[0].forget(&content(50));
    let again = world.audit(0).await;
    ended(&mut world, again).await;
    assert_eq!(world.inside().store.orphans(record.id, None, 10).await.unwrap().len(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_copy_that_is_listed_as_queued_is_suspect() {
    let mut world = World::of(1).start().await;
    let pins = with_pins(&mut world, 3).await;
    world.sims[0].force(&content(1), Some(Status::Queued));
    let id = world.audit(0).await;
    let job = ended(&mut world, id).await;
    assert_eq!((count(&job, "suspect"), count(&job, "lost")), (1, 1));
    assert_ne!(world.status(pins[1]).await, Status::Failed);
    assert_eq!(world.calls(0, Route::Add), 0);
    world.sims[0].force(&content(1), None);
    world.run_for(DAY).await;
    assert_eq!(world.status(pins[1]).await, Status::Pinned);
    world.end().await;
}

#[tokio::test]
async fn where_lists_have_no_order_each_copy_is_looked_at() {
    let mut world = World::of(1).preset("ipfs-cluster").played().start().await;
    with_pins(&mut world, 30).await;
    world.sims[0].forget(&content(4));
    let id = world.audit(0).await;
    let job = ended(&mut world, id).await;
    assert_eq!((count(&job, "lost"), count(&job, "found"), count(&job, "listed")), (1, 29, 0));
    assert_eq!((world.held(0), world.provider(0).await.swept_at), (30, None));
    world.end().await;
}

#[tokio::test]
async fn a_list_that_shows_its_first_page_for_ever_is_not_believed() {
    let mut world = World::of(1).exclusive().start().await;
    with_pins(&mut world, 1020).await;
    world.sims[0].set(|sim| sim.lists = Lists::First(1000));
    world.sims[0].set(|sim| sim.filters.before = Some(false));
    let id = world.audit(0).await;
    let job = ended(&mut world, id).await;
    assert_eq!((count(&job, "lost"), count(&job, "found"), world.calls(0, Route::Add)), (0, 20, 0));
    assert_eq!(world.provider(0).await.swept_at, None);
    world.end().await;
}

/// I9.
#[tokio::test]
async fn i9_an_audit_takes_no_call_that_new_pins_wait_for() {
    let limit = "any:20/1m".parse::<RateLimit>().unwrap();
    let mut world = World::of(1)
        .exclusive()
        .budget(|_, settings| {
            let rate = crate::model::Rate { calls: 19, per: MINUTE };
            settings.budget.rates[crate::model::BudgetClass::Any] = Some(rate);
        })
        .start()
        .await;
    world.sims[0].faults().limit(&[limit]);
    for n in 0..100 {
        world.add(n).await;
    }
    world.run_for(3 * MINUTE).await;
    let id = world.audit(0).await;
    while world.calls(0, Route::Add) < 100 {
        assert_eq!(count_or_none(&world.job(id).await), 0, "it waits its turn");
        world.run_for(5 * SECOND).await;
    }
    ended(&mut world, id).await;
    assert_eq!(world.sims[0].counts().violations(), 0);
    world.end().await;
}

fn count_or_none(job: &Job) -> u64 {
    job.progress.counts.get("listed").copied().unwrap_or(0)
}

#[tokio::test]
async fn copies_of_a_provider_whose_list_is_swept_have_no_looks_of_their_own() {
    // Looks at all of them, ten a call, would be many more than the one an hour that shows whether it answers.
    const COPIES: usize = 400;
    const HOURLY: u64 = 2 * 24;
    let mut world = World::of(1).audited(3 * DAY).start().await;
    let pins = with_pins(&mut world, COPIES as u64).await;
    world.run_for(2 * DAY).await;
    assert_eq!(world.provider(0).await.audited_at, None, "the first one is yet to come");
    let total = world.sims[0].counts().total();
    assert!(total <= HOURLY, "{total}");
    world.sims[0].forget(&content(3));
    world.run_for(2 * DAY).await;
    assert_eq!((world.held(0), world.status(pins[3]).await), (COPIES, Status::Pinned));
    assert!(world.provider(0).await.audited_at.is_some());
    let total = world.sims[0].counts().total();
    assert!(total <= 2 * HOURLY + 8, "{total}");
    world.restart_unaudited().await;
    world.sims[0].forget(&content(5));
    world.run_for(8 * DAY).await;
    assert_eq!(world.held(0), COPIES, "each is looked at again by itself");
    let total = world.sims[0].counts().total();
    assert!(total > 6 * HOURLY, "{total}");
    world.end().await;
}

#[tokio::test]
async fn a_suspect_that_nobody_answers_for_is_asked_for_in_its_time_and_does_not_hold_an_audit_up() {
    let mut world = World::of(1).start().await;
    // The oldest one there.
    world.add(0).await;
    world.run_for(MINUTE).await;
    let pins = with_pins(&mut world, 20).await;
    world.sims[0].set(|sim| sim.lists = Lists::First(19));
    world.sims[0].faults().always(Routes::Only(Route::Get), Fault::status(400));
    let id = world.audit(0).await;
    world.run_for(3 * HOUR).await;
    let job = world.job(id).await;
    assert_eq!((job.state, count(&job, "suspect"), count(&job, "unanswered")), (JobState::Done, 1, 1));
    let asked = world.calls(0, Route::Get);
    assert!(asked < 60, "{asked}");
    // It is still asked for.
    world.sims[0].faults().clear();
    world.sims[0].forget(&content(0));
    world.run_for(DAY).await;
    assert_eq!((world.held(0), world.status(pins[0]).await), (20, Status::Pinned));
    world.end().await;
}

#[tokio::test]
async fn where_a_list_cannot_be_read_for_long_each_copy_is_looked_at() {
    for (by, ends) in [(AuditBy::Auto, true), (AuditBy::Sweep, false)] {
        let mut world = World::of(1).exclusive().start().await;
        with_pins(&mut world, 1).await;
        world.sims[0].forget(&content(0));
        world.sims[0].faults().always(Routes::Only(Route::List), Fault::status(400));
        let id = world.audit_by(0, by).await;
        world.run_for(HOUR).await;
        assert_eq!(count(&world.job(id).await, "lost"), 0, "its list may be read soon");
        world.run_for(5 * HOUR).await;
        let job = world.job(id).await;
        assert_eq!((job.state == JobState::Done, count(&job, "lost")), (ends, u64::from(ends)), "{by:?}");
        assert_eq!((world.held(0), world.provider(0).await.swept_at), (usize::from(ends), None));
    }
}

/// Those that wait or rest take no turn from it.
#[tokio::test]
async fn an_audit_goes_on_behind_many_newer_jobs() {
    let mut world = World::of(1).start().await;
    with_pins(&mut world, 3).await;
    let id = world.audit(0).await;
    for n in 0..20 {
        let (kind, terms) = (JobKind::Apply, format!("{{\"policy\":\"{n}\"}}"));
        let job = NewJob { kind, provider: None, account: None, terms, by: None };
        let job = world.inside().store.create_job(job, world.now()).await.unwrap();
        world.tell(job.id, JobCommand::Pause).await;
    }
    ended(&mut world, id).await;
    world.end().await;
}

#[tokio::test]
async fn a_provider_that_is_down_is_audited_when_it_is_back() {
    let mut world = World::of(1).start().await;
    with_pins(&mut world, 5).await;
    world.sims[0].faults().down();
    let pin = world.add_with(9, Origins::default()).await;
    world.run_for(5 * MINUTE).await;
    let id = world.audit(0).await;
    world.run_for(HOUR).await;
    assert_eq!(world.job(id).await.state, JobState::Running);
    world.sims[0].faults().up();
    world.run_for(HOUR).await;
    let job = world.job(id).await;
    assert_eq!((job.state, count(&job, "lost")), (JobState::Done, 0));
    assert_eq!(world.status(pin).await, Status::Pinned);
    world.end().await;
}
