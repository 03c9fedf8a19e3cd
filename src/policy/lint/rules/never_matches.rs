//! Clauses of a statement that exclude each other.

use crate::policy::condition::{Family, Quantifier, Test};
use crate::policy::lint::subject::{ClauseAt, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::pattern;
use crate::policy::services;

pub(super) const RULE: Rule = Rule {
    id: "never-matches",
    severity: Severity::Error,
    summary: "conditions of a statement that cannot hold at once",
    explanation: "All clauses of a statement have to hold for one request. `Null: {K: true}` and a positive operator on `K`, \
        `StringEquals` with two values in two blocks, a number below 3 and above 5: such a statement does nothing. Often two \
        statements were meant. Source: IAM user guide, \"Conditions with multiple context keys or values\".",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:CreateVolume", "Resource": "arn:aws:ec2:*:*:volume/*", "Condition": {"Null": {"aws:RequestTag/team": "true"}, "StringEquals": {"aws:RequestTag/team": "a"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}, "StringLike": {"aws:RequestedRegion": "eu-*"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}, "StringNotEquals": {"aws:RequestedRegion": ["us-east-1", "us-east-2"]}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}, "DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:CreateVolume", "Resource": "arn:aws:ec2:*:*:volume/*", "Condition": {"Null": {"aws:RequestTag/team": "false"}, "StringNotEquals": {"aws:RequestTag/team": "a"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}, "StringNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/a"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}, "DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:CreateVolume", "Resource": "*", "Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}, "ForAnyValue:StringLike": {"aws:TagKeys": "b*"}}}"#,
        ),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    for statement in &subject.statements {
        let pairs = statement.clauses.iter().enumerate().flat_map(|(at, one)| {
            statement
                .clauses
                .iter()
                .skip(at + 1)
                .filter(|other| other.is_of(&one.key.text))
                .map(move |other| (one, other))
        });
        for (one, other) in pairs {
            if let Some(why) = exclude(one, other).or_else(|| exclude(other, one)) {
                let message = format!("this statement never {}: {why}", statement.verb());
                told.push(
                    told.at(&other.key.spot, message).help("one of the two is to go, or in a statement of its own"),
                );
            }
        }
    }
}

fn exclude(one: &ClauseAt<'_>, other: &ClauseAt<'_>) -> Option<String> {
    let key = &one.key.text;
    if one.demands_absence() && other.demands_presence() {
        return Some(format!("`Null` demands that `{key}` is absent, and `{}` that it is there", other.block.text));
    }
    // Of many values, one can match here and another there.
    let single = |clause: &ClauseAt<'_>| clause.operator.quantifier.is_none() && !clause.operator.if_exists;
    let many =
        services::key(key).is_some_and(|key| key.many) || one.operator.quantifier == Some(Quantifier::ForAnyValue);
    if many || !single(one) || !single(other) {
        return None;
    }
    let plain = |clause: &ClauseAt<'_>| clause.values.iter().all(|word| !word.text.contains("${"));
    let both = || format!("no value of `{key}` is right for `{}` and for `{}`", one.block.text, other.block.text);
    let (a, b) = (one.operator.test, other.operator.test);
    let text = |test: Test| matches!(test.family(), Family::Text | Family::Arn);
    if text(a) && text(b) && plain(one) && plain(other) {
        // An ARN operator reads wildcards, whatever its name.
        let wild = |test: Test| matches!(test, Test::StringLike | Test::StringNotLike) || test.family() == Family::Arn;
        let shared = |x: &str, y: &str| match (wild(a), wild(b)) {
            (false, false) => x.eq_ignore_ascii_case(y),
            (true, false) => pattern::matches(x, y, true),
            (false, true) => pattern::matches(y, x, true),
            (true, true) => pattern::intersect(x, y),
        };
        let meets = |x: &str| other.values.iter().any(|y| shared(x, &y.text));
        return match (a.negated(), b.negated()) {
            (false, false) => (!one.values.iter().any(|x| meets(&x.text))).then(both),
            (false, true) if !wild(a) => {
                let hit = |x: &str| {
                    other
                        .values
                        .iter()
                        .any(|y| if wild(b) { pattern::matches(&y.text, x, false) } else { *x == *y.text })
                };
                one.values.iter().all(|x| hit(&x.text)).then(both)
            }
            _ => None,
        };
    }
    (apart(one, other)).then(both)
}

/// Whether one has to be above what the other has to be below.
fn apart(above: &ClauseAt<'_>, below: &ClauseAt<'_>) -> bool {
    let (a, b) = (above.operator.test, below.operator.test);
    match (a, b) {
        (
            Test::NumericGreaterThan | Test::NumericGreaterThanEquals,
            Test::NumericLessThan | Test::NumericLessThanEquals,
        ) => {
            let numbers = |clause: &ClauseAt<'_>| {
                clause.values.iter().map(|w| w.text.parse::<f64>().ok()).collect::<Option<Vec<_>>>()
            };
            let (Some(low), Some(high)) = (numbers(above), numbers(below)) else { return false };
            low.iter().all(|low| high.iter().all(|high| low > high))
        }
        (Test::DateGreaterThan | Test::DateGreaterThanEquals, Test::DateLessThan | Test::DateLessThanEquals) => {
            // Only times of one form and zone compare as text.
            let comparable = |text: &str| text.len() == 20 && text.ends_with('Z');
            let all = above.values.iter().chain(&below.values).all(|word| comparable(&word.text));
            all && above.values.iter().all(|low| below.values.iter().all(|high| low.text > high.text))
        }
        _ => false,
    }
}
