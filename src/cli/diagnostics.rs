//! Issues as people and as machines read them: rustc-like text, JSON, SARIF 2.1.0, JUnit and GitHub annotations.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin as Path, Renderer, Snippet};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::desired::{Issue, Origin, Severity, Source};
use crate::names::words::plain;
use crate::policy::lint::explained;

/// Version of the JSON form.
pub const FORMAT_VERSION: u32 = 1;
/// Most issues shown as text; machines get all.
const MAX_SHOWN: usize = 200;

/// Bytes of a line behind the place of an issue that can come into sight: some screens' widths.
const MAX_BEHIND: usize = 1_000;
/// Bytes before the place up to which the line is shown at all.
const MAX_COLUMN: usize = 100_000;

/// How issues are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people, with the lines concerned.
    #[default]
    Text,
    /// For programs: JSON with a published schema.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for test reports.
    Junit,
    /// GitHub workflow commands, which become annotations of a pull request.
    Github,
}

/// Errors and warnings of a list; what is only worth knowing is neither.
#[must_use]
pub fn counts(issues: &[Issue]) -> (usize, usize) {
    let errors = issues.iter().filter(|issue| issue.severity == Severity::Error).count();
    (errors, issues.iter().filter(|issue| issue.severity == Severity::Warning).count())
}

/// Issues as text, each with its lines. `colour` is for terminals only.
///
/// # Errors
/// Those of `out`.
pub fn text(issues: &[Issue], sources: &[Source], colour: bool, out: &mut dyn Write) -> io::Result<()> {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut shown: Vec<&Issue> = issues.iter().collect();
    if issues.len() > MAX_SHOWN {
        // Warnings must not push errors out of sight.
        shown.sort_by_key(|issue| std::cmp::Reverse(issue.severity));
        shown.truncate(MAX_SHOWN);
    }
    let texts = Texts::of(&shown, sources);
    for issue in shown {
        let level = match issue.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Info => Level::INFO,
        };
        let mut group = level
            .primary_title(issue.message.as_str())
            .id(issue.rule)
            .elements(Vec::<Snippet<'_, annotate_snippets::Annotation<'_>>>::new());
        let label = if issue.field.is_empty() { None } else { Some(issue.field.as_str()) };
        group = match texts.snippet(&issue.origin, AnnotationKind::Primary, label) {
            Some(snippet) => group.element(snippet),
            None if issue.origin.file.is_empty() => group,
            None => group.element(path(&issue.origin)),
        };
        for (origin, label) in &issue.related {
            group = match texts.snippet(origin, AnnotationKind::Context, Some(label)) {
                Some(snippet) => group.element(snippet),
                None => group.element(Level::NOTE.message(format!("{label}: {origin}"))),
            };
        }
        if let Some(object) = &issue.object {
            group = group.element(Level::NOTE.message(format!("in `{object}`")));
        }
        if let Some(help) = &issue.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        writeln!(out, "{}\n", renderer.render(&[group]))?;
    }
    if issues.len() > MAX_SHOWN {
        writeln!(out, "… and {} more; `-o json` lists all\n", issues.len() - MAX_SHOWN)?;
    }
    Ok(())
}

fn path(origin: &Origin) -> Path<'_> {
    let path = Path::path(plain(&origin.file));
    if origin.line == 0 { path } else { path.line(origin.line as usize).char_column(origin.column as usize) }
}

/// The files that issues speak of, cut into lines once.
struct Texts<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> Texts<'a> {
    fn of(issues: &[&'a Issue], sources: &'a [Source]) -> Self {
        let named: BTreeSet<&str> = issues
            .iter()
            .flat_map(|issue| std::iter::once(&issue.origin).chain(issue.related.iter().map(|(origin, _)| origin)))
            .filter(|origin| origin.line > 0)
            .map(|origin| &*origin.file)
            .collect();
        Self(
            sources
                .iter()
                .filter(|source| named.contains(&*source.file))
                .filter_map(|source| Some((&*source.file, std::str::from_utf8(&source.bytes).ok()?.lines().collect())))
                .collect(),
        )
    }

    /// The line of a place and its neighbours, with the word at the place marked.
    fn snippet<'s>(
        &self,
        origin: &'s Origin,
        kind: AnnotationKind,
        label: Option<&'s str>,
    ) -> Option<Snippet<'s, annotate_snippets::Annotation<'s>>> {
        let lines = self.0.get(&*origin.file)?;
        let index = (origin.line as usize).checked_sub(1)?;
        let first = index.saturating_sub(1);
        let shown = lines.get(first..(index + 2).min(lines.len()))?;
        let line = lines.get(index)?;
        let word = word(line, origin.column as usize);
        if word.start > MAX_COLUMN {
            return None;
        }
        // What is far behind the place is cut off before it is made harmless and coloured, not after.
        let seen = |line: &'a str| line.get(..line.ceil_char_boundary(word.start + MAX_BEHIND)).unwrap_or(line);
        let word = word.start..word.end.min(seen(line).len());
        let before: usize = shown.iter().take(index - first).map(|line| seen(line).len() + 1).sum();
        let source: String = shown.iter().map(|line| format!("{}\n", seen(line))).collect();
        let mut annotation = kind.span(before + word.start..before + word.end);
        if let Some(label) = label {
            annotation = annotation.label(label);
        }
        Some(
            Snippet::source(harmless(&source))
                .line_start(first + 1)
                .path(plain(&origin.file))
                .fold(false)
                .annotation(annotation),
        )
    }
}

