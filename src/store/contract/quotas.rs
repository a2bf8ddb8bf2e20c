//! What an account may have: exact under any number of adds at once, given back by what is deleted.

use super::{Backend, house::*};
use crate::{model::*, store::*};

/// Midnight UTC after `t(0)`.
const MIDNIGHT: i64 = 6_400_000;
const META: &str = r#"{"key":"value"}"#;

const PINS: QuotaKind = QuotaKind::Pins;
const PER_DAY: QuotaKind = QuotaKind::PinsPerDay;
const META_BYTES: QuotaKind = QuotaKind::MetaBytes;

fn pins(most: u64) -> Quota {
    Quota { pins: Some(most), ..Quota::NONE }
}

fn per_day(most: u64) -> Quota {
    Quota { pins_per_day: Some(most), ..Quota::NONE }
}

fn meta_bytes(most: usize) -> Quota {
    Quota { meta_bytes: Some(most as u64), ..Quota::NONE }
}

impl<B: Backend> House<B> {
    fn wish(&self, n: u64, quota: Quota, meta: bool, now: Timestamp) -> AcceptPin {
        let mut request = self.request(0, "one", n, now);
        request.quota = quota;
        request.spec.meta = meta.then(|| Meta::from_json(META).unwrap());
        request
    }

    async fn ask(&self, n: u64, quota: Quota, meta: bool, now: Timestamp) -> Result<RequestId, OverQuota> {
        let accepted = self.store().accept_pin(self.wish(n, quota, meta, now)).await;
        told(accepted.map(|pin| pin.requestid))
    }

    /// What the first account has used, in the order of [`QuotaKind::ALL`].
    async fn used(&self, now: Timestamp) -> Vec<u64> {
        let stats = self.other().stats(now).await.unwrap();
        stats.used.iter().filter(|(name, _, _)| name == ACCOUNTS[0]).map(|(_, _, used)| *used).collect()
    }
}

fn told<T>(result: Result<T, StoreError>) -> Result<T, OverQuota> {
    result.map_err(|error| match error {
        StoreError::OverQuota(over) => over,
        other => panic!("{other}"),
    })
}

fn over(quota: QuotaKind, most: u64, used: u64) -> OverQuota {
    OverQuota { quota, most, used }
}

pub(in crate::store) async fn a_pin_too_many_is_refused_and_nothing_is_recorded<B: Backend>() {
    let house = House::<B>::open().await;
    house.ask(1, pins(1), false, t(1)).await.unwrap();
    assert_eq!(house.ask(2, pins(1), true, t(2)).await, Err(over(PINS, 1, 1)));
    assert_eq!(house.list(0, StatusSet::ALL).await.count, 1);
    assert_eq!(house.used(t(2)).await, [1, 1, 0]);
    house.ask(3, pins(2), false, t(3)).await.unwrap();
    let other = house.request(1, "one", 4, t(4));
    assert!(house.store().accept_pin(AcceptPin { quota: pins(1), ..other }).await.is_ok(), "each its own");
    house.backend.check().await;
}

/// Also where a whole batch of adds is committed at once.
pub(in crate::store) async fn many_adds_at_once_stop_exactly_at_the_quota<B: Backend>() {
    let house = House::<B>::open().await;
    let quota = Quota { pins: Some(700), pins_per_day: Some(650), meta_bytes: Some(600 * META.len() as u64) };
    let writes = (0..1400).map(|n| {
        let (request, store) = (house.wish(n, quota, n % 10 != 0, t(1)), [house.store(), house.other()]);
        async move { told(store[usize::from(n % 2 == 0)].accept_pin(request).await) }
    });
    let answers = futures::future::join_all(writes).await;
    let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
    let used = house.used(t(2)).await;
    assert_eq!((used[0], used[1]), (accepted as u64, accepted as u64));
    assert!(used[1] <= 650 && used[2] <= 600 * META.len() as u64, "{used:?}");
    let next = house.ask(5000, quota, true, t(3)).await.unwrap_err();
    assert!([PER_DAY, META_BYTES].contains(&next.quota), "{next:?}");
    assert_eq!(house.list(0, StatusSet::ALL).await.count, accepted as u64);
    house.backend.check().await;
}

