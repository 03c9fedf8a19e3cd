//! `bylaw lint`: policy documents alone, and those of manifests.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::args::Lint;
use super::diagnostics::{self, FORMAT_VERSION, Format};
use super::failure::Failure;
use super::{files, sources};
use crate::desired::{
    Issue, LintIssue, Origin, Placed, Severity, Source, lint_with_fixes, mend as mend_manifests, read_all,
};
use crate::names::words::{nearest, plain};
use crate::names::{POLICY_TYPES, PolicyType};
use crate::policy::document::Content;
use crate::policy::lint::fix::{self, Span};
use crate::policy::lint::{self, Explained, Finding, explained};
use crate::policy::management::TOP;
use crate::policy::minify::{Names, minify};
use crate::policy::statement::{
    DELEGATION_POLICY, IDENTITY_POLICY, PERMISSIONS_BOUNDARY, RESOURCE_POLICY, SESSION_POLICY, VPC_ENDPOINT_POLICY,
};
use crate::policy::{Document, canonical};

/// Output of `bylaw lint -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LintOutput<'a> {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    format_version: u32,
    /// All findings, by file and line.
    findings: Vec<FindingOutput<'a>>,
}

/// One finding.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct FindingOutput<'a> {
    /// Stable id of the rule, in kebab-case; `bylaw lint --explain RULE` tells more.
    rule: &'a str,
    /// `error`, `warning` or `info`.
    severity: Severity,
    /// File as the user named it; `<stdin>` for standard input.
    file: &'a str,
    /// Line, from 1; 0 where there is none.
    line: u32,
    /// Column in characters, from 1; 0 where there is none.
    column: u32,
    /// `Kind/name` of the object, where the document is that of a manifest.
    object: Option<&'a str>,
    /// JSON path of the value in the document, or of the field in the manifest; empty for the document itself.
    path: &'a str,
    /// What will happen.
    message: &'a str,
    /// What to do.
    help: Option<&'a str>,
    /// What `--fix` would replace.
    fix: Option<FixOutput>,
}

/// What would be replaced.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct FixOutput {
    /// What it does.
    what: String,
    /// The replacements in the text of the file.
    edits: Vec<Span>,
}

/// A finding and how to mend it in its file.
struct Found {
    issue: Issue,
    fix: Option<Placed>,
}

/// What was looked at.
#[derive(Default)]
struct Looked {
    found: Vec<Found>,
    documents: usize,
    fixes: usize,
}

/// Lints and prints; notices go to `err`. The exit code: 0 where there are no errors, 1 where there are, or with `--strict`
/// warnings.
///
/// # Errors
/// The type or the rule is not known, a file cannot be written, or those of `out`.
pub fn run(asked: &Lint, colour: bool, err: &mut dyn Write, out: &mut dyn Write) -> Result<u8, Failure> {
    if let Some(id) = &asked.explain {
        return explain(id, out);
    }
    let kind = asked.kind.as_deref().map(known_type).transpose()?;
    let (mut sources, unread) = sources::load(&asked.files, &mut io::stdin().lock());
    let mut looked = Looked::default();
    looked.found.extend(unread.into_iter().map(|issue| Found { issue, fix: None }));
    let (manifests, documents): (Vec<Source>, Vec<Source>) = sources.drain(..).partition(is_manifest);
    let mut sources = manifests;
    if asked.fix {
        for source in &mut sources {
            looked.fixes += mend_in_manifests(source, err)?;
        }
    }
    looked.manifests(&sources);
    for mut source in documents {
        let named = asked.files.iter().any(|file| file.as_os_str() == "-" || *file == Path::new(&*source.file));
        let Some(kind) = kind.clone().or_else(|| assumed(&source, named, err)) else { continue };
        if asked.minify {
            minified(&source, &kind, err, out)?;
            continue;
        }
        if asked.fix {
            looked.fixes += mend(&mut source, &kind, err)?;
        }
        looked.document(&source, &kind);
        sources.push(source);
    }
    if asked.minify && looked.found.is_empty() {
        return Ok(0);
    }
    looked.found.sort_by(|a, b| a.issue.origin.cmp(&b.issue.origin));
    print(&looked, &sources, asked, colour, out)
}

