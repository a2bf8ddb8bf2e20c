//! Events: made with what they tell of, read by cursor, forgotten in time.

use std::{sync::Arc, time::Duration};

use super::{Backend, house::*};
use crate::{model::*, store::*};

const MOST: u32 = 1_000_000;

fn ops() -> Option<Arc<str>> {
    Some("ops".into())
}

fn from(from: EventsFrom) -> EventQuery {
    EventQuery { from, limit: EventQuery::MAX_LIMIT, ..EventQuery::default() }
}

fn after(id: i64) -> EventQuery {
    from(EventsFrom::After(EventId(id)))
}

fn reload(n: u32) -> NewEvent {
    NewEvent::new(EventKind::Reload, n.to_string())
}

impl<B: Backend> House<B> {
    async fn page(&self, query: EventQuery) -> EventPage {
        self.other().events(query).await.unwrap()
    }

    async fn told(&self) -> Vec<Event> {
        self.page(from(EventsFrom::Oldest)).await.events
    }

    /// Events that tell of nothing but their number.
    async fn note_many(&self, numbers: std::ops::RangeInclusive<u32>, now: Timestamp) {
        let store = self.store();
        let noted = numbers.map(|n| store.note_event(reload(n), now));
        futures::future::try_join_all(noted).await.unwrap();
    }

    async fn trim(&self, kept: Duration, most: u32, now: Timestamp) -> u32 {
        let mut steps = 1;
        while self.store().trim_events(kept, most, now).await.unwrap() {
            steps += 1;
        }
        steps
    }
}

fn words(event: &Event) -> Vec<(&str, &str)> {
    event.body.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

fn subjects(page: &EventPage) -> Vec<&str> {
    page.events.iter().map(|event| event.subject.as_str()).collect()
}

pub(in crate::store) async fn a_status_change_is_an_event_and_what_changes_none_is_not<B: Backend>() {
    let mut house = House::<B>::open().await;
    let pin = house.add(0, "both", 1, t(1)).await;
    let claims = [house.claim(0, t(2)).await.remove(0), house.claim(1, t(2)).await.remove(0)];
    assert_eq!(house.told().await, [], "what a pin begins with is in its answer");
    house.say(&claims[0], landed(&claims[0], Status::Pinned), t(3)).await;
    house.say(&claims[1], landed(&claims[1], Status::Queued), t(4)).await;
    house.serve(1, t(DAY), well).await;
    house.crash(t(DAY)).await;
    let told = house.told().await;
    let changes: Vec<_> = told.iter().map(words).collect();
    assert_eq!(changes, [[("from", "queued"), ("to", "pinning")], [("from", "pinning"), ("to", "pinned")]]);
    let first = Event {
        id: EventId(1),
        at: t(3),
        kind: EventKind::PinStatus,
        account: Some(ACCOUNTS[0].into()),
        subject: pin.to_string(),
        body: told[0].body.clone(),
    };
    assert_eq!(told[0], first);
}

pub(in crate::store) async fn a_providers_health_is_an_event_when_it_changes<B: Backend>() {
    let house = House::<B>::open().await;
    house.note(0, Health::Healthy, t(1)).await;
    house.note(1, Health::Down, t(2)).await;
    house.note(1, Health::Down, t(3)).await;
    let told = house.told().await;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].kind, &*told[0].subject, told[0].at), (EventKind::ProviderHealth, "y", t(2)));
    assert_eq!(words(&told[0]), [("from", "healthy"), ("to", "down")]);
}

