//! `State`: the organization as plain maps, each with the index that a call needs, so that no call scans.
//!
//! Sections are shared copy-on-write: a clone of a state is a dozen reference counts, and a write copies a section only
//! while somebody holds a clone. Everything here is unconditional; the rules of AWS are in `reads` and `writes`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::aws::dice::Dice;
use crate::aws::port::{AccountState, Contact, ContactKind, Creation, OrganizationFact, PolicyTypeStatus};
use crate::names::{AccountId, NodeId, PolicyId, PolicyType, RootId, Tags, UnitId};

/// The root.
#[derive(Debug, Clone, PartialEq)]
pub struct Root {
    /// `r-…`.
    pub id: RootId,
    /// Its name.
    pub name: String,
    /// Policy types that are on, or on their way.
    pub policy_types: BTreeMap<PolicyType, PolicyTypeStatus>,
    /// Its tags.
    pub tags: Tags,
}

/// An OU.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Its name, unique below its parent.
    pub name: String,
    /// Root or OU above.
    pub parent: NodeId,
    /// Its tags.
    pub tags: Tags,
}

/// An account.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// E-mail of its root user.
    pub email: String,
    /// Its state.
    pub state: AccountState,
    /// Root or OU above.
    pub parent: NodeId,
    /// Its tags.
    pub tags: Tags,
    /// Its alternate contacts.
    pub contacts: BTreeMap<ContactKind, Contact>,
}

/// A policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Its type.
    pub kind: PolicyType,
    /// Its name, unique in its type.
    pub name: String,
    /// Its description.
    pub description: String,
    /// AWS made it.
    pub aws_managed: bool,
    /// Its document, byte for byte as sent.
    pub content: Arc<str>,
    /// Its tags.
    pub tags: Tags,
}

/// Something that AWS does later.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Due {
    /// An account creation ends.
    Creation { id: String, name: String, email: String, tags: Tags, doomed: bool },
    /// A closure ends.
    Closure(AccountId),
    /// A policy type is on.
    Enabled(PolicyType),
}

/// The whole organization.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Id, management account, feature set.
    pub organization: OrganizationFact,
    /// The root.
    pub root: Root,
    /// Service principals with trusted access.
    pub services: BTreeSet<String>,
    /// Delegated administrators and the services they act for.
    pub administrators: BTreeMap<AccountId, BTreeSet<String>>,
    /// The delegation policy.
    pub delegation_policy: Option<String>,
    pub(super) units: Arc<BTreeMap<UnitId, Unit>>,
    pub(super) accounts: Arc<BTreeMap<AccountId, Account>>,
    pub(super) policies: Arc<BTreeMap<PolicyId, Policy>>,
    pub(super) creations: Arc<BTreeMap<String, Creation>>,
    pub(super) attached: Arc<BTreeMap<NodeId, BTreeSet<PolicyId>>>,
    pub(super) targets: Arc<BTreeMap<PolicyId, BTreeSet<NodeId>>>,
    pub(super) units_below: Arc<BTreeMap<NodeId, BTreeMap<String, UnitId>>>,
    pub(super) accounts_below: Arc<BTreeMap<NodeId, BTreeSet<AccountId>>>,
    pub(super) policy_names: Arc<BTreeMap<PolicyType, BTreeMap<String, PolicyId>>>,
    pub(super) emails: Arc<BTreeMap<String, AccountId>>,
    pub(super) due: BTreeMap<(Duration, u64), Due>,
    pub(super) closed: Vec<Duration>,
    pub(super) ordinal: u64,
    pub(super) dice: Dice,
}

/// E-mail addresses are the same to AWS whatever their case.
pub(super) fn email_key(email: &str) -> String {
    email.to_lowercase()
}

impl State {
    /// An organization with a root and nothing in it, not even its management account.
    pub(super) fn bare(organization: OrganizationFact, root: Root, dice: Dice) -> Self {
        Self {
            organization,
            root,
            services: BTreeSet::new(),
            administrators: BTreeMap::new(),
            delegation_policy: None,
            units: Arc::default(),
            accounts: Arc::default(),
            policies: Arc::default(),
            creations: Arc::default(),
            attached: Arc::default(),
            targets: Arc::default(),
            units_below: Arc::default(),
            accounts_below: Arc::default(),
            policy_names: Arc::default(),
            emails: Arc::default(),
            due: BTreeMap::new(),
            closed: Vec::new(),
            ordinal: 0,
            dice,
        }
    }