impl Looked {
    fn manifests(&mut self, sources: &[Source]) {
        let found = read_all(sources);
        self.documents += found.manifests.len();
        self.found.extend(found.issues.into_iter().map(|issue| Found { issue, fix: None }));
        let told = lint_with_fixes(&found.manifests, sources).into_iter();
        self.found.extend(told.map(|LintIssue { issue, fix, .. }| Found { issue, fix: fix.and_then(Result::ok) }));
    }

    fn document(&mut self, source: &Source, kind: &PolicyType) {
        self.documents += 1;
        let Ok(text) = std::str::from_utf8(&source.bytes) else {
            let message = "the file is not UTF-8: it is text in another encoding, or a binary file";
            let origin = Origin { file: source.file.clone(), line: 0, column: 0 };
            let issue =
                Issue { help: None, ..new_issue(Severity::Error, "not-text", origin, String::new(), message.into()) };
            self.found.push(Found { issue, fix: None });
            return;
        };
        let linted = lint::text(kind, text);
        let findings = linted.flaws.into_iter().chain(linted.findings);
        self.found.extend(findings.map(|finding| found(&source.file, text, finding)));
    }
}

fn found(file: &Arc<str>, text: &str, finding: Finding) -> Found {
    let severity = match finding.severity {
        lint::Severity::Info => Severity::Info,
        lint::Severity::Warning => Severity::Warning,
        lint::Severity::Error => Severity::Error,
    };
    let at = |line, column| Origin { file: file.clone(), line, column };
    let origin = at(finding.place.line, finding.place.column);
    let mut issue = new_issue(severity, finding.rule, origin, finding.path, finding.message);
    issue.related.extend(finding.related.map(|other| (at(other.line, other.column), other.label.to_owned())));
    let fix = finding.fix.and_then(|fix| Some(Placed { replacements: fix.replacements(text)?, what: fix.what }));
    Found { issue: Issue { help: finding.help, ..issue }, fix }
}

fn new_issue(severity: Severity, rule: &'static str, origin: Origin, field: String, message: String) -> Issue {
    Issue { rule, severity, origin, object: None, field, message, help: None, related: vec![] }
}

/// Whether a file holds manifests and no policy document: by its name, or by what stands in it.
fn is_manifest(source: &Source) -> bool {
    let text = String::from_utf8_lossy(&source.bytes);
    let yaml = source.file.ends_with(".yaml") || source.file.ends_with(".yml");
    let json = text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']);
    yaml || (!json && text.contains("apiVersion:"))
        || (json && text.contains("\"apiVersion\"") && text.contains("\"bylaw.dev/"))
}

/// The types that lint knows by name.
fn types() -> impl Iterator<Item = &'static str> {
    let own = [
        IDENTITY_POLICY,
        RESOURCE_POLICY,
        VPC_ENDPOINT_POLICY,
        SESSION_POLICY,
        PERMISSIONS_BOUNDARY,
        DELEGATION_POLICY,
    ];
    POLICY_TYPES.iter().map(|rule| rule.name).chain(own)
}

