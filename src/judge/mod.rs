//! The organization as what it is to a request: from the root to each account, the policies that bind it.
//!
//! The way of the data: [`crate::observed::Observed`] (of AWS, of a snapshot, or of a rehearsal of the manifests) → a
//! [`Forest`] → the [`Standing`] of one account → a [`Question`] is answered by a [`Verdict`], which names nodes, policies
//! and the objects that declare them.
//!
//! Pure. Architecture invariant: what was not read allows nothing and denies nothing, and is never forgotten: an answer
//! that would rest on it depends.

pub mod call;
pub mod chronicle;
pub mod denial;
mod forest;
pub mod impact;
mod principal;
mod question;
pub mod requests;
#[cfg(test)]
mod tests;

pub use call::{Answer, Needed, Part};
pub use chronicle::Chronicle;
pub use forest::{Forest, Node, Policy, Standing};
pub use principal::Principal;
pub use question::{ACTION, Layer, Own, PRINCIPAL, Question, RESOURCE, RESOURCE_POLICY, Ruling, Verdict};
