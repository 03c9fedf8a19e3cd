//! What a plan rests on that is older than the pass: it is read again before anybody decides on it (design section 1).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use k8s_openapi::jiff::Timestamp;

use super::guard::needs_full_access;
use super::model::{Action, Change, NodeRef, Plan, PolicyRef};
use super::world::{World, policy_of, touches};
use crate::aws::Request;
use crate::aws::port::Resource;
use crate::desired::Desired;
use crate::names::{NodeId, PolicyId, PolicyType, Tags};
use crate::observed::{Observed, Part, Policy, Scope};

/// Requests for what the manifests speak of and only the reading could tell where it is: contacts of accounts that were
/// found by their tag.
#[must_use]
pub fn unasked(desired: &Desired, observed: &Observed) -> Vec<Request> {
    let mut requests = vec![];
    let with_contacts = || desired.accounts.iter().filter(|(_, account)| !account.spec.contacts.is_empty());
    if with_contacts().next().is_none() {
        return requests;
    }
    let binding = super::bind::bind(desired, observed);
    for (name, account) in with_contacts() {
        let Some(id) = binding.accounts.get(name).and_then(super::bind::Bound::id) else { continue };
        let Some(found) = observed.accounts.get(id) else { continue };
        for kind in account.spec.contacts.keys().filter(|kind| !found.contacts.contains_key(kind)) {
            requests.push(Request::GetAlternateContact { account: id.clone(), kind: *kind });
        }
    }
    requests
}

/// Requests that read again every part older than `since` that the plan touches or that guards what it touches: tags of
/// the nodes and of all above them (the brake, identity), tags and contents of the policies it changes, and contents of
/// the policies that stay where a guard is taken away.
#[must_use]
pub fn stale<State>(plan: &Plan<State>, observed: &Observed, since: Timestamp) -> Vec<Request> {
    if plan.changes.is_empty() {
        return vec![];
    }
    let world = World::places(observed);
    let mut nodes: BTreeSet<NodeId> = BTreeSet::new();
    let mut policies: BTreeSet<PolicyId> = BTreeSet::new();
    let mut guards = None;
    let mut unplaced = false;
    for change in &plan.changes {
        let mut touched = touches(change, &world);
        match &change.action {
            Action::MoveAccount { to, .. } => touched.push(to.clone()),
            Action::CreateUnit { parent, .. } => touched.push(parent.clone()),
            _ => {}
        }
        let known: Vec<NodeId> = touched.into_iter().filter_map(known_node).collect();
        let chains: Vec<NodeId> = known.iter().flat_map(|node| observed.chain(node)).collect();
        if let Some(PolicyRef::Known(id)) = policy_of(change) {
            policies.insert(id);
        }
        if needs_full_access(change, &plan.changes, observed, &world) || takes_the_last(change, observed) {
            unplaced = true;
        }
        if change.action.loosens() {
            policies.extend(guards.get_or_insert_with(|| Guards::of(observed)).bearing_on(&chains, &known));
        }
        nodes.extend(chains);
    }
    let mut requests: Vec<Request> = vec![];
    if plan.changes.iter().any(|change| matches!(change.action, Action::MoveAccount { .. })) {
        requests.extend(unlisted(observed));
    }
    // Where `FullAWSAccess` is counts once something that allows comes or goes.
    if let Some(Ok(full)) = PolicyType::scp().rule().default_policy.map(str::parse::<PolicyId>)
        && unplaced
        && observed.policies.get(&full).is_some_and(|full| matches!(full.targets, Part::Unread))
    {
        requests.push(Request::ListTargetsForPolicy { policy: full, token: None });
    }
    let old = |at: Option<Timestamp>| at.is_some_and(|at| at < since);
    requests.extend(
        nodes
            .into_iter()
            .filter(|node| observed.tags(node).is_some_and(|tags| old(tags.read_at())))
            .map(|node| Request::ListTagsForResource { resource: Resource::Node(node), token: None }),
    );
    for id in policies {
        let Some(policy) = observed.policies.get(&id).filter(|policy| !policy.aws_managed) else { continue };
        if old(policy.content.read_at()) {
            requests.push(Request::DescribePolicy { policy: id.clone() });
        }
        if old(policy.tags.read_at()) {
            requests.push(Request::ListTagsForResource { resource: Resource::Policy(id), token: None });
        }
    }
    requests
}

