use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionVersion;
use serde_json::{Value, json};

use super::*;
use crate::cli::scratch::Scratch;

/// Calls `visit(path, schema)` for a schema and everything below it.
fn walk(path: &str, schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), below, visit);
    }
    if schema["items"].is_object() {
        walk(&format!("{path}[]"), &schema["items"], visit);
    }
    if schema["additionalProperties"].is_object() {
        walk(&format!("{path}.*"), &schema["additionalProperties"], visit);
    }
}

fn versions() -> Vec<(String, CustomResourceDefinitionVersion, Value)> {
    api::definitions()
        .into_iter()
        .flat_map(|crd| {
            let kind = crd.spec.names.kind;
            crd.spec.versions.into_iter().map(move |version| {
                let schema = json!(version.schema.clone().unwrap().open_api_v3_schema.unwrap());
                (kind.clone(), version, schema)
            })
        })
        .collect()
}

/// Every place of every schema about which `complaint` has something to say.
fn complaints(complaint: impl Fn(&str, &Value) -> Option<String>) -> Vec<String> {
    let mut found = vec![];
    for (kind, _, schema) in versions() {
        walk(&kind, &schema, &mut |path, schema| {
            found.extend(complaint(path, schema).map(|text| format!("{path}: {text}")));
        });
    }
    found
}

#[test]
fn every_field_is_described() {
    let found = complaints(|path, schema| {
        let named = path.contains('.') && !path.ends_with("[]") && !path.ends_with(".*");
        (named && schema["description"].as_str().is_none_or(|text| text.len() < 8)).then(|| "no description".to_owned())
    });
    assert_eq!(found, Vec::<String>::new());
    // `kubectl explain` shows them as they are.
    let found = complaints(|_, schema| {
        let text = schema["description"].as_str().unwrap_or_default();
        text.contains("[`").then(|| format!("a link of Rust's documentation: {text}"))
    });
    assert_eq!(found, Vec::<String>::new());
}

