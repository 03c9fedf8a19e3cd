//! The organization in memory from a snapshot, and a snapshot of it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;

use super::policies::managed_content;
use super::state::{Account, Due, Policy, Root, State, Unit};
use super::{Offline, Options};
use crate::aws::dice::Dice;
use crate::aws::port::{AccountState, PolicyTypeStatus};
use crate::names::{AccountId, NodeId, POLICY_TYPES, PolicyId, PolicyType, Tags, UnitId};
use crate::observed::{self, Observed, Part};
use std::sync::Arc;

impl Offline {
    /// The organization of a snapshot. What the snapshot did not read is taken as AWS starts it: no tags, no contacts,
    /// AWS's own policies attached to every node, an empty document.
    #[must_use]
    pub fn from_observed(observed: &Observed, options: Options) -> Self {
        Self::from_state(State::from_observed(observed, &options), options)
    }
}

impl State {
    fn from_observed(observed: &Observed, options: &Options) -> Self {
        let root = Root {
            id: observed.root.id.clone(),
            name: observed.root.name.clone(),
            policy_types: observed.root.policy_types.clone(),
            tags: observed.root.tags.get().cloned().unwrap_or_default(),
        };
        let mut state = Self::bare(observed.organization.clone(), root, Dice::new(options.seed));
        for (id, unit) in &observed.units {
            let tags = unit.tags.get().cloned().unwrap_or_default();
            state.put_unit(id.clone(), Unit { name: unit.name.clone(), parent: unit.parent.clone(), tags });
        }
        for (id, account) in &observed.accounts {
            let contacts = account
                .contacts
                .iter()
                .filter_map(|(kind, contact)| Some((*kind, contact.get()?.clone()?)))
                .collect::<BTreeMap<_, _>>();
            let parent = account.parent.clone().unwrap_or_else(|| state.root_node());
            let account = Account {
                name: account.name.clone(),
                email: account.email.clone(),
                state: account.state,
                parent,
                tags: account.tags.get().cloned().unwrap_or_default(),
                contacts,
            };
            if account.state == AccountState::PendingClosure {
                state.later(options.closing_delay, Due::Closure(id.clone()));
            }
            state.put_account(id.clone(), account);
        }
        for (id, policy) in &observed.policies {
            let unread = if policy.aws_managed { managed_content(&policy.kind) } else { "{}" };
            let content = policy.content.get().map_or(unread, String::as_str);
            let policy = Policy {
                kind: policy.kind.clone(),
                name: policy.name.clone(),
                description: policy.description.clone(),
                aws_managed: policy.aws_managed,
                content: content.into(),
                tags: policy.tags.get().cloned().unwrap_or_default(),
            };
            state.put_policy(id.clone(), policy);
        }
        state.put_managed_policies();
        let kinds: Vec<(PolicyType, PolicyTypeStatus)> =
            state.root.policy_types.iter().map(|(kind, on)| (kind.clone(), *on)).collect();
        for (kind, on) in kinds {
            let Some(default) = state.default_policy(&kind) else { continue };
            let read = observed.policies.get(&default).is_some_and(|policy| policy.targets.get().is_some());
            if on == PolicyTypeStatus::Enabled && !read {
                state.set_policy_type(&kind, true);
            }
            if on == PolicyTypeStatus::PendingEnable {
                state.later(options.enabling_delay, Due::Enabled(kind));
            }
        }
        for (id, policy) in &observed.policies {
            for node in policy.targets.get().into_iter().flatten() {
                state.attach(id, node);
            }
        }
        state.services = observed.services.get().cloned().unwrap_or_default();
        state.administrators = observed.administrators.get().cloned().unwrap_or_default();
        state.delegation_policy = observed.delegation_policy.get().cloned().flatten();
        let creations = observed.creations.get().into_iter().flatten();
        state.creations = Arc::new(creations.map(|creation| (creation.id.clone(), creation.clone())).collect());
        state
    }

    /// The snapshot that a reader who misses nothing takes at `at`.
    #[must_use]
    pub fn to_observed(&self, at: Timestamp) -> Observed {
        let tags = |tags: &Tags| Part::known(tags.clone(), at);
        let targets = |id: &PolicyId| Part::known(self.targets(id), at);
        Observed {
            organization: self.organization.clone(),
            root: observed::Root {
                id: self.root.id.clone(),
                name: self.root.name.clone(),
                policy_types: self.root.policy_types.clone(),
                tags: tags(&self.root.tags),
            },
            units: self
                .units
                .iter()
                .map(|(id, unit)| {
                    let (name, parent) = (unit.name.clone(), unit.parent.clone());
                    (id.clone(), observed::Unit { name, parent, tags: tags(&unit.tags) })
                })
                .collect(),
            accounts: self
                .accounts
                .iter()
                .map(|(id, account)| {
                    let contacts = account
                        .contacts
                        .iter()
                        .map(|(kind, contact)| (*kind, Part::known(Some(contact.clone()), at)))
                        .collect();
                    let account = observed::Account {
                        name: account.name.clone(),
                        email: account.email.clone(),
                        state: account.state,
                        parent: Some(account.parent.clone()),
                        tags: tags(&account.tags),
                        contacts,
                    };
                    (id.clone(), account)
                })
                .collect(),
            policies: self
                .policies
                .iter()
                .map(|(id, policy)| {
                    let observed = observed::Policy {
                        kind: policy.kind.clone(),
                        name: policy.name.clone(),
                        description: policy.description.clone(),
                        aws_managed: policy.aws_managed,
                        content: Part::known(policy.content.to_string(), at),
                        tags: tags(&policy.tags),
                        targets: targets(id),
                    };
                    (id.clone(), observed)
                })
                .collect(),
            services: Part::known(self.services.clone(), at),
            administrators: Part::known(self.administrators.clone(), at),
            delegation_policy: Part::known(self.delegation_policy.clone(), at),
            creations: Part::known(self.creations.values().cloned().collect(), at),
            gaps: vec![],
            listed_types: POLICY_TYPES.iter().map(|rule| PolicyType::new(rule.name)).collect::<BTreeSet<_>>(),
            lists_at: at,
        }
    }

    /// Adds an OU with AWS's own policies attached, for building an organization; checks nothing.
    pub fn add_unit(&mut self, parent: &NodeId, name: &str) -> UnitId {
        let id = self.mint_unit();
        self.put_unit(id.clone(), Unit { name: name.to_owned(), parent: parent.clone(), tags: Tags::new() });
        self.attach_defaults(&NodeId::Unit(id.clone()));
        id
    }

    /// Adds an account with AWS's own policies attached, for building an organization; checks nothing.
    pub fn add_account(&mut self, parent: &NodeId, name: &str, email: &str) -> AccountId {
        let id = self.mint_account();
        let account = Account {
            name: name.to_owned(),
            email: email.to_owned(),
            state: AccountState::Active,
            parent: parent.clone(),
            tags: Tags::new(),
            contacts: BTreeMap::new(),
        };
        self.put_account(id.clone(), account);
        self.attach_defaults(&NodeId::Account(id.clone()));
        id
    }

    /// Adds a policy, for building an organization; checks nothing.
    pub fn add_policy(&mut self, kind: &PolicyType, name: &str, content: &str) -> PolicyId {
        let id = self.mint_policy();
        let policy = Policy {
            kind: kind.clone(),
            name: name.to_owned(),
            description: String::new(),
            aws_managed: false,
            content: content.into(),
            tags: Tags::new(),
        };
        self.put_policy(id.clone(), policy);
        id
    }
}
