//! Which unsettled pins clients are asking about, so that the engine looks at those sooner. A bounded hint.

use std::{collections::HashSet, sync::Arc};

use dashmap::DashSet;

use crate::model::RequestId;

/// A bounded set of pins asked about since it was last taken.
#[derive(Clone, Debug, Default)]
pub struct Interest(Arc<DashSet<RequestId>>);

impl Interest {
    /// Beyond this many pins, further ones wait for the next round: they are hints, not promises.
    pub const MAX: usize = 10_000;

    /// Notes that a client asked. Returns whether it is news.
    pub fn note(&self, pin: RequestId) -> bool {
        self.0.len() < Self::MAX && self.0.insert(pin)
    }

    /// Takes all that was noted since the last call.
    pub fn take(&self) -> HashSet<RequestId> {
        let noted: HashSet<RequestId> = self.0.iter().map(|pin| *pin).collect();
        for pin in &noted {
            self.0.remove(pin);
        }
        noted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn what_is_noted_is_taken_once_and_bounded() {
        let interest = Interest::default();
        let pin = RequestId::mint(Timestamp::ZERO);
        assert!(interest.note(pin));
        assert!(!interest.note(pin));
        assert_eq!(interest.take(), HashSet::from([pin]));
        assert!(interest.take().is_empty());
        for _ in 0..=Interest::MAX {
            interest.note(RequestId::mint(Timestamp::ZERO));
        }
        assert_eq!(interest.take().len(), Interest::MAX);
    }
}
