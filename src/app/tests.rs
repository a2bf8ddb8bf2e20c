//! The document of the admin API, held against the routes and against what a whole gateway answers.

mod document;

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use bytes::Bytes;
use http::{Method, Request, header};
use serde_json::{Value, json};
use tokio::time::{interval, timeout};

use self::document::Document;
use super::{Gateway, Sockets, Source, admin_token_file, manager::Manager, reload::Follow, signals};
use crate::{
    config::{self, Environment},
    http::{Client, Settings},
    model::PinCid,
    sim::{Asked, Sim},
    telemetry::{Metrics, logging::tests::captured},
};

const PATIENCE: Duration = Duration::from_secs(60);
const CID: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
const THEIRS: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";

/// A gateway with all of its routes, whose every answer is judged by the document.
struct House {
    sims: [Sim; 2],
    dir: tempfile::TempDir,
    gateway: Gateway,
    client: Client,
    document: Document,
    /// Whose filter is changed.
    _log: Box<dyn tracing::Subscriber + Send + Sync>,
}

impl House {
    async fn start() -> Self {
        let sims = [Sim::builder("alpha").start().await, Sim::builder("beta").start().await];
        let dir = crate::store::contract::scratch();
        write(dir.path(), &sims, 2);
        let (file, environment) = (dir.path().join("config.yaml"), Environment::default());
        let loaded = config::load(&file, &environment).unwrap_or_else(|problems| panic!("{problems}"));
        let source = Source { file, environment, loaded };
        let (hangup, (log, filter, _)) = (signals::hangup().unwrap(), captured("info"));
        let follow = Follow { source, hangup, log: Some(filter), manager: Manager::default() };
        let started = Gateway::follow(follow, Sockets::default(), Metrics::new()).await;
        let (gateway, client) = (started.unwrap(), Client::new(&Settings::default()));
        let (document, _log) = (Document::default(), Box::new(log));
        let mut house = Self { sims, dir, gateway, client, document, _log };
        let (_, document) = house.send(Method::GET, "/api/v1/openapi.json", "").await;
        house.document = Document::new(document);
        house
    }

