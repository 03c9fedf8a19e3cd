//! The whole way over the organization in memory: manifests in, writes out, and nothing left to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bylaw::apply::{Control, Outcome};
use bylaw::aws::Port;
use bylaw::aws::offline::{Offline, Options as World};
use bylaw::cli::sources;
use bylaw::desired::{Desired, build, read};
use bylaw::pass::{self, Options, Planned, Report};
use bylaw::plan::Memory;
use k8s_openapi::jiff::Timestamp;

/// The manifests below a directory of the repository, which must be sound.
pub fn manifests(path: &str) -> Desired {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let (sources, unread) = sources::load(&[path], &mut std::io::empty());
    assert!(unread.is_empty(), "{unread:#?}");
    desired(sources)
}

/// The manifests in a text, which must be sound.
pub fn from_text(text: &str) -> Desired {
    desired(vec![bylaw::desired::Source { file: "test.yaml".into(), bytes: text.as_bytes().to_vec() }])
}

fn desired(sources: Vec<bylaw::desired::Source>) -> Desired {
    let (manifests, issues) = read(&sources);
    assert!(issues.is_empty(), "{issues:#?}");
    let (desired, issues) = build(manifests, None);
    assert!(issues.iter().all(|issue| issue.severity == bylaw::desired::Severity::Warning), "{issues:#?}");
    desired.expect("sound manifests make a tree")
}

/// Tokio's time as time of day, so that paused tests have a clock that moves with them.
pub fn clock() -> impl Fn() -> Timestamp + Send + Sync {
    let began = tokio::time::Instant::now();
    move || {
        let passed = i64::try_from(began.elapsed().as_millis()).unwrap();
        Timestamp::from_millisecond(1_767_225_600_000 + passed).unwrap()
    }
}

pub async fn plan(world: &Offline, desired: &Desired, memory: &Memory, options: &Options) -> Planned {
    pass::plan(world, desired, None, memory, options, &clock()).await.unwrap()
}

pub async fn apply(
    world: &dyn Port,
    desired: &Desired,
    planned: Planned,
    memory: &mut Memory,
    options: &Options,
) -> Report {
    let clock = clock();
    let control = Control::new(&clock, "test");
    pass::apply_plan(world, desired, planned, memory, options, control).await.unwrap()
}

pub fn world(management: &str) -> Offline {
    Offline::new(World { management: Some(management.parse().unwrap()), ..World::default() })
}

fn writes(world: &Offline) -> BTreeMap<&'static str, usize> {
    let mut writes = BTreeMap::new();
    for entry in world.log() {
        *writes.entry(entry.request.operation()).or_default() += 1;
    }
    writes
}

