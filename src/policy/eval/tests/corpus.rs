//! Policies that AWS publishes as examples, in our own words, and what they decide: one file each in `corpus/`.
//!
//! A file holds the policy, the requests and what is expected of each. Keys that a request does not tell are absent, those
//! in `unknown` unknown. SCPs stand beside FullAWSAccess unless the file says otherwise.

use std::path::Path;

use serde_json::Value;

use super::*;

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect(),
    }
}

#[test]
fn published_policies_decide_as_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/policy/eval/tests/corpus");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut asked, mut wrong) = (0, vec![]);
    for file in &files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let case: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let kind = case["type"].as_str().unwrap();
        let (_, flaws) = Document::parse(&PolicyType::new(kind), &case["policy"].to_string()).unwrap();
        assert_eq!(flaws, vec![], "{name}: nothing is wrong with it");
        let own = Compiled::new(&read(kind, &case["policy"].to_string()));
        let controls_resources = kind == "RESOURCE_CONTROL_POLICY";
        let beside_full = case["beside_full_access"] != false && !controls_resources;
        let full = scp(FULL);
        let ladder = if beside_full { ladder(&[&[&full, &own]]) } else { ladder(&[&[&own]]) };
        for request in case["requests"].as_array().unwrap() {
            let mut facts = Facts::complete();
            for (key, values) in request["keys"].as_object().into_iter().flatten() {
                facts.set(key, strings(values));
            }
            strings(&request["unknown"]).into_iter().for_each(|key| facts.set_unknown(key));
            let action = Action::parse(request["action"].as_str().unwrap()).unwrap();
            let asked_for =
                Request { action: &action, resource: request["resource"].as_str(), facts: &facts, caller: None };
            let decision = match (controls_resources, ladder.denies(&asked_for)) {
                (false, _) => ladder.decide(&asked_for),
                // AWS's own RCPFullAWSAccess stands beside every RCP.
                (true, Truth::Yes) => Decision::Denied,
                (true, Truth::Depends) => Decision::Depends,
                (true, Truth::No) => Decision::Allowed,
            };
            let decision = format!("{decision:?}").to_lowercase();
            asked += 1;
            if request["is"] != *decision {
                wrong.push(format!("{name}: {decision}, not as in {request}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files.len() >= 30 && asked >= 130, "{} policies, {asked} requests", files.len());
}
