//! The approvals of the cluster, kept by watch events.
//!
//! An approval that cannot be read or seen does not count: nothing is refused less for want of it, so a pass need not wait
//! for the kind as it waits for the declared ones. It waits for the first list only, so that what is approved is not told
//! as refused after every start.

use std::collections::BTreeMap;

use kube::core::DynamicObject;
use kube::runtime::watcher::Event;
use serde_json::Value;

use crate::api::ApprovalSpec;
use crate::status::approvals::Given;

/// All approvals.
#[derive(Debug, Default)]
pub struct Approvals {
    entries: BTreeMap<Box<str>, Given>,
    listing: BTreeMap<Box<str>, Given>,
    settled: bool,
}

impl Approvals {
    /// Takes in one watch event. Whether a pass should look at what changed.
    pub fn take(&mut self, event: Event<DynamicObject>) -> bool {
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(object) => {
                if let Some(given) = given(object) {
                    self.listing.insert(given.name.clone(), given);
                }
            }
            Event::InitDone => {
                self.entries = std::mem::take(&mut self.listing);
                self.settled = true;
                return true;
            }
            Event::Apply(object) => {
                let name = object.metadata.name.clone().unwrap_or_default();
                let Some(given) = given(object) else { return self.entries.remove(name.as_str()).is_some() };
                let before = self.entries.insert(given.name.clone(), given.clone());
                return before.is_none_or(|before| (before.uid, before.spec) != (given.uid, given.spec));
            }
            Event::Delete(object) => {
                return object.metadata.name.is_some_and(|name| self.entries.remove(name.as_str()).is_some());
            }
        }
        false
    }

    /// They cannot be listed: none counts.
    pub fn lose(&mut self) {
        *self = Self { settled: true, ..Self::default() };
    }

    /// Every approval, by name; `None` before the first list.
    #[must_use]
    pub fn all(&self) -> Option<&BTreeMap<Box<str>, Given>> {
        self.settled.then_some(&self.entries)
    }
}

fn given(object: DynamicObject) -> Option<Given> {
    let metadata = object.metadata;
    // Somebody takes it back.
    if metadata.deletion_timestamp.is_some() {
        return None;
    }
    let mut data = object.data;
    let spec = data.get_mut("spec").map(Value::take).unwrap_or_default();
    let spec = serde_json::from_value::<ApprovalSpec>(spec).map_err(|error| format!("it cannot be used: {error}"));
    Some(Given {
        name: metadata.name?.into(),
        uid: metadata.uid.unwrap_or_default(),
        generation: metadata.generation.unwrap_or_default(),
        spec,
        status: data.get_mut("status").map(Value::take).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn approval(name: &str, hash: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "bylaw.dev/v1alpha1", "kind": "Approval", "metadata": {"name": name, "uid": name},
            "spec": {"for": {"kind": "Organization", "name": "acme"}, "hash": hash, "approver": "jane", "reason": "r",
                "expiresAt": "2026-12-01T00:00:00Z"},
        }))
        .unwrap()
    }

    #[test]
    fn an_approval_that_is_no_longer_seen_counts_no_more() {
        let mut approvals = Approvals::default();
        assert!(approvals.all().is_none());
        approvals.take(Event::Init);
        approvals.take(Event::InitApply(approval("a", "aa")));
        assert!(approvals.all().is_none(), "half a list");
        assert!(approvals.take(Event::InitDone));
        assert!(!approvals.take(Event::Apply(approval("a", "aa"))), "our own status");
        assert!(approvals.take(Event::Apply(approval("b", "bb"))));
        assert_eq!(approvals.all().unwrap().len(), 2);
        assert!(approvals.take(Event::Delete(approval("b", "bb"))));
        assert_eq!(approvals.all().unwrap().len(), 1);
        approvals.take(Event::Init);
        approvals.take(Event::InitDone);
        assert_eq!(approvals.all().unwrap().len(), 0);
        approvals.take(Event::Apply(approval("a", "aa")));
        approvals.lose();
        assert_eq!(approvals.all().unwrap().len(), 0);
    }

    #[test]
    fn an_approval_that_is_taken_back_counts_no_more() {
        let mut leaving = approval("a", "aa");
        leaving.metadata.deletion_timestamp = serde_json::from_value(json!("2026-11-25T00:00:00Z")).unwrap();
        let mut approvals = Approvals::default();
        approvals.take(Event::Init);
        approvals.take(Event::InitApply(leaving.clone()));
        approvals.take(Event::InitDone);
        assert_eq!(approvals.all().unwrap().len(), 0);
        approvals.take(Event::Apply(approval("a", "aa")));
        assert!(approvals.take(Event::Apply(leaving)), "a finalizer may keep it, and it counts no more");
        assert_eq!(approvals.all().unwrap().len(), 0);
    }
}
