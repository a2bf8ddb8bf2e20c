//! The API over the real store, through a real socket, as its clients use it.

use std::{collections::BTreeSet, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use pinfold::{
    api::{self, Account, Api},
    auth::{Gate, TokenDecl, TokenHash, Tokens},
    lifecycle::{Activator, Changes, Interest, Shutdown},
    limits::{self, Limits},
    model::{AccountDecl, Clock, Fingerprint, ManualClock, ProviderDecl, Quota, Timestamp},
    policy::{Copies, Policy},
    server::{self, Server},
    store::{
        Registration, SharedStore, StoreError,
        sqlite::{SqliteSettings, SqliteStore},
    },
    telemetry::{Listener, Metrics, Traces},
};
use serde_json::{Value, json};
use tempfile::TempDir;

const V0: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
const V1_OF_V0: &str = "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const OTHER: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
const INLINE: &str = "bafkqaaa";
const ALL: &str = "status=queued%2Cpinning%2Cpinned%2Cfailed";

/// A gateway without an engine: pins are recorded and stay queued, except inline ones.
struct Gateway {
    at: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    shutdown: Shutdown,
}

/// Opens the store; one that was just dropped lets go of its file a moment later.
async fn unlocked(file: &Path, changes: &Changes) -> SqliteStore {
    let opening = async {
        loop {
            match SqliteStore::open(file, &SqliteSettings::default(), changes.clone(), &Metrics::new()) {
                Err(StoreError::Locked { .. }) => crate::moment().await,
                opened => break opened.unwrap(),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), opening).await.expect("the file is let go of")
}

async fn open(file: &Path) -> Api {
    let changes = Changes::default();
    let store: SharedStore = Arc::new(unlocked(file, &changes).await);
    // It stands still: `created` has to rise by itself.
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
    let names = ["one", "two"];
    let policy = Policy::plain("default", Copies { min: 2, max: 2 }, 1, vec!["alpha".into(), "beta".into()]);
    let provider = |name: &str| ProviderDecl::new(name, Fingerprint::new(name, None));
    let registered = store
        .register(
            Registration {
                accounts: names.map(|name| AccountDecl::new(name, "default")).into(),
                policies: vec![policy],
                providers: vec![provider("alpha"), provider("beta")],
            },
            clock.now(),
        )
        .await
        .unwrap();
    let token = |(name, id): &(String, _)| TokenDecl::of_account(*id, name, "laptop", TokenHash::of(name));
    let account = |(name, id): &(String, _)| Account {
        id: *id,
        name: name.clone(),
        meta_controls: false,
        policy: "default".into(),
        quota: Quota::NONE,
    };
    let accounts: Vec<_> = registered.accounts.iter().map(account).collect();
    let (metrics, settings) =
        (Metrics::new(), api::Settings { accept_wait: Duration::ZERO, ..api::Settings::default() });
    Api {
        store,
        gate: Gate::new(Tokens::new(registered.accounts.iter().map(token)), clock.clone()),
        served: api::Served::new(&accounts, settings, &metrics),
        limits: Limits::new(&limits::Settings::default()),
        changes,
        interest: Interest::default(),
        activator: Activator::default(),
        clock,
        metrics,
        traces: Traces::default(),
    }
}

impl Gateway {
    async fn start(folder: &TempDir) -> Self {
        let api = open(&folder.path().join("pinfold.db")).await;
        let shutdown = Shutdown::default();
        let listener = server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let at = listener.local_addr().unwrap();
        let server = Server::new(Listener::Public, server::Settings::default(), &api.metrics, &shutdown);
        drop(shutdown.spawn(server.run(listener, api::router(api))));
        Self { at, client: Client::builder(TokioExecutor::new()).build_http(), shutdown }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Bytes) {
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.at))
            .header("authorization", "Bearer one")
            .body(Full::new(body))
            .unwrap();
        let response = self.client.request(request).await.unwrap();
        let status = response.status();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    }

    async fn json(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let (status, body) = self.send(method, path, body).await;
        (status.as_u16(), serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn add(&self, pin: Value) -> Value {
        let (status, added) = self.json(Method::POST, "/pins", Some(pin)).await;
        assert_eq!(status, 202, "{added}");
        added
    }

    async fn list(&self, query: &str) -> Value {
        let (status, page) = self.json(Method::GET, &format!("/pins?{query}"), None).await;
        assert_eq!(status, 200, "{page}");
        page
    }

    async fn count(&self, query: &str) -> u64 {
        self.list(query).await["count"].as_u64().unwrap()
    }

    async fn stop(self) {
        assert!(self.shutdown.drained(Duration::from_secs(30)).await);
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

#[tokio::test]
async fn a_walk_in_boxos_manner_sees_each_pin_once_while_the_clock_stands_still() {
    let folder = TempDir::new().unwrap();
    let gateway = Gateway::start(&folder).await;
    for n in 0..25 {
        gateway.add(json!({"cid": if n % 2 == 0 { V0 } else { OTHER }, "name": format!("pin {n}")})).await;
    }
    let (mut before, mut seen, mut requests) = (String::new(), BTreeSet::new(), 0);
    loop {
        let page = gateway.list(&format!("{before}limit=10&{ALL}")).await;
        requests += 1;
        let results = page["results"].as_array().unwrap();
        for pin in results {
            assert!(seen.insert(text(pin, "requestid").to_owned()), "twice");
        }
        if page["count"] == results.len() {
            break;
        }
        before = format!("before={}&", text(results.last().unwrap(), "created").replace(':', "%3A"));
    }
    assert_eq!((seen.len(), requests), (25, 3));
}

#[tokio::test]
async fn a_walk_in_helias_manner_ends() {
    let folder = TempDir::new().unwrap();
    let gateway = Gateway::start(&folder).await;
    for _ in 0..12 {
        gateway.add(json!({"cid": V0})).await;
    }
    let (mut after, mut pages) = (String::new(), 0);
    loop {
        let page = gateway.list(&format!("{ALL}&limit=1000{after}")).await;
        let Some(last) = page["results"].as_array().unwrap().last() else { break };
        after = format!("&after={}", text(last, "created"));
        pages += 1;
        assert!(pages <= 12);
    }
}

#[tokio::test]
async fn a_pin_is_found_by_each_of_its_properties_and_not_by_others() {
    let folder = TempDir::new().unwrap();
    let gateway = Gateway::start(&folder).await;
    let added =
        gateway.add(json!({"cid": V0, "name": "Größe of Cats", "meta": {"app": "x y", "n": "1"}})).await;
    gateway.add(json!({"cid": OTHER, "name": "other"})).await;
    assert_eq!(added["pin"]["cid"], V0, "as it was sent");
    let cases = [
        (1, format!("cid={V1_OF_V0}")),
        (2, format!("cid={V0}%2C{OTHER}")),
        (0, format!("cid={INLINE}")),
        (1, "name=Gr%C3%B6%C3%9Fe+of+Cats".into()),
        (0, "name=gr%C3%B6%C3%9Fe+of+cats".into()),
        (1, "match=iexact&name=GR%C3%96SSE%20OF%20CATS".into()),
        (1, "match=partial&name=of+C".into()),
        (0, "match=partial&name=of+c".into()),
        (1, "name=OF+c&match=ipartial".into()),
        (1, "meta=%7B%22app%22%3A%22x+y%22%7D".into()),
        (1, "meta[app]=x%20y&meta%5Bn%5D=1".into()),
        (0, "meta[app]=x%20y&meta%5Bn%5D=2".into()),
    ];
    for (count, query) in cases {
        assert_eq!(gateway.count(&format!("{query}&{ALL}")).await, count, "{query}");
    }
    assert_eq!(gateway.count("limit=1&status=queued").await, 2);
    assert_eq!(gateway.count("").await, 0, "pinned only by default");
}

#[tokio::test]
async fn an_inline_cid_is_pinned_at_once_and_listed_by_default() {
    let folder = TempDir::new().unwrap();
    let gateway = Gateway::start(&folder).await;
    let added = gateway.add(json!({"cid": INLINE})).await;
    assert_eq!(text(&added, "status"), "pinned");
    assert_eq!(gateway.list("").await["results"][0]["requestid"], added["requestid"]);
}

#[tokio::test]
async fn a_list_without_a_status_shows_what_is_pinned_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let gateway = Gateway::start(&folder).await;
    gateway.add(json!({"cid": OTHER, "name": "queued"})).await;
    gateway.add(json!({"cid": INLINE, "name": "pinned"})).await;
    let page = gateway.list("match=partial&name=ed").await;
    assert_eq!((&page["count"], &page["results"][0]["pin"]["name"]), (&json!(1), &json!("pinned")));
    assert_eq!(gateway.count(ALL).await, 2);
    gateway.stop().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let gateway = Gateway::start(&folder).await;
    let kept = gateway.add(json!({"cid": V0, "name": "kept", "meta": {"a": "\"b\""}})).await;
    let replaced = gateway.add(json!({"cid": V0})).await;
    let deleted = gateway.add(json!({"cid": OTHER})).await;
    let path = |pin: &Value| format!("/pins/{}", text(pin, "requestid"));
    let (_, new) =
        gateway.json(Method::POST, &path(&replaced), Some(json!({"cid": V0, "name": "new"}))).await;
    let (status, body) = gateway.send(Method::DELETE, &path(&deleted), None).await;
    assert_eq!((status.as_u16(), body.len()), (202, 0));
    gateway.stop().await;

    let gateway = Gateway::start(&folder).await;
    let (status, found) = gateway.json(Method::GET, &path(&kept), None).await;
    assert_eq!(status, 200);
    for key in ["requestid", "created", "pin"] {
        assert_eq!(found[key], kept[key]);
    }
    let (_, found) = gateway.json(Method::GET, &path(&new), None).await;
    assert_eq!(text(&found["pin"], "name"), "new");
    for gone in [&replaced, &deleted] {
        let (status, failure) = gateway.json(Method::GET, &path(gone), None).await;
        assert_eq!((status, text(&failure["error"], "reason")), (404, "NOT_FOUND"));
    }
}

#[tokio::test]
async fn over_a_socket_head_has_no_body_and_a_large_body_gets_its_answer() {
    let folder = TempDir::new().unwrap();
    let gateway = Gateway::start(&folder).await;
    let (status, body) = gateway.send(Method::HEAD, "/pins", None).await;
    assert_eq!((status.as_u16(), body.len()), (200, 0));
    let large = json!({"cid": V0, "unknown": "x".repeat(3 << 20)});
    let (status, failure) = gateway.json(Method::POST, "/pins", Some(large)).await;
    assert_eq!((status, text(&failure["error"], "reason")), (413, "PAYLOAD_TOO_LARGE"));
    let (status, _) = gateway.json(Method::GET, "//api//pins/", None).await;
    assert_eq!(status, 200);
}
