//! What is kept in mind for a while and in bounds: the oldest goes first, half at a time.

use std::{collections::HashMap, hash::Hash, mem, time::Duration};

use tokio::time::Instant;

/// After this what is young is old, and what was old goes.
const AGE: Duration = Duration::from_secs(6 * 3600);

/// At most twice `most` values, for at most twice [`AGE`].
pub(super) struct Recent<K, V> {
    most: usize,
    since: Instant,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, since: Instant::now(), young: HashMap::new(), old: HashMap::new() }
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.young.get_mut(key).or_else(|| self.old.get_mut(key))
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    /// Keeps a value in place of the one there was; returns all that had to go.
    pub(super) fn insert(&mut self, key: K, value: V) -> Vec<V> {
        let mut gone = Vec::from_iter(self.remove(&key));
        if self.young.len() >= self.most || self.since.elapsed() >= AGE {
            self.since = Instant::now();
            let oldest = mem::replace(&mut self.old, mem::take(&mut self.young));
            gone.extend(oldest.into_values());
        }
        self.young.insert(key, value);
        gone
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = V> {
        self.young.drain().chain(self.old.drain()).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_old_goes_when_there_is_too_much_or_after_its_time() {
        let mut recent = Recent::<i32, i32>::new(2);
        for n in 0..4 {
            assert!(recent.insert(n, n).is_empty());
        }
        let mut gone = recent.insert(4, 4);
        gone.sort_unstable();
        assert_eq!(gone, vec![0, 1]);
        assert_eq!([0, 2, 4].map(|n| recent.get_mut(&n).is_some()), [false, true, true]);
        tokio::time::advance(AGE).await;
        assert_eq!(recent.insert(5, 5).len(), 2);
        assert_eq!(recent.remove(&4), Some(4));
        assert_eq!(recent.insert(5, 6), vec![5], "there is one of each");
        assert_eq!(recent.drain().collect::<Vec<_>>(), vec![6]);
    }
}
