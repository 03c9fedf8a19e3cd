//! Wildcards where AWS reads a star.

use crate::policy::condition::{Operator, Test};
use crate::policy::lint::subject::{StatementAt, Subject};
use crate::policy::lint::{Edit, Fix, Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "wildcard-in-equals",
    severity: Severity::Warning,
    summary: "`*` in a value of an operator that takes it for a star",
    explanation: "`StringEquals` and `StringNotEquals` compare letter by letter: `StringEquals: arn:aws:iam::*:role/admin` matches \
        no role, and `StringNotEquals` exempts none. `StringLike` and `StringNotLike` read `*` and `?` as wildcards, and so do \
        all ARN operators. Source: IAM user guide, \"Condition operators\".",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "iam:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "arn:aws:ec2:*:*:instance/*", "Condition": {"StringEqualsIgnoreCase": {"ec2:InstanceType": "p5.*"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "iam:*", "Resource": "*", "Condition": {"StringNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "iam:*", "Resource": "*", "Condition": {"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin"}}}"#,
        ),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (statement, clause) in subject.clauses() {
        let like = match clause.operator.test {
            Test::StringEquals => Some(Test::StringLike),
            Test::StringNotEquals => Some(Test::StringNotLike),
            Test::StringEqualsIgnoreCase | Test::StringNotEqualsIgnoreCase => None,
            _ => continue,
        };
        // `${*}` is how a star is written where it is meant as one.
        let starred = |text: &str| text.replace("${*}", "").contains('*');
        let Some(word) = clause.values.iter().find(|word| starred(&word.text)) else { continue };
        let outcome = match (clause.operator.test.negated(), statement.denies()) {
            (true, true) => "nobody is exempt by it",
            (true, false) => "it excludes nothing",
            (false, true) => "it denies nothing",
            (false, false) => "it allows nothing",
        };
        let message = format!("`*` is a plain star in `{}`: {outcome}", clause.block.text);
        let mut finding = told.at(&word.spot, message);
        if let Some(like) = like {
            let name = Operator { test: like, ..clause.operator }.to_string();
            finding = finding.help(format!("write `{name}`"));
            if renames(statement, &clause.block.text, &name) {
                let what = format!("`{}` becomes `{name}`", clause.block.text);
                let edits = vec![Edit::Scalar { at: clause.block.spot.place, text: format!("\"{name}\"") }];
                finding = finding.fix(Fix { what, edits });
            }
        }
        told.push(finding);
    }
}

/// Whether the block can be renamed: no other has the name, and no value beside the starred ones would change its meaning.
fn renames(statement: &StatementAt<'_>, block: &str, name: &str) -> bool {
    let taken = statement.clauses.iter().any(|other| other.block.text.eq_ignore_ascii_case(name));
    let mine = statement.clauses.iter().filter(|other| other.block.text == block);
    !taken && mine.flat_map(|clause| &clause.values).all(|word| !word.text.contains('?'))
}
