//! Allows of all but something.

use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::statement::{IDENTITY_POLICY, Language, VPC_ENDPOINT_POLICY};

pub(super) const RULE: Rule = Rule {
    id: "allow-with-not",
    severity: Severity::Warning,
    summary: "an Allow with `NotAction`, `NotResource` or `NotPrincipal`",
    explanation: "An Allow of all but something also allows whatever AWS adds later, and `NotPrincipal` with Allow allows \
        everyone else in the world, anonymous callers included. Sources: IAM user guide, \"NotAction\", \"NotResource\", \
        \"NotPrincipal\"; Access Analyzer's security warnings of the same names.",
    check,
    bad: &[
        Sample::Identity(r#"{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}"#),
        Sample::Resource(
            r#"{"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}"#,
        ),
    ],
    good: &[
        Sample::Identity(
            r#"{"Effect": "Deny", "NotAction": "iam:*", "Resource": "*", "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}"#,
        ),
        Sample::Scp(r#"{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}"#),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    let kind = subject.kind().as_str();
    let grants = kind == IDENTITY_POLICY
        || (matches!(subject.language, Language::Resource | Language::Delegation) && kind != VPC_ENDPOINT_POLICY);
    for statement in subject.statements.iter().filter(|statement| grants && !statement.denies()) {
        let element = match (statement.not_principal, statement.not_action, statement.not_resource) {
            (true, ..) => "NotPrincipal",
            (_, true, _) => "NotAction",
            (_, _, true) => "NotResource",
            _ => continue,
        };
        let message = format!("an Allow with `{element}` also allows everything that AWS adds later");
        let spot = if element == "NotAction" { &statement.action_spot } else { &statement.spot };
        told.push(told.at(spot, message).help("name what is allowed"));
    }
}
