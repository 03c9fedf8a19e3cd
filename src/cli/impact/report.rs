//! What a report says, whatever its form; its JSON is that of design section 7, extended.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::names::words::{count, grouped};
use crate::trail::Findings;
use crate::trail::classes::{CLASSES, DATA_PLANES};
use crate::trail::record::written;
use crate::trail::tally::{Effect, Exemption, Row, Tally, Way, exemptions};

/// Output of `bylaw impact -o json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    pub format_version: u32,
    /// Only the declared policies were compared: what no manifest declares may decide otherwise.
    pub declared_only: bool,
    /// Records that were read.
    pub events: u64,
    /// Records that were held against the policies.
    pub evaluated: u64,
    /// Records that were not, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Time of the first record (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Time of the last record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Files that were read.
    pub files: u64,
    /// Records that stand in the files more than once, by their `eventID`; about so many where there are more than 20,000
    /// records. The figures count them each time; `lower` is without them.
    pub repeated: u64,
    /// Requests that were judged, each standing for any number of records.
    pub requests: u64,
    /// How many calls would newly be denied.
    pub denied: Figures,
    /// How many calls would newly be allowed.
    pub allowed: Figures,
    /// Calls that would newly be denied, the most frequent first.
    pub newly_denied: Vec<Line>,
    /// Calls that would newly be allowed.
    pub newly_allowed: Vec<Line>,
    /// Calls of which the record does not tell enough.
    pub unknown: Vec<Line>,
    /// For each statement that newly denies: what would let exactly those calls pass.
    pub exemptions: Vec<ExemptionOutput>,
    /// What is to be known of how the figures were made.
    pub notes: Vec<String>,
    /// What was not read; of each file the first few.
    pub unread: Vec<UnreadOutput>,
    /// How many records and files were not read in all.
    pub left_out: u64,
}

/// What is said where only manifests tell of the organization.
const DECLARED_ONLY: &str = "only the declared policies were compared; what no manifest declares may decide otherwise, and an account \
     that no manifest names by its id may be anywhere in the organization, or not in it";

/// How many calls, at least and at most. What was not recorded is in neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Figures {
    /// The number, where what is not known makes no difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<u64>,
    /// At least.
    pub lower: u64,
    /// At most.
    pub upper: u64,
}

impl Figures {
    /// Of what was counted at least and at most, where so many records came again.
    fn of((lower, upper): (u64, u64), repeated: u64) -> Self {
        // It came once at least.
        let lower = lower.saturating_sub(repeated).max(lower.min(1));
        Self { exact: (lower == upper).then_some(lower), lower, upper }
    }
}

/// Calls of one principal for one action on resources of one kind, decided by one statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The caller's account; of a caller without one (an AWS service, an identity provider, nobody) the resource's.
    pub account: String,
    /// The principal: a role's own ARN, not its session's; the service or the identity provider where it is one.
    pub principal: String,
    /// The action; `eventSource:eventName` of a call whose action is not known.
    pub action: String,
    /// The resources as a pattern.
    pub resource: String,
    /// The policy that decides; empty where no statement allows the call.
    pub policy: String,
    /// Its statement.
    pub statement: String,
    /// The node that the policy is attached to.
    pub node: String,
    /// The condition keys that it hangs on; `resource` for the resource, `action` where it is not known which action AWS
    /// asked for, or whether it asked for this one, and `account` where manifests alone do not tell where its account is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// How often it was called.
    pub count: u64,
    /// The first time.
    pub first: String,
    /// The last time.
    pub last: String,
}

/// The narrowest exemption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExemptionOutput {
    /// The policy.
    pub policy: String,
    /// The statement.
    pub statement: String,
    /// Calls that it newly denies.
    pub count: u64,
    /// What to do, in words.
    pub how: String,
    /// The block to add to the statement's `Condition`, where that is how.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<BTreeMap<String, BTreeMap<String, Vec<String>>>>")]
    pub condition: Option<serde_json::Value>,
}

/// Something that was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnreadOutput {
    /// The file.
    pub file: String,
    /// Bytes of its text before what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub help: String,
}

/// Calls of a kind, summed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they have in common.
    pub name: String,
    /// How many.
    pub count: u64,
    /// The first time.
    pub first: String,
    /// The last time.
    pub last: String,
}

