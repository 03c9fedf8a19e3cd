//! The plan as data: changes in the order in which they are safe, refusals with their hashes, and drift.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::memory::{Facts, Mark};
use super::partial::Cause;
use super::undeclared::Undeclared;
use crate::aws::port::{Contact, ContactKind};
use crate::desired::NodeKey;
use crate::names::{AccountId, NodeId, ObjectKey, PolicyId, PolicyType, Tags, UnitId};
use crate::policy::Document;

/// A node that is there, or that this plan creates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum NodeRef {
    /// It is there.
    Known(NodeId),
    /// The object whose creation is in the plan.
    New(#[serde(serialize_with = "display")] NodeKey),
}
impl fmt::Display for NodeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(id) => id.fmt(f),
            Self::New(key) => write!(f, "new {key}"),
        }
    }
}

/// A policy that is there, or that this plan creates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum PolicyRef {
    /// It is there.
    Known(PolicyId),
    /// The object whose creation is in the plan.
    New(ObjectKey),
}
impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(id) => id.fmt(f),
            Self::New(key) => write!(f, "new {key}"),
        }
    }
}

/// What carries tags, there or to be created.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Tagged {
    /// A node.
    Node(NodeRef),
    /// A policy.
    Policy(PolicyRef),
}

impl fmt::Display for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.fmt(f),
            Self::Policy(policy) => policy.fmt(f),
        }
    }
}

fn display<S: serde::Serializer>(value: &impl fmt::Display, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(value)
}

/// A value that becomes another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit<T> {
    /// As it is.
    pub from: T,
    /// As it shall be.
    pub to: T,
}

/// Whether a policy allows something before an edit of its content and nothing after it.
#[must_use]
pub fn takes_every_allow(kind: &PolicyType, content: &Edit<String>) -> bool {
    let allows = |text: &str| Document::parse(kind, text).is_ok_and(|(document, _)| !document.allows().is_empty());
    allows(&content.from) && !allows(&content.to)
}

/// One write to AWS. What is read again before it is written stands in it as the value that the plan rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "the fields are those of the AWS operation, with what they replace")]
pub enum Action {
    EnablePolicyType {
        kind: PolicyType,
    },
    EnableService {
        principal: String,
    },
    CreateUnit {
        key: Box<str>,
        parent: NodeRef,
        name: String,
        tags: Tags,
    },
    RenameUnit {
        unit: UnitId,
        parent: NodeId,
        name: Edit<String>,
    },
    CreatePolicy {
        kind: PolicyType,
        name: String,
        description: String,
        content: String,
        tags: Tags,
    },
    UpdatePolicy {
        policy: PolicyId,
        kind: PolicyType,
        name: Option<Edit<String>>,
        description: Option<Edit<String>>,
        content: Option<Edit<String>>,
    },
    Attach {
        policy: PolicyRef,
        kind: PolicyType,
        target: NodeRef,
    },
    MoveAccount {
        account: NodeRef,
        from: NodeRef,
        to: NodeRef,
    },
    Detach {
        policy: PolicyId,
        kind: PolicyType,
        target: NodeRef,
    },
    Tag {
        resource: Tagged,
        set: Tags,
        before: Tags,
    },
    PutContact {
        account: NodeRef,
        kind: ContactKind,
        contact: Contact,
        before: Option<Contact>,
    },
    RenameAccount {
        account: AccountId,
        name: Edit<String>,
    },
    RegisterAdministrator {
        account: NodeRef,
        principal: String,
    },
    PutDelegationPolicy {
        content: String,
        before: Option<String>,
    },
    CreateAccount {
        key: Box<str>,
        name: String,
        email: String,
        role_name: Option<String>,
        tags: Tags,
    },
    DeletePolicy {
        policy: PolicyId,
        kind: PolicyType,
        name: String,
    },
    DeleteUnit {
        unit: UnitId,
        name: String,
    },
    CloseAccount {
        account: AccountId,
        name: String,
    },
}

/// Order of the plan. Everything that adds a guard comes before everything that takes one away; account creation is slow
/// (0.1/s) and binds nobody yet, so nothing waits for it; deletions are last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Policy types and trusted services switched on.
    Enable,
    /// OUs created, parents first, and renamed.
    Units,
    /// Policies created, and updates that only add.
    Policies,
    /// Policies attached to what is there.
    Attach,
    /// Accounts moved.
    Move,
    /// Updates that take something out of a policy.
    Narrow,
    /// Policies detached.
    Detach,
    /// Tags, contacts, names, delegation.
    Details,
    /// New accounts: created, attached to, moved, one chain an account.
    Accounts,
    /// Deletions, children first.
    Delete,
}

