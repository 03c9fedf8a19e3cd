//! Values taken out of a part of a record that is kept as text, without making a tree of it.

use super::reader::{Reader, Value};

/// Lists in lists that are gone into.
const DEEPEST: usize = 100;

/// Gives every scalar that stands under the path (`productionVariants.instanceType`); lists on the way, and at its end,
/// are gone through. Keys are compared whatever their case, since services differ in it. Says whether the text could be
/// read; `null` gives nothing.
pub fn each(text: &str, path: &str, give: &mut dyn FnMut(&str)) -> bool {
    below(&mut Reader::new(text), path, DEEPEST, give).is_some()
}

/// Gives the names that stand under the path, which leads to an object.
pub fn names(text: &str, path: &str, give: &mut dyn FnMut(&str)) -> bool {
    object(&mut Reader::new(text), path, &mut |reader| {
        reader.entries(|reader, name| {
            give(&name);
            reader.step()
        })
    })
    .is_some()
}

/// Gives the scalar of that name, which is taken whole, of the object that the path leads to.
pub fn named(text: &str, path: &str, name: &str, give: &mut dyn FnMut(&str)) -> bool {
    object(&mut Reader::new(text), path, &mut |reader| reader.under(name, &mut |reader| scalar(reader, give))).is_some()
}

fn object(reader: &mut Reader<'_>, path: &str, at: &mut dyn FnMut(&mut Reader<'_>) -> Option<()>) -> Option<()> {
    if path.is_empty() {
        return if reader.peek()? == b'{' { at(reader) } else { reader.step() };
    }
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    reader.under(step, &mut |reader| object(reader, rest, at))
}

/// Whether something stands under the path, other than `null`, empty text, and an empty list or object; `None` where the text
/// cannot be read.
#[must_use]
pub fn has(text: &str, path: &str) -> Option<bool> {
    let mut found = false;
    let mut reader = Reader::new(text);
    holds(&mut reader, path, DEEPEST, &mut found)?;
    Some(found)
}

fn holds(reader: &mut Reader<'_>, path: &str, depth: usize, found: &mut bool) -> Option<()> {
    match reader.peek()? {
        b'[' if !path.is_empty() => {
            let depth = depth.checked_sub(1)?;
            reader.list(|reader| holds(reader, path, depth, found))
        }
        _ if path.is_empty() => {
            let empty = match reader.value()? {
                Value::Text(text) => text.is_empty(),
                Value::Word(word) => word == "null",
                Value::Nested(text) => text.bytes().all(|b| b"[]{} \n\r\t".contains(&b)),
            };
            *found |= !empty;
            Some(())
        }
        _ => {
            let (step, rest) = path.split_once('.').unwrap_or((path, ""));
            reader.under(step, &mut |reader| holds(reader, rest, depth, found))
        }
    }
}

fn below(reader: &mut Reader<'_>, path: &str, depth: usize, give: &mut dyn FnMut(&str)) -> Option<()> {
    match reader.peek()? {
        b'[' => {
            let depth = depth.checked_sub(1)?;
            reader.list(|reader| below(reader, path, depth, give))
        }
        _ if path.is_empty() => scalar(reader, give),
        _ => {
            let (step, rest) = path.split_once('.').unwrap_or((path, ""));
            reader.under(step, &mut |reader| below(reader, rest, depth, give))
        }
    }
}

/// Gives the value, where it is text, a number or a boolean; steps over any other.
pub fn scalar(reader: &mut Reader<'_>, give: &mut dyn FnMut(&str)) -> Option<()> {
    match reader.peek()? {
        b'"' => give(&reader.spelled()?),
        b'{' | b'[' => reader.step()?,
        _ => match reader.word()? {
            "null" => {}
            word => give(word),
        },
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_through_lists() {
        let text =
            r#"{"a":{"B":[{"c":"1"},{"c":[2,true,null,{}]},{"d":"no"}]},"e":"\u0066","\u0067":-1.5e3,"h":"a\"b"}"#;
        let cases: &[(&str, &[&str])] = &[
            ("a.b.c", &["1", "2", "true"]),
            ("A.b.d", &["no"]),
            ("e", &["f"]),
            ("g", &["-1.5e3"]),
            ("h", &["a\"b"]),
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
    }

    #[test]
    fn objects_give_their_names_and_what_stands_under_one_whatever_points_it_has() {
        let text = r#"{"a":{"aws:x.y":"1","B":"2"},"c":[]}"#;
        let mut found = vec![];
        assert!(names(text, "A", &mut |name| found.push(name.to_owned())));
        assert!(named(text, "a", "AWS:x.y", &mut |value| found.push(value.to_owned())));
        assert!(named(text, "c", "x", &mut |value| found.push(value.to_owned())));
        assert_eq!(found, ["aws:x.y", "B", "1"]);
        assert!(!names("{", "a", &mut |_| {}));
    }

    #[test]
    fn what_is_empty_is_not_there() {
        let text = r#"{"a":[{"put":{"x":1}},{"get":{}}],"b":"","c":null,"d":[],"e":"\u0041","f":0}"#;
        for (path, expected) in [
            ("a.put", true),
            ("a.get", false),
            ("a.no", false),
            ("A", true),
            ("b", false),
            ("c", false),
            ("d", false),
            ("f", true),
        ] {
            assert_eq!(has(text, path), Some(expected), "{path}");
        }
        // Text with escapes is left to whoever reads it whole.
        assert_eq!((has(text, "e"), has("{", "a"), has("null", "a")), (None, None, Some(false)));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        for bad in ["", "{", "{\"a\":}", "{\"a\":\"\\x\"}", "[1,]", &deep] {
            assert!(!each(bad, "a", &mut |_| {}), "{bad:.20}");
        }
        assert!(each("null", "a", &mut |_| {}));
    }
}
