//! A whole gateway takes up other configs while it serves.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, header};
use pinfold::{
    app::{Gateway, Tuning},
    config::{self, Environment, Settings},
    engine, http as client,
    model::{Content, PinCid},
    sim::{Route, Sim},
    telemetry::Metrics,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
const PATIENCE: Duration = Duration::from_secs(60);
const RELOADS: usize = 50;

/// What the config says; the rest of it is always the same.
#[derive(Clone, Debug)]
struct Says {
    providers: &'static [&'static str],
    accounts: &'static [&'static str],
    copies: u16,
    /// What the providers take; empty: anything.
    codecs: &'static str,
    /// Of the providers' calls, in seconds.
    deadline: u32,
}

const FIRST: Says =
    Says { providers: &["alpha", "beta"], accounts: &["ada"], copies: 2, codecs: "", deadline: 60 };

struct House {
    sims: Vec<Sim>,
    dir: TempDir,
    gateway: Gateway,
    metrics: Metrics,
    client: client::Client,
}

impl House {
    async fn start(says: &Says) -> Self {
        let mut sims = Vec::new();
        for name in NAMES {
            sims.push(Sim::builder(name).start().await);
        }
        let dir = crate::scratch();
        let engine =
            engine::Settings { longest_sleep: Duration::from_millis(20), ..engine::Settings::default() };
        let tuning = Tuning { engine, ..Tuning::default() };
        let metrics = Metrics::new();
        let gateway = Gateway::start(settings(&dir, &sims, says), &tuning, metrics.clone()).await;
        let gateway = gateway.unwrap_or_else(|error| panic!("{error:#}"));
        let client = client::Client::new(&client::Settings::default());
        Self { sims, dir, gateway, metrics, client }
    }

    async fn take_up(&self, says: &Says) -> anyhow::Result<Vec<String>> {
        let changes = self.gateway.take_up(settings(&self.dir, &self.sims, says)).await?;
        Ok(changes.iter().map(ToString::to_string).collect())
    }

