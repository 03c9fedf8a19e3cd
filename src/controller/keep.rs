//! One pass of one Organization: build desired, observe, plan, guard, apply, judge. The same engine as the command line's;
//! what woke it never decides what it does.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use futures::future::LocalBoxFuture;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use tokio::sync::watch as signal;

use super::brakes::Brakes;
use super::finalize::Named;
use super::objects::Entry;
use super::scene::Scene;
use super::tenure::Tenure;
use super::watch::Cluster;
use super::{Context, Door};
use crate::api::Mode;
use crate::apply::lease::{LeaseError, Now};
use crate::apply::ledger::NoLedger;
use crate::apply::{Control, Ledger, Outcome};
use crate::aws::{AwsError, Request};
use crate::desired::Desired;
use crate::events::{Hint, Trail};
use crate::names::{AccountId, Kind, ObjectKey};
use crate::observed::{Observed, Renew};
use crate::pass::{self, ApplyError, Options, PassError, Planned, Report};
use crate::plan::bind::bind;
use crate::plan::{Change, Memory, Plan, name_authors};
use crate::status::approvals::{Given, Passed, subject};
use crate::status::{self, Came, Notice, Readiness, Subject, Verdict, Weight};
use crate::store::{Journal, Store, StoreError};

/// Time between two passes that nothing asks for, where the Organization does not say.
pub const INTERVAL: Duration = Duration::from_secs(600);
/// Pause before the next pass while something is under way in AWS (a new account takes minutes).
const UNDER_WAY: Duration = Duration::from_secs(15);

/// What is remembered between the passes of one Organization.
#[derive(Default)]
pub struct Kept {
    /// The organization as read last.
    pub observed: Option<Observed>,
    /// What was settled.
    pub memory: Memory,
    /// The lease in AWS, while the organization is kept.
    pub tenure: Option<Tenure>,
    /// What AWS told of late.
    pub trail: Trail,
    store: Option<(Store, Journal)>,
    /// What is on disk says what `observed` says.
    stored: bool,
}

impl Kept {
    /// Goes on where the last process stopped: what it read is on disk, where that is the same, and what it settled is in the
    /// statuses of the objects, whichever replica that was.
    ///
    /// # Errors
    /// There is no place for the audit log.
    pub fn remember(
        &mut self,
        management: &AccountId,
        cluster: &Cluster,
        organization: &str,
    ) -> Result<(), StoreError> {
        self.recall(cluster, management, organization);
        let store = Store::of(management)?;
        self.observed = store.snapshot();
        self.stored = self.observed.is_some();
        self.trail = store.trail();
        let journal = store.journal()?;
        self.store = Some((store, journal));
        Ok(())
    }

    /// Takes in what the statuses tell of what was settled in the organization of that account.
    fn recall(&mut self, cluster: &Cluster, management: &AccountId, organization: &str) {
        let objects = cluster.objects();
        let here = |(key, entry): &(&ObjectKey, &Entry)| match key.kind {
            Kind::Organization => &*key.name == organization,
            _ => entry.manifest.was_kept_in(management),
        };
        for (_, entry) in objects.known().iter().filter(here) {
            let texts = |field: &str| entry.status.get(field).and_then(Value::as_array).into_iter().flatten();
            let told = |field| texts(field).filter_map(Value::as_str);
            self.memory.recall(told(SETTLED), told(CORRECTIONS));
        }
    }

    /// Remembers what AWS told. Returns whether it is news.
    pub fn note(&mut self, hint: &Hint, now: Timestamp) -> bool {
        self.trail.note(hint.clone(), now)
    }

    /// Tells who made what differs from what was last applied, where AWS told.
    fn name_authors<State>(&self, plan: &mut Plan<State>, desired: &Desired, observed: &Observed) {
        if !plan.drift.is_empty() && self.trail.iter().next().is_some() {
            name_authors(plan, &bind(desired, observed), observed, self.observed.as_ref(), &self.trail);
        }
    }

