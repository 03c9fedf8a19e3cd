//! Tags whose key in the policy is another than the key of the tag.

use super::tag_policy::tags;
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Fix, Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "tag-key-mismatch",
    severity: Severity::Error,
    summary: "a tag policy whose key is not its `tag_key`",
    explanation: "The key under `tags` has to be the `tag_key`, but for the case of letters: `tag_key` says how it is spelled. \
        AWS refuses others. Source: Organizations user guide, \"Tag policy syntax\".",
    check,
    bad: &[Sample::Whole("TAG_POLICY", r#"{"tags": {"costcentre": {"tag_key": {"@@assign": "CostCenter"}}}}"#)],
    good: &[Sample::Whole("TAG_POLICY", r#"{"tags": {"costcenter": {"tag_key": {"@@assign": "CostCenter"}}}}"#)],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    let all = tags(subject);
    for tag in &all {
        for (key, spot) in tag.values("tag_key") {
            if key.to_lowercase() != tag.member.key.to_lowercase() {
                let own = &tag.member.key;
                let message = format!("`{key}` is another key than `{own}`, under which it stands");
                let help = format!("write `{}` instead of `{own}`", key.to_lowercase());
                let mut finding = told.at(&spot, message).help(help);
                if !all.iter().any(|other| other.member.key.to_lowercase() == key.to_lowercase()) {
                    let what = format!("`{own}` becomes `{}`", key.to_lowercase());
                    finding = finding.fix(Fix::string(what, tag.member.place, &key.to_lowercase()));
                }
                told.push(finding);
            }
        }
    }
}
