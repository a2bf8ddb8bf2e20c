//! What a reload is told of the difference between two configurations.

use super::*;

fn changes(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (good(old).settings, good(new).settings);
    old.changes(&new).iter().map(ToString::to_string).collect()
}

#[test]
fn the_same_words_are_no_change_wherever_they_stand() {
    assert_eq!(changes(SAMPLE, SAMPLE), [""; 0]);
    let reordered = SAMPLE.replace("filter: info ", "filter: 'info' ");
    assert_ne!(reordered, SAMPLE);
    assert_eq!(changes(SAMPLE, &reordered), [""; 0]);
}

#[test]
fn a_change_is_told_with_its_path_and_both_values() {
    let new = SAMPLE.replace("budget: { concurrency: 4 }", "budget: { concurrency: 8 }");
    assert_eq!(changes(SAMPLE, &new), ["providers[alpha].budget.concurrency: 8 (was 4)"]);
    let new = SAMPLE.replace("copies: 2 ", "copies: 1 ");
    let told = changes(SAMPLE, &new);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|line| line.starts_with("policies[default].copies.")), "{told:?}");
}

#[test]
fn another_secret_is_told_and_never_shown() {
    let old = alpha("");
    let told = changes(&old, &old.replace("t-alpha", "s3cret").replace("t-laptop", "s3cr3t"));
    assert_eq!(
        told,
        ["accounts[default].tokens[laptop].secret: another secret", "providers[alpha].token: another secret"]
    );
}

#[test]
fn only_providers_that_are_called_otherwise_are_exchanged() {
    let old = good(SAMPLE).settings;
    let changed = |new: &str| old.changed_providers(&good(new).settings).into_iter().collect::<Vec<_>>();
    assert_eq!(changed(&SAMPLE.replace("copies: 2 ", "copies: 1 ")), [""; 0]);
    assert_eq!(changed(&SAMPLE.replace("deadline: 90s", "deadline: 80s")), ["alpha"]);
    for declared in ["weight: 3", "tags: { region: us }", "cost: 2", "audit: { every: 2d }"] {
        let new = SAMPLE.replace("audit: { every: 7d, by: auto }", declared);
        assert_ne!(new, SAMPLE);
        let new = good(&new).settings;
        assert_ne!(old.changes(&new), [], "{declared}");
        assert_eq!(old.changed_providers(&new).len(), 0, "{declared}");
        assert_eq!(old.redeclared_providers(&new).into_iter().collect::<Vec<_>>(), ["alpha"], "{declared}");
    }
    let more = SAMPLE.replace("providers: [alpha, beta]", "providers: [alpha, beta, gamma]").replace(
        "\npolicies:",
        "\n  - { name: gamma, endpoint: \"http://127.0.0.1:3103\", token: g }\npolicies:",
    );
    assert_eq!(changed(&more), ["gamma"]);
}

#[test]
fn what_takes_a_restart_is_told_and_left_as_it_was() {
    let old = good(SAMPLE).settings;
    let new =
        SAMPLE.replace("127.0.0.1:5080", "127.0.0.1:5090").replace("accept_wait: 1s", "accept_wait: 2s");
    let new = good(&new).settings;
    let told: Vec<_> =
        old.changes(&new).into_iter().map(|change| (change.needs_restart(), change.path)).collect();
    assert_eq!(told, [(false, "api.accept_wait".to_owned()), (true, "server.listen".to_owned())]);
    let taken = old.taken_up(new);
    assert_eq!((taken.server, taken.api.accept_wait), (old.server, Duration::from_secs(2)));
}

#[test]
fn the_files_that_a_configuration_was_read_from_are_known() {
    let dir = tempfile::tempdir().unwrap();
    let (secret, config) = (dir.path().join("laptop"), dir.path().join("config.yaml"));
    fs::write(&secret, "t-laptop\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let text = with(&format!("{ENDPOINT}, token: t-alpha"), "secret_file: laptop", "");
    fs::write(&config, text).unwrap();
    let files = load(&config, &environment([])).unwrap().files;
    assert_eq!(files, [&secret, &config].map(|file| Seen { file: file.clone(), stamp: Stamp::at(file) }));
    fs::remove_file(&secret).unwrap();
    let files = load(&config, &environment([])).unwrap_err().files;
    assert_eq!(files, [&secret, &config].map(|file| Seen { file: file.clone(), stamp: Stamp::at(file) }));
}