fn line(row: &Row) -> Line {
    let change = &row.line.change;
    Line {
        account: row.line.account.to_string(),
        principal: row.line.principal.to_string(),
        action: row.line.action.to_string(),
        resource: row.resource.to_string(),
        policy: change.by.policy.to_string(),
        statement: change.by.statement.to_string(),
        node: change.by.node.to_string(),
        depends_on: change.keys.iter().map(ToString::to_string).collect(),
        count: row.count,
        first: told(row, row.first),
        last: told(row, row.last),
    }
}

/// What stands where no record told its time.
const NOT_TOLD: &str = "not told";

fn told(row: &Row, at: i64) -> String {
    if row.first > row.last { NOT_TOLD.to_owned() } else { written(at) }
}

fn exemption(found: &Exemption) -> ExemptionOutput {
    let but = |operator: &str, key: &str, values: &[Box<str>]| serde_json::json!({ operator: { key: values } });
    let (how, condition) = match &found.way {
        Way::Principals(arns) => (
            format!("leave out exactly {}", count(arns.len(), "principal")),
            Some(but("ArnNotLike", "aws:PrincipalArn", arns)),
        ),
        Way::Accounts(accounts) => (
            format!(
                "its principals are too many to name, or have no ARN: leave out {}",
                count(accounts.len(), "account")
            ),
            Some(but("StringNotEquals", "aws:PrincipalAccount", accounts)),
        ),
        Way::Actions(actions) => {
            (format!("its principals are too many to name, or have no ARN: leave out {}", actions.join(", ")), None)
        }
    };
    ExemptionOutput {
        policy: found.by.policy.to_string(),
        statement: found.by.statement.to_string(),
        count: found.count,
        how,
        condition,
    }
}

impl Report {
    /// Of what was found. `declared_only`: by manifests alone.
    #[must_use]
    pub fn of(findings: &Findings, declared_only: bool) -> Self {
        let tally = &findings.tally;
        let lines = |effect| tally.of(effect).into_iter().map(line).collect();
        let skipped = CLASSES.iter().zip(tally.skipped).filter(|(_, count)| *count > 0);
        let declared = declared_only.then_some(DECLARED_ONLY);
        let mut notes: Vec<String> =
            declared.into_iter().chain(tally.limits.iter().copied()).map(str::to_owned).collect();
        let unseen: Vec<&str> =
            DATA_PLANES.iter().zip(tally.planes).filter(|(_, seen)| !seen).map(|(plane, _)| plane.1).collect();
        if !unseen.is_empty() && tally.events > 0 {
            notes.push(format!(
                "no data events were seen of {}: trails leave them out unless they are told to record them, so that what \
                 would change there is not in these figures",
                unseen.join(", ")
            ));
        }
        notes.extend(open(tally));
        let twice = tally.twice.count();
        if twice > 0 {
            let about = if tally.twice.is_exact() { "" } else { "about " };
            notes.push(format!(
                "{about}{} calls across accounts that change are told by two records, one in each account, and counted twice: \
                 the lower bound is without them",
                grouped(twice)
            ));
        }
        for (why, count) in &findings.passed_over {
            notes.push(format!("{count} passed over: {why}"));
        }
        let repeated = tally.repeats.count();
        if repeated > 0 {
            let about = if tally.repeats.is_exact() { "" } else { "about " };
            notes.push(format!(
                "{about}{} records stand in the files more than once (their eventID is the same) and are counted each time: \
                 trails overlap, or a file was given twice. Leave one of them out for exact figures",
                grouped(repeated)
            ));
        }
        if tally.emptied > 0 {
            notes.push(
                "there were more distinct requests than memory is given for; some were judged more than once".into(),
            );
        }
        Self {
            format_version: 1,
            declared_only,
            events: tally.events,
            evaluated: tally.evaluated,
            skipped: skipped.map(|(class, count)| (class.1.to_owned(), count)).collect(),
            first: tally.span.map(|(first, _)| written(first)),
            last: tally.span.map(|(_, last)| written(last)),
            files: findings.files,
            repeated,
            requests: tally.distinct,
            denied: Figures::of(tally.figures(true), repeated + twice),
            allowed: Figures::of(tally.figures(false), repeated + twice),
            newly_denied: lines(Effect::NewlyDenied),
            newly_allowed: lines(Effect::NewlyAllowed),
            unknown: lines(Effect::Unknown),
            exemptions: exemptions(tally).iter().map(exemption).collect(),
            notes,
            unread: findings
                .unread
                .iter()
                .map(|it| UnreadOutput {
                    file: it.file.clone(),
                    byte: it.byte,
                    what: it.what.clone(),
                    help: it.help.clone(),
                })
                .collect(),
            left_out: findings.left_out,
        }
    }

