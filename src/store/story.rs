//! One pin as operators see it: what clients are never shown, upstream ids among it.

use super::PinRecord;
use crate::{
    model::{AccountId, Content, Proved, ProviderRecord, Timestamp, replica::Replica},
    policy::{CopyView, Placement, Policy, ProviderView},
};

/// A pin, and how it came to be as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct PinStory {
    pub account: (AccountId, String),
    /// Without copies and delegates: those are below.
    pub pin: PinRecord,
    pub content: Content,
    /// By the wall clock, which `created` may run ahead of.
    pub accepted: Timestamp,
    pub was_pinned: bool,
    /// As it was when the pin was accepted.
    pub policy: Policy,
    pub revision: u32,
    /// The revision that new pins follow.
    pub newest_revision: u32,
    /// Its own, then those that it holds.
    pub copies: Vec<CopyStory>,
    /// All providers that were ever registered.
    pub providers: Vec<ProviderRecord>,
    /// As placement sees them, at the moment that was asked for.
    pub views: Vec<ProviderView>,
}

/// One copy that a pin needs.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyStory {
    pub replica: Replica,
    /// Since when it is held for the pin that this one replaced; `None`: it is the pin's own.
    pub held_since: Option<Timestamp>,
    /// How many pins need it, this one included.
    pub pins: u64,
    /// What the provider's gateway answered when it was last asked for it, and when.
    pub proved: Option<(Proved, Timestamp)>,
}

impl PinStory {
    /// Its own copies, as settling sees them.
    pub fn own_copies(&self) -> Vec<CopyView> {
        let own = self.copies.iter().filter(|copy| copy.held_since.is_none());
        own.map(|copy| CopyView::from(&copy.replica)).collect()
    }

    /// How it is placed now.
    pub fn placement(&self, now: Timestamp) -> Placement<'_> {
        let lives = self.pin.expires.map(|expires| expires.since(now));
        Placement { policy: &self.policy, content: &self.content, lives, views: &self.views }
    }

    /// The provider of a copy.
    pub fn provider_of(&self, copy: &CopyStory) -> Option<&ProviderRecord> {
        self.providers.iter().find(|provider| provider.id == copy.replica.provider)
    }
}
