//! Audits: what a list shows is compared with what is on record, and kept over crashes.

use super::{Backend, house::*};
use crate::{model::*, policy::replica::Work, store::*};

async fn begin<B: Backend>(house: &House<B>) -> JobId {
    let (kind, provider) = (JobKind::Audit, Some(house.providers[0]));
    let job = NewJob { kind, provider, account: None, terms: "{}".to_owned(), by: None };
    house.store().create_job(job, t(DAY)).await.unwrap().id
}

/// Pins of one copy each at the first provider; their upstream ids.
async fn pinned<B: Backend>(house: &House<B>, count: u64) -> Vec<UpstreamId> {
    let mut ids = Vec::new();
    for n in 0..count {
        house.add(0, "one", n, t(0)).await;
        let claims = house.claim(0, t(1)).await;
        ids.push(upstream(&claims[0]));
        house.say(&claims[0], landed(&claims[0], Status::Pinned), t(1)).await;
    }
    house.serve(0, t(DAY / 2), well).await;
    ids
}

fn listed(upstream: &UpstreamId, n: u64, pinned: bool) -> Listed {
    let content = cid(n).content().clone();
    Listed { upstream: upstream.clone(), content, pinned, name: None, created: Some(t(0)) }
}

fn foreign(n: u64) -> Listed {
    Listed {
        name: Some(format!("theirs {n}")),
        ..listed(&UpstreamId::new(format!("z{n}")).unwrap(), n, true)
    }
}

async fn weighed<B: Backend>(house: &House<B>, job: JobId) -> Weighed {
    let (provider, began) = (house.providers[0], t(DAY));
    let weigh = Weigh { job, provider, began, after: ContentId(0), limit: 100 };
    house.store().audit_weigh(weigh).await.unwrap()
}

async fn cleared<B: Backend>(house: &House<B>, job: JobId, now: i64) -> Cleared {
    house.store().audit_clear(job, (t(DAY), t(DAY + 1)), 100, t(now)).await.unwrap()
}

pub(in crate::store) async fn what_a_list_showed_survives_a_crash_and_the_rest_is_suspect<B: Backend>() {
    let mut house = House::<B>::open().await;
    let ids = pinned(&house, 5).await;
    let job = begin(&house).await;
    let rows = vec![listed(&ids[0], 0, true), listed(&ids[1], 1, true), listed(&ids[2], 2, false)];
    for _ in 0..2 {
        let met = house.store().audit_page(job, house.providers[0], rows.clone(), t(DAY)).await.unwrap();
        assert_eq!(met, Met { ours: 3, orphans: 0 });
    }
    house.crash(t(DAY)).await;
    let late = house.add(0, "one", 99, t(DAY + 5)).await;
    house.serve(0, t(DAY + 5), well).await;
    assert_eq!(weighed(&house, job).await, Weighed { copies: 5, suspects: 3, next: None });
    assert_eq!(house.status(late).await, Status::Pinned, "what came later is not suspect");
    house.backend.check().await;
}

pub(in crate::store) async fn suspects_are_looked_at_and_only_that_loses_them<B: Backend>() {
    let house = House::<B>::open().await;
    let ids = pinned(&house, 3).await;
    let job = begin(&house).await;
    assert_eq!(weighed(&house, job).await.suspects, 3);
    assert!(house.claim(0, t(DAY + 1)).await.is_empty(), "nothing is due yet");
    assert_eq!(cleared(&house, job, DAY + 2).await, Cleared { left: 3, ..Cleared::default() });
    let gone = ids[1].clone();
    let looked = |claim: &Claim| match &claim.work {
        Work::See(id) if *id == gone => Word::Gone,
        _ => well(claim),
    };
    house.serve(0, t(DAY + 3), looked).await;
    assert_eq!(cleared(&house, job, DAY + 4).await, Cleared { lost: 1, found: 2, ..Cleared::default() });
    assert_eq!(cleared(&house, job, DAY + 5).await, Cleared::default());
    house.backend.check().await;
}

pub(in crate::store) async fn a_suspect_whose_look_fails_is_asked_for_again_in_its_time_and_a_few_times<
    B: Backend,
>() {
    let house = House::<B>::open().await;
    pinned(&house, 1).await;
    let job = begin(&house).await;
    assert_eq!(weighed(&house, job).await.suspects, 1);
    let open = Cleared { left: 1, ..Cleared::default() };
    for hours in 1..4 {
        let now = DAY + hours * DAY / 24;
        assert_eq!(cleared(&house, job, now).await, open);
        let claims = house.claim(0, t(now)).await;
        house.say(&claims[0], failing(&claims[0]), t(now)).await;
        assert!(house.claim(0, t(now)).await.is_empty());
        let after = if hours < 3 { open } else { Cleared { unanswered: 1, ..Cleared::default() } };
        assert_eq!(cleared(&house, job, now + 1).await, after);
        assert!(house.claim(0, t(now + 1)).await.is_empty(), "not before it is time");
    }
    assert_eq!(house.serve(0, t(2 * DAY), well).await, 1, "it is looked at all the same");
    house.backend.check().await;
}

