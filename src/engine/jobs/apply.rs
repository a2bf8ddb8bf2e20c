//! Has the pins of a policy follow its newest revision, then waits until their copies are those that it asks for, and those
//! that they let go are gone. Which ones are made, and which may go when, is settled pin by pin as ever (`policy/settle.rs`, I8).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Step, Tools};
use crate::{
    model::{Job, JobProgress, JobState, PinId, Timestamp},
    policy,
    store::{Checkpoint, StoreError},
};

/// Pins changed, or settled, in one step.
const STEP: u32 = 256;
/// The time between two passes over pins whose copies are not as they should be: they are settled by what becomes of
/// their copies, and a pass finds those that nothing happened to.
const BETWEEN_PASSES: Duration = Duration::from_secs(15);
/// So many times as long as a pass took is waited for the next one.
const REST: u32 = 10;

/// What it was started with.
#[derive(Debug, Serialize, Deserialize)]
struct Terms {
    policy: String,
}

#[derive(Debug, Serialize, Deserialize)]
enum Stage {
    /// Pins follow the newest revision, up to this one.
    Change { after: i64 },
    /// All do. Those whose copies are not as it asks are settled, up to this one, in a pass that began then, if it did.
    Settle { after: i64, began: Option<i64> },
}

/// A new pass.
const PASS: Stage = Stage::Settle { after: 0, began: None };

pub(super) async fn step(job: &Job, tools: &Tools<'_>) -> Result<Step, StoreError> {
    let Terms { policy } = super::read(&job.terms)?;
    let revisions = tools.shared.store.revisions(&policy).await?;
    let older: u64 = revisions.split_last().map_or(0, |(_, older)| older.iter().map(|(_, pins)| pins).sum());
    let applier = Applier { job, policy, older, tools };
    match job.cursor.as_deref().map(super::read).transpose()? {
        None => applier.begin().await,
        Some(Stage::Change { after }) => applier.change(after).await,
        Some(Stage::Settle { after, began }) => applier.settle(after, began).await,
    }
}

struct Applier<'a> {
    job: &'a Job,
    policy: String,
    /// Pins that follow older revisions.
    older: u64,
    tools: &'a Tools<'a>,
}

impl Applier<'_> {
    async fn begin(&self) -> Result<Step, StoreError> {
        let left = self.tools.shared.store.unapplied(&self.policy, self.older).await?;
        let progress = policy::applied(&self.progress(), JobState::Running, &self.policy, &left);
        self.on(Stage::Change { after: 0 }, progress, self.tools.now)
    }

    async fn change(&self, after: i64) -> Result<Step, StoreError> {
        let (store, now) = (&self.tools.shared.store, self.tools.now);
        if self.older == 0 {
            return self.on(PASS, self.progress(), now);
        }
        let applied = store.apply_step(self.policy.clone(), PinId(after), STEP, now).await?;
        self.tools.spills.remerge();
        let left = self.older.saturating_sub(applied.pins);
        let progress = JobProgress {
            done: self.job.progress.done + applied.pins.saturating_sub(applied.unfit),
            words: if left > 0 { format!("{left} pins follow older revisions still") } else { String::new() },
            ..self.progress()
        };
        // After the last one it begins anew: the config may have changed meanwhile.
        let after = applied.next.map_or(0, |next| next.0);
        self.on(Stage::Change { after }, with(progress, &[("older", left)]), now)
    }

    async fn settle(&self, after: i64, began: Option<i64>) -> Result<Step, StoreError> {
        let (store, now) = (&self.tools.shared.store, self.tools.now);
        if self.older > 0 {
            return self.on(Stage::Change { after: 0 }, self.progress(), now);
        }
        let began = began.map_or(now, Timestamp::from_millis);
        let settled = store.settle_unfit(self.policy.clone(), PinId(after), STEP, now).await?;
        self.tools.spills.remerge();
        if let Some(next) = settled.next {
            let began = Some(began.as_millis());
            return self.on(Stage::Settle { after: next.0, began }, self.progress(), now);
        }
        let left = store.unapplied(&self.policy, self.older).await?;
        let state = if left.is_done() { JobState::Done } else { JobState::Running };
        let progress = policy::applied(&self.job.progress, state, &self.policy, &left);
        if state == JobState::Done {
            return Ok(Step { checkpoint: Checkpoint { state, cursor: None, progress }, next: now });
        }
        self.on(PASS, progress, now.plus(BETWEEN_PASSES.max(now.since(began) * REST)))
    }

    fn progress(&self) -> JobProgress {
        self.job.progress.clone()
    }

    fn on(&self, stage: Stage, progress: JobProgress, next: Timestamp) -> Result<Step, StoreError> {
        let cursor = Some(super::written(&stage)?);
        Ok(Step { checkpoint: Checkpoint { state: JobState::Running, cursor, progress }, next })
    }
}

fn with(progress: JobProgress, counts: &[(&str, u64)]) -> JobProgress {
    let counts = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    JobProgress { counts, ..progress }
}
