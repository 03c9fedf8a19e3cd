//! What AWS authorizes of one call: the action on each of its resources, and the actions that it needs besides.
//!
//! A call is allowed only if each of these is. A request's tags are in the context of what the call creates and of nothing
//! else: `ec2:CreateSubnet` is authorized on the new subnet, with `aws:RequestTag/…`, and on the VPC, without it.
//!
//! Sources: Service Authorization Reference, "Reference for service actions" (resource types of an action, condition keys of
//! an action and of its resource types, dependent actions); EC2 user guide, "Grant permission to tag Amazon EC2 resources
//! during creation"; IAM user guide, "Grant a user permissions to pass a role to an AWS service".

use super::pattern;
use super::services::{Action, ActionResource, Level, as_pattern, is_listed, key_matches, service};

mod tables;
#[cfg(test)]
mod tests;

const REQUEST_TAG: &str = "aws:RequestTag/${TagKey}";
const PASS_ROLE: &str = "iam:PassRole";

/// Whether every call is authorized on a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Every call is.
    Always,
    /// Every call is on one of the legs with the same number.
    OneOf(usize),
    /// Some calls are.
    Perhaps,
}

/// Whether the tags that a request sends are in the context of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// They are not.
    No,
    /// AWS documents them for the action, and not for which of its resources.
    Unsure,
    /// They are.
    Yes,
}

/// An action on one type of resource.
#[derive(Debug, Clone, Copy)]
pub struct Leg {
    action: Action,
    on: Option<ActionResource>,
    /// Whether every call has it.
    pub need: Need,
}

/// When a call needs a dependent action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// When the request sends tags.
    Tagged,
    /// When the request sends tags, in services of which AWS does not document whether they ask for it then.
    MayTag,
    /// Always, since it always passes a role.
    PassesRole,
    /// When the request passes a role.
    MayPassRole,
    /// AWS does not say: "additional permissions that may be required".
    Perhaps,
}

impl When {
    /// When, for people: `if …`, or nothing where that is always.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Tagged => "if the request sends tags",
            Self::MayTag => "if the request sends tags, and the service asks for it then",
            Self::PassesRole => "",
            Self::MayPassRole => "if the request passes a role",
            Self::Perhaps => "if the call needs it",
        }
    }
}

/// An action that a call needs besides its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependent {
    /// The action.
    pub action: Action,
    /// When it is needed.
    pub when: When,
}

/// The legs of an action, in the order of AWS's reference; one without a resource where it has no resource types.
#[must_use]
pub fn legs(action: Action) -> Vec<Leg> {
    let resources: Vec<ActionResource> = action.resources().collect();
    if resources.is_empty() {
        return vec![Leg { action, on: None, need: Need::Always }];
    }
    let required =
        |on: &ActionResource| on.required || tables::REQUIRED.contains(&(action.to_string().as_str(), on.kind.name));
    let of_tags = is_of_tags(action);
    let several = resources.iter().filter(|on| required(on)).count() > 1;
    let alternative = |on: &ActionResource| {
        if of_tags {
            return several.then_some(0);
        }
        let one_of = |(prefix, kinds): &(&str, &[&str])| {
            let listed = |on: &ActionResource| required(on) && kinds.contains(&on.kind.name);
            *prefix == action.service.prefix && listed(on) && resources.iter().filter(|on| listed(on)).count() > 1
        };
        tables::ALTERNATIVES.iter().position(one_of).map(|at| at + 1)
    };
    let need = |on: &ActionResource| match alternative(on) {
        _ if !required(on) => Need::Perhaps,
        Some(group) => Need::OneOf(group),
        None => Need::Always,
    };
    resources.iter().map(|on| Leg { action, on: Some(*on), need: need(on) }).collect()
}

/// The actions that a call needs besides its own.
#[must_use]
pub fn dependents(action: Action) -> Vec<Dependent> {
    let own = action.to_string();
    let mut names: Vec<&str> = action.dependents().filter(|dependent| *dependent != own).collect();
    names.sort_unstable();
    names.dedup();
    let listed = names.into_iter().filter_map(super::services::action);
    let mut found: Vec<Dependent> =
        listed.map(|dependent| Dependent { action: dependent, when: when(action, dependent) }).collect();
    let tags = |one: &Dependent| one.when == When::Tagged && one.action.service.prefix == action.service.prefix;
    if !found.iter().any(tags) {
        found.extend(tagging(action));
    }
    found
}

