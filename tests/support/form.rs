//! Whether JSON has the form that a published schema says. Shared by the unit tests and by those that run the binary.

use std::path::Path;

use serde_json::Value;

/// The committed schema of that output.
pub fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(format!("{name}.schema.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Fails where the value has not the form of that output.
#[track_caller]
pub fn fits(name: &str, value: &Value) {
    let schema = schema(name);
    let mut wrong = vec![];
    breaches("", &schema, &schema, value, &mut wrong);
    assert_eq!(wrong, Vec::<String>::new(), "schemas/{name}.schema.json");
    assert_eq!(value["formatVersion"], 1, "{name}");
}

/// Everything in which a value breaks a schema. A keyword that is not known here fails, and so does a field that the
/// schema does not have: it would be one that nobody documented.
pub fn breaches(path: &str, root: &Value, schema: &Value, value: &Value, out: &mut Vec<String>) {
    const KNOWN: [&str; 18] = [
        "$schema",
        "$id",
        "$defs",
        "$ref",
        "title",
        "description",
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "additionalProperties",
        "anyOf",
        "format",
        "minimum",
        "uniqueItems",
        "oneOf",
        "default",
    ];
    let keywords = schema.as_object().unwrap();
    let unknown: Vec<&String> = keywords.keys().filter(|key| !KNOWN.contains(&key.as_str())).collect();
    if !unknown.is_empty() && !unknown.iter().all(|key| matches!(key.as_str(), "minLength" | "maxLength" | "const")) {
        out.push(format!("{path}: keywords {unknown:?}"));
    }
    if let Some(target) = schema["$ref"].as_str() {
        let target = root.pointer(target.trim_start_matches('#')).unwrap();
        return breaches(path, root, target, value, out);
    }
    for any in ["anyOf", "oneOf"] {
        let Some(options) = schema[any].as_array() else { continue };
        let fits = options.iter().any(|option| {
            let mut wrong = vec![];
            breaches(path, root, option, value, &mut wrong);
            wrong.is_empty()
        });
        if !fits {
            out.push(format!("{path}: {value} fits none of {any}"));
        }
        return;
    }
    let is = |kind: &str| match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    let fits = match &schema["type"] {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().any(|kind| is(kind.as_str().unwrap())),
        Value::Null => true,
        other => panic!("{other}"),
    };
    if !fits {
        out.push(format!("{path}: {value} is not {}", schema["type"]));
        return;
    }
    if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
        out.push(format!("{path}: {value} is not one of {}", schema["enum"]));
    }
    if schema.get("const").is_some_and(|constant| constant != value) {
        out.push(format!("{path}: {value} is not {}", schema["const"]));
    }
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                breaches(&format!("{path}[{at}]"), root, &schema["items"], item, out);
            }
        }
        Value::Object(map) => {
            for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !map.contains_key(key) {
                    out.push(format!("{path}: `{key}` is missing"));
                }
            }
            for (key, below) in map {
                match schema["properties"]
                    .get(key)
                    .or_else(|| schema.get("additionalProperties").filter(|s| s.is_object()))
                {
                    Some(schema) => breaches(&format!("{path}.{key}"), root, schema, below, out),
                    None => out.push(format!("{path}: unknown field `{key}`")),
                }
            }
        }
        _ => {}
    }
}
