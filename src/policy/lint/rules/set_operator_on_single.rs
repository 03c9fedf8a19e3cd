//! Set operators on keys with one value.

use crate::policy::condition::Quantifier;
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services;

pub(super) const RULE: Rule = Rule {
    id: "set-operator-on-single",
    severity: Severity::Warning,
    summary: "`ForAllValues` or `ForAnyValue` on a key that has one value",
    explanation: "Set operators are for keys that can have many values. On one that has a single value they change what happens \
        when it is absent: `ForAllValues` is true then, even with a positive test, and `ForAnyValue` is false, even with a \
        negated one. AWS says not to use them there. Source: IAM user guide, \"Single-valued vs. multivalued context keys\".",
    check,
    bad: &[Sample::Identity(
        r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": {"ForAnyValue:StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}}"#,
    )],
    good: &[
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-abcdefghij/*"}}}"#,
        ),
        Sample::Resource(
            r#"{"Effect": "Allow", "Principal": {"Federated": "cognito-identity.amazonaws.com"}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"cognito-identity.amazonaws.com:aud": "us-east-1:12345678-dead-beef-0000-123456790ab"}, "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "unauthenticated"}}}"#,
        ),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (statement, clause) in subject.clauses() {
        let Some(quantifier) = clause.operator.quantifier else { continue };
        let Some(key) = services::key(&clause.key.text).filter(|key| !key.many) else { continue };
        let absent = match (quantifier, clause.operator.test.negated()) {
            (Quantifier::ForAllValues, false) => "where it is absent the condition holds",
            (Quantifier::ForAnyValue, true) => "where it is absent the condition does not hold",
            _ => "the operator adds nothing",
        };
        let outcome = if statement.denies() { "denied" } else { "allowed" };
        let also =
            if quantifier == Quantifier::ForAllValues { format!(", and the call is {outcome}") } else { String::new() };
        let message = format!("`{}` has one value, and `{}` is for many: {absent}{also}", key.name, clause.block.text);
        let plain = clause.block.text.split_once(':').map_or("", |(_, plain)| plain);
        told.push(told.at(&clause.block.spot, message).help(format!("write `{plain}`")));
    }
}
