//! TLS over real sockets, with certificates made for each test.

use std::{fs, net::SocketAddr, os::unix::fs::symlink, path::PathBuf};

use ::http::{Request, StatusCode};
use axum::{Extension, Router, routing::get};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::{
    model::{ManualClock, Peer, Timestamp},
    server::{self, Server, bind},
};

const LONG: Duration = Duration::from_secs(3600);
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key.
struct Pair {
    cert: rcgen::Certificate,
    key: KeyPair,
}

fn pair_until(authority: &Authority, name: &str, year: i32) -> Pair {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    Pair { cert: params.signed_by(&key, authority).unwrap(), key }
}

fn pair(authority: &Authority, name: &str) -> Pair {
    pair_until(authority, name, 4000)
}

/// A running server that tells who is asking, and its files.
struct House {
    dir: tempfile::TempDir,
    ca: Authority,
    address: SocketAddr,
    tls: Tls,
    metrics: Metrics,
    shutdown: Shutdown,
}

impl House {
    async fn start(change: impl FnOnce(&mut Settings, &mut server::Settings)) -> Self {
        let (dir, ca) = (tempfile::tempdir().unwrap(), authority("ours"));
        write(dir.path(), &pair(&ca, "localhost"));
        fs::write(dir.path().join("ca.pem"), ca.pem()).unwrap();
        let mut settings = settings(dir.path());
        let mut bounds =
            server::Settings { head_timeout: LONG, idle_timeout: LONG, ..server::Settings::default() };
        change(&mut settings, &mut bounds);
        let (metrics, shutdown) = (Metrics::new(), Shutdown::default());
        let clock = Arc::new(ManualClock::at(NOW));
        let material = Material::read(settings).unwrap();
        let tls = Tls::new(Listener::Public, material, clock, &metrics);
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new(Listener::Public, bounds, &metrics, &shutdown);
        tokio::spawn(server.secured_by(Some(tls.clone())).run(listener, Router::new().route("/", get(who))));
        Self { dir, ca, address, tls, metrics, shutdown }
    }

    async fn plain() -> Self {
        Self::start(|_, _| {}).await
    }

    /// Clients are asked for certificates.
    async fn asking(required: bool) -> Self {
        Self::start(|settings, _| {
            let ca = settings.cert.with_file_name("ca.pem");
            settings.clients = Some(Clients { ca, required });
        })
        .await
    }

    fn connector(&self, alpn: &[&[u8]], own: Option<&Pair>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(Pair { cert, key }) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![cert.der().clone()], key).unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        config
    }

    async fn connect_by(&self, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(self.address).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), socket).await
    }

    async fn connect(&self, own: Option<&Pair>) -> TlsStream<TcpStream> {
        self.connect_by(self.connector(&[b"http/1.1"], own)).await.unwrap()
    }

    /// What the server says to a client of its own, new connection.
    async fn ask(&self, own: Option<&Pair>) -> std::io::Result<String> {
        ask(&mut self.connect(own).await).await
    }

    /// Two looks, as time brings them.
    fn look(&self) {
        self.tls.look();
        self.tls.look();
    }

    async fn until(&self, series: &str) {
        while !self.metrics.render().contains(&format!("pinfold_tls_{series}\n")) {
            tokio::task::yield_now().await;
        }
    }

    async fn until_failed(&self, reason: &str) {
        self.until(&format!("handshake_failures_total{{listener=\"public\",reason=\"{reason}\"}} 1")).await;
    }
}

async fn who(Extension(peer): Extension<Peer>) -> String {
    peer.certificate.map_or("nobody".to_owned(), |certificate| certificate.names.join(" "))
}

fn settings(dir: &std::path::Path) -> Settings {
    Settings {
        cert: dir.join("cert.pem"),
        key: dir.join("key.pem"),
        clients: None,
        min_version: Version::Tls12,
    }
}

/// As renewals do: new files in the old ones' places.
fn write(dir: &std::path::Path, pair: &Pair) {
    for (name, text) in [("cert.pem", pair.cert.pem()), ("key.pem", pair.key.serialize_pem())] {
        let new = dir.join("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, dir.join(name)).unwrap();
    }
}

async fn ask(stream: &mut TlsStream<TcpStream>) -> std::io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
    let mut read = Vec::new();
    loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&read);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && head.contains(&format!("content-length: {}", body.len()))
        {
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
            return Ok(body.to_owned());
        }
    }
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

