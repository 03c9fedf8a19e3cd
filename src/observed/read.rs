//! The paged read of an organization: every list started as soon as its ids are known, so that each of AWS's token
//! buckets runs dry on its own; what an earlier snapshot still knows is not asked again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures::stream::{FuturesUnordered, StreamExt};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::age::{Renew, Renewed};
use super::contradictions;
use super::draft::Draft;
use super::model::{Observed, Part, Scope};
use crate::aws::port::{ContactKind, Resource};
use crate::aws::{AwsError, ErrorClass, Port, Request, Response};
use crate::names::{AccountId, NodeId, PolicyType};

/// Calls of one operation that may wait in the port at once: enough to keep its bucket busy, few enough to keep small.
const IN_FLIGHT: usize = 24;

/// What a read is to know.
#[derive(Debug, Clone, Default)]
pub struct Wants {
    /// Policy types to list; `None`: those that are on.
    pub types: Option<BTreeSet<PolicyType>>,
    /// Alternate contacts, of accounts told by id or by e-mail (lower case).
    pub contacts: Vec<(AccountRef, BTreeSet<ContactKind>)>,
    /// Alternate contacts of every account.
    pub all_contacts: bool,
    /// Trusted services.
    pub services: bool,
    /// Delegated administrators.
    pub administrators: bool,
    /// The delegation policy.
    pub delegation_policy: bool,
    /// Where `FullAWSAccess` is attached.
    pub base_access: bool,
    /// Tags and contacts read no longer ago than this are taken from the earlier snapshot.
    pub max_age: SignedDuration,
    /// The same for the contents of policies.
    pub contents_max_age: SignedDuration,
    /// What is read again though the earlier snapshot may be taken for it.
    pub renew: Option<Renew>,
}

/// How a manifest names an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccountRef {
    /// By id.
    Id(AccountId),
    /// By e-mail, in lower case.
    Email(String),
}

/// Time, given by the caller so that simulations have their own.
pub type Clock<'a> = &'a (dyn Fn() -> Timestamp + Send + Sync);

/// Reads the organization. Parts that AWS does not give become `Unreadable`, lists that end early become gaps.
///
/// # Errors
/// Where nothing can be known at all: the organization or its root cannot be read, or the credentials are no good.
pub async fn read(
    port: &dyn Port,
    wants: &Wants,
    previous: Option<&Observed>,
    clock: Clock<'_>,
) -> Result<Observed, AwsError> {
    let observed = read_once(port, wants, previous, clock).await?;
    match previous {
        // What was known of another organization is worth nothing here.
        Some(previous) if previous.organization.id != observed.organization.id => {
            read_once(port, wants, None, clock).await
        }
        _ => Ok(observed),
    }
}

async fn read_once(
    port: &dyn Port,
    wants: &Wants,
    previous: Option<&Observed>,
    clock: Clock<'_>,
) -> Result<Observed, AwsError> {
    let mut reader = Reader::new(wants, previous, clock, Draft::new(clock()));
    reader.ask(Request::DescribeOrganization);
    reader.ask(Request::ListRoots { token: None });
    reader.ask(Request::ListAccounts { token: None });
    if let Some(types) = &wants.types {
        reader.list_policies(types.iter().cloned());
    }
    for (wanted, request) in [
        (wants.services, Request::ListAWSServiceAccessForOrganization { token: None }),
        (wants.administrators, Request::ListDelegatedAdministrators { token: None }),
        (wants.delegation_policy, Request::DescribeResourcePolicy),
    ] {
        if wanted {
            reader.ask(request);
        }
    }
    reader.run(port).await?;
    reader.finish()
}

/// Reads again what these requests tell, and nothing else.
///
/// # Errors
/// Where the credentials are no good; parts that AWS does not give become `Unreadable` as in [`read`].
pub async fn refresh(
    port: &dyn Port,
    observed: Observed,
    requests: impl IntoIterator<Item = Request>,
    clock: Clock<'_>,
) -> Result<Observed, AwsError> {
    let wants = Wants::default();
    let mut reader = Reader::new(&wants, None, clock, Draft::from(observed));
    reader.attachments = Attachments::Settled;
    reader.follow = false;
    requests.into_iter().for_each(|request| reader.ask(request));
    reader.run(port).await?;
    reader.finish()
}

