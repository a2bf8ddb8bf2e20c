//! Starts audits when it is their time, and gives copies looks of their own again where no list is swept any more.

use std::{collections::BTreeMap, time::Duration};

use super::{super::report::earlier, Shared, audit::Terms, written};
use crate::{
    model::{Audit, ContentId, JobKind, NewJob, ProviderId, ProviderRecord, Timestamp},
    store::StoreError,
};

/// The least time between looks at what is on record, where no job moved and no audit is due.
const EVERY: Duration = Duration::from_secs(60);
/// Copies gone through in one step.
const STEP: u32 = 2000;

#[derive(Default)]
pub(super) struct Schedule {
    looked_at: Timestamp,
    /// When the next audit is due, as far as the last look told.
    next: Option<Timestamp>,
    /// How far copies were given looks again.
    planned: BTreeMap<ProviderId, ContentId>,
}

impl Schedule {
    /// Starts what is due; returns when something is next. What is changed on record meanwhile is seen when whoever did it
    /// pokes, or at the end of the longest sleep.
    pub(super) async fn tick(
        &mut self,
        shared: &Shared,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        if !self.looks(now) {
            return Ok(self.next);
        }
        let (providers, mut next) = (shared.store.providers().await?, None);
        self.planned.retain(|id, _| providers.iter().any(|one| one.id == *id && swept(one).is_none()));
        for record in providers {
            match swept(&record) {
                Some(audit) if record.absent_since.is_none() => {
                    next = earlier(next, start(shared, &record, audit, now).await?);
                }
                None if record.unplanned => self.plan(shared, record.id, now).await?,
                _ => {}
            }
        }
        (self.looked_at, self.next) = (now, if self.planned.is_empty() { next } else { Some(now) });
        Ok(self.next)
    }

    /// A job moved: it may have been an audit that ended.
    pub(super) fn look_again(&mut self) {
        self.looked_at = Timestamp::ZERO;
    }

    fn looks(&self, now: Timestamp) -> bool {
        let is_due = self.next.is_some_and(|at| at <= now);
        is_due || now < self.looked_at || now.since(self.looked_at) >= EVERY
    }

    async fn plan(&mut self, shared: &Shared, id: ProviderId, now: Timestamp) -> Result<(), StoreError> {
        let after = self.planned.get(&id).copied().unwrap_or(ContentId(0));
        match shared.store.plan_looks(id, after, STEP, now).await? {
            Some(next) => self.planned.insert(id, next),
            None => self.planned.remove(&id),
        };
        Ok(())
    }
}

/// When the list is to be swept, where it is.
fn swept(record: &ProviderRecord) -> Option<Audit> {
    record.facts.audit.filter(|_| record.facts.is_swept())
}

/// Starts an audit that is due; returns when the next one is. One that is under way ends with a word of its own.
async fn start(
    shared: &Shared,
    record: &ProviderRecord,
    audit: Audit,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let Some(last) = record.audits_from else {
        // What is there was looked at until now: the first one comes in its time.
        shared.store.audit_begins(record.id, now).await?;
        return Ok(Some(now.plus(audit.every)));
    };
    // A time that is yet to come was noted by a clock that was wrong.
    if last <= now && now.since(last) < audit.every {
        return Ok(Some(last.plus(audit.every)));
    }
    let terms = written(&Terms { by: audit.by })?;
    let job = NewJob { kind: JobKind::Audit, provider: Some(record.id), account: None, terms, by: None };
    match shared.store.create_job(job, now).await {
        // One that is paused, or asks, is not over.
        Ok(_) | Err(StoreError::Taken { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
