//! What is committed is what the code generates, and the examples are what the definitions accept.
//!
//! `BYLAW_UPDATE=1 ./test generated` writes the generated files anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use bylaw::api;
use kube::core::cel::ValidationErrors;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The directory holds exactly these files. With `BYLAW_UPDATE=1` it is made so.
fn holds(directory: &str, files: &[(String, String)]) {
    let dir = repository(directory);
    if std::env::var_os("BYLAW_UPDATE").is_some() {
        fs::create_dir_all(&dir).unwrap();
        for path in fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()) {
            if !files.iter().any(|(name, _)| dir.join(name) == path) {
                fs::remove_file(path).unwrap();
            }
        }
        for (name, text) in files {
            let path = dir.join(name);
            if fs::read_to_string(&path).is_ok_and(|committed| committed == *text) {
                continue;
            }
            fs::write(path, text).unwrap();
        }
    }
    let wanted: BTreeSet<String> = files.iter().map(|(name, _)| name.clone()).collect();
    let found: BTreeSet<String> = fs::read_dir(&dir)
        .unwrap_or_else(|error| panic!("{directory}: {error}; `BYLAW_UPDATE=1 ./test generated` writes it"))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, wanted, "files of {directory}; `BYLAW_UPDATE=1 ./test generated` makes it so");
    for (name, text) in files {
        let committed = fs::read_to_string(dir.join(name)).unwrap();
        let shared = committed.lines().zip(text.lines()).take_while(|(have, want)| have == want).count();
        assert!(
            committed == *text,
            "{directory}/{name}:{} is not what the code generates; `BYLAW_UPDATE=1 ./test generated` writes it anew",
            shared + 1
        );
    }
}

#[test]
fn the_definitions_are_what_the_types_say() {
    holds("crds", &bylaw::cli::crds::render());
}

/// The kinds as the templates of the chart read them.
fn kinds() -> String {
    let mut out = "# Generated from the types in src/api; do not edit.\n".to_owned();
    for definition in api::definitions() {
        let schema = json!(definition.spec.versions[0].schema);
        let deletable = schema.pointer("/openAPIV3Schema/properties/spec/properties/deletionPolicy").is_some();
        let names = &definition.spec.names;
        out += &format!("- kind: {}\n  plural: {}\n  deletable: {deletable}\n", names.kind, names.plural);
    }
    out
}

#[test]
fn the_charts_have_the_same_definitions_and_kinds() {
    holds("charts/bylaw-crds/generated", &bylaw::cli::crds::render());
    holds("charts/bylaw/generated", &[("kinds.yaml".to_owned(), kinds())]);
}

#[test]
fn the_reference_is_what_the_types_say() {
    holds("docs/reference", &bylaw::cli::docs::render());
}

#[test]
fn the_schemas_of_outputs_are_what_the_types_say() {
    let schemas = bylaw::cli::schemas::render();
    holds("schemas", &schemas);
    for (name, text) in &schemas {
        for word in ["[`", "`None`", "`Some"] {
            assert!(!text.contains(word), "{name}: `{word}` is nothing for a reader of JSON");
        }
    }
}

/// Every link of the pages in `docs` that goes to a file goes to one that is there.
#[test]
fn links_between_pages_lead_somewhere() {
    let mut broken = vec![];
    let mut seen = 0;
    for page in files_below(&repository("docs")).into_iter().filter(|path| path.extension().is_some_and(|e| e == "md"))
    {
        let text = fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            seen += 1;
            if !page.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
    assert!(seen > 5, "only {seen} links found");
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut out = vec![];
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { waiting.push(path) } else { out.push(path) }
        }
    }
    out.sort();
    out
}

/// What is wrong with an object of one kind.
type Check = fn(&str) -> Vec<String>;

/// One row a kind: reads the text into the kind's own type and runs its CEL rules.
const KINDS: &[(&str, Check)] = &[
    ("Organization", |text| read_and_rule(text, api::Organization::validate_cel)),
    ("OrganizationalUnit", |text| read_and_rule(text, api::OrganizationalUnit::validate_cel)),
    ("Account", |text| read_and_rule(text, api::Account::validate_cel)),
    ("OrganizationPolicy", |text| read_and_rule(text, api::OrganizationPolicy::validate_cel)),
    ("Approval", |text| read_and_rule(text, api::Approval::validate_cel)),
];

fn read_and_rule<T: DeserializeOwned>(text: &str, rules: fn(&T) -> Result<(), ValidationErrors>) -> Vec<String> {
    match serde_saphyr::from_str::<T>(text) {
        Err(error) => vec![error.to_string()],
        Ok(object) => rules(&object).err().map_or(vec![], |errors| vec![errors.to_string()]),
    }
}

