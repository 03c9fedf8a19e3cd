//! Statements, conditions and places as people read them, and as machines do.

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::show::safe::{plain, quoted};
use crate::judge::{Layer, Needed, Part, Policy, Ruling};
use crate::policy::call::When;
use crate::policy::eval::{Decision, Truth};
use crate::policy::statement::{Clause, Effect, Statement};

/// What is said of an organization that only manifests tell of.
pub const DECLARED_ONLY: &str = "(only the declared policies were asked; what no manifest declares may decide otherwise. Account \
     ids that begin with 999 are made up, for accounts that are not there yet)";

/// A decision in a word.
#[must_use]
pub fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Allowed => "allowed",
        Decision::Denied => "denied",
        Decision::Depends => "depends",
    }
}

/// The exit code of a decision (design section 7).
#[must_use]
pub fn exit_code(decision: Decision) -> u8 {
    match decision {
        Decision::Allowed => 0,
        Decision::Denied => 3,
        Decision::Depends => 4,
    }
}

/// An authorization of a call: the resource, or the action besides, and when AWS asks for it.
#[must_use]
pub fn part(part: &Part<'_>) -> String {
    let name = match (&part.resource, part.resource_type) {
        (Some(arn), _) if arn != "*" => plain(arn),
        (_, Some(kind)) => format!("`{kind}`"),
        (_, None) => "any resource".to_owned(),
    };
    match part.needed {
        Needed::Always => name,
        Needed::OneOf(_) => format!("{name} if that is what is named"),
        Needed::IfThere => format!("{name} if the call has one"),
        Needed::Besides { when, sure } => {
            let when = if sure { "" } else { when.words() };
            format!("{}{}{when}", quoted(&part.action), if when.is_empty() { "" } else { " " })
        }
    }
}

/// When AWS asks for an authorization, in a word.
#[must_use]
pub fn needed(needed: Needed) -> &'static str {
    match needed {
        Needed::Always => "Always",
        Needed::OneOf(_) => "OneOf",
        Needed::IfThere => "IfThere",
        Needed::Besides { when: When::Tagged | When::MayTag, .. } => "IfTagged",
        Needed::Besides { when: When::PassesRole | When::MayPassRole, .. } => "IfRolePassed",
        Needed::Besides { when: When::Perhaps, .. } => "IfNeeded",
    }
}

/// A kind of policies.
#[must_use]
pub fn layer(layer: Layer) -> &'static str {
    match layer {
        Layer::ServiceControl => "service control policies",
        Layer::ResourceControl => "resource control policies",
        Layer::Resource => "the resource's policy",
        Layer::Identity => "the identity's policies",
        Layer::Boundary => "the permissions boundary",
        Layer::Session => "the session policies",
    }
}

/// A statement by its Sid, or by its number.
#[must_use]
pub fn statement(statement: Option<&Statement>, index: usize) -> String {
    match statement.and_then(|statement| statement.sid.as_deref()) {
        Some(sid) => format!("statement {}", quoted(sid)),
        None => format!("statement {}", index + 1),
    }
}

/// Who declares a policy, with the place, where that is known.
#[must_use]
pub fn declared_by(policy: &Policy) -> Option<String> {
    let object = policy.object.as_deref()?;
    let place = policy.origin.as_ref().map(|origin| format!(", {origin}")).unwrap_or_default();
    let owner = policy.owner.as_deref().map(|owner| format!(", owner {}", plain(owner))).unwrap_or_default();
    Some(format!("{}{place}{owner}", plain(object)))
}

/// `aws:RequestedRegion StringNotEquals eu-west-1, eu-central-1`.
#[must_use]
pub fn clause(clause: &Clause) -> String {
    /// Values that are told one by one.
    const MOST: usize = 8;
    let mut values: Vec<String> = clause.values.iter().take(MOST).map(|value| plain(value)).collect();
    if let Some(more @ 1..) = clause.values.len().checked_sub(MOST) {
        values.push(format!("and {more} more"));
    }
    format!("`{}` {} {}", plain(&clause.key), clause.operator, values.join(", "))
}

