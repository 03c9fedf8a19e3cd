//! `Organization`: the organization, its root, and how far bylaw may go in it.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Attachments, BaseAccess, Condition, Kept, Mode, Reference};

/// An AWS organization and its root.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "bylaw.dev",
    version = "v1alpha1",
    kind = "Organization",
    plural = "organizations",
    shortname = "org",
    category = "bylaw",
    status = "OrganizationStatus",
    derive = "PartialEq",
    cel,
    doc = "An AWS organization that bylaw keeps as its other objects say. One pass reads it, plans, and applies for all of them.",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Drift", type_ = "integer", json_path = ".status.drift"),
    printcolumn(name = "Accounts", type_ = "integer", json_path = ".status.accounts"),
    printcolumn(name = "Last pass", type_ = "date", json_path = ".status.lastPass"),
    printcolumn(name = "Id", type_ = "string", json_path = ".status.id", priority = "1"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.managementAccountId == oldSelf.managementAccountId").message("`managementAccountId` cannot change: another organization is another object"))]
pub struct OrganizationSpec {
    /// The account that owns the organization. bylaw does nothing with credentials of another organization.
    #[schemars(length(max = 12), regex(pattern = r"^[0-9]{12}$"))]
    pub management_account_id: String,
    /// The AWS partition.
    #[serde(default)]
    pub partition: Partition,
    /// `Observe` reports and never writes.
    #[serde(default)]
    pub mode: Mode,
    /// Stops all work on the organization while true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Policy types to keep enabled, as AWS spells them. A type is never disabled: AWS would detach its policies for good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 64), regex(pattern = r"^[A-Z][A-Z0-9_]{1,63}$")))]
    pub policy_types: Vec<String>,
    /// Which attachments of the root are bylaw's to decide; OUs may say otherwise.
    #[serde(default)]
    pub attachments: Attachments,
    /// What is left alone, by name. `*` and `?` match.
    #[serde(default, skip_serializing_if = "Ignore::is_default")]
    pub ignore: Ignore,
    /// When bylaw's tags are written on an AWS object that was there already and that a manifest is bound to.
    #[serde(default, skip_serializing_if = "AdoptionTags::is_default")]
    pub adoption_tags: AdoptionTags,
    /// Whether `FullAWSAccess` is kept attached to the root. Left out: as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::common::optional_schema::<BaseAccess>")]
    pub base_access: Option<BaseAccess>,
    /// Roles that bylaw uses. Left out: the credentials of the environment as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// AWS service principals with trusted access to keep enabled (`ram.amazonaws.com`). None is ever disabled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200), inner(length(min = 1, max = 128)))]
    pub trusted_services: Vec<String>,
    /// Accounts that act for a service. None is ever deregistered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub delegated_administrators: Vec<DelegatedAdministrator>,
    /// The resource policy of the organization (delegation policy), an object or a JSON string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_value")]
    pub delegation_policy: Option<serde_json::Value>,
    /// Tags of the root. Keys that are not named here are left alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "super::common::tags_schema")]
    pub tags: BTreeMap<String, String>,
    /// How often the organization is looked at without an event, as Go writes durations (`10m`); at least a minute. AWS
    /// answers all who ask at the same rates: who looks more often is in the way of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^([0-9]+(h|m|s))+$"))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1m')").message("at least `1m`"))]
    pub interval: Option<String>,
    /// Where AWS events arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
    /// How much one pass may change without an approval.
    #[serde(default)]
    pub limits: Limits,
}

pub(super) fn any_value(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}

/// When bylaw's tags are written on an AWS object that it takes over.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AdoptionTags {
    /// With the first pass, as a change of its own.
    #[default]
    Always,
    /// Together with the first other change of the object: what `bylaw import` writes, so that its manifests plan nothing.
    WithChanges,
}
impl AdoptionTags {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The partitions of AWS.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Partition {
    /// The commercial Regions.
    #[default]
    #[serde(rename = "aws")]
    Aws,
    /// The Regions in China.
    #[serde(rename = "aws-cn")]
    AwsCn,
    /// The AWS GovCloud (US) Regions.
    #[serde(rename = "aws-us-gov")]
    AwsUsGov,
}
impl Partition {
    /// As it stands in ARNs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
        }
    }
    /// The region that signs and answers for Organizations (aws-facts section 8).
    #[must_use]
    pub fn region(self) -> &'static str {
        match self {
            Self::Aws => "us-east-1",
            Self::AwsCn => "cn-northwest-1",
            Self::AwsUsGov => "us-gov-west-1",
        }
    }
}

