//! The tags of one AWS object, packed into one text: an organization of 50,000 accounts holds its tags three times (as
//! declared, as read and as read before), and a map of strings takes ten times the room.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Tags of one AWS object, in the order of their keys.
///
/// Each key and each value as its length in bytes, a colon, and itself. Equal tags are equal texts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tags(Arc<str>);

impl Tags {
    /// No tags.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }
    /// Keys and values, in the order of the keys.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter(&self.0)
    }
    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }
    /// The values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(_, value)| value)
    }
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(has, _)| *has == key).map(|(_, value)| value)
    }
    /// Whether the key is there.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
    /// Sets a key.
    pub fn insert(&mut self, key: String, value: String) {
        self.extend([(key, value)]);
    }
    /// Takes a key away, and gives its value.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        let value = self.get(key)?.to_owned();
        self.retain(|has, _| has != key);
        Some(value)
    }
    /// Keeps those of which `keep` says so.
    pub fn retain(&mut self, keep: impl Fn(&str, &str) -> bool) {
        let packed = pack(self.iter().filter(|(key, value)| keep(key, value)));
        self.0 = packed;
    }
}

fn pack<'a>(sorted: impl Iterator<Item = (&'a str, &'a str)>) -> Arc<str> {
    let mut text = String::with_capacity(256);
    for part in sorted.flat_map(|(key, value)| [key, value]) {
        // Writing into a text does not fail.
        let _ = write!(text, "{}:", part.len());
        text.push_str(part);
    }
    text.into()
}

/// Keys and values of [`Tags`].
#[derive(Debug, Clone)]
pub struct Iter<'a>(&'a str);

impl<'a> Iter<'a> {
    fn part(&mut self) -> Option<&'a str> {
        // By hand: every tag of every object is read so, several times a pass.
        let (mut length, mut digits) = (0_usize, 0);
        for byte in self.0.bytes() {
            digits += 1;
            match byte {
                b'0'..=b'9' => length = length.checked_mul(10)?.checked_add(usize::from(byte - b'0'))?,
                _ => break,
            }
        }
        let (part, rest) = self.0.get(digits..)?.split_at_checked(length)?;
        self.0 = rest;
        Some(part).filter(|_| digits > 0)
    }
}
impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);
    fn next(&mut self) -> Option<Self::Item> {
        Some((self.part()?, self.part()?))
    }
}
impl<'a> IntoIterator for &'a Tags {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
impl IntoIterator for Tags {
    type Item = (String, String);
    type IntoIter = std::vec::IntoIter<(String, String)>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<Vec<_>>().into_iter()
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for Tags {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, tags: I) {
        let new: Vec<(String, String)> = tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        // Of two of one key the later counts.
        let mut all: BTreeMap<&str, &str> = self.iter().collect();
        all.extend(new.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let packed = pack(all.into_iter());
        self.0 = packed;
    }
}
impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(tags: I) -> Self {
        let mut all = Self::new();
        all.extend(tags);
        all
    }
}
impl<const N: usize> From<[(String, String); N]> for Tags {
    fn from(tags: [(String, String); N]) -> Self {
        tags.into_iter().collect()
    }
}
impl From<&BTreeMap<String, String>> for Tags {
    fn from(tags: &BTreeMap<String, String>) -> Self {
        Self(pack(tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))))
    }
}
impl From<BTreeMap<String, String>> for Tags {
    fn from(tags: BTreeMap<String, String>) -> Self {
        (&tags).into()
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}
impl JsonSchema for Tags {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Tags".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "tags by their keys",
            "additionalProperties": {"type": "string"}
        })
    }
}
impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self)
    }
}
impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        BTreeMap::<String, String>::deserialize(d).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the texts hold, colons, digits and nothing at all included, tags are the map that they stand for.
        #[test]
        fn tags_are_a_map(
            first in proptest::collection::btree_map("[0-9:é\u{0}a]{0,4}", "[0-9:é\u{0}a]{0,4}", 0..5),
            more in proptest::collection::vec(("[0-9:a]{0,2}", "[0-9:a]{0,2}"), 0..4),
            gone in "[0-9:a]{0,2}",
        ) {
            let (mut map, mut tags) = (first.clone(), Tags::from(first));
            for (key, value) in more {
                map.insert(key.clone(), value.clone());
                tags.insert(key, value);
            }
            prop_assert_eq!(map.remove(&gone), tags.remove(&gone));
            prop_assert_eq!(tags.len(), map.len());
            prop_assert!(tags.iter().eq(map.iter().map(|(key, value)| (key.as_str(), value.as_str()))));
            for (key, value) in &map {
                prop_assert_eq!(tags.get(key), Some(value.as_str()));
            }
            let json = serde_json::to_string(&tags).unwrap();
            prop_assert_eq!(&json, &serde_json::to_string(&map).unwrap());
            prop_assert_eq!(serde_json::from_str::<Tags>(&json).unwrap(), tags);
        }
    }
}
