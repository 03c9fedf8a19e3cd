//! One pass, the same for the command line and the controller: observe, plan, guard, apply, verify. Each phase is one
//! function of one room; this file is the list.

use std::collections::BTreeSet;

use futures::future::{Either, select};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use tracing::{Instrument, Span};

use crate::api::Mode;
use crate::apply::lease::{LeaseError, Now};
use crate::apply::{Applied, Control, Lease, apply};
use crate::aws::{AwsError, Port, Request, Response};
use crate::desired::Desired;
use crate::names::{AccountId, ObjectKey, RootId, SPANS};
use crate::observed::{AccountRef, Clock, Observed, Renew, Wants, pages, read, refresh};
use crate::plan::{self, Approvals, Guarded, Memory, Plan, Proposed};

/// What a pass is made with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Delete what opted in to deletion and is declared no more.
    pub prune: bool,
    /// Objects that somebody deleted: what they opted in to is done.
    pub deleted: BTreeSet<ObjectKey>,
    /// Hashes of refused changes that may run.
    pub approvals: Approvals,
    /// Tags and contacts no older than this are not read again.
    pub max_age: SignedDuration,
    /// The same for the contents of policies.
    pub contents_max_age: SignedDuration,
    /// What is read again though it is not that old; nothing where `None`.
    pub renew: Option<Renew>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            prune: false,
            deleted: BTreeSet::new(),
            approvals: Approvals::default(),
            max_age: SignedDuration::from_hours(24),
            contents_max_age: SignedDuration::from_hours(24),
            renew: None,
        }
    }
}

/// Why there is no plan at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PassError {
    /// The credentials belong elsewhere.
    #[error(
        "the credentials are of account `{caller}` (`{arn}`), and the manifests are for the organization of `{management}`"
    )]
    WrongAccount {
        /// Whose they are.
        caller: AccountId,
        /// Which principal.
        arn: String,
        /// The management account of the manifests.
        management: AccountId,
    },
    /// The organization is another.
    #[error("the organization is managed by account `{found}`, and the manifests say `{declared}`")]
    WrongOrganization {
        /// Of the organization that AWS shows.
        found: AccountId,
        /// Of the manifests.
        declared: AccountId,
    },
    /// The manifests name ids of AWS, and none of them is there.
    #[error("the manifests are of another organization: {why}; `{organization}` is the organization of `{management}`")]
    ForeignIds {
        /// Which ids, in words.
        why: String,
        /// The organization.
        organization: String,
        /// Its management account.
        management: AccountId,
    },
    /// Only consolidated billing is on.
    #[error("organization `{id}` has consolidated billing only: policies need all features")]
    NotAllFeatures {
        /// The organization.
        id: String,
    },
    /// AWS's error.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl PassError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::WrongAccount { management, .. } => Some(format!(
                "use credentials of `{management}` or of a delegated administrator of its organization (`AWS_PROFILE`, `AWS_ROLE_ARN`)"
            )),
            Self::WrongOrganization { .. } => {
                Some("check `spec.managementAccountId` of the Organization, or the credentials".into())
            }
            Self::ForeignIds { .. } => Some(
                "use the manifests of this organization; where they are to be another's from now on, take `bylaw.dev/id` and \
                 `spec.accountId` out of them, and check `spec.managementAccountId`"
                    .into(),
            ),
            Self::NotAllFeatures { .. } => {
                Some("enable all features in the management account (every member has to agree), then run again".into())
            }
            Self::Aws(error) => error.remedy(),
        }
    }
}

/// A plan and what it was made from.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The organization as read.
    pub observed: Observed,
    /// What may run.
    pub plan: Plan<Guarded>,
}

