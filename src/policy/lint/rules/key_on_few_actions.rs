//! Conditions on every action of a service, whose key few of them carry.

use super::key_not_on_action::is_told;
use super::some_of_actions;
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services::Action;

pub(super) const RULE: Rule = Rule {
    id: "key-on-few-actions",
    severity: Severity::Info,
    summary: "a condition on a pattern of actions, few of which carry the key",
    explanation: "A positive operator is false where the key is absent, so a statement on `s3:*` with `StringEquals` on \
        `s3:x-amz-acl` speaks of the few actions that carry the key and of no other: all else is done as before. \
        Where just those are meant, name them; else find a key that all carry. Source: Service Authorization Reference; IAM user \
        guide, \"Condition operators\".",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"s3:x-amz-acl": "public-read"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "lambda:*", "Resource": "*", "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": ["s3:PutObject", "s3:PutObjectAcl"], "Resource": "*", "Condition": {"StringEquals": {"s3:x-amz-acl": "public-read"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/data": "none"}}}"#,
        ),
    ],
};

/// Fewest actions of a pattern that is looked at, and the part of them that is few.
const MANY: usize = 12;
const FEW: usize = 4;

fn check(subject: &Subject<'_>, told: &mut Told) {
    for statement in subject.statements.iter().filter(|statement| !statement.not_action) {
        for clause in statement.clauses.iter().filter(|clause| clause.demands_presence()) {
            let key = &*clause.key.text;
            let of_resource = key.to_ascii_lowercase().starts_with("aws:resourcetag/");
            if !of_resource && !is_told(key) {
                continue;
            }
            for word in statement.actions.iter().filter(|word| !word.is_exact() && word.actions().len() >= MANY) {
                let all = word.actions();
                if !all.iter().all(|action| action.service.is_whole()) {
                    continue;
                }
                let carriers: Vec<Action> = all.iter().copied().filter(|action| action.carries(key)).collect();
                // Where none does, the statement is dead, and another rule says so.
                if carriers.is_empty() || carriers.len() * FEW > all.len() {
                    continue;
                }
                let message = format!(
                    "of the {} actions of `{}` only {} carry `{key}`, and the statement never {} the others",
                    all.len(),
                    word.word.text,
                    some_of_actions(&carriers),
                    statement.verb()
                );
                let help = "name the actions that are meant, or test a key that all of them carry";
                told.push(told.at(&clause.key.spot, message).help(help));
            }
        }
    }
}
