//! The messages in which AWS tells that something is denied.
//!
//! Forms: IAM user guide, "Troubleshoot access denied error messages". Services word them alike but not all in the same
//! way, and some name the policy by its ARN.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::policy::eval::Layer;
use crate::policy::services;
use crate::trail::asked::{self, Told};
use crate::trail::{actions, classes};

/// A kind of policies as AWS names it in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SCPs.
    ServiceControl,
    /// RCPs.
    ResourceControl,
    /// Of the identity.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// Of the session.
    Session,
    /// Of the resource.
    Resource,
    /// Of the VPC endpoint.
    Endpoint,
    /// The trust policy of a role.
    Trust,
}

/// How messages word kinds, in lower case; and how that is said with an article.
const KINDS: &[(&str, Kind, &str)] = &[
    ("service control policy", Kind::ServiceControl, "a service control policy"),
    ("resource control policy", Kind::ResourceControl, "a resource control policy"),
    ("identity-based policy", Kind::Identity, "an identity-based policy"),
    ("permissions boundary", Kind::Boundary, "a permissions boundary"),
    ("session policy", Kind::Session, "a session policy"),
    ("resource-based policy", Kind::Resource, "a resource-based policy"),
    ("vpc endpoint policy", Kind::Endpoint, "a VPC endpoint policy"),
    ("role trust policy", Kind::Trust, "a role trust policy"),
];

impl Kind {
    /// The kind of these words of a message.
    fn of(words: &str) -> Option<Self> {
        let lower = words.to_ascii_lowercase();
        let lower = lower.strip_suffix("policies").map_or(lower.clone(), |stem| format!("{stem}policy"));
        KINDS.iter().find(|(known, ..)| *known == lower).map(|(_, kind, _)| *kind)
    }

    /// With its article.
    #[must_use]
    pub fn noun(self) -> &'static str {
        KINDS.iter().find(|(_, kind, _)| *kind == self).map_or("", |(.., noun)| noun)
    }

    /// The layer of the organization's policies that it is; `None`: it is not of the organization.
    #[must_use]
    pub fn layer(self) -> Option<Layer> {
        match self {
            Self::ServiceControl => Some(Layer::ServiceControl),
            Self::ResourceControl => Some(Layer::ResourceControl),
            _ => None,
        }
    }
}

/// What a message tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denial {
    /// ARN of who was denied.
    pub principal: Option<String>,
    /// What.
    pub action: Option<String>,
    /// On which resource.
    pub resource: Option<String>,
    /// By which kind of policy, as the message words it (`service control policy`).
    pub said: Option<String>,
    /// The same, where it is a kind that AWS documents.
    pub kind: Option<Kind>,
    /// Whether a statement denied it, and not only nothing allowed it.
    pub explicit: Option<bool>,
    /// The policy that denied it, where the message names it: the id of one of the organization, else its ARN.
    pub policy: Option<String>,
    /// The `Sid`s of the statements that denied it, where AWS names these.
    pub statements: Vec<String>,
    /// The operation that was called, where only that is told (`GetObject`).
    pub operation: Option<String>,
    /// Region of the call, where an event tells it.
    pub region: Option<String>,
    /// What else an event tells of the request.
    pub told: Told,
    /// AWS gave only a code that has to be decoded.
    pub encoded: bool,
}

fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

