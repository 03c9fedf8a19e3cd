//! The invariants, asked after every write.

use std::collections::{BTreeMap, BTreeSet};

use bylaw::api::{Attachments, BaseAccess};
use bylaw::aws::Request;
use bylaw::aws::offline::State;
use bylaw::aws::port::{AccountState, Resource};
use bylaw::desired::{Desired, NodeKey};
use bylaw::names::{Kind, NodeId, ObjectKey, PolicyId, TAG_DELETION, TAG_HOLD, TAG_LEASE, TAG_RESOURCE, Tags, glob};

use super::model::{Model, allows_anything, holds, nodes_of};

/// What is watched for while one plan is carried out.
pub struct Watch {
    pub desired: Desired,
    pub prune: bool,
    pub approved: bool,
    /// Where each account's denies come from, before and after the plan; other people's changes count in all.
    pub views: Vec<(Model, Model)>,
    pub held: BTreeSet<String>,
    /// Accounts in the root that bylaw made, and that the plan takes for unfinished.
    pub newborn: BTreeSet<String>,
    /// Objects that each id has belonged to since the pass began.
    pub owners: BTreeSet<(String, String)>,
    pub counts: BTreeMap<&'static str, u32>,
    /// What somebody took a tag off while the plan ran: between a look and the write nobody can know.
    pub untagged: BTreeSet<String>,
    /// Accounts that the plan creates; an earlier life can have done it.
    pub births: BTreeSet<String>,
    /// Nodes where somebody changed what is attached, or what that says, while the plan ran.
    pub stirred: BTreeSet<String>,
    pub checked: u64,
    pub problems: Vec<String>,
}

/// Whether a write is the lease, which is no change of the organization.
pub fn is_lease(request: &Request) -> bool {
    match request {
        Request::TagResource { resource: Resource::Node(NodeId::Root(_)), tags } => tags.keys().eq([TAG_LEASE]),
        Request::UntagResource { resource: Resource::Node(NodeId::Root(_)), keys } => keys == &[TAG_LEASE],
        _ => false,
    }
}

/// The object that tags name.
fn owner(tags: Option<&Tags>) -> Option<String> {
    tags?.get(TAG_RESOURCE).map(str::to_owned)
}

fn is_held(tags: &Tags, now: &str) -> bool {
    tags.get(TAG_HOLD).is_some_and(|until| until > now)
}

impl Watch {
    /// Everything that is held when the pass begins. `now` is compared as text.
    pub fn held(state: &State, now: &str) -> BTreeSet<String> {
        let nodes = state.nodes().filter(|node| state.tags(node).is_some_and(|tags| is_held(tags, now)));
        let policies = state.policies().iter().filter(|(_, policy)| is_held(&policy.tags, now));
        nodes.map(|node| node.to_string()).chain(policies.map(|(id, _)| id.to_string())).collect()
    }

    /// Notes what belongs to whom, and what would be adopted by name.
    pub fn note_owners(&mut self, state: &State) {
        let mut own = vec![];
        for node in state.nodes() {
            if let Some(tag) = owner(state.tags(&node)) {
                own.push((node.to_string(), tag));
            }
        }
        for (id, unit) in state.units() {
            for declared in self.desired.units.values() {
                if declared.spec.name == unit.name
                    && owner(Some(&unit.tags)).is_none()
                    && self.is_place(&declared.spec.parent, &unit.parent, state)
                {
                    own.push((id.to_string(), declared.key.to_string()));
                }
            }
        }
        let tagged: BTreeSet<String> =
            state.accounts().values().filter_map(|account| owner(Some(&account.tags))).collect();
        for (id, account) in state.accounts() {
            for declared in self.desired.accounts.values() {
                // The tag goes before the e-mail.
                if declared.spec.account_id.is_none() && tagged.contains(&declared.key.to_string()) {
                    continue;
                }
                let by_email = declared.spec.email.as_ref().is_some_and(|e| e.eq_ignore_ascii_case(&account.email));
                if (by_email && owner(Some(&account.tags)).is_none()) || declared.spec.account_id.as_ref() == Some(id) {
                    own.push((id.to_string(), declared.key.to_string()));
                }
            }
        }
        for (id, policy) in state.policies() {
            if let Some(tag) = owner(Some(&policy.tags)) {
                own.push((id.to_string(), tag));
                continue;
            }
            for declared in self.desired.policies.values() {
                if declared.spec.name == policy.name && declared.spec.kind == policy.kind && !policy.aws_managed {
                    own.push((id.to_string(), declared.key.to_string()));
                }
            }
        }
        self.owners.extend(own);
    }

