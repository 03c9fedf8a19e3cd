//! Documents that are larger than AWS takes.

use crate::policy::document::Content;
use crate::policy::lint::subject::{Spot, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::minify::{Names, characters, minify};
use crate::policy::statement::Language;

pub(super) const RULE: Rule = Rule {
    id: "over-size",
    severity: Severity::Error,
    summary: "a document larger than AWS takes",
    explanation: "AWS Organizations counts the characters as sent: 10,240 of an SCP, 5,120 of an RCP. bylaw sends documents \
        without white space, and counts them so. IAM counts without white space: 6,144 of a managed policy, 2,048 of a session \
        policy. Of resource policies the limit of S3 (20,480) is taken; that of VPC endpoints is the same, white space \
        counted. Sources: Organizations user guide, \"Quotas\"; IAM user guide, \"IAM and STS quotas\"; AWS PrivateLink guide, \
        \"Quotas\".",
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
    let small = match subject.document.content() {
        Content::Statements(policy) => characters(&minify(policy, Names::Kept)),
        Content::Management(_) => count,
    };
    let help = if small <= most {
        format!("`bylaw lint --minify` prints it with {small} characters and the same meaning")
    } else {
        format!("split it in two: as small as it gets with the same meaning it has {small}")
    };
    told.push(told.at(&spot, message).help(help));
}
