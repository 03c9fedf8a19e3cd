//! `metadata` of a manifest: the name, which others refer to, and the labels, which selectors ask for.

use std::collections::BTreeMap;

use super::report::{nearest, quoted};
use super::schema::{self, Finding};
use super::tree::{Form, Node, Read};
use crate::names::Tags;

/// Fields of `metadata`: those people write, and those the API server adds.
const METADATA: [&str; 15] = [
    "name",
    "labels",
    "annotations",
    "namespace",
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "ownerReferences",
    "finalizers",
    "selfLink",
];

/// Checks `metadata`, and gives the labels.
pub(super) fn check(root: &Node, findings: &mut Vec<Finding>) -> Tags {
    let mut add = |rule, place, field: &str, message: String, help: Option<String>| {
        findings.push(Finding { rule, place, field: field.into(), message, help });
    };
    let Some(metadata) = root.get("metadata").filter(|node| matches!(node.form, Form::Map(_))) else {
        let help = Some("add `metadata: {name: …}`".to_owned());
        add("missing-field", root.place_of("metadata"), "metadata.name", "`metadata.name` is missing".into(), help);
        return Tags::new();
    };
    if let Form::Map(entries) = &metadata.form {
        for entry in entries {
            let field = format!("metadata.{}", quoted(&entry.key));
            match &*entry.key {
                "namespace" if !schema::is_null(&entry.node) => add(
                    "namespace",
                    entry.place,
                    &field,
                    "objects of bylaw are cluster-scoped: they have no namespace".into(),
                    Some("leave the field out".into()),
                ),
                key if !METADATA.contains(&key) => {
                    let help = match nearest(key, METADATA) {
                        Some(near) => Some(format!("did you mean `{near}`?")),
                        None => Some(
                            "`metadata` takes `name`, `labels` and `annotations`; the rest goes below `spec:`".into(),
                        ),
                    };
                    add("unknown-field", entry.place, &field, format!("`{}` is not a field here", quoted(key)), help);
                }
                _ => {}
            }
        }
    }
    match metadata.entry("name") {
        None => {
            let (message, help) = if metadata.get("generateName").is_some() {
                ("`generateName` gives no name that others could refer to", "write `name: …` instead")
            } else {
                ("`metadata.name` is missing", "add `name:`, by which other objects refer to this one")
            };
            add("missing-field", metadata.place, "metadata.name", message.into(), Some(help.into()));
        }
        Some(entry) => match entry.node.text() {
            None => {
                let message = format!("expected a name, found {}", entry.node.noun());
                add("wrong-type", entry.node.place, "metadata.name", message, None);
            }
            Some(name) => {
                let plain_other = matches!(&entry.node.form, Form::Scalar(s) if !matches!(s.read(), Read::Text(_)) || s.trap().is_some());
                if plain_other {
                    let message = format!("`{}` without quotes is no text to kubectl and the API server", quoted(name));
                    add(
                        "unquoted-text",
                        entry.node.place,
                        "metadata.name",
                        message,
                        Some(format!("quote it: `\"{}\"`", quoted(name))),
                    );
                }
                if !is_subdomain(name) {
                    let message = format!(
                        "`{}` is not an object name (up to 253 lower-case letters, digits, `-` and `.`, first and last a letter or digit)",
                        quoted(name)
                    );
                    let tidy = tidied(name);
                    let help = if is_subdomain(&tidy) {
                        format!("write `{tidy}`; the name in AWS is `spec.name`")
                    } else {
                        "the name in AWS is `spec.name`".to_owned()
                    };
                    add("wrong-name", entry.node.place, "metadata.name", message, Some(help));
                }
            }
        },
    }
    let mut labels = Tags::new();
    for field in ["labels", "annotations"] {
        let Some(node) = metadata.get(field).filter(|node| !schema::is_null(node)) else { continue };
        let map = schema::text_map(node, &format!("metadata.{field}"), findings);
        if field == "labels" {
            check_labels(node, &map, findings);
            labels = Tags::from(&map);
        }
    }
    labels
}

fn check_labels(node: &Node, labels: &BTreeMap<String, String>, findings: &mut Vec<Finding>) {
    for (key, value) in labels {
        let mut field = "metadata.labels".to_owned();
        schema::push_key(&mut field, key);
        let place = node.entry(key).map_or(node.place, |entry| entry.place);
        if !is_label_key(key) {
            let message = format!(
                "`{}` is not a label key (`name` or `example.com/name`, the name up to 63 letters, digits, `-_.`)",
                quoted(key)
            );
            findings.push(Finding { rule: "wrong-label", place, field, message, help: None });
        } else if !(value.is_empty() || is_label_word(value)) {
            let place = node.get(key).map_or(place, |node| node.place);
            let message = format!(
                "`{}` is not a label value (up to 63 letters, digits, `-_.`, first and last a letter or digit)",
                quoted(value)
            );
            let help = Some("labels are for selecting; free text goes into `annotations` or `spec.tags`".to_owned());
            findings.push(Finding { rule: "wrong-label", place, field, message, help });
        }
    }
}

fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label_word(name),
        None => is_label_word(key),
    }
}

fn is_label_word(word: &str) -> bool {
    word.len() <= 63
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && word.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// A DNS-1123 subdomain, as Kubernetes wants object names.
fn is_subdomain(name: &str) -> bool {
    name.len() <= 253
        && name.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        })
}

fn tidied(name: &str) -> String {
    let lower = name.trim().to_lowercase();
    let mapped: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    mapped.trim_matches(['-', '.']).to_owned()
}
