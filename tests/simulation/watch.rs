//! The invariants, asked after every write.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bylaw::api::{AdoptionPolicy, Attachments, BaseAccess};
use bylaw::aws::Request;
use bylaw::aws::offline::State;
use bylaw::aws::port::{AccountState, Resource};
use bylaw::desired::{Declared, Desired, NodeKey};
use bylaw::names::{Kind, NodeId, ObjectKey, PolicyId, TAG_DELETION, TAG_HOLD, TAG_LEASE, TAG_MANAGED_BY, Tags, glob};
use bylaw::plan::{Action, Guarded, Plan, PolicyRef, Reason};
use tokio::time::Instant;

use super::end::own_tag;
use super::looks::Looks;
use super::model::{Model, allows_anything, holds, nodes_of, says};

/// What is watched for while one plan is carried out.
pub struct Watch {
    pub desired: Desired,
    pub prune: bool,
    pub approved: bool,
    /// Where each account's denies come from; other people's changes count in all.
    pub views: Vec<View>,
    /// The organization when the plan was made, as it was and as it was seen.
    pub starts: Vec<Model>,
    pub held: BTreeSet<String>,
    /// Accounts in the root that bylaw made, and that the plan takes for unfinished.
    pub newborn: BTreeSet<String>,
    /// Objects that each id has belonged to since the pass began.
    pub owners: BTreeSet<(String, String)>,
    pub counts: BTreeMap<&'static str, u32>,
    /// Accounts that the plan creates; an earlier life can have done it.
    pub births: BTreeSet<String>,
    /// Every deny that each account really had since the pass began.
    pub had: BTreeMap<String, BTreeSet<String>>,
    /// Objects that were created since.
    pub created: BTreeSet<String>,
    /// OUs and policies that were made since.
    pub made: BTreeSet<String>,
    pub looks: Looks,
    /// Policies that are attached again with what they said when a pass ended, since their edit is held back.
    pub texts: BTreeSet<PolicyId>,
    pub stale: bool,
    /// Nobody else is at work, and what is read is what is.
    pub alone: bool,
    /// What `ignore` named when the plan was made.
    pub ignored: BTreeSet<String>,
    /// Since when somebody holds the root.
    pub braked: Option<Instant>,
    pub checked: u64,
    pub problems: Vec<String>,
}

/// The organization before a plan, after all of it, and after what of it may run.
pub struct View {
    pub before: Model,
    pub goal: Model,
    pub kept: Model,
}

/// Whether a write is the lease, which is no change of the organization.
pub fn is_lease(request: &Request) -> bool {
    match request {
        Request::TagResource { resource: Resource::Node(NodeId::Root(_)), tags } => tags.keys().eq([TAG_LEASE]),
        Request::UntagResource { resource: Resource::Node(NodeId::Root(_)), keys } => keys == &[TAG_LEASE],
        _ => false,
    }
}

fn adopts(adoption: AdoptionPolicy) -> bool {
    adoption != AdoptionPolicy::Create
}

