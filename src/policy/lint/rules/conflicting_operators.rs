//! Operators of a management policy that speak against each other.

use crate::policy::flaw::{join_index, join_key};
use crate::policy::json::{Node, Value};
use crate::policy::lint::subject::{Spot, Subject, member};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::management::CONTROL;
use crate::policy::statement::Language;

pub(super) const RULE: Rule = Rule {
    id: "conflicting-operators",
    severity: Severity::Warning,
    summary: "`@@assign` beside `@@append` or `@@remove` on the same value, or `@@all` or `@@none` beside others",
    explanation: "`@@assign` replaces what was inherited, `@@append` and `@@remove` change it. On one value of one policy only one \
        can be meant, and AWS documents no order of them. In the same way `@@all` and `@@none` stand alone in \
        `@@operators_allowed_for_child_policies`. Source: Organizations user guide, \"Inheritance operators\".",
    check,
    bad: &[
        Sample::Whole(
            "TAG_POLICY",
            r#"{"tags": {"team": {"tag_key": {"@@assign": "Team"}, "tag_value": {"@@assign": ["a"], "@@append": ["b"]}}}}"#,
        ),
        Sample::Whole(
            "S3_POLICY",
            r#"{"s3_attributes": {"@@operators_allowed_for_child_policies": ["@@none", "@@assign"]}}"#,
        ),
    ],
    good: &[Sample::Whole(
        "TAG_POLICY",
        r#"{"tags": {"team": {"tag_key": {"@@assign": "Team"}, "tag_value": {"@@append": ["b"], "@@remove": ["a"]}}}}"#,
    )],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    if subject.language == Language::Management {
        look(subject.node, "", told);
    }
}

fn look(node: &Node, path: &str, told: &mut Told) {
    let Value::Object(members) = &node.value else { return };
    for name in ["@@append", "@@remove"] {
        if let (Some(_), Some(other)) = (member(node, "@@assign"), member(node, name)) {
            let spot = Spot { place: other.place, path: join_key(path, name), key: true };
            let message = format!("`@@assign` replaces the whole value, and `{name}` beside it changes it");
            told.push(told.at(&spot, message).help("keep one of the two"));
        }
    }
    if let Some(control) = member(node, CONTROL)
        && let Value::Array(items) = &control.node.value
        && items.len() > 1
    {
        for (index, item) in items.iter().enumerate() {
            if let Value::String(alone) = &item.value
                && matches!(alone.as_str(), "@@all" | "@@none")
            {
                let path = join_index(&join_key(path, CONTROL), index);
                let message = format!("`{alone}` says everything, and beside it stand other operators");
                let spot = Spot { place: item.place, path, key: false };
                told.push(told.at(&spot, message).help("keep it alone, or name the operators"));
            }
        }
    }
    for member in members {
        look(&member.node, &join_key(path, &member.key), told);
    }
}
