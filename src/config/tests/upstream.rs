//! Proxies and root certificates, by the file and by the environment.

use super::*;

fn with_lines(alpha: &str, rest: &str) -> String {
    format!(
        "accounts: [ {{ name: default, tokens: [ {{ name: laptop, secret: t-laptop }} ] }} ]\nproviders:\n  \
         - {{ name: alpha, endpoint: \"https://psa.example.com\", token: a{alpha} }}\n  \
         - {{ name: home, endpoint: \"http://127.0.0.1:5001\", token: b }}\n{rest}"
    )
}

/// The proxies of both providers.
fn ways<const N: usize>(source: &str, pairs: [(&str, &str); N]) -> [Option<String>; 2] {
    let loaded = read(source, &pairs.into_iter().collect()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.warnings, []);
    let [alpha, home] = loaded.settings.providers.try_into().unwrap();
    [alpha, home].map(|provider| provider.way.http.proxy.map(|proxy| proxy.to_string()))
}

#[test]
fn the_entry_goes_before_the_section_and_the_section_before_the_environment() {
    let machine = [("HTTPS_PROXY", "http://machine:1"), ("http_proxy", "http://plain:1")];
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(ways(&with_lines("", ""), []), [None, None]);
    assert_eq!(ways(&with_lines("", ""), machine), [some("http://machine:1"), None]);
    assert_eq!(ways(&with_lines("", ""), [("ALL_PROXY", "http://all:1")]), [some("http://all:1"), None]);
    let except = [("HTTPS_PROXY", "http://machine:1"), ("NO_PROXY", "example.com")];
    assert_eq!(ways(&with_lines("", ""), except), [None, None]);
    let section = "upstream: { proxy: \"http://ada:pw@section:1\" }";
    assert_eq!(ways(&with_lines("", section), machine), [some("http://***@section:1"), None]);
    assert_eq!(ways(&with_lines("", "upstream: { proxy: none }"), machine), [None, None]);
    let variable = [("PINFOLD_UPSTREAM_PROXY", "http://variable:1")];
    assert_eq!(ways(&with_lines("", section), variable), [some("http://variable:1"), None]);
    assert_eq!(ways(&with_lines(", proxy: none", section), machine), [None, None]);
    assert_eq!(ways(&with_lines(", proxy: \"own:1\"", section), machine), [some("http://own:1"), None]);
}

#[test]
fn a_wrong_way_is_told_with_its_place_and_without_its_password() {
    let told = |source: String, words: &str| {
        let text = bad(&source);
        assert!(text.contains(words) && !text.contains("hunter2"), "{words:?} is not in:\n{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    };
    let socks = ", proxy: \"socks5://ada:hunter2@own:1\"";
    told(
        with_lines(socks, ""),
        "providers[0].proxy: not an HTTP proxy: it is spoken to in plain HTTP; write http://HOST:PORT",
    );
    told(
        with_lines("", "upstream: { proxy: \"http://ada:hunter2@:\" }"),
        "upstream.proxy: not a proxy's address",
    );
    told(with_lines("", "upstream: { ca_file: nowhere.pem }"), "upstream.ca_file: the file cannot be read");
    told(with_lines("", "upstream: { connect_timeout: 1ms }"), "upstream.connect_timeout: too short a span");
    let socks = environment([("https_proxy", "socks5://ada:hunter2@x:1")]);
    let text = read(&with_lines("", ""), &socks).expect_err("no proxy that can be used").to_string();
    assert!(
        text.contains("providers[0]: the proxy that the environment names") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn roots_are_read_from_files_beside_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let pem = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert.pem();
    fs::write(dir.path().join("all.pem"), pem("all")).unwrap();
    fs::write(dir.path().join("own.pem"), pem("own")).unwrap();
    fs::write(dir.path().join("none.pem"), "hello").unwrap();
    let read = |source: &str| parse("config.yaml", source, dir.path(), &environment([]));
    let source = with_lines(", ca_file: own.pem", "upstream: { ca_file: all.pem }");
    let loaded = read(&source).unwrap();
    let [alpha, home] = loaded.settings.providers.clone().try_into().unwrap();
    assert_eq!(format!("{:?} {:?}", alpha.way.http.roots, home.way.http.roots), "Roots(2) Roots(1)");
    assert!(loaded.files.iter().any(|seen| seen.file == dir.path().join("own.pem")), "it is watched");
    let wrong = read(&with_lines(", ca_file: none.pem", "")).unwrap_err().to_string();
    assert!(wrong.contains("providers[0].ca_file: the file holds no certificate in PEM form"), "{wrong}");
    fs::write(dir.path().join("own.pem"), pem("another")).unwrap();
    let newer = read(&source).unwrap().settings;
    let changed: Vec<_> = loaded.settings.changed_providers(&newer).into_iter().collect();
    assert_eq!(changed, ["alpha"]);
}

#[test]
fn the_way_in_force_is_shown_without_its_password_and_another_one_is_noticed() {
    let of = |password: &str| {
        let own = format!(", proxy: \"http://ada:{password}@own:1\"");
        good(&with_lines(&own, "upstream: { proxy: \"http://ada:hunter2@all:1\" }")).settings
    };
    let (old, new) = (of("hunter2"), of("hunter3"));
    let shown = format!("{} {old:?}", old.effective());
    assert!(shown.contains("http://***@own:1") && shown.contains("http://***@all:1"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(old.changed_providers(&new).into_iter().collect::<Vec<_>>(), ["alpha"]);
    assert!(old.changed_providers(&of("hunter2")).is_empty());
}
