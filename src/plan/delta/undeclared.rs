//! What no manifest declares. Counted only where everything that could declare it, or be it, was read.

use std::collections::BTreeSet;

use super::super::bind::Bound;
use super::super::model::{Action, NodeRef};
use super::super::partial::Partial;
use super::super::undeclared::{Found, Undeclared};
use super::Delta;
use crate::api::organization::LANDING_ZONE_POLICIES;
use crate::aws::port::AccountState;
use crate::names::{AccountId, Kind, NodeId, PolicyId, TAG_RESOURCE, Tags, UnitId, glob};
use crate::observed::{Part, Policy, Scope, Unknown};

/// Whether a manifest declares something of AWS.
enum Standing {
    Declared,
    Undeclared,
    /// An object that has errors, or cannot be bound, may mean it.
    Open,
}

/// What is being gathered of one sort: each with its name, by which it is sorted.
struct Gathered<'a, Id> {
    named: Vec<(&'a str, Id)>,
    open: usize,
    unknown: Vec<String>,
}

impl<'a, Id: Ord> Gathered<'a, Id> {
    fn new(unknown: Vec<String>) -> Self {
        Self { named: vec![], open: 0, unknown }
    }

    fn add(&mut self, standing: &Standing, name: &'a str, id: Id) {
        match standing {
            Standing::Declared => {}
            Standing::Undeclared => self.named.push((name, id)),
            Standing::Open => self.open += 1,
        }
    }

    fn found(mut self) -> Found<Id> {
        self.named.sort();
        if self.open > 0 {
            self.unknown.push(format!("{} may be those of objects that have errors or were refused", self.open));
        }
        Found { ids: self.named.into_iter().map(|(_, id)| id).collect(), unknown: self.unknown }
    }
}

