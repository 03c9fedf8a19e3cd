//! The settings of each type.

use crate::names::PolicyType;

/// What stands at a name.
#[derive(Debug)]
pub enum Shape {
    /// An object of names that AWS gives.
    Members(&'static [(&'static str, Shape)]),
    /// An object of names that the author gives, of those values.
    Named(Values, &'static Shape),
    /// A setting with one value.
    One(Values),
    /// A setting with a list of values.
    Many(Values),
    /// Not looked at.
    Any,
}

/// What a value can be.
#[derive(Debug)]
pub enum Values {
    /// Any text.
    Text,
    /// One of these words; case counts.
    Words(&'static [&'static str]),
    /// A number of at least that, as a number or as text.
    Number(i64),
    /// `true` or `false`, as a boolean or as text.
    Bool,
    /// A Region, or `ALL_SUPPORTED`.
    Region,
    /// A name of an AI service.
    AiService,
    /// When a backup begins.
    Schedule,
    /// Name of a backup vault.
    Vault,
    /// Name of a backup rule.
    Rule,
    /// ARN of a role, in which `$account` stands for the account.
    Role,
}

impl Values {
    /// What is expected, with its article.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Number(_) => "a number",
            Self::Bool => "a boolean",
            _ => "a string",
        }
    }

    /// What to write.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Words(words) => {
                format!("write {}", words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or "))
            }
            Self::Number(least) => format!("write a whole number of {least} or more"),
            Self::Bool => "write `true` or `false`".into(),
            Self::Schedule => "write a schedule as EventBridge has it: `cron(0 5 ? * * *)` is every day at 5:00".into(),
            Self::Vault => "a vault's name has 2 to 50 letters, digits, `-` and `_`".into(),
            Self::Rule => "a rule's name has 1 to 50 letters, digits, `-`, `_` and `.`".into(),
            Self::Role => "write `arn:aws:iam::$account:role/NAME`: AWS puts the account in".into(),
            Self::Text | Self::Region | Self::AiService => "write it in quotes".into(),
        }
    }
}

/// The key at the top and what stands under it; `None` for types that are not known here.
#[must_use]
pub fn of(kind: &PolicyType) -> Option<(&'static str, &'static Shape)> {
    Some(match kind.as_str() {
        "TAG_POLICY" => ("tags", &TAGS),
        "BACKUP_POLICY" => ("plans", &PLANS),
        "AISERVICES_OPT_OUT_POLICY" => ("services", &AI),
        "CHATBOT_POLICY" => ("chatbot", &CHATBOT),
        "DECLARATIVE_POLICY_EC2" => ("ec2_attributes", &EC2),
        "SECURITYHUB_POLICY" => ("securityhub", &ENABLED_IN),
        "INSPECTOR_POLICY" => ("inspector", &INSPECTOR),
        "S3_POLICY" => ("s3_attributes", &S3),
        "BEDROCK_POLICY" => ("bedrock", &BEDROCK),
        _ => return None,
    })
}

use Shape::{Any, Many, Members, Named, One};
use Values::{Bool, Number, Region, Text, Words};

const ON: Shape = One(Words(&["enabled", "disabled"]));
const ON_OR_NOT: Shape = One(Words(&["enabled", "disabled", "no_preference"]));

static TAGS: Shape = Named(
    Text,
    &Members(&[
        ("tag_key", One(Text)),
        ("tag_value", Many(Text)),
        ("enforced_for", Many(Text)),
        ("report_required_tag_for", Many(Text)),
    ]),
);

/// Tags that AWS puts on what is made.
const NEW_TAGS: Shape = Named(Text, &Members(&[("tag_key", One(Text)), ("tag_value", One(Text))]));
const LIFECYCLE: Shape = Members(&[
    ("move_to_cold_storage_after_days", One(Number(-1))),
    ("delete_after_days", One(Number(-1))),
    ("opt_in_to_archive_for_supported_resources", One(Bool)),
]);

static PLANS: Shape = Named(
    Text,
    &Members(&[
        (
            "rules",
            Named(
                Values::Rule,
                &Members(&[
                    ("schedule_expression", One(Values::Schedule)),
                    ("schedule_expression_timezone", One(Text)),
                    ("start_backup_window_minutes", One(Number(60))),
                    ("complete_backup_window_minutes", One(Number(1))),
                    ("enable_continuous_backup", One(Bool)),
                    ("target_backup_vault_name", One(Values::Vault)),
                    ("target_logically_air_gapped_backup_vault_arn", One(Text)),
                    ("recovery_point_tags", NEW_TAGS),
                    ("lifecycle", LIFECYCLE),
                    (
                        "copy_actions",
                        Named(Text, &Members(&[("target_backup_vault_arn", One(Text)), ("lifecycle", LIFECYCLE)])),
                    ),
                    ("index_actions", Any),
                    ("scan_actions", Any),
                ]),
            ),
        ),
        ("regions", Many(Region)),
        (
            "selections",
            Members(&[
                (
                    "tags",
                    Named(
                        Text,
                        &Members(&[
                            ("iam_role_arn", One(Values::Role)),
                            ("tag_key", One(Text)),
                            ("tag_value", Many(Text)),
                        ]),
                    ),
                ),
                (
                    "resources",
                    Named(
                        Text,
                        &Members(&[
                            ("iam_role_arn", One(Values::Role)),
                            ("resource_types", Many(Text)),
                            ("not_resource_types", Many(Text)),
                            ("conditions", Any),
                        ]),
                    ),
                ),
            ]),
        ),
        ("advanced_backup_settings", Members(&[("ec2", Members(&[("windows_vss", ON)])), ("s3", Any)])),
        ("backup_plan_tags", NEW_TAGS),
        ("scan_settings", Any),
    ]),
);

