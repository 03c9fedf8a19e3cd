//! Placeholders of a template that nobody filled.

use crate::policy::flaw::{join_index, join_key};
use crate::policy::json::{Node, Value};
use crate::policy::lint::subject::{ClauseAt, Spot, StatementAt, Subject, Word};
use crate::policy::lint::{Finding, Rule, Sample, Severity, Told};
use crate::policy::statement::{Language, Version};
use crate::policy::template::{self, Placeholder};

pub(super) const RULE: Rule = Rule {
    id: "placeholder",
    severity: Severity::Error,
    summary: "a placeholder that a template left in place",
    explanation: "AWS reads `${…}` as a policy variable only where it names a condition key (`${aws:username}`), and everything \
        else as it stands: `${AWS::AccountId}`, `${PARTITION}`, `{{ account }}`, `<ACCOUNT_ID>` match no resource and no value. A Deny \
        on such a resource never denies, and an exemption of such a role exempts nobody. Put the value in, or render the template \
        before the policy is used. Forms that could be a name as well (`[ROLE]`, `__ACCOUNT__`, `$(id)`, `CHANGEME`) are warned of. \
        Source: IAM user guide, \"IAM policy elements: Variables and tags\".",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "iam:DeleteRole", "Resource": "arn:${PARTITION}:iam::*:role/${ACCELERATOR_PREFIX}*", "Condition": {"ArnNotLike": {"aws:PrincipalArn": ["arn:aws:iam::*:role/${MANAGEMENT_ACCOUNT_ACCESS_ROLE}"]}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::home/${aws.username}/*"}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*", "Condition": {"StringNotEquals": {"aws:SourceVpc": "<my-vpc>"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*", "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/[ROLE]"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "ec2:CreateVolume", "Resource": "arn:aws:ec2:*:*:volume/*", "Condition": {"StringNotEquals": {"aws:RequestTag/${TagKey}": "a"}}}"#,
        ),
        Sample::Resource(
            r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::{{ account }}:root"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}"#,
        ),
        Sample::Whole("TAG_POLICY", r#"{"tags": {"team": {"tag_value": {"@@assign": ["${Team}"]}}}}"#),
    ],
    good: &[
        Sample::Identity(
            r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:username}/${*}", "Condition": {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team, 'none'}"}}}"#,
        ),
        Sample::Whole(
            "DECLARATIVE_POLICY_EC2",
            r#"{"ec2_attributes": {"exception_message": {"@@assign": "Ask <cloud@example.com>."}}}"#,
        ),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    if subject.language == Language::Management {
        return settings(subject.node, "", told);
    }
    let variables = subject.version == Version::V2012;
    for statement in &subject.statements {
        let verb = statement.verb();
        for action in &statement.actions {
            if let Some(found) = template::find(&action.word.text, false) {
                tell(told, &action.word.spot, found, "matches no action");
            }
        }
        let broken = |words: &[Word<'_>]| words.iter().all(|word| template::find(&word.text, variables).is_some());
        let effect = match (statement.not_resource, broken(&statement.resources)) {
            (true, _) => "spares no resource".to_owned(),
            (false, true) => format!("matches no resource, so this statement never {verb}"),
            (false, false) => "matches no resource".to_owned(),
        };
        for word in &statement.resources {
            if let Some(found) = template::find(&word.text, variables) {
                tell(told, &word.spot, found, &effect);
            }
        }
        for (_, word) in &statement.principals {
            if let Some(found) = template::find(&word.text, false) {
                tell(told, &word.spot, found, "names nobody, and AWS refuses the policy");
            }
        }
        for clause in &statement.clauses {
            look(statement, clause, variables, told);
        }
    }
}

fn look(statement: &StatementAt<'_>, clause: &ClauseAt<'_>, variables: bool, told: &mut Told) {
    if let Some(found) = template::find(&clause.key.text, false) {
        let effect = match (clause.when_absent(), statement.denies()) {
            (true, true) => {
                "is carried by no request, so the condition always holds and what the statement names is denied"
            }
            (false, true) => "is carried by no request, so this statement never denies",
            (true, false) => "is carried by no request, so the condition restricts nothing",
            (false, false) => "is carried by no request, so this statement never allows",
        };
        tell(told, &clause.key.spot, found, effect);
    }
    let all = clause.values.iter().all(|word| template::find(&word.text, variables).is_some());
    let effect = match (clause.operator.test.negated(), all) {
        (true, true) if statement.denies() => {
            "equals nothing, so nobody and nothing is exempt by this condition".to_owned()
        }
        (true, _) => "equals nothing, and spares nothing".to_owned(),
        (false, true) => format!("equals nothing, so this statement never {}", statement.verb()),
        (false, false) => "equals nothing".to_owned(),
    };
    for word in &clause.values {
        if let Some(found) = template::find(&word.text, variables) {
            tell(told, &word.spot, found, &effect);
        }
    }
}

fn tell(told: &mut Told, spot: &Spot, found: Placeholder<'_>, effect: &str) {
    let finding = finding(told, spot, found, effect);
    told.push(finding);
}

fn finding(told: &Told, spot: &Spot, found: Placeholder<'_>, effect: &str) -> Finding {
    let message = format!("`{}` is {} that was not filled; as it stands it {effect}", found.text, found.noun());
    let severity = if found.sure { Severity::Error } else { Severity::Warning };
    told.at(spot, message).help(found.help()).severity(severity)
}

/// The strings of a management policy. People read what stands in an `exception_message`, and write addresses in brackets.
fn settings(node: &Node, path: &str, told: &mut Told) {
    match &node.value {
        Value::String(text) => {
            let spot = Spot { place: node.place, path: path.to_owned(), key: false };
            if let Some(found) = template::find(text, false).filter(|found| found.sure) {
                tell(told, &spot, found, "is sent to AWS as it is");
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                settings(item, &join_index(path, at), told);
            }
        }
        Value::Object(members) => {
            for member in members.iter().filter(|member| member.key != "exception_message") {
                let own = join_key(path, &member.key);
                let spot = Spot { place: member.place, path: own.clone(), key: true };
                if let Some(found) = template::find(&member.key, false).filter(|found| found.sure) {
                    tell(told, &spot, found, "is sent to AWS as it is");
                }
                settings(&member.node, &own, told);
            }
        }
        _ => {}
    }
}
