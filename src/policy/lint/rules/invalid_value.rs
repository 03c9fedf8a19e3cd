//! Values that their operator cannot read.

use core::net::IpAddr;

use crate::policy::condition::{Family, Test};
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::template;

pub(super) const RULE: Rule = Rule {
    id: "invalid-value",
    severity: Severity::Error,
    summary: "a value that is no number, date, boolean, address or ARN where its operator reads one",
    explanation: "A value that the operator cannot read matches no request: `DateLessThan: 31.12.2026`, `IpAddress: \
        10.0.0.0/33`, `Bool: yes`, an ARN operator with a role's name. Some AWS refuses, others it accepts in silence. Dates are \
        written as W3C's ISO 8601 (`2026-12-31T23:59:59Z`) or as seconds since 1970. Source: IAM user guide, \"Condition \
        operators\"; Access Analyzer's policy checks.",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/33"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"DateGreaterThan": {"aws:CurrentTime": "31.12.2026"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "no"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"Null": {"aws:SourceVpc": "absent"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"NumericLessThan": {"s3:TlsVersion": "TLS1.2"}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"ArnNotLike": {"aws:PrincipalArn": "role/admin"}}}"#,
        ),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"DateGreaterThan": {"aws:CurrentTime": ["2026-12-31", "2026-12-31T23:59:59Z", "2026-12-31T23:59+01:00", "1798761599"]}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": false}, "NumericLessThan": {"s3:TlsVersion": 1.2}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"ArnNotLike": {"aws:PrincipalArn": ["arn:*:iam::*:role/admin", "${aws:PrincipalTag/arn}", "*"]}}}"#,
        ),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (_, clause) in subject.clauses() {
        let (readable, expected): (fn(&str) -> bool, &str) = match clause.operator.test.family() {
            Family::Number => (is_number, "a number"),
            Family::Date => (is_date, "a date such as `2026-12-31T23:59:59Z`, or seconds since 1970"),
            Family::Bool => (is_boolean, "`true` or `false`"),
            Family::Address => (is_address, "an IP address or a range such as `192.0.2.0/24`"),
            Family::Arn => (is_arn, "an ARN with its six parts, in which wildcards may stand"),
            Family::Binary => (is_base64, "base64"),
            Family::Text => continue,
        };
        // Variables where none can be have a rule of their own, and so have placeholders.
        let plain = |text: &str| !text.contains("${") && template::find(text, true).is_none();
        for word in clause.values.iter().filter(|word| !readable(&word.text) && plain(&word.text)) {
            let what = if clause.operator.test == Test::Null { "`Null`" } else { &*format!("`{}`", clause.block.text) };
            let finding = told.at(&word.spot, format!("`{}` matches nothing: {what} reads {expected}", word.text));
            // AWS compares ARNs part by part, and does not say what a pattern of fewer parts is.
            let vague = word.text.starts_with("arn:") && word.text.ends_with('*');
            told.push(if vague { finding.severity(Severity::Warning) } else { finding });
        }
    }
}

fn is_boolean(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite) && !text.contains(char::is_whitespace)
}

pub(super) fn is_address(text: &str) -> bool {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| length.parse::<u32>().is_ok_and(|length| length <= most) && !length.starts_with('+'))
}

/// Six parts; patterns that stand for whole parts (`arn:*`) have fewer colons, and only `*` alone is sure to match.
fn is_arn(text: &str) -> bool {
    let first = text.split(':').next().unwrap_or_default();
    text == "*" || (text.splitn(6, ':').count() == 6 && (first == "arn" || first.contains('*')))
}

fn is_base64(text: &str) -> bool {
    let stem = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - stem.len() <= 2
        && stem.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
}

/// Seconds since 1970, or a form of W3C's note on dates: year, month and day with or without a time and its zone.
fn is_date(text: &str) -> bool {
    if text.parse::<i64>().is_ok() {
        return true;
    }
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let digits = |part: &str, length: usize, range: std::ops::RangeInclusive<u32>| {
        part.len() == length
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse().is_ok_and(|n| range.contains(&n))
    };
    let parts: Vec<&str> = date.split('-').collect();
    let sound = match parts.as_slice() {
        [year] => digits(year, 4, 0..=9999),
        [year, month] => digits(year, 4, 0..=9999) && digits(month, 2, 1..=12),
        [year, month, day] => digits(year, 4, 0..=9999) && digits(month, 2, 1..=12) && digits(day, 2, 1..=31),
        _ => false,
    };
    sound && time.is_none_or(|time| parts.len() == 3 && is_time(time, &digits))
}

fn is_time(time: &str, digits: &dyn Fn(&str, usize, std::ops::RangeInclusive<u32>) -> bool) -> bool {
    let (clock, zone) = match time.find(['Z', '+', '-']).and_then(|at| time.split_at_checked(at)) {
        Some((clock, zone)) => (clock, zone),
        None => (time, "Z"),
    };
    let hours = |text: &str| text.split_once(':').is_some_and(|(h, m)| digits(h, 2, 0..=23) && digits(m, 2, 0..=59));
    let zone_sound = zone == "Z" || zone.get(1..).is_some_and(hours);
    let clock: Vec<&str> = clock.split(':').collect();
    let clock_sound = match clock.as_slice() {
        [hour, minute] => digits(hour, 2, 0..=23) && digits(minute, 2, 0..=59),
        [hour, minute, second] => {
            let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
            let fraction_sound = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
            digits(hour, 2, 0..=23) && digits(minute, 2, 0..=59) && digits(second, 2, 0..=60) && fraction_sound
        }
        _ => false,
    };
    zone_sound && clock_sound
}
