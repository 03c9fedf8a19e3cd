//! Decisions down the tree (Organizations user guide, "SCP evaluation").

use super::*;

const DENY_LEAVE: &str =
    r#"{"Sid": "Leave", "Effect": "Deny", "Action": "organizations:LeaveOrganization", "Resource": "*"}"#;
const REGIONS: &str = r#"{"Sid": "Regions", "Effect": "Deny", "NotAction": ["iam:*", "sts:*"], "Resource": "*",
    "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1"]}, "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin"}}}"#;

#[test]
fn an_allow_has_to_be_found_at_every_node() {
    let (full, s3) = (scp(FULL), scp(r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}"#));
    let all = ladder(&[&[&full], &[&full], &[&full]]);
    assert_eq!(ask(&all, "ec2:RunInstances", "*", &[]), Decision::Allowed);
    let narrowed = ladder(&[&[&full], &[&s3], &[&full]]);
    assert_eq!(ask(&narrowed, "ec2:RunInstances", "*", &[]), Decision::Denied);
    assert_eq!(ask(&narrowed, "s3:GetObject", "*", &[]), Decision::Allowed);
    // An allow beside FullAWSAccess restricts nothing.
    assert_eq!(ask(&ladder(&[&[&full, &s3]]), "ec2:RunInstances", "*", &[]), Decision::Allowed);
    assert_eq!(ask(&ladder(&[&[&full], &[]]), "s3:GetObject", "*", &[]), Decision::Denied);
    let action = Action::parse("ec2:RunInstances").unwrap();
    let facts = Facts::complete();
    let walk = narrowed.walk(&Request { action: &action, resource: None, facts: &facts, caller: None });
    assert_eq!((walk.stopped_at(), walk.denied_by()), (Some(1), None));
}

#[test]
fn a_deny_anywhere_wins_and_is_named() {
    let (full, leave, regions) = (scp(FULL), scp(DENY_LEAVE), scp(REGIONS));
    let ladder = ladder(&[&[&full, &leave], &[&full], &[&regions, &full]]);
    assert_eq!(
        ask(&ladder, "organizations:LeaveOrganization", "*", &["aws:RequestedRegion=eu-west-1"]),
        Decision::Denied
    );
    let action = Action::parse("ec2:RunInstances").unwrap();
    let known = facts(&["aws:RequestedRegion=us-east-1", "aws:PrincipalArn=arn:aws:iam::111122223333:role/dev"]);
    let request = Request { action: &action, resource: None, facts: &known, caller: None };
    let expected = Place { node: 2, policy: 0, statement: 0 };
    assert_eq!((ladder.walk(&request).denied_by(), ladder.denied_by(&request)), (Some(expected), Some(expected)));
}

#[test]
fn what_it_hangs_on_is_told() {
    let (full, regions) = (scp(FULL), scp(REGIONS));
    let ladder = ladder(&[&[&full], &[&full, &regions]]);
    let told = ["aws:RequestedRegion?", "aws:PrincipalArn=arn:aws:iam::111122223333:role/dev"];
    assert_eq!(ask(&ladder, "ec2:RunInstances", "*", &told), Decision::Depends);
    assert_eq!(ask(&ladder, "iam:CreateRole", "*", &told), Decision::Allowed);
    let admin = ["aws:RequestedRegion?", "aws:PrincipalArn=arn:aws:iam::111122223333:role/admin"];
    assert_eq!(ask(&ladder, "ec2:RunInstances", "*", &admin), Decision::Allowed);
    let (action, known) = (Action::parse("ec2:RunInstances").unwrap(), facts(&told));
    let walk = ladder.walk(&Request { action: &action, resource: Some("*"), facts: &known, caller: None });
    let step = walk.steps.iter().find(|step| step.applies == Truth::Depends).unwrap();
    assert_eq!((step.place, step.open.clauses.len()), (Place { node: 1, policy: 1, statement: 0 }, 1));
    let mut keys = std::collections::BTreeSet::new();
    ladder.keys_of(&action, |key| {
        keys.insert(key.to_owned());
    });
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["aws:PrincipalArn", "aws:RequestedRegion"]);
}

