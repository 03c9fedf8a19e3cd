//! One value against the schema of its kind: the CRD's own schema and CEL rules, told in words and all at once.
//!
//! The API server says the same of an object (OpenAPI v3 as CRDs have it), only later and without a line. Unknown
//! fields, which it drops, are errors here: a manifest with a misspelt field does not do what its author thinks.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kube::core::cel::{CompiledSchema, ErrorKind, Validator, compile_schema};
use regex::Regex;
use serde_json::{Map, Value};

use super::report::{nearest, one_of, quoted};
use super::tree::{Entry, Form, Node, Place, Read, Scalar, trap};
use crate::names::Kind;

/// Something wrong with a field, without its file.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) rule: &'static str,
    pub(super) place: Place,
    pub(super) field: String,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// The rules of one kind.
pub(super) struct KindSchema {
    spec: Schema,
    spec_required: bool,
    rules: CompiledSchema,
}

static VALIDATOR: LazyLock<Validator> = LazyLock::new(Validator::new);

static SCHEMAS: LazyLock<Vec<KindSchema>> = LazyLock::new(|| {
    crate::api::definitions()
        .iter()
        .filter(|crd| Kind::ALL.iter().any(|kind| kind.as_str() == crd.spec.names.kind))
        .map(|crd| {
            let whole = crd
                .spec
                .versions
                .first()
                .and_then(|version| version.schema.as_ref())
                .and_then(|schema| serde_json::to_value(&schema.open_api_v3_schema).ok())
                .unwrap_or_default();
            let spec = whole.pointer("/properties/spec").map(Schema::of).unwrap_or_default();
            KindSchema { spec, spec_required: true, rules: compile_schema(&whole) }
        })
        .collect()
});

/// The rules of a kind, compiled once a process.
pub(super) fn of(kind: Kind) -> Option<&'static KindSchema> {
    Kind::ALL.iter().position(|k| *k == kind).and_then(|index| SCHEMAS.get(index))
}

#[derive(Default)]
struct Schema {
    kind: Option<Type>,
    nullable: bool,
    properties: BTreeMap<String, Schema>,
    required: Vec<String>,
    additional: Option<Box<Schema>>,
    items: Option<Box<Schema>>,
    values: Vec<String>,
    pattern: Option<(String, Regex)>,
    length: (Option<u64>, Option<u64>),
    count: (Option<u64>, Option<u64>),
    range: (Option<f64>, Option<f64>),
}

