//! The reference pages of `docs/reference`, made from the CustomResourceDefinitions, the types and the examples.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionVersion,
};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use crate::api::{self, account, approval, common, organization, policy};

const HEADER: &str = "<!-- Generated from the types in src/api; do not edit. -->\n";

/// The example files that pages quote from; the first object of a kind is taken.
const EXAMPLES: &[&str] = &[
    include_str!("../../examples/data-science/organization.yaml"),
    include_str!("../../examples/data-science/units.yaml"),
    include_str!("../../examples/platform/policies/private-networks.yaml"),
    include_str!("../../examples/approval/approval.yaml"),
];
/// Condition types and reasons, with their documentation.
const CONDITIONS: &str = include_str!("../api/conditions.rs");

/// The pages as `(file name, markdown)`: one a kind, one of the conditions, and an index. The same types and examples
/// always give the same bytes.
#[must_use]
pub fn render() -> Vec<(String, String)> {
    let definitions = api::definitions();
    let mut pages = vec![
        ("README.md".to_owned(), index(&definitions)),
        ("conditions.md".to_owned(), conditions()),
        ("cloudtrail-keys.md".to_owned(), super::impact::keys::page()),
    ];
    for definition in &definitions {
        for version in &definition.spec.versions {
            pages.push((format!("{}.md", definition.spec.names.singular()), page(definition, version)));
        }
    }
    pages
}

/// The singular name, which the definition may leave to Kubernetes.
trait Singular {
    fn singular(&self) -> String;
}
impl Singular for k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionNames {
    fn singular(&self) -> String {
        self.singular.clone().unwrap_or_else(|| self.kind.to_lowercase())
    }
}

fn schema_of(version: &CustomResourceDefinitionVersion) -> Value {
    version
        .schema
        .as_ref()
        .and_then(|schema| schema.open_api_v3_schema.as_ref())
        .and_then(|schema| serde_json::to_value(schema).ok())
        .unwrap_or_default()
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn index(definitions: &[CustomResourceDefinition]) -> String {
    let mut out = format!("{HEADER}\n# Reference\n\n| kind | short name | what it is |\n|---|---|---|\n");
    for definition in definitions {
        let names = &definition.spec.names;
        let what = definition.spec.versions.first().map(schema_of).unwrap_or_default();
        out += &format!(
            "| [`{}`]({}.md) | `{}` | {} |\n",
            names.kind,
            names.singular(),
            names.short_names.as_deref().unwrap_or_default().join("`, `"),
            cell(text(&what, "description"))
        );
    }
    out += "\nAll kinds belong to `bylaw.dev/v1alpha1`, are cluster-scoped and in the category `bylaw` (`kubectl get bylaw`). \
            What their conditions say is in [conditions](conditions.md).\n";
    out
}

fn page(definition: &CustomResourceDefinition, version: &CustomResourceDefinitionVersion) -> String {
    let schema = schema_of(version);
    let kind = &definition.spec.names.kind;
    let mut out = format!(
        "{HEADER}\n# {kind}\n\n{}\n\n`apiVersion: {}/{}`, `kind: {kind}`\n",
        text(&schema, "description"),
        definition.spec.group,
        version.name
    );
    if let Some(example) = example(kind) {
        out += &format!("\n## Example\n\n```yaml\n{}\n```\n", example.trim_end());
    }
    let mut rows = vec![];
    fields("", &schema, &mut rows);
    for (part, title) in [("spec", "Spec"), ("status", "Status")] {
        out += &format!("\n## {title}\n\n| field | type | default | what it is |\n|---|---|---|---|\n");
        rows.iter().filter(|row| row.path.starts_with(&format!("{part}."))).for_each(|row| out += &row.line());
    }
    out += &choices(&rows);
    out += &rules(&rows);
    out += &columns(version.additional_printer_columns.as_deref().unwrap_or_default());
    out
}

/// One field of a schema.
struct Row<'a> {
    path: String,
    required: bool,
    schema: &'a Value,
}

/// Every field below `schema`, parents first. Lists add `[]` to the path, maps `.*`.
fn fields<'a>(path: &str, schema: &'a Value, rows: &mut Vec<Row<'a>>) {
    rows.push(Row { path: path.to_owned(), required: false, schema });
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, below) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let first = rows.len();
        fields(&at, below, rows);
        if let Some(row) = rows.get_mut(first) {
            row.required = required.contains(&name.as_str());
        }
    }
    // The items of a list have a row only where they have fields or rules of their own: the list's row says the rest.
    for (key, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let Some(below) = schema.get(key).filter(|below| below.get("properties").is_some()) {
            fields(&format!("{path}{mark}"), below, rows);
        }
    }
}

