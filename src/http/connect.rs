//! Makes connections, and tells at which step one failed.

use std::{
    error::Error as StdError,
    io,
    net::SocketAddr,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use futures::future::BoxFuture;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{
        self,
        connect::{
            HttpConnector,
            dns::{GaiResolver, Name},
            proxy::Tunnel,
        },
    },
    rt::TokioIo,
};
use rustls::InvalidMessage;
use tokio::net::TcpStream;
use tower::{Service, ServiceExt, util::BoxCloneSyncService};

use super::{Error, Proxy, Settings, roots};

type BoxError = Box<dyn StdError + Send + Sync>;
/// Finds the addresses of a host, all of them: IPv4 and IPv6 are then tried against each other.
pub(super) type Resolver = BoxCloneSyncService<Name, vec::IntoIter<SocketAddr>, io::Error>;
type Transport = BoxCloneSyncService<Uri, TokioIo<TcpStream>, BoxError>;

/// Resolves, connects, asks a proxy for its tunnel, and shakes hands within one time limit.
#[derive(Clone)]
pub(super) struct Connector {
    inner: HttpsConnector<Transport>,
    timeout: Duration,
}

/// Marks an error of name resolution.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct NoSuchHost(io::Error);

/// Marks a connection that was not there in time.
#[derive(Debug, thiserror::Error)]
#[error("not within {0:?}")]
struct TooSlow(Duration);

impl Connector {
    pub(super) fn new(settings: &Settings) -> Self {
        let system = GaiResolver::new().map_response(|found| found.collect::<Vec<_>>().into_iter());
        Self::resolving(settings, BoxCloneSyncService::new(system))
    }

    pub(super) fn resolving(settings: &Settings, resolver: Resolver) -> Self {
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(roots::tls(&settings.roots))
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(transport(settings.proxy.as_ref(), resolver));
        Self { inner, timeout: settings.connect_timeout }
    }
}

/// A TCP connection to the host itself, or a tunnel to it.
fn transport(proxy: Option<&Proxy>, resolver: Resolver) -> Transport {
    let mut tcp =
        HttpConnector::new_with_resolver(resolver.map_err(NoSuchHost as fn(io::Error) -> NoSuchHost));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(Duration::from_secs(60)));
    let Some(proxy) = proxy else { return BoxCloneSyncService::new(tcp.map_err(BoxError::from)) };
    let tunnel = Tunnel::new(proxy.uri().clone(), tcp);
    let tunnel = match proxy.auth() {
        Some(auth) => tunnel.with_auth(auth.clone()),
        None => tunnel,
    };
    BoxCloneSyncService::new(tunnel.map_err(BoxError::from))
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (connecting, timeout) = (self.inner.call(to), self.timeout);
        Box::pin(async move {
            tokio::time::timeout(timeout, connecting).await.unwrap_or_else(|_| Err(TooSlow(timeout).into()))
        })
    }
}

/// Says which step failed, from the chain of causes.
pub(super) fn classify(error: &legacy::Error) -> Error {
    if !error.is_connect() {
        return Error::Broken(words(error));
    }
    if let Some(TooSlow(timeout)) = cause(error) {
        return Error::ConnectTimeout(*timeout);
    }
    if let Some(NoSuchHost(why)) = cause(error) {
        return Error::Dns(why.to_string());
    }
    if let Some(why) = cause::<rustls::Error>(error) {
        return refused(why);
    }
    Error::Connect(words(error))
}

/// A handshake that came to nothing.
pub(super) fn refused(why: &rustls::Error) -> Error {
    match why {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Error::NotTls,
        why => Error::Tls(why.to_string()),
    }
}

/// The first cause of one kind; also one that an `io::Error` was made of, which its own chain leaves out.
pub(super) fn cause<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let inside = inside.map(|inner| inner as &(dyn StdError + 'static));
    error.downcast_ref::<E>().or_else(|| inside.and_then(cause)).or_else(|| error.source().and_then(cause))
}

/// The words of the innermost cause: those further out only say that something failed.
pub(super) fn words(error: &(dyn StdError + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
