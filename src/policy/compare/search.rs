//! Whether two formulas of atoms ever come out differently, dimension by dimension.
//!
//! What is left of both sides after some choices is a *state*, written in one way only; a state that was looked at is not
//! looked at again, and one whose two sides are the same is not looked at at all. So keys that have nothing to do with each
//! other, or with what changed, cost next to nothing.

use std::collections::{BTreeSet, HashMap};

use super::glob::Bits;
use super::space::Space;

/// Atoms that have to hold together, sorted.
pub(super) type All = Vec<u32>;

/// Past so many, what is held by others is left standing: to look for it would cost more than it spares.
const MOST_COMPARED: usize = 200;

/// Most dimensions that are chosen of one after the other; each takes room on the stack.
const MOST_DEEP: usize = 1_000;

/// What is left of one side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Denied,
    /// Denied where one of the first holds, else allowed where of each node one holds.
    Open {
        denies: Vec<All>,
        nodes: Vec<Vec<All>>,
    },
}

impl Side {
    /// `nodes`: those that still have to allow.
    pub(super) fn new(denies: Vec<All>, nodes: Vec<Vec<All>>) -> Self {
        let denies = least(denies);
        if denies.first().is_some_and(Vec::is_empty) {
            return Self::Denied;
        }
        let mut left = vec![];
        for node in nodes {
            let mut node = least(node);
            if denies.len().saturating_mul(node.len()) <= MOST_COMPARED * MOST_COMPARED {
                // What allows only where something denies allows nothing.
                node.retain(|allow| !denies.iter().any(|deny| is_within(deny, allow)));
            }
            match node.first() {
                None => return Self::Denied,
                Some(first) if first.is_empty() => {}
                Some(_) => left.push(node),
            }
        }
        left.sort();
        left.dedup();
        Self::Open { denies, nodes: left }
    }

    fn parts(&self) -> impl Iterator<Item = &All> {
        let (denies, nodes) = match self {
            Self::Denied => (&[][..], &[][..]),
            Self::Open { denies, nodes } => (&denies[..], &nodes[..]),
        };
        denies.iter().chain(nodes.iter().flatten())
    }

    /// Denied or allowed, where that is settled.
    pub(super) fn settled(&self) -> Option<bool> {
        match self {
            Self::Denied => Some(false),
            Self::Open { denies, nodes } => (denies.is_empty() && nodes.is_empty()).then_some(true),
        }
    }

    /// What is left after a choice of a dimension.
    fn after(&self, space: &Space, dimension: usize, bits: &Bits) -> Self {
        let Self::Open { denies, nodes } = self else { return Self::Denied };
        let left = |all: &All| -> Option<All> {
            let mut out = Vec::with_capacity(all.len());
            for atom in all {
                match space.atoms.get(*atom as usize) {
                    Some((own, at)) if *own == dimension => {
                        if !bits.has(*at) {
                            return None;
                        }
                    }
                    _ => out.push(*atom),
                }
            }
            Some(out)
        };
        let nodes = nodes.iter().map(|node| node.iter().filter_map(left).collect()).collect();
        Self::new(denies.iter().filter_map(left).collect(), nodes)
    }
}

fn is_within(some: &All, more: &All) -> bool {
    let mut rest = more.iter();
    some.iter().all(|atom| rest.any(|other| other == atom))
}

/// Sorted, without those that another holds.
fn least(mut all: Vec<All>) -> Vec<All> {
    all.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    all.dedup();
    if all.first().is_some_and(Vec::is_empty) {
        all.truncate(1);
        return all;
    }
    if all.len() > MOST_COMPARED {
        return all;
    }
    let mut kept: Vec<All> = Vec::with_capacity(all.len());
    for it in all {
        if !kept.iter().any(|known| is_within(known, &it)) {
            kept.push(it);
        }
    }
    kept
}

/// Of some dimensions the choice that was made, by its index.
pub(super) type Path = Vec<(usize, usize)>;
/// Whether a variable's key has one value, for those that still matter.
type Gates = Vec<(usize, bool)>;

/// A search through the space behind one action.
pub(super) struct Search<'a> {
    pub(super) space: &'a Space,
    /// States that were looked at, and whether a difference is below.
    seen: HashMap<(Side, Side, Gates), bool>,
    /// Work that may still be done.
    pub(super) left: usize,
    /// Told of each difference; `false` ends the search.
    found: &'a mut dyn FnMut(&Path) -> bool,
    ended: bool,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Same,
    Differ,
    /// The work ran out.
    Open,
}

impl<'a> Search<'a> {
    pub(super) fn new(space: &'a Space, left: usize, found: &'a mut dyn FnMut(&Path) -> bool) -> Self {
        Self { space, seen: HashMap::new(), left, found, ended: false }
    }