fn schema_of(kind: &str) -> Value {
    let definition = api::definitions().into_iter().find(|definition| definition.spec.names.kind == kind);
    let version = definition.unwrap_or_else(|| panic!("no kind `{kind}`")).spec.versions.remove(0);
    json!(version.schema.unwrap().open_api_v3_schema.unwrap())
}

/// Everything in which `value` breaks `schema`: the keywords that the definitions use, unknown fields as the API server
/// reports them with strict field validation.
fn breaches(path: &str, schema: &Value, value: &Value, out: &mut Vec<String>) {
    let number = |key: &str| schema[key].as_f64();
    let outside = |size: f64, least: &str, most: &str| {
        number(least).is_some_and(|least| size < least) || number(most).is_some_and(|most| size > most)
    };
    let type_fits = match schema["type"].as_str() {
        _ if value.is_null() && schema["nullable"] == true => true,
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    };
    if !type_fits {
        out.push(format!("{path}: `{value}` is not {}", schema["type"]));
        return;
    }
    if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
        out.push(format!("{path}: `{value}` is not one of {}", schema["enum"]));
    }
    match value {
        Value::String(text) => {
            if outside(text.chars().count() as f64, "minLength", "maxLength") {
                out.push(format!("{path}: `{text}` has {} characters", text.chars().count()));
            }
            if schema["pattern"].as_str().is_some_and(|pattern| !regex::Regex::new(pattern).unwrap().is_match(text)) {
                out.push(format!("{path}: `{text}` does not match `{}`", schema["pattern"]));
            }
        }
        Value::Number(n) if outside(n.as_f64().unwrap(), "minimum", "maximum") => {
            out.push(format!("{path}: {n} is out of range"));
        }
        Value::Array(items) => {
            if outside(items.len() as f64, "minItems", "maxItems") {
                out.push(format!("{path}: {} items", items.len()));
            }
            for (at, item) in items.iter().enumerate() {
                breaches(&format!("{path}[{at}]"), &schema["items"], item, out);
            }
        }
        Value::Object(map) if schema["x-kubernetes-preserve-unknown-fields"] != true => {
            if outside(map.len() as f64, "minProperties", "maxProperties") {
                out.push(format!("{path}: {} entries", map.len()));
            }
            for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !map.contains_key(key) {
                    out.push(format!("{path}: `{key}` is missing"));
                }
            }
            for (key, below) in map {
                match schema["properties"].get(key).or_else(|| schema.get("additionalProperties")) {
                    Some(schema) => breaches(&format!("{path}.{key}"), schema, below, out),
                    None => out.push(format!("{path}: unknown field `{key}`")),
                }
            }
        }
        _ => {}
    }
}

