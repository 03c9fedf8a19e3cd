//! A plan that was kept and is carried out later, or gone on with after a run that ended in the middle: which changes of
//! the plan of now it held, and which of them may run.
//!
//! A change is known by its hash. What touches an object that the kept plan was still to create names that object by its
//! key there, and by its id once a run has made it: then the hash that the change had before is looked for as well. What
//! was there when the plan was kept is known by its id alone, so that an approval never moves to another AWS object.

use std::collections::{BTreeMap, BTreeSet};

use super::bind::bind;
use super::guard::births;
use super::model::{Action, Change, Guarded, NodeRef, Plan, PolicyRef, Tagged};
use crate::desired::{Desired, NodeKey};
use crate::names::{Kind, NodeId, ObjectKey, PolicyId, TAG_ADOPTED, TAG_MANAGED_BY, TAG_RESOURCE, Tags};
use crate::observed::{Observed, Part};

/// What bylaw made, as its tags say: the AWS objects that a plan of before can have named by their keys. What was taken
/// over by its name is not among them, nor is what carries the tags of another organization's `Organization`.
#[derive(Debug, Clone, Default)]
pub struct Made {
    nodes: BTreeMap<NodeId, NodeKey>,
    policies: BTreeMap<PolicyId, ObjectKey>,
}

/// Whether the Organization object of that name created what carries the tags, as opposed to adopting it.
pub(super) fn is_made_by(organization: &str, tags: &Tags) -> bool {
    tags.get(TAG_MANAGED_BY) == Some(organization) && !tags.contains_key(TAG_ADOPTED)
}

impl Made {
    /// Finds them.
    #[must_use]
    pub fn of(desired: &Desired, observed: &Observed) -> Self {
        let maker = &desired.organization.key.name;
        let ours = |tags: Option<&Part<Tags>>, key: &str| {
            let tags = tags.and_then(Part::get);
            tags.is_some_and(|tags| tags.get(TAG_RESOURCE) == Some(key) && is_made_by(maker, tags))
        };
        let binding = bind(desired, observed);
        let nodes = binding.node_objects.into_iter();
        let policies = binding.policy_objects.into_iter();
        Self {
            nodes: nodes.filter(|(id, key)| ours(observed.tags(id), &key.to_string())).collect(),
            policies: policies
                .map(|(id, name)| (id, ObjectKey::new(Kind::OrganizationPolicy, &name)))
                .filter(|(id, key)| ours(observed.policies.get(id).map(|found| &found.tags), &key.to_string()))
                .collect(),
        }
    }

    /// Every form that a change has or had: with each object that bylaw made named by its id, and by its key.
    pub(super) fn forms(&self, change: &Change) -> Vec<Change> {
        let mut forms = vec![change.clone()];
        for name in self.names(&change.action) {
            let mut earlier = forms.clone();
            earlier.iter_mut().for_each(|form| name.put_into(&mut form.action));
            forms.extend(earlier);
        }
        forms
    }

    /// What a change touches that bylaw made.
    fn names(&self, action: &Action) -> BTreeSet<Name> {
        let node = |at: &NodeRef| match at {
            NodeRef::Known(id) => Some(Name::Node(id.clone(), self.nodes.get(id)?.clone())),
            NodeRef::New(_) => None,
        };
        let policy = |of: &PolicyRef| match of {
            PolicyRef::Known(id) => Some(Name::Policy(id.clone(), self.policies.get(id)?.clone())),
            PolicyRef::New(_) => None,
        };
        action.nodes().into_iter().filter_map(node).chain(action.policy().and_then(policy)).collect()
    }
}

/// The key that something was named by before it had an id.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Node(NodeId, NodeKey),
    Policy(PolicyId, ObjectKey),
}

impl Name {
    fn put_into(&self, action: &mut Action) {
        let (nodes, policies) = refs(action);
        match self {
            Self::Node(id, key) => {
                for at in nodes.into_iter().filter(|at| matches!(at, NodeRef::Known(of) if of == id)) {
                    *at = NodeRef::New(key.clone());
                }
            }
            Self::Policy(id, key) => {
                for of in policies.into_iter().filter(|of| matches!(of, PolicyRef::Known(other) if other == id)) {
                    *of = PolicyRef::New(key.clone());
                }
            }
        }
    }
}

