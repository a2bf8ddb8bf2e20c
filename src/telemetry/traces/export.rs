//! Sends what was recorded, in batches: a queue that drops what it has no room for, and a task that never gives up.

use std::{sync::Arc, time::Duration};

use ::http::{
    HeaderValue, Request, StatusCode,
    header::{CONTENT_TYPE, HeaderMap},
    uri::Uri,
};
use bytes::Bytes;
use futures::future::BoxFuture;
use opentelemetry::{Context, KeyValue};
use opentelemetry_proto::{
    tonic::collector::trace::v1::ExportTraceServiceRequest,
    transform::{
        common::tonic::ResourceAttributesWithSchema, trace::tonic::group_spans_by_resource_and_scope,
    },
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};
use prost::Message;
use thiserror::Error;
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{Repeats, SpanOutcome, TraceMetrics},
    Settings,
};

/// The most spans that wait to be sent; further ones are dropped.
const ROOM: usize = 4096;
/// The most spans in a batch.
const BATCH: usize = 512;
/// How long the first span of a batch waits for others.
const LINGER: Duration = Duration::from_secs(1);
/// How long a batch may take to be delivered.
const PATIENCE: Duration = Duration::from_secs(10);

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// Why a batch was not delivered. The words hold no header, and so no secret.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Undelivered(pub String);

/// Who brings requests to the receiver: telemetry knows no HTTP client.
pub trait Carrier: Send + Sync {
    /// Sends a request with an absolute URI, and returns what it was answered.
    fn carry(&self, request: Request<Bytes>) -> BoxFuture<'static, Result<StatusCode, Undelivered>>;
}

/// Who sends what was recorded.
pub struct Export {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Export {
    /// Sends what is left, but for no longer than that.
    pub async fn finish(self, within: Duration) {
        self.stop.cancel();
        match timeout(within, self.task).await {
            Ok(Ok(())) => {}
            // Its panic told of itself where it happened.
            Ok(Err(_)) => {}
            Err(_) => tracing::warn!("not all traces were delivered in time; the rest is lost"),
        }
    }
}

/// Where spans go that have ended.
#[derive(Debug)]
pub(super) struct Queue {
    spans: mpsc::Sender<SpanData>,
    metrics: TraceMetrics,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.metrics.spans(SpanOutcome::Dropped, 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// What all spans of this process are of.
pub(super) fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder_empty().with_service_name("pinfold").with_attribute(version).build()
}

pub(super) fn start(
    settings: &Settings,
    carrier: Arc<dyn Carrier>,
    metrics: &TraceMetrics,
    resource: &Resource,
) -> (Queue, Export) {
    let (spans, queue) = mpsc::channel(ROOM);
    let stop = CancellationToken::new();
    let sender = Sender {
        carrier,
        endpoint: settings.endpoint.clone(),
        headers: settings.headers.clone(),
        resource: resource.into(),
        metrics: metrics.clone(),
        repeats: Repeats::default(),
    };
    let task = tokio::spawn(sender.run(queue, stop.clone()));
    (Queue { spans, metrics: metrics.clone() }, Export { stop, task })
}

struct Sender {
    carrier: Arc<dyn Carrier>,
    endpoint: Uri,
    headers: HeaderMap,
    resource: ResourceAttributesWithSchema,
    metrics: TraceMetrics,
    repeats: Repeats,
}

impl Sender {
    /// Until it is told to stop and nothing is left.
    async fn run(mut self, mut queue: mpsc::Receiver<SpanData>, stop: CancellationToken) {
        loop {
            let batch = gather(&mut queue, &stop).await;
            if batch.is_empty() {
                return;
            }
            self.send(batch).await;
        }
    }

    /// A batch that is not taken is lost: it is only telemetry, and there is more to come.
    async fn send(&mut self, batch: Vec<SpanData>) {
        let spans = batch.len() as u64;
        let delivered = timeout(PATIENCE, self.carrier.carry(self.request(batch)));
        let failure = match delivered.await {
            Ok(Ok(code)) if code.is_success() => None,
            Ok(Ok(code)) => Some(format!("it was answered {code}")),
            Ok(Err(Undelivered(why))) => Some(why),
            Err(_) => Some(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        self.metrics.spans(if failure.is_none() { SpanOutcome::Sent } else { SpanOutcome::Failed }, spans);
        match failure {
            Some(error) if self.repeats.failed() => {
                tracing::warn!(
                    error,
                    "traces are not delivered, and lost: check traces.endpoint and what listens there"
                );
            }
            None if self.repeats.worked() => tracing::info!("traces are delivered again"),
            _ => {}
        }
    }

    fn request(&self, batch: Vec<SpanData>) -> Request<Bytes> {
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = ::http::Method::POST;
        *request.uri_mut() = self.endpoint.clone();
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(CONTENT_TYPE, PROTOBUF);
        request
    }
}

/// The next batch; an empty one once nothing is left and none comes any more.
async fn gather(queue: &mut mpsc::Receiver<SpanData>, stop: &CancellationToken) -> Vec<SpanData> {
    let mut batch = Vec::new();
    tokio::select! {
        biased;
        _ = queue.recv_many(&mut batch, BATCH) => {}
        () = stop.cancelled() => {}
    }
    let linger = sleep(LINGER);
    tokio::pin!(linger);
    while (1..BATCH).contains(&batch.len()) {
        let room = BATCH - batch.len();
        tokio::select! {
            biased;
            more = queue.recv_many(&mut batch, room) => if more == 0 { break },
            () = stop.cancelled() => break,
            () = &mut linger => break,
        }
    }
    batch
}
