//! Values that can never mean anything are refused, and faults are told all at once, whatever else is wrong.

use super::{alpha, bad, good};

/// What is wrong in each: the key, what is written, and what the message says.
const OF_A_PROVIDER: &[(&str, &str, &str)] = &[
    ("codecs", "[]", "names no codec"),
    ("codecs", "", "names no codec"),
    ("max_pins", "0", "would take no pin"),
    ("retention", "0s", "would be over at once"),
    ("retention", "0", "would be over at once"),
    ("declare_dead_after", "0s", "would be over at once"),
    ("weight", "0", "write a whole number from 1"),
    ("audit", "{ every: 0s }", "write at least 1h"),
    ("timeouts", "{ deadline: 0s }", "write at least 1s"),
    ("timeouts", "{ settle: 0s }", "write at least 1s"),
    ("budget", "{ list: 0/min }", "write calls and a time"),
    ("budget", "{ read: 30/0s }", "write calls and a time"),
    ("budget", "{ concurrency: 0 }", "write a whole number from 1"),
    ("budget", "{ max_queued: 0 }", "write a whole number from 1"),
    ("proof", "{ every: 0s }", "write at least 1m"),
    ("proof", "{ sample: 0 }", "write a whole number from 3"),
];

const OF_A_POLICY: &[(&str, &str, &str)] = &[
    ("copies", "0", "write a number"),
    ("copies", "{ min: 0, max: 1 }", "write a whole number from 1"),
    ("pinned_when", "0", "write a whole number from 1"),
    ("providers", "[]", "names no provider"),
    ("expire_after", "0s", "would be over at once"),
    ("deadlines", "{ queued: 0s }", "would be over at once"),
    ("deadlines", "{ pinning: 0s }", "would be over at once"),
];

const ELSEWHERE: &[(&str, &str)] = &[
    ("engine: { declare_dead_after: 0s }", "would be over at once"),
    ("engine: { retry_max: 0s }", "write at least 10ms"),
    ("engine: { poll_min: 0s }", "write at least 10ms"),
    ("engine: { poll_max: 0s }", "write at least 10ms"),
    ("engine: { verify_every: 0s }", "write at least 10ms"),
    ("upstream: { connect_timeout: 0s }", "write at least 100ms"),
    ("server: { max_connections: 0 }", "write a whole number from 1"),
    ("server: { max_connections_per_address: 0 }", "write a whole number from 1"),
    ("server: { timeouts: { head: 0s } }", "write at least 1s"),
    ("server: { timeouts: { idle: 0s } }", "write at least 5s"),
    ("server: { timeouts: { body: 0s } }", "write at least 1s"),
    ("server: { timeouts: { write: 0s } }", "write at least 1s"),
    ("server: { proxies: { protocol: v2, trusted: [] } }", "no proxy is trusted"),
    ("api: { default_status: [] }", "names no status"),
    ("limits: { read: 0/s }", "not a rate"),
    ("limits: { burst: 0 }", "write a whole number from 1"),
    ("limits: { failed_logins: 0/s }", "not a rate"),
    ("admin: { tokens: [ { name: ops, scopes: [], secret: t-ops } ] }", "names no scope"),
];

/// A whole configuration with one more key at its provider.
fn at_provider(key: &str, value: &str) -> String {
    super::with(
        &format!("{}, token: t-alpha, gateway: \"http://127.0.0.1:8080\", {key}: {value}", super::ENDPOINT),
        "secret: t-laptop",
        "",
    )
}

