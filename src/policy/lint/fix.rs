//! Mechanical edits of a text: what they replace and nothing else.

use serde::Serialize;

use crate::policy::flaw::Place;
use crate::policy::json;

/// What to replace so that a finding is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, for people.
    pub what: String,
    /// The replacements.
    pub edits: Vec<Edit>,
}

impl Fix {
    /// Puts another string where one stands, be it a value or a key.
    #[must_use]
    pub fn string(what: impl Into<String>, at: Place, text: &str) -> Self {
        let mut written = String::new();
        json::write_string(&mut written, text);
        Self { what: what.into(), edits: vec![Edit::Scalar { at, text: written }] }
    }
}

/// One replacement, by the place where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The string, number or word that begins there becomes another JSON text.
    Scalar {
        /// Where it begins.
        at: Place,
        /// What it becomes.
        text: String,
    },
    /// Something is put behind the character that stands there.
    Behind {
        /// The character.
        at: Place,
        /// What is put.
        text: String,
    },
}

/// A replacement by its places, end not included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// Line where it begins, from 1.
    pub line: u32,
    /// Column where it begins, in characters, from 1.
    pub column: u32,
    /// Line of the end.
    pub end_line: u32,
    /// Column of the end, which is not replaced any more.
    pub end_column: u32,
    /// What is written instead.
    pub text: String,
}

/// The byte at which a place is; `None` outside of the text.
fn byte_of(text: &str, place: Place) -> Option<usize> {
    let mut line_start = 0;
    for _ in 1..place.line {
        line_start += text.get(line_start..)?.find('\n')? + 1;
    }
    let line = text.get(line_start..)?;
    let column = usize::try_from(place.column).ok()?.checked_sub(1)?;
    // A byte order mark takes a byte place and no column.
    let mark = if place.line == 1 && line.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let at = line.get(mark..)?.char_indices().nth(column)?.0;
    Some(line_start + mark + at)
}

/// The bytes of the JSON string, number or word that begins at a byte; `None` where none does.
fn scalar_at(text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let rest = text.get(at..)?;
    let mut letters = rest.char_indices();
    let (_, first) = letters.next()?;
    if first == '"' {
        let mut escaped = false;
        for (index, letter) in letters {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return Some(at..at + index + 1),
                _ => {}
            }
        }
        return None;
    }
    let word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '+' | '.');
    let length = rest.find(|letter| !word(letter)).unwrap_or(rest.len());
    (length > 0).then(|| at..at + length)
}

impl Edit {
    fn bytes(&self, text: &str) -> Option<(std::ops::Range<usize>, &str)> {
        match self {
            Self::Scalar { at, text: new } => Some((scalar_at(text, byte_of(text, *at)?)?, new)),
            Self::Behind { at, text: new } => {
                let begin = byte_of(text, *at)?;
                let end = begin + text.get(begin..)?.chars().next()?.len_utf8();
                Some((end..end, new))
            }
        }
    }
}

impl Fix {
    /// Its replacements in that text; empty where it does not fit.
    #[must_use]
    pub fn spans(&self, text: &str) -> Vec<Span> {
        let place = |byte: usize| {
            let before = text.get(..byte).unwrap_or_default();
            let line = before.matches('\n').count();
            let column = before.rsplit('\n').next().unwrap_or_default().trim_start_matches('\u{feff}').chars().count();
            let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
            (number(line), number(column))
        };
        let spans = self.edits.iter().map(|edit| {
            let (bytes, new) = edit.bytes(text)?;
            let ((line, column), (end_line, end_column)) = (place(bytes.start), place(bytes.end));
            Some(Span { line, column, end_line, end_column, text: new.to_owned() })
        });
        spans.collect::<Option<Vec<Span>>>().unwrap_or_default()
    }
}

/// The text with those fixes, everything else byte for byte, and which of them were made: one that meets another is left for
/// the next time.
#[must_use]
pub fn apply<'a>(text: &str, fixes: impl IntoIterator<Item = &'a Fix>) -> (String, Vec<&'a Fix>) {
    let mut taken: Vec<(std::ops::Range<usize>, &str)> = vec![];
    let mut made = vec![];
    for fix in fixes {
        let Some(edits) = fix.edits.iter().map(|edit| edit.bytes(text)).collect::<Option<Vec<_>>>() else { continue };
        let same = edits.iter().all(|edit| taken.contains(edit));
        let meets = edits
            .iter()
            .any(|(bytes, _)| taken.iter().any(|(other, _)| bytes.start <= other.end && other.start <= bytes.end));
        if same {
            made.push(fix);
        } else if !meets {
            taken.extend(edits);
            made.push(fix);
        }
    }
    taken.sort_by_key(|(bytes, _)| bytes.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (bytes, new) in taken {
        out.push_str(text.get(at..bytes.start).unwrap_or_default());
        out.push_str(new);
        at = bytes.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    (out, made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_replaced() {
        let text = "{\r\n  \"ä\": \"a\\\"b\" , \"n\":12}\n";
        let fix = |line, column, new: &str| Fix::string("", Place { line, column }, new);
        let (one, two) = (fix(2, 8, "c"), fix(2, 21, "d"));
        let (out, made) = apply(text, [&one, &two, &one]);
        assert_eq!((out.as_str(), made.len()), ("{\r\n  \"ä\": \"c\" , \"n\":\"d\"}\n", 3));
        assert_eq!(one.spans(text), [Span { line: 2, column: 8, end_line: 2, end_column: 14, text: "\"c\"".into() }]);
        let behind = Fix {
            what: String::new(),
            edits: vec![Edit::Behind { at: Place { line: 1, column: 1 }, text: "x".into() }],
        };
        assert_eq!(apply(text, [&behind]).0, text.replacen('{', "{x", 1));
        for outside in [fix(9, 1, "x"), fix(1, 9, "x"), fix(0, 0, "x"), fix(2, 1, "x")] {
            assert_eq!(apply(text, [&outside]).0, text);
        }
        let marked = "\u{feff}{\"a\": 1}";
        assert_eq!(apply(marked, [&fix(1, 7, "x")]).0, "\u{feff}{\"a\": \"x\"}");
    }
}
