//! The tree as JSON, nested as it is shown.

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::forest::{Attached, Forest};
use crate::cli::diagnostics::FORMAT_VERSION;
use crate::names::NodeId;

pub(super) fn write(forest: &Forest<'_>, out: &mut dyn Write) -> io::Result<()> {
    let observed = forest.observed;
    let counts = &forest.counts;
    let tree = TreeOutput {
        format_version: FORMAT_VERSION,
        organization: Organization {
            id: observed.organization.id.as_str(),
            management_account_id: observed.organization.management_account.as_str(),
            oldest_part: observed.oldest().to_string(),
        },
        root: View { forest, id: &observed.root_node() },
        not_placed: Views { forest, ids: &forest.strays },
        unknown: &forest.unknown,
        summary: Summary {
            organizational_units: counts.units,
            accounts: counts.accounts,
            accounts_not_active: counts.inactive,
            policies: counts.policies.iter().map(|(kind, count)| (kind.as_str(), *count)).collect(),
            attachments: counts.attachments,
            holds: counts.holds,
            unknown: counts.unknown,
        },
    };
    serde_json::to_writer(&mut *out, &tree)?;
    writeln!(out)
}

/// Output of `bylaw tree -o json`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TreeOutput<'a> {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    format_version: u32,
    /// The organization.
    organization: Organization<'a>,
    /// The root, with everything below it.
    #[schemars(with = "Shape<'_>")]
    root: View<'a>,
    /// Nodes of which it is not known what lies above them, each with what is below it.
    #[schemars(with = "Vec<Shape<'_>>")]
    not_placed: Views<'a>,
    /// What is not known of the whole, in words.
    unknown: &'a [String],
    /// Counts.
    summary: Summary<'a>,
}

/// The organization that is shown.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Organization<'a> {
    /// Its AWS id.
    id: &'a str,
    /// Account that owns it.
    management_account_id: &'a str,
    /// Time of the oldest part that was read (RFC 3339).
    oldest_part: String,
}

/// Counts of the whole organization.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    /// OUs.
    organizational_units: usize,
    /// Accounts, the management account and closed ones included.
    accounts: usize,
    /// Accounts in another state than `ACTIVE`.
    accounts_not_active: usize,
    /// Policies by type; AWS-managed ones are not counted.
    policies: BTreeMap<&'a str, usize>,
    /// Attachments of these policies.
    attachments: usize,
    /// Nodes and policies with a tag `bylaw.dev/hold`.
    holds: usize,
    /// Parts that could not be read: with any, the other counts are the least that there is.
    unknown: usize,
}

struct View<'a> {
    forest: &'a Forest<'a>,
    id: &'a NodeId,
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let node = self.forest.node(self.id);
        Shape {
            kind: match self.id {
                NodeId::Root(_) => NodeKind::Root,
                NodeId::Unit(_) => NodeKind::OrganizationalUnit,
                NodeId::Account(_) => NodeKind::Account,
            },
            id: self.id.as_str(),
            name: node.name,
            state: matches!(self.id, NodeId::Account(_)).then(|| node.state.unwrap_or("ACTIVE")),
            management_account: node.management,
            managed: node.managed,
            hold: node.hold,
            policies: node
                .policies
                .iter()
                .flat_map(|(kind, policies)| policies.iter().map(|policy| Policy::of(kind.as_str(), policy)))
                .collect(),
            unknown: &node.unknown,
            children: (!matches!(self.id, NodeId::Account(_)))
                .then(|| Views { forest: self.forest, ids: self.forest.children(self.id) }),
        }
        .serialize(serializer)
    }
}

struct Views<'a> {
    forest: &'a Forest<'a>,
    ids: &'a [NodeId],
}

impl Serialize for Views<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.ids.len()))?;
        for id in self.ids {
            list.serialize_element(&View { forest: self.forest, id })?;
        }
        list.end()
    }
}

/// Which kind of node.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum NodeKind {
    /// The root.
    Root,
    /// An OU.
    OrganizationalUnit,
    /// An account.
    Account,
}

/// A root, OU or account.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Node")]
struct Shape<'a> {
    /// Which of them.
    kind: NodeKind,
    /// Its AWS id.
    id: &'a str,
    /// Its name.
    name: &'a str,
    /// State of an account, as AWS spells it; only for accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    /// It is the management account; left out where it is not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    management_account: bool,
    /// It carries bylaw's tag; null where its tags are not known.
    managed: Option<bool>,
    /// Time until which it is held, as its tag says; left out where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'a str>,
    /// Policies attached to it, AWS's own only with `--all`.
    policies: Vec<Policy<'a>>,
    /// What is not known here, in words; left out where all is.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    unknown: &'a [String],
    /// What is below, accounts before OUs; only for the root and OUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<Shape<'_>>>")]
    children: Option<Views<'a>>,
}

/// An attached policy.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Policy<'a> {
    /// Its AWS id.
    id: &'a str,
    /// Its name.
    name: &'a str,
    /// Its type, as AWS spells it.
    #[serde(rename = "type")]
    kind: &'a str,
    /// AWS made it.
    aws_managed: bool,
    /// It carries bylaw's tag; null where its tags are not known.
    managed: Option<bool>,
    /// Time until which it is held, as its tag says; left out where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'a str>,
}

impl<'a> Policy<'a> {
    fn of(kind: &'a str, policy: &Attached<'a>) -> Self {
        Self {
            id: policy.id,
            name: policy.name,
            kind,
            aws_managed: policy.aws_managed,
            managed: policy.managed,
            hold: policy.hold,
        }
    }
}
