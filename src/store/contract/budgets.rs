//! The ledger of calls, and what it leaves for claims (I9).

use std::{sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{Backend, house::*};
use crate::{
    model::*,
    policy::{replica::Work, window::Slot},
    store::*,
};

const MINUTE: i64 = 60_000;

fn per_minute(calls: u32) -> Option<Rate> {
    Some(Rate { calls, per: Duration::from_secs(60) })
}

/// As some services have it: lists are scarce.
fn scarce() -> Rates {
    let mut rates = Rates::default();
    (rates[BudgetClass::List], rates[BudgetClass::Any]) = (per_minute(29), per_minute(57));
    rates
}

fn at(now: i64) -> LedgerTime {
    LedgerTime { now: t(now), ahead: 0 }
}

fn ask(group: &str, class: BudgetClass, want: u32, now: i64) -> Ask {
    Ask {
        group: group.into(),
        rates: scarce(),
        class,
        want,
        unspent: Vec::new(),
        at: at(now),
        lasts: Duration::ZERO,
    }
}

async fn granted(store: &SharedStore, ask: Ask) -> u32 {
    match store.reserve_calls(ask).await.unwrap() {
        Granted::Calls(reserved) => reserved.calls,
        Granted::Wait(_) => 0,
    }
}

fn claim<B: Backend>(house: &House<B>, now: i64) -> ClaimRequest {
    let allowance = Allowance {
        group: Arc::from("provider/x"),
        rates: scarce(),
        costs: Costs { batch: 10, lists_tell: true },
        shut: ByClass::default(),
        unspent: Vec::new(),
        at: at(now),
        lasts: Duration::ZERO,
    };
    ClaimRequest { allowance: Some(allowance), ..house.due(0, t(now)) }
}

/// A few budgets, called by two handles at random, with crashes.
pub(in crate::store) async fn i9_no_window_holds_more_starts_than_planned_whoever_asks_and_over_crashes<
    B: Backend,
>() {
    let mut house = House::<B>::open().await;
    let mut dice = StdRng::seed_from_u64(9);
    let mut starts: Vec<(usize, BudgetClass, i64)> = Vec::new();
    let (mut now, mut unspent) = (0, [Vec::new(), Vec::new()]);
    for _ in 0..1500 {
        now += dice.random_range(0..1500);
        if dice.random_bool(0.01) {
            house.crash(t(now)).await;
            unspent = [Vec::new(), Vec::new()];
        }
        let (group, class) = (dice.random_range(0..2), BudgetClass::ALL[dice.random_range(0..4)]);
        let mut asked = ask(["one", "other"][group], class, dice.random_range(1..6), now);
        asked.lasts = Duration::from_millis(dice.random_range(0..8000));
        asked.unspent = std::mem::take(&mut unspent[group]);
        let store = if dice.random() { house.store() } else { house.other() };
        let Granted::Calls(reserved) = store.reserve_calls(asked).await.unwrap() else { continue };
        let start = now + dice.random_range(0..6000);
        if t(start) < reserved.ends {
            starts.extend((0..reserved.calls).map(|_| (group, class, start)));
        } else {
            unspent[group].push(reserved);
        }
    }
    assert!(starts.len() > 1000, "{} calls", starts.len());
    for (group, class, from) in &starts {
        let inside = |limit: BudgetClass| {
            let counts = |is: BudgetClass| limit == BudgetClass::Any || is == limit;
            let meant = starts.iter().filter(|(other, is, _)| other == group && counts(*is));
            meant.filter(|(_, _, at)| (*from..from + MINUTE).contains(at)).count()
        };
        assert!(inside(BudgetClass::Any) <= 57, "{group} {class} {from}");
        assert!(inside(BudgetClass::List) <= 29, "{group} {class} {from}");
    }
}

/// Whatever is done to the wall clock while a process runs, and whatever puts it back while none does.
pub(in crate::store) async fn i9_no_window_holds_more_starts_than_planned_by_clocks_that_are_turned<
    B: Backend,
>() {
    let mut house = House::<B>::open().await;
    let mut dice = StdRng::seed_from_u64(10);
    let clock = Arc::new(ManualClock::at(t(0)));
    let mut ledger = LedgerClock::new(clock.clone(), 0);
    let mut starts: Vec<i64> = Vec::new();
    for _ in 0..1500 {
        clock.advance(Duration::from_millis(dice.random_range(0..1000)));
        let wall = clock.now();
        let span = Duration::from_millis(dice.random_range(0..2 * DAY as u64));
        match dice.random_range(0..100) {
            0 => clock.turn(wall.plus(span)),
            1 => clock.turn(wall.minus(span)),
            2 => {
                house.crash(clock.now()).await;
                if dice.random() {
                    clock.turn(wall.minus(span / 1000));
                }
                ledger = LedgerClock::new(clock.clone(), house.store().ledger().await.unwrap().ahead);
            }
            _ => {}
        }
        let asked = Ask { at: ledger.now(), ..ask("x", BudgetClass::List, dice.random_range(1..4), 0) };
        let granted = granted(&house.store(), asked).await;
        let passed = i64::try_from(clock.steady().as_millis()).unwrap();
        starts.extend((0..granted).map(|_| passed));
    }
    assert!(starts.len() > 200, "{} calls", starts.len());
    for from in &starts {
        let inside = starts.iter().filter(|at| (*from..from + MINUTE).contains(at)).count();
        assert!(inside <= 29, "{inside} from {from}");
    }
}

pub(in crate::store) async fn i9_calls_that_never_left_are_free_again<B: Backend>() {
    let house = House::<B>::open().await;
    let Granted::Calls(all) = house.store().reserve_calls(ask("x", BudgetClass::List, 40, 0)).await.unwrap()
    else {
        panic!("nothing was free")
    };
    assert_eq!(all.calls, 29);
    let Granted::Wait(wait) = house.store().reserve_calls(ask("x", BudgetClass::List, 1, 10)).await.unwrap()
    else {
        panic!("more than the limit")
    };
    assert!(wait > Duration::from_secs(60) && wait <= Duration::from_secs(64), "{wait:?}");
    assert_eq!(granted(&house.store(), ask("x", BudgetClass::Write, 40, 10)).await, 28, "of all calls");
    let unspent = vec![Reserved { calls: 4, ..all }];
    let back = Ask { unspent, ..ask("x", BudgetClass::List, 9, 5000) };
    assert_eq!(granted(&house.other(), back).await, 4);
}

/// A process counted by a clock that was ahead: nobody knows how long ago.
pub(in crate::store) async fn i9_calls_of_a_clock_that_was_ahead_count_for_one_window_from_now<B: Backend>() {
    let house = House::<B>::open().await;
    let store = house.store();
    let list = |now| granted(&store, ask("x", BudgetClass::List, 40, now));
    assert_eq!(list(10 * DAY).await, 29);
    assert_eq!(list(0).await, 0);
    assert_eq!(list(MINUTE - 1).await, 0);
    assert_eq!(list(MINUTE + 4000).await, 29, "they do not block for ever");
}

/// Of two that ask at once the one that read the time first may be counted last.
pub(in crate::store) async fn i9_calls_that_are_counted_out_of_turn_count_for_as_long<B: Backend>() {
    let house = House::<B>::open().await;
    let store = house.store();
    let list = |now| granted(&store, ask("x", BudgetClass::List, 40, now));
    // Where a slot begins.
    let first = Slot::at(Duration::from_secs(60), t(DAY)).ends.since(t(0)).as_millis() as i64;
    assert_eq!(list(first).await, 29);
    assert_eq!(list(first - 1).await, 0);
    assert_eq!(list(first + MINUTE).await, 0, "some may have started after it");
    assert_eq!(list(first + MINUTE + 4000).await, 29);
}

pub(in crate::store) async fn i9_what_refusals_taught_and_how_the_clock_stood_survive_a_crash<B: Backend>() {
    let mut house = House::<B>::open().await;
    let ahead = Ask { at: LedgerTime { now: t(0), ahead: 3_600_000 }, ..ask("x", BudgetClass::Any, 1, 0) };
    assert_eq!(granted(&house.store(), ahead).await, 1);
    let learned = Learned { rate: per_minute(20).unwrap(), from: 28, at: t(5) };
    let lesson = Lesson { learned: Some(learned), blocked_until: Some(t(MINUTE)) };
    for taught in [Lesson::default(), lesson] {
        house.store().note_lesson("x".into(), BudgetClass::List, taught).await.unwrap();
    }
    house.crash(t(9)).await;
    let lessons = vec![("x".to_owned(), BudgetClass::List, lesson)];
    assert_eq!(house.store().ledger().await.unwrap(), Ledger { ahead: 3_600_000, lessons });
}

pub(in crate::store) async fn i9_a_claim_takes_no_more_work_than_there_are_calls_for<B: Backend>() {
    let house = House::<B>::open().await;
    for n in 0..200 {
        house.add(0, "one", n, t(1)).await;
    }
    let claimed = house.store().claim_due(claim(&house, 2)).await.unwrap();
    assert_eq!(claimed.claims.len(), 57, "a write each");
    assert_eq!(
        claimed.calls.iter().map(|calls| (calls.class, calls.calls)).collect::<Vec<_>>(),
        [(BudgetClass::Write, 57)]
    );
    assert!(claimed.next_due.is_some_and(|next| next > t(MINUTE)), "{:?}", claimed.next_due);
    let none = house.other().claim_due(claim(&house, 3000)).await.unwrap();
    assert!(none.claims.is_empty() && none.next_due > Some(t(MINUTE)), "{none:?}");
    let more = house.store().claim_due(claim(&house, MINUTE + 4000)).await.unwrap();
    assert_eq!(more.claims.len(), 57);
}

pub(in crate::store) async fn i9_a_claim_counts_the_looks_before_submits<B: Backend>() {
    let house = House::<B>::open().await;
    for n in 0..200 {
        house.add(0, "one", n, t(1)).await;
    }
    let looked = ClaimRequest { exclusive: false, ..claim(&house, 2) };
    let claimed = house.store().claim_due(looked).await.unwrap();
    let calls: Vec<_> = claimed.calls.iter().map(|calls| (calls.class, calls.calls)).collect();
    // In two goes: a list for each ten, though none has an old spelling.
    assert_eq!(calls[1], (BudgetClass::Write, u32::try_from(claimed.claims.len()).unwrap()));
    assert!((45..=52).contains(&claimed.claims.len()), "{}", claimed.claims.len());
    assert!(calls.iter().map(|(_, calls)| calls).sum::<u32>() <= 57, "{calls:?}");
}

pub(in crate::store) async fn i9_a_spent_list_budget_stops_looks_but_no_submits_or_removes<B: Backend>() {
    let house = House::<B>::open().await;
    let polled = house.add(0, "one", 1, t(1)).await;
    let gone = house.add(0, "one", 2, t(1)).await;
    house.serve(0, t(2), |claim| landed(claim, Status::Queued)).await;
    house.delete(0, gone, t(3)).await;
    house.add(0, "one", 3, t(3)).await;
    assert_eq!(house.status(polled).await, Status::Queued);
    assert_eq!(granted(&house.store(), ask("provider/x", BudgetClass::List, 40, DAY)).await, 29);
    let mut spent = claim(&house, DAY);
    if let Some(allowance) = &mut spent.allowance {
        allowance.rates[BudgetClass::Read] = per_minute(1);
        allowance.shut[BudgetClass::Read] = Duration::from_secs(30);
    }
    let submits = house.store().claim_due(spent.clone()).await.unwrap();
    let ops: Vec<_> = submits.claims.iter().map(|claim| claim.op).collect();
    assert_eq!(ops, [Op::Remove, Op::Submit]);
    assert!(submits.next_due.is_some_and(|next| next > t(DAY)), "{:?}", submits.next_due);
    house.add(0, "one", 4, t(4)).await;
    spent.exclusive = false;
    assert!(house.store().claim_due(spent).await.unwrap().claims.is_empty(), "a look goes before it");
}

pub(in crate::store) async fn i9_no_more_is_queued_at_a_provider_than_it_takes<B: Backend>() {
    let house = House::<B>::open().await;
    for n in 0..40 {
        house.add(0, "one", n, t(1)).await;
    }
    let few = |now| ClaimRequest { max_queued: Some(10), ..house.due(0, t(now)) };
    let claims = house.store().claim_due(few(2)).await.unwrap().claims;
    assert_eq!(claims.len(), 10);
    assert!(house.other().claim_due(few(3)).await.unwrap().claims.is_empty());
    for claim in &claims[..6] {
        house.say(claim, landed(claim, Status::Queued), t(4)).await;
    }
    house.say(&claims[6], landed(&claims[6], Status::Pinned), t(4)).await;
    house.say(&claims[7], error(ErrorClass::Transient, true), t(4)).await;
    let claimed = house.store().claim_due(few(5)).await.unwrap().claims;
    let submits = claimed.iter().filter(|claim| claim.op == Op::Submit).count();
    assert_eq!(submits, 1, "for the one that is pinned");
    house.backend.check().await;
}

/// Else copies whose answers were lost would keep their places for ever.
pub(in crate::store) async fn doubts_are_settled_though_no_place_is_left<B: Backend>() {
    let house = House::<B>::open().await;
    for n in 0..40 {
        house.add(0, "one", n, t(1)).await;
    }
    let few = |now| ClaimRequest { max_queued: Some(10), ..house.due(0, t(now)) };
    for claim in house.store().claim_due(few(2)).await.unwrap().claims {
        house.say(&claim, error(ErrorClass::Transient, true), t(3)).await;
    }
    let claims = house.store().claim_due(few(DAY)).await.unwrap().claims;
    assert_eq!(claims.len(), 10);
    assert!(claims.iter().all(|claim| claim.doubt == Doubt::Submit), "{claims:?}");
}

/// Nobody said what became of them: else they would keep their places until the next start.
pub(in crate::store) async fn leases_that_ran_out_are_taken_up_though_they_fill_all_places<B: Backend>() {
    let house = House::<B>::open().await;
    for n in 0..40 {
        house.add(0, "one", n, t(1)).await;
    }
    let few = |now| ClaimRequest { max_queued: Some(10), ..house.due(0, t(now)) };
    assert_eq!(house.store().claim_due(few(2)).await.unwrap().claims.len(), 10);
    assert!(house.store().claim_due(few(3)).await.unwrap().claims.is_empty(), "they are on their way");
    let claims = house.store().claim_due(few(DAY)).await.unwrap().claims;
    assert_eq!(claims.len(), 10);
    assert!(claims.iter().all(|claim| claim.work == Work::Look), "{claims:?}");
    for claim in &claims {
        house.say(claim, Word::NotFound { asked_at: t(DAY) }, t(DAY)).await;
    }
    assert_eq!(house.store().claim_due(few(DAY + 1)).await.unwrap().claims.len(), 10);
    house.backend.check().await;
}
