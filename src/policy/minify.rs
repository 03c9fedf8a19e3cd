//! The smallest document that means the same: what counts against AWS's quotas.
//!
//! Nothing is shortened to a wildcard, since that could match an action of tomorrow, and no condition is touched. What is
//! done: a value that another of its list covers is dropped, statements that differ in one list alone become one, and a
//! statement that another covers is dropped. Names (Sids) are kept where `names` says so; a merged statement has the first.

use super::canonical::{self, drop_repetitions, fold};
use super::pattern::{subsumes_in_any_case, subsumes_resource};
use super::statement::{Policy, Scope, Statement};

/// Whether statements keep their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// As they are: people find statements by them, and AWS names them in some errors.
    Kept,
    /// Dropped: they count against the quota.
    Dropped,
}

/// The document with as few characters as this room can give it, and the same meaning.
#[must_use]
pub fn minify(policy: &Policy, names: Names) -> Policy {
    let mut policy = policy.clone();
    if names == Names::Dropped {
        policy.statements.iter_mut().for_each(|statement| statement.sid = None);
    }
    for statement in &mut policy.statements {
        statement.action = lean(&statement.action, covers_action);
        statement.resource = lean(&statement.resource, subsumes_resource);
    }
    drop_repetitions(&mut policy);
    // Each merge can make another possible, and every one makes the document smaller.
    while let Some((first, second, merged)) = next_merge(&policy.statements) {
        policy.statements.remove(second);
        if let Some(place) = policy.statements.get_mut(first) {
            *place = merged;
        }
    }
    policy
}

/// Actions are compared without case.
fn covers_action(wide: &str, narrow: &str) -> bool {
    subsumes_in_any_case(wide, narrow)
}

/// Characters of a document as AWS counts them.
#[must_use]
pub fn characters(policy: &Policy) -> usize {
    canonical::text(policy).chars().count()
}

/// The list without what another value of it covers.
fn lean(scope: &Scope<Vec<String>>, covers: impl Fn(&str, &str) -> bool) -> Scope<Vec<String>> {
    scope.map(|values| {
        let covered = |(at, value): (usize, &String)| {
            values.iter().enumerate().any(|(other_at, other)| {
                // Of two that cover each other the first stays.
                other_at != at && covers(other, value) && (!covers(value, other) || other_at < at)
            })
        };
        values.iter().enumerate().filter(|it| !covered(*it)).map(|(_, value)| value.clone()).collect()
    })
}

/// Two statements that can be one, by their indexes, and that one.
fn next_merge(statements: &[Statement]) -> Option<(usize, usize, Statement)> {
    statements.iter().enumerate().find_map(|(first, one)| {
        let rest = statements.iter().enumerate().skip(first + 1);
        rest.into_iter().find_map(|(second, other)| Some((first, second, merged(one, other)?)))
    })
}

/// The one statement that says what both say. `None` where there is none, or where it would be longer.
fn merged(one: &Statement, other: &Statement) -> Option<Statement> {
    let (plain, plain_other) = (fold(one), fold(other));
    let same = plain.effect == plain_other.effect
        && plain.principal == plain_other.principal
        && plain.condition == plain_other.condition;
    if !same {
        return None;
    }
    let joined = match (plain.action == plain_other.action, plain.resource == plain_other.resource) {
        (true, true) => one.clone(),
        (false, true) => Statement { action: union(&one.action, &other.action, covers_action)?, ..one.clone() },
        (true, false) => {
            Statement { resource: union(&one.resource, &other.resource, subsumes_resource)?, ..one.clone() }
        }
        (false, false) => covering(one, other)?.clone(),
    };
    Some(Statement { sid: one.sid.clone().or_else(|| other.sid.clone()), ..joined })
}

/// What either names. Of what is left out (`NotAction`) that is what both leave out, which only a list that is part of the
/// other tells for sure.
fn union(
    one: &Scope<Vec<String>>,
    other: &Scope<Vec<String>>,
    covers: impl Fn(&str, &str) -> bool,
) -> Option<Scope<Vec<String>>> {
    match (one, other) {
        (Scope::Only(one), Scope::Only(other)) => {
            Some(lean(&Scope::Only(one.iter().chain(other).cloned().collect()), covers))
        }
        (Scope::AllBut(less), Scope::AllBut(more)) | (Scope::AllBut(more), Scope::AllBut(less))
            if less.iter().all(|value| more.contains(value)) =>
        {
            Some(Scope::AllBut(less.clone()))
        }
        _ => None,
    }
}

