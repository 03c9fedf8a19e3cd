//! What AWS's reference does not tell of calls.

/// Resource types of a service of which a call that lists several as required has one: the reference marks each of them as
/// required ("Resource types (*required)"), though the API takes one.
pub(super) const ALTERNATIVES: &[(&str, &[&str])] = &[
    ("arc-zonal-shift", &["ALB", "NLB"]),
    (
        "bedrock",
        &[
            "application-inference-profile",
            "async-invoke",
            "bedrock-marketplace-model-endpoint",
            "custom-model",
            "custom-model-deployment",
            "default-prompt-router",
            "foundation-model",
            "imported-model",
            "inference-profile",
            "project",
            "prompt-router",
            "provisioned-model",
            "system-tool",
        ],
    ),
    ("bedrock", &["agent-alias", "flow-alias", "prompt", "prompt-version"]),
    ("bedrock", &["automated-reasoning-policy", "automated-reasoning-policy-version"]),
    ("bedrock-agentcore", &["browser", "browser-custom"]),
    ("bedrock-agentcore", &["code-interpreter", "code-interpreter-custom"]),
    ("chime", &["app-instance-bot", "app-instance-user"]),
    ("clouddirectory", &["appliedSchema", "developmentSchema", "publishedSchema"]),
    ("comprehend", &["document-classifier", "entity-recognizer"]),
    ("comprehend", &["document-classifier-endpoint", "entity-recognizer-endpoint"]),
    (
        "connect",
        &["aws-managed-view", "customer-managed-view", "qualified-aws-managed-view", "qualified-customer-managed-view"],
    ),
    ("connect", &["metric", "qualified-metric"]),
    ("connect", &["phone-number", "wildcard-phone-number"]),
    ("connect", &["hierarchy-group", "queue", "routing-profile", "user"]),
    ("dataexchange", &["assets", "entitled-assets"]),
    ("dataexchange", &["data-sets", "entitled-data-sets"]),
    ("dataexchange", &["entitled-revisions", "revisions"]),
    ("drs", &["RecoveryInstanceResource", "SourceServerResource"]),
    ("dynamodb", &["stream", "table"]),
    ("elasticloadbalancing", &["listener/app", "listener/gwy", "listener/net"]),
    ("elasticloadbalancing", &["listener-rule/app", "listener-rule/net"]),
    ("frauddetector", &["detector", "detector-version"]),
    ("iam", &["group", "policy", "role", "user"]),
    ("identitystore", &["AllGroupMemberships", "GroupMembership"]),
    ("iot", &["thing", "thinggroup"]),
    ("iotwireless", &["MulticastGroup", "WirelessDevice", "WirelessGateway"]),
    ("kinesis", &["consumer", "stream"]),
    ("network-firewall", &["StatefulRuleGroup", "StatelessRuleGroup"]),
    ("network-security-manager", &["deployment", "deployment-snapshot"]),
    ("network-security-manager", &["policy", "policy-snapshot"]),
    ("network-security-manager", &["rule", "rule-snapshot"]),
    ("network-security-manager", &["scope", "scope-snapshot"]),
    ("network-security-manager", &["template", "template-snapshot"]),
    ("odb", &["cloud-autonomous-vm-cluster", "cloud-vm-cluster"]),
    ("odb", &["cloud-exadata-infrastructure", "exascale-db-storage-vault", "odb-network"]),
    ("organizations", &["organizationalunit", "root"]),
    ("ram", &["customer-managed-permission", "permission"]),
    ("rds", &["cluster", "db"]),
    ("rds", &["cluster", "db"]),
    ("redshift-data", &["cluster", "workgroup"]),
    ("sagemaker", &["action", "artifact", "context", "experiment", "experiment-trial-component"]),
    ("sagemaker", &["experiment-trial-component", "processing-job", "training-job"]),
    ("ses", &["configuration-set", "identity", "template"]),
    (
        "signin",
        &[
            "console",
            "oauth2-public-client-localhost",
            "oauth2-public-client-remote",
            "oauth2-resource-service-principal",
        ],
    ),
    ("ssm", &["instance", "managed-instance"]),
    ("states", &["execution", "express"]),
    ("states", &["maprun", "statemachine"]),
];

