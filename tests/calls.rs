//! How many calls an organization costs, counted: no call more than what is to be made, and what has to be seen for it.

use std::collections::{BTreeMap, BTreeSet};

use bylaw::aws::Request;
use bylaw::aws::offline::{Offline, Options as World};
use bylaw::aws::paced::{Conduct, Pace, Paced};
use bylaw::aws::port::Resource;
use bylaw::desired::{Desired, NodeKey};
use bylaw::names::{NodeId, PolicyType};
use bylaw::pass::{self, Options};
use bylaw::plan::Memory;

use crate::engine::{apply, clock};

#[allow(dead_code, reason = "benchmarks use the rest")]
#[path = "../benches/organization/generate.rs"]
pub mod generate;

type Calls = BTreeMap<&'static str, u64>;

fn counting(world: &Offline) -> Paced<&Offline> {
    Paced::new(world, Conduct { pace: Pace::None, ..Conduct::default() })
}

/// Writes that were carried out, the lease left out.
fn writes(world: &Offline) -> Calls {
    let mut writes = Calls::new();
    for entry in world.log() {
        let lease = match &entry.request {
            Request::TagResource { resource, .. } | Request::UntagResource { resource, .. } => {
                matches!(resource, Resource::Node(NodeId::Root(_)))
            }
            _ => false,
        };
        if !lease {
            *writes.entry(entry.request.operation()).or_default() += 1;
        }
    }
    writes
}

/// Policy types of what is attached to the root.
fn types_at_root(desired: &Desired) -> BTreeSet<PolicyType> {
    let at_root = desired.policies.values().filter(|policy| policy.spec.targets.contains(&NodeKey::Root));
    at_root.map(|policy| policy.spec.kind.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_organization_of_a_hundred_ous_is_made_with_the_fewest_calls() {
    let size = generate::MEDIUM;
    let desired = generate::desired(size, 7);
    let world = generate::empty(World::default());
    let (mut memory, options) = (Memory::default(), Options::default());
    let planned = pass::plan(&world, &desired, None, &memory, &options, &clock()).await.unwrap();
    assert!(planned.plan.refusals.is_empty(), "{:#?}", planned.plan.refusals);
    let port = counting(&world);
    let report = apply(&port, &desired, planned, &mut memory, &options).await;
    assert!(report.applied.is_success() && report.left.is_empty() && report.unverified.is_none());

    let of = |count: usize| u64::try_from(count).unwrap();
    let types = of(desired.organization.spec.policy_types.len());
    let objects = Calls::from([
        ("EnablePolicyType", types),
        ("CreateOrganizationalUnit", of(size.units)),
        ("CreatePolicy", of(size.policies)),
        ("AttachPolicy", of(size.attachments)),
        ("CreateAccount", of(size.accounts)),
        ("MoveAccount", of(size.accounts)),
    ]);
    assert_eq!(writes(&world), objects);

    let mut calls = port.tally().calls;
    // One look at each account, and as long as nobody knows how long one takes ten at each of the first five.
    let looks = calls.remove("DescribeCreateAccountStatus").unwrap();
    assert!(looks >= of(size.accounts) && looks <= of(size.accounts + 5 * 10), "{looks}");
    // The lease, renewed each minute: a look and a tag each time, the first time two looks, and at last it is taken off.
    // Between two renewals the brake on the root is looked at once more.
    let (tags, looks) = (calls.remove("TagResource").unwrap(), calls.remove("ListTagsForResource").unwrap());
    assert_eq!((looks, calls.remove("UntagResource").unwrap()), (tags * 2, 1));
    let mut expected = objects;
    expected.extend([
        // Before a type is switched on, and after all.
        ("ListRoots", types + 1),
        // The root alone was there before and can have changed.
        ("ListPoliciesForTarget", of(types_at_root(&desired).len())),
        ("ListCreateAccountStatus", 1),
        // After all: OUs below the root, where every policy is.
        ("ListOrganizationalUnitsForParent", 1),
        ("ListTargetsForPolicy", of(size.policies)),
    ]);
    assert_eq!(calls, expected);
}

#[tokio::test(start_paused = true)]
async fn one_attachment_taken_off_by_hand_costs_two_looks_and_one_write() {
    let desired = generate::desired(generate::MEDIUM, 7);
    let world = generate::settled(&desired, World::default());
    let (mut memory, options) = (Memory::default(), Options::default());
    let settled = pass::plan(&world, &desired, None, &memory, &options, &clock()).await.unwrap();
    assert!(settled.plan.is_empty(), "{:#?}", settled.plan);
    memory.learn(&settled.plan.facts);
    let (policy, target) = world.with(|state| {
        let own = state.policies().iter().filter(|(_, policy)| !policy.aws_managed).map(|(id, _)| id);
        own.clone().find_map(|id| Some((id.clone(), state.targets(id).into_iter().next()?))).unwrap()
    });
    world.foreign(&Request::DetachPolicy { policy, target }).unwrap();
    let planned = pass::plan(&world, &desired, Some(&settled.observed), &memory, &options, &clock()).await.unwrap();
    assert_eq!((planned.plan.drift.len(), planned.plan.changes.len()), (1, 1));
    let port = counting(&world);
    let report = apply(&port, &desired, planned, &mut memory, &options).await;
    assert!(report.left.is_empty());
    let mut calls = port.tally().calls;
    for lease in ["TagResource", "UntagResource", "ListTagsForResource"] {
        assert!(calls.remove(lease).is_some_and(|calls| calls <= 2), "{lease}");
    }
    // The looks before it, at the node and at the text; the write; and the look after all.
    let looks = [("ListPoliciesForTarget", 1), ("DescribePolicy", 1), ("ListTargetsForPolicy", 1)];
    assert_eq!(calls, Calls::from_iter(looks.into_iter().chain([("AttachPolicy", 1)])));
}

#[tokio::test(start_paused = true)]
async fn a_warm_plan_costs_a_call_more_for_each_policy_whose_text_is_read() {
    let desired = generate::desired(generate::MEDIUM, 7);
    let (world, clock) = (generate::settled(&desired, World::default()), clock());
    let (memory, cached) = (Memory::default(), Options::default());
    let known = pass::plan(&world, &desired, None, &memory, &cached, &clock).await.unwrap().observed;
    let read = Options { contents_max_age: k8s_openapi::jiff::SignedDuration::ZERO, ..Options::default() };
    let mut costs = vec![];
    for options in [cached, read] {
        let port = counting(&world);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        pass::plan(&port, &desired, Some(&known), &memory, &options, &clock).await.unwrap();
        costs.push(port.tally().total());
    }
    assert_eq!(costs, [185, 235]);
}
