//! Nodes, the policies attached to them, and the way from the root to an account, compiled once for all accounts that
//! the same policies bind.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::aws::port::{OrganizationFact, PolicyTypeStatus};
use crate::desired::{Desired, Origin};
use crate::names::words::plain;
use crate::names::{AccountId, NodeId, PolicyId, PolicyType, TAG_RESOURCE};
use crate::observed::{Observed, Part, Scope};
use crate::policy::Document;
use crate::policy::condition::Test;
use crate::policy::document::Content;
use crate::policy::eval::{Compiled, Ladder, Place};
use crate::policy::statement;

/// The root, an OU or an account.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// Its name in AWS.
    pub name: String,
    parent: Option<usize>,
    service_control: Vec<usize>,
    resource_control: Vec<usize>,
    other: Vec<usize>,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, id) = (plain(&self.name), self.id.as_str());
        match &self.id {
            NodeId::Root(_) => write!(f, "root ({id})"),
            NodeId::Unit(_) => write!(f, "OU {name} ({id})"),
            NodeId::Account(_) => write!(f, "account {name} ({id})"),
        }
    }
}

/// A policy, with who declares it.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its id.
    pub id: PolicyId,
    /// Its type.
    pub kind: PolicyType,
    /// Its name in AWS.
    pub name: String,
    /// AWS made it.
    pub aws_managed: bool,
    /// The object that declares it (`OrganizationPolicy/baseline`), by its tag.
    pub object: Option<String>,
    /// Where that object stands, if manifests were given.
    pub origin: Option<Origin>,
    /// The object's annotation `bylaw.dev/owner`.
    pub owner: Option<Box<str>>,
    /// What it says. `Err`: why that is not known.
    pub document: Result<Arc<Document>, String>,
    compiled: Option<Compiled>,
}

impl Policy {
    /// Its statements, where it has any and they were read.
    #[must_use]
    pub fn statements(&self) -> Option<&statement::Policy> {
        match self.document.as_ref().ok()?.content() {
            Content::Statements(policy) => Some(policy),
            Content::Management(_) => None,
        }
    }

    /// One of its statements.
    #[must_use]
    pub fn statement(&self, index: usize) -> Option<&statement::Statement> {
        self.statements()?.statements.get(index)
    }
}

/// Ladders of both kinds, shared by all accounts that the same policies bind.
#[derive(Debug)]
struct Ways {
    service_control: Option<Ladder>,
    resource_control: Option<Ladder>,
}

/// Indexes of policies that could be compiled, node by node.
type Attached = Vec<Vec<usize>>;

/// What binds one account.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The account.
    pub account: AccountId,
    /// Indexes of the nodes from the root to the account.
    pub path: Vec<usize>,
    service_control: Attached,
    resource_control: Attached,
    ways: Arc<Ways>,
    /// It is the management account, which neither SCPs nor RCPs bind.
    pub management: bool,
    /// What of the way is not known, for people.
    pub gaps: Vec<String>,
}

impl Standing {
    /// The SCPs. `None` where none bind it: the management account, or an organization without the type.
    #[must_use]
    pub fn service_control(&self) -> Option<&Ladder> {
        self.ways.service_control.as_ref().filter(|_| !self.management)
    }

    /// The RCPs that bind its resources.
    #[must_use]
    pub fn resource_control(&self) -> Option<&Ladder> {
        self.ways.resource_control.as_ref().filter(|_| !self.management)
    }

    /// The policy and node of a place of the SCP ladder, or of the RCP ladder.
    fn found(&self, attached: &Attached, place: Place) -> Option<(usize, usize)> {
        Some((*self.path.get(place.node)?, *attached.get(place.node)?.get(place.policy)?))
    }
}

/// The whole organization.
#[derive(Debug)]
pub struct Forest {
    /// Id and management account.
    pub organization: OrganizationFact,
    /// Only manifests tell of it: the ids of the organization and of what is in it are made up, and what no manifest declares is
    /// not in it.
    pub declared_only: bool,
    /// The AWS partition: that of the manifests, else the one whose ARNs its policies name; `None` where they name several.
    pub partition: Option<Box<str>>,
    nodes: Vec<Node>,
    by_id: HashMap<NodeId, usize>,
    policies: Vec<Policy>,
    enabled: BTreeMap<PolicyType, bool>,
    /// What is not known of every way.
    gaps: Vec<String>,
    ways: Mutex<HashMap<(Attached, Attached), Arc<Ways>>>,
}

