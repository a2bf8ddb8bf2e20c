//! A whole gateway whose operator pins, looks, explains, removes and follows events: by the real command line.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, header};
use pinfold::{
    app::{self, Gateway, Tuning},
    config::{self, Environment},
    http as client,
    model::PinCid,
    sim::{Asked, Sim},
    telemetry::Metrics,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const CID: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
const OTHER: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
const ADA: &str = "accounts: [ { name: ada, tokens: [ { name: desk, secret: token-of-ada } ] } ]\n";

struct House {
    sim: Sim,
    dir: TempDir,
    gateway: Gateway,
    client: client::Client,
}

impl House {
    async fn start(accounts: &str) -> Self {
        let sim = Sim::builder("alpha").start().await;
        let dir = crate::scratch();
        let yaml = format!(
            "server: {{ listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n\
             store: {{ url: \"sqlite:{}\" }}\napi: {{ accept_wait: 0s }}\n\
             providers: [ {{ name: alpha, endpoint: \"{}\", token: alpha }} ]\n\
             policies: [ {{ name: default, copies: 1 }} ]\n{accounts}",
            dir.path().join("pins.db").display(),
            sim.endpoint(),
        );
        let loaded = config::parse("config.yaml", &yaml, dir.path(), &Environment::default());
        let settings = loaded.unwrap_or_else(|problems| panic!("{problems}")).settings;
        let gateway = Gateway::start(settings, &Tuning::default(), Metrics::new()).await;
        let gateway = gateway.unwrap_or_else(|error| panic!("{error:#}"));
        Self { sim, dir, gateway, client: client::Client::new(&client::Settings::default()) }
    }

    fn token_file(&self) -> PathBuf {
        app::admin_token_file(&self.dir.path().join("pins.db"))
    }

    fn command(&self, words: &[&str]) -> Command {
        let admin = format!("http://{}", self.gateway.admin());
        let mut command = pinfold(&admin, words);
        command.arg("--admin-token-file").arg(self.token_file());
        command
    }

    async fn run(&self, words: &[&str]) -> (i32, String, String) {
        finished(self.command(words)).await
    }

    /// What went well, by line.
    async fn lines(&self, words: &[&str]) -> Vec<String> {
        let (code, out, err) = self.run(words).await;
        assert_eq!(code, 0, "{words:?}: {err}");
        out.lines().map(str::to_owned).collect()
    }

    async fn jsons(&self, words: &[&str]) -> Vec<Value> {
        let lines = self.lines(words).await;
        lines.iter().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    async fn admin(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let token = std::fs::read_to_string(self.token_file()).expect("the first admin token");
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}/api/v1{path}", self.gateway.admin()))
            .header(header::AUTHORIZATION, format!("Bearer {}", token.trim()))
            .body(Bytes::from(body.to_string()))
            .expect("a request");
        let answer = self.client.send(request, 1 << 20).await.expect("an answer");
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    async fn stop(self) {
        self.gateway.stop(Duration::from_secs(20)).await.expect("nothing died");
        drop(self.sim);
    }
}

fn pinfold(admin: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinfold"));
    command.args(words).args(["--admin", admin]).env_clear().stdin(Stdio::null());
    command
}

async fn finished(mut command: Command) -> (i32, String, String) {
    let run = tokio::task::spawn_blocking(move || command.output().expect("the binary runs"));
    let Output { status, stdout, stderr } = run.await.expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

#[tokio::test]
async fn an_operator_pins_and_waits_lists_explains_and_removes() {
    let house = House::start(ADA).await;
    let added = house.lines(&["pin", "add", &format!("/ipfs/{CID}"), OTHER, "--name", "n"]).await;
    assert!(added.len() == 2 && added.iter().all(|line| line.ends_with("pinned  n")), "{added:?}");
    let id = added[0].split_whitespace().next().expect("an id").to_owned();
    let listed = house.jsons(&["pin", "ls", "--cid", CID, "--json"]).await;
    assert_eq!((&listed[0]["requestid"], &listed[0]["pin"]["cid"]), (&json!(id), &json!(CID)));
    assert_eq!(house.lines(&["pin", "ls"]).await.len(), 3);
    assert_eq!(house.lines(&["pin", "ls", "--count", "--account", "ada"]).await, ["2"]);
    assert_eq!(house.lines(&["pin", "ls", "--count", "--status", "queued,failed"]).await, ["0"]);
    let told = house.lines(&["pin", "explain", &id]).await.join("\n");
    assert!(told.contains("account: ada\n") && told.contains("\nalpha: pinned since "), "{told}");
    let (_, told) = house.admin(Method::GET, &format!("/pins/{id}"), &Value::Null).await;
    assert_eq!((&told["have"], &told["copies"][0]["owned"]), (&json!(1), &json!("made")));
    let (code, _, err) = house.run(&["pin", "rm", "--name", "n"]).await;
    assert!(code == 1 && err.contains("2 pins match") && err.contains("--force"), "{err}");
    house.lines(&["pin", "rm", &id]).await;
    house.lines(&["pin", "rm", "--name", "n"]).await;
    assert_eq!(house.lines(&["pin", "ls", "--count"]).await, ["0"]);
    house.lines(&["pin", "rm", "--force"]).await;
    let (code, _, err) = house.run(&["pin", "explain", &id]).await;
    assert!(code == 1 && err.contains("no such pin"), "{err}");
    let acts = house.jsons(&["event", "tail", "--kind", "admin", "--account", "ada", "--json"]).await;
    let acts: Vec<_> = acts.iter().map(|act| act["body"]["act"].as_str().expect("an act")).collect();
    assert_eq!(acts, ["pin_added", "pin_added", "pin_removed", "pin_removed"]);
    let changes = house.lines(&["event", "tail", "--after", "0", "--kind", "pin_status"]).await;
    assert!(changes.iter().any(|line| line.contains(&id) && line.ends_with("-> pinned")), "{changes:?}");
    house.stop().await;
}

#[tokio::test]
async fn an_operator_says_whose_pins_where_there_are_several_accounts() {
    let accounts = "accounts:\n  - { name: ada, policy: default, quota: { pins: 1 }, limits: { write: 1/h, burst: 1 },\n\
                    \x20     tokens: [ { name: desk, secret: token-of-ada } ] }\n\
                    \x20 - { name: ben, policy: default, tokens: [ { name: desk, secret: token-of-ben } ] }\n";
    let house = House::start(accounts).await;
    let (code, _, err) = house.run(&["pin", "ls"]).await;
    assert!(code == 1 && err.contains("ada, ben"), "{err}");
    let (code, _, err) = house.run(&["pin", "ls", "--account", "eve"]).await;
    assert!(code == 1 && err.contains("no account \"eve\""), "{err}");
    let add = async |account: &str, cid: &str| {
        let path = format!("/pins?account={account}");
        house.admin(Method::POST, &path, &json!({ "cid": cid })).await
    };
    let (code, pin) = add("ada", CID).await;
    assert_eq!(code, 202, "{pin}");
    let (code, told) = add("ada", OTHER).await;
    assert_eq!((code, &told["error"]["reason"]), (409, &json!("INSUFFICIENT_FUNDS")), "the quota holds");
    assert_eq!(add("ben", OTHER).await.0, 202);
    let id = pin["requestid"].as_str().expect("an id");
    let remove =
        async |query: &str| house.admin(Method::DELETE, &format!("/pins/{id}{query}"), &Value::Null).await.0;
    assert_eq!((remove("?account=ben").await, remove("").await, remove("").await), (404, 202, 404));
    assert_eq!(add("ada", OTHER).await.0, 202, "limits on clients are none on operators");
    house.stop().await;
}

/// Answers one request after the other on this address, each by a connection of its own.
fn scripted(answers: &'static [&'static str]) -> String {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", server.local_addr().expect("bound"));
    thread::spawn(move || {
        for body in answers {
            let (mut stream, _) = server.accept().expect("a connection");
            let mut request = BufReader::new(stream.try_clone().expect("one socket"));
            let (mut line, mut length) = (String::new(), 0);
            while request.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                line.clear();
            }
            request.take(length).read_to_end(&mut Vec::new()).expect("a body");
            let head =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).expect("answered");
        }
    });
    url
}

