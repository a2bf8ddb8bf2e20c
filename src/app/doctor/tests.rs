use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{
    config::{self, Environment},
    lifecycle::Changes,
    model::{KeptTime, ManualClock, Timestamp},
    sim::{Fault, Routes, Sim},
    store::sqlite::snapshot,
    store::sqlite::{SqliteSettings, SqliteStore},
    telemetry::Metrics,
};

struct Call {
    dir: TempDir,
    doctor: Doctor,
}

fn roomy(_: &Path) -> io::Result<Space> {
    Ok(Space { free: 1 << 40, all: 1 << 41 })
}

fn full(_: &Path) -> io::Result<Space> {
    Ok(Space { free: 1 << 20, all: 1 << 41 })
}

impl Call {
    fn to(endpoint: &str, more: &str) -> Self {
        let dir = crate::store::contract::scratch();
        let file = dir.path().join("config.yaml");
        let yaml = format!(
            "store: {{ url: \"sqlite:{}\" }}\naccounts: [ {{ name: ada, tokens: [ {{ name: desk, sha256: {} }} ] }} ]\n\
             providers: [ {{ name: alpha, endpoint: \"{endpoint}\", token_file: alpha.token{more} }} ]\n\
             policies: [ {{ name: default, copies: 1 }} ]\n",
            dir.path().join("pins.db").display(),
            "a5".repeat(32),
        );
        fs::write(&file, yaml).unwrap();
        fs::write(dir.path().join("alpha.token"), "alpha").unwrap();
        fs::set_permissions(dir.path().join("alpha.token"), fs::Permissions::from_mode(0o600)).unwrap();
        let config = config::load(&file, &Environment::default());
        let senses = Senses { space: roomy, ..Senses::default() };
        let store = Some(dir.path().join("pins.db"));
        Self { doctor: Doctor { file, store, config, only: None, senses }, dir }
    }

    fn store(&self) -> &Path {
        self.doctor.store.as_deref().unwrap()
    }

    fn make_store(&self) -> SqliteStore {
        let settings = SqliteSettings::default();
        SqliteStore::open(self.store(), &settings, Changes::default(), &Metrics::new()).unwrap()
    }

    async fn findings(&self) -> (Health, Vec<Finding>) {
        let mut found = Vec::new();
        let worst = self
            .doctor
            .visit(|finding| {
                found.push(finding);
                true
            })
            .await;
        for finding in &found {
            let silent = finding.advice.as_ref().is_none_or(String::is_empty);
            assert!(finding.health != Health::Bad || !silent, "no advice: {finding}");
        }
        (worst, found)
    }

    /// The one bad thing that there is.
    async fn bad(&self) -> Finding {
        let (worst, found) = self.findings().await;
        let bad: Vec<_> = found.into_iter().filter(|finding| finding.health == Health::Bad).collect();
        assert_eq!((worst, bad.len()), (Health::Bad, 1), "{bad:#?}");
        bad.into_iter().next().unwrap()
    }
}

async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_house_in_order_is_all_ok_with_and_without_a_gateway() {
    let sim = Sim::builder("alpha").start().await;
    let call = Call::to(&sim.endpoint(), "");
    let words = async || {
        let (worst, found) = call.findings().await;
        assert_eq!(worst, Health::Ok, "{found:#?}");
        found.iter().map(|finding| format!("{finding}\n")).collect::<String>()
    };
    let told = words().await;
    assert!(
        told.contains("ok   store: file: there is no ") && told.contains("ok   alpha: credential: taken"),
        "{told}"
    );
    let store = call.make_store();
    let told = words().await;
    assert!(
        told.contains("store: lock: a gateway serves it") && told.contains("store: pages: SQLite"),
        "{told}"
    );
    drop(store);
    assert!(words().await.contains("no gateway serves it"));
    assert!(sim.pins().is_empty() && sim.counts().total() == 3, "one call a visit");
}

#[tokio::test]
async fn a_token_that_is_refused_is_bad() {
    let sim = Sim::builder("another").start().await;
    let bad = Call::to(&sim.endpoint(), "").bad().await;
    assert!(bad.what == "alpha: credential" && bad.advice.unwrap().ends_with("pinfold doctor alpha"));
}

#[tokio::test]
async fn an_address_where_no_list_of_pins_is_is_bad_also_where_that_is_said_in_json() {
    let sim = Sim::builder("alpha").start().await;
    let bad = Call::to(&format!("{}/psa", sim.endpoint()), "").bad().await;
    assert_eq!(bad.what, "alpha: speaks the API");
    assert!(bad.advice.unwrap().starts_with("correct the endpoint"));
}