/// Bytes of the word that begins at a column (from 1, in characters).
fn word(line: &str, column: usize) -> Range<usize> {
    let start = line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    let rest = line.get(start..).unwrap_or_default();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let length = match quote {
        Some(quote) => rest.get(1..).and_then(|r| r.find(quote)).map_or(rest.len(), |at| at + 2),
        None => rest
            .char_indices()
            .find(|(at, c)| {
                c.is_whitespace()
                    || matches!(c, ',' | '}' | ']')
                    || (*c == ':' && rest.get(at + 1..).is_none_or(|r| r.is_empty() || r.starts_with(' ')))
            })
            .map_or(rest.len(), |(at, _)| at),
    };
    let first = rest.chars().next().map_or(0, char::len_utf8);
    start..start + length.max(first)
}

/// Text without characters that steer a terminal or turn the reading direction, each byte in its place.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c.to_string(),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}'.to_string(),
            c if c.is_control() => "?".repeat(c.len_utf8()),
            c => c.to_string(),
        })
        .collect()
}

/// One issue for `-o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssueOutput<'a> {
    /// Stable id of the rule, in kebab-case.
    rule: &'a str,
    /// `error`, `warning`, or `info` (which only `bylaw lint` tells).
    severity: Severity,
    /// File as the user named it; `<stdin>` for standard input; empty where the issue belongs to none.
    file: &'a str,
    /// Line, from 1; 0 where there is none.
    line: u32,
    /// Column in characters, from 1; 0 where there is none.
    column: u32,
    /// `Kind/name` of the object, where it is known.
    object: Option<&'a str>,
    /// Field of the object (`spec.targets[0]`); empty where the issue belongs to none.
    field: &'a str,
    /// What is wrong, and what was expected.
    message: &'a str,
    /// What to do.
    help: Option<&'a str>,
    /// Other places that have to do with it.
    related: Vec<RelatedOutput<'a>>,
}

/// A place that has to do with an issue.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RelatedOutput<'a> {
    /// File as the user named it.
    file: &'a str,
    /// Line, from 1; 0 where there is none.
    line: u32,
    /// Column in characters, from 1; 0 where there is none.
    column: u32,
    /// What is there.
    label: &'a str,
}

impl<'a> IssueOutput<'a> {
    /// The issue with its places.
    #[must_use]
    pub fn of(issue: &'a Issue) -> Self {
        let Origin { file, line, column } = &issue.origin;
        let related = issue.related.iter().map(|(at, label)| RelatedOutput {
            file: &at.file,
            line: at.line,
            column: at.column,
            label,
        });
        Self {
            rule: issue.rule,
            severity: issue.severity,
            file,
            line: *line,
            column: *column,
            object: issue.object.as_deref(),
            field: &issue.field,
            message: &issue.message,
            help: issue.help.as_deref(),
            related: related.collect(),
        }
    }
}

/// Message and help as one text.
fn whole(issue: &Issue) -> String {
    match &issue.help {
        Some(help) => format!("{}\nhelp: {help}", issue.message),
        None => issue.message.clone(),
    }
}