#[test]
fn nothing_that_can_never_mean_anything_is_taken() {
    for (key, value, told) in OF_A_PROVIDER {
        let wrong = bad(&at_provider(key, value));
        assert!(wrong.contains(told) && wrong.contains(&format!("providers[0].{key}")), "{key}: {wrong}");
    }
    for (key, value, told) in OF_A_POLICY {
        let rest = if *key == "copies" { "" } else { "copies: 1, " };
        let wrong = bad(&alpha(&format!("policies:\n  - {{ name: default, {rest}{key}: {value} }}\n")));
        assert!(wrong.contains(told) && wrong.contains(&format!("policies[0].{key}")), "{key}: {wrong}");
    }
    for (section, told) in ELSEWHERE {
        let wrong = bad(&alpha(&format!("{section}\n")));
        let path = section.split(':').next().unwrap();
        assert!(wrong.contains(told) && wrong.contains(path), "{section}: {wrong}");
    }
    let listless =
        super::with(&format!("{}, token: t-alpha", super::ENDPOINT), "secret: t-laptop, policies: []", "");
    let wrong = bad(&listless);
    assert!(wrong.contains("accounts[0].tokens[0].policies") && wrong.contains("names no policy"), "{wrong}");
}

/// An account that may have nothing more, a price of nothing and waiting not at all do mean something.
#[test]
fn zeros_that_mean_something_are_taken() {
    for (key, value) in [("cost", "0"), ("max_pins", "1"), ("codecs", "[ raw ]")] {
        good(&at_provider(key, value));
    }
    for section in [
        "api: { accept_wait: 0s }",
        "server: { shutdown_grace: 0s }",
        "store: { url: \"sqlite:p.db\", lock_wait: 0s }",
        "policies: [ { name: default, copies: 1, priority: 0 } ]",
        "traces: { endpoint: \"http://127.0.0.1:4318\", sample: 0 }",
    ] {
        good(&alpha(&format!("{section}\n")));
    }
}

/// The faults of a policy are its own: they are told though an entry that it names has one, and that entry is known.
#[test]
fn faults_of_policies_are_told_beside_those_of_providers() {
    let policies = "policies:
  - { name: default, copies: 2, pinned_when: 3, providers: [alpha, beta] }
  - { name: far, copies: { min: 3, max: 2 }, providers: [alpha, gama] }
  - { name: many, copies: 4 }
  - { name: odd, copies: 1, providers: alpha }
";
    let source = format!(
        "accounts: [ {{ name: a, tokens: [ {{ name: t, secret: s-t }} ] }} ]\nproviders:
  - {{ name: alpha, endpoint: nowhere, token: t-alpha }}
  - {{ name: beta, {}, token: t-beta, codecs: [] }}
  - {{ name: gamma, endpoint: \"http://127.0.0.1:3102\", token: t-gamma }}
{policies}",
        super::ENDPOINT
    );
    let told = bad(&source);
    for (path, what) in [
        ("providers[0].endpoint", "write the service's base address"),
        ("providers[1].codecs", "names no codec"),
        ("policies[0].pinned_when", "asks for 3 copies of the 2 that are kept"),
        ("policies[1].copies", "min is more than max"),
        ("policies[1].providers[1]", "did you mean `gamma`?"),
        ("policies[2].copies", "asks for 4 copies at 3 providers"),
        ("policies[3].providers", "expected a list"),
    ] {
        assert!(told.contains(path) && told.contains(what), "{path}: {told}");
    }
    assert_eq!(told.matches("there is no provider").count(), 1, "{told}");
}

/// Where an entry has no name that can be used, one that is missing may be its.
#[test]
fn a_provider_without_a_name_is_not_missed() {
    let source = format!(
        "accounts: [ {{ name: a, tokens: [ {{ name: t, secret: s-t }} ] }} ]\nproviders:
  - {{ name: Alpha, {}, token: t-alpha }}
policies:
  - {{ name: default, copies: 2, pinned_when: 3, providers: [alpha, beta] }}
  - {{ name: all, copies: 9 }}
",
        super::ENDPOINT
    );
    let told = bad(&source);
    assert!(told.contains("providers[0].name") && told.contains("policies[0].pinned_when"), "{told}");
    assert!(!told.contains("no provider of that name") && !told.contains("9 copies"), "{told}");
}
