//! What is written into manifests: values in the order in which they shall stand, and comments.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::policy::json;

/// A value with its keys in order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Yaml {
    Bool(bool),
    Integer(i64),
    Text(String),
    /// Text in a `|` block.
    Block(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    pub(super) fn text(text: impl ToString) -> Self {
        Self::Text(text.to_string())
    }

    /// `{name: …}`.
    pub(super) fn reference(name: &str) -> Self {
        Self::Map(vec![("name".into(), Self::text(name))])
    }

    /// Texts by key.
    pub(super) fn texts<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), Self::text(value))).collect())
    }

    /// A JSON value as it is written; `None` where it has null or a number that YAML might read otherwise.
    pub(super) fn of_json(node: &json::Node) -> Option<Self> {
        Some(match &node.value {
            json::Value::Null => return None,
            json::Value::Bool(value) => Self::Bool(*value),
            json::Value::Number(text) => {
                let number: i64 = text.parse().ok()?;
                if number.to_string() != *text {
                    return None;
                }
                Self::Integer(number)
            }
            json::Value::String(text) => Self::text(text),
            json::Value::Array(items) => Self::List(items.iter().map(Self::of_json).collect::<Option<_>>()?),
            json::Value::Object(members) => Self::Map(
                members
                    .iter()
                    .map(|member| Some((member.key.clone(), Self::of_json(&member.node)?)))
                    .collect::<Option<_>>()?,
            ),
        })
    }
}

impl Serialize for Yaml {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Block(text) => serde_saphyr::LitStr(text).serialize(serializer),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// A map in the making: fields that are at their default are not put in.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, Yaml)>);

impl Fields {
    pub(super) fn put(&mut self, key: &str, value: Yaml) {
        self.0.push((key.to_owned(), value));
    }
    pub(super) fn maybe(&mut self, key: &str, value: Option<Yaml>) {
        self.0.extend(value.map(|value| (key.to_owned(), value)));
    }
    /// A list or map, where it is not empty.
    pub(super) fn some(&mut self, key: &str, value: Yaml) {
        let empty = match &value {
            Yaml::List(items) => items.is_empty(),
            Yaml::Map(entries) => entries.is_empty(),
            _ => false,
        };
        if !empty {
            self.put(key, value);
        }
    }
    pub(super) fn map(self) -> Yaml {
        Yaml::Map(self.0)
    }
}

/// A document. Scalars are quoted so that YAML 1.1 (kubectl) and 1.2 read the same.
///
/// # Errors
/// What the writer cannot write.
pub(super) fn document(value: &Yaml) -> Result<String, serde_saphyr::ser::Error> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false, compact_list_indent: false };
    serde_saphyr::to_string_with_options(value, options)
}

/// Comment lines; the words of others cannot end them.
pub(super) fn comment(text: &str, out: &mut String) {
    for line in wrap(&printable(text)) {
        out.push_str("# ");
        out.push_str(&line);
        out.push('\n');
    }
}

/// Text on one line, as YAML takes it in a comment.
fn printable(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.replace(odd, "\u{fffd}")
}

/// Lines of at most 118 characters where there are spaces to break at.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![];
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let own = word.chars().count();
        if length > 0 && length + 1 + own > 116 {
            lines.push(std::mem::take(&mut line));
            line.push_str("  ");
            length = 2;
        } else if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += own;
    }
    lines.push(line.trim_end().to_owned());
    lines
}
