//! The names of things: AWS ids, policy types, object keys and tags, parsed once and never again.
//!
//! Pure. Every other room builds on this one; it imports none of them.

mod tags;
pub mod words;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use tags::Tags;

/// Prefix of every tag and annotation that belongs to bylaw.
pub const PREFIX: &str = "bylaw.dev/";
/// Tag: `Kind/name` of the Kubernetes object that an AWS object answers to.
pub const TAG_RESOURCE: &str = "bylaw.dev/resource";
/// Tag: name of the `Organization` object whose bylaw created or adopted the AWS object.
pub const TAG_MANAGED_BY: &str = "bylaw.dev/managed-by";
/// Tag: `true` on an AWS object that bylaw took over; one that it created does not carry it.
pub const TAG_ADOPTED: &str = "bylaw.dev/adopted";
/// Tag: `Delete` or `Close` where the object opted in to the deletion of its AWS counterpart.
pub const TAG_DELETION: &str = "bylaw.dev/deletion-policy";
/// Tag: RFC 3339 time until which bylaw leaves the tagged node and everything below it alone.
pub const TAG_HOLD: &str = "bylaw.dev/hold";
/// Tag on the root: `holder@until` of the one writer.
pub const TAG_LEASE: &str = "bylaw.dev/lease";
/// Target of the spans that become traces. They are of the lowest level: unless somebody asks for traces they cost nothing.
pub const SPANS: &str = "bylaw::spans";
/// Annotation: the AWS id that a manifest is bound to (written by `bylaw import`).
pub const ANNOTATION_ID: &str = "bylaw.dev/id";
/// Annotation: who answers for an object (a team, an address): `bylaw why` names them to whoever is denied something.
pub const ANNOTATION_OWNER: &str = "bylaw.dev/owner";
/// Annotation: the object takes over the AWS object that another Organization object manages: `true`, or the name of that
/// other one. On an Organization it holds for all of its objects.
pub const ANNOTATION_TAKE_OVER: &str = "bylaw.dev/take-over";
/// Annotation with the findings of lint that are not to be told: `RULE reason; RULE2 reason`.
pub const ANNOTATION_LINT_IGNORE: &str = "bylaw.dev/lint-ignore";
/// Annotation whose every new value asks for a pass.
pub const ANNOTATION_RECONCILE_AT: &str = "bylaw.dev/reconcile-at";
/// Annotation with the name, as the API server knows it, of who made what an object says now: this person does not approve
/// it.
pub const ANNOTATION_AUTHOR: &str = "bylaw.dev/author";

/// A value that does not have the form its name asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not {expected}")]
pub struct NameError {
    /// What was given.
    pub given: String,
    /// What was expected, as a noun phrase.
    pub expected: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as AWS writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(NameError { given: text.to_owned(), expected: $expected })
                }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "description": $expected})
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

fn lower_alnum(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn is_unit_id(text: &str) -> bool {
    text.strip_prefix("ou-").and_then(|rest| rest.split_once('-')).is_some_and(|(root, own)| {
        (4..=32).contains(&root.len()) && (8..=32).contains(&own.len()) && lower_alnum(root) && lower_alnum(own)
    })
}

id!(
    /// A 12-digit AWS account id; leading zeros count.
    AccountId, "an account id (12 digits)",
    |t| t.len() == 12 && t.bytes().all(|b| b.is_ascii_digit())
);
id!(
    /// An organization's root, `r-` and 4 to 32 characters (aws-facts section 2).
    RootId, "a root id (`r-…`)",
    |t| t.strip_prefix("r-").is_some_and(|r| (4..=32).contains(&r.len()) && lower_alnum(r))
);
id!(
    /// An organizational unit, `ou-<root>-<own>`.
    UnitId, "an organizational unit id (`ou-…-…`)", is_unit_id
);
id!(
    /// A policy, `p-…`; AWS-managed ones are named in words (`p-FullAWSAccess`).
    PolicyId, "a policy id (`p-…`)",
    |t| t.strip_prefix("p-").is_some_and(|r| (8..=128).contains(&r.len())
        && r.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
);
id!(
    /// An organization, `o-` and 10 to 32 characters.
    OrganizationId, "an organization id (`o-…`)",
    |t| t.strip_prefix("o-").is_some_and(|r| (10..=32).contains(&r.len()) && lower_alnum(r))
);

/// A node of the organization tree: what a policy can be attached to, and what carries tags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeId {
    /// The root.
    Root(RootId),
    /// An organizational unit.
    Unit(UnitId),
    /// An account.
    Account(AccountId),
}

impl NodeId {
    /// The id as AWS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Root(id) => id.as_str(),
            Self::Unit(id) => id.as_str(),
            Self::Account(id) => id.as_str(),
        }
    }
}
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
impl FromStr for NodeId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.as_bytes().first() {
            Some(b'r') => text.parse().map(Self::Root),
            Some(b'o') => text.parse().map(Self::Unit),
            _ => text.parse().map(Self::Account),
        }
        .map_err(|_: NameError| NameError { given: text.to_owned(), expected: "the id of a root, OU or account" })
    }
}
impl From<RootId> for NodeId {
    fn from(id: RootId) -> Self {
        Self::Root(id)
    }
}
impl From<UnitId> for NodeId {
    fn from(id: UnitId) -> Self {
        Self::Unit(id)
    }
}
impl From<AccountId> for NodeId {
    fn from(id: AccountId) -> Self {
        Self::Account(id)
    }
}
impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}
impl JsonSchema for NodeId {
    fn schema_name() -> Cow<'static, str> {
        "NodeId".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "the id of a root (`r-…`), OU (`ou-…`) or account (12 digits)"})
    }
}
impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A policy type as AWS spells it; types that AWS adds later pass through unknown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PolicyType(Box<str>);

