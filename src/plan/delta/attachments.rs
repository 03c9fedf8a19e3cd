//! Changes of what is attached where: declared targets, exclusive nodes, and the AWS-managed `FullAWSAccess`.

use std::collections::{BTreeMap, BTreeSet};

use super::super::bind::Bound;
use super::super::memory::{Fact, Mark};
use super::super::model::{Action, NodeRef, PolicyRef, Reason, Stage};
use super::super::partial::Partial;
use super::objects::same_meaning;
use super::{Delta, matches_any};
use crate::api::{Attachments, BaseAccess};
use crate::desired::{Declared, NodeKey, model};
use crate::names::{Kind, NodeId, ObjectKey, PolicyId, PolicyType, TAG_MANAGED_BY, TAG_RESOURCE};
use crate::observed::{Part, Policy, Scope, Unknown};
use crate::policy::Document;

/// Path of drift of attachments that are too many; and the value of a fact that says that all of a kind were read.
const WHOLE: &str = "attachments";
/// Path of drift at a node whose attachments are exclusive.
const EXCLUSIVE: &str = "exclusiveAttachments";
/// Value of a fact that says that a policy is attached.
const ATTACHED: &str = "attached";

/// What a policy says in AWS.
enum Text<'a> {
    /// What is declared, whatever its form.
    Declared,
    /// Something else: minified where it can be read.
    Other(std::borrow::Cow<'a, str>),
    /// It was not read.
    Unknown,
}

impl<'a> Text<'a> {
    fn of(policy: &Declared<model::Policy>, content: &'a Part<String>) -> Self {
        let declared = &policy.spec.content;
        match content.get() {
            None => Self::Unknown,
            Some(text) if same_meaning(declared, text) => Self::Declared,
            Some(text) => Self::Other(match Document::parse(declared.kind(), text) {
                Ok((read, _)) => read.minified().to_owned().into(),
                Err(_) => text.into(),
            }),
        }
    }

    /// The text that binds whatever the policy is attached to.
    fn in_force<'b>(&'b self, policy: &'b Declared<model::Policy>) -> Option<&'b str> {
        match self {
            Self::Declared => Some(policy.spec.content.minified()),
            Self::Other(text) => Some(text),
            Self::Unknown => None,
        }
    }
}

