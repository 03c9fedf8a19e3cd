//! Lint of manifests: the rules of [`crate::policy::lint`] asked of every policy, and what authors have said not to tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::build;
use super::content::{self, Linted};
use super::fixes::{self, Candidate, Placed, Unplaced};
use super::model::{Issue, Origin, Severity};
use super::placeholders;
use super::read::{Body, Manifest, Source};
use super::report::nearest;
use crate::names::{ANNOTATION_LINT_IGNORE, PolicyType};
use crate::policy::lint::suppress::{Suppression, annotation, comments};
use crate::policy::lint::{Fix, explained};
use crate::policy::statement::DELEGATION_POLICY;

/// Documents of manifests, as [`lint`] knows them.
struct Said {
    suppression: Suppression,
    origin: Origin,
    object: Option<String>,
    used: bool,
}

/// Something that lint has to say of a manifest.
#[derive(Debug, Clone)]
pub struct LintIssue {
    /// What.
    pub issue: Issue,
    /// The reader of documents found it, and [`super::build`] tells it as well.
    pub of_reader: bool,
    /// How `--fix` mends it, or why it does not though the document could be mended; `None` of [`lint`].
    pub fix: Option<Result<Placed, Unplaced>>,
}

impl LintIssue {
    fn new(issue: Issue) -> Self {
        Self { issue, of_reader: false, fix: None }
    }
}

/// The document of a manifest: its field, its type and its content.
pub(super) fn document(body: &Body) -> Option<(&'static str, PolicyType, &Value)> {
    match body {
        Body::Policy(spec) => Some(("spec.content", PolicyType::new(&spec.r#type), &spec.content)),
        Body::Organization(spec) => {
            Some(("spec.delegationPolicy", PolicyType::new(DELEGATION_POLICY), spec.delegation_policy.as_ref()?))
        }
        _ => None,
    }
}

/// What lint has to say of the policies among manifests, by place; what is suppressed is left out, and a suppression that
/// has no reason, or nothing to suppress, is told itself. The documents are read here, and are not read again by
/// [`super::build`].
#[must_use]
pub fn lint(manifests: &[Manifest], sources: &[Source]) -> Vec<LintIssue> {
    look(manifests, sources).0
}

/// [`lint`], with the place of each fix in the text of its manifest, where it is tried.
#[must_use]
pub fn lint_with_fixes(manifests: &[Manifest], sources: &[Source]) -> Vec<LintIssue> {
    let (mut out, fixes) = look(manifests, sources);
    place_all(manifests, sources, fixes, &mut out);
    out
}

pub(super) fn look<'a>(manifests: &'a [Manifest], sources: &[Source]) -> (Vec<LintIssue>, Vec<ToPlace<'a>>) {
    let mut by_file: BTreeMap<&str, Vec<Said>> = BTreeMap::new();
    let texts: BTreeMap<&str, &str> =
        sources.iter().filter_map(|source| Some((&*source.file, std::str::from_utf8(&source.bytes).ok()?))).collect();
    for (file, text) in &texts {
        let said = comments(text).into_iter().map(|suppression| {
            let origin = Origin { file: Arc::from(*file), line: suppression.line, column: 1 };
            Said { suppression, origin, object: None, used: false }
        });
        by_file.entry(file).or_default().extend(said);
    }
    // Of an object that cannot be read it is not known what lint would say.
    let broken: BTreeSet<&str> = manifests.iter().filter(|m| m.body.is_none()).map(|m| &*m.origin.file).collect();
    let mut out = vec![];
    let mut fixes: Vec<ToPlace<'a>> = vec![];
    for manifest in manifests {
        let of_fields = placeholders::find(manifest);
        let of_document = manifest.body.as_ref().and_then(document);
        if of_fields.is_empty() && of_document.is_none() && manifest.ignored.is_none() {
            continue;
        }
        let mut own: Vec<Said> = manifest
            .ignored
            .as_deref()
            .map(annotation)
            .unwrap_or_default()
            .into_iter()
            .map(|suppression| {
                let origin = manifest.place(&format!("metadata.annotations[\"{ANNOTATION_LINT_IGNORE}\"]"));
                Said { suppression, origin, object: manifest.label(), used: false }
            })
            .collect();
        let text = texts.get(&*manifest.origin.file).copied().unwrap_or_default();
        let mut none = vec![];
        let file = by_file.get_mut(&*manifest.origin.file).unwrap_or(&mut none);
        let mut is_told = |issue: &Issue| {
            let covers =
                |said: &&mut Said| said.suppression.covers(issue.rule, issue.origin.line, |line| next_line(text, line));
            match own.iter_mut().chain(file.iter_mut()).find(covers) {
                Some(said) => {
                    said.used = true;
                    false
                }
                None => true,
            }
        };
        out.extend(of_fields.into_iter().filter(|issue| is_told(issue)).map(LintIssue::new));
        let Some((field, kind, content)) = of_document else {
            out.extend(own.iter().filter(|_| manifest.body.is_some()).flat_map(complaints).map(LintIssue::new));
            continue;
        };
        let Linted { document, text: json, flaws, findings } = content::linted(manifest, field, &kind, content);
        // An error of the reader cannot be suppressed: the document is not used.
        let flaws: Vec<_> =
            flaws.into_iter().filter(|(issue, _)| issue.severity == Severity::Error || is_told(issue)).collect();
        let for_build = flaws.iter().map(|(issue, _)| issue.clone()).collect();
        let findings: Vec<_> = findings.into_iter().filter(|(issue, _)| is_told(issue)).collect();
        let json: Arc<str> = json.into();
        let told = flaws.into_iter().map(|told| (told, true)).chain(findings.into_iter().map(|told| (told, false)));
        for ((issue, fix), of_reader) in told {
            if let Some(fix) = fix {
                fixes.push(ToPlace { at: out.len(), manifest, field, json: json.clone(), fix });
            }
            out.push(LintIssue { of_reader, ..LintIssue::new(issue) });
        }
        manifest.document.get_or_init(|| (document, for_build));
        out.extend(own.iter().flat_map(complaints).map(LintIssue::new));
    }
    for (file, said) in &by_file {
        let told = said.iter().flat_map(complaints).filter(|issue| issue.rule != UNUSED || !broken.contains(file));
        out.extend(told.map(LintIssue::new));
    }
    // The fixes know their issue by its index, so that the order of the text comes with it.
    let mut order: Vec<(usize, LintIssue)> = out.into_iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| a.issue.origin.cmp(&b.issue.origin));
    let new: BTreeMap<usize, usize> = order.iter().enumerate().map(|(new, (old, _))| (*old, new)).collect();
    for fix in &mut fixes {
        fix.at = new.get(&fix.at).copied().unwrap_or(usize::MAX);
    }
    (order.into_iter().map(|(_, told)| told).collect(), fixes)
}

/// A fix of an issue.
pub(super) struct ToPlace<'a> {
    /// Which of the issues.
    pub(super) at: usize,
    manifest: &'a Manifest,
    field: &'static str,
    json: Arc<str>,
    fix: Fix,
}

