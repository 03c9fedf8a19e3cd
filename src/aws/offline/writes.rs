//! The operations that write, in AWS's order of checks: form of the input, what is named is there, quotas and rules.
//! Here the tree and its accounts; policies are in `policies`, what concerns services in `services`.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::reads::{no_account, no_target, no_unit};
use super::refusal::{self, Refusal};
use super::state::{Account, Due, State, Unit};
use crate::aws::port::{AccountState, Creation, CreationState, Request, Resource, Response, UnitFact};
use crate::names::{AccountId, NodeId, Tags, UnitId};

/// What a write depends on beside the state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    /// Time since the organization began.
    pub(super) now: Duration,
    /// The same as a time of day.
    pub(super) wall: Timestamp,
    pub(super) account_limit: usize,
    pub(super) creation_delay: Duration,
    pub(super) closing_delay: Duration,
    pub(super) enabling_delay: Duration,
}

const MAX_UNITS: usize = 2_000;
const MAX_DEPTH: usize = 5;
const MAX_CREATIONS: usize = 5;
const MAX_CLOSURES: usize = 3;
const THIRTY_DAYS: Duration = Duration::from_secs(30 * 24 * 3_600);

impl State {
    pub(super) fn write(&mut self, request: &Request, at: &Circumstances) -> Result<Response, Refusal> {
        match request {
            Request::CreateOrganizationalUnit { parent, name, tags } => self.create_unit(parent, name, tags),
            Request::UpdateOrganizationalUnit { unit, name } => self.rename_unit(unit, name),
            Request::DeleteOrganizationalUnit { unit } => self.delete_unit(unit),
            Request::CreateAccount { name, email, role_name, tags } => {
                self.create_account(name, email, role_name.as_deref(), tags, at)
            }
            Request::MoveAccount { account, from, to } => self.move_account(account, from, to),
            Request::CloseAccount { account } => self.close_account(account, at),
            Request::PutAccountName { account, name } => self.rename_account(account, name),
            Request::TagResource { resource, tags } => self.tag(resource, tags),
            Request::UntagResource { resource, keys } => self.untag(resource, keys),
            Request::EnablePolicyType { root, kind } => self.enable_policy_type(root, kind, at),
            Request::CreatePolicy { kind, name, description, content, tags } => {
                self.create_policy(kind, name, description, content, tags)
            }
            Request::UpdatePolicy { policy, name, description, content } => {
                self.update_policy(policy, name.as_deref(), description.as_deref(), content.as_deref())
            }
            Request::DeletePolicy { policy } => self.delete_policy(policy),
            Request::AttachPolicy { policy, target } => self.attach_policy(policy, target),
            Request::DetachPolicy { policy, target } => self.detach_policy(policy, target),
            Request::EnableAWSServiceAccess { principal } => self.enable_service(principal),
            Request::RegisterDelegatedAdministrator { account, principal } => {
                self.register_administrator(account, principal)
            }
            Request::PutResourcePolicy { content } => self.put_delegation_policy(content),
            Request::PutAlternateContact { account, kind, contact } => self.put_contact(account, *kind, contact),
            _ => Err(Refusal::input("INVALID_ENUM", "this operation reads")),
        }
    }

    fn create_unit(&mut self, parent: &NodeId, name: &str, tags: &Tags) -> Result<Response, Refusal> {
        refusal::text("Name", name, 1, 128, refusal::any)?;
        refusal::tags(tags)?;
        self.parent_node(parent)?;
        if self.unit_named(parent, name).is_some() {
            return Err(duplicate_unit());
        }
        if self.units.len() >= MAX_UNITS {
            return Err(Refusal::constraint(
                "OU_NUMBER_LIMIT_EXCEEDED",
                "You attempted to exceed the number of OUs that you can have in an organization.",
            ));
        }
        if self.depth(parent) >= MAX_DEPTH {
            return Err(Refusal::constraint(
                "OU_DEPTH_LIMIT_EXCEEDED",
                "You attempted to create an OU tree that is too many levels deep.",
            ));
        }
        refusal::tag_count(tags.len())?;
        let id = self.mint_unit();
        self.put_unit(id.clone(), Unit { name: name.to_owned(), parent: parent.clone(), tags: tags.clone() });
        self.attach_defaults(&NodeId::Unit(id.clone()));
        Ok(Response::UnitCreated(UnitFact { id, name: name.to_owned() }))
    }

    fn rename_unit(&mut self, id: &UnitId, name: &str) -> Result<Response, Refusal> {
        refusal::text("Name", name, 1, 128, refusal::any)?;
        let unit = self.units.get(id).ok_or_else(|| no_unit(id))?.clone();
        if self.unit_named(&unit.parent, name).is_some_and(|other| other != id) {
            return Err(duplicate_unit());
        }
        self.put_unit(id.clone(), Unit { name: name.to_owned(), ..unit });
        Ok(Response::Done)
    }