/// Issues as SARIF 2.1.0 (OASIS), which code scanning reads. It takes no result without a file: what belongs to none is
/// told of the first that was read.
#[must_use]
pub fn sarif(issues: &[Issue], sources: &[Source]) -> Value {
    let first = sources.first().map_or(".", |source| &*source.file);
    let location = |origin: &Origin, (key, value): (&str, Value)| {
        let uri = match &*origin.file {
            "" => uri(first),
            file => uri(file),
        };
        let mut physical = Map::from_iter([("artifactLocation".to_owned(), json!({"uri": uri}))]);
        if origin.line > 0 {
            let region = json!({"startLine": origin.line, "startColumn": origin.column.max(1)});
            physical.insert("region".to_owned(), region);
        }
        json!({"physicalLocation": physical, key: value})
    };
    let rules: BTreeSet<&str> = issues.iter().map(|issue| issue.rule).collect();
    let results: Vec<Value> = issues
        .iter()
        .map(|issue| {
            let names: Vec<Value> = issue
                .object
                .iter()
                .map(|object| if issue.field.is_empty() { object.clone() } else { format!("{object}/{}", issue.field) })
                .map(|name| json!({"fullyQualifiedName": name, "kind": "object"}))
                .collect();
            let related: Vec<Value> = issue
                .related
                .iter()
                .map(|(origin, label)| location(origin, ("message", json!({"text": label}))))
                .collect();
            json!({
                "ruleId": issue.rule,
                "level": match issue.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                    Severity::Info => "note",
                },
                "message": {"text": whole(issue)},
                "locations": [location(&issue.origin, ("logicalLocations", names.into()))],
                "relatedLocations": related,
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "bylaw",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.into_iter().map(rule).collect::<Vec<_>>()
            }},
            "columnKind": "unicodeCodePoints",
            "results": results
        }]
    })
}

/// A rule as SARIF has it; what lint can explain is explained.
fn rule(id: &str) -> Value {
    match explained().iter().find(|rule| rule.id == id) {
        Some(rule) => json!({
            "id": id,
            "shortDescription": {"text": rule.summary},
            "fullDescription": {"text": rule.explanation},
        }),
        None => json!({"id": id, "shortDescription": {"text": id.replace('-', " ")}}),
    }
}

/// A path as a relative URI reference (RFC 3986).
fn uri(path: &str) -> String {
    if path == "<stdin>" {
        return "stdin".to_owned();
    }
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'\\' => out.push('/'),
            b'/' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Issues as JUnit XML: a failed case for each error, a passed one for each file without; warnings are passed cases
/// with their text.
///
/// # Errors
/// Those of `out`.
pub fn junit(command: &str, issues: &[Issue], sources: &[Source], out: &mut dyn Write) -> io::Result<()> {
    let (errors, _) = counts(issues);
    let wrong: BTreeSet<&str> =
        issues.iter().filter(|i| i.severity == Severity::Error).map(|i| &*i.origin.file).collect();
    let right: Vec<&Source> = sources.iter().filter(|source| !wrong.contains(&*source.file)).collect();
    let tests = issues.len() + right.len();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites tests=\"{tests}\" failures=\"{errors}\">")?;
    writeln!(out, "  <testsuite name=\"bylaw {command}\" tests=\"{tests}\" failures=\"{errors}\" errors=\"0\">")?;
    for source in right {
        writeln!(out, "    <testcase classname=\"{}\" name=\"valid\"/>", xml(&source.file))?;
    }
    for issue in issues {
        let object = issue.object.as_deref().unwrap_or_default();
        let name = [issue.rule, object, &issue.field].join(" ");
        let text = format!("{}: {}", issue.origin, whole(issue));
        writeln!(out, "    <testcase classname=\"{}\" name=\"{}\">", xml(&issue.origin.file), xml(name.trim()))?;
        if issue.severity == Severity::Error {
            writeln!(
                out,
                "      <failure type=\"{}\" message=\"{}\">{}</failure>",
                issue.rule,
                xml(&issue.message),
                xml(&text)
            )?;
        } else {
            writeln!(
                out,
                "      <system-out>{}: {}</system-out>",
                if issue.severity == Severity::Info { "info" } else { "warning" },
                xml(&text)
            )?;
        }
        writeln!(out, "    </testcase>")?;
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}

/// Text within XML; characters that XML 1.0 has not are replaced.
fn xml(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push('\t'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Issues as workflow commands of GitHub Actions (`::error file=…,line=…::…`).
///
/// # Errors
/// Those of `out`.
pub fn github(issues: &[Issue], out: &mut dyn Write) -> io::Result<()> {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    for issue in issues {
        let command = match issue.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let mut properties = vec![format!("title={}", property(issue.rule))];
        if !issue.origin.file.is_empty() {
            properties.push(format!("file={}", property(&issue.origin.file)));
        }
        if issue.origin.line > 0 {
            properties.push(format!("line={},col={}", issue.origin.line, issue.origin.column));
        }
        let object = issue.object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
        writeln!(out, "::{command} {}::{}", properties.join(","), data(&format!("{object}{}", whole(issue))))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