#[test]
fn an_allow_with_a_condition_counts_only_where_nothing_else_allows() {
    let (full, some) = (
        scp(FULL),
        scp(
            r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}"#,
        ),
    );
    assert_eq!(
        ask(&ladder(&[&[&full, &some]]), "s3:GetObject", "*", &["aws:SecureTransport=false"]),
        Decision::Allowed
    );
    assert_eq!(ask(&ladder(&[&[&some]]), "s3:GetObject", "*", &["aws:SecureTransport=false"]), Decision::Denied);
    assert_eq!(ask(&ladder(&[&[&some]]), "s3:GetObject", "*", &["aws:SecureTransport?"]), Decision::Depends);
}

#[test]
fn a_policy_of_ten_thousand_statements_is_compiled_and_asked() {
    let statements: Vec<String> = (0..10_000)
        .map(|n| format!(r#"{{"Effect": "Deny", "Action": ["s3:Put{n}*", "ec2:Run{n}"], "Resource": "*"}}"#))
        .collect();
    let ladder = ladder(&[&[&scp(FULL), &scp(&statements.join(","))]]);
    assert_eq!(ask(&ladder, "s3:Put9999Object", "*", &[]), Decision::Denied);
    assert_eq!(ask(&ladder, "ec2:Run10000", "*", &[]), Decision::Allowed);
}

#[test]
fn nodes_past_the_last_that_is_told_apart_deny_and_have_to_allow_too() {
    let (full, leave, none) =
        (scp(FULL), scp(DENY_LEAVE), scp(r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}"#));
    let way = |last: &Compiled| {
        let mut nodes = vec![vec![&full]; MOST_NODES + 3];
        nodes.last_mut().unwrap().push(last);
        Ladder::new(nodes)
    };
    assert_eq!(ask(&way(&leave), "organizations:LeaveOrganization", "*", &[]), Decision::Denied);
    assert_eq!(ask(&way(&leave), "s3:GetObject", "*", &[]), Decision::Allowed);
    let mut nodes = vec![vec![&full]; MOST_NODES + 3];
    nodes[MOST_NODES - 1] = vec![&none];
    assert_eq!(ask(&Ladder::new(nodes), "s3:GetObject", "*", &[]), Decision::Allowed);
}

#[test]
fn a_resource_of_which_only_the_type_is_known_is_decided_by_its_type() {
    let deny = |resource: &str| {
        let statement = format!(r#"{{"Effect": "Deny", "Action": "ec2:CreateSubnet", {resource}}}"#);
        let policy = scp(&format!("{FULL}, {statement}"));
        let ladder = ladder(&[&[&policy]]);
        let action = Action::parse("ec2:CreateSubnet").unwrap();
        let mut facts = Facts::complete();
        facts.set_among(["arn:aws:ec2:*:*:vpc/*"]);
        let of_type = ladder.decide(&Request { action: &action, resource: None, facts: &facts, caller: None });
        facts.set_among(["arn:aws:ec2:*:*:vpc/*", "arn:aws:ec2:*:*:subnet/*"]);
        (of_type, ladder.decide(&Request { action: &action, resource: None, facts: &facts, caller: None }))
    };
    use Decision::{Allowed, Denied, Depends};
    assert_eq!(deny(r#""Resource": "*""#), (Denied, Denied));
    assert_eq!(deny(r#""Resource": "arn:aws:ec2:*:*:vpc/*""#), (Denied, Depends));
    assert_eq!(deny(r#""Resource": "arn:*:ec2:*""#), (Denied, Denied));
    assert_eq!(deny(r#""Resource": "arn:aws:ec2:*:*:subnet/*""#), (Allowed, Depends));
    assert_eq!(deny(r#""Resource": "arn:aws:ec2:*:*:subnet-cidr/*""#), (Allowed, Allowed));
    assert_eq!(deny(r#""Resource": "arn:aws:ec2:eu-west-1:*:vpc/*""#), (Depends, Depends));
    assert_eq!(deny(r#""Resource": "arn:aws:ec2:*:*:vpc/${aws:username}""#), (Depends, Depends));
    assert_eq!(deny(r#""NotResource": "arn:aws:ec2:*:*:vpc/*""#), (Allowed, Depends));
    assert_eq!(deny(r#""NotResource": "arn:aws:ec2:*:*:subnet/*""#), (Denied, Depends));
}
