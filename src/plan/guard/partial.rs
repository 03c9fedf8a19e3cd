//! Invariant 1: what a change weighs and was not read whole holds it back. `docs/safety.md` has the rule for people.
//!
//! A change weighs on what is allowed or denied where it attaches, detaches, moves, rewrites or deletes. For each of these
//! it is to be known which accounts it reaches, which policies of its type are where, and what those say that it puts on or
//! takes off. The one exception is an attachment that was in force when the last pass ended: a guard that somebody took off
//! comes back although its reach is not known, as it does whatever its reach is.

use std::collections::BTreeSet;

use super::super::model::{Action, Change, NodeRef, PolicyRef, Reason};
use super::super::partial::{Partial, RULE};
use super::super::world::{World, concerns, policy_of};
use super::{Court, Verdict};
use crate::names::{NodeId, PolicyId, PolicyType, Tags};
use crate::observed::{Gap, Observed, Part, Policy, Scope, Unknown};
use crate::policy::Document;

/// Whether a change can bear on what is allowed or denied, now or by what it takes away for good.
fn weighs(change: &Change) -> bool {
    change.action.loosens() || matches!(change.action, Action::Attach { .. })
}

/// Whether a change puts back an attachment that was in force when the last pass ended, with what it said then.
fn puts_back(change: &Change) -> bool {
    change.reason == Reason::Drift
        && matches!(&change.action, Action::Attach { policy: PolicyRef::Known(_), target: NodeRef::Known(_), .. })
}

/// What was not read of an organization, worked out once for all changes.
struct Unread<'a> {
    observed: &'a Observed,
    /// All changes that were proposed.
    among: &'a [Change],
    /// Accounts that were not seen, or not seen anywhere: they may be below whatever is changed.
    accounts: Option<Partial>,
    /// Types that are on, or seem off while policies of them are attached, with what is not known of where those are.
    types: Vec<(&'a PolicyType, Partial)>,
    /// Where `FullAWSAccess` is attached.
    full: Option<Partial>,
}

impl<'a> Unread<'a> {
    fn of(observed: &'a Observed, among: &'a [Change]) -> Self {
        let gap = observed.gaps.iter().find(|gap| gap.scope == Scope::Accounts).map(Partial::gap);
        let unplaced = || {
            let (account, _) = observed.unplaced().find(|(node, _)| matches!(node, NodeId::Account(_)))?;
            Some(tree(observed, &format!("it could not be told where account `{account}` is")))
        };
        let attached = |policy: &&Policy| policy.targets.get().is_some_and(|targets| !targets.is_empty());
        let attached = observed.policies.values().filter(|policy| !policy.aws_managed).filter(attached);
        let types: BTreeSet<&PolicyType> =
            observed.root.policy_types.keys().chain(attached.map(|policy| &policy.kind)).collect();
        let full = PolicyType::scp().rule().default_policy.and_then(|id| {
            let (_, full) = observed.policies.iter().find(|(found, _)| found.as_str() == id)?;
            Partial::part("where `FullAWSAccess` is attached", &full.targets)
        });
        Self {
            observed,
            among,
            accounts: gap.or_else(unplaced),
            types: types.into_iter().filter_map(|kind| Some((kind, policies(observed, kind)?))).collect(),
            full,
        }
    }

    fn of_type(&self, kind: &PolicyType) -> Option<Partial> {
        self.types.iter().find(|(of, _)| *of == kind).map(|(_, why)| why.clone())
    }

    /// What a change weighs and is not known; `None` where all of it is.
    fn weighed(&self, change: &Change, touched: &[NodeRef], before: &World<'_>) -> Option<Partial> {
        let observed = self.observed;
        // What this plan creates holds no account that could have been overlooked.
        let empty = matches!(&change.action, Action::Attach { target: NodeRef::New(_), .. });
        let accounts = || self.accounts.clone().filter(|_| !empty);
        let below = || {
            observed.gaps.iter().find_map(|gap| {
                let Scope::UnitsBelow(at) = &gap.scope else { return None };
                let at = NodeRef::Known(at.clone());
                touched.iter().any(|node| before.overlaps(node, &at)).then(|| Partial::gap(gap))
            })
        };
        let attached = || match &change.action {
            Action::Attach { kind, .. } | Action::Detach { kind, .. } => self.of_type(kind),
            Action::UpdatePolicy { kind, .. } | Action::DeletePolicy { kind, .. } => self.of_type(kind),
            // All that binds the account here or there.
            Action::MoveAccount { .. } => self.types.first().map(|(_, why)| why.clone()),
            _ => None,
        };
        accounts()
            .or_else(below)
            .or_else(attached)
            .or_else(|| self.full(change, before))
            .or_else(|| self.said(change, before))
    }

    /// Whether the change rests on where `FullAWSAccess` is, and that is not known.
    fn full(&self, change: &Change, before: &World<'_>) -> Option<Partial> {
        let full = self.full.as_ref()?;
        needs_full_access(change, self.among, self.observed, before).then(|| full.clone())
    }

    /// What one of the policies says that the change puts on or takes off.
    fn said(&self, change: &Change, before: &World<'_>) -> Option<Partial> {
        let unread = |policy: &PolicyRef| {
            let PolicyRef::Known(id) = policy else { return None };
            let found = self.observed.policies.get(id).filter(|found| !found.aws_managed)?;
            Partial::part(&format!("the content of policy `{id}`"), &found.content)
        };
        match &change.action {
            Action::Attach { policy, .. } => unread(policy),
            Action::Detach { policy, .. } => unread(&PolicyRef::Known(policy.clone())),
            Action::MoveAccount { account, to, .. } => {
                let nodes = before.chain(account).into_iter().chain(before.chain(to));
                nodes.collect::<BTreeSet<_>>().iter().flat_map(|node| before.all_attached(node)).find_map(unread)
            }
            _ => None,
        }
    }
}

