//! Golden outputs over the organization in memory; `BYLAW_UPDATE=1` writes them anew.

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::saved::SavedPlan;
use super::{Context, json, markdown, plan, result, saved};
use crate::apply::ledger::NoLedger;
use crate::apply::{Control, Outcome, Progress};
use crate::aws::offline::{Offline, Options as World};
use crate::aws::{Request, port::Resource};
use crate::cli::sources;
use crate::desired::{Desired, Severity, Source, build, read};
use crate::names::Tags;
use crate::pass::{self, Options, Planned, Report};
use crate::plan::Memory;

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
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        let clock = self.clock();
        let silent = |_: &Progress<'_>| {};
        let control = Control { stop: stopped, progress: &silent, clock: &clock, ledger: &NoLedger, who: "test" };
        pass::apply_plan(&self.world, desired, planned, &mut self.memory, &self.options, control).await.unwrap()
    }

    fn context(&self, planned: &Planned) -> Context {
        Context {
            calls: [("ListAccounts", 1), ("ListPolicies", 2)].into(),
            oldest: planned.observed.oldest(),
            now: planned.observed.oldest() + SignedDuration::from_mins(3),
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
    result::text(report, planned, desired, false, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn all_forms(name: &str, planned: &Planned, desired: &Desired, context: &Context) {
    golden(&format!("{name}.txt"), &text(planned, desired, context));
    golden(&format!("{name}.md"), &markdown::plan(planned, desired, context));
    golden(&format!("{name}.json"), &format!("{:#}\n", json::plan(planned, desired, context, None)));
}

#[tokio::test(start_paused = true)]
async fn goldens_of_the_data_science_example() {
    let (sources, desired) = example("examples/data-science");
    let mut stage = Stage::new("111111111111");
    let planned = stage.plan(&desired).await;
    let context = stage.context(&planned);
    all_forms("first", &planned, &desired, &context);
    let full = Context { full: true, ..context.clone() };
    golden("first-full.txt", &text(&planned, &desired, &full));
    let report = stage.apply(&desired, planned.clone()).await;
    golden("first-applied.txt", &told(&report, &planned, &desired));
    golden("first-applied.json", &format!("{:#}\n", json::report(&report, &planned, &desired, &context)));

    let planned = stage.plan(&desired).await;
    all_forms("empty", &planned, &desired, &stage.context(&planned));

    // Past `maxAffected`: the edit of the policy on the parent.
    let wider = edited(
        &sources,
        "ml.t3.*, ml.m5.*, ml.c5.*]\n      - Sid: StudioTypes",
        "ml.t3.*, ml.m6i.*]\n      - Sid: StudioTypes",
    );
    let planned = stage.plan(&wider).await;
    all_forms("refused", &planned, &wider, &stage.context(&planned));

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
    all_forms("drift", &planned, &desired, &stage.context(&planned));
}