    async fn send(&self, method: Method, path: &str, body: &str) -> (u16, Value) {
        let token = fs::read_to_string(admin_token_file(&self.dir.path().join("pins.db"))).unwrap();
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.gateway.admin()))
            .header(header::AUTHORIZATION, format!("Bearer {}", token.trim()));
        let request = request.body(Bytes::from(body.to_owned())).unwrap();
        let answer = self.client.send(request, 1 << 22).await.unwrap();
        assert!(answer.headers().contains_key("x-request-id"), "{path}");
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        };
        (answer.status().as_u16(), body)
    }

    /// Sends it, and judges it and its answer.
    async fn ask(&mut self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.send(method.clone(), path, &text).await;
        self.document.judge(&method, path, &body, status, &answer);
        (status, answer)
    }

    async fn get(&mut self, path: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(Method::POST, path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    async fn until(&mut self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut looks = interval(Duration::from_millis(20));
        let waiting = async {
            loop {
                looks.tick().await;
                let answer = self.get(path).await;
                if is_so(&answer) {
                    return answer;
                }
            }
        };
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{path} does not come to it"))
    }
}

/// Writes a config with so many of the providers.
fn write(dir: &Path, sims: &[Sim], providers: usize) {
    let entry = |(name, sim): (&str, &Sim)| {
        let endpoint = sim.endpoint();
        format!("  - {{ name: {name}, endpoint: \"{endpoint}\", token: {name}, audit: {{ by: look }} }}\n")
    };
    let entries: String = ["alpha", "beta"].into_iter().zip(sims).take(providers).map(entry).collect();
    let text = format!(
        "server: {{ listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n\
         store: {{ url: \"sqlite:pins.db\" }}\napi: {{ accept_wait: 0s }}\n\
         accounts: [ {{ name: ada, tokens: [ {{ name: desk, secret: token-of-ada }} ] }} ]\n\
         policies: [ {{ name: default, copies: 1 }} ]\nproviders:\n{entries}"
    );
    fs::write(dir.join("config.yaml"), text).unwrap();
}

/// Asks for everything that the document has.
async fn ask_for_all(house: &mut House) {
    for path in ["/livez", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/config"] {
        house.get(path).await;
    }
    let pin = house.post("/api/v1/pins", json!({ "cid": CID, "name": "n", "meta": { "k": "v" } })).await;
    let id = pin["requestid"].as_str().unwrap().to_owned();
    house.until("/api/v1/pins?status=pinned", |page| page["count"] == 1).await;
    house.get(&format!("/api/v1/pins/{id}")).await;
    house.get(&format!("/api/v1/policy/explain?cid={CID}&name=n")).await;
    about_providers(house).await;
    about_tokens(house).await;
    house.get("/api/v1/events").await;
    house.get("/api/v1/log-level").await;
    let filter = json!({ "filter": "info,pinfold::engine=debug" });
    assert_eq!(house.ask(Method::PUT, "/api/v1/log-level", filter).await.0, 200);
    assert_eq!(house.ask(Method::DELETE, &format!("/api/v1/pins/{id}"), Value::Null).await.0, 202);
    write(house.dir.path(), &house.sims, 1);
    house.post("/api/v1/reload", Value::Null).await;
    house.post("/api/v1/providers/beta/forget", Value::Null).await;
    house.get("/api/v1/providers").await;
}

async fn about_providers(house: &mut House) {
    house.get("/api/v1/providers").await;
    let cid = PinCid::parse(THEIRS).unwrap();
    house.sims[1].plant(Asked { cid, name: Some("theirs".to_owned()), meta: None, origins: Vec::new() });
    let beta = "/api/v1/providers/beta";
    for (body, by) in [(Value::Null, "look"), (json!({ "by": "sweep" }), "sweep")] {
        let audit = house.post(&format!("{beta}/audit"), body).await;
        assert_eq!(audit["terms"], json!({ "by": by }), "as its entry says, unless it is told otherwise");
        house.until(&format!("/api/v1/jobs/{}", audit["id"]), |job| job["state"] == "done").await;
    }
    house.get(&format!("{beta}/audit")).await;
    assert_eq!(house.get(&format!("{beta}/orphans")).await["orphans"].as_array().map(Vec::len), Some(1));
    house.post(&format!("{beta}/drain"), json!({ "dry_run": true })).await;
    house.post(&format!("{beta}/readonly"), Value::Null).await;
    house.post(&format!("{beta}/activate"), Value::Null).await;
    let adopted = house.post(&format!("{beta}/adopt"), json!({ "account": "ada", "dry_run": true })).await;
    house.until(&format!("/api/v1/jobs/{}", adopted["id"]), |job| job["state"] == "done").await;
    // Its copies have nowhere to go: it waits to be told.
    house.post("/api/v1/providers/beta/readonly", Value::Null).await;
    let drain = house.post("/api/v1/providers/alpha/drain", json!({})).await;
    house.post(&format!("/api/v1/jobs/{}/pause", drain["id"]), Value::Null).await;
    house.post("/api/v1/providers/alpha/undrain", Value::Null).await;
    house.post(&format!("{beta}/activate"), Value::Null).await;
    house.post("/api/v1/jobs", json!({ "kind": "apply", "policy": "default", "dry_run": true })).await;
    house.post("/api/v1/policies/default/apply", json!({})).await;
    house.get("/api/v1/jobs?ended=true").await;
}

async fn about_tokens(house: &mut House) {
    let wanted = json!({ "name": "laptop", "account": "ada", "expires": "90d" });
    let made = house.post("/api/v1/tokens", wanted).await;
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    let newer = house.post(&format!("{path}/rotate"), json!({ "overlap": "0s" })).await;
    let path = format!("/api/v1/tokens/{}", newer["id"].as_str().unwrap());
    assert_eq!(house.ask(Method::DELETE, &path, Value::Null).await.0, 200);
    house.get("/api/v1/tokens").await;
}

#[tokio::test]
async fn every_operation_of_the_document_is_answered_as_it_says() {
    let mut house = House::start().await;
    ask_for_all(&mut house).await;
    for (method, path, body, status) in [
        (Method::GET, "/api/v1/pins/nothing", Value::Null, 404),
        (Method::GET, "/api/v1/jobs/99", Value::Null, 404),
        (Method::GET, "/api/v1/events?after=x", Value::Null, 400),
        (Method::PUT, "/api/v1/log-level", json!({ "filter": "warning" }), 400),
        (Method::POST, "/api/v1/providers/nobody/audit", Value::Null, 404),
    ] {
        assert_eq!(house.ask(method, path, body).await.0, status, "{path}");
    }
    assert_eq!(house.document.unasked(), BTreeSet::new(), "operations that no answer was seen of");
    house.gateway.stop(PATIENCE).await.unwrap();
}

#[test]
fn the_document_has_the_routes_that_there_are_and_no_others() {
    let yaml = include_str!("../admin/openapi.yaml");
    let document = Document::new(serde_saphyr::from_str(yaml).unwrap());
    let mut routes = BTreeSet::new();
    document::routes_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/admin"), &mut routes);
    routes_at_the_top(&mut routes);
    assert_eq!(document.operations(), routes, "src/admin/openapi.yaml and the routes of src/admin differ");
}

/// Those of src/admin.rs: health and metrics are not below `/api/v1`.
fn routes_at_the_top(routes: &mut BTreeSet<String>) {
    let found = document::routes_in(include_str!("../admin.rs"));
    assert_eq!(found.len(), 3, "{found:?}");
    routes.extend(found);
}
