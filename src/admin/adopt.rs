//! `/api/v1/providers/{name}/adopt`: makes pins of what a provider holds already, by a job.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{
    Extension, Router,
    extract::{Path, State},
    response::Response,
    routing::post,
};
use http::StatusCode;
use serde::Deserialize;
use thiserror::Error;

use super::{Failure, Sent, jobs::shown, json_response};
use crate::{
    auth::Operator,
    model::{Job, known},
    store::StoreError,
};

/// Who starts adoptions.
#[async_trait]
pub trait Adoptions: Send + Sync + 'static {
    async fn adopt(&self, wish: Wish, by: Option<Arc<str>>) -> Result<Job, AdoptError>;
}

/// What an operator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub provider: String,
    /// Whose the pins are to be.
    pub account: String,
    /// The policy that they get; left out: the account's.
    pub policy: Option<String>,
    /// Make nothing: say what would be made.
    pub dry_run: bool,
}

/// Why there is nothing to adopt so.
#[derive(Debug, Error)]
pub enum AdoptError {
    #[error("there is no provider {name:?} in the config: {}", self::known(known))]
    Provider { name: String, known: Vec<String> },
    #[error("there is no account {name:?}: {}", self::known(known))]
    Account { name: String, known: Vec<String> },
    #[error("there is no policy {name:?}: {}", self::known(known))]
    Policy { name: String, known: Vec<String> },
    #[error("an adoption of this provider's pins is under way already: cancel it first, or wait for its end")]
    UnderWay,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AdoptError> for Failure {
    fn from(error: AdoptError) -> Self {
        match error {
            AdoptError::Provider { .. } => Self::not_found(error),
            AdoptError::Account { .. } | AdoptError::Policy { .. } => Self::bad_request(error),
            AdoptError::UnderWay => Self::conflict(error),
            AdoptError::Store(error) => error.into(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    account: String,
    policy: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

/// The route, below `/api/v1`.
pub fn adopt_routes(adoptions: Arc<dyn Adoptions>) -> Router {
    Router::new().route("/providers/{name}/adopt", post(start)).with_state(adoptions)
}

async fn start(
    State(adoptions): State<Arc<dyn Adoptions>>,
    Path(provider): Path<String>,
    by: Option<Extension<Arc<Operator>>>,
    Sent(body): Sent<Body>,
) -> Result<Response, Failure> {
    let by = by.map(|Extension(operator)| operator.token_name.clone());
    let Body { account, policy, dry_run } = body;
    let job = adoptions.adopt(Wish { provider, account, policy, dry_run }, by).await?;
    Ok(json_response(StatusCode::ACCEPTED, &shown(&job)))
}