/// The tagging actions of the service that a call which creates something with tags needs, or may need, where the reference names
/// none for it.
fn tagging(action: Action) -> Vec<Dependent> {
    let name = action.name();
    let writes = matches!(action.level(), Level::Write | Level::Permissions);
    if !writes || tables::CREATES_NOTHING.iter().any(|verb| name.starts_with(verb)) || !creates_with_tags(action) {
        return vec![];
    }
    let sets = |tags: &Action| {
        tags.level() == Level::Tagging && tables::SETS_TAGS.iter().any(|verb| tags.name().starts_with(verb))
    };
    let mut found: Vec<Action> = action.service.actions().filter(sets).collect();
    let created: Vec<Leg> = legs(action).into_iter().filter(|leg| leg.reach_of(REQUEST_TAG) > Reach::No).collect();
    let takes = |tags: &Action| {
        tags.resources().any(|on| created.iter().any(|leg| leg.on.is_some() && leg.name() == on.kind.name))
    };
    // Where nothing in common is listed, it may be any of them.
    if found.iter().any(takes) {
        found.retain(takes);
    }
    let own = action.to_string();
    let documented = |tags: &Action| {
        let row = |(of, names): &&(&str, &[&str])| own.starts_with(of) && names.contains(&tags.name());
        tables::TAGGING.iter().any(|entry| row(&entry))
    };
    let when = if found.iter().any(documented) { When::Tagged } else { When::MayTag };
    if when == When::Tagged {
        found.retain(documented);
    }
    found.into_iter().map(|action| Dependent { action, when }).collect()
}

fn creates_with_tags(action: Action) -> bool {
    legs(action).iter().any(|leg| leg.reach_of(REQUEST_TAG) > Reach::No)
}

fn when(action: Action, dependent: Action) -> When {
    let passes = || {
        let of =
            |(prefix, names): &&(&str, &[&str])| *prefix == action.service.prefix && names.contains(&action.name());
        if tables::PASS_A_ROLE.iter().any(|row| of(&row)) { When::PassesRole } else { When::MayPassRole }
    };
    match dependent.level() {
        _ if dependent.to_string() == PASS_ROLE => passes(),
        // A service that tags what it makes in another (the secret of a database) does so whatever the request sends.
        Level::Tagging if dependent.service.prefix == action.service.prefix => When::Tagged,
        _ => When::Perhaps,
    }
}

/// The condition key by which a tagging action learns which call sends the tags, where it has one; its value is the name of
/// the calling action without its service.
#[must_use]
pub fn created_by(tagging: Action) -> Option<&'static str> {
    let name = tagging.to_string();
    tables::CREATED_BY.iter().find(|(action, _)| *action == name).map(|(_, key)| *key)
}

/// Whether the tags that a request of the action sends are in the context of the authorization on a type of resource, by its
/// name in AWS's reference (`subnet`).
#[must_use]
pub fn tag_reaches(action: Action, resource_type: &str) -> Reach {
    let on = legs(action).into_iter().find(|leg| leg.name() == resource_type);
    on.map_or(Reach::No, |leg| leg.reach_of(REQUEST_TAG))
}

/// Whether a call on one leg is not on the other as well, though AWS's reference marks neither as required: one resource is tagged at
/// a time, and what is reached through an access point of S3 is authorized on the access point (S3 user guide, "Configuring IAM
/// policies for using access points").
#[must_use]
pub fn are_alternatives(one: &Leg, other: &Leg) -> bool {
    let is_access_point = |leg: &Leg| leg.name().starts_with("accesspoint");
    match (one.need, other.need) {
        (Need::OneOf(group), Need::OneOf(other)) => group == other,
        (Need::Perhaps, Need::Perhaps) if is_of_tags(one.action) => true,
        _ => one.action.service.prefix == "s3" && is_access_point(one) != is_access_point(other),
    }
}

/// Whether its calls set, remove or list the tags of one resource.
fn is_of_tags(action: Action) -> bool {
    action.level() == Level::Tagging || action.name().starts_with("ListTags")
}

