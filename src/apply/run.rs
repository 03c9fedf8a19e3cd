//! The run: stage by stage, change by change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::PoisonError;

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use tokio::sync::watch;

use super::check::{Look, look};
use super::create;
use super::effect::Made;
use super::lease::{Cover, Lease, LeaseError, Now};
use super::ledger::{ApprovedBy, Entry, Ledger, NoLedger, Outcome, approvals};
use super::state::State;
use crate::aws::{AwsError, ErrorClass, Port, Request, Response};
use crate::desired::NodeKey;
use crate::names::{AccountId, NodeId, TAG_RESOURCE};
use crate::observed::{Clock, Observed};
use crate::plan::{Action, Change, Guarded, NodeRef, Plan, PolicyRef, Stage};

/// Times that a write whose fate is unknown is looked at again and repeated if it is still needed.
const TRIES: u32 = 3;
/// Accounts that AWS creates at once (aws-facts section 2).
const CHAINS: usize = 5;

/// Why something that was planned is not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// The change is no longer wanted.
    Change(String),
    /// Nothing of the plan is to be started any more.
    Run(String),
}

/// Whether a change is still wanted.
pub type Wanted<'a> = &'a (dyn Fn(&Change) -> Result<(), Halt> + Send + Sync);

/// Everything that was planned stays wanted: the [`Wanted`] of who planned from what does not change.
///
/// # Errors
/// None.
pub fn always(_: &Change) -> Result<(), Halt> {
    Ok(())
}

/// What a run is told from outside.
pub struct Control<'a> {
    /// Becomes true when the run is to stop after the call in flight.
    pub stop: watch::Receiver<bool>,
    /// Asked before each attempt of each write.
    pub wanted: Wanted<'a>,
    /// Told after each change.
    pub progress: &'a (dyn Fn(&Progress<'_>) + Send + Sync),
    /// Time.
    pub clock: Clock<'a>,
    /// The audit log.
    pub ledger: &'a dyn Ledger,
    /// Who runs it, for the audit log.
    pub who: &'a str,
}

impl<'a> Control<'a> {
    /// A run that nobody stops or follows, without an audit log; what is otherwise is set with `..Control::new(…)`.
    #[must_use]
    pub fn new(clock: Clock<'a>, who: &'a str) -> Self {
        Self { stop: watch::channel(false).1, wanted: &always, progress: &|_| {}, clock, ledger: &NoLedger, who }
    }
}

/// One change more is over.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Changes that are over, this one included.
    pub over: usize,
    /// Changes of the plan.
    pub total: usize,
    /// The change.
    pub change: &'a Change,
    /// What came of it.
    pub outcome: &'a Outcome,
}

/// What a run did.
#[derive(Debug, Clone)]
pub struct Applied {
    /// Every change of the plan with what came of it, in the order of the plan.
    pub outcomes: Vec<(Change, Outcome)>,
    /// The model as the writes changed it.
    pub observed: Observed,
    /// The lease, to be given back; `None` where it was lost.
    pub lease: Option<Lease>,
    /// Why the run ended early, if it did.
    pub ended: Option<String>,
}

impl Applied {
    /// A run with nothing to do.
    #[must_use]
    pub fn nothing(observed: Observed) -> Self {
        Self { outcomes: vec![], observed, lease: None, ended: None }
    }

    /// Every change is in place.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.outcomes.iter().all(|(_, outcome)| outcome.is_success())
    }
}

