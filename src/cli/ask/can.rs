//! `bylaw can`: may somebody in an account do something, and which statement at which node says so.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::words::{self, RulingOutput};
use super::{Asked, Ground};
use crate::cli::args::Machine;
use crate::cli::diagnostics::FORMAT_VERSION;
use crate::cli::diff::text_of;
use crate::cli::failure::Failure;
use crate::cli::files::plainly;
use crate::cli::show::safe::plain;
use crate::cli::terminal::Terminal;
use crate::judge::{Own, Principal, Question, Standing, Verdict};
use crate::names::PolicyType;
use crate::policy::Document;
use crate::policy::document::Content;
use crate::policy::eval::{Action, Compiled, Decision, Facts, Ladder, Truth};
use crate::policy::services;
use crate::policy::statement::Effect;

/// `can`.
#[derive(Debug, Clone, Args)]
pub struct Can {
    /// The account, by id or name; left out: the principal's.
    #[arg(long, value_name = "ID|NAME")]
    pub account: Option<String>,
    /// The action, such as `sagemaker:CreateEndpoint`.
    #[arg(long, value_name = "ACTION")]
    pub action: String,
    /// The resource, `*` for an action that has none; left out: any.
    #[arg(long, value_name = "ARN")]
    pub resource: Option<String>,
    /// Who asks; left out: anybody in the account.
    #[arg(long, value_name = "ARN")]
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
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: Machine,
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub asked: Asked,
}

/// Output of `bylaw can -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanOutput<'a> {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    format_version: u32,
    /// `allowed`, `denied` or `depends`.
    decision: &'static str,
    /// The account.
    account: &'a str,
    /// The action.
    action: &'a str,
    /// The resource, if it was told.
    resource: Option<&'a str>,
    /// Who asks, if that was told.
    principal: Option<&'a str>,
    /// Condition keys (and `resource`) that it hangs on.
    depends_on: Vec<String>,
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
    /// What of the organization could not be read; with any of it nothing is allowed for sure.
    unknown: Vec<String>,
}

/// Answers. The exit code: 0 allowed, 3 denied, 4 depends.
///
/// # Errors
/// The question or the organization cannot be read.
pub async fn run(asked: &Can, terminal: &Terminal, out: &mut dyn Write) -> Result<u8, Failure> {
    let action = action(&asked.action, terminal)?;
    let principal = asked.principal.as_deref().map(principal).transpose()?;
    asked.resource.as_deref().map(resource).transpose()?;
    let told = context(&asked.context)?;
    let own = own(asked)?;
    let ground = asked.asked.ground(terminal).await?;
    let account = match (&asked.account, &principal) {
        (Some(account), _) => account.as_str(),
        (None, Some(principal)) => principal.account(),
        (None, None) => {
            return Err(Failure::new(
                "nobody is named",
                "say in which account with `--account`, or who with `--principal`",
            ));
        }
    };
    let standing = standing(&ground, account)?;
    if let Some(principal) = principal.as_ref().filter(|principal| principal.account() != standing.account.as_str()) {
        return Err(Failure::new(
            format!("`{}` is not in account `{}`", principal.arn(), standing.account),
            "policies bind by the account of who asks: leave `--account` out",
        ));
    }
    let question = Question {
        account: &standing.account,
        action: &action,
        resource: asked.resource.as_deref(),
        principal: principal.as_ref(),
        told: &told,
        own: &own,
    };
    let verdict = question.ask(&ground.forest, &standing);
    match asked.output {
        Machine::Text => text(&question, &ground, &standing, &verdict, terminal.out_colour, out)?,
        Machine::Json => writeln!(out, "{:#}", json!(output(&question, &verdict)))?,
    }
    Ok(words::exit_code(verdict.decision))
}

