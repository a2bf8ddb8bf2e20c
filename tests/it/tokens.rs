//! A whole gateway whose tokens are made, used, rotated and revoked over HTTP.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, header};
use pinfold::{
    app::{self, Gateway, Tuning},
    config::{self, Environment, Settings},
    http as client,
    model::{ManualClock, Timestamp},
    sim::Sim,
    telemetry::Metrics,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const CID: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";

struct House {
    sim: Sim,
    dir: TempDir,
    gateway: Gateway,
    clock: Arc<ManualClock>,
    client: client::Client,
    /// Every byte that the gateway answered.
    answers: Mutex<String>,
}

fn settings(dir: &TempDir, sim: &Sim, rest: &str) -> Settings {
    let yaml = format!(
        "server: {{ listen: \"127.0.0.1:0\" }}\nstore: {{ url: \"sqlite:{}\" }}\napi: {{ accept_wait: 0s }}\n\
         accounts: [ {{ name: ada, tokens: [ {{ name: desk, secret: token-of-ada }} ] }} ]\n\
         providers: [ {{ name: alpha, endpoint: \"{}\", token: alpha }} ]\n\
         policies: [ {{ name: default, copies: 1 }}, {{ name: other, copies: 1 }} ]\n{rest}",
        dir.path().join("pins.db").display(),
        sim.endpoint(),
    );
    let loaded = config::parse("config.yaml", &yaml, dir.path(), &Environment::default());
    loaded.unwrap_or_else(|problems| panic!("{problems}")).settings
}

const LOOPBACK: &str = "admin: { listen: \"127.0.0.1:0\" }\n";

impl House {
    async fn start() -> Self {
        let sim = Sim::builder("alpha").start().await;
        let dir = crate::scratch();
        Self::over(sim, dir, LOOPBACK).await
    }

    async fn over(sim: Sim, dir: TempDir, rest: &str) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let tuning = Tuning { clock: Some(clock.clone()), ..Tuning::default() };
        let gateway = Gateway::start(settings(&dir, &sim, rest), &tuning, Metrics::new()).await;
        let gateway = gateway.unwrap_or_else(|error| panic!("{error:#}"));
        let client = client::Client::new(&client::Settings::default());
        Self { sim, dir, gateway, clock, client, answers: Mutex::default() }
    }

    async fn again(self, rest: &str) -> Self {
        let Self { sim, dir, gateway, .. } = self;
        gateway.stop(Duration::from_secs(20)).await.expect("nothing died");
        Self::over(sim, dir, rest).await
    }

    fn token_file(&self) -> PathBuf {
        app::admin_token_file(&self.dir.path().join("pins.db"))
    }

    fn admin_token(&self) -> String {
        fs::read_to_string(self.token_file()).expect("the first admin token").trim().to_owned()
    }

    async fn send(&self, request: Request<Bytes>) -> (u16, Value) {
        let answer = self.client.send(request, 1 << 20).await.expect("an answer");
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        self.answers.lock().expect("a lock").push_str(&format!("{:?}{body}\n", answer.headers()));
        (answer.status().as_u16(), serde_json::from_str(&body).unwrap_or_default())
    }

    async fn ask(&self, method: Method, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let door = if path.starts_with("/api") { self.gateway.admin() } else { self.gateway.address() };
        let request = Request::builder().method(method).uri(format!("http://{door}{path}"));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request = match token {
            "" => request,
            token => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        };
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        self.send(request.body(body).expect("a request")).await
    }

    /// As the first operator.
    async fn admin(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        self.ask(method, path, &self.admin_token(), body).await
    }

    async fn make(&self, body: Value) -> (String, String) {
        let (code, made) = self.admin(Method::POST, "/api/v1/tokens", &body).await;
        assert_eq!(code, 201, "{made}");
        let word = |key: &str| made[key].as_str().expect(key).to_owned();
        (word("id"), word("secret"))
    }

    async fn pins(&self, token: &str) -> u16 {
        self.ask(Method::GET, "/pins", token, &Value::Null).await.0
    }

    async fn add(&self, token: &str) -> u16 {
        self.ask(Method::POST, "/pins", token, &json!({ "cid": CID })).await.0
    }

    async fn stop(self) -> TempDir {
        self.gateway.stop(Duration::from_secs(20)).await.expect("nothing died");
        self.dir
    }
}

