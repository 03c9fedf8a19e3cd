//! The resources of a call: as its record names them, or as AWS's reference makes them of the request's parameters.

use memchr::memmem;

use super::request::{Values, Who, resource_of};
use super::walk;
use crate::policy::call::{self, Leg as Of, Need};
use crate::policy::eval::{Truth, resources_meet};
use crate::policy::pattern;
use crate::policy::services::{self, Action};

/// Service, template of AWS's reference → parameter, where their names differ by more than case.
const PARAMETERS: &[(&str, &str, &str)] = &[
    ("ec2", "ImageId", "instancesSet.items.imageId"),
    ("ec2", "KeyPairName", "keyName"),
    ("s3", "ObjectName", "key"),
    ("sns", "TopicName", "name"),
    ("sqs", "QueueName", "queueName"),
    ("dynamodb", "TableName", "tableName"),
    ("rds", "DbInstanceName", "dBInstanceIdentifier"),
    ("rds", "DbClusterInstanceName", "dBClusterIdentifier"),
    ("ecr", "RepositoryName", "repositoryName"),
    ("sts", "RoleNameWithPath", "roleArn"),
];

/// Resources whose ids AWS makes in the call, so that no policy can know them: service, action, type, an id.
const MADE: &[(&str, &str, &str, &str)] = &[
    ("ec2", "RunInstances", "instance", "i-00000000000000000"),
    ("ec2", "RunInstances", "network-interface", "eni-00000000000000000"),
    ("ec2", "RunInstances", "volume", "vol-00000000000000000"),
    ("ec2", "CreateVolume", "volume", "vol-00000000000000000"),
    ("ec2", "CreateVpc", "vpc", "vpc-00000000000000000"),
    ("ec2", "CreateSubnet", "subnet", "subnet-00000000000000000"),
    ("ec2", "CreateSecurityGroup", "security-group", "sg-00000000000000000"),
    ("ec2", "CreateSnapshot", "snapshot", "snap-00000000000000000"),
    ("ec2", "CreateNetworkInterface", "network-interface", "eni-00000000000000000"),
    ("kms", "CreateKey", "key", "00000000-0000-0000-0000-000000000000"),
];

/// Services whose ARNs have names in lower case whatever the call spells.
const LOWER: &[&str] = &["sagemaker"];

/// How the resource types of S3 begin that stand beside buckets and objects.
const ACCESS_POINT: &str = "accesspoint";

/// One resource that every call of an action is authorized on.
struct Leg {
    /// Its ARNs as patterns.
    arns: Vec<String>,
    /// How the first of them is made of a record; `None`: not at all.
    pieces: Option<Vec<Piece>>,
    /// What stands for all of them where no two of them make a difference.
    alike: Option<String>,
}

