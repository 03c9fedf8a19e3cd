//! `OrganizationalUnit`: one OU of the tree.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::common::{AdoptionPolicy, Attachments, BaseAccess, Condition, DeletionPolicy, KeptIn, Reference};

/// One organizational unit.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "bylaw.dev", version = "v1alpha1", kind = "OrganizationalUnit", plural = "organizationalunits", shortname = "ou",
    category = "bylaw", status = "OrganizationalUnitStatus", derive = "PartialEq", cel,
    doc = "An organizational unit of the organization, found again by id, by bylaw's tag, or by its name under its parent.",
    selectable = ".spec.name",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Name", type_ = "string", json_path = ".spec.name"),
    printcolumn(name = "Parent", type_ = "string", json_path = ".spec.parentRef.name"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Id", type_ = "string", json_path = ".status.id", priority = "1"),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = "1"),
    validation = Rule::new("!has(self.spec.parentRef) || self.spec.parentRef.name != self.metadata.name").message("an OU cannot be its own parent")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.parentRef) == has(oldSelf.parentRef) && (!has(self.parentRef) || self.parentRef.name == oldSelf.parentRef.name)").message("`parentRef` cannot change: AWS cannot move an OU. Declare a new OU, move the accounts, then delete the old one"))]
pub struct OrganizationalUnitSpec {
    /// The organization; may be left out where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_ref: Option<Reference>,
    /// Name in AWS, unique below its parent. Changing it renames the OU in place.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new("self == self.trim()").message("no spaces around the name"))]
    pub name: String,
    /// The OU above; left out: the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_ref: Option<Reference>,
    /// Tags of the OU. Keys that are not named here are left alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "super::common::tags_schema")]
    pub tags: BTreeMap<String, String>,
    /// Which attachments of this OU are bylaw's to decide; left out: as the organization says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::common::optional_schema::<Attachments>")]
    pub attachments: Option<Attachments>,
    /// Whether `FullAWSAccess` is kept attached here. Left out: as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::common::optional_schema::<BaseAccess>")]
    pub base_access: Option<BaseAccess>,
    /// What to do with an OU of that name that is there already.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,
    /// What happens in AWS when this object is deleted. AWS deletes only empty OUs.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// Leaves the OU alone while true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

/// What the controller last found.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationalUnitStatus {
    /// Id of the OU in AWS.
    pub id: Option<String>,
    /// Path of ids from the organization down.
    pub path: Option<String>,
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