/// Resource types that every call has though the reference does not mark them as required: the API reference has the
/// parameter as required (EC2 API reference, "CreateFleet", `LaunchTemplateConfigs`).
pub(super) const REQUIRED: &[(&str, &str)] = &[("ec2:CreateFleet", "launch-template")];

/// Actions whose calls always pass a role: `iam:PassRole` is a dependent action, and the API has a role, or an instance profile,
/// as a required parameter (the services' API references).
pub(super) const PASS_A_ROLE: &[(&str, &[&str])] = &[
    ("aiops", &["CreateInvestigationGroup"]),
    (
        "backup",
        &["CreateBackupSelection", "CreateRestoreTestingSelection", "StartBackupJob", "StartCopyJob", "StartScanJob"],
    ),
    ("backup-gateway", &["PutHypervisorPropertyMappings"]),
    (
        "bedrock-agentcore",
        &["CreateAgentRuntime", "CreateGateway", "CreateOnlineEvaluationConfig", "UpdateAgentRuntime", "UpdateGateway"],
    ),
    ("budgets", &["CreateBudgetAction"]),
    ("chime", &["CreateMediaInsightsPipelineConfiguration", "UpdateMediaInsightsPipelineConfiguration"]),
    ("cleanrooms", &["CreateConfiguredTableAssociation"]),
    ("cloudtrail", &["EnableFederation"]),
    ("codeconnections", &["CreateSyncConfiguration"]),
    ("codestar-connections", &["CreateSyncConfiguration"]),
    ("config", &["PutConfigurationRecorder"]),
    ("dax", &["CreateCluster"]),
    ("deadline", &["CreateFleet", "CreateMonitor"]),
    ("dms", &["CreateDataMigration", "CreateFleetAdvisorCollector", "StartReplicationTaskAssessmentRun"]),
    ("ec2", &["AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation"]),
    ("ecs", &["CreateExpressGatewayService"]),
    ("emr-serverless", &["StartJobRun"]),
    ("gamelift", &["CreateContainerFleet", "CreateGameServerGroup"]),
    ("greengrass", &["AssociateServiceRoleToAccount"]),
    ("iam", &["AddRoleToInstanceProfile"]),
    ("imagebuilder", &["CreateLifecyclePolicy", "DistributeImage", "UpdateLifecyclePolicy"]),
    ("iot", &["CreateProvisioningTemplate", "CreateRoleAlias"]),
    ("kafka", &["CreateReplicator"]),
    ("kafkaconnect", &["CreateConnector"]),
    ("kinesisanalytics", &["CreateApplication", "DiscoverInputSchema"]),
    ("lambda", &["CreateCapacityProvider", "CreateFunction"]),
    ("logs", &["PutDestination"]),
    ("neptune-graph", &["CreateGraphUsingImportTask", "StartExportTask", "StartImportTask"]),
    ("omics", &["StartRun"]),
    ("pipes", &["CreatePipe", "UpdatePipe"]),
    ("quicksight", &["CreateVPCConnection", "UpdateVPCConnection"]),
    (
        "rds",
        &[
            "AddRoleToDBCluster",
            "AddRoleToDBInstance",
            "CreateDBProxy",
            "RemoveRoleFromDBCluster",
            "RemoveRoleFromDBInstance",
            "RestoreDBClusterFromS3",
            "RestoreDBInstanceFromS3",
            "StartExportTask",
        ],
    ),
    ("resource-groups", &["StartTagSyncTask"]),
    ("s3", &["CreateJob", "PutReplicationConfiguration"]),
    ("s3-outposts", &["PutReplicationConfiguration"]),
    (
        "sagemaker",
        &[
            "CreateAutoMLJob",
            "CreateAutoMLJobV2",
            "CreateCompilationJob",
            "CreateDataQualityJobDefinition",
            "CreateEdgePackagingJob",
            "CreateFlowDefinition",
            "CreateImage",
            "CreateInferenceExperiment",
            "CreateInferenceRecommendationsJob",
            "CreateLabelingJob",
            "CreateMlflowApp",
            "CreateMlflowTrackingServer",
            "CreateModelBiasJobDefinition",
            "CreateModelExplainabilityJobDefinition",
            "CreateModelQualityJobDefinition",
            "CreateNotebookInstance",
            "CreateOptimizationJob",
            "CreatePipeline",
            "CreateProcessingJob",
            "CreateTrainingJob",
            "RenderUiTemplate",
        ],
    ),
    (
        "sagemaker-geospatial",
        &[
            "ExportEarthObservationJob",
            "ExportVectorEnrichmentJob",
            "StartEarthObservationJob",
            "StartVectorEnrichmentJob",
        ],
    ),
    ("scheduler", &["CreateSchedule", "UpdateSchedule"]),
    ("securitylake", &["CreateCustomLogSource", "CreateDataLake"]),
    ("shield", &["AssociateDRTRole"]),
    ("states", &["CreateStateMachine"]),
    ("timestream", &["CreateScheduledQuery"]),
    ("transfer", &["CreateAccess", "CreateAgreement", "CreateConnector", "CreateUser"]),
];

