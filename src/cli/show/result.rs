//! What `apply` did, for people.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Context;
use super::plan::{Page, Paint, beside, rests, summary};
use super::safe::{clipped, plain};
use super::view::{Names, View};
use super::words;
use crate::apply::Outcome;
use crate::desired::Desired;
use crate::names::AccountId;
use crate::pass::{Planned, Report};
use crate::plan::{Action, Change};

/// Changes without success that are shown one by one.
const MOST_SHOWN: usize = 50;

/// An outcome in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its name for people.
    pub words: &'static str,
    /// Why, where the change is not in place.
    pub message: Option<String>,
    /// What to do, where the change is not in place.
    pub remedy: Option<String>,
    /// AWS's request id.
    pub request_id: Option<String>,
}

/// Says what came of a change, and what to do next.
#[must_use]
pub fn tell(outcome: &Outcome) -> Told {
    let told = |name, words| Told { name, words, message: None, remedy: None, request_id: None };
    let again = "run `bylaw apply` again: it looks first, and writes only what is still needed";
    match outcome {
        Outcome::Done => told("done", "done"),
        Outcome::AlreadyDone => told("alreadyDone", "was so already"),
        Outcome::Changed { found } => Told {
            message: Some(format!("AWS is no longer as the plan found it: {found}")),
            remedy: Some("plan again, and see whether it is still what you want".into()),
            ..told("changed", "not written")
        },
        Outcome::Failed { error } => Told {
            message: Some(error.to_string()),
            remedy: error.remedy().or_else(|| Some("plan again: AWS is not as it was read".into())),
            request_id: error.request_id.clone(),
            ..told("failed", "failed")
        },
        Outcome::Unknown { error } => Told {
            message: Some(format!("it is not known whether AWS did it: {error}")),
            remedy: Some(again.into()),
            request_id: error.request_id.clone(),
            ..told("unknown", "unknown")
        },
        Outcome::Waiting { what } => Told {
            message: Some(format!("under way in AWS: {what}")),
            remedy: Some(
                "run `bylaw apply` again in some minutes: it goes on where this ended, and makes nothing twice".into(),
            ),
            ..told("waiting", "under way")
        },
        Outcome::Blocked { why } => Told {
            message: Some(why.clone()),
            remedy: Some("mend what failed before it, then run again".into()),
            ..told("blocked", "held back")
        },
        Outcome::Stopped { why } => Told {
            message: Some(why.clone()),
            remedy: Some("plan again, and see what is still wanted".into()),
            ..told("stopped", "not started")
        },
        Outcome::NotStarted => Told {
            message: None,
            remedy: Some("the next run goes on with it".into()),
            ..told("notStarted", "not started")
        },
    }
}

/// AWS is as declared: every change is in place, nothing is left or refused, and that was read from AWS.
#[must_use]
pub fn converged(report: &Report) -> bool {
    let whole = report.unverified.is_none() && report.applied.observed.gaps.is_empty();
    report.applied.is_success() && report.left.is_empty() && whole
}