#[tokio::test]
async fn a_service_that_is_down_or_no_pinning_service_is_bad() {
    let bad = Call::to(&format!("http://{}", nobody().await), "").bad().await;
    assert!(
        bad.what == "alpha: connection" && bad.to_string().ends_with("; then run: pinfold doctor alpha"),
        "{bad}"
    );
    let sim = Sim::builder("alpha").start().await;
    sim.faults().always(Routes::Any, Fault::status(500));
    let bad = Call::to(&sim.endpoint(), "").bad().await;
    assert_eq!(bad.what, "alpha: speaks the API");
}

#[tokio::test]
async fn a_host_that_nobody_knows_is_bad() {
    let bad = Call::to("http://no-such-host.invalid", "").bad().await;
    assert_eq!(bad.what, "alpha: dns");
    assert!(bad.advice.unwrap().contains("getent hosts no-such-host.invalid;"));
}

/// A listener with a certificate for localhost; returns the port and the certificate.
async fn secured(ends: i32) -> (u16, String) {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(ends, 1, 1));
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let chain = vec![certificate.der().clone()];
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (acceptor, listener) =
        (TlsAcceptor::from(Arc::new(tls)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not like the certificate goes away.
            drop(acceptor.accept(stream).await);
        }
    });
    (port, certificate.pem())
}

#[tokio::test]
async fn a_certificate_that_ended_or_that_nobody_vouches_for_is_bad() {
    for (ends, trusted, why) in [(2100, false, "UnknownIssuer"), (2001, true, "expired")] {
        let (port, pem) = secured(ends).await;
        let call =
            Call::to(&format!("https://localhost:{port}"), if trusted { ", ca_file: ca.pem" } else { "" });
        fs::write(call.dir.path().join("ca.pem"), pem).unwrap();
        let config = config::load(&call.doctor.file, &Environment::default());
        let call = Call { doctor: Doctor { config, ..call.doctor }, ..call };
        let bad = call.bad().await;
        assert!(bad.what == "alpha: tls" && bad.seen.to_lowercase().contains(&why.to_lowercase()), "{bad}");
        assert!(bad.advice.unwrap().contains("ca_file"));
    }
}

#[tokio::test]
async fn the_end_of_a_certificate_is_told_and_warned_of() {
    let (port, pem) = secured(2100).await;
    let roots = http_roots(&pem);
    let uri = format!("https://localhost:{port}").parse().unwrap();
    let way =
        crate::http::examine(&uri, &crate::http::Settings { roots, ..Default::default() }).await.unwrap();
    let ends = Timestamp::from_millis(way.certificate_ends.unwrap() * 1000);
    assert!(ends.to_string().starts_with("2100-01-01"));
    let at = |now| provider::on_the_way(&way, now, &|check: &str| format!("alpha: {check}"))[2].health;
    let day = std::time::Duration::from_secs(24 * 3600);
    assert_eq!((at(ends.minus(15 * day)), at(ends.minus(13 * day))), (Health::Ok, Health::Warn));
}

