//! `bylaw what-binds`: every statement in force for an account, and from where it comes.

use std::io::{self, Write};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::words::{self, ClauseOutput};
use super::{Asked, Ground, can};
use crate::cli::args::Machine;
use crate::cli::diagnostics::FORMAT_VERSION;
use crate::cli::failure::Failure;
use crate::cli::show::safe::plain;
use crate::cli::terminal::Terminal;
use crate::judge::{Policy, Standing};
use crate::policy::statement::{Scope, Statement};

/// `what-binds`.
#[derive(Debug, Clone, Args)]
pub struct WhatBinds {
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

/// Output of `bylaw what-binds -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhatBindsOutput {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    format_version: u32,
    /// Only the declared policies are told: what no manifest declares may bind it besides.
    declared_only: bool,
    /// The account.
    account: String,
    /// Its name.
    name: String,
    /// Whether it is the management account, which neither SCPs nor RCPs bind.
    management: bool,
    /// Policies on the way from the root, in its order.
    policies: Vec<BindingOutput>,
    /// What of the way could not be read.
    unknown: Vec<String>,
}

/// A policy at a node.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct BindingOutput {
    /// Id of the root, OU or account where it is attached.
    node: String,
    /// Name of that node.
    node_name: String,
    /// Id of the policy.
    policy: String,
    /// Name of the policy.
    policy_name: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// The object that declares it, `Kind/name`.
    object: Option<String>,
    /// Where that object stands.
    origin: Option<String>,
    /// Who answers for it: annotation `bylaw.dev/owner`.
    owner: Option<String>,
    /// Since when it binds here as it does, and by whom, if `--events` tell (RFC 3339, ARN).
    since: Option<String>,
    /// Its statements; empty for a management policy.
    statements: Vec<StatementOutput>,
    /// Why it is not known what it says, where that is so.
    unreadable: Option<String>,
}

/// A statement.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct StatementOutput {
    /// Its Sid.
    sid: Option<String>,
    /// `Allow` or `Deny`.
    effect: &'static str,
    /// `Action` or `NotAction`.
    action_element: &'static str,
    /// Its values.
    actions: Vec<String>,
    /// `Resource` or `NotResource`.
    resource_element: &'static str,
    /// Its values.
    resources: Vec<String>,
    /// What has to hold besides.
    condition: Vec<ClauseOutput>,
}

/// Answers. The exit code: 0, or 1 where part of it is not known.
///
/// # Errors
/// The organization cannot be read, or has no such account.
pub async fn run(asked: &WhatBinds, terminal: &Terminal, out: &mut dyn Write) -> Result<u8, Failure> {
    let ground = asked.asked.ground(terminal).await?;
    let standing = can::standing(&ground, &asked.account)?;
    match asked.output {
        Machine::Text => text(&ground, &standing, out)?,
        Machine::Json => writeln!(out, "{:#}", json!(output(&ground, &standing)))?,
    }
    Ok(u8::from(!standing.gaps.is_empty()))
}

fn output(ground: &Ground, standing: &Standing) -> WhatBindsOutput {
    let account = ground.forest.own_node(standing);
    let policies = ground.forest.attached(standing).map(|(node, policy)| BindingOutput {
        node: node.id.to_string(),
        node_name: node.name.clone(),
        policy: policy.id.to_string(),
        policy_name: policy.name.clone(),
        kind: policy.kind.to_string(),
        object: policy.object.clone(),
        origin: policy.origin.as_ref().map(ToString::to_string),
        owner: policy.owner.as_deref().map(str::to_owned),
        since: ground.since(&policy.id, &node.id),
        statements: policy.statements().into_iter().flat_map(|policy| &policy.statements).map(statement).collect(),
        unreadable: policy.document.as_ref().err().cloned(),
    });
    WhatBindsOutput {
        format_version: FORMAT_VERSION,
        declared_only: ground.forest.declared_only,
        account: standing.account.to_string(),
        name: account.map_or_else(String::new, |node| node.name.clone()),
        management: standing.management,
        policies: policies.collect(),
        unknown: standing.gaps.clone(),
    }
}

fn statement(statement: &Statement) -> StatementOutput {
    StatementOutput {
        sid: statement.sid.clone(),
        effect: statement.effect.as_str(),
        action_element: statement.action.element("Action"),
        actions: statement.action.named().clone(),
        resource_element: statement.resource.element("Resource"),
        resources: statement.resource.named().clone(),
        condition: statement.condition.iter().map(ClauseOutput::of).collect(),
    }
}

fn text(ground: &Ground, standing: &Standing, out: &mut dyn Write) -> io::Result<()> {
    let account = ground.forest.own_node(standing).map(ToString::to_string).unwrap_or_default();
    writeln!(out, "{account}")?;
    if standing.management {
        writeln!(out, "the management account: neither SCPs nor RCPs bind it")?;
    }
    if ground.forest.declared_only {
        writeln!(out, "{}", words::DECLARED_ONLY)?;
    }
    let mut at = None;
    for (node, policy) in ground.forest.attached(standing) {
        if at != Some(&node.id) {
            writeln!(out, "\n{}", node)?;
            at = Some(&node.id);
        }
        let declared = words::declared_by(policy).map(|by| format!(", declared by {by}")).unwrap_or_default();
        writeln!(out, "  {} {}{declared}", policy.kind.short(), plain(&policy.name))?;
        if let Some(since) = ground.since(&policy.id, &node.id) {
            writeln!(out, "    since {since}")?;
        }
        body(policy, out)?;
    }
    for gap in &standing.gaps {
        writeln!(out, "\nnot known: {}", plain(gap))?;
    }
    Ok(())
}

fn body(policy: &Policy, out: &mut dyn Write) -> io::Result<()> {
    let Some(document) = policy.statements() else {
        return match &policy.document {
            Err(why) if !policy.aws_managed => writeln!(out, "    not known: {}", plain(why)),
            _ => Ok(()),
        };
    };
    for (index, statement) in document.statements.iter().enumerate() {
        let name = statement.sid.as_deref().map_or_else(|| format!("{}.", index + 1), plain);
        write!(out, "    {name} {} {}", statement.effect.as_str(), scope("Action", &statement.action))?;
        if statement.resource != Scope::Only(vec!["*".to_owned()]) {
            write!(out, " {}", scope("Resource", &statement.resource))?;
        }
        for (at, clause) in statement.condition.iter().enumerate() {
            write!(out, "{} {}", if at == 0 { " if" } else { " and" }, words::clause(clause))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn scope(element: &'static str, scope: &Scope<Vec<String>>) -> String {
    /// Values that are told one by one.
    const MOST: usize = 6;
    let values = scope.named();
    let mut told: Vec<String> = values.iter().take(MOST).map(|value| plain(value)).collect();
    if let Some(more @ 1..) = values.len().checked_sub(MOST) {
        told.push(format!("and {more} more"));
    }
    match scope {
        Scope::Only(_) if element == "Action" => told.join(", "),
        Scope::Only(_) => format!("on {}", told.join(", ")),
        Scope::AllBut(_) if element == "Action" => format!("all but {}", told.join(", ")),
        Scope::AllBut(_) => format!("on all but {}", told.join(", ")),
    }
}
