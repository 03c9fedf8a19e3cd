//! The evaluator: what policies decide of a request, and which statement at which node says so.
//!
//! The way of the data: a [`crate::policy::statement::Policy`] becomes a [`Compiled`], those of each node from the root to
//! an account a [`Ladder`], and the ladders of all kinds of policies [`Layers`]. A [`Request`] is decided by any of them.
//!
//! Three-valued throughout: what a request does not tell ([`Fact::Unknown`]) is neither absent nor present, and a decision
//! that hangs on it is [`Decision::Depends`]. Who uses the engine says how that is rounded.
//!
//! Architecture invariant: no decision is made by guessing, and none allocates memory.

mod among;
mod clause;
mod index;
mod ladder;
pub(in crate::policy) mod pattern;
mod request;
mod rule;
#[cfg(test)]
mod tests;
mod truth;
pub(in crate::policy) mod values;
mod whole;

pub use among::resources_meet;
pub use clause::is_negated;
pub use ladder::{Decision, Ladder, MOST_NODES, Place, Step, Walk};
pub use request::{Action, Caller, Fact, Facts, Key, Request};
pub use rule::{Compiled, OpenParts};
pub use truth::Truth;
pub use whole::{Layer, Layers, Whole};
