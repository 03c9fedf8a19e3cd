//! `bylaw history`: what changed what binds an account, when and by whom.

use std::io::{self, Write};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{Asked, Ground, can};
use crate::cli::args::Machine;
use crate::cli::diagnostics::FORMAT_VERSION;
use crate::cli::failure::Failure;
use crate::cli::show::safe::{plain, quoted};
use crate::cli::terminal::Terminal;
use crate::judge::Standing;
use crate::judge::chronicle::{Deed, Happened};
use crate::names::{NodeId, PolicyId};

/// `history`.
#[derive(Debug, Clone, Args)]
pub struct History {
    /// The account, by id or name.
    #[arg(value_name = "ID|NAME")]
    pub account: String,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: Machine,
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub asked: Asked,
}

/// Output of `bylaw history -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryOutput {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    format_version: u32,
    /// The account.
    account: String,
    /// Time of the first event that was given of the organization (RFC 3339).
    from: Option<String>,
    /// Time of the last one.
    to: Option<String>,
    /// What changed what binds the account, oldest first.
    events: Vec<EventOutput>,
}

/// One change.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EventOutput {
    /// CloudTrail's `eventID`.
    id: String,
    /// When (RFC 3339).
    at: String,
    /// ARN of who did it.
    by: String,
    /// In a sentence.
    what: String,
    /// The policy, where it is about one.
    policy: Option<String>,
    /// The root, OU or account, where it is about one.
    node: Option<String>,
}

/// Tells. The exit code: 0.
///
/// # Errors
/// The organization or the events cannot be read, or it has no such account.
pub async fn run(asked: &History, terminal: &Terminal, out: &mut dyn Write) -> Result<u8, Failure> {
    if asked.asked.events.is_empty() {
        let help = "name files or directories of CloudTrail's events with `--events`";
        return Err(Failure::new("history is told from events, and none were named", help));
    }
    let ground = asked.asked.ground(terminal).await?;
    let standing = can::standing(&ground, &asked.account)?;
    let events: Vec<&Happened> = ground
        .chronicle
        .of_account(&ground.observed, &standing.account)
        .into_iter()
        .filter(|event| asked.asked.at.is_none_or(|at| event.at <= at))
        .collect();
    match asked.output {
        Machine::Text => text(&ground, &standing, &events, out)?,
        Machine::Json => writeln!(out, "{:#}", json!(output(&ground, &standing, &events)))?,
    }
    Ok(0)
}

fn output(ground: &Ground, standing: &Standing, events: &[&Happened]) -> HistoryOutput {
    let span = ground.chronicle.span();
    HistoryOutput {
        format_version: FORMAT_VERSION,
        account: standing.account.to_string(),
        from: span.map(|(first, _)| first.to_string()),
        to: span.map(|(_, last)| last.to_string()),
        events: events
            .iter()
            .map(|event| {
                let (policy, node) = about(&event.deed);
                EventOutput {
                    id: event.id.to_string(),
                    at: event.at.to_string(),
                    by: event.by.clone(),
                    what: told(ground, &event.deed),
                    policy: policy.map(ToString::to_string),
                    node: node.map(|node| node.to_string()),
                }
            })
            .collect(),
    }
}

fn text(ground: &Ground, standing: &Standing, events: &[&Happened], out: &mut dyn Write) -> io::Result<()> {
    let account = ground.forest.own_node(standing).map(ToString::to_string).unwrap_or_default();
    writeln!(out, "{account}")?;
    if let Some((first, last)) = ground.chronicle.span() {
        writeln!(out, "by events from {first} to {last}")?;
    }
    for event in events {
        writeln!(out, "\n{}  {}\n  by {}", event.at, told(ground, &event.deed), plain(&event.by))?;
    }
    if events.is_empty() {
        let none = match ground.chronicle.span() {
            Some(_) => "nothing in these events changed what binds it",
            None => "the events hold no change of the organization: nothing is known of what changed it",
        };
        writeln!(out, "\n{none}")?;
    }
    Ok(())
}

fn about(deed: &Deed) -> (Option<&PolicyId>, Option<NodeId>) {
    match deed {
        Deed::CreatePolicy { policy, .. } | Deed::UpdatePolicy { policy, .. } | Deed::DeletePolicy { policy } => {
            (Some(policy), None)
        }
        Deed::Attach { policy, target } | Deed::Detach { policy, target } => (Some(policy), Some(target.clone())),
        Deed::Move { to, .. } => (None, Some(to.clone())),
        Deed::CreateUnit { unit, .. } | Deed::DeleteUnit { unit } => (None, Some(NodeId::Unit(unit.clone()))),
        Deed::Join { account } | Deed::Leave { account } => (None, Some(NodeId::Account(account.clone()))),
        Deed::TypeOn { .. } | Deed::TypeOff { .. } => (None, None),
    }
}

fn told(ground: &Ground, deed: &Deed) -> String {
    let policy = |id: &PolicyId| match ground.observed.policies.get(id) {
        Some(policy) => format!("{} ({id})", quoted(&policy.name)),
        None => format!("policy {id}"),
    };
    let node = |id: &NodeId| match id {
        NodeId::Root(_) => format!("the root ({id})"),
        NodeId::Unit(_) => format!("OU {} ({id})", plain(ground.observed.name(id))),
        NodeId::Account(_) => format!("account {} ({id})", plain(ground.observed.name(id))),
    };
    match deed {
        Deed::CreatePolicy { policy: id, kind, .. } => format!("created {} of type {kind}", policy(id)),
        Deed::UpdatePolicy { policy: id, content: Some(_), .. } => format!("edited what {} says", policy(id)),
        Deed::UpdatePolicy { policy: id, .. } => format!("renamed {}", policy(id)),
        Deed::DeletePolicy { policy: id } => format!("deleted {}", policy(id)),
        Deed::Attach { policy: id, target } => format!("attached {} to {}", policy(id), node(target)),
        Deed::Detach { policy: id, target } => format!("detached {} from {}", policy(id), node(target)),
        Deed::Move { from, to, .. } => format!("moved the account from {} to {}", node(from), node(to)),
        Deed::CreateUnit { unit, .. } => format!("created {}", node(&NodeId::Unit(unit.clone()))),
        Deed::DeleteUnit { unit } => format!("deleted {}", node(&NodeId::Unit(unit.clone()))),
        Deed::Join { .. } => "the account joined the organization".to_owned(),
        Deed::Leave { .. } => "the account left the organization".to_owned(),
        Deed::TypeOn { kind } => format!("switched policies of type {kind} on"),
        Deed::TypeOff { kind } => format!("switched policies of type {kind} off"),
    }
}