    /// Whether a node can be the one that is declared there.
    fn is_place(&self, declared: &NodeKey, found: &NodeId, state: &State) -> bool {
        match (declared, found) {
            (NodeKey::Root, NodeId::Root(_)) => true,
            (NodeKey::Unit(name), NodeId::Unit(id)) => {
                let (declared, found) = (&self.desired.units[name], &state.units()[id]);
                match owner(Some(&found.tags)) {
                    Some(tag) => tag == declared.key.to_string(),
                    None => found.name == declared.spec.name,
                }
            }
            _ => false,
        }
    }

    fn declared(&self, object: &str) -> Option<(ObjectKey, bool)> {
        let key: ObjectKey = object.parse().ok()?;
        let suspend = match key.kind {
            Kind::Organization => None,
            Kind::OrganizationalUnit => self.desired.units.get(&key.name).map(|unit| unit.suspend),
            Kind::Account => self.desired.accounts.get(&key.name).map(|account| account.suspend),
            Kind::OrganizationPolicy => self.desired.policies.get(&key.name).map(|policy| policy.suspend),
        }?;
        Some((key, suspend))
    }

    /// Declared objects that an id belongs to, each with whether it is suspended.
    fn objects(&self, id: &str) -> Vec<(ObjectKey, bool)> {
        // An id in the manifest goes before any tag.
        let elsewhere = |key: &ObjectKey| {
            let account = self.desired.accounts.get(&key.name).filter(|_| key.kind == Kind::Account);
            account.and_then(|account| account.spec.account_id.as_ref()).is_some_and(|own| own.as_str() != id)
        };
        let all = self.owners.iter().filter(|(of, _)| of == id).filter_map(|(_, object)| self.declared(object));
        all.filter(|(key, _)| !elsewhere(key)).collect()
    }

    fn is_broken(&self, id: &str) -> bool {
        let keys: BTreeSet<String> =
            self.desired.broken.iter().filter_map(|broken| Some(broken.key.as_ref()?.to_string())).collect();
        self.owners.iter().any(|(of, object)| of == id && keys.contains(object))
    }

    fn problem(&mut self, what: impl Into<String>) {
        self.problems.push(what.into());
    }

    /// Somebody else's change: it moves what holds before and after alike.
    pub fn foreign(&mut self, request: &Request, after: &State) {
        for (before, goal) in &mut self.views {
            before.carry_out(request);
            goal.carry_out(request);
        }
        self.note_owners(after);
        self.stirred.extend(nodes_of(request, after).iter().map(ToString::to_string));
        if let Request::UntagResource { resource, .. } = request {
            self.untagged.insert(resource.as_str().to_owned());
        }
    }

    /// One of the engine's writes was carried out.
    pub fn wrote(&mut self, request: &Request, made: Option<&str>, before: &State, after: &State) {
        if is_lease(request) {
            return;
        }
        self.checked += 1;
        self.note_owners(before);
        self.note_owners(after);
        if let Some(id) = made {
            self.views.iter_mut().for_each(|(_, goal)| goal.made(request, id));
        }
        if self.desired.organization.suspend || self.desired.organization.spec.mode == bylaw::api::Mode::Observe {
            self.problem(format!("wrote although suspended or observing: {request:?}"));
        }
        self.count(request);
        self.windows(request, after);
        self.targets(request, before, after);
        self.ownership(request, before);
    }

