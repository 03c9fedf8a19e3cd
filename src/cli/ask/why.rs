//! `bylaw why`: from AWS's "access denied" to the statement that did it, who answers for it, and the way out.

use std::collections::BTreeSet;
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
use crate::cli::show::safe::{plain, quoted};
use crate::cli::terminal::Terminal;
use crate::judge::denial::{self, Denial, Kind};
use crate::judge::{Node, Own, Question, Ruling, Verdict};
use crate::policy::call;
use crate::policy::condition::Test;
use crate::policy::eval::{Decision, Fact, Truth, is_negated};
use crate::policy::services;
use crate::policy::statement::Clause;

/// `why`.
#[derive(Debug, Clone, Args)]
pub struct Why {
    /// What AWS said, in quotes, or the body of its answer; what `aws sts decode-authorization-message` prints; or a CloudTrail
    /// event. As text, a file with it, or `-` for standard input.
    #[arg(value_name = "MESSAGE|EVENT|FILE|-")]
    pub told: String,
    /// Who was denied, where the message does not tell.
    #[arg(long, value_name = "ARN")]
    pub principal: Option<String>,
    /// What was denied, where the message does not tell (`Access Denied` of S3): `s3:GetObject`.
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
    /// On which resource, where the message does not tell.
    #[arg(long, value_name = "ARN")]
    pub resource: Option<String>,
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
    /// Only the declared policies were asked: what no manifest declares may decide otherwise.
    declared_only: bool,
    /// Who was denied.
    principal: String,
    /// What.
    action: String,
    /// On which resource, if that was told.
    resource: Option<String>,
    /// What AWS said denied it, in its words (`service control policy`).
    said: Option<String>,
    /// Whether AWS said that a statement of it denies (`true`), or that nothing in it allows (`false`).
    said_explicit: Option<bool>,
    /// The policy that AWS named: the id of one of the organization, else its ARN.
    said_policy: Option<String>,
    /// The `Sid`s of the statements that AWS named.
    said_statements: Vec<String>,
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
    let mut denial = read(&asked.told)?;
    denial.resource = asked.resource.clone().or(denial.resource);
    asked.resource.as_deref().map(can::resource).transpose()?;
    denial.action = asked.action.clone().or(denial.action);
    let help = if denial.encoded {
        DECODE
    } else {
        "S3 answers with `Access Denied` alone: say who, what and on what with `--principal ARN`, `--action ACTION` and \
         `--resource ARN`, or give the CloudTrail event"
    };
    let arn = asked.principal.as_deref().or(denial.principal.as_deref());
    let arn = arn.ok_or_else(|| Failure::new("it does not tell who was denied", help))?;
    let principal = can::principal(arn)?;
    let told = denial.action.as_deref().ok_or_else(|| match &denial.operation {
        Some(operation) => Failure::new(
            format!("it tells the operation `{}`, and not of which service", plain(operation)),
            "say what was denied with `--action`, such as `s3:GetObject`, and on what with `--resource ARN`",
        ),
        None => Failure::new("it does not tell what was denied", help),
    })?;
    let action = can::action(told, terminal)?;
    let mut context = can::context(&asked.context)?;
    if let Some(region) = denial.region.as_deref().filter(|_| context.of("aws:RequestedRegion") == Fact::Unknown) {
        context.set_one("aws:RequestedRegion", region);
    }
    // On the resource that was denied, what the call carries on others is absent.
    let denied_on = services::action(told).zip(denial.resource.as_deref());
    let leg = denied_on.and_then(|(action, on)| call::legs(action).into_iter().find(|leg| leg.is_of(on)));
    for (key, values) in &denial.told.facts {
        if context.of(key) == Fact::Unknown {
            let here = !leg.is_some_and(|leg| leg.never_carries(key));
            context.set(key, values.iter().filter(|_| here).map(String::as_str));
        }
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

/// What to do about a message that is a code.
const DECODE: &str = "AWS told the rest in a code: give what `aws sts decode-authorization-message --encoded-message CODE` prints to \
                      `bylaw why -`";

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
    // `--query DecodedMessage` of the AWS command line prints JSON within a string of JSON.
    let quoted: Option<String> = text.trim_start().starts_with('"').then(|| serde_json::from_str(text).ok()).flatten();
    let text = quoted.as_deref().unwrap_or(text);
    if !text.trim_start().starts_with(['{', '[']) {
        return Ok(denial::message(text));
    }
    let record: Value = serde_json::from_str(text).map_err(|error| {
        Failure::new(
            format!("the event is no JSON: {error}"),
            "give one CloudTrail event, as CloudTrail or EventBridge writes it, or what `aws sts decode-authorization-message` prints",
        )
    })?;
    if let Some(denial) = denial::decoded(&record) {
        return denial.map_err(|why| Failure::new(why, "give the decoded message of a call that was denied"));
    }
    let around = ["/detail", "/Records/0", "/Events/0", "/0"];
    let one = around.iter().find_map(|path| record.pointer(path)).unwrap_or(&record);
    // `aws cloudtrail lookup-events` answers with records that are text.
    let inner = one.pointer("/CloudTrailEvent").and_then(Value::as_str);
    let inner: Option<Value> = inner.and_then(|text| serde_json::from_str(text).ok());
    let is_event = inner.as_ref().unwrap_or(one).get("eventSource").is_some();
    if let Some(message) = denial::in_body(one).filter(|_| !is_event) {
        return Ok(denial::message(message));
    }
    denial::event(inner.as_ref().unwrap_or(one))
        .map_err(|why| Failure::new(why, "give the event of a call that was denied"))
}

/// What AWS itself said, in a sentence.
fn reason(denial: &Denial) -> Option<String> {
    let named = denial.policy.as_deref().map(|policy| format!(" ({})", plain(policy))).unwrap_or_default();
    let kind = match (denial.kind, denial.said.as_deref()) {
        (Some(kind), _) => kind.noun().to_owned(),
        (None, Some(said)) => format!("a {}", plain(said)),
        // A decoded message does not say of which kind of policies.
        (None, None) => {
            let statements: Vec<String> = denial.statements.iter().map(|sid| quoted(sid)).collect();
            return Some(match (denial.explicit?, statements.as_slice()) {
                (true, []) => "an explicit deny".to_owned(),
                (true, [one]) => format!("an explicit deny by statement {one}"),
                (true, several) => format!("an explicit deny by statements {}", several.join(", ")),
                (false, _) => "no policy allows it, and no statement denies it".to_owned(),
            });
        }
    };
    let bare = kind.strip_prefix("an ").or_else(|| kind.strip_prefix("a ")).unwrap_or(&kind);
    Some(if denial.explicit? {
        format!("an explicit deny in {kind}{named}")
    } else {
        format!("no {bare} allows it, and no statement denies it")
    })
}

/// Whose policy it is that AWS named, where it is none of the organization.
fn whose(kind: Kind) -> &'static str {
    match kind {
        Kind::Identity => "it is attached to the principal, or to a group of the user",
        Kind::Boundary => "it is set on the principal, and allows at most what it says",
        Kind::Session => "it was passed when the session was made",
        Kind::Resource => "it is attached to the resource",
        Kind::Endpoint => "it is attached to the VPC endpoint that the call came through",
        Kind::Trust => "it is that of the role, and says who may assume it",
        Kind::ServiceControl | Kind::ResourceControl => "",
    }
}

