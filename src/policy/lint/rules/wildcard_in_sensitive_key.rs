//! Wildcards in values that name one account, organization or network.

use crate::policy::condition::Test;
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "wildcard-in-sensitive-key",
    severity: Severity::Warning,
    summary: "a wildcard in the id of an account, organization, VPC or endpoint",
    explanation: "Ids of accounts, organizations and networks are random: `o-abc*` or `1234*` matches those of others as well, who \
        can try until they have one. AWS names ten keys in which a wildcard has no valid use. Source: IAM user guide, \"AWS \
        global condition context keys\", sensitive condition keys.",
    check,
    bad: &[Sample::Resource(
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", "Condition": {"StringLike": {"aws:PrincipalOrgID": "o-abc*"}}}"#,
    )],
    good: &[Sample::Resource(
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}}"#,
    )],
};

const SENSITIVE: [&str; 10] = [
    "aws:PrincipalAccount",
    "aws:PrincipalOrgID",
    "aws:ResourceAccount",
    "aws:ResourceOrgID",
    "aws:SourceAccount",
    "aws:SourceOrgID",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:VpceAccount",
    "aws:VpceOrgID",
];

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (_, clause) in subject.clauses() {
        let like = matches!(clause.operator.test, Test::StringLike | Test::StringNotLike);
        if !like || !SENSITIVE.iter().any(|key| clause.is_of(key)) {
            continue;
        }
        for word in clause.values.iter().filter(|word| word.text.contains(['*', '?'])) {
            let message = format!("`{}` also matches ids that are not yours", word.text);
            told.push(told.at(&word.spot, message).help("write whole ids, with `StringEquals` or `StringNotEquals`"));
        }
    }
}
