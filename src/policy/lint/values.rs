//! Condition keys whose values can be listed or have a form, as data: what a request can carry.
//!
//! Each row names the page of AWS it is from: "SAR" is the Service Authorization Reference's page of the service with the API
//! reference of the parameter that fills the key.

use super::settings::shapes::REGIONS;
use crate::names::words::nearest;
use crate::policy::pattern;
use crate::policy::services;

/// What a key can hold.
#[derive(Debug, Clone, Copy)]
pub enum Values {
    /// One of these.
    Only(&'static [&'static str]),
    /// One of these, or what AWS has added since: only what is a slip of one of them is told.
    Among(&'static [&'static str]),
    /// A text that begins so, of which an example is given.
    Begins(&'static [&'static str], &'static str),
    /// The principal of a service: `ec2.amazonaws.com`.
    Principal,
    /// An endpoint in a Region: `ec2.eu-west-1.amazonaws.com`.
    Endpoint,
    /// A Region.
    Region,
    /// The name of an action of that service, without its prefix.
    ActionOf(&'static str),
    /// A type of CloudFormation: `AWS::S3::Bucket`.
    ResourceType,
    /// A DNS name in small letters, without the dot at its end.
    DnsName,
    /// An instance type with that prefix: `ml.t3.medium` of SageMaker, `t3.micro` of EC2.
    InstanceType(&'static str),
}

/// A key and its values.
#[derive(Debug)]
pub struct Row {
    /// The key.
    pub key: &'static str,
    /// What it can hold.
    pub values: Values,
    /// What people write, and the value that it is.
    pub meant: &'static [(&'static str, &'static str)],
    /// The page of AWS.
    pub page: &'static str,
}

const fn row(key: &'static str, values: Values, page: &'static str) -> Row {
    Row { key, values, meant: &[], page }
}

const fn meaning(
    key: &'static str,
    values: Values,
    page: &'static str,
    meant: &'static [(&'static str, &'static str)],
) -> Row {
    Row { key, values, meant, page }
}

use Values::{ActionOf, Among, Begins, DnsName, Endpoint, InstanceType, Only, Principal, Region, ResourceType};

const GLOBAL: &str = "IAM user guide, AWS global condition context keys";
const IAM: &str = "IAM user guide, IAM and AWS STS condition context keys";
const KMS: &str = "KMS developer guide, AWS KMS condition keys";
const S3: &str = "S3 user guide, Policy keys for Amazon S3; S3 API reference, PutObject";
const DYNAMODB: &str = "DynamoDB developer guide, Using IAM policy conditions";
const EC2: &str = "EC2 SAR; EC2 API reference, RunInstances";
const SAGEMAKER: &str = "SageMaker AI SAR; SageMaker API reference";
const SAR: &str = "SAR";

const YES: Values = Only(&["true", "false"]);
const ON: Values = Only(&["enabled", "disabled"]);
const ON_CAPITAL: Values = Only(&["Enabled", "Disabled"]);
const ON_CAPITALS: Values = Only(&["ENABLED", "DISABLED"]);
const TOKENS: Values = Only(&["required", "optional"]);
const ACLS: Values = Only(&[
    "private",
    "public-read",
    "public-read-write",
    "aws-exec-read",
    "authenticated-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
    "log-delivery-write",
]);
const ENCRYPTIONS: Values = Only(&["AES256", "aws:kms", "aws:kms:dsse", "aws:fsx"]);
const ENCRYPTIONS_MEANT: &[(&str, &str)] = &[
    ("kms", "aws:kms"),
    ("sse-kms", "aws:kms"),
    ("awskms", "aws:kms"),
    ("aws-kms", "aws:kms"),
    ("aws_kms", "aws:kms"),
    ("sse-s3", "AES256"),
    ("aes-256", "AES256"),
    ("aes_256", "AES256"),
    ("dsse", "aws:kms:dsse"),
    ("dsse-kms", "aws:kms:dsse"),
];
const AES_MEANT: &[(&str, &str)] = &[("aes-256", "AES256"), ("aes_256", "AES256")];
const TWO_ENCRYPTIONS: Values = Only(&["AES256", "aws:kms"]);
const TWO_ENCRYPTIONS_MEANT: &[(&str, &str)] =
    &[("kms", "aws:kms"), ("sse-kms", "aws:kms"), ("aws-kms", "aws:kms"), ("sse-s3", "AES256"), ("aes-256", "AES256")];
const CLASSES: Values = Among(&[
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "GLACIER_IR",
    "DEEP_ARCHIVE",
    "OUTPOSTS",
    "SNOW",
    "EXPRESS_ONEZONE",
]);
const SIGNATURES: Values = Only(&["AWS", "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"]);
const AUTHENTICATIONS: Values = Only(&["REST-HEADER", "REST-QUERY-STRING", "POST"]);
const ORIGINS: Values = Only(&["Internet", "VPC"]);
const TOKEN_TYPES: Values = Only(&["SHORT_TERM", "LONG_TERM"]);
const KEY_SPECS: Values = Among(&[
    "SYMMETRIC_DEFAULT",
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "HMAC_224",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
    "SM2",
]);
const KEY_USAGES: Values = Only(&["ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"]);
const SUBNET: Values = Begins(&["subnet-"], "subnet-0123456789abcdef0");
const GROUP: Values = Begins(&["sg-"], "sg-0123456789abcdef0");
const VPC: Values = Begins(&["vpc-"], "vpc-0123456789abcdef0");
const ENDPOINT_TYPES: Values = Only(&["EDGE", "REGIONAL", "PRIVATE"]);
const ROUTE_AUTHORIZATIONS: Values = Only(&["NONE", "AWS_IAM", "JWT", "CUSTOM"]);

/// Every key of which something is known.
pub static ROWS: &[Row] = &[
    meaning(
        "aws:PrincipalType",
        Only(&["Account", "User", "FederatedUser", "AssumedRole", "Anonymous"]),
        GLOBAL,
        &[
            ("root", "Account"),
            ("rootuser", "Account"),
            ("iamuser", "User"),
            ("users", "User"),
            ("role", "AssumedRole"),
            ("iamrole", "AssumedRole"),
            ("assumed-role", "AssumedRole"),
            ("federated", "FederatedUser"),
            ("webidentityuser", "AssumedRole"),
            ("samluser", "AssumedRole"),
        ],
    ),
    row("aws:RequestedRegion", Region, GLOBAL),
    row("aws:CalledVia", Principal, GLOBAL),
    row("aws:CalledViaFirst", Principal, GLOBAL),
    row("aws:CalledViaLast", Principal, GLOBAL),
    row("aws:PrincipalServiceName", Principal, GLOBAL),
    row("aws:PrincipalServiceNamesList", Principal, GLOBAL),
    row("aws:SourceVpc", VPC, GLOBAL),
    row("aws:SourceVpce", Begins(&["vpce-"], "vpce-0123456789abcdef0"), GLOBAL),
    row("aws:Ec2InstanceSourceVpc", VPC, GLOBAL),
    row("account:AlternateContactTypes", Only(&["BILLING", "OPERATIONS", "SECURITY"]), SAR),
    row("account:TargetRegion", Region, SAR),
    row("acm:CertificateTransparencyLogging", ON_CAPITALS, SAR),
    row("acm:Export", ON_CAPITALS, SAR),
    row("acm:ValidationMethod", Among(&["DNS", "EMAIL", "HTTP"]), SAR),
    row("apigateway:Request/EndpointType", ENDPOINT_TYPES, SAR),
    row("apigateway:Resource/EndpointType", ENDPOINT_TYPES, SAR),
    row("apigateway:Request/RouteAuthorizationType", ROUTE_AUTHORIZATIONS, SAR),
    row("apigateway:Resource/RouteAuthorizationType", ROUTE_AUTHORIZATIONS, SAR),
    row("appsync:Visibility", Only(&["GLOBAL", "PRIVATE"]), SAR),
    row("autoscaling:InstanceType", InstanceType(""), SAR),
    row("autoscaling:MetadataHttpEndpoint", ON, SAR),
    row("autoscaling:MetadataHttpTokens", TOKENS, SAR),
    row("bedrock:BearerTokenType", TOKEN_TYPES, SAR),
    row("cloudformation:CreateAction", ActionOf("cloudformation"), SAR),
    row("cloudformation:ImportResourceTypes", ResourceType, SAR),
    row("cloudformation:ResourceTypes", ResourceType, SAR),
    row("cloudformation:TargetRegion", Region, SAR),
    row("comprehend:VpcSecurityGroupIds", GROUP, SAR),
    row("comprehend:VpcSubnets", SUBNET, SAR),
    row("dynamodb:ReturnConsumedCapacity", Only(&["INDEXES", "TOTAL", "NONE"]), DYNAMODB),
    row("dynamodb:ReturnValues", Only(&["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"]), DYNAMODB),
    row(
        "dynamodb:Select",
        Only(&["ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "COUNT"]),
        DYNAMODB,
    ),
    row("ec2:CpuOptionsAmdSevSnp", ON, EC2),
    row("ec2:CreateAction", ActionOf("ec2"), "EC2 user guide, Grant permission to tag resources during creation"),
    row("ec2:ImageType", Only(&["machine", "kernel", "ramdisk"]), EC2),
    meaning(
        "ec2:InstanceMarketType",
        Among(&["spot", "on-demand", "capacity-block"]),
        EC2,
        &[("ondemand", "on-demand")],
    ),
    row("ec2:InstanceMetadataTags", ON, EC2),
    row("ec2:InstanceType", InstanceType(""), EC2),
    row("ec2:MetadataHttpEndpoint", ON, EC2),
    meaning(
        "ec2:MetadataHttpTokens",
        TOKENS,
        EC2,
        &[("true", "required"), ("enabled", "required"), ("v2", "required"), ("false", "optional"), ("v1", "optional")],
    ),
    row(
        "ec2:Permission",
        Only(&["INSTANCE-ATTACH", "EIP-ASSOCIATE"]),
        "EC2 API reference, CreateNetworkInterfacePermission",
    ),
    row("ec2:PlacementGroupStrategy", Only(&["cluster", "spread", "partition"]), EC2),
    row("ec2:RootDeviceType", Only(&["ebs", "instance-store"]), EC2),
    row("ec2:Tenancy", Only(&["default", "dedicated", "host"]), EC2),
    row(
        "ec2:VolumeType",
        Among(&["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"]),
        "EC2 API reference, CreateVolume",
    ),
    row("ecs:CreateAction", ActionOf("ecs"), SAR),
    row("ecs:compute-compatibility", Among(&["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"]), SAR),
    row("ecs:enable-execute-command", YES, SAR),
    row("ecs:enable-service-connect", YES, SAR),
    row("ecs:privileged", YES, SAR),
    row("ecs:subnet", SUBNET, SAR),
    row("eks:authenticationMode", Only(&["API", "API_AND_CONFIG_MAP", "CONFIG_MAP"]), SAR),
    row("eks:supportType", Only(&["STANDARD", "EXTENDED"]), SAR),
    row("elasticache:CacheNodeType", InstanceType("cache."), SAR),
    row("elasticfilesystem:CreateAction", ActionOf("elasticfilesystem"), SAR),
    row("elasticloadbalancing:CreateAction", ActionOf("elasticloadbalancing"), SAR),
    row(
        "elasticloadbalancing:ListenerProtocol",
        Among(&["HTTP", "HTTPS", "TCP", "TLS", "SSL", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC"]),
        SAR,
    ),
    meaning(
        "elasticloadbalancing:Scheme",
        Only(&["internet-facing", "internal"]),
        SAR,
        &[
            ("public", "internet-facing"),
            ("external", "internet-facing"),
            ("internet", "internet-facing"),
            ("private", "internal"),
        ],
    ),
    row("glue:SecurityGroupIds", GROUP, SAR),
    row("glue:SubnetIds", SUBNET, SAR),
    row("glue:VpcIds", VPC, SAR),
    row("iam:AWSServiceName", Principal, IAM),
    row("iam:PassedToService", Principal, IAM),
    row("imagebuilder:Ec2MetadataHttpTokens", TOKENS, SAR),
    row("kms:CustomerMasterKeySpec", KEY_SPECS, KMS),
    row("kms:CustomerMasterKeyUsage", KEY_USAGES, KMS),
    row(
        "kms:EncryptionAlgorithm",
        Among(&["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"]),
        KMS,
    ),
    row("kms:ExpirationModel", Only(&["KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"]), KMS),
    row("kms:GrantConstraintType", Among(&["EncryptionContextEquals", "EncryptionContextSubset"]), KMS),
    row(
        "kms:GrantOperations",
        Only(&[
            "CreateGrant",
            "Decrypt",
            "DeriveSharedSecret",
            "DescribeKey",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyPair",
            "GenerateDataKeyPairWithoutPlaintext",
            "GenerateDataKeyWithoutPlaintext",
            "GenerateMac",
            "GetPublicKey",
            "ReEncryptFrom",
            "ReEncryptTo",
            "RetireGrant",
            "Sign",
            "Verify",
            "VerifyMac",
        ]),
        KMS,
    ),
    row("kms:KeyAgreementAlgorithm", Among(&["ECDH"]), KMS),
    row("kms:KeyOrigin", Only(&["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"]), KMS),
    row("kms:KeySpec", KEY_SPECS, KMS),
    row("kms:KeyUsage", KEY_USAGES, KMS),
    row("kms:MacAlgorithm", Among(&["HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"]), KMS),
    row("kms:MessageType", Among(&["RAW", "DIGEST", "EXTERNAL_MU"]), KMS),
    row("kms:MultiRegionKeyType", Only(&["PRIMARY", "REPLICA"]), KMS),
    row("kms:PrimaryRegion", Region, KMS),
    row("kms:ReplicaRegion", Region, KMS),
    row("kms:ViaService", Endpoint, KMS),
    row("kms:WrappingKeySpec", Among(&["RSA_2048", "RSA_3072", "RSA_4096", "SM2"]), KMS),
    meaning(
        "lambda:FunctionUrlAuthType",
        Only(&["AWS_IAM", "NONE"]),
        "Lambda developer guide, Control access to function URLs",
        &[("iam", "AWS_IAM"), ("public", "NONE")],
    ),
    row("lambda:SecurityGroupIds", GROUP, SAR),
    row("lambda:SubnetIds", SUBNET, SAR),
    row("lambda:VpcIds", VPC, SAR),
    row("organizations:ServicePrincipal", Principal, SAR),
    row("rds:DatabaseClass", InstanceType("db."), "RDS user guide, Policy condition keys"),
    row(
        "rds:DatabaseEngine",
        Among(&[
            "aurora-mysql",
            "aurora-postgresql",
            "mysql",
            "mariadb",
            "postgres",
            "oracle-ee",
            "oracle-se2",
            "sqlserver-ee",
            "sqlserver-se",
            "sqlserver-ex",
            "sqlserver-web",
            "db2-se",
            "db2-ae",
        ]),
        "RDS user guide, Policy condition keys",
    ),
    row("rds:EndpointType", Only(&["READER", "WRITER", "CUSTOM"]), "RDS user guide, Policy condition keys"),
    row("route53:ChangeResourceRecordSetsActions", Only(&["CREATE", "UPSERT", "DELETE"]), "Route 53 developer guide"),
    row("route53:ChangeResourceRecordSetsNormalizedRecordNames", DnsName, "Route 53 developer guide"),
    row(
        "route53:ChangeResourceRecordSetsRecordTypes",
        Only(&[
            "A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SPF", "SRV", "SSHFP",
            "SVCB", "TLSA", "TXT",
        ]),
        "Route 53 developer guide",
    ),
    row("s3-outposts:x-amz-acl", ACLS, S3),
    row("s3:AccessPointNetworkOrigin", ORIGINS, S3),
    row("s3:authType", AUTHENTICATIONS, S3),
    row("s3:object-lock-legal-hold", Only(&["ON", "OFF"]), S3),
    row("s3:object-lock-mode", Only(&["GOVERNANCE", "COMPLIANCE"]), S3),
    meaning(
        "s3:signatureversion",
        SIGNATURES,
        S3,
        &[("v2", "AWS"), ("v4", "AWS4-HMAC-SHA256"), ("aws4", "AWS4-HMAC-SHA256")],
    ),
    row("s3:x-amz-acl", ACLS, S3),
    row("s3:x-amz-metadata-directive", Only(&["COPY", "REPLACE"]), S3),
    row("s3:x-amz-object-ownership", Only(&["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]), S3),
    meaning("s3:x-amz-server-side-encryption", ENCRYPTIONS, S3, ENCRYPTIONS_MEANT),
    meaning("s3:x-amz-server-side-encryption-customer-algorithm", Only(&["AES256"]), S3, AES_MEANT),
    row("s3:x-amz-storage-class", CLASSES, S3),
    row("s3express:SessionMode", Only(&["ReadOnly", "ReadWrite"]), S3),
    meaning("s3express:x-amz-server-side-encryption", ENCRYPTIONS, S3, ENCRYPTIONS_MEANT),
    meaning("s3tables:SSEAlgorithm", TWO_ENCRYPTIONS, S3, TWO_ENCRYPTIONS_MEANT),
    meaning("s3vectors:sseType", TWO_ENCRYPTIONS, S3, TWO_ENCRYPTIONS_MEANT),
    meaning(
        "sagemaker:AppNetworkAccessType",
        Only(&["PublicInternetOnly", "VpcOnly"]),
        SAGEMAKER,
        &[
            ("vpc", "VpcOnly"),
            ("private", "VpcOnly"),
            ("public", "PublicInternetOnly"),
            ("internet", "PublicInternetOnly"),
        ],
    ),
    row("sagemaker:DirectInternetAccess", ON_CAPITAL, SAGEMAKER),
    row("sagemaker:FileSystemAccessMode", Only(&["rw", "ro"]), SAGEMAKER),
    row("sagemaker:FileSystemType", Only(&["EFS", "FSxLustre"]), SAGEMAKER),
    row("sagemaker:InstanceTypes", InstanceType("ml."), SAGEMAKER),
    meaning(
        "sagemaker:MinimumInstanceMetadataServiceVersion",
        Only(&["1", "2"]),
        SAGEMAKER,
        &[("v1", "1"), ("v2", "2"), ("imdsv1", "1"), ("imdsv2", "2"), ("required", "2")],
    ),
    meaning(
        "sagemaker:ModelApprovalStatus",
        Only(&["Approved", "Rejected", "PendingManualApproval"]),
        SAGEMAKER,
        &[("pending", "PendingManualApproval"), ("approve", "Approved"), ("reject", "Rejected")],
    ),
    row("sagemaker:RootAccess", ON_CAPITAL, SAGEMAKER),
    row("sagemaker:SpaceSharingType", Only(&["Private", "Shared"]), SAGEMAKER),
    row("sagemaker:TaggingAction", ActionOf("sagemaker"), SAGEMAKER),
    row("sagemaker:VpcSecurityGroupIds", GROUP, SAGEMAKER),
    row("sagemaker:VpcSubnets", SUBNET, SAGEMAKER),
    row(
        "sns:Protocol",
        Only(&["http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose"]),
        "SNS developer guide, Using identity-based policies",
    ),
    row("ssm:Overwrite", YES, SAR),
    row("ssm:Recursive", YES, SAR),
];

/// The row of a key; case does not count.
#[must_use]
pub fn of(key: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.key.eq_ignore_ascii_case(key))
}

/// How an operator compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// Case of letters does not count.
    pub ignore_case: bool,
    /// `*` and `?` are wildcards.
    pub wild: bool,
}

impl Row {
    /// Whether no request has a value that equals this text, and what may have been meant then.
    #[must_use]
    pub fn refuses(&self, text: &str, how: Comparison) -> Option<Option<String>> {
        let wild = how.wild && text.contains(['*', '?']);
        let equals = |value: &str| match (wild, how.ignore_case) {
            (true, _) => pattern::matches(text, value, false),
            (false, true) => value.eq_ignore_ascii_case(text),
            (false, false) => value == text,
        };
        match self.values {
            Only(known) if known.iter().any(|value| equals(value)) => None,
            Only(known) => Some(self.meant(text, known.iter().copied())),
            Among(known) => {
                let slip = self.meant(text, known.iter().copied()).filter(|_| !wild);
                // What AWS has added since differs from what it had by more than case.
                let case = known.iter().any(|value| value.eq_ignore_ascii_case(text));
                let unwritten = self.meant.iter().any(|(word, _)| word.eq_ignore_ascii_case(text));
                let added = !case && !unwritten;
                (!known.iter().any(|value| equals(value)) && !added).then_some(slip)
            }
            Begins(starts, example) => {
                let possible = |start: &&str| {
                    if wild { pattern::intersect(text, &format!("{start}*")) } else { text.starts_with(*start) }
                };
                (!starts.iter().any(possible)).then(|| Some(example.to_owned()))
            }
            Principal if wild || text.contains('.') => None,
            Principal => Some(Some(format!("{}.amazonaws.com", text.to_ascii_lowercase()))),
            // `service.region.amazonaws.com`: without a Region it is the principal of a service.
            Endpoint if wild => {
                let shape = pattern::intersect(text, "?*.?*.amazonaws.com*");
                (!shape).then_some(None)
            }
            Endpoint => {
                let bare = text.strip_suffix(".amazonaws.com").or_else(|| text.strip_suffix(".amazonaws.com.cn"));
                let shape = bare.is_some_and(|bare| bare.contains('.'));
                let service = text.split('.').next().unwrap_or(text);
                (!shape).then(|| Some(format!("{service}.eu-west-1.amazonaws.com")))
            }
            Region if wild || text == "global" || is_region(text) => None,
            Region => {
                let zone = text.get(..text.len().saturating_sub(1)).filter(|stem| is_region(stem));
                let lower = text.to_ascii_lowercase();
                let known = REGIONS
                    .iter()
                    .copied()
                    .find(|region| *region == lower || region.replace('-', "") == lower.replace(['-', '_'], ""));
                let meant =
                    zone.map(str::to_owned).or_else(|| known.or_else(|| nearest(&lower, REGIONS)).map(str::to_owned));
                Some(meant)
            }
            ActionOf(service) => {
                let service = services::service(service)?;
                if service.actions().any(|action| equals(action.name())) {
                    return None;
                }
                let bare = text.split_once(':').map_or(text, |(_, name)| name);
                let same = service.action(bare).map(|action| action.name());
                // An action that is newer than the reference has no prefix and begins with a capital.
                let newer = same.is_none() && bare == text && text.starts_with(|c: char| c.is_ascii_uppercase());
                let near = nearest(bare, service.actions().map(|action| action.name()));
                (!newer || near.is_some()).then(|| same.or(near).map(str::to_owned))
            }
            ResourceType if wild || text.contains("::") => None,
            ResourceType => Some(None),
            DnsName if text.ends_with('.') || text.bytes().any(|b| b.is_ascii_uppercase()) => {
                Some(Some(text.trim_end_matches('.').to_ascii_lowercase()))
            }
            DnsName => None,
            InstanceType(prefix) => instance_type(text, prefix, wild),
        }
    }

    /// The value that is most likely meant: another spelling, a word of the table, `true` for `Enabled`, or the nearest.
    fn meant(&self, text: &str, known: impl Iterator<Item = &'static str> + Clone) -> Option<String> {
        let bare = |text: &str| -> String {
            text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
        };
        let own = bare(text);
        let written = self.meant.iter().find(|(word, _)| bare(word) == own).map(|(_, value)| *value);
        let spelled = known.clone().find(|value| bare(value) == own);
        let sides = [
            (["true", "on", "yes", "enable", "enabled", "1"], ["enabled", "true", "on"]),
            (["false", "off", "no", "disable", "disabled", "0"], ["disabled", "false", "off"]),
        ];
        let side = sides.iter().find(|(words, _)| words.contains(&own.as_str())).map(|(_, values)| values);
        let sided = side.and_then(|values| known.clone().find(|value| values.contains(&bare(value).as_str())));
        written.or(spelled).or(sided).or_else(|| nearest(text, known)).map(str::to_owned)
    }

    /// The values, where they can be listed.
    #[must_use]
    pub fn listed(&self) -> &'static [&'static str] {
        match self.values {
            Only(known) | Among(known) => known,
            _ => &[],
        }
    }
}

/// Whether a text has the form of a Region's code: `eu-west-1`, `us-gov-east-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    match parts.as_slice() {
        [first, middle @ .., last] if !middle.is_empty() => {
            // A number of two digits, or a letter behind it, is a zone's.
            last.len() == 1 && last.bytes().all(|b| b.is_ascii_digit()) && letters(first) && middle.iter().all(letters)
        }
        _ => false,
    }
}

/// Types have a family, a dot and a size, in small letters; `ml.` and its like stand before those of the services that have one.
fn instance_type(text: &str, prefix: &str, wild: bool) -> Option<Option<String>> {
    let bare = ["ml.", "db.", "cache."].iter().find_map(|own| text.strip_prefix(own)).unwrap_or(text);
    let right = format!("{prefix}{bare}").to_ascii_lowercase();
    if wild {
        let met = pattern::intersect(text, &format!("{prefix}?*")) && !text.bytes().any(|b| b.is_ascii_uppercase());
        let foreign = prefix.is_empty() && bare != text;
        return (!met || foreign).then_some(Some(right));
    }
    // Apps of SageMaker Studio run on `system` as well, and some sizes have a dot more (`u-6tb1.metal`, `mac2-m2.metal`).
    if text == "system" || (text == right && bare.contains('.')) {
        return None;
    }
    let sized = bare.contains('.');
    Some(sized.then_some(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: Comparison = Comparison { ignore_case: false, wild: false };
    const LIKE: Comparison = Comparison { ignore_case: false, wild: true };
    const FOLDED: Comparison = Comparison { ignore_case: true, wild: false };

    #[test]
    fn every_row_is_of_a_key_that_aws_documents_and_stands_once() {
        for (at, row) in ROWS.iter().enumerate() {
            let known = services::key(row.key).unwrap_or_else(|| panic!("{}", row.key));
            assert_eq!(known.name, row.key);
            assert!(!ROWS.iter().skip(at + 1).any(|other| other.key.eq_ignore_ascii_case(row.key)), "{}", row.key);
            assert!(!row.page.is_empty());
            for (word, value) in row.meant {
                assert!(row.listed().contains(value) && !row.listed().contains(word), "{} {word}", row.key);
            }
            for value in row.listed() {
                assert_eq!(row.refuses(value, EXACT), None, "{} {value}", row.key);
            }
        }
    }

    #[test]
    fn values_that_no_request_has_are_refused_with_what_was_meant() {
        let cases = [
            ("aws:PrincipalType", "Root", Some("Account")),
            ("aws:PrincipalType", "user", Some("User")),
            ("aws:PrincipalType", "Robot", None),
            ("sagemaker:AppNetworkAccessType", "VPCOnly", Some("VpcOnly")),
            ("sagemaker:AppNetworkAccessType", "VPC_ONLY", Some("VpcOnly")),
            ("sagemaker:RootAccess", "enabled", Some("Enabled")),
            ("sagemaker:DirectInternetAccess", "true", Some("Enabled")),
            ("sagemaker:InstanceTypes", "p5.48xlarge", Some("ml.p5.48xlarge")),
            ("ec2:InstanceType", "T3.micro", Some("t3.micro")),
            ("ec2:InstanceType", "t3", None),
            ("ec2:InstanceType", "ml.t3.micro", Some("t3.micro")),
            ("ec2:MetadataHttpTokens", "Required", Some("required")),
            ("ec2:CreateAction", "ec2:RunInstances", Some("RunInstances")),
            ("ec2:CreateAction", "RunInstance", Some("RunInstances")),
            ("ec2:VolumeType", "GP3", Some("gp3")),
            ("ec2:InstanceMarketType", "Spot", Some("spot")),
            ("s3:x-amz-acl", "PublicRead", Some("public-read")),
            ("s3:x-amz-server-side-encryption", "aes256", Some("AES256")),
            ("s3:x-amz-server-side-encryption", "SSE-KMS", Some("aws:kms")),
            ("s3:x-amz-storage-class", "Glacier", Some("GLACIER")),
            ("aws:RequestedRegion", "EU-WEST-1", Some("eu-west-1")),
            ("aws:RequestedRegion", "eu-west-1a", Some("eu-west-1")),
            ("aws:RequestedRegion", "euwest1", Some("eu-west-1")),
            ("aws:CalledVia", "cloudformation", Some("cloudformation.amazonaws.com")),
            ("aws:SourceVpc", "vpce-0123456789abcdef0", Some("vpc-0123456789abcdef0")),
            ("aws:SourceVpce", "vpc-0123456789abcdef0", Some("vpce-0123456789abcdef0")),
            ("kms:ViaService", "s3.amazonaws.com", Some("s3.eu-west-1.amazonaws.com")),
            ("kms:KeyOrigin", "AWS-KMS", Some("AWS_KMS")),
            ("iam:PassedToService", "ec2", Some("ec2.amazonaws.com")),
            ("route53:ChangeResourceRecordSetsNormalizedRecordNames", "A.example.com.", Some("a.example.com")),
        ];
        for (key, text, meant) in cases {
            let refused = of(key).unwrap().refuses(text, EXACT);
            assert_eq!(refused, Some(meant.map(str::to_owned)), "{key} {text}");
        }
        assert!(of("s3:x-amz-acl").unwrap().refuses("Public*", LIKE).is_some());
        assert!(of("aws:SourceVpc").unwrap().refuses("vpce-*", LIKE).is_some());
    }

    #[test]
    fn values_that_may_be_are_taken() {
        for (key, text, how) in [
            ("aws:PrincipalType", "account", FOLDED),
            ("aws:PrincipalType", "A*", LIKE),
            ("aws:RequestedRegion", "xx-south-9", EXACT),
            ("aws:RequestedRegion", "eu-*", LIKE),
            ("aws:RequestedRegion", "us-gov-west-1", EXACT),
            ("ec2:InstanceType", "*.metal", LIKE),
            ("ec2:InstanceType", "p?.*", LIKE),
            ("ec2:InstanceType", "u-6tb1.112xlarge", EXACT),
            ("ec2:CreateAction", "MakeSomethingEntirelyNew", EXACT),
            ("ec2:VolumeType", "zz9", EXACT),
            ("s3:x-amz-storage-class", "NEW_CLASS", EXACT),
            ("s3:x-amz-server-side-encryption", "aws:kms*", LIKE),
            ("sagemaker:InstanceTypes", "ml.*", LIKE),
            ("sagemaker:InstanceTypes", "*.xlarge", LIKE),
            ("sagemaker:InstanceTypes", "system", EXACT),
            ("kms:ViaService", "ec2.*.amazonaws.com", LIKE),
            ("kms:ViaService", "s3.cn-north-1.amazonaws.com.cn", EXACT),
            ("kms:ViaService", "*.amazonaws.com", LIKE),
            ("aws:CalledVia", "malware.guardduty.amazonaws.com", EXACT),
            ("aws:SourceVpc", "vpc-*", LIKE),
            ("cloudformation:ResourceTypes", "Custom::Mine", EXACT),
        ] {
            assert_eq!(of(key).unwrap().refuses(text, how), None, "{key} {text}");
        }
    }
}
