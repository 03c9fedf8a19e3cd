//! What a change comes after, and what holds while it runs.

use std::collections::{BTreeMap, BTreeSet};

use super::view::Names;
use super::words::count;
use crate::desired::NodeKey;
use crate::names::{NodeId, PolicyId, PolicyType};
use crate::plan::{Action, Change, NodeRef, PolicyRef, Stage};

/// Most attachments of one policy that are looked at for a sentence.
const MOST_LOOKED_AT: usize = 200;
/// Most names in one sentence.
const MOST_NAMES: usize = 4;

/// The changes of a plan by what they touch.
pub(super) struct Links<'a> {
    names: &'a Names<'a>,
    nodes: BTreeMap<NodeRef, (u32, Option<&'a NodeRef>)>,
    policies: BTreeMap<PolicyRef, u32>,
    enabled: BTreeMap<&'a PolicyType, u32>,
    attached: BTreeMap<(&'a NodeRef, &'a PolicyType), Vec<(u32, &'a PolicyRef)>>,
    attached_at: BTreeMap<&'a NodeRef, Vec<(u32, &'a PolicyRef)>>,
    attached_of: BTreeMap<&'a PolicyRef, Vec<(u32, &'a NodeRef)>>,
    detached: BTreeMap<(&'a NodeRef, &'a PolicyType), Vec<(u32, &'a PolicyId)>>,
    detached_of: BTreeMap<&'a PolicyId, Vec<u32>>,
    into: BTreeMap<NodeRef, Vec<u32>>,
    out_of: BTreeMap<&'a NodeRef, Vec<u32>>,
    moved: BTreeMap<&'a NodeRef, u32>,
    deleted: BTreeMap<NodeId, u32>,
    /// Policies at each node before the plan, AWS's own left out.
    before: BTreeMap<&'a NodeId, Vec<&'a PolicyId>>,
}

impl<'a> Links<'a> {
    /// Of the changes of a plan, or of those that a refusal holds back together with them.
    pub(super) fn of(changes: impl IntoIterator<Item = &'a Change>, names: &'a Names<'a>) -> Self {
        let mut links = Self {
            names,
            nodes: BTreeMap::new(),
            policies: BTreeMap::new(),
            enabled: BTreeMap::new(),
            attached: BTreeMap::new(),
            attached_at: BTreeMap::new(),
            attached_of: BTreeMap::new(),
            detached: BTreeMap::new(),
            detached_of: BTreeMap::new(),
            into: BTreeMap::new(),
            out_of: BTreeMap::new(),
            moved: BTreeMap::new(),
            deleted: BTreeMap::new(),
            before: BTreeMap::new(),
        };
        for (id, policy) in names.observed.policies.iter().filter(|(_, policy)| !policy.aws_managed) {
            for node in policy.targets.get().into_iter().flatten() {
                links.before.entry(node).or_default().push(id);
            }
        }
        let changes: Vec<&Change> = changes.into_iter().collect();
        changes.iter().for_each(|change| links.add(change));
        for change in changes {
            let Action::MoveAccount { from, to, .. } = &change.action else { continue };
            let left = links.chain(from);
            for node in links.chain(to).into_iter().filter(|node| !left.contains(node)) {
                links.into.entry(node).or_default().push(change.id);
            }
        }
        links
    }

    fn add(&mut self, change: &'a Change) {
        let id = change.id;
        match &change.action {
            Action::EnablePolicyType { kind } => {
                self.enabled.insert(kind, id);
            }
            Action::CreateUnit { key, parent, .. } => {
                self.nodes.insert(NodeRef::New(NodeKey::Unit(key.clone())), (id, Some(parent)));
            }
            Action::CreateAccount { key, .. } => {
                self.nodes.insert(NodeRef::New(NodeKey::Account(key.clone())), (id, None));
            }
            Action::CreatePolicy { .. } => {
                self.policies.insert(PolicyRef::New(change.object.clone()), id);
            }
            Action::Attach { policy, kind, target } => {
                self.attached.entry((target, kind)).or_default().push((id, policy));
                self.attached_at.entry(target).or_default().push((id, policy));
                self.attached_of.entry(policy).or_default().push((id, target));
            }
            Action::Detach { policy, kind, target } => {
                self.detached.entry((target, kind)).or_default().push((id, policy));
                self.detached_of.entry(policy).or_default().push(id);
            }
            Action::MoveAccount { account, from, .. } => {
                self.out_of.entry(from).or_default().push(id);
                self.moved.insert(account, id);
            }
            Action::DeleteUnit { unit, .. } => {
                self.deleted.insert(NodeId::Unit(unit.clone()), id);
            }
            _ => {}
        }
    }

