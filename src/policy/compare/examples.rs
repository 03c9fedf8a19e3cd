//! Examples that a person recognizes: actions that AWS has, ARNs that look like ARNs, the values that keys usually have.

use crate::policy::eval::pattern::{Pattern, Piece};
use crate::policy::services;

const ACCOUNT: &str = "111122223333";

/// A text that a pattern surely matches unless it has variables, which stand in it as they are written. `service`: what
/// stands for a service that is left open.
pub(super) fn filled(pattern: &Pattern, service: Option<&str>) -> String {
    let mut out = String::new();
    let mut pieces = pattern.pieces().iter().peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::One | Piece::OneWithin => out.push('x'),
            Piece::Variable { .. } => out.push_str("example"),
            Piece::Any | Piece::Within => {
                let begins = out.is_empty() || out.ends_with(':');
                let ends = match pieces.peek() {
                    None => true,
                    Some(Piece::Text(next)) => next.starts_with(':'),
                    Some(_) => false,
                };
                // A part that is open as a whole reads best as what usually stands there.
                let global = ["arn:aws:s3:", "arn:aws:iam:"].iter().any(|start| out.starts_with(start));
                out.push_str(match (begins && ends, out.matches(':').count(), out.starts_with("arn:")) {
                    (true, 1, true) => "aws",
                    (true, 2, true) => service.unwrap_or("s3"),
                    (true, 3, true) if !global => "us-east-1",
                    (true, 4, true) if !out.starts_with("arn:aws:s3:") => ACCOUNT,
                    (true, 3 | 4, true) => "",
                    _ => "example",
                });
            }
        }
    }
    out
}

/// Values that a key usually has, the most usual first.
pub(super) fn usual(key: &str) -> Vec<String> {
    let lower = key.to_ascii_lowercase();
    let values: &[&str] = match lower.as_str() {
        "aws:requestedregion" => &["us-east-1", "eu-west-1", "eu-central-1", "us-west-2"],
        "aws:principalarn" => &["arn:aws:iam::111122223333:role/example", "arn:aws:iam::111122223333:user/example"],
        "aws:principalaccount" | "aws:resourceaccount" | "aws:sourceaccount" => &[ACCOUNT, "444455556666"],
        "aws:principalorgid" | "aws:resourceorgid" | "aws:sourceorgid" | "aws:vpceorgid" => &["o-example111"],
        "aws:principalorgpaths" | "aws:resourceorgpaths" | "aws:sourceorgpaths" => {
            &["o-example111/r-ex11/ou-ex11-example1/"]
        }
        "aws:principaltype" => &["AssumedRole", "User", "Account"],
        "aws:sourcevpc" => &["vpc-0example1"],
        "aws:sourcevpce" => &["vpce-0example1"],
        "aws:calledvia" | "aws:calledviafirst" | "aws:calledvialast" | "aws:principalservicename" => {
            &["cloudformation.amazonaws.com"]
        }
        "ec2:instancetype" => &["t3.micro"],
        "aws:sourcearn" => &["arn:aws:sns:us-east-1:111122223333:example"],
        "aws:multifactorauthpresent" | "aws:securetransport" => &["true", "false"],
        _ => &["example"],
    };
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// A resource that AWS authorizes an action on: the shortest ARN of its types with the templates filled, else `*`.
pub(super) fn resource(action: &str) -> Option<String> {
    let known = services::action(action)?;
    let arns = known.resources().flat_map(|resource| resource.kind.arns.iter().copied());
    Some(arns.min_by_key(|arn| arn.len()).map_or_else(|| "*".to_owned(), templates_filled))
}

fn templates_filled(arn: &str) -> String {
    let mut out = String::new();
    let mut rest = arn;
    while let Some((before, (name, after))) =
        rest.split_once("${").and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        out.push_str(before);
        out.push_str(match name {
            "Partition" => "aws",
            "Region" => "us-east-1",
            "Account" | "AccountId" => ACCOUNT,
            _ => "example",
        });
        rest = after;
    }
    out + rest
}

/// Actions of services that nearly everyone uses, for regions that speak of everything else.
const EVERYWHERE: [&str; 3] = ["sts", "s3", "dynamodb"];

/// Actions that AWS has, of the services that patterns name and of some others.
pub(super) fn actions<'a>(patterns: impl Iterator<Item = &'a str>) -> impl Iterator<Item = String> {
    let mut prefixes: Vec<&str> = patterns.filter_map(|pattern| Some(pattern.split_once(':')?.0)).collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    let rest: Vec<&str> = EVERYWHERE.into_iter().filter(|prefix| !prefixes.contains(prefix)).collect();
    let all: Vec<_> = prefixes.into_iter().chain(rest).filter_map(services::service).collect();
    all.into_iter().flat_map(|service| service.actions().map(|action| action.to_string()))
}
