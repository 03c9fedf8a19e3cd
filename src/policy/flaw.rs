//! What is wrong with a document: where, what it means, and what to do.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Most flaws that are told of one document; reading ends there, so that garbage costs no more than its first page.
const MOST: usize = 100;
/// Most flaws of one rule: a document full of curly quotes has one problem, not a hundred.
const MOST_OF_A_RULE: usize = 20;

/// Something wrong with a document, with its place in the text (line and column from 1; 0 where there is no text, as in
/// content that is written as a YAML object: the path then says where).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// Stable id of the rule.
    pub rule: &'static str,
    /// Line in the document's text.
    pub line: u32,
    /// Column in the document's text, in characters.
    pub column: u32,
    /// JSON path (`Statement[1].Action`), as [`join_key`] and [`join_index`] write it; empty for the document itself.
    pub path: String,
    /// What is wrong; lower case.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The document cannot be used.
    pub error: bool,
    /// Another place that it speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related: Option<Related>,
}

/// Another place of the document that a flaw speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Line in the document's text.
    pub line: u32,
    /// Column in the document's text, in characters.
    pub column: u32,
    /// JSON path.
    pub path: String,
    /// It is the key at that path that is meant, not the value under it.
    pub at_key: bool,
    /// What stands there.
    pub label: &'static str,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.message)?;
        if let Some(Related { line: line @ 1.., label, .. }) = &self.related {
            write!(f, " ({label}: line {line})")?;
        }
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

/// A place in a text: line and column from 1, in characters. 0 and 0: no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

impl Place {
    /// The place, as another one that a flaw speaks of.
    #[must_use]
    pub fn related(self, path: &str, at_key: bool, label: &'static str) -> Related {
        Related { line: self.line, column: self.column, path: path.to_owned(), at_key, label }
    }
}

/// The path of a member: `parent.key`, with keys that would read as something else in brackets (`tags["a.b"]`).
#[must_use]
pub fn join_key(parent: &str, key: &str) -> String {
    let plain = !key.is_empty() && !key.contains(['.', '[', ']', '"', ' ']) && !key.chars().any(char::is_control);
    match (plain, parent.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{parent}.{key}"),
        (false, _) => format!("{parent}[{key:?}]"),
    }
}

/// The path of an item: `parent[index]`, counted from 0.
#[must_use]
pub fn join_index(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

/// Collects flaws of one document, bounded in number.
#[derive(Debug, Default)]
pub struct Flaws {
    told: Vec<Flaw>,
    by_rule: BTreeMap<&'static str, usize>,
    errors: usize,
}

impl Flaws {
    /// A flaw that stops the document from being used.
    pub fn error(&mut self, rule: &'static str, place: Place, path: &str, message: impl Into<String>, help: &str) {
        self.push(rule, place, path, message.into(), help, true);
    }

    /// An error that speaks of another place too.
    pub fn error_beside(
        &mut self,
        rule: &'static str,
        place: Place,
        path: &str,
        message: impl Into<String>,
        help: &str,
        related: Related,
    ) {
        let before = self.told.len();
        self.error(rule, place, path, message, help);
        if let Some(flaw) = self.told.get_mut(before) {
            flaw.related = Some(related);
        }
    }

    /// A flaw that does not stop it.
    pub fn warning(&mut self, rule: &'static str, place: Place, path: &str, message: impl Into<String>, help: &str) {
        self.push(rule, place, path, message.into(), help, false);
    }

    fn push(&mut self, rule: &'static str, place: Place, path: &str, message: String, help: &str, error: bool) {
        let seen = self.by_rule.entry(rule).or_insert(0);
        *seen += 1;
        // The first error is always told: without it a refusal would have no reason.
        let told = (self.told.len() < MOST && *seen <= MOST_OF_A_RULE) || (error && self.errors == 0);
        self.errors += usize::from(error);
        if told {
            let help = (!help.is_empty()).then(|| help.to_owned());
            let (line, column) = (place.line, place.column);
            self.told.push(Flaw { rule, line, column, path: path.to_owned(), message, help, error, related: None });
        }
    }

    /// Whether the document cannot be used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether a flaw of that rule was found.
    #[must_use]
    pub fn has(&self, rule: &str) -> bool {
        self.by_rule.contains_key(rule)
    }

    /// How many errors there are, told or not.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Whether so much is wrong that reading on helps nobody.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.told.len() >= MOST
    }

    /// The flaws in the order of the text. Where some of a rule were left out, the last one told says how many.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<Flaw> {
        for (rule, count) in &self.by_rule {
            let told = self.told.iter().filter(|flaw| flaw.rule == *rule).count();
            if let Some(last) = self.told.iter_mut().rev().find(|flaw| flaw.rule == *rule)
                && *count > told
            {
                last.message = format!("{} (and {} more of this kind)", last.message, count - told);
            }
        }
        self.told.sort_by_key(|flaw| (flaw.line, flaw.column));
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_be_misread() {
        assert_eq!(join_key(&join_index(&join_key("", "Statement"), 1), "Action"), "Statement[1].Action");
        assert_eq!(join_key("tags", "a.b"), r#"tags["a.b"]"#);
        assert_eq!(join_key("tags", ""), r#"tags[""]"#);
    }

    #[test]
    fn the_first_error_is_told_however_many_warnings_came_before() {
        let mut flaws = Flaws::default();
        for _ in 0..500 {
            flaws.warning("a", Place::default(), "", "w", "");
        }
        for n in 0..500 {
            flaws.warning(["b", "c", "d", "e", "f", "g"][n % 6], Place::default(), "", "w", "");
        }
        flaws.error("z", Place::default(), "", "e", "");
        assert!(flaws.has_errors());
        let told = flaws.into_vec();
        assert!(told.iter().any(|flaw| flaw.error) && told.len() <= MOST + 1);
        assert!(told.iter().any(|flaw| flaw.message == "w (and 480 more of this kind)"), "{told:?}");
    }
}
