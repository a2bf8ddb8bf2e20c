//! What follows for a pin from the state of its copies: its status, and copies to ask for or to let go.

mod forecast;

use std::cmp::Reverse;

use crate::model::{ProviderId, ReplicaId, ReplicaState, Status, Timestamp};

use super::{
    CopyView, Late, Placement, Priority, ProviderView, Tally, merge,
    place::{Footing, Own},
};

pub use forecast::{Forecast, forecast};

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
    /// Copies that are pinned, whose provider is not dead, and that stay.
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
    let tally =
        Tally::of_all(settling.copies.iter().filter(|sight| !sight.is_dead()).map(|sight| sight.copy));
    let own = settling.own();
    let counting = own.iter().filter(|own| own.counts).count();
    let missing = usize::from(pin.want).saturating_sub(counting);
    let open = placement.choose(usize::MAX, &own).count();
    let next = placement.choose(missing, &own).filter(|next| next.footing == Footing::Usable);
    let link: Vec<ProviderId> = next.map(|next| next.provider).collect();
    let unlink = settling.unlink(missing <= link.len(), counting + open);
    let stays = |sight: &&Sight<'_>| !unlink.contains(&sight.copy.replica);
    let alive = settling.copies.iter().filter(|sight| !sight.is_dead());
    let have = Tally::of_all(alive.filter(stays).map(|sight| sight.copy)).pinned;
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

/// A pin's own copies, and whether each counts towards what its policy asks for.
pub fn weigh(copies: &[CopyView], placement: &Placement<'_>, now: Timestamp) -> Vec<Own> {
    sights(copies, placement, now).iter().map(Sight::own).collect()
}

/// A copy, and where it is.
struct Sight<'a> {
    copy: &'a CopyView,
    /// `None`: nobody knows its provider.
    view: Option<&'a ProviderView>,
    /// When it becomes late, where its policy says so.
    deadline: Option<Timestamp>,
    is_late: bool,
    /// Whether it is one of those that the policy asks for.
    counts: bool,
    /// It would be, but for another one with the same value of the tag that copies are spread by.
    doubles: bool,
}

/// The copies with where they are. Of those that share a value of the tag that copies are spread by one counts: one that
/// is pinned, where there is any.
fn sights<'a>(copies: &'a [CopyView], placement: &Placement<'a>, now: Timestamp) -> Vec<Sight<'a>> {
    let mut sights: Vec<Sight<'a>> = copies.iter().map(|copy| Sight::new(copy, placement, now)).collect();
    let tag = placement.policy.spread_by.as_ref();
    let value = |sight: &Sight<'a>| tag.and_then(|tag| sight.view?.facts.tags.get(tag));
    let mut order: Vec<usize> = (0..sights.len()).filter(|at| sights[*at].could_count()).collect();
    order.sort_by_key(|at| !sights[*at].is_pinned());
    let mut values = Vec::new();
    for at in order {
        let value = value(&sights[at]);
        sights[at].doubles = value.is_some() && values.contains(&value);
        sights[at].counts = !sights[at].doubles;
        values.push(value);
    }
    sights
}

impl<'a> Sight<'a> {
    fn new(copy: &'a CopyView, placement: &Placement<'a>, now: Timestamp) -> Self {
        let view = placement.views.iter().find(|view| view.id == copy.provider);
        let deadlines = placement.policy.deadlines;
        let span = match copy.state {
            ReplicaState::Pinned => None,
            ReplicaState::Pinning => deadlines.pinning,
            ReplicaState::None | ReplicaState::Queued | ReplicaState::Failed | ReplicaState::Lost => {
                deadlines.queued
            }
        };
        let deadline = span.map(|span| copy.state_at.plus(span));
        let is_late = deadline.is_some_and(|deadline| deadline <= now);
        Self { copy, view, deadline, is_late, counts: false, doubles: false }
    }

    fn own(&self) -> Own {
        Own { provider: self.copy.provider, counts: self.counts }
    }

    fn footing(&self) -> Footing {
        self.view.map_or(Footing::Absent, |view| view.footing)
    }

    fn is_listed(&self) -> bool {
        self.view.is_some_and(|view| view.listed)
    }

    fn is_pinned(&self) -> bool {
        self.copy.state == ReplicaState::Pinned
    }

    fn is_usable(&self) -> bool {
        self.is_listed() && self.footing() == Footing::Usable
    }

    fn is_dead(&self) -> bool {
        self.footing() == Footing::Dead
    }

    /// Whether it could be one of those that the policy asks for: pinned where it counts, or on its way there in time.
    fn could_count(&self) -> bool {
        let waiting = self.is_usable() && !self.copy.refused && !self.copy.stalled && !self.is_late;
        self.is_listed() && if self.is_pinned() { self.footing().counts() } else { waiting }
    }

    /// Whether it is there for those that are let go (I8): seen where it is to stay, by a provider that answers.
    fn is_safe(&self) -> bool {
        let stays = matches!(self.footing(), Footing::Usable | Footing::Waiting | Footing::Readonly);
        self.copy.confirmed && stays && self.view.is_some_and(|view| view.answers)
    }

    fn late_at(&self) -> Option<(ReplicaId, Timestamp)> {
        let waited_for = !self.is_pinned() && !self.is_late && self.is_listed();
        self.deadline.filter(|_| waited_for).map(|deadline| (self.copy.replica, deadline))
    }
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
            _ if sight.view.is_some_and(|view| view.leaving) => true,
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
