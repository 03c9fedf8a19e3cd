//! What may be asked: actions with a resource, and condition keys that AWS's service authorization reference has for them.

/// The caller's account, and another.
pub const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];

/// Types of condition keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// `ArrayOfString`.
    Many,
    Number,
    Date,
    Bool,
    /// There is no key of this type among those of the actions below; one of texts stands in.
    Bytes,
    Network,
    Arn,
}

/// A condition key.
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub global: bool,
}

/// What is asked for.
pub struct Target {
    pub action: &'static str,
    /// `{account}`: that of the resource.
    pub resource: &'static str,
    /// Whether the resource has a policy, which RCPs go with.
    pub granted: bool,
    /// Whether that policy has to allow whatever others do.
    pub has_to_grant: bool,
    keys: &'static [Key],
}

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, global: false }
}

const fn global(name: &'static str, kind: Kind) -> Key {
    Key { name, kind, global: true }
}

const fn alone(action: &'static str, resource: &'static str, keys: &'static [Key]) -> Target {
    Target { action, resource, granted: false, has_to_grant: false, keys }
}

const fn granted(action: &'static str, resource: &'static str, keys: &'static [Key]) -> Target {
    Target { granted: true, ..alone(action, resource, keys) }
}

const fn has_to_grant(action: &'static str, resource: &'static str, keys: &'static [Key]) -> Target {
    Target { has_to_grant: true, ..granted(action, resource, keys) }
}

pub const TARGETS: &[Target] = &[
    granted(
        "s3:GetObject",
        "arn:aws:s3:::reports/ana/2026.csv",
        &[
            key("s3:ExistingObjectTag/stage", Kind::Text),
            key("s3:authType", Kind::Text),
            key("s3:signatureAge", Kind::Number),
            key("s3:TlsVersion", Kind::Number),
        ],
    ),
    granted(
        "s3:PutObject",
        "arn:aws:s3:::reports/ana/2026.csv",
        &[
            key("s3:x-amz-server-side-encryption", Kind::Text),
            key("s3:RequestObjectTagKeys", Kind::Many),
            key("s3:object-lock-remaining-retention-days", Kind::Number),
            key("s3:object-lock-retain-until-date", Kind::Date),
            key("s3:x-amz-content-sha256", Kind::Bytes),
        ],
    ),
    granted("s3:ListBucket", "arn:aws:s3:::reports", &[key("s3:prefix", Kind::Text), key("s3:max-keys", Kind::Number)]),
    alone(
        "ec2:StartInstances",
        "arn:aws:ec2:eu-west-1:{account}:instance/i-0123456789abcdef0",
        &[
            key("ec2:InstanceType", Kind::Text),
            key("ec2:MetadataHttpTokens", Kind::Text),
            key("ec2:MetadataHttpPutResponseHopLimit", Kind::Number),
            key("ec2:EbsOptimized", Kind::Bool),
            key("aws:ResourceTag/CostCenter", Kind::Text),
            key("ec2:ResourceTag/stage", Kind::Text),
        ],
    ),
    alone("ec2:DescribeInstances", "*", &[key("ec2:Region", Kind::Text)]),
    alone("organizations:LeaveOrganization", "*", &[]),
    alone(
        "iam:CreateRole",
        "arn:aws:iam::{account}:role/app/worker",
        &[
            key("iam:PermissionsBoundary", Kind::Arn),
            key("aws:RequestTag/CostCenter", Kind::Text),
            key("aws:TagKeys", Kind::Many),
        ],
    ),
    alone(
        "iam:PassRole",
        "arn:aws:iam::{account}:role/app/worker",
        &[key("iam:PassedToService", Kind::Text), key("iam:AssociatedResourceArn", Kind::Arn)],
    ),
    alone(
        "sagemaker:CreateEndpointConfig",
        "arn:aws:sagemaker:eu-west-1:{account}:endpoint-config/prod-a",
        &[
            key("sagemaker:InstanceTypes", Kind::Many),
            key("sagemaker:NetworkIsolation", Kind::Bool),
            key("sagemaker:VolumeKmsKeyArn", Kind::Arn),
            key("sagemaker:ServerlessMaxConcurrency", Kind::Number),
        ],
    ),
    granted(
        "dynamodb:GetItem",
        "arn:aws:dynamodb:eu-west-1:{account}:table/orders",
        &[key("dynamodb:LeadingKeys", Kind::Many), key("dynamodb:Select", Kind::Text)],
    ),
    has_to_grant(
        "kms:Decrypt",
        "arn:aws:kms:eu-west-1:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        &[
            key("kms:ViaService", Kind::Text),
            key("kms:EncryptionContextKeys", Kind::Many),
            key("kms:MultiRegion", Kind::Bool),
        ],
    ),
    granted(
        "sqs:SendMessage",
        "arn:aws:sqs:eu-west-1:{account}:prod-orders",
        &[key("aws:ResourceTag/stage", Kind::Text)],
    ),
    granted(
        "secretsmanager:GetSecretValue",
        "arn:aws:secretsmanager:eu-west-1:{account}:secret:prod/ana-AbCdEf",
        &[key("secretsmanager:VersionStage", Kind::Text), key("secretsmanager:SecretId", Kind::Arn)],
    ),
    alone(
        "logs:PutLogEvents",
        "arn:aws:logs:eu-west-1:{account}:log-group:/aws/app:log-stream:ana",
        &[key("aws:ResourceTag/stage", Kind::Text)],
    ),
    has_to_grant(
        "sts:AssumeRole",
        "arn:aws:iam::{account}:role/app/worker",
        &[
            key("sts:ExternalId", Kind::Text),
            key("sts:RoleSessionName", Kind::Text),
            key("sts:TransitiveTagKeys", Kind::Many),
            key("aws:RequestTag/CostCenter", Kind::Text),
        ],
    ),
    alone("cloudtrail:StopLogging", "arn:aws:cloudtrail:eu-west-1:{account}:trail/org", &[]),
];