/// What AWS says of one policy type: quotas of aws-facts section 2 ("Attach per root/OU/account", "Max document").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyTypeRule {
    /// The type as AWS spells it.
    pub name: &'static str,
    /// Most characters of one document, counted as sent.
    pub max_characters: usize,
    /// Most policies of the type attached to one root, OU or account.
    pub max_attached: usize,
    /// Most policies of the type in an organization.
    pub max_policies: usize,
    /// The document is made of IAM statements (SCP, RCP) and not of `@@` operators.
    pub statements: bool,
    /// The AWS-managed policy that every node starts with, if the type has one.
    pub default_policy: Option<&'static str>,
}

const fn management(name: &'static str, max_characters: usize, max_attached: usize) -> PolicyTypeRule {
    PolicyTypeRule { name, max_characters, max_attached, max_policies: 1000, statements: false, default_policy: None }
}

/// All policy types known today. A type that is not here gets the tightest quotas of the management policies.
pub const POLICY_TYPES: &[PolicyTypeRule] = &[
    PolicyTypeRule {
        name: "SERVICE_CONTROL_POLICY",
        max_characters: 10_240,
        max_attached: 10,
        max_policies: 10_000,
        statements: true,
        default_policy: Some("p-FullAWSAccess"),
    },
    PolicyTypeRule {
        name: "RESOURCE_CONTROL_POLICY",
        max_characters: 5_120,
        max_attached: 5,
        max_policies: 2_000,
        statements: true,
        default_policy: Some("p-RCPFullAWSAccess"),
    },
    management("TAG_POLICY", 10_000, 10),
    management("BACKUP_POLICY", 10_000, 10),
    management("AISERVICES_OPT_OUT_POLICY", 2_500, 5),
    management("CHATBOT_POLICY", 10_000, 5),
    management("DECLARATIVE_POLICY_EC2", 10_000, 10),
    management("SECURITYHUB_POLICY", 10_000, 10),
    management("INSPECTOR_POLICY", 10_000, 10),
    management("UPGRADE_ROLLOUT_POLICY", 10_000, 10),
    management("BEDROCK_POLICY", 10_000, 10),
    management("S3_POLICY", 10_000, 10),
    management("NETWORK_SECURITY_DIRECTOR_POLICY", 10_000, 10),
    management("GUARDDUTY_POLICY", 10_000, 10),
];

const UNKNOWN_TYPE: PolicyTypeRule = management("", 2_500, 5);