    /// Keeps what the next process needs to go on, as far as it is not on disk already: a pass that found nothing new
    /// writes nothing, since the file of a large organization takes longer than the rest of the pass.
    fn keep(&mut self, observed: &Observed) {
        let Some((store, _)) = &self.store else { return };
        let known = self.stored && self.observed.as_ref().is_some_and(|before| observed.repeats(before));
        let none = self.trail.iter().next().is_none();
        let kept = if known { Ok(()) } else { store.keep_snapshot(observed) };
        let kept = kept.and_then(|()| if none { Ok(()) } else { store.keep_trail(&self.trail) });
        self.stored = kept.is_ok();
        if let Err(error) = kept {
            tracing::warn!("what this pass learned could not be kept, a restart reads everything: {error}");
        }
    }
}

/// An approval, what a pass means for it, and the fields of its status.
pub type Judged = (Given, Verdict, Map<String, Value>);

/// Writes down which approvals are about to be used.
pub type Note<'a> = &'a (dyn Fn(Vec<Judged>) -> LocalBoxFuture<'a, ()> + 'a);

/// When to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// After the interval, unless something changes.
    After(Duration),
    /// Something failed that time may mend.
    Failed,
}

/// What a pass came to, ready to be written.
pub struct Turnout {
    /// Status of each object that has something new to say, with the generation that it speaks of.
    pub statuses: BTreeMap<ObjectKey, Said>,
    /// Events.
    pub notices: Vec<Notice>,
    /// Deleted objects of which nothing is left in AWS.
    pub gone: Vec<Named>,
    /// Statuses of the approvals of its objects.
    pub approvals: Vec<Judged>,
    /// When to come back.
    pub again: Again,
    /// Why it failed, where it did.
    pub cause: Option<String>,
    /// The organization was read.
    pub looked: bool,
    /// AWS calls that it took.
    pub calls: u64,
}

/// What is to be written of one object.
pub struct Said {
    /// The object that was judged; one of the same name may have followed it.
    pub uid: String,
    /// The generation that was judged.
    pub generation: i64,
    /// The verdict.
    pub verdict: Verdict,
    /// What is known of it in AWS.
    pub facts: Map<String, Value>,
}

/// Makes one pass. `stop` becomes true when the process is to end: the call in flight is finished then. `note` is called before
/// anything is written that needed an approval.
pub async fn keep(
    cx: &Context,
    note: Note<'_>,
    scene: &Scene,
    door: &Door,
    kept: &mut Kept,
    stop: signal::Receiver<bool>,
) -> Turnout {
    let before = door.tally().total();
    let Some(desired) = &scene.desired else { return turnout(scene, Came::Nowhere, None) };
    // An approval that counts when the pass begins is one that was used, though it expires meanwhile.
    let began = Now::of(door, &*cx.clock).latest();
    let (planned, applied) = match plan_and_apply(cx, note, scene, desired, door, kept, stop, began).await {
        Ok(came) => came,
        Err(error) => return turnout(scene, Came::Unplanned(&error), None),
    };
    let report = applied.as_ref().ok().and_then(Option::as_ref);
    let (left, observed) = report.map_or((&planned.plan, &planned.observed), |r| (&r.left, &r.applied.observed));
    let outcomes: &[(Change, Outcome)] = report.map_or(&[], |report| &report.applied.outcomes);
    let came =
        Came::Planned { drift: &planned.plan.drift, left, observed, outcomes, unapplied: applied.as_ref().err() };
    let there: BTreeSet<String> = scene.seen.keys().map(ToString::to_string).collect();
    let organization = desired.organization_key();
    let vanished = status::vanished(&organization.name, |key| there.contains(key), observed);
    let pass = status::Pass {
        now: (cx.clock)(),
        calls: door.tally().total() - before,
        drift: left.drift.len(),
        refusals: &left.refusals,
        bundles: &left.bundles,
        undeclared: &left.undeclared,
        vanished: vanished.as_deref(),
    };
    let mut turnout = turnout(scene, came, Some((desired, observed, pass)));
    turnout.miss(organization, vanished.as_deref().unwrap_or_default(), scene);
    let mut passed = scene.passed(desired, &planned, outcomes, began);
    if report.is_none() {
        passed.hashes.clear();
    }
    turnout.approve(scene, &passed, began);
    turnout.remember(scene, &kept.memory, Now::of(door, &*cx.clock).earliest());
    kept.keep(observed);
    kept.observed = Some(match applied {
        Ok(Some(report)) => report.applied.observed,
        _ => planned.observed,
    });
    turnout
}

