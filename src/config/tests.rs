mod budgets;
mod changes;
mod clients;
mod credentials;
mod limits;
mod presets;
mod proofs;
mod routes;
mod tls;
mod tokens;
mod traces;
mod upstream;
mod zeros;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;
use crate::auth::TokenHash;
use crate::model::{Stamp, Status, StatusSet};
use crate::policy::{Copies, Timing};
use crate::providers::Credential;

const SAMPLE: &str = include_str!("../../config.yaml");

fn environment<const N: usize>(pairs: [(&str, &str); N]) -> Environment {
    let secrets = [("PINFOLD_TOKEN", "t-laptop"), ("ALPHA_TOKEN", "t-alpha"), ("BETA_TOKEN", "t-beta")];
    secrets.into_iter().chain(pairs).collect()
}

fn read(source: &str, environment: &Environment) -> Result<Loaded, Problems> {
    parse("config.yaml", source, Path::new("/etc/pinfold"), environment)
}

fn good(source: &str) -> Loaded {
    read(source, &environment([])).unwrap_or_else(|problems| panic!("{problems}"))
}

fn bad(source: &str) -> String {
    read(source, &environment([])).expect_err("a configuration with a mistake").to_string()
}

/// A configuration that is right but for what is put in.
fn with(provider: &str, token: &str, rest: &str) -> String {
    format!(
        "accounts:\n  - name: default\n    tokens:\n      - {{ name: laptop, {token} }}\nproviders:\n  - {{ name: alpha, {provider} }}\n{rest}"
    )
}

fn token(entry: &ProviderSettings) -> String {
    let Credential::Token(source) = &entry.credential else { panic!("{entry:?}") };
    source.current().expose_secret().to_owned()
}

const ENDPOINT: &str = "endpoint: \"http://127.0.0.1:3101\"";

fn alpha(rest: &str) -> String {
    with(&format!("{ENDPOINT}, token: t-alpha"), "secret: t-laptop", rest)
}

#[test]
fn the_sample_is_read_without_a_warning() {
    let Loaded { settings, warnings, .. } = good(SAMPLE);
    assert_eq!(warnings, []);
    assert_eq!(settings.tokens[0].sha256, TokenHash::of("t-laptop"));
    assert_eq!(token(&settings.providers[1]), "t-beta");
    assert_eq!(settings.policies[0].copies, Copies { min: 2, max: 2 });
    assert_eq!(settings.policies[0].providers, ["alpha", "beta"]);
}

#[test]
fn the_defaults_that_the_sample_documents_are_the_defaults() {
    let documented = good(SAMPLE).settings;
    let defaults = good(&alpha("")).settings;
    assert_eq!(documented.server, defaults.server);
    assert_eq!(documented.admin, defaults.admin);
    assert_eq!(documented.store, defaults.store);
    assert_eq!(documented.api, defaults.api);
    assert_eq!(documented.engine, defaults.engine);
    assert_eq!(documented.upstream, defaults.upstream);
    assert_eq!(documented.log, defaults.log);
    assert_eq!(documented.limits, defaults.limits);
    assert_eq!(documented.terms, defaults.terms);
    assert_eq!(documented.accounts, defaults.accounts);
    assert_eq!(documented.policies[0].need, defaults.policies[0].need);
    let (first, other) = (&documented.providers[0], &defaults.providers[0]);
    assert_eq!(
        (&first.preset, first.exclusive, &first.budget, first.deadline, first.settle),
        (&other.preset, other.exclusive, &other.budget, other.deadline, other.settle)
    );
}

