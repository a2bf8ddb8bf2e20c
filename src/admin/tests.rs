//! The routes over a store that is scripted.

use std::{collections::VecDeque, sync::Mutex, time::Duration};

use axum::{Extension, body::Body};
use http::{Method, Request, header::ALLOW};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tower::ServiceExt;

use super::*;
use crate::{
    auth::{
        CertificateDecl, Certificates, Gate, Mark, Operator, Scope, Scopes, TokenDecl, TokenHash, Tokens,
    },
    limits::{self, Limits},
    model::{AccountId, Certificate, ManualClock, Op, Peer, ReplicaState, Status},
    telemetry::logging::tests::captured,
};

/// Answers pings as told, then hangs; hands out one set of counts and tells of it.
struct Scripted {
    pings: Mutex<VecDeque<Result<(), StoreError>>>,
    asked: UnboundedSender<Timestamp>,
}

fn scripted(pings: impl IntoIterator<Item = Result<(), StoreError>>) -> Scripted {
    Scripted { pings: Mutex::new(pings.into_iter().collect()), asked: unbounded_channel().0 }
}

#[async_trait]
impl Vitals for Scripted {
    async fn ping(&self) -> Result<(), StoreError> {
        let next = self.pings.lock().unwrap().pop_front();
        match next {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    async fn stats(&self, now: Timestamp) -> Result<StoreStats, StoreError> {
        self.asked.send(now).unwrap();
        Ok(StoreStats {
            pins: vec![("default".to_owned(), Status::Pinned, 4)],
            replicas: vec![("alpha".to_owned(), ReplicaState::Pinned, 8)],
            due: vec![(Op::Submit, 2, Some(Timestamp::from_millis(5000)))],
            remerge: 3,
            created_ahead: Duration::from_millis(1500),
            ..StoreStats::default()
        })
    }
}

/// At a loopback address, with one operator of each kind: `reads` and `writes`.
fn open(store: Scripted, shutdown: &Shutdown) -> Router {
    at(store, shutdown, Exposure::Loopback)
}

fn at(store: Scripted, shutdown: &Shutdown, exposure: Exposure) -> Router {
    let operator = |(name, scope): (&str, Scope)| TokenDecl {
        owner: None,
        scopes: Scopes::NONE.with(scope),
        ..TokenDecl::of_account(AccountId(1), "default", name, TokenHash::of(name))
    };
    let operators = [("reads", Scope::AdminRead), ("writes", Scope::AdminWrite), ("pins", Scope::PinsWrite)];
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(7000)));
    let gate = Gate::new(Tokens::new(operators.map(operator)), clock);
    gate.declare_certificates(Certificates::new([CertificateDecl {
        owner: None,
        name: "monitor".into(),
        mark: Mark::san("ops"),
        scopes: Scopes::NONE.with(Scope::AdminRead),
        policies: Vec::new(),
    }]));
    let who = |operator: Option<Extension<Arc<Operator>>>| async move {
        operator.map_or("nobody".to_owned(), |Extension(operator)| operator.token_name.to_string())
    };
    let api = Router::new().route("/who", get(who).post(who));
    let (limits, metrics) = (Limits::new(&limits::Settings::default()), Metrics::new());
    let authority = Authority::new(gate, exposure, limits, &metrics);
    router(store, shutdown, &metrics, &Traces::default(), authority, api)
}

