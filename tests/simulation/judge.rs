//! A plan, before it runs: what it rests on, and how far it reaches.

use std::collections::{BTreeMap, BTreeSet};

use bylaw::desired::Desired;
use bylaw::names::{NodeId, PolicyId, PolicyType, TAG_MANAGED_BY};
use bylaw::observed::{Part, Scope};
use bylaw::pass::{Options, Planned};
use bylaw::plan::model::Tagged;
use bylaw::plan::{Action, Change, Guarded, NodeRef, Plan, PolicyRef, Reason, Verb};

use super::model::{Model, holds};

/// `Ok`: how many things were looked at.
pub fn plan(planned: &Planned, desired: &Desired, options: &Options) -> Result<u64, String> {
    let mut checks = 0;
    for change in &planned.plan.changes {
        partial(change, planned)?;
        checks += 1;
    }
    limits(planned, desired, options)?;
    affected(planned, desired, options)?;
    Ok(checks + 2)
}

fn unreadable<T>(part: &Part<T>) -> bool {
    matches!(part, Part::Unreadable { .. })
}

/// Invariant 1: nothing rests on what did not arrive.
fn partial(change: &Change, planned: &Planned) -> Result<(), String> {
    let observed = &planned.observed;
    let fail = |why: String| Err(format!("partial: {why}, and {:?} is planned", change.action));
    let verb = change.action.verb();
    let node = match &change.action {
        Action::Attach { target: node, .. }
        | Action::Detach { target: node, .. }
        | Action::MoveAccount { account: node, .. }
        | Action::PutContact { account: node, .. }
        | Action::Tag { resource: Tagged::Node(node), .. } => Some(node.clone()),
        Action::RenameUnit { unit, .. } | Action::DeleteUnit { unit, .. } => {
            Some(NodeRef::Known(NodeId::Unit(unit.clone())))
        }
        Action::RenameAccount { account, .. } | Action::CloseAccount { account, .. } => {
            Some(NodeRef::Known(NodeId::Account(account.clone())))
        }
        _ => None,
    };
    let loosens = change.action.loosens();
    reach(change, planned)?;
    for gap in &observed.gaps {
        let concerned = match &gap.scope {
            Scope::Accounts => loosens || matches!(change.action, Action::CreateAccount { .. }),
            Scope::UnitsBelow(at) => {
                let overlaps = |node: &NodeId| observed.chain(node).contains(at) || observed.chain(at).contains(node);
                let touches = match &node {
                    Some(NodeRef::Known(id)) => overlaps(id),
                    _ => false,
                };
                (loosens && touches) || matches!(change.action, Action::CreateUnit { .. } | Action::DeleteUnit { .. })
            }
            Scope::Policies(kind) => matches!(&change.action, Action::CreatePolicy { kind: of, .. } if of == kind),
        };
        if concerned {
            return fail(format!("{:?} is a gap", gap.scope));
        }
    }
    if loosens && observed.accounts.values().any(|account| account.parent.is_none()) {
        return fail("an account is nobody knows where".into());
    }
    let policy: Option<PolicyId> = match &change.action {
        Action::Attach { policy: PolicyRef::Known(id), .. }
        | Action::Detach { policy: id, .. }
        | Action::UpdatePolicy { policy: id, .. }
        | Action::DeletePolicy { policy: id, .. } => Some(id.clone()),
        _ => None,
    };
    if let Some(found) = policy.and_then(|id| observed.policies.get(&id)) {
        let detaches = matches!(verb, Verb::Detach | Verb::Delete);
        if unreadable(&found.tags) {
            return fail("the tags of the policy are unreadable".into());
        }
        if unreadable(&found.targets) && detaches {
            return fail("the targets of the policy are unreadable".into());
        }
        if unreadable(&found.targets) && loosens {
            return fail("where the policy is is unreadable".into());
        }
        if unreadable(&found.content) && matches!(change.action, Action::UpdatePolicy { .. }) {
            return fail("the content is unreadable".into());
        }
    }
    if let Some(NodeRef::Known(node)) = node {
        if !matches!(observed.chain(&node).last(), Some(NodeId::Root(_))) {
            return fail(format!("nobody knows what `{node}` is in"));
        }
        for at in observed.chain(&node) {
            if observed.tags(&at).is_some_and(unreadable) {
                return fail(format!("the tags of `{at}` are unreadable: it may be held"));
            }
        }
    }
    Ok(())
}

