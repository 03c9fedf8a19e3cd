//! Values that no request can have.

use core::net::IpAddr;

use crate::policy::condition::Test;
use crate::policy::lint::subject::{ClauseAt, StatementAt, Subject};
use crate::policy::lint::values::{self, Comparison, Row, Values};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services::{self, ValueType};
use crate::policy::template;

pub(super) const RULE: Rule = Rule {
    id: "impossible-value",
    severity: Severity::Error,
    summary: "a value that no request can have in that key",
    explanation: "Many keys hold one of a few words, or a text of one form: `aws:PrincipalType` is `Account`, `User`, \
        `AssumedRole`, `FederatedUser` or `Anonymous`, `aws:SourceVpc` begins with `vpc-`, `sagemaker:InstanceTypes` with `ml.`. \
        `StringEquals` and `StringLike` compare with case. A value that cannot be makes a Deny that never denies, or, with a \
        negated operator, one that denies all. `aws:SourceIp` is a public address: from a private one AWS is reached through VPC \
        endpoints, whose requests carry `aws:VpcSourceIp`. `aws:userid` of a role is `AROA…:session`. It is an error where none of the values can be, and a warning where some cannot. \
        Sources: IAM user guide, \"AWS global condition context keys\"; Service Authorization Reference; the API reference \
        of the parameter that fills the key.",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalType": "Root"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "sagemaker:CreateDomain", "Resource": "*", "Condition": {"StringNotEquals": {"sagemaker:AppNetworkAccessType": "VPCOnly"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": {"StringEquals": {"s3:x-amz-acl": ["public-read", "PublicReadWrite"]}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpce-0123456789abcdef0"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"aws:SecureTransport": "False"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "fd00::/8"]}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:userid": "AROAEXAMPLEEXAMPLE123"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringEqualsIgnoreCase": {"aws:PrincipalType": "account"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": {"StringLike": {"s3:x-amz-acl": "public-*"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"NotIpAddressIfExists": {"aws:SourceIp": ["10.0.0.0/8", "203.0.113.0/24"]}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotLike": {"aws:userid": ["AROAEXAMPLEEXAMPLE123:*", "AIDAEXAMPLEEXAMPLE123"]}}}"#,
        ),
    ],
};

/// Booleans as text: requests hold them in small letters.
static BOOLEAN: Row = Row { key: "", values: Values::Only(&["true", "false"]), meant: &[], page: "" };

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (statement, clause) in subject.clauses() {
        if clause.is_of("aws:SourceIp") {
            look_at_networks(statement, clause, told);
            continue;
        }
        if clause.is_of("aws:userid") {
            look_at_roles(statement, clause, told);
            continue;
        }
        let how = match clause.operator.test {
            Test::StringEquals | Test::StringNotEquals => Comparison { ignore_case: false, wild: false },
            Test::StringEqualsIgnoreCase | Test::StringNotEqualsIgnoreCase => {
                Comparison { ignore_case: true, wild: false }
            }
            Test::StringLike | Test::StringNotLike => Comparison { ignore_case: false, wild: true },
            _ => continue,
        };
        let key = &*clause.key.text;
        let boolean = || services::key(key).is_some_and(|key| key.kind == ValueType::Bool);
        let Some(row) = values::of(key).or_else(|| boolean().then_some(&BOOLEAN)) else { continue };
        look(statement, clause, row, how, told);
    }
}

/// Private networks alone (IAM user guide, "Access Analyzer policy check reference", "Private IP address").
fn look_at_networks(statement: &StatementAt<'_>, clause: &ClauseAt<'_>, told: &mut Told) {
    let compares = matches!(clause.operator.test, Test::IpAddress | Test::NotIpAddress);
    let Some(first) = clause.values.first().filter(|_| compares) else { return };
    if !clause.values.iter().all(|word| is_private(&word.text)) {
        return;
    }
    let effect = effect(statement, true, clause.operator.test.negated());
    let message =
        format!("no request has a private address, such as one of `{}`, in `aws:SourceIp`{effect}", first.text);
    let help = "compare public addresses, or `aws:VpcSourceIp`, which requests through VPC endpoints carry";
    told.push(told.at(&first.spot, message).help(help));
}

