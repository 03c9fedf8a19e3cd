//! Exemptions by the name of a user, which roles have none of.

use crate::names::PolicyType;
use crate::policy::condition::Test;
use crate::policy::lint::subject::{StatementAt, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "username-of-roles",
    severity: Severity::Warning,
    summary: "an exemption by `aws:username`, which denies every role",
    explanation: "Only IAM users have `aws:username`: the requests of roles, which is how people of IAM Identity Center and all workloads \
        call, and of the root user, do not carry it, and a negated operator holds for them. A Deny with `StringNotLike: {aws:username: admin*}` \
        denies all of them. Exempt by `aws:PrincipalArn`, or say that the Deny is of users alone by `Null: {aws:username: false}`. \
        Source: IAM user guide, \"AWS global condition context keys\", aws:username.",
    check,
    bad: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotLike": {"aws:username": "admin*"}}}"#,
    )],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotLike": {"aws:username": "admin*"}, "Null": {"aws:username": "false"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotLike": {"aws:username": "admin*"}, "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringLike": {"aws:username": "guest*"}}}"#,
        ),
    ],
};

/// Keys by which a statement says which kinds of principals it is of.
const OF_PRINCIPALS: &[&str] = &["aws:PrincipalArn", "aws:PrincipalType", "aws:userid"];

fn check(subject: &Subject<'_>, told: &mut Told) {
    // The policies of users and groups are of no role.
    if ![PolicyType::scp(), PolicyType::rcp()].contains(subject.kind()) {
        return;
    }
    for (statement, clause) in subject.clauses() {
        let negated = clause.is_of("aws:username") && clause.operator.test != Test::Null && clause.when_absent();
        if statement.denies() && negated && !is_of_users(statement) {
            let message = "this statement denies every role: only IAM users have `aws:username`, and the condition holds without it";
            let help = "exempt by `aws:PrincipalArn`, or add `\"Null\": {\"aws:username\": \"false\"}`";
            told.push(told.at(&clause.key.spot, message).help(help));
        }
    }
}

fn is_of_users(statement: &StatementAt<'_>) -> bool {
    statement.clauses.iter().any(|clause| {
        (clause.is_of("aws:username") && clause.demands_presence()) || OF_PRINCIPALS.iter().any(|key| clause.is_of(key))
    })
}
