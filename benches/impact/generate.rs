//! Records as CloudTrail writes them, 1 to 2 KB each, made of a seed.

use std::fmt::Write;

/// A small generator of numbers (SplitMix64), the same on every machine.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    fn one<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }
}

const REGIONS: [&str; 6] = ["us-east-1", "us-west-2", "eu-central-1", "eu-west-1", "ap-southeast-2", "sa-east-1"];
const AGENTS: [&str; 4] = [
    "Boto3/1.34.84 md/Botocore#1.34.84 ua/2.0 os/linux#5.10.216-225.855.amzn2.x86_64 md/arch#x86_64 lang/python#3.11.9 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.34.84",
    "aws-cli/2.15.38 Python/3.11.8 Linux/6.1.84 exe/x86_64.amzn.2023 prompt/off command/s3api",
    "APN/1.0 HashiCorp/1.0 Terraform/1.8.1 (+https://www.terraform.io) terraform-provider-aws/5.46.0 aws-sdk-go-v2/1.26.1 os/linux lang/go#1.21.8",
    "aws-sdk-java/2.25.31 Linux/5.10.215 OpenJDK_64-Bit_Server_VM/17.0.10+7-LTS Java/17.0.10 vendor/Amazon.com_Inc. io/sync http/Apache cfg/retry-mode/legacy",
];
/// Service, name, request parameters, response.
const CALLS: [(&str, &str, &str, &str, bool); 12] = [
    (
        "sts",
        "AssumeRole",
        r#"{"roleArn":"arn:aws:iam::{a}:role/app-{n}","roleSessionName":"session-{x}","durationSeconds":3600}"#,
        r#"{"credentials":{"accessKeyId":"ASIA{x}","sessionToken":"{x}{x}{x}{x}{x}{x}{x}{x}","expiration":"Jan 2, 2026, 4:04:05 AM"},"assumedRoleUser":{"assumedRoleId":"AROA{x}:session","arn":"arn:aws:sts::{a}:assumed-role/app-{n}/session-{x}"}}"#,
        true,
    ),
    (
        "ec2",
        "DescribeInstances",
        r#"{"maxResults":1000,"instancesSet":{},"filterSet":{"items":[{"name":"instance-state-name","valueSet":{"items":[{"value":"running"},{"value":"pending"}]}},{"name":"tag:team","valueSet":{"items":[{"value":"team-{n}"}]}}]}}"#,
        "null",
        true,
    ),
    (
        "ec2",
        "RunInstances",
        r#"{"instancesSet":{"items":[{"imageId":"ami-{x}","minCount":1,"maxCount":1}]},"instanceType":"m5.large","blockDeviceMapping":{},"monitoring":{"enabled":false},"subnetId":"subnet-{x}","tagSpecificationSet":{"items":[{"resourceType":"instance","tags":[{"key":"Team","value":"team-{n}"},{"key":"Name","value":"worker"}]}]}}"#,
        r#"{"requestId":"{x}","reservationId":"r-{x}","ownerId":"{a}","groupSet":{},"instancesSet":{"items":[{"instanceId":"i-{x}","imageId":"ami-{x}","currentState":{"code":0,"name":"pending"},"privateDnsName":"ip-10-0-0-1.ec2.internal","instanceType":"m5.large","launchTime":1767323045000,"placement":{"availabilityZone":"us-east-1a","tenancy":"default"},"subnetId":"subnet-{x}","vpcId":"vpc-{x}","privateIpAddress":"10.0.0.1"}]}}"#,
        false,
    ),
    (
        "s3",
        "GetBucketAcl",
        r#"{"bucketName":"data-{n}","Host":"data-{n}.s3.us-east-1.amazonaws.com","acl":""}"#,
        "null",
        true,
    ),
    (
        "s3",
        "GetObject",
        r#"{"bucketName":"data-{n}","Host":"data-{n}.s3.us-east-1.amazonaws.com","key":"year=2026/month=01/part-{x}.parquet"}"#,
        "null",
        true,
    ),
    (
        "s3",
        "PutObject",
        r#"{"bucketName":"data-{n}","Host":"data-{n}.s3.us-east-1.amazonaws.com","key":"year=2026/month=01/part-{x}.parquet","x-amz-server-side-encryption":"aws:kms"}"#,
        r#"{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:us-east-1:{a}:key/{x}"}"#,
        false,
    ),
    (
        "kms",
        "Decrypt",
        r#"{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::data-{n}/year=2026/part-{x}"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#,
        "null",
        true,
    ),
    (
        "lambda",
        "UpdateFunctionCode20150331v2",
        r#"{"functionName":"handler-{n}","publish":false,"s3Bucket":"code-{n}","s3Key":"{x}.zip","dryRun":false}"#,
        r#"{"functionName":"handler-{n}","functionArn":"arn:aws:lambda:us-east-1:{a}:function:handler-{n}","runtime":"python3.12","role":"arn:aws:iam::{a}:role/handler-{n}","handler":"main.handler","codeSize":123456,"timeout":30,"memorySize":512,"lastModified":"2026-01-02T03:04:05.000+0000","codeSha256":"{x}{x}","version":"$LATEST"}"#,
        false,
    ),
    (
        "sagemaker",
        "CreateEndpointConfig",
        r#"{"endpointConfigName":"model-{n}-{x}","productionVariants":[{"variantName":"a","modelName":"model-{n}","initialInstanceCount":1,"instanceType":"ml.m5.large"}],"tags":[{"key":"Team","value":"team-{n}"}]}"#,
        r#"{"endpointConfigArn":"arn:aws:sagemaker:us-east-1:{a}:endpoint-config/model-{n}-{x}"}"#,
        false,
    ),
    (
        "monitoring",
        "DescribeAlarms",
        r#"{"maxRecords":100,"alarmTypes":["MetricAlarm","CompositeAlarm"],"alarmNamePrefix":"team-{n}-"}"#,
        "null",
        true,
    ),
    ("dynamodb", "DescribeTable", r#"{"tableName":"table-{n}"}"#, "null", true),
    (
        "logs",
        "CreateLogStream",
        r#"{"logGroupName":"/aws/lambda/handler-{n}","logStreamName":"2026/01/02/[$LATEST]{x}"}"#,
        "null",
        false,
    ),
];

/// Appends one record.
pub fn record(dice: &mut Dice, out: &mut String) {
    // Some 2,000 principals of 200 accounts, few of which make most of the calls; each has some calls that it mostly makes,
    // mostly in one region.
    let most = 1 + dice.below(2_000);
    let actor = dice.below(most);
    let (account, principal) = (111_122_223_000 + actor % 200, actor / 200);
    let call = if dice.below(20) == 0 { dice.below(CALLS.len() as u64) } else { (actor * 5 + dice.below(3)) % 12 };
    let (service, name, parameters, response, reads) = CALLS[call as usize];
    let region = if dice.below(20) == 0 { dice.one(&REGIONS) } else { REGIONS[(actor % 6) as usize] };
    let agent = AGENTS[(actor % 4) as usize];
    let hex = |dice: &mut Dice| format!("{:016x}", dice.next());
    let (x, id, request) = (hex(dice), hex(dice), hex(dice));
    let n = dice.below(50).to_string();
    let fill = |text: &str| text.replace("{a}", &account.to_string()).replace("{n}", &n).replace("{x}", &x);
    let identity = if actor.is_multiple_of(10) {
        format!(
            r#"{{"type":"IAMUser","principalId":"AIDA{principal:016}","arn":"arn:aws:iam::{account}:user/user-{principal}","accountId":"{account}","accessKeyId":"AKIA{principal:016}","userName":"user-{principal}"}}"#
        )
    } else {
        format!(
            r#"{{"type":"AssumedRole","principalId":"AROA{principal:016}:session-{x}","arn":"arn:aws:sts::{account}:assumed-role/app-{principal}/session-{x}","accountId":"{account}","accessKeyId":"ASIA{x}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROA{principal:016}","arn":"arn:aws:iam::{account}:role/service/app-{principal}","accountId":"{account}","userName":"app-{principal}"}},"attributes":{{"creationDate":"2026-01-02T03:00:00Z","mfaAuthenticated":"false"}},"webIdFederationData":{{}}}}}}"#
        )
    };
    let second = dice.below(86_400);
    let time =
        format!("2026-01-{:02}T{:02}:{:02}:{:02}Z", 1 + dice.below(28), second / 3_600, second / 60 % 60, second % 60);
    let error = match dice.below(50) {
        0 => {
            r#""errorCode":"AccessDenied","errorMessage":"User is not authorized to perform this action because no identity-based policy allows it","#
        }
        1 => r#""errorCode":"ThrottlingException","errorMessage":"Rate exceeded","#,
        _ => "",
    };
    let ip = format!("{}.{}.{}.{}", 3 + dice.below(200), dice.below(256), dice.below(256), dice.below(256));
    let resources = match service {
        "s3" if name.ends_with("Object") => format!(
            r#""resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::data-{n}/year=2026/month=01/part-{x}.parquet"}},{{"accountId":"{account}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::data-{n}"}}],"#
        ),
        "kms" => format!(
            r#""resources":[{{"accountId":"{account}","type":"AWS::KMS::Key","ARN":"arn:aws:kms:{region}:{account}:key/{x}"}}],"#
        ),
        _ => String::new(),
    };
    write!(
        out,
        r#"{{"eventVersion":"1.11","userIdentity":{identity},"eventTime":"{time}","eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"{region}","sourceIPAddress":"{ip}","userAgent":"{agent}",{error}"requestParameters":{},"responseElements":{},"requestID":"{request}-{id}","eventID":"{id}-{request}","readOnly":{reads},{resources}"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"{account}","eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{service}.{region}.amazonaws.com"}}}}"#,
        fill(parameters),
        fill(response),
    )
    .unwrap();
}

/// A file as a trail delivers it.
pub fn file(dice: &mut Dice, records: usize) -> String {
    let mut out = String::from("{\"Records\":[");
    for n in 0..records {
        if n > 0 {
            out.push(',');
        }
        record(dice, &mut out);
    }
    out.push_str("]}");
    out
}
