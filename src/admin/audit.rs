//! `/api/v1/providers/{name}/audit` and `.../orphans`: compares what a provider has with what is on record.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, RawQuery, State},
    response::Response,
    routing::get,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Failure, Sent,
    jobs::{By, one_of, shown, who},
    json_response,
};
use crate::{
    lifecycle::Activator,
    model::{AuditBy, Clock, Job, JobKind, NewJob, ProviderRecord, UpstreamId},
    store::{Orphan, SharedStore, StoreError},
    telemetry::traces,
};

/// Orphans of one page.
const PAGE: u32 = 1000;
/// Jobs that are looked through for the last audit of a provider.
const JOBS: u32 = 1000;

/// All that it takes; clones share it.
#[derive(Clone)]
struct Desk {
    store: SharedStore,
    clock: Arc<dyn Clock>,
    activator: Activator,
}

/// The routes, below `/api/v1`.
pub fn audit_routes(store: SharedStore, clock: Arc<dyn Clock>, activator: Activator) -> Router {
    Router::new()
        .route("/providers/{name}/audit", get(last).post(start))
        .route("/providers/{name}/orphans", get(orphans))
        .with_state(Desk { store, clock, activator })
}

/// How an audit is made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    /// Else as the provider's entry says.
    by: Option<AuditBy>,
}

async fn start(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    by: By,
    Sent(body): Sent<Start>,
) -> Result<Response, Failure> {
    let provider = desk.provider(&name).await?;
    if provider.absent_since.is_some() {
        return Err(Failure::conflict(format!("{name} is not in the config any more: it cannot be asked")));
    }
    let how = body.by.or(provider.facts.audit.map(|audit| audit.by)).unwrap_or_default();
    let (kind, terms) = (JobKind::Audit, json!({ "by": how }).to_string());
    let job = NewJob { kind, provider: Some(provider.id), account: None, terms, by: who(&by) };
    let job = desk.store.create_job(job, desk.clock.now()).await.map_err(|error| match error {
        StoreError::Taken { .. } => Failure::conflict(format!(
            "an audit of {name} has not ended: see pinfold job ls, or end it by pinfold job cancel"
        )),
        error => error.into(),
    })?;
    traces::started(job.id);
    desk.activator.poke();
    Ok(json_response(StatusCode::ACCEPTED, &shown(&job)))
}

/// The last one, whether it is over or not.
async fn last(State(desk): State<Desk>, Path(name): Path<String>) -> Result<Response, Failure> {
    let provider = desk.provider(&name).await?;
    let jobs = desk.store.jobs(None, true, JOBS).await?;
    let is_it = |job: &&Job| {
        job.kind == JobKind::Audit && job.provider.as_ref().is_some_and(|(id, _)| *id == provider.id)
    };
    let job = jobs.iter().find(is_it).ok_or_else(|| {
        Failure::not_found(format!("{name} was not audited: run `pinfold provider audit {name}`"))
    })?;
    Ok(json_response(StatusCode::OK, &shown(job)))
}

async fn orphans(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let provider = desk.provider(&name).await?;
    let after = after(query.as_deref().unwrap_or_default())?;
    let page = desk.store.orphans(provider.id, after, PAGE).await?;
    let next = page.last().filter(|_| page.len() == PAGE as usize).map(|last| last.upstream.as_str());
    let body = json!({
        "orphans": page.iter().map(orphan).collect::<Vec<_>>(),
        "count": provider.orphans,
        "as_of": provider.swept_at.map(|at| at.to_string()),
        "next": next,
    });
    Ok(json_response(StatusCode::OK, &body))
}

/// The id to go on after, which may hold any character.
fn after(query: &str) -> Result<Option<UpstreamId>, Failure> {
    let Some(text) = query.strip_prefix("after=") else {
        let known = "write after= and the id that the page before gave as next, or nothing";
        return if query.is_empty() { Ok(None) } else { Err(Failure::bad_request(known)) };
    };
    let text = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    Ok(UpstreamId::new(text))
}

fn orphan(orphan: &Orphan) -> Value {
    json!({
        "upstream": orphan.upstream.as_str(),
        "cid": orphan.content.canonical(),
        "name": orphan.name,
        "created": orphan.created.map(|at| at.to_string()),
        "seen_at": orphan.seen_at.to_string(),
    })
}

impl Desk {
    async fn provider(&self, name: &str) -> Result<ProviderRecord, Failure> {
        one_of(self.store.providers().await?, name)
    }
}