#[tokio::test]
async fn a_pin_that_fails_while_it_is_waited_for_is_4() {
    const ANSWERS: &[&str] = &[
        r#"{"requestid":"r1","status":"queued","pin":{"cid":"c"}}"#,
        r#"{"status":"pinning"}"#,
        r#"{"status":"failed"}"#,
    ];
    let (code, out, err) = finished(pinfold(&scripted(ANSWERS), &["pin", "add", CID])).await;
    assert_eq!(code, 4, "{err}");
    assert!(out.contains("failed") && err.contains("pinfold pin explain r1"), "{out}{err}");
    let (code, out, _) = finished(pinfold(&scripted(ANSWERS), &["pin", "add", CID, "--background"])).await;
    assert_eq!((code, out.as_str()), (0, "r1  c  queued\n"));
}

#[tokio::test]
async fn an_operator_who_waits_no_longer_is_told_that_the_pin_goes_on() {
    const ANSWERS: &[&str] =
        &[r#"{"requestid":"r1","status":"queued","pin":{"cid":"c"}}"#, r#"{"status":"pinning"}"#];
    let late = pinfold(&scripted(ANSWERS), &["pin", "add", CID, "--timeout", "1ms"]);
    let (code, out, err) = finished(late).await;
    assert_eq!((code, out.as_str()), (5, "r1  c  pinning\n"), "{err}");
    assert!(err.contains("r1 goes on"), "{err}");
    let (code, _, err) =
        finished(pinfold("http://127.0.0.1:1", &["pin", "add", CID, "--timeout", "x"])).await;
    assert!(code == 2 && err.contains("30s"), "{err}");
}

#[tokio::test]
async fn whoever_follows_events_ends_when_nobody_reads_though_nothing_happens() {
    let house = House::start(ADA).await;
    let (mut child, out) = following(&house);
    let (first, out) = line(out).await;
    assert!(first.contains("act=token_created"), "{first}");
    drop(out);
    let ended = tokio::task::spawn_blocking(move || child.wait()).await.expect("waited").expect("it ended");
    assert_eq!(ended.code(), Some(0));
    house.stop().await;
}

fn following(house: &House) -> (Child, BufReader<impl Read + use<>>) {
    let mut command = house.command(&["event", "tail", "--after", "0", "--follow", "--kind", "admin"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    (child, out)
}

async fn line<R: Read + Send + 'static>(mut out: BufReader<R>) -> (String, BufReader<R>) {
    let read = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        (line, out)
    });
    read.await.expect("it was read")
}

