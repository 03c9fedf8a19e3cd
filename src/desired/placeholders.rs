//! Placeholders of a template that were left in place in the fields of manifests: names, e-mails, ids, targets, tags. Policy documents
//! have a rule of their own ([`crate::policy::lint`]).

use serde_json::Value;

use super::lint::document;
use super::model::{Issue, Severity};
use super::read::{Body, Manifest};
use crate::policy::flaw::{join_index, join_key};
use crate::policy::template;

/// The rule, which is that of policy documents.
const RULE: &str = "placeholder";
/// Text for people.
const FOR_PEOPLE: [&str; 2] = ["spec.description", "metadata.annotations"];

/// What is found in one object, in the order of its fields.
pub(super) fn find(manifest: &Manifest) -> Vec<Issue> {
    let mut found = vec![];
    let own = manifest.body.as_ref().and_then(document).map(|(field, ..)| field);
    match &manifest.body {
        Some(body) => {
            walk(&spec(body), "spec", own, &mut found);
            for (key, value) in &manifest.tags {
                let path = join_key("spec.tags", key);
                look(key, &path, &mut found);
                look(value, &path, &mut found);
            }
        }
        // What is wrong with it may be just this.
        None => {
            let spec = manifest.tree().get("spec").map(super::tree::Node::to_json).unwrap_or_default();
            walk(&spec, "spec", Some("spec.content"), &mut found);
        }
    }
    found.into_iter().map(|(path, placeholder)| issue(manifest, &path, &placeholder)).collect()
}

/// A placeholder without the text that it stands in.
struct Found {
    text: String,
    noun: String,
    help: String,
    sure: bool,
}

fn spec(body: &Body) -> Value {
    let written = match body {
        Body::Organization(spec) => serde_json::to_value(spec),
        Body::Unit(spec) => serde_json::to_value(spec),
        Body::Account(spec) => serde_json::to_value(spec),
        Body::Policy(spec) => serde_json::to_value(spec),
    };
    written.unwrap_or_default()
}

fn look(text: &str, path: &str, found: &mut Vec<(String, Found)>) {
    if let Some(placeholder) = template::find(text, false) {
        let told = Found {
            text: placeholder.text.to_owned(),
            noun: placeholder.noun(),
            help: placeholder.help(),
            sure: placeholder.sure,
        };
        found.push((path.to_owned(), told));
    }
}

/// Every text of a value, keys included. `own`: the field of the policy document, which is left to the rules of documents.
fn walk(value: &Value, path: &str, own: Option<&str>, found: &mut Vec<(String, Found)>) {
    if own == Some(path) || FOR_PEOPLE.contains(&path) {
        return;
    }
    match value {
        Value::String(text) => look(text, path, found),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                walk(item, &join_index(path, at), own, found);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                let path = join_key(path, key);
                look(key, &path, found);
                walk(member, &path, own, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn issue(manifest: &Manifest, path: &str, found: &Found) -> Issue {
    let severity = if found.sure { Severity::Error } else { Severity::Warning };
    let message = format!("`{}` is {} that was not filled; as it stands it is sent to AWS", found.text, found.noun);
    Issue::new(severity, RULE, manifest.place(path), manifest.label(), path, message).help(found.help.clone())
}

#[cfg(test)]
mod tests {
    use crate::desired::{Severity, Source, lint, read_all};

    fn found(text: &str) -> Vec<(String, u32, Severity)> {
        let sources = [Source { file: "a.yaml".into(), bytes: text.as_bytes().to_vec() }];
        let manifests = read_all(&sources).manifests;
        let told = lint(&manifests, &sources).into_iter().map(|told| told.issue);
        told.filter(|issue| issue.rule == "placeholder")
            .map(|issue| (issue.field, issue.origin.line, issue.severity))
            .collect()
    }

    const HEAD: &str = "apiVersion: bylaw.dev/v1alpha1\nmetadata: {name: a}\n";

    #[test]
    fn placeholders_in_names_emails_ids_targets_and_tags_are_found_at_their_lines() {
        let account = format!(
            "{HEAD}kind: Account\nspec:\n  name: \"{{{{ .Values.team }}}}\"\n  email: aws+${{TEAM}}@example.com\n  tags:\n    cost: <cost-center>\n  organizationalUnitRef:\n    name: work\n"
        );
        let expected = [("spec.name", 5), ("spec.email", 6), ("spec.tags.cost", 8)];
        let told: Vec<_> = found(&account).into_iter().map(|(field, line, _)| (field, line)).collect();
        assert_eq!(told, expected.map(|(field, line)| (field.to_owned(), line)));
        let policy = format!(
            "{HEAD}kind: OrganizationPolicy\nspec:\n  type: SERVICE_CONTROL_POLICY\n  name: guard-__TEAM__\n  description: for <team>\n  targets:\n    - selector:\n        matchLabels: {{stage: \"${{STAGE}}\"}}\n  content: {{}}\n"
        );
        let told = found(&policy);
        assert_eq!(told[0], ("spec.name".to_owned(), 6, Severity::Warning));
        assert_eq!((told[1].1, told[1].2, told.len()), (10, Severity::Error, 2), "{told:?}");
    }

    #[test]
    fn an_object_that_is_invalid_for_its_placeholder_says_so() {
        let text = format!("{HEAD}kind: Account\nspec:\n  accountId: \"<ACCOUNT_ID>\"\n");
        assert_eq!(found(&text), [("spec.accountId".to_owned(), 5, Severity::Error)]);
    }

    #[test]
    fn a_placeholder_that_is_meant_is_suppressed_by_the_annotation() {
        let text = format!("{HEAD}kind: OrganizationalUnit\nspec:\n  name: \"[TEAM]\"\n");
        assert_eq!(found(&text).len(), 1);
        let silent = text.replace(
            "metadata: {name: a}",
            "metadata: {name: a, annotations: {bylaw.dev/lint-ignore: placeholder it is called so}}",
        );
        assert!(found(&silent).is_empty());
    }

    #[test]
    fn plain_fields_hold_no_placeholders() {
        let text = format!(
            "{HEAD}kind: Account\nspec:\n  name: Data science (dev) #2\n  email: aws+dev@example.com\n  accountId: \"111122223333\"\n  tags: {{team: a_b, note: \"50 % of it\"}}\n"
        );
        assert!(found(&text).is_empty(), "{:?}", found(&text));
    }
}
