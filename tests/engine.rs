//! The whole way over the organization in memory: manifests in, writes out, and nothing left to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bylaw::apply::ledger::NoLedger;
use bylaw::apply::{Control, Outcome, Progress};
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
    world: &Offline,
    desired: &Desired,
    planned: Planned,
    memory: &mut Memory,
    options: &Options,
) -> Report {
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let clock = clock();
    let silent = |_: &Progress<'_>| {};
    let control = Control { stop: stopped, progress: &silent, clock: &clock, ledger: &NoLedger, who: "test" };
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
