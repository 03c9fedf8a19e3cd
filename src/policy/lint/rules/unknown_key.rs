//! Condition keys that neither AWS as a whole nor a service has.

use crate::names::words::nearest;
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services::{self, GLOBAL};

pub(super) const RULE: Rule = Rule {
    id: "unknown-key",
    severity: Severity::Warning,
    summary: "a condition key that AWS does not document",
    explanation: "AWS accepts any text with a colon as a condition key. One that does not exist is absent from every request, so \
        a positive operator never matches and a negated one always does: `sagemaker:RequestTag/team`, seen in print, denies \
        nothing or everything. Source: Service Authorization Reference; IAM user guide, \"AWS global condition context keys\".",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateEndpoint", "Resource": "*", "Condition": {"Null": {"sagemaker:RequestTag/team": "true"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestRegion": "eu-west-1"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateEndpoint", "Resource": "*", "Condition": {"Null": {"aws:RequestTag/team": "true"}}}"#,
        ),
        Sample::Resource(
            r#"{"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/oidc.example.com"}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"oidc.example.com:aud": "sts"}}}"#,
        ),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (statement, clause) in subject.clauses() {
        let name = &*clause.key.text;
        let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
        // Keys of an identity provider begin with its address.
        // `aws:SourceOwner` is in the policy that SNS gives every topic, and documented nowhere any more.
        let is_old = name.eq_ignore_ascii_case("aws:SourceOwner");
        if is_old || prefix.contains(['.', '/']) || services::key(name).is_some() {
            continue;
        }
        let effect = match (clause.when_absent(), statement.denies()) {
            (true, true) => "the condition always holds, and what the statement names is denied",
            (false, true) => "the statement never denies",
            (true, false) => "the condition always holds and restricts nothing",
            (false, false) => "the statement never allows",
        };
        let message = format!("`{name}` is not a condition key that AWS documents; where it is absent, {effect}");
        told.push(told.at(&clause.key.spot, message).help(meant(name, prefix)));
    }
}

fn meant(name: &str, prefix: &str) -> String {
    let stem = name.split_once('/').map_or(name, |(stem, _)| stem);
    let tail = name.get(stem.len()..).unwrap_or_default();
    let last = stem.split_once(':').map_or(stem, |(_, last)| last);
    let global = GLOBAL.iter().map(|key| key.name.split("${").next().unwrap_or(key.name));
    if let Some(same) =
        global.clone().find(|key| key.trim_end_matches('/').eq_ignore_ascii_case(&format!("aws:{last}")))
    {
        return format!("did you mean `{}{tail}`?", same.trim_end_matches('/'));
    }
    let own = services::service(prefix).into_iter().flat_map(|service| service.keys()).map(|key| key.name);
    match nearest(stem, global.map(|key| key.trim_end_matches('/')).chain(own)) {
        Some(near) => format!("did you mean `{near}{tail}`?"),
        None => "look it up in AWS's Service Authorization Reference".to_owned(),
    }
}