/// Invariant 2: an unknown reach is past every limit. Only what was in force may come back to what is there.
fn reach(change: &Change, planned: &Planned) -> Result<(), String> {
    let observed = &planned.observed;
    let (kind, back) = match &change.action {
        Action::Attach { kind, target, .. } => {
            (Some(kind), change.reason == Reason::Drift || matches!(target, NodeRef::New(_)))
        }
        Action::Detach { kind, .. } | Action::UpdatePolicy { kind, content: Some(_), .. } => (Some(kind), false),
        Action::MoveAccount { .. } => (None, false),
        _ => return Ok(()),
    };
    let fail = |why: String| Err(format!("reach: {why}, and {:?} is planned", change.action));
    let accounts = observed.gaps.iter().any(|gap| gap.scope == Scope::Accounts);
    if !back && (accounts || observed.accounts.values().any(|account| account.parent.is_none())) {
        return fail("nobody knows which accounts there are, or where".into());
    }
    if change.reason == Reason::Drift && matches!(change.action, Action::Attach { .. }) {
        return Ok(());
    }
    let weighed = |of: &PolicyType| kind.is_none_or(|kind| kind == of);
    for of in observed.root.policy_types.keys().filter(|of| weighed(of)) {
        let gap = observed.gaps.iter().any(|gap| gap.scope == Scope::Policies(of.clone()));
        let mut own = observed.policies.values().filter(|policy| policy.kind == *of && !policy.aws_managed);
        if gap || own.any(|policy| policy.targets.get().is_none()) {
            return fail(format!("nobody knows which policies of type {of} there are, or where"));
        }
    }
    Ok(())
}

fn limits(planned: &Planned, desired: &Desired, options: &Options) -> Result<(), String> {
    let limits = &desired.organization.spec.limits;
    let newborn = newborn(planned);
    let young = |node: &NodeRef| matches!(node, NodeRef::New(_)) || newborn.contains(&node.to_string());
    let birth = |change: &Change| match &change.action {
        _ if change.reason == Reason::Unfinished => true,
        Action::MoveAccount { account, .. } => young(account),
        Action::Detach { target, .. } => young(target),
        Action::PutContact { account, .. } => young(account),
        _ => false,
    };
    let mut counts: BTreeMap<Verb, u32> = BTreeMap::new();
    // What an approval let pass is not counted, and nothing else is let pass by it.
    let lifted = &planned.plan.approved;
    if let Some(unasked) = lifted.values().find(|lifted| !options.approvals.hashes.contains(&lifted.hash)) {
        return Err(format!("limits: approved by nobody: {unasked:?}"));
    }
    let is_lifted =
        |change: &Change, rule: &str| lifted.values().any(|lifted| lifted.change == change.id && lifted.rule == rule);
    for (verb, rule, max) in [
        (Verb::Create, "limit-creates", limits.max_creates),
        (Verb::Delete, "limit-deletes", limits.max_deletes),
        (Verb::Move, "limit-moves", limits.max_moves),
        (Verb::Detach, "limit-detaches", limits.max_detaches),
        (Verb::Update, "limit-updates", limits.max_updates),
        (Verb::Tag, "limit-tags", limits.max_tags),
    ] {
        let of = planned.plan.changes.iter().filter(|change| change.action.verb() == verb && !birth(change));
        *counts.entry(verb).or_default() += of.filter(|change| !is_lifted(change, rule)).count() as u32;
        let count = counts.get(&verb).copied().unwrap_or_default();
        if count > max {
            return Err(format!("limits: {count} {verb:?} planned, allowed are {max}"));
        }
    }
    Ok(())
}

/// Accounts that the plan takes for made by a stopped run, and not placed.
fn newborn(planned: &Planned) -> BTreeSet<String> {
    let refused = planned.plan.refusals.iter().flat_map(|refusal| &refusal.changes);
    let unplaced = planned.plan.changes.iter().chain(refused).filter(|change| change.reason == Reason::Unfinished);
    unplaced
        .filter_map(|change| match &change.action {
            Action::MoveAccount { account, .. } => Some(account.to_string()),
            _ => None,
        })
        .collect()
}

