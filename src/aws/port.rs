//! The port: every AWS operation that bylaw uses, as a value, and the one function that carries it out.
//!
//! Requests are values so that pacing, counting, fault injection, recording and the audit log are each written once,
//! around [`Port::call`], and so that the offline organization and the SDK can be held to the same conversation.

use futures::future::BoxFuture;
use k8s_openapi::jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AwsError;
use super::time::ServiceTime;
use crate::names::{AccountId, NodeId, OrganizationId, PolicyId, PolicyType, RootId, Tags, UnitId};

/// Asked right before a request is sent; an error keeps it from being sent and is the answer of the call.
pub type Still<'a> = &'a (dyn Fn() -> Result<(), AwsError> + Send + Sync);

/// Carries out one AWS request: one attempt on the wire, no retry, no waiting.
pub trait Port: Send + Sync {
    /// Sends `request` once. Page tokens are AWS's own; the caller pages.
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>>;

    /// [`Self::call`], where `still` is asked before every attempt: what waits for a rate or for its next try is not sent
    /// once it is no longer to be.
    fn call_while<'a>(&'a self, request: &'a Request, still: Still<'a>) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            still()?;
            self.call(request).await
        })
    }

    /// The clock of the service, as its last answer told it; `None` where no answer has told it yet.
    fn time(&self) -> Option<ServiceTime> {
        None
    }
}

/// A port behind a pointer.
macro_rules! behind {
    ($($pointer:ty),*) => {$(
        impl<P: Port + ?Sized> Port for $pointer {
            fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
                (**self).call(request)
            }
            fn call_while<'a>(
                &'a self,
                request: &'a Request,
                still: Still<'a>,
            ) -> BoxFuture<'a, Result<Response, AwsError>> {
                (**self).call_while(request, still)
            }
            fn time(&self) -> Option<ServiceTime> {
                (**self).time()
            }
        }
    )*};
}
behind!(&P, std::sync::Arc<P>, Box<P>);

/// What carries tags: a node of the tree or a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Resource {
    /// Root, OU or account.
    Node(NodeId),
    /// Policy.
    Policy(PolicyId),
}
impl Resource {
    /// The id as AWS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Node(id) => id.as_str(),
            Self::Policy(id) => id.as_str(),
        }
    }
}

/// The alternate contacts of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ContactKind {
    /// Billing contact.
    Billing,
    /// Operations contact.
    Operations,
    /// Security contact.
    Security,
}
impl ContactKind {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Billing, Self::Operations, Self::Security];
    /// As AWS spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Billing => "BILLING",
            Self::Operations => "OPERATIONS",
            Self::Security => "SECURITY",
        }
    }
}

/// One alternate contact.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Contact {
    /// Full name.
    pub name: String,
    /// Job title.
    pub title: String,
    /// E-mail address.
    pub email: String,
    /// Telephone number.
    pub phone: String,
}

/// One page of a list; `next` is given to the following call, and a page may be empty and still have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Token of the next page; `None` on the last.
    pub next: Option<String>,
}

type Token = Option<String>;

/// One AWS operation with its input. Named as AWS names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[allow(missing_docs, reason = "the fields are AWS's own request parameters")]
pub enum Request {
    GetCallerIdentity,
    DescribeOrganization,
    ListRoots {
        token: Token,
    },
    ListAccounts {
        token: Token,
    },
    ListOrganizationalUnitsForParent {
        parent: NodeId,
        token: Token,
    },
    ListAccountsForParent {
        parent: NodeId,
        token: Token,
    },
    ListParents {
        child: NodeId,
    },
    DescribeAccount {
        account: AccountId,
    },
    ListPolicies {
        kind: PolicyType,
        token: Token,
    },
    DescribePolicy {
        policy: PolicyId,
    },
    ListPoliciesForTarget {
        target: NodeId,
        kind: PolicyType,
        token: Token,
    },
    ListTargetsForPolicy {
        policy: PolicyId,
        token: Token,
    },
    ListTagsForResource {
        resource: Resource,
        token: Token,
    },
    /// Those that are under way: one that is over is known by its account, or by AWS's answer to the next of its e-mail.
    ListCreateAccountStatus {
        token: Token,
    },
    DescribeCreateAccountStatus {
        id: String,
    },
    ListAWSServiceAccessForOrganization {
        token: Token,
    },
    ListDelegatedAdministrators {
        token: Token,
    },
    ListDelegatedServicesForAccount {
        account: AccountId,
        token: Token,
    },
    DescribeResourcePolicy,
    GetAlternateContact {
        account: AccountId,
        kind: ContactKind,
    },

