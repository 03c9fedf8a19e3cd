//! The lease in AWS, held for as long as an Organization is kept: what has to be put right is put right at once, without
//! waiting until a lease just taken is sure.
//!
//! It lives in a task of its own, beside the reads and pauses of the controller, and is lent to whoever writes. Its holder is
//! this process and no other. The replica that follows one that crashed knows by the cluster's own lease that it is over, and
//! takes its lease in AWS without waiting until that runs out.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::SignedDuration;
use tokio::sync::{Mutex, MutexGuard, Notify, watch};
use tokio::task::JoinHandle;

use super::keep::Turnout;
use super::{Context, Door};
use crate::apply::Lease;
use crate::apply::lease::{LeaseError, Now};
use crate::aws::AwsError;
use crate::names::{AccountId, Kind, RootId};
use crate::pass::{self, PassError};

/// How long it counts. Each renewal is a `TagResource` in everybody's CloudTrail: at half of this, 288 a day. It is also how
/// long the controller of another cluster, or a command line, waits for one that died and does not come back.
pub const LENGTH: SignedDuration = SignedDuration::from_secs(600);
/// First pause before it is asked for again where another has it; doubled each time.
const FIRST: Duration = Duration::from_secs(5);
/// Longest pause before it is asked for again. A look is one read.
const LONGEST: Duration = Duration::from_secs(60);
/// How long is waited for it to be given back before the process goes on without.
const PATIENCE: Duration = Duration::from_secs(10);

/// For whom it is held, and under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// Whose organization it is to be.
    pub management: AccountId,
    /// The holder's name.
    pub who: String,
    /// The name of the holder before, where that is known to be over.
    pub predecessor: Option<String>,
}

/// Who writes to the organization now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Standing {
    /// It is being asked for, or cannot be asked for.
    #[default]
    Unknown,
    /// This controller.
    Ours,
    /// Somebody else.
    Theirs(String),
}

/// Begins, goes on with, or ends the tenure, as the Organization says now.
pub async fn settle(
    tenure: &mut Option<Tenure>,
    claimant: Option<Claimant>,
    cx: &Arc<Context>,
    door: Option<&Arc<Door>>,
) {
    if tenure.as_ref().map(|tenure| &tenure.claimant) == claimant.as_ref() {
        return;
    }
    if let Some(tenure) = tenure.take() {
        tenure.end().await;
    }
    if let (Some(claimant), Some(door)) = (claimant, door) {
        *tenure = Some(Tenure::begin(cx.clone(), door.clone(), claimant));
    }
}

/// [`Tenure::changed`]; never, where there is none.
pub async fn changed(tenure: Option<&mut Tenure>) {
    match tenure {
        Some(tenure) => tenure.changed().await,
        None => std::future::pending().await,
    }
}

/// The lease of one Organization.
pub struct Tenure {
    claimant: Claimant,
    shared: Arc<Shared>,
    standing: watch::Receiver<Standing>,
    over: watch::Sender<bool>,
    task: JoinHandle<()>,
    /// What was mentioned last.
    mentioned: Standing,
    /// Something was left undone for want of it.
    missed: bool,
}

struct Shared {
    cx: Arc<Context>,
    door: Arc<Door>,
    lease: Mutex<Option<Lease>>,
    standing: watch::Sender<Standing>,
    /// The task is to look before its pause is over.
    wake: Notify,
}

impl Tenure {
    /// Asks for the lease from now on, and keeps it.
    #[must_use]
    pub fn begin(cx: Arc<Context>, door: Arc<Door>, claimant: Claimant) -> Self {
        let (standing, of_shared) = watch::channel(Standing::default());
        let shared = Arc::new(Shared { cx, door, lease: Mutex::default(), standing, wake: Notify::new() });
        let (over, told) = watch::channel(false);
        let task = tokio::spawn(run(shared.clone(), claimant.clone(), told));
        Self { claimant, shared, standing: of_shared, over, task, mentioned: Standing::default(), missed: false }
    }

