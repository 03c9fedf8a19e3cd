//! What a change makes of the model, once it is done: so that a plan made right after it finds nothing to do.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;

use crate::aws::Request;
use crate::aws::port::{AccountState, PolicyTypeStatus, Resource};
use crate::names::{AccountId, NodeId, PolicyId, PolicyType, Tags, UnitId};
use crate::observed::{Account, Observed, Part, Policy, Unit};

/// The id of what a request made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// An OU.
    Unit(UnitId),
    /// An account.
    Account(AccountId),
    /// A policy.
    Policy(PolicyId),
    /// Nothing new.
    Nothing,
}

/// Writes what `request` did into the model.
pub fn absorb(observed: &mut Observed, request: &Request, made: &Made, now: Timestamp) {
    match (request, made) {
        (Request::EnablePolicyType { kind, .. }, _) => {
            observed.root.policy_types.insert(kind.clone(), PolicyTypeStatus::Enabled);
            if let Some(Ok(default)) = kind.rule().default_policy.map(str::parse::<PolicyId>) {
                spread(observed, &default, now);
            }
        }
        (Request::CreateOrganizationalUnit { parent, name, tags }, Made::Unit(id)) => {
            let unit = Unit { name: name.clone(), parent: parent.clone(), tags: Part::known(tags.clone(), now) };
            observed.units.insert(id.clone(), unit);
            born(observed, &NodeId::Unit(id.clone()));
        }
        (Request::CreateAccount { name, email, tags, .. }, Made::Account(id)) => {
            let account = Account {
                name: name.clone(),
                email: email.clone(),
                state: AccountState::Active,
                parent: Some(observed.root_node()),
                tags: Part::known(tags.clone(), now),
                contacts: crate::aws::port::ContactKind::ALL.map(|kind| (kind, Part::known(None, now))).into(),
            };
            observed.accounts.insert(id.clone(), account);
            born(observed, &NodeId::Account(id.clone()));
        }
        (Request::CreatePolicy { kind, name, description, content, tags }, Made::Policy(id)) => {
            let policy = Policy {
                kind: kind.clone(),
                name: name.clone(),
                description: description.clone(),
                aws_managed: false,
                content: Part::known(content.clone(), now),
                tags: Part::known(tags.clone(), now),
                targets: Part::known(BTreeSet::new(), now),
            };
            observed.policies.insert(id.clone(), policy);
        }
        _ => change(observed, request, now),
    }
}

fn change(observed: &mut Observed, request: &Request, now: Timestamp) {
    match request {
        Request::UpdateOrganizationalUnit { unit, name } => {
            if let Some(unit) = observed.units.get_mut(unit) {
                unit.name.clone_from(name);
            }
        }
        Request::DeleteOrganizationalUnit { unit } => {
            observed.units.remove(unit);
        }
        Request::MoveAccount { account, to, .. } => {
            if let Some(account) = observed.accounts.get_mut(account) {
                account.parent = Some(to.clone());
            }
        }
        Request::CloseAccount { account } => {
            if let Some(account) = observed.accounts.get_mut(account) {
                account.state = AccountState::PendingClosure;
            }
        }
        Request::PutAccountName { account, name } => {
            if let Some(account) = observed.accounts.get_mut(account) {
                account.name.clone_from(name);
            }
        }
        Request::UpdatePolicy { policy, name, description, content } => {
            if let Some(policy) = observed.policies.get_mut(policy) {
                policy.name = name.clone().unwrap_or_else(|| std::mem::take(&mut policy.name));
                policy.description = description.clone().unwrap_or_else(|| std::mem::take(&mut policy.description));
                if let Some(content) = content {
                    policy.content = Part::known(content.clone(), now);
                }
            }
        }
        Request::DeletePolicy { policy } => {
            observed.policies.remove(policy);
        }
        Request::AttachPolicy { policy, target } => {
            if let Some(targets) = observed.policies.get_mut(policy).and_then(|policy| policy.targets.get_mut()) {
                targets.insert(target.clone());
            }
        }
        Request::DetachPolicy { policy, target } => {
            if let Some(targets) = observed.policies.get_mut(policy).and_then(|policy| policy.targets.get_mut()) {
                targets.remove(target);
            }
        }
        Request::TagResource { resource, tags } => {
            if let Some(has) = tags_of(observed, resource) {
                has.extend(tags.clone());
            }
        }
        Request::UntagResource { resource, keys } => {
            if let Some(has) = tags_of(observed, resource) {
                keys.iter().for_each(|key| drop(has.remove(key)));
            }
        }
        Request::EnableAWSServiceAccess { principal } => {
            if let Some(services) = observed.services.get_mut() {
                services.insert(principal.clone());
            }
        }
        Request::RegisterDelegatedAdministrator { account, principal } => {
            if let Some(all) = observed.administrators.get_mut() {
                all.entry(account.clone()).or_default().insert(principal.clone());
            }
        }
        Request::PutResourcePolicy { content } => observed.delegation_policy = Part::known(Some(content.clone()), now),
        Request::PutAlternateContact { account, kind, contact } => {
            if let Some(account) = observed.accounts.get_mut(account) {
                account.contacts.insert(*kind, Part::known(Some(contact.clone()), now));
            }
        }
        _ => {}
    }
}

fn tags_of<'a>(observed: &'a mut Observed, resource: &Resource) -> Option<&'a mut Tags> {
    match resource {
        Resource::Node(NodeId::Root(_)) => observed.root.tags.get_mut(),
        Resource::Node(NodeId::Unit(id)) => observed.units.get_mut(id)?.tags.get_mut(),
        Resource::Node(NodeId::Account(id)) => observed.accounts.get_mut(id)?.tags.get_mut(),
        Resource::Policy(id) => observed.policies.get_mut(id)?.tags.get_mut(),
    }
}

/// AWS attaches its defaults to each new node.
fn born(observed: &mut Observed, node: &NodeId) {
    let on: Vec<PolicyType> = observed.root.policy_types.keys().cloned().collect();
    for policy in on.iter().filter_map(|kind| kind.rule().default_policy?.parse::<PolicyId>().ok()) {
        if let Some(targets) = observed.policies.get_mut(&policy).and_then(|policy| policy.targets.get_mut()) {
            targets.insert(node.clone());
        }
    }
}

/// AWS attaches a type's default to every node when the type is switched on.
fn spread(observed: &mut Observed, policy: &PolicyId, now: Timestamp) {
    let mut nodes: BTreeSet<NodeId> = observed.units.keys().cloned().map(NodeId::Unit).collect();
    nodes.extend(observed.accounts.keys().cloned().map(NodeId::Account));
    nodes.insert(observed.root_node());
    if let Some(policy) = observed.policies.get_mut(policy) {
        policy.targets = Part::known(nodes, now);
    }
}
