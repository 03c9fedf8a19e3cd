//! What the documentation tells people to apply, a real API server takes.

use std::path::{Path, PathBuf};

use crate::support::kube::Cluster;

/// The YAML blocks of a page that are objects of bylaw, each with its line.
fn objects(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = vec![];
    let mut block: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match &mut block {
            None if line.trim() == "```yaml" => block = Some((number + 2, String::new())),
            None => {}
            Some(_) if line.trim() == "```" => found.extend(block.take()),
            Some((_, text)) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    found.retain(|(_, text)| text.contains("apiVersion: bylaw.dev/"));
    found
}

fn pages(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            into.push(path);
        }
    }
}

#[test]
fn every_object_in_the_documentation_is_taken_by_an_api_server() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![top.join("README.md"), top.join("charts/bylaw/README.md")];
    pages(&top.join("docs"), &mut files);
    let cluster = Cluster::new();
    let (mut seen, mut refused) = (0, vec![]);
    for file in &files {
        for (line, text) in objects(&std::fs::read_to_string(file).unwrap()) {
            seen += 1;
            let manifest = std::env::temp_dir().join(format!("bylaw-docs-{}-{seen}.yaml", std::process::id()));
            std::fs::write(&manifest, &text).unwrap();
            let arguments = ["apply", "--dry-run=server", "-f", manifest.to_str().unwrap()];
            let answer = cluster.try_kubectl(&arguments);
            std::fs::remove_file(&manifest).unwrap();
            if !answer.status.success() {
                let why = String::from_utf8_lossy(&answer.stderr).into_owned();
                refused.push(format!("{}:{line}: {why}", file.display()));
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(seen >= 6, "only {seen} examples were found");
}

/// Paths of the fields of a schema that have one of a list of values, with these.
fn enumerations(path: &str, schema: &serde_json::Value, found: &mut Vec<(String, Vec<String>)>) {
    if let Some(values) = schema["enum"].as_array() {
        let values = values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect();
        found.push((path.to_owned(), values));
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        enumerations(&format!("{path}.{name}"), below, found);
    }
    if schema["items"].is_object() {
        enumerations(path, &schema["items"], found);
    }
}

/// `kubectl explain` of an API server that has the definitions: every value of every enumeration, and what a number bounds.
#[test]
fn kubectl_explains_what_each_value_of_a_field_means() {
    let cluster = Cluster::new();
    let mut fields = vec![("organizations.spec.limits.maxTags".to_owned(), vec![])];
    fields.push(("organizations.spec.limits.maxUpdates".to_owned(), vec![]));
    for definition in bylaw::api::definitions() {
        for version in &definition.spec.versions {
            let schema = serde_json::json!(version.schema.as_ref().unwrap().open_api_v3_schema);
            enumerations(&definition.spec.names.plural, &schema, &mut fields);
        }
    }
    assert!(fields.len() > 15, "{fields:?}");
    for (field, values) in fields {
        let explained = cluster.kubectl(&["explain", &field]);
        let text = explained.split("DESCRIPTION:").nth(1).unwrap_or_else(|| panic!("{field}: {explained}"));
        assert!(text.trim().len() > 20, "{field}: {explained}");
        for value in values {
            assert!(text.contains(&format!("`{value}`:")), "{field}: `{value}` is not explained:\n{explained}");
        }
    }
}
