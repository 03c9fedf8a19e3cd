//! What changes between two documents, told by statements and their elements and not by lines of minified text.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::document::{Content, Document};
use super::flaw::join_key;
use super::management::Tree;
use super::statement::Policy;
use elements::{Element, compare, elements};

pub mod elements;
mod matching;
#[cfg(test)]
mod tests;

/// One change of a document. Statements are called by their Sid, or `statement 2` (counted from 1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum StatementChange {
    /// A statement that was not there.
    Added {
        /// Its name.
        statement: String,
        /// What it is made of.
        elements: Vec<Element>,
    },
    /// A statement that is no longer there.
    Removed {
        /// Its name.
        statement: String,
        /// What it was made of.
        elements: Vec<Element>,
    },
    /// A statement that is another now.
    Changed {
        /// Its name, the new one where it was renamed.
        statement: String,
        /// The old name, where the Sid changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        renamed_from: Option<String>,
        /// What changed; empty where only the Sid did, which has no meaning.
        elements: Vec<ElementChange>,
    },
    /// A value of the document itself, or of a management policy.
    Value {
        /// Where (`tags.cost-center.tag_value.@@assign`).
        path: String,
        /// Values that were not there.
        added: Vec<String>,
        /// Values that are no longer there.
        removed: Vec<String>,
        /// How many values stay.
        kept: usize,
        /// Whether AWS looks at it.
        meaning: bool,
    },
    /// The text changed in a way that has no meaning.
    Rewritten {
        /// In which way, in words.
        message: &'static str,
    },
}

/// Values of one element that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ElementChange {
    /// The element, as in [`Element`].
    pub element: String,
    /// Values that were not there.
    pub added: Vec<String>,
    /// Values that are no longer there.
    pub removed: Vec<String>,
    /// How many values stay.
    pub kept: usize,
}

impl StatementChange {
    /// Whether a request could be decided otherwise after it.
    #[must_use]
    pub fn changes_meaning(&self) -> bool {
        match self {
            Self::Added { .. } | Self::Removed { .. } => true,
            Self::Changed { elements, .. } => !elements.is_empty(),
            Self::Value { meaning, .. } => *meaning,
            Self::Rewritten { .. } => false,
        }
    }

    /// The change as lines of text, each with its marker: `+`, `-`, `~`. Control characters are escaped.
    #[must_use]
    pub fn lines(&self) -> Vec<(char, String)> {
        match self {
            Self::Added { statement, elements } => whole('+', statement, elements),
            Self::Removed { statement, elements } => whole('-', statement, elements),
            Self::Changed { statement, renamed_from, elements } => {
                let mut out = vec![('~', shown(statement))];
                if let Some(before) = renamed_from {
                    let same = if elements.is_empty() { "; same meaning" } else { "" };
                    out.push(('~', format!("    Sid renamed from {}{same}", shown(before))));
                }
                for change in elements {
                    between(&mut out, "    ", &change.element, change.kept, &change.removed, &change.added);
                }
                out
            }
            Self::Value { path, added, removed, kept, meaning } => {
                let mut out = vec![];
                between(&mut out, "", path, *kept, removed, added);
                if !meaning {
                    out.push(('~', "    same meaning".to_owned()));
                }
                out
            }
            Self::Rewritten { message } => vec![('~', (*message).to_owned())],
        }
    }
}

fn whole(marker: char, statement: &str, elements: &[Element]) -> Vec<(char, String)> {
    let mut out = vec![(marker, shown(statement))];
    for element in elements {
        match element.values.as_slice() {
            [single] => out.push((marker, format!("    {} {}", shown(&element.element), shown(single)))),
            values => {
                out.push((marker, format!("    {}", shown(&element.element))));
                out.extend(values.iter().map(|value| (marker, format!("        {}", shown(value)))));
            }
        }
    }
    out
}

fn between(out: &mut Vec<(char, String)>, indent: &str, what: &str, kept: usize, removed: &[String], added: &[String]) {
    let what = shown(what);
    if let ([before], [after], 0) = (removed, added, kept) {
        out.push(('~', format!("{indent}{what} {} → {}", shown(before), shown(after))));
        return;
    }
    let marker = match (removed, added, kept) {
        ([], _, 0) => '+',
        (_, [], 0) => '-',
        _ => '~',
    };
    out.push((marker, format!("{indent}{what}")));
    out.extend(removed.iter().map(|value| ('-', format!("{indent}    {}", shown(value)))));
    out.extend(added.iter().map(|value| ('+', format!("{indent}    {}", shown(value)))));
}

/// Text as it may stand on a terminal: a policy must not be able to paint over the plan that shows it.
fn shown(text: &str) -> String {
    let painted = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(painted) { text.escape_debug().to_string() } else { text.to_owned() }
}

