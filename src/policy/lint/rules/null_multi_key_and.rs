//! `Null` with several keys, all of which have to be absent.

use super::some_of;
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "null-multi-key-and",
    severity: Severity::Warning,
    summary: "a Deny where all of several tags are missing, instead of any",
    explanation: "The keys of a condition block are joined by AND. A Deny with `Null: {aws:RequestTag/team: true, \
        aws:RequestTag/cost: true}` denies only calls that pass neither tag: one of them is enough to pass. To demand each, write \
        a statement for each. Source: IAM user guide, \"Conditions with multiple context keys or values\".",
    check,
    bad: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": "ec2:CreateVolume", "Resource": "arn:aws:ec2:*:*:volume/*", "Condition": {"Null": {"aws:RequestTag/team": "true", "aws:RequestTag/cost": "true"}}}"#,
    )],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:CreateVolume", "Resource": "arn:aws:ec2:*:*:volume/*", "Condition": {"Null": {"aws:RequestTag/team": "true"}}}"#,
        ),
        // An endpoint configuration has instances or is serverless: to have neither is what is denied.
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateEndpointConfig", "Resource": "*", "Condition": {"Null": {"sagemaker:InstanceTypes": "true", "sagemaker:ServerlessMemorySize": "true"}}}"#,
        ),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    for statement in subject.statements.iter().filter(|statement| statement.denies()) {
        let tag = |key: &str| key.to_ascii_lowercase().starts_with("aws:requesttag/");
        let missing: Vec<_> = statement.clauses.iter().filter(|c| c.demands_absence() && tag(&c.key.text)).collect();
        if let Some(second) = missing.get(1) {
            let names = some_of(missing.iter().map(|clause| &*clause.key.text));
            let message = format!("denied is only what lacks all of {names}: one of them is enough to pass");
            told.push(told.at(&second.key.spot, message).help("write a statement for each tag"));
        }
    }
}
