//! Rules that look at one change or one node.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;

use super::super::model::{Action, Change, NodeRef, PolicyRef};
use super::super::partial::{Partial, RULE};
use super::super::world::{Interner, World, policy_of, touches};
use super::{Court, Verdict};
use crate::names::{NodeId, PolicyType, TAG_HOLD, Tags};
use crate::observed::{Part, Scope};

impl Court<'_> {
    /// Invariant 6: the management account is never changed.
    pub(super) fn management(&mut self) {
        let observed = self.observed;
        let node = NodeRef::Known(NodeId::Account(observed.organization.management_account.clone()));
        let nobody = World::places(observed);
        self.hold_each(|change| {
            let by_policy =
                policy_of(change).is_some() && !matches!(change.action, Action::Attach { .. } | Action::Detach { .. });
            (!by_policy && touches(change, &nobody).contains(&node)).then(|| Verdict {
                rule: "management-account",
                object: change.object.clone(),
                message: "would change the management account".into(),
                remedy: "take it out of the manifests: the management account is changed by its owners only".into(),
                approvable: false,
            })
        });
    }

    /// The brake: whatever touches a held node, or is below it, waits.
    pub(super) fn holds(&mut self, before: &World<'_>) {
        let observed = self.observed;
        let mut nodes: BTreeMap<NodeRef, String> = BTreeMap::new();
        let all = std::iter::once(observed.root_node())
            .chain(observed.units.keys().cloned().map(NodeId::Unit))
            .chain(observed.accounts.keys().cloned().map(NodeId::Account));
        for node in all {
            if let Some(hold) = observed.tags(&node).and_then(|tags| held(tags, self.now)) {
                nodes.insert(NodeRef::Known(node), hold);
            }
        }
        let mut policies: BTreeMap<PolicyRef, String> = BTreeMap::new();
        for (id, policy) in &observed.policies {
            if let Some(hold) = held(&policy.tags, self.now) {
                policies.insert(PolicyRef::Known(id.clone()), hold);
            }
        }
        if nodes.is_empty() && policies.is_empty() {
            return;
        }
        let root = NodeRef::Known(observed.root_node());
        self.hold_each(|change| {
            let mut touched = touches(change, before);
            if let Action::MoveAccount { from, to, .. } = &change.action {
                touched.extend([from.clone(), to.clone()]);
            }
            if let Action::CreateUnit { parent, .. } = &change.action {
                touched.push(parent.clone());
            }
            // Somebody may hold the root alone.
            if touched.is_empty() || matches!(change.action, Action::CreateAccount { .. }) {
                touched.push(root.clone());
            }
            let at_node = touched.iter().flat_map(|node| before.chain(node)).find_map(|node| {
                let hold = nodes.get(&node)?;
                Some(format!("`{node}` is held {hold}"))
            });
            let message = at_node.or_else(|| {
                let hold = policies.get(&policy_of(change)?)?;
                Some(format!("the policy is held {hold}"))
            })?;
            Some(Verdict {
                rule: "hold",
                object: change.object.clone(),
                message,
                remedy: format!("remove the tag `{TAG_HOLD}`, or wait until it expires"),
                approvable: false,
            })
        });
    }

    /// Invariant 1, for what a single difference does not show: accounts that were not seen may be anywhere, and what has
    /// unreadable tags may be held.
    pub(super) fn partial(&mut self, before: &World<'_>) {
        let observed = self.observed;
        let unplaced = observed.accounts.iter().find(|(_, account)| account.parent.is_none());
        let everywhere = observed.gaps.iter().find(|gap| gap.scope == Scope::Accounts);
        // Where an account is not placed, a gap in the tree says why.
        let tree = || observed.gaps.iter().find(|gap| matches!(gap.scope, Scope::UnitsBelow(_)));
        let unsaid = |why: String| Partial { why, remedy: "run again when AWS answers".into() };
        let everywhere = everywhere.map(Partial::gap).or_else(|| {
            let (id, _) = unplaced?;
            let told = format!("it could not be told where account `{id}` is");
            Some(tree().map_or_else(|| unsaid(told.clone()), |gap| Partial::gap(gap).so(&told)))
        });
        // Who takes an allow away relies on the one that AWS gives each node.
        let default = PolicyType::scp().rule().default_policy;
        let full = observed.policies.iter().find(|(id, _)| default == Some(id.as_str()));
        let allows_unknown = full
            .filter(|(_, full)| full.targets.error().is_some())
            .and_then(|(_, full)| Partial::part("where `FullAWSAccess` is attached", &full.targets));
        self.hold_each(|change| {
            let mut touched = touches(change, before);
            if let Action::MoveAccount { from, to, .. } = &change.action {
                touched.extend([from.clone(), to.clone()]);
            }
            if let Action::CreateUnit { parent, .. } = &change.action {
                touched.push(parent.clone());
            }
            let loosens = change.action.loosens();
            let hidden = everywhere.clone().filter(|_| loosens);
            let of_scp = match &change.action {
                Action::Detach { kind, .. } | Action::UpdatePolicy { kind, content: Some(_), .. } => {
                    *kind == PolicyType::scp()
                }
                _ => false,
            };
            let hidden = hidden.or_else(|| allows_unknown.clone().filter(|_| of_scp));
            let hidden = hidden.or_else(|| {
                observed.gaps.iter().filter(|_| loosens).find_map(|gap| {
                    let Scope::UnitsBelow(at) = &gap.scope else { return None };
                    let at = NodeRef::Known(at.clone());
                    let concerned = touched.iter().any(|node| before.overlaps(node, &at));
                    concerned.then(|| Partial::gap(gap))
                })
            });
            // Above what was not seen to hang on the root may be a brake, or a pattern of `ignore`.
            let lost = touched.iter().find_map(|node| match node {
                NodeRef::Known(id) => {
                    let whole = observed.chain(id).last().is_some_and(|top| matches!(top, NodeId::Root(_)));
                    let told = format!("it could not be told what `{id}` is in, so it may be held");
                    (!whole).then(|| tree().map_or_else(|| unsaid(told.clone()), |gap| Partial::gap(gap).so(&told)))
                }
                NodeRef::New(_) => None,
            });
            let brake = |tags: &Part<Tags>, of: &str| {
                tags.error()?;
                Some(Partial::part(&format!("the tags of `{of}`"), tags)?.so(&format!("`{of}` may be held")))
            };
            // Nobody knows whether what an unread document denies comes to be denied elsewhere as well.
            let unread = |policy: &PolicyRef| {
                let PolicyRef::Known(id) = policy else { return None };
                let found = observed.policies.get(id).filter(|found| !found.aws_managed)?;
                found.content.error()?;
                Partial::part(&format!("what policy `{}` says", found.name), &found.content)
            };
            let unread = match &change.action {
                Action::Detach { policy, .. } => unread(&PolicyRef::Known(policy.clone())),
                Action::MoveAccount { account, .. } => {
                    before.chain(account).iter().flat_map(|node| before.all_attached(node)).find_map(unread)
                }
                _ => None,
            };
            let why = hidden
                .or(lost)
                .or(unread)
                .or_else(|| {
                    touched.iter().flat_map(|node| before.chain(node)).find_map(|node| match node {
                        NodeRef::Known(id) => brake(observed.tags(&id)?, id.as_str()),
                        NodeRef::New(_) => None,
                    })
                })
                .or_else(|| match policy_of(change)? {
                    PolicyRef::Known(id) => {
                        let found = observed.policies.get(&id)?;
                        brake(&found.tags, id.as_str()).or_else(|| match (&change.action, &found.targets) {
                            (Action::UpdatePolicy { .. }, lost @ Part::Unreadable { .. }) => {
                                Partial::part(&format!("where policy `{id}` is attached"), lost)
                            }
                            _ => None,
                        })
                    }
                    PolicyRef::New(_) => None,
                })?;
            Some(Verdict {
                rule: RULE,
                object: change.object.clone(),
                remedy: why.remedy("nothing that may loosen a guard rests on a partial reading"),
                message: why.why,
                approvable: false,
            })
        });
    }

    /// Attachment quotas at the fullest moment: attachments come before detachments (aws-facts section 2).
    pub(super) fn slots(&mut self, before: &World<'_>) {
        let mut counts: BTreeMap<(NodeRef, PolicyType), BTreeSet<PolicyRef>> = BTreeMap::new();
        let observed = self.observed;
        self.hold_each(|change| {
            let Action::Attach { policy, kind, target } = &change.action else { return None };
            let attached = counts.entry((target.clone(), kind.clone())).or_insert_with(|| {
                let mut attached: BTreeSet<PolicyRef> = before.attached(target, kind).into_iter().collect();
                // A new node gets AWS's default at birth.
                if matches!(target, NodeRef::New(_))
                    && let Some(Ok(default)) = kind.rule().default_policy.map(str::parse)
                {
                    attached.insert(PolicyRef::Known(default));
                }
                attached
            });
            let max = kind.rule().max_attached;
            if attached.len() < max || attached.contains(policy) {
                attached.insert(policy.clone());
                return None;
            }
            let where_ = match target {
                NodeRef::Known(id) => format!("`{}` (`{id}`)", observed.name(id)),
                NodeRef::New(key) => format!("`{key}`"),
            };
            Some(Verdict {
                rule: "slots",
                object: change.object.clone(),
                message: format!(
                    "{where_} has {} of {max} policies of type `{kind}` attached, foreign ones included; one more does \
                     not fit while the others are there",
                    attached.len()
                ),
                remedy:
                    "merge two policies, or change the content of one in place; detaching first would open a window"
                        .into(),
                approvable: false,
            })
        });
    }

    /// The last service control policy of a node stays, and so does the last that allows anything: at every step.
    pub(super) fn blocks_everything(&mut self, before: &World<'_>, atoms: &mut Interner) {
        while let Some((id, verdict)) = self.first_block(before, atoms) {
            self.hold_all(&BTreeSet::from([id]), verdict);
        }
    }

    fn first_block(&self, before: &World<'_>, atoms: &mut Interner) -> Option<(u32, Verdict)> {
        let mut world = before.clone();
        let scp = PolicyType::scp();
        let allows = |world: &World<'_>, node: &NodeRef| {
            world.attached(node, &scp).iter().any(|policy| world.allows_something(policy))
        };
        for change in &self.kept {
            let (nodes, detaches) = match &change.action {
                Action::Detach { kind, target, .. } if *kind == scp => (vec![target.clone()], true),
                Action::UpdatePolicy { policy, kind, content: Some(_), .. } if *kind == scp => {
                    (world.targets(&PolicyRef::Known(policy.clone())), false)
                }
                _ => (vec![], false),
            };
            let allowed: Vec<NodeRef> = nodes.iter().filter(|node| allows(&world, node)).cloned().collect();
            world.apply(change, atoms);
            let empty = |node: &&NodeRef| detaches && world.attached(node, &scp).is_empty();
            let bare = nodes.iter().find(empty).or_else(|| allowed.iter().find(|node| !allows(&world, node)));
            let Some(node) = bare else { continue };
            let name = match node {
                NodeRef::Known(id) => self.observed.name(id).to_owned(),
                NodeRef::New(key) => key.to_string(),
            };
            let what = if world.attached(node, &scp).is_empty() {
                "no service control policy"
            } else {
                "no policy that allows anything"
            };
            let verdict = Verdict {
                rule: "last-policy",
                object: change.object.clone(),
                message: format!("it leaves {what} at `{name}`, so nothing would be allowed there or below"),
                remedy: "attach a policy that allows what is needed first".into(),
                approvable: false,
            };
            return Some((change.id, verdict));
        }
        None
    }
}

/// Until when something is held, for people; `None` where it is not, or no longer.
fn held(tags: &Part<Tags>, now: Timestamp) -> Option<String> {
    hold(tags.get()?.get(TAG_HOLD)?, now)
}

/// Until when the value of a brake holds at `now`, for people; `None`: no longer.
#[must_use]
pub fn hold(text: &str, now: Timestamp) -> Option<String> {
    match text.parse::<Timestamp>() {
        Ok(until) if until <= now => None,
        Ok(until) => Some(format!("until {until} by its tag `{TAG_HOLD}`")),
        // A brake that cannot be read is still a brake.
        Err(_) => Some(format!("by its tag `{TAG_HOLD}={text}`, which is no RFC 3339 time and so does not expire")),
    }
}

/// Name of an object for lists in messages.
pub(super) fn objects(changes: &[&Change]) -> String {
    let names: BTreeSet<String> = changes.iter().map(|change| change.object.to_string()).collect();
    let shown: Vec<&str> = names.iter().take(4).map(String::as_str).collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
