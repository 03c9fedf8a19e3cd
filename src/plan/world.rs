//! The organization as a plan changes it, step by step: who is below what, what is attached, what each policy says.
//! Guards are judged on it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::model::{Action, Change, NodeRef, PolicyRef};
use crate::aws::port::AccountState;
use crate::desired::NodeKey;
use crate::names::{Kind, NodeId, ObjectKey, PolicyId, PolicyType, UnitId};
use crate::observed::{Observed, Part};
use crate::policy::{Document, statement};

/// Nodes from an account to the root are 7 at most (the root, five OUs); what a broken reading makes a ring of ends here.
const LONGEST_CHAIN: usize = 17;

/// Number of one deny or allow, the same for equal ones.
pub(super) type Atom = u32;

/// What a policy says, cut into atoms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Meaning {
    pub denies: BTreeSet<Atom>,
    pub allows: BTreeSet<Atom>,
}

/// Gives equal texts equal numbers.
#[derive(Debug, Default)]
pub(super) struct Interner {
    numbers: BTreeMap<String, Atom>,
    texts: Vec<String>,
}

impl Interner {
    fn number(&mut self, text: &str) -> Atom {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = Atom::try_from(self.texts.len()).unwrap_or(Atom::MAX);
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        number
    }

    pub(super) fn text(&self, atom: Atom) -> &str {
        usize::try_from(atom).ok().and_then(|at| self.texts.get(at)).map_or("", String::as_str)
    }

    fn meaning(&mut self, id: &str, kind: &PolicyType, text: Option<&str>) -> Meaning {
        match text.map(|text| Document::parse(kind, text)) {
            Some(Ok((document, _))) => Meaning {
                denies: document.denies().iter().map(|atom| self.number(atom)).collect(),
                allows: document.allows().iter().map(|atom| self.number(atom)).collect(),
            },
            // A document that was not read, or that cannot be read, guards as a whole.
            _ => Meaning {
                denies: BTreeSet::from([self.number(&format!("{id} {}", text.unwrap_or_default()))]),
                allows: BTreeSet::new(),
            },
        }
    }
}

/// What binds an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Binds {
    /// Every deny on its path.
    pub denies: BTreeSet<Atom>,
    /// The allows of each node on its path that does not allow everything.
    pub allows: BTreeSet<Vec<Atom>>,
}

/// The organization at one step of a plan.
#[derive(Debug, Clone)]
pub(super) struct World<'a> {
    observed: &'a Observed,
    /// What is new or somewhere else than it was read, and what it is below.
    moved: BTreeMap<NodeRef, NodeRef>,
    attached: BTreeMap<NodeRef, BTreeSet<PolicyRef>>,
    policies: BTreeMap<PolicyRef, (PolicyType, Rc<Meaning>)>,
    /// The atom of allowing everything.
    full: Atom,
    /// `FullAWSAccess` and its like where their attachments were not read: they count as attached everywhere.
    assumed: BTreeSet<PolicyRef>,
}

/// Accounts that the same things bind.
#[derive(Debug, Clone)]
pub(super) struct Class {
    /// One of them.
    pub node: NodeRef,
    /// All of them.
    pub accounts: Vec<NodeRef>,
}

impl<'a> World<'a> {
    pub(super) fn of(observed: &'a Observed, atoms: &mut Interner) -> Self {
        Self::build(observed, Some(atoms))
    }

    /// The organization without what its policies say, for who asks where things are.
    pub(super) fn places(observed: &'a Observed) -> Self {
        Self::build(observed, None)
    }

