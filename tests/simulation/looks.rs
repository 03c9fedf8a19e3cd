//! What the engine can know: when somebody else changed something, and when it was looked at last.

use std::collections::{BTreeMap, BTreeSet};

use bylaw::aws::offline::State;
use bylaw::aws::{Request, Response};
use bylaw::names::{NodeId, PolicyId};

use super::model::nodes_of;

/// When somebody else changed something, and when the engine looked at it last: between a look and the write nobody can
/// know. Times are counted in events.
#[derive(Default)]
pub struct Looks {
    now: u64,
    /// Nodes where somebody changed what is attached, or what that says.
    stirred: BTreeMap<String, u64>,
    /// Somebody gave something another name: then AWS takes the old name a second time.
    pub renamed: BTreeSet<String>,
    /// What somebody took a tag off.
    untagged: BTreeMap<String, u64>,
    /// Lists whose first page was read.
    begun: BTreeSet<(&'static str, String)>,
    /// Policies whose documents somebody edited.
    edited: BTreeMap<String, u64>,
    /// What was attached to a node was read.
    attached: BTreeMap<String, u64>,
    /// A policy was read.
    described: BTreeMap<String, u64>,
    /// Tags were read.
    tags: BTreeMap<String, u64>,
}

impl Looks {
    pub fn foreign(&mut self, request: &Request, after: &State) {
        self.now += 1;
        for node in nodes_of(request, after) {
            self.stirred.insert(node.to_string(), self.now);
        }
        match request {
            Request::UntagResource { resource, .. } => {
                self.untagged.insert(resource.as_str().to_owned(), self.now);
            }
            Request::UpdatePolicy { policy, name, content, .. } => {
                if content.is_some() {
                    self.edited.insert(policy.to_string(), self.now);
                }
                if name.is_some() {
                    self.renamed.insert(policy.to_string());
                }
            }
            Request::UpdateOrganizationalUnit { unit, .. } => drop(self.renamed.insert(unit.to_string())),
            _ => {}
        }
    }

    /// A read was answered with what is so now. A list counts once its first and its last page were.
    pub fn read(&mut self, request: &Request, answer: &Response) {
        self.now += 1;
        let (map, id, first) = match request {
            Request::ListPoliciesForTarget { target, token, .. } => {
                (&mut self.attached, target.as_str(), token.is_none())
            }
            Request::DescribePolicy { policy } => (&mut self.described, policy.as_str(), true),
            Request::ListTagsForResource { resource, token } => (&mut self.tags, resource.as_str(), token.is_none()),
            _ => return,
        };
        let list = (request.operation(), id.to_owned());
        if first {
            self.begun.insert(list.clone());
        }
        if answer.next().is_none() && self.begun.remove(&list) {
            map.insert(id.to_owned(), self.now);
        }
    }

    /// Whether somebody stirred the node since the engine looked at what `request` takes off it.
    pub fn is_stirred(&self, node: &NodeId, request: &Request) -> bool {
        let looked = match request {
            Request::UpdatePolicy { policy, .. } => self.described.get(policy.as_str()),
            _ => self.attached.get(node.as_str()),
        };
        self.stirred.get(node.as_str()) > looked
    }

    /// Whether a write goes over an edit of somebody else that the look before it was not shown.
    pub fn goes_over(&self, request: &Request) -> bool {
        let Request::UpdatePolicy { policy, content: Some(_), .. } = request else { return false };
        self.edited.get(policy.as_str()) > self.described.get(policy.as_str())
    }

    /// Whether somebody edited the policy since the pass began.
    pub fn was_edited(&self, policy: &PolicyId) -> bool {
        self.edited.contains_key(policy.as_str())
    }

    pub fn is_untagged(&self, id: &str) -> bool {
        self.untagged.get(id) > self.tags.get(id)
    }
}