/// Whether all addresses of a network are private.
fn is_private(text: &str) -> bool {
    /// The first address, and how many bits all in it have in common.
    const NETWORKS: &[([u8; 2], u8)] =
        &[([10, 0], 8), ([172, 16], 12), ([192, 168], 16), ([100, 64], 10), ([169, 254], 16), ([127, 0], 8)];
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let Ok(bits) = bits.map_or(Ok(whole), str::parse::<u8>) else { return false };
    match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            let start = u16::from_be_bytes([a, b]);
            NETWORKS.iter().any(|(network, common)| {
                let mask = u16::MAX << (16 - u16::from(*common));
                bits >= *common && start & mask == u16::from_be_bytes(*network)
            })
        }
        // Unique local addresses.
        IpAddr::V6(address) => {
            let [first, ..] = address.segments();
            bits >= 7 && first & 0xfe00 == 0xfc00
        }
    }
}

/// Ids of roles, which no request has alone (IAM user guide, "Get the unique identifier").
fn look_at_roles(statement: &StatementAt<'_>, clause: &ClauseAt<'_>, told: &mut Told) {
    let is_text = matches!(clause.operator.test.family(), crate::policy::condition::Family::Text);
    let is_bare = |text: &str| {
        text.len() > 15
            && text.starts_with("AROA")
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    let all = clause.values.iter().all(|word| is_bare(&word.text));
    for word in clause.values.iter().filter(|word| is_text && is_bare(&word.text)) {
        let effect = effect(statement, all, clause.operator.test.negated());
        let message =
            format!("no request has `{}` in `aws:userid`{effect}: a role's session has its name behind it", word.text);
        let help = format!("write `{}:*` with an operator that reads wildcards, such as `StringLike`", word.text);
        let severity = if all { Severity::Error } else { Severity::Warning };
        told.push(told.at(&word.spot, message).help(help).severity(severity));
    }
}

/// What it makes of the statement that some values cannot be, or all.
fn effect(statement: &StatementAt<'_>, all: bool, negated: bool) -> String {
    match (all, negated, statement.denies()) {
        (true, true, true) => {
            ", so the condition holds whatever the value, and the statement denies the right one as well".to_owned()
        }
        (true, true, false) => ", so the condition restricts nothing".to_owned(),
        (true, false, _) => format!(", so this statement never {}", statement.verb()),
        (false, true, true) => ", so nothing is exempt by it".to_owned(),
        (false, _, _) => String::new(),
    }
}

fn look(statement: &StatementAt<'_>, clause: &ClauseAt<'_>, row: &Row, how: Comparison, told: &mut Told) {
    let key = &*clause.key.text;
    let refused = |text: &str| {
        // A star where none is read has a rule of its own, and so have placeholders.
        let starred = !how.wild && text.contains('*');
        let plain = !text.contains("${") && !starred && template::find(text, true).is_none();
        if plain { row.refuses(text, how) } else { None }
    };
    let all = clause.values.iter().all(|word| refused(&word.text).is_some());
    let negated = clause.operator.test.negated();
    for word in &clause.values {
        let Some(meant) = refused(&word.text) else { continue };
        let effect = effect(statement, all, negated);
        let message = format!("no request has `{}` in `{key}`{effect}", word.text);
        let listed = row.listed();
        let list = || {
            let words: Vec<String> = listed.iter().take(8).map(|value| format!("`{value}`")).collect();
            let more = if listed.len() > words.len() { " …" } else { "" };
            format!("it is one of {}{more}", words.join(", "))
        };
        let help = match (meant, listed.is_empty()) {
            (Some(meant), true) => format!("write it like `{meant}`"),
            (Some(meant), false) => format!("did you mean `{meant}`? {}", list()),
            (None, false) => list(),
            (None, true) => format!("see {}", if row.page.is_empty() { "AWS's reference" } else { row.page }),
        };
        let severity = if all { Severity::Error } else { Severity::Warning };
        told.push(told.at(&word.spot, message).help(help).severity(severity));
    }
}
