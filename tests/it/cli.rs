//! The real binary: what it prints, and the exit codes that scripts rely on.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use pinfold::{
    config::{self, Environment, ProviderSettings},
    lifecycle::Changes,
    model::{Clock, PinCid, PinSpec, RequestId, SystemClock},
    store::{
        AcceptPin, Registration, Store,
        sqlite::{SqliteSettings, SqliteStore},
    },
    telemetry::Metrics,
};

const GOOD: &str = "\
accounts: [ { name: default, tokens: [ { name: laptop, secret: hunter2 } ] } ]
providers: [ { name: alpha, endpoint: \"http://127.0.0.1:1\", token: hunter3 } ]
";

fn pinfold(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinfold"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

fn write(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("config.yaml");
    fs::write(&file, text).expect("written");
    file
}

fn check(text: &str, more: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let folder = crate::scratch();
    let file = write(folder.path(), text);
    let mut command = pinfold(&["check-config", "--config", file.to_str().expect("UTF-8")]);
    run(command.args(more).envs(variables.iter().copied()))
}

#[test]
fn a_good_configuration_is_0() {
    let (code, out, err) = check(GOOD, &["--strict"], &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.ends_with("config.yaml can be used\n"), "{out}");
}

#[test]
fn effective_settings_show_no_secret() {
    let (code, out, _) = check(GOOD, &["--print-effective"], &[("PINFOLD_SERVER_LISTEN", "127.0.0.1:7000")]);
    assert_eq!(code, 0);
    assert!(
        out.contains("listen: \"127.0.0.1:7000\"") && out.contains("***") && !out.contains("hunter"),
        "{out}"
    );
}

#[test]
fn warnings_are_3_under_strict_and_0_otherwise() {
    let stray = [("PINFOLD_SERVER_LISTN", "127.0.0.1:7000")];
    let (code, _, err) = check(GOOD, &["--strict"], &stray);
    assert_eq!(code, 3);
    assert!(err.contains("did you mean PINFOLD_SERVER_LISTEN?"), "{err}");
    assert_eq!(check(GOOD, &[], &stray).0, 0);
}

#[test]
fn a_bad_configuration_is_78_and_each_mistake_a_line() {
    let (code, out, err) = check("server: { listn: x }\nproviders: 1\n", &[], &[]);
    assert_eq!((code, out.as_str()), (78, ""));
    assert!(err.lines().count() >= 3, "{err}");
    assert!(err.contains("config.yaml:1:11: server.listn: unknown key; did you mean `listen`?"), "{err}");
}

#[test]
fn a_missing_configuration_is_78_for_every_command_that_needs_one() {
    let commands: [&[&str]; 3] =
        [&["check-config"], &["serve"], &["provider", "rebind", "alpha", "--same-account"]];
    for command in commands {
        let (code, _, err) = run(pinfold(command).args(["--config", "/nowhere/config.yaml"]));
        assert_eq!(code, 78, "{command:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(err.starts_with("/nowhere/config.yaml: cannot be read"), "{err}");
    }
}

#[test]
fn broken_yaml_is_78_for_every_command_and_never_means_the_defaults() {
    let folder = crate::scratch();
    drop(with_a_pin(folder.path()));
    let file = write(folder.path(), "store: { url: \"sqlite:other.db\"\nadmin: {}\n");
    let copy = folder.path().join("copy.db");
    let copy = copy.to_str().expect("UTF-8");
    let asked = |command: &[&str]| run(pinfold(command).arg("--config").arg(&file));
    let (_, _, told) = asked(&["check-config"]);
    assert!(told.contains("config.yaml:") && told.contains("not valid YAML"), "{told}");
    let commands: [&[&str]; 5] =
        [&["backup", copy], &["export"], &["reload"], &["healthcheck"], &["provider", "ls"]];
    for command in commands {
        assert_eq!(asked(command), (78, String::new(), told.clone()), "{command:?}");
    }
    let (code, out, _) = asked(&["doctor"]);
    assert!(
        code == 78 && out.starts_with("bad  config: ") && out.contains("store and providers: not"),
        "{out}"
    );
    assert!(!out.contains("pinfold.db"), "{out}");
}

#[test]
fn a_misspelt_place_is_78_for_every_command_and_never_means_the_default() {
    let folder = crate::scratch();
    drop(with_a_pin(folder.path()));
    let file = write(folder.path(), "store: { ulr: \"sqlite:other.db\" }\nadmin: {}\n");
    let copy = folder.path().join("copy.db");
    let copy = copy.to_str().expect("UTF-8");
    let asked = |command: &[&str]| run(pinfold(command).arg("--config").arg(&file));
    let commands: [&[&str]; 5] =
        [&["backup", copy], &["export"], &["reload"], &["healthcheck"], &["provider", "ls"]];
    for command in commands {
        let (code, out, err) = asked(command);
        assert_eq!((code, out.as_str()), (78, ""), "{command:?}: {err}");
        assert!(err.contains("store.ulr") && err.contains("did you mean `url`"), "{err}");
    }
    let (code, out, _) = asked(&["doctor"]);
    assert!(code == 78 && out.contains("store and providers: not") && !out.contains("pinfold.db"), "{out}");
}

#[test]
fn where_address_and_token_are_told_no_configuration_is_read() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|server| server.local_addr()).expect("a free port");
    let folder = crate::scratch();
    let file = write(folder.path(), "store: [");
    let url = format!("http://{free}");
    for command in [["reload", "--admin", &url], ["healthcheck", "--admin", &url]] {
        let mut command = pinfold(&command);
        let (code, _, err) = run(command.arg("--config").arg(&file).env("PINFOLD_ADMIN_TOKEN", "hunter2"));
        assert_eq!(code, 6, "{err}");
    }
}

#[test]
fn a_database_of_another_program_is_1_and_one_line() {
    let folder = crate::scratch();
    fs::write(folder.path().join("pinfold.db"), "hello ".repeat(1000)).expect("written");
    let (code, err) = serve(folder.path(), GOOD);
    assert_eq!((code, err.lines().count()), (1, 1), "{err}");
    assert!(err.contains("pinfold.db is no SQLite database and was left as it is"), "{err}");
}

#[test]
fn a_wrong_command_line_is_2() {
    let wrong: [&[&str]; 5] = [
        &[],
        &["srve"],
        &["serve"],
        &["provider", "rebind", "alpha", "--same-account", "--new-account", "--config", "x"],
        &["demo", "--admin", "0.0.0.0:5081"],
    ];
    for command in wrong {
        assert_eq!(run(&mut pinfold(command)).0, 2, "{command:?}");
    }
}

#[test]
fn help_and_version_are_0() {
    for command in ["--help", "--version", "version"] {
        let (code, out, _) = run(&mut pinfold(&[command]));
        assert_eq!(code, 0);
        assert!(out.contains("pinfold"), "{out}");
    }
}

#[test]
fn a_manual_has_a_page_for_each_command_and_completions_know_them() {
    let folder = crate::scratch();
    let good = |arguments: &[&str]| {
        let (code, out, err) = run(&mut pinfold(arguments));
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
        out
    };
    let pages = folder.path().join("man");
    good(&["man", "--out", pages.to_str().expect("UTF-8")]);
    for page in ["pinfold.1", "pinfold-serve.1", "pinfold-provider-drain.1", "pinfold-config.5"] {
        assert!(pages.join(page).is_file(), "{page}");
    }
    assert!(!pages.join("pinfold-man.1").exists());
    let page = fs::read_to_string(pages.join("pinfold-restore.1")).expect("readable");
    let page = page.replace('\\', "");
    let title = format!(".TH pinfold-restore 1 \" \" \"pinfold {}\" Pinfold", env!("CARGO_PKG_VERSION"));
    for part in [title.as_str(), "--config <FILE>", "PINFOLD_CONFIG"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("<--"), "{page}");
    let page = fs::read_to_string(pages.join("pinfold-config.5")).expect("readable");
    assert!(page.contains(".SH KEYS") && page.contains("declare_dead_after"), "{page}");
    assert!(page.contains("upstream, log, traces and limits"), "{page}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = good(&["completions", shell]);
        assert!(script.contains("check-config") && script.contains("drain"), "{shell}");
    }
}

#[test]
fn a_bug_report_is_told_of_build_libraries_and_system() {
    let (code, out, _) = run(&mut pinfold(&["version", "--verbose"]));
    assert_eq!(code, 0);
    for words in ["pinfold 0.", "revision: ", "built: debug, for ", "store: SQLite 3.", "system: "] {
        assert!(out.contains(words), "{out}");
    }
}

#[test]
fn a_token_is_hashed_as_sha256sum_does() {
    let mut child = pinfold(&["token", "hash"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    child.stdin.take().expect("piped").write_all(b"hunter2\n").expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    let hash = "f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7\n";
    assert_eq!(output.stdout, hash.as_bytes());
    assert_eq!(run(&mut pinfold(&["token", "hash"])).0, 1);
}

/// Asks a server that answers one request with this status line, and tells what it was asked.
fn healthcheck(answer: &'static str) -> (i32, String) {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", server.local_addr().expect("bound"));
    let asked = thread::spawn(move || {
        let (mut stream, _) = server.accept().expect("a connection");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a request");
            request.push(byte[0]);
        }
        stream.write_all(answer.as_bytes()).expect("answered");
        String::from_utf8(request).expect("UTF-8")
    });
    let (code, _, _) = run(&mut pinfold(&["healthcheck", "--admin", &url]));
    (code, asked.join().expect("the server ends"))
}

#[test]
fn a_healthcheck_tells_ready_from_not_ready_and_unauthorized() {
    let (code, request) = healthcheck("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(code, 0);
    assert!(request.starts_with("GET /readyz HTTP/1.1\r\n"), "{request}");
    assert_eq!(healthcheck("HTTP/1.1 503 Service Unavailable\r\n\r\n").0, 1);
    assert_eq!(healthcheck("HTTP/1.1 401 Unauthorized\r\n\r\n").0, 7);
    assert_eq!(healthcheck("SSH-2.0-OpenSSH_9.9\r\n\r\n").0, 6);
}

#[test]
fn a_healthcheck_asks_where_the_configuration_says_unless_it_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(folder.path(), &format!("{GOOD}admin: {{ listen: \"0.0.0.0:{port}\", tls: {{}} }}\n"));
    let file = file.to_str().expect("UTF-8");
    let asked = |command: &mut Command| {
        let (code, _, err) = run(command);
        assert_eq!(code, 6, "{err}");
        err
    };
    let secured = format!("cannot reach https://127.0.0.1:{port}/:");
    let err = asked(pinfold(&["healthcheck"]).env("PINFOLD_CONFIG", file));
    assert!(err.contains(&secured), "{err}");
    let err = asked(&mut pinfold(&["healthcheck", "--config", file]));
    assert!(err.contains(&secured), "{err}");
    let typed = format!("http://127.0.0.1:{port}");
    let err = asked(&mut pinfold(&["healthcheck", "--config", file, "--admin", &typed]));
    assert!(err.contains(&typed), "{err}");
    assert_eq!(run(&mut pinfold(&["healthcheck", "--config", "/nowhere/config.yaml"])).0, 78);
}

#[test]
fn a_gateway_that_is_not_there_is_6() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|server| server.local_addr()).expect("a free port");
    let url = format!("http://{free}");
    let (code, _, err) = run(pinfold(&["healthcheck"]).env("PINFOLD_ADMIN_URL", &url));
    assert_eq!(code, 6, "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}

/// A database with a pin of the account `default`, placed at `alpha`.
fn with_a_pin(folder: &Path) -> SqliteStore {
    let settings = SqliteSettings::default();
    let store = SqliteStore::open(&folder.join("pinfold.db"), &settings, Changes::default(), &Metrics::new())
        .expect("opened");
    let environment = Environment::default();
    let settings = config::parse("config.yaml", GOOD, folder, &environment).expect("a good one").settings;
    let providers = settings.providers.iter().map(ProviderSettings::decl).collect();
    let declared = Registration { accounts: settings.accounts, policies: settings.policies, providers };
    let now = SystemClock.now();
    let cid = PinCid::parse("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n").expect("a CID");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let account = store.register(declared, now).await.expect("registered").accounts[0].1;
        let (requestid, spec, policy) = (RequestId::mint(now), PinSpec::bare(cid), "default".to_owned());
        store
            .accept_pin(AcceptPin {
                account,
                requestid,
                spec,
                policy,
                quota: pinfold::model::Quota::NONE,
                expires: None,
                by: None,
                now,
            })
            .await
            .expect("accepted");
    });
    store
}

fn serve(folder: &Path, config: &str) -> (i32, String) {
    let doors = "server: { listen: \"127.0.0.1:0\" }\nadmin: { listen: \"127.0.0.1:0\" }\n";
    let file = write(folder, &format!("{doors}{config}"));
    let (code, out, err) = run(pinfold(&["serve", "--config"]).arg(file));
    assert_eq!(out, "");
    (code, err)
}

#[test]
fn a_configuration_that_the_database_contradicts_is_78() {
    let folder = crate::scratch();
    drop(with_a_pin(folder.path()));
    let (code, err) = serve(folder.path(), &GOOD.replace("127.0.0.1:1", "127.0.0.1:2"));
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("pinfold provider rebind alpha --same-account"), "{err}");
    let (code, err) = serve(folder.path(), &GOOD.replace("name: default, tokens", "name: other, tokens"));
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("account \"default\" is gone from the config but still has 1 pins"), "{err}");
}

#[test]
fn a_log_filter_that_makes_no_sense_is_78_and_check_config_says_so_too() {
    let folder = crate::scratch();
    let config = format!("{GOOD}log: {{ filter: \"a=b=c\" }}\n");
    for (code, err) in [serve(folder.path(), &config), {
        let (code, _, err) = check(&config, &[], &[]);
        (code, err)
    }] {
        assert_eq!(code, 78, "{err}");
        assert!(err.lines().count() == 1 && err.contains(": log.filter: the log filter"), "{err}");
    }
    let (code, _, err) = check(GOOD, &[], &[("PINFOLD_LOG", "warning")]);
    assert!(code == 78 && err.contains(": PINFOLD_LOG: the log filter has \"warning\""), "{err}");
}

#[test]
fn a_database_that_another_process_serves_is_1_and_one_line() {
    let folder = crate::scratch();
    let _serves = with_a_pin(folder.path());
    let (code, err) = serve(folder.path(), GOOD);
    assert_eq!(code, 1, "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains("pinfold.db is in use by another pinfold process: stop that one first"), "{err}");
}
