//! Tests of comparison by meaning.

use std::time::Instant;

use proptest::prelude::*;

use super::*;
use crate::names::PolicyType;
use crate::policy::Document;
use crate::policy::canonical;
use crate::policy::document::Content;
use crate::policy::eval::{Facts, Request};
use crate::policy::statement::{DELEGATION_POLICY, Statement};

fn read(kind: &str, text: &str) -> Policy {
    let (document, _) =
        Document::parse(&PolicyType::new(kind), text).unwrap_or_else(|flaws| panic!("{text} {flaws:?}"));
    let Content::Statements(policy) = document.content().clone() else { panic!("{text}") };
    policy
}

/// A policy of these statements (JSON, without the brackets of the list).
fn scp(statements: &str) -> Policy {
    read("SERVICE_CONTROL_POLICY", &format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{statements}]}}"))
}

const FULL: &str = r#"{"Sid": "Full", "Effect": "Allow", "Action": "*", "Resource": "*"}"#;

fn one(old: &Policy, new: &Policy) -> Comparison {
    let (old, new) = ([vec![old.clone()]], [vec![new.clone()]]);
    compare(&old, &new, Ground::of(&old, &new), &Budget::default())
}

/// Compares two sets of statements: each request as `action resource facts: before -> after`.
fn told(old: &str, new: &str) -> Vec<String> {
    match one(&scp(old), &scp(new)) {
        Comparison::Equal(_) => vec!["equal".into()],
        Comparison::Undecided { why, .. } => vec![format!("undecided: {why}")],
        Comparison::Differs { witnesses, more, .. } => {
            assert_eq!(more, 0);
            witnesses.iter().map(line).collect()
        }
    }
}

fn line(witness: &Witness) -> String {
    let mut out = format!("{} {}", witness.action, witness.resource);
    for (key, values) in &witness.facts {
        out += &format!(" {key}={}", values.join(","));
    }
    for key in &witness.without {
        out += &format!(" without {key}");
    }
    format!("{out}: {:?} -> {:?}", witness.before.decision, witness.after.decision)
}

fn deny(rest: &str) -> String {
    format!(r#"{FULL}, {{"Effect": "Deny", {rest}}}"#)
}

const ANY: &str = r#""Resource": "*""#;

#[test]
fn equal_by_meaning_is_equal() {
    let pairs = [
        // Two statements that differ in their actions, and one with both.
        (
            format!(
                r#"{FULL}, {{"Effect": "Deny", "Action": "s3:Get*", {ANY}}}, {{"Effect": "Deny", "Action": "s3:Put*", {ANY}}}"#
            ),
            deny(&format!(r#""Action": ["S3:put*", "s3:get*"], {ANY}"#)),
        ),
        // What another covers may go.
        (
            format!(
                r#"{FULL}, {{"Effect": "Deny", "Action": "s3:*", {ANY}}}, {{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*", "Condition": {{"Bool": {{"aws:SecureTransport": "false"}}}}}}"#
            ),
            deny(&format!(r#""Action": "s3:*", {ANY}"#)),
        ),
        // A condition and its opposite are none.
        (
            format!(
                r#"{FULL}, {{"Effect": "Deny", "Action": "s3:*", {ANY}, "Condition": {{"StringEquals": {{"aws:X": "1"}}}}}},
                {{"Effect": "Deny", "Action": "s3:*", {ANY}, "Condition": {{"StringNotEquals": {{"aws:X": "1"}}}}}}"#
            ),
            deny(&format!(r#""Action": "s3:*", {ANY}"#)),
        ),
        // Written in other operators.
        (
            deny(&format!(r#""Action": "*", {ANY}, "Condition": {{"Bool": {{"aws:SecureTransport": "false"}}}}"#)),
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"StringEquals": {{"aws:SecureTransport": ["false", "False"]}}, "StringEqualsIgnoreCase": {{"aws:SecureTransport": "FALSE"}}}}"#
            )),
        ),
        (
            deny(&format!(r#""Action": "*", {ANY}, "Condition": {{"StringLike": {{"aws:X": ["a*", "ab*", "?b"]}}}}"#)),
            deny(&format!(r#""Action": "*", {ANY}, "Condition": {{"StringLike": {{"aws:X": ["?b", "a*"]}}}}"#)),
        ),
        // Networks that make up another.
        (
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"IpAddress": {{"aws:SourceIp": ["10.0.0.0/9", "10.128.0.0/9"]}}}}"#
            )),
            deny(&format!(r#""Action": "*", {ANY}, "Condition": {{"IpAddress": {{"aws:SourceIp": "10.0.0.0/8"}}}}"#)),
        ),
        (
            deny(&format!(r#""Action": "*", {ANY}, "Condition": {{"NumericLessThan": {{"s3:max-keys": "10"}}}}"#)),
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"NumericLessThan": {{"s3:max-keys": ["3", "10.0"]}}}}"#
            )),
        ),
        (
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"DateGreaterThan": {{"aws:CurrentTime": "2026-01-31"}}}}"#
            )),
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"DateGreaterThan": {{"aws:CurrentTime": "2026-01-31T01:00:00+01:00"}}}}"#
            )),
        ),
        // Resources that another holds, variables and all.
        (
            deny(
                r#""Action": "s3:*", "Resource": ["arn:aws:s3:::a*", "arn:aws:s3:::abc", "arn:aws:s3:::a/${aws:username}"]"#,
            ),
            deny(r#""Action": "s3:*", "Resource": "arn:aws:s3:::a*""#),
        ),
        // All but two is what is neither.
        (
            format!(r#"{{"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], {ANY}}}"#),
            format!(r#"{FULL}, {{"Effect": "Deny", "Action": ["sts:*", "iam:*"], {ANY}}}"#),
        ),
        (
            r#"{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::a"}"#.to_owned(),
            deny(r#""Action": "*", "Resource": "arn:aws:s3:::a""#),
        ),
        // The value of a variable that is not there matches nothing.
        (
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"StringEquals": {{"aws:ResourceTag/t": "${{aws:PrincipalTag/t}}"}}}}"#
            )),
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"StringEquals": {{"aws:ResourceTag/t": "${{aws:PrincipalTag/t}}"}}, "Null": {{"aws:PrincipalTag/t": "false"}}}}"#
            )),
        ),
        // A key with one value, and an operator for sets.
        (
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"ForAllValues:StringEquals": {{"aws:RequestedRegion": "a"}}}}"#
            )),
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"StringEqualsIfExists": {{"aws:RequestedRegion": "a"}}}}"#
            )),
        ),
        // Denies alone stand beside a policy that allows.
        (
            format!(
                r#"{{"Effect": "Deny", "Action": "s3:*", {ANY}}}, {{"Effect": "Deny", "Action": "s3:Get*", {ANY}}}"#
            ),
            format!(r#"{{"Effect": "Deny", "Action": "s3:*", {ANY}}}"#),
        ),
    ];
    for (old, new) in pairs {
        assert_eq!(told(&old, &new), ["equal"], "{old}\n{new}");
        assert_eq!(told(&new, &old), ["equal"], "{new}\n{old}");
    }
}