async fn converges(path: &str, management: &str) {
    let desired = manifests(path);
    let world = world(management);
    let (mut memory, options) = (Memory::default(), Options::default());
    let planned = plan(&world, &desired, &memory, &options).await;
    assert!(planned.plan.refusals.is_empty(), "{:#?}", planned.plan.refusals);
    let report = apply(&world, &desired, planned, &mut memory, &options).await;
    let failed: Vec<_> = report.applied.outcomes.iter().filter(|(_, outcome)| !outcome.is_success()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(report.left.is_empty(), "left: {:#?} {:#?}", report.left.changes, report.left.refusals);
    assert!(report.unverified.is_none());

    let before = world.writes();
    let second = plan(&world, &desired, &memory, &options).await;
    assert!(second.plan.is_empty(), "{:#?} {:#?}", second.plan.changes, second.plan.refusals);
    assert!(second.plan.drift.is_empty());
    assert_eq!(world.writes(), before);
    println!("{path}: {:?}", writes(&world));
}

#[tokio::test(start_paused = true)]
async fn the_data_science_example_converges_and_the_second_run_writes_nothing() {
    converges("examples/data-science", "111111111111").await;
}

#[tokio::test(start_paused = true)]
async fn the_platform_example_converges_and_the_second_run_writes_nothing() {
    let management = manifests("examples/platform").organization.spec.management_account.to_string();
    converges("examples/platform", &management).await;
}

#[tokio::test(start_paused = true)]
async fn drift_of_one_attachment_is_put_right_with_two_reads_and_one_write() {
    let desired = manifests("examples/data-science");
    let world = world("111111111111");
    let (mut memory, options) = (Memory::default(), Options::default());
    let planned = plan(&world, &desired, &memory, &options).await;
    apply(&world, &desired, planned, &mut memory, &options).await;
    let (policy, target) = world.with(|state| {
        let own = state.policies().iter().find(|(_, policy)| policy.name.contains("production")).unwrap().0.clone();
        let target = state.targets(&own).into_iter().next().unwrap();
        (own, target)
    });
    world.foreign(&bylaw::aws::Request::DetachPolicy { policy: policy.clone(), target: target.clone() }).unwrap();
    let planned = plan(&world, &desired, &memory, &options).await;
    assert_eq!(planned.plan.drift.len(), 1, "{:#?}", planned.plan.drift);
    assert_eq!(planned.plan.changes.len(), 1, "{:#?}", planned.plan.changes);
    let (reads, writes) = bylaw::plan::estimate::calls(&planned.plan);
    assert_eq!(reads.keys().copied().collect::<Vec<_>>(), ["DescribePolicy", "ListPoliciesForTarget"]);
    assert_eq!((reads.values().sum::<u64>(), writes.values().sum::<u64>()), (2, 1));
    let report = apply(&world, &desired, planned, &mut memory, &options).await;
    assert_eq!(report.applied.outcomes.iter().map(|(_, o)| o.clone()).collect::<Vec<_>>(), [Outcome::Done]);
    assert!(world.with(|state| state.is_attached(&policy, &target)));
}

/// An organization as `manifests` declare it, with what was settled.
async fn settled(desired: &Desired, management: &str) -> (Offline, Memory) {
    let world = world(management);
    let (mut memory, options) = (Memory::default(), Options::default());
    let planned = plan(&world, desired, &memory, &options).await;
    let report = apply(&world, desired, planned, &mut memory, &options).await;
    assert!(report.left.is_empty(), "{:#?}", report.left);
    (world, memory)
}

/// The manifests of an example with one text replaced by another.
fn edited(path: &str, from: &str, to: &str) -> Desired {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let (mut sources, _) = sources::load(&[path], &mut std::io::empty());
    let mut found = false;
    for source in &mut sources {
        let text = String::from_utf8(source.bytes.clone()).unwrap();
        found |= text.contains(from);
        source.bytes = text.replacen(from, to, 1).into_bytes();
    }
    assert!(found, "`{from}` stands nowhere");
    desired(sources)
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_a_foreign_hand_took_off_comes_back_though_it_reaches_more_accounts_than_the_limit() {
    let desired = manifests("examples/data-science");
    let (world, mut memory) = settled(&desired, "111111111111").await;
    let baseline = world.with(|state| {
        let found = state.policies().iter().find(|(_, policy)| policy.name == "sagemaker-baseline");
        found.unwrap().0.clone()
    });
    let target = world.with(|state| state.targets(&baseline).into_iter().next().unwrap());
    world.foreign(&bylaw::aws::Request::DetachPolicy { policy: baseline.clone(), target: target.clone() }).unwrap();
    let options = Options::default();
    let planned = plan(&world, &desired, &memory, &options).await;
    assert!(planned.plan.refusals.is_empty(), "{:#?}", planned.plan.refusals);
    apply(&world, &desired, planned, &mut memory, &options).await;
    assert!(world.with(|state| state.is_attached(&baseline, &target)));
}

#[tokio::test(start_paused = true)]
async fn a_new_edit_that_reaches_more_accounts_than_the_limit_runs_only_by_its_hash() {
    let first = manifests("examples/data-science");
    let (world, mut memory) = settled(&first, "111111111111").await;
    let lockout = "    Statement:\n      - { Sid: Lockout, Effect: Deny, Action: \"*\", Resource: \"*\" }\n";
    let desired = edited("examples/data-science", "    Statement:\n", lockout);
    let planned = plan(&world, &desired, &memory, &Options::default()).await;
    assert!(planned.plan.changes.is_empty(), "{:#?}", planned.plan.changes);
    let [refusal] = planned.plan.refusals.as_slice() else { panic!("{:#?}", planned.plan.refusals) };
    assert_eq!(refusal.rule, "limit-affected");
    let hash = refusal.hash.clone().unwrap();

    let other = Options { approvals: approvals("0123456789abcdef"), ..Options::default() };
    assert!(plan(&world, &desired, &memory, &other).await.plan.changes.is_empty());
    let approved = Options { approvals: approvals(&hash), ..Options::default() };
    let planned = plan(&world, &desired, &memory, &approved).await;
    assert_eq!(planned.plan.changes.len(), 1);
    let report = apply(&world, &desired, planned, &mut memory, &approved).await;
    assert!(report.left.is_empty());

    // The approval was of that text, and of no other.
    let worse = edited(
        "examples/data-science",
        "    Statement:\n",
        &lockout.replace("Lockout", "Other").replace("\"*\", Resource", "\"s3:*\", Resource"),
    );
    assert!(plan(&world, &worse, &memory, &approved).await.plan.changes.is_empty());
}

fn approvals(hash: &str) -> bylaw::plan::Approvals {
    bylaw::plan::Approvals::of([hash])
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_rides_on_drift_is_still_new() {
    let first = manifests("examples/data-science");
    let (world, memory) = settled(&first, "111111111111").await;
    let baseline = world.with(|state| {
        state.policies().iter().find(|(_, policy)| policy.name == "sagemaker-baseline").unwrap().0.clone()
    });
    world
        .foreign(&bylaw::aws::Request::UpdatePolicy {
            policy: baseline,
            name: None,
            description: Some("changed by hand".into()),
            content: None,
        })
        .unwrap();
    let lockout = "    Statement:\n      - { Sid: Lockout, Effect: Deny, Action: \"*\", Resource: \"*\" }\n";
    let desired = edited("examples/data-science", "    Statement:\n", lockout);
    let planned = plan(&world, &desired, &memory, &Options::default()).await;
    assert!(planned.plan.changes.is_empty(), "{:#?}", planned.plan.changes);
    assert_eq!(planned.plan.refusals[0].rule, "limit-affected");
}

#[tokio::test(start_paused = true)]
async fn a_policy_type_that_aws_disables_is_off_and_is_enabled_again() {
    use bylaw::aws::port::PolicyTypeStatus;
    let desired = manifests("examples/data-science");
    let (world, memory) = settled(&desired, "111111111111").await;
    let kind = bylaw::names::PolicyType::scp();
    world.with(|state| {
        state.root.policy_types.insert(kind.clone(), PolicyTypeStatus::PendingDisable);
    });
    let planned = plan(&world, &desired, &memory, &Options::default()).await;
    let enables = |change: &&bylaw::plan::Change| matches!(&change.action, bylaw::plan::Action::EnablePolicyType { kind: of } if *of == kind);
    assert_eq!(planned.plan.changes.iter().filter(enables).count(), 1, "{:#?}", planned.plan.changes);
    assert!(
        planned.plan.notes.iter().any(|note| note.message.contains("PENDING_DISABLE")),
        "{:#?}",
        planned.plan.notes
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_in_place_and_what_is_tagged_has_a_limit_each() {
    let (world, memory) = settled(&manifests("examples/data-science"), "111111111111").await;
    let described = |limits: &str| {
        let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data-science");
        let (mut sources, _) = sources::load(&[path], &mut std::io::empty());
        for source in &mut sources {
            let text = String::from_utf8(source.bytes.clone()).unwrap();
            let text = text
                .replace("maxCreates: 20", limits)
                .replace("  description: ", "  tags: {a: b}\n  description: New: ");
            source.bytes = text.replace("description: New: ", "description: \"New\" # ").into_bytes();
        }
        desired(sources)
    };
    let all = plan(&world, &described("maxCreates: 20"), &memory, &Options::default()).await;
    let count = |planned: &Planned, verb| planned.plan.changes.iter().filter(|c| c.action.verb() == verb).count();
    let (updates, tags) = (count(&all, bylaw::plan::Verb::Update), count(&all, bylaw::plan::Verb::Tag));
    assert!(updates > 1 && tags > 1, "{:#?}", all.plan);
    let few = described(&format!("maxUpdates: {}\n    maxTags: {}", updates - 1, tags - 1));
    let few = plan(&world, &few, &memory, &Options::default()).await;
    let rules: Vec<&str> = few.plan.refusals.iter().map(|refusal| refusal.rule).collect();
    assert_eq!(rules, ["limit-tags", "limit-updates"], "{:#?}", few.plan);
    assert!(few.plan.refusals.iter().all(|refusal| refusal.hash.is_some()) && few.plan.changes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_events_what_a_policy_says_is_read_again_within_as_many_passes_as_are_documented() {
    let desired = manifests("examples/data-science");
    let (world, memory) = settled(&desired, "111111111111").await;
    let renew = |calls| {
        let older_than = k8s_openapi::jiff::SignedDuration::from_mins(5);
        Options { renew: Some(bylaw::observed::Renew { calls, older_than }), ..Options::default() }
    };
    let clock = clock();
    let policies: Vec<_> = world.with(|state| {
        state.policies().iter().filter(|(_, policy)| !policy.aws_managed).map(|(id, _)| id.clone()).collect()
    });
    let mut known = plan(&world, &desired, &memory, &Options::default()).await.observed;
    for policy in &policies {
        let content = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
        let mut request = bylaw::aws::Request::UpdatePolicy {
            policy: policy.clone(),
            name: None,
            description: None,
            content: Some(content.into()),
        };
        if world.foreign(&request).is_err() {
            let bylaw::aws::Request::UpdatePolicy { content, .. } = &mut request else { unreachable!() };
            *content = content.take().map(|text| text.replace(r#""Effect""#, r#""Principal":"*","Effect""#));
            world.foreign(&request).unwrap();
        }
    }
    // A content and the tags of each are two parts; 4 of 6 calls a pass are theirs.
    let bound = (policies.len() * 2).div_ceil(4);
    let mut seen = 0;
    for _ in 0..bound {
        tokio::time::sleep(std::time::Duration::from_secs(600)).await;
        let planned = pass::plan(&world, &desired, Some(&known), &memory, &renew(6), &clock).await.unwrap();
        seen = planned.plan.drift.iter().filter(|drift| drift.path == "content").count();
        known = planned.observed;
    }
    assert_eq!(seen, policies.len());
    // What was read a moment ago is not read again.
    let counted = bylaw::aws::paced::Paced::new(
        &world,
        bylaw::aws::paced::Conduct { pace: bylaw::aws::paced::Pace::None, ..Default::default() },
    );
    let still = Options { renew: renew(1_000).renew, ..Options::default() };
    pass::plan(&counted, &desired, Some(&known), &memory, &still, &clock).await.unwrap();
    let tags = counted.tally().calls.get("ListTagsForResource").copied().unwrap_or_default();
    assert!(tags < 10, "{tags}");
}
