//! Groups where AWS knows only users and roles.

use crate::policy::lint::subject::{Subject, Word};
use crate::policy::lint::{Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "group-principal",
    severity: Severity::Error,
    summary: "a group's ARN as principal, which never matches",
    explanation: "A group makes no requests: `aws:PrincipalArn` holds the ARN of a user, a role, a federated user or the root \
        user, and `Principal` takes no group. A Deny that exempts a group exempts nobody. Name the users, or a tag of theirs \
        (`aws:PrincipalTag`), or a role. Source: IAM user guide, \"AWS JSON policy elements: Principal\" and \"aws:PrincipalArn\".",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "iam:*", "Resource": "*", "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:group/Admins"}}}"#,
        ),
        Sample::Resource(
            r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:group/Admins"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}"#,
        ),
    ],
    good: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": "iam:DeleteGroup", "Resource": "arn:aws:iam::*:group/Admins", "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/Admins"}}}"#,
    )],
};

fn is_group(word: &Word<'_>) -> bool {
    word.text.splitn(6, ':').nth(5).is_some_and(|resource| resource.starts_with("group/"))
}

fn check(subject: &Subject<'_>, told: &mut Told) {
    let help = "name users or roles, or test a tag of theirs with `aws:PrincipalTag/…`";
    for statement in &subject.statements {
        let by_key = statement.clauses.iter().filter(|clause| clause.is_of("aws:PrincipalArn")).flat_map(|c| &c.values);
        let by_name = statement.principals.iter().map(|(_, word)| word);
        for word in by_key.chain(by_name).filter(|word| is_group(word)) {
            let message = format!("`{}` never matches: a group makes no requests", word.text);
            told.push(told.at(&word.spot, message).help(help));
        }
    }
}
