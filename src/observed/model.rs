//! `Observed`: one organization, each part with the time it was read. Pure; its serde form is the snapshot file.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::port::{AccountState, Contact, ContactKind, Creation, OrganizationFact, PolicyTypeStatus};
use crate::names::{AccountId, NodeId, PolicyId, PolicyType, RootId, Tags, UnitId};

/// One part of the organization as last read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Part_of_{T}")]
pub enum Part<T> {
    /// Not asked for.
    #[default]
    Unread,
    /// Read.
    Known {
        /// What was read.
        value: T,
        /// When (RFC 3339).
        #[schemars(with = "String")]
        at: Timestamp,
    },
    /// Asked for and not got. Nothing destructive rests on it.
    Unreadable {
        /// Why, for people: the AWS operation and its answer.
        error: String,
        /// What a person can do about it; none where waiting is all there is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remedy: Option<Box<str>>,
        /// When (RFC 3339).
        #[schemars(with = "String")]
        at: Timestamp,
    },
}

/// Why something is not known, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown<'a> {
    /// It was not asked for.
    Unread,
    /// It was asked for and not got.
    Lost {
        /// Why, for people.
        error: &'a str,
        /// What a person can do about it, as a clause (`allow …`); none where waiting is all there is.
        remedy: Option<&'a str>,
    },
}

impl<T> Part<T> {
    /// A part read at `at`.
    pub fn known(value: T, at: Timestamp) -> Self {
        Self::Known { value, at }
    }
    /// The value, if it was read.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            _ => None,
        }
    }
    /// The value to change, if it was read.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Known { value, .. } => Some(value),
            _ => None,
        }
    }
    /// When it was read, if it was.
    pub fn read_at(&self) -> Option<Timestamp> {
        match self {
            Self::Known { at, .. } => Some(*at),
            _ => None,
        }
    }
    /// Why it is not known, if so.
    pub fn unknown(&self) -> Option<Unknown<'_>> {
        match self {
            Self::Known { .. } => None,
            Self::Unread => Some(Unknown::Unread),
            Self::Unreadable { error, remedy, .. } => Some(Unknown::Lost { error, remedy: remedy.as_deref() }),
        }
    }
    /// Whether both were read and say the same, or neither was read.
    pub fn says(&self, other: &Self) -> bool
    where
        T: PartialEq,
    {
        match (self, other) {
            (Self::Unread, Self::Unread) => true,
            (Self::Known { value, .. }, Self::Known { value: other, .. }) => value == other,
            _ => false,
        }
    }
    /// Why it could not be read, if so.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// The organization.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// Id, management account, feature set.
    pub organization: OrganizationFact,
    /// The root.
    pub root: Root,
    /// Every OU that was seen.
    pub units: BTreeMap<UnitId, Unit>,
    /// Every account that was seen, suspended and closed ones included.
    pub accounts: BTreeMap<AccountId, Account>,
    /// Every policy that was seen, AWS's own included.
    pub policies: BTreeMap<PolicyId, Policy>,
    /// Service principals with trusted access.
    pub services: Part<BTreeSet<String>>,
    /// Delegated administrators and the services they act for.
    pub administrators: Part<BTreeMap<AccountId, BTreeSet<String>>>,
    /// The delegation policy, if there is one.
    pub delegation_policy: Part<Option<String>>,
    /// Requests to create accounts that AWS still remembers.
    pub creations: Part<Vec<Creation>>,
    /// Lists that could not be read to the end: what is missing below is not known to be absent.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// Policy types whose policies were listed.
    pub listed_types: BTreeSet<PolicyType>,
    /// When the tree, the accounts and the policy summaries were read (RFC 3339).
    #[schemars(with = "String")]
    pub lists_at: Timestamp,
}

/// The root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Root {
    /// `r-…`.
    pub id: RootId,
    /// Its name.
    pub name: String,
    /// Policy types that are on, or on their way.
    pub policy_types: BTreeMap<PolicyType, PolicyTypeStatus>,
    /// Its tags.
    pub tags: Part<Tags>,
}

