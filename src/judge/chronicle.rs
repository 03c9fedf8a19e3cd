//! What happened to the organization, by recorded events, and how it stood before: `CreatePolicy` and `UpdatePolicy` carry
//! the whole document, `AttachPolicy`, `DetachPolicy` and `MoveAccount` say what was where (aws-facts section 7).
//!
//! The way back is from what is known now: each event is undone, the newest first. What no event tells (what a policy said
//! before its first recorded edit) becomes unknown, never a guess.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use crate::aws::port::{AccountState, PolicyTypeStatus};
use crate::names::{AccountId, NodeId, PolicyId, PolicyType, Tags, UnitId};
use crate::observed::{Account, Observed, Part, Policy, Unit};

/// A call that changed the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// CloudTrail's `eventID`.
    pub id: Box<str>,
    /// When.
    pub at: Timestamp,
    /// Who: the ARN of the principal, or the service.
    pub by: String,
    /// What.
    pub deed: Deed,
}

/// What a call did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the AWS operation")]
pub enum Deed {
    CreatePolicy { policy: PolicyId, kind: PolicyType, name: String, content: Option<String> },
    UpdatePolicy { policy: PolicyId, name: Option<String>, content: Option<String> },
    DeletePolicy { policy: PolicyId },
    Attach { policy: PolicyId, target: NodeId },
    Detach { policy: PolicyId, target: NodeId },
    Move { account: AccountId, from: NodeId, to: NodeId },
    CreateUnit { unit: UnitId, parent: Option<NodeId>, name: String },
    DeleteUnit { unit: UnitId },
    Join { account: AccountId },
    Leave { account: AccountId },
    TypeOn { kind: PolicyType },
    TypeOff { kind: PolicyType },
}

/// Reads a CloudTrail record. `None` for what changed nothing: another service's, a call that failed, one that only reads,
/// or one of which the record tells too little.
#[must_use]
pub fn read(record: &Value) -> Option<Happened> {
    let text = |path: &str| record.pointer(path).and_then(Value::as_str);
    if text("/eventSource") != Some("organizations.amazonaws.com") || text("/errorCode").is_some() {
        return None;
    }
    let asked = |name: &str| record.pointer("/requestParameters").and_then(|it| it.get(name)).and_then(Value::as_str);
    let answered = |path: &str| record.pointer(&format!("/responseElements/{path}")).and_then(Value::as_str);
    let policy = || asked("policyId")?.parse::<PolicyId>().ok();
    let target = || asked("targetId")?.parse::<NodeId>().ok();
    let kind = || asked("policyType").map(PolicyType::new);
    let account = || asked("accountId")?.parse::<AccountId>().ok();
    let deed = match text("/eventName")? {
        "CreatePolicy" => Deed::CreatePolicy {
            policy: answered("policy/policySummary/id")?.parse().ok()?,
            kind: PolicyType::new(asked("type")?),
            name: asked("name").unwrap_or_default().to_owned(),
            content: asked("content").map(str::to_owned),
        },
        "UpdatePolicy" => Deed::UpdatePolicy {
            policy: policy()?,
            name: asked("name").map(str::to_owned),
            content: asked("content").map(str::to_owned),
        },
        "DeletePolicy" => Deed::DeletePolicy { policy: policy()? },
        "AttachPolicy" => Deed::Attach { policy: policy()?, target: target()? },
        "DetachPolicy" => Deed::Detach { policy: policy()?, target: target()? },
        "MoveAccount" => Deed::Move {
            account: account()?,
            from: asked("sourceParentId")?.parse().ok()?,
            to: asked("destinationParentId")?.parse().ok()?,
        },
        "CreateOrganizationalUnit" => Deed::CreateUnit {
            unit: answered("organizationalUnit/id")?.parse().ok()?,
            parent: asked("parentId").and_then(|id| id.parse().ok()),
            name: asked("name").unwrap_or_default().to_owned(),
        },
        "DeleteOrganizationalUnit" => Deed::DeleteUnit { unit: asked("organizationalUnitId")?.parse().ok()? },
        "CreateAccountResult" => {
            let id = record.pointer("/serviceEventDetails/createAccountStatus/accountId").and_then(Value::as_str)?;
            Deed::Join { account: id.parse().ok()? }
        }
        "RemoveAccountFromOrganization" => Deed::Leave { account: account()? },
        "LeaveOrganization" => Deed::Leave { account: text("/userIdentity/accountId")?.parse().ok()? },
        "EnablePolicyType" => Deed::TypeOn { kind: kind()? },
        "DisablePolicyType" => Deed::TypeOff { kind: kind()? },
        _ => return None,
    };
    let by = text("/userIdentity/arn").or_else(|| text("/userIdentity/invokedBy")).unwrap_or("somebody");
    Some(Happened {
        id: text("/eventID").unwrap_or_default().into(),
        at: text("/eventTime")?.parse().ok()?,
        by: by.to_owned(),
        deed,
    })
}

