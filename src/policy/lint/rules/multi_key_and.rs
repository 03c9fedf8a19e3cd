//! Denies that demand several things at once, of which one is enough to pass.

use super::key_not_on_action::service_of;
use super::{default_value_omission, some_of};
use crate::policy::condition::Test;
use crate::policy::lint::subject::{ClauseAt, StatementAt, Subject};
use crate::policy::lint::values::{self, Values};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services::{self, ValueType};

pub(super) const RULE: Rule = Rule {
    id: "multi-key-and",
    severity: Severity::Warning,
    summary: "a Deny of what fails several demands at once, where each was meant",
    explanation: "All clauses of a statement have to hold, whatever operators and blocks they stand in. A Deny with `StringNotEquals: \
        {aws:RequestTag/env: prod, aws:RequestTag/team: ml}` denies only what has neither: one right tag is enough to pass. The same \
        holds of two settings, `RootAccess` not `Disabled` and `DirectInternetAccess` not `Disabled`. To demand each, write a \
        statement for each. Keys of the caller are not looked at: there, any one of several exemptions is what is meant. Source: IAM user \
        guide, \"Conditions with multiple context keys or values\".",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:CreateVolume", "Resource": "arn:aws:ec2:*:*:volume/*", "Condition": {"StringNotEquals": {"aws:RequestTag/env": "prod", "aws:RequestTag/team": "ml"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:CreateVolume", "Resource": "arn:aws:ec2:*:*:volume/*", "Condition": {"Null": {"aws:RequestTag/env": "true"}, "StringNotLike": {"aws:RequestTag/team": "ml*"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateNotebookInstance", "Resource": "*", "Condition": {"StringNotEquals": {"sagemaker:RootAccess": "Disabled", "sagemaker:DirectInternetAccess": "Disabled"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:CreateVolume", "Resource": "arn:aws:ec2:*:*:volume/*", "Condition": {"StringNotEquals": {"aws:RequestTag/env": "prod"}, "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/a"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-abcdefghij", "aws:SourceVpc": "vpc-0123456789abcdef0"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:CreateVolume", "Resource": "arn:aws:ec2:*:*:volume/*", "Condition": {"StringNotEquals": {"aws:RequestTag/env": ["prod"]}, "StringNotLike": {"aws:RequestTag/env": "dev-*"}}}"#,
        ),
    ],
};

/// What the clauses of one such statement are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    RequestTag,
    ResourceTag,
    Setting,
}

fn class(key: &str) -> Option<Class> {
    let lower = key.to_ascii_lowercase();
    if lower.starts_with("aws:requesttag/") {
        return Some(Class::RequestTag);
    }
    if lower.split_once(':').is_some_and(|(_, name)| name.starts_with("resourcetag/")) {
        return Some(Class::ResourceTag);
    }
    // Of what can be listed it is sure that it is a setting of what is made, and no way to name the caller or the resource.
    let listed = values::of(key).is_some_and(|row| matches!(row.values, Values::Only(_)));
    let boolean = || services::key(key).is_some_and(|key| key.kind == ValueType::Bool);
    (service_of(key).is_some() && (listed || boolean())).then_some(Class::Setting)
}

/// Whether a clause holds where what it demands is not met.
fn demands(clause: &ClauseAt<'_>, class: Class) -> bool {
    let negated = clause.operator.test.negated() && clause.when_absent();
    let nulled = clause.demands_absence() && class == Class::RequestTag;
    // `Bool: false` of a setting that is to be `true`, and a bad default.
    let bad = class == Class::Setting && default_value_omission::is_bad(clause);
    negated || nulled || bad
}

fn check(subject: &Subject<'_>, told: &mut Told) {
    for statement in subject.statements.iter().filter(|statement| statement.denies()) {
        for wanted in [Class::RequestTag, Class::ResourceTag, Class::Setting] {
            look(statement, wanted, told);
        }
    }
}

fn look(statement: &StatementAt<'_>, wanted: Class, told: &mut Told) {
    let mut found: Vec<&ClauseAt<'_>> = vec![];
    for clause in &statement.clauses {
        let demanded = statement
            .clauses
            .iter()
            .any(|other| other.is_of(&clause.key.text) && other.demands_presence() && !std::ptr::eq(other, clause));
        if class(&clause.key.text) == Some(wanted)
            && demands(clause, wanted)
            && !demanded
            && !found.iter().any(|other| other.is_of(&clause.key.text))
        {
            found.push(clause);
        }
    }
    // Several tags that are all missing have a rule of their own.
    let all_null = found.iter().all(|clause| clause.operator.test == Test::Null);
    let Some(second) = found.get(1).filter(|_| !all_null) else { return };
    let names = some_of(found.iter().map(|clause| &*clause.key.text));
    let message = format!("denied is only what fails all of {names}: one of them is enough to pass");
    let thing = if wanted == Class::Setting { "setting" } else { "tag" };
    told.push(told.at(&second.key.spot, message).help(format!("write a statement for each {thing}")));
}
