//! What a hint of AWS makes doubtful in a reading. A hint never makes anything known: it only has things read again.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::model::{Observed, Part};
use crate::aws::Request;
use crate::aws::port::Resource;
use crate::events::Hint;
use crate::names::NodeId;

/// How long after a change a reading may still show what was before it: Organizations is eventually consistent, and its
/// clock is not ours.
pub const SETTLES: SignedDuration = SignedDuration::from_secs(60);

impl Observed {
    /// Marks as not read what the hint names and later passes would take from this reading: documents, tags, contacts. What
    /// was read well after the change stays.
    pub fn outdate(&mut self, hint: &Hint) {
        let seen_from = hint.at.saturating_add(SETTLES).unwrap_or(hint.at);
        for id in &hint.policies {
            if let Some(policy) = self.policies.get_mut(id) {
                forget(&mut policy.content, seen_from);
                forget(&mut policy.tags, seen_from);
            }
        }
        for node in &hint.nodes {
            match node {
                NodeId::Root(id) if *id == self.root.id => forget(&mut self.root.tags, seen_from),
                NodeId::Root(_) => {}
                NodeId::Unit(id) => {
                    self.units.get_mut(id).into_iter().for_each(|unit| forget(&mut unit.tags, seen_from))
                }
                NodeId::Account(id) => {
                    self.accounts.get_mut(id).into_iter().for_each(|account| forget(&mut account.tags, seen_from));
                }
            }
        }
    }

    /// Whether everything that the hint names was read well after it: then there is nothing new in it.
    #[must_use]
    pub fn is_past(&self, hint: &Hint) -> bool {
        let seen_from = hint.at.saturating_add(SETTLES).unwrap_or(hint.at);
        let old = |at: Option<Timestamp>| at.is_some_and(|at| at < seen_from);
        let policies = hint.policies.iter().filter_map(|id| self.policies.get(id));
        let nodes = hint.nodes.iter().filter_map(|node| self.tags(node));
        self.lists_at >= seen_from
            && !policies.into_iter().any(|policy| old(policy.content.read_at()) || old(policy.tags.read_at()))
            && !nodes.into_iter().any(|tags| old(tags.read_at()))
    }

    /// Requests that read again what the hint names, where that is in this reading.
    #[must_use]
    pub fn named_by(&self, hint: &Hint) -> Vec<Request> {
        let mut requests = vec![];
        for id in &hint.policies {
            let Some(policy) = self.policies.get(id) else { continue };
            requests.push(Request::ListTargetsForPolicy { policy: id.clone(), token: None });
            if !policy.aws_managed {
                requests.push(Request::DescribePolicy { policy: id.clone() });
                let resource = Resource::Policy(id.clone());
                requests.push(Request::ListTagsForResource { resource, token: None });
            }
        }
        for node in hint.nodes.iter().filter(|node| self.tags(node).is_some()) {
            let resource = Resource::Node(node.clone());
            requests.push(Request::ListTagsForResource { resource, token: None });
        }
        requests
    }
}

fn forget<T>(part: &mut Part<T>, read_before: Timestamp) {
    if part.read_at().is_some_and(|at| at < read_before) {
        *part = Part::Unread;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::aws::Port;
    use crate::aws::offline::{Offline, Options};
    use crate::names::{PolicyId, PolicyType};
    use crate::observed::{Wants, read};

    fn hint(at: Timestamp, policies: &[&PolicyId], nodes: &[NodeId]) -> Hint {
        Hint {
            id: "1".into(),
            at,
            by: "ann".into(),
            call: "UpdatePolicy".into(),
            policies: policies.iter().map(|id| (*id).clone()).collect(),
            nodes: nodes.iter().cloned().collect(),
            words: BTreeSet::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_named_and_was_read_before_it_settled_becomes_unread() {
        let world = Offline::new(Options::default());
        world.with(|state| state.set_policy_type(&PolicyType::scp(), true));
        let create = Request::CreatePolicy {
            kind: PolicyType::scp(),
            name: "a".into(),
            description: String::new(),
            content: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#
                .into(),
            tags: Default::default(),
        };
        world.call(&create).await.unwrap();
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let observed =
            read(&world, &Wants { base_access: true, ..Wants::default() }, None, &move || now).await.unwrap();
        let policy = observed.policies.iter().find(|(_, policy)| !policy.aws_managed).unwrap().0.clone();
        let root = observed.root_node();

        let before = hint(now - SETTLES, &[&policy], std::slice::from_ref(&root));
        assert!(observed.is_past(&before));
        let mut same = observed.clone();
        same.outdate(&before);
        assert_eq!(same, observed, "it was all read after the change was to be seen");

        let during = hint(now, &[&policy], std::slice::from_ref(&root));
        assert!(!observed.is_past(&during));
        let mut outdated = observed.clone();
        outdated.outdate(&during);
        assert_eq!(outdated.root.tags, Part::Unread);
        assert_eq!(outdated.policies[&policy].content, Part::Unread);
        assert!(observed.policies[&policy].content.get().is_some());
        assert_eq!(outdated.policies[&policy].targets, observed.policies[&policy].targets);
        assert_eq!((&outdated.units, &outdated.accounts), (&observed.units, &observed.accounts));

        let strange = hint(now, &[&"p-notthere1".parse().unwrap()], &["123123123123".parse().unwrap()]);
        let mut same = observed.clone();
        same.outdate(&strange);
        assert_eq!(same, observed);
        assert!(observed.named_by(&strange).is_empty());
        let operations: Vec<&str> = observed.named_by(&during).iter().map(Request::operation).collect();
        let expected = ["ListTargetsForPolicy", "DescribePolicy", "ListTagsForResource", "ListTagsForResource"];
        assert_eq!(operations, expected);
    }
}