/// An OU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// Root or OU above.
    pub parent: NodeId,
    /// Its tags.
    pub tags: Part<Tags>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Its name.
    pub name: String,
    /// E-mail of its root user.
    pub email: String,
    /// Its state.
    pub state: AccountState,
    /// Root or OU above; null where it could not be told.
    pub parent: Option<NodeId>,
    /// Its tags.
    pub tags: Part<Tags>,
    /// Alternate contacts that were asked for, by kind; null where the account has none of that kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contacts: BTreeMap<ContactKind, Part<Option<Contact>>>,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: PolicyType,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// AWS made it.
    pub aws_managed: bool,
    /// Its document, as AWS stores it.
    pub content: Part<String>,
    /// Its tags.
    pub tags: Part<Tags>,
    /// The nodes it is attached to.
    pub targets: Part<BTreeSet<NodeId>>,
}

/// A list that ended early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// What is not known to be whole.
    pub scope: Scope,
    /// Why, for people: the AWS operation and its answer.
    pub error: String,
    /// What a person can do about it; none where waiting is all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Box<str>>,
}

impl Gap {
    /// Why what it leaves open is not known.
    #[must_use]
    pub fn unknown(&self) -> Unknown<'_> {
        Unknown::Lost { error: &self.error, remedy: self.remedy.as_deref() }
    }
}

/// What a list that ended early leaves open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// The accounts of the organization.
    Accounts,
    /// The OUs below a node, and with them where accounts below it are.
    UnitsBelow(NodeId),
    /// The policies of a type.
    Policies(PolicyType),
}

impl Root {
    /// Whether policies of a type are in force, or are about to be. A type that AWS is disabling is off: its policies are
    /// being detached.
    #[must_use]
    pub fn is_on(&self, kind: &PolicyType) -> bool {
        self.policy_types.get(kind).is_some_and(|status| *status != PolicyTypeStatus::PendingDisable)
    }
}

/// How much there is of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// OUs.
    pub units: usize,
    /// Accounts, the management account and closed ones included.
    pub accounts: usize,
    /// Policies of every type; AWS-managed ones are not counted.
    pub policies: usize,
}

impl Observed {
    /// The root as a node.
    #[must_use]
    pub fn root_node(&self) -> NodeId {
        NodeId::Root(self.root.id.clone())
    }

    /// The node above, `None` for the root and for what is not known.
    #[must_use]
    pub fn parent(&self, node: &NodeId) -> Option<&NodeId> {
        match node {
            NodeId::Root(_) => None,
            NodeId::Unit(id) => self.units.get(id).map(|unit| &unit.parent),
            NodeId::Account(id) => self.accounts.get(id).and_then(|account| account.parent.as_ref()),
        }
    }

    /// `node` and everything above it up to the root, nearest first. Ends early where a parent is not known.
    #[must_use]
    pub fn chain(&self, node: &NodeId) -> Vec<NodeId> {
        let mut chain = vec![node.clone()];
        let mut at = node;
        while let Some(parent) = self.parent(at) {
            if chain.contains(parent) {
                break;
            }
            chain.push(parent.clone());
            at = parent;
        }
        chain
    }

    /// OUs and accounts that are not known to hang on the root, each with what is above it where that is known.
    pub fn unplaced(&self) -> impl Iterator<Item = (NodeId, Option<&NodeId>)> {
        let mut rooted: BTreeSet<NodeId> = BTreeSet::from([self.root_node()]);
        let mut below: BTreeMap<&NodeId, Vec<&UnitId>> = BTreeMap::new();
        for (id, unit) in &self.units {
            below.entry(&unit.parent).or_default().push(id);
        }
        let mut open = vec![self.root_node()];
        while let Some(at) = open.pop() {
            for unit in below.get(&at).into_iter().flatten().map(|id| NodeId::Unit((*id).clone())) {
                if rooted.insert(unit.clone()) {
                    open.push(unit);
                }
            }
        }
        let units = self.units.iter().map(|(id, unit)| (NodeId::Unit(id.clone()), Some(&unit.parent)));
        let accounts = self.accounts.iter().map(|(id, account)| (NodeId::Account(id.clone()), account.parent.as_ref()));
        units.chain(accounts).filter(move |(_, above)| !above.is_some_and(|above| rooted.contains(above)))
    }