    /// Ids of the changes that come first because this one needs them.
    pub(super) fn after(&self, change: &Change) -> Vec<u32> {
        let mut after = BTreeSet::new();
        after.extend(change.action.nodes().into_iter().filter_map(|node| self.nodes.get(node)).map(|(id, _)| *id));
        after.extend(change.action.policy().and_then(|policy| self.policies.get(policy)));
        match &change.action {
            Action::CreatePolicy { kind, .. } | Action::Attach { kind, .. } => after.extend(self.enabled.get(kind)),
            Action::Detach { policy, kind, target } => {
                after.extend(self.attached.get(&(target, kind)).into_iter().flatten().map(|(id, _)| *id));
                let moved = self.attached_of.get(&PolicyRef::Known(policy.clone()));
                after.extend(moved.into_iter().flatten().map(|(id, _)| *id));
            }
            Action::UpdatePolicy { policy, kind, .. } if change.stage == Stage::Narrow => {
                let found = self.names.observed.policies.get(policy).and_then(|policy| policy.targets.get());
                for target in found.into_iter().flatten() {
                    let node = NodeRef::Known(target.clone());
                    let there = self.attached.get(&(&node, kind)).into_iter().flatten();
                    after.extend(there.map(|(id, _)| *id));
                }
            }
            Action::MoveAccount { to, .. } if change.stage == Stage::Move => {
                for at in self.chain(to) {
                    after.extend(self.attached_at.get(&at).into_iter().flatten().map(|(id, _)| *id));
                }
            }
            Action::DeletePolicy { policy, .. } => after.extend(self.detached_of.get(policy).into_iter().flatten()),
            Action::DeleteUnit { unit, .. } => {
                let node = NodeId::Unit(unit.clone());
                after.extend(self.out_of.get(&NodeRef::Known(node.clone())).into_iter().flatten());
                let below = self.deleted.iter().filter(|(id, _)| self.names.observed.parent(id) == Some(&node));
                after.extend(below.map(|(_, id)| *id));
            }
            _ => {}
        }
        after.retain(|id| *id < change.id);
        after.into_iter().collect()
    }

    /// Which policies hold while the change runs, in a sentence; `None` where it bears on none.
    pub(super) fn between(&self, change: &Change) -> Option<String> {
        match &change.action {
            Action::Attach { kind, target, .. } => {
                if let Some(detached) = self.detached.get(&(target, kind)) {
                    let names = self.list(detached.iter().map(|(id, policy)| (*id, self.known(policy))));
                    return Some(format!("attached before {names} is detached: both hold in between"));
                }
                let into = self.into.get(target).filter(|_| change.stage == Stage::Attach)?;
                Some(format!("holds before {} moved in ({})", accounts_are(into.len()), ids(into)))
            }
            Action::Detach { policy, kind, target } => Some(self.detaching(change, policy, kind, target)),
            Action::UpdatePolicy { content: Some(_), .. } => Some(if change.stage == Stage::Narrow {
                "changed in place, after all that guards is attached: the old text holds until the new one does".into()
            } else {
                "changed in place: the old text holds until the new one does".into()
            }),
            Action::MoveAccount { account: NodeRef::Known(_), from, to } => Some(self.moving(from, to)),
            Action::CreateAccount { key, .. } => {
                let node = NodeRef::New(NodeKey::Account(key.clone()));
                let then = self.moved.get(&node).map_or_else(String::new, |id| format!(" until it is moved (#{id})"));
                Some(format!("AWS makes it under the root: only what is attached there binds it{then}"))
            }
            Action::EnablePolicyType { kind } => {
                let default = kind.rule().default_policy?.trim_start_matches("p-");
                Some(format!("AWS attaches `{default}`, which denies nothing, everywhere"))
            }
            _ => None,
        }
    }

