//! Names that a type of management policy does not have.

use super::tell_settings;
use crate::policy::lint::settings::Kind;
use crate::policy::lint::{Rule, Sample, Severity};

pub(super) const RULE: Rule = Rule {
    id: "unknown-setting",
    severity: Severity::Warning,
    summary: "a name that the type of management policy does not have",
    explanation: "Each type of management policy has its own settings, spelled in one way. AWS refuses a name that it does not \
        know, or takes it for one that nothing reads. A name may be newer than this version of bylaw. Source: Organizations user \
        guide, the page \"syntax and examples\" of the policy type.",
    check: |subject, told| tell_settings(subject, told, Kind::Name),
    bad: &[
        Sample::Whole("SECURITYHUB_POLICY", r#"{"securityhub": {"enabled_in_regions": {"@@assign": ["eu-west-1"]}}}"#),
        Sample::Whole(
            "BACKUP_POLICY",
            r#"{"plans": {"daily": {"rules": {"a": {"target_vault_name": {"@@assign": "vault"}}}}}}"#,
        ),
        Sample::Whole(
            "AISERVICES_OPT_OUT_POLICY",
            r#"{"services": {"recognition": {"opt_out_policy": {"@@assign": "optOut"}}}}"#,
        ),
        Sample::Whole(
            "DECLARATIVE_POLICY_EC2",
            r#"{"ec2_attributes": {"serial_console_access": {"state": {"@@assign": "enabled"}}}}"#,
        ),
        Sample::Whole(
            "BEDROCK_POLICY",
            r#"{"bedrock": {"guardrail_inference": {"us-est-1": {"a": {"input_tags": {"@@assign": "honor"}}}}}}"#,
        ),
    ],
    good: &[
        Sample::Whole(
            "SECURITYHUB_POLICY",
            r#"{"securityhub": {"@@operators_allowed_for_child_policies": ["@@none"], "enable_in_regions": {"@@append": ["ALL_SUPPORTED"]}, "disable_in_regions": {"@@append": []}}}"#,
        ),
        Sample::Whole(
            "CHATBOT_POLICY",
            r#"{"chatbot": {"platforms": {"slack": {"client": {"@@assign": "enabled"}, "workspaces": {"@@assign": ["T1"]}, "overrides": {"T1": {"supported_channel_types": {"@@assign": ["public"]}}}}, "microsoft_teams": {"tenants": {"a": {"@@assign": ["b"]}}}}, "default": {"client": {"@@assign": "disabled"}}}}"#,
        ),
        Sample::Whole(
            "INSPECTOR_POLICY",
            r#"{"inspector": {"enablement": {"ec2_scanning": {"enable_in_regions": {"@@assign": ["us-east-1"]}, "disable_in_regions": {"@@assign": []}}}}}"#,
        ),
    ],
};