/// What a reader has to know besides.
fn notes(denial: &Denial, verdict: &Verdict<'_>) -> Vec<String> {
    let mut notes: Vec<String> = verdict.exempt.iter().map(|why| (*why).to_owned()).collect();
    if denial.encoded {
        notes.push(DECODE.to_owned());
    }
    let changed = "policies have changed since, or others decide: `--events` tells what changed";
    match (denial.kind, denial.explicit) {
        (Some(kind), _) if kind.layer().is_none() => {
            notes.push(format!("{} is not of the organization: {}", kind.noun(), whose(kind)));
        }
        (Some(kind), Some(true)) if causes(denial, verdict).is_empty() => {
            notes.push(format!("no statement of {} denies it now: {changed}", kind.noun()));
        }
        (Some(Kind::ServiceControl), Some(false)) if verdict.stopped_at.is_none() => {
            notes.push(format!("at every node some service control policy allows it now: {changed}"));
        }
        (None, Some(false)) if verdict.stopped_at.is_none() && denial.said.is_none() => notes.push(format!(
            "at every node some policy allows it now: those of the principal or of the resource do not, or {changed}"
        )),
        (None, _) if verdict.decision == Decision::Allowed => notes.push(
            "the organization allows it now: policies have changed since, or those of the principal or the resource deny it"
                .to_owned(),
        ),
        _ => {}
    }
    let is_gone = |sid: &&String| {
        !verdict.rulings.iter().any(|ruling| words::denies(ruling) && sid_of(ruling) == Some(sid.as_str()))
    };
    for sid in denial.statements.iter().filter(is_gone) {
        notes.push(format!(
            "AWS named a statement {}, and no policy of the organization has one that denies it now: {changed}",
            quoted(sid)
        ));
    }
    if let Some(named) = denial.policy.as_deref() {
        let is_it = |ruling: &Ruling<'_>| ruling.policy.is_some_and(|policy| policy.id.as_str() == named);
        // The ARNs of other policies are of accounts.
        if named.starts_with("p-") && !verdict.rulings.iter().any(|ruling| words::denies(ruling) && is_it(ruling)) {
            notes.push(format!("AWS named the policy {}, no statement of which denies it now", plain(named)));
        }
    }
    notes.extend(verdict.gaps.iter().map(|gap| format!("not known: {}", plain(gap))));
    notes
}

