//! How old what is known is: what a pass rests on that an earlier one read, and what of it is due to be read again.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::model::{Observed, Part};
use crate::aws::port::{ContactKind, Resource};
use crate::names::{AccountId, NodeId, PolicyId};

/// Parts of one kind that were read before a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Older {
    /// `contents`, `tags` or `contacts`.
    pub part: &'static str,
    /// Of what: `policy`, `OU` or `account`.
    pub of: &'static str,
    /// Number of objects.
    pub number: usize,
    /// When the oldest was read.
    pub oldest: Timestamp,
}

impl Observed {
    /// The contents, tags and contacts that were read before `since`, by kind.
    #[must_use]
    pub fn older(&self, since: Timestamp) -> Vec<Older> {
        let mut found: BTreeMap<(&'static str, &'static str), (usize, Timestamp)> = BTreeMap::new();
        let mut see = |part, of, at: Option<Timestamp>| {
            if let Some(at) = at.filter(|at| *at < since) {
                let (number, oldest) = found.entry((part, of)).or_insert((0, at));
                *number += 1;
                *oldest = at.min(*oldest);
            }
        };
        for policy in self.policies.values() {
            see("contents", "policy", policy.content.read_at());
            see("tags", "policy", policy.tags.read_at());
        }
        self.units.values().for_each(|unit| see("tags", "OU", unit.tags.read_at()));
        for account in self.accounts.values() {
            see("tags", "account", account.tags.read_at());
            see("contacts", "account", account.contacts.values().filter_map(Part::read_at).min());
        }
        found.into_iter().map(|((part, of), (number, oldest))| Older { part, of, number, oldest }).collect()
    }
}

/// What a pass reads again though it is known: the oldest first, so that each part has its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renew {
    /// Most calls that it may take. Two thirds are for policies, the rest for tags and contacts of OUs and accounts; what
    /// one of the two does not need is the other's.
    pub calls: usize,
    /// Nothing is read again that was read within this time.
    pub older_than: SignedDuration,
}

/// The parts that are read again.
#[derive(Debug, Default)]
pub(super) struct Renewed {
    pub contents: BTreeSet<PolicyId>,
    pub tags: BTreeSet<Resource>,
    pub contacts: BTreeSet<(AccountId, ContactKind)>,
}

enum Known<'a> {
    Content(&'a PolicyId),
    Tags(Resource),
    Contact(&'a AccountId, ContactKind),
}

impl Renewed {
    /// The oldest of what was known, as far as `renew` lets.
    pub(super) fn of(known: &Observed, renew: Renew, now: Timestamp) -> Self {
        let due = |at: Option<Timestamp>| at.filter(|at| now.duration_since(*at) >= renew.older_than);
        let (mut policies, mut nodes) = (vec![], vec![]);
        for (id, policy) in &known.policies {
            policies.extend(due(policy.content.read_at()).map(|at| (at, Known::Content(id))));
            policies.extend(due(policy.tags.read_at()).map(|at| (at, Known::Tags(Resource::Policy(id.clone())))));
        }
        for (id, unit) in &known.units {
            let resource = || Resource::Node(NodeId::Unit(id.clone()));
            nodes.extend(due(unit.tags.read_at()).map(|at| (at, Known::Tags(resource()))));
        }
        for (id, account) in &known.accounts {
            let resource = || Resource::Node(NodeId::Account(id.clone()));
            nodes.extend(due(account.tags.read_at()).map(|at| (at, Known::Tags(resource()))));
            for (kind, contact) in &account.contacts {
                nodes.extend(due(contact.read_at()).map(|at| (at, Known::Contact(id, *kind))));
            }
        }
        let share = (renew.calls * 2 / 3).max(renew.calls.saturating_sub(nodes.len()));
        let mut renewed = Self::default();
        renewed.take(policies, share);
        let rest = renew.calls.saturating_sub(renewed.contents.len() + renewed.tags.len());
        renewed.take(nodes, rest);
        renewed
    }

    fn take(&mut self, mut known: Vec<(Timestamp, Known<'_>)>, most: usize) {
        known.sort_by_key(|(at, _)| *at);
        for (_, part) in known.into_iter().take(most) {
            match part {
                Known::Content(id) => drop(self.contents.insert(id.clone())),
                Known::Tags(resource) => drop(self.tags.insert(resource)),
                Known::Contact(id, kind) => drop(self.contacts.insert((id.clone(), kind))),
            }
        }
    }
}
