//! How the copies of a pin add up to the one status that clients see.

use std::ops::Add;

use crate::model::{Doubt, ProviderId, ReplicaId, ReplicaState, Status, Timestamp, replica::Replica};

/// After this many refusals a provider is taken at its word.
pub const REFUSALS: u32 = 3;
/// After this many failed calls in a row a copy is no longer waited for: it spills over.
pub const STALLED: u32 = 3;

/// What merging needs to know of one own copy of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyView {
    pub replica: ReplicaId,
    pub provider: ProviderId,
    /// `None` where a delete may still remove it: a copy asked for again meanwhile counts once a look confirms it.
    pub state: ReplicaState,
    /// The provider will not take this content.
    pub refused: bool,
    /// Its calls keep failing.
    pub stalled: bool,
    /// Nothing of it is upstream and nothing may be: it can be dropped without a call.
    pub untouched: bool,
    /// Its provider has answered, or refused, at least once since the copy was asked for.
    pub answered: bool,
    /// Pinned, and that was said by a look, not by the submit's own answer alone (I8).
    pub confirmed: bool,
    /// Since when it is in its state. Wall clock.
    pub state_at: Timestamp,
}

impl From<&Replica> for CopyView {
    fn from(replica: &Replica) -> Self {
        let state = match replica.doubt {
            Doubt::Remove => ReplicaState::None,
            Doubt::None | Doubt::Submit => replica.state,
        };
        Self {
            replica: replica.id,
            provider: replica.provider,
            state,
            refused: replica.refused(),
            stalled: replica.tries >= STALLED,
            untouched: replica.is_untouched() && !replica.leased,
            answered: state != ReplicaState::None || replica.tries > 0 || replica.refusals > 0,
            confirmed: state == ReplicaState::Pinned && replica.verified_at.is_some(),
            state_at: replica.state_at,
        }
    }
}

/// How many copies are how far. Tallies add: the order in which copies are heard of cannot matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that the pin has.
    pub pinned: u16,
    /// Those that are pinned, had or not: by these a pin that was pinned stays so.
    pub alive: u16,
    pub pinning: u16,
    pub queued: u16,
}

impl Tally {
    /// `had`: whether the pin has it, if it is pinned (`Own::had`). One that is pinned and not had, as where its provider is
    /// not trusted, may be had again.
    pub fn of(copy: &CopyView, had: bool) -> Self {
        let mut tally = Self::default();
        match copy.state {
            ReplicaState::Pinned if had => (tally.pinned, tally.alive) = (1, 1),
            ReplicaState::Pinned => (tally.pinning, tally.alive) = (1, 1),
            ReplicaState::Pinning => tally.pinning = 1,
            ReplicaState::Queued => tally.queued = 1,
            ReplicaState::None | ReplicaState::Lost | ReplicaState::Failed => {
                tally.queued = u16::from(!copy.refused);
            }
        }
        tally
    }

    pub fn of_all<'a>(copies: impl IntoIterator<Item = (&'a CopyView, bool)>) -> Self {
        copies.into_iter().map(|(copy, had)| Self::of(copy, had)).fold(Self::default(), Add::add)
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            pinned: self.pinned + other.pinned,
            alive: self.alive + other.alive,
            pinning: self.pinning + other.pinning,
            queued: self.queued + other.queued,
        }
    }
}

