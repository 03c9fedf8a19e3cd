//! Policies along a way from the root to an account, compiled together: what decides a request down the tree.
//!
//! Source: Organizations user guide, "SCP evaluation" (aws-facts section 3): denied where any policy on the way denies,
//! else allowed where at every node some policy allows. A single set of policies (an identity's, a resource's) is a way of
//! one node.

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

/// A policy at its place.
#[derive(Debug, Clone)]
struct Attached {
    node: usize,
    policy: usize,
    compiled: Compiled,
}

/// A rule at its place.
#[derive(Debug, Clone, Copy)]
struct Placed<'a> {
    node: usize,
    policy: usize,
    rule: &'a Rule,
}

impl Placed<'_> {
    fn place(&self) -> Place {
        Place { node: self.node, policy: self.policy, statement: self.rule.statement }
    }
}

/// A way, ready to be asked.
#[derive(Debug, Clone)]
pub struct Ladder {
    /// Nodes at which everything is allowed.
    open: Vec<bool>,
    attached: Box<[Attached]>,
    /// Each rule, by the policy in `attached` and its index there.
    rules: Box<[(u32, u32)]>,
    denies: Index,
    allows: Index,
}

impl Ladder {
    /// Compiles the policies of each node, from the root down. Nodes past [`MOST_NODES`] are not told apart from the last.
    #[must_use]
    pub fn new<'a, N, P>(nodes: N) -> Self
    where
        N: IntoIterator<Item = P>,
        P: IntoIterator<Item = &'a Compiled>,
    {
        let (mut open, mut attached, mut rules) = (vec![], vec![], vec![]);
        for (node, policies) in nodes.into_iter().take(MOST_NODES).enumerate() {
            let mut everything = false;
            for (policy, compiled) in policies.into_iter().enumerate() {
                everything |= compiled.rules.iter().any(|rule| rule.effect == Effect::Allow && rule.is_unconditional());
                let places = (0..compiled.rules.len()).filter_map(|at| u32::try_from(at).ok());
                rules.extend(
                    u32::try_from(attached.len()).into_iter().flat_map(|slot| places.clone().map(move |at| (slot, at))),
                );
                attached.push(Attached { node, policy, compiled: compiled.clone() });
            }
            open.push(everything);
        }
        let mut ladder = Self {
            open,
            attached: attached.into(),
            rules: rules.into(),
            denies: Index::default(),
            allows: Index::default(),
        };
        ladder.denies = ladder.index(|placed| placed.rule.effect == Effect::Deny);
        let is_open = |node: usize| ladder.open.get(node).copied().unwrap_or(false);
        ladder.allows = ladder.index(|placed| placed.rule.effect == Effect::Allow && !is_open(placed.node));
        ladder
    }

    fn index(&self, which: impl Fn(&Placed<'_>) -> bool) -> Index {
        let positions = (0..self.rules.len()).filter_map(|at| u32::try_from(at).ok());
        let placed = positions.filter_map(|at| Some((at, self.placed(at)?)));
        Index::new(placed.filter(|(_, placed)| which(placed)).map(|(at, placed)| (at, placed.rule)))
    }

    fn placed(&self, position: u32) -> Option<Placed<'_>> {
        let (slot, rule) = self.rules.get(usize::try_from(position).ok()?)?;
        let attached = self.attached.get(usize::try_from(*slot).ok()?)?;
        let rule = attached.compiled.rules.get(usize::try_from(*rule).ok()?)?;
        Some(Placed { node: attached.node, policy: attached.policy, rule })
    }

    /// Every rule at its place.
    fn all(&self) -> impl Iterator<Item = Placed<'_>> {
        self.attached.iter().flat_map(|attached| {
            attached.compiled.rules.iter().map(|rule| Placed { node: attached.node, policy: attached.policy, rule })
        })
    }

    /// How many nodes it has.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.open.len()
    }

    fn found<'a>(&'a self, index: &'a Index, action: &'a Action) -> impl Iterator<Item = Placed<'a>> {
        index.find(action).filter_map(|at| self.placed(at)).filter(|placed| placed.rule.is_of(action))
    }

    /// Whether something on the way denies.
    #[must_use]
    pub fn denies(&self, request: &Request<'_>) -> Truth {
        Truth::any(self.found(&self.denies, request.action).map(|placed| placed.rule.applies(request)))
    }

    /// Whether at every node something allows.
    #[must_use]
    pub fn allows(&self, request: &Request<'_>) -> Truth {
        let mut nodes = [Truth::No; MOST_NODES];
        for placed in self.found(&self.allows, request.action) {
            if let Some(node) = nodes.get_mut(placed.node)
                && *node != Truth::Yes
            {
                *node = node.or(placed.rule.applies(request));
            }
        }
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
        let mut steps = vec![];
        let mut allows: Vec<Truth> = vec![Truth::No; self.open.len()];
        let mut denies = Truth::No;
        for placed in self.all() {
            let rule = placed.rule;
            let applies = if rule.is_of(request.action) { rule.applies(request) } else { Truth::No };
            match (rule.effect, allows.get_mut(placed.node)) {
                (Effect::Deny, _) => denies = denies.or(applies),
                (Effect::Allow, Some(node)) => *node = node.or(applies),
                (Effect::Allow, None) => {}
            }
            if applies > Truth::No {
                let open = if applies == Truth::Depends { rule.open_parts(request) } else { OpenParts::default() };
                steps.push(Step { place: placed.place(), effect: rule.effect, applies, open });
            }
        }
        steps.sort_by_key(|step| (step.place.node, step.effect == Effect::Allow, step.place));
        let decision = Decision::of(denies, Truth::all(allows.iter().copied()));
        Walk { decision, steps, allows, denies }
    }

    /// The statement that denies for sure, the first from the root; found without a walk.
    #[must_use]
    pub fn denied_by(&self, request: &Request<'_>) -> Option<Place> {
        self.found(&self.denies, request.action)
            .filter(|placed| placed.rule.applies(request) == Truth::Yes)
            .map(|placed| placed.place())
            .min()
    }

    /// Whether some statement allows that names the caller at least so closely.
    pub(super) fn allows_by_name(&self, request: &Request<'_>, naming: Naming) -> Truth {
        let allowing = self.all().map(|placed| placed.rule).filter(|rule| {
            rule.effect == Effect::Allow && rule.is_of(request.action) && rule.naming(request.caller) >= naming
        });
        Truth::any(allowing.map(|rule| rule.applies(request)))
    }

    /// Calls `look` with each condition key that decides of an action, some of them more than once.
    pub fn keys_of(&self, action: &Action, mut look: impl FnMut(&str)) {
        for index in [&self.denies, &self.allows] {
            for placed in self.found(index, action) {
                placed.rule.keys().for_each(|key| look(key.as_str()));
            }
        }
    }

    /// Whether the resource makes a difference for an action.
    #[must_use]
    pub fn looks_at_resource(&self, action: &Action) -> bool {
        [&self.denies, &self.allows]
            .into_iter()
            .any(|index| self.found(index, action).any(|placed| placed.rule.looks_at_resource()))
    }
}
