//! Tokens: made, found by what changed, rotated, revoked, seen, forgotten.

use super::{Backend, house::*};
use crate::{model::*, store::*};

fn id(n: u32) -> TokenId {
    TokenId::parse(&format!("token{n:03}")).unwrap()
}

fn hash(n: u32) -> TokenHash {
    TokenHash::of(n.to_string())
}

impl<B: Backend> House<B> {
    fn token(&self, n: u32, name: &str) -> NewToken {
        NewToken {
            id: id(n),
            hash: hash(n),
            account: Some(self.accounts[0]),
            name: name.into(),
            scopes: Scopes::NONE.with(Scope::PinsWrite),
            policies: vec!["one".into(), "two".into()],
            expires: Some(t(1000)),
            by: None,
        }
    }

    async fn found(&self, n: u32) -> TokenRecord {
        let all = self.store().tokens(None, 1000).await.unwrap();
        all.into_iter().find(|token| token.id == id(n)).unwrap()
    }

    async fn changed(&self, after: u64) -> Vec<TokenId> {
        self.store().token_changes(after).await.unwrap().iter().map(|token| token.id).collect()
    }
}

fn succeed(n: u32, overlap_until: Timestamp) -> Successor {
    Successor { id: id(n), hash: hash(n), expires: None, overlap_until, by: None }
}

pub(in crate::store) async fn a_token_is_read_back_as_it_was_made_also_after_a_crash<B: Backend>() {
    let mut house = House::<B>::open().await;
    assert_eq!(house.store().token_changes(0).await.unwrap(), []);
    let made = house.store().create_token(house.token(1, "laptop"), t(1)).await.unwrap();
    let expected = TokenRecord {
        id: id(1),
        account: Some((house.accounts[0], ACCOUNTS[0].to_owned())),
        name: "laptop".into(),
        hash: hash(1),
        scopes: Scopes::NONE.with(Scope::PinsWrite),
        policies: vec!["one".into(), "two".into()],
        created: t(1),
        expires: Some(t(1000)),
        revoked: None,
        replaced_by: None,
        last_use: None,
        revision: 1,
    };
    assert_eq!(made, expected);
    let plain = NewToken { account: None, policies: vec![], expires: None, ..house.token(2, "ops") };
    let plain = house.store().create_token(plain, t(2)).await.unwrap();
    assert_eq!((&plain.account, plain.ends()), (&None, None));
    house.backend.reopen().await;
    assert_eq!(house.store().token_changes(0).await.unwrap(), [expected, plain]);
}

pub(in crate::store) async fn a_live_name_and_a_secret_belong_to_one_token<B: Backend>() {
    let house = House::<B>::open().await;
    let [one, two] = house.backend.handles();
    let (a, b) = futures::join!(
        one.create_token(house.token(1, "laptop"), t(1)),
        two.create_token(house.token(2, "laptop"), t(1))
    );
    let refused = [a, b].into_iter().filter(|made| matches!(made, Err(StoreError::Taken { .. }))).count();
    assert_eq!(refused, 1);
    let other = NewToken { account: Some(house.accounts[1]), ..house.token(3, "laptop") };
    one.create_token(other, t(1)).await.unwrap();
    let secret = NewToken { hash: hash(3), ..house.token(4, "phone") };
    let refused = one.create_token(secret, t(1)).await;
    assert!(matches!(&refused, Err(StoreError::Taken { .. })), "{refused:?}");
    assert!(!format!("{refused:?}").contains(&format!("{:x}", hash(3))));
    let nobody = NewToken { account: Some(AccountId(999)), ..house.token(5, "phone") };
    assert!(matches!(one.create_token(nobody, t(1)).await, Err(StoreError::Unknown { .. })));
    one.create_token(house.token(6, "laptop"), t(1000)).await.expect("the name of one that has expired");
}

pub(in crate::store) async fn what_changed_is_found_by_the_revision_seen_before<B: Backend>() {
    let house = House::<B>::open().await;
    let store = house.store();
    for n in 1..=3 {
        store.create_token(house.token(n, &n.to_string()), t(1)).await.unwrap();
    }
    assert_eq!(house.changed(0).await, [id(1), id(2), id(3)]);
    assert_eq!(house.changed(2).await, [id(3)]);
    assert_eq!(house.changed(3).await, []);
    store.revoke_token(id(1), None, t(2)).await.unwrap();
    assert_eq!(house.changed(3).await, [id(1)]);
    store.rotate_token(id(2), succeed(4, t(5)), t(3)).await.unwrap();
    assert_eq!(house.changed(4).await, [id(2), id(4)]);
    store.note_token_uses(vec![TokenUse { id: id(3), at: t(4), from: [127, 0, 0, 1].into() }]).await.unwrap();
    assert_eq!(house.changed(6).await, []);
    store.forget_tokens(t(2000)).await.unwrap();
    assert_eq!(house.found(4).await.revision, 6, "it has no end");
    store.create_token(house.token(5, "5"), t(5)).await.unwrap();
    assert_eq!(house.changed(6).await, [id(5)], "no revision is given twice");
}