/// How attachments are read: by policy or by target, whichever takes fewer calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attachments {
    Undecided,
    ByPolicy,
    Settled,
}

struct Reader<'a> {
    wants: &'a Wants,
    previous: Option<&'a Observed>,
    clock: Clock<'a>,
    draft: Draft,
    gaps: Vec<super::Gap>,
    queues: BTreeMap<&'static str, VecDeque<Request>>,
    in_flight: BTreeMap<&'static str, usize>,
    attachments: Attachments,
    types_left: BTreeSet<PolicyType>,
    walk_accounts: bool,
    /// Nodes whose accounts were asked for.
    walked: BTreeSet<NodeId>,
    /// Pages past the first that were asked for.
    pages: Pages,
    /// New ids lead to further requests.
    follow: bool,
    /// Alternate contacts that are wanted, by account.
    contacts: BTreeMap<&'a AccountRef, Vec<&'a ContactKind>>,
    renewed: Renewed,
    /// Looks for what the earlier reading had and no list has now, each with the list that should have it.
    sought: Vec<(Request, Scope)>,
}

impl<'a> Reader<'a> {
    fn new(wants: &'a Wants, previous: Option<&'a Observed>, clock: Clock<'a>, draft: Draft) -> Self {
        let mut contacts: BTreeMap<&AccountRef, Vec<&ContactKind>> = BTreeMap::new();
        for (who, kinds) in &wants.contacts {
            contacts.entry(who).or_default().extend(kinds);
        }
        Self {
            wants,
            previous,
            clock,
            draft,
            gaps: vec![],
            queues: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            attachments: Attachments::Undecided,
            types_left: BTreeSet::new(),
            walk_accounts: false,
            walked: BTreeSet::new(),
            pages: Pages::default(),
            follow: true,
            contacts,
            renewed: wants
                .renew
                .zip(previous)
                .map_or_else(Renewed::default, |(renew, known)| Renewed::of(known, renew, clock())),
            sought: vec![],
        }
    }

    /// What was read, with what it says against itself.
    fn finish(self) -> Result<Observed, AwsError> {
        let mut observed = self.draft.finish()?;
        // A call that failed explains what other answers say against the list.
        observed.gaps.retain(|gap| !self.gaps.iter().any(|failed| failed.scope == gap.scope));
        observed.gaps.extend(self.gaps);
        let found = contradictions::gaps(&observed);
        observed.gaps.extend(found);
        Ok(observed)
    }

    fn ask(&mut self, request: Request) {
        self.queues.entry(request.operation()).or_default().push_back(request);
    }

    async fn run(&mut self, port: &dyn Port) -> Result<(), AwsError> {
        let mut calls = FuturesUnordered::new();
        loop {
            while let Some(request) = self.next() {
                calls.push(async move {
                    let answer = port.call(&request).await;
                    (request, answer)
                });
            }
            let Some((request, answer)) = calls.next().await else {
                if self.decide_late() || self.seek() {
                    continue;
                }
                return Ok(());
            };
            if let Some(count) = self.in_flight.get_mut(request.operation()) {
                *count -= 1;
            }
            self.take(&request, answer)?;
            self.decide_early();
        }
    }

    fn next(&mut self) -> Option<Request> {
        for (operation, queue) in &mut self.queues {
            let count = self.in_flight.entry(operation).or_default();
            if *count < IN_FLIGHT
                && let Some(request) = queue.pop_front()
            {
                *count += 1;
                return Some(request);
            }
        }
        None
    }

