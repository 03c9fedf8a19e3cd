//! The IAM policy language as values: what an SCP, an RCP and the delegation policy are made of.
//!
//! Values are as the user wrote them (spelling, order, without repetitions); [`super::canonical`] folds what has no
//! meaning. An evaluator needs no more than these types.

use super::condition::Operator;
use crate::names::PolicyType;

/// Name of the type under which the organization's resource policy (delegation policy) is read. It is not a policy type
/// of AWS: AWS keeps one such document an organization, by `PutResourcePolicy`.
pub const DELEGATION_POLICY: &str = "DELEGATION_POLICY";

/// Names of the documents outside of AWS Organizations that lint reads; no policy types of AWS either.
pub const IDENTITY_POLICY: &str = "IDENTITY_POLICY";
/// A policy of a bucket, key, queue or role trust: who may use the resource.
pub const RESOURCE_POLICY: &str = "RESOURCE_POLICY";
/// A policy of a VPC endpoint: what may be done through it. AWS's own allows everything to everyone, and it grants nothing.
pub const VPC_ENDPOINT_POLICY: &str = "VPC_ENDPOINT_POLICY";
/// A policy passed to `sts:AssumeRole`.
pub const SESSION_POLICY: &str = "SESSION_POLICY";
/// A policy that bounds what an identity may be allowed.
pub const PERMISSIONS_BOUNDARY: &str = "PERMISSIONS_BOUNDARY";

/// Most characters of documents outside of AWS Organizations, without white space (IAM user guide, "IAM and STS quotas": a
/// managed policy, a session policy; Amazon S3 user guide: a bucket policy, the largest of the common resource policies; AWS
/// PrivateLink guide, "Quotas": an endpoint policy, white space counted, so that more may be refused than is told).
const OUTSIDE: [(&str, usize); 5] = [
    (IDENTITY_POLICY, 6_144),
    (PERMISSIONS_BOUNDARY, 6_144),
    (SESSION_POLICY, 2_048),
    (RESOURCE_POLICY, 20_480),
    (VPC_ENDPOINT_POLICY, 20_480),
];

/// Most characters of the delegation policy (aws-facts section 2, "delegation policy 40,000").
const DELEGATION_CHARACTERS: usize = 40_000;

/// The language a document is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// Service control policy: the IAM language without principals.
    ServiceControl,
    /// Resource control policy: denies for everyone.
    ResourceControl,
    /// Delegation policy: a resource policy with principals.
    Delegation,
    /// Identity policy, session policy or permissions boundary: what its holder may do.
    Identity,
    /// Policy of a resource, a role's trust and a VPC endpoint's among them: who may do what with it.
    Resource,
    /// `@@` operators: tag, backup and all the others.
    Management,
}

impl Language {
    /// The language of a type; types of the future are taken for management policies, as all since 2021 were.
    #[must_use]
    pub fn of(kind: &PolicyType) -> Self {
        match kind.as_str() {
            DELEGATION_POLICY => Self::Delegation,
            IDENTITY_POLICY | SESSION_POLICY | PERMISSIONS_BOUNDARY => Self::Identity,
            RESOURCE_POLICY | VPC_ENDPOINT_POLICY => Self::Resource,
            "RESOURCE_CONTROL_POLICY" => Self::ResourceControl,
            _ if kind.rule().statements => Self::ServiceControl,
            _ => Self::Management,
        }
    }

    /// The document by its name, for messages.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::ServiceControl => "a service control policy",
            Self::ResourceControl => "a resource control policy",
            Self::Delegation => "a delegation policy",
            Self::Identity => "an identity policy",
            Self::Resource => "a resource policy",
            Self::Management => "a management policy",
        }
    }

    /// Whether AWS takes documents of the old version, and an `Id`.
    #[must_use]
    pub fn is_plain_iam(self) -> bool {
        matches!(self, Self::Delegation | Self::Identity | Self::Resource)
    }

    /// Whether statements name principals that they choose.
    #[must_use]
    pub fn names_principals(self) -> bool {
        matches!(self, Self::Delegation | Self::Resource)
    }
}

