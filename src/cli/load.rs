//! From the `-f` arguments to a validated tree, for the commands that cannot go on with a broken one.

use std::io::Write;

use crate::desired::{Desired, Issue, Severity, Source, build, read};

use super::args::Manifests;
use super::failure::Failure;
use super::{diagnostics, sources};

/// Opens what `-f` names; what cannot be read is among the issues.
///
/// # Errors
/// No `-f`.
pub fn opened(asked: &Manifests) -> Result<(Vec<Source>, Vec<Issue>), Failure> {
    if asked.files.is_empty() {
        return Err(Failure::new(
            "no manifests were named",
            "name files or directories with `-f`, or `-f -` for standard input",
        ));
    }
    Ok(sources::load(&asked.files, &mut std::io::stdin().lock()))
}

/// Reads the manifests. Issues are printed to `err`; with an error among them nothing is planned: a manifest that cannot
/// be read may be the one that guards.
///
/// # Errors
/// No `-f`, or manifests with errors.
pub fn manifests(asked: &Manifests, colour: bool, err: &mut dyn Write) -> Result<(Desired, Vec<Source>), Failure> {
    let (sources, unread) = opened(asked)?;
    let desired = desired(&sources, unread, asked.organization.as_deref(), colour, err)?;
    Ok((desired, sources))
}

/// Builds the tree from sources that were read, as [`manifests`].
///
/// # Errors
/// Manifests with errors.
pub fn desired(
    sources: &[Source],
    unread: Vec<Issue>,
    organization: Option<&str>,
    colour: bool,
    err: &mut dyn Write,
) -> Result<Desired, Failure> {
    let (manifests, found) = read(sources);
    let mut issues = unread;
    let hopeless = !issues.is_empty() && manifests.is_empty();
    issues.extend(found);
    let mut desired = None;
    if !hopeless {
        let (built, found) = build(manifests, organization);
        desired = built;
        issues.extend(found);
    }
    issues.sort_by(|a, b| a.origin.cmp(&b.origin));
    diagnostics::text(&issues, sources, colour, err)?;
    let errors = issues.iter().filter(|issue| issue.severity == Severity::Error).count();
    match desired {
        Some(desired) if errors == 0 => Ok(desired),
        _ => Err(Failure::new(
            format!("the manifests have {errors} {}", if errors == 1 { "error" } else { "errors" }),
            "mend them and run again; `bylaw validate` shows the same without AWS",
        )),
    }
}