    fn take(&mut self, request: &Request, answer: Result<Response, AwsError>) -> Result<(), AwsError> {
        let now = (self.clock)();
        if let Some(at) = self.sought.iter().position(|(sought, _)| sought == request) {
            let (request, scope) = self.sought.swap_remove(at);
            return self.found(&request, scope, answer);
        }
        match answer {
            Ok(answer) => {
                if let Some(token) = answer.next() {
                    let next = match self.pages.next(request, token) {
                        Ok(next) => next,
                        Err(error) => return self.fail(request, error, now),
                    };
                    self.draft.absorb(request, answer, now, true)?;
                    self.ask(next);
                    self.follow(request, false);
                } else {
                    self.draft.absorb(request, answer, now, false)?;
                    self.follow(request, true);
                }
                Ok(())
            }
            Err(error) if error.class == ErrorClass::Credentials => Err(error),
            Err(error) => self.fail(request, error, now),
        }
    }

    /// What an answer leads to. `done`: it was the last page.
    fn follow(&mut self, request: &Request, done: bool) {
        if !self.follow {
            if let Request::ListPolicies { kind, .. } = request
                && done
            {
                self.draft.listed(kind);
            }
            return;
        }
        match request {
            Request::ListRoots { .. } if done => self.follow_root(),
            Request::ListAccounts { .. } => {
                for account in self.draft.take_new_accounts() {
                    self.follow_account(&account);
                }
                if done {
                    self.walk_accounts_if_needed();
                }
            }
            Request::ListOrganizationalUnitsForParent { .. } => {
                for unit in self.draft.take_new_units() {
                    let node = NodeId::Unit(unit.clone());
                    self.ask(Request::ListOrganizationalUnitsForParent { parent: node.clone(), token: None });
                    if self.walk_accounts {
                        self.walk(&node);
                    }
                    let known = self.previous.and_then(|p| p.units.get(&unit)).map(|unit| unit.tags.clone());
                    self.tags_or_ask(Resource::Node(node), known);
                }
            }
            Request::ListPolicies { kind, .. } => {
                for (policy, unchanged) in self.draft.take_new_policies(self.previous) {
                    self.follow_policy(&policy, unchanged);
                }
                if done {
                    self.types_left.remove(kind);
                    self.draft.listed(kind);
                }
            }
            Request::ListDelegatedAdministrators { .. } => {
                for account in self.draft.take_new_administrators() {
                    self.ask(Request::ListDelegatedServicesForAccount { account, token: None });
                }
            }
            _ => {}
        }
    }

    fn follow_root(&mut self) {
        let Some(root) = self.draft.root() else { return };
        let (node, types) = (NodeId::Root(root.id.clone()), root.policy_types.keys().cloned().collect::<Vec<_>>());
        if self.wants.types.is_none() {
            self.list_policies(types);
        }
        self.ask(Request::ListOrganizationalUnitsForParent { parent: node.clone(), token: None });
        if self.walk_accounts {
            self.walk(&node);
        }
        // The root's tags carry the lease and the brake of all: they are always read.
        self.ask(Request::ListTagsForResource { resource: Resource::Node(node), token: None });
    }

    fn list_policies(&mut self, types: impl IntoIterator<Item = PolicyType>) {
        for kind in types {
            self.types_left.insert(kind.clone());
            self.ask(Request::ListPolicies { kind, token: None });
        }
    }

    fn follow_account(&mut self, id: &AccountId) {
        let earlier = self.previous.and_then(|previous| previous.accounts.get(id));
        self.tags_or_ask(Resource::Node(NodeId::Account(id.clone())), earlier.map(|account| account.tags.clone()));
        let Some(account) = self.draft.account(id) else { return };
        let email = account.email.to_lowercase();
        let mut kinds = BTreeSet::new();
        if self.wants.all_contacts {
            kinds.extend(ContactKind::ALL);
        }
        for who in [AccountRef::Id(id.clone()), AccountRef::Email(email)] {
            kinds.extend(self.contacts.get(&who).into_iter().flatten().copied());
        }
        for kind in kinds {
            match earlier.and_then(|account| account.contacts.get(&kind)) {
                Some(part)
                    if self.is_fresh(part, self.wants.max_age)
                        && !self.renewed.contacts.contains(&(id.clone(), kind)) =>
                {
                    self.draft.set_contact(id, kind, part.clone());
                }
                _ => self.ask(Request::GetAlternateContact { account: id.clone(), kind }),
            }
        }
    }

