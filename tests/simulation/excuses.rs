//! What a refusal excuses, aspect by aspect, and that what is refused is not done.

use std::collections::BTreeSet;

use bylaw::aws::offline::State;
use bylaw::aws::port::{AccountState, Creation, CreationState};
use bylaw::desired::{Desired, NodeKey};
use bylaw::names::{Kind, NodeId, ObjectKey, Tags};
use bylaw::plan::model::{Edit, Tagged};
use bylaw::plan::{Action, Change, Guarded, NodeRef, Plan, PolicyRef};

use super::end::own_tag;

/// What may be otherwise than declared: what a refusal names, and what rests on it. Everything else is compared.
#[derive(Default)]
pub struct Excuses {
    /// Objects that could not be told in AWS, and those declared below them: nothing of them is changed.
    pub stuck: BTreeSet<String>,
    /// Objects whose creation is refused.
    absent: BTreeSet<String>,
    pub aspects: BTreeSet<String>,
}

impl Excuses {
    pub fn of(left: &Plan<Guarded>, desired: &Desired, state: &State) -> Self {
        let mut excuses = Self::default();
        let policies = || state.policies().values().map(|policy| &policy.tags);
        let nodes = || state.nodes().filter_map(|node| state.tags(&node));
        for refusal in &left.refusals {
            let object = refusal.object.to_string();
            refusal.changes.iter().for_each(|change| excuses.change(change));
            if !refusal.changes.is_empty() {
                continue;
            }
            let carries = |tags: &Tags| own_tag(tags) == Some(&*object);
            let there = policies().any(carries) || nodes().any(carries);
            match refusal.rule {
                "taken" if there => drop(excuses.aspects.insert(format!("{object} name"))),
                "ignored" if refusal.object.kind == Kind::Account && there => {
                    excuses.aspects.insert(format!("{object} parent"));
                }
                "excluding-unknown" => drop(excuses.aspects.insert(format!("{object} attachments"))),
                "not-empty" => drop(excuses.aspects.insert(format!("{object} gone"))),
                "ignored" => drop(excuses.absent.insert(object)),
                _ => drop(excuses.stuck.insert(object)),
            }
        }
        // Parents come before children however deep the tree is.
        for _ in 0..8 {
            let below = desired.units.values().filter(|unit| excuses.is_stuck(&unit.spec.parent));
            let below: Vec<String> = below.map(|unit| unit.key.to_string()).collect();
            excuses.stuck.extend(below);
        }
        let inside = desired.accounts.values().filter(|account| excuses.is_stuck(&account.spec.parent));
        let inside: Vec<String> = inside.map(|account| account.key.to_string()).collect();
        excuses.stuck.extend(inside);
        excuses
    }

    pub fn is_stuck(&self, node: &NodeKey) -> bool {
        self.stuck.contains(&node.to_string())
    }

    pub fn is_out(&self, object: &ObjectKey) -> bool {
        let object = object.to_string();
        self.stuck.contains(&object) || self.absent.contains(&object)
    }

    fn change(&mut self, change: &Change) {
        let object = change.object.to_string();
        let mut own = |aspect: &str| {
            self.aspects.insert(format!("{object} {aspect}"));
        };
        match &change.action {
            Action::EnablePolicyType { kind } => drop(self.aspects.insert(format!("type {kind}"))),
            Action::EnableService { principal } => drop(self.aspects.insert(format!("service {principal}"))),
            Action::CreateUnit { .. } | Action::CreatePolicy { .. } | Action::CreateAccount { .. } => {
                self.absent.insert(object);
            }
            Action::RenameUnit { .. } | Action::RenameAccount { .. } => own("name"),
            Action::UpdatePolicy { name, content, .. } => {
                if name.is_some() {
                    own("name");
                }
                if content.is_some() {
                    own("content");
                }
            }
            Action::Attach { policy, target, .. } => drop(self.aspects.insert(format!("attached {policy} {target}"))),
            Action::Detach { policy, target, .. } => drop(self.aspects.insert(format!("attached {policy} {target}"))),
            Action::MoveAccount { .. } => own("parent"),
            Action::Tag { set, .. } => set.keys().for_each(|key| own(&format!("tags/{key}"))),
            Action::PutContact { kind, .. } => own(&format!("contact {kind:?}")),
            Action::RegisterAdministrator { account, principal } => {
                self.aspects.insert(format!("administrator {account} {principal}"));
            }
            Action::PutDelegationPolicy { .. } => drop(self.aspects.insert("delegation".into())),
            Action::DeletePolicy { .. } | Action::DeleteUnit { .. } | Action::CloseAccount { .. } => own("gone"),
        }
    }
}

