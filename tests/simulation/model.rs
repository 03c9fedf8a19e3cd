//! The organization as plain maps, written a second time and as simply as can be: what the engine says is judged by it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bylaw::aws::offline::State;
use bylaw::aws::port::AccountState;
use bylaw::aws::{Request, port::Resource};
use bylaw::names::{NodeId, PolicyType, TAG_RESOURCE};
use bylaw::observed::Observed;
use bylaw::plan::{Action, Change};
use bylaw::policy::{Document, covers};

/// What a document says, in atoms.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Says {
    pub denies: BTreeSet<String>,
    pub allows: BTreeSet<String>,
}

impl Says {
    /// Whether each holds all that the other says.
    pub fn is_as(&self, other: &Self) -> bool {
        let within = |narrow: &BTreeSet<String>, wide: &BTreeSet<String>| {
            let wide: BTreeSet<&str> = wide.iter().map(String::as_str).collect();
            narrow.iter().all(|atom| holds(&wide, atom))
        };
        [(&self.denies, &other.denies), (&self.allows, &other.allows)]
            .into_iter()
            .all(|(one, other)| within(one, other) && within(other, one))
    }
}

thread_local! {
    static SAYS: RefCell<HashMap<(PolicyType, String), Arc<Says>>> = RefCell::default();
    static COVERS: RefCell<HashMap<(String, String), bool>> = RefCell::default();
}

pub fn says(kind: &PolicyType, text: &str) -> Arc<Says> {
    SAYS.with_borrow_mut(|all| {
        let read = || match Document::parse(kind, text) {
            Ok((document, _)) => {
                Arc::new(Says { denies: document.denies().clone(), allows: document.allows().clone() })
            }
            Err(_) => Arc::default(),
        };
        all.entry((kind.clone(), text.to_owned())).or_insert_with(read).clone()
    })
}

/// Whether one of the denies holds all of `atom`.
pub fn holds(denies: &BTreeSet<&str>, atom: &str) -> bool {
    denies.contains(atom)
        || denies.iter().any(|held| {
            COVERS.with_borrow_mut(|all| {
                *all.entry(((*held).to_owned(), atom.to_owned())).or_insert_with(|| covers(held, atom))
            })
        })
}

/// Nodes and policies by id; what a plan is to make is `new Kind/name`.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub parents: BTreeMap<String, String>,
    pub attached: BTreeMap<String, BTreeSet<String>>,
    pub policies: BTreeMap<String, (PolicyType, Arc<Says>)>,
    /// Member accounts that are there and not closed.
    pub accounts: BTreeSet<String>,
    /// Names that a plan has for what was made since.
    alias: BTreeMap<String, String>,
}

impl Model {
    pub fn of(state: &State) -> Self {
        let mut model = Self::default();
        for (id, unit) in state.units() {
            model.parents.insert(id.to_string(), unit.parent.to_string());
        }
        for (id, account) in state.accounts() {
            model.parents.insert(id.to_string(), account.parent.to_string());
            if *id != state.organization.management_account && account.state != AccountState::Closed {
                model.accounts.insert(id.to_string());
            }
        }
        for (id, policy) in state.policies() {
            model.policies.insert(id.to_string(), (policy.kind.clone(), says(&policy.kind, &policy.content)));
            for node in state.targets(id) {
                model.attached.entry(node.to_string()).or_default().insert(id.to_string());
            }
        }
        model
    }