/// Requests for policies of types that are on and that no manifest speaks of: they bind an account where it is and where it
/// goes all the same.
fn unlisted(observed: &Observed) -> Vec<Request> {
    let mut requests = vec![];
    for kind in observed.root.policy_types.keys() {
        if !observed.listed_types.contains(kind) {
            let gap = observed.gaps.iter().any(|gap| gap.scope == Scope::Policies(kind.clone()));
            requests.extend((!gap).then(|| Request::ListPolicies { kind: kind.clone(), token: None }));
            continue;
        }
        let own = observed.policies.iter().filter(|(_, policy)| policy.kind == *kind && !policy.aws_managed);
        for (id, policy) in own {
            if matches!(policy.targets, Part::Unread) {
                requests.push(Request::ListTargetsForPolicy { policy: id.clone(), token: None });
            }
            if matches!(policy.content, Part::Unread) {
                requests.push(Request::DescribePolicy { policy: id.clone() });
            }
        }
    }
    requests
}

/// What some requests tell, as it was known before they are made: a plan rests on what was read and not on when, so it holds
/// where they tell nothing new.
#[derive(Debug)]
pub struct Before {
    told: Vec<(Request, Told)>,
    gaps: usize,
}

/// What one request tells.
#[derive(Debug, PartialEq)]
enum Told {
    Tags(Tags),
    Targets(BTreeSet<NodeId>),
    Document(PolicyType, String, String, String),
}

impl Told {
    /// `None`: it is not known, or is more than can be told from here.
    fn of(request: &Request, observed: &Observed) -> Option<Self> {
        let policy = |id| observed.policies.get(id);
        match request {
            Request::ListTagsForResource { resource, .. } => {
                let tags = match resource {
                    Resource::Node(node) => observed.tags(node)?,
                    Resource::Policy(id) => &policy(id)?.tags,
                };
                tags.get().cloned().map(Self::Tags)
            }
            Request::ListTargetsForPolicy { policy: id, .. } => policy(id)?.targets.get().cloned().map(Self::Targets),
            Request::DescribePolicy { policy: id } => {
                let Policy { kind, name, description, content, .. } = policy(id)?;
                Some(Self::Document(kind.clone(), name.clone(), description.clone(), content.get()?.clone()))
            }
            _ => None,
        }
    }
}

impl Before {
    /// What is known; `None` where some of it is not.
    #[must_use]
    pub fn of(requests: &[Request], observed: &Observed) -> Option<Self> {
        let told = |request: &Request| Some((request.clone(), Told::of(request, observed)?));
        Some(Self { told: requests.iter().map(told).collect::<Option<_>>()?, gaps: observed.gaps.len() })
    }

    /// Whether it is known just so now.
    #[must_use]
    pub fn holds(&self, observed: &Observed) -> bool {
        let as_before = |(request, told): &(Request, Told)| Told::of(request, observed).as_ref() == Some(told);
        self.gaps == observed.gaps.len() && self.told.iter().all(as_before)
    }
}

/// Whether a service control policy is detached and no other is known to be at that node.
fn takes_the_last(change: &Change, observed: &Observed) -> bool {
    let Action::Detach { policy, kind, target: NodeRef::Known(node) } = &change.action else { return false };
    let others = observed.policies.iter().filter(|(id, found)| *id != policy && found.kind == *kind);
    *kind == PolicyType::scp()
        && !others.into_iter().any(|(_, found)| found.targets.get().is_some_and(|targets| targets.contains(node)))
}