/// What the manifests make it necessary to read.
#[must_use]
pub fn wants(desired: &Desired, options: &Options) -> Wants {
    let spec = &desired.organization.spec;
    let kinds = desired.policies.values().map(|policy| policy.spec.kind.clone());
    let base = |declared: Option<crate::api::BaseAccess>| declared.is_some();
    Wants {
        types: Some(spec.policy_types.iter().cloned().chain(kinds).collect()),
        contacts: desired
            .accounts
            .values()
            .filter(|account| !account.spec.contacts.is_empty())
            .filter_map(|account| {
                let spec = &account.spec;
                let who = match (&spec.account_id, &spec.email) {
                    (Some(id), _) => AccountRef::Id(id.clone()),
                    (None, Some(email)) => AccountRef::Email(email.to_lowercase()),
                    (None, None) => return None,
                };
                Some((who, spec.contacts.keys().copied().collect()))
            })
            .collect(),
        all_contacts: false,
        services: !spec.services.is_empty(),
        administrators: !spec.administrators.is_empty(),
        delegation_policy: spec.delegation_policy.is_some(),
        base_access: base(spec.base_access)
            || desired.units.values().any(|unit| base(unit.spec.base_access))
            || desired.accounts.values().any(|account| base(account.spec.base_access)),
        max_age: options.max_age,
        contents_max_age: options.contents_max_age,
        renew: options.renew,
    }
}

/// Refuses credentials of an organization that the manifests are not for: an organization seen through wrong credentials
/// can look empty.
async fn check_caller(port: &dyn Port, management: &AccountId) -> Result<(), PassError> {
    let Response::Identity { account: caller, arn } = port.call(&Request::GetCallerIdentity).await? else {
        return Err(
            AwsError::unanswered("GetCallerIdentity", "garbage", "the answer is that of another operation").into()
        );
    };
    if caller == *management {
        return Ok(());
    }
    let wrong = PassError::WrongAccount { caller: caller.clone(), arn, management: management.clone() };
    let Ok(answers) = pages(port, Request::ListDelegatedAdministrators { token: None }).await else {
        return Err(wrong);
    };
    let delegated =
        answers.iter().any(|answer| matches!(answer, Response::Administrators(p) if p.items.contains(&caller)));
    if delegated { Ok(()) } else { Err(wrong) }
}

/// The root of the organization of `management`, where the credentials are for it: what the lease is taken on before
/// anything else is read.
///
/// # Errors
/// They are for another, or AWS does not say.
pub async fn root(port: &dyn Port, management: &AccountId) -> Result<RootId, PassError> {
    check_caller(port, management).await?;
    let unanswered = |operation| AwsError::unanswered(operation, "garbage", "the answer is that of another operation");
    let Response::Organization(organization) = port.call(&Request::DescribeOrganization).await? else {
        return Err(unanswered("DescribeOrganization").into());
    };
    let (found, declared) = (organization.management_account, management);
    if found != *declared {
        return Err(PassError::WrongOrganization { found, declared: declared.clone() });
    }
    let answers = pages(port, Request::ListRoots { token: None }).await?;
    let roots = answers.into_iter().find_map(|answer| match answer {
        Response::Roots(page) => page.items.into_iter().next(),
        _ => None,
    });
    Ok(roots.ok_or_else(|| unanswered("ListRoots"))?.id)
}

/// Observes and plans.
///
/// # Errors
/// Where the organization is not the one of the manifests, or cannot be read at all.
pub async fn plan(
    port: &dyn Port,
    desired: &Desired,
    previous: Option<&Observed>,
    memory: &Memory,
    options: &Options,
    clock: Clock<'_>,
) -> Result<Planned, PassError> {
    let began = clock();
    let wants = wants(desired, options);
    let management = &desired.organization.spec.management_account;
    let (check, read) = (check_caller(port, management), read(port, &wants, previous, clock));
    let span = span("observe");
    let (check, read) = (check.instrument(span.clone()), read.instrument(span));
    futures::pin_mut!(check, read);
    // Whose the credentials are explains more than what they cannot read, whichever is known first.
    let observed = match select(check, read).await {
        Either::Left((checked, read)) => {
            checked?;
            read.await?
        }
        Either::Right((observed, check)) => {
            check.await?;
            observed?
        }
    };
    check_organization(desired, &observed)?;
    let (observed, proposed) = freshen(port, desired, observed, memory, options, began, clock).await?;
    let plan = guard(proposed, desired, &observed, memory, options, Now::of(port, clock).earliest());
    Ok(Planned { observed, plan })
}

