//! What a person approves runs whole, or it is said what did not; nothing else runs by it; and the audit log names them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use bylaw::apply::ledger::{Entry, Ledger};
use bylaw::apply::{Control, Progress, always};
use bylaw::aws::{AwsError, Port, Response};
use bylaw::names::{Kind, ObjectKey};
use bylaw::pass::{self, Planned, Report};
use bylaw::plan::guard::Word;
use bylaw::plan::{Approvals, Change};
use bylaw::status::approvals::Passed;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::*;
use crate::engine::clock;

/// One detachment, and a change of the reach of none: seven detachments are past both limits, three of them by their reach.
const NARROW: &str = "limits: {maxDetaches: 1, maxAffected: {accounts: 0, percent: 0}}";

/// Seven policies, which stay attached to `other`: four on an OU without accounts, three on one with two.
fn seven(on: bool) -> String {
    let of = |n: u32, unit: &str| {
        let targets = if on { format!("other {unit}") } else { "other".to_owned() };
        policy(&format!("p{n}"), &format!("s3:Action{n}"), &targets)
    };
    (1..=4).map(|n| of(n, "empty")).chain((5..=7).map(|n| of(n, "team"))).collect()
}

fn units() -> String {
    [tree(), unit("empty", "", ""), unit("other", "", "")].concat()
}

/// The organization with the seven attached, and the manifests that take them off.
async fn narrow() -> (Offline, Memory, String) {
    let (world, memory) = settle(&[organization(""), units(), seven(true)].concat()).await;
    (world, memory, [organization(NARROW), units(), seven(false)].concat())
}

fn approved(hashes: impl IntoIterator<Item = String>) -> Options {
    Options { approvals: Approvals::of(hashes), ..Options::default() }
}

fn detached(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.starts_with("DetachPolicy")).count()
}

/// The one hash of everything that is refused.
fn whole(plan: &Plan<Guarded>) -> String {
    let [whole, ..] = plan.bundles.as_slice() else { panic!("{:#?}", plan.refusals) };
    assert_eq!(whole.subject, ObjectKey::new(Kind::Organization, "org"));
    whole.hash.clone()
}

#[tokio::test(start_paused = true)]
async fn seven_detachments_that_two_limits_refuse_run_whole_by_one_approval() {
    let (world, memory, after) = narrow().await;
    let refused = plan(&world, &from_text(&after), &memory, &Options::default()).await.plan;
    let [refusal] = refused.refusals.as_slice() else { panic!("{:#?}", refused.refusals) };
    assert_eq!((refusal.rule, refusal.changes.len()), ("limit-detaches", 7));
    // The limit that only shows once the other is lifted is told beforehand.
    let bundle = &refused.bundles[0];
    assert_eq!(bundle.rules(), BTreeSet::from(["limit-affected", "limit-detaches"]));
    assert_eq!((bundle.changes().len(), bundle.covers.len()), (7, 10));
    let shown = lines(&world, &memory, &after, &approved([whole(&refused)])).await;
    assert_eq!(detached(&shown), 7, "{shown:#?}");
    assert_eq!(shown.len(), 7, "{shown:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_approval_of_one_limit_says_what_another_holds_back_and_how_to_approve_it() {
    let (world, memory, after) = narrow().await;
    let refused = plan(&world, &from_text(&after), &memory, &Options::default()).await.plan;
    let hash = refused.refusals[0].hash.clone().unwrap();
    let planned = plan(&world, &from_text(&after), &memory, &approved([hash.clone()])).await.plan;
    assert_eq!(detached(&shown(&world, &planned)), 4);
    let [refusal] = planned.refusals.as_slice() else { panic!("{:#?}", planned.refusals) };
    assert_eq!((refusal.rule, refusal.changes.len()), ("limit-affected", 3));
    let undone = &Passed::of([hash.clone()].into(), &planned, &[]).undone[&hash];
    let rest = refusal.hash.clone().unwrap();
    assert_eq!(undone.len(), 3, "{undone:#?}");
    let says =
        format!("DetachPolicy for OrganizationPolicy/p5: `limit-affected` refuses it as well under the hash {rest}");
    assert!(undone.contains(&says), "{undone:#?}");
    assert_eq!(detached(&lines(&world, &memory, &after, &approved([hash, rest])).await), 7);
}

/// The organization, in which some writes fail.
struct Failing<'a>(&'a Offline, Mutex<Vec<String>>);