#[tokio::test]
async fn a_token_made_over_http_serves_at_once_and_once_revoked_never_more() {
    let house = House::start().await;
    let (id, secret) = house.make(json!({ "name": "laptop", "account": "ada", "expires": "90d" })).await;
    assert!(secret.starts_with(&format!("pinfold_{id}")) && secret.len() == 54);
    assert_eq!((house.add(&secret).await, house.pins(&secret).await), (202, 200));
    let (code, gone) = house.admin(Method::DELETE, &format!("/api/v1/tokens/{id}"), &Value::Null).await;
    assert_eq!((code, &gone["state"]), (200, &json!("revoked")));
    assert_eq!(house.pins(&secret).await, 401);
    let house = house.again(LOOPBACK).await;
    assert_eq!(house.pins(&secret).await, 401, "also after a restart");
    house.stop().await;
}

#[tokio::test]
async fn what_was_made_survives_a_restart_with_its_scopes_end_and_last_use() {
    let house = House::start().await;
    let body = json!({ "name": "ci", "account": "ada", "scopes": ["pins:read"], "expires": "1h" });
    let (id, secret) = house.make(body).await;
    assert_eq!((house.pins(&secret).await, house.add(&secret).await), (200, 403));
    let house = house.again(LOOPBACK).await;
    let (code, list) = house.ask(Method::GET, "/api/v1/tokens", "", &Value::Null).await;
    assert_eq!(code, 200);
    let tokens = list["tokens"].as_array().expect("a list");
    let found = tokens.iter().find(|token| token["id"] == *id).expect("the token");
    assert_eq!((&found["last_from"], &found["state"]), (&json!("127.0.0.1"), &json!("active")));
    assert_eq!(found["last_used"], "2027-01-15T08:00:00.000Z");
    assert!(tokens.iter().any(|token| token["name"] == "desk" && token["source"] == "config"));
    assert!(!list.to_string().contains(&secret) && !list.to_string().contains("hash"));
    assert_eq!(house.pins(&secret).await, 200);
    house.clock.advance(Duration::from_secs(3600));
    assert_eq!(house.pins(&secret).await, 401);
    house.stop().await;
}

#[tokio::test]
async fn a_rotation_overlaps_and_ends() {
    let house = House::start().await;
    let (id, old) = house.make(json!({ "name": "laptop", "account": "ada" })).await;
    let path = format!("/api/v1/tokens/{id}/rotate");
    let (code, made) = house.admin(Method::POST, &path, &json!({ "overlap": "1h" })).await;
    assert_eq!(code, 201, "{made}");
    let new = made["secret"].as_str().expect("a secret").to_owned();
    assert_eq!((house.pins(&old).await, house.pins(&new).await), (200, 200));
    house.clock.advance(Duration::from_secs(3600));
    assert_eq!((house.pins(&old).await, house.pins(&new).await), (401, 200));
    let (code, _) = house.admin(Method::POST, &path, &Value::Null).await;
    assert_eq!(code, 409, "it was rotated already");
    house.stop().await;
}

#[tokio::test]
async fn the_first_policy_of_a_token_places_its_pins() {
    let house = House::start().await;
    let (_, secret) =
        house.make(json!({ "name": "archive", "account": "ada", "policies": ["other", "default"] })).await;
    assert_eq!(house.add(&secret).await, 202);
    let dir = house.stop().await;
    let database = rusqlite::Connection::open(dir.path().join("pins.db")).expect("the database");
    let named = "SELECT policies.name FROM pins JOIN policies ON policies.id = pins.policy";
    let policy: String = database.query_row(named, [], |row| row.get(0)).expect("a pin");
    assert_eq!(policy, "other");
}