pub(in crate::store) async fn a_revoked_token_stays_so_from_its_first_revocation<B: Backend>() {
    let house = House::<B>::open().await;
    let store = house.store();
    store.create_token(house.token(1, "laptop"), t(1)).await.unwrap();
    assert_eq!(store.revoke_token(id(9), None, t(2)).await.unwrap(), None);
    let revoked = store.revoke_token(id(1), None, t(2)).await.unwrap().unwrap();
    assert_eq!((revoked.revoked, revoked.is_live(t(2)), revoked.is_live(t(1))), (Some(t(2)), false, true));
    let again = store.revoke_token(id(1), None, t(3)).await.unwrap().unwrap();
    assert_eq!(again, revoked);
    assert_eq!(store.rotate_token(id(1), succeed(2, t(9)), t(3)).await.unwrap(), None);
    store.create_token(house.token(3, "laptop"), t(3)).await.expect("its name is free");
}

pub(in crate::store) async fn a_rotated_token_lives_on_for_the_overlap_and_no_longer_than_before<
    B: Backend,
>() {
    let house = House::<B>::open().await;
    let store = house.store();
    store.create_token(house.token(1, "laptop"), t(1)).await.unwrap();
    let new = store.rotate_token(id(1), succeed(2, t(50)), t(2)).await.unwrap().unwrap();
    let old = house.found(1).await;
    assert_eq!((old.replaced_by, old.ends()), (Some(id(2)), Some(t(50))));
    assert_eq!((new.name.as_str(), new.scopes, &new.policies), ("laptop", old.scopes, &old.policies));
    assert_eq!((&new.account, new.ends(), new.created), (&old.account, None, t(2)));
    assert_eq!(store.rotate_token(id(1), succeed(3, t(60)), t(3)).await.unwrap(), None, "it has a successor");
    assert!(matches!(
        store.create_token(house.token(4, "laptop"), t(3)).await,
        Err(StoreError::Taken { .. })
    ));
    store.create_token(house.token(5, "short"), t(3)).await.unwrap();
    store.rotate_token(id(5), succeed(6, t(DAY)), t(4)).await.unwrap().unwrap();
    assert_eq!(house.found(5).await.ends(), Some(t(1000)), "no later than it would have ended");
}

pub(in crate::store) async fn the_last_use_of_a_token_is_kept<B: Backend>() {
    let house = House::<B>::open().await;
    let store = house.store();
    store.create_token(house.token(1, "laptop"), t(1)).await.unwrap();
    let used = |at, from: &str| TokenUse { id: id(1), at, from: from.parse().unwrap() };
    store.note_token_uses(vec![used(t(5), "10.0.0.1"), used(t(4), "10.0.0.2")]).await.unwrap();
    assert_eq!(house.found(1).await.last_use, Some((t(5), "10.0.0.1".parse().unwrap())));
    store
        .note_token_uses(vec![used(t(6), "fe80::1"), TokenUse { id: id(9), ..used(t(6), "::") }])
        .await
        .unwrap();
    assert_eq!(house.found(1).await.last_use, Some((t(6), "fe80::1".parse().unwrap())));
}

pub(in crate::store) async fn tokens_that_ended_long_ago_are_forgotten_but_for_operators<B: Backend>() {
    let house = House::<B>::open().await;
    let store = house.store();
    let ops = NewToken { scopes: Scopes::NONE.with(Scope::AdminRead), ..house.token(1, "ops") };
    store.create_token(ops, t(1)).await.unwrap();
    store.create_token(house.token(2, "expired"), t(1)).await.unwrap();
    store.create_token(NewToken { expires: None, ..house.token(3, "revoked") }, t(1)).await.unwrap();
    store.create_token(NewToken { expires: None, ..house.token(4, "live") }, t(1)).await.unwrap();
    store.revoke_token(id(3), None, t(10)).await.unwrap();
    assert_eq!(store.forget_tokens(t(10)).await.unwrap(), 0);
    assert_eq!(store.forget_tokens(t(11)).await.unwrap(), 1);
    assert_eq!(store.forget_tokens(t(1001)).await.unwrap(), 1);
    let left: Vec<_> = store.tokens(None, 10).await.unwrap().iter().map(|token| token.id).collect();
    assert_eq!(left, [id(1), id(4)]);
    let page: Vec<_> = store.tokens(Some(id(1)), 1).await.unwrap().iter().map(|token| token.id).collect();
    assert_eq!(page, [id(4)]);
}