    pub(super) fn run(&mut self, old: &Side, new: &Side) -> End {
        self.go(old, new, &vec![], &mut vec![])
    }

    fn go(&mut self, old: &Side, new: &Side, gates: &Gates, path: &mut Path) -> End {
        if old == new {
            return End::Same;
        }
        if let (Some(_), Some(_)) = (old.settled(), new.settled()) {
            self.ended |= !(self.found)(path);
            return End::Differ;
        }
        let state = (old.clone(), new.clone(), gates.clone());
        if let Some(differs) = self.seen.get(&state) {
            return if *differs { End::Differ } else { End::Same };
        }
        if path.len() > MOST_DEEP {
            return End::Open;
        }
        let Some(at) = self.next(old, new, gates) else { return End::Open };
        let Some(dimension) = self.space.dimensions.get(at) else { return End::Open };
        let own: BTreeSet<usize> = old
            .parts()
            .chain(new.parts())
            .flatten()
            .filter_map(|atom| self.space.atoms.get(*atom as usize))
            .filter(|(other, _)| *other == at)
            .map(|(_, own)| *own)
            .collect();
        let gate = self.is_variable(at);
        let mut tried: BTreeSet<(Vec<bool>, bool)> = BTreeSet::new();
        let mut all = if dimension.whole { End::Same } else { End::Open };
        for (index, choice) in dimension.choices.iter().enumerate() {
            let possible = choice.needs.iter().all(|(key, there)| {
                gates.iter().find(|(known, _)| known == key).is_none_or(|(_, known)| known == there)
            });
            let kind = (own.iter().map(|own| choice.bits.has(*own)).collect(), gate && choice.is_one());
            if !possible || !tried.insert(kind) {
                continue;
            }
            let (old, new) = (old.after(self.space, at, &choice.bits), new.after(self.space, at, &choice.bits));
            let cost = 1 + old.parts().count() + new.parts().count();
            if self.left < cost {
                self.left = 0;
                return if all == End::Differ { all } else { End::Open };
            }
            self.left -= cost;
            let mut gates = gates.clone();
            if gate {
                gates.push((at, choice.is_one()));
            }
            let needed = self.needed(&old, &new);
            gates.retain(|(key, _)| needed.contains(key));
            gates.sort_unstable();
            path.push((at, index));
            let end = self.go(&old, &new, &gates, path);
            path.pop();
            all = match (all, end) {
                (End::Differ, _) | (_, End::Differ) => End::Differ,
                (End::Open, _) | (_, End::Open) => End::Open,
                _ => End::Same,
            };
            if self.ended {
                return all;
            }
        }
        if all != End::Open {
            self.seen.insert(state, all == End::Differ);
        }
        all
    }

    fn is_variable(&self, at: usize) -> bool {
        self.space.dimensions.iter().any(|dimension| dimension.variables.contains(&at))
    }

    /// Dimensions of variables that what is left still hangs on.
    fn needed(&self, old: &Side, new: &Side) -> BTreeSet<usize> {
        let left: BTreeSet<usize> = self.dimensions(old).chain(self.dimensions(new)).collect();
        left.into_iter()
            .filter_map(|at| self.space.dimensions.get(at))
            .flat_map(|dimension| dimension.variables.iter().copied())
            .collect()
    }

    fn dimensions(&self, side: &Side) -> impl Iterator<Item = usize> {
        side.parts().flatten().filter_map(|atom| self.space.atoms.get(*atom as usize)).map(|(dimension, _)| *dimension)
    }

    /// Where to go on: with what variables stand for first, then with what most of the difference hangs on.
    fn next(&self, old: &Side, new: &Side, gates: &Gates) -> Option<usize> {
        let needed = self.needed(old, new);
        if let Some(at) = needed.iter().find(|at| !gates.iter().any(|(known, _)| known == *at)) {
            return Some(*at);
        }
        let (mine, others): (BTreeSet<&All>, BTreeSet<&All>) = (old.parts().collect(), new.parts().collect());
        let mut counts: HashMap<usize, (usize, usize)> = HashMap::new();
        for side in [old, new] {
            for all in side.parts() {
                let differs = mine.contains(all) != others.contains(all);
                for (dimension, _) in all.iter().filter_map(|atom| self.space.atoms.get(*atom as usize)) {
                    let count = counts.entry(*dimension).or_default();
                    count.0 += usize::from(differs);
                    count.1 += 1;
                }
            }
        }
        let choices = |at: &usize| self.space.dimensions.get(*at).map_or(0, |it| it.choices.len());
        counts
            .into_iter()
            .max_by_key(|(at, count)| (*count, std::cmp::Reverse(choices(at)), std::cmp::Reverse(*at)))
            .map(|(at, _)| at)
    }
}
