//! What a status tells beside its conditions, by kind, and the status as a whole.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Verdict;
use crate::api::organization::{Refused, RefusedTogether, UndeclaredCounts, Vanished};
use crate::api::policy::Attached;
use crate::api::{AccountStatus, OrganizationPolicyStatus, OrganizationStatus, OrganizationalUnitStatus};
use crate::aws::port::AccountState;
use crate::desired::Desired;
use crate::names::words::{plain, ticked};
use crate::names::{Kind, NodeId, ObjectKey, TAG_MANAGED_BY, TAG_RESOURCE, Tags};
use crate::observed::{Observed, Part};
use crate::plan::bind::Binding;
use crate::plan::undeclared::{Sort, Undeclared};
use crate::plan::words::{Called, Field};
use crate::plan::{Bundle, Change, NodeRef, PolicyRef, Refusal};

/// What the pass as a whole tells.
#[derive(Debug, Clone, Copy)]
pub struct Pass<'a> {
    /// When it ended.
    pub now: Timestamp,
    /// AWS calls that it took.
    pub calls: u64,
    /// Differences that no manifest explains.
    pub drift: usize,
    /// What the guard does not let pass.
    pub refusals: &'a [Refusal],
    /// What of it can be approved at once.
    pub bundles: &'a [Bundle],
    /// What no manifest declares.
    pub undeclared: &'a Undeclared,
    /// What is kept in AWS for objects that are gone from the cluster, by name; `None` where that is not known.
    pub vanished: Option<&'a [String]>,
}

/// Most refusals that a status lists.
const MOST: usize = 50;

/// Most changes that a refusal of a status shows.
const MOST_CHANGES: usize = 20;

fn refused(organization: &ObjectKey, refusal: &Refusal, observed: &Observed) -> Refused {
    let objects: BTreeSet<&ObjectKey> = refusal.changes.iter().map(|change| &change.object).collect();
    let subject = match objects.iter().copied().collect::<Vec<_>>().as_slice() {
        [one] => *one,
        _ => organization,
    };
    let details = refusal.changes.iter().map(|change| format!("{}: {}", change.object, detail(change, observed)));
    Refused {
        approve_for: refusal.hash.is_some().then(|| subject.to_string()),
        details: details.take(MOST_CHANGES).collect(),
        rule: refusal.rule.into(),
        object: refusal.object.to_string(),
        message: refusal.message.clone(),
        remedy: refusal.remedy.clone(),
        changes: count(refusal.changes.len()),
        hash: refusal.hash.clone(),
    }
}

fn together(bundle: &Bundle, observed: &Observed) -> RefusedTogether {
    let changes = bundle.changes();
    let details = changes.iter().take(MOST_CHANGES).map(|change| {
        let of = bundle.covers.iter().filter(|(_, of)| of.id == change.id);
        let rules: Vec<&str> = of.map(|(rule, _)| *rule).collect();
        format!("{}: {} ({})", change.object, detail(change, observed), rules.join(", "))
    });
    RefusedTogether {
        approve_for: bundle.subject.to_string(),
        rules: bundle.rules().into_iter().map(str::to_owned).collect(),
        changes: count(changes.len()),
        hash: bundle.hash.clone(),
        details: details.collect(),
    }
}

/// Most attachments that the status of a policy names.
const MOST_ATTACHMENTS: usize = 50;

fn attachments(targets: &BTreeSet<NodeId>, observed: &Observed) -> Vec<Attached> {
    let mut named: Vec<(&str, &NodeId)> = targets.iter().map(|node| (observed.name(node), node)).collect();
    named.sort();
    let told = |(name, node): (&str, &NodeId)| Attached { id: node.to_string(), name: name.to_owned() };
    named.into_iter().take(MOST_ATTACHMENTS).map(told).collect()
}

/// AWS's objects by kind, name and id.
struct Known<'a>(&'a Observed);

