//! From a JSON tree to statements: the languages of SCP, RCP and delegation policy, every flaw at once.
//!
//! Sources: aws-facts section 3; Organizations user guide "SCP syntax" and "RCP syntax", with the full IAM language of
//! 2025-09 for SCPs; Access Analyzer's "policy validation checks" for what AWS calls an error.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::Operator;
use super::flaw::{Flaws, Place, join_index, join_key};
use super::json::{Member, Node, Value};
use super::principal;
use super::statement::{Clause, Effect, Language, Policy, Scope, Statement, Version};
use super::template;
use crate::names::words::nearest;

/// A node and how to call it.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) node: &'a Node,
    pub(super) path: &'a str,
}

/// A value of a list, with its place.
pub(super) struct Item {
    pub(super) text: String,
    pub(super) place: Place,
    pub(super) path: String,
}

const TOP: [&str; 3] = ["Version", "Id", "Statement"];
const ELEMENTS: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

/// The statements of a document. `None` where it has an error.
pub fn policy(node: &Node, language: Language, flaws: &mut Flaws) -> Option<Policy> {
    let before = flaws.errors();
    let Value::Object(members) = &node.value else {
        let kind = node.value.kind();
        let message = format!("the document is {kind}; {} is one JSON object", language.noun());
        flaws.error("wrong-type", node.place, "", message, "write `{\"Version\": …, \"Statement\": [ … ]}`");
        return None;
    };
    let top = elements(members, &TOP, "", language.noun(), flaws);
    let version = version(top.get("Version").copied(), node.place, language, flaws);
    let id = top.get("Id").and_then(|member| {
        if !language.is_plain_iam() {
            let help = "remove it; a comment can stand in the policy's description";
            flaws.error("unknown-element", member.place, "Id", format!("{} has no `Id`", language.noun()), help);
        }
        string(At { node: &member.node, path: "Id" }, flaws)
    });
    let statements = match top.get("Statement") {
        None => {
            flaws.error("missing-statement", node.place, "", "there is no `Statement`", "add `\"Statement\": [ … ]`");
            vec![]
        }
        Some(member) => statements(&member.node, language, flaws),
    };
    (flaws.errors() == before).then_some(Policy { version, id, statements })
}

