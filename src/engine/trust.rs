//! Which credential a provider is called with, and whether it is known to reach our copies.

use std::time::Duration;

use super::{
    dispatch::Caller,
    prove::{self, Proof},
};
use crate::{model::Timestamp, providers::Held, store::StoreError};

/// The wait before a credential that could not be proven is tried again.
const PROVE_AGAIN: Duration = Duration::from_secs(10);

/// What is known of the credential in use.
#[derive(Debug)]
pub(super) struct Trust {
    held: Option<Held>,
    /// The one that last reached our copies.
    last_proven: Option<[u8; 32]>,
    proven: bool,
    /// No proof is tried before this.
    prove_at: Timestamp,
}

impl Trust {
    pub(super) fn new(last_proven: Option<[u8; 32]>) -> Self {
        Self { held: None, last_proven, proven: false, prove_at: Timestamp::ZERO }
    }

    /// The clock was turned: whatever was planned by it is for now.
    pub(super) fn prove_now(&mut self) {
        self.prove_at = Timestamp::ZERO;
    }

    /// The credential to work with. Another one is taken up once the provider is `idle`, so that nothing is sent with
    /// it before it is proven; until then `None`.
    pub(super) async fn hold(&mut self, caller: &Caller, idle: bool) -> Option<Held> {
        let given = caller.provider.credential().await;
        if self.held == Some(given) {
            return self.held;
        }
        if self.held.is_none_or(|held| held.identity != given.identity) {
            if !idle {
                return None;
            }
            caller.provider.take_up_credential();
            self.proven = self.last_proven == Some(given.identity);
            self.prove_at = Timestamp::ZERO;
        }
        if self.held.replace(given).is_some() {
            let provider = caller.provider.name();
            tracing::info!(provider, "there is another credential: it is tried now");
            caller.observed().probe_now();
        }
        self.held
    }

    /// Until when nothing may be sent, because the credential is not proven.
    pub(super) async fn distrusted_until(
        &mut self,
        caller: &Caller,
        held: Held,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        if !self.proven && now >= self.prove_at {
            match prove::prove(caller, held.identity, now).await? {
                Proof::Proven => (self.proven, self.last_proven) = (true, Some(held.identity)),
                Proof::Unknown => self.prove_at = now.plus(PROVE_AGAIN),
                Proof::Wrong => self.prove_at = now.plus(caller.shared.settings.probe_max),
            }
        }
        Ok((!self.proven).then_some(self.prove_at))
    }
}