/// What AWS's own `FullAWSAccess` says.
pub const FULL_ACCESS: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// Most characters of one document of that type, counted as sent.
#[must_use]
pub fn max_characters(kind: &PolicyType) -> usize {
    if let Some((_, most)) = OUTSIDE.iter().find(|(name, _)| *name == kind.as_str()) {
        return *most;
    }
    if Language::of(kind) == Language::Delegation { DELEGATION_CHARACTERS } else { kind.rule().max_characters }
}

/// Version of the policy language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `2008-10-17`, what a document without `Version` has: `${…}` is plain text.
    V2008,
    /// `2012-10-17`: `${…}` is a variable.
    V2012,
}

impl Version {
    /// As written in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2008 => "2008-10-17",
            Self::V2012 => "2012-10-17",
        }
    }
}

/// A document of statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Version of the language.
    pub version: Version,
    /// `Id`, which has no meaning; delegation policies only.
    pub id: Option<String>,
    /// The statements, in the order of the text, none twice.
    pub statements: Vec<Statement>,
}

/// Allow or deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// `Allow`.
    Allow,
    /// `Deny`.
    Deny,
}

impl Effect {
    /// As written in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
        }
    }
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its name, which AWS shows in some errors and which has no meaning.
    pub sid: Option<String>,
    /// Allow or deny.
    pub effect: Effect,
    /// Whom it speaks of: `None` in SCPs, everyone in RCPs.
    pub principal: Option<Scope<Principals>>,
    /// Patterns of actions (`s3:Get*`), compared without case.
    pub action: Scope<Vec<String>>,
    /// Patterns of ARNs, compared with case.
    pub resource: Scope<Vec<String>>,
    /// What has to hold besides; all of it.
    pub condition: Vec<Clause>,
}

/// What a statement names, or all but that (`NotAction`, `NotResource`, `NotPrincipal`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope<T> {
    /// These.
    Only(T),
    /// All but these.
    AllBut(T),
}

impl<T> Scope<T> {
    /// What is named.
    pub fn named(&self) -> &T {
        match self {
            Self::Only(named) | Self::AllBut(named) => named,
        }
    }

    /// The same with other names.
    pub fn map<U>(&self, f: impl FnOnce(&T) -> U) -> Scope<U> {
        match self {
            Self::Only(named) => Scope::Only(f(named)),
            Self::AllBut(named) => Scope::AllBut(f(named)),
        }
    }

    /// The element's name: `element`, or with `Not` before it.
    #[must_use]
    pub fn element(&self, element: &'static str) -> &'static str {
        match (self, element) {
            (Self::Only(_), _) => element,
            (Self::AllBut(_), "Principal") => "NotPrincipal",
            (Self::AllBut(_), "Action") => "NotAction",
            (Self::AllBut(_), _) => "NotResource",
        }
    }
}

/// Principals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principals {
    /// `*`.
    Everyone,
    /// By kind, in the order of the text.
    Listed(Vec<(PrincipalKind, Vec<String>)>),
}

/// Kinds of principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    /// Accounts, users, roles, sessions.
    Aws,
    /// S3 canonical users.
    CanonicalUser,
    /// Web and SAML identities.
    Federated,
    /// AWS services.
    Service,
}

impl PrincipalKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Aws, Self::CanonicalUser, Self::Federated, Self::Service];

    /// As written in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::CanonicalUser => "CanonicalUser",
            Self::Federated => "Federated",
            Self::Service => "Service",
        }
    }
}

/// One `operator: {key: values}` of a condition. The clauses of a statement must all hold; of the values one has to match,
/// or none for a negated operator. A statement has at most one clause for each operator and key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clause {
    /// The operator.
    pub operator: Operator,
    /// The condition key, compared without case.
    pub key: String,
    /// The values; booleans and numbers as text, as AWS reads them.
    pub values: Vec<String>,
}
