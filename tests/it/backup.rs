//! Backups of a running gateway, put back and served again; pins out as lines of JSON and in again: by the real command line.

use std::{
    collections::HashSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, header};
use pinfold::{
    app::{self, Gateway, Tuning},
    config::{self, Environment},
    http as client,
    sim::{Fault, Routes, Sim},
    telemetry::Metrics,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How the folders begin that backups and restores are made in.
const BACKUP: &str = ".pinfold-backup-";
const RESTORE: &str = ".pinfold-restore-";
const TWO: &str = "accounts:\n- { name: ada, tokens: [ { name: desk, secret: token-of-ada } ] }\n\
                   - { name: ben, tokens: [ { name: desk, secret: token-of-ben } ] }\n";

struct House {
    sim: Sim,
    dir: TempDir,
}

/// A house with somebody at home.
struct Open<'a> {
    house: &'a House,
    gateway: Gateway,
    client: client::Client,
}

impl House {
    async fn build() -> Self {
        let (sim, dir) = (Sim::builder("alpha").start().await, crate::scratch());
        let house = Self { sim, dir };
        fs::write(house.path("config.yaml"), house.yaml()).expect("written");
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn yaml(&self) -> String {
        format!(
            "server: {{ listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n\
             store: {{ url: \"sqlite:{}\" }}\napi: {{ accept_wait: 0s }}\n\
             providers: [ {{ name: alpha, endpoint: \"{}\", token: alpha, exclusive: true, timeouts: {{ deadline: 2s, settle: 1s }} }} ]\n\
             policies: [ {{ name: default, copies: 1 }} ]\nlimits: {{ read: none, write: none }}\n{TWO}",
            self.path("pins.db").display(),
            self.sim.endpoint(),
        )
    }

    async fn open(&self) -> Open<'_> {
        let loaded = config::parse("config.yaml", &self.yaml(), self.dir.path(), &Environment::default());
        let settings = loaded.unwrap_or_else(|problems| panic!("{problems}")).settings;
        let gateway = Gateway::start(settings, &Tuning::default(), Metrics::new()).await;
        let gateway = gateway.unwrap_or_else(|error| panic!("{error:#}"));
        Open { house: self, gateway, client: client::Client::new(&client::Settings::default()) }
    }

    /// A command that works with the files.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinfold"));
        command.args(words).arg("--config").arg(self.path("config.yaml"));
        command.env_clear().stdin(Stdio::null()).current_dir(self.dir.path());
        command
    }

    async fn run(&self, words: &[&str]) -> (i32, String, String) {
        finished(self.command(words)).await
    }

    /// What a command said that got a signal in the midst of its work in a folder; `None`: it was quicker.
    async fn interrupted(
        &self,
        words: &[&str],
        folder: &str,
        workshop: &'static str,
        signal: &'static str,
    ) -> Option<Output> {
        let mut command = self.command(words);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let folder = self.path(folder);
        let waiting = tokio::task::spawn_blocking(move || caught(child, &folder, workshop, signal));
        waiting.await.expect("it ends")
    }

    async fn good(&self, words: &[&str]) -> String {
        let (code, out, err) = self.run(words).await;
        assert_eq!(code, 0, "{words:?}: {err}");
        out
    }

    /// Pins of an account as exported: without what names the one pin.
    async fn exported(&self, account: &str) -> Vec<Value> {
        let lines = self.good(&["export", "--account", account]).await;
        let read = |line: &str| {
            let mut pin: Value = serde_json::from_str(line).expect("a line of JSON");
            for key in ["account", "created", "requestid", "status"] {
                assert!(pin[key].take().is_string(), "{line}");
            }
            pin
        };
        lines.lines().map(read).collect()
    }
}