impl Forest {
    /// The organization as it was read. `desired`: the manifests, where there are any, which tell who declares what.
    #[must_use]
    pub fn of(observed: &Observed, desired: Option<&Desired>) -> Self {
        let mut forest = Self {
            organization: observed.organization.clone(),
            declared_only: false,
            partition: None,
            nodes: vec![],
            by_id: HashMap::new(),
            policies: vec![],
            enabled: BTreeMap::new(),
            gaps: vec![],
            ways: Mutex::default(),
        };
        forest.plant(observed);
        for kind in [PolicyType::scp(), PolicyType::rcp()] {
            let on = observed.root.policy_types.get(&kind);
            forest
                .enabled
                .insert(kind.clone(), matches!(on, Some(PolicyTypeStatus::Enabled | PolicyTypeStatus::PendingDisable)));
            if on.is_some() && !observed.listed_types.contains(&kind) {
                forest.gaps.push(format!("policies of type `{kind}` were not read"));
            }
        }
        for (id, policy) in &observed.policies {
            forest.attach(id, policy, desired);
        }
        forest.partition = match desired {
            Some(desired) => Some(desired.organization.spec.partition.as_str().into()),
            None => forest.named_partition(),
        };
        for gap in &observed.gaps {
            if let Scope::Policies(kind) = &gap.scope
                && (*kind == PolicyType::scp() || *kind == PolicyType::rcp())
            {
                forest.gaps.push(format!("not all policies of type `{kind}` could be read: {}", gap.error));
            }
        }
        forest
    }

    /// The partition of the ARNs in its SCPs and RCPs. No ARN of another partition stands for anything in it.
    fn named_partition(&self) -> Option<Box<str>> {
        let statements = self.policies.iter().filter_map(Policy::statements).flat_map(|policy| &policy.statements);
        let resources = statements.flat_map(|statement| statement.resource.named());
        let of = |arn: &str| -> Option<Box<str>> {
            let partition = arn.strip_prefix("arn:")?.split(':').next()?;
            partition.starts_with("aws").then_some(partition).filter(|it| !it.contains(['*', '?', '$'])).map(Into::into)
        };
        let named: BTreeSet<Box<str>> = resources.filter_map(|arn| of(arn)).collect();
        match named.len() {
            0 => Some("aws".into()),
            1 => named.into_iter().next(),
            _ => None,
        }
    }

    fn plant(&mut self, observed: &Observed) {
        self.add(observed.root_node(), &observed.root.name);
        for (id, unit) in &observed.units {
            self.add(NodeId::Unit(id.clone()), &unit.name);
        }
        for (id, account) in &observed.accounts {
            self.add(NodeId::Account(id.clone()), &account.name);
        }
        for node in &mut self.nodes {
            node.parent = observed.parent(&node.id).and_then(|parent| self.by_id.get(parent).copied());
        }
    }

    fn add(&mut self, id: NodeId, name: &str) {
        self.by_id.insert(id.clone(), self.nodes.len());
        let (service_control, resource_control, other) = (vec![], vec![], vec![]);
        self.nodes.push(Node { id, name: name.to_owned(), parent: None, service_control, resource_control, other });
    }

    fn attach(&mut self, id: &PolicyId, policy: &crate::observed::Policy, desired: Option<&Desired>) {
        let document = match &policy.content {
            Part::Known { value, .. } => Document::parse(&policy.kind, value)
                .map(|(document, _)| Arc::new(document))
                .map_err(|flaws| flaws.first().map_or_else(|| "it cannot be read".to_owned(), ToString::to_string)),
            Part::Unreadable { error, .. } => Err(error.clone()),
            // AWS's own policy allows everything and says nothing else.
            Part::Unread if policy.aws_managed && policy.kind == PolicyType::scp() => {
                Document::parse(&policy.kind, statement::FULL_ACCESS)
                    .map(|(document, _)| Arc::new(document))
                    .map_err(|_| "it was not read".to_owned())
            }
            Part::Unread => Err("it was not read".to_owned()),
        };
        let object = policy.tags.get().and_then(|tags| tags.get(TAG_RESOURCE)).map(ToString::to_string);
        let declared = desired
            .zip(object.as_deref())
            .and_then(|(desired, object)| desired.policies.values().find(|policy| policy.key.to_string() == object));
        let index = self.policies.len();
        let compiled = match document.as_ref().map(|document| document.content()) {
            Ok(Content::Statements(policy)) => Some(Compiled::new(policy)),
            _ => None,
        };
        self.policies.push(Policy {
            id: id.clone(),
            kind: policy.kind.clone(),
            name: policy.name.clone(),
            aws_managed: policy.aws_managed,
            origin: declared.map(|policy| policy.origin.clone()),
            owner: declared.and_then(|policy| policy.spec.owner.clone()),
            object,
            document,
            compiled,
        });
        let Some(targets) = policy.targets.get() else {
            // AWS's own RCP is attached everywhere by definition.
            if policy.kind == PolicyType::scp() || (policy.kind == PolicyType::rcp() && !policy.aws_managed) {
                self.gaps.push(format!("where policy `{}` is attached was not read", policy.name));
            }
            return;
        };
        for target in targets {
            let Some(node) = self.by_id.get(target).and_then(|at| self.nodes.get_mut(*at)) else { continue };
            let list = match &policy.kind {
                kind if *kind == PolicyType::scp() => &mut node.service_control,
                // AWS's own, which allows everything, is attached everywhere and cannot be taken off.
                kind if *kind == PolicyType::rcp() && !policy.aws_managed => &mut node.resource_control,
                _ => &mut node.other,
            };
            list.push(index);
        }
    }