impl<'a> ToPlace<'a> {
    /// The same beside the manifests of its chunk, in their order; `None` where its own is none of them.
    pub(super) fn candidate<'b>(self, mut chunk: impl Iterator<Item = &'b Manifest>) -> Option<Candidate<'a>> {
        let index = chunk.position(|own| std::ptr::eq(own, self.manifest))?;
        let ToPlace { manifest, field, json, fix, .. } = self;
        Some(Candidate { manifest, index, field, text: json, fix })
    }
}

/// Leads every fix to its place, chunk by chunk.
fn place_all(manifests: &[Manifest], sources: &[Source], mut fixes: Vec<ToPlace<'_>>, out: &mut [LintIssue]) {
    let files: BTreeSet<Arc<str>> = fixes.iter().map(|fix| fix.manifest.origin.file.clone()).collect();
    for file in files {
        let source = sources.iter().find(|source| source.file == file);
        let Some(text) = source.and_then(|source| std::str::from_utf8(&source.bytes).ok()) else { continue };
        let of_file: Vec<&Manifest> = manifests.iter().filter(|manifest| manifest.origin.file == file).collect();
        let (mut own, rest): (Vec<_>, Vec<_>) = fixes.into_iter().partition(|fix| fix.manifest.origin.file == file);
        fixes = rest;
        let chunks = fixes::chunks(text);
        let ends = chunks.iter().skip(1).map(|(_, next)| next.lines_before).chain([u32::MAX]);
        for (chunk, end) in chunks.iter().zip(ends) {
            let here = |manifest: &Manifest| (chunk.1.lines_before + 1..=end).contains(&manifest.origin.line);
            let (of_chunk, rest): (Vec<_>, Vec<_>) = own.into_iter().partition(|fix| here(fix.manifest));
            own = rest;
            let (mut at, mut candidates) = (vec![], vec![]);
            for fix in of_chunk {
                let issue = fix.at;
                if let Some(candidate) = fix.candidate(of_file.iter().copied().filter(|manifest| here(manifest))) {
                    at.push(issue);
                    candidates.push(candidate);
                }
            }
            if candidates.is_empty() {
                continue;
            }
            for (at, placed) in at.into_iter().zip(fixes::place(&file, chunk, &candidates)) {
                if let Some(told) = out.get_mut(at) {
                    told.fix = Some(placed);
                }
            }
        }
    }
}