/// What is said of objects that no pass looks at now: a kind cannot be listed, or there is no Organization. `None` where
/// passes say it.
#[must_use]
pub fn unkept(cluster: &Cluster) -> Option<Turnout> {
    let objects = cluster.objects();
    let verdict = match objects.lost() {
        Some((kind, why)) => status::unlisted(kind, why),
        None if objects.whole()?.keys().any(|key| key.kind == Kind::Organization) => return None,
        None => status::without_organization(),
    };
    let said = |(key, entry): (&ObjectKey, &Entry)| {
        let (uid, generation, verdict) = (entry.uid.clone(), entry.generation, verdict.clone());
        (key.clone(), Said { uid, generation, verdict, facts: Map::new() })
    };
    let lost = objects.lost().map(|(kind, _)| kind);
    let statuses = objects.known().iter().filter(|(key, _)| Some(key.kind) != lost).map(said).collect();
    let (notices, gone, approvals) = (vec![], vec![], vec![]);
    Some(Turnout {
        statuses,
        notices,
        gone,
        approvals,
        again: Again::After(INTERVAL),
        cause: None,
        looked: false,
        calls: 0,
    })
}

/// What is said where AWS cannot even be asked.
#[must_use]
pub fn hindered(scene: &Scene, why: String) -> Turnout {
    let error = PassError::Aws(AwsError::unanswered("connect", "connection", &why));
    turnout(scene, Came::Unplanned(&error), None)
}

/// Contents, tags and contacts that one pass reads again where no queue tells what changed. Nothing of a policy is older
/// than its number of passes needs for all policies at 40 calls each, and nothing else at 20.
const RENEWED: usize = 60;

/// What a pass reads again: where a queue tells of changes, nothing that it does not name.
fn renewed(desired: &Desired) -> Option<Renew> {
    let spec = &desired.organization.spec;
    let interval = spec.interval.or_else(|| SignedDuration::try_from(INTERVAL).ok()).unwrap_or_default();
    // Passes that a change of an object woke come at any time, and need not read what was read a moment ago.
    spec.queue.is_none().then(|| Renew { calls: RENEWED, older_than: interval / 2 })
}

#[allow(clippy::too_many_arguments, reason = "what a pass has, handed on")]
async fn plan_and_apply(
    cx: &Context,
    note: Note<'_>,
    scene: &Scene,
    desired: &Desired,
    port: &Door,
    kept: &mut Kept,
    stop: signal::Receiver<bool>,
    began: Timestamp,
) -> Result<(Planned, Result<Option<Report>, ApplyError>), PassError> {
    let approvals = scene.approved(began);
    let renew = renewed(desired);
    let options = Options { deleted: scene.deleted.clone(), approvals, renew, ..Options::default() };
    let Kept { observed, trail, .. } = kept;
    if let Some(observed) = observed {
        trail.iter().for_each(|hint| observed.outdate(hint));
    }
    let mut planned = pass::plan(port, desired, kept.observed.as_ref(), &kept.memory, &options, &*cx.clock).await?;
    kept.name_authors(&mut planned.plan, desired, &planned.observed);
    if planned.plan.changes.is_empty() && !observes(desired) {
        kept.memory.learn(&planned.plan.facts);
        return Ok((planned, Ok(None)));
    }
    // What is approved is written down before it is begun: whoever goes on after this process knows the rest of it.
    if !planned.plan.approved.is_empty() && !observes(desired) {
        let passed = scene.passed(desired, &planned, &[], began);
        let used = scene.judged(&passed, began).into_iter().filter(|(_, verdict, _)| verdict.ready == Readiness::True);
        note(used.collect()).await;
    }
    let applied = carry_out(cx, scene, desired, port, kept, &options, planned.clone(), stop).await;
    let applied = applied.map(|mut report| {
        kept.name_authors(&mut report.left, desired, &report.applied.observed);
        Some(report)
    });
    Ok((planned, applied))
}

