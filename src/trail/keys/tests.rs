use super::*;
use crate::trail::record::Record;

fn told(key: &str, action: &str, text: &str) -> (Told, Vec<String>) {
    let record = Record::parse(text).unwrap();
    let mut out = Values::default();
    let told = Key::new(key, services::action(action).unwrap()).tell(&Who::of(&record), &mut out);
    (told, out.iter().flatten().map(str::to_owned).collect())
}

/// A record of a role's session, and what it is changed by.
fn role(more: &str) -> String {
    format!(
        r#"{{"eventTime":"2026-01-02T03:04:05Z","awsRegion":"eu-central-1","userAgent":"aws-cli/2","tlsDetails":{{"tlsVersion":"TLSv1.3"}},"recipientAccountId":"111122223333","userIdentity":{{"type":"AssumedRole","principalId":"AROAX:s","arn":"arn:aws:sts::111122223333:assumed-role/R/s","accountId":"111122223333","sessionContext":{{"sessionIssuer":{{"arn":"arn:aws:iam::111122223333:role/R"}},"attributes":{{"mfaAuthenticated":"false","creationDate":"2026-01-02T03:00:00Z"}}}}}}{more}}}"#
    )
}

fn user(more: &str) -> String {
    format!(
        r#"{{"userIdentity":{{"type":"IAMUser","userName":"u","arn":"arn:aws:iam::111122223333:user/u","accountId":"111122223333"{more}}},"sourceIPAddress":"8.8.8.8"}}"#
    )
}

