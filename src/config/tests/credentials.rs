//! What provider entries give to log in with.

use super::*;

const LOGIN: &str = "login: { user: ada@example.com, password: correct horse }";

fn entry(words: &str) -> String {
    with(words, "secret: t-laptop", "")
}

fn credential(words: &str) -> Credential {
    good(&entry(words)).settings.providers[0].credential.clone()
}

#[test]
fn the_first_kind_of_the_preset_that_fits_what_is_given_is_taken() {
    let here = ENDPOINT;
    assert!(matches!(credential("preset: pinata, token: a"), Credential::Token(_)));
    assert!(matches!(credential(&format!("preset: w3ipfs, {LOGIN}")), Credential::Login(_)));
    assert!(matches!(credential("preset: w3ipfs, token: a"), Credential::Token(_)));
    assert!(matches!(
        credential(&format!("preset: ipfs-cluster, {here}, {LOGIN}")),
        Credential::Basic { .. }
    ));
    let asked = format!("preset: ipfs-cluster, {here}, auth: login, {LOGIN}");
    assert!(matches!(credential(&asked), Credential::Login(_)));
    assert!(matches!(credential(&format!("{here}, {LOGIN}")), Credential::Basic { .. }));
    assert!(matches!(credential(&format!("{here}, auth: none")), Credential::None));
    assert!(matches!(credential(&format!("preset: kubo, {here}")), Credential::None));
    let Credential::Login(login) = credential("preset: w3ipfs, login: { user: ada@example.com }") else {
        panic!("no login")
    };
    assert!(login.password.is_none() && login.user == "ada@example.com");
}

#[test]
fn what_does_not_fit_is_told_with_what_to_write() {
    for (words, told) in [
        ("preset: pinata", "has no secret; write one of token, token_file, token_env"),
        (
            ENDPOINT,
            "has no secret; write one of token, token_file, token_env, or login: { user: ..., password_env: ... }, or auth: none",
        ),
        ("preset: w3ipfs", "has no secret; write one of token, token_file, token_env, or login:"),
        (&format!("preset: pinata, {LOGIN}"), "Pinata takes no such login; write one of token"),
        (&format!("preset: w3ipfs, token: a, {LOGIN}"), "has a token and a login; keep one"),
        ("preset: pinata, token: a, auth: basic", "has no such way to log in; write bearer"),
        ("preset: pinata, token: a, auth: bearr", "did you mean `bearer`?"),
        (&format!("{ENDPOINT}, token: a, auth: none"), "has a credential, and auth: none"),
        (&format!("{ENDPOINT}, auth: basic"), "`login` is missing"),
        ("preset: w3ipfs, login: { password: a }", "`user` is missing"),
        ("preset: w3ipfs, login: { user: \"a:b\", password: a }", "login.user: not a user's name"),
        ("preset: w3ipfs, login: { user: a, password: a, password_env: B }", "keep exactly one of password"),
        ("preset: w3ipfs, login: { user: a, pasword: b }", "did you mean `password`?"),
        (&format!("{ENDPOINT}, auth: basic, login: {{ user: a }}"), "has no secret; write one of password"),
    ] {
        let text = bad(&entry(words));
        assert!(text.contains(told), "{told:?} is not in:\n{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn one_user_at_one_endpoint_is_one_provider_whatever_the_password() {
    let two = |user: &str| {
        let login = |user: &str, password: &str| {
            format!("preset: w3ipfs, login: {{ user: {user}, password: {password} }}")
        };
        entry(&format!("{} }}\n  - {{ name: beta, {}", login("ada", "a"), login(user, "b")))
    };
    assert!(bad(&two("ada")).contains("has the endpoint and credential of providers[0]"));
    good(&two("ben"));
}

/// Only warned of: an account may have several buckets with tokens of their own.
#[test]
fn one_account_at_one_endpoint_may_be_one_provider_whatever_the_credential() {
    let two = |account: &str| {
        let login = |user: &str, account: &str| {
            format!("preset: w3ipfs, login: {{ user: {user}, password: p }}, account: {account}")
        };
        entry(&format!("{} }}\n  - {{ name: beta, {}", login("ada", "ours"), login("ben", account)))
    };
    let warned = |account: &str| {
        let warnings = good(&two(account)).warnings;
        warnings.iter().any(|warning| {
            warning.what.contains("is of the account \"ours\" at the endpoint of providers[0]")
        })
    };
    assert!(warned("ours") && !warned("theirs"));
}

#[test]
fn the_account_of_a_login_is_its_user_unless_one_is_named() {
    let decl = |words: &str| good(&entry(words)).settings.providers[0].decl().fingerprint;
    let of = |user: &str, password: &str, more: &str| {
        decl(&format!("preset: w3ipfs, login: {{ user: {user}, password: {password} }}{more}"))
    };
    assert_eq!(of("ada", "a", ""), of("ada", "b", ""));
    assert_ne!(of("ada", "a", ""), of("ben", "a", ""));
    assert_eq!(of("ada", "a", ", account: team"), of("ben", "b", ", account: team"));
}

#[test]
fn logins_are_shown_without_their_passwords_and_read_again() {
    let both = format!(
        "preset: w3ipfs, {LOGIN} }}\n  - {{ name: beta, preset: ipfs-cluster, {ENDPOINT}, {LOGIN} }}\n  - {{ name: gamma, preset: w3ipfs, endpoint: \"http://a\", login: {{ user: ben }} }}\n  - {{ name: delta, endpoint: \"http://b\", auth: none"
    );
    let loaded = good(&entry(&both));
    let text = loaded.settings.effective();
    assert!(!shown(&Ok(loaded)).contains("correct horse"), "{text}");
    assert!(text.contains("login: { user: \"ada@example.com\", password: \"***\" }"), "{text}");
    assert!(text.contains("login: { user: \"ben\" }") && text.contains("auth: none"), "{text}");
    let again = good(&text.replacen("\"***\"", "t-laptop", 1)).settings;
    assert_eq!(again.effective(), text);
}