#[tokio::test]
async fn the_client_chooses_http2_or_http1_by_alpn() {
    let house = House::plain().await;
    let stream = house.connect_by(house.connector(&[b"h2", b"http/1.1"], None)).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("https://localhost/").body(Empty::<Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, ::http::Version::HTTP_2));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "nobody");
    for alpn in [&[&b"http/1.1"[..]][..], &[]] {
        let mut stream = house.connect_by(house.connector(alpn, None)).await.unwrap();
        assert_eq!(ask(&mut stream).await.unwrap(), "nobody");
    }
}

#[tokio::test]
async fn what_is_no_good_tls_is_refused_while_others_are_served() {
    let house = House::plain().await;
    let mut open = house.connect(None).await;
    let old = [&[0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2][..], &[7; 32], &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
    for (sent, reason) in
        [(&old[..], "incompatible"), (b"\x00\x01\x02\x03\x04\x05", "not_tls"), (b"", "closed")]
    {
        let mut socket = TcpStream::connect(house.address).await.unwrap();
        socket.write_all(sent).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // A reset is a refusal, too.
        let _reset = socket.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer[0] == 0x15, "{answer:?}");
        house.until_failed(reason).await;
        assert_eq!(ask(&mut open).await.unwrap(), "nobody");
    }
}

#[tokio::test]
async fn plain_http_is_told_to_use_https() {
    let house = House::plain().await;
    let mut socket = TcpStream::connect(house.address).await.unwrap();
    socket.write_all(b"POST /pins HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    let mut answer = String::new();
    let reading = socket.read_to_string(&mut answer);
    reading.await.unwrap();
    drop(socket);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert!(body["error"]["details"].as_str().unwrap().contains("https://"));
    house.until_failed("plain_http").await;
}

#[tokio::test]
async fn a_handshake_that_is_not_done_in_time_is_given_up() {
    let house = House::start(|_, bounds| bounds.head_timeout = Duration::from_millis(30)).await;
    let mut socket = TcpStream::connect(house.address).await.unwrap();
    assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0);
    house.until_failed("timeout").await;
}

