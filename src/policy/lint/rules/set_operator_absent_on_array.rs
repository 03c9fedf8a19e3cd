//! Plain operators on keys with many values.

use crate::policy::condition::Test;
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services;

pub(super) const RULE: Rule = Rule {
    id: "set-operator-absent-on-array",
    severity: Severity::Warning,
    summary: "a plain operator on a key that can have many values",
    explanation: "Keys such as `aws:TagKeys`, `aws:PrincipalOrgPaths` and `sagemaker:InstanceTypes` are lists. AWS demands \
        `ForAnyValue` or `ForAllValues` with them, and documents nothing for a plain operator: it may hold for one value and not \
        for several. `Null` needs none. Source: IAM user guide, \"Set operators for multivalued context keys\".",
    check,
    bad: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": "sagemaker:CreateTrainingJob", "Resource": "*", "Condition": {"StringNotLike": {"sagemaker:InstanceTypes": "ml.t3.*"}}}"#,
    )],
    good: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": "sagemaker:CreateTrainingJob", "Resource": "*", "Condition": {"ForAnyValue:StringNotLike": {"sagemaker:InstanceTypes": "ml.t3.*"}, "Null": {"sagemaker:InstanceTypes": "false"}}}"#,
    )],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (statement, clause) in subject.clauses() {
        if clause.operator.quantifier.is_some() || clause.operator.test == Test::Null {
            continue;
        }
        let Some(key) = services::key(&clause.key.text).filter(|key| key.many) else { continue };
        let message = format!("`{}` can have many values, and `{}` is for one", key.name, clause.block.text);
        let help = if statement.denies() {
            format!("write `ForAnyValue:{}` to deny where one of the values matches", clause.block.text)
        } else {
            format!(
                "write `ForAllValues:{0}` and `Null: {{{1}: false}}` to allow where all match",
                clause.block.text, key.name
            )
        };
        told.push(told.at(&clause.block.spot, message).help(help));
    }
}
