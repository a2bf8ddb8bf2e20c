//! Proofs of retrieval: which copies are asked for at a provider's gateway, and what came of it.

use async_trait::async_trait;

use super::StoreError;
use crate::model::{Content, ProofState, Proved, ProviderId, ReplicaId, Sampled, Timestamp};

/// What asking for a sample of a provider's copies came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProofRound {
    pub copies: Vec<(ReplicaId, Proved)>,
    /// The first thing that went wrong, in words.
    pub why: Option<String>,
}

impl ProofRound {
    pub fn sampled(&self) -> Sampled {
        let mut sampled = Sampled::default();
        self.copies.iter().for_each(|(_, proved)| sampled.add(*proved));
        sampled
    }
}

/// What noting it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    pub before: ProofState,
    pub after: ProofState,
    /// `Some`: whether the gateway is down now, other than before.
    pub down: Option<bool>,
}

/// The intentions of proofs; each is atomic and, once it has returned `Ok`, on disk (I1).
#[async_trait]
pub trait ProofStore: Send + Sync + 'static {
    /// Copies that a provider confirmed and that are pinned since before `before`, each found from one of the `dice` (0 to
    /// 2^32): fewer than these, where some fall on the same. The cost goes by the dice, not by how many copies there are.
    async fn proof_sample(
        &self,
        provider: ProviderId,
        dice: Vec<u32>,
        before: Timestamp,
    ) -> Result<Vec<(ReplicaId, Content)>, StoreError>;

    /// Notes a sample. Where the provider is unproven from now on, or not any more, all its pins are settled anew.
    /// Background lane.
    async fn note_proof(
        &self,
        provider: ProviderId,
        round: ProofRound,
        now: Timestamp,
    ) -> Result<Judged, StoreError>;

    /// Forgets what is known of a provider that has no gateway any more. Background lane.
    async fn forget_proof(&self, provider: ProviderId, now: Timestamp) -> Result<(), StoreError>;
}
