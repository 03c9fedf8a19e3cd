//! Denies of a bad value that is the default, so that leaving it out gets it.

use super::absent_key_comparison::compare;
use crate::policy::condition::{Family, Test};
use crate::policy::lint::subject::{ClauseAt, StatementAt, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::pattern;
use crate::policy::services::Action;

pub(super) const RULE: Rule = Rule {
    id: "default-value-omission",
    severity: Severity::Warning,
    summary: "a Deny of the bad value, where a call that leaves it out gets just that",
    explanation: "Some parameters are insecure by default: a notebook instance has root access and direct internet access, a \
        training job has no network isolation. A call that leaves the parameter out may not carry the key, and a positive \
        operator is false without it, so the Deny meets only those who wrote the default down. Deny whatever is not the good \
        value: a negated operator, or `Null: true` in a statement of its own. Sources: SageMaker API reference (defaults), \
        Service Authorization Reference (keys); whether AWS fills the key with the default is documented nowhere.",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateNotebookInstance", "Resource": "*", "Condition": {"StringEquals": {"sagemaker:RootAccess": "Enabled"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": ["sagemaker:CreateTrainingJob"], "Resource": "*", "Condition": {"Bool": {"sagemaker:NetworkIsolation": "false"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateNotebookInstance", "Resource": "*", "Condition": {"NumericLessThan": {"sagemaker:MinimumInstanceMetadataServiceVersion": "2"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateNotebookInstance", "Resource": "*", "Condition": {"StringNotEquals": {"sagemaker:RootAccess": "Disabled"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:UpdateNotebookInstance", "Resource": "*", "Condition": {"StringEquals": {"sagemaker:RootAccess": "Enabled"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": ["sagemaker:CreateTrainingJob"], "Resource": "*", "Condition": {"BoolIfExists": {"sagemaker:NetworkIsolation": "false"}}}"#,
        ),
        Sample::Whole(
            "SERVICE_CONTROL_POLICY",
            r#"{"Version": "2012-10-17", "Statement": [
                {"Effect": "Deny", "Action": "sagemaker:CreateModel", "Resource": "*", "Condition": {"Bool": {"sagemaker:NetworkIsolation": "false"}}},
                {"Effect": "Deny", "Action": "sagemaker:CreateModel", "Resource": "*", "Condition": {"Null": {"sagemaker:NetworkIsolation": "true"}}}]}"#,
        ),
    ],
};

/// Keys whose parameter has a bad default: the key, the bad value, what is written instead.
const DEFAULTS: [(&str, &str, &str); 7] = [
    ("sagemaker:RootAccess", "Enabled", "\"StringNotEquals\": {\"sagemaker:RootAccess\": \"Disabled\"}"),
    (
        "sagemaker:DirectInternetAccess",
        "Enabled",
        "\"StringNotEquals\": {\"sagemaker:DirectInternetAccess\": \"Disabled\"}",
    ),
    (
        "sagemaker:AppNetworkAccessType",
        "PublicInternetOnly",
        "\"StringNotEquals\": {\"sagemaker:AppNetworkAccessType\": \"VpcOnly\"}",
    ),
    (
        "sagemaker:MinimumInstanceMetadataServiceVersion",
        "1",
        "\"StringNotEquals\": {\"sagemaker:MinimumInstanceMetadataServiceVersion\": \"2\"}",
    ),
    ("sagemaker:NetworkIsolation", "false", "\"BoolIfExists\": {\"sagemaker:NetworkIsolation\": \"false\"}"),
    (
        "sagemaker:InterContainerTrafficEncryption",
        "false",
        "\"BoolIfExists\": {\"sagemaker:InterContainerTrafficEncryption\": \"false\"}",
    ),
    ("ec2:MetadataHttpTokens", "optional", "\"StringNotEquals\": {\"ec2:MetadataHttpTokens\": \"required\"}"),
];

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (statement, clause) in subject.clauses().filter(|(statement, _)| statement.denies()) {
        let Some((key, bad, instead)) = DEFAULTS.iter().find(|(key, ..)| clause.is_of(key)) else { continue };
        if clause.when_absent() || !meets(clause, bad) {
            continue;
        }
        let creates: Vec<Action> = creations(statement, key).filter(|action| !covered(subject, *action, key)).collect();
        let Some(create) = creates.first() else { continue };
        let message = format!(
            "a `{create}` that leaves the setting out may pass: `{bad}` is what it then gets, and the request need not carry `{key}`"
        );
        told.push(told.at(&clause.key.spot, message).help(format!("write `{instead}`")));
    }
}

/// Whether a key has a bad default.
pub(super) fn is_of(key: &str) -> bool {
    DEFAULTS.iter().any(|(known, ..)| known.eq_ignore_ascii_case(key))
}

/// Whether a clause is met by the bad default of its key.
pub(super) fn is_bad(clause: &ClauseAt<'_>) -> bool {
    DEFAULTS.iter().any(|(key, bad, _)| clause.is_of(key) && meets(clause, bad))
}

/// Whether the bad value meets a clause: by name, by a pattern, or as a number.
fn meets(clause: &ClauseAt<'_>, bad: &str) -> bool {
    let test = clause.operator.test;
    match test.family() {
        Family::Number => bad.parse().is_ok_and(|value| compare(clause, value)),
        Family::Text if test == Test::StringLike => {
            clause.values.iter().any(|word| pattern::matches(&word.text, bad, false))
        }
        _ => !test.negated() && clause.has(bad),
    }
}

/// The actions of a statement that make something: an update that leaves a setting out does not change it.
fn creations<'s>(statement: &'s StatementAt<'_>, key: &'s str) -> impl Iterator<Item = Action> + use<'s> {
    let actions = statement.actions.iter().flat_map(|word| word.actions().iter().copied());
    let makes = |action: &Action| action.name().starts_with("Create") || action.name().starts_with("Run");
    actions.filter(move |action| makes(action) && action.carries(key))
}

/// Whether another statement denies the action where the key is absent.
fn covered(subject: &Subject<'_>, action: Action, key: &str) -> bool {
    let absent = |clause: &ClauseAt<'_>| clause.is_of(key) && clause.when_absent();
    subject
        .statements
        .iter()
        .filter(|other| other.denies() && other.clauses.iter().any(absent))
        .any(|other| other.actions.iter().any(|word| word.actions().contains(&action)) || other.of_everything())
}
