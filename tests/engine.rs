//! The whole way over the organization in memory: manifests in, writes out, and nothing left to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bylaw::apply::ledger::NoLedger;
use bylaw::apply::{Control, Outcome, Progress, always};
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
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let clock = clock();
    let silent = |_: &Progress<'_>| {};
    let control =
        Control { stop: stopped, wanted: &always, progress: &silent, clock: &clock, ledger: &NoLedger, who: "test" };
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
async fn drift_of_one_attachment_is_put_right_with_one_read_and_one_write() {
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
    assert_eq!((reads.values().sum::<u64>(), writes.values().sum::<u64>()), (1, 1));
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