pub(in crate::store) async fn an_audit_gives_way_to_what_is_new_though_calls_have_no_limit<B: Backend>() {
    let house = House::<B>::open().await;
    let waits = async |patient| {
        let waits = house.store().audit_waits(house.providers[0], None, patient, t(1)).await;
        waits.unwrap().is_some()
    };
    assert!(!waits(false).await);
    house.add(0, "one", 1, t(0)).await;
    assert_eq!((waits(false).await, waits(true).await), (true, false));
    house.serve(0, t(1), well).await;
    assert!(!waits(false).await);
}

pub(in crate::store) async fn a_suspect_that_nobody_wants_any_more_is_dropped<B: Backend>() {
    let house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(0)).await;
    house.serve(0, t(1), well).await;
    let job = begin(&house).await;
    assert_eq!(weighed(&house, job).await.suspects, 1);
    assert!(house.delete(0, pin, t(DAY)).await);
    assert_eq!(cleared(&house, job, DAY + 2).await, Cleared { dropped: 1, ..Cleared::default() });
    house.serve(0, t(DAY + 3), well).await;
    house.backend.check().await;
}

pub(in crate::store) async fn orphans_are_what_nobody_here_knows<B: Backend>() {
    let house = House::<B>::open().await;
    let ids = pinned(&house, 2).await;
    let job = begin(&house).await;
    // Its submit is under way: what is listed of it may be ours.
    house.add(0, "one", 7, t(DAY)).await;
    let claims = house.claim(0, t(DAY)).await;
    assert_eq!(claims.len(), 1);
    let mut rows = vec![listed(&ids[0], 0, true), foreign(7)];
    rows.extend((50..53).map(foreign));
    let provider = house.providers[0];
    let met = house.store().audit_page(job, provider, rows, t(DAY)).await.unwrap();
    assert_eq!(met, Met { ours: 1, orphans: 3 });
    let orphans = house.store().orphans(provider, None, 2).await.unwrap();
    assert_eq!(orphans.len(), 2);
    let rest = house.store().orphans(provider, Some(orphans[1].upstream.clone()), 9).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!((rest[0].name.as_deref(), rest[0].seen_at), (Some("theirs 52"), t(DAY)));
    // The next sweep meets one of them only.
    house.store().audit_page(job, provider, vec![foreign(51)], t(2 * DAY)).await.unwrap();
    house.store().audit_ends(job, provider, Some((t(2 * DAY), 1))).await.unwrap();
    let left = house.store().orphans(provider, None, 9).await.unwrap();
    assert_eq!(left.iter().map(|orphan| orphan.upstream.as_str()).collect::<Vec<_>>(), ["z51"]);
    let record = house.store().providers().await.unwrap().remove(0);
    assert_eq!((record.swept_at, record.orphans), (Some(t(2 * DAY)), 1));
}

pub(in crate::store) async fn doubles_that_are_being_removed_are_no_orphans<B: Backend>() {
    let house = House::<B>::open().await;
    house.add(0, "one", 1, t(0)).await;
    let double = foreign(1).upstream;
    let found = |claim: &Claim| Word::Found {
        upstream: upstream(claim),
        status: Status::Pinned,
        delegates: Vec::new(),
        ours: true,
        doubles: vec![double.clone()],
    };
    let looks = ClaimRequest { exclusive: false, ..house.due(0, t(1)) };
    let claims = house.store().claim_due(looks).await.unwrap().claims;
    house.say(&claims[0], found(&claims[0]), t(1)).await;
    let job = begin(&house).await;
    let met = house.store().audit_page(job, house.providers[0], vec![foreign(1)], t(DAY)).await.unwrap();
    assert_eq!(met, Met::default());
}

pub(in crate::store) async fn copies_of_a_swept_provider_get_looks_again_when_it_is_swept_no_more<
    B: Backend,
>() {
    let mut house = House::<B>::open().await;
    let mut swept = config();
    let audit = Audit { every: std::time::Duration::from_secs(3600), by: AuditBy::Sweep };
    swept.providers[0].facts.audit = Some(audit);
    house.register(swept, t(0)).await.unwrap();
    pinned(&house, 5).await;
    assert!(house.claim(0, t(30 * DAY)).await.is_empty());
    house.register(config(), t(30 * DAY)).await.unwrap();
    assert!(house.store().providers().await.unwrap()[0].unplanned);
    let (store, provider) = (house.store(), house.providers[0]);
    let mut after = Some(ContentId(0));
    while let Some(from) = after {
        after = store.plan_looks(provider, from, 2, t(30 * DAY)).await.unwrap();
    }
    assert!(!house.store().providers().await.unwrap()[0].unplanned);
    assert_eq!(house.serve(0, t(38 * DAY), well).await, 5);
    house.backend.check().await;
}
