//! Tags of one policy whose keys differ in case alone.

use super::tag_policy::tags;
use crate::policy::lint::subject::{Spot, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "tag-key-case",
    severity: Severity::Warning,
    summary: "two tags of a tag policy whose keys differ in case alone",
    explanation: "The key under `tags` names the tag without regard to case, so `CostCenter` and `costcenter` are one tag that is \
        ruled twice, and AWS documents no order of the two. Which spelling is right says `tag_key`. `bylaw validate` finds the \
        same between policies that are attached to one node, or to nodes above each other. Source: Organizations user guide, \"Tag policy syntax\".",
    check,
    bad: &[Sample::Whole(
        "TAG_POLICY",
        r#"{"tags": {"CostCenter": {"tag_key": {"@@assign": "CostCenter"}}, "costcenter": {"tag_value": {"@@assign": ["1"]}}}}"#,
    )],
    good: &[Sample::Whole(
        "TAG_POLICY",
        r#"{"tags": {"costcenter": {"tag_key": {"@@assign": "CostCenter"}}, "team": {"tag_value": {"@@assign": ["1"]}}}}"#,
    )],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    let all = tags(subject);
    for (at, tag) in all.iter().enumerate() {
        let key = &tag.member.key;
        if let Some(first) = all.iter().take(at).find(|other| other.member.key.to_lowercase() == key.to_lowercase()) {
            let path = crate::policy::flaw::join_key("tags", key);
            let spot = Spot { place: tag.member.place, path, key: true };
            let message =
                format!("`{key}` and `{}` are the same tag: case does not count in this place", first.member.key);
            told.push(told.at(&spot, message).help("keep one of the two, and say the spelling in its `tag_key`"));
        }
    }
}
