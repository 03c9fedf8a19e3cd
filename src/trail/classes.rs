//! What a record is: a call that policies bind, or one of the kinds that are counted and not judged, each with a reason.

use super::record::{Identity, Record};
use super::request::resource_of;

/// A kind of records that is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// CloudTrail Insights.
    Insight,
    /// Network activity of VPC endpoints.
    Network,
    /// Something that an AWS service did by itself.
    ServiceEvent,
    /// Sign-in, and what the console does without a call.
    SignIn,
    /// A call of an AWS service as itself.
    ByService,
    /// The second record of a call whose first is in the caller's account.
    Copy,
    /// A call of a service-linked role.
    ServiceLinkedRole,
    /// A caller that is no principal of an account: Identity Center users, anonymous ones, identity providers.
    NoPrincipal,
    /// A call of the management account.
    Management,
    /// Of accounts that are not in the organization.
    Foreign,
    /// A call that was refused already.
    DeniedAlready,
    /// A call that failed for another reason than that it was refused.
    FailedAlready,
    /// A call whose name is none that AWS could have.
    UnknownAction,
    /// Outside of `--since` and `--until`.
    OutOfTime,
}

/// All classes with their names in JSON and what is told of them.
pub const CLASSES: &[(Class, &str, &str)] = &[
    (Class::Insight, "insight", "CloudTrail Insights: figures about calls, no calls"),
    (
        Class::Network,
        "networkActivity",
        "network activity of VPC endpoints, which repeats calls that are recorded elsewhere",
    ),
    (Class::ServiceEvent, "serviceEvent", "things that AWS services did by themselves: no policy binds them"),
    (Class::SignIn, "signIn", "sign-ins and clicks of the console, which are no calls of an API"),
    (
        Class::ByService,
        "byService",
        "calls of AWS services as themselves, for which no policy that binds them changes: SCPs do not bind them, RCPs do",
    ),
    (
        Class::Copy,
        "copy",
        "second records of calls across accounts, in the resource's account, whose RCPs do not change for them; for SCPs the \
         record of the caller's account counts",
    ),
    (Class::ServiceLinkedRole, "serviceLinkedRole", "calls of service-linked roles: neither SCPs nor RCPs bind them"),
    (
        Class::NoPrincipal,
        "noPrincipal",
        "calls of no principal of an account (people of Identity Center, identity providers), for which no RCP changes; SCPs do \
         not bind them",
    ),
    (Class::Management, "managementAccount", "calls of the management account: SCPs do not bind it"),
    (Class::Foreign, "foreign", "calls of accounts that are not in the organization"),
    (Class::DeniedAlready, "deniedAlready", "calls that were denied when they were made, and are not newly allowed"),
    (
        Class::FailedAlready,
        "failedAlready",
        "calls that failed for another reason than a denial (throttled, not found, not valid)",
    ),
    (
        Class::UnknownAction,
        "unknownAction",
        "calls whose names are none of AWS's, so that no statement can be held against them",
    ),
    (Class::OutOfTime, "outOfTime", "calls outside of the time that was asked for"),
];

impl Class {
    /// How many there are.
    pub const COUNT: usize = CLASSES.len();

    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        CLASSES.iter().find(|(class, ..)| *class == self).map_or("", |(_, name, _)| name)
    }

    /// Whether RCPs may bind its calls all the same, since these bind resources, whoever calls.
    #[must_use]
    pub fn is_bound_by_resource(self) -> bool {
        matches!(self, Self::ByService | Self::Copy | Self::NoPrincipal)
    }

    /// What is told of it.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        CLASSES.iter().find(|(class, ..)| *class == self).map_or("", |(.., sentence)| sentence)
    }
}

/// Data planes that trails leave out unless they are told to record them: source, name, and what belongs to it.
pub const DATA_PLANES: &[(&str, &str, &[&str])] = &[
    (
        "s3.amazonaws.com",
        "objects of S3",
        &[
            "GetObject",
            "PutObject",
            "DeleteObject",
            "HeadObject",
            "CopyObject",
            "DeleteObjects",
            "UploadPart",
            "ListObjects",
        ],
    ),
    ("lambda.amazonaws.com", "invocations of Lambda functions", &["Invoke"]),
    (
        "dynamodb.amazonaws.com",
        "items of DynamoDB",
        &["GetItem", "PutItem", "Query", "Scan", "UpdateItem", "DeleteItem", "BatchGetItem", "BatchWriteItem"],
    ),
    ("sqs.amazonaws.com", "messages of SQS", &["SendMessage", "ReceiveMessage", "DeleteMessage", "SendMessageBatch"]),
    ("sns.amazonaws.com", "messages of SNS", &["Publish", "PublishBatch"]),
    ("kinesis.amazonaws.com", "records of Kinesis", &["PutRecord", "PutRecords", "GetRecords"]),
    (
        "sagemaker.amazonaws.com",
        "invocations of SageMaker endpoints",
        &["InvokeEndpoint", "InvokeEndpointAsync", "InvokeEndpointWithResponseStream"],
    ),
    ("bedrock.amazonaws.com", "agents and flows of Bedrock", &["InvokeAgent", "Retrieve", "InvokeFlow"]),
];

/// Which of [`DATA_PLANES`] a record is of.
#[must_use]
pub fn data_plane(record: &Record<'_>) -> Option<usize> {
    DATA_PLANES
        .iter()
        .position(|(source, _, names)| *source == &*record.event_source && names.contains(&&*record.event_name))
}

