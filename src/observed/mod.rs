//! The organization as AWS says it is.
//!
//! Architecture invariant: the model knows nothing of what is wanted, and a part that was not read is never taken for empty.

pub mod model;

pub use model::{Account, Gap, Observed, Part, Policy, Root, Scope, Unit};