    /// Attachments of the OU go with it: it always has one while SCPs are on, and AWS lets it be deleted.
    fn delete_unit(&mut self, id: &UnitId) -> Result<Response, Refusal> {
        if !self.units.contains_key(id) {
            return Err(no_unit(id));
        }
        let node = NodeId::Unit(id.clone());
        let units = self.units_below.get(&node).is_some_and(|below| !below.is_empty());
        let accounts = self.accounts_below.get(&node).is_some_and(|below| !below.is_empty());
        if units || accounts {
            return Err(Refusal::new(
                "OrganizationalUnitNotEmptyException",
                "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child OUs, and try the operation again.",
            ));
        }
        self.take_unit(id);
        Ok(Response::Done)
    }

    fn create_account(
        &mut self,
        name: &str,
        email: &str,
        role_name: Option<&str>,
        tags: &Tags,
        at: &Circumstances,
    ) -> Result<Response, Refusal> {
        refusal::text("AccountName", name, 1, 50, |c| (' '..='~').contains(&c))?;
        refusal::email(email)?;
        if let Some(role) = role_name {
            refusal::text("RoleName", role, 1, 64, refusal::word)?;
            if role.starts_with("AWSServiceRoleFor") {
                return Err(Refusal::input("INVALID_ROLE_NAME", "A role name can't begin with AWSServiceRoleFor."));
            }
        }
        refusal::tags(tags)?;
        refusal::tag_count(tags.len())?;
        let under_way: Vec<&str> = self
            .due
            .values()
            .filter_map(|due| match due {
                Due::Creation { email, .. } => Some(email.as_str()),
                _ => None,
            })
            .collect();
        if under_way.len() >= MAX_CREATIONS {
            return Err(Refusal::constraint(
                "ACCOUNT_CREATION_RATE_LIMIT_EXCEEDED",
                "You can have only 5 account creations in progress at one time.",
            ));
        }
        if self.accounts.len() + under_way.len() >= at.account_limit {
            return Err(Refusal::constraint(
                "ACCOUNT_NUMBER_LIMIT_EXCEEDED",
                "You attempted to exceed the limit on the number of accounts in an organization.",
            ));
        }
        let doomed = self.account_of(email).is_some()
            || under_way.iter().any(|other| super::state::email_key(other) == super::state::email_key(email));
        let id = self.mint_creation();
        let creation = Creation {
            id: id.clone(),
            account_name: name.to_owned(),
            state: CreationState::InProgress,
            account: None,
            failure: None,
            requested: Some(at.wall),
        };
        std::sync::Arc::make_mut(&mut self.creations).insert(id.clone(), creation.clone());
        let due = Due::Creation { id, name: name.to_owned(), email: email.to_owned(), tags: tags.clone(), doomed };
        self.later(at.now + at.creation_delay, due);
        Ok(Response::Creation(creation))
    }

    fn move_account(&mut self, id: &AccountId, from: &NodeId, to: &NodeId) -> Result<Response, Refusal> {
        let account = self.accounts.get(id).ok_or_else(|| no_account(id))?.clone();
        if matches!(from, NodeId::Account(_)) || !self.has(from) {
            return Err(no_source(from));
        }
        if matches!(to, NodeId::Account(_)) || !self.has(to) {
            return Err(Refusal::new(
                "DestinationParentNotFoundException",
                format!("You specified a destination parent that doesn't exist: {to}"),
            ));
        }
        if account.parent == *to {
            return Err(Refusal::new(
                "DuplicateAccountException",
                "That account is already present in the specified destination.",
            ));
        }
        if account.parent != *from {
            return Err(no_source(from));
        }
        self.put_account(id.clone(), Account { parent: to.clone(), ..account });
        Ok(Response::Done)
    }

    fn close_account(&mut self, id: &AccountId, at: &Circumstances) -> Result<Response, Refusal> {
        self.all_features()?;
        let account = self.accounts.get(id).ok_or_else(|| no_account(id))?;
        if *id == self.organization.management_account {
            return Err(Refusal::constraint(
                "CANNOT_CLOSE_MANAGEMENT_ACCOUNT",
                "You attempted to close the management account.",
            ));
        }
        match account.state {
            AccountState::Active | AccountState::PendingActivation => {}
            AccountState::Suspended | AccountState::Closed => {
                return Err(Refusal::new(
                    "AccountAlreadyClosedException",
                    "You attempted to close an account that is already closed.",
                ));
            }
            AccountState::PendingClosure => {
                return Err(Refusal::new(
                    "ConflictException",
                    "The request failed because it conflicts with the current state of the specified resource.",
                ));
            }
        }
        let under_way = self.due.values().filter(|due| matches!(due, Due::Closure(_))).count();
        if under_way >= MAX_CLOSURES {
            return Err(Refusal::constraint(
                "CLOSE_ACCOUNT_REQUESTS_LIMIT_EXCEEDED",
                "You attempted to exceed the number of accounts that you can close at a time.",
            ));
        }
        self.closed.retain(|when| at.now.saturating_sub(*when) < THIRTY_DAYS);
        let quota = (self.accounts.len() / 5).clamp(250, 1_000);
        if self.closed.len() >= quota {
            return Err(Refusal::constraint(
                "CLOSE_ACCOUNT_QUOTA_EXCEEDED",
                "You have exceeded close account quota for the past 30 days.",
            ));
        }
        self.closed.push(at.now);
        if let Some(account) = self.account_mut(id) {
            account.state = AccountState::PendingClosure;
        }
        self.later(at.now + at.closing_delay, Due::Closure(id.clone()));
        Ok(Response::Done)
    }

