//! Patterns of actions and resources.

use proptest::prelude::*;

use super::super::pattern::{Pattern, Reading};
use super::*;
use crate::policy::statement::Version;

fn is_match(pattern: &str, reading: Reading, text: &str) -> bool {
    Pattern::new(pattern, reading, Version::V2012).is_match(text)
}

#[test]
fn resources_part_by_part() {
    let yes = [
        ("*", "arn:aws:s3:::b/k"),
        ("**", "*"),
        ("*", "*"),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/k/l:m"),
        ("arn:aws:s3:::b?", "arn:aws:s3:::bä"),
        ("arn:aws:s3:::b?c", "arn:aws:s3:::b:c"),
        ("arn:*:s3:::b", "arn:aws-cn:s3:::b"),
        ("arn:aws:sqs:*:*:q-*-x", "arn:aws:sqs:eu-west-1:111122223333:q-1-x"),
        // Fewer than six parts are filled up.
        ("arn:aws:sqs", "arn:aws:sqs:eu-west-1:111122223333:q"),
        ("arn:aws:sqs:*", "arn:aws:sqs:eu-west-1:111122223333:q"),
        ("arn:aws:iam::111122223333:*", "arn:aws:iam::111122223333:role/x"),
        // A star that ends a part runs over the colon.
        ("arn:aws:logs:eu*:log-group:*", "arn:aws:logs:eu-west-1:111122223333:log-group:x"),
        ("arn:aws:logs:*:*:log-group:*:b", "arn:aws:logs:eu-west-1:111122223333:log-group:a:c:b"),
    ];
    let no = [
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b"),
        ("arn:aws:s3:::b/*", "*"),
        ("arn:aws:s3:::B", "arn:aws:s3:::b"),
        ("arn:aws:sqs:e*1:q", "arn:aws:sqs:eu-west-1:111122223331:q"),
        ("arn:aws:sqs", "arn:aws:sns:eu-west-1:111122223333:q"),
        ("", "arn:aws:s3:::b"),
    ];
    for (pattern, text) in yes {
        assert!(is_match(pattern, Reading::Resource, text), "{pattern} {text}");
    }
    for (pattern, text) in no {
        assert!(!is_match(pattern, Reading::Resource, text), "{pattern} {text}");
    }
}

