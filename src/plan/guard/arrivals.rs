//! What comes to a node finds there what is declared for it: an account is created, or moved into an OU, only where every
//! policy that the manifests attach on its way to the root is attached, or is by the time it comes.

use std::collections::{BTreeMap, BTreeSet};

use super::super::model::{Action, Change, NodeRef, PolicyRef, Reason};
use super::Court;
use crate::desired::NodeKey;
use crate::observed::Observed;

/// The nodes that lack something, and what is on its way to them.
pub(super) struct Arrivals<'a> {
    observed: &'a Observed,
    /// Parents of the OUs that are to be created.
    parents: BTreeMap<&'a str, &'a NodeRef>,
    /// Where the accounts go that are to be created.
    homes: BTreeMap<&'a str, &'a NodeRef>,
    /// What each node lacks, for people.
    bare: BTreeMap<&'a NodeRef, String>,
}

impl<'a> Arrivals<'a> {
    pub(super) fn of<'c: 'a>(court: &'a Court<'c>) -> Self {
        let mut arrivals =
            Self { observed: court.observed, parents: BTreeMap::new(), homes: BTreeMap::new(), bare: BTreeMap::new() };
        if !court.kept.iter().any(comes) {
            return arrivals;
        }
        let mut attached: BTreeSet<(&NodeRef, &PolicyRef)> = BTreeSet::new();
        for change in &court.kept {
            if let Action::Attach { policy, target, .. } = &change.action {
                attached.insert((target, policy));
            }
        }
        let is_there = |node: &NodeRef, policy: &PolicyRef| match (node, policy) {
            (NodeRef::Known(node), PolicyRef::Known(policy)) => {
                let found = court.observed.policies.get(policy);
                found.and_then(|found| found.targets.get()).is_some_and(|targets| targets.contains(node))
            }
            _ => false,
        };
        for (node, policies) in court.carries {
            let lacks = |policy: &&PolicyRef| !is_there(node, policy) && !attached.contains(&(node, *policy));
            if let Some(policy) = policies.iter().find(lacks) {
                let what = format!("the attachment of `{}` to `{}`", court.policy_name(policy), court.node_name(node));
                arrivals.bare.insert(node, what);
            }
        }
        for change in &court.proposed {
            match &change.action {
                Action::CreateUnit { key, parent, .. } => drop(arrivals.parents.insert(key, parent)),
                Action::MoveAccount { account: NodeRef::New(NodeKey::Account(key)), to, .. } => {
                    arrivals.homes.insert(key, to);
                }
                _ => {}
            }
        }
        arrivals
    }

    /// What the nodes lack that the change brings an account to. What puts an account back that somebody took away does not
    /// wait: where it stands it is less guarded.
    pub(super) fn lack(&self, change: &Change) -> Option<String> {
        if self.bare.is_empty() || !comes(change) {
            return None;
        }
        let mut nodes = match &change.action {
            Action::CreateAccount { key, .. } => {
                let own = NodeRef::New(NodeKey::Account(key.clone()));
                let root = NodeRef::Known(self.observed.root_node());
                let mut nodes = self.chain(self.homes.get(&**key).copied().unwrap_or(&root));
                nodes.push(own);
                nodes
            }
            Action::MoveAccount { from, to, .. } => {
                let above = self.chain(from);
                let mut nodes = self.chain(to);
                nodes.retain(|node| !above.contains(node));
                nodes
            }
            _ => vec![],
        };
        nodes.sort();
        nodes.iter().find_map(|node| self.bare.get(node).cloned())
    }

    /// A node and all above it, as they will be.
    fn chain(&self, node: &NodeRef) -> Vec<NodeRef> {
        let mut chain = vec![];
        let mut at = node;
        loop {
            match at {
                NodeRef::Known(id) => {
                    chain.extend(self.observed.chain(id).into_iter().map(NodeRef::Known));
                    return chain;
                }
                // No OU is created below itself: what a broken reading makes of it ends here.
                NodeRef::New(_) if chain.contains(at) => return chain,
                NodeRef::New(NodeKey::Unit(key)) => {
                    chain.push(at.clone());
                    let Some(parent) = self.parents.get(&**key) else { return chain };
                    at = parent;
                }
                NodeRef::New(_) => return chain,
            }
        }
    }
}

/// Whether a change brings an account to a place where it was not.
fn comes(change: &Change) -> bool {
    match &change.action {
        Action::CreateAccount { .. } => true,
        Action::MoveAccount { .. } => change.reason != Reason::Drift,
        _ => false,
    }
}

impl Court<'_> {
    fn node_name(&self, node: &NodeRef) -> String {
        match node {
            NodeRef::Known(id) => self.observed.name(id).to_owned(),
            NodeRef::New(key) => key.to_string(),
        }
    }

    fn policy_name(&self, policy: &PolicyRef) -> String {
        match policy {
            PolicyRef::Known(id) => {
                self.observed.policies.get(id).map_or_else(|| id.to_string(), |found| found.name.clone())
            }
            PolicyRef::New(key) => key.to_string(),
        }
    }
}