pub(in crate::store) async fn what_operators_do_is_an_event_that_names_them<B: Backend>() {
    let house = House::<B>::open().await;
    let (store, id) = (house.store(), |n: u32| TokenId::parse(&format!("token{n:03}")).unwrap());
    let token = NewToken {
        id: id(1),
        hash: TokenHash::of("1"),
        account: Some(house.accounts[1]),
        name: "laptop".into(),
        scopes: Scopes::NONE.with(Scope::PinsWrite),
        policies: vec![],
        expires: None,
        by: ops(),
    };
    store.create_token(token, t(1)).await.unwrap();
    let successor =
        Successor { id: id(2), hash: TokenHash::of("2"), expires: None, overlap_until: t(9), by: ops() };
    store.rotate_token(id(1), successor, t(2)).await.unwrap();
    store.revoke_token(id(2), ops(), t(3)).await.unwrap();
    store.revoke_token(id(2), ops(), t(4)).await.unwrap();
    let pin = store.accept_pin(AcceptPin { by: ops(), ..house.request(0, "one", 1, t(5)) }).await.unwrap();
    assert!(store.delete_pin(house.accounts[0], pin.requestid, ops(), t(6)).await.unwrap());
    assert!(!store.delete_pin(house.accounts[0], pin.requestid, ops(), t(7)).await.unwrap());
    let told = house.told().await;
    let acts: Vec<_> = told.iter().map(|event| (&*event.body["act"], event.account.as_deref())).collect();
    let (ada, ben) = (Some(ACCOUNTS[0]), Some(ACCOUNTS[1]));
    let expected = [
        ("token_created", ben),
        ("token_rotated", ben),
        ("token_revoked", ben),
        ("pin_added", ada),
        ("pin_removed", ada),
    ];
    assert_eq!(acts, expected);
    assert!(told.iter().all(|event| event.kind == EventKind::Admin && event.body["by"] == "ops"));
    assert_eq!(told[3].body["cid"], cid(1).as_str());
    assert_eq!((&*told[1].subject, &*told[1].body["name"]), ("token002", "laptop"));
}

pub(in crate::store) async fn events_are_read_on_from_a_cursor<B: Backend>() {
    let house = House::<B>::open().await;
    let none = house.page(after(0)).await;
    assert_eq!((none.next, none.oldest, none.missed, none.more), (EventId(0), None, false, false));
    house.note_many(1..=5, t(1)).await;
    let first = house.page(EventQuery { limit: 2, ..after(0) }).await;
    assert_eq!((subjects(&first), first.next, first.more), (vec!["1", "2"], EventId(2), true));
    let second = house.page(after(first.next.0)).await;
    assert_eq!((subjects(&second), second.next, second.more), (vec!["3", "4", "5"], EventId(5), false));
    let end = house.page(after(5)).await;
    assert_eq!((end.events, end.next, end.oldest, end.missed), (vec![], EventId(5), Some(EventId(1)), false));
    let beyond = house.page(after(99)).await;
    assert!(beyond.missed, "a cursor that this store never gave");
    assert_eq!(beyond.events.len(), 5);
}

pub(in crate::store) async fn events_are_read_by_account_and_by_kind<B: Backend>() {
    let house = House::<B>::open().await;
    house.note_many(1..=1, t(1)).await;
    let job = |account: usize| NewEvent::new(EventKind::Job, "j").of(Some(house.accounts[account]));
    for account in [0, 1] {
        house.store().note_event(job(account), t(2)).await.unwrap();
    }
    let ids = |page: EventPage| page.events.iter().map(|event| event.id.0).collect::<Vec<_>>();
    let account = |name: &str| EventQuery { account: Some(name.into()), ..after(0) };
    let of_ada = house.page(account(ACCOUNTS[0])).await;
    assert_eq!(of_ada.next, EventId(3), "what did not match was looked at, too");
    assert_eq!(ids(of_ada), [2]);
    let kinds = vec![EventKind::Reload, EventKind::Admin];
    assert_eq!(ids(house.page(EventQuery { kinds, ..after(0) }).await), [1]);
    let nobody = house.store().events(account("nobody")).await;
    assert!(matches!(nobody, Err(StoreError::Unknown { what: "account", .. })));
}

pub(in crate::store) async fn the_newest_that_match_are_read_without_a_cursor<B: Backend>() {
    let house = House::<B>::open().await;
    assert_eq!(house.page(from(EventsFrom::Last(3))).await.next, EventId(0));
    house.note_many(1..=4, t(1)).await;
    house.note(0, Health::Down, t(2)).await;
    for (count, expected) in [(0, vec![]), (2, vec!["4", "x"]), (9, vec!["1", "2", "3", "4", "x"])] {
        let last = house.page(from(EventsFrom::Last(count))).await;
        assert_eq!((subjects(&last), last.next, last.missed), (expected, EventId(5), false), "{count}");
    }
    let reloads = EventQuery { kinds: vec![EventKind::Reload], ..from(EventsFrom::Last(2)) };
    assert_eq!(subjects(&house.page(reloads).await), ["3", "4"]);
}

