//! Resource control policies that deny AWS services, or everybody but them.

use crate::policy::lint::subject::{StatementAt, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::statement::Language;

pub(super) const RULE: Rule = Rule {
    id: "rcp-service-principals",
    severity: Severity::Warning,
    summary: "a perimeter that also denies AWS services, or that denies everyone who is no service",
    explanation: "Service principals belong to no organization and no account, so their calls carry no `aws:PrincipalOrgID`: a \
        Deny of all but one organization denies the delivery of logs, replication and everything else that services do, unless \
        `BoolIfExists: {aws:PrincipalIsAWSService: false}` spares them. In the same way `aws:SourceOrgID` is carried by calls of \
        services only: a Deny of all but one organization denies every other call, unless `Bool: {aws:PrincipalIsAWSService: true}` or \
        `Null: {aws:SourceAccount: false}` limits it to them. Sources: IAM user guide, \"AWS global condition context keys\"; \
        Organizations user guide, \"Resource control policy examples\".",
    check,
    bad: &[
        Sample::Rcp(
            r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-abcdefghij"}}}"#,
        ),
        Sample::Rcp(
            r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:SourceOrgID": "o-abcdefghij"}}}"#,
        ),
    ],
    good: &[
        Sample::Rcp(
            r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-abcdefghij"}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}}"#,
        ),
        Sample::Rcp(
            r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:SourceOrgID": "o-abcdefghij"}, "Bool": {"aws:PrincipalIsAWSService": "true"}}}"#,
        ),
    ],
};

/// Keys that calls of service principals do not carry.
const OF_PRINCIPALS: [&str; 3] = ["aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:PrincipalAccount"];
/// Keys that only calls of service principals carry.
const OF_SERVICES: [&str; 3] = ["aws:SourceOrgID", "aws:SourceOrgPaths", "aws:SourceAccount"];
/// Actions that no service principal calls.
const NOT_BY_SERVICES: [&str; 2] = ["sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"];

fn check(subject: &Subject<'_>, told: &mut Told) {
    if subject.language != Language::ResourceControl {
        return;
    }
    for statement in subject.statements.iter().filter(|statement| statement.denies() && !limited(statement)) {
        let by_services = statement.not_action
            || statement
                .actions
                .iter()
                .any(|action| !NOT_BY_SERVICES.iter().any(|name| action.word.text.eq_ignore_ascii_case(name)));
        for clause in statement.clauses.iter().filter(|clause| clause.when_absent() && clause.operator.test.negated()) {
            let key = &*clause.key.text;
            let is_of = |keys: &[&str]| keys.iter().any(|known| known.eq_ignore_ascii_case(key));
            let (message, help) = if by_services && is_of(&OF_PRINCIPALS) {
                (
                    format!("this also denies AWS services, whose calls carry no `{key}`"),
                    "spare them: `\"BoolIfExists\": {\"aws:PrincipalIsAWSService\": \"false\"}`",
                )
            } else if is_of(&OF_SERVICES) {
                (
                    format!("this denies everyone who is no AWS service, since only their calls carry `{key}`"),
                    "limit it to them: `\"Bool\": {\"aws:PrincipalIsAWSService\": \"true\"}`",
                )
            } else {
                continue;
            };
            told.push(told.at(&clause.key.spot, message).help(help));
        }
    }
}

/// Whether something else says whose calls are meant: a test of service principals, or of what only some calls carry.
fn limited(statement: &StatementAt<'_>) -> bool {
    let service = |key: &str| key.to_ascii_lowercase().starts_with("aws:principalisawsservice");
    statement.clauses.iter().any(|clause| service(&clause.key.text) || clause.demands_presence())
}