impl Port for Failing<'_> {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            if let Request::DetachPolicy { policy, .. } = request
                && self.1.lock().unwrap().contains(&policy.to_string())
            {
                return Err(AwsError::answered("DetachPolicy", "AccessDeniedException", "not now", None));
            }
            self.0.call(request).await
        })
    }
}

/// Keeps every entry as the file would.
#[derive(Default)]
struct Log(Mutex<Vec<Value>>);

impl Ledger for Log {
    fn record(&self, entry: &Entry<'_>) -> Result<(), String> {
        self.0.lock().unwrap().push(serde_json::to_value(entry).unwrap());
        Ok(())
    }
}

async fn run(
    port: &dyn Port,
    manifests: &str,
    planned: Planned,
    memory: &mut Memory,
    options: &Options,
) -> (Report, Vec<Value>) {
    let (_stop, stop) = tokio::sync::watch::channel(false);
    let (clock, log, silent) = (clock(), Log::default(), |_: &Progress<'_>| {});
    let control = Control { stop, wanted: &always, progress: &silent, clock: &clock, ledger: &log, who: "me@here" };
    let report = pass::apply_plan(port, &from_text(manifests), planned, memory, options, control).await.unwrap();
    (report, log.0.into_inner().unwrap())
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_approved_changes_needs_no_other_approval_while_nothing_else_changed() {
    for by_bundle in [true, false] {
        let (world, mut memory, after) = narrow().await;
        let desired = from_text(&after);
        let mut options = Options::default();
        let refused = plan(&world, &desired, &memory, &options).await.plan;
        if by_bundle {
            options = approved([whole(&refused)]);
        } else {
            let first = refused.refusals[0].hash.clone().unwrap();
            let second = plan(&world, &desired, &memory, &approved([first.clone()])).await.plan;
            options = approved([first, second.refusals[0].hash.clone().unwrap()]);
        }
        // Of seven three fail.
        let fail = ["p2", "p5", "p6"].map(|name| policy_of(&world, name).to_string());
        let port = Failing(&world, Mutex::new(fail.to_vec()));
        let planned = plan(&world, &desired, &memory, &options).await;
        let (report, _) = run(&port, &after, planned, &mut memory, &options).await;
        assert_eq!(report.applied.outcomes.iter().filter(|(_, outcome)| outcome.is_success()).count(), 4);
        assert!(report.left.refusals.is_empty(), "{:#?}", report.left.refusals);
        assert_eq!(detached(&shown(&world, &report.left)), 3);
        // The process that comes after has what was kept, and the approval.
        let kept: Memory = serde_json::from_value(serde_json::to_value(&memory).unwrap()).unwrap();
        let left = plan(&world, &desired, &kept, &options).await;
        assert_eq!((detached(&shown(&world, &left.plan)), left.plan.refusals.len()), (3, 0), "{:#?}", left.plan);
        // Without the approval the rest is not approved either, nor is anything else with it.
        assert_eq!(detached(&lines(&world, &kept, &after, &Options::default()).await), 0);
        let more = after.replacen(&policy("p1", "s3:Action1", "other"), &policy("p1", "s3:Action1", "dev"), 1);
        let with = plan(&world, &from_text(&more), &kept, &options).await.plan;
        let held = |name: &str| {
            let held = with.refusals.iter().flat_map(|refusal| &refusal.changes);
            held.filter(|change| &*change.object.name == name).count()
        };
        assert!(held("p1") > 0 && held("p5") == 0, "{:#?}", shown(&world, &with));
        assert!(idle_of(&options, &left, &desired).is_empty(), "an approval of the rest is of use");
        let (report, _) = run(&world, &after, left, &mut memory, &options).await;
        assert!(report.left.is_empty(), "{:#?}", report.left);
    }
}

fn idle_of(options: &Options, planned: &Planned, desired: &bylaw::desired::Desired) -> BTreeSet<String> {
    let memory = Memory::default().approvals(&options.approvals, clock()());
    let mut approvals = memory;
    for (alone, lifted) in &planned.plan.approved {
        approvals.cover(&lifted.hash, [alone.clone()]);
    }
    bylaw::plan::guard::idle(&approvals, &planned.plan, desired, &planned.observed, clock()())
}

#[tokio::test(start_paused = true)]
async fn the_audit_log_names_who_approved_what() {
    let (world, mut memory, after) = narrow().await;
    let desired = from_text(&after);
    let refused = plan(&world, &desired, &memory, &Options::default()).await.plan;
    let hash = whole(&refused);
    let subject = ObjectKey::new(Kind::Organization, "org");
    let word = Word { approver: "jane".into(), subject, wrote: BTreeSet::new() };
    for (only, who) in [([(hash.clone(), vec![word])].into(), "jane"), (BTreeMap::new(), "me@here")] {
        let approvals = Approvals { only, ..Approvals::of([hash.clone()]) };
        let options = Options { approvals, ..Options::default() };
        // The first time nothing can be written, so that there is something to do the second time.
        let all = (1..=7).map(|n| policy_of(&world, &format!("p{n}")).to_string()).collect();
        let failing = Failing(&world, Mutex::new(if who == "jane" { all } else { vec![] }));
        let planned = plan(&world, &desired, &memory, &options).await;
        let (_, log) = run(&failing, &after, planned, &mut memory, &options).await;
        assert_eq!(log.len(), 14, "{log:#?}");
        for entry in &log {
            let far =
                ["p5", "p6", "p7"].contains(&entry["change"]["object"].as_str().unwrap().split_once('/').unwrap().1);
            let rules = if far { json!(["limit-affected", "limit-detaches"]) } else { json!(["limit-detaches"]) };
            assert_eq!(entry["approvals"], json!([{"hash": hash, "rules": rules, "approvers": [who]}]), "{entry:#}");
        }
    }
    // What needs no approval names none.
    let (world, mut memory) = settle(&[organization(""), units(), seven(true)].concat()).await;
    let free = [organization(""), units(), seven(false)].concat();
    let planned = plan(&world, &from_text(&free), &memory, &Options::default()).await;
    let (_, log) = run(&world, &free, planned, &mut memory, &Options::default()).await;
    assert!(log.len() == 14 && log.iter().all(|entry| entry.get("approvals").is_none()), "{log:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_approval_of_everything_is_void_once_what_it_covers_is_other() {
    let (world, memory, after) = narrow().await;
    let refused = plan(&world, &from_text(&after), &memory, &Options::default()).await.plan;
    let options = approved([whole(&refused)]);
    let off = |name: &str, more: &str| {
        let n = name.trim_start_matches('p');
        let policy_after = policy(name, &format!("s3:Action{n}"), "other");
        assert!(after.contains(&policy_after));
        after.replacen(&policy_after, &policy(name, &format!("s3:Action{n} {more}"), "other"), 1)
    };
    // Another text of what is taken off, one change more, one change less.
    let more =
        [after.clone(), unit("more", "", "")].concat().replace("maxDetaches: 1", "maxDetaches: 1, maxCreates: 0");
    let less = after.replacen(&policy("p1", "s3:Action1", "other"), &policy("p1", "s3:Action1", "other empty"), 1);
    for edited in [off("p3", "ec2:*"), more, less] {
        let shown = lines(&world, &memory, &edited, &options).await;
        assert_eq!(detached(&shown), 0, "{shown:#?}");
    }
    // What has no part in it may change.
    let beside = [after, unit("beside", "", "")].concat();
    assert_eq!(detached(&lines(&world, &memory, &beside, &options).await), 7);
}

#[tokio::test(start_paused = true)]
async fn an_approval_to_attach_a_policy_is_of_its_text() {
    let before = [organization(""), units(), policy("p", "s3:*", "empty")].concat();
    let (world, memory) = settle(&before).await;
    let with = |text: &str| [organization(NARROW), units(), policy("p", text, "empty team")].concat();
    let refused = plan(&world, &from_text(&with("s3:*")), &memory, &Options::default()).await.plan;
    let [refusal] = refused.refusals.as_slice() else { panic!("{:#?}", refused.refusals) };
    let options = approved(refusal.hash.clone());
    assert_eq!(lines(&world, &memory, &with("s3:*"), &options).await, ["AttachPolicy p team"]);
    // The edit alone reaches nobody where it is attached now.
    let shown = lines(&world, &memory, &with("*"), &options).await;
    assert!(!shown.contains(&"AttachPolicy p team".to_owned()), "{shown:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_approval_to_move_an_account_is_of_what_binds_it_there() {
    let before = [organization(""), units(), policy("p", "s3:*", "empty"), policy("q", "ec2:*", "empty")].concat();
    let (world, memory) = settle(&before).await;
    let moved = units().replace(
        "name: a-team\n  organizationalUnitRef: {name: team}",
        "name: a-team\n  organizationalUnitRef: {name: empty}",
    );
    let with = |q: &str| {
        [
            organization("limits: {maxDetaches: 9, maxMoves: 0, maxAffected: {accounts: 100, percent: 100}}"),
            moved.clone(),
            policy("p", "s3:*", "empty"),
            policy("q", "ec2:*", q),
        ]
        .concat()
    };
    let refused = plan(&world, &from_text(&with("empty")), &memory, &Options::default()).await.plan;
    let [refusal] = refused.refusals.as_slice() else { panic!("{:#?}", refused.refusals) };
    assert_eq!(refusal.rule, "limit-moves");
    let options = approved(refusal.hash.clone());
    assert_eq!(lines(&world, &memory, &with("empty"), &options).await, ["MoveAccount a-team empty"]);
    let shown = lines(&world, &memory, &with("other"), &options).await;
    assert!(!shown.contains(&"MoveAccount a-team empty".to_owned()), "{shown:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_author_of_one_object_does_not_approve_everything_at_once_nor_the_rest_of_it() {
    let (world, mut memory, after) = narrow().await;
    let desired = from_text(&after);
    let hash = whole(&plan(&world, &desired, &memory, &Options::default()).await.plan);
    let word = |wrote: &[&str]| Word {
        approver: "jane".into(),
        subject: ObjectKey::new(Kind::Organization, "org"),
        wrote: wrote.iter().map(|name| ObjectKey::new(Kind::OrganizationPolicy, name)).collect(),
    };
    let by = |wrote: &[&str]| {
        let approvals = Approvals { only: [(hash.clone(), vec![word(wrote)])].into(), ..Approvals::of([hash.clone()]) };
        Options { approvals, ..Options::default() }
    };
    assert_eq!(detached(&lines(&world, &memory, &after, &by(&["p7"])).await), 0);
    let fail = ["p2", "p5"].map(|name| policy_of(&world, name).to_string());
    let planned = plan(&world, &desired, &memory, &by(&[])).await;
    let port = Failing(&world, Mutex::new(fail.to_vec()));
    run(&port, &after, planned, &mut memory, &by(&[])).await;
    assert_eq!(detached(&lines(&world, &memory, &after, &by(&[])).await), 2);
    // Who became the author of one meanwhile has no say in it any more.
    let rest = plan(&world, &desired, &memory, &by(&["p5"])).await.plan;
    let held: Vec<&Change> = rest.refusals.iter().flat_map(|refusal| &refusal.changes).collect();
    assert!(!held.is_empty() && held.iter().all(|change| &*change.object.name == "p5"), "{:#?}", shown(&world, &rest));
}

#[tokio::test(start_paused = true)]
async fn the_author_of_one_object_approves_no_changes_of_it_in_the_name_of_the_organization() {
    let limits = "limits: {maxDetaches: 1, maxAffected: {accounts: 1000, percent: 100}}";
    let both = |targets| [policy("p", "s3:*", targets), policy("q", "ec2:*", targets)].concat();
    let before = [organization(limits), tree(), both("prod dev")].concat();
    let (world, memory) = settle(&before).await;
    let after = [organization(limits), tree(), both("prod")].concat();
    let refused = plan(&world, &from_text(&after), &memory, &Options::default()).await.plan;
    let [refusal] = refused.refusals.as_slice() else { panic!("{:#?}", refused.refusals) };
    let hash = refusal.hash.clone().unwrap();
    let key = |kind, name: &str| ObjectKey::new(kind, name);
    let word = |subject: ObjectKey, wrote: &[&str]| Word {
        approver: "jane".into(),
        subject,
        wrote: wrote.iter().map(|name| key(Kind::OrganizationPolicy, name)).collect(),
    };
    let organization = || key(Kind::Organization, "org");
    for (words, runs) in [
        (vec![word(organization(), &[])], true),
        (vec![word(organization(), &["other"])], true),
        (vec![word(organization(), &["q"])], false),
        // One of two objects is not both, and two people who each may approve half approve nothing.
        (vec![word(key(Kind::OrganizationPolicy, "p"), &[])], false),
        (vec![word(organization(), &["q"]), word(organization(), &["p"])], false),
        (vec![word(organization(), &["q"]), word(organization(), &[])], true),
    ] {
        let approvals = Approvals { only: [(hash.clone(), words.clone())].into(), ..Approvals::of([hash.clone()]) };
        let options = Options { approvals, ..Options::default() };
        let plan = plan(&world, &from_text(&after), &memory, &options).await.plan;
        assert_eq!(plan.refusals.is_empty(), runs, "{words:?}: {:#?}", plan.refusals);
    }
}