    EnablePolicyType {
        root: RootId,
        kind: PolicyType,
    },
    CreateOrganizationalUnit {
        parent: NodeId,
        name: String,
        tags: Tags,
    },
    UpdateOrganizationalUnit {
        unit: UnitId,
        name: String,
    },
    DeleteOrganizationalUnit {
        unit: UnitId,
    },
    CreateAccount {
        name: String,
        email: String,
        role_name: Option<String>,
        tags: Tags,
    },
    MoveAccount {
        account: AccountId,
        from: NodeId,
        to: NodeId,
    },
    CloseAccount {
        account: AccountId,
    },
    PutAccountName {
        account: AccountId,
        name: String,
    },
    CreatePolicy {
        kind: PolicyType,
        name: String,
        description: String,
        content: String,
        tags: Tags,
    },
    UpdatePolicy {
        policy: PolicyId,
        name: Option<String>,
        description: Option<String>,
        content: Option<String>,
    },
    DeletePolicy {
        policy: PolicyId,
    },
    AttachPolicy {
        policy: PolicyId,
        target: NodeId,
    },
    DetachPolicy {
        policy: PolicyId,
        target: NodeId,
    },
    TagResource {
        resource: Resource,
        tags: Tags,
    },
    UntagResource {
        resource: Resource,
        keys: Vec<String>,
    },
    EnableAWSServiceAccess {
        principal: String,
    },
    RegisterDelegatedAdministrator {
        account: AccountId,
        principal: String,
    },
    PutResourcePolicy {
        content: String,
    },
    PutAlternateContact {
        account: AccountId,
        kind: ContactKind,
        contact: Contact,
    },
}

impl Request {
    /// The operation's name, as AWS and its throttles spell it.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::DescribeOrganization => "DescribeOrganization",
            Self::ListRoots { .. } => "ListRoots",
            Self::ListAccounts { .. } => "ListAccounts",
            Self::ListOrganizationalUnitsForParent { .. } => "ListOrganizationalUnitsForParent",
            Self::ListAccountsForParent { .. } => "ListAccountsForParent",
            Self::ListParents { .. } => "ListParents",
            Self::DescribeAccount { .. } => "DescribeAccount",
            Self::ListPolicies { .. } => "ListPolicies",
            Self::DescribePolicy { .. } => "DescribePolicy",
            Self::ListPoliciesForTarget { .. } => "ListPoliciesForTarget",
            Self::ListTargetsForPolicy { .. } => "ListTargetsForPolicy",
            Self::ListTagsForResource { .. } => "ListTagsForResource",
            Self::ListCreateAccountStatus { .. } => "ListCreateAccountStatus",
            Self::DescribeCreateAccountStatus { .. } => "DescribeCreateAccountStatus",
            Self::ListAWSServiceAccessForOrganization { .. } => "ListAWSServiceAccessForOrganization",
            Self::ListDelegatedAdministrators { .. } => "ListDelegatedAdministrators",
            Self::ListDelegatedServicesForAccount { .. } => "ListDelegatedServicesForAccount",
            Self::DescribeResourcePolicy => "DescribeResourcePolicy",
            Self::GetAlternateContact { .. } => "GetAlternateContact",
            Self::EnablePolicyType { .. } => "EnablePolicyType",
            Self::CreateOrganizationalUnit { .. } => "CreateOrganizationalUnit",
            Self::UpdateOrganizationalUnit { .. } => "UpdateOrganizationalUnit",
            Self::DeleteOrganizationalUnit { .. } => "DeleteOrganizationalUnit",
            Self::CreateAccount { .. } => "CreateAccount",
            Self::MoveAccount { .. } => "MoveAccount",
            Self::CloseAccount { .. } => "CloseAccount",
            Self::PutAccountName { .. } => "PutAccountName",
            Self::CreatePolicy { .. } => "CreatePolicy",
            Self::UpdatePolicy { .. } => "UpdatePolicy",
            Self::DeletePolicy { .. } => "DeletePolicy",
            Self::AttachPolicy { .. } => "AttachPolicy",
            Self::DetachPolicy { .. } => "DetachPolicy",
            Self::TagResource { .. } => "TagResource",
            Self::UntagResource { .. } => "UntagResource",
            Self::EnableAWSServiceAccess { .. } => "EnableAWSServiceAccess",
            Self::RegisterDelegatedAdministrator { .. } => "RegisterDelegatedAdministrator",
            Self::PutResourcePolicy { .. } => "PutResourcePolicy",
            Self::PutAlternateContact { .. } => "PutAlternateContact",
        }
    }

    /// Whether the operation changes AWS.
    #[must_use]
    pub fn is_write(&self) -> bool {
        is_write(self.operation())
    }

    /// The same request for the page of that token; itself where it has no pages.
    #[must_use]
    pub fn page(&self, next: &str) -> Self {
        let mut request = self.clone();
        match &mut request {
            Self::ListRoots { token }
            | Self::ListAccounts { token }
            | Self::ListOrganizationalUnitsForParent { token, .. }
            | Self::ListAccountsForParent { token, .. }
            | Self::ListPolicies { token, .. }
            | Self::ListPoliciesForTarget { token, .. }
            | Self::ListTargetsForPolicy { token, .. }
            | Self::ListTagsForResource { token, .. }
            | Self::ListCreateAccountStatus { token }
            | Self::ListAWSServiceAccessForOrganization { token }
            | Self::ListDelegatedAdministrators { token }
            | Self::ListDelegatedServicesForAccount { token, .. } => *token = Some(next.to_owned()),
            _ => {}
        }
        request
    }
}

