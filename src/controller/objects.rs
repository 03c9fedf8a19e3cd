//! What the cluster holds, kept by watch events: one entry an object, none of it older than the last event.
//!
//! Architecture invariants: no client and no clock; an object that cannot be read is an entry like the others (it freezes
//! its AWS counterpart, it does not vanish); and nothing is handed out before every kind was listed to its end.

use std::collections::{BTreeMap, BTreeSet};

use kube::core::DynamicObject;
use kube::runtime::watcher::Event;
use serde_json::Value;

use crate::api::FINALIZER;
use crate::desired::{Issue, Manifest, Organizations};
use crate::names::{ANNOTATION_AUTHOR, ANNOTATION_ID, ANNOTATION_RECONCILE_AT, ANNOTATION_TAKE_OVER, Kind, ObjectKey};

/// One object of the cluster.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its `metadata.uid`.
    pub uid: String,
    /// Its `metadata.generation`.
    pub generation: i64,
    /// Somebody deleted it, and a finalizer keeps it.
    pub deleting: bool,
    /// bylaw's finalizer is on it.
    pub finalizer: bool,
    /// Its deletion is to delete or close something in AWS, as far as its spec can be read.
    pub deletes: bool,
    /// Its status as the API server has it.
    pub status: Value,
    /// As it was read.
    pub manifest: Manifest,
    /// What is wrong with it by itself.
    pub issues: Vec<Issue>,
    /// Annotations that a pass looks at.
    asked: BTreeMap<&'static str, String>,
}

/// How far the list of a kind is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum List {
    /// It cannot be had; the reason is for people.
    Missing(String),
    /// It is read for the first time, or again after it could not be had.
    Reading(BTreeSet<Box<str>>),
    /// It is read again while what is known still holds.
    Rereading(BTreeSet<Box<str>>),
    /// Whole, and kept up to date.
    Whole,
}

impl List {
    fn why(&self) -> &str {
        match self {
            Self::Missing(why) => why,
            _ => "it is being listed",
        }
    }
}

/// All objects.
#[derive(Debug)]
pub struct Objects {
    entries: BTreeMap<ObjectKey, Entry>,
    lists: BTreeMap<Kind, List>,
    /// Kinds that could not be listed and were not listed to their end since, each with the reason.
    lost: BTreeMap<Kind, String>,
}

impl Default for Objects {
    fn default() -> Self {
        let unread = |kind| (kind, List::Missing("it was not listed yet".into()));
        Self { entries: BTreeMap::new(), lists: Kind::ALL.into_iter().map(unread).collect(), lost: BTreeMap::new() }
    }
}

impl Objects {
    /// Takes in one watch event. Whether a pass should look at what changed: bylaw's own status writes are no reason.
    pub fn take(&mut self, kind: Kind, event: Event<DynamicObject>) -> bool {
        match event {
            Event::Init => {
                let seen = BTreeSet::new();
                let list = if self.lists.get(&kind) == Some(&List::Whole) {
                    List::Rereading(seen)
                } else {
                    List::Reading(seen)
                };
                self.lists.insert(kind, list);
                false
            }
            Event::InitApply(object) => {
                let Some(name) = &object.metadata.name else { return false };
                if let Some(List::Reading(seen) | List::Rereading(seen)) = self.lists.get_mut(&kind) {
                    seen.insert(name.as_str().into());
                }
                self.put(kind, object)
            }
            Event::InitDone => {
                self.lost.remove(&kind);
                let Some(List::Reading(seen) | List::Rereading(seen)) = self.lists.insert(kind, List::Whole) else {
                    return true;
                };
                self.entries.retain(|key, _| key.kind != kind || seen.contains(&key.name));
                true
            }
            Event::Apply(object) => self.put(kind, object),
            Event::Delete(object) => {
                object.metadata.name.is_some_and(|name| self.entries.remove(&ObjectKey::new(kind, &name)).is_some())
            }
        }
    }

    /// The kind cannot be listed: nothing may be planned until it was listed to its end again.
    pub fn lose(&mut self, kind: Kind, why: &str) {
        self.lists.insert(kind, List::Missing(why.to_owned()));
        self.lost.insert(kind, why.to_owned());
    }

    /// A kind that cannot be listed, with the reason; `None` also while a kind is listed for the first time.
    #[must_use]
    pub fn lost(&self) -> Option<(Kind, &str)> {
        self.lost.iter().next().map(|(kind, why)| (*kind, why.as_str()))
    }

    /// Every object that is known, by key, whether or not there are others.
    #[must_use]
    pub fn known(&self) -> &BTreeMap<ObjectKey, Entry> {
        &self.entries
    }

    /// Kinds that are not whole, each with the reason.
    #[must_use]
    pub fn missing(&self) -> Vec<(Kind, &str)> {
        let lists = self.lists.iter().filter(|(_, list)| matches!(list, List::Missing(_) | List::Reading(_)));
        lists.map(|(kind, list)| (*kind, list.why())).collect()
    }

    /// Every object, by key; `None` until every kind is whole.
    #[must_use]
    pub fn whole(&self) -> Option<&BTreeMap<ObjectKey, Entry>> {
        self.missing().is_empty().then_some(&self.entries)
    }

    /// The Organizations that are not being deleted.
    #[must_use]
    pub fn organizations(&self) -> Organizations<'_> {
        Organizations::of(self.entries.values().filter(|entry| !entry.deleting).map(|entry| &entry.manifest))
    }

    fn put(&mut self, kind: Kind, object: DynamicObject) -> bool {
        let Some(entry) = Entry::of(object) else { return false };
        let Some(key) = entry.manifest.key.clone().filter(|key| key.kind == kind) else { return false };
        let same = self.entries.get(&key).is_some_and(|before| before.asks_the_same(&entry));
        self.entries.insert(key, entry);
        !same
    }
}

