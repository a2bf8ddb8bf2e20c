//! What follows for a pin from the state of its copies: its status, and copies to ask for or to let go.

mod forecast;
mod sight;

use std::cmp::Reverse;

use crate::model::{ProviderId, ReplicaId, Status, Timestamp};

use super::{
    CopyView, Late, Placement, Priority, Tally, merge,
    place::{Footing, Own},
};

pub use forecast::{Forecast, forecast};
use sight::{Sight, sights};

/// As many live copies are as good as any more.
const MANY: u16 = 3;

/// What settling needs to know of the pin itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinView {
    pub need: u16,
    /// How many copies placement aims at.
    pub want: u16,
    pub was_pinned: bool,
    /// Copies that its policy does not ask for may go, once it is whole without them.
    pub trim: bool,
}

/// All that follows; applying it twice changes nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub status: Status,
    /// How many copies it has, of those that stay (`Own::had`).
    pub have: u16,
    /// Further copies that are wanted, for which there is no provider now.
    pub missing: u16,
    /// Providers to ask for a further copy.
    pub link: Vec<ProviderId>,
    /// Own copies to let go: those that are not needed any more and cost no call to drop, and those that may not stay.
    pub unlink: Vec<ReplicaId>,
    /// Whether the copies held from a replaced pin may go.
    pub release_held: bool,
    /// Whether every own copy was answered for, or will not be within a moment.
    pub answered: bool,
    /// Copies that are waited for, and until when.
    pub late_at: Vec<(ReplicaId, Timestamp)>,
    /// How soon its copies are to be sent: those of lower ones are sent first.
    pub rank: i64,
    /// Whether nothing is left to trim.
    pub trimmed: bool,
}

/// Settles one pin; `copies` are its own ones.
pub fn settle(pin: &PinView, copies: &[CopyView], placement: &Placement<'_>, now: Timestamp) -> Verdict {
    let settling = Settling { pin, placement, copies: sights(copies, placement, now) };
    let alive = settling.copies.iter().filter(|sight| !sight.is_dead());
    let tally = Tally::of_all(alive.map(|sight| (sight.copy, sight.had)));
    let own = settling.own();
    let counting = own.iter().filter(|own| own.counts).count();
    let missing = usize::from(pin.want).saturating_sub(counting);
    let open = placement.choose(usize::MAX, &own).count();
    let next = placement.choose(missing, &own).filter(|next| next.footing == Footing::Usable);
    let link: Vec<ProviderId> = next.map(|next| next.provider).collect();
    let unlink = settling.unlink(missing <= link.len(), counting + open);
    let stays = |copy: &&CopyView| !unlink.contains(&copy.replica);
    let staying: Vec<CopyView> = copies.iter().filter(stays).copied().collect();
    let have = had(&weigh(&staying, placement, now));
    let waits = |sight: &Sight<'_>| !sight.copy.answered && sight.is_usable();
    Verdict {
        status: merge(tally, u16::try_from(open).unwrap_or(u16::MAX), pin.need, pin.was_pinned),
        have,
        missing: u16::try_from(missing.saturating_sub(link.len())).unwrap_or(u16::MAX),
        answered: link.is_empty() && !settling.copies.iter().any(waits),
        release_held: tally.pinned >= pin.need,
        late_at: settling.copies.iter().filter_map(Sight::late_at).collect(),
        rank: rank(have, placement.policy.priority),
        trimmed: settling.is_whole() && !settling.has_excess(&unlink),
        link,
        unlink,
    }
}

/// Whose copies are sent first: those with the fewest live ones, then as the policy says. 0 where nothing is there and
/// nothing is said.
fn rank(live: u16, priority: Priority) -> i64 {
    i64::from(live.min(MANY)) * 10 + i64::from(Priority::default().get()) - i64::from(priority.get())
}

/// How many copies a pin has.
pub fn had(own: &[Own]) -> u16 {
    u16::try_from(own.iter().filter(|own| own.had).count()).unwrap_or(u16::MAX)
}

/// A pin's own copies, whether it has each, and whether that counts towards what its policy asks for. Whoever says how many
/// copies a pin has goes by this.
pub fn weigh(copies: &[CopyView], placement: &Placement<'_>, now: Timestamp) -> Vec<Own> {
    sights(copies, placement, now).iter().map(Sight::own).collect()
}

