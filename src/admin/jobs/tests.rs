//! Jobs and modes over a real store.

use axum::body::{Body, to_bytes};
use http::Request;
use tower::ServiceExt;

use super::*;
use crate::{
    lifecycle::Changes,
    model::{Fingerprint, JobProgress, ManualClock, ProviderDecl, Timestamp},
    policy::{Copies, Policy},
    store::{Checkpoint, Registration, sqlite::SqliteStore},
    telemetry::Metrics,
};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

struct House {
    store: SharedStore,
    routes: Router,
    _dir: tempfile::TempDir,
}

impl House {
    async fn open() -> Self {
        let dir = crate::store::sqlite::founded::founded();
        let path = dir.path().join("pins.db");
        let store = SqliteStore::open(&path, &Default::default(), Changes::default(), &Metrics::new());
        let store: SharedStore = Arc::new(store.unwrap());
        let clock = Arc::new(ManualClock::at(NOW)) as Arc<dyn Clock>;
        let planner = Planner::alone(store.clone(), clock.clone());
        let house = Self {
            routes: job_routes(store.clone(), clock.clone(), Activator::default(), planner.clone())
                .merge(super::super::mode_routes(store.clone(), clock, Activator::default(), planner)),
            store,
            _dir: dir,
        };
        house.declare(&["alpha", "beta"]).await;
        house
    }