impl Open<'_> {
    async fn ask(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.gateway.address()))
            .header(header::AUTHORIZATION, "Bearer token-of-ada")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(if body.is_null() { String::new() } else { body.to_string() }))
            .expect("a request");
        let answer = self.client.send(request, 8 << 20).await.expect("an answer");
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    async fn add(&self, n: u64) -> String {
        let (code, pin) =
            self.ask(Method::POST, "/pins", &json!({ "cid": cid(n), "name": format!("{n}") })).await;
        assert_eq!(code, 202, "{pin}");
        pin["requestid"].as_str().expect("an id").to_owned()
    }

    async fn ids(&self) -> HashSet<String> {
        let (mut ids, mut before) = (HashSet::new(), String::new());
        loop {
            let path = format!("/pins?status=queued,pinning,pinned,failed&limit=1000{before}");
            let (_, page) = self.ask(Method::GET, &path, &Value::Null).await;
            let results = page["results"].as_array().expect("a page");
            ids.extend(results.iter().map(|pin| pin["requestid"].as_str().expect("an id").to_owned()));
            match results.last() {
                Some(last) if page["count"].as_u64() > Some(results.len() as u64) => {
                    before = format!("&before={}", last["created"].as_str().expect("a time"));
                }
                _ => return ids,
            }
        }
    }

    /// A command that asks the gateway.
    async fn run(&self, words: &[&str]) -> (i32, String, String) {
        let mut command = self.house.command(words);
        command.arg("--admin").arg(format!("http://{}", self.gateway.admin()));
        command.arg("--admin-token-file").arg(app::admin_token_file(&self.house.path("pins.db")));
        finished(command).await
    }

    /// Waits until so many pins are pinned.
    async fn all_pinned(&self, pins: u64) {
        while self.ask(Method::GET, "/pins?limit=1", &Value::Null).await.1["count"] != json!(pins) {
            crate::moment().await;
        }
    }

    async fn close(self) {
        self.gateway.stop(Duration::from_secs(20)).await.expect("nothing died");
    }
}

