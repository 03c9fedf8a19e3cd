//! Actions by their full name that AWS's reference does not know.

use super::some_of_actions;
use crate::names::words::nearest;
use crate::policy::lint::subject::{ActionWord, StatementAt, Subject};
use crate::policy::lint::{Finding, Rule, Sample, Severity, Told};
use crate::policy::services::{self, Action};

pub(super) const RULE: Rule = Rule {
    id: "unknown-action",
    severity: Severity::Warning,
    summary: "an action that no service has",
    explanation: "AWS accepts any text as an action, and one that does not exist matches no request: a statement with only such \
        actions does nothing. Mostly it is a slip of the pen, or the name of an API operation where the action is called \
        otherwise (`s3:ListObjects` is allowed by `s3:ListBucket`). The reference is that of services.txt; an action that is \
        newer is not in it. Source: Service Authorization Reference.",
    check,
    bad: &[
        Sample::Scp(r#"{"Effect": "Deny", "Action": "s3:GetObjekt", "Resource": "*"}"#),
        Sample::Scp(r#"{"Effect": "Deny", "Action": ["s3:GetObject", "sagmaker:CreateEndpoint"], "Resource": "*"}"#),
        Sample::Scp(r#"{"Effect": "Deny", "Action": "s3:ListObjects", "Resource": "*"}"#),
        Sample::Scp(r#"{"Effect": "Deny", "Action": "lambda:Invoke", "Resource": "*"}"#),
        Sample::Scp(r#"{"Effect": "Deny", "NotAction": ["s3:GetObjekt", "iam:*"], "Resource": "*"}"#),
    ],
    good: &[
        Sample::Scp(r#"{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}"#),
        Sample::Scp(r#"{"Effect": "Deny", "Action": "S3:getobject", "Resource": "*"}"#),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    for statement in &subject.statements {
        for action in statement.actions.iter().filter(|action| action.is_exact() && action.actions().is_empty()) {
            let finding = told.at(&action.word.spot, message(action)).help(meant(&action.word.text));
            told.push(if statement.not_action { void(finding, statement, &action.word.text) } else { finding });
        }
    }
}

/// A word of `NotAction` that names nothing is an exemption that is not made. Where AWS has no service of that name and none
/// like it, it had one once, and what is not there any more needs no exemption.
pub(super) fn void(mut finding: Finding, statement: &StatementAt<'_>, text: &str) -> Finding {
    let prefix = text.split_once(':').map_or(text, |(prefix, _)| prefix);
    let outcome = if statement.denies() { "denied" } else { "allowed" };
    finding.message.push_str(&format!(", and what was to be exempt by it is {outcome}"));
    let gone = services::service(prefix).is_none() && nearest(prefix, services::prefixes()).is_none();
    if gone { finding.severity(Severity::Info) } else { finding }
}

fn message(action: &ActionWord<'_>) -> String {
    let text = &action.word.text;
    let service = text.split_once(':').map_or("", |(service, _)| service);
    let called = called(text);
    if !called.is_empty() {
        let names = some_of_actions(&called);
        return format!("`{text}` matches no request: it is the name of an operation, which policies know as {names}");
    }
    if services::service(service).is_none() {
        format!("`{text}` matches no request: no service has the prefix `{service}`")
    } else {
        format!("`{text}` matches no request: `{service}` has no such action")
    }
}

/// The actions that an operation of an API is to policies, where a text names one.
fn called(text: &str) -> Vec<Action> {
    let (prefix, name) = text.split_once(':').unwrap_or((text, ""));
    services::calls::actions(prefix, name.trim_end_matches('*'))
}

/// What may have been meant by an action or pattern that matches nothing.
pub(super) fn meant(text: &str) -> String {
    let called = called(text);
    if !called.is_empty() {
        return format!("write {}", some_of_actions(&called));
    }
    let (prefix, name) = text.split_once(':').unwrap_or((text, ""));
    let Some(service) = services::service(prefix) else {
        return match nearest(prefix, services::prefixes()) {
            Some(near) => format!("did you mean `{near}:{name}`?"),
            None => "look the service up in AWS's Service Authorization Reference".to_owned(),
        };
    };
    let stem = name.trim_matches('*');
    match nearest(name, service.actions().map(|action| action.name())) {
        Some(near) => format!("did you mean `{}:{near}`?", service.prefix),
        None if stem.len() > 3 => {
            let near = service.actions().find(|action| action.name().to_lowercase().contains(&stem.to_lowercase()));
            near.map_or_else(
                || format!("look the action up in AWS's reference of {}", service.name),
                |near| format!("there is `{near}`, for one"),
            )
        }
        None => format!("look the action up in AWS's reference of {}", service.name),
    }
}
