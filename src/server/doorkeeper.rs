//! Who comes in: first whom a proxy speaks for, then whether that address has room left.

use std::net::IpAddr;

use tokio::{net::TcpStream, time::timeout};

use super::{Server, crowd::Seat, proxies::protocol};
use crate::{model::Peer, telemetry::Turned};

impl Server {
    /// `None`: the connection is to be closed; it was counted.
    pub(super) async fn admitted(
        &self,
        mut stream: TcpStream,
        peer: Peer,
    ) -> Option<(TcpStream, Peer, Option<Seat>)> {
        let peer = match self.introduced(&mut stream, peer.address).await {
            Some(address) => Peer { address, ..peer },
            None => return self.turn_away(Turned::ProxyProtocol),
        };
        if self.is_exempt(peer.address) {
            return Some((stream, peer, None));
        }
        match self.crowd.seat(peer.address) {
            Some(seat) => Some((stream, peer, Some(seat))),
            None => self.turn_away(Turned::Address),
        }
    }

    /// Whom the other end speaks for, if it is one of our proxies and they use its protocol.
    async fn introduced(&self, stream: &mut TcpStream, address: IpAddr) -> Option<IpAddr> {
        if !self.proxies.introduces(address) {
            return Some(address);
        }
        let introduction = timeout(self.settings.head_timeout, protocol::read(stream));
        tokio::select! {
            biased;
            () = self.cut_off() => None,
            read = introduction => match read {
                Ok(Ok(client)) => Some(client.map_or(address, |client| client.to_canonical())),
                Ok(Err(error)) => {
                    tracing::debug!(%address, %error, "a proxy did not say whom it speaks for");
                    None
                }
                Err(_elapsed) => None,
            },
        }
    }

    /// Proxies have many clients; and on this machine itself there are other ways to do harm, and proxies that nobody
    /// told us of.
    fn is_exempt(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.proxies.trusts(address)
    }

    fn turn_away<T>(&self, why: Turned) -> Option<T> {
        self.metrics.turned_away(self.door, why);
        None
    }
}
