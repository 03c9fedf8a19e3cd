//! A thousand requests: mostly everyday calls that pass, and some that guardrails are there for.

use bylaw::policy::eval::{Action, Facts, Request};
use serde_json::{Map, Value, json};

/// One request, as data and ready to be decided.
pub struct Asked {
    pub action: Action,
    pub resource: String,
    pub facts: Facts,
    /// The condition keys: strings, or lists of them.
    pub keys: Map<String, Value>,
}

impl Asked {
    pub fn request(&self) -> Request<'_> {
        Request { action: &self.action, resource: Some(&self.resource), facts: &self.facts, caller: None }
    }
}

/// Actions with their resource, how often they come, and whether tags go with them.
const CALLS: [(&str, &str, usize, bool); 24] = [
    ("s3:GetObject", "arn:aws:s3:::data-lake/raw/2026/part-0.parquet", 14, false),
    ("s3:PutObject", "arn:aws:s3:::data-lake/raw/2026/part-0.parquet", 8, false),
    ("s3:ListBucket", "arn:aws:s3:::data-lake", 5, false),
    ("s3:PutBucketPolicy", "arn:aws:s3:::data-lake", 1, false),
    ("dynamodb:GetItem", "arn:aws:dynamodb:eu-west-1:111122223333:table/orders", 10, false),
    ("dynamodb:PutItem", "arn:aws:dynamodb:eu-west-1:111122223333:table/orders", 6, false),
    ("sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:orders", 6, false),
    ("sqs:ReceiveMessage", "arn:aws:sqs:eu-west-1:111122223333:orders", 6, false),
    ("kms:Decrypt", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", 8, false),
    ("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:111122223333:function:worker", 5, false),
    ("ec2:DescribeInstances", "*", 5, false),
    ("ec2:TerminateInstances", "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0", 2, false),
    ("ec2:CreateInternetGateway", "arn:aws:ec2:eu-west-1:111122223333:internet-gateway/igw-0123456789abcdef0", 1, true),
    ("iam:PassRole", "arn:aws:iam::111122223333:role/app/worker", 3, false),
    ("iam:CreateUser", "arn:aws:iam::111122223333:user/ana", 1, true),
    ("logs:PutLogEvents", "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/app:log-stream:a", 6, false),
    ("logs:DeleteLogGroup", "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/app", 1, false),
    ("sns:Publish", "arn:aws:sns:eu-west-1:111122223333:alerts", 3, false),
    ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-AbCdEf", 3, false),
    ("sagemaker:CreateEndpointConfig", "arn:aws:sagemaker:eu-west-1:111122223333:endpoint-config/prod-a", 1, true),
    ("sagemaker:DescribeEndpoint", "arn:aws:sagemaker:eu-west-1:111122223333:endpoint/prod-a", 2, false),
    ("cloudtrail:StopLogging", "arn:aws:cloudtrail:eu-west-1:111122223333:trail/org", 1, false),
    ("organizations:LeaveOrganization", "*", 1, false),
    ("rds:DeleteDBInstance", "arn:aws:rds:eu-west-1:111122223333:db:orders", 1, false),
];

/// A thousand of them, always the same.
pub fn requests() -> Vec<Asked> {
    let weighted: Vec<usize> =
        CALLS.iter().enumerate().flat_map(|(at, call)| std::iter::repeat_n(at, call.2)).collect();
    (0..1_000_usize)
        .map(|n| {
            // A step that shares no factor with the length goes through all of them.
            let (action, resource, _, tagged) = CALLS[weighted[n * 37 % weighted.len()]];
            let roles = [
                "app/worker",
                "platform-3",
                "deploy",
                "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Dev_0a1b",
            ];
            let region = if n % 23 == 0 { "ap-south-1" } else { ["eu-west-1", "eu-central-1", "us-east-1"][n % 3] };
            let mut keys = Map::new();
            let mut set = |key: &str, value: Value| keys.insert(key.to_owned(), value);
            set("aws:PrincipalArn", json!(format!("arn:aws:iam::111122223333:role/{}", roles[n / 3 % roles.len()])));
            set("aws:RequestedRegion", json!(region));
            set("aws:SecureTransport", json!(if n % 97 == 0 { "false" } else { "true" }));
            set("aws:PrincipalAccount", json!("111122223333"));
            set("aws:PrincipalOrgID", json!("o-a1b2c3d4e5"));
            set("aws:SourceIp", json!("10.1.2.3"));
            set("aws:ViaAWSService", json!("false"));
            set("aws:PrincipalIsAWSService", json!("false"));
            set("aws:CurrentTime", json!("2026-11-28T12:00:00Z"));
            if n % 5 == 0 {
                set("aws:PrincipalTag/team", json!("platform"));
            }
            if tagged && n % 2 == 0 {
                set("aws:RequestTag/CostCenter", json!("1234"));
                set("aws:TagKeys", json!(["CostCenter", if n % 4 == 0 { "Name" } else { "owner" }]));
            }
            let mut facts = Facts::complete();
            for (key, value) in &keys {
                match value {
                    Value::Array(values) => facts.set(key, values.iter().filter_map(Value::as_str)),
                    value => facts.set_one(key, value.as_str().unwrap_or_default()),
                }
            }
            let action = Action::parse(action).expect("an action has a service");
            Asked { action, resource: resource.to_owned(), facts, keys }
        })
        .collect()
}
