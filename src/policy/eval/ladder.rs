//! Policies along a way from the root to an account, compiled together: what decides a request down the tree.
//!
//! Source: Organizations user guide, "SCP evaluation" (aws-facts section 3): denied where any policy on the way denies,
//! else allowed where at every node some policy allows. A single set of policies (an identity's, a resource's) is a way of
//! one node.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::index::Index;
use super::request::{Action, Request};
use super::rule::{Compiled, Naming, OpenParts, Rule};
use super::truth::Truth;
use crate::policy::statement::Effect;

/// Most nodes of a way: the root, five OUs, the account (aws-facts section 2), and room for what AWS may allow one day.
pub const MOST_NODES: usize = 16;

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// Denied, whatever is not known.
    Denied,
    /// It hangs on what is not known.
    Depends,
    /// Allowed, whatever is not known.
    Allowed,
}

impl Decision {
    pub(super) fn of(denied: Truth, allowed: Truth) -> Self {
        match allowed.and(!denied) {
            Truth::No => Self::Denied,
            Truth::Depends => Self::Depends,
            Truth::Yes => Self::Allowed,
        }
    }
}

/// A statement by its place in a ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Index of the node, from the root.
    pub node: usize,
    /// Index of the policy at the node.
    pub policy: usize,
    /// Index of the statement in the policy.
    pub statement: usize,
}

/// A statement that has to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub place: Place,
    /// Allow or deny.
    pub effect: Effect,
    /// `Yes` or `Depends`: statements that do not apply are no steps.
    pub applies: Truth,
    /// What it hangs on, where it depends.
    pub open: OpenParts,
}

/// How a request was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// What came out.
    pub decision: Decision,
    /// Every statement that applies or may, node by node, denies first.
    pub steps: Vec<Step>,
    /// Whether something at the node allows, by index of the node.
    pub allows: Vec<Truth>,
    /// Whether something on the way denies.
    pub denies: Truth,
}

impl Walk {
    /// The statement that denies for sure, the first from the root.
    #[must_use]
    pub fn denied_by(&self) -> Option<Place> {
        let denies = |step: &&Step| step.effect == Effect::Deny && step.applies == Truth::Yes;
        self.steps.iter().find(denies).map(|step| step.place)
    }

    /// The first node at which nothing allows, for sure.
    #[must_use]
    pub fn stopped_at(&self) -> Option<usize> {
        self.allows.iter().position(|allows| *allows == Truth::No)
    }
}

/// A rule at its place.
#[derive(Debug, Clone)]
struct Placed {
    node: usize,
    policy: usize,
    rule: Arc<Rule>,
}

impl Placed {
    fn place(&self) -> Place {
        Place { node: self.node, policy: self.policy, statement: self.rule.statement }
    }
}

/// Rules of one effect.
#[derive(Debug, Clone)]
struct Placements {
    /// From the root down.
    all: Box<[Placed]>,
    /// Of those that decide.
    index: Index,
}

impl Placements {
    fn new(all: Vec<Placed>, decides: impl Fn(&Placed) -> bool) -> Self {
        let positions = (0..).zip(&all).filter(|(_, placed)| decides(placed));
        let index = Index::new(positions.map(|(at, placed)| (at, &*placed.rule)));
        Self { all: all.into(), index }
    }

    /// Calls `look` with each that decides of the action, with some twice, until it breaks off.
    fn find<'a, B>(&'a self, action: &Action, mut look: impl FnMut(&'a Placed) -> ControlFlow<B>) -> ControlFlow<B> {
        if action.is_open() {
            // The index knows rules by names.
            return self.all.iter().filter(|placed| placed.rule.is_of(action)).try_for_each(look);
        }
        self.index.find(action, |found| {
            let placed = usize::try_from(found.position).ok().and_then(|at| self.all.get(at));
            match placed {
                Some(placed) if found.sure || placed.rule.is_of(action) => look(placed),
                _ => ControlFlow::Continue(()),
            }
        })
    }

    /// The same with each of them.
    fn each<'a>(&'a self, action: &Action, mut look: impl FnMut(&'a Placed)) {
        let _: ControlFlow<()> = self.find(action, |placed| {
            look(placed);
            ControlFlow::Continue(())
        });
    }
}

/// A way, ready to be asked.
#[derive(Debug, Clone)]
pub struct Ladder {
    /// Nodes at which everything is allowed.
    open: Vec<bool>,
    denies: Placements,
    /// Those at open nodes decide nothing.
    allows: Placements,
}

