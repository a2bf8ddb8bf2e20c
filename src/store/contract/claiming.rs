//! Claims: order, turns, leases, attempts, doubts.

use std::time::Duration;

use super::{Backend, house::*};
use crate::{
    model::*,
    policy::{UpstreamName, replica::Work},
    store::*,
};

pub(in crate::store) async fn removes_go_before_submits_polls_and_verifies<B: Backend>() {
    let house = House::<B>::open().await;
    let gone = house.add(0, "one", 1, t(1)).await;
    house.add(0, "one", 2, t(1)).await;
    house.serve(0, t(2), well).await;
    house.add(0, "one", 3, t(3)).await;
    let polled = house.claim(0, t(3)).await;
    house.say(&polled[0], landed(&polled[0], Status::Queued), t(3)).await;
    house.delete(0, gone, t(4)).await;
    house.add(0, "one", 4, t(4)).await;
    let ops: Vec<_> = house.claim(0, t(30 * DAY)).await.iter().map(|claim| claim.op).collect();
    assert_eq!(ops, [Op::Remove, Op::Submit, Op::Poll, Op::Verify]);
    let few = ClaimRequest { singles: 0, looks: 0, ..house.due(0, t(60 * DAY)) };
    let claimed = house.store().claim_due(few).await.unwrap();
    assert!(claimed.claims.is_empty() && claimed.next_due <= Some(t(60 * DAY)), "{:?}", claimed.next_due);
}

pub(in crate::store) async fn a_claim_that_finds_nothing_tells_when_there_is_something<B: Backend>() {
    let house = House::<B>::open().await;
    let claim = async |now| house.store().claim_due(house.due(0, now)).await.unwrap();
    assert_eq!(claim(t(0)).await.next_due, None, "nothing is there");
    house.add(0, "one", 1, t(0)).await;
    house.serve(0, t(1), well).await;
    house.add(1, "one", 2, t(2)).await;
    house.serve(0, t(3), failing).await;
    let soon = claim(t(4)).await.next_due.expect("a further try");
    let early = claim(soon.minus(Duration::from_millis(1))).await;
    assert!(early.claims.is_empty() && early.next_due == Some(soon), "{early:?}");
    let claimed = claim(soon).await;
    let [tried] = &claimed.claims[..] else { panic!("{claimed:?}") };
    assert!(
        tried.content == *cid(2).content() && claimed.next_due.is_some_and(|at| at > soon),
        "{claimed:?}"
    );
}

/// A clock that was ahead when a provider went down would have it declared dead years too late.
pub(in crate::store) async fn a_provider_is_down_since_now_at_the_latest<B: Backend>() {
    let house = House::<B>::open().await;
    let provider = house.due(0, t(0)).provider;
    house.store().note_provider(provider, Health::Down, None, t(900 * DAY)).await.unwrap();
    let since = async || {
        let all = house.store().providers().await.unwrap();
        all.into_iter().find(|one| one.id == provider).unwrap().health_since
    };
    assert_eq!(since().await, t(900 * DAY));
    for now in [t(2), t(5)] {
        house.store().mend_schedule(now).await.unwrap();
        assert_eq!(since().await, t(2));
    }
}

/// I9: no account can starve another.
pub(in crate::store) async fn accounts_are_served_in_turn<B: Backend>() {
    let house = House::<B>::open().await;
    for n in 0..1000 {
        house.add(0, "one", n, t(1)).await;
    }
    house.add(1, "one", 5000, t(2)).await;
    let few = ClaimRequest { singles: 4, ..house.due(0, t(3)) };
    let claimed = house.store().claim_due(few).await.unwrap();
    assert_eq!(claimed.claims.len(), 4);
    assert!(claimed.claims.iter().any(|claim| claim.content == *cid(5000).content()));
    assert_eq!(claimed.next_due, Some(t(3)), "more is due now");
    let single = ClaimRequest { singles: 1, ..house.due(0, t(4)) };
    house.add(1, "one", 5001, t(4)).await;
    let mut theirs = 0;
    for _ in 0..2 {
        let claims = house.store().claim_due(single.clone()).await.unwrap().claims;
        theirs += usize::from(claims[0].content == *cid(5001).content());
    }
    assert_eq!(theirs, 1, "one after the other");
}

/// I9: accounts whose copies only wait for a retry took every place at the table.
pub(in crate::store) async fn an_account_with_work_is_found_behind_many_that_wait<B: Backend>() {
    let mut house = House::<B>::open().await;
    let mut many = config();
    let name = |n: u64| format!("account-{n:03}");
    many.accounts.extend((0..100).map(|n| AccountDecl::new(name(n), "one")));
    house.register(many, t(0)).await.unwrap();
    for account in 0..101 {
        house.add(account, "one", account as u64, t(1)).await;
    }
    let mut waiting = 0;
    while waiting < 101 {
        let claims = house.claim(0, t(2)).await;
        assert!(!claims.is_empty());
        for claim in &claims {
            house.say(claim, Word::Deferred { until: t(DAY) }, t(2)).await;
        }
        waiting += claims.len();
    }
    house.add(101, "one", 101, t(3)).await;
    let claims = house.claim(0, t(3)).await;
    assert_eq!(claims.iter().map(|claim| &claim.content).collect::<Vec<_>>(), [cid(101).content()]);
}