impl Delta<'_> {
    pub(super) fn attachments(&mut self) {
        let children = Children::of(self);
        for (name, policy) in &self.desired.policies {
            if policy.suspend || self.is_ignored_policy(name) {
                continue;
            }
            let wanted = self.wanted_nodes(policy, &children);
            self.declare(policy, name, wanted.as_ref());
            let Some(wanted) = wanted else { continue };
            match self.binding.policies.get(name) {
                Some(Bound::Create) => {
                    for node in &wanted {
                        self.attach(policy, PolicyRef::New(policy.key.clone()), &Text::Declared, node);
                    }
                }
                Some(Bound::Found { id, .. }) => self.align(policy, id, wanted),
                _ => {}
            }
        }
        self.exclusive();
        self.base_access();
    }

    /// Notes which nodes are to carry the policy: its targets where more cannot be told. One that cannot be bound is carried
    /// by none yet.
    fn declare(&mut self, policy: &Declared<model::Policy>, name: &str, wanted: Option<&BTreeSet<NodeRef>>) {
        let known = self.binding.policies.get(name).and_then(Bound::id);
        let own = known.map_or_else(|| PolicyRef::New(policy.key.clone()), |id| PolicyRef::Known(id.clone()));
        let targets = || policy.spec.targets.iter().filter_map(|key| self.node(key)).collect();
        for node in wanted.cloned().unwrap_or_else(targets) {
            self.carries.entry(node).or_default().insert(own.clone());
        }
    }

    /// The nodes that a policy is to be attached to, with what is excluded below a target cut out by attaching to the
    /// siblings. `None` where that cannot be told; a target that is stuck is left out and nothing is detached for it.
    fn wanted_nodes(&mut self, policy: &Declared<model::Policy>, children: &Children) -> Option<BTreeSet<NodeRef>> {
        let excluded: BTreeSet<NodeRef> = policy.spec.excluding.iter().filter_map(|key| self.node(key)).collect();
        if policy.spec.excluding.iter().any(|key| self.is_unknown_target(policy, key)) {
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
            Part::Unread if !self.observed.root.is_on(kind) => BTreeSet::new(),
            lost => {
                let unknown = lost.unknown().unwrap_or(Unknown::Unread);
                let why = Partial::of(&format!("where policy `{}` (`{id}`) is attached", found.name), unknown);
                self.refuse_partial(&policy.key, why, "nothing is attached or detached from a partial reading");
                return;
            }
        };
        let text = Text::of(policy, &found.content);
        let found: BTreeSet<NodeRef> = targets.into_iter().map(NodeRef::Known).collect();
        for node in &wanted {
            if !found.contains(node) {
                self.attach(policy, PolicyRef::Known(id.clone()), &text, node);
            }
        }
        let came = self.note_attached(policy, &found, &text);
        // Where a declared target cannot be told, an attachment that nothing explains may be that very target.
        if policy.spec.targets.iter().any(|key| self.is_unknown_target(policy, key)) {
            return;
        }
        let surplus: Vec<&NodeRef> =
            found.difference(&wanted).filter(|node| matches!(node, NodeRef::Known(at) if self.is_open(at))).collect();
        let (came, left): (Vec<&NodeRef>, Vec<&NodeRef>) = surplus.into_iter().partition(|node| came.contains(node));
        let names = |nodes: &[&NodeRef]| {
            let names: Vec<String> = nodes.iter().map(|node| self.attachment_path(node)).collect();
            names.join(", ")
        };
        let (only, more) = (names(&wanted.iter().collect::<Vec<_>>()), names(&came));
        let (only, more) = (format!("nothing but {only}"), format!("{more} as well"));
        let back = !came.is_empty() && self.has_drifted(&policy.key, WHOLE, &only, &more);
        let reasons = [(came, Reason::Drift), (left, Reason::Differs)];
        for (nodes, reason) in reasons.into_iter().filter(|(_, reason)| back || *reason != Reason::Drift) {
            for node in nodes {
                let action = Action::Detach { policy: id.clone(), kind: kind.clone(), target: node.clone() };
                let fact = Mark::of_fact(&policy.key, WHOLE);
                self.push(&policy.key, Stage::Detach, action, reason.clone(), vec![fact]);
            }
        }
    }

    /// Whether it cannot be told what a target is in AWS. A newcomer that only a selector matches is nothing there.
    fn is_unknown_target(&self, policy: &Declared<model::Policy>, key: &NodeKey) -> bool {
        self.binding.is_stuck(key) && (policy.spec.named.contains(key) || !self.binding.is_newcomer(key))
    }

    /// Attaches a policy where it is missing. It comes back as drift only where what it says, or will say by
    /// then, is what was in force at that very node when the last pass ended.
    fn attach(&mut self, policy: &Declared<model::Policy>, of: PolicyRef, text: &Text<'_>, node: &NodeRef) {
        let (key, path) = (&policy.key, self.attachment_path(node));
        let fact = Mark::of_fact(key, &path);
        let was = match node {
            NodeRef::Known(id) => format!("attachments/{id}"),
            NodeRef::New(_) => path.clone(),
        };
        let was_in_force = |text: &str| self.is_same(key) && self.remembers(key, &was, &[ATTACHED, text]);
        let declared = policy.spec.content.minified();
        let (puts_back, needs_text) = match text {
            Text::Declared => (was_in_force(declared), false),
            Text::Other(is) if was_in_force(is) => (true, false),
            Text::Other(_) => (was_in_force(declared), true),
            Text::Unknown => (false, true),
        };
        for path in BTreeSet::from([&path, &was]) {
            self.facts.push((Mark::of_fact(key, path), Fact { wanted: fact, settled: false }));
        }
        // Refused with its content, which was not read.
        if matches!(text, Text::Unknown) {
            return;
        }
        if puts_back && !self.has_drifted(key, &path, ATTACHED, "not attached") {
            return;
        }
        let reason = match of {
            _ if puts_back => Reason::Drift,
            PolicyRef::New(_) => Reason::Missing,
            PolicyRef::Known(_) => Reason::Differs,
        };
        let action = Action::Attach { policy: of, kind: policy.spec.kind.clone(), target: node.clone() };
        self.push(key, attach_stage(node), action, reason, vec![fact]);
        if let Some(change) = self.changes.last_mut() {
            change.needs_text = needs_text;
        }
    }

    /// States where a policy is attached, with what it says there. Returns where it was not when the last pass ended, and was
    /// looked for: what came there since came by a foreign hand, what was there is surplus since the manifests changed.
    fn note_attached(
        &mut self,
        policy: &Declared<model::Policy>,
        found: &BTreeSet<NodeRef>,
        text: &Text<'_>,
    ) -> BTreeSet<NodeRef> {
        let key = &policy.key;
        let looked = self.is_same(key) && self.remembers(key, WHOLE, &[WHOLE]);
        let mut came = BTreeSet::new();
        for node in found {
            // By its object and by its id: either may be new to the manifests, or gone from them, by the next pass.
            let paths = BTreeSet::from([self.attachment_path(node), format!("attachments/{node}")]);
            let memory = self.memory;
            let was = |path: &String| memory.settled.contains_key(&Mark::of_fact(key, path));
            if looked && !paths.iter().any(was) {
                came.insert(node.clone());
            }
            for path in &paths {
                match text.in_force(policy) {
                    Some(text) => self.remember(key, path, &[ATTACHED, text]),
                    // It is attached, whatever it says; what it said when that was read last stays remembered.
                    None if !was(path) => self.remember(key, path, &[ATTACHED]),
                    None => {
                        let mark = Mark::of_fact(key, path);
                        self.facts.push((mark, Fact { wanted: mark, settled: false }));
                    }
                }
            }
        }
        self.remember(key, WHOLE, &[WHOLE]);
        came
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
        let declared = self.desired.policies.values().map(|policy| &policy.spec.kind);
        let spoken: BTreeSet<&PolicyType> = organization.spec.policy_types.iter().chain(declared).collect();
        for (node, key) in nodes {
            if !self.is_open(&node) {
                continue;
            }
            let looked: BTreeSet<&PolicyType> =
                self.observed.listed_types.iter().filter(|kind| self.was_looked_through(&key, kind)).collect();
            let placed: Vec<&PolicyType> =
                self.observed.listed_types.iter().filter(|kind| self.is_placed(kind)).collect();
            for kind in placed {
                self.remember(&key, &format!("{EXCLUSIVE}/{kind}"), &[WHOLE]);
            }
            let (mut came, mut left, mut others) = (vec![], vec![], vec![]);
            for (id, policy) in &self.observed.policies {
                let attached = policy.targets.get().is_some_and(|targets| targets.contains(&node));
                // A type that no manifest speaks of is read only now and then.
                if !attached || policy.aws_managed || !spoken.contains(&policy.kind) {
                    continue;
                }
                let path = format!("{EXCLUSIVE}/{id}");
                let was = self.memory.settled.contains_key(&Mark::of_fact(&key, &path));
                self.remember(&key, &path, &[ATTACHED]);
                let Some(tags) = self.known(&key, format_args!("the tags of `{id}`"), &policy.tags) else {
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
                let manager = tags.get(TAG_MANAGED_BY).filter(|manager| **manager != *organization.key.name);
                if let Some(manager) = manager {
                    others.push((policy.name.as_str(), manager.to_owned()));
                    continue;
                }
                // What carries bylaw's tag was declared by somebody's manifests: that it no longer is is a change of them.
                let foreign = tag.is_none() && !was && looked.contains(&policy.kind);
                let list = if foreign { &mut came } else { &mut left };
                list.push((id, policy));
            }
            for (policy, manager) in others {
                self.refuse(
                    "managed-by-another",
                    &key,
                    format!("policy `{policy}`, which no manifest attaches, is managed by the Organization object `{manager}`: it is not detached"),
                    "name it in `spec.ignore.policies`, or detach it there",
                );
            }
            let names: Vec<&str> = came.iter().map(|(_, policy)| policy.name.as_str()).collect();
            let (wanted, found) = ("nothing that no manifest attaches", names.join(", "));
            let back = !came.is_empty() && self.has_drifted(&key, EXCLUSIVE, wanted, &found);
            let reasons = [(came, Reason::Drift), (left, Reason::NotDeclared)];
            for (strangers, reason) in reasons.into_iter().filter(|(_, reason)| back || *reason != Reason::Drift) {
                for (id, policy) in strangers {
                    let target = NodeRef::Known(node.clone());
                    let action = Action::Detach { policy: id.clone(), kind: policy.kind.clone(), target };
                    self.push(&key, Stage::Detach, action, reason.clone(), vec![Mark::of_fact(&key, EXCLUSIVE)]);
                }
            }
        }
    }

    /// Whether all that of a type could be attached to an exclusive node was read when the last pass ended.
    fn was_looked_through(&self, key: &ObjectKey, kind: &PolicyType) -> bool {
        self.is_same(key) && self.remembers(key, &format!("{EXCLUSIVE}/{kind}"), &[WHOLE])
    }

    /// Whether it is known of every policy of a type where it is attached.
    fn is_placed(&self, kind: &PolicyType) -> bool {
        let gap = self.observed.gaps.iter().any(|gap| gap.scope == Scope::Policies(kind.clone()));
        let own = self.observed.policies.values().filter(|policy| policy.kind == *kind && !policy.aws_managed);
        !gap && own.into_iter().all(|policy| policy.targets.get().is_some())
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
        let on = self.observed.root.is_on(&PolicyType::scp());
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
            // What AWS is about to do is not settled before it has done it.
            if wanted && (!on || matches!(target, NodeRef::New(_))) {
                continue;
            }
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
