//! Events of AWS on the organization in memory: what is put back at a glance, and who is named.

use bylaw::apply::Outcome;
use bylaw::aws::offline::Offline;
use bylaw::aws::paced::{Conduct, Pace, Paced};
use bylaw::aws::port::Resource;
use bylaw::aws::{AwsError, Port, Request, Response};
use bylaw::desired::Desired;
use bylaw::events::{Hint, Trail};
use bylaw::names::{NodeId, PolicyId, Tags};
use bylaw::observed::Observed;
use bylaw::pass::{self, Options};
use bylaw::plan::bind::bind;
use bylaw::plan::{Memory, name_authors};
use futures::future::BoxFuture;
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

/// The organization, with what a test does before calls: a foreign hand, or an error.
struct Before<'a, F>(&'a Offline, F);

impl<F: Fn(&Request) -> Option<AwsError> + Send + Sync> Port for Before<'_, F> {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            match (self.1)(request) {
                Some(error) => Err(error),
                None => self.0.call(request).await,
            }
        })
    }
}

const FOREIGN: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

fn rewrite(world: &Offline, policy: &PolicyId) {
    let (name, description, content) = (None, None, Some(FOREIGN.to_owned()));
    world.foreign(&Request::UpdatePolicy { policy: policy.clone(), name, description, content }).unwrap();
}

async fn text(world: &Offline, policy: &PolicyId) -> String {
    match world.call(&Request::DescribePolicy { policy: policy.clone() }).await.unwrap() {
        Response::Policy { content, .. } => content,
        other => panic!("{other:?}"),
    }
}

fn outcomes(report: &bylaw::pass::Report) -> Vec<(&'static str, &Outcome)> {
    report.applied.outcomes.iter().map(|(change, outcome)| (change.action.operations().0, outcome)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_was_detached_and_rewritten_comes_back_at_a_glance_with_its_own_text_alone() {
    for told in [vec!["DetachPolicy"], vec!["DetachPolicy", "UpdatePolicy"]] {
        let Settled { desired, world, mut memory, observed, policy, production, .. } = settled().await;
        let own = text(&world, &policy).await;
        world.foreign(&Request::DetachPolicy { policy: policy.clone(), target: production.clone() }).unwrap();
        rewrite(&world, &policy);
        let options = Options::default();
        let hints = told.iter().map(|call| hint("mallory", call, Some(&policy), &[&production], &[]));
        let requests: Vec<Request> = hints.flat_map(|hint| observed.named_by(&hint)).collect();
        let glance = pass::glance(&world, &desired, observed.clone(), requests, &memory, &options, &later);
        let planned = glance.await.unwrap().unwrap();
        let operations: Vec<_> = planned.plan.changes.iter().map(|c| c.action.operations().0).collect();
        assert_eq!(operations, ["UpdatePolicy", "AttachPolicy"], "{told:?}: {:#?}", planned.plan);

        // Where the text cannot be corrected nothing is attached.
        let refused = Before(&world, |request: &Request| {
            let denied = || AwsError::answered("UpdatePolicy", "AccessDeniedException", "no", None);
            matches!(request, Request::UpdatePolicy { .. }).then(denied)
        });
        let report = apply(&refused, &desired, planned.clone(), &mut memory.clone(), &options).await;
        let [("UpdatePolicy", Outcome::Failed { .. }), ("AttachPolicy", Outcome::Blocked { .. })] = *outcomes(&report)
        else {
            panic!("{:#?}", report.applied.outcomes)
        };
        assert!(world.with(|state| state.targets(&policy).is_empty()));

        let report = apply(&world, &desired, planned, &mut memory, &options).await;
        assert!(report.applied.is_success() && report.left.is_empty(), "{:#?}", report.applied.outcomes);
        assert!(world.with(|state| state.targets(&policy).contains(&production)));
        assert_eq!(text(&world, &policy).await, own);
    }
}

/// Between the plan and the attachment somebody can be as fast as bylaw.
#[tokio::test(start_paused = true)]
async fn what_was_rewritten_since_the_plan_was_made_is_not_attached() {
    let Settled { desired, world, mut memory, policy, production, .. } = settled().await;
    world.foreign(&Request::DetachPolicy { policy: policy.clone(), target: production.clone() }).unwrap();
    let options = Options::default();
    let planned = plan(&world, &desired, &memory, &options).await;
    rewrite(&world, &policy);
    let report = apply(&world, &desired, planned, &mut memory, &options).await;
    let [("AttachPolicy", Outcome::Changed { .. })] = *outcomes(&report) else {
        panic!("{:#?}", report.applied.outcomes)
    };
    assert!(world.with(|state| state.targets(&policy).is_empty()), "the foreign text binds nobody");
    let planned = plan(&world, &desired, &memory, &options).await;
    let report = apply(&world, &desired, planned, &mut memory, &options).await;
    assert!(report.left.is_empty(), "{:#?}", report.left);
    assert!(text(&world, &policy).await != FOREIGN && world.with(|state| state.targets(&policy).contains(&production)));
}

#[tokio::test(start_paused = true)]
async fn what_a_policy_says_is_looked_at_once_for_all_its_attachments() {
    let Settled { desired, world, mut memory, policy, production, other, .. } = settled().await;
    let more: Vec<NodeId> = world.with(|state| state.targets(&other)).into_iter().collect();
    world.foreign(&Request::DetachPolicy { policy: policy.clone(), target: production.clone() }).unwrap();
    for target in &more {
        world.foreign(&Request::DetachPolicy { policy: other.clone(), target: target.clone() }).unwrap();
    }
    let options = Options::default();
    let planned = plan(&world, &desired, &memory, &options).await;
    let port = Paced::new(&world, Conduct { pace: Pace::None, ..Conduct::default() });
    let attachments = planned.plan.changes.len();
    assert!(attachments >= 2, "{:#?}", planned.plan.changes);
    let (reads, _) = bylaw::plan::estimate::calls(&planned.plan);
    let report = apply(&port, &desired, planned, &mut memory, &options).await;
    assert!(report.applied.is_success());
    assert_eq!((reads["DescribePolicy"], port.tally().calls["AttachPolicy"]), (2, attachments as u64));
}
