//! MFA demanded by a condition that long-term keys pass.

use crate::policy::condition::{Operator, Test};
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Edit, Fix, Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "mfa-without-if-exists",
    severity: Severity::Warning,
    summary: "a demand of MFA that access keys of users get around",
    explanation: "`aws:MultiFactorAuthPresent` is carried by requests with temporary credentials only. A Deny with `Bool: false` \
        never meets a user's access key, which is the very credential without MFA; with `BoolIfExists` it does. An Allow is the \
        other way round: `BoolIfExists: true` also allows access keys. Source: IAM user guide, \"AWS global condition context \
        keys\", aws:MultiFactorAuthPresent.",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:StopInstances", "Resource": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}}"#,
        ),
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "ec2:StopInstances", "Resource": "*", "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": true}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:StopInstances", "Resource": "*", "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}"#,
        ),
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "ec2:StopInstances", "Resource": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}"#,
        ),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (statement, clause) in subject.clauses() {
        let Operator { test, if_exists, .. } = clause.operator;
        if test != Test::Bool || !clause.is_of("aws:MultiFactorAuthPresent") {
            continue;
        }
        let nulled =
            statement.clauses.iter().any(|other| other.operator.test == Test::Null && other.is_of(&clause.key.text));
        let (message, name) = if statement.denies() && !if_exists && clause.has("false") && !nulled {
            (
                "this statement never denies a user's access key: its requests do not carry `aws:MultiFactorAuthPresent`",
                "BoolIfExists",
            )
        } else if !statement.denies() && if_exists && clause.has("true") && !nulled {
            ("this Allow also holds for access keys without MFA: their requests do not carry the key", "Bool")
        } else {
            continue;
        };
        let mut finding = told.at(&clause.key.spot, message).help(format!("write `{name}`"));
        // Other keys of the block may mean what they say, and a second block of the name cannot be.
        let taken = statement.clauses.iter().any(|other| other.block.text.eq_ignore_ascii_case(name));
        if clause.keys_in_block == 1 && !taken {
            let edits = vec![Edit::Scalar { at: clause.block.spot.place, text: format!("\"{name}\"") }];
            finding = finding.fix(Fix { what: format!("`{}` becomes `{name}`", clause.block.text), edits });
        }
        told.push(finding);
    }
}