#[tokio::test]
async fn the_least_version_holds() {
    let house = House::start(|settings, _| settings.min_version = Version::Tls13).await;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let old = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    house.connect_by(old).await.unwrap_err();
    house.until_failed("incompatible").await;
    assert_eq!(house.ask(None).await.unwrap(), "nobody");
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_old_ones_live_on() {
    let house = House::plain().await;
    let mut old = house.connect(None).await;
    let renewed = pair_until(&house.ca, "localhost", 2024);
    write(house.dir.path(), &renewed);
    house.tls.look();
    // Seen, but it may still be written.
    assert_eq!(shown(&house.connect(None).await), shown(&old));
    house.tls.look();
    house.until("certificate_not_after_timestamp_seconds{listener=\"public\"} 1704067200").await;
    assert_eq!(ask(&mut old).await.unwrap(), "nobody");
    let fresh = pair(&house.ca, "localhost");
    write(house.dir.path(), &fresh);
    house.look();
    let mut new = house.connect(None).await;
    assert_eq!(shown(&new), *fresh.cert.der());
    assert_eq!(ask(&mut new).await.unwrap(), "nobody");
    assert_eq!(ask(&mut old).await.unwrap(), "nobody");
}

#[tokio::test]
async fn a_link_that_points_elsewhere_is_a_change() {
    let house = House::start(|settings, _| {
        let dir = settings.cert.parent().unwrap().to_owned();
        fs::create_dir(dir.join("first")).unwrap();
        for name in ["cert.pem", "key.pem"] {
            fs::rename(dir.join(name), dir.join("first").join(name)).unwrap();
        }
        symlink("first", dir.join("current")).unwrap();
        *settings = super::tests::settings(&dir.join("current"));
    })
    .await;
    let dir: PathBuf = house.dir.path().to_owned();
    let second = pair(&house.ca, "localhost");
    fs::create_dir(dir.join("second")).unwrap();
    write(&dir.join("second"), &second);
    symlink("second", dir.join("next")).unwrap();
    fs::rename(dir.join("next"), dir.join("current")).unwrap();
    house.look();
    assert_eq!(shown(&house.connect(None).await), *second.cert.der());
}

#[tokio::test]
async fn a_pair_that_cannot_be_used_leaves_the_old_one() {
    let house = House::plain().await;
    let before = shown(&house.connect(None).await);
    let new = pair(&house.ca, "localhost");
    for broken in [new.cert.pem(), "no PEM".to_owned(), String::new()] {
        fs::write(house.dir.path().join("cert.pem"), broken).unwrap();
        house.look();
        house.until("last_reload_successful{listener=\"public\"} 0").await;
        assert_eq!(shown(&house.connect(None).await), before);
    }
    fs::remove_file(house.dir.path().join("cert.pem")).unwrap();
    house.look();
    assert_eq!(shown(&house.connect(None).await), before);
    write(house.dir.path(), &new);
    house.look();
    house.until("last_reload_successful{listener=\"public\"} 1").await;
    assert_eq!(shown(&house.connect(None).await), *new.cert.der());
}

#[tokio::test]
async fn a_clients_certificate_is_verified_and_told_of_and_may_be_absent() {
    let house = House::asking(false).await;
    assert_eq!(house.ask(Some(&pair(&house.ca, "ci.example.org"))).await.unwrap(), "ci.example.org");
    assert_eq!(house.ask(None).await.unwrap(), "nobody");
}

#[tokio::test]
async fn one_that_is_expired_or_foreign_is_refused_even_where_none_is_needed() {
    for required in [false, true] {
        let house = House::asking(required).await;
        house.ask(Some(&pair_until(&house.ca, "ci", 2020))).await.unwrap_err();
        house.until_failed("bad_certificate").await;
        house.ask(Some(&pair(&authority("theirs"), "ci"))).await.unwrap_err();
        assert_eq!(house.ask(Some(&pair(&house.ca, "ci"))).await.unwrap(), "ci");
    }
}

#[tokio::test]
async fn where_one_is_required_nobody_comes_in_without() {
    let house = House::asking(true).await;
    house.ask(None).await.unwrap_err();
    house.until_failed("no_certificate").await;
}

#[tokio::test]
async fn a_client_that_does_not_trust_us_is_counted() {
    let house = House::plain().await;
    let mut stranger = house.connector(&[], None);
    let mut roots = RootCertStore::empty();
    roots.add(authority("theirs").der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    stranger.dangerous().set_certificate_verifier(
        rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().unwrap(),
    );
    house.connect_by(stranger).await.unwrap_err();
    house.until_failed("refused_by_client").await;
}

#[test]
fn an_end_is_told_of_two_weeks_and_a_day_before_and_when_it_is_there() {
    let nearness = |left| Nearness::of(left);
    assert_eq!(nearness(15 * DAY), Nearness::Far);
    assert_eq!(nearness(14 * DAY), Nearness::TwoWeeks);
    assert_eq!(nearness(DAY), Nearness::OneDay);
    assert_eq!(nearness(Duration::ZERO), Nearness::Over);
}

#[test]
fn files_that_cannot_be_used_are_named_with_the_reason() {
    let (dir, ca) = (tempfile::tempdir().unwrap(), authority("ours"));
    let file = |name: &str, text: &str| {
        fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name)
    };
    let (one, other) = (pair(&ca, "one"), pair(&ca, "other"));
    let (cert, key) = (file("cert", &one.cert.pem()), file("key", &one.key.serialize_pem()));
    let of = |cert: &PathBuf, key: &PathBuf, ca: Option<&PathBuf>| {
        let clients = ca.map(|ca| Clients { ca: ca.clone(), required: true });
        let settings =
            Settings { cert: cert.clone(), key: key.clone(), clients, min_version: Version::Tls12 };
        Material::read(settings).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(of(&cert, &key, Some(&cert)), Ok(()));
    let told = |result: Result<(), String>, part: &str, why: &str| {
        let text = result.unwrap_err();
        assert!(text.starts_with(part) && text.ends_with(why), "{text}");
    };
    let (no_pem, folder) = (file("none", "hunter2"), dir.path().to_owned());
    let locked =
        file("locked", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    told(of(&dir.path().join("missing"), &key, None), "cert ", "there is no such file");
    told(of(&folder, &key, None), "cert ", "it is no ordinary file, or a very long one");
    told(of(&key, &key, None), "cert ", "it holds no certificate in PEM form");
    told(of(&cert, &no_pem, None), "key ", "it holds no private key in PEM form");
    told(of(&cert, &locked, None), "key ", "its private key is encrypted");
    told(
        of(&cert, &file("other", &other.key.serialize_pem()), None),
        "key ",
        "the key is not the certificate's",
    );
    told(of(&cert, &key, Some(&no_pem)), "client_ca ", "it holds no certificate in PEM form");
}

#[tokio::test]
async fn who_is_shaking_hands_when_stopping_begins_is_answered() {
    let house = House::plain().await;
    let socket = TcpStream::connect(house.address).await.unwrap();
    while !house.metrics.render().contains("pinfold_http_connections{listener=\"public\"} 1\n") {
        tokio::task::yield_now().await;
    }
    house.shutdown.begin();
    tokio::task::yield_now().await;
    let config = house.connector(&[b"http/1.1"], None);
    let stream = TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), socket).await;
    assert_eq!(ask(&mut stream.unwrap()).await.unwrap(), "nobody");
}
