//! Objects for what is there, in the order in which they shall stand, and a reason for everything left out.

mod nodes;
mod organization;
mod policies;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::LazyLock;

use regex::Regex;

use super::Options;
use super::names::Names;
use super::yaml::{Fields, Yaml};
use crate::api::API_VERSION;
use crate::aws::port::{AccountState, Resource};
use crate::names::{
    ANNOTATION_ID, AccountId, Kind, NodeId, ObjectKey, PREFIX, PolicyId, TAG_DELETION, TAG_RESOURCE, Tags, UnitId,
};
use crate::observed::missing::{self, Missing};
use crate::observed::{Observed, Part};

/// One object.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) key: ObjectKey,
    /// What it is in AWS.
    pub(super) of: Option<Resource>,
    pub(super) file: PathBuf,
    /// Comments above it.
    pub(super) notes: Vec<String>,
    pub(super) body: Yaml,
}

/// All objects, and comments at the head of files.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) objects: Vec<Object>,
    pub(super) heads: BTreeMap<PathBuf, Vec<String>>,
}

/// What earlier rounds found out.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    /// Left out, with the reason.
    nodes: BTreeMap<NodeId, String>,
    policies: BTreeMap<PolicyId, String>,
    /// Policies whose content is written as text.
    as_text: BTreeSet<PolicyId>,
}

impl Verdicts {
    /// Takes complaints for the next round; `false` where nothing can be left out for them.
    pub(super) fn take(&mut self, draft: &Draft, complaints: BTreeMap<String, String>) -> bool {
        let by_key: HashMap<String, &Object> = draft.objects.iter().map(|o| (o.key.to_string(), o)).collect();
        let mut taken = false;
        for (object, why) in complaints {
            let of = by_key.get(&object).and_then(|o| o.of.clone());
            match of {
                Some(Resource::Policy(id)) if self.as_text.insert(id.clone()) => taken = true,
                Some(Resource::Policy(id)) => taken |= self.policies.insert(id, why).is_none(),
                Some(Resource::Node(id)) => taken |= self.nodes.insert(id, why).is_none(),
                None => {}
            }
        }
        taken
    }
}

/// What is not known and would be needed. Nothing is imported of accounts that are not active, nor of the management
/// account.
pub(super) fn missing(observed: &Observed) -> Vec<Missing> {
    let used = |missing: &Missing| match &missing.of {
        Some(Resource::Node(NodeId::Account(id))) => observed
            .accounts
            .get(id)
            .is_none_or(|a| a.state == AccountState::Active && *id != observed.organization.management_account),
        _ => true,
    };
    missing::missing(observed).into_iter().filter(used).collect()
}

/// What the parts of a draft share.
struct Cx<'a> {
    observed: &'a Observed,
    names: &'a Names,
    verdicts: &'a Verdicts,
    draft: Draft,
    /// OUs and accounts that have an object, and the file of their subtree.
    units: BTreeMap<UnitId, PathBuf>,
    accounts: BTreeSet<AccountId>,
    /// Nodes without an object that carry a policy that has one: named in `ignore`, so that nothing is detached there.
    ignored_units: BTreeSet<String>,
    ignored_accounts: BTreeSet<String>,
}

/// The draft.
pub(super) fn draft(
    observed: &Observed,
    options: &Options,
    names: &Names,
    verdicts: &Verdicts,
    missing: &[Missing],
) -> Draft {
    let mut cx = Cx {
        observed,
        names,
        verdicts,
        draft: Draft::default(),
        units: BTreeMap::new(),
        accounts: BTreeSet::new(),
        ignored_units: BTreeSet::new(),
        ignored_accounts: BTreeSet::new(),
    };
    cx.nodes();
    cx.policies();
    cx.organization(options, missing);
    cx.draft
}

/// The file of the Organization, which also lists what has no file of its own.
fn main_file() -> PathBuf {
    PathBuf::from("organization.yaml")
}

