//! Events of AWS on the organization in memory: what is put back at a glance, and who is named.

use bylaw::aws::Request;
use bylaw::aws::offline::Offline;
use bylaw::aws::paced::{Conduct, Pace, Paced};
use bylaw::aws::port::Resource;
use bylaw::desired::Desired;
use bylaw::events::{Hint, Trail};
use bylaw::names::{NodeId, PolicyId, Tags};
use bylaw::observed::Observed;
use bylaw::pass::{self, Options};
use bylaw::plan::bind::bind;
use bylaw::plan::{Memory, name_authors};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::engine::{apply, clock, manifests, plan, world};

/// The data-science example as it was settled, and some of its ids.
struct Settled {
    desired: Desired,
    world: Offline,
    memory: Memory,
    observed: Observed,
    policy: PolicyId,
    production: NodeId,
    other: PolicyId,
}

async fn settled() -> Settled {
    let (desired, world) = (manifests("examples/data-science"), world("111111111111"));
    let (mut memory, options) = (Memory::default(), Options::default());
    let planned = plan(&world, &desired, &memory, &options).await;
    apply(&world, &desired, planned, &mut memory, &options).await;
    let observed = plan(&world, &desired, &memory, &options).await.observed;
    let binding = bind(&desired, &observed);
    let policy = binding.policies["production-deployments"].id().unwrap().clone();
    let production = NodeId::Unit(binding.units["data-science-production"].id().unwrap().clone());
    let other = binding.policies["sagemaker-baseline"].id().unwrap().clone();
    Settled { desired, world, memory, observed, policy, production, other }
}

/// An hour after everything was read.
fn later() -> Timestamp {
    clock()() + SignedDuration::from_hours(1)
}

