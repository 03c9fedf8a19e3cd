//! What each object says of itself beyond its schema: ids, tags, and what only one object may claim.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::build::Build;
use super::model::Issue;
use super::read::Manifest;
use super::report::quoted;
use super::schema::{Finding, push_key};
use super::tree::{Entry, Form, Node, Place};
use crate::names::{AccountId, Kind, OrganizationId, PREFIX, PolicyId, UnitId};

/// Keys and values of tags (aws-facts section 2).
static TAG: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$").ok());

/// Checks every usable object.
pub(super) fn all(cx: &mut Build<'_>) {
    let found: Vec<(usize, Issue)> =
        cx.sound().filter_map(|(index, manifest, key, _)| Some((index, check_id(manifest, key.kind)?))).collect();
    for (index, issue) in found {
        cx.fail(index, issue);
    }
    unique_ids(cx);
}

/// Tags that AWS refuses, or that are bylaw's own, by entry; the schema knows only their lengths.
pub(super) fn tags(root: &Node, findings: &mut Vec<Finding>) {
    const ALLOWED: &str = "letters, digits, spaces and `_.:/=+-@` are allowed";
    let Some(Form::Map(entries)) = root.get("spec").and_then(|spec| spec.get("tags")).map(|tags| &tags.form) else {
        return;
    };
    let fits = |text: &str| TAG.as_ref().is_none_or(|regex| regex.is_match(text));
    for Entry { key, place, node, .. } in entries {
        let mut field = "spec.tags".to_owned();
        push_key(&mut field, key);
        let mut add = |place: Place, message: String, help: &str| {
            let help = Some(help.to_owned()).filter(|help| !help.is_empty());
            findings.push(Finding { rule: "wrong-tag", place, field: field.clone(), message, help });
        };
        let shown = quoted(key);
        let length = key.chars().count();
        let lower = key.to_ascii_lowercase();
        if lower.starts_with("aws:") {
            let message = format!("the tag key `{shown}` begins with `aws:`, which AWS keeps for itself");
            add(*place, message, "choose another key");
        } else if lower.starts_with(PREFIX) {
            let message = format!("the tag key `{shown}` begins with `{PREFIX}`, which is bylaw's own");
            add(*place, message, "leave it out: bylaw sets its tags by itself");
        } else if length == 0 || length > 128 {
            add(*place, format!("a tag key has 1 to 128 characters; this one has {length}"), "");
        } else if !fits(key) {
            add(*place, format!("the tag key `{shown}` has a character that AWS does not allow"), ALLOWED);
        }
        if let Some(value) = node.text().filter(|value| !fits(value)) {
            let message = format!("the tag value `{}` has a character that AWS does not allow", quoted(value));
            add(node.place, message, ALLOWED);
        }
    }
}

const ID: &str = "metadata.annotations[\"bylaw.dev/id\"]";

fn check_id(manifest: &Manifest, kind: Kind) -> Option<Issue> {
    let id = manifest.id.as_deref()?;
    let error = match kind {
        Kind::Organization => id.parse::<OrganizationId>().err(),
        Kind::OrganizationalUnit => id.parse::<UnitId>().err(),
        Kind::Account => id.parse::<AccountId>().err(),
        Kind::OrganizationPolicy => id.parse::<PolicyId>().err(),
    }?;
    let message = format!("`{}` is not {}", quoted(&error.given), error.expected);
    let help = "leave the annotation out and the object is found by name, or run `bylaw import` to see the ids";
    Some(manifest.error("wrong-id", ID, message).help(help))
}

/// No two objects may be bound to one AWS object. Unusable objects count: one of the two may be the right one.
fn unique_ids(cx: &mut Build<'_>) {
    let mut seen: HashMap<(Kind, &str), usize> = HashMap::new();
    let mut twice = Vec::new();
    for (index, manifest, key) in
        cx.sound().map(|(index, manifest, key, _)| (index, manifest, key)).chain(cx.unusable())
    {
        let Some(id) = cx.id(manifest) else { continue };
        match seen.get(&(key.kind, id)) {
            // Two documents of one key are told already.
            Some(first) if cx.manifest(*first).and_then(|m| m.key.as_ref()) != Some(key) => {
                twice.push((*first, index, id));
            }
            Some(_) => {}
            None => {
                seen.insert((key.kind, id), index);
            }
        }
    }
    for (first, second, id) in twice {
        let message = format!("two objects are bound to `{}`", quoted(id));
        claim(cx, "duplicate-id", ID, first, second, &message, "bind each AWS object to one manifest");
    }
}

/// Two objects claim what only one can have: in files neither is used, since nothing tells whose it is.
pub(super) fn claim(
    cx: &mut Build<'_>,
    rule: &'static str,
    field: &str,
    first: usize,
    second: usize,
    message: &str,
    help: &str,
) {
    if !cx.claims_are_errors {
        return;
    }
    let (Some(a), Some(b)) = (cx.manifest(first), cx.manifest(second)) else { return };
    let (first, second, a, b) = if a.origin <= b.origin { (first, second, a, b) } else { (second, first, b, a) };
    let label = a.label().unwrap_or_default();
    let issue = b.error(rule, field, message).help(help).related(a.place(field), format!("the other is `{label}`"));
    cx.fail(second, issue);
    if let Some(broken) = cx.broken.get_mut(first) {
        *broken = true;
    }
}