/// The rules of a structural schema (Kubernetes: "Specifying a structural schema") that a generator can break.
#[test]
fn schemas_are_structural() {
    let free = ["spec.content", "spec.delegationPolicy"];
    let formats = ["int32", "int64", "date-time"];
    let known = BTreeSet::from([
        "additionalProperties",
        "default",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "nullable",
        "pattern",
        "properties",
        "required",
        "title",
        "type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    ]);
    let found = complaints(|path, schema| {
        let is_free = free.iter().any(|end| path.ends_with(end));
        if is_free != (schema["x-kubernetes-preserve-unknown-fields"] == true) {
            return Some("only documents may hold unknown fields".into());
        }
        if !is_free && !schema["type"].is_string() {
            return Some("no `type`".into());
        }
        if let Some(format) = schema["format"].as_str().filter(|format| !formats.contains(format)) {
            return Some(format!("Kubernetes does not know the format `{format}`"));
        }
        if schema["type"] == "array" && !schema["items"].is_object() {
            return Some("a list without `items`".into());
        }
        let keys = schema.as_object().unwrap().keys();
        keys.into_iter().find(|key| !known.contains(key.as_str())).map(|key| format!("`{key}` is not used here"))
    });
    assert_eq!(found, Vec::<String>::new());
}

/// The API server multiplies the cost of a CEL rule by the sizes around it and refuses a definition that could cost too
/// much, so everything a user writes has a bound.
#[test]
fn everything_a_user_writes_is_bounded() {
    let found = complaints(|path, schema| {
        let bound = match schema["type"].as_str() {
            Some("string") if schema["enum"].is_null() && schema["format"].is_null() => "maxLength",
            Some("array") => "maxItems",
            Some("object") if schema["additionalProperties"].is_object() => "maxProperties",
            _ => return None,
        };
        (path.contains(".spec") && schema[bound].is_null()).then(|| format!("no `{bound}`"))
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_default_satisfies_its_own_schema() {
    let found = complaints(|_, schema| {
        let default = schema.get("default")?;
        let right = match schema["type"].as_str()? {
            "string" => schema["enum"].as_array().is_none_or(|values| values.contains(default)) && default.is_string(),
            "integer" => default.is_i64() || default.is_u64(),
            "array" => default.is_array(),
            "object" => default.is_object(),
            _ => default.is_boolean(),
        };
        (!right).then(|| format!("`{default}` does not fit"))
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn definitions_have_what_people_and_tools_look_for() {
    for definition in api::definitions() {
        let names = &definition.spec.names;
        assert_eq!(names.categories, Some(vec!["bylaw".to_owned()]), "{}", names.kind);
        assert_eq!(names.short_names.as_ref().map(Vec::len), Some(1), "{}", names.kind);
        assert_eq!(definition.spec.scope, "Cluster");
    }
    for (kind, version, schema) in versions() {
        assert!(version.subresources.is_some_and(|s| s.status.is_some()), "{kind}: no status subresource");
        let columns: Vec<String> =
            version.additional_printer_columns.unwrap_or_default().into_iter().map(|column| column.name).collect();
        for wanted in ["Ready", "Reason", "Message"] {
            assert!(columns.contains(&wanted.to_owned()), "{kind}: no column {wanted}");
        }
        let conditions = &schema["properties"]["status"]["properties"]["conditions"];
        assert_eq!(conditions["x-kubernetes-list-type"], "map", "{kind}");
        assert_eq!(conditions["x-kubernetes-list-map-keys"], json!(["type"]), "{kind}");
        assert_eq!(schema["required"], json!(["spec"]), "{kind}");
    }
}

/// A rule without a message shows users the CEL expression.
#[test]
fn every_rule_has_a_message() {
    let found = complaints(|_, schema| {
        let rules = schema["x-kubernetes-validations"].as_array()?;
        rules.iter().find(|rule| rule["message"].as_str().is_none_or(str::is_empty)).map(|rule| rule.to_string())
    });
    assert_eq!(found, Vec::<String>::new());
}

/// An object of which nothing is known in AWS yet has a status as well: its conditions say why.
#[test]
fn a_status_may_say_as_little_as_is_known() {
    let found = complaints(|path, schema| {
        let required = schema["required"].as_array().map_or(0, Vec::len);
        (path.ends_with(".status") && required > 0).then(|| schema["required"].to_string())
    });
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn rendering_is_stable_and_reads_back() {
    let files = render();
    assert_eq!(files, render());
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "bylaw.dev_organizations.yaml",
            "bylaw.dev_organizationalunits.yaml",
            "bylaw.dev_accounts.yaml",
            "bylaw.dev_organizationpolicies.yaml",
            "bylaw.dev_approvals.yaml",
        ]
    );
    for ((name, yaml), definition) in files.iter().zip(api::definitions()) {
        assert!(yaml.starts_with(HEADER), "{name}");
        let read: k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition =
            serde_saphyr::from_str(yaml).unwrap();
        assert_eq!(read, definition, "{name}");
        assert!(!yaml.contains(": 0.0\n"), "{name}");
    }
}

#[test]
fn run_prints_a_stream_or_writes_a_file_a_kind() {
    let mut stream = vec![];
    run(&mut stream, None).unwrap();
    let stream = String::from_utf8(stream).unwrap();
    assert_eq!(stream.matches("\nkind: CustomResourceDefinition\n").count(), render().len());
    assert_eq!(stream.matches("---\n").count(), render().len());

    let scratch = Scratch::new("crds");
    let dir = scratch.join("made");
    let mut told = vec![];
    run(&mut told, Some(&dir)).unwrap();
    for (name, yaml) in render() {
        assert_eq!(fs::read_to_string(dir.join(&name)).unwrap(), yaml);
        assert!(String::from_utf8_lossy(&told).contains(&name));
    }

    let file = scratch.join("file");
    fs::write(&file, "").unwrap();
    let error = run(&mut vec![], Some(&file)).unwrap_err().to_string();
    assert!(error.contains(&format!("`{}`", file.display())), "{error}");
}
