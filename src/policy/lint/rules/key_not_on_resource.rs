//! Condition keys that only one of an action's resources carries, in a Deny on others too.

use super::key_not_on_action::{is_of_request_tags, service_of};
use super::{some_of, some_of_actions};
use crate::policy::call::{self, Leg, Need, Reach};
use crate::policy::eval::resources_meet;
use crate::policy::lint::subject::{ActionWord, ClauseAt, StatementAt, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::pattern::subsumes_resource;
use crate::policy::services::{self, Action};

pub(super) const RULE: Rule = Rule {
    id: "key-not-on-resource",
    severity: Severity::Error,
    summary: "a condition that holds on those of the action's resources that do not carry its key",
    explanation: "A call such as `ec2:RunInstances` is authorized once for each resource that it makes or uses: instance, volume, \
        network interface, subnet, image. `ec2:InstanceType` is carried for the instance alone, and `aws:RequestTag` for what is made \
        and not for what is used. Where the statement speaks of the others too (`*`, `arn:aws:ec2:*:*:*`, `subnet/*` beside \
        `instance/*`), a negated operator and `Null: true` hold there, and every call is denied, however it is made. Name the resource \
        that carries the key. It is a warning where only some calls use such a resource. `NotResource` speaks of all that it does not \
        name. What a call makes has no tags yet: `aws:ResourceTag` is absent there, and `aws:RequestTag` is what the call sends. Sources: EC2 user guide, \"Example policies\"; \
        Service Authorization Reference.",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*", "Condition": {"StringNotEquals": {"ec2:InstanceType": "t3.micro"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "arn:aws:ec2:*:*:*", "Condition": {"StringNotEquals": {"ec2:InstanceType": "t3.micro"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": ["arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*:*:subnet/*"], "Condition": {"StringNotEquals": {"ec2:InstanceType": "t3.micro"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:CreateSubnet", "Resource": "*", "Condition": {"Null": {"aws:RequestTag/owner": "true"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": ["ec2:RunInstances", "ec2:CreateFleet"], "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestTag/owner": ["a", "b"]}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:CreateVolume", "Resource": "*", "Condition": {"Null": {"aws:RequestTag/owner": "true"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:RunInstances", "NotResource": "arn:aws:ec2:*:*:instance/*", "Condition": {"StringNotEquals": {"ec2:InstanceType": "t3.micro"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "arn:aws:ec2:*:*:instance/*", "Condition": {"StringNotEquals": {"aws:ResourceTag/team": "a"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:CreateVolume", "Resource": "arn:aws:ec2:*:*:volume/*", "Condition": {"Null": {"aws:ResourceTag/team": "true"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "arn:aws:ec2:*:*:instance/*", "Condition": {"StringNotEquals": {"ec2:InstanceType": "t3.micro"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*", "Condition": {"StringEquals": {"ec2:InstanceType": "p5.48xlarge"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": ["arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*:*:volume/*"], "Condition": {"Null": {"aws:RequestTag/owner": "true"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:CreateSubnet", "Resource": "arn:aws:ec2:*:*:subnet/*", "Condition": {"Null": {"aws:RequestTag/owner": "true"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:TerminateInstances", "Resource": "arn:aws:ec2:*:*:instance/*", "Condition": {"StringNotEquals": {"aws:ResourceTag/team": "a"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "arn:aws:ec2:*:*:subnet/*", "Condition": {"StringNotEquals": {"aws:ResourceTag/team": "a"}}}"#,
        ),
        // RDS has the keys of the instance in the context of its groups too.
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "rds:RestoreDBInstanceFromDBSnapshot", "Resource": "*", "Condition": {"StringNotEquals": {"rds:DatabaseClass": "db.t3.micro"}}}"#,
        ),
    ],
};

/// Most actions of a pattern that are looked at one by one; of more it is not sure that each was meant.
const MOST: usize = 200;

fn check(subject: &Subject<'_>, told: &mut Told) {
    let statements = subject.statements.iter().filter(|s| s.denies() && !s.not_action);
    for statement in statements {
        for clause in statement.clauses.iter().filter(|clause| concerns(statement, clause)) {
            for word in statement.actions.iter().filter(|word| word.actions().len() <= MOST) {
                look(statement, clause, word, told);
            }
        }
    }
}

/// Whether absence of the key makes the clause hold, and no other clause demands the key.
fn concerns(statement: &StatementAt<'_>, clause: &ClauseAt<'_>) -> bool {
    let key = &clause.key.text;
    clause.when_absent()
        && (is_of_request_tags(key) || is_of_own_tags(key) || service_of(key).is_some())
        && !statement.clauses.iter().any(|other| other.is_of(key) && other.demands_presence())
}

/// One action whose call is denied for a resource that lacks the key.
struct Denied {
    action: Action,
    /// Every call is: each has such a resource.
    every: bool,
    on: Vec<&'static str>,
}

fn look(statement: &StatementAt<'_>, clause: &ClauseAt<'_>, word: &ActionWord<'_>, told: &mut Told) {
    let key = &*clause.key.text;
    let mut denied: Vec<Denied> = word.actions().iter().filter_map(|action| denial(statement, *action, key)).collect();
    // Of a pattern, what is denied in every case is told, and only that.
    if !word.is_exact() {
        denied.retain(|denied| denied.every);
    }
    let Some(first) = denied.first() else { return };
    let every = first.every;
    denied.retain(|denied| denied.every == every);
    let mut on: Vec<&str> = vec![];
    for name in denied.iter().flat_map(|denied| &denied.on) {
        if !on.contains(name) {
            on.push(name);
        }
    }
    let actions: Vec<Action> = denied.iter().map(|denied| denied.action).collect();
    let calls = some_of_actions(&actions);
    let on = some_of(on.iter().copied());
    if is_of_own_tags(key) {
        let message = format!(
            "this statement denies every {calls}: {on} is made by the call and has no tags yet, so that `{key}` is absent and the condition holds"
        );
        let sent = key.split_once('/').map_or("", |(_, tag)| tag);
        let help = format!("compare the tags that the call sends: `aws:RequestTag/{sent}`");
        let severity = if every { Severity::Error } else { Severity::Warning };
        told.push(told.at(&clause.key.spot, message).help(help).severity(severity));
        return;
    }
    let message = if every {
        format!(
            "this statement denies every {calls}: it is also authorized on {on}, where `{key}` is absent and the condition holds"
        )
    } else {
        format!("this statement denies every {calls} that uses {on}: `{key}` is absent there, and the condition holds")
    };
    let severity = if every { Severity::Error } else { Severity::Warning };
    told.push(told.at(&clause.key.spot, message).help(advice(statement, &actions, key)).severity(severity));
}

/// What of an action is denied though the key was not there to look at; `None` where the statement does as it says, and where no
/// resource carries the key, which is another rule's.
fn denial(statement: &StatementAt<'_>, action: Action, key: &str) -> Option<Denied> {
    if !action.service.is_whole() {
        return None;
    }
    let legs = call::legs(action);
    legs.iter().find(|leg| carries(leg, key))?;
    let spared = |leg: &Leg| {
        let demanded = statement.clauses.iter().filter(|clause| clause.demands_presence());
        demanded.map(|clause| &*clause.key.text).any(|other| is_listed(other) && leg.never_carries(other))
    };
    // That a resource has no such tag is what the statement asks, where the call does not make it.
    let lacks = |leg: &Leg| leg.never_carries(key) && (!is_of_own_tags(key) || leg.tags() == Reach::Yes);
    let open = |leg: &&Leg| lacks(leg) && meets(statement, leg) && !spared(leg);
    let names = |every: bool| -> Vec<&'static str> {
        let wanted = legs.iter().filter(open).filter(|leg| (leg.need == Need::Always) == every);
        wanted.map(Leg::name).collect()
    };
    let (always, some) = (names(true), names(false));
    match (always.is_empty(), some.is_empty()) {
        (false, _) => Some(Denied { action, every: true, on: always }),
        (true, false) => Some(Denied { action, every: false, on: some }),
        (true, true) => None,
    }
}

/// Whether a key is of the tags of a resource.
fn is_of_own_tags(key: &str) -> bool {
    key.to_ascii_lowercase().split_once(':').is_some_and(|(_, rest)| rest.starts_with("resourcetag/"))
}

fn is_listed(key: &str) -> bool {
    is_of_request_tags(key) || service_of(key).is_some()
}

/// Whether a leg surely has the key.
fn carries(leg: &Leg, key: &str) -> bool {
    if is_of_request_tags(key) { leg.tags() == Reach::Yes } else { !leg.never_carries(key) }
}

/// Whether the statement speaks of the leg's resources.
fn meets(statement: &StatementAt<'_>, leg: &Leg) -> bool {
    let patterns: Vec<String> = leg.arns().map(services::as_pattern).collect();
    if statement.not_resource {
        let named = |arn: &String| {
            statement.resources.iter().any(|word| subsumes_resource(&services::as_pattern(&word.text), arn))
        };
        // The partition of a policy is that of its organization.
        let here = |arn: &String| arn.replacen("arn:*:", "arn:aws:", 1);
        return !patterns.iter().all(|arn| named(arn) || named(&here(arn)));
    }
    statement.resources.iter().any(|word| {
        let text = services::as_pattern(&word.text);
        patterns.iter().any(|arn| resources_meet(&text, arn))
    })
}

/// The resource that every call has and that carries the key, above all what the action makes.
fn carrier(action: Action, key: &str) -> Option<&'static str> {
    let bare =
        |text: &str| -> String { text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase() };
    let made = |leg: &&Leg| bare(action.name()).contains(&bare(leg.name()));
    let legs = call::legs(action);
    let own: Vec<&Leg> = legs.iter().filter(|leg| carries(leg, key) && leg.need == Need::Always).collect();
    let best = own.iter().copied().find(made).or_else(|| own.first().copied());
    best.and_then(|leg| leg.arns().next())
}

/// What to write. A list that leaves out an action's own resource would take the guard off that action, so it is given only where
/// it is right for all actions of the statement.
fn advice(statement: &StatementAt<'_>, denied: &[Action], key: &str) -> String {
    let exact = statement.actions.iter().all(ActionWord::is_exact);
    let all: Vec<Action> = statement.actions.iter().flat_map(|word| word.actions()).copied().collect();
    let arns_of = |actions: &[Action]| -> Option<Vec<String>> {
        let mut arns: Vec<String> =
            actions.iter().map(|action| carrier(*action, key).map(services::sample_arn)).collect::<Option<_>>()?;
        arns.sort();
        arns.dedup();
        Some(arns)
    };
    let written = |arns: &[String]| match arns {
        [one] => format!("`\"Resource\": \"{one}\"`"),
        many => format!("`\"Resource\": {}`", serde_json::json!(many)),
    };
    if let Some(arns) = arns_of(&all).filter(|_| exact) {
        return format!("write {}", written(&arns));
    }
    let one = denied.first().and_then(|action| Some((*action, arns_of(&[*action])?)));
    match one {
        Some((action, arns)) => format!("put `{action}` in a statement of its own, with {}", written(&arns)),
        None => {
            let some = denied.iter().flat_map(|action| call::legs(*action)).filter(|leg| carries(leg, key));
            let names: Vec<&str> = some.map(|leg| leg.name()).collect();
            format!(
                "of its resources, {} carries `{key}`: name that in `Resource`, and know that calls without one pass",
                some_of(names.iter().copied())
            )
        }
    }
}