/// Writes what came of each change, what is left, and whether AWS is now as declared. `planned` is what was applied.
///
/// # Errors
/// Those of `out`.
pub fn text(
    report: &Report,
    planned: &Planned,
    desired: &Desired,
    context: &Context,
    colour: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let paint = Paint(colour);
    let names = Names::new(desired, &planned.observed);
    let view = View::of(&planned.plan, &names);
    let what: BTreeMap<u32, &str> = view.items.iter().map(|item| (item.change.id, item.what.as_str())).collect();
    let what = |id: u32| what.get(&id).copied().unwrap_or_default();
    let outcomes = &report.applied.outcomes;
    let made = made(report);
    // The plan was shown before: of what is in place only what it could not tell.
    let news = |(change, outcome): &&(Change, Outcome)| {
        outcome.is_success() && (*outcome != Outcome::Done || made.contains_key(&change.id))
    };
    let all_news = outcomes.iter().filter(news).count();
    for (change, outcome) in outcomes.iter().filter(news).take(MOST_SHOWN) {
        let told = tell(outcome);
        let mark = if *outcome == Outcome::Done { paint.green("✓") } else { paint.dim("=") };
        let words = if *outcome == Outcome::Done { String::new() } else { format!(": {}", told.words) };
        let id = made.get(&change.id).map(|id| format!(": {id}")).unwrap_or_default();
        writeln!(out, "{:>5} {mark} {}{id}{words}", change.id, what(change.id))?;
    }
    more(out, all_news, "that are in place")?;

    let not_started = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::NotStarted).count();
    let told: Vec<_> = outcomes
        .iter()
        .filter(|(_, o)| !o.is_success() && *o != Outcome::NotStarted)
        .map(|(c, o)| (c, tell(o)))
        .collect();
    for (change, told) in told.iter().take(MOST_SHOWN) {
        let mark = if told.name == "waiting" { paint.yellow("…") } else { paint.red("✗") };
        writeln!(out, "{:>5} {mark} {}: {}", change.id, what(change.id), told.words)?;
        if let Some(message) = &told.message {
            writeln!(out, "        {}", clipped(&plain(message), 1_000))?;
        }
        if let Some(remedy) = &told.remedy {
            writeln!(out, "        to do: {}", plain(remedy))?;
        }
    }
    more(out, told.len(), "that are not in place")?;
    if not_started > 0 {
        writeln!(out, "        {} not started", words::count(not_started, "change"))?;
    }
    writeln!(out, "\n{}", paint.bold(&closing(report, context)))?;
    if !converged(report) && !report.left.is_empty() {
        writeln!(out, "Left to do. {}", summary(&report.left))?;
        let after = Names::new(desired, &report.applied.observed);
        let mut page = Page { out, paint, full: false };
        page.refused(&View::of(&report.left, &after), false)?;
        page.bundles(&report.left, &after)?;
    }
    Ok(())
}

/// Ids of the accounts that the run made, by the ids of the changes.
pub(super) fn made(report: &Report) -> BTreeMap<u32, AccountId> {
    let accounts = &report.applied.observed.accounts;
    let by_email: BTreeMap<&str, &AccountId> =
        accounts.iter().map(|(id, account)| (account.email.as_str(), id)).collect();
    let outcomes = report.applied.outcomes.iter();
    outcomes
        .filter_map(|(change, _)| match &change.action {
            Action::CreateAccount { email, .. } => Some((change.id, (*by_email.get(email.as_str())?).clone())),
            _ => None,
        })
        .collect()
}

fn more(out: &mut dyn Write, all: usize, what: &str) -> io::Result<()> {
    match all.checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
        Some(more) => writeln!(out, "        … and {} more {what}; `-o json` has all", words::grouped(more)),
        None => Ok(()),
    }
}

/// How the run ended, in one or two sentences.
#[must_use]
pub fn closing(report: &Report, context: &Context) -> String {
    let outcomes = &report.applied.outcomes;
    let count = |name: &str| outcomes.iter().filter(|(_, outcome)| tell(outcome).name == name).count();
    let in_place = outcomes.iter().filter(|(_, outcome)| outcome.is_success()).count();
    let all = outcomes.len();
    let mut out = match (all, in_place == all) {
        (0, _) => "Nothing was to be applied.".to_owned(),
        (_, true) => format!("Applied {}.", words::count(all, "change")),
        (_, false) => format!("Applied {} of {}.", words::grouped(in_place), words::count(all, "change")),
    };
    let others: Vec<String> = [
        ("failed", "failed"),
        ("changed", "not written since AWS had changed"),
        ("unknown", "of unknown fate"),
        ("waiting", "under way in AWS"),
        ("blocked", "held back"),
        ("stopped", "no longer wanted"),
        ("notStarted", "not started"),
    ]
    .iter()
    .map(|(name, words)| (count(name), words))
    .filter(|(number, _)| *number > 0)
    .map(|(number, words)| format!("{} {words}", words::grouped(number)))
    .collect();
    if !others.is_empty() {
        out = format!("{} {}.", out.trim_end_matches('.'), format_args!("({})", others.join(", ")));
    }
    if let Some(why) = &report.applied.ended {
        out.push_str(&format!(" The run ended early: {}; the next run goes on.", plain(why)));
    }
    if let Some(error) = &report.unverified {
        out.push_str(&format!(
            " Whether AWS is now as declared could not be read: {}; `bylaw plan` tells when AWS answers.",
            plain(&error.to_string())
        ));
    } else if converged(report) {
        let beside = beside(&report.left);
        out.push_str(&format!(" The organization is as declared: read again, nothing is left{beside}."));
        if let Some(rests) = rests(&report.applied.observed, context) {
            out.push_str(&format!(" {rests}"));
        }
    } else {
        out.push_str(" The organization is not as declared yet.");
    }
    out
}