/// Whether what a change allows or denies depends on where `FullAWSAccess` is attached: what allows something is put on or
/// taken off, or an account comes from or to where a policy of somebody's own may stand in its place.
/// `among`: the changes that it is one of, which tell what a policy says that they create.
pub(in crate::plan) fn needs_full_access(
    change: &Change,
    among: &[Change],
    observed: &Observed,
    before: &World<'_>,
) -> bool {
    let scp = PolicyType::scp();
    let allows = |text: &str| Document::parse(&scp, text).is_ok_and(|(read, _)| !read.allows().is_empty());
    let found_allows = |id: &PolicyId| {
        let found = observed.policies.get(id).filter(|found| found.kind == scp);
        found.is_some_and(|found| found.aws_managed || found.content.get().is_none_or(|text| allows(text)))
    };
    match &change.action {
        // AWS's own is attached and detached as `baseAccess` says, which reads where it is.
        Action::Attach { policy: PolicyRef::Known(id), target: NodeRef::Known(_), .. } => {
            found_allows(id) && !observed.policies.get(id).is_some_and(|found| found.aws_managed)
        }
        Action::Attach { policy: PolicyRef::New(key), kind, target: NodeRef::Known(_) } => {
            let mut created = among.iter().filter(|other| other.object == *key);
            *kind == scp
                && created.any(|other| matches!(&other.action, Action::CreatePolicy { content, .. } if allows(content)))
        }
        Action::Detach { policy, .. } => found_allows(policy),
        Action::UpdatePolicy { policy, kind, content: Some(content), .. } => {
            *kind == scp && (found_allows(policy) || allows(&content.to))
        }
        Action::MoveAccount { account, to, .. } => {
            let (from, to): (BTreeSet<NodeRef>, BTreeSet<NodeRef>) =
                (before.chain(account).into_iter().collect(), before.chain(to).into_iter().collect());
            let own = |policy: &PolicyRef| match policy {
                PolicyRef::Known(id) => {
                    observed.policies.get(id).is_some_and(|found| found.kind == scp && !found.aws_managed)
                }
                PolicyRef::New(_) => false,
            };
            from.symmetric_difference(&to).any(|node| before.all_attached(node).any(own))
        }
        _ => false,
    }
}

/// What is not known of where the policies of a type are.
fn policies(observed: &Observed, kind: &PolicyType) -> Option<Partial> {
    let gap = observed.gaps.iter().find(|gap| gap.scope == Scope::Policies(kind.clone()));
    if let Some(gap) = gap {
        return Some(Partial::gap(gap));
    }
    if !observed.listed_types.contains(kind) {
        return Some(Partial::of(&format!("the list of policies of type `{kind}`"), Unknown::Unread));
    }
    let own = observed.policies.iter().filter(|(_, policy)| policy.kind == *kind && !policy.aws_managed);
    own.into_iter().find_map(|(id, policy)| {
        Partial::part(&format!("where policy `{}` (`{id}`) is attached", policy.name), &policy.targets)
    })
}

/// Something that a gap in the tree explains, where there is one.
fn tree(observed: &Observed, told: &str) -> Partial {
    let gap = |gap: &&Gap| matches!(gap.scope, Scope::UnitsBelow(_));
    observed.gaps.iter().find(gap).map_or_else(|| Partial::unsaid(told), |gap| Partial::gap(gap).so(told))
}

fn brake(tags: &Part<Tags>, of: &str) -> Option<Partial> {
    tags.error()?;
    Some(Partial::part(&format!("the tags of `{of}`"), tags)?.so(&format!("`{of}` may be held")))
}

impl Court<'_> {
    /// Holds back what rests on a part that was not read.
    pub(super) fn partial(&mut self, before: &World<'_>) {
        let observed = self.observed;
        let among = std::mem::take(&mut self.proposed);
        let unread = Unread::of(observed, &among);
        self.hold_each(|change| {
            let touched = concerns(change, before);
            // Above what was not seen to hang on the root may be a brake, or a pattern of `ignore`.
            let lost = || {
                touched.iter().find_map(|node| {
                    let NodeRef::Known(id) = node else { return None };
                    let whole = observed.chain(id).last().is_some_and(|top| matches!(top, NodeId::Root(_)));
                    (!whole)
                        .then(|| tree(observed, &format!("it could not be told what `{id}` is in, so it may be held")))
                })
            };
            let braked = || {
                touched.iter().flat_map(|node| before.chain(node)).find_map(|node| match node {
                    NodeRef::Known(id) => brake(observed.tags(&id)?, id.as_str()),
                    NodeRef::New(_) => None,
                })
            };
            let braked_policy = || match policy_of(change)? {
                PolicyRef::Known(id) => brake(&observed.policies.get(&id)?.tags, id.as_str()),
                PolicyRef::New(_) => None,
            };
            // What is renamed or described anew is to be known as well.
            let placed = || {
                let Action::UpdatePolicy { policy: id, .. } = &change.action else { return None };
                let found = observed.policies.get(id)?;
                found.targets.error()?;
                Partial::part(&format!("where policy `{}` (`{id}`) is attached", found.name), &found.targets)
            };
            let weighed = (weighs(change) && !puts_back(change)).then(|| unread.weighed(change, &touched, before));
            let why = weighed.flatten().or_else(lost).or_else(braked).or_else(braked_policy).or_else(placed)?;
            Some(Verdict {
                rule: RULE,
                object: change.object.clone(),
                remedy: why.remedy("nothing that bears on what is allowed or denied rests on a partial reading"),
                cause: Some(why.cause()),
                message: why.why,
                approvable: false,
            })
        });
        self.proposed = among;
    }
}
