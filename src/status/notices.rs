//! What happened, told once: the Kubernetes Events of a pass.

use super::judge::Came;
use crate::names::ObjectKey;
use crate::plan::{Change, Reason, Verb};

/// How much a [`Notice`] weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "Kubernetes' own words")]
pub enum Weight {
    Normal,
    Warning,
}

/// One Event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// The object.
    pub object: ObjectKey,
    /// How much it weighs.
    pub weight: Weight,
    /// In CamelCase, a class of what happened.
    pub reason: &'static str,
    /// What bylaw did or would do, in CamelCase.
    pub action: &'static str,
    /// For people.
    pub note: String,
}

/// What is worth an Event: drift found and corrected, what was created, adopted, deleted, refused, and what failed.
#[must_use]
pub fn notices(came: &Came<'_>) -> Vec<Notice> {
    let Came::Planned { drift, left, outcomes, .. } = came else { return vec![] };
    let mut notices = vec![];
    for (change, outcome) in *outcomes {
        let done = outcome.is_success();
        if let Some((reason, action)) = class(change).filter(|_| done) {
            let note = format!("{}: {}", verb(change), change.reason.because());
            notices.push(Notice { object: change.object.clone(), weight: Weight::Normal, reason, action, note });
        } else if let crate::apply::Outcome::Stopped { why } = outcome {
            let note = format!("{} was not started: {why}", verb(change));
            let (reason, action) = ("Stopped", "Apply");
            notices.push(Notice { object: change.object.clone(), weight: Weight::Normal, reason, action, note });
        } else if let crate::apply::Outcome::Failed { error } = outcome {
            let note = format!("{} failed: {error}", verb(change));
            let (reason, action) = ("Failed", "Apply");
            notices.push(Notice { object: change.object.clone(), weight: Weight::Warning, reason, action, note });
        }
    }
    for drift in *drift {
        // First, since the note of an Event is cut where a document is long.
        let by = drift.by.as_ref().map(|by| format!("by {by}: ")).unwrap_or_default();
        let note = format!("{by}{}: wanted {}, found {}", drift.path, drift.wanted, drift.found);
        let (reason, action) = ("DriftFound", "Observe");
        notices.push(Notice { object: drift.object.clone(), weight: Weight::Warning, reason, action, note });
    }
    for refusal in &left.refusals {
        let hash = refusal.hash.as_ref().map(|hash| format!(" (hash {hash})")).unwrap_or_default();
        let note = format!("{}: {}{hash}", refusal.rule, refusal.message);
        let reason = if refusal.rule == "contested" { "Contested" } else { "Refused" };
        let (weight, action) = (Weight::Warning, "Plan");
        notices.push(Notice { object: refusal.object.clone(), weight, reason, action, note });
    }
    notices.sort();
    notices.dedup();
    notices
}

/// Reason and action of a change that was made, where it is worth telling.
fn class(change: &Change) -> Option<(&'static str, &'static str)> {
    Some(match (&change.reason, change.action.verb()) {
        (Reason::Drift, _) => ("DriftCorrected", "Correct"),
        (Reason::Adopted, _) => ("Adopted", "Adopt"),
        (_, Verb::Create) => ("Created", "Create"),
        (_, Verb::Delete) => ("Deleted", "Delete"),
        (_, Verb::Tag) => return None,
        _ => ("Updated", "Update"),
    })
}

fn verb(change: &Change) -> &'static str {
    match change.action.verb() {
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Delete => "delete",
        Verb::Attach => "attach",
        Verb::Detach => "detach",
        Verb::Move => "move",
        Verb::Tag => "tag",
        Verb::Enable => "enable",
    }
}
