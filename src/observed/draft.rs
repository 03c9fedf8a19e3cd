//! An `Observed` in the making: takes answers in any order and keeps what is still open.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;

use super::contradictions;
use super::model::{Account, Observed, Part, Policy, Root, Scope, Unit};
use crate::aws::port::{ContactKind, OrganizationFact, Resource};
use crate::aws::{AwsError, Request, Response};
use crate::names::{AccountId, NodeId, PolicyId, PolicyType, Tags, UnitId};

#[derive(Debug)]
pub(super) struct Draft {
    organization: Option<OrganizationFact>,
    root: Option<Root>,
    units: BTreeMap<UnitId, Unit>,
    accounts: BTreeMap<AccountId, Account>,
    policies: BTreeMap<PolicyId, Policy>,
    services: Part<BTreeSet<String>>,
    administrators: Part<BTreeMap<AccountId, BTreeSet<String>>>,
    delegation_policy: Part<Option<String>>,
    creations: Part<Vec<crate::aws::port::Creation>>,
    listed_types: BTreeSet<PolicyType>,
    gaps: Vec<super::Gap>,
    lists_at: Timestamp,
    new_units: Vec<UnitId>,
    new_accounts: Vec<AccountId>,
    new_policies: Vec<PolicyId>,
    new_administrators: Vec<AccountId>,
    /// Pages so far of lists that have more to come.
    partial_tags: BTreeMap<Resource, Tags>,
    partial_targets: BTreeMap<PolicyId, BTreeSet<NodeId>>,
    /// It began with nothing, so that two answers that differ contradict each other.
    first: bool,
    /// Accounts that the list of accounts has.
    listed_accounts: BTreeSet<AccountId>,
    /// Accounts that another list has, with where.
    placed_accounts: BTreeMap<AccountId, NodeId>,
}

