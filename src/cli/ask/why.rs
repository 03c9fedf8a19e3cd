//! `bylaw why`: from AWS's "access denied" to the statement that did it, who answers for it, and the way out.

use std::io::{self, Read, Write};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::words::{self, RulingOutput};
use super::{Asked, Ground, can};
use crate::cli::args::Machine;
use crate::cli::diagnostics::FORMAT_VERSION;
use crate::cli::failure::Failure;
use crate::cli::files::plainly;
use crate::cli::show::safe::plain;
use crate::cli::terminal::Terminal;
use crate::judge::denial::{self, Denial};
use crate::judge::{Own, Question, Ruling, Verdict};
use crate::policy::condition::Test;
use crate::policy::eval::{Decision, Fact, Truth, is_negated};
use crate::policy::statement::Clause;

/// `why`.
#[derive(Debug, Clone, Args)]
pub struct Why {
    /// What AWS said, in quotes; or a CloudTrail event: its JSON, a file with it, or `-` for standard input.
    #[arg(value_name = "MESSAGE|EVENT|FILE|-")]
    pub told: String,
    /// Who was denied, where the message does not tell.
    #[arg(long, value_name = "ARN")]
    pub principal: Option<String>,
    /// A condition key of the request, as `bylaw can` takes it.
    #[arg(long, value_name = "KEY=VALUE")]
    pub context: Vec<String>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: Machine,
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub asked: Asked,
}

/// Output of `bylaw why -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhyOutput {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    format_version: u32,
    /// Who was denied.
    principal: String,
    /// What.
    action: String,
    /// On which resource, if that was told.
    resource: Option<String>,
    /// What AWS said denied it, in its words (`service control policy`).
    said: Option<String>,
    /// What the organization decides now: `allowed`, `denied` or `depends`.
    decision: &'static str,
    /// What denies it, or may.
    causes: Vec<CauseOutput>,
    /// The node at which nothing allows it, where that is why.
    stopped_at: Option<String>,
    /// Condition keys that it hangs on.
    depends_on: Vec<String>,
    /// What else is to be said, in sentences.
    notes: Vec<String>,
}

/// A statement that denies, or may.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CauseOutput {
    /// The statement.
    #[serde(flatten)]
    ruling: RulingOutput,
    /// When it came to bind here as it does, and by whom, if events were given and tell (RFC 3339, ARN).
    since: Option<String>,
    /// What would get past it, in sentences.
    way_out: Vec<String>,
}

/// Explains. The exit code: 0.
///
/// # Errors
/// It is no denial that can be read, or the organization cannot be read.
pub async fn run(asked: &Why, terminal: &Terminal, out: &mut dyn Write) -> Result<u8, Failure> {
    let denial = read(&asked.told)?;
    let arn = asked.principal.as_deref().or(denial.principal.as_deref()).ok_or_else(|| {
        Failure::new("it does not tell who was denied", "say it with `--principal ARN`, or give the CloudTrail event")
    })?;
    let principal = can::principal(arn)?;
    let told = denial.action.as_deref().ok_or_else(|| {
        Failure::new(
            "it does not tell what was denied",
            "give the whole message, from `User:` on, or the CloudTrail event",
        )
    })?;
    let action = can::action(told, terminal)?;
    let mut context = can::context(&asked.context)?;
    if let Some(region) = denial.region.as_deref().filter(|_| context.of("aws:RequestedRegion") == Fact::Unknown) {
        context.set_one("aws:RequestedRegion", region);
    }
    let ground = asked.asked.ground(terminal).await?;
    let standing = can::asker(&ground, None, Some(&principal), denial.resource.as_deref(), &context)?;
    let question = Question {
        account: &standing.account,
        action: &action,
        resource: denial.resource.as_deref(),
        principal: Some(&principal),
        told: &context,
        own: &Own::default(),
    };
    let verdict = question.ask(&ground.forest, &standing);
    let notes = notes(&denial, &verdict);
    match asked.output {
        Machine::Text => text(&question, &ground, &denial, &verdict, &notes, out)?,
        Machine::Json => writeln!(out, "{:#}", json!(output(&question, &ground, &denial, &verdict, notes)))?,
    }
    Ok(0)
}

/// Longest text that is read: an event has at most 256 KB.
const LONGEST: u64 = 4 << 20;