    /// The lease, for who has something to write. While it is being taken this waits until it is sure; where it is not ours,
    /// it is asked for once more.
    ///
    /// # Errors
    /// Somebody else has it, somebody holds the root, or AWS's error.
    pub async fn lend(&mut self, root: &RootId) -> Result<MutexGuard<'_, Option<Lease>>, LeaseError> {
        let mut lease = self.shared.lease.lock().await;
        if lease.is_none() {
            self.missed = true;
            *lease = Some(self.shared.take(root, &self.claimant).await?);
        }
        self.missed = false;
        Ok(lease)
    }

    /// The lease was lost while it was lent: it is asked for again, and what is undone is to be done when it is back.
    pub fn lost(&mut self) {
        self.missed = true;
        self.shared.standing.send_replace(Standing::Unknown);
        self.shared.wake.notify_one();
    }

    /// Resolves when a pass should look because it is known, or known anew, who writes. It may be dropped at any time.
    async fn changed(&mut self) {
        loop {
            {
                let standing = self.standing.borrow_and_update();
                let theirs = |standing: &Standing| matches!(standing, Standing::Theirs(_));
                if *standing != self.mentioned && (theirs(&standing) || theirs(&self.mentioned)) {
                    return;
                }
                if self.missed && *standing == Standing::Ours {
                    self.missed = false;
                    return;
                }
            }
            if self.standing.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Adds who else writes to what is told of the Organization.
    pub fn mention(&mut self, turnout: &mut Turnout) {
        self.mentioned = self.standing.borrow_and_update().clone();
        let Standing::Theirs(holder) = &self.mentioned else { return };
        for (_, said) in turnout.statuses.iter_mut().filter(|(key, _)| key.kind == Kind::Organization) {
            let message = &said.verdict.message;
            if !message.contains(holder.as_str()) {
                said.verdict.message =
                    format!("{message}; `{holder}` writes to this organization, and this controller only after it");
            }
        }
    }

    /// Gives the lease back, and asks for it no more.
    pub async fn end(mut self) {
        self.over.send_replace(true);
        if tokio::time::timeout(PATIENCE, &mut self.task).await.is_err() {
            tracing::warn!("the lease could not be given back in time, it runs out by itself");
        }
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes and keeps the lease until it is over, and gives it back.
async fn run(shared: Arc<Shared>, claimant: Claimant, mut over: watch::Receiver<bool>) {
    let (mut root, mut failures) = (None, 0);
    loop {
        let stepped = tokio::select! {
            _ = over.wait_for(|over| *over) => None,
            pause = shared.step(&claimant, &mut root, &mut failures) => Some(pause),
        };
        let Some(pause) = stepped else { break };
        tokio::select! {
            _ = over.wait_for(|over| *over) => break,
            () = tokio::time::sleep(pause) => {}
            () = shared.wake.notified() => {}
        }
    }
    let (port, clock) = (&*shared.door, &*shared.cx.clock);
    let given = match (shared.lease.lock().await.take(), root) {
        (Some(lease), _) => lease.give_back(port, clock).await,
        // It may have been in the middle of taking it.
        (None, Some(root)) => Lease::withdraw(port, &root, &claimant.who, clock).await,
        (None, None) => Ok(()),
    };
    if let Err(error) = given {
        tracing::warn!("the lease could not be given back, it runs out by itself: {error}");
    }
}

impl Shared {
    async fn take(&self, root: &RootId, claimant: &Claimant) -> Result<Lease, LeaseError> {
        let predecessor = claimant.predecessor.as_deref();
        let taken = Lease::take_for(&*self.door, root, &claimant.who, predecessor, LENGTH, &*self.cx.clock).await;
        self.tell(taken.as_ref().map(drop));
        taken
    }

    /// Says who writes now, and logs it where that is news.
    fn tell(&self, result: Result<(), &LeaseError>) {
        let standing = match result {
            Ok(()) => Standing::Ours,
            Err(LeaseError::Held { holder, .. }) => Standing::Theirs(holder.clone()),
            Err(LeaseError::Braked(_) | LeaseError::Aws(_)) => Standing::Unknown,
        };
        let set = |known: &mut Standing| {
            // Where AWS does not answer, it is as it was seen last; what was ours has run out.
            let unanswered = matches!(result, Err(LeaseError::Aws(_))) && matches!(known, Standing::Theirs(_));
            let news = *known != standing && !unanswered;
            if news {
                known.clone_from(&standing);
            }
            news
        };
        if !self.standing.send_if_modified(set) {
            return;
        }
        match (&standing, result) {
            (Standing::Ours, _) => tracing::info!("the lease of the organization is held"),
            (Standing::Theirs(holder), _) => {
                tracing::warn!(
                    holder,
                    "somebody else writes to this organization: nothing is written until that is over"
                );
            }
            (Standing::Unknown, Err(why)) => tracing::warn!("the lease of the organization is not held: {why}"),
            (Standing::Unknown, Ok(())) => {}
        }
    }

    /// Takes or keeps the lease, if it is time to. The pause before the next step.
    async fn step(&self, claimant: &Claimant, root: &mut Option<RootId>, failures: &mut u32) -> Duration {
        let mut slot = self.lease.lock().await;
        let stepped = match slot.as_mut() {
            Some(lease) => self.renew(lease).await,
            None => match self.ask(claimant, root).await {
                Ok(lease) => {
                    *slot = Some(lease);
                    Ok(())
                }
                Err(error) => Err(error),
            },
        };
        let now = Now::of(&*self.door, &*self.cx.clock);
        match (stepped, slot.as_ref()) {
            (Ok(()), Some(lease)) => {
                *failures = 0;
                now.until(lease.due()) + Duration::from_secs(1)
            }
            (Ok(()), None) => FIRST,
            (Err(error), lease) => {
                // One that counts is kept through an outage as long as it counts; who brakes is not to wait for that.
                let given_up = match &error {
                    LeaseError::Aws(_) => lease.is_some_and(|lease| !lease.holds(now)),
                    LeaseError::Held { .. } => true,
                    LeaseError::Braked(_) => {
                        if let Some(lease) = slot.take()
                            && let Err(error) = lease.give_back(&*self.door, &*self.cx.clock).await
                        {
                            tracing::info!("the lease could not be given back, it runs out by itself: {error}");
                        }
                        true
                    }
                };
                if given_up {
                    *slot = None;
                }
                if slot.is_none() {
                    self.tell(Err(&error));
                }
                let pause = FIRST.saturating_mul(1 << (*failures).min(8)).min(LONGEST);
                *failures = failures.saturating_add(1);
                match error {
                    LeaseError::Held { until: end, .. } => pause.min(now.until(end)).max(Duration::from_secs(1)),
                    _ => pause,
                }
            }
        }
    }

    async fn renew(&self, lease: &mut Lease) -> Result<(), LeaseError> {
        // Whoever wrote meanwhile has renewed it; otherwise nothing is asked before it is due.
        if !lease.is_due(Now::of(&*self.door, &*self.cx.clock)) {
            return Ok(());
        }
        lease.keep(&*self.door, &*self.cx.clock).await
    }

    /// Takes the lease, of the organization that it is to be and no other.
    async fn ask(&self, claimant: &Claimant, root: &mut Option<RootId>) -> Result<Lease, LeaseError> {
        let found = match root.clone() {
            Some(root) => root,
            None => pass::root(&*self.door, &claimant.management).await.map_err(|error| match error {
                PassError::Aws(error) => error,
                // The pass tells this, and what to do.
                other => AwsError::unanswered("DescribeOrganization", "other", &other.to_string()),
            })?,
        };
        *root = Some(found.clone());
        self.take(&found, claimant).await
    }
}
