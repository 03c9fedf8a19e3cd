//! Golden outputs over the organization in memory; `BYLAW_UPDATE=1` writes them anew.

use std::path::Path;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::progress::{Reporter, TICK};
use super::saved::SavedPlan;
use super::view::Names;
use super::{Context, json, markdown, plan, result, saved};
use crate::apply::{Control, Outcome, Progress};
use crate::aws::offline::{Offline, Options as World};
use crate::aws::{AwsError, Request};
use crate::cli::sources;
use crate::cli::terminal::meanwhile;
use crate::desired::{Desired, Severity, Source, build, read};
use crate::names::{PolicyType, Tags};
use crate::pass::{self, Options, Planned, Report};
use crate::plan::model::{Edit, Tagged};
use crate::plan::{Action, Change, Drift, Memory, NodeRef, Note, Reason, Refusal, Stage as PlanStage};

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/show/goldens").join(name);
    if std::env::var_os("BYLAW_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; `BYLAW_UPDATE=1 ./test goldens` writes it", path.display()));
    assert!(committed == text, "{name} differs; `BYLAW_UPDATE=1 ./test show` writes it anew. Now:\n{text}");
}

/// The manifests of an example, with the paths that a person at the top of the repository would give.
fn example(path: &str) -> (Vec<Source>, Desired) {
    let (sources, unread) = sources::load(&[path.into()], &mut std::io::empty());
    assert!(unread.is_empty(), "{unread:#?}");
    let desired = desired(&sources);
    (sources, desired)
}

fn desired(sources: &[Source]) -> Desired {
    let (manifests, issues) = read(sources);
    assert!(issues.is_empty(), "{issues:#?}");
    let (desired, issues) = build(manifests, None);
    assert!(issues.iter().all(|issue| issue.severity == Severity::Warning), "{issues:#?}");
    desired.unwrap()
}

fn edited(sources: &[Source], from: &str, to: &str) -> Desired {
    let mut found = false;
    let sources: Vec<Source> = sources
        .iter()
        .map(|source| {
            let text = String::from_utf8(source.bytes.clone()).unwrap();
            found |= text.contains(from);
            Source { file: source.file.clone(), bytes: text.replace(from, to).into_bytes() }
        })
        .collect();
    assert!(found, "`{from}` is in no manifest");
    desired(&sources)
}

struct Stage {
    world: Offline,
    memory: Memory,
    options: Options,
    began: tokio::time::Instant,
}

impl Stage {
    fn new(management: &str) -> Self {
        Self {
            world: Offline::new(World { management: Some(management.parse().unwrap()), ..World::default() }),
            memory: Memory::default(),
            options: Options::default(),
            began: tokio::time::Instant::now(),
        }
    }

    fn clock(&self) -> impl Fn() -> Timestamp + Send + Sync + use<> {
        let began = self.began;
        move || {
            let passed = i64::try_from(began.elapsed().as_millis()).unwrap();
            Timestamp::from_millisecond(1_767_225_600_000 + passed).unwrap()
        }
    }

    async fn plan(&self, desired: &Desired) -> Planned {
        pass::plan(&self.world, desired, None, &self.memory, &self.options, &self.clock()).await.unwrap()
    }

    async fn apply(&mut self, desired: &Desired, planned: Planned) -> Report {
        let clock = self.clock();
        let control = Control::new(&clock, "test");
        pass::apply_plan(&self.world, desired, planned, &mut self.memory, &self.options, control).await.unwrap()
    }

    /// What was read when depends on how long calls wait, which is not what these tests are about.
    fn context(&self) -> Context {
        let oldest = Timestamp::from_second(1_767_225_600).unwrap();
        Context {
            calls: [("ListAccounts", 1), ("ListPolicies", 2)].into(),
            oldest,
            now: oldest + SignedDuration::from_mins(3),
            ..Context::default()
        }
    }
}