impl Draft {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            organization: None,
            root: None,
            units: BTreeMap::new(),
            accounts: BTreeMap::new(),
            policies: BTreeMap::new(),
            services: Part::Unread,
            administrators: Part::Unread,
            delegation_policy: Part::Unread,
            creations: Part::Unread,
            listed_types: BTreeSet::new(),
            gaps: vec![],
            lists_at: now,
            new_units: vec![],
            new_accounts: vec![],
            new_policies: vec![],
            new_administrators: vec![],
            partial_tags: BTreeMap::new(),
            partial_targets: BTreeMap::new(),
            first: true,
            listed_accounts: BTreeSet::new(),
            placed_accounts: BTreeMap::new(),
        }
    }

    /// One answer contradicts another.
    fn contradict(&mut self, scope: Scope, why: impl FnOnce() -> String) {
        if self.first && !self.gaps.iter().any(|gap| gap.scope == scope) {
            self.gaps.push(contradictions::gap(scope, why()));
        }
    }

    pub(super) fn finish(mut self) -> Result<Observed, AwsError> {
        let placed = std::mem::take(&mut self.placed_accounts);
        if let Some((id, node)) = placed.iter().find(|(id, _)| !self.listed_accounts.contains(*id)) {
            self.contradict(Scope::Accounts, || {
                format!("ListAccounts leaves out account `{id}`, which ListAccountsForParent shows in `{node}`")
            });
        }
        let missing = |what: &str| AwsError::unanswered(what, "garbage", "the answer holds nothing of what was asked");
        Ok(Observed {
            organization: self.organization.ok_or_else(|| missing("DescribeOrganization"))?,
            root: self.root.ok_or_else(|| missing("ListRoots"))?,
            units: self.units,
            accounts: self.accounts,
            policies: self.policies,
            services: self.services,
            administrators: self.administrators,
            delegation_policy: self.delegation_policy,
            creations: self.creations,
            gaps: self.gaps,
            listed_types: self.listed_types,
            lists_at: self.lists_at,
        })
    }

    /// Looks at what an earlier reading of the same organization had and this one has not, each with the list that does not
    /// have it any more.
    pub(super) fn lost(&self, previous: &Observed) -> Vec<(Request, Scope)> {
        let same = self.organization.as_ref().is_some_and(|now| now.id == previous.organization.id);
        let Some(root) = self.root.as_ref().filter(|_| same) else { return vec![] };
        let root = NodeId::Root(root.id.clone());
        let accounts = previous.accounts.keys().filter(|id| !self.accounts.contains_key(*id));
        let accounts = accounts.map(|id| (Request::DescribeAccount { account: id.clone() }, Scope::Accounts));
        let units = previous.units.keys().filter(|id| !self.units.contains_key(*id));
        let units =
            units.map(|id| (Request::ListParents { child: NodeId::Unit(id.clone()) }, Scope::UnitsBelow(root.clone())));
        let policies = previous.policies.iter().filter(|(id, policy)| {
            !policy.aws_managed && self.listed_types.contains(&policy.kind) && !self.policies.contains_key(*id)
        });
        let policies = policies
            .map(|(id, policy)| (Request::DescribePolicy { policy: id.clone() }, Scope::Policies(policy.kind.clone())));
        accounts.chain(units).chain(policies).collect()
    }

    pub(super) fn root(&self) -> Option<&Root> {
        self.root.as_ref()
    }
    pub(super) fn account(&self, id: &AccountId) -> Option<&Account> {
        self.accounts.get(id)
    }
    pub(super) fn accounts(&self) -> usize {
        self.accounts.len()
    }
    pub(super) fn all_accounts_placed(&self) -> bool {
        self.accounts.values().all(|account| account.parent.is_some())
    }
    pub(super) fn listed(&mut self, kind: &PolicyType) {
        self.listed_types.insert(kind.clone());
    }
    pub(super) fn take_new_units(&mut self) -> Vec<UnitId> {
        std::mem::take(&mut self.new_units)
    }
    pub(super) fn take_new_accounts(&mut self) -> Vec<AccountId> {
        std::mem::take(&mut self.new_accounts)
    }
    pub(super) fn take_new_administrators(&mut self) -> Vec<AccountId> {
        std::mem::take(&mut self.new_administrators)
    }

    /// New policies that are not AWS's own, and whether their summary is as it was.
    pub(super) fn take_new_policies(&mut self, previous: Option<&Observed>) -> Vec<(PolicyId, bool)> {
        let unchanged = |id: &PolicyId| {
            let (Some(now), Some(was)) = (self.policies.get(id), previous.and_then(|p| p.policies.get(id))) else {
                return false;
            };
            now.kind == was.kind && now.name == was.name && now.description == was.description
        };
        let new = self.new_policies.iter().filter(|id| self.policies.get(*id).is_some_and(|p| !p.aws_managed));
        let new = new.map(|id| (id.clone(), unchanged(id))).collect();
        self.new_policies.clear();
        new
    }

    pub(super) fn nodes(&self) -> Vec<NodeId> {
        let mut nodes = self.nodes_with_children();
        nodes.extend(self.accounts.keys().cloned().map(NodeId::Account));
        nodes
    }

    pub(super) fn nodes_with_children(&self) -> Vec<NodeId> {
        let root = self.root.iter().map(|root| NodeId::Root(root.id.clone()));
        root.chain(self.units.keys().cloned().map(NodeId::Unit)).collect()
    }

    /// Policies whose targets are to be read by policy.
    pub(super) fn policies_to_place(&self, base_access: bool) -> Vec<PolicyId> {
        let default = PolicyType::scp().rule().default_policy;
        let wanted =
            |(id, policy): &(&PolicyId, &Policy)| !policy.aws_managed || (base_access && default == Some(id.as_str()));
        self.policies.iter().filter(wanted).map(|(id, _)| id.clone()).collect()
    }

    /// Targets of this type will come node by node: until one fails, every policy starts with none.
    pub(super) fn expect_targets(&mut self, kind: &PolicyType, now: Timestamp) {
        for policy in self.policies.values_mut().filter(|policy| policy.kind == *kind) {
            policy.targets = Part::known(BTreeSet::new(), now);
        }
    }

    pub(super) fn set_tags(&mut self, resource: &Resource, tags: Part<Tags>) {
        match resource {
            Resource::Node(NodeId::Root(_)) => {
                if let Some(root) = &mut self.root {
                    root.tags = tags;
                }
            }
            Resource::Node(NodeId::Unit(id)) => {
                if let Some(unit) = self.units.get_mut(id) {
                    unit.tags = tags;
                }
            }
            Resource::Node(NodeId::Account(id)) => {
                if let Some(account) = self.accounts.get_mut(id) {
                    account.tags = tags;
                }
            }
            Resource::Policy(id) => {
                if let Some(policy) = self.policies.get_mut(id) {
                    policy.tags = tags;
                }
            }
        }
    }
    pub(super) fn set_content(&mut self, id: &PolicyId, content: Part<String>) {
        if let Some(policy) = self.policies.get_mut(id) {
            policy.content = content;
        }
    }
    fn set_targets(&mut self, id: &PolicyId, targets: Part<BTreeSet<NodeId>>) {
        if let Some(policy) = self.policies.get_mut(id) {
            policy.targets = targets;
        }
    }
    pub(super) fn set_contact(
        &mut self,
        id: &AccountId,
        kind: ContactKind,
        contact: Part<Option<crate::aws::port::Contact>>,
    ) {
        if let Some(account) = self.accounts.get_mut(id) {
            account.contacts.insert(kind, contact);
        }
    }

    /// Takes in one answer. `more`: further pages of the same list follow.
    pub(super) fn absorb(
        &mut self,
        request: &Request,
        answer: Response,
        now: Timestamp,
        more: bool,
    ) -> Result<(), AwsError> {
        match (request, answer) {
            (Request::DescribeOrganization, Response::Organization(fact)) => self.organization = Some(fact),
            (Request::ListRoots { .. }, Response::Roots(page)) => {
                if let Some(fact) = page.items.into_iter().next() {
                    let tags = self.root.take().map_or(Part::Unread, |root| root.tags);
                    let policy_types = fact.policy_types.into_iter().collect();
                    self.root = Some(Root { id: fact.id, name: fact.name, policy_types, tags });
                }
            }
            (Request::ListAccounts { .. }, Response::Accounts(page)) => {
                self.listed_accounts.extend(page.items.iter().map(|fact| fact.id.clone()));
                page.items.into_iter().for_each(|fact| self.account_seen(fact, None));
            }
            (Request::DescribeAccount { .. }, Response::Account(fact)) => self.account_seen(fact, None),
            (Request::ListAccountsForParent { parent, .. }, Response::Accounts(page)) => {
                self.placed_accounts.extend(page.items.iter().map(|fact| (fact.id.clone(), parent.clone())));
                page.items.into_iter().for_each(|fact| self.account_seen(fact, Some(parent)));
            }
            (Request::ListParents { child: NodeId::Account(id) }, Response::Parent(parent)) => {
                if let Some(account) = self.accounts.get_mut(id) {
                    account.parent = Some(parent);
                }
            }
            (Request::ListOrganizationalUnitsForParent { parent, .. }, Response::Units(page)) => {
                for fact in page.items {
                    let earlier = self.units.remove(&fact.id);
                    // An OU that was seen already is not walked again, or a loop in a bad answer would never end.
                    match &earlier {
                        None => self.new_units.push(fact.id.clone()),
                        Some(unit) if unit.parent != *parent => {
                            let root = self.root.as_ref().map(|root| NodeId::Root(root.id.clone()));
                            self.contradict(Scope::UnitsBelow(root.unwrap_or_else(|| parent.clone())), || {
                                twice("ListOrganizationalUnitsForParent", "OU", fact.id.as_str(), &unit.parent, parent)
                            });
                        }
                        Some(_) => {}
                    }
                    let tags = earlier.map_or(Part::Unread, |unit| unit.tags);
                    self.units.insert(fact.id, Unit { name: fact.name, parent: parent.clone(), tags });
                }
            }
            (Request::ListPolicies { .. }, Response::Policies(page)) => {
                page.items.into_iter().for_each(|summary| self.policy_seen(summary));
            }
            (Request::DescribePolicy { policy }, Response::Policy { summary, content }) => {
                self.policy_seen(summary);
                self.set_content(policy, Part::known(content, now));
            }
            (Request::ListTargetsForPolicy { policy, .. }, Response::Targets(page)) => {
                let mut targets = self.partial_targets.remove(policy).unwrap_or_default();
                targets.extend(page.items);
                if more {
                    self.partial_targets.insert(policy.clone(), targets);
                } else {
                    self.set_targets(policy, Part::known(targets, now));
                }
            }
            (Request::ListPoliciesForTarget { target, .. }, Response::Policies(page)) => {
                for summary in page.items {
                    match self.policies.get_mut(&summary.id) {
                        Some(policy) => {
                            policy.targets.get_mut().into_iter().for_each(|targets| {
                                targets.insert(target.clone());
                            });
                        }
                        None => self.contradict(Scope::Policies(summary.kind), || {
                            let (id, name) = (summary.id, summary.name);
                            format!("ListPolicies leaves out policy `{name}` (`{id}`), which ListPoliciesForTarget shows on `{target}`")
                        }),
                    }
                }
            }
            (Request::ListTagsForResource { resource, .. }, Response::Tags(page)) => {
                let mut tags = self.partial_tags.remove(resource).unwrap_or_default();
                tags.extend(page.items);
                if more {
                    self.partial_tags.insert(resource.clone(), tags);
                } else {
                    self.set_tags(resource, Part::known(tags, now));
                }
            }
            (Request::ListAWSServiceAccessForOrganization { .. }, Response::Services(page)) => {
                grow(&mut self.services, now, |all| all.extend(page.items));
            }
            (Request::ListDelegatedAdministrators { .. }, Response::Administrators(page)) => {
                self.new_administrators.extend(page.items.iter().cloned());
                grow(&mut self.administrators, now, |all| {
                    all.extend(page.items.into_iter().map(|id| (id, BTreeSet::new())));
                });
            }
            (Request::ListDelegatedServicesForAccount { account, .. }, Response::Services(page)) => {
                if let Some(services) = self.administrators.get_mut().and_then(|all| all.get_mut(account)) {
                    services.extend(page.items);
                }
            }
            (Request::DescribeResourcePolicy, Response::ResourcePolicy(policy)) => {
                self.delegation_policy = Part::known(policy, now);
            }
            (Request::GetAlternateContact { account, kind }, Response::Contact(contact)) => {
                self.set_contact(account, *kind, Part::known(contact, now));
            }
            (Request::ListCreateAccountStatus { .. }, Response::Creations(page)) => {
                grow(&mut self.creations, now, |all| all.extend(page.items));
            }
            (request, _) => {
                return Err(AwsError::unanswered(
                    request.operation(),
                    "garbage",
                    "the answer is that of another operation",
                ));
            }
        }
        Ok(())
    }

    fn account_seen(&mut self, fact: crate::aws::port::AccountFact, parent: Option<&NodeId>) {
        let earlier = self.accounts.remove(&fact.id);
        let new = earlier.is_none();
        let (tags, contacts, was) = earlier.map_or_else(Default::default, |a| (a.tags, a.contacts, a.parent));
        let told = [&was, &fact.parent].into_iter().flatten().find(|told| parent.is_some_and(|parent| parent != *told));
        let moved = was.as_ref().zip(fact.parent.as_ref()).filter(|(was, now)| was != now);
        if let Some((one, other)) = moved.or_else(|| told.zip(parent)) {
            let (one, other) = (one.clone(), other.clone());
            self.contradict(Scope::Accounts, || twice("ListAccounts", "account", fact.id.as_str(), &one, &other));
        }
        let parent = fact.parent.or_else(|| parent.cloned()).or(was);
        let account = Account { name: fact.name, email: fact.email, state: fact.state, parent, tags, contacts };
        self.accounts.insert(fact.id.clone(), account);
        if new {
            self.new_accounts.push(fact.id);
        }
    }

    fn policy_seen(&mut self, summary: crate::aws::port::PolicySummary) {
        let earlier = self.policies.remove(&summary.id);
        if earlier.is_none() {
            self.new_policies.push(summary.id.clone());
        }
        let (content, tags, targets) = earlier.map_or_else(Default::default, |p| (p.content, p.tags, p.targets));
        let policy = Policy {
            kind: summary.kind,
            name: summary.name,
            description: summary.description,
            aws_managed: summary.aws_managed,
            content,
            tags,
            targets,
        };
        self.policies.insert(summary.id, policy);
    }

    /// What a request was to tell could not be read.
    pub(super) fn unreadable(&mut self, request: &Request, error: &AwsError, at: Timestamp) {
        fn lost<T>(error: &AwsError, at: Timestamp) -> Part<T> {
            Part::Unreadable { error: error.to_string(), remedy: error.remedy().map(Into::into), at }
        }
        match request {
            Request::ListTagsForResource { resource, .. } => self.set_tags(resource, lost(error, at)),
            Request::DescribePolicy { policy } => self.set_content(policy, lost(error, at)),
            Request::ListTargetsForPolicy { policy, .. } => {
                self.partial_targets.remove(policy);
                self.set_targets(policy, lost(error, at));
            }
            Request::ListPoliciesForTarget { kind, .. } => {
                for policy in self.policies.values_mut().filter(|policy| policy.kind == *kind) {
                    policy.targets = lost(error, at);
                }
            }
            Request::ListAWSServiceAccessForOrganization { .. } => self.services = lost(error, at),
            Request::ListDelegatedAdministrators { .. } | Request::ListDelegatedServicesForAccount { .. } => {
                self.administrators = lost(error, at);
            }
            Request::DescribeResourcePolicy => self.delegation_policy = lost(error, at),
            Request::GetAlternateContact { account, kind } => self.set_contact(account, *kind, lost(error, at)),
            Request::ListCreateAccountStatus { .. } => self.creations = lost(error, at),
            Request::DescribeAccount { account } | Request::ListParents { child: NodeId::Account(account) } => {
                if let Some(account) = self.accounts.get_mut(account) {
                    account.parent = None;
                }
            }
            _ => {}
        }
    }
}

impl From<Observed> for Draft {
    fn from(observed: Observed) -> Self {
        Self {
            organization: Some(observed.organization),
            root: Some(observed.root),
            units: observed.units,
            accounts: observed.accounts,
            policies: observed.policies,
            services: observed.services,
            administrators: observed.administrators,
            delegation_policy: observed.delegation_policy,
            creations: observed.creations,
            listed_types: observed.listed_types,
            gaps: observed.gaps,
            first: false,
            ..Self::new(observed.lists_at)
        }
    }
}

/// Two places of one thing, of which AWS has one.
fn twice(call: &str, what: &str, id: &str, one: &NodeId, other: &NodeId) -> String {
    format!("{call} shows {what} `{id}` in `{one}`, and another answer in `{other}`")
}

/// Adds a page to a list; a list that lost a page stays unreadable.
fn grow<T: Default>(part: &mut Part<T>, now: Timestamp, add: impl FnOnce(&mut T)) {
    if matches!(part, Part::Unread) {
        *part = Part::known(T::default(), now);
    }
    if let Some(value) = part.get_mut() {
        add(value);
    }
}
