//! The command line: one file a subcommand, each parses, calls one function of a room, and prints.

pub mod diagnostics;
pub mod sources;
pub mod validate;
