//! Region locks that lock global services out.

use super::some_of;
use crate::policy::lint::subject::{StatementAt, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::pattern;

pub(super) const RULE: Rule = Rule {
    id: "region-lock-without-global",
    severity: Severity::Warning,
    summary: "a Region lock that also denies services which answer in one Region only",
    explanation: "IAM, Organizations, CloudFront, Route 53, Support and some others have one endpoint, and their requests carry \
        `aws:RequestedRegion: us-east-1`. A Deny of all other Regions denies them as well, unless `us-east-1` is allowed or they \
        stand in `NotAction`. Source: Organizations user guide, example \"Deny access to AWS based on the requested Region\".",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-central-1", "eu-west-1"]}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "NotAction": ["organizations:*", "support:*"], "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-central-1"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "NotAction": ["iam:*", "organizations:*", "sts:*", "route53:*", "cloudfront:*", "support:*"], "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-central-1"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotLike": {"aws:RequestedRegion": ["eu-central-1", "us-*"]}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-central-1"}}}"#,
        ),
    ],
};

/// An action of each service that every account needs and that answers in us-east-1 alone.
const GLOBAL: [(&str, &str); 5] = [
    ("iam", "iam:GetRole"),
    ("organizations", "organizations:DescribeOrganization"),
    ("cloudfront", "cloudfront:GetDistribution"),
    ("route53", "route53:GetHostedZone"),
    ("support", "support:CreateCase"),
];

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (statement, clause) in subject.clauses() {
        let negated = clause.operator.test.negated();
        let home = clause.values.iter().any(|word| {
            word.text.contains("${")
                || ["us-east-1", "us-gov-west-1", "cn-north-1"]
                    .iter()
                    .any(|home| pattern::matches(&word.text, home, false))
        });
        // What only binds calls from one network, say, locks nobody out.
        let narrowed = statement.clauses.iter().any(|other| other.demands_presence());
        if !statement.denies() || !negated || !clause.is_of("aws:RequestedRegion") || home || narrowed {
            continue;
        }
        let hit: Vec<&str> =
            GLOBAL.iter().filter(|(_, action)| binds(statement, action)).map(|(name, _)| *name).collect();
        // One global service by its own name is meant.
        if hit.is_empty() || (!statement.not_action && !statement.of_everything()) {
            continue;
        }
        let message =
            format!("{} answer in `us-east-1` alone, and are denied everywhere by this", some_of(hit.iter().copied()));
        let help = "write `NotAction` with what is global, or allow `us-east-1` as well";
        told.push(told.at(&statement.action_spot, message).help(help));
    }
}

fn binds(statement: &StatementAt<'_>, action: &str) -> bool {
    let named = statement
        .actions
        .iter()
        .any(|word| pattern::matches(&word.word.text, action, true) || names(&word.word.text, action));
    named != statement.not_action
}

/// Whether an exception names part of the service: whoever wrote it has thought of it.
fn names(pattern: &str, action: &str) -> bool {
    let prefix = |text: &str| text.split_once(':').map(|(prefix, _)| prefix.to_ascii_lowercase());
    prefix(pattern).is_some() && prefix(pattern) == prefix(action)
}
