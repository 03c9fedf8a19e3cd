//! OUs that look renamed by hand: absent by every name that the manifests have for them, while their accounts are together
//! in an OU beside their place that no manifest declares. Making a second OU would move the accounts out from under whatever
//! is attached to the first, so a person is asked.

use std::collections::{BTreeMap, BTreeSet};

use super::bind::{Binding, Bound, parents_first};
use super::delta::matches_any;
use super::model::Refusal;
use crate::api::AdoptionPolicy;
use crate::desired::{Declared, Desired, NodeKey, model};
use crate::names::{ANNOTATION_ID, NodeId, UnitId};
use crate::observed::Observed;

/// Rule of the refusal.
const RULE: &str = "renamed";

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
        let Some((id, accounts)) = found_in(&name, unit, desired, observed, binding) else { continue };
        let found = observed.name(&NodeId::Unit(id.clone())).to_owned();
        let all = match accounts {
            1 => "the one account that is declared in it and there is".to_owned(),
            more => format!("all {more} accounts that are declared in it and there are"),
        };
        binding.refusals.push(Refusal {
            rule: RULE,
            object: unit.key.clone(),
            message: format!(
                "there is no OU `{}` below {}, and {all} in the OU `{found}` (`{id}`) beside it, which no manifest declares: \
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

/// The undeclared OU, beside the place of an absent one, that holds every account of it that is there; and their number.
fn found_in(
    name: &str,
    unit: &Declared<model::Unit>,
    desired: &Desired,
    observed: &Observed,
    binding: &Binding,
) -> Option<(UnitId, usize)> {
    let place = binding.node(&unit.spec.parent, observed)?;
    let declared: BTreeSet<&UnitId> = binding.units.values().filter_map(Bound::id).collect();
    let mut beside: BTreeMap<Option<UnitId>, usize> = BTreeMap::new();
    for (account, object) in &desired.accounts {
        let Some(id) = binding.accounts.get(account).and_then(Bound::id) else { continue };
        if !is_within(&object.spec.parent, name, desired) {
            continue;
        }
        // The OU on the way up to the root that stands beside the absent one.
        let chain = observed.chain(&NodeId::Account(id.clone()));
        let sibling = chain.iter().find_map(|at| match at {
            NodeId::Unit(unit) if observed.parent(at) == Some(&place) => Some(unit.clone()),
            _ => None,
        });
        *beside.entry(sibling).or_default() += 1;
    }
    let (Some((Some(id), accounts)), None) = (beside.pop_first(), beside.pop_first()) else { return None };
    let ignore = &desired.organization.spec.ignore.organizational_units;
    let ignored = matches_any(ignore, observed.name(&NodeId::Unit(id.clone())));
    (!declared.contains(&id) && !ignored).then_some((id, accounts))
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
