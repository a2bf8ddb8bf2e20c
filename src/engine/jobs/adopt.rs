//! Makes pins of what a provider holds already: its list is staged page by page, held against what is on record, and made
//! into pins, the oldest first. Each page and each transaction may be done twice; what was staged tells what is left.

mod report;

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Step, Tools};
use crate::{
    model::{ContentId, ErrorClass, Job, JobProgress, JobState, ProviderId, Timestamp},
    providers::{Onward, Provider, ProviderError, UpstreamPin, Walk},
    store::{Adoption, Checkpoint, ListedPin, StoreError},
};

/// Pins staged, and pins made, in one transaction.
const ROWS: usize = 128;
/// Copies held against the list in one step.
const COMPARED: u32 = 2000;
/// Rows forgotten in one transaction.
const CLEARED: u32 = 500;
/// The wait for calls under way, and for a provider that does not answer.
const PAUSE: Duration = Duration::from_secs(5);

/// What an adoption is started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The name of the policy that the pins get.
    pub policy: String,
    /// Make nothing: count what would be made.
    #[serde(default)]
    pub dry_run: bool,
}

impl Terms {
    /// As a job keeps them.
    pub fn to_json(&self) -> String {
        // Holds: a string and a flag always serialise.
        serde_json::to_string(self).expect("plain data serialises")
    }
}

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cursor {
    phase: Phase,
    /// Staged so far.
    listed: u64,
    unreadable: u64,
    /// Instants of which no page showed all pins.
    crowded: u64,
    /// Copies on record that were not listed.
    ours_only: u64,
    /// Decided on so far.
    decided: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    List(Walk),
    /// What was made at the provider meanwhile, down to what is staged.
    Top(Walk),
    Compare {
        after: i64,
    },
    Make,
    Clear,
}

impl Default for Phase {
    fn default() -> Self {
        Self::List(Walk::default())
    }
}

pub(super) async fn step(job: &Job, provider: ProviderId, tools: &Tools<'_>) -> Result<Step, StoreError> {
    let terms: Terms = super::read(&job.terms)?;
    let cursor: Cursor = job.cursor.as_deref().map(super::read).transpose()?.unwrap_or_default();
    let Some(upstream) = tools.roster.find(provider) else {
        return Ok(wait(job, "the config does not name the provider now", tools.now.plus(PAUSE)));
    };
    let Some((account, _)) = job.account else {
        return Ok(fail(job, "it names no account", tools));
    };
    let is_telling = upstream.traits().lists_tell;
    let adoption =
        Adoption { job: job.id, provider, account, policy: terms.policy, is_telling, is_dry: terms.dry_run };
    let adopting = Adopting { job, upstream, adoption, tools };
    match adopting.step(cursor).await {
        Err(StoreError::Unknown { what, name, .. }) => {
            Ok(fail(job, &format!("there is no {what} {name:?} any more"), tools))
        }
        other => other,
    }
}

struct Adopting<'a> {
    job: &'a Job,
    upstream: Arc<dyn Provider>,
    adoption: Adoption,
    tools: &'a Tools<'a>,
}

