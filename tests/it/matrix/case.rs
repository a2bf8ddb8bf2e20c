//! One gateway in front of one simulated provider of one preset, on a clock that the case turns.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, header};
use pinfold::{
    app::{Gateway, Tuning},
    config::{self, Environment},
    engine, http as client,
    lifecycle::Changes,
    model::{Clock, Content, ManualClock, Meta, PinCid, Timestamp},
    presets::Preset,
    sim::{Asked, Sim},
    store::sqlite::{SqliteSettings, SqliteStore},
    telemetry::Metrics,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Outcome;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const TOKEN: &str = "token-of-the-provider";
const PASSWORD: &str = "password-at-the-provider";
/// Real time in which anything here comes to its end.
const PATIENCE: Duration = Duration::from_secs(120);

/// A database in which nothing is yet, made once: each case begins with a copy.
static NEW: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dir = crate::scratch();
    let path = dir.path().join("pins.db");
    let made = SqliteStore::open(&path, &SqliteSettings::default(), Changes::default(), &Metrics::new());
    drop(made.expect("a database"));
    fs::read(path).expect("it is there")
});
/// Reads the machine's certificates, once.
static CLIENT: LazyLock<client::Client> = LazyLock::new(|| client::Client::new(&client::Settings::default()));

/// Two accounts of the gateway.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who {
    Ada,
    Ben,
}

impl Who {
    fn token(self) -> &'static str {
        match self {
            Self::Ada => "token-of-ada",
            Self::Ben => "token-of-ben",
        }
    }
}

/// An answer of the gateway.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) body: Value,
}

impl Answer {
    /// The pin's id, where the answer is a pin with this code.
    pub(super) fn id(&self, code: u16) -> Result<String, String> {
        let id = self.body["requestid"].as_str().filter(|_| self.code == code);
        id.map(str::to_owned).ok_or_else(|| format!("no {code} with a pin: {} {}", self.code, self.body))
    }
}

pub(super) struct Case {
    pub(super) sim: Sim,
    preset: Preset,
    clock: Arc<ManualClock>,
    gateway: Option<Gateway>,
    client: client::Client,
    dir: TempDir,
}

