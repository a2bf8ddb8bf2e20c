//! `POST /api/v1/providers/{name}/...`: what an operator wants of a provider.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::post,
};
use http::StatusCode;
use serde_json::json;

use super::{
    Failure, Sent,
    jobs::{By, Drain, Foreman, who},
    json_response,
};
use crate::{
    engine::Planner,
    lifecycle::Activator,
    model::{Clock, JobCommand, JobKind, Mode, ProviderRecord},
    store::{Forgotten, SharedStore},
};

/// The routes, below `/api/v1`. `activator` wakes whoever settles pins by it.
pub fn mode_routes(
    store: SharedStore,
    clock: Arc<dyn Clock>,
    activator: Activator,
    planner: Planner,
) -> Router {
    Router::new()
        .route("/providers/{name}/drain", post(drain))
        .route("/providers/{name}/undrain", post(undrain))
        .route("/providers/{name}/readonly", post(readonly))
        .route("/providers/{name}/activate", post(activate))
        .route("/providers/{name}/forget", post(forget))
        .with_state(Foreman::new(store, clock, activator, planner))
}

async fn drain(
    State(foreman): State<Foreman>,
    by: By,
    Path(name): Path<String>,
    Sent(body): Sent<Drain>,
) -> Result<Response, Failure> {
    foreman.drain(&name, &body, &by).await
}

/// Ends the drain that is under way, and takes the provider back into use.
async fn undrain(
    State(foreman): State<Foreman>,
    by: By,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let provider = foreman.provider(&name).await?;
    if let Some(job) = foreman.at(JobKind::Drain, &provider).await? {
        foreman.tell(job.id, JobCommand::Cancel, &by).await?;
    }
    set(&foreman, &provider, Mode::Active, &by).await
}

async fn readonly(
    State(foreman): State<Foreman>,
    by: By,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let provider = unless_draining(&foreman, &name).await?;
    set(&foreman, &provider, Mode::Readonly, &by).await
}

async fn activate(
    State(foreman): State<Foreman>,
    by: By,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let provider = unless_draining(&foreman, &name).await?;
    set(&foreman, &provider, Mode::Active, &by).await
}

async fn unless_draining(foreman: &Foreman, name: &str) -> Result<ProviderRecord, Failure> {
    let provider = foreman.provider(name).await?;
    match foreman.at(JobKind::Drain, &provider).await? {
        None => Ok(provider),
        Some(job) => {
            let details = format!("job {} drains {name}: end it by pinfold provider undrain {name}", job.id);
            Err(Failure::conflict(details))
        }
    }
}

async fn set(foreman: &Foreman, provider: &ProviderRecord, mode: Mode, by: &By) -> Result<Response, Failure> {
    foreman.store.set_mode(provider.id, mode, false, who(by), foreman.clock.now()).await?;
    tracing::info!(provider = provider.name, %mode, by = who(by), "a provider's mode was set");
    foreman.poke();
    let now = foreman.provider(&provider.name).await?;
    let body = json!({ "name": now.name, "mode": now.mode.as_str(), "health": now.health.as_str() });
    Ok(json_response(StatusCode::OK, &body))
}

async fn forget(
    State(foreman): State<Foreman>,
    by: By,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let provider = foreman.provider(&name).await?;
    let why = loop {
        match foreman.store.forget_provider(provider.id, who(&by), foreman.clock.now()).await? {
            Forgotten::More => {}
            Forgotten::Gone => {
                tracing::info!(provider = name, by = who(&by), "a provider was forgotten");
                return Ok(json_response(StatusCode::OK, &json!({ "forgotten": name })));
            }
            Forgotten::Named => break format!("the config names {name}: take it out there first"),
            Forgotten::Busy(job) => break format!("job {job} has not ended: see pinfold job show {job}"),
            Forgotten::Needed(copies) => {
                break format!(
                    "pins need {copies} copies at {name}: have them made elsewhere by pinfold provider drain {name}"
                );
            }
        }
    };
    Err(Failure::conflict(why))
}