async fn finished(mut command: Command) -> (i32, String, String) {
    let run = tokio::task::spawn_blocking(move || command.output().expect("the binary runs"));
    let Output { status, stdout, stderr } = run.await.expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

/// Any number of contents.
fn cid(n: u64) -> String {
    let digest = [n.to_be_bytes(); 4].concat();
    let content = pinfold::model::Content::from_bytes(&[&[1, 0x55, 0x12, 32][..], &digest].concat());
    content.expect("a content").canonical()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_writes_holds_what_was_acknowledged_and_is_served_again() {
    let house = House::build().await;
    let open = house.open().await;
    for n in 0..50 {
        open.add(n).await;
    }
    let (written, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let writers = async {
        let mut n = 1000;
        while !done.load(Ordering::Relaxed) {
            futures::future::join_all((n..n + 8).map(|n| open.add(n))).await;
            written.store(true, Ordering::Relaxed);
            n += 8;
        }
    };
    let backups = async {
        let mut kept = Vec::new();
        for n in 0..3 {
            while !written.swap(false, Ordering::Relaxed) {
                crate::moment().await;
            }
            let before = open.ids().await;
            let file = format!("{n}.backup");
            let told = house.good(&["backup", &file]).await;
            assert!(told.starts_with(&format!("{file}: ")) && told.contains("schema version"), "{told}");
            kept.push((file, before));
        }
        done.store(true, Ordering::Relaxed);
        kept
    };
    let (kept, ()) = tokio::join!(backups, writers);
    let all = open.ids().await;
    open.close().await;
    for (file, before) in kept {
        house.good(&["restore", &file, "--replace"]).await;
        let open = house.open().await;
        let there = open.ids().await;
        assert!(before.is_subset(&there) && there.is_subset(&all), "{} of {}", there.len(), before.len());
        open.close().await;
    }
    assert_eq!(house.sim.counts().violations(), 0);
    assert!(names(house.dir.path()).iter().all(|name| !name.starts_with(BACKUP)));
}

/// I7, I13: what was made since the backup is found, not made again; and what a later pin may need is not removed.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_makes_nothing_twice_and_removes_nothing() {
    let house = House::build().await;
    let open = house.open().await;
    house.sim.faults().always(Routes::Any, Fault::status(503));
    let (kept, gone) = (open.add(1).await, open.add(2).await);
    house.good(&["backup", "then.backup"]).await;
    house.sim.faults().clear();
    open.all_pinned(2).await;
    let later = open.add(3).await;
    open.all_pinned(3).await;
    assert_eq!(open.ask(Method::DELETE, &format!("/pins/{gone}"), &Value::Null).await.0, 202);
    until(|| house.sim.deletes().len() == 1).await;
    open.close().await;
    let told = house.good(&["restore", "then.backup", "--replace"]).await;
    assert!(told.contains("nothing is removed at providers before"), "{told}");
    let open = house.open().await;
    assert_eq!(
        open.ids().await,
        HashSet::from([kept.clone(), gone]),
        "what was deleted is back, {later} is not"
    );
    open.all_pinned(2).await;
    assert_eq!(open.ask(Method::DELETE, &format!("/pins/{kept}"), &Value::Null).await.0, 202);
    // One begins by itself.
    if open.run(&["provider", "audit", "alpha", "--wait"]).await.0 != 0 {
        let (code, out, err) = open.run(&["job", "show", "1", "--wait"]).await;
        assert_eq!(code, 0, "{out}{err}");
    }
    let (code, orphans, err) = open.run(&["provider", "orphans", "alpha", "--json"]).await;
    assert!(
        code == 0 && orphans.contains(&cid(3)),
        "what only the lost pin needs is told of: {orphans}{err}"
    );
    open.close().await;
    let held: Vec<_> = house.sim.pins().iter().map(|pin| pin.asked.cid.content().canonical()).collect();
    let once: HashSet<_> = held.iter().cloned().collect();
    assert_eq!((held.len(), once), (3, HashSet::from([cid(1), cid(2), cid(3)])), "{held:?}");
    assert_eq!(house.sim.deletes().len(), 1, "only what was removed before");
}

async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        crate::moment().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_is_refused_where_it_would_do_harm() {
    let house = House::build().await;
    let open = house.open().await;
    open.add(1).await;
    house.good(&["backup", "good.backup"]).await;
    let (code, _, err) = house.run(&["backup", "good.backup"]).await;
    assert!(code == 1 && err.contains("good.backup is there already") && err.contains("--force"), "{err}");
    house.good(&["backup", "good.backup", "--force"]).await;
    fs::hard_link(house.path("pins.db"), house.path("hard")).expect("linked");
    for own in ["pins.db", "./pins.db-wal", "pins.db.lock", "pins.db.before-x", "hard"] {
        let (code, _, err) = house.run(&["backup", own, "--force"]).await;
        assert!(
            code == 1 && err.contains("is the store itself, or a file that belongs to it"),
            "{own}: {err}"
        );
    }
    let (code, _, err) = house.run(&["backup", "."]).await;
    assert!(code == 1 && err.contains("is a folder: name a file in it"), "{err}");
    let (code, _, err) = house.run(&["restore", "good.backup", "--replace"]).await;
    assert!(code == 1 && err.contains("in use by another pinfold process"), "{err}");
    open.close().await;
    let (code, _, err) = house.run(&["restore", "good.backup"]).await;
    assert!(code == 1 && err.contains("--replace"), "{err}");
    fs::write(house.path("bad.backup"), "hello ".repeat(2000)).expect("written");
    let (code, _, err) = house.run(&["restore", "bad.backup", "--replace"]).await;
    assert!(code == 1 && err.contains("is no database of Pinfold"), "{err}");
    let mut cut = fs::read(house.path("good.backup")).expect("read");
    cut.truncate(cut.len() / 2);
    fs::write(house.path("cut.backup"), cut).expect("written");
    let (code, _, err) = house.run(&["restore", "cut.backup", "--replace"]).await;
    assert!(code == 1 && err.contains("cut.backup was not restored: cut.backup is damaged"), "{err}");
    let (code, _, err) = house.run(&["restore", "no.backup", "--replace"]).await;
    assert!(code == 1 && err.contains("cannot read no.backup"), "{err}");
    assert!(
        !names(house.dir.path()).iter().any(|name| name.contains(".before-") || name.contains("restore-"))
    );
    let open = house.open().await;
    assert_eq!(open.ids().await.len(), 1, "the store is as it was");
    open.close().await;
    let told = house.good(&["restore", "good.backup", "--replace"]).await;
    assert!(told.contains("the store that was here is"), "{told}");
    assert!(names(house.dir.path()).iter().any(|name| name.contains("pins.db.before-")));
}

/// How many pins a backup has, which is left alone, and sound.
fn pins_of(backup: &Path) -> i64 {
    use rusqlite::{Connection, OpenFlags};
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let at = format!("file:{}?immutable=1", backup.display());
    let backup = Connection::open_with_flags(at, flags).expect("a database");
    let sound: String = backup.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
    assert_eq!(sound, "ok");
    backup.query_row("SELECT count(*) FROM pins", [], |row| row.get(0)).expect("pins are counted")
}

/// How a child ended that got a signal in the midst of its work: its workshop was there, and it was not done.
fn caught(mut child: Child, folder: &Path, workshop: &str, signal: &str) -> Option<Output> {
    while child.try_wait().expect("asked").is_none() {
        if names(folder).iter().any(|name| name.starts_with(workshop)) {
            let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
            assert!(sent.expect("kill runs").success(), "it is not waited for yet");
            return Some(child.wait_with_output().expect("it ended"))
                .filter(|output| !output.status.success());
        }
        std::thread::yield_now();
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_backup_leaves_nothing_that_looks_like_one() {
    let house = House::build().await;
    let open = house.open().await;
    for n in 0..20 {
        futures::future::join_all((n * 50..n * 50 + 50).map(|n| open.add(n))).await;
    }
    fs::create_dir(house.path("backups")).expect("a folder");
    let mut in_the_midst = 0;
    for _ in 0..20 {
        let was =
            house.interrupted(&["backup", "backups/pins.backup"], "backups", BACKUP, "-KILL").await.is_some();
        let left = names(&house.path("backups"));
        // It may have got its name before it was killed: what has it is whole.
        if left.contains(&"pins.backup".to_owned()) {
            assert_eq!(pins_of(&house.path("backups/pins.backup")), 1000);
        }
        let partial = left.iter().filter(|name| name.starts_with(BACKUP)).count();
        assert!(partial <= 1, "what the one before left is cleared away: {left:?}");
        if fs::remove_file(house.path("backups/pins.backup")).is_err() {
            in_the_midst += u32::from(was);
        }
    }
    assert!(in_the_midst > 0, "none was killed in time");
    house.good(&["backup", "backups/pins.backup"]).await;
    assert_eq!(names(&house.path("backups")), ["pins.backup"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(house.path("backups/pins.backup")).expect("there").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    open.close().await;
}

/// Told to stop it says so; killed it is cleared away by the next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_or_a_backup_that_is_stopped_leaves_nothing() {
    let house = House::build().await;
    let open = house.open().await;
    for n in 0..20 {
        futures::future::join_all((n * 50..n * 50 + 50).map(|n| open.add(n))).await;
    }
    house.good(&["backup", "good.backup"]).await;
    open.close().await;
    let works =
        [(&["backup", "new.backup"][..], BACKUP), (&["restore", "good.backup", "--replace"], RESTORE)];
    for (words, workshop) in works {
        for signal in ["-INT", "-TERM", "-KILL"] {
            let mut said = None;
            for _ in 0..20 {
                said = house.interrupted(words, ".", workshop, signal).await;
                if said.is_some() {
                    break;
                }
                fs::remove_file(house.path("new.backup")).ok();
            }
            let Output { status, stderr, .. } = said.expect("one was in the midst of its work");
            let told = String::from_utf8(stderr).expect("UTF-8");
            let was_told = status.code() == Some(1) && told.contains("it was told to stop");
            assert!(was_told || signal == "-KILL", "{words:?}: {status} {told}");
            let left = names(house.dir.path()).iter().filter(|name| name.starts_with(workshop)).count();
            assert_eq!(left, usize::from(signal == "-KILL"), "{words:?} {signal}");
        }
        house.good(words).await;
        assert!(!names(house.dir.path()).iter().any(|name| name.starts_with(workshop)));
    }
    let open = house.open().await;
    assert_eq!(open.ids().await.len(), 1000);
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_reads_no_secret() {
    let house = House::build().await;
    let open = house.open().await;
    open.add(1).await;
    house.good(&["backup", "good.backup"]).await;
    open.close().await;
    let hidden =
        house.yaml().replace("token: alpha", "token_file: none/alpha").replace("secret: ", "secret_env: ");
    fs::write(house.path("config.yaml"), hidden).expect("written");
    house.good(&["restore", "good.backup", "--replace"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_told_anything_is_told_that_by_an_error() {
    let house = House::build().await;
    let open = house.open().await;
    open.add(1).await;
    let full = fs::File::options().write(true).open("/dev/full").expect("there");
    let output = house.command(&["export"]).stdout(full).output().expect("the binary runs");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(told.starts_with("error: cannot write to stdout: "), "{told}");
    open.close().await;
}

/// As lines to import, with whatever a name and meta may hold.
fn odd_lines(pins: u64) -> String {
    let names = [
        Some("plain"),
        None,
        Some("with \"quotes\" and \\ and a\ttab"),
        Some("ünïcödé 🦀 ﷽"),
        Some(" spaces around "),
        Some("a&b=c?d#e%20f+g"),
        Some("A Name"),
        Some("a name"),
        Some("null"),
    ];
    let line = |n: u64| {
        let mut pin = json!({ "cid": cid(n / 2), "status": "failed", "requestid": "x", "created": "then" });
        if let Some(name) = names[(n % names.len() as u64) as usize] {
            pin["name"] = json!(name);
        }
        if n.is_multiple_of(3) {
            pin["meta"] = json!({ "k\"ey": format!("välue {n}\n"), "empty": "", "n": n.to_string() });
        }
        if n.is_multiple_of(5) {
            pin["origins"] = json!([format!("/ip4/203.0.113.{}/tcp/4001", n % 200)]);
        }
        format!("{pin}\n")
    };
    (0..pins).map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_go_out_and_come_in_again_as_they_were_and_in_their_order() {
    // More than a page of what is read at once, and than two of both accounts together.
    const PINS: u64 = 1100;
    let house = House::build().await;
    let open = house.open().await;
    fs::write(house.path("odd.jsonl"), odd_lines(PINS)).expect("written");
    let (code, out, err) =
        open.run(&["import", "odd.jsonl", "--account", "ada", "--at-once", "64", "--duplicates"]).await;
    assert_eq!((code, out), (0, format!("{PINS} imported, 0 skipped, 0 refused\n")), "{err}");
    let lines = house.good(&["export", "--account", "ada"]).await;
    fs::write(house.path("ada.jsonl"), &lines).expect("written");
    let (code, out, err) = open.run(&["import", "ada.jsonl", "--account", "ben"]).await;
    assert_eq!((code, out), (0, format!("{PINS} imported, 0 skipped, 0 refused\n")), "{err}");
    let (ada, ben) = (house.exported("ada").await, house.exported("ben").await);
    assert_eq!((ada.len() as u64, ada == ben), (PINS, true));
    let both = house.good(&["export"]).await;
    assert_eq!(both.lines().count() as u64, 2 * PINS);
    let (code, out, _) = open.run(&["import", "ada.jsonl", "--account", "ben"]).await;
    assert_eq!(
        (code, out),
        (0, format!("0 imported, {PINS} skipped, 0 refused\n")),
        "a second run adds nothing"
    );
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_without_a_name_is_found_behind_any_number_of_named_ones() {
    // More than the API lists at once, also after those that may change places.
    const NAMED: u64 = 1100;
    let house = House::build().await;
    let open = house.open().await;
    let named = (0..NAMED).map(|n| format!("{}\n", json!({ "cid": cid(1), "name": format!("{n}") })));
    let lines: String = [format!("{}\n", json!({ "cid": cid(1) }))].into_iter().chain(named).collect();
    fs::write(house.path("many.jsonl"), lines).expect("written");
    let words = ["import", "many.jsonl", "--account", "ada", "--at-once", "64"];
    let (_, out, err) = open.run(&words).await;
    assert_eq!(out, format!("{} imported, 0 skipped, 0 refused\n", NAMED + 1), "{err}");
    let (_, out, err) = open.run(&words).await;
    assert_eq!(out, format!("0 imported, {} skipped, 0 refused\n", NAMED + 1), "{err}");
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_cannot_be_taken_up_are_told_and_the_others_are_taken() {
    let house = House::build().await;
    let open = house.open().await;
    let (one, two) = (json!({ "cid": cid(1) }), json!({ "cid": cid(2), "name": "n" }));
    let long = json!({ "cid": cid(3), "name": "n".repeat(300) });
    fs::write(house.path("some.jsonl"), format!("{one}\nhello\n\n{long}\n{two}\n{two}\n{{}}\n"))
        .expect("written");
    let (code, out, err) = open.run(&["import", "some.jsonl", "--account", "ada"]).await;
    assert_eq!((code, out.as_str()), (1, "2 imported, 1 skipped, 3 refused\n"), "{err}");
    let told: Vec<_> = err.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(told, ["line 2", "line 4", "line 7"], "{err}");
    fs::write(house.path("again.jsonl"), format!("{two}\n{two}\n")).expect("written");
    let (_, out, _) = open.run(&["import", "again.jsonl", "--account", "ada", "--duplicates"]).await;
    assert_eq!(out, "2 imported, 0 skipped, 0 refused\n");
    let (code, _, err) = open.run(&["import", "again.jsonl", "--account", "eve"]).await;
    assert!(code == 1 && err.contains("there is no account \"eve\""), "{err}");
    let (code, _, err) = open.run(&["import", "again.jsonl"]).await;
    assert!(code == 1 && err.contains("--account"), "{err}");
    let (code, _, err) = house.run(&["export", "--account", "eve"]).await;
    assert!(code == 1 && err.contains("eve"), "{err}");
    open.close().await;
    let (code, _, _) =
        house.run(&["import", "again.jsonl", "--account", "ada", "--admin", "http://127.0.0.1:9"]).await;
    assert_eq!(code, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_refused_takes_no_other_with_it() {
    let house = House::build().await;
    let open = house.open().await;
    let good = json!({ "cid": cid(1), "name": "n" });
    let bad = json!({ "cid": cid(1), "name": "n", "meta": { "k": "v".repeat(100_000) } });
    fs::write(house.path("some.jsonl"), format!("{bad}\n{good}\n{good}\n{bad}\n")).expect("written");
    let (_, out, err) = open.run(&["import", "some.jsonl", "--account", "ada", "--at-once", "8"]).await;
    assert_eq!(out, "1 imported, 2 skipped, 1 refused\n", "{err}");
    assert_eq!(open.ids().await.len(), 1);
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_loses_its_gateway_tells_how_far_it_came() {
    let house = House::build().await;
    let open = house.open().await;
    let line = |n: u64| format!("{}\n", json!({ "cid": cid(n), "name": format!("{n}") }));
    let mut command = house.command(&["import", "-", "--account", "ada"]);
    command.arg("--admin").arg(format!("http://{}", open.gateway.admin()));
    command.arg("--admin-token-file").arg(app::admin_token_file(&house.path("pins.db")));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut input = child.stdin.take().expect("a pipe");
    // As many as are worked on together.
    input.write_all((0..64).map(line).collect::<String>().as_bytes()).expect("written");
    while open.ids().await.len() < 64 {
        tokio::task::yield_now().await;
    }
    open.close().await;
    input.write_all((64..128).map(line).collect::<String>().as_bytes()).expect("written");
    drop(input);
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.expect("it ends");
    let Output { status, stderr, .. } = output.expect("it ends");
    let told = String::from_utf8(stderr).expect("UTF-8");
    let begins = "error: stopped at line 65: cannot reach ";
    let ends = "; 64 imported, 0 skipped, 0 refused before that; run it again to go on from there\n";
    assert!(status.code() == Some(6) && told.starts_with(begins) && told.ends_with(ends), "{status} {told}");
}
