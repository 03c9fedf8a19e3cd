//! What a pass means for each object.

use std::collections::{BTreeMap, BTreeSet};

use super::verdict::{Readiness, Turn, Verdict};
use crate::api::conditions as reasons;
use crate::apply::Outcome;
use crate::apply::lease::LeaseError;
use crate::aws::{AwsError, ErrorClass};
use crate::desired::{Desired, Issue, NodeKey, Severity};
use crate::names::{Kind, NodeId, ObjectKey};
use crate::observed::{Observed, Part, Scope};
use crate::pass::{ApplyError, PassError};
use crate::plan::bind::Binding;
use crate::plan::{Change, Drift, Guarded, Plan, Refusal};

/// How far a pass came.
#[derive(Debug, Clone, Copy)]
pub enum Came<'a> {
    /// There is no usable `Organization` object.
    Nowhere,
    /// There is no plan.
    Unplanned(&'a PassError),
    /// There is a plan, and what came of it.
    Planned {
        /// What had changed outside bylaw when the pass began.
        drift: &'a [Drift],
        /// What is left to do, judged on what was read last.
        left: &'a Plan<Guarded>,
        /// The organization as read last.
        observed: &'a Observed,
        /// What came of each change.
        outcomes: &'a [(Change, Outcome)],
        /// Why nothing was applied, if so.
        unapplied: Option<&'a ApplyError>,
    },
}

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The organization as declared, if it could be built.
    pub desired: Option<&'a Desired>,
    /// Everything wrong with the objects.
    pub issues: &'a [Issue],
    /// How far the pass came.
    pub came: Came<'a>,
    /// Objects that somebody deleted, and whose counterpart in AWS is to go first.
    pub deleted: &'a BTreeSet<ObjectKey>,
    /// What each object is in AWS, as far as there is a plan.
    pub binding: &'a Binding,
}

/// A verdict for every object of `keys` of which something new is known. The others keep theirs: those of a pass without a
/// plan, and those that are suspended.
#[must_use]
pub fn judge<'k>(subject: &Subject<'_>, keys: impl IntoIterator<Item = &'k ObjectKey>) -> BTreeMap<ObjectKey, Verdict> {
    let index = Index::of(subject);
    let verdicts: BTreeMap<ObjectKey, Verdict> =
        keys.into_iter().filter_map(|key| Some((key.clone(), index.verdict(key)?))).collect();
    with_count(verdicts)
}

/// An Organization is ready where its objects are: whoever waits for it waits for them.
fn with_count(mut verdicts: BTreeMap<ObjectKey, Verdict>) -> BTreeMap<ObjectKey, Verdict> {
    let others = || verdicts.iter().filter(|(key, _)| key.kind != Kind::Organization);
    let all = others().count();
    let odd: Vec<(&ObjectKey, &Verdict)> = others().filter(|(_, verdict)| verdict.ready != Readiness::True).collect();
    let first = odd.iter().min_by_key(|(_, verdict)| verdict.turn != Turn::Person);
    let first = first.map(|(key, verdict)| format!("`{key}` ({})", verdict.reason));
    let theirs = |turn: Turn| odd.iter().any(|(_, verdict)| verdict.turn == turn);
    let turn = [Turn::Bylaw, Turn::Person].into_iter().find(|turn| theirs(*turn)).unwrap_or(Turn::Nobody);
    let odd = odd.len();
    let differ = others().filter(|(_, verdict)| verdict.reason == reasons::REASON_OBSERVED).count();
    for (_, verdict) in verdicts.iter_mut().filter(|(key, _)| key.kind == Kind::Organization) {
        if verdict.ready != Readiness::True {
            continue;
        }
        if differ > 0 {
            let message = format!(
                "{differ} of its {all} objects are not so in AWS, which is left as it is (`spec.mode` is `Observe`)"
            );
            *verdict = observed(message);
        }
        if let Some(first) = &first {
            let message = format!("{odd} of its {all} objects are not ready, such as {first}");
            let (ready, reason) = (Readiness::False, reasons::REASON_OBJECTS);
            *verdict = Verdict { ready, reason, message, turn, drifted: verdict.drifted.take() };
        }
    }
    verdicts
}

/// What is known, by object.
struct Index<'a> {
    subject: &'a Subject<'a>,
    issues: BTreeMap<&'a str, Vec<&'a Issue>>,
    refusals: BTreeMap<&'a ObjectKey, &'a Refusal>,
    outcomes: BTreeMap<&'a ObjectKey, Vec<&'a Outcome>>,
    changes: BTreeMap<&'a ObjectKey, usize>,
    drift: BTreeMap<&'a ObjectKey, Vec<&'a Drift>>,
    broken: BTreeSet<&'a ObjectKey>,
}

