//! Resource control policies on services that take no part.

use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services;
use crate::policy::statement::Language;

pub(super) const RULE: Rule = Rule {
    id: "rcp-unsupported-service",
    severity: Severity::Error,
    summary: "a resource control policy on a service that RCPs do not bind",
    explanation: "RCPs bind the resources of about sixty services: S3, STS, KMS, SQS, Secrets Manager, DynamoDB and others; not of \
        EC2, RDS, Lambda or SageMaker. AWS accepts the statement, and it never denies. Write a service control policy. Source: \
        Organizations user guide, \"Services that support RCPs\".",
    check,
    bad: &[Sample::Rcp(
        r#"{"Effect": "Deny", "Principal": "*", "Action": ["s3:*", "sagemaker:*"], "Resource": "*", "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-abcdefghij"}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}}"#,
    )],
    good: &[Sample::Rcp(
        r#"{"Effect": "Deny", "Principal": "*", "Action": ["s3:*", "sts:AssumeRole", "kms:*"], "Resource": "*", "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-abcdefghij"}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}}"#,
    )],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    if subject.language != Language::ResourceControl {
        return;
    }
    for action in subject.statements.iter().flat_map(|statement| &statement.actions) {
        let prefix = action.word.text.split_once(':').map_or("", |(prefix, _)| prefix);
        if let Some(service) = services::service(prefix).filter(|service| !service.rcp) {
            let message = format!("`{}` is never denied by this: RCPs do not bind {}", action.word.text, service.name);
            told.push(told.at(&action.word.spot, message).help("write a service control policy"));
        }
    }
}