#[test]
fn the_defaults_are_these() {
    let settings = good(&alpha("")).settings;
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:5080");
    assert_eq!(settings.admin.listen.to_string(), "127.0.0.1:5081");
    assert_eq!(settings.store, StoreUrl::Sqlite("/etc/pinfold/pinfold.db".into()));
    assert_eq!(settings.api.accept_wait, Duration::from_secs(1));
    assert_eq!(settings.api.default_status, StatusSet::EMPTY.with(Status::Pinned));
    assert_eq!(settings.engine, Timing::default());
    assert_eq!(settings.policies[0].copies, Copies { min: 1, max: 1 });
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let source = r#"server: { listen: localhost }
admin: { listen: 0.0.0.0:5081 }
stor: { url: "sqlite:pinfold.db" }
api:
  accept_wait: soon
  default_status: [pinned, quued]
accounts:
  - name: Default
    limits: { read: fast }
    tokens: [ { name: laptop, secret: hunter2, secret_env: PINFOLD_TOKEN } ]
providers:
  - { name: alpha, endpont: "http://127.0.0.1:3101", token_env: ALPHA_TOKEN }
  - { name: beta, endpoint: "https://127.0.0.1/pins", token_env: MISSING }
policies:
  - { name: default, copies: 3, pinned_when: 4, providers: [alpha, beta] }
"#;
    insta::assert_snapshot!(bad(source), @"
    config.yaml:1:19: server.listen: not an address to listen at; write IP:PORT, such as 127.0.0.1:5080 or [::]:5080
    config.yaml:2:18: admin.listen: the admin listener would be open to others, without a token or certificate to know operators by; write a loopback address, such as 127.0.0.1:5081, or admin.tokens: [ { name: ops, scopes: [admin:write], secret_file: ops-token } ], or admin.certificates with admin.tls.client_ca
    config.yaml:3:1: stor: unknown key; did you mean `store`?
    config.yaml:5:16: api.accept_wait: not a span of time; write a number and its unit, such as 200ms, 1s, 5m or 2h
    config.yaml:6:28: api.default_status[1]: no such status; did you mean `queued`?
    config.yaml:8:11: accounts[0].name: not a name that can be used; write 1 to 64 of a-z, 0-9, `.`, `_` and `-`
    config.yaml:9:21: accounts[0].limits.read: not a rate; write calls and a time, such as 50/s or 10/min, or none
    config.yaml:10:60: accounts[0].tokens[0]: has secret and secret_env; keep exactly one of secret, secret_file, secret_env, sha256
    config.yaml:12:5: providers[0]: `endpoint` is missing; write endpoint: and the service's base address
    config.yaml:12:20: providers[0].endpont: unknown key; did you mean `endpoint`?
    config.yaml:13:29: providers[1].endpoint: ends in /pins, which is added to it; remove the /pins
    config.yaml:13:66: providers[1].token_env: the environment variable that it names is not set; set it, or correct its name
    config.yaml:15:30: policies[0].copies: asks for 3 copies at 2 providers; write at most 2, or list more providers
    config.yaml:15:46: policies[0].pinned_when: asks for 4 copies of the 3 that are kept; write at most 3
    ");
}

#[test]
fn each_mistake_is_told_with_what_to_write() {
    let told = |source: String, words: &str| {
        let text = bad(&source);
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    };
    let provider = |words: &str| with(words, "secret: t-laptop", "");
    told(
        provider("preset: pinata"),
        "6:5: providers[0]: has no secret; write one of token, token_file, token_env",
    );
    told(
        provider(&format!("{ENDPOINT}, token: a, token_env: B")),
        "has token and token_env; keep exactly one",
    );
    told(provider(&format!("{ENDPOINT}, token: ''")), "providers[0].token: the secret is empty");
    told(provider(&format!("{ENDPOINT}, token: a b")), "spaces");
    told(provider(&format!("{ENDPOINT}, token:")), "providers[0].token: has no value");
    told(provider(&format!("{ENDPOINT}, token: [a]")), "expected a single value, found a list");
    told(
        provider(&format!("{ENDPOINT}, token: a, quota: 2")),
        "quota: not supported by this version yet; remove it",
    );
    told(
        provider(&format!("{ENDPOINT}, token: a, budget: {{ concurrency: 0 }}")),
        "whole number from 1 to 1000",
    );
    told(
        provider(&format!("{ENDPOINT}, token: a, timeouts: {{ deadline: 500ms }}")),
        "providers[0].timeouts.deadline: too short a span; write at least 1s",
    );
    told(
        provider(&format!("{ENDPOINT}, token: a, timeouts: {{ settle: 2h }}")),
        "timeouts.settle: too long a span; write at most 1h",
    );
    told(provider(&format!("{ENDPOINT}, token: a, preset: generc")), "did you mean `generic`?");
    told(provider(&format!("{ENDPOINT}, token: a, exclusive: maybe")), "write true or false");
    told(provider("endpoint: \"http://127.0.0.1/?key=hunter2\", token: a"), "remove everything from the `?`");
    told(provider("token: a"), "`endpoint` is missing");
    told(alpha("polices: []\n"), "polices: unknown key; did you mean `policies`?");
    told(
        alpha("policies:\n  - { name: default, copies: 2 }\n"),
        "policies[0].copies: asks for 2 copies at 1 providers; write at most 1",
    );
    told(alpha("policies:\n  - { name: default, copies: { min: 1 } }\n"), "`max` is missing");
    told(alpha("policies:\n  - { name: default, copies: 0 }\n"), "write a number, `all`, or");
    told(
        alpha("policies:\n  - { name: default, copies: 1, pinned_when: 2 }\n"),
        "asks for 2 copies of the 1 that are kept",
    );
    told(alpha("policies:\n  - { name: default, copies: 1, providers: [alpah] }\n"), "did you mean `alpha`?");
    told(alpha("policies:\n  - { name: default, copies: 1, providers: [alpha, alpha] }\n"), "listed twice");
    told(
        alpha("policies:\n  - { name: other, copies: 1 }\n"),
        "names no policy, and there is none called `default`",
    );
    told(alpha("store: { url: \"postgres://db\" }\n"), "PostgreSQL is not supported by this version yet");
    told(
        alpha("api: { fallback_delegates: [/ip4/1.2.3.4/tcp/4001] }\n"),
        "api.fallback_delegates[0]: not an address of a peer",
    );
    told(alpha("server: [1]\n"), "expected a map, found a list");
    told(alpha("server: {}\nserver: {}\n"), "8:1: the key `server` is given twice");
    told(with(&format!("{ENDPOINT}, token: a"), "sha256: abc", ""), "write what `pinfold token hash` prints");
}

#[test]
fn a_file_with_nothing_in_it_is_told_what_to_write() {
    let text = bad("");
    assert!(text.contains("no provider is given; write providers:"), "{text}");
    assert!(text.contains("no account is given; write accounts:"), "{text}");
}

#[test]
fn two_tokens_may_not_share_a_secret_nor_two_providers_a_credential() {
    let hash = format!("{:x}", TokenHash::of("t-laptop"));
    let token = format!("secret: t-laptop }}\n      - {{ name: phone, sha256: {hash}");
    let provider =
        format!("{ENDPOINT}, token: a }}\n  - {{ name: beta, endpoint: \"http://127.0.0.1:3101/\", token: a");
    let text = bad(&with(&provider, &token, ""));
    assert!(text.contains("accounts[0].tokens[1]: has the same secret as accounts[0].tokens[0]"), "{text}");
    assert!(text.contains("providers[1]: has the endpoint and credential of providers[0]"), "{text}");
}

#[test]
fn one_name_is_given_once() {
    let token = "secret: one }\n      - { name: laptop, secret: two";
    let provider = format!("{ENDPOINT}, token: a }}\n  - {{ name: alpha, {ENDPOINT}, token: b");
    let text = bad(&with(&provider, token, ""));
    assert!(
        text.contains("accounts[0].tokens[1].name: accounts[0].tokens[0] is called `laptop` too"),
        "{text}"
    );
    assert!(text.contains("providers[1].name: providers[0] is called `alpha` too"), "{text}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let source = alpha("server: { listen: 127.0.0.1:1 }\nlog: { filter: warn }\n");
    let environment = environment([
        ("PINFOLD_SERVER_LISTEN", "127.0.0.1:2"),
        ("PINFOLD_STORE_URL", "sqlite:/var/lib/p.db"),
        ("PINFOLD_API_ACCEPT_WAIT", "0"),
        ("PINFOLD_API_DEFAULT_STATUS", "queued, pinning"),
        ("PINFOLD_LOG", "debug"),
        ("PINFOLD_LOG_FORMAT", "json"),
    ]);
    let settings = read(&source, &environment).expect("a good configuration").settings;
    assert_eq!(settings.server.listen.port(), 2);
    assert_eq!(settings.store.to_string(), "sqlite:/var/lib/p.db");
    assert_eq!(settings.api.accept_wait, Duration::ZERO);
    assert_eq!(settings.api.default_status, [Status::Queued, Status::Pinning].into_iter().collect());
    assert_eq!((settings.log.filter.as_str(), settings.log.format), ("debug", LogFormat::Json));
}

#[test]
fn a_wrong_variable_is_told_by_its_name() {
    let problems = read(&alpha(""), &environment([("PINFOLD_ADMIN_LISTEN", "0.0.0.0:5081")]));
    let text = problems.expect_err("an open admin listener").to_string();
    assert!(text.starts_with("config.yaml: PINFOLD_ADMIN_LISTEN: the admin listener"), "{text}");
}

#[test]
fn a_stray_variable_is_a_warning_unless_a_key_names_it() {
    let source = with(&format!("{ENDPOINT}, token: a"), "secret_env: PINFOLD_TOKEN", "");
    let environment = environment([("PINFOLD_SERVER_LISTN", "x"), ("PINFOLD_WHATEVER", "x")]);
    let warnings = read(&source, &environment).expect("a good configuration").warnings;
    let lines: Vec<_> = warnings.iter().map(|warning| warning.line("f")).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].ends_with("did you mean PINFOLD_SERVER_LISTEN?"), "{lines:?}");
    assert!(lines[1].ends_with("unset it"), "{lines:?}");
}