    /// The accounts, in the order of their ids.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        self.nodes.iter().filter_map(|node| match &node.id {
            NodeId::Account(id) => Some(id),
            _ => None,
        })
    }

    /// The account of an id or, where only one has it, of a name.
    ///
    /// # Errors
    /// What is wrong with it: there is none, or several have the name.
    pub fn account(&self, wanted: &str) -> Result<AccountId, String> {
        if let Ok(id) = wanted.parse::<AccountId>() {
            let known = self.by_id.contains_key(&NodeId::Account(id.clone()));
            return if known { Ok(id) } else { Err(format!("the organization has no account `{wanted}`")) };
        }
        let named = |node: &&Node| node.name == wanted && matches!(node.id, NodeId::Account(_));
        let found: Vec<&Node> = self.nodes.iter().filter(named).collect();
        match found.as_slice() {
            [Node { id: NodeId::Account(id), .. }] => Ok(id.clone()),
            [] => {
                let names = self.nodes.iter().filter(|node| matches!(node.id, NodeId::Account(_)));
                let near = crate::names::words::nearest(wanted, names.map(|node| node.name.as_str()));
                let meant = near.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
                Err(format!("the organization has no account named `{wanted}`{meant}"))
            }
            several => {
                let ids: Vec<&str> = several.iter().map(|node| node.id.as_str()).collect();
                Err(format!("several accounts are named `{wanted}`: name one by its id ({})", ids.join(", ")))
            }
        }
    }

    /// A node by its index.
    #[must_use]
    pub fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index)
    }

    /// The node of an account itself.
    #[must_use]
    pub fn own_node(&self, standing: &Standing) -> Option<&Node> {
        self.node(*standing.path.last()?)
    }

    /// What binds an account, `None` for one that is not there.
    #[must_use]
    pub fn standing(&self, account: &AccountId) -> Option<Standing> {
        self.standing_at(*self.by_id.get(&NodeId::Account(account.clone()))?, account)
    }

    /// What would bind an account of that id at every place that one may have whose id is not among those: at the root, in each OU, and
    /// at each account whose own id is made up.
    #[must_use]
    pub fn standings_of_others(&self, account: &AccountId, known: &BTreeSet<AccountId>) -> Vec<(NodeId, Standing)> {
        let is_other = |node: &Node| !matches!(&node.id, NodeId::Account(id) if known.contains(id));
        let others = self.nodes.iter().enumerate().filter(|(_, node)| is_other(node));
        others.filter_map(|(at, node)| Some((node.id.clone(), self.standing_at(at, account)?))).collect()
    }

    fn standing_at(&self, node: usize, account: &AccountId) -> Option<Standing> {
        let (path, whole) = self.path(node);
        let of = |which: fn(&Node) -> &Vec<usize>| -> Attached {
            path.iter().filter_map(|at| self.nodes.get(*at)).map(|node| which(node).clone()).collect()
        };
        let (mut service_control, mut resource_control) =
            (of(|node| &node.service_control), of(|node| &node.resource_control));
        let mut gaps = self.gaps.clone();
        if !whole {
            gaps.push(format!("which OU account `{account}` is in is not known"));
        }
        for index in service_control.iter().chain(&resource_control).flatten() {
            if let Some(Policy { name, document: Err(why), .. }) = self.policies.get(*index) {
                gaps.push(format!("what policy `{name}` says is not known: {why}"));
            }
        }
        for node in service_control.iter_mut().chain(&mut resource_control) {
            node.retain(|index| self.policies.get(*index).is_some_and(|policy| policy.compiled.is_some()));
        }
        let ways = self.ways(&service_control, &resource_control);
        let management = self.organization.management_account == *account;
        Some(Standing { account: account.clone(), path, service_control, resource_control, ways, management, gaps })
    }

    /// Nodes from the root down to one, and whether the way is known to its end.
    fn path(&self, node: usize) -> (Vec<usize>, bool) {
        let (mut path, mut at) = (vec![node], node);
        while let Some(parent) = self.nodes.get(at).and_then(|node| node.parent)
            && !path.contains(&parent)
        {
            path.push(parent);
            at = parent;
        }
        path.reverse();
        let rooted = self.nodes.get(at).is_some_and(|node| matches!(node.id, NodeId::Root(_)));
        (path, rooted)
    }

    fn ways(&self, service_control: &Attached, resource_control: &Attached) -> Arc<Ways> {
        let key = (service_control.clone(), resource_control.clone());
        let mut known = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let ways = known.entry(key).or_insert_with(|| {
            let ladder = |kind: &PolicyType, attached: &Attached| {
                let compiled = |index: &usize| self.policies.get(*index).and_then(|policy| policy.compiled.as_ref());
                let on = self.enabled.get(kind).copied().unwrap_or(false);
                on.then(|| Ladder::new(attached.iter().map(|node| node.iter().filter_map(compiled))))
            };
            Arc::new(Ways {
                service_control: ladder(&PolicyType::scp(), service_control),
                resource_control: ladder(&PolicyType::rcp(), resource_control),
            })
        });
        Arc::clone(ways)
    }

    /// Node and policy of a place in an account's SCP ladder.
    #[must_use]
    pub fn service_control_at(&self, standing: &Standing, place: Place) -> Option<(&Node, &Policy)> {
        self.at(standing.found(&standing.service_control, place)?)
    }

    /// Node and policy of a place in an account's RCP ladder.
    #[must_use]
    pub fn resource_control_at(&self, standing: &Standing, place: Place) -> Option<(&Node, &Policy)> {
        self.at(standing.found(&standing.resource_control, place)?)
    }

    fn at(&self, (node, policy): (usize, usize)) -> Option<(&Node, &Policy)> {
        Some((self.nodes.get(node)?, self.policies.get(policy)?))
    }

    /// Everything that is attached on the way to an account, from the root down: node by node, every type.
    pub fn attached<'a>(&'a self, standing: &'a Standing) -> impl Iterator<Item = (&'a Node, &'a Policy)> {
        standing.path.iter().filter_map(|at| self.nodes.get(*at)).flat_map(move |node| {
            let all = node.service_control.iter().chain(&node.resource_control).chain(&node.other);
            all.filter_map(move |index| Some((node, self.policies.get(*index)?)))
        })
    }

    /// Whether a policy on the way to an account names another organization than this one, or may.
    #[must_use]
    pub fn names_other_organizations(&self, standing: &Standing) -> bool {
        let own = |value: &String| {
            let id = self.organization.id.as_str();
            value == id || value.strip_prefix(id).is_some_and(|rest| rest.starts_with('/'))
        };
        let clauses = self
            .attached(standing)
            .filter_map(|(_, policy)| policy.statements())
            .flat_map(|policy| policy.statements.iter().flat_map(|statement| &statement.condition));
        let named =
            |key: &str| ["aws:PrincipalOrgID", "aws:PrincipalOrgPaths"].iter().any(|own| own.eq_ignore_ascii_case(key));
        clauses
            .filter(|clause| named(&clause.key))
            .any(|clause| clause.operator.test != Test::Null && !clause.values.iter().all(own))
    }

    /// `o-…/r-…/ou-…/` of an account, as `aws:PrincipalOrgPaths` has it.
    #[must_use]
    pub fn organization_path(&self, standing: &Standing) -> String {
        let above = standing.path.iter().filter_map(|at| self.nodes.get(*at));
        let mut path = format!("{}/", self.organization.id);
        for node in above.filter(|node| !matches!(node.id, NodeId::Account(_))) {
            path.push_str(node.id.as_str());
            path.push('/');
        }
        path
    }
}