    fn build(observed: &'a Observed, mut atoms: Option<&mut Interner>) -> Self {
        let full = atoms.as_deref_mut().and_then(|atoms| {
            let meaning = atoms.meaning("", &PolicyType::scp(), Some(statement::FULL_ACCESS));
            meaning.allows.first().copied()
        });
        let mut world = Self {
            observed,
            moved: BTreeMap::new(),
            attached: BTreeMap::new(),
            policies: BTreeMap::new(),
            full: full.unwrap_or_default(),
            assumed: BTreeSet::new(),
        };
        for (id, policy) in &observed.policies {
            let name = PolicyRef::Known(id.clone());
            let text = policy.content.get().map(String::as_str);
            let meaning = if policy.aws_managed {
                // AWS's own defaults allow everything; their content need not be read for that.
                Meaning { denies: BTreeSet::new(), allows: BTreeSet::from([world.full]) }
            } else {
                match &mut atoms {
                    Some(atoms) => atoms.meaning(id.as_str(), &policy.kind, text),
                    None => Meaning::default(),
                }
            };
            world.policies.insert(name.clone(), (policy.kind.clone(), Rc::new(meaning)));
            match &policy.targets {
                Part::Known { value, .. } => {
                    for node in value {
                        world.attached.entry(NodeRef::Known(node.clone())).or_default().insert(name.clone());
                    }
                }
                _ if policy.aws_managed => drop(world.assumed.insert(name)),
                _ => {}
            }
        }
        world
    }

    /// Carries out one change.
    pub(super) fn apply(&mut self, change: &Change, atoms: &mut Interner) {
        match &change.action {
            Action::CreateUnit { key, parent, .. } => {
                self.born(NodeRef::New(NodeKey::Unit(key.clone())), parent);
            }
            Action::CreateAccount { key, .. } => {
                let root = NodeRef::Known(self.observed.root_node());
                self.born(NodeRef::New(NodeKey::Account(key.clone())), &root);
            }
            Action::CreatePolicy { kind, content, .. } => {
                let name = PolicyRef::New(change.object.clone());
                let meaning = atoms.meaning(&change.object.to_string(), kind, Some(content));
                self.policies.insert(name, (kind.clone(), Rc::new(meaning)));
            }
            Action::UpdatePolicy { policy, kind, content: Some(content), .. } => {
                let meaning = atoms.meaning(policy.as_str(), kind, Some(&content.to));
                self.policies.insert(PolicyRef::Known(policy.clone()), (kind.clone(), Rc::new(meaning)));
            }
            Action::Attach { policy, target, .. } => {
                self.attached.entry(target.clone()).or_default().insert(policy.clone());
            }
            Action::Detach { policy, target, .. } => {
                let policy = PolicyRef::Known(policy.clone());
                self.spell_out(&policy);
                if let Some(attached) = self.attached.get_mut(target) {
                    attached.remove(&policy);
                }
            }
            Action::MoveAccount { account, to, .. } => {
                self.moved.insert(account.clone(), to.clone());
            }
            Action::DeletePolicy { policy, .. } => {
                let policy = PolicyRef::Known(policy.clone());
                for attached in self.attached.values_mut() {
                    attached.remove(&policy);
                }
            }
            _ => {}
        }
    }

    /// A new node starts with AWS's defaults attached.
    fn born(&mut self, node: NodeRef, parent: &NodeRef) {
        self.moved.insert(node.clone(), parent.clone());
        for (id, policy) in &self.observed.policies {
            let on = self.observed.root.is_on(&policy.kind);
            let default = policy.kind.rule().default_policy == Some(id.as_str());
            let name = PolicyRef::Known(id.clone());
            if on && default && !self.assumed.contains(&name) {
                self.attached.entry(node.clone()).or_default().insert(name);
            }
        }
    }

    /// Writes an assumed policy to every node, so that it can be taken off one.
    fn spell_out(&mut self, policy: &PolicyRef) {
        if !self.assumed.remove(policy) {
            return;
        }
        let units = self.observed.units.keys().cloned().map(NodeId::Unit);
        let accounts = self.observed.accounts.keys().cloned().map(NodeId::Account);
        let placed = units.chain(accounts).filter(|node| self.observed.parent(node).is_some());
        let known = placed.chain([self.observed.root_node()]).map(NodeRef::Known);
        for node in known.chain(self.moved.keys().cloned()) {
            self.attached.entry(node).or_default().insert(policy.clone());
        }
    }

    /// Policies of a type attached to a node, the assumed ones counted where the type is on.
    pub(super) fn attached(&self, node: &NodeRef, kind: &PolicyType) -> Vec<PolicyRef> {
        let of_kind = |name: &&PolicyRef| self.policies.get(name).is_some_and(|(of, _)| of == kind);
        let on = self.observed.root.is_on(kind);
        let assumed = self.assumed.iter().filter(of_kind).filter(|_| on);
        self.attached.get(node).into_iter().flatten().filter(of_kind).chain(assumed).cloned().collect()
    }