static WHO: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"(?:(?:[Uu]ser|[Pp]rincipal):? ?|^)[`'"]?(arn:[^\s,`'"]+|anonymous\b)"#));
static WHAT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r#"(?:perform|allows the|perform the)(?::| action:?)? ?[`'"]?([A-Za-z][A-Za-z0-9-]*:[A-Za-z0-9]+)"#)
});
/// SES has quotes of its own; some services list several, of which the first stands for them.
static WHERE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"on (?:the )?resources?:? ?\[?[`'"]?(arn:[^\s"'`,\]]+|\*)"#));
/// What services mask of an ARN.
static MASKED: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r":\*{8}[0-9]{4}:"));
/// How IAM names resources: `on resource: user bob`, also with a path or an ARN.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"on (?:the )?resource:? ?"?(user|role|group|policy|instance[ -]profile|mfa|server[ -]certificate|saml-provider|oidc-provider)s? (?:path )?([\w+=,.@:/-]+)"#,
    )
});
static DENIED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"explicit deny in (?:an?|the) ([A-Za-z -]+?(?:policy|boundary|policies))(?:[:,]? ?(?:with ARN:? ?)?(arn:\S+))?(?:[\s.,;]|$)",
    )
});
static NOT_ALLOWED: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"because no ([A-Za-z -]+?(?:policy|boundary)) allows"));
static POLICY_ID: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"\b(p-[0-9A-Za-z]{8,})\b"));
static OPERATION: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"calling the ([A-Za-z0-9]+) operation"));

/// The resource, where the message names it. Of an account that API Gateway masks that of who was denied stands, where its end is the same.
fn resource(text: &str, principal: Option<&str>) -> Option<String> {
    if let Some(named) = named(text, principal) {
        return Some(named);
    }
    let arn = found(&WHERE, text, 1)?;
    let Some(masked) = MASKED.as_ref().and_then(|regex| regex.find(&arn)) else { return Some(arn) };
    let account = principal.and_then(|principal| principal.split(':').nth(4))?;
    let end = masked.as_str().trim_matches([':', '*']);
    account.ends_with(end).then(|| arn.replacen(masked.as_str(), &format!(":{account}:"), 1))
}

fn found(regex: &LazyLock<Option<Regex>>, text: &str, group: usize) -> Option<String> {
    let captures = regex.as_ref()?.captures(text)?;
    captures.get(group).map(|found| found.as_str().trim_end_matches(['.', ',', ';', ')', '"', '\'']).to_owned())
}

/// An action as AWS's reference spells it: SNS writes its own in upper case, and others all in lower case.
fn spelled(action: &str) -> String {
    services::action(action).map_or_else(|| action.to_owned(), |known| known.to_string())
}

/// The ARN of a resource that IAM names by its kind and name, in the account of who was denied.
fn named(text: &str, principal: Option<&str>) -> Option<String> {
    let (kind, name) = (found(&NAMED, text, 1)?, found(&NAMED, text, 2)?);
    if name.starts_with("arn:") {
        return Some(name);
    }
    let mut parts = principal?.split(':').skip(1);
    let (partition, account) = (parts.next()?, parts.nth(2)?);
    let (kind, name) = (kind.replace(' ', "-"), name.trim_start_matches('/'));
    Some(format!("arn:{partition}:iam::{account}:{kind}/{name}"))
}

/// The message in an answer that is XML, as S3's are, without its escapes; any other text as it is.
fn plain_text(text: &str) -> Cow<'_, str> {
    let inside = |text: &str| Some(text.split_once("<Message>")?.1.split_once("</Message>")?.0.to_owned());
    let Some(inner) = inside(text) else { return Cow::Borrowed(text) };
    let unescaped = inner.replace("&quot;", "\"").replace("&apos;", "'").replace("&lt;", "<").replace("&gt;", ">");
    Cow::Owned(unescaped.replace("&amp;", "&"))
}

/// Whether it is the answer to a `HEAD` of S3, which has no body: `HeadObject` and `HeadBucket` are operations of no other service.
fn is_bare_head(text: &str) -> bool {
    let operation = found(&OPERATION, text, 1);
    text.ends_with("Forbidden") && operation.is_some_and(|name| matches!(&*name, "HeadObject" | "HeadBucket"))
}