#[tokio::test]
async fn events_are_followed_line_by_line_until_nobody_reads_them() {
    let house = House::start(ADA).await;
    let (mut child, out) = following(&house);
    let (first, out) = line(out).await;
    assert!(first.contains("act=token_created") && first.contains("name=first-admin"), "{first}");
    assert_eq!(house.run(&["pin", "add", CID, "--background"]).await.0, 0);
    let (second, out) = line(out).await;
    assert!(second.contains("act=pin_added  by=first-admin") && second.contains(CID), "{second}");
    drop(out);
    assert_eq!(house.run(&["pin", "add", OTHER, "--background"]).await.0, 0);
    let ended = tokio::task::spawn_blocking(move || child.wait()).await.expect("waited").expect("it ended");
    assert_eq!(ended.code(), Some(0));
    house.stop().await;
}

#[tokio::test]
async fn an_operator_drains_a_provider_watches_the_job_and_ends_it() {
    let house = House::start(ADA).await;
    house.lines(&["pin", "add", CID]).await;
    // There is no other provider: it waits.
    let told = house.lines(&["provider", "drain", "alpha"]).await.join("\n");
    assert!(told.starts_with("job 1: drain of alpha, running"), "{told}");
    let (code, _, err) = house.run(&["provider", "drain", "alpha"]).await;
    assert!(code == 1 && err.contains("job 1 drains alpha already"), "{err}");
    let jobs = house.jsons(&["job", "ls", "--json"]).await;
    assert_eq!((&jobs[0]["kind"], &jobs[0]["provider"]), (&json!("drain"), &json!("alpha")));
    assert!(house.lines(&["job", "pause", "1"]).await[0].ends_with("paused"));
    let (code, out, _) = house.run(&["job", "show", "1", "--wait"]).await;
    assert!(code == 5 && out.contains("paused"), "a job that rests is not waited for: {out}");
    assert_eq!(house.lines(&["provider", "undrain", "alpha"]).await, ["alpha is active"]);
    assert_eq!(house.lines(&["job", "ls"]).await.len(), 1, "the heading");
    assert_eq!(house.lines(&["job", "ls", "--all"]).await.len(), 2);
    assert_eq!(house.lines(&["provider", "readonly", "alpha"]).await, ["alpha is readonly"]);
    let (code, _, err) = house.run(&["provider", "forget", "alpha"]).await;
    assert!(code == 1 && err.contains("the config names alpha"), "{err}");
    house.lines(&["provider", "activate", "alpha"]).await;
    house.lines(&["pin", "rm", "--force", "--cid", CID]).await;
    house.stop().await;
}

