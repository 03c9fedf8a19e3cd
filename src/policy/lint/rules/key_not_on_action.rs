//! Condition keys that the statement's actions never carry.

use super::deprecated_key::successor;
use super::{some_of, some_of_actions};
use crate::policy::call;
use crate::policy::lint::subject::{ActionWord, ClauseAt, Reach, StatementAt, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services::{self, Action, Service};

pub(super) const RULE: Rule = Rule {
    id: "key-not-on-action",
    severity: Severity::Warning,
    summary: "a condition on a key that the action never carries",
    explanation: "Each action carries only the keys that its row in AWS's reference lists, besides those of every service. A \
        positive operator on an absent key is false, so a Deny never denies; a negated operator, `Null: true`, `ForAllValues` \
        and `…IfExists` are true, so a Deny denies every call. `sagemaker:InstanceTypes` is carried by CreateEndpointConfig and \
        not by CreateEndpoint: a Deny of CreateEndpoint by instance type does nothing. It is an error where the whole statement \
        is dead or denies everything, and a warning where some of its actions are. Source: Service Authorization Reference; IAM \
        user guide, \"Condition operators\".",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateEndpoint", "Resource": "*", "Condition": {"ForAnyValue:StringNotLike": {"sagemaker:InstanceTypes": "ml.t3.*"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": ["sagemaker:CreateTrainingJob", "sagemaker:CreateCompilationJob"], "Resource": "*", "Condition": {"Null": {"sagemaker:VpcSubnets": "true"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:*", "Resource": "*", "Condition": {"StringNotEquals": {"ec2:InstanceType": "t3.micro"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreatePresignedDomainUrl", "Resource": "*", "Condition": {"Null": {"aws:RequestTag/team": "true"}}}"#,
        ),
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "sagemaker:UpdateEndpoint", "Resource": "*", "Condition": {"Bool": {"sagemaker:NetworkIsolation": "true"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateEndpointConfig", "Resource": "*", "Condition": {"ForAnyValue:StringNotLike": {"sagemaker:InstanceTypes": "ml.t3.*"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:*", "Resource": "*", "Condition": {"StringEquals": {"ec2:InstanceType": "p5.48xlarge"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": ["sagemaker:Create*"], "Resource": "*", "Condition": {"ForAnyValue:StringNotLike": {"sagemaker:InstanceTypes": "ml.t3.*"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:ResourceTag/a": "b"}, "Null": {"aws:ResourceTag/a": "false"}}}"#,
        ),
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": "*", "Condition": {"StringEqualsIfExists": {"s3:x-amz-acl": "private"}}}"#,
        ),
    ],
};

/// The service of a key that only some actions carry and AWS documents on which; `None` where nothing can be said.
pub(super) fn service_of(key: &str) -> Option<&'static Service> {
    if services::GLOBAL.iter().any(|global| services::key_matches(global.name, key)) {
        return None;
    }
    let service = key.split_once(':').and_then(|(prefix, _)| services::service(prefix))?;
    let known = service.key(key)?;
    // Of keys without a place in the reference nothing is known, and those with a successor have a rule of their own.
    (service.is_whole() && known.attached && successor(service, known).is_none()).then_some(service)
}

/// Whether AWS's reference tells which actions carry the key.
pub(super) fn is_told(key: &str) -> bool {
    is_of_request_tags(key) || service_of(key).is_some()
}

/// Whether a key is of the tags that a request sends.
pub(super) fn is_of_request_tags(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    lower.starts_with("aws:requesttag/") || lower == "aws:tagkeys"
}

/// Whether no call of the action carries the key. The reference lists the tags of requests for resource types as well, whatever the
/// action: these are looked for on what the action is authorized on.
fn lacks(action: Action, key: &str) -> bool {
    !action.carries(key) || (is_of_request_tags(key) && call::legs(action).iter().all(|leg| leg.never_carries(key)))
}

/// What absent keys make of a statement for one action.
enum Fate<'a> {
    /// It never matches, since this clause never does.
    Dead(&'a ClauseAt<'a>),
    /// These clauses always hold.
    Vacuous(Vec<&'a ClauseAt<'a>>),
}

fn fate<'a>(statement: &'a StatementAt<'a>, told: &[bool], action: Action) -> Fate<'a> {
    let absent = || {
        let known = statement.clauses.iter().zip(told).filter(|(_, told)| **told).map(|(clause, _)| clause);
        known.filter(move |clause| action.service.is_whole() && lacks(action, &clause.key.text))
    };
    match absent().find(|clause| !clause.when_absent()) {
        Some(clause) => Fate::Dead(clause),
        None => Fate::Vacuous(absent().collect()),
    }
}

