//! Places for requests that are served at once. Accounts share them: whoever has as many as are free gets no more, so that
//! there is always one for somebody else, and nobody who is alone goes short.

use dashmap::{DashMap, Entry};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::model::AccountId;

pub struct Places {
    free: Semaphore,
    /// Of accounts that have any.
    taken: DashMap<AccountId, usize>,
}

/// An account's hold on a place.
pub struct Share<'a> {
    places: &'a Places,
    account: AccountId,
}

impl Places {
    pub fn new(most: usize) -> Self {
        Self { free: Semaphore::new(most), taken: DashMap::new() }
    }

    /// A place for whoever it is. `None`: all are taken.
    pub fn take(&self) -> Option<SemaphorePermit<'_>> {
        self.free.try_acquire().ok()
    }

    /// The place that was taken is this account's. `None`: it has enough of them.
    pub fn share(&self, account: AccountId) -> Option<Share<'_>> {
        let mut taken = self.taken.entry(account).or_insert(0);
        // One that has none yet may always have the place that it took.
        if *taken > self.free.available_permits() {
            return None;
        }
        *taken += 1;
        Some(Share { places: self, account })
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut taken) = self.places.taken.entry(self.account) {
            *taken.get_mut() -= 1;
            if *taken.get() == 0 {
                taken.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: AccountId = AccountId(1);
    const BEN: AccountId = AccountId(2);

    fn fill(places: &Places, account: AccountId) -> Vec<(SemaphorePermit<'_>, Share<'_>)> {
        std::iter::from_fn(|| {
            let place = places.take()?;
            places.share(account).map(|share| (place, share))
        })
        .collect()
    }

    #[test]
    fn one_account_gets_half_of_the_places_and_two_a_third_each() {
        let places = Places::new(90);
        let ada = fill(&places, ADA);
        assert_eq!(ada.len(), 45);
        assert_eq!(fill(&places, BEN).len(), 23, "half of what is left, while the first one has half");
        drop(ada);
        assert!(places.taken.is_empty());
        let (mut ada, mut ben) = (Vec::new(), Vec::new());
        for _ in 0..90 {
            for (account, held) in [(ADA, &mut ada), (BEN, &mut ben)] {
                let place = places.take().expect("some are always free");
                held.extend(places.share(account).map(|share| (place, share)));
            }
        }
        assert_eq!((ada.len(), ben.len()), (30, 30));
    }

    #[test]
    fn one_who_has_none_gets_the_last_one() {
        let places = Places::new(1);
        let place = places.take().unwrap();
        let share = places.share(ADA).unwrap();
        assert!(places.take().is_none());
        drop((place, share));
        assert!(places.taken.is_empty() && places.take().is_some());
    }
}
