//! Proofs of the scripted store, which nobody asks for.

use async_trait::async_trait;

use super::{NOT_ASKED, ScriptedStore};
use crate::{
    model::{Content, ProviderId, ReplicaId, Timestamp},
    store::{Judged, ProofRound, ProofStore, StoreError},
};

#[async_trait]
impl ProofStore for ScriptedStore {
    async fn proof_sample(
        &self,
        _: ProviderId,
        _: Vec<u32>,
        _: Timestamp,
    ) -> Result<Vec<(ReplicaId, Content)>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn note_proof(&self, _: ProviderId, _: ProofRound, _: Timestamp) -> Result<Judged, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn forget_proof(&self, _: ProviderId, _: Timestamp) -> Result<(), StoreError> {
        unreachable!("{NOT_ASKED}")
    }
}
