//! A document as it is written: every value with its place, scalars with their style.
//!
//! Nothing is resolved here that the style does not settle: whether a plain `NO` is a word or a boolean is asked of
//! [`Scalar::read`], and what kubectl makes of it of [`Scalar::trap`].

use serde_json::Value;

/// Line and column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Place {
    /// Line.
    pub(crate) line: u32,
    /// Column, in characters.
    pub(crate) column: u32,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes: its form decides its type.
    Plain,
    /// Text, on whatever lines.
    Quoted,
    /// Text in a `|` block whose lines are indented by so many columns.
    Literal(u16),
}

/// A scalar as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scalar {
    /// Its text, escapes resolved.
    pub(crate) text: Box<str>,
    /// How it is written.
    pub(crate) style: Style,
}

/// One value and where it starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Where it starts.
    pub(crate) place: Place,
    /// What it is.
    pub(crate) form: Form,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Form {
    /// Text, number, boolean or null.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// An object, keys in the order written.
    Map(Vec<Entry>),
}

/// One key of an object and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: Box<str>,
    /// The key is written without quotes.
    pub(crate) plain: bool,
    /// Where the key starts.
    pub(crate) place: Place,
    /// Its value.
    pub(crate) node: Node,
}

/// A scalar by YAML 1.2's core schema.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Read<'a> {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// Anything else.
    Text(&'a str),
}

impl Scalar {
    /// The scalar by YAML 1.2's core schema; leading zeros and underscores make text.
    pub(crate) fn read(&self) -> Read<'_> {
        if self.style != Style::Plain {
            return Read::Text(&self.text);
        }
        match &*self.text {
            "" | "~" | "null" | "Null" | "NULL" => Read::Null,
            "true" | "True" | "TRUE" => Read::Bool(true),
            "false" | "False" | "FALSE" => Read::Bool(false),
            text => number(text).map_or(Read::Text(text), Read::Number),
        }
    }

    /// What kubectl (YAML 1.1) reads in a plain scalar that YAML 1.2 reads as text, or reads as another number.
    pub(crate) fn trap(&self) -> Option<&'static str> {
        if self.style == Style::Plain { trap(&self.text) } else { None }
    }
}

/// See [`Scalar::trap`].
pub(crate) fn trap(text: &str) -> Option<&'static str> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Some("`true`"),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Some("`false`"),
        _ => {}
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let bare: String = digits.chars().filter(|c| *c != '_').collect();
    let all = |set: fn(&u8) -> bool, t: &str| !t.is_empty() && t.bytes().all(|b| set(&b));
    if let Some(octal) = bare.strip_prefix("0o").or_else(|| bare.strip_prefix("0b")).or_else(|| bare.strip_prefix("0x"))
    {
        return all(u8::is_ascii_hexdigit, octal).then_some("a number");
    }
    if bare.len() > 1 && bare.starts_with('0') && all(u8::is_ascii_digit, &bare) {
        return Some(if all(|b| (b'0'..=b'7').contains(b), &bare) {
            "an octal number"
        } else {
            "a number without its leading zero"
        });
    }
    if bare.len() != digits.len() && number(&bare).is_some() {
        return Some("a number");
    }
    matches!(digits, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN").then_some("a number that JSON has not")
}

/// A decimal number without leading zeros; `1e3` and `.5` are numbers too.
fn number(text: &str) -> Option<serde_json::Number> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut bytes = digits.bytes();
    let first = bytes.next()?;
    if !(first.is_ascii_digit() || (first == b'.' && bytes.next().is_some_and(|b| b.is_ascii_digit()))) {
        return None;
    }
    if digits.starts_with('0') && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    if !digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    if let Ok(n) = plain.parse::<i64>() {
        return Some(n.into());
    }
    if let Ok(n) = plain.parse::<u64>() {
        return Some(n.into());
    }
    plain.parse::<f64>().ok().and_then(serde_json::Number::from_f64)
}

impl Node {
    /// A value that stands in no file.
    pub(crate) fn of_value(value: &Value) -> Self {
        let plain = |text: String| Form::Scalar(Scalar { text: text.into(), style: Style::Plain });
        let form = match value {
            Value::Null => plain(String::new()),
            Value::Bool(b) => plain(b.to_string()),
            Value::Number(n) => plain(n.to_string()),
            Value::String(s) => Form::Scalar(Scalar { text: s.as_str().into(), style: Style::Quoted }),
            Value::Array(items) => Form::List(items.iter().map(Self::of_value).collect()),
            Value::Object(map) => Form::Map(
                map.iter()
                    .map(|(key, value)| Entry {
                        key: key.as_str().into(),
                        plain: false,
                        place: Place::default(),
                        node: Self::of_value(value),
                    })
                    .collect(),
            ),
        };
        Self { place: Place::default(), form }
    }