/// An action that can be asked for; one that AWS's reference does not know is told of and asked all the same.
///
/// # Errors
/// It has not the form of one.
pub fn action(text: &str, terminal: &Terminal) -> Result<Action, Failure> {
    let sane = text.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_".contains(&b));
    let Some(action) = Action::parse(text).filter(|_| sane) else {
        return Err(Failure::new(
            format!("`{}` is not an action", plain(text)),
            "name one action, such as `s3:GetObject`; wildcards are for policies",
        ));
    };
    if services::action(text).is_none() {
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

/// A principal by its ARN.
///
/// # Errors
/// It is none.
pub fn principal(arn: &str) -> Result<Principal, Failure> {
    Principal::parse(arn).map_err(|why| Failure { message: plain(&why), help: None })
}

/// A resource by its ARN, or `*`.
///
/// # Errors
/// It is neither.
pub fn resource(text: &str) -> Result<&str, Failure> {
    let is_arn = text.starts_with("arn:") && text.splitn(6, ':').count() == 6;
    if text == "*" || is_arn {
        return Ok(text);
    }
    Err(Failure::new(
        format!("`{}` is no ARN of a resource", plain(text)),
        "write it as policies name it, such as `arn:aws:s3:::bucket/key`, or `*` for an action that has none",
    ))
}

/// Condition keys that were told.
///
/// # Errors
/// One has not the form `KEY=VALUE`.
pub fn context(told: &[String]) -> Result<Facts, Failure> {
    let mut values: std::collections::BTreeMap<String, Vec<&str>> = std::collections::BTreeMap::new();
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
        values.entry(key.to_ascii_lowercase()).or_default().push(value);
    }
    let mut facts = Facts::unknown();
    for (key, mut values) in values {
        values.sort_unstable();
        values.dedup();
        if values.len() > 1 && values.contains(&"") {
            return Err(Failure::new(
                format!("`{}` is told to be absent, and to have a value", plain(&key)),
                "write `KEY=` alone where the request lacks the key",
            ));
        }
        facts.set(&key, values.into_iter().filter(|value| !value.is_empty()));
    }
    Ok(facts)
}

fn own(asked: &Can) -> Result<Own, Failure> {
    let ladder = |kind: &str, files: &[PathBuf]| -> Result<Option<Ladder>, Failure> {
        if files.is_empty() {
            return Ok(None);
        }
        let policies = files.iter().map(|file| compiled(kind, file)).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Ladder::new([policies.iter()])))
    };
    Ok(Own {
        identity: ladder("IDENTITY_POLICY", &asked.identity_policy)?,
        boundary: ladder("PERMISSIONS_BOUNDARY", asked.boundary.as_slice())?,
        session: ladder("SESSION_POLICY", &asked.session_policy)?,
        resource: ladder("RESOURCE_POLICY", asked.resource_policy.as_slice())?,
    })
}

/// The policy in a file.
///
/// # Errors
/// It cannot be read, or is none of that type.
pub fn compiled(kind: &str, file: &Path) -> Result<Compiled, Failure> {
    let shown = plain(&file.display().to_string());
    let mut opened = std::fs::File::open(file).map_err(|error| {
        Failure::new(format!("`{shown}` cannot be read: {}", plainly(&error)), "name a policy document")
    })?;
    let text = text_of(&shown, &mut opened)?;
    let wrong = |what: String| {
        Failure::new(
            format!("`{shown}`: {what}"),
            format!("`bylaw lint --type {kind} {shown}` tells all that is wrong"),
        )
    };
    let (document, _) = Document::parse(&PolicyType::new(kind), &text)
        .map_err(|flaws| wrong(flaws.iter().find(|flaw| flaw.error).map_or_else(String::new, ToString::to_string)))?;
    match document.content() {
        Content::Statements(policy) => Ok(Compiled::new(policy)),
        Content::Management(_) => Err(wrong("it holds no statements".into())),
    }
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

fn output<'a>(question: &'a Question<'_>, verdict: &Verdict<'_>) -> CanOutput<'a> {
    CanOutput {
        format_version: FORMAT_VERSION,
        decision: words::decision(verdict.decision),
        account: question.account.as_str(),
        action: question.action.as_str(),
        resource: question.resource,
        principal: question.principal.map(Principal::arn),
        depends_on: verdict.depends_on.iter().cloned().collect(),
        walk: verdict.rulings.iter().map(RulingOutput::of).collect(),
        decided_by: verdict.denied().map(RulingOutput::of),
        stopped_at: verdict.stopped_at.map(|node| node.id.to_string()),
        lacking: verdict.lacking.iter().map(|lacking| words::layer(*lacking)).collect(),
        exempt: verdict.exempt.clone(),
        unknown: verdict.gaps.clone(),
    }
}

