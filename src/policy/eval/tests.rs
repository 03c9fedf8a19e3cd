//! Tests of the evaluator.

mod conditions;
mod corpus;
mod fuzz;
mod patterns;
mod properties;
mod tree;
mod whole;

use super::*;
use crate::names::PolicyType;
use crate::policy::Document;
use crate::policy::document::Content;
use crate::policy::statement::{DELEGATION_POLICY, Policy};

fn read(kind: &str, text: &str) -> Policy {
    let (document, _) = Document::parse(&PolicyType::new(kind), text).unwrap();
    let Content::Statements(policy) = document.content().clone() else { panic!("{text}") };
    policy
}

/// A policy of these statements (JSON, without the brackets of the list).
fn scp(statements: &str) -> Compiled {
    Compiled::new(&read(
        "SERVICE_CONTROL_POLICY",
        &format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{statements}]}}"),
    ))
}

/// The same with principals.
fn resource_policy(statements: &str) -> Compiled {
    Compiled::new(&read(DELEGATION_POLICY, &format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{statements}]}}")))
}

fn ladder(nodes: &[&[&Compiled]]) -> Ladder {
    Ladder::new(nodes.iter().map(|policies| policies.iter().copied()))
}

const FULL: &str = r#"{"Sid": "Full", "Effect": "Allow", "Action": "*", "Resource": "*"}"#;

/// `key=a,b`: values; `key=`: absent; `key?`: unknown. The rest is absent.
fn facts(told: &[&str]) -> Facts {
    let mut facts = Facts::complete();
    for text in told {
        match (text.split_once('='), text.strip_suffix('?')) {
            (Some((key, "")), _) => facts.set_absent(key),
            (Some((key, values)), _) => facts.set(key, values.split(',')),
            (None, Some(key)) => facts.set_unknown(key),
            (None, None) => panic!("{text}"),
        }
    }
    facts
}

fn ask(ladder: &Ladder, action: &str, resource: &str, told: &[&str]) -> Decision {
    let (action, facts) = (Action::parse(action).unwrap(), facts(told));
    let request =
        Request { action: &action, resource: (resource != "?").then_some(resource), facts: &facts, caller: None };
    let decision = ladder.decide(&request);
    assert_eq!(ladder.walk(&request).decision, decision, "the walk comes to the same");
    decision
}

#[test]
fn an_action_whose_name_is_not_known_is_decided_by_statements_on_all_or_none_of_its_service() {
    use Decision::{Allowed, Denied, Depends};
    let deny = |actions: &str| scp(&format!("{FULL}, {{\"Effect\": \"Deny\", {actions}, \"Resource\": \"*\"}}"));
    let cases = [
        (r#""Action": "*""#, Denied, Denied),
        (r#""Action": "budgets:*""#, Denied, Depends),
        (r#""Action": ["budgets:*", "payments:*"]"#, Denied, Denied),
        (r#""Action": "budgets:ViewBudget""#, Depends, Depends),
        (r#""Action": "budgets:View*""#, Depends, Depends),
        (r#""Action": "payments:*""#, Allowed, Depends),
        (r#""Action": "s3:*""#, Allowed, Allowed),
        (r#""Action": "b*:View*""#, Depends, Depends),
        (r#""NotAction": ["iam:*", "sts:AssumeRole"]"#, Denied, Denied),
        (r#""NotAction": ["budgets:*"]"#, Allowed, Depends),
        (r#""NotAction": ["budgets:ViewBudget"]"#, Depends, Depends),
        (r#""NotAction": "*""#, Allowed, Allowed),
    ];
    for (actions, of_one, of_two) in cases {
        let policy = deny(actions);
        let ladder = ladder(&[&[&policy]]);
        for (others, expected) in [(&[][..], of_one), (&["payments"], of_two)] {
            let action = Action::some_of("budgets", others).unwrap();
            let facts = Facts::complete();
            let request = Request { action: &action, resource: Some("*"), facts: &facts, caller: None };
            assert_eq!(ladder.decide(&request), expected, "{actions} {others:?}");
            let walk = ladder.walk(&request);
            assert_eq!(walk.decision, expected, "{actions} {others:?}");
            assert_eq!(walk.steps.iter().any(|step| step.open.action), expected == Depends, "{actions} {others:?}");
        }
    }
    // Where not everything is allowed, likewise.
    let policy = scp(r#"{"Effect": "Allow", "Action": ["budgets:ViewBudget", "s3:*"], "Resource": "*"}"#);
    let ladder = ladder(&[&[&policy]]);
    for (service, expected) in [("budgets", Depends), ("s3", Allowed), ("ec2", Denied)] {
        let (action, facts) = (Action::some_of(service, &[]).unwrap(), Facts::complete());
        let request = Request { action: &action, resource: Some("*"), facts: &facts, caller: None };
        assert_eq!(ladder.decide(&request), expected, "{service}");
    }
}
