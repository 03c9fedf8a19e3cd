//! What the values of an enumeration mean, in the descriptions that `kubectl explain` shows: a CRD has no place of its own
//! for them, and the derive drops the docs of the variants.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use super::account::AccountDeletionPolicy;
use super::approval::ApprovedKind;
use super::common::LabelOperator;
use super::organization::{AdoptionTags, Partition};
use super::policy::Enforcement;
use super::{AdoptionPolicy, Attachments, BaseAccess, DeletionPolicy, Mode};

/// The values of one enumeration, each with its meaning, in the order of the type.
type Meanings = Vec<(String, String)>;

/// Every enumeration of the kinds. They are known again by their values.
fn all() -> Vec<Meanings> {
    vec![
        of::<AccountDeletionPolicy>(),
        of::<AdoptionPolicy>(),
        of::<AdoptionTags>(),
        of::<ApprovedKind>(),
        of::<Attachments>(),
        of::<BaseAccess>(),
        of::<DeletionPolicy>(),
        of::<Enforcement>(),
        of::<LabelOperator>(),
        of::<Mode>(),
        of::<Partition>(),
    ]
}

fn of<T: JsonSchema>() -> Meanings {
    let schema = schema_for!(T).to_value();
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    let variants = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    variants.filter_map(|variant| Some((text(variant, "const")?, text(variant, "description")?))).collect()
}

/// Adds the meanings to the descriptions of all fields of a definition.
pub(super) fn explain(definition: &mut CustomResourceDefinition) {
    let all = all();
    for version in &mut definition.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            walk(schema, &all);
        }
    }
}

fn walk(schema: &mut JSONSchemaProps, all: &[Meanings]) {
    if let Some(values) = &schema.enum_ {
        let values: Vec<&str> = values.iter().filter_map(|value| value.0.as_str()).collect();
        let meant = all.iter().find(|meanings| values.iter().eq(meanings.iter().map(|(value, _)| value)));
        if let Some(meanings) = meant {
            let told: Vec<String> = meanings.iter().map(|(value, meaning)| format!("`{value}`: {meaning}")).collect();
            let before = schema.description.take().map(|text| format!("{text} ")).unwrap_or_default();
            schema.description = Some(format!("{before}{}", told.join(" ")));
        }
    }
    schema.properties.iter_mut().flatten().for_each(|(_, below)| walk(below, all));
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => walk(item, all),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(|item| walk(item, all)),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `kubectl explain` says of every value of every field what it means.
    #[test]
    fn every_enumeration_of_the_definitions_says_what_its_values_mean() {
        fn look(path: &str, schema: &JSONSchemaProps, dumb: &mut Vec<String>, seen: &mut usize) {
            for value in schema.enum_.iter().flatten().filter_map(|value| value.0.as_str()) {
                *seen += 1;
                if !schema.description.as_deref().is_some_and(|text| text.contains(&format!("`{value}`: "))) {
                    dumb.push(format!("{path}: {value}"));
                }
            }
            for (name, below) in schema.properties.iter().flatten() {
                look(&format!("{path}.{name}"), below, dumb, seen);
            }
            if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
                look(path, item, dumb, seen);
            }
        }
        let (mut dumb, mut seen) = (vec![], 0);
        for definition in crate::api::definitions() {
            for version in &definition.spec.versions {
                let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref()).unwrap();
                look(&definition.spec.names.kind, schema, &mut dumb, &mut seen);
            }
        }
        assert_eq!(dumb, Vec::<String>::new());
        assert!(seen > 15, "{seen}");
        for meanings in all() {
            assert!(meanings.len() > 1, "an enumeration lost its docs: {meanings:?}");
        }
    }
}
