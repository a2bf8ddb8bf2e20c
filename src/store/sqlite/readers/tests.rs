use std::sync::mpsc;

use super::*;
use crate::{
    model::{NameFilter, NameMatch, PinCid, ReplicaState, Status, StatusSet},
    store::sqlite::list::seed::{ONE, Row, Seed, cid},
    telemetry::Metrics,
};

struct House {
    seed: Seed,
    readers: Readers,
    _dir: tempfile::TempDir,
}

fn house(settings: ReadSettings) -> House {
    let dir = crate::store::contract::scratch();
    let path = dir.path().join("pins.db");
    let seed = Seed::at(&path);
    let readers = Readers::open(&path, &settings, Metrics::new().store()).unwrap();
    House { seed, readers, _dir: dir }
}

fn row(n: i64, name: &str, cid: PinCid) -> Row {
    Row { account: 1, created: 1000 + n, status: Status::Queued, cid, name: Some(name.into()), meta: vec![] }
}

fn all() -> ListQuery {
    ListQuery::with_statuses(StatusSet::ALL)
}

fn partial() -> ListQuery {
    let name = NameFilter { text: "p".into(), matching: NameMatch::Partial };
    ListQuery { name: Some(name), ..all() }
}

#[test]
fn a_pin_is_read_with_its_copies_and_by_its_account_only() {
    let mut house = house(ReadSettings::default());
    let (pin, id) = house.seed.pin(&row(1, "p", cid(1)));
    house.seed.copy(pin, 1, 3, None);
    let held = house.seed.copy(pin, 2, 3, Some(2));
    let read = house.readers.get_pin(ONE, id).unwrap().unwrap();
    let copies: Vec<_> = read.copies.iter().map(|copy| (copy.provider.as_str(), copy.state)).collect();
    assert_eq!(copies, [("alpha", ReplicaState::Pinned), ("beta", ReplicaState::Pinned)]);
    assert_eq!(*read.delegates, ["/a", "/b", "/c"], "its provider's, then the copy's own");
    assert!(house.readers.get_pin(AccountId(2), id).unwrap().is_none());

    house.seed.writer.execute("UPDATE pin_replicas SET held_since = 1 WHERE replica = ?", [held]).unwrap();
    assert_eq!(
        house.readers.get_pin(ONE, id).unwrap().unwrap().copies.len(),
        1,
        "a held copy is not its own"
    );
}

#[test]
fn a_pin_without_copies_is_read_too() {
    let mut house = house(ReadSettings::default());
    let inline = PinCid::parse("bafkqaaa").unwrap();
    let (_, id) = house.seed.pin(&row(1, "p", inline));
    let read = house.readers.get_pin(ONE, id).unwrap().unwrap();
    assert_eq!((read.cid.as_str(), read.copies.len()), ("bafkqaaa", 0));
    assert_eq!(*read.delegates, ["/a", "/b", "/c"]);
}

#[tokio::test]
async fn a_list_that_reads_too_much_for_a_task_moves_to_a_thread() {
    let mut house = house(ReadSettings::default());
    let rows: Vec<Row> = (0..800).map(|n| row(n, "same", cid(n.unsigned_abs() % 2))).collect();
    house.seed.pins(&rows);
    let named = NameFilter { text: "same".into(), matching: NameMatch::IExact };
    let by_name = ListQuery { name: Some(named), ..all() };
    assert!(list::short(&house.readers.point(), &DelegateSets::default(), ONE, &by_name).unwrap().is_none());
    assert_eq!(house.readers.list_pins(ONE, by_name).await.unwrap().count, 800);
    let by_cid = ListQuery { cids: vec![cid(0).content().clone()], limit: 1000, ..all() };
    assert_eq!(house.readers.list_pins(ONE, by_cid).await.unwrap().pins.len(), 400);
}

/// Holds a reader thread until the sender is dropped; returns once it is held.
async fn hold(readers: &Readers) -> mpsc::Sender<()> {
    let (release, held) = mpsc::channel::<()>();
    let (begun, begins) = oneshot::channel();
    let limit =
        Limit { deadline: Instant::now() + Duration::from_secs(600), abandoned: CancellationToken::new() };
    let run = Box::new(move |_: &Connection| {
        begun.send(()).unwrap();
        held.recv().unwrap_err();
    });
    assert!(readers.jobs.try_send(Job { run, limit }).is_ok());
    begins.await.unwrap();
    release
}

