//! Which rules can speak of an action, without looking at each of them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::ControlFlow;

use super::pattern::Pattern;
use super::request::{Action, hash};
use super::rule::Rule;
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

/// Values by name: by its hash, and by its letters where that agrees.
#[derive(Debug, Clone)]
struct Names<T>(Buckets<T>);

type Buckets<T> = HashMap<u64, Vec<(Box<str>, T)>, BuildHasherDefault<AsItIs>>;

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<T: Default> Names<T> {
    fn get(&self, hash: u64, name: &str) -> Option<&T> {
        self.0.get(&hash)?.iter().find(|(own, _)| **own == *name).map(|(_, value)| value)
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut T)) {
        let own = self.0.entry(hash(name)).or_default();
        match own.iter_mut().find(|(own, _)| **own == *name) {
            Some((_, value)) => change(value),
            None => {
                let mut value = T::default();
                change(&mut value);
                own.push((name.into(), value));
            }
        }
    }
}

/// A rule that can speak of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// By which it is known.
    pub(super) position: u32,
    /// Whether it does so for sure. Else whether it does is its own to say.
    pub(super) sure: bool,
}

/// What is special about one action.
#[derive(Debug, Clone, Default)]
struct Exact {
    /// Positions of the rules that name it.
    named: Vec<u32>,
    /// Indexes of wide rules that spare it, ascending.
    spared: Vec<usize>,
}

/// What is special about the actions of one service.
#[derive(Debug, Clone, Default)]
struct Service {
    /// Patterns of its actions' names, each once, with the positions of the rules that have them.
    own: Vec<(Pattern, Vec<u32>)>,
    /// Indexes of wide rules that spare all its actions (`false`) or some (`true`), ascending.
    spared: Vec<(usize, bool)>,
}

/// Rules by what their actions begin with.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    exact: Names<Exact>,
    services: Names<Service>,
    /// Those that speak of services that they do not name.
    wide: Vec<Found>,
}

impl Index {
    /// `rules`: those to be found, each with the position that it is known by.
    pub(super) fn new<'a>(rules: impl Iterator<Item = (u32, &'a Rule)>) -> Self {
        let mut index = Self::default();
        for (position, rule) in rules {
            index.add(position, rule);
        }
        for (_, service) in index.services.0.values_mut().flatten() {
            service.own.sort();
            service.own.dedup_by(|(pattern, more), (kept, positions)| {
                let same = pattern == kept;
                if same {
                    positions.append(more);
                }
                same
            });
        }
        index
    }

    fn add(&mut self, position: u32, rule: &Rule) {
        let (Scope::Only(actions) | Scope::AllBut(actions)) = &rule.actions;
        match &rule.actions {
            Scope::Only(_) if actions.every => self.wide.push(Found { position, sure: true }),
            Scope::Only(_) if !actions.whole.is_empty() => self.wide.push(Found { position, sure: false }),
            Scope::Only(_) => {
                for name in &actions.exact {
                    self.exact.change(&name.text, |exact| exact.named.push(position));
                }
                for (service, pattern) in &actions.in_service {
                    self.services.change(&service.text, |service| service.own.push((pattern.clone(), vec![position])));
                }
            }
            Scope::AllBut(_) if actions.every => {}
            Scope::AllBut(_) => {
                let at = self.wide.len();
                self.wide.push(Found { position, sure: actions.whole.is_empty() });
                for name in &actions.exact {
                    self.exact.change(&name.text, |exact| exact.spared.push(at));
                }
                for (service, pattern) in &actions.in_service {
                    let some = !pattern.is_everything();
                    self.services.change(&service.text, |service| match service.spared.last_mut() {
                        Some(last) if last.0 == at => last.1 &= some,
                        _ => service.spared.push((at, some)),
                    });
                }
            }
        }
    }

    /// Calls `look` with each rule that speaks of the action or may, with some twice, until it breaks off.
    pub(super) fn find<B>(&self, action: &Action, mut look: impl FnMut(Found) -> ControlFlow<B>) -> ControlFlow<B> {
        let exact = self.exact.get(action.hash, action.lower());
        let service = self.services.get(action.service_hash, action.service());
        for position in exact.map_or(&[][..], |exact| &exact.named) {
            look(Found { position: *position, sure: true })?;
        }
        let name = action.name();
        for (pattern, positions) in service.map_or(&[][..], |service| &service.own) {
            if pattern.is_match(name) {
                for position in positions {
                    look(Found { position: *position, sure: true })?;
                }
            }
        }
        let mut spare_it = exact.map_or(&[][..], |exact| &exact.spared).iter().peekable();
        let mut spare_service = service.map_or(&[][..], |service| &service.spared).iter().peekable();
        for (at, found) in self.wide.iter().enumerate() {
            let it = spare_it.next_if_eq(&&at).is_some();
            match spare_service.next_if(|next| next.0 == at) {
                _ if it => {}
                None => look(*found)?,
                Some((_, false)) => {}
                Some((_, true)) => look(Found { sure: false, ..*found })?,
            }
        }
        ControlFlow::Continue(())
    }
}
