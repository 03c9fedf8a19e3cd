//! Changes of the objects themselves: existence, names, parents, contents, tags, contacts.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::super::bind::Bound;
use super::super::memory::{Fact, Mark};
use super::super::model::{Action, Edit, NodeRef, PolicyRef, Reason, Stage, Tagged};
use super::super::partial::Partial;
use super::Delta;
use crate::api::organization::AdoptionTags;
use crate::desired::{Declared, NodeKey, model};
use crate::names::{
    AccountId, NodeId, ObjectKey, PolicyId, TAG_ADOPTED, TAG_DELETION, TAG_MANAGED_BY, TAG_RESOURCE, Tags, UnitId,
};
use crate::observed::{self, Part};
use crate::policy::Document;

impl Delta<'_> {
    pub(super) fn organization(&mut self) {
        let organization = &self.desired.organization;
        let (key, spec) = (organization.key.clone(), &organization.spec);
        for kind in &spec.policy_types {
            let on = self.observed.root.is_on(kind);
            if !on && self.observed.root.policy_types.contains_key(kind) {
                let what = "AWS is disabling policy type";
                let then =
                    "it is enabled again as soon as AWS takes that, and its policies are attached by the pass after";
                self.note(&key, format!("{what} `{kind}` (`PENDING_DISABLE`) and detaches its policies: {then}"));
            }
            if let Some(differs) = self.state_fact(&key, &format!("policyTypes/{kind}"), "on", "off", on) {
                let action = Action::EnablePolicyType { kind: kind.clone() };
                self.push(&key, Stage::Enable, action, differs.reason, vec![differs.fact]);
            }
        }
        self.services(&key);
        self.administrators(&key);
        self.delegation_policy(&key);
        let root = Tagged::Node(NodeRef::Known(self.observed.root_node()));
        self.tags(&key, root, Some(&self.observed.root.tags), &spec.tags, false, None);
    }

    fn services(&mut self, key: &ObjectKey) {
        let wanted = &self.desired.organization.spec.services;
        if wanted.is_empty() {
            return;
        }
        let Some(found) = self.known(key, "the trusted services", &self.observed.services) else { return };
        for principal in wanted {
            let on = found.contains(principal);
            if let Some(differs) = self.state_fact(key, &format!("trustedServices/{principal}"), "on", "off", on) {
                let action = Action::EnableService { principal: principal.clone() };
                self.push(key, Stage::Enable, action, differs.reason, vec![differs.fact]);
            }
        }
    }

    fn administrators(&mut self, key: &ObjectKey) {
        let wanted = &self.desired.organization.spec.administrators;
        if wanted.is_empty() {
            return;
        }
        let Some(found) = self.known(key, "the delegated administrators", &self.observed.administrators) else {
            return;
        };
        for (account, services) in wanted {
            let Some(node) = self.node(&NodeKey::Account(account.clone())) else { continue };
            if matches!(&node, NodeRef::Known(id) if !self.is_open(id)) {
                continue;
            }
            let has = match &node {
                NodeRef::Known(NodeId::Account(id)) => found.get(id),
                _ => None,
            };
            let stage = if matches!(node, NodeRef::New(_)) { Stage::Accounts } else { Stage::Details };
            for principal in services {
                let settled = has.is_some_and(|services| services.contains(principal));
                let path = format!("delegatedAdministrators/{account}/{principal}");
                let who = NodeKey::Account(account.clone());
                let differs = self.state_fact_of(key, &path, "registered", "not registered", settled, Some(&who));
                if let Some(differs) = differs {
                    let action = Action::RegisterAdministrator { account: node.clone(), principal: principal.clone() };
                    self.push(key, stage, action, differs.reason, vec![differs.fact]);
                }
            }
        }
    }

    fn delegation_policy(&mut self, key: &ObjectKey) {
        let Some(wanted) = &self.desired.organization.spec.delegation_policy else { return };
        let Some(found) = self.known(key, "the delegation policy", &self.observed.delegation_policy) else { return };
        let settled = found.as_deref().is_some_and(|text| same_meaning(wanted, text));
        let shown = found.as_deref().unwrap_or("nothing");
        if let Some(differs) = self.state_fact(key, "delegationPolicy", wanted.minified(), shown, settled) {
            let action = Action::PutDelegationPolicy { content: wanted.minified().to_owned(), before: found.clone() };
            self.push(key, Stage::Details, action, differs.reason, vec![differs.fact]);
        }
    }

    pub(super) fn units(&mut self) {
        for name in super::super::bind::parents_first(self.desired) {
            let (Some(unit), Some(bound)) = (self.desired.units.get(&name), self.binding.units.get(&name)) else {
                continue;
            };
            if self.skips(unit) {
                continue;
            }
            let spec = &unit.spec;
            let (Some(parent), key) = (self.node(&spec.parent), &unit.key) else { continue };
            if *bound == Bound::Create && self.is_ignored_place(key, &parent, &spec.name) {
                continue;
            }
            let deletion = (spec.deletion == crate::api::DeletionPolicy::Delete).then_some("Delete");
            match bound {
                Bound::Stuck => {}
                Bound::Create => {
                    let fact = self.missing(key);
                    let action = Action::CreateUnit {
                        key: name.clone(),
                        parent,
                        name: spec.name.clone(),
                        tags: self.birth_tags(key, &spec.tags, deletion),
                    };
                    self.push(key, Stage::Units, action, fact.0, vec![fact.1]);
                }
                Bound::Found { id, adopt } => {
                    let Some(found) = self.observed.units.get(id) else { continue };
                    self.present(key, id);
                    if !self.is_open(&NodeId::Unit(id.clone())) {
                        self.note(key, "is ignored (`spec.ignore`), or below what is: left alone");
                        continue;
                    }
                    let same_place = |(other, unit): (&UnitId, &observed::Unit)| {
                        (other != id && unit.parent == found.parent && unit.name == spec.name).then(|| other.clone())
                    };
                    let observed = self.observed;
                    let objects = &self.binding.node_objects;
                    let holder = || {
                        let other = NodeId::Unit(observed.units.iter().find_map(same_place)?);
                        Some(
                            objects
                                .get(&other)
                                .map_or_else(|| format!("`{other}`"), |key| format!("`{key}` (`{other}`)")),
                        )
                    };
                    if let Some(differs) = self.compare(key, "name", &spec.name, Some(&found.name))
                        && !self.is_name_taken(key, &spec.name, holder())
                    {
                        let action = Action::RenameUnit {
                            unit: id.clone(),
                            parent: found.parent.clone(),
                            name: Edit { from: found.name.clone(), to: spec.name.clone() },
                        };
                        self.push(key, Stage::Units, action, differs.reason, vec![differs.fact]);
                    }
                    let resource = Tagged::Node(NodeRef::Known(NodeId::Unit(id.clone())));
                    self.tags(key, resource, Some(&found.tags), &spec.tags, *adopt, deletion);
                }
            }
        }
    }

    pub(super) fn accounts(&mut self) {
        for (name, account) in &self.desired.accounts {
            let Some(bound) = self.binding.accounts.get(name) else { continue };
            if self.skips(account) {
                continue;
            }
            match bound {
                Bound::Stuck => {}
                Bound::Create => self.new_account(name, account),
                Bound::Found { id, adopt } => {
                    let node = NodeId::Account(id.clone());
                    if self.observed.is_management(&node) {
                        self.note(&account.key, "is the management account, which is never changed");
                        continue;
                    }
                    let found = self.observed.accounts.get(id);
                    if !self.is_account_open(id, found, Some(account)) {
                        self.note(&account.key, "is ignored (`spec.ignore`), or below what is: left alone");
                    } else if let Some(found) = found {
                        self.known_account(account, id, found, *adopt);
                    }
                }
            }
        }
    }

    fn new_account(&mut self, name: &str, account: &Declared<model::Account>) {
        let (key, spec) = (&account.key, &account.spec);
        let (Some(email), Some(given)) = (&spec.email, &spec.name) else { return };
        let Some(parent) = self.node(&spec.parent) else { return };
        if self.is_ignored_place(key, &parent, given) {
            return;
        }
        if self.memory.is_turned_down(Mark::of_creation(key, given, email), self.now) {
            let message = format!("AWS does not create it: another account has the e-mail `{email}`");
            let remedy = "give another address in `spec.email`: an account of another organization, or a closed one, has \
                          this one; AWS is asked again after a day";
            self.refuse("email-taken", key, message, remedy);
            return;
        }
        let fact = self.missing(key);
        // An account can leave the organization, and a list of AWS can be behind; neither is made good by another account.
        let identity = identity(key, email);
        self.facts.push((identity.0, Fact { wanted: identity.1, settled: false }));
        if self.memory.was_settled(identity.0, identity.1) {
            self.refuse(
                "vanished",
                key,
                format!("the account was there when the last pass ended, and AWS does not list it now (e-mail `{email}`)"),
                "run again in some minutes, when AWS may list it; where it left the organization for good, declare the new \
                 account as another object",
            );
            return;
        }
        let node = NodeRef::New(NodeKey::Account(name.into()));
        let action = Action::CreateAccount {
            key: name.into(),
            name: given.clone(),
            email: email.clone(),
            role_name: spec.role_name.clone(),
            tags: self.birth_tags(key, &spec.tags, spec.close.then_some("Close")),
        };
        self.push(key, Stage::Accounts, action, fact.0.clone(), vec![fact.1]);
        let root = NodeRef::Known(self.observed.root_node());
        if parent != root {
            let action = Action::MoveAccount { account: node.clone(), from: root, to: parent };
            self.push(key, Stage::Accounts, action, fact.0.clone(), vec![]);
        }
        for (kind, contact) in &spec.contacts {
            let action =
                Action::PutContact { account: node.clone(), kind: *kind, contact: contact.clone(), before: None };
            self.push(key, Stage::Accounts, action, fact.0.clone(), vec![]);
        }
    }

    fn known_account(
        &mut self,
        account: &Declared<model::Account>,
        id: &AccountId,
        found: &observed::Account,
        adopt: bool,
    ) {
        let (key, spec) = (&account.key, &account.spec);
        let node = NodeRef::Known(NodeId::Account(id.clone()));
        self.present(key, id);
        if let Some(email) = &spec.email
            && !email.eq_ignore_ascii_case(&found.email)
        {
            self.note(
                key,
                format!(
                    "e-mail is `{}` in AWS and `{email}` in the manifest; it is changed by its owner only",
                    found.email
                ),
            );
        }
        if let Some(email) = spec.email.as_ref().filter(|email| email.eq_ignore_ascii_case(&found.email)) {
            let (mark, wanted) = identity(key, email);
            self.facts.push((mark, Fact { wanted, settled: true }));
        }
        self.place(key, spec, &node, found);
        if let Some(name) = &spec.name
            && let Some(differs) = self.compare(key, "name", name, Some(&found.name))
        {
            let action = Action::RenameAccount {
                account: id.clone(),
                name: Edit { from: found.name.clone(), to: name.clone() },
            };
            self.push(key, Stage::Details, action, differs.reason, vec![differs.fact]);
        }
        let resource = Tagged::Node(node.clone());
        self.tags(key, resource, Some(&found.tags), &spec.tags, adopt, spec.close.then_some("Close"));
        for (kind, contact) in &spec.contacts {
            let part = found.contacts.get(kind).unwrap_or(&Part::Unread);
            let contact_of = format_args!("the {} contact of account `{id}`", kind.as_str().to_lowercase());
            let Some(before) = self.known(key, contact_of, part) else { continue };
            let path = format!("alternateContacts/{}", kind.as_str());
            let shown = before.as_ref().map_or_else(|| "nothing".to_owned(), |contact| contact.email.clone());
            let settled = before.as_ref() == Some(contact);
            if let Some(differs) = self.state_fact(key, &path, &contact_text(contact), &shown, settled) {
                let action = Action::PutContact {
                    account: node.clone(),
                    kind: *kind,
                    contact: contact.clone(),
                    before: before.clone(),
                };
                self.push(key, Stage::Details, action, differs.reason, vec![differs.fact]);
            }
        }
    }

    fn place(&mut self, key: &ObjectKey, spec: &model::Account, node: &NodeRef, found: &observed::Account) {
        let Some(to) = self.node(&spec.parent) else { return };
        if found.parent.as_ref().is_none_or(|parent| NodeRef::Known(parent.clone()) != to)
            && self.is_ignored_place(key, &to, "")
        {
            return;
        }
        let Some(parent) = &found.parent else {
            let tree = |gap: &&observed::Gap| !matches!(gap.scope, observed::Scope::Policies(_));
            let why = self.observed.gaps.iter().find(tree).map(Partial::gap);
            let why = why.unwrap_or_else(|| Partial::unsaid("AWS did not say"));
            let why = why.so(&format!("where account `{node}` is could not be told"));
            self.refuse_partial(key, why, "nothing is moved from a partial reading");
            return;
        };
        let from = NodeRef::Known(parent.clone());
        let shown = self.observed.name(parent).to_owned();
        let wanted = spec.parent.to_string();
        let differs = self.state_fact_of(key, "parent", &wanted, &shown, from == to, Some(&spec.parent));
        if let Some(differs) = differs {
            let newborn = parent == &self.observed.root_node() && self.is_newborn(found, differs.fact);
            let reason = if newborn { Reason::Unfinished } else { differs.reason };
            let action = Action::MoveAccount { account: node.clone(), from, to };
            self.push(key, Stage::Move, action, reason, vec![differs.fact]);
        }
    }

    /// Whether bylaw made the account and never came to place it: a run that was stopped in between.
    fn is_newborn(&self, found: &observed::Account, place: Mark) -> bool {
        let maker = &self.desired.organization.key.name;
        found.tags.get().is_some_and(|tags| super::super::kept::is_made_by(maker, tags))
            && !self.memory.settled.contains_key(&place)
    }

    pub(super) fn policies(&mut self) {
        for (name, policy) in &self.desired.policies {
            let Some(bound) = self.binding.policies.get(name) else { continue };
            if self.skips(policy) {
                continue;
            }
            if self.is_ignored_policy(name) {
                self.note(&policy.key, "its name is ignored (`spec.ignore.policies`): left alone");
                continue;
            }
            let (key, spec) = (&policy.key, &policy.spec);
            let deletion = (spec.deletion == crate::api::DeletionPolicy::Delete).then_some("Delete");
            match bound {
                Bound::Stuck => {}
                Bound::Create => {
                    let fact = self.missing(key);
                    let action = Action::CreatePolicy {
                        kind: spec.kind.clone(),
                        name: spec.name.clone(),
                        description: spec.description.clone(),
                        content: spec.content.minified().to_owned(),
                        tags: self.birth_tags(key, &spec.tags, deletion),
                    };
                    self.push(key, Stage::Policies, action, fact.0, vec![fact.1]);
                }
                Bound::Found { id, adopt } => {
                    let Some(found) = self.observed.policies.get(id) else { continue };
                    self.present(key, id);
                    self.known_policy(policy, id, found);
                    let resource = Tagged::Policy(PolicyRef::Known(id.clone()));
                    self.tags(key, resource, Some(&found.tags), &spec.tags, *adopt, deletion);
                }
            }
        }
    }

    fn known_policy(&mut self, policy: &Declared<model::Policy>, id: &PolicyId, found: &observed::Policy) {
        let (key, spec) = (&policy.key, &policy.spec);
        let Some(text) = self.known(key, format_args!("the content of policy `{id}`"), &found.content) else { return };
        let mut facts = vec![];
        let mut reasons = vec![];
        let mut edit = |differs: Option<super::Differs>, from: &str, to: &str| {
            let differs = differs?;
            facts.push(differs.fact);
            reasons.push(differs.reason);
            Some(Edit { from: from.to_owned(), to: to.to_owned() })
        };
        let same = |(other, policy): (&PolicyId, &observed::Policy)| {
            (other != id && policy.kind == spec.kind && policy.name == spec.name).then(|| other.clone())
        };
        let observed = self.observed;
        let objects = &self.binding.policy_objects;
        let holder = || {
            let other = observed.policies.iter().find_map(same)?;
            let object = objects.get(&other).map(|name| format!("`OrganizationPolicy/{name}` (`{other}`)"));
            Some(object.unwrap_or_else(|| format!("`{other}`")))
        };
        let name = self.compare(key, "name", &spec.name, Some(&found.name));
        let name = if name.is_some() && self.is_name_taken(key, &spec.name, holder()) { None } else { name };
        let name = edit(name, &found.name, &spec.name);
        let description = self.compare(key, "description", &spec.description, Some(&found.description));
        let description = edit(description, &found.description, &spec.description);
        let settled = same_meaning(&spec.content, text);
        let content = self.state_fact(key, "content", spec.content.minified(), text, settled);
        let content = edit(content, text, spec.content.minified());
        // One new edit makes the whole of it new.
        let drifted = reasons.iter().all(|reason| *reason == Reason::Drift);
        let reason = if drifted { Reason::Drift } else { Reason::Differs };
        if name.is_none() && description.is_none() && content.is_none() {
            return;
        }
        let narrows = content.is_some() && takes_away(&spec.content, text);
        let stage = if narrows { Stage::Narrow } else { Stage::Policies };
        let action = Action::UpdatePolicy { policy: id.clone(), kind: spec.kind.clone(), name, description, content };
        self.push(key, stage, action, reason, facts);
    }

    /// Declared tags that differ, and bylaw's own where they are due. Other keys are nobody's business here.
    fn tags(
        &mut self,
        key: &ObjectKey,
        resource: Tagged,
        found: Option<&Part<Tags>>,
        wanted: &Tags,
        adopt: bool,
        deletion: Option<&str>,
    ) {
        if wanted.is_empty() && !adopt && deletion.is_none() && found.is_none_or(|part| part.get().is_none()) {
            return;
        }
        let Some(found) = found.and_then(|part| self.known(key, format_args!("the tags of `{resource}`"), part)) else {
            return;
        };
        let (mut set, mut before, mut facts) = (Tags::new(), Tags::new(), vec![]);
        let mut reason = Reason::Adopted;
        for (name, value) in wanted {
            if super::matches_any(&self.desired.organization.spec.ignore.tags, name) {
                continue;
            }
            let has = found.get(name);
            let Some(differs) = self.compare(key, &format!("tags/{name}"), value, has) else { continue };
            set.insert(name.to_owned(), value.to_owned());
            before.extend(has.map(|has| (name, has)));
            facts.push(differs.fact);
            if reason != Reason::Drift {
                reason = differs.reason;
            }
        }
        let adopted = adopt && self.desired.organization.spec.adoption_tags == AdoptionTags::Always;
        let opts_in = deletion.is_some_and(|policy| found.get(TAG_DELETION) != Some(policy));
        if adopt && !adopted && set.is_empty() && !opts_in {
            self.adoptions.push((key.clone(), resource, found.clone()));
            return;
        }
        let mut own = |name: &str, value: &str| {
            if found.get(name) != Some(value) {
                before.extend(found.get(name).map(|has| (name, has)));
                set.insert(name.to_owned(), value.to_owned());
            }
        };
        if adopt {
            for (name, value) in adoption_tags(key, &self.desired.organization.key) {
                own(name, &value);
            }
        }
        match deletion {
            Some(policy) => {
                own(TAG_RESOURCE, &key.to_string());
                own(TAG_DELETION, policy);
            }
            None if found.contains_key(TAG_DELETION) => own(TAG_DELETION, "Retain"),
            None => {}
        }
        if !set.is_empty() {
            self.push(key, Stage::Details, Action::Tag { resource, set, before }, reason, facts);
        }
    }

    /// Adopts what another change touches anyway, where adoption alone is to change nothing.
    pub(super) fn adopt_what_changes(&mut self) {
        let changed: BTreeSet<ObjectKey> = match self.adoptions.is_empty() {
            true => return,
            false => self.changes.iter().map(|change| change.object.clone()).collect(),
        };
        for (key, resource, found) in std::mem::take(&mut self.adoptions) {
            if !changed.contains(&key) {
                continue;
            }
            let (mut set, mut before) = (Tags::new(), Tags::new());
            for (name, value) in adoption_tags(&key, &self.desired.organization.key) {
                before.extend(found.get(name).map(|has| (name, has)));
                set.insert(name.to_owned(), value);
            }
            self.push(&key, Stage::Details, Action::Tag { resource, set, before }, Reason::Adopted, vec![]);
        }
    }

    fn birth_tags(&self, key: &ObjectKey, declared: &Tags, deletion: Option<&str>) -> Tags {
        let mut tags = declared.clone();
        tags.insert(TAG_RESOURCE.into(), key.to_string());
        tags.insert(TAG_MANAGED_BY.into(), self.desired.organization.key.name.to_string());
        tags.extend(deletion.map(|policy| (TAG_DELETION.to_owned(), policy.to_owned())));
        tags
    }

    /// States that the object is to exist, and that it does not. A foreign hand that keeps deleting it is not contested:
    /// making it again is what the limits of a pass are for.
    fn missing(&mut self, key: &ObjectKey) -> (Reason, Mark) {
        let fact = Mark::of_fact(key, "exists");
        self.facts.push((fact, Fact { wanted: fact, settled: false }));
        if !self.is_same(key) {
            return (Reason::Missing, fact);
        }
        self.tell_drift(key, "exists", "yes", "no");
        (Reason::Drift, fact)
    }

    /// States that the object exists, and as what: facts of another AWS object say nothing of this one.
    fn present(&mut self, key: &ObjectKey, id: &impl Display) {
        self.remember(key, "exists", &[&id.to_string()]);
    }

    /// A part that a difference rests on: its value, or a refusal where it was not read.
    pub(super) fn known<'p, T>(&mut self, key: &ObjectKey, what: impl Display, part: &'p Part<T>) -> Option<&'p T> {
        if part.unknown().is_some()
            && let Some(why) = Partial::part(&what.to_string(), part)
        {
            self.refuse_partial(key, why, "nothing is changed from a partial reading");
        }
        part.get()
    }

    fn skips<T>(&mut self, object: &Declared<T>) -> bool {
        if object.suspend {
            self.note(&object.key, "is suspended: left alone");
        }
        object.suspend
    }
}

