//! `@@append` and `@@remove` on what is no list.

use super::tell_settings;
use crate::policy::lint::settings::Kind;
use crate::policy::lint::{Rule, Sample, Severity};

pub(super) const RULE: Rule = Rule {
    id: "operator-on-single-value",
    severity: Severity::Error,
    summary: "`@@append` or `@@remove` on a setting that has one value",
    explanation: "`@@append` adds to an inherited list and `@@remove` takes from it; AWS takes them on settings that are lists \
        only. A setting of one value is replaced by `@@assign`. Source: Organizations user guide, \"Inheritance operators\".",
    check: |subject, told| tell_settings(subject, told, Kind::Operator),
    bad: &[
        Sample::Whole("TAG_POLICY", r#"{"tags": {"team": {"tag_key": {"@@append": ["Team"]}}}}"#),
        Sample::Whole(
            "AISERVICES_OPT_OUT_POLICY",
            r#"{"services": {"lex": {"opt_out_policy": {"@@remove": ["optIn"]}}}}"#,
        ),
    ],
    good: &[Sample::Whole(
        "TAG_POLICY",
        r#"{"tags": {"team": {"tag_key": {"@@assign": "Team"}, "tag_value": {"@@append": ["a"], "@@remove": ["b"]}}}}"#,
    )],
};
