//! The demo through the real binary: what a new user types first.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

/// Ends the demo however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended is as good.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the demo listens");
    stream.write_all(request.as_bytes()).expect("a request can be sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer can be read");
    answer
}

#[test]
fn a_pin_given_to_the_demo_is_pinned_and_a_signal_ends_it_cleanly() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_pinfold"))
        .args(["demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--token", "tok"])
        .stdout(Stdio::piped())
        .spawn()
        .map(Running)
        .expect("the binary starts");
    let mut lines = BufReader::new(demo.0.stdout.take().expect("stdout is piped")).lines();
    let mut wait_for = |what: &str| {
        lines
            .find_map(|line| line.ok().filter(|line| line.contains(what)))
            .unwrap_or_else(|| panic!("the demo never said {what:?}"))
    };
    let endpoint = wait_for("endpoint");
    let address = endpoint.rsplit("http://").next().expect("the line ends in the URL").to_owned();
    assert!(wait_for("ipfs pin remote service add").contains(&format!("http://{address} tok")));
    let body = r#"{"cid":"bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi","name":"hello"}"#;
    let answer = ask(
        &address,
        &format!(
            "POST /pins HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer tok\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    assert!(answer.starts_with("HTTP/1.1 202 Accepted"), "{answer}");
    wait_for("pin hello is pinned");
    let told = Command::new("kill").args(["-TERM", &demo.0.id().to_string()]).status();
    assert!(told.expect("kill runs").success());
    assert!(demo.0.wait().expect("the demo ends").success());
}

#[test]
fn an_address_that_is_taken_is_one_line_that_names_the_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = (taken.local_addr().expect("bound").to_string(), taken);
    let free = "127.0.0.1:0";
    for (flag, listen, admin) in [("--listen", &*taken.0, free), ("--admin", free, &*taken.0)] {
        let output = Command::new(env!("CARGO_BIN_EXE_pinfold"))
            .args(["demo", "--listen", listen, "--admin", admin])
            .output()
            .expect("the binary runs");
        let err = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(
            err.lines().count() == 1 && err.contains(&format!("choose another address with {flag}")),
            "{err}"
        );
    }
}
