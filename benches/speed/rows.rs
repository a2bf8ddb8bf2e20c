//! The rows of the table.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures::future::join_all;
use http_body_util::Full;
use hyper::{Response, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use pinfold::model::{Clock, ListQuery, Status, StatusSet, SystemClock};

use super::{
    Figure,
    house::{self, House, cid, name},
    load::{self, Connection, get, post},
    say,
};

const ROUNDS: usize = 7;
const SPAN: Duration = Duration::from_millis(1200);

pub async fn run(row: &str, pins: u64) -> Vec<Figure> {
    match row {
        "get" => get_by_id(pins).await,
        "post" => add().await,
        "walk" => walk(pins).await,
        "list" => list(pins).await,
        "disk" => disk(pins).await,
        "start" => start(pins).await,
        _ => fan_out().await,
    }
}

/// A bare hyper server with one fixed answer.
async fn raw(body: Vec<u8>) -> SocketAddr {
    let body = Bytes::from(body);
    let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = door.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = door.accept().await {
            let body = body.clone();
            let answer = service_fn(move |_| {
                let body = body.clone();
                async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    address
}

/// Whether somebody listens there. A connection to a free port may come to itself: that is nobody.
fn listens(address: SocketAddr) -> bool {
    let ends = std::net::TcpStream::connect(address)
        .and_then(|stream| Ok((stream.local_addr()?, stream.peer_addr()?)));
    ends.is_ok_and(|(local, peer)| local != peer)
}

/// nginx in front of a server, if there is one on this machine.
struct Nginx {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ended = Command::new("kill").arg(self.child.id().to_string()).status();
        let _reaped = self.child.wait();
    }
}

fn nginx(upstream: SocketAddr) -> Option<Nginx> {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).ok()?;
    let folder = tempfile::tempdir().ok()?;
    let config = folder.path().join("nginx.conf");
    let text = format!(
        "worker_processes 2; daemon off; pid {0}/pid; error_log {0}/error.log;\nevents {{ worker_connections 512; }}\n\
         http {{ access_log off; client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0};\n\
         uwsgi_temp_path {0}; scgi_temp_path {0}; keepalive_requests 100000000;\n\
         upstream raw {{ server {upstream}; keepalive 128; keepalive_requests 100000000; }}\n\
         server {{ listen {port}; location / {{ proxy_pass http://raw; proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\"; }} }} }}\n",
        folder.path().display()
    );
    std::fs::write(&config, text).ok()?;
    let child = Command::new("nginx").arg("-c").arg(&config).stderr(Stdio::null()).spawn().ok()?;
    let nginx = Nginx { child, address: port, _folder: folder };
    let deadline = Instant::now() + Duration::from_secs(5);
    while !listens(nginx.address) {
        if Instant::now() > deadline {
            return None;
        }
        std::thread::yield_now();
    }
    Some(nginx)
}

async fn ids(house: &House, most: u16) -> Vec<String> {
    let query = ListQuery { limit: most, ..ListQuery::with_statuses(StatusSet::ALL) };
    let page = house.store.list_pins(house.account, query).await.expect("a page");
    page.pins.iter().map(|pin| pin.requestid.to_string()).collect()
}

async fn get_by_id(pins: u64) -> Vec<Figure> {
    let (house, _) = House::seeded(pins).await;
    let served = house.serve().await;
    let requests: Vec<Vec<u8>> =
        ids(&house, 1000).await.iter().map(|id| get(&format!("/pins/{id}"))).collect();
    let body = Connection::open(served).await.ask(&requests[0]).await.to_vec();
    let bare = raw(body).await;
    let nginx = nginx(bare);
    let pick = |which: usize, nth: usize| requests[(which * 31 + nth * 7) % requests.len()].clone();
    let (mut to_raw, mut to_nginx) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let ours = load::run(served, 64, SPAN, pick).await.per_second;
        let raw = load::run(bare, 64, SPAN, pick).await.per_second;
        to_raw.push(ours / raw);
        if let Some(nginx) = &nginx {
            to_nginx.push(ours / load::run(nginx.address, 64, SPAN, pick).await.per_second);
        }
    }
    vec![
        Figure {
            what: "1  GET /pins/{id} against nginx passing the request on".into(),
            ratios: to_nginx,
            note: "floor 0.85, aim 1.1".into(),
        },
        Figure {
            what: "2  GET /pins/{id} against raw hyper, a fixed body".into(),
            ratios: to_raw,
            note: "floor 0.45, aim 0.6".into(),
        },
    ]
}

async fn add() -> Vec<Figure> {
    let house = House::empty("post").await;
    let served = house.serve().await;
    let counter = AtomicU64::new(0);
    let mut ratios = Vec::new();
    let mut rates = (0.0, 0.0);
    for _ in 0..ROUNDS {
        let http = load::run(served, 64, SPAN, |_, _| {
            let n = counter.fetch_add(1, Ordering::Relaxed);
            post(&format!("{{\"cid\":\"{}\",\"name\":\"{}\"}}", cid(n).as_str(), name(n)))
        })
        .await
        .per_second;
        let bare = bare_adds(&house, &counter).await;
        ratios.push(http / bare);
        rates = (http, bare);
    }
    vec![Figure {
        what: "3  POST /pins, 64 connections, against the bare store".into(),
        ratios,
        note: format!("floor 0.75, aim 0.9; last round {:.0}/s of {:.0}/s", rates.0, rates.1),
    }]
}

/// The same pins given to the store by 64 tasks, without HTTP or JSON.
async fn bare_adds(house: &House, counter: &AtomicU64) -> f64 {
    let began = Instant::now();
    let counts = join_all((0..64).map(|_| async {
        let mut count = 0u64;
        while began.elapsed() < SPAN {
            let n = counter.fetch_add(1, Ordering::Relaxed);
            house.store.accept_pin(house.request(n, cid(n))).await.expect("a pin is accepted");
            count += 1;
        }
        count
    }))
    .await;
    counts.iter().sum::<u64>() as f64 / began.elapsed().as_secs_f64()
}

async fn walk(pins: u64) -> Vec<Figure> {
    let (house, _) = House::seeded(pins).await;
    let served = house.serve().await;
    let mut ratios = Vec::new();
    let mut rate = 0.0;
    for _ in 0..3 {
        let began = Instant::now();
        let seen = walk_http(served).await;
        let http = began.elapsed().as_secs_f64();
        let began = Instant::now();
        let bare_seen = walk_store(&house).await;
        let bare = began.elapsed().as_secs_f64();
        assert_eq!((seen, bare_seen), (pins, pins), "a walk sees each pin once");
        ratios.push(bare / http);
        rate = pins as f64 / http;
    }
    vec![Figure {
        what: "5  walk over HTTP, 1000 a page, against the store's own".into(),
        ratios,
        note: format!("floor 0.35, aim 0.7; {rate:.0} pins/s"),
    }]
}

async fn walk_http(served: SocketAddr) -> u64 {
    let mut connection = Connection::open(served).await;
    let (mut seen, mut before) = (0, String::new());
    loop {
        let body = connection.ask(&get(&format!("/pins?limit=1000{before}"))).await;
        let text = std::str::from_utf8(body).expect("JSON is UTF-8");
        let page = text.matches("\"requestid\"").count() as u64;
        if page == 0 {
            return seen;
        }
        seen += page;
        let last = text.rfind("\"created\":\"").expect("pins have a time") + 11;
        before = format!("&before={}", &text[last..last + 24]);
    }
}

async fn walk_store(house: &House) -> u64 {
    let (mut seen, mut before) = (0, None);
    loop {
        let query = ListQuery {
            limit: 1000,
            before,
            ..ListQuery::with_statuses(StatusSet::EMPTY.with(Status::Pinned))
        };
        let page = house.store.list_pins(house.account, query).await.expect("a page");
        let Some(last) = page.pins.last() else { return seen };
        seen += page.pins.len() as u64;
        before = Some(last.created);
    }
}

/// A query for the large house (0) or the small one (1).
type Query<'a> = Box<dyn Fn(usize) -> String + 'a>;

async fn list(pins: u64) -> Vec<Figure> {
    const SMALL: u64 = 10_000;
    let ((large, _), (small, _)) = (House::seeded(pins).await, House::seeded(SMALL).await);
    let servers = [large.serve().await, small.serve().await];
    let mut deep = Vec::new();
    for (house, size) in [(&large, pins), (&small, SMALL)] {
        let middle = ListQuery {
            cids: vec![cid(size / 100).content().clone()],
            ..ListQuery::with_statuses(StatusSet::ALL)
        };
        let page = house.store.list_pins(house.account, middle).await.expect("a page");
        deep.push(page.pins[0].created);
    }
    let filters: [(&str, Query); 7] = [
        ("10 newest", Box::new(|_| "limit=10".into())),
        ("10 newest of all statuses", Box::new(|_| "limit=10&status=queued,pinning,pinned,failed".into())),
        ("10 at 99 % depth", Box::new(|which| format!("limit=10&before={}", deep[which]))),
        ("1000 newest", Box::new(|_| "limit=1000".into())),
        ("one CID", Box::new(|_| format!("cid={}", cid(77).as_str()))),
        ("exact name", Box::new(|_| format!("name={}", name(77).replace('/', "%2F")))),
        ("iexact name", Box::new(|_| format!("match=iexact&name={}", name(77).replace('/', "%2F")))),
    ];
    let mut figures = Vec::new();
    for (what, query) in filters {
        let mut ratios = Vec::new();
        let mut p50 = Duration::ZERO;
        for _ in 0..ROUNDS {
            let mut medians = Vec::new();
            for (which, served) in servers.into_iter().enumerate() {
                let request = get(&format!("/pins?{}", query(which)));
                let round = load::run(served, 1, SPAN / 4, |_, _| request.clone()).await;
                medians.push(round.at(0.5));
            }
            p50 = medians[0];
            ratios.push(medians[0].as_secs_f64() / medians[1].as_secs_f64());
        }
        figures.push(Figure {
            what: format!("6  list, {what}: against 10,000 pins"),
            ratios,
            note: format!("at most 1.3, aim 1.1; p50 {p50:?}"),
        });
    }
    figures
}

async fn disk(pins: u64) -> Vec<Figure> {
    let (house, path) = House::seeded(pins).await;
    drop(house);
    let bytes = std::fs::metadata(path).expect("the database is there").len();
    vec![Figure {
        what: "7  bytes of disk a pin, two copies, all indexes".into(),
        ratios: vec![bytes as f64 / pins as f64],
        note: "at most 750, aim 600".into(),
    }]
}

/// A gateway of its own process over a database.
struct Served {
    child: Child,
    ready_after: Duration,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ended = Command::new("kill").arg(self.child.id().to_string()).status();
        let _reaped = self.child.wait();
    }
}

