//! Documents that are larger than AWS takes.

use crate::names::PolicyType;
use crate::policy::document::Content;
use crate::policy::flaw::Place;
use crate::policy::json::{self, Node};
use crate::policy::lint::subject::{Spot, Subject};
use crate::policy::lint::{Finding, Rule, Sample, Severity, Told};
use crate::policy::minify::{Names, characters, minify};
use crate::policy::statement::{Language, max_characters};

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

/// The same of a document that cannot be used, by its tree as far as it was read, so that mending it does not bring the next
/// refusal.
pub(in crate::policy::lint) fn of_unread(kind: &PolicyType, text: &str, node: Option<&Node>) -> Option<Finding> {
    let most = max_characters(kind);
    if Language::of(kind) == Language::Management && !kind.is_known() {
        return None;
    }
    // Where the tree was guessed, what of the text is no white space is sure to be sent.
    let solid = text.chars().filter(|letter| !letter.is_whitespace()).count();
    let written = node.map_or(0, |node| {
        let mut out = String::new();
        json::write(&mut out, &node.value);
        out.chars().count()
    });
    let count = solid.max(written);
    if count <= most {
        return None;
    }
    let told = Told { rule: RULE.id, severity: RULE.severity, found: vec![], more: 0 };
    let place = node.map_or(Place { line: 1, column: 1 }, |node| node.place);
    let spot = Spot { place, path: String::new(), key: false };
    let message = format!("the document has at least {count} characters without white space, and AWS takes {most}");
    Some(told.at(&spot, message).help("split it in two, beside mending what else is wrong"))
}
