//! `Desired`: the organization as declared, in parsed types.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::api::common::{AdoptionPolicy, Attachments, BaseAccess, DeletionPolicy, Mode};
use crate::api::organization::{Access, AdoptionTags, Ignore, Limits, Partition};
use crate::aws::port::{Contact, ContactKind};
use crate::names::{AccountId, Kind, ObjectKey, PolicyType, Tags};
use crate::policy::Document;

/// Where something was written. Lines and columns count from 1; 0 where there is no place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
pub struct Origin {
    /// File as the user named it, `<stdin>`, or `<cluster>`.
    pub file: Arc<str>,
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}", self.file)
        } else {
            write!(f, "{}:{}:{}", self.file, self.line, self.column)
        }
    }
}

/// How bad an issue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; only `bylaw lint` tells it.
    Info,
    /// The object is used; it may not do what its author thinks.
    Warning,
    /// The object is not used.
    Error,
}

/// Something wrong with a manifest: where, what was expected, what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Issue {
    /// Stable id of the rule, in kebab-case (`unknown-field`).
    pub rule: &'static str,
    /// How bad.
    pub severity: Severity,
    /// Where.
    pub origin: Origin,
    /// `Kind/name`, where the object is known by then.
    pub object: Option<String>,
    /// Path of the field (`spec.targets[1].accountRef.name`), empty for the object as a whole.
    pub field: String,
    /// What is wrong and what was expected; lower case, the user's words in backticks.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Other places that belong to it (the first of two duplicates), each with a label.
    pub related: Vec<(Origin, String)>,
}

/// A declared object: its key, where it stands, and its parsed spec.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared<T> {
    /// `Kind/name`.
    pub key: ObjectKey,
    /// Place of the object.
    pub origin: Origin,
    /// Id from the annotation `bylaw.dev/id` or from status: the AWS object this one is bound to.
    pub id: Option<String>,
    /// When the object was created in its cluster; `None` for a manifest of a file.
    pub created: Option<Timestamp>,
    /// Annotation `bylaw.dev/take-over`.
    pub take_over: Option<Box<str>>,
    /// Labels, which selectors look at; packed as tags are.
    pub labels: Tags,
    /// The object is to be left alone.
    pub suspend: bool,
    /// What it asks for.
    pub spec: T,
}

/// A node as manifests name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKey {
    /// The root.
    Root,
    /// The OU of that object name.
    Unit(Box<str>),
    /// The account of that object name.
    Account(Box<str>),
}
impl NodeKey {
    /// The object that declares the node; nothing but the Organization declares the root.
    #[must_use]
    pub fn object(&self) -> Option<ObjectKey> {
        match self {
            Self::Root => None,
            Self::Unit(name) => Some(ObjectKey::new(Kind::OrganizationalUnit, name)),
            Self::Account(name) => Some(ObjectKey::new(Kind::Account, name)),
        }
    }
}

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Unit(name) => write!(f, "OrganizationalUnit/{name}"),
            Self::Account(name) => write!(f, "Account/{name}"),
        }
    }
}

/// The organization as declared.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The `Organization` object.
    pub organization: Declared<Organization>,
    /// OUs by object name. Every parent is in the map; there are no cycles.
    pub units: BTreeMap<Box<str>, Declared<Unit>>,
    /// Accounts by object name. Every OU named is in the map.
    pub accounts: BTreeMap<Box<str>, Declared<Account>>,
    /// Policies by object name.
    pub policies: BTreeMap<Box<str>, Declared<Policy>>,
    /// Objects that are there and cannot be used.
    pub broken: Vec<Broken>,
}

/// An object that is there and cannot be used; its AWS counterpart is frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its key, where it could be read.
    pub key: Option<ObjectKey>,
    /// Where it stands.
    pub origin: Origin,
    /// Its AWS id, where it could be read.
    pub id: Option<String>,
    /// Its AWS name (`spec.name`, for a policy without one the object's), where it could be read.
    pub name: Option<String>,
}

/// Parsed `OrganizationSpec`.
#[derive(Debug, Clone, PartialEq)]
pub struct Organization {
    /// The account that owns the organization.
    pub management_account: AccountId,
    /// The partition.
    pub partition: Partition,
    /// Whether bylaw writes.
    pub mode: Mode,
    /// Policy types to keep enabled: those declared. A declared policy of a type that is not here is an issue.
    pub policy_types: BTreeSet<PolicyType>,
    /// Default of all nodes.
    pub attachments: Attachments,
    /// What is left alone.
    pub ignore: Ignore,
    /// When the tags of an adopted object are written.
    pub adoption_tags: AdoptionTags,
    /// `FullAWSAccess` at the root.
    pub base_access: Option<BaseAccess>,
    /// Roles to use.
    pub access: Option<Access>,
    /// Trusted services.
    pub services: BTreeSet<String>,
    /// Delegated administrators, by object name of the account.
    pub administrators: BTreeMap<Box<str>, BTreeSet<String>>,
    /// Delegation policy.
    pub delegation_policy: Option<Document>,
    /// Tags of the root.
    pub tags: Tags,
    /// Limits of a pass.
    pub limits: Limits,
    /// Time between two passes that nothing asks for.
    pub interval: Option<SignedDuration>,
    /// URL of the queue by which AWS tells what happened.
    pub queue: Option<String>,
}