impl<'a> Index<'a> {
    fn of(subject: &'a Subject<'a>) -> Self {
        let mut index = Self {
            subject,
            issues: BTreeMap::new(),
            refusals: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            changes: BTreeMap::new(),
            drift: BTreeMap::new(),
            broken: BTreeSet::new(),
        };
        let broken = subject.desired.iter().flat_map(|desired| &desired.broken);
        index.broken.extend(broken.filter_map(|broken| broken.key.as_ref()));
        for issue in subject.issues.iter().filter(|issue| issue.severity == Severity::Error) {
            index.issues.entry(issue.object.as_deref().unwrap_or_default()).or_default().push(issue);
        }
        let Came::Planned { left, outcomes, .. } = subject.came else { return index };
        for refusal in &left.refusals {
            let held = refusal.changes.iter().map(|change| &change.object).chain(&refusal.objects);
            for key in std::iter::once(&refusal.object).chain(held) {
                index.refusals.entry(key).or_insert(refusal);
            }
        }
        for (change, outcome) in outcomes {
            index.outcomes.entry(&change.object).or_default().push(outcome);
        }
        for change in &left.changes {
            *index.changes.entry(&change.object).or_default() += 1;
        }
        for drift in &left.drift {
            index.drift.entry(&drift.object).or_default().push(drift);
        }
        index
    }

    fn verdict(&self, key: &ObjectKey) -> Option<Verdict> {
        if let Some(invalid) = self.invalid(key) {
            return Some(invalid);
        }
        let (observed, unapplied) = match self.subject.came {
            Came::Nowhere => {
                let message = "there is no Organization object that can be used";
                return (key.kind != Kind::Organization).then(|| waiting(message.into()));
            }
            Came::Unplanned(error) => {
                return if key.kind == Kind::Organization { Some(unplanned(error)) } else { self.going(key) };
            }
            Came::Planned { observed, unapplied, .. } => (observed, unapplied),
        };
        if self.is_suspended(key) {
            return None;
        }
        let drifted = self.drift.get(key).map(|drift| told(drift));
        let observes = matches!(unapplied, Some(ApplyError::Observes));
        let verdict = self
            .refusals
            .get(key)
            .map(|refusal| if observes && refusal.is_difference() { would_be(refusal) } else { refused(refusal) })
            .or_else(|| self.outcome(key))
            .or_else(|| self.undone(key, unapplied))
            .or_else(|| self.going(key))
            .or_else(|| self.unread(key, observed))
            .or_else(|| self.unattached(key, observed))
            .unwrap_or_else(|| Verdict {
                ready: Readiness::True,
                reason: reasons::REASON_SUCCEEDED,
                message: self.as_declared(key),
                turn: Turn::Nobody,
                drifted: None,
            });
        let verdict = match self.going(key) {
            // What is to be gone is not ready while it is there.
            Some(going) if verdict.ready == Readiness::True => going,
            _ => verdict,
        };
        // In `mode: Observe` a difference is all that there is to be told, and no failure of the object.
        let differs = verdict.drifted.clone().filter(|_| verdict.reason == reasons::REASON_OBSERVED);
        Some(Verdict { drifted: drifted.or(differs), ..verdict })
    }

    /// What is not declared at all stands beside it, at the Organization.
    fn as_declared(&self, key: &ObjectKey) -> String {
        let told = match self.subject.came {
            Came::Planned { left, .. } if key.kind == Kind::Organization => left.undeclared.told(),
            _ => None,
        };
        format!("AWS is as declared{}", told.map(|told| format!("; {told}")).unwrap_or_default())
    }

    fn invalid(&self, key: &ObjectKey) -> Option<Verdict> {
        let label = key.to_string();
        if let Some(issues) = self.issues.get(label.as_str()) {
            let first = issues.first()?;
            let field = if first.field.is_empty() { String::new() } else { format!("`{}`: ", first.field) };
            let help = first.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            let more = issues.len() - 1;
            let more = if more == 0 { String::new() } else { format!("; and {more} more") };
            let message = format!("{field}{}{help}{more}", first.message);
            return Some(stalled(reasons::REASON_INVALID, message));
        }
        let message = "it depends on an object that cannot be used; what is in AWS is left as it is";
        self.broken.contains(key).then(|| waiting(message.into()))
    }

    fn going(&self, key: &ObjectKey) -> Option<Verdict> {
        let message =
            "it was deleted, and its counterpart in AWS is being deleted; `deletionPolicy: Retain` lets go of it";
        self.subject.deleted.contains(key).then(|| waiting(message.into()))
    }

    fn is_suspended(&self, key: &ObjectKey) -> bool {
        let suspended = self.subject.desired.and_then(|desired| desired.is_suspended(key));
        key.kind != Kind::Organization && suspended == Some(true)
    }

