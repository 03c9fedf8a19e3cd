//! `bylaw validate`: everything that can be said of manifests without AWS.

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::diagnostics::{self, FORMAT_VERSION, Format, IssueOutput};
use crate::desired::{Issue, Manifest, Severity, Source, build, lint, read_all};
use crate::names::Kind;
use crate::names::words::count;

/// How `validate` runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// The Organization to look at, where there are several.
    pub organization: Option<&'a str>,
    /// Form of the output.
    pub format: Format,
    /// Whether text is coloured.
    pub colour: bool,
}

/// Output of `bylaw validate -o json`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidateOutput<'a> {
    /// 1. It changes when a field is renamed, removed or changes its meaning; new fields may appear without.
    format_version: u32,
    /// Counts.
    summary: Summary<'a>,
    /// All issues, by file and line.
    issues: Vec<IssueOutput<'a>>,
}

/// What was validated, counted.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    /// Objects of bylaw by kind.
    objects: BTreeMap<&'a str, usize>,
    /// Documents of other kinds, which were passed over.
    skipped: usize,
    /// Issues that are errors: the command exits with 1 where there are any.
    errors: usize,
    /// Issues that are warnings.
    warnings: usize,
}

/// Validates and prints. `unread`: what [`super::sources::load`] could not read. The exit code: 0 clean (warnings are
/// allowed), 1 errors.
///
/// # Errors
/// Those of `out`.
pub fn run(sources: &[Source], unread: Vec<Issue>, options: &Options<'_>, out: &mut dyn Write) -> io::Result<u8> {
    let found = read_all(sources);
    let mut issues = unread;
    // Where files are missing, "nothing is declared" would only hide the reason.
    let unread_only = !issues.is_empty() && found.manifests.is_empty();
    let objects = by_kind(&found.manifests);
    issues.extend(found.issues);
    // What AWS accepts is valid, whatever lint thinks of it.
    let told = lint(&found.manifests, sources).into_iter().filter(|told| !told.of_reader).map(|told| told.issue);
    let doubts = told.filter(|issue| issue.severity > Severity::Info);
    issues.extend(doubts.map(|issue| Issue { severity: Severity::Warning, ..issue }));
    if !unread_only {
        issues.extend(build(found.manifests, options.organization).1);
    }
    issues.sort_by(|a, b| a.origin.cmp(&b.origin));
    let (errors, warnings) = diagnostics::counts(&issues);
    match options.format {
        Format::Text => {
            diagnostics::text(&issues, sources, options.colour, out)?;
            writeln!(out, "{}", closing(&objects, found.skipped, errors, warnings))?;
        }
        Format::Json => {
            let objects = objects.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
            let output = ValidateOutput {
                format_version: FORMAT_VERSION,
                summary: Summary { objects, skipped: found.skipped, errors, warnings },
                issues: issues.iter().map(IssueOutput::of).collect(),
            };
            writeln!(out, "{:#}", json!(output))?;
        }
        Format::Sarif => writeln!(out, "{:#}", diagnostics::sarif(&issues, sources))?,
        Format::Junit => diagnostics::junit("validate", &issues, sources, out)?,
        Format::Github => diagnostics::github(&issues, out)?,
    }
    Ok(u8::from(errors > 0))
}

fn by_kind(manifests: &[Manifest]) -> Vec<(Kind, usize)> {
    let count = |kind| manifests.iter().filter(|m| m.key.as_ref().is_some_and(|key| key.kind == kind)).count();
    Kind::ALL.into_iter().map(|kind| (kind, count(kind))).collect()
}