fn sid_of<'a>(ruling: &Ruling<'a>) -> Option<&'a str> {
    ruling.statement?.sid.as_deref()
}

/// The statements that deny, or else those that may: of the kind of policies that AWS said, and of the policy or by the `Sid` that it
/// named.
fn causes<'v, 'a>(denial: &Denial, verdict: &'v Verdict<'a>) -> Vec<&'v Ruling<'a>> {
    // Nothing allowed it: no statement is the cause.
    if denial.explicit == Some(false) {
        return vec![];
    }
    let of_kind = |ruling: &&Ruling<'_>| denial.kind.is_none_or(|kind| kind.layer() == Some(ruling.layer));
    let denying = |truth: Truth| {
        let of_truth = move |ruling: &&Ruling<'_>| words::denies(ruling) && ruling.applies == truth;
        verdict.rulings.iter().filter(of_truth).filter(of_kind)
    };
    let sure: Vec<_> = denying(Truth::Yes).collect();
    let all = if sure.is_empty() { denying(Truth::Depends).collect() } else { sure };
    let named = |ruling: &&&Ruling<'_>| {
        let of_policy = |id: &str| ruling.policy.is_some_and(|policy| policy.id.as_str() == id);
        let by_sid = sid_of(ruling).is_some_and(|sid| denial.statements.iter().any(|named| named == sid));
        denial.policy.as_deref().is_some_and(of_policy) || by_sid
    };
    let of_named: Vec<_> = all.iter().filter(named).copied().collect();
    if of_named.is_empty() { all } else { of_named }
}

/// Whether the causes deny for sure: they do, or AWS says that a statement of their kind does and there is one alone.
fn is_sure(denial: &Denial, causes: &[&Ruling<'_>]) -> bool {
    match causes {
        [one] if denial.explicit == Some(true) && denial.kind.is_some() => one.applies > Truth::No,
        all => !all.is_empty() && all.iter().all(|ruling| ruling.applies == Truth::Yes),
    }
}

/// The node at which nothing allows it, unless AWS says that a statement denies, or that it is another kind of policy.
fn stopped_at<'a>(denial: &Denial, verdict: &Verdict<'a>) -> Option<&'a Node> {
    let of_kind = denial.kind.is_none_or(|kind| kind == Kind::ServiceControl);
    verdict.stopped_at.filter(|_| of_kind && denial.explicit != Some(true))
}

