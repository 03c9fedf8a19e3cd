//! An approval that is gone in the middle of a run, on an organization in memory and a cluster fed by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use k8s_openapi::jiff::SignedDuration;
use kube::core::DynamicObject;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::*;
use crate::apply::ledger::NoLedger;
use crate::apply::{Control, Outcome, Progress};
use crate::aws::offline::{Offline, Options as World};
use crate::controller::watch::{Cluster, Watched};
use crate::pass::{self, Options};
use crate::plan::Memory;

const MANAGEMENT: &str = "111111111111";
const NOW: i64 = 1_767_225_600;

fn object(kind: &str, name: &str, spec: &Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "bylaw.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "uid": name, "generation": 1}, "spec": spec,
    }))
    .unwrap()
}

/// An Organization that lets nothing be created, and two OUs to be created.
fn cluster() -> Arc<Cluster> {
    let cluster = Arc::new(Cluster::default());
    for watched in Watched::all() {
        cluster.take(watched, Event::Init);
        let objects = match watched {
            Watched::Declared(Kind::Organization) => {
                let spec = json!({"managementAccountId": MANAGEMENT, "limits": {"maxCreates": 0}});
                vec![object("Organization", "acme", &spec)]
            }
            Watched::Declared(Kind::OrganizationalUnit) => {
                ["a", "b"].map(|name| object("OrganizationalUnit", name, &json!({"name": name}))).to_vec()
            }
            _ => vec![],
        };
        for object in objects {
            cluster.take(watched, Event::InitApply(object));
        }
        cluster.take(watched, Event::InitDone);
    }
    cluster
}

fn approval(name: &str, hash: &str) -> DynamicObject {
    let spec = json!({"for": {"kind": "Organization", "name": "acme"}, "hash": hash, "approver": "jane", "reason": "r",
        "expiresAt": "2026-01-01T01:00:00Z"});
    object("Approval", name, &spec)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Approves what is refused, and does this once the first of the two OUs is created. What came of each.
async fn meanwhile(happens: impl Fn(&Cluster, &str, &AtomicI64) + Send + Sync) -> Vec<Outcome> {
    let (cluster, passed) = (cluster(), AtomicI64::new(0));
    let management = Some(MANAGEMENT.parse().unwrap());
    let world = Offline::new(World { management, began: at(NOW), ..World::default() });
    let clock = || at(NOW);
    // The lease stands still; what is asked before each write knows the time.
    let latest = || at(NOW + passed.load(Ordering::Relaxed));
    let plan = async |scene: &Scene, desired: &Desired| {
        let options = Options { approvals: scene.approved(clock()), ..Options::default() };
        pass::plan(&world, desired, None, &Memory::default(), &options, &clock).await.unwrap()
    };
    let scene = Scene::of(&cluster, "acme").unwrap();
    let refused = plan(&scene, scene.desired().unwrap()).await.plan;
    let hash = refused.refusals[0].hash.clone().unwrap();
    cluster.take(Watched::Approvals, Event::Apply(approval("yes", &hash)));

    let scene = Scene::of(&cluster, "acme").unwrap();
    let desired = scene.desired().unwrap();
    let planned = plan(&scene, desired).await;
    assert_eq!((planned.plan.changes.len(), planned.plan.refusals.len()), (2, 0), "{:#?}", planned.plan.refusals);
    let brakes = Brakes::of(&scene, desired, &planned, &latest);
    let wanted = |change: &Change| brakes.wanted(change);
    let progress = |progress: &Progress<'_>| {
        if progress.over == 1 {
            happens(&cluster, &hash, &passed);
        }
    };
    let (_stop, stop) = tokio::sync::watch::channel(false);
    let control = Control { stop, wanted: &wanted, progress: &progress, clock: &clock, ledger: &NoLedger, who: "one" };
    let (mut memory, options) = (Memory::default(), Options::default());
    let report = pass::apply_plan(&world, desired, planned, &mut memory, &options, control).await.unwrap();
    report.applied.outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn is_stopped(outcomes: &[Outcome]) -> bool {
    let why = "the approval that let it pass was taken back, or has expired";
    matches!(outcomes, [Outcome::Done, Outcome::Stopped { why: told }] if told == why)
}

#[tokio::test(start_paused = true)]
async fn what_an_approval_let_pass_is_not_started_once_the_approval_is_gone() {
    let nothing = meanwhile(|_, _, _| {}).await;
    assert_eq!(nothing, [Outcome::Done, Outcome::Done]);
    let deleted = meanwhile(|cluster, hash, _| {
        cluster.take(Watched::Approvals, Event::Delete(approval("yes", hash)));
    })
    .await;
    assert!(is_stopped(&deleted), "{deleted:?}");
    let expired = meanwhile(|_, _, passed| passed.store(3600, Ordering::Relaxed)).await;
    assert!(is_stopped(&expired), "{expired:?}");
    let almost = meanwhile(|_, _, passed| passed.store(3599, Ordering::Relaxed)).await;
    assert_eq!(almost, [Outcome::Done, Outcome::Done]);
    let unlisted = meanwhile(|cluster, _, _| {
        cluster.take(Watched::Approvals, Event::Init);
        cluster.take(Watched::Approvals, Event::InitDone);
    })
    .await;
    assert!(is_stopped(&unlisted), "{unlisted:?}");
}

#[tokio::test(start_paused = true)]
async fn what_an_approval_let_pass_goes_on_while_the_approval_counts() {
    // What the controller itself writes into its status, and another's word for the same.
    let told = meanwhile(|cluster, hash, _| {
        let mut told = approval("yes", hash);
        told.data["status"] = json!({"usedAt": "2026-01-01T00:00:00Z", "covers": ["0123456789abcdef"]});
        cluster.take(Watched::Approvals, Event::Apply(told));
    })
    .await;
    assert_eq!(told, [Outcome::Done, Outcome::Done]);
    let other = meanwhile(|cluster, hash, _| {
        cluster.take(Watched::Approvals, Event::Apply(approval("also", hash)));
        cluster.take(Watched::Approvals, Event::Delete(approval("yes", hash)));
    })
    .await;
    assert_eq!(other, [Outcome::Done, Outcome::Done]);
}

#[tokio::test(start_paused = true)]
async fn holds_are_judged_by_the_time_of_the_service() {
    let management = Some(MANAGEMENT.parse().unwrap());
    let world = Offline::new(World { management, began: at(NOW), tells_time: true, ..World::default() });
    world.with(|state| {
        let root = state.root_node();
        let until = at(NOW + 600).to_string();
        state.tags_mut(&root).unwrap().insert(crate::names::TAG_HOLD.into(), until);
    });
    let cluster = cluster();
    let scene = Scene::of(&cluster, "acme").unwrap();
    let rules = async |wrong: i64| {
        let clock = move || at(NOW) + SignedDuration::from_secs(wrong);
        let planned =
            pass::plan(&world, scene.desired().unwrap(), None, &Memory::default(), &Options::default(), &clock).await;
        planned.unwrap().plan.refusals.iter().map(|refusal| refusal.rule).collect::<BTreeSet<_>>()
    };
    for wrong in [-660, 0, 660] {
        assert_eq!(rules(wrong).await, BTreeSet::from(["hold"]), "the clock here is {wrong} s wrong");
    }
    tokio::time::sleep(std::time::Duration::from_secs(700)).await;
    for wrong in [-660, 0, 1360] {
        assert_eq!(rules(wrong).await, BTreeSet::from(["limit-creates"]), "the clock here is {wrong} s wrong");
    }
}
