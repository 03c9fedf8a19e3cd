//! Tests of the evaluator.

mod conditions;
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