#[test]
fn what_differs_is_shown_by_a_request() {
    let cases: &[(String, String, &[&str])] = &[
        (
            FULL.to_owned(),
            deny(&format!(r#""Action": "s3:GetObject", {ANY}"#)),
            &["s3:GetObject arn:aws:s3:::example/example: Allowed -> Denied"],
        ),
        (
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"StringNotEquals": {{"aws:RequestedRegion": ["eu-west-1"]}}}}"#
            )),
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"StringNotEquals": {{"aws:RequestedRegion": ["eu-west-1", "us-east-1"]}}}}"#
            )),
            &["sts:AssumeRole arn:aws:iam::111122223333:role/example aws:RequestedRegion=us-east-1: Denied -> Allowed"],
        ),
        (
            deny(r#""Action": "s3:*", "Resource": "arn:aws:s3:::a/*""#),
            deny(r#""Action": "s3:*", "Resource": "arn:aws:s3:::a*""#),
            &["s3:AbortMultipartUpload arn:aws:s3:::aexample: Allowed -> Denied"],
        ),
        (
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"ForAnyValue:StringEquals": {{"aws:TagKeys": ["a", "b"]}}}}"#
            )),
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"ForAllValues:StringEquals": {{"aws:TagKeys": ["a", "b"]}}, "Null": {{"aws:TagKeys": "false"}}}}"#
            )),
            &["sts:AssumeRole arn:aws:iam::111122223333:role/example aws:TagKeys=example,a: Denied -> Allowed"],
        ),
        (
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"StringNotEquals": {{"aws:ResourceTag/team": "${{aws:PrincipalTag/team}}"}}}}"#
            )),
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"StringNotEqualsIfExists": {{"aws:ResourceTag/team": ["${{aws:PrincipalTag/team}}", "red"]}}}}"#
            )),
            &["sts:AssumeRole arn:aws:iam::111122223333:role/example aws:ResourceTag/team=red: Denied -> Allowed"],
        ),
        (
            deny(&format!(r#""Action": "*", {ANY}, "Condition": {{"StringEquals": {{"aws:X": "${{aws:Y}}"}}}}"#)),
            FULL.to_owned(),
            &["sts:AssumeRole arn:aws:iam::111122223333:role/example aws:X=example aws:Y=example: Denied -> Allowed"],
        ),
        (
            deny(r#""Action": "s3:*", "Resource": "arn:aws:s3:::home/${aws:username}/*""#),
            deny(r#""Action": "s3:*", "Resource": "arn:aws:s3:::home/${aws:userid}/*""#),
            &[],
        ),
    ];
    for (old, new, expected) in cases {
        let found = told(old, new);
        if expected.is_empty() {
            println!("{found:#?}");
            assert!(found.iter().all(|line| line.contains("->")), "{old}\n{new}\n{found:?}");
        } else {
            assert_eq!(found, *expected, "{old}\n{new}");
        }
    }
}

/// A list of the field: regions with exemptions, organizations, encryption, tags.
fn realistic(statements: usize) -> String {
    let mut out = vec![FULL.to_owned()];
    for n in 0..statements {
        let services = ["s3", "ec2", "iam", "kms", "sagemaker", "lambda", "rds", "dynamodb", "sns", "sqs"];
        let (a, b) = (services[n % 10], services[(n * 7 + 3) % 10]);
        out.push(match n % 6 {
            0 => format!(r#"{{"Effect": "Deny", "NotAction": ["iam:*", "sts:*", "{a}:List*"], "Resource": "*", "Condition": {{"StringNotEquals": {{"aws:RequestedRegion": ["eu-west-1", "eu-central-{n}"]}}, "ArnNotLike": {{"aws:PrincipalArn": ["arn:aws:iam::*:role/admin-{n}", "arn:aws:iam::*:role/ops*"]}}}}}}"#),
            1 => format!(r#"{{"Effect": "Deny", "Action": ["{a}:Put*", "{a}:*Policy", "{b}:Delete*"], "Resource": ["arn:aws:{a}:::x{n}/*", "arn:aws:{b}:*:*:thing/*"], "Condition": {{"Bool": {{"aws:SecureTransport": "false"}}}}}}"#),
            2 => format!(r#"{{"Effect": "Deny", "Action": ["{a}:Create*", "{b}:Run*"], "Resource": "*", "Condition": {{"Null": {{"aws:RequestTag/CostCenter": "true"}}, "StringNotEqualsIfExists": {{"aws:PrincipalOrgID": "o-{n}"}}}}}}"#),
            3 => format!(r#"{{"Effect": "Deny", "Action": "{a}:*", "Resource": "*", "Condition": {{"NotIpAddressIfExists": {{"aws:SourceIp": ["10.{n}.0.0/16", "192.168.0.0/24"]}}, "BoolIfExists": {{"aws:ViaAWSService": "false"}}, "StringNotEqualsIfExists": {{"aws:SourceVpc": ["vpc-{n}", "vpc-1"]}}}}}}"#),
            4 => format!(r#"{{"Effect": "Deny", "Action": ["{a}:Tag*", "{a}:Create*"], "Resource": "*", "Condition": {{"ForAnyValue:StringLike": {{"aws:TagKeys": ["secret-{n}", "bylaw:*"]}}, "StringNotLike": {{"aws:PrincipalTag/role": ["admin", "ops-{n}*"]}}}}}}"#),
            _ => format!(r#"{{"Effect": "Deny", "Action": ["{a}:Get{n}*", "{b}:Describe*"], "NotResource": "arn:aws:{a}:*:${{aws:PrincipalAccount}}:*", "Condition": {{"DateGreaterThan": {{"aws:CurrentTime": "2026-0{}-01"}}, "NumericGreaterThan": {{"s3:TlsVersion": "1.{n}"}}}}}}"#, 1 + n % 9),
        });
    }
    out.join(",")
}

#[test]
fn realistic_policies_are_decided_exactly_and_soon() {
    let old = realistic(30);
    let mut reversed: Vec<String> = old.split("}},").map(str::to_owned).collect();
    reversed.rotate_left(3);
    for (name, new) in [
        ("itself", old.clone()),
        (
            "a covered deny",
            format!(
                r#"{old}, {{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*", "Condition": {{"Null": {{"aws:RequestTag/CostCenter": "true"}}, "StringNotEqualsIfExists": {{"aws:PrincipalOrgID": ["o-2", "o-3"]}}, "Bool": {{"aws:SecureTransport": "true"}}}}}}"#
            ),
        ),
        ("one value", old.replace("vpc-3", "vpc-4")),
        ("an operator", old.replacen("StringNotEqualsIfExists", "StringNotEquals", 1)),
    ] {
        let (old, new) = (scp(&old), scp(&new));
        let start = Instant::now();
        let found = one(&old, &new);
        println!(
            "{name}: {:?} {:?}",
            start.elapsed(),
            match &found {
                Comparison::Differs { witnesses, .. } => witnesses.iter().map(line).collect::<Vec<_>>(),
                other => vec![format!("{other:?}")],
            }
        );
    }
}
