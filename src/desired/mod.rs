//! From resources to one validated tree: [`read`] turns text into located manifests, [`build`] turns manifests into
//! [`Desired`]. Both return what they could make together with every [`Issue`]; neither stops at the first.
//!
//! Architecture invariant: nothing here knows what AWS holds, and an object with an error is never in the tree: it is
//! among the `broken`, so that later rooms leave its AWS counterpart alone.

mod build;
mod checks;
mod content;
mod fixes;
mod home;
mod lint;
mod metadata;
pub mod model;
mod nodes;
mod outputs;
mod placeholders;
mod policies;
mod read;
pub(crate) mod report;
mod schema;
mod selector;
pub(crate) mod tree;
mod yaml;

pub use build::{build, build_from};
pub use fixes::{Mended, Placed, Unplaced, mend};
pub use home::{Home, Organizations};
pub use lint::{LintIssue, lint, lint_with_fixes};
pub use model::{Broken, Declared, Desired, Issue, NodeKey, Origin, Severity};
pub use read::{Found, Manifest, Source, read, read_all};

#[cfg(test)]
mod tests;
