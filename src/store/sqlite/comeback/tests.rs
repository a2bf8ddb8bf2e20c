use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    lifecycle::Changes,
    model::{
        Ask, Audit, AuditBy, BudgetClass, ClockDoubt, Granted, JobKind, JobState, KeptTime, LedgerTime,
        ManualClock, Mode, NewJob, Rate, Scopes, Status, SureClock, TokenHash, TokenId, UpstreamId,
    },
    policy::replica::Work,
    store::{
        EventQuery, EventStore, EventsFrom, JobStore, Listed, NewToken, SharedStore, Store, TokenStore,
        Weigh, Word,
        contract::{Backend, house::*, scratch},
        sqlite::{SqliteSettings, snapshot},
    },
    telemetry::Metrics,
};

/// A database that is never reopened: what comes back is the same file, which is as good as a copy of it.
struct Kept {
    dir: tempfile::TempDir,
    store: Arc<SqliteStore>,
}

impl Backend for Kept {
    async fn open() -> Self {
        let dir = scratch();
        let settings = SqliteSettings::default();
        let store =
            SqliteStore::open(&dir.path().join("pins.db"), &settings, Changes::default(), &Metrics::new());
        Self { store: Arc::new(store.unwrap()), dir }
    }

    fn handles(&self) -> [SharedStore; 2] {
        [self.store.clone(), self.store.clone()]
    }

    async fn reopen(&mut self) {}

    async fn check(&self) {
        super::super::contract::check(&self.dir.path().join("pins.db"));
    }
}

const HOUR: i64 = 3600 * 1000;

/// An hour after the backup, and a minute for what was on its way.
fn comeback() -> Comeback {
    Comeback {
        now: t(HOUR),
        settled: t(HOUR + 60_000),
        removals_from: t(HOUR + 7 * DAY),
        exclusive: vec!["x".to_owned()],
        ..Comeback::default()
    }
}

/// What the other house knows, as if it had gone on from this one.
fn after(then: &House<Kept>, since: &House<Kept>) -> Later {
    let mut later = Later::read(&since.backend.dir.path().join("pins.db")).unwrap();
    later.instance = *then.backend.store.instance().0.as_bytes();
    later
}

async fn back(house: &House<Kept>, from: Comeback) -> CameBack {
    let done = house.backend.store.come_back(from).await.unwrap();
    house.backend.check().await;
    done
}

