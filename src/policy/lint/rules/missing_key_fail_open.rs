//! Conditions of an Allow that hold where the key is absent.

use super::key_not_on_action::service_of;
use crate::policy::condition::{Quantifier, Test};
use crate::policy::lint::subject::{ClauseAt, StatementAt, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "missing-key-fail-open",
    severity: Severity::Warning,
    summary: "an Allow that holds where the key is absent, or a Deny of all but some values that does not",
    explanation: "`ForAllValues` is true where the request does not carry the key at all, so an Allow with it lets pass whatever \
        leaves the key out: `ForAllValues:StringEquals aws:TagKeys [team]` also allows calls without tags. Add `Null: {key: \
        false}`, or use `ForAnyValue`. `ForAnyValue` is false there, even with a negated test: a Deny with \
        `ForAnyValue:StringNotLike` lets pass what does not carry the key, such as a serverless endpoint, which has no instance \
        type; whether that is meant is for the author to say, so it is a note. Source: IAM user guide, \"Set \
        operators for multivalued context keys\".",
    check,
    bad: &[
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "sagemaker:CreateEndpointConfig", "Resource": "*", "Condition": {"ForAllValues:StringLike": {"sagemaker:InstanceTypes": "ml.t3.*"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateEndpointConfig", "Resource": "*", "Condition": {"ForAnyValue:StringNotLike": {"sagemaker:InstanceTypes": "ml.t3.*"}}}"#,
        ),
    ],
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
        if statement.denies() {
            deny(subject, statement, clause, told);
        }
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

/// A Deny of all but some values, where nothing else in the document speaks of calls without the key.
fn deny(subject: &Subject<'_>, statement: &StatementAt<'_>, clause: &ClauseAt<'_>, told: &mut Told) {
    let key = &*clause.key.text;
    let all_but = |clause: &ClauseAt<'_>| {
        let operator = clause.operator;
        operator.quantifier == Some(Quantifier::ForAnyValue) && operator.test.negated() && !operator.if_exists
    };
    // One note a key.
    let first = subject.clauses().find(|(other, at)| other.denies() && at.is_of(key) && all_but(at));
    let is_first = first.is_some_and(|(_, at)| std::ptr::eq(at, clause));
    let absent = |other: &ClauseAt<'_>| other.is_of(key) && other.when_absent();
    let nulled = |other: &StatementAt<'_>| {
        other.clauses.iter().any(|clause| clause.operator.test == Test::Null && clause.is_of(key))
    };
    let spoken_of = subject.statements.iter().any(|other| other.denies() && other.clauses.iter().any(absent));
    if !is_first || service_of(key).is_none() || spoken_of || nulled(statement) {
        return;
    }
    let message = format!("what does not carry `{key}` passes: `{}` is false there", clause.block.text);
    let help = format!("where that is not meant, deny `\"Null\": {{\"{key}\": \"true\"}}` in a statement of its own");
    told.push(told.at(&clause.block.spot, message).help(help).severity(Severity::Info));
}