/// `subnet` of `CreateSubnet`, in lower-case letters and digits.
fn bare(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

impl Leg {
    /// The action.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// The resource; `None` where the action has none, and is authorized on `*`.
    #[must_use]
    pub fn resource(&self) -> Option<ActionResource> {
        self.on
    }

    /// Name of the resource type in AWS's reference, or `*`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.on.map_or("*", |on| on.kind.name)
    }

    /// The ARNs of its resources, with templates.
    pub fn arns(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.on.into_iter().flat_map(|on| on.kind.arns.iter().copied())
    }

    /// Whether it is authorized on that resource.
    #[must_use]
    pub fn is_of(&self, resource: &str) -> bool {
        self.arns().any(|arn| pattern::matches(&as_pattern(arn), resource, false))
    }

    /// Whether the tags that the request sends are in its context.
    #[must_use]
    pub fn tags(&self) -> Reach {
        self.reach_of(REQUEST_TAG)
    }

    /// The same of one key: `aws:RequestTag/…` or `aws:TagKeys`.
    fn reach_of(&self, key: &str) -> Reach {
        let here = |on: &ActionResource| on.keys_here().any(|known| key_matches(known.name, key));
        match &self.on {
            Some(on) if here(on) => Reach::Yes,
            // Where the reference tells the resources apart, it is not on those that it leaves out.
            _ if self.action.resources().any(|on| here(&on)) => Reach::No,
            _ if !self.action.own_keys().any(|known| key_matches(known.name, key)) => Reach::No,
            _ if self.is_created() => Reach::Yes,
            _ => Reach::Unsure,
        }
    }

    /// Whether it is what the action creates or tags, as far as names tell.
    fn is_created(&self) -> bool {
        let Some(on) = &self.on else { return true };
        let sole = self.action.resources().filter(|on| on.required).count() == 1 && on.required;
        sole || self.action.level() == Level::Tagging || bare(self.action.name()).ends_with(&bare(on.kind.name))
    }

    /// Whether it never has the key in its context: a key of a service, or of a tag, that AWS's reference lists neither for the
    /// action nor for the resource; for another resource of the same call only where the service keeps their contexts apart.
    #[must_use]
    pub fn never_carries(&self, key: &str) -> bool {
        if !is_listed(key) {
            return false;
        }
        let lower = key.to_ascii_lowercase();
        let rest = lower.split_once(':').map_or("", |(_, rest)| rest);
        if lower == "aws:tagkeys" || lower.starts_with("aws:requesttag/") {
            return self.reach_of(key) == Reach::No;
        }
        let known = |known: &'static super::services::Key| key_matches(known.name, key);
        if self.action.own_keys().any(known) {
            return false;
        }
        let of_tags = rest.starts_with("resourcetag/");
        // Most services put the keys of one resource in the context of the others of the call too.
        if !of_tags && !tables::APART.contains(&self.action.service.prefix) {
            return !self.action.carries(key);
        }
        let Some(on) = &self.on else { return true };
        // A resource that is created has no tags yet, and the reference lists the key for its type, not for it here.
        if of_tags && on.keys_here().next().is_some() {
            return !on.keys_here().any(known);
        }
        !on.keys().any(known)
    }
}

impl PartialEq for Leg {
    fn eq(&self, other: &Self) -> bool {
        self.action == other.action && self.name() == other.name() && self.need == other.need
    }
}
impl Eq for Leg {}

/// The account, partition and region that templates of ARNs stand for, where they are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// The partition.
    pub partition: Option<&'a str>,
    /// The region.
    pub region: Option<&'a str>,
    /// The account.
    pub account: Option<&'a str>,
}

impl Place<'_> {
    /// A template of an ARN as a pattern of the resources there, each other template `*`.
    #[must_use]
    pub fn pattern(&self, arn: &str) -> String {
        let fill = |text: String, name: &str, value: Option<&str>| match value {
            Some(value) => text.replace(name, value),
            None => text,
        };
        let filled = fill(arn.to_owned(), "${Partition}", self.partition);
        let filled = fill(filled, "${Region}", self.region);
        as_pattern(&fill(filled, "${Account}", self.account))
    }
}

/// Whether a service of that prefix is known whole, so that what its actions lack in the reference is surely not there.
#[must_use]
pub fn is_whole(prefix: &str) -> bool {
    service(prefix).is_some_and(super::services::Service::is_whole)
}
