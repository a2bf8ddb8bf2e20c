//! Runs jobs: each is a row, moved on by steps that end in a checkpoint. A restart goes on from there, and the step that
//! was cut off is taken again, so that every step may be taken twice.

mod adopt;
mod apply;
mod audit;
mod drain;
mod schedule;

pub use adopt::Terms as AdoptTerms;

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use serde::{Serialize, de::DeserializeOwned};

use self::schedule::Schedule;
use super::{Shared, background::Spills, roster::Roster};
use crate::{
    model::{Job, JobId, JobKind, JobState, Timestamp},
    store::{Checkpoint, StoreError},
    telemetry::{Repeats, traces::under},
};

/// The most steps that are taken at once; the others are due before those taken by then.
const AT_ONCE: usize = 16;
/// The wait after a step that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// For how long jobs that ended are kept.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// The time between looks for jobs that ended long ago.
const FORGET_EVERY: Duration = Duration::from_secs(3600);

/// What a step found.
pub(super) struct Step {
    pub(super) checkpoint: Checkpoint,
    /// When to take the next one.
    pub(super) next: Timestamp,
}

/// What steps are taken with.
pub(super) struct Tools<'a> {
    pub(super) shared: &'a Shared,
    pub(super) roster: &'a Roster,
    pub(super) spills: &'a Spills,
    pub(super) now: Timestamp,
}

pub(super) struct Jobs {
    shared: Shared,
    roster: Roster,
    spills: Spills,
    /// When the next step of each is due, where that is not at once.
    next: BTreeMap<JobId, Timestamp>,
    forgot_at: Timestamp,
    schedule: Schedule,
}

impl Jobs {
    pub(super) fn new(shared: Shared, roster: Roster, spills: Spills) -> Self {
        Self {
            shared,
            roster,
            spills,
            next: BTreeMap::new(),
            forgot_at: Timestamp::ZERO,
            schedule: Schedule::default(),
        }
    }

    /// Ticks until stopping begins.
    pub(super) async fn run(mut self) {
        let shared = self.shared.clone();
        let (mut woken, mut repeats) = (shared.activator.listen(), Repeats::default());
        while !shared.shutdown.has_begun() {
            let now = shared.clock.now();
            let longest = shared.settings.longest_sleep;
            let nap = match self.tick(now).await {
                Ok(next) => {
                    if repeats.worked() {
                        tracing::info!("jobs can be read again");
                    }
                    next.map_or(longest, |at| at.since(now).min(longest))
                }
                Err(error) => {
                    if repeats.failed() {
                        tracing::error!(%error, "jobs cannot be read; it is tried again until it works");
                    }
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = shared.shutdown.begun() => {}
                () = woken.woken(), if !repeats.fails() => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    /// Takes one step of each running job that is due; returns when the next one is.
    pub(super) async fn tick(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.forget(now).await?;
        let audits_at = self.schedule.tick(&self.shared, now).await?;
        // There are few: one of each kind for a provider or policy.
        let mut jobs = self.shared.store.jobs(None, false, u32::MAX).await?;
        jobs.retain(|job| job.state == JobState::Running);
        self.next.retain(|id, _| jobs.iter().any(|job| job.id == *id));
        // A clock that went back puts nothing off for longer than any wait of a job.
        let due_at = |job: &Job| self.next.get(&job.id).copied();
        jobs.retain(|job| due_at(job).is_none_or(|at| at <= now));
        // Those that waited longest go first, and the ones that were never looked at before them.
        jobs.sort_by_key(due_at);
        let is_left = jobs.len() > AT_ONCE;
        let (shared, roster, spills) = (&self.shared, &self.roster, &self.spills);
        let steps = join_all(
            jobs.iter()
                .take(AT_ONCE)
                .map(|job| async move { (job.id, step(job, &Tools { shared, roster, spills, now }).await) }),
        );
        for (id, next) in steps.await {
            self.next.insert(id, next);
            self.schedule.look_again();
            // There may be fan-out to do by now.
            self.shared.activator.poke();
        }
        Ok(self.next.values().copied().chain(audits_at).chain(is_left.then_some(now)).min())
    }

    async fn forget(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if now.since(self.forgot_at) >= FORGET_EVERY
            && self.shared.store.forget_jobs(self.shared.sure.now().min(now).minus(KEPT)).await? == 0
        {
            self.forgot_at = now;
        }
        Ok(())
    }
}

/// Takes a step and saves its checkpoint; returns when the next one is due.
async fn step(job: &Job, tools: &Tools<'_>) -> Timestamp {
    let traced = tools.shared.traces.step(job);
    let saved = under(traced.errand(), save(job, tools)).await;
    traced.ended(saved.as_ref().map(|(state, _)| *state));
    saved.map(|(_, next)| next).unwrap_or_else(|error| {
        tracing::warn!(%error, job = %job, "a step failed, and is taken again");
        tools.now.plus(AFTER_FAILURE)
    })
}

async fn save(job: &Job, tools: &Tools<'_>) -> Result<(JobState, Timestamp), StoreError> {
    let Step { checkpoint, next } = work(job, tools).await?;
    let state = checkpoint.state;
    tools.shared.store.checkpoint_job(job.id, checkpoint, tools.now).await?;
    Ok((state, next))
}

async fn work(job: &Job, tools: &Tools<'_>) -> Result<Step, StoreError> {
    match (job.kind, &job.provider) {
        (JobKind::Apply, _) => apply::step(job, tools).await,
        (JobKind::Audit, Some((provider, _))) => audit::step(job, *provider, tools).await,
        (JobKind::Drain, Some((provider, _))) => drain::step(job, *provider, tools).await,
        (JobKind::Adopt, Some((provider, _))) => adopt::step(job, *provider, tools).await,
        (kind, None) => Err(unreadable(anyhow::anyhow!("{kind} {} names no provider", job.id))),
    }
}

/// Reads what an earlier step, or who started the job, wrote.
fn read<T: DeserializeOwned>(json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(unreadable)
}

fn written<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(unreadable)
}

fn unreadable(error: impl Into<anyhow::Error>) -> StoreError {
    StoreError::Corrupt(error.into())
}