fn http_roots(pem: &str) -> crate::http::Roots {
    crate::http::Roots::parse(pem.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_seen_by_the_store_and_by_providers() {
    let sim = Sim::builder("alpha").start().await;
    let mut call = Call::to(&sim.endpoint(), "");
    let now = SystemClock.now();
    let hour = std::time::Duration::from_secs(3600);
    call.doctor.senses.clock = Arc::new(ManualClock::at(now.minus(hour)));
    assert_eq!(call.bad().await.what, "alpha: clock");
}

#[test]
fn the_clock_is_doubted_where_a_gateway_would() {
    let (now, hour) = (SystemClock.now(), std::time::Duration::from_secs(3600));
    let told = |left, clock: Timestamp| {
        let time = KeptTime { sure: now, wall: now, left };
        let about = snapshot::About { schema: 1, latest: now, time };
        clock::against_the_store(Some(about), &(Arc::new(ManualClock::at(clock)) as Arc<dyn Clock>)).health
    };
    assert_eq!(told(None, now.minus(hour)), Health::Bad);
    assert_eq!(told(None, now), Health::Ok);
    assert_eq!(told(None, now.plus(23 * hour)), Health::Ok, "a machine that was off");
    assert_eq!(told(None, now.plus(25 * hour)), Health::Warn);
    let kept = KeptTime { sure: now, wall: now.plus(48 * hour), left: Some(hour) };
    let about = snapshot::About { schema: 1, latest: now.plus(48 * hour), time: kept };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(now.plus(48 * hour)));
    let found = clock::against_the_store(Some(about), &clock);
    assert_eq!(found.health, Health::Warn, "a running gateway doubts it: {found}");
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_is_bad() {
    let sim = Sim::builder("alpha").start().await;
    let mut call = Call::to(&sim.endpoint(), "");
    call.doctor.senses.space = full;
    assert_eq!(call.bad().await.what, "store: room");
    assert!(store::space(call.dir.path()).unwrap().all > 0);
}

#[tokio::test]
async fn a_store_that_cannot_be_made_or_is_none_or_is_open_to_others_is_bad() {
    let sim = Sim::builder("alpha").start().await;
    let mut call = Call::to(&sim.endpoint(), "");
    let there = call.doctor.store.replace("/proc/pinfold/pins.db".into());
    let (_, found) = call.findings().await;
    let of_the_store: Vec<_> = found.iter().filter(|finding| finding.what.starts_with("store")).collect();
    let [file] = &of_the_store[..] else { panic!("{of_the_store:?}") };
    assert!(file.health == Health::Bad && file.advice.as_ref().unwrap().contains("mkdir -p /proc/pinfold"));
    call.doctor.store = Some(call.dir.path().to_owned());
    let bad = call.bad().await;
    assert!(bad.seen.ends_with("is a folder") && bad.advice.unwrap().contains("store.url"));
    call.doctor.store = there;
    fs::write(call.store(), "hello ".repeat(1000)).unwrap();
    fs::set_permissions(call.store(), fs::Permissions::from_mode(0o600)).unwrap();
    let bad = call.bad().await;
    let advice = bad.advice.unwrap();
    assert!(
        bad.what == "store: schema" && advice.contains("pinfold restore") && advice.contains("store.url")
    );
    fs::remove_file(call.store()).unwrap();
    drop(call.make_store());
    fs::set_permissions(call.store(), fs::Permissions::from_mode(0o644)).unwrap();
    let advice = call.bad().await.advice.unwrap();
    // Those of its log go with the last connection, which may take a moment.
    let file = call.store().display().to_string();
    assert!(advice.starts_with(&format!("run: chmod 600 {file}")) && !advice.contains('*'), "{advice}");
}

#[tokio::test]
async fn secrets_that_everybody_may_read_and_mistakes_in_the_config_are_bad() {
    let sim = Sim::builder("alpha").start().await;
    let call = Call::to(&sim.endpoint(), "");
    fs::set_permissions(call.dir.path().join("alpha.token"), fs::Permissions::from_mode(0o644)).unwrap();
    let bad = call.bad().await;
    assert!(bad.what == "secrets" && bad.seen.ends_with("alpha.token"));
    let mut call = Call::to(&sim.endpoint(), ", nonsense: 1");
    assert!(call.bad().await.seen.contains("nonsense"));
    call.doctor.only = Some("alpha".to_owned());
    assert_eq!(call.bad().await.what, "config", "without it no provider can be looked at");
}

#[tokio::test]
async fn every_secret_that_others_may_read_is_bad_whatever_it_is_for() {
    let sim = Sim::builder("alpha").start().await;
    let mut call = Call::to(&sim.endpoint(), "");
    let folder = call.dir.path().to_owned();
    let own = |name: &str| {
        let file = folder.join(name);
        fs::write(&file, format!("secret-of-{name}")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    };
    own("ci");
    own("spans");
    own("ops");
    fs::create_dir(folder.join("pins.db.credentials")).unwrap();
    own("pins.db.credentials/alpha.json");
    own("pins.db.admin-token");
    let yaml = fs::read_to_string(&call.doctor.file).unwrap();
    let yaml = yaml.replace("tokens: [", "tokens: [ { name: ci, secret_file: ci },");
    let more = "admin: { tokens: [ { name: ops, secret_file: ops } ] }\n\
                traces: { endpoint: \"http://127.0.0.1:9\", headers: [ { name: x-key, value_file: spans } ] }\n";
    fs::write(&call.doctor.file, format!("{yaml}{more}")).unwrap();
    call.doctor.config = config::load(&call.doctor.file, &Environment::default());
    assert!(call.doctor.config.is_ok(), "{:?}", call.doctor.config.as_ref().err());
    let all = [
        "ci",
        "spans",
        "ops",
        "pins.db.credentials",
        "pins.db.credentials/alpha.json",
        "pins.db.admin-token",
    ];
    let open = |mode| {
        all.iter().for_each(|name| {
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
        });
    };
    open(0o755);
    let (_, found) = call.findings().await;
    for name in all {
        let told =
            |finding: &&Finding| finding.what == "secrets" && finding.seen.ends_with(&format!("/{name}"));
        let bad = found.iter().find(told).unwrap_or_else(|| panic!("{name} in {found:?}"));
        assert_eq!(bad.health, Health::Bad);
    }
    open(0o700);
    assert_eq!(call.findings().await.0, Health::Ok);
    let inside = yaml.replace("{ name: ci, secret_file: ci }", "{ name: ci, secret: in-the-file }");
    fs::write(&call.doctor.file, inside).unwrap();
    fs::set_permissions(&call.doctor.file, fs::Permissions::from_mode(0o644)).unwrap();
    call.doctor.config = config::load(&call.doctor.file, &Environment::default());
    assert!(call.bad().await.seen.ends_with("config.yaml"));
}

#[test]
fn a_finding_is_one_line_whatever_was_said() {
    let broken =
        Finding::bad("store: pages", "*** in database main ***\nTree 5 page 7:\n btree failure", "restore");
    let line = broken.to_string();
    assert_eq!(line, "bad  store: pages: *** in database main ***, Tree 5 page 7:, btree failure; restore");
}

#[tokio::test]
async fn a_secret_that_this_user_cannot_have_is_told_as_such_and_nothing_is_sent() {
    let sim = Sim::builder("alpha").start().await;
    let mut call = Call::to(&sim.endpoint(), "");
    let yaml = fs::read_to_string(&call.doctor.file).unwrap();
    fs::write(&call.doctor.file, yaml.replace("token_file: alpha.token", "token_env: OF_THE_GATEWAY"))
        .unwrap();
    call.doctor.config = config::load_past_secrets(&call.doctor.file, &Environment::default());
    let (worst, found) = call.findings().await;
    let bad: Vec<_> = found.iter().filter(|finding| finding.health == Health::Bad).collect();
    let [config, credential] = &bad[..] else { panic!("{bad:?}") };
    assert_eq!((worst, config.what.as_str()), (Health::Bad, "config"));
    assert!(config.advice.as_ref().unwrap().contains("run this as root"), "{config}");
    assert!(credential.what == "alpha: credential" && credential.advice.as_ref().unwrap().ends_with("alpha"));
    assert_eq!(sim.counts().total(), 0);
}

#[tokio::test]
async fn one_address_is_no_addresses() {
    let sim = Sim::builder("alpha").start().await;
    let (_, found) = Call::to(&sim.endpoint(), "").findings().await;
    assert!(found.iter().any(|finding| finding.to_string() == "ok   alpha: dns: 1 address"), "{found:?}");
}

#[tokio::test]
async fn without_a_configuration_no_store_is_looked_at_and_that_is_said() {
    let sim = Sim::builder("alpha").start().await;
    let mut call = Call::to(&sim.endpoint(), "");
    fs::write(&call.doctor.file, "store: [").unwrap();
    call.doctor.config = config::load(&call.doctor.file, &Environment::default());
    call.doctor.store = None;
    let (worst, found) = call.findings().await;
    let [config, unseen] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (worst, config.what.as_str(), unseen.what.as_str()),
        (Health::Bad, "config", "store and providers")
    );
    assert!(config.seen.contains("config.yaml:1:") && unseen.seen.starts_with("not looked at"), "{found:?}");
}

#[tokio::test]
async fn a_store_that_holds_nothing_yet_is_made_by_the_first_start() {
    let sim = Sim::builder("alpha").start().await;
    let call = Call::to(&sim.endpoint(), "");
    fs::write(call.store(), "").unwrap();
    fs::set_permissions(call.store(), fs::Permissions::from_mode(0o600)).unwrap();
    let (worst, found) = call.findings().await;
    let schema = found.iter().find(|finding| finding.what == "store: schema").unwrap();
    assert_eq!((worst, schema.seen.as_str()), (Health::Ok, "there is none yet: the first start makes it"));
    drop(call.make_store());
}

#[tokio::test]
async fn https_where_plain_http_is_spoken_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let no = b"HTTP/1.1 400 Bad Request\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut stream, no).await.unwrap();
        }
    });
    let bad = Call::to(&format!("https://{at}"), "").bad().await;
    assert!(bad.what == "alpha: tls" && bad.advice.unwrap().starts_with("write http:// "), "{}", bad.seen);
}

#[test]
fn where_nothing_can_be_written_no_owner_is_advised() {
    let file = Path::new("/data/pins.db");
    let advice = |kind| store::unwritable(&io::Error::from(kind), file);
    assert!(advice(io::ErrorKind::ReadOnlyFilesystem).contains("mount"));
    assert!(advice(io::ErrorKind::PermissionDenied).contains("chown"));
}
