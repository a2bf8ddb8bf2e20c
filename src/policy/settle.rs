//! What follows for a pin from the state of its copies: its status, and copies to ask for or to let go.

use crate::model::{ProviderId, ReplicaId, ReplicaState, Status};

use super::{CopyView, ProviderView, Tally, merge};

/// What settling needs to know of the pin itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinView {
    pub need: u16,
    /// How many copies placement aims at.
    pub want: u16,
    pub was_pinned: bool,
}

/// All that follows; applying it twice changes nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub status: Status,
    /// Copies that are pinned.
    pub have: u16,
    /// Providers to ask for a further copy.
    pub link: Vec<ProviderId>,
    /// Own copies that are not needed any more and cost no call to drop.
    pub unlink: Vec<ReplicaId>,
    /// Whether the copies held from a replaced pin may go.
    pub release_held: bool,
    /// Whether every own copy was answered for, or will not be within a moment.
    pub answered: bool,
}

/// Settles one pin. `providers` are its policy's, most preferred first; `copies` its own copies.
pub fn settle(pin: &PinView, copies: &[CopyView], providers: &[ProviderView]) -> Verdict {
    let tally = Tally::of_all(copies);
    let whole = tally.pinned >= pin.want;
    let view_of = |copy: &CopyView| providers.iter().find(|view| view.id == copy.provider);
    let usable = |copy: &CopyView| view_of(copy).is_some_and(|view| view.wanted && view.usable);
    let hopeful = copies
        .iter()
        .filter(|copy| {
            let waiting = usable(copy) && !copy.refused && !copy.stalled;
            copy.state == ReplicaState::Pinned || waiting
        })
        .count();
    let open: Vec<&ProviderView> = providers
        .iter()
        .filter(|view| view.wanted && !copies.iter().any(|copy| copy.provider == view.id))
        .collect();
    let missing = usize::from(pin.want).saturating_sub(hopeful);
    let link: Vec<ProviderId> =
        open.iter().filter(|view| view.usable).take(missing).map(|view| view.id).collect();
    let unlink: Vec<ReplicaId> = copies
        .iter()
        .filter(|copy| whole && copy.untouched && copy.state != ReplicaState::Pinned)
        .map(|copy| copy.replica)
        .collect();
    let still_open = u16::try_from(open.len()).unwrap_or(u16::MAX);
    Verdict {
        status: merge(tally, still_open, pin.need, pin.was_pinned),
        have: tally.pinned,
        answered: link.is_empty() && copies.iter().all(|copy| copy.answered || !usable(copy)),
        link,
        unlink,
        release_held: tally.pinned >= pin.need,
    }
}

#[cfg(test)]
mod tests;
