//! What no manifest declares, in every form.

use schemars::JsonSchema;
use serde::Serialize;

use super::safe::{clipped, plain, quoted};
use super::view::{Names, Reference};
use super::words;
use crate::names::NodeId;
use crate::plan::undeclared::{Sort, Undeclared};
use crate::plan::{NodeRef, PolicyRef};

/// Most names of one sort that are shown without `--full`.
pub(super) const MOST_NAMED: usize = 10;
/// Most characters of one reason.
const MOST_OF_A_REASON: usize = 400;

/// What AWS has and no manifest declares. bylaw leaves it alone.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UndeclaredOutput {
    /// Active accounts; the management account is not counted.
    pub accounts: SortOutput,
    /// OUs.
    pub organizational_units: SortOutput,
    /// Policies of the types that the manifests name; AWS-managed and ignored ones are not counted.
    pub policies: SortOutput,
    /// Attachments of such policies.
    pub attachments: SortOutput,
    /// Policy types that are enabled and that no manifest names: their policies are not read.
    pub unread_policy_types: Vec<String>,
}

/// Undeclared objects of one sort.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SortOutput {
    /// How many there are; null where that is not known.
    pub count: Option<usize>,
    /// Those that were found, by name.
    pub found: Vec<UndeclaredObject>,
    /// Why there may be others.
    pub unknown: Vec<String>,
}

/// One undeclared object.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UndeclaredObject {
    /// AWS's id; of an attachment that of its policy.
    pub id: String,
    /// Name in AWS; of an OU the names from the root on, joined by `/`.
    pub name: String,
    /// Of an attachment: the id of the root, OU or account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// One line of the text: a sort, how many there are of it, and which.
pub(super) struct Line {
    pub(super) what: String,
    /// Names, harmless.
    pub(super) names: Vec<String>,
    /// Names that are left out.
    pub(super) more: usize,
    /// Why there may be others, harmless.
    pub(super) unknown: Vec<String>,
}

/// The sorts of which there is anything to tell. At most `shown` names of each.
pub(super) fn lines(undeclared: &Undeclared, names: &Names<'_>, shown: usize) -> Vec<Line> {
    Sort::ALL
        .into_iter()
        .filter_map(|sort| {
            let (all, unknown) = (found(undeclared, sort), undeclared.unknown(sort));
            if all == 0 && unknown.is_empty() {
                return None;
            }
            let (one, several) = sort.noun();
            let what = match undeclared.count(sort) {
                Some(1) => format!("1 {one}"),
                Some(count) => format!("{} {several}", words::grouped(count)),
                None if all == 0 => format!("{several}: not known"),
                None => format!("{several}: not known; found"),
            };
            let names = labels(undeclared, sort, names, shown);
            let more = all - names.len();
            let unknown = unknown.iter().map(|why| clipped(&plain(why), MOST_OF_A_REASON)).collect();
            Some(Line { what, names, more, unknown })
        })
        .collect()
}

/// What is said of policy types that were not read; `None` where there is none.
pub(super) fn unread_types(undeclared: &Undeclared) -> Option<String> {
    let types: Vec<String> = undeclared.unread_types.iter().map(|kind| quoted(kind.as_str())).collect();
    (!types.is_empty()).then(|| {
        format!("not known: policies of type {}, which is enabled and which no manifest names", types.join(", "))
    })
}

fn found(undeclared: &Undeclared, sort: Sort) -> usize {
    match sort {
        Sort::Account => undeclared.accounts.ids.len(),
        Sort::OrganizationalUnit => undeclared.units.ids.len(),
        Sort::OrganizationPolicy => undeclared.policies.ids.len(),
        Sort::Attachment => undeclared.attachments.ids.len(),
    }
}

fn labels(undeclared: &Undeclared, sort: Sort, names: &Names<'_>, most: usize) -> Vec<String> {
    let named = |of: Reference| format!("{} ({})", quoted(&of.name), of.id.unwrap_or_default());
    let node = |id: NodeId| named(names.node(&NodeRef::Known(id)));
    match sort {
        Sort::Account => {
            undeclared.accounts.ids.iter().take(most).map(|id| node(NodeId::Account(id.clone()))).collect()
        }
        Sort::OrganizationalUnit => {
            undeclared.units.ids.iter().take(most).map(|id| node(NodeId::Unit(id.clone()))).collect()
        }
        Sort::OrganizationPolicy => undeclared
            .policies
            .ids
            .iter()
            .take(most)
            .map(|id| {
                let of = names.policy(&PolicyRef::Known(id.clone()));
                let targets = names.observed.policies.get(id).and_then(|policy| policy.targets.get());
                let idle = if targets.is_some_and(|targets| targets.is_empty()) { ", attached nowhere" } else { "" };
                format!("{} ({}{idle})", quoted(&of.name), of.id.unwrap_or_default())
            })
            .collect(),
        Sort::Attachment => undeclared
            .attachments
            .ids
            .iter()
            .take(most)
            .map(|(policy, target)| {
                let policy = names.policy(&PolicyRef::Known(policy.clone())).short();
                format!("{policy} at {}", names.node(&NodeRef::Known(target.clone())).short())
            })
            .collect(),
    }
}

/// For JSON.
pub(super) fn output(undeclared: &Undeclared, names: &Names<'_>) -> UndeclaredOutput {
    let node = |id: NodeId| {
        let of = names.node(&NodeRef::Known(id));
        UndeclaredObject { id: of.id.unwrap_or_default(), name: of.name, target: None }
    };
    let policy = |id: &crate::names::PolicyId, target: Option<&NodeId>| {
        let of = names.policy(&PolicyRef::Known(id.clone()));
        UndeclaredObject { id: of.id.unwrap_or_default(), name: of.name, target: target.map(ToString::to_string) }
    };
    let sort = |sort: Sort, found: Vec<UndeclaredObject>| SortOutput {
        count: undeclared.count(sort),
        found,
        unknown: undeclared.unknown(sort).to_vec(),
    };
    UndeclaredOutput {
        accounts: sort(
            Sort::Account,
            undeclared.accounts.ids.iter().map(|id| node(NodeId::Account(id.clone()))).collect(),
        ),
        organizational_units: sort(
            Sort::OrganizationalUnit,
            undeclared.units.ids.iter().map(|id| node(NodeId::Unit(id.clone()))).collect(),
        ),
        policies: sort(Sort::OrganizationPolicy, undeclared.policies.ids.iter().map(|id| policy(id, None)).collect()),
        attachments: sort(
            Sort::Attachment,
            undeclared.attachments.ids.iter().map(|(id, target)| policy(id, Some(target))).collect(),
        ),
        unread_policy_types: undeclared.unread_types.iter().map(|kind| kind.as_str().to_owned()).collect(),
    }
}
