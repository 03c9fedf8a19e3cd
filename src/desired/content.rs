//! Policy documents within manifests: parsed, and their flaws led back to the line of the manifest.

use std::sync::Arc;

use serde_json::Value;

use super::model::{Issue, Origin, Severity};
use super::read::Manifest;
use super::tree::{Form, Node, Place, Scalar, Style};
use crate::names::PolicyType;
use crate::policy::lint::{self, Finding, Fix};
use crate::policy::{Document, flaw};

/// The document in `field` of a manifest, an object or a JSON string. `None` where it cannot be used; the issues say why.
pub(super) fn document(
    manifest: &Manifest,
    field: &str,
    kind: &PolicyType,
    value: &Value,
) -> (Option<Document>, Vec<Issue>) {
    let parsed = match value {
        Value::String(text) => Document::parse(kind, text),
        Value::Object(_) => Document::from_value(kind, value),
        _ => {
            let message = format!(
                "expected a policy document (an object, or a JSON string), found {}",
                manifest.tree().find(field).noun()
            );
            return (None, vec![manifest.error("wrong-type", field, message)]);
        }
    };
    let (document, flaws) = match parsed {
        Ok((document, flaws)) => (Some(document), flaws),
        Err(flaws) => (None, flaws),
    };
    let issues = flaws.into_iter().map(|flaw| issue(manifest, field, flaw.into())).collect();
    (document, issues)
}

/// What lint has to say of a document in a manifest.
pub(super) struct Linted {
    /// The document, where it can be used.
    pub(super) document: Option<Arc<Document>>,
    /// Its text as JSON, which fixes are places in: that of the string, or of the object.
    pub(super) text: String,
    /// What the reader found.
    pub(super) flaws: Vec<(Issue, Option<Fix>)>,
    /// What the rules found.
    pub(super) findings: Vec<(Issue, Option<Fix>)>,
}

/// The document in `field` with all that is to say of it.
pub(super) fn linted(manifest: &Manifest, field: &str, kind: &PolicyType, value: &Value) -> Linted {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Object(_) => value.to_string(),
        _ => {
            let (document, issues) = document(manifest, field, kind, value);
            let flaws = issues.into_iter().map(|issue| (issue, None)).collect();
            return Linted { document: document.map(Arc::new), text: String::new(), flaws, findings: vec![] };
        }
    };
    let found = lint::text(kind, &text);
    let told = |mut finding: Finding| {
        let fix = finding.fix.take();
        (issue(manifest, field, finding), fix)
    };
    let flaws = found.flaws.into_iter().map(told).collect();
    let findings = found.findings.into_iter().map(told).collect();
    Linted { document: found.document, text, flaws, findings }
}

/// The place in the manifest's file of a place in a document that is written as a `|` block; `None` for other nodes.
pub(super) fn place_in_block(node: &Node, place: flaw::Place) -> Option<Place> {
    let Form::Scalar(Scalar { style: Style::Literal(indent), text }) = &node.form else { return None };
    if place.line == 0 || node.place.line == 0 {
        return None;
    }
    // Lines of the block are lines of the manifest; its place is that of the first line that is not empty.
    let empty = text.bytes().take_while(|b| *b == b'\n').count();
    let first = node.place.line.saturating_sub(u32::try_from(empty).unwrap_or(0));
    Some(Place { line: first.saturating_add(place.line - 1), column: u32::from(*indent).saturating_add(place.column) })
}

fn issue(manifest: &Manifest, field: &str, flaw: Finding) -> Issue {
    let severity = match flaw.severity {
        lint::Severity::Info => Severity::Info,
        lint::Severity::Warning => Severity::Warning,
        lint::Severity::Error => Severity::Error,
    };
    let (line, column) = (flaw.place.line, flaw.place.column);
    let node = manifest.tree().find(field);
    let mut message = flaw.message;
    if flaw.path.is_empty() && line > 0 && in_one_place(node, flaw.place) {
        message.push_str(&format!(" (line {line}, column {column} of the document)"));
    }
    let origin = origin(manifest, field, flaw.place, &flaw.path, flaw.at_key);
    let issue = Issue::new(severity, flaw.rule, origin, manifest.label(), &within(field, &flaw.path), message);
    let issue = issue.maybe_help(flaw.help);
    match flaw.related {
        Some(other) => {
            let place = flaw::Place { line: other.line, column: other.column };
            let mut label = other.label.to_owned();
            if in_one_place(node, place) {
                label.push_str(&format!(" (line {}, column {} of the document)", other.line, other.column));
            }
            issue.related(self::origin(manifest, field, place, &other.path, other.at_key), label)
        }
        None => issue,
    }
}