    /// Made since the plan was.
    fn is_born(&self, id: &str) -> bool {
        let object = |(of, object): &(String, String)| of == id && self.births.contains(object);
        self.owners.iter().any(object)
            || self.views.first().is_some_and(|(start, _)| !id.starts_with("r-") && !start.parents.contains_key(id))
    }

    fn count(&mut self, request: &Request) {
        let limits = &self.desired.organization.spec.limits;
        let (what, max) = match request {
            Request::CreateOrganizationalUnit { .. } | Request::CreatePolicy { .. } => ("creates", limits.max_creates),
            // Asked for again, it is still one: AWS takes no e-mail twice.
            Request::CreateAccount { email, .. } if self.births.contains(email) => return,
            Request::CreateAccount { email, .. } => {
                self.births.insert(email.clone());
                ("creates", limits.max_creates)
            }
            Request::DeleteOrganizationalUnit { .. } | Request::DeletePolicy { .. } | Request::CloseAccount { .. } => {
                ("deletes", limits.max_deletes)
            }
            Request::MoveAccount { account, .. } if self.newborn.contains(account.as_str()) => return,
            Request::MoveAccount { account, .. } if !self.is_born(account.as_str()) => ("moves", limits.max_moves),
            Request::DetachPolicy { target, .. } if !self.is_born(target.as_str()) => ("detaches", limits.max_detaches),
            _ => return,
        };
        let count = self.counts.entry(what).or_default();
        *count += 1;
        if *count > max && !self.approved {
            let text = format!("limits: {count} {what} in a pass, allowed are {max}");
            self.problem(text);
        }
    }

    /// Invariant 3, for every account that was there.
    fn windows(&mut self, request: &Request, after: &State) {
        let now = Model::of(after);
        let mut lost = vec![];
        let Some((first, _)) = self.views.first() else { return };
        for account in &first.accounts {
            if !now.accounts.contains(account) {
                continue;
            }
            let held = now.denies(account);
            let mut sets = self.views.iter().flat_map(|(before, goal)| [before.denies(account), goal.denies(account)]);
            let first = sets.next().unwrap_or_default();
            let rest: Vec<_> = sets.collect();
            for atom in first.iter().filter(|atom| rest.iter().all(|set| holds(set, atom))) {
                if !holds(&held, atom) {
                    lost.push(format!("window: `{account}` lost {atom} by {request:?}"));
                }
            }
        }
        self.problems.extend(lost);
    }

    /// The quotas and the last policy of a node.
    fn targets(&mut self, request: &Request, before: &State, after: &State) {
        for node in nodes_of(request, before) {
            if !after.has(&node) {
                continue;
            }
            let stirred = self.stirred.contains(node.as_str());
            if !stirred && allows_anything(before, &node) && !allows_anything(after, &node) {
                self.problem(format!("blocks: nothing is allowed at `{node}` after {request:?}"));
            }
            let mut by_kind: BTreeMap<&str, usize> = BTreeMap::new();
            let attached = after.attached(&node);
            for policy in attached.iter().filter_map(|id| after.policies().get(id)) {
                *by_kind.entry(policy.kind.as_str()).or_default() += 1;
                if by_kind[policy.kind.as_str()] > policy.kind.rule().max_attached {
                    self.problems.push(format!("slots: too many at `{node}`"));
                }
            }
        }
    }

    fn ignores_node(&self, node: &NodeId, state: &State) -> bool {
        let ignore = &self.desired.organization.spec.ignore;
        let any = |patterns: &[String], text: &str| patterns.iter().any(|pattern| glob(pattern, text));
        match node {
            NodeId::Root(_) => false,
            NodeId::Unit(id) => state.units().get(id).is_some_and(|unit| any(&ignore.organizational_units, &unit.name)),
            NodeId::Account(id) => {
                any(&ignore.accounts, id.as_str())
                    || state.accounts().get(id).is_some_and(|account| any(&ignore.accounts, &account.name))
            }
        }
    }