    /// OUs and accounts directly below each node.
    #[must_use]
    pub fn children(&self) -> BTreeMap<NodeId, Vec<NodeId>> {
        let mut children: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for (id, unit) in &self.units {
            children.entry(unit.parent.clone()).or_default().push(NodeId::Unit(id.clone()));
        }
        for (id, account) in &self.accounts {
            if let Some(parent) = &account.parent {
                children.entry(parent.clone()).or_default().push(NodeId::Account(id.clone()));
            }
        }
        children
    }

    /// Tags of a node, if the node is there.
    #[must_use]
    pub fn tags(&self, node: &NodeId) -> Option<&Part<Tags>> {
        match node {
            NodeId::Root(_) => Some(&self.root.tags),
            NodeId::Unit(id) => self.units.get(id).map(|unit| &unit.tags),
            NodeId::Account(id) => self.accounts.get(id).map(|account| &account.tags),
        }
    }

    /// What people call a node.
    #[must_use]
    pub fn name<'a>(&'a self, node: &'a NodeId) -> &'a str {
        match node {
            NodeId::Root(_) => Some(&self.root.name),
            NodeId::Unit(id) => self.units.get(id).map(|unit| &unit.name),
            NodeId::Account(id) => self.accounts.get(id).map(|account| &account.name),
        }
        .map_or(node.as_str(), String::as_str)
    }

    /// Whether it says what `other` says, and of whatever lasts from pass to pass (contents, tags, contacts) with the same
    /// times. When the lists and what every pass reads again were read may differ.
    #[must_use]
    pub fn repeats(&self, other: &Self) -> bool {
        let Self { organization, root, units, accounts, policies, .. } = self;
        let Self { services, administrators, delegation_policy, creations, gaps, listed_types, lists_at: _, .. } = self;
        let same_policy = |(a, b): ((&PolicyId, &Policy), (&PolicyId, &Policy))| {
            let (Policy { kind, name, description, aws_managed, content, tags, targets }, other) = (a.1, b.1);
            a.0 == b.0
                && (kind, name, description, aws_managed)
                    == (&other.kind, &other.name, &other.description, &other.aws_managed)
                && (content, tags) == (&other.content, &other.tags)
                && targets.says(&other.targets)
        };
        *organization == other.organization
            && (&root.id, &root.name, &root.policy_types)
                == (&other.root.id, &other.root.name, &other.root.policy_types)
            && root.tags.says(&other.root.tags)
            && *units == other.units
            && *accounts == other.accounts
            && policies.len() == other.policies.len()
            && policies.iter().zip(&other.policies).all(same_policy)
            && services.says(&other.services)
            && administrators.says(&other.administrators)
            && delegation_policy.says(&other.delegation_policy)
            && creations.says(&other.creations)
            && (gaps, listed_types) == (&other.gaps, &other.listed_types)
    }

    /// Whether it was read of every type that is on which policies there are and where each is attached, AWS's own left out.
    #[must_use]
    pub fn tells_attachments(&self) -> bool {
        let listed = |kind: &PolicyType| {
            self.listed_types.contains(kind) && !self.gaps.iter().any(|gap| gap.scope == Scope::Policies(kind.clone()))
        };
        let mut types = self.root.policy_types.keys();
        let mut own = self.policies.values().filter(|policy| !policy.aws_managed);
        let on = |policy: &Policy| self.root.policy_types.contains_key(&policy.kind);
        types.all(listed) && own.all(|policy| !on(policy) || policy.targets.get().is_some())
    }

    /// How much there is of the organization, as every command, status and figure counts it.
    #[must_use]
    pub fn size(&self) -> Size {
        Size {
            units: self.units.len(),
            accounts: self.accounts.len(),
            policies: self.policies.values().filter(|policy| !policy.aws_managed).count(),
        }
    }

