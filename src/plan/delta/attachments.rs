//! Changes of what is attached where: declared targets, exclusive nodes, and the AWS-managed `FullAWSAccess`.

use std::collections::{BTreeMap, BTreeSet};

use super::super::bind::Bound;
use super::super::model::{Action, NodeRef, PolicyRef, Reason, Stage};
use super::super::partial::Partial;
use super::{Delta, matches_any};
use crate::api::{Attachments, BaseAccess};
use crate::desired::{Declared, NodeKey, model};
use crate::names::{Kind, NodeId, ObjectKey, PolicyId, PolicyType, TAG_RESOURCE};
use crate::observed::{Part, Policy, Scope, Unknown};

impl Delta<'_> {
    pub(super) fn attachments(&mut self) {
        let children = Children::of(self);
        for (name, policy) in &self.desired.policies {
            if policy.suspend || self.is_ignored_policy(name) {
                continue;
            }
            let Some(wanted) = self.wanted_nodes(policy, &children) else { continue };
            match self.binding.policies.get(name) {
                Some(Bound::Create) => {
                    for node in wanted {
                        self.attach(&policy.key, &PolicyRef::New(policy.key.clone()), &policy.spec.kind, node);
                    }
                }
                Some(Bound::Found { id, .. }) => self.align(policy, id, wanted),
                _ => {}
            }
        }
        self.exclusive();
        self.base_access();
    }

    /// The nodes that a policy is to be attached to, with what is excluded below a target cut out by attaching to the
    /// siblings. `None` where that cannot be told; a target that is stuck is left out and nothing is detached for it.
    fn wanted_nodes(&mut self, policy: &Declared<model::Policy>, children: &Children) -> Option<BTreeSet<NodeRef>> {
        let excluded: BTreeSet<NodeRef> = policy.spec.excluding.iter().filter_map(|key| self.node(key)).collect();
        if policy.spec.excluding.iter().any(|key| self.binding.is_stuck(key)) {
            self.refuse(
                "excluding-unknown",
                &policy.key,
                "an object that is excluded cannot be told in AWS, so it is not known where the policy may be attached"
                    .into(),
                "mend the excluded object first",
            );
            return None;
        }
        let mut wanted = BTreeSet::new();
        for key in &policy.spec.targets {
            let Some(node) = self.node(key) else {
                self.note(&policy.key, format!("is not attached to `{key}`, which cannot be told in AWS"));
                continue;
            };
            if let NodeRef::Known(id) = &node
                && !self.is_open(id)
            {
                self.note(&policy.key, format!("is left as it is at `{key}`, which is left alone"));
                continue;
            }
            let holes: BTreeSet<&NodeRef> = excluded.iter().filter(|hole| children.is_below(hole, &node)).collect();
            if holes.is_empty() {
                wanted.insert(node);
                continue;
            }
            if let Some(gap) = self.observed.gaps.iter().find(|g| !matches!(g.scope, Scope::Policies(_))) {
                let why = Partial::gap(gap).so("what stands beside what is excluded is not known");
                self.refuse_partial(&policy.key, why, "nothing is attached or detached from a partial reading");
                return None;
            }
            children.around(&node, &holes, &mut wanted);
            self.note(
                &policy.key,
                format!("`excluding` below `{key}`: attached to the siblings; children that appear later are bound from the next pass on"),
            );
        }
        // Siblings of what is excluded can be the management account, or what is left alone.
        wanted.retain(|node| match node {
            NodeRef::Known(id) => self.is_open(id),
            NodeRef::New(_) => true,
        });
        Some(wanted)
    }

    /// Attaches where it is missing and detaches where it is too much.
    fn align(&mut self, policy: &Declared<model::Policy>, id: &PolicyId, wanted: BTreeSet<NodeRef>) {
        let Some(found) = self.observed.policies.get(id) else { return };
        let kind = &policy.spec.kind;
        let targets = match &found.targets {
            Part::Known { value, .. } => value.clone(),
            // A policy type that is off has no attachments, and AWS does not list them.
            Part::Unread if !self.observed.root.policy_types.contains_key(kind) => BTreeSet::new(),
            lost => {
                let unknown = lost.unknown().unwrap_or(Unknown::Unread);
                let why = Partial::of(&format!("where policy `{id}` is attached"), unknown);
                self.refuse_partial(&policy.key, why, "nothing is attached or detached from a partial reading");
                return;
            }
        };
        let found: BTreeSet<NodeRef> = targets.into_iter().map(NodeRef::Known).collect();
        for node in &wanted {
            let path = self.attachment_path(node);
            if let Some(differs) = self.state_fact(&policy.key, &path, "attached", "not attached", found.contains(node))
            {
                let (stage, target) = (attach_stage(node), node.clone());
                let action = Action::Attach { policy: PolicyRef::Known(id.clone()), kind: kind.clone(), target };
                self.push(&policy.key, stage, action, differs.reason, vec![differs.fact]);
            }
        }
        // Where a declared target cannot be told, an attachment that nothing explains may be that very target.
        if policy.spec.targets.iter().any(|key| self.binding.is_stuck(key)) {
            return;
        }
        let surplus: Vec<&NodeRef> =
            found.difference(&wanted).filter(|node| matches!(node, NodeRef::Known(at) if self.is_open(at))).collect();
        let names = |nodes: &[&NodeRef]| {
            let names: Vec<String> = nodes.iter().map(|node| self.attachment_path(node)).collect();
            names.join(", ")
        };
        let (only, more) = (names(&wanted.iter().collect::<Vec<_>>()), names(&surplus));
        let (only, more) = (format!("nothing but {only}"), format!("{more} as well"));
        let differs = self.state_fact(&policy.key, "attachments", &only, &more, surplus.is_empty());
        let Some(differs) = differs else { return };
        for node in surplus {
            let action = Action::Detach { policy: id.clone(), kind: kind.clone(), target: node.clone() };
            self.push(&policy.key, Stage::Detach, action, differs.reason.clone(), vec![differs.fact]);
        }
    }

    fn attach(&mut self, key: &ObjectKey, policy: &PolicyRef, kind: &PolicyType, node: NodeRef) {
        let path = self.attachment_path(&node);
        if let Some(differs) = self.state_fact(key, &path, "attached", "not attached", false) {
            let reason = if differs.reason == Reason::Drift { Reason::Drift } else { Reason::Missing };
            let action = Action::Attach { policy: policy.clone(), kind: kind.clone(), target: node.clone() };
            self.push(key, attach_stage(&node), action, reason, vec![differs.fact]);
        }
    }

    /// Facts name nodes by object, so that they stay the same when an id becomes known.
    fn attachment_path(&self, node: &NodeRef) -> String {
        match node {
            NodeRef::New(key) => format!("attachments/{key}"),
            NodeRef::Known(id) => match self.binding.node_objects.get(id) {
                Some(key) => format!("attachments/{key}"),
                None => format!("attachments/{id}"),
            },
        }
    }

    /// Detaches what nobody declares from the nodes whose attachments are exclusive.
    fn exclusive(&mut self) {
        let organization = &self.desired.organization;
        let mut nodes: Vec<(NodeId, ObjectKey)> = vec![];
        if organization.spec.attachments == Attachments::Exclusive {
            nodes.push((self.observed.root_node(), organization.key.clone()));
        }
        for (name, unit) in &self.desired.units {
            if unit.spec.attachments == Attachments::Exclusive
                && let Some(Bound::Found { id, .. }) = self.binding.units.get(name)
            {
                nodes.push((NodeId::Unit(id.clone()), unit.key.clone()));
            }
        }
        for (node, key) in nodes {
            if !self.is_open(&node) {
                continue;
            }
            let mut strangers = vec![];
            for (id, policy) in &self.observed.policies {
                let attached = policy.targets.get().is_some_and(|targets| targets.contains(&node));
                if !attached || policy.aws_managed {
                    continue;
                }
                let Some(tags) =
                    self.known(&key, format_args!("the tags of policy `{}` (`{id}`)", policy.name), &policy.tags)
                else {
                    continue;
                };
                let tag = tags.get(TAG_RESOURCE);
                if self.binding.policy_objects.contains_key(id)
                    || matches_any(&organization.spec.ignore.policies, &policy.name)
                    || self.desired.may_be_broken(Kind::OrganizationPolicy, id.as_str(), &policy.name, tag)
                    || self.is_of_stuck_object(tag)
                    || self.may_be_stuck(policy)
                {
                    continue;
                }
                strangers.push((id, policy));
            }
            let names: Vec<&str> = strangers.iter().map(|(_, policy)| policy.name.as_str()).collect();
            let (wanted, found) = ("nothing that no manifest attaches", names.join(", "));
            let differs = self.state_fact(&key, "exclusiveAttachments", wanted, &found, strangers.is_empty());
            let Some(differs) = differs else { continue };
            let reason = if differs.reason == Reason::Drift { Reason::Drift } else { Reason::NotDeclared };
            for (id, policy) in strangers {
                let target = NodeRef::Known(node.clone());
                let action = Action::Detach { policy: id.clone(), kind: policy.kind.clone(), target };
                self.push(&key, Stage::Detach, action, reason.clone(), vec![differs.fact]);
            }
        }
    }

    /// An object that could not be bound may mean the policy of its type and name.
    pub(super) fn may_be_stuck(&self, found: &Policy) -> bool {
        self.desired.policies.iter().any(|(name, policy)| {
            matches!(self.binding.policies.get(name), Some(Bound::Stuck))
                && policy.spec.kind == found.kind
                && policy.spec.name == found.name
        })
    }

    /// An object that could not be bound may be the one that carries this tag.
    pub(super) fn is_of_stuck_object(&self, tag: Option<&str>) -> bool {
        let Some(Ok(key)) = tag.map(str::parse::<ObjectKey>) else { return false };
        self.desired.policies.contains_key(&key.name)
    }

    /// Keeps `FullAWSAccess` where `baseAccess` says so.
    fn base_access(&mut self) {
        let Ok(full) = "p-FullAWSAccess".parse::<PolicyId>() else { return };
        let organization = &self.desired.organization;
        let mut nodes: Vec<(ObjectKey, NodeKey, BaseAccess)> = vec![];
        nodes.extend(organization.spec.base_access.map(|base| (organization.key.clone(), NodeKey::Root, base)));
        for (name, unit) in self.desired.units.iter().filter(|(_, unit)| !unit.suspend) {
            nodes.extend(unit.spec.base_access.map(|base| (unit.key.clone(), NodeKey::Unit(name.clone()), base)));
        }
        for (name, account) in self.desired.accounts.iter().filter(|(_, account)| !account.suspend) {
            nodes.extend(
                account.spec.base_access.map(|base| (account.key.clone(), NodeKey::Account(name.clone()), base)),
            );
        }
        if nodes.is_empty() {
            return;
        }
        let on = self.observed.root.policy_types.contains_key(&PolicyType::scp());
        let found = self.observed.policies.get(&full).map_or(&Part::Unread, |policy| &policy.targets);
        for (key, node, base) in nodes {
            let Some(target) = self.node(&node) else { continue };
            if matches!(&target, NodeRef::Known(id) if !self.is_open(id)) {
                continue;
            }
            let has = match (&target, found) {
                // AWS attaches it to everything when the type is switched on, and to each new node.
                (NodeRef::New(_), _) => true,
                (NodeRef::Known(_), _) if !on => true,
                (NodeRef::Known(id), Part::Known { value, .. }) => value.contains(id),
                (NodeRef::Known(_), lost) => {
                    let unknown = lost.unknown().unwrap_or(Unknown::Unread);
                    let why = Partial::of("where `FullAWSAccess` is attached", unknown);
                    self.refuse_partial(&key, why, "it is neither attached nor detached from a partial reading");
                    return;
                }
            };
            let wanted = base == BaseAccess::Full;
            let (want, is) = (if wanted { "Full" } else { "AllowList" }, if has { "Full" } else { "AllowList" });
            let Some(differs) = self.state_fact(&key, "baseAccess", want, is, wanted == has) else { continue };
            let kind = PolicyType::scp();
            let (stage, action) = if wanted {
                (attach_stage(&target), Action::Attach { policy: PolicyRef::Known(full.clone()), kind, target })
            } else {
                let stage = if is_new_account(&target) { Stage::Accounts } else { Stage::Detach };
                (stage, Action::Detach { policy: full.clone(), kind, target })
            };
            self.push(&key, stage, action, differs.reason, vec![differs.fact]);
        }
    }
}

