//! What the organization was when passes ended: what a plan calls drift is measured by it, without the engine's memory.

use bylaw::aws::offline::State;
use bylaw::names::NodeId;
use bylaw::pass::Planned;
use bylaw::plan::{Action, Change, NodeRef, PolicyRef, Reason};

use super::model::{Model, says};

/// The ends of passes since the engine began to remember. `None`: one of them cannot be told, since somebody else was at
/// work while it ended, or the engine was shown what was before.
#[derive(Debug, Clone)]
pub struct Ends(Option<Vec<Model>>);

impl Ends {
    /// Nothing is remembered: then nothing is drift.
    pub fn none() -> Self {
        Self(Some(vec![]))
    }

    /// A pass ended; `sure`: with this and nothing else.
    pub fn end(&mut self, state: &State, sure: bool) {
        match &mut self.0 {
            Some(ends) if sure => ends.push(Model::of(state)),
            _ => self.0 = None,
        }
    }

    /// Whatever the plan takes for drift was as it is to be again when a pass ended. `Ok`: how much was looked at.
    pub fn explain(&self, planned: &Planned) -> Result<u64, String> {
        let Some(ends) = &self.0 else { return Ok(0) };
        let mut checks = 0;
        for change in planned.plan.changes.iter().filter(|change| change.reason == Reason::Drift) {
            let Some(was) = before(change, planned) else { continue };
            checks += 1;
            if !ends.iter().any(was) {
                return Err(format!("drift: never so when a pass ended: {} {:?}", change.object, change.action));
            }
        }
        Ok(checks)
    }
}

type Was<'a> = Box<dyn Fn(&Model) -> bool + 'a>;

/// Whether the end of a pass had what a change puts back; `None` where that names nothing that was there.
fn before<'a>(change: &'a Change, planned: &'a Planned) -> Option<Was<'a>> {
    let at = |model: &Model, policy: &str, node: &NodeId| {
        model.attached.get(node.as_str()).is_some_and(|all| all.contains(policy))
    };
    Some(match &change.action {
        Action::Attach { policy: PolicyRef::Known(policy), target: NodeRef::Known(node), .. } => {
            let found = &planned.observed.policies[policy];
            let update = planned.plan.changes.iter().find_map(|other| match &other.action {
                Action::UpdatePolicy { policy: of, content: Some(content), .. }
                    if of == policy && other.reason == Reason::Drift =>
                {
                    Some(content.to.as_str())
                }
                _ => None,
            });
            let text = update.or(found.content.get().map(String::as_str)).unwrap_or_default();
            Box::new(move |model| {
                let same = found.aws_managed
                    || model.policies.get(policy.as_str()).is_some_and(|(kind, was)| was.is_as(&says(kind, text)));
                at(model, policy.as_str(), node) && same
            })
        }
        Action::Detach { policy, target: NodeRef::Known(node), .. } => {
            Box::new(move |model| !at(model, policy.as_str(), node))
        }
        Action::MoveAccount { account: NodeRef::Known(account), to: NodeRef::Known(to), .. } => {
            Box::new(move |model| model.parents.get(account.as_str()).is_some_and(|parent| parent == to.as_str()))
        }
        Action::UpdatePolicy { policy, kind, content: Some(content), .. } => Box::new(move |model| {
            model.policies.get(policy.as_str()).is_some_and(|(_, was)| was.is_as(&says(kind, &content.to)))
        }),
        _ => return None,
    })
}