    /// The value of a key, if this is an object that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The entry of a key, if this is an object that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.form {
            Form::Map(entries) => entries.iter().find(|entry| &*entry.key == key),
            _ => None,
        }
    }

    /// The text of a scalar, whatever its type; `None` for null.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.form {
            Form::Scalar(scalar) if scalar.read() != Read::Null => Some(&scalar.text),
            _ => None,
        }
    }

    /// The value as JSON, by YAML 1.2's core schema.
    pub(crate) fn to_json(&self) -> Value {
        match &self.form {
            Form::Scalar(scalar) => match scalar.read() {
                Read::Null => Value::Null,
                Read::Bool(b) => Value::Bool(b),
                Read::Number(n) => Value::Number(n),
                Read::Text(t) => Value::String(t.to_owned()),
            },
            Form::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Form::Map(entries) => {
                Value::Object(entries.iter().map(|e| (e.key.to_string(), e.node.to_json())).collect())
            }
        }
    }

    /// What kind of value it is, as a noun phrase.
    pub(crate) fn noun(&self) -> &'static str {
        match &self.form {
            Form::List(_) => "a list",
            Form::Map(_) => "an object",
            Form::Scalar(scalar) => match scalar.read() {
                Read::Null => "nothing",
                Read::Bool(_) => "a boolean",
                Read::Number(_) => "a number",
                Read::Text(_) => "text",
            },
        }
    }

    /// Bytes that it takes as JSON without white space, at least: texts and keys, and a sign beside each.
    pub(crate) fn weight(&self) -> usize {
        match &self.form {
            Form::Scalar(scalar) => scalar.text.len() + 1,
            Form::List(items) => items.iter().map(Self::weight).sum::<usize>() + 1,
            Form::Map(entries) => entries.iter().map(|e| e.key.len() + 1 + e.node.weight()).sum::<usize>() + 1,
        }
    }

    /// The deepest node on a field path (`spec.targets[1].name`); keys may contain dots, the longest match counts.
    pub(crate) fn find(&self, path: &str) -> &Self {
        self.walk(path).0
    }

    /// The place of the key whose value [`Node::find`] gives; of the value itself where it is the item of a list.
    pub(crate) fn place_of_key(&self, path: &str) -> Place {
        let (node, key) = self.walk(path);
        key.unwrap_or(node.place)
    }

    fn walk(&self, path: &str) -> (&Self, Option<Place>) {
        let mut node = self;
        let mut key = None;
        let mut rest = path;
        loop {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            if rest.is_empty() {
                return (node, key);
            }
            let next = match &node.form {
                Form::Scalar(_) => None,
                Form::List(items) => rest
                    .strip_prefix('[')
                    .and_then(|r| r.split_once(']'))
                    .and_then(|(index, after)| Some((items.get(index.parse::<usize>().ok()?)?, None, after))),
                Form::Map(entries) => {
                    let rest = rest.strip_prefix("[\"").or_else(|| rest.strip_prefix("['")).unwrap_or(rest);
                    entries
                        .iter()
                        .filter_map(|entry| {
                            let after = rest.strip_prefix(&*entry.key)?;
                            let after = after.strip_prefix("\"]").or_else(|| after.strip_prefix("']")).unwrap_or(after);
                            (after.is_empty() || after.starts_with(['.', '['])).then_some((
                                &entry.node,
                                Some(entry.place),
                                after,
                            ))
                        })
                        .min_by_key(|(.., after)| after.len())
                }
            };
            let Some((found, place, after)) = next else { return (node, key) };
            (node, key) = (found, place);
            rest = after;
        }
    }

    /// The place of a field: of its value, or of the deepest node above it that is there.
    pub(crate) fn place_of(&self, path: &str) -> Place {
        self.find(path).place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        Scalar { text: text.into(), style: Style::Plain }
    }

    #[test]
    fn plain_scalars_are_read_as_yaml_1_2_reads_them() {
        assert_eq!(plain("012345678901").read(), Read::Text("012345678901"));
        assert_eq!(plain("NO").read(), Read::Text("NO"));
        assert_eq!(plain("123456789012").read(), Read::Number(123_456_789_012_u64.into()));
        assert_eq!(plain("2012-10-17").read(), Read::Text("2012-10-17"));
        assert_eq!(plain("~").read(), Read::Null);
        assert!(matches!(plain("1e3").read(), Read::Number(_)));
        assert_eq!(plain("1_000").read(), Read::Text("1_000"));
        assert_eq!(plain("-").read(), Read::Text("-"));
        assert_eq!(plain("1.2.3").read(), Read::Text("1.2.3"));
    }

    #[test]
    fn traps_are_what_kubectl_reads_otherwise() {
        for (text, found) in [
            ("NO", Some("`false`")),
            ("on", Some("`true`")),
            ("012345678901", Some("a number without its leading zero")),
            ("0777", Some("an octal number")),
            ("1_000", Some("a number")),
            ("0x1F", Some("a number")),
            ("0", None),
            ("123", None),
            ("2012-10-17", None),
            ("none", None),
            ("10.0.0.0", None),
        ] {
            assert_eq!(trap(text), found, "{text}");
        }
    }

    #[test]
    fn paths_find_keys_with_dots() {
        let node = Node::of_value(&serde_json::json!({"a": {"b.c/d": [1, {"e": "x"}], "b": 2}}));
        assert_eq!(node.find("a.b.c/d[1].e").text(), Some("x"));
        assert_eq!(node.find("a[\"b.c/d\"][0]").text(), Some("1"));
        assert_eq!(node.find("a.b").text(), Some("2"));
        assert_eq!(node.find("a.nowhere.x"), node.get("a").unwrap());
    }
}