    /// What went wrong with the object's changes, the worst first.
    fn outcome(&self, key: &ObjectKey) -> Option<Verdict> {
        let outcomes = self.outcomes.get(key)?;
        let failed = outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Failed { error } | Outcome::Unknown { error } => Some(aws(error)),
            _ => None,
        });
        let open = || {
            outcomes.iter().find_map(|outcome| match outcome {
                Outcome::Waiting { what } => Some(waiting(what.clone())),
                Outcome::Blocked { why } => Some(waiting(why.clone())),
                Outcome::Stopped { why } => Some(waiting(format!("a change was not started: {why}; it plans again"))),
                Outcome::Changed { found } => {
                    Some(waiting(format!("AWS changed while bylaw was at work: {found}; it looks again")))
                }
                _ => None,
            })
        };
        failed.or_else(open)
    }

    /// Changes that are left, and why.
    fn undone(&self, key: &ObjectKey, unapplied: Option<&ApplyError>) -> Option<Verdict> {
        let count = *self.changes.get(key)?;
        let what = if count == 1 { "1 change is".to_owned() } else { format!("{count} changes are") };
        Some(match unapplied {
            Some(why @ ApplyError::Observes) => observed(format!("{what} needed; {why}")),
            Some(why @ ApplyError::Suspended) => {
                Verdict { turn: Turn::Nobody, ..stalled(reasons::REASON_SUSPENDED, format!("{what} needed; {why}")) }
            }
            // Until when, changes with each of its renewals, and would be written with each.
            Some(ApplyError::Lease(LeaseError::Held { holder, .. })) => {
                waiting(format!("{what} needed; `{holder}` writes to this organization"))
            }
            Some(why) => waiting(format!("{what} needed; {why}")),
            None => waiting(format!("{what} left for the next pass")),
        })
    }

    /// A declared attachment that is not there, whatever the reason: what is not attached guards nothing.
    fn unattached(&self, key: &ObjectKey, observed: &Observed) -> Option<Verdict> {
        let desired = self.subject.desired?;
        let policy = desired.policies.get(&key.name).filter(|_| key.kind == Kind::OrganizationPolicy)?;
        let bound = self.subject.binding.policies.get(&key.name)?.id()?;
        let attached = observed.policies.get(bound)?.targets.get()?;
        let node = |target: &NodeKey| {
            let left = target.object().is_some_and(|object| desired.is_suspended(&object) != Some(false));
            self.subject.binding.node(target, observed).filter(|_| !left)
        };
        let missing =
            policy.spec.targets.iter().find(|target| node(target).is_some_and(|id| !attached.contains(&id)))?;
        let message = format!("it is not attached to `{missing}`, and nothing of the plan attaches it");
        Some(Verdict { turn: Turn::Nobody, ..waiting(message) })
    }

    /// What of its counterpart in AWS could not be read.
    fn unread(&self, key: &ObjectKey, observed: &Observed) -> Option<Verdict> {
        let unknown = |what: &str, why: &str| Verdict {
            ready: Readiness::Unknown,
            reason: reasons::REASON_UNREADABLE,
            message: format!("{what} could not be read: {why}"),
            turn: Turn::Bylaw,
            drifted: None,
        };
        let part = |what: &str, error: Option<&str>| error.map(|why| unknown(what, why));
        let node = |id: &NodeId| observed.tags(id).and_then(|tags| part("its tags", tags.error()));
        let found = match key.kind {
            Kind::Organization => part("the tags of the root", observed.root.tags.error()),
            Kind::OrganizationalUnit => {
                let id = self.subject.binding.units.get(&key.name).and_then(|bound| bound.id());
                id.and_then(|id| node(&NodeId::Unit(id.clone())))
            }
            Kind::Account => {
                let id = self.subject.binding.accounts.get(&key.name).and_then(|bound| bound.id());
                id.and_then(|id| {
                    let contacts = observed.accounts.get(id).into_iter().flat_map(|account| account.contacts.values());
                    let contacts = contacts.filter_map(Part::error).next();
                    node(&NodeId::Account(id.clone())).or_else(|| part("its contacts", contacts))
                })
            }
            Kind::OrganizationPolicy => {
                let id = self.subject.binding.policies.get(&key.name).and_then(|bound| bound.id());
                id.and_then(|id| observed.policies.get(id)).and_then(|policy| {
                    part("its document", policy.content.error())
                        .or_else(|| part("its tags", policy.tags.error()))
                        .or_else(|| part("where it is attached", policy.targets.error()))
                })
            }
        };
        let gap = |gap: &crate::observed::Gap| {
            let concerns = match (&gap.scope, key.kind) {
                (_, Kind::Organization) => true,
                (Scope::Accounts, Kind::Account) => true,
                (Scope::UnitsBelow(_), Kind::OrganizationalUnit | Kind::Account) => true,
                (Scope::Policies(kind), Kind::OrganizationPolicy) => {
                    let desired = self.subject.desired.and_then(|desired| desired.policies.get(&key.name));
                    desired.is_some_and(|policy| policy.spec.kind == *kind)
                }
                _ => false,
            };
            concerns.then(|| unknown("a part of the organization", &gap.error))
        };
        found.or_else(|| observed.gaps.iter().find_map(gap))
    }
}