fn known_node(node: NodeRef) -> Option<NodeId> {
    match node {
        NodeRef::Known(id) => Some(id),
        NodeRef::New(_) => None,
    }
}

/// Where policies are attached, asked by node.
struct Guards<'a> {
    at: BTreeMap<&'a NodeId, BTreeSet<&'a PolicyId>>,
    /// At the node itself or anywhere below it.
    within: BTreeMap<NodeId, BTreeSet<&'a PolicyId>>,
}

impl<'a> Guards<'a> {
    fn of(observed: &'a Observed) -> Self {
        let mut guards = Self { at: BTreeMap::new(), within: BTreeMap::new() };
        for (id, policy) in &observed.policies {
            for node in policy.targets.get().into_iter().flatten() {
                guards.at.entry(node).or_default().insert(id);
                for above in observed.chain(node) {
                    guards.within.entry(above).or_default().insert(id);
                }
            }
        }
        guards
    }

    /// Policies attached anywhere on the way up from the nodes, or below them.
    fn bearing_on(&self, chain: &[NodeId], nodes: &[NodeId]) -> impl Iterator<Item = PolicyId> {
        let above = chain.iter().filter_map(|node| self.at.get(node));
        let below = nodes.iter().filter_map(|node| self.within.get(node));
        above.chain(below).flatten().map(|id| (*id).clone())
    }
}