/// Carries out the plan on the organization that it was made from.
pub async fn apply(
    port: &dyn Port,
    plan: &Plan<Guarded>,
    observed: Observed,
    lease: Lease,
    control: Control<'_>,
) -> Applied {
    let run = Run {
        port,
        plan_hash: plan.hash(),
        total: plan.changes.len(),
        state: State::new(observed),
        shared: Mutex::new(Shared { outcomes: vec![], failed: vec![], ended: None }),
        lease: tokio::sync::Mutex::new(Some(lease)),
        creations: create::Creations::default(),
        homes: homes(&plan.changes),
        approvals: approvals(&plan.approved, control.who),
        control,
    };
    for (stage, changes) in stages(&plan.changes) {
        if stage == Stage::Accounts {
            let chains = chains(changes);
            stream::iter(chains.iter().map(|chain| run.in_order(chain))).buffer_unordered(CHAINS).collect::<()>().await;
        } else {
            run.in_order(&changes).await;
        }
    }
    let shared = run.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut outcomes = shared.outcomes;
    outcomes.sort_by_key(|(change, _)| change.id);
    Applied { outcomes, observed: run.state.into_observed(), lease: run.lease.into_inner(), ended: shared.ended }
}

/// The changes of each stage, in order.
fn stages(changes: &[Change]) -> Vec<(Stage, Vec<&Change>)> {
    let mut stages: Vec<(Stage, Vec<&Change>)> = vec![];
    for change in changes {
        match stages.last_mut() {
            Some((stage, of_stage)) if *stage == change.stage => of_stage.push(change),
            _ => stages.push((change.stage, vec![change])),
        }
    }
    stages
}

/// What belongs to each new account, in order.
fn chains(changes: Vec<&Change>) -> Vec<Vec<&Change>> {
    let mut chains: Vec<Vec<&Change>> = vec![];
    let mut of_account: BTreeMap<&str, usize> = BTreeMap::new();
    for change in changes {
        let at = match change.action.new_account() {
            Some(account) => *of_account.entry(account).or_insert(chains.len()),
            None => chains.len(),
        };
        match chains.get_mut(at) {
            Some(chain) => chain.push(change),
            None => chains.push(vec![change]),
        }
    }
    chains
}

/// Where each new account is to go.
fn homes(changes: &[Change]) -> BTreeMap<&str, &NodeRef> {
    fn home(change: &Change) -> Option<(&str, &NodeRef)> {
        match &change.action {
            Action::MoveAccount { account: NodeRef::New(NodeKey::Account(key)), to, .. } => Some((key, to)),
            _ => None,
        }
    }
    changes.iter().filter_map(home).collect()
}

/// The port of one change: no write is sent but under a lease that is sure to hold until it is over, and while the change is
/// wanted.
struct Leased<'a, 'b>(&'a Run<'b>, &'a Change);

/// Code of a write that was not sent because it is no longer wanted.
const UNWANTED: &str = "unwanted";
/// Code of a write that was not sent for want of a lease.
const NO_LEASE: &str = "lease";
/// Code of a write that was not sent because the tags of the root are to be looked at before it.
const UNSEEN: &str = "unseen";

impl Port for Leased<'_, '_> {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            let Self(run, change) = self;
            if !request.is_write() {
                return run.port.call(request).await;
            }
            let operation = request.operation();
            for _ in 0..TRIES {
                let held = match run.may_write().await {
                    Ok(()) => run.lease.lock().await.clone(),
                    Err(_) => None,
                };
                let Some(lease) = held else { return Err(AwsError::unsent(operation, NO_LEASE, "the lease was lost")) };
                let still = || {
                    run.still(change).map_err(|why| AwsError::unsent(operation, UNWANTED, &why))?;
                    match lease.covers_a_call(Now::of(run.port, run.control.clock)) {
                        Cover::Whole => Ok(()),
                        Cover::Unseen => {
                            Err(AwsError::unsent(operation, UNSEEN, "the tags of the root cannot be read in time"))
                        }
                        Cover::RunsOut => Err(AwsError::unsent(operation, NO_LEASE, "the lease does not outlast it")),
                    }
                };
                match run.port.call_while(request, &still).await {
                    Err(error) if error.code == UNSEEN => {}
                    answer => return answer,
                }
            }
            Err(AwsError::unsent(operation, NO_LEASE, "the tags of the root cannot be read in time"))
        })
    }
}

struct Shared {
    outcomes: Vec<(Change, Outcome)>,
    /// Nodes where something that adds a guard did not happen.
    failed: Vec<NodeRef>,
    ended: Option<String>,
}

