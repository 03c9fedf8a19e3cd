//! What several kinds share: references, targets, and the small choices.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names another object of a fixed kind.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// `metadata.name` of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Whether bylaw writes.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Differences are corrected.
    #[default]
    Enforce,
    /// Differences are reported; nothing is written and nothing is deleted.
    Observe,
}

/// Which attachments of a node are bylaw's to decide.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Attachments {
    /// Only those of declared policies; whatever else is attached stays.
    #[default]
    Additive,
    /// All but the ignored and the AWS-managed: a policy that no manifest attaches there is detached.
    Exclusive,
}

/// What a node allows before any declared policy speaks: the AWS-managed `FullAWSAccess`.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseAccess {
    /// `FullAWSAccess` is attached.
    Full,
    /// `FullAWSAccess` is not attached: only what declared policies allow is allowed.
    AllowList,
}

/// How an AWS object that exists already, without bylaw's tag, is treated.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AdoptionPolicy {
    /// Take it over if it is there, create it if not.
    #[default]
    AdoptOrCreate,
    /// Take it over; never create.
    Adopt,
    /// Create; refuse if it is there already.
    Create,
}

/// What happens in AWS when the object is deleted.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DeletionPolicy {
    /// Nothing: bylaw lets go of it.
    #[default]
    Retain,
    /// It is deleted.
    Delete,
}

/// Selects objects by their labels; both parts must hold. An empty selector selects everything.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must have exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "labels_schema")]
    pub match_labels: BTreeMap<String, String>,
    /// Conditions on labels, all of which must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub match_expressions: Vec<LabelExpression>,
}

/// What the controller remembers of an object, in its status, where the next leader finds it.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// What was in AWS as declared when the last pass ended, as hashes: the next leader tells drift by it.
    #[serde(default)]
    #[schemars(length(max = 1000), inner(length(max = 32)))]
    pub settled: Vec<String>,
    /// What was put right within the last hour, as hashes with the time.
    #[serde(default)]
    #[schemars(length(max = 50), inner(length(max = 64)))]
    pub corrections: Vec<String>,
}

/// What the controller remembers of an object of one of several organizations, and of which.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct KeptIn {
    /// Account that manages the organization that the object is kept in. Several: those of the Organizations that were there
    /// when it was first seen and did not say which is its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 12)))]
    pub management_accounts: Vec<String>,
    #[serde(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub kept: Kept,
}

/// One condition of a label selector.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.operator in ['In', 'NotIn'] ? has(self.values) && self.values.size() > 0 : !has(self.values) || self.values.size() == 0").message("`values` goes with `In` and `NotIn`, and only with them"))]
pub struct LabelExpression {
    /// The label's key.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// How the label is compared.
    pub operator: LabelOperator,
    /// The values of `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// Operators of a [`LabelExpression`], as Kubernetes has them.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelOperator {
    /// The label has one of the values.
    In,
    /// The label has none of the values, or is not there.
    NotIn,
    /// The label is there, whatever its value.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

/// Where something applies: exactly one of the four.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(cel, validation = Rule::new("[has(self.root), has(self.organizationalUnitRef), has(self.accountRef), has(self.selector)].exists_one(x, x)").message("give exactly one of `root`, `organizationalUnitRef`, `accountRef`, `selector`"))]
#[x_kube(validation = Rule::new("!has(self.root) || self.root").message("`root` is `true` or left out"))]
pub struct Target {
    /// `true`: the root, so every account but the management account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<bool>,
    /// An `OrganizationalUnit` and everything below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizational_unit_ref: Option<Reference>,
    /// One `Account`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<Reference>,
    /// Every `OrganizationalUnit` and `Account` whose labels match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// Schema of tags: AWS holds 50 on an object (aws-facts section 2), and up to three of them are bylaw's own.
pub(super) fn tags_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 47,
        "additionalProperties": { "type": "string", "maxLength": 256 },
        "x-kubernetes-validations": [
            {
                "rule": "self.all(key, !key.startsWith('aws:') && !key.startsWith('bylaw.dev/'))",
                "message": "tag keys that begin with `aws:` belong to AWS, those with `bylaw.dev/` to bylaw itself"
            },
            { "rule": "self.all(key, key.size() >= 1 && key.size() <= 128)", "message": "a tag key has 1 to 128 characters" }
        ]
    })
}

/// Schema of labels: as many as a selector can sensibly hold, so that the cost of CEL rules below stays bounded.
fn labels_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": { "type": "string", "maxLength": 63 }
    })
}

/// Schema of a count: Kubernetes knows `int32` and `int64`, not Rust's unsigned formats.
pub(super) fn count_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "integer", "format": "int32", "minimum": 0 })
}

/// Schema of a count in a status, where it may be unknown.
pub(super) fn optional_count_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "integer", "format": "int32", "minimum": 0, "nullable": true })
}

/// Schema of a share in percent.
pub(super) fn percent_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": 100 })
}

/// Schema of a choice that may be left out. Unlike the derived one it keeps the field's own description.
pub(super) fn optional_schema<T: JsonSchema>(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let mut schema = T::json_schema(generator);
    schema.insert("nullable".into(), true.into());
    schema
}

/// A condition as Kubernetes defines it; lists of it are merged by `type`.
pub(super) type Condition = k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
