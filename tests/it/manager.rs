//! The real binary under a service manager: what it says on the manager's socket, and when.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

const GOOD: &str = "\
admin: { listen: \"127.0.0.1:0\" }
accounts: [ { name: default, tokens: [ { name: laptop, secret: hunter2 } ] } ]
providers: [ { name: alpha, endpoint: \"http://127.0.0.1:1\", token: hunter3 } ]
";

struct Service {
    process: Child,
    log: BufReader<ChildStderr>,
    socket: UnixDatagram,
    folder: TempDir,
}

impl Service {
    fn start(listen: &str) -> Self {
        let folder = crate::scratch();
        let notify = folder.path().join("notify");
        let socket = UnixDatagram::bind(&notify).expect("bound");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        let config = folder.path().join("config.yaml");
        fs::write(&config, format!("server: {{ listen: \"{listen}\" }}\n{GOOD}")).expect("written");
        let mut process = Command::new(env!("CARGO_BIN_EXE_pinfold"))
            .args(["serve", "--config"])
            .arg(&config)
            .env_clear()
            .env("NOTIFY_SOCKET", &notify)
            .env("WATCHDOG_USEC", "300000")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let log = BufReader::new(process.stderr.take().expect("piped"));
        Self { process, log, socket, folder }
    }

    /// The next message that begins so; others come in between, such as signs of life.
    fn said(&self, begin: &str) -> String {
        loop {
            let mut text = [0; 1024];
            let length = self.socket.recv(&mut text).unwrap_or_else(|error| panic!("{begin}: {error}"));
            let text = String::from_utf8_lossy(&text[..length]).into_owned();
            if text.starts_with(begin) {
                return text;
            }
        }
    }

    fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &line]).status().expect("a shell").success());
    }

    fn put(&self, text: &str) {
        let next = self.folder.path().join("next");
        fs::write(&next, text).expect("written");
        fs::rename(next, self.folder.path().join("config.yaml")).expect("renamed");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already, but where a test has failed.
        let _ended = self.process.kill();
        self.process.wait().expect("it ends");
    }
}

#[test]
fn a_service_manager_hears_of_start_reload_refusal_and_stop_and_that_work_goes_on() {
    let mut service = Service::start("127.0.0.1:0");
    assert_eq!(service.said("READY=1"), "READY=1\nSTATUS=serving\n");
    assert!(TcpStream::connect(address(&mut service.log)).is_ok());
    assert_eq!(service.said("WATCHDOG=1"), "WATCHDOG=1\n");
    service.signal("HUP");
    assert!(service.said("RELOADING=1").contains("\nMONOTONIC_USEC="));
    assert_eq!(service.said("READY=1"), "READY=1\nSTATUS=serving\n");
    service.put("providers: 1\n");
    service.said("RELOADING=1");
    let refused = service.said("READY=1");
    assert!(refused.contains("cannot be used"), "{refused}");
    service.signal("TERM");
    assert!(service.said("STOPPING=1").contains("EXTEND_TIMEOUT_USEC="));
    assert_eq!(service.process.wait().expect("it ends").code(), Some(0));
}

/// Where it serves, as its log says.
fn address(log: &mut impl BufRead) -> String {
    let mut lines = log.lines().map(|line| line.expect("UTF-8"));
    let line = lines.find(|line| line.contains("give it to Kubo")).expect("it says so");
    let (_, rest) = line.split_once("http://").expect("an address");
    rest.split_whitespace().next().expect("an address").to_owned()
}

#[test]
fn a_gateway_that_cannot_listen_never_says_that_it_is_ready() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut service = Service::start(&taken.local_addr().expect("bound").to_string());
    assert_eq!(service.process.wait().expect("it ends").code(), Some(1));
    service.socket.set_nonblocking(true).expect("set");
    let mut text = [0; 64];
    while let Ok(length) = service.socket.recv(&mut text) {
        assert_eq!(&text[..length], b"WATCHDOG=1\n");
    }
}
