//! How a refusal reads where something is not known: which part of what, which call of AWS did not tell it, and what a
//! person can do about that.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Refusal;
use crate::names::ObjectKey;
use crate::observed::{Gap, Part, Scope, Unknown};

/// Rule of every refusal for want of a reading.
pub(super) const RULE: &str = "partial-read";

/// Remedy where waiting is all there is.
const AGAIN: &str = "run again when AWS answers";

/// Something that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partial {
    /// What, and why: the operation of AWS and its answer.
    pub(super) why: String,
    /// What to do about it, as a clause.
    pub(super) remedy: String,
    /// The same without what it means for one object.
    cause: String,
}

/// A reading that failed, as it reads whatever rests on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// What could not be read, and AWS's answer.
    pub why: String,
    /// What to do about it, as a clause.
    pub remedy: String,
}

/// Tells a reading that failed once, whatever number of objects it holds back: of refusals with the same cause one is left,
/// which names them.
pub(super) fn told_once(refusals: Vec<Refusal>, organization: &ObjectKey) -> Vec<Refusal> {
    let mut by_cause: BTreeMap<Cause, Vec<Refusal>> = BTreeMap::new();
    let mut told: Vec<Refusal> = vec![];
    for refusal in refusals {
        match &refusal.cause {
            Some(cause) => by_cause.entry(cause.clone()).or_default().push(refusal),
            None => told.push(refusal),
        }
    }
    let folded = by_cause.into_iter().filter_map(|(cause, same)| {
        let objects: BTreeSet<&ObjectKey> =
            same.iter().flat_map(|refusal| std::iter::once(&refusal.object).chain(&refusal.objects)).collect();
        if objects.len() < 2 {
            let (object, message) = (same.first()?.object.clone(), same.first()?.message.clone());
            let (remedy, changes) =
                (same.first()?.remedy.clone(), same.into_iter().flat_map(|of| of.changes).collect());
            let objects = vec![];
            return Some(Refusal {
                rule: RULE,
                object,
                message,
                remedy,
                changes,
                hash: None,
                objects,
                cause: Some(cause),
            });
        }
        let shown: Vec<String> = objects.iter().take(MOST_NAMED).map(|object| format!("`{object}`")).collect();
        let more = objects.len().saturating_sub(shown.len());
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let held = format!("it holds back what {} objects are declared to be", objects.len());
        Some(Refusal {
            rule: RULE,
            object: organization.clone(),
            message: format!("{}; {held}: {}{more}", cause.why, shown.join(", ")),
            remedy: format!("{}; nothing that rests on a partial reading is changed", cause.remedy),
            objects: objects.into_iter().cloned().collect(),
            changes: same.iter().flat_map(|refusal| refusal.changes.clone()).collect(),
            hash: None,
            cause: Some(cause),
        })
    });
    told.extend(folded);
    told
}

/// Objects that one message names.
const MOST_NAMED: usize = 10;

impl Partial {
    /// `what`: a noun phrase or clause with the AWS object in it (``the tags of `ou-…` ``, `where … is attached`).
    pub(super) fn of(what: &str, unknown: Unknown<'_>) -> Self {
        Self::told(what, "be read", unknown)
    }

    /// The part of `what` that is not known; `None` where it is.
    pub(super) fn part<T>(what: &str, part: &Part<T>) -> Option<Self> {
        part.unknown().map(|unknown| Self::of(what, unknown))
    }

    /// A list that ended early.
    pub(super) fn gap(gap: &Gap) -> Self {
        let what = match &gap.scope {
            Scope::Accounts => "the accounts".to_owned(),
            Scope::UnitsBelow(node) => format!("what is below `{node}`"),
            Scope::Policies(kind) => format!("the policies of type `{kind}`"),
        };
        Self::told(&what, "be listed in full", gap.unknown())
    }

    fn told(what: &str, verb: &str, unknown: Unknown<'_>) -> Self {
        match unknown {
            Unknown::Unread => Self::new(
                format!("{what} could not be told: not read yet"),
                "read it with `--fresh`, or take the snapshot again",
            ),
            Unknown::Lost { error, remedy } => {
                Self::new(format!("{what} could not {verb}: {error}"), remedy.unwrap_or(AGAIN))
            }
        }
    }

    fn new(why: String, remedy: &str) -> Self {
        Self { cause: why.clone(), why, remedy: remedy.to_owned() }
    }

    /// What AWS left out without an error.
    pub(super) fn unsaid(why: &str) -> Self {
        Self::new(why.to_owned(), AGAIN)
    }

    pub(super) fn cause(&self) -> Cause {
        Cause { why: self.cause.clone(), remedy: self.remedy.clone() }
    }

    /// The same with what it means before what it is.
    pub(super) fn so(self, consequence: &str) -> Self {
        Self { why: format!("{consequence}: {}", self.why), ..self }
    }

    /// The remedy with what is not done until then.
    pub(super) fn remedy(&self, until_then: &str) -> String {
        format!("{}; {until_then}", self.remedy)
    }

    pub(super) fn refusal(self, object: &ObjectKey, until_then: &str) -> Refusal {
        let (remedy, cause) = (self.remedy(until_then), Some(self.cause()));
        let (object, message, changes, objects) = (object.clone(), self.why, vec![], vec![]);
        Refusal { rule: RULE, object, message, remedy, changes, hash: None, objects, cause }
    }
}