/// What a ruling hangs on, joined by `and`; empty where it applies for sure.
#[must_use]
pub fn open(ruling: &Ruling<'_>) -> String {
    let mut parts: Vec<String> = ruling.open.iter().map(|open| clause(open)).collect();
    if ruling.open_action {
        let statement = ruling.statement.map(|statement| (statement.action.element("Action"), &statement.action));
        parts.push(match statement {
            Some((element, scope)) => format!("the action is of `{element}` {}", scope.named().join(", ")),
            None => "the action is of its `Action`".to_owned(),
        });
    }
    if ruling.open_principal {
        parts.push("its principals are read as who asks".to_owned());
    }
    if ruling.open_resource {
        let statement = ruling.statement.map(|statement| (statement.resource.element("Resource"), &statement.resource));
        parts.push(match statement {
            Some((element, scope)) => format!("the resource is of `{element}` {}", scope.named().join(", ")),
            None => "the resource is of its `Resource`".to_owned(),
        });
    }
    parts.join(" and ")
}

/// `Deny statement `X` of policy `p` at OU Y (ou-…), declared by …`.
#[must_use]
pub fn ruling(ruling: &Ruling<'_>) -> String {
    let name = statement(ruling.statement, ruling.place.statement);
    let effect = ruling.effect.as_str();
    match (ruling.policy, ruling.node) {
        (Some(policy), Some(at)) => {
            let declared = declared_by(policy).map(|by| format!(", declared by {by}")).unwrap_or_default();
            format!("{effect} {name} of {} at {}{declared}", quoted(&policy.name), at)
        }
        _ => format!("{effect} {name} of {}", layer(ruling.layer)),
    }
}

/// One statement that had a say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RulingOutput {
    /// Kind of policies: `ServiceControl`, `ResourceControl`, `Resource`, `Identity`, `Boundary`, `Session`.
    pub layer: &'static str,
    /// Id of the root, OU or account where it is attached; null for a policy that was brought along.
    pub node: Option<String>,
    /// Name of that node.
    pub node_name: Option<String>,
    /// Id of the policy.
    pub policy: Option<String>,
    /// Name of the policy.
    pub policy_name: Option<String>,
    /// Index of the statement, from 0.
    pub statement: usize,
    /// Its Sid.
    pub sid: Option<String>,
    /// `Allow` or `Deny`.
    pub effect: &'static str,
    /// `yes` or `depends`.
    pub applies: &'static str,
    /// What it hangs on.
    pub depends_on: Vec<ClauseOutput>,
    /// The object that declares the policy, `Kind/name`.
    pub object: Option<String>,
    /// Where that object stands: file, line and column.
    pub origin: Option<String>,
    /// Who answers for it: annotation `bylaw.dev/owner`.
    pub owner: Option<String>,
}

/// A clause of a condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClauseOutput {
    /// The operator.
    pub operator: String,
    /// The condition key.
    pub key: String,
    /// The values.
    pub values: Vec<String>,
}

impl ClauseOutput {
    /// A clause.
    #[must_use]
    pub fn of(clause: &Clause) -> Self {
        Self { operator: clause.operator.to_string(), key: clause.key.clone(), values: clause.values.clone() }
    }
}

impl RulingOutput {
    /// A ruling.
    #[must_use]
    pub fn of(ruling: &Ruling<'_>) -> Self {
        Self {
            layer: match ruling.layer {
                Layer::ServiceControl => "ServiceControl",
                Layer::ResourceControl => "ResourceControl",
                Layer::Resource => "Resource",
                Layer::Identity => "Identity",
                Layer::Boundary => "Boundary",
                Layer::Session => "Session",
            },
            node: ruling.node.map(|node| node.id.to_string()),
            node_name: ruling.node.map(|node| node.name.clone()),
            policy: ruling.policy.map(|policy| policy.id.to_string()),
            policy_name: ruling.policy.map(|policy| policy.name.clone()),
            statement: ruling.place.statement,
            sid: ruling.statement.and_then(|statement| statement.sid.clone()),
            effect: ruling.effect.as_str(),
            applies: if ruling.applies == Truth::Yes { "yes" } else { "depends" },
            depends_on: ruling.open.iter().map(|clause| ClauseOutput::of(clause)).collect(),
            object: ruling.policy.and_then(|policy| policy.object.clone()),
            origin: ruling.policy.and_then(|policy| policy.origin.as_ref()).map(ToString::to_string),
            owner: ruling.policy.and_then(|policy| policy.owner.as_deref()).map(str::to_owned),
        }
    }
}

/// Whether a ruling denies.
#[must_use]
pub fn denies(ruling: &Ruling<'_>) -> bool {
    ruling.effect == Effect::Deny
}
