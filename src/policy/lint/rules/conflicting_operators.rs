//! Operators of a management policy that speak against each other.

use crate::policy::flaw::join_key;
use crate::policy::json::{Node, Value};
use crate::policy::lint::subject::{Spot, Subject, member};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::statement::Language;

pub(super) const RULE: Rule = Rule {
    id: "conflicting-operators",
    severity: Severity::Warning,
    summary: "`@@assign` beside `@@append` or `@@remove` on the same value",
    explanation: "`@@assign` replaces what was inherited, `@@append` and `@@remove` change it. On one value of one policy only one \
        can be meant, and AWS documents no order of them. Source: Organizations user guide, \"Inheritance operators\".",
    check,
    bad: &[Sample::Whole(
        "TAG_POLICY",
        r#"{"tags": {"team": {"tag_key": {"@@assign": "Team"}, "tag_value": {"@@assign": ["a"], "@@append": ["b"]}}}}"#,
    )],
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
    for member in members {
        look(&member.node, &join_key(path, &member.key), told);
    }
}
