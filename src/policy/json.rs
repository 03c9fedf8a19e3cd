//! JSON with places, read so that one pass tells everything that is wrong.
//!
//! What people paste from books, wikis and word processors is often not JSON: curly quotes, comments, trailing commas,
//! two documents in one file. The reader says so with the place, guesses what was meant and goes on; whatever it had to
//! guess is an error, so a guess is never used. The grammar is RFC 8259.

use std::collections::BTreeMap;

use super::flaw::{Flaws, Place, join_key};

mod reader;

/// How deep objects and lists may nest. AWS's own documents need about ten levels.
pub const DEPTH: usize = 64;

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// The value.
    pub value: Value,
}

/// A JSON value. Numbers keep their text: `012` and `1e400` mean what AWS reads, not what a float holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number as it was written.
    Number(String),
    /// A string, escapes resolved.
    String(String),
    /// A list.
    Array(Vec<Node>),
    /// An object, in the order of the text, each key once.
    Object(Vec<Member>),
}

/// One `"key": value` of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The key.
    pub key: String,
    /// Where the key begins.
    pub place: Place,
    /// The value.
    pub node: Node,
}

impl Value {
    /// What it is, with its article, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// Reads one JSON document. `None` where nothing could be made out; what is wrong goes to `flaws`, and the tree is as
/// written only when that gained no error.
pub fn read(text: &str, flaws: &mut Flaws) -> Option<Node> {
    reader::Reader::new(text, flaws).document()
}

/// The tree of content that is no text (a YAML object): without places.
pub fn from_value(value: &serde_json::Value, flaws: &mut Flaws) -> Node {
    convert(value, DEPTH, flaws)
}

fn convert(value: &serde_json::Value, depth: usize, flaws: &mut Flaws) -> Node {
    let Some(below) = depth.checked_sub(1) else {
        too_deep(Place::default(), "", flaws);
        return Node { place: Place::default(), value: Value::Null };
    };
    let value = match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(value) => Value::Number(value.to_string()),
        serde_json::Value::String(value) => Value::String(value.clone()),
        serde_json::Value::Array(items) => Value::Array(items.iter().map(|item| convert(item, below, flaws)).collect()),
        serde_json::Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(key, value)| Member {
                    key: key.clone(),
                    place: Place::default(),
                    node: convert(value, below, flaws),
                })
                .collect(),
        ),
    };
    Node { place: Place::default(), value }
}

fn too_deep(place: Place, path: &str, flaws: &mut Flaws) {
    flaws.error(
        "too-deep",
        place,
        path,
        format!("objects and lists nest deeper than {DEPTH} levels"),
        "no policy needs that; look for a `[` or `{` too many",
    );
}

/// Keeps the first member of each key and tells the others.
fn unique(members: Vec<Member>, path: &str, flaws: &mut Flaws) -> Vec<Member> {
    let mut first: BTreeMap<String, Place> = BTreeMap::new();
    let mut kept = Vec::with_capacity(members.len());
    for member in members {
        if let Some(place) = first.get(&member.key) {
            let own = join_key(path, &member.key);
            flaws.error_beside(
                "duplicate-key",
                member.place,
                &own,
                format!("`{}` stands here a second time", member.key),
                "only one of them can count: merge them, or make the second a statement of its own",
                place.related(&own, true, "here first"),
            );
        } else {
            first.insert(member.key.clone(), member.place);
            kept.push(member);
        }
    }
    kept
}

/// Appends a string as JSON, with the fewest escapes that JSON allows.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Appends a value as JSON without white space, members and items in their order.
pub fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(text) => out.push_str(text),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(out, &item.value);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, &member.key);
                out.push(':');
                write(out, &member.node.value);
            }
            out.push('}');
        }
    }
}
