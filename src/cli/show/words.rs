//! The words of both tables: stages, kinds of changes, times and counts.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

pub(super) use crate::names::words::{count, grouped};
use crate::plan::{Reason, Stage, Verb};

/// Heading of a stage.
pub(super) fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Enable => "Switch on policy types and trusted services",
        Stage::Units => "Create and rename OUs, parents first",
        Stage::Policies => "Create policies, and make policies stricter",
        Stage::Attach => "Attach policies, before anything is detached",
        Stage::Move => "Move accounts",
        Stage::Narrow => "Change policies that lose a deny or allow more, now that everything that guards is in place",
        Stage::Detach => "Detach policies",
        Stage::Details => "Write tags, contacts, names and delegation",
        Stage::Accounts => "Create accounts, and set up each",
        Stage::Delete => "Delete, children first",
    }
}

/// How a kind of change is marked, and counted in the summary.
pub(super) struct VerbWords {
    pub(super) verb: Verb,
    pub(super) symbol: char,
    pub(super) counted: &'static str,
    /// Counted even where there is none.
    pub(super) always: bool,
}

const fn verb(verb: Verb, symbol: char, counted: &'static str, always: bool) -> VerbWords {
    VerbWords { verb, symbol, counted, always }
}

/// Every kind of change, in the order of the summary.
pub(super) const VERBS: [VerbWords; 8] = [
    verb(Verb::Enable, '●', "to enable", false),
    verb(Verb::Create, '+', "to create", true),
    verb(Verb::Update, '~', "to update", true),
    verb(Verb::Attach, '⇒', "to attach", false),
    verb(Verb::Detach, '⇏', "to detach", false),
    verb(Verb::Move, '→', "to move", false),
    verb(Verb::Tag, '#', "to tag", false),
    verb(Verb::Delete, '-', "to delete", true),
];

/// Mark of a kind of change.
pub(super) fn symbol(verb: Verb) -> char {
    VERBS.iter().find(|words| words.verb == verb).map_or('?', |words| words.symbol)
}

/// Why a change is in the plan: the half sentence after "because".
pub(super) fn because(reason: &Reason, verb: Verb) -> &'static str {
    match (reason, verb) {
        (Reason::NotDeclared, Verb::Detach) => "attached here, and no manifest attaches it",
        (Reason::Missing, Verb::Attach) => "declared, and not attached in AWS",
        (Reason::Differs, Verb::Attach) => "declared, and not attached in AWS",
        (Reason::Differs, Verb::Detach) => "declared here no more",
        (Reason::Differs, Verb::Enable) => "declared, and off in AWS",
        (Reason::Differs, Verb::Move) => "declared elsewhere",
        (Reason::Differs, Verb::Tag) => "declared otherwise",
        (Reason::Missing, Verb::Move | Verb::Update) => "part of the new account",
        _ => reason.because(),
    }
}

/// How long something takes: `less than a second`, `about 24 s`, `about 6 min`, `about 2 h 10 min`.
pub(super) fn about(seconds: u64) -> String {
    match seconds {
        0 => "a second or two".into(),
        1..120 => format!("about {seconds} s"),
        120..7200 => format!("about {} min", seconds.div_ceil(60)),
        _ => format!("about {} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// How old something is: `just now`, `3 min ago`, `5 h ago`, `2 days ago`.
pub(super) fn age(of: Timestamp, now: Timestamp) -> String {
    let age = now.duration_since(of).max(SignedDuration::ZERO);
    match age.as_secs() {
        0..60 => "just now".into(),
        60..7200 => format!("{} min ago", age.as_mins()),
        7200..172_800 => format!("{} h ago", age.as_hours()),
        _ => format!("{} days ago", age.as_hours() / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(
            [about(0), about(24), about(121), about(7_800)],
            ["a second or two", "about 24 s", "about 3 min", "about 2 h 10 min"]
        );
        let then = Timestamp::UNIX_EPOCH;
        let after = |seconds| age(then, then + SignedDuration::from_secs(seconds));
        assert_eq!(
            [after(-5), after(59), after(3_600), after(7_200), after(200_000)],
            ["just now", "just now", "60 min ago", "2 h ago", "2 days ago"]
        );
    }

    #[test]
    fn every_kind_of_change_has_its_own_mark() {
        let marks: std::collections::BTreeSet<char> = VERBS.iter().map(|words| words.symbol).collect();
        assert_eq!(marks.len(), VERBS.len());
    }
}
