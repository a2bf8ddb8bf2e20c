//! Row 12: a provider dies. How long until every pin has all its copies again, and how many calls each copy costs that has
//! to be made anew, where one submit each is the least.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pinfold::{
    app::{Gateway, Tuning},
    config::{self, Environment},
    model::{Clock, ManualClock, SystemClock},
    sim::{Route, Sim},
    telemetry::Metrics,
};

use super::{
    Figure,
    calls::{pinned, post_all},
    house::TOKEN,
    load::Connection,
};

const PINS: usize = 10_000;
const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
/// Longer than `declare_dead_after` and the grace of a start.
const DEAD: Duration = Duration::from_secs(3600);
const LOOK: Duration = Duration::from_millis(20);

/// A clock that goes at the pace of the real one, and can be told to leap.
async fn goes(clock: Arc<ManualClock>) {
    let mut last = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let now = Instant::now();
        clock.advance(now - last);
        last = now;
    }
}

pub async fn run() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let ticking = tokio::spawn(goes(clock.clone()));
    let mut sims = Vec::new();
    for name in NAMES {
        sims.push(Sim::builder(name).clock(clock.clone()).start().await);
    }
    let dir = tempfile::tempdir().expect("a folder");
    let text = config(dir.path(), &sims);
    let settings = config::parse("bench.yaml", &text, dir.path(), &Environment::default());
    let settings = settings.unwrap_or_else(|problems| panic!("{problems}")).settings;
    let tuning = Tuning { clock: Some(clock.clone() as Arc<dyn Clock>), ..Tuning::default() };
    let gateway = Gateway::start(settings, &tuning, Metrics::new()).await.expect("the gateway starts");
    post_all(&gateway, 0..PINS).await;
    let mut connection = Connection::open(gateway.address()).await;
    while pinned(&mut connection).await < PINS {
        tokio::time::sleep(LOOK).await;
    }

    let lost = sims[0].pins().len();
    let before = [calls(&sims[1]), calls(&sims[2])];
    sims[0].faults().down();
    // Somebody asks for it, so that it is found out; its copy is not counted.
    post_all(&gateway, PINS..PINS + 1).await;
    while gateway.store().providers().await.expect("read")[0].health.is_usable() {
        tokio::time::sleep(LOOK).await;
    }
    clock.advance(DEAD);
    let began = Instant::now();
    while sims[1].pins().len() + sims[2].pins().len() < 2 * (PINS + 1) {
        tokio::time::sleep(LOOK).await;
    }
    let made = began.elapsed();
    while gateway.store().stats(clock.now()).await.expect("read").under_replicated > 0 {
        tokio::time::sleep(LOOK).await;
    }
    let whole = began.elapsed();
    ticking.abort();
    let after = [calls(&sims[1]), calls(&sims[2])];
    let total = |of: [[u64; 2]; 2]| of.iter().flatten().sum::<u64>();
    gateway.stop(Duration::from_secs(5)).await.expect("it stops");
    let (submits, all) =
        (after[0][0] + after[1][0] - before[0][0] - before[1][0], total(after) - total(before));
    Figure {
        what: format!("12 calls for each of {lost} copies of a dead provider"),
        ratios: vec![all as f64 / lost as f64],
        note: format!(
            "least 1; {submits} submits; all made after {:.1} s, all pins whole after {:.1} s",
            made.as_secs_f64(),
            whole.as_secs_f64()
        ),
    }
    .print();
}

/// Submits, and all else.
fn calls(sim: &Sim) -> [u64; 2] {
    let counts = sim.counts();
    let submits = counts.calls(Route::Add);
    [submits, counts.total() - submits]
}

fn config(dir: &std::path::Path, sims: &[Sim]) -> String {
    let entry = |(name, sim): (&&str, &Sim)| {
        format!("  - {{ name: {name}, exclusive: true, endpoint: \"{}\", token: {name} }}\n", sim.endpoint())
    };
    let entries: String = NAMES.iter().zip(sims).map(entry).collect();
    format!(
        "server: {{ listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n\
         store: {{ url: \"sqlite:{}\" }}\napi: {{ accept_wait: 0s }}\nlimits: {{ read: none, write: none }}\nengine: {{ declare_dead_after: 30m }}\n\
         accounts: [ {{ name: bench, tokens: [ {{ name: bench, secret: {TOKEN} }} ] }} ]\n\
         policies: [ {{ name: default, copies: 2, pinned_when: 2, choose: least_loaded }} ]\nproviders:\n{entries}",
        dir.join("pins.db").display()
    )
}