/// Keys and values of tags (aws-facts section 2), as `validate` checks them.
static TAG: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$").ok());

/// Most tags of an object: AWS's 50 but three, which are bylaw's.
const MAX_TAGS: usize = 47;

impl Cx<'_> {
    fn head(&mut self, file: PathBuf, line: String) {
        self.draft.heads.entry(file).or_default().push(line);
    }

    /// Takes in an object.
    fn put(&mut self, key: ObjectKey, of: Option<Resource>, file: PathBuf, notes: Vec<String>, spec: Fields) {
        let mut metadata = Fields::default();
        metadata.put("name", Yaml::text(&key.name));
        if let Some(of) = &of {
            metadata.put("annotations", Yaml::Map(vec![(ANNOTATION_ID.into(), Yaml::text(of.as_str()))]));
        }
        let mut body = Fields::default();
        body.put("apiVersion", Yaml::text(API_VERSION));
        body.put("kind", Yaml::text(key.kind));
        body.put("metadata", metadata.map());
        body.put("spec", spec.map());
        self.draft.objects.push(Object { key, of, file, notes, body: body.map() });
    }

    /// Tags that a manifest can name. AWS's and bylaw's own are nobody's to declare.
    fn tags(&self, part: &Part<Tags>, notes: &mut Vec<String>) -> Yaml {
        let none = Yaml::Map(vec![]);
        let tags = match part {
            Part::Known { value, .. } => value,
            Part::Unread => {
                notes.push("tags: left out, they were not read".into());
                return none;
            }
            Part::Unreadable { error, .. } => {
                notes.push(format!("tags: left out, they could not be read: {error}"));
                return none;
            }
        };
        let foreign = |key: &str| {
            let key = key.to_ascii_lowercase();
            key.starts_with("aws:") || key.starts_with(PREFIX)
        };
        let fits = |text: &str| TAG.as_ref().is_some_and(|regex| regex.is_match(text));
        let mut kept: Vec<(&str, &str)> = vec![];
        for (key, value) in tags.iter().filter(|(key, _)| !foreign(key)) {
            let length = key.chars().count();
            if length == 0 || length > 128 || value.chars().count() > 256 || !fits(key) || !fits(value) {
                notes.push(format!("tags: `{key}` is left out, AWS would not take it today"));
            } else {
                kept.push((key, value));
            }
        }
        if kept.len() > MAX_TAGS {
            let count = kept.len();
            notes.push(format!(
                "tags: left out, these are {count} and a manifest holds {MAX_TAGS} (bylaw's own need room)"
            ));
            return none;
        }
        Yaml::texts(kept)
    }

    /// `deletionPolicy`, where bylaw's tags say that the object had opted in.
    fn deletion(&self, key: &ObjectKey, tags: &Part<Tags>, opted: &str) -> Option<Yaml> {
        let tags = tags.get()?;
        let own = tags.get(TAG_RESOURCE).is_some_and(|tag| *tag == key.to_string());
        (own && tags.get(TAG_DELETION).is_some_and(|tag| tag == opted)).then(|| Yaml::text(opted))
    }

    /// `AllowList` where AWS's own SCP is known not to be attached.
    fn base_access(&self, node: &NodeId) -> Option<Yaml> {
        let kind = crate::names::PolicyType::scp();
        if !self.observed.root.policy_types.contains_key(&kind) {
            return None;
        }
        let full: PolicyId = kind.rule().default_policy?.parse().ok()?;
        let targets = self.observed.policies.get(&full)?.targets.get()?;
        (!targets.contains(node)).then(|| Yaml::text("AllowList"))
    }
}

/// A text as a comment quotes it.
fn quoted(text: &str) -> String {
    crate::desired::report::quoted(text)
}

/// The key of an object.
fn key(kind: Kind, name: &str) -> ObjectKey {
    ObjectKey::new(kind, name)
}
