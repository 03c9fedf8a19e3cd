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
use super::memory::{Fact, Facts, Mark, Memory};
use super::model::{
    Action, Carries, Change, Drift, NodeRef, Note, Plan, PolicyRef, Proposed, Reason, Refusal, Stage, Tagged,
};
use super::partial::{self, Partial};
use crate::desired::{Declared, Desired, NodeKey, model};
use crate::names::{AccountId, Kind, NodeId, ObjectKey, PolicyId, TAG_RESOURCE, Tags};
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
        carries: Carries::new(),
        adoptions: vec![],
    };
    delta.organization();
    delta.units();
    delta.accounts();
    delta.policies();
    delta.attachments();
    delta.removed(options);
    delta.adopt_what_changes();
    delta.mend_before_attaching();
    // What could not be read stays remembered as it was.
    let partial = !observed.gaps.is_empty() || delta.refusals.iter().any(|refusal| refusal.rule == partial::RULE);
    let undeclared = delta.undeclared();
    let mut changes = delta.changes;
    let mended = mended_late(&changes);
    // A stable sort: within a stage the order in which the changes were found stays, and parents were found first.
    changes.sort_by_cached_key(|change| (change.stage, step_of_birth(change), step_of_mending(change, &mended)));
    for (change, id) in changes.iter_mut().zip(1..) {
        change.id = id;
    }
    delta.drift.sort_by(|a, b| (&a.object, &a.path).cmp(&(&b.object, &b.path)));
    delta.notes.sort_by(|a, b| (&a.object, &a.message).cmp(&(&b.object, &b.message)));
    let plan = Plan {
        organization: desired.organization.key.clone(),
        changes,
        refusals: delta.refusals,
        drift: delta.drift,
        notes: delta.notes,
        undeclared,
        facts: Facts::of(delta.facts, partial),
        carries: delta.carries,
        approved: BTreeMap::new(),
        bundles: vec![],
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
        // Before the move: until it is placed nobody counts what changes for it, and a run can end anywhere.
        Action::Detach { .. } => 2,
        Action::MoveAccount { .. } => 3,
        Action::PutContact { .. } => 4,
        Action::RegisterAdministrator { .. } => 5,
        _ => return None,
    };
    Some((change.action.new_account()?.into(), step))
}

/// Policies whose text is corrected between the attachments: see [`Delta::mend_before_attaching`].
fn mended_late(changes: &[Change]) -> BTreeSet<PolicyId> {
    let late = changes.iter().filter(|change| change.stage == Stage::Attach);
    late.filter_map(|change| change.action.rewrites().cloned()).collect()
}