    /// The root as a node.
    #[must_use]
    pub fn root_node(&self) -> NodeId {
        NodeId::Root(self.root.id.clone())
    }
    /// All OUs.
    #[must_use]
    pub fn units(&self) -> &BTreeMap<UnitId, Unit> {
        &self.units
    }
    /// All accounts, closed ones included.
    #[must_use]
    pub fn accounts(&self) -> &BTreeMap<AccountId, Account> {
        &self.accounts
    }
    /// All policies, AWS's own included.
    #[must_use]
    pub fn policies(&self) -> &BTreeMap<PolicyId, Policy> {
        &self.policies
    }
    /// All requests to create an account, by id.
    #[must_use]
    pub fn creations(&self) -> &BTreeMap<String, Creation> {
        &self.creations
    }
    /// Policies attached to a node itself, of every type.
    #[must_use]
    pub fn attached(&self, node: &NodeId) -> BTreeSet<PolicyId> {
        self.attached.get(node).cloned().unwrap_or_default()
    }
    /// Nodes that a policy is attached to.
    #[must_use]
    pub fn targets(&self, policy: &PolicyId) -> BTreeSet<NodeId> {
        self.targets.get(policy).cloned().unwrap_or_default()
    }
    /// Whether the policy is attached to the node itself.
    #[must_use]
    pub fn is_attached(&self, policy: &PolicyId, node: &NodeId) -> bool {
        self.attached.get(node).is_some_and(|policies| policies.contains(policy))
    }
    /// The OU of that name directly below a node.
    #[must_use]
    pub fn unit_named(&self, parent: &NodeId, name: &str) -> Option<&UnitId> {
        self.units_below.get(parent).and_then(|names| names.get(name))
    }
    /// The policy of that type and name.
    #[must_use]
    pub fn policy_named(&self, kind: &PolicyType, name: &str) -> Option<&PolicyId> {
        self.policy_names.get(kind).and_then(|names| names.get(name))
    }
    /// The account of that e-mail.
    #[must_use]
    pub fn account_of(&self, email: &str) -> Option<&AccountId> {
        self.emails.get(&email_key(email))
    }
    /// Whether root, OU or account is there.
    #[must_use]
    pub fn has(&self, node: &NodeId) -> bool {
        match node {
            NodeId::Root(id) => *id == self.root.id,
            NodeId::Unit(id) => self.units.contains_key(id),
            NodeId::Account(id) => self.accounts.contains_key(id),
        }
    }
    /// Levels between the root (0) and a node.
    #[must_use]
    pub fn depth(&self, node: &NodeId) -> usize {
        let mut at = self.parent(node);
        let mut depth = 0;
        while let Some(parent) = at {
            depth += 1;
            // No tree of AWS is as deep; a loop that a test made ends here.
            if depth > 64 {
                break;
            }
            at = self.parent(parent);
        }
        depth
    }
    /// The node above.
    #[must_use]
    pub fn parent(&self, node: &NodeId) -> Option<&NodeId> {
        match node {
            NodeId::Root(_) => None,
            NodeId::Unit(id) => self.units.get(id).map(|unit| &unit.parent),
            NodeId::Account(id) => self.accounts.get(id).map(|account| &account.parent),
        }
    }
    /// Whether the policy type is on.
    #[must_use]
    pub fn is_enabled(&self, kind: &PolicyType) -> bool {
        self.root.policy_types.get(kind) == Some(&PolicyTypeStatus::Enabled)
    }
    /// Every node: the root, then OUs, then accounts.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        std::iter::once(self.root_node())
            .chain(self.units.keys().cloned().map(NodeId::Unit))
            .chain(self.accounts.keys().cloned().map(NodeId::Account))
    }

    /// Adds an OU, or replaces it, whatever AWS would say.
    pub fn put_unit(&mut self, id: UnitId, unit: Unit) {
        self.remove_unit_from_index(&id);
        Arc::make_mut(&mut self.units_below)
            .entry(unit.parent.clone())
            .or_default()
            .insert(unit.name.clone(), id.clone());
        Arc::make_mut(&mut self.units).insert(id, unit);
    }
    /// Takes an OU and its attachments away, whatever AWS would say.
    pub fn take_unit(&mut self, id: &UnitId) -> Option<Unit> {
        self.remove_unit_from_index(id);
        let node = NodeId::Unit(id.clone());
        for policy in Arc::make_mut(&mut self.attached).remove(&node).unwrap_or_default() {
            self.forget_target(&policy, &node);
        }
        Arc::make_mut(&mut self.units).remove(id)
    }
    fn remove_unit_from_index(&mut self, id: &UnitId) {
        let Some(old) = self.units.get(id) else { return };
        if let Some(names) = Arc::make_mut(&mut self.units_below).get_mut(&old.parent)
            && names.get(&old.name) == Some(id)
        {
            names.remove(&old.name);
        }
    }

    /// Adds an account, or replaces it, whatever AWS would say.
    pub fn put_account(&mut self, id: AccountId, account: Account) {
        self.remove_account_from_index(&id);
        Arc::make_mut(&mut self.accounts_below).entry(account.parent.clone()).or_default().insert(id.clone());
        Arc::make_mut(&mut self.emails).insert(email_key(&account.email), id.clone());
        Arc::make_mut(&mut self.accounts).insert(id, account);
    }
    /// Takes an account and its attachments away, as one that left the organization.
    pub fn take_account(&mut self, id: &AccountId) -> Option<Account> {
        self.remove_account_from_index(id);
        let node = NodeId::Account(id.clone());
        for policy in Arc::make_mut(&mut self.attached).remove(&node).unwrap_or_default() {
            self.forget_target(&policy, &node);
        }
        Arc::make_mut(&mut self.accounts).remove(id)
    }
    fn remove_account_from_index(&mut self, id: &AccountId) {
        let Some(old) = self.accounts.get(id) else { return };
        if let Some(ids) = Arc::make_mut(&mut self.accounts_below).get_mut(&old.parent) {
            ids.remove(id);
        }
        let key = email_key(&old.email);
        if self.emails.get(&key) == Some(id) {
            Arc::make_mut(&mut self.emails).remove(&key);
        }
    }

    /// Adds a policy, or replaces it, whatever AWS would say.
    pub fn put_policy(&mut self, id: PolicyId, policy: Policy) {
        self.remove_policy_from_index(&id);
        Arc::make_mut(&mut self.policy_names)
            .entry(policy.kind.clone())
            .or_default()
            .insert(policy.name.clone(), id.clone());
        Arc::make_mut(&mut self.policies).insert(id, policy);
    }
    /// Takes a policy and its attachments away, whatever AWS would say.
    pub fn take_policy(&mut self, id: &PolicyId) -> Option<Policy> {
        self.remove_policy_from_index(id);
        for node in Arc::make_mut(&mut self.targets).remove(id).unwrap_or_default() {
            if let Some(policies) = Arc::make_mut(&mut self.attached).get_mut(&node) {
                policies.remove(id);
            }
        }
        Arc::make_mut(&mut self.policies).remove(id)
    }
    fn remove_policy_from_index(&mut self, id: &PolicyId) {
        let Some(old) = self.policies.get(id) else { return };
        if let Some(names) = Arc::make_mut(&mut self.policy_names).get_mut(&old.kind)
            && names.get(&old.name) == Some(id)
        {
            names.remove(&old.name);
        }
    }

    /// Attaches, whatever AWS would say.
    pub fn attach(&mut self, policy: &PolicyId, node: &NodeId) {
        Arc::make_mut(&mut self.attached).entry(node.clone()).or_default().insert(policy.clone());
        Arc::make_mut(&mut self.targets).entry(policy.clone()).or_default().insert(node.clone());
    }
    /// Detaches, whatever AWS would say.
    pub fn detach(&mut self, policy: &PolicyId, node: &NodeId) {
        if let Some(policies) = Arc::make_mut(&mut self.attached).get_mut(node) {
            policies.remove(policy);
        }
        self.forget_target(policy, node);
    }
    fn forget_target(&mut self, policy: &PolicyId, node: &NodeId) {
        if let Some(nodes) = Arc::make_mut(&mut self.targets).get_mut(policy) {
            nodes.remove(node);
        }
    }

    /// Tags of a node, to read.
    #[must_use]
    pub fn tags(&self, node: &NodeId) -> Option<&Tags> {
        match node {
            NodeId::Root(id) => (*id == self.root.id).then_some(&self.root.tags),
            NodeId::Unit(id) => self.units.get(id).map(|unit| &unit.tags),
            NodeId::Account(id) => self.accounts.get(id).map(|account| &account.tags),
        }
    }
    /// Tags of a node, to change.
    pub fn tags_mut(&mut self, node: &NodeId) -> Option<&mut Tags> {
        match node {
            NodeId::Root(id) => (*id == self.root.id).then_some(&mut self.root.tags),
            NodeId::Unit(id) => Arc::make_mut(&mut self.units).get_mut(id).map(|unit| &mut unit.tags),
            NodeId::Account(id) => Arc::make_mut(&mut self.accounts).get_mut(id).map(|account| &mut account.tags),
        }
    }
    /// Tags of a policy, to change.
    pub fn policy_tags_mut(&mut self, id: &PolicyId) -> Option<&mut Tags> {
        Arc::make_mut(&mut self.policies).get_mut(id).map(|policy| &mut policy.tags)
    }
    /// An account to change in what is not indexed: name, state, tags, contacts. Its parent and e-mail change through
    /// [`State::put_account`].
    pub(super) fn account_mut(&mut self, id: &AccountId) -> Option<&mut Account> {
        Arc::make_mut(&mut self.accounts).get_mut(id)
    }
    /// The document of a policy, to change.
    pub fn set_content(&mut self, id: &PolicyId, content: &str) {
        if let Some(policy) = Arc::make_mut(&mut self.policies).get_mut(id) {
            policy.content = content.into();
        }
    }
    /// Turns a policy type on or off at once; with it comes AWS's own policy on every node, or all of the type goes.
    pub fn set_policy_type(&mut self, kind: &PolicyType, on: bool) {
        if on {
            self.root.policy_types.insert(kind.clone(), PolicyTypeStatus::Enabled);
            if let Some(policy) = self.default_policy(kind) {
                let nodes: BTreeSet<NodeId> = self.nodes().collect();
                let attached = Arc::make_mut(&mut self.attached);
                for node in &nodes {
                    attached.entry(node.clone()).or_default().insert(policy.clone());
                }
                Arc::make_mut(&mut self.targets).insert(policy, nodes);
            }
        } else {
            self.root.policy_types.remove(kind);
            let of_kind: Vec<PolicyId> =
                self.policy_names.get(kind).into_iter().flat_map(|names| names.values().cloned()).collect();
            for policy in of_kind {
                for node in self.targets(&policy) {
                    self.detach(&policy, &node);
                }
            }
        }
    }
    /// AWS's own policy of a type, if the type has one.
    #[must_use]
    pub fn default_policy(&self, kind: &PolicyType) -> Option<PolicyId> {
        let id: PolicyId = kind.rule().default_policy?.parse().ok()?;
        self.policies.contains_key(&id).then_some(id)
    }
    /// What AWS attaches to a new OU or account: its own policy of every type that is on.
    pub(super) fn attach_defaults(&mut self, node: &NodeId) {
        let kinds: Vec<PolicyType> = self.root.policy_types.keys().cloned().collect();
        for policy in kinds
            .iter()
            .filter(|kind| self.is_enabled(kind))
            .filter_map(|kind| self.default_policy(kind))
            .collect::<Vec<_>>()
        {
            self.attach(&policy, node);
        }
    }
    /// Policies of one type attached to a node itself, in order of id.
    pub(super) fn attached_of<'a>(
        &'a self,
        node: &NodeId,
        kind: &'a PolicyType,
    ) -> impl Iterator<Item = (&'a PolicyId, &'a Policy)> {
        self.attached
            .get(node)
            .into_iter()
            .flatten()
            .filter_map(|id| self.policies.get_key_value(id))
            .filter(move |(_, policy)| policy.kind == *kind)
    }
}
