//! `/api/v1/jobs`: starts long operations, shows how far they are, and tells them what to do.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{Path, RawQuery, State},
    response::Response,
    routing::{get, post},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Failure, Sent, json_response};
use crate::{
    auth::Operator,
    engine::Planner,
    lifecycle::Activator,
    model::{Clock, Job, JobCommand, JobId, JobKind, JobState, NewJob, ProviderRecord, known},
    store::SharedStore,
    telemetry::traces,
};

/// The most jobs that are listed at once.
const PAGE: u32 = 100;

/// All that it takes; clones share it.
#[derive(Clone)]
pub(super) struct Foreman {
    pub(super) store: SharedStore,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) planner: Planner,
    activator: Activator,
}

/// Who did it, for the record.
pub(super) type By = Option<Extension<Arc<Operator>>>;

pub(super) fn who(by: &By) -> Option<String> {
    by.as_ref().map(|Extension(operator)| operator.token_name.to_string())
}

/// The routes, below `/api/v1`. `activator` wakes whoever does the jobs.
pub fn job_routes(
    store: SharedStore,
    clock: Arc<dyn Clock>,
    activator: Activator,
    planner: Planner,
) -> Router {
    Router::new()
        .route("/jobs", get(list).post(start))
        .route("/jobs/{id}", get(show))
        .route("/jobs/{id}/{command}", post(tell))
        .route("/policies/{name}/apply", post(apply))
        .with_state(Foreman::new(store, clock, activator, planner))
}

impl Foreman {
    pub(super) fn new(
        store: SharedStore,
        clock: Arc<dyn Clock>,
        activator: Activator,
        planner: Planner,
    ) -> Self {
        Self { store, clock, planner, activator }
    }

    /// Something is to be done: nobody waits for the next tick.
    pub(super) fn poke(&self) {
        self.activator.poke();
    }

    pub(super) async fn provider(&self, name: &str) -> Result<ProviderRecord, Failure> {
        one_of(self.store.providers().await?, name)
    }

    /// The job at a provider that has not ended.
    pub(super) async fn at(&self, kind: JobKind, provider: &ProviderRecord) -> Result<Option<Job>, Failure> {
        let open = self.store.jobs(None, false, u32::MAX).await?;
        let is_at = |job: &Job| job.provider.as_ref().is_some_and(|(id, _)| *id == provider.id);
        Ok(open.into_iter().find(|job| job.kind == kind && is_at(job)))
    }

    pub(super) async fn drain(&self, name: &str, how: &Drain, by: &By) -> Result<Response, Failure> {
        let provider = self.provider(name).await?;
        let Drain { allow_fewer, dry_run } = *how;
        if dry_run {
            return self.plan_drain(&provider, allow_fewer).await;
        }
        if let Some(job) = self.at(JobKind::Drain, &provider).await? {
            let (id, state) = (job.id, job.state);
            let details = format!(
                "job {id} drains {name} already and is {state}: see pinfold job show {id}, or end it by pinfold provider undrain {name}"
            );
            return Err(Failure::conflict(details));
        }
        let job = NewJob {
            kind: JobKind::Drain,
            provider: Some(provider.id),
            account: None,
            terms: json!({ "allow_fewer": allow_fewer }).to_string(),
            by: who(by),
        };
        let job = self.store.create_job(job, self.clock.now()).await?;
        tracing::info!(job = %job.id, provider = name, by = who(by), "a drain was started");
        traces::started(job.id);
        self.poke();
        Ok(json_response(StatusCode::CREATED, &shown(&job)))
    }

    /// Has the pins of a policy follow its newest revision.
    async fn apply(&self, policy: &str, dry_run: bool, by: &By) -> Result<Response, Failure> {
        if self.store.revisions(policy).await?.is_empty() {
            let known = known(&self.store.policies().await?);
            return Err(Failure::not_found(format!("there is no policy {policy:?}: {known}")));
        }
        if dry_run {
            return self.plan_apply(policy).await;
        }
        let terms = json!({ "policy": policy }).to_string();
        let open = self.store.jobs(None, false, u32::MAX).await?;
        if let Some(job) = open.iter().find(|job| job.kind == JobKind::Apply && job.terms == terms) {
            let (id, state) = (job.id, job.state);
            let details =
                format!("job {id} applies {policy} already and is {state}: see pinfold job show {id}");
            return Err(Failure::conflict(details));
        }
        let job = NewJob { kind: JobKind::Apply, provider: None, account: None, terms, by: who(by) };
        let job = self.store.create_job(job, self.clock.now()).await?;
        tracing::info!(job = %job.id, policy, by = who(by), "a policy's newest revision is applied");
        traces::started(job.id);
        self.poke();
        Ok(json_response(StatusCode::CREATED, &shown(&job)))
    }

    pub(super) async fn tell(&self, id: JobId, command: JobCommand, by: &By) -> Result<Job, Failure> {
        let unknown = || no_such_job(id);
        let before = self.store.job(id).await?.ok_or_else(unknown)?;
        if command.step(before.state).is_none() {
            return Err(Failure::conflict(deaf(&before, command)));
        }
        let told = self.store.command_job(id, command, who(by), self.clock.now()).await?;
        tracing::info!(job = %id, %command, by = who(by), "a job was told");
        self.poke();
        told.ok_or_else(unknown)
    }
}

