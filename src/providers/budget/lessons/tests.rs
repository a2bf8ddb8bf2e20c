//! What is learned from refusals, and how it fades.

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Response<Bytes> {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(Bytes::from_static(body.as_bytes())).unwrap()
}

fn refused() -> Response<Bytes> {
    answer(429, &[], "")
}

fn ledger(now: Timestamp) -> LedgerTime {
    LedgerTime { now, ahead: 0 }
}

/// As of a service that limits lists, and all calls together.
fn pinata() -> Rates {
    let per = Duration::from_secs(60);
    let mut rates = Rates::default();
    rates[BudgetClass::List] = Some(Rate { calls: 30, per });
    rates[BudgetClass::Any] = Some(Rate { calls: 60, per });
    rates
}

fn lessons(rates: &Rates) -> Lessons {
    Lessons::new(rates)
}

/// As after a restart.
fn restarted(rates: &Rates, kept: &[(BudgetClass, Lesson)], now: Timestamp) -> Lessons {
    let (mut lessons, mut told) = (lessons(rates), ByClass::default());
    for (class, lesson) in kept {
        told[*class] = *lesson;
    }
    lessons.hear(&told, now);
    lessons
}

fn calls(lessons: &Lessons, class: BudgetClass, now: Timestamp) -> Option<u32> {
    lessons.rates(now)[class].map(|rate| rate.calls)
}

/// I9.
#[test]
fn a_refusal_stops_the_class_that_has_a_limit_of_its_own_and_else_all() {
    let mut lessons = lessons(&pinata());
    let after = |seconds: &str| answer(429, &[("retry-after", seconds)], "");
    lessons.learn(BudgetClass::List, &after("7"), NOW, ledger(NOW));
    assert_eq!(lessons.blocked(BudgetClass::List, NOW), Some(NOW.plus(7 * SECOND)));
    assert_eq!(lessons.blocked(BudgetClass::Write, NOW), None);
    lessons.learn(BudgetClass::Write, &after("5"), NOW, ledger(NOW));
    assert_eq!(lessons.blocked(BudgetClass::Read, NOW), Some(NOW.plus(5 * SECOND)));
    assert_eq!(lessons.blocked(BudgetClass::List, NOW), Some(NOW.plus(7 * SECOND)));
    let mut unknown = self::lessons(&Rates::default());
    unknown.learn(BudgetClass::List, &after("7"), NOW, ledger(NOW));
    assert_eq!(unknown.blocked(BudgetClass::Any, NOW), Some(NOW.plus(7 * SECOND)));
    let spent = answer(200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9")], "");
    let mut told = self::lessons(&pinata());
    told.learn(BudgetClass::List, &spent, NOW, ledger(NOW));
    assert!(told.blocked(BudgetClass::List, NOW).is_some() && told.blocked(BudgetClass::Any, NOW).is_none());
}

#[test]
fn a_full_queue_stops_what_was_refused_and_lowers_no_limit() {
    let mut lessons = lessons(&pinata());
    for _ in 0..20 {
        lessons.start(BudgetClass::Write, NOW);
    }
    lessons.learn(BudgetClass::Write, &answer(425, &[], ""), NOW, ledger(NOW));
    assert_eq!(lessons.blocked(BudgetClass::Write, NOW), Some(NOW.plus(SECOND)));
    assert_eq!(lessons.blocked(BudgetClass::List, NOW), None);
    lessons.learn(BudgetClass::Read, &answer(429, &[], "too many concurrent requests"), NOW, ledger(NOW));
    assert_eq!(lessons.blocked(BudgetClass::Any, NOW), None);
    assert_eq!(calls(&lessons, BudgetClass::Any, NOW), Some(57));
}

#[test]
fn refusals_that_name_no_time_wait_longer_each_time() {
    let mut lessons = lessons(&Rates::default());
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        lessons.learn(BudgetClass::Write, &refused(), NOW, ledger(NOW));
        assert_eq!(lessons.blocked(BudgetClass::Any, NOW), Some(NOW.plus(wait * SECOND)));
    }
    let later = NOW.plus(UNTOLD_MAX);
    lessons.learn(BudgetClass::Write, &answer(503, &[], ""), later, ledger(later));
    assert_eq!(lessons.blocked(BudgetClass::Any, later), None);
}

