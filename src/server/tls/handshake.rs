//! The handshake of one connection, bounded in time, and why one failed.

use std::{io, sync::Arc, time::Duration};

use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{Tls, identity, plain};
use crate::{
    model::Certificate,
    telemetry::labels::{HandshakeFailure, Label},
};

/// A connection whose handshake is done.
pub(in crate::server) struct Secured {
    pub(in crate::server) stream: Box<TlsStream<TcpStream>>,
    /// The client's, where it showed one.
    pub(in crate::server) certificate: Option<Arc<Certificate>>,
}

impl Tls {
    /// Shakes hands. One that fails is counted, told to the client, and gives `None`.
    pub(in crate::server) async fn handshake(&self, stream: TcpStream, within: Duration) -> Option<Secured> {
        let done = tokio::time::timeout(within, self.shake(stream)).await;
        let why = match done.unwrap_or(Err(HandshakeFailure::Timeout)) {
            Ok(secured) => return Some(secured),
            Err(why) => why,
        };
        self.0.metrics.failed(why);
        tracing::debug!(why = why.as_str(), "a TLS handshake failed");
        None
    }

    async fn shake(&self, stream: TcpStream) -> Result<Secured, HandshakeFailure> {
        if plain::is_http(&stream).await {
            plain::answer(stream).await;
            return Err(HandshakeFailure::PlainHttp);
        }
        let acceptor = TlsAcceptor::from(self.0.current.load_full());
        let stream = acceptor.accept(stream).await.map_err(|error| reason(&error))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let certificate = shown.map(|der| Arc::new(identity::identity(der)));
        Ok(Secured { stream: stream.into(), certificate })
    }
}

fn reason(error: &io::Error) -> HandshakeFailure {
    use rustls::Error as E;
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<E>()) else {
        return HandshakeFailure::Closed;
    };
    match error {
        E::InvalidMessage(_) => HandshakeFailure::NotTls,
        E::PeerIncompatible(_) | E::NoApplicationProtocol => HandshakeFailure::Incompatible,
        E::NoCertificatesPresented => HandshakeFailure::NoCertificate,
        E::InvalidCertificate(_) => HandshakeFailure::BadCertificate,
        E::AlertReceived(_) => HandshakeFailure::RefusedByClient,
        _ => HandshakeFailure::Protocol,
    }
}
