//! Row 9: how many calls a provider gets for each copy, from the POST until the copy was seen pinned.

use std::{
    ops::Range,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures::future::join_all;
use pinfold::{
    app::{Gateway, Tuning},
    config::{self, Environment},
    sim::{Route, Sim},
    telemetry::Metrics,
};

use super::{
    Figure,
    house::{TOKEN, cid, name},
    load::{Connection, get, post},
};

const PINS: usize = 10_000;
const CONNECTIONS: usize = 16;
/// How long the provider takes for a pin, in seconds.
const PACES: [u64; 3] = [0, 2, 20];

pub async fn run() {
    for pace in PACES {
        paced(Duration::from_secs(pace)).await.print();
    }
}

async fn paced(pace: Duration) -> Figure {
    let sim = Sim::builder("upstream-token").pin_after(pace).start().await;
    let dir = tempfile::tempdir().expect("a folder");
    let settings = config::parse(
        "bench.yaml",
        &config(dir.path(), &sim.endpoint()),
        dir.path(),
        &Environment::default(),
    );
    let (settings, tuning) = (settings.expect("a config").settings, Tuning::default());
    let gateway = Gateway::start(settings, &tuning, Metrics::new()).await.expect("the gateway starts");
    let began = Instant::now();
    post_all(&gateway, 0..PINS).await;
    let posted = began.elapsed();
    let mut connection = Connection::open(gateway.address()).await;
    while pinned(&mut connection).await < PINS {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (took, counts) = (began.elapsed(), sim.counts());
    let ratio = counts.total() as f64 / PINS as f64;
    gateway.stop(Duration::from_secs(5)).await.expect("it stops");
    Figure {
        what: format!("9  calls for each of 10,000 copies, pinned after {} s", pace.as_secs()),
        ratios: vec![ratio],
        note: format!(
            "floor 1.3, aim 1.1; posted in {:.1} s, all pinned after {:.1} s; {} submits, {} lists, {} by id",
            posted.as_secs_f64(),
            took.as_secs_f64(),
            counts.calls(Route::Add),
            counts.calls(Route::List),
            counts.calls(Route::Get)
        ),
    }
}

/// Asks for all these pins.
pub async fn post_all(gateway: &Gateway, pins: Range<usize>) {
    let next = AtomicUsize::new(pins.start);
    join_all((0..CONNECTIONS).map(|_| async {
        let mut connection = Connection::open(gateway.address()).await;
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= pins.end {
                break;
            }
            let n = n as u64;
            let body = format!("{{\"cid\":\"{}\",\"name\":\"{}\"}}", cid(n).as_str(), name(n));
            connection.ask(&post(&body)).await;
        }
    }))
    .await;
}

fn config(dir: &Path, endpoint: &str) -> String {
    format!(
        "server: {{ listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n\
         store: {{ url: \"sqlite:{}\" }}\napi: {{ accept_wait: 0s }}\nlimits: {{ read: none, write: none }}\n\
         accounts: [ {{ name: bench, tokens: [ {{ name: bench, secret: {TOKEN} }} ] }} ]\n\
         providers: [ {{ name: up, endpoint: \"{endpoint}\", token: upstream-token, exclusive: true }} ]\n",
        dir.join("pins.db").display()
    )
}

/// How many pins are listed as pinned.
pub async fn pinned(connection: &mut Connection) -> usize {
    let body = connection.ask(&get("/pins?status=pinned&limit=1")).await;
    let text = String::from_utf8_lossy(body);
    let count =
        text.split_once("\"count\":").map(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next());
    count.flatten().and_then(|digits| digits.parse().ok()).expect("a list tells its count")
}