#[test]
fn idle_providers_and_accounts_without_tokens_are_warned_of() {
    let source = "accounts: [ { name: default } ]\nproviders:\n  - { name: alpha, endpoint: 'http://a', token: a }\n  \
                  - { name: beta, endpoint: 'http://b', token: a }\npolicies: [ { name: default, copies: 1, providers: [alpha] } ]\n";
    let loaded = read(source, &Environment::default()).expect("a good configuration");
    let paths: Vec<_> = loaded.warnings.into_iter().map(|warning| warning.path).collect();
    assert_eq!(paths, ["accounts[0]", "providers[1]"]);
}

#[test]
fn a_choice_by_cost_where_nothing_has_one_is_warned_of() {
    let told = |entry: &str| {
        let rest = "policies: [ { name: default, copies: 1, choose: cheapest } ]\n";
        let loaded = good(&with(&format!("{ENDPOINT}, token: a{entry}"), "secret: t", rest));
        loaded.warnings.into_iter().find(|warning| warning.path == "policies[0].choose")
    };
    assert!(told("").is_some_and(|warning| warning.what.starts_with("none of its providers has a cost")));
    assert_eq!(told(", cost: 0.15"), None);
}

#[test]
fn copies_may_be_all_or_a_range() {
    let two = format!("{ENDPOINT}, token: a }}\n  - {{ name: beta, {ENDPOINT}, token: b");
    let read = |copies: &str| {
        let rest = format!("policies:\n  - {{ name: default, copies: {copies} }}\n");
        good(&with(&two, "secret: t", &rest)).settings.policies[0].copies
    };
    assert_eq!(read("all"), Copies { min: 2, max: 2 });
    assert_eq!(read("{ min: 1, max: 2 }"), Copies { min: 1, max: 2 });
}