/// Puts back at once what hints say was detached, before the pass that looks at everything: the lists of a large
/// organization take longer than a guard may be missing. Tells what it found and did; what goes wrong is the pass's to tell.
pub async fn put_back(
    cx: &Context,
    scene: &Scene,
    door: &Door,
    kept: &mut Kept,
    hints: &[Hint],
    stop: signal::Receiver<bool>,
) -> Vec<Notice> {
    let (Some(desired), Some(previous)) = (&scene.desired, &kept.observed) else { return vec![] };
    let urgent = hints.iter().filter(|hint| hint.is_urgent());
    let requests: HashSet<Request> = urgent.flat_map(|hint| previous.named_by(hint)).collect();
    let requests: Vec<Request> = requests.into_iter().collect();
    if requests.is_empty() || requests.len() > MOST_AT_A_GLANCE || observes(desired) {
        return vec![];
    }
    let options = Options { deleted: scene.deleted.clone(), ..Options::default() };
    let (previous, clock) = (previous.clone(), &*cx.clock);
    let planned = match pass::glance(door, desired, previous, requests, &kept.memory, &options, clock).await {
        Ok(Some(mut planned)) => {
            kept.name_authors(&mut planned.plan, desired, &planned.observed);
            planned
        }
        Ok(None) => return vec![],
        Err(error) => {
            tracing::info!("what was detached could not be put back at once, the pass looks at it: {error}");
            return vec![];
        }
    };
    let drift = planned.plan.drift.clone();
    match carry_out(cx, scene, desired, door, kept, &options, planned, stop).await {
        Ok(report) => {
            let (outcomes, left, observed) = (&*report.applied.outcomes, &report.left, &report.applied.observed);
            let came = Came::Planned { drift: &drift, left, observed, outcomes, unapplied: None };
            // What is left, and what is refused, the pass tells.
            let notices = status::notices(&came).into_iter();
            let notices = notices.filter(|notice| ["DriftFound", "DriftCorrected"].contains(&notice.reason)).collect();
            kept.observed = Some(report.applied.observed);
            kept.stored = false;
            notices
        }
        Err(error) => {
            tracing::info!("what was detached could not be put back at once, the pass does it: {error}");
            vec![]
        }
    }
}

/// Most calls of a look before the pass; past that the pass is as good.
const MOST_AT_A_GLANCE: usize = 60;

/// Whether nothing is to be written.
pub(super) fn observes(desired: &Desired) -> bool {
    desired.organization.spec.mode == Mode::Observe || desired.organization.suspend
}

