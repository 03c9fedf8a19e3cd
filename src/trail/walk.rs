//! Values taken out of a part of a record that is kept as text, without making a tree of it.

use super::reader::Reader;

/// Lists in lists that are gone into.
const DEEPEST: usize = 100;

/// Gives every scalar that stands under the path (`productionVariants.instanceType`); lists on the way, and at its end,
/// are gone through. Keys are compared whatever their case, since services differ in it. Says whether the text could be
/// read; `null` gives nothing.
pub fn each(text: &str, path: &str, give: &mut dyn FnMut(&str)) -> bool {
    below(&mut Reader::new(text), path, DEEPEST, give).is_some()
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
    fn what_cannot_be_read_is_told() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        for bad in ["", "{", "{\"a\":}", "{\"a\":\"\\x\"}", "[1,]", &deep] {
            assert!(!each(bad, "a", &mut |_| {}), "{bad:.20}");
        }
        assert!(each("null", "a", &mut |_| {}));
    }
}
