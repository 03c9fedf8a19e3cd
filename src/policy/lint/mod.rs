//! Lint: what a document that AWS accepts does not do, or does besides, though its author thinks otherwise.
//!
//! A rule is one file in [`rules`], with what AWS does, why it matters, and its own samples; adding one is adding a file and a
//! row of [`rules::RULES`]. What the reader finds (`json-invalid`, `unknown-element`, …) has its rows in [`flaws`], so that
//! every id can be explained. Rules look at a [`Subject`], which is the document with its places.
//!
//! A false alarm costs more than a finding that is missed: a rule speaks only where AWS's documented semantics leave no doubt.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::document::Document;
use super::flaw::{Flaw, Flaws, Place, Related};
use super::json;
use super::statement::Language;
use crate::names::PolicyType;

pub mod fix;
pub mod flaws;
pub mod rules;
pub mod settings;
pub mod subject;
pub mod suppress;
#[cfg(test)]
mod tests;
pub mod values;

pub use fix::{Edit, Fix, Replacement};
use subject::{Spot, Subject};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Info,
    /// It probably does not do what is meant.
    Warning,
    /// AWS refuses it, or it surely does not do what it says.
    Error,
}

impl Severity {
    /// As printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something a rule has to say, with the place of the exact value (line and column from 1; 0 in content without text).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Id of the rule.
    pub rule: &'static str,
    /// How bad.
    pub severity: Severity,
    /// Where, in the document's text.
    pub place: Place,
    /// JSON path of the value.
    pub path: String,
    /// It is the key at that path that is meant, not the value under it.
    pub at_key: bool,
    /// What will happen; lower case.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// What to replace, where that is mechanical.
    pub fix: Option<Fix>,
    /// Another place that it speaks of.
    pub related: Option<Related>,
}