/// Why a change is in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// Declared, and not there.
    Missing,
    /// Declared otherwise than it is.
    Differs,
    /// It was as declared after the last pass, and somebody changed it.
    Drift,
    /// A new account that an earlier run made and did not come to place.
    Unfinished,
    /// There already, and taken over: only bylaw's tag is written.
    Adopted,
    /// Attached to a node whose attachments are exclusive, and declared by nobody.
    NotDeclared,
    /// Its object is gone, it opted in to deletion, and deletion was asked for.
    Removed,
}
impl Reason {
    /// For people: the half sentence after "because".
    #[must_use]
    pub fn because(&self) -> &'static str {
        match self {
            Self::Missing => "declared, and not in AWS",
            Self::Differs => "declared otherwise",
            Self::Drift => "changed outside bylaw since the last pass",
            Self::Unfinished => "created by a run that ended before it was placed",
            Self::Adopted => "there already: taken over by writing bylaw's tag",
            Self::NotDeclared => "attachments are exclusive here, and no manifest attaches it",
            Self::Removed => "its object is gone and had opted in to deletion",
        }
    }
}

/// One change of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Position in the plan, from 1.
    pub id: u32,
    /// The object that asks for it.
    pub object: ObjectKey,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// When.
    pub stage: Stage,
    /// Accounts that it reaches (those below the nodes it touches, the management account not counted).
    pub reach: u32,
    /// Its policy says something else than declared, and has to be brought to its text before this attachment.
    #[serde(skip)]
    pub needs_text: bool,
    /// The facts that it settles.
    #[serde(skip)]
    pub facts: Vec<Mark>,
    /// Hash of what it comes to beside itself: the text of the policy that it attaches or detaches, and what is attached on
    /// the way to the OU that an account moves to. An approval is of that as well. `None` before the guard has seen it.
    #[serde(skip)]
    pub means: Option<String>,
}

/// Kinds of changes, as `summary` counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "plain words")]
pub enum Verb {
    Create,
    Update,
    Delete,
    Attach,
    Detach,
    Move,
    Tag,
    Enable,
}

