//! A gateway that follows the files of its config.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use tokio::time::timeout;

use super::*;
use crate::{
    app::{Gateway, Sockets, Tuning, ground::Ground, signals},
    model::{Clock, Event, ManualClock, Timestamp},
    store::EventQuery,
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
    let (hangup, manager) = (signals::hangup().unwrap(), Manager::default());
    let follow = Follow { source, hangup, log: None, manager };
    Gateway::follow(follow, Sockets::default(), metrics.clone()).await.unwrap()
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

/// Its breaker, what is left of its tries, and its last error had been forgotten with each change of its weight.
#[tokio::test]
async fn what_is_learned_of_a_provider_is_kept_while_it_is_called_as_before() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "", "");
    let source = load(dir.path());
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
    let tuning = Tuning { clock: Some(clock.clone()), ..Tuning::default() };
    let ground = Ground::lay(source.loaded.settings.clone(), &tuning, Metrics::new()).await.unwrap();
    let live = ground.live().await.unwrap();
    let reloader = Reloader::new(&source, Manager::default(), live.clone());
    let since = || live.fleet.standings(clock.now())["alpha"].since;
    let first = since();
    // One that is made anew has a breaker from now on.
    clock.advance(Duration::from_secs(1));
    for (says, kept) in [("weight: 3", true), ("timeouts: { deadline: 50s }", false)] {
        write(dir.path(), "", "");
        let file = dir.path().join("config.yaml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("token: alpha }", &format!("token: alpha, {says} }}"))).unwrap();
        let report = reloader.reload(None).await;
        assert_ne!((report.changes.len(), report.refused.is_some()), (0, true), "{says}");
        assert_eq!(since() == first, kept, "{says}");
    }
    ground.shutdown.drained(PATIENCE).await;
}

async fn told(live: &Live) -> Vec<Event> {
    let query = EventQuery { limit: 10, kinds: vec![EventKind::Reload], ..EventQuery::default() };
    live.store.events(query).await.unwrap().events
}

#[tokio::test]
async fn what_became_of_a_reload_is_an_event_unless_it_changed_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "", "");
    let source = load(dir.path());
    let settings = source.loaded.settings.clone();
    let ground = Ground::lay(settings, &Tuning::default(), Metrics::new()).await.unwrap();
    let live = ground.live().await.unwrap();
    let reloader = Reloader::new(&source, Manager::default(), live.clone());
    reloader.reload(Some("ops")).await;
    assert_eq!(told(&live).await, []);
    write(dir.path(), "", "api: { accept_wait: 2s }\n");
    reloader.reload(Some("ops")).await;
    write(dir.path(), "}", "");
    reloader.reload(None).await;
    let told = told(&live).await;
    let word = |n: usize, key: &str| told[n].body.get(key).map(String::as_str);
    let first = [word(0, "outcome"), word(0, "count"), word(0, "by")];
    assert_eq!(first, [Some("taken_up"), Some("1"), Some("ops")]);
    assert!(word(0, "words").unwrap().contains("accept_wait"), "{told:?}");
    assert_eq!((told.len(), word(1, "outcome"), word(1, "by")), (2, Some("refused"), None));
    ground.shutdown.drained(PATIENCE).await;
}
