//! The difference between what is declared and what AWS holds, as changes. Nothing is decided here about whether a
//! change may run: that is the guard's.

mod attachments;
mod objects;
mod removed;
mod undeclared;

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use k8s_openapi::jiff::Timestamp;

use super::bind::{Binding, Bound, bind};
use super::memory::{Fact, Mark, Memory};
use super::model::{Action, Change, Drift, NodeRef, Note, Plan, Proposed, Reason, Refusal, Stage};
use super::partial::Partial;
use crate::desired::{Declared, Desired, NodeKey, model};
use crate::names::{AccountId, Kind, NodeId, ObjectKey, TAG_RESOURCE};
use crate::observed::{self, Observed};

/// What a plan is made with besides the two sides.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Delete what bylaw made, whose object is gone and had opted in.
    pub prune: bool,
    /// Objects that somebody deleted, as opposed to those that are merely not there: what they opted in to is done.
    pub deleted: BTreeSet<ObjectKey>,
}

/// Everything that is to be done so that `observed` becomes `desired`.
#[must_use]
pub fn propose(
    desired: &Desired,
    observed: &Observed,
    memory: &Memory,
    options: &Options,
    now: Timestamp,
) -> (Plan<Proposed>, Binding) {
    let binding = bind(desired, observed);
    let mut delta = Delta {
        desired,
        observed,
        binding: &binding,
        memory,
        now,
        changes: vec![],
        ignored: ignored_units(desired, observed, &binding),
        refusals: binding.refusals.clone(),
        drift: vec![],
        notes: vec![],
        facts: vec![],
    };
    delta.organization();
    delta.units();
    delta.accounts();
    delta.policies();
    delta.attachments();
    delta.removed(options);
    let undeclared = delta.undeclared();
    let mut changes = delta.changes;
    // A stable sort: within a stage the order in which the changes were found stays, and parents were found first.
    changes.sort_by_cached_key(|change| (change.stage, step_of_birth(change)));
    for (change, id) in changes.iter_mut().zip(1..) {
        change.id = id;
    }
    let plan = Plan {
        organization: desired.organization.key.clone(),
        changes,
        refusals: delta.refusals,
        drift: delta.drift,
        notes: delta.notes,
        undeclared,
        facts: delta.facts.into_iter().collect(),
        approved: BTreeMap::new(),
        state: PhantomData,
    };
    (plan, binding)
}

/// OUs that `ignore` names, and those below them: as they are named and as they are to be named, since what is ignored
/// tomorrow is not touched today.
fn ignored_units(desired: &Desired, observed: &Observed, binding: &Binding) -> BTreeSet<NodeId> {
    let patterns = &desired.organization.spec.ignore.organizational_units;
    let named = |node: &NodeId| {
        let to_be = match binding.node_objects.get(node) {
            Some(NodeKey::Unit(name)) => desired.units.get(name).map(|unit| unit.spec.name.as_str()),
            _ => None,
        };
        matches_any(patterns, observed.name(node)) || to_be.is_some_and(|name| matches_any(patterns, name))
    };
    let units: BTreeSet<NodeId> = observed.units.keys().cloned().map(NodeId::Unit).collect();
    let own: BTreeSet<&NodeId> = units.iter().filter(|node| named(node)).collect();
    let below = |node: &&NodeId| !own.is_empty() && observed.chain(node).iter().any(|at| own.contains(at));
    units.iter().filter(below).cloned().collect()
}

/// Place of a change in the life of a new account: whose, and which step. Nothing for all others.
fn step_of_birth(change: &Change) -> Option<(Box<str>, u8)> {
    let step = match &change.action {
        Action::CreateAccount { .. } => 0,
        Action::Attach { .. } => 1,
        Action::MoveAccount { .. } => 2,
        Action::Detach { .. } => 3,
        Action::PutContact { .. } => 4,
        Action::RegisterAdministrator { .. } => 5,
        _ => return None,
    };
    Some((change.action.new_account()?.into(), step))
}

struct Delta<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    binding: &'a Binding,
    memory: &'a Memory,
    now: Timestamp,
    ignored: BTreeSet<NodeId>,
    changes: Vec<Change>,
    refusals: Vec<Refusal>,
    drift: Vec<Drift>,
    notes: Vec<Note>,
    facts: Vec<(Mark, Fact)>,
}

/// What a comparison found: the reason of the change to make, and the fact that the change settles.
#[derive(Debug, Clone)]
struct Differs {
    reason: Reason,
    fact: Mark,
}

