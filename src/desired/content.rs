//! Policy documents within manifests: parsed, and their flaws led back to the line of the manifest.

use serde_json::Value;

use super::model::{Issue, Origin, Severity};
use super::read::Manifest;
use super::tree::{Form, Scalar, Style};
use crate::names::PolicyType;
use crate::policy::{Document, Flaw};

/// The type under which the delegation policy of an organization is parsed.
pub(super) const DELEGATION: &str = "DELEGATION_POLICY";

/// The document in `field` of a manifest, an object or a JSON string. `None` where it cannot be used; the issues say why.
pub(super) fn document(
    manifest: &Manifest,
    field: &str,
    kind: &PolicyType,
    value: &Value,
) -> (Option<Document>, Vec<Issue>) {
    let parsed = match value {
        Value::String(text) => Document::parse(kind, text),
        Value::Object(_) => Document::parse(kind, &value.to_string()),
        _ => {
            let message = format!(
                "expected a policy document (an object, or a JSON string), found {}",
                manifest.node(field).noun()
            );
            return (None, vec![manifest.error("wrong-type", field, message)]);
        }
    };
    let (document, flaws) = match parsed {
        Ok((document, flaws)) => (Some(document), flaws),
        Err(flaws) => (None, flaws),
    };
    let issues = flaws.into_iter().map(|flaw| issue(manifest, field, flaw)).collect();
    (document, issues)
}

fn issue(manifest: &Manifest, field: &str, flaw: Flaw) -> Issue {
    let severity = if flaw.error { Severity::Error } else { Severity::Warning };
    let node = manifest.node(field);
    let path = match flaw.path.as_str() {
        "" => field.to_owned(),
        path if path.starts_with('[') => format!("{field}{path}"),
        path => format!("{field}.{path}"),
    };
    let file = manifest.origin.file.clone();
    let mut message = flaw.message;
    let origin = match &node.form {
        // Lines of a `|` block are lines of the manifest.
        Form::Scalar(Scalar { style: Style::Literal(indent), .. }) if flaw.line > 0 && node.place.line > 0 => {
            Origin { file, line: node.place.line + flaw.line, column: u32::from(*indent) + flaw.column }
        }
        Form::Scalar(_) => {
            if flaw.path.is_empty() && flaw.line > 0 {
                message.push_str(&format!(" (line {}, column {} of the document)", flaw.line, flaw.column));
            }
            Origin { file, line: node.place.line, column: node.place.column }
        }
        _ => manifest.place(&path),
    };
    Issue::new(severity, flaw.rule, origin, manifest.label(), &path, message).maybe_help(flaw.help)
}
