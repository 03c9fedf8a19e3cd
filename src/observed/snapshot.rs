//! The snapshot file: an [`Observed`] as JSON, `{"formatVersion": 1, "kind": "Snapshot", …}`.
//!
//! A snapshot is an input from outside. What it says of itself is checked here, once: a tree that is none is an error,
//! and what is merely not told becomes a gap or an unreadable part, on which nothing destructive ever rests.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use schemars::JsonSchema;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::model::{Gap, Observed, Part, Scope};
use crate::names::{NodeId, POLICY_TYPES, PolicyType, UnitId};

/// The format that is written, and the newest that is read.
pub const FORMAT_VERSION: u64 = 1;
const KIND: &str = "Snapshot";

/// Levels of OUs that are still read. AWS allows five; whoever walks a tree may rely on this bound.
pub const MAX_DEPTH: usize = 64;

/// Why a text is no usable snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Something else altogether.
    #[error("this is not a snapshot: {0}")]
    NotASnapshot(String),
    /// Of a later version of bylaw.
    #[error("the snapshot has format {found}, and this version of bylaw reads formats up to {FORMAT_VERSION}")]
    Newer {
        /// Its format.
        found: u64,
    },
    /// It stops in the middle.
    #[error("the snapshot ends in the middle, at line {line}, column {column}")]
    Truncated {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A value that is not what has to stand there.
    #[error("line {line}, column {column} of the snapshot: {message}")]
    Wrong {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong and what was expected.
        message: String,
    },
    /// Its parts cannot be true together.
    #[error("the snapshot contradicts itself: {0}")]
    Contradiction(String),
}

impl SnapshotError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotASnapshot(_) => "give a file that `bylaw snapshot` wrote",
            Self::Newer { .. } => "use the version of bylaw that wrote it, or take the snapshot again with this one",
            Self::Truncated { .. } => "copy the file again, or take the snapshot again",
            Self::Wrong { .. } | Self::Contradiction(_) => "take the snapshot again; a snapshot is not to be edited",
        }
    }
}

/// The snapshot file: the organization as data, each part with the time at which it was read.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotFile<'a> {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    format_version: u64,
    /// `Snapshot`.
    kind: &'static str,
    #[serde(flatten)]
    observed: &'a Observed,
}

/// The snapshot of an organization, on one line.
#[must_use]
pub fn to_json(observed: &Observed) -> String {
    let file = SnapshotFile { format_version: FORMAT_VERSION, kind: KIND, observed };
    // Maps with text keys, texts and numbers: there is nothing in it that JSON could not hold.
    serde_json::to_string(&file).unwrap_or_default()
}

/// A snapshot lists the policies of the types that are on. Of a type that is off none is known, and none is attached: as in
/// an organization where nobody ever turned it on, there are none.
#[must_use]
pub fn with_types_off(mut observed: Observed) -> Observed {
    let on = &observed.root.policy_types;
    let known = POLICY_TYPES.iter().map(|rule| PolicyType::new(rule.name));
    observed.listed_types.extend(known.filter(|kind| !on.contains_key(kind)));
    observed
}

/// Reads a snapshot.
///
/// An account whose parent is not told, or is not in the snapshot, is without a parent and the snapshot has a gap; a
/// policy that is attached to a node that is not in the snapshot has unreadable targets.
///
/// # Errors
/// The text is no snapshot, a value has the wrong form, or the OUs are no tree.
pub fn from_json(text: &str) -> Result<Observed, SnapshotError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    header(text)?;
    // Of two entries with one key the reader below would keep the last and say nothing.
    serde_json::from_str::<EachKeyOnce>(text).map_err(|error| wrong(&error))?;
    let observed: Observed = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    checked(observed)
}

fn header(text: &str) -> Result<(), SnapshotError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Header {
        #[serde(default)]
        format_version: serde_json::Value,
        #[serde(default)]
        kind: serde_json::Value,
    }
    let not = |what: &str| Err(SnapshotError::NotASnapshot(what.to_owned()));
    match text.trim_start().chars().next() {
        None => return not("the file is empty"),
        Some('{') => {}
        Some(_) => return not("it is no JSON object"),
    }
    let header: Header = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    match &header.kind {
        serde_json::Value::String(kind) if kind == KIND => {}
        serde_json::Value::String(kind) => {
            return not(&format!("its `kind` is `{}`, expected `{KIND}`", crate::names::words::quoted(kind)));
        }
        _ => return not(&format!("it has no `\"kind\": \"{KIND}\"`")),
    }
    match header.format_version.as_u64() {
        Some(0) | None => not("it has no `formatVersion`"),
        Some(found) if found > FORMAT_VERSION => Err(SnapshotError::Newer { found }),
        Some(_) => Ok(()),
    }
}

/// The reader's error in our words.
fn wrong(error: &serde_json::Error) -> SnapshotError {
    use serde_json::error::Category;
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(&*text, |(message, _)| message);
    let message = match error.classify() {
        Category::Eof => return SnapshotError::Truncated { line, column },
        Category::Syntax | Category::Io => format!("the JSON is broken: {message}"),
        Category::Data => in_words(message),
    };
    SnapshotError::Wrong { line, column, message }
}