    fn follow_policy(&mut self, id: &crate::names::PolicyId, unchanged: bool) {
        let earlier = self.previous.filter(|_| unchanged).and_then(|previous| previous.policies.get(id));
        self.tags_or_ask(Resource::Policy(id.clone()), earlier.map(|policy| policy.tags.clone()));
        match earlier {
            Some(policy)
                if self.is_fresh(&policy.content, self.wants.contents_max_age)
                    && !self.renewed.contents.contains(id) =>
            {
                self.draft.set_content(id, policy.content.clone());
            }
            _ => self.ask(Request::DescribePolicy { policy: id.clone() }),
        }
        if self.attachments == Attachments::ByPolicy {
            self.ask(Request::ListTargetsForPolicy { policy: id.clone(), token: None });
        }
    }

    fn is_fresh<T>(&self, part: &Part<T>, max_age: SignedDuration) -> bool {
        // A reading from the future is of a clock that went wrong, and says nothing of its age.
        let skew = SignedDuration::from_mins(1);
        part.read_at().map(|at| (self.clock)().duration_since(at)).is_some_and(|age| age <= max_age && age >= -skew)
    }

    fn tags_or_ask(&mut self, resource: Resource, earlier: Option<Part<crate::names::Tags>>) {
        match earlier {
            Some(part) if self.is_fresh(&part, self.wants.max_age) && !self.renewed.tags.contains(&resource) => {
                self.draft.set_tags(&resource, part);
            }
            _ => self.ask(Request::ListTagsForResource { resource, token: None }),
        }
    }

    /// Asks for the accounts of a node, once.
    fn walk(&mut self, node: &NodeId) {
        if self.walked.insert(node.clone()) {
            self.ask(Request::ListAccountsForParent { parent: node.clone(), token: None });
        }
    }

    /// Emulators and old endpoints leave `Paths` out: then the parents are found by asking each node.
    fn walk_accounts_if_needed(&mut self) {
        if self.walk_accounts || self.draft.all_accounts_placed() {
            return;
        }
        self.walk_accounts = true;
        for parent in self.draft.nodes_with_children() {
            self.walk(&parent);
        }
    }

    /// One call a policy is cheaper than one a node and type as soon as more accounts are known than policies: then the
    /// attachments wait neither for the rest of the accounts nor for the walk of the tree.
    fn decide_early(&mut self) {
        if self.attachments != Attachments::Undecided || !self.types_left.is_empty() {
            return;
        }
        let Some(root) = self.draft.root() else { return };
        if self.wants.types.is_none() && root.policy_types.is_empty() {
            self.attachments = Attachments::Settled;
            return;
        }
        let types = root.policy_types.len().max(1);
        if self.draft.policies_to_place(self.wants.base_access).len() <= self.draft.accounts() * types {
            self.by_policy();
        }
    }

    /// With everything else read, the cheaper way is known exactly. Returns whether there is more to ask.
    fn decide_late(&mut self) -> bool {
        if self.attachments != Attachments::Undecided {
            return false;
        }
        let (Some(root), policies) = (self.draft.root(), self.draft.policies_to_place(self.wants.base_access)) else {
            return false;
        };
        let types: Vec<PolicyType> = root.policy_types.keys().cloned().collect();
        let nodes = self.draft.nodes();
        if policies.len() <= nodes.len() * types.len() || self.has_gap_in_tree() {
            self.by_policy();
        } else {
            self.attachments = Attachments::Settled;
            for kind in self.wants.types.iter().flatten().filter(|kind| !types.contains(kind)) {
                // Nothing is attached of a type that is off.
                self.draft.expect_targets(kind, (self.clock)());
            }
            for kind in types {
                self.draft.expect_targets(&kind, (self.clock)());
                for target in &nodes {
                    self.ask(Request::ListPoliciesForTarget {
                        target: target.clone(),
                        kind: kind.clone(),
                        token: None,
                    });
                }
            }
        }
        true
    }

