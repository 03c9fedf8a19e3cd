//! Values that no request can have.

use crate::policy::condition::Test;
use crate::policy::lint::subject::{ClauseAt, StatementAt, Subject};
use crate::policy::lint::values::{self, Comparison, Row, Values};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services::{self, ValueType};
use crate::policy::template;

pub(super) const RULE: Rule = Rule {
    id: "impossible-value",
    severity: Severity::Error,
    summary: "a value that no request can have in that key",
    explanation: "Many keys hold one of a few words, or a text of one form: `aws:PrincipalType` is `Account`, `User`, \
        `AssumedRole`, `FederatedUser` or `Anonymous`, `aws:SourceVpc` begins with `vpc-`, `sagemaker:InstanceTypes` with `ml.`. \
        `StringEquals` and `StringLike` compare with case. A value that cannot be makes a Deny that never denies, or, with a \
        negated operator, one that denies all. It is an error where none of the values can be, and a warning where some cannot. \
        Sources: IAM user guide, \"AWS global condition context keys\"; Service Authorization Reference; the API reference \
        of the parameter that fills the key.",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalType": "Root"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateDomain", "Resource": "*", "Condition": {"StringNotEquals": {"sagemaker:AppNetworkAccessType": "VPCOnly"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": {"StringEquals": {"s3:x-amz-acl": ["public-read", "PublicReadWrite"]}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpce-0123456789abcdef0"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"aws:SecureTransport": "False"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringEqualsIgnoreCase": {"aws:PrincipalType": "account"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": {"StringLike": {"s3:x-amz-acl": "public-*"}}}"#,
        ),
    ],
};

/// Booleans as text: requests hold them in small letters.
static BOOLEAN: Row = Row { key: "", values: Values::Only(&["true", "false"]), meant: &[], page: "" };

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (statement, clause) in subject.clauses() {
        let how = match clause.operator.test {
            Test::StringEquals | Test::StringNotEquals => Comparison { ignore_case: false, wild: false },
            Test::StringEqualsIgnoreCase | Test::StringNotEqualsIgnoreCase => {
                Comparison { ignore_case: true, wild: false }
            }
            Test::StringLike | Test::StringNotLike => Comparison { ignore_case: false, wild: true },
            _ => continue,
        };
        let key = &*clause.key.text;
        let boolean = || services::key(key).is_some_and(|key| key.kind == ValueType::Bool);
        let Some(row) = values::of(key).or_else(|| boolean().then_some(&BOOLEAN)) else { continue };
        look(statement, clause, row, how, told);
    }
}

fn look(statement: &StatementAt<'_>, clause: &ClauseAt<'_>, row: &Row, how: Comparison, told: &mut Told) {
    let key = &*clause.key.text;
    let refused = |text: &str| {
        // A star where none is read has a rule of its own, and so have placeholders.
        let starred = !how.wild && text.contains('*');
        let plain = !text.contains("${") && !starred && template::find(text, true).is_none();
        if plain { row.refuses(text, how) } else { None }
    };
    let all = clause.values.iter().all(|word| refused(&word.text).is_some());
    let negated = clause.operator.test.negated();
    for word in &clause.values {
        let Some(meant) = refused(&word.text) else { continue };
        let effect = match (all, negated, statement.denies()) {
            (true, true, true) => {
                ", so the condition holds whatever the value, and the statement denies the right one as well".to_owned()
            }
            (true, true, false) => ", so the condition restricts nothing".to_owned(),
            (true, false, _) => format!(", so this statement never {}", statement.verb()),
            (false, true, true) => ", so nothing is exempt by it".to_owned(),
            (false, _, _) => String::new(),
        };
        let message = format!("no request has `{}` in `{key}`{effect}", word.text);
        let listed = row.listed();
        let list = || {
            let words: Vec<String> = listed.iter().take(8).map(|value| format!("`{value}`")).collect();
            let more = if listed.len() > words.len() { " …" } else { "" };
            format!("it is one of {}{more}", words.join(", "))
        };
        let help = match (meant, listed.is_empty()) {
            (Some(meant), true) => format!("write it like `{meant}`"),
            (Some(meant), false) => format!("did you mean `{meant}`? {}", list()),
            (None, false) => list(),
            (None, true) => format!("see {}", if row.page.is_empty() { "AWS's reference" } else { row.page }),
        };
        let severity = if all { Severity::Error } else { Severity::Warning };
        told.push(told.at(&word.spot, message).help(help).severity(severity));
    }
}