/// Reads a message. Terminals and mails fold them over lines, and that is no matter.
#[must_use]
pub fn message(text: &str) -> Denial {
    let text = &*plain_text(text);
    let text = &*text.split_whitespace().collect::<Vec<_>>().join(" ");
    let explicit = found(&DENIED, text, 1);
    let implicit = found(&NOT_ALLOWED, text, 1);
    let principal = found(&WHO, text, 1);
    let said = explicit.clone().or_else(|| implicit.clone());
    let operation = found(&OPERATION, text, 1);
    // Only S3 says no more than this.
    let of_s3 = operation.as_deref().filter(|_| text.ends_with("Access Denied") || is_bare_head(text));
    Denial {
        action: found(&WHAT, text, 1)
            .map(|action| spelled(&action))
            .or_else(|| actions::action("s3.amazonaws.com", of_s3?)),
        resource: resource(text, principal.as_deref()),
        principal,
        explicit: explicit.as_ref().map(|_| true).or_else(|| implicit.as_ref().map(|_| false)),
        kind: said.as_deref().and_then(Kind::of),
        said,
        policy: found(&POLICY_ID, text, 1).or_else(|| found(&DENIED, text, 2)),
        statements: vec![],
        operation,
        region: None,
        told: Told::default(),
        encoded: text.contains("Encoded authorization failure message"),
    }
}

/// The names under which answers of services hold their messages.
const MESSAGES: &[&str] = &["message", "Message", "errorMessage", "Error", "error"];

/// The message in the body of an answer (`{"__type": …, "message": …}`), as SDKs and logs keep it.
#[must_use]
pub fn in_body(body: &Value) -> Option<&str> {
    MESSAGES.iter().find_map(|name| match body.get(name)? {
        Value::String(text) => Some(text.as_str()),
        inner @ Value::Object(_) => in_body(inner),
        _ => None,
    })
}

/// Reads what `DecodeAuthorizationMessage` of STS gives for the code in a message, with or without the answer around it;
/// `None`: it is something else.
///
/// # Errors
/// It tells of no denial; why.
///
/// Form: STS API reference, "DecodeAuthorizationMessage".
pub fn decoded(answer: &Value) -> Option<Result<Denial, &'static str>> {
    if let Some(inner) = answer.get("DecodedMessage") {
        let inner: Option<Value> = inner.as_str().and_then(|text| serde_json::from_str(text).ok());
        return Some(
            inner.as_ref().and_then(decoded).unwrap_or(Err("its `DecodedMessage` is no decoded message of STS")),
        );
    }
    let allowed = answer.get("allowed")?.as_bool()?;
    let context = answer.get("context").filter(|context| context.is_object())?;
    if allowed {
        return Some(Err("the call that it tells of was allowed"));
    }
    let text = |path: &str| context.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let values = |of: &Value| -> Vec<String> {
        items(of.get("values")).filter_map(|value| value.get("value")?.as_str().map(str::to_owned)).collect()
    };
    let fact = |condition: &Value| Some((condition.get("key")?.as_str()?.to_owned(), values(condition)));
    let facts: Vec<(String, Vec<String>)> =
        items(context.get("conditions")).filter_map(fact).filter(|(_, values)| !values.is_empty()).collect();
    let region = facts.iter().find(|(key, _)| key == "aws:RequestedRegion" || key == "ec2:Region");
    let matched = items(answer.get("matchedStatements"));
    let denies = |statement: &&Value| {
        statement.get("effect").and_then(Value::as_str).is_none_or(|effect| effect.eq_ignore_ascii_case("deny"))
    };
    let sid =
        |statement: &Value| statement.get("statementId")?.as_str().filter(|sid| !sid.is_empty()).map(str::to_owned);
    Some(Ok(Denial {
        principal: text("/principal/arn"),
        action: text("/action"),
        resource: text("/resource"),
        explicit: answer.get("explicitDeny").and_then(Value::as_bool),
        statements: matched.filter(denies).filter_map(sid).collect(),
        region: region.and_then(|(_, values)| values.first()).cloned(),
        told: Told { facts, ..Told::default() },
        ..Denial::default()
    }))
}

/// The members of a list as a decoded message writes one (`{"items": [...]}`).
fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(|list| list.get("items")).and_then(Value::as_array).into_iter().flatten()
}