fn known_type(name: &str) -> Result<PolicyType, Failure> {
    if types().any(|known| known == name) {
        return Ok(PolicyType::new(name));
    }
    let help = match nearest(name, types()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are {}", types().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    Err(Failure::new(format!("`{}` is not a policy type", plain(name)), help))
}

/// The type that a document seems to be of, told where it is not sure. `None` for JSON of another sort that was not named, but
/// found in a directory.
fn assumed(source: &Source, named: bool, err: &mut dyn Write) -> Option<PolicyType> {
    let text = String::from_utf8_lossy(&source.bytes);
    let has = |key: &str| text.contains(&format!("\"{key}\""));
    let management = || TOP.iter().find(|(_, top)| has(top)).map(|(kind, _)| *kind);
    // Also where its quotes are wrong, which then is told.
    let kind = if text.contains("Statement") {
        if has("Principal") || has("NotPrincipal") { RESOURCE_POLICY } else { "SERVICE_CONTROL_POLICY" }
    } else if let Some(kind) = management().filter(|_| text.contains("\"@@")) {
        // Its keys tell, and nobody has to be asked.
        return Some(PolicyType::new(kind));
    } else if named {
        "SERVICE_CONTROL_POLICY"
    } else {
        return None;
    };
    // A closed standard error is no reason to stop.
    drop(writeln!(err, "note: `{}` is taken for a {kind}; `--type` says otherwise", plain(&source.file)));
    Some(PolicyType::new(kind))
}

/// Prints a document as small as it gets, and says how small that is.
fn minified(source: &Source, kind: &PolicyType, err: &mut dyn Write, out: &mut dyn Write) -> Result<(), Failure> {
    let file = plain(&source.file);
    let broken = || {
        Failure::new(
            format!("`{file}` is no document of type {kind}"),
            format!("`bylaw lint {file}` tells what is wrong"),
        )
    };
    let text = std::str::from_utf8(&source.bytes).map_err(|_| broken())?;
    let (document, _) = Document::parse(kind, text).map_err(|_| broken())?;
    let small = match document.content() {
        Content::Statements(policy) => canonical::text(&minify(policy, Names::Kept)),
        Content::Management(_) => document.minified().to_owned(),
    };
    let (before, after) = (document.characters(), small.chars().count());
    // A closed standard error is no reason to stop.
    drop(writeln!(
        err,
        "note: `{file}`: {before} characters without white space, {after} as small as it gets; AWS takes {}",
        document.max_characters()
    ));
    Ok(writeln!(out, "{small}")?)
}

/// Makes the mechanical edits and writes the file back. How many were made.
fn mend(source: &mut Source, kind: &PolicyType, err: &mut dyn Write) -> Result<usize, Failure> {
    let Ok(text) = std::str::from_utf8(&source.bytes) else { return Ok(0) };
    let (text, made) = lint::mend(kind, text);
    if !made.is_empty() {
        write_back(source, text)?;
    }
    for finding in &made {
        let (file, place) = (plain(&source.file), finding.place);
        let what = finding.fix.as_ref().map(|fix| fix.what.as_str()).unwrap_or_default();
        // A closed standard error is no reason to stop.
        drop(writeln!(err, "fixed {file}:{}:{}: {} [{}]", place.line, place.column, what, finding.rule));
    }
    Ok(made.len())
}

/// Makes the fixes of the policies among manifests, writes the file back, and tells what was not made. How many were.
fn mend_in_manifests(source: &mut Source, err: &mut dyn Write) -> Result<usize, Failure> {
    let Some(mended) = mend_manifests(source) else { return Ok(0) };
    if !mended.made.is_empty() {
        write_back(source, mended.text)?;
    }
    let file = plain(&source.file);
    // A closed standard error is no reason to stop.
    for (issue, what) in &mended.made {
        let (line, column) = (issue.origin.line, issue.origin.column);
        drop(writeln!(err, "fixed {file}:{line}:{column}: {what} [{}]", issue.rule));
    }
    for (issue, unplaced) in &mended.refused {
        let (line, column) = (issue.origin.line, issue.origin.column);
        drop(writeln!(err, "not fixed {file}:{line}:{column}: {}: {} [{}]", unplaced.what, unplaced.why, issue.rule));
    }
    Ok(mended.made.len())
}

fn write_back(source: &mut Source, text: String) -> Result<(), Failure> {
    if source.file.starts_with('<') {
        return Err(Failure::new("standard input cannot be written back", "name a file, or leave out `--fix`"));
    }
    files::write_output(Path::new(&*source.file), &text)?;
    source.bytes = text.into_bytes();
    Ok(())
}

fn print(looked: &Looked, sources: &[Source], asked: &Lint, colour: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let issues: Vec<Issue> = looked.found.iter().map(|found| found.issue.clone()).collect();
    let (errors, warnings) = diagnostics::counts(&issues);
    match asked.output {
        Format::Text => {
            diagnostics::text(&issues, sources, colour, out)?;
            let notes = issues.len() - errors - warnings;
            writeln!(out, "{}", closing(looked, errors, warnings, notes))?;
        }
        Format::Json => {
            let findings = looked.found.iter().map(|found| finding(found, sources)).collect();
            writeln!(out, "{:#}", json!(LintOutput { format_version: FORMAT_VERSION, findings }))?;
        }
        Format::Sarif => writeln!(out, "{:#}", diagnostics::sarif(&issues, sources))?,
        Format::Junit => diagnostics::junit("lint", &issues, sources, out)?,
        Format::Github => diagnostics::github(&issues, out)?,
    }
    Ok(u8::from(errors > 0 || (asked.strict && warnings > 0)))
}

fn finding<'a>(found: &'a Found, sources: &[Source]) -> FindingOutput<'a> {
    let issue = &found.issue;
    let text = sources.iter().find(|source| source.file == issue.origin.file);
    let text = text.and_then(|source| std::str::from_utf8(&source.bytes).ok()).unwrap_or_default();
    let output = |fix: &Placed| FixOutput { what: fix.what.clone(), edits: fix::spans(text, &fix.replacements) };
    let fix = found.fix.as_ref().map(output);
    FindingOutput {
        rule: issue.rule,
        severity: issue.severity,
        file: &issue.origin.file,
        line: issue.origin.line,
        column: issue.origin.column,
        object: issue.object.as_deref(),
        path: &issue.field,
        message: &issue.message,
        help: issue.help.as_deref(),
        fix,
    }
}