fn read(told: &str) -> Result<Denial, Failure> {
    let unreadable = |error: &io::Error| {
        Failure::new(
            format!("`{}` cannot be read: {}", plain(told), plainly(error)),
            "give a message in quotes, a file, or `-`",
        )
    };
    let text = if told == "-" {
        let mut text = String::new();
        io::stdin().lock().take(LONGEST).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
        text
    } else if std::path::Path::new(told).is_file() {
        let mut text = String::new();
        let file = std::fs::File::open(told).map_err(|error| unreadable(&error))?;
        file.take(LONGEST).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
        text
    } else {
        told.to_owned()
    };
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with(['{', '[']) {
        return Ok(denial::message(text));
    }
    let record: Value = serde_json::from_str(text).map_err(|error| {
        Failure::new(
            format!("the event is no JSON: {error}"),
            "give one CloudTrail event, as CloudTrail or EventBridge writes it",
        )
    })?;
    let around = ["/detail", "/Records/0", "/Events/0", "/0"];
    let one = around.iter().find_map(|path| record.pointer(path)).unwrap_or(&record);
    // `aws cloudtrail lookup-events` answers with records that are text.
    let inner = one.pointer("/CloudTrailEvent").and_then(Value::as_str);
    let inner: Option<Value> = inner.and_then(|text| serde_json::from_str(text).ok());
    denial::event(inner.as_ref().unwrap_or(one))
        .map_err(|why| Failure::new(why, "give the event of a call that was denied"))
}

/// What a reader has to know besides.
fn notes(denial: &Denial, verdict: &Verdict<'_>) -> Vec<String> {
    let mut notes: Vec<String> = verdict.exempt.iter().map(|why| (*why).to_owned()).collect();
    if denial.encoded {
        notes.push("AWS told the rest in a code: `aws sts decode-authorization-message` shows it".to_owned());
    }
    match (denial.is_of_organization(), verdict.decision) {
        (Some(false), _) => notes.push(format!(
            "AWS says that {} {}: that is a policy of the principal or the resource, and not of the organization",
            match (denial.explicit, denial.kind.as_deref()) {
                (Some(true), Some(kind)) if kind.starts_with(['a', 'e', 'i', 'o']) => "it was denied by an",
                (Some(true), _) => "it was denied by a",
                _ => "nothing allowed it in any",
            },
            denial.kind.as_deref().map(plain).unwrap_or_default(),
        )),
        (_, Decision::Allowed) => notes.push(
            "the organization allows it now: policies have changed since, or those of the principal or the resource deny it"
                .to_owned(),
        ),
        _ => {}
    }
    if let Some(named) = denial.policy.as_deref() {
        let is_it = |ruling: &Ruling<'_>| ruling.policy.is_some_and(|policy| policy.id.as_str() == named);
        if !verdict.rulings.iter().any(|ruling| words::denies(ruling) && is_it(ruling)) {
            notes.push(format!("AWS named the policy {}, no statement of which denies it now", plain(named)));
        }
    }
    notes.extend(verdict.gaps.iter().map(|gap| format!("not known: {}", plain(gap))));
    notes
}

/// The statements that deny, or else those that may; those of the policy that AWS named, if it named one.
fn causes<'v, 'a>(denial: &Denial, verdict: &'v Verdict<'a>) -> Vec<&'v Ruling<'a>> {
    let denying =
        |truth: Truth| verdict.rulings.iter().filter(move |ruling| words::denies(ruling) && ruling.applies == truth);
    let sure: Vec<_> = denying(Truth::Yes).collect();
    let all = if sure.is_empty() { denying(Truth::Depends).collect() } else { sure };
    let named = |ruling: &&&Ruling<'_>| {
        denial.policy.as_deref().is_some_and(|id| ruling.policy.is_some_and(|policy| policy.id.as_str() == id))
    };
    let of_named: Vec<_> = all.iter().filter(named).copied().collect();
    if of_named.is_empty() { all } else { of_named }
}

/// What would make a statement spare the request: one of its clauses failing.
fn way_out(ruling: &Ruling<'_>) -> Vec<String> {
    let mut ways: Vec<String> =
        ruling.statement.into_iter().flat_map(|statement| &statement.condition).filter_map(spare).collect();
    let policy = ruling.policy;
    let owner = policy.and_then(|policy| policy.owner.as_deref()).map(|owner| format!("ask {}", plain(owner)));
    let object = policy.and_then(|policy| policy.object.as_deref()).map(|object| {
        let place =
            policy.and_then(|policy| policy.origin.as_ref()).map(|origin| format!(" ({origin})")).unwrap_or_default();
        format!("to change {}{place}", plain(object))
    });
    ways.extend(match (owner, object) {
        (Some(owner), Some(object)) => Some(format!("{owner} {object}")),
        (Some(owner), None) => Some(owner),
        (None, Some(object)) => Some(format!("ask who reviews its manifests {object}")),
        (None, None) => None,
    });
    ways
}