fn check(subject: &Subject<'_>, told: &mut Told) {
    for statement in subject.statements.iter().filter(|statement| !statement.not_action) {
        let known: Vec<bool> = statement.clauses.iter().map(|clause| is_told(&clause.key.text)).collect();
        if known.iter().any(|known| *known) {
            look(statement, &known, told);
        }
    }
}

fn look(statement: &StatementAt<'_>, known: &[bool], told: &mut Told) {
    let fates: Vec<(&ActionWord<'_>, Vec<(Action, Fate<'_>)>)> = statement
        .actions
        .iter()
        .map(|word| (word, word.actions().iter().map(|action| (*action, fate(statement, known, *action))).collect()))
        .collect();
    let everything = statement.actions.iter().any(|word| matches!(word.reach, Reach::Everything));
    for (clause, _) in statement.clauses.iter().zip(known).filter(|(_, known)| **known) {
        let same = |other: &ClauseAt<'_>| std::ptr::eq(other, clause);
        // A word is dead where all its actions are: `sagemaker:Create*` with a key of some of them is as it should be.
        let mut dead: Vec<&ActionWord<'_>> = vec![];
        let mut open: Vec<Action> = vec![];
        let mut words = 0;
        for (word, actions) in fates.iter().filter(|(_, actions)| !actions.is_empty()) {
            words += 1;
            if actions.iter().all(|(_, fate)| matches!(fate, Fate::Dead(by) if same(by))) {
                dead.push(word);
            }
            let vacuous = |fate: &Fate<'_>| matches!(fate, Fate::Vacuous(by) if by.iter().any(|by| same(by)));
            open.extend(actions.iter().filter(|(_, fate)| vacuous(fate)).map(|(action, _)| *action));
        }
        let all = fates.iter().map(|(_, actions)| actions.len()).sum::<usize>();
        tell_dead(statement, clause, &dead, words == dead.len() && !everything, told);
        tell_open(statement, clause, &open, open.len() == all && !everything, told);
    }
}

fn tell_dead(
    statement: &StatementAt<'_>,
    clause: &ClauseAt<'_>,
    dead: &[&ActionWord<'_>],
    whole: bool,
    told: &mut Told,
) {
    let Some(first) = dead.first() else { return };
    let (key, verb) = (&clause.key.text, statement.verb());
    let names = some_of(dead.iter().map(|word| &*word.word.text));
    let help = carriers(key);
    if whole {
        let message = format!("this statement never {verb}: `{key}` is absent from {names}");
        told.push(told.at(&clause.key.spot, message).help(help).severity(Severity::Error));
    } else {
        let message = format!("the statement never {verb} {names}: `{key}` is absent there, so the condition is false");
        told.push(told.at(&first.word.spot, message).help(help));
    }
}

fn tell_open(statement: &StatementAt<'_>, clause: &ClauseAt<'_>, open: &[Action], whole: bool, told: &mut Told) {
    // To let pass what does not carry the key is what `IfExists` in an Allow is written for.
    if open.is_empty() || (!statement.denies() && clause.operator.if_exists) {
        return;
    }
    let (key, names) = (&clause.key.text, some_of_actions(open));
    // Other clauses may still say which calls are denied.
    let limited = statement.clauses.iter().any(|other| !other.is_of(key));
    let message = match (statement.denies(), whole) {
        (true, _) if limited => {
            format!(
                "this part of the condition always holds for {names}: `{key}` is absent there, so the rest of it decides"
            )
        }
        (true, true) => {
            format!("this statement denies every call: `{key}` is absent from {names}, so the condition always holds")
        }
        (true, false) => {
            format!("the statement denies every call of {names}: `{key}` is absent there, so the condition holds")
        }
        (false, _) => format!("the condition does not restrict {names}: `{key}` is absent there"),
    };
    let severity = if whole && statement.denies() { Severity::Error } else { Severity::Warning };
    told.push(told.at(&clause.key.spot, message).help(carriers(key)).severity(severity));
}

fn carriers(key: &str) -> String {
    let Some(service) = service_of(key) else {
        return format!("leave out what does not carry `{key}`: a call that makes nothing passes no tags");
    };
    let actions: Vec<Action> = service.actions_with(key).collect();
    if actions.is_empty() {
        return "AWS's reference attaches the key to a resource type that no action names".to_owned();
    }
    format!("`{key}` is carried by {}", some_of_actions(&actions))
}