impl Entry {
    fn of(object: DynamicObject) -> Option<Self> {
        let metadata = &object.metadata;
        let annotation = |key: &'static str| {
            let value = metadata.annotations.as_ref()?.get(key)?;
            Some((key, value.clone()))
        };
        let asked = [ANNOTATION_AUTHOR, ANNOTATION_ID, ANNOTATION_RECONCILE_AT, ANNOTATION_TAKE_OVER];
        let asked = asked.into_iter().filter_map(annotation).collect();
        let (uid, generation) = (metadata.uid.clone().unwrap_or_default(), metadata.generation.unwrap_or_default());
        let deleting = metadata.deletion_timestamp.is_some();
        let finalizer = metadata.finalizers.iter().flatten().any(|name| name == FINALIZER);
        let mut value = serde_json::to_value(object).ok()?;
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        let (manifest, issues) = Manifest::of_value(&value);
        let policy = value.pointer("/spec/deletionPolicy").and_then(Value::as_str);
        let deletes = matches!(policy, Some("Delete" | "Close"));
        let status = value.get_mut("status").map(Value::take).unwrap_or_default();
        Some(Self { uid, generation, deleting, finalizer, deletes, status, manifest: manifest?, issues, asked })
    }

    /// Who made what it says, as far as it tells.
    #[must_use]
    pub fn author(&self) -> Option<&str> {
        self.asked.get(ANNOTATION_AUTHOR).map(String::as_str)
    }

    /// Whether nothing differs that a pass looks at.
    fn asks_the_same(&self, other: &Self) -> bool {
        self.uid == other.uid
            && self.generation == other.generation
            && self.deleting == other.deleting
            && self.finalizer == other.finalizer
            && self.manifest.labels == other.manifest.labels
            && self.asked == other.asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn unit(name: &str, generation: i64) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "bylaw.dev/v1alpha1", "kind": "OrganizationalUnit",
            "metadata": {"name": name, "uid": name, "generation": generation},
            "spec": {"name": name},
        }))
        .unwrap()
    }

    fn listed(objects: &mut Objects, kind: Kind, all: &[DynamicObject]) {
        objects.take(kind, Event::Init);
        for object in all {
            objects.take(kind, Event::InitApply(object.clone()));
        }
        objects.take(kind, Event::InitDone);
    }

    fn all_listed() -> Objects {
        let mut objects = Objects::default();
        for kind in Kind::ALL {
            let units = [unit("a", 1), unit("b", 1)];
            listed(&mut objects, kind, if kind == Kind::OrganizationalUnit { &units } else { &[] });
        }
        objects
    }

    #[test]
    fn nothing_is_handed_out_before_every_kind_is_whole() {
        let mut objects = Objects::default();
        for kind in Kind::ALL {
            assert!(objects.whole().is_none());
            objects.take(kind, Event::Init);
            assert!(objects.whole().is_none());
            objects.take(kind, Event::InitDone);
        }
        assert!(objects.whole().is_some());
    }

    #[test]
    fn what_a_list_no_longer_holds_is_gone_only_at_its_end() {
        let mut objects = all_listed();
        objects.take(Kind::OrganizationalUnit, Event::Init);
        objects.take(Kind::OrganizationalUnit, Event::InitApply(unit("a", 1)));
        assert_eq!(objects.whole().unwrap().len(), 2, "half a list says nothing of the other half");
        objects.take(Kind::OrganizationalUnit, Event::InitDone);
        assert_eq!(objects.whole().unwrap().len(), 1);
    }

    #[test]
    fn a_kind_that_was_lost_is_listed_to_its_end_before_anything_is_planned() {
        let mut objects = all_listed();
        objects.lose(Kind::Account, "the server has no such kind");
        assert_eq!(objects.missing(), [(Kind::Account, "the server has no such kind")]);
        assert_eq!(objects.lost(), Some((Kind::Account, "the server has no such kind")));
        objects.take(Kind::Account, Event::Init);
        assert!(objects.whole().is_none() && objects.lost().is_some());
        objects.take(Kind::Account, Event::InitDone);
        assert!(objects.whole().is_some() && objects.lost().is_none());
    }

    #[test]
    fn only_what_a_pass_looks_at_wakes_it() {
        let mut objects = all_listed();
        let mut written = unit("a", 1);
        written.data["status"] = json!({"id": "ou-1"});
        assert!(!objects.take(Kind::OrganizationalUnit, Event::Apply(written.clone())), "a status of ours");
        written.metadata.labels = Some(BTreeMap::from([("stage".to_owned(), "prod".to_owned())]));
        assert!(objects.take(Kind::OrganizationalUnit, Event::Apply(written.clone())), "a label");
        written.metadata.annotations = Some(BTreeMap::from([(ANNOTATION_RECONCILE_AT.to_owned(), "now".to_owned())]));
        assert!(objects.take(Kind::OrganizationalUnit, Event::Apply(written.clone())), "a person asks");
        assert!(objects.take(Kind::OrganizationalUnit, Event::Delete(written)));
    }

    #[test]
    fn an_object_that_cannot_be_read_is_there() {
        let mut objects = all_listed();
        let mut odd = unit("a", 2);
        odd.data["spec"] = json!({"name": 7});
        assert!(objects.take(Kind::OrganizationalUnit, Event::Apply(odd)));
        let entry = &objects.whole().unwrap()[&ObjectKey::new(Kind::OrganizationalUnit, "a")];
        assert!(!entry.manifest.is_sound() && !entry.issues.is_empty());
    }
}
