//! What earlier passes left behind: which facts were as declared, and how often each was put right.
//!
//! A fact is one thing that a manifest says of one object (`Account/a parent`). If a fact was settled with the value
//! that the manifest still has, and AWS differs now, nobody but a foreign hand can have changed it: that is drift.

use std::collections::BTreeMap;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Corrections of one fact within [`CONTEST_WINDOW`] after which bylaw stops and says so.
pub const CONTEST_CORRECTIONS: usize = 3;
/// The time in which [`CONTEST_CORRECTIONS`] count.
pub const CONTEST_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// Hash of a fact's name, or of its value (FNV-1a, 64 bits: stable over versions and small in the file).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(u64);

impl Mark {
    /// The mark of some text.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for part in parts {
            for byte in part.bytes().chain(std::iter::once(0)) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        Self(hash)
    }
}

/// One correction of drift.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// The fact that was put right.
    pub fact: Mark,
    /// When.
    pub at: Timestamp,
}

/// What is remembered of one organization.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Facts that were as declared, with the value they had.
    #[serde(default)]
    pub settled: BTreeMap<Mark, Mark>,
    /// Corrections of the last hour.
    #[serde(default)]
    pub corrections: Vec<Correction>,
}

impl Memory {
    /// Whether the fact was settled with this value: a difference now is drift.
    #[must_use]
    pub fn was_settled(&self, fact: Mark, wanted: Mark) -> bool {
        self.settled.get(&fact) == Some(&wanted)
    }

    /// Whether the fact was corrected so often of late that somebody else must be at it.
    #[must_use]
    pub fn is_contested(&self, fact: Mark, now: Timestamp) -> bool {
        self.corrections.iter().filter(|c| c.fact == fact && now.duration_since(c.at) < CONTEST_WINDOW).count()
            >= CONTEST_CORRECTIONS
    }

    /// Takes in what a plan found settled, and forgets facts that no manifest states any more.
    pub fn learn(&mut self, facts: &Facts) {
        self.settled.retain(|fact, _| facts.stated.contains_key(fact));
        self.settled
            .extend(facts.stated.iter().filter(|(_, fact)| fact.settled).map(|(mark, fact)| (*mark, fact.wanted)));
    }

    /// Remembers that drift was put right, and forgets what is too old to count.
    pub fn corrected(&mut self, facts: impl IntoIterator<Item = Mark>, at: Timestamp) {
        self.corrections.retain(|c| at.duration_since(c.at) < CONTEST_WINDOW);
        self.corrections.extend(facts.into_iter().map(|fact| Correction { fact, at }));
    }
}

/// One stated fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// Mark of the declared value.
    pub wanted: Mark,
    /// AWS holds it.
    pub settled: bool,
}

/// Every fact that the manifests state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// By the fact's mark.
    pub stated: BTreeMap<Mark, Fact>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_corrections_in_an_hour_are_a_contest() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let fact = Mark::of(&["Account/a", "parent"]);
        let mut memory = Memory::default();
        for minutes in [50, 30, 10] {
            assert!(!memory.is_contested(fact, now));
            memory.corrected([fact], now - SignedDuration::from_mins(minutes));
        }
        assert!(memory.is_contested(fact, now));
        assert!(!memory.is_contested(Mark::of(&["Account/b", "parent"]), now));
        assert!(!memory.is_contested(fact, now + SignedDuration::from_mins(20)));
    }

    #[test]
    fn a_fact_that_nobody_states_is_forgotten() {
        let (kept, gone) = (Mark::of(&["a"]), Mark::of(&["b"]));
        let mut memory = Memory { settled: BTreeMap::from([(kept, kept), (gone, gone)]), corrections: vec![] };
        memory.learn(&Facts { stated: BTreeMap::from([(kept, Fact { wanted: gone, settled: false })]) });
        assert_eq!(memory.settled, BTreeMap::from([(kept, kept)]));
    }
}