/// The provider of a name, of those that there ever were.
pub(super) fn one_of(mut providers: Vec<ProviderRecord>, name: &str) -> Result<ProviderRecord, Failure> {
    if let Some(at) = providers.iter().position(|provider| provider.name == name) {
        return Ok(providers.swap_remove(at));
    }
    let names: Vec<_> = providers.iter().map(|provider| &provider.name).collect();
    Err(Failure::not_found(format!("there is no provider {name:?}: {}", known(&names))))
}

fn no_such_job(id: JobId) -> Failure {
    Failure::not_found(format!("there is no job {id}: pinfold job ls lists those that there are"))
}

/// Why a job does not heed a command, and what it does heed.
fn deaf(job: &Job, command: JobCommand) -> String {
    let (id, state) = (job.id, job.state);
    let heeded: Vec<String> = JobCommand::ALL
        .iter()
        .filter(|one| one.step(state).is_some())
        .map(|one| format!("pinfold job {one} {id}"))
        .collect();
    let why = if state == JobState::Asking { "asks whether it may go on" } else { state.as_str() };
    match heeded.as_slice() {
        [] => format!("job {id} is {state}: it is over, and {command} says nothing to it"),
        _ if state == JobState::Asking => {
            format!("job {id} {why}: {command} says nothing to it; answer by {}", heeded.join(" or "))
        }
        _ => format!("job {id} is {why}: {command} says nothing to it; it heeds {}", heeded.join(" and ")),
    }
}

async fn list(State(foreman): State<Foreman>, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    let (mut before, mut limit, mut ended) = (None, PAGE, true);
    for pair in query.as_deref().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("before", id) => before = Some(JobId(id.parse().map_err(|_| wrong())?)),
            ("limit", most) => limit = most.parse().map_err(|_| wrong())?,
            ("ended", "true") => ended = true,
            ("ended", "false") => ended = false,
            _ => return Err(wrong()),
        }
    }
    let jobs = foreman.store.jobs(before, ended, limit.clamp(1, PAGE)).await?;
    let next = jobs.last().filter(|_| jobs.len() == limit.clamp(1, PAGE) as usize).map(|job| job.id.0);
    let jobs: Vec<_> = jobs.iter().map(shown).collect();
    Ok(json_response(StatusCode::OK, &json!({ "jobs": jobs, "next": next })))
}

fn wrong() -> Failure {
    Failure::bad_request(format!("write before=ID, limit= up to {PAGE}, and ended=true or false"))
}

/// How a provider is drained.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Drain {
    #[serde(default)]
    allow_fewer: bool,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Apply {
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    kind: String,
    provider: Option<String>,
    policy: Option<String>,
    #[serde(default)]
    allow_fewer: bool,
    #[serde(default)]
    dry_run: bool,
}

async fn start(State(foreman): State<Foreman>, by: By, Sent(body): Sent<Start>) -> Result<Response, Failure> {
    let Start { kind, provider, policy, allow_fewer, dry_run } = body;
    match (kind.as_str(), provider, policy) {
        ("drain", Some(provider), None) => {
            foreman.drain(&provider, &Drain { allow_fewer, dry_run }, &by).await
        }
        ("apply", None, Some(policy)) if !allow_fewer => foreman.apply(&policy, dry_run, &by).await,
        _ => Err(Failure::bad_request(
            "write {\"kind\": \"drain\", \"provider\": NAME} or {\"kind\": \"apply\", \"policy\": NAME}",
        )),
    }
}

async fn apply(
    State(foreman): State<Foreman>,
    by: By,
    Path(name): Path<String>,
    Sent(body): Sent<Apply>,
) -> Result<Response, Failure> {
    foreman.apply(&name, body.dry_run, &by).await
}

async fn show(State(foreman): State<Foreman>, Path(id): Path<String>) -> Result<Response, Failure> {
    let id = job_id(&id)?;
    let job = foreman.store.job(id).await?;
    let job = job.ok_or_else(|| no_such_job(id))?;
    Ok(json_response(StatusCode::OK, &shown(&job)))
}

async fn tell(
    State(foreman): State<Foreman>,
    by: By,
    Path((id, command)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let command = command.parse().map_err(Failure::not_found)?;
    let job = foreman.tell(job_id(&id)?, command, &by).await?;
    Ok(json_response(StatusCode::OK, &shown(&job)))
}

fn job_id(text: &str) -> Result<JobId, Failure> {
    let id = text.parse().map(JobId);
    id.map_err(|_| {
        Failure::bad_request(format!("{text:?} is no job: write its number, as pinfold job ls lists it"))
    })
}

pub(super) fn shown(job: &Job) -> Value {
    json!({
        "id": job.id.0,
        "kind": job.kind.as_str(),
        "state": job.state.as_str(),
        "provider": job.provider.as_ref().map(|(_, name)| name),
        "account": job.account.as_ref().map(|(_, name)| name),
        "terms": serde_json::from_str::<Value>(&job.terms).unwrap_or_default(),
        "done": job.progress.done,
        "total": job.progress.total,
        "counts": job.progress.counts,
        "words": job.progress.words,
        "by": job.by,
        "created": job.created.to_string(),
        "updated": job.updated.to_string(),
    })
}

#[cfg(test)]
mod tests;
