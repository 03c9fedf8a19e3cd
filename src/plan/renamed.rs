//! OUs that look renamed by hand: absent by every name that the manifests have for them, while accounts or OUs of theirs are
//! in an OU beside their place that no manifest declares. Making a second OU would move the accounts out from under whatever
//! is attached to the first, so a person is asked.

use std::collections::{BTreeMap, BTreeSet};

use super::bind::{Binding, Bound, MOVED, manager, parents_first};
use super::delta::matches_any;
use super::model::Refusal;
use crate::api::AdoptionPolicy;
use crate::desired::{Declared, Desired, NodeKey, model};
use crate::names::{ANNOTATION_ID, AccountId, Kind, NodeId, ObjectKey, PREFIX, TAG_RESOURCE, Tags, UnitId};
use crate::observed::Observed;

/// Rule of the refusal.
const RULE: &str = "renamed";
/// Objects that a message names.
const MOST_NAMED: usize = 5;

/// Refuses to create them, and with them all that is declared below. Accounts have to be bound by now.
pub(super) fn refuse_renamed(desired: &Desired, observed: &Observed, binding: &mut Binding) {
    let mut refused = false;
    for name in parents_first(desired) {
        let Some(unit) = desired.units.get(&name) else { continue };
        if binding.units.get(&name) != Some(&Bound::Create) {
            continue;
        }
        // One whose parent was refused here is not created either.
        if refused && binding.is_stuck(&unit.spec.parent) {
            binding.units.insert(name, Bound::Stuck);
            continue;
        }
        // `Create` says that a new one is meant.
        if unit.suspend || unit.spec.adoption == AdoptionPolicy::Create {
            continue;
        }
        let Some((id, why)) = found_in(&name, unit, desired, observed, binding) else { continue };
        let found = observed.name(&NodeId::Unit(id.clone())).to_owned();
        // That an OU below it is elsewhere is the same, said less well.
        let below = |key: &ObjectKey| {
            key.kind == Kind::OrganizationalUnit && is_within(&NodeKey::Unit(key.name.clone()), &name, desired)
        };
        binding.refusals.retain(|refusal| refusal.rule != MOVED || !below(&refusal.object));
        binding.refusals.push(Refusal {
            rule: RULE,
            object: unit.key.clone(),
            message: format!(
                "there is no OU `{}` below {}, and {why} the OU `{found}` (`{id}`) beside it, which no manifest declares: \
                 was it renamed?",
                unit.spec.name, unit.spec.parent
            ),
            remedy: format!(
                "if it was, set `metadata.annotations[{ANNOTATION_ID}]` to `{id}`, or give it one name in AWS and in \
                 `spec.name`; if a new OU is meant, set `spec.adoptionPolicy: Create`"
            ),
            changes: vec![],
            hash: None,
            objects: vec![],
            cause: None,
        });
        binding.units.insert(name, Bound::Stuck);
        refused = true;
    }
}

/// What of an absent OU an undeclared one beside its place holds.
#[derive(Default)]
struct Held {
    accounts: BTreeSet<AccountId>,
    units: BTreeSet<UnitId>,
    /// Policies that are declared for the absent one.
    policies: BTreeSet<String>,
    /// Policies and tags that bind or mark what is there.
    marked: bool,
}

