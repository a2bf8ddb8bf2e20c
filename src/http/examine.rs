//! Goes the way to a host step by step, without a request: its addresses, a connection, its certificate.

use std::{net::SocketAddr, sync::Arc};

use http::Uri;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{
    Error, Settings,
    connect::{cause, refused, words},
    roots,
};

/// What there is on the way to a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    pub addresses: Vec<SocketAddr>,
    /// `None`: no connection was made, for nothing was found wrong before a proxy, which makes it.
    pub connected: Option<SocketAddr>,
    /// When the certificate ends, in seconds since 1970; `None` without TLS.
    pub certificate_ends: Option<i64>,
}

/// Goes it, within the settings' connect timeout. Through a proxy nothing of it can be seen.
///
/// # Errors
/// The step that failed.
pub async fn examine(uri: &Uri, settings: &Settings) -> Result<Way, Error> {
    if settings.proxy.is_some() {
        return Ok(Way::default());
    }
    let timeout = settings.connect_timeout;
    tokio::time::timeout(timeout, go(uri, settings)).await.unwrap_or(Err(Error::ConnectTimeout(timeout)))
}

async fn go(uri: &Uri, settings: &Settings) -> Result<Way, Error> {
    let is_tls = uri.scheme_str() == Some("https");
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let found = tokio::net::lookup_host((host, port)).await;
    let addresses: Vec<_> = found.map_err(|error| Error::Dns(error.to_string()))?.collect();
    let stream = connect(&addresses).await?;
    let connected = stream.peer_addr().ok();
    let certificate_ends = if is_tls { shake_hands(host, stream, settings).await? } else { None };
    Ok(Way { addresses, connected, certificate_ends })
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Error> {
    let mut failed = Error::Dns("it has no address".to_owned());
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = Error::Connect(error.to_string()),
        }
    }
    Err(failed)
}

async fn shake_hands(host: &str, stream: TcpStream, settings: &Settings) -> Result<Option<i64>, Error> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| Error::Tls(error.to_string()))?;
    let connector = TlsConnector::from(Arc::new(roots::tls(&settings.roots)));
    let stream =
        connector.connect(name, stream).await.map_err(|error| match cause::<rustls::Error>(&error) {
            Some(why) => refused(why),
            None => Error::Connect(words(&error)),
        })?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let read = shown.and_then(|certificate| X509Certificate::from_der(certificate).ok());
    Ok(read.map(|(_, certificate)| certificate.validity().not_after.timestamp()))
}