#[allow(clippy::too_many_arguments, reason = "what a pass has, handed on")]
async fn carry_out(
    cx: &Context,
    scene: &Scene,
    desired: &Desired,
    port: &Door,
    kept: &mut Kept,
    options: &Options,
    planned: Planned,
    stop: signal::Receiver<bool>,
) -> Result<Report, ApplyError> {
    let progress = |progress: &crate::apply::Progress<'_>| {
        let (change, outcome) = (progress.change, progress.outcome);
        let (operation, _) = change.action.operations();
        tracing::info!(object = %change.object, operation, outcome = %outcome,
            "change {} of {}: {operation} for {}: {outcome}", progress.over, progress.total, change.object);
    };
    let Kept { memory, tenure, store, .. } = kept;
    let ledger: &dyn Ledger = match store {
        Some((_, journal)) => journal,
        None => &NoLedger,
    };
    let who = scene.holder(&cx.instance);
    let latest = || Now::of(port, &*cx.clock).latest();
    let brakes = Brakes::of(scene, desired, &planned, &latest);
    let wanted = |change: &Change| brakes.wanted(change);
    let control = Control { stop, wanted: &wanted, progress: &progress, clock: &*cx.clock, ledger, who: &who };
    let Some(tenure) = tenure else {
        return pass::apply_plan(port, desired, planned, memory, options, control).await;
    };
    let mut lease = tenure.lend(&planned.observed.root.id).await?;
    let report = pass::apply_holding(port, desired, planned, memory, options, control, &mut lease).await;
    let lost = lease.is_none();
    drop(lease);
    if lost {
        tenure.lost();
    }
    report
}

/// `found`: what there is to tell of AWS, where there is a plan.
fn turnout(scene: &Scene, came: Came<'_>, found: Option<(&Desired, &Observed, status::Pass<'_>)>) -> Turnout {
    let binding = &found.map(|(desired, observed, _)| bind(desired, observed)).unwrap_or_default();
    let (desired, issues, deleted) = (scene.desired.as_ref(), &scene.issues, &scene.deleted);
    let verdicts = status::judge(&Subject { desired, issues, came, deleted, binding }, scene.keys());
    let again = again(scene, &came, &verdicts);
    let cause = (again == Again::Failed).then(|| cause(&came, &verdicts));
    let facts = |key: &ObjectKey| {
        found.map(|(desired, observed, pass)| status::facts(key, desired, observed, binding, pass)).unwrap_or_default()
    };
    let statuses = verdicts
        .into_iter()
        .filter_map(|(key, verdict)| {
            let (uid, generation) = scene.seen.get(&key).map(|seen| (seen.uid.clone(), seen.generation))?;
            let mut facts = facts(&key);
            let accounts = scene.management_accounts(&key);
            if key.kind != Kind::Organization && !accounts.is_empty() {
                facts.insert("managementAccounts".into(), accounts.into());
            }
            Some((key, Said { uid, generation, verdict, facts }))
        })
        .collect();
    let is_gone = |key: &&ObjectKey| found.is_some_and(|(_, observed, _)| status::is_gone(key, observed));
    let named = |key: &ObjectKey| Some((key.clone(), scene.uid(key)?.to_owned()));
    let gone = scene.deleted.iter().filter(is_gone).filter_map(named).collect();
    let approvals = vec![];
    let calls = found.map_or(0, |(_, _, pass)| pass.calls);
    Turnout { statuses, notices: status::notices(&came), gone, approvals, again, cause, looked: found.is_some(), calls }
}

/// Most objects that an Event and the log name.
const MOST_NAMED: usize = 10;

/// Fields of a status that hold what the memory says of the object.
const SETTLED: &str = "settled";
const CORRECTIONS: &str = "corrections";

