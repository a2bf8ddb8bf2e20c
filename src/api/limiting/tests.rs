//! What clients see of limits and quotas.

use std::{net::IpAddr, time::Duration};

use axum::body::Body;
use http::{Method, Request, header};

use crate::{
    api::double::{ACCOUNT, Answer, CID, House, NOBODY, Script, request},
    limits::{Caps, Limit, Settings},
    model::{AccountId, OverQuota, Peer, QuotaKind},
    store::StoreError,
};

/// Seconds since 1970 of the houses' clock.
const NOW: u64 = 1_700_000_000;
const SECOND: Duration = Duration::from_secs(1);

fn limit(rate: &str, burst: u32) -> Option<Limit> {
    Some(Limit::new(rate.parse().unwrap(), burst).unwrap())
}

fn reads(rate: &str, burst: u32) -> Settings {
    let each_token = Caps { read: limit(rate, burst), write: None };
    Settings { each_token, ..Settings::default() }
}

fn add() -> String {
    format!(r#"{{"cid":"{CID}"}}"#)
}

/// Limit, remaining and reset.
fn shown(answer: &Answer) -> Option<[u64; 3]> {
    let number = |name: &str| answer.headers.get(name)?.to_str().ok()?.parse().ok();
    let [limit, remaining, reset] =
        ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"].map(number);
    Some([limit?, remaining?, reset?])
}

fn retry_after(answer: &Answer) -> Option<&str> {
    answer.headers.get(header::RETRY_AFTER).map(|value| value.to_str().unwrap())
}

fn count(house: &House, series: &str) -> u64 {
    let metrics = house.metrics.render();
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| {
        panic!("{series} is not in\n{metrics}");
    });
    line.trim().parse().unwrap()
}

/// A request from an address, with a token that may be wrong.
fn from(address: &str, token: &str) -> Request<Body> {
    let mut request = request(Method::GET, "/pins", token, "");
    let address: IpAddr = address.parse().unwrap();
    request.extensions_mut().insert(Peer::at(address));
    request
}

