//! Values that a setting of a management policy does not take.

use super::tell_settings;
use crate::policy::lint::settings::Kind;
use crate::policy::lint::{Rule, Sample, Severity};

pub(super) const RULE: Rule = Rule {
    id: "invalid-setting",
    severity: Severity::Error,
    summary: "a value that the setting of a management policy does not take",
    explanation: "Settings take the words, numbers, schedules and names that AWS documents, and case counts: a policy with `optout` \
        does nothing. Schedules are EventBridge's, of which one of day of month and day of week is `?`; a backup's window to start is at \
        least 60 minutes; `$account` in an ARN is the account that the policy binds. A Region that is not known is a warning, \
        since it may be new. Sources: Organizations user guide, the page \"syntax and examples\" of the policy type; AWS Backup, \
        \"BackupRule\".",
    check: |subject, told| tell_settings(subject, told, Kind::Value),
    bad: &[
        Sample::Whole(
            "AISERVICES_OPT_OUT_POLICY",
            r#"{"services": {"default": {"opt_out_policy": {"@@assign": "optout"}}}}"#,
        ),
        Sample::Whole("S3_POLICY", r#"{"s3_attributes": {"public_access_block_configuration": {"@@assign": true}}}"#),
        Sample::Whole(
            "BACKUP_POLICY",
            r#"{"plans": {"daily": {"rules": {"a": {"schedule_expression": {"@@assign": "cron(0 5 * * *)"}, "start_backup_window_minutes": {"@@assign": "30"}, "target_backup_vault_name": {"@@assign": "my vault"}}}, "regions": {"@@assign": ["eu-west1"]}}}}"#,
        ),
        Sample::Whole(
            "DECLARATIVE_POLICY_EC2",
            r#"{"ec2_attributes": {"snapshot_block_public_access": {"state": {"@@assign": ["block_all_sharing"]}}}}"#,
        ),
        Sample::Whole("SECURITYHUB_POLICY", r#"{"securityhub": {"enable_in_regions": {"@@assign": "eu-west-1"}}}"#),
        Sample::Whole("CHATBOT_POLICY", r#"{"chatbot": {"default": {"client": {"value": {"@@assign": "enabled"}}}}}"#),
    ],
    good: &[
        Sample::Whole(
            "BACKUP_POLICY",
            r#"{"plans": {"daily": {"rules": {"a": {"schedule_expression": {"@@assign": "cron(0 5 ? * * *)"}, "start_backup_window_minutes": {"@@assign": "60"}, "complete_backup_window_minutes": {"@@assign": 10080}, "enable_continuous_backup": {"@@assign": false}, "target_backup_vault_name": {"@@assign": "My_Vault"}, "copy_actions": {"arn:aws:backup:us-west-2:$account:backup-vault:b": {"target_backup_vault_arn": {"@@assign": "arn:aws:backup:us-west-2:$account:backup-vault:b"}}}}}, "regions": {"@@append": ["us-east-1", "eu-north-1"]}, "selections": {"tags": {"s": {"iam_role_arn": {"@@assign": "arn:aws:iam::$account:role/Backup"}, "tag_key": {"@@assign": "data"}, "tag_value": {"@@assign": ["PII", "RED"]}}}}, "advanced_backup_settings": {"ec2": {"windows_vss": {"@@assign": "enabled"}}}}}}"#,
        ),
        Sample::Whole(
            "DECLARATIVE_POLICY_EC2",
            r#"{"ec2_attributes": {"exception_message": {"@@assign": "see the wiki"}, "vpc_block_public_access": {"internet_gateway_block": {"mode": {"@@assign": "block_ingress"}, "exclusions_allowed": {"@@assign": "enabled"}}}, "instance_metadata_defaults": {"http_tokens": {"@@assign": "required"}, "http_put_response_hop_limit": {"@@assign": "4"}}, "allowed_images_settings": {"state": {"@@assign": "audit_mode"}, "image_criteria": {"criteria_1": {"allowed_image_providers": {"@@append": ["amazon"]}}}}}}"#,
        ),
        Sample::Whole(
            "AISERVICES_OPT_OUT_POLICY",
            r#"{"services": {"@@operators_allowed_for_child_policies": ["@@none"], "default": {"opt_out_policy": {"@@operators_allowed_for_child_policies": ["@@none"], "@@assign": "optOut"}}, "rekognition": {"opt_out_policy": {"@@assign": "optIn"}}}}"#,
        ),
    ],
};
