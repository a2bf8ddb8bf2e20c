//! Which providers get a new pin's copies.

use crate::model::{Mode, ProviderId, ProviderRecord, Timestamp};

use super::Policy;

/// What placement needs to know of one provider, in a policy's order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderView {
    pub id: ProviderId,
    /// In the config, and its operator wants it to be used.
    pub wanted: bool,
    /// Answering, and not throttling us for longer than a moment.
    pub usable: bool,
}

impl ProviderView {
    /// A Retry-After up to this long, in milliseconds, is waited for; a longer one spills over.
    const PATIENCE_MS: i64 = 60_000;

    pub fn new(provider: &ProviderRecord, now: Timestamp) -> Self {
        let throttled = provider
            .blocked_until
            .is_some_and(|until| until.as_millis() - now.as_millis() > Self::PATIENCE_MS);
        Self {
            id: provider.id,
            wanted: provider.absent_since.is_none() && provider.mode == Mode::Active,
            usable: provider.health.is_usable() && !throttled,
        }
    }
}

impl Policy {
    /// The views of this policy's providers, most preferred first; names that nobody has are passed over.
    pub fn views(&self, providers: &[ProviderRecord], now: Timestamp) -> Vec<ProviderView> {
        let by_name = |name: &String| providers.iter().find(|provider| provider.name == *name);
        self.providers.iter().filter_map(by_name).map(|provider| ProviderView::new(provider, now)).collect()
    }
}

/// The providers for `copies` new copies: in order of preference, those that answer before those that do not. Fewer
/// only where the policy has no more that are wanted.
pub fn place(copies: u16, providers: &[ProviderView]) -> Vec<ProviderId> {
    let wanted = || providers.iter().filter(|provider| provider.wanted);
    let usable = wanted().filter(|provider| provider.usable);
    let waiting = wanted().filter(|provider| !provider.usable);
    usable.chain(waiting).take(copies.into()).map(|provider| provider.id).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn views() -> impl Strategy<Value = Vec<ProviderView>> {
        prop::collection::vec((any::<bool>(), any::<bool>()), 0..8).prop_map(|flags| {
            (1..)
                .zip(flags)
                .map(|(id, (wanted, usable))| ProviderView { id: ProviderId(id), wanted, usable })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn placement_is_distinct_wanted_and_as_many_as_can_be(providers in views(), copies in 0u16..10) {
            let placed = place(copies, &providers);
            let distinct: HashSet<_> = placed.iter().collect();
            let wanted: HashSet<_> =
                providers.iter().filter(|view| view.wanted).map(|view| view.id).collect();
            prop_assert_eq!(distinct.len(), placed.len());
            prop_assert!(placed.iter().all(|id| wanted.contains(id)));
            prop_assert_eq!(placed.len(), wanted.len().min(copies.into()));
        }

        #[test]
        fn one_more_copy_moves_none_of_the_others(providers in views(), copies in 0u16..10) {
            prop_assert!(place(copies + 1, &providers).starts_with(&place(copies, &providers)));
        }

        #[test]
        fn a_sick_provider_is_taken_only_when_no_other_is_left(providers in views(), copies in 0u16..10) {
            let placed = place(copies, &providers);
            let left_out = |view: &&ProviderView| view.wanted && !placed.contains(&view.id);
            let sick_in = providers.iter().any(|view| placed.contains(&view.id) && !view.usable);
            let well_out = providers.iter().filter(left_out).any(|view| view.usable);
            prop_assert!(!(sick_in && well_out));
        }
    }
}