#[tokio::test]
async fn mistakes_are_failures_that_say_what_to_do() {
    let house = House::start().await;
    let post = |body: Value| {
        let house = &house;
        async move {
            let (code, answer) = house.admin(Method::POST, "/api/v1/tokens", &body).await;
            let details = answer["error"]["details"].as_str().unwrap_or_default().to_owned();
            assert!(answer["error"]["reason"].is_string() && !details.is_empty(), "{answer}");
            (code, details)
        }
    };
    for (body, words) in [
        (json!({ "name": "a", "account": "eve" }), "no account \"eve\""),
        (json!({ "name": "a" }), "needs a scope"),
        (json!({ "name": "a", "account": "ada", "scopes": ["pins"] }), "write some of pins:read"),
        (json!({ "name": "a", "account": "ada", "expires": "soon" }), "90d"),
        (json!({ "name": "a", "account": "ada", "polices": [] }), "unknown field"),
        (json!([1]), "cannot be used"),
    ] {
        let (code, details) = post(body).await;
        assert!(code == 400 && details.contains(words), "{code} {details}");
    }
    assert_eq!(post(json!({ "name": "desk", "account": "ada" })).await.0, 409);
    let (code, _) = house.admin(Method::DELETE, "/api/v1/tokens/nobody00", &Value::Null).await;
    assert_eq!(code, 404);
    let (code, _) = house.ask(Method::POST, "/api/v1/tokens", "", &json!({})).await;
    assert_eq!(code, 401);
    let (code, _) = house.ask(Method::POST, "/api/v1/tokens", "token-of-ada", &json!({})).await;
    assert_eq!(code, 403);
    let (code, _) = house.ask(Method::GET, "/pins", &house.admin_token(), &Value::Null).await;
    assert_eq!(code, 403, "an operator's token has no pins");
    let (code, _) = house.admin(Method::GET, "/api/v1/tokens?limit=0", &Value::Null).await;
    assert_eq!(code, 400);
    house.stop().await;
}

#[tokio::test]
async fn guesses_at_the_admin_listener_are_limited_and_good_tokens_are_never_held_up() {
    let house = House::start().await;
    let guess = async || house.ask(Method::GET, "/api/v1/tokens", "hunter2", &Value::Null).await;
    for _ in 0..10 {
        assert_eq!(guess().await.0, 401);
    }
    let (code, answer) = guess().await;
    assert_eq!((code, &answer["error"]["reason"]), (429, &json!("TOO_MANY_REQUESTS")));
    assert_eq!(house.ask(Method::GET, "/pins", "hunter2", &Value::Null).await.0, 429, "both share the limit");
    assert_eq!(house.admin(Method::GET, "/api/v1/tokens", &Value::Null).await.0, 200);
    house.stop().await;
}

#[tokio::test]
async fn a_token_whose_account_left_the_config_cannot_be_rotated() {
    let house = House::start().await;
    let (id, _) = house.make(json!({ "name": "laptop", "account": "ada" })).await;
    let mut newer = settings(&house.dir, &house.sim, LOOPBACK);
    newer.accounts[0].name = "ben".into();
    newer.terms[0].account = "ben".into();
    newer.tokens[0].account = Some("ben".into());
    house.gateway.take_up(newer).await.expect("nobody has pins");
    let rotate = format!("/api/v1/tokens/{id}/rotate");
    let (code, answer) = house.admin(Method::POST, &rotate, &json!({})).await;
    assert_eq!(code, 409, "{answer}");
    house.stop().await;
}