pub(in crate::store) async fn deletes_give_pins_and_bytes_back_but_not_the_days_count<B: Backend>() {
    let house = House::<B>::open().await;
    let quota = Quota { pins_per_day: Some(3), ..pins(1) };
    let pin = house.ask(1, quota, true, t(1)).await.unwrap();
    assert_eq!(house.used(t(1)).await, [1, 1, META.len() as u64]);
    assert!(house.delete(0, pin, t(2)).await);
    assert!(!house.delete(0, pin, t(2)).await);
    assert_eq!(house.used(t(2)).await, [0, 1, 0]);
    for n in 2..4 {
        let pin = house.ask(n, quota, false, t(3)).await.unwrap();
        house.delete(0, pin, t(3)).await;
    }
    assert_eq!(house.ask(4, quota, false, t(4)).await, Err(over(PER_DAY, 3, 3)));
    house.backend.check().await;
}

pub(in crate::store) async fn a_new_day_begins_at_midnight_utc<B: Backend>() {
    let mut house = House::<B>::open().await;
    house.ask(1, per_day(1), false, t(MIDNIGHT - 2)).await.unwrap();
    assert_eq!(house.ask(2, per_day(1), false, t(MIDNIGHT - 1)).await, Err(over(PER_DAY, 1, 1)));
    assert_eq!(house.used(t(MIDNIGHT)).await, [1, 0, 0]);
    house.ask(2, per_day(1), false, t(MIDNIGHT)).await.unwrap();
    house.crash(t(MIDNIGHT + 1)).await;
    assert_eq!(house.ask(3, per_day(1), false, t(MIDNIGHT + 2)).await, Err(over(PER_DAY, 1, 1)));
    house.ask(3, per_day(1), false, t(MIDNIGHT + DAY)).await.unwrap();
    house.backend.check().await;
}

pub(in crate::store) async fn a_replace_counts_to_the_day_and_frees_what_the_old_pin_took<B: Backend>() {
    let house = House::<B>::open().await;
    let quota = Quota { pins_per_day: Some(3), meta_bytes: Some(META.len() as u64), ..pins(1) };
    let old = house.ask(1, quota, true, t(1)).await.unwrap();
    let new = house.store().replace_pin(old, house.wish(2, quota, true, t(2))).await.unwrap().unwrap();
    let again = house.store().replace_pin(new.requestid, house.wish(2, quota, true, t(3))).await;
    let again = again.unwrap().unwrap().requestid;
    assert_eq!(house.used(t(3)).await, [1, 3, META.len() as u64]);
    let refused = told(house.store().replace_pin(again, house.wish(3, quota, false, t(4))).await);
    assert_eq!(refused.map(drop), Err(over(PER_DAY, 3, 3)));
    let refused = told(house.store().replace_pin(again, house.wish(3, meta_bytes(0), true, t(4))).await);
    assert!(refused.is_ok(), "no more than before");
    assert!(house.find(0, again).await.is_none());
    house.backend.check().await;
}

pub(in crate::store) async fn a_refused_replace_leaves_the_old_pin<B: Backend>() {
    let house = House::<B>::open().await;
    let old = house.ask(1, Quota::NONE, false, t(1)).await.unwrap();
    let refused = told(house.store().replace_pin(old, house.wish(2, meta_bytes(3), true, t(2))).await);
    assert_eq!(refused.map(drop), Err(over(META_BYTES, 3, 0)));
    assert_eq!(house.status(old).await, Status::Queued);
    let gone = house.store().replace_pin(RequestId::mint(t(1)), house.wish(2, pins(0), true, t(2))).await;
    assert!(gone.unwrap().is_none(), "there is no such pin, whatever the quota");
    house.backend.check().await;
}

pub(in crate::store) async fn a_lowered_quota_lets_be_what_is_there<B: Backend>() {
    let house = House::<B>::open().await;
    let pin = house.ask(1, Quota::NONE, true, t(1)).await.unwrap();
    house.ask(2, Quota::NONE, true, t(2)).await.unwrap();
    assert_eq!(house.ask(3, pins(1), false, t(3)).await, Err(over(PINS, 1, 2)));
    house.ask(3, meta_bytes(1), false, t(3)).await.unwrap();
    assert!(house.store().replace_pin(pin, house.wish(1, pins(1), false, t(4))).await.unwrap().is_some());
    house.backend.check().await;
}
