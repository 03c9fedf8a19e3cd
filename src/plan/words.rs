//! What a change does, in words: the same in the plan, in progress, in warnings and in statuses.

use super::model::{Action, Edit, NodeRef, PolicyRef, Tagged};
use crate::aws::port::Contact;
use crate::desired::NodeKey;
use crate::names::words::ticked;
use crate::names::{AccountId, NodeId, ObjectKey, PolicyType, TAG_MANAGED_BY, TAG_RESOURCE, Tags, UnitId};
use crate::policy::statement::DELEGATION_POLICY;

/// What objects of AWS are called by whoever tells of a change: kind, name and id, harmless.
pub trait Called {
    /// ``OU `A/B` (ou-…)``.
    fn node(&self, node: &NodeRef) -> String;
    /// ``policy `x` (p-…)``.
    fn policy(&self, policy: &PolicyRef) -> String;
}

/// A field that gets another value. Values are raw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// `name`, `description`, `tag owner`, `email`.
    pub field: String,
    /// As it is; `None` where there is none.
    pub from: Option<String>,
    /// As it shall be.
    pub to: String,
}

impl Field {
    fn new(field: &str, from: Option<&str>, to: &str) -> Self {
        Self { field: field.to_owned(), from: from.map(str::to_owned), to: to.to_owned() }
    }

    fn edited(field: &str, edit: &Edit<String>) -> Self {
        Self::new(field, Some(&edit.from), &edit.to)
    }
}

/// The text of a policy, and what it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a> {
    /// Its type.
    pub kind: PolicyType,
    /// As it is; `None` where there is none.
    pub from: Option<&'a str>,
    /// As it shall be.
    pub to: &'a str,
}