/// The members whose keys the language knows. Others are told; of those that are only misspelled the value is read all the
/// same, so that what is wrong in it is told as well, and what was meant is not told to be missing.
fn elements<'a>(
    members: &'a [Member],
    known: &[&'static str],
    path: &str,
    whose: &str,
    flaws: &mut Flaws,
) -> BTreeMap<&'static str, &'a Member> {
    let (mut found, mut slips) = (BTreeMap::new(), vec![]);
    for member in members {
        let own = join_key(path, &member.key);
        if let Some(name) = known.iter().find(|name| **name == member.key) {
            found.insert(*name, member);
        } else if let Some(name) = known.iter().find(|name| name.eq_ignore_ascii_case(&member.key)) {
            let message = format!("`{}` is not an element: AWS spells it `{name}`", member.key);
            flaws.error("element-case", member.place, &own, message, "elements are written exactly as AWS has them");
            found.entry(*name).or_insert(member);
        } else {
            let help = match nearest(&member.key, known.iter().copied()) {
                Some(name) => {
                    slips.push((name, member));
                    format!("did you mean `{name}`?")
                }
                None => {
                    format!("known are {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
                }
            };
            flaws.error("unknown-element", member.place, &own, format!("{whose} has no `{}`", member.key), &help);
        }
    }
    for (name, member) in slips {
        found.entry(name).or_insert(member);
    }
    found
}

fn version(member: Option<&Member>, document: Place, language: Language, flaws: &mut Flaws) -> Version {
    let strict = !language.is_plain_iam();
    let Some(member) = member else {
        if strict {
            let message = "there is no `Version`; the only one that AWS accepts here, `2012-10-17`, is sent";
            flaws.warning("missing-version", document, "", message, "add `\"Version\": \"2012-10-17\"`");
            return Version::V2012;
        }
        let message = "there is no `Version`, which means `2008-10-17`: `${…}` is plain text";
        flaws.warning("missing-version", document, "", message, "add `\"Version\": \"2012-10-17\"`");
        return Version::V2008;
    };
    match &member.node.value {
        Value::String(text) if text == Version::V2012.as_str() => return Version::V2012,
        Value::String(text) if text == Version::V2008.as_str() && !strict => {
            let message = "`2008-10-17` is the old language: `${…}` is plain text";
            flaws.warning("old-version", member.node.place, "Version", message, "write `2012-10-17`");
            return Version::V2008;
        }
        Value::String(text) => {
            let message = format!("`{text}` is no version of the policy language");
            let help = "write `2012-10-17`: it names the language, it is not a date to update";
            flaws.error("invalid-version", member.node.place, "Version", message, help);
        }
        other => wrong_type(At { node: &member.node, path: "Version" }, "the string `2012-10-17`", other, flaws),
    }
    Version::V2012
}

fn statements(node: &Node, language: Language, flaws: &mut Flaws) -> Vec<Statement> {
    let mut sids: BTreeMap<String, (Place, String)> = BTreeMap::new();
    let mut out: Vec<Statement> = vec![];
    match &node.value {
        Value::Array(items) => {
            if items.is_empty() {
                flaws.error("empty-list", node.place, "Statement", "`Statement` is empty", "a policy has at least one");
            }
            for (index, item) in items.iter().enumerate() {
                let path = join_index("Statement", index);
                out.extend(statement(At { node: item, path: &path }, language, &mut sids, flaws));
            }
        }
        Value::Object(_) => out.extend(statement(At { node, path: "Statement" }, language, &mut sids, flaws)),
        other => wrong_type(At { node, path: "Statement" }, "a list of statements", other, flaws),
    }
    out
}

/// One statement; `None` where an element that it cannot be without is missing or broken, which then is told.
fn statement(
    at: At<'_>,
    language: Language,
    sids: &mut BTreeMap<String, (Place, String)>,
    flaws: &mut Flaws,
) -> Option<Statement> {
    let Value::Object(members) = &at.node.value else {
        wrong_type(at, "a statement, which is an object", &at.node.value, flaws);
        return None;
    };
    let found = elements(members, &ELEMENTS, at.path, "a statement", flaws);
    let sid = found.get("Sid").and_then(|member| sid(member, at.path, language, sids, flaws));
    let effect = effect(found.get("Effect").copied(), at, language, flaws);
    let principal = principal::read(&found, at, language, flaws);
    let action = scope(&found, at, ("Action", "NotAction"), flaws).map(|items| {
        items.map(|items| items.iter().filter(|item| action(item, language, flaws)).map(|i| i.text.clone()).collect())
    });
    if language == Language::ResourceControl
        && let Some(member) = found.get("NotAction")
    {
        let message = "a resource control policy has no `NotAction`";
        let help = "list the actions in `Action`; wildcards may stand anywhere after the service (`s3:*`)";
        flaws.error("not-action-in-rcp", member.place, &join_key(at.path, "NotAction"), message, help);
    }
    // A role's trust speaks of the role, and names no resource.
    let of_itself =
        language == Language::Resource && !found.contains_key("Resource") && !found.contains_key("NotResource");
    let spoken_of = if of_itself {
        Some(Scope::Only(vec![Item { text: "*".to_owned(), place: at.node.place, path: at.path.to_owned() }]))
    } else {
        scope(&found, at, ("Resource", "NotResource"), flaws)
    };
    let resource = spoken_of.map(|items| {
        items.map(|items| items.iter().filter(|item| resource(item, flaws)).map(|i| i.text.clone()).collect())
    });
    let condition = found.get("Condition").map_or_else(Vec::new, |member| {
        let path = join_key(at.path, "Condition");
        condition(At { node: &member.node, path: &path }, flaws)
    });
    Some(Statement {
        sid,
        effect: effect?,
        principal,
        action: action?.map(|values: &Vec<String>| unique(values)),
        resource: resource?.map(|values: &Vec<String>| unique(values)),
        condition,
    })
}

fn unique(values: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    values.iter().filter(|value| seen.insert(*value)).cloned().collect()
}

fn sid(
    member: &Member,
    path: &str,
    language: Language,
    sids: &mut BTreeMap<String, (Place, String)>,
    flaws: &mut Flaws,
) -> Option<String> {
    let path = join_key(path, "Sid");
    let sid = string(At { node: &member.node, path: &path }, flaws)?;
    if sid.is_empty() {
        return None;
    }
    let place = member.node.place;
    if let Some((first, at)) = sids.get(&sid) {
        let message = format!("`Sid` `{sid}` stands twice in the document");
        let related = first.related(at, false, "here first");
        let help = "give each statement a name of its own";
        flaws.error_beside("duplicate-sid", place, &path, message, help, related);
    } else {
        sids.insert(sid.clone(), (place, path.clone()));
    }
    // Services take any text in the policies of their resources: KMS itself begins a key's with `Enable IAM User Permissions`.
    if language != Language::Resource && !sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
        let message = format!("`Sid` `{sid}` holds more than letters and digits, which AWS may refuse");
        flaws.warning("sid-characters", place, &path, message, "use A-Z, a-z and 0-9");
    }
    Some(sid)
}