#[test]
fn global_keys_are_known_absent_or_unknown() {
    use Told::{Absent, Known, Unknown};
    let outside = role(r#","sourceIPAddress":"8.8.8.8""#);
    let endpoint = role(r#","sourceIPAddress":"10.0.0.1","vpcEndpointId":"vpce-1""#);
    let inside = role(r#","sourceIPAddress":"10.0.0.1""#);
    let service = role(r#","sourceIPAddress":"cloudformation.amazonaws.com""#);
    let through = user(r#","invokedBy":"cloudformation.amazonaws.com""#);
    let cases: &[(&str, &str, Told, &[&str])] = &[
        ("aws:PrincipalArn", &outside, Known, &["arn:aws:iam::111122223333:role/R"]),
        ("aws:principalarn", &user(""), Known, &["arn:aws:iam::111122223333:user/u"]),
        ("aws:PrincipalAccount", &outside, Known, &["111122223333"]),
        ("aws:PrincipalOrgID", &outside, Unknown, &[]),
        ("aws:PrincipalType", &outside, Known, &["AssumedRole"]),
        ("aws:RequestedRegion", &outside, Known, &["eu-central-1"]),
        ("aws:SourceIp", &outside, Known, &["8.8.8.8"]),
        ("aws:SourceIp", &endpoint, Absent, &[]),
        ("aws:SourceIp", &service, Unknown, &[]),
        ("aws:SourceVpce", &endpoint, Known, &["vpce-1"]),
        ("aws:SourceVpce", &outside, Absent, &[]),
        ("aws:SourceVpce", &inside, Unknown, &[]),
        ("aws:SourceVpc", &endpoint, Unknown, &[]),
        ("aws:VpcSourceIp", &endpoint, Known, &["10.0.0.1"]),
        ("aws:UserAgent", &outside, Known, &["aws-cli/2"]),
        ("aws:SecureTransport", &outside, Known, &["true"]),
        ("aws:SecureTransport", &user(""), Unknown, &[]),
        ("aws:MultiFactorAuthPresent", &outside, Known, &["false"]),
        ("aws:MultiFactorAuthPresent", &user(""), Absent, &[]),
        ("aws:MultiFactorAuthAge", &outside, Absent, &[]),
        ("aws:TokenIssueTime", &outside, Known, &["2026-01-02T03:00:00Z"]),
        ("aws:userid", &outside, Known, &["AROAX:s"]),
        ("aws:username", &user(""), Known, &["u"]),
        ("aws:username", &outside, Absent, &[]),
        ("aws:SourceIdentity", &outside, Absent, &[]),
        ("aws:ViaAWSService", &outside, Known, &["false"]),
        ("aws:ViaAWSService", &through, Known, &["true"]),
        ("aws:CalledVia", &outside, Absent, &[]),
        ("aws:CalledVia", &through, Unknown, &[]),
        ("aws:SourceIp", &through, Unknown, &[]),
        ("aws:CurrentTime", &outside, Known, &["2026-01-02T03:04:05Z"]),
        ("aws:EpochTime", &outside, Known, &["1767323045"]),
        ("aws:ResourceAccount", &outside, Known, &["111122223333"]),
        ("aws:PrincipalTag/team", &outside, Unknown, &[]),
        ("aws:ResourceTag/team", &outside, Unknown, &[]),
        ("aws:NoSuchKey", &outside, Unknown, &[]),
        ("sagemaker:InstanceTypes", &outside, Absent, &[]),
    ];
    for (key, text, expected, values) in cases {
        assert_eq!(
            told(key, "s3:PutObject", text),
            (*expected, values.iter().map(|v| (*v).to_owned()).collect()),
            "{key} {text}"
        );
    }
}

#[test]
fn parameters_hold_keys() {
    use Told::{Absent, Known, Unknown};
    let cases: &[(&str, &str, &str, Told, &[&str])] = &[
        (
            "sagemaker:CreateEndpointConfig",
            "sagemaker:InstanceTypes",
            r#"{"productionVariants":[{"instanceType":"ml.m5.large"},{"instanceType":"ml.c5.large"}]}"#,
            Known,
            &["ml.m5.large", "ml.c5.large"],
        ),
        (
            "sagemaker:CreateEndpointConfig",
            "sagemaker:InstanceTypes",
            r#"{"productionVariants":[{"serverlessConfig":{"memorySizeInMB":1024}}]}"#,
            Absent,
            &[],
        ),
        (
            "sagemaker:CreateEndpointConfig",
            "sagemaker:ServerlessMemorySize",
            r#"{"productionVariants":[{"serverlessConfig":{"memorySizeInMB":1024}}]}"#,
            Known,
            &["1024"],
        ),
        (
            "sagemaker:CreateEndpointConfig",
            "sagemaker:VolumeKmsKeyArn",
            r#"{"kmsKeyId":"arn:aws:kms:eu-central-1:1:key/k"}"#,
            Known,
            &["arn:aws:kms:eu-central-1:1:key/k"],
        ),
        ("sagemaker:CreateEndpointConfig", "sagemaker:VolumeKmsKeyArn", r#"{"kmsKeyId":"alias/a"}"#, Unknown, &[]),
        ("sagemaker:CreateEndpoint", "sagemaker:InstanceTypes", "{}", Absent, &[]),
        ("sagemaker:CreateEndpointConfig", "sagemaker:InstanceTypes", "null", Unknown, &[]),
        ("sagemaker:CreateEndpointConfig", "sagemaker:InstanceTypes", r#"{"omitted":true}"#, Unknown, &[]),
        ("ec2:RunInstances", "ec2:InstanceType", r#"{"instanceType":"t3.micro"}"#, Known, &["t3.micro"]),
        ("ec2:RunInstances", "ec2:InstanceType", r#"{"launchTemplate":{}}"#, Unknown, &[]),
        ("s3:ListBucket", "s3:prefix", r#"{"bucketName":"b","prefix":"x/"}"#, Known, &["x/"]),
        (
            "iam:AttachRolePolicy",
            "iam:PolicyARN",
            r#"{"policyArn":"arn:aws:iam::aws:policy/A"}"#,
            Known,
            &["arn:aws:iam::aws:policy/A"],
        ),
        ("lambda:CreateFunctionUrlConfig", "lambda:FunctionUrlAuthType", r#"{"authType":"NONE"}"#, Known, &["NONE"]),
        (
            "sagemaker:CreateModel",
            "aws:RequestTag/Team",
            r#"{"tags":[{"key":"team","value":"a"},{"key":"x","value":"b"}]}"#,
            Known,
            &["a"],
        ),
        (
            "sagemaker:CreateModel",
            "aws:TagKeys",
            r#"{"tags":[{"key":"team","value":"a"},{"key":"x","value":"b"}]}"#,
            Known,
            &["team", "x"],
        ),
        ("sagemaker:CreateModel", "aws:RequestTag/Team", r#"{"modelName":"m"}"#, Absent, &[]),
        ("sagemaker:CreateModel", "aws:RequestTag/Team", r#"{"tags":"HIDDEN"}"#, Unknown, &[]),
        (
            "ec2:RunInstances",
            "aws:RequestTag/Team",
            r#"{"tagSpecificationSet":{"items":[{"resourceType":"instance","tags":[{"key":"Team","value":"a"}]}]}}"#,
            Known,
            &["a"],
        ),
        ("lambda:CreateFunction", "aws:TagKeys", r#"{"tags":{"a":"1","b":"2"}}"#, Known, &["a", "b"]),
    ];
    for (action, key, parameters, expected, values) in cases {
        let text = role(&format!(r#","requestParameters":{parameters}"#));
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        assert_eq!(told(key, action, &text), (*expected, values), "{action} {key} {parameters}");
    }
}

#[test]
fn enriched_events_tell_more() {
    let text = role(
        r#","eventContext":{"requestContext":{"aws:PrincipalOrgID":"o-1","aws:SourceVpc":["vpc-1"]},"tagContext":{"principalTags":{"team":"a"},"resourceTags":[{"arn":"x","tags":{"env":"prod"}}]}}"#,
    );
    for (key, value) in [
        ("aws:PrincipalOrgID", "o-1"),
        ("aws:sourcevpc", "vpc-1"),
        ("aws:PrincipalTag/Team", "a"),
        ("aws:ResourceTag/env", "prod"),
    ] {
        assert_eq!(told(key, "s3:PutObject", &text), (Told::Known, vec![value.to_owned()]), "{key}");
    }
    assert_eq!(told("aws:ResourceTag/other", "s3:PutObject", &text).0, Told::Unknown);
}

#[test]
fn keys_of_the_tables_are_keys_that_aws_knows() {
    for row in PARAMETERS {
        for name in row.names {
            let action = services::action(&format!("{}:{name}", row.service));
            let action = action.unwrap_or_else(|| panic!("{}:{name}", row.service));
            assert!(action.carries(row.key), "{action} does not carry {}", row.key);
        }
    }
    for (name, _) in GLOBAL.iter().filter(|(name, _)| name.starts_with("aws:")) {
        assert!(services::key(name).is_some(), "{name}");
    }
}
