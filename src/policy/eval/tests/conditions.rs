//! Condition operators, one line a case: what a key's value, its absence and ignorance of it make of a clause.

use super::*;
use Truth::{Depends, No, Yes};

/// Whether a statement with that condition applies.
fn holds(condition: &str, told: &[&str]) -> Truth {
    let statement = format!(r#"{{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {condition}}}"#);
    let ladder = ladder(&[&[&scp(&statement)]]);
    let (action, facts) = (Action::parse("s3:GetObject").unwrap(), facts(told));
    ladder.denies(&Request { action: &action, resource: Some("*"), facts: &facts, caller: None })
}

fn check(cases: &[(&str, &[&str], Truth)]) {
    for (condition, told, expected) in cases {
        assert_eq!(holds(condition, told), *expected, "{condition} of {told:?}");
    }
}

#[test]
fn a_key_that_is_absent() {
    for (operator, value, expected) in [
        ("StringEquals", "x", No),
        ("StringNotEquals", "x", Yes),
        ("StringEqualsIgnoreCase", "x", No),
        ("StringNotEqualsIgnoreCase", "x", Yes),
        ("StringLike", "*", No),
        ("StringNotLike", "*", Yes),
        ("NumericEquals", "1", No),
        ("NumericNotEquals", "1", Yes),
        ("NumericLessThan", "1", No),
        ("DateLessThan", "2026-01-01T00:00:00Z", No),
        ("DateNotEquals", "2026-01-01T00:00:00Z", Yes),
        ("Bool", "false", No),
        ("BinaryEquals", "QQ==", No),
        ("IpAddress", "0.0.0.0/0", No),
        ("NotIpAddress", "0.0.0.0/0", Yes),
        ("ArnLike", "arn:aws:iam::*:role/*", No),
        ("ArnNotLike", "arn:aws:iam::*:role/*", Yes),
        ("ArnNotEquals", "arn:aws:iam::*:role/*", Yes),
        ("Null", "true", Yes),
        ("Null", "false", No),
    ] {
        let condition = |operator: &str| format!(r#"{{"{operator}": {{"aws:X": "{value}"}}}}"#);
        assert_eq!(holds(&condition(operator), &[]), expected, "{operator}");
        assert_eq!(holds(&condition(operator), &["aws:X?"]), Depends, "{operator}");
        if operator != "Null" {
            assert_eq!(holds(&condition(&format!("{operator}IfExists")), &[]), Yes, "{operator}IfExists");
            assert_eq!(holds(&condition(&format!("ForAllValues:{operator}")), &[]), Yes, "ForAllValues:{operator}");
            assert_eq!(holds(&condition(&format!("ForAnyValue:{operator}")), &[]), No, "ForAnyValue:{operator}");
        }
    }
}

#[test]
fn texts() {
    check(&[
        (r#"{"StringEquals": {"aws:X": ["a", "b"]}}"#, &["aws:x=b"], Yes),
        (r#"{"StringEquals": {"AWS:x": "b"}}"#, &["aws:X=B"], No),
        (r#"{"StringEquals": {"aws:X": "a*"}}"#, &["aws:X=ab"], No),
        (r#"{"StringEquals": {"aws:X": "a*"}}"#, &["aws:X=a*"], Yes),
        (r#"{"StringEqualsIgnoreCase": {"aws:X": "aB"}}"#, &["aws:X=Ab"], Yes),
        (r#"{"StringEqualsIgnoreCase": {"aws:X": "aB"}}"#, &["aws:X=Abc"], No),
        (r#"{"StringNotEquals": {"aws:X": ["a", "b"]}}"#, &["aws:X=b"], No),
        (r#"{"StringNotEquals": {"aws:X": ["a", "b"]}}"#, &["aws:X=c"], Yes),
        (r#"{"StringLike": {"aws:X": "a?c*"}}"#, &["aws:X=abcd"], Yes),
        (r#"{"StringLike": {"aws:X": "a?c*"}}"#, &["aws:X=Abcd"], No),
        (r#"{"StringNotLike": {"aws:X": "a*"}}"#, &["aws:X=b"], Yes),
        (r#"{"StringNotLike": {"aws:X": ["a*", "b*"]}}"#, &["aws:X=b"], No),
        (r#"{"StringLikeIfExists": {"aws:X": "a*"}}"#, &["aws:X=b"], No),
    ]);
}

#[test]
fn keys_of_many_values() {
    check(&[
        (r#"{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#, &["aws:TagKeys=a,b"], Yes),
        (r#"{"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#, &["aws:TagKeys=a,c"], No),
        (r#"{"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#, &["aws:TagKeys=c,b"], Yes),
        (r#"{"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#, &["aws:TagKeys=c"], No),
        (r#"{"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}"#, &["aws:TagKeys=a,c"], Yes),
        (r#"{"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}"#, &["aws:TagKeys=a,b"], No),
        (r#"{"ForAllValues:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}"#, &["aws:TagKeys=a,c"], No),
        (r#"{"ForAllValues:StringNotLike": {"aws:TagKeys": "a*"}}"#, &["aws:TagKeys=b,c"], Yes),
        // Without a set operator one match is enough, and none may be for a negated one.
        (r#"{"StringEquals": {"aws:TagKeys": "a"}}"#, &["aws:TagKeys=a,c"], Yes),
        (r#"{"StringNotEquals": {"aws:TagKeys": "a"}}"#, &["aws:TagKeys=a,c"], No),
        // The instance-type guard: absent on a call without a type, so it does not deny that.
        (
            r#"{"ForAnyValue:StringNotLike": {"sagemaker:InstanceTypes": "ml.t3.*"}}"#,
            &["sagemaker:InstanceTypes=ml.t3.medium,ml.p4d.24xlarge"],
            Yes,
        ),
        (r#"{"ForAnyValue:StringNotLike": {"sagemaker:InstanceTypes": "ml.t3.*"}}"#, &[], No),
    ]);
}

#[test]
fn numbers_dates_and_booleans() {
    check(&[
        (r#"{"NumericEquals": {"aws:X": "1.0"}}"#, &["aws:X=1"], Yes),
        (r#"{"NumericNotEquals": {"aws:X": [1, 2]}}"#, &["aws:X=2"], No),
        (r#"{"NumericLessThan": {"aws:X": 10}}"#, &["aws:X=9"], Yes),
        (r#"{"NumericLessThan": {"aws:X": 10}}"#, &["aws:X=10"], No),
        (r#"{"NumericLessThanEquals": {"aws:X": 10}}"#, &["aws:X=10"], Yes),
        (r#"{"NumericGreaterThan": {"aws:X": 10}}"#, &["aws:X=10.5"], Yes),
        (r#"{"NumericGreaterThanEquals": {"aws:X": 10}}"#, &["aws:X=ten"], No),
        (
            r#"{"DateGreaterThan": {"aws:CurrentTime": "2026-06-01T00:00:00Z"}}"#,
            &["aws:CurrentTime=2026-06-01T02:00:00+01:00"],
            Yes,
        ),
        (r#"{"DateLessThan": {"aws:CurrentTime": "2026-06-01"}}"#, &["aws:CurrentTime=2026-06-01T00:00:00Z"], No),
        (r#"{"DateLessThanEquals": {"aws:EpochTime": "1770000000"}}"#, &["aws:EpochTime=1769999999"], Yes),
        (r#"{"DateEquals": {"aws:X": "2026-06-01T00:00:00Z"}}"#, &["aws:X=yesterday"], No),
        (r#"{"DateNotEquals": {"aws:X": "2026-06-01T00:00:00Z"}}"#, &["aws:X=yesterday"], Yes),
        (r#"{"Bool": {"aws:X": true}}"#, &["aws:X=True"], Yes),
        (r#"{"Bool": {"aws:X": "false"}}"#, &["aws:X=true"], No),
        (r#"{"BoolIfExists": {"aws:X": "false"}}"#, &["aws:X=true"], No),
        (r#"{"Null": {"aws:X": "false"}}"#, &["aws:X=x"], Yes),
        (r#"{"Null": {"aws:X": ["true", "false"]}}"#, &["aws:X=x"], Yes),
        (r#"{"BinaryEquals": {"aws:X": "QmluYXJ5"}}"#, &["aws:X=QmluYXJ5"], Yes),
    ]);
}

#[test]
fn networks_and_arns() {
    check(&[
        (r#"{"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}}"#, &["aws:SourceIp=2001:db8::7"], Yes),
        (r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#, &["aws:SourceIp=192.0.2.1"], No),
        (r#"{"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.1"]}}"#, &["aws:SourceIp=192.0.2.1"], No),
        (r#"{"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#, &["aws:SourceIp=cloudformation.amazonaws.com"], Yes),
        (
            r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/app/*"}}"#,
            &["aws:PrincipalArn=arn:aws:iam::111122223333:role/app/x/y"],
            Yes,
        ),
        (
            r#"{"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}"#,
            &["aws:PrincipalArn=arn:aws:iam::111122223333:role/x"],
            Yes,
        ),
        // A star of one part matches no colon.
        (
            r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:*:role/x"}}"#,
            &["aws:PrincipalArn=arn:aws:iam::111122223333:role/x"],
            No,
        ),
        (
            r#"{"ArnLike": {"aws:SourceArn": "arn:aws:logs:*:*:log-group:*:x"}}"#,
            &["aws:SourceArn=arn:aws:logs:eu-west-1:111122223333:log-group:a:b:x"],
            Yes,
        ),
        (
            r#"{"ArnNotLike": {"aws:PrincipalArn": ["arn:aws:iam::*:role/a", "arn:aws:iam::*:role/b"]}}"#,
            &["aws:PrincipalArn=arn:aws:iam::111122223333:role/b"],
            No,
        ),
        (r#"{"ArnLike": {"aws:SourceArn": "arn:aws:iam::*:role/*"}}"#, &["aws:SourceArn=role/x"], No),
    ]);
}

#[test]
fn all_clauses_have_to_hold_and_one_that_does_not_settles_it() {
    let both = r#"{"StringEquals": {"aws:X": "a"}, "Null": {"aws:Y": "true"}}"#;
    check(&[
        (both, &["aws:X=a"], Yes),
        (both, &["aws:X=a", "aws:Y=1"], No),
        (both, &["aws:X?", "aws:Y=1"], No),
        (both, &["aws:X?"], Depends),
        // `Null` with two keys asks that both be absent.
        (r#"{"Null": {"aws:RequestTag/A": "true", "aws:RequestTag/B": "true"}}"#, &["aws:RequestTag/A=x"], No),
    ]);
}

#[test]
fn variables() {
    let own = r#"{"StringEquals": {"aws:ResourceTag/owner": "${aws:username}"}}"#;
    let other = r#"{"StringNotEquals": {"aws:ResourceTag/owner": "${aws:username}"}}"#;
    check(&[
        (own, &["aws:ResourceTag/owner=ana", "aws:username=ana"], Yes),
        (own, &["aws:ResourceTag/owner=ana", "aws:username=Ana"], No),
        (own, &["aws:ResourceTag/owner=ana"], No),
        (own, &["aws:ResourceTag/owner=ana", "aws:username?"], Depends),
        (other, &["aws:ResourceTag/owner=ana", "aws:username=bob"], Yes),
        (other, &["aws:ResourceTag/owner=ana", "aws:username?"], Depends),
        // What a variable stands for is text.
        (r#"{"StringLike": {"aws:X": "${aws:username}/*"}}"#, &["aws:X=bob/1", "aws:username=*"], No),
        (r#"{"StringLike": {"aws:X": "${aws:username}/*"}}"#, &["aws:X=bob/1", "aws:username=bob"], Yes),
        (r#"{"StringEquals": {"aws:X": "${aws:PrincipalTag/team, 'none'}"}}"#, &["aws:X=none"], Yes),
        (
            r#"{"StringEquals": {"aws:X": "${aws:PrincipalTag/team, 'none'}"}}"#,
            &["aws:X=none", "aws:PrincipalTag/team=a"],
            No,
        ),
        (r#"{"StringLike": {"aws:X": "a${*}b${?}${$}"}}"#, &["aws:X=a*b?$"], Yes),
        (r#"{"StringLike": {"aws:X": "a${*}b"}}"#, &["aws:X=axb"], No),
        (r#"{"StringEqualsIgnoreCase": {"aws:X": "${aws:username}"}}"#, &["aws:X=BOB", "aws:username=bob"], Yes),
        // A variable that is unknown decides nothing where the rest does not match.
        (r#"{"StringLike": {"aws:X": "home/${aws:username}"}}"#, &["aws:X=work/bob", "aws:username?"], No),
        // A key of many values is no variable.
        (r#"{"StringEquals": {"aws:X": "${aws:TagKeys}"}}"#, &["aws:X=a", "aws:TagKeys=a,b"], No),
    ]);
}