#[tokio::test]
async fn many_tokens_are_listed_page_by_page() {
    let house = House::start().await;
    for n in 0..5 {
        house.make(json!({ "name": format!("t{n}"), "account": "ada" })).await;
    }
    let (mut names, mut path) = (Vec::new(), "/api/v1/tokens?limit=2".to_owned());
    loop {
        let (_, page) = house.ask(Method::GET, &path, "", &Value::Null).await;
        names
            .extend(page["tokens"].as_array().expect("a list").iter().map(|token| token["name"].to_string()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/tokens?limit=2&after={next}");
    }
    names.sort();
    assert_eq!(names, ["\"desk\"", "\"first-admin\"", "\"t0\"", "\"t1\"", "\"t2\"", "\"t3\"", "\"t4\""]);
    house.stop().await;
}

#[tokio::test]
async fn the_first_admin_token_is_made_once_and_stays_revoked() {
    let house = House::start().await;
    let mode = fs::metadata(house.token_file()).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let first = house.admin_token();
    let house = house.again(LOOPBACK).await;
    assert_eq!(house.admin_token(), first);
    let (id, _) = house.make(json!({ "name": "ops", "scopes": ["admin:write"] })).await;
    assert_ne!(id, first[8..16]);
    let (code, _) =
        house.admin(Method::DELETE, &format!("/api/v1/tokens/{}", &first[8..16]), &Value::Null).await;
    assert_eq!(code, 200);
    let house = house.again(LOOPBACK).await;
    assert_eq!(house.admin(Method::POST, "/api/v1/tokens", &json!({})).await.0, 401, "not taken up again");
    fs::remove_file(house.token_file()).expect("the file");
    let house = house.again(LOOPBACK).await;
    assert!(!house.token_file().exists(), "there is another admin token");
    house.stop().await;
}

#[tokio::test]
async fn a_file_that_a_crash_left_before_the_store_knew_of_it_is_taken_up() {
    let house = House::start().await;
    let (file, first) = (house.token_file(), house.admin_token());
    let sim = Sim::builder("alpha").start().await;
    let dir = crate::scratch();
    house.stop().await;
    let left = app::admin_token_file(&dir.path().join("pins.db"));
    fs::write(&left, format!("{first}\n")).expect("written");
    fs::set_permissions(&left, fs::Permissions::from_mode(0o600)).expect("its owner's");
    assert_ne!(file, left);
    let house = House::over(sim, dir, LOOPBACK).await;
    assert_eq!(house.admin_token(), first);
    house.make(json!({ "name": "laptop", "account": "ada" })).await;
    house.stop().await;
}

#[tokio::test]
async fn where_others_can_reach_it_the_admin_listener_wants_tokens_of_the_config() {
    let sim = Sim::builder("alpha").start().await;
    let dir = crate::scratch();
    let mut open = settings(&dir, &sim, LOOPBACK);
    open.admin.listen = ([0, 0, 0, 0], 0).into();
    let refused = Gateway::start(open, &Tuning::default(), Metrics::new()).await.map(drop);
    assert!(refused.unwrap_err().to_string().contains("admin.tokens"));
    let rest = "admin: { listen: \"0.0.0.0:0\", tokens: [ { name: ops, secret: token-of-ops, scopes: [admin:write] } ] }\n";
    let house = House::over(sim, dir, rest).await;
    assert!(!house.token_file().exists(), "the config has an operator's token");
    for (token, code) in [("", 401), ("token-of-ada", 403), ("token-of-ops", 200)] {
        assert_eq!(house.ask(Method::GET, "/api/v1/tokens", token, &Value::Null).await.0, code);
    }
    house.stop().await;
}

#[tokio::test]
async fn a_secret_of_the_store_is_refused_in_the_config_also_by_a_reload() {
    let house = House::start().await;
    let (_, secret) = house.make(json!({ "name": "laptop", "account": "ada" })).await;
    let mut newer = settings(&house.dir, &house.sim, LOOPBACK);
    newer.tokens[0].sha256 = pinfold::auth::TokenHash::of(&secret);
    let refused = house.gateway.take_up(newer.clone()).await.map(drop).unwrap_err();
    assert!(refused.to_string().contains("stored token") && !refused.to_string().contains(&secret));
    assert_eq!(house.pins("token-of-ada").await, 200, "the old config is in force");
    let House { dir, gateway, sim: _sim, .. } = house;
    gateway.stop(Duration::from_secs(20)).await.expect("nothing died");
    let refused = Gateway::start(newer, &Tuning::default(), Metrics::new()).await.map(drop).unwrap_err();
    assert!(app::is_of_the_config(&refused), "{refused:#}");
    drop(dir);
}

#[tokio::test]
async fn a_secret_is_in_the_one_answer_that_made_it_and_nowhere_else() {
    let house = House::start().await;
    let (id, secret) = house.make(json!({ "name": "laptop", "account": "ada" })).await;
    let made = std::mem::take(&mut *house.answers.lock().expect("a lock"));
    assert!(made.matches(&secret).count() == 1 && made.contains("no-store"));
    let wrong = format!("{secret}x");
    assert_eq!((house.pins(&secret).await, house.pins(&wrong).await), (200, 401));
    house.ask(Method::GET, "/api/v1/tokens", "", &Value::Null).await;
    house.ask(Method::GET, "/api/v1/tokens", &wrong, &Value::Null).await;
    house.admin(Method::DELETE, &format!("/api/v1/tokens/{id}"), &Value::Null).await;
    let first = house.admin_token();
    let answers = house.answers.lock().expect("a lock").clone();
    for secret in [&secret[16..], &first[16..]] {
        assert!(!answers.contains(secret));
        for entry in fs::read_dir(house.dir.path()).expect("a folder") {
            let path = entry.expect("an entry").path();
            let bytes = fs::read(&path).expect("a file");
            let holds = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            let is_file = path == house.token_file() && first.ends_with(secret);
            assert_eq!(holds, is_file, "{}", path.display());
        }
    }
    house.stop().await;
}