pub(in crate::store) async fn a_lease_keeps_others_off_until_it_ends<B: Backend>() {
    let house = House::<B>::open().await;
    house.add(0, "one", 1, t(1)).await;
    let first = house.claim(0, t(2)).await;
    let rest = house.other().claim_due(house.due(0, t(3))).await.unwrap();
    assert!(rest.claims.is_empty());
    assert_eq!(rest.next_due, Some(t(2).plus(Duration::from_secs(60))), "when the lease ends");
    let second = house.claim(0, t(60_002)).await;
    assert_eq!(second.len(), 1);
    assert!(second[0].key.attempt > first[0].key.attempt);
    assert_eq!(
        (&second[0].work, second[0].doubt),
        (&Work::Look, Doubt::Submit),
        "I7: the first may have left"
    );
}

/// Compare-and-set on the attempt.
pub(in crate::store) async fn an_outcome_of_an_older_claim_changes_nothing<B: Backend>() {
    let house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    let first = house.claim(0, t(2)).await;
    let second = house.claim(0, t(60_002)).await;
    let late = house.say(&first[0], landed(&first[0], Status::Pinned), t(60_003)).await;
    assert_eq!((late.applied, late.stale), (0, 1));
    assert_eq!(house.status(pin).await, Status::Queued);
    let settles = Word::NotFound { asked_at: t(180_002) };
    assert_eq!(house.say(&second[0], settles.clone(), t(180_003)).await.applied, 1);
    assert_eq!(house.say(&second[0], settles, t(180_004)).await.stale, 1, "told twice");
    house.backend.check().await;
}

pub(in crate::store) async fn submits_that_nobody_wants_do_not_begin<B: Backend>() {
    let house = House::<B>::open().await;
    let (kept, gone) = (house.add(0, "one", 1, t(1)).await, house.add(0, "one", 2, t(1)).await);
    let looks = ClaimRequest { exclusive: false, ..house.due(0, t(2)) };
    let claims = house.store().claim_due(looks).await.unwrap().claims;
    let keys: Vec<_> = claims.iter().map(|claim| claim.key).collect();
    house.delete(0, gone, t(3)).await;
    let store = house.store();
    let begin = || store.begin_submits(keys.clone(), t(9), t(3), t(4));
    let wanted = claims.iter().find(|claim| claim.content == *cid(1).content()).unwrap();
    assert_eq!(begin().await.unwrap(), [wanted.key.replica]);
    house.say(wanted, landed(wanted, Status::Pinned), t(5)).await;
    assert_eq!(house.status(kept).await, Status::Pinned);
    assert!(begin().await.unwrap().is_empty(), "its claim is over");
}

/// I7.
pub(in crate::store) async fn a_submit_does_not_begin_within_a_doubt<B: Backend>() {
    let house = House::<B>::open().await;
    house.add(0, "one", 1, t(1)).await;
    let lost = house.claim(0, t(2)).await;
    house.say(&lost[0], error(ErrorClass::Transient, true), t(3)).await;
    let looks = house.claim(0, t(60_000)).await;
    assert_eq!((&looks[0].work, looks[0].doubt), (&Work::Look, Doubt::Submit));
    let store = house.store();
    let begin = |asked_at| store.begin_submits(vec![looks[0].key], t(DAY), asked_at, asked_at);
    assert!(begin(t(60_001)).await.unwrap().is_empty());
    assert_eq!(begin(looks[0].doubt_until.unwrap()).await.unwrap().len(), 1);
}

/// I1, I7.
pub(in crate::store) async fn a_restart_frees_claims_and_keeps_doubts<B: Backend>() {
    let mut house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    let lost = house.claim(0, t(2)).await;
    let registered = house.crash(t(3)).await;
    assert_eq!(registered.recovered, 1);
    let late = house.say(&lost[0], landed(&lost[0], Status::Pinned), t(3)).await;
    assert_eq!(late.stale, 1, "nobody works on it any more");
    let claims = house.claim(0, t(4)).await;
    assert_eq!((&claims[0].work, claims[0].doubt), (&Work::Look, Doubt::Submit));
    house.say(&claims[0], Word::NotFound { asked_at: t(4) }, t(5)).await;
    assert!(house.claim(0, t(6)).await.is_empty(), "an empty look within the doubt settles nothing");
    let claims = house.claim(0, t(DAY)).await;
    let found = Word::Found {
        upstream: upstream(&claims[0]),
        status: Status::Pinned,
        delegates: vec![],
        ours: false,
        doubles: vec![],
    };
    house.say(&claims[0], found, t(DAY + 1)).await;
    assert_eq!(house.status(pin).await, Status::Pinned);
    assert_eq!(house.crash(t(DAY + 2)).await.recovered, 0);
    house.backend.check().await;
}

