//! Plans of changes, and policies' newest revisions taken up by pins that are there.

use super::{Backend, house::*};
use crate::{model::*, policy::Copies, store::*};

/// The config with the policy `one` as it is changed.
fn changed(providers: &[&str], copies: u16) -> Registration {
    let mut config = config();
    let one = &mut config.policies[0];
    one.providers = providers.iter().map(ToString::to_string).collect();
    one.copies = Copies { min: copies, max: copies };
    config
}

async fn plan<B: Backend>(house: &House<B>, change: Change, now: Timestamp) -> Plan {
    let mut plan = Plan::begin();
    while plan.next.is_some() {
        plan = house.store().plan_step(change.clone(), plan, now).await.unwrap();
    }
    plan
}

fn apply() -> Change {
    Change::Apply { policy: "one".into() }
}

async fn apply_all<B: Backend>(house: &House<B>, now: Timestamp) {
    let mut after = PinId(0);
    while let Some(next) = house.store().apply_step("one".into(), after, 2, now).await.unwrap().next {
        after = next;
    }
}

pub(in crate::store) async fn an_applied_revision_is_followed_a_limit_at_a_time_and_over_a_crash<
    B: Backend,
>() {
    let mut house = House::<B>::open().await;
    for n in 0..5 {
        house.add(0, "one", n, t(1)).await;
    }
    let other = house.add(0, "two", 9, t(1)).await;
    house.serve(0, t(2), well).await;
    house.serve(1, t(2), well).await;
    house.register(changed(&PROVIDERS, 2), t(3)).await.unwrap();
    assert_eq!(house.store().revisions("one").await.unwrap(), [(1, 5), (2, 0)]);
    let planned = plan(&house, apply(), t(3)).await;
    assert_eq!((planned.pins, planned.short), (5, 0));
    assert_eq!(planned.coming.into_iter().collect::<Vec<_>>(), [(house.providers[1], 5)]);
    let step = house.store().apply_step("one".into(), PinId(0), 2, t(3)).await.unwrap();
    assert_eq!((step.pins, step.unfit), (2, 2));
    assert_eq!(house.store().revisions("one").await.unwrap(), [(1, 3), (2, 2)]);
    house.backend.reopen().await;
    house.register(changed(&PROVIDERS, 2), t(4)).await.unwrap();
    let step = house.store().apply_step("one".into(), step.next.unwrap(), 100, t(4)).await.unwrap();
    assert_eq!((step.pins, step.next), (3, None));
    assert_eq!(house.store().unapplied("one", 0).await.unwrap().waiting, 5);
    house.serve(1, t(5), well).await;
    assert_eq!(
        (house.store().unapplied("one", 0).await.unwrap().waiting, house.pin(other).await.want),
        (0, 2)
    );
    assert_eq!(house.store().stats(t(5)).await.unwrap().under_replicated, 0);
    house.backend.check().await;
}

pub(in crate::store) async fn i8_what_a_new_revision_does_not_ask_for_goes_once_another_copy_is_confirmed<
    B: Backend,
>() {
    let mut house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    house.serve(0, t(2), well).await;
    house.register(changed(&["y"], 1), t(3)).await.unwrap();
    apply_all(&house, t(3)).await;
    assert_eq!(house.places(pin).await, ["x", "y"]);
    let claims = house.claim(1, t(4)).await;
    house.say(&claims[0], landed(&claims[0], Status::Pinned), t(4)).await;
    assert_eq!(house.places(pin).await, ["x", "y"], "nobody has seen it yet");
    house.serve(1, t(30 * DAY), well).await;
    assert_eq!(
        (house.places(pin).await, house.store().unapplied("one", 0).await.unwrap().waiting),
        (vec!["y".to_owned()], 0)
    );
    house.backend.check().await;
}

