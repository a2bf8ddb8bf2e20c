//! A whole gateway over TLS: clients by certificate and by token, and files changed by a reload.

use std::{fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use pinfold::{
    app::{Gateway, Tuning},
    config::{self, Environment, Settings},
    sim::Sim,
    telemetry::Metrics,
};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, CertifiedKey, IsCa, KeyPair,
    generate_simple_self_signed,
};
use rustls::{ClientConfig, RootCertStore, pki_types::PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

struct Client {
    cert: Certificate,
    key: KeyPair,
}

fn client(authority: &CertifiedIssuer<'_, KeyPair>, name: &str) -> Client {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new([name.to_owned()]).expect("a name");
    Client { cert: params.signed_by(&key, authority).expect("a certificate"), key }
}

fn put_pair(dir: &Path, name: &str) -> Certificate {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    fs::write(dir.join(format!("{name}.pem")), cert.pem()).expect("a file");
    fs::write(dir.join(format!("{name}.key")), signing_key.serialize_pem()).expect("a file");
    cert
}

fn settings(dir: &Path, sim: &Sim, pair: &str, fixed: &Client) -> Settings {
    let sha256: String = Sha256::digest(fixed.cert.der()).iter().map(|byte| format!("{byte:02x}")).collect();
    let tls = match pair {
        "" => String::new(),
        pair => format!(", tls: {{ cert: {pair}.pem, key: {pair}.key, client_ca: clients.pem }}"),
    };
    let yaml = format!(
        "server: {{ listen: \"127.0.0.1:0\"{tls} }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n\
         store: {{ url: \"sqlite:pins.db\" }}\naccounts:\n\
         - {{ name: ada, tokens: [ {{ name: desk, secret: token-of-ada }} ] }}\n\
         - {{ name: ci, certificates: [ {{ name: build, san: ci.example.org, scopes: [pins:read] }} ] }}\n\
         - {{ name: eve, certificates: [ {{ name: phone, sha256: \"{sha256}\" }} ] }}\n\
         providers: [ {{ name: alpha, endpoint: \"{}\", token: alpha }} ]\n\
         policies: [ {{ name: default, copies: 1 }} ]\n",
        sim.endpoint(),
    );
    let loaded = config::parse("config.yaml", &yaml, dir, &Environment::default());
    loaded.unwrap_or_else(|problems| panic!("{problems}")).settings
}

async fn connect(address: SocketAddr, trusted: &Certificate, own: Option<&Client>) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(Client { cert, key }) => {
            let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
            builder.with_client_auth_cert(vec![cert.der().clone()], key).expect("a certificate")
        }
    };
    let socket = TcpStream::connect(address).await.expect("a connection");
    let name = "localhost".try_into().expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, socket).await.expect("a handshake")
}

/// The status of an answer; the connection stays good for more.
async fn ask(stream: &mut TlsStream<TcpStream>, method: &str, token: &str) -> u16 {
    let token = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    let body = r#"{"cid":"QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"}"#;
    let body = if method == "POST" { body } else { "" };
    let length = body.len();
    let head = format!(
        "{method} /pins HTTP/1.1\r\nhost: localhost\r\n{token}content-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut read = Vec::new();
    loop {
        assert_ne!(stream.read_buf(&mut read).await.expect("an answer"), 0);
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if head.contains(&format!("content-length: {}", body.len())) {
            return head[9..12].parse().expect("a status");
        }
    }
}

#[tokio::test]
async fn certificates_stand_for_accounts_and_files_change_by_a_reload() {
    let (dir, sim) = (crate::scratch(), Sim::builder("alpha").start().await);
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("one");
    fs::write(dir.path().join("clients.pem"), authority.pem()).expect("a file");
    let (first, second) = (put_pair(dir.path(), "first"), put_pair(dir.path(), "second"));
    let (ci, phone) = (client(&authority, "ci.example.org"), client(&authority, "phone.example.org"));
    let stranger = client(&authority, "stranger.example.org");
    let settings = |pair: &str| settings(dir.path(), &sim, pair, &phone);
    let gateway = Gateway::start(settings("first"), &Tuning::default(), Metrics::new()).await;
    let gateway = gateway.unwrap_or_else(|error| panic!("{error:#}"));
    let at = gateway.address();

    let mut plain = connect(at, &first, None).await;
    assert_eq!(ask(&mut plain, "GET", "").await, 401);
    assert_eq!(ask(&mut plain, "GET", "token-of-ada").await, 200);
    let mut build = connect(at, &first, Some(&ci)).await;
    assert_eq!(ask(&mut build, "GET", "").await, 200);
    assert_eq!(ask(&mut build, "POST", "").await, 403, "it may only read");
    assert_eq!(ask(&mut build, "POST", "token-of-ada").await, 202, "a token is what counts");
    assert_eq!(ask(&mut build, "GET", "token-of-nobody").await, 401, "a token is what counts");
    assert_eq!(ask(&mut connect(at, &first, Some(&phone)).await, "POST", "").await, 202);
    assert_eq!(ask(&mut connect(at, &first, Some(&stranger)).await, "GET", "").await, 401);

    let changes = gateway.take_up(settings("second")).await.expect("taken up");
    assert!(!changes.is_empty() && changes.iter().all(|change| !change.needs_restart()), "{changes:?}");
    assert_eq!(ask(&mut connect(at, &second, None).await, "GET", "token-of-ada").await, 200);
    assert_eq!(ask(&mut build, "GET", "").await, 200, "old connections live on");

    let changes = gateway.take_up(settings("")).await.expect("taken up");
    assert_eq!(changes.iter().filter(|change| change.needs_restart()).count(), 1, "{changes:?}");
    assert_eq!(ask(&mut connect(at, &second, None).await, "GET", "token-of-ada").await, 200);
    gateway.stop(Duration::from_secs(10)).await.expect("an orderly end");
}
