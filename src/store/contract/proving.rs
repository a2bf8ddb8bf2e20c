//! What gateways served, and what follows for pins.

use super::{Backend, house::*};
use crate::{
    model::*,
    policy::Proof,
    store::{ProofRound, *},
};

/// Policy `two` asks for proofs.
async fn open<B: Backend>() -> House<B> {
    let mut house = House::<B>::open().await;
    house.register(asking(), t(0)).await.unwrap();
    house
}

fn asking() -> Registration {
    let mut asks = config();
    asks.policies[1].proof = Proof::Required;
    asks
}

/// Twenty pins at `x` and `y`, seen there.
async fn pins<B: Backend>(house: &House<B>) -> Vec<RequestId> {
    let mut pins = Vec::new();
    for n in 0..20 {
        pins.push(house.add(0, "two", n, t(0)).await);
    }
    for provider in [0, 1] {
        house.serve(provider, t(1), well).await;
        house.serve(provider, t(DAY), well).await;
    }
    pins
}

async fn sample<B: Backend>(house: &House<B>, dice: u32) -> Vec<(ReplicaId, Content)> {
    let dice = (0..dice).map(|n| n * (u32::MAX / dice.max(1))).collect();
    house.store().proof_sample(house.providers[0], dice, t(2)).await.unwrap()
}

async fn note<B: Backend>(house: &House<B>, proved: Proved, now: i64) -> Judged {
    let copies = sample(house, 10).await.into_iter().map(|(copy, _)| (copy, proved)).collect();
    let round = ProofRound { copies, why: Some("a test".to_owned()) };
    house.store().note_proof(house.providers[0], round, t(now)).await.unwrap()
}

async fn settle<B: Backend>(house: &House<B>, now: i64) {
    while house.store().resettle_step(7).await.unwrap().more {}
    house.drain(t(now)).await;
}

async fn proof<B: Backend>(house: &House<B>) -> ProofRecord {
    house.store().providers().await.unwrap()[0].proof.clone()
}

pub(in crate::store) async fn a_sample_is_of_copies_that_were_confirmed_each_once<B: Backend>() {
    let house = open::<B>().await;
    assert_eq!(sample(&house, 10).await, []);
    house.add(0, "two", 100, t(0)).await;
    house.serve(0, t(1), |claim| landed(claim, Status::Queued)).await;
    assert_eq!(sample(&house, 10).await, [], "it is not there yet");
    let pins = pins(&house).await;
    let sampled = sample(&house, 10).await;
    assert_eq!(sampled.len(), 10);
    let mut contents: Vec<_> = sampled.into_iter().map(|(_, content)| content).collect();
    contents.sort();
    contents.dedup();
    assert_eq!(contents.len(), 10);
    assert!((0..20).filter(|n| contents.contains(cid(*n).content())).count() == 10);
    let early = house.store().proof_sample(house.providers[0], vec![0, u32::MAX], t(0)).await.unwrap();
    assert_eq!(early, [], "they are pinned since later");
    assert_eq!(pins.len(), 20);
}

pub(in crate::store) async fn a_provider_that_serves_nothing_gets_nothing_and_counts_no_more_where_proof_is_asked_for<
    B: Backend,
>() {
    let mut house = open::<B>().await;
    let pins = pins(&house).await;
    let careless = house.add(0, "both", 50, t(DAY)).await;
    for provider in [0, 1] {
        house.serve(provider, t(DAY), well).await;
    }
    let first = note(&house, Proved::Missing, DAY).await;
    assert_eq!((first.before, first.after, first.down), (ProofState::Unknown, ProofState::Suspect, None));
    assert!(!house.store().resettle_step(7).await.unwrap().taken, "once may be chance");
    assert_eq!(note(&house, Proved::Missing, DAY + 1).await.after, ProofState::Unproven);
    house.backend.reopen().await;
    house.register(asking(), t(DAY + 2)).await.unwrap();
    settle(&house, DAY + 2).await;
    for pin in &pins {
        assert_eq!(house.places(*pin).await, ["x", "y", "z"]);
    }
    assert_eq!(house.places(careless).await, ["x", "y"]);
    let record = proof(&house).await;
    assert_eq!(
        (record.last.failed, record.at, record.why.as_deref()),
        (10, Some(t(DAY + 1)), Some("a test"))
    );
    assert_eq!(note(&house, Proved::Served, DAY + 3).await.after, ProofState::Proven);
    settle(&house, DAY + 3).await;
    assert_eq!(house.pin(pins[0]).await.have, 2, "it counts again; what was not sent elsewhere is dropped");
    assert_eq!(house.places(pins[0]).await, ["x", "y"]);
    house.backend.check().await;
}