/// The undeclared OU, beside the place of an absent one, that looks like it; and what of it is there, as a clause before
/// its name. One that holds some of it is taken for it where a policy binds what it holds, where tags mark it, or where
/// nothing else is in it.
fn found_in(
    name: &str,
    unit: &Declared<model::Unit>,
    desired: &Desired,
    observed: &Observed,
    binding: &Binding,
) -> Option<(UnitId, String)> {
    let place = binding.node(&unit.spec.parent, observed)?;
    let declared: BTreeSet<&UnitId> = binding.units.values().filter_map(Bound::id).collect();
    // The OU on the way up to the root that stands beside the absent one, and all on the way to it.
    let beside = |node: &NodeId| {
        let chain = observed.chain(node);
        let at = chain.iter().position(|at| observed.parent(at) == Some(&place))?;
        let NodeId::Unit(sibling) = chain.get(at)? else { return None };
        Some((sibling.clone(), chain.get(1..=at).unwrap_or_default().to_vec()))
    };
    let mut held: BTreeMap<UnitId, Held> = BTreeMap::new();
    let mut there: Vec<(&ObjectKey, NodeId, Option<UnitId>)> = vec![];
    for (account, object) in &desired.accounts {
        let Some(id) = binding.accounts.get(account).and_then(Bound::id) else { continue };
        if !is_within(&object.spec.parent, name, desired) {
            continue;
        }
        let node = NodeId::Account(id.clone());
        let found = beside(&node);
        there.push((&object.key, node, found.as_ref().map(|(sibling, _)| sibling.clone())));
        let Some((sibling, way)) = found else { continue };
        let held = held.entry(sibling).or_default();
        held.accounts.insert(id.clone());
        held.marked |= way.iter().any(|node| is_marked(node, observed));
    }
    for (child, object) in desired.units.iter().filter(|(child, _)| ***child != *name) {
        if !is_within(&NodeKey::Unit(child.clone()), name, desired) {
            continue;
        }
        for id in observed.units.keys().filter(|id| is_of(id, object, desired, observed)) {
            if let Some((sibling, _)) = beside(&NodeId::Unit(id.clone())).filter(|(sibling, _)| sibling != id) {
                held.entry(sibling).or_default().units.insert(id.clone());
            }
        }
    }
    for (policy, object) in &desired.policies {
        let Some(id) = binding.policies.get(policy).and_then(Bound::id) else { continue };
        if !object.spec.targets.iter().any(|target| is_within(target, name, desired)) {
            continue;
        }
        let targets = observed.policies.get(id).and_then(|found| found.targets.get());
        for node in targets.into_iter().flatten().filter(|node| matches!(node, NodeId::Unit(_))) {
            if let Some((sibling, _)) = beside(node).filter(|(sibling, _)| !is_of_another(sibling, desired, observed)) {
                held.entry(sibling).or_default().policies.insert(format!("`{}`", object.key));
            }
        }
    }
    let ignore = &desired.organization.spec.ignore.organizational_units;
    let is_left_alone = |id: &UnitId| matches_any(ignore, observed.name(&NodeId::Unit(id.clone())));
    let looks_like = |(id, held): &(&UnitId, &Held)| {
        let sibling = NodeId::Unit((*id).clone());
        let all = !there.is_empty() && held.accounts.len() == there.len();
        let empties = || {
            let inside = observed.accounts.keys().filter(|id| !held.accounts.contains(*id));
            !inside.into_iter().any(|id| observed.chain(&NodeId::Account(id.clone())).contains(&sibling))
        };
        all || held.marked || !held.units.is_empty() || !held.policies.is_empty() || empties()
    };
    let open = held.iter().filter(|(id, _)| !declared.contains(id) && !is_left_alone(id));
    let (id, of) = open
        .filter(looks_like)
        .max_by_key(|(_, held)| (held.accounts.len() + held.units.len(), held.policies.len()))?;
    let elsewhere = there.iter().filter(|(_, _, sibling)| sibling.as_ref() != Some(id)).map(|(key, node, _)| {
        format!("`{key}` is in `{}`", observed.parent(node).map_or("?", |above| observed.name(above)))
    });
    Some((id.clone(), clause(of, there.len(), &elsewhere.collect::<Vec<_>>(), observed)))
}

/// What is there, and where the rest is.
fn clause(held: &Held, there: usize, elsewhere: &[String], observed: &Observed) -> String {
    let (accounts, rest) = (held.accounts.len(), named(elsewhere));
    let accounts = match (accounts, there) {
        (0, _) => None,
        (1, 1) => Some("the one account that is declared in it and there is".to_owned()),
        (all, there) if all == there => Some(format!("all {all} accounts that are declared in it and there are")),
        (some, there) => Some(format!("{some} of the {there} accounts that are declared in it ({rest}) are")),
    };
    if let Some(accounts) = accounts {
        return format!("{accounts} in");
    }
    let units = held.units.iter().map(|id| format!("`{}`", observed.name(&NodeId::Unit(id.clone()))));
    let units: Vec<String> = units.collect();
    if units.is_empty() {
        let policies: Vec<String> = held.policies.iter().cloned().collect();
        return format!("what is declared for it ({}) is attached to", named(&policies));
    }
    format!("what is declared in it ({}) is in", named(&units))
}

/// The first few, and how many more there are.
fn named(all: &[String]) -> String {
    let shown = all.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(MOST_NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Whether somebody attached a policy to an OU, or may have, or put a tag on it.
fn is_marked(node: &NodeId, observed: &Observed) -> bool {
    let mut own = observed.policies.values().filter(|policy| !policy.aws_managed);
    // Which object an OU was made for says nothing of whether it is another's now.
    let foreign = |tags: &Tags| tags.keys().any(|key| !key.starts_with(PREFIX));
    let tagged = observed.tags(node).is_some_and(|tags| tags.get().is_none_or(foreign));
    tagged || own.any(|policy| policy.targets.get().is_none_or(|targets| targets.contains(node)))
}

/// Whether an OU carries the tag of some object of this Organization, whichever it is.
fn is_of_another(id: &UnitId, desired: &Desired, observed: &Observed) -> bool {
    let tags = observed.units.get(id).and_then(|unit| unit.tags.get());
    tags.is_some_and(|tags| is_ours(tags, desired) && tags.contains_key(TAG_RESOURCE))
}

fn is_ours(tags: &Tags, desired: &Desired) -> bool {
    manager(tags).is_none_or(|manager| *manager == *desired.organization.key.name)
}

/// Whether an OU is that of an object, by its id or its tag.
fn is_of(id: &UnitId, object: &Declared<model::Unit>, desired: &Desired, observed: &Observed) -> bool {
    let tags = observed.units.get(id).and_then(|unit| unit.tags.get());
    let ours = |tags: &Tags| {
        is_ours(tags, desired) && tags.get(TAG_RESOURCE).is_some_and(|tag| *tag == object.key.to_string())
    };
    object.id.as_deref() == Some(id.as_str()) || tags.is_some_and(ours)
}

/// Whether a declared place is the OU of that object, or below it. The tree has no cycles.
fn is_within(place: &NodeKey, unit: &str, desired: &Desired) -> bool {
    let mut at = place;
    while let NodeKey::Unit(name) = at {
        if **name == *unit {
            return true;
        }
        let Some(above) = desired.units.get(name) else { return false };
        at = &above.spec.parent;
    }
    false
}