/// The status and body of a request with this token, at this host, by this peer.
async fn call(router: &Router, method: Method, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let request = Request::builder().method(method).uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

const READS: (&str, &str) = ("authorization", "Bearer reads");
const WRITES: (&str, &str) = ("authorization", "Bearer writes");

#[tokio::test]
async fn at_loopback_reads_are_open_and_writes_need_their_scope() {
    let router = open(scripted([]), &Shutdown::default());
    for path in ["/metrics", "/api/v1/who"] {
        assert_eq!(call(&router, Method::GET, path, &[]).await.0, 200, "{path}");
        assert_eq!(call(&router, Method::HEAD, path, &[]).await.0, 200, "{path}");
    }
    let (status, body) = call(&router, Method::POST, "/api/v1/who", &[]).await;
    assert!(status == 401 && body.contains("admin:write") && body.contains(".admin-token"), "{body}");
    let (status, body) = call(&router, Method::POST, "/api/v1/who", &[READS]).await;
    assert!(status == 403 && body.contains("FORBIDDEN") && body.contains("admin:write"), "{body}");
    assert_eq!(call(&router, Method::POST, "/api/v1/who", &[WRITES]).await, (200, "writes".to_owned()));
    let wrong = ("authorization", "Bearer hunter2");
    for method in [Method::GET, Method::POST] {
        let (status, body) = call(&router, method, "/api/v1/who", &[wrong]).await;
        assert!(status == 401 && body.contains("not valid") && !body.contains("hunter2"), "{body}");
    }
}

/// The log names them by it.
#[tokio::test]
async fn who_may_not_is_known_by_name_all_the_same() {
    let router = open(scripted([]), &Shutdown::default());
    let request = Request::builder().method(Method::POST).uri("/api/v1/who").header(READS.0, READS.1);
    let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let sender = answer.extensions().get::<Arc<Operator>>().map(|operator| operator.token_name.to_string());
    assert_eq!((answer.status().as_u16(), sender.as_deref()), (403, Some("reads")));
}

#[tokio::test]
async fn a_page_that_lets_its_name_point_here_reads_nothing() {
    let router = open(scripted([Ok(())]), &Shutdown::default());
    let foreign = ("host", "rebound.example:5081");
    for path in ["/metrics", "/api/v1/who"] {
        let (status, body) = call(&router, Method::GET, path, &[foreign]).await;
        assert!(status == 401 && body.contains("localhost"), "{body}");
        assert_eq!(call(&router, Method::GET, path, &[foreign, READS]).await.0, 200);
        assert_eq!(call(&router, Method::GET, path, &[("host", "localhost:5081")]).await.0, 200);
    }
    assert_eq!(call(&router, Method::GET, "http://rebound.example/api/v1/who", &[]).await.0, 401);
    for path in ["/livez", "/readyz"] {
        assert_eq!(call(&router, Method::GET, path, &[foreign]).await.0, 200);
    }
}

#[tokio::test]
async fn where_others_can_reach_it_everything_but_health_needs_a_token_or_a_certificate() {
    let router = at(scripted([Ok(())]), &Shutdown::default(), Exposure::Network);
    for path in ["/livez", "/readyz"] {
        assert_eq!(call(&router, Method::GET, path, &[]).await.0, 200);
    }
    for path in ["/metrics", "/api/v1/who"] {
        assert_eq!(call(&router, Method::GET, path, &[("host", "127.0.0.1")]).await.0, 401, "{path}");
        assert_eq!(call(&router, Method::GET, path, &[READS]).await.0, 200, "{path}");
        assert_eq!(call(&router, Method::GET, path, &[("authorization", "Bearer pins")]).await.0, 403);
    }
}

#[tokio::test]
async fn a_certificate_counts_only_where_the_config_names_it() {
    let router = at(scripted([]), &Shutdown::default(), Exposure::Network);
    let ask = async |method: Method, name: &str, headers: &[(&str, &str)]| {
        let certificate = Certificate { sha256: [0; 32], names: vec![name.to_owned()] };
        let peer = Peer { certificate: Some(certificate.into()), ..Peer::at([10, 0, 0, 1].into()) };
        let request = Request::builder().method(method).uri("/api/v1/who").extension(peer);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
    };
    assert_eq!(ask(Method::GET, "ops", &[]).await, 200);
    assert_eq!(ask(Method::POST, "ops", &[]).await, 403);
    assert_eq!(ask(Method::GET, "ops", &[("origin", "https://evil.example")]).await, 401);
    assert_eq!(ask(Method::GET, "taken-out-of-the-config", &[]).await, 401);
}

async fn ask(router: Router, method: Method, path: &str) -> (StatusCode, http::HeaderMap, String) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let (head, body) = router.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

async fn get_from(router: Router, path: &str) -> (StatusCode, serde_json::Value) {
    let (status, headers, body) = ask(router, Method::GET, path).await;
    assert_eq!(headers[CONTENT_TYPE], "application/json");
    (status, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn alive_is_said_while_the_store_is_silent_and_stopping_has_begun() {
    let shutdown = Shutdown::default();
    shutdown.begin();
    let router = open(scripted([]), &shutdown);
    let (status, _, body) = ask(router, Method::GET, "/livez").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "ok"));
}

#[tokio::test]
async fn ready_while_the_store_answers_and_not_from_the_first_moment_of_stopping() {
    let shutdown = Shutdown::default();
    let router = open(scripted([Ok(()), Ok(())]), &shutdown);
    let (status, body) = get_from(router.clone(), "/readyz").await;
    assert_eq!((status, &body["ready"]), (StatusCode::OK, &json!(true)));
    shutdown.begin();
    let (status, body) = get_from(router, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, json!({ "ready": false, "failed": "process", "details": "stopping" }));
}

#[tokio::test(start_paused = true)]
async fn not_ready_while_the_store_fails_or_is_silent_and_ready_again_afterwards() {
    let pings = [Err(StoreError::Busy), Ok(())];
    let router = open(scripted(pings), &Shutdown::default());
    let (status, body) = get_from(router.clone(), "/readyz").await;
    assert_eq!((status, &body["failed"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("store")));
    assert_eq!(body["details"], StoreError::Busy.to_string());
    assert_eq!(get_from(router.clone(), "/readyz").await.0, StatusCode::OK);
    let (status, body) = get_from(router, "/readyz").await;
    assert_eq!((status, &body["details"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("no answer within 2 s")));
}

#[tokio::test]
async fn metrics_are_text_of_version_0_0_4() {
    let router = open(scripted([]), &Shutdown::default());
    let (status, headers, body) = ask(router, Method::GET, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers[CONTENT_TYPE].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    assert!(body.contains("pinfold_build_info{"));
}

#[tokio::test]
async fn anything_else_is_a_failure_in_json() {
    let router = open(scripted([]), &Shutdown::default());
    let (status, body) = get_from(router.clone(), "/pins").await;
    assert_eq!((status, &body["error"]["reason"]), (StatusCode::NOT_FOUND, &json!("NOT_FOUND")));
    let (status, headers, body) = ask(router, Method::DELETE, "/metrics").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(headers[ALLOW].to_str().unwrap().contains("GET"));
    assert!(body.contains("METHOD_NOT_ALLOWED"));
}

#[tokio::test(start_paused = true)]
async fn gauges_are_refreshed_at_once_and_again_until_stopping_begins() {
    let (asked, mut asks) = unbounded_channel();
    let store = Scripted { asked, ..scripted([]) };
    let (metrics, shutdown) = (Metrics::new(), Shutdown::default());
    metrics.account("default");
    metrics.provider("alpha");
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(7000)));
    let task = tokio::spawn(refresh_metrics(store, clock.clone(), metrics.clone(), shutdown.clone()));
    assert_eq!(asks.recv().await, Some(Timestamp::from_millis(7000)));
    clock.advance(Duration::from_secs(30));
    assert_eq!(asks.recv().await, Some(Timestamp::from_millis(37_000)));
    shutdown.begin();
    task.await.unwrap();
    let text = metrics.render();
    for line in [
        r#"pinfold_account_pins{account="default",status="pinned"} 4"#,
        r#"pinfold_replicas{provider="alpha",state="pinned"} 8"#,
        r#"pinfold_tasks_due{kind="submit"} 2"#,
        r#"pinfold_tasks_due{kind="remerge"} 3"#,
        r#"pinfold_tasks_oldest_due_timestamp_seconds{kind="submit"} 5"#,
        "pinfold_created_ahead_seconds 1.5",
        "pinfold_store_stats_last_refresh_timestamp_seconds 37",
    ] {
        assert!(text.contains(line), "{line}");
    }
}

#[tokio::test]
async fn every_request_has_an_id_and_one_line_and_probes_are_none_of_anybodys_business() {
    let (subscriber, _, sink) = captured("info,pinfold=info");
    let _guard = tracing::subscriber::set_default(subscriber);
    let router = open(scripted([]), &Shutdown::default());
    let ask = async |method: Method, path: &str, id: &str| {
        let request = Request::builder().method(method).uri(path).header("x-request-id", id);
        let request = request.header("authorization", "Bearer writes").body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        answer.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    for path in ["/livez", "/metrics", "/api/v1/who", "/nowhere"] {
        assert_eq!(ask(Method::GET, path, "mine-1").await, "mine-1");
    }
    assert_eq!(ask(Method::POST, "/api/v1/who", "not sane").await.len(), 16);
    let told: Vec<_> = sink.lines();
    let told: Vec<_> = told
        .iter()
        .map(|line| (line["route"].as_str().unwrap(), line["code"].as_u64().unwrap(), line["token"].as_str()))
        .collect();
    assert_eq!(
        told,
        [("/api/v1/who", 200, Some("writes")), ("other", 404, None), ("/api/v1/who", 200, Some("writes"))]
    );
    assert!(sink.lines().iter().all(|line| line["listener"] == "admin"));
}

#[tokio::test]
async fn a_failure_of_the_store_is_told_once_and_with_whose_request_it_was() {
    let (subscriber, _, sink) = captured("info");
    let _guard = tracing::subscriber::set_default(subscriber);
    let fails = || async { Err::<(), Failure>(StoreError::Busy.into()) };
    let router = Router::new()
        .route("/it", get(fails))
        .layer(middleware::from_fn_with_state(Traces::default(), access::note));
    let (status, _) = call(&router, Method::GET, "/it", &[("x-request-id", "mine-1")]).await;
    let lines = sink.lines();
    let told = |level: &str| lines.iter().filter(|line| line["level"] == level).collect::<Vec<_>>();
    assert_eq!((status, lines.len(), told("ERROR").len(), told("INFO").len()), (503, 2, 1, 1));
    assert!(lines.iter().all(|line| line["request_id"] == "mine-1"), "{lines:?}");
}

#[tokio::test]
async fn a_store_that_stays_silent_is_told_of_once_however_often_it_is_probed() {
    let (subscriber, _, sink) = captured("info");
    let _guard = tracing::subscriber::set_default(subscriber);
    let pings = [Err(StoreError::Busy), Err(StoreError::Busy), Ok(()), Ok(())];
    let router = open(scripted(pings), &Shutdown::default());
    for _ in 0..4 {
        call(&router, Method::GET, "/readyz", &[]).await;
    }
    let lines = sink.lines();
    let words: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    let about: Vec<_> = words.into_iter().filter(|words| *words != "answered").collect();
    assert_eq!(about, ["not ready: the store cannot be read", "ready again"]);
}

#[tokio::test]
async fn the_logs_filter_is_shown_and_changed_and_a_wrong_one_is_told_what_to_write() {
    let (subscriber, filter, _) = captured("info");
    let _guard = tracing::subscriber::set_default(subscriber);
    let router = log_routes(filter);
    let put = async |body: &str| {
        let request = Request::put("/log-level").body(Body::from(body.to_owned())).unwrap();
        let (head, body) = router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), serde_json::from_slice::<serde_json::Value>(&body).unwrap())
    };
    let told = |filter: &str| json!({ "filter": filter, "configured": "info" });
    assert_eq!(
        put(r#"{"filter":"warn,pinfold::engine=debug"}"#).await,
        (200, told("warn,pinfold::engine=debug"))
    );
    for (wrong, words) in [
        (r#"{"filter":"warning"}"#, "write one of off, error, warn"),
        (r#"{"filter":""}"#, "write a level"),
        (r#"{"level":"warn"}"#, "unknown field"),
    ] {
        let (status, told) = put(wrong).await;
        assert_eq!(status, 400);
        assert!(told["error"]["details"].as_str().unwrap().contains(words), "{told}");
    }
    let (_, now) = get_from(router.clone(), "/log-level").await;
    assert_eq!(now, told("warn,pinfold::engine=debug"));
    assert_eq!(put("{}").await, (200, told("info")));
}
