//! The tree as it is shown: sorted, each node with what is attached to it, and what is not known at its place.

use std::collections::{BTreeMap, BTreeSet};

use super::PolicyType;
use crate::aws::port::AccountState;
use crate::names::{NodeId, TAG_HOLD, TAG_RESOURCE, Tags};
use crate::observed::snapshot::MAX_DEPTH;
use crate::observed::{Observed, Part, Scope};

/// A policy at a node.
#[derive(Debug)]
pub(super) struct Attached<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) aws_managed: bool,
    /// It carries bylaw's tag; `None`: its tags are not known.
    pub(super) managed: Option<bool>,
    pub(super) hold: Option<&'a str>,
}

/// A node.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    pub(super) managed: Option<bool>,
    pub(super) hold: Option<&'a str>,
    /// State of an account that is not active.
    pub(super) state: Option<&'static str>,
    pub(super) management: bool,
    pub(super) policies: BTreeMap<&'a PolicyType, Vec<Attached<'a>>>,
    /// What is not known here, each with its reason.
    pub(super) unknown: Vec<String>,
}

/// Nodes from which on a tree is folded.
const MOST_NODES: usize = 500;

/// Nodes that are counted instead of shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Folded {
    pub(super) units: usize,
    pub(super) accounts: usize,
}

impl Folded {
    pub(super) fn and(self, other: &Self) -> Self {
        Self { units: self.units + other.units, accounts: self.accounts + other.accounts }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counts<'a> {
    pub(super) units: usize,
    pub(super) accounts: usize,
    pub(super) inactive: usize,
    pub(super) policies: BTreeMap<&'a PolicyType, usize>,
    pub(super) attachments: usize,
    pub(super) holds: usize,
    pub(super) managed: usize,
    pub(super) unknown: usize,
}

#[derive(Debug)]
pub(super) struct Forest<'a> {
    pub(super) observed: &'a Observed,
    nodes: BTreeMap<NodeId, Node<'a>>,
    children: BTreeMap<NodeId, Vec<NodeId>>,
    /// Nodes that hang below nothing that is known.
    pub(super) strays: Vec<NodeId>,
    /// What is not known of the whole.
    pub(super) unknown: Vec<String>,
    pub(super) counts: Counts<'a>,
    lost: Node<'a>,
}

impl<'a> Forest<'a> {
    pub(super) fn of(observed: &'a Observed, all: bool) -> Self {
        let size = observed.size();
        let mut forest = Self {
            observed,
            nodes: BTreeMap::new(),
            children: BTreeMap::new(),
            strays: vec![],
            unknown: vec![],
            counts: Counts { units: size.units, accounts: size.accounts, ..Counts::default() },
            lost: Node {
                name: "?",
                managed: None,
                hold: None,
                state: None,
                management: false,
                policies: BTreeMap::new(),
                unknown: vec![],
            },
        };
        forest.plant();
        forest.attach(all);
        forest.gaps();
        forest.connect();
        forest
    }

