//! A plan as a comment of a pull request.

use super::Context;
use crate::desired::Desired;
use crate::pass::Planned;

/// Most characters of a comment; GitHub takes 65,536.
pub const MAX_CHARACTERS: usize = 65_000;

/// The plan as GitHub-flavoured Markdown of at most [`MAX_CHARACTERS`] characters.
#[must_use]
pub fn plan(planned: &Planned, desired: &Desired, context: &Context) -> String {
    let _ = (desired, context);
    format!("{} changes", planned.plan.changes.len())
}
