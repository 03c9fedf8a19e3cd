//! `bylaw can`: may somebody in an account do something, and which statement at which node says so.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::reasons::{depends_on, reasons, remedy};
use super::words::{self, RulingOutput};
use super::{Asked, Ground, bulk};
use crate::cli::diagnostics::FORMAT_VERSION;
use crate::cli::diff::text_of;
use crate::cli::failure::Failure;
use crate::cli::files::plainly;
use crate::cli::show::safe::plain;
use crate::cli::terminal::Terminal;
use crate::judge::requests::{self, AskedPolicy, AskedRequest, ContextValue, Desk, Unanswerable};
use crate::judge::{Answer, Part, Principal, Question, Standing, Verdict};
use crate::policy::eval::{Action, Decision, Facts, Truth};
use crate::policy::services;
use crate::policy::statement::Effect;

/// `can`.
#[derive(Debug, Clone, Args)]
pub struct Can {
    /// The account, by id or name; left out: the principal's.
    #[arg(long, value_name = "ID|NAME")]
    pub account: Option<String>,
    /// The action, such as `sagemaker:CreateEndpoint`; a call of an API (`s3:HeadObject`) is asked for as its action.
    #[arg(long, value_name = "ACTION", required_unless_present = "requests")]
    pub action: Option<String>,
    /// The resource, `*` for an action that has none; left out: any of each type that such a call is authorized on.
    #[arg(long, value_name = "ARN")]
    pub resource: Option<String>,
    /// Who asks; left out: anybody in the account. Also who is of no account of the organization: a principal of another
    /// one, an AWS service (`delivery.logs.amazonaws.com`), an OIDC or SAML provider for whoever it vouches for, `anonymous`.
    #[arg(long, value_name = "ARN|SERVICE")]
    pub principal: Option<String>,
    /// A condition key of the request: `KEY=VALUE`, repeated for several values; `KEY=` where the request lacks it. What is
    /// not told is unknown, not absent.
    #[arg(long, value_name = "KEY=VALUE")]
    pub context: Vec<String>,
    /// Policies of the identity: without any, only the organization is asked. May be repeated.
    #[arg(long, value_name = "FILE", help_heading = "Other policies")]
    pub identity_policy: Vec<PathBuf>,
    /// Its permissions boundary.
    #[arg(long, value_name = "FILE", help_heading = "Other policies")]
    pub boundary: Option<PathBuf>,
    /// Policies of its session. May be repeated.
    #[arg(long, value_name = "FILE", help_heading = "Other policies")]
    pub session_policy: Vec<PathBuf>,
    /// The policy of the resource.
    #[arg(long, value_name = "FILE", help_heading = "Other policies")]
    pub resource_policy: Option<PathBuf>,
    /// Decide many requests by one reading of the organization: a file of one JSON object a line, or `-`. With `-o jsonl`.
    #[arg(
        long,
        value_name = "FILE|-",
        conflicts_with_all = [
            "account", "action", "resource", "principal", "context", "identity_policy", "boundary", "session_policy",
            "resource_policy",
        ]
    )]
    pub requests: Option<PathBuf>,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: Form,
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub asked: Asked,
}

/// Form of the output of `can`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Form {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For programs, one object a line.
    Jsonl,
}

/// Output of `bylaw can -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanOutput<'a> {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    format_version: u32,
    /// `allowed`, `denied` or `depends`.
    decision: &'static str,
    /// Only the declared policies were asked: what no manifest declares may decide otherwise.
    declared_only: bool,
    /// The account: of who asks, or of the resource where who asks is of no account of the organization.
    account: &'a str,
    /// The action.
    action: &'a str,
    /// The actions by which policies know it, where it is the name of a call and of no action.
    asked_as: Vec<String>,
    /// The resource, if it was told.
    resource: Option<&'a str>,
    /// Who asks, if that was told.
    principal: Option<&'a str>,
    /// Condition keys (and `resource`, `action`, `resource policy`) that it hangs on.
    depends_on: Vec<String>,
    /// Everything that AWS authorizes such a call on: the action on each type of resource, and the actions that it needs besides.
    authorizations: Vec<AuthorizationOutput>,
    /// Index in `authorizations` of the one that decides; the fields below are of it.
    decided_on: usize,
    /// Every statement that had a say, from the root down.
    walk: Vec<RulingOutput>,
    /// The statement that denied, if one did.
    decided_by: Option<RulingOutput>,
    /// The node at which nothing allows, where that is why it is denied.
    stopped_at: Option<String>,
    /// Kinds of policies that were brought along and do not allow.
    lacking: Vec<&'static str>,
    /// Why SCPs and RCPs have no say, where they have none.
    exempt: Vec<&'static str>,
    /// What else has to allow it and was not asked.
    unasked: Option<&'static str>,
    /// What was taken for so without being told.
    assumed: Option<&'static str>,
    /// What of the organization could not be read; with any of it nothing is allowed for sure.
    unknown: Vec<String>,
}