impl Turnout {
    /// Tells what is kept in AWS for objects that are no longer in the cluster, where it is more than the Organization told.
    fn miss(&mut self, organization: &ObjectKey, vanished: &[String], scene: &Scene) {
        let before = {
            let objects = scene.cluster.objects();
            let told = objects.known().get(organization).and_then(|entry| entry.status.get("vanished"));
            told.and_then(|told| told.get("objects")?.as_u64()).and_then(|told| usize::try_from(told).ok())
        };
        if vanished.len() <= before.unwrap_or_default() {
            return;
        }
        let named: Vec<&str> = vanished.iter().take(MOST_NAMED).map(String::as_str).collect();
        let more = vanished.len().saturating_sub(named.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let note = format!(
            "{} objects that bylaw keeps in AWS are no longer in the cluster, and are left as they are: {}{more}. Where the \
             cluster was restored from a backup, apply their manifests again",
            vanished.len(),
            named.join(", ")
        );
        tracing::warn!(organization = %organization.name, vanished = vanished.len(), "{note}");
        let (weight, reason, action) = (Weight::Warning, "Vanished", "Observe");
        self.notices.push(Notice { object: organization.clone(), weight, reason, action, note });
    }

    /// Adds to each status what is remembered of its object. What is not this Organization's was settled elsewhere.
    fn remember(&mut self, scene: &Scene, memory: &Memory, now: Timestamp) {
        for (key, said) in self.statuses.iter_mut().filter(|(key, _)| scene.is_own(key)) {
            let (settled, corrections) = memory.of_object(key, now);
            said.facts.insert(SETTLED.into(), settled.into());
            said.facts.insert(CORRECTIONS.into(), corrections.into());
        }
    }

    /// Adds what came of the approvals.
    fn approve(&mut self, scene: &Scene, passed: &Passed, now: Timestamp) {
        for (given, verdict, fields) in scene.judged(passed, now) {
            if let Ok(spec) = &given.spec
                && passed.hashes.contains(&spec.hash)
                && verdict.ready == Readiness::True
            {
                let note = format!("{} let refused changes pass (hash {}): {}", spec.approver, spec.hash, spec.reason);
                let (weight, reason, action) = (Weight::Normal, "Approved", "Approve");
                self.notices.push(Notice { object: subject(spec), weight, reason, action, note });
            }
            self.approvals.push((given, verdict, fields));
        }
    }
}

/// Why a pass failed, in one line of the log.
fn cause(came: &Came<'_>, verdicts: &BTreeMap<ObjectKey, Verdict>) -> String {
    match came {
        Came::Unplanned(error) => return error.to_string(),
        Came::Planned { unapplied: Some(why), .. } => return why.to_string(),
        Came::Planned { outcomes, .. } => {
            let bad = |outcome: &Outcome| matches!(outcome, Outcome::Failed { .. } | Outcome::Unknown { .. });
            let failed = || outcomes.iter().filter(|(_, outcome)| bad(outcome));
            if let Some((change, outcome)) = failed().next() {
                let (operation, _) = change.action.operations();
                return format!(
                    "{} changes failed, the first: {operation} for {}: {outcome}",
                    failed().count(),
                    change.object
                );
            }
        }
        Came::Nowhere => {}
    }
    let busy = verdicts.iter().find(|(_, verdict)| verdict.turn == status::Turn::Bylaw);
    busy.map_or_else(|| "nothing says why".to_owned(), |(key, verdict)| format!("{key}: {}", verdict.message))
}

/// What the next pass waits for. Error kinds decide, not the place where they occurred.
fn again(scene: &Scene, came: &Came<'_>, verdicts: &BTreeMap<ObjectKey, Verdict>) -> Again {
    let declared = scene.desired.as_ref().and_then(|desired| desired.organization.spec.interval);
    let interval = declared.and_then(|interval| Duration::try_from(interval).ok()).unwrap_or(INTERVAL);
    let Came::Planned { outcomes, left, unapplied, .. } = came else {
        return if matches!(came, Came::Nowhere) { Again::After(interval) } else { Again::Failed };
    };
    let waits = outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Waiting { .. }));
    let failed =
        outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed { .. } | Outcome::Unknown { .. }));
    let busy = verdicts.values().any(|verdict| verdict.turn == status::Turn::Bylaw);
    if failed || matches!(unapplied, Some(ApplyError::Lease(LeaseError::Aws(_)))) {
        Again::Failed
    } else if matches!(unapplied, Some(ApplyError::Lease(_))) {
        // The tenure asks for the lease, and wakes whoever waits for it.
        Again::After(interval)
    } else if waits || (busy && !left.changes.is_empty()) {
        Again::After(UNDER_WAY.min(interval))
    } else if busy {
        Again::Failed
    } else {
        Again::After(interval)
    }
}

/// The clock of a process.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;
