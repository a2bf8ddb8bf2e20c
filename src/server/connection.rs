//! One connection, from its first byte to its close.

use std::{
    convert::Infallible,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use ::http::{Method, Request, Response, Version};
use hyper::{
    body::{Body, Incoming},
    rt::Executor,
    service::service_fn,
};
use hyper_util::{
    rt::TokioIo,
    server::{conn::auto, graceful::GracefulConnection},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Service, ServiceExt};

use super::{
    BoxError, LULL, Server, Settings, Stream,
    delivery::{self, Delivered},
    io::Watched,
    pulse::{Lapse, Lapsing, Limits, Pulse},
    room::Room,
};
use crate::{lifecycle::Shutdown, model::Peer};

/// How long an idle connection has to close in order, once it was asked to.
const FAREWELL: Duration = Duration::from_secs(5);

/// Streams of one HTTP/2 connection that the client reset before they were looked at; one more ends it (rapid reset).
const PENDING_RESETS: usize = 20;
/// Streams that we had to reset for the client's mistakes; one more ends the connection.
const OWN_RESETS: usize = 256;
/// What a client may send ahead of our reading: on one stream, and on all together. Bodies of pins are small.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// What is taken of an answer ahead of the client's reading.
const SEND_BUFFER: usize = 64 * 1024;

/// Reads of one HTTP/2 connection that are being answered, or whose answers it has not taken yet; further ones wait until
/// it does. Writes do not: their answers are short, and they may wait for copies.
const READS: usize = 8;
/// A longer answer of HTTP/1 is watched, too.
const LARGE: usize = 16 * 1024;

/// Spawns the requests of HTTP/2 connections so that an abort ends them too.
#[derive(Clone)]
struct Tracked(Shutdown);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tracked {
    fn execute(&self, task: F) {
        drop(self.0.spawn(task));
    }
}

/// Serves one connection until it ends, lapses, or stopping has begun and its requests are answered.
pub(super) async fn serve<S, B>(server: &Server, stream: Stream, peer: Peer, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
    S: Clone + Send + Sync + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let pulse = Pulse::start(limits(&server.settings));
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&pulse)));
    let (metrics, door, proxies) = (server.metrics.clone(), server.door, Arc::clone(&server.proxies));
    let kept = Kept::new(server.room.clone(), Arc::clone(&pulse));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let client = proxies.client(peer.address, request.headers());
        request.extensions_mut().insert(Peer { address: client, ..peer.clone() });
        let multiplexed = request.version() == Version::HTTP_2;
        let under_way = (metrics.in_flight(door), kept.pulse.enter(multiplexed));
        let (kept, service) = (kept.clone(), service.clone());
        async move {
            let _under_way = under_way;
            let turn = if multiplexed { kept.turn(&request).await } else { None };
            let answer = service.oneshot(request).await;
            answer.map(|answer| answer.map(|body| kept.watch(body, multiplexed, turn)))
        }
    });
    let http = builder(&server.settings, &server.shutdown);
    let closing = async {
        server.shutdown.begun().await;
        lull(&pulse).await;
    };
    let connection = pin!(http.serve_connection(io, service));
    tokio::select! {
        () = drive(connection, closing, pulse.lapse()) => {}
        () = pulse.cut() => {}
    }
}

/// What is kept for one connection, and whose turn it is on it.
#[derive(Clone)]
struct Kept {
    room: Room,
    pulse: Arc<Pulse>,
    reads: Arc<Semaphore>,
}

impl Kept {
    fn new(room: Room, pulse: Arc<Pulse>) -> Self {
        Self { room, pulse, reads: Arc::new(Semaphore::new(READS)) }
    }

    /// Waits until a read has its turn. Its head takes room meanwhile.
    async fn turn<B>(&self, request: &Request<B>) -> Option<OwnedSemaphorePermit> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        if let Ok(turn) = Arc::clone(&self.reads).try_acquire_owned() {
            return Some(turn);
        }
        let _waiting = self.room.hold(&self.pulse, head_bytes(request));
        // It is never closed.
        Arc::clone(&self.reads).acquire_owned().await.ok()
    }

    fn watch<B: Body>(&self, body: B, multiplexed: bool, turn: Option<OwnedSemaphorePermit>) -> Delivered<B> {
        let bytes = delivery::bytes(&body);
        if !multiplexed && bytes <= LARGE {
            return Delivered::plain(body);
        }
        Delivered::watched(body, self.room.hold(&self.pulse, bytes), turn)
    }
}

fn head_bytes<B>(request: &Request<B>) -> usize {
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    let uri = request.uri().path_and_query().map_or(0, |address| address.as_str().len());
    uri + headers.sum::<usize>()
}

/// Ends while a request is under way, whose answer then says that the connection closes; or when none has come for a
/// while. To close at once would cut off those who are sending at this very moment.
async fn lull(pulse: &Pulse) {
    let mut patience = pin!(tokio::time::sleep(LULL));
    std::future::poll_fn(|cx| if pulse.is_busy() { Poll::Ready(()) } else { patience.as_mut().poll(cx) })
        .await;
}

async fn drive<C>(mut connection: Pin<&mut C>, closing: impl Future<Output = ()>, lapse: Lapsing)
where
    C: GracefulConnection<Error = BoxError>,
{
    let (mut closing, mut lapse) = (pin!(closing), pin!(lapse));
    let mut asked_to_close = false;
    loop {
        // The connection comes first: it notes what happened, and the lapse reads that.
        tokio::select! {
            biased;
            ended = connection.as_mut() => return report(ended),
            () = closing.as_mut(), if !asked_to_close => {
                asked_to_close = true;
                connection.as_mut().graceful_shutdown();
            }
            lapsed = lapse.as_mut() => return match lapsed {
                Lapse::SlowHead | Lapse::SlowReader => {}
                Lapse::Idle => farewell(connection).await,
            },
        }
    }
}

/// Closes an idle connection in order, or after a while anyhow.
async fn farewell<C>(mut connection: Pin<&mut C>)
where
    C: GracefulConnection<Error = BoxError>,
{
    connection.as_mut().graceful_shutdown();
    match tokio::time::timeout(FAREWELL, connection).await {
        Ok(ended) => report(ended),
        Err(_elapsed) => tracing::debug!("an idle connection did not close in order"),
    }
}

fn limits(settings: &Settings) -> Limits {
    Limits { head: settings.head_timeout, idle: settings.idle_timeout, write: settings.write_timeout }
}

fn builder(settings: &Settings, shutdown: &Shutdown) -> auto::Builder<Tracked> {
    let mut builder = auto::Builder::new(Tracked(shutdown.clone()));
    builder.http1().max_buf_size(settings.max_head_bytes).header_read_timeout(None);
    builder
        .http2()
        .max_header_list_size(u32::try_from(settings.max_head_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(settings.max_streams)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(OWN_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    builder
}

/// Clients go away as they please: of interest only to whoever looks for it.
fn report(ended: Result<(), BoxError>) {
    if let Err(error) = ended {
        tracing::debug!(error = &*error as &dyn std::error::Error, "a connection ended early");
    }
}
