//! `created` (I3), and the lists that hang on it (I4).

use std::collections::BTreeSet;

use super::{Backend, house::*};
use crate::model::*;

/// 2038-01-19, when 32 bits of seconds end.
const FAR: Timestamp = Timestamp::from_millis(2_147_483_648_000);

async fn created<B: Backend>(house: &House<B>, account: usize, n: u64, now: Timestamp) -> Timestamp {
    let request = house.request(account, "one", n, now);
    house.store().accept_pin(request).await.unwrap().created
}

/// I3.
pub(in crate::store) async fn created_rises_strictly_in_a_burst_of_many_writers<B: Backend>() {
    let house = House::<B>::open().await;
    let writes = (0..400).map(|n| {
        let (request, store) = (house.request(0, "one", n, t(1)), [house.store(), house.other()]);
        async move { store[usize::from(n % 2 == 0)].accept_pin(request).await.unwrap().created }
    });
    let created = futures::future::join_all(writes).await;
    let distinct: BTreeSet<_> = created.iter().copied().collect();
    assert_eq!((distinct.len(), distinct.first(), distinct.last()), (400, Some(&t(1)), Some(&t(400))));
    let listed: Vec<_> = house.list(0, StatusSet::ALL).await.pins.iter().map(|pin| pin.created).collect();
    assert!(listed.iter().rev().eq(distinct.iter()), "newest first");
    let ahead = house.store().stats(t(100)).await.unwrap().created_ahead;
    assert_eq!(ahead.as_millis(), 300);
}

/// I3.
pub(in crate::store) async fn created_rises_while_the_clock_jumps<B: Backend>() {
    let mut house = House::<B>::open().await;
    let mut last = created(&house, 0, 0, t(0)).await;
    for (n, now) in (1..).zip([t(10), t(10 - 3_600_000), t(20), FAR, t(30), t(40)]) {
        let next = created(&house, 0, n, now).await;
        assert_eq!(next, now.max(Timestamp::from_millis(last.as_millis() + 1)));
        last = next;
        if n % 2 == 0 {
            house.crash(now).await;
        }
    }
}

/// I3.
pub(in crate::store) async fn created_rises_from_deleted_pins_too<B: Backend>() {
    let mut house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, FAR).await;
    house.delete(0, pin, t(1)).await;
    house.crash(t(2)).await;
    assert!(created(&house, 0, 1, t(3)).await > FAR);
}

pub(in crate::store) async fn accounts_have_clocks_of_their_own<B: Backend>() {
    let house = House::<B>::open().await;
    assert_eq!(created(&house, 0, 1, FAR).await, FAR);
    assert_eq!(created(&house, 1, 1, t(1)).await, t(1));
    assert_eq!(created(&house, 1, 2, t(1)).await, t(2));
}

/// I4: each page's count is exact, and a walk sees what was there throughout it exactly once.
pub(in crate::store) async fn lists_and_counts_agree_while_pins_come_and_go<B: Backend>() {
    let house = House::<B>::open().await;
    let mut kept = BTreeSet::new();
    let mut doomed = Vec::new();
    for n in 0..60 {
        let pin = house.add(0, "one", n, t(1)).await;
        match n % 3 {
            0 => doomed.push(pin),
            _ => assert!(kept.insert(pin)),
        }
    }
    let mut seen = Vec::new();
    let mut before = None;
    for n in 0.. {
        let query = ListQuery { before, limit: 7, ..ListQuery::with_statuses(StatusSet::ALL) };
        let page = house.other().list_pins(house.accounts[0], query).await.unwrap();
        let Some(last) = page.pins.last() else { break };
        before = Some(last.created);
        seen.extend(page.pins.iter().map(|pin| pin.requestid));
        let rest = ListQuery { before, limit: 1, ..ListQuery::with_statuses(StatusSet::ALL) };
        let rest = house.other().list_pins(house.accounts[0], rest).await.unwrap().count;
        assert_eq!(page.count, rest + page.pins.len() as u64);
        if let Some(pin) = doomed.pop() {
            house.delete(0, pin, t(2)).await;
        }
        house.add(0, "one", 1000 + n, t(2)).await;
    }
    let distinct: BTreeSet<_> = seen.iter().copied().collect();
    assert_eq!(distinct.len(), seen.len());
    assert!(kept.is_subset(&distinct));
}