fn text(planned: &Planned, desired: &Desired, context: &Context) -> String {
    let mut out = vec![];
    plan::text(planned, desired, context, false, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn told(report: &Report, planned: &Planned, desired: &Desired) -> String {
    let mut out = vec![];
    result::text(report, planned, desired, &Context::default(), false, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Every form, each the same when it is written again.
fn all_forms(name: &str, planned: &Planned, desired: &Desired, context: &Context) {
    assert_eq!(text(planned, desired, context), text(planned, desired, context));
    for change in &planned.plan.changes {
        // One name, in this room and in the file of a plan.
        assert_eq!(serde_json::to_value(&change.action).unwrap()["do"], change.action.name());
    }
    fits("plan", &json::plan(planned, desired, context, None));
    golden(&format!("{name}.txt"), &text(planned, desired, context));
    golden(&format!("{name}.md"), &markdown::plan(planned, desired, context));
    golden(&format!("{name}.json"), &format!("{:#}\n", json::plan(planned, desired, context, None)));
}

#[tokio::test(start_paused = true)]
async fn goldens_of_the_data_science_example() {
    let (sources, desired) = example("examples/data-science");
    let mut stage = Stage::new("111111111111");
    let planned = stage.plan(&desired).await;
    let context = stage.context();
    all_forms("first", &planned, &desired, &context);
    let full = Context { full: true, ..context.clone() };
    golden("first-full.txt", &text(&planned, &desired, &full));
    let saved = SavedPlan::new(&planned, &desired, &sources, &stage.options, context.now);
    fits("plan", &saved.clone().to_json(&planned, &desired, &context));
    let report = stage.apply(&desired, planned.clone()).await;
    fits("apply", &json::report(&report, &planned, &desired, &context));
    assert!(result::converged(&report));
    golden("first-applied.txt", &told(&report, &planned, &desired));
    golden("first-applied.json", &format!("{:#}\n", json::report(&report, &planned, &desired, &context)));

    let planned = stage.plan(&desired).await;
    all_forms("empty", &planned, &desired, &stage.context());

    // Past `maxAffected`: the edit of the policy on the parent.
    let wider = edited(
        &sources,
        "ml.t3.*, ml.m5.*, ml.c5.*]\n      - Sid: StudioTypes",
        "ml.t3.*, ml.m6i.*]\n      - Sid: StudioTypes",
    );
    let planned = stage.plan(&wider).await;
    all_forms("refused", &planned, &wider, &stage.context());

    // A careless person detaches, edits and moves.
    let (policy, target, account, root) = stage.world.with(|state| {
        let own = state.policies().iter().find(|(_, policy)| policy.name.contains("production")).unwrap().0.clone();
        let target = state.targets(&own).into_iter().next().unwrap();
        let account = state.accounts().iter().find(|(_, account)| account.name.ends_with("staging")).unwrap();
        let root = state.nodes().next().unwrap();
        (own, target, (account.0.clone(), account.1.parent.clone()), root)
    });
    for request in [
        Request::DetachPolicy { policy, target },
        Request::MoveAccount { account: account.0, from: account.1, to: root },
    ] {
        stage.world.foreign(&request).unwrap();
    }
    let planned = stage.plan(&desired).await;
    all_forms("drift", &planned, &desired, &stage.context());
}

const SWAPS: &str = r#"
apiVersion: bylaw.dev/v1alpha1
kind: Organization
metadata: {name: main}
spec:
  managementAccountId: "111111111111"
  policyTypes: [SERVICE_CONTROL_POLICY]
  trustedServices: [account.amazonaws.com]
  attachments: Exclusive
  limits: {maxAffected: {accounts: 100, percent: 100}}
---
apiVersion: bylaw.dev/v1alpha1
kind: OrganizationalUnit
metadata: {name: blue}
spec: {name: Blue, tags: {team: blue}}
---
apiVersion: bylaw.dev/v1alpha1
kind: OrganizationalUnit
metadata: {name: green}
spec: {name: Green}
---
apiVersion: bylaw.dev/v1alpha1
kind: Account
metadata: {name: app}
spec: {name: app, email: app@acme.example, organizationalUnitRef: {name: blue}}
---
apiVersion: bylaw.dev/v1alpha1
kind: OrganizationPolicy
metadata: {name: regions}
spec:
  type: SERVICE_CONTROL_POLICY
  targets: [{organizationalUnitRef: {name: blue}}, {organizationalUnitRef: {name: green}}]
  content: {Version: "2012-10-17", Statement: [{Sid: Regions, Effect: Deny, Action: ["ec2:*", "rds:*"], Resource: "*"}]}
---
apiVersion: bylaw.dev/v1alpha1
kind: OrganizationPolicy
metadata: {name: old}
spec:
  type: SERVICE_CONTROL_POLICY
  targets: [{organizationalUnitRef: {name: blue}}]
  content: {Version: "2012-10-17", Statement: [{Sid: Old, Effect: Deny, Action: "iam:*", Resource: "*"}]}
"#;

/// What holds in between: a policy for another, a policy that goes up the tree, an account that moves, a text that is
/// loosened, and what each change comes after.
#[tokio::test(start_paused = true)]
async fn goldens_of_what_holds_in_between() {
    let before = [Source { file: "org.yaml".into(), bytes: SWAPS.as_bytes().to_vec() }];
    let mut stage = Stage::new("111111111111");
    let first = desired(&before);
    let planned = stage.plan(&first).await;
    let report = stage.apply(&first, planned).await;
    assert!(result::converged(&report), "{report:#?}");
    let text = SWAPS
        .replace("{name: blue}}, {organizationalUnitRef: {name: green}}]", "{name: blue}}, {root: true}]")
        .replace("organizationalUnitRef: {name: blue}}\n---", "organizationalUnitRef: {name: green}, alternateContacts: {security: {name: S, title: T, email: s@acme.example, phone: \"1\"}}}\n---")
        .replace("team: blue", "team: azure")
        .replace("metadata: {name: old}", "metadata: {name: new}")
        .replace("Sid: Old", "Sid: New")
        .replace("[\"ec2:*\", \"rds:*\"]", "[\"ec2:*\", \"sqs:*\"]");
    let after = desired(&[Source { file: "org.yaml".into(), bytes: text.into_bytes() }]);
    let planned = stage.plan(&after).await;
    all_forms("between", &planned, &after, &stage.context());
    let report = stage.apply(&after, planned.clone()).await;
    assert!(result::converged(&report), "{report:#?}");
}

const HOSTILE: &str = "\u{1b}[2J\u{1b}[1;1H\u{202e}No changes\r\n| x | `` ``` <img src=x onerror=1> @octo/team #1 ](http://evil.example) </details>\u{e0041}\u{200b}";

/// A plan in which AWS's names, tags and texts, the manifests' and the errors are all hostile.
fn hostile() -> (Planned, Desired) {
    let manifests = [Source { file: format!("a{HOSTILE}.yaml").into(), bytes: MINIMAL.as_bytes().to_vec() }];
    let desired = desired(&manifests);
    let stage = Stage::new("111111111111");
    let mut planned = futures::executor::block_on(stage.plan(&desired));
    planned.observed.gaps.push(crate::observed::Gap {
        scope: crate::observed::Scope::Accounts,
        error: HOSTILE.into(),
        remedy: Some(HOSTILE.into()),
    });
    let unit: crate::names::UnitId = "ou-abcd-12345678".parse().unwrap();
    planned.observed.units.insert(
        unit.clone(),
        crate::observed::Unit {
            name: HOSTILE.into(),
            parent: planned.observed.root_node(),
            tags: crate::observed::Part::Unread,
        },
    );
    let object = crate::names::ObjectKey::new(crate::names::Kind::OrganizationalUnit, HOSTILE);
    let key = crate::names::NodeId::Unit(unit.clone());
    let node = NodeRef::Known(key);
    let text = HOSTILE.to_owned();
    let tags = Tags::from([(HOSTILE.to_owned(), HOSTILE.to_owned())]);
    let actions = [
        Action::CreateUnit { key: HOSTILE.into(), parent: node.clone(), name: text.clone(), tags: tags.clone() },
        Action::RenameUnit {
            unit: unit.clone(),
            parent: planned.observed.root_node(),
            name: Edit { from: text.clone(), to: format!("{text}2") },
        },
        Action::EnableService { principal: text.clone() },
        Action::Tag { resource: Tagged::Node(node), set: tags.clone(), before: tags },
        Action::DeleteUnit { unit, name: text.clone() },
        Action::CreatePolicy {
            kind: PolicyType::scp(),
            name: text.clone(),
            description: text.clone(),
            content: serde_json::json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/x": HOSTILE}}}
            ]})
            .to_string(),
            tags: Tags::new(),
        },
    ];
    let change = |(action, id): (Action, u32)| Change {
        id,
        object: object.clone(),
        action,
        reason: Reason::Removed,
        stage: PlanStage::Delete,
        reach: 0,
        needs_text: false,
        facts: vec![],
        means: None,
    };
    planned.plan.changes = actions.into_iter().zip(1..).map(change).collect();
    planned.plan.refusals = vec![Refusal {
        rule: "slots",
        object: object.clone(),
        message: text.clone(),
        remedy: text.clone(),
        changes: planned.plan.changes.clone(),
        hash: Some("0123456789abcdef".into()),
        objects: vec![],
        cause: None,
    }];
    planned.plan.drift = vec![Drift {
        object: object.clone(),
        path: text.clone(),
        wanted: text.clone(),
        found: text.clone(),
        by: Some(text.clone()),
    }];
    planned.plan.notes = vec![Note { object, message: text }];
    (planned, desired)
}

const MINIMAL: &str = "apiVersion: bylaw.dev/v1alpha1\nkind: Organization\nmetadata: {name: main}\nspec: {managementAccountId: \"111111111111\"}\n";

/// Nothing steers the terminal, and every line is one of ours.
#[test]
fn a_hostile_name_paints_over_nothing() {
    let (planned, desired) = hostile();
    let context = Context { full: true, ..Context::default() };
    let text = text(&planned, &desired, &context);
    assert!(text.chars().all(|c| c == '\n' || super::safe::plain(&c.to_string()) == c.to_string()), "{text}");
    assert!(!text.lines().any(|line| line.starts_with("No changes") || line.starts_with('|')));
    golden("hostile.txt", &text);
    let markdown = markdown::plan(&planned, &desired, &context);
    golden("hostile.md", &markdown);
    // Outside of fences there is no HTML, mention, reference or link of theirs, and tables keep their columns.
    let mut fence: Option<String> = None;
    for line in markdown.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) => {
                if ticks.len() >= open.len() {
                    assert_eq!(line, open.as_str(), "only ours closes a fence");
                    fence = None;
                }
                continue;
            }
            None if ticks.len() >= 3 => {
                fence = Some(ticks);
                continue;
            }
            None => {}
        }
        for theirs in ["<img", "@octo", "#1 ", "http://", "](", "</details>\u{e0041}"] {
            assert!(!line.contains(theirs), "`{theirs}` in {line}");
        }
        if line.starts_with('|') {
            let columns = line.matches('|').count();
            assert!([3, 4, 6, 7].contains(&columns), "{columns}: {line}");
        }
    }
    assert!(fence.is_none());
}

