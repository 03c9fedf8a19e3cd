//! Roles that may be passed to anything.

use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::statement::IDENTITY_POLICY;

pub(super) const RULE: Rule = Rule {
    id: "pass-role-wildcard",
    severity: Severity::Warning,
    summary: "an Allow to pass every role to every service",
    explanation: "Whoever may pass any role to a service acts with any role: starts a notebook with the administrator's, and has \
        its rights. Name the roles, or the service with `iam:PassedToService`. Source: IAM user guide, \"Granting a user \
        permissions to pass a role\"; Access Analyzer check \"Pass role with star in resource\".",
    check,
    bad: &[Sample::Identity(r#"{"Effect": "Allow", "Action": ["iam:PassRole", "sagemaker:*"], "Resource": "*"}"#)],
    good: &[
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}}"#,
        ),
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::111122223333:role/notebook"}"#,
        ),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    if subject.kind().as_str() != IDENTITY_POLICY {
        return;
    }
    for statement in subject.statements.iter().filter(|s| !s.denies() && s.on_everything() && s.clauses.is_empty()) {
        for word in statement.actions.iter().filter(|word| !statement.not_action && passes(&word.word.text)) {
            let message = "this allows to pass every role to every service, and so to act with any of them";
            told.push(
                told.at(&word.word.spot, message).help("name the roles in `Resource`, or test `iam:PassedToService`"),
            );
        }
    }
}

fn passes(pattern: &str) -> bool {
    pattern.to_ascii_lowercase().starts_with("iam:pass")
        && crate::policy::pattern::matches(pattern, "iam:PassRole", true)
}