/// Events of one organization, oldest first, each once.
#[derive(Debug, Clone, Default)]
pub struct Chronicle {
    events: Vec<Happened>,
}

impl Chronicle {
    /// Sorts events, and drops those that come twice (a trail of an organization delivers some to several files).
    #[must_use]
    pub fn new(mut events: Vec<Happened>) -> Self {
        let mut seen = BTreeSet::new();
        events.retain(|event| event.id.is_empty() || seen.insert(event.id.clone()));
        events.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.id.cmp(&b.id)));
        Self { events }
    }

    /// The events.
    #[must_use]
    pub fn events(&self) -> &[Happened] {
        &self.events
    }

    /// The first and the last time that there is an event of.
    #[must_use]
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.events.first()?.at, self.events.last()?.at))
    }

    /// Without what happened later.
    #[must_use]
    pub fn until(mut self, at: Timestamp) -> Self {
        self.events.retain(|event| event.at <= at);
        self
    }

    /// The organization as it stood at a time, from how it stands now.
    #[must_use]
    pub fn rewind(&self, now: &Observed, at: Timestamp) -> Observed {
        let mut observed = now.clone();
        let from = self.events.partition_point(|event| event.at <= at);
        self.back(&mut observed, from, &mut |_, _| {});
        observed
    }

    /// When a policy came to say and bind what it does now at a node, and by whom: the newest attachment to it, or the
    /// newest edit, whichever is later. `None`: no event tells.
    #[must_use]
    pub fn since(&self, policy: &PolicyId, node: &NodeId) -> Option<&Happened> {
        self.events.iter().rev().find(|event| match &event.deed {
            Deed::UpdatePolicy { policy: edited, content: Some(_), .. } => edited == policy,
            Deed::Attach { policy: attached, target } => attached == policy && target == node,
            _ => false,
        })
    }

    /// What changed what binds an account, oldest first.
    #[must_use]
    pub fn of_account(&self, now: &Observed, account: &AccountId) -> Vec<&Happened> {
        let node = NodeId::Account(account.clone());
        let mut observed = now.clone();
        let mut found = vec![];
        self.back(&mut observed, 0, &mut |observed, event| {
            let way = observed.chain(&node);
            let attached = |policy: &PolicyId| {
                let targets = observed.policies.get(policy).and_then(|policy| policy.targets.get());
                targets.is_some_and(|targets| way.iter().any(|node| targets.contains(node)))
            };
            let concerns = match &event.deed {
                Deed::Attach { target, .. } | Deed::Detach { target, .. } => way.contains(target),
                Deed::UpdatePolicy { policy, content, .. } => content.is_some() && attached(policy),
                Deed::Move { account: moved, .. } | Deed::Join { account: moved } | Deed::Leave { account: moved } => {
                    moved == account
                }
                Deed::TypeOn { .. } | Deed::TypeOff { .. } => true,
                Deed::CreatePolicy { .. } | Deed::DeletePolicy { .. } => false,
                Deed::CreateUnit { unit, .. } | Deed::DeleteUnit { unit } => way.contains(&NodeId::Unit(unit.clone())),
            };
            if concerns {
                found.push(event);
            }
        });
        found.reverse();
        found
    }

    /// Undoes the events from a place on, the newest first, and shows each what it left. CloudTrail's times are of whole
    /// seconds: of those of one second the one comes first that left what there is.
    fn back<'a>(&'a self, observed: &mut Observed, from: usize, look: &mut dyn FnMut(&Observed, &'a Happened)) {
        let mut waiting: Vec<usize> = vec![];
        let mut next = self.events.len();
        loop {
            if waiting.is_empty() {
                let at = next.checked_sub(1).filter(|last| *last >= from).and_then(|last| self.events.get(last));
                let Some(at) = at.map(|event| event.at) else { return };
                let begin = self.events.partition_point(|event| event.at < at).max(from);
                waiting.extend((begin..next).rev());
                next = begin;
            }
            let fits = |index: &usize| self.events.get(*index).is_some_and(|event| left(observed, &event.deed));
            let place = waiting.iter().position(fits).unwrap_or_default();
            let index = waiting.remove(place);
            if let Some(event) = self.events.get(index) {
                look(observed, event);
                self.undo(observed, index, event);
            }
        }
    }

    /// What a policy said right before an event, by the events before it.
    fn said_before(&self, policy: &PolicyId, index: usize) -> Option<&str> {
        self.events.get(..index)?.iter().rev().find_map(|event| match &event.deed {
            Deed::CreatePolicy { policy: made, content, .. } if made == policy => content.as_deref(),
            Deed::UpdatePolicy { policy: edited, content: Some(content), .. } if edited == policy => Some(content),
            _ => None,
        })
    }

    fn undo(&self, observed: &mut Observed, index: usize, event: &Happened) {
        let targets = |observed: &mut Observed, policy: &PolicyId, put: bool, target: &NodeId| {
            if let Some(targets) = observed.policies.get_mut(policy).and_then(|policy| policy.targets.get_mut()) {
                if put {
                    targets.insert(target.clone());
                } else {
                    targets.remove(target);
                }
            }
        };
        match &event.deed {
            Deed::Attach { policy, target } => targets(observed, policy, false, target),
            Deed::Detach { policy, target } => targets(observed, policy, true, target),
            Deed::UpdatePolicy { policy, content: Some(_), .. } => {
                let before = self.content(policy, index, event.at);
                if let Some(policy) = observed.policies.get_mut(policy) {
                    policy.content = before;
                }
            }
            Deed::UpdatePolicy { .. } => {}
            Deed::CreatePolicy { policy, .. } => drop(observed.policies.remove(policy)),
            Deed::DeletePolicy { policy } => {
                let restored = self.restored(policy, index, event.at);
                observed.policies.insert(policy.clone(), restored);
            }
            Deed::Move { account, from, .. } => {
                if let Some(account) = observed.accounts.get_mut(account) {
                    account.parent = Some(from.clone());
                }
            }
            Deed::Join { account } => drop(observed.accounts.remove(account)),
            Deed::Leave { account } => {
                // Where it was is told by its last move, if that is among the events.
                let parent =
                    self.events.get(..index).unwrap_or_default().iter().rev().find_map(|event| match &event.deed {
                        Deed::Move { account: moved, to, .. } if moved == account => Some(to.clone()),
                        _ => None,
                    });
                observed.accounts.entry(account.clone()).or_insert(Account {
                    name: account.to_string(),
                    email: String::new(),
                    state: AccountState::Active,
                    parent,
                    tags: Part::Unread,
                    contacts: BTreeMap::new(),
                });
            }
            Deed::CreateUnit { unit, .. } => drop(observed.units.remove(unit)),
            Deed::DeleteUnit { unit } => {
                let made =
                    self.events.get(..index).unwrap_or_default().iter().rev().find_map(|event| match &event.deed {
                        Deed::CreateUnit { unit: made, parent: Some(parent), name } if made == unit => {
                            Some((parent, name))
                        }
                        _ => None,
                    });
                if let Some((parent, name)) = made {
                    let unit_before = Unit { name: name.clone(), parent: parent.clone(), tags: Part::Unread };
                    observed.units.insert(unit.clone(), unit_before);
                }
            }
            Deed::TypeOn { kind } => drop(observed.root.policy_types.remove(kind)),
            Deed::TypeOff { kind } => {
                observed.root.policy_types.insert(kind.clone(), PolicyTypeStatus::Enabled);
                // Switching a type off detaches all its policies, and no event lists them.
                let lost = lost(event.at, "where it was attached when its type was switched off is in no event");
                for policy in observed.policies.values_mut().filter(|policy| policy.kind == *kind) {
                    policy.targets = lost.clone();
                }
            }
        }
    }

    fn content(&self, policy: &PolicyId, index: usize, at: Timestamp) -> Part<String> {
        match self.said_before(policy, index) {
            Some(content) => Part::known(content.to_owned(), at),
            None => lost(at, &format!("what it said before {at} is in none of the events")),
        }
    }

    /// A policy that was deleted, as the events before tell it.
    fn restored(&self, policy: &PolicyId, index: usize, at: Timestamp) -> Policy {
        let made = self.events.get(..index).unwrap_or_default().iter().rev().find_map(|event| match &event.deed {
            Deed::CreatePolicy { policy: made, kind, name, .. } if made == policy => Some((kind.clone(), name.clone())),
            _ => None,
        });
        let (kind, name) = made.unwrap_or_else(|| (PolicyType::scp(), policy.to_string()));
        Policy {
            kind,
            name,
            description: String::new(),
            aws_managed: false,
            content: self.content(policy, index, at),
            tags: Part::known(Tags::new(), at),
            // AWS deletes no policy that is attached; older events put back where it was.
            targets: Part::known(BTreeSet::new(), at),
        }
    }
}

