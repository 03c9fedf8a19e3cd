//! The operations that only read. Lists are paged by key, so an object that comes or goes between two pages moves no
//! other.

use std::ops::Bound;
use std::str::FromStr;

use super::Identity;
use super::mint;
use super::refusal::Refusal;
use super::state::{Account, Policy, State};
use crate::aws::port::{
    AccountFact, CreationState, Page, PolicySummary, Request, Resource, Response, RootFact, UnitFact,
};
use crate::names::{AccountId, NodeId, PolicyId, PolicyType, UnitId};

/// How answers look.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) page_size: usize,
    pub(super) paths: bool,
    pub(super) empty_pages: bool,
}

/// The Account Management service, which serves members only while it is trusted.
const ACCOUNT_MANAGEMENT: &str = "account.amazonaws.com";
/// `ListTagsForResource` takes no page size, and all tags of a resource come in one answer [from memory].
const TAGS_A_PAGE: usize = 50;

struct List<'a> {
    view: &'a View,
    size: usize,
    scope: String,
    token: Option<&'a str>,
}

impl List<'_> {
    /// One page of what `from` lists behind a key.
    fn page<K: FromStr, T, I>(&self, from: impl FnOnce(Bound<K>) -> I) -> Result<Page<T>, Refusal>
    where
        I: Iterator<Item = (String, T)>,
    {
        let start = match self.token {
            None if self.view.empty_pages => {
                return Ok(Page { items: vec![], next: Some(mint::token(&self.scope, "")) });
            }
            None => Bound::Unbounded,
            Some(token) => match mint::cursor(&self.scope, token) {
                Some(cursor) if cursor.is_empty() => Bound::Unbounded,
                Some(cursor) => Bound::Excluded(cursor.parse().map_err(|_| bad_token())?),
                None => return Err(bad_token()),
            },
        };
        let mut rest = from(start);
        let mut last = None;
        let mut items = Vec::new();
        for (cursor, item) in rest.by_ref().take(self.size) {
            items.push(item);
            last = Some(cursor);
        }
        // AWS may give a token though nothing follows.
        let more = rest.next().is_some() || (self.view.empty_pages && items.len() == self.size);
        let next = last.filter(|_| more).map(|cursor| mint::token(&self.scope, &cursor));
        Ok(Page { items, next })
    }
}

fn bad_token() -> Refusal {
    Refusal::input("INVALID_PAGINATION_TOKEN", "Get the value for the NextToken parameter from the previous answer.")
}

pub(super) fn no_account(id: &AccountId) -> Refusal {
    Refusal::new("AccountNotFoundException", format!("You specified an account that doesn't exist: {id}"))
}
pub(super) fn no_policy(id: &PolicyId) -> Refusal {
    Refusal::new("PolicyNotFoundException", format!("You specified a policy that doesn't exist: {id}"))
}
pub(super) fn no_target(id: &str) -> Refusal {
    Refusal::new("TargetNotFoundException", format!("You specified a target that doesn't exist: {id}"))
}
fn no_parent(node: &NodeId) -> Refusal {
    Refusal::new("ParentNotFoundException", format!("You specified a parent that doesn't exist: {node}"))
}
pub(super) fn known_type(kind: &PolicyType) -> Result<(), Refusal> {
    if kind.is_known() {
        return Ok(());
    }
    Err(Refusal::input("INVALID_ENUM_POLICY_TYPE", "You specified an invalid policy type string."))
}

pub(super) fn summary(id: &PolicyId, policy: &Policy) -> PolicySummary {
    PolicySummary {
        id: id.clone(),
        kind: policy.kind.clone(),
        name: policy.name.clone(),
        description: policy.description.clone(),
        aws_managed: policy.aws_managed,
    }
}

impl State {
    fn fact(&self, view: &View, id: &AccountId, account: &Account) -> AccountFact {
        AccountFact {
            id: id.clone(),
            name: account.name.clone(),
            email: account.email.clone(),
            state: account.state,
            parent: view.paths.then(|| account.parent.clone()),
        }
    }

    /// Root or OU that children are asked of.
    pub(super) fn parent_node(&self, node: &NodeId) -> Result<(), Refusal> {
        match node {
            NodeId::Account(_) => {
                Err(Refusal::input("INVALID_PATTERN", "You provided a value that doesn't match the required pattern."))
            }
            node if self.has(node) => Ok(()),
            node => Err(no_parent(node)),
        }
    }