#[tokio::test]
async fn a_drain_that_is_waited_for_tells_how_far_it_is_and_ends_with_0() {
    let house = House::start(ADA).await;
    let (code, out, err) = house.run(&["provider", "drain", "alpha", "--wait"]).await;
    assert!(code == 0 && out.starts_with("job 1: drain of alpha, done"), "{out}{err}");
    house.stop().await;
}

#[tokio::test]
async fn an_operator_audits_a_provider_and_sees_what_nobody_knows_there() {
    let house = House::start(ADA).await;
    house.lines(&["pin", "add", CID]).await;
    let cid = PinCid::parse(OTHER).expect("a CID");
    house.sim.plant(Asked { cid, name: Some("theirs".to_owned()), meta: None, origins: Vec::new() });
    let told = house.lines(&["provider", "audit", "alpha", "--wait"]).await.join("\n");
    assert!(told.starts_with("audit 1 is done\n"), "{told}");
    assert!(told.contains(" 1 on its list") && told.contains(" 0 gone"), "{told}");
    let orphans = house.jsons(&["provider", "orphans", "alpha", "--json"]).await;
    assert_eq!((&orphans[0]["cid"], &orphans[0]["name"]), (&json!(OTHER), &json!("theirs")));
    assert_eq!(house.lines(&["provider", "orphans", "alpha"]).await.len(), 2);
    let (_, told) = house.admin(Method::GET, "/providers", &Value::Null).await;
    assert_eq!(told["providers"][0]["orphans"], json!(1));
    let (code, _, err) = house.run(&["provider", "audit", "nobody"]).await;
    assert!(code == 1 && err.contains("there is no provider \"nobody\": there is alpha"), "{err}");
    assert_eq!(house.sim.deletes().len(), 0);
    house.stop().await;
}

#[tokio::test]
async fn an_operator_sees_plans_before_anything_is_done_and_applies_a_policy() {
    let house = House::start(ADA).await;
    house.lines(&["pin", "add", CID]).await;
    let told = house.lines(&["provider", "drain", "alpha", "--dry-run"]).await.join("\n");
    assert!(told.starts_with("drain of alpha: it concerns 1 pin\n"), "{told}");
    assert!(
        told.contains("1 pin cannot have the copies") && told.contains("1 copy asked, 0 elsewhere"),
        "{told}"
    );
    let (code, out, err) = house.run(&["provider", "drain", "alpha", "--dry-run", "--json"]).await;
    let plan: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &plan["staying"], &plan["short"]["pins"]), (0, &json!(1), &json!(1)), "{err}");
    assert_eq!(house.lines(&["job", "ls", "--all"]).await.len(), 1, "the heading");
    let told = house.lines(&["policy", "apply", "default", "--wait"]).await.join("\n");
    assert!(told.starts_with("policy default: 0 pins change"), "{told}");
    assert!(told.contains("job 1: apply of default, done"), "{told}");
    let (code, _, err) = house.run(&["policy", "apply", "nothing"]).await;
    assert!(code == 1 && err.contains("there is no policy"), "{err}");
    house.stop().await;
}

/// I9: the gateway does not count a probe's calls.
#[tokio::test(flavor = "multi_thread")]
async fn i9_a_provider_with_limits_is_not_probed_beside_a_gateway_unasked() {
    let house = House::start(ADA).await;
    let probe = async |name: &str, limits: &str, words: &[&str]| {
        let config = house.dir.path().join(name);
        let text = format!(
            "store: {{ url: \"sqlite:{}\" }}\nproviders: [ {{ name: alpha, endpoint: \"{}\", token: alpha{limits} }} ]\n{ADA}",
            house.dir.path().join("pins.db").display(),
            house.sim.endpoint(),
        );
        std::fs::write(&config, text).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinfold"));
        command.args(["provider", "probe", "alpha", "--config"]).arg(&config).args(words);
        finished(command).await
    };
    let before = house.sim.counts().total();
    let limits = ", budget: { any: 6000/min }";
    let (code, _, err) = probe("kept.yaml", limits, &[]).await;
    assert!(code == 1 && err.contains("--beside-gateway"), "{code} {err}");
    assert_eq!(house.sim.counts().total(), before, "nothing was sent");
    let (asked, unlimited) =
        tokio::join!(probe("asked.yaml", limits, &["--beside-gateway"]), probe("unlimited.yaml", "", &[]));
    for (code, out, err) in [asked, unlimited] {
        assert!(code != 1 && out.contains("credential"), "{code} {err}");
    }
    house.stop().await;
}