/// An address that was free a moment ago.
fn free_port() -> SocketAddr {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|door| door.local_addr());
    free.expect("a free port")
}

fn served(database: &Path) -> Served {
    let ports = [free_port(), free_port()];
    let config = house::folder().join("serve.yaml");
    let [a, b] = house::ENDPOINTS;
    let text = format!(
        "server: {{ listen: \"{}\" }}\nadmin: {{ listen: \"{}\" }}\nstore: {{ url: \"sqlite:{}\" }}\nlog: {{ filter: error }}\n\
         accounts:\n  - {{ name: bench, policy: two, tokens: [ {{ name: bench, secret: {} }} ] }}\nproviders:\n  \
         - {{ name: a, preset: generic, endpoint: \"{a}\", token: a }}\n  - {{ name: b, preset: generic, endpoint: \"{b}\", token: b }}\n\
         policies:\n  - {{ name: two, copies: 2, providers: [a, b] }}\n",
        ports[0],
        ports[1],
        database.display(),
        house::TOKEN
    );
    std::fs::write(&config, text).expect("the config can be written");
    let began = Instant::now();
    let child = Command::new(env!("CARGO_BIN_EXE_pinfold"))
        .args(["serve", "--config"])
        .arg(&config)
        .spawn()
        .expect("the gateway starts");
    let mut served = Served { child, ready_after: Duration::ZERO };
    let deadline = began + Duration::from_secs(60);
    while !listens(ports[0]) {
        assert!(Instant::now() < deadline, "the gateway never listened");
        std::thread::yield_now();
    }
    served.ready_after = began.elapsed();
    served
}

