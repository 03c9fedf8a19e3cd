//! The messages in which AWS tells that something is denied.
//!
//! Forms: IAM user guide, "Troubleshoot access denied error messages". Services word them alike but not all in the same
//! way, and some name the policy by its ARN.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::trail::{actions, classes};

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
    pub kind: Option<String>,
    /// Whether a statement denied it, and not only nothing allowed it.
    pub explicit: Option<bool>,
    /// Id of the policy, where the message names it.
    pub policy: Option<String>,
    /// Region of the call, where an event tells it.
    pub region: Option<String>,
    /// AWS gave only a code that has to be decoded.
    pub encoded: bool,
}

impl Denial {
    /// Whether it is a policy of the organization that denied.
    #[must_use]
    pub fn is_of_organization(&self) -> Option<bool> {
        let kind = self.kind.as_deref()?.to_ascii_lowercase();
        Some(kind.contains("service control") || kind.contains("resource control"))
    }
}

fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

static WHO: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"(?:(?:[Uu]ser|[Pp]rincipal):? ?|^)(arn:[^\s,]+)"));
static WHAT: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?:perform|allows the|perform the)(?::| action:?)? ?([a-z][a-z0-9-]*:[A-Za-z0-9]+)"));
static WHERE: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r#"on (?:the )?resource:? ?"?([^\s",]+)"#));
static DENIED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"explicit deny in (?:an?|the) ([A-Za-z -]+?(?:policy|boundary|policies))(?:[:,]? ?(arn:\S+))?(?:[\s.,;]|$)",
    )
});
static NOT_ALLOWED: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"because no ([A-Za-z -]+?(?:policy|boundary)) allows"));
static POLICY_ID: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"\b(p-[0-9A-Za-z]{8,})\b"));

fn found(regex: &LazyLock<Option<Regex>>, text: &str, group: usize) -> Option<String> {
    let captures = regex.as_ref()?.captures(text)?;
    captures.get(group).map(|found| found.as_str().trim_end_matches(['.', ',', ';', ')']).to_owned())
}

/// Reads a message. Terminals and mails fold them over lines, and that is no matter.
#[must_use]
pub fn message(text: &str) -> Denial {
    let text = &*text.split_whitespace().collect::<Vec<_>>().join(" ");
    let explicit = found(&DENIED, text, 1);
    let implicit = found(&NOT_ALLOWED, text, 1);
    Denial {
        principal: found(&WHO, text, 1),
        action: found(&WHAT, text, 1),
        resource: found(&WHERE, text, 1),
        explicit: explicit.as_ref().map(|_| true).or_else(|| implicit.as_ref().map(|_| false)),
        kind: explicit.or(implicit),
        policy: found(&POLICY_ID, text, 1),
        region: None,
        encoded: text.contains("Encoded authorization failure message"),
    }
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
    denial.principal = issuer.or_else(|| text("/userIdentity/arn")).map(str::to_owned).or(denial.principal);
    // CloudTrail's names of services and calls are not always those of actions.
    denial.action = denial.action.or_else(|| actions::action(source, name));
    let mut resources = record.pointer("/resources").and_then(Value::as_array).into_iter().flatten();
    let named = resources.find_map(|resource| resource.get("ARN").and_then(Value::as_str));
    denial.resource = denial.resource.or_else(|| named.map(str::to_owned));
    denial.region = text("/awsRegion").filter(|region| !region.is_empty()).map(str::to_owned);
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
        for (text, (who, action, on, kind, explicit, policy)) in cases {
            let expected = Denial {
                principal: Some(who.to_owned()),
                action: Some(action.to_owned()),
                resource: on.map(str::to_owned),
                kind: Some(kind.to_owned()),
                explicit: Some(explicit),
                policy: policy.map(str::to_owned),
                region: None,
                encoded: false,
            };
            assert_eq!(message(text), expected);
        }
        let encoded = message(
            "You are not authorized to perform this operation. User: arn:aws:iam::777788889999:user/x is not authorized to perform: ec2:RunInstances. Encoded authorization failure message: abc",
        );
        assert!(encoded.encoded && encoded.action.as_deref() == Some("ec2:RunInstances") && encoded.kind.is_none());
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
        assert_eq!(denial.kind.as_deref(), Some("service control policy"));
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
}
