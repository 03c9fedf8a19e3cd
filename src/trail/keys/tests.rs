use super::*;
use crate::trail::record::Record;

fn told(key: &str, action: &str, text: &str) -> (Told, Vec<String>) {
    let record = Record::parse(text).unwrap();
    let mut out = Values::default();
    let told = Key::new(key, services::action(action).unwrap(), None).tell(&Who::of(&record), &mut out);
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

/// The services that records show most, whose keys the table has all of.
const WHOLE: &[&str] =
    &["bedrock", "dynamodb", "ec2", "iam", "kms", "lambda", "s3", "sagemaker", "secretsmanager", "sts"];

#[test]
fn every_key_of_the_services_that_records_show_most_is_somewhere_or_said_to_be_nowhere() {
    for service in WHOLE {
        for key in services::service(service).unwrap().keys().iter().filter(|key| key.attached) {
            let lower = key.name.to_ascii_lowercase();
            let is_field = fields::FIELDS.iter().any(|(name, ..)| *name == lower);
            let of_tags = lower.starts_with("aws:") && (lower.contains("tag/") || lower == "aws:tagkeys");
            let told = places::all().iter().any(|place| match place.place {
                Where::Nowhere(_) => crate::policy::pattern::matches(place.key, key.name, true),
                _ => place.key.eq_ignore_ascii_case(key.name),
            });
            assert!(told || is_field || of_tags, "{}", key.name);
        }
    }
}

#[test]
fn every_line_of_the_table_is_of_a_key_that_aws_knows_and_of_actions_that_carry_it() {
    let lines = include_str!("places.txt").lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(places::all().len(), lines, "every line has a form that is read");
    assert!(places::all().is_sorted_by_key(|place| place.key.to_ascii_lowercase()));
    for place in places::all() {
        let service = place.key.split_once(':').map_or("", |(service, _)| service);
        match place.place {
            Where::Nowhere(reason) => {
                assert!(places::REASONS.iter().any(|(known, _)| *known == reason), "{reason}");
                let keys = WHOLE.iter().flat_map(|service| services::service(service).unwrap().keys());
                let known = keys.filter(|key| crate::policy::pattern::matches(place.key, key.name, true)).count();
                assert!(known > 0, "{}", place.key);
            }
            Where::Field => {
                // That of passed roles follows from the action that passes them.
                let by_action =
                    ["ec2:CreateAction", "iam:AssociatedResourceArn", "iam:PassedToService", "sagemaker:TaggingAction"];
                let is_field = fields::FIELDS.iter().any(|(name, ..)| name.eq_ignore_ascii_case(place.key));
                assert!(is_field || by_action.contains(&place.key), "{}", place.key);
            }
            Where::Parameter { path, .. } => assert!(!path.is_empty(), "{}", place.key),
        }
        for name in &place.actions {
            let action = services::action(&format!("{service}:{name}"));
            let action = action.unwrap_or_else(|| panic!("{service}:{name}"));
            assert!(action.carries(place.key), "{action} does not carry {}", place.key);
        }
    }
    for (name, ..) in fields::FIELDS {
        assert!(services::key(name).is_some(), "{name}");
    }
}

#[test]
fn keys_of_every_service_are_not_absent_because_they_have_the_prefix_of_another() {
    for key in ["ec2:SourceInstanceArn", "lambda:SourceFunctionArn", "ssm:SourceInstanceArn", "glue:RoleAssumedBy"] {
        assert_eq!(told(key, "s3:PutObject", &role("")).0, Told::Unknown, "{key}");
        assert_eq!(told(key, "s3:PutObject", &user("")).0, Told::Absent, "{key}");
    }
    let text = role("").replace("\"sessionContext\":{", "\"sessionContext\":{\"ec2RoleDelivery\":\"2.0\",");
    assert_eq!(told("ec2:RoleDelivery", "s3:PutObject", &text), (Told::Known, vec!["2.0".to_owned()]));
}

#[test]
fn what_a_record_does_not_prove_absent_is_not_told() {
    use Told::{Absent, Unknown};
    // A session whose context the record lacks, and a user of whom only that is told.
    let bare = r#"{"userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/R/s","accountId":"111122223333"}}"#;
    for key in ["aws:MultiFactorAuthAge", "aws:MultiFactorAuthPresent", "aws:SourceIdentity", "aws:TokenIssueTime"] {
        assert_eq!(told(key, "s3:PutObject", bare).0, Unknown, "{key}");
    }
    let service = r#"{"userIdentity":{"type":"AWSService","invokedBy":"delivery.logs.amazonaws.com"}}"#;
    for (key, expected) in [
        ("aws:SourceArn", Unknown),
        ("aws:SourceOrgID", Unknown),
        ("aws:CalledVia", Absent),
        ("aws:PrincipalArn", Unknown),
        ("aws:PrincipalAccount", Unknown),
    ] {
        assert_eq!(told(key, "s3:PutObject", service).0, expected, "{key}");
    }
    let value = |key| told(key, "s3:PutObject", service).1;
    assert_eq!(value("aws:PrincipalIsAWSService"), ["true"]);
    assert_eq!(value("aws:ViaAWSService"), ["false"]);
    assert_eq!(value("aws:PrincipalServiceName"), ["delivery.logs.amazonaws.com"]);
    // Types of identity that AWS does not document may be services.
    let other = r#"{"userIdentity":{"type":"Unknown","accountId":"111122223333"}}"#;
    assert_eq!(told("aws:PrincipalIsAWSService", "s3:PutObject", other).0, Unknown);
    // A launch template may set tags.
    let template = role(r#","requestParameters":{"launchTemplate":{"launchTemplateId":"lt-1"}}"#);
    assert_eq!(told("aws:RequestTag/team", "ec2:RunInstances", &template).0, Unknown);
    let deeper = role(r#","requestParameters":{"input":{"tags":[{"key":"team","value":"a"}]}}"#);
    assert_eq!(told("aws:RequestTag/team", "sagemaker:CreateModel", &deeper).0, Unknown);
}

#[test]
fn keys_with_a_name_in_them_are_read_by_it() {
    let text = role(r#","requestParameters":{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::b","App.Name":"x"}}"#);
    let context = |key: &str| told(key, "kms:Decrypt", &text);
    assert_eq!(context("kms:EncryptionContext:App.Name"), (Told::Known, vec!["x".to_owned()]));
    assert_eq!(context("kms:EncryptionContext:aws:s3:arn"), (Told::Known, vec!["arn:aws:s3:::b".to_owned()]));
    assert_eq!(context("kms:EncryptionContext:other").0, Told::Absent);
    assert_eq!(context("kms:EncryptionContextKeys").1, ["aws:s3:arn", "App.Name"]);
}

#[test]
fn tags_are_of_the_type_that_they_are_set_on() {
    let text = role(
        r#","requestParameters":{"tagSpecificationSet":{"items":[{"resourceType":"instance","tags":[{"key":"team","value":"a"}]}]}}"#,
    );
    let record = Record::parse(&text).unwrap();
    let action = services::action("ec2:RunInstances").unwrap();
    let on = |kind: &str| {
        let leg = crate::policy::call::legs(action).into_iter().find(|leg| leg.name() == kind).unwrap();
        let mut out = Values::default();
        Key::new("aws:RequestTag/team", action, Some(&leg)).tell(&Who::of(&record), &mut out)
    };
    assert_eq!((on("instance"), on("volume"), on("image")), (Told::Known, Told::Absent, Told::Absent));
}
