//! One policy document: parsed once, in canonical form.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::atoms::Atoms;
use super::canonical;
use super::flaw::{Flaws, Place, join_index, join_key};
use super::json::{self, Node, Value};
use super::management::{self, Tree};
use super::read;
use super::statement::{Language, Policy, max_characters};
use crate::names::PolicyType;

pub use super::flaw::Flaw;

/// A policy document in canonical form.
///
/// Two documents are `==` when the same text would be sent for them; [`Document::same_meaning`] also looks past Sids,
/// order and spelling, and is what decides whether AWS's copy has to be written.
#[derive(Debug, Clone)]
pub struct Document {
    kind: PolicyType,
    content: Content,
    minified: String,
    meaning: OnceLock<String>,
    atoms: OnceLock<Atoms>,
}

/// What a document is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// IAM statements.
    Statements(Policy),
    /// A tree of `@@` operators.
    Management(Tree),
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.minified == other.minified
    }
}
impl Eq for Document {}

impl Document {
    /// Reads a document of that type. `Err` where it cannot be used; flaws that do not stop it come beside it.
    /// The delegation policy is read as [`super::statement::DELEGATION_POLICY`].
    ///
    /// # Errors
    /// All flaws found, at least one of them an error.
    pub fn parse(kind: &PolicyType, text: &str) -> Result<(Self, Vec<Flaw>), Vec<Flaw>> {
        let mut flaws = Flaws::default();
        let node = json::read(text, &mut flaws);
        Self::build(kind, node.as_ref(), flaws)
    }

    /// Reads content as manifests hold it: an object without places (its flaws have line 0 and a path), or a string, which
    /// is read as text (its flaws have the place in that text).
    ///
    /// # Errors
    /// All flaws found, at least one of them an error.
    pub fn from_value(kind: &PolicyType, value: &serde_json::Value) -> Result<(Self, Vec<Flaw>), Vec<Flaw>> {
        if let serde_json::Value::String(text) = value {
            return Self::parse(kind, text);
        }
        let mut flaws = Flaws::default();
        let node = json::from_value(value, &mut flaws);
        Self::build(kind, Some(&node), flaws)
    }

    /// The document of a tree, with what was found on the way to it.
    pub(super) fn build(
        kind: &PolicyType,
        node: Option<&Node>,
        mut flaws: Flaws,
    ) -> Result<(Self, Vec<Flaw>), Vec<Flaw>> {
        // Where the reader lost the thread, what the tree lacks is its fault, and telling it would only confuse.
        let torn = ["json-invalid", "unterminated-string", "too-deep"].iter().any(|rule| flaws.has(rule));
        let content = match node {
            Some(node) if !torn => Self::read(kind, node, &mut flaws),
            _ => None,
        };
        match content {
            Some(content) if !flaws.has_errors() => Ok((Self::of(kind, content), flaws.into_vec())),
            _ => Err(flaws.into_vec()),
        }
    }

    fn read(kind: &PolicyType, node: &Node, flaws: &mut Flaws) -> Option<Content> {
        let language = Language::of(kind);
        if language == Language::Management {
            return management::read(node, kind, flaws).map(Content::Management);
        }
        characters_allowed(node, "", flaws);
        let mut policy = read::policy(node, language, flaws)?;
        for index in canonical::drop_repetitions(&mut policy) {
            let path = join_index("Statement", index);
            let message = "the statement means the same as an earlier one and is left out";
            flaws.warning("duplicate-statement", place_of(node, index), &path, message, "remove it");
        }
        Some(Content::Statements(policy))
    }

    /// The document of that content, which must be as [`Document::parse`] leaves it.
    fn of(kind: &PolicyType, content: Content) -> Self {
        let minified = match &content {
            Content::Statements(policy) => canonical::text(policy),
            Content::Management(tree) => tree.text(),
        };
        Self { kind: kind.clone(), content, minified, meaning: OnceLock::new(), atoms: OnceLock::new() }
    }

    /// The type.
    #[must_use]
    pub fn kind(&self) -> &PolicyType {
        &self.kind
    }
    /// What it is made of.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }
    /// The text that is sent to AWS: canonical, without white space, Sids kept.
    #[must_use]
    pub fn minified(&self) -> &str {
        &self.minified
    }
    /// Length as AWS counts it: characters of the text as sent (aws-facts section 2, "Whitespace").
    #[must_use]
    pub fn characters(&self) -> usize {
        self.minified.chars().count()
    }
    /// Most characters that AWS takes of this type. More is no flaw here: who plans says what to do.
    #[must_use]
    pub fn max_characters(&self) -> usize {
        max_characters(&self.kind)
    }
    /// A text that is equal for documents of one type exactly when they mean the same, as far as this room can tell.
    #[must_use]
    pub fn meaning(&self) -> &str {
        self.meaning.get_or_init(|| match &self.content {
            Content::Statements(policy) => {
                self.atoms().meaning(policy.version).unwrap_or_else(|| canonical::meaning(policy))
            }
            Content::Management(tree) => tree.meaning(),
        })
    }
    /// Whether AWS would decide every request the same way. Sids, order, white space and spelling do not count.
    #[must_use]
    pub fn same_meaning(&self, other: &Self) -> bool {
        self.kind == other.kind && (self.minified == other.minified || self.meaning() == other.meaning())
    }
    /// What the document forbids, cut as finely as meaning allows; for a management policy the whole document.
    #[must_use]
    pub fn denies(&self) -> &BTreeSet<String> {
        &self.atoms().denies
    }
    /// What the document allows, cut as finely as meaning allows.
    #[must_use]
    pub fn allows(&self) -> &BTreeSet<String> {
        &self.atoms().allows
    }
    fn atoms(&self) -> &Atoms {
        self.atoms.get_or_init(|| Atoms::of(&self.kind, &self.content))
    }
}

fn place_of(document: &Node, statement: usize) -> Place {
    let Value::Object(members) = &document.value else { return document.place };
    match members.iter().find(|member| member.key == "Statement").map(|member| &member.node.value) {
        Some(Value::Array(items)) => items.get(statement).map_or(document.place, |item| item.place),
        _ => document.place,
    }
}

/// Statement policies hold only TAB, LF, CR and U+0020 to U+00FF (IAM user guide, "IAM and STS quotas").
fn characters_allowed(node: &Node, path: &str, flaws: &mut Flaws) {
    match &node.value {
        Value::String(text) => text_allowed(text, node.place, path, flaws),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                characters_allowed(item, &join_index(path, index), flaws);
            }
        }
        Value::Object(members) => {
            for member in members {
                let path = join_key(path, &member.key);
                text_allowed(&member.key, member.place, &path, flaws);
                characters_allowed(&member.node, &path, flaws);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn text_allowed(text: &str, place: Place, path: &str, flaws: &mut Flaws) {
    let allowed = |c: &char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}');
    if let Some(letter) = text.chars().find(|c| !allowed(c)) {
        let shown = if letter.is_control() { String::new() } else { format!("`{letter}` ") };
        let message = format!("the character {shown}(U+{:04X}) cannot stand in a policy", u32::from(letter));
        let help = "AWS takes U+0020 to U+00FF; a `?` or `*` can stand for another character in a pattern";
        flaws.error("character-not-allowed", place, path, message, help);
    }
}
