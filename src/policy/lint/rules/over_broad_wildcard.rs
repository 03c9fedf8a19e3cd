//! Statements on everything.

use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::statement::Language;

pub(super) const RULE: Rule = Rule {
    id: "over-broad-wildcard",
    severity: Severity::Warning,
    summary: "a statement on every action and resource, without a condition",
    explanation: "`Deny *` on `*` without a condition stops an account altogether, the roles that would repair it included: right \
        for a quarantine, and for nothing else. `Allow *` on `*` in an identity policy makes an administrator of whoever holds \
        it. Sources: Organizations user guide, \"Testing effects of SCPs\"; IAM user guide, \
        \"Security best practices in IAM\".",
    check,
    bad: &[
        Sample::Scp(r#"{"Effect": "Deny", "Action": "*", "Resource": "*"}"#),
        Sample::Identity(r#"{"Effect": "Allow", "Action": ["s3:*", "*"], "Resource": "*"}"#),
        Sample::Identity(r#"{"Effect": "Allow", "Action": "*:*", "Resource": "*"}"#),
    ],
    good: &[
        Sample::Scp(r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:root"}}}"#,
        ),
        Sample::Identity(r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}"#),
        Sample::Whole(
            "PERMISSIONS_BOUNDARY",
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#,
        ),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    let grants = subject.kind().as_str() == crate::policy::statement::IDENTITY_POLICY;
    for statement in subject.statements.iter().filter(|s| s.clauses.is_empty() && s.on_everything() && !s.not_action) {
        let all = |text: &str| text == "*" || text == "*:*";
        let Some(word) = statement.actions.iter().find(|action| all(&action.word.text)) else { continue };
        let binds = matches!(subject.language, Language::ServiceControl | Language::Identity);
        if statement.denies() && binds {
            let message = "this denies everything to everyone below, whoever would repair it included";
            let help = "name actions, or spare a role with `ArnNotLike` on `aws:PrincipalArn`";
            told.push(told.at(&word.word.spot, message).help(help));
        } else if !statement.denies() && grants {
            let message = "this makes an administrator of whoever holds the policy";
            told.push(told.at(&word.word.spot, message).help("name the services and resources that are needed"));
        }
    }
}
