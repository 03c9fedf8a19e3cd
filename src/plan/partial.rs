//! How a refusal reads where something is not known: which part of what, which call of AWS did not tell it, and what a
//! person can do about that.

use super::model::Refusal;
use crate::names::ObjectKey;
use crate::observed::{Gap, Part, Scope, Unknown};

/// Rule of every refusal for want of a reading.
pub(super) const RULE: &str = "partial-read";

/// Something that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partial {
    /// What, and why: the operation of AWS and its answer.
    pub(super) why: String,
    /// What to do about it, as a clause.
    pub(super) remedy: String,
}

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
        Self::told(&what, "be listed to the end", gap.unknown())
    }

    fn told(what: &str, verb: &str, unknown: Unknown<'_>) -> Self {
        match unknown {
            Unknown::Unread => Self {
                why: format!("{what} could not be told: not read yet"),
                remedy: "read it with `--fresh`, or take the snapshot again".into(),
            },
            Unknown::Lost { error, remedy } => Self {
                why: format!("{what} could not {verb}: {error}"),
                remedy: remedy.unwrap_or("run again when AWS answers").to_owned(),
            },
        }
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
        let remedy = self.remedy(until_then);
        Refusal { rule: RULE, object: object.clone(), message: self.why, remedy, changes: vec![], hash: None }
    }
}
