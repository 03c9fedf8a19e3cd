//! Whether two sets of policies decide every request alike, and if not, requests that tell them apart.
//!
//! The way of the data: the patterns of actions are walked together ([`glob`]) to regions of actions that no statement tells
//! apart; behind each lies a [`space`] of resources, callers and condition keys, again cut into what the statements tell
//! apart; and a [`search`] goes through what is left of both sides. Each difference is tried on the evaluator before it is
//! told ([`witness`]).
//!
//! Requests are those that AWS makes: complete, for an action `service:Name`, on an ARN or on `*`, with keys whose type AWS
//! states carrying values of that type. A key that AWS says has one value has no two. Letters' case is that of Latin letters.
//!
//! Architecture invariant: equal is never said of what was not gone through; a difference is never told that the evaluator
//! does not make.

mod callers;
mod examples;
mod glob;
mod search;
mod space;
#[cfg(test)]
mod tests;
mod values;
mod witness;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use self::glob::{Bits, Glob, Globs, Shape};
use self::search::{All, End, Search, Side};
use self::space::{Atom, Space};
use self::witness::{Asker, Pair};
pub use self::witness::{Verdict, Witness};
use super::eval::pattern::{Pattern, Reading};
use super::eval::{Action, Compiled, Decision, Ladder, MOST_NODES};
use super::services;
use super::statement::{Effect, Policy, Scope, Version};

/// The policies of each node, from the root down; one node for policies that stand beside each other.
pub type Nodes = [Vec<Policy>];

/// Who allows what the policies do not speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Nobody: what no statement allows is denied.
    AsGiven,
    /// Another policy at every node allows everything, as `FullAWSAccess` and `RCPFullAWSAccess` do.
    Allowed,
    /// Other policies may stand beside them: an explicit deny and a missing allow are not the same then. Two sets of one node are
    /// equal only where they deny the same requests, and allow the same ones.
    Any,
}

impl Ground {
    /// What to take for two sets: where neither has a statement that allows, they are meant to stand beside one that does,
    /// since alone they would deny everything; else whatever may stand beside them.
    #[must_use]
    pub fn of(old: &Nodes, new: &Nodes) -> Self {
        let mut statements = old.iter().chain(new).flatten().flat_map(|policy| &policy.statements);
        if statements.any(|statement| statement.effect == Effect::Allow) { Self::Any } else { Self::Allowed }
    }
}

/// How much work may be done.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Steps of one walk over patterns.
    pub letters: usize,
    /// Steps of all searches together.
    pub steps: usize,
    /// Requests that are tried at random for each region that could not be searched to the end.
    pub samples: usize,
    /// Most requests that are told.
    pub witnesses: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { letters: 6_000_000, steps: 4_000_000, samples: 2_000, witnesses: 50 }
    }
}

/// What was compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Regions of actions that the statements tell apart.
    pub actions: usize,
    /// Kinds of requests, of all of these together.
    pub requests: u128,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// No request tells them apart.
    Equal(Compared),
    /// These do, the simplest first.
    Differs {
        /// One for each pair of what decides before and after.
        witnesses: Vec<Witness>,
        /// Pairs that are left out.
        more: usize,
        /// What was compared.
        compared: Compared,
    },
    /// No request was found that does, but not all were gone through.
    Undecided {
        /// Why not; lower case.
        why: String,
        /// What was to be compared.
        compared: Compared,
    },
}

/// A statement of either side.
struct Rule {
    new: bool,
    node: usize,
    effect: Effect,
    all_but: bool,
    /// Its patterns of actions, by number.
    actions: Vec<usize>,
    /// What it asks besides, by number.
    atoms: Vec<usize>,
}

/// A region of actions.
struct Region {
    /// The rules that speak of it.
    rules: Bits,
    example: String,
    known: bool,
}

impl Comparison {
    /// Of the same sets alone, and beside a policy that allows everything.
    fn and_beside(self, beside: Self) -> Self {
        match (self, beside) {
            (
                Self::Differs { mut witnesses, more, compared },
                Self::Differs { witnesses: others, more: other_more, .. },
            ) => {
                witnesses.extend(others);
                Self::Differs { witnesses, more: more + other_more, compared }
            }
            (differs @ Self::Differs { .. }, _) | (_, differs @ Self::Differs { .. }) => differs,
            (undecided @ Self::Undecided { .. }, _) | (_, undecided @ Self::Undecided { .. }) => undecided,
            (equal @ Self::Equal(_), Self::Equal(_)) => equal,
        }
    }
}

/// Compares two sets of policies of one type.
#[must_use]
pub fn compare(old: &Nodes, new: &Nodes, ground: Ground, budget: &Budget) -> Comparison {
    if ground != Ground::Any {
        return compare_on(old, new, ground, None, budget);
    }
    let alone = compare_on(old, new, Ground::AsGiven, None, budget);
    let ladders = [ladder(old, Ground::AsGiven), ladder(new, Ground::AsGiven)];
    if ladders.iter().all(Ladder::is_open) {
        // Another policy allows nothing that they do not.
        return alone;
    }
    alone.and_beside(compare_on(old, new, Ground::Allowed, Some(ladders), budget))
}