/// A piece of an ARN.
#[derive(PartialEq)]
enum Piece {
    Text(&'static str),
    Partition,
    Region,
    Account,
    /// A request parameter; whether its value may have colons.
    Parameter(&'static str, bool),
}

/// The resources of an action.
pub struct Legs {
    legs: Vec<Leg>,
    /// Whether names are in lower case.
    lower: bool,
    /// Whether the action has no resource, so that it is asked of `*`.
    none: bool,
    /// Whether a call is of one of them.
    one_of: bool,
}

impl Legs {
    /// Of those that every call of an action has.
    #[must_use]
    pub fn of(action: Action) -> Self {
        let all = legs(action);
        let needed: Vec<Of> = all.iter().filter(|leg| is_needed(leg)).copied().collect();
        Self::of_these(action, if needed.is_empty() { &all } else { &needed })
    }

    /// Of some of an action's.
    #[must_use]
    pub fn of_these(action: Action, of: &[Of]) -> Self {
        let service = action.service.prefix;
        let leg = |leg: &Of| {
            let first = leg.arns().next()?;
            Some(Leg {
                arns: leg.arns().map(services::as_pattern).collect(),
                pieces: pieces(first, service, made(leg)),
                alike: None,
            })
        };
        let legs: Vec<Leg> = of.iter().filter_map(leg).collect();
        let none = legs.is_empty() && action.service.is_whole();
        // Where a call is of one of several, those that a record does not name are none of it.
        let one_of = of.len() > 1 && of.iter().all(|leg| !is_needed(leg));
        Self { legs, lower: LOWER.contains(&service), none, one_of }
    }

    /// Whether one of the patterns may match one of them.
    #[must_use]
    pub fn meets(&self, patterns: &[Box<str>]) -> bool {
        let met = |arn: &String| patterns.iter().any(|pattern| meets(pattern, arn));
        self.legs.iter().any(|leg| leg.arns.iter().any(met))
    }

    /// Whether a record tells the same of both.
    #[must_use]
    pub fn is_as(&self, other: &Self) -> bool {
        let legs = |(one, other): (&Leg, &Leg)| {
            one.arns == other.arns && one.pieces == other.pieces && one.alike == other.alike
        };
        self.none == other.none
            && self.one_of == other.one_of
            && self.lower == other.lower
            && self.legs.len() == other.legs.len()
            && self.legs.iter().zip(&other.legs).all(legs)
    }

    /// The same for policies that hold resources against these patterns alone: which resource of a type is asked for makes
    /// no difference where none of them matches any, so that one stands for all and none is unknown.
    #[must_use]
    pub fn held_against(mut self, patterns: &[Box<str>]) -> Self {
        for leg in &mut self.legs {
            let met = |arn: &String| patterns.iter().any(|pattern| meets(pattern, arn));
            // Matched as text, the pattern is one of its own ARNs.
            leg.alike = leg.arns.first().filter(|_| !leg.arns.iter().any(met)).cloned();
        }
        self
    }

    /// Adds the resources to `out`, one that is not told as unknown.
    pub fn tell(&self, who: &Who<'_, '_>, out: &mut Values) {
        if self.none {
            return out.push("*");
        }
        if self.legs.is_empty() {
            return out.push_unknown();
        }
        let from = out.len();
        let mut untold = false;
        for leg in &self.legs {
            if let Some(alike) = leg.alike.as_ref().filter(|_| !self.one_of) {
                out.push(alike);
                continue;
            }
            let before = out.len();
            if let Some(resources) = who.record.resources {
                walk::each(resources, "ARN", &mut |arn| {
                    if leg.matches(arn) {
                        out.push(arn);
                    }
                });
            }
            if out.len() == before && !self.make(leg, who, out) {
                untold = true;
                if !self.one_of {
                    out.push_unknown();
                }
            }
        }
        if self.one_of && out.len() == from && untold {
            let alike = self.legs.iter().all(|leg| leg.alike.is_some());
            match self.legs.first().and_then(|leg| leg.alike.as_ref()).filter(|_| alike) {
                Some(alike) => out.push(alike),
                None => out.push_unknown(),
            }
        }
        out.dedup_from(from);
    }

    /// Makes the ARN of the request's parameters.
    fn make(&self, leg: &Leg, who: &Who<'_, '_>, out: &mut Values) -> bool {
        let Some(pieces) = &leg.pieces else { return false };
        let account = who.resource_account().unwrap_or(who.account);
        out.build(|text| {
            let from = text.len();
            for piece in pieces {
                let known = match piece {
                    Piece::Text(piece) => Ok(*piece),
                    Piece::Partition => Ok(who.partition()),
                    Piece::Region => Ok(&*who.record.aws_region),
                    Piece::Account => Ok(account),
                    Piece::Parameter(path, colons) => Err((path, *colons)),
                };
                let (path, colons) = match known {
                    Ok(known) => {
                        text.push_str(known);
                        continue;
                    }
                    Err(parameter) => parameter,
                };
                let (start, mut found) = (text.len(), 0);
                walk::each(who.record.request_parameters?, path, &mut |value| {
                    found += 1;
                    text.push_str(value);
                });
                let value = text.get(start..)?;
                if found == 1 && value.starts_with("arn:") && leg.matches(value) {
                    text.replace_range(from..start, "");
                    return Some(());
                }
                // Some parameters take a name, an ARN, or a part of one.
                if found != 1 || value.is_empty() || (value.contains(':') && !colons) {
                    return None;
                }
                if self.lower
                    && let Some(value) = text.get_mut(start..)
                {
                    value.make_ascii_lowercase();
                }
            }
            Some(())
        })
    }
}

/// The id of a resource that AWS makes in the call.
fn made(leg: &Of) -> Option<&'static str> {
    let action = leg.action();
    let of =
        |row: &&(&str, &str, &str, &str)| (row.0, row.1, row.2) == (action.service.prefix, action.name(), leg.name());
    MADE.iter().find(of).map(|row| row.3)
}

/// Whether an ARN stands for one of a resource that AWS makes in the call.
#[must_use]
pub fn is_made(arn: &str) -> bool {
    MADE.iter().any(|row| arn.ends_with(row.3))
}

/// Whether every call is authorized on a leg.
#[must_use]
pub fn is_needed(leg: &Of) -> bool {
    leg.need == Need::Always || made(leg).is_some()
}

/// The resources of an action. AWS's reference lists access points beside what is reached through them; a call is of one, and
/// one through an access point names that for its bucket.
#[must_use]
pub fn legs(action: Action) -> Vec<Of> {
    let mut all = call::legs(action);
    if all.iter().any(|leg| !leg.name().starts_with(ACCESS_POINT)) {
        all.retain(|leg| !leg.name().starts_with(ACCESS_POINT));
    }
    all
}

/// Gives each ARN that stands among the parameters as text of its own, at any depth.
fn arns(text: &str, give: &mut dyn FnMut(&str)) {
    const BEGIN: &[u8] = b"\"arn:";
    for at in memmem::find_iter(text.as_bytes(), BEGIN) {
        // Within a document that is text itself quotes are escaped.
        let own = at.checked_sub(1).and_then(|before| text.as_bytes().get(before)) != Some(&b'\\');
        if let Some((arn, _)) = text.get(at + 1..).and_then(|rest| rest.split_once('"')).filter(|_| own) {
            give(arn);
        }
    }
}

/// Whether a call passes a role, as far as its parameters tell.
#[must_use]
pub fn passes_role(who: &Who<'_, '_>) -> Truth {
    let Some(text) = who.parameters() else { return Truth::Depends };
    let mut some = false;
    arns(text, &mut |arn| some |= is_role(arn));
    let lower = || text.to_ascii_lowercase();
    if some {
        Truth::Yes
    // Roles are also given by name, by an instance profile, or by a template.
    } else if ["role", "instanceprofile", "launchtemplate"].iter().any(|word| lower().contains(word)) {
        Truth::Depends
    } else {
        Truth::No
    }
}

fn is_role(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("iam") && resource_of(arn).starts_with("role/")
}

/// Adds the ARNs of the roles that a call passes, or that they are not told.
pub fn roles(who: &Who<'_, '_>, out: &mut Values) {
    let from = out.len();
    if let Some(text) = who.parameters() {
        arns(text, &mut |arn| {
            if is_role(arn) {
                out.push(arn)
            }
        });
    }
    if out.len() == from {
        out.push_unknown();
    }
}

/// Adds the ARN that a parameter holds, or that it is not told.
pub fn of_parameter(path: &str, who: &Who<'_, '_>, out: &mut Values) {
    let from = out.len();
    if let Some(text) = who.parameters() {
        walk::each(text, path, &mut |value| {
            if value.starts_with("arn:") {
                out.push(value)
            }
        });
    }
    if out.len() == from {
        out.push_unknown();
    }
}

/// Whether a policy's pattern may match an ARN of a type.
fn meets(pattern: &str, arn: &str) -> bool {
    // What stands for a partition could run over the service; where both name one it is theirs.
    fn service(arn: &str) -> Option<&str> {
        let mut parts = arn.split(':').take(3);
        let partition = parts.nth(1)?;
        parts.next().filter(|service| {
            (partition == "*" || !partition.contains(['*', '?'])) && !service.contains(['*', '?', '$'])
        })
    }
    if let (Some(one), Some(other)) = (service(pattern), service(arn))
        && one != other
        && !pattern.starts_with("arn:*")
    {
        return false;
    }
    resources_meet(pattern, arn)
}

/// The pieces of an ARN of AWS's reference. `made`: the id that AWS makes in the call.
fn pieces(template: &'static str, service: &str, made: Option<&'static str>) -> Option<Vec<Piece>> {
    let mut pieces = vec![];
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        pieces.push(Piece::Text(before));
        let (name, tail) = after.split_once('}')?;
        rest = tail;
        pieces.push(match (name, made) {
            ("Partition", _) => Piece::Partition,
            ("Region", _) => Piece::Region,
            ("Account", _) => Piece::Account,
            (_, Some(id)) => Piece::Text(id),
            (name, None) => {
                let renamed = PARAMETERS.iter().find(|row| (row.0, row.1) == (service, name));
                Piece::Parameter(renamed.map_or(name, |row| row.2), name == "ObjectName")
            }
        });
    }
    pieces.push(Piece::Text(rest));
    Some(pieces)
}

