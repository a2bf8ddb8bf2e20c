//! The loop over real sockets, at ports that the system chooses.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use ::http::StatusCode;
use axum::{
    Extension, Router,
    routing::{get, post},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
    task::JoinHandle,
};

use super::*;

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(30);
const LARGE: usize = 1 << 20;
/// More than the kernel's buffers of a connection take.
const HUGE: usize = 16 << 20;

/// A running server whose `/slow` answers once it is released.
struct Running {
    address: SocketAddr,
    shutdown: Shutdown,
    metrics: Metrics,
    entered: Arc<Notify>,
    release: Arc<Notify>,
    accepting: JoinHandle<()>,
    /// How often `/large` was answered.
    made: Arc<AtomicUsize>,
}

fn patient() -> Settings {
    Settings { head_timeout: LONG, idle_timeout: LONG, ..Settings::default() }
}

async fn start(settings: Settings) -> Running {
    start_behind(settings, Proxies::default()).await
}

async fn start_behind(settings: Settings, proxies: Proxies) -> Running {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&entered), Arc::clone(&release));
    let slow = move || async move {
        tell.notify_one();
        wait.notified().await;
        "done"
    };
    let who = |Extension(peer): Extension<Peer>| async move { format!("{}!", peer.address) };
    let router = Router::new().route("/", get(|| async { "hello" })).route("/slow", get(slow));
    let router = router.route("/who", get(who));
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let large = move || async move {
        counted.fetch_add(1, Relaxed);
        vec![b'x'; LARGE]
    };
    let router = router.route("/large", get(large)).route("/huge", get(|| async { vec![b'x'; HUGE] }));
    let router = router.route("/write", post(|| async { "written" }));
    let (metrics, shutdown) = (Metrics::new(), Shutdown::default());
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(Listener::Public, settings, &metrics, &shutdown).behind(proxies);
    let accepting = tokio::spawn(server.run(listener, router));
    Running { address, shutdown, metrics, entered, release, accepting, made }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Reads one answer whose body ends with `end`.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "closed after {read:?}");
    }
    String::from_utf8(read).unwrap()
}