#[test]
fn actions_without_case_and_with_wildcards_anywhere() {
    let of = |scope: &str, action: &str| {
        let statement = format!(r#"{{"Effect": "Deny", {scope}, "Resource": "*"}}"#);
        ask(&ladder(&[&[&scp(FULL), &scp(&statement)]]), action, "*", &[]) == Decision::Denied
    };
    assert!(of(r#""Action": "S3:getobject""#, "s3:GetObject"));
    assert!(of(r#""Action": "s3:*Object*""#, "s3:GetObjectTagging"));
    assert!(of(r#""Action": ["ec2:*", "s3:Get?bject"]"#, "s3:GetObject"));
    assert!(of(r#""Action": "*""#, "s3:GetObject"));
    assert!(of(r#""Action": "*:Get*""#, "s3:GetObject"));
    assert!(!of(r#""Action": ["s3:GetObjectTagging", "s3:Put*", "ec2:*"]"#, "s3:GetObject"));
    assert!(!of(r#""NotAction": ["s3:Get*", "iam:*"]"#, "S3:GetObject"));
    assert!(of(r#""NotAction": ["s3:Get*", "iam:*"]"#, "s3:PutObject"));
    // Wide statements are found without looking at each of their patterns.
    for (action, denied) in [
        ("s3:ListAllMyBuckets", false),
        ("s3:ListBucket", true),
        ("iam:GetRole", false),
        ("sts:GetCallerIdentity", false),
        ("sts:AssumeRole", true),
        ("ec2:DescribeInstances", false),
        ("ec2:RunInstances", true),
        ("sqs:SendMessage", true),
    ] {
        let spared = r#""NotAction": ["S3:ListAllMyBuckets", "iam:*", "iam:Get*", "sts:Get*", "*:Describe*"]"#;
        assert_eq!(of(spared, action), denied, "{action}");
    }
    assert!(!of(r#""NotAction": ["s3:GetObject", "*"]"#, "ec2:RunInstances"));
    assert!(of(r#""Action": ["sqs:*", "s3:*", "s3:Get*", "s3:GetObject"]"#, "s3:GetObject"));
}

#[test]
fn resources_that_are_named_and_that_are_not() {
    let of = |scope: &str, resource: &str| {
        let statement = format!(r#"{{"Effect": "Deny", "Action": "*", {scope}}}"#);
        ask(&ladder(&[&[&scp(FULL), &scp(&statement)]]), "s3:GetObject", resource, &["aws:username=ana"])
    };
    let here = r#""Resource": ["arn:aws:s3:::a/*", "arn:aws:s3:::b/${aws:username}/*"]"#;
    assert_eq!(of(here, "arn:aws:s3:::b/ana/1"), Decision::Denied);
    assert_eq!(of(here, "arn:aws:s3:::b/bob/1"), Decision::Allowed);
    assert_eq!(of(here, "?"), Decision::Depends);
    assert_eq!(of(&here.replace("\"Resource", "\"NotResource"), "arn:aws:s3:::b/bob/1"), Decision::Denied);
    assert_eq!(of(&here.replace("\"Resource", "\"NotResource"), "arn:aws:s3:::a/1"), Decision::Allowed);
    // A call that has no resource is asked for `*`, which no ARN matches.
    assert_eq!(of(r#""Resource": "arn:aws:s3:::*""#, "*"), Decision::Allowed);
    assert_eq!(of(r#""Resource": "*""#, "*"), Decision::Denied);
    assert_eq!(of(r#""Resource": "*""#, "?"), Decision::Denied);
}

#[test]
fn a_variable_before_the_fifth_colon_of_a_resource_is_text() {
    let of = |resource: &str, asked: &str| {
        let statement = format!(r#"{{"Effect": "Deny", "Action": "*", "Resource": "{resource}"}}"#);
        let told = ["aws:PrincipalAccount=111122223333", "aws:username=ana"];
        ask(&ladder(&[&[&scp(FULL), &scp(&statement)]]), "sqs:SendMessage", asked, &told)
    };
    let queue = "arn:aws:sqs:eu-west-1:111122223333:ana";
    assert_eq!(of("arn:aws:sqs:eu-west-1:111122223333:${aws:username}", queue), Decision::Denied);
    assert_eq!(of("arn:aws:sqs:eu-west-1:${aws:PrincipalAccount}:ana", queue), Decision::Allowed);
    assert_eq!(of("arn:aws:sqs:eu-west-1:${aws:PrincipalAccount}:*", queue), Decision::Allowed);
}

/// The plain meaning, written as differently as possible: wildcards of `limited` stop at colons.
fn naive(pattern: &[char], text: &[char], limited: &dyn Fn(usize) -> bool, at: usize) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len())
            .take_while(|n| !limited(at) || !text[..*n].contains(&':'))
            .any(|n| naive(rest, &text[n..], limited, at + 1)),
        Some(('?', rest)) => {
            let taken = text.first().is_some_and(|letter| !limited(at) || *letter != ':');
            taken && naive(rest, &text[1..], limited, at + 1)
        }
        Some((letter, rest)) => text.first() == Some(letter) && naive(rest, &text[1..], limited, at + 1),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn matching_is_what_it_means(pattern in "[ab:*?]{0,8}", text in "[ab:]{0,9}") {
        let (own, of): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
        prop_assert_eq!(is_match(&pattern, Reading::Wild, &text), naive(&own, &of, &|_| false, 0));
        let everything = !pattern.is_empty() && pattern.chars().all(|c| c == '*');
        let limited = |at: usize| {
            let colons = own[..at].iter().filter(|c| **c == ':').count();
            // Of stars in a row the last is the one that ends a part.
            let after = own[at..].iter().find(|c| **c != '*');
            !everything && colons < 5 && (own[at] == '?' || !matches!(after, None | Some(':')))
        };
        prop_assert_eq!(is_match(&pattern, Reading::Resource, &text), naive(&own, &of, &limited, 0));
    }

    #[test]
    fn hostile_patterns_cost_little(n in 1_usize..400) {
        let pattern = "*a".repeat(n);
        prop_assert!(!is_match(&pattern, Reading::Wild, &"a".repeat(n * 2).replace("aa", "ba").replace('a', "b")));
    }
}
