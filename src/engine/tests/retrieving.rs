//! Proofs of retrieval: providers that say `pinned`, and gateways that serve it or do not.

use super::world::*;
use crate::{
    model::{EventKind, ProofState, RequestId},
    policy::Proof,
    sim::{Fault, Mood, Route},
    store::{EventQuery, EventsFrom},
};

const PINS: u64 = 12;

/// Twelve pins with two copies each, at the first two of three, an hour ago; gateways were asked once.
async fn pinned(asks: bool) -> (World, Vec<RequestId>) {
    let world = World::of(3).exclusive().copies(2, 1).gateways();
    let world = if asks { world.policy(|policy| policy.proof = Proof::Required) } else { world };
    let mut world = world.start().await;
    let mut pins = Vec::new();
    for n in 0..PINS {
        pins.push(world.add_block(n).await);
    }
    world.run_for(HOUR + 30 * MINUTE).await;
    assert_eq!((world.held(0), world.held(1), world.held(2)), (12, 12, 0));
    assert_eq!(state(&world, 0).await, ProofState::Proven);
    (world, pins)
}

async fn state(world: &World, n: usize) -> ProofState {
    world.provider(n).await.proof.state
}

fn mood(world: &World, n: usize, mood: Mood) {
    world.sims[n].set(|sim| sim.gateway = mood);
}

async fn proofs(world: &World) -> Vec<String> {
    let kinds = vec![EventKind::ProviderProof];
    let query = EventQuery { from: EventsFrom::Oldest, limit: 100, kinds, account: None };
    let events = world.inside().store.events(query).await.unwrap().events;
    let told = |event: crate::model::Event| format!("{} {}", event.subject, event.body["to"]);
    events.into_iter().map(told).collect()
}

#[tokio::test]
async fn i8_a_liar_is_found_and_where_proof_is_asked_for_its_pins_get_a_copy_elsewhere() {
    let (mut world, pins) = pinned(true).await;
    mood(&world, 0, Mood::NotFound);
    world.run_for(HOUR).await;
    assert_eq!(state(&world, 0).await, ProofState::Unproven);
    world.run_for(10 * MINUTE).await;
    assert_eq!((world.held(0), world.held(1), world.held(2)), (12, 12, 12), "nothing is removed for that");
    let new = world.add_block(99).await;
    world.settle().await;
    assert_eq!((world.held(0), world.held(2)), (12, 13), "and it is given nothing new");
    assert!(world.is_there(new).await);
    assert_eq!(world.pin(pins[0]).await.have, 2, "what is not believed does not count");
    let told = proofs(&world).await;
    assert!(told.ends_with(&["alpha suspect".to_owned(), "alpha unproven".to_owned()]), "{told:?}");
    world.restart().await;
    assert_eq!(state(&world, 0).await, ProofState::Unproven, "it is remembered");
    mood(&world, 0, Mood::Serves);
    world.run_for(HOUR).await;
    assert_eq!((state(&world, 0).await, world.held(0)), (ProofState::Proven, 12));
    assert_eq!(world.pin(pins[0]).await.have, 3);
    let new = world.add_block(100).await;
    world.settle().await;
    assert_eq!((world.held(0), world.pin(new).await.have), (13, 2), "it is trusted again");
    world.end().await;
}

#[tokio::test]
async fn where_no_policy_asks_for_proof_a_liar_is_marked_and_no_more() {
    let (mut world, pins) = pinned(false).await;
    mood(&world, 0, Mood::WrongBytes);
    world.run_for(2 * HOUR).await;
    assert_eq!(state(&world, 0).await, ProofState::Unproven);
    let record = world.provider(0).await.proof;
    assert_eq!((record.last.served, record.last.failed > 2), (0, true));
    assert!(record.why.is_some_and(|why| why.contains("not its block")));
    assert_eq!((world.held(0), world.held(1), world.held(2)), (12, 12, 0));
    assert_eq!(world.pin(pins[0]).await.have, 2);
    world.end().await;
}

#[tokio::test]
async fn a_gateway_that_is_down_has_nobody_distrusted() {
    let (mut world, _) = pinned(true).await;
    mood(&world, 0, Mood::Down);
    world.run_for(12 * HOUR).await;
    let record = world.provider(0).await.proof;
    assert_eq!((record.state, record.last.judged()), (ProofState::Proven, 0));
    assert!(record.down_since.is_some() && record.last.unreached > 0, "{record:?}");
    assert_eq!(world.held(2), 0);
    mood(&world, 0, Mood::Serves);
    world.run_for(HOUR).await;
    assert_eq!(world.provider(0).await.proof.down_since, None);
    world.end().await;
}

#[tokio::test]
async fn one_that_never_answers_for_what_it_has_is_found_too() {
    let mut world = World::of(2).exclusive().copies(2, 1).gateways().start().await;
    // As few as show anything: each answer is waited for in real time.
    for n in 0..3 {
        world.add_block(n).await;
    }
    world.run_for(HOUR + 30 * MINUTE).await;
    assert_eq!(state(&world, 1).await, ProofState::Proven);
    mood(&world, 1, Mood::SILENT);
    while state(&world, 1).await != ProofState::Unproven {
        world.run_for(10 * MINUTE).await;
    }
    assert_eq!(state(&world, 0).await, ProofState::Proven);
    world.end().await;
}

#[tokio::test]
async fn a_provider_that_lost_one_of_many_is_not_distrusted_for_it() {
    let (mut world, _) = pinned(true).await;
    // Its list and its pins are as they were, as far as it says.
    for n in 0..2 {
        let cid = world.sims[2].stock(format!("block {n}")).expect("there is room");
        world.sims[0].forget(cid.content());
    }
    world.run_for(3 * HOUR).await;
    assert_ne!(state(&world, 0).await, ProofState::Unproven);
    assert_eq!(world.held(2), 0);
    world.end().await;
}

#[tokio::test]
async fn a_gateway_gets_no_credential_and_few_calls_whatever_befalls_the_provider() {
    let (mut world, _) = pinned(true).await;
    let before = world.sims[0].gateway_asked().0;
    world.strike(0, 1000, Route::List, Fault::status(503));
    world.run_for(3 * HOUR).await;
    let (asked, authorized) = world.sims[0].gateway_asked();
    assert_eq!(authorized, 0);
    assert!((3 * 3..=3 * 20).contains(&(asked - before)), "{}", asked - before);
    assert_eq!(world.sims[2].gateway_asked().0, 0, "nothing is asked for where nothing is");
    world.end().await;
}

#[tokio::test]
async fn without_a_gateway_any_more_nothing_is_held_against_a_provider() {
    let (mut world, _) = pinned(true).await;
    mood(&world, 0, Mood::NotFound);
    world.run_for(2 * HOUR).await;
    assert_eq!(state(&world, 0).await, ProofState::Unproven);
    world.restart_with_gateways(false).await;
    world.settle().await;
    assert_eq!(state(&world, 0).await, ProofState::Unknown);
    let new = world.add_block(99).await;
    world.settle().await;
    assert_eq!((world.held(0), world.pin(new).await.have), (13, 2));
    world.end().await;
}
