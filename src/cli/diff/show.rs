//! A comparison for people: on a terminal, and as a comment of a pull request.

use std::fmt::Write as _;

use super::{Named, Side, Told};
use crate::cli::show::safe::{markup, plain};
use crate::names::words::{count, grouped};
use crate::policy::compare::{Compared, Comparison, Verdict, Witness};
use crate::policy::eval::{Decision, Place};

/// Most statements that are named as deciding.
const MOST_NAMED: usize = 3;

const STANDS_BESIDE: &str = "neither set allows anything: both are taken to stand beside a policy that allows everything, as `FullAWSAccess` does";

const BESIDE: &str = "alone both sets deny it: they differ beside a policy that allows it, as `FullAWSAccess` does";

/// `12 action regions, 3,456 kinds of requests`.
fn space(compared: &Compared) -> String {
    let digits = compared.requests.to_string().len();
    // Past this nobody reads the digits.
    let kinds = if digits > 15 { format!("10^{}", digits - 1) } else { grouped(compared.requests) };
    format!("{}, {kinds} kinds of requests", count(compared.actions, "action region"))
}

fn headline(told: &Told) -> String {
    match &told.comparison {
        Comparison::Equal(compared) => format!("equal: no request tells them apart ({})", space(compared)),
        Comparison::Undecided { why, compared } => {
            format!("undecided: no request was found that tells them apart, but {why} ({})", space(compared))
        }
        Comparison::Differs { witnesses, more, compared } => {
            let denied = witnesses.iter().filter(|witness| is_denied(witness)).count();
            let allowed = witnesses.len() - denied;
            let more = if *more > 0 { format!(", and {more} more that are not shown") } else { String::new() };
            let all = format!("{denied} newly denied, {allowed} newly allowed{more}");
            format!("different: {all}; one example for each pair of statements that decide ({})", space(compared))
        }
    }
}

fn is_denied(witness: &Witness) -> bool {
    witness.after.decision == Decision::Denied
}

/// `s3:GetObject on arn:aws:s3:::a/b`.
fn request(witness: &Witness) -> String {
    let on = if witness.resource == "*" { String::new() } else { format!(" on {}", witness.resource) };
    let by = witness.caller.as_ref().map(|caller| format!(" by {caller}")).unwrap_or_default();
    format!("{}{on}{by}", witness.action)
}

fn context(witness: &Witness) -> Option<String> {
    let facts: Vec<String> = witness
        .facts
        .iter()
        .map(|(key, values)| match values.as_slice() {
            [one] if one.is_empty() => format!("{key} = \"\""),
            [one] => format!("{key} = {one}"),
            many => format!("{key} = [{}]", many.join(", ")),
        })
        .chain(witness.without.iter().map(|key| format!("no {key}")))
        .collect();
    (!facts.is_empty()).then(|| facts.join(", "))
}

fn notes(witness: &Witness) -> Vec<String> {
    let mut out = vec![];
    if !witness.known_action {
        out.push("no action of today is called so: it stands for those that AWS may add".to_owned());
    }
    if !witness.unlisted.is_empty() {
        out.push(format!("AWS's reference does not list for the action: {}", witness.unlisted.join(", ")));
    }
    if !witness.without.is_empty() {
        out.push(format!("AWS documents that every request carries {}", witness.without.join(", ")));
    }
    if witness.beside {
        out.push(BESIDE.to_owned());
    }
    out
}

/// What decides on one side: `Deny statement "Regions" (new)`.
fn decider(verdict: &Verdict, side: &Side, which: &str) -> String {
    let named = |place: &Place| -> Option<String> {
        let named: Named<'_> = side.named(*place)?;
        let of = if side.policies.len() > 1 { format!(" of {}", named.file) } else { String::new() };
        Some(format!("{}{of}", named.told()))
    };
    let all: Vec<String> = verdict.by.iter().filter_map(named).collect();
    let more = all.len().saturating_sub(MOST_NAMED);
    let told = all.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    match (verdict.decision, all.is_empty()) {
        (_, false) => format!("{told}{more} ({which})"),
        (Decision::Denied, true) => format!("no statement that allows it ({which})"),
        (_, true) => format!("no statement that denies it ({which})"),
    }
}

/// For a terminal.
pub(super) fn text(told: &Told, colour: bool) -> String {
    let paint = |code: &str, text: &str| if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let mut out = String::new();
    if let Comparison::Differs { witnesses, .. } = &told.comparison {
        for witness in witnesses {
            let change = if is_denied(witness) { paint("31", "newly denied ") } else { paint("33", "newly allowed") };
            let _ = writeln!(out, "{change}  {}", plain(&request(witness)));
            if let Some(context) = context(witness) {
                let _ = writeln!(out, "    with {}", plain(&context));
            }
            let _ = writeln!(out, "    by   {}", plain(&decider(&witness.after, &told.new, "new")));
            let _ = writeln!(out, "    was  {}", plain(&decider(&witness.before, &told.old, "old")));
            for note in notes(witness) {
                let _ = writeln!(out, "    note {}", plain(&note));
            }
            out.push('\n');
        }
    }
    let _ = writeln!(out, "{}", headline(told));
    if told.stands_beside {
        let _ = writeln!(out, "note: {STANDS_BESIDE}");
    }
    out
}

/// For a comment.
pub(super) fn markdown(told: &Told) -> String {
    let mut out = format!("**{}**\n", markup(&headline(told)));
    if told.stands_beside {
        let _ = write!(out, "\n{}\n", markup(STANDS_BESIDE));
    }
    let Comparison::Differs { witnesses, .. } = &told.comparison else { return out };
    out.push_str("\n| | request | with | decided by | before |\n|---|---|---|---|---|\n");
    for witness in witnesses {
        let change = if is_denied(witness) { "newly denied" } else { "newly allowed" };
        let mut with: Vec<String> = context(witness).into_iter().collect();
        with.extend(notes(witness));
        let _ = writeln!(
            out,
            "| {change} | {} | {} | {} | {} |",
            markup(&request(witness)),
            markup(&with.join("; ")),
            markup(&decider(&witness.after, &told.new, "new")),
            markup(&decider(&witness.before, &told.old, "old")),
        );
    }
    out
}