struct Settling<'a> {
    pin: &'a PinView,
    placement: &'a Placement<'a>,
    copies: Vec<Sight<'a>>,
}

impl Settling<'_> {
    fn own(&self) -> Vec<Own> {
        self.copies.iter().map(Sight::own).collect()
    }

    /// Whether as many are pinned as the policy asks for.
    fn is_whole(&self) -> bool {
        let pinned = self.copies.iter().filter(|sight| sight.is_pinned() && sight.counts).count();
        pinned >= self.pin.want.into()
    }

    /// The copies to let go. `replaced`: for each that does not count another one is on its way; `possible`: how many
    /// the policy's providers can have at most.
    fn unlink(&self, replaced: bool, possible: usize) -> Vec<ReplicaId> {
        let mut going: Vec<&Sight<'_>> = self.copies.iter().filter(|sight| self.is_needless(sight)).collect();
        going.extend(self.leaving(replaced, possible));
        going.extend(self.excess(&going));
        going.into_iter().map(|sight| sight.copy.replica).collect()
    }

    /// What may go because nothing that is pinned goes with it.
    fn is_needless(&self, sight: &Sight<'_>) -> bool {
        let costs_nothing = sight.copy.untouched || (self.trims() && !sight.counts);
        self.is_whole() && !sight.is_pinned() && costs_nothing
    }

    fn trims(&self) -> bool {
        self.pin.trim || self.placement.policy.late == Late::Remove
    }

    /// Copies that may not stay where they are, and may go (I8).
    fn leaving(&self, replaced: bool, possible: usize) -> impl Iterator<Item = &Sight<'_>> {
        let (is_whole, trims) = (self.is_whole(), self.trims());
        let leaves = move |sight: &&Sight<'_>| match sight.footing() {
            _ if sight.leaves() => true,
            Footing::Dead => trims && is_whole,
            _ if sight.doubles => trims && is_whole,
            _ => self.pin.trim && !sight.is_listed(),
        };
        let leaving: Vec<&Sight<'_>> = self.copies.iter().filter(leaves).collect();
        let safe = self.safe(&leaving);
        leaving.into_iter().filter(move |sight| {
            let fewer = sight.view.is_some_and(|view| view.allow_fewer);
            let least = if fewer { self.least().min(possible.max(1)) } else { self.least() };
            let costs_nothing = !sight.is_pinned() && replaced && sight.copy.untouched;
            !self.is_needless(sight) && (costs_nothing || safe >= least)
        })
    }

    /// Pinned copies beyond those that the policy asks for, the least preferred ones first, as far as they may go (I8).
    fn excess<'s>(&'s self, going: &[&Sight<'_>]) -> Vec<&'s Sight<'s>> {
        if !self.trims() {
            return Vec::new();
        }
        let order = self.placement.consider(0, &[]);
        let place = |sight: &Sight<'_>| order.iter().position(|one| one.provider == sight.copy.provider);
        let counted = |sight: &&Sight<'_>| sight.is_pinned() && sight.counts;
        let mut pinned: Vec<&Sight<'_>> = self.copies.iter().filter(counted).collect();
        pinned.sort_by_key(|sight| Reverse(place(sight)));
        let mut safe = self.safe(going);
        let beyond = pinned.len().saturating_sub(self.pin.want.into());
        let mut excess = Vec::new();
        for sight in pinned {
            let left = safe - usize::from(sight.is_safe());
            if excess.len() < beyond && left >= self.least() {
                safe = left;
                excess.push(sight);
            }
        }
        excess
    }

    fn has_excess(&self, unlink: &[ReplicaId]) -> bool {
        let stays = |sight: &&Sight<'_>| !unlink.contains(&sight.copy.replica);
        let staying: Vec<&Sight<'_>> = self.copies.iter().filter(stays).collect();
        staying.len() > self.pin.want.into() || staying.iter().any(|sight| !sight.is_listed())
    }

    /// How many copies must be left where one is let go.
    fn least(&self) -> usize {
        self.placement.policy.copies.min.min(self.pin.want).into()
    }

    /// How many copies are there for those that are let go.
    fn safe(&self, going: &[&Sight<'_>]) -> usize {
        let goes = |sight: &Sight<'_>| going.iter().any(|one| one.copy.replica == sight.copy.replica);
        self.copies.iter().filter(|sight| sight.is_safe() && !goes(sight)).count()
    }
}

#[cfg(test)]
mod tests;
