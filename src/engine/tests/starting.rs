//! Starts with another config than before.

use std::sync::Arc;

use super::world::*;
use crate::{
    engine::Exchange,
    model::{Fingerprint, Health, ProviderDecl, Status},
    sim::{Fault, Route, Routes, Sim},
    store::{Rebind, Registration},
};

#[tokio::test]
async fn the_token_of_another_account_sends_nothing_and_is_told() {
    let mut world = World::of(2).copies(1, 1).start().await;
    let pin = world.add(1).await;
    world.settle().await;
    // Another account at the same address: whoever calls finds none of our pins.
    world.sims[0].forget(&content(1));
    world.proven_by_another(0).await;
    world.sims[0].reset_stats();
    world.restart().await;
    let other = world.add(2).await;
    world.run_for(10 * MINUTE).await;
    assert_eq!(world.health(0).await, Health::AuthFailed);
    assert_eq!((world.calls(0, Route::Add), world.calls(0, Route::Remove)), (0, 0));
    assert_eq!(world.status(pin).await, Status::Pinned);
    assert_eq!((world.status(other).await, world.held(1)), (Status::Pinned, 1));
    world.end().await;
}

#[tokio::test]
async fn a_changed_endpoint_is_refused_until_it_is_bound_anew() {
    let mut world = World::of(1).start().await;
    let pin = world.add(1).await;
    world.settle().await;
    let moved = Sim::builder("alpha").clock(world.clock.clone()).start().await;
    let declared = ProviderDecl::new("alpha", Fingerprint::new(&moved.url(), None));
    let store = world.inside().store.clone();
    let config = Registration { providers: vec![declared.clone()], ..Registration::default() };
    assert!(store.register(config, world.now()).await.is_err());
    let report = store.rebind_provider(declared, Rebind::NewAccount, world.now()).await.unwrap();
    assert_eq!(report.copies, 1);
    drop(store);
    world.sims[0] = moved;
    world.restart().await;
    world.run_for(10 * MINUTE).await;
    assert_eq!((world.status(pin).await, world.held(0)), (Status::Pinned, 1));
    world.end().await;
}

#[tokio::test]
async fn what_waits_for_a_provider_that_left_the_config_goes_elsewhere() {
    let mut world = World::of(2).start().await;
    let pinned = world.add(1).await;
    world.settle().await;
    world.sims[0].faults().always(Routes::Any, Fault::too_many(crate::sim::RetryAfter::Seconds(30)));
    let waiting = world.add(2).await;
    world.step().await;
    world.named = vec!["beta"];
    let registered = world.restart().await;
    assert_eq!((registered.absent.len(), registered.absent[0].1), (1, 1));
    world.settle().await;
    assert_eq!((world.status(pinned).await, world.status(waiting).await), (Status::Pinned, Status::Pinned));
    assert_eq!(world.sims[1].pins().by_content(), [(content(2), 1)].into());
    world.sims[0].faults().clear();
    world.named = vec!["alpha", "beta"];
    let registered = world.restart().await;
    assert!(registered.absent.is_empty());
    world.run_for(HOUR).await;
    assert_eq!((world.status(pinned).await, world.held(1)), (Status::Pinned, 1));
    world.delete(pinned).await;
    world.run_for(HOUR).await;
    assert!(!world.sims[0].pins().by_content().contains_key(&content(1)));
    world.end().await;
}

/// Else what it does by itself, such as a node's fetches, went on, and its breaker counted among those of the others.
#[tokio::test]
async fn a_provider_that_the_config_names_no_more_is_let_go_of() {
    let mut world = World::of(1).start().await;
    let (fleet, driven) = world.set_free().await;
    let (id, held) = (driven.record.id, Arc::downgrade(&driven.provider));
    fleet.exchange(Exchange { driven: vec![driven], ..Exchange::default() });
    assert!(held.strong_count() > 0);
    fleet.exchange(Exchange { gone: vec![id], ..Exchange::default() });
    let gone = async {
        while held.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(10 * SECOND, gone).await.expect("it is let go of");
}
