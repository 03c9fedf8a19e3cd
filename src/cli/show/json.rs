//! Plans and results for machines: design section 7, held by the schemas in `schemas/`.
//!
//! The types are the schema: their docs become its descriptions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::plan::{counts, rests, scope, seconds, summary};
use super::saved::SavedPlan;
use super::undeclared::{self, UndeclaredOutput};
use super::view::{Field, Item, Names, Reference, View};
use super::{Context, FORMAT_VERSION, result};
use crate::desired::Desired;
use crate::observed::Observed;
use crate::pass::{Planned, Report};
use crate::plan::model::hash;
use crate::plan::{Bundle, Plan, Reason, Stage, Verb, estimate};

/// Output of `bylaw plan -o json`, and the file that `bylaw plan --out` writes.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanOutput {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    pub format_version: u32,
    /// Hash of the changes, whatever their order.
    pub hash: String,
    /// The organization that was planned for.
    pub organization: Organization,
    /// Changes by kind.
    pub summary: Summary,
    /// The summary as a sentence.
    pub message: String,
    /// Changes in the order in which they run.
    pub changes: Vec<ChangeOutput>,
    /// What does not run, and why.
    pub refusals: Vec<RefusalOutput>,
    /// What one approval lets pass though several refusals hold it back.
    pub refused_together: Vec<TogetherOutput>,
    /// What somebody changed outside bylaw since the last pass.
    pub drift: Vec<DriftOutput>,
    /// What is left alone, and other things worth knowing.
    pub notes: Vec<NoteOutput>,
    /// What AWS has and no manifest declares.
    pub undeclared: UndeclaredOutput,
    /// Parts of the organization that could not be read to the end; nothing is deleted or detached for their sake.
    pub gaps: Vec<GapOutput>,
    /// AWS calls that applying takes.
    pub calls: Calls,
    /// The least time in seconds that applying takes at AWS's published rates, rounded up.
    pub estimated_seconds: u64,
    /// AWS calls that were spent on reading, by operation. Empty where the plan rests on a snapshot.
    pub spent: BTreeMap<String, u64>,
    /// What `bylaw apply` needs to run exactly this plan; only in the file that `--out` writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved: Option<SavedPlan>,
    /// Hash of all the rest of the file, by which `bylaw apply` tells that it was edited; only in the file that `--out`
    /// writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// The organization that a plan is for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// `Organization/name` of its object.
    pub object: String,
    /// Its AWS id.
    pub id: String,
    /// Account that owns it.
    pub management_account: String,
    /// Id of its root.
    pub root: String,
    /// OUs in AWS.
    pub organizational_units: usize,
    /// Accounts in AWS, the management account and closed ones included.
    pub accounts: usize,
    /// Policies in AWS; AWS-managed ones are not counted.
    pub policies: usize,
    /// Time of the oldest part that was read (RFC 3339).
    pub oldest_part: String,
    /// Contents, tags and contacts that an earlier pass read, or the snapshot holds; empty where this pass read all.
    pub older: Vec<OlderOutput>,
    /// Whether `apply` writes: not with `mode: Observe`, and not while the Organization is suspended.
    pub writes: bool,
}

/// Parts of one kind that were not read in this pass.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OlderOutput {
    /// `contents`, `tags` or `contacts`.
    pub part: String,
    /// `policy`, `OU` or `account`.
    pub of: String,
    /// Number of objects.
    pub number: usize,
    /// Time at which the oldest was read (RFC 3339).
    pub oldest: String,
}

/// Changes by kind.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "plain words")]
pub struct Summary {
    pub create: usize,
    pub update: usize,
    pub delete: usize,
    pub attach: usize,
    pub detach: usize,
    #[serde(rename = "move")]
    pub moves: usize,
    pub tag: usize,
    pub enable: usize,
    /// Refusals; one may hold back several changes.
    pub refused: usize,
}

