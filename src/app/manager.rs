//! What the service manager is told (`sd_notify(3)`): that all is ready, is read again, stops, and that work still goes on.

use std::{
    io,
    os::linux::net::SocketAddrExt,
    os::unix::net::{SocketAddr, UnixDatagram},
    process,
    sync::Arc,
    time::Duration,
};

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};

use crate::config::Environment;

/// Granted to the end of a stop, beyond the grace of the requests under way.
const LAST_STEPS: Duration = Duration::from_secs(10);

/// The manager that started this process, if it listens. Clones share its socket.
#[derive(Clone, Debug, Default)]
pub(super) struct Manager {
    socket: Option<Arc<UnixDatagram>>,
    /// Without a sign of life for so long it ends the process.
    patience: Option<Duration>,
}

/// What became of the configuration as it was last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Config {
    InForce,
    Refused,
}

impl Manager {
    /// As `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` name it. One that cannot be reached is warned of: it is no
    /// reason not to serve.
    pub(super) fn of(environment: &Environment) -> Self {
        let named = environment.get("NOTIFY_SOCKET").filter(|path| !path.is_empty());
        let socket = named.and_then(|path| match connect(path) {
            Ok(socket) => Some(Arc::new(socket)),
            Err(error) => {
                tracing::warn!(path, %error, "the service manager's socket cannot be reached");
                None
            }
        });
        Self { patience: socket.as_ref().and_then(|_| patience(environment)), socket }
    }

    /// Both listeners are open, and what is in force is the configuration as it was last read, or the one before.
    pub(super) fn ready(&self, config: Config) {
        let status = match config {
            Config::InForce => "serving",
            Config::Refused => "serving; the changed configuration cannot be used, see the log",
        };
        self.tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// Another configuration is read; [`ready`](Self::ready) comes after it, whatever became of it.
    pub(super) fn reloading(&self) {
        let now = NotifyState::monotonic_usec_now();
        let mut told = vec![NotifyState::Reloading];
        // Whoever made this a `Type=notify-reload` is served too: there the time is asked for.
        told.extend(now.ok());
        self.tell(&told);
    }

    /// What is under way may take until the end of `grace`.
    pub(super) fn stopping(&self, grace: Duration) {
        let micros = u32::try_from((grace + LAST_STEPS).as_micros()).unwrap_or(u32::MAX);
        let status = NotifyState::Status("finishing what is under way");
        self.tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(micros), status]);
    }

    /// Shows signs of life for ever. To be run as a task among those that do the work: where they hang, so does it.
    pub(super) async fn keep_alive(self) {
        let Some(patience) = self.patience else { return };
        let mut beats = interval(patience / 3);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        let text: String = states.iter().map(|state| format!("{state}\n")).collect();
        if let Err(error) = socket.send(text.as_bytes()) {
            tracing::warn!(%error, "the service manager could not be told");
        }
    }
}

/// A name that begins with `@` is in Linux' abstract namespace.
fn connect(path: &str) -> io::Result<UnixDatagram> {
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A manager that hangs must not take the gateway with it.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// `None` where no watchdog is asked for, or another process is meant.
fn patience(environment: &Environment) -> Option<Duration> {
    let number = |name: &str| environment.get(name).and_then(|text| text.parse::<u64>().ok());
    let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
    let micros = number("WATCHDOG_USEC").filter(|micros| *micros > 0 && is_ours)?;
    Some(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const BEAT: Duration = Duration::from_millis(10);

    fn patient(socket: &str, more: &[(&str, &str)]) -> Manager {
        let pairs = [("NOTIFY_SOCKET", socket)].into_iter().chain(more.iter().copied());
        Manager::of(&pairs.collect())
    }

    fn heard(socket: &UnixDatagram) -> String {
        let mut text = [0; 1024];
        let length = socket.recv(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_manager_is_told_of_start_reload_and_stop() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let manager = patient(path.to_str().unwrap(), &[]);
        manager.ready(Config::InForce);
        assert_eq!(heard(&socket), "READY=1\nSTATUS=serving\n");
        manager.reloading();
        let told = heard(&socket);
        let when = told.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(when.trim_end().parse::<u64>().is_ok(), "{told}");
        manager.stopping(Duration::from_secs(20));
        assert!(heard(&socket).starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000\n"));
    }

    #[test]
    fn a_socket_without_a_file_is_found_by_its_name() {
        let name = format!("pinfold-test-{}", process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        patient(&format!("@{name}"), &[]).ready(Config::Refused);
        assert!(heard(&socket).starts_with("READY=1\nSTATUS=serving; the changed configuration cannot"));
    }

    #[test]
    fn without_a_manager_nothing_is_told_and_one_out_of_reach_is_passed_over() {
        Manager::of(&Environment::default()).ready(Config::InForce);
        patient("/nowhere/notify", &[]).ready(Config::InForce);
    }

    #[test]
    fn only_a_watchdog_that_waits_for_this_process_is_fed() {
        let asked = |pairs: &[(&str, &str)]| patience(&pairs.iter().copied().collect());
        let ours = process::id().to_string();
        assert_eq!(asked(&[("WATCHDOG_USEC", "3000000")]), Some(Duration::from_secs(3)));
        assert_eq!(
            asked(&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", &ours)]),
            Some(Duration::from_secs(3))
        );
        assert_eq!(asked(&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "1")]), None);
        assert_eq!(asked(&[("WATCHDOG_USEC", "0")]), None);
        assert_eq!(asked(&[]), None);
    }

    #[test]
    fn signs_of_life_end_while_the_runtime_hangs_and_come_back_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let patience = (BEAT * 3).as_micros().to_string();
        let manager = patient(path.to_str().unwrap(), &[("WATCHDOG_USEC", &patience)]);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        runtime.spawn(manager.keep_alive());
        assert_eq!(heard(&socket), "WATCHDOG=1\n");
        let (hangs, has_hung) = mpsc::channel();
        let (go_on, waits) = mpsc::channel::<()>();
        runtime.spawn(async move {
            hangs.send(()).unwrap();
            waits.recv().unwrap_err();
        });
        has_hung.recv().unwrap();
        socket.set_nonblocking(true).unwrap();
        while socket.recv(&mut [0; 64]).is_ok() {}
        socket.set_nonblocking(false).unwrap();
        socket.set_read_timeout(Some(BEAT * 10)).unwrap();
        assert_eq!(socket.recv(&mut [0; 64]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        socket.set_read_timeout(None).unwrap();
        drop(go_on);
        assert_eq!(heard(&socket), "WATCHDOG=1\n");
    }
}