pub(in crate::store) async fn events_that_are_old_or_too_many_are_forgotten_step_by_step_but_never_the_newest<
    B: Backend,
>() {
    let mut house = House::<B>::open().await;
    let day = Duration::from_millis(DAY as u64);
    assert_eq!(house.trim(day, MOST, t(0)).await, 1, "of nothing nothing is forgotten");
    house.note_many(1..=1, t(1)).await;
    house.note_many(2..=1100, t(2)).await;
    house.note_many(1101..=1104, t(DAY)).await;
    house.trim(day, MOST, t(DAY + 2)).await;
    assert_eq!(house.page(after(0)).await.oldest, Some(EventId(2)), "one of a day old is not too old");
    assert_eq!(house.trim(day, MOST, t(DAY + 3)).await, 2, "a thousand at a time");
    assert_eq!(house.page(after(0)).await.oldest, Some(EventId(1101)));
    house.trim(day, 2, t(DAY + 3)).await;
    let kept = house.page(after(5)).await;
    assert_eq!(
        (subjects(&kept), kept.oldest, kept.missed),
        (vec!["1103", "1104"], Some(EventId(1103)), true)
    );
    assert!(!house.page(after(1102)).await.missed && !house.page(from(EventsFrom::Oldest)).await.missed);
    house.trim(day, 0, t(9 * DAY)).await;
    assert_eq!(house.page(after(0)).await.oldest, Some(EventId(1104)));
    house.crash(t(9 * DAY)).await;
    house.note_many(1105..=1105, t(9 * DAY)).await;
    assert_eq!(house.page(after(1104)).await.events[0].id, EventId(1105), "no id is given out twice");
}

pub(in crate::store) async fn what_a_refused_request_would_have_told_is_no_event<B: Backend>() {
    let house = House::<B>::open().await;
    let (store, quota) = (house.store(), Quota { pins: Some(1), ..Quota::NONE });
    let wish = |n| AcceptPin { quota, by: ops(), ..house.request(0, "one", n, t(1)) };
    store.accept_pin(wish(1)).await.unwrap();
    assert!(matches!(store.accept_pin(wish(2)).await, Err(StoreError::OverQuota(_))));
    let policy = AcceptPin { policy: "unknown".into(), quota: Quota::NONE, ..wish(3) };
    assert!(store.accept_pin(policy).await.is_err());
    assert_eq!(house.told().await.len(), 1);
}

pub(in crate::store) async fn a_pin_that_goes_away_by_itself_is_an_event<B: Backend>() {
    let house = House::<B>::open().await;
    let wish = AcceptPin { expires: Some(t(10)), ..house.request(1, "one", 1, t(1)) };
    let pin = house.store().accept_pin(wish).await.unwrap().requestid;
    house.store().expire_pins(t(10), 5).await.unwrap();
    let told = house.told().await;
    assert_eq!((told[0].kind, &told[0].subject), (EventKind::PinExpired, &pin.to_string()));
    assert_eq!((told[0].account.as_deref(), words(&told[0])), (Some(ACCOUNTS[1]), vec![]));
}

pub(in crate::store) async fn a_job_that_begins_came_from_no_state<B: Backend>() {
    let house = House::<B>::open().await;
    let job = NewJob {
        kind: JobKind::Audit,
        provider: Some(house.providers[0]),
        account: None,
        terms: "{}".into(),
        by: None,
    };
    let job = house.store().create_job(job, t(1)).await.unwrap();
    house.store().command_job(job.id, JobCommand::Pause, None, t(2)).await.unwrap();
    let told = house.told().await;
    assert_eq!((told[0].body.get("from"), &*told[0].body["to"]), (None, "running"));
    assert_eq!((&*told[1].body["from"], &*told[1].body["to"]), ("running", "paused"));
}
