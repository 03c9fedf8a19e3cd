//! The action that a call is in policies: CloudTrail's service and event names differ from IAM's in many places.
//!
//! Sources: the Service Authorization Reference (prefixes, actions), the CloudTrail guide of each service.

use std::borrow::Cow;

/// Event source without `.amazonaws.com` → prefix of its actions, where they differ.
const PREFIXES: &[(&str, &str)] = &[
    ("application-insights", "applicationinsights"),
    ("bedrock-runtime", "bedrock"),
    ("bedrock-agent", "bedrock"),
    ("bedrock-agent-runtime", "bedrock"),
    ("cloudcontrolapi", "cloudformation"),
    ("data.iot", "iot"),
    ("dynamodbstreams", "dynamodb"),
    ("email", "ses"),
    ("entitlement.marketplace", "aws-marketplace"),
    ("iotdata", "iot"),
    ("metering-marketplace", "aws-marketplace"),
    ("metering.marketplace", "aws-marketplace"),
    ("models.lex", "lex"),
    ("monitoring", "cloudwatch"),
    ("pinpoint", "mobiletargeting"),
    ("runtime.lex", "lex"),
    ("runtime.sagemaker", "sagemaker"),
    ("servicecatalog-appregistry", "servicecatalog"),
    ("sesv2", "ses"),
    ("streams.dynamodb", "dynamodb"),
    ("tagging", "tag"),
];

