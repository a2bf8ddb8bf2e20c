//! Starts audits when it is their time, and gives copies looks of their own again where no list is swept any more.

use std::{collections::BTreeMap, time::Duration};

use super::{Shared, audit::Terms, written};
use crate::{
    model::{Audit, ContentId, JobKind, NewJob, ProviderId, ProviderRecord, Timestamp},
    store::StoreError,
};

/// The time between looks at the clock.
const EVERY: Duration = Duration::from_secs(60);
/// Copies gone through in one step.
const STEP: u32 = 2000;

#[derive(Default)]
pub(super) struct Schedule {
    looked_at: Timestamp,
    /// How far copies were given looks again.
    planned: BTreeMap<ProviderId, ContentId>,
}

impl Schedule {
    /// When to come again.
    pub(super) async fn tick(&mut self, shared: &Shared, now: Timestamp) -> Result<Timestamp, StoreError> {
        let next = self.looked_at.plus(EVERY);
        if now < next && now >= self.looked_at && self.planned.is_empty() {
            return Ok(next);
        }
        self.looked_at = now;
        for record in shared.store.providers().await? {
            match record.facts.audit.filter(|_| record.facts.is_swept()) {
                Some(audit) if record.absent_since.is_none() => start(shared, &record, audit, now).await?,
                None if record.unplanned => self.plan(shared, record.id, now).await?,
                _ => {}
            }
        }
        Ok(if self.planned.is_empty() { now.plus(EVERY) } else { now })
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

async fn start(
    shared: &Shared,
    record: &ProviderRecord,
    audit: Audit,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(last) = record.audited_at else {
        // What is there was looked at until now: the first one comes in its time.
        return shared.store.audit_begins(record.id, now).await;
    };
    // A time that is yet to come was noted by a clock that was wrong.
    if last <= now && now.since(last) < audit.every {
        return Ok(());
    }
    let terms = written(&Terms { by: audit.by })?;
    let job = NewJob { kind: JobKind::Audit, provider: Some(record.id), account: None, terms, by: None };
    match shared.store.create_job(job, now).await {
        // One that is paused, or asks, is not over.
        Ok(_) | Err(StoreError::Taken { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
