//! Guardrails on some of the actions that the same setting passes through.

use super::key_not_on_action::service_of;
use super::some_of_actions;
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services::{self, Action};

pub(super) const RULE: Rule = Rule {
    id: "partial-action-coverage",
    severity: Severity::Info,
    summary: "a Deny on some of the actions through which the same thing can be had",
    explanation: "`sagemaker:InstanceTypes` is carried by 23 actions. A Deny by instance type on CreateTrainingJob alone leaves \
        processing jobs, notebooks, endpoints and the rest: whoever is refused takes the next door. Where only one is meant, \
        nothing has to be done. Keys looked at are those of SageMaker, where one setting passes through many actions. Source: \
        Service Authorization Reference, Amazon SageMaker.",
    check,
    bad: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": "sagemaker:CreateTrainingJob", "Resource": "*", "Condition": {"ForAnyValue:StringNotLike": {"sagemaker:InstanceTypes": "ml.t3.*"}}}"#,
    )],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:*", "Resource": "*", "Condition": {"ForAnyValue:StringLike": {"sagemaker:InstanceTypes": "ml.p5.*"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateModelPackage", "Resource": "*", "Condition": {"StringEquals": {"sagemaker:ModelApprovalStatus": "Approved"}}}"#,
        ),
    ],
};

/// Keys of settings that a guardrail means wherever they can be made.
const SETTINGS: [&str; 7] = [
    "sagemaker:InstanceTypes",
    "sagemaker:VolumeKmsKeyArn",
    "sagemaker:OutputKmsKeyArn",
    "sagemaker:VpcSubnets",
    "sagemaker:VpcSecurityGroupIds",
    "sagemaker:NetworkIsolation",
    "sagemaker:InterContainerTrafficEncryption",
];

fn check(subject: &Subject<'_>, told: &mut Told) {
    for key in SETTINGS {
        let mut first = None;
        let mut listed: Vec<Action> = vec![];
        for (statement, clause) in subject.clauses().filter(|(s, clause)| s.denies() && clause.is_of(key)) {
            let wide = statement.not_action || statement.of_everything();
            first = first.or(Some(clause));
            listed.extend(statement.actions.iter().flat_map(|word| word.actions().iter().copied()));
            if wide {
                listed.extend(service_of(key).into_iter().flat_map(|service| service.actions_with(key)));
            }
        }
        let (Some(clause), Some(service)) = (first, service_of(key)) else { continue };
        let denied = |action: &Action| {
            subject.statements.iter().any(|s| s.denies() && s.clauses.is_empty() && names(s, *action))
        };
        let left: Vec<Action> = service.actions_with(key).filter(|a| !listed.contains(a) && !denied(a)).collect();
        // Where none of the listed actions carries the key, that is what has to be told, and another rule does.
        let some = listed.iter().any(|action| action.carries(key));
        if some && left.iter().any(|action| action.level() == services::Level::Write) {
            let message = format!("the same can be had through {}, which also carry `{key}`", some_of_actions(&left));
            let help = "add them, unless only the listed actions are meant";
            told.push(told.at(&clause.key.spot, message).help(help));
        }
    }
}

fn names(statement: &crate::policy::lint::subject::StatementAt<'_>, action: Action) -> bool {
    !statement.not_action && statement.actions.iter().any(|word| word.actions().contains(&action))
}
