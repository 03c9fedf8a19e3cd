//! Each change in words and values, whatever form it is shown in.
//!
//! Names that stand in the strings here went through [`super::safe::quoted`]; values that stand alone (of tags, of
//! statements) are raw and escaped by the form that writes them.

use std::collections::BTreeMap;

use super::links::Links;
use super::safe::quoted;
use super::words;
use crate::desired::{Desired, NodeKey, Origin};
use crate::names::{Kind, NodeId, ObjectKey, PolicyId, PolicyType};
use crate::observed::Observed;
pub use crate::plan::words::Field;
use crate::plan::words::{Called, Text};
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

    /// A change in one line, with the object that asks for it.
    #[must_use]
    pub fn told(&self, change: &Change) -> String {
        format!("{} for {}", change.action.told(&change.object, self), super::safe::plain(&change.object.to_string()))
    }

    pub(super) fn is_full_access(&self, policy: &PolicyId) -> bool {
        self.observed.policies.get(policy).is_some_and(|policy| policy.aws_managed)
            && policy.as_str().ends_with("FullAWSAccess")
    }
}

impl Called for Names<'_> {
    fn node(&self, node: &NodeRef) -> String {
        Self::node(self, node).label()
    }

    fn policy(&self, policy: &PolicyRef) -> String {
        Self::policy(self, policy).label()
    }
}

fn kind_of(key: &NodeKey) -> &'static str {
    match key {
        NodeKey::Root => "root",
        NodeKey::Unit(_) => "OU",
        NodeKey::Account(_) => "account",
    }
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
    let action = &change.action;
    let mut item = Item {
        change,
        what: action.told(&change.object, names),
        action: action.name(),
        target: action.place().map(|node| names.node(&node)),
        policy: action.of_policy(&change.object).map(|policy| names.policy(&policy)),
        from: None,
        fields: action.fields(),
        statements: vec![],
        unreadable: false,
        because: words::because(&change.reason, change.action.verb()),
        between: links.between(change),
        after: links.after(change),
    };
    if let Action::MoveAccount { from, to, .. } = action {
        let place = |of: &Reference| if of.kind == "root" { "root".to_owned() } else { of.name.clone() };
        let (from, to) = (names.node(from), names.node(to));
        item.fields = vec![Field { field: "parent".into(), from: Some(place(&from)), to: place(&to) }];
        item.from = Some(from);
    }
    if let Some(text) = action.text() {
        item.text(&text);
    }
    item
}

impl Item<'_> {
    fn text(&mut self, text: &Text<'_>) {
        let parse = |one: &str| Document::parse(&text.kind, one).map(|(document, _)| document);
        let old = text.from.map(parse);
        self.unreadable = matches!(old, Some(Err(_)));
        match parse(text.to) {
            Ok(new) => self.statements = diff(old.and_then(Result::ok).as_ref(), Some(&new)),
            // Nothing that is written to AWS goes unseen.
            Err(_) => self.fields.push(Field {
                field: "content".into(),
                from: text.from.map(str::to_owned),
                to: text.to.to_owned(),
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