    fn rename_account(&mut self, id: &AccountId, name: &str) -> Result<Response, Refusal> {
        refusal::text("AccountName", name, 1, 50, |c| (' '..='~').contains(&c) && c != '<' && c != '>').map_err(
            |_| Refusal::new("ValidationException", "AccountName is 1 to 50 characters of ASCII without `<` and `>`."),
        )?;
        self.managed_account(id)?;
        if let Some(account) = self.account_mut(id) {
            account.name = name.to_owned();
        }
        Ok(Response::Done)
    }

    fn tags_of(&mut self, resource: &Resource) -> Option<&mut Tags> {
        match resource {
            Resource::Node(node) => self.tags_mut(node),
            Resource::Policy(id) => {
                if self.policies.get(id).is_some_and(|policy| policy.aws_managed) {
                    return None;
                }
                self.policy_tags_mut(id)
            }
        }
    }

    fn tag(&mut self, resource: &Resource, tags: &Tags) -> Result<Response, Refusal> {
        refusal::tags(tags)?;
        let own = self.tags_of(resource).ok_or_else(|| no_target(resource.as_str()))?;
        let fresh = tags.keys().filter(|key| !own.contains_key(key)).count();
        refusal::tag_count(own.len() + fresh)?;
        own.extend(tags);
        Ok(Response::Done)
    }

    fn untag(&mut self, resource: &Resource, keys: &[String]) -> Result<Response, Refusal> {
        refusal::tag_keys(keys)?;
        let own = self.tags_of(resource).ok_or_else(|| no_target(resource.as_str()))?;
        for key in keys {
            own.remove(key);
        }
        Ok(Response::Done)
    }

    /// Notes what AWS does at a later time.
    pub(super) fn later(&mut self, at: Duration, due: Due) {
        self.ordinal += 1;
        self.due.insert((at, self.ordinal), due);
    }

    /// Whether [`State::settle`] has something to do.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.due.first_key_value().is_some_and(|((at, _), _)| *at <= now)
    }

    /// Does what is due by `now`. Called at the start of every call, so that the state is never behind.
    pub(super) fn settle(&mut self, now: Duration) {
        while let Some(first) = self.due.first_entry()
            && first.key().0 <= now
        {
            match first.remove() {
                Due::Closure(id) => {
                    if let Some(account) = self.account_mut(&id) {
                        account.state = AccountState::Suspended;
                    }
                }
                Due::Enabled(kind) => self.set_policy_type(&kind, true),
                Due::Creation { id, name, email, tags, doomed } => {
                    let account = (!doomed && self.account_of(&email).is_none()).then(|| self.mint_account());
                    if let Some(creation) = std::sync::Arc::make_mut(&mut self.creations).get_mut(&id) {
                        creation.state =
                            if account.is_some() { CreationState::Succeeded } else { CreationState::Failed };
                        creation.failure = account.is_none().then(|| "EMAIL_ALREADY_EXISTS".to_owned());
                        creation.account.clone_from(&account);
                    }
                    if let Some(account) = account {
                        self.join(account, name, email, tags);
                    }
                }
            }
        }
    }

    /// A new account, which lands in the root.
    pub(super) fn join(&mut self, id: AccountId, name: String, email: String, tags: Tags) {
        let parent = self.root_node();
        let node = NodeId::Account(id.clone());
        let contacts = std::collections::BTreeMap::new();
        self.put_account(id, Account { name, email, state: AccountState::Active, parent, tags, contacts });
        self.attach_defaults(&node);
    }
}

fn duplicate_unit() -> Refusal {
    Refusal::new("DuplicateOrganizationalUnitException", "An OU with the same name already exists.")
}
fn no_source(node: &NodeId) -> Refusal {
    Refusal::new(
        "SourceParentNotFoundException",
        format!("You specified a source parent that doesn't exist or does not hold the account: {node}"),
    )
}
