//! The routes over a store that is scripted.

use std::{collections::VecDeque, sync::Mutex, time::Duration};

use axum::body::Body;
use http::{Method, Request, header::ALLOW};
use http_body_util::BodyExt;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tower::ServiceExt;

use super::*;
use crate::model::{ManualClock, Op, ReplicaState, Status};

/// Answers pings as told, then hangs; hands out one set of counts and tells of it.
struct Scripted {
    pings: Mutex<VecDeque<Result<(), StoreError>>>,
    asked: UnboundedSender<Timestamp>,
}

fn scripted(pings: impl IntoIterator<Item = Result<(), StoreError>>) -> Scripted {
    Scripted { pings: Mutex::new(pings.into_iter().collect()), asked: unbounded_channel().0 }
}

#[async_trait]
impl Vitals for Scripted {
    async fn ping(&self) -> Result<(), StoreError> {
        let next = self.pings.lock().unwrap().pop_front();
        match next {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    async fn stats(&self, now: Timestamp) -> Result<StoreStats, StoreError> {
        self.asked.send(now).unwrap();
        Ok(StoreStats {
            pins: vec![("default".to_owned(), Status::Pinned, 4)],
            replicas: vec![("alpha".to_owned(), ReplicaState::Pinned, 8)],
            due: vec![(Op::Submit, 2, Some(Timestamp::from_millis(5000)))],
            remerge: 3,
            created_ahead: Duration::from_millis(1500),
            ..StoreStats::default()
        })
    }
}

async fn ask(router: Router, method: Method, path: &str) -> (StatusCode, http::HeaderMap, String) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let (head, body) = router.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

async fn get_from(router: Router, path: &str) -> (StatusCode, serde_json::Value) {
    let (status, headers, body) = ask(router, Method::GET, path).await;
    assert_eq!(headers[CONTENT_TYPE], "application/json");
    (status, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn alive_is_said_while_the_store_is_silent_and_stopping_has_begun() {
    let shutdown = Shutdown::default();
    shutdown.begin();
    let router = router(scripted([]), &shutdown, &Metrics::new());
    let (status, _, body) = ask(router, Method::GET, "/livez").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "ok"));
}

#[tokio::test]
async fn ready_while_the_store_answers_and_not_from_the_first_moment_of_stopping() {
    let shutdown = Shutdown::default();
    let router = router(scripted([Ok(()), Ok(())]), &shutdown, &Metrics::new());
    let (status, body) = get_from(router.clone(), "/readyz").await;
    assert_eq!((status, &body["ready"]), (StatusCode::OK, &json!(true)));
    shutdown.begin();
    let (status, body) = get_from(router, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, json!({ "ready": false, "failed": "process", "details": "stopping" }));
}

#[tokio::test(start_paused = true)]
async fn not_ready_while_the_store_fails_or_is_silent_and_ready_again_afterwards() {
    let pings = [Err(StoreError::Busy), Ok(())];
    let router = router(scripted(pings), &Shutdown::default(), &Metrics::new());
    let (status, body) = get_from(router.clone(), "/readyz").await;
    assert_eq!((status, &body["failed"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("store")));
    assert_eq!(body["details"], StoreError::Busy.to_string());
    assert_eq!(get_from(router.clone(), "/readyz").await.0, StatusCode::OK);
    let (status, body) = get_from(router, "/readyz").await;
    assert_eq!((status, &body["details"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("no answer within 2 s")));
}

#[tokio::test]
async fn metrics_are_text_of_version_0_0_4() {
    let router = router(scripted([]), &Shutdown::default(), &Metrics::new());
    let (status, headers, body) = ask(router, Method::GET, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers[CONTENT_TYPE].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    assert!(body.contains("pinfold_build_info{"));
}

#[tokio::test]
async fn anything_else_is_a_failure_in_json() {
    let router = router(scripted([]), &Shutdown::default(), &Metrics::new());
    let (status, body) = get_from(router.clone(), "/pins").await;
    assert_eq!((status, &body["error"]["reason"]), (StatusCode::NOT_FOUND, &json!("NOT_FOUND")));
    let (status, headers, body) = ask(router, Method::DELETE, "/metrics").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(headers[ALLOW].to_str().unwrap().contains("GET"));
    assert!(body.contains("METHOD_NOT_ALLOWED"));
}

#[tokio::test(start_paused = true)]
async fn gauges_are_refreshed_at_once_and_again_until_stopping_begins() {
    let (asked, mut asks) = unbounded_channel();
    let store = Scripted { asked, ..scripted([]) };
    let (metrics, shutdown) = (Metrics::new(), Shutdown::default());
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(7000)));
    let task = tokio::spawn(refresh_metrics(store, clock.clone(), metrics.clone(), shutdown.clone()));
    assert_eq!(asks.recv().await, Some(Timestamp::from_millis(7000)));
    clock.advance(Duration::from_secs(30));
    assert_eq!(asks.recv().await, Some(Timestamp::from_millis(37_000)));
    shutdown.begin();
    task.await.unwrap();
    let text = metrics.render();
    for line in [
        r#"pinfold_account_pins{account="default",status="pinned"} 4"#,
        r#"pinfold_replicas{provider="alpha",state="pinned"} 8"#,
        r#"pinfold_tasks_due{kind="submit"} 2"#,
        r#"pinfold_tasks_due{kind="remerge"} 3"#,
        r#"pinfold_tasks_oldest_due_timestamp_seconds{kind="submit"} 5"#,
        "pinfold_created_ahead_seconds 1.5",
        "pinfold_store_stats_last_refresh_timestamp_seconds 37",
    ] {
        assert!(text.contains(line), "{line}");
    }
}
