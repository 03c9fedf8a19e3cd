//! `Approval`: a person lets refused changes pass.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::Condition;

/// A person's word that exactly the changes of one hash may be made.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "bylaw.dev",
    version = "v1alpha1",
    kind = "Approval",
    plural = "approvals",
    shortname = "appr",
    category = "bylaw",
    status = "ApprovalStatus",
    derive = "PartialEq",
    cel,
    doc = "Lets changes pass that were refused, by the hash under which they were shown. It is made by the person who approves (`bylaw approve HASH`), and counts until it expires.",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Hash", type_ = "string", json_path = ".spec.hash"),
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.for.kind"),
    printcolumn(name = "For", type_ = "string", json_path = ".spec.for.name"),
    printcolumn(name = "Approver", type_ = "string", json_path = ".spec.approver"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".spec.expiresAt"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("an approval cannot change: delete it and make another"))]
pub struct ApprovalSpec {
    /// The object whose changes are approved.
    #[serde(rename = "for")]
    pub subject: Approved,
    /// Hash of exactly the changes, as the refusal shows it.
    #[schemars(length(max = 64), regex(pattern = r"^[0-9a-f]{16,64}$"))]
    pub hash: String,
    /// Who approves: the name that the API server knows the person by. The chart's admission policy refuses another's.
    #[schemars(length(min = 1, max = 1024))]
    pub approver: String,
    /// Why, for those who read it later.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
    /// When it ends to count.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
}

/// The object whose changes an approval lets pass. One for the Organization counts for changes of all its objects.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Approved {
    /// Its kind.
    pub kind: ApprovedKind,
    /// Its namespace, where its kind has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub namespace: Option<String>,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Kinds of which changes can be approved.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovedKind {
    /// All changes of the organization that have the hash.
    Organization,
    /// Changes of one OU.
    OrganizationalUnit,
    /// Changes of one account.
    Account,
    /// Changes of one policy.
    OrganizationPolicy,
}

/// What came of an approval.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalStatus {
    /// When it first let changes pass.
    #[schemars(extend("format" = "date-time"))]
    pub used_at: Option<String>,
    /// Hashes of the changes that it let pass, each alone: what is left of them counts as approved too.
    #[serde(default)]
    pub covers: Vec<String>,
    /// Generation that the status speaks of.
    pub observed_generation: Option<i64>,
    /// `Ready` always: true once it lets changes pass. `Reconciling`, `Stalled` when true.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
