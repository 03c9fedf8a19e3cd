//! The actions that a call asks for, as policies name them: CloudTrail's names of services and calls differ from IAM's in many
//! places, and some calls ask for one action or another by what stands in them, or for several.
//!
//! Sources: the Service Authorization Reference (prefixes, actions), the CloudTrail guide of each service.

use super::request::Who;
use super::{keys, resources, walk};
use crate::policy::call;
use crate::policy::eval::{self, Truth};
use crate::policy::services::{self, Action};

use crate::policy::services::calls::{CONSOLES, METHODS, NAMES, PREFIXES, WITHOUT_SOURCE};

/// When a call asks for an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Whatever it holds.
    Always,
    /// Where it has one of these parameters (`a.b|c`).
    With(&'static str),
    /// Where it has none of them.
    Without(&'static str),
    /// Records do not tell.
    Maybe,
    /// Where it sets tags.
    Tagged,
    /// Where it sets tags, perhaps.
    MayTag,
    /// Where it passes a role.
    PassesRole,
    /// Where it copies an object, of a version or not.
    Copies {
        /// Of a version.
        version: bool,
    },
}

/// On what an action is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// On the resources that AWS's reference names for it.
    Own,
    /// On the ARN that a parameter holds.
    Parameter(&'static str),
    /// On the object that is copied.
    Copied,
    /// On the roles that it passes.
    Roles,
}

/// An action that a call asks for, or may.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// The action.
    pub action: Action,
    /// When.
    pub when: When,
    /// On what.
    pub on: On,
    /// The action whose calls ask for it besides, where it is one of those that AWS's reference calls dependent.
    pub of: Option<Action>,
}

/// What a call asks for.
#[derive(Debug, Clone)]
pub enum Asks {
    /// One of the first at least, and each of the others besides where its time comes.
    Known {
        /// The action of the call itself, or those that it may be.
        own: Vec<Ask>,
        /// What AWS asks for besides.
        more: Vec<Ask>,
    },
    /// An action whose name is not known, of one of some services.
    Unknown(eval::Action),
    /// Nothing that can be told.
    Nothing,
}

/// What of a call AWS asks beside its action, and is not judged: service, call (empty for all) → what is told where it was seen.
pub const LIMITS: &[(&str, &str, &str)] = &[
    ("s3", "DeleteObjects", "`DeleteObjects` is judged once; AWS asks for each object in it"),
    (
        "dynamodb",
        "TransactGetItems",
        "`TransactGetItems` is judged as `dynamodb:GetItem`, whose tables its record may not tell",
    ),
    ("apigateway", "", "calls of API Gateway are judged as the HTTP method that their name stands for"),
];

/// The parameter that names what is copied.
const COPIED: &str = "x-amz-copy-source";

/// The name of a source without the domain.
fn stem(source: &str) -> &str {
    let name = source.strip_suffix(".amazonaws.com").or_else(|| source.strip_suffix(".amazonaws.com.cn"));
    name.or_else(|| source.strip_suffix(".aws.internal")).unwrap_or(source)
}

/// The prefix of a service's actions.
#[must_use]
pub fn prefix(source: &str) -> &str {
    let name = stem(source);
    PREFIXES.iter().find(|(from, _)| *from == name).map_or(name, |(_, to)| to)
}

