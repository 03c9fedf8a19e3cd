//! Lint of manifests: the rules of [`crate::policy::lint`] asked of every policy, and what authors have said not to tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::content;
use super::model::{Issue, Origin, Severity};
use super::read::{Body, Manifest, Source};
use super::report::nearest;
use super::tree::Node;
use crate::names::{ANNOTATION_LINT_IGNORE, PolicyType};
use crate::policy::lint::explained;
use crate::policy::lint::suppress::{Suppression, annotation, comments};

/// Documents of manifests, as [`lint`] knows them.
struct Said {
    suppression: Suppression,
    origin: Origin,
    object: Option<String>,
    used: bool,
}

/// What lint has to say of the policies among manifests, by place; what is suppressed is left out, and a suppression that
/// has no reason, or nothing to suppress, is told itself. The documents are read here, and are not read again by
/// [`super::build`].
#[must_use]
pub fn lint(manifests: &[Manifest], sources: &[Source]) -> Vec<Issue> {
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
    for manifest in manifests {
        let Some(Body::Policy(spec)) = &manifest.body else { continue };
        let kind = PolicyType::new(&spec.r#type);
        let (document, flaws, findings) = content::linted(manifest, "spec.content", &kind, &spec.content);
        let own = manifest.tree().get("metadata").and_then(|at| at.get("annotations"));
        let mut own: Vec<Said> = own
            .and_then(|at| at.get(ANNOTATION_LINT_IGNORE))
            .and_then(Node::text)
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
        // An error of the reader cannot be suppressed: the document is not used.
        let flaws = flaws.into_iter().filter(|issue| issue.severity == Severity::Error || is_told(issue)).collect();
        out.extend(findings.into_iter().filter(|issue| is_told(issue)));
        manifest.document.get_or_init(|| (document, flaws));
        out.extend(own.iter().flat_map(complaints));
    }
    for (file, said) in &by_file {
        out.extend(said.iter().flat_map(complaints).filter(|issue| issue.rule != UNUSED || !broken.contains(file)));
    }
    out.sort_by(|a, b| a.origin.cmp(&b.origin));
    out
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
    if !said.used {
        let known = explained();
        let is_known = known.iter().any(|known| known.id == rule);
        let help = match nearest(rule, known.iter().map(|rule| rule.id)).filter(|_| !is_known) {
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
        lint(&found.manifests, &sources).iter().map(|issue| (issue.rule, issue.origin.line)).collect()
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
