//! `bylaw who-can`: in which accounts an action is allowed, for whom, and what stops the others.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::words::{self, RulingOutput};
use super::{Asked, Ground, can, reasons};
use crate::cli::args::Machine;
use crate::cli::diagnostics::FORMAT_VERSION;
use crate::cli::failure::Failure;
use crate::cli::show::safe::plain;
use crate::cli::terminal::Terminal;
use crate::judge::{Answer, Own, Question, Standing, Verdict};
use crate::names::NodeId;
use crate::policy::eval::{Action, Decision, Facts};

/// `who-can`.
#[derive(Debug, Clone, Args)]
pub struct WhoCan {
    /// The action, such as `sagemaker:CreateEndpoint`.
    #[arg(value_name = "ACTION")]
    pub action: String,
    /// The resource, `*` for an action that has none; left out: any. `{account}` stands for each account's id.
    #[arg(long, value_name = "ARN")]
    pub resource: Option<String>,
    /// Who asks, with `{account}` for each account's id (`arn:aws:iam::{account}:role/deployer`); left out: anybody.
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

/// Output of `bylaw who-can -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhoCanOutput {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    format_version: u32,
    /// Only the declared policies were asked: what no manifest declares may decide otherwise.
    declared_only: bool,
    /// The action.
    action: String,
    /// How many accounts allow it, deny it, or hang on what is not known.
    summary: Summary,
    /// Every account, by id.
    accounts: Vec<AccountOutput>,
    /// Every OU and the root with what its accounts, at any depth, come to.
    units: Vec<UnitOutput>,
}

/// Accounts, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Summary {
    /// Those that allow it.
    allowed: usize,
    /// Those that deny it.
    denied: usize,
    /// Those that hang on what is not known.
    depends: usize,
}

impl Summary {
    fn count(&mut self, decision: Decision) {
        match decision {
            Decision::Allowed => self.allowed += 1,
            Decision::Denied => self.denied += 1,
            Decision::Depends => self.depends += 1,
        }
    }
}

/// One account.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct AccountOutput {
    /// Its id.
    account: String,
    /// Its name.
    name: String,
    /// `allowed`, `denied` or `depends`.
    decision: &'static str,
    /// Condition keys that it hangs on.
    depends_on: Vec<String>,
    /// The statement that denied, if one did.
    decided_by: Option<RulingOutput>,
    /// The node at which nothing allows, where that is why it is denied.
    stopped_at: Option<String>,
}

/// The root or an OU.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UnitOutput {
    /// Its id.
    node: String,
    /// Its name.
    name: String,
    /// Its accounts.
    #[serde(flatten)]
    accounts: Summary,
}

/// Answers. The exit code: 0.
///
/// # Errors
/// The question or the organization cannot be read.
pub async fn run(asked: &WhoCan, terminal: &Terminal, out: &mut dyn Write) -> Result<u8, Failure> {
    let action = can::action(&asked.action, terminal)?;
    let of_some_account = |arn: &str| arn.replace("{account}", "111122223333");
    if let Some(arn) = asked.resource.as_deref() {
        can::resource(&of_some_account(arn))?;
    }
    let told = can::context(&asked.context)?;
    if let Some(arn) = asked.principal.as_deref() {
        can::principal(&of_some_account(arn))?;
        if !arn.contains("{account}") {
            let help = "write `{account}` where the account's id stands; of one principal ask `bylaw can --principal`";
            return Err(Failure::new(format!("`{}` is of one account", plain(arn)), help));
        }
    }
    let ground = asked.asked.ground(terminal).await?;
    let standings: Vec<Standing> =
        ground.forest.accounts().filter_map(|account| ground.forest.standing(account)).collect();
    let answers: Vec<Answer<'_>> =
        standings.iter().map(|standing| answer(asked, &action, &told, &ground, standing)).collect::<Result<_, _>>()?;
    match asked.output {
        Machine::Text => text(&action, &ground, &standings, &answers, out)?,
        Machine::Json => writeln!(out, "{:#}", json!(output(&action, &ground, &standings, &answers)))?,
    }
    Ok(0)
}

