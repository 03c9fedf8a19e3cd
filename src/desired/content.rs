//! Policy documents within manifests: parsed, and their flaws led back to the line of the manifest.

use std::sync::Arc;

use serde_json::Value;

use super::model::{Issue, Origin, Severity};
use super::read::Manifest;
use super::tree::{Form, Scalar, Style};
use crate::names::PolicyType;
use crate::policy::Document;
use crate::policy::lint::{self, Finding};

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

/// The document with what is wrong with it, and what lint has to say of it.
pub(super) fn linted(
    manifest: &Manifest,
    field: &str,
    kind: &PolicyType,
    value: &Value,
) -> (Option<Arc<Document>>, Vec<Issue>, Vec<Issue>) {
    if !matches!(value, Value::String(_) | Value::Object(_)) {
        let (document, issues) = document(manifest, field, kind, value);
        return (document.map(Arc::new), issues, vec![]);
    }
    let found = lint::value(kind, value);
    let flaws = found.flaws.into_iter().map(|flaw| issue(manifest, field, flaw.into())).collect();
    let findings = found.findings.into_iter().map(|finding| issue(manifest, field, finding)).collect();
    (found.document, flaws, findings)
}

fn issue(manifest: &Manifest, field: &str, flaw: Finding) -> Issue {
    let severity = match flaw.severity {
        lint::Severity::Info => Severity::Info,
        lint::Severity::Warning => Severity::Warning,
        lint::Severity::Error => Severity::Error,
    };
    let (line, column) = (flaw.place.line, flaw.place.column);
    let tree = manifest.tree();
    let node = tree.find(field);
    let path = match flaw.path.as_str() {
        "" => field.to_owned(),
        path if path.starts_with('[') => format!("{field}{path}"),
        path => format!("{field}.{path}"),
    };
    let file = manifest.origin.file.clone();
    let mut message = flaw.message;
    let origin = match &node.form {
        // Lines of a `|` block are lines of the manifest; its place is that of the first line that is not empty.
        Form::Scalar(Scalar { style: Style::Literal(indent), text }) if line > 0 && node.place.line > 0 => {
            let empty = text.bytes().take_while(|b| *b == b'\n').count();
            let first = node.place.line.saturating_sub(u32::try_from(empty).unwrap_or(0));
            Origin { file, line: first.saturating_add(line - 1), column: u32::from(*indent).saturating_add(column) }
        }
        Form::Scalar(_) => {
            if flaw.path.is_empty() && line > 0 {
                message.push_str(&format!(" (line {line}, column {column} of the document)"));
            }
            Origin { file, line: node.place.line, column: node.place.column }
        }
        _ if flaw.at_key => {
            let place = tree.place_of_key(&path);
            Origin { file, line: place.line, column: place.column }
        }
        _ => manifest.place(&path),
    };
    Issue::new(severity, flaw.rule, origin, manifest.label(), &path, message).maybe_help(flaw.help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{Source, read};
    use crate::policy::Flaw;

    fn flaw(line: u32, column: u32, path: &str) -> Finding {
        let (rule, message) = ("r", "m".to_owned());
        Flaw { rule, line, column, path: path.into(), message, help: None, error: true }.into()
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
    fn flaws_are_led_back_to_the_line_of_the_manifest() {
        let block = "|\n    {\n      \"a\": [\n        1\n      ]\n    }";
        assert_eq!(place(block, flaw(1, 1, "")), (7, 5, "spec.content".into()));
        assert_eq!(place(block, flaw(3, 5, "a[0]")), (9, 9, "spec.content.a[0]".into()));
        assert_eq!(place("|\n\n    {\n      \"a\": 1\n    }", flaw(3, 8, "a")).0, 9);
        assert_eq!(place("'{\"a\": 1}'", flaw(1, 7, "a")), (6, 12, "spec.content.a".into()));
        assert_eq!(place("{a: {b: [1, {c: 2}]}}", flaw(0, 0, "a.b[1].c")), (6, 28, "spec.content.a.b[1].c".into()));
    }
}
