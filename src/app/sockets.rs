//! Listening sockets that a service manager passed. They outlive this process, so that clients wait where they would
//! be refused while another one takes its place.

use std::net::{SocketAddr, TcpListener as StdListener};

use anyhow::{Context, bail};
use listenfd::ListenFd;
use tokio::net::TcpListener;

use crate::{config::Environment, server, telemetry::Listener};

/// At most one for each listener.
#[derive(Debug, Default)]
pub struct Sockets {
    public: Option<StdListener>,
    admin: Option<StdListener>,
}

impl Sockets {
    /// Those that systemd (`LISTEN_FDS`) passed: by the names `public` and `admin` where it gives them, else in that
    /// order.
    ///
    /// Call it before there are threads: it takes the variables out of the environment.
    ///
    /// # Errors
    /// Where one of them is no listening TCP socket, or it is not clear which is which.
    pub fn passed(environment: &Environment) -> anyhow::Result<Self> {
        let mut passed = ListenFd::from_env();
        let names = slots(passed.len(), environment.get("LISTEN_FDNAMES"))?;
        let mut sockets = Self::default();
        for (at, listener) in names.into_iter().enumerate() {
            let taken = passed.take_tcp_listener(at);
            let socket = taken.with_context(|| format!("socket {at} of LISTEN_FDS is no TCP socket"))?;
            let slot = sockets.slot(listener);
            if slot.is_some() {
                bail!("the service manager passed two sockets of one name; name them public and admin");
            }
            *slot = socket;
        }
        Ok(sockets)
    }

    fn slot(&mut self, listener: Listener) -> &mut Option<StdListener> {
        match listener {
            Listener::Public => &mut self.public,
            Listener::Admin => &mut self.admin,
        }
    }

    /// The socket that was passed for this listener, else a new one at the address of the config.
    pub(super) async fn take(
        &mut self,
        listener: Listener,
        address: SocketAddr,
    ) -> anyhow::Result<TcpListener> {
        let Some(passed) = self.slot(listener).take() else { return Ok(server::bind(address).await?) };
        passed.set_nonblocking(true).context("a socket that was passed cannot be used")?;
        let door = TcpListener::from_std(passed).context("a socket that was passed cannot be used")?;
        let (passed, configured) = (door.local_addr()?, address);
        tracing::info!(%passed, %configured, "listening on a socket of the service manager");
        Ok(door)
    }
}

/// Which listener each of `count` sockets is for.
fn slots(count: usize, names: Option<&str>) -> anyhow::Result<Vec<Listener>> {
    let names: Vec<_> =
        names.filter(|names| !names.is_empty()).map_or(vec![], |names| names.split(':').collect());
    let named = |name: &&str| match *name {
        "public" => Some(Listener::Public),
        "admin" => Some(Listener::Admin),
        _ => None,
    };
    let known: Vec<_> = names.iter().filter_map(named).collect();
    let in_order = [Listener::Public, Listener::Admin];
    match count {
        // Of systemd's own making, a name is that of the unit: it says nothing.
        0..=2 if known.is_empty() => Ok(in_order.into_iter().take(count).collect()),
        _ if known.len() == count => Ok(known),
        _ => bail!(
            "the service manager passed {count} sockets, not all of which it names public or admin: write \
             FileDescriptorName=public (or admin) in each [Socket] section"
        ),
    }
}

#[cfg(test)]
mod tests {
    use Listener::{Admin, Public};

    use super::*;

    #[test]
    fn sockets_are_told_apart_by_name_and_else_by_order() {
        let told = |count, names| slots(count, names).ok();
        assert_eq!(told(0, None), Some(vec![]));
        assert_eq!(told(1, None), Some(vec![Public]));
        assert_eq!(told(2, Some("pinfold.socket:pinfold.socket")), Some(vec![Public, Admin]));
        assert_eq!(told(2, Some("admin:public")), Some(vec![Admin, Public]));
        assert_eq!(told(1, Some("admin")), Some(vec![Admin]));
        assert_eq!(told(2, Some("admin:pinfold.socket")), None);
        assert_eq!(told(3, None), None);
    }

    #[tokio::test]
    async fn a_passed_socket_goes_before_the_address_of_the_config() {
        let passed = StdListener::bind(("127.0.0.1", 0)).unwrap();
        let at = passed.local_addr().unwrap();
        let mut sockets = Sockets { public: Some(passed), admin: None };
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let door = sockets.take(Public, nowhere).await.unwrap();
        assert_eq!(door.local_addr().unwrap(), at);
        assert_ne!(sockets.take(Admin, nowhere).await.unwrap().local_addr().unwrap(), at);
    }
}
