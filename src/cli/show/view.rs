//! Each change in words and values, whatever form it is shown in.
//!
//! Names that stand in the strings here went through [`super::safe::quoted`]; values that stand alone (of tags, of
//! statements) are raw and escaped by the form that writes them.

use std::collections::BTreeMap;

use super::links::Links;
use super::safe::quoted;
use super::words;
use crate::aws::port::Contact;
use crate::desired::{Desired, NodeKey, Origin};
use crate::names::{Kind, NodeId, ObjectKey, PolicyId, PolicyType, TAG_MANAGED_BY, TAG_RESOURCE, Tags};
use crate::observed::Observed;
use crate::plan::model::{Edit, Tagged};
use crate::plan::{Action, Change, NodeRef, Plan, PolicyRef, Refusal};
use crate::policy::Document;
use crate::policy::diff::{StatementChange, diff, elements::Element};
use crate::policy::statement::DELEGATION_POLICY;

/// What people call things.
#[derive(Debug)]
pub struct Names<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    origins: BTreeMap<&'a ObjectKey, &'a Origin>,
}

/// An AWS object: there, or to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// `root`, `OU`, `account`, `policy`.
    pub kind: &'static str,
    /// Its AWS id; `None` where this plan creates it.
    pub id: Option<String>,
    /// Its name in AWS; of an OU the names from the root on, joined by `/`.
    pub name: String,
}

impl Reference {
    /// ``OU `A/B` (ou-…)``.
    #[must_use]
    pub fn label(&self) -> String {
        let id = self.id.as_deref().unwrap_or("new");
        match self.kind {
            "root" => format!("the root ({id})"),
            kind => format!("{kind} {} ({id})", quoted(&self.name)),
        }
    }

    /// The name alone.
    #[must_use]
    pub fn short(&self) -> String {
        if self.kind == "root" { "the root".into() } else { quoted(&self.name) }
    }
}

impl<'a> Names<'a> {
    /// The names of one organization and its manifests.
    #[must_use]
    pub fn new(desired: &'a Desired, observed: &'a Observed) -> Self {
        Self { desired, observed, origins: desired.objects().map(|(key, origin, _)| (key, origin)).collect() }
    }

    /// Where an object is declared.
    #[must_use]
    pub fn origin(&self, object: &ObjectKey) -> Option<&'a Origin> {
        self.origins.get(object).copied()
    }

    /// `Kind/name (file:line)`, harmless; an object that is gone is known from a tag only.
    #[must_use]
    pub fn object(&self, object: &ObjectKey) -> String {
        let key = super::safe::plain(&object.to_string());
        match self.origin(object) {
            Some(origin) if origin.line > 0 => format!("{key} ({}:{})", super::safe::plain(&origin.file), origin.line),
            Some(origin) => format!("{key} ({})", super::safe::plain(&origin.file)),
            None => format!("{key} (no manifest)"),
        }
    }

    pub(super) fn node(&self, node: &NodeRef) -> Reference {
        match node {
            NodeRef::Known(id) => self.known(id),
            NodeRef::New(key) => Reference { kind: kind_of(key), id: None, name: self.declared(key) },
        }
    }

    fn known(&self, id: &NodeId) -> Reference {
        let kind = match id {
            NodeId::Root(_) => "root",
            NodeId::Unit(_) => "OU",
            NodeId::Account(_) => "account",
        };
        let name = match id {
            NodeId::Unit(_) => {
                let mut path: Vec<&str> = vec![];
                let chain = self.observed.chain(id);
                for at in chain.iter().filter(|at| matches!(at, NodeId::Unit(_))) {
                    path.push(self.observed.name(at));
                }
                path.reverse();
                path.join("/")
            }
            _ => self.observed.name(id).to_owned(),
        };
        Reference { kind, id: Some(id.to_string()), name }
    }

    /// Name of a declared node, an OU's with those above it.
    fn declared(&self, key: &NodeKey) -> String {
        match key {
            NodeKey::Root => self.observed.root.name.clone(),
            NodeKey::Account(name) => {
                let account = self.desired.accounts.get(name);
                account.and_then(|account| account.spec.name.clone()).unwrap_or_else(|| name.to_string())
            }
            NodeKey::Unit(name) => {
                let mut path = vec![];
                let mut at = Some(name);
                while let Some(unit) = at.and_then(|name| self.desired.units.get(name)).filter(|_| path.len() < 16) {
                    path.push(unit.spec.name.as_str());
                    at = match &unit.spec.parent {
                        NodeKey::Unit(parent) => Some(parent),
                        _ => None,
                    };
                }
                if path.is_empty() {
                    return name.to_string();
                }
                path.reverse();
                path.join("/")
            }
        }
    }

    pub(super) fn policy(&self, policy: &PolicyRef) -> Reference {
        match policy {
            PolicyRef::Known(id) => {
                let name = self.observed.policies.get(id).map_or(id.as_str(), |policy| policy.name.as_str());
                Reference { kind: "policy", id: Some(id.to_string()), name: name.to_owned() }
            }
            PolicyRef::New(key) => {
                let name = self.desired.policies.get(&key.name).map_or(&*key.name, |policy| policy.spec.name.as_str());
                Reference { kind: "policy", id: None, name: name.to_owned() }
            }
        }
    }

    pub(super) fn is_full_access(&self, policy: &PolicyId) -> bool {
        self.observed.policies.get(policy).is_some_and(|policy| policy.aws_managed)
            && policy.as_str().ends_with("FullAWSAccess")
    }
}

