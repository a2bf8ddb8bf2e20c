//! Claims what is due, as much as can be worked now.

use std::time::Duration;

use super::{Driver, GROUP};
use crate::{
    model::Timestamp,
    providers::Readiness,
    store::{ClaimRequest, Claimed, StoreError},
};

/// The most replicas whose states are asked for at once.
const LOOKS: u32 = 1000;
/// Added to a lease for what happens between the calls.
const SLACK: Duration = Duration::from_secs(30);

impl Driver {
    /// What was claimed, and whether something else may be due for which there was no room. `None`: there is none at all.
    pub(super) async fn claim(&self, now: Timestamp) -> Result<Option<(Claimed, bool)>, StoreError> {
        let Some((singles, looks)) = self.room(now) else { return Ok(None) };
        let store = &self.caller.shared.store;
        if !self.is_on_trial(now) {
            let claimed = store.claim_due(self.request(singles, looks, now)).await?;
            return Ok(Some((claimed, singles == 0 || looks == 0)));
        }
        // Its breaker lets a single call leave: whatever were claimed beside it would be put off for nothing.
        if self.outstanding() > 0 {
            return Ok(None);
        }
        let mut claimed = Claimed::default();
        for (singles, looks) in [(singles.min(1), 0), (0, looks.min(1))] {
            if claimed.claims.is_empty() && singles + looks > 0 {
                claimed = store.claim_due(self.request(singles, looks, now)).await?;
            }
        }
        Ok(Some((claimed, true)))
    }

    fn is_on_trial(&self, now: Timestamp) -> bool {
        matches!(self.caller.provider.readiness(now), Readiness::Ready { trial: true, .. })
    }

    /// How much more can be worked: groups of submits and removes up to twice what can be called at once, and one
    /// round of polls at a time.
    fn room(&self, now: Timestamp) -> Option<(u32, u32)> {
        let load = *self.load.borrow();
        let concurrency = self.caller.provider.traits().concurrency;
        let most = if self.caller.observed().is_probing() { 1 } else { (2 * concurrency).max(2 * GROUP) };
        let free = most.saturating_sub(load.singles);
        let singles = if free >= GROUP.min(most) { u32::try_from(free).unwrap_or(u32::MAX) } else { 0 };
        let looks = match load.looks {
            0 if now < self.look_at => 0,
            0 if most == 1 => 1,
            0 => LOOKS,
            _ => 0,
        };
        (singles + looks > 0).then_some((singles, looks))
    }

    fn request(&self, singles: u32, looks: u32, now: Timestamp) -> ClaimRequest {
        let traits = self.caller.provider.traits();
        let lease = traits.deadline * 2 + SLACK;
        ClaimRequest {
            provider: self.caller.id,
            singles,
            looks,
            now,
            lease_until: now.plus(lease),
            doubt_until: self.caller.doubt_until(now),
            exclusive: traits.exclusive,
            allowance: self.caller.provider.allowance(),
            max_queued: traits.max_queued,
            introduces: traits.introduces,
        }
    }
}
