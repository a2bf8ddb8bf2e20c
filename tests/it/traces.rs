//! Traces, as a receiver of OpenTelemetry's protocol gets them.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use http::{Method, StatusCode};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value as Attribute,
    trace::v1::{Span, span::SpanKind},
};
use pinfold::{
    app::{self, Gateway, Tuning},
    config::{self, Environment},
    http::{Client, Settings},
    telemetry::Metrics,
};
use prost::Message;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::Notify};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const CID: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const NAME: &str = "holiday-photos";
const PATIENCE: Duration = Duration::from_secs(60);

/// All that was asked of a server: method, path, `traceparent`, body.
type Asked = (Method, String, Option<String>, Vec<u8>);

#[derive(Default)]
struct Heard {
    asked: Mutex<Vec<Asked>>,
    more: Notify,
}

impl Heard {
    async fn hear(&self, request: Request) -> Asked {
        let (head, body) = request.into_parts();
        let parent = head.headers.get("traceparent").map(|parent| parent.to_str().expect("text").to_owned());
        let body = to_bytes(body, 1 << 20).await.expect("a body").to_vec();
        let asked = (head.method, head.uri.path().to_owned(), parent, body);
        self.asked.lock().expect("whole").push(asked.clone());
        self.more.notify_one();
        asked
    }