    fn policy_parts(request: &Request) -> Option<&PolicyId> {
        match request {
            Request::UpdatePolicy { policy, .. }
            | Request::DeletePolicy { policy }
            | Request::AttachPolicy { policy, .. }
            | Request::DetachPolicy { policy, .. }
            | Request::TagResource { resource: Resource::Policy(policy), .. }
            | Request::UntagResource { resource: Resource::Policy(policy), .. } => Some(policy),
            _ => None,
        }
    }

    /// Invariants 5 and 6: whose is it, and may it be touched at all?
    fn ownership(&mut self, request: &Request, state: &State) {
        let management = state.organization.management_account.as_str();
        let mut nodes = nodes_of(request, state);
        if let Request::UpdatePolicy { policy, .. } = request {
            // Where somebody attached it since, or where a stale answer hides it, nobody can know.
            let seen = |node: &NodeId, then: &Model| {
                then.attached.get(node.as_str()).is_some_and(|all| all.contains(policy.as_str()))
            };
            nodes.retain(|node| self.views.iter().all(|(then, _)| seen(node, then)));
            nodes.retain(|node| !self.stirred.contains(node.as_str()));
        }
        for node in nodes.clone() {
            let mut at = state.parent(&node);
            while let Some(above) = at {
                nodes.push(above.clone());
                at = state.parent(above);
            }
        }
        let direct = nodes_of(request, state);
        let by_policy = matches!(request, Request::UpdatePolicy { .. });
        // What somebody moved there since the plan was made was not there for the plan.
        let moved = direct.iter().any(|node| self.stirred.contains(node.as_str()));
        for node in nodes.iter().filter(|_| !moved) {
            if self.held.contains(node.as_str()) {
                self.problem(format!("held: `{node}` is held, and {request:?}"));
            }
            if !by_policy && self.ignores_node(node, state) {
                self.problem(format!("ignored: `{node}` is ignored, and {request:?}"));
            }
        }
        for node in direct.iter().filter(|_| !by_policy) {
            if node.as_str() == management {
                self.problem(format!("management: {request:?}"));
            }
            let inside = matches!(request, Request::CreateOrganizationalUnit { .. })
                || matches!(request, Request::MoveAccount { account, .. } if account.as_str() != node.as_str());
            let objects = self.objects(node.as_str());
            if !inside && objects.iter().any(|(_, suspend)| *suspend) {
                self.problem(format!("suspended: `{node}`, and {request:?}"));
            }
            if !inside && self.is_broken(node.as_str()) {
                self.problem(format!("broken: `{node}`, and {request:?}"));
            }
        }
        if let Some(policy) = Self::policy_parts(request) {
            self.policy_ownership(request, policy, state);
        }
        self.node_ownership(request, state);
        self.deletions(request, state);
    }

    fn policy_ownership(&mut self, request: &Request, policy: &PolicyId, state: &State) {
        let Some(found) = state.policies().get(policy) else { return };
        if self.held.contains(policy.as_str()) {
            self.problem(format!("held: `{policy}`, and {request:?}"));
        }
        if found.aws_managed {
            let allowed = match request {
                Request::AttachPolicy { target, .. } => self.base(target, state) == Some(BaseAccess::Full),
                Request::DetachPolicy { target, .. } => self.base(target, state) == Some(BaseAccess::AllowList),
                _ => false,
            };
            if !allowed || policy.as_str() != "p-FullAWSAccess" {
                self.problem(format!("AWS's own policy: {request:?}"));
            }
            return;
        }
        if self.is_broken(policy.as_str()) {
            self.problem(format!("broken: `{policy}`, and {request:?}"));
        }
        let ignored = self.desired.organization.spec.ignore.policies.iter().any(|p| glob(p, &found.name));
        if ignored {
            self.problem(format!("ignored: `{}`, and {request:?}", found.name));
        }
        let objects = self.objects(policy.as_str());
        if objects.iter().any(|(_, suspend)| *suspend) {
            self.problem(format!("suspended: `{policy}`, and {request:?}"));
        }
        let pruned = self.prune && found.tags.get(TAG_DELETION).is_some_and(|policy| policy == "Delete");
        let fair = !objects.is_empty()
            || match request {
                Request::DetachPolicy { target, .. } => pruned || self.is_exclusive(target, state),
                Request::DeletePolicy { .. } => pruned,
                _ => false,
            };
        if !fair {
            self.problem(format!("foreign policy `{}`: {request:?}", found.name));
        }
    }