#[test]
fn a_provider_may_have_timeouts_of_its_own() {
    let own = format!("{ENDPOINT}, token: a, timeouts: {{ deadline: 4s, settle: 1s }}");
    let entry = &good(&with(&own, "secret: t", "")).settings.providers[0];
    assert_eq!((entry.deadline, entry.settle), (Duration::from_secs(4), Duration::from_secs(1)));
    let entry = &good(&alpha("")).settings.providers[0];
    assert_eq!((entry.deadline, entry.settle), (entry.preset.deadline(), entry.preset.settle()));
}

#[test]
fn a_secret_file_is_read_beside_the_config_or_from_the_credentials_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    let credentials = tempfile::tempdir().expect("a folder");
    let put = |folder: &Path, secret: &str, mode: u32| {
        let file = folder.join("alpha.token");
        fs::write(&file, secret).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("set");
    };
    let source = with(&format!("{ENDPOINT}, token_file: alpha.token"), "secret: t", "");
    let environment = environment([("CREDENTIALS_DIRECTORY", credentials.path().to_str().expect("UTF-8"))]);
    let read = || {
        let loaded = parse("config.yaml", &source, folder.path(), &environment);
        loaded.map(|loaded| token(&loaded.settings.providers[0]))
    };
    let told = || read().expect_err("a wrong file").to_string();
    assert!(told().contains("there is no such file"));
    put(folder.path(), "beside\r\n\n", 0o600);
    assert_eq!(read().as_deref(), Ok("beside"));
    put(folder.path(), "beside", 0o640);
    let hint = format!("run: chmod 600 {}", folder.path().join("alpha.token").display());
    assert!(told().contains(&hint), "{}", told());
    put(credentials.path(), "credential\n", 0o400);
    assert_eq!(read().as_deref(), Ok("credential"));
    put(credentials.path(), "shared by a mask", 0o440);
    assert!(told().contains("spaces"), "{}", told());
    fs::remove_file(credentials.path().join("alpha.token")).expect("removed");
    put(folder.path(), "\n", 0o600);
    assert!(told().contains("the secret is empty"));
}

