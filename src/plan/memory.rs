//! What earlier passes left behind: which facts were as declared, and how often each was put right.
//!
//! A fact is one thing that a manifest says of one object (`Account/a parent`). If a fact was settled with the value
//! that the manifest still has, and AWS differs now, nobody but a foreign hand can have changed it: that is drift.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::guard::Approvals;
use super::model::Lifted;
use crate::names::ObjectKey;

/// Corrections of one fact within [`CONTEST_WINDOW`] after which bylaw stops and says so.
pub const CONTEST_CORRECTIONS: usize = 3;
/// The time in which [`CONTEST_CORRECTIONS`] count.
pub const CONTEST_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// Facts that are kept over partial readings where fewer are stated: a list that fails for ever must not make the memory
/// grow for ever.
const MOST_UNREAD: usize = 10_000;

/// The bits of a fact's mark that are those of its object.
const OBJECT: u64 = !(u64::MAX >> 20);

/// Most facts that are kept with one object; the rest is forgotten where only the objects are left.
const MOST_KEPT: usize = 1000;
/// Most corrections that are kept with one object.
const MOST_CORRECTIONS: usize = 50;

/// How long an account is not asked for again whose e-mail AWS said is taken.
pub const TAKEN_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Hash of a fact's name, or of its value (FNV-1a, 64 bits: stable over versions and small in the file).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(u64);

impl Mark {
    /// The mark of some text.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        parts.iter().fold(Self(0xcbf2_9ce4_8422_2325), |mark, part| mark.with(part).with("\0"))
    }

    /// The mark of an account that is to be created.
    #[must_use]
    pub fn of_creation(object: &ObjectKey, name: &str, email: &str) -> Self {
        Self::of_fact(object, "creation").with(name).with("\0").with(email)
    }

    /// The mark of what an object is to hold at a path. Its first bits are those of the object, so that the marks of an
    /// object stand together.
    #[must_use]
    pub fn of_fact(object: &ObjectKey, path: &str) -> Self {
        let key = Self::of_object(object);
        Self((key.0 & OBJECT) | (key.with(path).with("\0").0 >> OBJECT.count_ones()))
    }

    fn of_object(object: &ObjectKey) -> Self {
        Self(0xcbf2_9ce4_8422_2325).with(object.kind.as_str()).with("/").with(&object.name).with("\0")
    }

    fn with(self, text: &str) -> Self {
        let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self(text.bytes().fold(self.0, step))
    }
}

/// One correction of drift.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Correction {
    /// The fact that was put right.
    pub fact: Mark,
    /// When.
    pub at: Timestamp,
}

/// What is remembered of one organization.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Facts that were as declared, with the value they had.
    #[serde(default)]
    pub settled: BTreeMap<Mark, Mark>,
    /// Corrections of the last hour.
    #[serde(default)]
    pub corrections: Vec<Correction>,
    /// Accounts to be created whose e-mail another account has, each with when AWS said so. Of this process alone: who runs
    /// the command line again means to try again.
    #[serde(skip)]
    pub taken: BTreeMap<Mark, Timestamp>,
    /// What approvals let pass, by the hash that was approved: what is left of the changes counts under it too.
    #[serde(default)]
    pub granted: BTreeMap<String, Grant>,
}

/// What one approval let pass.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// When a run with it last began.
    pub at: Timestamp,
    /// Hashes that approve each of its changes past each rule alone.
    pub covers: BTreeSet<String>,
}

/// How long what is left of approved changes counts under the hash that was approved.
pub const GRANTED_FOR: SignedDuration = SignedDuration::from_hours(24);

