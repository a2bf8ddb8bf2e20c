//! A whole gateway that places pins by routes, and explains how.

use std::{process::Command, time::Duration};

use bytes::Bytes;
use http::{Method, Request, header};
use pinfold::{
    app::{Gateway, Tuning},
    config::{self, Environment, Settings},
    http as client,
    model::PinCid,
    sim::Sim,
    telemetry::Metrics,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const CID: &str = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
const ROUTES: &str = "routes: [ { name: backups, when: { name: \"backup-*\" }, policy: archive } ]\n";

struct House {
    sims: [Sim; 2],
    dir: TempDir,
    gateway: Gateway,
    client: client::Client,
}

fn settings(dir: &TempDir, sims: &[Sim; 2], routes: &str) -> Settings {
    let [alpha, beta] = sims.each_ref().map(Sim::endpoint);
    let yaml = format!(
        "server: {{ listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\nstore: {{ url: \"sqlite:{}\" }}\n\
         api: {{ accept_wait: 10s }}\n\
         accounts: [ {{ name: ada, meta_controls: true, tokens: [ {{ name: desk, secret: token-of-ada }} ] }} ]\n\
         providers:\n  - {{ name: alpha, endpoint: \"{alpha}\", token: alpha }}\n  - {{ name: beta, endpoint: \"{beta}\", token: beta }}\n\
         policies:\n  - {{ name: default, copies: 1 }}\n  - {{ name: archive, copies: 1, providers: [beta] }}\n{routes}",
        dir.path().join("pins.db").display(),
    );
    let loaded = config::parse("config.yaml", &yaml, dir.path(), &Environment::default());
    loaded.unwrap_or_else(|problems| panic!("{problems}")).settings
}

impl House {
    async fn start() -> Self {
        let sims = [Sim::builder("alpha").start().await, Sim::builder("beta").start().await];
        let dir = crate::scratch();
        let gateway = Gateway::start(settings(&dir, &sims, ROUTES), &Tuning::default(), Metrics::new()).await;
        let gateway = gateway.unwrap_or_else(|error| panic!("{error:#}"));
        Self { sims, dir, gateway, client: client::Client::new(&client::Settings::default()) }
    }

    async fn ask(&self, method: Method, uri: String, body: &Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(uri);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request = request.header(header::AUTHORIZATION, "Bearer token-of-ada");
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let answer =
            self.client.send(request.body(body).expect("a request"), 1 << 20).await.expect("an answer");
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    /// Adds a pin, whose answer waits for its copy.
    async fn add(&self, name: &str, meta: Value) -> (u16, Value) {
        let body = json!({ "cid": CID, "name": name, "meta": meta });
        self.ask(Method::POST, format!("http://{}/pins", self.gateway.address()), &body).await
    }

    /// Without a token, as on this machine: an account's is none of an operator's.
    async fn explain(&self, query: &str) -> (u16, Value) {
        let uri = format!("http://{}/api/v1/policy/explain?cid={CID}{query}", self.gateway.admin());
        let request = Request::get(uri).body(Bytes::new()).expect("a request");
        let answer = self.client.send(request, 1 << 20).await.expect("an answer");
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    fn held(&self) -> [usize; 2] {
        self.sims.each_ref().map(|sim| sim.pins().len())
    }

    async fn stop(self) {
        self.gateway.stop(Duration::from_secs(20)).await.expect("nothing died");
    }
}

#[tokio::test]
async fn pins_go_where_their_route_says_as_it_was_explained() {
    let house = House::start().await;
    let (code, told) = house.explain("&name=backup-1").await;
    assert_eq!((code, &told["policy"]["name"]), (200, &json!("archive")), "{told}");
    assert_eq!(told["policy"]["chosen"], "by the route backups");
    assert_eq!(told["providers"], json!([{ "name": "beta", "taken": true, "why": "copy 1" }]));
    let (code, pin) = house.add("backup-1", json!({})).await;
    assert_eq!((code, &pin["status"], house.held()), (202, &json!("pinned"), [0, 1]));
    let (_, told) = house.explain("&name=photo").await;
    assert_eq!(told["routes"][0]["because"], json!(["the name \"photo\" does not fit backup-*"]));
    assert_eq!(told["policy"]["chosen"], "the account's own");
    let unknown = house.explain("&account=ben").await;
    assert!(
        unknown.0 == 404 && unknown.1["error"]["details"].as_str().expect("words").contains("there is ada")
    );
    assert_eq!(house.explain("&token=nobody").await.0, 404);
    house.stop().await;
}

#[tokio::test]
async fn other_routes_are_taken_up_while_serving() {
    let house = House::start().await;
    let newer = settings(&house.dir, &house.sims, &ROUTES.replace("backup-*", "photo*"));
    let changes = house.gateway.take_up(newer).await.expect("taken up");
    let told: Vec<_> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["routes[backups].when.name: [photo*] (was [backup-*])"]);
    house.add("photo", json!({})).await;
    assert_eq!(house.held(), [0, 1]);
    house.stop().await;
}

#[tokio::test]
async fn a_client_asks_for_a_policy_and_an_end_and_is_told_what_it_may_not() {
    let house = House::start().await;
    let (code, refused) = house.add("photo", json!({ "policy": "archive" })).await;
    assert_eq!(code, 400);
    assert!(
        refused["error"]["details"].as_str().expect("words").contains("send one of default"),
        "{refused}"
    );
    let meta = json!({ "policy": "default", "expires_at": "2100-01-01T00:00:00Z" });
    let (code, pin) = house.add("backup-1", meta).await;
    assert_eq!((code, &pin["info"]["pinned_until"]), (202, &json!("2100-01-01T00:00:00.000Z")), "{pin}");
    assert_eq!(house.held(), [1, 0], "what is asked for goes before any route");
    house.stop().await;
}

#[tokio::test]
async fn the_command_line_tells_what_the_gateway_explains() {
    let house = House::start().await;
    let admin = format!("http://{}", house.gateway.admin());
    let run = tokio::task::spawn_blocking(move || {
        let arguments = ["policy", "explain", "--admin", &admin, "--cid", CID, "--name", "backup 1=&?"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinfold"));
        let output = command.args(arguments).args(["--meta", "k=v w"]).env_clear().output();
        String::from_utf8(output.expect("the binary runs").stdout).expect("UTF-8")
    });
    let told = run.await.expect("no panic");
    assert!(told.contains("the name \"backup 1=&?\" does not fit backup-*"), "{told}");
    assert!(told.contains("policy default (the account's own): 1 copy, pinned from 1 on"), "{told}");
    assert!(PinCid::parse(CID).is_ok());
    house.stop().await;
}