/// Whether what there is can be what a call left.
fn left(observed: &Observed, deed: &Deed) -> bool {
    let attached = |policy: &PolicyId, target: &NodeId| {
        observed.policies.get(policy).and_then(|policy| policy.targets.get()).map(|targets| targets.contains(target))
    };
    match deed {
        Deed::Attach { policy, target } => attached(policy, target) != Some(false),
        Deed::Detach { policy, target } => attached(policy, target) != Some(true),
        Deed::Move { account, to, .. } => {
            observed.accounts.get(account).is_none_or(|account| account.parent.as_ref() == Some(to))
        }
        _ => true,
    }
}

fn lost<T>(at: Timestamp, error: &str) -> Part<T> {
    Part::Unreadable { error: error.to_owned(), remedy: None, at }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::aws::offline::{Offline, Options};

    fn record(at: &str, name: &str, request: Value, response: Value) -> Value {
        json!({"eventVersion": "1.08", "eventSource": "organizations.amazonaws.com", "eventName": name, "eventTime": at,
            "eventID": format!("{name}-{at}"), "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/admin/ana"},
            "requestParameters": request, "responseElements": response})
    }

    fn says(action: &str) -> String {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": action, "Resource": "*"}]})
            .to_string()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Created on the 1st, attached to the OU on the 2nd, edited on the 3rd, the account moved into the OU on the 4th,
    /// detached on the 5th.
    #[test]
    fn the_organization_stands_at_each_date_as_the_events_left_it() {
        let offline = Offline::new(Options::default());
        let (unit, account, policy, root) = offline.with(|state| {
            let root = state.root_node();
            state.set_policy_type(&PolicyType::scp(), true);
            let unit = state.add_unit(&root, "PROD");
            let account = state.add_account(&NodeId::Unit(unit.clone()), "prod", "prod@example.com");
            (unit, account, state.add_policy(&PolicyType::scp(), "lock", &says("s3:*")), root)
        });
        let now = offline.state().to_observed(Timestamp::UNIX_EPOCH);
        let (id, place) = (policy.as_str(), unit.as_str());
        let records = [
            record("2026-05-05T00:00:00Z", "DetachPolicy", json!({"policyId": id, "targetId": place}), Value::Null),
            record(
                "2026-05-01T00:00:00Z",
                "CreatePolicy",
                json!({"type": "SERVICE_CONTROL_POLICY", "name": "lock", "content": says("ec2:*")}),
                json!({"policy": {"policySummary": {"id": id}}}),
            ),
            record("2026-05-02T00:00:00Z", "AttachPolicy", json!({"policyId": id, "targetId": place}), Value::Null),
            record(
                "2026-05-03T00:00:00Z",
                "UpdatePolicy",
                json!({"policyId": id, "content": says("s3:*")}),
                Value::Null,
            ),
            record(
                "2026-05-04T00:00:00Z",
                "MoveAccount",
                json!({"accountId": account.as_str(), "sourceParentId": root.as_str(), "destinationParentId": place}),
                Value::Null,
            ),
            // None of these changed anything.
            record("2026-05-06T00:00:00Z", "ListPolicies", json!({}), Value::Null),
            json!({"eventSource": "organizations.amazonaws.com", "eventName": "DetachPolicy", "errorCode": "AccessDenied", "eventTime": "2026-05-06T00:00:00Z"}),
            json!({"eventSource": "s3.amazonaws.com"}),
        ];
        let chronicle = Chronicle::new(records.iter().chain(&records).filter_map(read).collect());
        assert_eq!(chronicle.events().len(), 5);
        let stood = |date: &str| {
            let observed = chronicle.rewind(&now, at(date));
            let found = observed.policies.get(&policy);
            let content = found.and_then(|policy| policy.content.get()).map(|content| content.contains("ec2:*"));
            let attached = found
                .and_then(|policy| policy.targets.get())
                .is_some_and(|all| all.contains(&NodeId::Unit(unit.clone())));
            (content, attached, observed.parent(&NodeId::Account(account.clone())) == Some(&NodeId::Unit(unit.clone())))
        };
        assert_eq!(stood("2026-05-05T12:00:00Z"), (Some(false), false, true));
        assert_eq!(stood("2026-05-04T12:00:00Z"), (Some(false), true, true));
        assert_eq!(stood("2026-05-03T12:00:00Z"), (Some(false), true, false));
        assert_eq!(stood("2026-05-02T12:00:00Z"), (Some(true), true, false));
        assert_eq!(stood("2026-05-01T12:00:00Z"), (Some(true), false, false));
        assert_eq!(stood("2026-04-30T00:00:00Z"), (None, false, false));
        // The edit of the 3rd reached the OU before the account came.
        let told: Vec<String> = chronicle.of_account(&now, &account).iter().map(|event| event.at.to_string()).collect();
        assert_eq!(told, ["2026-05-04T00:00:00Z", "2026-05-05T00:00:00Z"]);
        let since = chronicle.since(&policy, &NodeId::Unit(unit.clone())).unwrap();
        assert!(matches!(since.deed, Deed::UpdatePolicy { .. }) && since.by.ends_with("/ana"));
        // Of a date nothing is told that happened after it.
        let date = at("2026-05-02T12:00:00Z");
        let then = chronicle.rewind(&now, date);
        let chronicle = chronicle.until(date);
        assert_eq!(chronicle.since(&policy, &NodeId::Unit(unit.clone())).unwrap().at, at("2026-05-02T00:00:00Z"));
        assert!(chronicle.of_account(&then, &account).is_empty());
        let told = chronicle.events().iter().map(|event| event.at.to_string());
        assert_eq!(told.collect::<Vec<_>>(), ["2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z"]);
    }

    #[test]
    fn calls_of_one_second_are_undone_from_what_they_left() {
        let offline = Offline::new(Options::default());
        let (policy, account, root, units) = offline.with(|state| {
            let root = state.root_node();
            state.set_policy_type(&PolicyType::scp(), true);
            let units = ["A", "B"].map(|name| NodeId::Unit(state.add_unit(&root, name)));
            let account = state.add_account(&units[1], "prod", "prod@example.com");
            let policy = state.add_policy(&PolicyType::scp(), "lock", &says("s3:*"));
            state.attach(&policy, &units[1]);
            (policy, account, root, units)
        });
        let now = offline.state().to_observed(Timestamp::UNIX_EPOCH);
        let second = "2026-05-02T00:00:00Z";
        let on = |name: &str| {
            let target = json!({"policyId": policy.as_str(), "targetId": units[1].to_string()});
            record(second, name, target, Value::Null)
        };
        let moved = |id: &str, from: &NodeId, to: &NodeId| {
            let asked = json!({"accountId": account.as_str(), "sourceParentId": from.to_string(), "destinationParentId": to.to_string()});
            let mut record = record(second, "MoveAccount", asked, Value::Null);
            record["eventID"] = json!(id);
            record
        };
        for (first, last) in [("1", "2"), ("2", "1")] {
            let mut records = [
                on("DetachPolicy"),
                on("AttachPolicy"),
                moved(first, &root, &units[0]),
                moved(last, &units[0], &units[1]),
            ];
            // Whatever the order of their ids.
            records[0]["eventID"] = json!(format!("{first}-"));
            records[1]["eventID"] = json!(format!("{last}-"));
            let chronicle = Chronicle::new(records.iter().filter_map(read).collect());
            assert_eq!(chronicle.events().len(), 4);
            let before = chronicle.rewind(&now, at("2026-05-01T00:00:00Z"));
            assert!(before.policies.get(&policy).unwrap().targets.get().unwrap().contains(&units[1]));
            assert_eq!(before.parent(&NodeId::Account(account.clone())), Some(&root));
        }
    }

    #[test]
    fn what_no_event_tells_is_unknown_and_not_guessed() {
        let offline = Offline::new(Options::default());
        let policy = offline.with(|state| state.add_policy(&PolicyType::scp(), "lock", &says("s3:*")));
        let now = offline.state().to_observed(Timestamp::UNIX_EPOCH);
        let edit = record(
            "2026-05-03T00:00:00Z",
            "UpdatePolicy",
            json!({"policyId": policy.as_str(), "content": says("s3:*")}),
            Value::Null,
        );
        let chronicle = Chronicle::new(read(&edit).into_iter().collect());
        let before = chronicle.rewind(&now, at("2026-05-02T00:00:00Z"));
        assert!(before.policies.get(&policy).unwrap().content.error().unwrap().contains("none of the events"));
        let gone = record("2026-05-03T00:00:00Z", "DeletePolicy", json!({"policyId": "p-11111111"}), Value::Null);
        let chronicle = Chronicle::new(read(&gone).into_iter().collect());
        let before = chronicle.rewind(&now, at("2026-05-02T00:00:00Z"));
        assert!(before.policies.get(&"p-11111111".parse::<PolicyId>().unwrap()).unwrap().content.get().is_none());
    }
}