    fn spans(&self) -> Vec<Span> {
        let asked = self.asked.lock().expect("whole");
        let batches = asked.iter().map(|(_, path, _, body)| {
            assert_eq!(path, "/v1/traces");
            ExportTraceServiceRequest::decode(&body[..]).expect("a batch of traces")
        });
        let scopes = batches.flat_map(|batch| batch.resource_spans).flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    async fn until_span(&self, name: &str) {
        self.until(name, |_| true).await;
    }

    async fn until(&self, name: &str, is_it: impl Fn(&Span) -> bool) {
        let came = async {
            while !self.spans().iter().any(|span| span.name == name && is_it(span)) {
                self.more.notified().await;
            }
        };
        tokio::time::timeout(PATIENCE, came)
            .await
            .unwrap_or_else(|_| panic!("no {name}: {:?}", self.spans()));
    }

    fn parents(&self) -> Vec<Option<String>> {
        self.asked.lock().expect("whole").iter().map(|(_, _, parent, _)| parent.clone()).collect()
    }
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn receiver() -> (SocketAddr, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let take = async |State(heard): State<Arc<Heard>>, request: Request| {
        heard.hear(request).await;
        StatusCode::OK
    };
    (serve(Router::new().fallback(take).with_state(heard.clone())).await, heard)
}

/// Queues a pin, and has it pinned by the first look.
async fn provider() -> (SocketAddr, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let answer = async |State(heard): State<Arc<Heard>>, request: Request| {
        let (method, path, ..) = heard.hear(request).await;
        let pin = |status: &str| {
            json!({ "requestid": "one", "status": status, "created": "2026-01-01T00:00:00.000Z",
                    "pin": { "cid": CID }, "delegates": [], "info": {} })
        };
        let (code, body) = match (method, path.as_str()) {
            (Method::POST, "/pins") => (202, pin("queued")),
            (Method::GET, "/pins") => (200, json!({ "count": 0, "results": [] })),
            _ => (200, pin("pinned")),
        };
        Response::builder().status(code).body(Body::from(body.to_string())).expect("an answer")
    };
    (serve(Router::new().fallback(answer).with_state(heard.clone())).await, heard)
}

struct House {
    gateway: Gateway,
    provider: Arc<Heard>,
    metrics: Metrics,
    dir: TempDir,
}

impl House {
    async fn start(traces: &str) -> Self {
        let (address, provider) = provider().await;
        let dir = crate::scratch();
        let yaml = format!(
            "server: {{ listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n\
             store: {{ url: \"sqlite:{}\" }}\napi: {{ accept_wait: 0s }}\nengine: {{ poll_min: 20ms }}\n{traces}\n\
             providers: [ {{ name: alpha, exclusive: true, endpoint: \"http://{address}\", token: token-of-alpha }} ]\n\
             accounts: [ {{ name: ada, tokens: [ {{ name: desk, secret: token-of-ada }} ] }} ]\n",
            dir.path().join("pins.db").display()
        );
        let loaded = config::parse("config.yaml", &yaml, dir.path(), &Environment::default());
        let settings = loaded.unwrap_or_else(|problems| panic!("{problems}")).settings;
        let metrics = Metrics::new();
        let gateway = Gateway::start(settings, &Tuning::default(), metrics.clone()).await;
        let gateway = gateway.unwrap_or_else(|error| panic!("{error:#}"));
        Self { gateway, provider, metrics, dir }
    }

    /// Adds a pin, which is pinned when this returns.
    async fn add(&self, traceparent: Option<&str>) {
        let client = Client::new(&Settings::default());
        let ask = async |method: Method, path: &str, body: Value| {
            let request = http::Request::builder()
                .method(method)
                .uri(format!("http://{}{path}", self.gateway.address()))
                .header("authorization", "Bearer token-of-ada")
                .header("content-type", "application/json")
                .header("x-request-id", "asked-by-a-test");
            let request = match traceparent {
                Some(parent) if path == "/pins" => request.header("traceparent", parent),
                _ => request,
            };
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let request = request.body(body.into()).expect("a request");
            let answer = client.send(request, 1 << 20).await.expect("an answer");
            serde_json::from_slice::<Value>(answer.body()).expect("JSON")
        };
        let pin = ask(Method::POST, "/pins", json!({ "cid": CID, "name": NAME })).await;
        let path = format!("/pins/{}", pin["requestid"].as_str().unwrap_or_else(|| panic!("{pin}")));
        let pinned = async {
            while ask(Method::GET, &path, Value::Null).await["status"] != "pinned" {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, pinned).await.expect("it is pinned");
    }

    /// Asks the admin listener, as a part of the client's trace.
    async fn operate(&self, method: Method, path: &str, body: Value) -> Value {
        let token = app::admin_token_file(&self.dir.path().join("pins.db"));
        let token = std::fs::read_to_string(token).expect("the first admin token");
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.gateway.admin()))
            .header("authorization", format!("Bearer {}", token.trim()))
            .header("content-type", "application/json")
            .header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = request.body(body.into()).expect("a request");
        let answer = Client::new(&Settings::default()).send(request, 1 << 20).await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        serde_json::from_slice(answer.body()).unwrap_or_default()
    }

    async fn stop(self) -> (Arc<Heard>, Metrics) {
        self.gateway.stop(PATIENCE).await.expect("all parts lived");
        (self.provider, self.metrics)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let text = |attribute: &Attribute| match attribute {
        Attribute::StringValue(text) => text.clone(),
        Attribute::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let pair = |pair: &'_ opentelemetry_proto::tonic::common::v1::KeyValue| {
        pair.value.as_ref().and_then(|value| value.value.as_ref()).map(text)
    };
    span.attributes.iter().map(|found| (found.key.as_str(), pair(found).expect("a value"))).collect()
}

fn counted(metrics: &Metrics, outcome: &str) -> u64 {
    let start = format!("pinfold_trace_spans_total{{outcome=\"{outcome}\"}} ");
    let text = metrics.render();
    text.lines().find_map(|line| line.strip_prefix(&start)).expect("a series").parse().expect("a number")
}

#[tokio::test]
async fn an_add_is_followed_from_its_client_to_its_provider() {
    let (address, receiver) = receiver().await;
    let traces = format!("endpoint: \"http://{address}\", sample: 0, accept: decision, propagate: true");
    let house = House::start(&format!("traces: {{ {traces} }}")).await;
    house.add(Some(&format!("00-{TRACE}-{PARENT}-01"))).await;
    receiver.until_span("copy").await;
    let (provider, metrics) = house.stop().await;

    let spans = receiver.spans();
    let named =
        |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{spans:?}"));
    let [request, commit, copy, submit, look] = ["POST /pins", "commit", "copy", "submit", "look"].map(named);
    assert_eq!(spans.len(), 5, "what nobody asked to be recorded is not: {spans:?}");
    assert_eq!((hex(&request.trace_id), hex(&request.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!((&commit.trace_id, &commit.parent_span_id), (&request.trace_id, &request.span_id));
    assert_ne!(copy.trace_id, request.trace_id);
    let links: Vec<_> = copy.links.iter().map(|link| (&link.trace_id, &link.span_id)).collect();
    assert_eq!(links, [(&request.trace_id, &request.span_id)]);
    for call in [submit, look] {
        assert_eq!((&call.trace_id, &call.parent_span_id), (&copy.trace_id, &copy.span_id));
        assert_eq!(call.kind(), SpanKind::Client);
    }
    assert_eq!(request.kind(), SpanKind::Server);
    let told = attributes(request);
    let keys = ["http.response.status_code", "pinfold.account", "pinfold.request_id"];
    assert_eq!(keys.map(|key| told[key].as_str()), ["202", "ada", "asked-by-a-test"]);
    let told = attributes(submit);
    let keys = ["pinfold.provider", "pinfold.operation", "pinfold.outcome", "http.response.status_code"];
    assert_eq!(keys.map(|key| told[key].as_str()), ["alpha", "submit", "ok", "202"]);
    assert_eq!(attributes(copy)["pinfold.outcome"], "pinned");
    let upstream =
        [submit, look].map(|call| Some(format!("00-{}-{}-01", hex(&call.trace_id), hex(&call.span_id))));
    assert_eq!(provider.parents(), upstream);
    assert_eq!((counted(&metrics, "sent"), counted(&metrics, "failed")), (5, 0));
    let all = format!("{spans:?}");
    for secret in [CID, NAME, "token-of-", "Bearer"] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
}

const DECIDED_BY_CLIENTS: &str = "sample: 0, accept: decision";

#[tokio::test]
async fn an_audit_is_followed_from_the_operator_who_asked_for_it() {
    let (address, receiver) = receiver().await;
    let house =
        House::start(&format!("traces: {{ endpoint: \"http://{address}\", {DECIDED_BY_CLIENTS} }}")).await;
    for routine in ["/livez", "/readyz", "/metrics"] {
        house.operate(Method::GET, routine, Value::Null).await;
    }
    let job = house.operate(Method::POST, "/api/v1/providers/alpha/audit", Value::Null).await;
    receiver.until("audit", |step| attributes(step)["pinfold.outcome"] == "done").await;
    house.stop().await;

    let spans = receiver.spans();
    let asked = "POST /api/v1/providers/{name}/audit";
    let (requests, others): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.kind() == SpanKind::Server);
    let [request] = requests[..] else {
        panic!("what machines ask over and over is not recorded: {requests:?}")
    };
    assert_eq!((request.name.as_str(), hex(&request.trace_id)), (asked, TRACE.to_owned()));
    let told = attributes(request);
    let keys = ["pinfold.listener", "http.route", "http.response.status_code"];
    assert_eq!(keys.map(|key| told[key].as_str()), ["admin", "/api/v1/providers/{name}/audit", "202"]);
    let (steps, calls): (Vec<_>, Vec<_>) = others.into_iter().partition(|span| span.name == "audit");
    for step in &steps {
        let links: Vec<_> = step.links.iter().map(|link| (&link.trace_id, &link.span_id)).collect();
        assert_eq!(links, [(&request.trace_id, &request.span_id)]);
        let told = attributes(step);
        assert_eq!(
            (told["pinfold.job"].clone(), told["pinfold.provider"].as_str()),
            (job["id"].to_string(), "alpha")
        );
    }
    assert!(calls.iter().any(|call| call.name == "list"), "{calls:?}");
    for call in calls {
        assert!(
            steps
                .iter()
                .any(|step| (&step.trace_id, &step.span_id) == (&call.trace_id, &call.parent_span_id))
        );
    }
}

#[tokio::test]
async fn a_pin_that_an_operator_adds_is_followed_to_its_provider() {
    let (address, receiver) = receiver().await;
    let house =
        House::start(&format!("traces: {{ endpoint: \"http://{address}\", {DECIDED_BY_CLIENTS} }}")).await;
    house.operate(Method::POST, "/api/v1/pins", json!({ "cid": CID, "name": NAME })).await;
    receiver.until_span("copy").await;
    house.stop().await;
    let spans = receiver.spans();
    let named =
        |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{spans:?}"));
    let [request, commit, copy] = ["POST /api/v1/pins", "commit", "copy"].map(named);
    assert_eq!((&commit.trace_id, &commit.parent_span_id), (&request.trace_id, &request.span_id));
    assert_eq!(copy.links[0].span_id, request.span_id);
    let all = format!("{spans:?}");
    for secret in [CID, NAME, "token-of-", "Bearer"] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
}

#[tokio::test]
async fn a_provider_is_told_nothing_unless_it_is_to_be() {
    let (address, receiver) = receiver().await;
    let house = House::start(&format!("traces: {{ endpoint: \"http://{address}\", sample: 1 }}")).await;
    house.add(None).await;
    receiver.until_span("copy").await;
    let (provider, _) = house.stop().await;
    assert!(receiver.spans().iter().any(|span| span.name == "submit"));
    assert!(provider.parents().iter().all(Option::is_none) && !provider.parents().is_empty());
}

#[tokio::test]
async fn without_a_receiver_all_goes_on_and_the_loss_is_counted() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = nobody.local_addr().expect("bound");
    drop(nobody);
    let house = House::start(&format!("traces: {{ endpoint: \"http://{address}\", sample: 1 }}")).await;
    house.add(None).await;
    let (_, metrics) = house.stop().await;
    assert!(counted(&metrics, "failed") >= 5);
    assert_eq!(counted(&metrics, "sent"), 0);
}

#[tokio::test]
async fn what_is_off_or_not_drawn_sends_nothing() {
    let (address, receiver) = receiver().await;
    let none_drawn = format!("traces: {{ endpoint: \"http://{address}\", sample: 0, propagate: true }}");
    for traces in ["", &none_drawn] {
        let house = House::start(traces).await;
        house.add(Some(&format!("00-{TRACE}-{PARENT}-01"))).await;
        let (provider, metrics) = house.stop().await;
        assert!(provider.parents().iter().all(Option::is_none));
        assert_eq!(["sent", "dropped", "failed"].map(|outcome| counted(&metrics, outcome)), [0; 3]);
    }
    assert!(receiver.spans().is_empty());
}
