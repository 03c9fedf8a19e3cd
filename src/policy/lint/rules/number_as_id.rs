//! Account ids that are written as numbers.

use crate::policy::flaw::{join_index, join_key};
use crate::policy::json::{Node, Value};
use crate::policy::lint::subject::{Spot, Subject};
use crate::policy::lint::{Fix, Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "number-as-id",
    severity: Severity::Warning,
    summary: "an account id that is written as a number",
    explanation: "An account id is a text of twelve digits. Readers of JSON and YAML may write the number `111122223333` as \
        `1.11122223333E11`, and the one that begins with 0 is no JSON, or loses its zero and is another account's or none. Put it in \
        quotes. Source: Organizations API reference, `AccountId`; RFC 8259, section 6.",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:ResourceAccount": 111122223333}}}"#,
        ),
        Sample::Whole("TAG_POLICY", r#"{"tags": {"account": {"tag_value": {"@@assign": [111122223333]}}}}"#),
    ],
    good: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:ResourceAccount": "111122223333"}, "DateGreaterThan": {"aws:EpochTime": 1798761599}}}"#,
    )],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    look(subject.node, "", told);
}

fn look(node: &Node, path: &str, told: &mut Told) {
    match &node.value {
        Value::Number(text) if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) => {
            let spot = Spot { place: node.place, path: path.to_owned(), key: false };
            let message = format!("`{text}` is a number, and an account id is text: other readers write it otherwise");
            let fix = Fix::string(format!("`{text}` is put in quotes"), node.place, text);
            told.push(told.at(&spot, message).help(format!("write `\"{text}\"`")).fix(fix));
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                look(item, &join_index(path, at), told);
            }
        }
        Value::Object(members) => {
            for member in members {
                look(&member.node, &join_key(path, &member.key), told);
            }
        }
        _ => {}
    }
}