impl PolicyType {
    /// The service control policy type.
    #[must_use]
    pub fn scp() -> Self {
        Self("SERVICE_CONTROL_POLICY".into())
    }
    /// The resource control policy type.
    #[must_use]
    pub fn rcp() -> Self {
        Self("RESOURCE_CONTROL_POLICY".into())
    }
    /// The type of that name, known or not.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }
    /// The name as AWS spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether [`POLICY_TYPES`] has it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        POLICY_TYPES.iter().any(|rule| rule.name == &*self.0)
    }
    /// What people call it: `SCP`, `RCP`, `TAG`, `BACKUP`, `EC2`.
    #[must_use]
    pub fn short(&self) -> &str {
        match &*self.0 {
            "SERVICE_CONTROL_POLICY" => "SCP",
            "RESOURCE_CONTROL_POLICY" => "RCP",
            name => name.strip_prefix("DECLARATIVE_POLICY_").or_else(|| name.strip_suffix("_POLICY")).unwrap_or(name),
        }
    }
    /// The quotas and the language of the type.
    #[must_use]
    pub fn rule(&self) -> &'static PolicyTypeRule {
        POLICY_TYPES.iter().find(|rule| rule.name == &*self.0).unwrap_or(&UNKNOWN_TYPE)
    }
}
impl fmt::Display for PolicyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The kinds of group `bylaw.dev` that describe the organization itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// The organization and its root.
    Organization,
    /// An organizational unit.
    OrganizationalUnit,
    /// A member account.
    Account,
    /// A policy of any AWS Organizations type.
    OrganizationPolicy,
}

impl Kind {
    /// Every kind, in the order in which objects depend on one another.
    pub const ALL: [Self; 4] = [Self::Organization, Self::OrganizationalUnit, Self::Account, Self::OrganizationPolicy];

    /// The kind as Kubernetes spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "Organization",
            Self::OrganizationalUnit => "OrganizationalUnit",
            Self::Account => "Account",
            Self::OrganizationPolicy => "OrganizationPolicy",
        }
    }
}
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// `Kind/name` of a Kubernetes object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: Kind,
    /// Its `metadata.name`.
    pub name: Box<str>,
}

impl ObjectKey {
    /// The key of an object.
    #[must_use]
    pub fn new(kind: Kind, name: &str) -> Self {
        Self { kind, name: name.into() }
    }
}
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_none() && f.precision().is_none() {
            return write!(f, "{}/{}", self.kind, self.name);
        }
        f.pad(&format!("{}/{}", self.kind, self.name))
    }
}
impl FromStr for ObjectKey {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        text.split_once('/')
            .and_then(|(kind, name)| {
                let kind = Kind::ALL.into_iter().find(|k| k.as_str() == kind)?;
                (!name.is_empty()).then(|| Self::new(kind, name))
            })
            .ok_or_else(|| NameError { given: text.to_owned(), expected: "an object (`Kind/name`)" })
    }
}
impl Serialize for ObjectKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for ObjectKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether a pattern with `*` (any characters) and `?` (one character) matches the whole text.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    if !pattern.contains(['*', '?']) {
        return pattern == text;
    }
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || Some(c) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((after, at)) => {
                    star = Some((after, at + 1));
                    p = after;
                    t = at + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_none_or(|rest| rest.iter().all(|c| *c == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_texts() {
        for (pattern, text, want) in [
            ("*", "", true),
            ("aws-guardrails-*", "aws-guardrails-x", true),
            ("aws-guardrails-*", "my-aws-guardrails-x", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xaxbab", true),
            ("*a*b", "xaxbabc", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(glob(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn ids_keep_their_form() {
        assert!("012345678901".parse::<AccountId>().is_ok());
        for bad in ["12345678901", "1234567890123", "12345678901a", ""] {
            assert!(bad.parse::<AccountId>().is_err(), "{bad}");
        }
        assert!("ou-abcd-12345678".parse::<UnitId>().is_ok());
        assert!("ou-abcd".parse::<UnitId>().is_err());
        assert!("p-FullAWSAccess".parse::<PolicyId>().is_ok());
        assert!(matches!("r-abcd".parse(), Ok(NodeId::Root(_))));
        assert!(matches!("ou-abcd-12345678".parse(), Ok(NodeId::Unit(_))));
        assert!(matches!("012345678901".parse(), Ok(NodeId::Account(_))));
        assert_eq!("Account/a".parse::<ObjectKey>(), Ok(ObjectKey::new(Kind::Account, "a")));
        assert!("Secret/a".parse::<ObjectKey>().is_err());
    }

    #[test]
    fn unknown_types_get_the_tightest_quotas() {
        let later = PolicyType::new("POLICY_OF_2030");
        assert!(!later.is_known());
        assert_eq!(later.rule().max_attached, 5);
    }
}
