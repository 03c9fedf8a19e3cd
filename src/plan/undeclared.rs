//! What AWS has and no manifest declares, as a fact of the plan: it is left alone, and never unsaid.

use schemars::JsonSchema;
use serde::Serialize;

use crate::names::{AccountId, NodeId, PolicyId, PolicyType, UnitId};

/// Everything of the organization that no manifest declares and that is left as it is.
///
/// Not in it: the management account, accounts that are not active, AWS-managed policies, what `spec.ignore` names, policies
/// of Control Tower and Landing Zone Accelerator, and what a change of the plan detaches or deletes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Undeclared {
    /// Active accounts.
    pub accounts: Found<AccountId>,
    /// OUs.
    pub units: Found<UnitId>,
    /// Policies of the types that the manifests name.
    pub policies: Found<PolicyId>,
    /// Attachments of such policies.
    pub attachments: Found<(PolicyId, NodeId)>,
    /// Policy types that are enabled and that no manifest names: their policies are not read.
    pub unread_types: Vec<PolicyType>,
}

/// What was found of one sort, by name, and what is not known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<Id> {
    /// What was found.
    pub ids: Vec<Id>,
    /// Why there may be others. Not empty: nothing is counted.
    pub unknown: Vec<String>,
}

impl<Id> Default for Found<Id> {
    fn default() -> Self {
        Self { ids: vec![], unknown: vec![] }
    }
}

impl<Id> Found<Id> {
    /// How many there are; `None` where that is not known.
    #[must_use]
    pub fn count(&self) -> Option<usize> {
        self.unknown.is_empty().then_some(self.ids.len())
    }
}

/// What can be undeclared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "plain words")]
pub enum Sort {
    Account,
    OrganizationalUnit,
    OrganizationPolicy,
    Attachment,
}

impl Sort {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::Account, Self::OrganizationalUnit, Self::OrganizationPolicy, Self::Attachment];

    /// As figures name it: the kind that would declare it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "Account",
            Self::OrganizationalUnit => "OrganizationalUnit",
            Self::OrganizationPolicy => "OrganizationPolicy",
            Self::Attachment => "Attachment",
        }
    }

    /// One of them, and several, for people.
    #[must_use]
    pub fn noun(self) -> (&'static str, &'static str) {
        match self {
            Self::Account => ("account", "accounts"),
            Self::OrganizationalUnit => ("OU", "OUs"),
            Self::OrganizationPolicy => ("policy", "policies"),
            Self::Attachment => ("attachment", "attachments"),
        }
    }
}

impl Undeclared {
    /// How many there are of a sort; `None` where that is not known.
    #[must_use]
    pub fn count(&self, sort: Sort) -> Option<usize> {
        match sort {
            Sort::Account => self.accounts.count(),
            Sort::OrganizationalUnit => self.units.count(),
            Sort::OrganizationPolicy => self.policies.count(),
            Sort::Attachment => self.attachments.count(),
        }
    }

    /// Why there may be others of a sort than were found.
    #[must_use]
    pub fn unknown(&self, sort: Sort) -> &[String] {
        match sort {
            Sort::Account => &self.accounts.unknown,
            Sort::OrganizationalUnit => &self.units.unknown,
            Sort::OrganizationPolicy => &self.policies.unknown,
            Sort::Attachment => &self.attachments.unknown,
        }
    }

    /// What stands beside the words "as declared": `undeclared: 2 accounts, 1 policy, attachments not known, policies of type
    /// TAG_POLICY not read`. `None` where everything is declared.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        let part = |sort: Sort| match (self.count(sort), sort.noun()) {
            (Some(0), _) => None,
            (Some(1), (one, _)) => Some(format!("1 {one}")),
            (Some(many), (_, several)) => Some(format!("{many} {several}")),
            (None, (_, several)) => Some(format!("{several} not known")),
        };
        let unread = match self.unread_types.as_slice() {
            [] => None,
            types => {
                let types: Vec<&str> = types.iter().map(PolicyType::as_str).collect();
                Some(format!("policies of type {} not read", types.join(", ")))
            }
        };
        let parts: Vec<String> = Sort::ALL.into_iter().filter_map(part).chain(unread).collect();
        (!parts.is_empty()).then(|| format!("undeclared: {}", parts.join(", ")))
    }
}
