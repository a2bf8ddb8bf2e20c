//! Row 4: what group commit is worth where a sync takes a millisecond more.

use std::{
    io::Write,
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use super::{
    Figure,
    house::{House, cid, folder, name},
    load::{self, post},
    say,
};

/// The row that the child runs, whose syncs are slow.
pub const CHILD: &str = "durable-with-slow-syncs";
const ROUNDS: usize = 5;
const SPAN: Duration = Duration::from_millis(1500);

/// Runs the row in a child of its own, with the shim that `cc` makes; without a compiler it says so.
pub fn run() {
    let shim = folder().join("slow_fsync.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/speed/slow_fsync.c");
    let made =
        Command::new("cc").args(["-shared", "-fPIC", "-O2", "-o"]).arg(&shim).args([source, "-ldl"]).status();
    if !made.is_ok_and(|status| status.success()) {
        return say("4  not measured: there is no C compiler for the shim");
    }
    let bench = std::env::current_exe().expect("the bench knows itself");
    let status = Command::new(bench).arg(CHILD).env("LD_PRELOAD", &shim).status().expect("the child starts");
    assert!(status.success(), "the child failed");
}

pub async fn child() -> Vec<Figure> {
    let added = sync_takes();
    let house = House::empty("durable").await;
    let served = house.serve().await;
    let counter = AtomicU64::new(0);
    let (mut ratios, mut rates) = (Vec::new(), (0.0, 0.0));
    for _ in 0..ROUNDS {
        let http = load::run(served, 64, SPAN, |_, _| {
            let n = counter.fetch_add(1, Ordering::Relaxed);
            post(&format!("{{\"cid\":\"{}\",\"name\":\"{}\"}}", cid(n).as_str(), name(n)))
        })
        .await
        .per_second;
        let single = one_by_one(&house, &counter).await;
        ratios.push(http / single);
        rates = (http, single);
    }
    vec![Figure {
        what: "4  POST /pins, 64 connections, syncs 1 ms slower, against one commit each".into(),
        ratios,
        note: format!(
            "floor 10, aim 20; last round {:.0}/s of {:.0}/s; a sync takes {:.2} ms",
            rates.0,
            rates.1,
            added.as_secs_f64() * 1000.0
        ),
    }]
}

/// How long a sync takes in this process, which shows whether the shim is in force.
fn sync_takes() -> Duration {
    let path = folder().join("sync.probe");
    let mut file = std::fs::File::create(path).expect("target/bench can be written");
    let mut least = Duration::MAX;
    for _ in 0..10 {
        file.write_all(b"x").expect("it is written");
        let began = Instant::now();
        file.sync_data().expect("it is synced");
        least = least.min(began.elapsed());
    }
    assert!(least >= Duration::from_millis(1), "the shim is not in force: a sync took {least:?}");
    least
}

/// The same pins given to the store one after the other: a commit, and a sync, for each.
async fn one_by_one(house: &House, counter: &AtomicU64) -> f64 {
    let (began, mut count) = (Instant::now(), 0u32);
    while began.elapsed() < SPAN {
        let n = counter.fetch_add(1, Ordering::Relaxed);
        house.store.accept_pin(house.request(n, cid(n))).await.expect("a pin is accepted");
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}