#[derive(Clone, Copy, PartialEq)]
enum Type {
    Text,
    Integer,
    Boolean,
    List,
    Object,
}
impl Type {
    fn noun(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "a whole number",
            Self::Boolean => "`true` or `false`",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

impl Schema {
    fn of(value: &Value) -> Self {
        let number = |key: &str| value.get(key).and_then(Value::as_u64);
        let kind = match value.get("type").and_then(Value::as_str) {
            Some("string") => Some(Type::Text),
            Some("integer") => Some(Type::Integer),
            Some("boolean") => Some(Type::Boolean),
            Some("array") => Some(Type::List),
            Some("object") => Some(Type::Object),
            _ => None,
        };
        let mut range = (value.get("minimum").and_then(Value::as_f64), value.get("maximum").and_then(Value::as_f64));
        match value.get("format").and_then(Value::as_str) {
            Some("uint32") => range = (range.0.or(Some(0.0)), range.1.or(Some(f64::from(u32::MAX)))),
            Some("int32") => range = (range.0.or(Some(f64::from(i32::MIN))), range.1.or(Some(f64::from(i32::MAX)))),
            _ => {}
        }
        Self {
            kind,
            nullable: value.get("nullable").and_then(Value::as_bool).unwrap_or(false),
            properties: value
                .get("properties")
                .and_then(Value::as_object)
                .map(|map| map.iter().map(|(key, value)| (key.clone(), Self::of(value))).collect())
                .unwrap_or_default(),
            required: strings(value.get("required")),
            additional: value.get("additionalProperties").filter(|v| v.is_object()).map(|v| Box::new(Self::of(v))),
            items: value.get("items").map(|v| Box::new(Self::of(v))),
            values: strings(value.get("enum")),
            pattern: value.get("pattern").and_then(Value::as_str).and_then(|pattern| {
                // The API server's `\w` is ASCII; this crate's is not. All our patterns use it within brackets.
                Regex::new(&pattern.replace(r"\w", "0-9A-Za-z_")).ok().map(|regex| (pattern.to_owned(), regex))
            }),
            length: (number("minLength"), number("maxLength")),
            count: (
                number("minItems").or_else(|| number("minProperties")),
                number("maxItems").or_else(|| number("maxProperties")),
            ),
            range,
        }
    }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .map(|items| items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default()
}

impl KindSchema {
    /// The spec as JSON, nulls left out as the API server leaves them out. `root` is the whole object.
    pub(super) fn check(&self, root: &Node, findings: &mut Vec<Finding>) -> Value {
        let mut walk = Walk { path: "spec".to_owned(), findings };
        match root.get("spec") {
            Some(spec) if !is_null(spec) => walk.value(&self.spec, spec).unwrap_or_default(),
            _ => {
                if self.spec_required {
                    let fields = one_of(self.spec.required.iter().map(String::as_str));
                    let help = if fields.is_empty() {
                        "add `spec: {…}`".to_owned()
                    } else {
                        format!("add `spec:` with at least {fields}")
                    };
                    walk.add("missing-field", root.place, "`spec` is missing".into(), Some(help));
                }
                Value::Null
            }
        }
    }

    /// The CEL rules of the kind. `sound`: the schema found nothing, so a rule that cannot be evaluated is a finding.
    pub(super) fn rules(&self, object: &Value, root: &Node, sound: bool, findings: &mut Vec<Finding>) {
        let Err(errors) = VALIDATOR.validate_compiled(&self.rules, object, None) else { return };
        for error in errors.into_vec() {
            let failed = error.kind == ErrorKind::ValidationFailure;
            // What a rule says of tags as a whole is told tag by tag already.
            if error.field_path == "spec.tags" && findings.iter().any(|finding| finding.rule == "wrong-tag") {
                continue;
            }
            if !failed && !sound {
                continue;
            }
            let message = if failed {
                error.message
            } else {
                format!("the rule `{}` cannot be evaluated: {}", error.rule, error.message)
            };
            let place = root.place_of(&error.field_path);
            findings.push(Finding { rule: "rule", place, field: error.field_path, message, help: None });
        }
    }
}

pub(super) fn is_null(node: &Node) -> bool {
    matches!(&node.form, Form::Scalar(scalar) if scalar.read() == Read::Null)
}

struct Walk<'a> {
    path: String,
    findings: &'a mut Vec<Finding>,
}

impl Walk<'_> {
    fn add(&mut self, rule: &'static str, place: Place, message: String, help: Option<String>) {
        self.findings.push(Finding { rule, place, field: self.path.clone(), message, help });
    }

    fn value(&mut self, schema: &Schema, node: &Node) -> Option<Value> {
        let Some(kind) = schema.kind else {
            self.free(node);
            return Some(node.to_json());
        };
        match (&node.form, kind) {
            (Form::Map(entries), Type::Object) => Some(self.object(schema, node, entries)),
            (Form::List(items), Type::List) => Some(self.list(schema, node, items)),
            (Form::Scalar(scalar), Type::Text) => self.text(schema, node, scalar),
            (Form::Scalar(scalar), Type::Integer) => self.integer(schema, node, scalar),
            (Form::Scalar(scalar), Type::Boolean) => self.boolean(node, scalar),
            _ => {
                self.wrong_type(kind, node);
                None
            }
        }
    }

    fn wrong_type(&mut self, kind: Type, node: &Node) {
        let help = match (kind, &node.form) {
            (Type::List, _) if !is_null(node) => Some("begin each item with `- `, even a single one".to_owned()),
            (Type::Object, Form::List(_)) => Some("write `key: value` lines, without `- `".to_owned()),
            (Type::Object, Form::Scalar(_)) if self.path.ends_with("Ref") => Some(match node.text() {
                Some(name) => format!("write `{{name: {}}}`", quoted(name)),
                None => "write `{name: …}`, or leave the field out".to_owned(),
            }),
            _ => None,
        };
        let found = match node.text() {
            Some(text) => format!("{} `{}`", node.noun(), quoted(text)),
            None => node.noun().to_owned(),
        };
        self.add("wrong-type", node.place, format!("expected {}, found {found}", kind.noun()), help);
    }

    fn object(&mut self, schema: &Schema, node: &Node, entries: &[Entry]) -> Value {
        let mut out = Map::new();
        let length = self.path.len();
        for entry in entries {
            push_key(&mut self.path, &entry.key);
            if let Some(field) = schema.properties.get(&*entry.key) {
                // As the API server does: null where it is not allowed is as good as absent, unless required.
                if !is_null(&entry.node) {
                    if let Some(value) = self.value(field, &entry.node) {
                        out.insert(entry.key.to_string(), value);
                    }
                } else if !field.nullable && schema.required.iter().any(|key| **key == *entry.key) {
                    let kind = field.kind.map_or("a value", Type::noun);
                    self.add(
                        "missing-field",
                        entry.place,
                        format!("`{}` has no value; expected {kind}", entry.key),
                        None,
                    );
                } else if field.kind.is_none() && schema.required.iter().any(|key| **key == *entry.key) {
                    self.add("missing-field", entry.place, format!("`{}` has no value", entry.key), None);
                }
            } else if let Some(field) = &schema.additional {
                self.key(entry);
                if let Some(value) = self.value(field, &entry.node) {
                    out.insert(entry.key.to_string(), value);
                }
            } else {
                let known = schema.properties.keys().map(String::as_str);
                let help = match nearest(&entry.key, known.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", list(known)),
                };
                self.add(
                    "unknown-field",
                    entry.place,
                    format!("`{}` is not a field here", quoted(&entry.key)),
                    Some(help),
                );
            }
            self.path.truncate(length);
        }
        for key in &schema.required {
            if !entries.iter().any(|entry| *entry.key == **key) {
                push_key(&mut self.path, key);
                let field = schema.properties.get(key);
                let kind = field.and_then(|field| field.kind).map_or("a value", Type::noun);
                let help = match field {
                    Some(field) if !field.values.is_empty() => {
                        format!("add `{key}:` with one of {}", one_of(field.values.iter().map(String::as_str)))
                    }
                    _ => format!("add `{key}:` with {kind}"),
                };
                self.add("missing-field", node.place, format!("`{key}` is missing"), Some(help));
                self.path.truncate(length);
            }
        }
        self.count(schema, node, entries.len(), "keys");
        Value::Object(out)
    }

    fn list(&mut self, schema: &Schema, node: &Node, items: &[Node]) -> Value {
        let mut out = Vec::with_capacity(items.len());
        if let Some(item_schema) = &schema.items {
            let length = self.path.len();
            for (index, item) in items.iter().enumerate() {
                self.path.push_str(&format!("[{index}]"));
                out.extend(self.value(item_schema, item));
                self.path.truncate(length);
            }
        }
        self.count(schema, node, items.len(), "items");
        Value::Array(out)
    }

    fn count(&mut self, schema: &Schema, node: &Node, count: usize, what: &str) {
        let count = count as u64;
        if let Some(most) = schema.count.1.filter(|most| count > *most) {
            let help = if what == "keys" && most == 47 {
                Some("AWS allows 50 tags; bylaw needs 3 of them for its own".to_owned())
            } else {
                None
            };
            self.add("too-many", node.place, format!("{count} {what}; at most {most} are allowed"), help);
        }
        if let Some(least) = schema.count.0.filter(|least| count < *least) {
            self.add("too-few", node.place, format!("{count} {what}; at least {least} are needed"), None);
        }
    }

    fn text(&mut self, schema: &Schema, node: &Node, scalar: &Scalar) -> Option<Value> {
        let read_as = match scalar.read() {
            Read::Null => {
                self.wrong_type(Type::Text, node);
                return None;
            }
            Read::Bool(_) => Some("a boolean"),
            Read::Number(_) => Some("a number"),
            Read::Text(_) => scalar.trap(),
        };
        if let Some(what) = read_as {
            self.add(
                "unquoted-text",
                node.place,
                format!(
                    "`{}` without quotes is {what} to kubectl and the API server; expected text",
                    quoted(&scalar.text)
                ),
                Some(format!("quote it: `\"{}\"`", quoted(&scalar.text))),
            );
        }
        let text = &*scalar.text;
        if !schema.values.is_empty() && !schema.values.iter().any(|value| value == text) {
            let known = schema.values.iter().map(String::as_str);
            let help = nearest(text, known.clone()).map(|near| format!("did you mean `{near}`?"));
            self.add("unknown-value", node.place, format!("`{}` is not {}", quoted(text), one_of(known)), help);
            return Some(Value::String(text.to_owned()));
        }
        let length = text.chars().count() as u64;
        // The form says more than a number of characters.
        if let Some((pattern, regex)) = &schema.pattern
            && !regex.is_match(text)
        {
            let (expected, help) = expected_of(pattern, text);
            let given = if text.is_empty() { "the empty text".to_owned() } else { format!("`{}`", quoted(text)) };
            self.add("wrong-form", node.place, format!("{given} is not {expected}"), help);
        } else if let Some(most) = schema.length.1.filter(|most| length > *most) {
            self.add("too-long", node.place, format!("{length} characters; at most {most} are allowed"), None);
        } else if let Some(least) = schema.length.0.filter(|least| length < *least) {
            let message = if length == 0 {
                "the text is empty".to_owned()
            } else {
                format!("`{}` has {length} characters; at least {least} are needed", quoted(text))
            };
            self.add("too-short", node.place, message, None);
        }
        Some(Value::String(text.to_owned()))
    }

    fn integer(&mut self, schema: &Schema, node: &Node, scalar: &Scalar) -> Option<Value> {
        let Read::Number(number) = scalar.read() else {
            let quoted_number = scalar.text.parse::<i64>().is_ok() && scalar.trap().is_none();
            self.wrong_type(Type::Integer, node);
            if quoted_number && let Some(last) = self.findings.last_mut() {
                last.help = Some("leave the quotes out".into());
            }
            return None;
        };
        let Some(value) = number.as_i64() else {
            self.wrong_type(Type::Integer, node);
            return None;
        };
        #[allow(clippy::cast_precision_loss, reason = "limits of the schemas are small")]
        let float = value as f64;
        if schema.range.0.is_some_and(|least| float < least) || schema.range.1.is_some_and(|most| float > most) {
            let range = match schema.range {
                (Some(least), Some(most)) => format!("between {least} and {most}"),
                (Some(least), None) => format!("at least {least}"),
                (_, most) => format!("at most {}", most.unwrap_or(f64::MAX)),
            };
            self.add("out-of-range", node.place, format!("`{value}` is not {range}"), None);
            return None;
        }
        Some(Value::Number(value.into()))
    }

    fn boolean(&mut self, node: &Node, scalar: &Scalar) -> Option<Value> {
        if let Read::Bool(value) = scalar.read() {
            return Some(Value::Bool(value));
        }
        self.wrong_type(Type::Boolean, node);
        let help = match (scalar.trap(), &*scalar.text) {
            (Some(word @ ("`true`" | "`false`")), _) => Some(format!("write {word}")),
            (_, "true" | "false") => Some("leave the quotes out".to_owned()),
            _ => None,
        };
        if let Some(last) = self.findings.last_mut() {
            last.help = help;
        }
        None
    }

    /// A value of any form: only what kubectl would read otherwise is wrong.
    fn free(&mut self, node: &Node) {
        let length = self.path.len();
        match &node.form {
            Form::Scalar(scalar) => {
                if let Some(what) = scalar.trap() {
                    self.add(
                        "unquoted-text",
                        node.place,
                        format!("`{}` without quotes is {what} to kubectl, and text to others", quoted(&scalar.text)),
                        Some(format!("quote it: `\"{}\"`", quoted(&scalar.text))),
                    );
                } else if scalar.text.len() == 12 && matches!(scalar.read(), Read::Number(_)) {
                    self.add(
                        "unquoted-text",
                        node.place,
                        format!("`{}` without quotes is a number; it looks like an account id", quoted(&scalar.text)),
                        Some(format!("quote it: `\"{}\"`", quoted(&scalar.text))),
                    );
                }
            }
            Form::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.path.push_str(&format!("[{index}]"));
                    self.free(item);
                    self.path.truncate(length);
                }
            }
            Form::Map(entries) => {
                for entry in entries {
                    push_key(&mut self.path, &entry.key);
                    self.key(entry);
                    self.free(&entry.node);
                    self.path.truncate(length);
                }
            }
        }
    }

    /// A free key that kubectl would read as something else than what is written.
    fn key(&mut self, entry: &Entry) {
        if !entry.plain {
            return;
        }
        let what = trap(&entry.key).or(match &*entry.key {
            "" | "~" | "null" | "Null" | "NULL" => Some("nothing"),
            "True" | "TRUE" => Some("`true`"),
            "False" | "FALSE" => Some("`false`"),
            _ => None,
        });
        if let Some(what) = what {
            self.add(
                "unquoted-text",
                entry.place,
                format!("the key `{}` without quotes is {what} to kubectl", quoted(&entry.key)),
                Some(format!("quote it: `\"{}\":`", quoted(&entry.key))),
            );
        }
    }
}