/// Parsed `OrganizationalUnitSpec`.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Name in AWS.
    pub name: String,
    /// The node above: the root or a unit.
    pub parent: NodeKey,
    /// Declared tags.
    pub tags: Tags,
    /// As declared, or the organization's.
    pub attachments: Attachments,
    /// `FullAWSAccess` here.
    pub base_access: Option<BaseAccess>,
    /// Adoption.
    pub adoption: AdoptionPolicy,
    /// Deletion.
    pub deletion: DeletionPolicy,
}

/// Parsed `AccountSpec`. `account_id`, or `email` and `name`, are there.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The account that exists already.
    pub account_id: Option<AccountId>,
    /// E-mail of the root user.
    pub email: Option<String>,
    /// Name in AWS.
    pub name: Option<String>,
    /// The node above: the root or a unit.
    pub parent: NodeKey,
    /// Declared tags.
    pub tags: Tags,
    /// What to do with an account that has the e-mail already.
    pub adoption: AdoptionPolicy,
    /// Declared contacts.
    pub contacts: BTreeMap<ContactKind, Contact>,
    /// Role made at creation.
    pub role_name: Option<String>,
    /// `FullAWSAccess` here.
    pub base_access: Option<BaseAccess>,
    /// Close the account when the object is deleted.
    pub close: bool,
}

/// Parsed `OrganizationPolicySpec`.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Policy type.
    pub kind: PolicyType,
    /// Name in AWS.
    pub name: String,
    /// Description in AWS.
    pub description: String,
    /// Who answers for it: annotation `bylaw.dev/owner`.
    pub owner: Option<Box<str>>,
    /// The document.
    pub content: Arc<Document>,
    /// Nodes it is to be attached to, selectors resolved; empty for `Audit`.
    pub targets: BTreeSet<NodeKey>,
    /// Nodes it must not bind, selectors resolved. Those that are targets themselves are out of `targets` already; the
    /// rest lie below a target.
    pub excluding: BTreeSet<NodeKey>,
    /// Nodes that its targets and exclusions name, as opposed to those that only a selector matches.
    pub named: BTreeSet<NodeKey>,
    /// Declared tags.
    pub tags: Tags,
    /// Adoption.
    pub adoption: AdoptionPolicy,
    /// Deletion.
    pub deletion: DeletionPolicy,
}

/// What tells an object from another that claims the same AWS object.
#[derive(Debug, Clone, Copy)]
pub struct Claimant<'a> {
    /// The id that it is bound to.
    pub id: Option<&'a str>,
    /// When it was created in its cluster.
    pub created: Option<Timestamp>,
}

impl Desired {
    /// The key of the `Organization` object.
    #[must_use]
    pub fn organization_key(&self) -> &ObjectKey {
        &self.organization.key
    }

    /// Every declared object's key, its place and its bound id, in the order of [`Kind::ALL`].
    pub fn objects(&self) -> impl Iterator<Item = (&ObjectKey, &Origin, Option<&str>)> {
        fn of<T>(object: &Declared<T>) -> (&ObjectKey, &Origin, Option<&str>) {
            (&object.key, &object.origin, object.id.as_deref())
        }
        std::iter::once(of(&self.organization))
            .chain(self.units.values().map(of))
            .chain(self.accounts.values().map(of))
            .chain(self.policies.values().map(of))
    }

    /// What tells an object from another that claims the same: the id that it is bound to, and its age.
    #[must_use]
    pub fn claimant(&self, kind: Kind, name: &str) -> Option<Claimant<'_>> {
        fn of<T>(object: &Declared<T>) -> Claimant<'_> {
            Claimant { id: object.id.as_deref(), created: object.created }
        }
        match kind {
            Kind::Organization => Some(of(&self.organization)),
            Kind::OrganizationalUnit => self.units.get(name).map(of),
            Kind::Account => self.accounts.get(name).map(|account| {
                let id = account.spec.account_id.as_ref().map(AccountId::as_str).or(account.id.as_deref());
                Claimant { id, created: account.created }
            }),
            Kind::OrganizationPolicy => self.policies.get(name).map(of),
        }
    }

    /// Whether an object is suspended (`spec.suspend`). `None`: it is not in the tree.
    #[must_use]
    pub fn is_suspended(&self, key: &ObjectKey) -> Option<bool> {
        match key.kind {
            Kind::Organization => (*key == self.organization.key).then_some(self.organization.suspend),
            Kind::OrganizationalUnit => self.units.get(&key.name).map(|unit| unit.suspend),
            Kind::Account => self.accounts.get(&key.name).map(|account| account.suspend),
            Kind::OrganizationPolicy => self.policies.get(&key.name).map(|policy| policy.suspend),
        }
    }

    /// Whether an object is declared, be it one that cannot be used.
    #[must_use]
    pub fn is_declared(&self, key: &ObjectKey) -> bool {
        self.claimant(key.kind, &key.name).is_some() || self.broken.iter().any(|b| b.key.as_ref() == Some(key))
    }

    /// Whether a broken object might be the one that is known in AWS by `id` or by kind and `name`.
    #[must_use]
    pub fn may_be_broken(&self, kind: Kind, id: &str, name: &str, resource_tag: Option<&str>) -> bool {
        self.broken.iter().any(|broken| {
            let Some(key) = &broken.key else { return true };
            key.kind == kind
                && (broken.id.as_deref() == Some(id)
                    || broken.name.as_deref().is_none_or(|n| n == name)
                    || resource_tag.is_some_and(|tag| tag == key.to_string()))
        })
    }
}