/// Reads what is left until the server closes.
async fn read_to_close(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    // A reset is a close too.
    let _reset = stream.read_to_end(&mut read).await;
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let running = start(patient()).await;
    let mut stream = running.connect().await;
    for _ in 0..3 {
        send(&mut stream, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(read_until(&mut stream, "hello").await.starts_with("HTTP/1.1 200 "));
    }
    let text = running.metrics.render();
    assert!(text.contains("pinfold_http_connections{listener=\"public\"} 1"));
    assert!(text.contains("pinfold_http_requests_in_flight{listener=\"public\"} 0"));
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_served_and_told_to_go_away() {
    let running = start(patient()).await;
    let io = TokioIo::new(running.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let uri = format!("http://{}/", running.address);
    let request = Request::get(uri).body(Empty::<Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, ::http::Version::HTTP_2));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert!(running.shutdown.drained(LONG).await);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_finishes_the_request_under_way_and_closes_idle_connections() {
    let running = start(patient()).await;
    let (mut idle, mut busy) = (running.connect().await, running.connect().await);
    send(&mut idle, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut idle, "hello").await;
    send(&mut busy, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    running.entered.notified().await;
    running.shutdown.begin();
    assert_eq!(read_to_close(&mut idle).await, "");
    running.accepting.await.unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
    running.release.notify_one();
    let answer = read_to_close(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"), "{answer}");
    assert!(running.shutdown.drained(LONG).await);
}

#[tokio::test]
async fn who_sends_just_after_the_stop_is_answered_and_told_that_it_closes() {
    let running = start(patient()).await;
    let (mut kept, mut fresh) = (running.connect().await, running.connect().await);
    for stream in [&mut kept, &mut fresh] {
        send(stream, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        read_until(stream, "hello").await;
    }
    running.shutdown.begin();
    for stream in [&mut kept, &mut fresh] {
        send(stream, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
        running.entered.notified().await;
        running.release.notify_one();
        let answer = read_to_close(stream).await;
        assert!(answer.contains("connection: close") && answer.ends_with("done"), "{answer}");
    }
    assert!(running.shutdown.drained(LONG).await);
}

#[tokio::test]
async fn an_abort_drops_what_is_under_way() {
    let running = start(patient()).await;
    let mut busy = running.connect().await;
    send(&mut busy, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    running.entered.notified().await;
    running.shutdown.abort();
    assert_eq!(read_to_close(&mut busy).await, "");
    assert!(!running.shutdown.drained(LONG).await);
}

#[tokio::test]
async fn an_abort_drops_http2_requests_too() {
    let running = start(patient()).await;
    let io = TokioIo::new(running.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get(format!("http://{}/slow", running.address)).body(Empty::<Bytes>::new());
    let answer = tokio::spawn(sender.send_request(request.unwrap()));
    running.entered.notified().await;
    running.shutdown.abort();
    assert!(answer.await.unwrap().is_err());
    // How the client's side of the connection ends is the client's affair.
    let _ended = connection.await.unwrap();
    assert!(!running.shutdown.drained(LONG).await);
}

#[tokio::test]
async fn at_the_cap_the_next_client_waits_until_a_connection_closes() {
    let running = start(Settings { max_connections: 1, ..patient() }).await;
    let mut first = running.connect().await;
    send(&mut first, "GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    running.entered.notified().await;
    let mut second = running.connect().await;
    send(&mut second, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(running.metrics.render().contains("pinfold_http_connections{listener=\"public\"} 1"));
    running.release.notify_one();
    assert!(read_to_close(&mut first).await.ends_with("done"));
    running.entered.notified().await;
    running.release.notify_one();
    read_until(&mut second, "done").await;
}

#[tokio::test]
async fn a_head_that_dribbles_in_is_cut() {
    let running = start(Settings { head_timeout: SHORT, ..patient() }).await;
    let mut stream = running.connect().await;
    send(&mut stream, "GET / HTTP/1.1\r\nhos").await;
    assert_eq!(read_to_close(&mut stream).await, "");
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_cut() {
    let running = start(Settings { head_timeout: SHORT, ..patient() }).await;
    assert_eq!(read_to_close(&mut running.connect().await).await, "");
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end() {
    let running = start(Settings { idle_timeout: SHORT, ..patient() }).await;
    let mut stream = running.connect().await;
    send(&mut stream, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(read_to_close(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn a_uri_of_44_kilobytes_reaches_the_router() {
    let running = start(patient()).await;
    let mut stream = running.connect().await;
    let uri = "x".repeat(44 * 1024);
    send(&mut stream, &format!("GET /{uri} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
    assert!(read_to_close(&mut stream).await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn requests_that_cannot_be_parsed_get_a_failure_too() {
    let running = start(patient()).await;
    let long = format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", "x".repeat(300_000));
    for (request, code) in [("NOT HTTP\r\n\r\n", "400"), (long.as_str(), "431")] {
        let mut stream = running.connect().await;
        send(&mut stream, request).await;
        stream.shutdown().await.unwrap();
        let answer = read_to_close(&mut stream).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {code} ")), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(body["error"]["reason"].is_string() && body["error"]["details"].is_string());
    }
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let running = start(patient()).await;
    let error = bind(running.address).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {}", running.address));
}

#[test]
fn idle_connections_outlive_those_of_gos_clients() {
    assert!(Settings::default().idle_timeout > Duration::from_secs(90));
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_reset() {
    let running = start(Settings { write_timeout: SHORT, ..patient() }).await;
    let mut stream = running.connect().await;
    let requests = "GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    // More answers than the kernel keeps for it.
    let error = loop {
        if let Err(error) = stream.write_all(requests.as_bytes()).await {
            break error;
        }
    };
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    assert!(matches!(error.kind(), ConnectionReset | BrokenPipe), "{error}");
}

/// How a connection of HTTP/2 begins whose client takes no byte of any answer.
const HTTP2_WITHOUT_WINDOW: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";
/// Methods in HPACK's static table.
const GET: u8 = 0x82;
const POST: u8 = 0x83;

/// A request without a body, to the authority x.
fn asks(method: u8, stream: u32, path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).unwrap();
    let block = [&[method, 0x86, 0x04, length], path.as_bytes(), &[0x01, 0x01, b'x']].concat();
    let head = [0, 0, u8::try_from(block.len()).unwrap(), 1, 5];
    [&head[..], &stream.to_be_bytes(), &block].concat()
}

/// Asks so often for what is large.
fn asks_for_much(times: u32) -> Vec<u8> {
    (0..times).flat_map(|n| asks(GET, 2 * n + 1, "/large")).collect()
}

#[tokio::test]
async fn reads_wait_until_the_http2_client_takes_answers_and_writes_do_not() {
    let running = start(patient()).await;
    let mut stream = running.connect().await;
    let much = [HTTP2_WITHOUT_WINDOW, &asks_for_much(100), &asks(POST, 201, "/write")].concat();
    stream.write_all(&much).await.unwrap();
    let mut read = Vec::new();
    // The write's answer: a HEADERS frame of its stream.
    while !read.windows(5).any(|bytes| bytes == [4, 0, 0, 0, 201]) {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "closed");
    }
    assert_eq!(running.made.load(Relaxed), 8);
}

#[tokio::test]
async fn an_http2_client_that_asks_a_hundred_times_and_takes_all_is_served() {
    let running = start(Settings { max_unread: LARGE, ..patient() }).await;
    let io = TokioIo::new(running.connect().await);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let ask = || async {
        let request = Request::get(format!("http://{}/large", running.address)).body(Empty::<Bytes>::new());
        let answer = sender.clone().send_request(request.unwrap()).await.unwrap();
        answer.into_body().collect().await.unwrap().to_bytes().len()
    };
    let answers = futures::future::join_all((0..100).map(|_| ask())).await;
    assert!(answers.iter().all(|length| *length == LARGE));
    connection.abort();
}

#[tokio::test]
async fn whoever_takes_nothing_makes_way_for_others() {
    let room = 20 * LARGE;
    let running = start(Settings { max_unread: room, ..patient() }).await;
    let mut greedy = Vec::new();
    for _ in 0..4 {
        let mut stream = running.connect().await;
        stream.write_all(&[HTTP2_WITHOUT_WINDOW, &asks_for_much(100)].concat()).await.unwrap();
        greedy.push(stream);
    }
    for first in &mut greedy[..2] {
        // A reset is a close too.
        let _reset = first.read_to_end(&mut Vec::new()).await;
    }
    let mut good = running.connect().await;
    send(&mut good, "GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(read_until(&mut good, &"x".repeat(LARGE)).await.starts_with("HTTP/1.1 200 "));
    let text = running.metrics.render();
    assert!(text.contains("pinfold_http_connections_given_up_total{listener=\"public\"} 2"));
    assert!(unread(&text) <= room);
}

fn unread(metrics: &str) -> usize {
    let series = "pinfold_http_unread_bytes{listener=\"public\"} ";
    metrics.lines().find_map(|line| line.strip_prefix(series)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_large_answer_of_http1_takes_room_until_it_is_taken() {
    let running = start(patient()).await;
    let mut stream = running.connect().await;
    send(&mut stream, "GET /huge HTTP/1.1\r\nhost: x\r\n\r\n").await;
    stream.readable().await.unwrap();
    assert!(unread(&running.metrics.render()) > HUGE);
    read_until(&mut stream, &"x".repeat(HUGE)).await;
    send(&mut stream, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut stream, "hello").await;
    assert_eq!(unread(&running.metrics.render()), 0);
}

#[tokio::test]
async fn an_http2_client_that_opens_no_window_is_cut_though_it_talks() {
    let running = start(Settings { write_timeout: SHORT, ..patient() }).await;
    let mut stream = running.connect().await;
    stream.write_all(&[HTTP2_WITHOUT_WINDOW, &asks(GET, 1, "/")].concat()).await.unwrap();
    let mut read = Vec::new();
    let _reset = stream.read_to_end(&mut read).await;
    assert!(!read.windows(5).any(|bytes| bytes == b"hello"));
    assert!(running.shutdown.drained(LONG).await);
}

/// Believes this machine, in both ways.
async fn start_behind_proxies(settings: Settings) -> Running {
    let trusted = vec!["127.0.0.0/8".parse().unwrap()];
    start_behind(settings, Proxies { trusted, protocol_v2: true, forwarded_for: true }).await
}

/// The connection's beginning that a proxy writes for a client.
fn introduction(client: [u8; 4]) -> Vec<u8> {
    let addresses = [&client[..], &[127, 0, 0, 1, 0, 1, 0, 80]].concat();
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &addresses].concat()
}

async fn who(stream: &mut TcpStream, headers: &str) -> String {
    send(stream, &format!("GET /who HTTP/1.1\r\nhost: x\r\n{headers}\r\n")).await;
    read_until(stream, "!").await.rsplit_once("\r\n\r\n").unwrap().1.to_owned()
}

#[tokio::test]
async fn a_proxy_says_whom_it_speaks_for_and_its_client_cannot() {
    let running = start_behind_proxies(patient()).await;
    let mut stream = running.connect().await;
    stream.write_all(&introduction([192, 0, 2, 1])).await.unwrap();
    assert_eq!(who(&mut stream, "").await, "192.0.2.1!");
    assert_eq!(who(&mut stream, "x-forwarded-for: 198.51.100.7\r\n").await, "192.0.2.1!");
    // One more proxy between the client and this one.
    let mut stream = running.connect().await;
    stream.write_all(&introduction([127, 0, 0, 9])).await.unwrap();
    assert_eq!(who(&mut stream, "x-forwarded-for: 198.51.100.7\r\n").await, "198.51.100.7!");
}

#[tokio::test]
async fn a_proxy_that_does_not_say_it_is_cut_and_counted() {
    let running = start_behind_proxies(patient()).await;
    let mut stream = running.connect().await;
    send(&mut stream, "GET /who HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(read_to_close(&mut stream).await, "");
    let series = "pinfold_http_connections_refused_total{listener=\"public\",reason=\"proxy_protocol\"} 1";
    assert!(running.metrics.render().contains(series));
}

#[tokio::test]
async fn an_introduction_that_dribbles_in_is_cut() {
    let running = start_behind_proxies(Settings { head_timeout: SHORT, ..patient() }).await;
    let mut stream = running.connect().await;
    stream.write_all(&introduction([192, 0, 2, 1])[..20]).await.unwrap();
    assert_eq!(read_to_close(&mut stream).await, "");
}

#[tokio::test]
async fn strangers_need_no_introduction_and_cannot_bring_one() {
    let trusted = vec!["10.0.0.0/8".parse().unwrap()];
    let proxies = Proxies { trusted, protocol_v2: true, forwarded_for: true };
    let running = start_behind(patient(), proxies).await;
    let mut stream = running.connect().await;
    assert_eq!(who(&mut stream, "x-forwarded-for: 198.51.100.7\r\n").await, "127.0.0.1!");
    let mut stream = running.connect().await;
    stream.write_all(&introduction([192, 0, 2, 1])).await.unwrap();
    assert!(read_to_close(&mut stream).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn an_address_with_all_its_connections_is_closed_at_once_and_another_is_served() {
    let running = start_behind_proxies(Settings { max_connections_per_address: 1, ..patient() }).await;
    let mut first = running.connect().await;
    first.write_all(&introduction([192, 0, 2, 1])).await.unwrap();
    assert_eq!(who(&mut first, "").await, "192.0.2.1!");
    let mut second = running.connect().await;
    second.write_all(&introduction([192, 0, 2, 1])).await.unwrap();
    assert_eq!(read_to_close(&mut second).await, "");
    let series = "pinfold_http_connections_refused_total{listener=\"public\",reason=\"address\"} 1";
    assert!(running.metrics.render().contains(series));
    let mut other = running.connect().await;
    other.write_all(&introduction([192, 0, 2, 2])).await.unwrap();
    assert_eq!(who(&mut other, "").await, "192.0.2.2!");
}
