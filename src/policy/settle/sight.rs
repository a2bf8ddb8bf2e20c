//! One copy of a pin as settling sees it: where it is, whether the pin has it, and whether it counts.

use crate::{
    model::{ProviderId, ReplicaId, ReplicaState, Timestamp},
    policy::{
        CopyView, Placement, ProviderView,
        place::{Footing, Own, Reason},
    },
};

/// A copy, and where it is.
pub(super) struct Sight<'a> {
    pub(super) copy: &'a CopyView,
    /// `None`: nobody knows its provider.
    pub(super) view: Option<&'a ProviderView>,
    /// When it becomes late, where its policy says so.
    deadline: Option<Timestamp>,
    is_late: bool,
    /// As [`Own::had`].
    pub(super) had: bool,
    /// Whether it is one of those that the policy asks for.
    pub(super) counts: bool,
    /// It would be, but for another one with the same value of the tag that copies are spread by.
    pub(super) doubles: bool,
    /// The one because of which it is not had.
    shares: Option<Reason>,
}

/// The copies with where they are. Of those that share a value of the tag that copies are spread by one counts, and one is
/// had: one that is pinned, where there is any, and that stays.
pub(super) fn sights<'a>(
    copies: &'a [CopyView],
    placement: &Placement<'a>,
    now: Timestamp,
) -> Vec<Sight<'a>> {
    let mut sights: Vec<Sight<'a>> = copies.iter().map(|copy| Sight::new(copy, placement, now)).collect();
    let tag = placement.policy.spread_by.as_deref();
    let mut order: Vec<usize> = (0..sights.len()).filter(|at| sights[*at].could_count()).collect();
    order.sort_by_key(|at| !sights[*at].is_pinned());
    each_apart(&mut sights, tag, &order, |sight, shares| {
        (sight.doubles, sight.counts) = (shares.is_some(), shares.is_none());
    });
    let mut order: Vec<usize> = (0..sights.len()).filter(|at| sights[*at].could_be_had()).collect();
    order.sort_by_key(|at| (!sights[*at].counts, sights[*at].leaves()));
    each_apart(&mut sights, tag, &order, |sight, shares| {
        (sight.had, sight.shares) = (shares.is_none(), shares);
    });
    sights
}

/// Tells each, in this order, whether it shares its value of a tag with one before it.
fn each_apart<'a>(
    sights: &mut [Sight<'a>],
    tag: Option<&str>,
    order: &[usize],
    tell: impl Fn(&mut Sight<'a>, Option<Reason>),
) {
    let mut taken: Vec<(&str, ProviderId)> = Vec::new();
    for at in order {
        let sight = &mut sights[*at];
        let value = tag.and_then(|tag| sight.view?.facts.tags.get(tag)).map(String::as_str);
        let with = value.and_then(|value| taken.iter().find(|(other, _)| *other == value));
        let shares = with.map(|(value, with)| Reason::Shares {
            tag: tag.unwrap_or_default().to_owned(),
            value: (*value).to_owned(),
            with: *with,
        });
        taken.extend(value.map(|value| (value, sight.copy.provider)));
        tell(sight, shares);
    }
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
        Self { copy, view, deadline, is_late, had: false, counts: false, doubles: false, shares: None }
    }

    pub(super) fn own(&self) -> Own {
        let (had, counts) = (self.had, self.counts);
        let idle = if had || counts { None } else { self.idle() };
        Own { provider: self.copy.provider, had, counts, idle }
    }

    fn idle(&self) -> Option<Reason> {
        let footing = Some(self.footing()).filter(|footing| !footing.is_had());
        footing.map(Reason::Footing).or_else(|| self.shares.clone())
    }

    pub(super) fn footing(&self) -> Footing {
        self.view.map_or(Footing::Absent, |view| view.footing)
    }

    pub(super) fn leaves(&self) -> bool {
        self.view.is_some_and(|view| view.leaving)
    }

    pub(super) fn is_listed(&self) -> bool {
        self.view.is_some_and(|view| view.listed)
    }

    pub(super) fn is_pinned(&self) -> bool {
        self.copy.state == ReplicaState::Pinned
    }

    pub(super) fn is_usable(&self) -> bool {
        self.is_listed() && self.footing() == Footing::Usable
    }

    pub(super) fn is_dead(&self) -> bool {
        self.footing() == Footing::Dead
    }

    /// Whether it could be one of those that the policy asks for: pinned where it counts, or on its way there in time.
    fn could_count(&self) -> bool {
        let waiting = self.is_usable() && !self.copy.refused && !self.copy.stalled && !self.is_late;
        self.is_listed() && if self.is_pinned() { self.footing().counts() } else { waiting }
    }

    /// Whether it is pinned where that is believed.
    fn could_be_had(&self) -> bool {
        self.is_pinned() && self.footing().is_had()
    }

    /// Whether it is there for those that are let go (I8): had, and seen where it is to stay, by a provider that answers.
    pub(super) fn is_safe(&self) -> bool {
        let stays = matches!(self.footing(), Footing::Usable | Footing::Waiting | Footing::Readonly);
        self.had && self.copy.confirmed && stays && self.view.is_some_and(|view| view.answers)
    }

    pub(super) fn late_at(&self) -> Option<(ReplicaId, Timestamp)> {
        let waited_for = !self.is_pinned() && !self.is_late && self.is_listed();
        self.deadline.filter(|_| waited_for).map(|deadline| (self.copy.replica, deadline))
    }
}
