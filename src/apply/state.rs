//! What one run knows and learns: ids of what it made, and the model as its writes change it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::effect::{Made, absorb};
use crate::aws::Request;
use crate::aws::port::Resource;
use crate::desired::NodeKey;
use crate::names::{AccountId, NodeId, ObjectKey, PolicyId, PolicyType};
use crate::observed::Observed;
use crate::plan::estimate::FRESH as FRESH_SECONDS;
use crate::plan::model::Tagged;
use crate::plan::{Action, Change, NodeRef, PolicyRef};
use crate::policy::Document;

/// A look at what is attached to a node, or at what a policy says, serves the attachments that follow within this time.
const FRESH: SignedDuration = SignedDuration::from_secs(FRESH_SECONDS as i64);

pub(super) struct State {
    inner: Mutex<Inner>,
}

pub(super) struct Inner {
    pub observed: Observed,
    pub nodes: BTreeMap<NodeKey, NodeId>,
    /// The same nodes, by id.
    made: BTreeSet<NodeId>,
    pub policies: BTreeMap<ObjectKey, PolicyId>,
    attached: BTreeMap<(NodeId, PolicyType), (Timestamp, BTreeSet<PolicyId>)>,
    /// Policies that say what the model says: since when that was read or written; `None` where this run made the policy.
    texts: BTreeMap<PolicyId, Option<Timestamp>>,
}

