//! What the config declares against what is on record: accounts, policies, providers, the clock.

use std::time::Duration;

use super::{Backend, house::*};
use crate::{model::*, policy::replica::Work, store::*};

pub(in crate::store) async fn an_account_with_pins_cannot_vanish<B: Backend>() {
    let mut house = House::<B>::open().await;
    let pin = house.add(1, "one", 1, t(1)).await;
    let mut without = config();
    without.accounts.truncate(1);
    let refused = house.store().register(without.clone(), t(2)).await;
    assert!(matches!(refused, Err(StoreError::StillUsed { what: "account", pins: 1, .. })), "{refused:?}");
    house.delete(1, pin, t(3)).await;
    let ben = house.accounts[1];
    house.register(without, t(4)).await.unwrap();
    house.register(config(), t(5)).await.unwrap();
    assert_eq!(house.accounts[1], ben, "back under its old id");
    let again = house.add(1, "one", 1, t(0)).await;
    assert!(house.find(1, again).await.unwrap().created > t(1), "and with its clock (I3)");
}

pub(in crate::store) async fn a_policy_that_changes_binds_new_pins_only<B: Backend>() {
    let mut house = House::<B>::open().await;
    let old = house.add(0, "one", 1, t(1)).await;
    let mut changed = config();
    changed.policies[0] = policy("one", 2, 3, 2);
    house.register(changed, t(2)).await.unwrap();
    let new = house.add(0, "one", 2, t(3)).await;
    let (old, new) = (house.pin(old).await, house.pin(new).await);
    assert_eq!((old.need, old.want), (1, 1));
    assert_eq!((new.need, new.want, new.copies.len()), (2, 3, 3));
    let mut gone = config();
    gone.policies.remove(0);
    let registered = house.register(gone, t(4)).await.unwrap();
    assert_eq!(registered.orphaned_policies, [("one".to_owned(), 2)]);
    let request = house.request(0, "none of ours", 3, t(5));
    let refused = house.store().accept_pin(request).await;
    assert!(matches!(refused, Err(StoreError::Unknown { what: "policy", .. })));
}

pub(in crate::store) async fn a_provider_may_be_absent_and_come_back<B: Backend>() {
    let mut house = House::<B>::open().await;
    house.add(0, "one", 1, t(1)).await;
    house.serve(0, t(2), well).await;
    let mut without = config();
    let x = without.providers.remove(0);
    let (old, all) = (house.providers[0], house.providers.clone());
    let registered = house.register(without.clone(), t(3)).await.unwrap();
    let absent: Vec<_> =
        registered.absent.iter().map(|(record, n)| (record.id, record.absent_since, *n)).collect();
    assert_eq!(absent, [(old, Some(t(3)), 1)]);
    let pin = house.add(0, "one", 2, t(4)).await;
    assert_eq!(house.places(pin).await, ["y"]);
    house.register(without.clone(), t(5)).await.unwrap();
    let known = house.store().providers().await.unwrap();
    assert_eq!(known[0].absent_since, Some(t(3)), "since the first time");
    without.providers.insert(0, x);
    assert!(house.register(without, t(6)).await.unwrap().absent.is_empty());
    assert_eq!(house.providers, all);
    let pin = house.add(0, "one", 3, t(7)).await;
    assert_eq!(house.places(pin).await, ["x"]);
}

fn moved() -> ProviderDecl {
    ProviderDecl::new("x", Fingerprint::new("elsewhere", None))
}

fn config_moved() -> Registration {
    let mut moved_config = config();
    moved_config.providers[0] = moved();
    moved_config
}