pub(in crate::store) async fn a_submit_carries_the_name_of_the_first_pin_that_asks<B: Backend>() {
    let house = House::<B>::open().await;
    for (account, name) in [(0, Some("first")), (1, Some("second")), (0, None)] {
        let mut request = house.request(account, "one", 1, t(1));
        request.spec.name = name.map(String::from);
        house.store().accept_pin(request).await.unwrap();
    }
    assert_eq!(house.claim(0, t(2)).await[0].name.as_deref(), Some("first"));
}

pub(in crate::store) async fn a_submit_carries_the_name_that_the_policy_says<B: Backend>() {
    let canonical = cid(1).content().canonical();
    for (says, sent) in [(UpstreamName::Cid, Some(canonical)), (UpstreamName::None, None)] {
        let mut house = House::<B>::open().await;
        let mut told = config();
        told.policies[0].upstream_name = says;
        house.register(told, t(0)).await.unwrap();
        let mut request = house.request(0, "one", 1, t(1));
        request.spec.name = Some("private matters".into());
        house.store().accept_pin(request).await.unwrap();
        assert_eq!(house.claim(0, t(2)).await[0].name, sent, "{says:?}");
    }
}

/// I8: its provider takes nothing new when the pin comes, and is reached again before another copy is made.
pub(in crate::store) async fn i8_what_is_about_to_be_deleted_goes_to_a_pin_that_lacks_a_copy<B: Backend>() {
    let house = House::<B>::open().await;
    let old = house.add(0, "one", 1, t(0)).await;
    house.serve(0, t(1), well).await;
    house.store().note_provider(house.providers[0], Health::NoFunds, None, t(2)).await.unwrap();
    house.delete(0, old, t(3)).await;
    let new = house.add(0, "one", 1, t(4)).await;
    assert_eq!((house.places(new).await, house.status(new).await), (vec!["y".to_owned()], Status::Queued));
    assert!(house.claim(0, t(5)).await.is_empty(), "nothing is deleted");
    assert_eq!((house.status(new).await, house.pin(new).await.have), (Status::Pinned, 1));
    assert!(house.claim(1, t(6)).await.is_empty(), "nor is another one made");
    house.delete(0, new, t(7)).await;
    let deletes: Vec<Work> = house.claim(0, t(8)).await.into_iter().map(|claim| claim.work).collect();
    assert!(matches!(deletes.as_slice(), [Work::Delete(_)]), "{deletes:?}");
    house.backend.check().await;
}

/// I8: an entry under another name that goes by the same account, as while a key is exchanged.
pub(in crate::store) async fn i8_a_pin_that_is_another_entrys_copy_too_is_not_deleted<B: Backend>() {
    let mut house = House::<B>::open().await;
    let mut twice = config();
    twice.providers[1] = ProviderDecl::new("y", twice.providers[0].fingerprint.clone());
    house.register(twice, t(0)).await.unwrap();
    let old = house.add(0, "one", 1, t(0)).await;
    let known = house.claim(0, t(1)).await.remove(0);
    house.say(&known, landed(&known, Status::Pinned), t(1)).await;
    house.store().set_mode(house.providers[0], Mode::Draining, false, None, t(2)).await.unwrap();
    house.store().respill(house.providers[0], Respill::All, ContentId(0), 100).await.unwrap();
    house.drain(t(2)).await;
    let found = house.claim(1, t(3)).await.remove(0);
    let (upstream, status) = (upstream(&known), Status::Pinned);
    let word = Word::Found { upstream, status, delegates: Vec::new(), ours: true, doubles: Vec::new() };
    house.say(&found, word, t(3)).await;
    house.drain(t(3)).await;
    assert!(house.claim(0, t(4)).await.is_empty(), "it would be gone for both");
    assert_eq!((house.places(old).await, house.pin(old).await.have), (vec!["y".to_owned()], 1));
    house.backend.check().await;
}

/// I8: until it has what its policy asks for.
pub(in crate::store) async fn i8_what_is_about_to_be_deleted_helps_a_pin_that_does_not_name_its_provider<
    B: Backend,
>() {
    let mut house = House::<B>::open().await;
    let mut elsewhere = config();
    elsewhere.policies[2].providers.remove(0);
    house.register(elsewhere, t(0)).await.unwrap();
    let old = house.add(0, "one", 1, t(0)).await;
    let short = house.add(0, "both", 1, t(0)).await;
    house.serve(0, t(1), well).await;
    house.serve(1, t(1), well).await;
    house.delete(0, old, t(2)).await;
    assert!(house.claim(0, t(3)).await.is_empty(), "nothing is deleted");
    assert_eq!((house.status(short).await, house.pin(short).await.have), (Status::Pinned, 2));
    house.serve(2, t(4), well).await;
    for provider in [1, 2] {
        house.serve(provider, t(DAY), well).await;
    }
    house.drain(t(DAY)).await;
    let deletes: Vec<Work> = house.claim(0, t(DAY + 1)).await.into_iter().map(|claim| claim.work).collect();
    assert!(matches!(deletes.as_slice(), [Work::Delete(_)]), "{deletes:?}");
    assert_eq!(house.places(short).await, ["y", "z"]);
    house.backend.check().await;
}
