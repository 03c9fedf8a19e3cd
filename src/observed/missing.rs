//! What an [`Observed`] does not know, named one by one: for those who must not take silence for absence.

use std::collections::BTreeSet;

use super::model::{Observed, Part, Scope, Unknown};
use crate::aws::port::Resource;
use crate::names::{AccountId, NodeId, PolicyType};

/// The service that lets the management account see alternate contacts of others.
pub const ACCOUNT_MANAGEMENT: &str = "account.amazonaws.com";

/// One thing that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What it belongs to, where it belongs to one node or policy.
    pub of: Option<Resource>,
    /// What is not known, as a noun phrase.
    pub what: String,
    /// Why.
    pub why: String,
    /// What a person can do about it; none where waiting is all there is.
    pub remedy: Option<String>,
    /// Whether it hangs on this which policies bind whom, and what they say.
    pub binds: bool,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// Whether AWS tells alternate contacts at all: without trusted access it refuses, and that is no partial reading.
#[must_use]
pub fn tells_contacts(observed: &Observed) -> bool {
    observed.services.get().is_none_or(|services| services.contains(ACCOUNT_MANAGEMENT))
}

/// Everything that is not known, in the order of the model. Contacts that nobody asked for are not missing.
#[must_use]
pub fn missing(observed: &Observed) -> Vec<Missing> {
    let mut list = List(vec![]);
    for gap in &observed.gaps {
        let what = match &gap.scope {
            Scope::Accounts => "the list of accounts".to_owned(),
            Scope::UnitsBelow(node) => format!("what is below `{node}`"),
            Scope::Policies(kind) => format!("the list of policies of type `{kind}`"),
        };
        list.0.push(Missing {
            of: None,
            what,
            why: gap.error.clone(),
            remedy: gap.remedy.as_deref().map(str::to_owned),
            binds: true,
        });
    }
    for kind in observed.root.policy_types.keys() {
        let told = observed.gaps.iter().any(|gap| gap.scope == Scope::Policies(kind.clone()));
        if !told && !observed.listed_types.contains(kind) {
            let what = format!("the list of policies of type `{kind}`");
            list.0.push(Missing { of: None, what, why: NOT_ASKED.into(), remedy: None, binds: true });
        }
    }
    let root = Resource::Node(observed.root_node());
    list.see(&observed.root.tags, Some(&root), || "the tags of the root".into());
    for (id, unit) in &observed.units {
        let of = Resource::Node(NodeId::Unit(id.clone()));
        list.see(&unit.tags, Some(&of), || format!("the tags of OU `{}` (`{id}`)", unit.name));
    }
    let contacts = tells_contacts(observed);
    let unplaced: BTreeSet<AccountId> = observed
        .unplaced()
        .filter_map(|(node, _)| match node {
            NodeId::Account(id) => Some(id),
            _ => None,
        })
        .collect();
    for (id, account) in &observed.accounts {
        let of = Resource::Node(NodeId::Account(id.clone()));
        list.see(&account.tags, Some(&of), || format!("the tags of account `{}` (`{id}`)", account.name));
        if unplaced.contains(id) {
            let what = format!("the OU of account `{}` (`{id}`)", account.name);
            let why = "it could not be told".into();
            list.0.push(Missing { of: Some(of.clone()), what, why, remedy: None, binds: true });
        }
        for (kind, contact) in account.contacts.iter().filter(|_| contacts) {
            list.aside(contact, Some(&of), || {
                format!("the {} contact of account `{}` (`{id}`)", kind.as_str().to_lowercase(), account.name)
            });
        }
    }
    let full = PolicyType::scp().rule().default_policy;
    for (id, policy) in &observed.policies {
        let of = Resource::Policy(id.clone());
        let on = observed.root.policy_types.contains_key(&policy.kind);
        let named = |part: &str| format!("the {part} of policy `{}` (`{id}`)", policy.name);
        if !policy.aws_managed {
            list.see(&policy.content, Some(&of), || named("content"));
            list.see(&policy.tags, Some(&of), || named("tags"));
        }
        if on && (!policy.aws_managed || full == Some(id.as_str())) {
            list.see(&policy.targets, Some(&of), || named("attachments"));
        }
    }
    list.aside(&observed.services, None, || "the trusted services".into());
    list.aside(&observed.administrators, None, || "the delegated administrators".into());
    list.aside(&observed.delegation_policy, None, || "the delegation policy".into());
    list.0
}

const NOT_ASKED: &str = "it was not read";

struct List(Vec<Missing>);

impl List {
    fn see<T>(&mut self, part: &Part<T>, of: Option<&Resource>, what: impl FnOnce() -> String) {
        self.part(part, of, what, true);
    }

    /// A part that binds nobody.
    fn aside<T>(&mut self, part: &Part<T>, of: Option<&Resource>, what: impl FnOnce() -> String) {
        self.part(part, of, what, false);
    }

    fn part<T>(&mut self, part: &Part<T>, of: Option<&Resource>, what: impl FnOnce() -> String, binds: bool) {
        let (why, remedy) = match part.unknown() {
            None => return,
            Some(Unknown::Unread) => (NOT_ASKED.to_owned(), None),
            Some(Unknown::Lost { error, remedy }) => (error.to_owned(), remedy.map(str::to_owned)),
        };
        self.0.push(Missing { of: of.cloned(), what: what(), why, remedy, binds });
    }
}