/// What the pass came to say of an object that nobody keeps.
#[must_use]
pub fn without_organization() -> Verdict {
    let message = "there is no Organization: nothing is done for the object, and what it is in AWS is left as it is";
    Verdict { reason: reasons::REASON_NO_ORGANIZATION, ..waiting(message.into()) }
}

/// What is said while the objects of `kind` cannot be listed.
#[must_use]
pub fn unlisted(kind: Kind, why: &str) -> Verdict {
    let message = format!("the `{kind}` objects cannot be listed, and nothing is planned before they are: {why}");
    Verdict { ready: Readiness::Unknown, reason: reasons::REASON_UNLISTED, ..waiting(message) }
}

/// A difference that is told and left: with `mode: Observe` that is what was asked for.
fn observed(message: String) -> Verdict {
    let (ready, reason) = (Readiness::True, reasons::REASON_OBSERVED);
    Verdict { ready, reason, turn: Turn::Nobody, drifted: Some(message.clone()), message }
}

/// What would be refused if it were not only told.
fn would_be(refusal: &Refusal) -> Verdict {
    observed(format!(
        "changes are needed that would be refused ({}: {}); {}",
        refusal.rule,
        refusal.message,
        ApplyError::Observes
    ))
}

fn stalled(reason: &'static str, message: String) -> Verdict {
    Verdict { ready: Readiness::False, reason, message, turn: Turn::Person, drifted: None }
}

fn waiting(message: String) -> Verdict {
    Verdict { ready: Readiness::False, reason: reasons::REASON_WAITING, message, turn: Turn::Bylaw, drifted: None }
}

/// An error that waiting can mend is bylaw's to try again; the others are a person's.
fn aws(error: &AwsError) -> Verdict {
    let turn = match error.class {
        ErrorClass::Throttled
        | ErrorClass::Busy
        | ErrorClass::Unknown
        | ErrorClass::Credentials
        | ErrorClass::NotFound
        | ErrorClass::AlreadyDone
        // Whoever has the right to write goes on.
        | ErrorClass::Unsent => Turn::Bylaw,
        ErrorClass::Denied | ErrorClass::Constraint | ErrorClass::Invalid | ErrorClass::Exists => Turn::Person,
    };
    let remedy = error.remedy().map(|remedy| format!("; {remedy}")).unwrap_or_default();
    let message = format!("{error}{remedy}");
    Verdict { ready: Readiness::False, reason: reasons::REASON_AWS_ERROR, message, turn, drifted: None }
}

fn unplanned(error: &PassError) -> Verdict {
    match error {
        PassError::Aws(error) => aws(error),
        _ => {
            let remedy = error.remedy().map(|remedy| format!("; {remedy}")).unwrap_or_default();
            stalled(reasons::REASON_INVALID, format!("{error}{remedy}"))
        }
    }
}

fn refused(refusal: &Refusal) -> Verdict {
    let approval = refusal.hash.as_ref().map(|hash| format!("; hash {hash}")).unwrap_or_default();
    let message = format!("{}: {}; {}{approval}", refusal.rule, refusal.message, refusal.remedy);
    match refusal.rule {
        "contested" => stalled(reasons::REASON_CONTESTED, message),
        "hold" => stalled(reasons::REASON_HELD, message),
        // What was not read is read again by the next pass.
        "partial-read" => {
            Verdict { ready: Readiness::Unknown, turn: Turn::Bylaw, ..stalled(reasons::REASON_UNREADABLE, message) }
        }
        _ => stalled(reasons::REASON_REFUSED, message),
    }
}

fn told(drift: &[&Drift]) -> String {
    let by = |drift: &Drift| drift.by.as_ref().map(|by| format!("by {by}: ")).unwrap_or_default();
    let one = |drift: &&Drift| format!("{}{}: wanted {}, found {}", by(drift), drift.path, drift.wanted, drift.found);
    let shown: Vec<String> = drift.iter().take(5).map(one).collect();
    let more = drift.len().saturating_sub(5);
    let more = if more == 0 { String::new() } else { format!("; and {more} more") };
    format!("{}{more}", shown.join("; "))
}