    /// What is known to be attached to a node, of every type.
    pub(super) fn all_attached(&self, node: &NodeRef) -> impl Iterator<Item = &PolicyRef> {
        self.attached.get(node).into_iter().flatten()
    }

    /// The type of a policy.
    pub(super) fn kind(&self, policy: &PolicyRef) -> Option<&PolicyType> {
        self.policies.get(policy).map(|(kind, _)| kind)
    }

    pub(super) fn allows_something(&self, policy: &PolicyRef) -> bool {
        self.policies.get(policy).is_some_and(|(_, meaning)| !meaning.allows.is_empty())
    }

    /// What a node is directly below, unless that is not known or it is the root.
    fn parent(&self, node: &NodeRef) -> Option<NodeRef> {
        self.moved.get(node).cloned().or_else(|| match node {
            NodeRef::Known(id) => self.observed.parent(id).cloned().map(NodeRef::Known),
            NodeRef::New(_) => None,
        })
    }

    pub(super) fn chain(&self, node: &NodeRef) -> Vec<NodeRef> {
        let above = std::iter::successors(Some(node.clone()), |at| self.parent(at));
        above.take(LONGEST_CHAIN).collect()
    }

    /// What binds what is at this node.
    pub(super) fn binds(&self, node: &NodeRef) -> Binds {
        let mut binds = Binds::default();
        for at in self.chain(node) {
            let mut allows: BTreeMap<&str, BTreeSet<Atom>> = BTreeMap::new();
            let assumed = self.assumed.iter();
            for name in self.attached.get(&at).into_iter().flatten().chain(assumed) {
                let Some((kind, meaning)) = self.policies.get(name) else { continue };
                binds.denies.extend(&meaning.denies);
                if kind.rule().statements {
                    allows.entry(kind.as_str()).or_default().extend(&meaning.allows);
                }
            }
            let narrow = allows.into_values().filter(|atoms| !atoms.contains(&self.full));
            binds.allows.extend(narrow.map(|atoms| atoms.into_iter().collect::<Vec<_>>()));
        }
        binds
    }

    /// The member accounts that are there, those together that nothing tells apart: same parent, nothing attached to
    /// them, and none of `special`.
    pub(super) fn classes(&self, special: &BTreeSet<NodeRef>) -> Vec<Class> {
        let mut by_parent: BTreeMap<NodeRef, Vec<NodeRef>> = BTreeMap::new();
        let mut classes = vec![];
        for (id, account) in &self.observed.accounts {
            let id = NodeId::Account(id.clone());
            if self.observed.is_management(&id) || account.state == AccountState::Closed {
                continue;
            }
            let node = NodeRef::Known(id);
            let own =
                self.attached.get(&node).is_some_and(|attached| attached.iter().any(|name| !self.is_default(name)));
            match self.parent(&node) {
                Some(parent) if !own && !special.contains(&node) => by_parent.entry(parent).or_default().push(node),
                _ => classes.push(Class { node: node.clone(), accounts: vec![node] }),
            }
        }
        classes.extend(
            by_parent.into_values().filter_map(|accounts| Some(Class { node: accounts.first()?.clone(), accounts })),
        );
        classes
    }

    fn is_default(&self, name: &PolicyRef) -> bool {
        match name {
            PolicyRef::Known(id) => self.observed.policies.get(id).is_some_and(|policy| policy.aws_managed),
            PolicyRef::New(_) => false,
        }
    }

    /// Number of member accounts below each OU and the root.
    pub(super) fn counts(&self) -> BTreeMap<NodeRef, u32> {
        let mut directly: BTreeMap<NodeRef, u32> = BTreeMap::new();
        for id in self.observed.accounts.keys() {
            let node = NodeRef::Known(NodeId::Account(id.clone()));
            if let Some(parent) = self.parent(&node).filter(|_| self.is_member(&node)) {
                *directly.entry(parent).or_default() += 1;
            }
        }
        let mut counts = BTreeMap::new();
        for (parent, accounts) in directly {
            for at in self.chain(&parent) {
                *counts.entry(at).or_default() += accounts;
            }
        }
        counts
    }