fn is_new_account(node: &NodeRef) -> bool {
    matches!(node, NodeRef::New(NodeKey::Account(_)))
}

fn attach_stage(node: &NodeRef) -> Stage {
    if is_new_account(node) { Stage::Accounts } else { Stage::Attach }
}

/// The tree as it will be: what is there, and what the plan adds.
struct Children {
    below: BTreeMap<NodeRef, Vec<NodeRef>>,
    above: BTreeMap<NodeRef, NodeRef>,
}

impl Children {
    fn of(delta: &Delta<'_>) -> Self {
        let mut above: BTreeMap<NodeRef, NodeRef> = BTreeMap::new();
        if delta.desired.policies.values().all(|policy| policy.spec.excluding.is_empty()) {
            return Self { below: BTreeMap::new(), above };
        }
        for (parent, nodes) in delta.observed.children() {
            for node in nodes {
                above.insert(NodeRef::Known(node), NodeRef::Known(parent.clone()));
            }
        }
        let declared = delta
            .desired
            .units
            .iter()
            .map(|(name, unit)| (NodeKey::Unit(name.clone()), &unit.spec.parent))
            .chain(delta.desired.accounts.iter().map(|(name, a)| (NodeKey::Account(name.clone()), &a.spec.parent)));
        for (key, parent) in declared {
            if let (Some(node), Some(parent)) = (delta.node(&key), delta.node(parent)) {
                above.insert(node, parent);
            }
        }
        let mut below: BTreeMap<NodeRef, Vec<NodeRef>> = BTreeMap::new();
        for (node, parent) in &above {
            below.entry(parent.clone()).or_default().push(node.clone());
        }
        Self { below, above }
    }

    fn is_below(&self, node: &NodeRef, top: &NodeRef) -> bool {
        let mut at = node;
        for _ in 0..16 {
            match self.above.get(at) {
                Some(parent) if parent == top => return true,
                Some(parent) => at = parent,
                None => return false,
            }
        }
        false
    }

    /// Adds the fewest nodes below `top` that together hold all of it but the holes.
    fn around(&self, top: &NodeRef, holes: &BTreeSet<&NodeRef>, into: &mut BTreeSet<NodeRef>) {
        for child in self.below.get(top).into_iter().flatten() {
            if holes.contains(child) {
                continue;
            }
            if holes.iter().any(|hole| self.is_below(hole, child)) {
                self.around(child, holes, into);
            } else {
                into.insert(child.clone());
            }
        }
    }
}