fn text(
    question: &Question<'_>,
    ground: &Ground,
    standing: &Standing,
    verdict: &Verdict<'_>,
    colour: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let word = words::decision(verdict.decision);
    let word = if colour {
        let sgr = match verdict.decision {
            Decision::Allowed => "32",
            Decision::Denied => "31",
            Decision::Depends => "33",
        };
        format!("\x1b[1;{sgr}m{word}\x1b[0m")
    } else {
        word.to_owned()
    };
    let who = question.principal.map_or_else(|| "anybody".to_owned(), |principal| plain(principal.arn()));
    let on = question.resource.map(|arn| format!(" on {}", plain(arn))).unwrap_or_default();
    let account = ground.forest.own_node(standing).map(ToString::to_string).unwrap_or_default();
    writeln!(out, "{word}: {who} in {account}: {}{on}", plain(question.action.as_str()))?;
    for line in reasons(verdict) {
        writeln!(out, "  {line}")?;
    }
    if question.own.identity.is_none() && verdict.decision != Decision::Denied {
        writeln!(out, "  (the organization was asked; the principal's own policies have to allow it too)")?;
    }
    if (standing.service_control().is_none() && standing.resource_control().is_none()) || !verdict.exempt.is_empty() {
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
        if silent && standing.service_control().is_some() {
            writeln!(out, "    nothing allows it here")?;
        }
    }
    Ok(())
}

/// Why, in sentences.
#[must_use]
pub fn reasons(verdict: &Verdict<'_>) -> Vec<String> {
    let mut lines: Vec<String> = verdict.exempt.iter().map(|why| (*why).to_owned()).collect();
    if let Some(ruling) = verdict.denied() {
        lines.push(format!("by {}", words::ruling(ruling)));
        return lines;
    }
    match verdict.decision {
        Decision::Denied => {
            if let Some(node) = verdict.stopped_at {
                lines.push(format!("no service control policy at {} allows it", node));
            }
            for lacking in verdict.lacking.iter().filter(|layer| **layer != crate::judge::Layer::ServiceControl) {
                lines.push(format!("{} do not allow it", words::layer(*lacking)));
            }
        }
        Decision::Depends => {
            for ruling in
                verdict.rulings.iter().filter(|ruling| ruling.applies == Truth::Depends && words::denies(ruling))
            {
                lines.push(format!("denied if {}, by {}", words::open(ruling), words::ruling(ruling)));
            }
            for ruling in
                verdict.rulings.iter().filter(|ruling| ruling.applies == Truth::Depends && !words::denies(ruling))
            {
                let alone = !verdict.rulings.iter().any(|other| {
                    other.effect == Effect::Allow
                        && other.applies == Truth::Yes
                        && other.node.map(|n| &n.id) == ruling.node.map(|n| &n.id)
                });
                if alone {
                    lines.push(format!("allowed only if {}, by {}", words::open(ruling), words::ruling(ruling)));
                }
            }
            lines.extend(verdict.gaps.iter().map(|gap| format!("not known: {}", plain(gap))));
            if !verdict.depends_on.is_empty() {
                let told: Vec<String> = verdict
                    .depends_on
                    .iter()
                    .map(|key| {
                        if key == "resource" {
                            "--resource".to_owned()
                        } else {
                            format!("--context {}=…", plain(key))
                        }
                    })
                    .collect();
                lines.push(format!("tell it with {}", told.join(" ")));
            }
        }
        Decision::Allowed => {}
    }
    lines
}