/// The one of two statements that says all that the other says.
fn covering<'a>(one: &'a Statement, other: &'a Statement) -> Option<&'a Statement> {
    let all =
        |wide: &Scope<Vec<String>>, narrow: &Scope<Vec<String>>, covers: fn(&str, &str) -> bool| match (wide, narrow) {
            (Scope::Only(wide), Scope::Only(narrow)) => {
                narrow.iter().all(|narrow| wide.iter().any(|wide| covers(wide, narrow)))
            }
            _ => wide == narrow,
        };
    let covers = |wide: &'a Statement, narrow: &'a Statement| {
        (all(&wide.action, &narrow.action, covers_action) && all(&wide.resource, &narrow.resource, subsumes_resource))
            .then_some(wide)
    };
    covers(one, other).or_else(|| covers(other, one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::PolicyType;
    use crate::policy::Document;
    use crate::policy::document::Content;

    fn smallest(statements: &str) -> String {
        let text = format!("{{\"Version\":\"2012-10-17\",\"Statement\":[{statements}]}}");
        let (document, _) = Document::parse(&PolicyType::scp(), &text).unwrap();
        let Content::Statements(policy) = document.content() else { panic!("{text}") };
        let small = minify(policy, Names::Dropped);
        assert!(characters(&small) <= document.characters());
        assert_eq!(minify(&small, Names::Dropped), small, "it gets no smaller");
        canonical::text(&small).replace("{\"Version\":\"2012-10-17\",\"Statement\":[", "").replace("]}", "")
    }

    #[test]
    fn values_that_others_cover_are_dropped_and_nothing_is_widened() {
        assert_eq!(
            smallest(
                r#"{"Sid":"A","Effect":"Deny","Action":["s3:GetObject","S3:Get*","ec2:Run*"],"Resource":["arn:aws:s3:::b/*","arn:aws:s3:::b/x"]}"#
            ),
            r#"{"Effect":"Deny","Action":["S3:Get*","ec2:Run*"],"Resource":"arn:aws:s3:::b/*"}"#.replace("]}", "")
        );
        assert_eq!(
            smallest(r#"{"Effect":"Deny","NotAction":["iam:*","iam:GetRole"],"Resource":"*"}"#),
            r#"{"Effect":"Deny","NotAction":"iam:*","Resource":"*"}"#
        );
    }

    #[test]
    fn statements_that_differ_in_one_list_become_one() {
        let one = r#"{"Effect":"Deny","Action":"s3:A","Resource":"*","Condition":{"Bool":{"aws:X":"true"}}}"#;
        let two = one.replace("s3:A", "s3:B");
        assert_eq!(
            smallest(&format!("{one},{two},{}", one.replace("aws:X", "AWS:x"))),
            r#"{"Effect":"Deny","Action":["s3:A","s3:B"],"Resource":"*","Condition":{"Bool":{"aws:X":"true"}}}"#
        );
        // Another condition is another statement.
        let other = two.replace("true", "false");
        assert_eq!(smallest(&format!("{one},{other}")), format!("{one},{other}"));
        // Two lists at once are no union: s3:A on a and s3:B on b is less than both on both.
        let apart = r#"{"Effect":"Deny","Action":"s3:A","Resource":"arn:aws:s3:::a"},{"Effect":"Deny","Action":"s3:B","Resource":"arn:aws:s3:::b"}"#;
        assert_eq!(smallest(apart), apart);
    }

    #[test]
    fn a_statement_that_another_covers_is_dropped() {
        assert_eq!(
            smallest(
                r#"{"Effect":"Deny","Action":"s3:Get*","Resource":"arn:aws:s3:::a"},{"Effect":"Deny","Action":"s3:*","Resource":"*"}"#
            ),
            r#"{"Effect":"Deny","Action":"s3:*","Resource":"*"}"#
        );
        // Who leaves out less says more.
        assert_eq!(
            smallest(
                r#"{"Effect":"Deny","NotAction":["a:*","b:*"],"Resource":"*"},{"Effect":"Deny","NotAction":"a:*","Resource":"*"}"#
            ),
            r#"{"Effect":"Deny","NotAction":"a:*","Resource":"*"}"#
        );
    }
}