/// The status of a pin that needs `need` copies, with `open` further providers that it may still use.
///
/// `pinned` is kept while one copy is alive and never becomes `failed` (I10); `failed` is said only when too few
/// copies can ever be made.
pub fn merge(tally: Tally, open: u16, need: u16, was_pinned: bool) -> Status {
    if tally.pinned >= need || (was_pinned && tally.alive > 0) {
        return Status::Pinned;
    }
    let possible = tally.pinned + tally.pinning + tally.queued + open;
    if possible < need && !was_pinned {
        return Status::Failed;
    }
    if tally.pinned + tally.pinning > 0 { Status::Pinning } else { Status::Queued }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::ContentId;

    fn tally() -> impl Strategy<Value = Tally> {
        (0u16..20, 0u16..20, 0u16..20, 0u16..5).prop_map(|(pinned, pinning, queued, unhad)| Tally {
            pinned,
            alive: pinned + unhad,
            pinning: pinning + unhad,
            queued,
        })
    }

    fn copy(state: ReplicaState, refused: bool) -> CopyView {
        CopyView {
            replica: ReplicaId(1),
            provider: ProviderId(1),
            state,
            refused,
            stalled: false,
            untouched: false,
            answered: true,
            confirmed: state == ReplicaState::Pinned,
            state_at: Timestamp::ZERO,
        }
    }

    proptest! {
        #[test]
        fn tallies_commute_and_associate(a in tally(), b in tally(), c in tally()) {
            prop_assert_eq!(a + b, b + a);
            prop_assert_eq!((a + b) + c, a + (b + c));
            prop_assert_eq!(a + Tally::default(), a);
        }

        #[test]
        fn pinned_never_becomes_failed(now in tally(), open in 0u16..5, need in 1u16..20) {
            prop_assert_ne!(merge(now, open, need, true), Status::Failed);
        }

        #[test]
        fn failed_means_that_too_few_copies_are_possible(now in tally(), open in 0u16..5, need in 1u16..20) {
            let possible = now.pinned + now.pinning + now.queued + open;
            prop_assert_eq!(merge(now, open, need, false) == Status::Failed, possible < need);
        }

        #[test]
        fn one_more_pinned_copy_never_makes_a_status_worse(now in tally(), open in 0u16..5, need in 1u16..20) {
            let better = Tally { pinned: now.pinned + 1, alive: now.alive + 1, ..now };
            let rank = |status| match status {
                Status::Failed => 0,
                Status::Queued => 1,
                Status::Pinning => 2,
                Status::Pinned => 3,
            };
            for was_pinned in [false, true] {
                let (before, after) =
                    (merge(now, open, need, was_pinned), merge(better, open, need, was_pinned));
                prop_assert!(rank(after) >= rank(before), "{:?} became {:?}", before, after);
            }
        }
    }

    #[test]
    fn a_copy_not_yet_sent_counts_as_queued_unless_refused() {
        for state in [ReplicaState::None, ReplicaState::Lost, ReplicaState::Failed] {
            assert_eq!(Tally::of(&copy(state, false), false).queued, 1);
            assert_eq!(Tally::of(&copy(state, true), false), Tally::default());
        }
    }

    #[test]
    fn a_copy_that_a_delete_may_still_remove_counts_as_queued_until_a_look_confirms_it() {
        let new = Replica::new(ReplicaId(1), ProviderId(1), ContentId(1), Timestamp::ZERO);
        let confirmed = Replica { state: ReplicaState::Pinned, ..new };
        let doubtful = CopyView::from(&Replica { doubt: Doubt::Remove, ..confirmed.clone() });
        assert_eq!(Tally::of(&doubtful, true), Tally { queued: 1, ..Tally::default() });
        assert!(!doubtful.answered && !doubtful.untouched);
        assert_eq!(Tally::of(&CopyView::from(&confirmed), true).pinned, 1);
    }

    #[test]
    fn a_copy_that_is_pinned_and_not_had_makes_no_pin_pinned_and_keeps_one_so() {
        let unhad = Tally::of(&copy(ReplicaState::Pinned, false), false);
        assert_eq!(merge(unhad, 0, 1, false), Status::Pinning, "it may be had again: not failed");
        assert_eq!(merge(unhad, 0, 1, true), Status::Pinned, "it never flaps");
    }

    #[test]
    fn a_pin_that_lost_every_copy_is_queued_again() {
        let lost = Tally::of_all([(&copy(ReplicaState::Lost, true), true)]);
        assert_eq!(merge(lost, 0, 1, true), Status::Queued);
        assert_eq!(merge(lost, 0, 1, false), Status::Failed);
    }
}