impl Row<'_> {
    /// The row of the table; nothing for the items of a list, whose fields follow, nor for the fields of a condition,
    /// which are Kubernetes' own.
    fn line(&self) -> String {
        let is_item = self.path.ends_with("[]") || self.path.ends_with(".*");
        if is_item || self.path.starts_with("status.conditions[]") {
            return String::new();
        }
        let default = self.schema.get("default").map(|value| format!("`{value}`")).unwrap_or_default();
        let mut what = text(self.schema, "description").to_owned();
        if self.path == "status.conditions" {
            what += " See [conditions](conditions.md).";
        }
        let limits = limits(self.schema);
        if !limits.is_empty() {
            what += &format!(" ({})", limits.join("; "));
        }
        let required = if self.required { " **required**" } else { "" };
        format!("| `{}`{required} | {} | {} | {} |\n", self.path, kind(self.schema), cell(&default), cell(&what))
    }
}

/// Text as it may stand in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The type in words.
fn kind(schema: &Value) -> String {
    match text(schema, "type") {
        "array" => format!("list of {}", schema.get("items").map(kind).unwrap_or_default()),
        "object" => match schema.get("additionalProperties") {
            Some(values) if values.is_object() => format!("map to {}", kind(values)),
            _ => "object".to_owned(),
        },
        "string" if schema.get("enum").is_some() => {
            let values = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            values.map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ")
        }
        "string" if text(schema, "format") == "date-time" => "time".to_owned(),
        "" => "object or string".to_owned(),
        other => other.to_owned(),
    }
}

/// The limits of a field and, for a list or map, of what is in it.
fn limits(schema: &Value) -> Vec<String> {
    let number = |key: &str| schema.get(key).and_then(Value::as_f64).map(|n| format!("{n:.0}"));
    let range = |least: &str, most: &str, unit: &str| match (number(least), number(most)) {
        (Some(least), Some(most)) if least == most => Some(format!("exactly {most}{unit}")),
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
        (None, Some(most)) => Some(format!("at most {most}{unit}")),
        (Some(least), None) if least != "0" => Some(format!("at least {least}{unit}")),
        _ => None,
    };
    let mut out: Vec<String> = [
        range("minItems", "maxItems", " items"),
        range("minProperties", "maxProperties", " entries"),
        range("minLength", "maxLength", " characters"),
        range("minimum", "maximum", ""),
        schema.get("pattern").and_then(Value::as_str).map(|pattern| format!("form `{pattern}`")),
    ]
    .into_iter()
    .flatten()
    .collect();
    for key in ["items", "additionalProperties"] {
        if let Some(below) = schema.get(key).filter(|below| below.get("properties").is_none()) {
            out.extend(limits(below).into_iter().map(|limit| format!("each {limit}")));
        }
    }
    out
}

