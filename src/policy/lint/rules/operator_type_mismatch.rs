//! Operators that read another type than the key has.

use crate::policy::condition::{Family, Test};
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services::{self, ValueType};

pub(super) const RULE: Rule = Rule {
    id: "operator-type-mismatch",
    severity: Severity::Warning,
    summary: "an operator that cannot read the key's values",
    explanation: "`sagemaker:RootAccess` holds `Enabled` or `Disabled`; `Bool` reads true and false and never matches it. \
        `StringEquals` on `aws:SourceIp` compares text, so a range matches nothing. Only pairs that cannot work are told: text \
        operators read booleans, numbers and ARNs well enough. Source: Service Authorization Reference (types of keys); IAM user \
        guide, \"Condition operators\"; Access Analyzer check \"Type mismatch\".",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateNotebookInstance", "Resource": "*", "Condition": {"BoolIfExists": {"sagemaker:RootAccess": "true"}}}"#,
        ),
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceIp": "192.0.2.0/24"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateNotebookInstance", "Resource": "*", "Condition": {"StringNotEquals": {"sagemaker:RootAccess": "Disabled"}}}"#,
        ),
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}, "StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/a"}}}"#,
        ),
    ],
};

/// Families of operators that read values of a type.
fn readers(kind: ValueType) -> &'static [Family] {
    match kind {
        // Many keys that hold ARNs or numbers are documented as strings, and AWS reads epoch seconds as numbers or dates.
        ValueType::String => &[Family::Text, Family::Arn, Family::Number, Family::Date],
        ValueType::Arn => &[Family::Text, Family::Arn],
        ValueType::Bool => &[Family::Text, Family::Bool],
        ValueType::Numeric | ValueType::Date => &[Family::Text, Family::Number, Family::Date],
        ValueType::IpAddress => &[Family::Address],
        ValueType::Binary => &[Family::Text, Family::Binary],
    }
}

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (_, clause) in subject.clauses().filter(|(_, clause)| clause.operator.test != Test::Null) {
        let Some(key) = services::key(&clause.key.text) else { continue };
        let family = clause.operator.test.family();
        if readers(key.kind).contains(&family) {
            continue;
        }
        // An address as text equals itself; a range does not.
        if key.kind == ValueType::IpAddress && !clause.values.iter().any(|word| word.text.contains('/')) {
            continue;
        }
        // Keys documented as strings that hold a boolean are read by `Bool`.
        if family == Family::Bool && key.kind == ValueType::String && !is_word(key.name) {
            continue;
        }
        let message = format!("`{}` does not read `{}`, which is {}", clause.block.text, key.name, key.kind.noun());
        told.push(told.at(&clause.block.spot, message).help(format!("write an operator for {}", key.kind.noun())));
    }
}

/// Keys that sound like booleans, and hold words.
fn is_word(key: &str) -> bool {
    [
        "sagemaker:RootAccess",
        "sagemaker:DirectInternetAccess",
        "sagemaker:RemoteAccess",
        "ec2:MetadataHttpTokens",
        "ec2:MetadataHttpEndpoint",
    ]
    .contains(&key)
}
