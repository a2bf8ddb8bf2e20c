//! What tokens may be given, and what operators' tokens open.

use super::*;
use crate::model::{Scope, Scopes, Timestamp};

fn account_token(rest: &str) -> String {
    with(&format!("{ENDPOINT}, token: a"), &format!("secret: t-laptop{rest}"), "")
}

fn told(source: &str, words: &str) {
    let text = bad(source);
    assert!(text.contains(words), "{words:?} is not in:\n{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

const ADMIN: &str = "admin: { listen: \"0.0.0.0:5081\", tokens: [ { name: ops, secret: t-ops } ] }\n";

#[test]
fn a_token_says_what_it_may_and_until_when() {
    let plain = &good(&account_token("")).settings.tokens[0];
    assert_eq!((plain.scopes, plain.expires), (Scopes::NONE.with(Scope::PinsWrite), None));
    let source = account_token(", scopes: [pins:read, admin:read], expires: 2027-01-31, policies: [default]");
    let settings = good(&source).settings;
    let token = &settings.tokens[0];
    assert_eq!(token.scopes, Scopes::NONE.with(Scope::PinsRead).with(Scope::AdminRead));
    assert_eq!(token.expires, Some(Timestamp::from_millis(1_801_353_600_000)));
    assert_eq!(token.policies, ["default"]);
    let shown = settings.effective();
    let again = read(&shown.replace("***", "x"), &environment([])).map(|loaded| loaded.settings.effective());
    assert!(again.is_ok_and(|again| again == shown), "{shown}");
}

#[test]
fn a_scope_an_end_or_a_policy_that_is_none_is_told() {
    told(&account_token(", scopes: [pins]"), "tokens[0].scopes[0]: not a scope; write a list of pins:read");
    told(&account_token(", scopes: []"), "names no scope");
    told(&account_token(", expires: 90d"), "expires: not a date; write a date such as 2027-01-31");
    told(&account_token(", policies: [defualt]"), "did you mean `default`?");
}

#[test]
fn operators_tokens_let_the_admin_listener_be_reached_by_others() {
    told(&alpha("admin: { listen: \"0.0.0.0:5081\" }\n"), "admin.listen: the admin listener would be open");
    let settings = good(&alpha(ADMIN)).settings;
    assert_eq!(settings.admin.listen.to_string(), "0.0.0.0:5081");
    let ops = settings.tokens.iter().find(|token| token.account.is_none()).expect("an operator's token");
    assert_eq!((ops.name.as_str(), ops.scopes), ("ops", Scopes::NONE.with(Scope::AdminRead)));
    assert!(settings.effective().contains("tokens:\n      - { name: \"ops\", secret: \"***\""));
}

#[test]
fn an_operators_token_has_no_pins_and_a_secret_of_its_own() {
    let scopes = ADMIN.replace("t-ops", "t-ops, scopes: [pins:read]");
    told(&alpha(&scopes), "a token of admin.tokens has no pins; move the token to the account");
    told(&alpha(&ADMIN.replace("t-ops", "t-laptop")), "has the same secret as accounts[0].tokens[0]");
}

#[test]
fn operators_tokens_are_taken_up_without_a_restart() {
    let (old, new) = (good(&alpha(ADMIN)).settings, good(&alpha(&ADMIN.replace("t-ops", "t-new"))).settings);
    let changes = old.changes(&new);
    let told: Vec<_> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["admin.tokens[ops].secret: another secret"]);
    assert!(!changes[0].needs_restart());
    assert_eq!(old.taken_up(new.clone()).tokens, new.tokens);
}