fn number(house: &House<Kept>, sql: &str) -> i64 {
    let conn = super::super::open::open_reader(&house.backend.dir.path().join("pins.db")).unwrap();
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn text(house: &House<Kept>, sql: &str) -> String {
    let conn = super::super::open::open_reader(&house.backend.dir.path().join("pins.db")).unwrap();
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// I7.
#[tokio::test]
async fn what_may_have_been_sent_since_is_looked_for_before_it_is_sent() {
    let house = House::<Kept>::open().await;
    house.add(0, "one", 1, t(1)).await;
    back(&house, comeback()).await;
    assert!(house.claim(0, t(HOUR + 59_000)).await.is_empty(), "a call of before may yet take effect");
    let claims = house.claim(0, t(HOUR + 61_000)).await;
    assert_eq!(claims[0].work, Work::Look);
    house.say(&claims[0], Word::NotFound { asked_at: t(HOUR + 61_000) }, t(HOUR + 61_000)).await;
    let claims = house.claim(0, t(HOUR + 62_000)).await;
    assert_eq!(claims[0].work, Work::Submit);
    house.say(&claims[0], landed(&claims[0], Status::Pinned), t(HOUR + 62_000)).await;
    house.backend.check().await;
}

/// I7: also where a submit was on its way already.
#[tokio::test]
async fn an_old_doubt_is_not_settled_by_a_look_that_leaves_too_soon() {
    let house = House::<Kept>::open().await;
    house.add(0, "one", 1, t(1)).await;
    let claims = house.claim(0, t(2)).await;
    assert_eq!(claims[0].work, Work::Submit);
    house.say(&claims[0], error(crate::model::ErrorClass::Transient, true), t(3)).await;
    back(&house, comeback()).await;
    assert!(house.claim(0, t(HOUR + 59_000)).await.is_empty());
    assert_eq!(house.claim(0, t(HOUR + 61_000)).await[0].work, Work::Look);
}

/// I13: where others use the credential, too, what a look-up finds is not taken for ours.
#[tokio::test]
async fn what_is_found_where_others_pin_too_stays_theirs() {
    let house = House::<Kept>::open().await;
    house.add(0, "one", 1, t(1)).await;
    back(&house, Comeback { exclusive: Vec::new(), removals_from: t(HOUR), ..comeback() }).await;
    let due = crate::store::ClaimRequest { exclusive: false, ..house.due(0, t(HOUR + 61_000)) };
    let claims = house.store().claim_due(due).await.unwrap().claims;
    assert_eq!(claims[0].work, Work::Look);
    let found = Word::Found {
        upstream: upstream(&claims[0]),
        status: Status::Pinned,
        delegates: Vec::new(),
        ours: false,
        doubles: Vec::new(),
    };
    house.say(&claims[0], found, t(HOUR + 61_000)).await;
    assert_eq!(number(&house, "SELECT owned FROM replicas"), crate::model::Owned::Found.code());
}

/// A later pin may have asked for it again, under the same upstream id.
#[tokio::test]
async fn what_was_to_be_removed_then_is_left_where_it_is() {
    let house = House::<Kept>::open().await;
    let (kept, going) = (house.add(0, "one", 1, t(1)).await, house.add(0, "one", 2, t(1)).await);
    house.serve(0, t(2), well).await;
    assert!(house.delete(0, going, t(3)).await);
    assert_eq!(back(&house, comeback()).await.left, 1);
    let works: Vec<_> =
        house.claim(0, t(HOUR + 30 * DAY)).await.into_iter().map(|claim| claim.work).collect();
    assert!(matches!(works[..], [Work::See(_)]), "{works:?}");
    assert_eq!(house.status(kept).await, Status::Pinned);
}

#[tokio::test]
async fn nothing_is_removed_before_there_was_time_to_find_out() {
    let house = House::<Kept>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    house.serve(0, t(2), well).await;
    back(&house, comeback()).await;
    assert!(house.delete(0, pin, t(2 * HOUR)).await);
    for now in [2 * HOUR, 3 * DAY, HOUR + 7 * DAY - 1] {
        assert!(house.claim(0, t(now)).await.is_empty(), "{now}");
    }
    let claims = house.claim(0, t(HOUR + 7 * DAY)).await;
    assert!(matches!(claims[0].work, Work::Delete(_)));
    house.say(&claims[0], Word::Removed, t(HOUR + 7 * DAY)).await;
    house.backend.check().await;
}

/// I8.
#[tokio::test]
async fn no_copy_is_confirmed_until_it_was_seen_again() {
    let house = House::<Kept>::open().await;
    house.add(0, "both", 1, t(1)).await;
    for provider in [0, 1] {
        house.serve(provider, t(2), well).await;
        house.serve(provider, t(HOUR - 1), well).await;
    }
    let confirmed = "SELECT count(*) FROM replicas WHERE verified_at IS NOT NULL";
    assert_eq!(number(&house, confirmed), 2);
    assert_eq!(back(&house, comeback()).await.believed, 2);
    assert_eq!(number(&house, confirmed), 0);
    let claims = house.claim(0, t(HOUR + 120_000)).await;
    assert!(matches!(claims[0].work, Work::See(_)));
    assert_eq!(
        number(&house, "SELECT count(*) FROM providers WHERE proven IS NOT NULL OR swept_at IS NOT NULL"),
        0
    );
}

/// I8: what moves away waits for confirmed copies elsewhere, and swept providers' copies have no looks of their own.
#[tokio::test]
async fn what_a_sweep_meets_is_confirmed_again() {
    let mut house = House::<Kept>::open().await;
    let mut swept = config();
    for provider in &mut swept.providers {
        provider.facts.audit = Some(Audit { every: Duration::from_secs(3600), by: AuditBy::Sweep });
    }
    house.register(swept, t(0)).await.unwrap();
    house.add(0, "both", 1, t(1)).await;
    for provider in [0, 1] {
        house.serve(provider, t(2), well).await;
        house.serve(provider, t(HOUR - 1), well).await;
    }
    house.backend.store.come_back(comeback()).await.unwrap();
    let now = HOUR + DAY;
    house.store().set_mode(house.providers[0], Mode::Draining, false, None, t(now)).await.unwrap();
    house.store().resettle_step(1000).await.unwrap();
    house.drain(t(now)).await;
    for later in [0, HOUR] {
        house.serve(2, t(now + later), well).await;
        house.drain(t(now + later)).await;
    }
    let going = "SELECT count(*) FROM replicas WHERE goal = 1";
    assert_eq!(number(&house, going), 0, "the one that stays is not confirmed");
    let (store, provider, began) = (house.store(), house.providers[1], t(now + 2 * HOUR));
    let (kind, terms) = (JobKind::Audit, "{}".to_owned());
    let job = NewJob { kind, provider: Some(provider), account: None, terms, by: None };
    let job = store.create_job(job, began).await.unwrap().id;
    let upstream = text(&house, "SELECT upstream FROM replicas WHERE provider = 2");
    let upstream = UpstreamId::new(upstream).unwrap();
    let content = cid(1).content().clone();
    let row = Listed { upstream, content, pinned: true, name: None, created: None };
    store.audit_page(job, provider, vec![row], began).await.unwrap();
    let weigh = Weigh { job, provider, began, after: ContentId(0), limit: 100 };
    assert_eq!(store.audit_weigh(weigh).await.unwrap().suspects, 0);
    house.drain(began).await;
    assert_eq!(number(&house, going), 1);
}

/// I3; and what follows events goes on.
#[tokio::test]
async fn times_and_ids_of_events_go_on_and_the_instance_is_another() {
    let house = House::<Kept>::open().await;
    let last = house.add(0, "one", 1, t(2 * HOUR)).await;
    let last = house.pin(last).await.created;
    let before = house.backend.store.instance();
    house.serve(0, t(2 * HOUR), well).await;
    let newest = number(&house, "SELECT max(id) FROM events");
    back(&house, comeback()).await;
    let next = house.add(0, "one", 2, t(1)).await;
    assert!(house.pin(next).await.created > last);
    let other = house.add(1, "one", 2, t(1)).await;
    assert!(house.find(1, other).await.unwrap().created > t(HOUR));
    assert!(number(&house, "SELECT max(id) FROM events") >= newest + EVENTS_SINCE);
    let id = number(&house, "SELECT count(*) FROM instance WHERE removals_from > 0");
    assert_eq!(id, 1);
    let conn = super::super::open::open_reader(&house.backend.dir.path().join("pins.db")).unwrap();
    assert_ne!(super::super::open::instance(&conn).unwrap(), before);
    let query = EventQuery { from: EventsFrom::Last(5), limit: 100, ..EventQuery::default() };
    let told = house.backend.store.events(query).await.unwrap();
    assert!(told.events.iter().any(|event| event.body.get("act").is_some_and(|act| act == "store_restored")));
}

#[tokio::test]
async fn jobs_rest_and_audits_end() {
    let house = House::<Kept>::open().await;
    let job = |kind, provider: usize| NewJob {
        kind,
        provider: Some(house.providers[provider]),
        account: None,
        terms: "{}".to_owned(),
        by: None,
    };
    let store = &house.backend.store;
    let drain = store.create_job(job(JobKind::Drain, 0), t(1)).await.unwrap();
    let audit = store.create_job(job(JobKind::Audit, 1), t(1)).await.unwrap();
    assert!(store.drain(drain.id, true, t(1)).await.unwrap());
    assert_eq!(back(&house, comeback()).await.jobs_stopped, 2);
    let state = async |id| store.job(id).await.unwrap().unwrap().state;
    assert_eq!((state(drain.id).await, state(audit.id).await), (JobState::Paused, JobState::Cancelled));
    assert_eq!(store.providers().await.unwrap()[0].mode, crate::model::Mode::Readonly, "nothing leaves it");
}

fn token(id: &str) -> NewToken {
    NewToken {
        id: TokenId::parse(id).unwrap(),
        hash: TokenHash::from([id.as_bytes()[0]; 32]),
        account: None,
        name: id.to_owned(),
        scopes: Scopes::NONE,
        policies: Vec::new(),
        expires: None,
        by: None,
    }
}

#[tokio::test]
async fn tokens_that_were_revoked_since_let_nobody_in() {
    let [then, since] = [House::<Kept>::open().await, House::<Kept>::open().await];
    let ids = ["aaaaaaaa", "bbbbbbbb", "cccccccc"];
    for id in ids {
        then.backend.store.create_token(token(id), t(1)).await.unwrap();
    }
    for id in &ids[..2] {
        since.backend.store.create_token(token(id), t(1)).await.unwrap();
    }
    let revoked = TokenId::parse(ids[1]).unwrap();
    since.backend.store.revoke_token(revoked, None, t(2)).await.unwrap();
    let later = after(&then, &since);
    let done = back(&then, Comeback { later: Some(later), ..comeback() }).await;
    assert_eq!((done.tokens_ended, done.tokens_live), (2, 1));
    let live = tokens::live(&then.backend.store.readers.point(), t(HOUR)).unwrap();
    assert_eq!(live, [TokenId::parse(ids[0]).unwrap()]);
    let done = back(&then, Comeback { revoke_tokens: true, ..comeback() }).await;
    assert_eq!((done.tokens_ended, done.tokens_live), (1, 0));
}

/// As after a start without a store.
#[tokio::test]
async fn a_store_that_was_made_anew_ends_no_tokens() {
    let [then, anew] = [House::<Kept>::open().await, House::<Kept>::open().await];
    then.backend.store.create_token(token("aaaaaaaa"), t(1)).await.unwrap();
    let later = Later::read(&anew.backend.dir.path().join("pins.db")).unwrap();
    let done = back(&then, Comeback { later: Some(later), ..comeback() }).await;
    assert_eq!((done.knew_later, done.tokens_ended, done.tokens_live), (false, 0, 1));
}

fn ask(want: u32, now: Timestamp) -> Ask {
    let rate = Rate { calls: 4, per: Duration::from_secs(3600) };
    let mut rates = Rates::default();
    rates[BudgetClass::Write] = Some(rate);
    Ask {
        group: "provider/x".into(),
        class: BudgetClass::Write,
        rates,
        want,
        lasts: Duration::from_secs(1),
        at: LedgerTime { now, ahead: 0 },
        unspent: Vec::new(),
    }
}

/// I9.
#[tokio::test]
async fn calls_that_are_not_on_record_count_as_many_as_there_may_have_been() {
    let house = House::<Kept>::open().await;
    let budgets = vec![("provider/x".into(), ask(1, t(0)).rates)];
    back(&house, Comeback { budgets: budgets.clone(), ..comeback() }).await;
    let reserve = async |now| house.store().reserve_calls(ask(4, now)).await.unwrap();
    assert!(matches!(reserve(t(HOUR + 1)).await, Granted::Wait(_)));
    assert!(matches!(reserve(t(2 * HOUR)).await, Granted::Wait(_)));
    assert!(matches!(reserve(t(3 * HOUR)).await, Granted::Calls(calls) if calls.calls == 4));
    let other = House::<Kept>::open().await;
    back(&other, Comeback { budgets, nothing_was_sent: true, ..comeback() }).await;
    assert!(matches!(other.store().reserve_calls(ask(4, t(HOUR + 1))).await.unwrap(), Granted::Calls(_)));
}

#[tokio::test]
async fn calls_that_the_later_store_knows_of_count_and_no_others() {
    let [then, since] = [House::<Kept>::open().await, House::<Kept>::open().await];
    assert!(matches!(since.store().reserve_calls(ask(3, t(HOUR - 1))).await.unwrap(), Granted::Calls(_)));
    let later = after(&then, &since);
    let budgets = vec![("provider/x".into(), ask(1, t(0)).rates)];
    back(&then, Comeback { budgets, later: Some(later), ..comeback() }).await;
    let granted = then.store().reserve_calls(ask(4, t(HOUR + 1))).await.unwrap();
    assert!(matches!(granted, Granted::Calls(calls) if calls.calls == 1));
}

/// What a start then makes of its clock.
fn doubt(house: &House<Kept>, now: Timestamp) -> Option<ClockDoubt> {
    let kept = snapshot::about(&house.backend.dir.path().join("pins.db")).unwrap().time;
    SureClock::new(Arc::new(ManualClock::at(now)), kept).doubt()
}

#[tokio::test]
async fn the_age_of_a_backup_is_no_leap_of_the_clock() {
    let house = House::<Kept>::open().await;
    let now = t(400 * DAY);
    let kept = KeptTime { sure: t(1), wall: t(1), left: None };
    house.backend.store.keep_time(kept).await.unwrap();
    assert!(doubt(&house, now).is_some_and(|doubt| !doubt.is_slight()));
    let done = back(&house, Comeback { now, ..comeback() }).await;
    assert_eq!((done.clock, doubt(&house, now)), (Some(now), None));
}

#[tokio::test]
async fn a_clock_that_was_doubted_here_is_doubted_after_a_restore() {
    let (then, since) = (House::<Kept>::open().await, House::<Kept>::open().await);
    let now = t(400 * DAY);
    let left = Some(Duration::from_secs(20 * 3600));
    since.backend.store.keep_time(KeptTime { sure: t(2 * DAY), wall: now, left }).await.unwrap();
    // Also by a store that was made anew: it is of the machine.
    let later = Some(Later::read(&since.backend.dir.path().join("pins.db")).unwrap());
    let done = back(&then, Comeback { now, later, ..comeback() }).await;
    assert_eq!(done.clock, None);
    assert!(doubt(&then, now).is_some_and(|doubt| !doubt.is_slight() && Some(doubt.left) == left));
}
