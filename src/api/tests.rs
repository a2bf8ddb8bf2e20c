//! What holds for every request, whatever it asks for.

use std::{collections::BTreeSet, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Method, Request, header};

use super::{
    Settings,
    double::{Answer, CID, House, NOBODY, Script, request},
};
use crate::{store::StoreError, telemetry::logging::tests::captured};

fn pin_json() -> String {
    format!(r#"{{"cid":"{CID}"}}"#)
}

fn assert_open(answer: &Answer) {
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    let exposed = answer.headers["access-control-expose-headers"].to_str().unwrap();
    for name in ["Retry-After", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"] {
        assert!(exposed.contains(name));
    }
    assert!(!answer.headers["x-request-id"].is_empty());
    assert!(!answer.status.is_redirection());
}

#[tokio::test]
async fn a_preflight_needs_no_token_on_any_path() {
    let house = House::new();
    for path in ["/pins", "//pins/", &format!("/pins/{NOBODY}"), "/api/v1/pins", "/", "/elsewhere"] {
        let preflight = Request::options(path).header("origin", "null").body(Body::empty()).unwrap();
        let answer = house.send(preflight).await;
        assert_eq!(answer.status, 204);
        assert_open(&answer);
        assert_eq!(answer.headers["access-control-allow-methods"], "GET, POST, DELETE, OPTIONS");
        assert_eq!(answer.headers["access-control-allow-headers"], "Authorization, Content-Type");
        assert_eq!(answer.headers["access-control-max-age"], "86400");
        assert!(answer.body.is_empty());
    }
    assert!(house.store.asked().is_empty());
}

#[tokio::test]
async fn a_token_that_only_reads_is_told_which_scope_it_lacks_to_write() {
    let house = House::new();
    let pin = house.add().await;
    let path = format!("/pins/{pin}");
    for read in ["/pins", path.as_str()] {
        assert_eq!(house.send(request(Method::GET, read, "reader", "")).await.status, 200);
        assert_eq!(house.send(request(Method::HEAD, read, "reader", "")).await.status, 200);
    }
    let asked = house.store.asked();
    for (method, path) in [(Method::POST, "/pins"), (Method::POST, &path), (Method::DELETE, &path)] {
        let body = if method == Method::POST { pin_json() } else { String::new() };
        let answer = house.send(request(method, path, "reader", &body)).await;
        assert!(answer.failure(403, "FORBIDDEN").contains("pins:write"));
        assert_open(&answer);
    }
    assert_eq!(house.store.asked(), asked);
}

#[tokio::test]
async fn without_a_good_token_there_is_401_and_the_store_is_not_asked() {
    let house = House::new();
    let bare = Request::get("/pins").body(Body::empty()).unwrap();
    let requests = [
        bare,
        request(Method::GET, "/pins", "wrong", ""),
        request(Method::GET, "/pins?limit=0", "", ""),
        request(Method::POST, "/pins", "wrong", &pin_json()),
        request(Method::GET, &format!("/pins/{NOBODY}"), "wrong", ""),
        request(Method::DELETE, "/pins/not-an-id", "wrong", ""),
    ];
    for request in requests {
        let answer = house.send(request).await;
        assert!(answer.failure(401, "UNAUTHORIZED").contains("Authorization: Bearer"));
        assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
        assert_open(&answer);
    }
    assert!(house.store.asked().is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_404_json() {
    let house = House::new();
    for path in ["/", "/pin", "/health", "/pins/a/b"] {
        let answer = house.get(path).await;
        assert!(answer.failure(404, "NOT_FOUND").contains("/pins/{requestid}"));
        assert_open(&answer);
    }
    for id in [NOBODY, "not-an-id", "%ff", "%00", &"x".repeat(5000)] {
        for (method, body) in [(Method::GET, ""), (Method::DELETE, ""), (Method::POST, &*pin_json())] {
            let answer = house.ask(method, &format!("/pins/{id}"), body).await;
            answer.failure(404, "NOT_FOUND");
            assert_open(&answer);
        }
    }
}

#[tokio::test]
async fn other_methods_are_405_with_allow() {
    let house = House::new();
    for (method, path, allow) in [
        (Method::DELETE, "/pins", "GET, HEAD, POST, OPTIONS"),
        (Method::DELETE, "/pins/", "GET, HEAD, POST, OPTIONS"),
        (Method::PUT, "/pins", "GET, HEAD, POST, OPTIONS"),
        (Method::PATCH, "/pins/x", "GET, HEAD, POST, DELETE, OPTIONS"),
        (Method::TRACE, "/pins/x", "GET, HEAD, POST, DELETE, OPTIONS"),
        (Method::from_bytes(b"QUERY").unwrap(), "/pins", "GET, HEAD, POST, OPTIONS"),
    ] {
        let answer = house.ask(method, path, "").await;
        assert!(answer.failure(405, "METHOD_NOT_ALLOWED").contains(allow));
        assert_eq!(answer.headers[header::ALLOW], allow);
        assert_open(&answer);
    }
}

#[tokio::test]
async fn careless_paths_mean_what_they_should_and_are_never_redirected() {
    let house = House::new();
    for path in ["/pins", "//pins", "/pins/", "/api/v1/pins", "/api//v1/pins//?limit=5"] {
        assert_eq!(house.get(path).await.status, 200, "{path}");
        assert_eq!(house.ask(Method::POST, path, &pin_json()).await.status, 202, "{path}");
    }
    let id = house.add().await.to_string();
    for path in
        [format!("//pins/{id}"), format!("/api/v1/pins/{id}/"), format!("/pins/{}", id.replace('-', "%2D"))]
    {
        assert_eq!(house.get(&path).await.requestid().to_string(), id, "{path}");
    }
}

#[tokio::test]
async fn bodies_of_another_kind_or_size_are_refused() {
    let house = House::with(Settings { body_limit: 100, accept_wait: Duration::ZERO, ..Settings::default() });
    let mut form = request(Method::POST, "/pins", "one", "cid=x");
    form.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    let answer = house.send(form).await;
    assert!(answer.failure(415, "UNSUPPORTED_MEDIA_TYPE").contains("application/json"));
    assert_open(&answer);
    let answer = house.ask(Method::POST, "/pins", &" ".repeat(101)).await;
    assert!(answer.failure(413, "PAYLOAD_TOO_LARGE").contains("100 bytes"));
    assert_open(&answer);
    let answer = house.ask(Method::POST, "/pins", "{").await;
    assert!(answer.failure(400, "BAD_REQUEST").contains("not JSON"));
    let mut untyped = request(Method::POST, "/pins", "one", &pin_json());
    untyped.headers_mut().remove("content-type");
    assert_eq!(house.send(untyped).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_408() {
    let house = House::new();
    let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
    let stalling =
        request(Method::POST, "/pins", "one", "").map(|_| Body::from_stream(first.chain(stream::pending())));
    let answer = house.send(stalling).await;
    answer.failure(408, "REQUEST_TIMEOUT");
    assert_open(&answer);
}

#[tokio::test]
async fn long_addresses_and_headers_are_refused() {
    let house = House::new();
    let answer = house.get(&format!("/pins?name={}", "x".repeat(20_000))).await;
    assert!(answer.failure(414, "URI_TOO_LONG").contains("16384"));
    assert_open(&answer);
    let mut large = request(Method::GET, "/pins", "one", "");
    large.headers_mut().insert("x-large", "x".repeat(40_000).parse().unwrap());
    house.send(large).await.failure(431, "HEADERS_TOO_LARGE");
    let mut many = request(Method::GET, "/pins", "one", "");
    for _ in 0..100 {
        many.headers_mut().append("x-many", "x".parse().unwrap());
    }
    house.send(many).await.failure(431, "HEADERS_TOO_LARGE");
}

#[tokio::test]
async fn what_the_store_cannot_do_is_told_without_its_causes() {
    type Case = (fn() -> StoreError, u16, &'static str, Option<&'static str>);
    let cases: [Case; 5] = [
        (|| StoreError::Full(anyhow::anyhow!("secret")), 507, "INSUFFICIENT_STORAGE", Some("60")),
        (|| StoreError::Unavailable(anyhow::anyhow!("secret")), 503, "SERVICE_UNAVAILABLE", Some("5")),
        (|| StoreError::Busy, 503, "SERVICE_UNAVAILABLE", Some("1")),
        (|| StoreError::Timeout, 503, "SERVICE_UNAVAILABLE", Some("5")),
        (|| StoreError::Corrupt(anyhow::anyhow!("secret")), 500, "INTERNAL_SERVER_ERROR", None),
    ];
    let house = House::new();
    for (error, status, reason, wait) in cases {
        house.store.follow(Script::Fail(error));
        let id = format!("/pins/{NOBODY}");
        for (method, path, body) in [
            (Method::GET, "/pins", String::new()),
            (Method::POST, "/pins", pin_json()),
            (Method::GET, &id, String::new()),
            (Method::POST, &id, pin_json()),
            (Method::DELETE, &id, String::new()),
        ] {
            let answer = house.ask(method, path, &body).await;
            assert!(!answer.failure(status, reason).contains("secret"));
            assert_eq!(answer.headers.get(header::RETRY_AFTER).map(|value| value.to_str().unwrap()), wait);
            assert_open(&answer);
        }
    }
    house.store.follow(Script::Fail(|| StoreError::Timeout));
    let details = house.get("/pins?match=partial&name=x").await.failure(503, "SERVICE_UNAVAILABLE");
    assert!(details.contains("narrow it by cid, status"));
}

#[tokio::test]
async fn a_panic_is_500_json_and_the_next_request_is_served() {
    let house = House::new();
    house.store.follow(Script::Panic);
    let answer = house.get("/pins").await;
    let details = answer.failure(500, "INTERNAL_SERVER_ERROR");
    assert!(!details.contains("told to panic"));
    assert_open(&answer);
    house.store.follow(Script::Work);
    assert_eq!(house.get("/pins").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_is_given_up() {
    let house = House::new();
    house.store.follow(Script::Hang);
    let answer = house.get("/pins").await;
    answer.failure(503, "SERVICE_UNAVAILABLE");
    assert_eq!(answer.headers[header::RETRY_AFTER], "5");
    assert_open(&answer);
}

#[tokio::test]
async fn too_many_at_once_are_shed_and_preflights_are_not() {
    let house = House::with(Settings { max_in_flight: 1, ..Settings::default() });
    house.store.follow(Script::Hang);
    let mut stuck = Box::pin(house.get("/pins"));
    assert!(futures::poll!(&mut stuck).is_pending());
    let answer = house.get("/pins").await;
    answer.failure(503, "SERVICE_UNAVAILABLE");
    assert_eq!(answer.headers[header::RETRY_AFTER], "1");
    assert_open(&answer);
    assert_eq!(house.ask(Method::OPTIONS, "/pins", "").await.status, 204);
    drop(stuck);
    house.store.follow(Script::Work);
    assert_eq!(house.get("/pins").await.status, 200, "a client that leaves gives its place back");
}

#[tokio::test]
async fn an_account_that_has_half_of_the_places_leaves_the_others_to_others() {
    let house = House::with(Settings { max_in_flight: 4, ..Settings::default() });
    house.store.follow(Script::Hang);
    let mut stuck: Vec<_> = (0..2).map(|_| Box::pin(house.get("/pins"))).collect();
    for request in &mut stuck {
        assert!(futures::poll!(request).is_pending());
    }
    let answer = house.get("/pins").await;
    answer.failure(429, "TOO_MANY_REQUESTS");
    assert_eq!(answer.headers[header::RETRY_AFTER], "1");
    assert_open(&answer);
    house.store.follow(Script::Work);
    assert_eq!(house.send(request(Method::GET, "/pins", "two", "")).await.status, 200);
    drop(stuck);
    assert_eq!(house.get("/pins").await.status, 200);
}

#[tokio::test]
async fn a_request_keeps_its_own_id_or_gets_one() {
    let house = House::new();
    let mut named = request(Method::GET, "/pins", "one", "");
    named.headers_mut().insert("x-request-id", "trace-7".parse().unwrap());
    assert_eq!(house.send(named).await.headers["x-request-id"], "trace-7");
    let mut ids = BTreeSet::new();
    for _ in 0..3 {
        ids.insert(house.get("/pins").await.headers["x-request-id"].to_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn answers_are_counted_by_method_route_and_code() {
    let house = House::new();
    house.add().await;
    house.get("/pins").await;
    house.get("/nowhere").await;
    house.send(request(Method::GET, "/pins", "wrong", "")).await;
    let metrics = house.metrics.render();
    for line in [
        r#"pinfold_http_requests_total{code="202",method="POST",route="/pins"} 1"#,
        r#"pinfold_http_requests_total{code="200",method="GET",route="/pins"} 1"#,
        r#"pinfold_http_requests_total{code="401",method="GET",route="/pins"} 1"#,
        r#"pinfold_http_requests_total{code="404",method="GET",route="other"} 1"#,
        r#"pinfold_account_requests_total{account="one",code="202"} 1"#,
        r#"pinfold_http_rejections_total{reason="unauthorized"} 1"#,
        r#"pinfold_http_requests_in_flight{listener="public"} 0"#,
        r#"pinfold_pin_requests_accepted_total{operation="add"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn accounts_do_not_see_each_others_pins() {
    let house = House::new();
    let id = house.add().await;
    let path = format!("/pins/{id}");
    for (method, body) in [(Method::GET, ""), (Method::POST, &*pin_json()), (Method::DELETE, "")] {
        house.send(request(method, &path, "two", body)).await.failure(404, "NOT_FOUND");
    }
    let list = house.send(request(Method::GET, "/pins", "two", "")).await;
    assert_eq!(list.json()["count"], 0);
    assert_eq!(house.get(&path).await.status, 200);
}

/// Sends what nobody should: made-up methods, paths, names, tokens, CIDs, ids.
async fn be_hostile(house: &House, n: usize) {
    let odd = format!("x{n}");
    let pin = format!(r#"{{"cid":"{CID}","name":"{odd}","meta":{{"{odd}":"{odd}"}}}}"#);
    let broken = format!(r#"{{"cid":"{odd}"}}"#);
    for (method, path, body) in [
        (odd.as_str(), format!("/pins/{odd}"), ""),
        (odd.as_str(), format!("/{odd}"), ""),
        ("GET", format!("/{odd}/pins"), ""),
        ("GET", format!("/pins?name={odd}&cid={CID}&{odd}={odd}"), ""),
        ("GET", format!("/pins/{odd}%22%7D%0A"), ""),
        ("POST", "/pins".to_owned(), pin.as_str()),
        ("POST", format!("/pins/{odd}"), broken.as_str()),
        ("DELETE", format!("/pins/{NOBODY}?{odd}"), ""),
        ("OPTIONS", format!("/{odd}"), ""),
    ] {
        for token in ["one", odd.as_str()] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = request(method, &path, token, body);
            for header in ["x-request-id", "user-agent", "origin", "x-forwarded-for"] {
                request.headers_mut().insert(header, odd.parse().unwrap());
            }
            house.send(request).await;
        }
    }
}

#[tokio::test]
async fn no_client_makes_series_of_its_own_whatever_it_sends() {
    let house = House::new();
    be_hostile(&house, 0).await;
    let before = house.metrics.render();
    for n in 1..100 {
        be_hostile(&house, n).await;
    }
    let after = house.metrics.render();
    assert_eq!(after.lines().count(), before.lines().count());
    assert!(!after.contains("x99") && !after.contains(CID) && !after.contains(NOBODY));
}

#[tokio::test]
async fn a_failure_is_logged_once_beside_its_requests_line_and_a_clients_mistake_never() {
    let (subscriber, _, sink) = captured("info");
    let _guard = tracing::subscriber::set_default(subscriber);
    let house = House::new();
    house.get("/pins?limit=0").await;
    house.store.follow(Script::Fail(|| StoreError::Corrupt(anyhow::anyhow!("torn"))));
    let mut request = request(Method::GET, "/pins", "one", "");
    request.headers_mut().insert("x-request-id", "mine-1".parse().unwrap());
    house.send(request).await;
    house.store.follow(Script::Fail(|| StoreError::Full(anyhow::anyhow!("told by the store"))));
    house.get("/pins").await;
    let lines = sink.lines();
    let told: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(told, ["answered", "request failed in the store", "answered", "answered"]);
    assert!(lines[1..3].iter().all(|line| line["request_id"] == "mine-1"), "{lines:?}");
    assert!(lines[1]["error"].as_str().unwrap().contains("torn"));
}
