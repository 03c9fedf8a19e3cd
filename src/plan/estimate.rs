//! How many AWS calls a plan takes.

use std::collections::BTreeMap;

use super::model::{Change, Plan};

/// Calls by operation.
pub type Calls = BTreeMap<&'static str, u64>;

/// The calls that a plan's changes take: the re-reads before them, and the writes.
#[must_use]
pub fn calls<State>(plan: &Plan<State>) -> (Calls, Calls) {
    let (mut reads, mut writes) = (Calls::new(), Calls::new());
    for change in &plan.changes {
        let (write, read) = change.action.operations();
        *writes.entry(write).or_default() += 1;
        if let Some(read) = read {
            *reads.entry(read).or_default() += 1;
        }
        if is_creation(change) {
            *reads.entry("DescribeCreateAccountStatus").or_default() += 1;
        }
    }
    (reads, writes)
}

fn is_creation(change: &Change) -> bool {
    matches!(change.action, super::model::Action::CreateAccount { .. })
}
