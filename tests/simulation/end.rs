//! Whether AWS is as declared, compared object by object without the engine's help.

use std::collections::{BTreeMap, BTreeSet};

use bylaw::api::{Attachments, BaseAccess};
use bylaw::aws::offline::State;
use bylaw::aws::port::AccountState;
use bylaw::desired::model::Policy;
use bylaw::desired::{Declared, Desired, NodeKey};
use bylaw::names::{Kind, NodeId, ObjectKey, PolicyId, TAG_DELETION, TAG_MANAGED_BY, TAG_RESOURCE, Tags, glob};
use bylaw::plan::{Guarded, Plan};

use super::excuses::Excuses;
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
    "managed-by-another",
    "missing",
    "move-unit",
    "not-empty",
    "renamed",
    "shared",
    "slots",
    "taken",
    "window",
];

/// The object that an AWS object is tagged for, unless another Organization object manages it.
pub fn own_tag(tags: &Tags) -> Option<&str> {
    tags.get(TAG_RESOURCE).filter(|_| tags.get(TAG_MANAGED_BY).is_none_or(|manager| manager == "org"))
}

/// `Ok`: how many things were compared.
pub fn compare(desired: &Desired, state: &State, left: &Plan<Guarded>) -> Result<u64, String> {
    for refusal in &left.refusals {
        if !FINAL.contains(&refusal.rule) {
            return Err(format!("refused at the end by `{}`: {}", refusal.rule, refusal.message));
        }
    }
    let beside = if left.refusals.is_empty() { "" } else { ", beside what is refused" };
    let (mut places, excuses) = (places(desired, state), Excuses::of(left, desired, state));
    // A newcomer is nowhere.
    places.retain(|key, node| {
        let owner = state.tags(node).and_then(own_tag).filter(|owner| **owner != key.to_string());
        let owner = owner.and_then(|owner| owner.parse::<ObjectKey>().ok());
        !excuses.is_stuck(key) || !owner.is_some_and(|owner| desired.is_declared(&owner))
    });
    let compare = Compare { desired, state, places, excuses, checks: 0 };
    compare.all().map_err(|why| format!("not as declared{beside}: {why}"))
}

/// The node of each declared one: by tag, else by what the manifest says of it.
fn places(desired: &Desired, state: &State) -> BTreeMap<NodeKey, NodeId> {
    let mut places = BTreeMap::from([(NodeKey::Root, state.root_node())]);
    let tagged = |tags: &Tags, key: &str| own_tag(tags).is_some_and(|tag| tag == key);
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
    excuses: Excuses,
    checks: u64,
}