    /// Asks by id for what an earlier reading of this organization had and the lists have no more: it was taken away, or
    /// the lists are short. Returns whether there is something to ask.
    fn seek(&mut self) -> bool {
        let Some(previous) = self.previous.take() else { return false };
        let lost = self.draft.lost(previous);
        let gaps: Vec<&Scope> = self.gaps.iter().map(|gap| &gap.scope).collect();
        let told = |scope: &Scope| match scope {
            Scope::UnitsBelow(_) => gaps.iter().any(|gap| matches!(gap, Scope::UnitsBelow(_))),
            scope => gaps.contains(&scope),
        };
        self.sought = lost.into_iter().filter(|(_, scope)| !told(scope)).collect();
        let requests: Vec<Request> = self.sought.iter().map(|(request, _)| request.clone()).collect();
        requests.into_iter().for_each(|request| self.ask(request));
        !self.sought.is_empty()
    }

    /// What came of such a look.
    fn found(&mut self, request: &Request, scope: Scope, answer: Result<Response, AwsError>) -> Result<(), AwsError> {
        let gap = match answer {
            Ok(_) => contradictions::left_out(request, scope),
            Err(error) if error.class == ErrorClass::NotFound => return Ok(()),
            Err(error) if error.class == ErrorClass::Credentials => return Err(error),
            Err(error) => super::Gap { scope, error: error.to_string(), remedy: error.remedy().map(Into::into) },
        };
        if !self.gaps.iter().any(|known| known.scope == gap.scope) {
            self.gaps.push(gap);
        }
        Ok(())
    }

    fn has_gap_in_tree(&self) -> bool {
        self.gaps.iter().any(|gap| !matches!(gap.scope, Scope::Policies(_)))
    }

    fn by_policy(&mut self) {
        self.attachments = Attachments::ByPolicy;
        for policy in self.draft.policies_to_place(self.wants.base_access) {
            self.ask(Request::ListTargetsForPolicy { policy, token: None });
        }
    }

    fn fail(&mut self, request: &Request, error: AwsError, now: Timestamp) -> Result<(), AwsError> {
        let scope = match request {
            Request::DescribeOrganization | Request::ListRoots { .. } => return Err(error),
            Request::ListAccounts { .. } => Some(Scope::Accounts),
            Request::ListOrganizationalUnitsForParent { parent, .. }
            | Request::ListAccountsForParent { parent, .. } => Some(Scope::UnitsBelow(parent.clone())),
            Request::ListPolicies { kind, .. } => {
                self.types_left.remove(kind);
                Some(Scope::Policies(kind.clone()))
            }
            _ => {
                self.draft.unreadable(request, &error, now);
                None
            }
        };
        let (error, remedy) = (error.to_string(), error.remedy().map(Into::into));
        self.gaps.extend(scope.map(|scope| super::Gap { scope, error, remedy }));
        Ok(())
    }
}

/// Most pages of one list: four times what the largest organization fills.
const MOST_PAGES: usize = 10_000;

/// Pages that were asked for. A token that comes back, at once or after others, would loop for ever, and so would a list
/// that always has a new one.
#[derive(Debug, Default)]
struct Pages {
    asked: BTreeSet<String>,
    /// How many of each list.
    count: BTreeMap<String, usize>,
}

impl Pages {
    fn next(&mut self, request: &Request, token: &str) -> Result<Request, AwsError> {
        let next = request.page(token);
        let count = self.count.entry(format!("{:?}", request.page(""))).or_default();
        *count += 1;
        let message = if *count > MOST_PAGES {
            "the list does not end: it has more pages than any organization fills"
        } else if !self.asked.insert(format!("{next:?}")) {
            "the list does not end: a page that was read already is named as the next one"
        } else {
            return Ok(next);
        };
        Err(AwsError::unanswered(request.operation(), "garbage", message))
    }
}

/// Every page of a list, one after the other.
///
/// # Errors
/// The first page that fails.
pub async fn pages(port: &dyn Port, first: Request) -> Result<Vec<Response>, AwsError> {
    let mut answers = vec![];
    let mut asked = Pages::default();
    let mut request = first;
    loop {
        let answer = port.call(&request).await?;
        let next = answer.next().map(|token| asked.next(&request, token)).transpose()?;
        answers.push(answer);
        match next {
            Some(next) => request = next,
            None => return Ok(answers),
        }
    }
}
