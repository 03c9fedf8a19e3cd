//! The audit log: what was about to be written and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::aws::AwsError;
use crate::plan::Lifted;

/// What came of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// Written, and AWS said so.
    Done,
    /// AWS was so already.
    AlreadyDone,
    /// AWS is no longer as the plan found it: not written.
    Changed {
        /// What was found.
        found: String,
    },
    /// AWS refused.
    Failed {
        /// How.
        error: AwsError,
    },
    /// It is unknown whether AWS did it; the next pass looks.
    Unknown {
        /// How it ended.
        error: AwsError,
    },
    /// Under way in AWS; the next pass goes on with it.
    Waiting {
        /// What is waited for.
        what: String,
    },
    /// Not started because of what came of another change.
    Blocked {
        /// Why.
        why: String,
    },
    /// Not started, or not tried again: since the plan was made it is no longer wanted, or may no longer be written.
    Stopped {
        /// Why.
        why: String,
    },
    /// Not started because the run ended before it.
    NotStarted,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::AlreadyDone => f.write_str("it was so already"),
            Self::Changed { found } => write!(f, "not written, AWS is another by now: {found}"),
            Self::Failed { error } => write!(f, "failed: {error}"),
            Self::Unknown { error } => write!(f, "it is not known whether AWS did it: {error}"),
            Self::Waiting { what } => write!(f, "under way: {what}"),
            Self::Blocked { why } => write!(f, "not started: {why}"),
            Self::Stopped { why } => write!(f, "stopped: {why}"),
            Self::NotStarted => f.write_str("not started"),
        }
    }
}

impl Outcome {
    /// The change is in place.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Done | Self::AlreadyDone)
    }
}

/// What one approval let pass.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovedBy {
    /// The hash that was approved.
    pub hash: String,
    /// The rules that would have refused the change.
    pub rules: BTreeSet<&'static str>,
    /// Who approved it.
    pub approvers: BTreeSet<String>,
}

/// The approvals of each change by its number. Where they name nobody, `who` gave them: the user of the command line.
#[must_use]
pub fn approvals(lifted: &BTreeMap<String, Lifted>, who: &str) -> BTreeMap<u32, Vec<ApprovedBy>> {
    let mut all: BTreeMap<u32, Vec<ApprovedBy>> = BTreeMap::new();
    for lifted in lifted.values() {
        let of_change = all.entry(lifted.change).or_default();
        let approvers = if lifted.approvers.is_empty() { [who.to_owned()].into() } else { lifted.approvers.clone() };
        match of_change.iter_mut().find(|by| by.hash == lifted.hash) {
            Some(by) => {
                by.rules.insert(lifted.rule);
                by.approvers.extend(approvers);
            }
            None => of_change.push(ApprovedBy { hash: lifted.hash.clone(), rules: [lifted.rule].into(), approvers }),
        }
    }
    all
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry<'a> {
    /// When.
    pub time: Timestamp,
    /// Who: holder of the lease.
    pub who: &'a str,
    /// Hash of the plan.
    pub plan: &'a str,
    /// The change.
    pub change: &'a crate::plan::Change,
    /// The approvals that let it pass, where the guard would have refused it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub approvals: &'a [ApprovedBy],
    /// The AWS request.
    pub request: &'a crate::aws::Request,
    /// `None`: it is about to be sent.
    #[serde(flatten)]
    pub outcome: Option<&'a Outcome>,
}

/// Keeps the audit log.
pub trait Ledger: Send + Sync {
    /// Writes one entry, on stable storage before it returns.
    ///
    /// # Errors
    /// For people: why it could not be written. Nothing is sent to AWS then.
    fn record(&self, entry: &Entry<'_>) -> Result<(), String>;
}

/// Keeps nothing, where nothing real is written (simulations, the organization in memory).
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLedger;

impl Ledger for NoLedger {
    fn record(&self, _: &Entry<'_>) -> Result<(), String> {
        Ok(())
    }
}