/// What a plan refused is in AWS as it was. `Ok`: how many changes were looked at.
pub fn untouched(plan: &Plan<Guarded>, before: &State, state: &State) -> Result<u64, String> {
    let mut checks = 0;
    for change in plan.refusals.iter().flat_map(|refusal| &refusal.changes) {
        checks += 1;
        if !is_as_before(change, before, state) {
            return Err(format!("refused and done all the same: {} {:?}", change.object, change.action));
        }
    }
    Ok(checks)
}

fn is_as_before(change: &Change, before: &State, state: &State) -> bool {
    let tagged = |tags: &Tags| own_tag(tags) == Some(&*change.object.to_string());
    let account = |node: &NodeRef| match node {
        NodeRef::Known(NodeId::Account(id)) => state.accounts().get(id),
        _ => None,
    };
    match &change.action {
        Action::EnablePolicyType { kind } => !state.root.policy_types.contains_key(kind),
        Action::EnableService { principal } => !state.services.contains(principal),
        // One that was there before is what a stale reading did not show.
        Action::CreateUnit { .. } => {
            let is_in = |state: &State| state.units().values().any(|unit| tagged(&unit.tags));
            is_in(before) || !is_in(state)
        }
        Action::CreatePolicy { .. } => {
            let is_in = |state: &State| state.policies().values().any(|policy| tagged(&policy.tags));
            is_in(before) || !is_in(state)
        }
        // One that an earlier life asked for may come to its end.
        Action::CreateAccount { name, email, .. } => {
            let earlier = |asked: &Creation| asked.state == CreationState::InProgress && asked.account_name == *name;
            state.account_of(email).is_none() || before.creations().values().any(earlier)
        }
        Action::RenameUnit { unit, name, .. } => state.units().get(unit).is_none_or(|unit| unit.name == name.from),
        Action::RenameAccount { account, name } => {
            state.accounts().get(account).is_none_or(|account| account.name == name.from)
        }
        Action::UpdatePolicy { policy, name, description, content, .. } => {
            state.policies().get(policy).is_none_or(|found| {
                let same = |edit: &Option<Edit<String>>, is: &str| edit.as_ref().is_none_or(|edit| edit.from == is);
                same(name, &found.name) && same(description, &found.description) && same(content, &found.content)
            })
        }
        Action::Attach { policy: PolicyRef::Known(policy), target: NodeRef::Known(target), .. } => {
            !state.is_attached(policy, target) || before.is_attached(policy, target)
        }
        // With a policy type that is off, or an OU that is deleted, all that is attached goes.
        Action::Detach { policy, target: NodeRef::Known(target), .. } => {
            state.is_attached(policy, target) || !before.is_attached(policy, target) || !state.has(target)
        }
        Action::MoveAccount { account: node, from: NodeRef::Known(from), .. } => {
            account(node).is_none_or(|account| account.parent == *from)
        }
        Action::Tag { resource, set, before } => {
            let has = match resource {
                Tagged::Node(NodeRef::Known(node)) => state.tags(node),
                Tagged::Policy(PolicyRef::Known(policy)) => state.policies().get(policy).map(|policy| &policy.tags),
                _ => None,
            };
            has.is_none_or(|has| set.keys().all(|key| has.get(key) == before.get(key)))
        }
        Action::PutContact { account: node, kind, before, .. } => {
            account(node).is_none_or(|account| account.contacts.get(kind) == before.as_ref())
        }
        Action::RegisterAdministrator { account: NodeRef::Known(NodeId::Account(id)), principal } => {
            !state.administrators.get(id).is_some_and(|services| services.contains(principal))
        }
        Action::PutDelegationPolicy { before, .. } => state.delegation_policy == *before,
        Action::DeletePolicy { policy, .. } => state.policies().contains_key(policy),
        Action::DeleteUnit { unit, .. } => state.units().contains_key(unit),
        Action::CloseAccount { account, .. } => {
            state.accounts().get(account).is_some_and(|account| account.state == AccountState::Active)
        }
        // What is not there yet cannot have been touched: its creation is looked at.
        Action::Attach { .. } | Action::Detach { .. } | Action::MoveAccount { .. } => true,
        Action::RegisterAdministrator { .. } => true,
    }
}