pub(in crate::store) async fn another_fingerprint_is_refused_until_rebound<B: Backend>() {
    let mut house = House::<B>::open().await;
    house.register(config_moved(), t(1)).await.unwrap();
    house.register(config(), t(2)).await.unwrap();
    house.add(0, "one", 1, t(3)).await;
    let refused = house.register(config_moved(), t(4)).await.map(drop);
    assert!(matches!(&refused, Err(StoreError::Rebind { name }) if name == "x"), "{refused:?}");
    let unknown = ProviderDecl { name: "nobody".into(), ..moved() };
    let refused = house.store().rebind_provider(unknown, Rebind::SameAccount, t(5)).await;
    assert!(matches!(refused, Err(StoreError::Unknown { what: "provider", .. })));
    assert!(house.register(config(), t(6)).await.is_ok(), "a refused start changed nothing");
}

pub(in crate::store) async fn a_rebind_to_the_same_account_keeps_the_copies<B: Backend>() {
    let mut house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    house.serve(0, t(2), well).await;
    let report = house.store().rebind_provider(moved(), Rebind::SameAccount, t(3)).await.unwrap();
    assert_eq!(report, RebindReport { provider: house.providers[0], copies: 1 });
    house.register(config_moved(), t(4)).await.unwrap();
    assert_eq!(house.status(pin).await, Status::Pinned);
    assert!(house.claim(0, t(5)).await.is_empty());
    house.backend.check().await;
}

pub(in crate::store) async fn a_rebind_to_a_new_account_makes_them_again<B: Backend>() {
    let mut house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    let gone = house.add(0, "one", 2, t(1)).await;
    house.serve(0, t(2), well).await;
    house.delete(0, gone, t(3)).await;
    let late = house.claim(0, t(3)).await;
    let report = house.store().rebind_provider(moved(), Rebind::NewAccount, t(4)).await.unwrap();
    assert_eq!(report.copies, 2);
    house.register(config_moved(), t(5)).await.unwrap();
    house.drain(t(5)).await;
    house.backend.check().await;
    assert_eq!(house.say(&late[0], Word::Removed, t(6)).await.stale, 1);
    assert_eq!((house.status(pin).await, house.pin(pin).await.have), (Status::Queued, 0));
    let claims = house.claim(0, t(7)).await;
    assert!(matches!(claims[..], [Claim { work: Work::Submit, .. }]), "only what is wanted");
    house.say(&claims[0], well(&claims[0]), t(8)).await;
    assert_eq!(house.status(pin).await, Status::Pinned);
    house.backend.check().await;
}

/// I13: what was listed is not the new account's.
pub(in crate::store) async fn a_rebind_to_a_new_account_ends_the_adoption_from_the_old_one<B: Backend>() {
    let house = House::<B>::open().await;
    let job = |provider: usize| NewJob {
        kind: JobKind::Adopt,
        provider: Some(house.providers[provider]),
        account: Some(house.accounts[0]),
        terms: "{}".into(),
        by: None,
    };
    let [ours, other] = [0, 1].map(job);
    let ours = house.store().create_job(ours, t(0)).await.unwrap().id;
    let other = house.store().create_job(other, t(0)).await.unwrap().id;
    house.store().command_job(ours, JobCommand::Pause, None, t(0)).await.unwrap();
    house.store().rebind_provider(moved(), Rebind::SameAccount, t(1)).await.unwrap();
    let state = async |job| house.store().job(job).await.unwrap().unwrap().state;
    assert_eq!(state(ours).await, JobState::Paused);
    house.store().rebind_provider(moved(), Rebind::NewAccount, t(2)).await.unwrap();
    assert_eq!((state(ours).await, state(other).await), (JobState::Cancelled, JobState::Running));
}

/// I3.
pub(in crate::store) async fn a_clock_that_went_back_is_warned_of<B: Backend>() {
    let mut house = House::<B>::open().await;
    house.add(0, "one", 1, t(DAY)).await;
    assert_eq!(house.crash(t(2 * DAY)).await.clock_behind, None);
    assert_eq!(house.crash(t(DAY)).await.clock_behind, Some(Duration::from_secs(24 * 3600)));
    assert_eq!(house.crash(t(DAY + 1)).await.clock_behind, None, "warned of once");
}