    fn detaching(&self, change: &Change, policy: &PolicyId, kind: &PolicyType, target: &NodeRef) -> String {
        if let Some(attached) = self.attached.get(&(target, kind)) {
            let names = self.list(attached.iter().map(|(id, policy)| (*id, self.names.policy(policy).short())));
            return format!("{names} is attached here before: both hold in between");
        }
        let same = PolicyRef::Known(policy.clone());
        let above: Vec<NodeRef> = self.chain(target).into_iter().skip(1).collect();
        let attached = self.attached_of.get(&same).map(Vec::as_slice).unwrap_or_default();
        if let Some((id, node)) = attached.iter().find(|(_, node)| above.contains(node)) {
            return format!(
                "the same policy is attached above before, at {} (#{id}): it never lets go",
                self.names.node(node).label()
            );
        }
        let targets = self.names.observed.policies.get(policy).and_then(|policy| policy.targets.get());
        let stays = |node: &&NodeRef| {
            let NodeRef::Known(id) = node else { return false };
            let leaves = self.detached.get(&(*node, kind)).is_some_and(|gone| gone.iter().any(|(_, id)| *id == policy));
            targets.is_some_and(|targets| targets.contains(id)) && !leaves
        };
        if let Some(node) = above.iter().find(stays) {
            return format!("the same policy stays attached above, at {}", self.names.node(node).label());
        }
        let candidates = attached.iter().take(MOST_LOOKED_AT);
        let below: Vec<u32> =
            candidates.filter(|(_, node)| self.chain(node).contains(target)).map(|(id, _)| *id).collect();
        if !below.is_empty() {
            return format!("the same policy is attached below before ({}): both hold in between", ids(&below));
        }
        let reach = change.reach as usize;
        if reach == 0 {
            return "nothing takes its place, and no account is below".into();
        }
        if self.names.is_full_access(policy) {
            return format!(
                "from then on only what the other policies here allow is allowed, in {}",
                count(reach, "account")
            );
        }
        format!("nothing takes its place here: what it alone forbids is allowed again, in {}", count(reach, "account"))
    }

    /// What a move changes, at the moment when it runs: everything is attached, nothing detached.
    fn moving(&self, from: &NodeRef, to: &NodeRef) -> String {
        let (there, here) = (self.binding(from, false), self.binding(to, true));
        let names = |policies: Vec<&PolicyRef>| {
            let shown: Vec<String> =
                policies.iter().take(MOST_NAMES).map(|policy| self.names.policy(policy).short()).collect();
            with_more(shown, policies.len())
        };
        let leaves: Vec<&PolicyRef> = there.difference(&here).collect();
        let comes: Vec<&PolicyRef> = here.difference(&there).collect();
        match (leaves.is_empty(), comes.is_empty()) {
            (true, true) if !self.names.observed.tells_attachments() => {
                "which policies bind it here and there was not read whole".into()
            }
            (true, true) => "the same policies bind it in both places".into(),
            (true, false) => format!("comes under {}; all that binds it now goes on to", names(comes)),
            (false, true) => format!("is bound no more by {}", names(leaves)),
            (false, false) => {
                format!("in one step is bound no more by {} and comes under {}", names(leaves), names(comes))
            }
        }
    }

    /// Policies that bind what is in a node, AWS's own left out.
    fn binding(&self, node: &NodeRef, attached: bool) -> BTreeSet<PolicyRef> {
        let mut binds = BTreeSet::new();
        for at in self.chain(node) {
            if let NodeRef::Known(id) = &at {
                let found = self.before.get(id).into_iter().flatten();
                binds.extend(found.map(|id| PolicyRef::Known((*id).clone())));
            }
            if attached {
                let later = self.attached_at.get(&at).into_iter().flatten();
                binds.extend(later.map(|(_, policy)| (*policy).clone()));
            }
        }
        binds
    }

    fn chain(&self, node: &NodeRef) -> Vec<NodeRef> {
        let mut chain = vec![];
        let mut at = Some(node);
        while let Some(node) = at {
            if let NodeRef::Known(id) = node {
                chain.extend(self.names.observed.chain(id).into_iter().map(NodeRef::Known));
                break;
            }
            if chain.contains(node) {
                break;
            }
            chain.push(node.clone());
            at = self.nodes.get(node).and_then(|(_, parent)| *parent);
        }
        chain
    }

    fn known(&self, policy: &PolicyId) -> String {
        self.names.policy(&PolicyRef::Known(policy.clone())).short()
    }

    fn list(&self, of: impl Iterator<Item = (u32, String)>) -> String {
        let all: Vec<String> = of.map(|(id, name)| format!("{name} (#{id})")).collect();
        let shown = all.iter().take(MOST_NAMES).cloned().collect();
        with_more(shown, all.len())
    }
}

fn with_more(shown: Vec<String>, all: usize) -> String {
    match all.saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn accounts_are(number: usize) -> String {
    if number == 1 { "the account is".into() } else { format!("{} are", count(number, "account")) }
}

fn ids(ids: &[u32]) -> String {
    with_more(ids.iter().take(MOST_NAMES).map(|id| format!("#{id}")).collect(), ids.len())
}
