//! One object's verdict, and the conditions that say it.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use crate::api::conditions::{DRIFTED, READY, REASON_CHANGED_OUTSIDE, REASON_OBSERVED, RECONCILING, STALLED};

/// Most characters of a condition's message (Kubernetes' limit is 32768); the rest is in the events and the log.
const LONGEST: usize = 1024;

/// Status of `Ready`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "Kubernetes' own words")]
pub enum Readiness {
    True,
    False,
    Unknown,
}

impl Readiness {
    /// As Kubernetes spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Who acts next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nobody has to.
    Nobody,
    /// bylaw goes on by itself: `Reconciling`.
    Bylaw,
    /// A person: `Stalled`.
    Person,
}

/// Is it so, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// `Ready`.
    pub ready: Readiness,
    /// One of [`crate::api::conditions`].
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// Who acts next.
    pub turn: Turn,
    /// What differs from what was last applied; `None`: nothing.
    pub drifted: Option<String>,
}

impl Verdict {
    /// The conditions, as kstatus reads them: `Ready` always, the others only when true. The time of a condition whose
    /// status is that of `before` stays.
    #[must_use]
    pub fn conditions(&self, before: &[Condition], generation: i64, now: Timestamp) -> Vec<Condition> {
        let condition = |[kind, status, reason, message]: [&str; 4]| {
            let same = before.iter().find(|c| c.type_ == kind && c.status == status);
            Condition {
                type_: kind.to_owned(),
                status: status.to_owned(),
                reason: reason.to_owned(),
                message: cut(message).into_owned(),
                observed_generation: Some(generation),
                last_transition_time: same.map_or(Time(now), |c| c.last_transition_time.clone()),
            }
        };
        self.told().map(condition).collect()
    }

    /// Whether these conditions, as an API server has them, say just this. Nothing is copied: it is asked of every object
    /// in every pass.
    #[must_use]
    pub fn is_said_by(&self, conditions: &[Value], generation: i64) -> bool {
        let says = |condition: &Value, [kind, status, reason, message]: [&str; 4]| {
            let is = |field: &str, word: &str| condition.get(field).and_then(Value::as_str) == Some(word);
            is("type", kind)
                && is("status", status)
                && is("reason", reason)
                && is("message", &cut(message))
                && condition.get("observedGeneration").and_then(Value::as_i64) == Some(generation)
                && condition.get("lastTransitionTime").is_some_and(Value::is_string)
        };
        conditions.len() == self.told().count() && conditions.iter().zip(self.told()).all(|(c, told)| says(c, told))
    }

    /// Type, status, reason and message of each condition.
    fn told(&self) -> impl Iterator<Item = [&str; 4]> {
        let turn = match self.turn {
            Turn::Nobody => None,
            Turn::Bylaw => Some(RECONCILING),
            Turn::Person => Some(STALLED),
        };
        let ready = [READY, self.ready.as_str(), self.reason, &self.message];
        let turn = turn.map(|kind| [kind, "True", self.reason, &self.message]);
        let reason = if self.reason == REASON_OBSERVED { REASON_OBSERVED } else { REASON_CHANGED_OUTSIDE };
        let drifted = self.drifted.as_deref().map(|drift| [DRIFTED, "True", reason, drift]);
        [Some(ready), turn, drifted].into_iter().flatten()
    }
}

/// At most [`LONGEST`] characters.
fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST || text.chars().count() <= LONGEST {
        return text.into();
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(turn: Turn) -> Verdict {
        Verdict { ready: Readiness::False, reason: "Refused", message: "no".into(), turn, drifted: None }
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_is_the_same() {
        let (then, now) = (Timestamp::from_second(1).unwrap(), Timestamp::from_second(2).unwrap());
        let before = verdict(Turn::Person).conditions(&[], 1, then);
        let after = Verdict { message: "still no".into(), ..verdict(Turn::Person) }.conditions(&before, 2, now);
        assert!(after.iter().all(|c| c.last_transition_time == Time(then) && c.observed_generation == Some(2)));
        let ready = Verdict { ready: Readiness::True, turn: Turn::Nobody, ..verdict(Turn::Nobody) };
        let ready = ready.conditions(&after, 2, now);
        assert_eq!(ready.len(), 1, "what is not true is not there");
        assert_eq!(ready[0].last_transition_time, Time(now));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(cut(&"ü".repeat(5000)).chars().count(), LONGEST);
        assert_eq!(cut("short"), "short");
    }
}
