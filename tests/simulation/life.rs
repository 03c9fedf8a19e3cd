//! One life: an organization as it is found, several versions of the manifests, passes on which everything goes wrong,
//! deaths; and a quiet time at last, in which all must become as declared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bylaw::apply::lease::LeaseError;
use bylaw::apply::{Control, Outcome, Wanted};
use bylaw::aws::Port;
use bylaw::aws::dice::Dice;
use bylaw::aws::faults::{Fault, Faulty, Schedule};
use bylaw::aws::offline::State;
use bylaw::aws::offline::{Offline, Options as World};
use bylaw::aws::paced::{Conduct, Pace, Paced};
use bylaw::desired::Desired;
use bylaw::names::{AccountId, NodeId, TAG_MANAGED_BY};
use bylaw::observed::Observed;
use bylaw::pass::{self, ApplyError, Options, Planned};
use bylaw::plan::{Action, Change, Guarded, Memory, NodeRef, Plan, Reason};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::looks::Looks;
use super::model::Model;
use super::mutants::Mutant;
use super::ports::{Ear, Hook, foreign, time_of_day};
use super::settled::Ends;
use super::watch::{View, Watch, twins};
use super::wish::{MANAGEMENT, Wish, wide};
use super::{end, excuses, judge, ports, start};

/// What lives were made of, and what was looked at.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    pub lives: u64,
    pub passes: u64,
    pub deaths: u64,
    pub whole: u64,
    pub writes: u64,
    pub checks: u64,
    pub faults: BTreeMap<Fault, u64>,
    /// Rules that still refuse something at the end of a life.
    pub refusals: BTreeMap<&'static str, u64>,
    pub outcomes: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.lives += other.lives;
        self.passes += other.passes;
        self.deaths += other.deaths;
        self.whole += other.whole;
        self.writes += other.writes;
        self.checks += other.checks;
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        for (rule, count) in &other.refusals {
            *self.refusals.entry(rule).or_default() += count;
        }
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
    }
}

pub struct Life {
    pub world: Arc<Offline>,
    dice: Dice,
    memory: Memory,
    ends: Ends,
    previous: Option<Observed>,
    pub tally: Tally,
    mutant: Mutant,
    trace: bool,
    began: tokio::time::Instant,
    approvals: BTreeSet<String>,
    /// What approvals let pass, as the machine remembers it: the hash of each change alone, with that which was approved.
    granted: BTreeMap<String, String>,
    /// Somebody may stop a run in the middle.
    braked: bool,
}

/// How a pass ended.
enum End {
    Died,
    Unread,
    Over(Box<Plan<Guarded>>),
}

/// Lives one life. `Err`: what went wrong in it.
pub fn live(seed: u64, mutant: Mutant) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut dice = Dice::new(seed);
        let world = Arc::new(Offline::new(World {
            seed,
            management: Some(MANAGEMENT.parse().unwrap()),
            paths: dice.chance(0.8),
            page_size: [1, 2, 3, 20][dice.below(4)],
            empty_pages: dice.chance(0.3),
            enabling_delay: Duration::from_secs(if dice.chance(0.3) { 40 } else { 0 }),
            remember: Duration::from_secs(20),
            tells_time: true,
            ..World::default()
        }));
        start::populate(&world, &mut dice);
        let mut life = Life {
            world,
            dice,
            memory: Memory::default(),
            ends: Ends::none(),
            previous: None,
            tally: Tally { lives: 1, ..Tally::default() },
            mutant,
            trace: std::env::var_os("BYLAW_TRACE").is_some(),
            began: tokio::time::Instant::now(),
            approvals: BTreeSet::new(),
            granted: BTreeMap::new(),
            braked: true,
        };
        life.run().await?;
        Ok(life.tally)
    })
}

fn problem(problems: &[String]) -> Result<(), String> {
    problems.first().map_or(Ok(()), |first| Err(first.clone()))
}

impl Life {
    fn known(&self) -> Vec<AccountId> {
        let state = self.world.state();
        state.accounts().keys().filter(|id| id.as_str() != MANAGEMENT).cloned().collect()
    }

    async fn run(&mut self) -> Result<(), String> {
        let known = self.known();
        let mut wish = Wish::random(&mut self.dice, &known);
        // No stale answer goes back to before there was an organization.
        tokio::time::sleep(Duration::from_secs(60)).await;
        for version in 0..1 + self.dice.below(2) {
            if version > 0 {
                let known = self.known();
                wish.edit(&mut self.dice, &known);
            }
            let desired = wish.render();
            if self.trace {
                println!("== version {version}: {wish:#?}");
            }
            for _ in 0..1 + self.dice.below(2) {
                let schedule = self.schedule();
                let options = self.options();
                self.pass(&desired, schedule, &options).await?;
                self.between().await;
            }
        }
        wish.mode = bylaw::api::Mode::Enforce;
        wish.suspend = false;
        wish.limits = wide();
        self.quiet(&wish.render()).await
    }