/// Whether an operation changes AWS, by its name.
#[must_use]
pub fn is_write(operation: &str) -> bool {
    !["List", "Describe", "Get"].iter().any(|read| operation.starts_with(read))
}

/// What `DescribeOrganization` tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrganizationFact {
    /// `o-…`.
    pub id: OrganizationId,
    /// The account that owns the organization.
    pub management_account: AccountId,
    /// The feature set is `ALL`; without it there are no policies.
    pub all_features: bool,
}

/// What `ListRoots` tells of the one root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFact {
    /// `r-…`.
    pub id: RootId,
    /// Its name, `Root` unless somebody renamed it.
    pub name: String,
    /// Policy types that are on, or on their way.
    pub policy_types: Vec<(PolicyType, PolicyTypeStatus)>,
}

/// State of a policy type on the root. A type that is off is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "AWS's own words")]
pub enum PolicyTypeStatus {
    Enabled,
    PendingEnable,
    PendingDisable,
}

/// State of an account (`State`; the older `Status` is retired since 2026-09-09).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "AWS's own words")]
pub enum AccountState {
    PendingActivation,
    Active,
    Suspended,
    PendingClosure,
    Closed,
}

/// An account as `ListAccounts` and `DescribeAccount` tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountFact {
    /// 12 digits.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// E-mail of its root user.
    pub email: String,
    /// Its state.
    pub state: AccountState,
    /// The root or OU it is in, from the last step of `Paths`; `None` where the answer carries no `Paths`.
    pub parent: Option<NodeId>,
}

/// An OU as listed below a parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitFact {
    /// `ou-…`.
    pub id: UnitId,
    /// Its name, unique below its parent.
    pub name: String,
}

/// A policy without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySummary {
    /// `p-…`.
    pub id: PolicyId,
    /// Its type.
    pub kind: PolicyType,
    /// Its name, unique in its type.
    pub name: String,
    /// Its description.
    pub description: String,
    /// AWS made it, and nobody can change it.
    pub aws_managed: bool,
}

/// One request to create an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Creation {
    /// `car-…`.
    pub id: String,
    /// The name that was asked for.
    pub account_name: String,
    /// How far it is.
    pub state: CreationState,
    /// The new account, once there is one.
    pub account: Option<AccountId>,
    /// AWS's reason of a failure (`EMAIL_ALREADY_EXISTS`, …).
    pub failure: Option<String>,
    /// When it was asked for (RFC 3339).
    #[schemars(with = "Option<String>")]
    pub requested: Option<Timestamp>,
}

/// State of a request to create an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "AWS's own words")]
pub enum CreationState {
    InProgress,
    Succeeded,
    Failed,
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant carries the fact that its type documents")]
pub enum Response {
    Identity {
        account: AccountId,
        arn: String,
    },
    Organization(OrganizationFact),
    Roots(Page<RootFact>),
    Accounts(Page<AccountFact>),
    Account(AccountFact),
    Units(Page<UnitFact>),
    Parent(NodeId),
    Policies(Page<PolicySummary>),
    Policy {
        summary: PolicySummary,
        content: String,
    },
    Targets(Page<NodeId>),
    Tags(Page<(String, String)>),
    Creations(Page<Creation>),
    Creation(Creation),
    Services(Page<String>),
    Administrators(Page<AccountId>),
    ResourcePolicy(Option<String>),
    Contact(Option<Contact>),
    UnitCreated(UnitFact),
    PolicyCreated(PolicySummary),
    /// A write that answers nothing.
    Done,
}

impl Response {
    /// Token of the next page, where the answer is a page and has one.
    #[must_use]
    pub fn next(&self) -> Option<&str> {
        match self {
            Self::Roots(p) => p.next.as_deref(),
            Self::Accounts(p) => p.next.as_deref(),
            Self::Units(p) => p.next.as_deref(),
            Self::Policies(p) => p.next.as_deref(),
            Self::Targets(p) => p.next.as_deref(),
            Self::Tags(p) => p.next.as_deref(),
            Self::Creations(p) => p.next.as_deref(),
            Self::Services(p) => p.next.as_deref(),
            Self::Administrators(p) => p.next.as_deref(),
            _ => None,
        }
    }
}