/// Requests that show whether what was changed is so now.
#[must_use]
pub fn touched(changes: &[&Change], observed: &Observed) -> Vec<Request> {
    use super::model::Tagged;
    let mut requests: Vec<Request> = vec![];
    let mut seen: HashSet<Request> = HashSet::new();
    let mut add = |request: Request| {
        if seen.insert(request.clone()) {
            requests.push(request);
        }
    };
    let tag = |policy: &'_ Policy| policy.tags.get()?.get(crate::names::TAG_RESOURCE).map(str::to_owned);
    let by_object: BTreeMap<String, &PolicyId> =
        observed.policies.iter().filter_map(|(id, policy)| Some((tag(policy)?, id))).collect();
    let id_of = |policy: &PolicyRef, change: &Change| match policy {
        PolicyRef::Known(id) => Some(id.clone()),
        PolicyRef::New(_) => by_object.get(&change.object.to_string()).map(|id| (*id).clone()),
    };
    for change in changes {
        match &change.action {
            Action::EnablePolicyType { .. } => add(Request::ListRoots { token: None }),
            Action::CreateUnit { parent: NodeRef::Known(parent), .. } => {
                add(Request::ListOrganizationalUnitsForParent { parent: parent.clone(), token: None });
            }
            Action::RenameUnit { parent, .. } => {
                add(Request::ListOrganizationalUnitsForParent { parent: parent.clone(), token: None });
            }
            Action::UpdatePolicy { policy, .. } => add(Request::DescribePolicy { policy: policy.clone() }),
            Action::Attach { policy, .. } => {
                if let Some(policy) = id_of(policy, change) {
                    add(Request::ListTargetsForPolicy { policy, token: None });
                }
            }
            Action::Detach { policy, .. } => {
                add(Request::ListTargetsForPolicy { policy: policy.clone(), token: None });
            }
            Action::MoveAccount { account: NodeRef::Known(NodeId::Account(account)), .. }
            | Action::RenameAccount { account, .. } => add(Request::DescribeAccount { account: account.clone() }),
            Action::Tag { resource: Tagged::Node(NodeRef::Known(node)), .. } => {
                add(Request::ListTagsForResource { resource: Resource::Node(node.clone()), token: None });
            }
            Action::Tag { resource: Tagged::Policy(PolicyRef::Known(policy)), .. } => {
                add(Request::ListTagsForResource { resource: Resource::Policy(policy.clone()), token: None });
            }
            Action::PutContact { account: NodeRef::Known(NodeId::Account(account)), kind, .. } => {
                add(Request::GetAlternateContact { account: account.clone(), kind: *kind });
            }
            Action::PutDelegationPolicy { .. } => add(Request::DescribeResourcePolicy),
            _ => {}
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::AccountId;
    use serde_json::json;

    fn observed() -> Observed {
        let known = |value| json!({"known": {"value": value, "at": "2026-11-25T10:00:00Z"}});
        serde_json::from_value(json!({
            "organization": {"id": "o-aaaaaaaaaa", "management_account": "111111111111", "all_features": true},
            "root": {"id": "r-abcd", "name": "Root", "policyTypes": {}, "tags": known(json!({}))},
            "units": {},
            "accounts": {"222222222222": {"name": "b", "email": "b@example.com", "state": "ACTIVE",
                "parent": "r-abcd", "tags": known(json!({"k": "v"}))}},
            "policies": {"p-11111111": {"type": "TAG_POLICY", "name": "c", "description": "", "awsManaged": false,
                "content": known(json!("{}")), "tags": known(json!({})), "targets": known(json!(["r-abcd"]))}},
            "services": "unread", "administrators": "unread", "delegationPolicy": "unread", "creations": "unread",
            "gaps": [], "listedTypes": ["TAG_POLICY"], "listsAt": "2026-11-25T10:00:00Z",
        }))
        .unwrap()
    }

    /// A plan is made anew only where this says that something is new: whatever it overlooks is planned on what was.
    #[test]
    fn what_is_read_again_is_news_wherever_it_differs_or_is_not_known() {
        let (account, policy): (AccountId, PolicyId) = ("222222222222".parse().unwrap(), "p-11111111".parse().unwrap());
        let requests = [
            Request::ListTagsForResource { resource: Resource::Node(NodeId::Account(account.clone())), token: None },
            Request::ListTagsForResource { resource: Resource::Policy(policy.clone()), token: None },
            Request::ListTargetsForPolicy { policy: policy.clone(), token: None },
            Request::DescribePolicy { policy: policy.clone() },
        ];
        let first = observed();
        let before = Before::of(&requests, &first).unwrap();
        let at: Timestamp = "2026-11-25T11:00:00Z".parse().unwrap();
        let mut again = first.clone();
        let tags = first.accounts[&account].tags.get().cloned().unwrap();
        again.accounts.get_mut(&account).unwrap().tags = Part::known(tags, at);
        again.policies.get_mut(&policy).unwrap().content = Part::known("{}".into(), at);
        assert!(before.holds(&again), "only the times are new");

        let lost = || Part::Unreadable { error: "no".into(), remedy: None, at };
        let news: [&dyn Fn(&mut Observed); 9] = [
            &|it| it.accounts.get_mut(&account).unwrap().tags = Part::known(Tags::new(), at),
            &|it| it.accounts.get_mut(&account).unwrap().tags = lost(),
            &|it| drop(it.accounts.remove(&account)),
            &|it| it.policies.get_mut(&policy).unwrap().content = Part::known("{ }".into(), at),
            &|it| it.policies.get_mut(&policy).unwrap().name.push('x'),
            &|it| it.policies.get_mut(&policy).unwrap().targets = Part::known(BTreeSet::new(), at),
            &|it| it.policies.get_mut(&policy).unwrap().targets = Part::Unread,
            &|it| drop(it.policies.remove(&policy)),
            &|it| {
                let scope = crate::observed::Scope::Accounts;
                it.gaps.push(crate::observed::Gap { scope, error: "no".into(), remedy: None });
            },
        ];
        for (n, change) in news.iter().enumerate() {
            let mut other = first.clone();
            change(&mut other);
            assert!(!before.holds(&other), "change {n}");
        }
        assert!(Before::of(&[Request::ListRoots { token: None }], &first).is_none(), "more than can be told from here");
        let unknown = Observed { policies: BTreeMap::new(), ..first };
        assert!(Before::of(&requests, &unknown).is_none());
    }
}
