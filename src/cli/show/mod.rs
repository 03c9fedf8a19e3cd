//! How plans and results read: as text on a terminal, as a pull-request comment, as JSON, and as a saved plan.
//!
//! [`view`] says in words what each change is; the forms only set it. Architecture invariant: text that AWS or a manifest
//! supplies goes through [`safe`] before it is written anywhere: a hostile name must not paint over what a reviewer reads.

pub mod json;
pub mod markdown;
pub mod plan;
pub mod progress;
pub mod result;
pub mod safe;
pub mod saved;
pub mod view;

mod links;
mod refusals;
mod undeclared;
mod words;

#[cfg(test)]
mod tests;

use k8s_openapi::jiff::Timestamp;

use crate::plan::estimate::Calls;

/// What a plan was made with, as far as a reader needs it.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// AWS calls spent on reading, by operation. Empty: the plan rests on a snapshot.
    pub calls: Calls,
    /// Time of the oldest part that the plan rests on ([`crate::observed::Observed::oldest`]).
    pub oldest: Timestamp,
    /// When the pass began: what was read before it is told beside every "as declared".
    pub since: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// `mode: Observe`: nothing will be written.
    pub observe: bool,
    /// What is to be done and does not run, since the saved plan that runs does not hold it, or not so.
    pub left_out: Vec<String>,
    /// Long lists are not folded (`--full`).
    pub full: bool,
}

/// Version of the JSON forms.
pub const FORMAT_VERSION: u32 = 1;