/// One change.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeOutput {
    /// Position in the plan, from 1. Numbers are missing where a change was refused.
    pub id: u32,
    /// Hash of what the change is, whatever its place in the plan.
    pub fingerprint: String,
    /// As `summary` counts it.
    pub action: Verb,
    /// What exactly, as one of: `enablePolicyType`, `enableService`, `createUnit`, `renameUnit`, `createPolicy`,
    /// `updatePolicy`, `attach`, `moveAccount`, `detach`, `tag`, `putContact`, `renameAccount`,
    /// `registerAdministrator`, `putDelegationPolicy`, `createAccount`, `deletePolicy`, `deleteUnit`, `closeAccount`.
    pub operation: String,
    /// In words.
    pub message: String,
    /// `Kind/name` of the object that asks for it.
    pub object: String,
    /// Where that object is declared; missing where it is declared no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<OriginOutput>,
    /// The root, OU or account that it is done to, if any.
    pub target: Option<ReferenceOutput>,
    /// The policy concerned, if any.
    pub policy: Option<ReferenceOutput>,
    /// Why.
    pub reason: Reason,
    /// Why, in words.
    pub because: String,
    /// The step in which it runs.
    pub stage: Stage,
    /// Ids of the changes that it needs to come first.
    pub after: Vec<u32>,
    /// Which policies hold while it runs, in words.
    pub between: Option<String>,
    /// Member accounts that it reaches.
    pub reach: u32,
    /// Whether something is lost that bylaw cannot put back.
    pub destructive: bool,
    /// Fields that change.
    pub fields: Vec<FieldOutput>,
    /// What changes in the text of a policy, as lines to be shown.
    pub policy_diff: Vec<DiffLine>,
}

/// Where an object is declared.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct OriginOutput {
    /// File as the user named it.
    pub file: String,
    /// Line, from 1; 0 where there is none.
    pub line: u32,
}

/// An object of AWS.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReferenceOutput {
    /// `root`, `OU`, `account` or `policy`.
    pub kind: String,
    /// AWS's id; null where the plan creates it.
    pub id: Option<String>,
    /// Its name in AWS; of an OU the names from the root on, joined by `/`.
    pub name: String,
}

/// A field that gets another value.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FieldOutput {
    /// `name`, `tag owner`, `parent` and the like.
    pub field: String,
    /// As it is; null where it is not there.
    pub from: Option<String>,
    /// As it shall be.
    pub to: String,
}

/// One line of a policy's difference.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DiffLine {
    /// `+` comes, `-` goes, `~` changes.
    pub mark: char,
    /// The line, indented by what it belongs to.
    pub text: String,
}

/// What does not run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RefusalOutput {
    /// Stable id of the rule.
    pub rule: String,
    /// `Kind/name` of the object concerned.
    pub object: String,
    /// What would happen, and why it does not.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// Hash that `--approve` takes; null where no approval lets it pass.
    pub hash: Option<String>,
    /// The changes that are held back.
    pub changes: Vec<ChangeOutput>,
}

/// What one approval lets pass though several refusals hold it back.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TogetherOutput {
    /// `Kind/name` of the object of all its changes, or of the Organization.
    pub object: String,
    /// Hash that `--approve` takes: of each change with each of its rules.
    pub hash: String,
    /// The rules that refuse something of it, those included that refuse it only once it is approved past the others.
    pub rules: Vec<String>,
    /// Ids of the changes.
    pub changes: Vec<u32>,
}

/// One thing that was changed outside bylaw.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DriftOutput {
    /// `Kind/name` of the object.
    pub object: String,
    /// What differs.
    pub path: String,
    /// As declared and last applied.
    pub wanted: String,
    /// As found.
    pub found: String,
    /// Who did it, where that is known.
    pub by: Option<String>,
}

/// Something worth knowing.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NoteOutput {
    /// `Kind/name` of the object.
    pub object: String,
    /// What there is to know.
    pub message: String,
}

/// A part that was not read to the end.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct GapOutput {
    /// Which part, in words.
    pub part: String,
    /// Why: the AWS operation and its answer.
    pub error: String,
    /// What to do about it; null where waiting is all there is.
    pub remedy: Option<String>,
}

/// AWS calls by operation.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Calls {
    /// Reads before the writes.
    pub read: BTreeMap<String, u64>,
    /// Writes.
    pub write: BTreeMap<String, u64>,
}

/// Output of `bylaw apply -o json`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplyOutput {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    pub format_version: u32,
    /// Hash of the plan that was applied.
    pub hash: String,
    /// The organization.
    pub organization: Organization,
    /// AWS is as declared: all changes are in place, and reading again found nothing left and nothing refused.
    pub converged: bool,
    /// In words.
    pub message: String,
    /// Changes by what came of them, by the names of `outcomes[].outcome`.
    pub summary: BTreeMap<String, usize>,
    /// What came of each change, in the order of the plan.
    pub outcomes: Vec<OutcomeOutput>,
    /// Why the run ended early; null where it did not.
    pub ended: Option<String>,
    /// Why the result could not be read again; null where it was.
    pub unverified: Option<String>,
    /// What there is still to do, planned on what was read again.
    pub left: Left,
    /// What AWS has and no manifest declares.
    pub undeclared: UndeclaredOutput,
}