impl Action {
    /// Its name in outputs: the `do` of its JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::EnablePolicyType { .. } => "enablePolicyType",
            Self::EnableService { .. } => "enableService",
            Self::CreateUnit { .. } => "createUnit",
            Self::RenameUnit { .. } => "renameUnit",
            Self::CreatePolicy { .. } => "createPolicy",
            Self::UpdatePolicy { .. } => "updatePolicy",
            Self::Attach { .. } => "attach",
            Self::MoveAccount { .. } => "moveAccount",
            Self::Detach { .. } => "detach",
            Self::Tag { .. } => "tag",
            Self::PutContact { .. } => "putContact",
            Self::RenameAccount { .. } => "renameAccount",
            Self::RegisterAdministrator { .. } => "registerAdministrator",
            Self::PutDelegationPolicy { .. } => "putDelegationPolicy",
            Self::CreateAccount { .. } => "createAccount",
            Self::DeletePolicy { .. } => "deletePolicy",
            Self::DeleteUnit { .. } => "deleteUnit",
            Self::CloseAccount { .. } => "closeAccount",
        }
    }

    /// What is done, and to what. `object` is the one that asks for it: a policy that is new is called by it.
    #[must_use]
    pub fn told(&self, object: &ObjectKey, called: &impl Called) -> String {
        let node = |of: &NodeRef| called.node(of);
        let policy = |of: &PolicyRef| called.policy(of);
        match self {
            Self::EnablePolicyType { kind } => format!("enable policy type {}", ticked(kind.as_str())),
            Self::EnableService { principal } => format!("enable trusted access for {}", ticked(principal)),
            Self::CreateUnit { parent, .. } => {
                let within = match parent {
                    NodeRef::Known(NodeId::Unit(_)) => format!(" in {}", node(parent)),
                    _ => String::new(),
                };
                format!("create {}{within}", self.place().as_ref().map(node).unwrap_or_default())
            }
            Self::CreateAccount { .. } => format!("create {}", self.place().as_ref().map(node).unwrap_or_default()),
            Self::RenameUnit { .. } | Self::RenameAccount { .. } => {
                format!("rename {}", self.place().as_ref().map(node).unwrap_or_default())
            }
            Self::CreatePolicy { kind, .. } => {
                format!("create {} of type {}", policy(&PolicyRef::New(object.clone())), ticked(kind.as_str()))
            }
            Self::UpdatePolicy { policy: id, .. } => format!("update {}", policy(&PolicyRef::Known(id.clone()))),
            Self::Attach { policy: of, target, .. } => format!("attach {} to {}", policy(of), node(target)),
            Self::Detach { policy: id, target, .. } => {
                format!("detach {} from {}", policy(&PolicyRef::Known(id.clone())), node(target))
            }
            Self::MoveAccount { account, from, to } => {
                format!("move {} from {} to {}", node(account), node(from), node(to))
            }
            Self::Tag { resource: Tagged::Node(at), .. } => format!("tag {}", node(at)),
            Self::Tag { resource: Tagged::Policy(of), .. } => format!("tag {}", policy(of)),
            Self::PutContact { account, kind, .. } => {
                format!("set the {} contact of {}", kind.as_str().to_lowercase(), node(account))
            }
            Self::RegisterAdministrator { account, principal } => {
                format!("make {} delegated administrator of {}", node(account), ticked(principal))
            }
            Self::PutDelegationPolicy { .. } => "write the delegation policy of the organization".into(),
            Self::DeletePolicy { policy: id, .. } => format!("delete {}", policy(&PolicyRef::Known(id.clone()))),
            Self::DeleteUnit { .. } => format!("delete {}", self.place().as_ref().map(node).unwrap_or_default()),
            Self::CloseAccount { .. } => format!("close {}", self.place().as_ref().map(node).unwrap_or_default()),
        }
    }

    /// The root, OU or account that it is done to.
    #[must_use]
    pub fn place(&self) -> Option<NodeRef> {
        let unit = |id: &UnitId| NodeRef::Known(NodeId::Unit(id.clone()));
        let account = |id: &AccountId| NodeRef::Known(NodeId::Account(id.clone()));
        match self {
            Self::CreateUnit { key, .. } => Some(NodeRef::New(NodeKey::Unit(key.clone()))),
            Self::CreateAccount { key, .. } => Some(NodeRef::New(NodeKey::Account(key.clone()))),
            Self::RenameUnit { unit: id, .. } | Self::DeleteUnit { unit: id, .. } => Some(unit(id)),
            Self::RenameAccount { account: id, .. } | Self::CloseAccount { account: id, .. } => Some(account(id)),
            Self::Attach { target: at, .. }
            | Self::Detach { target: at, .. }
            | Self::MoveAccount { account: at, .. }
            | Self::PutContact { account: at, .. }
            | Self::RegisterAdministrator { account: at, .. }
            | Self::Tag { resource: Tagged::Node(at), .. } => Some(at.clone()),
            Self::EnablePolicyType { .. }
            | Self::EnableService { .. }
            | Self::CreatePolicy { .. }
            | Self::UpdatePolicy { .. }
            | Self::Tag { resource: Tagged::Policy(_), .. }
            | Self::PutDelegationPolicy { .. }
            | Self::DeletePolicy { .. } => None,
        }
    }

    /// The policy that it is done to, or with.
    #[must_use]
    pub fn of_policy(&self, object: &ObjectKey) -> Option<PolicyRef> {
        match self {
            Self::CreatePolicy { .. } => Some(PolicyRef::New(object.clone())),
            Self::UpdatePolicy { policy, .. } | Self::Detach { policy, .. } | Self::DeletePolicy { policy, .. } => {
                Some(PolicyRef::Known(policy.clone()))
            }
            Self::Attach { policy, .. } | Self::Tag { resource: Tagged::Policy(policy), .. } => Some(policy.clone()),
            _ => None,
        }
    }

    /// The fields that get another value; where an account is moved to and the text of a policy are told apart.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        match self {
            Self::RenameUnit { name, .. } | Self::RenameAccount { name, .. } => vec![Field::edited("name", name)],
            Self::CreateUnit { tags, .. } => born(tags),
            Self::CreatePolicy { description, tags, .. } => {
                let description = Some(description).filter(|text| !text.is_empty());
                description.map(|text| Field::new("description", None, text)).into_iter().chain(born(tags)).collect()
            }
            Self::UpdatePolicy { name, description, .. } => [("name", name), ("description", description)]
                .into_iter()
                .filter_map(|(field, edit)| edit.as_ref().map(|edit| Field::edited(field, edit)))
                .collect(),
            Self::Tag { set, before, .. } => {
                set.iter().map(|(key, to)| Field::new(&format!("tag {key}"), before.get(key), to)).collect()
            }
            Self::PutContact { contact, before, .. } => {
                let rows = |of: &Contact| [of.name.clone(), of.title.clone(), of.email.clone(), of.phone.clone()];
                let old: Vec<Option<String>> =
                    before.as_ref().map_or(vec![None; 4], |before| rows(before).map(Some).into());
                let fields = ["name", "title", "email", "phone"].into_iter().zip(old).zip(rows(contact));
                fields
                    .filter(|((_, old), new)| old.as_ref() != Some(new))
                    .map(|((field, old), new)| Field::new(field, old.as_deref(), &new))
                    .collect()
            }
            Self::CreateAccount { email, role_name, tags, .. } => {
                let role = role_name.as_ref().map(|role| Field::new("role", None, role));
                [Field::new("email", None, email)].into_iter().chain(role).chain(born(tags)).collect()
            }
            _ => vec![],
        }
    }

    /// The text of a policy that it writes.
    #[must_use]
    pub fn text(&self) -> Option<Text<'_>> {
        match self {
            Self::CreatePolicy { kind, content, .. } => Some(Text { kind: kind.clone(), from: None, to: content }),
            Self::UpdatePolicy { kind, content: Some(edit), .. } => {
                Some(Text { kind: kind.clone(), from: Some(&edit.from), to: &edit.to })
            }
            Self::PutDelegationPolicy { content, before } => {
                Some(Text { kind: PolicyType::new(DELEGATION_POLICY), from: before.as_deref(), to: content })
            }
            _ => None,
        }
    }
}

/// Tags of something new; those by which bylaw finds it again are on everything and told by nobody.
fn born(tags: &Tags) -> Vec<Field> {
    tags.iter()
        .filter(|(key, _)| !matches!(*key, TAG_RESOURCE | TAG_MANAGED_BY))
        .map(|(key, value)| Field::new(&format!("tag {key}"), None, value))
        .collect()
}
