//! What bylaw itself writes, given as a manifest: told as what it is, with the way to use it.

use super::tree::Node;
use crate::names::words::plain;

/// One form of output: the members that tell it (plain words; `formatVersion` they all have).
struct Output {
    members: &'static [&'static str],
    what: &'static str,
    /// `FILE` stands for the file.
    help: &'static str,
}

/// The first whose members are all there is the one. The schemas are in `schemas/`.
const OUTPUTS: [Output; 16] = [
    Output {
        members: &["saved", "changes"],
        what: "a plan that `bylaw plan --out` wrote",
        help: "`bylaw apply FILE`, without `-f`, runs it; the manifests are in it",
    },
    Output {
        members: &["converged"],
        what: "what `bylaw apply -o json` printed",
        help: "it tells what was done, and nothing more can be done with it: name the manifests",
    },
    Output {
        members: &["changes", "refusals"],
        what: "a plan as `bylaw plan -o json` prints it",
        help: "name the manifests; a plan that `bylaw apply PLAN` can run is kept by `bylaw plan -f … --out PLAN`",
    },
    Output {
        members: &["refusals", "approval"],
        what: "what `bylaw approve -o json` printed",
        help: "it tells what is refused in a cluster, and nothing more can be done with it: name the manifests",
    },
    Output {
        members: &["kind", "organization", "accounts"],
        what: "a snapshot of an organization",
        help: "`--snapshot FILE` beside the manifests plans on it; `bylaw import --snapshot FILE` makes manifests of it",
    },
    Output {
        members: &["summary", "issues"],
        what: "what `bylaw validate -o json` printed",
        help: "it tells what is wrong with manifests: name these",
    },
    Output {
        members: &["findings"],
        what: "what `bylaw lint -o json` printed",
        help: "it tells what is wrong with policy documents: name these, or the manifests",
    },
    Output {
        members: &["outcome", "witnesses"],
        what: "what `bylaw diff -o json` printed",
        help: "it tells how two policies differ, and nothing more can be done with it: name the manifests",
    },
    Output {
        members: &["decision", "line"],
        what: "what `bylaw can --requests` printed",
        help: "it tells what is decided of requests, and nothing more can be done with it: name the manifests",
    },
    Output {
        members: &["decision", "walk"],
        what: "what `bylaw can -o json` printed",
        help: "it tells what is decided of a request, and nothing more can be done with it: name the manifests",
    },
    Output {
        members: &["accounts", "units"],
        what: "what `bylaw who-can -o json` printed",
        help: "it tells where an action is allowed, and nothing more can be done with it: name the manifests",
    },
    Output {
        members: &["management", "policies"],
        what: "what `bylaw what-binds -o json` printed",
        help: "it tells what binds an account, and nothing more can be done with it: name the manifests",
    },
    Output {
        members: &["decision", "causes"],
        what: "what `bylaw why -o json` printed",
        help: "it tells why something was denied, and nothing more can be done with it: name the manifests",
    },
    Output {
        members: &["newlyDenied", "newlyAllowed"],
        what: "what `bylaw impact -o json` printed",
        help: "it tells which recorded calls change, and nothing more can be done with it: name the manifests",
    },
    Output {
        members: &["account", "events"],
        what: "what `bylaw history -o json` printed",
        help: "it tells what happened to an account, and nothing more can be done with it: name the manifests",
    },
    Output {
        members: &["root", "notPlaced"],
        what: "what `bylaw tree -o json` printed",
        help: "`bylaw import` makes manifests of an organization",
    },
];

/// What a document is and what to do with it, where bylaw wrote it.
pub(super) fn told(root: &Node, file: &str) -> Option<(String, String)> {
    root.get("formatVersion")?;
    let output = OUTPUTS.iter().find(|output| output.members.iter().all(|member| root.get(member).is_some()))?;
    let help = if file.starts_with('<') { output.help.to_owned() } else { output.help.replace("FILE", &plain(file)) };
    Some((format!("this is {}, not a manifest; it is passed over", output.what), help))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn every_output_with_a_schema_is_told_from_the_others() {
        let mut seen = std::collections::BTreeSet::new();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let schema: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let name = schema["title"].as_str().unwrap().to_owned();
            // What a person writes for bylaw to read is no output.
            if name == "can-requests-input" {
                continue;
            }
            let command = name.replace("can-requests", "can --requests");
            let required = schema["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned());
            let mut document: Map<String, Value> = required.map(|key| (key, Value::Bool(true))).collect();
            let (message, _) =
                told(&Node::of_value(&document.clone().into()), "a.json").unwrap_or_else(|| panic!("{name}"));
            assert!(message.contains(&command), "{name}: {message}");
            assert!(seen.insert(message), "{name} is taken for another");
            // Without the version it is somebody else's file.
            document.remove("formatVersion");
            assert_eq!(told(&Node::of_value(&document.into()), "a.json"), None);
        }
        assert_eq!(seen.len() + 1, OUTPUTS.len(), "a kept plan is a plan with its manifests");
    }
}