/// What came of one change.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeOutput {
    /// Id of the change in the plan.
    pub id: u32,
    /// Hash of what the change is.
    pub fingerprint: String,
    /// `Kind/name` of the object that asked for it.
    pub object: String,
    /// The change in words.
    pub change: String,
    /// `done`, `alreadyDone`, `changed`, `failed`, `unknown`, `waiting`, `blocked`, `stopped` or `notStarted`.
    pub outcome: String,
    /// Why, where it is not in place.
    pub message: Option<String>,
    /// What to do, where it is not in place.
    pub remedy: Option<String>,
    /// AWS's request id, for a support case.
    pub request_id: Option<String>,
    /// Id of the account that was made; null for other changes.
    pub account: Option<String>,
}

/// What is left to do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Left {
    /// Changes by kind.
    pub summary: Summary,
    /// Changes.
    pub changes: Vec<ChangeOutput>,
    /// Refusals.
    pub refusals: Vec<RefusalOutput>,
    /// What one approval lets pass though several refusals hold it back.
    pub refused_together: Vec<TogetherOutput>,
}

/// A plan as JSON. `saved`: for `plan --out`.
#[must_use]
pub fn plan(planned: &Planned, desired: &Desired, context: &Context, saved: Option<SavedPlan>) -> Value {
    let names = Names::new(desired, &planned.observed);
    let view = View::of(&planned.plan, &names);
    let plan = &planned.plan;
    let (read, write) = estimate::calls(plan);
    let output = PlanOutput {
        format_version: FORMAT_VERSION,
        hash: plan.hash(),
        organization: organization(&planned.observed, desired, context),
        summary: summed(plan),
        message: message(planned, context),
        changes: view.items.iter().map(|item| change(item, &names)).collect(),
        refusals: refusals(&view),
        refused_together: together(plan),
        drift: plan
            .drift
            .iter()
            .map(|drift| DriftOutput {
                object: drift.object.to_string(),
                path: drift.path.clone(),
                wanted: drift.wanted.clone(),
                found: drift.found.clone(),
                by: drift.by.clone(),
            })
            .collect(),
        notes: plan
            .notes
            .iter()
            .map(|note| NoteOutput { object: note.object.to_string(), message: note.message.clone() })
            .collect(),
        undeclared: undeclared::output(&plan.undeclared, &names),
        gaps: planned
            .observed
            .gaps
            .iter()
            .map(|gap| GapOutput {
                part: scope(&gap.scope, &planned.observed),
                error: gap.error.clone(),
                remedy: gap.remedy.as_deref().map(str::to_owned),
            })
            .collect(),
        calls: Calls { read: owned(&read), write: owned(&write) },
        estimated_seconds: seconds(plan),
        spent: owned(&context.calls),
        saved,
        digest: None,
    };
    let mut file = json!(output);
    if let Some(fields) = file.as_object_mut().filter(|_| output.saved.is_some()) {
        let digest = hash(&*fields);
        fields.insert(DIGEST.into(), digest.into());
    }
    file
}

/// The member of a saved plan that holds the hash of all the others.
pub(super) const DIGEST: &str = "digest";

/// What `apply` did, as JSON. `planned` is what was applied.
#[must_use]
pub fn report(report: &Report, planned: &Planned, desired: &Desired, context: &Context) -> Value {
    let before = Names::new(desired, &planned.observed);
    let after = Names::new(desired, &report.applied.observed);
    let view = View::of(&planned.plan, &before);
    let left = View::of(&report.left, &after);
    let words: BTreeMap<u32, &str> = view.items.iter().map(|item| (item.change.id, item.what.as_str())).collect();
    let mut summary: BTreeMap<String, usize> = BTreeMap::new();
    let mut outcomes = vec![];
    let made = result::made(report);
    for (change, outcome) in &report.applied.outcomes {
        let told = result::tell(outcome);
        *summary.entry(told.name.to_owned()).or_default() += 1;
        outcomes.push(OutcomeOutput {
            id: change.id,
            fingerprint: change.fingerprint(),
            object: change.object.to_string(),
            change: words.get(&change.id).copied().unwrap_or_default().to_owned(),
            outcome: told.name.to_owned(),
            message: told.message,
            remedy: told.remedy,
            request_id: told.request_id,
            account: made.get(&change.id).map(ToString::to_string),
        });
    }
    let output = ApplyOutput {
        format_version: FORMAT_VERSION,
        hash: planned.plan.hash(),
        organization: organization(&report.applied.observed, desired, context),
        converged: result::converged(report),
        message: result::closing(report, context),
        summary,
        outcomes,
        ended: report.applied.ended.clone(),
        unverified: report.unverified.as_ref().map(ToString::to_string),
        left: Left {
            summary: summed(&report.left),
            changes: left.items.iter().map(|item| change(item, &after)).collect(),
            refusals: refusals(&left),
            refused_together: together(&report.left),
        },
        undeclared: undeclared::output(&report.left.undeclared, &after),
    };
    json!(output)
}

