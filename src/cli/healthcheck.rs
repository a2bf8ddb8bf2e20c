//! `pinfold healthcheck`: for images without a shell, and for people.

mod secure;

use std::{path::PathBuf, time::Duration};

use http::{StatusCode, Uri};
use rustls::ClientConfig;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::either::Either;

use super::{Exit, Failure, admin};
use crate::config::Environment;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The admin listener of the gateway [default: the configuration's, else http://127.0.0.1:5081]
    #[arg(long, value_name = "URL", env = "PINFOLD_ADMIN_URL")]
    admin: Option<Uri>,
    /// The configuration of the gateway
    #[arg(long, value_name = "FILE", env = "PINFOLD_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    tls: secure::TlsArgs,
}

const DEADLINE: Duration = Duration::from_secs(5);

pub(super) async fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.address()?;
    let is_tls = admin.scheme_str() == Some("https");
    let tls = is_tls.then(|| args.tls.config()).transpose()?;
    let asked =
        tokio::time::timeout(DEADLINE, ready(&admin, &args.tls, tls)).await.unwrap_or(Err(Unreached::Late));
    match asked {
        Ok(StatusCode::OK) => Ok(Exit::Ok),
        Ok(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            Err(Failure::new(Exit::Unauthorized, format!("error: {admin} refuses to say")))
        }
        Ok(status) => Err(Failure::new(Exit::Failed, format!("not ready: {admin} answered {status}"))),
        Err(error) => {
            let text = format!("error: cannot reach {admin}: {error}; is `pinfold serve` running?");
            Err(Failure::new(Exit::Unreachable, text))
        }
    }
}

impl Args {
    /// What is typed is asked as it is, and no file is read for it.
    fn address(&self) -> Result<Uri, Failure> {
        if let Some(given) = &self.admin {
            return Ok(given.clone());
        }
        let found = admin::found(self.config.as_deref(), &Environment::of_process())?;
        let base = admin::base(None, found.as_ref())?;
        base.parse().map_err(|_| Failure::new(Exit::Usage, format!("error: {base} is no address")))
    }
}

/// Why there is no answer.
#[derive(Debug, Error)]
enum Unreached {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("no answer within {} s", DEADLINE.as_secs())]
    Late,
    #[error("what answers there does not speak HTTP")]
    NotHttp,
    #[error("no TLS connection: {0}")]
    Tls(String),
    #[error("write http://HOST:PORT or https://HOST:PORT")]
    Address,
}

/// Asks for /readyz over one connection of its own: a status line needs no pool and, without TLS, no root certificates,
/// which counts where this runs every few seconds.
async fn ready(
    admin: &Uri,
    own: &secure::TlsArgs,
    tls: Option<ClientConfig>,
) -> Result<StatusCode, Unreached> {
    let is_spoken = tls.is_some() || admin.scheme_str() == Some("http");
    let authority = admin.authority().filter(|_| is_spoken).ok_or(Unreached::Address)?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await?;
    let mut stream = match tls {
        Some(tls) => Either::Left(own.connect(tls, host, stream).await?),
        None => Either::Right(stream),
    };
    let path = admin.path().trim_end_matches('/');
    let request = format!("GET {path}/readyz HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    status(&mut stream).await
}

/// Reads `HTTP/1.1 200`, of which no byte may be missing.
async fn status(stream: &mut (impl AsyncRead + Unpin)) -> Result<StatusCode, Unreached> {
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    let code = start.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..)).ok_or(Unreached::NotHttp)?;
    StatusCode::from_bytes(code).map_err(|_| Unreached::NotHttp)
}
