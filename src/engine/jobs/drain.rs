//! Moves every copy off a provider. What is to be moved where, and what may go when, is settled pin by pin as ever
//! (`policy/settle.rs`, I8): a drain says that the provider is leaving, has all its pins settled, and counts what is left.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Step, Tools};
use crate::{
    model::{ContentId, Health, Job, JobProgress, JobState, ProviderId, ProviderRecord},
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
    if !store.drain(job.id, terms.allow_fewer, tools.now).await? {
        // It was told otherwise meanwhile, and what is returned here is not saved.
        return Ok(Step { checkpoint: unchanged(job), next: tools.now });
    }
    let mut pass: Pass = job.cursor.as_deref().map(super::read).transpose()?.unwrap_or_default();
    let seen = store.respill(provider, Respill::All, ContentId(pass.after), STEP).await?;
    pass.wanted += seen.wanted;
    pass.leaving += seen.leaving;
    tools.spills.remerge();
    let Some(next) = seen.next else {
        let providers = store.providers().await?;
        let record = providers.iter().find(|record| record.id == provider);
        return Ok(passed(job, &pass, record.is_none_or(is_gone), tools));
    };
    pass.after = next.0;
    let checkpoint = Checkpoint { cursor: Some(super::written(&pass)?), ..unchanged(job) };
    Ok(Step { checkpoint, next: tools.now })
}

fn unchanged(job: &Job) -> Checkpoint {
    Checkpoint { state: job.state, cursor: job.cursor.clone(), progress: job.progress.clone() }
}

/// Whether nobody can remove anything there, so that it is not waited for.
fn is_gone(provider: &ProviderRecord) -> bool {
    provider.absent_since.is_some() || provider.health == Health::Dead
}

/// What a whole pass says.
fn passed(job: &Job, pass: &Pass, gone: bool, tools: &Tools<'_>) -> Step {
    let left = pass.wanted + if gone { 0 } else { pass.leaving };
    let total = job.progress.total.unwrap_or(0).max(pass.wanted + pass.leaving);
    let words = match (pass.wanted, pass.leaving) {
        (0, 0) => String::new(),
        (0, leaving) if gone => format!(
            "{leaving} copies were let go and may still be there: it does not answer, or is not in the config"
        ),
        (0, leaving) => format!("{leaving} copies are being removed there"),
        (wanted, _) => format!("{wanted} copies are there until their pins have enough confirmed elsewhere"),
    };
    let counts = [("wanted", pass.wanted), ("being_removed", pass.leaving)];
    let counts = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    let state = if left == 0 { JobState::Done } else { JobState::Running };
    let progress = JobProgress { done: total - left, total: Some(total), counts, words };
    Step { checkpoint: Checkpoint { state, cursor: None, progress }, next: tools.now.plus(BETWEEN_PASSES) }
}
