//! Compares what a provider has with what is on record: sweeps its list, then has the engine look at what the list did
//! not show. Only such a look makes a copy lost; nothing is sent, or sent again, by a list's word alone.

mod call;
mod cursor;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::{
    call::{Held, page},
    cursor::{Cursor, Stage, Tally, most},
};
use super::{Step, Tools};
use crate::{
    model::{AuditBy, ContentId, Job, JobProgress, JobState, ProviderId, ProviderRecord, Timestamp},
    providers::{Onward, Provider, Walk},
    store::{Checkpoint, Cleared, Listed, StoreError, Weigh},
    telemetry::{Audited, ProviderMetrics},
};

/// Copies gone through in one step.
const STEP: u32 = 5000;
/// Copies that are looked at for an audit at any time.
const LOOKS: u32 = 1000;
/// The time between looks whether these are done.
const PATIENCE: Duration = Duration::from_secs(5);
/// So often it gives way before it goes on beside what is new, which then waits for something else than calls.
const PATIENT: u32 = 60;
/// So often in a row its list fails before each copy is looked at instead: that takes more than an hour, in which another call
/// shows whether the provider is down.
const FAILURES: u32 = 12;
/// From so many pages on a sweep is given up once look-ups are cheaper.
const TRIAL: u64 = 10;

/// What an audit was started with.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::engine) struct Terms {
    #[serde(default)]
    pub(in crate::engine) by: AuditBy,
}

/// All that a step goes by.
struct Auditor<'a> {
    job: &'a Job,
    record: ProviderRecord,
    provider: &'a dyn Provider,
    tools: &'a Tools<'a>,
    metrics: ProviderMetrics,
}

pub(super) async fn step(job: &Job, id: ProviderId, tools: &Tools<'_>) -> Result<Step, StoreError> {
    let records = tools.shared.store.providers().await?;
    let record = records.into_iter().find(|record| record.id == id);
    let (Some(record), Some(provider)) = (record, tools.roster.find(id)) else {
        return Ok(over(
            job,
            JobState::Failed,
            "the provider is not in the config any more".to_owned(),
            tools,
        ));
    };
    let metrics = tools.shared.metrics.provider_if_named(&record.name);
    let auditor = Auditor { job, record, provider: &*provider, tools, metrics };
    let kept: Option<Cursor> = job.cursor.as_deref().map(super::read).transpose()?;
    if let Some(words) = auditor.unfit().await {
        return auditor.again(kept, PATIENCE * 6, words);
    }
    match kept.filter(|cursor| cursor.proven == auditor.record.proven) {
        Some(cursor) => auditor.go_on(cursor).await,
        None => auditor.begin().await,
    }
}

fn over(job: &Job, state: JobState, words: String, tools: &Tools<'_>) -> Step {
    let progress = JobProgress { words, ..job.progress.clone() };
    Step { checkpoint: Checkpoint { state, cursor: job.cursor.clone(), progress }, next: tools.now }
}