static AI: Shape = Named(Values::AiService, &Members(&[("opt_out_policy", One(Words(&["optIn", "optOut"])))]));

const ROLES: Shape = Many(Words(&["user_role", "channel_role"]));
const SLACK: Shape =
    Members(&[("supported_channel_types", Many(Words(&["public", "private"]))), ("supported_role_settings", ROLES)]);
const TEAMS: Shape = Members(&[("supported_role_settings", ROLES)]);

static CHATBOT: Shape = Members(&[
    (
        "platforms",
        Members(&[
            (
                "slack",
                Members(&[
                    ("client", ON),
                    ("workspaces", Many(Text)),
                    ("default", SLACK),
                    ("overrides", Named(Text, &SLACK)),
                ]),
            ),
            (
                "microsoft_teams",
                Members(&[
                    ("client", ON),
                    ("tenants", Named(Text, &Many(Text))),
                    ("default", TEAMS),
                    ("overrides", Named(Text, &Named(Text, &TEAMS))),
                ]),
            ),
            ("chime", Members(&[("client", ON)])),
        ]),
    ),
    ("default", Members(&[("client", ON)])),
]);

const BLOCKED: Shape =
    Members(&[("mode", One(Words(&["off", "block_ingress", "block_bidirectional"]))), ("exclusions_allowed", ON)]);

static EC2: Shape = Members(&[
    ("exception_message", One(Text)),
    // The user guide has the first; the second is met in published policies, and neither is told.
    (
        "vpc_block_public_access",
        Members(&[("internet_gateway_block", BLOCKED), ("internet_gateway_blocking", BLOCKED)]),
    ),
    ("serial_console_access", Members(&[("status", ON)])),
    ("image_block_public_access", Members(&[("state", One(Words(&["unblocked", "block_new_sharing"])))])),
    (
        "snapshot_block_public_access",
        Members(&[("state", One(Words(&["unblocked", "block_new_sharing", "block_all_sharing"])))]),
    ),
    (
        "allowed_images_settings",
        Members(&[
            ("state", One(Words(&["enabled", "disabled", "audit_mode"]))),
            ("image_criteria", Named(Text, &Any)),
        ]),
    ),
    (
        "instance_metadata_defaults",
        Members(&[
            ("http_tokens", One(Words(&["no_preference", "required", "optional"]))),
            ("http_put_response_hop_limit", One(Number(-1))),
            ("http_endpoint", ON_OR_NOT),
            ("instance_metadata_tags", ON_OR_NOT),
            ("http_tokens_enforced", ON_OR_NOT),
        ]),
    ),
]);

static ENABLED_IN: Shape = Members(&[("enable_in_regions", Many(Region)), ("disable_in_regions", Many(Region))]);

static INSPECTOR: Shape = Members(&[(
    "enablement",
    Named(
        Text,
        &Members(&[
            ("enable_in_regions", Many(Region)),
            ("disable_in_regions", Many(Region)),
            (
                "lambda_code_scanning",
                Members(&[("enable_in_regions", Many(Region)), ("disable_in_regions", Many(Region))]),
            ),
        ]),
    ),
)]);

static S3: Shape = Members(&[("public_access_block_configuration", One(Words(&["all", "none"])))]);

static BEDROCK: Shape = Members(&[(
    "guardrail_inference",
    Named(
        Region,
        &Named(
            Text,
            &Members(&[
                ("identifier", One(Text)),
                ("input_tags", One(Words(&["honor", "ignore"]))),
                ("selective_content_guarding", Any),
                ("model_enforcement", Any),
            ]),
        ),
    ),
)]);

/// AI services that are surely among those of opt-out policies, and `default`. Source: Organizations user guide, "AI services
/// opt-out policies".
pub const AI_SERVICES: [&str; 13] = [
    "default",
    "codeguruprofiler",
    "codewhisperer",
    "comprehend",
    "contactlens",
    "frauddetector",
    "guardduty",
    "lex",
    "polly",
    "rekognition",
    "textract",
    "transcribe",
    "translate",
];

/// The Regions of all partitions that are open to customers. Source: AWS General Reference, "AWS Regions".
pub const REGIONS: [&str; 41] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "us-west-1",
    "us-west-2",
];