impl Ladder {
    /// Compiles the policies of each node, from the root down. Nodes past [`MOST_NODES`] are not told apart from the last.
    #[must_use]
    pub fn new<'a, N, P>(nodes: N) -> Self
    where
        N: IntoIterator<Item = P>,
        P: IntoIterator<Item = &'a Compiled>,
    {
        let (mut open, mut denies, mut allows) = (vec![], vec![], vec![]);
        for (node, policies) in nodes.into_iter().enumerate() {
            let node = node.min(MOST_NODES - 1);
            let mut everything = false;
            for (policy, compiled) in policies.into_iter().enumerate() {
                for rule in compiled.rules.iter() {
                    everything |= rule.effect == Effect::Allow && rule.is_unconditional();
                    let rules = if rule.effect == Effect::Deny { &mut denies } else { &mut allows };
                    rules.push(Placed { node, policy, rule: rule.clone() });
                }
            }
            match open.get_mut(node) {
                Some(open) => *open &= everything,
                None => open.push(everything),
            }
        }
        let is_open = |node: usize| open.get(node).copied().unwrap_or(false);
        let allows = Placements::new(allows, |placed| !is_open(placed.node));
        Self { denies: Placements::new(denies, |_| true), allows, open }
    }

    /// Every rule at its place.
    fn all(&self) -> impl Iterator<Item = &Placed> {
        self.denies.all.iter().chain(&self.allows.all)
    }