    pub fn observed(observed: &Observed) -> Self {
        let mut model = Self::default();
        for (id, unit) in &observed.units {
            model.parents.insert(id.to_string(), unit.parent.to_string());
        }
        for (id, account) in &observed.accounts {
            if let Some(parent) = &account.parent {
                model.parents.insert(id.to_string(), parent.to_string());
            }
            if *id != observed.organization.management_account && account.state != AccountState::Closed {
                model.accounts.insert(id.to_string());
            }
        }
        for (id, policy) in &observed.policies {
            let text = policy.content.get().map_or("", String::as_str);
            model.policies.insert(id.to_string(), (policy.kind.clone(), says(&policy.kind, text)));
            for node in policy.targets.get().into_iter().flatten() {
                model.attached.entry(node.to_string()).or_default().insert(id.to_string());
            }
        }
        // Nobody asks where AWS's own policies are as long as nobody takes one away: they are everywhere.
        for (id, policy) in observed.policies.iter().filter(|(_, policy)| policy.aws_managed) {
            // Nor does anybody read what they say.
            if let Some((_, meaning)) = model.policies.get_mut(id.as_str()) {
                let principal = if policy.kind == PolicyType::scp() { "" } else { r#""Principal":"*","# };
                let text = format!(
                    r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{principal}"Action":"*","Resource":"*"}}]}}"#
                );
                *meaning = says(&policy.kind, &text);
            }
            if policy.targets.get().is_none() {
                let mut nodes: Vec<String> = model.parents.keys().cloned().collect();
                nodes.push(observed.root.id.to_string());
                for node in nodes {
                    model.attached.entry(node).or_default().insert(id.to_string());
                }
            }
        }
        model
    }

    fn name(&self, id: &str) -> String {
        self.alias.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// What the plan means to do, whether it may or not.
    pub fn plan(&mut self, change: &Change) {
        match &change.action {
            Action::CreateUnit { key, parent, .. } => {
                self.parents.insert(format!("new OrganizationalUnit/{key}"), parent.to_string());
            }
            Action::CreatePolicy { kind, content, .. } => {
                self.policies.insert(format!("new {}", change.object), (kind.clone(), says(kind, content)));
            }
            Action::UpdatePolicy { policy, content: Some(content), .. } => {
                if let Some((kind, meaning)) = self.policies.get_mut(policy.as_str()) {
                    *meaning = says(kind, &content.to);
                }
            }
            Action::Attach { policy, target, .. } => {
                self.attached.entry(target.to_string()).or_default().insert(policy.to_string());
            }
            Action::Detach { policy, target, .. } => self.detach(policy.as_str(), &target.to_string()),
            Action::MoveAccount { account, to, .. } => {
                self.parents.insert(account.to_string(), to.to_string());
            }
            Action::DeletePolicy { policy, .. } => self.forget(policy.as_str()),
            _ => {}
        }
    }

    fn detach(&mut self, policy: &str, node: &str) {
        if let Some(attached) = self.attached.get_mut(node) {
            attached.remove(policy);
        }
    }
    fn forget(&mut self, policy: &str) {
        self.attached.values_mut().for_each(|attached| {
            attached.remove(policy);
        });
    }

    /// Learns the id of what a write made for a plan, so that later writes of others are understood.
    pub fn made(&mut self, request: &Request, id: &str) {
        let tags = match request {
            Request::CreateOrganizationalUnit { tags, .. } | Request::CreatePolicy { tags, .. } => tags,
            _ => return,
        };
        if let Some(object) = tags.get(TAG_RESOURCE) {
            self.alias.insert(id.to_owned(), format!("new {object}"));
        }
    }

    /// What a request does, whoever makes it.
    pub fn carry_out(&mut self, request: &Request) {
        match request {
            Request::MoveAccount { account, to, .. } => {
                let to = self.name(to.as_str());
                self.parents.insert(account.to_string(), to);
            }
            Request::AttachPolicy { policy, target } => {
                let (policy, target) = (self.name(policy.as_str()), self.name(target.as_str()));
                self.attached.entry(target).or_default().insert(policy);
            }
            Request::DetachPolicy { policy, target } => {
                let (policy, target) = (self.name(policy.as_str()), self.name(target.as_str()));
                self.detach(&policy, &target);
            }
            Request::UpdatePolicy { policy, content: Some(content), .. } => {
                let policy = self.name(policy.as_str());
                if let Some((kind, meaning)) = self.policies.get_mut(&policy) {
                    *meaning = says(kind, content);
                }
            }
            Request::DeletePolicy { policy } => self.forget(&self.name(policy.as_str())),
            _ => {}
        }
    }

    pub fn chain(&self, node: &str) -> Vec<String> {
        let mut chain = vec![node.to_owned()];
        while let Some(parent) = chain.last().and_then(|at| self.parents.get(at)) {
            assert!(chain.len() < 20, "a loop above {node}");
            chain.push(parent.clone());
        }
        chain
    }

    pub fn denies(&self, node: &str) -> BTreeSet<&str> {
        let mut all = BTreeSet::new();
        for at in self.chain(node) {
            for policy in self.attached.get(&at).into_iter().flatten() {
                if let Some((_, says)) = self.policies.get(policy) {
                    all.extend(says.denies.iter().map(String::as_str));
                }
            }
        }
        all
    }

    /// Everything that is allowed or denied at a node, so that two moments can be compared.
    pub fn binds(&self, node: &str) -> (BTreeSet<&str>, BTreeSet<BTreeSet<&str>>) {
        let mut allows = BTreeSet::new();
        for at in self.chain(node) {
            let mut by_kind: BTreeMap<&PolicyType, BTreeSet<&str>> = BTreeMap::new();
            for policy in self.attached.get(&at).into_iter().flatten() {
                if let Some((kind, says)) = self.policies.get(policy)
                    && kind.rule().statements
                {
                    by_kind.entry(kind).or_default().extend(says.allows.iter().map(String::as_str));
                }
            }
            let full = |atoms: &BTreeSet<&str>| {
                atoms.iter().any(|atom| atom.contains(r#""Action":"*""#) && atom.contains(r#""Resource":"*""#))
            };
            allows.extend(by_kind.into_values().filter(|atoms| !full(atoms)));
        }
        (self.denies(node), allows)
    }
}

/// Whether a node has a service control policy that allows anything.
pub fn allows_anything(state: &State, node: &NodeId) -> bool {
    state.attached(node).iter().any(|id| {
        state.policies().get(id).is_some_and(|policy| {
            policy.kind == PolicyType::scp() && !says(&policy.kind, &policy.content).allows.is_empty()
        })
    })
}

/// The nodes that a write bears on.
pub fn nodes_of(request: &Request, state: &State) -> Vec<NodeId> {
    match request {
        Request::AttachPolicy { target, .. } | Request::DetachPolicy { target, .. } => vec![target.clone()],
        Request::UpdatePolicy { policy, content: Some(_), .. } => state.targets(policy).into_iter().collect(),
        Request::UpdateOrganizationalUnit { unit, .. } | Request::DeleteOrganizationalUnit { unit } => {
            vec![NodeId::Unit(unit.clone())]
        }
        Request::MoveAccount { account, from, to } => vec![NodeId::Account(account.clone()), from.clone(), to.clone()],
        Request::CloseAccount { account }
        | Request::PutAccountName { account, .. }
        | Request::PutAlternateContact { account, .. }
        | Request::RegisterDelegatedAdministrator { account, .. } => vec![NodeId::Account(account.clone())],
        Request::TagResource { resource: Resource::Node(node), .. }
        | Request::UntagResource { resource: Resource::Node(node), .. } => vec![node.clone()],
        Request::CreateOrganizationalUnit { parent, .. } => vec![parent.clone()],
        Request::CreateAccount { .. } => vec![state.root_node()],
        _ => vec![],
    }
}
