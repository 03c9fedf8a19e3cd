//! The same denies and allows as Cedar policies, with equal conditions.
//!
//! Cedar has no patterns of actions: a statement's patterns become the list of the requests' actions that they match, and
//! of those that it names in full. Keys of the request become attributes of the context, the ARN of the resource too.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::str::FromStr;

use cedar_policy::{Context, Entities, EntityUid, PolicySet, Request};
use serde_json::{Value, json};

use super::requests::Asked;

/// Every statement of every node as a policy. At each node something has to allow, and FullAWSAccess does.
pub fn policies(nodes: &[Vec<Value>], asked: &[Asked]) -> PolicySet {
    let actions: BTreeSet<&str> = asked.iter().map(|asked| asked.action.as_str()).collect();
    let mut text = String::new();
    for scp in nodes.iter().flatten() {
        for statement in scp["Statement"].as_array().into_iter().flatten() {
            write_policy(&mut text, statement, &actions);
        }
    }
    PolicySet::from_str(&text).expect("the policies are Cedar")
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect(),
    }
}

/// Patterns of actions with one star, as those of the SCPs here.
fn matches(pattern: &str, action: &str) -> bool {
    pattern.split_once('*').map_or(pattern == action, |(head, tail)| {
        action.len() >= head.len() + tail.len() && action.starts_with(head) && action.ends_with(tail)
    })
}

fn list(patterns: &[&str], actions: &BTreeSet<&str>) -> String {
    let full = patterns.iter().copied().filter(|pattern| !pattern.contains('*'));
    let matched = actions.iter().copied().filter(|action| patterns.iter().any(|pattern| matches(pattern, action)));
    let named: BTreeSet<String> = full.chain(matched).map(|action| format!("Action::{action:?}")).collect();
    format!("[{}]", named.into_iter().collect::<Vec<_>>().join(", "))
}

fn write_policy(out: &mut String, statement: &Value, actions: &BTreeSet<&str>) {
    let effect = if statement["Effect"] == "Deny" { "forbid" } else { "permit" };
    let named = strings(&statement["Action"]);
    let scope = if named.is_empty() || named == ["*"] {
        "action".to_owned()
    } else {
        format!("action in {}", list(&named, actions))
    };
    let _ = write!(out, "{effect}(principal, {scope}, resource)");
    let mut tests = vec![];
    if let Some(spared) = statement.get("NotAction") {
        tests.push(format!("!(action in {})", list(&strings(spared), actions)));
    }
    let likes = |key: &str, patterns: &[&str]| {
        let likes: Vec<String> = patterns.iter().map(|pattern| format!("{key} like {pattern:?}")).collect();
        format!("({})", likes.join(" || "))
    };
    let resources = strings(&statement["Resource"]);
    if resources != ["*"] {
        tests.push(likes("context.resource", &resources));
    }
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        for (key, values) in keys.as_object().into_iter().flatten() {
            let (has, own) = (format!("context has {key:?}"), format!("context[{key:?}]"));
            let values = strings(values);
            let listed =
                format!("[{}]", values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", "));
            tests.push(match operator.as_str() {
                "StringNotEquals" => format!("!({has} && {listed}.contains({own}))"),
                "StringNotLike" | "ArnNotLike" => format!("!({has} && {})", likes(&own, &values)),
                "Null" => format!("!({has})"),
                "Bool" => format!("({has} && {own} == {:?})", values[0]),
                "ForAnyValue:StringNotEquals" => format!("({has} && !{listed}.containsAll({own}))"),
                other => panic!("{other} is not translated"),
            });
        }
    }
    if !tests.is_empty() {
        let _ = write!(out, " when {{ {} }}", tests.join(" && "));
    }
    out.push_str(";\n");
}

/// The requests, ready to be asked.
pub fn requests(asked: &[Asked]) -> Vec<Request> {
    let uid = |kind: &str, id: &str| EntityUid::from_str(&format!("{kind}::{id:?}")).expect("an id is quoted");
    asked
        .iter()
        .map(|asked| {
            let mut keys = asked.keys.clone();
            keys.insert("resource".to_owned(), json!(asked.resource));
            let context = Context::from_json_value(Value::Object(keys), None).expect("keys are strings and lists");
            let (action, resource) = (uid("Action", asked.action.as_str()), uid("Resource", &asked.resource));
            Request::new(uid("Principal", "role"), action, resource, context, None).expect("no schema to offend")
        })
        .collect()
}

/// No entity has attributes or parents.
pub fn entities() -> Entities {
    Entities::empty()
}
