//! The command line: one file a subcommand, which parses, calls one function of a room, and prints.
//!
//! Architecture invariant: nothing is decided here; whatever a command finds out is a value of another room.

pub mod crds;
pub mod diagnostics;
pub mod docs;
pub mod iam_policy;
pub mod import;
pub mod snapshot;
pub mod sources;
pub mod tree;
pub mod validate;