/// What the causes hang on and nobody told.
fn hangs_on(denial: &Denial, verdict: &Verdict<'_>) -> BTreeSet<String> {
    let causes = causes(denial, verdict);
    if is_sure(denial, &causes) {
        return BTreeSet::new();
    }
    let mut keys: BTreeSet<String> =
        causes.iter().flat_map(|ruling| &ruling.open).map(|clause| clause.key.clone()).collect();
    keys.retain(|key| verdict.depends_on.iter().any(|open| open.eq_ignore_ascii_case(key)));
    if causes.iter().any(|ruling| ruling.open_resource) {
        keys.insert("resource".to_owned());
    }
    keys
}

/// What would make a statement spare the request: one of its clauses failing.
fn way_out(question: &Question<'_>, ruling: &Ruling<'_>) -> Vec<String> {
    let clauses = ruling.statement.into_iter().flat_map(|statement| &statement.condition);
    let mut ways: Vec<String> =
        clauses.filter_map(|clause| elsewhere(question, clause).or_else(|| spare(clause))).collect();
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

/// The way out of a clause that wants a key which calls carry on another resource than the one that was denied: whoever asks
/// cannot send it there.
fn elsewhere(question: &Question<'_>, clause: &Clause) -> Option<String> {
    let resource = question.resource?;
    let legs = call::legs(services::action(question.action.as_str())?);
    let own = legs.iter().find(|leg| leg.is_of(resource)).filter(|leg| leg.never_carries(&clause.key))?;
    let carrying: Vec<String> = legs
        .iter()
        .filter(|leg| leg.name() != own.name() && leg.need != call::Need::Perhaps && !leg.never_carries(&clause.key))
        .filter_map(|leg| leg.arns().next().map(services::sample_arn))
        .collect();
    (!carrying.is_empty()).then(|| {
        format!(
            "no request carries `{}` on a {}: leave it out of the condition, or have the statement name as its `Resource` what \
             does ({})",
            plain(&clause.key),
            own.name(),
            carrying.join(", ")
        )
    })
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
        way_out: way_out(question, ruling),
    });
    WhyOutput {
        format_version: FORMAT_VERSION,
        declared_only: ground.forest.declared_only,
        principal: question.principal.map(|principal| principal.arn().to_owned()).unwrap_or_default(),
        action: question.action.to_string(),
        resource: question.resource.map(str::to_owned),
        said: denial.said.clone(),
        said_explicit: denial.explicit,
        said_policy: denial.policy.clone(),
        said_statements: denial.statements.clone(),
        decision: words::decision(verdict.decision),
        causes: causes.collect(),
        stopped_at: stopped_at(denial, verdict).map(ToString::to_string),
        depends_on: hangs_on(denial, verdict).into_iter().collect(),
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
    if let Some(reason) = reason(denial) {
        writeln!(out, "AWS says: {reason}")?;
    }
    if ground.forest.declared_only {
        writeln!(out, "{}", words::DECLARED_ONLY)?;
    }
    let causes = causes(denial, verdict);
    let sure = is_sure(denial, &causes);
    for ruling in causes {
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
        for way in way_out(question, ruling) {
            writeln!(out, "  way out: {way}")?;
        }
    }
    if let Some(node) = stopped_at(denial, verdict) {
        let declared = if verdict.declared_only { "declared " } else { "" };
        writeln!(out, "\ndenied because no {declared}service control policy at {node} allows it")?;
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
    let hangs_on = hangs_on(denial, verdict);
    if !hangs_on.is_empty() {
        let keys: Vec<String> = hangs_on.iter().map(|key| format!("`{}`", plain(key))).collect();
        writeln!(
            out,
            "note: it hangs on {}, which the message does not tell; `--context KEY=VALUE` does",
            keys.join(", ")
        )?;
    }
    Ok(())
}
