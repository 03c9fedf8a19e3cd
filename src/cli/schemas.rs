//! The JSON Schemas of everything that `bylaw` prints or writes as JSON. The types are the schemas: their docs become the
//! descriptions.
//!
//! Adding an output: give its type a row in [`render`], and its page in `docs/output.md` a section.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::json;

use super::diff::DiffOutput;
use super::show::json::{ApplyOutput, PlanOutput};
use super::tree::TreeOutput;
use super::validate::ValidateOutput;
use crate::observed::snapshot::SnapshotFile;

/// One file an output: name and text.
#[must_use]
pub fn render() -> Vec<(String, String)> {
    vec![
        #[cfg(feature = "controller")]
        file("approve", of::<super::approve::ApproveOutput<'_>>()),
        file("apply", of::<ApplyOutput>()),
        file("can", of::<super::ask::can::CanOutput<'_>>()),
        file("can-requests", of::<super::ask::bulk::RequestOutput<'_>>()),
        file("can-requests-input", taken::<crate::judge::requests::AskedRequest>()),
        file("history", of::<super::ask::history::HistoryOutput>()),
        file("impact", of::<super::impact::Report>()),
        file("lint", of::<super::lint::LintOutput<'_>>()),
        file("diff", of::<DiffOutput<'_>>()),
        file("plan", of::<PlanOutput>()),
        file("snapshot", of::<SnapshotFile<'_>>()),
        file("tree", of::<TreeOutput<'_>>()),
        file("what-binds", of::<super::ask::what_binds::WhatBindsOutput>()),
        file("who-can", of::<super::ask::who_can::WhoCanOutput>()),
        file("why", of::<super::ask::why::WhyOutput>()),
        file("validate", of::<ValidateOutput<'_>>()),
    ]
}

fn of<T: JsonSchema>() -> Schema {
    SchemaGenerator::from(SchemaSettings::draft2020_12().for_serialize()).into_root_schema_for::<T>()
}

/// The same of what is read.
fn taken<T: JsonSchema>() -> Schema {
    SchemaGenerator::from(SchemaSettings::draft2020_12().for_deserialize()).into_root_schema_for::<T>()
}

fn file(name: &str, mut schema: Schema) -> (String, String) {
    let file = format!("{name}.schema.json");
    schema.insert("$id".into(), file.clone().into());
    schema.insert("title".into(), name.into());
    let text = format!("{:#}\n", json!(schema));
    (file, text)
}

#[cfg(test)]
#[path = "../../tests/support/form.rs"]
pub mod form;