#[test]
fn who_can_do_without_secrets_is_told_which_could_not_be_had() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.yaml");
    let two = format!("{ENDPOINT}, token_file: none }}\n  - {{ name: beta, {ENDPOINT}, token_env: NONE");
    let rest = "admin: { tls: { cert: none.pem, key: none.pem } }\n";
    fs::write(&file, with(&two, "secret_file: none", rest)).expect("written");
    assert!(load(&file, &Environment::default()).is_err());
    let loaded = load_past_secrets(&file, &Environment::default()).unwrap_or_else(|all| panic!("{all}"));
    let unread: Vec<_> =
        loaded.unread.iter().map(|unread| (unread.problem.path.as_str(), unread.is_hidden)).collect();
    let expected = [
        ("providers[0].token_file", false),
        ("providers[1].token_env", true),
        ("accounts[0].tokens[0].secret_file", false),
        ("admin.tls.cert", false),
    ];
    assert_eq!(unread, expected);
    assert!(loaded.lacks_credential_of("alpha") && !loaded.lacks_credential_of("gamma"));
    let again = load_past_secrets(&file, &Environment::default()).expect("as before").settings;
    assert_ne!(loaded.settings.tokens[0].sha256, again.tokens[0].sha256, "nobody can know it");
    fs::write(&file, with(ENDPOINT, "secret: t", "")).expect("written");
    assert!(load_past_secrets(&file, &Environment::default()).is_err(), "what is not said is missing still");
}

#[test]
fn a_file_in_a_folder_is_the_credential_that_systemd_makes_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let credentials = tempfile::tempdir().expect("a folder");
    let file = credentials.path().join("secrets_alpha");
    fs::write(&file, "credential").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).expect("set");
    let environment = environment([("CREDENTIALS_DIRECTORY", credentials.path().to_str().expect("UTF-8"))]);
    let source = with(&format!("{ENDPOINT}, token_file: secrets/alpha"), "secret: t", "");
    let loaded = parse("config.yaml", &source, folder.path(), &environment);
    assert_eq!(token(&loaded.expect("a good one").settings.providers[0]), "credential");
}

#[test]
fn a_missing_file_is_an_error() {
    let problems = load(Path::new("/nowhere/config.yaml"), &Environment::default());
    let text = problems.expect_err("no file").to_string();
    assert!(text.starts_with("/nowhere/config.yaml: cannot be read: No such file"), "{text}");
}

#[test]
fn the_effective_settings_are_a_configuration_again() {
    let text = good(SAMPLE).settings.effective();
    assert!(text.contains("secret: \"***\"") && text.contains("token: \"***\""), "{text}");
    let again = good(&text.replacen("\"***\"", "t-laptop", 1)).settings;
    assert_eq!(again.effective(), text);
}