    /// Whether the account is the management account, which policies do not bind and bylaw never changes.
    #[must_use]
    pub fn is_management(&self, node: &NodeId) -> bool {
        matches!(node, NodeId::Account(id) if *id == self.organization.management_account)
    }

    /// Time of the oldest reading in it.
    #[must_use]
    pub fn oldest(&self) -> Timestamp {
        let mut oldest = self.lists_at;
        let mut see = |at: Option<Timestamp>| {
            if let Some(at) = at {
                oldest = oldest.min(at);
            }
        };
        see(self.root.tags.read_at());
        self.units.values().for_each(|unit| see(unit.tags.read_at()));
        for account in self.accounts.values() {
            see(account.tags.read_at());
            account.contacts.values().for_each(|contact| see(contact.read_at()));
        }
        for policy in self.policies.values() {
            see(policy.content.read_at());
            see(policy.tags.read_at());
            see(policy.targets.read_at());
        }
        see(self.services.read_at());
        see(self.administrators.read_at());
        see(self.delegation_policy.read_at());
        oldest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn observed() -> Observed {
        let known = |value| json!({"known": {"value": value, "at": "2026-11-25T10:00:00Z"}});
        serde_json::from_value(json!({
            "organization": {"id": "o-aaaaaaaaaa", "management_account": "111111111111", "all_features": true},
            "root": {"id": "r-abcd", "name": "Root", "policyTypes": {}, "tags": known(json!({}))},
            "units": {"ou-abcd-11111111": {"name": "a", "parent": "r-abcd", "tags": known(json!({"k": "v"}))}},
            "accounts": {"222222222222": {"name": "b", "email": "b@example.com", "state": "ACTIVE",
                "parent": "r-abcd", "tags": known(json!({"k": "v"}))}},
            "policies": {"p-11111111": {"type": "TAG_POLICY", "name": "c", "description": "", "awsManaged": false,
                "content": known(json!("{}")), "tags": known(json!({})), "targets": known(json!(["r-abcd"]))}},
            "services": "unread", "administrators": "unread", "delegationPolicy": "unread",
            "creations": known(json!([])), "gaps": [], "listedTypes": ["TAG_POLICY"], "listsAt": "2026-11-25T10:00:00Z",
        }))
        .unwrap()
    }

    #[test]
    fn a_reading_repeats_another_where_only_the_lists_are_newer() {
        let (first, id) = (observed(), "p-11111111".parse::<PolicyId>().unwrap());
        let newer = |part: &mut Part<_>| *part = Part::known(part.get().cloned().unwrap(), at(9));
        let mut again = first.clone();
        again.lists_at = at(9);
        newer(&mut again.root.tags);
        let targets = &mut again.policies.get_mut(&id).unwrap().targets;
        *targets = Part::known(targets.get().cloned().unwrap(), at(9));
        again.creations = Part::known(vec![], at(9));
        assert!(again.repeats(&first) && first.repeats(&again));

        let changes: [fn(&mut Observed); 8] = [
            |it| it.accounts.values_mut().for_each(|account| account.name.push('x')),
            |it| it.accounts.values_mut().for_each(|account| account.tags = Part::known(Tags::new(), at(1))),
            // Contents and tags are asked for by their age, which has to survive.
            |it| {
                it.units.values_mut().for_each(|unit| unit.tags = Part::known(unit.tags.get().cloned().unwrap(), at(9)))
            },
            |it| it.policies.values_mut().for_each(|policy| policy.content = Part::known("{}".into(), at(9))),
            |it| it.policies.values_mut().for_each(|policy| policy.targets = Part::known(BTreeSet::new(), at(9))),
            |it| it.policies.clear(),
            |it| it.creations = Part::Unread,
            |it| it.gaps.push(Gap { scope: Scope::Accounts, error: "no".into(), remedy: None }),
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let mut other = first.clone();
            change(&mut other);
            assert!(!other.repeats(&first) && !first.repeats(&other), "change {n}");
        }
    }
}
