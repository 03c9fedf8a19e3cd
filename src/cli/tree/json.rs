//! The tree as JSON, nested as it is shown.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::forest::{Attached, Forest};
use crate::cli::diagnostics::FORMAT_VERSION;
use crate::names::NodeId;

pub(super) fn write(forest: &Forest<'_>, out: &mut dyn Write) -> io::Result<()> {
    let observed = forest.observed;
    let counts = &forest.counts;
    let tree = Tree {
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tree<'a> {
    format_version: u32,
    organization: Organization<'a>,
    root: View<'a>,
    not_placed: Views<'a>,
    unknown: &'a [String],
    summary: Summary<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Organization<'a> {
    id: &'a str,
    management_account_id: &'a str,
    oldest_part: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    organizational_units: usize,
    accounts: usize,
    accounts_not_active: usize,
    policies: BTreeMap<&'a str, usize>,
    attachments: usize,
    holds: usize,
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
                NodeId::Root(_) => "root",
                NodeId::Unit(_) => "organizationalUnit",
                NodeId::Account(_) => "account",
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shape<'a> {
    kind: &'static str,
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    management_account: bool,
    /// `null`: the tags are not known.
    managed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'a str>,
    policies: Vec<Policy<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    unknown: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    children: Option<Views<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Policy<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    aws_managed: bool,
    managed: Option<bool>,
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
