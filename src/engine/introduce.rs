//! Sends on the origins of pins that came after a copy's submit, so that whoever fetches it finds the data.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use futures::future::join_all;

use super::{dispatch::Caller, poll::known};
use crate::{
    model::{Op, Operation, ReplicaId},
    store::Claim,
};

/// More copies than this are not kept in mind: those forgotten are told of their origins once more.
const MOST: usize = 10_000;

/// The origins that providers were last told of, by their hash. A hint: after a restart they are told again.
#[derive(Debug, Default)]
pub(super) struct Introduced {
    told: HashMap<ReplicaId, u64>,
    hasher: RandomState,
}

impl Introduced {
    /// Takes note of what is told now; whether it is news.
    pub(super) fn is_news(&mut self, replica: ReplicaId, origins: &[String]) -> bool {
        if self.told.len() >= MOST {
            self.told.clear();
        }
        let hash = self.hasher.hash_one(origins);
        !origins.is_empty() && self.told.insert(replica, hash) != Some(hash)
    }
}

/// Tells of new origins, as far as the provider has a safe way to take them up. A failure is no harm: the copy is
/// fetched as it would be without.
pub(super) async fn introduce(caller: &Caller, claims: &[Claim]) {
    let news = claims.iter().filter(|claim| {
        claim.op == Op::Poll && caller.introduced().is_news(claim.key.replica, &claim.origins)
    });
    join_all(news.map(|claim| async move {
        let Some(id) = &claim.upstream else { return };
        let introduced = caller.provider.introduce(known(claim, id), caller.submit_of(claim));
        if let Err(error) = caller.call_for([claim], Operation::Submit, introduced).await {
            tracing::debug!(%error, "origins were not sent on");
        }
    }))
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_from_what_was_told_last_is_news() {
        let mut introduced = Introduced::default();
        let origins = |n: u8| vec![format!("/ip4/8.8.8.{n}/tcp/1")];
        assert!(!introduced.is_news(ReplicaId(1), &[]));
        assert!(introduced.is_news(ReplicaId(1), &origins(1)));
        assert!(!introduced.is_news(ReplicaId(1), &origins(1)));
        assert!(introduced.is_news(ReplicaId(2), &origins(1)));
        assert!(introduced.is_news(ReplicaId(1), &origins(2)));
    }
}