impl Case {
    pub(super) async fn start(preset: &Preset) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let pace = Duration::from_secs(4);
        let sim = Sim::playing(preset, TOKEN)
            .user("ada@example.org", PASSWORD)
            .clock(clock.clone())
            .pin_after(pace);
        let mut case = Self {
            sim: sim.start().await,
            preset: preset.clone(),
            clock,
            gateway: None,
            client: CLIENT.clone(),
            dir: crate::scratch(),
        };
        fs::write(case.dir.path().join("pins.db"), &*NEW).expect("written");
        case.give_token(TOKEN);
        case.serve().await;
        case
    }

    /// Puts a credential where the gateway reads it.
    pub(super) fn give_token(&self, token: &str) {
        for (file, secret) in [("it.token", token), ("it.password", PASSWORD)] {
            let new = self.dir.path().join(format!("{file}.new"));
            fs::write(&new, secret).expect("written");
            fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("set");
            fs::rename(&new, self.dir.path().join(file)).expect("renamed");
        }
    }

    async fn serve(&mut self) {
        let loaded = config::parse("config.yaml", &self.config(), self.dir.path(), &Environment::default());
        let settings = loaded.unwrap_or_else(|problems| panic!("{problems}")).settings;
        let engine =
            engine::Settings { longest_sleep: Duration::from_millis(20), ..engine::Settings::default() };
        let clock: Arc<dyn Clock> = self.clock.clone();
        let tuning = Tuning { engine, clock: Some(clock), ..Tuning::default() };
        let started = Gateway::start(settings, &tuning, Metrics::new()).await;
        self.gateway = Some(started.unwrap_or_else(|error| panic!("{error:#}")));
    }

    fn config(&self) -> String {
        let account = |name: &str, who: Who| {
            format!("  - {{ name: {name}, tokens: [{{ name: it, secret: {} }}] }}\n", who.token())
        };
        let mut yaml = format!("accounts:\n{}{}", account("ada", Who::Ada), account("ben", Who::Ben));
        let store = self.dir.path().join("pins.db");
        // Holds: writing to a String does not fail.
        write!(
            yaml,
            "server: {{ listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n\
             store: {{ url: \"sqlite:{}\" }}\napi: {{ accept_wait: 0s, default_status: all }}\n\
             providers:\n  - {{ name: it, preset: {}, endpoint: \"{}\"{} }}\n",
            store.display(),
            self.preset.name,
            self.sim.endpoint(),
            self.credential(),
        )
        .expect("a String takes it");
        yaml
    }

    fn credential(&self) -> &'static str {
        match self.preset.name.as_str() {
            "w3ipfs" | "ipfs-cluster" => ", login: { user: ada@example.org, password_file: it.password }",
            _ => ", token_file: it.token",
        }
    }

    pub(super) fn has_token(&self) -> bool {
        self.credential().contains("token_file")
    }

    // ---- what clients do

    async fn send(&self, who: Who, method: Method, path: &str, body: Option<Value>) -> Answer {
        let gateway = self.gateway.as_ref().expect("it serves");
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", gateway.address()))
            .header(header::AUTHORIZATION, format!("Bearer {}", who.token()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(body.map(|body| body.to_string()).unwrap_or_default()))
            .expect("a request");
        let answer =
            self.client.send(request, client::Client::BODY_LIMIT).await.expect("the gateway answers");
        let body = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        Answer { code: answer.status().as_u16(), body }
    }

    pub(super) async fn add(&self, who: Who, cid: &str) -> Result<String, String> {
        let pin =
            json!({ "cid": cid, "name": format!("pin of {who:?}"), "meta": { "who": format!("{who:?}") } });
        self.send(who, Method::POST, "/pins", Some(pin)).await.id(202)
    }

    pub(super) async fn get(&self, who: Who, id: &str) -> Answer {
        self.send(who, Method::GET, &format!("/pins/{id}"), None).await
    }

    pub(super) async fn list(&self, who: Who, query: &str) -> Answer {
        self.send(who, Method::GET, &format!("/pins?{query}"), None).await
    }

    pub(super) async fn replace(&self, who: Who, id: &str, cid: &str) -> Result<String, String> {
        let pin = json!({ "cid": cid, "name": "replaced" });
        self.send(who, Method::POST, &format!("/pins/{id}"), Some(pin)).await.id(202)
    }

    pub(super) async fn delete(&self, who: Who, id: &str) -> Outcome {
        let answer = self.send(who, Method::DELETE, &format!("/pins/{id}"), None).await;
        if answer.code == 202 { Ok(()) } else { Err(format!("not deleted: {} {}", answer.code, answer.body)) }
    }

    pub(super) async fn status(&self, who: Who, id: &str) -> String {
        let answer = self.get(who, id).await;
        answer.body["status"].as_str().map_or_else(|| answer.code.to_string(), str::to_owned)
    }

    /// Whether a call for its copy failed, and its owner is told of it.
    pub(super) async fn was_tried(&self, id: &str) -> bool {
        let info = self.get(Who::Ada, id).await.body["info"].clone();
        info["copy.it"].as_str().is_some_and(|words| words.contains(';'))
    }

    pub(super) async fn pinned(&self, who: Who, id: &str) -> Outcome {
        self.until("the pin is pinned", async || self.status(who, id).await == "pinned").await
    }

    // ---- what the provider has

    pub(super) fn content(cid: &str) -> Content {
        PinCid::parse(cid).expect("a CID").content().clone()
    }

    /// Pins of a content at the provider.
    pub(super) fn held(&self, cid: &str) -> usize {
        let content = Self::content(cid);
        self.sim.pins().0.iter().filter(|pin| *pin.asked.cid.content() == content).count()
    }

    pub(super) async fn holds(&self, cid: &str, pins: usize) -> Outcome {
        self.until(&format!("the provider holds {pins} of {cid}"), async || self.held(cid) == pins).await
    }

    /// A pin that its owner made at the provider without Pinfold.
    pub(super) fn plant(&self, cid: &str) {
        let cid = PinCid::parse(cid).expect("a CID");
        self.sim.plant(Asked { cid, name: Some("by hand".into()), meta: None::<Meta>, origins: Vec::new() });
    }

    // ---- time

    pub(super) fn pass(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// Lets the clock run fast until a state is reached.
    pub(super) async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Outcome {
        let mut turns = tokio::time::interval(Duration::from_millis(10));
        let reached = tokio::time::timeout(PATIENCE, async {
            while !is_so().await {
                turns.tick().await;
                self.pass(Duration::from_secs(1));
            }
        });
        reached.await.map_err(|_| format!("waited in vain until {what}; {}", self.found()))
    }

    /// What is there, for the words of a failure.
    fn found(&self) -> String {
        let pins: Vec<String> = self
            .sim
            .pins()
            .0
            .iter()
            .map(|pin| format!("{} {:?}", pin.asked.cid.as_str(), pin.status))
            .collect();
        format!("at the provider: [{}], calls: {:?}", pins.join(", "), self.sim.counts())
    }

    /// What holds after every case: nothing was made twice, and no replace was left to the provider.
    pub(super) async fn end(mut self) -> Outcome {
        let twice = self.sim.pins().made_twice();
        let replaces = self.sim.counts().calls(pinfold::sim::Route::Replace);
        let gateway = self.gateway.take().expect("it serves");
        gateway.stop(Duration::from_secs(5)).await.map_err(|error| format!("{error:#}"))?;
        self.sim.stop().await;
        match (twice.is_empty(), replaces) {
            (true, 0) => Ok(()),
            (false, _) => Err("a pin was made twice".to_owned()),
            _ => Err("the provider was asked to replace".to_owned()),
        }
    }
}