    /// 0 nothing changes, 2 something does or may, 1 something was not read.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match (self.left_out, self.newly_denied.len() + self.newly_allowed.len() + self.unknown.len()) {
            (1.., _) => 1,
            (0, 0) => 0,
            _ => 2,
        }
    }

    /// What skipped records are, in words.
    pub fn skipped_in_words(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CLASSES.iter().filter_map(|(_, name, sentence)| Some((*sentence, *self.skipped.get(*name)?)))
    }

    /// What was not read, in a sentence without its stop.
    #[must_use]
    pub fn unread_sentence(&self) -> Option<String> {
        let left_out = grouped(self.left_out);
        (self.left_out > 0).then(|| format!("not read: {left_out} (records and files); the figures are without them"))
    }

    /// The figures as a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let of = |figures: Figures| match figures.exact {
            Some(exact) => grouped(exact),
            None => format!("{} to {}", grouped(figures.lower), grouped(figures.upper)),
        };
        format!(
            "{} of {} evaluated calls would newly be denied, {} newly be allowed",
            of(self.denied),
            grouped(self.evaluated),
            of(self.allowed)
        )
    }
}

/// The lines summed up by what they have in common, the most frequent first.
#[must_use]
pub fn by(lines: &[Line], name: impl Fn(&Line) -> String) -> Vec<Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for line in lines {
        let name = name(line);
        let group = groups.entry(name.clone()).or_insert_with(|| Group {
            name,
            count: 0,
            first: line.first.clone(),
            last: line.last.clone(),
        });
        group.count += line.count;
        // Times sort before what is said where there is none.
        if group.first > line.first {
            group.first.clone_from(&line.first);
        }
        if line.last != NOT_TOLD && (group.last == NOT_TOLD || group.last < line.last) {
            group.last.clone_from(&line.last);
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    groups
}

/// Names of calls whose action is not known that a note has.
const MOST_NAMED: usize = 20;

/// What is told of calls whose action is not known.
fn open(tally: &Tally) -> Option<String> {
    let all: u64 = tally.open.values().sum();
    let mut names: Vec<_> = tally.open.iter().collect();
    names.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let named: Vec<String> =
        names.iter().take(MOST_NAMED).map(|(name, count)| format!("{name} ({})", grouped(**count))).collect();
    let more = names.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(" and {} more", grouped(more)) } else { String::new() };
    (all > 0).then(|| {
        format!(
            "the IAM action of {} calls ({} names) is not known, so that they are judged as any action of their service: {}{more}",
            grouped(all),
            grouped(names.len()),
            named.join(", ")
        )
    })
}

/// What a line hangs on, in words: where it is the action, of which call.
#[must_use]
pub fn hangs_on(line: &Line) -> String {
    let word = |key: &String| if key == "action" { format!("action ({})", line.action) } else { key.clone() };
    line.depends_on.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// The statement that decides a line, in words.
#[must_use]
pub fn statement(line: &Line) -> String {
    match (line.policy.is_empty(), line.node.is_empty()) {
        (true, _) => "no statement allows it any more".to_owned(),
        (false, true) => format!("{} {}", line.policy, line.statement),
        (false, false) => format!("{} {} at {}", line.policy, line.statement, line.node),
    }
}

/// How lines are summed up.
type View = (&'static str, fn(&Line) -> String);
/// The ways in which lines are summed up, in every form.
pub const VIEWS: &[View] = &[
    ("account", |line| line.account.clone()),
    ("principal", |line| line.principal.clone()),
    ("action", |line| line.action.clone()),
    ("statement", statement),
];