    /// Time passes, somebody is at work beside bylaw, and memory is lost or kept.
    async fn between(&mut self) {
        tokio::time::sleep(Duration::from_secs(60)).await;
        for _ in 0..self.dice.below(3) {
            if let Some(request) = foreign(&self.world.state(), &mut self.dice, &time_of_day(self.began)) {
                drop(self.world.foreign(&request));
            }
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
        if self.dice.chance(0.3) {
            self.memory = Memory::default();
            self.granted.clear();
        }
        if self.dice.chance(0.5) {
            self.previous = None;
            // What an earlier pass read is gone as well: a snapshot that is kept shows the end of that one.
            if self.memory == Memory::default() {
                self.ends = Ends::none();
            }
        }
    }

    fn options(&mut self) -> Options {
        let mut options = Options { prune: self.dice.chance(0.6), ..Options::default() };
        if self.dice.chance(0.4) {
            options.approvals.hashes.clone_from(&self.approvals);
        }
        options
    }

    fn schedule(&mut self) -> Schedule {
        let dice = &mut self.dice;
        let mut some = |chance: f64, most: f64| if dice.chance(chance) { most } else { 0.0 };
        let mut schedule = Schedule {
            throttled: some(0.5, 0.3),
            busy: some(0.4, 0.2),
            lost_answer: some(0.4, 0.15),
            lost_request: some(0.3, 0.1),
            broken_read: some(0.4, 0.2),
            stale: some(0.3, 0.2),
            hang: some(0.15, 0.03),
            foreign: some(0.3, 0.2),
            ..Schedule::default()
        };
        schedule.seed = self.dice.bits();
        schedule.short = if schedule.seed % 4 == 1 { 0.05 } else { 0.0 };
        schedule.expires_after = self.dice.chance(0.1).then(|| 1 + self.dice.below(120) as u64);
        schedule.dies_after = self.dice.chance(0.4).then(|| 1 + self.dice.below(12) as u64);
        schedule
    }

    fn clock(&self) -> impl Fn() -> Timestamp + Send + Sync + use<> {
        let began = self.began;
        move || time_of_day(began)
    }

    async fn pass(&mut self, desired: &Desired, schedule: Schedule, options: &Options) -> Result<End, String> {
        self.tally.passes += 1;
        let (stale, seed) = (schedule.stale > 0.0 || schedule.short > 0.0, schedule.seed);
        let alone = schedule.foreign == 0.0 && !stale;
        let hook = Arc::new(Hook::new(self.world.clone(), schedule.dies_after, self.began));
        let (hand, past) = (hook.clone(), self.world.clone());
        let faulty = Faulty::new(hook.clone(), schedule)
            .past(move |request, back| past.recall(request, back))
            .foreign(move |dice| hand.foreign(dice));
        let conduct = Conduct {
            pace: if seed % 4 == 0 { Pace::Aws } else { Pace::None },
            patience: Duration::from_secs(if seed % 3 == 0 { 1 } else { 60 }),
            seed,
            ..Conduct::default()
        };
        let paced = Paced::new(faulty, conduct);
        let ear = Ear::new(self.mutant.below(&paced), hook.brake.clone());
        let end = self.pass_on(desired, options, &hook, &ear, (stale, alone)).await;
        for (fault, count) in paced.port().faults() {
            *self.tally.faults.entry(fault).or_default() += count;
        }
        if let Some(watch) = hook.watch.lock().unwrap().take() {
            self.tally.writes += watch.checked;
            problem(&watch.problems)?;
        }
        let heard = ear.heard().lock().unwrap();
        problem(&heard.problems)?;
        problem(&twins(&self.world.state()))?;
        if matches!(end, Ok(End::Over(_))) {
            let open: Vec<_> = heard.ledger_open.iter().filter(|(_, count)| **count != 0).collect();
            if !open.is_empty() {
                return Err(format!("unrecorded outcome: {open:?}"));
            }
        }
        drop(heard);
        end
    }

    async fn pass_on<P: Port>(
        &mut self,
        desired: &Desired,
        options: &Options,
        hook: &Hook,
        ear: &Ear<P>,
        (stale, alone): (bool, bool),
    ) -> Result<End, String> {
        let clock = self.clock();
        let planning = self.mutant.manifests(desired);
        let planned = match pass::plan(
            ear,
            &planning,
            self.previous.as_ref(),
            &self.memory,
            &self.mutant.options(options),
            &clock,
        )
        .await
        {
            Ok(planned) => self.mutant.planned(planned, &planning, &self.memory, options, clock()),
            Err(_) => return Ok(End::Unread),
        };
        self.trace(&planned);
        self.tally.checks += judge::plan(&planned, desired, options)?;
        self.tally.checks += self.ends.explain(&planned)?;
        let (refused, before) = (planned.plan.clone(), self.world.state());
        self.tally.checks += judge::approved_before(&planned.plan, &self.granted, options)?;
        self.approvals = judge::can_be_approved(&planned.plan);
        if self.mutant != Mutant::Forgets {
            // As the command line and the controller do before they begin.
            self.memory.grant(&planned.plan.approved, clock());
        }
        let lifted = planned.plan.approved.iter().map(|(alone, lifted)| (alone.clone(), lifted.hash.clone()));
        self.granted.extend(lifted);
        *hook.watch.lock().unwrap() = Some(self.watch(desired, options, &planned, (stale, alone)));
        ear.listening.store(true, Ordering::Relaxed);
        if self.braked && self.dice.chance(0.25) {
            let object = self.dice.pick(planned.plan.changes.iter()).map(|change| change.object.clone());
            let what = object.filter(|_| self.dice.chance(0.6)).map_or(ports::Stop::All, ports::Stop::Object);
            *hook.brake.stop.lock().unwrap() = Some((1 + self.dice.below(12) as u64, what));
        }
        let wanted = |change: &Change| match self.mutant {
            Mutant::Headlong => Ok(()),
            _ => hook.brake.wanted(change),
        };
        let wanted: Wanted<'_> = &wanted;
        let control = Control { wanted, ledger: ear, ..Control::new(&clock, "one") };
        let mut memory = self.memory.clone();
        let port = self.mutant.above(ear);
        let running = pass::apply_plan(&*port, &planning, planned, &mut memory, options, control);
        let report = tokio::select! {
            biased;
            () = hook.died.notified() => None,
            report = running => Some(report),
        };
        self.tally.checks += 1;
        if alone {
            self.tally.checks += excuses::untouched(&refused, &before, &self.world.state())?;
        }
        match report {
            None => {
                self.tally.deaths += 1;
                // Nobody gives the lease back: it runs out.
                tokio::time::sleep(Duration::from_secs(130)).await;
                Ok(End::Died)
            }
            Some(Ok(report)) => {
                if self.mutant == Mutant::Forgets {
                    memory.granted.clear();
                }
                self.memory = memory;
                self.tally.checks += judge::refused_again(&refused, &report.left, alone)?;
                self.ends.end(&self.world.state(), alone && report.unverified.is_none());
                for (change, outcome) in &report.applied.outcomes {
                    if self.trace {
                        println!("   {} {outcome:?}", change.id);
                    }
                    *self.tally.outcomes.entry(name(outcome)).or_default() += 1;
                }
                self.previous = Some(report.applied.observed);
                Ok(End::Over(Box::new(report.left)))
            }
            Some(Err(error)) => {
                if self.trace {
                    println!("   not applied: {error}");
                }
                if matches!(error, ApplyError::Lease(LeaseError::Braked(_))) && refused.changes.is_empty() {
                    return Ok(End::Over(Box::new(refused)));
                }
                let told = matches!(error, ApplyError::Lease(_));
                let quiet = desired.organization.suspend || desired.organization.spec.mode == bylaw::api::Mode::Observe;
                if told || quiet { Ok(End::Unread) } else { Err(format!("not applied: {error}")) }
            }
        }
    }

    fn trace(&self, planned: &Planned) {
        if !self.trace {
            return;
        }
        println!("-- plan at {:?}", self.world.elapsed());
        for change in &planned.plan.changes {
            println!("   {} {:?} {} {:?}", change.id, change.stage, change.object, change.action);
        }
        for note in &planned.plan.notes {
            println!("   note {} {}", note.object, note.message);
        }
        for refusal in &planned.plan.refusals {
            println!("   REFUSED {} {}: {}", refusal.rule, refusal.object, refusal.message);
            refusal.changes.iter().for_each(|change| println!("      {} {:?}", change.id, change.action));
        }
    }

    fn watch(&self, desired: &Desired, options: &Options, planned: &Planned, (stale, alone): (bool, bool)) -> Watch {
        let state = self.world.state();
        let refused = planned.plan.refusals.iter().flat_map(|refusal| &refusal.changes);
        let mut all: Vec<_> = planned.plan.changes.iter().chain(refused).collect();
        all.sort_by_key(|change| change.id);
        let view = |before: &Model| {
            let (mut goal, mut kept) = (before.clone(), before.clone());
            all.iter().for_each(|change| goal.plan(change));
            planned.plan.changes.iter().for_each(|change| kept.plan(change));
            View { before: before.clone(), goal, kept }
        };
        let mut starts = vec![Model::of(&state)];
        if stale {
            // What the plan could not know it cannot keep.
            starts.push(Model::observed(&planned.observed));
        }
        let mut watch = Watch {
            desired: desired.clone(),
            prune: options.prune,
            approved: !options.approvals.hashes.is_empty(),
            views: starts.iter().map(view).collect(),
            starts,
            held: Watch::held(&state, &(self.clock())().to_string()),
            newborn: unfinished(planned, &state),
            owners: BTreeSet::new(),
            counts: BTreeMap::new(),
            births: planned
                .plan
                .changes
                .iter()
                .filter(|change| matches!(change.action, Action::CreateAccount { .. }))
                .map(|change| change.object.to_string())
                .collect(),
            had: BTreeMap::new(),
            created: BTreeSet::new(),
            made: BTreeSet::new(),
            looks: Looks::default(),
            texts: Watch::texts(&planned.plan),
            stale,
            alone,
            ignored: Watch::ignored(desired, &state),
            braked: None,
            checked: 0,
            problems: vec![],
        };
        watch.note_owners(&state, true);
        watch.note_denies(&Model::of(&state));
        watch
    }

    /// No faults: what can be done is done within a few passes, and then nothing more.
    async fn quiet(&mut self, desired: &Desired) -> Result<(), String> {
        tokio::time::sleep(Duration::from_secs(2 * 3_600)).await;
        self.braked = false;
        let now = SignedDuration::ZERO;
        let options = Options { prune: true, max_age: now, contents_max_age: now, ..Options::default() };
        let mut left = None;
        for _ in 0..12 {
            let seed = self.dice.bits();
            let before = self.world.writes();
            let End::Over(plan) = self.pass(desired, Schedule { seed, ..Schedule::default() }, &options).await? else {
                return Err("a pass without faults did not come to its end".into());
            };
            // Taking and giving back the lease are two; where the root is held nobody takes it.
            let writes = self.world.writes() - before;
            tokio::time::sleep(Duration::from_secs(60)).await;
            if plan.changes.is_empty() && writes <= 2 {
                left = Some(plan);
                break;
            }
        }
        let Some(left) = left else { return Err("does not converge in 12 quiet passes".into()) };
        for refusal in &left.refusals {
            *self.tally.refusals.entry(refusal.rule).or_default() += 1;
        }
        if left.refusals.is_empty() {
            self.tally.whole += 1;
        }
        self.tally.checks += end::compare(desired, &self.world.state(), &left)?;
        if self.dice.below(8) > 0 {
            return Ok(());
        }
        // From a snapshot the same plan follows as from AWS, and reading by target tells the same as by policy.
        let clock = self.clock();
        let planned = pass::plan(&*self.world, desired, None, &self.memory, &options, &clock)
            .await
            .map_err(|error| format!("the organization cannot be read: {error}"))?;
        if !planned.plan.changes.is_empty() {
            return Err(format!("a second plan is not empty: {:?}", planned.plan.changes));
        }
        let text = serde_json::to_string(&planned.observed).unwrap();
        let again = pass::plan_offline(desired, serde_json::from_str(&text).unwrap(), &self.memory, &options, clock());
        if again.plan != planned.plan {
            return Err("the plan from the snapshot is another".into());
        }
        Ok(())
    }
}

fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::AlreadyDone => "already-done",
        Outcome::Changed { .. } => "changed",
        Outcome::Failed { .. } => "failed",
        Outcome::Unknown { .. } => "unknown",
        Outcome::Waiting { .. } => "waiting",
        Outcome::Blocked { .. } => "blocked",
        Outcome::Stopped { .. } => "stopped",
        Outcome::NotStarted => "not-started",
    }
}

/// Accounts that the plan moves as unfinished, as far as they are: made by bylaw, and still in the root.
fn unfinished(planned: &Planned, state: &State) -> BTreeSet<String> {
    let moved = planned.plan.changes.iter().filter(|change| change.reason == Reason::Unfinished);
    let moved = moved.filter_map(|change| match &change.action {
        Action::MoveAccount { account: NodeRef::Known(NodeId::Account(id)), .. } => Some(id),
        _ => None,
    });
    let made = |id: &&AccountId| {
        let found = state.accounts().get(*id);
        found.is_some_and(|a| a.parent == state.root_node() && a.tags.contains_key(TAG_MANAGED_BY))
    };
    moved.filter(made).map(ToString::to_string).collect()
}