impl Auditor<'_> {
    /// Why nothing that the provider says may be believed now.
    async fn unfit(&self) -> Option<String> {
        let name = &self.record.name;
        if !self.record.health.is_usable() {
            return Some(format!("waits until {name} is well again: it is {}", self.record.health));
        }
        let held = self.provider.credential().await;
        let proven = self.record.proven == Some(held.identity);
        (!proven).then(|| format!("waits until the credential of {name} is known to reach our copies"))
    }

    async fn begin(&self) -> Result<Step, StoreError> {
        let store = &self.tools.shared.store;
        store.audit_begins(self.record.id, self.tools.now).await?;
        // What an earlier credential was shown counts for nothing.
        store.audit_ends(self.job.id, self.record.id, None).await?;
        let terms: Terms = super::read(&self.job.terms)?;
        let now = self.tools.now.as_millis();
        let sweeps =
            self.provider.traits().sweeps && terms.by != AuditBy::Look && !self.is_dear(0, terms.by).await?;
        let stage =
            if sweeps { Stage::Sweep(Walk::default()) } else { Stage::Look { since: now, next: Some(0) } };
        let tally = Tally { expected: self.copies().await?, ..Tally::default() };
        let proven = self.record.proven;
        let cursor = Cursor { began: now, proven, failures: 0, gave_way: 0, tally, stage };
        let words = if sweeps { "its list is swept" } else { "each copy is looked at" };
        self.on(cursor, self.tools.now, words.to_owned())
    }

    /// Whether looking at each of our copies costs fewer calls than the list's pages, of which so many were read.
    async fn is_dear(&self, read: u64, by: AuditBy) -> Result<bool, StoreError> {
        let copies = self.copies().await?;
        let looks = copies.div_ceil(self.provider.traits().batch.max(1) as u64);
        let pages = (copies + self.record.orphans).div_ceil(1000).max(read);
        Ok(by == AuditBy::Auto && pages > TRIAL.max(looks))
    }

    async fn copies(&self) -> Result<u64, StoreError> {
        self.tools.shared.store.copies_on_record(self.record.id).await
    }

    async fn go_on(&self, cursor: Cursor) -> Result<Step, StoreError> {
        match cursor.stage.clone() {
            Stage::Sweep(walk) => self.sweep(cursor, walk).await,
            Stage::Weigh { after } => self.weigh(cursor, after).await,
            Stage::Look { since, next } => self.look(cursor, since, next).await,
        }
    }

    /// Reads one page.
    async fn sweep(&self, mut cursor: Cursor, mut walk: Walk) -> Result<Step, StoreError> {
        let terms: Terms = super::read(&self.job.terms)?;
        let since = self.tools.now.as_millis();
        let patient = cursor.gave_way >= PATIENT;
        let page = match page(self.provider, self.record.id, &walk, patient, self.tools).await? {
            Ok(page) => page,
            Err(Held { wait, failed, gives_way, words }) => {
                // Where calls are short its patience begins anew.
                cursor.gave_way = if gives_way && !patient { cursor.gave_way + 1 } else { 0 };
                cursor.failures = if failed { cursor.failures.saturating_add(1) } else { cursor.failures };
                if failed && cursor.failures >= FAILURES && terms.by != AuditBy::Sweep {
                    cursor.stage = Stage::Look { since, next: Some(0) };
                    let words = format!("each copy that it did not show is looked at: {words}");
                    return self.on(cursor, self.tools.now, words);
                }
                let wait = wait.unwrap_or_else(|| PATIENCE * 2u32.pow(cursor.failures.min(7)));
                return self.again(Some(cursor), wait, words);
            }
        };
        cursor.failures = 0;
        let (fresh, onward) = walk.take(page);
        let listed = fresh.into_iter().map(Listed::from).collect();
        let met =
            self.tools.shared.store.audit_page(self.job.id, self.record.id, listed, self.tools.now).await?;
        cursor.tally.listed += met.ours;
        cursor.tally.orphans += met.orphans;
        self.metrics.audited(Audited::Listed, met.ours);
        let words = match onward {
            Onward::Page if self.is_dear(walk.pages(), terms.by).await? => {
                "others' pins there are so many that \
                looking at each of our copies is cheaper than reading on"
            }
            Onward::Page => {
                cursor.stage = Stage::Sweep(walk);
                return self.on(cursor, self.tools.now, String::new());
            }
            Onward::End if walk.is_whole() => {
                (cursor.tally.swept, cursor.stage) = (true, Stage::Weigh { after: 0 });
                return self.on(cursor, self.tools.now, String::new());
            }
            Onward::End => "more pins were made at one instant than a page shows: the others are looked at",
            Onward::Astray => "its list cannot be walked: copies that it did not show are looked at",
        };
        cursor.stage = Stage::Look { since, next: Some(0) };
        self.on(cursor, self.tools.now, words.to_owned())
    }

    /// Finds what the list did not show.
    async fn weigh(&self, mut cursor: Cursor, after: i64) -> Result<Step, StoreError> {
        let next = self.weigh_some(&mut cursor, after, STEP).await?;
        if let Some(after) = next {
            cursor.stage = Stage::Weigh { after };
            return self.on(cursor, self.tools.now, String::new());
        }
        cursor.stage = Stage::Look { since: self.tools.now.as_millis(), next: None };
        if cursor.tally.suspects > most(cursor.tally.copies) {
            let missed = cursor.tally.suspects;
            return self.ask(cursor, &format!("its list lacks {missed}"));
        }
        self.on(cursor, self.tools.now, String::new())
    }

    async fn weigh_some(
        &self,
        cursor: &mut Cursor,
        after: i64,
        limit: u32,
    ) -> Result<Option<i64>, StoreError> {
        let (job, provider) = (self.job.id, self.record.id);
        let (began, after) = (Timestamp::from_millis(cursor.began), ContentId(after));
        let weighed =
            self.tools.shared.store.audit_weigh(Weigh { job, provider, began, after, limit }).await?;
        cursor.tally.copies += weighed.copies;
        cursor.tally.suspects += weighed.suspects;
        self.metrics.audited(Audited::Suspect, weighed.suspects);
        Ok(weighed.next.map(|next| next.0))
    }

    /// Follows what is looked at; goes on to further copies where no list tells of them.
    async fn look(&self, mut cursor: Cursor, since: i64, next: Option<i64>) -> Result<Step, StoreError> {
        let store = &self.tools.shared.store;
        let times = (Timestamp::from_millis(cursor.began), Timestamp::from_millis(since));
        let Cleared { lost, found, unanswered, left, .. } =
            store.audit_clear(self.job.id, times, LOOKS, self.tools.now).await?;
        cursor.tally.lost += lost;
        cursor.tally.found += found;
        cursor.tally.unanswered += unanswered;
        self.metrics.audited(Audited::Lost, lost);
        self.metrics.audited(Audited::Found, found);
        let alarming = next.is_some() && cursor.tally.lost > most(self.copies().await?);
        if alarming && !std::mem::replace(&mut cursor.tally.accepted, true) {
            let lost = cursor.tally.lost;
            return self.ask(cursor, &format!("it lost {lost}, so far"));
        }
        match next {
            _ if left > 0 => {
                let wait = if lost + found > 0 { Duration::from_secs(1) } else { PATIENCE };
                self.on(cursor, self.tools.now.plus(wait), format!("{left} copies are being looked at"))
            }
            Some(after) => {
                let next = self.weigh_some(&mut cursor, after, LOOKS).await?;
                cursor.stage = Stage::Look { since, next };
                self.on(cursor, self.tools.now, String::new())
            }
            None => self.done(cursor).await,
        }
    }

    async fn done(&self, cursor: Cursor) -> Result<Step, StoreError> {
        let Tally { orphans, copies, lost, swept, .. } = cursor.tally;
        let began = Timestamp::from_millis(cursor.began);
        let swept = swept.then_some((began, orphans));
        self.tools.shared.store.audit_ends(self.job.id, self.record.id, swept).await?;
        if lost > 0 {
            tracing::warn!(provider = self.record.name, lost, copies, "an audit found that copies are gone");
        }
        self.save(cursor, JobState::Done, self.tools.now, String::new())
    }

    /// Too many are missing for a sound list: nothing is looked at or sent again before an operator says so.
    fn ask(&self, cursor: Cursor, what: &str) -> Result<Step, StoreError> {
        self.metrics.audit_alarm();
        let id = self.job.id;
        let words = format!(
            "{what} of {} copies that should be there: if that may be, run `pinfold job accept {id}`, else look at \
             the provider and run `pinfold job cancel {id}`",
            cursor.tally.copies
        );
        tracing::error!(provider = self.record.name, job = %id, "an audit asks: {words}");
        self.save(cursor, JobState::Asking, self.tools.now, words)
    }

    /// Takes the same step later.
    fn again(&self, cursor: Option<Cursor>, wait: Duration, words: String) -> Result<Step, StoreError> {
        let next = self.tools.now.plus(wait);
        match cursor {
            Some(cursor) => self.on(cursor, next, words),
            None => {
                let step = over(self.job, JobState::Running, words, self.tools);
                Ok(Step { next, ..step })
            }
        }
    }

    fn on(&self, cursor: Cursor, next: Timestamp, words: String) -> Result<Step, StoreError> {
        self.save(cursor, JobState::Running, next, words)
    }

    fn save(
        &self,
        cursor: Cursor,
        state: JobState,
        next: Timestamp,
        words: String,
    ) -> Result<Step, StoreError> {
        let progress = JobProgress { words, ..cursor.progress(state) };
        let cursor = Some(super::written(&cursor)?);
        Ok(Step { checkpoint: Checkpoint { state, cursor, progress }, next })
    }
}
