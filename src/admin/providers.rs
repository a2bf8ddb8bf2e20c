//! The providers as operators see them: their health, whether calls are let through, and what failed last.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{Router, extract::State, response::Response, routing::get};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Failure, json_response};
use crate::{
    engine::Standing,
    model::{ProofRecord, ProviderRecord, Rates, Sampled, Timestamp},
    store::StoreError,
    telemetry::Label,
};

/// Who knows of the providers.
#[async_trait]
pub trait Providers: Send + Sync + 'static {
    /// All that were ever configured, those that are driven now with how they stand.
    async fn report(&self) -> Result<Vec<(ProviderRecord, Option<Standing>)>, StoreError>;
}

/// `GET /providers`.
pub fn provider_routes(providers: Arc<dyn Providers>) -> Router {
    Router::new().route("/providers", get(show)).with_state(providers)
}

async fn show(State(providers): State<Arc<dyn Providers>>) -> Result<Response, Failure> {
    let report = providers.report().await?;
    let providers: Vec<_> = report.iter().map(|(record, standing)| line(record, standing.as_ref())).collect();
    Ok(json_response(StatusCode::OK, &json!({ "providers": providers })))
}

fn line(record: &ProviderRecord, standing: Option<&Standing>) -> Value {
    let time = |at: Timestamp| at.to_string();
    let error = standing.and_then(|standing| standing.last_error.as_ref());
    json!({
        "name": record.name,
        "mode": record.mode.to_string(),
        "health": record.health.to_string(),
        "health_since": time(record.health_since),
        "absent_since": record.absent_since.map(time),
        "audited_at": record.audited_at.map(time),
        "swept_at": record.swept_at.map(time),
        "orphans": record.orphans,
        "proof": record.facts.proof.map(|_| proof(&record.proof)),
        "breaker": standing.map(|standing| standing.breaker.as_str()),
        "breaker_since": standing.map(|standing| time(standing.since)),
        "left_alone_until": standing.and_then(|standing| standing.until).map(time),
        "last_error": error.map(|error| json!({
            "at": time(error.at),
            "operation": error.operation.as_str(),
            "class": error.class.to_string(),
            "text": error.text,
        })),
        "limits": standing.map(|standing| limits(&standing.rates)),
    })
}

/// The limits that calls are planned with, by their class; none where there is none.
fn limits(rates: &Rates) -> Value {
    let limited = rates.iter().filter_map(|(class, rate)| Some((class.as_str(), rate.as_ref()?.to_string())));
    limited.collect()
}

/// What its gateway served.
fn proof(record: &ProofRecord) -> Value {
    let Sampled { served, failed, unreached, uncheckable } = record.last;
    json!({
        "state": record.state.as_str(),
        "sampled_at": record.at.map(|at| at.to_string()),
        "served": served,
        "failed": failed,
        "unreached": unreached,
        "uncheckable": uncheckable,
        "why": record.why,
        "gateway_down_since": record.down_since.map(|at| at.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;
    use crate::{engine::LastError, model::*, telemetry::BreakerState};

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    struct One;

    #[async_trait]
    impl Providers for One {
        async fn report(&self) -> Result<Vec<(ProviderRecord, Option<Standing>)>, StoreError> {
            let record = |name: &str, absent_since| ProviderRecord {
                id: ProviderId(1),
                name: name.into(),
                fingerprint: Fingerprint::new("https://psa.example.com", None),
                mode: Mode::Active,
                health: Health::Degraded,
                health_since: NOW,
                absent_since,
                blocked_until: None,
                proven: None,
                facts: Arc::default(),
                allow_fewer: false,
                proof: ProofRecord::default(),
                swept_at: None,
                audited_at: None,
                audits_from: None,
                orphans: 0,
                unplanned: false,
            };
            let last_error = LastError {
                at: NOW,
                operation: Operation::Submit,
                class: ErrorClass::Transient,
                text: "503: busy".into(),
            };
            let mut rates = Rates::default();
            rates[BudgetClass::List] = Some("29/min".parse().unwrap());
            let standing = Standing {
                breaker: BreakerState::HalfOpen,
                since: NOW,
                until: None,
                last_error: Some(last_error),
                rates,
            };
            let mut liar = record("alpha", None);
            let sampling = Sampling { every: std::time::Duration::from_secs(3600), sample: 20 };
            liar.facts = Arc::new(Facts { proof: Some(sampling), ..Facts::default() });
            let last = Sampled { served: 1, failed: 19, ..Sampled::default() };
            liar.proof =
                ProofRecord { state: ProofState::Unproven, at: Some(NOW), last, ..ProofRecord::default() };
            Ok(vec![(liar, Some(standing)), (record("gone", Some(NOW)), None)])
        }
    }

    #[tokio::test]
    async fn each_provider_has_a_line_driven_or_not() {
        let request = http::Request::get("/providers").body(axum::body::Body::empty()).unwrap();
        let answer = provider_routes(Arc::new(One)).oneshot(request).await.unwrap();
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
        let told: Value = serde_json::from_slice(&body).unwrap();
        let (alpha, gone) = (&told["providers"][0], &told["providers"][1]);
        assert_eq!(
            (&alpha["name"], &alpha["health"], &alpha["breaker"]),
            (&json!("alpha"), &json!("degraded"), &json!("half-open"))
        );
        assert_eq!(alpha["breaker_since"], json!("2023-11-14T22:13:20.000Z"));
        assert_eq!(alpha["last_error"]["text"], json!("503: busy"));
        assert_eq!((&alpha["limits"], &gone["limits"]), (&json!({ "list": "29/min" }), &Value::Null));
        let proof = &alpha["proof"];
        assert_eq!((&proof["state"], &proof["failed"]), (&json!("unproven"), &json!(19)));
        assert_eq!((&proof["sampled_at"], &gone["proof"]), (&alpha["breaker_since"], &Value::Null));
        assert_eq!((&gone["breaker"], &gone["last_error"]), (&Value::Null, &Value::Null));
        assert_eq!(gone["absent_since"], alpha["breaker_since"]);
    }
}
