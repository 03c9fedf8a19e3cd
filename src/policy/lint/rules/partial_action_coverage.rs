//! Guardrails on some of the actions that the same setting passes through.

use std::collections::BTreeSet;

use super::key_not_on_action::service_of;
use super::some_of_actions;
use crate::policy::lint::subject::{StatementAt, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services::{Action, Level};

pub(super) const RULE: Rule = Rule {
    id: "partial-action-coverage",
    severity: Severity::Info,
    summary: "a Deny on some of the actions through which the same thing can be had",
    explanation: "`sagemaker:InstanceTypes` is carried by 23 actions. A Deny by instance type on CreateTrainingJob alone leaves \
        processing jobs, notebooks, endpoints and the rest: whoever is refused takes the next door. In the same way a function without a VPC that \
        CreateFunction may not make is had by UpdateFunctionConfiguration. Where only one is meant, nothing has to be done. Keys \
        looked at are those that nothing but actions which make or change something carry, of all services. Source: Service \
        Authorization Reference.",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateTrainingJob", "Resource": "*", "Condition": {"ForAnyValue:StringNotLike": {"sagemaker:InstanceTypes": "ml.t3.*"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "lambda:CreateFunction", "Resource": "*", "Condition": {"Null": {"lambda:VpcIds": "true"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ram:CreateResourceShare", "Resource": "*", "Condition": {"Bool": {"ram:RequestedAllowsExternalPrincipals": "true"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:*", "Resource": "*", "Condition": {"ForAnyValue:StringLike": {"sagemaker:InstanceTypes": "ml.p5.*"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": ["sagemaker:CreateModelPackage", "sagemaker:UpdateModelPackage"], "Resource": "*", "Condition": {"StringEquals": {"sagemaker:ModelApprovalStatus": "Approved"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": ["ec2:StartInstances"], "Resource": "arn:aws:ec2:*:*:instance/*", "Condition": {"StringEquals": {"ec2:InstanceType": "p5.48xlarge"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}}"#,
        ),
    ],
};

/// How the names of actions begin that make or change something.
const MAKES: [&str; 17] = [
    "Add",
    "Associate",
    "Attach",
    "Copy",
    "Create",
    "Enable",
    "Import",
    "Launch",
    "Modify",
    "Put",
    "Register",
    "Request",
    "Restore",
    "Run",
    "Set",
    "Start",
    "Update",
];

/// Keys that look like settings, and tell what passes through or who asks.
const OTHERWISE: [&str; 3] = ["events:", "swf:", "ssm:Node"];

/// Most actions of a setting: what more of them carry (`ec2:Region`) is none.
const MOST: usize = 60;

/// The actions that carry a key, where all of them make or change something; none where the key is no setting.
fn setting(key: &str) -> Vec<Action> {
    let begins = |prefix: &str| key.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let tag = key.split(':').nth(1).is_some_and(|name| name.to_ascii_lowercase().contains("tag/"));
    let Some(service) = service_of(key).filter(|service| service.is_whole() && !tag) else { return vec![] };
    if OTHERWISE.iter().any(|prefix| begins(prefix)) {
        return vec![];
    }
    let makes = |action: &Action| {
        let level = matches!(action.level(), Level::Write | Level::Permissions);
        level && MAKES.iter().any(|verb| action.name().starts_with(verb))
    };
    let carriers: Vec<Action> = service.actions_with(key).take(MOST + 1).collect();
    if carriers.len() <= MOST && carriers.iter().all(makes) { carriers } else { vec![] }
}

fn check(subject: &Subject<'_>, told: &mut Told) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (_, clause) in subject.clauses().filter(|(statement, _)| statement.denies()) {
        let key = &*clause.key.text;
        let carriers = if seen.insert(key.to_ascii_lowercase()) { setting(key) } else { vec![] };
        if carriers.is_empty() {
            continue;
        }
        let of_key =
            |statement: &&StatementAt<'_>| statement.denies() && statement.clauses.iter().any(|c| c.is_of(key));
        let reached = |statement: &StatementAt<'_>, action: Action| {
            statement.not_action || statement.of_everything() || names(statement, action)
        };
        let (mut listed, mut left) = (false, vec![]);
        for action in carriers {
            let denied = |s: &StatementAt<'_>| s.denies() && s.clauses.is_empty() && names(s, action);
            if subject.statements.iter().filter(of_key).any(|statement| reached(statement, action)) {
                listed = true;
            } else if !subject.statements.iter().any(denied) {
                left.push(action);
            }
        }
        // Where none of the listed actions carries the key, that is what has to be told, and another rule does.
        if listed && !left.is_empty() {
            let message = format!("the same can be had through {}, which also carry `{key}`", some_of_actions(&left));
            let help = "add them, unless only the listed actions are meant";
            told.push(told.at(&clause.key.spot, message).help(help));
        }
    }
}

fn names(statement: &StatementAt<'_>, action: Action) -> bool {
    !statement.not_action && statement.actions.iter().any(|word| word.actions().contains(&action))
}