fn kind_of(key: &NodeKey) -> &'static str {
    match key {
        NodeKey::Root => "root",
        NodeKey::Unit(_) => "OU",
        NodeKey::Account(_) => "account",
    }
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

/// One change as it is shown.
#[derive(Debug, Clone)]
pub struct Item<'a> {
    /// The change.
    pub change: &'a Change,
    /// What is done, harmless.
    pub what: String,
    /// Kind of change, as `do` of the action says it.
    pub action: &'static str,
    /// The node that it is done to.
    pub target: Option<Reference>,
    /// The policy concerned.
    pub policy: Option<Reference>,
    /// Where an account comes from.
    pub from: Option<Reference>,
    /// Fields that change.
    pub fields: Vec<Field>,
    /// What changes in a policy's text.
    pub statements: Vec<StatementChange>,
    /// The text in AWS cannot be read as a policy.
    pub unreadable: bool,
    /// The half sentence after "because".
    pub because: &'static str,
    /// Which policy holds while it runs; harmless.
    pub between: Option<String>,
    /// Ids of the changes that it needs.
    pub after: Vec<u32>,
}

/// A plan as it is shown.
#[derive(Debug)]
pub struct View<'a> {
    /// The names.
    pub names: &'a Names<'a>,
    /// Changes in their order.
    pub items: Vec<Item<'a>>,
    /// Refusals, each with the changes that it holds back.
    pub refusals: Vec<(&'a Refusal, Vec<Item<'a>>)>,
}

impl<'a> View<'a> {
    /// Of a plan.
    #[must_use]
    pub fn of<State>(plan: &'a Plan<State>, names: &'a Names<'a>) -> Self {
        let links = Links::of(&plan.changes, names);
        // What is held back is told as it would be if it ran with all the rest.
        let refused = plan.refusals.iter().flat_map(|refusal| &refusal.changes);
        let all = Links::of(plan.changes.iter().chain(refused), names);
        Self {
            names,
            items: plan.changes.iter().map(|change| item(change, names, &links)).collect(),
            refusals: plan
                .refusals
                .iter()
                .map(|refusal| (refusal, refusal.changes.iter().map(|change| item(change, names, &all)).collect()))
                .collect(),
        }
    }
}