/// What the values of choices mean. The definitions carry the values alone; the meaning is taken from the types.
fn choices(rows: &[Row<'_>]) -> String {
    let known = documented_choices();
    let mut out = String::new();
    for row in rows {
        let Some(values) = row.schema.get("enum").and_then(Value::as_array) else { continue };
        let Some(choice) = known.iter().find(|choice| choice.iter().map(|(value, _)| value).eq(values)) else {
            continue;
        };
        for (value, meaning) in choice {
            out += &format!("| `{}` | `{}` | {} |\n", row.path, value.as_str().unwrap_or_default(), cell(meaning));
        }
    }
    if out.is_empty() {
        out
    } else {
        format!("\n## Choices\n\n| field | value | what it means |\n|---|---|---|\n{out}")
    }
}

fn documented_choices() -> Vec<Vec<(Value, String)>> {
    fn of<T: JsonSchema>() -> Vec<(Value, String)> {
        let schema = T::json_schema(&mut SchemaGenerator::default()).to_value();
        let variants = schema.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
        variants
            .iter()
            .filter_map(|variant| Some((variant.get("const")?.clone(), text(variant, "description").to_owned())))
            .collect()
    }
    vec![
        of::<common::Mode>(),
        of::<common::Attachments>(),
        of::<common::BaseAccess>(),
        of::<common::AdoptionPolicy>(),
        of::<common::DeletionPolicy>(),
        of::<account::AccountDeletionPolicy>(),
        of::<policy::Enforcement>(),
        of::<organization::AdoptionTags>(),
        of::<approval::ApprovedKind>(),
    ]
}

fn rules(rows: &[Row<'_>]) -> String {
    let mut out = String::new();
    for row in rows {
        for rule in row.schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten() {
            let at = if row.path.is_empty() { "the object" } else { &format!("`{}`", row.path) };
            out += &format!("| {at} | {} | `{}` |\n", cell(text(rule, "message")), cell(text(rule, "rule")));
        }
    }
    if out.is_empty() {
        return out;
    }
    format!(
        "\n## Rules\n\nChecked by the API server and by `bylaw validate`. A rule with `oldSelf` compares an update with what \
         was there before.\n\n| field | what is told | rule (CEL) |\n|---|---|---|\n{out}"
    )
}

fn columns(columns: &[CustomResourceColumnDefinition]) -> String {
    let mut out = "\n## Columns of `kubectl get`\n\n| column | shows | |\n|---|---|---|\n".to_owned();
    for column in columns {
        let wide = if column.priority.unwrap_or_default() > 0 { "with `-o wide`" } else { "" };
        out += &format!("| {} | `{}` | {wide} |\n", column.name, cell(&column.json_path));
    }
    out
}

/// The first object of that kind in the examples, with the comments above it.
fn example(kind: &str) -> Option<&'static str> {
    let line = format!("kind: {kind}");
    EXAMPLES.iter().flat_map(|file| file.split("\n---\n")).find(|document| document.lines().any(|have| have == line))
}

fn conditions() -> String {
    let mut out = format!(
        "{HEADER}\n# Conditions\n\nEvery object has `status.conditions`, as kstatus, Flux and Argo CD read them.\n\n\
         | type | what it says |\n|---|---|\n"
    );
    let (reasons, types): (Vec<_>, Vec<_>) =
        documented_constants().into_iter().partition(|(name, _, _)| name.starts_with("REASON_"));
    types.iter().for_each(|(_, value, what)| out += &format!("| `{value}` | {} |\n", cell(what)));
    out += "\n| reason | what it says |\n|---|---|\n";
    reasons.iter().for_each(|(_, value, what)| out += &format!("| `{value}` | {} |\n", cell(what)));
    out
}

/// `(name, value, documentation)` of every constant of `api::conditions`, in the order of the file.
fn documented_constants() -> Vec<(&'static str, &'static str, String)> {
    let mut out = vec![];
    let mut comment = String::new();
    for line in CONDITIONS.lines() {
        if let Some(text) = line.strip_prefix("///") {
            comment += text;
        } else {
            let constant = line.strip_prefix("pub const ").and_then(|rest| rest.split_once(": &str = "));
            if let Some((name, value)) = constant {
                out.push((name, value.trim_matches(['"', ';']), comment.trim().to_owned()));
            }
            comment.clear();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_a_kind_and_each_is_whole() {
        let pages = render();
        assert_eq!(pages, render(), "the same types give the same bytes");
        for definition in api::definitions() {
            let kind = definition.spec.names.kind;
            let (_, page) = pages.iter().find(|(name, _)| *name == format!("{}.md", kind.to_lowercase())).unwrap();
            for part in ["## Example", "## Spec", "## Status", "## Choices", "## Rules", "## Columns"] {
                assert!(page.contains(part), "{kind}: {part}");
            }
            let example = example(&kind).unwrap();
            assert!(example.contains(&format!("kind: {kind}")) && !example.contains("\n---"), "{example}");
            // Every row of a table has as many cells as its head.
            let mut width = 0;
            for line in page.lines() {
                let cells = line.replace("\\|", "").matches('|').count();
                width = match (line.starts_with('|'), width) {
                    (false, _) => 0,
                    (true, 0) => cells,
                    (true, had) => {
                        assert_eq!(cells, had, "{kind}: {line}");
                        had
                    }
                };
            }
        }
    }

    #[test]
    fn a_field_tells_type_default_limits_and_necessity() {
        let pages = render();
        let page = |name: &str| pages.iter().find(|(have, _)| have == name).unwrap().1.clone();
        let organization = page("organization.md");
        assert!(organization.contains("| `spec.managementAccountId` **required** | string |"), "{organization}");
        assert!(organization.contains("| `spec.limits.maxAffected.percent` | integer | `50` |"), "{organization}");
        assert!(organization.contains("(0 to 100)"), "{organization}");
        assert!(organization.contains("| `spec.partition` | `aws` or `aws-cn` or `aws-us-gov` | `\"aws\"` |"));
        assert!(organization.contains("| `spec.mode` | `Observe` | Differences are reported;"), "{organization}");
        let policy = page("organizationpolicy.md");
        assert!(policy.contains("| `spec.content` **required** | object or string |"), "{policy}");
        assert!(policy.contains("| `spec.targets[].organizationalUnitRef.name` **required** | string |"), "{policy}");
        assert!(policy.contains("| `spec.targets[]` | give exactly one of `root`"), "{policy}");
        let conditions = page("conditions.md");
        assert!(conditions.contains("| `Ready` | The object is as declared."), "{conditions}");
        assert!(conditions.contains("| `Refused` | A change was refused by the guard;"), "{conditions}");
    }

    #[test]
    fn every_choice_but_kubernetes_own_says_what_it_means() {
        let known = documented_choices();
        for choice in &known {
            assert!(choice.len() > 1 || choice.is_empty(), "{choice:?}");
            assert!(choice.iter().all(|(_, meaning)| !meaning.is_empty()), "{choice:?}");
        }
        assert!(known.iter().filter(|choice| !choice.is_empty()).count() >= 7);
        let mut without = vec![];
        for definition in api::definitions() {
            let schema = schema_of(&definition.spec.versions[0]);
            let mut rows = vec![];
            fields("", &schema, &mut rows);
            for row in rows.iter().filter(|row| row.schema.get("enum").is_some()) {
                let values = row.schema["enum"].as_array().unwrap();
                if !known.iter().any(|choice| choice.iter().map(|(value, _)| value).eq(values)) {
                    without.push(row.path.rsplit('.').next().unwrap_or_default().to_owned());
                }
            }
        }
        without.sort();
        without.dedup();
        assert_eq!(without, ["operator", "partition"]);
    }
}