/// A phase of a pass, for traces.
fn span(phase: &'static str) -> Span {
    tracing::trace_span!(target: SPANS, "phase", otel.name = phase)
}

fn guard(
    proposed: Plan<Proposed>,
    desired: &Desired,
    observed: &Observed,
    memory: &Memory,
    options: &Options,
    now: Timestamp,
) -> Plan<Guarded> {
    let approvals = memory.approvals(&options.approvals, now);
    span("guard").in_scope(|| plan::guard(proposed, desired, observed, &approvals, now))
}

/// Reads again what `requests` tell and nothing else, and plans to put back the attachments that drifted away: what a
/// detached policy leaves open is not to wait for the lists of a large organization. `None`: there is none to put back.
/// Everything else is left to [`plan()`], which reads all that a look so short takes for given.
///
/// # Errors
/// As [`plan()`].
pub async fn glance(
    port: &dyn Port,
    desired: &Desired,
    previous: Observed,
    requests: Vec<Request>,
    memory: &Memory,
    options: &Options,
    clock: Clock<'_>,
) -> Result<Option<Planned>, PassError> {
    let began = clock();
    check_caller(port, &desired.organization.spec.management_account).await?;
    let observed = refresh(port, previous, requests, clock).await?;
    check_organization(desired, &observed)?;
    let (observed, proposed) = freshen(port, desired, observed, memory, options, began, clock).await?;
    let plan = guard(proposed, desired, &observed, memory, options, Now::of(port, clock).earliest());
    // What only adds a guard that was in force can be taken out of a plan: it rests on no other change of it but that of
    // its own text.
    let puts_back = |change: &&plan::Change| {
        change.reason == plan::Reason::Drift
            && matches!(&change.action, plan::Action::Attach { policy, target, .. }
                if matches!((policy, target), (plan::PolicyRef::Known(_), plan::NodeRef::Known(_))))
    };
    let text_for = |change: &plan::Change| match &change.action {
        plan::Action::Attach { policy: plan::PolicyRef::Known(policy), .. } => {
            plan.changes.iter().find(|other| other.action.rewrites() == Some(policy))
        }
        _ => None,
    };
    // A policy is attached by what it says: where that drifted too it comes back first, and an edit waits for the pass.
    let edited = |change: &&plan::Change| text_for(change).is_some_and(|text| text.reason != plan::Reason::Drift);
    let back: Vec<&plan::Change> = plan.changes.iter().filter(puts_back).filter(|change| !edited(change)).collect();
    if back.is_empty() {
        return Ok(None);
    }
    let back: Vec<&plan::Change> =
        back.iter().flat_map(|change| text_for(change).into_iter().chain([*change])).collect();
    let (ids, facts): (BTreeSet<u32>, BTreeSet<_>) =
        (back.iter().map(|change| change.id).collect(), back.iter().flat_map(|change| change.facts.clone()).collect());
    let mut proposed = plan.only(&ids);
    proposed.drift.retain(|drift| facts.contains(&plan::memory::Mark::of_fact(&drift.object, &drift.path)));
    proposed.refusals.clear();
    let plan = guard(proposed, desired, &observed, memory, options, Now::of(port, clock).earliest());
    Ok((!plan.changes.is_empty()).then_some(Planned { observed, plan }))
}

/// Plans on an organization that was read before: no AWS call.
#[must_use]
pub fn plan_offline(
    desired: &Desired,
    observed: Observed,
    memory: &Memory,
    options: &Options,
    now: Timestamp,
) -> Planned {
    let proposed = propose(desired, &observed, memory, options, now);
    let plan = guard(proposed, desired, &observed, memory, options, now);
    Planned { observed, plan }
}