fn item<'a>(change: &'a Change, names: &Names<'_>, links: &Links<'_>) -> Item<'a> {
    let mut item = Item {
        change,
        what: String::new(),
        action: "",
        target: None,
        policy: None,
        from: None,
        fields: vec![],
        statements: vec![],
        unreadable: false,
        because: words::because(&change.reason, change.action.verb()),
        between: links.between(change),
        after: links.after(change),
    };
    let node = |at: &NodeRef| Some(names.node(at));
    let known_unit = |id: &crate::names::UnitId| node(&NodeRef::Known(NodeId::Unit(id.clone())));
    let known_account = |id: &crate::names::AccountId| node(&NodeRef::Known(NodeId::Account(id.clone())));
    let policy = |id: &PolicyId| Some(names.policy(&PolicyRef::Known(id.clone())));
    let label = |of: &Option<Reference>| of.as_ref().map(Reference::label).unwrap_or_default();
    match &change.action {
        Action::EnablePolicyType { kind } => {
            item.action = "enablePolicyType";
            item.what = format!("enable policy type {}", quoted(kind.as_str()));
        }
        Action::EnableService { principal } => {
            item.action = "enableService";
            item.what = format!("enable trusted access for {}", quoted(principal));
        }
        Action::CreateUnit { key, parent, name: _, tags } => {
            item.action = "createUnit";
            item.target = node(&NodeRef::New(NodeKey::Unit(key.clone())));
            item.what = format!("create {}", label(&item.target));
            if matches!(parent, NodeRef::Known(NodeId::Unit(_))) {
                item.what.push_str(&format!(" in {}", names.node(parent).label()));
            }
            item.fields = born(tags);
        }
        Action::RenameUnit { unit, name, .. } => {
            item.action = "renameUnit";
            item.target = known_unit(unit);
            item.what = format!("rename {}", label(&item.target));
            item.fields = vec![edited("name", name)];
        }
        Action::CreatePolicy { kind, name: _, description, content, tags } => {
            item.action = "createPolicy";
            item.policy = Some(names.policy(&PolicyRef::New(change.object.clone())));
            item.what = format!("create {} of type {}", label(&item.policy), quoted(kind.as_str()));
            if !description.is_empty() {
                item.fields.push(Field { field: "description".into(), from: None, to: description.clone() });
            }
            item.fields.extend(born(tags));
            item.text(kind, None, content);
        }
        Action::UpdatePolicy { policy: id, kind, name, description, content } => {
            item.action = "updatePolicy";
            item.policy = policy(id);
            item.what = format!("update {}", label(&item.policy));
            item.fields.extend(name.as_ref().map(|edit| edited("name", edit)));
            item.fields.extend(description.as_ref().map(|edit| edited("description", edit)));
            if let Some(edit) = content {
                item.text(kind, Some(&edit.from), &edit.to);
            }
        }
        Action::Attach { policy, target, .. } => {
            item.action = "attach";
            item.policy = Some(names.policy(policy));
            item.target = node(target);
            item.what = format!("attach {} to {}", label(&item.policy), label(&item.target));
        }
        Action::Detach { policy: id, target, .. } => {
            item.action = "detach";
            item.policy = policy(id);
            item.target = node(target);
            item.what = format!("detach {} from {}", label(&item.policy), label(&item.target));
        }
        Action::MoveAccount { account, from, to } => {
            item.action = "moveAccount";
            item.target = node(account);
            item.from = node(from);
            let to = names.node(to);
            item.what = format!("move {} from {} to {}", label(&item.target), label(&item.from), to.label());
            let place = |of: &Reference| if of.kind == "root" { "root".to_owned() } else { of.name.clone() };
            item.fields = vec![Field { field: "parent".into(), from: item.from.as_ref().map(place), to: place(&to) }];
        }
        Action::Tag { resource, set, before } => {
            item.action = "tag";
            match resource {
                Tagged::Node(at) => item.target = node(at),
                Tagged::Policy(of) => item.policy = Some(names.policy(of)),
            }
            item.what = format!("tag {}{}", label(&item.target), label(&item.policy));
            item.fields = set
                .iter()
                .map(|(name, to)| Field {
                    field: format!("tag {name}"),
                    from: before.get(name).map(str::to_owned),
                    to: to.to_owned(),
                })
                .collect();
        }
        Action::PutContact { account, kind, contact, before } => {
            item.action = "putContact";
            item.target = node(account);
            item.what = format!("set the {} contact of {}", kind.as_str().to_lowercase(), label(&item.target));
            let rows = |of: &Contact| {
                [("name", &of.name), ("title", &of.title), ("email", &of.email), ("phone", &of.phone)]
                    .map(|(field, value)| (field, value.clone()))
            };
            let old = before.as_ref().map(rows);
            item.fields = rows(contact)
                .into_iter()
                .enumerate()
                .map(|(at, (field, to))| Field {
                    field: field.into(),
                    from: old.as_ref().and_then(|old| old.get(at)).map(|(_, value)| value.clone()),
                    to,
                })
                .filter(|field| field.from.as_ref() != Some(&field.to))
                .collect();
        }
        Action::RenameAccount { account, name } => {
            item.action = "renameAccount";
            item.target = known_account(account);
            item.what = format!("rename {}", label(&item.target));
            item.fields = vec![edited("name", name)];
        }
        Action::RegisterAdministrator { account, principal } => {
            item.action = "registerAdministrator";
            item.target = node(account);
            item.what = format!("make {} delegated administrator of {}", label(&item.target), quoted(principal));
        }
        Action::PutDelegationPolicy { content, before } => {
            item.action = "putDelegationPolicy";
            item.what = "write the delegation policy of the organization".into();
            item.text(&PolicyType::new(DELEGATION_POLICY), before.as_deref(), content);
        }
        Action::CreateAccount { key, name: _, email, role_name, tags } => {
            item.action = "createAccount";
            item.target = node(&NodeRef::New(NodeKey::Account(key.clone())));
            item.what = format!("create {}", label(&item.target));
            item.fields.push(Field { field: "email".into(), from: None, to: email.clone() });
            item.fields.extend(role_name.iter().map(|role| Field {
                field: "role".into(),
                from: None,
                to: role.clone(),
            }));
            item.fields.extend(born(tags));
        }
        Action::DeletePolicy { policy: id, .. } => {
            item.action = "deletePolicy";
            item.policy = policy(id);
            item.what = format!("delete {}", label(&item.policy));
        }
        Action::DeleteUnit { unit, .. } => {
            item.action = "deleteUnit";
            item.target = known_unit(unit);
            item.what = format!("delete {}", label(&item.target));
        }
        Action::CloseAccount { account, .. } => {
            item.action = "closeAccount";
            item.target = known_account(account);
            item.what = format!("close {}", label(&item.target));
        }
    }
    item
}

