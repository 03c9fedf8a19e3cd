//! A plan for people, on a terminal.

use std::io::{self, Write};

use super::Context;
use crate::desired::Desired;
use crate::pass::Planned;

/// Writes a plan as text. `colour` is for terminals only.
///
/// # Errors
/// Those of `out`.
pub fn text(
    planned: &Planned,
    desired: &Desired,
    context: &Context,
    colour: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let _ = (desired, context, colour);
    writeln!(out, "{} changes", planned.plan.changes.len())
}