/// Sources of events that are no calls of an API.
const NO_API: &[&str] = &["signin.amazonaws.com", "sso-signin.amazonaws.com", "console.amazonaws.com"];
/// `eventType`, and the class that it makes.
const TYPES: &[(&str, Class)] = &[
    ("AwsCloudTrailInsight", Class::Insight),
    ("AwsVpceEvents", Class::Network),
    ("AwsServiceEvent", Class::ServiceEvent),
    ("AwsConsoleSignIn", Class::SignIn),
    ("AwsConsoleAction", Class::SignIn),
];
/// `userIdentity.type`s of callers that are no principal of an account.
const NO_PRINCIPAL: &[&str] = &["IdentityCenterUser", "SAMLUser", "WebIdentityUser", "Directory", "Unknown"];
/// How refusals are named, beside the names that hold `AccessDenied` or `Unauthorized`.
const REFUSALS: &[&str] = &[
    "AuthFailure",
    "NotAuthorized",
    "NotAuthorizedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "Forbidden",
    "ForbiddenException",
    "NoPermission",
];

/// Whether a call ended with this code because it was refused.
#[must_use]
pub fn is_refusal(code: &str) -> bool {
    code.contains("AccessDenied") || code.contains("Unauthorized") || REFUSALS.contains(&code)
}

/// Whether a role's ARN is of a service-linked role.
#[must_use]
pub fn is_service_linked(arn: &str) -> bool {
    resource_of(arn).starts_with("role/aws-service-role/")
}

/// The class that the record alone shows; `None` for a call that SCPs and RCPs may bind. A refused call may be newly allowed,
/// so that [`Class::DeniedAlready`] is said after judging; and so are the classes that RCPs may bind
/// ([`Class::is_bound_by_resource`]).
#[must_use]
pub fn class(record: &Record<'_>) -> Option<Class> {
    if &*record.event_category == "Insight" {
        return Some(Class::Insight);
    }
    if &*record.event_category == "NetworkActivity" {
        return Some(Class::Network);
    }
    if &*record.event_type != "AwsApiCall"
        && let Some((_, class)) = TYPES.iter().find(|(name, _)| *name == &*record.event_type)
    {
        return Some(*class);
    }
    if NO_API.contains(&&*record.event_source) {
        return Some(Class::SignIn);
    }
    let identity = &record.user_identity;
    if is_service_linked(&identity.session_context.session_issuer.arn) {
        return Some(Class::ServiceLinkedRole);
    }
    if !record.error_code.is_empty() && !is_refusal(&record.error_code) {
        return Some(Class::FailedAlready);
    }
    if is_service(identity) {
        return Some(Class::ByService);
    }
    if !record.shared_event_id.is_empty()
        && !identity.account_id.is_empty()
        && !record.recipient_account_id.is_empty()
        && *identity.account_id != *record.recipient_account_id
    {
        return Some(Class::Copy);
    }
    let nobody = NO_PRINCIPAL.contains(&&*identity.kind) || (identity.account_id.is_empty() && identity.arn.is_empty());
    nobody.then_some(Class::NoPrincipal)
}

/// Whether an AWS service calls as itself.
#[must_use]
pub fn is_service(identity: &Identity<'_>) -> bool {
    &*identity.kind == "AWSService"
        || (identity.kind.is_empty() && !identity.invoked_by.is_empty() && identity.arn.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_told_apart() {
        let cases = [
            (r#"{"eventCategory":"Insight"}"#, Some(Class::Insight)),
            (r#"{"eventType":"AwsVpceEvents"}"#, Some(Class::Network)),
            (r#"{"eventType":"AwsServiceEvent"}"#, Some(Class::ServiceEvent)),
            (r#"{"eventType":"AwsConsoleSignIn"}"#, Some(Class::SignIn)),
            (r#"{"eventSource":"signin.amazonaws.com","eventType":"AwsApiCall"}"#, Some(Class::SignIn)),
            (r#"{"userIdentity":{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}}"#, Some(Class::ByService)),
            (
                r#"{"userIdentity":{"type":"AssumedRole","accountId":"1","arn":"a","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::1:role/aws-service-role/x/y"}}}}"#,
                Some(Class::ServiceLinkedRole),
            ),
            (
                r#"{"sharedEventID":"x","recipientAccountId":"2","userIdentity":{"type":"AWSAccount","accountId":"1"}}"#,
                Some(Class::Copy),
            ),
            (
                r#"{"sharedEventID":"x","recipientAccountId":"1","userIdentity":{"type":"IAMUser","accountId":"1"}}"#,
                None,
            ),
            (r#"{"userIdentity":{"type":"WebIdentityUser"}}"#, Some(Class::NoPrincipal)),
            (r#"{}"#, Some(Class::NoPrincipal)),
            (r#"{"errorCode":"NoSuchKey","userIdentity":{"type":"AWSService"}}"#, Some(Class::FailedAlready)),
            (r#"{"errorCode":"AccessDenied","userIdentity":{"type":"AWSService"}}"#, Some(Class::ByService)),
            (
                r#"{"errorCode":"ThrottlingException","userIdentity":{"type":"Root","accountId":"1"}}"#,
                Some(Class::FailedAlready),
            ),
            (r#"{"errorCode":"Client.UnauthorizedOperation","userIdentity":{"type":"Root","accountId":"1"}}"#, None),
            (r#"{"errorCode":"AccessDenied","userIdentity":{"type":"Root","accountId":"1"}}"#, None),
            (
                r#"{"eventType":"AwsApiCall","userIdentity":{"type":"IAMUser","accountId":"1","invokedBy":"x.amazonaws.com"}}"#,
                None,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(class(&Record::parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn every_class_stands_in_the_table_at_its_place() {
        for (at, (class, name, sentence)) in CLASSES.iter().enumerate() {
            assert_eq!((*class as usize, class.name(), class.sentence()), (at, *name, *sentence));
        }
    }
}
