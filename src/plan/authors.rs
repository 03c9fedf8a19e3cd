//! Who did it: drift is told with the principal of the newest event that explains it (design section 3).
//!
//! An event explains a difference where its call is one that makes such a difference, and where it names the very object
//! and what differs in it. Where none does, nobody is named.

use super::bind::{Binding, Bound};
use super::model::{Drift, Plan};
use crate::events::{Hint, Trail};
use crate::names::{Kind, NodeId, ObjectKey, PolicyId, PolicyType, TAG_RESOURCE};
use crate::observed::Observed;

/// Names the author of each drift, and of what is contested. `before`: the organization as it was read before that; it
/// still knows what somebody deleted.
pub fn name_authors<State>(
    plan: &mut Plan<State>,
    binding: &Binding,
    observed: &Observed,
    before: Option<&Observed>,
    trail: &Trail,
) {
    let sides = Sides { binding, observed, before };
    for drift in &mut plan.drift {
        drift.by = sides.suspect(drift).and_then(|suspect| {
            let hint = trail.newest(|hint| suspect.explains(hint))?;
            Some(hint.by.clone())
        });
    }
    for refusal in plan.refusals.iter_mut().filter(|refusal| refusal.rule == "contested") {
        let about = |drift: &&Drift| {
            drift.object == refusal.object && refusal.message.starts_with(&format!("`{}` ", drift.path))
        };
        if let Some(by) = plan.drift.iter().find(about).and_then(|drift| drift.by.as_ref()) {
            refusal.message.push_str(&format!(", last {by}"));
        }
    }
}

struct Sides<'a> {
    binding: &'a Binding,
    observed: &'a Observed,
    before: Option<&'a Observed>,
}

/// What an event has to be to explain a difference.
#[derive(Debug, Default)]
struct Suspect {
    calls: &'static [&'static str],
    policy: Option<PolicyId>,
    node: Option<NodeId>,
    word: Option<Box<str>>,
}

impl Suspect {
    fn explains(&self, hint: &Hint) -> bool {
        self.calls.contains(&&*hint.call)
            && self.policy.as_ref().is_none_or(|policy| hint.policies.contains(policy))
            && self.node.as_ref().is_none_or(|node| hint.nodes.contains(node))
            && self.word.as_ref().is_none_or(|word| hint.words.contains(word))
    }
}

impl Sides<'_> {
    /// `None` where no event of Organizations makes such a difference, or where the object has no id.
    fn suspect(&self, drift: &Drift) -> Option<Suspect> {
        let object = &drift.object;
        let (head, rest) = drift.path.split_once('/').unwrap_or((&drift.path, ""));
        // What belongs to the organization and to no node of it is named by a word, or there is one of it.
        let (calls, word): (&'static [&'static str], Option<&str>) = match head {
            "policyTypes" => (&["DisablePolicyType"], Some(rest)),
            "trustedServices" => (&["DisableAWSServiceAccess"], Some(rest)),
            "delegatedAdministrators" => (&["DeregisterDelegatedAdministrator"], rest.rsplit('/').next()),
            "delegationPolicy" => (&["PutResourcePolicy", "DeleteResourcePolicy"], None),
            "tags" => (&["TagResource", "UntagResource"], Some(rest)),
            "attachments" if rest.is_empty() => (&["AttachPolicy"], None),
            "attachments" => (&["DetachPolicy"], None),
            "exclusiveAttachments" => (&["AttachPolicy"], None),
            "baseAccess" => (&["AttachPolicy", "DetachPolicy"], None),
            "content" | "description" => (&["UpdatePolicy"], None),
            "name" => (&["UpdatePolicy", "UpdateOrganizationalUnit"], None),
            "parent" => (&["MoveAccount"], None),
            "exists" => (
                &["DeletePolicy", "DeleteOrganizationalUnit", "RemoveAccountFromOrganization", "LeaveOrganization"],
                None,
            ),
            _ => return None,
        };
        let suspect = Suspect { calls, word: word.map(Into::into), ..Suspect::default() };
        let suspect = match head {
            "policyTypes" | "trustedServices" | "delegatedAdministrators" | "delegationPolicy" => suspect,
            "baseAccess" => {
                let full = PolicyType::scp().rule().default_policy.and_then(|id| id.parse().ok());
                Suspect { policy: full, node: Some(self.node(object)?), ..suspect }
            }
            "attachments" if !rest.is_empty() => {
                Suspect { policy: Some(self.policy(object)?), node: Some(self.target(rest)?), ..suspect }
            }
            _ if object.kind == Kind::OrganizationPolicy => Suspect { policy: Some(self.policy(object)?), ..suspect },
            _ => Suspect { node: Some(self.node(object)?), ..suspect },
        };
        Some(suspect)
    }

    fn policy(&self, object: &ObjectKey) -> Option<PolicyId> {
        let bound = self.binding.policies.get(&object.name).and_then(Bound::id).cloned();
        let tag = object.to_string();
        bound.or_else(|| {
            let policies = &self.before?.policies;
            policies.iter().find(|(_, policy)| is_tagged(policy.tags.get(), &tag)).map(|(id, _)| id.clone())
        })
    }

    fn node(&self, object: &ObjectKey) -> Option<NodeId> {
        let bound = match object.kind {
            Kind::Organization => Some(self.observed.root_node()),
            Kind::OrganizationalUnit => {
                self.binding.units.get(&object.name).and_then(Bound::id).cloned().map(NodeId::Unit)
            }
            Kind::Account => self.binding.accounts.get(&object.name).and_then(Bound::id).cloned().map(NodeId::Account),
            Kind::OrganizationPolicy => None,
        };
        let tag = object.to_string();
        bound.or_else(|| {
            let before = self.before?;
            let units = before.units.keys().cloned().map(NodeId::Unit);
            let accounts = before.accounts.keys().cloned().map(NodeId::Account);
            let is_its = |node: &NodeId| is_tagged(before.tags(node).and_then(|tags| tags.get()), &tag);
            units.chain(accounts).find(is_its)
        })
    }

    /// The node of a path, which names it by its object, else by its id.
    fn target(&self, named: &str) -> Option<NodeId> {
        let by_object = self.binding.node_objects.iter().find(|(_, key)| key.to_string() == named);
        by_object.map(|(id, _)| id.clone()).or_else(|| named.parse().ok())
    }
}

fn is_tagged(tags: Option<&crate::names::Tags>, object: &str) -> bool {
    tags.and_then(|tags| tags.get(TAG_RESOURCE)).is_some_and(|tag| tag == object)
}
