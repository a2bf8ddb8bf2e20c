//! The config as operators see it: what is in force, what waits for a restart, why the last one was refused.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{
    Extension, Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Failure, json_response};
use crate::{auth::Operator, model::Timestamp};

/// Who reads the config, and can read it again.
#[async_trait]
pub trait Config: Send + Sync + 'static {
    async fn report(&self) -> ConfigReport;

    /// Reads it again and takes it up, if it can be used; else the one in force stays, and the report says why. `by`:
    /// the operator who asks for it.
    async fn reload(&self, by: Option<&str>) -> ConfigReport;
}

/// How the config stands; holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigReport {
    pub file: String,
    /// As YAML.
    pub effective: String,
    /// When what is in force was read.
    pub loaded_at: Timestamp,
    /// What the last one that was taken up changed.
    pub changes: Vec<String>,
    /// What differs from the file until a restart.
    pub needs_restart: Vec<String>,
    pub warnings: Vec<String>,
    /// Why the file as it is now is not in force.
    pub refused: Option<Refused>,
}

/// A config that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub at: Timestamp,
    /// Every mistake, with its place and what to write instead.
    pub problems: Vec<String>,
}

/// `GET /config`, which shows how the config stands, and `POST /reload`, which has it read again.
pub fn config_routes(config: Arc<dyn Config>) -> Router {
    Router::new().route("/config", get(show)).route("/reload", post(reload)).with_state(config)
}

async fn show(State(config): State<Arc<dyn Config>>) -> Response {
    json_response(StatusCode::OK, &config.report().await.to_json())
}

/// In a task of its own: who asked may go away meanwhile, and half a reload is none.
async fn reload(
    State(config): State<Arc<dyn Config>>,
    by: Option<Extension<Arc<Operator>>>,
) -> Result<Response, Failure> {
    let by = by.map(|Extension(operator)| operator.token_name.clone());
    let reloading = tokio::spawn(async move { config.reload(by.as_deref()).await });
    let report =
        reloading.await.map_err(|ended| Failure::internal(format!("the reload broke off: {ended}")))?;
    match &report.refused {
        None => Ok(json_response(StatusCode::OK, &report.to_json())),
        Some(refused) => Err(Failure::bad_config(refused.problems.join("\n"))),
    }
}

impl ConfigReport {
    fn to_json(&self) -> Value {
        let refused = self.refused.as_ref();
        json!({
            "file": self.file,
            "loaded_at": self.loaded_at.to_string(),
            "changes": self.changes,
            "needs_restart": self.needs_restart,
            "warnings": self.warnings,
            "refused": refused.map(|refused| json!({
                "at": refused.at.to_string(),
                "problems": refused.problems,
            })),
            "effective": self.effective,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use http::Request;
    use tokio::{
        sync::{Notify, mpsc},
        time::timeout,
    };
    use tower::ServiceExt;

    use super::*;

    /// Tells when a reload begins and ends; in between waits to be let go.
    struct Slow {
        told: mpsc::UnboundedSender<&'static str>,
        go: Arc<Notify>,
    }

    #[async_trait]
    impl Config for Slow {
        async fn report(&self) -> ConfigReport {
            ConfigReport::default()
        }

        async fn reload(&self, _: Option<&str>) -> ConfigReport {
            self.told.send("begun").unwrap();
            self.go.notified().await;
            self.told.send("done").unwrap();
            ConfigReport::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reload_goes_on_to_its_end_though_nobody_waits_for_it() {
        let (told, mut tells) = mpsc::unbounded_channel();
        let go = Arc::new(Notify::new());
        let routes = config_routes(Arc::new(Slow { told, go: go.clone() }));
        let asking =
            tokio::spawn(routes.clone().oneshot(Request::post("/reload").body(Body::empty()).unwrap()));
        assert_eq!(tells.recv().await, Some("begun"));
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        go.notify_one();
        assert_eq!(timeout(Duration::from_secs(60), tells.recv()).await, Ok(Some("done")));
    }
}
