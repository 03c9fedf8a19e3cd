//! What bylaw decides of a simulation as iam-simulate is given it.

use bylaw::names::PolicyType;
use bylaw::policy::Document;
use bylaw::policy::document::Content;
use bylaw::policy::eval::{Action, Caller, Compiled, Decision, Facts, Ladder, Layers, Request, Truth};
use bylaw::policy::statement::{DELEGATION_POLICY, Version};
use serde_json::{Value, json};

/// What comes out, in the words of iam-simulate.
pub fn decide(simulation: &Value) -> &'static str {
    let request = &simulation["request"];
    let action = Action::parse(text(&request["action"])).unwrap();
    let mut facts = Facts::complete();
    for (key, value) in request["contextVariables"].as_object().unwrap() {
        match value {
            Value::Array(values) => facts.set(key, values.iter().map(text)),
            value => facts.set_one(key, text(value)),
        }
    }
    let resource = text(&request["resource"]["resource"]);
    let role;
    let caller = match request["principal"].as_str() {
        None => Caller::Anonymous,
        Some(principal) => {
            role = underlying(principal);
            caller(principal, &role)
        }
    };
    let nodes = |name: &str, kind: &str| {
        let nodes = simulation[name].as_array().unwrap();
        let nodes: Vec<Vec<Compiled>> = nodes.iter().map(|node| named(&node["policies"], kind)).collect();
        (!nodes.is_empty()).then(|| Ladder::new(&nodes))
    };
    let single = |policies: Vec<Compiled>| Ladder::new([&policies]);
    let scps = nodes("serviceControlPolicies", "SERVICE_CONTROL_POLICY");
    let rcps = nodes("resourceControlPolicies", "RESOURCE_CONTROL_POLICY");
    let identity = single(named(&simulation["identityPolicies"], "SERVICE_CONTROL_POLICY"));
    let boundary = simulation.get("permissionBoundaryPolicies").map(|of| single(named(of, "SERVICE_CONTROL_POLICY")));
    let session = simulation.get("sessionPolicy").map(|of| single(vec![compile(of, "SERVICE_CONTROL_POLICY")]));
    let granted = simulation.get("resourcePolicy").map(|of| single(vec![compile(of, DELEGATION_POLICY)]));
    let layers = Layers {
        service_control: scps.as_ref(),
        resource_control: rcps.as_ref(),
        resource: granted.as_ref(),
        identity: Some(&identity),
        boundary: boundary.as_ref(),
        session: session.as_ref(),
        other_account: caller.account() != request["resource"]["accountId"].as_str(),
        // A role's trust policy and a KMS key's policy.
        resource_has_to_allow: text(&request["action"]).eq_ignore_ascii_case("sts:AssumeRole")
            || resource.starts_with("arn:aws:kms:"),
    };
    let request = Request { action: &action, resource: Some(resource), facts: &facts, caller: Some(caller) };
    let walk = layers.walk(&request);
    assert_eq!(walk.decision, layers.decide(&request), "{simulation}");
    match walk.decision {
        Decision::Allowed => "Allowed",
        Decision::Denied if layers.denies(&request) == Truth::Yes => "ExplicitlyDenied",
        Decision::Denied => "ImplicitlyDenied",
        Decision::Depends => panic!("everything is known: {simulation}"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The role of a session, or the user of a federated one; the generator gives neither a path.
fn underlying(principal: &str) -> String {
    let parts: Vec<&str> = principal.split(':').collect();
    match parts[..] {
        [_, _, "sts", _, account, name] => {
            let mut words = name.split('/');
            let kind = if words.next() == Some("assumed-role") { "role" } else { "user" };
            format!("arn:aws:iam::{account}:{kind}/{}", words.next().unwrap())
        }
        _ => String::new(),
    }
}

fn caller<'a>(principal: &'a str, underlying: &'a str) -> Caller<'a> {
    let parts: Vec<&str> = principal.split(':').collect();
    match parts[..] {
        [service] => Caller::Service(service),
        [_, _, _, _, account, "root"] => Caller::Root { account },
        [_, _, _, _, account, name] if name.starts_with("user/") => Caller::User { account, arn: principal },
        [_, _, _, _, account, name] if name.starts_with("assumed-role/") => {
            Caller::Role { account, arn: underlying, session: Some(principal) }
        }
        [_, _, _, _, account, name] if name.starts_with("role/") => {
            Caller::Role { account, arn: principal, session: None }
        }
        [_, _, _, _, account, _] => Caller::Federated { account, user: underlying, session: principal },
        _ => panic!("{principal}"),
    }
}

fn named(policies: &Value, kind: &str) -> Vec<Compiled> {
    policies.as_array().unwrap().iter().map(|named| compile(&named["policy"], kind)).collect()
}

/// Identity policies are read as SCPs, whose language is the same but for the older version, which SCPs do not have.
fn compile(policy: &Value, kind: &str) -> Compiled {
    let mut readable = policy.clone();
    readable["Version"] = json!("2012-10-17");
    let read = Document::parse(&PolicyType::new(kind), &readable.to_string());
    let (document, _) = read.unwrap_or_else(|flaws| panic!("{policy}: {flaws:?}"));
    let Content::Statements(mut statements) = document.content().clone() else { panic!("{policy}") };
    if policy["Version"] != readable["Version"] {
        statements.version = Version::V2008;
    }
    Compiled::new(&statements)
}