/// 5,000 changes and 5,000 refusals: the comment fits, and says what it left out; the text is folded.
#[test]
fn a_comment_has_a_bound() {
    let (mut planned, desired) = hostile();
    let one = planned.plan.changes.first().unwrap().clone();
    planned.plan.changes = (1..=5_000).map(|id| Change { id, ..one.clone() }).collect();
    let refusal = planned.plan.refusals.first().unwrap().clone();
    for refusals in [0, 1, 5_000] {
        let changes = if refusals == 1 { refusal.changes.clone() } else { vec![] };
        planned.plan.refusals = vec![Refusal { changes, ..refusal.clone() }; refusals];
        let markdown = markdown::plan(&planned, &desired, &Context::default());
        let characters = markdown.chars().count();
        assert!((60_000..=markdown::MAX_CHARACTERS).contains(&characters), "{characters}");
        assert!(markdown.contains("Left out: "), "{}", &markdown[markdown.len() - 500..]);
        assert_eq!(markdown.matches("<details>").count(), markdown.matches("\n</details>").count());
    }
    planned.plan.refusals.clear();
    let deletion = hostile().0.plan.changes.get(4).unwrap().clone();
    planned.plan.changes.push(Change { id: 5_001, ..deletion });
    let markdown = markdown::plan(&planned, &desired, &Context::default());
    assert!(markdown.contains("#### Cannot be undone (1)\n\n| | |") && markdown.contains("\n| 5001 |"));
    planned.plan.changes.pop();
    let folded = text(&planned, &desired, &Context::default());
    assert!(folded.contains("… and 4,990 more of the same kind"), "{folded}");
    assert!(folded.lines().count() < 120, "{}", folded.lines().count());
    // What cannot be undone is shown, however much it is.
    let last = hostile().0.plan.changes.get(4).unwrap().clone();
    planned.plan.changes = (1..=100).map(|id| Change { id, ..last.clone() }).collect();
    assert_eq!(text(&planned, &desired, &Context::default()).matches("[cannot be undone]").count(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_saved_plan_is_read_back_and_compared() {
    let (sources, desired) = example("examples/data-science");
    let mut stage = Stage::new("111111111111");
    let planned = stage.plan(&desired).await;
    let context = stage.context();
    let saved = SavedPlan::new(&planned, &desired, &sources, &stage.options, context.now);
    let file = saved.clone().to_json(&planned, &desired, &context);
    let text = file.to_string();
    assert_eq!(SavedPlan::from_json(&text).as_ref(), Ok(&saved));
    let pairs = |sources: &[Source]| -> Vec<_> { sources.iter().map(|s| (s.file.clone(), s.bytes.clone())).collect() };
    assert_eq!(pairs(&saved.sources()), pairs(&sources));
    let known = |planned: &Planned| {
        let made = crate::plan::kept::Made::of(&desired, &planned.observed);
        crate::plan::kept::Known::of(&planned.plan, &saved.fingerprints(), &made)
    };
    let names = Names::new(&desired, &planned.observed);
    assert!(saved::compare(&saved, &planned.plan, &known(&planned), &names).is_none());
    let only = planned.plan.clone().only(&known(&planned).standing(&planned.plan));
    assert_eq!(only.changes, planned.plan.changes);

    let public = json::plan(&planned, &desired, &context, None).to_string();
    for (wrong, told) in [
        ("", "not JSON"),
        ("[]", "not an object"),
        ("{}", "no member `saved`"),
        ("kind: Organization", "not JSON: something is wrong at line 1"),
        (&public, "without the manifests"),
        (&text.replace("\"formatVersion\":1", "\"formatVersion\":9"), "format version 9"),
        (&text.replace("\"prune\":", "\"prunes\":"), "a part of `saved` is missing"),
        (&text.replace(&saved.changes[3].fingerprint, "0000000000000000"), "it was edited"),
        (&text.replace(&saved.hash, "0000000000000000"), "it was edited"),
        // Whatever is shown or used.
        (&text.replace("\"prune\":false", "\"prune\":true"), "it was edited"),
        (&text.replace("\"approvals\":[", "\"approvals\":[\"0123456789abcdef\","), "it was edited"),
        (&text.replace("\"fields\":[]", "\"fields\":[{\"field\":\"x\",\"from\":null,\"to\":\"y\"}]"), "it was edited"),
        (&text.replace("create OU `DATA", "leave OU `DATA"), "it was edited"),
        (&text.replace("\"text\":\"", "\"text\":\"# looked at\\n"), "it was edited"),
        (&text.replace("\"destructive\":false", "\"destructive\":true"), "it was edited"),
        (&text.replace("\"notes\":[", "\"notes\":[{\"object\":\"Account/a\",\"message\":\"fine\"}"), "it was edited"),
        (&text.replace("\"digest\":", "\"digests\":"), "no `digest`"),
        (&"[".repeat(10_000), "not JSON"),
    ] {
        assert_ne!(wrong, text, "{told}: nothing was edited");
        let error = SavedPlan::from_json(wrong).unwrap_err();
        assert!(error.contains(told) && error.contains("bylaw plan --out"), "{told}: {error}");
    }
    for cut in (0..text.len()).step_by(997) {
        assert!(SavedPlan::from_json(text.get(..cut).unwrap_or_default()).is_err());
    }

    // Applied in between, and then changed by somebody.
    stage.apply(&desired, planned).await;
    let root = stage.world.with(|state| state.nodes().next().unwrap());
    let policy = stage.world.with(|state| {
        state.policies().iter().find(|(_, policy)| policy.name.contains("production")).unwrap().0.clone()
    });
    stage.world.foreign(&Request::AttachPolicy { policy, target: root }).unwrap();
    let now = stage.plan(&desired).await;
    let names = Names::new(&desired, &now.observed);
    let difference = saved::compare(&saved, &now.plan, &known(&now), &names);
    assert_eq!(difference.gone.len(), saved.changes.len());
    assert!(difference.gone.iter().any(|gone| gone.starts_with("create account `data-science` (new): done already")));
    assert_eq!(difference.new.len(), 1, "{:?}", difference.new);
    assert!(
        difference.new.iter().any(|new| new.starts_with("detach policy `production-deployments` (p-")
            && new.ends_with("for OrganizationPolicy/production-deployments")),
        "{:?}",
        difference.new
    );
}

#[test]
fn every_outcome_says_what_to_do() {
    let error = |class: &str| AwsError::answered("AttachPolicy", class, "no", Some("r-1".into()));
    for (outcome, words) in [
        (Outcome::Changed { found: "x".into() }, "plan again"),
        (Outcome::Failed { error: error("AccessDeniedException") }, "allow `organizations:AttachPolicy`"),
        (Outcome::Failed { error: error("PolicyNotFoundException") }, "plan again"),
        (Outcome::Unknown { error: AwsError::unanswered("AttachPolicy", "timeout", "no") }, "run `bylaw apply` again"),
        (Outcome::Waiting { what: "the account".into() }, "makes nothing twice"),
        (Outcome::Blocked { why: "x".into() }, "mend what failed"),
        (Outcome::Stopped { why: "x".into() }, "plan again"),
        (Outcome::NotStarted, "the next run"),
    ] {
        let told = result::tell(&outcome);
        assert!(told.remedy.as_deref().is_some_and(|remedy| remedy.contains(words)), "{told:?}");
        // One name, in this room and in the audit log.
        assert_eq!(serde_json::to_value(&outcome).unwrap()["outcome"], told.name);
    }
    for outcome in [Outcome::Done, Outcome::AlreadyDone] {
        let told = result::tell(&outcome);
        assert_eq!((told.remedy, told.message), (None, None));
        assert_eq!(serde_json::to_value(&outcome).unwrap()["outcome"], told.name);
    }
}

/// Stopped in the middle, with something refused by AWS: what is applied, what is not, and what to do.
#[tokio::test(start_paused = true)]
async fn a_run_that_was_stopped_tells_what_is_left() {
    let (_, desired) = example("examples/data-science");
    let mut stage = Stage::new("111111111111");
    let planned = stage.plan(&desired).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let clock = stage.clock();
    let progress = |progress: &Progress<'_>| {
        if progress.over == 12 {
            stop.send(true).unwrap();
        }
    };
    let control = Control { stop: stopped, progress: &progress, ..Control::new(&clock, "test") };
    let mut report =
        pass::apply_plan(&stage.world, &desired, planned.clone(), &mut stage.memory, &stage.options, control)
            .await
            .unwrap();
    assert!(!result::converged(&report));
    report.applied.outcomes[2].1 = Outcome::Failed {
        error: AwsError::answered("CreateOrganizationalUnit", "AccessDeniedException", HOSTILE, None),
    };
    golden("stopped.txt", &told(&report, &planned, &desired));
    // Whatever is not in place is counted.
    let error = || AwsError::answered("AttachPolicy", "AccessDeniedException", "no", None);
    for outcome in [
        Outcome::Changed { found: "x".into() },
        Outcome::Failed { error: error() },
        Outcome::Unknown { error: error() },
        Outcome::Waiting { what: "x".into() },
        Outcome::Blocked { why: "x".into() },
        Outcome::Stopped { why: "x".into() },
        Outcome::NotStarted,
    ] {
        let mut one = report.clone();
        one.applied.outcomes.truncate(1);
        one.applied.outcomes[0].1 = outcome;
        let closing = result::closing(&one, &stage.context());
        assert!(closing.starts_with("Applied 0 of 1 change (1 "), "{closing}");
    }
    let context = stage.context();
    fits("apply", &json::report(&report, &planned, &desired, &context));
    golden("stopped.json", &format!("{:#}\n", json::report(&report, &planned, &desired, &context)));
}

/// What a reporter without a terminal wrote.
#[derive(Clone, Default)]
struct Kept(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

/// On no terminal: the first change, what failed, and the last.
#[tokio::test(start_paused = true)]
async fn progress_is_a_line_now_and_then() {
    let kept = Kept::default();
    let (planned, desired) = hostile();
    let reporter = Reporter::lines(Box::new(kept.clone()), &planned, &desired);
    let change = planned.plan.changes.first().unwrap();
    for over in 1..=50 {
        let outcome = if over == 20 { Outcome::Blocked { why: "x\u{1b}".into() } } else { Outcome::Done };
        reporter.told(&Progress { over, total: 50, change, outcome: &outcome });
        reporter.still();
    }
    reporter.finish();
    let lines = kept.lines();
    let starts: Vec<&str> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(starts, ["1/50", "20/50", "50/50"]);
    assert!(lines[1].contains("held back: x\\u{1b}") && !lines.concat().contains('\u{1b}'), "{lines:?}");
}

/// On no terminal a log shows a sign of life every 10 s, while changes are made and while nothing ends: never more than
/// 11 s pass without a line, and never are there two of them within 10 s.
#[tokio::test(start_paused = true)]
async fn without_a_terminal_there_is_a_line_every_ten_seconds() {
    use std::time::Duration;

    /// When each line was written, in seconds from the start.
    #[derive(Clone)]
    struct Timed(tokio::time::Instant, std::sync::Arc<std::sync::Mutex<Vec<f64>>>);
    impl std::io::Write for Timed {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if bytes.contains(&b'\n') {
                self.1.lock().unwrap().push(self.0.elapsed().as_secs_f64());
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let (planned, desired) = hostile();
    let change = planned.plan.changes.first().unwrap();
    // A change each so many milliseconds, and then nothing for a minute.
    for pause in [100, 700, 9_900, 10_300, 25_000] {
        let timed = Timed(tokio::time::Instant::now(), Default::default());
        let reporter = Reporter::lines(Box::new(timed.clone()), &planned, &desired);
        let work = async {
            for over in 1..=20 {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                reporter.told(&Progress { over, total: 100, change, outcome: &Outcome::Done });
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        };
        meanwhile(work, TICK, || reporter.still()).await;
        let end = timed.0.elapsed().as_secs_f64();
        let at = timed.1.lock().unwrap().clone();
        let ends: Vec<f64> = [0.0].into_iter().chain(at.iter().copied()).chain([end]).collect();
        assert!(ends.windows(2).all(|pair| pair[1] - pair[0] <= 11.01), "{pause} ms: {at:?}");
        // The first change is told when it is made.
        let first = pause as f64 / 1000.0;
        let apart = |pair: &[f64]| pair[1] - pair[0] >= 9.99 || (pair[1] - first).abs() < 0.01;
        assert!(at.windows(2).all(apart), "{pause} ms: {at:?}");
    }
}

/// The value has the form that the schema of that name says; `tests/generated.rs` holds the committed file to it.
fn fits(name: &str, value: &Value) {
    crate::cli::schemas::form::fits(name, value);
}

/// The check of forms finds what is wrong, and the names of enums are those that are written.
#[tokio::test(start_paused = true)]
async fn the_schema_says_no_to_other_things() {
    let (_, desired) = example("examples/data-science");
    let stage = Stage::new("111111111111");
    let planned = stage.plan(&desired).await;
    let good = json::plan(&planned, &desired, &stage.context(), None);
    let (_, text) = crate::cli::schemas::render().into_iter().find(|(name, _)| name == "plan.schema.json").unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let wrong = |value: &Value| {
        let mut wrong = vec![];
        crate::cli::schemas::form::breaches("", &schema, &schema, value, &mut wrong);
        wrong
    };
    assert_eq!(wrong(&good), Vec::<String>::new());
    type Spoil = fn(&mut Value);
    let spoils: [(Spoil, &str); 5] = [
        (|value| drop(value.as_object_mut().unwrap().remove("hash")), "`hash` is missing"),
        (|value| value["more"] = 1.into(), "unknown field `more`"),
        (|value| value["changes"][0]["action"] = "explode".into(), "\"explode\""),
        (|value| value["changes"][0]["id"] = "1".into(), "is not \"integer\""),
        (|value| value["calls"]["read"]["ListRoots"] = Value::Null, "is not \"integer\""),
    ];
    for (spoil, told) in spoils {
        let mut bad = good.clone();
        spoil(&mut bad);
        assert!(wrong(&bad).iter().any(|wrong| wrong.contains(told)), "{told}: {:?}", wrong(&bad));
    }
    let names = |name: &str| -> Vec<Value> {
        let schema = &schema["$defs"][name];
        let of_options = schema["oneOf"].as_array().into_iter().flatten().map(|option| option["const"].clone());
        schema["enum"].as_array().into_iter().flatten().cloned().chain(of_options).collect()
    };
    use crate::plan::Verb::{Attach, Create, Delete, Detach, Enable, Move, Tag, Update};
    assert_eq!(
        names("Verb"),
        [Create, Update, Delete, Attach, Detach, Move, Tag, Enable].map(|verb| serde_json::json!(verb))
    );
    use Reason::{Adopted, Differs, Drift as Drifted, Missing, NotDeclared, Removed, Unfinished};
    assert_eq!(
        names("Reason"),
        [Missing, Differs, Drifted, Unfinished, Adopted, NotDeclared, Removed].map(|reason| serde_json::json!(reason))
    );
    let stages = [
        PlanStage::Enable,
        PlanStage::Units,
        PlanStage::Policies,
        PlanStage::Attach,
        PlanStage::Move,
        PlanStage::Narrow,
        PlanStage::Detach,
        PlanStage::Details,
        PlanStage::Accounts,
        PlanStage::Delete,
    ];
    assert_eq!(names("Stage"), stages.map(|stage| serde_json::json!(stage)));
}