/// The object that tags name.
fn owner(tags: Option<&Tags>) -> Option<String> {
    own_tag(tags?).map(str::to_owned)
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

    /// Notes what belongs to whom; `by_name`: and what would be adopted by its name.
    pub fn note_owners(&mut self, state: &State, by_name: bool) {
        let mut own = vec![];
        for node in state.nodes() {
            if let Some(tag) = owner(state.tags(&node)) {
                own.push((node.to_string(), tag));
            }
        }
        // The tag goes before every name.
        let tagged: BTreeSet<String> = (state.nodes().filter_map(|node| owner(state.tags(&node))))
            .chain(state.policies().values().filter_map(|policy| owner(Some(&policy.tags))))
            .collect();
        let named = |key: &ObjectKey, adoption| by_name && adopts(adoption) && !tagged.contains(&key.to_string());
        for (id, unit) in state.units() {
            for declared in self.desired.units.values().filter(|of| named(&of.key, of.spec.adoption)) {
                if declared.spec.name == unit.name
                    && owner(Some(&unit.tags)).is_none()
                    && self.is_place(&declared.spec.parent, &unit.parent, state)
                {
                    own.push((id.to_string(), declared.key.to_string()));
                }
            }
        }
        for (id, account) in state.accounts() {
            // What carries the tag of a declared object is that one's, whatever ids other manifests name.
            let tag = owner(Some(&account.tags)).and_then(|tag| tag.parse::<ObjectKey>().ok());
            let is_of_another =
                |key: &ObjectKey| tag.as_ref().is_some_and(|tag| tag != key && self.desired.is_declared(tag));
            for declared in self.desired.accounts.values() {
                if declared.spec.account_id.is_none() && tagged.contains(&declared.key.to_string()) {
                    continue;
                }
                let by_email = declared.spec.email.as_ref().is_some_and(|e| e.eq_ignore_ascii_case(&account.email));
                // Of several objects that claim one untagged account, it belongs to the only one that states its id.
                let states_id =
                    |other: &&Declared<bylaw::desired::model::Account>| other.spec.account_id.as_ref() == Some(id);
                let is_stated = self.desired.accounts.values().filter(states_id).count() == 1;
                if (by_name && by_email && !is_stated && owner(Some(&account.tags)).is_none())
                    || (declared.spec.account_id.as_ref() == Some(id) && !is_of_another(&declared.key))
                {
                    own.push((id.to_string(), declared.key.to_string()));
                }
            }
        }
        for (id, policy) in state.policies() {
            if let Some(tag) = owner(Some(&policy.tags)) {
                own.push((id.to_string(), tag));
                continue;
            }
            for declared in self.desired.policies.values().filter(|of| named(&of.key, of.spec.adoption)) {
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
        let suspend = self.desired.is_suspended(&key).filter(|_| key.kind != Kind::Organization)?;
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
    pub fn foreign(&mut self, request: &Request, before: &State, after: &State) {
        // Who writes what stands there already changes nothing.
        if let Request::UpdatePolicy { policy, name: None, content: Some(content), .. } = request
            && before.policies().get(policy).is_some_and(|found| *found.content == **content)
        {
            return;
        }
        for view in &mut self.views {
            [&mut view.before, &mut view.goal, &mut view.kept].into_iter().for_each(|model| model.carry_out(request));
        }
        self.note_owners(before, false);
        self.note_owners(after, false);
        self.note_denies(&Model::of(after));
        self.looks.foreign(request, after);
        match request {
            Request::TagResource { resource: Resource::Node(NodeId::Root(_)), tags } if tags.contains_key(TAG_HOLD) => {
                // One that runs out meanwhile is no brake any more.
                let lasting = tags.get(TAG_HOLD).is_some_and(|until| !until.starts_with("2026"));
                self.braked = lasting.then(Instant::now);
            }
            _ => {}
        }
    }

    /// One of the engine's writes was carried out.
    pub fn wrote(&mut self, request: &Request, made: Option<&str>, before: &State, after: &State) {
        if is_lease(request) {
            return;
        }
        self.checked += 1;
        self.note_owners(before, false);
        self.note_owners(after, false);
        if let Some(id) = made {
            for view in &mut self.views {
                view.goal.made(request, id);
                view.kept.made(request, id);
            }
            self.made.insert(id.to_owned());
        }
        if self.desired.organization.suspend || self.desired.organization.spec.mode == bylaw::api::Mode::Observe {
            self.problem(format!("wrote although suspended or observing: {request:?}"));
        }
        if self.braked.is_some_and(|since| since.elapsed() > Duration::from_secs(40)) {
            // A look is ten seconds old at most, and shows what may be twenty older.
            self.problem(format!("held: the root is held for more than 40 s, and {request:?}"));
        }
        if self.looks.goes_over(request) {
            for view in &mut self.views {
                [&mut view.before, &mut view.goal, &mut view.kept]
                    .into_iter()
                    .for_each(|model| model.carry_out(request));
            }
        }
        self.count(request);
        if self.alone {
            self.exposed(request, before);
        }
        self.windows(request, after);
        self.text(request, before);
        self.targets(request, before, after);
        self.ownership(request, before);
    }

    /// Made since the plan was: by this run, or an account that an earlier one had asked for.
    fn is_born(&self, id: &str) -> bool {
        let object = |(of, object): &(String, String)| of == id && self.births.contains(object);
        let was_there = !self.stale && self.starts.iter().any(|start| start.parents.contains_key(id));
        self.made.contains(id) || (!was_there && self.owners.iter().any(object))
    }

    /// An account is created only once its OU is there, and every policy that is declared on its way to the root. What
    /// `ignore` names is left alone: as it is declared, and as it was when the plan was made.
    fn exposed(&mut self, request: &Request, state: &State) {
        let Request::CreateAccount { tags, .. } = request else { return };
        let Some((key, _)) = owner(Some(tags)).and_then(|object| self.declared(&object)) else { return };
        let mut way = vec![self.desired.accounts[&key.name].spec.parent.clone()];
        while let Some(NodeKey::Unit(name)) = way.last() {
            way.push(self.desired.units[name].spec.parent.clone());
        }
        let ignore = &self.desired.organization.spec.ignore;
        let any = |patterns: &[String], text: &str| patterns.iter().any(|pattern| glob(pattern, text));
        let of = |object: &ObjectKey| {
            let object = object.to_string();
            let ids = self.owners.iter().filter(move |(_, of)| *of == object).map(|(id, _)| id.clone());
            ids.collect::<BTreeSet<String>>()
        };
        let mut problems = vec![];
        for place in way.into_iter().rev() {
            let nodes: Vec<NodeId> = match &place {
                NodeKey::Unit(name) => {
                    let unit = &self.desired.units[name];
                    let ids = of(&unit.key);
                    if unit.suspend
                        || any(&ignore.organizational_units, &unit.spec.name)
                        || !ids.is_disjoint(&self.ignored)
                    {
                        break;
                    }
                    let units = state.units().keys().filter(|unit| ids.contains(unit.as_str()));
                    units.cloned().map(NodeId::Unit).collect()
                }
                _ => vec![state.root_node()],
            };
            if nodes.is_empty() {
                problems.push(format!("open: `{key}` is created before `{place}`"));
            }
            for policy in self.desired.policies.values() {
                let ids = of(&policy.key);
                let spec = &policy.spec;
                let due = !policy.suspend && spec.excluding.is_empty() && spec.targets.contains(&place);
                if !due || any(&ignore.policies, &spec.name) || !ids.is_disjoint(&self.ignored) {
                    continue;
                }
                let mut own = state.policies().keys().filter(|id| ids.contains(id.as_str()));
                if !own.any(|id| nodes.iter().any(|node| state.is_attached(id, node))) {
                    problems.push(format!("open: `{key}` is created before `{}` is at `{place}`", policy.key));
                }
            }
        }
        self.problems.extend(problems);
    }

    /// Everything that `ignore` names as it stands in AWS.
    pub fn ignored(desired: &Desired, state: &State) -> BTreeSet<String> {
        let ignore = &desired.organization.spec.ignore;
        let any = |patterns: &[String], text: &str| patterns.iter().any(|pattern| glob(pattern, text));
        let policies = state.policies().iter().filter(|(_, policy)| any(&ignore.policies, &policy.name));
        let units = state.units().iter().filter(|(_, unit)| any(&ignore.organizational_units, &unit.name));
        policies.map(|(id, _)| id.to_string()).chain(units.map(|(id, _)| id.to_string())).collect()
    }

    fn count(&mut self, request: &Request) {
        let limits = &self.desired.organization.spec.limits;
        let (what, max) = match request {
            Request::CreateOrganizationalUnit { tags, .. } | Request::CreatePolicy { tags, .. } => {
                let object = owner(Some(tags)).unwrap_or_default();
                if !self.created.insert(object) && !self.looks.renamed.is_empty() {
                    return;
                }
                ("creates", limits.max_creates)
            }
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

    /// Policies of which a plan attaches something as drift and changes no text.
    pub fn texts(plan: &Plan<Guarded>) -> BTreeSet<PolicyId> {
        let edited = |policy: &PolicyId| {
            plan.changes.iter().any(|change| {
                matches!(&change.action, Action::UpdatePolicy { policy: of, content: Some(_), .. } if of == policy)
            })
        };
        let back = plan.changes.iter().filter(|change| change.reason == Reason::Drift);
        let back = back.filter_map(|change| match &change.action {
            Action::Attach { policy: PolicyRef::Known(policy), .. } => Some(policy),
            _ => None,
        });
        back.filter(|policy| !edited(policy)).cloned().collect()
    }

    /// A policy is attached with the text that it is declared with.
    fn text(&mut self, request: &Request, before: &State) {
        let Request::AttachPolicy { policy, .. } = request else { return };
        let Some(found) = before.policies().get(policy).filter(|found| !found.aws_managed) else { return };
        // What somebody else writes between the plan and the attachment nobody can know.
        if self.stale || self.texts.contains(policy) || self.looks.was_edited(policy) {
            return;
        }
        let objects = self.objects(policy.as_str());
        let declared = objects.iter().filter_map(|(key, _)| self.desired.policies.get(&key.name));
        let is = says(&found.kind, &found.content);
        let texts: Vec<_> = declared.map(|policy| says(&found.kind, policy.spec.content.minified())).collect();
        if !texts.is_empty() && !texts.iter().any(|text| text.is_as(&is)) {
            self.problem(format!("text: `{}` is not what is declared, and {request:?}", found.name));
        }
    }

    /// Invariant 3, for every account that was there.
    fn windows(&mut self, request: &Request, after: &State) {
        let now = Model::of(after);
        let mut lost = vec![];
        let Some(first) = self.views.first() else { return };
        for account in first.before.accounts.iter().filter(|account| now.accounts.contains(*account)) {
            let held = now.denies(account);
            let had = first.before.denies(account);
            for atom in had.into_iter().filter(|atom| !holds(&held, atom)) {
                let all = |model: fn(&View) -> &Model| {
                    self.views.iter().all(|view| holds(&model(view).denies(account), atom))
                };
                // What a foreign hand would have given it, had a policy still been what it was, it never had.
                if !self.had.get(account).is_some_and(|had| had.contains(atom)) {
                    continue;
                }
                if all(|view| &view.before) && (all(|view| &view.goal) || all(|view| &view.kept)) {
                    lost.push(format!("window: `{account}` lost {atom} by {request:?}"));
                }
            }
        }
        self.problems.extend(lost);
        self.note_denies(&now);
    }

    /// Notes what each account is denied now.
    pub fn note_denies(&mut self, now: &Model) {
        for account in &now.accounts {
            let had = self.had.entry(account.clone()).or_default();
            for atom in now.denies(account) {
                if !had.contains(atom) {
                    had.insert(atom.to_owned());
                }
            }
        }
    }

    /// The quotas and the last policy of a node.
    fn targets(&mut self, request: &Request, before: &State, after: &State) {
        for node in nodes_of(request, before) {
            if !after.has(&node) {
                continue;
            }
            let stirred = self.looks.is_stirred(&node, request);
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
        let direct = nodes_of(request, state);
        let by_policy = matches!(request, Request::UpdatePolicy { .. });
        let mut nodes = BTreeSet::new();
        for node in &direct {
            // Where somebody attached the policy since the plan was made nobody can know.
            let seen = |start: &Model| match request {
                Request::UpdatePolicy { policy, .. } => {
                    start.attached.get(node.as_str()).is_some_and(|all| all.contains(policy.as_str()))
                }
                _ => true,
            };
            if self.starts.iter().all(seen) {
                self.lineage(node, state, &mut nodes);
            }
        }
        for node in &nodes {
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
        let manager = Self::subject(request, state).and_then(|tags| tags.get(TAG_MANAGED_BY));
        if manager.is_some_and(|manager| *manager != *self.desired.organization.key.name) {
            self.problem(format!("managed by another: {request:?}"));
        }
        self.node_ownership(request, state);
        self.deletions(request, state);
    }

    /// The tags of what a write changes, as opposed to where it is put or attached.
    fn subject<'s>(request: &Request, state: &'s State) -> Option<&'s Tags> {
        let node = match request {
            Request::UpdateOrganizationalUnit { unit, .. } | Request::DeleteOrganizationalUnit { unit } => {
                NodeId::Unit(unit.clone())
            }
            Request::MoveAccount { account, .. }
            | Request::CloseAccount { account }
            | Request::PutAccountName { account, .. }
            | Request::PutAlternateContact { account, .. } => NodeId::Account(account.clone()),
            Request::TagResource { resource: Resource::Node(node), .. } => node.clone(),
            _ => return Some(&state.policies().get(Self::policy_parts(request)?)?.tags),
        };
        state.tags(&node)
    }

    /// A node and what is above it now and was above it when the plan was made: where somebody moved it since, the plan
    /// could not know.
    fn lineage(&self, node: &NodeId, state: &State, into: &mut BTreeSet<NodeId>) {
        let mut now = vec![node.clone()];
        while let Some(parent) = state.parent(now.last().unwrap()) {
            now.push(parent.clone());
        }
        for start in &self.starts {
            let known =
                now.iter().position(|at| at.as_str().starts_with("r-") || start.parents.contains_key(at.as_str()));
            let Some((new, old)) = known.map(|known| now.split_at(known)) else { return };
            let then = start.chain(old[0].as_str());
            now = new.iter().chain(old.iter().filter(|at| then.contains(&at.to_string()))).cloned().collect();
        }
        into.extend(now);
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
        if ignored && !self.looks.renamed.contains(policy.as_str()) {
            self.problem(format!("ignored: `{}`, and {request:?}", found.name));
        }
        let objects = self.objects(policy.as_str());
        if objects.iter().any(|(_, suspend)| *suspend) {
            self.problem(format!("suspended: `{policy}`, and {request:?}"));
        }
        let opted = found.tags.get(TAG_DELETION).is_some_and(|policy| policy == "Delete");
        let pruned = self.prune && (opted || self.looks.is_untagged(policy.as_str()));
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
        let opted = self.looks.is_untagged(&id)
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
