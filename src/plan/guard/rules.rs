//! Rules that look at one change or one node.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;

use super::super::bind::bind;
use super::super::model::{Action, Change, NodeRef, PolicyRef};
use super::super::world::{Interner, World, concerns, policy_of, touches};
use super::{Court, Verdict};
use crate::names::{NodeId, PolicyType, TAG_HOLD, Tags};
use crate::observed::Part;

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
                cause: None,
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
            let mut touched = concerns(change, before);
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
                cause: None,
                approvable: false,
            })
        });
    }

    /// Attachment quotas at the fullest moment: attachments come before detachments (aws-facts section 2).
    pub(super) fn slots(&mut self, before: &World<'_>) {
        let mut counts: BTreeMap<(NodeRef, PolicyType), BTreeSet<PolicyRef>> = BTreeMap::new();
        let (observed, desired) = (self.observed, self.desired);
        let objects = LazyCell::new(|| bind(desired, observed).policy_objects);
        let label = |policy: &PolicyRef| match policy {
            PolicyRef::New(key) => format!("`{}` (new)", key.name),
            PolicyRef::Known(id) => {
                let found = observed.policies.get(id);
                let whose = match found {
                    Some(found) if found.aws_managed => " (AWS-managed)",
                    _ if objects.contains_key(id) => "",
                    _ => " (foreign)",
                };
                format!("`{}`{whose}", found.map_or(id.as_str(), |found| &found.name))
            }
        };
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
                    "{where_} has {} of {max} policies of type `{kind}` attached: {}; one more does not fit while the \
                     others are there",
                    attached.len(),
                    attached.iter().map(&label).collect::<Vec<_>>().join(", ")
                ),
                cause: None,
                remedy: "merge two policies, change the content of one in place, or have the owner of a foreign one take it \
                         off; detaching first would open a window"
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
                cause: None,
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