/// That the account of an e-mail is there, as a fact and its value.
fn identity(key: &ObjectKey, email: &str) -> (Mark, Mark) {
    (Mark::of_fact(key, "email"), Mark::of(&[&email.to_lowercase()]))
}

/// What an AWS object that is taken over is tagged with.
fn adoption_tags(key: &ObjectKey, organization: &ObjectKey) -> [(&'static str, String); 3] {
    [(TAG_RESOURCE, key.to_string()), (TAG_MANAGED_BY, organization.name.to_string()), (TAG_ADOPTED, "true".to_owned())]
}

fn contact_text(contact: &crate::aws::port::Contact) -> String {
    format!("{}|{}|{}|{}", contact.name, contact.title, contact.email, contact.phone)
}

/// Whether AWS's text means what is wanted.
pub(in crate::plan) fn same_meaning(wanted: &Document, text: &str) -> bool {
    text == wanted.minified() || Document::parse(wanted.kind(), text).is_ok_and(|(found, _)| found.same_meaning(wanted))
}

/// Whether the update takes a deny out of the policy, or allows more: then it waits until everything that guards is there.
fn takes_away(wanted: &Document, text: &str) -> bool {
    let Ok((found, _)) = Document::parse(wanted.kind(), text) else { return true };
    !found.denies().is_subset(wanted.denies()) || !wanted.allows().is_subset(found.allows())
}
