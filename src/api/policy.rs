//! `OrganizationPolicy`: one policy of any AWS Organizations type, and where it is attached.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{AdoptionPolicy, Condition, DeletionPolicy, KeptIn, Reference, Target};

/// One policy.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "bylaw.dev",
    version = "v1alpha1",
    kind = "OrganizationPolicy",
    plural = "organizationpolicies",
    shortname = "orgpol",
    category = "bylaw",
    status = "OrganizationPolicyStatus",
    derive = "PartialEq",
    cel,
    doc = "A policy of AWS Organizations (SCP, RCP, tag, backup, …) and the nodes it is attached to. Content is compared by meaning and sent minified.",
    selectable = ".spec.type",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Enforcement", type_ = "string", json_path = ".spec.enforcement"),
    printcolumn(name = "Targets", type_ = "integer", json_path = ".status.targets"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Id", type_ = "string", json_path = ".status.id", priority = "1"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.type == oldSelf.type").message("`type` cannot change: AWS cannot change a policy's type"))]
pub struct OrganizationPolicySpec {
    /// The organization; may be left out where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_ref: Option<Reference>,
    /// The policy type, as AWS spells it (`SERVICE_CONTROL_POLICY`, `TAG_POLICY`, …).
    #[schemars(length(max = 64), regex(pattern = r"^[A-Z][A-Z0-9_]{1,63}$"))]
    pub r#type: String,
    /// Name in AWS, unique in its type. Left out: the object's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub name: Option<String>,
    /// Description in AWS.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub description: String,
    /// The policy document, an object or a JSON string.
    #[schemars(schema_with = "super::organization::any_value")]
    pub content: serde_json::Value,
    /// Where it is attached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub targets: Vec<Target>,
    /// What is taken out of the targets. Below a targeted parent the policy is attached to the siblings instead; children
    /// that appear there later are bound from the next pass on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub excluding: Vec<Target>,
    /// Tags of the policy. Keys that are not named here are left alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "super::common::tags_schema")]
    pub tags: BTreeMap<String, String>,
    /// `Audit`: the policy exists and is attached nowhere.
    #[serde(default)]
    pub enforcement: Enforcement,
    /// What to do with a policy of that type and name that is there already.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,
    /// What happens in AWS when this object is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// Leaves the policy alone while true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

/// Whether a policy binds.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Enforcement {
    /// It is attached to its targets.
    #[default]
    Enforce,
    /// It is evaluated, not attached.
    Audit,
}

/// A node that a policy is attached to in AWS.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Attached {
    /// Id of the root, OU or account.
    pub id: String,
    /// Its name in AWS.
    pub name: String,
}

/// What the controller last found.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationPolicyStatus {
    /// Id of the policy in AWS.
    pub id: Option<String>,
    /// Number of nodes it is attached to.
    #[serde(default)]
    #[schemars(schema_with = "super::common::optional_count_schema")]
    pub targets: Option<u32>,
    /// The first fifty of them, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachments: Option<Vec<Attached>>,
    /// Characters of the document as sent.
    #[serde(default)]
    #[schemars(schema_with = "super::common::optional_count_schema")]
    pub characters: Option<u32>,
    #[serde(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub kept: KeptIn,
    /// Generation that the status speaks of.
    pub observed_generation: Option<i64>,
    /// `Ready` always; `Reconciling`, `Stalled`, `Drifted` when true.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
