//! What bylaw made and no manifest declares any more. Absence is not a delete: it is told, and deleted only where the
//! object had opted in (the tag says so) and the person asks for it.

use std::collections::BTreeSet;

use super::super::model::{Action, NodeRef, Reason, Stage};
use super::super::partial::Partial;
use super::{Delta, Options};
use crate::names::{Kind, NodeId, ObjectKey, PolicyId, TAG_DELETION, TAG_MANAGED_BY, TAG_RESOURCE, Tags, UnitId};
use crate::observed::Part;

impl Delta<'_> {
    pub(super) fn removed(&mut self, options: &Options) {
        self.removed_policies(options);
        self.removed_units(options);
        self.removed_accounts(options);
    }

    /// The object that a tag names, if nobody declares it and none of the unreadable ones can be it.
    fn orphan(&self, tags: &Part<Tags>, kind: Kind, id: &str, name: &str) -> Option<(ObjectKey, Option<String>)> {
        let tags = tags.get()?;
        let tag = tags.get(TAG_RESOURCE)?;
        // What another Organization object manages is that one's to delete.
        if tags.get(TAG_MANAGED_BY).is_some_and(|manager| *manager != *self.desired.organization.key.name) {
            return None;
        }
        let key: ObjectKey = tag.parse().ok()?;
        let declared = match key.kind {
            Kind::Organization => true,
            Kind::OrganizationalUnit => self.desired.units.contains_key(&key.name),
            Kind::Account => self.desired.accounts.contains_key(&key.name),
            Kind::OrganizationPolicy => self.desired.policies.contains_key(&key.name),
        };
        let broken = self.desired.may_be_broken(kind, id, name, Some(tag));
        (!declared && !broken && key.kind == kind && !self.is_claimed(kind, id, name))
            .then(|| (key, tags.get(TAG_DELETION).map(str::to_owned)))
    }

    /// Whether a declared object means this very thing, by its id or by its name: one that cannot be bound just now, or that
    /// was renamed in the manifests. What somebody declares is not deleted for what its tag says.
    fn is_claimed(&self, kind: Kind, id: &str, name: &str) -> bool {
        match kind {
            Kind::Organization => false,
            Kind::OrganizationalUnit => {
                self.desired.units.values().any(|unit| unit.id.as_deref() == Some(id) || unit.spec.name == name)
            }
            Kind::Account => {
                let email = id.parse().ok().and_then(|id| self.observed.accounts.get(&id)).map(|found| &found.email);
                self.desired.accounts.values().any(|account| {
                    let same = |declared: &String| email.is_some_and(|email| email.eq_ignore_ascii_case(declared));
                    account.id.as_deref() == Some(id)
                        || account.spec.account_id.as_ref().is_some_and(|declared| declared.as_str() == id)
                        || account.spec.email.as_ref().is_some_and(same)
                })
            }
            Kind::OrganizationPolicy => self
                .desired
                .policies
                .values()
                .any(|policy| policy.id.as_deref() == Some(id) || policy.spec.name == name),
        }
    }

    /// Whether to delete, and a note where not.
    fn deletes(&mut self, key: &ObjectKey, what: &str, opted: Option<&str>, opt_in: &str, options: &Options) -> bool {
        match opted {
            Some(policy) if policy == opt_in && (options.prune || options.deleted.contains(key)) => true,
            Some(policy) if policy == opt_in => {
                self.note(
                    key,
                    format!("{what} is declared by nobody; its deletion policy is `{opt_in}`: `--prune` deletes it"),
                );
                false
            }
            _ => {
                self.note(key, format!("{what} is declared by nobody and is kept"));
                false
            }
        }
    }

    fn removed_policies(&mut self, options: &Options) {
        let detached: BTreeSet<(PolicyId, NodeId)> = self
            .changes
            .iter()
            .filter_map(|change| match &change.action {
                Action::Detach { policy, target: NodeRef::Known(node), .. } => Some((policy.clone(), node.clone())),
                _ => None,
            })
            .collect();
        for (id, policy) in &self.observed.policies {
            if self.binding.policy_objects.contains_key(id) {
                continue;
            }
            let Some((key, opted)) = self.orphan(&policy.tags, Kind::OrganizationPolicy, id.as_str(), &policy.name)
            else {
                continue;
            };
            if !self.deletes(&key, &format!("policy `{}` (`{id}`)", policy.name), opted.as_deref(), "Delete", options) {
                continue;
            }
            if super::matches_any(&self.desired.organization.spec.ignore.policies, &policy.name) {
                self.note(&key, format!("policy `{}` is ignored (`spec.ignore`) and kept", policy.name));
                continue;
            }
            let what = format_args!("where policy `{}` (`{id}`) is attached", policy.name);
            let Some(targets) = self.known(&key, what, &policy.targets) else { continue };
            if let Some(node) = targets.iter().find(|node| !self.is_open(node)) {
                self.refuse(
                    "not-empty",
                    &key,
                    format!(
                        "policy `{}` is attached to `{}`, which is left alone",
                        policy.name,
                        self.observed.name(node)
                    ),
                    "detach it there by hand, or let go of it by `deletionPolicy: Retain` in its tag",
                );
                continue;
            }
            for node in targets {
                let target = NodeRef::Known(node.clone());
                // What is attached where attachments are exclusive is detached there already.
                if detached.contains(&(id.clone(), node.clone())) {
                    continue;
                }
                let action = Action::Detach { policy: id.clone(), kind: policy.kind.clone(), target };
                self.push(&key, Stage::Detach, action, Reason::Removed, vec![]);
            }
            let action =
                Action::DeletePolicy { policy: id.clone(), kind: policy.kind.clone(), name: policy.name.clone() };
            self.push(&key, Stage::Delete, action, Reason::Removed, vec![]);
        }
    }

    fn removed_units(&mut self, options: &Options) {
        let mut gone: Vec<(usize, UnitId, ObjectKey)> = vec![];
        for (id, unit) in &self.observed.units {
            let node = NodeId::Unit(id.clone());
            if self.binding.node_objects.contains_key(&node) {
                continue;
            }
            let Some((key, opted)) = self.orphan(&unit.tags, Kind::OrganizationalUnit, id.as_str(), &unit.name) else {
                continue;
            };
            if !self.is_open(&node) {
                self.note(&key, format!("OU `{}` (`{id}`) is ignored, or below what is, and kept", unit.name));
                continue;
            }
            if self.deletes(&key, &format!("OU `{}` (`{id}`)", unit.name), opted.as_deref(), "Delete", options) {
                gone.push((self.observed.chain(&node).len(), id.clone(), key));
            }
        }
        gone.sort();
        for (_, id, key) in gone.iter().rev() {
            if let Some(gap) = self.observed.gaps.first() {
                let why = Partial::gap(gap).so(&format!("what is in OU `{id}` is not known"));
                self.refuse_partial(key, why, "nothing is deleted from a partial reading");
                continue;
            }
            if let Some(why) = self.keeps_unit(id) {
                self.refuse("not-empty", key, why, "move the accounts and remove the OUs below it first");
                continue;
            }
            let name = self.observed.name(&NodeId::Unit(id.clone())).to_owned();
            let action = Action::DeleteUnit { unit: id.clone(), name };
            self.push(key, Stage::Delete, action, Reason::Removed, vec![]);
        }
    }

    /// Why an OU cannot be deleted: something stays in it or comes into it.
    fn keeps_unit(&self, id: &UnitId) -> Option<String> {
        let node = NodeId::Unit(id.clone());
        for (child, unit) in &self.observed.units {
            let goes = |action: &Action| matches!(action, Action::DeleteUnit { unit, .. } if unit == child);
            if unit.parent == node && !self.changes.iter().any(|change| goes(&change.action)) {
                return Some(format!("the OU `{}` is in it", unit.name));
            }
        }
        for (child, account) in &self.observed.accounts {
            if account.parent.as_ref() != Some(&node) {
                continue;
            }
            let own = NodeRef::Known(NodeId::Account(child.clone()));
            let leaves = |action: &Action| matches!(action, Action::MoveAccount { account, .. } if *account == own);
            if !self.changes.iter().any(|change| leaves(&change.action)) {
                return Some(format!("the account `{}` (`{child}`) is in it", account.name));
            }
        }
        None
    }

    fn removed_accounts(&mut self, options: &Options) {
        for (id, account) in &self.observed.accounts {
            let node = NodeId::Account(id.clone());
            let active = account.state == crate::aws::port::AccountState::Active;
            if self.binding.node_objects.contains_key(&node) || !active || self.observed.is_management(&node) {
                continue;
            }
            let Some((key, opted)) = self.orphan(&account.tags, Kind::Account, id.as_str(), &account.name) else {
                continue;
            };
            if !self.is_open(&node) {
                self.note(&key, format!("account `{}` (`{id}`) is ignored, or below what is, and kept", account.name));
                continue;
            }
            if self.deletes(&key, &format!("account `{}` (`{id}`)", account.name), opted.as_deref(), "Close", options) {
                let action = Action::CloseAccount { account: id.clone(), name: account.name.clone() };
                self.push(&key, Stage::Delete, action, Reason::Removed, vec![]);
            }
        }
    }
}