/// All that tells how many copies a pin has: the record that clients are shown, the explanation, the gauge, and a drain's plan.
async fn told<B: Backend>(house: &House<B>, pin: RequestId, now: Timestamp) -> (u16, u16, u64, u64) {
    let store = house.store();
    let story = store.explain_pin(pin, now).await.unwrap().unwrap();
    let explained =
        crate::policy::had(&crate::policy::weigh(&story.own_copies(), &story.placement(now), now));
    let change = Change::Drain { provider: house.providers[1], allow_fewer: false };
    let mut plan = Plan::begin();
    while plan.next.is_some() {
        plan = store.plan_step(change.clone(), plan, now).await.unwrap();
    }
    let stats = store.stats(now).await.unwrap();
    (house.pin(pin).await.have, explained, stats.under_replicated, plan.short)
}

pub(in crate::store) async fn whoever_tells_how_many_copies_a_pin_has_tells_the_same<B: Backend>() {
    let house = open::<B>().await;
    let pins = pins(&house).await;
    assert_eq!(told(&house, pins[0], t(DAY)).await, (2, 2, 0, 0), "from y they can go to z");
    for now in [DAY, DAY + 1] {
        note(&house, Proved::Missing, now).await;
    }
    settle(&house, DAY + 1).await;
    house.note(2, Health::Down, t(DAY + 1)).await;
    assert_eq!(told(&house, pins[0], t(DAY + 1)).await, (1, 1, 20, 20), "what is at x is not believed");
    house.note(2, Health::Healthy, t(DAY + 2)).await;
    house.serve(2, t(2 * DAY), well).await;
    house.serve(2, t(3 * DAY), well).await;
    assert_eq!(told(&house, pins[0], t(3 * DAY)).await, (2, 2, 0, 20), "there is a third, and no fourth");
    house.store().set_mode(house.providers[2], Mode::Draining, false, None, t(3 * DAY)).await.unwrap();
    settle(&house, 3 * DAY).await;
    let (have, explained, short, _) = told(&house, pins[0], t(3 * DAY)).await;
    assert_eq!((have, explained, short), (2, 2, 0), "a drain takes nothing away before there is another");
    house.backend.check().await;
}

pub(in crate::store) async fn a_gateway_that_is_down_changes_nothing_but_is_noted<B: Backend>() {
    let house = open::<B>().await;
    pins(&house).await;
    note(&house, Proved::Served, DAY).await;
    for now in [DAY + 1, DAY + 2] {
        let judged = note(&house, Proved::Unreachable, now).await;
        assert_eq!((judged.after, judged.down), (ProofState::Proven, (now == DAY + 1).then_some(true)));
    }
    assert_eq!(proof(&house).await.down_since, Some(t(DAY + 1)));
    assert_eq!(note(&house, Proved::Served, DAY + 3).await.down, Some(false));
    assert_eq!(proof(&house).await.down_since, None);
}

pub(in crate::store) async fn what_a_gateway_showed_is_forgotten_with_it_and_with_the_last_copy<
    B: Backend,
>() {
    let house = open::<B>().await;
    let pins = pins(&house).await;
    for now in [DAY, DAY + 1] {
        note(&house, Proved::Wrong, now).await;
    }
    house.store().forget_proof(house.providers[0], t(DAY + 2)).await.unwrap();
    assert_eq!(proof(&house).await, ProofRecord::default());
    for now in [DAY + 3, DAY + 4] {
        note(&house, Proved::Wrong, now).await;
    }
    for pin in pins {
        house.delete(0, pin, t(DAY + 5)).await;
    }
    for provider in [0, 1, 2] {
        house.serve(provider, t(DAY + 6), well).await;
    }
    assert_eq!(note(&house, Proved::Served, DAY + 7).await.after, ProofState::Unknown);
    house.backend.check().await;
}
