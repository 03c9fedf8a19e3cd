//! `Account`: one member account.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{AdoptionPolicy, BaseAccess, Condition, KeptIn, Reference};

/// One member account.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "bylaw.dev",
    version = "v1alpha1",
    kind = "Account",
    plural = "accounts",
    shortname = "awsacct",
    category = "bylaw",
    status = "AccountStatus",
    derive = "PartialEq",
    cel,
    doc = "A member account: adopted by id, or by e-mail where `adoptionPolicy` says so, or created once. It is never replaced, and closed only where `deletionPolicy` says so.",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Account", type_ = "string", json_path = ".status.id"),
    printcolumn(name = "OU", type_ = "string", json_path = ".spec.organizationalUnitRef.name"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Email", type_ = "string", json_path = ".spec.email", priority = "1"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.accountId) || (has(self.email) && has(self.name))").message("give `accountId` to adopt an account, or `email` and `name` to create one"))]
#[x_kube(validation = Rule::new("!has(oldSelf.accountId) || (has(self.accountId) && self.accountId == oldSelf.accountId)").message("`accountId` cannot change: another account is another object"))]
#[x_kube(validation = Rule::new("!has(oldSelf.email) || (has(self.email) && self.email == oldSelf.email)").message("`email` cannot change here: AWS asks the new address for a code"))]
pub struct AccountSpec {
    /// The organization; may be left out where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_ref: Option<Reference>,
    /// The account that exists already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12), regex(pattern = r"^[0-9]{12}$"))]
    pub account_id: Option<String>,
    /// E-mail of the root user. `adoptionPolicy` says what happens where an account has it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 6, max = 64), regex(pattern = r"^[^\s@]+@[^\s@]+\.[^\s@]+$"))]
    pub email: Option<String>,
    /// Name of the account. Changed in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), regex(pattern = r"^[\x20-\x7E]+$"))]
    pub name: Option<String>,
    /// The OU it belongs to; left out: the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizational_unit_ref: Option<Reference>,
    /// Tags of the account. Keys that are not named here are left alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "super::common::tags_schema")]
    pub tags: BTreeMap<String, String>,
    /// Alternate contacts to keep. A contact that is left out is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternate_contacts: Option<AlternateContacts>,
    /// Role that `CreateAccount` makes in the new account. AWS cannot read it back, so it counts at creation only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = r"^[\w+=,.@-]{1,64}$"))]
    pub role_name: Option<String>,
    /// Whether `FullAWSAccess` is kept attached here. Left out: as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::common::optional_schema::<BaseAccess>")]
    pub base_access: Option<BaseAccess>,
    /// What to do with an account that has this e-mail already; left out: `Create`. An account of `accountId` is adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::common::optional_schema::<AdoptionPolicy>")]
    pub adoption_policy: Option<AdoptionPolicy>,
    /// What happens in AWS when this object is deleted.
    #[serde(default)]
    pub deletion_policy: AccountDeletionPolicy,
    /// Leaves the account alone while true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
}

/// What happens in AWS when an `Account` object is deleted.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AccountDeletionPolicy {
    /// Nothing: bylaw lets go of it.
    #[default]
    Retain,
    /// The account is closed. AWS keeps it suspended for 90 days, in which support can reopen it.
    Close,
}

/// Alternate contacts of an account.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct AlternateContacts {
    /// Billing contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing: Option<AlternateContact>,
    /// Operations contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<AlternateContact>,
    /// Security contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<AlternateContact>,
}

/// One alternate contact.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AlternateContact {
    /// Full name.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// Job title.
    #[schemars(length(min = 1, max = 50))]
    pub title: String,
    /// E-mail address.
    #[schemars(length(min = 3, max = 254))]
    pub email: String,
    /// Telephone number.
    #[schemars(length(min = 1, max = 25))]
    pub phone: String,
}

/// What the controller last found.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct AccountStatus {
    /// Account id.
    pub id: Option<String>,
    /// State as AWS says it.
    pub state: Option<String>,
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