impl Adopting<'_> {
    async fn step(&self, cursor: Cursor) -> Result<Step, StoreError> {
        match cursor.phase.clone() {
            Phase::List(walk) => self.list(cursor, walk).await,
            Phase::Top(walk) => self.top(cursor, walk).await,
            Phase::Compare { after } => self.compare(cursor, after).await,
            Phase::Make => self.make(cursor).await,
            Phase::Clear => self.clear(cursor).await,
        }
    }

    async fn list(&self, mut cursor: Cursor, mut walk: Walk) -> Result<Step, StoreError> {
        if !self.upstream.traits().walks {
            let why = "its list cannot be walked: it comes in no pages, or in no order";
            return Ok(fail(self.job, why, self.tools));
        }
        let page = match self.upstream.list(walk.before()).await {
            Ok(page) => page,
            Err(error) => return Ok(self.later(&error)),
        };
        let (told, unreadable) = (page.edge.count, page.edge.rows.saturating_sub(page.pins.len()));
        let (fresh, onward) = walk.take(page);
        cursor.listed += self.stage(fresh).await?;
        cursor.unreadable += unreadable as u64;
        cursor.crowded = walk.crowds();
        cursor.phase = match onward {
            Onward::Page => Phase::List(walk),
            Onward::End => Phase::Top(Walk::default()),
            Onward::Astray => {
                let why = "its list cannot be walked: it does not heed where it is asked from";
                return Ok(fail(self.job, why, self.tools));
            }
        };
        let progress = report::listing(&cursor, told.or(self.job.progress.total).unwrap_or(0));
        self.go_on(cursor, progress, self.tools.now)
    }

    async fn top(&self, mut cursor: Cursor, mut walk: Walk) -> Result<Step, StoreError> {
        let page = match self.upstream.list(walk.before()).await {
            Ok(page) => page,
            Err(error) => return Ok(self.later(&error)),
        };
        let (fresh, onward) = walk.take(page);
        let new = self.stage(fresh).await?;
        cursor.listed += new;
        // Below a page without news all was seen.
        let goes_on = onward == Onward::Page && new > 0;
        cursor.phase = if goes_on { Phase::Top(walk) } else { Phase::Compare { after: 0 } };
        let progress = report::listing(&cursor, cursor.listed);
        self.go_on(cursor, progress, self.tools.now)
    }

    /// In small transactions: requests go first, and none waits for a whole page.
    async fn stage(&self, fresh: Vec<UpstreamPin>) -> Result<u64, StoreError> {
        let mut pins = fresh.into_iter().filter_map(listed).peekable();
        let mut new = 0;
        while pins.peek().is_some() {
            let some = pins.by_ref().take(ROWS).collect();
            new += self.tools.shared.store.stage_pins(self.adoption.clone(), some, self.tools.now).await?;
        }
        Ok(new)
    }

    async fn compare(&self, mut cursor: Cursor, after: i64) -> Result<Step, StoreError> {
        let store = &self.tools.shared.store;
        let compared = store.compare_copies(self.adoption.clone(), ContentId(after), COMPARED).await?;
        cursor.ours_only += compared.ours_only;
        cursor.phase = compared.next.map_or(Phase::Make, |next| Phase::Compare { after: next.0 });
        let progress = report::listing(&cursor, cursor.listed);
        self.go_on(cursor, progress, self.tools.now)
    }

    async fn make(&self, mut cursor: Cursor) -> Result<Step, StoreError> {
        let (store, now) = (&self.tools.shared.store, self.tools.now);
        let limit = u32::try_from(ROWS).unwrap_or(u32::MAX);
        let adopted = store.adopt_pins(self.adoption.clone(), limit, now).await?;
        cursor.decided += adopted.decided;
        self.tools.shared.metrics.pins().adopted(adopted.made);
        if !self.adoption.is_dry {
            self.tools.spills.remerge();
        }
        let next = match (adopted.decided, adopted.waiting) {
            (0, 0) => {
                cursor.phase = Phase::Clear;
                let staged = store.staged(self.adoption.clone()).await?;
                let progress = report::whole(&cursor, &staged, &self.adoption);
                return self.go_on(cursor, progress, now);
            }
            (0, _) => now.plus(PAUSE),
            _ => now,
        };
        let progress = report::making(&cursor, &self.job.progress, adopted.waiting);
        self.go_on(cursor, progress, next)
    }

    async fn clear(&self, cursor: Cursor) -> Result<Step, StoreError> {
        let cleared = self.tools.shared.store.clear_staged(self.adoption.job, CLEARED).await?;
        let progress = self.job.progress.clone();
        if cleared > 0 {
            return self.go_on(cursor, progress, self.tools.now);
        }
        // Those of a job that was cut off right here are found in the next round.
        self.tools.spills.has_surplus(self.adoption.provider);
        let checkpoint = Checkpoint { state: JobState::Done, cursor: None, progress };
        Ok(Step { checkpoint, next: self.tools.now })
    }

    fn go_on(&self, cursor: Cursor, progress: JobProgress, next: Timestamp) -> Result<Step, StoreError> {
        let cursor = Some(super::written(&cursor)?);
        Ok(Step { checkpoint: Checkpoint { state: JobState::Running, cursor, progress }, next })
    }

    /// A list that did not come is asked for again, for as long as it takes; not where it never will.
    fn later(&self, error: &ProviderError) -> Step {
        let (now, words) = (self.tools.now, error.to_string());
        match error.class {
            ErrorClass::Rejected => fail(self.job, &words, self.tools),
            _ => wait(self.job, &words, error.retry_at.unwrap_or(now.plus(PAUSE)).max(now.plus(PAUSE))),
        }
    }
}

fn listed(pin: UpstreamPin) -> Option<ListedPin> {
    let asked = *pin.asked?;
    let (upstream, status, created) = (pin.id, pin.status, pin.created);
    Some(ListedPin { upstream, spec: asked.spec, is_cut: asked.is_cut, status, created })
}

/// Nothing was done: the same step again, then.
fn wait(job: &Job, words: &str, until: Timestamp) -> Step {
    let progress = JobProgress { words: words.to_owned(), ..job.progress.clone() };
    let checkpoint = Checkpoint { state: JobState::Running, cursor: job.cursor.clone(), progress };
    Step { checkpoint, next: until }
}

fn fail(job: &Job, words: &str, tools: &Tools<'_>) -> Step {
    let progress = JobProgress { words: words.to_owned(), ..job.progress.clone() };
    let checkpoint = Checkpoint { state: JobState::Failed, cursor: None, progress };
    Step { checkpoint, next: tools.now }
}