/// Name patterns of what bylaw leaves alone. The presets are Control Tower's and Landing Zone Accelerator's own policies.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Ignore {
    /// Policies, by name.
    #[serde(default = "ignored_policies")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 128)))]
    pub policies: Vec<String>,
    /// OUs, by name; what is below them is left alone too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 128)))]
    pub organizational_units: Vec<String>,
    /// Accounts, by id or name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 64)))]
    pub accounts: Vec<String>,
    /// Tag keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 128)))]
    pub tags: Vec<String>,
}
/// Names of the policies that Control Tower and Landing Zone Accelerator make.
pub const LANDING_ZONE_POLICIES: [&str; 2] = ["aws-guardrails-*", "AWSAccelerator-*"];

fn ignored_policies() -> Vec<String> {
    LANDING_ZONE_POLICIES.map(str::to_owned).into()
}
impl Default for Ignore {
    fn default() -> Self {
        Self { policies: ignored_policies(), organizational_units: vec![], accounts: vec![], tags: vec![] }
    }
}
impl Ignore {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Roles that bylaw assumes.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Role in the management account for OUs, accounts, trusted access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$"))]
    pub management_role_arn: Option<String>,
    /// Role of the policy work, where a delegated administrator does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048), regex(pattern = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$"))]
    pub policy_role_arn: Option<String>,
    /// Name of the role in member accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = r"^[\w+=,.@-]{1,64}$"))]
    pub member_role_name: Option<String>,
    /// External id of the roles' trust policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 1224))]
    pub external_id: Option<String>,
}

/// One delegated administrator.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DelegatedAdministrator {
    /// The account.
    pub account_ref: Reference,
    /// The service principals it acts for.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 128)))]
    pub services: Vec<String>,
}

/// Where AWS events arrive.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    /// URL of the SQS queue that an EventBridge rule fills.
    #[schemars(length(min = 1, max = 1024))]
    pub queue_url: String,
}

/// How much one pass may change. Past a limit the changes concerned are refused, and run only when approved by hash.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Objects created (OUs, accounts and policies together).
    #[serde(default = "max_creates")]
    #[schemars(schema_with = "super::common::count_schema")]
    pub max_creates: u32,
    /// Objects deleted or closed.
    #[serde(default = "max_deletes")]
    #[schemars(schema_with = "super::common::count_schema")]
    pub max_deletes: u32,
    /// Accounts moved (a new account's way out of the root does not count).
    #[serde(default = "max_moves")]
    #[schemars(schema_with = "super::common::count_schema")]
    pub max_moves: u32,
    /// Policies detached.
    #[serde(default = "max_detaches")]
    #[schemars(schema_with = "super::common::count_schema")]
    pub max_detaches: u32,
    /// Objects changed in place: policies, names of OUs and accounts, contacts, the delegation policy.
    #[serde(default = "max_updates")]
    #[schemars(schema_with = "super::common::count_schema")]
    pub max_updates: u32,
    /// Objects whose tags are written (those of what is created in the pass do not count).
    #[serde(default = "max_tags")]
    #[schemars(schema_with = "super::common::count_schema")]
    pub max_tags: u32,
    /// Accounts in which something is newly denied or newly allowed.
    #[serde(default)]
    pub max_affected: MaxAffected,
}
fn max_creates() -> u32 {
    20
}
fn max_deletes() -> u32 {
    1
}
fn max_moves() -> u32 {
    5
}
fn max_detaches() -> u32 {
    5
}
fn max_updates() -> u32 {
    100
}
fn max_tags() -> u32 {
    1000
}
impl Default for Limits {
    fn default() -> Self {
        Self {
            max_creates: max_creates(),
            max_deletes: max_deletes(),
            max_moves: max_moves(),
            max_detaches: max_detaches(),
            max_updates: max_updates(),
            max_tags: max_tags(),
            max_affected: MaxAffected::default(),
        }
    }
}

/// Reach of policy changes: the smaller of the two counts.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MaxAffected {
    /// That many accounts.
    #[serde(default = "affected_accounts")]
    #[schemars(schema_with = "super::common::count_schema")]
    pub accounts: u32,
    /// That share of the organization's accounts, never read as fewer than 5 accounts unless it is 0.
    #[serde(default = "affected_percent")]
    #[schemars(schema_with = "super::common::percent_schema")]
    pub percent: u32,
}
fn affected_accounts() -> u32 {
    100
}
fn affected_percent() -> u32 {
    50
}
impl Default for MaxAffected {
    fn default() -> Self {
        Self { accounts: affected_accounts(), percent: affected_percent() }
    }
}