impl Memory {
    /// Remembers what approvals let pass, before it is begun.
    pub fn grant<'l>(&mut self, lifted: impl IntoIterator<Item = (&'l String, &'l Lifted)>, at: Timestamp) {
        self.granted.retain(|_, grant| at.duration_since(grant.at) < GRANTED_FOR);
        for (alone, lifted) in lifted {
            let empty = || Grant { at, covers: BTreeSet::new() };
            let grant = self.granted.entry(lifted.hash.clone()).or_insert_with(empty);
            grant.at = at;
            grant.covers.insert(alone.clone());
        }
    }

    /// The approvals, with what is left of the changes that they let pass before.
    #[must_use]
    pub fn approvals(&self, given: &Approvals, now: Timestamp) -> Approvals {
        let mut approvals = given.clone();
        for hash in &given.hashes {
            let grant = self.granted.get(hash).filter(|grant| now.duration_since(grant.at) < GRANTED_FOR);
            approvals.cover(hash, grant.into_iter().flat_map(|grant| grant.covers.iter().cloned()));
        }
        approvals
    }

    /// Remembers that AWS does not create that account, whatever is called again.
    pub fn turned_down(&mut self, account: Mark, at: Timestamp) {
        self.taken.retain(|_, told| at.duration_since(*told) < TAKEN_FOR);
        self.taken.insert(account, at);
    }

    /// Whether AWS said of late that it does not create that account.
    #[must_use]
    pub fn is_turned_down(&self, account: Mark, now: Timestamp) -> bool {
        self.taken.get(&account).is_some_and(|told| now.duration_since(*told) < TAKEN_FOR)
    }

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

    /// Takes in what a plan found settled, and forgets facts that no manifest states any more. After a partial reading
    /// nothing is forgotten: what could not be read is stated by nobody, and is still what it was when it was read last.
    pub fn learn(&mut self, facts: &Facts) {
        let kept = |(mark, fact): &(Mark, Fact)| {
            let value = if fact.settled { Some(fact.wanted) } else { self.settled.get(mark).copied() };
            value.map(|value| (*mark, value))
        };
        let stated: BTreeMap<Mark, Mark> = facts.stated.iter().filter_map(kept).collect();
        let unread = facts.partial && self.settled.len() <= MOST_UNREAD.max(facts.stated.len().saturating_mul(2));
        if unread {
            self.settled.extend(stated);
        } else {
            self.settled = stated;
        }
    }

    /// What is remembered of one object, as texts that [`Self::recall`] reads: facts with their values, and corrections of the
    /// last hour. Few other objects share its first bits, and what is kept with it of theirs does no harm.
    #[must_use]
    pub fn of_object(&self, object: &ObjectKey, now: Timestamp) -> (Vec<String>, Vec<String>) {
        let first = Mark::of_object(object).0 & OBJECT;
        let (first, last) = (Mark(first), Mark(first | !OBJECT));
        let settled = self.settled.range(first..=last).take(MOST_KEPT);
        let settled = settled.map(|(fact, value)| format!("{:016x}{:016x}", fact.0, value.0)).collect();
        let of_late = |c: &&Correction| (first..=last).contains(&c.fact) && now.duration_since(c.at) < CONTEST_WINDOW;
        let newest = self.corrections.iter().rev().filter(of_late).take(MOST_CORRECTIONS);
        let mut corrections: Vec<String> = newest.map(|c| format!("{:016x}@{}", c.fact.0, c.at)).collect();
        corrections.reverse();
        (settled, corrections)
    }

    /// Takes in what is kept with an object. What cannot be read tells nothing.
    pub fn recall<'t>(
        &mut self,
        settled: impl IntoIterator<Item = &'t str>,
        corrections: impl IntoIterator<Item = &'t str>,
    ) {
        let mark = |text: &str| u64::from_str_radix(text, 16).ok().map(Mark);
        let pair = |text: &str| match text.split_at_checked(16) {
            Some((fact, value)) if value.len() == 16 => Some((mark(fact)?, mark(value)?)),
            _ => None,
        };
        self.settled.extend(settled.into_iter().filter_map(pair));
        let correction = |text: &str| {
            let (fact, at) = text.split_once('@')?;
            Some(Correction { fact: mark(fact)?, at: at.parse().ok()? })
        };
        for correction in corrections.into_iter().filter_map(correction) {
            if !self.corrections.contains(&correction) {
                self.corrections.push(correction);
            }
        }
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

/// Every fact that the manifests state, each once, in the order of their marks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    stated: Vec<(Mark, Fact)>,
    /// Something that facts rest on was not read.
    partial: bool,
}

impl Facts {
    /// The facts of a plan; `partial`: of an organization that was not read whole.
    #[must_use]
    pub fn of(stated: impl IntoIterator<Item = (Mark, Fact)>, partial: bool) -> Self {
        Self { partial, ..stated.into_iter().collect() }
    }
}

impl FromIterator<(Mark, Fact)> for Facts {
    /// Of two that say the same fact the later counts.
    fn from_iter<I: IntoIterator<Item = (Mark, Fact)>>(stated: I) -> Self {
        let mut stated: Vec<(Mark, Fact)> = stated.into_iter().collect();
        stated.reverse();
        stated.sort_by_key(|(mark, _)| *mark);
        stated.dedup_by_key(|(mark, _)| *mark);
        stated.shrink_to_fit();
        Self { stated, partial: false }
    }
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
    fn a_mark_is_of_the_text_of_the_object() {
        let key = ObjectKey::new(crate::names::Kind::OrganizationalUnit, "a");
        assert_eq!(Mark::of_object(&key), Mark::of(&["OrganizationalUnit/a"]));
        let paths = ["tags/owner", "tags/team", "name"].map(|path| Mark::of_fact(&key, path));
        assert!(paths.iter().all(|mark| mark.0 & OBJECT == Mark::of_object(&key).0 & OBJECT), "{paths:?}");
        assert!(paths[0] != paths[1] && paths[1] != paths[2]);
        assert_eq!(Mark::of(&["a"]), Mark(0x089b_e207_b544_f1e4), "marks stand in files: they stay what they are");
    }

