//! The saved plan: what `plan --out` writes and `apply PLAN` runs.
//!
//! The file is the public plan with one member more, `saved`. It carries the manifests, so that the plan is made again
//! where it is applied, and the fingerprints of the changes that were shown: nothing else may run.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::view::{Names, View};
use super::{Context, FORMAT_VERSION, json};
use crate::desired::{Desired, Source};
use crate::names::{AccountId, OrganizationId};
use crate::pass::{Options, Planned};
use crate::plan::kept::{self, Known};
use crate::plan::{Guarded, Plan, model};

/// Most bytes of a file that is read as a saved plan.
pub const MAX_BYTES: usize = 256 << 20;

/// A manifest as it was when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavedSource {
    /// File as the user named it.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// One change as it was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavedChange {
    /// Hash of what the change is.
    pub fingerprint: String,
    /// What it does, in words.
    pub what: String,
}

/// All that is needed to run exactly the plan that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavedPlan {
    /// Version of the form.
    pub format_version: u32,
    /// Id of the organization in AWS.
    #[schemars(with = "String")]
    pub organization: OrganizationId,
    /// Its management account.
    #[schemars(with = "String")]
    pub management_account: AccountId,
    /// Name of the `Organization` object.
    pub object: String,
    /// When the plan was made (RFC 3339).
    #[schemars(with = "String")]
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
    /// Keeps a plan and what it was made from. Sources that are not UTF-8 have no part in a plan and are left out.
    #[must_use]
    pub fn new(planned: &Planned, desired: &Desired, sources: &[Source], options: &Options, now: Timestamp) -> Self {
        let names = Names::new(desired, &planned.observed);
        let view = View::of(&planned.plan, &names);
        let text = |source: &Source| {
            let text = std::str::from_utf8(&source.bytes).ok()?;
            Some(SavedSource { file: source.file.to_string(), text: text.to_owned() })
        };
        Self {
            format_version: FORMAT_VERSION,
            organization: planned.observed.organization.id.clone(),
            management_account: planned.observed.organization.management_account.clone(),
            object: desired.organization.key.name.to_string(),
            created: now,
            hash: planned.plan.hash(),
            changes: view
                .items
                .iter()
                .map(|item| SavedChange { fingerprint: item.change.fingerprint(), what: item.what.clone() })
                .collect(),
            sources: sources.iter().filter_map(text).collect(),
            prune: options.prune,
            // Each change alone as well, so that they count when only some are left to do.
            approvals: options.approvals.hashes.union(&kept::approvals(&planned.plan)).cloned().collect(),
        }
    }

    /// The file: the public plan with this in it.
    #[must_use]
    pub fn to_json(self, planned: &Planned, desired: &Desired, context: &Context) -> Value {
        json::plan(planned, desired, context, Some(self))
    }

    /// Reads the file that `plan --out` wrote.
    ///
    /// # Errors
    /// For people: why the text is no saved plan, and what to do.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let again = "write the plan anew with `bylaw plan --out FILE`";
        if text.len() > MAX_BYTES {
            return Err(format!("the file has {} bytes, a saved plan has at most {MAX_BYTES}; {again}", text.len()));
        }
        let file: Value = serde_json::from_str(text).map_err(|error| match error.line() {
            0 => format!("the file is not JSON; {again}"),
            line => {
                format!("the file is not JSON: something is wrong at line {line}, column {}; {again}", error.column())
            }
        })?;
        let Value::Object(mut file) = file else {
            return Err(format!("the file is JSON, but not an object and so not a plan; {again}"));
        };
        let digest = file.remove(json::DIGEST);
        let found = model::hash(&file);
        let version = |of: &serde_json::Map<String, Value>| of.get("formatVersion").and_then(Value::as_u64);
        let Some(Value::Object(saved)) = file.remove("saved") else {
            return Err(match version(&file) {
                Some(_) if file.contains_key("changes") => format!(
                    "the file is a plan as `-o json` prints it, without the manifests that applying it takes; {again}"
                ),
                _ => format!("the file is not a plan: it has no member `saved`; {again}"),
            });
        };
        match version(&saved) {
            Some(version) if version == u64::from(FORMAT_VERSION) => {}
            Some(version) => {
                return Err(format!(
                    "the plan has format version {version}, this bylaw reads {FORMAT_VERSION}; apply it with the bylaw that wrote it, or {again}"
                ));
            }
            None => return Err(format!("the plan does not say its `saved.formatVersion`; {again}")),
        }
        let plan: Self = serde_json::from_value(Value::Object(saved))
            .map_err(|error| format!("a part of `saved` is missing or not what it should be ({error}); {again}"))?;
        match digest.as_ref().and_then(Value::as_str) {
            Some(digest) if digest == found => Ok(plan),
            Some(_) => Err(format!(
                "what is in the file does not have the hash that its `digest` says: it was edited, or cut and put together; {again}"
            )),
            None => Err(format!(
                "the file has no `digest`: it was edited, or an older bylaw wrote it, which did not tell whether it was; {again}"
            )),
        }
    }

    /// The manifests, to be read again.
    #[must_use]
    pub fn sources(&self) -> Vec<Source> {
        let source =
            |saved: &SavedSource| Source { file: saved.file.as_str().into(), bytes: saved.text.clone().into_bytes() };
        self.sources.iter().map(source).collect()
    }

    /// Fingerprints of the changes that may run.
    #[must_use]
    pub fn fingerprints(&self) -> BTreeSet<String> {
        self.changes.iter().map(|change| change.fingerprint.clone()).collect()
    }
}

/// What changed between a saved plan and the plan of now, in words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// Changes that were shown and are no longer in the plan: done by now, or refused, or other than they were.
    pub gone: Vec<String>,
    /// Changes that the plan of now has and that nobody was shown: they do not run.
    pub new: Vec<String>,
}

impl Difference {
    /// The plan is the one that was shown.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.gone.is_empty() && self.new.is_empty()
    }
}

/// Compares a saved plan with the plan of now, made again from the saved manifests: `known` are the changes of now that
/// the saved plan held.
#[must_use]
pub fn compare(saved: &SavedPlan, now: &Plan<Guarded>, known: &Known, names: &Names<'_>) -> Difference {
    let left: BTreeSet<&str> = now.changes.iter().filter_map(|change| known.print(change)).collect();
    let refused: BTreeMap<&str, &str> = now
        .refusals
        .iter()
        .flat_map(|refusal| refusal.changes.iter().filter_map(|change| Some((known.print(change)?, refusal.rule))))
        .collect();
    let gone = saved.changes.iter().filter(|change| !left.contains(change.fingerprint.as_str())).map(|change| {
        // The words come from the file.
        let what = super::safe::plain(&change.what);
        match refused.get(change.fingerprint.as_str()) {
            Some(rule) => format!("{what}: refused now (`{rule}`)"),
            None => format!("{what}: done already, or AWS has changed so that it would be another change"),
        }
    });
    let new = now.changes.iter().filter(|change| !known.holds(change)).map(|change| names.told(change));
    Difference { gone: gone.collect(), new: new.collect() }
}
