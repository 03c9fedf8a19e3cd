//! How many records stand in the files more than once, by their `eventID`: trails overlap where an organization's trail and
//! one of an account record the same calls, and some give a file twice.
//!
//! The ids of a large trail would fill the memory. Up to [`MOST`] all are kept; after that only those whose hash ends in
//! ever more zeros, which all threads choose alike, and the number is an estimate.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::{FixedState, RandomState};

/// Ids that are kept.
const MOST: usize = 20_000;

/// Counts ids that come more than once.
#[derive(Debug, Clone, Default)]
pub struct Repeats {
    /// How often an id came, by its hash.
    ids: HashMap<u64, u32, RandomState>,
    /// Zeros that a hash has to end in to be kept.
    zeros: u32,
}

impl Repeats {
    /// Hears of a record.
    pub fn add(&mut self, id: &str) {
        if id.is_empty() {
            return;
        }
        let hash = FixedState::default().hash_one(id);
        if hash.trailing_zeros() >= self.zeros {
            *self.ids.entry(hash).or_default() += 1;
            self.keep();
        }
    }

    /// Adds what another thread heard.
    pub fn merge(&mut self, other: Self) {
        self.zeros = self.zeros.max(other.zeros);
        let zeros = self.zeros;
        self.ids.retain(|hash, _| hash.trailing_zeros() >= zeros);
        for (hash, count) in other.ids.into_iter().filter(|(hash, _)| hash.trailing_zeros() >= zeros) {
            *self.ids.entry(hash).or_default() += count;
        }
        self.keep();
    }

    fn keep(&mut self) {
        while self.ids.len() > MOST {
            self.zeros += 1;
            let zeros = self.zeros;
            self.ids.retain(|hash, _| hash.trailing_zeros() >= zeros);
        }
    }

    /// Records that were there before, about so many where there are more than [`MOST`].
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ids.values().map(|count| u64::from(count.saturating_sub(1))).sum::<u64>() << self.zeros
    }

    /// Whether the count is exact.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.zeros == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_ids_are_counted_exactly_on_any_number_of_threads() {
        let (mut one, mut other) = (Repeats::default(), Repeats::default());
        for n in 0..100 {
            one.add(&format!("id-{n}"));
        }
        for n in 90..120 {
            other.add(&format!("id-{n}"));
        }
        other.add("id-119");
        other.add("");
        other.add("");
        one.merge(other);
        assert_eq!((one.count(), one.is_exact()), (11, true));
    }

    #[test]
    fn of_many_ids_the_count_is_near_and_memory_bounded() {
        let (mut one, mut other) = (Repeats::default(), Repeats::default());
        for n in 0..600_000 {
            one.add(&format!("id-{n}"));
            if n % 2 == 0 {
                other.add(&format!("id-{n}"));
            }
        }
        assert_eq!(one.count(), 0);
        one.merge(other);
        assert!(one.ids.len() <= MOST && !one.is_exact());
        assert!(one.count().abs_diff(300_000) < 30_000, "{}", one.count());
    }
}
