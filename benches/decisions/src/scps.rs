//! SCPs in the shapes that organizations have.

use serde_json::{Value, json};

/// Services with actions of theirs that guardrails speak of.
const SERVICES: [(&str, [&str; 8]); 20] = [
    (
        "s3",
        [
            "PutBucketPolicy",
            "DeleteBucketPolicy",
            "PutBucketAcl",
            "PutObjectAcl",
            "DeleteBucket",
            "PutEncryptionConfiguration",
            "PutBucketPublicAccessBlock",
            "PutBucketVersioning",
        ],
    ),
    (
        "ec2",
        [
            "CreateVpcPeeringConnection",
            "AcceptVpcPeeringConnection",
            "AttachInternetGateway",
            "CreateInternetGateway",
            "DisableEbsEncryptionByDefault",
            "ModifyInstanceMetadataOptions",
            "DeleteFlowLogs",
            "CreateDefaultVpc",
        ],
    ),
    (
        "iam",
        [
            "CreateUser",
            "CreateAccessKey",
            "DeleteAccountPasswordPolicy",
            "UpdateAccountPasswordPolicy",
            "CreateSAMLProvider",
            "DeleteSAMLProvider",
            "CreateOpenIDConnectProvider",
            "DeleteRolePermissionsBoundary",
        ],
    ),
    (
        "organizations",
        [
            "LeaveOrganization",
            "DeleteOrganization",
            "RemoveAccountFromOrganization",
            "DetachPolicy",
            "UpdatePolicy",
            "DeletePolicy",
            "DisablePolicyType",
            "DeregisterDelegatedAdministrator",
        ],
    ),
    (
        "cloudtrail",
        [
            "StopLogging",
            "DeleteTrail",
            "UpdateTrail",
            "PutEventSelectors",
            "DeleteEventDataStore",
            "UpdateEventDataStore",
            "PutInsightSelectors",
            "RemoveTags",
        ],
    ),
    (
        "config",
        [
            "DeleteConfigurationRecorder",
            "DeleteDeliveryChannel",
            "StopConfigurationRecorder",
            "PutConfigurationRecorder",
            "DeleteConfigRule",
            "DeleteAggregationAuthorization",
            "PutConfigurationAggregator",
            "DeleteRetentionConfiguration",
        ],
    ),
    (
        "guardduty",
        [
            "DeleteDetector",
            "UpdateDetector",
            "DisassociateFromMasterAccount",
            "DeleteMembers",
            "StopMonitoringMembers",
            "CreateIPSet",
            "DeleteIPSet",
            "DeleteThreatIntelSet",
        ],
    ),
    (
        "securityhub",
        [
            "DisableSecurityHub",
            "DeleteInvitations",
            "DisassociateFromMasterAccount",
            "BatchDisableStandards",
            "DeleteMembers",
            "DeleteInsight",
            "UpdateStandardsControl",
            "DisableImportFindingsForProduct",
        ],
    ),
    (
        "kms",
        [
            "ScheduleKeyDeletion",
            "DisableKey",
            "DeleteImportedKeyMaterial",
            "DisableKeyRotation",
            "PutKeyPolicy",
            "CreateGrant",
            "RetireGrant",
            "DeleteAlias",
        ],
    ),
    (
        "rds",
        [
            "ModifyDBSnapshotAttribute",
            "ModifyDBClusterSnapshotAttribute",
            "DeleteDBCluster",
            "DeleteDBInstance",
            "DeleteDBSnapshot",
            "StopDBInstance",
            "StopDBCluster",
            "RestoreDBInstanceFromS3",
        ],
    ),
    (
        "lambda",
        [
            "AddPermission",
            "CreateFunctionUrlConfig",
            "UpdateFunctionUrlConfig",
            "PutFunctionConcurrency",
            "DeleteFunction",
            "RemovePermission",
            "PublishLayerVersion",
            "AddLayerVersionPermission",
        ],
    ),
    (
        "sagemaker",
        [
            "CreatePresignedNotebookInstanceUrl",
            "CreateNotebookInstance",
            "CreateTrainingJob",
            "CreateEndpointConfig",
            "CreateDomain",
            "UpdateDomain",
            "DeleteModel",
            "CreateHyperParameterTuningJob",
        ],
    ),
    (
        "sqs",
        [
            "AddPermission",
            "RemovePermission",
            "DeleteQueue",
            "PurgeQueue",
            "SetQueueAttributes",
            "CreateQueue",
            "CancelMessageMoveTask",
            "StartMessageMoveTask",
        ],
    ),
    (
        "sns",
        [
            "AddPermission",
            "RemovePermission",
            "DeleteTopic",
            "SetTopicAttributes",
            "CreateTopic",
            "PutDataProtectionPolicy",
            "CreatePlatformApplication",
            "DeletePlatformApplication",
        ],
    ),
    (
        "dynamodb",
        [
            "DeleteTable",
            "DeleteBackup",
            "UpdateContinuousBackups",
            "PutResourcePolicy",
            "DeleteResourcePolicy",
            "UpdateTable",
            "DisableKinesisStreamingDestination",
            "ExportTableToPointInTime",
        ],
    ),
    (
        "logs",
        [
            "DeleteLogGroup",
            "DeleteLogStream",
            "PutRetentionPolicy",
            "DeleteRetentionPolicy",
            "PutResourcePolicy",
            "DeleteResourcePolicy",
            "DisassociateKmsKey",
            "DeleteSubscriptionFilter",
        ],
    ),
    (
        "route53",
        [
            "DeleteHostedZone",
            "ChangeResourceRecordSets",
            "DisassociateVPCFromHostedZone",
            "DeleteQueryLoggingConfig",
            "DeactivateKeySigningKey",
            "DisableHostedZoneDNSSEC",
            "DeleteHealthCheck",
            "DeleteTrafficPolicy",
        ],
    ),
    (
        "secretsmanager",
        [
            "PutResourcePolicy",
            "DeleteResourcePolicy",
            "DeleteSecret",
            "CancelRotateSecret",
            "RemoveRegionsFromReplication",
            "StopReplicationToReplica",
            "UpdateSecretVersionStage",
            "UntagResource",
        ],
    ),
    (
        "ecr",
        [
            "SetRepositoryPolicy",
            "DeleteRepositoryPolicy",
            "DeleteRepository",
            "BatchDeleteImage",
            "PutRegistryPolicy",
            "DeleteRegistryPolicy",
            "PutImageTagMutability",
            "DeleteLifecyclePolicy",
        ],
    ),
    (
        "backup",
        [
            "DeleteBackupVault",
            "DeleteRecoveryPoint",
            "UpdateRecoveryPointLifecycle",
            "DeleteBackupPlan",
            "DeleteBackupSelection",
            "PutBackupVaultAccessPolicy",
            "DeleteBackupVaultAccessPolicy",
            "DeleteBackupVaultLockConfiguration",
        ],
    ),
];