/// One authorization of a call.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationOutput {
    /// The action: that of the call, or one that it needs besides.
    action: String,
    /// The resource type by its name in AWS's reference; null for none.
    resource_type: Option<&'static str>,
    /// The resource, where it was named.
    resource: Option<String>,
    /// When AWS asks for it: `Always`; `OneOf` several types; `IfThere`: in calls that have such a resource; `IfTagged`,
    /// `IfRolePassed`, `IfNeeded`: dependent actions.
    needed: &'static str,
    /// Whether that is known of this call, so that a denial of it denies the call.
    sure: bool,
    /// `allowed`, `denied` or `depends`.
    decision: &'static str,
    /// Condition keys that it hangs on.
    depends_on: Vec<String>,
    /// The statement that denied, if one did.
    decided_by: Option<RulingOutput>,
    /// The node at which nothing allows, where that is why it is denied.
    stopped_at: Option<String>,
}

impl AuthorizationOutput {
    /// One.
    #[must_use]
    pub fn of(part: &Part<'_>) -> Self {
        Self {
            action: part.action.clone(),
            resource_type: part.resource_type,
            resource: part.resource.clone(),
            needed: words::needed(part.needed),
            sure: part.needed.is_sure(),
            decision: words::decision(part.verdict.decision),
            depends_on: part.verdict.depends_on.iter().cloned().collect(),
            decided_by: part.verdict.denied().map(RulingOutput::of),
            stopped_at: part.verdict.stopped_at.map(|node| node.id.to_string()),
        }
    }
}

/// Answers. The exit code: 0 allowed, 3 denied, 4 depends; of `--requests` 0, or 1 where a line was no request.
///
/// # Errors
/// The question or the organization cannot be read.
pub async fn run(asked: &Can, terminal: &Terminal, out: &mut dyn Write) -> Result<u8, Failure> {
    if let Some(requests) = &asked.requests {
        return bulk::run(asked, requests, terminal, out).await;
    }
    let request = request(asked)?;
    // What is wrong with it is said before an organization is read for it.
    request.check(policy_file).map_err(|wrong| unanswerable(&wrong))?;
    action(&request.action, terminal)?;
    let ground = asked.asked.ground(terminal).await?;
    let mut desk = Desk::with_files(&ground.forest, policy_file);
    let told = desk.decide(&request, |question, answer| {
        match asked.output {
            Form::Text => text(question, &ground, answer, terminal.out_colour, out)?,
            Form::Json => writeln!(out, "{:#}", json!(output(question, &ground, answer)))?,
            Form::Jsonl => writeln!(out, "{}", json!(output(question, &ground, answer)))?,
        }
        io::Result::Ok(words::exit_code(answer.decision))
    });
    Ok(told.map_err(|wrong| unanswerable(&wrong))??)
}

/// The arguments as the request that they ask for.
fn request(asked: &Can) -> Result<AskedRequest, Failure> {
    let file = |path: &PathBuf| AskedPolicy::File(path.display().to_string());
    Ok(AskedRequest {
        id: None,
        account: asked.account.clone(),
        action: asked.action.clone().unwrap_or_default(),
        resource: asked.resource.clone(),
        principal: asked.principal.clone(),
        context: context_values(&asked.context)?,
        identity_policies: asked.identity_policy.iter().map(file).collect(),
        boundary: asked.boundary.as_ref().map(file),
        session_policies: asked.session_policy.iter().map(file).collect(),
        resource_policy: asked.resource_policy.as_ref().map(file),
    })
}

/// The text of a policy that a request names by its file.
pub fn policy_file(name: &str) -> Result<String, Unanswerable> {
    text_in(Path::new(name)).map_err(|Failure { message, help }| Unanswerable {
        message,
        help: help.unwrap_or_else(|| "name a policy document".to_owned()),
    })
}

fn unanswerable(wrong: &Unanswerable) -> Failure {
    Failure { message: plain(&wrong.message), help: Some(plain(&wrong.help)) }
}