    async fn declare(&self, names: &[&str]) {
        let provider = |name: &&str| ProviderDecl::new(*name, Fingerprint::new(name, None));
        let providers = names.iter().map(provider).collect();
        let listed = names.iter().map(ToString::to_string).collect();
        let policies = vec![Policy::plain("p", Copies { min: 1, max: 1 }, 1, listed)];
        let config = Registration { providers, policies, ..Registration::default() };
        self.store.register(config, NOW).await.unwrap();
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = Request::builder().method(method).uri(path).body(body).unwrap();
        let answer = self.routes.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn post(&self, path: &str) -> (u16, Value) {
        self.ask("POST", path, Value::Null).await
    }

    async fn mode(&self) -> String {
        self.store.providers().await.unwrap()[0].mode.to_string()
    }
}

#[tokio::test]
async fn a_drain_is_started_once_and_a_second_start_is_told_of_the_first() {
    let house = House::open().await;
    let (status, job) = house.ask("POST", "/providers/alpha/drain", json!({ "allow_fewer": true })).await;
    assert_eq!((status, &job["kind"], &job["state"]), (201, &json!("drain"), &json!("running")));
    assert_eq!((&job["provider"], &job["terms"]["allow_fewer"]), (&json!("alpha"), &json!(true)));
    let again = house.ask("POST", "/jobs", json!({ "kind": "drain", "provider": "alpha" })).await;
    assert_eq!(again.0, 409);
    assert!(again.1["error"]["details"].as_str().unwrap().contains("job 1 drains alpha already"));
    let (status, other) = house.ask("POST", "/jobs", json!({ "kind": "drain", "provider": "beta" })).await;
    assert_eq!((status, &other["id"]), (201, &json!(2)));
    let (_, listed) = house.ask("GET", "/jobs?ended=false&limit=1", Value::Null).await;
    assert_eq!((&listed["jobs"][0]["id"], &listed["next"]), (&json!(2), &json!(2)));
    assert_eq!(house.ask("GET", "/jobs/1", Value::Null).await.1["provider"], "alpha");
}

#[tokio::test]
async fn a_paused_drain_leaves_its_provider_readonly_and_a_cancelled_one_in_use() {
    let house = House::open().await;
    house.post("/providers/alpha/drain").await;
    assert!(house.store.drain(JobId(1), false, NOW).await.unwrap());
    assert_eq!(house.mode().await, "draining");
    assert_eq!(house.post("/jobs/1/pause").await.1["state"], "paused");
    assert_eq!(house.mode().await, "readonly");
    assert!(!house.store.drain(JobId(1), false, NOW).await.unwrap(), "a step that began before");
    assert_eq!(house.mode().await, "readonly");
    assert_eq!(house.post("/jobs/1/pause").await.0, 409);
    house.post("/jobs/1/resume").await;
    assert!(house.store.drain(JobId(1), false, NOW).await.unwrap());
    assert_eq!(house.post("/jobs/1/cancel").await.1["state"], "cancelled");
    assert_eq!(house.mode().await, "active");
}

#[tokio::test]
async fn undrain_ends_the_drain_and_nothing_else_goes_against_it() {
    let house = House::open().await;
    house.post("/providers/alpha/drain").await;
    for against in ["readonly", "activate"] {
        assert_eq!(house.post(&format!("/providers/alpha/{against}")).await.0, 409);
    }
    let (status, told) = house.post("/providers/alpha/undrain").await;
    assert_eq!((status, &told["mode"]), (200, &json!("active")));
    assert_eq!(house.ask("GET", "/jobs/1", Value::Null).await.1["state"], "cancelled");
    assert_eq!(house.post("/providers/alpha/readonly").await.1["mode"], "readonly");
    assert_eq!(house.post("/providers/alpha/activate").await.1["mode"], "active");
}

#[tokio::test]
async fn a_provider_is_forgotten_once_the_config_does_not_name_it_and_no_job_is_at_it() {
    let house = House::open().await;
    assert_eq!(house.post("/providers/alpha/forget").await.0, 409, "it is in the config");
    house.declare(&["beta"]).await;
    house.post("/providers/alpha/drain").await;
    let (status, busy) = house.post("/providers/alpha/forget").await;
    assert_eq!(status, 409);
    assert!(busy["error"]["details"].as_str().unwrap().contains("job 1 has not ended"));
    house.post("/jobs/1/cancel").await;
    assert_eq!(house.post("/providers/alpha/forget").await, (200, json!({ "forgotten": "alpha" })));
    assert_eq!(house.post("/providers/alpha/forget").await.0, 404);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_what_to_write() {
    let house = House::open().await;
    for (method, path, body, status) in [
        ("GET", "/jobs?before=x", Value::Null, 400),
        ("GET", "/jobs/x", Value::Null, 400),
        ("GET", "/jobs/7", Value::Null, 404),
        ("POST", "/jobs/7/pause", Value::Null, 404),
        ("POST", "/jobs/7/dance", Value::Null, 404),
        ("POST", "/jobs", json!({ "kind": "dance", "provider": "alpha" }), 400),
        ("POST", "/jobs", json!({ "kind": "apply", "provider": "alpha" }), 400),
        ("POST", "/jobs", json!({ "kind": "drain", "provider": "alpha", "policy": "p" }), 400),
        ("POST", "/policies/q/apply", Value::Null, 404),
        ("POST", "/policies/q/apply", json!({ "dry_run": true }), 404),
        ("POST", "/providers/omega/drain", Value::Null, 404),
        ("POST", "/providers/alpha/drain", json!({ "fewer": true }), 400),
    ] {
        assert_eq!(house.ask(method, path, body).await.0, status, "{method} {path}");
    }
}

#[tokio::test]
async fn a_dry_run_tells_a_plan_and_starts_nothing() {
    let house = House::open().await;
    let dry = json!({ "dry_run": true, "allow_fewer": true });
    let (status, plan) = house.ask("POST", "/providers/alpha/drain", dry).await;
    assert_eq!((status, &plan["plan"], &plan["provider"]), (200, &json!("drain"), &json!("alpha")));
    assert_eq!((&plan["moving"], &plan["seconds"], &plan["providers"]), (&json!(0), &json!(0), &json!([])));
    house.declare(&["beta", "alpha"]).await;
    let (status, plan) = house.ask("POST", "/policies/p/apply", json!({ "dry_run": true })).await;
    assert_eq!((status, &plan["plan"], &plan["newest"]), (200, &json!("apply"), &json!(2)));
    assert_eq!((&plan["pins"], &plan["short"]["pins"]), (&json!(0), &json!(0)));
    assert_eq!(house.ask("GET", "/jobs", Value::Null).await.1["jobs"], json!([]));
    assert_eq!(house.mode().await, "active");
}

#[tokio::test]
async fn a_policy_is_applied_by_one_job_at_a_time() {
    let house = House::open().await;
    let (status, job) = house.post("/policies/p/apply").await;
    assert_eq!((status, &job["kind"], &job["terms"]["policy"]), (201, &json!("apply"), &json!("p")));
    let (status, told) = house.ask("POST", "/jobs", json!({ "kind": "apply", "policy": "p" })).await;
    assert_eq!(status, 409);
    assert!(told["error"]["details"].as_str().unwrap().contains("job 1 applies p already"));
    house.post("/jobs/1/cancel").await;
    assert_eq!(house.post("/policies/p/apply").await.0, 201);
}

#[tokio::test]
async fn who_names_what_is_not_there_is_told_what_is() {
    let house = House::open().await;
    for (method, path, words) in [
        ("POST", "/providers/omega/drain", "there are alpha, beta"),
        ("POST", "/policies/q/apply", "there is p"),
        ("GET", "/jobs/7", "pinfold job ls"),
        ("GET", "/jobs/seven", "write its number"),
    ] {
        let (_, told) = house.ask(method, path, Value::Null).await;
        assert!(told["error"]["details"].as_str().unwrap().contains(words), "{told}");
    }
}

#[tokio::test]
async fn a_job_that_does_not_heed_a_command_says_what_it_heeds() {
    let house = House::open().await;
    house.post("/providers/alpha/drain").await;
    let details = async |command: &str| {
        let (status, told) = house.post(&format!("/jobs/1/{command}")).await;
        assert_eq!(status, 409, "{told}");
        told["error"]["details"].as_str().unwrap().to_owned()
    };
    assert!(details("resume").await.ends_with("it heeds pinfold job pause 1 and pinfold job cancel 1"));
    let asks = Checkpoint { state: JobState::Asking, cursor: None, progress: JobProgress::default() };
    assert!(house.store.checkpoint_job(JobId(1), asks, NOW).await.unwrap());
    let told = details("resume").await;
    assert!(told.contains("asks whether it may go on"), "{told}");
    assert!(told.ends_with("answer by pinfold job cancel 1 or pinfold job accept 1"), "{told}");
    house.post("/jobs/1/cancel").await;
    assert!(details("pause").await.contains("it is over"));
}