/// `1 Organization, 2 OrganizationalUnits, …: no errors, 1 warning`.
fn closing(objects: &[(Kind, usize)], skipped: usize, errors: usize, warnings: usize) -> String {
    let some = |number: usize, word: &str| if number == 0 { format!("no {word}s") } else { count(number, word) };
    let mut parts: Vec<String> =
        objects.iter().filter(|(_, number)| *number > 0).map(|(kind, number)| count(*number, kind.as_str())).collect();
    if parts.is_empty() {
        parts.push("no objects of bylaw".into());
    }
    let passed = if skipped == 0 {
        String::new()
    } else {
        format!(" ({} of other kinds passed over)", count(skipped, "document"))
    };
    format!("{}{passed}: {}, {}", parts.join(", "), some(errors, "error"), some(warnings, "warning"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "apiVersion: bylaw.dev/v1alpha1\nkind: Organization\nmetadata: {name: main}\nspec: {managementAccountId: \"111122223333\"}\n---\napiVersion: v1\nkind: Secret\n";

    fn validate(text: &str, format: Format) -> (u8, String) {
        let sources = [Source { file: "a.yaml".into(), bytes: text.as_bytes().to_vec() }];
        let mut out = Vec::new();
        let options = Options { format, ..Options::default() };
        let code = run(&sources, vec![], &options, &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_closing_line_counts() {
        let (code, out) = validate(GOOD, Format::Text);
        assert_eq!(
            (code, &*out),
            (0, "1 Organization (1 document of other kinds passed over): no errors, no warnings\n")
        );
        let (code, out) = validate(&GOOD.replace("spec:", "spce:"), Format::Text);
        assert_eq!(code, 1);
        assert!(out.contains("did you mean `spec`?"), "{out}");
        assert!(out.ends_with(": 2 errors, no warnings\n"), "{out}");
    }

    #[test]
    fn every_form_is_well_formed_for_good_and_bad() {
        for text in
            [GOOD, "", "kind: [", "a: \"\u{1b}\u{202e}<&\"\n---\napiVersion: bylaw.dev/v1alpha1\nkind: \"A<b>\"\n"]
        {
            for format in [Format::Json, Format::Sarif] {
                let (_, out) = validate(text, format);
                let value: serde_json::Value = serde_json::from_str(&out).unwrap();
                assert!(value.get("formatVersion").is_some() || value["version"] == "2.1.0");
            }
            let (_, out) = validate(text, Format::Junit);
            assert!(out.starts_with("<?xml") && out.trim_end().ends_with("</testsuites>"));
            assert!(validate(text, Format::Github).1.lines().all(|line| line.starts_with("::")));
        }
    }

    #[test]
    fn files_that_are_missing_are_the_only_complaint() {
        let (sources, unread) = crate::cli::sources::load(&["/nowhere/at/all".into()], &mut io::empty());
        let mut out = Vec::new();
        let code = run(&sources, unread, &Options::default(), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(code, 1);
        assert!(out.contains("error[no-such-file]") && !out.contains("no-organization"), "{out}");
    }

    fn said(file: &str, text: &str) -> String {
        let sources = [Source { file: file.into(), bytes: text.as_bytes().to_vec() }];
        let mut out = Vec::new();
        run(&sources, vec![], &Options::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_template_that_was_not_rendered_is_told_as_one() {
        for text in [
            GOOD.replace("main", "{{ .Values.name }}"),
            format!("{{{{- if .Values.on }}}}\n{GOOD}{{{{- end }}}}\n"),
            GOOD.replace("\"111122223333\"", "{{ .Values.account }}"),
        ] {
            let out = said("a.yaml", &text);
            assert!(out.contains("error[template]") && out.contains("helm template"), "{out}");
        }
    }

    #[test]
    fn a_group_that_looks_like_ours_is_not_passed_over() {
        for group in ["bylaw.io", "bylaw", "Bylaw.dev", "bylaws.dev"] {
            let unit =
                format!("{GOOD}---\napiVersion: {group}/v1alpha1\nkind: OrganizationalUnit\nmetadata: {{name: x}}\n");
            let out = said("a.yaml", &unit);
            assert!(out.contains(group) && out.contains("write `apiVersion: bylaw.dev/v1alpha1`"), "{out}");
        }
        let other = format!("{GOOD}---\napiVersion: organizations.aws.example/v1\nkind: OrganizationalUnit\n");
        assert!(said("a.yaml", &other).contains("no errors, no warnings"));
    }

    #[test]
    fn a_list_of_objects_without_a_kind_is_not_passed_over_in_silence() {
        let list = r#"[{"apiVersion": "bylaw.dev/v1alpha1", "kind": "Organization"}]"#;
        assert!(said("a.json", list).contains("warning[not-a-manifest]"), "{}", said("a.json", list));
        assert!(!said("package.json", r#"["a", {"b": 1}]"#).contains("not-a-manifest"));
    }

    #[test]
    fn a_text_in_another_encoding_is_told_how_to_mend() {
        let sources = [Source { file: "a.yaml".into(), bytes: b"name: M\xfcller\n".to_vec() }];
        let mut out = Vec::new();
        run(&sources, vec![], &Options::default(), &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("iconv"));
    }

    #[test]
    fn the_name_of_a_file_steers_no_terminal() {
        let out = said("a\u{1b}[31m\nb.yaml", "a: [");
        assert!(!out.contains('\u{1b}') && out.contains("\\u{1b}[31m\\nb.yaml:1:4"), "{out}");
    }
}
