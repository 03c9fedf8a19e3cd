//! The command line: one file a subcommand, each parses, calls one function of a room, and prints.

pub mod iam_policy;