/// Accounts in which anything would be newly denied or allowed, counted one by one.
fn affected(planned: &Planned, desired: &Desired, options: &Options) -> Result<(), String> {
    let start = Model::observed(&planned.observed);
    let (mut before, mut after) = (start.clone(), start.clone());
    planned.plan.changes.iter().for_each(|change| after.plan(change));
    // What only puts back what was settled, or places what a stopped run made, is nothing new.
    let restores = |change: &&Change| {
        matches!(change.reason, Reason::Drift | Reason::Unfinished) || change.action.verb() == Verb::Create
    };
    planned.plan.changes.iter().filter(restores).for_each(|change| before.plan(change));
    // So is what comes to bind what a stopped run made, wherever it binds it.
    for account in newborn(planned) {
        let id = account.parse().ok();
        let found = id.and_then(|id| planned.observed.accounts.get(&id));
        let ours = found.and_then(|found| found.tags.get()).is_some_and(|tags| tags.contains_key(TAG_MANAGED_BY));
        if !ours || before.accounts.contains(&account) && found.is_none_or(|found| found.parent.is_none()) {
            return Err(format!("affected: `{account}` is no newborn"));
        }
        before.accounts.remove(&account);
    }
    let for_good = |account: &&String| before.binds(account) != after.binds(account);
    let changed: BTreeSet<String> = before.accounts.iter().filter(for_good).cloned().collect();
    let max = &desired.organization.spec.limits.max_affected;
    let total = before.accounts.len();
    let share = if max.percent == 0 { 0 } else { (total * max.percent as usize / 100).max(5) };
    let most = share.min(max.accounts as usize);
    if options.approvals.hashes.is_empty() {
        let passing = passing(planned, [&start, &before, &after]);
        let passing: BTreeSet<&String> =
            before.accounts.intersection(&passing).filter(|a| !changed.contains(*a)).collect();
        let (count, all) = (changed.len(), changed.len() + passing.len());
        if !passing.is_empty() && all > most {
            return Err(format!("for a while: {all} of {total} accounts are affected, allowed are {most}"));
        }
        if count > most {
            return Err(format!("affected: {count} of {total} accounts, allowed are {most}"));
        }
    }
    Ok(())
}

/// Accounts that are denied or allowed something between two changes that they are neither before the plan nor after it.
fn passing(planned: &Planned, worlds: [&Model; 3]) -> BTreeSet<String> {
    let [start, ..] = worlds;
    let (mut now, mut passing) = (start.clone(), BTreeSet::new());
    for change in &planned.plan.changes {
        now.plan(change);
        for account in &start.accounts {
            let (denies, allows) = now.binds(account);
            let known = worlds.map(|world| world.binds(account));
            let denied = |atom: &&str| known.iter().any(|(denies, _)| holds(denies, atom));
            let allowed = |list: &BTreeSet<&str>| known.iter().any(|(_, allows)| allows.contains(list));
            if !denies.iter().all(denied) || !allows.iter().all(allowed) {
                passing.insert(account.clone());
            }
        }
    }
    passing
}

/// Every hash that a person can approve after a plan was shown, and those that are approved.
pub fn can_be_approved(plan: &Plan<Guarded>) -> BTreeSet<String> {
    let refused = plan.refusals.iter().filter_map(|refusal| refusal.hash.clone());
    let together = plan.bundles.iter().map(|bundle| bundle.hash.clone());
    refused.chain(together).chain(plan.approved.values().map(|lifted| lifted.hash.clone())).collect()
}

/// What an approval let pass, and what is not done of it, is not refused while the approval is given.
pub fn approved_before(
    plan: &Plan<Guarded>,
    granted: &BTreeMap<String, String>,
    options: &Options,
) -> Result<u64, String> {
    for refusal in &plan.refusals {
        let by = |alone: &String| granted.get(alone).is_some_and(|hash| options.approvals.hashes.contains(hash));
        if let Some((_, change)) = refusal.each_alone().find(|(alone, _)| by(alone)) {
            return Err(format!("approvals: refused by {} though it was approved: {:?}", refusal.rule, change.action));
        }
    }
    Ok(1)
}

/// What was approved for a run and is left after it is not refused again under another hash.
pub fn refused_again(before: &Plan<Guarded>, left: &Plan<Guarded>, alone: bool) -> Result<u64, String> {
    let ids: BTreeMap<u32, &Change> = before.changes.iter().map(|change| (change.id, change)).collect();
    let lifted = before.approved.values();
    let prints: BTreeSet<(&str, String)> =
        lifted.filter_map(|lifted| Some((lifted.rule, ids.get(&lifted.change)?.fingerprint()))).collect();
    for refusal in &left.refusals {
        for (key, change) in refusal.each_alone() {
            let same = before.approved.contains_key(&key);
            if same || alone && prints.contains(&(refusal.rule, change.fingerprint())) {
                return Err(format!("approvals: refused again by {}: {:?}", refusal.rule, change.action));
            }
        }
    }
    Ok(1)
}