fn effect(member: Option<&Member>, at: At<'_>, language: Language, flaws: &mut Flaws) -> Option<Effect> {
    let Some(member) = member else {
        let message = "the statement has no `Effect`";
        flaws.error("missing-effect", at.node.place, at.path, message, "add `\"Effect\": \"Deny\"` or `\"Allow\"`");
        return None;
    };
    let path = join_key(at.path, "Effect");
    let text = string(At { node: &member.node, path: &path }, flaws)?;
    match text.as_str() {
        "Deny" => Some(Effect::Deny),
        "Allow" if language == Language::ResourceControl => {
            let message = "a resource control policy of your own can only deny";
            let help = "write `Deny`; what is allowed says RCPFullAWSAccess, which AWS attaches everywhere";
            flaws.error("allow-in-rcp", member.node.place, &path, message, help);
            Some(Effect::Allow)
        }
        "Allow" => Some(Effect::Allow),
        other => {
            let help = match nearest(other, ["Allow", "Deny"]) {
                Some(meant) => format!("write `{meant}`; case counts"),
                None => "write `Deny` or `Allow`".to_owned(),
            };
            flaws.error("invalid-effect", member.node.place, &path, format!("`{other}` is not an effect"), &help);
            None
        }
    }
}

/// One of two elements that exclude each other, as a list. `None` where neither is there or its list cannot be read.
fn scope(
    found: &BTreeMap<&'static str, &Member>,
    at: At<'_>,
    (only, all_but): (&'static str, &'static str),
    flaws: &mut Flaws,
) -> Option<Scope<Vec<Item>>> {
    let read = |name: &str, member: &Member, flaws: &mut Flaws| {
        let path = join_key(at.path, name);
        list(At { node: &member.node, path: &path }, flaws)
    };
    match (found.get(only), found.get(all_but)) {
        (Some(member), None) => Some(Scope::Only(read(only, member, flaws)?)),
        (None, Some(member)) => Some(Scope::AllBut(read(all_but, member, flaws)?)),
        (Some(member), Some(other)) => {
            let message = format!("a statement has `{only}` or `{all_but}`, not both");
            let help = "remove one, or split the statement in two";
            flaws.error("conflicting-elements", other.place, &join_key(at.path, all_but), message, help);
            Some(Scope::Only(read(only, member, flaws)?))
        }
        (None, None) => {
            let (rule, help) = if only == "Action" {
                ("missing-action", "name what it speaks of, such as `\"Action\": \"s3:*\"`")
            } else {
                ("missing-resource", "add `\"Resource\": \"*\"` to mean everything")
            };
            let message = format!("the statement has neither `{only}` nor `{all_but}`");
            flaws.error(rule, at.node.place, at.path, message, help);
            None
        }
    }
}

