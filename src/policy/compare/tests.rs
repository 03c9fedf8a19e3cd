//! Tests of comparison by meaning.

mod properties;

use std::time::Instant;

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
        // The value of a variable that is not there matches nothing.
        (
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"StringEquals": {{"aws:ResourceTag/t": "${{aws:PrincipalTag/t}}"}}}}"#
            )),
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"StringEquals": {{"aws:ResourceTag/t": "${{aws:PrincipalTag/t}}"}}, "Null": {{"aws:PrincipalTag/t": "false"}}}}"#
            )),
        ),
        // What is no boolean is not what a variable stands for.
        (
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"Bool": {{"aws:B": "${{aws:Y}}"}}, "StringEquals": {{"aws:B": ["x", "true"]}}}}"#
            )),
            deny(&format!(
                r#""Action": "*", {ANY}, "Condition": {{"Bool": {{"aws:B": "${{aws:Y}}"}}, "StringEquals": {{"aws:B": "true"}}}}"#
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
fn a_deny_and_a_missing_allow_are_the_same_only_where_nothing_stands_beside_them() {
    let pairs = [
        (
            deny(&format!(r#""Action": "s3:*", {ANY}"#)),
            format!(r#"{{"Effect": "Allow", "NotAction": "s3:*", {ANY}}}"#),
            ("s3:", "Denied -> Allowed"),
        ),
        // All but two is what is neither.
        (
            format!(r#"{{"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], {ANY}}}"#),
            format!(r#"{FULL}, {{"Effect": "Deny", "Action": ["sts:*", "iam:*"], {ANY}}}"#),
            ("iam:", "Allowed -> Denied"),
        ),
        (
            r#"{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::a"}"#.to_owned(),
            deny(r#""Action": "*", "Resource": "arn:aws:s3:::a""#),
            ("", "Allowed -> Denied"),
        ),
        // A Deny of what nothing here allows.
        (
            format!(
                r#"{{"Effect": "Allow", "Action": "s3:Get*", {ANY}}}, {{"Effect": "Deny", "Action": "s3:PutObject", {ANY}}}"#
            ),
            format!(r#"{{"Effect": "Allow", "Action": "s3:Get*", {ANY}}}"#),
            ("s3:PutObject", "Denied -> Allowed"),
        ),
    ];
    for (old, new, (action, expected)) in pairs {
        let (old, new) = ([vec![scp(&old)]], [vec![scp(&new)]]);
        assert!(matches!(compare(&old, &new, Ground::AsGiven, &Budget::default()), Comparison::Equal(_)), "{expected}");
        let Comparison::Differs { witnesses, more: 0, .. } = one(&old[0][0], &new[0][0]) else { panic!("{expected}") };
        let [witness] = &*witnesses else { panic!("{witnesses:?}") };
        let told = line(witness);
        assert!(witness.beside && told.starts_with(action) && told.ends_with(expected), "{told}");
    }
}

#[test]
fn what_differs_alone_is_not_told_again_of_sets_beside_others() {
    let old = format!(
        r#"{{"Effect": "Allow", "Action": ["s3:*", "ec2:*"], {ANY}}}, {{"Effect": "Deny", "Action": ["s3:PutObject", "sqs:*"], {ANY}}}"#
    );
    let new = format!(r#"{{"Effect": "Allow", "Action": ["s3:*", "ec2:*"], {ANY}}}"#);
    let Comparison::Differs { witnesses, .. } = one(&scp(&old), &scp(&new)) else { panic!() };
    let told: Vec<(&str, bool)> =
        witnesses.iter().map(|it| (it.action.split(':').next().unwrap(), it.beside)).collect();
    assert_eq!(told, [("s3", false), ("sqs", true)]);
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
            &["s3:AbortMultipartUpload arn:aws:s3:::aexample/example: Allowed -> Denied"],
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
            deny(&format!(r#""Action": "*", {ANY}, "Condition": {{"Bool": {{"aws:B": "${{aws:Y}}"}}}}"#)),
            FULL.to_owned(),
            &["sts:AssumeRole arn:aws:iam::111122223333:role/example aws:B=true aws:Y=true: Denied -> Allowed"],
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

/// In a build for tests, on a machine that others use as well: the bound is far above what it takes.
#[test]
fn realistic_policies_are_decided_exactly_and_soon() {
    let old = realistic(30);
    let covered = format!(
        r#"{old}, {{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*", "Condition": {{"Null": {{"aws:RequestTag/CostCenter": "true"}},
        "StringNotEqualsIfExists": {{"aws:PrincipalOrgID": ["o-14", "o-26"]}}, "StringNotEquals": {{"aws:RequestedRegion": ["eu-west-1", "eu-central-6"]}},
        "ArnNotLike": {{"aws:PrincipalArn": ["arn:aws:iam::*:role/admin-6", "arn:aws:iam::*:role/ops*"]}}}}}}"#
    );
    for (name, new, expected) in [
        ("itself", old.clone(), 0),
        ("a deny that another covers", covered, 0),
        ("an operator that means the same", old.replacen("StringNotEqualsIfExists", "StringNotEquals", 1), 0),
        ("one value", old.replace("vpc-3", "vpc-4"), 2),
        ("one network", old.replacen("10.3.0.0/16", "10.3.0.0/17", 1), 1),
    ] {
        let (old, new) = (scp(&old), scp(&new));
        let start = Instant::now();
        let found = one(&old, &new);
        let took = start.elapsed();
        println!("{name}: {took:?}");
        match found {
            Comparison::Equal(_) => assert_eq!(expected, 0, "{name}"),
            Comparison::Differs { witnesses, more, .. } => {
                println!("{:#?}", witnesses.iter().map(line).collect::<Vec<_>>());
                assert!(expected > 0 && witnesses.len() >= expected && more == 0, "{name} {witnesses:#?}");
            }
            Comparison::Undecided { why, .. } => panic!("{name}: {why}"),
        }
        assert!(took.as_secs() < 10, "{name} took {took:?}");
    }
}

#[test]
fn callers_of_resource_policies_are_told_apart() {
    let policy = |principal: &str| {
        read(
            DELEGATION_POLICY,
            &format!(
                r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", {principal}, "Action": "organizations:List*", "Resource": "*"}}]}}"#
            ),
        )
    };
    let account = policy(r#""Principal": {"AWS": "111122223333"}"#);
    let root = policy(r#""Principal": {"AWS": "arn:aws:iam::111122223333:root"}"#);
    let both = policy(r#""Principal": {"AWS": ["111122223333", "arn:aws:iam::111122223333:role/a"]}"#);
    let role = policy(r#""Principal": {"AWS": "arn:aws:iam::111122223333:role/a"}"#);
    assert!(matches!(one(&account, &root), Comparison::Equal(_)));
    // Whoever is in the account is named by it already.
    assert!(matches!(one(&account, &both), Comparison::Equal(_)));
    let Comparison::Differs { witnesses, .. } = one(&account, &role) else { panic!() };
    assert_eq!(witnesses[0].caller.as_deref(), Some("arn:aws:iam::111122223333:role/example"));
}

#[test]
fn where_nothing_allows_another_policy_is_taken_to() {
    let rcp = |condition: &str| {
        read(
            "RESOURCE_CONTROL_POLICY",
            &format!(
                r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"{condition}}}]}}"#
            ),
        )
    };
    let Comparison::Differs { witnesses, .. } =
        one(&rcp(""), &rcp(r#", "Condition": {"Bool": {"aws:SecureTransport": "false"}}"#))
    else {
        panic!()
    };
    assert_eq!(
        witnesses.iter().map(line).collect::<Vec<_>>(),
        ["s3:AbortMultipartUpload arn:aws:s3:::example/example aws:SecureTransport=true: Denied -> Allowed"]
    );
    assert!(witnesses[0].after.by.is_empty() && witnesses[0].before.by.len() == 1);
}

#[test]
fn what_only_actions_to_come_tell_apart_is_said_to_be_so() {
    let names: Vec<String> = services::matching("sqs:*").map(|action| format!("\"{action}\"")).collect();
    let (old, new) = (
        scp(&deny(&format!(r#""Action": "sqs:*", {ANY}"#))),
        scp(&deny(&format!(r#""Action": [{}], {ANY}"#, names.join(",")))),
    );
    let Comparison::Differs { witnesses, .. } = one(&old, &new) else { panic!() };
    assert!(
        witnesses.len() == 1 && !witnesses[0].known_action && witnesses[0].action.starts_with("sqs:"),
        "{witnesses:?}"
    );
}

#[test]
fn nodes_down_a_way_have_to_allow_each() {
    let (s3, all) = (scp(&format!(r#"{{"Effect": "Allow", "Action": "s3:*", {ANY}}}"#)), scp(FULL));
    let one = |nodes: &[&[&Policy]]| {
        nodes.iter().map(|node| node.iter().map(|policy| (*policy).clone()).collect()).collect::<Vec<Vec<Policy>>>()
    };
    let run = |old: &Nodes, new: &Nodes| compare(old, new, Ground::AsGiven, &Budget::default());
    assert!(matches!(run(&one(&[&[&s3], &[&all]]), &one(&[&[&all], &[&s3]])), Comparison::Equal(_)));
    assert!(matches!(run(&one(&[&[&s3], &[&all]]), &one(&[&[&s3]])), Comparison::Equal(_)));
    let Comparison::Differs { witnesses, .. } = run(&one(&[&[&s3], &[&all]]), &one(&[&[&s3, &all]])) else { panic!() };
    assert_eq!((witnesses.len(), witnesses[0].before.stopped_at), (1, Some(0)));
}

#[test]
fn equal_is_not_said_of_what_the_work_allowed_did_not_reach() {
    let (old, new) = (
        scp(&realistic(12)),
        scp(&format!(
            r#"{}, {{"Effect": "Deny", "Action": "s3:x", {ANY}, "Condition": {{"StringEquals": {{"aws:Q": "q"}}}}}}"#,
            realistic(12)
        )),
    );
    for budget in [Budget { letters: 1_000, ..Budget::default() }, Budget { steps: 3, samples: 0, ..Budget::default() }]
    {
        let found = compare(&[vec![old.clone()]], &[vec![new.clone()]], Ground::AsGiven, &budget);
        assert!(!matches!(found, Comparison::Equal(_)), "{found:?}");
    }
    // A key whose values are compared in two ways at once.
    let both = |more: &str| {
        deny(&format!(
            r#""Action": "*", {ANY}, "Condition": {{"StringLike": {{"aws:X": "1*"}}, "NumericLessThan": {{"aws:X": "5"}}{more}}}"#
        ))
    };
    assert_eq!(told(&both(""), &both(r#", "NumericLessThanEquals": {"aws:X": "5"}"#)).len(), 1);
    assert!(told(&both(""), &both(r#", "NumericLessThanEquals": {"aws:X": "5"}"#))[0].starts_with("undecided"));
    assert_eq!(told(&both(""), &both("")), ["equal"]);
}

#[test]
fn hostile_policies_end_soon_and_are_not_called_equal_for_it() {
    let many = |n: usize, f: &dyn Fn(usize) -> String| (0..n).map(f).collect::<Vec<_>>().join(",");
    let statements = |tail: &str| {
        many(600, &|n| {
            format!(
                r#"{{"Effect": "Deny", "Action": ["s3:A{n}", "s3:B{n}{tail}"], "Resource": "arn:aws:s3:::{n}/*", "Condition": {{"StringEquals": {{"aws:k": "{n}"}}}}}}"#
            )
        })
    };
    let keys = |tail: &str| {
        many(400, &|n| {
            format!(
                r#"{{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {{"StringEquals": {{"aws:k{n}": "{n}{tail}"}}, "StringLike": {{"aws:k{}": "*{n}*"}}}}}}"#,
                (n * 7 + 1) % 400
            )
        })
    };
    let stars = |tail: &str| {
        deny(&format!(
            r#""Action": [{}], {ANY}"#,
            many(24, &|n| format!("\"s3:*{}*{}*{}{tail}\"", n % 7, n % 5, n % 3))
        ))
    };
    for (name, old, new) in [
        ("statements", statements(""), statements("")),
        ("statements that differ", statements(""), statements("x")),
        ("keys", keys(""), keys("")),
        ("keys that differ", keys(""), keys("x")),
        ("stars", stars(""), stars("")),
        ("stars that differ", stars(""), stars("*")),
    ] {
        let (old, new) = (scp(&old), scp(&new));
        let start = Instant::now();
        let found = one(&old, &new);
        let shown = match &found {
            Comparison::Equal(compared) => format!("equal {compared:?}"),
            Comparison::Differs { witnesses, more, compared } => format!("{} {more} {compared:?}", witnesses.len()),
            Comparison::Undecided { why, compared } => format!("{why} {compared:?}"),
        };
        println!("{name}: {:?} {shown}", start.elapsed());
        assert!(!name.contains("differ") || !matches!(found, Comparison::Equal(_)), "{name}");
        assert!(start.elapsed().as_secs() < 60, "{name}");
    }
}

#[test]
fn no_caller_is_told_with_the_arn_of_another() {
    let policy =
        |statement: &str| read("RESOURCE_POLICY", &format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#));
    let role = "arn:aws:iam::111122223333:role/x";
    let by_principal = policy(&format!(
        r#"{{"Effect": "Deny", "NotPrincipal": {{"AWS": "{role}"}}, "Action": "s3:*", "Resource": "*"}}"#
    ));
    let by_condition = policy(&format!(
        r#"{{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": {{"ArnNotEquals": {{"aws:PrincipalArn": "{role}"}}}}}}"#
    ));
    if let Comparison::Differs { witnesses, .. } = one(&by_principal, &by_condition) {
        for witness in witnesses {
            let told = witness.facts.iter().find(|(key, _)| key == "aws:PrincipalArn").map(|(_, values)| values);
            let (Some(caller), Some(told)) = (&witness.caller, told) else { continue };
            assert_eq!(told, &vec![caller.clone()], "{witness:?}");
        }
    }
    // A difference that a true caller shows is still one.
    let nobody =
        policy(r#"{"Effect": "Deny", "Principal": {"AWS": "444455556666"}, "Action": "s3:*", "Resource": "*"}"#);
    assert!(matches!(one(&by_principal, &nobody), Comparison::Differs { .. }));
}

#[test]
fn what_no_request_of_the_action_has_is_told() {
    let unlisted = |old: &str, new: &str| match one(&scp(old), &scp(new)) {
        Comparison::Differs { witnesses, .. } => witnesses.into_iter().map(|witness| witness.unlisted).collect(),
        _ => vec![],
    };
    // Buckets are listed whatever the bucket.
    let never = deny(r#""Action": "s3:ListAllMyBuckets", "Resource": "arn:aws:s3:::a*""#);
    assert_eq!(unlisted(FULL, &never), [["resource"]]);
    let key = r#""Action": "s3:ListAllMyBuckets", "Resource": "*", "Condition": {"Null": {"aws:TagKeys": "false"}}"#;
    assert_eq!(unlisted(FULL, &deny(key)), [["aws:TagKeys"]]);
    let likely = deny(r#""Action": "s3:GetObject", "Resource": "arn:aws:s3:::a*""#);
    assert_eq!(unlisted(FULL, &likely), [Vec::<String>::new()]);
}