fn propose(
    desired: &Desired,
    observed: &Observed,
    memory: &Memory,
    options: &Options,
    now: Timestamp,
) -> Plan<Proposed> {
    let asked = plan::Options { prune: options.prune, deleted: options.deleted.clone() };
    span("plan").in_scope(|| plan::propose(desired, observed, memory, &asked, now).0)
}

/// Checks that an organization is the one that the manifests are for.
///
/// # Errors
/// It is not, or it lacks all features.
pub fn check_organization(desired: &Desired, observed: &Observed) -> Result<(), PassError> {
    let (found, declared) = (&observed.organization.management_account, &desired.organization.spec.management_account);
    if found != declared {
        return Err(PassError::WrongOrganization { found: found.clone(), declared: declared.clone() });
    }
    if !observed.organization.all_features {
        return Err(PassError::NotAllFeatures { id: observed.organization.id.to_string() });
    }
    match plan::bind::foreign_ids(desired, observed) {
        Some(why) => Err(PassError::ForeignIds {
            why,
            organization: observed.organization.id.to_string(),
            management: found.clone(),
        }),
        None => Ok(()),
    }
}

/// Reads again what a first plan touches and what guards it, where that is older than this pass, and proposes on that.
async fn freshen(
    port: &dyn Port,
    desired: &Desired,
    observed: Observed,
    memory: &Memory,
    options: &Options,
    since: Timestamp,
    clock: Clock<'_>,
) -> Result<(Observed, Plan<Proposed>), AwsError> {
    let mut observed = observed;
    let unasked = plan::fresh::unasked(desired, &observed);
    if !unasked.is_empty() {
        observed = refresh(port, observed, unasked, clock).instrument(span("observe")).await?;
    }
    let mut proposed = propose(desired, &observed, memory, options, Now::of(port, clock).earliest());
    // What is read again can make another plan, which touches something else.
    for _ in 0..FRESHENINGS {
        let requests = plan::fresh::stale(&proposed, &observed, since);
        if requests.is_empty() {
            return Ok((observed, proposed));
        }
        let before = plan::fresh::Before::of(&requests, &observed);
        observed = refresh(port, observed, requests, clock).instrument(span("observe")).await?;
        if !before.is_some_and(|before| before.holds(&observed)) {
            proposed = propose(desired, &observed, memory, options, Now::of(port, clock).earliest());
        }
    }
    // Something changes as fast as it is read: nothing old is left.
    let observed = read(port, &wants(desired, options), None, clock).await?;
    let proposed = propose(desired, &observed, memory, options, Now::of(port, clock).earliest());
    Ok((observed, proposed))
}

/// Rounds of reading again what a plan touches, before everything is read again.
const FRESHENINGS: usize = 4;

/// What came of applying a plan.
#[derive(Debug, Clone)]
pub struct Report {
    /// What came of each change.
    pub applied: Applied,
    /// The plan that is left after it, on what was read again; empty where all is as declared.
    pub left: Plan<Guarded>,
    /// Reading again failed: the plan that is left rests on what AWS answered to the writes.
    pub unverified: Option<AwsError>,
}

/// Why nothing was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// `mode: Observe`.
    #[error("`spec.mode` is `Observe`: nothing is written")]
    Observes,
    /// The organization is suspended.
    #[error("the Organization is suspended (`spec.suspend`): nothing is written")]
    Suspended,
    /// No lease.
    #[error(transparent)]
    Lease(#[from] LeaseError),
}

/// [`apply_holding`] under a lease of its own, which is given back.
///
/// # Errors
/// Where nothing may be written.
pub async fn apply_plan(
    port: &dyn Port,
    desired: &Desired,
    planned: Planned,
    memory: &mut Memory,
    options: &Options,
    control: Control<'_>,
) -> Result<Report, ApplyError> {
    let (clock, mut lease) = (control.clock, None);
    let report = apply_holding(port, desired, planned, memory, options, control, &mut lease).await;
    if let Some(lease) = lease
        && let Err(error) = lease.give_back(port, clock).await
    {
        tracing::warn!("the lease could not be given back, it runs out by itself: {error}");
    }
    report
}

