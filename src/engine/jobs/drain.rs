//! Moves every copy off a provider. What is to be moved where, and what may go when, is settled pin by pin as ever
//! (`policy/settle.rs`, I8): a drain says that the provider is leaving, has all its pins settled, and counts what is left.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Step, Tools};
use crate::{
    model::{ContentId, Job, JobState, ProviderId},
    policy,
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
}

pub(super) async fn step(job: &Job, provider: ProviderId, tools: &Tools<'_>) -> Result<Step, StoreError> {
    let store = &tools.shared.store;
    let terms: Terms = super::read(&job.terms)?;
    let unchanged =
        Checkpoint { state: job.state, cursor: job.cursor.clone(), progress: job.progress.clone() };
    if !store.drain(job.id, terms.allow_fewer, tools.now).await? {
        // It was told otherwise meanwhile, and what is returned here is not saved.
        return Ok(Step { checkpoint: unchanged, next: tools.now });
    }
    let pass: Pass = job.cursor.as_deref().map(super::read).transpose()?.unwrap_or_default();
    let seen = store.respill(provider, Respill::All, ContentId(pass.after), STEP).await?;
    tools.spills.remerge();
    if let Some(next) = seen.next {
        let cursor = Some(super::written(&Pass { after: next.0 })?);
        return Ok(Step { checkpoint: Checkpoint { cursor, ..unchanged }, next: tools.now });
    }
    let left = store.undrained(provider).await?;
    let state = if left.is_done() { JobState::Done } else { JobState::Running };
    let progress = policy::drained(&job.progress, state, &left);
    Ok(Step {
        checkpoint: Checkpoint { state, cursor: None, progress },
        next: tools.now.plus(BETWEEN_PASSES),
    })
}
