//! The policy languages: documents parsed with their places, compared by meaning, made as small as possible.
//!
//! Pure. Architecture invariant: nothing here knows where a policy is attached or who asks.

pub mod document;

pub use document::{Document, Flaw, covers};
