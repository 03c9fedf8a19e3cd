//! Condition keys that AWS still lists and no action carries any more.

use crate::policy::condition::Test;
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Fix, Rule, Sample, Severity, Told};
use crate::policy::services::{self, Key, Service};

pub(super) const RULE: Rule = Rule {
    id: "deprecated-key",
    severity: Severity::Error,
    summary: "a condition key that no action carries any more, and its successor",
    explanation: "AWS replaced keys that held the id or alias of a KMS key by keys that hold its ARN: `sagemaker:VolumeKmsKey` \
        became `sagemaker:VolumeKmsKeyArn`. The old name is still listed, attached to no action. A Deny on it never denies, or \
        with `Null` denies everything; an Allow never allows. The new key holds an ARN, so values that are ids or aliases have \
        to become ARNs. Source: Service Authorization Reference, Amazon SageMaker.",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateTrainingJob", "Resource": "*", "Condition": {"Null": {"sagemaker:VolumeKmsKey": "true"}}}"#,
        ),
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "sagemaker:CreateTrainingJob", "Resource": "*", "Condition": {"ArnEquals": {"sagemaker:OutputKmsKey": "arn:aws:kms:eu-west-1:111122223333:key/a"}}}"#,
        ),
    ],
    good: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": "sagemaker:CreateTrainingJob", "Resource": "*", "Condition": {"Null": {"sagemaker:VolumeKmsKeyArn": "true"}}}"#,
    )],
};

/// Successors that are not the old name with `Arn` behind it.
const SUCCESSORS: [(&str, &str); 1] = [("sagemaker:HomeEfsFileSystemKmsKey", "sagemaker:VolumeKmsKeyArn")];

/// The key that took the place of one that nothing carries.
pub(super) fn successor(service: &'static Service, key: Key) -> Option<Key> {
    if key.attached {
        return None;
    }
    let named = SUCCESSORS.iter().find(|(old, _)| *old == key.name).map(|(_, new)| *new);
    let arn = format!("{}Arn", key.name);
    service.keys().iter().copied().find(|other| other.attached && (Some(other.name) == named || other.name == arn))
}

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (statement, clause) in subject.clauses() {
        let name = &*clause.key.text;
        let Some(service) = name.split_once(':').and_then(|(prefix, _)| services::service(prefix)) else { continue };
        let Some(new) = service.key(name).and_then(|key| successor(service, key)) else { continue };
        let effect = match (clause.when_absent(), statement.denies()) {
            (true, true) => "so this statement denies every request that it names",
            (false, true) => "so this statement never denies",
            (true, false) => "so this condition restricts nothing",
            (false, false) => "so this statement never allows",
        };
        let message = format!("no action carries `{name}` any more, {effect}");
        let help = format!("write `{}`; its value is the ARN of a key, no id and no alias", new.name);
        let what = format!("`{name}` becomes `{}`", new.name);
        let mut finding = told.at(&clause.key.spot, message).help(help);
        // A value that is no ARN would not match the new key either.
        if clause.operator.test == Test::Null || clause.values.iter().all(|word| word.text.starts_with("arn:")) {
            finding = finding.fix(Fix::string(what, clause.key.spot.place, new.name));
        }
        told.push(finding);
    }
}