/// Reads untyped values as `bylaw` and `kubectl` do: `NO` and `012` are text.
fn untyped(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

/// Everything wrong with one object: its type, its schema, its CEL rules.
fn faults(text: &str) -> Vec<String> {
    let mut object = match untyped(text) {
        Ok(object) => object,
        Err(error) => return vec![error],
    };
    if object["apiVersion"] != api::API_VERSION {
        return vec![format!("`{}` is not {}", object["apiVersion"], api::API_VERSION)];
    }
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let Some((_, check)) = KINDS.iter().find(|(known, _)| *known == kind) else {
        return vec![format!("no kind `{kind}`")];
    };
    let mut out = check(text);
    // The API server adds these three to the schema by itself.
    let fields = object.as_object_mut().unwrap();
    let name = fields.get("metadata").and_then(|metadata| metadata["name"].as_str()).unwrap_or_default();
    if !regex::Regex::new("^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$").unwrap().is_match(name) {
        out.push(format!("metadata.name: `{name}` is not a name that Kubernetes takes"));
    }
    for key in ["apiVersion", "kind", "metadata"] {
        fields.remove(key);
    }
    breaches(&kind, &schema_of(&kind), &object, &mut out);
    out
}

fn documents(text: &str) -> Vec<&str> {
    text.split("\n---\n").filter(|document| !document.trim().is_empty()).collect()
}

fn examples() -> Vec<(PathBuf, String)> {
    files_below(&repository("examples"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn every_example_is_accepted() {
    let mut wrong = vec![];
    for (path, text) in examples() {
        for document in documents(&text) {
            wrong.extend(faults(document).into_iter().map(|fault| format!("{}: {fault}", path.display())));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// The examples are what the documentation says they are: counted, so that a file that is not read is missed.
#[test]
fn the_examples_have_the_objects_they_promise() {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut types = BTreeSet::new();
    for (path, text) in examples() {
        let example =
            path.strip_prefix(repository("examples")).unwrap().iter().next().unwrap().to_str().unwrap().to_owned();
        for document in documents(&text) {
            let object = untyped(document).unwrap();
            *counts.entry((example.clone(), object["kind"].as_str().unwrap().to_owned())).or_default() += 1;
            if example == "platform" {
                types.extend(object["spec"]["type"].as_str().map(str::to_owned));
            }
        }
    }
    let of = |example: &str| -> Vec<usize> {
        KINDS.iter().map(|(kind, _)| *counts.get(&(example.into(), (*kind).to_owned())).unwrap_or(&0)).collect()
    };
    assert_eq!(of("data-science"), [1, 3, 3, 3, 0]);
    assert_eq!(of("platform"), [1, 6, 12, 10, 0]);
    assert_eq!(types.len(), 4, "{types:?}");
}

/// Each policy document fits AWS's quota and keeps to the statement language of its type (aws-facts sections 2 and 3).
#[test]
fn the_policies_of_the_examples_keep_to_their_language() {
    let mut seen = 0;
    for (path, text) in examples() {
        for object in documents(&text).into_iter().map(|document| untyped(document).unwrap()) {
            if object["kind"] != "OrganizationPolicy" {
                continue;
            }
            seen += 1;
            let kind = bylaw::names::PolicyType::new(object["spec"]["type"].as_str().unwrap());
            let content = match &object["spec"]["content"] {
                Value::String(text) => serde_json::from_str(text).unwrap(),
                content => content.clone(),
            };
            let name = format!("{}: {}", path.display(), object["metadata"]["name"]);
            assert!(kind.is_known(), "{name}");
            assert!(content.to_string().len() <= kind.rule().max_characters, "{name}");
            assert_eq!(kind.rule().statements, content["Statement"].is_array(), "{name}");
            let mut sids = BTreeSet::new();
            for statement in content["Statement"].as_array().into_iter().flatten() {
                assert_eq!(content["Version"], "2012-10-17", "{name}");
                assert_eq!(statement["Effect"], "Deny", "{name}");
                assert_eq!(statement["Principal"] == "*", kind.as_str() == "RESOURCE_CONTROL_POLICY", "{name}");
                let sid = statement["Sid"].as_str().unwrap();
                assert!(sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) && sids.insert(sid), "{name}: {sid}");
                // `null: "true"` would be what unquoted `Null` becomes in YAML: an operator that AWS does not know.
                for operator in statement["Condition"].as_object().into_iter().flatten().map(|(operator, _)| operator) {
                    assert!(operator.starts_with(|c: char| c.is_ascii_uppercase()), "{name}: {operator}");
                }
            }
        }
    }
    assert_eq!(seen, 13);
}

#[test]
fn the_check_of_examples_finds_what_it_should() {
    let good =
        "apiVersion: bylaw.dev/v1alpha1\nkind: Account\nmetadata:\n  name: a\nspec:\n  accountId: \"000000000001\"\n";
    assert_eq!(faults(good), Vec::<String>::new());
    for (bad, told) in [
        (good.replace("v1alpha1", "v1"), "is not bylaw.dev/v1alpha1"),
        (good.replace("Account", "Secret"), "no kind `Secret`"),
        (good.replace("name: a", "name: A_b"), "not a name"),
        (good.replace("000000000001", "1"), "does not match"),
        (good.replace("\"000000000001\"", "111111111111"), "is not \"string\""),
        (good.replace("accountId: \"000000000001\"", "email: a@b.example"), "to adopt an account"),
        (format!("{good}  organisationalUnitRef: {{name: x}}\n"), "unknown field `organisationalUnitRef`"),
        (format!("{good}  deletionPolicy: Delete\n"), "deletionPolicy"),
        (format!("{good}  tags: {{bylaw.dev/resource: Account/b}}\n"), "belong to AWS, those with `bylaw.dev/`"),
        (format!("{good}  tags: {{\"\": b}}\n"), "1 to 128 characters"),
        (format!("{good}  tags: {{a: {}}}\n", "b".repeat(257)), "has 257 characters"),
        (format!("{good}  organizationalUnitRef: {{}}\n"), "name"),
        (format!("{good}  accountId: \"000000000001\"\n"), "duplicate"),
    ] {
        let found = faults(&bad);
        assert!(found.iter().any(|fault| fault.contains(told)), "{told}: {found:?}");
    }
}