/// What changes from one document to another; a document that is not there has nothing in it. Empty where the text that is
/// sent stays the same. Statements are matched by Sid, then by meaning, then by how much they have in common.
#[must_use]
pub fn diff(before: Option<&Document>, after: Option<&Document>) -> Vec<StatementChange> {
    if before == after {
        return vec![];
    }
    let mut out = match (before.map(Document::content), after.map(Document::content)) {
        (Some(Content::Statements(before)), Some(Content::Statements(after))) => policies(before, after),
        (Some(Content::Management(before)), Some(Content::Management(after))) => trees(Some(before), Some(after)),
        (before, after) => {
            let mut out = one_sided(before, Side::Before);
            out.extend(one_sided(after, Side::After));
            out
        }
    };
    if out.is_empty() {
        out.push(StatementChange::Rewritten { message: "order or spelling of values; same meaning" });
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

fn one_sided(content: Option<&Content>, side: Side) -> Vec<StatementChange> {
    match (content, side) {
        (None, _) => vec![],
        (Some(Content::Management(tree)), Side::Before) => trees(Some(tree), None),
        (Some(Content::Management(tree)), Side::After) => trees(None, Some(tree)),
        (Some(Content::Statements(policy)), side) => (0..policy.statements.len())
            .filter_map(|index| {
                let statement = name(policy, index);
                let elements = elements(policy.statements.get(index)?);
                Some(match side {
                    Side::Before => StatementChange::Removed { statement, elements },
                    Side::After => StatementChange::Added { statement, elements },
                })
            })
            .collect(),
    }
}

fn name(policy: &Policy, index: usize) -> String {
    let sid = policy.statements.get(index).and_then(|statement| statement.sid.clone());
    sid.unwrap_or_else(|| format!("statement {}", index + 1))
}

fn policies(before: &Policy, after: &Policy) -> Vec<StatementChange> {
    let mut out = vec![];
    if before.version != after.version {
        out.push(StatementChange::Value {
            path: "Version".to_owned(),
            added: vec![after.version.as_str().to_owned()],
            removed: vec![before.version.as_str().to_owned()],
            kept: 0,
            meaning: true,
        });
    }
    if before.id != after.id {
        out.push(StatementChange::Value {
            path: "Id".to_owned(),
            added: after.id.iter().cloned().collect(),
            removed: before.id.iter().cloned().collect(),
            kept: 0,
            meaning: false,
        });
    }
    let pairs = matching::pairs(&before.statements, &after.statements);
    let mut last = None;
    let mut reordered = false;
    for (index, statement) in after.statements.iter().enumerate() {
        let Some((from, old)) = pairs.get(&index).and_then(|from| Some((*from, before.statements.get(*from)?))) else {
            out.push(StatementChange::Added { statement: name(after, index), elements: elements(statement) });
            continue;
        };
        reordered |= last.is_some_and(|last| from < last);
        last = Some(from);
        let changes = compare(old, statement);
        let renamed = old.sid != statement.sid;
        if renamed || !changes.is_empty() {
            out.push(StatementChange::Changed {
                statement: name(after, index),
                renamed_from: renamed.then(|| name(before, from)),
                elements: changes,
            });
        }
    }
    let kept: BTreeSet<usize> = pairs.into_values().collect();
    for (index, statement) in before.statements.iter().enumerate().filter(|(index, _)| !kept.contains(index)) {
        out.push(StatementChange::Removed { statement: name(before, index), elements: elements(statement) });
    }
    if reordered {
        out.push(StatementChange::Rewritten { message: "statements in another order; same meaning" });
    }
    out
}

fn trees(before: Option<&Tree>, after: Option<&Tree>) -> Vec<StatementChange> {
    let list = |tree: Option<&Tree>| {
        let mut out = vec![];
        if let Some(tree) = tree {
            flatten(tree, String::new(), &mut out);
        }
        out
    };
    let (mut old, mut new) = (list(before), list(after));
    // `"x"` and `["x"]` differ to AWS: where one became the other, the list is shown whole.
    let sets = |list: &[(Element, bool)]| -> BTreeMap<String, bool> {
        list.iter().map(|(element, set)| (element.element.clone(), *set)).collect()
    };
    let (old_sets, new_sets) = (sets(&old), sets(&new));
    for (element, set) in old.iter_mut().chain(&mut new) {
        let (before, after) = (old_sets.get(&element.element), new_sets.get(&element.element));
        if *set && before.is_some() && after.is_some() && before != after {
            element.values = vec![format!("[{}]", element.values.join(","))];
        }
    }
    let plain = |list: Vec<(Element, bool)>| list.into_iter().map(|(element, _)| element).collect::<Vec<_>>();
    elements::changes(&plain(old), &plain(new))
        .into_iter()
        .map(|change| StatementChange::Value {
            path: change.element,
            added: change.added,
            removed: change.removed,
            kept: change.kept,
            meaning: true,
        })
        .collect()
}

/// Every value of a tree under its path, as JSON, and whether it is of a set.
fn flatten(tree: &Tree, path: String, out: &mut Vec<(Element, bool)>) {
    match tree {
        Tree::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                flatten(value, join_key(&path, key), out);
            }
        }
        Tree::Set(items) if !items.is_empty() => {
            let values = items.iter().map(Tree::meaning).collect();
            out.push((Element { element: path, values }, true));
        }
        other => out.push((Element { element: path, values: vec![other.meaning()] }, false)),
    }
}