/// Its readers wait for `taken_within`, and their tasks for as long as it takes.
fn patient(taken_within: Duration) -> House {
    let mut house = house(ReadSettings { scan_timeout: Duration::from_secs(600), ..ReadSettings::default() });
    house.readers.taken_within = taken_within;
    house
}

#[tokio::test]
async fn a_thread_reads_on_only_when_its_answer_was_taken() {
    let house = patient(Duration::MAX);
    let (made, taken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let read = || {
        let (made, taken) = (made.clone(), taken.clone());
        house.readers.long(move |_| {
            Ok(made.fetch_add(1, Ordering::SeqCst).saturating_sub(taken.load(Ordering::SeqCst)))
        })
    };
    let held = [hold(&house.readers).await, hold(&house.readers).await];
    let mut reads: Vec<_> = (0..50).map(|_| Box::pin(read())).collect();
    for queued in &mut reads {
        assert!(futures::poll!(queued.as_mut()).is_pending());
    }
    drop(held);
    while made.load(Ordering::SeqCst) < 2 {
        thread::yield_now();
    }
    for read in reads {
        taken.fetch_add(1, Ordering::SeqCst);
        let untaken = read.await.unwrap();
        assert!(untaken <= 2, "{untaken} answers lay about");
    }
}

#[tokio::test]
async fn answers_that_nobody_takes_do_not_hold_the_threads_for_ever() {
    let house = patient(Duration::ZERO);
    let held = [hold(&house.readers).await, hold(&house.readers).await];
    let mut left: Vec<_> = (0..10).map(|_| Box::pin(house.readers.long(|_| Ok(())))).collect();
    for queued in &mut left {
        assert!(futures::poll!(queued.as_mut()).is_pending());
    }
    drop(held);
    assert!(house.readers.long(|_| Ok(())).await.is_ok());
}

#[tokio::test]
async fn a_full_queue_answers_busy_while_point_reads_go_on() {
    let mut house = house(ReadSettings { queue: 1, ..ReadSettings::default() });
    let (_, id) = house.seed.pin(&row(1, "p", cid(1)));
    let _first = hold(&house.readers).await;
    let _second = hold(&house.readers).await;
    let limit = Limit { deadline: Instant::now(), abandoned: CancellationToken::new() };
    assert!(house.readers.jobs.try_send(Job { run: Box::new(|_| ()), limit }).is_ok());
    let long = ListQuery { limit: 1000, ..all() };
    assert!(matches!(house.readers.list_pins(ONE, long).await, Err(StoreError::Busy)));
    assert!(house.readers.get_pin(ONE, id).unwrap().is_some());
    assert_eq!(house.readers.list_pins(ONE, all()).await.unwrap().count, 1);
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_stopped_and_the_next_one_is_not() {
    let house = house(ReadSettings { scan_timeout: Duration::from_millis(50), ..ReadSettings::default() });
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let deadline = Instant::now() + Duration::from_millis(50);
    let read =
        move |connection: &Connection| Ok(connection.query_row(endless, [], |row| row.get::<_, i64>(0))?);
    assert!(matches!(house.readers.on_thread(deadline, read).await, Err(StoreError::Timeout)));
    let soon = Instant::now() + Duration::from_secs(600);
    assert!(house.readers.on_thread(soon, open::instance).await.is_ok());
}

#[tokio::test]
async fn an_account_scans_one_at_a_time_and_never_on_the_last_thread() {
    let house = house(ReadSettings { threads: 3, ..ReadSettings::default() });
    let later = Instant::now() + Duration::from_secs(600);
    let scans = &house.readers.scans;
    let first = scans.seat(ONE, later).await.unwrap();
    assert!(matches!(scans.seat(ONE, Instant::now()).await, Err(StoreError::Busy)), "same account");
    let _other = scans.seat(AccountId(2), later).await.unwrap();
    assert!(matches!(scans.seat(AccountId(3), Instant::now()).await, Err(StoreError::Busy)), "last thread");
    drop(first);
    assert!(scans.seat(ONE, later).await.is_ok());
}

#[tokio::test]
async fn a_scan_gives_its_seat_back() {
    let mut house = house(ReadSettings::default());
    house.seed.pins(&[row(1, "pin", cid(1)), row(2, "other", cid(2))]);
    for _ in 0..5 {
        assert_eq!(house.readers.list_pins(ONE, partial()).await.unwrap().count, 1);
    }
    assert!(house.readers.ping().is_ok());
}
