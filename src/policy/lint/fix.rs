//! Mechanical edits of a text: what they replace and nothing else.

use std::ops::Range;

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
    /// An object gains a member, before all others.
    Member {
        /// Where the object begins.
        at: Place,
        /// Its key.
        key: &'static str,
        /// Its value, as JSON text.
        value: String,
    },
}

/// A replacement by the bytes of the text that it is made in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// What is replaced; empty where something is only put in.
    pub bytes: Range<usize>,
    /// What is written instead.
    pub text: String,
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
#[must_use]
pub fn byte_of(text: &str, place: Place) -> Option<usize> {
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
#[must_use]
pub fn scalar_at(text: &str, at: usize) -> Option<Range<usize>> {
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
    fn replacement(&self, text: &str) -> Option<Replacement> {
        match self {
            Self::Scalar { at, text: new } => {
                Some(Replacement { bytes: scalar_at(text, byte_of(text, *at)?)?, text: new.clone() })
            }
            Self::Member { at, key, value } => {
                let begin = byte_of(text, *at)?;
                let end = begin + text.get(begin..)?.chars().next()?.len_utf8();
                let comma = if text.get(end..)?.trim_start().starts_with('}') { "" } else { "," };
                Some(Replacement { bytes: end..end, text: format!("\"{key}\": {value}{comma}") })
            }
        }
    }
}

impl Fix {
    /// Its replacements in that JSON text; `None` where it does not fit.
    #[must_use]
    pub fn replacements(&self, text: &str) -> Option<Vec<Replacement>> {
        self.edits.iter().map(|edit| edit.replacement(text)).collect()
    }
}

/// Replacements by lines and columns of that text.
#[must_use]
pub fn spans(text: &str, replacements: &[Replacement]) -> Vec<Span> {
    let place = |byte: usize| {
        let before = text.get(..byte).unwrap_or_default();
        let line = before.matches('\n').count();
        let column = before.rsplit('\n').next().unwrap_or_default().trim_start_matches('\u{feff}').chars().count();
        let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        (number(line), number(column))
    };
    let span = |replacement: &Replacement| {
        let ((line, column), (end_line, end_column)) = (place(replacement.bytes.start), place(replacement.bytes.end));
        Span { line, column, end_line, end_column, text: replacement.text.clone() }
    };
    replacements.iter().map(span).collect()
}

/// The text with those replacements, of which none meets another.
#[must_use]
pub fn replaced(text: &str, mut replacements: Vec<Replacement>) -> String {
    replacements.sort_by_key(|replacement| replacement.bytes.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for Replacement { bytes, text: new } in replacements {
        out.push_str(text.get(at..bytes.start).unwrap_or_default());
        out.push_str(&new);
        at = bytes.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// The JSON text with those fixes, everything else byte for byte, and which of them were made: one that meets another is left
/// for the next time.
#[must_use]
pub fn apply<'a>(text: &str, fixes: impl IntoIterator<Item = &'a Fix>) -> (String, Vec<&'a Fix>) {
    let mut taken: Vec<Replacement> = vec![];
    let mut made = vec![];
    for fix in fixes {
        let Some(new) = fix.replacements(text) else { continue };
        let meets = |one: &Replacement, other: &Replacement| {
            one.bytes.start <= other.bytes.end && other.bytes.start <= one.bytes.end
        };
        if new.iter().all(|one| taken.contains(one)) {
            made.push(fix);
        } else if !new.iter().any(|one| taken.iter().any(|other| meets(one, other))) {
            taken.extend(new);
            made.push(fix);
        }
    }
    (replaced(text, taken), made)
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
        assert_eq!(
            spans(text, &one.replacements(text).unwrap()),
            [Span { line: 2, column: 8, end_line: 2, end_column: 14, text: "\"c\"".into() }]
        );
        let at = Place { line: 1, column: 1 };
        let member = Fix { what: String::new(), edits: vec![Edit::Member { at, key: "x", value: "1".into() }] };
        assert_eq!(apply(text, [&member]).0, text.replacen('{', "{\"x\": 1,", 1));
        assert_eq!(apply("{ }", [&member]).0, "{\"x\": 1 }");
        for outside in [fix(9, 1, "x"), fix(1, 9, "x"), fix(0, 0, "x"), fix(2, 1, "x")] {
            assert_eq!((apply(text, [&outside]).0.as_str(), outside.replacements(text)), (text, None));
        }
        let marked = "\u{feff}{\"a\": 1}";
        assert_eq!(apply(marked, [&fix(1, 7, "x")]).0, "\u{feff}{\"a\": \"x\"}");
    }
}