    pub(super) fn node(&self, id: &NodeId) -> &Node<'a> {
        self.nodes.get(id).unwrap_or(&self.lost)
    }

    pub(super) fn children(&self, id: &NodeId) -> &[NodeId] {
        self.children.get(id).map_or(&[], Vec::as_slice)
    }

    /// In a large organization the nodes at and below which nothing is to be seen: no policy, no hold, no odd state,
    /// nothing unknown. Each with what it stands for.
    pub(super) fn plain(&self) -> BTreeMap<NodeId, Folded> {
        let mut plain = BTreeMap::new();
        if self.nodes.len() > MOST_NODES {
            self.fold(&self.observed.root_node(), 0, &mut plain);
            for stray in &self.strays {
                self.fold(stray, 0, &mut plain);
            }
            // What is at the top is always shown.
            plain.retain(|id, _| !matches!(id, NodeId::Root(_)) && !self.strays.contains(id));
        }
        plain
    }

    fn fold(&self, id: &NodeId, depth: usize, plain: &mut BTreeMap<NodeId, Folded>) -> Option<Folded> {
        let node = self.node(id);
        let own = match id {
            NodeId::Account(_) => Folded { units: 0, accounts: 1 },
            _ => Folded { units: 1, accounts: 0 },
        };
        let mut all = node.policies.is_empty()
            && node.hold.is_none()
            && node.state.is_none()
            && !node.management
            && node.unknown.is_empty();
        let mut sum = own;
        if depth <= MAX_DEPTH {
            for child in self.children(id) {
                match self.fold(child, depth + 1, plain) {
                    Some(below) => sum = sum.and(&below),
                    None => all = false,
                }
            }
        }
        if !all {
            return None;
        }
        plain.insert(id.clone(), sum);
        Some(sum)
    }

    fn plant(&mut self) {
        let observed = self.observed;
        let mut unread = 0_usize;
        let mut add = |id: NodeId, name: &'a str, tags: &'a Part<Tags>, state: Option<&'static str>| {
            let mut node = Node {
                name,
                managed: tags.get().map(|tags| tags.contains_key(TAG_RESOURCE)),
                hold: hold(tags),
                state,
                management: observed.is_management(&id),
                policies: BTreeMap::new(),
                unknown: vec![],
            };
            match tags {
                Part::Known { .. } => {}
                Part::Unread => unread += 1,
                Part::Unreadable { error, .. } => {
                    node.unknown.push(format!("its tags could not be read: {error}"));
                    self.counts.unknown += 1;
                }
            }
            self.counts.holds += usize::from(node.hold.is_some());
            self.counts.managed += usize::from(node.managed == Some(true));
            self.nodes.insert(id, node);
        };
        add(observed.root_node(), &observed.root.name, &observed.root.tags, None);
        for (id, unit) in &observed.units {
            add(NodeId::Unit(id.clone()), &unit.name, &unit.tags, None);
        }
        for (id, account) in &observed.accounts {
            let state = state(account.state);
            self.counts.inactive += usize::from(state.is_some());
            add(NodeId::Account(id.clone()), &account.name, &account.tags, state);
        }
        if unread > 0 {
            self.unknown
                .push(format!("tags of {unread} nodes were not read: holds and bylaw's own tags are not shown"));
        }
    }

    fn attach(&mut self, all: bool) {
        let on = &self.observed.root.policy_types;
        for (id, policy) in &self.observed.policies {
            if !policy.aws_managed {
                *self.counts.policies.entry(&policy.kind).or_default() += 1;
            } else if !all {
                continue;
            }
            let managed = policy.tags.get().map(|tags| tags.contains_key(TAG_RESOURCE));
            self.counts.managed += usize::from(managed == Some(true));
            self.counts.holds += usize::from(hold(&policy.tags).is_some());
            let targets = match &policy.targets {
                Part::Known { value, .. } => value,
                // A type that is off has no attachments, and AWS does not list them.
                Part::Unread if !on.contains_key(&policy.kind) => continue,
                part => {
                    let why = part
                        .error()
                        .map_or("they were not read".to_owned(), |e| format!("they could not be read: {e}"));
                    let (kind, name) = (policy.kind.short(), &policy.name);
                    self.unknown.push(format!("attachments of {kind} `{name}` ({id}): {why}"));
                    self.counts.unknown += 1;
                    continue;
                }
            };
            for target in targets {
                let attached = Attached {
                    id: id.as_str(),
                    name: &policy.name,
                    aws_managed: policy.aws_managed,
                    managed,
                    hold: hold(&policy.tags),
                };
                self.counts.attachments += usize::from(!policy.aws_managed);
                match self.nodes.get_mut(target) {
                    Some(node) => node.policies.entry(&policy.kind).or_default().push(attached),
                    None => self.unknown.push(format!(
                        "{} `{}` ({id}) is attached to `{target}`, which is not in this reading",
                        policy.kind.short(),
                        policy.name
                    )),
                }
            }
        }
        for node in self.nodes.values_mut() {
            for policies in node.policies.values_mut() {
                policies.sort_by(|a, b| (a.aws_managed, a.name, a.id).cmp(&(b.aws_managed, b.name, b.id)));
            }
        }
    }

    fn gaps(&mut self) {
        for gap in &self.observed.gaps {
            self.counts.unknown += 1;
            let told = match &gap.scope {
                Scope::UnitsBelow(node) => match self.nodes.get_mut(node) {
                    Some(at) => {
                        at.unknown.push(format!("what is below could not all be read: {}", gap.error));
                        continue;
                    }
                    None => format!("what is below `{node}` could not all be read: {}", gap.error),
                },
                Scope::Accounts => format!("accounts could not all be read: {}", gap.error),
                Scope::Policies(kind) => format!("{} policies could not all be read: {}", kind.short(), gap.error),
            };
            self.unknown.push(told);
        }
        for kind in self.observed.root.policy_types.keys() {
            let told = self.observed.gaps.iter().any(|gap| gap.scope == Scope::Policies(kind.clone()));
            if !told && !self.observed.listed_types.contains(kind) {
                self.counts.unknown += 1;
                self.unknown.push(format!("{} policies were not read", kind.short()));
            }
        }
    }

    /// Children by node, OUs after accounts, each by name; what no walk from the root reaches is stray.
    fn connect(&mut self) {
        let mut children = self.observed.children();
        let nodes = &self.nodes;
        let order = |id: &NodeId| (matches!(id, NodeId::Unit(_)), nodes.get(id).map_or("", |node| node.name));
        for list in children.values_mut() {
            list.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.cmp(b)));
        }
        let mut reached: BTreeSet<NodeId> = BTreeSet::from([self.observed.root_node()]);
        reach(&children, vec![self.observed.root_node()], &mut reached, &mut self.children);
        // Tops first: those whose parent is not there. What is then still left goes round in circles.
        let tops = nodes.keys().filter(|id| self.observed.parent(id).is_none_or(|parent| !nodes.contains_key(parent)));
        for id in tops.chain(nodes.keys()) {
            if reached.insert(id.clone()) {
                self.strays.push(id.clone());
                reach(&children, vec![id.clone()], &mut reached, &mut self.children);
            }
        }
        self.counts.unknown += usize::from(!self.strays.is_empty());
    }
}

/// Walks down, at most [`MAX_DEPTH`] levels, taking each node once.
fn reach(
    children: &BTreeMap<NodeId, Vec<NodeId>>,
    start: Vec<NodeId>,
    reached: &mut BTreeSet<NodeId>,
    taken: &mut BTreeMap<NodeId, Vec<NodeId>>,
) {
    let mut level = start;
    for _ in 0..=MAX_DEPTH {
        let mut next = vec![];
        for id in level {
            let Some(below) = children.get(&id) else { continue };
            let own: Vec<NodeId> = below.iter().filter(|child| reached.insert((*child).clone())).cloned().collect();
            next.extend(own.iter().filter(|child| matches!(child, NodeId::Unit(_))).cloned());
            taken.insert(id, own);
        }
        level = next;
    }
}

fn hold(tags: &Part<Tags>) -> Option<&str> {
    tags.get()?.get(TAG_HOLD)
}

fn state(state: AccountState) -> Option<&'static str> {
    match state {
        AccountState::Active => None,
        AccountState::PendingActivation => Some("PENDING_ACTIVATION"),
        AccountState::Suspended => Some("SUSPENDED"),
        AccountState::PendingClosure => Some("PENDING_CLOSURE"),
        AccountState::Closed => Some("CLOSED"),
    }
}