    async fn ask(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.gateway.address()))
            .header(header::AUTHORIZATION, format!("Bearer token-of-{token}"))
            .header(header::CONTENT_TYPE, "application/json");
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = request.body(body).expect("a request");
        let answer = self.client.send(request, 1 << 20).await.expect("an answer");
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    async fn add(&self, token: &str, n: u64) -> (u16, Value) {
        self.ask(Method::POST, "/pins", token, Some(json!({ "cid": cid(n).as_str() }))).await
    }

    async fn pinned_count(&self, token: &str) -> u64 {
        let (code, list) = self.ask(Method::GET, "/pins?status=pinned&limit=1", token, None).await;
        assert_eq!(code, 200, "{list}");
        list["count"].as_u64().expect("a count")
    }

    async fn until_pinned(&self, token: &str, many: u64) {
        let waiting = async {
            while self.pinned_count(token).await < many {
                crate::moment().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("every pin comes to be pinned");
    }

    /// The series with this label, and what they say.
    fn series(&self, label: &str) -> Vec<String> {
        self.metrics.render().lines().filter(|line| line.contains(label)).map(str::to_owned).collect()
    }

    async fn stop(self) {
        self.gateway.stop(Duration::from_secs(20)).await.expect("nothing died");
    }
}

fn settings(dir: &TempDir, sims: &[Sim], says: &Says) -> Settings {
    let mut yaml = format!(
        "server: {{ listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\nstore: {{ url: \"sqlite:{}\" }}\n\
         api: {{ accept_wait: 0s }}\nengine: {{ poll_min: 10ms }}\n\
         limits: {{ read: none, write: none }}\naccounts:\n",
        dir.path().join("pins.db").display()
    );
    let put = |yaml: &mut String, line: String| writeln!(yaml, "{line}").expect("a String takes it");
    for name in says.accounts {
        put(&mut yaml, format!("  - {{ name: {name}, tokens: [{{ name: it, secret: token-of-{name} }}] }}"));
    }
    put(&mut yaml, "providers:".into());
    for (name, sim) in NAMES.iter().zip(sims).filter(|(name, _)| says.providers.contains(name)) {
        let (endpoint, deadline) = (sim.endpoint(), says.deadline);
        put(
            &mut yaml,
            format!(
                "  - {{ name: {name}, endpoint: \"{endpoint}\", token: {name}, timeouts: {{ deadline: {deadline}s }}{} }}",
                says.codecs
            ),
        );
    }
    put(&mut yaml, format!("policies: [ {{ name: default, copies: {} }} ]", says.copies));
    let loaded = config::parse("config.yaml", &yaml, dir.path(), &Environment::default());
    loaded.unwrap_or_else(|problems| panic!("{problems}")).settings
}

fn cid(n: u64) -> PinCid {
    let digest = [n.to_be_bytes(); 4].concat();
    PinCid::canonical(Content::from_bytes(&[&[1, 0x55, 0x12, 32][..], &digest].concat()).expect("a content"))
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_reloads_under_load_fail_no_request_and_lose_no_pin() {
    let house = Arc::new(House::start(&FIRST).await);
    let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (house, stop, next) = (house.clone(), stop.clone(), next.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let (code, pin) = house.add("ada", next.fetch_add(1, Ordering::SeqCst)).await;
                    assert_eq!(code, 202, "{pin}");
                    let id = pin["requestid"].as_str().expect("an id");
                    let (code, pin) = house.ask(Method::GET, &format!("/pins/{id}"), "ada", None).await;
                    assert_eq!(code, 200, "{pin}");
                }
            })
        })
        .collect();
    let others: [Says; 4] = [
        Says { deadline: 50, ..FIRST },
        Says { providers: &["alpha", "beta", "gamma"], ..FIRST },
        Says { accounts: &["ada", "ben"], copies: 1, ..FIRST },
        Says { providers: &["beta", "gamma"], deadline: 40, ..FIRST },
    ];
    for n in 0..RELOADS {
        let before = next.load(Ordering::SeqCst);
        let says = if n + 1 == RELOADS { &FIRST } else { &others[n % others.len()] };
        assert_ne!(house.take_up(says).await.expect("it is taken up"), [""; 0]);
        // Some load between any two.
        while next.load(Ordering::SeqCst) < before + 8 {
            crate::moment().await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.expect("no request failed");
    }
    let added = next.load(Ordering::SeqCst);
    house.until_pinned("ada", added).await;
    for (name, sim) in NAMES.iter().zip(&house.sims) {
        let held = sim.pins().by_content();
        assert!(held.values().all(|pins| *pins == 1), "{name} holds a content twice (I7)");
    }
    Arc::into_inner(house).expect("the clients are gone").stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_refuses_leaves_everything_as_it_was() {
    let both = Says { accounts: &["ada", "ben"], ..FIRST };
    let house = House::start(&both).await;
    assert_eq!(house.add("ben", 1).await.0, 202);
    let refused = house.take_up(&Says { copies: 1, providers: &["beta"], ..FIRST }).await;
    let words = format!("{:#}", refused.expect_err("ben has a pin"));
    assert!(words.contains("\"ben\" is gone from the config but still has 1 pins"), "{words}");
    assert_eq!(house.add("ben", 2).await.0, 202);
    house.until_pinned("ben", 2).await;
    assert_eq!(house.sims[0].pins().by_content().len(), 2, "alpha is still used");
    assert_eq!(house.take_up(&both).await.expect("the same"), [""; 0], "nothing of it was taken up");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_providers_come_and_go() {
    let house = House::start(&FIRST).await;
    assert_eq!(house.add("ben", 1).await.0, 401);
    let more = Says { accounts: &["ada", "ben"], providers: &["alpha", "beta", "gamma"], copies: 3, ..FIRST };
    let changes = house.take_up(&more).await.expect("it is taken up");
    let paths: BTreeSet<_> = changes.iter().filter_map(|change| change.split('.').next()).collect();
    assert_eq!(
        paths.into_iter().collect::<Vec<_>>(),
        ["accounts[ben]", "policies[default]", "providers[gamma]"]
    );
    assert_eq!(house.add("ben", 1).await.0, 202);
    house.until_pinned("ben", 1).await;
    let everywhere = async {
        while house.sims[2].pins().by_content().is_empty() {
            crate::moment().await;
        }
    };
    tokio::time::timeout(PATIENCE, everywhere).await.expect("gamma is used");
    // One that leaves is called no more, and what it would have held goes elsewhere.
    let fewer = Says { providers: &["beta", "gamma"], ..more };
    house.take_up(&Says { copies: 2, ..fewer }).await.expect("it is taken up");
    let calls = house.sims[0].counts().calls(Route::Add);
    assert_eq!(house.add("ada", 2).await.0, 202);
    house.until_pinned("ada", 1).await;
    assert_eq!(house.sims[0].counts().calls(Route::Add), calls);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_that_no_provider_takes_says_so_and_is_made_by_itself_once_one_does() {
    let house = House::start(&Says { codecs: ", codecs: [dag-pb]", ..FIRST }).await;
    let (code, pin) = house.add("ada", 1).await;
    assert_eq!((code, &pin["status"]), (202, &json!("failed")), "{pin}");
    let (_, failed) = house.ask(Method::GET, "/pins?status=failed", "ada", None).await;
    for told in [&pin["info"], &failed["results"][0]["info"]] {
        let details = told["status_details"].as_str().expect("a reason");
        assert!(details.contains("alpha, beta take no CIDs of codec raw"), "{details}");
    }
    house.take_up(&FIRST).await.expect("it is taken up");
    house.until_pinned("ada", 1).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_left_the_config_is_in_no_metric_until_it_is_back() {
    let all = Says { accounts: &["ada", "ben"], providers: &["alpha", "gamma"], ..FIRST };
    let house = House::start(&all).await;
    assert_eq!(house.add("ada", 1).await.0, 202);
    house.until_pinned("ada", 1).await;
    let (gamma, ben) = (r#"provider="gamma""#, r#"account="ben""#);
    let before = (house.series(gamma).len(), house.series(ben).len());
    assert!(before.0 > 50 && before.1 > 10, "{before:?}");
    house.take_up(&FIRST).await.expect("it is taken up");
    // Its driver goes on to its end, and the others go on.
    for n in 2..6 {
        assert_eq!(house.add("ada", n).await.0, 202);
    }
    house.until_pinned("ada", 5).await;
    assert_eq!((house.series(gamma), house.series(ben)), (vec![], vec![]));
    house.take_up(&all).await.expect("it is taken up");
    assert_eq!((house.series(gamma).len(), house.series(ben).len()), before);
    house.stop().await;
}