fn in_words(message: &str) -> String {
    let noun = |expected: &str| match expected {
        "a map" => "an object".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a string" | "a borrowed string" => "text".to_owned(),
        expected if expected.starts_with("struct ") || expected.starts_with("internally") => "an object".to_owned(),
        expected if expected.starts_with("enum ") => "another value".to_owned(),
        expected => expected.to_owned(),
    };
    let found = |given: &str| given.replace("string \"", "`").replace('"', "`");
    for (prefix, _) in [("invalid type: ", 0), ("invalid value: ", 1)] {
        if let Some((given, expected)) = message.strip_prefix(prefix).and_then(|rest| rest.rsplit_once(", expected ")) {
            return format!("expected {}, found {}", noun(expected), found(given));
        }
    }
    if let Some(field) = message.strip_prefix("missing field ") {
        return format!("{field} is missing");
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return rest.replacen(", expected", " is unknown here; expected", 1);
    }
    if let Some(field) = message.strip_prefix("duplicate field ") {
        return format!("{field} is there twice");
    }
    message.to_owned()
}

/// Any JSON in which no object has a key twice.
struct EachKeyOnce;

impl<'de> Deserialize<'de> for EachKeyOnce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EachKeyOnce)
    }
}

impl<'de> Visitor<'de> for EachKeyOnce {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if seen.contains(&key) {
                return Err(A::Error::custom(format!("`{}` is there twice", crate::names::words::quoted(&key))));
            }
            seen.insert(key);
            map.next_value::<Self>()?;
        }
        Ok(self)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }
    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }
    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }
}

/// What to do about a snapshot that does not tell something.
fn again() -> Option<Box<str>> {
    Some("take the snapshot again".into())
}

/// The organization with everything that the snapshot leaves open marked as open.
fn checked(mut observed: Observed) -> Result<Observed, SnapshotError> {
    check_tree(&observed)?;
    let root = observed.root_node();
    let mut gaps: Vec<Gap> = vec![];
    let open = observed.gaps.iter().any(|gap| matches!(gap.scope, Scope::UnitsBelow(_)));
    for (id, account) in &mut observed.accounts {
        let why = match &account.parent {
            Some(NodeId::Root(root)) if *root == observed.root.id => continue,
            Some(NodeId::Unit(unit)) if observed.units.contains_key(unit) => continue,
            Some(NodeId::Account(parent)) => {
                return Err(SnapshotError::Contradiction(format!("account `{id}` is below the account `{parent}`")));
            }
            Some(parent) => format!("account `{id}` is below `{parent}`, which is not in the snapshot"),
            None if open => continue,
            None => format!("the snapshot does not say where account `{id}` is"),
        };
        account.parent = None;
        gaps.push(Gap { scope: Scope::UnitsBelow(root.clone()), error: why, remedy: again() });
    }
    let management = &observed.organization.management_account;
    if !observed.accounts.contains_key(management) {
        let error = format!("the management account `{management}` is not in the snapshot");
        gaps.push(Gap { scope: Scope::Accounts, error, remedy: again() });
    }
    let is_there = |node: &NodeId| match node {
        NodeId::Root(id) => *id == observed.root.id,
        NodeId::Unit(id) => observed.units.contains_key(id),
        NodeId::Account(id) => observed.accounts.contains_key(id),
    };
    for policy in observed.policies.values_mut() {
        let Part::Known { value, at } = &policy.targets else { continue };
        if let Some(stranger) = value.iter().find(|node| !is_there(node)) {
            let error = format!("the snapshot attaches it to `{stranger}`, which is not in the snapshot");
            policy.targets = Part::Unreadable { error, remedy: again(), at: *at };
        }
    }
    for gap in gaps {
        if !observed.gaps.contains(&gap) {
            observed.gaps.push(gap);
        }
    }
    Ok(observed)
}

/// Every OU hangs below the root, no more than [`MAX_DEPTH`] levels down.
fn check_tree(observed: &Observed) -> Result<(), SnapshotError> {
    let mut depths: BTreeMap<&UnitId, usize> = BTreeMap::new();
    for start in observed.units.keys() {
        let mut path: Vec<&UnitId> = vec![];
        let mut on_path: BTreeSet<&UnitId> = BTreeSet::new();
        let mut at = start;
        let above = loop {
            if let Some(depth) = depths.get(at) {
                break *depth;
            }
            if !on_path.insert(at) {
                return Err(SnapshotError::Contradiction(format!("OU `{at}` is below itself")));
            }
            path.push(at);
            match observed.units.get(at).map(|unit| &unit.parent) {
                Some(NodeId::Root(root)) if *root == observed.root.id => break 0,
                Some(NodeId::Unit(parent)) if observed.units.contains_key(parent) => at = parent,
                Some(parent) => {
                    return Err(SnapshotError::Contradiction(match parent {
                        NodeId::Account(_) => format!("OU `{at}` is below the account `{parent}`"),
                        _ => format!("OU `{at}` is below `{parent}`, which is not in it"),
                    }));
                }
                None => break 0,
            }
        };
        for (steps, id) in path.into_iter().rev().enumerate() {
            let depth = above + steps + 1;
            if depth > MAX_DEPTH {
                let message = format!("OU `{id}` is more than {MAX_DEPTH} levels below the root; AWS allows 5");
                return Err(SnapshotError::Contradiction(message));
            }
            depths.insert(id, depth);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