/// Changes that the guard does not let pass.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// The rule, in kebab-case.
    pub rule: String,
    /// The object concerned, `Kind/name`.
    pub object: String,
    /// What would happen.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// How many changes are held back.
    #[schemars(schema_with = "super::common::count_schema")]
    pub changes: u32,
    /// Hash of the changes; left out where no approval can let them pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// What an Approval of the hash has to be for, `Kind/name`: the object of its changes, or the Organization where they are
    /// those of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve_for: Option<String>,
    /// The changes, with what they replace; of more than 20 the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// Everything that one object, or the Organization, is refused for and an approval can let pass, under one hash.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RefusedTogether {
    /// What an Approval of the hash has to be for, `Kind/name`; one for the Organization counts as well.
    pub approve_for: String,
    /// The rules that refuse something of it, those included that refuse it only once it is approved past the others.
    pub rules: Vec<String>,
    /// How many changes are held back.
    #[schemars(schema_with = "super::common::count_schema")]
    pub changes: u32,
    /// Hash of each change with each of its rules.
    pub hash: String,
    /// The changes, with what they replace and their rules; of more than 20 the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// What bylaw keeps in AWS for this Organization, and whose objects are no longer in the cluster: they were deleted and let
/// go of, or the cluster was restored from a backup that does not know them.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Vanished {
    /// How many accounts, OUs and policies.
    #[schemars(schema_with = "super::common::count_schema")]
    pub objects: u32,
    /// The first ten of them, `Kind/name` with their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<String>,
}

/// What AWS has and no object declares: left alone, and counted. A number that is left out is not known.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct UndeclaredCounts {
    /// Active accounts; the management account and ignored ones are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::common::optional_count_schema")]
    pub accounts: Option<u32>,
    /// OUs that are not ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::common::optional_count_schema")]
    pub organizational_units: Option<u32>,
    /// Policies of the types that the objects name; AWS-managed and ignored ones are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::common::optional_count_schema")]
    pub policies: Option<u32>,
    /// Attachments of such policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::common::optional_count_schema")]
    pub attachments: Option<u32>,
    /// The first ten of the accounts, OUs and policies, with their ids.
    #[serde(default)]
    pub named: Vec<String>,
    /// Policy types that are enabled and that no object names: their policies are not read, and not counted here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread_policy_types: Vec<String>,
}

/// What the controller last found.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationStatus {
    /// Id of the organization in AWS.
    pub id: Option<String>,
    /// Id of its root.
    pub root_id: Option<String>,
    /// Number of accounts.
    #[serde(default)]
    #[schemars(schema_with = "super::common::optional_count_schema")]
    pub accounts: Option<u32>,
    /// Number of OUs.
    #[serde(default)]
    #[schemars(schema_with = "super::common::optional_count_schema")]
    pub organizational_units: Option<u32>,
    /// Number of policies that are not AWS's own.
    #[serde(default)]
    #[schemars(schema_with = "super::common::optional_count_schema")]
    pub policies: Option<u32>,
    /// Differences that no manifest explains.
    #[serde(default)]
    #[schemars(schema_with = "super::common::optional_count_schema")]
    pub drift: Option<u32>,
    /// What no object declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undeclared: Option<UndeclaredCounts>,
    /// What is kept in AWS for objects that are no longer in the cluster; left out where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vanished: Option<Vanished>,
    /// Refused changes, each with the hash that an approval names; at most fifty.
    #[serde(default)]
    pub refusals: Vec<Refused>,
    /// What can be approved at once though several refusals hold it back; at most fifty.
    #[serde(default)]
    pub refused_together: Vec<RefusedTogether>,
    /// AWS calls of the last pass.
    #[serde(default)]
    #[schemars(schema_with = "super::common::optional_count_schema")]
    pub calls: Option<u32>,
    /// Time of the last whole pass.
    #[schemars(extend("format" = "date-time"))]
    pub last_pass: Option<String>,
    /// Time of the oldest reading that the last plan rested on.
    #[schemars(extend("format" = "date-time"))]
    pub oldest_part: Option<String>,
    #[serde(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub kept: Kept,
    /// Generation that the status speaks of.
    pub observed_generation: Option<i64>,
    /// `Ready` always; `Reconciling`, `Stalled`, `Drifted` when true.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