impl Called for Known<'_> {
    fn node(&self, node: &NodeRef) -> String {
        match node {
            NodeRef::Known(NodeId::Root(id)) => format!("the root ({id})"),
            NodeRef::Known(id @ NodeId::Unit(_)) => format!("OU {} ({id})", ticked(self.0.name(id))),
            NodeRef::Known(id @ NodeId::Account(_)) => format!("account {} ({id})", ticked(self.0.name(id))),
            NodeRef::New(key) => format!("the new {}", ticked(&key.to_string())),
        }
    }

    fn policy(&self, policy: &PolicyRef) -> String {
        match policy {
            PolicyRef::Known(id) => {
                let name = self.0.policies.get(id).map_or(id.as_str(), |policy| policy.name.as_str());
                format!("policy {} ({id})", ticked(name))
            }
            PolicyRef::New(key) => format!("the new {}", ticked(&key.to_string())),
        }
    }
}

/// Most characters of a value in what a change does.
const MOST_OF_A_VALUE: usize = 300;

/// What a change does, for whoever is to approve it: what it is done to, and what it replaces.
fn detail(change: &Change, observed: &Observed) -> String {
    let shown = |text: &str| plain(&text.chars().take(MOST_OF_A_VALUE).collect::<String>());
    let mut told = change.action.told(&change.object, &Known(observed));
    for Field { field, from, to } in change.action.fields() {
        let from = from.map(|from| format!(" from {}", shown(&from))).unwrap_or_default();
        told.push_str(&format!("; {}{from} to {}", plain(&field), shown(&to)));
    }
    if let Some(text) = change.action.text() {
        let from = text.from.map(|from| format!(" from {}", shown(from))).unwrap_or_default();
        told.push_str(&format!("; text{from} to {}", shown(text.to)));
    }
    told
}

/// Most undeclared objects that a status names.
const MOST_NAMED: usize = 10;

fn undeclared(found: &Undeclared, observed: &Observed) -> UndeclaredCounts {
    let counted = |sort| found.count(sort).map(count);
    let node = |what: &str, id: NodeId| format!("{what} {} ({id})", observed.name(&id));
    let accounts = found.accounts.ids.iter().map(|id| node("account", NodeId::Account(id.clone())));
    let units = found.units.ids.iter().map(|id| node("OU", NodeId::Unit(id.clone())));
    let policies = found.policies.ids.iter().map(|id| {
        let name = observed.policies.get(id).map_or(id.as_str(), |policy| policy.name.as_str());
        format!("policy {name} ({id})")
    });
    UndeclaredCounts {
        accounts: counted(Sort::Account),
        organizational_units: counted(Sort::OrganizationalUnit),
        policies: counted(Sort::OrganizationPolicy),
        attachments: counted(Sort::Attachment),
        named: accounts.chain(units).chain(policies).take(MOST_NAMED).collect(),
        unread_policy_types: found.unread_types.iter().map(ToString::to_string).collect(),
    }
}

/// The fields of an object's status that come from AWS; empty where it is not there.
#[must_use]
pub fn facts(
    key: &ObjectKey,
    desired: &Desired,
    observed: &Observed,
    binding: &Binding,
    pass: Pass<'_>,
) -> Map<String, Value> {
    match key.kind {
        Kind::Organization => {
            let size = observed.size();
            object(&OrganizationStatus {
                id: Some(observed.organization.id.to_string()),
                root_id: Some(observed.root.id.to_string()),
                accounts: Some(count(size.accounts)),
                organizational_units: Some(count(size.units)),
                policies: Some(count(size.policies)),
                drift: Some(count(pass.drift)),
                undeclared: Some(undeclared(pass.undeclared, observed)),
                vanished: pass.vanished.map(|names| Vanished {
                    objects: count(names.len()),
                    named: names.iter().take(MOST_NAMED).cloned().collect(),
                }),
                refusals: pass.refusals.iter().take(MOST).map(|refusal| refused(key, refusal, observed)).collect(),
                refused_together: pass.bundles.iter().take(MOST).map(|bundle| together(bundle, observed)).collect(),
                calls: Some(u32::try_from(pass.calls).unwrap_or(u32::MAX)),
                last_pass: Some(format!("{:.0}", pass.now)),
                oldest_part: Some(format!("{:.0}", observed.oldest())),
                ..OrganizationStatus::default()
            })
        }
        Kind::OrganizationalUnit => {
            let Some(id) = binding.units.get(&key.name).and_then(|bound| bound.id()) else { return Map::new() };
            object(&OrganizationalUnitStatus {
                id: Some(id.to_string()),
                path: Some(path(observed, &NodeId::Unit(id.clone()))),
                ..OrganizationalUnitStatus::default()
            })
        }
        Kind::Account => {
            let Some(id) = binding.accounts.get(&key.name).and_then(|bound| bound.id()) else { return Map::new() };
            let state = observed.accounts.get(id).and_then(|account| serde_json::to_value(account.state).ok());
            object(&AccountStatus {
                id: Some(id.to_string()),
                state: state.and_then(|state| state.as_str().map(str::to_owned)),
                path: Some(path(observed, &NodeId::Account(id.clone()))),
                ..AccountStatus::default()
            })
        }
        Kind::OrganizationPolicy => {
            let Some(id) = binding.policies.get(&key.name).and_then(|bound| bound.id()) else { return Map::new() };
            let targets = observed.policies.get(id).and_then(|policy| policy.targets.get());
            let declared = desired.policies.get(&key.name);
            object(&OrganizationPolicyStatus {
                id: Some(id.to_string()),
                targets: targets.map(|targets| count(targets.len())),
                attachments: targets.map(|targets| attachments(targets, observed)),
                characters: declared.map(|policy| count(policy.spec.content.characters())),
                ..OrganizationPolicyStatus::default()
            })
        }
    }
}

