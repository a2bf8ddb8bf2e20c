//! Permits, with a ledger that is told what to say.

use async_trait::async_trait;
use futures::FutureExt;

use super::*;
use crate::{
    model::{LedgerTime, Lesson, ManualClock, Rate},
    providers::Ledger,
    telemetry::Metrics,
};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

/// Grants what is asked until the end of a second, then says no.
#[derive(Debug)]
struct Scripted {
    clock: Arc<ManualClock>,
    left: Mutex<u32>,
    asked: Mutex<Vec<Ask>>,
    fails: bool,
}

#[async_trait]
impl Ledger for Scripted {
    fn now(&self) -> LedgerTime {
        LedgerTime { now: crate::model::Clock::now(&*self.clock), ahead: 0 }
    }

    async fn reserve(&self, ask: Ask) -> Result<Granted, LedgerError> {
        if self.fails {
            return Err(LedgerError);
        }
        let mut left = self.left.lock().unwrap();
        let calls = ask.want.min(*left);
        *left -= calls;
        let reserved =
            Reserved { class: ask.class, calls, ends: ask.at.now.plus(SECOND), counted: ByClass::default() };
        self.asked.lock().unwrap().push(ask);
        Ok(if calls == 0 { Granted::Wait(60 * SECOND) } else { Granted::Calls(reserved) })
    }

    fn lessons(&self, _: &str) -> ByClass<Lesson> {
        ByClass::default()
    }

    async fn keep(&self, _: &str, _: BudgetClass, _: Lesson) {}
}

struct Bench {
    budget: Arc<Budget>,
    ledger: Arc<Scripted>,
    clock: Arc<ManualClock>,
}

fn bench(concurrency: usize, left: Option<u32>) -> Bench {
    let clock = Arc::new(ManualClock::at(NOW));
    let fails = left.is_none();
    let ledger = Arc::new(Scripted {
        clock: clock.clone(),
        left: left.unwrap_or(0).into(),
        asked: Mutex::default(),
        fails,
    });
    let mut settings = BudgetSettings::new("alpha");
    settings.rates[BudgetClass::Any] = Some(Rate { calls: 40, per: 60 * SECOND });
    settings.ledger = Some(ledger.clone());
    let budget =
        Arc::new(Budget::new(concurrency, settings, &(clock.clone() as _), Metrics::new().provider("alpha")));
    Bench { budget, ledger, clock }
}

fn answer(status: u16, after: Option<&str>) -> Response<Bytes> {
    let answer = Response::builder().status(status);
    let answer = match after {
        Some(after) => answer.header("retry-after", after),
        None => answer,
    };
    answer.body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn a_caller_that_waited_hears_of_a_throttle_that_began_meanwhile() {
    let Bench { budget, clock, .. } = bench(1, Some(40));
    let write = BudgetClass::Write;
    let first = budget.permit(write).await.unwrap();
    let waiting = tokio::spawn({
        let budget = budget.clone();
        async move { budget.permit(write).await.map(drop) }
    });
    budget.learn((write, NOW), &answer(429, Some("5"))).await;
    drop(first);
    assert_eq!(waiting.await.unwrap(), Err(NoPermit::Throttled(5 * SECOND)));
    assert_eq!(budget.granted(), 1);
    clock.advance(5 * SECOND);
    assert!(budget.permit(write).await.is_ok());
}

/// I9.
#[tokio::test]
async fn calls_are_counted_a_few_at_a_time_and_what_lapsed_is_given_back() {
    let Bench { budget, ledger, clock } = bench(4, Some(4));
    for _ in 0..2 {
        budget.permit(BudgetClass::List).await.unwrap();
    }
    assert_eq!(ledger.asked.lock().unwrap().len(), 1, "three of 38 at once");
    clock.advance(2 * SECOND);
    budget.permit(BudgetClass::List).await.unwrap();
    let refused = budget.permit(BudgetClass::Read).await.map(drop);
    assert_eq!(refused, Err(NoPermit::Spent(60 * SECOND)));
    let unspent: Vec<_> = ledger
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|ask| ask.unspent.iter().map(|lapsed| lapsed.calls).sum::<u32>())
        .collect();
    assert_eq!(unspent, [0, 1, 0]);
    assert_eq!(budget.free(), 4, "who waits for calls holds no slot");
}

/// I9: first of all.
#[tokio::test]
async fn a_call_that_cannot_be_counted_does_not_leave() {
    let Bench { budget, .. } = bench(1, None);
    assert_eq!(budget.permit(BudgetClass::Read).await.map(drop), Err(NoPermit::Uncounted));
    assert_eq!(budget.granted(), 0);
}

#[tokio::test]
async fn too_many_at_once_lowers_that_and_no_limit() {
    let Bench { budget, .. } = bench(4, Some(40));
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(budget.permit(BudgetClass::Write).await.unwrap());
    }
    let body = Bytes::from_static(b"too many concurrent requests");
    let refused = Response::builder().status(429).body(body).unwrap();
    budget.learn((BudgetClass::Write, NOW), &refused).await;
    held.clear();
    assert_eq!((budget.free(), budget.blocked_for(BudgetClass::Write)), (2, None));
}

/// Else each that is given up has more counted for nobody, until all of a window is.
#[tokio::test]
async fn those_who_gave_up_waiting_are_not_counted_for() {
    let Bench { budget, ledger, .. } = bench(1, Some(40));
    let turn = budget.asking.lock().await;
    for _ in 0..20 {
        assert!(budget.permit(BudgetClass::List).now_or_never().is_none());
    }
    drop(turn);
    budget.permit(BudgetClass::List).await.unwrap();
    assert_eq!(ledger.asked.lock().unwrap()[0].want, 3);
}
