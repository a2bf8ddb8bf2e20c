//! A gateway that follows the files of its config.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use tokio::time::timeout;

use super::*;
use crate::{
    app::{Gateway, Sockets, signals},
    telemetry::Metrics,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Writes a config with these lines in it.
fn write(dir: &Path, tokens: &str, more: &str) {
    let text = format!(
        "server: {{ listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n\
         accounts: [ {{ name: ada, tokens: [ {{ name: desk, secret: token-of-ada }}{tokens} ] }} ]\n\
         providers: [ {{ name: alpha, endpoint: \"http://127.0.0.1:9\", token: alpha }} ]\n\
         policies: [ {{ name: default, copies: 1 }} ]\n{more}"
    );
    fs::write(dir.join("config.yaml"), text).unwrap();
}

fn load(dir: &Path) -> Source {
    let (file, environment) = (dir.join("config.yaml"), Environment::default());
    let loaded = config::load(&file, &environment).unwrap_or_else(|problems| panic!("{problems}"));
    Source { file, environment, loaded }
}

async fn follow(source: Source, metrics: &Metrics) -> Gateway {
    let hangup = signals::hangup().unwrap();
    Gateway::follow(source, hangup, Sockets::default(), metrics.clone()).await.unwrap()
}

async fn until(what: &str, metrics: &Metrics) {
    let line = format!("pinfold_config_{what}\n");
    let mut looks = interval(Duration::from_millis(20));
    let waiting = async {
        while !metrics.render().contains(&line) {
            looks.tick().await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{line} does not come true"));
}

#[tokio::test]
async fn what_changes_between_the_first_reading_and_the_first_look_is_taken_up() {
    let (dir, metrics) = (tempfile::tempdir().unwrap(), Metrics::new());
    write(dir.path(), "", "");
    let source = load(dir.path());
    write(dir.path(), "}", "");
    let gateway = follow(source, &metrics).await;
    until("last_reload_successful 0", &metrics).await;
    gateway.stop(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_file_that_a_refused_config_names_is_looked_at_too() {
    let (dir, metrics) = (tempfile::tempdir().unwrap(), Metrics::new());
    write(dir.path(), "", "");
    let gateway = follow(load(dir.path()), &metrics).await;
    write(dir.path(), ", { name: laptop, secret_file: laptop }", "");
    until("last_reload_successful 0", &metrics).await;
    let laptop = dir.path().join("laptop");
    fs::write(dir.path().join("new"), "token-of-laptop").unwrap();
    fs::set_permissions(dir.path().join("new"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(dir.path().join("new"), &laptop).unwrap();
    until("last_reload_successful 1", &metrics).await;
    gateway.stop(PATIENCE).await.unwrap();
}