pub(in crate::store) async fn a_plan_of_a_drain_says_what_moves_and_who_cannot<B: Backend>() {
    let house = House::<B>::open().await;
    let pins = [house.add(0, "one", 1, t(1)).await, house.add(1, "two", 2, t(1)).await];
    house.serve(0, t(2), well).await;
    house.serve(1, t(2), well).await;
    house.note(2, Health::Down, t(3)).await;
    let drain = Change::Drain { provider: house.providers[0], allow_fewer: false };
    let planned = plan(&house, drain.clone(), t(3)).await;
    assert_eq!(planned.leaving, Leaving { moving: 1, staying: 1, ..Leaving::default() });
    let why = "2 copies asked, 1 elsewhere: z is of no use now".to_owned();
    assert_eq!((planned.pins, planned.first), (2, vec![(pins[1], why)]));
    assert_eq!(planned.coming.into_iter().collect::<Vec<_>>(), [(house.providers[1], 1)]);
    let going = Going { copies: 1, calls: 1 };
    assert_eq!(planned.going.into_iter().collect::<Vec<_>>(), [(house.providers[0], going)]);
    house.note(2, Health::Healthy, t(4)).await;
    let planned = plan(&house, drain, t(4)).await;
    assert_eq!((planned.leaving.moving, planned.short), (2, 0));
    assert_eq!(house.claim(2, t(5)).await.len(), 0, "a plan asks for nothing");
    house.backend.check().await;
}

pub(in crate::store) async fn a_plan_of_what_nobody_knows_is_refused<B: Backend>() {
    let house = House::<B>::open().await;
    let drain = Change::Drain { provider: ProviderId(99), allow_fewer: false };
    for change in [drain, Change::Apply { policy: "none".into() }] {
        let refused = house.store().plan_step(change, Plan::begin(), t(1)).await;
        assert!(matches!(refused, Err(StoreError::Unknown { .. })), "{refused:?}");
    }
    assert_eq!(house.store().revisions("none").await.unwrap(), []);
}

pub(in crate::store) async fn a_copy_that_another_pin_needs_does_not_go<B: Backend>() {
    let mut house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    let other = house.add(1, "two", 1, t(1)).await;
    house.serve(0, t(2), well).await;
    house.serve(1, t(2), well).await;
    house.serve(1, t(30 * DAY), well).await;
    house.register(changed(&["y"], 1), t(30 * DAY)).await.unwrap();
    let planned = plan(&house, apply(), t(30 * DAY)).await;
    assert!(planned.coming.is_empty() && planned.going.is_empty(), "{planned:?}");
    apply_all(&house, t(30 * DAY)).await;
    assert_eq!(house.places(pin).await, ["y"]);
    assert_eq!(house.find(1, other).await.unwrap().have, 2);
    house.backend.check().await;
}

pub(in crate::store) async fn identity_cids_follow_and_need_nothing<B: Backend>() {
    let mut house = House::<B>::open().await;
    let mut request = house.request(0, "one", 1, t(1));
    request.spec = PinSpec::bare(PinCid::parse("bafkqabtimvwgy3yk").unwrap());
    let pin = house.store().accept_pin(request).await.unwrap().requestid;
    house.register(changed(&PROVIDERS, 2), t(2)).await.unwrap();
    apply_all(&house, t(2)).await;
    assert_eq!(house.store().revisions("one").await.unwrap(), [(1, 0), (2, 1)]);
    let pin = house.pin(pin).await;
    assert_eq!((pin.status, pin.want, pin.need), (Status::Pinned, 0, 0));
    house.backend.check().await;
}

/// Whoever tells a job something does not wait until a backlog of any size is counted.
pub(in crate::store) async fn a_job_that_is_told_something_counts_only_so_many_of_the_copies_that_go<
    B: Backend,
>() {
    let mut house = House::<B>::open().await;
    for n in 0..1001 {
        house.add(0, "one", n, t(1)).await;
    }
    house.serve(0, t(2), well).await;
    house.register(changed(&["y"], 1), t(3)).await.unwrap();
    apply_all(&house, t(3)).await;
    house.serve(1, t(4), well).await;
    house.serve(1, t(30 * DAY), well).await;
    let left = house.store().unapplied("one", 0).await.unwrap();
    assert_eq!((left.removing, left.more), (1001, false), "counted step by step");
    let job = NewJob {
        kind: JobKind::Apply,
        provider: None,
        account: None,
        terms: r#"{"policy":"one"}"#.into(),
        by: None,
    };
    let job = house.store().create_job(job, t(31 * DAY)).await.unwrap().id;
    let told = house.store().command_job(job, JobCommand::Pause, None, t(31 * DAY)).await.unwrap().unwrap();
    assert_eq!(told.progress.words, "at least 1000 copies are being removed");
}