/// Prefix, event name → the action, where they differ.
const NAMES: &[(&str, &str, &str)] = &[
    ("bedrock", "Converse", "InvokeModel"),
    ("bedrock", "ConverseStream", "InvokeModelWithResponseStream"),
    ("dynamodb", "TransactGetItems", "GetItem"),
    ("lambda", "Invoke", "InvokeFunction"),
    ("s3", "CompleteMultipartUpload", "PutObject"),
    ("s3", "CopyObject", "PutObject"),
    ("s3", "CreateMultipartUpload", "PutObject"),
    ("s3", "InitiateMultipartUpload", "PutObject"),
    ("s3", "DeleteBucketAnalyticsConfiguration", "PutAnalyticsConfiguration"),
    ("s3", "DeleteBucketCors", "PutBucketCORS"),
    ("s3", "DeleteBucketEncryption", "PutEncryptionConfiguration"),
    ("s3", "DeleteBucketIntelligentTieringConfiguration", "PutIntelligentTieringConfiguration"),
    ("s3", "DeleteBucketInventoryConfiguration", "PutInventoryConfiguration"),
    ("s3", "DeleteBucketLifecycle", "PutLifecycleConfiguration"),
    ("s3", "DeleteBucketMetricsConfiguration", "PutMetricsConfiguration"),
    ("s3", "DeleteBucketOwnershipControls", "PutBucketOwnershipControls"),
    ("s3", "DeleteBucketPublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("s3", "DeleteBucketReplication", "PutReplicationConfiguration"),
    ("s3", "DeleteBucketTagging", "PutBucketTagging"),
    ("s3", "DeleteObjects", "DeleteObject"),
    ("s3", "DeletePublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("s3", "GetBucketAccelerateConfiguration", "GetAccelerateConfiguration"),
    ("s3", "GetBucketAnalyticsConfiguration", "GetAnalyticsConfiguration"),
    ("s3", "GetBucketCors", "GetBucketCORS"),
    ("s3", "GetBucketEncryption", "GetEncryptionConfiguration"),
    ("s3", "GetBucketIntelligentTieringConfiguration", "GetIntelligentTieringConfiguration"),
    ("s3", "GetBucketInventoryConfiguration", "GetInventoryConfiguration"),
    ("s3", "GetBucketLifecycle", "GetLifecycleConfiguration"),
    ("s3", "GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
    ("s3", "GetBucketMetricsConfiguration", "GetMetricsConfiguration"),
    ("s3", "GetBucketNotificationConfiguration", "GetBucketNotification"),
    ("s3", "GetBucketReplication", "GetReplicationConfiguration"),
    ("s3", "GetObjectLockConfiguration", "GetBucketObjectLockConfiguration"),
    ("s3", "GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("s3", "HeadBucket", "ListBucket"),
    ("s3", "HeadObject", "GetObject"),
    ("s3", "ListBucketAnalyticsConfigurations", "GetAnalyticsConfiguration"),
    ("s3", "ListBucketIntelligentTieringConfigurations", "GetIntelligentTieringConfiguration"),
    ("s3", "ListBucketInventoryConfigurations", "GetInventoryConfiguration"),
    ("s3", "ListBucketMetricsConfigurations", "GetMetricsConfiguration"),
    ("s3", "ListBuckets", "ListAllMyBuckets"),
    ("s3", "ListMultipartUploads", "ListBucketMultipartUploads"),
    ("s3", "ListObjectVersions", "ListBucketVersions"),
    ("s3", "ListObjects", "ListBucket"),
    ("s3", "ListObjectsV2", "ListBucket"),
    ("s3", "ListParts", "ListMultipartUploadParts"),
    ("s3", "PostObject", "PutObject"),
    ("s3", "PutBucketAccelerateConfiguration", "PutAccelerateConfiguration"),
    ("s3", "PutBucketAnalyticsConfiguration", "PutAnalyticsConfiguration"),
    ("s3", "PutBucketCors", "PutBucketCORS"),
    ("s3", "PutBucketEncryption", "PutEncryptionConfiguration"),
    ("s3", "PutBucketIntelligentTieringConfiguration", "PutIntelligentTieringConfiguration"),
    ("s3", "PutBucketInventoryConfiguration", "PutInventoryConfiguration"),
    ("s3", "PutBucketLifecycle", "PutLifecycleConfiguration"),
    ("s3", "PutBucketLifecycleConfiguration", "PutLifecycleConfiguration"),
    ("s3", "PutBucketMetricsConfiguration", "PutMetricsConfiguration"),
    ("s3", "PutBucketNotificationConfiguration", "PutBucketNotification"),
    ("s3", "PutBucketReplication", "PutReplicationConfiguration"),
    ("s3", "PutObjectLockConfiguration", "PutBucketObjectLockConfiguration"),
    ("s3", "PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("s3", "SelectObjectContent", "GetObject"),
    ("s3", "UploadPart", "PutObject"),
    ("s3", "UploadPartCopy", "PutObject"),
];

/// Of API Gateway the actions are methods of HTTP.
const METHODS: &[(&str, &str)] = &[
    ("Get", "GET"),
    ("Create", "POST"),
    ("Delete", "DELETE"),
    ("Update", "PATCH"),
    ("Put", "PUT"),
    ("Flush", "DELETE"),
    ("TagResource", "PUT"),
    ("UntagResource", "DELETE"),
];

/// What of a call AWS asks beside its action, and is not judged: action → what is told where it was seen.
pub const LIMITS: &[(&str, &str, &str)] = &[
    (
        "s3",
        "CopyObject",
        "`CopyObject` is judged as `s3:PutObject` of what it writes; AWS asks `s3:GetObject` of its source too",
    ),
    ("s3", "UploadPartCopy", "`UploadPartCopy` is judged as `s3:PutObject`; AWS asks `s3:GetObject` of its source too"),
    ("s3", "DeleteObjects", "`DeleteObjects` is judged once; AWS asks `s3:DeleteObject` for each object in it"),
    (
        "dynamodb",
        "TransactGetItems",
        "`TransactGetItems` is judged as `dynamodb:GetItem`, whose tables its record may not tell",
    ),
    ("apigateway", "", "calls of API Gateway are judged as the HTTP method that their name stands for"),
    (
        "sts",
        "AssumeRole",
        "`AssumeRole` with tags or a source identity asks `sts:TagSession` and `sts:SetSourceIdentity` too, which are not judged",
    ),
];

/// The prefix of a service's actions.
#[must_use]
pub fn prefix(source: &str) -> &str {
    let name = source.strip_suffix(".amazonaws.com").or_else(|| source.strip_suffix(".amazonaws.com.cn"));
    let name = name.or_else(|| source.strip_suffix(".aws.internal")).unwrap_or(source);
    PREFIXES.iter().find(|(from, _)| *from == name).map_or(name, |(_, to)| to)
}

/// The action of a call, as policies name it; `None` where the call has none that is known.
#[must_use]
pub fn action(source: &str, event: &str) -> Option<String> {
    let prefix = prefix(source);
    let event = unversioned(prefix, event);
    if prefix == "apigateway" {
        let verb = METHODS.iter().rev().find(|(verb, _)| event.starts_with(verb));
        return verb.map(|(_, method)| format!("apigateway:{method}"));
    }
    if prefix == "kms" && event == "ReEncrypt" {
        // It is two actions on two keys, which one request cannot say.
        return None;
    }
    let named = NAMES.iter().find(|(of, from, _)| *of == prefix && *from == event).map(|(_, _, to)| Cow::Borrowed(*to));
    let name = named.unwrap_or(Cow::Borrowed(event));
    let sane = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    (sane(prefix) && sane(&name)).then(|| format!("{prefix}:{name}"))
}

/// What is told of calls of this name.
#[must_use]
pub fn limit(source: &str, event: &str) -> Option<&'static str> {
    let prefix = prefix(source);
    let event = unversioned(prefix, event);
    LIMITS.iter().find(|(of, name, _)| *of == prefix && (name.is_empty() || *name == event)).map(|(_, _, told)| *told)
}

/// `CreateFunction20150331v2` and `CreateDistribution2020_05_31` without the version of their API.
fn unversioned<'e>(prefix: &str, event: &'e str) -> &'e str {
    let digits = |text: &str| text.bytes().rev().take_while(u8::is_ascii_digit).count();
    let cut = |text: &'e str, n: usize| text.len().checked_sub(n).and_then(|at| text.get(..at)).unwrap_or(text);
    match prefix {
        "lambda" => {
            let stem =
                event.rsplit_once('v').filter(|(stem, n)| !n.is_empty() && digits(n) == n.len() && digits(stem) >= 8);
            let stem = stem.map_or(event, |(stem, _)| stem);
            if digits(stem) >= 8 { cut(stem, 8) } else { event }
        }
        "cloudfront" => {
            let tail = event.len().checked_sub(10).and_then(|at| event.get(at..)).unwrap_or_default();
            let dated =
                tail.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'_' } else { b.is_ascii_digit() });
            if dated && tail.len() == 10 { cut(event, 10) } else { event }
        }
        _ => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_the_actions_of_policies() {
        let cases = [
            ("monitoring.amazonaws.com", "PutMetricData", "cloudwatch:PutMetricData"),
            ("email.amazonaws.com", "SendEmail", "ses:SendEmail"),
            ("tagging.amazonaws.com", "GetResources", "tag:GetResources"),
            ("lambda.amazonaws.com", "CreateFunction20150331", "lambda:CreateFunction"),
            ("lambda.amazonaws.com", "UpdateFunctionCode20150331v2", "lambda:UpdateFunctionCode"),
            ("lambda.amazonaws.com", "TagResource20170331v2", "lambda:TagResource"),
            ("lambda.amazonaws.com", "Invoke", "lambda:InvokeFunction"),
            ("lambda.amazonaws.com", "GetAccountSettings20160819", "lambda:GetAccountSettings"),
            ("cloudfront.amazonaws.com", "CreateDistribution2020_05_31", "cloudfront:CreateDistribution"),
            ("cloudfront.amazonaws.com", "CreateInvalidation", "cloudfront:CreateInvalidation"),
            ("s3.amazonaws.com", "HeadObject", "s3:GetObject"),
            ("s3.amazonaws.com", "ListObjects", "s3:ListBucket"),
            ("s3.amazonaws.com", "GetObject", "s3:GetObject"),
            ("ec2.amazonaws.com", "RunInstances", "ec2:RunInstances"),
            ("apigateway.amazonaws.com", "CreateRestApi", "apigateway:POST"),
            ("apigateway.amazonaws.com", "UntagResource", "apigateway:DELETE"),
            ("sts.amazonaws.com.cn", "AssumeRole", "sts:AssumeRole"),
        ];
        for (source, event, expected) in cases {
            assert_eq!(action(source, event).as_deref(), Some(expected), "{source} {event}");
        }
        for (source, event) in [("kms.amazonaws.com", "ReEncrypt"), ("", "A"), ("s3.amazonaws.com", ""), ("a b", "C")] {
            assert_eq!(action(source, event), None, "{source} {event}");
        }
        assert!(limit("s3.amazonaws.com", "CopyObject").is_some() && limit("s3.amazonaws.com", "GetObject").is_none());
    }

    #[test]
    fn no_row_of_a_table_stands_twice() {
        for (at, (prefix, name, to)) in NAMES.iter().enumerate() {
            assert!(!NAMES.iter().skip(at + 1).any(|row| (row.0, row.1) == (*prefix, *name)), "{prefix} {name}");
            assert_ne!(name, to);
        }
        for (at, row) in PREFIXES.iter().enumerate() {
            assert!(!PREFIXES.iter().skip(at + 1).any(|other| other.0 == row.0), "{}", row.0);
        }
    }
}