#[test]
fn excerpts_cover_what_may_be_secret() {
    let source = "# hunter2\nadmin: { listen: 0.0.0.0:1 } # hunter2\nproviders:\n  - { name: alpha, endpont: hunter2, token: hunter2 }\n";
    let drawn = read(source, &environment([])).expect_err("mistakes").drawn(false);
    assert!(drawn.contains("name: alpha, endpont: *******"), "{drawn}");
    assert!(!drawn.contains("hunter2"), "{drawn}");
}

/// Every way in which a configuration may be shown.
fn shown(result: &Result<Loaded, Problems>) -> String {
    match result {
        Ok(loaded) => format!("{loaded:?}\n{:#?}\n{}", loaded, loaded.settings.effective()),
        Err(problems) => format!("{problems}\n{problems:?}\n{problems:#?}\n{}", problems.drawn(true)),
    }
}

#[test]
fn a_secret_in_any_place_is_never_shown() {
    const SECRET: &str = "Hunter2!Hunter2";
    let hash = format!("{:x}", TokenHash::of(SECRET));
    for token in ["secret", "secret_env", "secret_file", "sha256", "secrt", "name"] {
        for provider in ["token", "token_env", "token_file", "tokn", "account", "preset", "endpoint"] {
            for mistake in ["", "unknwon: 1\n"] {
                let source = with(
                    &format!("{ENDPOINT}, {provider}: {SECRET}"),
                    &format!("{token}: {SECRET}"),
                    mistake,
                );
                let text = shown(&read(&source, &environment([])));
                let public =
                    text.replace(&format!("name: {SECRET}"), "").replace(&format!("preset: {SECRET}"), "");
                assert!(!public.contains(SECRET) && !public.contains(&hash), "{token} {provider}\n{text}");
            }
        }
    }
    let named =
        environment([("PINFOLD_TOKEN", SECRET), ("PINFOLD_ODD", SECRET), ("PINFOLD_LOG_FORMAT", SECRET)]);
    assert!(!shown(&read(SAMPLE, &named)).contains(SECRET));
    assert!(!format!("{named:?}").contains(SECRET));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(source in "[a-z:{}\\[\\]\\-,\"'#&*!|> \n\t0-9é]{0,200}") {
        let result = read(&source, &environment([]));
        prop_assert!(!shown(&result).is_empty());
    }

    #[test]
    fn no_change_of_the_sample_makes_the_reader_panic(at in 0..SAMPLE.len(), with in "[a-z:{}\\[\\],\"'#&*\n é]{0,3}") {
        let mut source = SAMPLE.to_owned();
        if source.is_char_boundary(at) {
            source.insert_str(at, &with);
        }
        prop_assert!(!shown(&read(&source, &environment([]))).is_empty());
    }
}

#[test]
fn an_account_has_a_weight() {
    let account = |words: &str| {
        let tokens = "tokens: [ { name: laptop, secret: t-laptop } ]";
        format!(
            "accounts: [ {{ name: default, {words}{tokens} }} ]\nproviders: [ {{ name: alpha, {ENDPOINT}, token: a }} ]"
        )
    };
    assert_eq!(good(&account("")).settings.accounts[0].weight.get(), 1);
    assert_eq!(good(&account("weight: 100, ")).settings.accounts[0].weight.get(), 100);
    for weight in ["0", "101", "-1", "1.5", "much"] {
        let text = bad(&account(&format!("weight: {weight}, ")));
        assert!(
            text.contains(
                "accounts[0].weight: not a number that can be used; write a whole number from 1 to 100"
            ),
            "{text}"
        );
    }
}

#[test]
fn a_provider_is_dead_after_what_its_entry_says_else_the_engine_else_a_week() {
    let dies = |provider: &str, rest: &str| {
        let source = with(&format!("{ENDPOINT}, token: a{provider}"), "secret: t-laptop", rest);
        good(&source).settings.providers[0].facts.dies_after().as_secs()
    };
    assert_eq!(dies("", ""), 7 * 86_400);
    assert_eq!(dies("", "engine: { declare_dead_after: 2d }\n"), 2 * 86_400);
    assert_eq!(dies(", declare_dead_after: 1h", "engine: { declare_dead_after: 2d }\n"), 3600);
}