/// Where an action names what may be there or not yet.
fn refs(action: &mut Action) -> (Vec<&mut NodeRef>, Vec<&mut PolicyRef>) {
    match action {
        Action::CreateUnit { parent, .. } => (vec![parent], vec![]),
        Action::Attach { policy, target, .. } => (vec![target], vec![policy]),
        Action::MoveAccount { account, from, to } => (vec![account, from, to], vec![]),
        Action::Detach { target, .. } => (vec![target], vec![]),
        Action::Tag { resource: Tagged::Node(node), .. } => (vec![node], vec![]),
        Action::Tag { resource: Tagged::Policy(policy), .. } => (vec![], vec![policy]),
        Action::PutContact { account, .. } | Action::RegisterAdministrator { account, .. } => (vec![account], vec![]),
        Action::EnablePolicyType { .. }
        | Action::EnableService { .. }
        | Action::RenameUnit { .. }
        | Action::CreatePolicy { .. }
        | Action::UpdatePolicy { .. }
        | Action::RenameAccount { .. }
        | Action::PutDelegationPolicy { .. }
        | Action::CreateAccount { .. }
        | Action::DeletePolicy { .. }
        | Action::DeleteUnit { .. }
        | Action::CloseAccount { .. } => (vec![], vec![]),
    }
}

/// What to keep with a plan beside the approvals that it was made with, so that they count for what is left of it when part
/// of it is done: hashes that approve its approved changes, and those of accounts that are not there yet, each alone.
#[must_use]
pub fn approvals(plan: &Plan<Guarded>) -> BTreeSet<String> {
    plan.approved.keys().cloned().chain(births(&plan.changes)).collect()
}

/// The changes of the plan of now, refused ones included, that a kept plan held: by number, with the hash that each has
/// in the kept plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known(BTreeMap<u32, Shown>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    print: String,
    /// The kept plan was still to create the policy that it attaches.
    new_policy: bool,
}

impl Known {
    /// Looks for the changes of `now` among those that were `shown`, by their hashes.
    #[must_use]
    pub fn of(now: &Plan<Guarded>, shown: &BTreeSet<String>, made: &Made) -> Self {
        let all = now.changes.iter().chain(now.refusals.iter().flat_map(|refusal| &refusal.changes));
        let known = |change: &Change| {
            made.forms(change).into_iter().find_map(|form| {
                let print = form.fingerprint();
                let new_policy = matches!(form.action, Action::Attach { policy: PolicyRef::New(_), .. });
                shown.contains(&print).then_some((change.id, Shown { print, new_policy }))
            })
        };
        Self(all.filter_map(known).collect())
    }

    /// The hash of a change in the kept plan; `None` where it was not in it.
    #[must_use]
    pub fn print(&self, change: &Change) -> Option<&str> {
        self.0.get(&change.id).map(|shown| shown.print.as_str())
    }

    /// Whether the kept plan held the change.
    #[must_use]
    pub fn holds(&self, change: &Change) -> bool {
        self.0.contains_key(&change.id)
    }

    /// Numbers of the changes that stand without those that the kept plan did not hold.
    ///
    /// A new account is not made where something that belongs to it, its move before all, would be left out: it would stay
    /// unguarded below the root. Nothing that can take a guard away runs where a change that adds one is left out. And a
    /// policy that is to be put right first is attached nowhere.
    #[must_use]
    pub fn standing(&self, now: &Plan<Guarded>) -> BTreeSet<u32> {
        let update = |change: &Change| change.action.rewrites().cloned();
        let other = |change: &&Change| !self.holds(change);
        let edited: BTreeSet<PolicyId> = now.changes.iter().filter(other).filter_map(update).collect();
        // One that was made since says something else than was shown, whatever holds its correction back.
        let refused = now.refusals.iter().flat_map(|refusal| &refusal.changes);
        let stuck: BTreeSet<PolicyId> = refused.filter_map(update).collect();
        let is_other = |change: &Change| match &change.action {
            Action::Attach { policy: PolicyRef::Known(policy), .. } => {
                let made_since = || self.0.get(&change.id).is_some_and(|shown| shown.new_policy);
                edited.contains(policy) || (stuck.contains(policy) && made_since())
            }
            _ => false,
        };
        let missing = |change: &Change| !self.holds(change) || is_other(change);
        let unguarded = now.changes.iter().any(|change| missing(change) && guards(&change.action));
        let left_out = |change: &Change| missing(change) || (unguarded && change.action.loosens());
        let out = || now.changes.iter().filter(|change| left_out(change));
        let half: BTreeSet<&str> = out().filter_map(|change| change.action.new_account()).collect();
        now.changes
            .iter()
            .filter(|change| !left_out(change))
            .filter(|change| change.action.new_account().is_none_or(|account| !half.contains(account)))
            .map(|change| change.id)
            .collect()
    }
}

fn guards(action: &Action) -> bool {
    matches!(action, Action::CreatePolicy { .. } | Action::UpdatePolicy { .. } | Action::Attach { .. })
}
