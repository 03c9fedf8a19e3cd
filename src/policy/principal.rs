//! `Principal` and `NotPrincipal`: forbidden in SCPs, `*` in RCPs, demanded in delegation policies.

use std::collections::{BTreeMap, BTreeSet};

use super::flaw::{Flaws, join_key};
use super::json::{Member, Value};
use super::read::{At, list, wrong_type};
use super::statement::{Language, PrincipalKind, Principals, Scope};
use super::template;
use crate::names::words::nearest;

/// The principals of a statement, with what its language says of them.
pub(super) fn read(
    found: &BTreeMap<&'static str, &Member>,
    at: At<'_>,
    language: Language,
    flaws: &mut Flaws,
) -> Option<Scope<Principals>> {
    let (only, all_but) = (found.get("Principal").copied(), found.get("NotPrincipal").copied());
    let unnamed = match language {
        Language::ServiceControl => Some(("principal-in-scp", "it binds everyone in the accounts below")),
        Language::Identity => Some(("principal-in-identity-policy", "it speaks of whoever holds it")),
        _ => None,
    };
    if let Some((rule, why)) = unnamed {
        for member in [only, all_but].into_iter().flatten() {
            let message = format!("{} has no `{}`: {why}", language.noun(), member.key);
            let help = "remove it; to spare or to hit some principals, test `aws:PrincipalArn` in `Condition`";
            flaws.error(rule, member.place, &join_key(at.path, &member.key), message, help);
        }
        return None;
    }
    if language == Language::ResourceControl {
        if let Some(member) = all_but {
            let message = "a resource control policy has no `NotPrincipal`";
            let help = "write `\"Principal\": \"*\"` and test `aws:PrincipalArn` in `Condition`";
            flaws.error("not-principal-in-rcp", member.place, &join_key(at.path, &member.key), message, help);
        }
        return everyone(only, at, flaws);
    }
    match (only, all_but) {
        (Some(member), None) => principals(member, at, flaws).map(Scope::Only),
        (None, Some(member)) => principals(member, at, flaws).map(Scope::AllBut),
        (Some(_), Some(member)) => {
            let message = "a statement has `Principal` or `NotPrincipal`, not both";
            flaws.error(
                "conflicting-elements",
                member.place,
                &join_key(at.path, "NotPrincipal"),
                message,
                "remove one",
            );
            None
        }
        (None, None) => {
            let message = "the statement has no `Principal`";
            let help = "name who it is for, such as `\"Principal\": {\"AWS\": \"123456789012\"}`";
            flaws.error("missing-principal", at.node.place, at.path, message, help);
            None
        }
    }
}

fn everyone(member: Option<&Member>, at: At<'_>, flaws: &mut Flaws) -> Option<Scope<Principals>> {
    let help =
        "write `\"Principal\": \"*\"`; to spare or to hit some principals, test `aws:PrincipalArn` in `Condition`";
    let Some(member) = member else {
        flaws.error("missing-principal", at.node.place, at.path, "the statement has no `Principal`", help);
        return None;
    };
    if !matches!(&member.node.value, Value::String(text) if text == "*") {
        let message = "the `Principal` of a resource control policy can only be `*`";
        flaws.error("principal-in-rcp", member.node.place, &join_key(at.path, "Principal"), message, help);
    }
    Some(Scope::Only(Principals::Everyone))
}

fn principals(member: &Member, at: At<'_>, flaws: &mut Flaws) -> Option<Principals> {
    let path = join_key(at.path, &member.key);
    let kinds = match &member.node.value {
        Value::String(text) if text == "*" => return Some(Principals::Everyone),
        Value::Object(kinds) => kinds,
        other => {
            let expected = "`*` or an object such as `{\"AWS\": \"123456789012\"}`";
            wrong_type(At { node: &member.node, path: &path }, expected, other, flaws);
            return None;
        }
    };
    if kinds.is_empty() {
        flaws.error(
            "empty-list",
            member.node.place,
            &path,
            format!("`{path}` names nobody"),
            "name at least one principal",
        );
    }
    let mut out: Vec<(PrincipalKind, Vec<String>)> = vec![];
    for kind in kinds {
        let path = join_key(&path, &kind.key);
        let Some(known) = PrincipalKind::ALL.into_iter().find(|known| known.as_str() == kind.key) else {
            let help = match nearest(&kind.key, PrincipalKind::ALL.into_iter().map(PrincipalKind::as_str)) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "known are `AWS`, `Service`, `Federated` and `CanonicalUser`".to_owned(),
            };
            flaws.error(
                "invalid-principal",
                kind.place,
                &path,
                format!("`{}` is not a kind of principal", kind.key),
                &help,
            );
            continue;
        };
        let mut seen = BTreeSet::new();
        let mut names = vec![];
        for item in list(At { node: &kind.node, path: &path }, flaws).unwrap_or_default() {
            if known == PrincipalKind::Aws
                && !is_aws(&item.text)
                && let Some(found) = template::find(&item.text, false)
            {
                let (text, noun) = (found.text, found.noun());
                let message =
                    format!("`{}` is not an AWS principal: `{text}` is {noun} that was not filled", item.text);
                flaws.error("invalid-principal", item.place, &item.path, message, &found.help());
            } else if known == PrincipalKind::Aws && !is_aws(&item.text) {
                let message = format!("`{}` is not an AWS principal", item.text);
                let help = "write an account id of 12 digits, the ARN of a role, user or account, or `*`";
                flaws.error("invalid-principal", item.place, &item.path, message, help);
            } else if known == PrincipalKind::Aws && item.text != "*" && item.text.contains(['*', '?']) {
                let message = format!("`{}` has a wildcard, which AWS does not take in a principal's ARN", item.text);
                let help = "name the account, and test `aws:PrincipalArn` in `Condition` with `ArnLike`";
                flaws.error("invalid-principal", item.place, &item.path, message, help);
            }
            if seen.insert(item.text.clone()) {
                names.push(item.text);
            }
        }
        out.push((known, names));
    }
    Some(Principals::Listed(out))
}

/// Accounts, ARNs, everyone, and the unique ids (`AROA…`) that AWS puts where a deleted principal stood.
fn is_aws(text: &str) -> bool {
    text == "*"
        || account_of(text).is_some()
        || text.starts_with("arn:")
        || (text.len() >= 16
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            && text.starts_with('A'))
}

/// The account that a principal stands for: `123456789012` and `arn:aws:iam::123456789012:root` are the same to AWS.
pub(super) fn account_of(text: &str) -> Option<&str> {
    let id = match text.strip_prefix("arn:aws") {
        None => text,
        Some(rest) => {
            let (partition, rest) = rest.split_once(':')?;
            if !partition.is_empty() && !partition.starts_with('-') {
                return None;
            }
            rest.strip_prefix("iam::")?.strip_suffix(":root")?
        }
    };
    (id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit())).then_some(id)
}