impl State {
    pub(super) fn new(observed: Observed) -> Self {
        let inner = Inner {
            observed,
            nodes: BTreeMap::new(),
            made: BTreeSet::new(),
            policies: BTreeMap::new(),
            attached: BTreeMap::new(),
            texts: BTreeMap::new(),
        };
        Self { inner: Mutex::new(inner) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that holds the lock can panic half-way through a change of meaning.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn into_observed(self) -> Observed {
        self.inner.into_inner().unwrap_or_else(PoisonError::into_inner).observed
    }
}

impl Inner {
    /// Takes in a write that was carried out.
    pub(super) fn wrote(&mut self, change: &Change, request: &Request, made: &Made, now: Timestamp) {
        match (&change.action, made) {
            (Action::CreateUnit { key, .. }, Made::Unit(id)) => {
                self.nodes.insert(NodeKey::Unit(key.clone()), NodeId::Unit(id.clone()));
                self.made.insert(NodeId::Unit(id.clone()));
            }
            (Action::CreateAccount { key, .. }, Made::Account(id)) => {
                self.nodes.insert(NodeKey::Account(key.clone()), NodeId::Account(id.clone()));
                self.made.insert(NodeId::Account(id.clone()));
            }
            (Action::CreatePolicy { .. }, Made::Policy(id)) => {
                self.policies.insert(change.object.clone(), id.clone());
                self.texts.insert(id.clone(), None);
            }
            (Action::UpdatePolicy { policy, content: Some(_), .. }, _) => self.saw_text(policy, now),
            _ => {}
        }
        let (kind, action) = match &change.action {
            Action::Attach { kind, .. } | Action::Detach { kind, .. } => (Some(kind), request),
            _ => (None, request),
        };
        if let Some(kind) = kind {
            let of = |target: &NodeId| (target.clone(), kind.clone());
            match action {
                Request::AttachPolicy { policy, target } => {
                    if let Some((_, attached)) = self.attached.get_mut(&of(target)) {
                        attached.insert(policy.clone());
                    }
                }
                Request::DetachPolicy { policy, target } => {
                    if let Some((_, attached)) = self.attached.get_mut(&of(target)) {
                        attached.remove(policy);
                    }
                }
                _ => {}
            }
        }
        absorb(&mut self.observed, request, made, now);
    }

    pub(super) fn attached(&self, node: &NodeId, kind: &PolicyType, now: Timestamp) -> Option<BTreeSet<PolicyId>> {
        let (at, attached) = self.attached.get(&(node.clone(), kind.clone()))?;
        (now.duration_since(*at) <= FRESH).then(|| attached.clone())
    }

    pub(super) fn saw_attached(&mut self, node: &NodeId, kind: &PolicyType, found: BTreeSet<PolicyId>, now: Timestamp) {
        self.attached.insert((node.clone(), kind.clone()), (now, found));
    }

    /// Whether it need not be asked what a policy says.
    pub(super) fn knows_text(&self, policy: &PolicyId, now: Timestamp) -> bool {
        let known = self.texts.get(policy);
        known.is_some_and(|at| at.is_none_or(|at| now.duration_since(at) <= FRESH))
    }

    pub(super) fn saw_text(&mut self, policy: &PolicyId, now: Timestamp) {
        self.texts.insert(policy.clone(), Some(now));
    }

    /// Whether of all that is `attached` only `policy` allows anything, as far as contents are known.
    pub(super) fn is_last_allow(&self, policy: &PolicyId, attached: &BTreeSet<PolicyId>) -> bool {
        let allows = |id: &PolicyId| {
            let Some(found) = self.observed.policies.get(id) else { return false };
            let says = |text: &String| Document::parse(&found.kind, text).is_ok_and(|(d, _)| !d.allows().is_empty());
            found.aws_managed || found.content.get().is_some_and(says)
        };
        allows(policy) && !attached.iter().any(|other| other != policy && allows(other))
    }

    /// What a creation found was made by an earlier life: anybody may have been at it since, so it is looked at.
    pub(super) fn found(&mut self, made: &Made) {
        match made {
            Made::Unit(id) => drop(self.made.take(&NodeId::Unit(id.clone()))),
            Made::Account(id) => drop(self.made.take(&NodeId::Account(id.clone()))),
            Made::Policy(id) => drop(self.texts.remove(id)),
            Made::Nothing => {}
        }
    }

    pub(super) fn is_new(&self, node: &NodeId) -> bool {
        self.made.contains(node)
    }

    fn node(&self, node: &NodeRef) -> Result<NodeId, String> {
        match node {
            NodeRef::Known(id) => Ok(id.clone()),
            NodeRef::New(key) => self.nodes.get(key).cloned().ok_or_else(|| format!("`{key}` was not created")),
        }
    }

    fn account(&self, node: &NodeRef) -> Result<AccountId, String> {
        match self.node(node)? {
            NodeId::Account(id) => Ok(id),
            other => Err(format!("`{other}` is not an account")),
        }
    }

    fn policy(&self, policy: &PolicyRef) -> Result<PolicyId, String> {
        match policy {
            PolicyRef::Known(id) => Ok(id.clone()),
            PolicyRef::New(key) => self.policies.get(key).cloned().ok_or_else(|| format!("`{key}` was not created")),
        }
    }

    /// The AWS request of a change, with the ids of what this run made. `Err`: what it waits for, for people.
    pub(super) fn request(&self, change: &Change) -> Result<Request, String> {
        Ok(match &change.action {
            Action::EnablePolicyType { kind } => {
                Request::EnablePolicyType { root: self.observed.root.id.clone(), kind: kind.clone() }
            }
            Action::EnableService { principal } => Request::EnableAWSServiceAccess { principal: principal.clone() },
            Action::CreateUnit { parent, name, tags, .. } => {
                Request::CreateOrganizationalUnit { parent: self.node(parent)?, name: name.clone(), tags: tags.clone() }
            }
            Action::RenameUnit { unit, name, .. } => {
                Request::UpdateOrganizationalUnit { unit: unit.clone(), name: name.to.clone() }
            }
            Action::CreatePolicy { kind, name, description, content, tags } => Request::CreatePolicy {
                kind: kind.clone(),
                name: name.clone(),
                description: description.clone(),
                content: content.clone(),
                tags: tags.clone(),
            },
            Action::UpdatePolicy { policy, name, description, content, .. } => Request::UpdatePolicy {
                policy: policy.clone(),
                name: name.as_ref().map(|edit| edit.to.clone()),
                description: description.as_ref().map(|edit| edit.to.clone()),
                content: content.as_ref().map(|edit| edit.to.clone()),
            },
            Action::Attach { policy, target, .. } => {
                Request::AttachPolicy { policy: self.policy(policy)?, target: self.node(target)? }
            }
            Action::Detach { policy, target, .. } => {
                Request::DetachPolicy { policy: policy.clone(), target: self.node(target)? }
            }
            Action::MoveAccount { account, from, to } => {
                Request::MoveAccount { account: self.account(account)?, from: self.node(from)?, to: self.node(to)? }
            }
            Action::Tag { resource, set, .. } => {
                let resource = match resource {
                    Tagged::Node(node) => Resource::Node(self.node(node)?),
                    Tagged::Policy(policy) => Resource::Policy(self.policy(policy)?),
                };
                Request::TagResource { resource, tags: set.clone() }
            }
            Action::PutContact { account, kind, contact, .. } => {
                Request::PutAlternateContact { account: self.account(account)?, kind: *kind, contact: contact.clone() }
            }
            Action::RenameAccount { account, name } => {
                Request::PutAccountName { account: account.clone(), name: name.to.clone() }
            }
            Action::RegisterAdministrator { account, principal } => Request::RegisterDelegatedAdministrator {
                account: self.account(account)?,
                principal: principal.clone(),
            },
            Action::PutDelegationPolicy { content, .. } => Request::PutResourcePolicy { content: content.clone() },
            Action::CreateAccount { name, email, role_name, tags, .. } => Request::CreateAccount {
                name: name.clone(),
                email: email.clone(),
                role_name: role_name.clone(),
                tags: tags.clone(),
            },
            Action::DeletePolicy { policy, .. } => Request::DeletePolicy { policy: policy.clone() },
            Action::DeleteUnit { unit, .. } => Request::DeleteOrganizationalUnit { unit: unit.clone() },
            Action::CloseAccount { account, .. } => Request::CloseAccount { account: account.clone() },
        })
    }
}