fn answer<'a>(
    asked: &WhoCan,
    action: &Action,
    told: &Facts,
    ground: &'a Ground,
    standing: &'a Standing,
) -> Result<Answer<'a>, Failure> {
    let here = |text: &String| text.replace("{account}", standing.account.as_str());
    let (resource, principal) = (asked.resource.as_ref().map(here), asked.principal.as_ref().map(here));
    let principal = principal.as_deref().map(can::principal).transpose()?;
    let question = Question {
        account: &standing.account,
        action,
        resource: resource.as_deref(),
        principal: principal.as_ref(),
        told,
        own: &Own::default(),
    };
    Ok(question.ask_call(&ground.forest, standing))
}

fn name<'a>(ground: &'a Ground, standing: &Standing) -> &'a str {
    ground.forest.own_node(standing).map_or("", |node| node.name.as_str())
}

fn output(action: &Action, ground: &Ground, standings: &[Standing], answers: &[Answer<'_>]) -> WhoCanOutput {
    let mut summary = Summary::default();
    let mut units: BTreeMap<usize, Summary> = BTreeMap::new();
    let mut accounts = vec![];
    for (standing, answer) in standings.iter().zip(answers) {
        summary.count(answer.decision);
        for at in &standing.path {
            units.entry(*at).or_default().count(answer.decision);
        }
        let deciding = answer.deciding().map(|part| &part.verdict);
        accounts.push(AccountOutput {
            account: standing.account.to_string(),
            name: name(ground, standing).to_owned(),
            decision: words::decision(answer.decision),
            depends_on: reasons::depends_on(answer).into_iter().collect(),
            decided_by: deciding.and_then(Verdict::denied).map(RulingOutput::of),
            stopped_at: deciding.and_then(|verdict| verdict.stopped_at).map(|node| node.id.to_string()),
        });
    }
    let units = units
        .into_iter()
        .filter_map(|(at, accounts)| Some((ground.forest.node(at)?, accounts)))
        .filter(|(node, _)| !matches!(node.id, NodeId::Account(_)))
        .map(|(node, accounts)| UnitOutput { node: node.id.to_string(), name: node.name.clone(), accounts })
        .collect();
    WhoCanOutput {
        format_version: FORMAT_VERSION,
        declared_only: ground.forest.declared_only,
        action: action.to_string(),
        summary,
        accounts,
        units,
    }
}

/// Accounts that are told by name; the rest is counted.
const TOLD: usize = 20;

fn text(
    action: &Action,
    ground: &Ground,
    standings: &[Standing],
    answers: &[Answer<'_>],
    out: &mut dyn Write,
) -> io::Result<()> {
    // Accounts that the same reason decides are one line.
    let mut groups: BTreeMap<(std::cmp::Reverse<Decision>, Vec<String>), Vec<String>> = BTreeMap::new();
    for (standing, answer) in standings.iter().zip(answers) {
        let why = reasons::reasons(answer);
        let account = format!("{} ({})", plain(name(ground, standing)), standing.account);
        groups.entry((std::cmp::Reverse(answer.decision), why)).or_default().push(account);
    }
    writeln!(out, "{}", plain(action.as_str()))?;
    if ground.forest.declared_only {
        writeln!(out, "{}", words::DECLARED_ONLY)?;
    }
    for ((decision, why), accounts) in groups {
        let word = if accounts.len() == 1 { "account" } else { "accounts" };
        writeln!(out, "\n{} in {} {word}", words::decision(decision.0), accounts.len())?;
        for line in why {
            writeln!(out, "  {line}")?;
        }
        let more = accounts.len().saturating_sub(TOLD);
        let mut told: Vec<String> = accounts.into_iter().take(TOLD).collect();
        if more > 0 {
            told.push(format!("and {more} more"));
        }
        writeln!(out, "  {}", told.join(", "))?;
    }
    Ok(())
}