/// Applies a plan, and reads what it touched again. The lease is taken where there is none, and is kept; it is `None`
/// afterwards where it was lost.
///
/// # Errors
/// Where nothing may be written; whatever was written is in the report.
pub async fn apply_holding(
    port: &dyn Port,
    desired: &Desired,
    planned: Planned,
    memory: &mut Memory,
    options: &Options,
    control: Control<'_>,
    held: &mut Option<Lease>,
) -> Result<Report, ApplyError> {
    if desired.organization.spec.mode == Mode::Observe {
        return Err(ApplyError::Observes);
    }
    if desired.organization.suspend {
        return Err(ApplyError::Suspended);
    }
    let clock = control.clock;
    let Planned { observed, plan } = planned;
    // A lease that could not be renewed stays the caller's: to be tried again, or to be given back.
    let lease = match held.as_mut() {
        Some(lease) => match lease.keep(port, clock).await {
            Ok(()) => held.take(),
            // As long as it counts, one failed renewal is no loss; each write asks for it again.
            Err(LeaseError::Aws(error)) if lease.holds(Now::of(port, clock)) => {
                tracing::info!("the lease could not be renewed yet: {error}");
                held.take()
            }
            Err(error @ LeaseError::Held { .. }) => {
                *held = None;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        },
        None => None,
    };
    let lease = match lease {
        Some(lease) => lease,
        None => Lease::take(port, &observed.root.id, control.who, clock).await?,
    };
    let now = || Now::of(port, clock).earliest();
    memory.grant(&plan.approved, now());
    let mut applied = apply(port, &plan, observed, lease, control).instrument(span("apply")).await;
    *held = applied.lease.take();
    let drift = applied
        .outcomes
        .iter()
        .filter(|(change, outcome)| change.reason == plan::Reason::Drift && *outcome == crate::apply::Outcome::Done);
    for (change, outcome) in &applied.outcomes {
        if let (plan::Action::CreateAccount { name, email, .. }, crate::apply::Outcome::Failed { error }) =
            (&change.action, outcome)
            && error.code == crate::aws::error::EMAIL_TAKEN
        {
            memory.turned_down(plan::memory::Mark::of_creation(&change.object, name, email), now());
        }
    }
    memory.corrected(drift.flat_map(|(change, _)| change.facts.clone()), now());
    let touched: Vec<&plan::Change> = applied.outcomes.iter().map(|(change, _)| change).collect();
    let requests = plan::fresh::touched(&touched, &applied.observed);
    let verified = refresh(port, applied.observed.clone(), requests, clock).instrument(span("verify")).await;
    let unverified = match verified {
        Ok(observed) => {
            applied.observed = observed;
            weighed(port, desired, &mut applied.observed, memory, options, clock).await
        }
        Err(error) => Some(error),
    };
    let Planned { observed, plan: left } = plan_offline(desired, applied.observed, memory, options, now());
    applied.observed = observed;
    memory.learn(&left.facts);
    Ok(Report { applied, left, unverified })
}

/// Reads what the changes that are left weigh and nobody has read: what is left is told by the rule that holds it back.
async fn weighed(
    port: &dyn Port,
    desired: &Desired,
    observed: &mut Observed,
    memory: &Memory,
    options: &Options,
    clock: Clock<'_>,
) -> Option<AwsError> {
    let left = propose(desired, observed, memory, options, clock());
    // Everything was read since then: only what was never read is asked for.
    let requests = plan::fresh::stale(&left, observed, Timestamp::MIN);
    if requests.is_empty() {
        return None;
    }
    match refresh(port, observed.clone(), requests, clock).instrument(span("verify")).await {
        Ok(read) => {
            *observed = read;
            None
        }
        Err(error) => Some(error),
    }
}