impl Delta<'_> {
    /// Looked for once all changes are proposed: what they detach or delete is told there.
    pub(super) fn undeclared(&self) -> Undeclared {
        let policies = self.undeclared_policies();
        Undeclared {
            accounts: self.undeclared_accounts(),
            units: self.undeclared_units(),
            attachments: self.undeclared_attachments(&policies),
            policies,
            unread_types: {
                let on = self.observed.root.policy_types.keys();
                on.filter(|kind| !self.observed.listed_types.contains(kind)).cloned().collect()
            },
        }
    }

    fn gaps(&self, of: impl Fn(&Scope) -> bool) -> Vec<String> {
        self.observed.gaps.iter().filter(|gap| of(&gap.scope)).map(|gap| Partial::gap(gap).why).collect()
    }

    fn undeclared_accounts(&self) -> Found<AccountId> {
        let mut gathered = Gathered::new(self.gaps(|scope| *scope == Scope::Accounts));
        let closed: BTreeSet<&AccountId> = self
            .changes
            .iter()
            .filter_map(|change| match &change.action {
                Action::CloseAccount { account, .. } => Some(account),
                _ => None,
            })
            .collect();
        let stuck = self.binding.accounts.values().any(|bound| *bound == Bound::Stuck);
        let ignores_places = !self.ignored.is_empty();
        for (id, account) in &self.observed.accounts {
            let node = NodeId::Account(id.clone());
            if account.state != AccountState::Active
                || self.observed.is_management(&node)
                || closed.contains(id)
                || self.binding.node_objects.contains_key(&node)
                || !self.is_account_open(id, Some(account), None)
            {
                continue;
            }
            // Where it is not known what an account is below, it may be below what is ignored.
            let standing = if ignores_places && account.parent.is_none() {
                Standing::Open
            } else {
                self.standing_of_node(Kind::Account, &node, &account.tags, stuck)
            };
            gathered.add(&standing, &account.name, id.clone());
        }
        gathered.found()
    }

    fn undeclared_units(&self) -> Found<UnitId> {
        let mut gathered = Gathered::new(self.gaps(|scope| matches!(scope, Scope::UnitsBelow(_))));
        let deleted: BTreeSet<&UnitId> = self
            .changes
            .iter()
            .filter_map(|change| match &change.action {
                Action::DeleteUnit { unit, .. } => Some(unit),
                _ => None,
            })
            .collect();
        let stuck = self.binding.units.values().any(|bound| *bound == Bound::Stuck);
        for (id, unit) in &self.observed.units {
            let node = NodeId::Unit(id.clone());
            if deleted.contains(id) || self.binding.node_objects.contains_key(&node) || self.ignored.contains(&node) {
                continue;
            }
            let standing = self.standing_of_node(Kind::OrganizationalUnit, &node, &unit.tags, stuck);
            gathered.add(&standing, &unit.name, id.clone());
        }
        gathered.found()
    }

    /// `stuck`: an object of that kind could not be bound.
    fn standing_of_node(&self, kind: Kind, node: &NodeId, tags: &Part<Tags>, stuck: bool) -> Standing {
        let tag = tags.get().and_then(|tags| tags.get(TAG_RESOURCE));
        let open = self.desired.may_be_broken(kind, node.as_str(), self.observed.name(node), tag)
            || (stuck && (tags.get().is_none() || self.is_node_claimed(kind, node)));
        if open { Standing::Open } else { Standing::Undeclared }
    }

    fn undeclared_policies(&self) -> Found<PolicyId> {
        let mut gathered = Gathered::new(self.gaps(|scope| matches!(scope, Scope::Policies(_))));
        let deleted: BTreeSet<&PolicyId> = self
            .changes
            .iter()
            .filter_map(|change| match &change.action {
                Action::DeletePolicy { policy, .. } => Some(policy),
                _ => None,
            })
            .collect();
        let stuck = self.binding.policies.values().any(|bound| *bound == Bound::Stuck);
        for (id, policy) in &self.observed.policies {
            if !deleted.contains(id) {
                gathered.add(&self.standing_of_policy(id, policy, stuck), &policy.name, id.clone());
            }
        }
        gathered.found()
    }

    fn standing_of_policy(&self, id: &PolicyId, policy: &Policy, stuck: bool) -> Standing {
        let ignored = &self.desired.organization.spec.ignore.policies;
        if policy.aws_managed
            || self.binding.policy_objects.contains_key(id)
            || super::matches_any(ignored, &policy.name)
            || LANDING_ZONE_POLICIES.iter().any(|pattern| glob(pattern, &policy.name))
        {
            return Standing::Declared;
        }
        let tag = policy.tags.get().and_then(|tags| tags.get(TAG_RESOURCE));
        let open = self.desired.may_be_broken(Kind::OrganizationPolicy, id.as_str(), &policy.name, tag)
            || (stuck && (policy.tags.get().is_none() || self.is_of_stuck_object(tag) || self.may_be_stuck(policy)));
        if open { Standing::Open } else { Standing::Undeclared }
    }

    /// Where undeclared policies are attached, by the names of policy and node. A policy that may be declared leaves open
    /// whether its attachments are.
    fn undeclared_attachments(&self, policies: &Found<PolicyId>) -> Found<(PolicyId, NodeId)> {
        let mut found = Found { ids: vec![], unknown: policies.unknown.clone() };
        let detached: BTreeSet<(&PolicyId, &NodeId)> = self
            .changes
            .iter()
            .filter_map(|change| match &change.action {
                Action::Detach { policy, target: NodeRef::Known(node), .. } => Some((policy, node)),
                _ => None,
            })
            .collect();
        for id in &policies.ids {
            let Some(policy) = self.observed.policies.get(id) else { continue };
            let targets = match &policy.targets {
                Part::Known { value, .. } => value,
                // A policy type that is off has no attachments, and AWS does not list them.
                Part::Unread if !self.observed.root.policy_types.contains_key(&policy.kind) => continue,
                lost => {
                    let unknown = lost.unknown().unwrap_or(Unknown::Unread);
                    found.unknown.push(Partial::of(&format!("where policy `{id}` is attached"), unknown).why);
                    continue;
                }
            };
            let left_alone = |node: &&NodeId| !detached.contains(&(id, *node)) && !self.is_ignored_node(node);
            let mut nodes: Vec<&NodeId> = targets.iter().filter(left_alone).collect();
            nodes.sort_by_key(|node| self.observed.name(node));
            found.ids.extend(nodes.into_iter().map(|node| (id.clone(), node.clone())));
        }
        found
    }

    fn is_ignored_node(&self, node: &NodeId) -> bool {
        match node {
            NodeId::Root(_) => false,
            NodeId::Unit(_) => self.ignored.contains(node),
            NodeId::Account(id) => !self.is_account_open(id, self.observed.accounts.get(id), None),
        }
    }
}