impl Leg {
    fn matches(&self, arn: &str) -> bool {
        self.arns.iter().any(|pattern| pattern::matches(pattern, arn, false))
    }
}

/// A resource among others of its kind, for reports: the type, the bucket, and `*` for what tells it from its like.
pub fn grouped(arn: &str, out: &mut String) {
    let mut parts = arn.splitn(6, ':');
    let head: [Option<&str>; 5] = std::array::from_fn(|_| parts.next());
    let (Some(tail), [_, _, Some(service), Some(region), _]) = (parts.next(), head) else { return out.push_str(arn) };
    for (at, part) in head.iter().enumerate() {
        // Regions are told by themselves.
        out.push_str(if at == 3 && !region.is_empty() { "*" } else { part.unwrap_or_default() });
        out.push(':');
    }
    // A bucket is known by its name, an object by its bucket.
    match tail.split_once(['/', ':']) {
        Some((kind, _)) => {
            out.push_str(kind);
            out.push(if service != "s3" && tail.as_bytes().get(kind.len()) == Some(&b':') { ':' } else { '/' });
            out.push('*');
        }
        None => out.push_str(tail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::record::Record;

    fn told(action: &str, text: &str) -> Vec<Option<String>> {
        let record = Record::parse(text).unwrap();
        let legs = Legs::of(services::action(action).unwrap());
        let mut out = Values::default();
        legs.tell(&Who::of(&record), &mut out);
        out.iter().map(|item| item.map(str::to_owned)).collect()
    }

    #[test]
    fn resources_are_those_of_the_record_or_of_the_parameters_or_unknown() {
        let who = r#""awsRegion":"eu-central-1","recipientAccountId":"111122223333","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/u","accountId":"111122223333"}"#;
        let cases: &[(&str, &str, &[Option<&str>])] = &[
            ("s3:ListAllMyBuckets", "", &[Some("*")]),
            (
                "s3:GetObject",
                r#","resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::b/k"},{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::b"}]"#,
                &[Some("arn:aws:s3:::b/k")],
            ),
            (
                "s3:GetObject",
                r#","requestParameters":{"bucketName":"b","key":"d/k:1"}"#,
                &[Some("arn:aws:s3:::b/d/k:1")],
            ),
            ("s3:GetObject", r#","requestParameters":{"bucketName":"b"}"#, &[None]),
            ("s3:GetObject", "", &[None]),
            (
                "sagemaker:CreateEndpoint",
                r#","requestParameters":{"endpointName":"Fraud","endpointConfigName":"fraud-3"}"#,
                &[
                    Some("arn:aws:sagemaker:eu-central-1:111122223333:endpoint/fraud"),
                    Some("arn:aws:sagemaker:eu-central-1:111122223333:endpoint-config/fraud-3"),
                ],
            ),
            (
                "dynamodb:GetItem",
                r#","requestParameters":{"tableName":"t"}"#,
                &[Some("arn:aws:dynamodb:eu-central-1:111122223333:table/t")],
            ),
            (
                "dynamodb:GetItem",
                r#","requestParameters":{"tableName":"arn:aws:dynamodb:eu-central-1:444455556666:table/t"}"#,
                &[Some("arn:aws:dynamodb:eu-central-1:444455556666:table/t")],
            ),
            ("lambda:InvokeFunction", r#","requestParameters":{"functionName":"444455556666:f"}"#, &[None]),
            (
                "lambda:InvokeFunction",
                r#","requestParameters":{"functionName":"f"}"#,
                &[Some("arn:aws:lambda:eu-central-1:111122223333:function:f")],
            ),
            ("iam:GetRole", r#","requestParameters":{"roleName":"r"}"#, &[None]),
        ];
        for (action, more, expected) in cases {
            let found = told(action, &format!("{{{who}{more}}}"));
            assert_eq!(found.iter().map(Option::as_deref).collect::<Vec<_>>(), *expected, "{action} {more}");
        }
        let run = told("ec2:RunInstances", &format!("{{{who}}}"));
        assert!(run.contains(&Some("arn:aws:ec2:eu-central-1:111122223333:instance/i-00000000000000000".into())));
        assert!(run.contains(&None), "the image and the subnet are not told");
    }

    #[test]
    fn types_that_no_pattern_matches_are_alike_and_none_of_them_unknown() {
        let text = r#"{"awsRegion":"eu-central-1","recipientAccountId":"111122223333","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/u","accountId":"111122223333"},"requestParameters":{"subnetId":"subnet-1"}}"#;
        let record = Record::parse(text).unwrap();
        let told = |patterns: &[&str]| {
            let patterns: Vec<Box<str>> = patterns.iter().map(|pattern| (*pattern).into()).collect();
            let legs = Legs::of(services::action("ec2:RunInstances").unwrap()).held_against(&patterns);
            let mut out = Values::default();
            legs.tell(&Who::of(&record), &mut out);
            out.iter().map(|arn| arn.map(str::to_owned)).collect::<Vec<_>>()
        };
        let instances = told(&["arn:aws:ec2:*:*:instance/*"]);
        assert!(instances.contains(&Some("arn:aws:ec2:eu-central-1:111122223333:instance/i-00000000000000000".into())));
        assert!(!instances.contains(&None) && !instances.iter().flatten().any(|arn| arn.contains("subnet-1")));
        assert!(told(&["arn:aws:ec2:*:*:image/ami-1"]).contains(&None), "the image is not told");
        let subnets = told(&["arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*:*:sub*"]);
        assert!(subnets.contains(&Some("arn:aws:ec2:eu-central-1:111122223333:subnet/subnet-1".into())));
    }

    #[test]
    fn a_wildcard_of_a_policy_that_runs_over_colons_meets_types_with_more_of_them() {
        let meets = |pattern: &str| {
            let pattern: Vec<Box<str>> = vec![pattern.into()];
            Legs::of(services::action("lambda:InvokeFunction").unwrap()).meets(&pattern)
        };
        assert!(meets("arn:aws:lambda:*:function:f*") && meets("arn:aws:lambda:*:prod") && meets("arn:*:f"));
        assert!(!meets("arn:aws:lambda:*:layer:f") && !meets("arn:aws:lambda:*:*:layer:*") && !meets("arn:aws:s3:::*"));
    }

    #[test]
    fn resources_are_grouped() {
        let cases = [
            ("arn:aws:s3:::b/k/l", "arn:aws:s3:::b/*"),
            ("arn:aws:s3:::b", "arn:aws:s3:::b"),
            ("arn:aws:ec2:eu-west-1:1:instance/i-1", "arn:aws:ec2:*:1:instance/*"),
            ("arn:aws:lambda:eu-west-1:1:function:f:2", "arn:aws:lambda:*:1:function:*"),
            ("arn:aws:sqs:eu-west-1:1:q", "arn:aws:sqs:*:1:q"),
            ("*", "*"),
        ];
        for (arn, expected) in cases {
            let mut out = String::new();
            grouped(arn, &mut out);
            assert_eq!(out, expected);
        }
    }
}
