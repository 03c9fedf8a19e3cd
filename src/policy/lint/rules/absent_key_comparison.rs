//! Numbers and dates that are compared where the request need not carry them.

use super::default_value_omission;
use crate::policy::condition::{Family, Test};
use crate::policy::lint::subject::{ClauseAt, StatementAt, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services::{self, Presence};

pub(super) const RULE: Rule = Rule {
    id: "absent-key-comparison",
    severity: Severity::Warning,
    summary: "a Deny by a number or date that lets pass what does not carry the key",
    explanation: "`NumericLessThan`, `NumericGreaterThan`, their date forms and their like are false where the request does not \
        carry the key: a Deny with `NumericGreaterThan: {aws:MultiFactorAuthAge: 3600}` lets pass who has no MFA at all, and one \
        with `NumericLessThan: {s3:TlsVersion: 1.2}` what comes without TLS. Add `IfExists`, or deny `Null: {key: true}` in a \
        statement of its own. A lower bound is warned of, and a key whose absence is what the Deny is about; of an upper bound, where a call that \
        leaves the value out mostly gets a small one, it is a note. Source: IAM user guide, \"Condition operators\", `…IfExists`.",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"NumericGreaterThan": {"aws:MultiFactorAuthAge": "3600"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}}"#,
        ),
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "ec2:*", "Resource": "*", "Condition": {"NumericLessThanIfExists": {"aws:MultiFactorAuthAge": "3600"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"NumericGreaterThanIfExists": {"aws:MultiFactorAuthAge": "3600"}}}"#,
        ),
        Sample::Whole(
            "SERVICE_CONTROL_POLICY",
            r#"{"Version": "2012-10-17", "Statement": [
                {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
                {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "kms:ScheduleKeyDeletion", "Resource": "*", "Condition": {"NumericLessThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": "14"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2026-12-31T23:59:59Z"}}}"#,
        ),
    ],
};

/// What a call gets that leaves the value out. Sources: the API references of KMS, Secrets Manager, EC2 and SageMaker.
const DEFAULTS: [(&str, f64); 5] = [
    ("kms:ScheduleKeyDeletionPendingWindowInDays", 30.0),
    ("kms:RotationPeriodInDays", 365.0),
    ("secretsmanager:RecoveryWindowInDays", 30.0),
    ("sagemaker:MaxRuntimeInSeconds", 86_400.0),
    ("s3:max-keys", 1_000.0),
];

const MFA_AGE: &str = "aws:MultiFactorAuthAge";

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (statement, clause) in subject.clauses() {
        let key = &*clause.key.text;
        let operator = clause.operator;
        let compares = matches!(operator.test.family(), Family::Number | Family::Date) && !operator.test.negated();
        if !compares || operator.quantifier.is_some() {
            continue;
        }
        if !statement.denies() {
            if operator.if_exists && clause.is_of(MFA_AGE) {
                let message = format!("this Allow also holds without MFA: such requests do not carry `{key}`");
                told.push(told.at(&clause.key.spot, message).help(format!("write `{}`", operator.test.as_str())));
            }
            continue;
        }
        if operator.if_exists || !may_be_absent(key) || is_spoken_of(subject, statement, clause) {
            continue;
        }
        // What has a bad default has a rule of its own.
        if default_value_omission::is_of(key) {
            continue;
        }
        let default = DEFAULTS.iter().find(|(known, _)| clause.is_of(known)).map(|(_, value)| *value);
        if default.is_some_and(|value| !compare(clause, value)) {
            continue;
        }
        let lower = matches!(
            operator.test,
            Test::NumericLessThan | Test::NumericLessThanEquals | Test::DateLessThan | Test::DateLessThanEquals
        );
        let grave = default.is_some() || clause.is_of(MFA_AGE) || (lower && operator.test.family() == Family::Number);
        let message = match default {
            Some(value) => format!(
                "a call that leaves the value out passes, and gets {value}: `{}` is false where `{key}` is absent",
                clause.block.text
            ),
            None => format!("what does not carry `{key}` passes: `{}` is false there", clause.block.text),
        };
        let help = format!(
            "write `{}IfExists`, or deny `\"Null\": {{\"{key}\": \"true\"}}` in a statement of its own",
            clause.block.text
        );
        let severity = if grave { Severity::Warning } else { Severity::Info };
        told.push(told.at(&clause.key.spot, message).help(help).severity(severity));
    }
}

/// Whether a request may lack a key that AWS documents. What only the credentials of an instance carry is meant for these.
fn may_be_absent(key: &str) -> bool {
    if key.eq_ignore_ascii_case("ec2:RoleDelivery") {
        return false;
    }
    match services::GLOBAL.iter().find(|global| services::key_matches(global.name, key)) {
        Some(global) => matches!(global.presence, Presence::Some(_)),
        None => services::key(key).is_some(),
    }
}

/// Whether the author has thought of requests without the key: in this statement, or in another that denies them.
fn is_spoken_of(subject: &Subject<'_>, statement: &StatementAt<'_>, clause: &ClauseAt<'_>) -> bool {
    let key = &clause.key.text;
    let nulled = statement.clauses.iter().any(|other| other.operator.test == Test::Null && other.is_of(key));
    let absent = |other: &ClauseAt<'_>| other.is_of(key) && other.when_absent();
    // Requests without TLS have no version of it, and those without MFA no age.
    let other = |other: &ClauseAt<'_>| {
        (clause.is_of("s3:TlsVersion") && other.is_of("aws:SecureTransport"))
            || (clause.is_of(MFA_AGE) && other.is_of("aws:MultiFactorAuthPresent") && other.operator.if_exists)
    };
    let denies = |statement: &StatementAt<'_>| {
        statement.denies() && statement.clauses.iter().any(|clause| absent(clause) || other(clause))
    };
    nulled || subject.statements.iter().any(denies)
}

/// Whether a number meets the clause.
pub(super) fn compare(clause: &ClauseAt<'_>, value: f64) -> bool {
    clause.values.iter().filter_map(|word| word.text.parse::<f64>().ok()).any(|bound| match clause.operator.test {
        Test::NumericEquals => (value - bound).abs() < f64::EPSILON,
        Test::NumericLessThan => value < bound,
        Test::NumericLessThanEquals => value <= bound,
        Test::NumericGreaterThan => value > bound,
        Test::NumericGreaterThanEquals => value >= bound,
        _ => false,
    })
}
