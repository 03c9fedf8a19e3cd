//! Whether AWS is as declared, compared object by object without the engine's help.

use std::collections::{BTreeMap, BTreeSet};

use bylaw::api::{Attachments, BaseAccess};
use bylaw::aws::offline::State;
use bylaw::aws::port::AccountState;
use bylaw::desired::{Desired, NodeKey};
use bylaw::names::{NodeId, PolicyId, TAG_DELETION, TAG_RESOURCE, Tags, glob};
use bylaw::plan::{Guarded, Plan};

use super::model::says;

/// Rules that may still refuse something when all is quiet: what only a person can decide.
const FINAL: &[&str] = &[
    "account-inactive",
    "ambiguous-name",
    "ambiguous-tag",
    "bound-id-missing",
    "depends",
    "excluding-unknown",
    "exists",
    "hold",
    "ignored",
    "last-policy",
    "missing",
    "move-unit",
    "not-empty",
    "shared",
    "slots",
    "taken",
    "window",
];

/// `Ok`: how many things were compared.
pub fn compare(desired: &Desired, state: &State, left: &Plan<Guarded>) -> Result<u64, String> {
    for refusal in &left.refusals {
        if !FINAL.contains(&refusal.rule) {
            return Err(format!("refused at the end by `{}`: {}", refusal.rule, refusal.message));
        }
    }
    if !left.refusals.is_empty() {
        return Ok(1);
    }
    Compare { desired, state, places: places(desired, state), checks: 0 }.all()
}

/// The node of each declared one: by tag, else by what the manifest says of it.
fn places(desired: &Desired, state: &State) -> BTreeMap<NodeKey, NodeId> {
    let mut places = BTreeMap::from([(NodeKey::Root, state.root_node())]);
    let tagged = |tags: &Tags, key: &str| tags.get(TAG_RESOURCE).is_some_and(|tag| tag == key);
    let mut left: Vec<_> = desired.units.iter().collect();
    while !left.is_empty() {
        let count = left.len();
        left.retain(|(name, unit)| {
            let Some(parent) = places.get(&unit.spec.parent).cloned() else { return true };
            let found = state.units().iter().find(|(_, found)| tagged(&found.tags, &unit.key.to_string()));
            let found = found.map(|(id, _)| id).or_else(|| state.unit_named(&parent, &unit.spec.name));
            if let Some(id) = found {
                places.insert(NodeKey::Unit((*name).clone()), NodeId::Unit(id.clone()));
            }
            false
        });
        if left.len() == count {
            break;
        }
    }
    for (name, account) in &desired.accounts {
        let by_tag = || state.accounts().iter().find(|(_, found)| tagged(&found.tags, &account.key.to_string()));
        let id = account.spec.account_id.clone().or_else(|| by_tag().map(|(id, _)| id.clone()));
        let id = id.or_else(|| state.account_of(account.spec.email.as_deref()?).cloned());
        if let Some(id) = id {
            places.insert(NodeKey::Account(name.clone()), NodeId::Account(id));
        }
    }
    places
}

struct Compare<'a> {
    desired: &'a Desired,
    state: &'a State,
    places: BTreeMap<NodeKey, NodeId>,
    checks: u64,
}