/// How a clause that holds can be made to fail, where whoever asks can do that.
fn spare(clause: &Clause) -> Option<String> {
    let key = plain(&clause.key);
    let values = || clause.values.iter().take(6).map(|value| plain(value)).collect::<Vec<_>>().join(", ");
    let lower = clause.key.to_ascii_lowercase();
    let test = clause.operator.test;
    if test == Test::Null {
        let absent = clause.values.iter().any(|value| value.eq_ignore_ascii_case("true"));
        return Some(if absent {
            format!("send `{key}` with the request")
        } else {
            format!("leave `{key}` out of the request")
        });
    }
    if !is_negated(test) {
        return None;
    }
    Some(match lower.as_str() {
        "aws:principalarn" => format!("call as {}", values()),
        "aws:requestedregion" => format!("call in {}", values()),
        "aws:sourceip" => format!("call from {}", values()),
        "aws:sourcevpc" | "aws:sourcevpce" => format!("call through {}", values()),
        _ => format!("have `{key}` be {}", values()),
    })
}

fn output(
    question: &Question<'_>,
    ground: &Ground,
    denial: &Denial,
    verdict: &Verdict<'_>,
    notes: Vec<String>,
) -> WhyOutput {
    let causes = causes(denial, verdict).into_iter().map(|ruling| CauseOutput {
        ruling: RulingOutput::of(ruling),
        since: since(ground, ruling),
        way_out: way_out(ruling),
    });
    WhyOutput {
        format_version: FORMAT_VERSION,
        principal: question.principal.map(|principal| principal.arn().to_owned()).unwrap_or_default(),
        action: question.action.to_string(),
        resource: question.resource.map(str::to_owned),
        said: denial.kind.clone(),
        decision: words::decision(verdict.decision),
        causes: causes.collect(),
        stopped_at: verdict.stopped_at.map(ToString::to_string),
        depends_on: verdict.depends_on.iter().cloned().collect(),
        notes,
    }
}

fn since(ground: &Ground, ruling: &Ruling<'_>) -> Option<String> {
    ground.since(&ruling.policy?.id, &ruling.node?.id)
}

fn text(
    question: &Question<'_>,
    ground: &Ground,
    denial: &Denial,
    verdict: &Verdict<'_>,
    notes: &[String],
    out: &mut dyn Write,
) -> io::Result<()> {
    let who = question.principal.map(|principal| plain(principal.arn())).unwrap_or_default();
    let on = question.resource.map(|arn| format!(" on {}", plain(arn))).unwrap_or_default();
    writeln!(out, "{who}: {}{on}", plain(question.action.as_str()))?;
    let sure = verdict.denied_by.is_some();
    for ruling in causes(denial, verdict) {
        let open = words::open(ruling);
        match (sure, open.is_empty()) {
            (true, _) => writeln!(out, "\ndenied by {}", words::ruling(ruling))?,
            (false, true) => writeln!(out, "\nmay be denied by {}", words::ruling(ruling))?,
            (false, false) => writeln!(out, "\ndenied if {open}, by {}", words::ruling(ruling))?,
        }
        if let Some(statement) = ruling.statement {
            for clause in &statement.condition {
                writeln!(out, "  where {}", words::clause(clause))?;
            }
        }
        if let Some(since) = since(ground, ruling) {
            writeln!(out, "  since {since}")?;
        }
        for way in way_out(ruling) {
            writeln!(out, "  way out: {way}")?;
        }
    }
    if let Some(node) = verdict.stopped_at {
        writeln!(out, "\ndenied because no service control policy at {node} allows it")?;
        writeln!(
            out,
            "  way out: an Allow for it in a policy attached there, or `FullAWSAccess` (`baseAccess: Full`)"
        )?;
    }
    if !notes.is_empty() {
        writeln!(out)?;
    }
    for note in notes {
        writeln!(out, "note: {note}")?;
    }
    if verdict.decision == Decision::Depends && !verdict.depends_on.is_empty() {
        let keys: Vec<String> = verdict.depends_on.iter().map(|key| format!("`{}`", plain(key))).collect();
        writeln!(
            out,
            "note: it hangs on {}, which the message does not tell; `--context KEY=VALUE` does",
            keys.join(", ")
        )?;
    }
    Ok(())
}