/// The same on one ground. Differences that sets make alone as well are left out, where these are given.
fn compare_on(old: &Nodes, new: &Nodes, ground: Ground, alone: Option<[Ladder; 2]>, budget: &Budget) -> Comparison {
    let mut space = Space::default();
    let mut principals = vec![];
    let mut patterns: Vec<String> = vec![];
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut rules = vec![];
    for (is_new, nodes) in [(false, old), (true, new)] {
        for (node, policies) in nodes.iter().enumerate() {
            for policy in policies {
                for statement in &policy.statements {
                    let mut number = |text: &String| {
                        let lower = text.to_ascii_lowercase();
                        *numbers.entry(lower.clone()).or_insert_with(|| {
                            patterns.push(lower);
                            patterns.len() - 1
                        })
                    };
                    rules.push(Rule {
                        new: is_new,
                        node,
                        effect: statement.effect,
                        all_but: matches!(statement.action, Scope::AllBut(_)),
                        actions: statement.action.named().iter().map(&mut number).collect(),
                        atoms: space.atoms_of(statement, policy.version, &mut principals),
                    });
                }
            }
        }
    }
    space.fill(&principals, budget);
    let (regions, whole) = regions(&rules, &patterns, budget);
    let run = Run {
        rules: &rules,
        space: &space,
        nodes: [old.len(), new.len()],
        ground,
        asker: Asker::new([ladder(old, ground), ladder(new, ground)], alone, [sizes(old), sizes(new)], &space),
        budget,
    };
    let too_many = old.len().max(new.len()) > MOST_NODES;
    let doubt = match (too_many, whole) {
        (true, _) => Some("a way has more nodes than can be evaluated"),
        (_, false) => Some("the patterns of actions cut more regions than the work allowed can go through"),
        _ => None,
    };
    run.all(&regions, doubt)
}

fn sizes(nodes: &Nodes) -> Vec<usize> {
    nodes.iter().map(Vec::len).collect()
}

fn ladder(nodes: &Nodes, ground: Ground) -> Ladder {
    let everything = Policy {
        version: Version::V2012,
        id: None,
        statements: vec![super::statement::Statement {
            sid: None,
            effect: Effect::Allow,
            principal: None,
            action: Scope::Only(vec!["*".to_owned()]),
            resource: Scope::Only(vec!["*".to_owned()]),
            condition: vec![],
        }],
    };
    let full = (ground == Ground::Allowed).then(|| Compiled::new(&everything));
    let compiled: Vec<Vec<Compiled>> =
        nodes.iter().map(|policies| policies.iter().map(Compiled::new).chain(full.clone()).collect()).collect();
    Ladder::new(compiled.iter().map(|policies| policies.iter()))
}

/// The regions of actions, those with an action that AWS has first; and whether they are all.
fn regions(rules: &[Rule], patterns: &[String], budget: &Budget) -> (Vec<Region>, bool) {
    // Actions have no variables.
    let glob = |text: &String| Glob::new(&Pattern::new(text, Reading::Wild, Version::V2008), false);
    let globs = Globs::new(&patterns.iter().map(glob).collect::<Vec<_>>(), Shape::Action);
    let mut spelled: HashMap<String, String> = HashMap::new();
    let own = patterns.iter().filter_map(|text| services::action(text)).map(|action| action.to_string());
    let preferred = own.chain(examples::actions(patterns.iter().map(String::as_str))).map(|action| {
        let lower = action.to_ascii_lowercase();
        spelled.insert(lower.clone(), action);
        lower
    });
    let preferred: Vec<String> = preferred.collect();
    let (found, mut whole) = globs.regions(preferred.into_iter(), budget.letters);
    whole &= found.len().saturating_mul(rules.len()) <= budget.steps.saturating_mul(10);
    let mut seen: HashMap<Bits, ()> = HashMap::new();
    let mut out = vec![];
    for region in found {
        let speaks = |rule: &Rule| rule.actions.iter().any(|at| region.bits.has(*at)) != rule.all_but;
        let bits = Bits::of(rules.len(), rules.iter().enumerate().filter(|(_, rule)| speaks(rule)).map(|(at, _)| at));
        if seen.insert(bits.clone(), ()).is_none() {
            let known = spelled.get(&region.example);
            out.push(Region { rules: bits, known: known.is_some(), example: known.cloned().unwrap_or(region.example) });
        }
        if !whole && out.len() > 1_000 {
            break;
        }
    }
    (out, whole)
}

struct Run<'a> {
    rules: &'a [Rule],
    space: &'a Space,
    nodes: [usize; 2],
    ground: Ground,
    asker: Asker<'a>,
    budget: &'a Budget,
}