impl Delta<'_> {
    /// States the fact `object path = wanted`, compares it with what was found, and says whether and why it differs.
    /// A contested fact is refused here and `None` is returned.
    fn compare(&mut self, object: &ObjectKey, path: &str, wanted: &str, found: Option<&str>) -> Option<Differs> {
        let settled = found == Some(wanted);
        self.state_fact(object, path, wanted, found.unwrap_or("nothing"), settled)
    }

    /// As [`Delta::compare`], where equality was decided by meaning and not by text.
    fn state_fact(
        &mut self,
        object: &ObjectKey,
        path: &str,
        wanted: &str,
        found: &str,
        settled: bool,
    ) -> Option<Differs> {
        let (fact, value) = (Mark::of_fact(object, path), Mark::of(&[wanted]));
        self.facts.push((fact, Fact { wanted: value, settled }));
        if settled {
            return None;
        }
        let drifted = self.memory.was_settled(fact, value);
        if drifted {
            self.drift.push(Drift {
                object: object.clone(),
                path: path.to_owned(),
                wanted: wanted.to_owned(),
                found: found.to_owned(),
                by: None,
            });
        }
        if drifted && self.memory.is_contested(fact, self.now) {
            self.refuse(
                "contested",
                object,
                format!("`{path}` was put right three times within an hour, and somebody changes it back"),
                "find the other hand (CloudTrail names it), make one of the two let go, then run again after an hour",
            );
            return None;
        }
        Some(Differs { reason: if drifted { Reason::Drift } else { Reason::Differs }, fact })
    }

    fn push(&mut self, object: &ObjectKey, stage: Stage, action: Action, reason: Reason, facts: Vec<Mark>) {
        self.changes.push(Change { id: 0, object: object.clone(), action, reason, stage, reach: 0, facts });
    }

    fn refuse(&mut self, rule: &'static str, object: &ObjectKey, message: String, remedy: &str) {
        self.refusals.push(Refusal {
            rule,
            object: object.clone(),
            message,
            remedy: remedy.to_owned(),
            changes: vec![],
            hash: None,
        });
    }

    /// Refuses what rests on something that is not known.
    fn refuse_partial(&mut self, object: &ObjectKey, why: Partial, until_then: &str) {
        self.refusals.push(why.refusal(object, until_then));
    }

    fn note(&mut self, object: &ObjectKey, message: impl Into<String>) {
        self.notes.push(Note { object: object.clone(), message: message.into() });
    }

    /// The node of a key: there, or to be created. `None` where it is stuck.
    fn node(&self, key: &NodeKey) -> Option<NodeRef> {
        if self.binding.is_stuck(key) {
            return None;
        }
        Some(match self.binding.node(key, self.observed) {
            Some(id) => NodeRef::Known(id),
            None => NodeRef::New(key.clone()),
        })
    }

    /// Whether a declared OU or account that could not be bound means this node, by its tag, id, place or e-mail. One that
    /// is to be created means nothing that is there.
    fn is_node_claimed(&self, kind: Kind, node: &NodeId) -> bool {
        let tag = self.observed.tags(node).and_then(|tags| tags.get()).and_then(|tags| tags.get(TAG_RESOURCE));
        let tagged = |key: &ObjectKey| tag.is_some_and(|tag| *tag == key.to_string());
        match node {
            NodeId::Unit(id) if kind == Kind::OrganizationalUnit => self.desired.units.iter().any(|(name, unit)| {
                if self.binding.units.get(name) != Some(&Bound::Stuck) {
                    return false;
                }
                let Some(found) = self.observed.units.get(id) else { return false };
                let place = self.binding.node(&unit.spec.parent, self.observed);
                tagged(&unit.key)
                    || unit.id.as_deref() == Some(id.as_str())
                    || (found.name == unit.spec.name && place.is_none_or(|place| place == found.parent))
            }),
            NodeId::Account(id) => self.desired.accounts.iter().any(|(name, account)| {
                if self.binding.accounts.get(name) != Some(&Bound::Stuck) {
                    return false;
                }
                let email = self.observed.accounts.get(id).map(|found| &found.email);
                tagged(&account.key)
                    || account.id.as_deref() == Some(id.as_str())
                    || account.spec.account_id.as_ref() == Some(id)
                    || account.spec.email.as_ref().is_some_and(|e| email.is_some_and(|is| is.eq_ignore_ascii_case(e)))
            }),
            _ => false,
        }
    }

    /// Leaves a rename out where AWS would refuse it: something else has that name, be it for this pass only.
    fn is_name_taken(&mut self, key: &ObjectKey, name: &str, holder: Option<String>) -> bool {
        if let Some(id) = &holder {
            self.refuse(
                "taken",
                key,
                format!("it cannot be renamed to `{name}`: `{id}` has that name"),
                "rename the other first; where the two names change places, give one another name in between",
            );
        }
        holder.is_some()
    }

    /// Whether `ignore` names the policy as it is declared or as it is found.
    fn is_ignored_policy(&self, name: &str) -> bool {
        let patterns = &self.desired.organization.spec.ignore.policies;
        let declared = self.desired.policies.get(name).is_some_and(|policy| matches_any(patterns, &policy.spec.name));
        let id = self.binding.policies.get(name).and_then(super::bind::Bound::id);
        let found = id.and_then(|id| self.observed.policies.get(id));
        declared || found.is_some_and(|found| matches_any(patterns, &found.name))
    }

    /// Whether something new would come to be where all is ignored, or be ignored itself: refused, since neither wish
    /// is clearly the newer one.
    fn is_ignored_place(&mut self, key: &ObjectKey, parent: &NodeRef, name: &str) -> bool {
        let ignore = &self.desired.organization.spec.ignore;
        let patterns = if key.kind == Kind::Account { &ignore.accounts } else { &ignore.organizational_units };
        let inside = match parent {
            NodeRef::Known(id) => self.observed.chain(id).iter().any(|at| {
                matches!(at, NodeId::Unit(_)) && matches_any(&ignore.organizational_units, self.observed.name(at))
            }),
            NodeRef::New(_) => false,
        };
        let ignored = inside || matches_any(patterns, name);
        if ignored {
            self.refuse(
                "ignored",
                key,
                "`spec.ignore` of the Organization names it, or the OU it is to be in".into(),
                "take the pattern out of `spec.ignore`, or declare the object elsewhere",
            );
        }
        ignored
    }

    /// Whether a node is bylaw's to change at all: not the management account, not ignored, not suspended, and not
    /// perhaps the counterpart of an object that could not be read.
    fn is_open(&self, node: &NodeId) -> bool {
        if self.observed.is_management(node) {
            return false;
        }
        let object = self.binding.node_objects.get(node);
        let open = match node {
            NodeId::Account(id) => {
                let account = match object {
                    Some(NodeKey::Account(name)) => self.desired.accounts.get(name),
                    _ => None,
                };
                self.is_account_open(id, self.observed.accounts.get(id), account)
            }
            _ => !self.ignored.contains(node),
        };
        match object {
            _ if !open => false,
            Some(NodeKey::Unit(name)) => !self.desired.units.get(name).is_some_and(|unit| unit.suspend),
            Some(NodeKey::Account(_) | NodeKey::Root) => true,
            None => {
                let kind = match node {
                    NodeId::Account(_) => Kind::Account,
                    _ => Kind::OrganizationalUnit,
                };
                // What is declared and could not be bound is stalled.
                if self.is_node_claimed(kind, node) {
                    return false;
                }
                let tags = self.observed.tags(node).and_then(|tags| tags.get());
                let tag = tags.and_then(|tags| tags.get(crate::names::TAG_RESOURCE));
                !self.desired.may_be_broken(kind, node.as_str(), self.observed.name(node), tag)
            }
        }
    }

    /// Whether an account is neither below what is ignored, nor ignored itself by any of its names, nor suspended in the
    /// manifest that it is bound to.
    fn is_account_open(
        &self,
        id: &AccountId,
        found: Option<&observed::Account>,
        declared: Option<&Declared<model::Account>>,
    ) -> bool {
        if found.and_then(|found| found.parent.as_ref()).is_some_and(|place| self.ignored.contains(place)) {
            return false;
        }
        let patterns = &self.desired.organization.spec.ignore.accounts;
        let name = found.map_or(id.as_str(), |found| &found.name);
        let to_be = declared.and_then(|account| account.spec.name.as_deref());
        let mut names = [Some(id.as_str()), Some(name), to_be].into_iter().flatten();
        !names.any(|name| matches_any(patterns, name)) && !declared.is_some_and(|account| account.suspend)
    }
}

/// Whether one of the patterns (`*`, `?`) matches the whole text.
#[must_use]
pub fn matches_any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| crate::names::glob(pattern, text))
}