#[tokio::test]
async fn over_its_limit_a_token_gets_429_and_is_told_when_to_come_again() {
    let house = House::with_limits(&reads("10/min", 2));
    let first = house.get("/pins").await;
    assert_eq!((first.status.as_u16(), shown(&first)), (200, Some([2, 1, NOW + 6])));
    assert_eq!(retry_after(&first), None);
    house.get("/pins").await;
    house.ticks.advance(Duration::from_millis(100));
    let refused = house.get("/pins").await;
    let details = refused.failure(429, "TOO_MANY_REQUESTS");
    assert!(details.starts_with("this token may send read requests at 10/min, 2 at once: try again in 6 s"));
    assert_eq!(retry_after(&refused), Some("6"), "5.9 s, rounded up");
    assert_eq!(shown(&refused), Some([2, 0, NOW + 12]));
    let asked = house.store.asked().len();
    assert_eq!(asked, 2, "the store is not asked");
    assert_eq!(count(&house, r#"pinfold_http_rejections_total{reason="rate_limit"}"#), 1);
    let series = r#"pinfold_rate_limited_requests_total{class="read",limit="token",outcome="refused"}"#;
    assert_eq!(count(&house, series), 1);
    house.ticks.advance(SECOND * 6);
    assert_eq!(house.get("/pins").await.status, 200);
}

#[tokio::test]
async fn every_answer_to_a_known_token_tells_how_it_stands_and_others_do_not() {
    let house = House::new();
    let id = house.add().await;
    for (method, path, body) in [
        (Method::GET, "/pins".to_owned(), String::new()),
        (Method::GET, "/pins?limit=0".to_owned(), String::new()),
        (Method::GET, format!("/pins/{NOBODY}"), String::new()),
        (Method::POST, "/pins".to_owned(), "{".to_owned()),
        (Method::POST, "/pins".to_owned(), add()),
        (Method::DELETE, format!("/pins/{id}"), String::new()),
    ] {
        let answer = house.ask(method, &path, &body).await;
        let [limit, remaining, reset] = shown(&answer).expect("the headers");
        assert!(remaining < limit && reset >= NOW, "{path}");
    }
    house.store.follow(Script::Panic);
    assert!(shown(&house.get("/pins").await).is_some());
    assert_eq!(shown(&house.send(request(Method::GET, "/pins", "wrong", "")).await), None);
    assert_eq!(shown(&house.ask(Method::OPTIONS, "/pins", "").await), None);
}

#[tokio::test]
async fn writes_have_a_limit_of_their_own_and_deletes_are_writes() {
    let each_token = Caps { read: None, write: limit("1/s", 2) };
    let house = House::with_limits(&Settings { each_token, ..Settings::default() });
    let id = house.add().await;
    assert_eq!(house.ask(Method::DELETE, &format!("/pins/{id}"), "").await.status, 202);
    let details = house.ask(Method::POST, "/pins", &add()).await.failure(429, "TOO_MANY_REQUESTS");
    assert!(details.contains("write requests"), "{details}");
    let read = house.get("/pins").await;
    assert_eq!((read.status.as_u16(), shown(&read)), (200, None), "reads have no limit here");
}

#[tokio::test]
async fn an_accounts_tokens_share_its_limit() {
    let accounts = [(ACCOUNT, Caps { read: limit("1/s", 3), write: None })].into();
    let house = House::with_limits(&Settings { accounts, ..reads("1/s", 2) });
    let read = |token: &'static str| house.send(request(Method::GET, "/pins", token, ""));
    assert_eq!(shown(&read("one").await), Some([2, 1, NOW + 1]), "the tighter of both");
    assert_eq!(read("one").await.status, 200);
    assert!(read("one").await.failure(429, "TOO_MANY_REQUESTS").starts_with("this token"));
    assert_eq!(read("reader").await.status, 200);
    let details = read("reader").await.failure(429, "TOO_MANY_REQUESTS");
    assert!(details.starts_with("all tokens of this account together"), "{details}");
    assert_eq!(read("two").await.status, 200);
    let series = r#"pinfold_rate_limited_requests_total{class="read",limit="account",outcome="refused"}"#;
    assert_eq!(count(&house, series), 1);
}

#[tokio::test]
async fn in_shadow_mode_it_is_counted_and_served() {
    let house = House::with_limits(&Settings { shadow: true, ..reads("1/s", 1) });
    house.get("/pins").await;
    let over = house.get("/pins").await;
    assert_eq!((over.status.as_u16(), shown(&over)), (200, Some([1, 0, NOW + 1])));
    assert_eq!(retry_after(&over), None);
    let series = r#"pinfold_rate_limited_requests_total{class="read",limit="token",outcome="shadowed"}"#;
    assert_eq!(count(&house, series), 1);
    assert_eq!(count(&house, r#"pinfold_http_rejections_total{reason="rate_limit"}"#), 0);
}

#[tokio::test]
async fn who_fails_to_log_in_too_often_gets_429_and_good_tokens_from_there_are_served() {
    let house = House::with_limits(&Settings { failed_logins: limit("10/min", 2), ..Settings::default() });
    for _ in 0..2 {
        house.send(from("192.0.2.1", "wrong")).await.failure(401, "UNAUTHORIZED");
    }
    let refused = house.send(from("192.0.2.1", "wrong")).await;
    let details = refused.failure(429, "TOO_MANY_REQUESTS");
    assert!(details.contains("missing or invalid") && details.contains("try again in 6 s"), "{details}");
    assert_eq!((retry_after(&refused), shown(&refused)), (Some("6"), Some([2, 0, NOW + 12])));
    assert_eq!(house.send(from("192.0.2.1", "one")).await.status, 200, "a neighbour behind the same address");
    house.send(from("192.0.2.2", "wrong")).await.failure(401, "UNAUTHORIZED");
    let series = r#"pinfold_rate_limited_requests_total{class="read",limit="login",outcome="refused"}"#;
    assert_eq!(count(&house, series), 1);
    house.ticks.advance(SECOND * 6);
    house.send(from("192.0.2.1", "wrong")).await.failure(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_good_token_that_may_not_do_it_is_no_failed_login() {
    let house = House::with_limits(&Settings { failed_logins: limit("10/min", 1), ..Settings::default() });
    for _ in 0..3 {
        house.send(request(Method::POST, "/pins", "reader", &add())).await.failure(403, "FORBIDDEN");
    }
    house.send(request(Method::GET, "/pins", "wrong", "")).await.failure(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn new_limits_hold_from_the_next_request_on() {
    let house = House::with_limits(&reads("1/min", 1));
    house.get("/pins").await;
    house.get("/pins").await.failure(429, "TOO_MANY_REQUESTS");
    house.limits.replace(&reads("1/min", 3));
    assert_eq!(shown(&house.get("/pins").await), Some([3, 2, NOW + 60]));
    let accounts = [(AccountId(2), Caps::default())].into();
    house.limits.replace(&Settings { accounts, ..reads("1/min", 3) });
    assert_eq!(shown(&house.get("/pins").await), Some([3, 1, NOW + 120]), "this one stayed as it was");
}

/// What Kubo does (core/commands/pin/remotepin.go): `pin remote add` posts, gets at once and then every 500 ms without
/// end; `service ls --stat` sends four lists at once. It retries nothing, so that one 429 ends a command.
#[tokio::test]
async fn a_kubo_with_a_hundred_waiting_adds_never_meets_the_defaults() {
    let house = House::with_limits(&Settings::default());
    let mut waiting = Vec::new();
    for _ in 0..100 {
        waiting.push(format!("/pins/{}", house.add().await));
    }
    for turn in 0..60 {
        for pin in &waiting {
            assert_eq!(house.get(pin).await.status, 200, "turn {turn}");
        }
        if turn % 10 == 0 {
            for status in ["queued", "pinning", "pinned", "failed"] {
                assert_eq!(house.get(&format!("/pins?limit=1&status={status}")).await.status, 200);
            }
        }
        house.ticks.advance(Duration::from_millis(500));
    }
    assert_eq!(count(&house, r#"pinfold_http_rejections_total{reason="rate_limit"}"#), 0);
}

#[tokio::test]
async fn over_its_quota_an_account_gets_409_and_reads_which_and_what_to_do() {
    let house = House::new();
    let id = house.add().await;
    type Case = (fn() -> StoreError, &'static str);
    let cases: [Case; 3] = [
        (|| over(QuotaKind::Pins, 10, 10), "may have 10 pins and has 10: delete pins"),
        (|| over(QuotaKind::PinsPerDay, 5, 5), "5 pins a day and has done so 5 times since midnight UTC"),
        (|| over(QuotaKind::MetaBytes, 1 << 30, 7), "may take 1073741824 bytes in all and takes 7"),
    ];
    for (error, words) in cases {
        house.store.follow(Script::Fail(error));
        for path in ["/pins".to_owned(), format!("/pins/{id}")] {
            let answer = house.ask(Method::POST, &path, &add()).await;
            let details = answer.failure(409, "INSUFFICIENT_FUNDS");
            assert!(details.contains(words) && details.contains("operator"), "{details}");
        }
    }
    assert_eq!(count(&house, r#"pinfold_http_rejections_total{reason="quota"}"#), 6);
    assert_eq!(count(&house, r#"pinfold_account_requests_total{account="one",code="409"}"#), 6);
}

fn over(quota: QuotaKind, most: u64, used: u64) -> StoreError {
    StoreError::OverQuota(OverQuota { quota, most, used })
}
