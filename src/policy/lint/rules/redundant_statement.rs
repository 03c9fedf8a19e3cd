//! Statements that a wider one of the same document holds.

use std::collections::BTreeSet;

use crate::policy::lint::subject::{ClauseAt, StatementAt, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::pattern;

pub(super) const RULE: Rule = Rule {
    id: "redundant-statement",
    severity: Severity::Warning,
    summary: "a statement that another one of the document makes needless",
    explanation: "A statement whose actions, resources and conditions another of the same effect holds does nothing by itself. \
        Often a condition was meant that got lost: an Allow with a condition beside the same Allow without one allows always. \
        Source: Access Analyzer check \"Redundant statement\".",
    check,
    bad: &[Sample::Whole(
        "SERVICE_CONTROL_POLICY",
        r#"{"Version": "2012-10-17", "Statement": [
                {"Effect": "Deny", "Action": "s3:*", "Resource": "*"},
                {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*", "Condition": {"StringNotEquals": {"aws:PrincipalTag/admin": "yes"}}}]}"#,
    )],
    good: &[Sample::Whole(
        "SERVICE_CONTROL_POLICY",
        r#"{"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::a"},
                {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}]}"#,
    )],
};

/// Past that many statements only neighbours are compared.
const MOST: usize = 100;

fn check(subject: &Subject<'_>, told: &mut Told) {
    let looked: Vec<_> = subject.statements.iter().take(MOST).collect();
    for (at, narrow) in looked.iter().enumerate() {
        let wider = looked
            .iter()
            .enumerate()
            .find(|(other, wide)| *other != at && holds(wide, narrow) && (*other < at || !holds(narrow, wide)));
        if let Some((_, wide)) = wider {
            let message = format!("`{}` does all that this statement does", wide.spot.path);
            let help = "remove one of the two; if the condition of this one is what is meant, remove the other";
            told.push(told.at(&narrow.spot, message).help(help));
        }
    }
}

fn holds(wide: &StatementAt<'_>, narrow: &StatementAt<'_>) -> bool {
    let plain = |s: &StatementAt<'_>| !s.not_action && !s.not_resource && !s.not_principal;
    let actions =
        |s: &StatementAt<'_>| -> Vec<String> { s.actions.iter().map(|a| a.word.text.to_ascii_lowercase()).collect() };
    let resources =
        |s: &'_ StatementAt<'_>| -> Vec<String> { s.resources.iter().map(|w| w.text.to_string()).collect() };
    let within = |narrow: &[String], wide: &[String], holds: fn(&str, &str) -> bool| {
        narrow.iter().all(|n| wide.iter().any(|w| holds(w, n)))
    };
    plain(wide)
        && plain(narrow)
        && wide.effect == narrow.effect
        && within(&actions(narrow), &actions(wide), pattern::subsumes)
        && within(&resources(narrow), &resources(wide), pattern::subsumes_resource)
        && (wide.principals.is_empty() || same_principals(wide, narrow))
        && wide.clauses.iter().all(|clause| narrow.clauses.iter().any(|other| same(clause, other)))
}

fn same(one: &ClauseAt<'_>, other: &ClauseAt<'_>) -> bool {
    let values =
        |clause: &ClauseAt<'_>| -> BTreeSet<String> { clause.values.iter().map(|w| w.text.to_string()).collect() };
    one.operator == other.operator && one.is_of(&other.key.text) && values(one) == values(other)
}

fn same_principals(one: &StatementAt<'_>, other: &StatementAt<'_>) -> bool {
    let names = |s: &StatementAt<'_>| -> BTreeSet<(String, String)> {
        s.principals.iter().map(|(kind, word)| ((*kind).to_owned(), word.text.to_string())).collect()
    };
    names(one) == names(other)
}