/// I3: not what was seen last, for that may be wrong.
pub(in crate::store) async fn the_next_start_is_told_the_time_that_was_believed_last<B: Backend>() {
    let mut house = House::<B>::open().await;
    assert_eq!(house.crash(t(1)).await.time, KeptTime::default());
    for left in [None, Some(Duration::from_secs(60))] {
        let kept = KeptTime { sure: t(2), wall: t(800 * DAY), left };
        house.store().keep_time(kept).await.unwrap();
        house.add(0, "one", 1, t(800 * DAY)).await;
        assert_eq!(house.crash(t(801 * DAY)).await.time, kept);
    }
}

pub(in crate::store) async fn a_credential_is_proven_by_copies_on_record<B: Backend>() {
    let mut house = House::<B>::open().await;
    let (store, x) = (house.store(), house.providers[0]);
    let sample = async |dice: &[u32]| store.sample_copies(x, dice.to_vec()).await.unwrap();
    assert!(sample(&[0, 7, u32::MAX]).await.is_empty());
    for n in 0..5 {
        house.add(0, "one", n, t(1)).await;
    }
    house.serve(0, t(2), well).await;
    let contents = async |dice: &[u32]| -> Vec<Content> {
        sample(dice).await.into_iter().map(|(content, _)| content).collect()
    };
    let known = |n: u64| cid(n).content().clone();
    assert_eq!(
        contents(&[u32::MAX, 0, 1]).await,
        [known(4), known(0)],
        "the newest and the oldest, once each"
    );
    house.add(0, "one", 5, t(2)).await;
    assert_eq!(contents(&[u32::MAX]).await, [known(0)], "what is not there yet proves nothing");
    store.prove_credential(x, [7; 32]).await.unwrap();
    house.note(0, Health::AuthFailed, t(3)).await;
    house.note(0, Health::AuthFailed, t(4)).await;
    drop(store);
    house.crash(t(5)).await;
    let known = &house.store().providers().await.unwrap()[0];
    assert_eq!((known.proven, known.health, known.health_since), (Some([7; 32]), Health::AuthFailed, t(3)));
    house.store().rebind_provider(moved(), Rebind::SameAccount, t(6)).await.unwrap();
    let known = &house.store().providers().await.unwrap()[0];
    assert_eq!((known.proven, known.health), (None, Health::Healthy), "to be proven anew");
}

pub(in crate::store) async fn another_config_leaves_claims_alone<B: Backend>() {
    let house = House::<B>::open().await;
    house.add(0, "one", 1, t(1)).await;
    let claimed = house.claim(0, t(2)).await;
    assert_eq!(claimed.len(), 1);
    let registered = house.store().reregister(config(), t(3)).await.unwrap();
    assert_eq!(registered.recovered, 0);
    assert!(house.claim(0, t(4)).await.is_empty(), "still under its lease");
}

pub(in crate::store) async fn an_account_that_left_takes_no_more_pins<B: Backend>() {
    let house = House::<B>::open().await;
    let late = house.request(1, "one", 1, t(2));
    let mut without = config();
    without.accounts.truncate(1);
    house.store().reregister(without, t(1)).await.unwrap();
    let refused = house.store().accept_pin(late).await;
    assert!(matches!(refused, Err(StoreError::Unknown { what: "account", .. })), "{refused:?}");
}

/// Both may be in one commit, in either order.
pub(in crate::store) async fn an_account_leaves_or_a_pin_comes_but_not_both<B: Backend>() {
    for accept_first in [true, false] {
        let house = House::<B>::open().await;
        let mut without = config();
        without.accounts.truncate(1);
        let store = house.store();
        let accept = store.accept_pin(house.request(1, "one", 1, t(1)));
        let leave = store.reregister(without, t(1));
        let (accepted, left) = if accept_first {
            tokio::join!(accept, leave)
        } else {
            let (left, accepted) = tokio::join!(leave, accept);
            (accepted, left)
        };
        assert!(accepted.is_ok() != left.is_ok(), "{accepted:?} {left:?}");
    }
}