    /// The calls on members of the Account Management service: the account is a member, the service is trusted, all
    /// features are on (Account Management API reference, parameter `AccountId`).
    pub(super) fn managed_account(&self, id: &AccountId) -> Result<&Account, Refusal> {
        let account = self.accounts.get(id).ok_or_else(Refusal::denied)?;
        let own = *id == self.organization.management_account;
        if own || (self.organization.all_features && self.services.contains(ACCOUNT_MANAGEMENT)) {
            return Ok(account);
        }
        Err(Refusal::new(
            "AccessDeniedException",
            format!("The request needs trusted access of `{ACCOUNT_MANAGEMENT}` to the organization"),
        ))
    }

    pub(super) fn read(&self, request: &Request, who: &Identity, view: &View) -> Result<Response, Refusal> {
        let operation = request.operation();
        let list = |scope: &str, token: &'_ Option<String>| -> (String, Option<String>) {
            (format!("{operation}/{scope}"), token.clone())
        };
        macro_rules! page {
            ($scope:expr, $token:expr, $from:expr) => {
                page!($scope, $token, $from, view.page_size.max(1))
            };
            ($scope:expr, $token:expr, $from:expr, $size:expr) => {{
                let (scope, token) = list($scope, $token);
                List { view, size: $size, scope, token: token.as_deref() }.page($from)?
            }};
        }
        Ok(match request {
            Request::GetCallerIdentity => Response::Identity { account: who.account.clone(), arn: who.arn() },
            Request::DescribeOrganization => Response::Organization(self.organization.clone()),
            Request::ListRoots { token } => {
                let root = RootFact {
                    id: self.root.id.clone(),
                    name: self.root.name.clone(),
                    policy_types: self.root.policy_types.iter().map(|(kind, on)| (kind.clone(), *on)).collect(),
                };
                let key = self.root.id.clone();
                Response::Roots(page!("", token, |from: Bound<crate::names::RootId>| {
                    let first = matches!(from, Bound::Unbounded);
                    first.then(|| (key.to_string(), root)).into_iter()
                }))
            }
            Request::ListAccounts { token } => Response::Accounts(page!("", token, |from: Bound<AccountId>| {
                let rest = self.accounts.range((from, Bound::Unbounded));
                rest.map(|(id, account)| (id.to_string(), self.fact(view, id, account)))
            })),
            Request::ListAccountsForParent { parent, token } => {
                self.parent_node(parent)?;
                Response::Accounts(page!(parent.as_str(), token, |from: Bound<AccountId>| {
                    let below = self.accounts_below.get(parent).map(|ids| ids.range((from, Bound::Unbounded)));
                    below.into_iter().flatten().filter_map(|id| {
                        let account = self.accounts.get(id)?;
                        Some((id.to_string(), self.fact(view, id, account)))
                    })
                }))
            }
            Request::ListOrganizationalUnitsForParent { parent, token } => {
                self.parent_node(parent)?;
                Response::Units(page!(parent.as_str(), token, |from: Bound<String>| {
                    let below = self.units_below.get(parent).map(|names| names.range((from, Bound::Unbounded)));
                    below
                        .into_iter()
                        .flatten()
                        .map(|(name, id)| (name.clone(), UnitFact { id: id.clone(), name: name.clone() }))
                }))
            }
            Request::ListParents { child } => match self.parent(child) {
                Some(parent) => Response::Parent(parent.clone()),
                None if matches!(child, NodeId::Root(_)) => {
                    return Err(Refusal::input(
                        "INVALID_PATTERN",
                        "You provided a value that doesn't match the required pattern.",
                    ));
                }
                None => {
                    return Err(Refusal::new(
                        "ChildNotFoundException",
                        format!("You specified a child that doesn't exist: {child}"),
                    ));
                }
            },
            Request::DescribeAccount { account } => {
                let found = self.accounts.get(account).ok_or_else(|| no_account(account))?;
                Response::Account(self.fact(view, account, found))
            }
            Request::ListPolicies { kind, token } => {
                known_type(kind)?;
                Response::Policies(page!(kind.as_str(), token, |from: Bound<String>| {
                    let names = self.policy_names.get(kind).map(|names| names.range((from, Bound::Unbounded)));
                    names.into_iter().flatten().filter_map(|(name, id)| {
                        let policy = self.policies.get(id)?;
                        Some((name.clone(), summary(id, policy)))
                    })
                }))
            }
            Request::DescribePolicy { policy } => {
                let found = self.policies.get(policy).ok_or_else(|| no_policy(policy))?;
                Response::Policy { summary: summary(policy, found), content: found.content.to_string() }
            }
            Request::ListPoliciesForTarget { target, kind, token } => {
                known_type(kind)?;
                if !self.has(target) {
                    return Err(no_target(target.as_str()));
                }
                let scope = format!("{target}/{kind}");
                Response::Policies(page!(&scope, token, |from: Bound<PolicyId>| {
                    self.attached_of(target, kind)
                        .filter(move |(id, _)| match &from {
                            Bound::Excluded(last) => *id > last,
                            _ => true,
                        })
                        .map(|(id, policy)| (id.to_string(), summary(id, policy)))
                }))
            }
            Request::ListTargetsForPolicy { policy, token } => {
                if !self.policies.contains_key(policy) {
                    return Err(no_policy(policy));
                }
                Response::Targets(page!(policy.as_str(), token, |from: Bound<NodeId>| {
                    let targets = self.targets.get(policy).map(|nodes| nodes.range((from, Bound::Unbounded)));
                    targets.into_iter().flatten().map(|node| (node.to_string(), node.clone()))
                }))
            }
            Request::ListTagsForResource { resource, token } => {
                let tags = match resource {
                    Resource::Node(node) => self.tags(node),
                    Resource::Policy(id) => self.policies.get(id).map(|policy| &policy.tags),
                }
                .ok_or_else(|| no_target(resource.as_str()))?;
                Response::Tags(page!(
                    resource.as_str(),
                    token,
                    |from: Bound<String>| {
                        let before = move |key: &str| matches!(&from, Bound::Excluded(last) if key <= last.as_str());
                        let rest = tags.iter().skip_while(move |(key, _)| before(key));
                        rest.map(|(key, value)| (key.to_owned(), (key.to_owned(), value.to_owned())))
                    },
                    TAGS_A_PAGE
                ))
            }
            Request::ListCreateAccountStatus { token } => {
                Response::Creations(page!("", token, |from: Bound<String>| {
                    let rest = self.creations.range((from, Bound::Unbounded));
                    let wanted = rest.filter(|(_, creation)| creation.state != CreationState::Failed);
                    wanted.map(|(id, creation)| (id.clone(), creation.clone()))
                }))
            }
            Request::DescribeCreateAccountStatus { id } => {
                Response::Creation(self.creations.get(id).cloned().ok_or_else(|| {
                    Refusal::new(
                        "CreateAccountStatusNotFoundException",
                        format!("You specified a create account status that doesn't exist: {id}"),
                    )
                })?)
            }
            Request::ListAWSServiceAccessForOrganization { token } => {
                self.all_features()?;
                Response::Services(page!("", token, |from: Bound<String>| {
                    let rest = self.services.range((from, Bound::Unbounded));
                    rest.map(|name| (name.clone(), name.clone()))
                }))
            }
            Request::ListDelegatedAdministrators { token } => {
                self.all_features()?;
                Response::Administrators(page!("", token, |from: Bound<AccountId>| {
                    let rest = self.administrators.range((from, Bound::Unbounded));
                    rest.map(|(id, _)| (id.to_string(), id.clone()))
                }))
            }
            Request::ListDelegatedServicesForAccount { account, token } => {
                self.all_features()?;
                if !self.accounts.contains_key(account) {
                    return Err(no_account(account));
                }
                let Some(services) = self.administrators.get(account) else {
                    return Err(Refusal::new(
                        "AccountNotRegisteredException",
                        "The specified account is not a delegated administrator for this AWS service.",
                    ));
                };
                Response::Services(page!(account.as_str(), token, |from: Bound<String>| {
                    let rest = services.range((from, Bound::Unbounded));
                    rest.map(|name| (name.clone(), name.clone()))
                }))
            }
            Request::DescribeResourcePolicy => Response::ResourcePolicy(self.delegation_policy.clone()),
            Request::GetAlternateContact { account, kind } => {
                let found = self.managed_account(account)?;
                Response::Contact(found.contacts.get(kind).cloned())
            }
            _ => return Err(Refusal::new("InvalidInputException", "INVALID_ENUM: this operation writes.")),
        })
    }

    /// What needs more than consolidated billing.
    pub(super) fn all_features(&self) -> Result<(), Refusal> {
        if self.organization.all_features {
            return Ok(());
        }
        Err(Refusal::constraint(
            "ORGANIZATION_NOT_IN_ALL_FEATURES_MODE",
            "An organization that supports only consolidated billing features can't perform this operation.",
        ))
    }
}

pub(super) fn no_unit(id: &UnitId) -> Refusal {
    Refusal::new("OrganizationalUnitNotFoundException", format!("You specified an OU that doesn't exist: {id}"))
}