    fn node_keys(&self, node: &NodeId) -> Vec<NodeKey> {
        if matches!(node, NodeId::Root(_)) {
            return vec![NodeKey::Root];
        }
        let keys = self.objects(node.as_str()).into_iter();
        keys.map(|(key, _)| match key.kind {
            Kind::Account => NodeKey::Account(key.name),
            _ => NodeKey::Unit(key.name),
        })
        .collect()
    }

    fn base(&self, node: &NodeId, _: &State) -> Option<BaseAccess> {
        self.node_keys(node).iter().find_map(|key| match key {
            NodeKey::Root => self.desired.organization.spec.base_access,
            NodeKey::Unit(name) => self.desired.units.get(name)?.spec.base_access,
            NodeKey::Account(name) => self.desired.accounts.get(name)?.spec.base_access,
        })
    }

    fn is_exclusive(&self, node: &NodeId, _: &State) -> bool {
        self.node_keys(node).iter().any(|key| match key {
            NodeKey::Root => self.desired.organization.spec.attachments == Attachments::Exclusive,
            NodeKey::Unit(name) => {
                self.desired.units.get(name).is_some_and(|unit| unit.spec.attachments == Attachments::Exclusive)
            }
            NodeKey::Account(_) => false,
        })
    }

    /// Renames, moves, tags and contacts are for what is declared.
    fn node_ownership(&mut self, request: &Request, _: &State) {
        let id = match request {
            Request::UpdateOrganizationalUnit { unit, .. } => unit.to_string(),
            Request::MoveAccount { account, .. }
            | Request::PutAccountName { account, .. }
            | Request::PutAlternateContact { account, .. }
            | Request::RegisterDelegatedAdministrator { account, .. } => account.to_string(),
            Request::TagResource { resource: Resource::Node(node), .. } if !matches!(node, NodeId::Root(_)) => {
                node.to_string()
            }
            Request::UntagResource { .. } => "untagged".into(),
            _ => return,
        };
        if self.objects(&id).is_empty() {
            self.problem(format!("foreign: {request:?}"));
        }
    }

    fn deletions(&mut self, request: &Request, state: &State) {
        let (id, tags, opt_in) = match request {
            Request::DeletePolicy { policy } => {
                (policy.to_string(), state.policies().get(policy).map(|p| &p.tags), "Delete")
            }
            Request::DeleteOrganizationalUnit { unit } => {
                (unit.to_string(), state.units().get(unit).map(|u| &u.tags), "Delete")
            }
            Request::CloseAccount { account } => {
                (account.to_string(), state.accounts().get(account).map(|a| &a.tags), "Close")
            }
            _ => return,
        };
        let opted = self.untagged.contains(&id)
            || tags.is_some_and(|tags| tags.get(TAG_DELETION).is_some_and(|policy| policy == opt_in));
        if !self.prune || !opted || !self.objects(&id).is_empty() {
            self.problem(format!("deletion without opt-in, or of what is declared: {request:?}"));
        }
    }
}

/// Accounts of one e-mail or one tag, more than once: an account was created twice.
pub fn twins(state: &State) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for account in state.accounts().values().filter(|account| account.state == AccountState::Active) {
        *seen.entry(account.email.to_lowercase()).or_default() += 1;
    }
    seen.into_iter().filter(|(_, count)| *count > 1).map(|(what, _)| format!("created twice: {what}")).collect()
}