impl Finding {
    /// With what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With what to replace.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// Less or more bad than the rule is in general.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

impl From<Flaw> for Finding {
    fn from(flaw: Flaw) -> Self {
        Self {
            rule: flaw.rule,
            severity: if flaw.error { Severity::Error } else { Severity::Warning },
            place: Place { line: flaw.line, column: flaw.column },
            path: flaw.path,
            at_key: false,
            message: flaw.message,
            help: flaw.help,
            fix: None,
            related: flaw.related,
        }
    }
}

/// A document of a sample, as short as can be: all but [`Sample::Whole`] are one statement.
#[derive(Debug, Clone, Copy)]
pub enum Sample {
    /// A service control policy of that statement.
    Scp(&'static str),
    /// A resource control policy of that statement.
    Rcp(&'static str),
    /// An identity policy of that statement.
    Identity(&'static str),
    /// A resource policy of that statement.
    Resource(&'static str),
    /// A whole document of that type.
    Whole(&'static str, &'static str),
}

impl Sample {
    /// The type and the text.
    #[must_use]
    pub fn document(self) -> (PolicyType, String) {
        let (kind, statement) = match self {
            Self::Scp(statement) => ("SERVICE_CONTROL_POLICY", statement),
            Self::Rcp(statement) => ("RESOURCE_CONTROL_POLICY", statement),
            Self::Identity(statement) => ("IDENTITY_POLICY", statement),
            Self::Resource(statement) => ("RESOURCE_POLICY", statement),
            Self::Whole(kind, text) => return (PolicyType::new(kind), text.to_owned()),
        };
        (PolicyType::new(kind), format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#))
    }

    /// What is shown of it.
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Self::Scp(text) | Self::Rcp(text) | Self::Identity(text) | Self::Resource(text) | Self::Whole(_, text) => {
                text
            }
        }
    }
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Stable id, in kebab-case.
    pub id: &'static str,
    /// How bad its findings are, where they do not say otherwise.
    pub severity: Severity,
    /// What it finds, in a line.
    pub summary: &'static str,
    /// What AWS does, why it matters, and where that is written.
    pub explanation: &'static str,
    /// Looks.
    pub check: fn(&Subject<'_>, &mut Told),
    /// Documents of which it speaks.
    pub bad: &'static [Sample],
    /// Documents of which it does not.
    pub good: &'static [Sample],
}

/// Collects what one rule finds.
#[derive(Debug)]
pub struct Told {
    rule: &'static str,
    severity: Severity,
    found: Vec<Finding>,
    /// Those that are not kept.
    more: usize,
}

/// Most findings of one rule in a document: what is wrong everywhere is one problem. How many more there are is told.
const MOST: usize = 20;

impl Told {
    /// A finding at a value, to be given to [`Told::push`].
    #[must_use]
    pub fn at(&self, spot: &Spot, message: impl Into<String>) -> Finding {
        Finding {
            rule: self.rule,
            severity: self.severity,
            place: spot.place,
            path: spot.path.clone(),
            at_key: spot.key,
            message: message.into(),
            help: None,
            fix: None,
            related: None,
        }
    }

    /// Keeps a finding.
    pub fn push(&mut self, finding: Finding) {
        if self.found.len() < MOST {
            self.found.push(finding);
        } else {
            self.more += 1;
        }
    }
}

/// A document that was read and looked at.
#[derive(Debug)]
pub struct Linted {
    /// The document, where it can be used.
    pub document: Option<Arc<Document>>,
    /// What the reader found.
    pub flaws: Vec<Finding>,
    /// What the rules found, in the order of the text. Where the document cannot be used, only its size is looked at.
    pub findings: Vec<Finding>,
}

impl Linted {
    /// All that was found.
    pub fn all(&self) -> impl Iterator<Item = &Finding> {
        self.flaws.iter().chain(&self.findings)
    }
}

/// Reads a text and asks every rule. A fix is offered only where making it takes its finding away and adds none: an operator
/// that becomes another may meet one that is there already.
#[must_use]
pub fn text(kind: &PolicyType, text: &str) -> Linted {
    let mut linted = read(kind, text);
    let helps: Vec<bool> = linted.all().map(|finding| helps(kind, text, &linted, finding)).collect();
    let findings = linted.flaws.iter_mut().chain(&mut linted.findings);
    for (finding, _) in findings.zip(helps).filter(|(_, helps)| !helps) {
        finding.fix = None;
    }
    linted
}

fn read(kind: &PolicyType, text: &str) -> Linted {
    let mut flaws = Flaws::default();
    let node = json::read(text, &mut flaws);
    let told = |flaws: Vec<Flaw>| flaws.into_iter().map(|flaw| of_flaw(flaw, kind)).collect();
    match Document::build(kind, node.as_ref(), flaws) {
        Ok((document, flaws)) => {
            let findings = node.as_ref().map_or_else(Vec::new, |node| ask(&Subject::new(&document, node)));
            Linted { document: Some(Arc::new(document)), flaws: told(flaws), findings }
        }
        Err(flaws) => {
            let findings = rules::size_of_unread(kind, text, node.as_ref()).into_iter().collect();
            Linted { document: None, flaws: told(flaws), findings }
        }
    }
}

fn helps(kind: &PolicyType, text: &str, before: &Linted, finding: &Finding) -> bool {
    let Some(fix) = &finding.fix else { return false };
    let (mended, made) = fix::apply(text, [fix]);
    let after = read(kind, &mended);
    let grave = |linted: &Linted| {
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for found in linted.all().filter(|found| found.severity > Severity::Info) {
            *count.entry(found.rule).or_default() += 1;
        }
        count
    };
    let old = grave(before);
    let same = |found: &Finding| found.rule == finding.rule && found.path == finding.path;
    !made.is_empty()
        && (after.document.is_some() || before.document.is_none())
        && !after.all().any(same)
        && grave(&after).iter().all(|(rule, count)| old.get(rule).is_some_and(|old| count <= old))
}

/// Most fixes of a document; it also ends what would go in a circle.
const MOST_FIXES: usize = 500;

/// The text with all fixes made, one after the other, and what was mended, at its place at that time.
#[must_use]
pub fn mend(kind: &PolicyType, text: &str) -> (String, Vec<Finding>) {
    let (mut text, mut made) = (text.to_owned(), vec![]);
    while made.len() < MOST_FIXES {
        let linted = self::text(kind, &text);
        let Some(finding) = linted.all().find(|finding| finding.fix.is_some()) else { break };
        (text, _) = fix::apply(&text, finding.fix.as_ref());
        made.push(finding.clone());
    }
    (text, made)
}

/// A flaw with the edit that mends it. Where the old language is possible, a `Version` could change what the document means.
fn of_flaw(flaw: Flaw, kind: &PolicyType) -> Finding {
    let strict = !Language::of(kind).is_plain_iam();
    let finding = Finding::from(flaw);
    if finding.rule != "missing-version" || !strict || finding.place.line == 0 {
        return finding;
    }
    let edits = vec![Edit::Member { at: finding.place, key: "Version", value: "\"2012-10-17\"".to_owned() }];
    finding.fix(Fix { what: "`\"Version\": \"2012-10-17\"` is added".to_owned(), edits })
}

fn ask(subject: &Subject<'_>) -> Vec<Finding> {
    let mut out = vec![];
    for rule in rules::RULES {
        let mut told = Told { rule: rule.id, severity: rule.severity, found: vec![], more: 0 };
        (rule.check)(subject, &mut told);
        if let (Some(last), more @ 1..) = (told.found.last_mut(), told.more) {
            let are = if more == 1 { "is" } else { "are" };
            last.message.push_str(&format!(" (and {more} more {are} not told)"));
        }
        out.append(&mut told.found);
    }
    out.sort_by(|a, b| (a.place, &a.path, a.rule).cmp(&(b.place, &b.path, b.rule)));
    out
}

/// A rule as `--explain` tells it.
#[derive(Debug, Clone, Copy)]
pub struct Explained {
    /// Its id.
    pub id: &'static str,
    /// How bad.
    pub severity: Severity,
    /// What it finds.
    pub summary: &'static str,
    /// What AWS does, why it matters.
    pub explanation: &'static str,
    /// A document of which it speaks, and one of which it does not.
    pub samples: Option<(&'static str, &'static str)>,
}

/// Every id, sorted: the rules and what the reader finds.
#[must_use]
pub fn explained() -> Vec<Explained> {
    let of_rule = |rule: &&'static Rule| Explained {
        id: rule.id,
        severity: rule.severity,
        summary: rule.summary,
        explanation: rule.explanation,
        samples: rule.bad.first().zip(rule.good.first()).map(|(bad, good)| (bad.shown(), good.shown())),
    };
    let of_flaw = |flaw: &flaws::Row| Explained {
        id: flaw.id,
        severity: flaw.severity,
        summary: flaw.summary,
        explanation: flaw.explanation,
        samples: None,
    };
    let mut all: Vec<_> = rules::RULES.iter().map(of_rule).chain(flaws::FLAWS.iter().map(of_flaw)).collect();
    all.sort_by_key(|rule| rule.id);
    all
}