/// The account whose way to the root is asked, as [`requests::asker`] finds it.
///
/// # Errors
/// It is not told, or not of the organization.
pub fn asker(
    ground: &Ground,
    account: Option<&str>,
    principal: Option<&Principal>,
    resource: Option<&str>,
    told: &Facts,
) -> Result<Standing, Failure> {
    let account =
        requests::asker(&ground.forest, account, principal, resource, told).map_err(|wrong| unanswerable(&wrong))?;
    standing(ground, account.as_str())
}

/// An action that can be asked for, or the name of a call; one that AWS's reference does not know is told of and asked all the same.
///
/// # Errors
/// It has not the form of one.
pub fn action(text: &str, terminal: &Terminal) -> Result<Action, Failure> {
    let action = requests::action(text).map_err(|wrong| unanswerable(&wrong))?;
    let call = text.split_once(':').map(|(prefix, name)| services::calls::actions(prefix, name)).unwrap_or_default();
    if services::action(text).is_none() && call.is_empty() {
        let near = text.split_once(':').and_then(|(prefix, name)| {
            let service = services::service(prefix)?;
            crate::names::words::nearest(name, service.actions().map(|action| action.name()))
                .map(|name| format!("; did you mean `{prefix}:{name}`?"))
        });
        let near = near.unwrap_or_default();
        terminal.warn(&format!("AWS's reference knows no action `{}`{near}", plain(text)));
    }
    Ok(action)
}

/// A principal by its ARN, or by what stands for one.
///
/// # Errors
/// It is none.
pub fn principal(arn: &str) -> Result<Principal, Failure> {
    requests::principal(arn).map_err(|wrong| unanswerable(&wrong))
}

/// A resource by its ARN, or `*`.
///
/// # Errors
/// It is neither.
pub fn resource(text: &str) -> Result<&str, Failure> {
    requests::resource(text).map_err(|wrong| unanswerable(&wrong))
}

/// Condition keys that were told.
///
/// # Errors
/// One has not the form `KEY=VALUE`.
pub fn context(told: &[String]) -> Result<Facts, Failure> {
    requests::facts(&context_values(told)?).map_err(|wrong| unanswerable(&wrong))
}

fn context_values(told: &[String]) -> Result<BTreeMap<String, ContextValue>, Failure> {
    let mut values: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for text in told {
        let pair = text
            .split_once('=')
            .filter(|(key, _)| key.split_once(':').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty()));
        let Some((key, value)) = pair else {
            return Err(Failure::new(
                format!("`{}` is no condition key with a value", plain(text)),
                "write `KEY=VALUE`, such as `--context aws:RequestedRegion=eu-west-1`",
            ));
        };
        // Keys are the same in any case.
        values.entry(key.to_ascii_lowercase()).or_default().insert(value);
    }
    let several = |(key, values): (String, BTreeSet<&str>)| {
        if values.len() > 1 && values.contains("") {
            return Err(Failure::new(
                format!("`{}` is told to be absent, and to have a value", plain(&key)),
                "write `KEY=` alone where the request lacks the key",
            ));
        }
        let values = values.into_iter().filter(|value| !value.is_empty()).map(str::to_owned);
        Ok((key, ContextValue::Several(values.collect())))
    };
    values.into_iter().map(several).collect()
}

/// The text of a policy file.
///
/// # Errors
/// It cannot be read.
fn text_in(file: &Path) -> Result<String, Failure> {
    let shown = plain(&file.display().to_string());
    let mut opened = std::fs::File::open(file).map_err(|error| {
        Failure::new(format!("`{shown}` cannot be read: {}", plainly(&error)), "name a policy document")
    })?;
    text_of(&shown, &mut opened)
}

/// What binds an account that the user named.
///
/// # Errors
/// There is none of that name.
pub fn standing(ground: &Ground, account: &str) -> Result<Standing, Failure> {
    let missing = |why: String| Failure::new(why, "`bylaw tree` shows the accounts of the organization");
    let id = ground.forest.account(account).map_err(|why| missing(plain(&why)))?;
    ground.forest.standing(&id).ok_or_else(|| missing(format!("the organization has no account `{id}`")))
}