/// Reads a CloudTrail record of a call that was denied. What its message does not tell, its fields do.
///
/// # Errors
/// It is no such record; why.
pub fn event(record: &Value) -> Result<Denial, &'static str> {
    let text = |path: &str| record.pointer(path).and_then(Value::as_str);
    let (Some(source), Some(name)) = (text("/eventSource"), text("/eventName")) else {
        return Err("it has no `eventSource` and `eventName`, so it is no CloudTrail event");
    };
    let code = text("/errorCode").ok_or("the call that it records did not fail")?;
    if !classes::is_refusal(code) {
        return Err("the call that it records failed for another reason than a missing permission");
    }
    let mut denial = message(text("/errorMessage").unwrap_or_default());
    // Only the ARN of the role itself has its path. Of a federated user the issuer is the user that asked for the session.
    let issuer = text("/userIdentity/sessionContext/sessionIssuer/arn")
        .filter(|_| text("/userIdentity/type").is_none_or(|kind| kind == "AssumedRole"));
    // Who has no ARN is known by the identity provider that vouches for it, or by the service that it is.
    let other = match text("/userIdentity/type") {
        Some("WebIdentityUser" | "SAMLUser") => text("/userIdentity/identityProvider"),
        Some("AWSService") => text("/userIdentity/invokedBy"),
        _ => None,
    };
    let told = issuer.or_else(|| text("/userIdentity/arn")).or(other);
    denial.principal = told.map(str::to_owned).or(denial.principal);
    // The same reading as that of recorded calls in bulk: the action by what the call holds, its resource, its keys.
    let told = asked::tell(&record.to_string(), denial.action.as_deref());
    denial.action = denial.action.or_else(|| told.action.clone()).or_else(|| actions::action(source, name));
    denial.resource = denial.resource.or_else(|| told.resource.clone());
    let mut resources = record.pointer("/resources").and_then(Value::as_array).into_iter().flatten();
    let named = resources.find_map(|resource| resource.get("ARN").and_then(Value::as_str));
    denial.resource = denial.resource.or_else(|| named.map(str::to_owned));
    denial.region = text("/awsRegion").filter(|region| !region.is_empty()).map(str::to_owned);
    denial.told = told;
    Ok(denial)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_in_the_forms_that_aws_has() {
        let cases = [
            (
                "User: arn:aws:iam::777788889999:user/JohnDoe is not authorized to perform: codecommit:ListRepositories because no service control policy allows the codecommit:ListRepositories action",
                (
                    "arn:aws:iam::777788889999:user/JohnDoe",
                    "codecommit:ListRepositories",
                    None,
                    "service control policy",
                    false,
                    None,
                ),
            ),
            (
                "An error occurred (AccessDeniedException) when calling the CreateEndpoint operation: User: arn:aws:sts::111122223333:assumed-role/dev/ana is not authorized to perform: sagemaker:CreateEndpoint on resource: arn:aws:sagemaker:eu-west-1:111122223333:endpoint/x with an explicit deny in a service control policy",
                (
                    "arn:aws:sts::111122223333:assumed-role/dev/ana",
                    "sagemaker:CreateEndpoint",
                    Some("arn:aws:sagemaker:eu-west-1:111122223333:endpoint/x"),
                    "service control policy",
                    true,
                    None,
                ),
            ),
            (
                "User: arn:aws:sts::111122223333:assumed-role/dev/ana is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::b/k\" with an explicit deny in a resource control policy: arn:aws:organizations::111122223333:policy/o-aaaaaaaaaa/resource_control_policy/p-12345678.",
                (
                    "arn:aws:sts::111122223333:assumed-role/dev/ana",
                    "s3:GetObject",
                    Some("arn:aws:s3:::b/k"),
                    "resource control policy",
                    true,
                    Some("p-12345678"),
                ),
            ),
            (
                "User: arn:aws:iam::777788889999:user/x is not authorized to perform: logs:PutLogEvents on resource: arn:aws:logs:eu-west-1:777788889999:log-group:/a:* because no identity-based policy allows the logs:PutLogEvents action",
                (
                    "arn:aws:iam::777788889999:user/x",
                    "logs:PutLogEvents",
                    Some("arn:aws:logs:eu-west-1:777788889999:log-group:/a:*"),
                    "identity-based policy",
                    false,
                    None,
                ),
            ),
        ];
        for (text, (who, action, on, said, explicit, policy)) in cases {
            let denial = message(text);
            let told = (denial.principal.as_deref(), denial.action.as_deref(), denial.resource.as_deref());
            assert_eq!(told, (Some(who), Some(action), on), "{text}");
            let by = (denial.said.as_deref(), denial.explicit, denial.policy.as_deref());
            assert_eq!(by, (Some(said), Some(explicit), policy), "{text}");
        }
        let encoded = message(
            "You are not authorized to perform this operation. User: arn:aws:iam::777788889999:user/x is not authorized to perform: ec2:RunInstances. Encoded authorization failure message: abc",
        );
        assert!(encoded.encoded && encoded.action.as_deref() == Some("ec2:RunInstances") && encoded.said.is_none());
        assert_eq!(message("nonsense \u{1b}[31m"), Denial::default());
    }

    #[test]
    fn events_tell_what_their_messages_do_not() {
        let record = json!({"eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "errorCode": "Client.UnauthorizedOperation",
            "errorMessage": "You are not authorized to perform this operation. Encoded authorization failure message: abc",
            "userIdentity": {"arn": "arn:aws:sts::111122223333:assumed-role/dev/ana"}});
        let denial = event(&record).unwrap();
        assert_eq!(denial.action.as_deref(), Some("ec2:RunInstances"));
        assert_eq!(denial.principal.as_deref(), Some("arn:aws:sts::111122223333:assumed-role/dev/ana"));
        assert!(denial.encoded);
        assert!(event(&json!({"eventSource": "ec2.amazonaws.com", "eventName": "RunInstances"})).is_err());
        assert!(event(&json!({"a": 1})).is_err());
        assert!(event(&json!({"eventSource": "a", "eventName": "b", "errorCode": "ThrottlingException"})).is_err());
    }

    #[test]
    fn a_message_that_a_terminal_folded_is_read_as_a_whole() {
        let text = "User:\n  arn:aws:sts::111122223333:assumed-role/dev/ana is not\r\nauthorized to perform: s3:GetObject\n  on\n  resource: arn:aws:s3:::b/k with an explicit\n  deny in a service control\n  policy";
        let denial = message(text);
        assert_eq!(denial.principal.as_deref(), Some("arn:aws:sts::111122223333:assumed-role/dev/ana"));
        assert_eq!(denial.resource.as_deref(), Some("arn:aws:s3:::b/k"));
        assert_eq!(denial.kind, Some(Kind::ServiceControl));
        let begun_later =
            message("arn:aws:iam::111122223333:user/ana is not authorized to perform: s3:GetObject on resource: x");
        assert_eq!(begun_later.principal.as_deref(), Some("arn:aws:iam::111122223333:user/ana"));
    }

    #[test]
    fn the_call_of_an_event_is_asked_for_as_the_action_that_policies_name() {
        let of = |source: &str, name: &str| {
            let record = json!({"eventSource": source, "eventName": name, "errorCode": "AccessDenied",
                "awsRegion": "eu-west-1", "resources": [{"ARNPrefix": "arn:aws:s3:::b/"}, {"ARN": "arn:aws:s3:::b"}]});
            event(&record).unwrap()
        };
        assert_eq!(of("s3.amazonaws.com", "ListObjects").action.as_deref(), Some("s3:ListBucket"));
        assert_eq!(of("monitoring.amazonaws.com", "PutMetricData").action.as_deref(), Some("cloudwatch:PutMetricData"));
        let lambda = of("lambda.amazonaws.com", "CreateFunction20150331");
        assert_eq!(lambda.action.as_deref(), Some("lambda:CreateFunction"));
        assert_eq!(lambda.resource.as_deref(), Some("arn:aws:s3:::b"));
        assert_eq!(lambda.region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn a_federated_user_is_not_taken_for_the_user_that_asked_for_its_session() {
        let record = json!({"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "errorCode": "AccessDenied",
            "userIdentity": {"type": "FederatedUser", "arn": "arn:aws:sts::111122223333:federated-user/bob",
                "sessionContext": {"sessionIssuer": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ana"}}}});
        assert_eq!(event(&record).unwrap().principal.as_deref(), Some("arn:aws:sts::111122223333:federated-user/bob"));
    }

    #[test]
    fn every_kind_of_policy_that_aws_names_is_told_apart_and_by_what_was_denied() {
        let start = "User: arn:aws:iam::111122223333:user/ana is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::b/k\"";
        for (words, kind, noun) in KINDS {
            let denied = message(&format!("{start} with an explicit deny in {noun}"));
            assert_eq!((denied.kind, denied.explicit), (Some(*kind), Some(true)), "{words}");
            let silent = message(&format!("{start} because no {words} allows the s3:GetObject action"));
            assert_eq!((silent.kind, silent.explicit), (Some(*kind), Some(false)), "{words}");
            // The newer form names the policy.
            let arn = "arn:aws:iam::111122223333:policy/Guard";
            let named = message(&format!("{start} with an explicit deny in {noun}: {arn}"));
            assert_eq!((named.kind, named.policy.as_deref()), (Some(*kind), Some(arn)), "{words}");
            assert_eq!(kind.layer().is_some(), words.contains("control"), "{words}");
        }
        let id = "arn:aws:organizations::111122223333:policy/o-aaaaaaaaaa/service_control_policy/p-12345678";
        let of_ours = message(&format!("{start} with an explicit deny in a service control policy: {id}"));
        assert_eq!(of_ours.policy.as_deref(), Some("p-12345678"));
        assert_eq!(message(start).kind, None);
    }

    #[test]
    fn a_resource_that_iam_names_by_kind_and_name_has_its_arn() {
        let of = |named: &str| {
            let text = format!(
                "User: arn:aws-us-gov:sts::111122223333:assumed-role/dev/ana is not authorized to perform: iam:GetUser on resource: {named} because no identity-based policy allows the iam:GetUser action"
            );
            message(&text).resource.unwrap()
        };
        assert_eq!(of("user bob"), "arn:aws-us-gov:iam::111122223333:user/bob");
        assert_eq!(of("role /team/app"), "arn:aws-us-gov:iam::111122223333:role/team/app");
        assert_eq!(of("instance profile web"), "arn:aws-us-gov:iam::111122223333:instance-profile/web");
        assert_eq!(of("policy arn:aws:iam::aws:policy/A"), "arn:aws:iam::aws:policy/A");
        assert_eq!(of("arn:aws:iam::111122223333:user/bob"), "arn:aws:iam::111122223333:user/bob");
    }

    #[test]
    fn the_forms_in_which_services_word_a_denial_are_all_read() {
        let who = "arn:aws:sts::222222222222:assumed-role/dev/ana";
        let read = |text: &str| {
            let denial = message(text);
            (
                denial.principal.unwrap_or_default(),
                denial.action.unwrap_or_default(),
                denial.resource.unwrap_or_default(),
            )
        };
        let expected = |action: &str, resource: &str| (who.to_owned(), action.to_owned(), resource.to_owned());
        let end = "with an explicit deny in a service control policy";
        let user = format!("User: {who} is not authorized to perform:");
        // KMS does not say which key it is.
        let kms = format!(
            "{user} kms:Decrypt on the resource associated with this ciphertext because no identity-based policy allows the kms:Decrypt action"
        );
        assert_eq!(read(&kms), expected("kms:Decrypt", ""));
        let topic = "arn:aws:sns:eu-west-1:222222222222:t";
        assert_eq!(read(&format!("{user} SNS:Publish on resource: {topic} {end}")), expected("sns:Publish", topic));
        let queue = "arn:aws:sqs:eu-west-1:222222222222:q";
        assert_eq!(
            read(&format!("{user} sqs:sendmessage on resource: {queue} {end}")),
            expected("sqs:SendMessage", queue)
        );
        let identity = "arn:aws:ses:eu-west-1:222222222222:identity/x.com";
        let ses = format!("User `{who}' is not authorized to perform `ses:SendEmail' on resource `{identity}'");
        assert_eq!(read(&ses), expected("ses:SendEmail", identity));
        let (a, b) =
            ("arn:aws:ssm:eu-west-1:222222222222:parameter/a", "arn:aws:ssm:eu-west-1:222222222222:parameter/b");
        let several = format!("{user} ssm:GetParameters on resources: [{a}, {b}] {end}");
        assert_eq!(read(&several), expected("ssm:GetParameters", a));
        let masked = |account: &str| {
            format!(
                "{user} execute-api:Invoke on resource: arn:aws:execute-api:eu-west-1:{account}:abc/prod/GET/x {end}"
            )
        };
        let api = "arn:aws:execute-api:eu-west-1:222222222222:abc/prod/GET/x";
        assert_eq!(read(&masked("********2222")), expected("execute-api:Invoke", api));
        // Of another account it is not known.
        assert_eq!(read(&masked("********3333")), expected("execute-api:Invoke", ""));
        let anonymous =
            "User: anonymous is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::b/k\" because";
        assert_eq!(read(anonymous), ("anonymous".to_owned(), "s3:GetObject".to_owned(), "arn:aws:s3:::b/k".to_owned()));
        let all = read(&format!("{user} ec2:DescribeInstances on resource: * {end}"));
        assert_eq!(all, expected("ec2:DescribeInstances", "*"));
    }

    #[test]
    fn an_answer_to_a_head_of_s3_tells_the_action_by_its_operation() {
        let bare = message("An error occurred (403) when calling the HeadObject operation: Forbidden");
        assert_eq!(bare.action.as_deref(), Some("s3:GetObject"));
        let other = message("An error occurred (403) when calling the GetThing operation: Forbidden");
        assert_eq!(other.action, None);
    }

    #[test]
    fn the_bare_message_of_s3_tells_the_action_by_its_operation() {
        let bare = message("An error occurred (AccessDenied) when calling the ListObjectsV2 operation: Access Denied");
        assert_eq!((bare.action.as_deref(), bare.principal), (Some("s3:ListBucket"), None));
        let other = message("An error occurred (AccessDeniedException) when calling the GetThing operation: no");
        assert_eq!((other.action, other.operation.as_deref()), (None, Some("GetThing")));
    }

    #[test]
    fn the_message_of_an_answer_in_xml_is_read_without_its_escapes() {
        let body = "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::111122223333:user/ana is not authorized to \
            perform: s3:GetObject on resource: &quot;arn:aws:s3:::b/k&quot; with an explicit deny in a resource control policy</Message>\
            <RequestId>X</RequestId></Error>";
        let denial = message(body);
        assert_eq!((denial.resource.as_deref(), denial.kind), (Some("arn:aws:s3:::b/k"), Some(Kind::ResourceControl)));
    }

    /// The example of the STS API reference, of a role's session.
    fn decoded_message(explicit: bool, sid: &str) -> Value {
        json!({"allowed": false, "explicitDeny": explicit,
            "matchedStatements": {"items": [{"statementId": sid, "effect": "DENY", "principals": {"items": [{"value": "AROAEXAMPLE"}]},
                "actions": {"items": [{"value": "ec2:*"}]}, "resources": {"items": [{"value": "*"}]}, "conditions": {"items": []}}]},
            "failures": {"items": []},
            "context": {"principal": {"id": "AROAEXAMPLE:ana", "arn": "arn:aws:sts::111122223333:assumed-role/dev/ana"},
                "action": "ec2:RunInstances", "resource": "arn:aws:ec2:eu-west-1:111122223333:instance/*",
                "conditions": {"items": [
                    {"key": "ec2:InstanceType", "values": {"items": [{"value": "m5.large"}]}},
                    {"key": "ec2:Region", "values": {"items": [{"value": "eu-west-1"}]}},
                    {"key": "aws:nothing", "values": {"items": []}}]}}})
    }

    #[test]
    fn a_decoded_authorization_message_tells_who_what_where_and_which_statement() {
        let inner = decoded_message(true, "Types");
        let answers = [inner.clone(), json!({"DecodedMessage": inner.to_string()})];
        for answer in answers {
            let denial = decoded(&answer).unwrap().unwrap();
            assert_eq!(denial.principal.as_deref(), Some("arn:aws:sts::111122223333:assumed-role/dev/ana"));
            assert_eq!(denial.action.as_deref(), Some("ec2:RunInstances"));
            assert_eq!(denial.resource.as_deref(), Some("arn:aws:ec2:eu-west-1:111122223333:instance/*"));
            assert_eq!((denial.explicit, denial.kind, denial.region.as_deref()), (Some(true), None, Some("eu-west-1")));
            assert_eq!(denial.statements, ["Types"]);
            assert!(denial.told.facts.contains(&("ec2:InstanceType".to_owned(), vec!["m5.large".to_owned()])));
            assert_eq!(denial.told.facts.len(), 2);
        }
        let silent = decoded(&decoded_message(false, "")).unwrap().unwrap();
        assert!(silent.explicit == Some(false) && silent.statements.is_empty());
    }

    #[test]
    fn what_is_no_decoded_denial_is_not_taken_for_one() {
        assert!(decoded(&json!({"eventSource": "s3.amazonaws.com"})).is_none());
        assert!(decoded(&json!({"allowed": "no", "context": {}})).is_none());
        assert!(decoded(&json!({"allowed": true, "context": {}})).unwrap().is_err());
        assert!(decoded(&json!({"DecodedMessage": "abc"})).unwrap().is_err());
        assert!(decoded(&json!({"DecodedMessage": 1})).unwrap().is_err());
    }

    #[test]
    fn the_bodies_of_answers_hold_messages() {
        for (body, expected) in [
            (json!({"__type": "AccessDeniedException", "message": "no"}), Some("no")),
            (json!({"Message": "no"}), Some("no")),
            (json!({"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {}}), Some("no")),
            (json!({"error": {"message": "no"}}), Some("no")),
            (json!({"a": 1}), None),
        ] {
            assert_eq!(in_body(&body), expected, "{body}");
        }
    }

    #[test]
    fn an_event_tells_version_tags_and_keys() {
        let record = json!({"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "errorCode": "AccessDenied", "awsRegion": "eu-west-1",
            "requestParameters": {"bucketName": "b", "key": "k", "versionId": "v"}, "tlsDetails": {"tlsVersion": "TLSv1.2"},
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ana", "accountId": "111122223333"}});
        let denial = event(&record).unwrap();
        assert_eq!(denial.action.as_deref(), Some("s3:GetObjectVersion"));
        assert_eq!(denial.resource.as_deref(), Some("arn:aws:s3:::b/k"));
        let fact = |key: &str| {
            denial.told.facts.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, values)| values.clone())
        };
        assert_eq!(fact("s3:TlsVersion"), Some(vec!["1.2".to_owned()]));
        assert_eq!(fact("s3:versionid"), Some(vec!["v".to_owned()]));
        assert_eq!(fact("aws:SourceVpc"), None);
        let tagged = json!({"eventSource": "ec2.amazonaws.com", "eventName": "CreateSubnet", "errorCode": "Client.UnauthorizedOperation",
            "requestParameters": {"vpcId": "vpc-1", "tagSpecificationSet": {"items": [{"resourceType": "subnet", "tags": [{"key": "Owner", "value": "ana"}]}]}},
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ana", "accountId": "111122223333"}});
        let told = event(&tagged).unwrap().told;
        assert!(told.facts.contains(&("aws:RequestTag/Owner".to_owned(), vec!["ana".to_owned()])), "{told:?}");
    }
}