/// A string, or a list of strings that is not empty.
pub(super) fn list(at: At<'_>, flaws: &mut Flaws) -> Option<Vec<Item>> {
    let items = match &at.node.value {
        Value::String(text) => vec![Item { text: text.clone(), place: at.node.place, path: at.path.to_owned() }],
        Value::Array(items) => {
            if items.is_empty() {
                let message = format!("`{}` is empty, so the statement matches nothing", at.path);
                flaws.error("empty-list", at.node.place, at.path, message, "name at least one value");
            }
            let read = |(index, node)| {
                let path = join_index(at.path, index);
                let text = string(At { node, path: &path }, flaws)?;
                Some(Item { text, place: node.place, path })
            };
            items.iter().enumerate().filter_map(read).collect()
        }
        other => {
            wrong_type(at, "a string or a list of strings", other, flaws);
            return None;
        }
    };
    Some(items)
}

fn action(item: &Item, language: Language, flaws: &mut Flaws) -> bool {
    let text = item.text.as_str();
    let rcp = language == Language::ResourceControl;
    if text == "*" {
        if rcp {
            let message = "`*` alone is no action of a resource control policy";
            let help = "name the services, such as `s3:*`";
            flaws.error("bare-wildcard-in-rcp", item.place, &item.path, message, help);
        }
        return true;
    }
    let Some((service, name)) = text.split_once(':') else {
        if let Some(found) = template::find(text, false) {
            let message =
                format!("`{text}` is not an action: `{}` is {} that was not filled", found.text, found.noun());
            flaws.error("invalid-action", item.place, &item.path, message, &found.help());
            return false;
        }
        let message = format!("`{text}` is not an action");
        let help = "write `service:Action`, such as `s3:PutObject`, or `*`";
        flaws.error("invalid-action", item.place, &item.path, message, help);
        return false;
    };
    if let Some(found) = template::find(text, false).filter(|found| found.sure) {
        let message = format!("`{text}` is not an action: `{}` is {} that was not filled", found.text, found.noun());
        flaws.error("invalid-action", item.place, &item.path, message, &found.help());
        return false;
    }
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '?' | '-' | '_' | '.' | '/');
    if service.is_empty() || name.is_empty() || !text.chars().all(|c| c == ':' || letter(c)) || name.contains(':') {
        let message = format!("`{text}` is not an action");
        let help = "write `service:Action` with letters, digits, `-`, `*` and `?`, without spaces";
        flaws.error("invalid-action", item.place, &item.path, message, help);
        return false;
    }
    if service.contains(['*', '?']) {
        let message = format!("`{text}` has a wildcard in the service's name");
        let help = "name each service (`s3:*`, `ec2:*`)";
        if rcp {
            flaws.error("wildcard-in-service", item.place, &item.path, message, help);
        } else if service != "*" {
            flaws.warning(
                "wildcard-in-service",
                item.place,
                &item.path,
                format!("{message}, which AWS may refuse"),
                help,
            );
        }
    }
    true
}

fn resource(item: &Item, flaws: &mut Flaws) -> bool {
    let text = item.text.as_str();
    if text.starts_with("arn:") || text.starts_with('*') {
        return true;
    }
    if let Some(found) = template::find(text, true) {
        let message = format!("`{text}` is not a resource: `{}` is {} that was not filled", found.text, found.noun());
        flaws.error("invalid-resource", item.place, &item.path, message, &found.help());
        return false;
    }
    let message = format!("`{text}` is not a resource");
    let help = "write an ARN (`arn:aws:s3:::bucket/*`; wildcards are fine) or `*`";
    flaws.error("invalid-resource", item.place, &item.path, message, help);
    false
}