/// Letters of names; what has others is no name of AWS's.
fn sane(text: &str) -> bool {
    !text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// What a call of that source and name asks for.
#[must_use]
pub fn asks(source: &str, event: &str) -> Asks {
    if !sane(stem(source)) || !sane(event) {
        return Asks::Nothing;
    }
    let prefix = prefix(source);
    let event = unversioned(prefix, event);
    if let Some(named) = written(prefix, event) {
        return named;
    }
    if let Some(action) = services::service(prefix).and_then(|service| service.action(event)) {
        return Asks::Known { own: vec![Ask { action, when: When::Always, on: On::Own, of: None }], more: vec![] };
    }
    let others = match CONSOLES.iter().find(|(console, _)| *console == prefix) {
        Some((_, others)) => others,
        None if services::service(prefix).is_some() => &[][..],
        None => WITHOUT_SOURCE,
    };
    // Of calls of a console the first service stands for it.
    let service = if services::service(prefix).is_some() { prefix } else { others.first().copied().unwrap_or(prefix) };
    eval::Action::some_of(service, others).map_or(Asks::Nothing, Asks::Unknown)
}

/// What the table says of a call.
fn written(prefix: &str, event: &str) -> Option<Asks> {
    let row = NAMES.iter().find(|(of, from, _)| *of == prefix && *from == event).map(|(_, _, to)| *to);
    let method = || {
        let known = services::service(prefix).and_then(|service| service.action(event)).is_some();
        let fits = METHODS.iter().filter(|(verb, _)| prefix == "apigateway" && !known && event.starts_with(verb));
        fits.max_by_key(|(verb, _)| verb.len()).map(|(_, methods)| *methods)
    };
    let (mut own, mut more) = (vec![], vec![]);
    for word in row.or_else(method)?.split(' ') {
        let list = if word.starts_with('+') { &mut more } else { &mut own };
        list.push(ask(prefix, word.trim_start_matches('+'))?);
    }
    Some(Asks::Known { own, more })
}

/// The actions that a call of an action needs besides, which AWS asks for without a record of their own, or may.
#[must_use]
pub fn dependents(action: Action) -> Vec<Ask> {
    let ask = |dependent: call::Dependent| {
        let (when, on) = match dependent.when {
            call::When::Tagged => (When::Tagged, On::Own),
            call::When::MayTag => (When::MayTag, On::Own),
            call::When::PassesRole => (When::Always, On::Roles),
            call::When::MayPassRole => (When::PassesRole, On::Roles),
            call::When::Perhaps => (When::Maybe, On::Own),
        };
        Ask { action: dependent.action, when, on, of: Some(action) }
    };
    call::dependents(action).into_iter().map(ask).collect()
}

/// One word of the table: `Name`, `service:Name`, and at its end when it is asked for (`?parameter`, `!parameter` without it, `~`
/// where records do not tell) or on what (`@parameter`, `@copied`).
fn ask(prefix: &str, word: &'static str) -> Option<Ask> {
    let at = word.find(['?', '!', '~', '@']).unwrap_or(word.len());
    let (name, end) = word.split_at_checked(at)?;
    let (service, name) = name.split_once(':').unwrap_or((prefix, name));
    let action = services::service(service)?.action(name)?;
    let (when, on) = match end.split_at_checked(1) {
        Some(("?", paths)) => (When::With(paths), On::Own),
        Some(("!", paths)) => (When::Without(paths), On::Own),
        Some(("~", _)) => (When::Maybe, On::Own),
        Some(("@", "copied")) => (When::Copies { version: action.name().contains("Version") }, On::Copied),
        Some(("@", path)) => (When::Always, On::Parameter(path)),
        _ => (When::Always, On::Own),
    };
    Some(Ask { action, when, on, of: None })
}

impl When {
    /// Whether the call of a record asks for it.
    #[must_use]
    pub fn holds(self, who: &Who<'_, '_>) -> Truth {
        let paths = match self {
            Self::Always => return Truth::Yes,
            Self::Maybe => return Truth::Depends,
            Self::Tagged => return keys::sets_tags(who),
            Self::MayTag => return keys::sets_tags(who).and(Truth::Depends),
            Self::PassesRole => return resources::passes_role(who),
            Self::With(paths) | Self::Without(paths) => paths,
            Self::Copies { .. } => COPIED,
        };
        let Some(text) = who.parameters() else { return Truth::Depends };
        let mut found = Truth::No;
        for path in paths.split('|') {
            match walk::has(text, path) {
                Some(false) => {}
                Some(true) => found = Truth::Yes,
                None => return Truth::Depends,
            }
        }
        match self {
            Self::Without(_) => !found,
            Self::Copies { version } if found == Truth::Yes => {
                let mut is = Truth::Depends;
                walk::each(text, COPIED, &mut |source| is = (source.contains("versionId=") == version).into());
                is
            }
            _ => found,
        }
    }
}

/// Writes the ARN of the object that a call copies; `None` where the record does not tell it.
#[must_use]
pub fn copied(who: &Who<'_, '_>, out: &mut String) -> Option<()> {
    let mut found = 0;
    walk::each(who.parameters()?, COPIED, &mut |source| {
        let source = source.split("?versionId=").next().unwrap_or(source).trim_start_matches('/');
        // What is encoded, and access points, are not undone.
        if source.contains('/') && !source.contains(['%', '+', '?']) && !source.starts_with("arn:") {
            found += 1;
            out.push_str("arn:");
            out.push_str(who.partition());
            out.push_str(":s3:::");
            out.push_str(source);
        }
    });
    (found == 1).then_some(())
}

/// The action of a call, as policies name it: the first where there are several. `None` where it is not known.
#[must_use]
pub fn action(source: &str, event: &str) -> Option<String> {
    match asks(source, event) {
        Asks::Known { own, .. } => own.first().map(|ask| ask.action.to_string()),
        Asks::Unknown(_) | Asks::Nothing => None,
    }
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
    use std::collections::BTreeSet;

    use super::*;
    use crate::trail::record::Record;

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
            ("lambda.amazonaws.com", "InvokeWithResponseStream", "lambda:InvokeFunction"),
            ("lambda.amazonaws.com", "GetAccountSettings20160819", "lambda:GetAccountSettings"),
            ("cloudfront.amazonaws.com", "CreateDistribution2020_05_31", "cloudfront:CreateDistribution"),
            ("cloudfront.amazonaws.com", "CreateInvalidation", "cloudfront:CreateInvalidation"),
            ("s3.amazonaws.com", "HeadObject", "s3:GetObject"),
            ("s3.amazonaws.com", "ListObjects", "s3:ListBucket"),
            ("s3.amazonaws.com", "GetObject", "s3:GetObject"),
            ("s3.amazonaws.com", "DeleteAccountPublicAccessBlock", "s3:PutAccountPublicAccessBlock"),
            ("s3express.amazonaws.com", "GetObject", "s3express:CreateSession"),
            ("ec2.amazonaws.com", "RunInstances", "ec2:RunInstances"),
            ("apigateway.amazonaws.com", "CreateRestApi", "apigateway:POST"),
            ("apigateway.amazonaws.com", "UntagResource", "apigateway:DELETE"),
            ("apigateway.amazonaws.com", "GetRoutingRule", "apigateway:GetRoutingRule"),
            ("sts.amazonaws.com.cn", "AssumeRole", "sts:AssumeRole"),
            ("budgets.amazonaws.com", "CreateBudget", "budgets:ModifyBudget"),
            ("budgets.amazonaws.com", "DescribeBudgets", "budgets:ViewBudget"),
            ("autoscaling.amazonaws.com", "RegisterScalableTarget", "application-autoscaling:RegisterScalableTarget"),
            ("sqs.amazonaws.com", "SendMessageBatch", "sqs:SendMessage"),
            ("sns.amazonaws.com", "PublishBatch", "sns:Publish"),
            ("rdsdataapi.amazonaws.com", "ExecuteStatement", "rds-data:ExecuteStatement"),
            ("api.pricing.amazonaws.com", "GetProducts", "pricing:GetProducts"),
            ("iotsecuredtunneling.amazonaws.com", "OpenTunnel", "iot:OpenTunnel"),
            ("bedrock.amazonaws.com", "InvokeModelWithBidirectionalStream", "bedrock:InvokeModel"),
            ("kms.amazonaws.com", "ReEncrypt", "kms:ReEncryptFrom"),
        ];
        for (source, event, expected) in cases {
            assert_eq!(action(source, event).as_deref(), Some(expected), "{source} {event}");
        }
        for (source, event) in [("", "A"), ("s3.amazonaws.com", ""), ("a b", "C"), ("s3.amazonaws.com", "a:b")] {
            assert!(matches!(asks(source, event), Asks::Nothing), "{source} {event}");
        }
        for (source, event, of) in [
            ("ec2.amazonaws.com", "NewCall", "ec2"),
            ("billingconsole.amazonaws.com", "GetBillingPreferences", "account"),
            ("newservice.amazonaws.com", "NewCall", "a2c"),
        ] {
            let Asks::Unknown(action) = asks(source, event) else { panic!("{source} {event}") };
            assert!(action.is_open() && action.service() == of, "{source} {event}: {action}");
        }
        assert!(
            limit("s3.amazonaws.com", "DeleteObjects").is_some() && limit("s3.amazonaws.com", "GetObject").is_none()
        );
    }

    /// Of every name that a row has: its actions with whether they are asked for.
    fn asked(source: &str, event: &str, parameters: &str) -> Vec<(String, Truth)> {
        let text = format!("{{\"requestParameters\":{parameters}}}");
        let record = Record::parse(&text).unwrap();
        let who = Who::of(&record);
        let Asks::Known { own, more } = asks(source, event) else { panic!("{source} {event}") };
        let told = own.iter().chain(&more).map(|ask| (ask.action.to_string(), ask.when.holds(&who)));
        told.filter(|(_, truth)| *truth > Truth::No).collect()
    }

    #[test]
    fn what_a_call_holds_says_which_actions_it_asks_for() {
        use Truth::{Depends, Yes};
        type Expected = &'static [(&'static str, Truth)];
        let cases: &[(&str, &str, &str, Expected)] = &[
            ("s3", "GetObject", r#"{"key":"k"}"#, &[("s3:GetObject", Yes)]),
            ("s3", "GetObject", r#"{"key":"k","versionId":"v"}"#, &[("s3:GetObjectVersion", Yes)]),
            ("s3", "HeadObject", r#"{"versionId":"null"}"#, &[("s3:GetObjectVersion", Yes)]),
            ("s3", "GetObject", "null", &[("s3:GetObject", Depends), ("s3:GetObjectVersion", Depends)]),
            ("s3", "DeleteObjects", "{}", &[("s3:DeleteObject", Depends), ("s3:DeleteObjectVersion", Depends)]),
            ("s3", "PutObject", r#"{"key":"k"}"#, &[("s3:PutObject", Yes)]),
            ("s3", "PutObject", r#"{"x-amz-acl":"private"}"#, &[("s3:PutObject", Yes), ("s3:PutObjectAcl", Yes)]),
            (
                "s3",
                "CopyObject",
                r#"{"x-amz-copy-source":"/a/b?versionId=3"}"#,
                &[("s3:PutObject", Yes), ("s3:GetObjectVersion", Yes)],
            ),
            ("s3", "CopyObject", r#"{"x-amz-copy-source":"a/b"}"#, &[("s3:PutObject", Yes), ("s3:GetObject", Yes)]),
            (
                "dynamodb",
                "TransactWriteItems",
                r#"{"transactItems":[{"put":{"tableName":"t"}},{"delete":{"tableName":"t"}}]}"#,
                &[("dynamodb:PutItem", Yes), ("dynamodb:DeleteItem", Yes)],
            ),
            ("sts", "AssumeRole", r#"{"tags":[]}"#, &[("sts:AssumeRole", Yes)]),
            (
                "sts",
                "AssumeRole",
                r#"{"tags":[{"key":"a","value":"b"}]}"#,
                &[("sts:AssumeRole", Yes), ("sts:TagSession", Yes)],
            ),
            (
                "autoscaling",
                "PutScalingPolicy",
                r#"{"serviceNamespace":"ecs"}"#,
                &[("application-autoscaling:PutScalingPolicy", Yes)],
            ),
            ("autoscaling", "PutScalingPolicy", r#"{"policyName":"p"}"#, &[("autoscaling:PutScalingPolicy", Yes)]),
        ];
        for (service, event, parameters, expected) in cases {
            let found = asked(&format!("{service}.amazonaws.com"), event, parameters);
            let expected: Vec<(String, Truth)> =
                expected.iter().map(|(name, truth)| ((*name).to_owned(), *truth)).collect();
            assert_eq!(found, expected, "{service} {event} {parameters}");
        }
    }

    #[test]
    fn what_is_copied_is_an_object_by_its_arn() {
        let cases = [
            (r#""/a/b/c?versionId=3""#, Some("arn:aws:s3:::a/b/c")),
            (r#""a/b""#, Some("arn:aws:s3:::a/b")),
            (r#""a/b%20c""#, None),
            (r#""arn:aws:s3:eu-west-1:111122223333:accesspoint/x/object/y""#, None),
            ("null", None),
        ];
        for (source, expected) in cases {
            let text = format!("{{\"requestParameters\":{{\"x-amz-copy-source\":{source}}}}}");
            let record = Record::parse(&text).unwrap();
            let mut out = String::new();
            let told = copied(&Who::of(&record), &mut out);
            assert_eq!(told.map(|()| out.as_str()), expected, "{source}");
        }
    }

    #[test]
    fn every_row_of_a_table_stands_once_and_leads_to_what_aws_knows() {
        let mut seen = BTreeSet::new();
        for (prefix, name, to) in NAMES {
            assert!(seen.insert((prefix, name)), "{prefix} {name}");
            assert_ne!(name, to);
            for word in to.split(' ') {
                let ask =
                    ask(prefix, word.trim_start_matches('+')).unwrap_or_else(|| panic!("{prefix} {name}: {word}"));
                // Case does not count for AWS; it does for whoever reads the report.
                assert!(word.contains(ask.action.name()), "{word} is {}", ask.action);
            }
            assert!(!to.starts_with('+'), "{prefix} {name} asks for nothing of its own");
        }
        let mut seen = BTreeSet::new();
        for (stem, prefix) in PREFIXES {
            assert!(seen.insert(stem), "{stem}");
            assert!(services::service(prefix).is_some(), "{prefix}");
            assert!(services::service(stem).is_none() || *stem == "pinpoint", "{stem} is a service of its own");
        }
        for service in CONSOLES.iter().flat_map(|(_, others)| *others).chain(WITHOUT_SOURCE) {
            assert!(services::service(service).is_some(), "{service}");
            assert!(!WITHOUT_SOURCE.contains(service) || !PREFIXES.iter().any(|(_, to)| to == service), "{service}");
        }
        for (_, methods) in METHODS {
            assert!(methods.split(' ').all(|word| ask("apigateway", word).is_some()), "{methods}");
        }
        for (prefix, name, _) in LIMITS {
            assert!(
                services::service(prefix).is_some() && (name.is_empty() || written(prefix, name).is_some()),
                "{name}"
            );
        }
    }
}
