//! Which rules can speak of an action, without looking at each of them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::request::Action;
use super::rule::{ActionPattern, Rule};
use crate::policy::statement::Scope;

/// The keys are hashes already.
#[derive(Debug, Default, Clone)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

type Map = HashMap<u64, Box<[u32]>, BuildHasherDefault<AsItIs>>;

/// Positions of rules by what their actions begin with.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    exact: Map,
    services: Map,
    /// Those that have to be looked at for every action.
    rest: Box<[u32]>,
}

impl Index {
    /// `rules`: those to be found, each with the position that it is known by.
    pub(super) fn new<'a>(rules: impl Iterator<Item = (u32, &'a Rule)>) -> Self {
        let mut exact: HashMap<u64, Vec<u32>> = HashMap::new();
        let mut services: HashMap<u64, Vec<u32>> = HashMap::new();
        let mut rest = vec![];
        for (position, rule) in rules {
            let Scope::Only(patterns) = &rule.actions else {
                rest.push(position);
                continue;
            };
            if patterns.iter().any(|pattern| matches!(pattern, ActionPattern::Every | ActionPattern::Whole(_))) {
                rest.push(position);
                continue;
            }
            for pattern in patterns {
                let (map, hash) = match pattern {
                    ActionPattern::Exact(hash, _) => (&mut exact, *hash),
                    ActionPattern::InService(hash, ..) => (&mut services, *hash),
                    ActionPattern::Every | ActionPattern::Whole(_) => continue,
                };
                let known = map.entry(hash).or_default();
                if known.last() != Some(&position) {
                    known.push(position);
                }
            }
        }
        let packed = |map: HashMap<u64, Vec<u32>>| map.into_iter().map(|(hash, found)| (hash, found.into())).collect();
        Self { exact: packed(exact), services: packed(services), rest: rest.into() }
    }

    /// Positions of rules that may speak of the action, some twice; whether they do is theirs to say.
    pub(super) fn find(&self, action: &Action) -> impl Iterator<Item = u32> {
        let exact = self.exact.get(&action.hash).map_or(&[][..], |found| &**found);
        let services = self.services.get(&action.service_hash).map_or(&[][..], |found| &**found);
        exact.iter().chain(services).chain(&*self.rest).copied()
    }
}
