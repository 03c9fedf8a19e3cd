//! Patterns of actions that match none.

use super::unknown_action::{meant, void};
use crate::policy::lint::subject::{Reach, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "action-matches-nothing",
    severity: Severity::Warning,
    summary: "a pattern that matches no action of its service",
    explanation: "A pattern such as `lambda:Describe*` is accepted and matches nothing, since Lambda's actions begin with Get and List. \
        The statement does less than it seems to. Source: Service Authorization Reference.",
    check,
    bad: &[
        Sample::Scp(r#"{"Effect": "Deny", "Action": "lambda:Describe*", "Resource": "*"}"#),
        Sample::Scp(r#"{"Effect": "Deny", "Action": ["ec2:RunInstance?s", "ec2:RunInstances"], "Resource": "*"}"#),
        Sample::Scp(r#"{"Effect": "Deny", "Action": "sagmaker:*", "Resource": "*"}"#),
        Sample::Scp(r#"{"Effect": "Deny", "NotAction": ["orgnizations:*", "iam:*"], "Resource": "*"}"#),
    ],
    good: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": ["s3:Put*", "*:*Organization", "ec2:?unInstances"], "Resource": "*"}"#,
    )],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    for statement in &subject.statements {
        for action in statement.actions.iter().filter(|action| !action.is_exact()) {
            if matches!(&action.reach, Reach::Of(actions) if actions.is_empty()) {
                let text = &action.word.text;
                let finding = told.at(&action.word.spot, format!("`{text}` matches no action")).help(meant(text));
                told.push(if statement.not_action { void(finding, statement, text) } else { finding });
            }
        }
    }
}
