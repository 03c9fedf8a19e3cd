//! Values of tags with more wildcards than AWS takes.

use super::tag_policy::tags;
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "tag-value-wildcard",
    severity: Severity::Error,
    summary: "more than one `*` in a value of a tag policy",
    explanation: "A value of a tag policy may hold one `*`. Source: Organizations user guide, \"Tag policy syntax\".",
    check,
    bad: &[Sample::Whole("TAG_POLICY", r#"{"tags": {"team": {"tag_value": {"@@assign": ["a*b*"]}}}}"#)],
    good: &[Sample::Whole("TAG_POLICY", r#"{"tags": {"team": {"tag_value": {"@@assign": ["a*", "*b"]}}}}"#)],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    for tag in tags(subject) {
        for (value, spot) in tag.values("tag_value") {
            if value.matches('*').count() > 1 {
                let message = format!("`{value}` has more than one `*`, and AWS takes one in a value");
                told.push(told.at(&spot, message).help("list the values, or shorten the pattern"));
            }
        }
    }
}