impl Compare<'_> {
    fn all(mut self) -> Result<u64, String> {
        self.units()?;
        self.accounts()?;
        self.policies()?;
        self.nodes()?;
        self.orphans()?;
        let organization = &self.desired.organization.spec;
        for kind in &organization.policy_types {
            self.check(&format!("type {kind}"), self.state.is_enabled(kind), || format!("`{kind}` is off"))?;
        }
        for service in &organization.services {
            let on = self.state.services.contains(service);
            self.check(&format!("service {service}"), on, || format!("`{service}` is not trusted"))?;
        }
        if let Some(wanted) = &organization.delegation_policy {
            let same = self.state.delegation_policy.as_deref() == Some(wanted.minified());
            self.check("delegation", same, || "the delegation policy is another".into())?;
        }
        Ok(self.checks)
    }

    /// Fails where something is not as declared and no refusal says so.
    fn check(&mut self, aspect: &str, holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
        self.checks += 1;
        if holds || self.excuses.aspects.contains(aspect) {
            return Ok(());
        }
        Err(what())
    }

    /// What is stuck means this node, by its tag, its id, its e-mail or its place: it is left alone.
    fn is_claimed(&self, node: &NodeId) -> bool {
        let tag = self.state.tags(node).and_then(own_tag);
        // A newcomer that claims it as well excuses nothing: the rightful owner is to be as declared.
        let owner = tag.filter(|tag| !self.excuses.stuck.contains(*tag)).and_then(|tag| tag.parse::<ObjectKey>().ok());
        if owner.is_some_and(|owner| self.desired.is_declared(&owner)) {
            return false;
        }
        self.excuses.stuck.iter().any(|key| {
            if tag == Some(key.as_str()) {
                return true;
            }
            let Ok(key) = key.parse::<ObjectKey>() else { return false };
            match node {
                NodeId::Unit(id) if key.kind == Kind::OrganizationalUnit => {
                    let (unit, found) = (&self.desired.units[&key.name], &self.state.units()[id]);
                    let place = self.places.get(&unit.spec.parent);
                    unit.spec.name == found.name && place.is_none_or(|place| *place == found.parent)
                }
                NodeId::Account(id) if key.kind == Kind::Account => {
                    let (spec, found) = (&self.desired.accounts[&key.name].spec, &self.state.accounts()[id]);
                    spec.account_id.as_ref() == Some(id)
                        || spec.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(&found.email))
                }
                _ => false,
            }
        })
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
                NodeId::Account(id) => {
                    let to_be = self.places.iter().find(|(_, id)| *id == node).and_then(|(key, _)| match key {
                        NodeKey::Account(name) => self.desired.accounts[name].spec.name.as_deref(),
                        _ => None,
                    });
                    let names = [Some(id.as_str()), Some(&*self.state.accounts()[id].name), to_be];
                    names.into_iter().flatten().any(|name| any(&ignore.accounts, name))
                }
            };
            if ignored {
                return true;
            }
            at = self.state.parent(node);
        }
        if self.is_claimed(node) {
            return true;
        }
        let Some((key, _)) = self.places.iter().find(|(_, id)| *id == node) else { return false };
        match key {
            NodeKey::Root => false,
            NodeKey::Unit(name) => self.desired.units[name].suspend,
            NodeKey::Account(name) => self.desired.accounts[name].suspend,
        }
    }

    fn tags(&mut self, what: &str, found: &Tags, wanted: &Tags) -> Result<(), String> {
        let ignore = &self.desired.organization.spec.ignore.tags;
        for (key, value) in wanted.iter().filter(|(key, _)| !ignore.iter().any(|pattern| glob(pattern, key))) {
            self.check(&format!("{what} tags/{key}"), found.get(key) == Some(value), || format!("tags of {what}"))?;
        }
        Ok(())
    }

    fn units(&mut self) -> Result<(), String> {
        for (name, unit) in self.desired.units.iter().filter(|(_, unit)| !unit.suspend) {
            if self.excuses.is_out(&unit.key) {
                continue;
            }
            let key = &unit.key;
            let node = self.places.get(&NodeKey::Unit(name.clone())).cloned();
            self.check(&format!("{key} exists"), node.is_some(), || format!("{key} is not there"))?;
            let Some(NodeId::Unit(id)) = node else { continue };
            if self.is_closed(&NodeId::Unit(id.clone())) {
                continue;
            }
            let found = self.state.units()[&id].clone();
            let same = found.name == unit.spec.name;
            self.check(&format!("{key} name"), same, || format!("{key} is named `{}`", found.name))?;
            let parent = self.places.get(&unit.spec.parent).cloned();
            self.check(&format!("{key} parent"), parent.as_ref() == Some(&found.parent), || {
                format!("{key} is elsewhere")
            })?;
            self.tags(&key.to_string(), &found.tags, &unit.spec.tags)?;
        }
        Ok(())
    }

    fn accounts(&mut self) -> Result<(), String> {
        for (name, account) in self.desired.accounts.iter().filter(|(_, account)| !account.suspend) {
            if self.excuses.is_out(&account.key) {
                continue;
            }
            let key = &account.key;
            let node = self.places.get(&NodeKey::Account(name.clone())).cloned();
            self.check(&format!("{key} exists"), node.is_some(), || format!("{key} is not there"))?;
            let Some(NodeId::Account(id)) = node else { continue };
            if self.is_closed(&NodeId::Account(id.clone())) {
                continue;
            }
            let found = self.state.accounts()[&id].clone();
            let same = Some(&found.name) == account.spec.name.as_ref();
            self.check(&format!("{key} name"), same, || format!("name of {key}"))?;
            let parent = self.places.get(&account.spec.parent).cloned();
            self.check(&format!("{key} parent"), parent.as_ref() == Some(&found.parent), || {
                format!("{key} is elsewhere")
            })?;
            self.tags(&key.to_string(), &found.tags, &account.spec.tags)?;
            for (kind, contact) in &account.spec.contacts {
                let same = found.contacts.get(kind) == Some(contact);
                self.check(&format!("{key} contact {kind:?}"), same, || format!("contacts of {key}"))?;
            }
            for service in self.desired.organization.spec.administrators.get(name).into_iter().flatten() {
                let has = self.state.administrators.get(&id).is_some_and(|has| has.contains(service));
                self.check(&format!("administrator {id} {service}"), has, || format!("{key} is no administrator"))?;
            }
        }
        Ok(())
    }

    fn policy(&self, name: &str) -> Option<PolicyId> {
        let policy = &self.desired.policies[name];
        let key = policy.key.to_string();
        let tagged = self.state.policies().iter().find(|(_, found)| own_tag(&found.tags) == Some(&*key));
        tagged
            .map(|(id, _)| id.clone())
            .or_else(|| self.state.policy_named(&policy.spec.kind, &policy.spec.name).cloned())
    }

    fn policies(&mut self) -> Result<(), String> {
        for (name, policy) in self.desired.policies.iter().filter(|(_, policy)| !policy.suspend) {
            let ignore = &self.desired.organization.spec.ignore.policies;
            let key = &policy.key;
            if self.excuses.is_out(key) || ignore.iter().any(|pattern| glob(pattern, &policy.spec.name)) {
                continue;
            }
            let id = self.policy(name);
            self.check(&format!("{key} exists"), id.is_some(), || format!("{key} is not there"))?;
            let Some(id) = id else { continue };
            let found = self.state.policies()[&id].clone();
            if ignore.iter().any(|pattern| glob(pattern, &found.name)) {
                continue;
            }
            self.check(&format!("{key} name"), found.name == policy.spec.name, || format!("name of {key}"))?;
            self.tags(&key.to_string(), &found.tags, &policy.spec.tags)?;
            let (is, shall) = (says(&found.kind, &found.content), says(&found.kind, policy.spec.content.minified()));
            // What another statement of the same document holds anyway makes no difference, and is left alone.
            self.check(&format!("{key} content"), is.is_as(&shall), || format!("content of {key}"))?;
            self.attachments(policy, &id)?;
        }
        Ok(())
    }

    fn attachments(&mut self, policy: &Declared<Policy>, id: &PolicyId) -> Result<(), String> {
        let key = &policy.key;
        if self.excuses.aspects.contains(&format!("{key} attachments")) {
            return Ok(());
        }
        let node = |key: &NodeKey| self.places.get(key).cloned();
        let targets: BTreeSet<NodeId> = policy.spec.targets.iter().filter_map(node).collect();
        let holes: BTreeSet<NodeId> = policy.spec.excluding.iter().filter_map(node).collect();
        let attached = self.state.targets(id);
        // Where a target cannot be told, what is too much may be that very target.
        let vague = policy.spec.targets.iter().any(|at| self.excuses.is_stuck(at));
        if policy.spec.excluding.is_empty() {
            let open = |nodes: &BTreeSet<NodeId>| -> BTreeSet<NodeId> {
                nodes.iter().filter(|node| !self.is_closed(node) && !self.is_management(node)).cloned().collect()
            };
            let (is, shall) = (open(&attached), open(&targets));
            for node in shall.difference(&is) {
                self.check(&pair(id, node), false, || format!("{key} is not attached to `{node}`"))?;
            }
            for node in is.difference(&shall).filter(|_| !vague) {
                self.check(&pair(id, node), false, || format!("{key} is attached to `{node}`, not only to {shall:?}"))?;
            }
            self.checks += 1;
            return Ok(());
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
            let held = path.iter().any(|node| self.excuses.aspects.contains(&pair(id, node)));
            if held || (bound && vague) || self.is_misplaced(&account) {
                continue;
            }
            self.check("", bound == shall, || {
                format!(
                    "{key} binds `{account}`: {bound}; attached {attached:?}, targets {targets:?}, holes {holes:?}, path {path:?}"
                )
            })?;
        }
        Ok(())
    }

    /// Whether a refusal holds the account where it is not declared: the siblings of a hole are those of where it is to be.
    fn is_misplaced(&self, account: &NodeId) -> bool {
        let object = self.places.iter().find(|(_, node)| *node == account).map(|(key, _)| key);
        object.is_some_and(|key| self.excuses.aspects.contains(&format!("{key} parent")))
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
            let off = self.excuses.aspects.contains("type SERVICE_CONTROL_POLICY");
            if let Some(base) = base.filter(|_| !off) {
                let same = (base == BaseAccess::Full) == has;
                self.check(&pair(&full, &node), same, || format!("base access of {key}"))?;
            }
            if attachments != Attachments::Exclusive {
                continue;
            }
            let mine: BTreeSet<PolicyId> = self.desired.policies.keys().filter_map(|name| self.policy(name)).collect();
            for id in self.state.attached(&node) {
                let found = &self.state.policies()[&id];
                let ignored = organization.ignore.policies.iter().any(|pattern| glob(pattern, &found.name));
                let declared = own_tag(&found.tags).and_then(|tag| tag.parse::<ObjectKey>().ok());
                let stuck = self.desired.policies.values().any(|policy| {
                    let same = policy.spec.kind == found.kind && policy.spec.name == found.name;
                    declared.as_ref() == Some(&policy.key) || (same && self.excuses.is_out(&policy.key))
                });
                let others = found.tags.contains_key(TAG_RESOURCE) && own_tag(&found.tags).is_none();
                let broken = !self.desired.broken.is_empty();
                let manager = found.tags.get(TAG_MANAGED_BY);
                let managed = manager.is_some_and(|manager| manager != &*self.desired.organization.key.name);
                let allowed =
                    mine.contains(&id) || found.aws_managed || ignored || stuck || others || broken || managed;
                let name = found.name.clone();
                self.check(&pair(&id, &node), allowed, || {
                    format!("`{name}` is attached to {key}, which is exclusive")
                })?;
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
            let Some(tag) = own_tag(&policy.tags).filter(|tag| tag.starts_with("OrganizationPolicy/")) else {
                continue;
            };
            let declared = self.desired.policies.values().any(|policy| policy.key.to_string() == *tag);
            let named = self.desired.policies.values().any(|declared| declared.spec.name == policy.name);
            let mine = self.desired.policies.keys().any(|name| self.policy(name).as_ref() == Some(&id));
            let ignored =
                self.desired.organization.spec.ignore.policies.iter().any(|pattern| glob(pattern, &policy.name));
            let opted = policy.tags.get(TAG_DELETION).is_some_and(|opted| opted == "Delete");
            let kept = declared || named || mine || ignored || !opted;
            self.check(&format!("{tag} gone"), kept, || format!("`{}` should be gone", policy.name))?;
        }
        for (id, unit) in self.state.units().clone() {
            let Some(tag) = own_tag(&unit.tags).filter(|tag| tag.starts_with("OrganizationalUnit/")) else {
                continue;
            };
            let node = NodeId::Unit(id.clone());
            let declared = self.desired.units.values().any(|unit| unit.key.to_string() == *tag)
                || self.places.values().any(|place| *place == node);
            let named = self.desired.units.values().any(|declared| declared.spec.name == unit.name);
            let opted = unit.tags.get(TAG_DELETION).is_some_and(|opted| opted == "Delete");
            let kept = declared || named || self.is_closed(&node) || !opted;
            self.check(&format!("{tag} gone"), kept, || format!("OU `{}` should be gone", unit.name))?;
        }
        for (id, account) in self.state.accounts().clone() {
            let Some(tag) = own_tag(&account.tags) else { continue };
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
            let kept = declared || gone || !opted || !ours;
            self.check(&format!("{tag} gone"), kept, || format!("account `{id}` should be closed"))?;
        }
        Ok(())
    }
}

fn pair(policy: &PolicyId, node: &NodeId) -> String {
    format!("attached {policy} {node}")
}