fn condition(at: At<'_>, flaws: &mut Flaws) -> Vec<Clause> {
    let Value::Object(blocks) = &at.node.value else {
        wrong_type(at, "an object of condition operators", &at.node.value, flaws);
        return vec![];
    };
    if blocks.is_empty() {
        flaws.warning(
            "empty-condition",
            at.node.place,
            at.path,
            "`Condition` is empty and restricts nothing",
            "remove it",
        );
    }
    let mut out: Vec<Clause> = vec![];
    let mut seen: BTreeMap<(Operator, String), (Place, String)> = BTreeMap::new();
    for block in blocks {
        let path = join_key(at.path, &block.key);
        let Some(operator) = Operator::parse(&block.key) else {
            let help = match Operator::suggest(&block.key) {
                Some(_) if block.key.to_ascii_lowercase().ends_with("nullifexists") => {
                    "`Null` itself tests whether the key is there: write `Null`".to_owned()
                }
                Some(name) => format!("did you mean `{name}`?"),
                None => "see the IAM page \"Condition operators\" for the list".to_owned(),
            };
            let message = format!("`{}` is not a condition operator", block.key);
            flaws.error("unknown-operator", block.place, &path, message, &help);
            continue;
        };
        let Value::Object(keys) = &block.node.value else {
            let at = At { node: &block.node, path: &path };
            wrong_type(at, "an object of condition keys and values", &block.node.value, flaws);
            continue;
        };
        if keys.is_empty() {
            let message = format!("`{operator}` is empty and restricts nothing");
            flaws.warning("empty-condition", block.node.place, &path, message, "remove it");
        }
        for key in keys {
            let path = join_key(&path, &key.key);
            let first = seen.insert((operator, key.key.to_ascii_lowercase()), (key.place, path.clone()));
            if let Some((first, at)) = first {
                let message = format!("`{operator}` tests `{}` a second time (case does not count)", key.key);
                let related = first.related(&at, true, "here first");
                let help = "put the values in one list";
                flaws.error_beside("duplicate-key", key.place, &path, message, help, related);
            }
            condition_key(key, &path, flaws);
            let values = condition_values(At { node: &key.node, path: &path }, flaws);
            out.push(Clause { operator, key: key.key.clone(), values: unique(&values) });
        }
    }
    out
}

fn condition_key(key: &Member, path: &str, flaws: &mut Flaws) {
    let parts = key.key.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
    if parts && !key.key.chars().any(|c| c.is_control()) {
        return;
    }
    if let Some(found) = template::find(&key.key, false) {
        let message =
            format!("`{}` is not a condition key: `{}` is {} that was not filled", key.key, found.text, found.noun());
        flaws.error("invalid-condition-key", key.place, path, message, &found.help());
        return;
    }
    let message = format!("`{}` is not a condition key", key.key);
    let help = "keys are written `service:Name`, such as `aws:PrincipalArn`";
    flaws.error("invalid-condition-key", key.place, path, message, help);
}

/// Strings, booleans and numbers, one or a list; AWS reads each as text.
fn condition_values(at: At<'_>, flaws: &mut Flaws) -> Vec<String> {
    let scalar = |node: &Node| match &node.value {
        Value::String(text) | Value::Number(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    };
    if let Some(value) = scalar(at.node) {
        return vec![value];
    }
    let Value::Array(items) = &at.node.value else {
        wrong_type(at, "a string, a boolean, a number, or a list of these", &at.node.value, flaws);
        return vec![];
    };
    if items.is_empty() {
        let message = format!("`{}` has no values", at.path);
        flaws.error("empty-list", at.node.place, at.path, message, "name at least one value");
    }
    let mut out = vec![];
    for (index, item) in items.iter().enumerate() {
        match scalar(item) {
            Some(value) => out.push(value),
            None => {
                let path = join_index(at.path, index);
                wrong_type(At { node: item, path: &path }, "a string, a boolean or a number", &item.value, flaws);
            }
        }
    }
    out
}

pub(super) fn string(at: At<'_>, flaws: &mut Flaws) -> Option<String> {
    match &at.node.value {
        Value::String(text) => Some(text.clone()),
        other => {
            wrong_type(at, "a string", other, flaws);
            None
        }
    }
}

pub(super) fn wrong_type(at: At<'_>, expected: &str, found: &Value, flaws: &mut Flaws) {
    let what = if at.path.is_empty() { "the document" } else { at.path };
    let message = format!("`{what}` is {}; expected {expected}", found.kind());
    flaws.error("wrong-type", at.node.place, at.path, message, "");
}
