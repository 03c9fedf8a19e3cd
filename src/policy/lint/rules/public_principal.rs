//! Resources that everyone may use.

use crate::policy::lint::subject::{StatementAt, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::statement::VPC_ENDPOINT_POLICY;

pub(super) const RULE: Rule = Rule {
    id: "public-principal",
    severity: Severity::Warning,
    summary: "a resource policy that allows everyone in the world",
    explanation: "`Principal: \"*\"` in an Allow of a resource policy means every AWS account and anonymous callers, unless a \
        condition on who they are narrows it. A VPC endpoint's policy grants nothing, and is not meant. Source: IAM user guide, \"Principal\"; Access Analyzer, external access.",
    check,
    bad: &[
        Sample::Resource(
            r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}"#,
        ),
        Sample::Resource(
            r#"{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}"#,
        ),
    ],
    good: &[
        Sample::Resource(
            r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}}"#,
        ),
        Sample::Whole(
            VPC_ENDPOINT_POLICY,
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}"#,
        ),
        Sample::Resource(
            r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}"#,
        ),
    ],
};

/// Keys that say who calls, or through what of theirs.
const WHO: [&str; 5] = ["aws:principal", "aws:source", "aws:vpce", "aws:userid", "aws:calledvia"];

fn check(subject: &Subject<'_>, told: &mut Told) {
    if !subject.language.names_principals() || subject.kind().as_str() == VPC_ENDPOINT_POLICY {
        return;
    }
    for statement in subject.statements.iter().filter(|s| !s.denies() && !s.not_principal && !narrowed(s)) {
        for (_, word) in
            statement.principals.iter().filter(|(kind, word)| matches!(*kind, "" | "AWS") && word.text == "*")
        {
            let message = "this allows everyone in the world";
            let help = "name accounts or roles, or test `aws:PrincipalOrgID`";
            told.push(told.at(&word.spot, message).help(help));
        }
    }
}

/// Keys of a service (`kms:CallerAccount`, `lambda:FunctionUrlAuthType`) are taken for a narrowing, since nobody writes them by
/// chance.
fn narrowed(statement: &StatementAt<'_>) -> bool {
    statement.clauses.iter().filter(|clause| !clause.when_absent()).any(|clause| {
        let key = clause.key.text.to_ascii_lowercase();
        WHO.iter().any(|who| key.starts_with(who)) || !key.starts_with("aws:")
    })
}
