//! The one HTTP client: hyper and rustls, bounded pools that age, bounded bodies, proxies, redirects never followed.
//!
//! Its errors tell what has not left this machine from what may have: whoever must not do a thing twice asks
//! [`Error::was_sent`].

mod body;
mod connect;
mod examine;
mod lines;
mod proxy;
mod roots;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::USER_AGENT};
use http_body_util::Full;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use thiserror::Error;
use tokio::time::Instant;

use connect::Connector;
pub use examine::{Way, examine};
pub use lines::Lines;
pub use proxy::{Proxy, ProxyError, ProxyRules};
pub use roots::{Roots, RootsError};

/// How the client behaves towards every host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// An unused connection is closed after this.
    pub idle_timeout: Duration,
    /// The most unused connections that are kept per host.
    pub idle_per_host: usize,
    /// Between pings on an HTTP/2 connection in use, so that a dead one is noticed.
    pub ping_every: Duration,
    /// After this all connections are made anew, as soon as the requests on them have ended: so that a host that moved
    /// is found.
    pub max_age: Duration,
    /// Through whom all requests leave.
    pub proxy: Option<Proxy>,
    /// Whose certificates are good, beside those that the machine trusts.
    pub roots: Roots,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            idle_per_host: 32,
            ping_every: Duration::from_secs(20),
            max_age: Duration::from_secs(300),
            proxy: None,
            roots: Roots::default(),
        }
    }
}

/// Why no whole answer came. The words hold no header, and so no secret.
#[derive(Debug, Error)]
pub enum Error {
    #[error("the host name could not be resolved: {0}")]
    Dns(String),
    #[error("no connection: {0}")]
    Connect(String),
    #[error("no connection within {} ms", .0.as_millis())]
    ConnectTimeout(Duration),
    #[error("no TLS connection: {0}")]
    Tls(String),
    /// What answered the greeting is not TLS.
    #[error("no TLS connection: what answers there speaks plain text")]
    NotTls,
    /// Reset or closed after the request may have left, or an answer that is no HTTP.
    #[error("the connection broke before the whole answer came: {0}")]
    Broken(String),
    #[error("the answer is larger than {limit} bytes")]
    TooLarge { limit: usize },
}

impl Error {
    /// Whether any of the request may have reached the other side.
    pub const fn was_sent(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::TooLarge { .. })
    }
}

/// A handle on the one client; clones share its connections.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    settings: Settings,
    connector: Connector,
    pool: Mutex<Pool>,
}

/// The connections that there are, and since when; they go with it once the last request on them has ended.
struct Pool {
    since: Instant,
    client: legacy::Client<Connector, Full<Bytes>>,
}

impl Pool {
    fn new(settings: &Settings, connector: &Connector) -> Self {
        let client = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle_timeout)
            .pool_max_idle_per_host(settings.idle_per_host)
            .http2_keep_alive_interval(settings.ping_every)
            .http2_keep_alive_timeout(settings.ping_every)
            .build(connector.clone());
        Self { since: Instant::now(), client }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("http::Client")
    }
}

impl Client {
    /// The body bound that suits most answers, in bytes.
    pub const BODY_LIMIT: usize = 8 << 20;

    const AGENT: HeaderValue = HeaderValue::from_static(concat!("pinfold/", env!("CARGO_PKG_VERSION")));

    /// Loads the machine's root certificates, once; where there are none, only plain HTTP will work.
    pub fn new(settings: &Settings) -> Self {
        Self::over(settings, Connector::new(settings))
    }

    fn over(settings: &Settings, connector: Connector) -> Self {
        let pool = Mutex::new(Pool::new(settings, &connector));
        Self(Arc::new(Shared { settings: settings.clone(), connector, pool }))
    }

    /// How it behaves.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Whether anybody else holds it.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// The pool of the moment: a new one where this one has served its time.
    fn pool(&self) -> legacy::Client<Connector, Full<Bytes>> {
        let Shared { settings, connector, pool } = &*self.0;
        let mut pool = pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.since.elapsed() >= settings.max_age {
            *pool = Pool::new(settings, connector);
        }
        pool.client.clone()
    }

    /// Sends a request with an absolute URI and reads the whole answer, whatever its status, up to `limit` bytes of
    /// body. Has no time limit of its own beyond the connect timeout: the caller bounds the wait, and dropping the
    /// future gives the request up.
    pub async fn send(&self, request: Request<Bytes>, limit: usize) -> Result<Response<Bytes>, Error> {
        let (parts, lines) = self.open(request, limit).await?.into_parts();
        Ok(Response::from_parts(parts, lines.whole(limit).await?))
    }

    /// As [`send`](Self::send), but returns as soon as the answer's head is there; its body is then read by lines of
    /// at most `limit` bytes each.
    pub async fn open(&self, request: Request<Bytes>, limit: usize) -> Result<Response<Lines>, Error> {
        let mut request = request.map(Full::new);
        request.headers_mut().entry(USER_AGENT).or_insert(Self::AGENT);
        let answer = self.pool().request(request).await.map_err(|error| connect::classify(&error))?;
        Ok(answer.map(|body| Lines::new(body, limit)))
    }
}

#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;