/// `2 documents: 1 error, no warnings, 3 notes; 1 can be fixed with --fix`.
fn closing(looked: &Looked, errors: usize, warnings: usize, notes: usize) -> String {
    let some = |count: usize, word: &str| match count {
        0 => format!("no {word}s"),
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    };
    let mut out =
        format!("{}: {}, {}", some(looked.documents, "document"), some(errors, "error"), some(warnings, "warning"));
    if notes > 0 {
        out.push_str(&format!(", {}", some(notes, "note")));
    }
    if looked.fixes > 0 {
        out.push_str(&format!("; {} fixed", looked.fixes));
    }
    let left = looked.found.iter().filter(|found| found.fix.is_some()).count();
    if left > 0 {
        out.push_str(&format!("; {left} can be fixed with `--fix`"));
    }
    out
}

fn explain(id: &str, out: &mut dyn Write) -> Result<u8, Failure> {
    let all = explained();
    let Some(rule) = all.iter().find(|rule| rule.id == id) else {
        let help = match nearest(id, all.iter().map(|rule| rule.id)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "docs/lint.md lists all rules".to_owned(),
        };
        return Err(Failure::new(format!("there is no rule `{}`", plain(id)), help));
    };
    let Explained { id, severity, summary, explanation, samples } = rule;
    writeln!(out, "{id} ({severity}): {summary}\n\n{explanation}")?;
    if let Some((bad, good)) = samples {
        writeln!(out, "\ntold of:\n{}\n\nnot told of:\n{}", pretty(bad), pretty(good))?;
    }
    Ok(0)
}

/// A sample over several lines.
fn pretty(text: &str) -> String {
    serde_json::from_str::<Value>(text).map_or_else(|_| text.to_owned(), |value| format!("{value:#}"))
}

/// The list of rules of `docs/lint.md`.
#[must_use]
pub fn table() -> String {
    let mut out = "| rule | severity | finds |\n|---|---|---|\n".to_owned();
    for rule in explained() {
        out.push_str(&format!("| `{}` | {} | {} |\n", rule.id, rule.severity, rule.summary.replace('|', "\\|")));
    }
    out
}

#[cfg(test)]
mod tests;
