//! Audits of the scripted store, which nobody asks for.

use std::time::Duration;

use async_trait::async_trait;

use super::{NOT_ASKED, ScriptedStore};
use crate::{
    model::{Allowance, ContentId, JobId, ProviderId, Timestamp, UpstreamId},
    store::{AuditStore, Cleared, Listed, Met, Orphan, StoreError, Weigh, Weighed},
};

#[async_trait]
impl AuditStore for ScriptedStore {
    async fn audit_waits(
        &self,
        _: ProviderId,
        _: Option<Allowance>,
        _: bool,
        _: Timestamp,
    ) -> Result<Option<Duration>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn copies_on_record(&self, _: ProviderId) -> Result<u64, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn audit_begins(&self, _: ProviderId, _: Timestamp) -> Result<(), StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn audit_page(
        &self,
        _: JobId,
        _: ProviderId,
        _: Vec<Listed>,
        _: Timestamp,
    ) -> Result<Met, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn audit_weigh(&self, _: Weigh) -> Result<Weighed, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn audit_clear(
        &self,
        _: JobId,
        _: (Timestamp, Timestamp),
        _: u32,
        _: Timestamp,
    ) -> Result<Cleared, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn audit_ends(
        &self,
        _: JobId,
        _: ProviderId,
        _: Option<(Timestamp, u64)>,
    ) -> Result<(), StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn plan_looks(
        &self,
        _: ProviderId,
        _: ContentId,
        _: u32,
        _: Timestamp,
    ) -> Result<Option<ContentId>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn orphans(&self, _: ProviderId, _: Option<UpstreamId>, _: u32) -> Result<Vec<Orphan>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
}