/// The status to be written, or `None` where the API server has it already. `before` is the status as it is there: what
/// it tells of AWS stays where nothing new is known.
#[must_use]
pub fn status(
    verdict: &Verdict,
    facts: &Map<String, Value>,
    before: &Value,
    generation: i64,
    now: Timestamp,
) -> Option<Value> {
    if is_said(verdict, facts, before, generation) {
        return None;
    }
    let conditions = before.get("conditions").cloned();
    let conditions: Vec<Condition> = conditions.and_then(|c| serde_json::from_value(c).ok()).unwrap_or_default();
    let mut status = before.as_object().cloned().unwrap_or_default();
    status.extend(facts.iter().map(|(key, value)| (key.clone(), value.clone())));
    status.insert("observedGeneration".into(), generation.into());
    let conditions = serde_json::to_value(verdict.conditions(&conditions, generation, now)).unwrap_or_default();
    status.insert("conditions".into(), conditions);
    let status = Value::Object(status);
    (status != *before).then_some(status)
}

/// Whether the status says all that already.
fn is_said(verdict: &Verdict, facts: &Map<String, Value>, before: &Value, generation: i64) -> bool {
    let conditions = before.get("conditions").and_then(Value::as_array);
    before.get("observedGeneration").and_then(Value::as_i64) == Some(generation)
        && conditions.is_some_and(|conditions| verdict.is_said_by(conditions, generation))
        && facts.iter().all(|(key, value)| before.get(key) == Some(value))
}

/// What carries the tags of an Organization's objects in AWS and belongs to none that `is_there`, each as `Kind/name` with
/// its id, sorted; `None` where not all tags were read.
#[must_use]
pub fn vanished(organization: &str, is_there: impl Fn(&str) -> bool, observed: &Observed) -> Option<Vec<String>> {
    let units = observed.units.iter().map(|(id, unit)| (id.to_string(), &unit.tags));
    let open = observed.accounts.iter().filter(|(_, account)| account.state == AccountState::Active);
    let accounts = open.map(|(id, account)| (id.to_string(), &account.tags));
    let own = observed.policies.iter().filter(|(_, policy)| !policy.aws_managed);
    let policies = own.map(|(id, policy)| (id.to_string(), &policy.tags));
    let mut found = vec![];
    for (id, tags) in units.chain(accounts).chain(policies) {
        let tags = tags.get()?;
        let ours = tags.get(TAG_MANAGED_BY) == Some(organization);
        if let Some(key) = tags.get(TAG_RESOURCE).filter(|key| ours && !is_there(key)) {
            found.push(format!("{key} ({id})"));
        }
    }
    found.sort();
    observed.gaps.is_empty().then_some(found)
}

