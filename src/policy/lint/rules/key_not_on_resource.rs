//! Condition keys that only one of an action's resources carries, in a Deny on all of them.

use super::key_not_on_action::service_of;
use super::some_of;
use crate::policy::condition::Test;
use crate::policy::lint::subject::{ClauseAt, StatementAt, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services::{self, Action};

pub(super) const RULE: Rule = Rule {
    id: "key-not-on-resource",
    severity: Severity::Error,
    summary: "a negated condition on a key that only some of the action's resources carry",
    explanation: "A call such as `ec2:RunInstances` is authorized once for each resource that it makes or uses: instance, volume, \
        network interface, subnet, image. `ec2:InstanceType` is carried for the instance alone. With `Resource: \"*\"` and a \
        negated operator, the condition holds for all the others, and every call is denied. Name the resource that carries the \
        key. Source: EC2 user guide, \"Example policies\"; Service Authorization Reference.",
    check,
    bad: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*", "Condition": {"StringNotEquals": {"ec2:InstanceType": "t3.micro"}}}"#,
    )],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "arn:aws:ec2:*:*:instance/*", "Condition": {"StringNotEquals": {"ec2:InstanceType": "t3.micro"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*", "Condition": {"StringEquals": {"ec2:InstanceType": "p5.48xlarge"}}}"#,
        ),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    let statements = subject.statements.iter().filter(|s| s.denies() && !s.not_action && s.on_everything());
    for statement in statements {
        for clause in statement.clauses.iter().filter(|clause| concerns(statement, clause)) {
            let key = &*clause.key.text;
            let exact = statement.actions.iter().filter(|word| word.is_exact()).flat_map(|word| word.actions());
            for action in exact {
                let without = without(statement, *action, key);
                if let Some(with) = carrier(*action, key)
                    && !without.is_empty()
                {
                    let message = format!(
                        "this statement denies every `{action}`: it is also authorized on {}, where `{key}` is absent and \
                         the condition holds",
                        some_of(without.iter().copied())
                    );
                    let help = format!("write `\"Resource\": \"{}\"`", services::sample_arn(with));
                    told.push(told.at(&clause.key.spot, message).help(help));
                }
            }
        }
    }
}

/// Whether absence of the key makes the clause hold, and no other clause demands the key.
fn concerns(statement: &StatementAt<'_>, clause: &ClauseAt<'_>) -> bool {
    let key = &clause.key.text;
    clause.when_absent()
        && clause.operator.test != Test::Null
        && service_of(key).is_some()
        && !statement.clauses.iter().any(|other| other.is_of(key) && other.demands_presence())
}

/// The required resources of an action that lack the key, where it is not carried whatever the resource, and that no other
/// clause leaves out by demanding a key that they lack as well.
fn without(statement: &StatementAt<'_>, action: Action, key: &str) -> Vec<&'static str> {
    if action.own_keys().any(|known| services::key_matches(known.name, key)) {
        return vec![];
    }
    let lacks = |on: &services::ActionResource, key: &str| {
        !on.keys().chain(action.own_keys()).any(|known| services::key_matches(known.name, key))
    };
    let spared = |on: &services::ActionResource| {
        let demanded = statement.clauses.iter().filter(|clause| clause.demands_presence());
        demanded.map(|clause| &*clause.key.text).any(|other| service_of(other).is_some() && lacks(on, other))
    };
    let bound = |on: &services::ActionResource| on.required && lacks(on, key) && !spared(on);
    action.resources().filter(bound).map(|on| on.kind.name).collect()
}

fn carrier(action: Action, key: &str) -> Option<&'static str> {
    let carries = |on: &services::ActionResource| on.keys().any(|known| services::key_matches(known.name, key));
    action.resources().find(carries).and_then(|on| on.kind.arns.first().copied())
}