fn output<'a>(question: &'a Question<'_>, ground: &Ground, answer: &Answer<'_>) -> CanOutput<'a> {
    let verdict = answer.deciding().map(|part| &part.verdict);
    CanOutput {
        format_version: FORMAT_VERSION,
        decision: words::decision(answer.decision),
        declared_only: ground.forest.declared_only,
        account: question.account.as_str(),
        action: question.action.as_str(),
        asked_as: answer.asked_as.clone(),
        resource: question.resource,
        principal: question.principal.map(Principal::arn),
        depends_on: depends_on(answer).into_iter().collect(),
        authorizations: answer.parts.iter().map(AuthorizationOutput::of).collect(),
        decided_on: answer.decided_by,
        walk: verdict.map_or_else(Vec::new, |verdict| verdict.rulings.iter().map(RulingOutput::of).collect()),
        decided_by: verdict.and_then(Verdict::denied).map(RulingOutput::of),
        stopped_at: verdict.and_then(|verdict| verdict.stopped_at).map(|node| node.id.to_string()),
        lacking: verdict
            .map_or_else(Vec::new, |verdict| verdict.lacking.iter().map(|one| words::layer(*one)).collect()),
        exempt: verdict.map_or_else(Vec::new, |verdict| verdict.exempt.clone()),
        unasked: verdict.and_then(|verdict| verdict.unasked),
        assumed: verdict.and_then(|verdict| verdict.assumed),
        unknown: verdict.map_or_else(Vec::new, |verdict| verdict.gaps.clone()),
    }
}

fn text(
    question: &Question<'_>,
    ground: &Ground,
    answer: &Answer<'_>,
    colour: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let word = words::decision(answer.decision);
    let word = if colour {
        let sgr = match answer.decision {
            Decision::Allowed => "32",
            Decision::Denied => "31",
            Decision::Depends => "33",
        };
        format!("\x1b[1;{sgr}m{word}\x1b[0m")
    } else {
        word.to_owned()
    };
    // What no manifest declares may decide otherwise.
    let by = match answer.decision {
        Decision::Depends => "",
        _ if ground.forest.declared_only => " by the declared policies",
        _ => "",
    };
    let who = question.principal.map_or_else(|| "anybody".to_owned(), |principal| plain(principal.arn()));
    let on = question.resource.map(|arn| format!(" on {}", plain(arn))).unwrap_or_default();
    let Some(standing) = &ground.forest.standing(question.account) else { return Ok(()) };
    let account = ground.forest.own_node(standing).map(ToString::to_string).unwrap_or_default();
    writeln!(out, "{word}{by}: {who} in {account}: {}{on}", plain(question.action.as_str()))?;
    for line in reasons(answer).into_iter().chain(remedy(answer)) {
        writeln!(out, "  {line}")?;
    }
    if let Some(assumed) = answer.deciding().and_then(|part| part.verdict.assumed) {
        writeln!(out, "  ({assumed})")?;
    }
    if question.own.identity.is_none() && answer.decision != Decision::Denied {
        writeln!(out, "  (the organization was asked; the principal's own policies have to allow it too)")?;
    }
    if ground.forest.declared_only {
        writeln!(out, "  {}", words::DECLARED_ONLY)?;
    }
    let Some(verdict) = answer.deciding().map(|part| &part.verdict) else { return Ok(()) };
    if (standing.service_control().is_none() && standing.resource_control().is_none())
        || (!verdict.exempt.is_empty() && verdict.rulings.is_empty())
    {
        return Ok(());
    }
    writeln!(out, "\nthe way down:")?;
    for at in &standing.path {
        let Some(node) = ground.forest.node(*at) else { continue };
        writeln!(out, "  {}", node)?;
        let mut silent = true;
        for ruling in verdict.rulings.iter().filter(|ruling| ruling.node.is_some_and(|other| other.id == node.id)) {
            silent = false;
            let (policy, name) = (
                ruling.policy.map_or("", |policy| policy.name.as_str()),
                words::statement(ruling.statement, ruling.place.statement),
            );
            let verb = match (ruling.effect, ruling.applies) {
                (Effect::Allow, Truth::Yes) => "allows",
                (Effect::Allow, _) => "allows if",
                (Effect::Deny, Truth::Yes) => "denies",
                (Effect::Deny, _) => "denies if",
            };
            let open = words::open(ruling);
            let open = if open.is_empty() { open } else { format!(" {open}") };
            writeln!(out, "    {verb}{open}: {} {name}", plain(policy))?;
        }
        if silent && standing.service_control().is_some() && verdict.exempt.is_empty() {
            let declared = if ground.forest.declared_only { " declared" } else { "" };
            writeln!(out, "    nothing{declared} allows it here")?;
        }
    }
    Ok(())
}