const GLOBAL: &[Key] = &[
    global("aws:PrincipalArn", Kind::Arn),
    global("aws:PrincipalAccount", Kind::Text),
    global("aws:PrincipalOrgID", Kind::Text),
    global("aws:PrincipalOrgPaths", Kind::Many),
    global("aws:PrincipalTag/team", Kind::Text),
    global("aws:username", Kind::Text),
    global("aws:PrincipalIsAWSService", Kind::Bool),
    global("aws:MultiFactorAuthPresent", Kind::Bool),
    global("aws:MultiFactorAuthAge", Kind::Number),
    global("aws:TokenIssueTime", Kind::Date),
    global("aws:CurrentTime", Kind::Date),
    global("aws:SourceIp", Kind::Network),
    global("aws:SourceVpce", Kind::Text),
    global("aws:CalledVia", Kind::Many),
    global("aws:ViaAWSService", Kind::Bool),
    global("aws:RequestedRegion", Kind::Text),
    global("aws:SecureTransport", Kind::Bool),
    global("aws:SourceArn", Kind::Arn),
    global("aws:ResourceOrgID", Kind::Text),
];

/// The keys of a request: the action's own and those of every request.
pub fn every_key(target: &Target) -> impl Iterator<Item = &Key> {
    target.keys.iter().chain(GLOBAL)
}

/// Values that a key may have.
pub fn values(key: &Key) -> &'static [&'static str] {
    match key.name {
        "aws:PrincipalArn" => &[
            "arn:aws:iam::111122223333:role/app",
            "arn:aws:iam::111122223333:role/admin",
            "arn:aws:iam::111122223333:user/ana",
        ],
        "aws:PrincipalAccount" => &ACCOUNTS,
        "aws:PrincipalOrgID" | "aws:ResourceOrgID" => &["o-a1b2c3d4e5", "o-z9y8x7w6v5"],
        "aws:PrincipalOrgPaths" => {
            &["o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/", "o-a1b2c3d4e5/r-ab12/ou-ab12-22222222/", "o-z9y8x7w6v5/r-zz99/"]
        }
        "aws:RequestedRegion" | "ec2:Region" => &["eu-west-1", "eu-central-1", "us-east-1"],
        "aws:SourceVpce" => &["vpce-1a2b3c4d", "vpce-9z8y7x6w"],
        "aws:CalledVia" => &["athena.amazonaws.com", "glue.amazonaws.com", "cloudformation.amazonaws.com"],
        "ec2:InstanceType" | "sagemaker:InstanceTypes" => &["t3.micro", "ml.t3.medium", "ml.p4d.24xlarge", "m5.large"],
        "iam:PassedToService" => &["ec2.amazonaws.com", "lambda.amazonaws.com"],
        "kms:ViaService" => &["s3.eu-west-1.amazonaws.com", "sqs.eu-west-1.amazonaws.com"],
        _ => match key.kind {
            Kind::Text | Kind::Many => &["red", "Red", "blue", "ana", "bob", "prod", "a*b", "r?d", "team/red"],
            Kind::Number => &["0", "1", "2", "10", "7.5", "365"],
            Kind::Date => &[
                "2026-01-31T12:00:00Z",
                "2026-01-31T13:00:00+01:00",
                "2026-06-01T00:00:00Z",
                "2026-06-01T00:00:00.000Z",
                "2027-01-01",
            ],
            Kind::Bool => &["true", "false"],
            Kind::Bytes => &["QmluYXJ5", "b3RoZXI=", "b3RoZXIh"],
            Kind::Network => &["10.1.2.3", "10.255.0.1", "192.0.2.7", "2001:db8::7", "2001:db8:0:1::5"],
            Kind::Arn => &[
                "arn:aws:iam::111122223333:policy/bounds",
                "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                "arn:aws:lambda:eu-west-1:444455556666:function:worker",
                "arn:aws:cloudtrail:eu-west-1:111122223333:trail/org",
            ],
        },
    }
}
