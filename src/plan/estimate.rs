//! How many AWS calls a plan takes.

use std::collections::{BTreeMap, HashMap};

use super::model::{Action, NodeRef, Plan, PolicyRef, Reason, takes_every_allow};
use crate::aws::buckets::rate_of;
use crate::names::{PolicyId, PolicyType};

/// Calls by operation.
pub type Calls = BTreeMap<&'static str, u64>;

/// A look at what is attached to a node, or at what a policy says, serves the attachments that follow within this many seconds.
pub const FRESH: u32 = 10;

/// The calls that a plan's changes take: the looks before them, and the writes. A list counts as one page, an account
/// creation as over when it is first asked for, and a policy that allows nothing any more as attached nowhere; the lease
/// and the reading after all are not in it.
#[must_use]
pub fn calls<State>(plan: &Plan<State>) -> (Calls, Calls) {
    let (mut reads, mut writes) = (Calls::new(), Calls::new());
    let mut looks = Looks::default();
    for change in &plan.changes {
        let (write, before) = change.action.operations();
        let due = looks.before(&change.action);
        *writes.entry(write).or_default() += 1;
        if bares(&change.action) {
            *reads.entry("ListTargetsForPolicy").or_default() += 1;
        }
        // What is removed opted in to it, and is asked again.
        if change.reason == Reason::Removed && matches!(change.action, Action::Detach { .. }) {
            *reads.entry("ListTagsForResource").or_default() += 1;
        }
        for read in before {
            let due = match (*read, &change.action) {
                (ONCE | SHARED, _) => due,
                (TEXT, Action::Attach { policy: PolicyRef::Known(policy), .. }) => looks.is_text_due(policy),
                _ => true,
            };
            if due {
                *reads.entry(read).or_default() += 1;
            }
        }
        looks.after(&change.action);
    }
    (reads, writes)
}

/// Whether what else is attached where the policy is has to be looked at before.
fn bares(action: &Action) -> bool {
    match action {
        Action::UpdatePolicy { kind, content: Some(content), .. } => {
            *kind == PolicyType::scp() && takes_every_allow(kind, content)
        }
        _ => false,
    }
}

/// One list tells of all account creations.
const ONCE: &str = "ListCreateAccountStatus";
/// One look tells of all that is attached to a node.
const SHARED: &str = "ListPoliciesForTarget";

/// One look tells of all attachments of a policy what it says.
const TEXT: &str = "DescribePolicy";

/// Looks that several changes share.
#[derive(Default)]
struct Looks<'a> {
    creations: bool,
    /// Attachments so far: at AWS's rate, they are the clock.
    attached: u32,
    /// Number of the attachment before which what is attached to a node was looked at last.
    nodes: HashMap<(&'a NodeRef, &'a PolicyType), u32>,
    /// The same of what a policy says.
    texts: HashMap<&'a PolicyId, u32>,
}

impl<'a> Looks<'a> {
    /// Whether a look that can be shared is due before this change.
    fn before(&mut self, action: &'a Action) -> bool {
        match action {
            Action::CreateAccount { .. } => !std::mem::replace(&mut self.creations, true),
            Action::Attach { target, kind, .. } => {
                self.attached += 1;
                let (now, node) = (self.attached, (target, kind));
                let seen = self.nodes.get(&node).is_some_and(|at| is_fresh(now - at));
                if !seen {
                    self.nodes.insert(node, now);
                }
                !seen
            }
            _ => true,
        }
    }

    /// Whether it has to be asked what the policy says before this attachment.
    fn is_text_due(&mut self, policy: &'a PolicyId) -> bool {
        let now = self.attached;
        let seen = self.texts.get(policy).is_some_and(|at| is_fresh(now - at));
        if !seen {
            self.texts.insert(policy, now);
        }
        !seen
    }

    /// What was written is known.
    fn after(&mut self, action: &'a Action) {
        if let Some(policy) = action.rewrites() {
            self.texts.insert(policy, self.attached);
        }
    }
}

fn is_fresh(attachments: u32) -> bool {
    seconds(attachments) <= f64::from(FRESH)
}

fn seconds(attachments: u32) -> f64 {
    f64::from(attachments) / rate_of("AttachPolicy").per_second
}