/// Services that put a condition key in the context of those resources of a call alone for which the reference lists it: EC2 user
/// guide, "Example policies" (`ec2:InstanceType` on `instance/*`); ElastiCache user guide, "Using condition keys". Of RDS the
/// opposite is documented: its guide's "Permission policies to create, modify and delete resources" allow
/// `rds:CreateDBInstance` on instance, option group, parameter group and subnet group by one statement on `rds:DatabaseClass`.
pub(super) const APART: &[&str] = &["ec2", "elasticache"];

/// What the names of actions begin with that set tags.
pub(super) const SETS_TAGS: &[&str] = &["AddTags", "ChangeTags", "CreateOrUpdateTags", "CreateTags", "SetTags", "Tag"];

/// What the names of actions begin with that create nothing, though the reference lists the tags of requests for some.
pub(super) const CREATES_NOTHING: &[&str] = &["Cancel", "Delete", "Remove", "Untag"];

/// Calls, by what their names begin with, of which AWS documents the tagging actions that it asks for as well when they send tags:
/// EC2 user guide, "Grant permission to tag Amazon EC2 resources during creation"; SageMaker AI developer guide, "Provide permissions
/// for tagging SageMaker AI resources"; DynamoDB developer guide, "Tagging resources in DynamoDB"; IAM user guide, "Tags for IAM
/// resources"; Lambda developer guide, "Using tags on Lambda functions"; Organizations user guide, "Tagging Organizations
/// resources"; API references, "CreateSecret" of Secrets Manager, "CreateTopic" of SNS, "CreateQueue" of SQS; IAM user guide,
/// "Pass session tags in AWS STS". Of other services it may be so.
pub(super) const TAGGING: &[(&str, &[&str])] = &[
    ("dynamodb:CreateTable", &["TagResource"]),
    ("ec2:", &["CreateTags"]),
    (
        "iam:",
        &[
            "TagInstanceProfile",
            "TagMFADevice",
            "TagOpenIDConnectProvider",
            "TagPolicy",
            "TagRole",
            "TagSAMLProvider",
            "TagServerCertificate",
            "TagUser",
        ],
    ),
    ("lambda:", &["TagResource"]),
    ("organizations:", &["TagResource"]),
    ("sagemaker:", &["AddTags"]),
    ("secretsmanager:CreateSecret", &["TagResource"]),
    ("sns:CreateTopic", &["TagResource"]),
    ("sqs:CreateQueue", &["TagQueue"]),
    ("sts:AssumeRole", &["TagSession"]),
];

/// The condition key by which a tagging action learns which call sends the tags, where it has one (the same pages).
pub(super) const CREATED_BY: &[(&str, &str)] =
    &[("ec2:CreateTags", "ec2:CreateAction"), ("sagemaker:AddTags", "sagemaker:TaggingAction")];