    fn is_member(&self, node: &NodeRef) -> bool {
        matches!(node, NodeRef::Known(id @ NodeId::Account(account))
            if self.observed.accounts.contains_key(account) && !self.observed.is_management(id))
    }

    /// Number of member accounts at or below the nodes together, each counted once.
    pub(super) fn reach(&self, nodes: &[NodeRef], counts: &BTreeMap<NodeRef, u32>) -> u32 {
        let top = |node: &&NodeRef| !self.chain(node).iter().skip(1).any(|above| nodes.contains(above));
        let accounts = |node: &NodeRef| counts.get(node).copied().unwrap_or_else(|| self.is_member(node).into());
        nodes.iter().filter(top).map(accounts).sum()
    }

    /// Nodes that a policy is attached to.
    pub(super) fn targets(&self, policy: &PolicyRef) -> Vec<NodeRef> {
        self.attached.iter().filter(|(_, attached)| attached.contains(policy)).map(|(node, _)| node.clone()).collect()
    }

    /// Whether one of the nodes is at, above or below the other.
    pub(super) fn overlaps(&self, a: &NodeRef, b: &NodeRef) -> bool {
        self.chain(a).contains(b) || self.chain(b).contains(a)
    }
}

fn unit_ref(id: &UnitId) -> NodeRef {
    NodeRef::Known(NodeId::Unit(id.clone()))
}

/// The nodes that a change touches, and those that it takes something from or puts something into.
pub(super) fn concerns(change: &Change, world: &World<'_>) -> Vec<NodeRef> {
    let mut nodes = touches(change, world);
    match &change.action {
        Action::MoveAccount { from, to, .. } => nodes.extend([from.clone(), to.clone()]),
        Action::CreateUnit { parent, .. } => nodes.push(parent.clone()),
        _ => {}
    }
    nodes
}

/// The nodes that a change bears on, before and after it.
pub(super) fn touches(change: &Change, world: &World<'_>) -> Vec<NodeRef> {
    match &change.action {
        Action::Attach { target, .. } | Action::Detach { target, .. } => vec![target.clone()],
        Action::MoveAccount { account, .. } => vec![account.clone()],
        Action::CreatePolicy { .. } => world.targets(&PolicyRef::New(change.object.clone())),
        Action::UpdatePolicy { policy, .. } | Action::DeletePolicy { policy, .. } => {
            world.targets(&PolicyRef::Known(policy.clone()))
        }
        Action::CreateUnit { key, .. } => vec![NodeRef::New(NodeKey::Unit(key.clone()))],
        Action::RenameUnit { unit, .. } | Action::DeleteUnit { unit, .. } => vec![unit_ref(unit)],
        Action::CreateAccount { key, .. } => vec![NodeRef::New(NodeKey::Account(key.clone()))],
        Action::RenameAccount { account, .. } | Action::CloseAccount { account, .. } => {
            vec![NodeRef::Known(NodeId::Account(account.clone()))]
        }
        Action::PutContact { account, .. } | Action::RegisterAdministrator { account, .. } => vec![account.clone()],
        Action::Tag { resource, .. } => match resource {
            super::model::Tagged::Node(node) => vec![node.clone()],
            super::model::Tagged::Policy(policy) => world.targets(policy),
        },
        Action::EnablePolicyType { .. } | Action::EnableService { .. } | Action::PutDelegationPolicy { .. } => vec![],
    }
}

/// The policy that a change creates or changes, if any.
pub(super) fn policy_of(change: &Change) -> Option<PolicyRef> {
    let known = |id: &PolicyId| PolicyRef::Known(id.clone());
    match &change.action {
        Action::CreatePolicy { .. } => {
            Some(PolicyRef::New(ObjectKey::new(Kind::OrganizationPolicy, &change.object.name)))
        }
        Action::UpdatePolicy { policy, .. } | Action::DeletePolicy { policy, .. } => Some(known(policy)),
        Action::Attach { policy, .. } => Some(policy.clone()),
        Action::Detach { policy, .. } => Some(known(policy)),
        Action::Tag { resource: super::model::Tagged::Policy(policy), .. } => Some(policy.clone()),
        _ => None,
    }
}