impl Compare<'_> {
    fn all(mut self) -> Result<u64, String> {
        self.units()?;
        self.accounts()?;
        self.policies()?;
        self.nodes()?;
        self.orphans()?;
        for kind in &self.desired.organization.spec.policy_types {
            self.check(self.state.is_enabled(kind), || format!("`{kind}` is off"))?;
        }
        Ok(self.checks)
    }

    fn check(&mut self, holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
        self.checks += 1;
        if holds { Ok(()) } else { Err(format!("not as declared: {}", what())) }
    }

    /// Left alone: suspended or ignored, or below what is.
    fn is_closed(&self, node: &NodeId) -> bool {
        let ignore = &self.desired.organization.spec.ignore;
        let mut at = Some(node);
        while let Some(node) = at {
            let any = |patterns: &[String], text: &str| patterns.iter().any(|pattern| glob(pattern, text));
            let to_be = self.places.iter().find(|(_, id)| *id == node).and_then(|(key, _)| match key {
                NodeKey::Unit(name) => Some(self.desired.units[name].spec.name.as_str()),
                _ => None,
            });
            let ignored = match node {
                NodeId::Root(_) => false,
                NodeId::Unit(id) => {
                    any(&ignore.organizational_units, &self.state.units()[id].name)
                        || to_be.is_some_and(|name| any(&ignore.organizational_units, name))
                }
                NodeId::Account(id) => any(&ignore.accounts, id.as_str()),
            };
            if ignored {
                return true;
            }
            at = self.state.parent(node);
        }
        let Some((key, _)) = self.places.iter().find(|(_, id)| *id == node) else { return false };
        match key {
            NodeKey::Root => false,
            NodeKey::Unit(name) => self.desired.units[name].suspend,
            NodeKey::Account(name) => self.desired.accounts[name].suspend,
        }
    }

    fn tags(&mut self, what: &str, found: &Tags, wanted: &Tags) -> Result<(), String> {
        self.check(wanted.iter().all(|(key, value)| found.get(key) == Some(value)), || format!("tags of {what}"))
    }

    fn units(&mut self) -> Result<(), String> {
        for (name, unit) in self.desired.units.iter().filter(|(_, unit)| !unit.suspend) {
            let node = self.places.get(&NodeKey::Unit(name.clone())).cloned();
            self.check(node.is_some(), || format!("{} is not there", unit.key))?;
            let Some(NodeId::Unit(id)) = node else { continue };
            if self.is_closed(&NodeId::Unit(id.clone())) {
                continue;
            }
            let found = self.state.units()[&id].clone();
            self.check(found.name == unit.spec.name, || format!("{} is named `{}`", unit.key, found.name))?;
            let parent = self.places.get(&unit.spec.parent).cloned();
            self.check(parent.as_ref() == Some(&found.parent), || format!("{} is elsewhere", unit.key))?;
            self.tags(&unit.key.to_string(), &found.tags, &unit.spec.tags)?;
        }
        Ok(())
    }

    fn accounts(&mut self) -> Result<(), String> {
        for (name, account) in self.desired.accounts.iter().filter(|(_, account)| !account.suspend) {
            let node = self.places.get(&NodeKey::Account(name.clone())).cloned();
            self.check(node.is_some(), || format!("{} is not there", account.key))?;
            let Some(NodeId::Account(id)) = node else { continue };
            if self.is_closed(&NodeId::Account(id.clone())) {
                continue;
            }
            let found = self.state.accounts()[&id].clone();
            self.check(Some(&found.name) == account.spec.name.as_ref(), || format!("name of {}", account.key))?;
            let parent = self.places.get(&account.spec.parent).cloned();
            self.check(parent.as_ref() == Some(&found.parent), || format!("{} is elsewhere", account.key))?;
            self.tags(&account.key.to_string(), &found.tags, &account.spec.tags)?;
            let same = account.spec.contacts.iter().all(|(kind, contact)| found.contacts.get(kind) == Some(contact));
            self.check(same, || format!("contacts of {}", account.key))?;
            if let Some(services) = self.desired.organization.spec.administrators.get(name) {
                let has = self.state.administrators.get(&id).is_some_and(|has| services.is_subset(has));
                self.check(has, || format!("{} is no administrator", account.key))?;
            }
        }
        Ok(())
    }

    fn policy(&self, name: &str) -> Option<PolicyId> {
        let policy = &self.desired.policies[name];
        let key = policy.key.to_string();
        let tagged = self.state.policies().iter().find(|(_, found)| found.tags.get(TAG_RESOURCE) == Some(&key));
        tagged
            .map(|(id, _)| id.clone())
            .or_else(|| self.state.policy_named(&policy.spec.kind, &policy.spec.name).cloned())
    }

    fn policies(&mut self) -> Result<(), String> {
        for (name, policy) in self.desired.policies.iter().filter(|(_, policy)| !policy.suspend) {
            let ignore = &self.desired.organization.spec.ignore.policies;
            if ignore.iter().any(|pattern| glob(pattern, &policy.spec.name)) {
                continue;
            }
            let id = self.policy(name);
            self.check(id.is_some(), || format!("{} is not there", policy.key))?;
            let Some(id) = id else { continue };
            let found = self.state.policies()[&id].clone();
            if ignore.iter().any(|pattern| glob(pattern, &found.name)) {
                continue;
            }
            self.check(found.name == policy.spec.name, || format!("name of {}", policy.key))?;
            self.tags(&policy.key.to_string(), &found.tags, &policy.spec.tags)?;
            let (is, shall) = (says(&found.kind, &found.content), says(&found.kind, policy.spec.content.minified()));
            self.check(is == shall, || format!("content of {}", policy.key))?;
            let node = |key: &NodeKey| self.places.get(key).cloned();
            let targets: BTreeSet<NodeId> = policy.spec.targets.iter().filter_map(node).collect();
            let holes: BTreeSet<NodeId> = policy.spec.excluding.iter().filter_map(node).collect();
            let attached = self.state.targets(&id);
            if policy.spec.excluding.is_empty() {
                let open = |nodes: &BTreeSet<NodeId>| -> BTreeSet<NodeId> {
                    nodes.iter().filter(|node| !self.is_closed(node) && !self.is_management(node)).cloned().collect()
                };
                let (is, shall) = (open(&attached), open(&targets));
                self.check(is == shall, || format!("{} is attached to {is:?}, not {shall:?}", policy.key))?;
                continue;
            }
            for account in self.state.accounts().keys().map(|id| NodeId::Account(id.clone())) {
                let mut path = vec![account.clone()];
                while let Some(parent) = self.state.parent(path.last().unwrap()) {
                    path.push(parent.clone());
                }
                if path.iter().any(|node| self.is_closed(node)) || self.is_management(&account) {
                    continue;
                }
                let on = |nodes: &BTreeSet<NodeId>| path.iter().any(|node| nodes.contains(node));
                // The nearest word counts.
                let nearest = path.iter().find(|node| targets.contains(node) || holes.contains(node));
                let (bound, shall) = (on(&attached), nearest.is_some_and(|node| targets.contains(node)));
                self.check(bound == shall, || format!("{} binds `{account}`: {bound}; attached {attached:?}, targets {targets:?}, holes {holes:?}, path {path:?}", policy.key))?;
            }
        }
        Ok(())
    }

    fn is_management(&self, node: &NodeId) -> bool {
        node.as_str() == self.state.organization.management_account.as_str()
    }

    fn nodes(&mut self) -> Result<(), String> {
        let organization = &self.desired.organization.spec;
        for (key, node) in self.places.clone() {
            let (attachments, base) = match &key {
                NodeKey::Root => (organization.attachments, organization.base_access),
                NodeKey::Unit(name) => {
                    (self.desired.units[name].spec.attachments, self.desired.units[name].spec.base_access)
                }
                NodeKey::Account(name) => (Attachments::Additive, self.desired.accounts[name].spec.base_access),
            };
            if self.is_closed(&node) {
                continue;
            }
            let full: PolicyId = "p-FullAWSAccess".parse().unwrap();
            let has = self.state.is_attached(&full, &node);
            if let Some(base) = base {
                self.check((base == BaseAccess::Full) == has, || format!("base access of {key}"))?;
            }
            if attachments != Attachments::Exclusive {
                continue;
            }
            let mine: BTreeSet<PolicyId> = self.desired.policies.keys().filter_map(|name| self.policy(name)).collect();
            for id in self.state.attached(&node) {
                let found = &self.state.policies()[&id];
                let ignored = organization.ignore.policies.iter().any(|pattern| glob(pattern, &found.name));
                let allowed = mine.contains(&id) || found.aws_managed || ignored || !self.desired.broken.is_empty();
                let name = found.name.clone();
                self.check(allowed, || format!("`{name}` is attached to {key}, which is exclusive"))?;
            }
        }
        Ok(())
    }

    /// What opted in to deletion and is declared no more is gone.
    fn orphans(&mut self) -> Result<(), String> {
        if !self.desired.broken.is_empty() {
            return Ok(());
        }
        for (id, policy) in self.state.policies().clone() {
            let Some(tag) = policy.tags.get(TAG_RESOURCE) else { continue };
            let declared = self.desired.policies.values().any(|policy| policy.key.to_string() == *tag);
            let ignored =
                self.desired.organization.spec.ignore.policies.iter().any(|pattern| glob(pattern, &policy.name));
            let opted = policy.tags.get(TAG_DELETION).is_some_and(|opted| opted == "Delete");
            let closed = self.state.targets(&id).iter().any(|node| self.is_closed(node));
            self.check(declared || ignored || closed || !opted, || format!("`{}` should be gone", policy.name))?;
        }
        for (id, account) in self.state.accounts().clone() {
            let Some(tag) = account.tags.get(TAG_RESOURCE) else { continue };
            let node = NodeId::Account(id.clone());
            let declared = self.places.values().any(|place| *place == node)
                || self.desired.accounts.values().any(|account| account.key.to_string() == *tag);
            let gone = account.state != AccountState::Active || self.is_closed(&node);
            let opted = account.tags.get(TAG_DELETION).is_some_and(|opted| opted == "Close");
            let email = |declared: &String| declared.eq_ignore_ascii_case(&account.email);
            let claimed = self.desired.accounts.values().any(|other| {
                other.spec.account_id.as_ref() == Some(&id) || other.spec.email.as_ref().is_some_and(email)
            });
            let ours = tag.starts_with("Account/") && !claimed;
            self.check(declared || gone || !opted || !ours, || format!("account `{id}` should be closed"))?;
        }
        Ok(())
    }
}
