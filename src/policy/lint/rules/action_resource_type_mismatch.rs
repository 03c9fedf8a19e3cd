//! Resources that an action cannot have.

use super::some_of;
use crate::policy::eval::resources_meet;
use crate::policy::lint::subject::{StatementAt, Subject, Word};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services::{self, Action};

pub(super) const RULE: Rule = Rule {
    id: "action-resource-type-mismatch",
    severity: Severity::Warning,
    summary: "an action on a resource that it never speaks of",
    explanation: "Each action is authorized on the resource types of its row in AWS's reference: `s3:ListBucket` on a bucket \
        (`arn:aws:s3:::b`), `s3:GetObject` on an object (`arn:aws:s3:::b/*`). On another resource it never matches. An action \
        without a resource type, such as `ec2:DescribeInstances`, matches only statements on `*`. Source: Service Authorization \
        Reference; Access Analyzer's action and resource checks.",
    check,
    bad: &[
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "arn:aws:s3:::b/*"}"#,
        ),
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "arn:aws:ec2:*:*:instance/*"}"#,
        ),
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::b/*", "arn:aws:sqs:*:*:b"]}"#,
        ),
    ],
    good: &[
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]}"#,
        ),
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::b", "arn:*:s3:::${aws:username}/*"]}"#,
        ),
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "logs:CreateLogGroup", "Resource": "arn:aws:logs:eu-west-1:111122223333:*"}"#,
        ),
        // A `*` that ends a part runs over colons.
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "arn:aws:lambda:*:function:a*"}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "iam:DeleteRole", "Resource": ["arn:aws:iam::*:role/a", "arn:aws:iam::111122223333:role/path/b"]}"#,
        ),
    ],
};

/// Whether a resource of a type can match the pattern. Templates of the reference stand for any text, and so do variables.
fn can_match(arn: &str, pattern: &str) -> bool {
    // A bucket's name holds no slash; of other names that is not sure.
    if arn.ends_with(":${BucketName}") && pattern.splitn(6, ':').nth(5).is_some_and(|name| name.contains('/')) {
        return false;
    }
    resources_meet(&services::as_pattern(pattern), &services::as_pattern(arn))
}

fn speaks_of(action: Action, resource: &Word<'_>) -> bool {
    action.resources().flat_map(|on| &on.kind.arns).any(|arn| can_match(arn, &resource.text))
}

fn check(subject: &Subject<'_>, told: &mut Told) {
    for statement in &subject.statements {
        let open = statement.not_action || statement.not_resource || statement.resources.iter().any(|w| w.text == "*");
        // An action of which nothing is known may have any resource.
        let known = statement.actions.iter().all(|word| word.actions().first().is_some_and(|a| a.service.is_whole()));
        if !open && known {
            look(statement, told);
        }
    }
}

fn look(statement: &StatementAt<'_>, told: &mut Told) {
    let verb = statement.verb();
    for word in &statement.actions {
        let mut actions = word.actions().iter();
        if actions.any(|action| statement.resources.iter().any(|resource| speaks_of(*action, resource))) {
            continue;
        }
        let mut kinds: Vec<&str> =
            word.actions().iter().flat_map(|action| action.resources()).map(|on| on.kind.name).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let text = &word.word.text;
        let finding = if kinds.is_empty() {
            let message = format!("the statement never {verb} `{text}`: it has no resource, and only `*` matches it");
            told.at(&word.word.spot, message).help("put it in a statement on `\"Resource\": \"*\"`")
        } else {
            let message = format!(
                "the statement never {verb} `{text}`: none of its resources is a {}",
                some_of(kinds.iter().copied())
            );
            let arn = word
                .actions()
                .iter()
                .flat_map(|action| action.resources())
                .find_map(|on| on.kind.arns.first().copied());
            let finding = told.at(&word.word.spot, message);
            match arn {
                Some(arn) => finding.help(format!("its resources are written `{}`", services::sample_arn(arn))),
                None => finding,
            }
        };
        told.push(finding);
    }
    for resource in &statement.resources {
        let any = statement.actions.iter().flat_map(|word| word.actions()).any(|action| speaks_of(*action, resource));
        if !any && statement.resources.len() > 1 {
            let message = format!("`{}` is a resource of none of the statement's actions", resource.text);
            told.push(told.at(&resource.spot, message).help("remove it, or add the actions that are meant"));
        }
    }
}