    #[test]
    fn what_is_kept_with_the_objects_is_the_whole_memory() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let object = |n: usize| ObjectKey::new(crate::names::Kind::Account, &format!("a{n}"));
        let mut memory = Memory::default();
        for n in 0..500 {
            for path in ["name", "parent", "tags/owner"] {
                memory.settled.insert(Mark::of_fact(&object(n), path), Mark::of(&[path, &n.to_string()]));
            }
            memory.corrected([Mark::of_fact(&object(n), "parent")], now);
        }
        let (mut next, mut longest) = (Memory::default(), 0);
        for n in 0..500 {
            let (settled, corrections) = memory.of_object(&object(n), now + SignedDuration::from_mins(5));
            longest = longest.max(settled.len());
            assert!(settled.len() >= 3 && corrections.len() == settled.len() / 3, "{settled:?} {corrections:?}");
            assert!(settled.iter().all(|text| text.len() == 32) && corrections.iter().all(|text| text.len() <= 64));
            next.recall(settled.iter().map(String::as_str), corrections.iter().map(String::as_str));
            next.recall(["", "é", "zz", &"g".repeat(32)], ["", "@", "12@soon"]);
        }
        assert!(longest <= 9, "an object is told of another's facts: {longest}");
        assert_eq!(next.settled, memory.settled);
        assert_eq!(next.corrections.len(), memory.corrections.len());
        let later = now + CONTEST_WINDOW;
        assert_eq!(memory.of_object(&object(1), later).1, Vec::<String>::new(), "what is too old is not kept");
    }

    #[test]
    fn what_is_kept_with_one_object_is_bounded() {
        let (now, key) =
            (Timestamp::from_second(1_000_000).unwrap(), ObjectKey::new(crate::names::Kind::Organization, "a"));
        let mut memory = Memory::default();
        for n in 0..5_000 {
            let mark = Mark::of_fact(&key, &format!("attachments/Account/{n}"));
            memory.settled.insert(mark, mark);
            memory.corrected([mark], now);
        }
        assert_eq!(memory.settled.len(), 5_000, "no two facts of an object have one mark");
        let (settled, corrections) = memory.of_object(&key, now);
        assert_eq!((settled.len(), corrections.len()), (MOST_KEPT, MOST_CORRECTIONS));
    }

    #[test]
    fn of_two_statements_of_a_fact_the_later_counts() {
        let mark = Mark::of(&["a"]);
        let fact = |settled| (mark, Fact { wanted: mark, settled });
        assert_eq!(Facts::from_iter([fact(false), fact(true)]), Facts::from_iter([fact(true)]));
    }

    #[test]
    fn after_a_partial_reading_nothing_is_forgotten_and_the_memory_stays_bounded() {
        let (kept, unread) = (Mark::of(&["a"]), Mark::of(&["b"]));
        let mut memory = Memory {
            settled: BTreeMap::from([(kept, kept), (unread, unread)]),
            corrections: vec![],
            ..Memory::default()
        };
        let fact = |wanted, settled| (kept, Fact { wanted, settled });
        memory.learn(&Facts::of([fact(unread, true)], true));
        assert_eq!(memory.settled, BTreeMap::from([(kept, unread), (unread, unread)]));
        memory.learn(&Facts::of([fact(unread, true)], false));
        assert_eq!(memory.settled, BTreeMap::from([(kept, unread)]));
        for at in 0..30_000 {
            let mark = Mark::of(&["tags", &at.to_string()]);
            memory.learn(&Facts::of([(mark, Fact { wanted: mark, settled: true })], true));
        }
        assert!(memory.settled.len() <= MOST_UNREAD + 1, "{}", memory.settled.len());
    }

    #[test]
    fn a_fact_that_nobody_states_is_forgotten() {
        let (kept, gone) = (Mark::of(&["a"]), Mark::of(&["b"]));
        let mut memory =
            Memory { settled: BTreeMap::from([(kept, kept), (gone, gone)]), corrections: vec![], ..Memory::default() };
        memory.learn(&Facts::from_iter([(kept, Fact { wanted: gone, settled: false })]));
        assert_eq!(memory.settled, BTreeMap::from([(kept, kept)]));
    }
}
