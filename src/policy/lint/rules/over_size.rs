//! Documents that are larger than AWS takes.

use crate::policy::lint::subject::{Spot, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::statement::Language;

pub(super) const RULE: Rule = Rule {
    id: "over-size",
    severity: Severity::Error,
    summary: "a document larger than AWS takes",
    explanation: "AWS Organizations counts the characters as sent: 10,240 of an SCP, 5,120 of an RCP. bylaw sends documents \
        without white space, and counts them so. IAM counts without white space: 6,144 of a managed policy, 2,048 of a session \
        policy. Of resource policies the limit of S3 (20,480) is taken. Sources: Organizations user guide, \"Quotas\"; IAM user \
        guide, \"IAM and STS quotas\".",
    check,
    bad: &[],
    good: &[Sample::Scp(r#"{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}"#)],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    let (count, most) = (subject.document.characters(), subject.document.max_characters());
    // Types of the future are read as management policies, with the least quota known; AWS says whether it holds.
    if count <= most || (subject.language == Language::Management && !subject.kind().is_known()) {
        return;
    }
    let spot = Spot { place: subject.node.place, path: String::new(), key: false };
    let message = format!("the document has {count} characters without white space, and AWS takes {most}");
    told.push(told.at(&spot, message).help("split it in two, or merge statements that share their conditions"));
}