fn hint(by: &str, call: &str, policy: Option<&PolicyId>, nodes: &[&NodeId], words: &[&str]) -> Hint {
    Hint {
        id: by.into(),
        at: later(),
        by: by.to_owned(),
        call: call.into(),
        policies: policy.into_iter().cloned().collect(),
        nodes: nodes.iter().map(|node| (*node).clone()).collect(),
        words: words.iter().map(|word| (*word).into()).collect(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_detached_policy_is_put_back_at_a_glance_without_a_list_of_the_organization() {
    let Settled { desired, world, mut memory, observed, policy, production, .. } = settled().await;
    world.foreign(&Request::DetachPolicy { policy: policy.clone(), target: production.clone() }).unwrap();
    let port = Paced::new(&world, Conduct { pace: Pace::None, ..Conduct::default() });
    let hint = hint("mallory", "DetachPolicy", Some(&policy), &[&production], &[]);
    let requests = observed.named_by(&hint);
    let options = Options::default();
    let planned = pass::glance(&port, &desired, observed, requests, &memory, &options, &later).await.unwrap().unwrap();
    let calls = port.tally().calls.clone();
    for list in ["ListAccounts", "ListPolicies", "ListOrganizationalUnitsForParent", "ListRoots"] {
        assert!(!calls.contains_key(list), "{calls:?}");
    }
    assert_eq!(calls["ListTargetsForPolicy"], 1, "{calls:?}");
    assert!(calls.values().sum::<u64>() <= 14, "{calls:?}");
    assert_eq!(planned.plan.changes.len(), 1, "{:#?}", planned.plan.changes);
    assert_eq!(planned.plan.drift.len(), 1);
    let report = apply(&world, &desired, planned, &mut memory, &options).await;
    assert!(report.applied.is_success() && report.left.is_empty());
    assert!(world.with(|state| state.targets(&policy).contains(&production)));
}

#[tokio::test(start_paused = true)]
async fn a_glance_puts_back_guards_and_leaves_everything_else_to_the_pass() {
    let Settled { desired, world, memory, observed, policy, production, other } = settled().await;
    // A brake on the OU, which the reading does not know of, is obeyed at a glance too.
    world.foreign(&Request::DetachPolicy { policy: policy.clone(), target: production.clone() }).unwrap();
    let hold = ("bylaw.dev/hold".to_owned(), (later() + SignedDuration::from_hours(2)).to_string());
    let resource = Resource::Node(production.clone());
    world.foreign(&Request::TagResource { resource: resource.clone(), tags: Tags::from([hold]) }).unwrap();
    let requests = || observed.named_by(&hint("m", "DetachPolicy", Some(&policy), &[&production], &[]));
    let options = Options::default();
    let glance = |requests| pass::glance(&world, &desired, observed.clone(), requests, &memory, &options, &later);
    assert!(glance(requests()).await.unwrap().is_none());
    world.foreign(&Request::UntagResource { resource, keys: vec!["bylaw.dev/hold".into()] }).unwrap();

    // Something else that drifted, and that takes a guard off: not now.
    world.foreign(&Request::AttachPolicy { policy: other.clone(), target: production.clone() }).unwrap();
    let mut more = requests();
    more.extend(observed.named_by(&hint("m", "AttachPolicy", Some(&other), &[], &[])));
    let planned = glance(more).await.unwrap().unwrap();
    assert_eq!(planned.plan.changes.len(), 1, "{:#?}", planned.plan.changes);
    assert_eq!(planned.plan.drift.len(), 1, "{:#?}", planned.plan.drift);

    // A fact that this process never saw settled is no drift, and waits for the pass.
    let memory = Memory::default();
    let planned =
        pass::glance(&world, &desired, observed.clone(), requests(), &memory, &options, &later).await.unwrap();
    assert!(planned.is_none());

    // Credentials of somewhere else plan nothing.
    let elsewhere = crate::engine::world("999999999999");
    let planned = pass::glance(&elsewhere, &desired, observed.clone(), vec![], &memory, &options, &later).await;
    assert!(planned.is_err());
}

/// Drift by object and path, with who is named.
async fn authors(settled: &Settled, hints: &[Hint]) -> Vec<(String, Option<String>)> {
    let mut trail = Trail::default();
    for hint in hints {
        assert!(trail.note(hint.clone(), later()));
    }
    let Settled { desired, world, memory, observed, .. } = settled;
    let mut planned = plan(world, desired, memory, &Options::default()).await;
    let binding = bind(desired, &planned.observed);
    name_authors(&mut planned.plan, &binding, &planned.observed, Some(observed), &trail);
    planned.plan.drift.iter().map(|drift| (format!("{} {}", drift.object, drift.path), drift.by.clone())).collect()
}

#[tokio::test(start_paused = true)]
async fn whoever_made_the_difference_is_named_and_nobody_else() {
    let settled = settled().await;
    let Settled { world, policy, production, other, .. } = &settled;
    let account: NodeId =
        bind(&settled.desired, &settled.observed).accounts["data-science"].id().unwrap().clone().into();
    let (root, home) = (settled.observed.root_node(), settled.observed.parent(&account).unwrap().clone());
    let NodeId::Account(id) = account.clone() else { panic!() };
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#.to_owned();
    world.foreign(&Request::DetachPolicy { policy: policy.clone(), target: production.clone() }).unwrap();
    world.foreign(&Request::AttachPolicy { policy: other.clone(), target: production.clone() }).unwrap();
    let (name, description) = (None, None);
    let edit = Request::UpdatePolicy { policy: other.clone(), name, description, content: Some(deny) };
    world.foreign(&edit).unwrap();
    world.foreign(&Request::MoveAccount { account: id, from: home.clone(), to: root.clone() }).unwrap();

    let nobody = authors(&settled, &[]).await;
    assert!(nobody.len() >= 4 && nobody.iter().all(|(_, by)| by.is_none()), "{nobody:#?}");

    let earlier = Hint {
        at: later() - SignedDuration::from_mins(5),
        ..hint("earlier", "DetachPolicy", Some(policy), &[production], &[])
    };
    let told = authors(
        &settled,
        &[
            hint("detacher", "DetachPolicy", Some(policy), &[production], &[]),
            earlier,
            // The same policy elsewhere, another policy at the same place, the other way round: no explanation.
            hint("elsewhere", "DetachPolicy", Some(policy), &[&root], &[]),
            hint("other", "DetachPolicy", Some(other), &[production], &[]),
            hint("attacher", "AttachPolicy", Some(other), &[production], &[]),
            hint("editor", "UpdatePolicy", Some(other), &[], &[]),
            hint("mover", "MoveAccount", None, &[&account, &home, &root], &[]),
            hint("tagger", "TagResource", Some(other), &[&account], &["owner"]),
        ],
    )
    .await;
    let by = |what: &str| told.iter().find(|(found, _)| found == what).unwrap_or_else(|| panic!("{told:#?}")).1.clone();
    let detached = "OrganizationPolicy/production-deployments attachments/OrganizationalUnit/data-science-production";
    assert_eq!(by(detached).as_deref(), Some("detacher"));
    assert_eq!(by("OrganizationPolicy/sagemaker-baseline attachments").as_deref(), Some("attacher"));
    assert_eq!(by("OrganizationPolicy/sagemaker-baseline content").as_deref(), Some("editor"));
    assert_eq!(by("Account/data-science parent").as_deref(), Some("mover"));
}

#[tokio::test(start_paused = true)]
async fn whoever_deleted_a_policy_or_took_a_tag_off_is_named() {
    let settled = settled().await;
    let Settled { world, policy, production, other, .. } = &settled;
    world.foreign(&Request::DetachPolicy { policy: policy.clone(), target: production.clone() }).unwrap();
    world.foreign(&Request::DeletePolicy { policy: policy.clone() }).unwrap();
    let key = "bylaw.dev/managed-by";
    let resource = Resource::Policy(other.clone());
    world.foreign(&Request::UntagResource { resource, keys: vec![key.into()] }).unwrap();
    let hints = [
        hint("deleter", "DeletePolicy", Some(policy), &[], &[]),
        hint("decoy", "DeletePolicy", Some(other), &[], &[]),
        hint("untagger", "UntagResource", Some(other), &[], &[key]),
        hint("tagger", "TagResource", Some(other), &[], &["owner"]),
    ];
    let told = authors(&settled, &hints).await;
    let by = |what: &str| told.iter().find(|(found, _)| found == what).map(|(_, by)| by.clone());
    assert_eq!(by("OrganizationPolicy/production-deployments exists"), Some(Some("deleter".into())), "{told:#?}");
    for (what, by) in &told {
        assert!(by.is_none() || what.contains("exists") || by.as_deref() == Some("untagger"), "{told:#?}");
    }
}
