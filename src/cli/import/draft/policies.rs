//! Policies, one file each, and where they are attached.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{Cx, key, main_file, quoted};
use crate::api::organization::Ignore;
use crate::aws::port::{PolicyTypeStatus, Resource};
use crate::cli::import::names::slug;
use crate::cli::import::yaml::{Fields, Yaml};
use crate::names::{Kind, NodeId, PolicyId, PolicyType, glob};
use crate::observed::{Part, Policy};
use crate::policy::{Document, flaw, json};

/// Most targets of a manifest, as its schema has it.
const MAX_TARGETS: usize = 500;
/// Most patterns of `ignore`, as its schema has it.
const MAX_IGNORED: (usize, usize) = (100, 1_000);

impl Cx<'_> {
    pub(super) fn policies(&mut self) {
        let ignored = Ignore::default().policies;
        let mut all: Vec<(&str, &PolicyId, &Policy)> = vec![];
        for (id, policy) in self.observed.policies.iter().filter(|(_, policy)| !policy.aws_managed) {
            let name = self.names.policies.get(id).map_or("", String::as_str);
            all.push((name, id, policy));
        }
        all.sort_by(|a, b| (&a.2.kind, a.0).cmp(&(&b.2.kind, b.0)));
        for (name, id, policy) in all {
            let left_out = match ignored.iter().find(|pattern| glob(pattern, &policy.name)) {
                Some(pattern) => Err(format!("it is another tool's (`{pattern}`), and left alone")),
                None => self.policy(name, id, policy),
            };
            if let Err(why) = left_out {
                let (kind, shown) = (policy.kind.short(), quoted(&policy.name));
                self.head(main_file(), format!("left out: {kind} `{shown}` (`{id}`): {why}"));
            }
        }
    }

    fn policy(&mut self, name: &str, id: &PolicyId, policy: &Policy) -> Result<(), String> {
        if let Some(why) = self.verdicts.policies.get(id) {
            return Err(why.clone());
        }
        if !self.is_on(&policy.kind) {
            return Err(format!(
                "policies of type `{}` are switched off, so it binds nobody",
                quoted(policy.kind.as_str())
            ));
        }
        let object = key(Kind::OrganizationPolicy, name);
        let mut notes = vec![];
        let content = self.content(id, policy)?;
        let targets = self.targets(policy, &mut notes)?;
        let mut spec = Fields::default();
        spec.put("type", Yaml::text(&policy.kind));
        spec.maybe("name", (policy.name != name).then(|| Yaml::text(&policy.name)));
        spec.maybe("description", (!policy.description.is_empty()).then(|| Yaml::text(&policy.description)));
        spec.put("content", content);
        spec.some("targets", targets);
        spec.some("tags", self.tags(&policy.tags, &mut notes));
        spec.maybe("deletionPolicy", self.deletion(&object, &policy.tags, "Delete"));
        let folder = slug(policy.kind.short());
        let file = PathBuf::from("policies").join(folder).join(format!("{name}.yaml"));
        self.put(object, Some(Resource::Policy(id.clone())), file, notes, spec);
        Ok(())
    }

    /// Whether a type is on, or on its way to be.
    pub(super) fn is_on(&self, kind: &PolicyType) -> bool {
        let state = self.observed.root.policy_types.get(kind);
        matches!(state, Some(PolicyTypeStatus::Enabled | PolicyTypeStatus::PendingEnable))
    }

    fn content(&self, id: &PolicyId, policy: &Policy) -> Result<Yaml, String> {
        let text = match &policy.content {
            Part::Known { value, .. } => value,
            Part::Unread => return Err("its content was not read".into()),
            Part::Unreadable { error, .. } => return Err(format!("its content could not be read: {error}")),
        };
        document(&policy.kind, text, !self.verdicts.as_text.contains(id))
    }

    /// Where it is attached, as far as manifests name it; what they do not name is to be ignored.
    fn targets(&mut self, policy: &Policy, notes: &mut Vec<String>) -> Result<Yaml, String> {
        let nodes = match &policy.targets {
            Part::Known { value, .. } => value,
            Part::Unread => return Err("where it is attached was not read".into()),
            Part::Unreadable { error, .. } => return Err(format!("where it is attached could not be read: {error}")),
        };
        let (mut root, mut units, mut accounts) = (false, BTreeSet::new(), BTreeSet::new());
        let (mut ignored_units, mut ignored_accounts) = (self.ignored_units.clone(), self.ignored_accounts.clone());
        for node in nodes {
            match node {
                NodeId::Root(_) => root = true,
                NodeId::Unit(id) if self.units.contains_key(id) => units.extend(self.names.units.get(id)),
                NodeId::Account(id) if self.accounts.contains(id) => accounts.extend(self.names.accounts.get(id)),
                NodeId::Account(id) if self.observed.is_management(node) => {
                    notes.push(format!(
                        "targets: it is attached to the management account (`{id}`) too, and that stays"
                    ));
                }
                NodeId::Account(id) => {
                    notes.push(format!(
                        "targets: it is attached to account `{id}` too, which has no manifest; that stays"
                    ));
                    ignored_accounts.insert(id.to_string());
                }
                NodeId::Unit(id) => {
                    let name = self.observed.name(node).to_owned();
                    notes.push(format!("targets: it is attached to OU `{id}` too, which has no manifest; that stays"));
                    if name.is_empty() || self.hits_another(&name) {
                        return Err(format!(
                            "it is attached to OU `{id}`, which has no manifest and a name that cannot be ignored"
                        ));
                    }
                    ignored_units.insert(name);
                }
            }
        }
        let count = usize::from(root) + units.len() + accounts.len();
        if count > MAX_TARGETS {
            return Err(format!("it is attached to {count} nodes, and a manifest names {MAX_TARGETS}"));
        }
        if ignored_units.len() > MAX_IGNORED.0 || ignored_accounts.len() > MAX_IGNORED.1 {
            return Err("it is attached to too many nodes that have no manifest".into());
        }
        let of = |field: &str, value: Yaml| Yaml::Map(vec![(field.to_owned(), value)]);
        let mut list: Vec<Yaml> = root.then(|| of("root", Yaml::Bool(true))).into_iter().collect();
        list.extend(units.into_iter().map(|name| of("organizationalUnitRef", Yaml::reference(name))));
        list.extend(accounts.into_iter().map(|name| of("accountRef", Yaml::reference(name))));
        self.ignored_units = ignored_units;
        self.ignored_accounts = ignored_accounts;
        Ok(Yaml::List(list))
    }

    /// Whether a name, read as a pattern, is that of an OU that has a manifest.
    fn hits_another(&self, name: &str) -> bool {
        self.units.keys().filter_map(|id| self.observed.units.get(id)).any(|unit| glob(name, &unit.name))
    }
}

/// A policy document: an object where that says the same, otherwise the text as it is.
pub(super) fn document(kind: &PolicyType, text: &str, as_object: bool) -> Result<Yaml, String> {
    let (document, _) = Document::parse(kind, text).map_err(|flaws| {
        let first = flaws.into_iter().find(|flaw| flaw.error);
        format!("its content cannot be read: {}", first.map_or_else(String::new, |flaw| flaw.message))
    })?;
    let mut flaws = flaw::Flaws::default();
    let object =
        json::read(text, &mut flaws).as_ref().and_then(Yaml::of_json).filter(|_| as_object && !flaws.has_errors());
    let same = |yaml: &Yaml| {
        let value = serde_json::to_value(yaml).unwrap_or_default();
        Document::from_value(kind, &value).is_ok_and(|(read, _)| read.same_meaning(&document))
    };
    Ok(match object.filter(same) {
        Some(object) => object,
        None if text.contains('\n') && text.chars().all(|c| !c.is_control() || c == '\n') => {
            Yaml::Block(text.to_owned())
        }
        None => Yaml::text(text),
    })
}
