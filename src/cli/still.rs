//! What of a saved plan may run when AWS is no longer as it was: what was shown, and stands without what was not.

use std::collections::BTreeSet;

use crate::desired::NodeKey;
use crate::plan::{Action, Change, Guarded, NodeRef, Plan};

/// Of the changes that were shown, those that stand without the ones that were not.
///
/// A new account is not made where something that belongs to it, its move before all, would be left out: it would stay
/// unguarded below the root. And nothing that can take a guard away runs where a change that adds one is left out.
#[must_use]
pub fn standing(now: &Plan<Guarded>, shown: &BTreeSet<String>) -> BTreeSet<String> {
    let not_shown = |change: &Change| !shown.contains(&change.fingerprint());
    let unguarded = now.changes.iter().any(|change| not_shown(change) && guards(&change.action));
    let left_out = |change: &Change| not_shown(change) || (unguarded && change.action.loosens());
    let half: BTreeSet<&str> =
        now.changes.iter().filter(|change| left_out(change)).filter_map(|change| new_account(&change.action)).collect();
    now.changes
        .iter()
        .filter(|change| !left_out(change))
        .filter(|change| new_account(&change.action).is_none_or(|account| !half.contains(account)))
        .map(Change::fingerprint)
        .collect()
}

fn guards(action: &Action) -> bool {
    matches!(action, Action::CreatePolicy { .. } | Action::UpdatePolicy { .. } | Action::Attach { .. })
}

/// The account that does not exist yet and that the change belongs to.
fn new_account(action: &Action) -> Option<&str> {
    if let Action::CreateAccount { key, .. } = action {
        return Some(key);
    }
    action.nodes().into_iter().find_map(|node| match node {
        NodeRef::New(NodeKey::Account(key)) => Some(&**key),
        _ => None,
    })
}