struct Run<'a> {
    port: &'a dyn Port,
    plan_hash: String,
    total: usize,
    state: State,
    shared: Mutex<Shared>,
    lease: tokio::sync::Mutex<Option<Lease>>,
    creations: create::Creations,
    /// Where each new account is to go; below the root itself where it is not told.
    homes: BTreeMap<&'a str, &'a NodeRef>,
    /// The approvals that let changes pass, by their numbers.
    approvals: BTreeMap<u32, Vec<ApprovedBy>>,
    control: Control<'a>,
}

impl Run<'_> {
    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn in_order(&self, changes: &[&Change]) {
        for change in changes {
            let outcome = self.one(change).await;
            self.over(change, outcome);
        }
    }

    fn over(&self, change: &Change, outcome: Outcome) {
        let mut shared = self.shared();
        if !outcome.is_success() {
            let nodes = self.guarded_by(change);
            shared.failed.extend(nodes);
        }
        let over = shared.outcomes.len() + 1;
        (self.control.progress)(&Progress { over, total: self.total, change, outcome: &outcome });
        shared.outcomes.push((change.clone(), outcome));
    }

    fn end(&self, why: String) -> Outcome {
        self.shared().ended.get_or_insert(why);
        Outcome::NotStarted
    }

    async fn one(&self, change: &Change) -> Outcome {
        if self.shared().ended.is_some() {
            return Outcome::NotStarted;
        }
        if let Err(why) = self.still(change) {
            // Whoever asks for the end of a run asks for nothing of one change.
            let ended = self.shared().ended.is_some();
            return if ended && *self.control.stop.borrow() { Outcome::NotStarted } else { Outcome::Stopped { why } };
        }
        if let Some(why) = self.blocked(change).or_else(|| self.exposed(change)) {
            return Outcome::Blocked { why };
        }
        let request = self.state.lock().request(change);
        let request = match request {
            Ok(request) => request,
            Err(why) => return Outcome::Blocked { why },
        };
        match self.carry_out(change, request).await {
            Ok(outcome) => outcome,
            Err(error) if error.class == ErrorClass::Credentials => {
                self.end(format!("the credentials are no good any more: {error}"))
            }
            Err(error) => Outcome::Failed { error },
        }
    }

    /// Whether the change is still to be made; why not, for people.
    fn still(&self, change: &Change) -> Result<(), String> {
        if *self.control.stop.borrow() {
            let why = "stopped on request";
            self.end(why.into());
            return Err(why.into());
        }
        (self.control.wanted)(change).map_err(|halt| match halt {
            Halt::Change(why) => why,
            Halt::Run(why) => {
                self.end(why.clone());
                why
            }
        })
    }

    /// Looks, writes, and where the fate of the write is unknown looks again.
    async fn carry_out(&self, change: &Change, request: Request) -> Result<Outcome, AwsError> {
        let mut last = None;
        for _ in 0..TRIES {
            let looked = look(self.port, &self.state, change, request.clone(), self.control.clock).await?;
            let request = match looked {
                Look::Needed(request) => request,
                Look::Already => {
                    self.wrote(change, &request, &Made::Nothing);
                    return Ok(Outcome::AlreadyDone);
                }
                Look::Changed(found) => return Ok(Outcome::Changed { found }),
            };
            if let Err(outcome) = self.may_write().await {
                return Ok(outcome);
            }
            if let Err(why) = self.record(change, &request, None) {
                return Ok(self.end(why));
            }
            let written = self.write(change, &request).await;
            let outcome = match written {
                Ok((outcome, made)) => {
                    if outcome.is_success() {
                        self.wrote(change, &request, &made);
                    }
                    if outcome == Outcome::AlreadyDone {
                        self.state.lock().found(&made);
                    }
                    outcome
                }
                Err(error) if error.class == ErrorClass::Unsent => Outcome::Stopped { why: error.message },
                Err(error) if error.class == ErrorClass::Unknown => Outcome::Unknown { error },
                Err(error) if error.class == ErrorClass::Credentials => {
                    let outcome = Outcome::Failed { error: error.clone() };
                    drop(self.record(change, &request, Some(&outcome)));
                    return Err(error);
                }
                Err(error) => Outcome::Failed { error },
            };
            if let Err(why) = self.record(change, &request, Some(&outcome)) {
                // The write is over; what follows must not go unrecorded.
                self.end(why);
                return Ok(outcome);
            }
            match outcome {
                // A creation of an account is never sent twice in one run: the next one finds it, or that there is none.
                Outcome::Unknown { error } if !matches!(request, Request::CreateAccount { .. }) => last = Some(error),
                outcome => return Ok(outcome),
            }
        }
        Ok(last.map_or(Outcome::NotStarted, |error| Outcome::Unknown { error }))
    }

    async fn write(&self, change: &Change, request: &Request) -> create::Creating {
        let port = &Leased(self, change);
        if matches!(request, Request::CreateAccount { .. }) {
            let is_listed = |id: &AccountId| self.state.lock().observed.accounts.contains_key(id);
            return create::account(port, &self.creations, request, &change.object, &is_listed, self.control.clock)
                .await;
        }
        match port.call(request).await {
            Ok(Response::UnitCreated(unit)) => Ok((Outcome::Done, Made::Unit(unit.id))),
            Ok(Response::PolicyCreated(policy)) => Ok((Outcome::Done, Made::Policy(policy.id))),
            Ok(_) => Ok((Outcome::Done, Made::Nothing)),
            Err(error) if error.class == ErrorClass::AlreadyDone => Ok((Outcome::AlreadyDone, Made::Nothing)),
            // Of two lives only one can have made it; if it carries the object's tag, it is ours.
            Err(error) if error.class == ErrorClass::Exists && change.action.verb() == crate::plan::Verb::Create => {
                match create::made_before(port, request, &change.object, self.control.clock).await? {
                    Some(taken_up) => Ok(taken_up),
                    None => Err(AwsError {
                        message: format!(
                            "{} (it appeared since the plan was made, without `{TAG_RESOURCE}={}`)",
                            error.message, change.object
                        ),
                        ..error
                    }),
                }
            }
            Err(error) if error.class == ErrorClass::NotFound && change.action.verb() == crate::plan::Verb::Delete => {
                Ok((Outcome::AlreadyDone, Made::Nothing))
            }
            Err(error) => Err(error),
        }
    }

    fn wrote(&self, change: &Change, request: &Request, made: &Made) {
        let now = (self.control.clock)();
        self.state.lock().wrote(change, request, made, now);
    }

    /// The lease counts and outlives the next call.
    async fn may_write(&self) -> Result<(), Outcome> {
        let mut lease = self.lease.lock().await;
        let Some(held) = lease.as_mut() else { return Err(Outcome::NotStarted) };
        match held.keep(self.port, self.control.clock).await {
            Ok(()) => Ok(()),
            // As long as it has not run out, one failed renewal is no loss.
            Err(LeaseError::Aws(_)) if held.covers_a_call(Now::of(self.port, self.control.clock)) != Cover::RunsOut => {
                Ok(())
            }
            // The lease is still ours, to be given back.
            Err(error @ LeaseError::Braked(_)) => Err(self.end(error.to_string())),
            Err(error) => {
                *lease = None;
                Err(self.end(format!("the lease was lost: {error}")))
            }
        }
    }

    fn record(&self, change: &Change, request: &Request, outcome: Option<&Outcome>) -> Result<(), String> {
        let entry = Entry {
            time: (self.control.clock)(),
            who: self.control.who,
            plan: &self.plan_hash,
            change,
            approvals: self.approvals.get(&change.id).map_or(&[], Vec::as_slice),
            request,
            outcome,
        };
        self.control.ledger.record(&entry).map_err(|why| format!("the audit log cannot be written: {why}"))
    }

    /// Nodes that a change was to guard.
    fn guarded_by(&self, change: &Change) -> Vec<NodeRef> {
        match &change.action {
            Action::Attach { target, .. } => vec![target.clone()],
            // Without it a list of what is allowed is none.
            Action::Detach { policy, kind, target } if kind.rule().default_policy == Some(policy.as_str()) => {
                vec![target.clone()]
            }
            // It is still where it was: what guards it there must stay.
            Action::MoveAccount { account, .. } => vec![account.clone()],
            Action::UpdatePolicy { policy, .. } => {
                let state = self.state.lock();
                let targets = state.observed.policies.get(policy).and_then(|policy| policy.targets.get());
                targets.into_iter().flatten().cloned().map(NodeRef::Known).collect()
            }
            _ => vec![],
        }
    }

    /// Whether the text that a policy was to have before it is attached is not in place.
    fn is_uncorrected(&self, attachment: &Change) -> bool {
        let Action::Attach { policy: PolicyRef::Known(policy), .. } = &attachment.action else { return false };
        let corrects = |change: &Change| change.action.rewrites() == Some(policy);
        !self.shared().outcomes.iter().any(|(change, outcome)| corrects(change) && outcome.is_success())
    }

    /// Nodes that something that was to guard them did not reach, as far as they are there.
    fn failed(&self) -> BTreeSet<NodeId> {
        let failed = self.shared().failed.clone();
        let state = self.state.lock();
        let there = |node: NodeRef| match node {
            NodeRef::Known(id) => Some(id),
            NodeRef::New(key) => state.nodes.get(&key).cloned(),
        };
        failed.into_iter().filter_map(there).collect()
    }

    /// A new account stands in the root until it is moved, so it is created only once the OU is there that it is to be in,
    /// and all that was to guard it on the way.
    fn exposed(&self, change: &Change) -> Option<String> {
        let Action::CreateAccount { key, .. } = &change.action else { return None };
        let failed = self.failed();
        let state = self.state.lock();
        let home = match self.homes.get(&**key) {
            Some(NodeRef::Known(id)) => id.clone(),
            Some(NodeRef::New(unit)) => match state.nodes.get(unit) {
                Some(id) => id.clone(),
                None => return Some(format!("`{unit}`, which it is to be in, was not created")),
            },
            None => state.observed.root_node(),
        };
        let bare = state.observed.chain(&home).into_iter().find(|node| failed.contains(node))?;
        let name = state.observed.name(&bare);
        Some(format!("a policy that guards `{name}`, where it is to be, could not be attached or changed"))
    }

    /// A change that takes a guard away does not run where one that adds a guard has failed, above, at or below.
    fn blocked(&self, change: &Change) -> Option<String> {
        if change.needs_text && self.is_uncorrected(change) {
            return Some("what the policy says could not be corrected before it is attached".into());
        }
        if !change.action.loosens() {
            return None;
        }
        let failed = self.failed();
        if failed.is_empty() {
            return None;
        }
        let state = self.state.lock();
        let mut nodes: Vec<NodeId> = match &change.action {
            Action::Detach { target: NodeRef::Known(id), .. } => vec![id.clone()],
            Action::MoveAccount { account, to, .. } => [account, to]
                .into_iter()
                .filter_map(|node| match node {
                    NodeRef::Known(id) => Some(id.clone()),
                    NodeRef::New(key) => state.nodes.get(key).cloned(),
                })
                .collect(),
            Action::UpdatePolicy { policy, .. } => {
                let targets = state.observed.policies.get(policy).and_then(|policy| policy.targets.get());
                targets.into_iter().flatten().cloned().collect()
            }
            _ => vec![],
        };
        nodes.sort();
        for node in nodes {
            let above = state.observed.chain(&node);
            let hit = failed.iter().find(|at| above.contains(at) || state.observed.chain(at).contains(&node));
            if let Some(at) = hit {
                return Some(format!(
                    "a policy that guards `{}` could not be attached or changed",
                    state.observed.name(at)
                ));
            }
        }
        None
    }
}