impl Action {
    /// The kind of change.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Self::EnablePolicyType { .. } | Self::EnableService { .. } | Self::RegisterAdministrator { .. } => {
                Verb::Enable
            }
            Self::CreateUnit { .. } | Self::CreatePolicy { .. } | Self::CreateAccount { .. } => Verb::Create,
            Self::RenameUnit { .. }
            | Self::UpdatePolicy { .. }
            | Self::PutContact { .. }
            | Self::RenameAccount { .. }
            | Self::PutDelegationPolicy { .. } => Verb::Update,
            Self::Attach { .. } => Verb::Attach,
            Self::Detach { .. } => Verb::Detach,
            Self::MoveAccount { .. } => Verb::Move,
            Self::Tag { .. } => Verb::Tag,
            Self::DeletePolicy { .. } | Self::DeleteUnit { .. } | Self::CloseAccount { .. } => Verb::Delete,
        }
    }

    /// The nodes that it names, and that have to be there before it.
    #[must_use]
    pub fn nodes(&self) -> Vec<&NodeRef> {
        match self {
            Self::CreateUnit { parent, .. } => vec![parent],
            Self::MoveAccount { account, from, to } => vec![account, from, to],
            Self::Attach { target, .. } | Self::Detach { target, .. } => vec![target],
            Self::PutContact { account, .. } | Self::RegisterAdministrator { account, .. } => vec![account],
            Self::Tag { resource: Tagged::Node(node), .. } => vec![node],
            _ => vec![],
        }
    }

    /// The policy that it names and that may be new: it has to be there before.
    #[must_use]
    pub fn policy(&self) -> Option<&PolicyRef> {
        match self {
            Self::Attach { policy, .. } | Self::Tag { resource: Tagged::Policy(policy), .. } => Some(policy),
            _ => None,
        }
    }

    /// The policy whose document it replaces.
    #[must_use]
    pub fn rewrites(&self) -> Option<&PolicyId> {
        match self {
            Self::UpdatePolicy { policy, content: Some(_), .. } => Some(policy),
            _ => None,
        }
    }

    /// Object name of the account that does not exist yet and that it belongs to.
    #[must_use]
    pub fn new_account(&self) -> Option<&str> {
        let node = match self {
            Self::CreateAccount { key, .. } => return Some(key),
            Self::Attach { target, .. } | Self::Detach { target, .. } => target,
            Self::MoveAccount { account, .. }
            | Self::PutContact { account, .. }
            | Self::RegisterAdministrator { account, .. } => account,
            Self::Tag { resource: Tagged::Node(node), .. } => node,
            _ => return None,
        };
        match node {
            NodeRef::New(NodeKey::Account(key)) => Some(key),
            _ => None,
        }
    }

    /// Whether something is lost that bylaw cannot put back.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        self.verb() == Verb::Delete
    }

    /// Whether it can take a guard away from an account: it must not run when a change that adds one has failed.
    #[must_use]
    pub fn loosens(&self) -> bool {
        matches!(self.verb(), Verb::Detach | Verb::Move | Verb::Delete) || self.rewrites().is_some()
    }

    /// The AWS operation that carries it out, and those that are asked before.
    #[must_use]
    pub fn operations(&self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::EnablePolicyType { .. } => ("EnablePolicyType", &["ListRoots"]),
            Self::EnableService { .. } => ("EnableAWSServiceAccess", &["ListAWSServiceAccessForOrganization"]),
            Self::CreateUnit { .. } => ("CreateOrganizationalUnit", &[]),
            Self::RenameUnit { .. } => ("UpdateOrganizationalUnit", &["ListOrganizationalUnitsForParent"]),
            Self::CreatePolicy { .. } => ("CreatePolicy", &[]),
            Self::UpdatePolicy { .. } => ("UpdatePolicy", &["DescribePolicy"]),
            Self::Attach { policy, kind, target } => {
                let own = matches!(policy, PolicyRef::Known(id) if kind.rule().default_policy != Some(id.as_str()));
                let before: &[&str] = match (target, own) {
                    (NodeRef::New(_), false) => &[],
                    (NodeRef::New(_), true) => &["DescribePolicy"],
                    (NodeRef::Known(_), false) => &["ListPoliciesForTarget"],
                    (NodeRef::Known(_), true) => &["ListPoliciesForTarget", "DescribePolicy"],
                };
                ("AttachPolicy", before)
            }
            Self::MoveAccount { account: NodeRef::New(_), .. } => ("MoveAccount", &[]),
            Self::MoveAccount { .. } => ("MoveAccount", &["DescribeAccount"]),
            Self::Detach { .. } => ("DetachPolicy", &["ListPoliciesForTarget"]),
            Self::Tag { .. } => ("TagResource", &["ListTagsForResource"]),
            Self::PutContact { account: NodeRef::New(_), .. } => ("PutAlternateContact", &[]),
            Self::PutContact { .. } => ("PutAlternateContact", &["GetAlternateContact"]),
            Self::RenameAccount { .. } => ("PutAccountName", &["DescribeAccount"]),
            Self::RegisterAdministrator { .. } => {
                ("RegisterDelegatedAdministrator", &["ListDelegatedServicesForAccount"])
            }
            Self::PutDelegationPolicy { .. } => ("PutResourcePolicy", &["DescribeResourcePolicy"]),
            Self::CreateAccount { .. } => {
                ("CreateAccount", &["ListCreateAccountStatus", "DescribeCreateAccountStatus"])
            }
            Self::DeletePolicy { .. } => ("DeletePolicy", &["ListTagsForResource", "ListTargetsForPolicy"]),
            Self::DeleteUnit { .. } => (
                "DeleteOrganizationalUnit",
                &["ListTagsForResource", "ListOrganizationalUnitsForParent", "ListAccountsForParent"],
            ),
            Self::CloseAccount { .. } => ("CloseAccount", &["ListTagsForResource", "DescribeAccount"]),
        }
    }
}

impl Change {
    /// Hash of what the change is, whatever its place in the plan: two plans that hold it hold the same change.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hash(&(&self.object, &self.action))
    }

    /// Hash of what an approval of the change is of: the change, and what it comes to by what it names.
    #[must_use]
    pub fn approvable(&self) -> String {
        match &self.means {
            Some(means) => hash(&(&self.object, &self.action, means)),
            None => self.fingerprint(),
        }
    }
}