async fn start(pins: u64) -> Vec<Figure> {
    let (house, path) = House::seeded(pins).await;
    drop(house);
    drop(House::empty("empty").await);
    let empty = house::folder().join("empty.db");
    let mut ratios = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..ROUNDS {
        let full = served(&path);
        memory.push(resident(full.child.id()));
        let full = full.ready_after.as_secs_f64();
        ratios.push(full / served(&empty).ready_after.as_secs_f64());
    }
    say("   (memory is counted right after the start, beside pages of files)");
    vec![
        Figure {
            what: "8  resident memory in MB, anonymous".into(),
            ratios: memory,
            note: "at most 64, aim 40".into(),
        },
        Figure {
            what: "10 start to ready, against an empty store".into(),
            ratios,
            note: "at most 2, aim 1.1".into(),
        },
    ]
}

fn resident(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

async fn fan_out() -> Vec<Figure> {
    const SHARED: u64 = 100_000;
    let house = House::empty("fanout").await;
    say(&format!("seeding {SHARED} pins of one content"));
    for first in (0..SHARED).step_by(2000) {
        let adds = (first..first + 2000).map(|n| house.store.accept_pin(house.request(n, cid(0))));
        join_all(adds).await.into_iter().for_each(|added| drop(added.expect("a pin is accepted")));
    }
    let served = house.serve().await;
    let counter = AtomicU64::new(1);
    let adds = || {
        load::run(served, 8, SPAN, |_, _| {
            let n = counter.fetch_add(1, Ordering::Relaxed);
            post(&format!("{{\"cid\":\"{}\"}}", cid(n).as_str()))
        })
    };
    let mut ratios = Vec::new();
    let mut took = Duration::ZERO;
    for provider in &house.providers {
        let idle = adds().await.at(0.99);
        // The shared content's copy was asked for first, so it is the first to be claimed.
        assert_eq!(house.settle_some(*provider, 1).await, 1);
        let fan = async {
            let began = Instant::now();
            while house.store.remerge_step(SystemClock.now()).await.expect("a step").more {}
            took = began.elapsed();
        };
        let (busy, ()) = futures::future::join(adds(), fan).await;
        ratios.push(busy.at(0.99).as_secs_f64() / idle.as_secs_f64());
    }
    vec![Figure {
        what: "11 POST p99 while an outcome touches 100,000 pins".into(),
        ratios,
        note: format!("at most 5, aim 2; the fan-out took {took:?} beside it"),
    }]
}
