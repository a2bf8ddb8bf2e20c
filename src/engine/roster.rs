//! The providers that can be called now, for whoever is not their driver: jobs, and proofs of retrieval.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{model::ProviderId, providers::Provider};

/// Clones share it. A provider that is taken up by a reload takes the place of the one before.
#[derive(Clone, Default)]
pub(super) struct Roster(Arc<RwLock<BTreeMap<ProviderId, Arc<dyn Provider>>>>);

impl Roster {
    pub(super) fn enter(&self, id: ProviderId, provider: Arc<dyn Provider>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id, provider);
    }

    /// Decided while nobody else enters or leaves.
    pub(super) fn enter_if(&self, wanted: impl Fn() -> bool, id: ProviderId, provider: &Arc<dyn Provider>) {
        let mut roster = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if wanted() {
            roster.insert(id, provider.clone());
        }
    }

    pub(super) fn leave(&self, id: ProviderId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// `None`: the config does not name it.
    pub(super) fn find(&self, id: ProviderId) -> Option<Arc<dyn Provider>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }
}
