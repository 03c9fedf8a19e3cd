//! A comparison as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{Side, Told};
use crate::cli::diagnostics::FORMAT_VERSION;
use crate::policy::compare::{self, Comparison};
use crate::policy::eval::Decision;

/// The greatest number that every reader of JSON holds exactly.
const MOST: u64 = (1 << 53) - 1;

/// Output of `bylaw diff -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiffOutput<'a> {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    format_version: u32,
    /// Whether some request tells the two sets apart.
    outcome: Outcome,
    /// Why it is not decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    /// Neither set allows anything, and both were taken to stand beside a policy that allows everything.
    stands_beside_allow: bool,
    /// What was compared.
    compared: Compared,
    /// Requests that tell them apart, the simplest first: one for each pair of statements that decide before and after.
    witnesses: Vec<Witness<'a>>,
    /// Such pairs that are left out.
    more: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    /// No request does.
    Equal,
    /// Some do.
    Different,
    /// None was found, but not all were gone through.
    Undecided,
}

/// What was compared.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Compared {
    /// Regions of actions that the statements tell apart.
    action_regions: usize,
    /// Kinds of requests that they tell apart; 9007199254740991 stands for that many or more.
    requests: u64,
}

/// A request that the two sets decide differently.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Witness<'a> {
    /// What became of it.
    change: Change,
    /// The action.
    action: &'a str,
    /// Whether AWS's reference lists the action; else it stands for those that may come.
    known_action: bool,
    /// The resource's ARN; `*`: none.
    resource: &'a str,
    /// Who asks, where that matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<&'a str>,
    /// The condition keys that it carries, with their values. It carries no other key that the policies look at.
    context: BTreeMap<&'a str, &'a [String]>,
    /// Keys that it lacks though AWS documents that every request carries them.
    without: &'a [String],
    /// Of its keys, and `resource`, what AWS's reference does not list for the action: such a request may never come.
    unlisted: &'a [String],
    /// Alone both sets deny it; they decide it differently beside a policy that allows everything.
    beside_allow: bool,
    /// What the old set decides.
    before: Verdict<'a>,
    /// What the new set decides.
    after: Verdict<'a>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Change {
    /// It was allowed before.
    NewlyDenied,
    /// It was denied before.
    NewlyAllowed,
}

/// What one set decides of a request.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Verdict<'a> {
    /// Whether it is allowed.
    allowed: bool,
    /// The statements that decide: all that deny, or the first that allows. None where nothing allows, or where only the
    /// policy beside allows.
    by: Vec<Statement<'a>>,
}

/// A statement.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Statement<'a> {
    /// The file of its policy.
    file: &'a str,
    /// Its number there, from 1.
    number: usize,
    /// Its Sid.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    /// `Allow` or `Deny`.
    effect: &'static str,
}

fn verdict<'a>(verdict: &compare::Verdict, side: &'a Side) -> Verdict<'a> {
    let by = verdict.by.iter().filter_map(|place| side.named(*place)).map(|named| Statement {
        file: named.file,
        number: named.number,
        sid: named.statement.sid.as_deref(),
        effect: named.statement.effect.as_str(),
    });
    Verdict { allowed: verdict.decision == Decision::Allowed, by: by.collect() }
}

fn output(told: &Told) -> DiffOutput<'_> {
    let (outcome, why, witnesses, more, compared) = match &told.comparison {
        Comparison::Equal(compared) => (Outcome::Equal, None, &[][..], 0, compared),
        Comparison::Undecided { why, compared } => (Outcome::Undecided, Some(why.as_str()), &[][..], 0, compared),
        Comparison::Differs { witnesses, more, compared } => {
            (Outcome::Different, None, witnesses.as_slice(), *more, compared)
        }
    };
    let witness = |it: &'_ compare::Witness| -> bool { it.after.decision == Decision::Denied };
    DiffOutput {
        format_version: FORMAT_VERSION,
        outcome,
        why,
        stands_beside_allow: told.stands_beside,
        compared: Compared {
            action_regions: compared.actions,
            requests: u64::try_from(compared.requests).unwrap_or(MOST).min(MOST),
        },
        witnesses: witnesses
            .iter()
            .map(|it| Witness {
                change: if witness(it) { Change::NewlyDenied } else { Change::NewlyAllowed },
                action: &it.action,
                known_action: it.known_action,
                resource: &it.resource,
                caller: it.caller.as_deref(),
                context: it.facts.iter().map(|(key, values)| (key.as_str(), values.as_slice())).collect(),
                without: &it.without,
                unlisted: &it.unlisted,
                beside_allow: it.beside,
                before: verdict(&it.before, &told.old),
                after: verdict(&it.after, &told.new),
            })
            .collect(),
        more,
    }
}

pub(super) fn write(told: &Told, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:#}", json!(output(told)))
}