/// Global services, which a region lock spares.
pub const SPARED: [&str; 20] = [
    "account:*",
    "aws-portal:*",
    "budgets:*",
    "ce:*",
    "cloudfront:*",
    "globalaccelerator:*",
    "health:*",
    "iam:*",
    "importexport:*",
    "kms:*",
    "networkmanager:*",
    "organizations:*",
    "pricing:*",
    "route53:*",
    "route53domains:*",
    "s3:GetAccountPublicAccessBlock",
    "s3:ListAllMyBuckets",
    "shield:*",
    "sts:*",
    "support:*",
];

/// The way: four SCPs at the root, three at the OU, three at the account, FullAWSAccess at each.
pub fn nodes() -> Vec<Vec<Value>> {
    let full = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    [0..4, 4..7, 7..10].map(|range| std::iter::once(full.clone()).chain(range.map(scp)).collect()).into()
}

/// One SCP of thirty statements.
pub fn scp(number: usize) -> Value {
    of_length(number, 30)
}

/// The same with another number of statements.
pub fn of_length(number: usize, statements: usize) -> Value {
    let statements: Vec<Value> = (0..statements).map(|at| statement(number, at)).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn statement(scp: usize, at: usize) -> Value {
    let exempt = json!([
        format!("arn:aws:iam::*:role/platform-{scp}"),
        "arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Admin_*",
    ]);
    // A region lock at each node.
    if at == 0 && [0, 4, 7].contains(&scp) {
        return json!({
            "Sid": "Regions",
            "Effect": "Deny",
            "NotAction": SPARED,
            "Resource": "*",
            "Condition": {
                "StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", "eu-central-1", "us-east-1"]},
                "ArnNotLike": {"aws:PrincipalArn": exempt},
            },
        });
    }
    let (service, names) = SERVICES[(scp * 7 + at) % SERVICES.len()];
    let action = |n: usize| format!("{service}:{}", names[(scp + at + n) % names.len()]);
    let sid = format!("S{scp}N{at}");
    match at % 6 {
        // Listed actions, for all but the platform's roles.
        0 | 1 => json!({
            "Sid": sid,
            "Effect": "Deny",
            "Action": [action(0), action(1), action(2), action(3), action(4)],
            "Resource": "*",
            "Condition": {"ArnNotLike": {"aws:PrincipalArn": exempt}},
        }),
        // Wildcards.
        2 => json!({
            "Sid": sid,
            "Effect": "Deny",
            "Action": [format!("{service}:Delete*"), format!("{service}:*Policy"), format!("{service}:Disable*")],
            "Resource": "*",
            "Condition": {"StringNotLike": {"aws:PrincipalArn": exempt}},
        }),
        // Tags on what is made.
        3 => json!({
            "Sid": sid,
            "Effect": "Deny",
            "Action": [format!("{service}:Create*"), format!("{service}:Run*")],
            "Resource": format!("arn:aws:{service}:*:*:*"),
            "Condition": {"Null": {"aws:RequestTag/CostCenter": "true"}, "StringNotEquals": {"aws:PrincipalTag/team": "platform"}},
        }),
        // Transport and network.
        4 => json!({
            "Sid": sid,
            "Effect": "Deny",
            "Action": format!("{service}:*"),
            "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }),
        // Keys of many values.
        _ => json!({
            "Sid": sid,
            "Effect": "Deny",
            "Action": [format!("{service}:Tag*"), format!("{service}:Create*")],
            "Resource": "*",
            "Condition": {"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["CostCenter", "Name", "team", "stage"]}},
        }),
    }
}
