//! Plans of the scripted store, which nobody asks for.

use async_trait::async_trait;

use super::{NOT_ASKED, ScriptedStore};
use crate::{
    model::{PinId, ProviderId, Timestamp},
    policy::{Unapplied, Undrained},
    store::{Applied, Change, Plan, PlanStore, StoreError},
};

#[async_trait]
impl PlanStore for ScriptedStore {
    async fn plan_step(&self, _: Change, _: Plan, _: Timestamp) -> Result<Plan, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn revisions(&self, _: &str) -> Result<Vec<(u32, u64)>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn policies(&self) -> Result<Vec<String>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn apply_step(&self, _: String, _: PinId, _: u32, _: Timestamp) -> Result<Applied, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn undrained(&self, _: ProviderId) -> Result<Undrained, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn unapplied(&self, _: &str, _: u64) -> Result<Unapplied, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn settle_unfit(&self, _: String, _: PinId, _: u32, _: Timestamp) -> Result<Applied, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
}