/// The summary as a sentence, with what it rests on where it says that nothing is to be done.
fn message(planned: &Planned, context: &Context) -> String {
    let rests = rests(&planned.observed, context).filter(|_| planned.plan.is_empty());
    [Some(summary(&planned.plan)), rests].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn organization(observed: &Observed, desired: &Desired, context: &Context) -> Organization {
    let size = observed.size();
    Organization {
        object: desired.organization.key.to_string(),
        id: observed.organization.id.to_string(),
        management_account: observed.organization.management_account.to_string(),
        root: observed.root.id.to_string(),
        organizational_units: size.units,
        accounts: size.accounts,
        policies: size.policies,
        oldest_part: context.oldest.to_string(),
        older: observed
            .older(context.since)
            .into_iter()
            .map(|older| OlderOutput {
                part: older.part.to_owned(),
                of: older.of.to_owned(),
                number: older.number,
                oldest: older.oldest.to_string(),
            })
            .collect(),
        writes: !context.observe && !desired.organization.suspend,
    }
}

fn summed<State>(plan: &Plan<State>) -> Summary {
    let counts = counts(plan);
    let of = |verb: Verb| counts.get(&verb).copied().unwrap_or_default();
    Summary {
        create: of(Verb::Create),
        update: of(Verb::Update),
        delete: of(Verb::Delete),
        attach: of(Verb::Attach),
        detach: of(Verb::Detach),
        moves: of(Verb::Move),
        tag: of(Verb::Tag),
        enable: of(Verb::Enable),
        refused: plan.refusals.len(),
    }
}

fn refusals(view: &View<'_>) -> Vec<RefusalOutput> {
    view.refusals
        .iter()
        .map(|(refusal, items)| RefusalOutput {
            rule: refusal.rule.to_owned(),
            object: refusal.object.to_string(),
            message: refusal.message.clone(),
            remedy: refusal.remedy.clone(),
            hash: refusal.hash.clone(),
            changes: items.iter().map(|item| change(item, view.names)).collect(),
        })
        .collect()
}

fn together<State>(plan: &Plan<State>) -> Vec<TogetherOutput> {
    let output = |bundle: &Bundle| TogetherOutput {
        object: bundle.subject.to_string(),
        hash: bundle.hash.clone(),
        rules: bundle.rules().into_iter().map(str::to_owned).collect(),
        changes: bundle.changes().into_iter().map(|change| change.id).collect(),
    };
    plan.bundles.iter().map(output).collect()
}

fn change(item: &Item<'_>, names: &Names<'_>) -> ChangeOutput {
    let reference = |of: &Option<Reference>| {
        of.as_ref().map(|of| ReferenceOutput { kind: of.kind.to_owned(), id: of.id.clone(), name: of.name.clone() })
    };
    let change = item.change;
    ChangeOutput {
        id: change.id,
        fingerprint: change.fingerprint(),
        action: change.action.verb(),
        operation: item.action.to_owned(),
        message: item.what.clone(),
        object: change.object.to_string(),
        origin: names
            .origin(&change.object)
            .map(|origin| OriginOutput { file: origin.file.to_string(), line: origin.line }),
        target: reference(&item.target),
        policy: reference(&item.policy),
        reason: change.reason.clone(),
        because: item.because.to_owned(),
        stage: change.stage,
        after: item.after.clone(),
        between: item.between.clone(),
        reach: change.reach,
        destructive: change.action.is_destructive(),
        fields: item
            .fields
            .iter()
            .map(|Field { field, from, to }| FieldOutput { field: field.clone(), from: from.clone(), to: to.clone() })
            .collect(),
        policy_diff: item
            .statements
            .iter()
            .flat_map(|statement| statement.lines())
            .map(|(mark, text)| DiffLine { mark, text })
            .collect(),
    }
}

fn owned(calls: &estimate::Calls) -> BTreeMap<String, u64> {
    calls.iter().map(|(operation, number)| ((*operation).to_owned(), *number)).collect()
}
