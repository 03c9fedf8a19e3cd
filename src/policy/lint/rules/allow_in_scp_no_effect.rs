//! Allows of a service control policy that seem to restrict.

use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::statement::Language;

pub(super) const RULE: Rule = Rule {
    id: "allow-in-scp-no-effect",
    severity: Severity::Warning,
    summary: "an Allow with a condition in a service control policy",
    explanation: "An SCP's Allow lets pass; it takes nothing away. Beside `FullAWSAccess`, which AWS attaches to every node, \
        whatever the condition leaves out is allowed by that. It works only where `FullAWSAccess` was detached at that node, \
        which blocks everything else there. To restrict, write a Deny with the condition turned round. Source: Organizations \
        user guide, \"SCP evaluation\".",
    check,
    bad: &[Sample::Scp(
        r#"{"Effect": "Allow", "Action": "ec2:*", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}}"#,
    )],
    good: &[
        Sample::Scp(r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}}"#,
        ),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    if subject.language != Language::ServiceControl {
        return;
    }
    for statement in subject.statements.iter().filter(|s| !s.denies() && !s.clauses.is_empty()) {
        let message =
            "this Allow restricts nothing where `FullAWSAccess` is attached: that allows what the condition leaves out";
        let help = "write a Deny with the condition turned round";
        told.push(told.at(&statement.spot, message).help(help));
    }
}
