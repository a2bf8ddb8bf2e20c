//! A bounded table of many small parts, each with a lock of its own. A part that is full, or about to grow, first sheds
//! what is idle: nobody ever waits for a scan of more than one part.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use hashbrown::HashTable;

/// Parts of a table; a power of two.
pub(super) const PARTS: usize = 256;

pub(super) struct Table<K, V> {
    parts: Box<[Part<K, V>]>,
    hasher: RandomState,
    /// The most entries of one part.
    most: usize,
}

type Part<K, V> = RwLock<HashTable<Entry<K, V>>>;

struct Entry<K, V> {
    hash: u64,
    key: K,
    value: V,
}

impl<K, V> Table<K, V> {
    /// Of at most `most` entries.
    pub(super) fn new(most: usize) -> Self {
        let parts = (0..PARTS).map(|_| RwLock::new(HashTable::new())).collect();
        Self { parts, hasher: RandomState::new(), most: most / PARTS }
    }

    /// Makes the hashes that the table is asked by.
    pub(super) fn hasher(&self) -> &impl BuildHasher {
        &self.hasher
    }

    /// What `look` says of an entry; `None` where there is none.
    pub(super) fn read<T>(
        &self,
        hash: u64,
        is: impl Fn(&K) -> bool,
        look: impl FnOnce(&V) -> Option<T>,
    ) -> Option<T> {
        let part = read(self.part(hash));
        part.find(hash, |entry| is(&entry.key)).and_then(|entry| look(&entry.value))
    }

    /// Makes an entry, or makes one anew out of what it was, and says what `look` says of it. `None`: there is no
    /// room, since no other entry of its part is idle.
    pub(super) fn put<T>(
        &self,
        hash: u64,
        is: impl Fn(&K) -> bool,
        make: impl FnOnce(Option<V>) -> (K, V),
        idle: impl Fn(&V) -> bool,
        look: impl FnOnce(&V) -> T,
    ) -> Option<T> {
        let mut part = write(self.part(hash));
        if let Ok(found) = part.find_entry(hash, |entry| is(&entry.key)) {
            let (was, place) = found.remove();
            let (key, value) = make(Some(was.value));
            let entry = place.insert(Entry { hash, key, value });
            return Some(look(&entry.get().value));
        }
        if part.len() >= self.most || part.len() == part.capacity() {
            shed(&mut part, idle);
        }
        if part.len() >= self.most {
            return None;
        }
        let (key, value) = make(None);
        let entry = part.insert_unique(hash, Entry { hash, key, value }, |entry| entry.hash);
        Some(look(&entry.get().value))
    }

    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| read(part).len()).sum()
    }

    fn part(&self, hash: u64) -> &Part<K, V> {
        &self.parts[part_of(hash)]
    }
}

/// Which part a hash belongs to, by bits that the tables inside do not go by.
pub(super) fn part_of(hash: u64) -> usize {
    // Holds: fewer than PARTS, which fits any usize.
    (hash >> 32) as usize % PARTS
}

fn shed<K, V>(part: &mut HashTable<Entry<K, V>>, idle: impl Fn(&V) -> bool) {
    part.retain(|entry| !idle(&entry.value));
    if part.len() < part.capacity() / 4 {
        part.shrink_to(part.len() * 2, |entry| entry.hash);
    }
}

/// No panic leaves a part half changed: what runs under its lock only computes.
fn read<K, V>(part: &Part<K, V>) -> RwLockReadGuard<'_, HashTable<Entry<K, V>>> {
    part.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<K, V>(part: &Part<K, V>) -> RwLockWriteGuard<'_, HashTable<Entry<K, V>>> {
    part.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn put(table: &Table<u64, Cell<u64>>, key: u64, idle: impl Fn(&Cell<u64>) -> bool) -> Option<u64> {
        let hash = table.hasher().hash_one(key);
        let make = |was: Option<Cell<u64>>| (key, Cell::new(was.map_or(0, |was| was.get() + 1)));
        table.put(hash, |known| *known == key, make, idle, Cell::get)
    }

    fn get(table: &Table<u64, Cell<u64>>, key: u64) -> Option<u64> {
        let hash = table.hasher().hash_one(key);
        table.read(hash, |known| *known == key, |value| Some(value.get()))
    }

    #[test]
    fn an_entry_is_made_once_and_made_anew_out_of_what_it_was() {
        let table = Table::new(1000);
        assert_eq!(get(&table, 7), None);
        assert_eq!((put(&table, 7, |_| false), get(&table, 7)), (Some(0), Some(0)));
        assert_eq!((put(&table, 7, |_| false), get(&table, 7)), (Some(1), Some(1)));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_full_table_takes_no_more_than_fit_and_keeps_those_it_knows() {
        let table = Table::new(4 * PARTS);
        let taken: Vec<u64> = (0..10_000).filter(|key| put(&table, *key, |_| false).is_some()).collect();
        assert_eq!((taken.len(), table.len()), (4 * PARTS, 4 * PARTS));
        assert!(taken.iter().all(|key| get(&table, *key).is_some()));
        assert!(taken.iter().all(|key| put(&table, *key, |_| true).is_some()), "they keep their places");
    }

    #[test]
    fn idle_entries_make_room_before_a_part_grows() {
        let table = Table::new(1 << 20);
        for key in 0..100_000 {
            assert!(put(&table, key, |_| true).is_some());
        }
        assert!(table.len() < 100 * PARTS, "{} are kept of 100,000 idle ones", table.len());
    }

    #[test]
    fn a_hundred_thousand_find_room_in_the_tables_of_tokens() {
        let table = Table::new(super::super::MAX_TOKENS);
        assert!((0..100_000).all(|key| put(&table, key, |_| false).is_some()));
    }
}
