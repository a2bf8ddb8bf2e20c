use std::{future::pending, sync::Mutex, time::Duration};

use ::http::{Method, Request, StatusCode};
use bytes::Bytes;
use futures::future::{BoxFuture, ready};
use opentelemetry::trace::Span as _;
use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span};
use prost::Message;

use super::*;
use crate::{
    model::{ErrorClass, Operation, PinCid, ReplicaId, RequestId, Timestamp},
    telemetry::{Listener, Metrics, PinRequest, RequestLine},
};

const CLIENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
const CID: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

/// Takes all, or answers nothing ever.
#[derive(Default)]
struct Double {
    hangs: bool,
    taken: Mutex<Vec<Request<Bytes>>>,
}

impl Carrier for Double {
    fn carry(&self, request: Request<Bytes>) -> BoxFuture<'static, Result<StatusCode, Undelivered>> {
        self.taken.lock().unwrap().push(request);
        if self.hangs { Box::pin(pending()) } else { Box::pin(ready(Ok(StatusCode::OK))) }
    }
}

impl Double {
    fn spans(&self) -> Vec<Span> {
        let taken = self.taken.lock().unwrap();
        let batches =
            taken.iter().map(|taken| ExportTraceServiceRequest::decode(taken.body().clone()).unwrap());
        let scopes = batches.flat_map(|batch| batch.resource_spans).flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

fn settings() -> Settings {
    let headers = HeaderMap::from_iter([(::http::header::AUTHORIZATION, "Bearer hunter2".parse().unwrap())]);
    let endpoint = Uri::from_static("http://127.0.0.1:4318/v1/traces");
    Settings { endpoint, headers, sample: 1.0, propagate: true, accept: Accept::Trace }
}

fn start(settings: Settings, hangs: bool) -> (Traces, Export, Arc<Double>, Metrics) {
    let (metrics, carrier) = (Metrics::new(), Arc::new(Double { hangs, ..Double::default() }));
    let (traces, export) = Traces::start(settings, carrier.clone(), metrics.traces());
    (traces, export, carrier, metrics)
}

fn headers(traceparent: &str) -> HeaderMap {
    HeaderMap::from_iter([(traceparent::HEADER, traceparent.parse().unwrap())])
}

fn counted(metrics: &Metrics, outcome: &str) -> u64 {
    let start = format!("pinfold_trace_spans_total{{outcome=\"{outcome}\"}} ");
    let text = metrics.render();
    text.lines().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
}

fn answer(trace: Trace) {
    trace.answered(&RequestLine {
        listener: Listener::Public,
        request_id: "one",
        method: &Method::POST,
        route: "/pins",
        code: StatusCode::ACCEPTED,
        elapsed: Duration::ZERO,
        account: Some("ada"),
        token: None,
        is_routine: false,
    });
}

async fn call(traces: &Traces, copies: &[ReplicaId]) -> Option<::http::HeaderValue> {
    under(traces.errand(copies.iter().copied()), async {
        let attempt = attempt("alpha", Operation::Submit, 1);
        let header = attempt.header().map(|(_, value)| value);
        attempt.ended(Err(ErrorClass::Transient), Some(StatusCode::BAD_GATEWAY));
        header
    })
    .await
}

#[tokio::test]
async fn what_is_off_records_nothing() {
    let traces = Traces::default();
    assert!(traces.request(&headers(&format!("{CLIENT}-01"))).0.is_none());
    assert!(traces.errand([ReplicaId(1)]).is_none());
    assert_eq!(call(&traces, &[]).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_request_a_copy_and_its_calls_are_told_with_their_kin() {
    let (traces, export, carrier, metrics) = start(settings(), false);
    let content = PinCid::parse(CID).unwrap().content().clone();
    let first = traces.request(&headers(&format!("{CLIENT}-00")));
    first.asks_for(&content);
    first.commit(PinRequest::Add, RequestId::mint(Timestamp::ZERO)).ended(&Ok::<_, ()>(()));
    answer(first);
    traces.works_on("alpha", ReplicaId(1), &content);
    let told = call(&traces, &[ReplicaId(1)]).await.expect("the provider is told");
    let second = traces.request(&HeaderMap::new());
    second.asks_for(&content);
    answer(second);
    traces.works_on("alpha", ReplicaId(1), &content);
    traces.ended(ReplicaId(1), CopyEnd::Pinned);
    export.finish(Duration::from_secs(3)).await;

    let spans = carrier.spans();
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let [first, second] = named("POST /pins")[..] else { panic!("{spans:?}") };
    let [copy, commit, submit] = ["copy", "commit", "submit"].map(|name| named(name)[0]);
    assert_eq!(traceparent::header(&traceparent::of(&headers(&format!("{CLIENT}-00"))).unwrap()).unwrap(), {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("00-{}-{}-00", hex(&first.trace_id), hex(&first.parent_span_id))
    });
    assert_eq!((&commit.trace_id, &commit.parent_span_id), (&first.trace_id, &first.span_id));
    assert_eq!(copy.parent_span_id.len(), 0, "it outlives the request");
    let links: Vec<_> = copy.links.iter().map(|link| &link.span_id).collect();
    assert_eq!(links, [&first.span_id, &second.span_id]);
    assert_eq!((&submit.trace_id, &submit.parent_span_id), (&copy.trace_id, &copy.span_id));
    let told = told.to_str().unwrap().to_owned();
    assert!(told.contains(&submit.span_id.iter().map(|byte| format!("{byte:02x}")).collect::<String>()));
    let mut keys: Vec<_> = submit.attributes.iter().map(|pair| pair.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "error.type",
            "http.request.resend_count",
            "http.response.status_code",
            "pinfold.operation",
            "pinfold.outcome",
            "pinfold.provider"
        ]
    );
    let request = &carrier.taken.lock().unwrap()[0];
    assert_eq!(request.headers()["authorization"], "Bearer hunter2");
    assert_eq!(request.headers()["content-type"], "application/x-protobuf");
    assert_eq!(counted(&metrics, "sent"), spans.len() as u64);
    assert!(!format!("{:?}", settings()).contains("hunter2"));
}

#[tokio::test]
async fn who_decides_what_is_recorded_is_a_setting() {
    let recorded = |accept, sample, flags: &str| {
        let (traces, ..) = start(Settings { accept, sample, ..settings() }, false);
        let parent = format!("{CLIENT}-{flags}");
        let trace = traces.request(&headers(&parent)).0;
        let is_theirs =
            |context: &SpanContext| context.trace_id().to_string() == "0af7651916cd43dd8448eb211c80319c";
        trace.map(|recorded| is_theirs(recorded.span.span_context()))
    };
    assert_eq!(recorded(Accept::Decision, 0.0, "01"), Some(true));
    assert_eq!(recorded(Accept::Decision, 1.0, "00"), None);
    assert_eq!(recorded(Accept::Trace, 1.0, "00"), Some(true));
    assert_eq!(recorded(Accept::Trace, 0.0, "01"), None);
    assert_eq!(recorded(Accept::Never, 1.0, "01"), Some(false));
    assert_eq!(recorded(Accept::Never, 0.0, "01"), None);
}

#[tokio::test]
async fn providers_are_told_only_by_setting_and_only_of_what_is_recorded() {
    let (traces, ..) = start(settings(), false);
    assert!(call(&traces, &[]).await.is_some());
    let (traces, ..) = start(Settings { propagate: false, ..settings() }, false);
    assert!(call(&traces, &[]).await.is_none());
    let (traces, ..) = start(Settings { sample: 0.0, ..settings() }, false);
    assert!(call(&traces, &[]).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_hangs_costs_spans_and_nothing_else() {
    let (traces, export, carrier, metrics) = start(settings(), true);
    for _ in 0..10_000 {
        answer(traces.request(&HeaderMap::new()));
    }
    assert_eq!(counted(&metrics, "dropped"), 10_000 - 4096);
    export.finish(Duration::from_secs(3)).await;
    assert_eq!(carrier.taken.lock().unwrap().len(), 1, "it was not waited for");
    assert_eq!(counted(&metrics, "sent"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_is_counted_and_the_next_is_tried() {
    let (traces, _export, carrier, metrics) = start(settings(), true);
    for batch in 1..=2 {
        answer(traces.request(&HeaderMap::new()));
        tokio::time::sleep(Duration::from_secs(12)).await;
        assert_eq!((carrier.spans().len(), counted(&metrics, "failed")), (batch, batch as u64));
    }
}

#[tokio::test(start_paused = true)]
async fn copies_under_way_at_the_end_are_told_as_unfinished() {
    let (traces, export, carrier, _) = start(settings(), false);
    let content = PinCid::parse(CID).unwrap().content().clone();
    let request = traces.request(&HeaderMap::new());
    request.asks_for(&content);
    drop(request);
    traces.works_on("alpha", ReplicaId(1), &content);
    traces.end_all();
    export.finish(Duration::from_secs(3)).await;
    assert!(format!("{:?}", carrier.spans()).contains("unfinished"));
}