#[test]
fn a_shorter_word_does_not_end_a_longer_one() {
    let mut lessons = lessons(&Rates::default());
    lessons.learn(BudgetClass::Write, &answer(429, &[("retry-after", "60")], ""), NOW, ledger(NOW));
    lessons.learn(BudgetClass::Write, &answer(503, &[("retry-after", "1")], ""), NOW, ledger(NOW));
    assert_eq!(lessons.blocked(BudgetClass::Any, NOW), Some(NOW.plus(60 * SECOND)));
}

/// I9.
#[test]
fn a_429_lowers_the_limit_to_less_than_was_let_through_and_it_rises_again_slowly() {
    let mut lessons = lessons(&pinata());
    for n in 0..21 {
        lessons.start(BudgetClass::List, NOW.plus(n * SECOND));
    }
    let at = NOW.plus(21 * SECOND);
    let kept = lessons.learn(BudgetClass::List, &refused(), at.minus(SECOND), ledger(at));
    assert_eq!(kept.iter().map(|(class, _)| *class).collect::<Vec<_>>(), [BudgetClass::List]);
    assert_eq!(
        (calls(&lessons, BudgetClass::List, at), calls(&lessons, BudgetClass::Any, at)),
        (Some(14), Some(57))
    );
    lessons.learn(BudgetClass::List, &refused(), at.minus(SECOND), ledger(at));
    assert_eq!(calls(&lessons, BudgetClass::List, at), Some(14), "one that left before");
    let restarted = restarted(&pinata(), &kept, at.plus(SECOND));
    assert_eq!(calls(&restarted, BudgetClass::List, at.plus(SECOND)), Some(14));
    assert_eq!(calls(&restarted, BudgetClass::List, at.plus(RISES_EVERY)), Some(16));
    assert_eq!(calls(&restarted, BudgetClass::List, at.plus(8 * RISES_EVERY)), Some(29));
}

/// It had throttled a provider to three calls a window for an hour.
#[test]
fn a_stray_429_in_a_quiet_moment_lowers_no_limit() {
    for rates in [pinata(), Rates::default()] {
        let (mut lessons, before) = (lessons(&rates), lessons(&rates).rates(NOW));
        for _ in 0..4 {
            lessons.start(BudgetClass::List, NOW);
        }
        // Those that left together are refused together.
        for _ in 0..4 {
            lessons.learn(BudgetClass::List, &refused(), NOW, ledger(NOW.plus(SECOND)));
        }
        assert!(lessons.blocked(BudgetClass::List, NOW.plus(SECOND)).is_some(), "it pauses");
        assert_eq!(lessons.rates(NOW.plus(SECOND)), before);
        let later = NOW.plus(2 * RISES_EVERY);
        lessons.start(BudgetClass::List, later);
        lessons.learn(BudgetClass::List, &refused(), later, ledger(later));
        assert_eq!(lessons.rates(later), before, "another one, much later");
    }
}

/// I9. Four lists a minute, where thirty were configured.
#[test]
fn a_limit_far_below_the_configured_one_is_found_by_halves() {
    let (mut lessons, mut now, mut learned) = (lessons(&pinata()), NOW, Vec::new());
    for _ in 0..6 {
        now = now.plus(60 * SECOND);
        for _ in 0..5 {
            lessons.start(BudgetClass::List, now);
        }
        lessons.learn(BudgetClass::List, &refused(), now, ledger(now));
        learned.extend(calls(&lessons, BudgetClass::List, now));
    }
    assert_eq!(learned, [29, 14, 7, 3, 3, 3]);
}

#[test]
fn where_no_limit_is_configured_a_429_makes_one_that_fades() {
    let mut lessons = lessons(&Rates::default());
    assert!(
        lessons
            .learn(BudgetClass::Write, &refused(), NOW, ledger(NOW))
            .iter()
            .all(|(_, l)| l.learned.is_none())
    );
    for _ in 0..101 {
        lessons.start(BudgetClass::Write, NOW);
    }
    lessons.learn(BudgetClass::Write, &refused(), NOW, ledger(NOW));
    assert_eq!(calls(&lessons, BudgetClass::Write, NOW), Some(70));
    assert_eq!(calls(&lessons, BudgetClass::List, NOW), None);
    assert_eq!(calls(&lessons, BudgetClass::Write, NOW.plus(12 * RISES_EVERY)), Some(190));
    assert_eq!(calls(&lessons, BudgetClass::Write, NOW.plus(13 * RISES_EVERY)), None);
}