/// A text map (labels, annotations) outside of the schema.
pub(super) fn text_map(node: &Node, field: &str, findings: &mut Vec<Finding>) -> BTreeMap<String, String> {
    let schema = Schema {
        kind: Some(Type::Object),
        additional: Some(Box::new(Schema { kind: Some(Type::Text), ..Schema::default() })),
        ..Schema::default()
    };
    let mut walk = Walk { path: field.to_owned(), findings };
    match walk.value(&schema, node) {
        Some(Value::Object(map)) => {
            map.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// `path` and a key of it: with a dot, or in brackets where the key is no plain word.
pub(super) fn push_key(path: &mut String, key: &str) {
    let word = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@' | ':'));
    if word {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    } else {
        path.push_str(&format!("[\"{}\"]", quoted(key)));
    }
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    one_of(words).replace(" or ", ", ")
}

/// The policy type that was probably meant.
pub(super) fn nearest_policy_type(text: &str) -> Option<&'static str> {
    let spelled = text.to_uppercase().replace(['-', ' '], "_");
    match &*spelled {
        "SCP" => Some("SERVICE_CONTROL_POLICY"),
        "RCP" => Some("RESOURCE_CONTROL_POLICY"),
        _ => nearest(&spelled, crate::names::POLICY_TYPES.iter().map(|rule| rule.name)),
    }
}

/// The patterns of `src/api` in words; a pattern that is not here is shown as it is (`tests` hold the table complete).
fn expected_of(pattern: &str, text: &str) -> (String, Option<String>) {
    let (words, help) = match pattern {
        r"^[0-9]{12}$" => {
            let help = if text.len() < 12 && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
                Some("leading zeros count: fill up to 12 digits".to_owned())
            } else if text.contains('-') {
                Some("leave the dashes out".to_owned())
            } else {
                None
            };
            ("an account id (12 digits)", help)
        }
        r"^[^\s@]+@[^\s@]+\.[^\s@]+$" => ("an e-mail address (`name@example.com`)", None),
        r"^[\x20-\x7E]+$" => ("made of ASCII letters, digits and signs only", None),
        r"^[\w+=,.@-]{1,64}$" => ("the name of a role (1 to 64 letters, digits and `_+=,.@-`)", None),
        r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$" => {
            ("the ARN of a role (`arn:aws:iam::111122223333:role/name`)", None)
        }
        r"^[0-9a-f]{16,64}$" => ("the hash of refused changes (16 hexadecimal digits)", None),
        r"^([0-9]+(h|m|s))+$" => ("a duration as Go writes it (`10m`, `1h30m`)", None),
        r"^[A-Z][A-Z0-9_]{1,63}$" => {
            let near = nearest_policy_type(text);
            (
                "a policy type as AWS spells it (`SERVICE_CONTROL_POLICY`)",
                near.map(|near| format!("did you mean `{near}`?")),
            )
        }
        other => return (format!("of the form `{other}`"), None),
    };
    (words.to_owned(), help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(pattern)) = map.get("pattern") {
                    out.push(pattern.clone());
                }
                map.values().for_each(|v| patterns(v, out));
            }
            Value::Array(items) => items.iter().for_each(|v| patterns(v, out)),
            _ => {}
        }
    }

    #[test]
    fn every_pattern_of_the_api_has_words() {
        let mut all = Vec::new();
        for crd in crate::api::definitions() {
            patterns(&serde_json::to_value(&crd.spec.versions[0].schema).unwrap(), &mut all);
        }
        assert!(all.len() > 5);
        for pattern in all {
            assert!(!expected_of(&pattern, "x").0.starts_with("of the form"), "{pattern}");
            assert!(Regex::new(&pattern.replace(r"\w", "0-9A-Za-z_")).is_ok());
        }
    }

    #[test]
    fn every_rule_of_the_api_compiles() {
        for kind in Kind::ALL {
            let errors = of(kind).unwrap().rules.compilation_errors();
            assert!(errors.is_empty(), "{kind}: {errors:?}");
        }
    }
}
