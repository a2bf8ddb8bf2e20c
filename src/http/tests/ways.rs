//! The ways to a host: what its name leads to, proxies, and whose word on its identity is taken.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use hyper_util::client::legacy::connect::dns::Name;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tower::{service_fn, util::BoxCloneSyncService};

use super::{super::connect::Resolver, *};

/// Resolves any name to these addresses, a set each time; the last one for good.
fn resolver(sets: impl IntoIterator<Item = Vec<SocketAddr>>) -> Resolver {
    let sets = Arc::new(Mutex::new(sets.into_iter().collect::<VecDeque<_>>()));
    BoxCloneSyncService::new(service_fn(move |_: Name| {
        let mut sets = sets.lock().unwrap();
        let found = if sets.len() > 1 { sets.pop_front() } else { sets.front().cloned() };
        std::future::ready(found.map(Vec::into_iter).ok_or_else(|| io::Error::other("no such host")))
    }))
}

fn client(settings: &Settings, resolver: Resolver) -> Client {
    Client::over(settings, Connector::resolving(settings, resolver))
}

async fn ask(client: &Client, url: &str) -> Result<Bytes, Error> {
    let request = Request::get(url).header("authorization", "Bearer s3cr3t").body(Bytes::new()).unwrap();
    client.send(request, 100).await.map(Response::into_body)
}

async fn named(name: &'static str) -> Server {
    Server::answering(move |_| Act::json(200, name)).await
}

#[tokio::test]
async fn a_host_that_moved_is_found_once_its_connections_are_of_age() {
    let (old, new) = (named("old").await, named("new").await);
    let moves = || resolver([vec![old.address], vec![new.address]]);
    let young = client(&Settings::default(), moves());
    let aged = client(&Settings { max_age: Duration::ZERO, ..Settings::default() }, moves());
    for (client, then) in [(young, "old"), (aged, "new")] {
        assert_eq!(ask(&client, "http://psa.test/").await.unwrap(), "old");
        assert_eq!(ask(&client, "http://psa.test/").await.unwrap(), then);
    }
}

#[tokio::test]
async fn an_address_that_does_not_answer_is_passed_over_for_the_next() {
    let server = named("here").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let client = client(&Settings::default(), resolver([vec![closed, server.address]]));
    assert_eq!(ask(&client, "http://psa.test/").await.unwrap(), "here");
}

/// Answers each request once all of a round are there, and counts the connections that are open at once.
async fn counting(round: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let (count, together) = (accepted.clone(), Arc::new(tokio::sync::Barrier::new(round)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let together = together.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                while head(&mut stream).await.is_some() {
                    together.wait().await;
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                }
            });
        }
    });
    (address, accepted)
}

#[tokio::test]
async fn there_are_no_more_connections_than_requests_at_once() {
    let (address, accepted) = counting(4).await;
    let client = Client::new(&Settings::default());
    for _ in 0..20 {
        let url = format!("http://{address}/");
        let all = futures::future::join_all((0..4).map(|_| ask(&client, &url))).await;
        assert!(all.iter().all(Result::is_ok));
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 4);
}

async fn head(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// A proxy that knows each host as `to`, if the right user asks, and what it was asked.
async fn proxy(to: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heads = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let heads = heads.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let Some(head) = head(&mut stream).await else { return };
                // "ada:pw", in Base64.
                let known = head.to_lowercase().contains("proxy-authorization: basic ywrhonb3");
                heads.lock().unwrap().push(head);
                if !known {
                    let refused = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
                    stream.write_all(refused).await.unwrap();
                    return;
                }
                let mut inner = TcpStream::connect(to).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                // Ends however either side ends it.
                let _ended = copy_bidirectional(&mut stream, &mut inner).await;
            });
        }
    });
    (address, seen)
}

fn through(proxy: SocketAddr, user: &str, roots: Roots) -> Settings {
    let proxy = Proxy::parse(&format!("http://{user}@{proxy}")).unwrap();
    Settings { proxy: Some(proxy), roots, ..Settings::default() }
}

#[tokio::test]
async fn a_proxy_opens_a_tunnel_and_sees_nothing_of_what_goes_through_it() {
    let server = named("behind").await;
    let (proxy, seen) = proxy(server.address).await;
    let client = Client::new(&through(proxy, "ada:pw", Roots::default()));
    for _ in 0..2 {
        assert_eq!(ask(&client, "http://psa.test:8080/pins").await.unwrap(), "behind");
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1, "the tunnel is kept");
    assert!(seen[0].starts_with("CONNECT psa.test:8080 HTTP/1.1\r\n"), "{seen:?}");
    assert!(!seen[0].contains("s3cr3t"));
    assert!(server.seen().iter().all(|head| !head.to_lowercase().contains("proxy-authorization")));
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_not_there_is_told_without_its_password_and_nothing_was_sent() {
    let server = named("behind").await;
    let (proxy, _) = proxy(server.address).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for proxy in [proxy, gone] {
        let client = Client::new(&through(proxy, "mallory:hunter2", Roots::default()));
        let error = ask(&client, "http://psa.test/").await.unwrap_err();
        assert!(matches!(error, Error::Connect(_)) && !error.was_sent(), "{error:?}");
        let shown = format!("{error:?} {error} {client:?} {:?}", client.settings());
        assert!(!shown.contains("hunter2") && !shown.contains("mallory"), "{shown}");
    }
    assert!(server.seen().is_empty());
}

/// A root of its own, and a server that it vouches for as `psa.test`.
async fn vouched_for() -> (SocketAddr, Roots) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_key = KeyPair::generate().unwrap();
    let root = params.self_signed(&root_key).unwrap();
    let issuer = Issuer::new(params, root_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["psa.test".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let (acceptor, listener) =
        (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // One who does not trust us hangs up.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nsafe").await.unwrap();
        }
    });
    (address, Roots::parse(root.pem().as_bytes()).unwrap())
}

#[tokio::test]
async fn a_root_of_ones_own_is_trusted_beside_the_machines_also_through_a_proxy() {
    let (address, roots) = vouched_for().await;
    let direct = |roots| client(&Settings { roots, ..Settings::default() }, resolver([vec![address]]));
    assert_eq!(ask(&direct(roots.clone()), "https://psa.test/").await.unwrap(), "safe");
    let stranger = ask(&direct(Roots::default()), "https://psa.test/").await.unwrap_err();
    assert!(matches!(stranger, Error::Tls(_)), "{stranger:?}");
    let other = ask(&direct(roots.clone()), "https://elsewhere.test/").await.unwrap_err();
    assert!(matches!(other, Error::Tls(_)), "{other:?}");
    let (proxy, seen) = proxy(address).await;
    let tunnelled = Client::new(&through(proxy, "ada:pw", roots));
    assert_eq!(ask(&tunnelled, "https://psa.test/").await.unwrap(), "safe");
    assert!(seen.lock().unwrap()[0].starts_with("CONNECT psa.test:443 "));
}
