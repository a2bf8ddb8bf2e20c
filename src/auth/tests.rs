//! Who the gate lets in, and as whom.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use super::*;
use crate::model::{ManualClock, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn decl(account: i64, name: &str, secret: &str) -> TokenDecl {
    TokenDecl::of_account(AccountId(account), &format!("account-{account}"), name, TokenHash::of(secret))
}

fn gate_of(tokens: impl IntoIterator<Item = TokenDecl>) -> (Gate, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    (Gate::new(Tokens::new(tokens), clock.clone()), clock)
}

fn gate() -> Gate {
    gate_of([decl(1, "laptop", "one"), decl(1, "phone", "two"), decl(2, "ci", "three")]).0
}

fn headers(value: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value).expect("a header value"));
    headers
}

fn ask(header: &[u8]) -> Result<String, Unauthorized> {
    let principal = gate().authenticate(&headers(header), None)?;
    Ok(format!("{}/{}", principal.account_name, principal.token_name))
}

#[test]
fn each_token_stands_for_its_account_and_device() {
    assert_eq!(ask(b"Bearer one").as_deref(), Ok("account-1/laptop"));
    assert_eq!(ask(b"Bearer two").as_deref(), Ok("account-1/phone"));
    assert_eq!(ask(b"Bearer three").as_deref(), Ok("account-2/ci"));
}

#[test]
fn the_scheme_may_be_in_any_case_and_followed_by_several_spaces() {
    for header in ["bearer one", "BEARER one", "Bearer   one", "Bearer one "] {
        assert_eq!(ask(header.as_bytes()).as_deref(), Ok("account-1/laptop"), "{header}");
    }
}

#[test]
fn refusals_are_told_apart_inside() {
    assert_eq!(gate().authenticate(&HeaderMap::new(), None), Err(Unauthorized::Missing));
    assert_eq!(ask(b"Bearer four"), Err(Unauthorized::Unknown));
    assert_eq!(ask(b"Bearer One"), Err(Unauthorized::Unknown));
    for header in
        [&b"Basic one"[..], b"Bearer", b"Bearer ", b"Bearerone", b"one", b"", b"Bearer one two", b"\xff"]
    {
        assert_eq!(ask(header), Err(Unauthorized::Malformed), "{header:?}");
    }
}

#[test]
fn two_authorization_headers_are_refused_even_if_one_is_right() {
    let mut headers = HeaderMap::new();
    headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer one"));
    headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer two"));
    assert_eq!(gate().authenticate(&headers, None), Err(Unauthorized::Malformed));
    assert_eq!(gate().operator(&headers, None), Err(Unauthorized::Malformed));
}

#[test]
fn a_token_lets_in_until_the_moment_it_expires() {
    let token = TokenDecl { expires: Some(NOW.plus(Duration::from_secs(1))), ..decl(1, "laptop", "one") };
    let (gate, clock) = gate_of([token]);
    let ask = || gate.authenticate(&headers(b"Bearer one"), None).map(drop);
    assert_eq!(ask(), Ok(()));
    clock.advance(Duration::from_millis(999));
    assert_eq!(ask(), Ok(()));
    clock.advance(Duration::from_millis(1));
    assert_eq!(ask(), Err(Unauthorized::Expired));
    assert_eq!(gate.operator(&headers(b"Bearer one"), None), Err(Unauthorized::Expired));
}

#[test]
fn a_token_without_an_account_is_an_operators_only() {
    let scopes = Scopes::NONE.with(Scope::AdminRead);
    let (gate, _) = gate_of([TokenDecl { owner: None, scopes, ..decl(1, "scraper", "one") }]);
    let headers = headers(b"Bearer one");
    assert_eq!(gate.authenticate(&headers, None), Err(Unauthorized::NoAccount));
    let operator = gate.operator(&headers, None).unwrap();
    assert_eq!((&*operator.token_name, operator.scopes), ("scraper", scopes));
}

#[test]
fn what_is_declared_anew_counts_at_once() {
    let gate = gate();
    gate.declare(Tokens::new([decl(3, "new", "four")]));
    assert_eq!(gate.authenticate(&headers(b"Bearer one"), None).map(drop), Err(Unauthorized::Unknown));
    assert_eq!(gate.authenticate(&headers(b"Bearer four"), None).map(drop), Ok(()));
}

#[test]
fn debug_shows_neither_secret_nor_hash() {
    let decl = decl(1, "laptop", "hunter2");
    let hash = format!("{:x}", decl.sha256);
    for text in [format!("{decl:?}"), format!("{:?}", gate_of([decl.clone()]).0)] {
        assert!(!text.contains(&hash) && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_live_sender_is_found_by_account_and_name() {
    let ended = TokenDecl { expires: Some(NOW), ..decl(1, "old", "four") };
    let listed = TokenDecl { policies: vec!["archive".into()], ..decl(1, "laptop", "one") };
    let (gate, _) = gate_of([listed, decl(2, "ci", "three"), ended]);
    let policies = |account, name| gate.sender(account, name).map(|who| who.policies.clone());
    assert_eq!(policies("account-1", "laptop"), Some(vec!["archive".to_owned()]));
    assert_eq!(policies("account-2", "ci"), Some(Vec::new()));
    for (account, name) in [("account-2", "laptop"), ("account-1", "nobody"), ("account-1", "old")] {
        assert_eq!(policies(account, name), None, "{account} {name}");
    }
}