/// The path of a value of the document, in the manifest.
fn within(field: &str, path: &str) -> String {
    match path {
        "" => field.to_owned(),
        path if path.starts_with('[') => format!("{field}{path}"),
        path => format!("{field}.{path}"),
    }
}

/// Whether places of the document are all one place of the manifest: it is written as one quoted text.
fn in_one_place(node: &Node, place: flaw::Place) -> bool {
    matches!(node.form, Form::Scalar(_)) && place_in_block(node, place).is_none()
}

/// The place in the manifest of a place in the document, whose path is beside it.
fn origin(manifest: &Manifest, field: &str, place: flaw::Place, path: &str, at_key: bool) -> Origin {
    let tree = manifest.tree();
    let node = tree.find(field);
    let path = within(field, path);
    let at = |place: Place| Origin { file: manifest.origin.file.clone(), line: place.line, column: place.column };
    match (place_in_block(node, place), &node.form) {
        (Some(place), _) => at(place),
        (None, Form::Scalar(_)) => at(node.place),
        _ if at_key => at(tree.place_of_key(&path)),
        _ => manifest.place(&path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{Source, read};
    use crate::policy::Flaw;

    fn flaw(line: u32, column: u32, path: &str) -> Finding {
        let (rule, message) = ("r", "m".to_owned());
        Flaw { rule, line, column, path: path.into(), message, help: None, error: true, related: None }.into()
    }

    fn place(content: &str, flaw: Finding) -> (u32, u32, String) {
        let text = format!(
            "apiVersion: bylaw.dev/v1alpha1\nkind: OrganizationPolicy\nmetadata: {{name: p}}\nspec:\n  type: TAG_POLICY\n  content: {content}\n"
        );
        let (manifests, issues) = read(&[Source { file: "f".into(), bytes: text.into_bytes() }]);
        assert!(issues.is_empty(), "{issues:?}");
        let issue = issue(&manifests[0], "spec.content", flaw);
        (issue.origin.line, issue.origin.column, issue.field)
    }

    #[test]
    fn what_stands_twice_is_told_with_the_lines_of_the_manifest() {
        let told = |content: &str| {
            let text = format!(
                "apiVersion: bylaw.dev/v1alpha1\nkind: OrganizationPolicy\nmetadata: {{name: p}}\nspec:\n  type: SERVICE_CONTROL_POLICY\n  content: {content}\n"
            );
            let (manifests, issues) = read(&[Source { file: "f".into(), bytes: text.into_bytes() }]);
            assert!(issues.is_empty(), "{issues:?}");
            let value = manifests[0].tree().find("spec.content").to_json();
            let (_, issues) = document(&manifests[0], "spec.content", &PolicyType::scp(), &value);
            let lines = issues.iter().map(|i| (i.rule, i.origin.line, i.related.first().map_or(0, |(o, _)| o.line)));
            assert!(issues.iter().all(|issue| !issue.message.contains("line")), "{issues:?}");
            lines.collect::<Vec<_>>()
        };
        let block = "|\n    {\n      \"Version\": \"2012-10-17\",\n      \"Statement\": [\n        {\"Sid\": \"A\", \"Effect\": \"Deny\", \"Action\": \"s3:*\", \"Resource\": \"*\"},\n        {\"Sid\": \"A\", \"Effect\": \"Deny\",\n         \"Action\": \"ec2:*\", \"Resource\": \"*\"}\n      ],\n      \"Version\": \"2012-10-17\"\n    }";
        assert_eq!(told(block), [("duplicate-sid", 11, 10), ("duplicate-key", 14, 8)]);
        let object = "\n    Version: \"2012-10-17\"\n    Statement:\n      - {Sid: A, Effect: Deny, Action: \"s3:*\", Resource: \"*\"}\n      - Effect: Deny\n        Sid: A\n        Action: ec2:*\n        Resource: \"*\"";
        assert_eq!(told(object), [("duplicate-sid", 11, 9)]);
    }

    #[test]
    fn flaws_are_led_back_to_the_line_of_the_manifest() {
        let block = "|\n    {\n      \"a\": [\n        1\n      ]\n    }";
        assert_eq!(place(block, flaw(1, 1, "")), (7, 5, "spec.content".into()));
        assert_eq!(place(block, flaw(3, 5, "a[0]")), (9, 9, "spec.content.a[0]".into()));
        assert_eq!(place("|\n\n    {\n      \"a\": 1\n    }", flaw(3, 8, "a")).0, 9);
        assert_eq!(place("'{\"a\": 1}'", flaw(1, 7, "a")), (6, 12, "spec.content.a".into()));
        assert_eq!(place("{a: {b: [1, {c: 2}]}}", flaw(0, 0, "a.b[1].c")), (6, 28, "spec.content.a.b[1].c".into()));
    }
}