const UNUSED: &str = "suppression-unused";

/// The next line that is not empty and no comment.
fn next_line(text: &str, line: u32) -> u32 {
    let behind = text.lines().zip(1_u32..).skip(usize::try_from(line).unwrap_or(usize::MAX));
    let holds = |text: &str| !text.trim().is_empty() && !text.trim_start().starts_with('#');
    behind.into_iter().find(|(text, _)| holds(text)).map_or(0, |(_, line)| line)
}

/// What is wrong with a suppression.
fn complaints(said: &Said) -> Vec<Issue> {
    let rule = &said.suppression.rule;
    let issue =
        |id, message: String| Issue::new(Severity::Warning, id, said.origin.clone(), said.object.clone(), "", message);
    let mut out = vec![];
    if said.suppression.reason.is_empty() {
        let message = format!("`{rule}` is not told, and nobody knows why");
        out.push(issue("suppression-without-reason", message).help("write the reason behind the rule"));
    }
    if !said.used && !build::WARNINGS.contains(&rule.as_str()) {
        let known = explained();
        let is_known = known.iter().any(|known| known.id == rule);
        let ids = known.iter().map(|rule| rule.id).chain(build::WARNINGS);
        let help = match nearest(rule, ids).filter(|_| !is_known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "remove it, or put it on the line, or the line above, of what is told".to_owned(),
        };
        out.push(issue(UNUSED, format!("there is no finding of `{rule}` here that could be left out")).help(help));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::read_all;

    fn lint_of(content: &str, annotations: &str) -> Vec<(&'static str, u32)> {
        let text = format!(
            "apiVersion: bylaw.dev/v1alpha1\nkind: OrganizationPolicy\nmetadata:\n  name: p\n{annotations}spec:\n  type: SERVICE_CONTROL_POLICY\n  content:\n{content}"
        );
        let sources = [Source { file: "a.yaml".into(), bytes: text.into_bytes() }];
        let found = read_all(&sources);
        assert!(found.issues.is_empty(), "{:?}", found.issues);
        lint(&found.manifests, &sources).iter().map(|told| (told.issue.rule, told.issue.origin.line)).collect()
    }

    const DEAD: &str = "    Version: \"2012-10-17\"\n    Statement:\n      - Effect: Deny\n        Action: sagemaker:CreateEndpoint\n        Resource: \"*\"\n        Condition:\n          ForAnyValue:StringLike:\n            sagemaker:InstanceTypes:COMMENT\n              - ml.p5.48xlarge\n";

    #[test]
    fn findings_stand_at_the_line_of_the_manifest_and_can_be_suppressed_there() {
        let with = |comment: &str| lint_of(&DEAD.replace("COMMENT", comment), "");
        let told = with("");
        assert!(told.contains(&("key-not-on-action", 15)), "{told:?}");
        let silent = with(" # bylaw:ignore key-not-on-action the endpoint team knows");
        assert!(
            !silent.iter().any(|(rule, _)| *rule == "key-not-on-action" || rule.starts_with("suppression")),
            "{silent:?}"
        );
        assert!(with(" # bylaw:ignore key-not-on-action").contains(&("suppression-without-reason", 15)));
        assert!(with(" # bylaw:ignore over-size because").contains(&("suppression-unused", 15)));
        let above = DEAD.replace("COMMENT", "").replace(
            "            sagemaker",
            "            # bylaw:ignore key-not-on-action known\n\n            # and a comment\n            sagemaker",
        );
        assert!(!lint_of(&above, "").iter().any(|(rule, _)| *rule == "key-not-on-action"));
    }

    #[test]
    fn an_annotation_is_meant_for_the_whole_object() {
        let annotated = |value: &str| {
            lint_of(&DEAD.replace("COMMENT", ""), &format!("  annotations:\n    bylaw.dev/lint-ignore: \"{value}\"\n"))
        };
        let found = annotated("key-not-on-action known; over-size why");
        assert_eq!(found.iter().filter(|(rule, _)| *rule == "suppression-unused").count(), 1, "{found:?}");
        assert!(!found.iter().any(|(rule, _)| *rule == "key-not-on-action"));
    }
}