impl Item<'_> {
    fn text(&mut self, kind: &PolicyType, before: Option<&str>, after: &str) {
        let parse = |text: &str| Document::parse(kind, text).map(|(document, _)| document);
        let old = before.map(parse);
        self.unreadable = matches!(old, Some(Err(_)));
        match parse(after) {
            Ok(new) => self.statements = diff(old.and_then(Result::ok).as_ref(), Some(&new)),
            // Nothing that is written to AWS goes unseen.
            Err(_) => self.fields.push(Field {
                field: "content".into(),
                from: before.map(str::to_owned),
                to: after.to_owned(),
            }),
        }
    }
}

/// What somebody did to a policy's text, told from the declared one on.
pub(super) fn drift_of_text(desired: &Desired, object: &ObjectKey, wanted: &str, found: &str) -> Vec<StatementChange> {
    let kind = match object.kind {
        Kind::OrganizationPolicy => desired.policies.get(&object.name).map(|policy| policy.spec.kind.clone()),
        _ => Some(PolicyType::new(DELEGATION_POLICY)),
    };
    let parse = |text: &str| Document::parse(kind.as_ref()?, text).ok().map(|(document, _)| document);
    match (parse(wanted), parse(found)) {
        (Some(wanted), Some(found)) => diff(Some(&wanted), Some(&found)),
        _ => vec![],
    }
}