/// Place of a change among the attachments: those of other policies, then the texts, then what waits for them.
fn step_of_mending(change: &Change, mended: &BTreeSet<PolicyId>) -> u8 {
    match &change.action {
        _ if change.stage != Stage::Attach => 0,
        Action::UpdatePolicy { .. } => 1,
        Action::Attach { policy: PolicyRef::Known(policy), .. } if mended.contains(policy) => 2,
        _ => 0,
    }
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
    carries: Carries,
    /// What is adopted as soon as it changes: the object, what it is in AWS, and the tags there.
    adoptions: Vec<(ObjectKey, Tagged, Tags)>,
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
        self.state_fact_of(object, path, wanted, found, settled, None)
    }

    /// As [`Delta::state_fact`], where the wanted value names another object: a difference is drift only while that one is
    /// bound to the same node of AWS as when the last pass ended.
    fn state_fact_of(
        &mut self,
        object: &ObjectKey,
        path: &str,
        wanted: &str,
        found: &str,
        settled: bool,
        names: Option<&NodeKey>,
    ) -> Option<Differs> {
        let (fact, value) = (Mark::of_fact(object, path), Mark::of(&[wanted]));
        self.facts.push((fact, Fact { wanted: value, settled }));
        if settled {
            return None;
        }
        let same_node = || names.is_none_or(|node| self.is_same_node(node));
        let drifted = self.memory.was_settled(fact, value) && self.is_same(object) && same_node();
        if drifted && !self.has_drifted(object, path, wanted, found) {
            return None;
        }
        Some(Differs { reason: if drifted { Reason::Drift } else { Reason::Differs }, fact })
    }

    /// Tells drift. `false`, with a refusal: it is contested and is not put right any more.
    fn has_drifted(&mut self, object: &ObjectKey, path: &str, wanted: &str, found: &str) -> bool {
        self.tell_drift(object, path, wanted, found);
        let contested = self.memory.is_contested(Mark::of_fact(object, path), self.now);
        if contested {
            self.refuse(
                "contested",
                object,
                format!("`{path}` was put right three times within an hour, and somebody changes it back"),
                "find the other hand (CloudTrail names it), make one of the two let go, then run again after an hour",
            );
        }
        !contested
    }

    fn tell_drift(&mut self, object: &ObjectKey, path: &str, wanted: &str, found: &str) {
        self.drift.push(Drift {
            object: object.clone(),
            path: path.to_owned(),
            wanted: wanted.to_owned(),
            found: found.to_owned(),
            by: None,
        });
    }

    /// States what AWS holds now, whoever wants it: what is compared with it after the next pass tells what came since.
    fn remember(&mut self, object: &ObjectKey, path: &str, value: &[&str]) {
        self.facts.push((Mark::of_fact(object, path), Fact { wanted: Mark::of(value), settled: true }));
    }

    /// Whether it was so when the last pass ended.
    fn remembers(&self, object: &ObjectKey, path: &str, value: &[&str]) -> bool {
        self.memory.was_settled(Mark::of_fact(object, path), Mark::of(value))
    }

    /// Whether an object is bound to the AWS object that it was bound to when the last pass ended. One that is gone from AWS
    /// since is still the same; one that its manifest binds to something else is not, and its differences are no drift.
    fn is_same(&self, object: &ObjectKey) -> bool {
        let id = match object.kind {
            Kind::Organization => return true,
            Kind::OrganizationalUnit => {
                self.binding.units.get(&object.name).and_then(Bound::id).map(ToString::to_string)
            }
            Kind::Account => self.binding.accounts.get(&object.name).and_then(Bound::id).map(ToString::to_string),
            Kind::OrganizationPolicy => {
                self.binding.policies.get(&object.name).and_then(Bound::id).map(ToString::to_string)
            }
        };
        let was = self.memory.settled.get(&Mark::of_fact(object, "exists"));
        match id {
            Some(id) => was == Some(&Mark::of(&[&id])),
            None => was.is_some(),
        }
    }

    fn is_same_node(&self, node: &NodeKey) -> bool {
        node.object().is_none_or(|object| self.is_same(&object))
    }

    /// A policy is brought to its text before it is attached, whichever of the two is the stricter: what an attachment denies
    /// is what the policy says at that moment. One that is attached nowhere is corrected with those that are made stricter;
    /// one that is attached elsewhere and loses something is corrected after the attachments of all others, which may take
    /// over what it loses. An attachment whose policy cannot be corrected in this plan is not proposed.
    fn mend_before_attaching(&mut self) {
        let attached = |change: &Change| match (&change.action, change.stage) {
            (Action::Attach { policy: PolicyRef::Known(policy), .. }, Stage::Attach) => Some(policy.clone()),
            _ => None,
        };
        let attaches: BTreeSet<PolicyId> = self.changes.iter().filter_map(attached).collect();
        let mut texts: BTreeMap<PolicyId, Reason> = BTreeMap::new();
        for change in &mut self.changes {
            let Some(policy) = change.action.rewrites().cloned() else { continue };
            if attaches.contains(&policy) && change.stage == Stage::Narrow {
                let found = self.observed.policies.get(&policy).and_then(|found| found.targets.get());
                let nowhere = found.is_some_and(BTreeSet::is_empty);
                change.stage = if nowhere { Stage::Policies } else { Stage::Attach };
            }
            texts.insert(policy, change.reason.clone());
        }
        let mut stranded = vec![];
        self.changes.retain_mut(|change| {
            let Action::Attach { policy: PolicyRef::Known(policy), .. } = &change.action else { return true };
            match texts.get(policy) {
                _ if !change.needs_text => true,
                None => {
                    stranded.push(change.object.clone());
                    false
                }
                // What is put back beside something new is as new as that.
                Some(reason) if *reason != Reason::Drift && change.reason == Reason::Drift => {
                    change.reason = reason.clone();
                    true
                }
                Some(_) => true,
            }
        });
        stranded.dedup();
        for object in stranded {
            self.refuse(
                "depends",
                &object,
                "waits until the policy says what is declared: it is not attached with another text".into(),
                "see the refusal of its content",
            );
        }
    }

    fn push(&mut self, object: &ObjectKey, stage: Stage, action: Action, reason: Reason, facts: Vec<Mark>) {
        let object = object.clone();
        self.changes.push(Change {
            id: 0,
            object,
            action,
            reason,
            stage,
            reach: 0,
            needs_text: false,
            facts,
            means: None,
        });
    }

    fn refuse(&mut self, rule: &'static str, object: &ObjectKey, message: String, remedy: &str) {
        self.refusals.push(Refusal {
            rule,
            object: object.clone(),
            message,
            remedy: remedy.to_owned(),
            changes: vec![],
            hash: None,
            objects: vec![],
            cause: None,
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
                format!("it cannot be renamed to `{name}`: {id} has that name"),
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
