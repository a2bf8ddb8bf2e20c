//! Makes connections, and tells at which step one failed.

use std::{
    error::Error as StdError,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::Uri;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{
        self,
        connect::{HttpConnector, dns::GaiResolver},
    },
    rt::TokioIo,
};
use rustls::{ClientConfig, RootCertStore, client::WantsClientCert};
use tokio::net::TcpStream;
use tower::{Service, ServiceExt, util::MapErr};

use super::Error;

type BoxError = Box<dyn StdError + Send + Sync>;
type Resolver = MapErr<GaiResolver, fn(io::Error) -> NoSuchHost>;

/// Resolves, connects and shakes hands within one time limit.
#[derive(Clone)]
pub(super) struct Connector {
    inner: HttpsConnector<HttpConnector<Resolver>>,
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
    pub(super) fn new(timeout: Duration) -> Self {
        let resolver: Resolver = GaiResolver::new().map_err(NoSuchHost as fn(io::Error) -> NoSuchHost);
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(tls())
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        Self { inner, timeout }
    }
}

fn tls() -> ClientConfig {
    with_roots().with_no_client_auth()
}

fn with_roots() -> rustls::ConfigBuilder<ClientConfig, WantsClientCert> {
    // Holds: ring implements the default protocol versions.
    let builder = || {
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3")
    };
    builder().with_native_roots().unwrap_or_else(|error| {
        tracing::warn!(%error, "no root certificates on this machine: https providers cannot be reached");
        builder().with_root_certificates(RootCertStore::empty())
    })
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
        return Error::Tls(why.to_string());
    }
    Error::Connect(words(error))
}

/// The first cause of one kind; also one that an `io::Error` was made of, which its own chain leaves out.
fn cause<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
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