/// Whether nothing in AWS is this object's any more. What was not read may be.
#[must_use]
pub fn is_gone(key: &ObjectKey, observed: &Observed) -> bool {
    let tag = key.to_string();
    let free = |tags: &Part<Tags>| tags.get().is_some_and(|tags| tags.get(TAG_RESOURCE) != Some(tag.as_str()));
    observed.gaps.is_empty()
        && match key.kind {
            Kind::Organization => true,
            Kind::OrganizationalUnit => observed.units.values().all(|unit| free(&unit.tags)),
            // A closed account stays in the list for 90 days, with its tags.
            Kind::Account => {
                let open = observed.accounts.values().filter(|account| account.state == AccountState::Active);
                open.map(|account| &account.tags).all(free)
            }
            Kind::OrganizationPolicy => {
                observed.policies.values().filter(|policy| !policy.aws_managed).all(|policy| free(&policy.tags))
            }
        }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The fields that are there.
fn object(status: &impl Serialize) -> Map<String, Value> {
    let Ok(Value::Object(mut map)) = serde_json::to_value(status) else { return Map::new() };
    // The memory is added by whoever has it.
    map.retain(|key, value| !value.is_null() && !["conditions", "settled", "corrections"].contains(&key.as_str()));
    map
}

/// Ids from the organization down, as AWS writes a path.
fn path(observed: &Observed, node: &NodeId) -> String {
    let mut nodes = vec![node];
    while let Some(parent) = nodes.last().and_then(|node| observed.parent(node)) {
        if nodes.contains(&parent) {
            break;
        }
        nodes.push(parent);
    }
    let mut path = format!("{}/", observed.organization.id);
    for node in nodes.iter().rev() {
        path.push_str(node.as_str());
        path.push('/');
    }
    path
}

#[cfg(test)]
mod tests {
    use super::super::{Readiness, Turn};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_status_is_written_only_where_it_differs() {
        let verdict = Verdict {
            ready: Readiness::True,
            reason: "Succeeded",
            message: "AWS is as declared".into(),
            turn: Turn::Nobody,
            drifted: None,
        };
        let (then, now) = (Timestamp::from_second(1).unwrap(), Timestamp::from_second(9).unwrap());
        let facts = || json!({"id": "ou-1"}).as_object().cloned().unwrap();
        let written = status(&verdict, &facts(), &Value::Null, 1, then).unwrap();
        assert_eq!(status(&verdict, &facts(), &written, 1, now), None);
        assert_eq!(status(&verdict, &Map::new(), &written, 1, now), None, "what is known of AWS stays");
        assert!(status(&verdict, &facts(), &written, 2, now).is_some());
    }

    /// The short way to "nothing is new" must never hide what the long way would write, nor send what it would not.
    #[test]
    fn what_is_said_already_is_what_would_be_written_again() {
        let long = "ü".repeat(3000);
        let mut verdicts = vec![];
        for ready in [Readiness::True, Readiness::False] {
            for turn in [Turn::Nobody, Turn::Bylaw, Turn::Person] {
                for message in ["a", "b", &long] {
                    for drifted in [None, Some("tags".to_owned())] {
                        let message = message.to_owned();
                        verdicts.push(Verdict { ready, reason: "Refused", message, turn, drifted });
                    }
                }
            }
        }
        let (then, now) = (Timestamp::from_second(1).unwrap(), Timestamp::from_second(9).unwrap());
        let facts = json!({"id": "ou-1", "targets": 3}).as_object().cloned().unwrap();
        let other = json!({"id": "ou-2"}).as_object().cloned().unwrap();
        for before in &verdicts {
            let written = status(before, &facts, &Value::Null, 1, then).unwrap();
            for after in &verdicts {
                for (facts, same) in [(&facts, true), (&other, false)] {
                    assert_eq!(status(after, facts, &written, 1, now).is_none(), same && after == before, "{after:?}");
                }
                assert!(status(after, &facts, &written, 2, now).is_some());
            }
            let mut odd = written.clone();
            odd["conditions"][0]["lastTransitionTime"] = Value::Null;
            assert!(status(before, &facts, &odd, 1, now).is_some(), "a condition without its time is written anew");
        }
    }
}
