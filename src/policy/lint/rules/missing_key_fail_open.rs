//! Conditions of an Allow that hold where the key is absent.

use crate::policy::condition::Quantifier;
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "missing-key-fail-open",
    severity: Severity::Warning,
    summary: "an Allow that also holds where the key is absent",
    explanation: "`ForAllValues` is true where the request does not carry the key at all, so an Allow with it lets pass whatever \
        leaves the key out: `ForAllValues:StringEquals aws:TagKeys [team]` also allows calls without tags. Add `Null: {key: \
        false}`, or use `ForAnyValue`. Source: IAM user guide, \"Set operators for multivalued context keys\"; Access Analyzer \
        check \"ForAllValues with single-valued key\" and \"Allow with ForAllValues\".",
    check,
    bad: &[Sample::Identity(
        r#"{"Effect": "Allow", "Action": "sagemaker:CreateEndpointConfig", "Resource": "*", "Condition": {"ForAllValues:StringLike": {"sagemaker:InstanceTypes": "ml.t3.*"}}}"#,
    )],
    good: &[
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "sagemaker:CreateEndpointConfig", "Resource": "*", "Condition": {"ForAllValues:StringLike": {"sagemaker:InstanceTypes": "ml.t3.*"}, "Null": {"sagemaker:InstanceTypes": "false"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateEndpointConfig", "Resource": "*", "Condition": {"ForAllValues:StringNotLike": {"sagemaker:InstanceTypes": "ml.t3.*"}}}"#,
        ),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (statement, clause) in subject.clauses() {
        let key = &clause.key.text;
        let demanded = statement.clauses.iter().any(|other| other.is_of(key) && other.demands_presence());
        if statement.denies() || clause.operator.quantifier != Some(Quantifier::ForAllValues) || demanded {
            continue;
        }
        let message = format!("this Allow also holds where the request does not carry `{key}`");
        let help = format!("add `\"Null\": {{\"{key}\": \"false\"}}` to the condition");
        // To pass no tags is mostly meant to be allowed.
        let severity = if clause.is_of("aws:TagKeys") { Severity::Info } else { Severity::Warning };
        told.push(told.at(&clause.key.spot, message).help(help).severity(severity));
    }
}
