//! Whether manifests say what is there: read as `plan` reads them, planned on the reading that they were made from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::desired::{Severity, Source, build, read};
use crate::observed::Observed;
use crate::plan::{self, Memory};

/// What is wrong, by object (`Kind/name`, or empty for the whole); nothing where planning changes nothing.
pub(super) fn complaints(files: &BTreeMap<PathBuf, String>, observed: &Observed) -> BTreeMap<String, String> {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source { file: path.display().to_string().into(), bytes: text.clone().into_bytes() })
        .collect();
    let (manifests, mut issues) = read(&sources);
    let (desired, more) = build(manifests, None);
    issues.extend(more);
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for issue in issues.into_iter().filter(|issue| issue.severity == Severity::Error) {
        // What depends on a broken object goes with it in the next round, for the right reason.
        if issue.rule == "depends-on-broken" {
            continue;
        }
        let why = if issue.field.is_empty() { issue.message } else { format!("`{}`: {}", issue.field, issue.message) };
        found.entry(issue.object.unwrap_or_default()).or_insert(why);
    }
    if !found.is_empty() {
        return found;
    }
    let Some(desired) = desired else {
        return BTreeMap::from([(String::new(), "they hold no organization".into())]);
    };
    let options = plan::Options::default();
    let (plan, _) = plan::propose(&desired, observed, &Memory::default(), &options, observed.lists_at);
    for refusal in plan.refusals {
        found.entry(refusal.object.to_string()).or_insert(refusal.message);
    }
    for change in plan.changes {
        let why = format!("a plan would change it ({})", change.action.operations().0);
        found.entry(change.object.to_string()).or_insert(why);
    }
    found
}
