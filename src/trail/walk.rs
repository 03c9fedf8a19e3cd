//! Values taken out of a part of a record that is kept as text, without making a tree of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Gives every scalar that stands under the path (`productionVariants.instanceType`); lists on the way, and at its end,
/// are gone through. Keys are compared whatever their case, since services differ in it. Says whether the text could be
/// read; `null` gives nothing.
pub fn each(text: &str, path: &str, give: &mut dyn FnMut(&str)) -> bool {
    let mut json = serde_json::Deserializer::from_str(text);
    Step { rest: path, give }.deserialize(&mut json).is_ok()
}

/// Whether something other than `null` stands under the path.
#[must_use]
pub fn has(text: &str, path: &str) -> bool {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => below(&value, path).is_some(),
        Err(_) => false,
    }
}

/// The value under the path, where no list stands on the way.
#[must_use]
pub fn below<'v>(value: &'v serde_json::Value, path: &str) -> Option<&'v serde_json::Value> {
    let mut at = value;
    for step in path.split('.').filter(|step| !step.is_empty()) {
        at = at.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(step))?.1;
    }
    (!at.is_null()).then_some(at)
}

struct Step<'p, 'g> {
    rest: &'p str,
    give: &'g mut dyn FnMut(&str),
}

impl<'de> DeserializeSeed<'de> for Step<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl Step<'_, '_> {
    fn leaf(&mut self, text: &str) {
        if self.rest.is_empty() {
            (self.give)(text);
        }
    }
}

impl<'de> Visitor<'de> for Step<'_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_str<E>(mut self, text: &str) -> Result<(), E> {
        self.leaf(text);
        Ok(())
    }
    fn visit_bool<E>(mut self, is: bool) -> Result<(), E> {
        self.leaf(if is { "true" } else { "false" });
        Ok(())
    }
    fn visit_u64<E>(mut self, number: u64) -> Result<(), E> {
        self.leaf(&number.to_string());
        Ok(())
    }
    fn visit_i64<E>(mut self, number: i64) -> Result<(), E> {
        self.leaf(&number.to_string());
        Ok(())
    }
    fn visit_f64<E>(mut self, number: f64) -> Result<(), E> {
        self.leaf(&number.to_string());
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Step { rest: self.rest, give: &mut *self.give })?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (step, rest) = self.rest.split_once('.').unwrap_or((self.rest, ""));
        while let Some(found) = map.next_key_seed(Key(step))? {
            if found && !step.is_empty() {
                map.next_value_seed(Step { rest, give: &mut *self.give })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Compares a key where it stands.
struct Key<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<bool, D::Error> {
        d.deserialize_str(self)
    }
}
impl Visitor<'_> for Key<'_> {
    type Value = bool;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key.eq_ignore_ascii_case(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_through_lists() {
        let text = r#"{"a":{"B":[{"c":"1"},{"c":[2,true,null]},{"d":"no"}]},"e":"\u0066"}"#;
        let cases: &[(&str, &[&str])] = &[
            ("a.b.c", &["1", "2", "true"]),
            ("A.b.d", &["no"]),
            ("e", &["f"]),
            ("a", &[]),
            ("a.b", &[]),
            ("x.y", &[]),
            ("e.f", &[]),
        ];
        for (path, expected) in cases {
            let mut found = vec![];
            assert!(each(text, path, &mut |value| found.push(value.to_owned())));
            assert_eq!(found, *expected, "{path}");
        }
        assert!(has(text, "a.b") && has(text, "e") && !has(text, "e.f") && !has(text, "x") && !has("{", "a"));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        for bad in ["", "{", "{\"a\":}", &deep] {
            assert!(!each(bad, "a", &mut |_| {}), "{bad:.20}");
        }
        assert!(each("null", "a", &mut |_| {}));
    }
}
