//! W3IPFS.

use super::*;
use crate::model::Span;

const LOGIN: &str = "/api/auth/login";
const REFRESH: &str = "/api/auth/refresh";

struct Pair {
    access: String,
    refresh: String,
}

fn pair(answer: &client::Seen) -> Pair {
    let json = answer.json();
    assert_eq!((answer.code, json["status"].as_str()), (200, Some("success")));
    let text = |key: &str| json[key].as_str().unwrap().to_owned();
    Pair { access: text("access_token"), refresh: text("refresh_token") }
}

/// The claims of a JWT.
fn claims(token: &str) -> serde_json::Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&multibase::Base::Base64Url.decode(part).unwrap()).unwrap()
}

async fn log_in(caller: &Caller) -> Pair {
    pair(&caller.post(LOGIN, json!({ "email": USER, "password": PASSWORD })).await)
}

#[tokio::test]
async fn a_login_gives_a_pair_of_jwts_that_tell_their_ends() {
    let played = Played::new("w3ipfs").await;
    let nobody = played.caller.clone().with_authorization(None);
    let Pair { access, refresh } = log_in(&nobody).await;
    let now = 1_700_000_000;
    assert_eq!(claims(&access)["exp"], now + 15 * 60);
    assert!(claims(&refresh)["exp"].as_i64().unwrap() > now + 24 * 3600);
    assert_eq!(nobody.clone().with_token(&access).get("/api/psa/pins").await.code, 200);
    assert_eq!(nobody.clone().with_token(&refresh).list("").await.code, 401);
    assert_eq!(nobody.post(LOGIN, json!({ "email": USER, "password": "guess" })).await.code, 401);
    assert_eq!(nobody.get(LOGIN).await.code, 405);
}

#[tokio::test]
async fn an_access_token_is_401_when_its_life_is_over() {
    let played = Played::with("w3ipfs", |builder| {
        builder.behaviour(|is| is.access_life = Span(Duration::from_secs(60)))
    })
    .await;
    let caller = played.caller.clone().with_token(&log_in(&played.caller).await.access);
    played.pass(59);
    assert_eq!(caller.list("").await.code, 200);
    played.pass(1);
    assert_eq!(caller.list("").await.code, 401);
}

#[tokio::test]
async fn there_is_no_renewal_unless_it_is_switched_on() {
    let played = Played::new("w3ipfs").await;
    let Pair { refresh, .. } = log_in(&played.caller).await;
    assert_eq!(played.caller.post(REFRESH, json!({ "refresh_token": refresh })).await.code, 404);
    played.caller.post("/_sim/behaviour", json!({ "login": { "refresh_url": REFRESH } })).await;
    assert_eq!(played.caller.post(REFRESH, json!({ "refresh_token": refresh })).await.code, 200);
}

#[tokio::test]
async fn a_renewal_rotates_the_pair_and_is_counted() {
    let played = Played::with("w3ipfs", |builder| builder.refreshes_at(REFRESH)).await;
    let nobody = played.caller.clone().with_authorization(None);
    let old = log_in(&nobody).await;
    played.pass(15 * 60);
    let new = pair(&nobody.post(REFRESH, json!({ "refresh_token": old.refresh })).await);
    assert_eq!(nobody.post(REFRESH, json!({ "refresh_token": old.refresh })).await.code, 401);
    assert_eq!(nobody.clone().with_token(&old.access).list("").await.code, 401);
    assert_eq!(nobody.clone().with_token(&new.access).list("").await.code, 200);
    pair(&nobody.post(REFRESH, json!({ "refresh_token": new.refresh })).await);
    let counts = played.sim.counts();
    assert_eq!((counts.calls(Route::Login), counts.answered(Route::Refresh, 200)), (1, 2));
}

#[tokio::test]
async fn a_code_by_mail_logs_in_once() {
    let played = Played::with("w3ipfs", |builder| builder.behaviour(|is| is.codes_only = true)).await;
    let nobody = played.caller.clone().with_authorization(None);
    assert_eq!(nobody.post(LOGIN, json!({ "email": USER, "password": PASSWORD })).await.code, 401);
    assert_eq!(nobody.get("/api/auth/email_login/stranger@example.com").await.code, 401);
    assert_eq!(nobody.get("/api/auth/email_login/me%40example.com").await.code, 200);
    let code = played.sim.mailed_code().unwrap();
    assert_eq!(nobody.get("/_sim/mail").await.json(), json!({ "code": code }));
    pair(&nobody.post(LOGIN, json!({ "email": USER, "code": code })).await);
    assert_eq!(nobody.post(LOGIN, json!({ "email": USER, "code": code })).await.code, 401);
    assert_eq!(played.sim.counts().calls(Route::Mail), 2);
}

#[tokio::test]
async fn faults_can_be_aimed_at_the_log_in() {
    let played = Played::new("w3ipfs").await;
    played.sim.faults().next(1, Route::Login, Fault::status(503));
    assert_eq!(played.caller.post(LOGIN, json!({ "email": USER, "password": PASSWORD })).await.code, 503);
    log_in(&played.caller).await;
}

#[tokio::test]
async fn lists_have_a_limit_of_their_own() {
    let played = Played::new("w3ipfs").await;
    for _ in 0..60 {
        assert_eq!(played.caller.list("").await.code, 200);
    }
    assert_eq!(played.caller.list("").await.code, 429);
    assert_eq!(played.caller.add(1).await.code, 202);
}
