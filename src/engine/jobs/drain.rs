//! Moves every copy off a provider. What is to be moved where, and what may go when, is settled pin by pin as ever
//! (`policy/settle.rs`, I8): a drain says that the provider is leaving, has all its pins settled, and counts what is left.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Step, Tools};
use crate::{
    model::{ContentId, Job, JobProgress, JobState, Mode, ProviderId},
    store::{Checkpoint, Respill, StoreError},
};

/// Copies looked at in one step.
const STEP: u32 = 1000;
/// The time between two passes over what is left: its pins are settled by what becomes of their copies, and a pass finds
/// those that nothing happened to.
const BETWEEN_PASSES: Duration = Duration::from_secs(15);

/// What a drain was started with.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::engine) struct Terms {
    #[serde(default)]
    pub(in crate::engine) allow_fewer: bool,
}

/// How far a pass over the provider's copies is.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Pass {
    after: i64,
    wanted: u64,
    leaving: u64,
}

pub(super) async fn step(job: &Job, provider: ProviderId, tools: &Tools<'_>) -> Result<Step, StoreError> {
    let store = &tools.shared.store;
    let terms: Terms = super::read(&job.terms)?;
    store.set_mode(provider, Mode::Draining, terms.allow_fewer, job.by.clone(), tools.now).await?;
    let mut pass: Pass = job.cursor.as_deref().map(super::read).transpose()?.unwrap_or_default();
    let seen = store.respill(provider, Respill::All, ContentId(pass.after), STEP).await?;
    pass.wanted += seen.wanted;
    pass.leaving += seen.leaving;
    tools.spills.remerge();
    let Some(next) = seen.next else { return Ok(passed(job, &pass, tools)) };
    pass.after = next.0;
    let checkpoint = Checkpoint {
        state: JobState::Running,
        cursor: Some(super::written(&pass)?),
        progress: job.progress.clone(),
    };
    Ok(Step { checkpoint, next: tools.now })
}

/// What a whole pass says.
fn passed(job: &Job, pass: &Pass, tools: &Tools<'_>) -> Step {
    let left = pass.wanted + pass.leaving;
    let total = job.progress.total.unwrap_or(left).max(left);
    let words = match (pass.wanted, pass.leaving) {
        (0, 0) => String::new(),
        (0, leaving) => format!("{leaving} copies are being removed there"),
        (wanted, _) => format!("{wanted} copies are there until their pins have enough confirmed elsewhere"),
    };
    let counts = [("wanted", pass.wanted), ("being_removed", pass.leaving)];
    let counts = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    let state = if left == 0 { JobState::Done } else { JobState::Running };
    let progress = JobProgress { done: total - left, total: Some(total), counts, words };
    Step { checkpoint: Checkpoint { state, cursor: None, progress }, next: tools.now.plus(BETWEEN_PASSES) }
}
