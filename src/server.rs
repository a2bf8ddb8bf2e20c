//! The accept loop: hyper serves, bounded, closed gracefully.
//!
//! HTTP/1.1 and HTTP/2 with prior knowledge share the port. When stopping begins, nothing more is accepted, requests
//! under way are finished, idle connections are closed; an abort drops all. Bodies are the router's to bound.

mod backoff;
mod bare;
mod connection;
mod crowd;
mod delivery;
mod doorkeeper;
mod io;
mod proxies;
mod pulse;
mod room;
pub mod tls;

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use ::http::{Request, Response};
use hyper::body::{Body, Incoming};
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tower::Service;

use crate::{
    lifecycle::Shutdown,
    model::Peer,
    telemetry::{HttpMetrics, Listener, Metrics},
};
pub use proxies::{Network, NetworkError, Proxies};

use backoff::Backoff;
use crowd::Crowd;
use room::Room;
use tls::{Secured, Tls};

/// What requests come over: the socket, or TLS over it.
type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// How long who is connected has to send one more request once stopping has begun.
const LULL: Duration = Duration::from_secs(1);

/// An error of any kind, as bodies have them.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Bounds of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The most connections at once; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// The most of them from one address; further ones are closed at once.
    pub max_connections_per_address: usize,
    /// How long a client may take to send a request's head, from its first byte (or the connection's start).
    pub head_timeout: Duration,
    /// How long a connection without requests is kept: above the 90 s after which Go's clients give theirs up, so
    /// that none of them sends into a connection that we are closing.
    pub idle_timeout: Duration,
    /// How long a client may leave what is written to it untaken; for every 4 KiB that it takes, a second more.
    pub write_timeout: Duration,
    /// The most bytes that are kept for clients, of answers that they have not taken yet. Beyond: the slowest client's
    /// connection is given up.
    pub max_unread: usize,
    /// The most bytes of a request's head, its URI included; at least 8192. Beyond: 431.
    pub max_head_bytes: usize,
    /// The most requests at once on one HTTP/2 connection.
    pub max_streams: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_connections_per_address: 1024,
            head_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(120),
            write_timeout: Duration::from_secs(30),
            max_unread: 128 * 1024 * 1024,
            max_head_bytes: 64 * 1024,
            max_streams: 250,
        }
    }
}

/// The address cannot be had.
#[derive(Debug, Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    pub address: SocketAddr,
    pub source: std::io::Error,
}

/// Takes an address to listen on.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { address, source })
}

/// One of our doors.
#[derive(Clone)]
pub struct Server {
    door: Listener,
    settings: Settings,
    metrics: HttpMetrics,
    shutdown: Shutdown,
    tls: Option<Tls>,
    proxies: Arc<Proxies>,
    crowd: Crowd,
    room: Room,
}

impl Server {
    pub fn new(door: Listener, settings: Settings, metrics: &Metrics, shutdown: &Shutdown) -> Self {
        let (metrics, shutdown) = (metrics.http().clone(), shutdown.clone());
        let crowd = Crowd::new(settings.max_connections_per_address);
        let room = Room::new(settings.max_unread, door, &metrics);
        Self { door, settings, metrics, shutdown, tls: None, proxies: Arc::default(), crowd, room }
    }

    /// Speaks TLS from now on, if there is one.
    #[must_use]
    pub fn secured_by(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Believes these of what they say about their clients.
    #[must_use]
    pub fn behind(self, proxies: Proxies) -> Self {
        Self { proxies: Arc::new(proxies), ..self }
    }

    /// Serves until stopping begins, then returns: connections end in tasks of the [`Shutdown`], which waits for them.
    pub async fn run<S, B>(self, listener: TcpListener, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
        S: Clone + Send + Sync + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let room = Arc::new(Semaphore::new(self.settings.max_connections));
        let stopping = self.shutdown.clone();
        let accepting = async {
            let mut backoff = Backoff::default();
            loop {
                let (stream, peer, permit) = self.next(&listener, &room, &mut backoff).await;
                self.spawn(stream, peer, permit, service.clone());
            }
        };
        tokio::select! {
            biased;
            () = stopping.begun() => {}
            () = accepting => {}
        }
    }

    /// Waits for room, then for a client.
    async fn next(
        &self,
        listener: &TcpListener,
        room: &Arc<Semaphore>,
        backoff: &mut Backoff,
    ) -> (TcpStream, Peer, OwnedSemaphorePermit) {
        // Holds: the semaphore is never closed.
        let permit = Arc::clone(room).acquire_owned().await.expect("the room for connections is open");
        loop {
            match listener.accept().await {
                Ok((stream, address)) => {
                    backoff.succeeded();
                    return (stream, Peer::at(address.ip()), permit);
                }
                Err(error) => backoff.failed(&error).await,
            }
        }
    }

    fn spawn<S, B>(&self, stream: TcpStream, peer: Peer, permit: OwnedSemaphorePermit, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
        S: Clone + Send + Sync + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let server = self.clone();
        drop(self.shutdown.spawn(async move {
            let _open = server.metrics.connection(server.door);
            if let Some((stream, peer, _seat)) = server.admitted(stream, peer).await
                && let Some((stream, peer)) = server.secured(stream, peer).await
            {
                connection::serve(&server, stream, peer, service).await;
            }
            drop(permit);
        }));
    }

    /// Ends a while after stopping began: who was let in just before may still come to ask.
    async fn cut_off(&self) {
        self.shutdown.begun().await;
        tokio::time::sleep(LULL).await;
    }

    /// Shakes hands where TLS is spoken. `None`: that failed, or was not done soon after stopping began.
    async fn secured(&self, stream: TcpStream, peer: Peer) -> Option<(Stream, Peer)> {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot turn off Nagle's algorithm");
        }
        let Some(tls) = &self.tls else { return Some((Either::Left(stream), peer)) };
        tokio::select! {
            biased;
            () = self.cut_off() => None,
            secured = tls.handshake(stream, self.settings.head_timeout) => {
                let Secured { stream, certificate } = secured?;
                Some((Either::Right(stream), Peer { certificate, ..peer }))
            }
        }
    }
}

#[cfg(test)]
mod tests;