/// Each statement as one line, for policies that are new as a whole. Raw text.
pub(super) fn short(statements: &[StatementChange]) -> Vec<(char, String)> {
    statements
        .iter()
        .flat_map(|change| match change {
            StatementChange::Added { statement, elements } => vec![('+', sentence(statement, elements))],
            other => other.lines(),
        })
        .collect()
}

fn sentence(statement: &str, elements: &[Element]) -> String {
    let mut out = format!("{statement}:");
    for element in elements {
        let mut values: Vec<&str> = element.values.iter().take(3).map(String::as_str).collect();
        let more = format!("and {} more", element.values.len().saturating_sub(3));
        if element.values.len() > 3 {
            values.push(&more);
        }
        let values = values.join(", ");
        match element.element.as_str() {
            "Effect" | "Action" => out.push_str(&format!(" {values}")),
            "Resource" | "Principal" if values == "*" => {}
            "Resource" => out.push_str(&format!(" on {values}")),
            name => match name.strip_prefix("Condition ") {
                Some(condition) => out.push_str(&format!(" if {condition} {values}")),
                None => out.push_str(&format!(" {name} {values}")),
            },
        }
    }
    out
}

fn edited(field: &str, edit: &Edit<String>) -> Field {
    Field { field: field.into(), from: Some(edit.from.clone()), to: edit.to.clone() }
}

/// Tags of something new; those by which bylaw finds it again are on everything and told by nobody.
fn born(tags: &Tags) -> Vec<Field> {
    tags.iter()
        .filter(|(name, _)| !matches!(*name, TAG_RESOURCE | TAG_MANAGED_BY))
        .map(|(name, value)| Field { field: format!("tag {name}"), from: None, to: value.to_owned() })
        .collect()
}

/// A change in words that need no names: for plans that are compared without their organizations.
#[must_use]
pub fn brief(change: &Change) -> String {
    let tagged = |of: &Tagged| match of {
        Tagged::Node(at) => at.to_string(),
        Tagged::Policy(of) => policy_text(of),
    };
    let what = match &change.action {
        Action::EnablePolicyType { kind } => format!("enable policy type `{kind}`"),
        Action::EnableService { principal } => format!("enable trusted access for {}", quoted(principal)),
        Action::CreateUnit { name, .. } => format!("create OU {}", quoted(name)),
        Action::RenameUnit { unit, name, .. } => format!("rename OU {unit} to {}", quoted(&name.to)),
        Action::CreatePolicy { name, .. } => format!("create policy {}", quoted(name)),
        Action::UpdatePolicy { policy, .. } => format!("update policy {policy}"),
        Action::Attach { policy, target, .. } => format!("attach policy {} to {target}", policy_text(policy)),
        Action::Detach { policy, target, .. } => format!("detach policy {policy} from {target}"),
        Action::MoveAccount { account, from, to } => format!("move account {account} from {from} to {to}"),
        Action::Tag { resource, .. } => format!("tag {}", tagged(resource)),
        Action::PutContact { account, kind, .. } => {
            format!("set the {} contact of {account}", kind.as_str().to_lowercase())
        }
        Action::RenameAccount { account, name } => format!("rename account {account} to {}", quoted(&name.to)),
        Action::RegisterAdministrator { account, principal } => {
            format!("make {account} delegated administrator of {}", quoted(principal))
        }
        Action::PutDelegationPolicy { .. } => "write the delegation policy".into(),
        Action::CreateAccount { name, .. } => format!("create account {}", quoted(name)),
        Action::DeletePolicy { policy, name, .. } => format!("delete policy {} ({policy})", quoted(name)),
        Action::DeleteUnit { unit, name } => format!("delete OU {} ({unit})", quoted(name)),
        Action::CloseAccount { account, name } => format!("close account {} ({account})", quoted(name)),
    };
    super::safe::plain(&format!("{what} for {}", change.object))
}

fn policy_text(policy: &PolicyRef) -> String {
    match policy {
        PolicyRef::Known(id) => id.to_string(),
        PolicyRef::New(key) => format!("{} (new)", quoted(&key.name)),
    }
}
