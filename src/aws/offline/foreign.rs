//! The foreign hand: what a careless person with the console does beside bylaw.

use super::state::State;
use crate::aws::dice::Dice;
use crate::aws::port::{Request, Resource};
use crate::names::{NodeId, PolicyId, PolicyType, Tags};

/// One change as a careless person makes it: detach, attach, move, edit, rename, tag, untag, delete, create. It may be
/// one that AWS refuses. `None` where the organization has nothing of the kind drawn.
#[must_use]
pub fn careless(state: &State, dice: &mut Dice) -> Option<Request> {
    match dice.below(10) {
        0 => {
            let policy = pick_policy(state, dice, true)?;
            let targets = state.targets(&policy);
            let target = dice.pick(targets.into_iter())?;
            Some(Request::DetachPolicy { policy, target })
        }
        1 => {
            let policy = pick_policy(state, dice, true)?;
            Some(Request::AttachPolicy { policy, target: pick_node(state, dice)? })
        }
        2 => {
            let (account, found) = dice.pick(state.accounts().iter())?;
            let to = pick_parent(state, dice)?;
            Some(Request::MoveAccount { account: account.clone(), from: found.parent.clone(), to })
        }
        3 => {
            let policy = pick_policy(state, dice, false)?;
            let content = edited(state, &policy, dice)?;
            Some(Request::UpdatePolicy { policy, name: None, description: None, content: Some(content) })
        }
        4 => {
            let (unit, found) = dice.pick(state.units().iter())?;
            let name = format!("{} (old)", found.name).chars().take(128).collect();
            Some(Request::UpdateOrganizationalUnit { unit: unit.clone(), name })
        }
        5 => {
            let policy = pick_policy(state, dice, false)?;
            let name = format!("{}-copy", state.policies().get(&policy)?.name).chars().take(128).collect();
            Some(Request::UpdatePolicy { policy, name: Some(name), description: None, content: None })
        }
        6 => {
            let tags = Tags::from([("cost-center".to_owned(), format!("cc-{}", dice.below(100)))]);
            Some(Request::TagResource { resource: Resource::Node(pick_node(state, dice)?), tags })
        }
        7 => {
            let node = pick_node(state, dice)?;
            let key = dice.pick(state.tags(&node)?.keys().collect::<Vec<_>>().into_iter())?.to_owned();
            Some(Request::UntagResource { resource: Resource::Node(node), keys: vec![key] })
        }
        8 if dice.chance(0.5) => Some(Request::DeletePolicy { policy: pick_policy(state, dice, false)? }),
        8 => Some(Request::DeleteOrganizationalUnit { unit: dice.pick(state.units().keys())?.clone() }),
        _ => {
            let name = format!("New OU {}", dice.below(1_000));
            Some(Request::CreateOrganizationalUnit { parent: pick_parent(state, dice)?, name, tags: Tags::new() })
        }
    }
}

fn pick_node(state: &State, dice: &mut Dice) -> Option<NodeId> {
    let count = 1 + state.units().len() + state.accounts().len();
    state.nodes().nth(dice.below(count))
}

fn pick_parent(state: &State, dice: &mut Dice) -> Option<NodeId> {
    state.nodes().nth(dice.below(1 + state.units().len()))
}

fn pick_policy(state: &State, dice: &mut Dice, managed_too: bool) -> Option<PolicyId> {
    let (id, policy) = dice.pick(state.policies().iter())?;
    (managed_too || !policy.aws_managed).then(|| id.clone())
}

/// Another document of the type: that of some other policy, or one that somebody found on the internet.
fn edited(state: &State, policy: &PolicyId, dice: &mut Dice) -> Option<String> {
    let kind = &state.policies().get(policy)?.kind;
    if dice.chance(0.5) || !kind.rule().statements {
        let others = || state.policies().values().filter(|other| other.kind == *kind && !other.aws_managed);
        let other = others().nth(dice.below(others().count()))?;
        return Some(other.content.to_string());
    }
    let action = dice.pick(["s3:DeleteBucket", "kms:Decrypt", "sts:AssumeRole", "sqs:SendMessage"].iter())?;
    let principal = if *kind == PolicyType::rcp() { r#""Principal":"*","# } else { "" };
    Some(format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny",{principal}"Action":"{action}","Resource":"*"}}]}}"#
    ))
}
