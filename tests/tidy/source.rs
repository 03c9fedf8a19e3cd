//! A file as the rules read it: its room, its code without comments and tests, and the paths that it names.

use std::collections::BTreeSet;

/// One file, by its path from the top of the repository.
pub struct Source<'a> {
    pub path: &'a str,
    pub text: &'a str,
}

impl Source<'_> {
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
    /// Part of the library or the binary, and not a sibling file that only holds tests.
    pub fn is_product(&self) -> bool {
        self.is_rust() && self.path.starts_with("src/") && !self.is_tests()
    }
    pub fn is_tests(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
    /// The room: `plan` of `src/plan/order.rs`, `names` of `src/names.rs`; none of `src/lib.rs` and `src/main.rs`.
    pub fn room(&self) -> Option<&str> {
        let name = self.path.strip_prefix("src/")?.split('/').next()?.trim_end_matches(".rs");
        (name != "lib" && name != "main" && name != "bin").then_some(name)
    }
    /// The text without what `#[cfg(test)]` stands above, comments and the insides of strings blanked.
    pub fn code(&self) -> String {
        let code = blank(self.text);
        let mut lines = code.lines();
        let mut kept = vec![];
        while let Some(line) = lines.next() {
            if !line.starts_with("#[cfg(test)]") {
                kept.push(line);
                continue;
            }
            // The item ends with its own line, or with the bracket that stands, as rustfmt sets it, at the margin.
            let item =
                lines.by_ref().find(|line| !line.trim().is_empty() && !line.starts_with("#[")).unwrap_or_default();
            if !item.trim_end().ends_with([';', '}']) {
                lines.by_ref().find(|line| line.starts_with('}'));
            }
        }
        kept.join("\n")
    }
}

/// Blanks comments and the insides of strings and character literals; keeps the lines.
pub fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    // Copies up to `end`, blanked but for newlines.
    let skip = |out: &mut String, from: usize, end: usize| {
        out.extend(chars.iter().take(end).skip(from).map(|c| if *c == '\n' { '\n' } else { ' ' }));
    };
    while i < chars.len() {
        let start = i;
        let after_word = i > 0 && (at(i - 1).is_alphanumeric() || at(i - 1) == '_');
        if at(i) == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
            skip(&mut out, start, i);
        } else if at(i) == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            while i < chars.len() {
                match (at(i), at(i + 1)) {
                    ('/', '*') => depth += 1,
                    ('*', '/') => depth -= 1,
                    _ => {
                        i += 1;
                        continue;
                    }
                }
                i += 2;
                if depth == 0 {
                    break;
                }
            }
            skip(&mut out, start, i);
        } else if at(i) == 'r' && !after_word && (at(i + 1) == '"' || (at(i + 1) == '#' && "#\"".contains(at(i + 2)))) {
            let hashes = chars.iter().skip(i + 1).take_while(|c| **c == '#').count();
            i += hashes + 2;
            while i < chars.len() && !(at(i) == '"' && (1..=hashes).all(|n| at(i + n) == '#')) {
                i += 1;
            }
            i += hashes + 1;
            skip(&mut out, start, i);
        } else if at(i) == '"' {
            i += 1;
            while i < chars.len() && at(i) != '"' {
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            i += 1;
            skip(&mut out, start, i);
        } else if at(i) == '\'' && (at(i + 2) == '\'' || at(i + 1) == '\\') {
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            while i < chars.len() && at(i) != '\'' {
                i += 1;
            }
            i += 1;
            skip(&mut out, start, i);
        } else {
            out.push(at(i));
            i += 1;
        }
    }
    out
}

/// Every path that the code names, `use` trees spelled out: `use std::{fs, io::{self, Read}};` gives `std::fs`,
/// `std::io::self`, `std::io::Read`; in place, `std::env::var(…)` gives `std::env::var`.
pub fn paths(code: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for statement in code.split_inclusive(';') {
        let mut words = statement.match_indices("use ").filter(|(at, _)| {
            statement.get(..*at).and_then(|before| before.chars().last()).is_none_or(|c| !is_word(c) && c != '\'')
        });
        match words.next() {
            Some((at, _)) => {
                in_place(statement.get(..at).unwrap_or_default(), &mut out);
                let tree: String = statement
                    .get(at + 4..)
                    .unwrap_or_default()
                    .trim_end_matches(';')
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ");
                spell_out("", &tree, &mut out);
            }
            None => in_place(statement, &mut out),
        }
    }
    out
}

fn in_place(code: &str, out: &mut BTreeSet<String>) {
    for word in code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
        let word = word.trim_matches(':');
        if !word.is_empty() {
            out.insert(word.to_owned());
        }
    }
}

fn spell_out(prefix: &str, tree: &str, out: &mut BTreeSet<String>) {
    let tree = tree.trim().trim_start_matches("::");
    let Some((head, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        if !path.is_empty() {
            out.insert(format!("{prefix}{path}"));
        }
        return;
    };
    let inside = rest.rsplit_once('}').map_or(rest, |(inside, _)| inside);
    let (mut depth, mut from) = (0_i32, 0);
    for (at, c) in inside.char_indices().chain([(inside.len(), ',')]) {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            spell_out(&format!("{prefix}{}", head.trim()), inside.get(from..at).unwrap_or_default(), out);
            from = at + 1;
        }
    }
}

/// Whether a path names the thing: `std::env` names itself and all below it, `aws_sdk_` every crate so called, and a
/// single type (`SystemTime`) wherever it stands in the path.
pub fn names(path: &str, thing: &str) -> bool {
    let from_start = format!("::{path}::");
    let sought = if thing.ends_with('_') { format!("::{thing}") } else { format!("::{thing}::") };
    let anywhere = thing.starts_with(char::is_uppercase);
    if anywhere { from_start.contains(&sought) } else { from_start.starts_with(&sought) }
}