/// First 16 hex digits of the SHA-256 of a value's JSON.
#[must_use]
pub fn hash(value: &impl Serialize) -> String {
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    Sha256::digest(&bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What the guard does not let pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Stable id of the rule, in kebab-case.
    pub rule: &'static str,
    /// The object concerned.
    pub object: ObjectKey,
    /// What would happen, and why it does not.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// The changes that are held back.
    pub changes: Vec<Change>,
    /// Hash of those changes, where an approval can let them pass.
    pub hash: Option<String>,
    /// All objects that it holds back, where they are more than `object`.
    #[serde(skip)]
    pub objects: Vec<ObjectKey>,
    /// The reading that failed, where that is why.
    #[serde(skip)]
    pub cause: Option<Cause>,
}

impl Refusal {
    /// Whether it is that AWS differs from the manifests: there are changes to make, and they are known.
    #[must_use]
    pub fn is_difference(&self) -> bool {
        !self.changes.is_empty() && self.rule != super::partial::RULE
    }

    /// Its place among refusals. What no approval lifts comes first, since an approval of the rest is in vain until it is
    /// mended; what only waits for another refused change comes last. Refusals of one rule stand together, by object.
    #[must_use]
    pub fn place(&self) -> (bool, bool, &'static str, &ObjectKey, &str) {
        (self.rule == super::guard::DEPENDS, self.hash.is_some(), self.rule, &self.object, &self.message)
    }
}

/// One change that an approval lets pass one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifted {
    /// Number of the change.
    pub change: u32,
    /// The rule that holds it back without the approval.
    pub rule: &'static str,
    /// The hash that was approved.
    pub hash: String,
    /// Who approved it; empty where nobody is named, as on the command line.
    pub approvers: BTreeSet<String>,
}

/// Everything that one object, or the Organization, is refused for and an approval can let pass, under one hash. Whoever
/// approves it approves each of its changes past each of its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The object, or the Organization.
    pub subject: ObjectKey,
    /// What an approval of all of it names.
    pub hash: String,
    /// Each change with the rule that refuses it, those included that are refused only once the others are approved.
    pub covers: Vec<(&'static str, Change)>,
}

impl Bundle {
    /// Its rules, each once.
    #[must_use]
    pub fn rules(&self) -> BTreeSet<&'static str> {
        self.covers.iter().map(|(rule, _)| *rule).collect()
    }

    /// Its changes, each once, in the order of the plan.
    #[must_use]
    pub fn changes(&self) -> Vec<&Change> {
        let changes: BTreeMap<u32, &Change> = self.covers.iter().map(|(_, change)| (change.id, change)).collect();
        changes.into_values().collect()
    }
}

/// A difference between what was last applied and what AWS holds now, that no manifest explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// The object.
    pub object: ObjectKey,
    /// What differs (`attachments/r-abcd`, `tags/owner`, `content`, `parent`, `name`).
    pub path: String,
    /// As declared and last applied.
    pub wanted: String,
    /// As found.
    pub found: String,
    /// Who did it, where an event tells.
    pub by: Option<String>,
}

/// Something worth knowing that is no change: an object left alone, a part that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// The object.
    pub object: ObjectKey,
    /// What there is to know.
    pub message: String,
}

/// Declared policies by node.
pub type Carries = BTreeMap<NodeRef, BTreeSet<PolicyRef>>;

/// State of a plan that nobody checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposed;
/// State of a plan that passed [`super::guard`]: the only one that can be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarded;

/// Changes in their order, what was refused, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<State> {
    /// The `Organization` object.
    pub organization: ObjectKey,
    /// Changes in the order in which they run.
    pub changes: Vec<Change>,
    /// What does not run, and why, in the order of [`Refusal::place`].
    pub refusals: Vec<Refusal>,
    /// What changed outside bylaw, by object and path.
    pub drift: Vec<Drift>,
    /// What is left alone, by object.
    pub notes: Vec<Note>,
    /// What AWS has and no manifest declares.
    pub undeclared: Undeclared,
    /// What the manifests state, and which of it holds already.
    pub facts: Facts,
    /// Policies that the manifests attach to each node: an account comes to a node only once the node carries them.
    pub carries: Carries,
    /// What approvals let pass, by the hash that approves each change past each rule alone: what is left of the changes when
    /// part of them is done has another hash than what was approved.
    pub approved: BTreeMap<String, Lifted>,
    /// What is refused and can be approved at once.
    pub bundles: Vec<Bundle>,
    pub(super) state: PhantomData<State>,
}

impl<State> Plan<State> {
    /// Hash of the changes that run.
    #[must_use]
    pub fn hash(&self) -> String {
        hash(&self.changes.iter().map(Change::fingerprint).collect::<BTreeSet<_>>())
    }

    /// Nothing to do, nothing refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.refusals.is_empty()
    }
}

impl Plan<Guarded> {
    /// The same plan with only those changes that `keep` holds the numbers of (a saved plan, run as it was shown).
    #[must_use]
    pub fn only(mut self, keep: &BTreeSet<u32>) -> Plan<Proposed> {
        self.changes.retain(|change| keep.contains(&change.id));
        Plan {
            organization: self.organization,
            changes: self.changes,
            refusals: self.refusals,
            drift: self.drift,
            notes: self.notes,
            undeclared: self.undeclared,
            facts: self.facts,
            carries: self.carries,
            approved: self.approved,
            bundles: self.bundles,
            state: PhantomData,
        }
    }
}
