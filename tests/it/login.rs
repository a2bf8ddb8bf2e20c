//! `pinfold provider login` against a simulated service, by the real binary.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pinfold::{presets::Presets, sim::Sim};

const USER: &str = "ada@example.com";

async fn service() -> Sim {
    let preset = Presets::known("w3ipfs");
    let sim = Sim::playing(&preset, "unused").user(USER, "not-used-any-more");
    sim.behaviour(|is| is.codes_only = true).start().await
}

fn login(folder: &Path, sim: &Sim, more: &[&str]) -> Child {
    let config = folder.join("config.yaml");
    let text = format!(
        "accounts: [ {{ name: default, tokens: [ {{ name: laptop, secret: hunter2 }} ] }} ]\nproviders:\n  \
         - {{ name: alpha, preset: w3ipfs, endpoint: \"{}\", login: {{ user: {USER} }} }}\n  \
         - {{ name: beta, endpoint: \"http://127.0.0.1:1\", token: hunter3 }}\n",
        sim.endpoint()
    );
    fs::write(&config, text).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinfold"));
    let name = more.first().copied().unwrap_or("alpha");
    command.args(["provider", "login", name, "--config"]).arg(config).args(more.iter().skip(1)).env_clear();
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary runs")
}

/// Types these lines, and tells how it ended: code, stdout, stderr.
async fn end(mut child: Child, typed: String) -> (i32, String, String) {
    let ended = tokio::task::spawn_blocking(move || {
        child.stdin.take().expect("a stdin").write_all(typed.as_bytes()).ok();
        child.wait_with_output().expect("it ends")
    });
    let output = ended.await.expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("a code"), text(output.stdout), text(output.stderr))
}

async fn mailed(sim: &Sim) -> String {
    let code = async {
        loop {
            if let Some(code) = sim.mailed_code() {
                return code;
            }
            crate::moment().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), code).await.expect("a code is mailed")
}

fn kept(folder: &Path) -> Option<String> {
    let file = folder.join("pinfold.db.credentials/alpha.json");
    let mode = fs::metadata(&file).ok()?.permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    fs::read_to_string(file).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_came_by_mail_logs_in_and_its_pair_is_kept() {
    let (sim, folder) = (service().await, crate::scratch());
    let child = login(folder.path(), &sim, &[]);
    let code = mailed(&sim).await;
    let (exit, out, err) = end(child, format!("{code}\n")).await;
    assert_eq!(exit, 0, "{err}");
    assert!(out.starts_with("alpha: logged in"), "{out}");
    assert!(err.contains("A code was sent by e-mail") && !err.contains(&code), "{err}");
    let kept = kept(folder.path()).expect("a pair");
    assert!(kept.contains("access") && kept.contains("refresh"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_is_1_and_keeps_nothing() {
    let (sim, folder) = (service().await, crate::scratch());
    let child = login(folder.path(), &sim, &[]);
    mailed(&sim).await;
    let (exit, _, err) = end(child, "wrong-code\n".into()).await;
    assert_eq!(exit, 1, "{err}");
    assert!(err.contains("error: alpha: the login was refused: 4") && !err.contains("wrong-code"), "{err}");
    assert_eq!(kept(folder.path()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_pair_that_does_not_work_is_1_and_keeps_nothing() {
    let (sim, folder) = (service().await, crate::scratch());
    let child = login(folder.path(), &sim, &["alpha", "--pair"]);
    let (exit, _, err) = end(child, "hunter4-access\nhunter4-refresh\n".into()).await;
    assert_eq!(exit, 1, "{err}");
    assert!(err.contains("did not work") && !err.contains("hunter4"), "{err}");
    assert_eq!(kept(folder.path()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_without_a_login_is_78_and_an_unknown_one_2() {
    let (sim, folder) = (service().await, crate::scratch());
    let (exit, _, err) = end(login(folder.path(), &sim, &["beta"]), String::new()).await;
    assert_eq!(exit, 78, "{err}");
    let (exit, _, err) = end(login(folder.path(), &sim, &["gamma"]), String::new()).await;
    assert_eq!(exit, 2, "{err}");
}