impl Run<'_> {
    fn all(&self, regions: &[Region], doubt: Option<&'static str>) -> Comparison {
        let mut doubts: Vec<&'static str> = doubt.into_iter().collect();
        let mut compared = Compared { actions: regions.len(), requests: 0 };
        let mut found: BTreeMap<Pair, Witness> = BTreeMap::new();
        let mut left = self.budget.steps;
        for region in regions {
            compared.requests = compared.requests.saturating_add(self.kinds(region));
            let [old, new] = [self.side(region, false), self.side(region, true)];
            let Some(action) = Action::parse(&region.example) else { continue };
            let told = Cell::new(false);
            let mut tried = 0_usize;
            let mut look = |path: &search::Path| {
                tried += 1;
                if let Some((pair, witness)) = self.asker.witness(&action, region.known, path) {
                    told.set(true);
                    let known = found.entry(pair).or_insert_with(|| witness.clone());
                    if witness.weight() < known.weight() {
                        *known = witness;
                    }
                }
                tried < 200
            };
            let mut search = Search::new(self.space, left, &mut look);
            let end = search.run(&old, &new);
            left = search.left;
            match end {
                End::Same => {}
                End::Differ if told.get() => {}
                End::Differ => {
                    doubts.push(
                        "it hangs on what policy variables (`${…}`) stand for, or on who asks, and no request was found that \
                         shows it",
                    );
                }
                End::Open => {
                    self.sample(region, &mut look);
                    doubts.push("there are more kinds of requests than the work allowed can go through");
                }
            }
        }
        if found.is_empty() {
            return match doubts.first() {
                None => Comparison::Equal(compared),
                Some(why) => Comparison::Undecided { why: (*why).to_owned(), compared },
            };
        }
        let mut witnesses: Vec<Witness> = found.into_values().collect();
        witnesses.sort_by_cached_key(|witness| (witness.weight(), witness.action.clone()));
        let more = witnesses.len().saturating_sub(self.budget.witnesses.max(1));
        witnesses.truncate(self.budget.witnesses.max(1));
        Comparison::Differs { witnesses, more, compared }
    }

    fn of_region<'a>(&'a self, region: &'a Region) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().enumerate().filter(|(at, _)| region.rules.has(*at)).map(|(_, rule)| rule)
    }

    /// One side's formula: what decides in a region of actions.
    fn side(&self, region: &Region, new: bool) -> Side {
        let count = if new { self.nodes[1] } else { self.nodes[0] };
        let (mut denies, mut nodes): (Vec<All>, Vec<Vec<All>>) = (vec![], vec![vec![]; count]);
        if self.ground == Ground::Allowed {
            nodes.clear();
        }
        for rule in self.of_region(region).filter(|rule| rule.new == new) {
            let mut all: All = vec![];
            let mut never = false;
            for atom in &rule.atoms {
                match self.space.folded(*atom) {
                    Atom::Always => {}
                    Atom::Never => never = true,
                    Atom::Hangs(number) => all.push(number),
                }
            }
            if never {
                continue;
            }
            all.sort_unstable();
            all.dedup();
            match (rule.effect, nodes.get_mut(rule.node)) {
                (Effect::Deny, _) => denies.push(all),
                (Effect::Allow, Some(node)) => node.push(all),
                (Effect::Allow, None) => {}
            }
        }
        Side::new(denies, nodes)
    }

    /// Dimensions that the statements of a region look at.
    fn dimensions(&self, region: &Region) -> Vec<usize> {
        let atoms = self.of_region(region).flat_map(|rule| &rule.atoms);
        let mut out: Vec<usize> = atoms.filter_map(|atom| Some(self.space.atoms.get(*atom)?.0)).collect();
        let variables: Vec<usize> = out
            .iter()
            .filter_map(|at| self.space.dimensions.get(*at))
            .flat_map(|it| it.variables.iter().copied())
            .collect();
        out.extend(variables);
        out.sort_unstable();
        out.dedup();
        out
    }

    fn kinds(&self, region: &Region) -> u128 {
        let choices = |at: usize| self.space.dimensions.get(at).map_or(1, |it| it.choices.len().max(1));
        self.dimensions(region).into_iter().fold(1_u128, |kinds, at| kinds.saturating_mul(choices(at) as u128))
    }

    /// Tries requests at random, the same ones every time.
    fn sample(&self, region: &Region, look: &mut dyn FnMut(&search::Path) -> bool) {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let dimensions = self.dimensions(region);
        for _ in 0..self.budget.samples {
            let pick = |at: &usize| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                let choices = self.space.dimensions.get(*at).map_or(1, |it| it.choices.len().max(1)) as u64;
                (*at, usize::try_from(seed % choices).unwrap_or(0))
            };
            let path: search::Path = dimensions.iter().map(pick).collect();
            if !look(&path) {
                return;
            }
        }
    }
}