    /// How many nodes it has.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.open.len()
    }

    /// Whether something on the way denies.
    #[must_use]
    pub fn denies(&self, request: &Request<'_>) -> Truth {
        self.denies_to(request, false)
    }

    /// The same where it is known whether who asks has a permissions boundary.
    pub(super) fn denies_to(&self, request: &Request<'_>, bounded: bool) -> Truth {
        let mut denies = Truth::No;
        let _ = self.denies.find(request.action, |placed| {
            denies = denies.or(placed.rule.applies_to(request, bounded));
            if denies == Truth::Yes { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        denies
    }

    /// Whether at every node something allows.
    #[must_use]
    pub fn allows(&self, request: &Request<'_>) -> Truth {
        if self.open.iter().all(|open| *open) {
            return Truth::Yes;
        }
        let mut nodes = [Truth::No; MOST_NODES];
        self.allows.each(request.action, |placed| {
            if let Some(node) = nodes.get_mut(placed.node)
                && *node != Truth::Yes
            {
                *node = node.or(placed.rule.applies(request));
            }
        });
        Truth::all(self.open.iter().zip(nodes).map(|(open, node)| if *open { Truth::Yes } else { node }))
    }

    /// What the way decides. Allocates nothing.
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let denied = self.denies(request);
        if denied == Truth::Yes {
            return Decision::Denied;
        }
        Decision::of(denied, self.allows(request))
    }

    /// The same, with every statement that has to do with it.
    #[must_use]
    pub fn walk(&self, request: &Request<'_>) -> Walk {
        self.walk_to(request, false)
    }

    /// The same where it is known whether who asks has a permissions boundary.
    pub(super) fn walk_to(&self, request: &Request<'_>, bounded: bool) -> Walk {
        let mut steps = vec![];
        let mut allows: Vec<Truth> = vec![Truth::No; self.open.len()];
        let mut denies = Truth::No;
        let mut look = |placed: &Placed, applies: Truth| {
            if applies > Truth::No {
                let rule = &*placed.rule;
                let open = if applies == Truth::Depends { rule.open_parts(request) } else { OpenParts::default() };
                steps.push(Step { place: placed.place(), effect: rule.effect, applies, open });
            }
        };
        self.denies.each(request.action, |placed| {
            let applies = placed.rule.applies_to(request, bounded);
            denies = denies.or(applies);
            look(placed, applies);
        });
        // All of them: where everything is allowed, the index does not have what else allows.
        for placed in &self.allows.all {
            let applies = if placed.rule.is_of(request.action) { placed.rule.applies(request) } else { Truth::No };
            if let Some(node) = allows.get_mut(placed.node) {
                *node = node.or(applies);
            }
            look(placed, applies);
        }
        steps.sort_by_key(|step| (step.place.node, step.effect == Effect::Allow, step.place));
        // Some were found twice.
        steps.dedup_by_key(|step| step.place);
        let decision = Decision::of(denies, Truth::all(allows.iter().copied()));
        Walk { decision, steps, allows, denies }
    }

    /// The statement that denies for sure, the first from the root; found without a walk.
    #[must_use]
    pub fn denied_by(&self, request: &Request<'_>) -> Option<Place> {
        let mut first: Option<Place> = None;
        self.denies.each(request.action, |placed| {
            let place = placed.place();
            if first.is_none_or(|first| place < first) && placed.rule.applies(request) == Truth::Yes {
                first = Some(place);
            }
        });
        first
    }

    /// Whether some statement allows that names the caller at least so closely.
    pub(super) fn allows_by_name(&self, request: &Request<'_>, naming: Naming) -> Truth {
        let allowing = self
            .allows
            .all
            .iter()
            .map(|placed| &placed.rule)
            .filter(|rule| rule.is_of(request.action) && rule.naming(request.caller) >= naming);
        Truth::any(allowing.map(|rule| rule.applies(request)))
    }

    /// Whether the same statements decide a request here and there, so that both answer alike whatever is not known.
    #[must_use]
    pub fn decides_as(&self, other: &Self, request: &Request<'_>) -> bool {
        let deciding = |ladder: &Self| {
            let mut denies: Vec<Rule> = vec![];
            let mut allows: Vec<Vec<Rule>> = vec![vec![]; ladder.open.len()];
            for placed in ladder.all().filter(|placed| placed.rule.is_of(request.action)) {
                let applies = placed.rule.applies(request);
                let list = match (applies, placed.rule.effect) {
                    (Truth::No, _) => continue,
                    (_, Effect::Deny) => Some(&mut denies),
                    (_, Effect::Allow) => allows.get_mut(placed.node),
                };
                let plain = placed.rule.anywhere();
                if let Some(list) = list.filter(|list| !list.contains(&plain)) {
                    list.push(plain);
                }
            }
            // Where something allows for sure, the rest of the node makes no difference.
            for node in &mut allows {
                if node.iter().any(|rule| rule.applies(request) == Truth::Yes) {
                    node.clear();
                }
            }
            (denies, allows)
        };
        let same =
            |one: &[Rule], other: &[Rule]| one.len() == other.len() && one.iter().all(|rule| other.contains(rule));
        let ((denies, allows), (other_denies, other_allows)) = (deciding(self), deciding(other));
        same(&denies, &other_denies)
            && allows.len() == other_allows.len()
            && allows.iter().zip(&other_allows).all(|(one, other)| same(one, other))
            && self.allows(request) == other.allows(request)
    }

    /// Calls `look` with each condition key that decides of an action, some of them more than once.
    pub fn keys_of(&self, action: &Action, mut look: impl FnMut(&str)) {
        for rules in [&self.denies, &self.allows] {
            rules.each(action, |placed| placed.rule.keys().for_each(|key| look(key.as_str())));
        }
    }

    /// Whether at every node everything is allowed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.iter().all(|open| *open)
    }

    /// Calls `look` with the place of each statement that decides of an action, some of them more than once.
    pub fn places_of(&self, action: &Action, mut look: impl FnMut(Place)) {
        for rules in [&self.denies, &self.allows] {
            rules.each(action, |placed| look(placed.place()));
        }
    }

    /// Calls `look` with every condition key that any statement looks at, some of them more than once.
    pub fn every_key(&self, mut look: impl FnMut(&str)) {
        self.all().for_each(|placed| placed.rule.keys().for_each(|key| look(key.as_str())));
    }

    /// Whether any statement looks at the resource.
    #[must_use]
    pub fn looks_at_resources(&self) -> bool {
        self.all().any(|placed| placed.rule.looks_at_resource())
    }

    /// Whether a statement denies the action to anybody, or allows it where not everything is allowed.
    #[must_use]
    pub fn speaks_of(&self, action: &Action) -> bool {
        [&self.denies, &self.allows].into_iter().any(|rules| rules.find(action, |_| ControlFlow::Break(())).is_break())
    }

    /// Calls `look` with every pattern that the resources of an action are held against, as one of `*` and `?` alone that
    /// matches at least as much; some come more than once. None: the resource makes no difference.
    pub fn resources_of(&self, action: &Action, mut look: impl FnMut(String)) {
        for rules in [&self.denies, &self.allows] {
            rules.each(action, |placed| placed.rule.resources().for_each(|pattern| look(pattern.as_glob())));
        }
    }
}
